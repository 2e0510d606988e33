//! The driver, with a server that serves one connection after the other as it is told to.

#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

use damso_client::driver::{self, DriverError, Session};
use damso_client::{Config, Link, Stop};
use damso_protocol::RoomId;
use damso_websocket::{Connection, Event, HeadLimits, Opening, Request, Status};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(20);

/// What a server does with a message.
enum Answer {
    Say(Vec<Value>),
    /// A Close frame.
    Close(u16),
    /// The cable is pulled.
    Cut,
}

/// Serves `connections` connections, with their number from 0; gives the address.
fn serve(
    connections: usize,
    mut answer: impl FnMut(usize, &Value) -> Answer + Send + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for number in 0..connections {
            let (socket, _) = listener.accept().unwrap();
            talk(socket, |message| answer(number, message));
        }
    });
    format!("ws://{address}")
}

fn talk(mut socket: TcpStream, mut answer: impl FnMut(&Value) -> Answer) {
    let mut buffer = [0; 4096];
    let mut head = Vec::new();
    let request = loop {
        let count = socket.read(&mut buffer).unwrap();
        head.extend_from_slice(&buffer[..count]);
        if let Some((request, _)) = Request::parse(&head, &HeadLimits::default()).unwrap() {
            break request;
        }
    };
    assert_eq!(request.path(), "/ws");
    let opening = Opening::check(&request).unwrap();
    assert_eq!(opening.subprotocols, ["damso.v1"]);
    socket.write_all(&opening.accept(Some("damso.v1"), None)).unwrap();
    let now = Instant::now();
    let mut connection = Connection::server(Arc::default(), None, now, 0);
    while connection.status() != Status::Closed {
        let Ok(count) = socket.read(&mut buffer) else { return };
        if count == 0 {
            connection.receive_eof(now);
        }
        let mut input = connection.receive(&mut buffer[..count], now);
        while let Some(event) = input.next() {
            let Event::Text(text) = event else { continue };
            match answer(&serde_json::from_str(text).unwrap()) {
                Answer::Say(messages) => messages.iter().for_each(|message| {
                    input.connection().send_text(&message.to_string()).unwrap()
                }),
                Answer::Close(code) => input.connection().close(code, "", now),
                Answer::Cut => return,
            }
        }
        let count = connection.output().len();
        if socket.write_all(connection.output()).is_err() {
            return;
        }
        connection.sent(count);
        if connection.status() == Status::ShutDown {
            let _ = socket.shutdown(std::net::Shutdown::Write);
        }
    }
}

fn welcome() -> Answer {
    Answer::Say(vec![json!({"t": "welcome", "v": 1, "epoch": "e", "user": "u", "name": "n",
        "rooms": [], "ping": 25_000, "server": "test"})])
}

fn session(url: &str) -> Session {
    let config = Config { key: Some(driver::key()), name: Some("n".into()), ..Config::default() };
    Session::new(url, config).unwrap()
}

#[test]
fn what_is_sent_is_acknowledged_although_the_connection_is_cut_under_it() {
    let lobby = RoomId::lobby();
    let url = serve(2, |connection, message| match message["t"].as_str().unwrap() {
        "hello" => welcome(),
        "open" if connection == 0 => Answer::Say(vec![
            json!({"t": "ok", "id": message["id"], "head": 0, "n": 0, "first": 1, "mode": "reset",
                "messages": []}),
        ]),
        "open" => Answer::Say(vec![
            json!({"t": "ok", "id": message["id"], "head": 0, "n": 0, "first": 1, "mode": "replay"}),
        ]),
        "send" if connection == 0 => Answer::Cut,
        "send" => Answer::Say(vec![
            json!({"t": "ok", "id": message["id"], "m": 1, "at": 5}),
            json!({"t": "msg", "room": "lobby", "seq": 1, "n": 1, "by": "u", "name": "n", "at": 5,
                "text": message["text"], "nonce": message["nonce"]}),
        ]),
        other => panic!("{other}"),
    });
    let mut session = session(&url);
    session.act(|client, now| {
        client.open(lobby.clone(), now);
        client.send(lobby.clone(), driver::nonce(), "안녕", None, now).unwrap();
    });
    let is_there = session.run_until(LONG, |client| client.room(&lobby).unwrap().last() == Some(1));
    assert!(is_there, "{:?}", session.failure());
    assert!(session.client().outbox().is_empty());
    let message = session.client().room(&lobby).unwrap().timeline().message(1).unwrap();
    assert_eq!(message.text.as_deref(), Some("안녕"));
    let mut is_acked = false;
    while let Some(notice) = session.notice() {
        is_acked |= matches!(notice, damso_client::Notice::Acked { seq: Some(1), .. });
    }
    assert!(is_acked);
    assert_eq!(session.close().cursors, [(lobby, 1)].into());
}

#[test]
fn the_number_of_the_servers_close_frame_reaches_the_machine() {
    let url = serve(1, |_, _| Answer::Close(4001));
    let mut session = session(&url);
    assert!(session.run_until(LONG, |client| client.link() == Link::Stopped(Stop::SignInAgain)));
    assert!(!session.run_until(LONG, |client| client.link() == Link::Ready));
}

#[test]
fn a_deadline_ends_the_waiting_and_a_failure_says_why() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    drop(listener);
    let mut session = session(&url);
    let longest = Duration::from_millis(50);
    assert!(!session.run_until(longest, |client| client.link() == Link::Ready));
    assert!(matches!(session.failure(), Some(DriverError::Io(_))));
}

#[test]
fn nonces_are_as_the_protocol_wants_them() {
    assert!(driver::nonce().is_well_formed());
    assert_ne!(driver::nonce(), driver::nonce());
}
