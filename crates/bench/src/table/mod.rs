//! The comparison: all servers, interleaved, as one table.

mod journal;
mod plot;
mod run;
mod words;

use std::path::Path;

use crate::fanout::{self, Load, Watch};
use crate::generator::Wait;
use crate::peer::Peer;
use crate::usage::{self, Machine};
use journal::Journal;
pub use run::{Figure, Run};

/// What a server is put under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    pub subscribers: usize,
    pub bytes: usize,
    pub in_flight: usize,
    /// The server has a core to itself, and the generator another.
    pub pinned: bool,
}

const fn row(subscribers: usize, bytes: usize, in_flight: usize) -> Row {
    Row { subscribers, bytes, in_flight, pinned: true }
}

const fn free(row: Row) -> Row {
    Row { pinned: false, ..row }
}

/// The rows when nobody chooses.
pub const ROWS: [Row; 7] = [
    row(1_000, 64, 1),
    row(1_000, 64, 64),
    row(1_000, 1_024, 16),
    row(10_000, 64, 1),
    row(10_000, 64, 64),
    free(row(1_000, 64, 1)),
    free(row(1_000, 64, 64)),
];

/// 64 messages to 10,000 take them seconds: the first two write each message to each subscriber by itself.
const NOT_LARGE: [&str; 3] = ["ws", "websockets", "nats"];
const LARGE: usize = 5_000;

impl Row {
    /// `subscribers,bytes,in-flight`, and `,free` for a row in which nothing is pinned.
    pub fn parse(text: &str) -> Option<Self> {
        let (numbers, pinned) = match text.strip_suffix(",free") {
            Some(numbers) => (numbers, false),
            None => (text, true),
        };
        let mut numbers = numbers.split(',').map(|number| number.parse().ok());
        let row = Self {
            subscribers: numbers.next()??,
            bytes: numbers.next()??,
            in_flight: numbers.next()??,
            pinned,
        };
        numbers.next().is_none().then_some(row)
    }

    fn title(&self) -> String {
        let Self { subscribers, bytes, in_flight, pinned } = self;
        let free = if *pinned { "" } else { ", not pinned" };
        let (subscribers, bytes) = (thousands(*subscribers as u64), thousands(*bytes as u64));
        format!("{subscribers} subscribers, {bytes} B, {in_flight} in flight{free}")
    }
}

pub struct Plan {
    pub rows: Vec<Row>,
    /// Nobody chose them: large ones go without the servers that they are too much for.
    pub is_usual: bool,
    pub peers: Vec<Peer>,
    pub rounds: usize,
    /// Subscribers, bytes and in flight come from the rows.
    pub load: Load,
    /// How to wait for the server in rows that are pinned; the others' generator shares its core, and sleeps.
    pub wait: Wait,
    /// The server's and the generator's core; nothing is pinned without.
    pub cores: Option<[usize; 2]>,
    /// Where what isn't pinned may run.
    pub all_cores: Vec<usize>,
    /// A run in which more than this share of a core went to others is made again…
    pub others_share_max: f64,
    /// …so often at most.
    pub repeats: usize,
}

/// The results of one server in one row.
#[derive(Default)]
struct Cell {
    /// By round.
    runs: Vec<(usize, Run)>,
    failures: Vec<String>,
}

pub struct Table {
    plan: Plan,
    machine: Machine,
    /// By row, then by peer.
    cells: Vec<Vec<Cell>>,
}

impl Plan {
    /// Makes all runs, but for those that `journal` has from an earlier, equal plan; each goes there as it ends.
    ///
    /// # Errors
    /// A sentence, when the journal can't be written. What goes wrong with a server stands in the table.
    pub fn measure(self, journal: Option<&Path>) -> Result<Table, String> {
        let mut journal = journal.map(|path| Journal::open(path, &self)).transpose()?;
        let cell = |_: &Peer| Cell::default();
        let mut cells: Vec<Vec<Cell>> =
            self.rows.iter().map(|_| self.peers.iter().map(cell).collect()).collect();
        for round in 0..self.rounds {
            for (row, cells) in self.rows.iter().zip(&mut cells) {
                for turn in 0..self.peers.len() {
                    // Nobody always comes after the same one.
                    let at = (turn + round) % self.peers.len();
                    let peer = &self.peers[at];
                    if !self.takes(row, peer) {
                        continue;
                    }
                    let key = format!("round {}, {}, {}", round + 1, row.title(), peer.name);
                    let known = journal.as_ref().and_then(|journal| journal.find(&key));
                    let result = known.unwrap_or_else(|| {
                        let result = self.undisturbed(peer, row);
                        match &result {
                            Ok(run) => eprintln!("{key}: {}", run.in_words()),
                            Err(why) => eprintln!("{key}: FAILED: {why}"),
                        }
                        result
                    });
                    if let Some(journal) = &mut journal {
                        journal.keep(&key, &result)?;
                    }
                    match result {
                        Ok(run) => cells[at].runs.push((round, run)),
                        Err(why) => cells[at].failures.push(why),
                    }
                }
            }
        }
        journal.map_or(Ok(()), Journal::over)?;
        Ok(Table { machine: Machine::read(), plan: self, cells })
    }

    fn takes(&self, row: &Row, peer: &Peer) -> bool {
        !self.is_usual || row.subscribers < LARGE || !NOT_LARGE.contains(&&*peer.name)
    }

    fn undisturbed(&self, peer: &Peer, row: &Row) -> Result<Run, String> {
        let mut best: Option<Run> = None;
        for _ in 0..=self.repeats {
            let run = self.once(peer, row)?;
            let others = |run: &Run| run.get(Figure::Others);
            if best.as_ref().is_none_or(|best| others(&run) < others(best)) {
                best = Some(run);
            }
            if best.as_ref().is_some_and(|best| others(best) <= self.others_share_max) {
                break;
            }
        }
        best.ok_or_else(|| "not measured".into())
    }

    fn once(&self, peer: &Peer, row: &Row) -> Result<Run, String> {
        let cores = self.cores.filter(|_| row.pinned);
        let generator: &[usize] = cores.as_ref().map_or(&self.all_cores, |cores| &cores[1..]);
        usage::pin_to(generator).map_err(|error| format!("cores {generator:?}: {error}"))?;
        let server = peer.start(cores.map(|[server, _]| server))?;
        let load = Load {
            subscribers: row.subscribers,
            bytes: row.bytes,
            in_flight: row.in_flight,
            wait: if cores.is_some() { self.wait } else { Wait::Block },
            ..self.load.clone()
        };
        let watch = Watch {
            processes: vec![server.process()],
            server_core: cores.map(|[server, _]| server),
            generator_core: cores.map(|[_, generator]| generator),
        };
        let result =
            peer.target(&server.address).and_then(|target| fanout::run(&target, &load, &watch));
        match result {
            Ok(outcome) => Ok(Run::of(&outcome)),
            Err(why) => Err(match server.last_words() {
                words if words.is_empty() => why,
                words => format!("{why}; its last words: {words}"),
            }),
        }
    }
}

impl Table {
    /// Whether each server could be measured and delivered everything once and in order.
    pub fn is_clean(&self) -> bool {
        let is_clean = |cell: &Cell| {
            cell.failures.is_empty() && cell.runs.iter().all(|(_, run)| run.is_clean())
        };
        self.cells.iter().flatten().all(is_clean)
    }

    /// The servers of a row that were to be measured in it.
    fn of_row(&self, row: usize) -> impl Iterator<Item = (&Peer, &Cell)> {
        let taken = move |(peer, _): &(&Peer, &Cell)| self.plan.takes(&self.plan.rows[row], peer);
        self.plan.peers.iter().zip(&self.cells[row]).filter(taken)
    }

    /// The peers that others are compared with: their places and names.
    fn baselines(&self) -> Vec<(usize, &'static str)> {
        let place = |name| self.plan.peers.iter().position(|peer| peer.name == name);
        let names = ["bun", "floor", "floor-uring"].into_iter();
        names.filter_map(|name| Some((place(name)?, name))).collect()
    }
}

impl Cell {
    /// The median over the rounds; none when there is no run.
    fn median(&self, figure: Figure) -> Option<f64> {
        (!self.runs.is_empty())
            .then(|| median(self.runs.iter().map(|(_, run)| run.get(figure)).collect()))
    }

    /// A figure as a multiple of another's: the median of the rounds' ratios, since a machine drifts
    /// from round to round more than within one. None when no round has both.
    fn ratio(&self, base: &Self, figure: Figure) -> Option<f64> {
        let in_round = |round| base.runs.iter().find(|(of, _)| *of == round);
        let ratios: Vec<f64> = self
            .runs
            .iter()
            .filter_map(|(round, run)| Some(run.get(figure) / in_round(*round)?.1.get(figure)))
            .collect();
        (!ratios.is_empty()).then(|| median(ratios))
    }
}

/// The middle one, or the mean of the two in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}

/// `1,234,567`
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
        assert_eq!(Row::parse("1000,64,1,free"), Some(ROWS[5]));
        assert_eq!(Row::parse("1000,64"), None);
        assert_eq!(ROWS[3].title(), "10,000 subscribers, 64 B, 1 in flight");
        assert!(ROWS[6].title().ends_with("64 in flight, not pinned"));
    }

    #[test]
    fn a_ratio_is_taken_within_a_round() {
        let cell = |runs: &[(usize, f64)]| {
            let run = |&(round, cpu): &(usize, f64)| {
                let mut run = Run::default();
                run.set(Figure::Cpu, cpu);
                (round, run)
            };
            Cell { runs: runs.iter().map(run).collect(), failures: Vec::new() }
        };
        // The machine was twice as slow in round 1, and one of the two failed in round 2.
        let (ours, theirs) = (cell(&[(0, 2.0), (1, 4.0), (2, 9.0)]), cell(&[(0, 4.0), (1, 8.0)]));
        assert_eq!(ours.ratio(&theirs, Figure::Cpu), Some(0.5));
        assert_eq!(ours.median(Figure::Cpu), Some(4.0));
        assert_eq!(ours.ratio(&Cell::default(), Figure::Cpu), None);
    }
}
