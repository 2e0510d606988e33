//! The machine on a socket and a clock: one connection, blocking, no thread of its own.
//!
//! ```no_run
//! use damso_client::{Config, driver};
//! use damso_protocol::RoomId;
//! use std::time::Duration;
//!
//! let config = Config { key: Some(driver::key()), name: Some("me".into()), ..Config::default() };
//! let mut session = driver::Session::new("ws://localhost:8765", config)?;
//! session.act(|client, now| {
//!     client.send(RoomId::lobby(), driver::nonce(), "hello", None, now)
//! })?;
//! // The outbox is empty when what was in it is durable, or was refused.
//! let is_done = session.run_until(Duration::from_secs(10), |client| client.outbox().is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// The rim: everything else here has time and bytes as arguments.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

use crate::wire::{Address, Wire, left};
use crate::{Client, Config, Link, Notice, Output, Saved};
use damso_protocol::{Nonce, v1};
use damso_websocket as websocket;
use std::collections::VecDeque;
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::ToSocketAddrs;
use std::sync::Arc;
use std::time::{Duration, Instant};
use websocket::{ClientHandshake, Connection, Event, HandshakeError, Status, deflate};

/// A client with its connection. Everything happens inside [`run_until`](Self::run_until) and
/// [`step`](Self::step); between calls nothing is read, and after a minute or so the server gives
/// up.
pub struct Session {
    client: Client,
    server: Address,
    begun: Instant,
    line: Option<Line>,
    notices: VecDeque<Notice>,
    failure: Option<DriverError>,
}

/// Why there is no connection.
#[derive(Debug)]
pub enum DriverError {
    /// Not `ws://HOST[:PORT][/PATH]`, nor the same with `wss`, `http` or `https`.
    Address,
    /// The server couldn't be reached, or broke off.
    Io(io::Error),
    /// The server didn't open a WebSocket.
    Handshake(HandshakeError),
    /// The server doesn't speak damso.v1.
    Dialect,
}

impl fmt::Display for DriverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address => {
                write!(f, "the address isn't of the form ws://HOST:PORT/ws or wss://HOST/ws")
            }
            Self::Io(error) => write!(f, "{error}"),
            Self::Handshake(error) => write!(f, "{error}"),
            Self::Dialect => write!(f, "the server doesn't speak {}", v1::SUBPROTOCOL),
        }
    }
}

impl std::error::Error for DriverError {}

impl From<io::Error> for DriverError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<HandshakeError> for DriverError {
    fn from(error: HandshakeError) -> Self {
        Self::Handshake(error)
    }
}

impl Session {
    /// A session with the server at `url`, `ws://HOST[:PORT][/PATH]` or the same with `wss`, `http`
    /// or `https`; the path is `/ws` if there is none. It connects with the first [`step`](Self::step).
    ///
    /// # Errors
    ///
    /// `Address`.
    pub fn new(url: &str, config: Config) -> Result<Self, DriverError> {
        Self::restore(url, config, Saved::default())
    }

    /// A session that goes on where another one ended.
    ///
    /// # Errors
    ///
    /// `Address`.
    pub fn restore(url: &str, config: Config, saved: Saved) -> Result<Self, DriverError> {
        let random = Box::new(|| f64::from(u32::from_ne_bytes(random())) / 4_294_967_296.0);
        Ok(Self {
            client: Client::restore(config, saved, random),
            server: Address::parse(url).ok_or(DriverError::Address)?,
            begun: Instant::now(),
            line: None,
            notices: VecDeque::new(),
            failure: None,
        })
    }

    /// The machine, to look at.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Gives a command, with the time that it wants: `session.act(|client, now| client.open(room,
    /// now))`. What it writes is sent by the next [`step`](Self::step) or at once.
    pub fn act<T>(&mut self, command: impl FnOnce(&mut Client, u64) -> T) -> T {
        let now = self.now();
        let result = command(&mut self.client, now);
        self.settle(Instant::now());
        result
    }

    /// The next notice. The oldest are dropped if 10,000 wait.
    pub fn notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    /// What ended the connection last, or kept it from being made.
    pub fn failure(&self) -> Option<&DriverError> {
        self.failure.as_ref()
    }

    /// Runs until `is_done`, for at most `longest`. Whether it is done; also returns early when the
    /// client has stopped.
    pub fn run_until(
        &mut self,
        longest: Duration,
        mut is_done: impl FnMut(&Client) -> bool,
    ) -> bool {
        let deadline = Instant::now() + longest;
        loop {
            if is_done(&self.client) {
                return true;
            }
            if matches!(self.client.link(), Link::Stopped(_)) || Instant::now() >= deadline {
                return false;
            }
            self.step(deadline);
        }
    }

    /// Does what is due, then waits until something arrives, something else is due, or `until`.
    pub fn step(&mut self, until: Instant) {
        let now = Instant::now();
        if let Some(line) = &mut self.line {
            line.connection.handle_timeout(now);
        }
        let time = self.now();
        if self.client.timeout().is_some_and(|due| due <= time) {
            self.client.handle_timeout(time);
        }
        self.settle(until);
        let due = self.client.timeout().map(Duration::from_millis);
        let due = due.and_then(|due| self.begun.checked_add(due));
        let due = due.map_or(until, |due| due.min(until));
        match &mut self.line {
            Some(line) => {
                let waited = line.wait(due);
                self.hear(waited);
                self.settle(until);
            }
            None if matches!(self.client.link(), Link::Stopped(_)) => {}
            None => std::thread::sleep(due.saturating_duration_since(Instant::now())),
        }
    }

    /// Drops the connection without a word, as a cable that is pulled.
    pub fn cut(&mut self) {
        if self.line.take().is_some() {
            let now = self.now();
            self.client.disconnected(None, now);
        }
    }

    /// Says goodbye, and gives what is to be written down.
    pub fn close(mut self) -> Saved {
        self.act(|client, _| client.stop());
        self.client.saved()
    }

    // Private

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Does what the machine wants done.
    fn settle(&mut self, until: Instant) {
        while let Some(output) = self.client.poll() {
            match output {
                Output::Connect => match Line::open(&self.server, until) {
                    Ok((line, rest)) => {
                        self.line = Some(line);
                        let now = self.now();
                        self.client.connected(now);
                        self.hear(Ok(rest));
                    }
                    Err(error) => {
                        self.failure = Some(error);
                        let now = self.now();
                        self.client.disconnected(None, now);
                    }
                },
                Output::Write(text) => {
                    if let Some(line) = &mut self.line {
                        // Refused only if the connection is closing, and then it is sent again.
                        let _ = line.connection.send_text(&text);
                    }
                }
                Output::Disconnect => {
                    if let Some(mut line) = self.line.take() {
                        line.leave();
                    }
                    let now = self.now();
                    self.client.disconnected(None, now);
                }
                Output::Notice(notice) => {
                    if self.notices.len() >= NOTICES_MAX {
                        self.notices.pop_front();
                    }
                    self.notices.push_back(notice);
                }
            }
        }
        let written = self.line.as_mut().map_or(Ok(()), Line::write);
        if let Err(error) = written {
            self.lose(error);
        }
    }

    /// Gives what the socket brought to the machine.
    fn hear(&mut self, read: io::Result<Vec<u8>>) {
        let Some(line) = &mut self.line else { return };
        let mut bytes = match read {
            Ok(bytes) => bytes,
            Err(error) => return self.lose(error),
        };
        let time = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut input = line.connection.receive(&mut bytes, Instant::now());
        while let Some(event) = input.next() {
            if let Event::Text(text) = event {
                self.client.receive(text, time);
            }
        }
        if line.connection.status() == Status::Closed {
            let closed = line.connection.close_status();
            let code = closed.and_then(|closed| closed.received.as_ref()?.code);
            self.line = None;
            self.client.disconnected(code, time);
        }
    }

    fn lose(&mut self, error: io::Error) {
        self.failure = Some(error.into());
        self.cut();
    }
}

/// A new nonce.
pub fn nonce() -> Nonce {
    Nonce::new(hex(random::<16>()))
}

/// A new guest's key. Whoever has it is that guest.
pub fn key() -> Arc<str> {
    hex(random::<32>()).into()
}

fn hex<const N: usize>(bytes: [u8; N]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// From the operating system.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // Keys and masks that can be foreseen are worse than no connection, and no system that has
    // sockets lacks a source.
    getrandom::fill(&mut bytes).expect("the system gives no random numbers");
    bytes
}

/// A socket with its WebSocket.
struct Line {
    socket: Wire,
    connection: Connection,
    buffer: Vec<u8>,
}

impl Line {
    /// The connection, and the bytes that came behind its handshake.
    fn open(server: &Address, until: Instant) -> Result<(Self, Vec<u8>), DriverError> {
        let deadline = Instant::now() + CONNECT_MAX;
        let deadline = deadline.min(until.max(Instant::now() + CONNECT_MIN));
        let mut socket = connect(server, deadline)?;
        let offer = Some(deflate::Offer::default());
        let handshake = ClientHandshake::new(
            &server.host,
            if matches!(&*server.target, "" | "/") { "/ws" } else { &server.target },
            random(),
            &[v1::SUBPROTOCOL],
            offer,
            None,
        )?;
        socket.socket().set_write_timeout(Some(left(deadline)))?;
        socket.write_all(&handshake.request())?;
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut head = Vec::new();
        let (established, used) = loop {
            socket.socket().set_read_timeout(Some(left(deadline)))?;
            match socket.read(&mut buffer)? {
                0 => return Err(io::Error::from(ErrorKind::UnexpectedEof).into()),
                count => head.extend_from_slice(&buffer[..count]),
            }
            if let Some(found) = handshake.receive(&head)? {
                break found;
            }
            if Instant::now() >= deadline {
                return Err(io::Error::from(ErrorKind::TimedOut).into());
            }
        };
        if established.subprotocol.as_deref() != Some(v1::SUBPROTOCOL) {
            return Err(DriverError::Dialect);
        }
        socket.socket().set_write_timeout(Some(WRITE_MAX))?;
        let config = Arc::new(websocket::Config::default());
        let jitter = u32::from_ne_bytes(random());
        let deflate = established.deflate;
        let connection =
            Connection::client(config, deflate, Box::new(random), Instant::now(), jitter);
        Ok((Self { socket, connection, buffer }, head.split_off(used)))
    }

    /// Writes what waits. A server that doesn't read leaves some of it waiting.
    fn write(&mut self) -> io::Result<()> {
        while !self.connection.output().is_empty() {
            match self.socket.write(self.connection.output()) {
                Ok(count) => self.connection.sent(count),
                Err(error) if is_timeout(&error) => break,
                Err(error) => return Err(error),
            }
        }
        match self.socket.flush() {
            Err(error) if !is_timeout(&error) => return Err(error),
            _ => {}
        }
        if self.connection.status() == Status::ShutDown {
            // The server may be gone before us.
            let _ = self.socket.shutdown_write();
        }
        Ok(())
    }

    /// Waits for bytes; none: nothing came, or the last ones came before.
    fn wait(&mut self, until: Instant) -> io::Result<Vec<u8>> {
        let until = self.connection.timeout().map_or(until, |due| due.min(until));
        let writes = !self.connection.output().is_empty() || self.socket.has_pending();
        let longest = if writes { WRITE_MAX } else { Duration::MAX };
        self.socket.socket().set_read_timeout(Some(left(until).min(longest)))?;
        match self.socket.read(&mut self.buffer) {
            Ok(0) => {
                self.connection.receive_eof(Instant::now());
                Ok(Vec::new())
            }
            Ok(count) => Ok(self.buffer[..count].to_vec()),
            Err(error) if is_timeout(&error) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Says goodbye, if the socket takes it.
    fn leave(&mut self) {
        self.connection.close(websocket::close::GOING_AWAY, "", Instant::now());
        let _ = self.write();
    }
}

fn connect(server: &Address, deadline: Instant) -> io::Result<Wire> {
    let mut last = io::Error::from(ErrorKind::AddrNotAvailable);
    for address in server.endpoint.to_socket_addrs()? {
        match Wire::connect(address, server.tls_name(), deadline) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

const BUFFER_BYTES: usize = 64 * 1024;

const NOTICES_MAX: usize = 10_000;

/// For a connection and its handshake.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// For the same, whatever the caller's deadline: an attempt cut shorter is none.
const CONNECT_MIN: Duration = Duration::from_secs(1);

/// How long a write may hold up the reading.
const WRITE_MAX: Duration = Duration::from_millis(20);
