//! The operator's figures: what the threads count, and how it is told ([`text`]).
//!
//! What is on the way of a message is counted where it is owned, in a plain number, and shown here
//! with one store an iteration of its thread: no two threads write to the same figure on the way to
//! a socket, and nobody counts by subscriber. The rest is rare and simply added to.

pub mod disk;
mod histogram;
pub mod text;

pub use histogram::Histogram;

use crate::dialect::Kind;
use damso_chat::Event;
use damso_protocol::v1::ErrorCode;
use damso_store::Outcome;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long after a refusal of the log it counts as not taking anything. Nothing says that it
/// would again, but that somebody tries.
const REFUSING: Duration = Duration::from_secs(30);

/// The bounds of a commit's buckets, in seconds.
const COMMIT_SECONDS: &[f64] =
    &[0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0];
/// The bounds of a batch's buckets, in entries.
const BATCH_ENTRIES: &[f64] =
    &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0];

/// The codes under which peers are told of errors.
const CODES: [ErrorCode; 16] = [
    ErrorCode::NameTaken,
    ErrorCode::BadJson,
    ErrorCode::BadType,
    ErrorCode::BadField,
    ErrorCode::TooBig,
    ErrorCode::Unauthorized,
    ErrorCode::Forbidden,
    ErrorCode::NotFound,
    ErrorCode::Gone,
    ErrorCode::Muted,
    ErrorCode::SlowMode,
    ErrorCode::RateLimited,
    ErrorCode::NonceReused,
    ErrorCode::Full,
    ErrorCode::Unavailable,
    ErrorCode::Internal,
];

/// A number that one thread shows or several add to.
#[derive(Default)]
pub struct Figure(AtomicU64);

impl Figure {
    /// Shows a number that its one owner counts.
    pub fn show(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Adds to it.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// Takes away what was added.
    pub fn take(&self, count: u64) {
        self.0.fetch_sub(count, Ordering::Relaxed);
    }

    /// The number.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a shard shows. Its own cache line: it is written once in each of the shard's iterations.
#[derive(Default)]
#[repr(align(128))]
pub struct ShardFigures {
    /// Events handed to subscribers' sockets.
    pub deliveries: Figure,
    /// Subscribers whose sockets take nothing at present.
    pub behind: Figure,
}

/// One more, as long as it lives.
pub struct Counted(Arc<Figure>);

impl Counted {
    fn among(figure: &Arc<Figure>) -> Self {
        figure.add(1);
        Self(figure.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.take(1);
    }
}

/// All figures of one server.
pub struct Metrics {
    started: Instant,
    started_at: SystemTime,
    connections: [Figure; Kind::CHAT.len()],
    http_connections: Arc<Figure>,
    shards: Mutex<Vec<Arc<ShardFigures>>>,
    queues: Mutex<Vec<(&'static str, Arc<Figure>)>>,
    messages: Figure,
    commits: Histogram,
    batches: Histogram,
    errors: [Figure; CODES.len()],
    /// When the log last refused to record anything, in ms since the start and 1; 0: it takes all.
    refused: Figure,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            started_at: SystemTime::now(),
            connections: Default::default(),
            http_connections: Arc::default(),
            shards: Mutex::default(),
            queues: Mutex::default(),
            messages: Figure::default(),
            commits: Histogram::new(COMMIT_SECONDS),
            batches: Histogram::new(BATCH_ENTRIES),
            errors: Default::default(),
            refused: Figure::default(),
        }
    }
}

impl Metrics {
    /// How many connections talk so; none for an echo.
    pub fn connections(&self, kind: Kind) -> Option<&Figure> {
        let at = Kind::CHAT.iter().position(|known| *known == kind)?;
        self.connections.get(at)
    }

    /// Counts a connection that HTTP serves, until what comes back is dropped.
    pub fn http_connection(&self) -> Counted {
        Counted::among(&self.http_connections)
    }

    /// Figures for a shard of its own.
    pub fn shard(&self) -> Arc<ShardFigures> {
        let figures = Arc::new(ShardFigures::default());
        self.shards.lock().unwrap_or_else(PoisonError::into_inner).push(figures.clone());
        figures
    }

    /// The length of a queue of this name; those of one name are told as their sum.
    pub fn queue(&self, name: &'static str) -> Arc<Figure> {
        let length = Arc::new(Figure::default());
        self.queues.lock().unwrap_or_else(PoisonError::into_inner).push((name, length.clone()));
        length
    }

    /// Counts an error that somebody is told.
    pub fn error(&self, code: ErrorCode) {
        if let Some(at) = CODES.iter().position(|known| *known == code) {
            self.errors[at].add(1);
        }
    }

    /// Counts what came of a batch, and how long the log took for it.
    pub fn recorded(&self, outcomes: &[Outcome], took: Duration) {
        let (mut new, mut messages, mut refused) = (false, 0, false);
        for outcome in outcomes {
            match outcome {
                Ok(decision) => {
                    let events = decision.events();
                    new |= !events.is_empty();
                    let said = events.iter().filter(|event| matches!(event, Event::Message(_)));
                    messages += said.count() as u64;
                }
                Err(refusal) => refused |= refusal.code() == ErrorCode::Unavailable,
            }
        }
        if new {
            self.messages.add(messages);
            self.commits.observe(took.as_secs_f64());
            self.batches.observe(outcomes.len() as f64);
            self.refused.show(0);
        } else if refused {
            self.refused.show(1 + self.started.elapsed().as_millis() as u64);
        }
    }

    /// How long ago the log refused what it was given last, if that isn't long ago.
    pub fn refused_ago(&self) -> Option<Duration> {
        let at = Duration::from_millis(self.refused.get().checked_sub(1)?);
        Some(self.started.elapsed().saturating_sub(at)).filter(|ago| *ago < REFUSING)
    }

    fn started_seconds(&self) -> f64 {
        self.started_at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
    }

    fn sum_of_shards(&self, figure: impl Fn(&ShardFigures) -> &Figure) -> u64 {
        let shards = self.shards.lock().unwrap_or_else(PoisonError::into_inner);
        shards.iter().map(|figures| figure(figures).get()).sum()
    }

    /// The queues' names and lengths, each name once.
    fn queue_lengths(&self) -> Vec<(&'static str, u64)> {
        let mut lengths: Vec<(&'static str, u64)> = Vec::new();
        for (name, length) in &*self.queues.lock().unwrap_or_else(PoisonError::into_inner) {
            match lengths.iter_mut().find(|(known, _)| known == name) {
                Some((_, sum)) => *sum += length.get(),
                None => lengths.push((name, length.get())),
            }
        }
        lengths
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use damso_chat::Refusal;

    #[test]
    fn every_code_has_a_figure() {
        let metrics = Metrics::default();
        for code in CODES {
            metrics.error(code);
        }
        assert!(metrics.errors.iter().all(|count| count.get() == 1));
    }

    #[test]
    fn a_log_refuses_until_it_takes_something_or_nobody_has_tried_for_a_while() {
        let metrics = Metrics::default();
        metrics.recorded(&[Err(Refusal::Forbidden)], Duration::ZERO);
        assert_eq!(metrics.refused_ago(), None);
        metrics.recorded(&[Err(Refusal::Unavailable)], Duration::ZERO);
        assert!(metrics.refused_ago().is_some());
        metrics.recorded(&[Err(Refusal::Forbidden)], Duration::ZERO);
        assert!(metrics.refused_ago().is_some());
    }

    #[test]
    fn queues_of_one_name_are_one_figure() {
        let metrics = Metrics::default();
        let (a, b, hub) = (metrics.queue("shard"), metrics.queue("shard"), metrics.queue("hub"));
        a.add(3);
        b.show(4);
        hub.add(2);
        hub.take(1);
        assert_eq!(metrics.queue_lengths(), [("shard", 7), ("hub", 1)]);
    }
}
