//! The program from outside: the real binary, real sockets, bytes written by hand. Every test of
//! what goes over a socket runs on all engines.
//!
//! - `tutorial`: the tutorial's chapters, as a list of checks.
//! - `handshake`: opening handshakes of every kind, and HTTP beside them.
//! - `hostile`: peers that break rules, ask for too much, read too little or vanish.
//! - `admin`: the operator's commands: `damso room`, `damso user` and the data folder's socket.
//! - `cli`: flags, exit codes, what is printed.
//! - `first_hour`: `docs/first-hour.md`, run as it stands.
//! - `doctor`: `damso doctor`.
//! - `durable`: what `--data` keeps.
//! - `health`: `/metrics`, `/healthz` and `/readyz`.
//! - `logs`: what never stands in a log.
//! - `send`: `damso send`.
//! - `tls`: the same over TLS, and what only TLS has.
//! - `v1`: damso.v1, and rooms over HTTP.
//! - `verbs`: `damso backup`, `restore`, `verify`, `export`.
//!
//! Nothing here sleeps to let something happen: a test blocks on what it waits for, up to
//! [`client::PATIENCE`], or asks the server itself until it says so.

/// Makes of each `fn name(engine: Engine)` a test for each engine: `event::name` and so on.
macro_rules! all_engines {
    ($($name:ident,)*) => {
        mod event {
            $(#[test] fn $name() { super::$name(crate::server::Engine::Event); })*
        }
        mod threads {
            $(#[test] fn $name() { super::$name(crate::server::Engine::Threads); })*
        }
        #[cfg(target_os = "linux")]
        mod uring {
            $(#[test] fn $name() { super::$name(crate::server::Engine::Uring); })*
        }
    };
}

mod admin;
mod cli;
mod client;
mod doctor;
mod durable;
mod first_hour;
mod handshake;
mod health;
mod hostile;
mod logs;
mod send;
mod server;
mod tls;
mod tutorial;
mod v1;
mod verbs;
