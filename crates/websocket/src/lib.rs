//! The WebSocket protocol (RFC 6455) and its compression (RFC 7692), both roles, without I/O.
//!
//! Nothing here opens a socket, reads a clock, draws a random number or starts a thread: bytes,
//! time and masking keys come in as arguments, events and bytes go out. Nothing here knows what is
//! said over the connection either.
//!
//! - [`handshake`]: the opening handshake. A server parses a [`Request`], checks it with
//!   [`Opening::check`] and answers with [`Opening::accept`] or a [`Rejection`]; a client drives a
//!   [`ClientHandshake`].
//! - [`Connection`]: everything after it. Bytes in, [`Event`]s and bytes out, deadlines, the
//!   closing handshake.
//! - [`frame`]: frames for many at once. A server frame isn't masked, so that one encoding serves
//!   every subscriber.
//! - [`deflate`]: permessage-deflate, from the negotiation to the bytes.
//!
//! What a peer may do wrong is a [`Violation`], which names the close code it earns; it never
//! surfaces as an `Err`. Each requirement of both RFCs stands in `docs/rfc.md` beside the function
//! that keeps it and the test that proves it.

pub mod close;
mod connection;
pub mod deflate;
pub mod frame;
pub mod handshake;
pub mod mask;
mod message;
mod output;
mod timer;
mod violation;

pub use close::{Cause, CloseFrame, Closed};
pub use connection::{Config, Connection, Event, Input, Limits, SendError, Status};
pub use frame::Opcode;
pub use handshake::client::{ClientHandshake, Established, HandshakeError};
pub use handshake::request::{Opening, Request};
pub use handshake::{HeadLimits, Rejection};
pub use timer::Timing;
pub use violation::Violation;
