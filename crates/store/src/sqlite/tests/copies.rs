//! Backups, and folders made of them.

use super::Temporary;
use super::formats::kept;
use crate::sqlite::{Folder, Reader, Restored, Sqlite, restore};
use crate::tests::{change, guest, say};
use crate::{Log, Verified};
use damso_chat::Op;
use std::path::PathBuf;

/// A folder with a log of a few messages, and one for what is made of it.
struct Pair {
    log: Sqlite,
    place: Temporary,
    _folder: Temporary,
}

impl Pair {
    fn new() -> Self {
        let (folder, place) = (Temporary::new(), Temporary::new());
        std::fs::create_dir(&place.0).unwrap();
        let mut log = folder.log();
        let batch = vec![
            say(&guest(1), "하나", Some("a")),
            say(&guest(1), "둘", Some("b")),
            change(&guest(1), "lobby", 2, "c", Op::React("👍".into())),
        ];
        assert!(log.append(batch, 1).unwrap().iter().all(Result::is_ok));
        Self { log, place, _folder: folder }
    }

    fn file(&self) -> PathBuf {
        self.place.0.join("backup")
    }

    fn target(&self) -> PathBuf {
        self.place.0.join("target")
    }

    fn back_up(&self) -> Result<Verified, String> {
        let reader = Reader::open_checked(self.log.folder().path()).unwrap();
        reader.back_up(&self.file(), &mut |_| {}).map_err(|error| error.to_string())
    }

    fn restore(&self) -> Result<Restored, String> {
        restore(&self.file(), &self.target(), &mut |_| {}).map_err(|error| error.to_string())
    }

    /// What is there beside the folders.
    fn names(&self) -> Vec<String> {
        let names = std::fs::read_dir(&self.place.0).unwrap();
        names.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
    }
}

#[test]
fn what_is_restored_is_another_life_of_the_same_log() {
    let pair = Pair::new();
    let verified = pair.back_up().unwrap();
    assert_eq!(verified, pair.log.verify().unwrap());
    // Of a restore that was ended.
    std::fs::create_dir(pair.target()).unwrap();
    for left in ["damso.db.partial", "damso.db.partial-journal", "lock"] {
        std::fs::write(pair.target().join(left), "half").unwrap();
    }
    let restored = pair.restore().unwrap();
    assert_eq!(restored.verified, verified);
    assert_ne!(restored.epoch, pair.log.epoch());
    let log = Sqlite::open(Folder::hold(&pair.target()).unwrap()).unwrap();
    assert_eq!((log.epoch(), log.state()), (restored.epoch.as_str(), pair.log.state()));
    assert_eq!(log.verify().unwrap(), verified);
    drop(log);
    assert_eq!(pair.names().len(), 2, "nothing is left over: {:?}", pair.names());
}

#[test]
fn what_a_killed_restore_left_is_gone_with_the_next_start() {
    let pair = Pair::new();
    std::fs::create_dir(pair.target()).unwrap();
    let left = pair.target().join("damso.db.partial");
    std::fs::write(&left, "what somebody said").unwrap();
    drop(Sqlite::open(Folder::hold(&pair.target()).unwrap()).unwrap());
    assert!(!left.exists());
}

#[test]
fn a_log_that_is_not_in_order_makes_no_backup_and_the_first_thing_wrong_is_told() {
    for (harm, told) in [
        ("DELETE FROM message WHERE seq = 1", "a position is missing"),
        ("UPDATE message SET n = 7 WHERE seq = 2", "isn't counted right"),
        ("DELETE FROM nonce WHERE nonce = 'a'", "a nonce isn't known"),
        ("INSERT INTO nonce VALUES ('x', 'y', 'lobby', 9, 1)", "a nonce of nothing"),
        ("DELETE FROM current", "said to be changed"),
        ("UPDATE room SET n = 9", "aren't what the events say"),
        ("UPDATE meta SET site = 9", "the log's end"),
        ("DELETE FROM event; UPDATE meta SET position = 2", "what the events say"),
    ] {
        let pair = Pair::new();
        pair.back_up().unwrap();
        std::fs::rename(pair.file(), pair.place.0.join("good")).unwrap();
        pair.log.connection.execute_batch(harm).unwrap();
        let reader = Reader::open_checked(pair.log.folder().path()).unwrap();
        let sentence = reader.verify(&mut |_| {}).unwrap_err().to_string();
        assert!(sentence.contains(told) || told == "what the events say", "{harm}: {sentence}");
        let sentence = pair.back_up().unwrap_err();
        assert!(sentence.contains("can't be made"), "{harm}: {sentence}");
        assert_eq!(pair.names(), ["good"], "{harm}: nothing is left");
    }
}

#[test]
fn a_backup_of_a_newer_damso_or_that_was_harmed_is_refused_and_nothing_is_made() {
    for (harm, told) in [
        ("PRAGMA user_version = 99", "written by a newer one"),
        ("PRAGMA user_version = 0", "no log of damso's"),
        ("DELETE FROM message WHERE seq = 1", "a position is missing"),
    ] {
        let pair = Pair::new();
        pair.back_up().unwrap();
        rusqlite::Connection::open(pair.file()).unwrap().execute_batch(harm).unwrap();
        let sentence = pair.restore().unwrap_err();
        assert!(sentence.contains(told), "{harm}: {sentence}");
        assert!(!pair.target().join("damso.db").exists(), "{harm}");
    }
}

#[test]
fn a_backup_of_an_older_format_is_restored_and_brought_up_to_date_by_the_next_start() {
    let pair = Pair::new();
    std::fs::copy(kept(1), pair.file()).unwrap();
    let restored = pair.restore().unwrap();
    let log = Sqlite::open(Folder::hold(&pair.target()).unwrap()).unwrap();
    assert_eq!(log.migrated().map(|migrated| migrated.from), Some(1));
    assert_eq!(log.epoch(), restored.epoch);
    assert_eq!(log.verify().unwrap(), restored.verified);
}

#[test]
fn a_file_that_another_one_is_writing_is_left_alone() {
    let pair = Pair::new();
    let partial = pair.place.0.join("backup.partial");
    let other = std::fs::File::create(&partial).unwrap();
    other.try_lock().unwrap();
    std::fs::write(&partial, "theirs").unwrap();
    let sentence = pair.back_up().unwrap_err();
    assert!(sentence.contains("another damso is writing it"), "{sentence}");
    assert_eq!(std::fs::read(&partial).unwrap(), b"theirs");
    drop(other);
    pair.back_up().unwrap();
}
