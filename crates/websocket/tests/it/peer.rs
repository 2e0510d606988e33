//! Connections in memory, with a clock of their own, and bytes written as hex.

use std::sync::Arc;
use std::time::{Duration, Instant};

use damso_websocket::deflate::Agreed;
use damso_websocket::{Config, Connection, Event, Limits, Status, Timing, Violation};

/// An event that owns what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
    Violation(Violation),
}

impl From<Event<'_>> for Said {
    fn from(event: Event<'_>) -> Said {
        match event {
            Event::Text(text) => Said::Text(text.to_owned()),
            Event::Binary(bytes) => Said::Binary(bytes.to_vec()),
            Event::Ping(bytes) => Said::Ping(bytes.to_vec()),
            Event::Pong(bytes) => Said::Pong(bytes.to_vec()),
            Event::Close { code, reason } => Said::Close(code, reason.to_owned()),
            Event::Violation(violation) => Said::Violation(violation),
        }
    }
}

pub fn text(text: &str) -> Said {
    Said::Text(text.to_owned())
}

/// Bytes from hex; spaces don't count.
#[track_caller]
pub fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let digit = |byte: u8| (byte as char).to_digit(16).expect("a hex digit") as u8;
    assert!(digits.len().is_multiple_of(2), "two digits a byte");
    digits.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Small limits, easy numbers.
pub fn config() -> Config {
    Config {
        limits: Limits { frame_bytes: 70_000, message_bytes: 100_000 },
        timing: Timing {
            ping_after: Duration::from_secs(20),
            silent_max: Duration::from_secs(60),
            closing_max: Duration::from_secs(5),
        },
    }
}

/// A connection, its clock, and what it said and sent.
pub struct End {
    pub connection: Connection,
    pub now: Instant,
    pub events: Vec<Said>,
}

impl End {
    pub fn server() -> End {
        End::server_with(config(), None)
    }

    pub fn server_with(config: Config, deflate: Option<Agreed>) -> End {
        let now = start();
        End {
            connection: Connection::server(Arc::new(config), deflate, now, 0),
            now,
            events: Vec::new(),
        }
    }

    pub fn client() -> End {
        End::client_with(config(), None)
    }

    /// Masks with 01 02 03 04, then 02 03 04 05, and so on.
    pub fn client_with(config: Config, deflate: Option<Agreed>) -> End {
        let now = start();
        let mut key = [0u8, 1, 2, 3];
        let keys = Box::new(move || {
            key = key.map(|byte| byte.wrapping_add(1));
            key
        });
        End {
            connection: Connection::client(Arc::new(config), deflate, keys, now, 0),
            now,
            events: Vec::new(),
        }
    }

    /// Gives it bytes; returns the new events.
    pub fn hears(&mut self, bytes: &[u8]) -> Vec<Said> {
        let mut bytes = bytes.to_vec();
        let mut input = self.connection.receive(&mut bytes, self.now);
        let mut new = Vec::new();
        while let Some(event) = input.next() {
            new.push(event.into());
        }
        self.events.extend(new.iter().cloned());
        new
    }

    /// Takes its output.
    pub fn says(&mut self) -> Vec<u8> {
        let output = self.connection.output().to_vec();
        self.connection.sent(output.len());
        output
    }

    pub fn status(&self) -> Status {
        self.connection.status()
    }

    /// Seconds pass; its deadlines are kept on the way.
    pub fn wait(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        while let Some(due) = self.connection.timeout().filter(|&due| due <= end) {
            self.now = self.now.max(due);
            self.connection.handle_timeout(self.now);
        }
        self.now = end;
    }
}

/// A server and a client, joined.
pub struct Pair {
    pub server: End,
    pub client: End,
}

impl Pair {
    pub fn new(config: Config, deflate: Option<Agreed>) -> Pair {
        Pair {
            server: End::server_with(config.clone(), deflate),
            client: End::client_with(config, deflate),
        }
    }

    /// Carries bytes both ways until neither end has any, then each end's shutdown.
    pub fn drive(&mut self) {
        loop {
            let (from_server, from_client) = (self.server.says(), self.client.says());
            if from_server.is_empty() && from_client.is_empty() {
                break;
            }
            self.client.hears(&from_server);
            self.server.hears(&from_client);
        }
        let (server, client) = (self.server.status(), self.client.status());
        if matches!(server, Status::ShutDown | Status::Closed) {
            self.client.connection.receive_eof(self.client.now);
        }
        if matches!(client, Status::ShutDown | Status::Closed)
            || self.client.status() == Status::Closed
        {
            self.server.connection.receive_eof(self.server.now);
        }
    }

    pub fn wait(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.server.wait(1);
            self.client.wait(1);
            self.drive();
        }
    }
}

/// Some instant; the tests only add to it.
#[allow(clippy::disallowed_methods, reason = "there is no other way to an Instant")]
fn start() -> Instant {
    Instant::now()
}
