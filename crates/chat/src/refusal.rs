//! Why a command wasn't done. Codes to branch on; the sentence is made at the edge, in the
//! reader's language.

/// Why a command was refused. Nothing changed, and the author may try again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The author isn't allowed to.
    Forbidden,
    /// There is no such room, member or ban.
    NotFound,
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
    /// The author used this nonce for something else.
    NonceReused,
    /// The log can't take it now, as on a full disk.
    Unavailable,
}

impl Refusal {
    /// The code for the wire (PROTOCOL section 5).
    pub fn code(&self) -> &'static str {
        match self {
            Self::Forbidden | Self::Banned => "forbidden",
            Self::NotFound => "not_found",
            Self::Muted { .. } => "muted",
            Self::RateLimited { .. } => "rate_limited",
            Self::TooBig { .. } => "too_big",
            Self::NonceReused => "nonce_reused",
            Self::Unavailable => "unavailable",
        }
    }
}
