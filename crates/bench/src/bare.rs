//! The bare SQLite loop: what a log with group commit costs on this disk without anything around it.
//! Senders are threads; one more writes all that is queued as one transaction, WAL and
//! `synchronous=FULL`, and then answers.

use crate::histogram::Histogram;
use crate::load::{Rate, TEXT};
use rusqlite::{Connection, params};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

const TABLE: &str = "CREATE TABLE event (
    room TEXT NOT NULL, seq INTEGER NOT NULL, author TEXT NOT NULL, nonce TEXT NOT NULL,
    at INTEGER NOT NULL, text TEXT NOT NULL) STRICT;
CREATE UNIQUE INDEX event_place ON event (room, seq);
CREATE UNIQUE INDEX event_nonce ON event (author, nonce);";

struct Said {
    sender: usize,
    nonce: String,
}

/// Runs it in a new database in `folder`, each sender with a room of its own or all in one.
pub fn run(
    folder: &Path,
    senders: usize,
    rooms: usize,
    warm_up: Duration,
    time: Duration,
) -> Result<Rate, String> {
    let path = folder.join("bare.db");
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", path.display()));
    }
    let failed = |error: rusqlite::Error| format!("{}: {error}", path.display());
    let connection = Connection::open(&path).map_err(failed)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
    connection.pragma_update(None, "cache_size", -16 * 1024).map_err(failed)?;
    connection.execute_batch(TABLE).map_err(failed)?;

    let (queue, queued) = mpsc::channel::<Said>();
    let over = Arc::new(AtomicBool::new(false));
    let begin = Instant::now() + warm_up;
    let end = begin + time;
    let (mut answers, mut threads) = (Vec::new(), Vec::new());
    for sender in 0..senders {
        let (answer, answered) = mpsc::sync_channel::<()>(1);
        answers.push(answer);
        let (queue, over) = (queue.clone(), over.clone());
        let said = move || -> Vec<u64> {
            let (mut times, mut count) = (Vec::new(), 0_u64);
            while !over.load(Ordering::Relaxed) {
                count += 1;
                let nonce = format!("bare-{sender:08x}-{count:018x}");
                let at = Instant::now();
                if queue.send(Said { sender, nonce }).is_err() || answered.recv().is_err() {
                    break;
                }
                let now = Instant::now();
                if now >= begin && now < end {
                    times.push((now - at).as_nanos() as u64);
                }
            }
            times
        };
        let thread = thread::Builder::new().stack_size(128 * 1024).spawn(said);
        threads.push(thread.map_err(|error| format!("a thread can't start: {error}"))?);
    }
    drop(queue);
    let mut heads = vec![0_i64; rooms];
    while Instant::now() < end {
        let Ok(first) = queued.recv() else { break };
        let mut batch = vec![first];
        batch.extend(queued.try_iter());
        write(&connection, &batch, &mut heads).map_err(failed)?;
        for said in batch {
            // One that has ended wants no answer.
            let _ = answers[said.sender].send(());
        }
    }
    over.store(true, Ordering::Relaxed);
    drop(answers);
    drop(queued);
    let mut latency = Histogram::default();
    let mut acked = 0;
    for thread in threads {
        for time in thread.join().map_err(|_| "a sender panicked")? {
            latency.record(time);
            acked += 1;
        }
    }
    Ok(Rate { acked, seconds: time.as_secs_f64(), latency })
}

fn write(connection: &Connection, batch: &[Said], heads: &mut [i64]) -> rusqlite::Result<()> {
    let transaction = connection.unchecked_transaction()?;
    {
        let mut insert =
            transaction.prepare_cached("INSERT INTO event VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
        for Said { sender, nonce } in batch {
            let room = sender % heads.len();
            heads[room] += 1;
            let (name, author) = (format!("r{room:07}"), format!("u{sender:07}"));
            insert.execute(params![
                name,
                heads[room],
                author,
                nonce,
                1_700_000_000_000_i64,
                TEXT
            ])?;
        }
    }
    transaction.commit()
}
