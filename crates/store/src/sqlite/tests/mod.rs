mod agree;
mod copies;
mod disk;
mod erase;
mod faults;
mod formats;
mod pages;
mod wal;

use super::*;

use crate::tests::{entry, guest, operator, say};
use damso_chat::{Command, Event, Target};
use damso_protocol::UserId;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder of the system's temporary one, gone with its test.
struct Temporary(PathBuf);

impl Temporary {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("damso-store-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn log(&self) -> Sqlite {
        Sqlite::open(Folder::hold(&self.0).unwrap()).unwrap()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_log_goes_on_where_it_stopped() {
    let folder = Temporary::new();
    let mut log = folder.log();
    assert!(log.folder().is_new());
    let address = [10, 0, 0, 9].into();
    let batch = vec![
        say(&guest(1), "하나", Some("a")),
        say(&guest(1), "둘", None),
        entry(&operator(), Command::Ban { address, minutes: None }),
        entry(
            &operator(),
            Command::Mute { target: Target::User(UserId::new("g2")), minutes: Some(1) },
        ),
    ];
    log.append(batch, 1_000).unwrap();
    let before = log.state().clone();
    drop(log);

    let mut log = folder.log();
    assert!(!log.folder().is_new());
    assert_eq!(*log.state(), before);
    assert_eq!(log.messages(), 2);
    let batch = vec![
        say(&guest(1), "하나", Some("a")),
        say(&guest(1), "셋", Some("a")),
        say(&guest(2), "쉿", None),
        say(&guest(9), "막힘", None),
        say(&guest(1), "셋", None),
    ];
    let outcomes = log.append(batch, 500).unwrap();
    assert!(matches!(&outcomes[0], Ok(Decision::Repeated(first)) if first.seq == 1));
    assert_eq!(outcomes[1], Err(Refusal::NonceReused));
    assert_eq!(outcomes[2], Err(Refusal::Muted { until: Some(61_000) }));
    assert_eq!(outcomes[3], Err(Refusal::Banned));
    let Ok(Decision::New(Event::Message(message))) = &outcomes[4] else { panic!() };
    assert_eq!((message.seq, message.n), (3, 3));
    assert_eq!(message.at, 1_000, "time never goes back, not over a restart either");
}

#[test]
fn a_second_process_is_refused_and_a_folder_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Temporary::new();
    let first = folder.log();
    let second = Folder::hold(&folder.0).unwrap_err().to_string();
    assert!(second.contains("in use by another damso"), "{second}");
    let mode = std::fs::metadata(&folder.0).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    drop(first);
    folder.log();
}

#[test]
fn a_newer_database_and_one_of_something_else_are_refused_in_one_sentence() {
    let folder = Temporary::new();
    let log = folder.log();
    log.connection.pragma_update(None, "user_version", 99).unwrap();
    drop(log);
    let open = || Sqlite::open(Folder::hold(&folder.0).unwrap()).map(drop).unwrap_err().to_string();
    assert!(open().contains("newer"), "{}", open());
    let database = folder.0.join("damso.db");
    std::fs::remove_file(&database).unwrap();
    Connection::open(&database).unwrap().execute_batch("CREATE TABLE cats (name)").unwrap();
    assert!(open().contains("cats"), "{}", open());
    std::fs::write(&database, "this is no database at all, but a text that someone put here")
        .unwrap();
    assert!(open().contains("damso.db"), "{}", open());
}

#[test]
fn the_files_are_their_owners_alone_in_a_folder_of_any_rights() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Temporary::new();
    std::fs::create_dir(&folder.0).unwrap();
    std::fs::set_permissions(&folder.0, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut log = folder.log();
    log.append(vec![say(&guest(1), "x", None)], 1).unwrap();
    for file in std::fs::read_dir(&folder.0).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{:?} is {mode:o}", file.path());
    }
}

#[test]
fn a_folder_that_cannot_be_one_is_refused_in_one_sentence() {
    let folder = Temporary::new();
    std::fs::create_dir(&folder.0).unwrap();
    let path = folder.0.join("a");
    let open = || match Folder::hold(&path).and_then(Sqlite::open) {
        Ok(_) => panic!("{} was taken", path.display()),
        Err(error) => error.to_string(),
    };
    std::fs::write(&path, "a file").unwrap();
    assert!(open().contains("data folder"), "{}", open());
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir_all(path.join("lock")).unwrap();
    assert!(open().contains("data folder"), "{}", open());
    std::fs::remove_dir(path.join("lock")).unwrap();
    std::fs::create_dir(path.join("damso.db")).unwrap();
    assert!(open().contains("damso.db can't be used"), "{}", open());
}

#[test]
fn a_log_has_a_name_of_its_own_that_it_keeps() {
    let (one, other) = (Temporary::new(), Temporary::new());
    let name = one.log().epoch().to_owned();
    assert_eq!(name.len(), 16);
    assert_eq!(one.log().epoch(), name);
    assert_ne!(other.log().epoch(), name);
}
