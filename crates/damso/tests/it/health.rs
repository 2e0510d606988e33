//! What machines ask: `/metrics`, `/healthz`, `/readyz`.

use crate::client::{Answer, Client};
use crate::server::{Engine, Server, damso, scratch, until};
use crate::v1::peer::Peer;
use serde_json::json;
use std::io::{Read, Write};

all_engines![
    figures_are_those_of_the_table_and_count_what_happens,
    figures_are_for_who_asks_without_a_proxy,
    a_healthy_server_says_so,
    a_server_that_stops_is_not_ready,
];

#[track_caller]
fn ask(server: &Server, path: &str, further: &str) -> Answer {
    let mut client = Client::connect(server.address);
    let host = server.address;
    client.send(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{further}\r\n").as_bytes());
    client.answer()
}

/// The figures, as text.
#[track_caller]
fn figures(server: &Server) -> String {
    let answer = ask(server, "/metrics", "");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    answer.body
}

#[track_caller]
fn figure(text: &str, sample: &str) -> f64 {
    let mut values = text.lines().filter_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    let value = values.next().unwrap_or_else(|| panic!("no {sample} in:\n{text}"));
    value.parse().expect("a number")
}

/// The families of docs/metrics.md, as `name kind`.
fn documented() -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md");
    let text = std::fs::read_to_string(path).expect("docs/metrics.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| {
        let mut cells = row.split('|').map(|cell| cell.trim().trim_matches('`').to_owned());
        let (name, kind) = (cells.next().unwrap(), cells.next().unwrap());
        format!("{name} {kind}")
    })
    .collect()
}

fn figures_are_those_of_the_table_and_count_what_happens(engine: Engine) {
    let folder = scratch(engine.name(), "figures");
    let mut command = damso(&["--listen", "127.0.0.1:0", "--engine", engine.name(), "--data"]);
    let server = Server::start({
        command.arg(&folder);
        command
    });
    let text = figures(&server);
    let served: Vec<String> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).map(str::to_owned).collect();
    assert_eq!(served, documented(), "docs/metrics.md and what is served differ");
    for queue in ["hub", "log", "readers", "shard"] {
        figure(&text, &format!("damso_queue_length{{queue=\"{queue}\"}}"));
    }
    assert!(figure(&text, "damso_log_bytes{file=\"database\"}") > 0.0);
    assert!(figure(&text, "damso_disk_free_bytes") > 0.0);

    let (mut speaker, mut listener) = (server.join(), server.join());
    let mut peer = Peer::in_lobby(server.address, "지원");
    let before = figures(&server);
    speaker.say("말했다");
    speaker.hears_from(&speaker.name.clone(), "말했다");
    listener.hears_from(&speaker.name, "말했다");
    peer.event("lobby");
    assert_eq!(peer.refused(json!({"t": "open", "room": "attic"})), "not_found");

    let by = |dialect: &str| {
        format!("damso_connections{{engine=\"{}\",dialect=\"{dialect}\"}}", engine.name())
    };
    assert_eq!((figure(&before, &by("plain")), figure(&before, &by("v1"))), (2.0, 1.0));
    let grew = |after: &str, sample: &str| figure(after, sample) - figure(&before, sample);
    // A shard shows its figures when it has written what they are about.
    until("what was said is counted", || grew(&figures(&server), "damso_deliveries_total") == 3.0);
    let after = figures(&server);
    assert_eq!(grew(&after, "damso_messages_total"), 1.0);
    assert_eq!(grew(&after, "damso_commit_seconds_count"), 1.0);
    assert_eq!(grew(&after, "damso_commit_entries_sum"), 1.0);
    assert_eq!(grew(&after, "damso_commit_seconds_bucket{le=\"+Inf\"}"), 1.0);
    assert_eq!(grew(&after, "damso_errors_total{code=\"not_found\"}"), 1.0);
    assert_eq!(figure(&after, "damso_behind_subscribers"), 0.0);
    assert_eq!(figure(&after, "damso_queue_length{queue=\"log\"}"), 0.0);
    for word in ["지원", "말했다", "lobby", "127.0.0.1"] {
        assert!(!after.contains(word), "{word} stands in the figures:\n{after}");
    }
    let unauthorized = ask(&server, "/api/v1/rooms", "");
    assert_eq!(unauthorized.status, 401);
    let http = figures(&server);
    assert_eq!(grew(&http, "damso_errors_total{code=\"unauthorized\"}"), 1.0);

    drop((speaker, listener, peer));
    until("everybody has left", || figure(&figures(&server), &by("plain")) == 0.0);
    until("everybody has left", || figure(&figures(&server), &by("v1")) == 0.0);
    assert_eq!(server.stop(), 0);
    let _ = std::fs::remove_dir_all(folder);
}

fn figures_are_for_who_asks_without_a_proxy(engine: Engine) {
    let server = engine.serve(&["--allow-host", "chat.example.com"]);
    let unknown = ask(&server, "/nowhere", "");
    for header in [
        "X-Forwarded-For: 203.0.113.7",
        "x-forwarded-proto: https",
        "Forwarded: for=203.0.113.7",
        "Via: 1.1 proxy",
        "X-Real-IP: 203.0.113.7",
    ] {
        let answer = ask(&server, "/metrics", &format!("{header}\r\n"));
        assert_eq!((answer.status, &answer.body), (404, &unknown.body), "{header}");
    }
    // What a proxy speaks that adds nothing.
    let mut client = std::net::TcpStream::connect(server.address).unwrap();
    client.write_all(b"GET /metrics HTTP/1.0\r\nHost: chat.example.com\r\n\r\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.contains(" 404 ") && answer.ends_with(&unknown.body), "{answer}");
    assert_eq!(ask(&server, "/metrics", "Accept: text/plain\r\n").status, 200);
}

fn a_healthy_server_says_so(engine: Engine) {
    let server = engine.serve(&[]);
    // Whether a proxy asks or not.
    for (path, further) in [("/healthz", ""), ("/readyz", ""), ("/readyz", "Via: 1.1 proxy\r\n")] {
        let mut answer = None;
        until("it is ready", || {
            let now = ask(&server, path, further);
            let ready = now.status == 200;
            answer = Some(now);
            ready
        });
        let answer = answer.unwrap();
        assert_eq!(answer.body, "ok\n", "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
    }
}

fn a_server_that_stops_is_not_ready(engine: Engine) {
    let server = engine.serve(&[]);
    let mut client = Client::connect(server.address);
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
    client.send(request.as_bytes());
    client.answer();
    // Somebody who doesn't answer the Close keeps the server waiting, for a while.
    let _slow = server.join();
    server.types("/quit");
    until("it says that it stops", || {
        client.send(request.as_bytes());
        let answer = client.answer();
        answer.status == 503 && answer.body.contains("stopping")
    });
}
