//! How many messages a second are durable through the whole server, beside the bare loop on the same
//! disk in the same minutes.

use crate::bare;
use crate::histogram::Histogram;
use crate::load::{Rate, Rooms, Senders};
use crate::random::Random;
use crate::report::significant;
use crate::server::{Folder, Server};
use crate::table::{median, thousands};
use crate::usage::{self, Machine, ProcessCpu};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

pub struct Plan {
    pub rounds: usize,
    pub senders: Vec<usize>,
    pub seconds: f64,
    pub engine: String,
    pub damso: Option<String>,
    /// Where the databases are; the disk is what is measured.
    pub folder: Option<PathBuf>,
}

const WARM_UP: Duration = Duration::from_millis(300);
/// Of the bare loop's rate, at 100 senders.
pub const GOAL: f64 = 0.6;
const GOAL_SENDERS: usize = 100;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    Bare(Rooms),
    Server(Rooms),
    /// At half the rate that it had before in this measurement.
    Half(Rooms),
}

/// Whether it keeps up with the disk, and how long an ack takes when it is half busy.
pub const HALF: [Peer; 3] =
    [Peer::Bare(Rooms::Own), Peer::Server(Rooms::Own), Peer::Half(Rooms::Own)];

pub const PEERS: [Peer; 4] = [
    Peer::Bare(Rooms::Own),
    Peer::Server(Rooms::Own),
    Peer::Bare(Rooms::One),
    Peer::Server(Rooms::One),
];

impl Peer {
    fn name(self) -> &'static str {
        match self {
            Self::Bare(Rooms::One) => "bare loop, one room",
            Self::Server(Rooms::One) => "damso, one room",
            Self::Bare(_) => "bare loop, own rooms",
            Self::Server(_) => "damso, own rooms",
            Self::Half(_) => "damso, own rooms, at half that rate",
        }
    }

    fn base(self) -> Self {
        let (Self::Bare(rooms) | Self::Server(rooms) | Self::Half(rooms)) = self;
        Self::Bare(rooms)
    }
}

/// One measurement.
#[derive(Clone)]
struct Run {
    rate: f64,
    p50_ms: f64,
    p99_ms: f64,
    /// The server's, µs per acked message.
    cpu: f64,
    threads: String,
    /// The share of all cores that went to other programs.
    others: f64,
}

impl Run {
    fn new(rate: &Rate, cpu: f64, threads: String, others: f64) -> Self {
        let ms = |latency: &Histogram, share| latency.quantile(share) as f64 / 1e6;
        Self {
            rate: rate.per_second(),
            p50_ms: ms(&rate.latency, 0.5),
            p99_ms: ms(&rate.latency, 0.99),
            cpu,
            threads,
            others,
        }
    }
}

/// What the machine did, and what of it was ours.
struct Busy {
    at: Instant,
    all_us: f64,
    own: ProcessCpu,
}

impl Busy {
    fn read() -> Result<Self, String> {
        let cores = usage::cores().into_iter();
        let all_us = cores.map(|core| usage::core_busy_ticks(core) as f64 * usage::tick_us()).sum();
        Ok(Self { at: Instant::now(), all_us, own: ProcessCpu::read(&[std::process::id()])? })
    }

    /// The share of others since then, but for a server that used `server_us`.
    fn others(&self, server_us: f64) -> Result<f64, String> {
        let now = Self::read()?;
        let ours = now.own.since(&self.own).total_us + server_us;
        let whole = self.at.elapsed().as_secs_f64() * 1e6 * usage::cores().len() as f64;
        Ok(((now.all_us - self.all_us - ours) / whole).max(0.0))
    }
}

/// Prints the table. Whether the goal was reached.
pub fn run(plan: &Plan, peers: &[Peer]) -> Result<bool, String> {
    let folder = match &plan.folder {
        Some(path) => Folder::within(path, "store")?,
        None => Folder::new("store")?,
    };
    let mut random = Random::new(crate::random::seed());
    // By senders, then by peer.
    let mut runs: Vec<Vec<Vec<Run>>> = vec![vec![Vec::new(); peers.len()]; plan.senders.len()];
    for round in 0..plan.rounds {
        for (at, senders) in plan.senders.iter().enumerate() {
            for turn in 0..peers.len() {
                // Half a rate needs one to halve.
                let has_half = matches!(peers.last(), Some(Peer::Half(_)));
                let which = if has_half { turn } else { (turn + round) % peers.len() };
                let peer = peers[which];
                let half = matches!(peer, Peer::Half(_))
                    .then(|| middle(&runs[at][which - 1], |run| run.rate) / 2.0);
                let run = once(plan, peer, *senders, half, &folder, &mut random)?;
                eprintln!(
                    "round {} of {}, {senders} senders, {}: {:.0} acked/s, {:.2}, {:.2} ms, {:.1} µs {}others {:.0} %",
                    round + 1,
                    plan.rounds,
                    peer.name(),
                    run.rate,
                    run.p50_ms,
                    run.p99_ms,
                    run.cpu,
                    run.threads,
                    100.0 * run.others
                );
                runs[at][which].push(run);
            }
        }
    }
    print!("{}", table(plan, peers, &runs));
    let goal = plan.senders.iter().position(|senders| *senders == GOAL_SENDERS);
    let Some(at) = goal else { return Ok(true) };
    let reached = peers.iter().enumerate().filter(|(_, peer)| matches!(peer, Peer::Server(_)));
    Ok(reached.map(|(which, _)| ratio(peers, &runs[at], which)).all(|ratio| ratio >= GOAL))
}

fn once(
    plan: &Plan,
    peer: Peer,
    senders: usize,
    per_second: Option<f64>,
    folder: &Folder,
    random: &mut Random,
) -> Result<Run, String> {
    let time = Duration::from_secs_f64(plan.seconds);
    let rooms = match peer {
        Peer::Bare(rooms) => {
            let count = if rooms == Rooms::Own { senders } else { 1 };
            let busy = Busy::read()?;
            let rate = bare::run(folder.path(), senders, count, WARM_UP, time)?;
            return Ok(Run::new(&rate, 0.0, String::new(), busy.others(0.0)?));
        }
        Peer::Server(rooms) | Peer::Half(rooms) => rooms,
    };
    let data = folder.path().join("data");
    let _ = std::fs::remove_dir_all(&data);
    let server = Server::new(plan.damso.as_deref(), &data, random)?;
    let running = server.start(&plan.engine, None)?;
    let mut loaded = Senders::open(server.address, senders, rooms, "bench")?;
    let pid = [running.process()];
    let (before, busy) = (ProcessCpu::read(&pid)?, Busy::read()?);
    let rate = loaded.talk(WARM_UP, time, per_second)?;
    let used = ProcessCpu::read(&pid)?.since(&before);
    let others = busy.others(used.total_us)?;
    // The warm-up's too, which is as many as the time is long.
    let acked = rate.acked as f64 * (plan.seconds + WARM_UP.as_secs_f64()) / plan.seconds;
    let mut threads = String::new();
    for (name, us) in &used.threads {
        let _ = write!(threads, "{name} {:.1}, ", us / acked);
    }
    drop(loaded);
    if running.stop() != Some(0) {
        return Err("the server didn't stop well".into());
    }
    Ok(Run::new(&rate, used.total_us / acked, threads, others))
}

fn middle(runs: &[Run], figure: impl Fn(&Run) -> f64) -> f64 {
    median(runs.iter().map(figure).collect())
}

/// To the bare loop of the same round.
fn ratio(peers: &[Peer], runs: &[Vec<Run>], which: usize) -> f64 {
    let base = peers.iter().position(|peer| *peer == peers[which].base()).unwrap_or(which);
    let pairs = runs[which].iter().zip(&runs[base]);
    median(pairs.map(|(run, base)| run.rate / base.rate).collect())
}

fn table(plan: &Plan, peers: &[Peer], runs: &[Vec<Vec<Run>>]) -> String {
    let Machine { cpu, cores, kernel, .. } = Machine::read();
    let mut out = format!(
        "{cpu}, {cores} cores, Linux {kernel}; server (`--engine {}`), generator and disk share them; \
         interleaved, median of {} rounds of {} s, `damso serve --data`, SQLite FULL.\n\n\
         | senders | | acked/s | ack p50, p99 | server CPU per message | others | to the bare loop |\n\
         |--:|---|--:|--:|--:|--:|--:|\n",
        plan.engine, plan.rounds, plan.seconds
    );
    for (senders, runs) in plan.senders.iter().zip(runs) {
        for (which, peer) in peers.iter().enumerate() {
            let of = &runs[which];
            let cpu = match peer {
                Peer::Bare(_) => "–".into(),
                _ => format!("{} µs", significant(middle(of, |run| run.cpu))),
            };
            let _ = writeln!(
                out,
                "| {} | {} | {} | {}, {} ms | {cpu} | {:.0} % | {:.2} |",
                thousands(*senders as u64),
                peer.name(),
                thousands(middle(of, |run| run.rate) as u64),
                significant(middle(of, |run| run.p50_ms)),
                significant(middle(of, |run| run.p99_ms)),
                100.0 * middle(of, |run| run.others),
                ratio(peers, runs, which),
            );
        }
    }
    out
}
