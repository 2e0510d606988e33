//! What the chat is: who may do what, what happened, and who hears of it.
//!
//! Pure and deterministic: no I/O, no clock, no randomness, no threads. Time and identifiers are
//! arguments, and the same inputs in the same order give the same outputs.
//!
//! A [`Command`] is what somebody asks for. [`decide()`] judges it against a [`State`] in log order
//! and turns it into an [`Event`] (what happened) or a [`Refusal`]. A `State` changes only by
//! [`State::apply`]. The store owns one copy to judge by, the [`hub::Hub`] another to route by.

pub mod command;
pub mod current;
pub mod decide;
pub mod event;
pub mod fingerprint;
pub mod hub;
mod mention;
mod permission;
pub mod refusal;
pub mod search;
pub mod state;

pub use command::{Author, Command, Entry, KeyHash, Role, Setting, Target};
pub use current::Current;
pub use decide::{Accepted, Decision, Lookup, Written, decide};
pub use event::{Change, Event, Member, Mention, Message, Op, RoomEvent, What};
pub use fingerprint::Fingerprint;
pub use refusal::Refusal;
pub use state::State;
