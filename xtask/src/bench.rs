//! `cargo xtask bench`: the load generator against the server, both built for release; `bench web`:
//! what people wait for in the browser client.

use crate::run::{self, cargo, release, root};
use crate::{conformance, tools};
use std::process::Command;

pub fn command(args: &[String]) -> run::Result {
    if let Some(("web", words)) = args.split_first().map(|(first, rest)| (&**first, rest)) {
        return web(words);
    }
    run::run(&mut cargo(["build", "--release", "-p", "damso", "-p", "damso-bench"]))?;
    run::run(
        Command::new(release("damso-bench"))
            .args(args)
            .env("DAMSO_BIN", release("damso"))
            .current_dir(root()),
    )
}

/// `cc`, which comes with the C++ compiler, makes the shim that slows fsync as an SD card does.
fn web(words: &[String]) -> run::Result {
    tools::need(&[tools::CXX])?;
    tools::web()?;
    conformance::build_program()?;
    run::run(
        Command::new("node")
            .arg("web/test/bench.mjs")
            .args(words)
            .env("DAMSO_BIN", release("damso"))
            .current_dir(root()),
    )
}
