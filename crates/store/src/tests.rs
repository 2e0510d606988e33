//! What the logs' tests have in common.

use damso_chat::{Author, Command, Entry, KeyHash, Op, Role};
use damso_protocol::{Nonce, RoomId, UserId};

/// A guest without a key, one of each number.
pub(crate) fn guest(number: u8) -> Author {
    Author {
        user: UserId::new(format!("g{number}")),
        name: format!("10.0.0.{number}:1").into(),
        role: Role::Guest,
        address: Some([10, 0, 0, number].into()),
    }
}

/// The user that the log made of the guest of that number: the first to register is 1.
pub(crate) fn user(number: u8) -> Author {
    Author {
        user: UserId::new(format!("u{number}")),
        name: format!("user{number}").into(),
        ..guest(number)
    }
}

pub(crate) fn operator() -> Author {
    Author {
        user: UserId::new("operator"),
        name: "Administrator".into(),
        role: Role::Operator,
        address: None,
    }
}

pub(crate) fn entry(author: &Author, command: Command) -> Entry {
    Entry { author: author.clone(), command }
}

pub(crate) fn say(author: &Author, text: &str, nonce: Option<&str>) -> Entry {
    say_in(author, "lobby", text, nonce)
}

pub(crate) fn say_in(author: &Author, room: &str, text: &str, nonce: Option<&str>) -> Entry {
    let (room, nonce) = (RoomId::new(room), nonce.map(Nonce::new));
    entry(author, Command::Send { room, nonce, text: text.into(), reply: None })
}

pub(crate) fn change(author: &Author, room: &str, m: u64, nonce: &str, op: Op) -> Entry {
    entry(author, Command::Change { room: RoomId::new(room), m, nonce: Nonce::new(nonce), op })
}

pub(crate) fn register(number: u8) -> Entry {
    let name = format!("user{number}").into();
    entry(&guest(number), Command::Register { key: KeyHash([number; 32]), name })
}
