//! What was erased leaves the files.
//!
//! `secure_delete` overwrites what is deleted where it stands. But when SQLite parts a page that
//! has become full, it leaves what it moved in the unused space of the old page, and of that it
//! knows nothing any more. So after an erasure the database is written anew (`VACUUM`), copied out
//! of the WAL, and the WAL emptied. That takes some seconds a million messages, and nothing is
//! recorded meanwhile.

use super::Sqlite;
use super::error::Failure;
use rusqlite::Connection;

/// Notes, in the erasure's own transaction, that the files have to be scrubbed: a start does it if
/// the process ends before.
pub(super) fn mark(connection: &Connection) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO kept (kind, target) VALUES ('scrub', '')")?
        .execute([])?;
    Ok(())
}

impl Sqlite {
    /// Scrubs the files if something was erased since the last time. A disk that has no room for
    /// it, or somebody else in the database, leaves that for the next erasure or start, and is a
    /// [`warning`](Self::take_warning).
    pub(super) fn scrub(&mut self) -> Result<(), Failure> {
        let is_marked: bool = self.connection.query_row(
            "SELECT EXISTS (SELECT 1 FROM kept WHERE kind = 'scrub')",
            [],
            |row| row.get(0),
        )?;
        if !is_marked {
            return Ok(());
        }
        match self.connection.execute_batch("VACUUM").map_err(Failure::from) {
            Ok(()) => {}
            Err(failure) if failure.changed_nothing() => {
                self.warning = Some(format!(
                    "what was erased is gone from the chat, but copies of it may still stand in \
                     unused parts of {}: it couldn't be written anew ({failure}); there has to be \
                     as much free space as it takes, also for temporary files",
                    self.folder.database().display()
                ));
                return Ok(());
            }
            Err(failure) => return Err(failure),
        }
        self.bell.empty(&self.connection)?;
        self.connection.execute("DELETE FROM kept WHERE kind = 'scrub'", [])?;
        Ok(())
    }

    /// What an operator should know and that happened since this was last asked: one sentence.
    pub fn take_warning(&mut self) -> Option<String> {
        self.warning.take()
    }
}
