//! What a nonce stood for, in eight bytes: enough to tell a repetition from another command under
//! the same nonce, also when the text is gone (PROTOCOL section 5, G4).

use crate::command::{Command, Entry};
use crate::event::{Event, Op, What};
use crate::state::{History, Kind};
use damso_protocol::{Nonce, RoomId, UserId};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The first bytes of a hash over a command and its nonce, which salts it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Fingerprint(pub u64);

/// What the author called an entry that can be repeated.
pub fn nonce_of(entry: &Entry) -> Option<&Nonce> {
    match &entry.command {
        Command::Send { nonce, .. } | Command::Create { nonce, .. } => nonce.as_ref(),
        Command::Change { nonce, .. } => Some(nonce),
        _ => None,
    }
}

/// The fingerprint of an entry that can be repeated.
pub fn of_entry(entry: &Entry) -> Option<Fingerprint> {
    match &entry.command {
        Command::Send { room, nonce: Some(nonce), text, reply } => {
            Some(message(nonce, room, text, *reply))
        }
        Command::Change { room, m, nonce, op } => Some(change(nonce, room, *m, op)),
        Command::Create { kind, name, members, history, nonce: Some(nonce) } => {
            Some(created(nonce, *kind, name.as_ref(), members, &entry.author.user, *history))
        }
        _ => None,
    }
}

/// The author, nonce and fingerprint of an event whose command can be repeated. To be taken while
/// the event has its text.
pub fn of_event(event: &Event) -> Option<(&UserId, &Nonce, Fingerprint)> {
    match event {
        Event::Message(said) => {
            let (nonce, text) = (said.nonce.as_ref()?, said.text.as_deref().unwrap_or_default());
            Some((&said.by, nonce, message(nonce, &said.room, text, said.reply)))
        }
        Event::Changed(changed) => {
            let print = change(&changed.nonce, &changed.room, changed.m, &changed.op);
            Some((&changed.by, &changed.nonce, print))
        }
        Event::Room(event) => match &event.what {
            What::Created { kind, name, members, history, nonce: Some(nonce) } => {
                let print = created(nonce, *kind, name.as_ref(), members, &event.by, *history);
                Some((&event.by, nonce, print))
            }
            _ => None,
        },
        _ => None,
    }
}

fn message(nonce: &Nonce, room: &RoomId, text: &str, reply: Option<u64>) -> Fingerprint {
    print(nonce, room.as_str(), "send", reply.unwrap_or_default(), text)
}

fn change(nonce: &Nonce, room: &RoomId, m: u64, op: &Op) -> Fingerprint {
    let (kind, text) = match op {
        Op::Edit(text) => ("edit", text.as_deref().unwrap_or_default()),
        Op::Delete => ("delete", ""),
        Op::React(emoji) => ("react", &**emoji),
        Op::Unreact(emoji) => ("unreact", &**emoji),
        Op::Pin => ("pin", ""),
        Op::Unpin => ("unpin", ""),
    };
    print(nonce, room.as_str(), kind, m, text)
}

fn created(
    nonce: &Nonce,
    kind: Kind,
    name: Option<&Arc<str>>,
    members: &[UserId],
    maker: &UserId,
    history: History,
) -> Fingerprint {
    let place = u64::from(history == History::All);
    let kind = match kind {
        Kind::Public => "public",
        Kind::Private => "private",
        Kind::Direct => "direct",
        Kind::Announcement => "announcement",
    };
    // The maker is among them whether it says so or not, and nobody is twice.
    let others: BTreeSet<&str> =
        members.iter().filter(|member| *member != maker).map(UserId::as_str).collect();
    let mut text = name.map_or_else(String::new, |name| name.to_string());
    for other in others {
        // Neither a name nor an id has one.
        text.push('\0');
        text.push_str(other);
    }
    print(nonce, "", kind, place, &text)
}

fn print(nonce: &Nonce, room: &str, kind: &str, number: u64, text: &str) -> Fingerprint {
    let mut hash = Sha256::new();
    for part in [nonce.as_str(), room, kind] {
        hash.update(part);
        // No part has one of these: parts can't run into each other.
        hash.update([0]);
    }
    hash.update(number.to_be_bytes());
    hash.update(text);
    let bytes: [u8; 32] = hash.finalize().into();
    let mut first = [0; 8];
    first.copy_from_slice(&bytes[..8]);
    Fingerprint(u64::from_be_bytes(first))
}
