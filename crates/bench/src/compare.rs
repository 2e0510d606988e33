//! Runs cases in turn, round after round, and writes what came out as a table of Markdown.

use std::fmt::Write as _;

use crate::connect::Target;
use crate::fanout::{self, Load, Outcome, Shape, Watch};
use crate::link::Trust;
use crate::namespace::Made;
use crate::peer::Peer;
use crate::report::{rate, significant};
use crate::table::median;
use crate::usage::Machine;

/// What to measure, against whom.
pub struct Case {
    /// The load in words.
    pub load_name: String,
    pub peer: Peer,
    /// As the peer is to be addressed, but for where it is.
    pub target: Way,
    pub load: Load,
    pub shape: Shape,
    /// The case that rate and CPU are compared with, by its place.
    pub base: usize,
    /// Where it happens, if not on this machine's own loopback.
    pub network: Option<Made>,
}

/// How a server is spoken to.
#[derive(Clone, Debug, Default)]
pub struct Way {
    /// Else `/ws`.
    pub path: Option<String>,
    pub deflate: bool,
    /// Over TLS, if it is who it should be.
    pub trust: Option<Trust>,
}

/// How the cases are run.
pub struct Plan {
    pub rounds: usize,
    /// The server's and the generator's core.
    pub cores: Option<[usize; 2]>,
}

/// What came of one case.
#[derive(Default)]
struct Cell {
    runs: Vec<Outcome>,
    failures: Vec<String>,
}

impl Plan {
    /// Measures all: the table, and whether every server could be measured and delivered everything once and in order.
    pub fn run(&self, cases: &[Case]) -> (String, bool) {
        let mut cells: Vec<Cell> = cases.iter().map(|_| Cell::default()).collect();
        for round in 0..self.rounds {
            for turn in 0..cases.len() {
                // Nobody always comes after the same one.
                let at = (turn + round) % cases.len();
                let Case { load_name, peer, .. } = &cases[at];
                let result = self.once(&cases[at]);
                let words = match &result {
                    Ok(run) => in_words(run),
                    Err(why) => format!("FAILED: {why}"),
                };
                let (round, rounds) = (round + 1, self.rounds);
                eprintln!("round {round} of {rounds}, {load_name}, {}: {words}", peer.name);
                match result {
                    Ok(run) => cells[at].runs.push(run),
                    Err(why) => cells[at].failures.push(why),
                }
            }
        }
        let is_clean = cells.iter().all(|cell| cell.failures.is_empty() && cell.faults() == 0);
        (self.markdown(cases, &cells), is_clean)
    }

    fn once(&self, case: &Case) -> Result<Outcome, String> {
        let Some(network) = case.network else { return self.measure(case, &case.peer) };
        let network = network()?;
        let peer = case.peer.clone().within(network.of_server(), network.server_address);
        let measure = || {
            network.enter()?;
            self.measure(case, &peer)
        };
        // What is moved is a thread, and it doesn't come back.
        let measured = std::thread::scope(|scope| scope.spawn(measure).join());
        measured.map_err(|_| "the measurement panicked")?
    }

    fn measure(&self, case: &Case, peer: &Peer) -> Result<Outcome, String> {
        let server = peer.start(self.cores.map(|[server, _]| server))?;
        let watch = Watch {
            processes: vec![server.process()],
            server_core: self.cores.map(|[server, _]| server),
            generator_core: self.cores.map(|[_, generator]| generator),
        };
        let result = case
            .target(&server.address)
            .and_then(|target| fanout::run_shaped(&target, &case.load, &case.shape, &watch));
        result.map_err(|why| match server.last_words() {
            words if words.is_empty() => why,
            words => format!("{why}; its last words: {words}"),
        })
    }

    fn markdown(&self, cases: &[Case], cells: &[Cell]) -> String {
        let mut out = self.preamble(cases);
        out.push_str(
            "| load | server | deliveries/s | CPU | B on the wire | each p50, p99 | last p50, p99 | \
             server busy | generator busy | others | to | rate, CPU, p99 | faults |\n\
             |---|---|--:|--:|--:|--:|--:|--:|--:|--:|---|--:|---|\n",
        );
        for (at, (case, cell)) in cases.iter().zip(cells).enumerate() {
            let _ = write!(out, "| {} | {} |", case.load_name, case.peer.name);
            if cell.runs.is_empty() {
                out.push_str(&" – |".repeat(10));
            } else {
                cell.row(&mut out);
                let base = &cases[case.base];
                // The other load on the same server, or the other server under the same load.
                let name = if base.peer.name == case.peer.name {
                    &base.load_name
                } else {
                    &base.peer.name
                };
                match cell.to(&cells[case.base]).filter(|_| case.base != at) {
                    Some([rate, cpu, p99]) => {
                        let _ = write!(out, " {name} | {rate:.2}, {cpu:.2}, {p99:.2} |");
                    }
                    None => out.push_str(" – | – |"),
                }
            }
            let _ = writeln!(out, " {} |", cell.complaints());
        }
        out.push('\n');
        let mut named: Vec<&str> = Vec::new();
        for Case { peer, .. } in cases {
            if !named.contains(&peer.shown.as_str()) {
                named.push(&peer.shown);
                let _ = writeln!(out, "- {} {}: `{}`", peer.name, peer.version, peer.shown);
            }
        }
        out
    }

    fn preamble(&self, cases: &[Case]) -> String {
        let Machine { cpu, cores, kernel, tcp } = Machine::read();
        let pinned = match self.cores {
            Some([server, generator]) => {
                format!("server pinned to core {server}, generator to core {generator}")
            }
            None => "nothing pinned".into(),
        };
        let seconds = cases.first().map_or(0.0, |case| case.load.seconds);
        format!(
            "{cpu}, {cores} cores, Linux {kernel}, TCP {tcp}; {pinned}; interleaved, median of {} rounds of \
             {seconds} s. CPU is the server's, in µs per delivery; ratios are medians of the rounds' ratios. \
             p50 and p99 are of each delivery, and of the last receiver of each message.\n\n",
            self.rounds
        )
    }
}

impl Case {
    fn target(&self, address: &str) -> Result<Target, String> {
        let target = Target::parse(address)?;
        let Way { path, deflate, trust } = self.target.clone();
        let path = path.unwrap_or_else(|| target.path.clone());
        Ok(Target { path, is_v1: self.peer.is_v1, deflate, trust, ..target })
    }
}

impl Cell {
    fn faults(&self) -> u64 {
        self.runs.iter().map(|run| run.faults.count()).sum()
    }

    fn of(&self, figure: impl Fn(&Outcome) -> f64) -> f64 {
        median(self.runs.iter().map(figure).collect())
    }

    fn row(&self, out: &mut String) {
        let ms = |us: f64| significant(us / 1e3);
        let each = |at: usize| ms(self.of(|run| run.each_us.map_or(0.0, |each| each[at])));
        let has_each = self.runs.iter().all(|run| run.each_us.is_some());
        let _ = write!(
            out,
            " {} | {} | {:.0} | {} | {}, {} ms | {:.0} % | {:.0} % | {:.0} % |",
            rate(self.of(Outcome::deliveries_per_second)),
            significant(self.of(cpu)),
            self.of(|run| run.per_delivery(run.received_bytes as f64)),
            if has_each { format!("{}, {} ms", each(0), each(1)) } else { "–".into() },
            ms(self.of(|run| run.p50_us)),
            ms(self.of(|run| run.p99_us)),
            100.0
                * self
                    .of(|run| run.server.as_ref().map_or(0.0, |server| run.share(server.total_us))),
            100.0 * self.of(|run| run.share(run.generator_us)),
            100.0 * self.of(others),
        );
    }

    /// Rate, CPU and p99 as multiples of another's. The p99 is that of each delivery, or else of the last one.
    fn to(&self, base: &Self) -> Option<[f64; 3]> {
        if self.runs.is_empty() || self.runs.len() != base.runs.len() {
            return None;
        }
        let p99 = |run: &Outcome| run.each_us.map_or(run.p99_us, |[_, p99]| p99);
        let ratio = |figure: &dyn Fn(&Outcome) -> f64| {
            let pairs = self.runs.iter().zip(&base.runs);
            median(pairs.map(|(run, base)| figure(run) / figure(base)).collect())
        };
        Some([ratio(&Outcome::deliveries_per_second), ratio(&cpu), ratio(&p99)])
    }

    fn complaints(&self) -> String {
        let failures = self.failures.iter().map(|why| format!("failed: {why}"));
        let faulty = self.runs.iter().filter(|run| run.faults.count() > 0);
        let faults = faulty.map(|run| run.faults.to_string());
        let gone = self.runs.iter().map(|run| run.deaf_gone).max().filter(|gone| *gone > 0);
        let gone = gone.map(|gone| format!("{gone} who don't read were dropped"));
        let words: Vec<String> = failures.chain(faults).chain(gone).collect();
        if words.is_empty() { "0".into() } else { words.join("; ") }
    }
}

fn cpu(run: &Outcome) -> f64 {
    run.server.as_ref().map_or(0.0, |server| run.per_delivery(server.total_us))
}

fn others(run: &Outcome) -> f64 {
    run.others_share.map_or(0.0, |[server, generator]| server.max(generator))
}

fn in_words(run: &Outcome) -> String {
    let each = run.each_us.map_or(String::new(), |[p50, p99]| {
        format!(", each {}, {} ms", significant(p50 / 1e3), significant(p99 / 1e3))
    });
    format!(
        "{} deliveries/s, {} µs each{each}, last {}, {} ms, generator {:.0} %, others {:.0} %, faults: {}",
        rate(run.deliveries_per_second()),
        significant(cpu(run)),
        significant(run.p50_us / 1e3),
        significant(run.p99_us / 1e3),
        100.0 * run.share(run.generator_us),
        100.0 * others(run),
        run.faults
    )
}
