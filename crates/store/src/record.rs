//! How events are stored: a format of its own, apart from the wire's and from the program's types,
//! and versioned, so that either may change and old folders stay readable.
//!
//! A record is one JSON object. Its `v` is the version of its form; an unknown one is an error, and
//! never skipped: what happened is either understood or the program stops.

use damso_chat::{Event, Message, Target};
use damso_protocol::{Nonce, RoomId, UserId};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// The version that is written.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Record {
    v: u32,
    #[serde(flatten)]
    body: Body,
}

/// What happened, but for its place and time, which stand in columns of their own.
#[derive(Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
enum Body {
    Message {
        n: u64,
        by: String,
        name: String,
        text: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<String>,
    },
    Banned {
        address: IpAddr,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<u64>,
        by: String,
    },
    Unbanned {
        address: IpAddr,
        by: String,
    },
    Unmuted {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<IpAddr>,
        by: String,
    },
    Muted {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<IpAddr>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<u64>,
        by: String,
    },
}

/// The place and time of an event, as columns hold them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// Its room; none for what concerns the whole site.
    pub room: Option<RoomId>,
    /// Its `seq` in the room; for the site's, 0.
    pub seq: u64,
    /// When, in ms since 1970.
    pub at: u64,
}

/// The event as place and record.
pub fn write(event: &Event) -> (Place, Vec<u8>) {
    let (at, body) = match event {
        Event::Message(message) => (
            message.at,
            Body::Message {
                n: message.n,
                by: message.by.as_str().into(),
                name: (*message.name).into(),
                text: (*message.text).into(),
                nonce: message.nonce.as_ref().map(|nonce| nonce.as_str().into()),
            },
        ),
        Event::Banned { address, until, by, at } => {
            (*at, Body::Banned { address: *address, until: *until, by: by.as_str().into() })
        }
        Event::Unbanned { address, by, at } => {
            (*at, Body::Unbanned { address: *address, by: by.as_str().into() })
        }
        Event::Muted { target, until, by, at } => {
            let (user, address) = split(target);
            (*at, Body::Muted { user, address, until: *until, by: by.as_str().into() })
        }
        Event::Unmuted { target, by, at } => {
            let (user, address) = split(target);
            (*at, Body::Unmuted { user, address, by: by.as_str().into() })
        }
    };
    let (room, seq) = match event.place() {
        Some((room, seq)) => (Some(room.clone()), seq),
        None => (None, 0),
    };
    // Strings and numbers always have a JSON form.
    let bytes = serde_json::to_vec(&Record { v: VERSION, body }).unwrap_or_default();
    (Place { room, seq, at }, bytes)
}

/// The event that a record at a place tells of.
///
/// # Errors
/// One sentence: the record is damaged, or of a version that this program doesn't know.
pub fn read(place: Place, bytes: &[u8]) -> Result<Event, String> {
    #[derive(Deserialize)]
    struct Version {
        v: u32,
    }
    let damaged = |error: serde_json::Error| format!("a record can't be read: {error}");
    let Version { v } = serde_json::from_slice(bytes).map_err(damaged)?;
    if v != VERSION {
        return Err(format!("a record has the version {v}, and this damso knows {VERSION}"));
    }
    let Record { body, .. } = serde_json::from_slice(bytes).map_err(damaged)?;
    let Place { room, seq, at } = place;
    Ok(match body {
        Body::Message { n, by, name, text, nonce } => Event::Message(Message {
            room: room.ok_or("a message stands in no room")?,
            seq,
            n,
            by: UserId::new(by),
            name: name.into(),
            at,
            text: text.into(),
            nonce: nonce.map(Nonce::new),
        }),
        Body::Banned { address, until, by } => {
            Event::Banned { address, until, by: UserId::new(by), at }
        }
        Body::Unbanned { address, by } => Event::Unbanned { address, by: UserId::new(by), at },
        Body::Muted { user, address, until, by } => {
            Event::Muted { target: join(user, address)?, until, by: UserId::new(by), at }
        }
        Body::Unmuted { user, address, by } => {
            Event::Unmuted { target: join(user, address)?, by: UserId::new(by), at }
        }
    })
}

fn split(target: &Target) -> (Option<String>, Option<IpAddr>) {
    match target {
        Target::User(user) => (Some(user.as_str().to_owned()), None),
        Target::Address(address) => (None, Some(*address)),
    }
}

fn join(user: Option<String>, address: Option<IpAddr>) -> Result<Target, String> {
    match (user, address) {
        (Some(user), None) => Ok(Target::User(UserId::new(user))),
        (None, Some(address)) => Ok(Target::Address(address)),
        _ => Err("a mute names neither a user nor an address, or both".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_comes_back_as_it_was() {
        let by = UserId::new("operator");
        let address: IpAddr = "::1".parse().unwrap();
        let events = [
            Event::Message(Message {
                room: RoomId::lobby(),
                seq: 7,
                n: 5,
                by: UserId::new("g"),
                name: "127.0.0.1:5".into(),
                at: 9,
                text: "안녕 \"\\\u{0}\u{2028}👩‍👩‍👧".into(),
                nonce: Some(Nonce::new("n-1")),
            }),
            Event::Banned { address, until: Some(8), by: by.clone(), at: 3 },
            Event::Banned { address, until: None, by: by.clone(), at: 3 },
            Event::Unbanned { address, by: by.clone(), at: 4 },
            Event::Muted { target: Target::Address(address), until: None, by: by.clone(), at: 5 },
            Event::Muted {
                target: Target::User(by.clone()),
                until: Some(0),
                by: by.clone(),
                at: 6,
            },
            Event::Unmuted { target: Target::User(by.clone()), by, at: 7 },
        ];
        for event in events {
            let (place, bytes) = write(&event);
            assert_eq!(read(place, &bytes), Ok(event));
        }
    }

    #[test]
    fn what_is_not_understood_is_an_error_and_never_skipped() {
        let place = || Place { room: Some(RoomId::lobby()), seq: 1, at: 1 };
        let newer = br#"{"v":2,"t":"message"}"#;
        assert!(read(place(), newer).unwrap_err().contains("version 2"));
        for bytes in [&b""[..], b"{", b"{\"v\":1}", br#"{"v":1,"t":"party"}"#, b"\xff\xfe"] {
            assert!(read(place(), bytes).is_err(), "{bytes:?}");
        }
    }
}
