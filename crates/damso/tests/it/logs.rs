//! What peers send never gets into the log as it is, and what they say not at all.

use crate::client::{CLOSE, Client, FIN, frame};
use crate::server::Engine;
use crate::v1::peer::Peer;
use serde_json::json;

all_engines![hostile_names_paths_headers_and_texts_leave_plain_lines_and_no_secret,];

/// What a terminal acts on.
const ESCAPES: &str = "\u{1b}[31m\u{9b}2J\u{202e}\r\n1970-01-01T00:00:00Z ERROR forged";

fn hostile_names_paths_headers_and_texts_leave_plain_lines_and_no_secret(engine: Engine) {
    let server = engine.serve(&["--log", "debug"]);
    let host = server.address;
    // A text, a binary message, and a reason of a close.
    let mut plain = server.join();
    plain.say(&format!("SECRET-text {ESCAPES}"));
    plain.line();
    plain.send(&frame(FIN | 2, b"SECRET-binary \x1b[31m"));
    plain.send(&frame(FIN | CLOSE, &[b"\x03\xe8SECRET-reason ", ESCAPES.as_bytes()].concat()));
    plain.reads_to_the_end();
    // Names, keys, texts and fields of damso.v1.
    let mut peer = Peer::open(host);
    let name = format!("SECRET-name {ESCAPES}");
    peer.ask(json!({"t": "hello", "key": "SECRET-key-0123456789abcdef", "name": name}));
    peer.until_closed();
    let mut peer = Peer::in_lobby(host, "지원");
    peer.ask(json!({"t": "send", "room": "lobby", "nonce": ESCAPES, "text": "SECRET-v1"}));
    peer.ask(json!({"t": ESCAPES, "room": "SECRET-room"}));
    peer.says("lobby", "n1", &format!("SECRET-v1 {ESCAPES}"));
    drop(peer);
    // Paths and headers.
    let unprintable: String = ESCAPES.chars().filter(|&one| !"\r\n".contains(one)).collect();
    for (line, further) in [
        ("GET /api/v1/hooks/SECRET-hook HTTP/1.1", String::new()),
        ("POST /api/v1/hooks/SECRET-hook HTTP/1.1", "Content-Length: 0\r\n".into()),
        ("GET /ws?key=SECRET-query HTTP/1.1", String::new()),
        ("GET /api/v1/rooms HTTP/1.1", "Authorization: Bearer SECRET-bearer-012345\r\n".into()),
        ("GET /x HTTP/1.1", format!("X-Other: SECRET-header {unprintable}\r\n")),
        (
            "GET /ws HTTP/1.1",
            "Upgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
            Origin: http://\u{202e}evil\u{2066}.example\r\n"
                .to_owned(),
        ),
        ("GET /\u{1b}[31mSECRET-path HTTP/1.1", String::new()),
    ] {
        let mut client = Client::connect(host);
        client.send(format!("{line}\r\nHost: {host}\r\n{further}\r\n").as_bytes());
        client.answer();
    }
    // Everything before has been logged when this one is, which is the last to come.
    let last = server.join();
    let name = last.name.clone();
    drop(last);
    server.logs(&[&name, "closed"]);
    let log = server.log_so_far();
    assert!(log.len() > 10, "{log:#?}");
    for line in &log {
        assert!(!line.contains("SECRET"), "{line}");
        assert!(!line.starts_with("1970"), "{line}");
        let acts = |one: char| one.is_control() || ('\u{202a}'..='\u{2069}').contains(&one);
        assert!(!line.chars().any(acts), "{line:?}");
    }
    // It isn't that nothing was logged of them.
    server.logs(&["u{202e}evil"]);
}
