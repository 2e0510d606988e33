//! What a connection costs that says nothing: memory while it is open, CPU for its opening handshake.

use std::any::Any;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::connect::{self, Target};
use crate::load::{Rooms, Senders};
use crate::peer::Peer;
use crate::report::significant;
use crate::table::{median, thousands};
use crate::usage::{self, Machine, ProcessCpu};

/// A server is quiet when its memory and its CPU have not moved for so long…
const QUIET: Duration = Duration::from_millis(300);
/// …or when this is over.
const QUIET_WITHIN: Duration = Duration::from_secs(10);
/// Handshakes are opened and closed in lots of this many.
const LOT: usize = 1_000;

pub struct Plan {
    pub peers: Vec<Peer>,
    pub rounds: usize,
    /// Connections at the first and at the second reading of memory.
    pub connections: [usize; 2],
    pub handshakes: usize,
    /// The server's and the generator's core.
    pub cores: Option<[usize; 2]>,
}

/// Of one server in one round.
struct Reading {
    /// KiB without connections, and at each of the two numbers of them.
    resident_kib: [u64; 3],
    bytes_each: f64,
    /// CPU for opening and closing one connection.
    handshake_us: f64,
}

/// The results of one server.
#[derive(Default)]
struct Cell {
    readings: Vec<Reading>,
    failures: Vec<String>,
}

/// What came of it.
pub struct Table {
    plan: Plan,
    cells: Vec<Cell>,
}

impl Plan {
    pub fn measure(self) -> Table {
        let mut cells: Vec<Cell> = self.peers.iter().map(|_| Cell::default()).collect();
        for round in 0..self.rounds {
            for turn in 0..self.peers.len() {
                let at = (turn + round) % self.peers.len();
                let name = &self.peers[at].name;
                match self.once(&self.peers[at]) {
                    Ok(reading) => {
                        let Reading { bytes_each, handshake_us, .. } = reading;
                        let us = significant(handshake_us);
                        eprintln!("round {}, {name}: {bytes_each:.0} B, {us} µs", round + 1);
                        cells[at].readings.push(reading);
                    }
                    Err(why) => {
                        eprintln!("round {}, {name}: FAILED: {why}", round + 1);
                        cells[at].failures.push(why);
                    }
                }
            }
        }
        Table { plan: self, cells }
    }

    /// A server for each of the two: what handshakes leave behind would hide what a connection takes.
    fn once(&self, peer: &Peer) -> Result<Reading, String> {
        let (resident_kib, bytes_each) = self.with(peer, |target, process| {
            let before = quiet(process)?;
            let [few, many] = self.connections;
            let first = hold(target, few, "first")?;
            let with_few = quiet(process)?;
            let rest = hold(target, many - few, "rest")?;
            let with_many = quiet(process)?;
            drop((first, rest));
            let bytes = 1024.0 * (with_many as f64 - with_few as f64);
            Ok(([before, with_few, with_many], bytes / (many - few) as f64))
        })?;
        let handshake_us = self.with(peer, |target, process| self.handshake_us(target, process))?;
        Ok(Reading { resident_kib, bytes_each, handshake_us })
    }

    /// Starts the server for one measurement.
    fn with<T>(
        &self,
        peer: &Peer,
        measure: impl FnOnce(&Target, &[u32]) -> Result<T, String>,
    ) -> Result<T, String> {
        let server = peer.start(self.cores.map(|[server, _]| server))?;
        let target = peer.target(&server.address)?;
        measure(&target, &[server.process()]).map_err(|why| match server.last_words() {
            words if words.is_empty() => why,
            words => format!("{why}; its last words: {words}"),
        })
    }

    /// The server's CPU, from the first connection to the end of the last.
    fn handshake_us(&self, target: &Target, process: &[u32]) -> Result<f64, String> {
        // Not counted: what a server does once.
        drop(connect::open(target, LOT.min(self.handshakes))?);
        quiet(process)?;
        let before = ProcessCpu::read(process)?;
        let mut opened = 0;
        while opened < self.handshakes {
            let lot = LOT.min(self.handshakes - opened);
            drop(connect::open(target, lot)?);
            opened += lot;
        }
        quiet(process)?;
        Ok(ProcessCpu::read(process)?.since(&before).total_us / opened as f64)
    }
}

/// Opens connections, plain ones or each with a session of damso.v1, which has its welcome: they last until what this
/// gives is dropped.
fn hold(target: &Target, connections: usize, run: &str) -> Result<Box<dyn Any>, String> {
    Ok(match target.is_v1 {
        true => Box::new(Senders::open_as(target, connections, Rooms::One, run)?),
        false => Box::new(connect::open(target, connections)?),
    })
}

/// Waits until the server has nothing more to do: its memory, in KiB.
fn quiet(process: &[u32]) -> Result<u64, String> {
    let begun = Instant::now();
    let mut still_since = Instant::now();
    let mut last_kib = usage::resident_kib(process);
    let mut last = ProcessCpu::read(process)?;
    while still_since.elapsed() < QUIET && begun.elapsed() < QUIET_WITHIN {
        std::thread::sleep(QUIET / 10);
        let (now_kib, now) = (usage::resident_kib(process), ProcessCpu::read(process)?);
        // A runtime's timers tick on; what is to be done takes more than a tenth of the time.
        let is_busy = now.since(&last).total_us > QUIET.as_micros() as f64 / 100.0;
        if now_kib != last_kib || is_busy {
            still_since = Instant::now();
        }
        (last_kib, last) = (now_kib, now);
    }
    Ok(last_kib)
}

impl Table {
    /// Whether every server could be measured.
    pub fn is_clean(&self) -> bool {
        self.cells.iter().all(|cell| cell.failures.is_empty())
    }

    pub fn markdown(&self) -> String {
        let Plan { peers, rounds, connections: [few, many], handshakes, cores } = &self.plan;
        let Machine { cpu, cores: count, kernel, .. } = Machine::read();
        let pinned = match cores {
            Some([server, generator]) => {
                format!("server pinned to core {server}, generator to core {generator}")
            }
            None => "nothing pinned".into(),
        };
        let [few, many] = [few, many].map(|number| thousands(*number as u64));
        let mut out = format!(
            "{cpu}, {count} cores, Linux {kernel}; {pinned}; interleaved, median of {rounds} rounds. Memory is resident, \
             and a connection's is the difference between {few} and {many}. With damso.v1 each has a session and its \
             welcome. A handshake's CPU is the server's for opening and closing one of {} connections.\n\n",
            thousands(*handshakes as u64)
        );
        let _ = writeln!(
            out,
            "| server | a connection | idle, {few}, {many} connections | CPU per handshake |{}\n\
             |---|--:|--:|--:|{}",
            self.baselines().map(|base| format!(" to {base} |")).concat(),
            "--:|".repeat(self.baselines().len()),
        );
        let baselines = self.baselines();
        for (at, peer) in peers.iter().enumerate() {
            let readings = &self.cells[at].readings;
            let _ = write!(out, "| {} |", peer.name);
            if readings.is_empty() {
                let why = self.cells[at].failures.first().map_or("", String::as_str);
                let why = why.lines().next().unwrap_or_default().replace('|', "/");
                let _ = writeln!(out, " failed: {why} | – | – | – | – |");
                continue;
            }
            let of =
                |figure: &dyn Fn(&Reading) -> f64| median(readings.iter().map(figure).collect());
            let mib = |place: usize| of(&|reading| reading.resident_kib[place] as f64) / 1024.0;
            let _ = write!(
                out,
                " {} B | {}, {}, {} MiB | {} µs |",
                thousands(of(&|reading| reading.bytes_each).max(0.0).round() as u64),
                significant(mib(0)),
                significant(mib(1)),
                significant(mib(2)),
                significant(of(&|reading| reading.handshake_us)),
            );
            for base in &baselines {
                match self.handshake_ratio(at, base) {
                    Some(ratio) => drop(write!(out, " {ratio:.2} |")),
                    None => out.push_str(" – |"),
                }
            }
            out.push('\n');
        }
        out.push('\n');
        for peer in peers {
            let _ = writeln!(out, "- {} {}: `{}`", peer.name, peer.version, peer.shown);
        }
        out
    }

    /// The servers that handshakes are compared with.
    fn baselines(&self) -> [&str; 2] {
        let is_tls = self.plan.peers.iter().any(|peer| peer.name == "bun-tls");
        if is_tls { ["bun-tls", "damso-tls"] } else { ["bun", "socketify"] }
    }

    /// Of medians: rounds may be missing.
    fn handshake_ratio(&self, at: usize, base: &str) -> Option<f64> {
        let base = self.plan.peers.iter().position(|peer| peer.name == base)?;
        let us = |cell: &Cell| {
            let all: Vec<f64> = cell.readings.iter().map(|reading| reading.handshake_us).collect();
            (!all.is_empty()).then(|| median(all))
        };
        Some(us(&self.cells[at])? / us(&self.cells[base])?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer;

    #[test]
    fn a_table_has_bytes_of_a_connection_and_ratios_of_handshakes() {
        let named = |name: &str| {
            let mut peer = peer::find("floor", None).unwrap();
            peer.name = name.into();
            peer
        };
        let reading = |handshake_us| Reading {
            resident_kib: [2048, 3072, 16 * 1024],
            bytes_each: 1234.4,
            handshake_us,
        };
        let plan = Plan {
            peers: vec![named("mine"), named("bun"), named("gone")],
            rounds: 1,
            connections: [1_000, 15_000],
            handshakes: 10_000,
            cores: None,
        };
        let cell = |us| Cell { readings: vec![reading(us)], failures: Vec::new() };
        let gone = Cell { readings: Vec::new(), failures: vec!["a | b\nc".into()] };
        let table = Table { plan, cells: vec![cell(30.0), cell(60.0), gone] };
        let markdown = table.markdown();
        assert!(
            markdown.contains("| mine | 1,234 B | 2.00, 3.00, 16.0 MiB | 30.0 µs | 0.50 | – |"),
            "{markdown}"
        );
        assert!(markdown.contains("| gone | failed: a / b | – |"), "{markdown}");
        assert!(!table.is_clean());
    }
}
