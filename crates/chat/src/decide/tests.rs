use super::*;
use crate::command::{Role, Target};
use crate::event::Mention;
use crate::state::Post;
use std::collections::HashMap;

/// A log that keeps everything in maps.
#[derive(Default)]
struct Log {
    state: State,
    accepted: HashMap<(UserId, Nonce), Accepted>,
    messages: HashMap<(RoomId, u64), Current>,
    at: u64,
}

impl Lookup for Log {
    fn accepted(&self, author: &UserId, nonce: &Nonce) -> Option<Accepted> {
        self.accepted.get(&(author.clone(), nonce.clone())).cloned()
    }

    fn message(&self, room: &RoomId, m: u64) -> Option<Current> {
        self.messages.get(&(room.clone(), m)).cloned()
    }

    fn messages_up_to(&self, room: &RoomId, seq: u64) -> u64 {
        self.messages.keys().filter(|(of, m)| of == room && *m <= seq).count() as u64
    }

    /// Two at a time.
    fn written_by(&self, author: &UserId, from: Option<&(RoomId, u64)>) -> Written {
        let written = self.messages.iter().filter(|(place, current)| {
            current.message.by == *author
                && !current.is_deleted()
                && from.is_none_or(|from| *place >= from)
        });
        let mut messages: Vec<_> = written.map(|(place, _)| place.clone()).collect();
        messages.sort();
        let next = messages.get(2).cloned();
        messages.truncate(2);
        Written { messages, next }
    }
}

impl Log {
    /// Judges and, like a log, applies and remembers.
    fn decide(&mut self, author: &Author, command: Command) -> Result<Decision, Refusal> {
        let entry = Entry { author: author.clone(), command };
        let decision = decide(&self.state, self, &entry, self.at)?;
        for event in decision.events() {
            self.state.apply(event);
            if let Some((by, nonce, fingerprint)) = fingerprint::of_event(event)
                && let (Some((room, seq)), Some(at)) = (event.place(), event.at())
            {
                let accepted = Accepted { room: room.clone(), seq, at, fingerprint };
                self.accepted.insert((by.clone(), nonce.clone()), accepted);
            }
            match event {
                Event::Message(message) => {
                    let place = (message.room.clone(), message.seq);
                    self.messages.insert(place, Current::new(message.clone()));
                }
                Event::Changed(change) => {
                    let place = (change.room.clone(), change.m);
                    self.messages.get_mut(&place).unwrap().apply(change);
                }
                _ => {}
            }
        }
        Ok(decision)
    }

    /// The `seq` that a command came to.
    #[track_caller]
    fn seq(&mut self, author: &Author, command: Command) -> Result<u64, Refusal> {
        self.decide(author, command).map(|decision| match decision {
            Decision::New(event) => event.place().map_or(0, |(_, seq)| seq),
            Decision::Repeated(first) => first.seq,
            Decision::So { seq } => seq,
            other => panic!("{other:?}"),
        })
    }

    #[track_caller]
    fn user(&mut self, name: &str) -> Author {
        let mut key = [0; 32];
        key[..name.len()].copy_from_slice(name.as_bytes());
        let register = Command::Register { key: KeyHash(key), name: name.into() };
        let user = match self.decide(&guest("nobody"), register).unwrap() {
            Decision::New(Event::Registered { user, .. }) | Decision::Known(user) => user,
            other => panic!("{other:?}"),
        };
        Author { user, ..guest(name) }
    }

    #[track_caller]
    fn room(&mut self, maker: &Author, kind: Kind, others: &[&Author]) -> RoomId {
        let name = (kind != Kind::Direct).then(|| format!("{kind:?}").into());
        let members = others.iter().map(|other| other.user.clone()).collect();
        let history = History::Joining;
        let create = Command::Create { kind, name, members, history, nonce: None };
        match self.decide(maker, create).unwrap() {
            Decision::New(event) => event.place().unwrap().0.clone(),
            Decision::Exists(room) => room,
            other => panic!("{other:?}"),
        }
    }
}

fn guest(name: &str) -> Author {
    Author {
        user: UserId::new(name),
        name: name.into(),
        role: Role::Guest,
        address: Some([10, 0, 0, 7].into()),
    }
}

fn operator() -> Author {
    Author {
        user: UserId::new("operator"),
        name: "Administrator".into(),
        role: Role::Operator,
        address: None,
    }
}

fn say_in(room: &RoomId, text: &str, nonce: Option<&str>) -> Command {
    let (room, nonce) = (room.clone(), nonce.map(Nonce::new));
    Command::Send { room, nonce, text: text.into(), reply: None }
}

fn say(text: &str, nonce: Option<&str>) -> Command {
    say_in(&RoomId::lobby(), text, nonce)
}

fn change(m: u64, nonce: &str, op: Op) -> Command {
    Command::Change { room: RoomId::lobby(), m, nonce: Nonce::new(nonce), op }
}

fn admit(room: &RoomId, whom: &Author) -> Command {
    Command::Admit { room: room.clone(), user: whom.user.clone() }
}

fn remove(room: &RoomId, whom: &Author) -> Command {
    Command::Remove { room: room.clone(), user: whom.user.clone() }
}

#[test]
fn messages_are_numbered_from_one_with_no_hole() {
    let mut log = Log::default();
    for seq in 1..=5 {
        assert_eq!(log.seq(&guest("a"), say("hi", None)), Ok(seq));
    }
    assert_eq!(log.state.room(&RoomId::lobby()).unwrap().head, 5);
}

#[test]
fn the_same_nonce_gives_the_first_result_and_another_text_is_refused() {
    let mut log = Log::default();
    assert_eq!(log.seq(&guest("a"), say("hi", Some("n1"))), Ok(1));
    assert_eq!(log.seq(&guest("a"), say("there", Some("n2"))), Ok(2));
    assert_eq!(log.seq(&guest("a"), say("hi", Some("n1"))), Ok(1));
    assert_eq!(log.seq(&guest("a"), say("other", Some("n1"))), Err(Refusal::NonceReused));
    assert_eq!(log.seq(&guest("b"), say("hi", Some("n1"))), Ok(3), "a nonce is its author's own");
}

#[test]
fn the_first_result_stays_when_the_message_is_deleted_or_its_author_muted() {
    let mut log = Log::default();
    let a = guest("a");
    assert_eq!(log.seq(&a, say("hi", Some("n"))), Ok(1));
    assert_eq!(log.seq(&a, change(1, "e", Op::Edit(Some("hey".into())))), Ok(2));
    assert_eq!(log.seq(&a, change(1, "d", Op::Delete)), Ok(3));
    let target = Target::User(a.user.clone());
    log.decide(&operator(), Command::Mute { target, minutes: None }).unwrap();
    assert_eq!(log.seq(&a, say("hi", Some("n"))), Ok(1));
    assert_eq!(log.seq(&a, change(1, "e", Op::Edit(Some("hey".into())))), Ok(2));
    assert_eq!(log.seq(&a, change(1, "d", Op::Delete)), Ok(3));
    assert_eq!(log.seq(&a, change(1, "e", Op::Delete)), Err(Refusal::NonceReused));
}

#[test]
fn a_refused_nonce_may_be_tried_again() {
    let mut log = Log { at: 10, ..Log::default() };
    let mute = Command::Mute { target: Target::User(UserId::new("a")), minutes: Some(1) };
    log.decide(&operator(), mute).unwrap();
    log.at = 50;
    let refused = log.seq(&guest("a"), say("hi", Some("n")));
    assert_eq!(refused, Err(Refusal::Muted { until: Some(60_010) }));
    log.at = 60_010;
    assert_eq!(log.seq(&guest("a"), say("hi", Some("n"))), Ok(1));
}

#[test]
fn a_banned_address_may_not_write_and_an_unbanned_one_may() {
    let mut log = Log::default();
    let address = [10, 0, 0, 7].into();
    log.decide(&operator(), Command::Ban { address, minutes: None }).unwrap();
    assert_eq!(log.seq(&guest("a"), say("hi", None)), Err(Refusal::Banned));
    log.decide(&operator(), Command::Unban { address }).unwrap();
    let again = log.decide(&operator(), Command::Unban { address });
    assert_eq!(again, Err(Refusal::NotFound));
    assert_eq!(log.seq(&guest("a"), say("hi", None)), Ok(1));
}

#[test]
fn a_guest_may_not_do_what_is_the_operators() {
    let address = [10, 0, 0, 8].into();
    let target = Target::Address(address);
    for command in [
        Command::Ban { address, minutes: None },
        Command::Unban { address },
        Command::Mute { target: target.clone(), minutes: None },
        Command::Unmute { target },
    ] {
        assert_eq!(Log::default().decide(&guest("a"), command), Err(Refusal::Forbidden));
    }
}

#[test]
fn a_room_that_is_not_there_is_not_made_by_talking_to_it() {
    let refused = Log::default().seq(&operator(), say_in(&RoomId::new("attic"), "boo", None));
    assert_eq!(refused, Err(Refusal::NotFound));
}

#[test]
fn a_key_is_a_user_and_a_name_is_one_users() {
    let mut log = Log::default();
    let anna = log.user("Anna");
    assert_eq!(log.user("Anna").user, anna.user, "the same key");
    let taken = Command::Register { key: KeyHash([9; 32]), name: "ａｎｎａ".into() };
    let refused = log.decide(&guest("?"), taken);
    assert_eq!(refused, Err(Refusal::NameTaken { suggest: "ａｎｎａ2".into() }));
}

#[test]
fn only_its_author_edits_a_message_and_only_an_owner_deletes_anothers() {
    let mut log = Log::default();
    let (a, b) = (log.user("a"), log.user("b"));
    log.seq(&a, say("hi", None)).unwrap();
    let edit = |nonce| change(1, nonce, Op::Edit(Some("ho".into())));
    assert_eq!(log.seq(&b, edit("1")), Err(Refusal::Forbidden));
    assert_eq!(log.seq(&operator(), edit("1")), Err(Refusal::Forbidden));
    assert_eq!(log.seq(&b, change(1, "2", Op::Delete)), Err(Refusal::Forbidden));
    assert_eq!(log.seq(&a, edit("3")), Ok(2));
    assert_eq!(log.seq(&a, edit("4")), Ok(2), "it says so already");
    assert_eq!(log.seq(&operator(), change(1, "5", Op::Delete)), Ok(3));
    assert_eq!(log.seq(&a, change(1, "6", Op::Delete)), Ok(3), "it is so already");
    assert_eq!(log.seq(&a, edit("7")), Err(Refusal::Gone));
    assert_eq!(log.seq(&a, change(2, "8", Op::Delete)), Err(Refusal::NotFound), "no message");
    assert_eq!(log.seq(&a, change(9, "8", Op::Delete)), Err(Refusal::NotFound));
}

#[test]
fn a_reaction_is_there_once_and_goes_once() {
    let mut log = Log::default();
    let (a, b) = (log.user("a"), log.user("b"));
    log.seq(&a, say("hi", None)).unwrap();
    let react = |nonce| change(1, nonce, Op::React("👍".into()));
    assert_eq!(log.seq(&a, react("1")), Ok(2));
    assert_eq!(log.seq(&a, react("2")), Ok(2));
    assert_eq!(log.seq(&b, react("1")), Ok(3));
    assert_eq!(log.seq(&a, change(1, "3", Op::Unreact("👍".into()))), Ok(4));
    assert_eq!(log.seq(&a, change(1, "4", Op::Unreact("👍".into()))), Ok(4));
    let current = log.message(&RoomId::lobby(), 1).unwrap();
    assert_eq!(current.reactions, [("👍".into(), vec![b.user.clone()])]);
    for number in 0..REACTIONS_MAX as u64 - 1 {
        let emoji = char::from_u32(0x1f600 + number as u32).unwrap().to_string();
        log.seq(&a, change(1, &format!("r{number}"), Op::React(emoji.into()))).unwrap();
    }
    let one_more = log.seq(&a, change(1, "z", Op::React("🐢".into())));
    assert_eq!(one_more, Err(Refusal::Full("reactions")));
}

#[test]
fn a_private_room_is_not_there_for_others() {
    let mut log = Log::default();
    let (a, b, c) = (log.user("a"), log.user("b"), log.user("c"));
    let room = log.room(&a, Kind::Private, &[]);
    for command in [say_in(&room, "hi", None), admit(&room, &b), remove(&room, &a)] {
        assert_eq!(log.decide(&b, command), Err(Refusal::NotFound));
    }
    assert_eq!(log.seq(&a, admit(&room, &b)), Ok(2));
    assert_eq!(log.seq(&b, admit(&room, &c)), Ok(3), "a member may invite");
    assert_eq!(log.seq(&c, remove(&room, &b)), Err(Refusal::Forbidden));
    assert_eq!(log.seq(&a, remove(&room, &b)), Ok(4));
    assert_eq!(log.seq(&b, say_in(&room, "hi", None)), Err(Refusal::NotFound));
    assert_eq!(log.seq(&operator(), say_in(&room, "hi", None)), Err(Refusal::NotFound));
}

#[test]
fn history_begins_where_a_member_joined() {
    let mut log = Log::default();
    let (a, b) = (log.user("a"), log.user("b"));
    let room = log.room(&a, Kind::Public, &[]);
    log.seq(&a, say_in(&room, "before", None)).unwrap();
    assert_eq!(log.seq(&b, admit(&room, &b)), Ok(3));
    assert_eq!(log.state.membership(&room, &b.user).unwrap().first, 3);
    let reply =
        |m| Command::Send { room: room.clone(), nonce: None, text: "re".into(), reply: Some(m) };
    assert_eq!(log.seq(&b, reply(2)), Err(Refusal::NotFound));
    assert_eq!(log.seq(&a, reply(2)), Ok(4));
    assert_eq!(log.seq(&b, reply(4)), Ok(5));
}

#[test]
fn the_maker_owns_a_room_and_it_never_lacks_an_owner() {
    let mut log = Log::default();
    let (a, b, c) = (log.user("a"), log.user("b"), log.user("c"));
    let room = log.room(&a, Kind::Public, &[&b]);
    log.seq(&c, admit(&room, &c)).unwrap();
    let topic =
        |text: &str| Command::Set { room: room.clone(), setting: Setting::Topic(text.into()) };
    assert_eq!(log.seq(&b, topic("x")), Err(Refusal::Forbidden));
    assert_eq!(log.seq(&a, topic("x")), Ok(3));
    assert_eq!(log.seq(&a, topic("x")), Ok(3), "it is so already");
    assert_eq!(log.seq(&a, remove(&room, &a)), Ok(4));
    assert_eq!(log.seq(&b, topic("y")), Ok(5), "who was there longest owns it now");
    let demote =
        Command::Appoint { room: room.clone(), user: b.user.clone(), member: Member::Member };
    assert_eq!(log.seq(&b, demote), Err(Refusal::Forbidden), "the last one");
    let archive =
        |archived| Command::Set { room: room.clone(), setting: Setting::Archived(archived) };
    assert_eq!(log.seq(&b, archive(true)), Ok(6));
    assert_eq!(log.seq(&b, say_in(&room, "hi", None)), Err(Refusal::Archived));
    assert_eq!(log.seq(&b, archive(false)), Ok(7));
    assert_eq!(log.seq(&b, say_in(&room, "hi", None)), Ok(8));
}

#[test]
fn only_owners_write_where_announcements_are_made() {
    let mut log = Log::default();
    let (a, b) = (log.user("a"), log.user("b"));
    let room = log.room(&a, Kind::Announcement, &[]);
    log.seq(&b, admit(&room, &b)).unwrap();
    assert_eq!(log.seq(&b, say_in(&room, "hi", None)), Err(Refusal::Forbidden));
    assert_eq!(log.seq(&a, say_in(&room, "hear, hear", None)), Ok(3));
    let setting = Setting::Post(Post::Everybody);
    log.seq(&a, Command::Set { room: room.clone(), setting }).unwrap();
    assert_eq!(log.seq(&b, say_in(&room, "hi", None)), Ok(5));
}

#[test]
fn the_same_people_have_one_direct_message() {
    let mut log = Log::default();
    let (a, b, c) = (log.user("a"), log.user("b"), log.user("c"));
    let room = log.room(&a, Kind::Direct, &[&b]);
    assert_eq!(log.room(&b, Kind::Direct, &[&a]), room);
    assert_ne!(log.room(&b, Kind::Direct, &[&a, &c]), room);
    assert_eq!(log.seq(&a, admit(&room, &c)), Err(Refusal::Forbidden));
    assert_eq!(log.seq(&a, remove(&room, &a)), Err(Refusal::Forbidden));
    assert_eq!(log.seq(&b, say_in(&room, "hi", None)), Ok(2));
}

#[test]
fn the_same_nonce_for_other_people_is_no_repetition() {
    let mut log = Log::default();
    let [a, b, c] = ["a", "b", "c"].map(|name| log.user(name));
    let create = |kind: Kind, others: &[&Author]| Command::Create {
        kind,
        name: (kind != Kind::Direct).then(|| "x".into()),
        members: others.iter().map(|other| other.user.clone()).collect(),
        history: History::All,
        nonce: Some(Nonce::new("n")),
    };
    let first = log.seq(&a, create(Kind::Direct, &[&b])).unwrap();
    assert_eq!(log.seq(&a, create(Kind::Direct, &[&a, &b, &b])), Ok(first));
    // What was meant for c would be said to b.
    assert_eq!(log.seq(&a, create(Kind::Direct, &[&c])), Err(Refusal::NonceReused));
    let first = log.seq(&b, create(Kind::Private, &[&a, &c])).unwrap();
    assert_eq!(log.seq(&b, create(Kind::Private, &[&c, &a])), Ok(first));
    assert_eq!(log.seq(&b, create(Kind::Private, &[&c])), Err(Refusal::NonceReused));
}

#[test]
fn a_name_calls_a_member_and_everybody_is_called_by_right_and_not_often() {
    let mut log = Log { at: 1_000_000, ..Log::default() };
    let (minsu, ann, anna) = (log.user("민수"), log.user("Ann"), log.user("anna"));
    let called = |log: &mut Log, author: &Author, room: &RoomId, text: &str| match log
        .decide(author, say_in(room, text, None))
        .unwrap()
    {
        Decision::New(Event::Message(message)) => message.mentions,
        other => panic!("{other:?}"),
    };
    let lobby = RoomId::lobby();
    let user = |author: &Author| Mention::User(author.user.clone());
    for (text, whom) in [
        ("@민수님 안녕", vec![user(&minsu)]),
        ("안녕 @ANN, @anna!", vec![user(&ann), user(&anna)]),
        ("@annas mail@ann.example @nobody @", vec![]),
        ("@room @here", vec![]),
        ("@ann @ann", vec![user(&ann)]),
    ] {
        assert_eq!(called(&mut log, &ann, &lobby, text), whom, "{text}");
    }
    assert_eq!(log.state.mentions(&minsu.user, &lobby), 1);
    assert_eq!(called(&mut log, &operator(), &lobby, "@room hear"), [Mention::Room]);
    assert_eq!(log.state.mentions(&minsu.user, &lobby), 2);
    assert_eq!(called(&mut log, &operator(), &lobby, "@here again"), []);
    log.at += CALL_MS;
    assert_eq!(called(&mut log, &operator(), &lobby, "@here again"), [Mention::Here]);
    let read = Command::Read { room: lobby.clone(), seq: 99 };
    log.decide(&minsu, read).unwrap();
    assert_eq!(log.state.mentions(&minsu.user, &lobby), 0);
    let private = log.room(&ann, Kind::Private, &[]);
    assert_eq!(called(&mut log, &ann, &private, "@민수"), [], "isn't there");
}

#[test]
fn what_was_read_only_grows_and_writing_is_reading() {
    let mut log = Log::default();
    let (a, b) = (log.user("a"), log.user("b"));
    let lobby = RoomId::lobby();
    for _ in 0..3 {
        log.seq(&a, say("hi", None)).unwrap();
    }
    assert_eq!(log.state.read(&a.user, &lobby), Read { seq: 3, n: 3 });
    let read = |log: &mut Log, seq| log.decide(&b, Command::Read { room: lobby.clone(), seq });
    let at_two = Event::Read { user: b.user.clone(), room: lobby.clone(), seq: 2, n: 2 };
    assert_eq!(read(&mut log, 2), Ok(Decision::New(at_two)));
    assert_eq!(read(&mut log, 1), Ok(Decision::So { seq: 2 }));
    assert_eq!(log.state.read(&b.user, &lobby), Read { seq: 2, n: 2 });
}

/// A program with a webhook of a room.
#[track_caller]
fn hooked(log: &mut Log, owner: &Author, room: &RoomId, name: &str, key: u8) -> Author {
    let hook = Command::Hook { room: room.clone(), name: name.into(), key: KeyHash([key; 32]) };
    match log.decide(owner, hook).unwrap() {
        Decision::New(Event::Hooked { hook, name, .. }) => {
            Author { user: hook, role: Role::Hook, ..guest(&name) }
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_webhook_writes_into_its_own_room_and_does_nothing_else() {
    let mut log = Log::default();
    let owner = log.user("owner");
    let room = log.room(&owner, Kind::Announcement, &[]);
    let other = log.room(&owner, Kind::Public, &[]);
    let hook = hooked(&mut log, &owner, &room, "ci", 1);
    let m = log.seq(&hook, say_in(&room, "done", Some("n"))).unwrap();
    assert_eq!(log.seq(&hook, say("x", None)), Err(Refusal::NotFound), "not even the lobby");
    assert_eq!(log.seq(&hook, say_in(&other, "x", None)), Err(Refusal::NotFound));
    let own = Command::Change { room: room.clone(), m, nonce: Nonce::new("d"), op: Op::Delete };
    assert_eq!(log.seq(&hook, own), Err(Refusal::Forbidden));
    assert_eq!(log.seq(&hook, admit(&other, &hook)), Err(Refusal::Forbidden));
    let unhook = Command::Unhook { room: room.clone(), hook: hook.user.clone() };
    let elsewhere = Command::Unhook { room: other.clone(), hook: hook.user.clone() };
    assert_eq!(log.seq(&hook, unhook.clone()), Err(Refusal::Forbidden));
    assert_eq!(log.seq(&owner, elsewhere), Err(Refusal::NotFound));
    assert!(log.decide(&owner, unhook.clone()).is_ok());
    assert_eq!(log.seq(&owner, unhook), Err(Refusal::NotFound));
    assert_eq!(log.seq(&hook, say_in(&room, "late", None)), Err(Refusal::NotFound));
    assert_eq!(log.seq(&hook, say_in(&room, "done", Some("n"))), Ok(m), "what was said stays so");
    let next = hooked(&mut log, &owner, &room, "ci", 1);
    assert_ne!(next.user, hook.user, "an id is given once");
}

#[test]
fn who_is_muted_does_not_write_by_a_webhook_of_its_own_either() {
    let mut log = Log::default();
    let owner = log.user("owner");
    let room = log.room(&owner, Kind::Public, &[]);
    let hook = hooked(&mut log, &owner, &room, "ci", 1);
    let target = Target::User(owner.user.clone());
    log.decide(&operator(), Command::Mute { target: target.clone(), minutes: None }).unwrap();
    let muted = Err(Refusal::Muted { until: None });
    assert_eq!(log.seq(&hook, say_in(&room, "x", None)), muted);
    log.decide(&operator(), Command::Unmute { target }).unwrap();
    assert!(log.seq(&hook, say_in(&room, "x", None)).is_ok());
}

#[test]
fn a_webhook_has_no_persons_name_and_no_person_a_webhooks() {
    let mut log = Log::default();
    let owner = log.user("owner");
    let room = log.room(&owner, Kind::Public, &[]);
    log.user("Minsu");
    let hook = Command::Hook { room: room.clone(), name: "minsu".into(), key: KeyHash([1; 32]) };
    let suggest = "minsu2".to_owned();
    assert_eq!(log.decide(&owner, hook), Err(Refusal::NameTaken { suggest }));
    let hook = hooked(&mut log, &owner, &room, "ci", 1);
    let register = Command::Register { key: KeyHash([9; 32]), name: "CI".into() };
    let suggest = "CI2".to_owned();
    assert_eq!(log.decide(&guest("x"), register.clone()), Err(Refusal::NameTaken { suggest }));
    let unhook = Command::Unhook { room, hook: hook.user };
    assert!(log.decide(&owner, unhook).is_ok());
    assert!(log.decide(&guest("x"), register).is_ok());
}

#[test]
fn the_operator_administers_private_rooms_without_reading_them_and_no_direct_ones() {
    let mut log = Log::default();
    let (anna, bob) = (log.user("anna"), log.user("bob"));
    let private = log.room(&anna, Kind::Private, &[&bob]);
    let direct = log.room(&anna, Kind::Direct, &[&bob]);
    let said = |room: &RoomId| Command::Send {
        room: room.clone(),
        nonce: None,
        text: "x".into(),
        reply: None,
    };
    for room in [&private, &direct] {
        assert_eq!(log.decide(&operator(), said(room)), Err(Refusal::NotFound));
    }
    let owner = |room: &RoomId| Command::Appoint {
        room: room.clone(),
        user: bob.user.clone(),
        member: Member::Owner,
    };
    let remove = |room: &RoomId| Command::Remove { room: room.clone(), user: anna.user.clone() };
    let archive =
        |room: &RoomId| Command::Set { room: room.clone(), setting: Setting::Archived(true) };
    for command in [owner(&direct), remove(&direct), archive(&direct)] {
        assert_eq!(log.decide(&operator(), command), Err(Refusal::NotFound));
    }
    // A member who isn't an owner may none of it, and the operator all.
    for command in [owner(&private), remove(&private), archive(&private)] {
        assert_eq!(log.decide(&bob, command), Err(Refusal::Forbidden));
    }
    for command in [owner(&private), remove(&private), archive(&private)] {
        assert!(matches!(log.decide(&operator(), command), Ok(Decision::New(_))));
    }
    assert!(log.state.room(&private).unwrap().archived);
    assert!(log.state.membership(&private, &anna.user).is_none());
}

#[test]
fn a_room_the_operator_makes_is_others_and_it_starts_no_direct_message() {
    let mut log = Log::default();
    let anna = log.user("anna");
    let room = log.room(&operator(), Kind::Private, &[]);
    assert!(log.state.room(&room).unwrap().members.is_empty());
    let admit = Command::Admit { room: room.clone(), user: anna.user.clone() };
    assert_eq!(log.decide(&anna, admit.clone()), Err(Refusal::NotFound));
    assert!(matches!(log.decide(&operator(), admit), Ok(Decision::New(_))));
    let direct = Command::Create {
        kind: Kind::Direct,
        name: None,
        members: vec![anna.user.clone()],
        history: History::All,
        nonce: None,
    };
    assert_eq!(log.decide(&operator(), direct), Err(Refusal::Forbidden));
}
