//! The crate from outside: bytes in, events and bytes out.

mod closing;
mod corpus;
mod deflate;
mod fragments;
mod frames;
mod handshake;
mod memory;
mod peer;
mod properties;
mod targets;
mod timers;
