//! The command line, as typed. What it means is resolved in [`crate::config`].

use crate::admin::table;
use crate::lang::Lang;
use crate::process::Failure;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;

/// The longest that `damso send` may be told to try, in seconds: a year.
const WAIT_SECONDS_MAX: u64 = 365 * 24 * 60 * 60;

/// What the command line asks for.
#[derive(Debug)]
pub enum Action {
    /// Print this and end.
    Print(String),
    /// Print this and every setting, and end.
    PrintWithSettings(String),
    /// Run the chat.
    Serve(ServeArgs),
    /// Send one message.
    Send(SendArgs),
    /// Copy the log into a file.
    Backup(FileArgs),
    /// Make a data folder from such a file.
    Restore(FileArgs),
    /// Look whether the log is in order.
    Verify(DataArgs),
    /// Write the log as JSON.
    Export(DataArgs),
    /// Have the running server do something to rooms.
    Room(AdminArgs),
    /// Have the running server do something to users.
    User(AdminArgs),
    /// Look for what is wrong.
    Doctor(DoctorArgs),
    /// Run the echo server.
    Echo(EchoArgs),
}

#[derive(Parser, Debug)]
#[command(
    name = "damso",
    version,
    about = "A chat for your group, in one binary",
    disable_help_subcommand = true,
    args_conflicts_with_subcommands = true
)]
struct Cli {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    serve: ServeArgs,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Run the chat (this is what damso does without a verb)
    Serve(ServeArgs),
    /// Send one message, for scripts
    Send(SendArgs),
    /// Copy everything into one file, also while damso runs
    Backup(FileArgs),
    /// Make an empty data folder anew from a backup
    #[command(hide = true)]
    Restore(FileArgs),
    /// Look whether everything in the data folder is in order
    #[command(hide = true)]
    Verify(DataArgs),
    /// Write everything to stdout as JSON, an object a line
    #[command(hide = true)]
    Export(DataArgs),
    /// Administer rooms of the running server
    Room(AdminArgs),
    /// Administer users of the running server
    User(AdminArgs),
    /// Look at the machine, the folder and the proxy: what is wrong, and how to mend it
    Doctor(DoctorArgs),
    /// Send every WebSocket message back, for conformance suites
    #[command(hide = true)]
    Echo(EchoArgs),
    /// Show help; `damso help all` shows everything
    Help {
        /// `all`, for everything
        topic: Option<String>,
    },
}

/// Flags of `damso serve`, as typed.
#[derive(Args, Debug, Default, Clone)]
pub struct ServeArgs {
    /// Where to listen; may be given more than once; port 0 picks one
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Vec<String>,
    /// Listen on the network address too, and print a QR code
    #[arg(long)]
    pub lan: bool,
    /// Keep everything in this folder; default ./damso-data
    #[arg(long, value_name = "DIR", conflicts_with = "memory")]
    pub data: Option<PathBuf>,
    /// Keep nothing on disk, for trials
    #[arg(long)]
    pub memory: bool,
    /// How to serve connections: event, uring, threads or auto
    #[arg(long, value_name = "NAME", hide = true)]
    pub engine: Option<String>,
    /// How many loops the engine runs; threads has none
    #[arg(long, value_name = "N", hide = true)]
    pub shards: Option<usize>,
    /// Let pages of this origin use the chat; * lets all
    #[arg(long, value_name = "ORIGIN", hide = true)]
    pub allow_origin: Vec<String>,
    /// Serve under this host name too
    #[arg(long, value_name = "NAME", hide = true)]
    pub allow_host: Vec<String>,
    /// Speak https, with this certificate (PEM); its key is --tls-key's
    #[arg(long, value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// The key of --tls-cert (PEM)
    #[arg(long, value_name = "FILE", hide = true)]
    pub tls_key: Option<PathBuf>,
    /// Read settings from a TOML file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Set any setting
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    pub set: Vec<String>,
    /// What to log on stderr: error, warn, info or debug
    #[arg(long, value_name = "LEVEL", hide = true)]
    pub log: Option<String>,
    /// Don't read lines from stdin
    #[arg(long, hide = true)]
    pub no_console: bool,
}

/// Words and flags of `damso send`, as typed.
#[derive(Args, Debug, Clone)]
pub struct SendArgs {
    /// The room: its id or name, as `lobby`
    pub room: String,
    /// What to say; `-` or nothing: what stdin has
    pub text: Option<String>,
    /// The server
    #[arg(long, value_name = "URL", default_value = "ws://localhost:8765")]
    pub url: String,
    /// How a new sender wants to be called; default: the user's name
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// How long to try, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30,
        value_parser = clap::value_parser!(u64).range(..=WAIT_SECONDS_MAX))]
    pub wait: u64,
}

/// Which data folder, as typed.
#[derive(Args, Debug, Default, Clone)]
pub struct DataArgs {
    /// The data folder; default ./damso-data
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Read settings from a TOML file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Words and flags of `damso backup` and `damso restore`, as typed.
#[derive(Args, Debug, Clone)]
pub struct FileArgs {
    /// The backup
    pub file: PathBuf,
    /// Which data folder.
    #[command(flatten)]
    pub data: DataArgs,
}

/// Words and flags of `damso room` and `damso user`, as typed.
#[derive(Args, Debug, Default, Clone)]
pub struct AdminArgs {
    /// What to do, as below; a word with spaces in quotes, as everywhere in a shell
    #[arg(value_name = "COMMAND")]
    pub words: Vec<String>,
    /// Which data folder.
    #[command(flatten)]
    pub data: DataArgs,
}

/// Flags of `damso doctor`, as typed.
#[derive(Args, Debug, Default, Clone)]
pub struct DoctorArgs {
    /// Which data folder.
    #[command(flatten)]
    pub data: DataArgs,
    /// Where damso listens, or is to; default 127.0.0.1:8765
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Vec<String>,
    /// The address that people open, to try the way through a proxy
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
}

/// Flags of `damso echo`, as typed.
#[derive(Args, Debug, Default, Clone)]
pub struct EchoArgs {
    /// Where to listen; may be given more than once; port 0 picks one
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Vec<String>,
    /// How to serve connections: event, uring, threads or auto
    #[arg(long, value_name = "NAME")]
    pub engine: Option<String>,
    /// What to log on stderr: error, warn, info or debug
    #[arg(long, value_name = "LEVEL")]
    pub log: Option<String>,
}

/// Reads a command line, whose first word is the program's name.
///
/// # Errors
/// One sentence about what can't be understood.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Action, Failure> {
    let lang = Lang::of_environment();
    let mut command = Cli::command();
    for verb in ["room", "user"] {
        let rows = format!("Commands:\n{}", table::help_of(verb, lang));
        command = command.mut_subcommand(verb, |verb| verb.after_help(rows));
    }
    let matches = match command.try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(error) => return not_an_action(&error),
    };
    let cli = Cli::from_arg_matches(&matches).map_err(|error| usage(&error))?;
    match cli.verb {
        None => Ok(Action::Serve(cli.serve)),
        Some(Verb::Serve(args)) => Ok(Action::Serve(args)),
        Some(Verb::Send(args)) => Ok(Action::Send(args)),
        Some(Verb::Backup(args)) => Ok(Action::Backup(args)),
        Some(Verb::Restore(args)) => Ok(Action::Restore(args)),
        Some(Verb::Verify(args)) => Ok(Action::Verify(args)),
        Some(Verb::Export(args)) => Ok(Action::Export(args)),
        Some(Verb::Room(args)) => Ok(Action::Room(args)),
        Some(Verb::User(args)) => Ok(Action::User(args)),
        Some(Verb::Doctor(args)) => Ok(Action::Doctor(args)),
        Some(Verb::Echo(args)) => Ok(Action::Echo(args)),
        Some(Verb::Help { topic: None }) => {
            Ok(Action::Print(Cli::command().render_help().to_string()))
        }
        Some(Verb::Help { topic: Some(topic) }) if topic == "all" => {
            Ok(Action::PrintWithSettings(help_all()))
        }
        Some(Verb::Help { topic: Some(topic) }) => {
            Err(Failure::usage(format!("there is no help on {topic:?}; try damso help all")))
        }
    }
}

fn help_all() -> String {
    let shown = |command: clap::Command| command.mut_args(|arg| arg.hide(false)).hide(false);
    let mut command = shown(Cli::command()).mut_subcommands(shown);
    command.build();
    let mut text = command.render_help().to_string();
    let echo = command.find_subcommand_mut("echo").map(clap::Command::render_help);
    if let Some(echo) = echo {
        text.push_str(&format!("\ndamso echo: {echo}"));
    }
    text.push_str("\nSettings of --config, --set and the environment (DAMSO_SECTION_KEY):\n");
    text
}

fn not_an_action(error: &clap::Error) -> Result<Action, Failure> {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Ok(Action::Print(error.to_string())),
        _ => Err(usage(error)),
    }
}

fn usage(error: &clap::Error) -> Failure {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or("this command line can't be understood");
    let first = first.strip_prefix("error: ").unwrap_or(first);
    Failure::usage(format!("{first}; see damso --help"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Action, Failure> {
        parse(line.split(' ').map(OsString::from))
    }

    #[test]
    fn serve_is_what_damso_does_without_a_verb() {
        for line in
            ["damso --memory --listen 127.0.0.1:0", "damso serve --memory --listen 127.0.0.1:0"]
        {
            let Ok(Action::Serve(args)) = parsed(line) else { panic!("{line}") };
            assert!(args.memory);
            assert_eq!(args.listen, ["127.0.0.1:0"]);
        }
    }

    #[test]
    fn what_cannot_be_understood_is_one_sentence_and_code_2() {
        for line in
            ["damso --no-such-flag", "damso juggle", "damso help juggling", "damso echo --lan"]
        {
            let failure = parsed(line).unwrap_err();
            assert_eq!(failure.code, 2);
            assert_eq!(failure.sentence.lines().count(), 1, "{}", failure.sentence);
        }
    }

    #[test]
    fn help_fits_a_terminal_and_help_all_names_every_flag() {
        let Ok(Action::Print(help)) = parsed("damso --help") else { panic!() };
        assert!(help.lines().count() <= 24, "{help}");
        let Ok(Action::PrintWithSettings(all)) = parsed("damso help all") else { panic!() };
        for word in [
            "--data",
            "--listen",
            "--lan",
            "--memory",
            "--engine",
            "--shards",
            "--allow-origin",
            "--allow-host",
            "--tls-cert",
            "--tls-key",
            "--config",
            "--set",
            "--log",
            "--no-console",
            "backup",
            "restore",
            "verify",
            "export",
            "echo",
        ] {
            assert!(all.contains(word), "{word} is missing from:\n{all}");
        }
    }
}
