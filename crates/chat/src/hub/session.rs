//! The hub's half of a connection.

use super::rate::Bucket;
use crate::command::Author;
use damso_protocol::RoomId;
use std::net::SocketAddr;

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
    /// Somebody without an account, shown as the address.
    Guest {
        /// Where it comes from.
        address: SocketAddr,
    },
    /// The operator's console.
    Operator,
}

/// What the hub knows of a live connection.
pub(super) struct Session {
    pub author: Author,
    pub rooms: Vec<RoomId>,
    pub sends: Bucket,
    pub commands: Bucket,
    /// Requests in a row that were refused for their rate.
    pub refused: u32,
}
