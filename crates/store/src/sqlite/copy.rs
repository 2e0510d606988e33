//! Copies of the database as one moment has it, each of them one file that stands by itself.
//!
//! A copy is made under another name (`.partial`), and has its own only when all of it is on the
//! disk and was found sound: whatever ends the process, there is no file that looks whole and isn't.

use super::error::Failure;
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
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
fn partial(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".partial");
    name.into()
}

/// A copy that doesn't have its name yet.
pub(super) struct Partial {
    path: PathBuf,
    /// So that two of us don't write one file.
    hold: File,
}

impl Partial {
    /// Begins a file, readable by its owner alone. What was there under that name is gone.
    fn new(path: PathBuf) -> io::Result<Self> {
        let hold = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            // Somebody else's link isn't followed.
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32)
            .open(&path)?;
        let busy = || io::Error::new(io::ErrorKind::ResourceBusy, "another damso is writing it");
        match hold.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(busy()),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // The one who had it may just have given it its name.
        if !fs::metadata(&path).is_ok_and(|found| is_same(&found, &hold)) {
            return Err(busy());
        }
        // Nor is somebody else's file written, who would have all that is in it.
        let found = hold.metadata()?;
        if !found.is_file() || found.uid() != rustix::process::geteuid().as_raw() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "somebody else made it"));
        }
        hold.set_permissions(fs::Permissions::from_mode(0o600))?;
        hold.set_len(0)?;
        remove_beside(&path)?;
        Ok(Self { path, hold })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Brings it to the disk and gives it its name, for good.
    pub(super) fn publish(self, path: &Path) -> io::Result<()> {
        self.hold.sync_all()?;
        fs::rename(&self.path, path)?;
        Self::keep(path)
    }

    /// The same, but what has that name already stays as it is.
    pub(super) fn publish_new(self, path: &Path) -> io::Result<()> {
        self.hold.sync_all()?;
        match fs::hard_link(&self.path, path) {
            Ok(()) => fs::remove_file(&self.path)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
            // Not all file systems have links.
            Err(_) => fs::rename(&self.path, path)?,
        }
        Self::keep(path)
    }

    fn keep(path: &Path) -> io::Result<()> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }

    /// Removes it: a full disk shouldn't be filled by what is of no use.
    pub(super) fn discard(self) {
        let _ = remove_beside(&self.path);
        let _ = fs::remove_file(&self.path);
    }
}

fn is_same(found: &Metadata, file: &File) -> bool {
    file.metadata().is_ok_and(|own| (own.dev(), own.ino()) == (found.dev(), found.ino()))
}

/// Copies the database as `source` sees it into the file that is to become `target`.
pub(super) fn copy(
    source: &Connection,
    target: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<Partial, Failure> {
    let partial = Partial::new(partial(target))
        .map_err(|error| Failure::Record(format!("{}.partial: {error}", target.display())))?;
    match fill(source, &partial.path, progress) {
        Ok(()) => Ok(partial),
        Err(failure) => {
            partial.discard();
            Err(failure)
        }
    }
}

fn fill(
    source: &Connection,
    target: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), Failure> {
    let mut copy = Connection::open(target)?;
    // Nobody needs what is there before it is whole; then it is brought to the disk in one go.
    copy.pragma_update(None, "synchronous", "OFF")?;
    let page_bytes: u64 =
        source.pragma_query_value(None, "page_size", |row| row.get::<_, i64>(0))? as u64;
    {
        // Held until the copy is whole, so that what others write meanwhile isn't seen: SQLite
        // would begin from the start each time.
        let _moment = source.unchecked_transaction()?;
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
    let mode: String = copy.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0))?;
    if mode != "delete" {
        return Err(Failure::Record(format!("the copy's journal is '{mode}'")));
    }
    copy.close().map_err(|(_, error)| error)?;
    Ok(())
}

/// Removes what SQLite, or a process that was ended, may have left beside a file.
fn remove_beside(path: &Path) -> io::Result<()> {
    for beside in ["-journal", "-wal", "-shm"] {
        let mut name = OsString::from(path);
        name.push(beside);
        match fs::remove_file(PathBuf::from(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Removes what was left of a copy that was to become `path`, by whoever may.
pub(super) fn sweep(path: &Path) {
    let partial = partial(path);
    let _ = remove_beside(&partial);
    let _ = fs::remove_file(partial);
}
