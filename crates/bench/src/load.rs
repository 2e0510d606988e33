//! A closed loop of damso.v1 senders on one thread: each says something, waits for the `ok`, and says
//! the next. It does as little as it can, since it shares the machine with the server; that nothing
//! is lost is `chaos`'s to show.

use crate::connect::{self, Target, failed};
use crate::generator::Histogram;
use crate::server;
use crate::wire::{self, Header};
use rustix::event::epoll::{self, EventFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// What everybody says: as long as what people write, in two scripts.
pub const TEXT: &str = "안녕하세요 여러분, the build is green again, 이제 점심 먹읍시다";
const MASK: [u8; 4] = [0x21, 0x37, 0xFA, 0x3D];
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// Where senders say it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rooms {
    /// Each in a room of its own, which it hears.
    Own,
    /// All in one, which none of them hears.
    One,
}

pub struct Senders {
    epoll: OwnedFd,
    senders: Vec<Sender>,
    run: String,
}

struct Sender {
    socket: OwnedFd,
    input: Vec<u8>,
    room: String,
    count: u64,
    sent_at: Instant,
}

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
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(failed("epoll_create"))?;
        let mut senders = Vec::with_capacity(count);
        for (at, open) in connect::open(&target, count)?.into_iter().enumerate() {
            let id = epoll::EventData::new_u64(at as u64);
            epoll::add(&epoll, &open.socket, id, EventFlags::IN).map_err(failed("epoll_ctl"))?;
            senders.push(Sender {
                socket: open.socket,
                input: open.glued,
                room: "lobby".into(),
                count: 0,
                sent_at: Instant::now(),
            });
        }
        let mut all = Self { epoll, senders, run: run.to_owned() };
        let key = |at: usize| key(run, at);
        for (at, sender) in all.senders.iter().enumerate() {
            sender.send(&hello(run, at))?;
        }
        all.until_all(r#"{"t":"welcome""#)?;
        if rooms == Rooms::Own {
            for (at, sender) in all.senders.iter_mut().enumerate() {
                let name = format!("{run} room {at}");
                sender.room = server::make_room(address, &key(at), &name, &[])?.to_string();
                sender.send(&format!(r#"{{"t":"open","id":2,"room":"{}"}}"#, sender.room))?;
            }
            all.until_all(r#"{"t":"ok""#)?;
        }
        Ok(all)
    }

    /// Everybody says one thing after another for so long, after a warm-up.
    pub fn talk(&mut self, warm_up: Duration, time: Duration) -> Result<Rate, String> {
        let run = self.run.clone();
        self.run(warm_up, time, |at, room, count| {
            // As long as a client's random one.
            let nonce = format!("{run}-{at:08x}-{count:016x}");
            format!(
                r#"{{"t":"send","id":{},"room":"{room}","nonce":"{nonce}","text":"{TEXT}"}}"#,
                count + 2
            )
        })
    }

    /// For whoever speaks with the same connections from here on: as they were opened, in the lobby.
    pub fn into_lobby(mut self) -> Result<Vec<connect::Open>, String> {
        for sender in &self.senders {
            sender.send(r#"{"t":"open","id":2,"room":"lobby"}"#)?;
        }
        self.until_all(r#"{"t":"ok""#)?;
        let open = |sender: Sender| {
            epoll::delete(&self.epoll, &sender.socket).map_err(failed("epoll_ctl"))?;
            Ok(connect::Open { socket: sender.socket, glued: sender.input })
        };
        self.senders.into_iter().map(open).collect()
    }

    /// Runs the loop with requests made of a sender's number and room and its requests' count.
    pub fn run(
        &mut self,
        warm_up: Duration,
        time: Duration,
        mut request: impl FnMut(usize, &str, u64) -> String,
    ) -> Result<Rate, String> {
        for sender in 0..self.senders.len() {
            self.ask(sender, &mut request)?;
        }
        let mut rate = Rate { acked: 0, seconds: 0.0, latency: Histogram::default() };
        let begin = Instant::now() + warm_up;
        let end = begin + time;
        let mut progress = Instant::now();
        let mut events = Vec::with_capacity(1024);
        let mut buffer = vec![0; 64 * 1024];
        loop {
            connect::wait(&self.epoll, &mut events, 100)?;
            let now = Instant::now();
            for event in &events {
                let at = event.data.u64() as usize;
                for _ in 0..self.senders[at].acks(&mut buffer, r#"{"t":"ok""#)? {
                    progress = now;
                    if now >= begin && now < end {
                        rate.acked += 1;
                        rate.latency.record((now - self.senders[at].sent_at).as_nanos() as u64);
                    }
                    if now < end {
                        self.ask(at, &mut request)?;
                    }
                }
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
        request: &mut impl FnMut(usize, &str, u64) -> String,
    ) -> Result<(), String> {
        let sender = &mut self.senders[at];
        sender.count += 1;
        let text = request(at, &sender.room, sender.count);
        sender.sent_at = Instant::now();
        sender.send(&text)
    }

    /// Waits until everybody got a message that begins so.
    fn until_all(&mut self, beginning: &str) -> Result<(), String> {
        let deadline = Instant::now() + ANSWER_MAX;
        let mut buffer = vec![0; 64 * 1024];
        let mut waiting = self.senders.len();
        let mut events = Vec::with_capacity(1024);
        let mut has = vec![false; waiting];
        while waiting > 0 {
            connect::wait(&self.epoll, &mut events, 100)?;
            for event in &events {
                let at = event.data.u64() as usize;
                if self.senders[at].acks(&mut buffer, beginning)? > 0 && !has[at] {
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
    fn acks(&mut self, buffer: &mut [u8], beginning: &str) -> Result<usize, String> {
        match rustix::net::recv(&self.socket, &mut *buffer, RecvFlags::empty()) {
            Ok((0, _)) => return Err("the server closed a sender's connection".into()),
            Ok((read, _)) => self.input.extend_from_slice(&buffer[..read]),
            Err(Errno::AGAIN | Errno::INTR) => return Ok(0),
            Err(error) => return Err(format!("a sender can't read: {error}")),
        }
        let (mut used, mut count) = (0, 0);
        while let Some(header) = Header::parse(&self.input[used..]) {
            let Some(frame) = self.input.get(used..used + header.frame_bytes()) else { break };
            let payload = &frame[header.payload()];
            if payload.starts_with(br#"{"t":"err""#) || header.opcode() == wire::CLOSE {
                return Err(format!("a sender is told {}", String::from_utf8_lossy(payload)));
            }
            count += usize::from(payload.starts_with(beginning.as_bytes()));
            used += header.frame_bytes();
        }
        self.input.drain(..used);
        Ok(count)
    }
}
