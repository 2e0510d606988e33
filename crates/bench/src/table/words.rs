//! The table for people, as markdown, and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Cell, Figure, Plan, Row, Table};
use crate::fanout::Load;
use crate::report::{rate, significant};
use crate::usage::Machine;

const COLUMNS: &str = "| load | server | deliveries/s | CPU | user + system | kernel threads | p50, p99 | server busy \
    | generator: CPU, busy | others |";
const ALIGNED: &str = "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|";

impl Plan {
    /// What two plans have to have in common for their runs to be comparable.
    pub fn description(&self) -> Value {
        let peer = |peer: &crate::peer::Peer| {
            json!([peer.name, peer.version, peer.shown, peer.fingerprint()])
        };
        let titles: Vec<String> = self.rows.iter().map(Row::title).collect();
        json!({
            "rows": titles,
            "peers": self.peers.iter().map(peer).collect::<Vec<_>>(),
            "rounds": self.rounds,
            "seconds": [self.load.warm_up_seconds, self.load.seconds],
            "publishers": self.load.publishers,
            "cores": self.cores,
            "kernel": Machine::read().kernel,
        })
    }

    fn command(&self, row: &Row) -> String {
        let Load { publishers, seconds, warm_up_seconds, .. } = self.load;
        let Row { subscribers, bytes, in_flight, pinned } = row;
        let cores = match self.cores.filter(|_| *pinned) {
            Some([server, generator]) => format!(" --cores {server},{generator}"),
            None => " --cores none".into(),
        };
        format!(
            "damso-bench fanout ADDRESS --subscribers {subscribers} --publishers {publishers} --bytes {bytes} \
             --in-flight {in_flight} --seconds {seconds} --warm-up {warm_up_seconds}{cores}"
        )
    }
}

impl Table {
    /// All of it: machine, a summary, every figure, versions and commands.
    pub fn markdown(&self) -> String {
        let mut out = self.conditions();
        out.push_str(&self.summary());
        out.push_str("\nAll figures:\n\n");
        out.push_str(&self.details());
        out.push('\n');
        for peer in &self.plan.peers {
            let _ = writeln!(out, "- {} {}: `{}`", peer.name, peer.version, peer.shown);
        }
        for row in &self.plan.rows {
            let _ = writeln!(out, "- {}: `{}`", row.title(), self.plan.command(row));
        }
        out
    }

    fn conditions(&self) -> String {
        let Plan { rounds, load, cores, rows, .. } = &self.plan;
        let Machine { cpu, cores: count, kernel, tcp } = &self.machine;
        let pinned = match cores.filter(|_| rows.iter().any(|row| row.pinned)) {
            Some([server, generator]) => {
                format!(
                    "server pinned to core {server}, generator to core {generator}, unless said"
                )
            }
            None => "nothing pinned".into(),
        };
        format!(
            "{cpu}, {count} cores, Linux {kernel}, TCP {tcp}; {pinned}; interleaved, median of {rounds} rounds of {} s.\n\
             CPU is the server's with all its threads, in µs per delivery; time is until the last receiver has a message. \
             Every delivery was checked: once, in order, as it was sent.\n\n",
            load.seconds,
        )
    }

    /// A line for each server, a column for each load.
    fn summary(&self) -> String {
        let mut out = String::from("Deliveries/s, and CPU in µs per delivery:\n\n| server |");
        for row in &self.plan.rows {
            let _ = write!(out, " {} |", row.title());
        }
        let _ = write!(out, "\n|---|{}\n", "--:|".repeat(self.plan.rows.len()));
        for (at, peer) in self.plan.peers.iter().enumerate() {
            let _ = write!(out, "| {} |", peer.name);
            for cells in &self.cells {
                let rate_and_cpu = cells[at]
                    .median(Figure::DeliveriesPerSecond)
                    .zip(cells[at].median(Figure::Cpu))
                    .map(|(per_second, cpu)| format!("{}, {}", rate(per_second), significant(cpu)));
                let _ = write!(out, " {} |", rate_and_cpu.as_deref().unwrap_or("–"));
            }
            out.push('\n');
        }
        out.push_str("\nA rate with many in flight is a ceiling of the machinery, not a chat.\n");
        out
    }

    fn details(&self) -> String {
        let baselines = self.baselines();
        let mut out = String::from(COLUMNS);
        for (_, name) in &baselines {
            let _ = write!(out, " to {name}: rate, CPU |");
        }
        let _ = writeln!(out, " faults |\n{ALIGNED}{}---|", "--:|".repeat(baselines.len()));
        let mut is_bound = false;
        for (at, row) in self.plan.rows.iter().enumerate() {
            for (peer, cell) in self.of_row(at) {
                let _ = write!(out, "| {} | {} |", row.title(), peer.name);
                is_bound |= cell.write(&mut out);
                for (base, _) in &baselines {
                    let base = &self.cells[at][*base];
                    let ratios = [Figure::DeliveriesPerSecond, Figure::Cpu]
                        .map(|figure| cell.ratio(base, figure));
                    match ratios {
                        [Some(rate), Some(cpu)] => drop(write!(out, " {rate:.2}, {cpu:.2} |")),
                        _ => out.push_str(" – |"),
                    }
                }
                let _ = writeln!(out, " {} |", cell.faults());
            }
        }
        if is_bound {
            out.push_str(
                "\n† the generator was the busier of the two: this rate is a lower bound.\n",
            );
        }
        out
    }

    /// Every run, for programs.
    pub fn json(&self) -> String {
        let Machine { cpu, cores, kernel, tcp } = &self.machine;
        let plan = &self.plan;
        let peers: Vec<Value> = plan
            .peers
            .iter()
            .map(|peer| json!({"name": peer.name, "version": peer.version, "command": peer.shown}))
            .collect();
        let result = |row: usize, name: &str, cell: &Cell| {
            let runs: Vec<Value> = cell.runs.iter().map(|(_, run)| run.to_json()).collect();
            let mut result = json!({"server": name, "failures": cell.failures, "runs": runs});
            for (at, base) in self.baselines() {
                for (figure, word) in [(Figure::DeliveriesPerSecond, "rate"), (Figure::Cpu, "cpu")]
                {
                    if let Some(ratio) = cell.ratio(&self.cells[row][at], figure) {
                        result[format!("{word}_to_{base}")] = ratio.into();
                    }
                }
            }
            result
        };
        let row = |(at, row): (usize, &Row)| {
            let results = self.of_row(at).map(|(peer, cell)| result(at, &peer.name, cell));
            json!({
                "subscribers": row.subscribers,
                "bytes": row.bytes,
                "in_flight": row.in_flight,
                "pinned": row.pinned,
                "command": plan.command(row),
                "results": results.collect::<Vec<_>>(),
            })
        };
        let whole = json!({
            "machine": {"cpu": cpu, "cores": cores, "kernel": kernel, "tcp": tcp},
            "rounds": plan.rounds,
            "seconds": plan.load.seconds,
            "peers": peers,
            "rows": plan.rows.iter().enumerate().map(row).collect::<Vec<_>>(),
        });
        format!("{whole}\n")
    }
}

impl Cell {
    /// Its columns but for the ratios. True when the generator was the limit.
    fn write(&self, out: &mut String) -> bool {
        if self.runs.is_empty() {
            out.push_str(&" – |".repeat(ALIGNED.matches("--:").count()));
            return false;
        }
        let of = |figure| self.median(figure).unwrap_or_default();
        let [busy, generator_busy] = [of(Figure::ServerBusy), of(Figure::GeneratorBusy)];
        let is_bound = generator_busy > 0.9 && generator_busy > busy;
        let _ = write!(
            out,
            " {} | {} | {} + {} | {} | {}, {} ms | {:.0} % | {}, {:.0} %{} | {:.0} % |",
            rate(of(Figure::DeliveriesPerSecond)),
            significant(of(Figure::Cpu)),
            significant(of(Figure::CpuUser)),
            significant(of(Figure::CpuSystem)),
            significant(of(Figure::KernelThreads)),
            significant(of(Figure::P50) / 1e3),
            significant(of(Figure::P99) / 1e3),
            100.0 * busy,
            significant(of(Figure::Generator)),
            100.0 * generator_busy,
            if is_bound { " †" } else { "" },
            100.0 * of(Figure::Others),
        );
        is_bound
    }

    fn faults(&self) -> String {
        let failures = self.failures.iter().map(|why| {
            // A line of the table: what a server said last may have several.
            let first = why.lines().next().unwrap_or_default();
            format!("failed: {}", first.replace('|', "/"))
        });
        let faulty = self.runs.iter().filter(|(_, run)| !run.is_clean());
        let all: Vec<String> = failures.chain(faulty.map(|(_, run)| run.faults.clone())).collect();
        if all.is_empty() { "0".into() } else { all.join("; ") }
    }
}
