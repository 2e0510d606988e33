//! `backup` and `restore`: a log in one file, and a folder made of such a file.

use super::folder::{Folder, OpenError};
use super::{Progress, Reader, Verified, copy, schema, verify};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::path::Path;

/// What a restore made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Restored {
    /// What is in the folder.
    pub verified: Verified,
    /// The name of the log's new life.
    pub epoch: String,
}

impl Reader {
    /// Opens the log in the folder at `path`, whoever holds it, if it is one this damso can read.
    ///
    /// # Errors
    /// One sentence: there is no log, or it can't be read, or not by this damso.
    pub fn open_checked(path: &Path) -> Result<Self, OpenError> {
        let database = path.join(super::folder::DATABASE);
        if !database.exists() {
            return Err(OpenError(format!(
                "there is no log in {}; name a data folder with --data",
                path.display()
            )));
        }
        let reader = Self::open(path).and_then(|reader| {
            schema::check(&reader.connection, &reader.path)?;
            Ok(reader)
        });
        reader.map_err(|error| explain(path, error))
    }

    /// Copies the log, as it is at this moment, into a new file, and reads all of the copy as
    /// [`verify`](Self::verify) does. Others may write meanwhile; the file beside the database
    /// can't begin anew until the copying is over. There is no file of that name before it is
    /// whole, in order, and on the disk.
    ///
    /// # Errors
    /// One sentence: there is such a file already, or it can't be written, or the copy isn't in
    /// order.
    pub fn back_up(
        &self,
        file: &Path,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Verified, OpenError> {
        let exists = || {
            let sentence = format!("{} is there already; choose another name", file.display());
            if file.symlink_metadata().is_ok() { Err(OpenError(sentence)) } else { Ok(()) }
        };
        exists()?;
        let failed = |what: &dyn std::fmt::Display| {
            OpenError(format!("the backup {} can't be made: {what}", file.display()))
        };
        let partial =
            copy::copy(&self.connection, file, progress).map_err(|failure| failed(&failure))?;
        let verified = read_only(partial.path())
            .map_err(|error| failed(&error))
            .and_then(|copy| {
                verify::verify(&copy, partial.path(), progress).map_err(|error| failed(&error))
            })
            .and_then(|verified| exists().map(|()| verified));
        match verified {
            Ok(verified) => {
                partial.publish_new(file).map_err(|error| failed(&error))?;
                Ok(verified)
            }
            Err(error) => {
                partial.discard();
                Err(error)
            }
        }
    }
}

/// Makes the log of an empty folder from a file that [`Reader::back_up`] made. It is another life
/// of that log: what clients still know of the old one, they let go of when they come back. A
/// database of an older format is brought up to date when it is opened.
///
/// # Errors
/// One sentence: the folder is in use or not empty, the file isn't a log in order, or the folder
/// can't be written.
pub fn restore(
    file: &Path,
    folder: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<Restored, OpenError> {
    if !file.is_file() {
        return Err(OpenError(format!("there is no file {}", file.display())));
    }
    let source = read_only(file).map_err(|error| OpenError::database(file, &error))?;
    schema::check(&source, file)?;
    // Held from now on, so that nobody begins another log there meanwhile.
    let folder = Folder::hold_empty(folder)?;
    verify::verify(&source, file, progress).map_err(|error| OpenError(error.0))?;
    let database = folder.database();
    let failed = |what: &dyn std::fmt::Display| {
        OpenError(format!("{} can't be made: {what}", database.display()))
    };
    let partial = copy::copy(&source, &database, progress).map_err(|failure| failed(&failure))?;
    let epoch = crate::new_epoch();
    let renewed = renew(partial.path(), &epoch).map_err(|error| failed(&error)).and_then(|copy| {
        verify::verify(&copy, partial.path(), progress).map_err(|error| failed(&error))
    });
    match renewed {
        Ok(verified) => {
            partial.publish_new(&database).map_err(|error| failed(&error))?;
            Ok(Restored { verified, epoch })
        }
        Err(error) => {
            partial.discard();
            Err(error)
        }
    }
}

/// Gives a copy's log another life.
fn renew(path: &Path, epoch: &str) -> rusqlite::Result<Connection> {
    let copy = Connection::open(path)?;
    copy.execute("UPDATE meta SET epoch = ?1", [epoch])?;
    Ok(copy)
}

fn read_only(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

/// To read a log, SQLite has to make a file beside it if no server has made it: it says only that
/// it can't open something.
fn explain(path: &Path, error: OpenError) -> OpenError {
    let probe = Reader::open(path).map(|reader| {
        reader.connection.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |_| Ok(()))
    });
    match probe {
        Ok(Err(rusqlite::Error::SqliteFailure(cause, _)))
            if matches!(cause.code, ErrorCode::CannotOpen | ErrorCode::ReadOnly) =>
        {
            OpenError(format!(
                "the log in {} can't be read: while no damso serves it, that takes the right to \
                 write in the folder; run this as its owner, or copy the folder first",
                path.display()
            ))
        }
        _ => error,
    }
}
