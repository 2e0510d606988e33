//! `cargo xtask bench`: the load generator against the server, both built for release.

use crate::run::{self, cargo, release};
use std::process::Command;

pub fn command(args: &[String]) -> run::Result {
    run::run(&mut cargo(["build", "--release", "-p", "damso", "-p", "damso-bench"]))?;
    run::run(
        Command::new(release("damso-bench"))
            .args(args)
            .env("DAMSO_BIN", release("damso"))
            .current_dir(run::root()),
    )
}
