//! The log: judges entries in order, records what happened, and is what an acknowledgement means.

pub mod memory;
mod record;
pub mod rows;
pub mod search;
pub mod sqlite;
#[cfg(test)]
mod tests;

pub use memory::Memory;
pub use rows::{Ask, Page, Part, ReadError, Rows};
pub use search::{Found, Hit, Indexer, Notes, Search, Searcher};
pub use sqlite::{
    Checkpointer, Durability, Folder, Looked, Migrated, OpenError, Options, Progress, Reader,
    Restored, Sqlite, Verified, VerifyError, is_held, look, restore,
};

use damso_chat::{Decision, Entry, Refusal, State};
use std::fmt;
use std::hash::{BuildHasher, RandomState};

/// What became of an entry.
pub type Outcome = Result<Decision, Refusal>;

/// So many messages of one author are looked up, and deleted, at a time.
const WRITTEN_MAX: usize = if cfg!(test) { 3 } else { 200 };

/// The log can't go on: nothing is known about what the disk holds. One sentence. Whoever owns the
/// log has to end the process; retrying could acknowledge what isn't there.
#[derive(Debug)]
pub struct Fatal(pub String);

impl fmt::Display for Fatal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fatal {}

/// A name for the life of a new log: 16 hexadecimal digits that no other one has.
pub fn new_epoch() -> String {
    // The hasher is keyed at random, by the system.
    format!("{:016x}", RandomState::new().hash_one("epoch"))
}

/// Judges and records. The order of entries is the log's order.
pub trait Log {
    /// Judges each entry after the events of those before it, and records what happened at `now`
    /// (ms since 1970; a time before the last one counts as the last one). One outcome an entry,
    /// in order. When it returns, what it accepted is as durable as this log makes things.
    ///
    /// # Errors
    /// The log can't go on; nothing of the batch counts as accepted.
    fn append(&mut self, entries: Vec<Entry>, now: u64) -> Result<Vec<Outcome>, Fatal>;

    /// The state at the log's end.
    fn state(&self) -> &State;
}
