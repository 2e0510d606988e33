//! What was erased leaves the files.
//!
//! `secure_delete` overwrites what is deleted where it stands. But when SQLite parts a page that
//! has become full, it leaves what it moved in the unused space of the old page, and of that it
//! knows nothing any more. So after an erasure the database is written anew (`VACUUM`), copied out
//! of the WAL, and the WAL emptied. That takes some seconds a million messages, and nothing is
//! recorded meanwhile; so nobody but the operator makes it happen often.

use super::Sqlite;
use super::error::Failure;
use damso_chat::{Decision, Entry, Role};
use rusqlite::{Connection, ErrorCode, ffi};
use std::time::Instant;

/// So many times as long as it took it isn't done again, unless the operator erases.
const REST: u32 = 50;

/// When the files are to be scrubbed, and when they may be.
#[derive(Default)]
pub(super) struct Scrubbing {
    /// An erasure that hasn't come to its end has deleted something.
    pub has_erased: bool,
    /// One that has come to its end has.
    is_due: bool,
    /// Not before.
    rests_until: Option<Instant>,
}

/// Notes, in the erasure's own transaction, that the files have to be scrubbed: a start does it if
/// the process ends before.
pub(super) fn mark(connection: &Connection) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO kept (kind, target) VALUES ('scrub', '')")?
        .execute([])?;
    Ok(())
}

impl Sqlite {
    /// When [`scrub`](Self::scrub) is due: what was erased stands in the files until then.
    pub fn scrub_due(&self) -> Option<Instant> {
        let Scrubbing { is_due, rests_until, .. } = self.scrubbing;
        is_due.then(|| rests_until.unwrap_or_else(Instant::now))
    }

    /// Scrubs the files if they are due. What can't be done now, as on a disk that has no room for
    /// it, is left to the next erasure or start, and is a [`warning`](Self::take_warning).
    pub fn scrub(&mut self) {
        if self.scrub_due().is_none_or(|due| due > Instant::now()) {
            return;
        }
        let began = Instant::now();
        self.scrubbing.is_due = false;
        if let Err(failure) = self.write_anew() {
            let advice = match &failure {
                Failure::Sqlite(rusqlite::Error::SqliteFailure(error, _))
                    if error.extended_code == ffi::SQLITE_IOERR_GETTEMPPATH
                        || error.code == ErrorCode::CannotOpen =>
                {
                    "SQLite needs a folder for temporary files, as /tmp or the one that \
                     SQLITE_TMPDIR names"
                }
                _ => "there has to be as much free space as it takes, also for temporary files",
            };
            self.warning = Some(format!(
                "what was erased is gone from the chat, but copies of it may still stand in \
                 unused parts of {}: it couldn't be written anew ({failure}); {advice}",
                self.folder.database().display()
            ));
            if is_of_the_disk(&failure) {
                self.broken = Some(failure.to_string());
            }
        }
        self.scrubbing.rests_until = Some(Instant::now() + began.elapsed() * REST);
    }

    /// Scrubs at a start what the last one left.
    pub(super) fn scrub_left_over(&mut self) -> rusqlite::Result<()> {
        self.scrubbing.is_due = self.connection.query_row(
            "SELECT EXISTS (SELECT 1 FROM kept WHERE kind = 'scrub')",
            [],
            |row| row.get(0),
        )?;
        self.scrub();
        Ok(())
    }

    /// Notes which erasures came to their end.
    pub(super) fn note_erasures(&mut self, entries: &[Entry], outcomes: &[crate::Outcome]) {
        for (entry, outcome) in entries.iter().zip(outcomes) {
            if !matches!(outcome, Ok(Decision::Erased { next: None, .. }))
                || !self.scrubbing.has_erased
            {
                continue;
            }
            self.scrubbing.has_erased = false;
            self.scrubbing.is_due = true;
            if entry.author.role >= Role::Operator {
                self.scrubbing.rests_until = None;
            }
        }
    }

    fn write_anew(&mut self) -> Result<(), Failure> {
        // It holds the same before and after, however it ends.
        self.connection.execute_batch("VACUUM")?;
        if self.bell.empty(&self.connection)? {
            self.connection.execute("DELETE FROM kept WHERE kind = 'scrub'", [])?;
        }
        Ok(())
    }

    /// What an operator should know and that happened since this was last asked: one sentence.
    pub fn take_warning(&mut self) -> Option<String> {
        self.warning.take()
    }
}

/// Whether the disk failed, after which nothing is known about what it holds.
fn is_of_the_disk(failure: &Failure) -> bool {
    let Failure::Sqlite(rusqlite::Error::SqliteFailure(error, _)) = failure else { return false };
    error.code == ErrorCode::SystemIoFailure
        && error.extended_code != ffi::SQLITE_IOERR_GETTEMPPATH
        && !failure.changed_nothing()
}
