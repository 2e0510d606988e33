//! Everybody comes back at once: damso.v1 clients that missed something connect in one moment and resume, while
//! others who stayed go on talking.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, EventFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, sockopt};

use crate::connect::{self, Sources, Target, failed};
use crate::fanout::{self, Load, Prepared, Shape};
use crate::generator::Wait;
use crate::histogram::Histogram;
use crate::load::{self, Rooms, Senders, WELCOME};
use crate::loads::Measured;
use crate::peer;
use crate::report::significant;
use crate::table::{median, thousands};
use crate::usage::{Machine, ProcessCpu};
use crate::wire::{self, Header};

pub struct Plan {
    pub clients: usize,
    /// Messages each of them missed.
    pub missed: usize,
    pub bystanders: usize,
    pub rounds: usize,
    pub damso: Option<String>,
    /// The server's and the generator's core.
    pub cores: Option<[usize; 2]>,
}

const RUN: &str = "storm";
const ALL_LIVE_WITHIN: Duration = Duration::from_secs(120);
/// What comes twice comes within this.
const AGAIN_WITHIN: Duration = Duration::from_millis(500);
const ALONE: Duration = Duration::from_secs(2);
const BYSTANDERS_PER_SECOND: f64 = 50.0;
/// Connections begun before the next look at those that stand.
const BURST: usize = 256;
const MASK: [u8; 4] = [0x5A, 0x17, 0xC3, 0x88];

struct Run {
    seconds: f64,
    /// The server's, µs.
    cpu: f64,
    generator_share: f64,
    /// The bystanders' p50 and p99 in ms: alone, and in the storm.
    alone: [f64; 2],
    during: [f64; 2],
}

/// Fails unless every client got what it missed, once and in order.
pub fn run(plan: &Plan) -> Measured {
    let mut runs = Vec::new();
    for round in 0..plan.rounds {
        let run = once(plan)?;
        eprintln!(
            "round {} of {}: the last live after {:.2} s, {:.0} µs each, bystanders {:?} ms alone, {:?} ms in the storm",
            round + 1,
            plan.rounds,
            run.seconds,
            run.cpu / plan.clients as f64,
            run.alone,
            run.during
        );
        runs.push(run);
    }
    Ok((table(plan, &runs), true))
}

fn table(plan: &Plan, runs: &[Run]) -> String {
    let Machine { cpu, cores, kernel, .. } = Machine::read();
    let Plan { clients, missed, bystanders, rounds, .. } = plan;
    let of = |figure: &dyn Fn(&Run) -> f64| median(runs.iter().map(figure).collect());
    let mut out = format!(
        "{cpu}, {cores} cores, Linux {kernel}; `damso serve --data`, median of {rounds} rounds. {bystanders} others \
         in a room of their own, {BYSTANDERS_PER_SECOND} messages a second; the generator's one core serves them too. \
         Every missed message was checked: once, in order.\n\n\
         | clients | missed by each | last one live after | server CPU per client | generator busy | bystanders' p50, p99 alone | in the storm |\n\
         |--:|--:|--:|--:|--:|--:|--:|\n"
    );
    let [alone, during] = [|run: &Run| run.alone, |run: &Run| run.during]
        .map(|which| [0, 1].map(|at| significant(of(&|run: &Run| which(run)[at]))).join(", "));
    let _ = writeln!(
        out,
        "| {} | {missed} | {} s | {} µs | {:.0} % | {alone} ms | {during} ms |",
        thousands(*clients as u64),
        significant(of(&|run| run.seconds)),
        significant(of(&|run| run.cpu / *clients as f64)),
        100.0 * of(&|run| run.generator_share),
    );
    out
}

const ALONE_PHASE: u8 = 1;
const STORM_PHASE: u8 = 2;
const OVER: u8 = 3;

fn once(plan: &Plan) -> Result<Run, String> {
    let damso = peer::find("damso-v1", plan.damso.as_deref())?;
    let server = damso.start(plan.cores.map(|[server, _]| server))?;
    let target = Target { is_v1: true, ..Target::parse(&server.address)? };
    // They were there once, and went without a word.
    drop(Senders::open_as(&target, plan.clients, Rooms::One, RUN)?);
    let mut teller = Senders::open_as(&target, 1, Rooms::One, "teller")?;
    let (epoch, missed) = (teller.epoch().to_owned(), teller.tell(plan.missed)?);
    let (&first, &last) = missed.first().zip(missed.last()).ok_or("nothing was missed")?;

    let phase = AtomicU8::new(0);
    let (phase, target) = (&phase, &target);
    thread::scope(|scope| {
        let bystanders = scope.spawn(move || stay(plan, target, phase));
        let storm = || -> Result<(f64, f64, f64), String> {
            wait_for(phase, ALONE_PHASE, &bystanders)?;
            let alone_until = Instant::now() + ALONE;
            while Instant::now() < alone_until {
                thread::sleep(Duration::from_millis(10));
            }
            phase.store(STORM_PHASE, Ordering::SeqCst);
            let processes = [server.process()];
            let own = [std::process::id()];
            let before = (ProcessCpu::read(&processes)?, ProcessCpu::read(&own)?);
            let mut storm = Storm::new(target, plan.clients, &epoch, first, last)?;
            let took = storm.run()?;
            let used = ProcessCpu::read(&processes)?.since(&before.0).total_us;
            let own_us = ProcessCpu::read(&own)?.since(&before.1).total_us;
            phase.store(OVER, Ordering::SeqCst);
            storm.settle()?;
            Ok((took.as_secs_f64(), used, own_us))
        };
        let result = storm();
        phase.store(OVER, Ordering::SeqCst);
        let stayed = bystanders.join().map_err(|_| "the bystanders panicked")?;
        let ((seconds, cpu, own_us), [alone, during]) = (result?, stayed?);
        Ok(Run { seconds, cpu, generator_share: own_us / 1e6 / seconds, alone, during })
    })
    .map_err(|why: String| match server.last_words() {
        words if words.is_empty() => why,
        words => format!("{why}; its last words: {words}"),
    })
}

fn wait_for<T>(
    phase: &AtomicU8,
    wanted: u8,
    thread: &thread::ScopedJoinHandle<'_, T>,
) -> Result<(), String> {
    while phase.load(Ordering::SeqCst) < wanted {
        if thread.is_finished() {
            return Err("the bystanders don't get in".into());
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Those who are connected all the time: their p50 and p99 in ms, alone and in the storm.
fn stay(plan: &Plan, target: &Target, phase: &AtomicU8) -> Result<[[f64; 2]; 2], String> {
    let load = Load {
        subscribers: plan.bystanders,
        publishers: 1,
        bytes: 64,
        in_flight: 1,
        seconds: 0.0,
        warm_up_seconds: 0.0,
        wait: Wait::Block,
    };
    let shape = Shape { rooms: 1, per_second: Some(BYSTANDERS_PER_SECOND), ..Shape::default() };
    let Prepared { mut generator, .. } = fanout::prepare(target, &load, &shape)?;
    generator.start_pace(BYSTANDERS_PER_SECOND);
    let mut figures = [[0.0; 2]; 2];
    phase.store(ALONE_PHASE, Ordering::SeqCst);
    for (at, until) in [STORM_PHASE, OVER].into_iter().enumerate() {
        generator.measure_each();
        while phase.load(Ordering::SeqCst) < until {
            generator.turn(1)?;
        }
        let each: Histogram = generator.each().unwrap_or_default();
        figures[at] = [0.5, 0.99].map(|share| each.quantile(share) as f64 / 1e6);
    }
    let faults = fanout::drain(&mut generator)?;
    if faults.count() > 0 {
        return Err(format!("the bystanders: {faults}"));
    }
    generator.close();
    Ok(figures)
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Connecting,
    Shaking,
    Greeting,
    Opening,
    /// The `seq` that is to come.
    Replay(u64),
    Live,
}

struct Client {
    socket: OwnedFd,
    input: Vec<u8>,
    stage: Stage,
}

/// Those who come back.
struct Storm<'a> {
    count: usize,
    epoch: &'a str,
    first: u64,
    last: u64,
    request: Vec<u8>,
    accept: String,
    sources: Sources,
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
    buffer: Vec<u8>,
    clients: Vec<Client>,
    live: usize,
}

impl<'a> Storm<'a> {
    fn new(
        target: &Target,
        count: usize,
        epoch: &'a str,
        first: u64,
        last: u64,
    ) -> Result<Self, String> {
        let key = wire::base64(b"sixteen bytes ok");
        Ok(Self {
            count,
            epoch,
            first,
            last,
            request: target.request(&key),
            accept: wire::accept(&key),
            sources: Sources::new(target.address),
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC).map_err(failed("epoll_create"))?,
            events: Vec::with_capacity(1024),
            buffer: vec![0; 64 * 1024],
            clients: Vec::with_capacity(count),
            live: 0,
        })
    }

    /// How long it took until the last one was live.
    fn run(&mut self) -> Result<Duration, String> {
        let begun = Instant::now();
        while self.live < self.count {
            for _ in 0..BURST.min(self.count - self.clients.len()) {
                let socket = self.sources.connect().map_err(failed("connect"))?;
                let flags = EventFlags::IN | EventFlags::OUT | EventFlags::ET;
                let id = epoll::EventData::new_u64(self.clients.len() as u64);
                epoll::add(&self.epoll, &socket, id, flags).map_err(failed("epoll_ctl"))?;
                self.clients.push(Client { socket, input: Vec::new(), stage: Stage::Connecting });
            }
            self.turn(if self.clients.len() < self.count { 0 } else { 100 })?;
            if begun.elapsed() > ALL_LIVE_WITHIN {
                return Err(format!(
                    "{} of {} are live after {ALL_LIVE_WITHIN:?}",
                    self.live, self.count
                ));
            }
        }
        Ok(begun.elapsed())
    }

    /// Nothing may come again.
    fn settle(&mut self) -> Result<(), String> {
        let end = Instant::now() + AGAIN_WITHIN;
        while Instant::now() < end {
            self.turn(50)?;
        }
        Ok(())
    }

    fn turn(&mut self, at_most_ms: i64) -> Result<(), String> {
        let mut events = std::mem::take(&mut self.events);
        connect::wait(&self.epoll, &mut events, at_most_ms)?;
        for event in &events {
            let at = event.data.u64() as usize;
            self.ready(at, event.flags).map_err(|why| format!("client {at}: {why}"))?;
        }
        self.events = events;
        Ok(())
    }

    fn ready(&mut self, at: usize, flags: EventFlags) -> Result<(), String> {
        let client = &mut self.clients[at];
        if client.stage == Stage::Connecting && flags.contains(EventFlags::OUT) {
            let connected = sockopt::socket_error(&client.socket).and_then(|result| result);
            connected.map_err(failed("connect"))?;
            sockopt::set_tcp_nodelay(&client.socket, true).map_err(failed("TCP_NODELAY"))?;
            client.send(&self.request)?;
            client.stage = Stage::Shaking;
        }
        loop {
            match rustix::net::recv(&client.socket, &mut self.buffer[..], RecvFlags::empty()) {
                Ok((0, _)) => return Err(format!("closed by the server while {:?}", client.stage)),
                Ok((read, _)) => client.input.extend_from_slice(&self.buffer[..read]),
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        self.advance(at)
    }

    fn advance(&mut self, at: usize) -> Result<(), String> {
        let mut input = std::mem::take(&mut self.clients[at].input);
        let mut used = 0;
        if self.clients[at].stage == Stage::Shaking
            && let Some(end) = wire::head_end(&input)
        {
            let head = String::from_utf8_lossy(&input[..end]);
            if wire::field(&head, "sec-websocket-accept") != Some(&self.accept) {
                return Err(format!("refused: {head}"));
            }
            let client = &mut self.clients[at];
            client.say(&load::hello_again(RUN, at, self.epoch))?;
            client.stage = Stage::Greeting;
            used = end;
        }
        if !matches!(self.clients[at].stage, Stage::Connecting | Stage::Shaking) {
            while let Some(header) = Header::parse(&input[used..])
                && let Some(frame) = input.get(used..used + header.frame_bytes())
            {
                self.hear(at, &header, &frame[header.payload()])?;
                used += header.frame_bytes();
            }
        }
        input.drain(..used);
        self.clients[at].input = input;
        Ok(())
    }

    fn hear(&mut self, at: usize, header: &Header, payload: &[u8]) -> Result<(), String> {
        let (first, last) = (self.first, self.last);
        let client = &mut self.clients[at];
        let told = || String::from_utf8_lossy(payload).into_owned();
        if header.opcode() == wire::CLOSE || payload.starts_with(br#"{"t":"err""#) {
            return Err(format!("told {}", told()));
        }
        match client.stage {
            Stage::Greeting if payload.starts_with(WELCOME.as_bytes()) => {
                let after = first - 1;
                client.say(&format!(r#"{{"t":"open","id":2,"room":"lobby","after":{after}}}"#))?;
                client.stage = Stage::Opening;
            }
            Stage::Opening if payload.starts_with(load::OPENED.as_bytes()) => {
                if !told().contains(r#""mode":"replay""#) {
                    return Err(format!("no replay: {}", told()));
                }
                client.stage = Stage::Replay(first);
            }
            Stage::Replay(next) if payload.starts_with(MESSAGE) => {
                if seq(payload) != Some(next) {
                    return Err(format!("{next} was to come, not {}", told()));
                }
                if next == last {
                    client.stage = Stage::Live;
                    self.live += 1;
                } else {
                    client.stage = Stage::Replay(next + 1);
                }
            }
            _ if payload.starts_with(MESSAGE) => return Err(format!("not to come: {}", told())),
            _ => {}
        }
        Ok(())
    }
}

const MESSAGE: &[u8] = br#"{"t":"msg""#;

fn seq(message: &[u8]) -> Option<u64> {
    const NAME: &[u8] = br#""seq":"#;
    let at = message.windows(NAME.len()).position(|window| window == NAME)? + NAME.len();
    let digits = message[at..].iter().take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0, |sum, digit| 10 * sum + u64::from(digit - b'0')))
}

impl Client {
    fn say(&self, text: &str) -> Result<(), String> {
        let mut frame = Vec::with_capacity(text.len() + 14);
        wire::put_masked(&mut frame, wire::TEXT, text.as_bytes(), MASK);
        self.send(&frame)
    }

    fn send(&self, bytes: &[u8]) -> Result<(), String> {
        match rustix::net::send(&self.socket, bytes, SendFlags::NOSIGNAL) {
            Ok(sent) if sent == bytes.len() => Ok(()),
            result => Err(format!("can't send: {result:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn storm(told: &[&str]) -> Result<usize, String> {
        let target = Target::parse("127.0.0.1:1").unwrap();
        let mut storm = Storm::new(&target, 1, "e", 7, 9).unwrap();
        let (socket, _peer) = std::os::unix::net::UnixStream::pair().unwrap();
        storm.clients.push(Client {
            socket: socket.into(),
            input: Vec::new(),
            stage: Stage::Greeting,
        });
        for text in [WELCOME, r#"{"t":"ok","id":2,"head":9,"mode":"replay"}"#].iter().chain(told) {
            let mut frame = Vec::new();
            wire::put_header(&mut frame, wire::TEXT, text.len(), None);
            let header = Header::parse(&frame).unwrap();
            storm.hear(0, &header, text.as_bytes())?;
        }
        Ok(storm.live)
    }

    #[test]
    fn what_is_lost_doubled_or_out_of_order_is_found() {
        let [seven, eight, nine] =
            [7, 8, 9].map(|seq| format!(r#"{{"t":"msg","room":"lobby","seq":{seq},"n":1}}"#));
        let [seven, eight, nine] = [&seven, &eight, &nine].map(String::as_str);
        assert_eq!(storm(&[seven, eight, nine]), Ok(1));
        assert_eq!(storm(&[seven, eight]), Ok(0));
        assert!(storm(&[seven, nine]).is_err());
        assert!(storm(&[seven, seven, eight, nine]).is_err());
        assert!(storm(&[eight, seven, nine]).is_err());
        assert!(storm(&[seven, eight, nine, nine]).is_err());
    }
}
