//! What somebody asks of the log.

use crate::event::{Member, Op};
use crate::state::{History, Kind, Post};
use damso_protocol::{Nonce, RoomId, UserId};
use std::net::IpAddr;
use std::sync::Arc;

/// What an author is allowed to ask for, by rank.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Role {
    /// A program that has a room's webhook: it says something there, and no more.
    Hook,
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

/// The hash of a guest's key (SHA-256): the same key is the same user, and the key itself is
/// nowhere kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct KeyHash(pub [u8; 32]);

/// Whom a ban or a mute is about.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Target {
    /// One user.
    User(UserId),
    /// Everybody who comes from this address.
    Address(IpAddr),
}

/// A change of a room itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Setting {
    /// Its name.
    Name(Arc<str>),
    /// What it is about; may be empty.
    Topic(Arc<str>),
    /// Who may write.
    Post(Post),
    /// Whether it is closed for good, to be read only.
    Archived(bool),
}

/// A change somebody asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Becomes a user: a guest with a key and a name. The author is whoever asks, by address.
    Register {
        /// Whose key it is.
        key: KeyHash,
        /// How it wants to be shown, as [`damso_protocol::name::person`] gave it.
        name: Arc<str>,
    },
    /// A message to a room.
    Send {
        /// The room it goes to.
        room: RoomId,
        /// What the author calls it, if it wants to be able to repeat it.
        nonce: Option<Nonce>,
        /// The text as it was written.
        text: Arc<str>,
        /// The message it answers.
        reply: Option<u64>,
    },
    /// A change of a message.
    Change {
        /// The message's room.
        room: RoomId,
        /// The message.
        m: u64,
        /// What the author calls the change.
        nonce: Nonce,
        /// What changes.
        op: Op,
    },
    /// A new room, which is its maker's.
    Create {
        /// What kind of room.
        kind: Kind,
        /// Its name, as [`damso_protocol::name::room`] gave it; direct messages have none.
        name: Option<Arc<str>>,
        /// Who else is in it from the start.
        members: Vec<UserId>,
        /// What those see who come later.
        history: History,
        /// What the author calls it, if it wants to be able to repeat it.
        nonce: Option<Nonce>,
    },
    /// Lets a user into a room: oneself, or somebody one invites.
    Admit {
        /// The room.
        room: RoomId,
        /// Who comes in.
        user: UserId,
    },
    /// Takes a user out of a room: oneself, or somebody one removes.
    Remove {
        /// The room.
        room: RoomId,
        /// Who goes.
        user: UserId,
    },
    /// Changes what a member may do in a room.
    Appoint {
        /// The room.
        room: RoomId,
        /// Whom.
        user: UserId,
        /// What it is from now on.
        member: Member,
    },
    /// Changes a room itself.
    Set {
        /// The room.
        room: RoomId,
        /// What changes.
        setting: Setting,
    },
    /// Lets a program write into a room.
    Hook {
        /// The room.
        room: RoomId,
        /// How the program is shown, as [`damso_protocol::name::person`] gave it.
        name: Arc<str>,
        /// What it will be known by.
        key: KeyHash,
    },
    /// Lets a program write no more.
    Unhook {
        /// The room.
        room: RoomId,
        /// The webhook.
        hook: UserId,
    },
    /// How far the author has read.
    Read {
        /// The room.
        room: RoomId,
        /// The last `seq` read.
        seq: u64,
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
    /// Deletes everything that somebody wrote, a part of the log at a time: each says where to go
    /// on.
    Erase {
        /// Who wrote it.
        user: UserId,
        /// From which message on, in the order of rooms and `seq`; none: from the first.
        from: Option<(RoomId, u64)>,
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
