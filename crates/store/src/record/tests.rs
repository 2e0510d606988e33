use super::*;
use damso_chat::Current;
use damso_chat::state::Room;

fn user(name: &str) -> UserId {
    UserId::new(name)
}

fn message() -> Message {
    Message {
        room: RoomId::lobby(),
        seq: 7,
        n: 5,
        by: user("u1"),
        name: "민수".into(),
        at: 9,
        text: Some("안녕 \"\\\u{0}\u{2028}👩‍👩‍👧".into()),
        reply: Some(3),
        mentions: vec![Mention::User(user("u2")), Mention::Room, Mention::Here],
        nonce: Some(Nonce::new("n-1")),
    }
}

#[test]
fn every_message_comes_back_as_it_was() {
    let plain = Message { reply: None, mentions: Vec::new(), nonce: None, ..message() };
    let deleted = Message { text: None, ..message() };
    for said in [message(), plain, deleted] {
        let mut bytes = Vec::new();
        write_message(&said, &mut bytes);
        assert_eq!(read_message(said.room.clone(), 7, 5, 9, &bytes), Ok(said));
    }
}

#[test]
fn every_event_comes_back_as_it_was() {
    let by = user("operator");
    let address: IpAddr = "::1".parse().unwrap();
    let room = RoomId::new("r1");
    let change = |op| {
        Event::Changed(Change {
            room: RoomId::new("r1"),
            seq: 4,
            m: 2,
            op,
            by: user("u1"),
            name: "민수".into(),
            at: 1,
            nonce: Nonce::new("n-2"),
        })
    };
    let happened = |what| {
        let (by, name) = (user("u1"), "a \"b\"".into());
        Event::Room(RoomEvent { room: room.clone(), seq: 1, by, name, at: 2, what })
    };
    let mut key = [0xa5; 32];
    key[0] = 1;
    let events = [
        change(Op::Edit(Some("둘".into()))),
        change(Op::Edit(None)),
        change(Op::Delete),
        change(Op::React("👍".into())),
        change(Op::Unreact("👍".into())),
        change(Op::Pin),
        change(Op::Unpin),
        happened(What::Created {
            kind: Kind::Announcement,
            name: Some("소식".into()),
            members: vec![user("u1"), user("u2")],
            history: History::Joining,
            nonce: Some(Nonce::new("n-3")),
        }),
        happened(What::Created {
            kind: Kind::Direct,
            name: None,
            members: vec![],
            history: History::All,
            nonce: None,
        }),
        happened(What::Set(Setting::Name("새 이름".into()))),
        happened(What::Set(Setting::Topic("".into()))),
        happened(What::Set(Setting::Post(Post::Owners))),
        happened(What::Set(Setting::Archived(true))),
        happened(What::Joined { user: user("u3") }),
        happened(What::Left { user: user("u3") }),
        happened(What::Appointed { user: user("u3"), member: Member::Owner }),
        Event::Registered { user: user("u9"), name: "이름".into(), key: KeyHash(key), at: 8 },
        Event::Hooked {
            hook: user("w1"),
            room: RoomId::new("r1"),
            name: "지킴이".into(),
            key: KeyHash(key),
            by: by.clone(),
            at: 2,
        },
        Event::Unhooked { hook: user("w1"), by: by.clone(), at: 3 },
        Event::Banned { address, until: Some(8), by: by.clone(), at: 3 },
        Event::Banned { address, until: None, by: by.clone(), at: 3 },
        Event::Unbanned { address, by: by.clone(), at: 4 },
        Event::Muted { target: Target::Address(address), until: None, by: by.clone(), at: 5 },
        Event::Muted { target: Target::User(by.clone()), until: Some(0), by: by.clone(), at: 6 },
        Event::Unmuted { target: Target::User(by.clone()), by, at: 7 },
    ];
    for event in events {
        let mut bytes = Vec::new();
        write_event(&event, &mut bytes);
        let place = event.place();
        let place = Place {
            room: place.map(|(room, _)| room.clone()),
            seq: place.map_or(0, |(_, seq)| seq),
            at: event.at().unwrap(),
        };
        assert_eq!(read_event(place, &bytes), Ok(event));
    }
}

#[test]
fn what_has_changed_of_a_message_comes_back_as_it_was() {
    let mut current = Current::new(message());
    for (seq, op) in [
        (8, Op::React("👍".into())),
        (9, Op::Pin),
        (10, Op::Edit(Some("둘".into()))),
        (11, Op::React("1".into())),
    ] {
        let (by, name, nonce) = (user("u2"), "a".into(), Nonce::new("n"));
        let room = RoomId::lobby();
        current.apply(&Change { room, seq, m: 7, op, by, name, at: 1, nonce });
        let mut bytes = Vec::new();
        write_current(&current, &mut bytes);
        assert_eq!(read_current(message(), Some(&bytes)), Ok(current.clone()));
    }
    assert_eq!(read_current(message(), None), Ok(Current::new(message())));
}

#[test]
fn a_room_comes_back_as_it_was() {
    let full = Room {
        head: 9,
        n: 4,
        topic: "주제".into(),
        post: Post::Everybody,
        archived: true,
        called_at: 7,
        calls: vec![3, 5],
        ..Room::new(Kind::Announcement, Some("소식".into()), History::Joining)
    };
    for room in [full, Room::lobby(), Room::new(Kind::Direct, None, History::All)] {
        let mut bytes = Vec::new();
        write_room(&room, &mut bytes);
        assert_eq!(read_room(room.is_lobby, room.head, room.n, &bytes), Ok(room));
    }
}

#[test]
fn what_is_not_understood_is_an_error_and_never_skipped() {
    let place = || Place { room: Some(RoomId::lobby()), seq: 1, at: 1 };
    let message = |bytes| read_message(RoomId::lobby(), 1, 1, 1, bytes);
    let newer = br#"{"v":2,"t":"message"}"#;
    assert!(read_event(place(), newer).unwrap_err().contains("version 2"));
    assert!(message(newer).unwrap_err().contains("version 2"));
    let ten = br#"{"v":10,"by":"a","name":"a"}"#;
    assert!(message(ten).unwrap_err().contains("version 10"));
    for bytes in [&b""[..], b"{", b"{\"v\":1}", br#"{"v":1,"t":"party"}"#, b"\xff\xfe"] {
        assert!(read_event(place(), bytes).is_err(), "{bytes:?}");
        assert!(message(bytes).is_err(), "{bytes:?}");
    }
    // A record of a room needs one.
    let nowhere = Place { room: None, seq: 1, at: 1 };
    let left = br#"{"v":1,"t":"room","by":"a","name":"a","what":"left","user":"a"}"#;
    assert!(read_event(nowhere, left).is_err());
    assert!(read_event(place(), left).is_ok());
}
