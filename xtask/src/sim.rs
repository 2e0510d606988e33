//! `cargo xtask sim`: the chat under seeds that decide everything (crates/sim).

use crate::run::{self, cargo, release};
use std::process::Command;

/// Builds the simulator for release, beside the program, and gives it the arguments.
pub fn command(args: &[String]) -> run::Result {
    run::run(&mut cargo(["build", "--release", "-p", "damso-sim"]))?;
    run::run(Command::new(release("damso-sim")).args(args).current_dir(run::root()))
}
