//! What can go wrong with the database.

use rusqlite::{ErrorCode, ffi};
use std::fmt;

/// SQLite's word, or a record that isn't understood.
#[derive(Debug)]
pub(crate) enum Failure {
    Sqlite(rusqlite::Error),
    Record(String),
}

impl Failure {
    /// Whether the database is known to be as it was before: what was tried can be refused, and
    /// the log can go on.
    pub(super) fn changed_nothing(&self) -> bool {
        let Self::Sqlite(rusqlite::Error::SqliteFailure(error, _)) = self else { return false };
        match error.code {
            ErrorCode::DiskFull | ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => true,
            // No room for the shared memory beside the database: a full disk by another name.
            _ => error.extended_code == ffi::SQLITE_IOERR_SHMSIZE,
        }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<String> for Failure {
    fn from(sentence: String) -> Self {
        Self::Record(sentence)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(error) => error.fmt(f),
            Self::Record(sentence) => f.write_str(sentence),
        }
    }
}
