//! How things are stored: a format of its own, apart from the wire's and from the program's types,
//! and versioned, so that either may change and old folders stay readable.
//!
//! A record is one JSON object. Its `v` is the version of its form; an unknown one is an error, and
//! never skipped: what happened is either understood or the program stops. What stands in columns
//! beside it (room, `seq`, time, a message's number) isn't repeated.

mod view;

pub(crate) use view::{
    read_current, read_mentions, read_room, write_current, write_mentions, write_room,
};

use damso_chat::state::{History, Kind, Post};
use damso_chat::{
    Change, Event, KeyHash, Member, Mention, Message, Op, RoomEvent, Setting, Target, What,
};
use damso_protocol::{Nonce, RoomId, UserId};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::net::IpAddr;

/// The version that is written.
const VERSION: u32 = 1;
/// What every record of that version begins with.
const BEGINNING: &[u8] = br#"{"v":1,"#;

/// The place and time of an event, as columns hold them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    /// Its room; none for what concerns the whole site.
    pub room: Option<RoomId>,
    /// Its `seq` in the room.
    pub seq: u64,
    /// When, in ms since 1970.
    pub at: u64,
}

/// A message, but for what stands in columns.
#[derive(Serialize, Deserialize)]
struct Said<'a> {
    v: u32,
    #[serde(borrow)]
    by: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reply: Option<u64>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    calls: Vec<Called<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nonce: Option<Cow<'a, str>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Called<'a> {
    #[serde(borrow)]
    User(Cow<'a, str>),
    Room,
    Here,
}

/// Writes a message's record.
pub(crate) fn write_message(message: &Message, into: &mut Vec<u8>) {
    let calls = message.mentions.iter().map(|mention| match mention {
        Mention::User(user) => Called::User(user.as_str().into()),
        Mention::Room => Called::Room,
        Mention::Here => Called::Here,
    });
    put(
        &Said {
            v: VERSION,
            by: message.by.as_str().into(),
            name: (&*message.name).into(),
            text: message.text.as_deref().map(Cow::Borrowed),
            reply: message.reply,
            calls: calls.collect(),
            nonce: message.nonce.as_ref().map(|nonce| nonce.as_str().into()),
        },
        into,
    );
}

/// The message that a record tells of.
///
/// # Errors
/// One sentence: the record is damaged, or of a version that this program doesn't know.
pub(crate) fn read_message(
    room: RoomId,
    seq: u64,
    n: u64,
    at: u64,
    bytes: &[u8],
) -> Result<Message, String> {
    let said: Said = get(bytes)?;
    Ok(Message {
        room,
        seq,
        n,
        by: UserId::new(said.by),
        name: said.name.into(),
        at,
        text: said.text.map(Into::into),
        reply: said.reply,
        mentions: said
            .calls
            .into_iter()
            .map(|called| match called {
                Called::User(user) => Mention::User(UserId::new(user)),
                Called::Room => Mention::Room,
                Called::Here => Mention::Here,
            })
            .collect(),
        nonce: said.nonce.map(Nonce::new),
    })
}

/// Whether a message's record has a text, and is of this author.
///
/// # Errors
/// One sentence: the record is damaged, or of a version that this program doesn't know.
pub(crate) fn is_said_by(bytes: &[u8], author: &UserId) -> Result<bool, String> {
    #[derive(Deserialize)]
    struct Head<'a> {
        #[serde(borrow)]
        by: Cow<'a, str>,
        #[serde(borrow)]
        text: Option<Cow<'a, str>>,
    }
    let head: Head = get(bytes)?;
    Ok(head.by == author.as_str() && head.text.is_some())
}

/// Any other event, but for what stands in columns.
#[derive(Serialize, Deserialize)]
struct Happened {
    v: u32,
    #[serde(flatten)]
    body: Body,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
enum Body {
    Changed {
        m: u64,
        by: String,
        name: String,
        nonce: String,
        #[serde(flatten)]
        op: Done,
    },
    Room {
        by: String,
        name: String,
        #[serde(flatten)]
        what: Fact,
    },
    Registered {
        user: String,
        name: String,
        key: String,
    },
    Hooked {
        hook: String,
        room: String,
        name: String,
        key: String,
        by: String,
    },
    Unhooked {
        hook: String,
        by: String,
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
    Muted {
        whom: Whom,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<u64>,
        by: String,
    },
    Unmuted {
        whom: Whom,
        by: String,
    },
}

/// What was done to a message.
#[derive(Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
enum Done {
    Edit {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
    Delete,
    React {
        emoji: String,
    },
    Unreact {
        emoji: String,
    },
    Pin,
    Unpin,
}

/// What happened to a room.
#[derive(Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
enum Fact {
    Created {
        #[serde(with = "KindForm")]
        kind: Kind,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        members: Vec<String>,
        #[serde(with = "HistoryForm")]
        history: History,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<String>,
    },
    Named {
        title: String,
    },
    Topic {
        topic: String,
    },
    Post {
        #[serde(with = "PostForm")]
        post: Post,
    },
    Archived {
        archived: bool,
    },
    Joined {
        user: String,
    },
    Left {
        user: String,
    },
    Appointed {
        user: String,
        #[serde(with = "MemberForm")]
        role: Member,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Whom {
    User(String),
    Address(IpAddr),
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Kind", rename_all = "snake_case")]
enum KindForm {
    Public,
    Private,
    Direct,
    Announcement,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "History", rename_all = "snake_case")]
enum HistoryForm {
    All,
    Joining,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Post", rename_all = "snake_case")]
enum PostForm {
    Everybody,
    Owners,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Member", rename_all = "snake_case")]
enum MemberForm {
    Member,
    Owner,
}

/// Writes the record of an event that is no message. Nothing is written for what stands in no log.
pub(crate) fn write_event(event: &Event, into: &mut Vec<u8>) {
    let body = match event {
        Event::Message(_) | Event::Read { .. } => return,
        Event::Changed(change) => Body::Changed {
            m: change.m,
            by: change.by.as_str().into(),
            name: (*change.name).into(),
            nonce: change.nonce.as_str().into(),
            op: match &change.op {
                Op::Edit(text) => Done::Edit { text: text.as_deref().map(Into::into) },
                Op::Delete => Done::Delete,
                Op::React(emoji) => Done::React { emoji: (**emoji).into() },
                Op::Unreact(emoji) => Done::Unreact { emoji: (**emoji).into() },
                Op::Pin => Done::Pin,
                Op::Unpin => Done::Unpin,
            },
        },
        Event::Room(event) => Body::Room {
            by: event.by.as_str().into(),
            name: (*event.name).into(),
            what: fact(&event.what),
        },
        Event::Registered { user, name, key, .. } => {
            Body::Registered { user: user.as_str().into(), name: (**name).into(), key: hex(key) }
        }
        Event::Hooked { hook, room, name, key, by, .. } => Body::Hooked {
            hook: hook.as_str().into(),
            room: room.as_str().into(),
            name: (**name).into(),
            key: hex(key),
            by: by.as_str().into(),
        },
        Event::Unhooked { hook, by, .. } => {
            Body::Unhooked { hook: hook.as_str().into(), by: by.as_str().into() }
        }
        Event::Banned { address, until, by, .. } => {
            Body::Banned { address: *address, until: *until, by: by.as_str().into() }
        }
        Event::Unbanned { address, by, .. } => {
            Body::Unbanned { address: *address, by: by.as_str().into() }
        }
        Event::Muted { target, until, by, .. } => {
            Body::Muted { whom: whom(target), until: *until, by: by.as_str().into() }
        }
        Event::Unmuted { target, by, .. } => {
            Body::Unmuted { whom: whom(target), by: by.as_str().into() }
        }
    };
    put(&Happened { v: VERSION, body }, into);
}

fn fact(what: &What) -> Fact {
    match what {
        What::Created { kind, name, members, history, nonce } => Fact::Created {
            kind: *kind,
            title: name.as_deref().map(Into::into),
            members: members.iter().map(|user| user.as_str().into()).collect(),
            history: *history,
            nonce: nonce.as_ref().map(|nonce| nonce.as_str().into()),
        },
        What::Set(Setting::Name(name)) => Fact::Named { title: (**name).into() },
        What::Set(Setting::Topic(topic)) => Fact::Topic { topic: (**topic).into() },
        What::Set(Setting::Post(post)) => Fact::Post { post: *post },
        What::Set(Setting::Archived(archived)) => Fact::Archived { archived: *archived },
        What::Joined { user } => Fact::Joined { user: user.as_str().into() },
        What::Left { user } => Fact::Left { user: user.as_str().into() },
        What::Appointed { user, member } => {
            Fact::Appointed { user: user.as_str().into(), role: *member }
        }
    }
}

fn whom(target: &Target) -> Whom {
    match target {
        Target::User(user) => Whom::User(user.as_str().into()),
        Target::Address(address) => Whom::Address(*address),
    }
}

/// The event, no message, that a record at a place tells of.
///
/// # Errors
/// One sentence: the record is damaged, or of a version that this program doesn't know.
pub(crate) fn read_event(place: Place, bytes: &[u8]) -> Result<Event, String> {
    let Happened { body, .. } = get(bytes)?;
    let Place { room, seq, at } = place;
    let room = || room.ok_or_else(|| "a record of a room stands in none".to_owned());
    let target = |whom| match whom {
        Whom::User(user) => Target::User(UserId::new(user)),
        Whom::Address(address) => Target::Address(address),
    };
    Ok(match body {
        Body::Changed { m, by, name, nonce, op } => Event::Changed(Change {
            room: room()?,
            seq,
            m,
            op: match op {
                Done::Edit { text } => Op::Edit(text.map(Into::into)),
                Done::Delete => Op::Delete,
                Done::React { emoji } => Op::React(emoji.into()),
                Done::Unreact { emoji } => Op::Unreact(emoji.into()),
                Done::Pin => Op::Pin,
                Done::Unpin => Op::Unpin,
            },
            by: UserId::new(by),
            name: name.into(),
            at,
            nonce: Nonce::new(nonce),
        }),
        Body::Room { by, name, what } => Event::Room(RoomEvent {
            room: room()?,
            seq,
            by: UserId::new(by),
            name: name.into(),
            at,
            what: happened(what),
        }),
        Body::Registered { user, name, key } => Event::Registered {
            user: UserId::new(user),
            name: name.into(),
            key: key_hash(&key).ok_or("a user's key isn't one")?,
            at,
        },
        Body::Hooked { hook, room, name, key, by } => Event::Hooked {
            hook: UserId::new(hook),
            room: RoomId::new(room),
            name: name.into(),
            key: key_hash(&key).ok_or("a webhook's key isn't one")?,
            by: UserId::new(by),
            at,
        },
        Body::Unhooked { hook, by } => {
            Event::Unhooked { hook: UserId::new(hook), by: UserId::new(by), at }
        }
        Body::Banned { address, until, by } => {
            Event::Banned { address, until, by: UserId::new(by), at }
        }
        Body::Unbanned { address, by } => Event::Unbanned { address, by: UserId::new(by), at },
        Body::Muted { whom, until, by } => {
            Event::Muted { target: target(whom), until, by: UserId::new(by), at }
        }
        Body::Unmuted { whom, by } => {
            Event::Unmuted { target: target(whom), by: UserId::new(by), at }
        }
    })
}

fn happened(fact: Fact) -> What {
    match fact {
        Fact::Created { kind, title, members, history, nonce } => What::Created {
            kind,
            name: title.map(Into::into),
            members: members.into_iter().map(UserId::new).collect(),
            history,
            nonce: nonce.map(Nonce::new),
        },
        Fact::Named { title } => What::Set(Setting::Name(title.into())),
        Fact::Topic { topic } => What::Set(Setting::Topic(topic.into())),
        Fact::Post { post } => What::Set(Setting::Post(post)),
        Fact::Archived { archived } => What::Set(Setting::Archived(archived)),
        Fact::Joined { user } => What::Joined { user: UserId::new(user) },
        Fact::Left { user } => What::Left { user: UserId::new(user) },
        Fact::Appointed { user, role } => What::Appointed { user: UserId::new(user), member: role },
    }
}

fn hex(key: &KeyHash) -> String {
    key.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The hash that 64 hexadecimal digits stand for.
fn key_hash(hex: &str) -> Option<KeyHash> {
    let mut key = [0; 32];
    let digits = hex.as_bytes();
    if digits.len() != 2 * key.len() {
        return None;
    }
    for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        *byte = u8::try_from(16 * digit(pair[0])? + digit(pair[1])?).ok()?;
    }
    Some(KeyHash(key))
}

fn put(record: &impl Serialize, into: &mut Vec<u8>) {
    into.clear();
    // Strings, numbers and lists of them always have a JSON form, and a Vec takes all of it.
    let written = serde_json::to_writer(into, record);
    debug_assert!(written.is_ok());
}

fn get<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, String> {
    #[derive(Deserialize)]
    struct Version {
        v: u32,
    }
    let damaged = |error| format!("a record can't be read: {error}");
    // What another version looks like isn't known, so the version is asked for alone; but not of
    // what begins as all that is written here does.
    if !bytes.starts_with(BEGINNING) {
        let Version { v } = serde_json::from_slice(bytes).map_err(damaged)?;
        if v != VERSION {
            return Err(format!("a record has the version {v}, and this damso knows {VERSION}"));
        }
    }
    serde_json::from_slice(bytes).map_err(damaged)
}

#[cfg(test)]
mod tests;
