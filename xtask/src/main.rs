//! Everything about this repository that is more than one cargo command: what CI runs, the
//! conformance suite, the checks of the tree, the benchmark.
//!
//! It depends on the standard library only, because every `cargo xtask` compiles it first, and on
//! no crate of ours, so that it works while they don't.

mod api;
mod bench;
mod chaos;
mod clients;
mod conformance;
mod run;
mod sim;
mod test;
mod tidy;
mod tools;

use run::Failure;
use std::process::ExitCode;

struct Command {
    name: &'static str,
    args: &'static str,
    help: &'static str,
    run: fn(&[String]) -> run::Result,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "test",
        args: "[--full] [STAGE…]",
        help: "all that CI runs, or only the stages named; --full: all of Autobahn",
        run: test::command,
    },
    Command {
        name: "conformance",
        args: "[--engine event|threads|uring|client] [--cases PATTERNS] [--strict]",
        help: "Autobahn's 517 cases, or those like 1.*,7.1.*, on all engines and the client",
        run: conformance::command,
    },
    Command {
        name: "tidy",
        args: "",
        help: "checks of the tree that need no build: documents, sources, crate arrows",
        run: tidy::command,
    },
    Command {
        name: "bench",
        args: "[ARGS…] | web [PARTS…]",
        help: "builds the server and the load generator, and runs the latter; or the browser client's",
        run: bench::command,
    },
    Command {
        name: "chaos",
        args: "[--full] [--power] [--seed N]",
        help: "kills, a hostile network, a full disk, power cuts: nothing that was acknowledged is lost",
        run: chaos::command,
    },
    Command {
        name: "sim",
        args: "[--seed N | --seeds A..B] [--write-test]",
        help: "clients, network, server, disk and clock under one seed, printed; or 2,000 of them",
        run: sim::command,
    },
    Command { name: "help", args: "", help: "this list", run: help },
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let name = match args.first().map(String::as_str) {
        None | Some("-h" | "--help") => "help",
        Some(name) => name,
    };
    let outcome = match COMMANDS.iter().find(|command| command.name == name) {
        Some(command) => (command.run)(args.get(1..).unwrap_or_default()),
        None => Err(Failure::usage(format!("there is no command {name}; see cargo xtask help"))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            failure.exit_code()
        }
    }
}

fn help(_: &[String]) -> run::Result {
    println!("cargo xtask COMMAND\n");
    for command in COMMANDS {
        let usage = [command.name, command.args].join(" ");
        println!("  {}\n      {}", usage.trim_end(), command.help);
    }
    println!("\nstages of cargo xtask test, in this order:\n");
    for stage in test::STAGES {
        println!("  {:<12} {}", stage.name, stage.help);
    }
    Ok(())
}
