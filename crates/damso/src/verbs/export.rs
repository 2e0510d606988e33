//! The log as JSON, an object a line: `docs/export.md` says what is in them.

use damso_chat::state::{History, Kind, Post, Room};
use damso_chat::{Current, Member, Mention, State};
use damso_protocol::RoomId;
use damso_store::{Ask, Part, ReadError, Reader, Rows};
use serde_json::{Value, json};
use std::fmt;
use std::io::{self, Write};

/// The form of what is written; it changes when a reader of the old one would be wrong.
const FORMAT: u32 = 1;
/// So many messages are read at a time.
const PAGE: usize = 500;

/// Why it ended early.
pub(super) enum Error {
    /// The log.
    Log(ReadError),
    /// Whoever is written to.
    Out(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(error) => error.fmt(f),
            Self::Out(error) => write!(f, "the export can't be written: {error}"),
        }
    }
}

impl From<ReadError> for Error {
    fn from(error: ReadError) -> Self {
        Self::Log(error)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Out(error)
    }
}

/// Writes everything, in pages, so that the log is held by no reader for long.
pub(super) fn write(reader: &Reader, out: &mut impl Write) -> Result<(), Error> {
    let state = reader.state()?;
    let mut line = |value: &Value| writeln!(out, "{value}");
    line(&json!({
        "type": "export",
        "format": FORMAT,
        "damso": env!("CARGO_PKG_VERSION"),
        "epoch": reader.epoch()?,
    }))?;
    let mut users: Vec<_> = state.users().collect();
    users.sort_by_key(|(id, _)| (id.as_str().len(), id.as_str()));
    for (id, user) in users {
        line(&json!({"type": "user", "id": id.as_str(), "name": &*user.name}))?;
    }
    for (id, found) in in_order(&state) {
        line(&room(id, found))?;
    }
    for (id, found) in in_order(&state) {
        let mut after = 0;
        loop {
            let (part, head) = (Part::After(after), found.head);
            let page = reader.page(&Ask { room: id.clone(), part, limit: PAGE, first: 1, head })?;
            for current in &page.messages {
                line(&message(current))?;
                after = current.message.seq;
            }
            if page.messages.is_empty() || !page.more {
                break;
            }
        }
    }
    out.flush()?;
    Ok(())
}

/// The lobby, then the others as they were made, then direct messages.
fn in_order(state: &State) -> Vec<(&RoomId, &Room)> {
    let mut rooms: Vec<_> = state.rooms().collect();
    rooms.sort_by_key(|(id, room)| {
        (!room.is_lobby, room.kind == Kind::Direct, id.as_str().len(), id.as_str())
    });
    rooms
}

fn room(id: &RoomId, room: &Room) -> Value {
    let mut members: Vec<_> = room.members.iter().collect();
    members.sort_by_key(|(user, membership)| (membership.since, user.as_str()));
    let members = members.into_iter().map(|(user, membership)| {
        let role = match membership.role {
            Member::Owner => "owner",
            Member::Member => "member",
        };
        json!({"user": user.as_str(), "role": role, "first": membership.first})
    });
    json!({
        "type": "room",
        "room": id.as_str(),
        "kind": match room.kind {
            Kind::Public => "public",
            Kind::Private => "private",
            Kind::Direct => "direct",
            Kind::Announcement => "announcement",
        },
        "name": room.name.as_deref(),
        "topic": &*room.topic,
        "post": match room.post {
            Post::Everybody => "all",
            Post::Owners => "owners",
        },
        "history": match room.history {
            History::All => "all",
            History::Joining => "joining",
        },
        "archived": room.archived,
        "head": room.head,
        "members": members.collect::<Vec<_>>(),
    })
}

fn message(current: &Current) -> Value {
    let message = &current.message;
    let mentions = message.mentions.iter().map(|mention| match mention {
        Mention::User(user) => user.as_str(),
        Mention::Room => "@room",
        Mention::Here => "@here",
    });
    let reactions = current.reactions.iter().map(|(emoji, users)| {
        let users: Vec<_> = users.iter().map(|user| user.as_str()).collect();
        json!({"emoji": &**emoji, "users": users})
    });
    json!({
        "type": "message",
        "room": message.room.as_str(),
        "m": message.seq,
        "n": message.n,
        "at": message.at,
        "by": message.by.as_str(),
        "name": &*message.name,
        "text": message.text.as_deref(),
        "deleted": current.is_deleted(),
        "edited": !current.is_deleted() && !current.edits.is_empty(),
        "reply": message.reply,
        "mentions": mentions.collect::<Vec<_>>(),
        "pinned": current.pinned,
        "reactions": reactions.collect::<Vec<_>>(),
    })
}
