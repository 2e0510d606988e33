//! The file beside the database stays short.

use super::Temporary;
use crate::rows::{Ask, Part, Rows};
use crate::sqlite::schema::WAL_KEPT;
use crate::tests::{guest, say};
use crate::{Log, Sqlite};
use damso_protocol::RoomId;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Ten messages of 8 KB, under nonces of their own: some 30 pages.
fn batch(log: &mut Sqlite, number: u64) {
    let text = "x".repeat(8_000);
    let nonces = (0..10).map(|k| format!("{number}-{k}"));
    let entries = nonces.map(|nonce| say(&guest(1), &text, Some(&nonce)));
    log.append(entries.collect(), number).unwrap();
}

fn length(folder: &Temporary) -> u64 {
    std::fs::metadata(folder.0.join("damso.db-wal")).unwrap().len()
}

/// Says so when it goes, however that comes.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn under_load_and_read_all_the_time_the_wal_stays_short() {
    let folder = Temporary::new();
    let mut log = folder.log();
    let checkpointer = log.checkpointer().unwrap();
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        let running = scope.spawn(|| checkpointer.run());
        for _ in 0..2 {
            let reader = log.reader().unwrap();
            let is_done = &is_done;
            scope.spawn(move || {
                let ask = Ask {
                    room: RoomId::lobby(),
                    part: Part::Newest,
                    limit: 5,
                    first: 1,
                    head: 1 << 40,
                };
                while !is_done.load(Ordering::Relaxed) {
                    reader.page(&ask).unwrap();
                }
            });
        }
        let done = Done(&is_done);
        for number in 0..300 {
            batch(&mut log, number);
            // Twenty times that is written. How far it gets beyond it is the readers' doing, who
            // hold a page for as long as the system doesn't let them go on.
            assert!(length(&folder) < 5 * WAL_KEPT, "{} at {number}", length(&folder));
        }
        drop(done);
        log.verify().unwrap();
        drop(log);
        running.join().unwrap().unwrap();
    });
    assert_eq!(folder.log().messages(), 3_000);
}

#[test]
fn a_reader_that_takes_long_holds_nobody_up_and_sees_one_moment() {
    let folder = Temporary::new();
    let mut log = folder.log();
    batch(&mut log, 0);
    let _checkpointer = log.checkpointer().unwrap();
    let other = rusqlite::Connection::open(folder.0.join("damso.db")).unwrap();
    let long = other.unchecked_transaction().unwrap();
    let count =
        || long.query_row("SELECT COUNT(*) FROM message", [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count(), 10);
    for number in 1..90 {
        batch(&mut log, number);
    }
    assert!(length(&folder) > WAL_KEPT, "nothing can be written over that is still read");
    assert_eq!(count(), 10);
    drop(long);
    for number in 90..110 {
        batch(&mut log, number);
    }
    assert_eq!(length(&folder), WAL_KEPT);
    log.verify().unwrap();
}

#[test]
fn in_a_quiet_time_the_wal_is_emptied() {
    let folder = Temporary::new();
    let mut log = folder.log();
    let checkpointer = log.checkpointer().unwrap();
    batch(&mut log, 0);
    assert!(length(&folder) > 0);
    checkpointer.rest_now().unwrap();
    assert_eq!(length(&folder), 0);
    batch(&mut log, 1);
    assert_eq!(log.messages(), 20);
}
