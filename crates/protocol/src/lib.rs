//! The words of the wire: identifiers, limits and the plain dialect's text rules.
//!
//! Nothing here reads a socket, a clock or a file; every other crate that talks about the chat
//! from outside shares these words.

pub mod id;
pub mod limits;
pub mod plain;

pub use id::{Nonce, RoomId, UserId};
pub use limits::Limits;
