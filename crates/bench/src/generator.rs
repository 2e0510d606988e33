//! The connections of a measurement and the loop that serves them: one thread, edge-triggered epoll, large reads.

use std::time::Instant;

use rustix::event::epoll::{self, EventFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};

use crate::audience::Audience;
use crate::connect::{self, Target, failed};
use crate::load::{Rooms, Senders};
use crate::text::{MARKER_BYTES, Text};
use crate::wire;

const READ_BYTES: usize = 256 * 1024;
const EVENTS_MAX: usize = 1024;
const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// How to wait for the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wait {
    /// Ask again and again: the server never pays for waking the generator, as it wouldn't with clients elsewhere.
    Spin,
    /// Sleep until something comes: for a core that is shared.
    Block,
}

/// The first `publishers` connections are publishers too; all are receivers.
pub struct Generator {
    pub audience: Audience,
    pub latency: Histogram,
    /// Whether completed messages are followed by new ones.
    pub running: bool,
    /// Whether completed messages count in `latency`.
    pub measuring: bool,
    /// While spinning: time spent on work, not on asking for some.
    pub busy_ns: u64,
    /// Since `start`; as of the last turn of the loop.
    pub now_ns: u64,
    start: Instant,
    wait: Wait,
    epoll: OwnedFd,
    sockets: Vec<Option<OwnedFd>>,
    outboxes: Vec<Outbox>,
    buffer: Box<[u8]>,
    events: Vec<epoll::Event>,
}

/// What a publisher has to write.
struct Outbox {
    /// Its message 0, framed and masked.
    frame: Vec<u8>,
    /// Where the frame's payload begins, and in it the counter, wherever it stands.
    payload_at: usize,
    counters_at: Vec<usize>,
    /// Where a number of its own stands, for an answer.
    id_at: Option<usize>,
    bytes: Vec<u8>,
    written: usize,
    due: usize,
}

impl Generator {
    pub fn connect(
        target: &Target,
        connections: usize,
        publishers: usize,
        text: Text,
        in_flight: usize,
        wait: Wait,
    ) -> Result<Self, String> {
        let opened = if target.is_v1 {
            let senders = Senders::open(target.address, connections, Rooms::One, "subscriber")?;
            senders.into_lobby()?
        } else {
            connect::open(target, connections)?
        };
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(failed("epoll_create"))?;
        let mut generator = Self {
            outboxes: (0..publishers)
                .map(|publisher| Outbox::new(&text, publisher as u8, target.is_v1))
                .collect(),
            audience: Audience::new(text, publishers, connections, in_flight),
            latency: Histogram::default(),
            running: false,
            measuring: false,
            busy_ns: 0,
            now_ns: 0,
            start: Instant::now(),
            wait,
            epoll,
            sockets: Vec::with_capacity(connections),
            buffer: vec![0; READ_BYTES].into(),
            events: Vec::with_capacity(EVENTS_MAX),
        };
        for (who, open) in opened.into_iter().enumerate() {
            let mut flags = EventFlags::IN | EventFlags::RDHUP | EventFlags::ET;
            if who < publishers {
                flags |= EventFlags::OUT;
            }
            let id = epoll::EventData::new_u64(who as u64);
            epoll::add(&generator.epoll, &open.socket, id, flags).map_err(failed("epoll_ctl"))?;
            generator.sockets.push(Some(open.socket));
            if !open.glued.is_empty() {
                generator.received(who, &open.glued);
            }
        }
        Ok(generator)
    }

    /// Serves what is ready. `at_most_ms`: how long to wait when nothing is; not at all while running and spinning.
    pub fn turn(&mut self, at_most_ms: i64) -> Result<(), String> {
        let begun_ns = self.now_ns;
        let at_most_ms = if self.running && self.wait == Wait::Spin { 0 } else { at_most_ms };
        let mut events = std::mem::take(&mut self.events);
        connect::wait(&self.epoll, &mut events, at_most_ms)?;
        for event in &events {
            let (who, flags) = (event.data.u64() as usize, event.flags);
            if flags.contains(EventFlags::OUT) {
                self.write(who);
            }
            if flags
                .intersects(EventFlags::IN | EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR)
            {
                let ending =
                    flags.intersects(EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR);
                self.read(who, ending);
            }
        }
        self.now_ns = self.clock_ns();
        if !events.is_empty() {
            self.busy_ns += self.now_ns - begun_ns;
        }
        self.events = events;
        Ok(())
    }

    /// Serves until nothing has come for `quiet_ms`, at most `limit_ms`.
    pub fn settle(&mut self, quiet_ms: u64, limit_ms: u64) -> Result<(), String> {
        let begun_ns = self.clock_ns();
        let mut last_ns = begun_ns;
        loop {
            self.turn(quiet_ms as i64)?;
            if !self.events.is_empty() {
                last_ns = self.now_ns;
            }
            if self.now_ns - last_ns >= quiet_ms * 1_000_000
                || self.now_ns - begun_ns >= limit_ms * 1_000_000
            {
                return Ok(());
            }
        }
    }

    /// A publisher sends so many messages, in one write.
    pub fn publish(&mut self, publisher: usize, messages: usize) {
        let now_ns = self.clock_ns();
        for _ in 0..messages {
            let counter = self.audience.sent(publisher, now_ns);
            self.outboxes[publisher].push(counter);
        }
        self.write(publisher);
    }

    pub fn is_connected(&self, who: usize) -> bool {
        self.sockets[who].is_some()
    }

    /// Ends all connections with a closing handshake's first half.
    pub fn close(mut self) {
        let mut frame = Vec::new();
        wire::put_masked(&mut frame, wire::CLOSE, &1000u16.to_be_bytes(), MASK);
        for socket in self.sockets.drain(..).flatten() {
            // A server that is gone already doesn't want it.
            let _ = rustix::net::send(&socket, &frame, SendFlags::NOSIGNAL);
        }
    }

    fn clock_ns(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    fn read(&mut self, who: usize, ending: bool) {
        loop {
            let Some(socket) = &self.sockets[who] else { return };
            match rustix::net::recv(socket, &mut self.buffer[..], RecvFlags::empty()) {
                Ok((0, _)) => return self.gone(who, "the server closed the connection"),
                Ok((read, _)) => {
                    let buffer = std::mem::take(&mut self.buffer);
                    self.received(who, &buffer[..read]);
                    let drained = read < buffer.len() && !ending;
                    self.buffer = buffer;
                    if drained {
                        return;
                    }
                }
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR) => {}
                Err(error) => return self.gone(who, &error.to_string()),
            }
        }
    }

    fn received(&mut self, who: usize, bytes: &[u8]) {
        if let Err(closed) = self.audience.receive(who, bytes) {
            return self.gone(who, &closed.0);
        }
        if !self.audience.replies.is_empty() {
            self.reply(who);
        }
        self.follow_up();
    }

    /// New messages for those that everybody has now.
    fn follow_up(&mut self) {
        let mut now_ns = 0;
        while let Some(complete) = self.audience.next_complete() {
            if now_ns == 0 {
                now_ns = self.clock_ns();
            }
            if self.measuring {
                self.latency.record(now_ns - complete.sent_at_ns);
            }
            self.outboxes[usize::from(complete.publisher)].due += 1;
        }
        if now_ns == 0 {
            return;
        }
        for publisher in 0..self.outboxes.len() {
            let due = std::mem::take(&mut self.outboxes[publisher].due);
            if due != 0 && self.running {
                self.publish(publisher, due);
            }
        }
    }

    fn reply(&mut self, who: usize) {
        let mut replies = std::mem::take(&mut self.audience.replies);
        if let Some(outbox) = self.outboxes.get_mut(who) {
            // Never inside a frame that is half written.
            outbox.bytes.append(&mut replies);
            self.write(who);
        } else if let Some(socket) = &self.sockets[who] {
            // A socket that took nothing but a handshake has room for this.
            let _ = rustix::net::send(socket, &replies, SendFlags::NOSIGNAL);
        }
        replies.clear();
        self.audience.replies = replies;
    }

    fn write(&mut self, publisher: usize) {
        let outbox = &mut self.outboxes[publisher];
        while outbox.written < outbox.bytes.len() {
            let Some(socket) = &self.sockets[publisher] else { return };
            match rustix::net::send(socket, &outbox.bytes[outbox.written..], SendFlags::NOSIGNAL) {
                Ok(sent) => outbox.written += sent,
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR) => {}
                Err(error) => return self.gone(publisher, &error.to_string()),
            }
        }
        outbox.bytes.clear();
        outbox.written = 0;
    }

    fn gone(&mut self, who: usize, why: &str) {
        if self.sockets[who].take().is_some() {
            self.audience.gone(who, why);
            self.follow_up();
        }
    }
}

impl Outbox {
    fn new(text: &Text, publisher: u8, is_v1: bool) -> Self {
        let said = text.first(publisher);
        let (mut payload, mut counters_at, mut id_at) = (Vec::new(), Vec::new(), None);
        if is_v1 {
            payload.extend_from_slice(br#"{"t":"send","id":"#);
            id_at = Some(payload.len());
            payload.extend_from_slice(ID_FIRST.to_string().as_bytes());
            payload.extend_from_slice(br#","room":"lobby","nonce":""#);
            // What tells a message from all others tells its nonce from them too.
            counters_at.push(payload.len() + Text::counter(0).0 - 1);
            let marker = said[1..MARKER_BYTES - 1].iter();
            payload.extend(marker.map(|&byte| if byte == b'.' { b'-' } else { byte }));
            payload.extend_from_slice(br#"","text":""#);
        }
        counters_at.push(payload.len() + Text::counter(0).0);
        payload.extend_from_slice(&said);
        if is_v1 {
            payload.extend_from_slice(br#""}"#);
        }
        let mut frame = Vec::new();
        wire::put_masked(&mut frame, wire::TEXT, &payload, MASK);
        let payload_at = frame.len() - payload.len();
        Self { frame, payload_at, counters_at, id_at, bytes: Vec::new(), written: 0, due: 0 }
    }

    fn push(&mut self, counter: u64) {
        let begin = self.bytes.len() + self.payload_at;
        self.bytes.extend_from_slice(&self.frame);
        let payload = &mut self.bytes[begin..];
        let (_, digits) = Text::counter(counter);
        for &at in &self.counters_at {
            put(payload, at, &digits);
        }
        if let Some(at) = self.id_at {
            put(payload, at, (ID_FIRST + counter).to_string().as_bytes());
        }
    }
}

/// So that all numbers of requests have as many digits.
const ID_FIRST: u64 = 1_000_000_000_000;

/// Puts digits at a place of a masked payload.
fn put(payload: &mut [u8], at: usize, digits: &[u8]) {
    for (place, digit) in digits.iter().enumerate() {
        payload[at + place] = digit ^ MASK[(at + place) % 4];
    }
}

/// Times in nanoseconds, kept to 3 %.
pub struct Histogram {
    counts: Box<[u64]>,
    total: u64,
}

const STEPS: u64 = 32;

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; (STEPS * 60) as usize].into(), total: 0 }
    }
}

impl Histogram {
    pub fn record(&mut self, value: u64) {
        self.counts[Self::bucket(value)] += 1;
        self.total += 1;
    }

    /// The value that `share` of all are below or at; 0 when there is none.
    pub fn quantile(&self, share: f64) -> u64 {
        let mut left = (self.total as f64 * share).ceil() as u64;
        for (bucket, &count) in self.counts.iter().enumerate() {
            if count >= left && count > 0 {
                return Self::value(bucket as u64);
            }
            left = left.saturating_sub(count);
        }
        0
    }

    fn bucket(value: u64) -> usize {
        if value < STEPS {
            return value as usize;
        }
        let octave = u64::from(value.ilog2() - STEPS.ilog2());
        (STEPS * octave + (value >> octave)) as usize
    }

    fn value(bucket: u64) -> u64 {
        if bucket < 2 * STEPS {
            return bucket;
        }
        let octave = bucket / STEPS - 1;
        (bucket - STEPS * octave) << octave
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_is_right_to_three_percent() {
        for value in [0, 1, 31, 32, 33, 63, 64, 1_000, 123_456, 9_876_543_210, u64::MAX >> 1] {
            let mut histogram = Histogram::default();
            histogram.record(value);
            let found = histogram.quantile(0.5);
            assert!(found <= value && value - found <= value / 32, "{value} became {found}");
        }
        let mut histogram = Histogram::default();
        (1..=1000).for_each(|value| histogram.record(value * 1000));
        let [p50, p99] = [0.5, 0.99].map(|share| histogram.quantile(share));
        assert!(
            (480_000..=500_000).contains(&p50) && (960_000..=990_000).contains(&p99),
            "{p50} {p99}"
        );
    }

    #[test]
    fn each_message_carries_its_counter_under_the_mask() {
        let text = Text::new(5, 64);
        for is_v1 in [false, true] {
            let mut outbox = Outbox::new(&text, 3, is_v1);
            for counter in [0, 1, 0xABCDE] {
                outbox.bytes.clear();
                outbox.push(counter);
                let header = wire::Header::parse(&outbox.bytes).unwrap();
                let payload = &mut outbox.bytes[header.payload()];
                wire::mask(payload, header.mask.unwrap());
                let found = crate::text::Found::Message { publisher: 3, counter };
                assert_eq!(text.find(payload), found);
                if is_v1 {
                    let send: serde_json::Value = serde_json::from_slice(payload).unwrap();
                    assert_eq!(send["id"], ID_FIRST + counter);
                    assert_eq!(send["nonce"], format!("00000005-03-{counter:012x}"));
                }
            }
        }
    }
}
