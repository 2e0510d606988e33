//! damso.v1's client rules (PROTOCOL section 4): no gap, no duplicate, nothing lost on the way out.
//!
//! - [`Client`] is the machine: text and time go in, text and [`Notice`]s come out. It reads no
//!   clock, opens no socket and draws no random number.
//! - [`driver::Session`] joins it to a socket and a clock, for programs that need no more than that;
//!   [`wire::Wire`] is that socket, with TLS or without.
//!
//! The scenarios in `vectors/` say what any implementation of these rules does, in a form that
//! other languages can read; the browser's must pass them too.

mod client;
pub mod driver;
mod notice;
mod outbox;
mod room;
mod saved;
mod timeline;
pub mod wire;

pub use client::{Client, CommandError, Config, Link, Stop};
pub use notice::{Notice, Output};
pub use outbox::{Act, Entry};
pub use room::Room;
pub use saved::{Saved, Waiting};
pub use timeline::{Message, Range, Reactions, Timeline};
