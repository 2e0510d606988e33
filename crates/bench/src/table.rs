//! The comparison: all servers, interleaved, as one table.

use std::fmt::Write as _;

use crate::connect::Target;
use crate::fanout::{self, Load, Outcome, Watch};
use crate::peer::Peer;
use crate::report::{self, Json, rate, significant};
use crate::usage::{Machine, ProcessUsage};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    pub subscribers: usize,
    pub bytes: usize,
    pub in_flight: usize,
}

pub const ROWS: [Row; 3] = [
    Row { subscribers: 1_000, bytes: 64, in_flight: 1 },
    Row { subscribers: 1_000, bytes: 64, in_flight: 64 },
    Row { subscribers: 1_000, bytes: 1_024, in_flight: 16 },
];

pub const FULL_ROWS: [Row; 2] = [
    Row { subscribers: 10_000, bytes: 64, in_flight: 1 },
    Row { subscribers: 10_000, bytes: 64, in_flight: 64 },
];

impl Row {
    /// `subscribers,bytes,in-flight`
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split(',').map(|number| number.parse().ok());
        let row = Self {
            subscribers: numbers.next()??,
            bytes: numbers.next()??,
            in_flight: numbers.next()??,
        };
        numbers.next().is_none().then_some(row)
    }

    fn title(&self) -> String {
        let Self { subscribers, bytes, in_flight } = self;
        format!("{} subscribers, {bytes} B, {in_flight} in flight", thousands(*subscribers as u64))
    }
}

pub struct Plan {
    pub rows: Vec<Row>,
    pub peers: Vec<Peer>,
    pub rounds: usize,
    /// Subscribers, bytes and in flight come from the rows.
    pub load: Load,
    /// The server's and the generator's core.
    pub cores: Option<[usize; 2]>,
    /// A run in which more than this share of a core went to others is made again…
    pub others_share_max: f64,
    /// …so often at most.
    pub repeats: usize,
}

/// The results of one server in one row.
#[derive(Default)]
struct Cell {
    runs: Vec<Outcome>,
    failures: Vec<String>,
}

pub struct Table {
    plan: Plan,
    machine: Machine,
    /// By row, then by peer.
    cells: Vec<Vec<Cell>>,
}

impl Plan {
    pub fn measure(self) -> Table {
        let cell = |_: &Peer| Cell::default();
        let mut cells: Vec<Vec<Cell>> =
            self.rows.iter().map(|_| self.peers.iter().map(cell).collect()).collect();
        for round in 0..self.rounds {
            for (row, cells) in self.rows.iter().zip(&mut cells) {
                for turn in 0..self.peers.len() {
                    // Nobody always comes after the same one.
                    let at = (turn + round) % self.peers.len();
                    let peer = &self.peers[at];
                    let result = self.undisturbed(peer, row);
                    let words = match &result {
                        Ok(run) => run_in_words(run),
                        Err(why) => format!("FAILED: {why}"),
                    };
                    let round = round + 1;
                    eprintln!(
                        "round {round} of {}, {}, {}: {words}",
                        self.rounds,
                        row.title(),
                        peer.name
                    );
                    match result {
                        Ok(run) => cells[at].runs.push(run),
                        Err(why) => cells[at].failures.push(why),
                    }
                }
            }
        }
        Table { machine: Machine::read(), plan: self, cells }
    }

    fn undisturbed(&self, peer: &Peer, row: &Row) -> Result<Outcome, String> {
        let mut best: Option<Outcome> = None;
        for _ in 0..=self.repeats {
            let run = self.once(peer, row)?;
            if best.as_ref().is_none_or(|best| others(&run) < others(best)) {
                best = Some(run);
            }
            if best.as_ref().is_some_and(|best| others(best) <= self.others_share_max) {
                break;
            }
        }
        best.ok_or_else(|| "not measured".into())
    }

    fn once(&self, peer: &Peer, row: &Row) -> Result<Outcome, String> {
        let server = peer.start(self.cores.map(|[server, _]| server))?;
        let load = Load {
            subscribers: row.subscribers,
            bytes: row.bytes,
            in_flight: row.in_flight,
            ..self.load.clone()
        };
        let watch = Watch {
            processes: vec![server.process()],
            server_core: self.cores.map(|[server, _]| server),
            generator_core: self.cores.map(|[_, generator]| generator),
        };
        let result = Target::parse(&server.address)
            .and_then(|target| fanout::run(&Target { is_v1: peer.is_v1, ..target }, &load, &watch));
        result.map_err(|why| match server.last_words() {
            words if words.is_empty() => why,
            words => format!("{why}; its last words: {words}"),
        })
    }
}

impl Table {
    /// Whether each server could be measured and delivered everything once and in order.
    pub fn is_clean(&self) -> bool {
        self.cells.iter().flatten().all(|cell| cell.failures.is_empty() && cell.faults() == 0)
    }

    pub fn markdown(&self) -> String {
        let Plan { rounds, load, cores, .. } = &self.plan;
        let Machine { cpu, cores: count, kernel, tcp } = &self.machine;
        let pinned = match cores {
            Some([server, generator]) => {
                format!("server pinned to core {server}, generator to core {generator}")
            }
            None => "nothing pinned".into(),
        };
        let mut out = String::new();
        let _ = writeln!(
            out,
            "{cpu}, {count} cores, Linux {kernel}, TCP {tcp}; {pinned}; interleaved, median of {rounds} rounds of {} s.\n\
             CPU is the server's, in µs per delivery; time is until the last receiver has a message. \
             Every delivery was checked: once, in order, as it was sent.\n",
            load.seconds,
        );
        let baselines = self.baselines();
        out.push_str(
            "| load | server | deliveries/s | CPU | user + system | p50, p99 | server busy | generator: CPU, busy | others |",
        );
        for (_, name) in &baselines {
            let _ = write!(out, " to {name}: rate, CPU |");
        }
        out.push_str(" faults |\n|---|---|--:|--:|--:|--:|--:|--:|--:|");
        out.push_str(&"--:|".repeat(baselines.len()));
        out.push_str("---|\n");
        for (row, cells) in self.plan.rows.iter().zip(&self.cells) {
            for (peer, cell) in self.plan.peers.iter().zip(cells) {
                let _ = write!(out, "| {} | {} |", row.title(), peer.name);
                let Some(figures) = cell.figures() else {
                    out.push_str(&" — |".repeat(7 + baselines.len()));
                    let _ =
                        writeln!(out, " {} |", cell.failures.first().map_or("", String::as_str));
                    continue;
                };
                let Figures { rate: per_second, cpu, user, system, p50, p99, .. } = figures;
                let _ = write!(
                    out,
                    " {} | {} | {} + {} | {}, {} ms | {:.0} % | {}, {:.0} %{} | {:.0} % |",
                    rate(per_second),
                    significant(cpu),
                    significant(user),
                    significant(system),
                    significant(p50 / 1e3),
                    significant(p99 / 1e3),
                    100.0 * figures.server_busy,
                    significant(figures.generator),
                    100.0 * figures.generator_busy,
                    if figures.generator_bound() { " †" } else { "" },
                    100.0 * figures.others,
                );
                for (at, _) in &baselines {
                    match cell.to(&cells[*at]) {
                        Some([rate, cpu]) => {
                            let _ = write!(out, " {rate:.2}, {cpu:.2} |");
                        }
                        None => out.push_str(" — |"),
                    }
                }
                let failures = cell.failures.iter().map(|why| format!("failed: {why}"));
                let faulty = cell.runs.iter().filter(|run| run.faults.count() > 0);
                let words: Vec<String> =
                    failures.chain(faulty.map(|run| run.faults.to_string())).collect();
                let _ = writeln!(
                    out,
                    " {} |",
                    if words.is_empty() { "0".into() } else { words.join("; ") }
                );
            }
        }
        out.push('\n');
        if self
            .cells
            .iter()
            .flatten()
            .filter_map(Cell::figures)
            .any(|figures| figures.generator_bound())
        {
            out.push_str(
                "† the generator was the busier of the two: this rate is a lower bound.\n\n",
            );
        }
        for peer in &self.plan.peers {
            let _ = writeln!(out, "- {} {}: `{}`", peer.name, peer.version, peer.shown);
        }
        for row in &self.plan.rows {
            let _ = writeln!(out, "- {}: `{}`", row.title(), self.command(row));
        }
        out.push_str("\nA rate with many in flight is a ceiling of the machinery, not a chat.\n");
        out
    }

    pub fn json(&self) -> String {
        let mut json = Json::default();
        json.object(|json| {
            json.key("machine").object(|json| {
                json.key("cpu").text(&self.machine.cpu);
                json.key("cores").number(self.machine.cores as f64);
                json.key("kernel").text(&self.machine.kernel);
                json.key("tcp").text(&self.machine.tcp);
            });
            json.key("rounds").number(self.plan.rounds as f64);
            json.key("seconds").number(self.plan.load.seconds);
            json.key("peers").list(&self.plan.peers, |json, peer| {
                json.object(|json| {
                    json.key("name").text(&peer.name);
                    json.key("version").text(&peer.version);
                    json.key("command").text(&peer.shown);
                });
            });
            json.key("rows").list(self.plan.rows.iter().zip(&self.cells), |json, (row, cells)| {
                json.object(|json| {
                    json.key("subscribers").number(row.subscribers as f64);
                    json.key("bytes").number(row.bytes as f64);
                    json.key("in_flight").number(row.in_flight as f64);
                    json.key("command").text(&self.command(row));
                    json.key("results").list(
                        self.plan.peers.iter().zip(cells),
                        |json, (peer, cell)| {
                            json.object(|json| {
                                cell.json(json, &peer.name);
                                for (at, name) in self.baselines() {
                                    if let Some([rate, cpu]) = cell.to(&cells[at]) {
                                        json.key(&format!("rate_to_{name}")).number(rate);
                                        json.key(&format!("cpu_to_{name}")).number(cpu);
                                    }
                                }
                            });
                        },
                    );
                });
            });
        });
        json.finish()
    }

    fn baselines(&self) -> Vec<(usize, &'static str)> {
        let place = |name| self.plan.peers.iter().position(|peer| peer.name == name);
        ["bun", "floor", "floor-uring"]
            .into_iter()
            .filter_map(|name| Some((place(name)?, name)))
            .collect()
    }

    fn command(&self, row: &Row) -> String {
        let Load { publishers, seconds, warm_up_seconds, .. } = self.plan.load;
        let Row { subscribers, bytes, in_flight } = row;
        let cores = match self.plan.cores {
            Some([server, generator]) => format!(" --cores {server},{generator}"),
            None => " --cores none".into(),
        };
        format!(
            "damso-bench fanout ADDRESS --subscribers {subscribers} --publishers {publishers} --bytes {bytes} \
             --in-flight {in_flight} --seconds {seconds} --warm-up {warm_up_seconds}{cores}"
        )
    }
}

/// Medians over the runs.
struct Figures {
    rate: f64,
    cpu: f64,
    user: f64,
    system: f64,
    p50: f64,
    p99: f64,
    server_busy: f64,
    generator: f64,
    generator_busy: f64,
    others: f64,
}

impl Figures {
    fn generator_bound(&self) -> bool {
        self.generator_busy > 0.9 && self.generator_busy > self.server_busy
    }
}

impl Cell {
    fn faults(&self) -> u64 {
        self.runs.iter().map(|run| run.faults.count()).sum()
    }

    fn figures(&self) -> Option<Figures> {
        if self.runs.is_empty() {
            return None;
        }
        let of = |figure: &dyn Fn(&Outcome) -> f64| median(self.runs.iter().map(figure).collect());
        let of_server = |figure: &dyn Fn(&ProcessUsage) -> f64| {
            of(&|run| run.server.as_ref().map_or(0.0, |server| run.per_delivery(figure(server))))
        };
        Some(Figures {
            rate: of(&Outcome::deliveries_per_second),
            cpu: of_server(&|server| server.total_us),
            user: of_server(&|server| server.user_us),
            system: of_server(&|server| server.system_us),
            p50: of(&|run| run.p50_us),
            p99: of(&|run| run.p99_us),
            server_busy: of(&|run| {
                run.server.as_ref().map_or(0.0, |server| run.share(server.total_us))
            }),
            generator: of(&|run| run.per_delivery(run.generator_us)),
            generator_busy: of(&|run| run.share(run.generator_us)),
            others: of(&others),
        })
    }

    /// Rate and CPU as multiples of another's: the median of the rounds' ratios, since a machine drifts
    /// from round to round more than within one.
    fn to(&self, base: &Self) -> Option<[f64; 2]> {
        let cpu = |run: &Outcome| {
            run.server.as_ref().map_or(0.0, |server| run.per_delivery(server.total_us))
        };
        if self.runs.is_empty() || self.runs.len() != base.runs.len() {
            return None;
        }
        let ratio = |figure: &dyn Fn(&Outcome) -> f64| {
            median(
                self.runs
                    .iter()
                    .zip(&base.runs)
                    .map(|(run, base)| figure(run) / figure(base))
                    .collect(),
            )
        };
        Some([ratio(&Outcome::deliveries_per_second), ratio(&cpu)])
    }

    fn json(&self, json: &mut Json, name: &str) {
        json.key("server").text(name);
        if let Some(figures) = self.figures() {
            json.key("deliveries_per_second").number(figures.rate);
            json.key("cpu_us").number(figures.cpu);
            json.key("p50_us").number(figures.p50);
            json.key("p99_us").number(figures.p99);
        }
        json.key("failures").list(&self.failures, |json, why| json.text(why));
        json.key("runs")
            .list(&self.runs, |json, run| json.object(|json| report::outcome(json, run)));
    }
}

fn others(run: &Outcome) -> f64 {
    run.others_share.map_or(0.0, |[server, generator]| server.max(generator))
}

fn run_in_words(run: &Outcome) -> String {
    let server = run.server.as_ref().map_or(0.0, |server| server.total_us);
    format!(
        "{} deliveries/s, {} µs each, generator {} µs, others {:.0} %, faults: {}",
        rate(run.deliveries_per_second()),
        significant(run.per_delivery(server)),
        significant(run.per_delivery(run.generator_us)),
        100.0 * others(run),
        run.faults
    )
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}

pub fn thousands(number: u64) -> String {
    if number < 1000 {
        number.to_string()
    } else {
        format!("{},{:03}", thousands(number / 1000), number % 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_rows() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(Row::parse("1000,64,1"), Some(ROWS[0]));
        assert_eq!(Row::parse("1000,64"), None);
        assert_eq!(FULL_ROWS[0].title(), "10,000 subscribers, 64 B, 1 in flight");
    }
}
