//! One connection without its socket: the head of its HTTP request, then WebSocket, then its
//! dialect, and what to write next. Bytes and the time go in; bytes to write, requests for the hub
//! and a [`Fate`] come out.
//!
//! A session doesn't know its own name: whoever holds it says it where the hub is spoken to.
//!
//! Input: [`Session::receive`], [`Session::receive_eof`], [`Session::handle_timeout`],
//! [`Session::credit`], [`Session::reply`], [`Session::end`]. Output, after each: [`Session::output`]
//! with [`Session::sent`], then [`Session::fate`] and [`Session::deadline`].

use crate::dialect::v1;
use crate::dialect::{Back, Dialect, Kind, Reply, Said, shown};
use crate::feed::Encoding;
use crate::http::upgrade::{Admission, Door};
use crate::metrics::Metrics;
use damso_chat::hub::{Ending, Input, SessionId};
use damso_protocol::Limits;
use damso_websocket::{Config, Connection, Event, HeadLimits, Rejection, Request, Status};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::debug;

/// How long a refused peer may take to read its answer and go.
const REFUSED_MAX: Duration = Duration::from_secs(5);

/// With so much waiting to be written a connection isn't read, in bytes.
const OUTPUT_BYTES_MAX: usize = 256 * 1024;

/// What all sessions of a server share.
pub struct Context {
    /// Who may come in.
    pub door: Door,
    /// The engine's numbers.
    pub websocket: Arc<Config>,
    /// How long a request's head may be.
    pub head: HeadLimits,
    /// How long it may take.
    pub head_max: Duration,
    /// How long a socket may take no byte of what waits for it.
    pub blocked_max: Duration,
    /// The chat's numbers.
    pub limits: Limits,
    /// What is counted for the operator.
    pub metrics: Arc<Metrics>,
}

impl Context {
    /// The context of a server with this door, engine and limits.
    pub fn new(door: Door, websocket: Config, limits: Limits) -> Self {
        let head = HeadLimits { bytes: limits.head_bytes as usize, ..HeadLimits::default() };
        let head_max = Duration::from_secs(u64::from(limits.head_seconds));
        let blocked_max = Duration::from_secs(u64::from(limits.silent_seconds));
        let (websocket, metrics) = (Arc::new(websocket), Arc::default());
        Self { door, websocket, head, head_max, blocked_max, limits, metrics }
    }
}

/// What is to become of a connection's socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It goes on.
    Stay,
    /// Nothing more will be written: shut down writing, then read until the peer is done too.
    ShutDown,
    /// Drop it.
    Drop,
    /// It asks for a page: give socket and bytes (see [`Session::into_request`]) to HTTP.
    HandOver,
}

/// An opening handshake that HTTP has answered.
pub struct Opened {
    /// Its terms.
    pub admission: Admission,
    /// What came in after the request.
    pub received: Vec<u8>,
}

/// One connection. See the module's text for the order of calls.
pub struct Session {
    phase: Phase,
    /// Who is at the other end; IPv4 mapped. A [`SocketAddr`] has twice the size.
    ip: Ipv6Addr,
    port: u16,
    /// How it is counted among the connections that talk.
    counted: Option<Kind>,
    /// Requests that the hub hasn't given back.
    out: u32,
    /// It said hello to the hub, which is owed a goodbye.
    introduced: bool,
}

// There are very many that do nothing, and this is most of what each costs.
const _: () = assert!(size_of::<Session>() <= 96);

enum Phase {
    /// The request's head comes in.
    Head { bytes: Vec<u8>, deadline: Instant },
    /// The request is for HTTP, with these bytes.
    ForHttp { bytes: Vec<u8> },
    /// The answer says no; what of it isn't written yet. What comes in is dropped.
    Refused { answer: Vec<u8>, deadline: Instant },
    /// There is nobody to talk to any more.
    Gone,
    /// The opening handshake is done.
    Open { connection: Connection, dialect: Dialect },
}

impl Session {
    /// A connection that has said nothing yet, or whose opening handshake HTTP has answered.
    pub fn begin(
        id: SessionId,
        peer: SocketAddr,
        opened: Option<Box<Opened>>,
        context: &Context,
        hub: &mut Vec<Input>,
        now: Instant,
    ) -> Self {
        let phase = Phase::Head { bytes: Vec::new(), deadline: now + context.head_max };
        let ip = match peer {
            SocketAddr::V4(peer) => peer.ip().to_ipv6_mapped(),
            SocketAddr::V6(peer) => *peer.ip(),
        };
        let (counted, out, introduced) = (None, 0, false);
        let mut session = Self { phase, ip, port: peer.port(), counted, out, introduced };
        match opened {
            None => debug!(peer = %session.peer(), "accepted"),
            Some(opened) => {
                let Opened { admission, mut received } = *opened;
                session.open(id, admission, None, context, hub, now);
                session.messages(id, &mut received, context, hub, now);
            }
        }
        session
    }

    /// Takes in what the socket brought. Requests for the hub are appended to `hub`, as from `id`.
    pub fn receive(
        &mut self,
        id: SessionId,
        input: &mut [u8],
        context: &Context,
        hub: &mut Vec<Input>,
        now: Instant,
    ) {
        match &mut self.phase {
            Phase::Open { .. } => self.messages(id, input, context, hub, now),
            Phase::Refused { .. } | Phase::Gone => {}
            Phase::ForHttp { bytes } => bytes.extend_from_slice(input),
            // Most heads come in one piece, and need no buffer.
            Phase::Head { bytes, .. } if bytes.is_empty() => {
                if !self.head(id, input, context, hub, now) {
                    self.keep_head(input.to_vec());
                }
            }
            Phase::Head { bytes, .. } => {
                let mut head = std::mem::take(bytes);
                head.extend_from_slice(input);
                // No other byte ends a head or makes it wrong before its end; so one that trickles
                // in isn't read again for each.
                let decides = input.iter().any(u8::is_ascii_control);
                if !(decides || head.len() >= context.head.bytes)
                    || !self.head(id, &mut head, context, hub, now)
                {
                    self.keep_head(head);
                }
            }
        }
    }

    /// The peer will send nothing more.
    pub fn receive_eof(&mut self, now: Instant) {
        match &mut self.phase {
            Phase::Open { connection, .. } => connection.receive_eof(now),
            // Who has asked for a page may still read it.
            Phase::ForHttp { .. } => {}
            // It may still read why, and is then gone.
            Phase::Refused { deadline, .. } => *deadline = now,
            Phase::Head { .. } | Phase::Gone => self.phase = Phase::Gone,
        }
    }

    /// Something was due at [`Session::deadline`].
    pub fn handle_timeout(&mut self, context: &Context, now: Instant) {
        let reads = self.wants_read(context);
        match &mut self.phase {
            Phase::Head { deadline, .. } if *deadline <= now => {
                let slow = Rejection::new(408, "the request's head took too long");
                self.refuse(&slow, now);
            }
            Phase::Refused { deadline, .. } if *deadline <= now => self.phase = Phase::Gone,
            Phase::Open { connection, dialect, .. } => {
                if !reads {
                    // We don't read, so its silence says nothing.
                    connection.touch(now);
                    dialect.touch();
                }
                if connection.takes_data() {
                    dialect.handle_timeout(connection, context, now);
                }
                connection.handle_timeout(now);
            }
            _ => {}
        }
    }

    /// The hub is done with `count` requests.
    pub fn credit(&mut self, count: u32) {
        self.out = self.out.saturating_sub(count);
    }

    /// The hub answers, or the readers do.
    pub fn reply(&mut self, reply: &Reply<'_>, context: &Context) {
        if let Phase::Open { connection, dialect, .. } = &mut self.phase {
            dialect.reply(reply, connection, context);
        }
    }

    /// The hub, or the server's stop, ends the connection. A second end changes nothing.
    pub fn end(&mut self, ending: Ending, now: Instant) {
        match &mut self.phase {
            Phase::Open { connection, dialect, .. } if connection.takes_data() => {
                debug!(peer = %address(self.ip, self.port), ?ending, "ending");
                dialect.end(ending, connection, now);
            }
            Phase::Head { .. } => self.phase = Phase::Gone,
            Phase::Open { .. } | Phase::Refused { .. } | Phase::ForHttp { .. } | Phase::Gone => {}
        }
    }

    /// Ends a connection that has fallen too far behind to be fed, or takes nothing.
    pub fn give_up(&mut self, why: &'static str) {
        debug!(peer = %self.peer(), why, "gone");
        self.phase = Phase::Gone;
    }

    /// Bytes of its own for the socket, in order; empty when there are none. They may only go out
    /// between frames of the rooms' feeds.
    pub fn output(&self) -> &[u8] {
        match &self.phase {
            Phase::Open { connection, .. } => connection.output(),
            Phase::Refused { answer, .. } => answer,
            _ => &[],
        }
    }

    /// The socket took `count` of [`Session::output`]'s bytes.
    pub fn sent(&mut self, count: usize) {
        match &mut self.phase {
            Phase::Open { connection, .. } => connection.sent(count),
            Phase::Refused { answer, .. } => drop(answer.drain(..count)),
            _ => {}
        }
    }

    /// What is to become of the socket once [`Session::output`] is empty.
    pub fn fate(&self) -> Fate {
        match &self.phase {
            Phase::Head { .. } => Fate::Stay,
            Phase::ForHttp { .. } => Fate::HandOver,
            Phase::Gone => Fate::Drop,
            Phase::Refused { answer, .. } if answer.is_empty() => Fate::ShutDown,
            Phase::Refused { .. } => Fate::Stay,
            Phase::Open { connection, .. } => match connection.status() {
                Status::Open | Status::Closing => Fate::Stay,
                Status::ShutDown if connection.output().is_empty() => Fate::ShutDown,
                Status::ShutDown => Fate::Stay,
                Status::Closed => Fate::Drop,
            },
        }
    }

    /// When [`Session::handle_timeout`] is due.
    pub fn deadline(&self, context: &Context) -> Option<Instant> {
        match &self.phase {
            Phase::Head { deadline, .. } | Phase::Refused { deadline, .. } => Some(*deadline),
            Phase::ForHttp { .. } | Phase::Gone => None,
            Phase::Open { connection, dialect, .. } => {
                let dialect =
                    dialect.deadline(connection, context).filter(|_| connection.takes_data());
                [connection.timeout(), dialect].into_iter().flatten().min()
            }
        }
    }

    /// Whether its socket is to be read: not while it has as many requests out as it may, nor
    /// while it doesn't read what it asked for.
    pub fn wants_read(&self, context: &Context) -> bool {
        let waiting = self.output().len();
        // Who is closing asks for nothing more, and its Close has to be found.
        let credit = self.out < context.limits.commands_in_flight || self.is_closing();
        credit && waiting < OUTPUT_BYTES_MAX && !matches!(self.phase, Phase::ForHttp { .. })
    }

    /// Whether nobody knows it yet: it hasn't said hello, or asks for a page.
    pub fn is_new(&self) -> bool {
        let is_echo =
            matches!(&self.phase, Phase::Open { dialect, .. } if matches!(dialect, Dialect::Echo));
        !self.introduced && !is_echo && !self.is_closing()
    }

    /// How the rooms' events are written for it; none if it hears no rooms (any more).
    pub fn encoding(&self) -> Option<Encoding> {
        match &self.phase {
            Phase::Open { connection, dialect } if connection.takes_data() => {
                dialect.encoding(connection.deflates())
            }
            _ => None,
        }
    }

    /// Who is at the other end, as [`shown`].
    pub fn peer(&self) -> SocketAddr {
        address(self.ip, self.port)
    }

    /// The bytes of a request that is HTTP's to answer ([`Fate::HandOver`]).
    pub fn into_request(self) -> Vec<u8> {
        match self.phase {
            Phase::ForHttp { bytes } => bytes,
            _ => Vec::new(),
        }
    }

    /// The connection is over, however it ended: the hub is told, once.
    pub fn depart(&mut self, id: SessionId, context: &Context, hub: &mut Vec<Input>) {
        self.say_goodbye(id, hub);
        if let Some(count) = self.counted.take().and_then(|kind| context.metrics.connections(kind))
        {
            count.take(1);
        }
        if let Phase::Open { connection, .. } = &self.phase {
            let peer = self.peer();
            match connection.close_status() {
                Some(closed) => {
                    debug!(%peer, cause = ?closed.cause, code = closed.code(), "closed")
                }
                None => debug!(%peer, "gone: the connection was lost"),
            }
        }
    }

    /// The deadline stays: it is for the whole head.
    fn keep_head(&mut self, head: Vec<u8>) {
        if let Phase::Head { bytes, .. } = &mut self.phase {
            *bytes = head;
        }
    }

    /// Whether the head could be read; otherwise more of it has to come.
    fn head(
        &mut self,
        id: SessionId,
        bytes: &mut [u8],
        context: &Context,
        hub: &mut Vec<Input>,
        now: Instant,
    ) -> bool {
        let (request, consumed) = match Request::parse(bytes, &context.head) {
            Ok(Some(found)) => found,
            Ok(None) => return false,
            Err(rejection) => {
                self.refuse(&rejection, now);
                return true;
            }
        };
        if !request.wants_websocket() && matches!(context.door, Door::Chat(_)) {
            self.phase = Phase::ForHttp { bytes: bytes.to_vec() };
            return true;
        }
        match context.door.decide(&request) {
            Err(rejection) => self.refuse(&rejection, now),
            Ok(admission) => {
                let answer =
                    admission.opening.accept(admission.subprotocol, admission.deflate.as_ref());
                self.open(id, admission, Some(&answer), context, hub, now);
                // What was glued to the request is served.
                self.messages(id, &mut bytes[consumed..], context, hub, now);
            }
        }
        true
    }

    /// The opening handshake is done, with this answer if it isn't written yet.
    fn open(
        &mut self,
        id: SessionId,
        admission: Admission,
        answer: Option<&[u8]>,
        context: &Context,
        hub: &mut Vec<Input>,
        now: Instant,
    ) {
        let Admission { deflate, dialect: kind, lang, .. } = admission;
        debug!(peer = %self.peer(), dialect = ?kind, "handshake done");
        // Spreads the pings of connections that were opened together.
        let mut jitter = DefaultHasher::new();
        (self.ip, self.port, id).hash(&mut jitter);
        let jitter = jitter.finish() as u32;
        let mut connection = Connection::server(context.websocket.clone(), deflate, now, jitter);
        if let Some(answer) = answer {
            connection.begin_with(answer);
        }
        let dialect = Dialect::begin(kind, lang, context, now);
        if let Some((who, request)) = dialect.greet(self.peer()) {
            self.introduced = true;
            self.out += 1;
            hub.push(Input::Hello { session: id, who });
            hub.push(Input::Request { session: id, id: 0, request });
        }
        if let Some(count) = context.metrics.connections(kind) {
            count.add(1);
            self.counted = Some(kind);
        }
        self.phase = Phase::Open { connection, dialect };
    }

    fn messages(
        &mut self,
        session: SessionId,
        input: &mut [u8],
        context: &Context,
        hub: &mut Vec<Input>,
        now: Instant,
    ) {
        let Phase::Open { connection, dialect } = &mut self.phase else { return };
        let peer = address(self.ip, self.port);
        dialect.touch();
        // What comes after our own Close is for nobody.
        let mut hears = connection.takes_data();
        let mut received = connection.receive(input, now);
        while let Some(event) = received.next() {
            match &event {
                Event::Close { code, reason } => {
                    // The reason is the peer's own words, which are no business of a log's.
                    debug!(%peer, ?code, length = reason.len(), "close");
                }
                Event::Violation(violation) => {
                    debug!(%peer, %violation, "error");
                }
                Event::Ping(payload) => {
                    debug!(%peer, opcode = 9, length = payload.len(), "ping");
                }
                Event::Pong(_) => {}
                Event::Text(_) | Event::Binary(_) if !hears => {}
                Event::Text(_) | Event::Binary(_) => match dialect.hear(&event, peer, context) {
                    Said::Nothing => {}
                    Said::Hello(who) => {
                        self.introduced = true;
                        hub.push(Input::Hello { session, who });
                    }
                    Said::Ask(id, request) => {
                        self.out += 1;
                        hub.push(Input::Request { session, id, request });
                    }
                    Said::End(code, why) => {
                        v1::bye(code, &why, None, received.connection(), now);
                        hears = false;
                    }
                    Said::Refuse(answer, code, why) => {
                        let _ = received.connection().send_text(&answer);
                        v1::bye(code, &why, None, received.connection(), now);
                        hears = false;
                    }
                    // Refused only when the connection is closing, where an echo has no place.
                    Said::Back(Back::Text(text)) => {
                        let _ = received.connection().send_text(&text);
                    }
                    Said::Back(Back::Binary(bytes)) => {
                        let _ = received.connection().send_binary(&bytes);
                    }
                },
            }
        }
        // Who is closing isn't here any more, however long its socket takes to end.
        if self.is_closing() {
            self.say_goodbye(session, hub);
        }
    }

    /// Tells the hub that it is gone, if it isn't told yet.
    fn say_goodbye(&mut self, session: SessionId, hub: &mut Vec<Input>) {
        if std::mem::take(&mut self.introduced) {
            hub.push(Input::Gone { session });
        }
    }

    fn is_closing(&self) -> bool {
        matches!(&self.phase, Phase::Open { connection, .. } if !connection.takes_data())
    }

    fn refuse(&mut self, rejection: &Rejection, now: Instant) {
        debug!(
            peer = %self.peer(),
            status = rejection.status,
            why = ?rejection.body,
            "handshake refused"
        );
        let answer = rejection.to_bytes();
        self.phase = Phase::Refused { answer, deadline: now + REFUSED_MAX };
    }
}

fn address(ip: Ipv6Addr, port: u16) -> SocketAddr {
    shown((ip, port).into())
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
