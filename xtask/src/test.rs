//! `cargo xtask test`: what CI runs, stage by stage.
//!
//! The order is by price: what takes a second comes before what compiles, what compiles before what
//! runs. The first failure ends it.

use crate::conformance::{self, Peer};
use crate::run::{self, Failure, cargo, release, root, target};
use crate::{api, chaos, clients, sim, tidy, tools};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

pub struct Stage {
    pub name: &'static str,
    pub help: &'static str,
    run: fn(Size) -> run::Result,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Size {
    /// What fits the budget.
    Usual,
    /// All of Autobahn's cases, and all page tests from an address of the network too.
    Full,
}

/// From a clean clone, on 2 cores.
const BUDGET: Duration = Duration::from_secs(25 * 60);

pub const STAGES: &[Stage] = &[
    Stage {
        name: "tidy",
        help: "documents, sources and crate arrows",
        run: |_| tidy::command(&[]),
    },
    Stage { name: "fmt", help: "rustfmt changes nothing", run: |_| fmt() },
    Stage { name: "clippy", help: "no warning in any target", run: |_| clippy() },
    Stage { name: "doc", help: "rustdoc warns of nothing", run: |_| doc() },
    Stage { name: "test", help: "cargo test of the workspace", run: |_| cargo_test() },
    Stage { name: "fuzz-check", help: "the fuzz targets compile", run: |_| fuzz_check() },
    Stage {
        name: "build",
        help: "the program, for release",
        run: |_| conformance::build_program(),
    },
    Stage {
        name: "sim",
        help: "2,000 seeds of clients, network, server, disk and clock",
        run: |_| sim::command(&[]),
    },
    Stage {
        name: "api",
        help: "schemathesis against the HTTP API: no server error, nothing but what is described",
        run: |_| api::run(),
    },
    Stage {
        name: "clients",
        help: "docs/clients against a server that is killed under them",
        run: |_| clients::run(),
    },
    Stage {
        name: "chaos",
        help: "killed, cut off, without power or room: nothing acknowledged is lost",
        run: chaos,
    },
    Stage { name: "conformance", help: "Autobahn: all engines and the client role", run: autobahn },
    Stage { name: "web", help: "the pages: node --test, types, then browsers", run: web },
];

/// What of Autobahn the usual run takes: of the two groups on compression, which are long, only the
/// first part.
const USUAL_CASES: &str = "1.*,2.*,3.*,4.*,5.*,6.*,7.*,9.*,10.*,12.1.*,13.1.*";
/// All but compression.
const PLAIN_CASES: &str = "1.*,2.*,3.*,4.*,5.*,6.*,7.*,9.*,10.*";

pub fn command(args: &[String]) -> run::Result {
    let mut size = Size::Usual;
    let mut names = Vec::new();
    for arg in args {
        match arg.as_str() {
            "--full" => size = Size::Full,
            name if STAGES.iter().any(|stage| stage.name == name) => names.push(name),
            other => {
                let all: Vec<_> = STAGES.iter().map(|stage| stage.name).collect();
                return Err(Failure::usage(format!(
                    "no stage {other}; there are {}",
                    all.join(", ")
                )));
            }
        }
    }
    let chosen = STAGES.iter().filter(|stage| names.is_empty() || names.contains(&stage.name));
    let started = Instant::now();
    let mut rows = Vec::new();
    let mut outcome = Ok(());
    for stage in chosen {
        println!("\n=== {}: {}", stage.name, stage.help);
        let stage_started = Instant::now();
        outcome = (stage.run)(size);
        let seconds = stage_started.elapsed().as_secs_f32();
        println!("=== {}: {seconds:.1} s", stage.name);
        rows.push((stage.name, seconds, if outcome.is_ok() { "ok" } else { "FAILED" }));
        if outcome.is_err() {
            break;
        }
    }
    print_summary(&rows, started.elapsed());
    outcome.map_err(|failure| {
        let (stage, ..) = rows[rows.len() - 1];
        let full = if size == Size::Full { "--full " } else { "" };
        let whole = format!("cargo xtask test {full}{stage}");
        let again =
            failure.again.as_ref().map_or(String::new(), |line| format!("\n  or only: {line}"));
        Failure::new(format!("stage {stage}: {failure}\n  to run it again: {whole}{again}"))
    })
}

fn print_summary(rows: &[(&str, f32, &str)], total: Duration) {
    println!("\n{:<14}{:>8}", "stage", "seconds");
    for (name, seconds, outcome) in rows {
        println!("{name:<14}{seconds:>8.1}  {outcome}");
    }
    println!("{:<14}{:>8.1}  of {}", "total", total.as_secs_f32(), BUDGET.as_secs());
}

fn fmt() -> run::Result {
    tools::need(&[tools::RUSTFMT])?;
    run::run(&mut cargo(["fmt", "--all", "--check"]))
}

fn clippy() -> run::Result {
    tools::need(&[tools::CLIPPY])?;
    run::run(&mut cargo(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

/// After clippy, because it takes the dependencies' metadata from there.
fn doc() -> run::Result {
    run::run(cargo(["doc", "--no-deps", "--workspace"]).env("RUSTDOCFLAGS", "-D warnings"))
}

fn cargo_test() -> run::Result {
    // They wait for servers more than they work.
    run::run(cargo(["test", "--workspace"]).env("RUST_TEST_THREADS", "8"))
}

fn fuzz_check() -> run::Result {
    let manifest = root().join("fuzz/Cargo.toml");
    if !manifest.exists() {
        println!("no fuzz/Cargo.toml yet");
        return Ok(());
    }
    tools::need(&[tools::CXX])?;
    // A target folder of its own: its features differ, and would make the others build again.
    run::run(
        cargo(["check", "--manifest-path", "fuzz/Cargo.toml"])
            .env("CARGO_TARGET_DIR", target().join("fuzz")),
    )
}

fn autobahn(size: Size) -> run::Result {
    if size == Size::Full {
        return conformance::referee(&Peer::ALL, "*", false);
    }
    conformance::referee(&[Peer::Uring], USUAL_CASES, false)?;
    // Compression is the connection's, which is the same for all.
    conformance::referee(&[Peer::Event, Peer::Threads, Peer::Client], PLAIN_CASES, false)
}

fn chaos(size: Size) -> run::Result {
    let full = (size == Size::Full).then(|| "--full".to_owned());
    chaos::command(full.as_slice())
}

fn web(size: Size) -> run::Result {
    let folder = tools::web()?;
    let tests = scripts("web/test", ".test.mjs")?;
    run::run(Command::new("node").arg("--test").args(tests).current_dir(root()))?;
    run::run(Command::new("npm").args(["run", "--silent", "check"]).current_dir(&folder))?;
    conformance::build_program()?;
    let all = scripts("web/test/browser", ".mjs")?;
    browse("loopback", &all, size)?;
    // From an address of the network a page is no secure context.
    let is_usual = |path: &PathBuf| LAN_TESTS.iter().any(|name| path.ends_with(name));
    let lan: Vec<PathBuf> =
        all.into_iter().filter(|path| size == Size::Full || is_usual(path)).collect();
    browse("lan", &lan, size)
}

/// What the usual run does from an address of the network too.
const LAN_TESTS: [&str; 1] = ["app.mjs"];

/// Two at a time: they wait more than they work.
fn browse(address: &str, tests: &[PathBuf], size: Size) -> run::Result {
    let started = Instant::now();
    let mut node = Command::new("node");
    node.args(["--test", "--test-concurrency=2", "--test-reporter=spec"])
        .args(tests)
        .env("DAMSO_BIN", release("damso"))
        .env("SCREENSHOTS", target().join("screenshots").join(address))
        .env("WEB_ADDRESS", address)
        .current_dir(root());
    if size == Size::Full {
        node.env("WEB_SIZE", "full");
    }
    run::run(&mut node)?;
    println!("browsers, {address}: {:.1} s", started.elapsed().as_secs_f32());
    Ok(())
}

/// What lies in a folder with this ending; node 20 has no patterns of its own.
fn scripts(folder: &str, ending: &str) -> run::Result<Vec<PathBuf>> {
    let unreadable = |error| Failure::new(format!("{folder} is unreadable: {error}"));
    let mut scripts = Vec::new();
    for entry in std::fs::read_dir(root().join(folder)).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        if name.to_str().is_some_and(|name| name.ends_with(ending)) {
            scripts.push(PathBuf::from(folder).join(name));
        }
    }
    scripts.sort();
    if scripts.is_empty() {
        return Err(Failure::new(format!("{folder} holds no *{ending}")));
    }
    Ok(scripts)
}
