//! A look at a data folder from outside: nothing in it is changed.

use super::folder::{DATABASE, OpenError};
use super::schema::FORMAT;
use rusqlite::{Connection, OpenFlags};
use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

/// What a look at a log's database found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Looked {
    /// The form of its tables.
    pub format: u32,
    /// The last event's time, in ms since 1970; 0 if there is none.
    pub last_at: u64,
}

impl Looked {
    /// The newest form that this program knows.
    pub const FORMAT_MAX: u32 = FORMAT as u32;
}

/// Looks at the database in the folder at `path`; none if there is none.
///
/// # Errors
/// One sentence: it can't be read, or is no log.
pub fn look(path: &Path) -> Result<Option<Looked>, OpenError> {
    let path = path.join(DATABASE);
    // An empty one was never begun.
    match std::fs::metadata(&path) {
        Ok(file) if file.len() > 0 => {}
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(OpenError::file(&path, &error)),
    }
    let read = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&path, flags)?;
        connection.busy_timeout(super::BUSY_MAX)?;
        let format = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        // A newer one may say it otherwise.
        let last_at = if (1..=Looked::FORMAT_MAX).contains(&format) {
            connection.query_row("SELECT at FROM meta", [], |row| row.get::<_, i64>(0))?
        } else {
            0
        };
        Ok(Looked { format, last_at: last_at as u64 })
    };
    read().map(Some).map_err(|error: rusqlite::Error| OpenError::database(&path, &error))
}

/// Whether a process holds the folder at `path`, as [`Folder::hold`](super::Folder::hold) does.
///
/// # Errors
/// It can't be told.
pub fn is_held(path: &Path) -> io::Result<bool> {
    let lock = match File::open(path.join("lock")) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    // Shared, and given back at once: who starts in this moment is kept out by nobody else.
    match lock.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
