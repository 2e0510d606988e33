//! What somebody wrote is deleted in one act, and stands in no file afterwards.

use super::Temporary;
use crate::rows::Rows;
use crate::tests::{change, entry, operator, register, say_in, user};
use crate::{Log, Sqlite};
use damso_chat::state::{History, Kind};
use damso_chat::{Command, Decision, Entry, Event, Op, Refusal};
use damso_protocol::RoomId;
use std::fs;

/// Texts of the one who is erased have this in them.
const SECRET: &str = "SECRET";

/// Messages of three users in twelve rooms, written in turn, so that pages are parted in all ways
/// while they fill; every seventh of the first user's is edited.
fn fill(log: &mut Sqlite) -> u64 {
    let mut entries = vec![register(1), register(2), register(3)];
    for number in 1..12 {
        let name = Some(format!("room {number}").into());
        let members = vec![user(2).user, user(3).user];
        let (kind, history) = (Kind::Public, History::All);
        let create = Command::Create { kind, name, members, history, nonce: None };
        entries.push(entry(&user(1), create));
    }
    log.append(entries, 1).unwrap();
    let (mut written, mut random) = (0, 7_u64);
    for batch in 0..60 {
        let mut entries = Vec::new();
        for k in 0..60 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (who, room) = ((random >> 33) % 3 + 1, (random >> 40) % 12);
            let room = if room == 0 { "lobby".to_owned() } else { format!("r{room}") };
            let secret = if who == 1 { SECRET } else { "public" };
            written += u64::from(who == 1);
            let text = format!("{secret} {batch} {}", "말 ".repeat((random >> 50) as usize % 60));
            entries.push(say_in(&user(who as u8), &room, &text, Some(&format!("{batch}-{k}"))));
        }
        let outcomes = log.append(entries, 2).unwrap();
        let mut edits = Vec::new();
        for (index, outcome) in outcomes.iter().enumerate() {
            let Ok(Decision::New(Event::Message(message))) = outcome else { continue };
            if message.by == user(1).user && index % 7 == 0 {
                let text = Op::Edit(Some(format!("{SECRET} anew").into()));
                let nonce = format!("e{batch}-{index}");
                edits.push(change(&user(1), message.room.as_str(), message.seq, &nonce, text));
            }
        }
        log.append(edits, 3).unwrap();
    }
    written
}

/// Lets the log delete all of the first user's, a part at a time, and counts.
fn erase_all(log: &mut Sqlite, by: &damso_chat::Author) -> u64 {
    let (mut from, mut count) = (None, 0);
    loop {
        let erase: Entry = entry(by, Command::Erase { user: user(1).user, from });
        let outcome = log.append(vec![erase], 4).unwrap().remove(0).unwrap();
        let Decision::Erased { events, next } = outcome else { panic!() };
        count += events.len() as u64;
        from = next;
        if from.is_none() {
            return count;
        }
    }
}

/// How often the text stands in the files of a folder.
fn found(folder: &Temporary) -> usize {
    let files = fs::read_dir(&folder.0).unwrap();
    files
        .map(|file| {
            let bytes = fs::read(file.unwrap().path()).unwrap();
            bytes.windows(SECRET.len()).filter(|window| *window == SECRET.as_bytes()).count()
        })
        .sum()
}

#[test]
fn what_was_erased_stands_in_no_file() {
    let folder = Temporary::new();
    let mut log = folder.log();
    let known = say_in(&user(1), "lobby", SECRET, Some("known"));
    let written = fill(&mut log) + 1;
    log.append(vec![known.clone()], 3).unwrap();
    assert!(found(&folder) as u64 > written);
    let reader = log.reader().unwrap();
    assert_eq!(erase_all(&mut log, &user(1)), written);
    assert_eq!(found(&folder), 0);
    assert_eq!(erase_all(&mut log, &operator()), 0, "there is nothing left");
    for (room, kept) in log.state().rooms() {
        let events = reader.events(room, 0, kept.head).unwrap();
        let seqs = events.iter().filter_map(|event| event.place()).map(|(_, seq)| seq);
        // A page of events ends somewhere; what there is has no hole.
        assert!(seqs.eq(1..=events.len() as u64));
    }
    log.verify().unwrap();
    // A retry of what was erased still gets its first result.
    let outcomes = log.append(vec![known], 5).unwrap();
    assert!(matches!(outcomes[0], Ok(Decision::Repeated(_))), "{outcomes:?}");
    let before = log.state().clone();
    drop((log, reader));
    assert_eq!(*folder.log().state(), before);
}

#[test]
fn a_reader_in_the_way_delays_only_the_emptying_of_the_wal() {
    let folder = Temporary::new();
    let mut log = folder.log();
    fill(&mut log);
    let checkpointer = log.checkpointer().unwrap();
    let other = rusqlite::Connection::open(folder.0.join("damso.db")).unwrap();
    let long = other.unchecked_transaction().unwrap();
    let count = |c: &rusqlite::Connection| {
        c.query_row("SELECT COUNT(*) FROM message", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!(count(&long), 3_600);
    erase_all(&mut log, &operator());
    assert!(found(&folder) > 0, "the reader still needs it");
    drop(long);
    std::thread::scope(|scope| {
        let running = scope.spawn(|| checkpointer.run());
        drop(log);
        running.join().unwrap().unwrap();
    });
    assert_eq!(found(&folder), 0);
}

#[test]
fn a_start_ends_what_an_erasure_began() {
    let folder = Temporary::new();
    let mut log = folder.log();
    fill(&mut log);
    // Only the first part, and then the process is gone.
    let erase = Command::Erase { user: user(1).user, from: None };
    log.append(vec![entry(&user(1), erase)], 4).unwrap();
    drop(log);
    let mut log = folder.log();
    let marks = |log: &Sqlite| {
        log.connection
            .query_row("SELECT COUNT(*) FROM kept WHERE kind = 'scrub'", [], |row| {
                row.get::<_, i64>(0)
            })
            .unwrap()
    };
    assert_eq!(marks(&log), 0);
    // It has just been done, so a user's erasure may wait, and the operator's doesn't.
    erase_all(&mut log, &user(1));
    assert!(log.scrub_due().is_some() || found(&folder) == 0);
    log.append(vec![say_in(&user(1), "lobby", SECRET, None)], 5).unwrap();
    erase_all(&mut log, &operator());
    assert!(log.scrub_due().is_none());
    assert_eq!(found(&folder), 0);
}

#[test]
fn nobody_erases_what_another_wrote_but_the_operator() {
    let folder = Temporary::new();
    let mut log = folder.log();
    log.append(vec![register(1), register(2), say_in(&user(1), "lobby", "mine", None)], 1).unwrap();
    let erase =
        |by: damso_chat::Author| entry(&by, Command::Erase { user: user(1).user, from: None });
    let outcomes = log.append(vec![erase(user(2))], 2).unwrap();
    assert_eq!(outcomes, [Err(Refusal::Forbidden)]);
    let page = |log: &Sqlite| {
        let (room, part) = (RoomId::lobby(), crate::Part::Newest);
        let ask = crate::Ask { room, part, limit: 9, first: 1, head: 9 };
        log.reader().unwrap().page(&ask).unwrap().messages.remove(0)
    };
    assert!(!page(&log).is_deleted());
    log.append(vec![erase(operator())], 3).unwrap();
    assert!(page(&log).is_deleted());
}
