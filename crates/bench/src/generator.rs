//! The connections of a measurement and the loop that serves them: one thread, edge-triggered epoll, large reads.

use std::time::Instant;

use rustix::event::epoll::{self, EventFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;

use crate::audience::{Audience, Inflate};
use crate::connect::{self, Open, Target, failed};
use crate::fanout::run_number;
use crate::faults::Faults;
use crate::histogram::Histogram;
use crate::link::Link;
use crate::load::{Rooms, Senders};
use crate::nats::{self, Streams};
use crate::outbox::Outbox;
use crate::text::Text;
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

/// Who is connected: in each room as many receivers, the first of which are publishers too.
#[derive(Clone, Copy, Debug)]
pub struct Seats {
    /// Rooms that are made for this; 0: the one that the server has anyway.
    pub rooms: usize,
    pub receivers: usize,
    pub publishers: usize,
    /// The last receivers of each room, which never read.
    pub deaf: usize,
}

/// Those who look at what they get when the others count.
const LOOKING: usize = 16;

/// Sends messages at a rate, whatever became of those before.
#[derive(Clone, Copy, Debug)]
struct Pace {
    interval_ns: u64,
    /// When the next message is meant to be sent.
    next_ns: u64,
    publisher: usize,
}

pub struct Generator {
    pub latency: Histogram,
    /// Whether completed messages are followed by new ones.
    pub running: bool,
    /// Whether completed messages count in `latency`.
    pub measuring: bool,
    /// While spinning: time spent on work, not on asking for some.
    pub busy_ns: u64,
    /// Since `start`; as of the last turn of the loop.
    pub now_ns: u64,
    /// Bytes that came.
    pub received_bytes: u64,
    /// Those who never read and whose connection was ended.
    pub deaf_gone: usize,
    /// By connection, from `set_free` on: bytes that were thrown away unseen.
    counted: Vec<u64>,
    /// How many sockets are read before the next look at the clock and at who is ready.
    pub events_max: usize,
    /// By room. Connection `n` is receiver `n % receivers` of room `n / receivers`.
    audiences: Vec<Audience>,
    seats: Seats,
    pace: Option<Pace>,
    complete: u64,
    /// What was complete when some were set free.
    free_from: u64,
    start: Instant,
    wait: Wait,
    epoll: OwnedFd,
    links: Vec<Option<Link>>,
    /// By room, then by publisher.
    outboxes: Vec<Outbox>,
    buffer: Box<[u8]>,
    /// What came enciphered.
    scratch: Box<[u8]>,
    /// What came of NATS's protocol.
    nats: Option<Streams>,
    events: Vec<epoll::Event>,
}

impl Generator {
    /// `bytes`: of a message's text. `in_flight`: in each room, how many messages at most are sent and not yet with
    /// everybody.
    pub fn connect(
        target: &Target,
        seats: Seats,
        bytes: usize,
        in_flight: usize,
        wait: Wait,
    ) -> Result<Self, String> {
        let run = run_number();
        let (opened, rooms) = enter(target, seats, run)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(failed("epoll_create"))?;
        let Seats { receivers, publishers, .. } = seats;
        let (mut audiences, mut outboxes) = (Vec::new(), Vec::new());
        for (number, room) in rooms.iter().enumerate() {
            let text = || match seats.rooms {
                0 => Text::new(run, bytes),
                _ => Text::in_room(run, number as u16, bytes),
            };
            outboxes.extend((0..publishers).map(|publisher| {
                if target.is_nats {
                    return Outbox::nats(&text(), publisher as u8);
                }
                Outbox::new(&text(), publisher as u8, target.speaks_json().then_some(room))
            }));
            let mut audience = Audience::new(text(), publishers, receivers, in_flight);
            audience.inflate = target.deflate.then(Inflate::default);
            audiences.push(audience);
        }
        let mut generator = Self {
            latency: Histogram::default(),
            running: false,
            measuring: false,
            busy_ns: 0,
            now_ns: 0,
            received_bytes: 0,
            deaf_gone: 0,
            counted: Vec::new(),
            events_max: EVENTS_MAX,
            audiences,
            seats,
            pace: None,
            complete: 0,
            free_from: 0,
            start: Instant::now(),
            wait,
            epoll,
            links: Vec::with_capacity(opened.len()),
            outboxes,
            buffer: vec![0; READ_BYTES].into(),
            nats: target.is_nats.then(|| Streams::new(opened.len())),
            scratch: vec![0; if target.trust.is_some() { READ_BYTES } else { 0 }].into(),
            events: Vec::with_capacity(EVENTS_MAX),
        };
        for (who, open) in opened.into_iter().enumerate() {
            let (room, place) = generator.seat(who);
            let is_deaf = place >= receivers - seats.deaf;
            let mut flags = EventFlags::RDHUP | EventFlags::ET;
            flags.set(EventFlags::IN, !is_deaf);
            flags.set(EventFlags::OUT, place < publishers);
            let id = epoll::EventData::new_u64(who as u64);
            epoll::add(&generator.epoll, &open.link, id, flags).map_err(failed("epoll_ctl"))?;
            generator.links.push(Some(open.link));
            if is_deaf {
                generator.audiences[room].ignore(place);
            } else if !open.glued.is_empty() {
                generator.received(who, &open.glued);
            }
        }
        Ok(generator)
    }

    /// Serves what is ready. `at_most_ms`: how long to wait when nothing is; not at all while running and spinning.
    pub fn turn(&mut self, at_most_ms: i64) -> Result<(), String> {
        let begun_ns = self.now_ns;
        let at_most_ms = match (self.running, self.wait) {
            (true, Wait::Spin) => 0,
            // The clock has to be looked at.
            _ if self.pace.is_some() => at_most_ms.min(1),
            _ => at_most_ms,
        };
        let mut events = std::mem::take(&mut self.events);
        if events.capacity() != self.events_max {
            events = Vec::with_capacity(self.events_max);
        }
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
        let published = self.keep_pace()?;
        if !events.is_empty() || published {
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

    /// Each publisher sends so many messages, in one write; from here on completed ones are followed by new ones.
    pub fn start_loop(&mut self, messages: usize) {
        self.running = true;
        for publisher in 0..self.outboxes.len() {
            self.publish(publisher, messages);
        }
    }

    /// From here on messages are sent at a rate, by the publishers in turn.
    pub fn start_pace(&mut self, per_second: f64) {
        self.running = true;
        let interval_ns = ((1e9 / per_second) as u64).max(1);
        let next_ns = self.clock_ns() + interval_ns;
        self.pace = Some(Pace { interval_ns, next_ns, publisher: 0 });
        self.measure_each();
    }

    /// No new messages.
    pub fn stop(&mut self) {
        (self.running, self.pace) = (false, None);
    }

    /// From here on it is kept how long each delivery takes; what was kept before is forgotten.
    pub fn measure_each(&mut self) {
        for audience in &mut self.audiences {
            audience.each = Some(Histogram::default());
        }
    }

    /// How long each delivery took since [`measure_each`](Self::measure_each), whose end this is.
    pub fn each(&mut self) -> Option<Histogram> {
        let all = self.audiences.iter_mut().filter_map(|audience| audience.each.take());
        all.reduce(|mut sum, one| {
            sum.add(&one);
            sum
        })
    }

    /// From here on all but some receivers run free: nobody waits for them, and what they get is counted and thrown
    /// away, so that they cost as little as readers can. Their bytes have to come to as many messages as the others got.
    pub fn set_free(&mut self) {
        for who in 0..self.links.len() {
            let (room, place) = self.seat(who);
            if place >= LOOKING.max(self.seats.publishers) {
                self.audiences[room].ignore(place);
            }
        }
        self.counted = vec![0; self.links.len()];
        self.free_from = self.complete;
    }

    /// Bytes that those who run free got.
    fn counted(&self) -> u64 {
        self.counted.iter().sum()
    }

    /// How many of those who run free haven't as many messages as the others, and what is wrong then.
    pub fn uneven(&self) -> (usize, Faults) {
        let (mut faults, mut uneven) = (Faults::default(), 0);
        let frame_bytes = self.audiences[0].frame_bytes().max(1);
        let expected = (self.complete - self.free_from) * frame_bytes;
        for (who, counted) in self.counted.iter().enumerate() {
            if !self.is_free(who) || *counted == expected {
                continue;
            }
            uneven += 1;
            let apart = counted.abs_diff(expected).div_ceil(frame_bytes);
            if *counted < expected {
                faults.missing += apart
            } else {
                faults.repeated += apart
            }
            faults.note(|| format!("receiver {who} got {counted} bytes, not {expected}"));
        }
        (uneven, faults)
    }

    fn is_free(&self, who: usize) -> bool {
        !self.counted.is_empty() && self.seat(who).1 >= LOOKING.max(self.seats.publishers)
    }

    /// A publisher, counted through all rooms, sends so many messages, in one write.
    pub fn publish(&mut self, publisher: usize, messages: usize) {
        let now_ns = self.clock_ns();
        for _ in 0..messages {
            self.put(publisher, now_ns);
        }
        self.write(self.connection_of(publisher));
    }

    pub fn rooms(&mut self) -> &mut [Audience] {
        &mut self.audiences
    }

    pub fn complete(&self) -> u64 {
        self.complete
    }

    pub fn delivered(&self) -> u64 {
        let looked_at: u64 = self.audiences.iter().map(Audience::delivered).sum();
        looked_at + self.counted() / self.audiences[0].frame_bytes().max(1)
    }

    pub fn outstanding(&self) -> u64 {
        self.audiences.iter().map(Audience::outstanding).sum()
    }

    /// How many wait for the oldest message of their room that isn't complete.
    pub fn waiting_for_oldest(&self) -> usize {
        self.audiences
            .iter()
            .filter(|audience| audience.outstanding() > 0)
            .map(|audience| audience.waiting_for_oldest() as usize)
            .sum()
    }

    pub fn listening(&self) -> usize {
        self.audiences.iter().map(Audience::listening).sum()
    }

    pub fn faults(&self) -> Faults {
        let mut sum = Faults::default();
        self.audiences.iter().for_each(|audience| sum.add(audience.faults()));
        sum
    }

    /// Whether the first connection of a room stands.
    pub fn is_connected(&self, room: usize) -> bool {
        self.links[room * self.seats.receivers].is_some()
    }

    /// Ends all connections with a closing handshake's first half.
    pub fn close(mut self) {
        let mut frame = Vec::new();
        wire::put_masked(&mut frame, wire::CLOSE, &1000u16.to_be_bytes(), MASK);
        for mut link in self.links.drain(..).flatten() {
            // A server that is gone already doesn't want it.
            let _ = link.send(&frame);
        }
    }

    /// The room and the place in it of a connection.
    fn seat(&self, who: usize) -> (usize, usize) {
        (who / self.seats.receivers, who % self.seats.receivers)
    }

    fn connection_of(&self, publisher: usize) -> usize {
        let Seats { receivers, publishers, .. } = self.seats;
        publisher / publishers * receivers + publisher % publishers
    }

    /// The outbox of a connection, if it publishes.
    fn outbox_of(&self, who: usize) -> Option<usize> {
        let (room, place) = self.seat(who);
        (place < self.seats.publishers).then_some(room * self.seats.publishers + place)
    }

    fn clock_ns(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    fn put(&mut self, publisher: usize, sent_at_ns: u64) {
        let Seats { publishers, .. } = self.seats;
        let audience = &mut self.audiences[publisher / publishers];
        let counter = audience.sent(publisher % publishers, sent_at_ns);
        self.outboxes[publisher].push(counter);
    }

    /// Sends what is due by now. A message counts from when it was meant to be sent.
    fn keep_pace(&mut self) -> Result<bool, String> {
        let Some(mut pace) = self.pace else { return Ok(false) };
        let mut published = false;
        while pace.next_ns <= self.now_ns {
            let publisher = pace.publisher;
            let audience = &self.audiences[publisher / self.seats.publishers];
            if audience.outstanding() >= audience.outstanding_max() {
                return Err(format!(
                    "the server falls behind: {} messages are under way in a room (faults: {})",
                    audience.outstanding(),
                    self.faults()
                ));
            }
            self.put(publisher, pace.next_ns);
            self.write(self.connection_of(publisher));
            pace.next_ns += pace.interval_ns;
            pace.publisher = (publisher + 1) % self.outboxes.len();
            published = true;
        }
        self.pace = Some(pace);
        Ok(published)
    }

    fn read(&mut self, who: usize, ending: bool) {
        let (room, place) = self.seat(who);
        if place >= self.seats.receivers - self.seats.deaf {
            self.deaf_gone += usize::from(self.links[who].take().is_some());
            return;
        }
        if self.is_free(who) {
            return self.throw_away(who);
        }
        loop {
            let Some(link) = &mut self.links[who] else { return };
            match link.receive(&mut self.buffer, &mut self.scratch) {
                Ok(None) => return self.gone(who, "the server closed the connection"),
                Ok(Some(received)) => {
                    if self.audiences[room].each.is_some() {
                        self.now_ns = self.clock_ns();
                        self.audiences[room].now_ns = self.now_ns;
                    }
                    let buffer = std::mem::take(&mut self.buffer);
                    self.received(who, &buffer[..received.bytes]);
                    self.buffer = buffer;
                    if received.is_drained && !ending {
                        return;
                    }
                }
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR) => {}
                Err(error) => return self.gone(who, &error.to_string()),
            }
        }
    }

    fn throw_away(&mut self, who: usize) {
        let Some(link) = &mut self.links[who] else { return };
        match link.throw_away(&mut self.buffer) {
            Ok(0) => self.gone(who, "the server closed the connection"),
            Ok(bytes) => {
                self.counted[who] += bytes as u64;
                self.received_bytes += bytes as u64;
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(error) => self.gone(who, &error.to_string()),
        }
    }

    fn received(&mut self, who: usize, bytes: &[u8]) {
        self.received_bytes += bytes.len() as u64;
        let (room, place) = self.seat(who);
        let bytes = match &mut self.nats {
            Some(nats) => nats.translate(who, bytes),
            None => bytes,
        };
        let audience = &mut self.audiences[room];
        if let Err(closed) = audience.receive(place, bytes) {
            return self.gone(who, &closed.0);
        }
        if !audience.replies.is_empty() {
            self.reply(who);
        }
        self.follow_up(room);
    }

    /// New messages for those that everybody in the room has now.
    fn follow_up(&mut self, room: usize) {
        let publishers = self.seats.publishers;
        let mut now_ns = 0;
        while let Some(complete) = self.audiences[room].next_complete() {
            if now_ns == 0 {
                now_ns = self.clock_ns();
            }
            if self.measuring {
                self.latency.record(now_ns.saturating_sub(complete.sent_at_ns));
            }
            self.complete += 1;
            self.outboxes[room * publishers + usize::from(complete.publisher)].due += 1;
        }
        if now_ns == 0 {
            return;
        }
        for publisher in room * publishers..(room + 1) * publishers {
            let due = std::mem::take(&mut self.outboxes[publisher].due);
            if due != 0 && self.running && self.pace.is_none() {
                self.publish(publisher, due);
            }
        }
    }

    fn reply(&mut self, who: usize) {
        let (room, _) = self.seat(who);
        let mut replies = std::mem::take(&mut self.audiences[room].replies);
        if let Some(outbox) = self.outbox_of(who) {
            // Never inside a frame that is half written.
            self.outboxes[outbox].bytes.append(&mut replies);
            self.write(who);
        } else if let Some(link) = &mut self.links[who] {
            // A socket that took nothing but a handshake has room for this.
            let _ = link.send(&replies);
        }
        replies.clear();
        self.audiences[room].replies = replies;
    }

    fn write(&mut self, who: usize) {
        let Some(outbox) = self.outbox_of(who) else { return };
        let outbox = &mut self.outboxes[outbox];
        if let Some(Err(error)) = self.links[who].as_mut().map(Link::flush) {
            return self.gone(who, &error.to_string());
        }
        while outbox.written < outbox.bytes.len() {
            let Some(link) = &mut self.links[who] else { return };
            match link.send(&outbox.bytes[outbox.written..]) {
                Ok(sent) => outbox.written += sent,
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR) => {}
                Err(error) => return self.gone(who, &error.to_string()),
            }
        }
        outbox.bytes.clear();
        outbox.written = 0;
    }

    fn gone(&mut self, who: usize, why: &str) {
        if self.links[who].take().is_some() {
            let (room, place) = self.seat(who);
            self.audiences[room].gone(place, why);
            self.follow_up(room);
        }
    }
}

/// Opens the connections, room by room: they, and what the rooms are called.
fn enter(target: &Target, seats: Seats, run: u32) -> Result<(Vec<Open>, Vec<String>), String> {
    let Seats { rooms, receivers, .. } = seats;
    let count = rooms.max(1) * receivers;
    if target.is_v1 {
        let kind = if rooms == 0 { Rooms::One } else { Rooms::Shared(receivers) };
        return Senders::open_as(target, count, kind, &format!("s{run:x}"))?.into_rooms();
    }
    if rooms == 0 {
        let mut opened = connect::open(target, count)?;
        if target.is_nats {
            nats::subscribe(&mut opened, MASK)?;
        }
        return Ok((opened, vec!["lobby".into()]));
    }
    let (mut opened, mut names) = (Vec::with_capacity(count), Vec::new());
    for room in 0..rooms {
        let name = format!("r{run:x}-{room}");
        opened.append(&mut connect::open(&target.in_room(&name), receivers)?);
        names.push(name);
    }
    Ok((opened, names))
}
