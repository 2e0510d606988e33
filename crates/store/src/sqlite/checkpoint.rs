//! Keeps the file beside the database (the WAL) short. What is committed stands there first, and
//! has to be copied into the database before the file can begin anew.
//!
//! The copying is the work of a thread of its own, beside the writer. Under load it never quite
//! catches up with a writer that goes on; so when the file has become long and nearly all of it is
//! copied, the writer copies the last few pages itself, between two batches, and begins the file
//! anew. If the writer is so much faster that the file becomes longer still, it copies whatever is
//! left, and so becomes as slow as the disk. A reader that takes long holds all that up for as long
//! as it takes, and no longer.

use super::error::Failure;
use super::folder::OpenError;
use super::{BUSY_MAX, Sqlite};
use crate::Fatal;
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// With so many pages in it (32 MiB), the WAL should begin anew. Tests don't write that much.
const RESTART_PAGES: u64 = if cfg!(test) { 256 } else { 8_192 };
/// With so many pages of the WAL not yet copied, the checkpointer is woken. The more there are, the
/// more of them are the same page, which is copied once.
const COPY_PAGES: u64 = RESTART_PAGES / 2;
/// So many pages the writer copies itself to begin it anew;
const REST_PAGES: u64 = RESTART_PAGES / 16;
/// or any number of them, when there are so many pages in the WAL (64 MiB).
pub(super) const LENGTH_PAGES_MAX: u64 = 2 * RESTART_PAGES;
/// So long it waits for readers then.
const READERS_MAX: Duration = Duration::from_millis(20);
/// After such a time without much to do, what little there is in the WAL is copied, and the file
/// emptied: what was deleted shouldn't stand in it any longer.
const QUIET: Duration = Duration::from_secs(60);
/// So long it waits until it tries again to empty the file after an erasure.
const DIRTY: Duration = Duration::from_millis(200);

/// How long the WAL is, and how much of it is copied, in pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Wal {
    length: u64,
    copied: u64,
}

/// How thoroughly to copy.
#[derive(Clone, Copy)]
enum Mode {
    /// Not at all: just look.
    Look,
    /// What can be copied while others write and read.
    Copy,
    /// Everything, and the next commit begins the file anew.
    Restart,
    /// Everything, and the file is emptied.
    Empty,
}

fn checkpoint(connection: &Connection, mode: Mode) -> rusqlite::Result<Wal> {
    let pragma = match mode {
        Mode::Look => "PRAGMA wal_checkpoint(NOOP)",
        Mode::Copy => "PRAGMA wal_checkpoint(PASSIVE)",
        Mode::Restart => "PRAGMA wal_checkpoint(RESTART)",
        Mode::Empty => "PRAGMA wal_checkpoint(TRUNCATE)",
    };
    connection.prepare_cached(pragma)?.query_row([], |row| {
        // -1 where there is no WAL, and where somebody was in the way.
        let pages = |column| row.get::<_, i64>(column).map(|pages| pages.max(0) as u64);
        let is_busy: bool = row.get(0)?;
        Ok(Wal { length: pages(1)?.max(is_busy.into()), copied: pages(2)? })
    })
}

/// What the writer and the checkpointer share.
#[derive(Default)]
struct Shared {
    /// Held while copying.
    copying: Mutex<()>,
    /// The checkpointer gave up, and with it the log.
    has_failed: AtomicBool,
    /// The file should be emptied as soon as no reader needs it.
    is_dirty: AtomicBool,
}

/// The writer's part.
#[derive(Default)]
pub(super) struct Bell {
    /// To the checkpointer. Without one, SQLite copies with every thousandth page.
    wake: Option<SyncSender<()>>,
    shared: Arc<Shared>,
    wal: Wal,
    /// Below this length of the WAL it isn't tried again to begin it anew.
    patience: u64,
}

impl Bell {
    /// Notes that something was committed.
    pub(super) fn committed(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let Some(wake) = &self.wake else { return Ok(()) };
        self.wal = checkpoint(connection, Mode::Look)?;
        if self.wal.length - self.wal.copied >= COPY_PAGES {
            // Full: it is awake already. Gone: it will be told why by whoever waits for it.
            let _ = wake.try_send(());
        }
        Ok(())
    }

    /// Copies everything and empties the file: something in it was erased. Whether that could be;
    /// if a reader was in the way, the checkpointer does it as soon as it can.
    pub(super) fn empty(&mut self, connection: &Connection) -> Result<bool, Failure> {
        let done = {
            let _turn = self.shared.copying.lock().unwrap_or_else(PoisonError::into_inner);
            connection.busy_timeout(READERS_MAX)?;
            let done = checkpoint(connection, Mode::Empty);
            connection.busy_timeout(BUSY_MAX)?;
            done
        };
        self.wal = Wal::default();
        match done.map_err(Failure::from) {
            Ok(wal) if wal.length == 0 => return Ok(true),
            Ok(_) => {}
            Err(failure) if failure.changed_nothing() => {}
            Err(failure) => return Err(failure),
        }
        self.shared.is_dirty.store(true, Ordering::Release);
        if let Some(wake) = &self.wake {
            // Full: it is awake already, and sees the mark.
            let _ = wake.try_send(());
        }
        Ok(false)
    }

    /// Whether the disk has failed the checkpointer, so that it shouldn't be trusted any more.
    pub(super) fn has_failed(&self) -> bool {
        self.shared.has_failed.load(Ordering::Acquire)
    }

    /// Begins the WAL anew if it is time for that. Called between batches.
    pub(super) fn between(&mut self, connection: &Connection) -> Result<(), Failure> {
        let Wal { length, copied } = self.wal;
        if length < RESTART_PAGES.max(self.patience) {
            return Ok(());
        }
        // SQLite lets one copy at a time, and the other one fail.
        let _turn = if length >= LENGTH_PAGES_MAX {
            self.shared.copying.lock().unwrap_or_else(PoisonError::into_inner)
        } else {
            match self.shared.copying.try_lock() {
                Ok(turn) if length - copied <= REST_PAGES => turn,
                _ => return Ok(()),
            }
        };
        connection.busy_timeout(READERS_MAX)?;
        let done = checkpoint(connection, Mode::Restart);
        connection.busy_timeout(BUSY_MAX)?;
        match done.map_err(Failure::from) {
            Ok(wal) => self.wal = wal,
            // There is no room: another time.
            Err(failure) if failure.changed_nothing() => {}
            Err(failure) => return Err(failure),
        }
        // If it couldn't be, who reads shouldn't cost every batch that time.
        self.patience = length + RESTART_PAGES / 4;
        if self.wal.copied == self.wal.length {
            self.patience = 0;
        }
        // What was seen is old now; the next commit looks again.
        self.wal = Wal::default();
        Ok(())
    }
}

/// Copies what was committed into the database, on a thread of its own: see
/// [`run`](Self::run).
pub struct Checkpointer {
    connection: Connection,
    path: PathBuf,
    wake: Receiver<()>,
    shared: Arc<Shared>,
}

impl Sqlite {
    /// Hands the copying of what was committed to a thread of its own, which has to
    /// [`run`](Checkpointer::run) it from then on.
    ///
    /// # Errors
    /// One sentence: no connection can be opened.
    pub fn checkpointer(&mut self) -> Result<Checkpointer, OpenError> {
        let path = self.folder.database();
        let describe = |error: rusqlite::Error| OpenError::database(&path, &error);
        let connection = super::connect(&self.folder, &self.options).map_err(describe)?;
        connection.busy_timeout(READERS_MAX).map_err(describe)?;
        connection.pragma_update(None, "synchronous", "FULL").map_err(describe)?;
        connection.pragma_update(None, "wal_autocheckpoint", 0).map_err(describe)?;
        self.connection.pragma_update(None, "wal_autocheckpoint", 0).map_err(describe)?;
        let (sender, wake) = sync_channel(1);
        self.bell.wake = Some(sender);
        let shared = self.bell.shared.clone();
        Ok(Checkpointer { connection, path, wake, shared })
    }
}

impl Checkpointer {
    /// Works until the log is gone, and returns then.
    ///
    /// # Errors
    /// The disk failed. Whoever runs this has to end the process, as for the log itself.
    pub fn run(self) -> Result<(), Fatal> {
        loop {
            let is_dirty = self.shared.is_dirty.load(Ordering::Acquire);
            match self.wake.recv_timeout(if is_dirty { DIRTY } else { QUIET }) {
                Ok(()) => drop(self.copy(Mode::Copy)?),
                Err(RecvTimeoutError::Timeout) if is_dirty => {
                    if self.copy(Mode::Empty)?.length == 0 {
                        self.shared.is_dirty.store(false, Ordering::Release);
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.rest()?,
                // A folder that nobody uses has all it holds in one file.
                Err(RecvTimeoutError::Disconnected) => return self.rest(),
            }
        }
    }

    /// Copies everything and empties the file, if there is anything in it.
    fn rest(&self) -> Result<(), Fatal> {
        if self.copy(Mode::Look)?.length > 0 {
            self.copy(Mode::Empty)?;
        }
        Ok(())
    }

    fn copy(&self, mode: Mode) -> Result<Wal, Fatal> {
        let _turn = self.shared.copying.lock().unwrap_or_else(PoisonError::into_inner);
        match checkpoint(&self.connection, mode).map_err(Failure::from) {
            Ok(wal) => Ok(wal),
            // Everything is where it was, whatever that is, and there will be another time.
            Err(failure) if failure.changed_nothing() => Ok(Wal { length: u64::MAX, copied: 0 }),
            Err(failure) => {
                self.shared.has_failed.store(true, Ordering::Release);
                Err(Fatal(format!(
                    "the database {} can't be written ({failure}); what was acknowledged is in \
                     the file beside it, and damso stops",
                    self.path.display()
                )))
            }
        }
    }

    /// Copies what there is, as if woken.
    #[cfg(test)]
    pub(super) fn copy_now(&self) -> Result<(), Fatal> {
        self.copy(Mode::Copy).map(drop)
    }

    /// Empties the file, as after a quiet time.
    #[cfg(test)]
    pub(super) fn rest_now(&self) -> Result<(), Fatal> {
        self.rest()
    }
}
