//! The database's tables, and how it is opened.

use super::Durability;
use super::checkpoint::LENGTH_PAGES_MAX;
use super::error::Failure;
use super::folder::OpenError;
use super::migrate::{self, Migrated};
use rusqlite::{Connection, OptionalExtension, params};
use std::path::Path;

/// The form of the tables. A newer one is refused, an older one is [migrated](super::migrate).
pub(super) const FORMAT: i64 = 2;

/// `message` and `event` are the log, in the order of `position` over both; the rest is the view,
/// which could be made from it anew. A room is read in the order of `seq`, so that is the tables'
/// own order. Messages stand apart from all else that happens, so that a page of them costs the
/// same however many reactions lie between. What concerns the whole site stands under the room ''.
///
/// - `nonce`: what authors called their commands, for ever. The fingerprint outlives the text.
/// - `current`: what has changed of a message; most messages have none. The index `pinned` has those
///   whose record says `"pinned":true`: a text can't, since the quotes in it are escaped.
/// - `reading`: how far users have read, and which unread messages call them. What their own
///   messages say about it is put in now and then: up to the position `meta.readings`.
/// - `hook`: the webhooks by which programs write into a room; one without a key was revoked, and
///   keeps its id from being given again.
const TABLES: &str = "
CREATE TABLE meta (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    epoch TEXT NOT NULL,
    position INTEGER NOT NULL,
    site INTEGER NOT NULL,
    at INTEGER NOT NULL,
    readings INTEGER NOT NULL
) STRICT;
CREATE TABLE message (
    room TEXT NOT NULL,
    seq INTEGER NOT NULL,
    position INTEGER NOT NULL,
    at INTEGER NOT NULL,
    n INTEGER NOT NULL,
    record BLOB NOT NULL,
    PRIMARY KEY (room, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE event (
    room TEXT NOT NULL,
    seq INTEGER NOT NULL,
    position INTEGER NOT NULL,
    at INTEGER NOT NULL,
    record BLOB NOT NULL,
    PRIMARY KEY (room, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE nonce (
    author TEXT NOT NULL,
    nonce TEXT NOT NULL,
    room TEXT NOT NULL,
    seq INTEGER NOT NULL,
    fingerprint INTEGER NOT NULL,
    PRIMARY KEY (author, nonce)
) STRICT, WITHOUT ROWID;
CREATE TABLE current (
    room TEXT NOT NULL,
    m INTEGER NOT NULL,
    record BLOB NOT NULL,
    PRIMARY KEY (room, m)
) STRICT, WITHOUT ROWID;
CREATE TABLE room (
    id TEXT PRIMARY KEY,
    head INTEGER NOT NULL,
    n INTEGER NOT NULL,
    record BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE member (
    room TEXT NOT NULL,
    user TEXT NOT NULL,
    is_owner INTEGER NOT NULL,
    first INTEGER NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (room, user)
) STRICT, WITHOUT ROWID;
CREATE TABLE user (id TEXT PRIMARY KEY, name TEXT NOT NULL, key BLOB NOT NULL)
    STRICT, WITHOUT ROWID;
CREATE TABLE reading (
    user TEXT NOT NULL,
    room TEXT NOT NULL,
    seq INTEGER NOT NULL,
    n INTEGER NOT NULL,
    mentions BLOB NOT NULL,
    PRIMARY KEY (user, room)
) STRICT, WITHOUT ROWID;
CREATE TABLE kept (
    kind TEXT NOT NULL,
    target TEXT NOT NULL,
    until INTEGER,
    PRIMARY KEY (kind, target)
) STRICT, WITHOUT ROWID;
CREATE TABLE hook (
    id TEXT PRIMARY KEY,
    room TEXT NOT NULL,
    maker TEXT NOT NULL,
    name TEXT NOT NULL,
    key BLOB NOT NULL
) STRICT, WITHOUT ROWID;
";

/// Made where it isn't: an index is no matter of the format.
const INDEX: &str = "
CREATE INDEX IF NOT EXISTS pinned ON current (room, m)
    WHERE instr(record, x'2270696e6e6564223a74727565') > 0";

/// The writer's cache, in KiB: nonces come in no order, and their leaves should be found in memory.
const CACHE_KIB: i64 = 16 * 1024;
/// What the file beside the database is cut back to whenever it begins anew, in bytes. It is larger
/// only after a reader that took long.
pub(super) const WAL_KEPT: u64 = LENGTH_PAGES_MAX * 4096;

/// Sets the writer's connection up, makes the tables if there are none, and brings older ones up to
/// date: what was done to them is returned then.
pub(super) fn prepare(
    connection: &Connection,
    path: &Path,
    durability: Durability,
) -> Result<Option<Migrated>, OpenError> {
    let describe = |error: rusqlite::Error| OpenError::database(path, &error);
    let failed = |failure: Failure| OpenError::sentence(path, &failure.to_string());
    let format: i64 =
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(describe)?;
    let migrated = match format {
        0 => {
            let found = connection
                .query_row("SELECT name FROM sqlite_schema LIMIT 1", [], |row| {
                    row.get::<_, String>(0)
                })
                .optional()
                .map_err(describe)?;
            if let Some(table) = found {
                return Err(OpenError(format!(
                    "{} is a database of something else (it has a table {table})",
                    path.display()
                )));
            }
            set_up(connection, durability).map_err(failed)?;
            make_tables(connection).map_err(describe)?;
            None
        }
        FORMAT => {
            set_up(connection, durability).map_err(failed)?;
            None
        }
        1..FORMAT => {
            set_up(connection, durability).map_err(failed)?;
            Some(migrate::migrate(connection, path, format).map_err(failed)?)
        }
        newer => return Err(OpenError(newer_sentence(path, newer))),
    };
    connection.execute_batch(INDEX).map_err(describe)?;
    Ok(migrated)
}

/// Whether what is there is a log that this damso can read, if perhaps of an older format.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let describe = |error: rusqlite::Error| OpenError::database(path, &error);
    let format: i64 =
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(describe)?;
    match format {
        1..=FORMAT => {
            // Ours have this row.
            let epoch = connection.query_row("SELECT epoch FROM meta", [], |_| Ok(()));
            epoch.map_err(describe)
        }
        0 => Err(OpenError(format!("{} is no log of damso's", path.display()))),
        newer => Err(OpenError(newer_sentence(path, newer))),
    }
}

fn newer_sentence(path: &Path, newer: i64) -> String {
    format!(
        "{} has the format {newer}, and this damso knows up to {FORMAT}; it was written by a newer \
         one",
        path.display()
    )
}

fn set_up(connection: &Connection, durability: Durability) -> Result<(), Failure> {
    // SQLite doesn't call it an error when this can't be had; and what fails after the answer shows
    // only to who asks for another row.
    let mut statement = connection.prepare("PRAGMA journal_mode = WAL")?;
    let mut rows = statement.query([])?;
    let mut mode = String::new();
    while let Some(row) = rows.next()? {
        mode = row.get(0)?;
    }
    if mode != "wal" {
        return Err(Failure::Record(format!("its journal is '{mode}', and can't be made a WAL")));
    }
    // An acknowledgement means that the power may fail.
    let synchronous = match durability {
        Durability::Full => "FULL",
        Durability::Normal => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    // What is deleted is overwritten.
    connection.pragma_update(None, "secure_delete", "ON")?;
    connection.pragma_update(None, "journal_size_limit", WAL_KEPT as i64)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

fn make_tables(connection: &Connection) -> rusqlite::Result<()> {
    let transaction = connection.unchecked_transaction()?;
    transaction.execute_batch(TABLES)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.execute(
        "INSERT INTO meta (one, epoch, position, site, at, readings) VALUES (1, ?1, 0, 0, 0, 0)",
        params![crate::new_epoch()],
    )?;
    transaction.commit()
}
