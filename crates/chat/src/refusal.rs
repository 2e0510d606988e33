//! Why a command wasn't done. Codes to branch on; the sentence is made at the edge, in the
//! reader's language.

use damso_protocol::name::BadName;
use damso_protocol::v1::ErrorCode;

/// Why a command was refused. Nothing changed, and the author may try again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// Nobody is known by this key.
    Unauthorized,
    /// The author isn't allowed to.
    Forbidden,
    /// There is no such room, member, message or ban, or none that the author may know of.
    NotFound,
    /// The message was deleted.
    Gone,
    /// The room is archived.
    Archived,
    /// The author may not write until then (ms since 1970); none: for good.
    Muted {
        /// When the mute ends.
        until: Option<u64>,
    },
    /// The author's address is kept out.
    Banned,
    /// More than the author may do at a time.
    RateLimited {
        /// When it may be tried again, in ms from now.
        retry: u64,
    },
    /// The text is longer than a message may be.
    TooBig {
        /// How long it is, in characters.
        chars: usize,
        /// How long it may be.
        limit: usize,
    },
    /// A field isn't as it has to be: which, and what is wrong.
    BadField(&'static str),
    /// Nobody can be called that.
    BadName(BadName),
    /// Somebody else is called that.
    NameTaken {
        /// A name like it that is free.
        suggest: String,
    },
    /// The author used this nonce for something else.
    NonceReused,
    /// There are as many as there may be: of what.
    Full(&'static str),
    /// The log can't take it now, as on a full disk.
    Unavailable,
}

impl Refusal {
    /// The code for the wire (PROTOCOL section 5).
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Unauthorized => ErrorCode::Unauthorized,
            Self::Forbidden | Self::Banned | Self::Archived => ErrorCode::Forbidden,
            Self::NotFound => ErrorCode::NotFound,
            Self::Gone => ErrorCode::Gone,
            Self::Muted { .. } => ErrorCode::Muted,
            Self::RateLimited { .. } => ErrorCode::RateLimited,
            Self::TooBig { .. } => ErrorCode::TooBig,
            Self::BadField(_) | Self::BadName(_) => ErrorCode::BadField,
            Self::NameTaken { .. } => ErrorCode::NameTaken,
            Self::NonceReused => ErrorCode::NonceReused,
            Self::Full(_) => ErrorCode::Full,
            Self::Unavailable => ErrorCode::Unavailable,
        }
    }
}
