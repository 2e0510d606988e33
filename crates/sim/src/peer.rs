//! Those who connect: damso.v1's client and plain peers, and the bytes between them and the server.

use crate::net::Conn;
use crate::rng::Rng;
use crate::tap::Tap;
use crate::truth::{Rule, fail};
use crate::world::{Action, Phase, World};
use damso_client::{Client, Config, Link, Notice, Output};
use damso_protocol::RoomId;
use damso_protocol::v1::SUBPROTOCOL;
use damso_websocket::{ClientHandshake, Connection, Event, Status, close, deflate};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// How long a connection and its handshake may take, in µs: the client's driver gives up then.
const CONNECT_US: u64 = 10_000_000;

/// A device.
pub struct Peer {
    /// For a trace.
    pub name: String,
    /// Whose it is; none: a plain peer's.
    pub person: Option<usize>,
    /// damso.v1's client; none: a plain peer.
    pub client: Option<Client>,
    /// Its connection.
    pub conn: Option<usize>,
    /// How far that is.
    pub line: Line,
    /// What is said over it.
    pub tap: Tap,
    /// It reads what arrives.
    pub reads: bool,
    /// It has a network.
    pub online: bool,
    /// When it is woken next, in µs.
    wake: Option<u64>,
    /// The last event that was shown, by room.
    pub shown: HashMap<RoomId, u64>,
    /// Of a plain peer: the lobby's last line.
    pub last_line: Option<u64>,
    /// It offers compression.
    deflates: bool,
    rng: Rng,
}

/// A socket, and what is spoken over it.
pub enum Line {
    /// There is none.
    None,
    /// The opening handshake.
    Shaking(Box<(ClientHandshake, Vec<u8>)>),
    /// A WebSocket.
    Open(Box<Connection>),
}

impl World {
    /// The life of the log that a device's connection is about.
    pub fn age_of(&self, peer: usize) -> usize {
        self.peers[peer].conn.map_or(self.age, |at| self.net[at].age)
    }

    /// Puts everybody into the world.
    pub fn settle_people(&mut self) {
        for number in 0..self.plan.people {
            let mut rng = self.rng.fork();
            let name = *rng.pick(&["Anna", "민수", "anna", "Bo", "민지"]).unwrap_or(&"Anna");
            let person = crate::world::Person {
                key: format!("key-of-person-{number}-{:x}", rng.next()).into(),
                name: name.into(),
                address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1 + (number as u8) / 2 * 2)),
                said: Vec::new(),
            };
            self.people.push(person);
            self.settle(format!("p{number}a"), Some(number));
            if number < self.plan.doubles {
                self.settle(format!("p{number}b"), Some(number));
            }
        }
        for number in 0..self.plan.plain {
            self.settle(format!("plain{number}"), None);
        }
    }

    fn settle(&mut self, name: String, person: Option<usize>) {
        let mut rng = self.rng.fork();
        let client = person.map(|person| {
            let mut numbers = rng.fork();
            Client::new(self.config(person), Box::new(move || numbers.fraction()))
        });
        let peer = self.peers.len();
        self.peers.push(Peer {
            name,
            person,
            client,
            conn: None,
            line: Line::None,
            tap: Tap::default(),
            reads: true,
            online: true,
            wake: None,
            shown: HashMap::new(),
            last_line: None,
            deflates: rng.chance(400),
            rng,
        });
        let (begins, acts) = (self.rng.between(0, 3_000_000), self.rng.between(0, 2_000_000));
        let begin = if person.is_some() { Action::Wake { peer } } else { Action::Connect { peer } };
        self.peers[peer].wake = Some(begins);
        self.at(begins, begin);
        self.after(acts, Action::Act { peer });
    }

    fn config(&mut self, person: usize) -> Config {
        let person = &self.people[person];
        Config {
            key: Some(person.key.clone()),
            name: Some(person.name.clone()),
            agent: "sim".into(),
            replay_max: *self.rng.pick(&[None, Some(10), Some(1_000_000)]).unwrap_or(&None),
            page_limit: *self.rng.pick(&[None, Some(3), Some(10)]).unwrap_or(&None),
            keep_messages: *self.rng.pick(&[10_000, 10_000, 12]).unwrap_or(&10_000),
            ..Config::default()
        }
    }

    /// Where a peer comes from.
    pub fn address_of(&self, peer: usize, at: usize) -> SocketAddr {
        let address = match self.peers[peer].person {
            Some(person) => self.people[person].address,
            None => IpAddr::V4(Ipv4Addr::new(10, 0, 1, peer as u8)),
        };
        SocketAddr::new(address, 10_000 + at as u16)
    }

    /// A plain peer connects.
    pub fn connect_plain(&mut self, peer: usize) {
        if self.peers[peer].conn.is_none() && self.peers[peer].online {
            self.connect(peer);
        }
    }

    fn connect(&mut self, peer: usize) {
        let conn = Conn::new(peer, self.plan.latency_ms, &mut self.rng);
        let at = self.net.len();
        self.net.push(conn);
        self.counts.connections += 1;
        let device = &mut self.peers[peer];
        let (nonce, deflates) = (device.rng.bytes(), device.deflates);
        let offer = deflates.then(deflate::Offer::default);
        let names: &[&str] = if device.client.is_some() { &[SUBPROTOCOL] } else { &[] };
        // All of it can stand in a request.
        let Ok(handshake) = ClientHandshake::new("10.0.0.1", "/ws", nonce, names, offer, None)
        else {
            return;
        };
        self.net[at].up.cap = self.net[at].up.cap.max(1_000);
        self.net[at].up.write(&handshake.request());
        let device = &mut self.peers[peer];
        device.conn = Some(at);
        device.tap = Tap::default();
        device.last_line = None;
        device.line = Line::Shaking(Box::new((handshake, Vec::new())));
        if !device.online {
            self.client_gone_soon(at);
            return;
        }
        let delay = self.net[at].delay(&mut self.rng);
        self.after(delay, Action::Accept { at });
        self.after(CONNECT_US, Action::ClientLate { at });
    }

    /// A client's end of a connection is over, without a word.
    pub fn client_gone_soon(&mut self, at: usize) {
        let delay = self.rng.between(10, 3_000);
        self.after(delay, Action::ClientGone { at });
    }

    /// A client learns that its connection is gone.
    pub fn client_gone(&mut self, at: usize) {
        let peer = self.net[at].peer;
        if self.peers[peer].conn == Some(at) {
            self.end_line(peer, None);
        }
    }

    /// A connection that isn't made by now won't be.
    pub fn client_late(&mut self, at: usize) {
        let peer = self.net[at].peer;
        if self.peers[peer].conn == Some(at) && matches!(self.peers[peer].line, Line::Shaking(_)) {
            self.end_line(peer, None);
        }
    }

    /// A client's end is closed, and the client told.
    pub fn end_line(&mut self, peer: usize, code: Option<u16>) {
        let ms = self.ms();
        self.drop_line(peer);
        let device = &mut self.peers[peer];
        match &mut device.client {
            Some(client) => client.disconnected(code, ms),
            None => {
                let delay = self.rng.between(300_000, 4_000_000);
                self.after(delay, Action::Connect { peer });
            }
        }
        self.tend(peer);
    }

    /// A client's end is closed: what it wrote still arrives, and then the end.
    pub fn drop_line(&mut self, peer: usize) {
        let device = &mut self.peers[peer];
        device.line = Line::None;
        if let Some(at) = device.conn.take() {
            let conn = &mut self.net[at];
            conn.client_here = false;
            conn.up.ended = true;
            self.move_bytes(at);
        }
    }

    /// A device's time has come.
    pub fn wake_peer(&mut self, peer: usize) {
        if self.peers[peer].wake != Some(self.now) {
            return;
        }
        self.peers[peer].wake = None;
        let (now, ms) = (self.instant(), self.ms());
        let device = &mut self.peers[peer];
        if let Line::Open(connection) = &mut device.line {
            connection.handle_timeout(now);
        }
        if let Some(client) = &mut device.client
            && client.timeout().is_some_and(|due| due <= ms)
        {
            client.handle_timeout(ms);
        }
        self.tend(peer);
    }

    /// Does what a device's machines want done.
    pub fn tend(&mut self, peer: usize) {
        while let Some(output) = self.peers[peer].client.as_mut().and_then(Client::poll) {
            match output {
                Output::Connect => self.connect(peer),
                Output::Write(text) => {
                    let name = &self.peers[peer].name;
                    let line = self.is_tracing().then(|| format!("{name:<8} ← {}", cut(&text)));
                    self.trace(|| line.unwrap_or_default());
                    let age = self.age_of(peer);
                    let checked = self.peers[peer].tap.out(&text, &self.ages[age]);
                    self.check(checked);
                    if let Line::Open(connection) = &mut self.peers[peer].line {
                        // Refused only if the connection is closing, and then it is sent again.
                        let _ = connection.send_text(&text);
                    }
                }
                Output::Disconnect => {
                    let now = self.instant();
                    if let Line::Open(connection) = &mut self.peers[peer].line {
                        connection.close(close::GOING_AWAY, "", now);
                    }
                    self.flush(peer);
                    self.drop_line(peer);
                    let ms = self.ms();
                    if let Some(client) = &mut self.peers[peer].client {
                        client.disconnected(None, ms);
                    }
                }
                Output::Notice(notice) => self.noticed(peer, notice),
            }
            if self.failure.is_some() {
                return;
            }
        }
        let device = &mut self.peers[peer];
        if let Some(client) = &device.client {
            // What isn't followed any more may begin anew.
            device.shown.retain(|room, _| client.room(room).is_some());
        }
        self.flush(peer);
        let code = match &self.peers[peer].line {
            Line::Open(connection) if connection.status() == Status::Closed => {
                let closed = connection.close_status();
                Some(closed.and_then(|closed| closed.received.as_ref()?.code))
            }
            _ => None,
        };
        if let Some(code) = code {
            return self.end_line(peer, code);
        }
        let (base, now) = (self.instant(), self.now);
        let device = &self.peers[peer];
        let of_line = match &device.line {
            Line::Open(connection) => connection.timeout(),
            _ => None,
        };
        let of_line =
            of_line.map(|due| now + due.saturating_duration_since(base).as_micros() as u64);
        let of_client = device.client.as_ref().and_then(Client::timeout).map(|due| due * 1_000);
        let due = [of_line, of_client].into_iter().flatten().min();
        if let Some(due) = due.map(|due| due.max(now + 1))
            && device.wake.is_none_or(|wake| due < wake || wake < now)
        {
            self.peers[peer].wake = Some(due);
            self.at(due, Action::Wake { peer });
        }
    }

    /// Writes what waits into the socket.
    pub fn flush(&mut self, peer: usize) {
        let device = &mut self.peers[peer];
        let (Some(at), Line::Open(connection)) = (device.conn, &mut device.line) else { return };
        let conn = &mut self.net[at];
        let taken = conn.up.write(connection.output());
        connection.sent(taken);
        if connection.status() == Status::ShutDown && connection.output().is_empty() {
            conn.up.ended = true;
        }
        self.move_bytes(at);
    }

    /// A device takes in bytes.
    pub fn hear(&mut self, peer: usize, mut bytes: Vec<u8>) {
        let (now, ms) = (self.instant(), self.ms());
        let device = &mut self.peers[peer];
        if let Line::Shaking(shaking) = &mut device.line {
            let (handshake, head) = &mut **shaking;
            head.extend_from_slice(&bytes);
            match handshake.receive(head) {
                Ok(None) => return,
                Ok(Some((established, used))) => {
                    bytes = head.split_off(used);
                    let mut keys = device.rng.fork();
                    let connection = Connection::client(
                        Arc::default(),
                        established.deflate,
                        Box::new(move || keys.bytes()),
                        now,
                        device.rng.next() as u32,
                    );
                    device.line = Line::Open(Box::new(connection));
                    if let Some(client) = &mut device.client {
                        client.connected(ms);
                    }
                    self.tend(peer);
                }
                Err(error) => {
                    let what = format!("{}'s handshake failed: {error}", self.peers[peer].name);
                    return self.check(fail(Rule::Answers, what));
                }
            }
        }
        let Line::Open(connection) = &mut self.peers[peer].line else { return };
        let mut texts = Vec::new();
        let mut input = connection.receive(&mut bytes, now);
        while let Some(event) = input.next() {
            match event {
                Event::Text(text) => texts.push(text.to_owned()),
                Event::Violation(violation) => {
                    let name = &self.peers[peer].name;
                    let what = format!("the server's bytes for {name} are none: {violation}");
                    return self.check(fail(Rule::Answers, what));
                }
                _ => {}
            }
        }
        for text in texts {
            self.counts.heard += 1;
            if self.is_tracing() {
                let line = format!("{:<8} → {}", self.peers[peer].name, cut(&text));
                self.trace(|| line);
            }
            let age = self.age_of(peer);
            let device = &mut self.peers[peer];
            if let Some(client) = &mut device.client {
                let checked = device.tap.heard(&text, &mut self.ages[age]);
                client.receive(&text, ms);
                self.check(checked);
            } else {
                self.hear_line(peer, &text);
            }
            if self.failure.is_some() {
                return;
            }
            self.tend(peer);
        }
        self.tend(peer);
    }

    /// A client has something to say to its user.
    fn noticed(&mut self, peer: usize, notice: Notice) {
        let device = &mut self.peers[peer];
        let Some(client) = &device.client else { return };
        match notice {
            Notice::Message(msg) => self.show(peer, &msg.room, msg.seq),
            Notice::Changed(change) => self.show(peer, &change.room, change.seq),
            Notice::Unknown { room, seq } => self.show(peer, &room, seq),
            Notice::Room(event) => {
                self.show(peer, &event.room, event.seq.unwrap_or(0));
            }
            Notice::Reset { room, .. } => {
                let last = client.room(&room).and_then(damso_client::Room::last);
                device.shown.insert(room, last.unwrap_or(0));
            }
            Notice::Replay { room, .. } => {
                let last = client.room(&room).and_then(damso_client::Room::last);
                device.shown.entry(room).or_insert(last.unwrap_or(0));
            }
            Notice::List(event) => {
                let room = event.room;
                if event.entry.is_some() && self.rng.chance(600) {
                    self.open(peer, room);
                }
            }
            Notice::Welcome { epoch_changed: true } => device.shown.clear(),
            Notice::NameTaken { suggest } => {
                let name = suggest.map_or_else(|| format!("nobody{peer}"), |name| name.to_string());
                let delay = self.rng.between(10_000, 3_000_000);
                self.after(delay, Action::Rename { peer, name });
            }
            Notice::Stopped { .. } if self.phase == Phase::Acting => {
                let delay = self.rng.between(2_000_000, 20_000_000);
                self.after(delay, Action::SignIn { peer });
            }
            Notice::Stopped { .. } => self.after(500_000, Action::SignIn { peer }),
            _ => {}
        }
    }

    /// An event is shown: the one after that which was shown last.
    fn show(&mut self, peer: usize, room: &RoomId, seq: u64) {
        let device = &mut self.peers[peer];
        let last = device.shown.insert(room.clone(), seq);
        if last.is_some_and(|last| last + 1 != seq) {
            let what = format!("{} was shown {seq} of {room} after {last:?}", device.name);
            self.check(fail(Rule::G3, what));
        }
    }

    /// Follows a room.
    pub fn open(&mut self, peer: usize, room: RoomId) {
        let ms = self.ms();
        let device = &mut self.peers[peer];
        if let Some(client) = &mut device.client {
            client.open(room, ms);
        }
    }

    /// Takes the name that is free.
    pub fn rename(&mut self, peer: usize, name: &str) {
        let ms = self.ms();
        if let Some(client) = &mut self.peers[peer].client {
            client.rename(name, ms);
        }
        self.tend(peer);
    }

    /// Comes back after being sent away.
    pub fn sign_in(&mut self, peer: usize) {
        let ms = self.ms();
        let Some(person) = self.peers[peer].person else { return };
        let key = self.people[person].key.clone();
        if let Some(client) = &mut self.peers[peer].client
            && matches!(client.link(), Link::Stopped(_))
        {
            client.sign_in(None, Some(key), ms);
        }
        self.tend(peer);
    }

    /// A client's program ends and another one goes on with what it wrote down.
    pub fn renew(&mut self, peer: usize) {
        let Some(person) = self.peers[peer].person else { return };
        let Some(saved) = self.peers[peer].client.as_ref().map(Client::saved) else { return };
        self.drop_line(peer);
        let config = self.config(person);
        let device = &mut self.peers[peer];
        device.shown = saved.cursors.clone().into_iter().collect();
        let mut numbers = device.rng.fork();
        let rooms: Vec<RoomId> = saved.cursors.keys().cloned().collect();
        let mut client = Client::restore(config, saved, Box::new(move || numbers.fraction()));
        let ms = self.now / 1_000;
        rooms.into_iter().for_each(|room| client.open(room, ms));
        device.client = Some(client);
        device.wake = Some(self.now + 1_000);
        self.after(1_000, Action::Wake { peer });
    }
}

/// As much of a text as a trace shows.
fn cut(text: &str) -> String {
    match text.char_indices().nth(160) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
