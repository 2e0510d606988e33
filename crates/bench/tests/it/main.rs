//! The program as it is called, against its own floor.

use std::process::{Command, Output};

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
            "| 20 subscribers, 1024 B, 4 in flight | floor |",
        ],
    );
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
