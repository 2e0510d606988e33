//! The words of the wire: identifiers, limits, the plain dialect's text rules and damso.v1's
//! messages.
//!
//! Nothing here reads a socket, a clock or a file; every other crate that talks about the chat
//! from outside shares these words.

pub mod id;
pub mod limits;
pub mod name;
pub mod plain;
pub mod v1;

pub use id::{Nonce, RoomId, UserId};
pub use limits::Limits;
