//! What the table keeps of a run.

use serde_json::{Map, Value};

use crate::fanout::Outcome;
use crate::report::{rate, significant};
use crate::usage::ProcessUsage;

/// A figure of a run, in the order of [`NAMES`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Figure {
    DeliveriesPerSecond,
    /// Of the server with all its threads, µs per delivery; likewise the next three.
    Cpu,
    CpuUser,
    CpuSystem,
    /// Of the kernel's own threads, all of the machine.
    KernelThreads,
    /// Until the last receiver has a message, µs.
    P50,
    P99,
    /// Share of a core.
    ServerBusy,
    /// µs per delivery.
    Generator,
    GeneratorBusy,
    /// Share of the server's or the generator's core that went to neither.
    Others,
}

const NAMES: [&str; 11] = [
    "deliveries_per_second",
    "cpu_us",
    "cpu_user_us",
    "cpu_system_us",
    "kernel_threads_us",
    "p50_us",
    "p99_us",
    "server_busy",
    "generator_us",
    "generator_busy",
    "others",
];

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Run {
    figures: [f64; NAMES.len()],
    /// In words; empty when there is none.
    pub faults: String,
}

impl Run {
    pub fn of(outcome: &Outcome) -> Self {
        let none = ProcessUsage::default();
        let server = outcome.server.as_ref().unwrap_or(&none);
        let others = outcome.others_share.map_or(0.0, |[server, generator]| server.max(generator));
        let faults = match outcome.faults.count() {
            0 => String::new(),
            _ => outcome.faults.to_string(),
        };
        Self {
            figures: [
                outcome.deliveries_per_second(),
                outcome.per_delivery(server.total_us),
                outcome.per_delivery(server.user_us),
                outcome.per_delivery(server.system_us),
                outcome.per_delivery(outcome.kernel_threads_us),
                outcome.p50_us,
                outcome.p99_us,
                outcome.share(server.total_us),
                outcome.per_delivery(outcome.generator_us),
                outcome.share(outcome.generator_us),
                others,
            ],
            faults,
        }
    }

    pub fn get(&self, figure: Figure) -> f64 {
        self.figures[figure as usize]
    }

    #[cfg(test)]
    pub fn set(&mut self, figure: Figure, value: f64) {
        self.figures[figure as usize] = value;
    }

    pub fn is_clean(&self) -> bool {
        self.faults.is_empty()
    }

    pub fn in_words(&self) -> String {
        format!(
            "{} deliveries/s, {} µs each, generator {} µs, others {:.0} %, faults: {}",
            rate(self.get(Figure::DeliveriesPerSecond)),
            significant(self.get(Figure::Cpu)),
            significant(self.get(Figure::Generator)),
            100.0 * self.get(Figure::Others),
            if self.is_clean() { "none" } else { &self.faults }
        )
    }

    pub fn to_json(&self) -> Value {
        let figures = NAMES.iter().zip(self.figures);
        let mut members: Map<_, _> =
            figures.map(|(name, figure)| ((*name).to_owned(), figure.into())).collect();
        members.insert("faults".into(), self.faults.clone().into());
        members.into()
    }

    /// `None`: it isn't what [`Run::to_json`] makes.
    pub fn from_json(value: &Value) -> Option<Self> {
        let mut run = Self { faults: value.get("faults")?.as_str()?.into(), ..Self::default() };
        for (name, figure) in NAMES.iter().zip(&mut run.figures) {
            *figure = value.get(name)?.as_f64()?;
        }
        Some(run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_read_as_it_was_kept() {
        let mut run = Run { faults: "1 missing".into(), ..Run::default() };
        run.set(Figure::Cpu, 2.5);
        run.set(Figure::Others, 0.25);
        let text = run.to_json().to_string();
        let read = serde_json::from_str(&text).ok().as_ref().and_then(Run::from_json);
        assert_eq!(read, Some(run));
        assert_eq!(Figure::Others as usize, NAMES.len() - 1);
        assert_eq!(Run::from_json(&Value::Null), None);
    }
}
