//! What happened. Only these change a [`State`](crate::State), and they are never judged again.

use crate::command::{KeyHash, Setting, Target};
use crate::state::{History, Kind};
use damso_protocol::{Nonce, RoomId, UserId};
use std::net::IpAddr;
use std::sync::Arc;

/// Something that happened, at a place in the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A message was said in a room.
    Message(Message),
    /// A message changed.
    Changed(Change),
    /// Something happened to a room or its members.
    Room(RoomEvent),
    /// Somebody became a user.
    Registered {
        /// Who it is from now on.
        user: UserId,
        /// How it is shown.
        name: Arc<str>,
        /// The key by which it is known.
        key: KeyHash,
        /// When, in ms since 1970.
        at: u64,
    },
    /// A user has read a room so far. It stands in no log: only the newest one of a user and room
    /// is kept.
    Read {
        /// Who.
        user: UserId,
        /// Which room.
        room: RoomId,
        /// The last `seq` read.
        seq: u64,
        /// How many messages there were up to there.
        n: u64,
    },
    /// A program may write into a room.
    Hooked {
        /// Under which id.
        hook: UserId,
        /// Into which room.
        room: RoomId,
        /// How it is shown.
        name: Arc<str>,
        /// What it is known by.
        key: KeyHash,
        /// Who did it.
        by: UserId,
        /// When, in ms since 1970.
        at: u64,
    },
    /// A program may write no more.
    Unhooked {
        /// Which.
        hook: UserId,
        /// Who did it.
        by: UserId,
        /// When, in ms since 1970.
        at: u64,
    },
    /// An address is kept out.
    Banned {
        /// Whose connections are refused from now on.
        address: IpAddr,
        /// When it ends, in ms since 1970; none: never.
        until: Option<u64>,
        /// Who did it.
        by: UserId,
        /// When, in ms since 1970.
        at: u64,
    },
    /// An address may come again.
    Unbanned {
        /// Whose ban ended.
        address: IpAddr,
        /// Who did it.
        by: UserId,
        /// When, in ms since 1970.
        at: u64,
    },
    /// Somebody may write again.
    Unmuted {
        /// Whom it is about.
        target: Target,
        /// Who did it.
        by: UserId,
        /// When, in ms since 1970.
        at: u64,
    },
    /// Somebody may read but not write.
    Muted {
        /// Whom it is about.
        target: Target,
        /// When it ends, in ms since 1970; none: never.
        until: Option<u64>,
        /// Who did it.
        by: UserId,
        /// When, in ms since 1970.
        at: u64,
    },
}

/// Whom a message calls.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Mention {
    /// One user.
    User(UserId),
    /// Everybody in the room.
    Room,
    /// Everybody in the room who is here now.
    Here,
}

/// A message as it stands in its room's log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// The room it was said in.
    pub room: RoomId,
    /// Its place in the room's log: 1, 2, 3 … over all durable changes, with no hole. It is also
    /// the message's id.
    pub seq: u64,
    /// Its number among the room's messages alone.
    pub n: u64,
    /// Who said it.
    pub by: UserId,
    /// The author's name as of writing.
    pub name: Arc<str>,
    /// When, in ms since 1970. For display; order is `seq`.
    pub at: u64,
    /// The text as it was written; none if the message has been deleted since.
    pub text: Option<Arc<str>>,
    /// The message it answers.
    pub reply: Option<u64>,
    /// Whom it calls.
    pub mentions: Vec<Mention>,
    /// What its author called the command.
    pub nonce: Option<Nonce>,
}

/// What is done to a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Op {
    /// It says something else; no text if the message has been deleted since.
    Edit(Option<Arc<str>>),
    /// It says nothing any more.
    Delete,
    /// Somebody reacts to it.
    React(Arc<str>),
    /// Somebody takes a reaction back.
    Unreact(Arc<str>),
    /// It is put up for all to see.
    Pin,
    /// It is taken down.
    Unpin,
}

/// A change of a message, as it stands in its room's log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// The room.
    pub room: RoomId,
    /// Its place in the room's log.
    pub seq: u64,
    /// The message.
    pub m: u64,
    /// What changed.
    pub op: Op,
    /// Who did it.
    pub by: UserId,
    /// The name of who did it, as of then.
    pub name: Arc<str>,
    /// When, in ms since 1970.
    pub at: u64,
    /// What its author called the command.
    pub nonce: Nonce,
}

/// What a member may do in its room.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Member {
    /// Reads, and writes where members do.
    Member,
    /// May do everything in the room.
    Owner,
}

/// What happened to a room.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// It was made. Its maker owns it.
    Created {
        /// What kind of room it is.
        kind: Kind,
        /// Its name; direct messages have none.
        name: Option<Arc<str>>,
        /// Everybody in it from the start, its maker among them.
        members: Vec<UserId>,
        /// What those see who come later.
        history: History,
        /// What its maker called the command.
        nonce: Option<Nonce>,
    },
    /// It was changed.
    Set(Setting),
    /// Somebody came in.
    Joined {
        /// Who.
        user: UserId,
    },
    /// Somebody went, or was removed.
    Left {
        /// Who.
        user: UserId,
    },
    /// Somebody may do more or less.
    Appointed {
        /// Who.
        user: UserId,
        /// What it is from now on.
        member: Member,
    },
}

/// What happened to a room, as it stands in the room's log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RoomEvent {
    /// The room.
    pub room: RoomId,
    /// Its place in the room's log.
    pub seq: u64,
    /// Who did it.
    pub by: UserId,
    /// The name of who did it, as of then.
    pub name: Arc<str>,
    /// When, in ms since 1970.
    pub at: u64,
    /// What happened.
    pub what: What,
}

impl Event {
    /// The room whose log the event stands in, and its `seq` there; none for what concerns the
    /// whole site, and for what stands in no log.
    pub fn place(&self) -> Option<(&RoomId, u64)> {
        match self {
            Self::Message(message) => Some((&message.room, message.seq)),
            Self::Changed(change) => Some((&change.room, change.seq)),
            Self::Room(event) => Some((&event.room, event.seq)),
            Self::Registered { .. }
            | Self::Read { .. }
            | Self::Hooked { .. }
            | Self::Unhooked { .. }
            | Self::Banned { .. }
            | Self::Unbanned { .. }
            | Self::Muted { .. }
            | Self::Unmuted { .. } => None,
        }
    }

    /// When it happened, in ms since 1970; none for what stands in no log.
    pub fn at(&self) -> Option<u64> {
        match self {
            Self::Message(message) => Some(message.at),
            Self::Changed(change) => Some(change.at),
            Self::Room(event) => Some(event.at),
            Self::Read { .. } => None,
            Self::Registered { at, .. }
            | Self::Hooked { at, .. }
            | Self::Unhooked { at, .. }
            | Self::Banned { at, .. }
            | Self::Unbanned { at, .. }
            | Self::Muted { at, .. }
            | Self::Unmuted { at, .. } => Some(*at),
        }
    }
}
