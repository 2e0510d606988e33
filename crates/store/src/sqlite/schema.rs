//! The database's tables, and how it is opened.

use super::folder::OpenError;
use rusqlite::{Connection, OptionalExtension, params};
use std::hash::{BuildHasher, RandomState};
use std::path::Path;

/// The form of the tables. A newer one is refused.
const FORMAT: i64 = 1;

/// `event` is the log, in the order of `position`; the rest is the view, which could be made from it
/// anew. Rooms are read by `(room, seq)`, so that is the table's own order. What concerns the whole
/// site stands under the room ''.
const TABLES: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
CREATE TABLE event (
    room TEXT NOT NULL,
    seq INTEGER NOT NULL,
    position INTEGER NOT NULL,
    at INTEGER NOT NULL,
    record BLOB NOT NULL,
    PRIMARY KEY (room, seq)
) WITHOUT ROWID;
CREATE TABLE nonce (
    author TEXT NOT NULL,
    nonce TEXT NOT NULL,
    room TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (author, nonce)
) WITHOUT ROWID;
CREATE TABLE room (id TEXT PRIMARY KEY, head INTEGER NOT NULL, n INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE kept (
    kind TEXT NOT NULL,
    target TEXT NOT NULL,
    until INTEGER,
    PRIMARY KEY (kind, target)
) WITHOUT ROWID;
";

/// Sets the connection up and makes the tables if there are none.
pub(super) fn prepare(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let describe = |error: rusqlite::Error| OpenError::database(path, &error);
    let format: i64 =
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(describe)?;
    let set_up = || {
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // An acknowledgement means that the power may fail.
        connection.pragma_update(None, "synchronous", "FULL")
    };
    match format {
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
            let epoch = format!("{:016x}", RandomState::new().hash_one(path));
            set_up().map_err(describe)?;
            connection
                .execute_batch(&format!("BEGIN; {TABLES} PRAGMA user_version = {FORMAT};"))
                .and_then(|()| {
                    let insert = "INSERT INTO meta (key, value) VALUES ('epoch', ?1), \
                                  ('position', 0), ('at', 0), ('site', 0)";
                    connection.execute(insert, params![epoch])
                })
                .and_then(|_| connection.execute_batch("COMMIT"))
                .map_err(describe)
        }
        FORMAT => set_up().map_err(describe),
        newer => Err(OpenError(format!(
            "{} has the format {newer}, and this damso knows up to {FORMAT}; it was written by a \
             newer one",
            path.display()
        ))),
    }
}
