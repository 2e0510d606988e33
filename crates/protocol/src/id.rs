//! Identifiers, each a type of its own so that none is taken for another.

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

/// Hashes identifiers that the server gave. Peers can't choose these, so a hash that is far cheaper
/// than the standard library's, under a random key too, is as safe.
pub type Hashing = foldhash::fast::RandomState;

/// A map by such identifiers.
pub type Map<K, V> = HashMap<K, V, Hashing>;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps `text`; cheap to clone afterwards.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The identifier as it travels.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                text(deserializer).map(Self)
            }
        }
    };
}

/// Reads a text in one allocation; serde's own way to an `Arc<str>` takes two and a copy more.
pub(crate) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<str>, D::Error> {
    struct Text;

    impl Visitor<'_> for Text {
        type Value = Arc<str>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Arc<str>, E> {
            Ok(text.into())
        }
    }

    deserializer.deserialize_str(Text)
}

text_id! {
    /// A room. The room that everybody is in is [`RoomId::lobby`].
    RoomId
}
text_id! {
    /// A user. Each connection of the plain dialect is a user of its own.
    UserId
}
text_id! {
    /// What an author calls a command, so that a repetition is known as one
    /// (PROTOCOL section 5, G4).
    Nonce
}

impl Nonce {
    /// Whether it may be one: 1 to 64 of `[A-Za-z0-9_-]`.
    pub fn is_well_formed(&self) -> bool {
        (1..=64).contains(&self.0.len())
            && self
                .0
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    }
}

impl RoomId {
    /// The tutorial's one room, which everybody enters.
    pub fn lobby() -> Self {
        static LOBBY: LazyLock<RoomId> = LazyLock::new(|| RoomId::new("lobby"));
        LOBBY.clone()
    }
}
