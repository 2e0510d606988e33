//! damso.v1: the messages of both directions, as JSON objects with their kind in `t`
//! (PROTOCOL sections 2 and 3).
//!
//! Every type reads and writes both ways, since a server writes what a client reads. What is
//! absent isn't written, and fields that aren't known are ignored, so that either side may be the
//! newer one.
//!
//! A reader first takes a message's head ([`client::Head`], [`server::Head`]) and then its own
//! struct, which has no field `t`: so an error can name its command, and an event of an unknown
//! kind still counts by its `seq`.

pub mod client;
pub mod server;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use std::fmt;

/// The name of this dialect in `Sec-WebSocket-Protocol`.
pub const SUBPROTOCOL: &str = "damso.v1";

/// `welcome.v`.
pub const VERSION: u32 = 1;

/// The most messages in a page.
pub const PAGE_MESSAGES_MAX: u32 = 100;

/// The messages in a page if `limit` doesn't say.
pub const PAGE_MESSAGES: u32 = 50;

/// The highest number that every JSON reader keeps as it is: 2^53 - 1.
pub const NUMBER_MAX: u64 = (1 << 53) - 1;

/// How many events `open` replays if its `max` doesn't say.
pub const REPLAY_EVENTS: u64 = 500;

/// The most users in a `watch`.
pub const WATCHED_USERS_MAX: usize = 200;

/// The numbers of Close frames (PROTOCOL section 5).
pub mod close {
    /// The page was left; to plain peers also: the server stops.
    pub const GOING_AWAY: u16 = 1001;
    /// More bytes than a message may have.
    pub const TOO_BIG: u16 = 1009;
    /// The server restarts; `bye.retry` says when to come back.
    pub const RESTART: u16 = 1012;
    /// Three frames that nobody could read.
    pub const PROTOCOL: u16 = 4000;
    /// The key or token doesn't hold any more: sign in again. Clients don't reconnect.
    pub const SIGN_IN: u16 = 4001;
    /// Banned. Clients don't reconnect.
    pub const BANNED: u16 = 4003;
    /// No accepted `hello` in time, or nothing heard for too long.
    pub const SILENT: u16 = 4008;
    /// More connections than the user, the address or the server may have.
    pub const TOO_MANY: u16 = 4013;
    /// Far more commands than the limits allow.
    pub const FLOOD: u16 = 4029;
    /// The peer took no byte for too long.
    pub const READS_NOTHING: u16 = 4030;

    /// Whether a client comes back by itself after a close with this number.
    pub fn may_reconnect(code: u16) -> bool {
        !matches!(code, SIGN_IN | BANNED)
    }
}

/// Why a command was refused, for programs to branch on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// Somebody else holds the name.
    NameTaken,
    /// The frame was no JSON object with a `t`.
    BadJson,
    /// No message has this `t`.
    BadType,
    /// A field is absent, of another type, or not one of its values.
    BadField,
    /// Longer than a text may be.
    TooBig,
    /// `hello` comes first, or wasn't accepted.
    Unauthorized,
    /// The author isn't allowed to.
    Forbidden,
    /// There is no such room, message or user.
    NotFound,
    /// The message was deleted.
    Gone,
    /// The author may not write.
    Muted,
    /// The room takes a message of the same author only so often.
    SlowMode,
    /// More than the author may do at a time.
    RateLimited,
    /// The author used this nonce for something else.
    NonceReused,
    /// The server has no more room: of connections, guests, open rooms.
    Full,
    /// Not now, as on a full disk.
    Unavailable,
    /// The server's own fault.
    Internal,
    /// One that a later version added.
    #[serde(other)]
    Unknown,
}

impl ErrorCode {
    /// The code as it travels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NameTaken => "name_taken",
            Self::BadJson => "bad_json",
            Self::BadType => "bad_type",
            Self::BadField => "bad_field",
            Self::TooBig => "too_big",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Gone => "gone",
            Self::Muted => "muted",
            Self::SlowMode => "slow_mode",
            Self::RateLimited => "rate_limited",
            Self::NonceReused => "nonce_reused",
            Self::Full => "full",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is done to a message.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeOp {
    /// It says `text` from now on.
    Edit,
    /// It says nothing any more.
    Delete,
    /// The author reacts with `emoji`.
    React,
    /// The author takes `emoji` back.
    Unreact,
    /// It is put up for all to see.
    Pin,
    /// It is taken down.
    Unpin,
}

/// Whether a flag is written: only if it is set.
fn is_unset(flag: &bool) -> bool {
    !*flag
}
