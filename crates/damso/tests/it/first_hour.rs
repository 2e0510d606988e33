//! `docs/first-hour.md`, run as it stands: `damso` is the program under test, on a free port that
//! also stands in place of 8765.

use crate::client::PATIENCE;
use crate::server::{DAMSO, in_english, scratch};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};

const PAGE: &str = include_str!("../../../../docs/first-hour.md");

#[test]
fn a_new_operators_first_hour_goes_as_the_page_says() {
    if Command::new("curl").arg("--version").output().is_err() {
        eprintln!("not checked: there is no curl");
        return;
    }
    let desk = Desk::new();
    let page = PAGE.replace("8765", &desk.port.to_string());
    let blocks = blocks(&page);
    assert!(blocks.len() >= 20, "the page has {} blocks", blocks.len());
    let mut terminal: Option<Terminal> = None;
    let mut next = blocks.iter().peekable();
    while let Some((kind, text)) = next.next() {
        let promised = next.next_if(|(kind, _)| *kind == "text").map_or("", |(_, text)| text);
        match *kind {
            "sh terminal" => {
                let started = Terminal::start(desk.shell(&format!("exec {}", text.trim())));
                started.says(promised);
                terminal = Some(started);
            }
            "sh" => desk.run(text, promised),
            "keys" => {
                assert_eq!(text.trim(), "Ctrl-C");
                terminal.take().expect("something runs").interrupt(promised);
            }
            other => panic!("what is a block of {other:?}?"),
        }
    }
}

/// Every block of the page: what stands after its fence, and its lines.
fn blocks(page: &str) -> Vec<(&str, &str)> {
    let mut parts = page.split("```");
    parts.next();
    let mut blocks = Vec::new();
    while let Some(block) = parts.next() {
        blocks.push(block.split_once('\n').expect("a fence ends its line"));
        parts.next();
    }
    blocks
}

/// Whether the promised lines come in this order, with others between them perhaps.
#[track_caller]
fn check(command: &str, printed: &str, promised: &str) {
    let mut lines = printed.lines();
    for line in promised.lines() {
        let found = lines.any(|printed| fits(printed, line));
        assert!(found, "{command}\ndidn't print {line:?}, but\n{printed}");
    }
}

/// Whether a line is as promised, where `…` is anything.
fn fits(line: &str, promised: &str) -> bool {
    let mut parts = promised.split('…');
    let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else {
        return false;
    };
    let mut ends = promised.ends_with('…') || rest.is_empty();
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
        ends = part.is_empty() || rest.is_empty();
    }
    ends
}

/// A home and a folder to work in, gone with the test.
struct Desk {
    folder: PathBuf,
    port: u16,
}

impl Desk {
    fn new() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().unwrap().port();
        let folder = scratch("first", "hour");
        std::fs::create_dir_all(folder.join("bin")).unwrap();
        let damso = folder.join("bin").join("damso");
        let program = format!(
            "#!/bin/sh\ncase \"$1\" in\n\
             send) exec {DAMSO} \"$@\" --url ws://127.0.0.1:{port} ;;\n\
             doctor) exec {DAMSO} \"$@\" --listen 127.0.0.1:{port} ;;\n\
             '') exec {DAMSO} --listen 127.0.0.1:{port} ;;\n\
             *) exec {DAMSO} \"$@\" ;;\nesac\n"
        );
        std::fs::write(&damso, program).unwrap();
        std::fs::set_permissions(&damso, PermissionsExt::from_mode(0o755)).unwrap();
        Self { folder, port }
    }

    fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        let old = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{old}", Path::new(&self.folder).join("bin").display());
        command.args(["-eu", "-c", script]).current_dir(&self.folder);
        command.env("PATH", path).env("HOME", &self.folder).env("no_proxy", "*");
        command.env_remove("XDG_CONFIG_HOME").env_remove("DAMSO_SERVER_DATA");
        in_english(&mut command);
        command
    }

    #[track_caller]
    fn run(&self, script: &str, promised: &str) {
        let output = self.shell(script).stdin(Stdio::null()).output().expect("a shell");
        let printed = String::from_utf8_lossy(&output.stdout);
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}\nfailed: {printed}{complaints}");
        check(script, &printed, promised);
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A program that runs in a terminal of its own.
struct Terminal {
    child: Child,
    lines: Receiver<String>,
}

impl Terminal {
    #[track_caller]
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stdin(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            // Until the program ends, or the test.
            stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { child, lines }
    }

    /// Waits for the promised lines, in this order.
    #[track_caller]
    fn says(&self, promised: &str) {
        for line in promised.lines() {
            while !fits(&self.lines.recv_timeout(PATIENCE).expect("a further line"), line) {}
        }
    }

    #[track_caller]
    fn interrupt(mut self, promised: &str) {
        kill_process(Pid::from_child(&self.child), Signal::INT).expect("it runs");
        self.says(promised);
        assert!(self.child.wait().expect("it is our child").success());
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
