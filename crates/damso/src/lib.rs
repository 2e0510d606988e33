//! The program: sockets, sessions and dialects around the chat, and everything an operator sees.
//!
//! `main.rs` is thin; it parses arguments and calls [`serve::run`] or [`echo::run`].

pub mod admin;
pub mod args;
pub mod clock;
pub mod config;
pub mod dialect;
pub mod doctor;
pub mod echo;
pub mod engine;
pub mod feed;
pub mod http;
pub mod hub;
pub mod lang;
pub mod listen;
pub mod logs;
pub mod metrics;
pub mod process;
pub mod readers;
pub mod relay;
pub mod send;
pub mod serve;
pub mod session;
pub mod shard;
pub mod tls;
pub mod verbs;
