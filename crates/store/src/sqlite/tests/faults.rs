//! What is acknowledged is there, whatever the disk does.

use super::Temporary;
use super::disk::{Disk, Fault, Plan};
use crate::sqlite::{Durability, Folder, Options, Sqlite};
use crate::tests::{change, guest, say};
use crate::{Log, Part, Rows};
use damso_chat::{Decision, Event, Op, Refusal};
use damso_protocol::RoomId;
use std::collections::BTreeMap;

/// What was acknowledged: messages by `seq`.
type Acknowledged = BTreeMap<u64, String>;

fn open(folder: &Temporary, disk: &Disk, durability: Durability) -> Result<Sqlite, String> {
    let options = Options { durability, vfs: Some(disk.name().to_owned()) };
    let folder = Folder::hold(&folder.0).map_err(|error| error.to_string())?;
    Sqlite::open_with(folder, &options).map_err(|error| error.to_string())
}

/// Says something in batches of a few, and copies to the database now and then, until the log gives
/// up. Returns its last word, if there was one.
fn talk(log: &mut Sqlite, batches: u64, acknowledged: &mut Acknowledged) -> Option<String> {
    let checkpointer = log.checkpointer().unwrap();
    for batch in 0..batches {
        let texts: Vec<String> = (0..batch % 3 + 1).map(|k| format!("{batch}-{k}")).collect();
        let entries = texts.iter().map(|text| say(&guest(1), text, Some(text)));
        let outcomes = match log.append(entries.collect(), batch) {
            Ok(outcomes) => outcomes,
            Err(fatal) => return Some(fatal.to_string()),
        };
        for (outcome, text) in outcomes.into_iter().zip(texts) {
            match outcome {
                Ok(Decision::New(Event::Message(message))) => {
                    acknowledged.insert(message.seq, text);
                }
                Err(Refusal::Unavailable) => {}
                other => panic!("{other:?}"),
            }
        }
        if batch % 4 == 3
            && let Err(fatal) = checkpointer.copy_now()
        {
            return Some(fatal.to_string());
        }
    }
    None
}

/// What is there after a start with nothing wrong.
fn reopen(folder: &Temporary) -> Acknowledged {
    let log = folder.log();
    log.verify().unwrap();
    let reader = log.reader().unwrap();
    let events = reader.events(&RoomId::lobby(), 0, u64::MAX).unwrap();
    let texts = events.into_iter().filter_map(|event| match event {
        Event::Message(message) => Some((message.seq, message.text?.to_string())),
        _ => None,
    });
    texts.collect()
}

fn is_missing(acknowledged: &Acknowledged, there: &Acknowledged) -> bool {
    acknowledged.iter().any(|(seq, text)| there.get(seq) != Some(text))
}

/// Numbers that look like dice.
fn dice(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state >> 33
    }
}

/// The n-th write or sync fails, once or from then on, and then the power does.
#[test]
fn whichever_write_or_sync_fails_nothing_acknowledged_is_missing() {
    let mut fatal = 0;
    for nth in 1..=50 {
        for fault in [Fault::Write, Fault::Full, Fault::Sync] {
            for lasts in [false, true] {
                let (folder, disk) = (Temporary::new(), Disk::new());
                let plan = Plan { fault, nth, lasts };
                disk.arm(Some(plan));
                let mut acknowledged = Acknowledged::new();
                match open(&folder, &disk, Durability::Full) {
                    Err(sentence) => assert!(sentence.contains("damso.db"), "{sentence}"),
                    Ok(mut log) => {
                        let word = talk(&mut log, 40, &mut acknowledged);
                        if word.is_some() {
                            fatal += 1;
                            let again = log.append(vec![say(&guest(1), "again", None)], 99);
                            assert!(again.is_err(), "{plan:?}: {word:?} and then it went on");
                        }
                        assert!(
                            word.is_some() || fault == Fault::Full || !disk.has_failed(),
                            "{plan:?} was hidden"
                        );
                        disk.cut();
                    }
                }
                let mut dice = dice(nth);
                disk.lose(|| dice().is_multiple_of(2));
                let there = reopen(&folder);
                assert!(!is_missing(&acknowledged, &there), "{plan:?}");
                // What wasn't acknowledged may be there, if it was of the last batch.
                assert!(there.len() <= acknowledged.len() + 3, "{plan:?}");
            }
        }
    }
    assert!(fatal > 100, "{fatal}");
}

/// The power fails between two batches.
fn power_cuts(durability: Durability) -> usize {
    let mut lost = 0;
    for seed in 0..20 {
        let (folder, disk) = (Temporary::new(), Disk::new());
        let mut dice = dice(seed);
        let mut acknowledged = Acknowledged::new();
        let mut log = open(&folder, &disk, durability).unwrap();
        let batches = dice() % 60 + 1;
        assert_eq!(talk(&mut log, batches, &mut acknowledged), None);
        disk.cut();
        drop(log);
        disk.lose(|| dice().is_multiple_of(3));
        lost += usize::from(is_missing(&acknowledged, &reopen(&folder)));
    }
    lost
}

#[test]
fn a_power_cut_loses_nothing_acknowledged() {
    assert_eq!(power_cuts(Durability::Full), 0);
}

#[test]
fn a_commit_that_is_not_synced_would_be_lost_by_a_power_cut() {
    assert!(power_cuts(Durability::Normal) > 0);
}

#[test]
fn a_full_disk_refuses_the_batch_and_the_log_goes_on_when_there_is_room() {
    let folder = Temporary::new();
    let mut log = folder.log();
    log.append(vec![say(&guest(1), "before", None)], 1).unwrap();
    let before = log.state().clone();
    let pages: i64 =
        log.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    log.connection.pragma_update(None, "max_page_count", pages).unwrap();
    let long = "x".repeat(100_000);
    let batch = vec![say(&guest(1), "small", None), say(&guest(1), &long, Some("n"))];
    let outcomes = log.append(batch.clone(), 2).unwrap();
    assert_eq!(outcomes, [Err(Refusal::Unavailable), Err(Refusal::Unavailable)]);
    assert_eq!(*log.state(), before);
    log.connection.pragma_update(None, "max_page_count", 1_000_000).unwrap();
    let outcomes = log.append(batch, 3).unwrap();
    assert!(
        matches!(&outcomes[1], Ok(Decision::New(Event::Message(message))) if message.seq == 3),
        "what was refused may be said again, under the same nonce"
    );
    drop(log);
    let log = folder.log();
    assert_eq!(log.messages(), 3);
    log.verify().unwrap();
}

#[test]
fn a_full_disk_during_anything_but_a_message_changes_nothing_either() {
    let (folder, disk) = (Temporary::new(), Disk::new());
    let mut log = open(&folder, &disk, Durability::Full).unwrap();
    log.append(vec![say(&guest(1), "one", None)], 1).unwrap();
    let before = log.state().clone();
    disk.arm(Some(Plan { fault: Fault::Full, nth: 1, lasts: true }));
    let edit = change(&guest(1), "lobby", 1, "e", Op::Edit(Some("two".into())));
    assert_eq!(log.append(vec![edit.clone()], 2).unwrap(), [Err(Refusal::Unavailable)]);
    assert_eq!(*log.state(), before);
    disk.arm(None);
    assert!(log.append(vec![edit], 3).unwrap()[0].is_ok());
    log.verify().unwrap();
}

#[test]
fn a_corrupt_page_is_told_in_one_sentence_and_nothing_is_acknowledged() {
    let folder = Temporary::new();
    let mut log = folder.log();
    let texts = (0..2_000).map(|number| format!("{number} {}", "x".repeat(100)));
    let entries = texts.map(|text| say(&guest(1), &text, Some(text[..4].trim())));
    log.append(entries.collect(), 1).unwrap();
    drop(log);
    // Everything but the first page, which has the tables' names.
    let database = folder.0.join("damso.db");
    let mut bytes = std::fs::read(&database).unwrap();
    bytes[4096..].fill(0xa5);
    std::fs::write(&database, bytes).unwrap();
    let sentence = match Sqlite::open(Folder::hold(&folder.0).unwrap()) {
        Err(error) => error.to_string(),
        Ok(mut log) => log.append(vec![say(&guest(1), "x", None)], 2).unwrap_err().to_string(),
    };
    assert!(sentence.contains("damso.db") && sentence.contains("malformed"), "{sentence}");
}

#[test]
fn a_corrupt_message_is_told_by_who_reads_it() {
    let folder = Temporary::new();
    let mut log = folder.log();
    log.append(vec![say(&guest(1), "one", None), say(&guest(1), "two", None)], 1).unwrap();
    log.connection
        .execute("UPDATE message SET record = CAST('{\"v\":7}' AS BLOB) WHERE seq = 2", [])
        .unwrap();
    let reader = log.reader().unwrap();
    let lobby = RoomId::lobby();
    assert_eq!(reader.events(&lobby, 0, 1).unwrap().len(), 1);
    let sentence = reader.events(&lobby, 0, 2).unwrap_err().to_string();
    assert!(sentence.contains("version 7"), "{sentence}");
    let ask = crate::Ask { room: lobby, part: Part::Newest, limit: 5, first: 1, head: 2 };
    assert!(reader.page(&ask).unwrap_err().to_string().contains("version 7"));
    // A judge that can't ask must not judge.
    let edit = change(&guest(1), "lobby", 2, "e", Op::Delete);
    let fatal = log.append(vec![edit], 2).unwrap_err().to_string();
    assert!(fatal.contains("version 7"), "{fatal}");
    assert!(log.append(vec![say(&guest(1), "three", None)], 3).is_err(), "it gave up for good");
}

#[test]
fn another_program_that_holds_the_database_has_what_is_said_refused_and_not_the_server_ended() {
    let folder = Temporary::new();
    let mut log = folder.log();
    log.connection.busy_timeout(std::time::Duration::ZERO).unwrap();
    let other = rusqlite::Connection::open(folder.0.join("damso.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(
        log.append(vec![say(&guest(1), "x", None)], 1).unwrap(),
        [Err(Refusal::Unavailable)]
    );
    other.execute_batch("ROLLBACK").unwrap();
    assert!(log.append(vec![say(&guest(1), "x", None)], 1).unwrap()[0].is_ok());
}
