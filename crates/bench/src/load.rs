//! A closed loop of damso.v1 senders on one thread: each says something, waits for the `ok`, and says
//! the next. It does as little as it can, since it shares the machine with the server; that nothing
//! is lost is `chaos`'s to show.

use crate::audience::Inflate;
use crate::connect::{self, Target, failed};
use crate::histogram::Histogram;
use crate::link::Link;
use crate::server;
use crate::wire::{self, Header};
use rustix::event::epoll::{self, EventFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// What everybody says: as long as what people write, in two scripts.
pub const TEXT: &str = "안녕하세요 여러분, the build is green again, 이제 점심 먹읍시다";
const MASK: [u8; 4] = [0x21, 0x37, 0xFA, 0x3D];
/// Connections that are opened before their hellos are sent.
const GREETED_MAX: usize = 1_000;
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// Where senders say it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rooms {
    /// Each in a room of its own, which it hears.
    Own,
    /// All in one, which none of them hears.
    One,
    /// So many of them in each, which they hear.
    Shared(usize),
}

pub struct Senders {
    epoll: OwnedFd,
    senders: Vec<Sender>,
    run: String,
    inflate: Inflate,
    address: IpAddr,
}

struct Sender {
    socket: OwnedFd,
    input: Vec<u8>,
    /// Who the server says that it is, and how it calls the life of its store.
    user: String,
    epoch: String,
    room: String,
    /// Its message that was accepted last by [`Senders::tell`].
    m: u64,
    count: u64,
    /// When what isn't acked yet was sent, or was meant to be.
    sent_at: VecDeque<Instant>,
}

pub const WELCOME: &str = r#"{"t":"welcome""#;
pub const OPENED: &str = r#"{"t":"ok","id":2,"#;
/// As the reply to what [`Senders::tell`] says begins.
const ACCEPTED: &str = r#"{"t":"ok","id":3,"#;

/// What a loop came to.
pub struct Rate {
    pub acked: u64,
    pub seconds: f64,
    pub latency: Histogram,
}

impl Rate {
    pub fn per_second(&self) -> f64 {
        self.acked as f64 / self.seconds
    }
}

impl Senders {
    /// Connects, says hello, and makes and opens the rooms. `run` tells their names from others'.
    pub fn open(
        address: SocketAddr,
        count: usize,
        rooms: Rooms,
        run: &str,
    ) -> Result<Self, String> {
        let target = Target { is_v1: true, ..Target::parse(&address.to_string())? };
        Self::open_as(&target, count, rooms, run)
    }

    /// The same, as a target of damso.v1 wants to be spoken to.
    pub fn open_as(target: &Target, count: usize, rooms: Rooms, run: &str) -> Result<Self, String> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(failed("epoll_create"))?;
        let mut all = Self {
            epoll,
            senders: Vec::with_capacity(count),
            run: run.to_owned(),
            inflate: Inflate::default(),
            address: target.address.ip(),
        };
        // A server waits for a hello only so long.
        while all.senders.len() < count {
            let from = all.senders.len();
            all.greet(connect::open(target, GREETED_MAX.min(count - from))?)?;
            all.until_from(from, WELCOME)?;
        }
        match rooms {
            Rooms::One => {}
            Rooms::Own => all.settle_in(target.address, 1)?,
            Rooms::Shared(each) => all.settle_in(target.address, each)?,
        }
        Ok(all)
    }

    fn greet(&mut self, opened: Vec<connect::Open>) -> Result<(), String> {
        for open in opened {
            let at = self.senders.len();
            let id = epoll::EventData::new_u64(at as u64);
            epoll::add(&self.epoll, &open.link, id, EventFlags::IN).map_err(failed("epoll_ctl"))?;
            let sender = Sender {
                socket: open.link.into_socket()?,
                input: open.glued,
                user: String::new(),
                epoch: String::new(),
                room: "lobby".into(),
                m: 0,
                count: 0,
                sent_at: VecDeque::new(),
            };
            sender.send(&hello(&self.run, at))?;
            self.senders.push(sender);
        }
        Ok(())
    }

    /// Makes rooms for so many each, who come in and open them.
    fn settle_in(&mut self, address: SocketAddr, each: usize) -> Result<(), String> {
        let run = self.run.clone();
        let mut owner = server::Keeper::connect(address)?;
        for (number, senders) in self.senders.chunks_mut(each).enumerate() {
            let name = format!("{run} room {number}");
            let key = key(&run, number * each);
            let users: Vec<String> = senders.iter().skip(1).map(|one| one.user.clone()).collect();
            let (founders, others) = users.split_at(users.len().min(server::FOUNDERS_MAX));
            let room = owner.make_room(&key, &name, founders)?.to_string();
            owner.invite(&key, &room, others)?;
            for sender in senders {
                sender.room.clone_from(&room);
            }
        }
        for sender in &self.senders {
            sender.send(&format!(r#"{{"t":"open","id":2,"room":"{}"}}"#, sender.room))?;
        }
        self.until_all(OPENED)
    }

    /// Everybody says one thing after another for so long, after a warm-up; or, at so many a second, in turn.
    pub fn talk(
        &mut self,
        warm_up: Duration,
        time: Duration,
        per_second: Option<f64>,
    ) -> Result<Rate, String> {
        let run = self.run.clone();
        self.run(warm_up, time, per_second, |at, room, count| {
            // As long as a client's random one.
            let nonce = format!("{run}-{at:08x}-{count:016x}");
            format!(
                r#"{{"t":"send","id":{},"room":"{room}","nonce":"{nonce}","text":"{TEXT}"}}"#,
                count + 2
            )
        })
    }

    /// The epoch of the server's store.
    pub fn epoch(&self) -> &str {
        self.senders.first().map_or("", |sender| &sender.epoch)
    }

    /// The first one says so many things, each when the one before was accepted: what they are called.
    pub fn tell(&mut self, messages: usize) -> Result<Vec<u64>, String> {
        let mut told = Vec::with_capacity(messages);
        for count in 0..messages {
            let (run, sender) = (&self.run, &mut self.senders[0]);
            let (room, nonce) = (&sender.room, format!("{run}-tells-{count:016x}"));
            sender.send(&format!(
                r#"{{"t":"send","id":3,"room":"{room}","nonce":"{nonce}","text":"{TEXT}"}}"#
            ))?;
            self.until_all(ACCEPTED)?;
            told.push(self.senders[0].m);
        }
        Ok(told)
    }

    /// For whoever speaks with the same connections from here on: as they were opened, with the names of their
    /// rooms. Who isn't in a room of its own opens the lobby.
    pub fn into_rooms(mut self) -> Result<(Vec<connect::Open>, Vec<String>), String> {
        if self.senders.first().is_some_and(|sender| sender.room == "lobby") {
            for sender in &self.senders {
                sender.send(r#"{"t":"open","id":2,"room":"lobby"}"#)?;
            }
            self.until_all(OPENED)?;
        }
        let mut rooms: Vec<String> = self.senders.iter().map(|one| one.room.clone()).collect();
        rooms.dedup();
        let address = self.address;
        let open = |sender: Sender| {
            epoll::delete(&self.epoll, &sender.socket).map_err(failed("epoll_ctl"))?;
            let link = Link::new(sender.socket, address, None)?;
            Ok(connect::Open { link, glued: sender.input })
        };
        let opened: Result<_, String> = self.senders.into_iter().map(open).collect();
        Ok((opened?, rooms))
    }

    /// Runs the loop with requests made of a sender's number and room and its requests' count. At a rate, nobody
    /// waits for an answer, and what comes late counts from when it was meant to be asked.
    pub fn run(
        &mut self,
        warm_up: Duration,
        time: Duration,
        per_second: Option<f64>,
        mut request: impl FnMut(usize, &str, u64) -> String,
    ) -> Result<Rate, String> {
        let interval = per_second.map(|per_second| Duration::from_secs_f64(1.0 / per_second));
        let (mut due, mut turn) = (Instant::now(), 0);
        if interval.is_none() {
            for sender in 0..self.senders.len() {
                self.ask(sender, due, &mut request)?;
            }
        }
        let mut rate = Rate { acked: 0, seconds: 0.0, latency: Histogram::default() };
        let begin = Instant::now() + warm_up;
        let end = begin + time;
        let mut progress = Instant::now();
        let mut events = Vec::with_capacity(1024);
        let mut buffer = vec![0; 64 * 1024];
        loop {
            connect::wait(&self.epoll, &mut events, if interval.is_some() { 1 } else { 100 })?;
            let now = Instant::now();
            for event in &events {
                let at = event.data.u64() as usize;
                let sender = &mut self.senders[at];
                for _ in 0..sender.acks(&mut buffer, &mut self.inflate, r#"{"t":"ok""#)? {
                    progress = now;
                    let sent_at = self.senders[at].sent_at.pop_front().unwrap_or(now);
                    if now >= begin && now < end {
                        rate.acked += 1;
                        rate.latency.record((now - sent_at).as_nanos() as u64);
                    }
                    if now < end && interval.is_none() {
                        self.ask(at, now, &mut request)?;
                    }
                }
            }
            while let Some(interval) = interval
                && due <= now
                && now < end
            {
                self.ask(turn, due, &mut request)?;
                (due, turn) = (due + interval, (turn + 1) % self.senders.len());
            }
            if now >= end {
                rate.seconds = (now - begin).as_secs_f64();
                return Ok(rate);
            }
            if progress.elapsed() > ANSWER_MAX {
                return Err("no answer to anything".into());
            }
        }
    }

    fn ask(
        &mut self,
        at: usize,
        due: Instant,
        request: &mut impl FnMut(usize, &str, u64) -> String,
    ) -> Result<(), String> {
        let sender = &mut self.senders[at];
        sender.count += 1;
        let text = request(at, &sender.room, sender.count);
        sender.sent_at.push_back(due);
        sender.send(&text)
    }

    /// Waits until everybody got a message that begins so.
    fn until_all(&mut self, beginning: &str) -> Result<(), String> {
        self.until_from(0, beginning)
    }

    /// The same of those from that one on.
    fn until_from(&mut self, from: usize, beginning: &str) -> Result<(), String> {
        let deadline = Instant::now() + ANSWER_MAX;
        let mut buffer = vec![0; 64 * 1024];
        let mut waiting = self.senders.len() - from;
        let mut events = Vec::with_capacity(1024);
        let mut has = vec![false; self.senders.len()];
        while waiting > 0 {
            connect::wait(&self.epoll, &mut events, 100)?;
            for event in &events {
                let at = event.data.u64() as usize;
                let sender = &mut self.senders[at];
                if sender.acks(&mut buffer, &mut self.inflate, beginning)? > 0
                    && at >= from
                    && !has[at]
                {
                    has[at] = true;
                    waiting -= 1;
                }
            }
            if Instant::now() > deadline {
                return Err(format!("{waiting} senders wait for {beginning} in vain"));
            }
        }
        Ok(())
    }
}

fn key(run: &str, at: usize) -> String {
    format!("{run}-{at:032x}")
}

/// How a client says who it is that was there before.
pub fn hello_again(run: &str, at: usize, epoch: &str) -> String {
    let key = key(run, at);
    format!(r#"{{"t":"hello","id":1,"key":"{key}","agent":"damso-bench","epoch":"{epoch}"}}"#)
}

fn hello(run: &str, at: usize) -> String {
    let key = key(run, at);
    format!(r#"{{"t":"hello","id":1,"key":"{key}","name":"{run} {at}","agent":"damso-bench"}}"#)
}

impl Sender {
    fn send(&self, text: &str) -> Result<(), String> {
        let mut frame = Vec::with_capacity(text.len() + 14);
        wire::put_masked(&mut frame, wire::TEXT, text.as_bytes(), MASK);
        match rustix::net::send(&self.socket, &frame, SendFlags::NOSIGNAL) {
            Ok(sent) if sent == frame.len() => Ok(()),
            result => Err(format!("a sender can't send: {result:?}")),
        }
    }

    /// Reads what is there: how many messages begin so.
    fn acks(
        &mut self,
        buffer: &mut [u8],
        inflate: &mut Inflate,
        beginning: &str,
    ) -> Result<usize, String> {
        match rustix::net::recv(&self.socket, &mut *buffer, RecvFlags::empty()) {
            Ok((0, _)) => return Err("the server closed a sender's connection".into()),
            Ok((read, _)) => self.input.extend_from_slice(&buffer[..read]),
            Err(Errno::AGAIN | Errno::INTR) => return Ok(0),
            Err(error) => return Err(format!("a sender can't read: {error}")),
        }
        let (mut used, mut count, mut pings) = (0, 0, 0);
        while let Some(header) = Header::parse(&self.input[used..]) {
            let Some(frame) = self.input.get(used..used + header.frame_bytes()) else { break };
            let mut payload = &frame[header.payload()];
            if header.first & 0x40 != 0 {
                payload = inflate.read(payload).ok_or("a sender can't inflate what it is told")?;
            }
            if payload.starts_with(br#"{"t":"err""#) || header.opcode() == wire::CLOSE {
                return Err(format!("a sender is told {}", String::from_utf8_lossy(payload)));
            }
            if payload.starts_with(wire::PING_V1) {
                pings += 1;
            }
            if payload.starts_with(WELCOME.as_bytes()) {
                let welcome: serde_json::Value =
                    serde_json::from_slice(payload).unwrap_or_default();
                let said = |name| welcome[name].as_str().unwrap_or_default().to_owned();
                (self.user, self.epoch) = (said("user"), said("epoch"));
            }
            if payload.starts_with(ACCEPTED.as_bytes()) {
                let ok: serde_json::Value = serde_json::from_slice(payload).unwrap_or_default();
                self.m = ok["m"].as_u64().unwrap_or(0);
            }
            count += usize::from(payload.starts_with(beginning.as_bytes()));
            used += header.frame_bytes();
        }
        self.input.drain(..used);
        for _ in 0..pings {
            self.send(wire::PONG_V1)?;
        }
        Ok(count)
    }
}
