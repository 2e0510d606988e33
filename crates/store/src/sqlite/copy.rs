//! Copies of the database as one moment has it, each of them one file that stands by itself.
//!
//! A copy is made under another name (`.partial`), and has its own only when all of it is on the
//! disk and was found sound: whatever ends the process, there is no file that looks whole and isn't.

use super::error::Failure;
use super::verify;
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// So many pages are copied at a time, between two looks at how far it is: 1 MiB.
const STEP_PAGES: i32 = 256;

/// What is being done, and how much of it: `done` of `all`, in whatever the work is counted in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// Pages are copied.
    Copying {
        /// Bytes copied.
        done: u64,
        /// Bytes in all.
        all: u64,
    },
    /// The database's pages are looked at; how far that is can't be known.
    Checking,
    /// Events are folded.
    Folding {
        /// Events folded.
        done: u64,
        /// Events in all.
        all: u64,
    },
}

/// The name under which `path` is made.
pub(super) fn partial(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".partial");
    name.into()
}

/// Copies the database as `source` sees it into a new file, readable by its owner alone, which is
/// then known to be on the disk, and sound. What was there under that name is gone.
pub(super) fn copy(
    source: &Connection,
    target: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::Record(format!("{}: {error}", target.display()));
    remove(target).map_err(failed)?;
    OpenOptions::new().create_new(true).write(true).mode(0o600).open(target).map_err(failed)?;
    let mut copy = Connection::open(target)?;
    // Nobody needs what is there before it is whole; then it is brought to the disk in one go.
    copy.pragma_update(None, "synchronous", "OFF")?;
    let page_bytes: u64 =
        source.pragma_query_value(None, "page_size", |row| row.get::<_, i64>(0))? as u64;
    {
        // Held until the copy is whole, so that what others write meanwhile isn't seen: SQLite
        // would begin from the start each time.
        let _moment = source.is_autocommit().then(|| source.unchecked_transaction()).transpose()?;
        source.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |_| Ok(()))?;
        let backup = Backup::new(source, &mut copy)?;
        loop {
            let step = backup.step(STEP_PAGES)?;
            let at = backup.progress();
            let all = at.pagecount.max(0) as u64 * page_bytes;
            let left = at.remaining.max(0) as u64 * page_bytes;
            progress(Progress::Copying { done: all - left.min(all), all });
            match step {
                StepResult::Done => break,
                StepResult::More => {}
                // There is one reader and one writer of it, and both are we.
                _ => return Err(Failure::Record("it is held by another program".to_owned())),
            }
        }
    }
    let mode: String =
        copy.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get::<_, String>(0))?;
    if mode != "delete" {
        return Err(Failure::Record(format!("the copy's journal is '{mode}'")));
    }
    progress(Progress::Checking);
    verify::sound(&copy)?;
    copy.close().map_err(|(_, error)| error)?;
    File::open(target).and_then(|file| file.sync_all()).map_err(failed)
}

/// Gives a file that is whole its name, for good.
pub(super) fn publish(partial: &Path, path: &Path) -> io::Result<()> {
    fs::rename(partial, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Removes a file, and what SQLite may have left beside it.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    for beside in ["", "-journal", "-wal", "-shm"] {
        let mut name = OsString::from(path);
        name.push(beside);
        match fs::remove_file(PathBuf::from(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
