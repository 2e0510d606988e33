//! A connection after the opening handshake, either role.

mod input;

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use crate::close::{self, Cause, CloseFrame, Closed};
use crate::deflate::{self, Agreed, Deflater, Inflater, Terms};
use crate::frame::{self, CONTROL_BYTES_MAX, Header};
use crate::message::{Message, Partial};
use crate::output::Output;
use crate::timer::{Timer, Timing};
use crate::{Opcode, Violation};

pub use input::Input;

/// How much a peer may send at once.
#[derive(Clone, Debug)]
pub struct Limits {
    /// A frame's payload as its header claims it; default 1 MiB. Refused before any of it is taken.
    pub frame_bytes: u64,
    /// A message's bytes, all fragments together and inflated; default 1 MiB. A connection owns at
    /// most this much, twice over while its buffer grows.
    pub message_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { frame_bytes: 1 << 20, message_bytes: 1 << 20 }
    }
}

/// What many connections share.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// How much.
    pub limits: Limits,
    /// How long.
    pub timing: Timing,
}

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Messages may go both ways.
    Open,
    /// A Close frame was sent and the peer's is awaited; at a client also: the server's end of
    /// bytes is awaited (7.1.1).
    Closing,
    /// All is said: once `output()` is empty the owner shuts down writing, then reads and discards
    /// until the end of the peer's bytes or until `Closed`.
    ShutDown,
    /// To be dropped, with its socket, now.
    Closed,
}

/// Why something wasn't queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// A Close frame was queued or received; nothing may follow it (5.5.1).
    Closing,
    /// More than the 125 bytes of a control frame (5.5).
    ControlTooLong,
}

/// What a peer said. Control frames are answered by the connection itself; their events are for the
/// record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A text message, whole.
    Text(&'a str),
    /// A binary message, whole.
    Binary(&'a [u8]),
    /// Its Pong is queued.
    Ping(&'a [u8]),
    /// Asked for or not.
    Pong(&'a [u8]),
    /// Its answer is queued. Nothing follows.
    Close {
        /// `None`: the frame had no body.
        code: Option<u16>,
        /// May be empty.
        reason: &'a str,
    },
    /// The peer broke a rule; the Close frame that says so is queued. Nothing follows.
    Violation(Violation),
}

/// One end of a WebSocket, without the socket.
///
/// - **Input**: [`receive`](Self::receive), [`receive_eof`](Self::receive_eof),
///   [`handle_timeout`](Self::handle_timeout), [`touch`](Self::touch).
/// - **Commands**: [`begin_with`](Self::begin_with), [`send_text`](Self::send_text),
///   [`send_binary`](Self::send_binary), [`send_ping`](Self::send_ping), [`close`](Self::close).
/// - **Output**: [`output`](Self::output), [`sent`](Self::sent).
/// - **Getters**: [`timeout`](Self::timeout), [`status`](Self::status),
///   [`close_status`](Self::close_status), [`takes_data`](Self::takes_data),
///   [`heard`](Self::heard), [`deflates`](Self::deflates).
///
/// After every input and command: drain the events of `receive` until there is none, then send
/// `output()`, then look at `status()` and `timeout()`, which all three may have changed. What the
/// peer does wrong is answered inside.
///
/// Owns no heap memory while idle, but for a client's source of masking keys and, once a compressed
/// message went by with context takeover, the windows.
pub struct Connection {
    config: Arc<Config>,
    output: Output,
    extra: Option<Box<Extra>>,
    /// When `timer` began.
    since: Instant,
    deflate: Option<Terms>,
    jitter: u16,
    timer: Timer,
    state: State,
    eof: bool,
}

// Servers have very many that are idle.
const _: () = assert!(size_of::<Connection>() <= 56);

/// What an idle connection of a server has nothing of.
#[derive(Default)]
struct Extra {
    /// Present at a client (5.3).
    keys: Option<Box<dyn FnMut() -> [u8; 4] + Send>>,
    /// What frames and messages left incomplete.
    partial: Option<Box<Partial>>,
    /// Windows that outlive a message.
    contexts: Option<Box<Contexts>>,
    closed: Option<Box<Closed>>,
}

impl Extra {
    fn is_empty(&self) -> bool {
        self.keys.is_none()
            && self.partial.is_none()
            && self.contexts.is_none()
            && self.closed.is_none()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// We sent a Close frame, the peer didn't yet.
    CloseSent,
    /// Both sent one.
    Done,
    /// The peer broke a rule, and gets no further hearing (7.1.7).
    Failed,
    Closed,
}

#[derive(Default)]
struct Contexts {
    inflater: Option<Inflater>,
    deflater: Option<Deflater>,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendError::Closing => write!(f, "the connection is closing"),
            SendError::ControlTooLong => write!(f, "a control frame has at most 125 bytes"),
        }
    }
}

impl std::error::Error for SendError {}

impl Connection {
    /// The server's end. `jitter`: any number, best a random one; see [`Timing::ping_after`].
    pub fn server(config: Arc<Config>, deflate: Option<Agreed>, now: Instant, jitter: u32) -> Self {
        Connection::new(config, deflate, None, now, jitter)
    }

    /// The client's end. `keys` gives each frame's masking key and must be unpredictable (5.3,
    /// 10.3): from the operating system, or a generator seeded by it that is fit for cryptography.
    pub fn client(
        config: Arc<Config>,
        deflate: Option<Agreed>,
        keys: Box<dyn FnMut() -> [u8; 4] + Send>,
        now: Instant,
        jitter: u32,
    ) -> Self {
        Connection::new(config, deflate, Some(keys), now, jitter)
    }

    fn new(
        config: Arc<Config>,
        deflate: Option<Agreed>,
        keys: Option<Box<dyn FnMut() -> [u8; 4] + Send>>,
        now: Instant,
        jitter: u32,
    ) -> Self {
        let deflate = deflate.map(|agreed| Terms::of(&agreed, keys.is_some()));
        let extra = keys.map(|keys| Box::new(Extra { keys: Some(keys), ..Extra::default() }));
        Connection {
            config,
            output: Output::default(),
            extra,
            since: now,
            deflate,
            jitter: (jitter >> 16) as u16,
            timer: Timer::Ping,
            state: State::Open,
            eof: false,
        }
    }

    // Input

    /// Takes bytes from the peer. They are consumed as the events are drained, which must be done
    /// until there is none; what isn't complete by then is kept. Unmasks in place, and events
    /// borrow from `input` where they can.
    ///
    /// After [`close`](Self::close) the peer's messages go on arriving until its Close frame.
    pub fn receive<'a>(&'a mut self, input: &'a mut [u8], now: Instant) -> Input<'a> {
        if !input.is_empty() && self.state == State::Open {
            self.since = now;
            self.timer = Timer::Ping;
        }
        Input::new(self, input, now)
    }

    /// The peer's bytes have ended.
    pub fn receive_eof(&mut self, _now: Instant) {
        self.eof = true;
        match self.state {
            State::Open => self.end(Cause::Eof),
            State::CloseSent => self.end(Cause::Local),
            // It may have ended its own side only, and wait for our Close frame.
            State::Done | State::Failed if self.output.is_empty() => self.state = State::Closed,
            State::Done | State::Failed | State::Closed => {}
        }
    }

    /// To be called when [`timeout`](Self::timeout) has passed; early and late calls do no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.state == State::Closed || self.timeout().is_none_or(|due| due > now) {
            return;
        }
        match self.timer {
            Timer::Ping => {
                self.timer = Timer::Silent;
                if self.timeout().is_some_and(|due| due <= now) {
                    self.end(Cause::Silent);
                } else {
                    let key = self.key();
                    frame::frame(self.output.bytes(), Opcode::Ping, false, key, b"");
                }
            }
            Timer::Silent => self.end(Cause::Silent),
            Timer::Closing => self.end(Cause::Local),
        }
    }

    /// Counts the peer as heard, for an owner that didn't read for a while.
    pub fn touch(&mut self, now: Instant) {
        if self.state == State::Open {
            self.since = now;
            self.timer = Timer::Ping;
        }
    }

    // Commands

    /// Queues the answer to the opening handshake, for an owner that writes it as the beginning of
    /// [`output`](Self::output). To be called before anything else.
    pub fn begin_with(&mut self, answer: &[u8]) {
        if !answer.is_empty() {
            self.output.bytes().extend_from_slice(answer);
        }
    }

    /// Queues a text message.
    ///
    /// # Errors
    ///
    /// `Closing`.
    pub fn send_text(&mut self, text: &str) -> Result<(), SendError> {
        self.send(Opcode::Text, text.as_bytes())
    }

    /// Queues a binary message.
    ///
    /// # Errors
    ///
    /// `Closing`.
    pub fn send_binary(&mut self, bytes: &[u8]) -> Result<(), SendError> {
        self.send(Opcode::Binary, bytes)
    }

    /// Queues a Ping with up to 125 bytes. Silent peers are pinged without it.
    ///
    /// # Errors
    ///
    /// `Closing`, `ControlTooLong`.
    pub fn send_ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        if self.state != State::Open {
            return Err(SendError::Closing);
        }
        if payload.len() > CONTROL_BYTES_MAX {
            return Err(SendError::ControlTooLong);
        }
        let key = self.key();
        frame::frame(self.output.bytes(), Opcode::Ping, false, key, payload);
        Ok(())
    }

    /// Starts the closing handshake (7.1.2): queues a Close frame; nothing may be sent after it.
    /// Does nothing if the connection is closing already. The reason is cut to 123 bytes between
    /// two characters. A code that must not be on the wire (7.4) becomes 1011, except 1005, which
    /// stands for a Close frame without a body.
    pub fn close(&mut self, code: u16, reason: &str, now: Instant) {
        if self.state == State::Open {
            let frame = close::sendable(code, reason);
            self.queue_close(&frame);
            self.begin_closing(
                Closed { cause: Cause::Local, sent: Some(frame), received: None },
                now,
            );
            self.state = State::CloseSent;
        }
    }

    // Output

    /// Bytes for the socket.
    pub fn output(&self) -> &[u8] {
        self.output.waiting()
    }

    /// The socket took `n` bytes of [`output`](Self::output).
    pub fn sent(&mut self, n: usize) {
        self.output.sent(n);
        if self.eof && self.output.is_empty() && matches!(self.state, State::Done | State::Failed) {
            self.state = State::Closed;
        }
    }

    // Getters

    /// When to call [`handle_timeout`](Self::handle_timeout). Changes with every input and command.
    pub fn timeout(&self) -> Option<Instant> {
        match self.state {
            State::Closed => None,
            _ => self.timer.due(self.since, &self.config.timing, self.jitter),
        }
    }

    /// How far the connection is.
    pub fn status(&self) -> Status {
        match self.state {
            State::Open => Status::Open,
            State::CloseSent => Status::Closing,
            // 7.1.1: the server closes first, so that the client needn't wait in TIME_WAIT.
            State::Done if self.is_client() => Status::Closing,
            State::Done | State::Failed => Status::ShutDown,
            State::Closed => Status::Closed,
        }
    }

    /// How it ended or is ending; `None` while it is open.
    pub fn close_status(&self) -> Option<&Closed> {
        self.extra.as_ref()?.closed.as_deref()
    }

    /// Whether messages may be queued: no Close frame was queued or received.
    pub fn takes_data(&self) -> bool {
        self.state == State::Open
    }

    /// When the peer was last heard, or counted as heard; once the connection is closing, when that
    /// began.
    pub fn heard(&self) -> Instant {
        self.since
    }

    /// Whether compression was agreed on.
    pub fn deflates(&self) -> bool {
        self.deflate.is_some()
    }

    // Private

    fn is_client(&self) -> bool {
        self.extra.as_ref().is_some_and(|extra| extra.keys.is_some())
    }

    /// A new masking key, at a client (5.3: "a fresh masking key … for each frame").
    fn key(&mut self) -> Option<[u8; 4]> {
        self.extra.as_mut()?.keys.as_mut().map(|keys| keys())
    }

    fn send(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), SendError> {
        if self.state != State::Open {
            return Err(SendError::Closing);
        }
        let key = self.key();
        let Some(terms) =
            self.deflate.filter(|terms| payload.len() >= terms.threshold_bytes as usize)
        else {
            frame::frame(self.output.bytes(), opcode, false, key, payload);
            return Ok(());
        };
        let (level, window_bits) = (u32::from(terms.level), terms.window_bits);
        if window_bits < 9 {
            // zlib's raw deflate has no window of 8 bits, and a message may always go uncompressed.
            frame::frame(self.output.bytes(), opcode, false, key, payload);
        } else if terms.takes_over {
            let contexts = self.extra.get_or_insert_default().contexts.get_or_insert_default();
            let deflater =
                contexts.deflater.get_or_insert_with(|| Deflater::new(level, window_bits));
            frame::deflated(self.output.bytes(), opcode, key, payload, deflater, false);
        } else {
            let mut deflater = deflate::take_deflater(level, window_bits);
            frame::deflated(self.output.bytes(), opcode, key, payload, &mut deflater, true);
            deflate::give_deflater(deflater);
        }
        Ok(())
    }

    fn queue_close(&mut self, close: &CloseFrame) {
        let key = self.key();
        frame::frame(self.output.bytes(), Opcode::Close, false, key, &close::body(close));
    }

    fn begin_closing(&mut self, closed: Closed, now: Instant) {
        self.extra.get_or_insert_default().closed = Some(Box::new(closed));
        self.timer = Timer::Closing;
        self.since = now;
    }

    /// Ends without a further word.
    fn end(&mut self, cause: Cause) {
        let closed = &mut self.extra.get_or_insert_default().closed;
        if closed.is_none() {
            *closed = Some(Box::new(Closed { cause, sent: None, received: None }));
        }
        // Who has ended its own side alone may still read what was queued for it, if its owner sends
        // that before it drops the socket.
        if cause != Cause::Eof {
            self.output.clear();
        }
        self.stop_hearing(State::Closed);
    }

    /// 7.1.7. Fail the WebSocket Connection.
    fn fail(&mut self, violation: Violation, now: Instant) {
        match self.close_status() {
            // We had sent a Close frame before: none follows it.
            Some(_) => {}
            None => {
                let frame = close::sendable(violation.close_code(), &violation.to_string());
                self.queue_close(&frame);
                let closed = Closed {
                    cause: Cause::Violation(violation),
                    sent: Some(frame),
                    received: None,
                };
                self.begin_closing(closed, now);
            }
        }
        self.stop_hearing(State::Failed);
    }

    /// 5.5.1, 7.1.5: the peer's Close frame, answered with its own code unless ours was first.
    fn receive_close(&mut self, frame: CloseFrame, now: Instant) {
        match self.extra.as_mut().and_then(|extra| extra.closed.as_mut()) {
            Some(closed) => closed.received = Some(frame),
            None => {
                let answer = CloseFrame { code: frame.code, reason: String::new() };
                self.queue_close(&answer);
                let closed =
                    Closed { cause: Cause::Peer, sent: Some(answer), received: Some(frame) };
                self.begin_closing(closed, now);
            }
        }
        self.stop_hearing(State::Done);
    }

    fn stop_hearing(&mut self, state: State) {
        self.state = state;
        if let Some(extra) = &mut self.extra {
            (extra.partial, extra.contexts) = (None, None);
        }
    }

    fn hears(&self) -> bool {
        matches!(self.state, State::Open | State::CloseSent)
    }

    /// Checks a header against what came before it and against the limits, before any of its
    /// payload is taken.
    fn admit(&self, header: &Header) -> Result<(), Violation> {
        if header.opcode.is_control() {
            return Ok(());
        }
        let message = self.partial().and_then(|partial| partial.message.as_ref());
        match (header.opcode, message) {
            (Opcode::Continuation, None) => return Err(Violation::NothingToContinue),
            (Opcode::Text | Opcode::Binary, Some(_)) => return Err(Violation::MessageUnfinished),
            _ => {}
        }
        // RFC 7692, 6.1: RSV1 is for the first frame of a message, once the extension is agreed.
        if header.rsv1 && (self.deflate.is_none() || header.opcode == Opcode::Continuation) {
            return Err(Violation::ReservedBits);
        }
        let limits = &self.config.limits;
        if header.len > limits.frame_bytes {
            return Err(Violation::FrameTooBig {
                bytes: header.len,
                bytes_max: limits.frame_bytes,
            });
        }
        // A compressed message has the length that comes out.
        let compressed = message.map_or(header.rsv1, |message| message.inflater.is_some());
        let before = message.map_or(0, |message| message.bytes.len() as u64);
        if !compressed && before.saturating_add(header.len) > limits.message_bytes as u64 {
            return Err(Violation::MessageTooBig { bytes_max: limits.message_bytes });
        }
        Ok(())
    }

    fn partial(&self) -> Option<&Partial> {
        self.extra.as_ref()?.partial.as_deref()
    }

    fn partial_mut(&mut self) -> Option<&mut Partial> {
        self.extra.as_mut()?.partial.as_deref_mut()
    }

    /// To keep something in.
    fn partial_or_new(&mut self) -> &mut Partial {
        self.extra.get_or_insert_default().partial.get_or_insert_default()
    }

    /// Nothing is incomplete any more.
    fn drop_partial(&mut self) {
        if let Some(extra) = &mut self.extra {
            extra.partial = None;
            if extra.is_empty() {
                self.extra = None;
            }
        }
    }

    /// The message that a data frame with this header goes to.
    fn message(&mut self, header: &Header) -> &mut Message {
        if self.partial().is_none_or(|partial| partial.message.is_none()) {
            let inflater = header.rsv1.then(|| self.take_inflater());
            self.partial_or_new().message = Some(Message::new(header.opcode, inflater));
        }
        self.partial_or_new().message.get_or_insert_with(|| Message::new(header.opcode, None))
    }

    /// Whether the peer's messages may refer to earlier ones.
    fn peer_takes_over(&self) -> bool {
        self.deflate.is_some_and(|terms| terms.peer_takes_over)
    }

    fn take_inflater(&mut self) -> Inflater {
        if !self.peer_takes_over() {
            return deflate::take_inflater();
        }
        let contexts = self.extra.as_mut().and_then(|extra| extra.contexts.as_mut());
        let kept = contexts.and_then(|contexts| contexts.inflater.take());
        kept.unwrap_or_else(|| Inflater::new(true))
    }

    fn give_inflater(&mut self, inflater: Inflater) {
        if self.peer_takes_over() {
            let contexts = self.extra.get_or_insert_default().contexts.get_or_insert_default();
            contexts.inflater = Some(inflater);
        } else {
            deflate::give_inflater(inflater);
        }
    }
}
