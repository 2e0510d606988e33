//! What somebody asks of the log.

use damso_protocol::{Nonce, RoomId, UserId};
use std::net::IpAddr;
use std::sync::Arc;

/// What an author is allowed to ask for, by rank.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Role {
    /// Somebody without an account.
    Guest,
    /// Whoever holds the server's console.
    Operator,
}

/// Who asks. A plain guest isn't in [`State`](crate::State), so what has to be known of it travels
/// with its commands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Author {
    /// Who it is.
    pub user: UserId,
    /// How it is shown, as of now.
    pub name: Arc<str>,
    /// What it may ask for.
    pub role: Role,
    /// Where it comes from; none for the console.
    pub address: Option<IpAddr>,
}

/// Whom a ban or a mute is about.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Target {
    /// One user.
    User(UserId),
    /// Everybody who comes from this address.
    Address(IpAddr),
}

/// A change somebody asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// A message to a room.
    Send {
        /// The room it goes to.
        room: RoomId,
        /// What the author calls it, if it wants to be able to repeat it.
        nonce: Option<Nonce>,
        /// The text as it was written.
        text: Arc<str>,
    },
    /// Keeps an address out.
    Ban {
        /// Whose connections are refused.
        address: IpAddr,
        /// For how long, from its place in the log on; none: for good.
        minutes: Option<u64>,
    },
    /// Lets an address in again.
    Unban {
        /// Whose ban ends.
        address: IpAddr,
    },
    /// Lets somebody read but not write.
    Mute {
        /// Whom.
        target: Target,
        /// For how long, from its place in the log on; none: for good.
        minutes: Option<u64>,
    },
    /// Lets somebody write again.
    Unmute {
        /// Whom.
        target: Target,
    },
}

/// A command on its way into the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Who asks.
    pub author: Author,
    /// For what.
    pub command: Command,
}
