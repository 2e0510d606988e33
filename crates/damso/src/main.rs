//! `damso`: a chat server in one binary.

use damso::admin::verb;
use damso::args::{self, Action};
use damso::{config, doctor, echo, process, send, serve, verbs};
use std::process::ExitCode;

fn main() -> ExitCode {
    let result = match args::parse(std::env::args_os()) {
        Ok(Action::Print(text)) => {
            process::print(&text);
            return ExitCode::SUCCESS;
        }
        Ok(Action::PrintWithSettings(text)) => {
            process::print(&(text + &config::reference()));
            return ExitCode::SUCCESS;
        }
        Ok(Action::Serve(args)) => serve::run(&args),
        Ok(Action::Send(args)) => send::run(&args),
        Ok(Action::Backup(args)) => verbs::backup(&args),
        Ok(Action::Restore(args)) => verbs::restore(&args),
        Ok(Action::Verify(args)) => verbs::verify(&args),
        Ok(Action::Export(args)) => verbs::export(&args),
        Ok(Action::Room(args)) => verb::run("room", &args),
        Ok(Action::User(args)) => verb::run("user", &args),
        Ok(Action::Doctor(args)) => doctor::run(&args),
        Ok(Action::Echo(args)) => echo::run(&args),
        Err(usage) => Err(usage),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            process::complain(&format!("damso: {}", failure.sentence));
            ExitCode::from(failure.code)
        }
    }
}
