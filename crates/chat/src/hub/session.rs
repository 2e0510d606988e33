//! The hub's half of a connection.

use crate::command::{Author, KeyHash};
use damso_protocol::{RoomId, UserId};
use std::net::SocketAddr;
use std::sync::Arc;

/// A connection, by the shard that holds it, its slot there, and how often that slot was used
/// before: an old name never means a new connection.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct SessionId {
    /// The shard.
    pub shard: u16,
    /// The slot in the shard.
    pub slot: u32,
    /// Counts the slot's uses.
    pub generation: u32,
}

/// Who opened a session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Who {
    /// Somebody without a key, shown as the address.
    Plain {
        /// Where it comes from.
        address: SocketAddr,
    },
    /// A guest with a key. Answered by a welcome or a refusal.
    Key {
        /// What the session calls its hello.
        id: u64,
        /// The key.
        key: KeyHash,
        /// What it wants to be called, as it was typed; for a key that is known already it keeps
        /// its name.
        name: Arc<str>,
        /// Where it comes from.
        address: SocketAddr,
        /// The life of the log to which the cursors it holds belong; none: this one.
        epoch: Option<Arc<str>>,
    },
    /// One HTTP request of a guest with a key: it isn't there to stay. A key that nobody has is
    /// answered with a refusal to the request's own `id`.
    Bearer {
        /// What the session calls its request.
        id: u64,
        /// The key.
        key: KeyHash,
        /// Where it comes from.
        address: SocketAddr,
    },
    /// One HTTP request of a program that has a webhook, by its key. A key that no webhook has is
    /// answered with a refusal to the request's own `id`.
    Hook {
        /// What the session calls its request.
        id: u64,
        /// The key.
        key: KeyHash,
        /// Where it comes from.
        address: SocketAddr,
    },
    /// The operator's console.
    Operator,
}

/// What a session is, by the way it came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    Plain,
    Key,
    Bearer,
    Operator,
}

/// What the hub knows of a live connection.
pub(super) struct Session {
    pub author: Author,
    pub way: Way,
    /// Rooms it hears.
    pub rooms: Vec<RoomId>,
    /// Users whose presence it hears of.
    pub watched: Vec<UserId>,
    /// The cursors it holds are of another life of the log.
    pub is_of_another_epoch: bool,
    /// Where it told last that it writes, and when.
    pub typed: Vec<(RoomId, u64)>,
    /// Requests in a row that were refused for their rate.
    pub refused: u32,
}
