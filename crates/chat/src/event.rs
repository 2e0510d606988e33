//! What happened. Only these change a [`State`](crate::State), and they are never judged again.

use crate::command::Target;
use damso_protocol::{Nonce, RoomId, UserId};
use std::net::IpAddr;
use std::sync::Arc;

/// Something that happened, at a place in the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A message was said in a room.
    Message(Message),
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

/// A message as it stands in its room's log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// The room it was said in.
    pub room: RoomId,
    /// Its place in the room's log: 1, 2, 3 … over all durable changes, with no hole.
    pub seq: u64,
    /// Its number among the room's messages alone.
    pub n: u64,
    /// Who said it.
    pub by: UserId,
    /// The author's name as of writing.
    pub name: Arc<str>,
    /// When, in ms since 1970. For display; order is `seq`.
    pub at: u64,
    /// The text as it was written.
    pub text: Arc<str>,
    /// What its author called the command.
    pub nonce: Option<Nonce>,
}

impl Event {
    /// The room whose log the event stands in, and its `seq` there; none for what concerns the
    /// whole site.
    pub fn place(&self) -> Option<(&RoomId, u64)> {
        match self {
            Self::Message(message) => Some((&message.room, message.seq)),
            Self::Banned { .. }
            | Self::Unbanned { .. }
            | Self::Muted { .. }
            | Self::Unmuted { .. } => None,
        }
    }
}
