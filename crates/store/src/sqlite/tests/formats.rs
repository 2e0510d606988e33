//! A database of each format that a released damso wrote is opened by this one.

use super::Temporary;
use crate::rows::{Ask, Part, Rows};
use crate::sqlite::{Folder, Sqlite, schema};
use crate::tests::{change, entry, guest, operator, register, say, say_in, user};
use crate::{Log, Memory, Reader};
use damso_chat::state::{History, Kind, Post};
use damso_chat::{Command, Entry, Member, Op, Setting, Target};
use damso_protocol::{Nonce, RoomId};
use rusqlite::Connection;
use std::path::PathBuf;

/// A database of this format.
pub(super) fn kept(format: i64) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/format-{format}.db"))
}

/// What was said and done in the kept databases, batch by batch; a batch's time is its number, in
/// minutes.
fn life() -> Vec<Vec<Entry>> {
    let room = |name: &str| RoomId::new(name);
    let create = |by: u8, kind, name: Option<&str>, members: &[u8], history, nonce: &str| {
        let members = members.iter().map(|number| user(*number).user).collect();
        let (name, nonce) = (name.map(Into::into), Some(Nonce::new(nonce)));
        entry(&user(by), Command::Create { kind, name, members, history, nonce })
    };
    let set =
        |by: u8, name: &str, setting| entry(&user(by), Command::Set { room: room(name), setting });
    let reply = |by: u8, name: &str, text: &str, m: u64| {
        let nonce = Some(Nonce::new(format!("reply-{m}")));
        let (text, reply) = (text.into(), Some(m));
        entry(&user(by), Command::Send { room: room(name), nonce, text, reply })
    };
    let read = |by: u8, name: &str, seq| entry(&user(by), Command::Read { room: room(name), seq });
    vec![
        vec![register(1), register(2), register(3), register(4)],
        vec![
            create(1, Kind::Public, Some("회의"), &[2], History::All, "c1"),
            create(2, Kind::Private, Some("비밀"), &[1, 3], History::Joining, "c2"),
            create(1, Kind::Announcement, Some("소식"), &[2], History::All, "c3"),
            create(1, Kind::Direct, None, &[2], History::All, "c4"),
        ],
        vec![
            say(&guest(9), "안녕하세요", None),
            say(&user(1), "@user2님, 반갑습니다", Some("m1")),
            say_in(&user(2), "r1", "@room 세 시에 모입니다", Some("m2")),
            say_in(&user(1), "r1", "오타가 있는 글", Some("m3")),
            say_in(&user(1), "r1", "지울 글", Some("m4")),
            say_in(&user(3), "r2", "여기는 @user1 만 부릅니다", Some("m5")),
            say_in(&user(1), "r3", "첫 소식 🎉", Some("m6")),
            say_in(&user(2), "d-u1-u2", "둘이서", Some("m7")),
        ],
        vec![
            change(&user(1), "r1", 3, "e1", Op::Edit(Some("고친 글".into()))),
            change(&user(1), "r1", 4, "e2", Op::Edit(Some("고쳐서 지울 글".into()))),
            change(&user(2), "r1", 3, "e3", Op::React("👍".into())),
            change(&user(1), "r1", 3, "e4", Op::React("👍".into())),
            change(&user(2), "r1", 3, "e5", Op::Unreact("👍".into())),
            change(&user(1), "r1", 2, "e6", Op::Pin),
            change(&user(1), "r1", 4, "e7", Op::Delete),
            reply(2, "r1", "그렇게 합시다", 2),
        ],
        vec![
            set(1, "r1", Setting::Topic("세 시".into())),
            set(1, "r1", Setting::Name("회의실".into())),
            set(1, "r3", Setting::Post(Post::Everybody)),
            entry(&user(3), Command::Admit { room: room("r1"), user: user(3).user }),
            entry(
                &user(1),
                Command::Appoint { room: room("r1"), user: user(2).user, member: Member::Owner },
            ),
            entry(&user(2), Command::Admit { room: room("r2"), user: user(4).user }),
            entry(&user(3), Command::Remove { room: room("r2"), user: user(3).user }),
            create(3, Kind::Public, Some("옛 방"), &[], History::All, "c5"),
            say_in(&user(3), "r5", "마지막 글", Some("m8")),
            set(3, "r5", Setting::Archived(true)),
        ],
        vec![
            read(1, "r1", 6),
            read(2, "lobby", 2),
            entry(&operator(), Command::Ban { address: [10, 0, 0, 8].into(), minutes: None }),
            entry(&operator(), Command::Ban { address: [10, 0, 0, 7].into(), minutes: Some(30) }),
            entry(&operator(), Command::Unban { address: [10, 0, 0, 7].into() }),
            entry(
                &operator(),
                Command::Mute { target: Target::User(user(4).user), minutes: Some(600) },
            ),
            entry(
                &operator(),
                Command::Mute { target: Target::Address([10, 0, 0, 6].into()), minutes: None },
            ),
            say(&operator(), "@here 점검이 있습니다", None),
            say_in(&user(2), "r1", "@user3 읽어 주세요", Some("m9")),
        ],
    ]
}

/// Lives that life.
fn live(log: &mut impl Log) {
    for (minute, batch) in life().into_iter().enumerate() {
        let count = batch.len();
        let outcomes = log.append(batch, 1_700_000_000_000 + 60_000 * minute as u64).unwrap();
        let accepted = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(accepted, count, "in minute {minute}: {outcomes:?}");
    }
}

/// Makes the database that later versions are tested with: once for each format, by the version
/// that is released with it.
#[test]
#[ignore = "writes a file of the repository"]
fn keep_a_database_of_this_format() {
    let folder = Temporary::new();
    let mut log = folder.log();
    live(&mut log);
    let path = kept(schema::FORMAT);
    assert!(!path.exists(), "{} is kept already", path.display());
    log.connection.execute("VACUUM INTO ?1", [path.to_str().unwrap()]).unwrap();
}

#[test]
fn a_database_of_every_format_so_far_is_opened_and_has_all_it_had() {
    let mut memory = Memory::new();
    live(&mut memory);
    for format in 1..schema::FORMAT {
        let folder = Temporary::new();
        std::fs::create_dir(&folder.0).unwrap();
        std::fs::copy(kept(format), folder.0.join("damso.db")).unwrap();
        let mut log = Sqlite::open(Folder::hold(&folder.0).unwrap()).unwrap();
        assert_eq!(log.state(), memory.state(), "format {format}");
        let verified = log.verify().unwrap();
        assert_eq!(verified.digest, memory.state().digest(), "format {format}");
        let reader = log.reader().unwrap();
        for (room, _) in memory.state().rooms() {
            let events = |rows: &dyn Rows| rows.events(room, 0, u64::MAX).unwrap();
            assert_eq!(events(&reader), events(&memory), "format {format}, {room}");
            let (part, limit, first, head) = (Part::Newest, 100, 1, u64::MAX);
            let ask = Ask { room: room.clone(), part, limit, first, head };
            let (left, right) = (reader.page(&ask).unwrap(), memory.page(&ask).unwrap());
            assert_eq!(left, right, "format {format}, {room}");
        }
        assert!(log.append(vec![say(&user(1), "이어서", None)], 0).unwrap()[0].is_ok());
        log.verify().unwrap();
    }
}

/// What makes the tables, but for the way it is laid out.
fn tables(connection: &Connection) -> Vec<String> {
    let mut statement = connection.prepare("SELECT sql FROM sqlite_schema ORDER BY name").unwrap();
    let tables = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    tables.map(|sql| sql.unwrap().split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn a_migrated_database_has_the_tables_of_a_new_one_and_its_copy_those_it_had() {
    let (folder, new) = (Temporary::new(), Temporary::new());
    for format in 1..schema::FORMAT {
        std::fs::create_dir(&folder.0).unwrap();
        std::fs::copy(kept(format), folder.0.join("damso.db")).unwrap();
        // What was left of a migration that was ended.
        let copy = format!("damso.db.format-{format}");
        std::fs::write(folder.0.join(format!("{copy}.partial")), "half").unwrap();
        std::fs::write(folder.0.join(&copy), "of another time").unwrap();
        let log = folder.log();
        assert_eq!(tables(&log.connection), tables(&new.log().connection), "format {format}");
        let migrated = log.migrated().unwrap();
        assert_eq!((migrated.from, migrated.to), (format, schema::FORMAT));
        assert_eq!(migrated.copy, std::fs::canonicalize(&folder.0).unwrap().join(&copy));
        drop(log);
        assert_eq!(folder.log().migrated(), None, "it was migrated already");

        // An older damso opens the copy; what it would see is what the database had.
        let before = Connection::open(kept(format)).unwrap();
        let after = Connection::open(folder.0.join(&copy)).unwrap();
        assert_eq!(tables(&after), tables(&before), "format {format}");
        let version = |of: &Connection| -> i64 {
            of.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
        };
        assert_eq!(version(&after), format);
        let mut names: Vec<_> = std::fs::read_dir(&folder.0)
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["damso.db", &*copy, "lock"]);
        std::fs::remove_dir_all(&folder.0).unwrap();
    }
}

#[test]
fn a_database_that_cannot_be_copied_is_not_migrated() {
    let folder = Temporary::new();
    std::fs::create_dir(&folder.0).unwrap();
    std::fs::copy(kept(1), folder.0.join("damso.db")).unwrap();
    // Something is in the way of the copy.
    std::fs::create_dir_all(folder.0.join("damso.db.format-1/x")).unwrap();
    let sentence =
        Sqlite::open(Folder::hold(&folder.0).unwrap()).map(drop).unwrap_err().to_string();
    assert!(sentence.contains("can't be copied"), "{sentence}");
    let database = Connection::open(folder.0.join("damso.db")).unwrap();
    let version: i64 = database.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, 1);
}

#[test]
fn a_database_of_every_format_is_backed_up_and_restored_as_it_is() {
    let mut memory = Memory::new();
    live(&mut memory);
    let digest = memory.state().digest();
    for format in 1..schema::FORMAT {
        let (folder, other) = (Temporary::new(), Temporary::new());
        std::fs::create_dir(&folder.0).unwrap();
        std::fs::copy(kept(format), folder.0.join("damso.db")).unwrap();
        let reader = Reader::open_checked(&folder.0).unwrap();
        assert_eq!(reader.verify(&mut |_| {}).unwrap().digest, digest, "format {format}");
        let file = folder.0.join("backup.db");
        assert_eq!(reader.back_up(&file, &mut |_| {}).unwrap().digest, digest);
        let restored = crate::sqlite::restore(&file, &other.0, &mut |_| {}).unwrap();
        assert_eq!(restored.verified.digest, digest);
        let log = other.log();
        assert_eq!(log.state().digest(), digest);
        assert_eq!(log.epoch(), restored.epoch);
        assert!(log.migrated().is_some());
    }
}
