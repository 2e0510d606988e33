//! The figures in Prometheus' text format.
//!
//! Written here and not with a crate: the figures are owned by the threads that count them or are
//! read at the moment they are asked for (files, the disk, the process), so a registry would hold a
//! second copy of each, and what is left is the format, which is this file's end.

use super::disk::Space;
use super::{CODES, Histogram, Metrics};
use crate::dialect::Kind;
use std::fmt::{Display, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The format's name, for `Content-Type`.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What there is to tell figures of.
pub struct Scene {
    /// What was counted.
    pub metrics: Arc<Metrics>,
    /// Which engine serves connections.
    pub engine: &'static str,
    /// Where the log is; none if it is in memory.
    pub folder: Option<PathBuf>,
}

/// A family of figures.
struct Family {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    write: fn(&Scene, &mut Samples),
}

/// The files of the log, by what they are called in figures.
const FILES: [(&str, &[&str]); 3] = [
    ("database", &["damso.db"]),
    ("wal", &["damso.db-wal"]),
    ("search", &["search.db", "search.db-wal"]),
];

/// Every family that is ever told. `docs/metrics.md` has the same ones.
const FAMILIES: &[Family] = &[
    Family {
        name: "damso_build_info",
        kind: "gauge",
        help: "Always 1; the version is a label.",
        write: |_, samples| samples.put(&[("version", env!("CARGO_PKG_VERSION"))], 1),
    },
    Family {
        name: "damso_connections",
        kind: "gauge",
        help: "Open WebSocket connections.",
        write: |scene, samples| {
            for (kind, count) in Kind::CHAT.iter().zip(&scene.metrics.connections) {
                let labels = [("engine", scene.engine), ("dialect", kind.name())];
                samples.put(&labels, count.get());
            }
        },
    },
    Family {
        name: "damso_http_connections",
        kind: "gauge",
        help: "Connections that ask for pages or use the HTTP API.",
        write: |scene, samples| samples.put(&[], scene.metrics.http_connections.get()),
    },
    Family {
        name: "damso_messages_total",
        kind: "counter",
        help: "Messages that were recorded.",
        write: |scene, samples| samples.put(&[], scene.metrics.messages.get()),
    },
    Family {
        name: "damso_deliveries_total",
        kind: "counter",
        help: "Events of rooms handed to subscribers' sockets.",
        write: |scene, samples| {
            samples.put(&[], scene.metrics.sum_of_shards(|shard| &shard.deliveries));
        },
    },
    Family {
        name: "damso_behind_subscribers",
        kind: "gauge",
        help: "Subscribers whose sockets take nothing at present; they go on where they stopped.",
        write: |scene, samples| {
            samples.put(&[], scene.metrics.sum_of_shards(|shard| &shard.behind));
        },
    },
    Family {
        name: "damso_queue_length",
        kind: "gauge",
        help: "What waits for a thread: inputs for the hub, entries for the log, jobs for the \
               readers, messages for the shards.",
        write: |scene, samples| {
            for (name, length) in scene.metrics.queue_lengths() {
                samples.put(&[("queue", name)], length);
            }
        },
    },
    Family {
        name: "damso_commit_seconds",
        kind: "histogram",
        help: "How long the log took to judge, record and make durable one batch.",
        write: |scene, samples| samples.put_histogram(&scene.metrics.commits),
    },
    Family {
        name: "damso_commit_entries",
        kind: "histogram",
        help: "How many entries were in such a batch.",
        write: |scene, samples| samples.put_histogram(&scene.metrics.batches),
    },
    Family {
        name: "damso_errors_total",
        kind: "counter",
        help: "Errors that peers were told, by their code.",
        write: |scene, samples| {
            for (code, count) in CODES.iter().zip(&scene.metrics.errors) {
                samples.put(&[("code", code.as_str())], count.get());
            }
        },
    },
    Family {
        name: "damso_log_bytes",
        kind: "gauge",
        help: "The size of the log's files.",
        write: |scene, samples| {
            let Some(folder) = &scene.folder else { return };
            for (name, files) in FILES {
                // They may come and go.
                let bytes =
                    |file: &&str| std::fs::metadata(folder.join(file)).map_or(0, |file| file.len());
                let bytes: u64 = files.iter().map(bytes).sum();
                samples.put(&[("file", name)], bytes);
            }
        },
    },
    Family {
        name: "damso_disk_free_bytes",
        kind: "gauge",
        help: "What may still be written to the disk of the data folder.",
        write: |scene, samples| {
            if let Some(space) = scene.space() {
                samples.put(&[], space.free);
            }
        },
    },
    Family {
        name: "damso_disk_bytes",
        kind: "gauge",
        help: "The size of the disk of the data folder.",
        write: |scene, samples| {
            if let Some(space) = scene.space() {
                samples.put(&[], space.total);
            }
        },
    },
    Family {
        name: "process_start_time_seconds",
        kind: "gauge",
        help: "When the process started, in seconds since 1970.",
        write: |scene, samples| samples.put(&[], scene.metrics.started_seconds()),
    },
    Family {
        name: "process_cpu_seconds_total",
        kind: "counter",
        help: "Processor time that was spent.",
        write: |_, samples| samples.put(&[], cpu_seconds()),
    },
    Family {
        name: "process_resident_memory_bytes",
        kind: "gauge",
        help: "Resident memory.",
        write: |_, samples| {
            if let Some(bytes) = resident_bytes() {
                samples.put(&[], bytes);
            }
        },
    },
    Family {
        name: "process_open_fds",
        kind: "gauge",
        help: "Open descriptors.",
        write: |_, samples| {
            // One of them is that of the folder that is being read.
            if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
                samples.put(&[], open.count().saturating_sub(1));
            }
        },
    },
    Family {
        name: "process_max_fds",
        kind: "gauge",
        help: "How many descriptors may be open.",
        write: |_, samples| {
            let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
            if let Some(limit) = limit {
                samples.put(&[], limit);
            }
        },
    },
];

impl Scene {
    /// All figures, now.
    pub fn text(&self) -> String {
        let mut samples = Samples::default();
        for family in FAMILIES {
            samples.family = Some(family);
            (family.write)(self, &mut samples);
        }
        samples.text
    }

    fn space(&self) -> Option<Space> {
        Space::of(self.folder.as_deref().map(Path::new)?).ok()
    }
}

/// The text that is being written.
#[derive(Default)]
struct Samples {
    text: String,
    /// Whose samples come next; none once its name is written.
    family: Option<&'static Family>,
    name: &'static str,
}

impl Samples {
    /// Writes a sample. Labels are ours, of characters that need no escape.
    fn put(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.put_as("", labels, value);
    }

    fn put_as(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) {
        if let Some(Family { name, kind, help, .. }) = self.family.take() {
            self.name = name;
            // Writing to a string doesn't fail.
            let _ = write!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        }
        self.text.push_str(self.name);
        self.text.push_str(suffix);
        for (at, (label, of)) in labels.iter().enumerate() {
            let before = if at == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{before}{label}=\"{of}\"");
        }
        let after = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{after} {value}");
    }

    fn put_histogram(&mut self, histogram: &Histogram) {
        let (buckets, count, sum) = histogram.read();
        for (bound, below) in buckets {
            self.put_as("_bucket", &[("le", &bound.to_string())], below);
        }
        self.put_as("_bucket", &[("le", "+Inf")], count);
        self.put_as("_sum", &[], sum);
        self.put_as("_count", &[], count);
    }
}

fn cpu_seconds() -> f64 {
    let clock = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    clock.tv_sec as f64 + clock.tv_nsec as f64 / 1e9
}

/// Where the system tells it, as Linux does.
fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_named_once_and_its_samples_follow() {
        let mut samples = Samples { family: Some(&FAMILIES[1]), ..Samples::default() };
        samples.put(&[("a", "x"), ("b", "y")], 1);
        samples.put_as("_sum", &[], 0.5);
        let text = "# HELP damso_connections Open WebSocket connections.\n\
                    # TYPE damso_connections gauge\n\
                    damso_connections{a=\"x\",b=\"y\"} 1\n\
                    damso_connections_sum 0.5\n";
        assert_eq!(samples.text, text);
    }

    #[test]
    fn a_log_in_memory_has_no_files() {
        let metrics = Arc::new(Metrics::default());
        let scene = Scene { metrics, engine: "event", folder: None };
        let text = scene.text();
        assert!(!text.contains("damso_log_bytes") && !text.contains("damso_disk"), "{text}");
        assert!(text.contains("\ndamso_connections{engine=\"event\",dialect=\"plain\"} 0\n"));
    }
}
