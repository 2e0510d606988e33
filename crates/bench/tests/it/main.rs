//! The program as it is called, against its own floor.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

fn bench(arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_damso-bench"))
        .args(arguments.split_whitespace())
        .output()
        .expect("the program that cargo built for this test")
}

#[track_caller]
fn check(output: &Output, code: i32, expected: &[&str]) {
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}");
    for words in expected {
        assert!(text.contains(words), "{words:?} is not in {text}");
    }
}

#[test]
fn every_delivery_of_a_run_is_accounted_for() {
    let load =
        "--subscribers 50 --publishers 2 --in-flight 8 --seconds 0.3 --warm-up 0.1 --cores none";
    for floor in ["floor", "floor-uring"] {
        let output = bench(&format!("fanout {floor} {load}"));
        check(&output, 0, &["deliveries/s", "faults            none"]);
    }
}

#[test]
fn what_a_load_loses_is_found() {
    let short = "--faulty --only floor --rounds 1 --seconds 0.3 --warm-up 0.1 --subscribers 50";
    let output = bench(&format!("rate --per-second 400 {short} --cores none"));
    check(&output, 1, &["missing"]);
}

#[test]
fn connections_are_held_and_each_gets_the_message() {
    let output = bench("hold floor --connections 300 --seconds 0.2 --cores none");
    check(&output, 0, &["opened            300", "to each, once"]);
}

#[test]
fn a_table_has_a_line_for_each_server_and_row() {
    let output = bench(
        "--only floor --row 20,64,1 --row 20,1024,4 --rounds 1 --seconds 0.2 --warm-up 0.1 --repeats 0 --cores none",
    );
    check(
        &output,
        0,
        &[
            "| 20 subscribers, 64 B, 1 in flight | floor |",
            "| 20 subscribers, 1,024 B, 4 in flight | floor |",
        ],
    );
}

#[test]
fn idle_connections_and_handshakes_have_their_costs() {
    let few = "--connections 10,60 --handshakes 50 --rounds 1 --cores none";
    check(&bench(&format!("idle --only floor {few}")), 0, &["| floor | ", " µs | – | – |"]);
    check(&bench("idle --connections 5"), 2, &["expected FEW,MANY"]);
}

#[test]
fn a_table_goes_into_a_document_with_its_picture() {
    let folder = std::env::temp_dir().join(format!("damso-bench-docs-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let document = folder.join("benchmarks.md");
    std::fs::write(&document, "before\n<!-- fan-out: begin -->\n<!-- fan-out: end -->\nafter\n")
        .unwrap();
    let short = "--row 20,64,1,free --rounds 1 --seconds 0.2 --warm-up 0.1 --repeats 0";
    let output = bench(&format!(
        "--only floor,floor-uring {short} --docs {} --resume {}",
        document.display(),
        folder.join("runs").display()
    ));
    check(&output, 0, &["20 subscribers, 64 B, 1 in flight, not pinned"]);
    let text = std::fs::read_to_string(&document).unwrap();
    assert!(text.starts_with("before\n") && text.ends_with("after\n"), "{text}");
    assert!(text.contains("(benchmarks-fanout.svg)") && text.contains("| floor-uring |"), "{text}");
    let picture = std::fs::read_to_string(folder.join("benchmarks-fanout.svg")).unwrap();
    assert_eq!(picture.matches("<circle").count(), 2);
    assert!(!folder.join("runs").exists(), "a whole table needs no runs of it");
    std::fs::remove_dir_all(&folder).unwrap();
}

/// A reader that takes nothing for a while is behind by more than its socket holds, and misses nothing.
#[test]
fn what_a_socket_does_not_take_is_sent_later() {
    const MESSAGES: usize = 4_000;
    for kind in [&[][..], &["--uring"]] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_damso-bench"))
            .arg("floor")
            .args(kind)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().rsplit_once("http://").unwrap().1.to_owned();
        let connect = || {
            let mut socket = TcpStream::connect(&address).unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            let head = "GET / HTTP/1.1\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
            socket.write_all(head.as_bytes()).unwrap();
            let mut answer = Vec::new();
            while !answer.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                socket.read_exact(&mut byte).unwrap();
                answer.push(byte[0]);
            }
            socket
        };
        let (mut slow, mut publisher) = (connect(), connect());
        let prefix = format!("{} :: ", publisher.local_addr().unwrap());
        let mut copy = publisher.try_clone().unwrap();
        let expected = move |at: usize| {
            let text = format!("{prefix}{at:04}{}", "x".repeat(1996));
            [&[0x81, 126][..], &(text.len() as u16).to_be_bytes(), text.as_bytes()].concat()
        };
        let frame_bytes = expected(0).len();
        // The publisher hears itself: when it has all, the other is behind by all that its socket doesn't hold.
        let heard = std::thread::spawn(move || {
            let mut all = vec![0; MESSAGES * frame_bytes];
            copy.read_exact(&mut all).map(|()| all)
        });
        for at in 0..MESSAGES {
            let text = format!("{at:04}{}", "x".repeat(1996));
            let head = [0x81, 0x80 | 126, 0x07, 0xD0, 0, 0, 0, 0];
            publisher.write_all(&[&head, text.as_bytes()].concat()).unwrap();
        }
        let heard = heard.join().unwrap().unwrap();
        let mut late = vec![0; MESSAGES * frame_bytes];
        slow.read_exact(&mut late).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        for (at, (heard, late)) in
            heard.chunks(frame_bytes).zip(late.chunks(frame_bytes)).enumerate()
        {
            assert!(heard == expected(at) && late == expected(at), "message {at}, {kind:?}");
        }
    }
}

#[test]
fn a_server_that_loses_messages_is_found_out() {
    let bad = format!(
        "bad={} floor --listen 127.0.0.1:{{port}} --lose-every 20",
        env!("CARGO_BIN_EXE_damso-bench")
    );
    let output = Command::new(env!("CARGO_BIN_EXE_damso-bench"))
        .args([
            "--peer",
            &bad,
            "--only",
            "bad",
            "--cores",
            "none",
            "--rounds",
            "1",
            "--repeats",
            "0",
        ])
        .args(["--row", "20,64,8", "--seconds", "0.3", "--warm-up", "0.1"])
        .output()
        .expect("the program that cargo built for this test");
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    // All eight in flight may have stood in the buffer that was lost.
    assert!(text.contains("missing before") || text.contains("still wait"), "{text}");
}

#[test]
fn mistakes_are_said_in_a_sentence() {
    for (arguments, words) in [
        ("fanout", "needs a target"),
        ("fanout wss://x:1", "only ws:// is spoken here"),
        ("fanout x:1 --bytes 5", "at least 26 bytes"),
        ("fanout x:1 --in-flight 3 --publishers 2", "can't be shared out"),
        ("--row 1,2", "expected N,N,N"),
        ("dance", "no such command"),
    ] {
        check(&bench(arguments), 2, &[words]);
    }
}
