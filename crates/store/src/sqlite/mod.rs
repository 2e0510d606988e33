//! The embedded log: SQLite is log and view in one transaction. Events are stored, never
//! commands: what happened is not judged again.
//!
//! A batch is one transaction and one fsync (WAL, `synchronous=FULL`); its outcomes are told
//! after the commit. If the disk is full the batch is rolled back and refused. After any other
//! failure to write nothing is known about what the disk holds, so the log gives up for good: its
//! owner has to end the process, and the next start reads what is really there.

mod backup;
mod checkpoint;
mod copy;
mod error;
mod folder;
mod load;
mod look;
mod lookup;
mod migrate;
mod read;
mod reading;
mod schema;
mod scrub;
mod since;
#[cfg(test)]
mod tests;
mod verify;
mod write;

pub use backup::{Restored, restore};
pub use checkpoint::Checkpointer;
pub use copy::Progress;
pub use folder::{Folder, OpenError};
pub use look::{Looked, is_held, look};
pub use migrate::Migrated;
pub use read::Reader;
pub use verify::{Verified, VerifyError};

pub(crate) use error::Failure;

use crate::search::Notes;
use crate::{Fatal, Log, Outcome};
use checkpoint::Bell;
use damso_chat::decide::decide;
use damso_chat::{Decision, Entry, Refusal, State};
use load::End;
use lookup::Recorded;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use scrub::Scrubbing;
use std::time::Duration;
use write::Writer;

/// How long another program may hold the database before what is said meanwhile is refused.
const BUSY_MAX: Duration = Duration::from_secs(2);

/// What a commit outlives.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Durability {
    /// A power cut: the disk has it before it is acknowledged.
    #[default]
    Full,
    /// The process's end, and no more. For tests that show what [`Full`](Self::Full) is for.
    Normal,
}

/// How a log is opened.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What a commit outlives.
    pub durability: Durability,
    /// SQLite's way to the disk, in tests one that fails.
    #[cfg(test)]
    vfs: Option<String>,
}

/// The embedded log, and the only writer of its database.
pub struct Sqlite {
    folder: Folder,
    connection: Connection,
    epoch: String,
    state: State,
    end: End,
    writer: Writer,
    bell: Bell,
    /// To the index beside it, if it has one.
    pub(crate) notes: Option<Notes>,
    options: Options,
    migrated: Option<Migrated>,
    /// What ended it.
    broken: Option<String>,
    warning: Option<String>,
    scrubbing: Scrubbing,
}

impl Sqlite {
    /// Opens the log in `folder`, or begins one. Reads the view's tables, not the log, so it takes
    /// no longer after a year than after a day.
    ///
    /// # Errors
    /// One sentence that says what is wrong with the folder.
    pub fn open(folder: Folder) -> Result<Self, OpenError> {
        Self::open_with(folder, &Options::default())
    }

    /// As [`open`](Self::open), with options.
    ///
    /// # Errors
    /// One sentence that says what is wrong with the folder.
    pub fn open_with(folder: Folder, options: &Options) -> Result<Self, OpenError> {
        let path = folder.database();
        let describe = |error: rusqlite::Error| OpenError::database(&path, &error);
        folder.make_database().map_err(|error| OpenError::file(&path, &error))?;
        // Of a restore that was ended: nobody will go on with it.
        copy::sweep(&path);
        let connection = connect(&folder, options).map_err(describe)?;
        connection.busy_timeout(BUSY_MAX).map_err(describe)?;
        let migrated = schema::prepare(&connection, &path, options.durability)?;
        let epoch = connection
            .query_row("SELECT epoch FROM meta", [], |row| row.get(0))
            .map_err(describe)?;
        let end = End::load(&connection).map_err(describe)?;
        let (state, readings) = load::load(&connection, end)
            .map_err(|failure| OpenError::sentence(&path, &failure.to_string()))?;
        let writer = Writer::new(readings);
        let mut log = Self {
            folder,
            connection,
            epoch,
            state,
            end,
            writer,
            bell: Bell::default(),
            notes: None,
            options: options.clone(),
            migrated,
            broken: None,
            warning: None,
            scrubbing: Scrubbing::default(),
        };
        log.scrub_left_over().map_err(describe)?;
        Ok(log)
    }

    /// Where the log is.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// What was done to the database of an older damso when it was opened.
    pub fn migrated(&self) -> Option<&Migrated> {
        self.migrated.as_ref()
    }

    /// The name of this log's life: another one's `seq`s mean something else.
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    /// The last event's time, in ms since 1970; 0 if there is none.
    pub fn last_at(&self) -> u64 {
        self.end.at
    }

    /// How many messages were said in all rooms.
    pub fn messages(&self) -> u64 {
        self.state.rooms().map(|(_, room)| room.n).sum()
    }

    /// A connection to read by, for another thread.
    ///
    /// # Errors
    /// One sentence: it can't be opened.
    pub fn reader(&self) -> Result<Reader, OpenError> {
        Reader::open(self.folder.path())
    }

    /// Judges and records a batch in one transaction.
    fn transact(&mut self, entries: &[Entry], now: u64) -> Result<Vec<Outcome>, Failure> {
        self.bell.between(&self.connection)?;
        // At once a writer's, so that another program's hold shows before anything was judged.
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut outcomes = Vec::with_capacity(entries.len());
        let lookup = Recorded::new(&transaction);
        for entry in entries {
            let outcome = decide(&self.state, &lookup, entry, now);
            lookup.answered()?;
            for event in outcome.iter().flat_map(Decision::events) {
                self.state.apply(event);
                self.writer.record(&transaction, &self.state, &mut self.end, event)?;
            }
            outcomes.push(outcome);
        }
        // A batch of refusals has nothing to wait for the disk for.
        if outcomes.iter().flatten().any(|decision| !decision.events().is_empty()) {
            self.writer.finish(&transaction, &self.state, &mut self.end)?;
            if outcomes.iter().flatten().any(is_erasure) {
                scrub::mark(&transaction)?;
                self.scrubbing.has_erased = true;
            }
            transaction.commit()?;
            self.bell.committed(&self.connection)?;
        }
        Ok(outcomes)
    }

    /// What is really there, after a batch was rolled back.
    fn reread(&mut self) -> Result<(), Failure> {
        let end = End::load(&self.connection)?;
        let (state, readings) = load::load(&self.connection, end)?;
        (self.end, self.state, self.writer) = (end, state, Writer::new(readings));
        Ok(())
    }

    fn fatal(&self, sentence: &str) -> Fatal {
        Fatal(format!(
            "the log in {} can't be written ({sentence}); nothing was acknowledged that isn't on \
             the disk, and damso stops",
            self.folder.path().display()
        ))
    }
}

impl Log for Sqlite {
    fn append(&mut self, entries: Vec<Entry>, now: u64) -> Result<Vec<Outcome>, Fatal> {
        if let Some(sentence) = &self.broken {
            return Err(self.fatal(sentence));
        }
        if self.bell.has_failed() {
            return Err(self.fatal("what it holds couldn't be copied into the database"));
        }
        let at = self.end.at.max(now);
        self.end.at = at;
        let failure = match self.transact(&entries, at) {
            Ok(outcomes) => {
                if let Some(notes) = &self.notes {
                    notes.committed(&outcomes);
                }
                self.note_erasures(&entries, &outcomes);
                // Before anybody hears that it's done, if it isn't too often.
                self.scrub();
                return Ok(outcomes);
            }
            Err(failure) => failure,
        };
        // The transaction was rolled back when it was dropped, and what the batch changed in memory
        // goes with it. A full disk, and another program that holds the database, leave it as it
        // was; after anything else nothing is known.
        if failure.changed_nothing() && self.reread().is_ok() {
            self.end.at = at;
            return Ok(entries.iter().map(|_| Err(Refusal::Unavailable)).collect());
        }
        let sentence = failure.to_string();
        let fatal = self.fatal(&sentence);
        self.broken = Some(sentence);
        Err(fatal)
    }

    fn state(&self) -> &State {
        &self.state
    }
}

/// Whether something was erased.
fn is_erasure(decision: &Decision) -> bool {
    matches!(decision, Decision::Erased { events, .. } if !events.is_empty())
}

fn connect(folder: &Folder, options: &Options) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    #[cfg(test)]
    if let Some(vfs) = &options.vfs {
        return Connection::open_with_flags_and_vfs(folder.database(), flags, vfs.as_str());
    }
    let _ = options;
    Connection::open_with_flags(folder.database(), flags)
}
