//! Older tables are brought up to date when they are opened: all steps are one transaction, and
//! before it the whole database is copied. Whatever ends the process, the folder opens again.

use super::copy;
use super::error::Failure;
use super::schema::FORMAT;
use super::verify;
use rusqlite::Connection;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What brings the tables from each format to the next, the first one from 1 to 2. Since 2, who comes
/// into a room has read what was said there before.
const STEPS: [&str; FORMAT as usize - 1] = [r#"
CREATE TABLE hook (
    id TEXT PRIMARY KEY,
    room TEXT NOT NULL,
    maker TEXT NOT NULL,
    name TEXT NOT NULL,
    key BLOB NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO reading (user, room, seq, n, mentions)
    SELECT user, room, since, COALESCE(
        (SELECT n FROM message WHERE message.room = member.room AND message.seq < since
            ORDER BY message.seq DESC LIMIT 1), 0), CAST('{"v":1,"m":[]}' AS BLOB)
    FROM member WHERE true
    ON CONFLICT (user, room) DO UPDATE SET seq = excluded.seq, n = excluded.n
        WHERE excluded.seq > reading.seq;
"#];

/// What was done to an older database.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Migrated {
    /// The format it had.
    pub from: i64,
    /// The format it has now.
    pub to: i64,
    /// Where it is as it was before. Nobody needs it if all is well, and nobody removes it.
    pub copy: PathBuf,
}

/// Brings the database at `path` from `format`, an older one, to the present one.
pub(super) fn migrate(
    connection: &Connection,
    path: &Path,
    format: i64,
) -> Result<Migrated, Failure> {
    let mut copied = OsString::from(path);
    copied.push(format!(".format-{format}"));
    let copied = PathBuf::from(copied);
    keep(connection, &copied).map_err(|failure| {
        Failure::Record(format!(
            "it is of an older damso, and can't be copied before it is changed ({failure})"
        ))
    })?;
    let transaction = connection.unchecked_transaction()?;
    for step in STEPS.iter().skip(format as usize - 1) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()?;
    Ok(Migrated { from: format, to: FORMAT, copy: copied })
}

/// Copies the database as it is, and looks whether the copy is sound.
fn keep(connection: &Connection, copied: &Path) -> Result<(), Failure> {
    let partial = copy::copy(connection, copied, &mut |_| {})?;
    let checked = Connection::open(partial.path()).map_err(Failure::from);
    let checked = checked.and_then(|copy| verify::sound(&copy));
    if let Err(failure) = checked {
        partial.discard();
        return Err(failure);
    }
    partial
        .publish(copied)
        .map_err(|error| Failure::Record(format!("{}: {error}", copied.display())))
}
