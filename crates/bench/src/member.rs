//! A damso.v1 client on a socket that doesn't block, so that one thread serves many. The rules are
//! `damso_client`'s; here are only bytes and time.

use crate::random::Random;
use damso_client::{Client, Config, Notice, Output};
use damso_protocol::v1;
use damso_websocket as websocket;
use rustix::event::{PollFd, PollFlags, poll};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};
use websocket::{ClientHandshake, Connection, Event, Status, deflate};

/// For the opening handshake.
const HANDSHAKE_MAX: Duration = Duration::from_secs(4);
const CONNECT_MAX: Duration = Duration::from_secs(2);

pub struct Member {
    client: Client,
    address: SocketAddr,
    offer: Option<deflate::Offer>,
    begun: Instant,
    random: Random,
    line: Option<Line>,
    notices: Vec<Notice>,
    /// Bytes that came over all connections.
    pub received: u64,
    /// Bytes that went out over all connections.
    pub sent: u64,
    /// How many connections stood.
    pub connections: u64,
    /// Its socket isn't read.
    pub deaf: bool,
}

struct Line {
    socket: TcpStream,
    stage: Stage,
}

enum Stage {
    Shaking { handshake: Box<ClientHandshake>, rest: Vec<u8>, head: Vec<u8>, deadline: Instant },
    Open(Box<Connection>),
}

impl Member {
    /// A client of the server at `address`, which connects with the first [`step`]. `begun` is the
    /// zero of its clock.
    pub fn new(address: SocketAddr, config: Config, compress: bool, random: Random) -> Self {
        let mut draw = random.clone();
        let fraction = Box::new(move || draw.fraction());
        Self {
            client: Client::new(config, fraction),
            address,
            offer: compress.then(deflate::Offer::default),
            begun: Instant::now(),
            random,
            line: None,
            notices: Vec::new(),
            received: 0,
            sent: 0,
            connections: 0,
            deaf: false,
        }
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Gives a command, with the time it wants.
    pub fn act<T>(&mut self, command: impl FnOnce(&mut Client, u64) -> T) -> T {
        let now = self.now();
        let result = command(&mut self.client, now);
        self.settle();
        result
    }

    /// What there is to know since the last call.
    pub fn notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// Drops the connection without a word.
    pub fn cut(&mut self) {
        self.lose(None);
        self.settle();
    }

    fn now(&self) -> u64 {
        self.begun.elapsed().as_millis() as u64
    }

    /// When [`Self::time`] is due, unless something comes before.
    fn due(&self) -> Option<Instant> {
        let client = self.client.timeout().map(|ms| self.begun + Duration::from_millis(ms));
        let line = self.line.as_ref().and_then(|line| match &line.stage {
            Stage::Shaking { deadline, .. } => Some(*deadline),
            Stage::Open(connection) => connection.timeout(),
        });
        client.into_iter().chain(line).min()
    }

    fn time(&mut self, now: Instant) {
        let late = match self.line.as_mut().map(|line| &mut line.stage) {
            Some(Stage::Shaking { deadline, .. }) => *deadline <= now,
            Some(Stage::Open(connection)) => {
                connection.handle_timeout(now);
                false
            }
            None => false,
        };
        if late {
            self.lose(None);
        }
        let ms = self.now();
        if self.client.timeout().is_some_and(|due| due <= ms) {
            self.client.handle_timeout(ms);
        }
        self.settle();
    }

    /// Does what the machine wants done, and writes what the socket takes.
    fn settle(&mut self) {
        loop {
            while let Some(output) = self.client.poll() {
                match output {
                    Output::Connect => match self.connect() {
                        Some(line) => self.line = Some(line),
                        None => self.lose(None),
                    },
                    Output::Write(text) => {
                        if let Some(Stage::Open(connection)) =
                            self.line.as_mut().map(|line| &mut line.stage)
                        {
                            // Refused only if it is closing, and then it is sent again.
                            let _ = connection.send_text(&text);
                        }
                    }
                    Output::Disconnect => {
                        let now = Instant::now();
                        if let Some(Line { stage: Stage::Open(connection), .. }) = &mut self.line {
                            connection.close(websocket::close::GOING_AWAY, "", now);
                            let _ = self.write();
                        }
                        self.lose(None);
                    }
                    Output::Notice(notice) => self.notices.push(notice),
                }
            }
            if self.write() {
                return;
            }
            self.lose(None);
        }
    }

    fn connect(&mut self) -> Option<Line> {
        let socket = TcpStream::connect_timeout(&self.address, CONNECT_MAX).ok()?;
        socket.set_nodelay(true).ok()?;
        socket.set_nonblocking(true).ok()?;
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&self.random.next().to_ne_bytes());
        nonce[8..].copy_from_slice(&self.random.next().to_ne_bytes());
        let host = self.address.to_string();
        let offer = self.offer.clone();
        let handshake =
            ClientHandshake::new(&host, "/ws", nonce, &[v1::SUBPROTOCOL], offer, None).ok()?;
        let (rest, deadline) = (handshake.request(), Instant::now() + HANDSHAKE_MAX);
        let handshake = Box::new(handshake);
        Some(Line { socket, stage: Stage::Shaking { handshake, rest, head: Vec::new(), deadline } })
    }

    /// Whether the connection is still of use.
    fn write(&mut self) -> bool {
        let Some(line) = &mut self.line else { return true };
        loop {
            let bytes = match &line.stage {
                Stage::Shaking { rest, .. } => &rest[..],
                Stage::Open(connection) => connection.output(),
            };
            if bytes.is_empty() {
                break;
            }
            match line.socket.write(bytes) {
                Ok(count) => {
                    self.sent += count as u64;
                    match &mut line.stage {
                        Stage::Shaking { rest, .. } => drop(rest.drain(..count)),
                        Stage::Open(connection) => connection.sent(count),
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        if let Stage::Open(connection) = &line.stage
            && connection.status() == Status::ShutDown
        {
            let _ = line.socket.shutdown(Shutdown::Write);
        }
        true
    }

    fn read(&mut self, buffer: &mut [u8]) {
        let Some(line) = &mut self.line else { return };
        match line.socket.read(buffer) {
            Ok(0) => match &mut line.stage {
                Stage::Open(connection) => {
                    connection.receive_eof(Instant::now());
                    self.hear(&mut []);
                }
                Stage::Shaking { .. } => self.lose(None),
            },
            Ok(count) => {
                self.received += count as u64;
                self.take(&mut buffer[..count]);
            }
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => self.lose(None),
        }
        self.settle();
    }

    fn take(&mut self, bytes: &mut [u8]) {
        let Some(Line { stage, .. }) = &mut self.line else { return };
        let Stage::Shaking { handshake, head, .. } = stage else { return self.hear(bytes) };
        head.extend_from_slice(bytes);
        match handshake.receive(head) {
            Ok(None) => {}
            Ok(Some((established, used))) if established.subprotocol.is_some() => {
                let mut rest = head.split_off(used);
                let config = Arc::new(websocket::Config::default());
                let mut keys = self.random.clone();
                let keys = Box::new(move || (keys.next() as u32).to_ne_bytes());
                let connection =
                    Connection::client(config, established.deflate, keys, Instant::now(), 0);
                *stage = Stage::Open(Box::new(connection));
                self.connections += 1;
                let now = self.now();
                self.client.connected(now);
                self.settle();
                self.hear(&mut rest);
            }
            Ok(Some(_)) | Err(_) => self.lose(None),
        }
    }

    fn hear(&mut self, bytes: &mut [u8]) {
        let time = self.now();
        let Some(Line { stage: Stage::Open(connection), .. }) = &mut self.line else { return };
        let mut input = connection.receive(bytes, Instant::now());
        while let Some(event) = input.next() {
            if let Event::Text(text) = event {
                self.client.receive(text, time);
            }
        }
        if connection.status() == Status::Closed {
            let closed = connection.close_status();
            let code = closed.and_then(|closed| closed.received.as_ref()?.code);
            self.lose(code);
        }
    }

    fn lose(&mut self, code: Option<u16>) {
        self.line = None;
        let now = self.now();
        self.client.disconnected(code, now);
    }

    fn interest(&self) -> PollFlags {
        let unwritten = self.line.as_ref().is_some_and(|line| match &line.stage {
            Stage::Shaking { rest, .. } => !rest.is_empty(),
            Stage::Open(connection) => !connection.output().is_empty(),
        });
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, !self.deaf);
        flags.set(PollFlags::OUT, unwritten);
        flags
    }
}

/// Serves members once: what is due, then what arrives until `until` or the first thing that does.
pub fn step<T: AsMut<Member> + AsRef<Member>>(
    members: &mut [T],
    buffer: &mut [u8],
    until: Instant,
) -> Result<(), String> {
    let now = Instant::now();
    let mut due = until;
    for member in &mut *members {
        let member = member.as_mut();
        if member.due().is_some_and(|due| due <= now) {
            member.time(now);
        }
        due = due.min(member.due().unwrap_or(until));
    }
    let mut ready = Vec::new();
    {
        let mut places = Vec::with_capacity(members.len());
        let mut waits = Vec::with_capacity(members.len());
        for (at, member) in members.iter().enumerate() {
            let member = member.as_ref();
            if let Some(line) = &member.line {
                places.push(at);
                waits.push(PollFd::new(&line.socket, member.interest()));
            }
        }
        let wait = due.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        let wait = rustix::time::Timespec {
            tv_sec: wait.as_secs() as i64,
            tv_nsec: wait.subsec_nanos().into(),
        };
        match poll(&mut waits, Some(&wait)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(format!("poll: {error}")),
        }
        for (wait, at) in waits.iter().zip(places) {
            if !wait.revents().is_empty() {
                ready.push((at, wait.revents()));
            }
        }
    }
    for (at, flags) in ready {
        let member = members[at].as_mut();
        if flags.contains(PollFlags::OUT) {
            member.settle();
        }
        let ended = PollFlags::HUP | PollFlags::ERR;
        if flags.contains(PollFlags::IN) || flags.intersects(ended) && !member.deaf {
            member.read(buffer);
        }
    }
    Ok(())
}

impl AsMut<Member> for Member {
    fn as_mut(&mut self) -> &mut Member {
        self
    }
}

impl AsRef<Member> for Member {
    fn as_ref(&self) -> &Member {
        self
    }
}
