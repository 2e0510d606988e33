//! The log: judges entries in order, records what happened, and is what an acknowledgement means.

pub mod memory;

pub use memory::Memory;

use damso_chat::{Decision, Entry, Refusal, State};

/// Judges and records. The order of entries is the log's order.
pub trait Log {
    /// Judges each entry after the events of those before it, and records what happened at `now`
    /// (ms since 1970; a time before the last one counts as the last one). One outcome an entry,
    /// in order. When it returns, what it accepted is as durable as this log makes things.
    fn append(&mut self, entries: Vec<Entry>, now: u64) -> Vec<Result<Decision, Refusal>>;

    /// The state at the log's end.
    fn state(&self) -> &State;
}
