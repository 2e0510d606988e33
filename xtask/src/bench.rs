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
    if let Some(command) = whole(args) {
        tools::need(&tools::PEERS)?;
        // What is written when the last run is made; until then the table's runs are kept, and not made again.
        bench.arg("--docs").arg("docs/benchmarks.md");
        if command == "table" {
            bench.arg("--resume").arg(target().join("bench/fan-out"));
        }
    }
    run::run(bench.env("DAMSO_BIN", release("damso")).current_dir(root()))
}

/// The commands that have a place in the document.
const WHOLE: [&str; 10] =
    ["table", "idle", "rate", "rooms", "slow", "deflate", "tls", "storm", "shards", "network"];

/// The command, if it measures all servers in the usual way, so that the document is to have it.
fn whole(args: &[String]) -> Option<&str> {
    let chooses = [
        "--only",
        "--row",
        "--peer",
        "--cores",
        "--connections",
        "--subscribers",
        "--clients",
        "--docs",
        "--faulty",
        "--help",
    ];
    if args.iter().any(|word| chooses.contains(&word.as_str())) {
        return None;
    }
    let first = args.first().map_or("table", String::as_str);
    let command = if first.starts_with("--") { "table" } else { first };
    WHOLE.contains(&command).then_some(command)
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
    fn only_whole_tables_go_into_the_document() {
        let words = |line: &str| line.split_whitespace().map(String::from).collect::<Vec<_>>();
        for line in ["", "--rounds 5", "table --seconds 2"] {
            assert_eq!(whole(&words(line)), Some("table"), "{line}");
        }
        assert_eq!(whole(&words("idle --rounds 1")), Some("idle"));
        assert_eq!(whole(&words("storm")), Some("storm"));
        for line in [
            "--only bun",
            "idle --only bun",
            "table --row 10,64,1",
            "fanout bun",
            "rate --faulty",
            "help",
        ] {
            assert_eq!(whole(&words(line)), None, "{line}");
        }
    }
}
