//! `damso send`: it ends well only when the message is durable.

use crate::client::Client;
use crate::server::{Engine, Server, damso, run, scratch};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

all_engines![
    a_message_from_a_script_is_heard_and_its_sender_stays_the_same,
    what_cannot_be_sent_is_told_with_code_1,
];

/// A home folder, gone with its test.
struct Home(PathBuf);

impl Home {
    fn new(engine: Engine, test: &str) -> Self {
        Self(scratch(engine.name(), test))
    }

    fn send(&self, server: &Server, words: &[&str]) -> Command {
        let mut command = damso(&["send"]);
        command.args(words).args(["--url", &format!("ws://{}", server.address)]);
        command.env("HOME", &self.0).env("USER", "스크립트").env_remove("XDG_CONFIG_HOME");
        command
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn a_message_from_a_script_is_heard_and_its_sender_stays_the_same(engine: Engine) {
    let (server, home) = (engine.serve(&[]), Home::new(engine, "send"));
    let mut plain: Client = server.join();
    let (code, stdout, stderr) = run(&mut home.send(&server, &["lobby", "백업이 끝났습니다"]));
    assert_eq!((code, &*stdout, &*stderr), (0, "", ""));
    plain.hears("스크립트 :: 백업이 끝났습니다");
    let mut command = home.send(&server, &["lobby", "-"]);
    let mut child = command.stdin(Stdio::piped()).spawn().expect("the program starts");
    child.stdin.take().unwrap().write_all("두 줄의\n글\n".as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    plain.hears("스크립트 :: 두 줄의\n    글");
    // Another home is another guest, whose name is taken.
    let other = Home::new(engine, "other");
    assert_eq!(run(&mut other.send(&server, &["lobby", "저도요"])).0, 0);
    plain.hears("스크립트2 :: 저도요");
}

fn what_cannot_be_sent_is_told_with_code_1(engine: Engine) {
    let (server, home) = (engine.serve(&[]), Home::new(engine, "refused"));
    for (words, expected) in [
        (&["attic", "x"][..], "attic"),
        (&["lobby", &"가".repeat(8_001)], "8001"),
        (&["lobby", "x", "--name", "Administrator"], "not sent"),
    ] {
        let home = if words.len() > 2 { &Home::new(engine, "named") } else { &home };
        let (code, stdout, stderr) = run(&mut home.send(&server, words));
        assert_eq!((code, &*stdout, stderr.lines().count()), (1, "", 1), "{stderr}");
        assert!(stderr.contains(expected), "{stderr}");
    }
    for words in [&["lobby", ""][..], &["lobby", "x", "--wait", &u64::MAX.to_string()]] {
        let (code, _, stderr) = run(&mut home.send(&server, words));
        assert_eq!(code, 2, "{stderr}");
    }
    server.signal(rustix::process::Signal::KILL);
    let (code, _, stderr) = run(&mut home.send(&server, &["lobby", "x", "--wait", "1"]));
    assert_eq!((code, stderr.lines().count()), (1, 1), "{stderr}");
}
