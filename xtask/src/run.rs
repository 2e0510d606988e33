//! Running other programs, so that each can be run again by hand from what was printed.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

pub type Result<T = ()> = std::result::Result<T, Failure>;

/// Why a command of ours stops. The sentence is for people; nothing branches on it.
#[derive(Debug)]
pub struct Failure {
    sentence: String,
    /// The shell line to run again, when one program failed.
    pub again: Option<String>,
    usage: bool,
}

impl Failure {
    pub fn new(sentence: impl Into<String>) -> Self {
        Failure { sentence: sentence.into(), again: None, usage: false }
    }

    pub fn usage(sentence: impl Into<String>) -> Self {
        Failure { usage: true, ..Failure::new(sentence) }
    }

    pub fn again(self, command: impl Into<String>) -> Self {
        Failure { again: Some(command.into()), ..self }
    }

    /// 2 for bad usage, 1 for anything else, as in the program itself.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(if self.usage { 2 } else { 1 })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

/// The folder of the workspace.
pub fn root() -> PathBuf {
    // Of this run, where cargo says so: a shared target folder may hold another checkout's build.
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest.parent().map_or_else(|| manifest.clone(), Path::to_path_buf)
}

/// The folder cargo builds into; what we install and report goes there too.
pub fn target() -> PathBuf {
    let folder = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    root().join(folder)
}

/// A program of the release build.
pub fn release(program: &str) -> PathBuf {
    target().join("release").join(program)
}

/// Cargo, in the workspace's folder, as if started from a shell: what `cargo xtask` set for us
/// goes, because build scripts (ring's) build again when it changes.
pub fn cargo<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new("cargo");
    command.args(args).current_dir(root());
    for (name, _) in std::env::vars_os() {
        let set_by_cargo = name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_")
                || name.starts_with("CARGO_MANIFEST_")
                || matches!(
                    name,
                    "CARGO_BIN_NAME" | "CARGO_CRATE_NAME" | "CARGO_PRIMARY_PACKAGE" | "OUT_DIR"
                )
        });
        if set_by_cargo {
            command.env_remove(name);
        }
    }
    command
}

/// Prints the command, runs it with our own input and output, and fails unless it ended with 0.
pub fn run(command: &mut Command) -> Result {
    let line = shell_line(command);
    println!("$ {line}");
    let program = command.get_program().to_string_lossy().into_owned();
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::new(format!("{program} ended with {status}")).again(line)),
        Err(error) => Err(Failure::new(format!("{program} doesn't start: {error}")).again(line)),
    }
}

/// Whether the command starts and ends with 0; what it prints is dropped.
pub fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// The command as one would type it in the workspace's folder.
pub fn shell_line(command: &Command) -> String {
    let mut words = Vec::new();
    if let Some(folder) = command.get_current_dir().filter(|folder| *folder != root()) {
        words.push(format!("cd {} &&", quoted(folder.as_os_str())));
    }
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            words.push(format!("{}={}", name.to_string_lossy(), quoted(value)));
        }
    }
    words.push(quoted(command.get_program()));
    words.extend(command.get_args().map(quoted));
    words.join(" ")
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || "-_./:=+,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_line_can_be_pasted() {
        let mut command = Command::new("cargo");
        command
            .args(["clippy", "--", "-D", "it's"])
            .env("RUSTDOCFLAGS", "-D warnings")
            .env_remove("GONE");
        command.current_dir(root());
        assert_eq!(
            shell_line(&command),
            r"RUSTDOCFLAGS='-D warnings' cargo clippy -- -D 'it'\''s'"
        );
        command.current_dir("/tmp/a b");
        assert!(shell_line(&command).starts_with("cd '/tmp/a b' && RUSTDOCFLAGS="));
    }
}
