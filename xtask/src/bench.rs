//! `cargo xtask bench`: the load generator against the server and its peers, all built for release, as one table in
//! docs/benchmarks.md; `bench web`: what people wait for in the browser client.

use crate::run::{self, cargo, release, root, target};
use crate::{conformance, tools};
use std::process::Command;

pub fn command(args: &[String]) -> run::Result {
    if let Some(("web", words)) = args.split_first().map(|(first, rest)| (&**first, rest)) {
        return web(words);
    }
    run::run(&mut cargo(["build", "--release", "-p", "damso", "-p", "damso-bench"]))?;
    let mut bench = Command::new(release("damso-bench"));
    bench.args(args);
    if is_whole_table(args) {
        tools::need(&tools::PEERS)?;
        // What is written when the last run is made; until then the runs are kept, and not made again.
        bench.arg("--docs").arg("docs/benchmarks.md");
        bench.arg("--resume").arg(target().join("bench/fan-out"));
    }
    run::run(bench.env("DAMSO_BIN", release("damso")).current_dir(root()))
}

/// Whether this measures all servers under all loads, so that the document is to have it.
fn is_whole_table(args: &[String]) -> bool {
    let is_table = args.first().is_none_or(|first| first == "table" || first.starts_with("--"));
    let chooses = ["--only", "--row", "--peer", "--cores", "--help"];
    is_table && !args.iter().any(|word| chooses.contains(&word.as_str()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_table_goes_into_the_document() {
        let words = |line: &str| line.split_whitespace().map(String::from).collect::<Vec<_>>();
        for line in ["", "--rounds 5", "table --seconds 2"] {
            assert!(is_whole_table(&words(line)), "{line}");
        }
        for line in ["--only bun", "idle", "table --row 10,64,1", "fanout bun", "help"] {
            assert!(!is_whole_table(&words(line)), "{line}");
        }
    }
}
