//! The data folder: made for its owner alone, and held by one process at a time.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Why a folder can't be used: one sentence.
#[derive(Debug)]
pub struct OpenError(pub(super) String);

impl OpenError {
    pub(super) fn database(path: &Path, error: &rusqlite::Error) -> Self {
        Self::sentence(path, &error.to_string())
    }

    pub(super) fn file(path: &Path, error: &io::Error) -> Self {
        Self::sentence(path, &error.to_string())
    }

    pub(super) fn sentence(path: &Path, sentence: &str) -> Self {
        Self(format!("the database {} can't be used: {sentence}", path.display()))
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for OpenError {}

/// A data folder that this process holds.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    is_new: bool,
    /// Released by the system when the process ends, however it does.
    _lock: File,
}

impl Folder {
    /// Takes hold of `path`, making it (0700) if it isn't there.
    ///
    /// # Errors
    /// It can't be made or written, or another process holds it.
    pub fn hold(path: &Path) -> Result<Self, OpenError> {
        let failed = |error: io::Error| {
            OpenError(match error.kind() {
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => format!(
                    "the data folder {} can't be written ({error}); choose another with --data, \
                     or run without one with --memory",
                    path.display()
                ),
                _ => format!("the data folder {} can't be used: {error}", path.display()),
            })
        };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        let path = fs::canonicalize(path).map_err(failed)?;
        let lock = path.join(LOCK);
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(lock);
        let lock = lock.map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError(format!(
                    "the data folder {} is in use by another damso; stop that one, or choose \
                     another with --data",
                    path.display()
                )));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let is_new = !path.join(DATABASE).exists();
        Ok(Self { path, is_new, _lock: lock })
    }

    /// Where it is, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes hold of a folder in which there is nothing yet, making it if it isn't there. What a
    /// restore that was ended has left counts as nothing.
    ///
    /// # Errors
    /// As [`hold`](Self::hold), and there is something in it.
    pub fn hold_empty(path: &Path) -> Result<Self, OpenError> {
        // A folder of something else isn't even touched; one in use is told to be so.
        if !path.join(LOCK).exists() {
            check_empty(path)?;
        }
        let folder = Self::hold(path)?;
        check_empty(&folder.path)?;
        Ok(folder)
    }

    /// Whether nothing was kept there before.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Makes an empty database file, readable by its owner alone, if there is none. SQLite gives
    /// the files beside it the same rights.
    pub(super) fn make_database(&self) -> io::Result<()> {
        OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(self.database())
            .map(drop)
    }

    pub(super) fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }
}

pub(super) const DATABASE: &str = "damso.db";
const LOCK: &str = "lock";

fn check_empty(path: &Path) -> Result<(), OpenError> {
    let failed = |error: io::Error| {
        OpenError(format!("the data folder {} can't be used: {error}", path.display()))
    };
    let files = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        files => files.map_err(failed)?,
    };
    for file in files {
        let name = file.map_err(failed)?.file_name();
        let name = name.to_string_lossy();
        let is_left = name.strip_prefix(DATABASE).is_some_and(|rest| rest.starts_with(".partial"));
        if name != LOCK && !is_left {
            return Err(OpenError(format!(
                "the folder {} isn't empty (there is {name}); choose one that is, or isn't there, \
                 with --data",
                path.display()
            )));
        }
    }
    Ok(())
}
