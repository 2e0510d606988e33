//! What is read back: pages, events, and what has been deleted.

use super::Temporary;
use crate::rows::{Ask, BYTES_MAX, Part, Rows};
use crate::tests::{change, guest, register, say, user};
use crate::{Log, Sqlite};
use damso_chat::{Author, Command, Decision, Entry, Event, Op, Refusal};
use damso_protocol::{Nonce, RoomId};

/// Records everything, each in a batch of its own, and wants all of it to happen.
fn record(log: &mut Sqlite, entries: impl IntoIterator<Item = Entry>) {
    for (entry, now) in entries.into_iter().zip(1..) {
        let outcomes = log.append(vec![entry], now).unwrap();
        assert!(matches!(outcomes[0], Ok(Decision::New(_))), "{outcomes:?}");
    }
}

fn ask(part: Part, limit: usize) -> Ask {
    Ask { room: RoomId::lobby(), part, limit, first: 1, head: 1_000_000 }
}

/// The `seq`s of a page, and whether there are more.
fn page(rows: &impl Rows, ask: &Ask) -> (Vec<u64>, bool) {
    let page = rows.page(ask).unwrap();
    (page.messages.iter().map(|current| current.message.seq).collect(), page.more)
}

#[test]
fn pages_are_in_rising_order_from_either_side_and_say_whether_there_is_more() {
    let folder = Temporary::new();
    let mut log = folder.log();
    let reader = log.reader().unwrap();
    assert_eq!(page(&reader, &ask(Part::Newest, 3)), (vec![], false));
    // Messages 1 to 10, but for 4 to 6, which are reactions; said at the time of their `seq`.
    record(
        &mut log,
        (1..=10).map(|seq| match seq {
            4..=6 => change(&guest(seq as u8), "lobby", 1, "r", Op::React("👍".into())),
            _ => say(&guest(1), &seq.to_string(), None),
        }),
    );
    let page = |ask: Ask| page(&reader, &ask);
    assert_eq!(page(ask(Part::Newest, 3)), (vec![8, 9, 10], true));
    assert_eq!(page(ask(Part::Newest, 7)), (vec![1, 2, 3, 7, 8, 9, 10], false));
    assert_eq!(page(ask(Part::Before(8), 2)), (vec![3, 7], true));
    assert_eq!(page(ask(Part::Before(1), 2)), (vec![], false));
    assert_eq!(page(ask(Part::After(2), 2)), (vec![3, 7], true));
    assert_eq!(page(ask(Part::After(8), 2)), (vec![9, 10], false));
    assert_eq!(page(ask(Part::After(u64::MAX), 2)), (vec![], false));
    assert_eq!(
        page(ask(Part::Around(3), 4)),
        (vec![2, 3, 7, 1].into_iter().collect(), true).sorted()
    );
    assert_eq!(page(ask(Part::Around(10), 3)), (vec![8, 9, 10], true));
    assert_eq!(page(ask(Part::Around(1), 3)), (vec![1, 2, 3], true));
    assert_eq!(page(ask(Part::At(4), 1)), (vec![7], true));
    assert_eq!(page(ask(Part::At(7), 1)), (vec![7], true));
    assert_eq!(page(ask(Part::At(0), 1)), (vec![1], true));
    assert_eq!(page(ask(Part::At(99), 2)), (vec![9, 10], true));
    assert_eq!(page(Ask { first: 3, ..ask(Part::Before(9), 9) }), (vec![3, 7, 8], false));
    assert_eq!(page(Ask { head: 7, ..ask(Part::Newest, 2) }), (vec![3, 7], true));
    assert_eq!(page(Ask { head: 7, ..ask(Part::After(2), 9) }), (vec![3, 7], false));
    let newest = reader.page(&Ask { first: 0, ..ask(Part::Newest, 7) }).unwrap();
    assert_eq!((newest.asof, newest.first), (10, 1));
    // What changed it since is in it, also above the head that was asked for.
    let old = reader.page(&Ask { head: 3, ..ask(Part::Newest, 9) }).unwrap();
    assert_eq!((old.messages[0].rev, old.messages[0].reactions[0].1.len()), (6, 3));
    let nowhere = Ask { room: RoomId::new("nowhere"), ..ask(Part::Newest, 9) };
    assert_eq!(reader.page(&nowhere).unwrap().asof, 0);
}

#[test]
fn pinned_messages_are_found_by_an_index_and_nothing_else_is() {
    let folder = Temporary::new();
    let mut log = folder.log();
    record(&mut log, (1..=4).map(|_| say(&guest(1), "\"pinned\":true", None)));
    let pin = |m, nonce: &str, op| change(&guest(1), "lobby", m, nonce, op);
    record(
        &mut log,
        [
            pin(2, "a", Op::Pin),
            pin(3, "b", Op::Pin),
            pin(1, "c", Op::Pin),
            pin(4, "d", Op::Edit(Some("{\"pinned\":true}".into()))),
            pin(3, "e", Op::Unpin),
        ],
    );
    let reader = log.reader().unwrap();
    assert_eq!(page(&reader, &ask(Part::Pinned, 9)), (vec![1, 2], false));
    assert_eq!(page(&reader, &ask(Part::Pinned, 1)), (vec![2], true));
    assert_eq!(page(&reader, &Ask { first: 2, ..ask(Part::Pinned, 9) }), (vec![2], false));
    assert_eq!(page(&reader, &Ask { head: 1, ..ask(Part::Pinned, 9) }), (vec![1], false));
    let plan = format!("EXPLAIN QUERY PLAN {}", crate::sqlite::read::PINNED);
    let mut statement = log.connection.prepare(&plan).unwrap();
    let plan = statement.query_map(rusqlite::params!["lobby", 1, 9], |row| row.get(3)).unwrap();
    let plan: Vec<String> = plan.map(Result::unwrap).collect();
    assert!(plan[0].contains("USING INDEX pinned"), "{plan:?}");
    assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{plan:?}");
    drop(statement);
    record(&mut log, [pin(2, "f", Op::Delete)]);
    assert_eq!(page(&reader, &ask(Part::Pinned, 9)), (vec![1], false));
}

trait Sorted {
    fn sorted(self) -> Self;
}

impl Sorted for (Vec<u64>, bool) {
    fn sorted(mut self) -> Self {
        self.0.sort_unstable();
        self
    }
}

#[test]
fn an_answer_ends_at_so_many_bytes_but_has_something() {
    let folder = Temporary::new();
    let mut log = folder.log();
    let half = "x".repeat(BYTES_MAX / 2 - 1_000);
    let whole = "y".repeat(BYTES_MAX + 1);
    record(&mut log, [&*half, &half, &half, &whole].map(|text| say(&guest(1), text, None)));
    let reader = log.reader().unwrap();
    assert_eq!(page(&reader, &ask(Part::Newest, 9)), (vec![4], true));
    assert_eq!(page(&reader, &ask(Part::Before(4), 9)), (vec![2, 3], true));
    assert_eq!(page(&reader, &ask(Part::After(0), 9)), (vec![1, 2], true));
    let events = |after, to| reader.events(&RoomId::lobby(), after, to).unwrap().len();
    assert_eq!((events(0, 4), events(2, 4), events(3, 4), events(4, 4)), (2, 1, 1, 0));
}

#[test]
fn a_replay_has_every_event_in_order_and_can_go_on_where_it_stopped() {
    let folder = Temporary::new();
    let mut log = folder.log();
    let entries = (1..=3_000_u64).map(|seq| match seq % 3 {
        1 => say(&guest(1), &format!("{seq} {}", "z".repeat(200)), None),
        2 => change(&guest(1), "lobby", seq - 1, &format!("n{seq}"), Op::Pin),
        _ => change(&guest(1), "lobby", seq - 2, &format!("n{seq}"), Op::React("👍".into())),
    });
    log.append(entries.collect(), 1).unwrap();
    let reader = log.reader().unwrap();
    let (mut after, mut answers) = (0, 0);
    while after < 3_000 {
        let events = reader.events(&RoomId::lobby(), after, 3_000).unwrap();
        for event in events {
            after += 1;
            assert_eq!(event.place(), Some((&RoomId::lobby(), after)));
        }
        answers += 1;
    }
    assert!((2..10).contains(&answers), "{answers}");
}

/// The folder's files, all together.
fn files(folder: &Temporary) -> Vec<u8> {
    let paths = std::fs::read_dir(&folder.0).unwrap().map(|file| file.unwrap().path());
    paths.flat_map(|path| std::fs::read(path).unwrap()).collect()
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn what_is_deleted_is_gone_from_every_answer_and_from_the_files() {
    let folder = Temporary::new();
    let mut log = folder.log();
    let author = guest(1);
    let long = format!("first secret {}", "a".repeat(9_000));
    record(
        &mut log,
        [
            say(&author, &long, Some("n1")),
            change(&author, "lobby", 1, "n2", Op::Edit(Some("second secret".into()))),
            change(&author, "lobby", 1, "n3", Op::React("👍".into())),
            change(&author, "lobby", 1, "n4", Op::Edit(Some("third secret".into()))),
            say(&author, "kept", None),
        ],
    );
    log.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    assert!(has(&files(&folder), "first secret") && has(&files(&folder), "second secret"));
    record(&mut log, [change(&author, "lobby", 1, "n5", Op::Delete)]);
    log.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let bytes = files(&folder);
    assert!(has(&bytes, "kept"));
    assert!(!has(&bytes, "secret") && !has(&bytes, "aaaaaaaa"));

    let reader = log.reader().unwrap();
    let messages = reader.page(&ask(Part::Newest, 9)).unwrap().messages;
    let deleted = &messages[0];
    assert!(deleted.is_deleted() && deleted.reactions.is_empty());
    assert_eq!((deleted.rev, &deleted.edits[..]), (6, &[2, 4][..]));
    for event in reader.events(&RoomId::lobby(), 0, 4).unwrap() {
        match event {
            Event::Message(message) => assert_eq!(message.text, None),
            Event::Changed(change) if change.seq == 3 => assert_eq!(change.m, 1),
            Event::Changed(change) => assert_eq!(change.op, Op::Edit(None)),
            other => panic!("{other:?}"),
        }
    }
    log.verify().unwrap();

    // A retry gives the first result all the same, and something else under its nonce doesn't.
    drop(log);
    let mut log = folder.log();
    let again = [
        say(&author, &long, Some("n1")),
        change(&author, "lobby", 1, "n2", Op::Edit(Some("second secret".into()))),
        change(&author, "lobby", 1, "n5", Op::Delete),
        say(&author, "something else", Some("n1")),
        change(&author, "lobby", 1, "n6", Op::Edit(Some("x".into()))),
    ];
    let outcomes = log.append(again.into(), 9).unwrap();
    let first = |outcome: &crate::Outcome| match outcome {
        Ok(Decision::Repeated(first)) => (first.seq, first.at),
        other => panic!("{other:?}"),
    };
    assert_eq!(outcomes[..3].iter().map(first).collect::<Vec<_>>(), [(1, 1), (2, 2), (6, 5)]);
    assert_eq!(outcomes[3..], [Err(Refusal::NonceReused), Err(Refusal::Gone)]);
}

#[test]
fn how_far_somebody_read_and_who_is_called_outlives_a_restart_at_any_place() {
    let folder = Temporary::new();
    let mut log = folder.log();
    let said = |author: &Author, text: &str| say(author, text, None);
    let read = |author: &Author, seq| {
        let room = RoomId::lobby();
        Entry { author: author.clone(), command: Command::Read { room, seq } }
    };
    let mut entries = vec![register(1), register(2), register(3)];
    for _ in 0..30 {
        entries.extend([
            said(&user(1), "@user2 @user3"),
            said(&user(1), "hm"),
            said(&user(2), "@user1"),
        ]);
    }
    entries.push(read(&user(3), 50));
    entries.extend([said(&user(1), "@user3"), said(&user(3), "@user1 @user2")]);
    entries.extend([said(&user(1), "@user3"), read(&user(2), 10_000)]);
    for (entry, now) in entries.into_iter().zip(1..) {
        log.append(vec![entry], now).unwrap();
        let before = log.state().clone();
        drop(log);
        log = folder.log();
        assert_eq!(*log.state(), before);
    }
    let lobby = RoomId::lobby();
    let mentions = [1, 2, 3].map(|number| log.state().mentions(&user(number).user, &lobby));
    assert_eq!(mentions, [0, 0, 1]);
    assert_eq!(log.state().read(&user(2).user, &lobby).n, 93);
}

#[test]
fn a_nonce_is_its_authors_own_and_known_for_ever() {
    let folder = Temporary::new();
    let mut log = folder.log();
    record(&mut log, [say(&guest(1), "x", Some("n")), say(&guest(2), "y", Some("n"))]);
    drop(log);
    let mut log = folder.log();
    let outcomes = log.append(vec![say(&guest(2), "y", Some("n"))], 3).unwrap();
    assert!(matches!(&outcomes[0], Ok(Decision::Repeated(first)) if first.seq == 2));
    let room = RoomId::lobby();
    let (nonce, reply) = (Some(Nonce::new("n")), Some(1));
    let command = Command::Send { room, nonce, text: "y".into(), reply };
    let reply = Entry { author: guest(2), command };
    assert_eq!(log.append(vec![reply], 4).unwrap(), [Err(Refusal::NonceReused)]);
}
