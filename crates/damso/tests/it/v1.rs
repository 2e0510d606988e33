//! damso.v1: what PROTOCOL promises, said and heard as JSON by hand.

pub(crate) mod api;
mod erase;
mod hello;
mod hooks;
mod hostile;
pub(crate) mod messages;
mod notices;
pub(crate) mod peer;
pub(crate) mod resume;
mod rooms;
mod search;

use crate::server::{Engine, Server, damso, scratch};
use std::path::PathBuf;

/// Settings without limits on how fast anything may come.
const LIFTED: [&str; 6] = [
    "--set",
    "limits.send_per_second=0",
    "--set",
    "limits.commands_per_second=0",
    "--set",
    "limits.guests_per_address=0",
];

/// A chat in memory, without limits.
fn chat(engine: Engine) -> Server {
    engine.serve(&LIFTED)
}

/// A data folder, gone with its test.
struct Data(PathBuf);

impl Data {
    fn new(engine: Engine, test: &str) -> Self {
        Self(scratch(engine.name(), test))
    }

    /// A chat in this folder, without limits.
    fn serve(&self, engine: Engine) -> Server {
        self.serve_with(engine, &[])
    }

    fn serve_with(&self, engine: Engine, flags: &[&str]) -> Server {
        let mut command = damso(&["--listen", "127.0.0.1:0", "--engine", engine.name()]);
        command.arg("--data").arg(&self.0).args(LIFTED).args(flags);
        Server::start(command)
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
