//! The two logs judge, record and answer alike.

use super::Temporary;
use crate::rows::{Ask, Part, Rows};
use crate::tests::{entry, guest, operator, register, say, say_in, user};
use crate::{Log, Memory, Reader};
use damso_chat::state::{History, Kind, Post};
use damso_chat::{Author, Command, Entry, KeyHash, Member, Op, Role, Setting, Target};
use damso_protocol::{Nonce, RoomId, UserId};
use proptest::prelude::*;
use std::net::IpAddr;

fn any_author() -> impl Strategy<Value = Author> {
    prop_oneof![
        2 => Just(operator()),
        1 => Just(guest(9)),
        // Mostly one, so that many a change is of the author's own.
        8 => Just(user(1)),
        4 => (2_u8..4).prop_map(user),
        2 => any_program(),
    ]
}

fn any_user() -> impl Strategy<Value = UserId> {
    (1_u8..5).prop_map(|number| user(number).user)
}

fn any_hook() -> impl Strategy<Value = UserId> {
    (1_u8..4).prop_map(|number| UserId::new(format!("w{number}")))
}

/// A program, or what was one.
fn any_program() -> impl Strategy<Value = Author> {
    any_hook().prop_map(|user| Author { user, name: "ci".into(), role: Role::Hook, address: None })
}

fn any_room() -> impl Strategy<Value = RoomId> {
    prop_oneof![
        8 => Just("lobby"),
        4 => Just("r1"),
        1 => Just("r2"),
        1 => Just("d-u1-u2"),
    ]
    .prop_map(RoomId::new)
}

fn any_nonce() -> impl Strategy<Value = Nonce> {
    (0_u8..120).prop_map(|number| Nonce::new(format!("n{number}")))
}

fn any_text() -> impl Strategy<Value = std::sync::Arc<str>> {
    prop_oneof![
        Just("하나"),
        Just("@user1 둘"),
        Just("@user2님, @user3"),
        Just("@room 모두"),
        Just("@here"),
        Just(""),
    ]
    .prop_map(Into::into)
}

fn any_op() -> impl Strategy<Value = Op> {
    let emoji = prop_oneof![Just("👍"), Just("👎")].prop_map(std::sync::Arc::from);
    prop_oneof![
        3 => any_text().prop_map(|text| Op::Edit(Some(text))),
        1 => Just(Op::Delete),
        2 => emoji.clone().prop_map(Op::React),
        1 => emoji.prop_map(Op::Unreact),
        1 => Just(Op::Pin),
        1 => Just(Op::Unpin),
    ]
}

fn any_setting() -> impl Strategy<Value = Setting> {
    prop_oneof![
        any_text().prop_map(Setting::Topic),
        prop_oneof![Just("회의"), Just("잡담")].prop_map(|name| Setting::Name(name.into())),
        any::<bool>().prop_map(|owners| {
            Setting::Post(if owners { Post::Owners } else { Post::Everybody })
        }),
        // Rarely for good.
        prop_oneof![Just(false), Just(false), Just(true)].prop_map(Setting::Archived),
    ]
}

/// Commands in a room.
fn any_talk() -> impl Strategy<Value = Command> {
    let send = (
        any_room(),
        prop::option::weighted(0.8, any_nonce()),
        any_text(),
        prop::option::weighted(0.2, 1_u64..12),
    );
    prop_oneof![
        6 => send.prop_map(|(room, nonce, text, reply)| Command::Send { room, nonce, text, reply }),
        12 => (any_room(), 1_u64..8, any_nonce(), any_op())
            .prop_map(|(room, m, nonce, op)| Command::Change { room, m, nonce, op }),
        3 => (any_room(), 0_u64..20).prop_map(|(room, seq)| Command::Read { room, seq }),
    ]
}

/// Commands about rooms, members and the site.
fn any_rule() -> impl Strategy<Value = Command> {
    let kind = prop_oneof![
        Just((Kind::Public, Some("회의"))),
        Just((Kind::Public, Some("잡담"))),
        Just((Kind::Private, Some("비밀"))),
        Just((Kind::Announcement, Some("소식"))),
        Just((Kind::Direct, None)),
    ];
    let history = prop_oneof![Just(History::All), Just(History::Joining)];
    let create =
        (kind, prop::collection::vec(any_user(), 0..3), history, prop::option::of(any_nonce()));
    let role = prop_oneof![Just(Member::Member), Just(Member::Owner)];
    let minutes = prop::option::of(0_u64..2);
    let address = (1_u8..4).prop_map(|last| IpAddr::from([10, 0, 0, last]));
    let target =
        prop_oneof![any_user().prop_map(Target::User), address.clone().prop_map(Target::Address),];
    let hook = (any_room(), prop_oneof![Just("ci"), Just("user2")], 0_u8..9);
    prop_oneof![
        1 => hook.prop_map(|(room, name, key)| {
            Command::Hook { room, name: name.into(), key: KeyHash([key; 32]) }
        }),
        1 => (any_room(), any_hook()).prop_map(|(room, hook)| Command::Unhook { room, hook }),
        2 => create.prop_map(|((kind, name), members, history, nonce)| {
            Command::Create { kind, name: name.map(Into::into), members, history, nonce }
        }),
        4 => (any_room(), any_user()).prop_map(|(room, user)| Command::Admit { room, user }),
        3 => (any_room(), any_user()).prop_map(|(room, user)| Command::Remove { room, user }),
        1 => (any_room(), any_user(), role)
            .prop_map(|(room, user, member)| Command::Appoint { room, user, member }),
        2 => (any_room(), any_setting()).prop_map(|(room, setting)| Command::Set { room, setting }),
        1 => (address.clone(), minutes.clone())
            .prop_map(|(address, minutes)| Command::Ban { address, minutes }),
        1 => address.prop_map(|address| Command::Unban { address }),
        1 => (target.clone(), minutes)
            .prop_map(|(target, minutes)| Command::Mute { target, minutes }),
        1 => target.prop_map(|target| Command::Unmute { target }),
        1 => (any_user(), prop::option::of((any_room(), 1_u64..8)))
            .prop_map(|(user, from)| Command::Erase { user, from }),
    ]
}

/// What comes next to the logs.
#[derive(Clone, Debug)]
enum Step {
    New(Entry),
    /// One of those before, once more.
    Again(prop::sample::Index),
}

fn any_step() -> impl Strategy<Value = Step> {
    let say = (any_text(), any_nonce())
        .prop_map(|(text, nonce)| say(&user(1), &text, Some(nonce.as_str())));
    prop_oneof![
        6 => say.prop_map(Step::New),
        12 => (any_author(), any_talk())
            .prop_map(|(author, command)| Step::New(entry(&author, command))),
        4 => (any_author(), any_rule())
            .prop_map(|(author, command)| Step::New(entry(&author, command))),
        1 => (1_u8..6).prop_map(|number| Step::New(register(number))),
        3 => any::<prop::sample::Index>().prop_map(Step::Again),
    ]
}

/// Three users, a room of theirs and a few messages, so that what follows has something to be about.
fn beginning() -> Vec<Entry> {
    let name = Some("회의".into());
    let members = vec![user(2).user];
    let (kind, history, nonce) = (Kind::Public, History::All, None);
    let create = Command::Create { kind, name, members, history, nonce };
    let hook = |number: u8, name: &str| {
        let (room, key) = (RoomId::new("r1"), KeyHash([100 + number; 32]));
        entry(&user(1), Command::Hook { room, name: name.into(), key })
    };
    let mut entries = vec![register(1), register(2), register(3), entry(&user(1), create)];
    entries.extend([hook(1, "ci"), hook(2, "감시")]);
    for room in ["lobby", "r1"] {
        entries.extend((0..3).map(|_| say_in(&user(1), room, "처음", None)));
    }
    entries
}

/// Compares all that two logs answer about a room.
fn compare(memory: &Memory, reader: &Reader, room: &RoomId) -> Result<(), TestCaseError> {
    let head = memory.state().room(room).map_or(0, |room| room.head);
    for after in [0, head / 2, head] {
        let (left, right) = (memory.events(room, after, head), reader.events(room, after, head));
        prop_assert_eq!(left.unwrap(), right.unwrap());
    }
    let middle = head / 2;
    let parts = [
        Part::Newest,
        Part::Pinned,
        Part::Before(middle),
        Part::After(middle),
        Part::Around(middle),
        Part::Around(head + 3),
        Part::At(60_000),
        Part::At(u64::MAX),
        Part::After(u64::MAX),
        Part::Before(u64::MAX),
    ];
    for part in parts {
        for (limit, first, head) in [(2, 1, head), (100, 3, head), (3, 0, middle)] {
            let ask = Ask { room: room.clone(), part, limit, first, head };
            let (left, right) = (memory.page(&ask).unwrap(), reader.page(&ask).unwrap());
            prop_assert_eq!(left, right, "{:?}", ask);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The same entries, in any batches and with restarts between them, come to the same outcomes
    /// and the same state on disk and in memory, both answer alike, and the tables say what the
    /// events do.
    #[test]
    fn disk_and_memory_agree(
        batches in prop::collection::vec(
            (prop::collection::vec(any_step(), 1..24), any::<bool>()), 1..8,
        )
    ) {
        let folder = Temporary::new();
        let (mut disk, mut memory) = (folder.log(), Memory::new());
        let mut reader = disk.reader().unwrap();
        let mut before = beginning();
        prop_assert_eq!(
            disk.append(before.clone(), 0).unwrap(), memory.append(before.clone(), 0).unwrap()
        );
        for (number, (steps, restart)) in batches.into_iter().enumerate() {
            let mut batch = Vec::new();
            for step in steps {
                batch.push(match step {
                    Step::New(entry) => entry,
                    Step::Again(index) => index.get(&before).clone(),
                });
                before.extend(batch.last().cloned());
            }
            let now = 30_000 * number as u64;
            let expected = memory.append(batch.clone(), now).unwrap();
            prop_assert_eq!(disk.append(batch, now).unwrap(), expected);
            if restart {
                drop(disk);
                disk = folder.log();
                reader = disk.reader().unwrap();
            }
            prop_assert_eq!(disk.state(), memory.state());
            for room in ["lobby", "r1", "d-u1-u2", "nowhere"] {
                compare(&memory, &reader, &RoomId::new(room))?;
            }
        }
        let verified = disk.verify().unwrap();
        prop_assert_eq!(verified.digest, memory.state().digest());
        prop_assert_eq!(verified.messages, disk.messages());
    }
}
