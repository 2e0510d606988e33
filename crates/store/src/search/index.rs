//! The index: which messages have which tokens, in a database of its own.
//!
//! `entry_N` are FTS5 tables without the texts; a message's row has its place in the whole log
//! (`position`) as its number, so newest first is the numbers' order. Each holds a slice of the
//! positions. Looking goes from the newest slice back and mostly ends there, so that even the
//! beginning of a common word, all of whose continuations FTS5 has to merge before it tells the
//! first, costs no more than a slice of them. And what was deleted is gone from the file when its
//! slice alone has been written anew.

use super::matcher::has_in;
use super::text;
use crate::sqlite::Failure;
use damso_chat::Message;
use damso_chat::search::Has;
use damso_protocol::{RoomId, UserId};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use std::collections::{BTreeSet, HashMap};
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The form of the tables and the tokens. An index of another one is made anew.
const FORMAT: i64 = 1;

/// How many positions a slice has, as a power of two.
const SLICE_BITS: u32 = if cfg!(test) { 4 } else { 17 };

/// - `room`: the rooms' numbers here, and up to which `seq` they are indexed.
/// - `doc`: where each message is in the log.
/// - `slice`: the tables there are, and whether something that was in them has to be wiped out.
const TABLES: &str = "
CREATE TABLE meta (one INTEGER PRIMARY KEY CHECK (one = 1), epoch TEXT NOT NULL) STRICT;
CREATE TABLE room (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, seq INTEGER NOT NULL) STRICT;
CREATE TABLE doc (
    position INTEGER PRIMARY KEY,
    room INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE TABLE slice (number INTEGER PRIMARY KEY, is_stained INTEGER NOT NULL) STRICT;
";

/// The writer's cache, in KiB.
const CACHE_KIB: i64 = 4 * 1024;
/// How much FTS5 gathers before it writes, in bytes.
const GATHERED_BYTES: i64 = 8 * 1024 * 1024;
/// What the file beside the database is cut back to, in bytes.
const WAL_KEPT: i64 = 16 * 1024 * 1024;
/// How long one of the connections waits for another.
pub(super) const BUSY_MAX: Duration = Duration::from_secs(2);

pub(super) const FILE: &str = "search.db";

/// A message for the index, as it stands now.
pub(super) struct Item {
    /// Its place in the whole log.
    pub position: u64,
    /// The message. One without a text is taken out.
    pub message: Message,
    /// It may be in the index already.
    pub is_known: bool,
}

/// The index, for its one writer.
pub(super) struct Index {
    connection: Connection,
    rooms: HashMap<RoomId, Room>,
    slices: BTreeSet<i64>,
    /// Slices that still have what was taken out of them.
    stained: BTreeSet<i64>,
}

#[derive(Clone, Copy)]
struct Room {
    id: i64,
    seq: u64,
}

impl Index {
    /// Opens the index in the folder at `path`, or makes a new one if there is none that belongs
    /// to the log of this `epoch`.
    pub(super) fn open(path: &Path, epoch: &str) -> Result<Self, Failure> {
        match Self::open_known(path, epoch) {
            Ok(Some(index)) => return Ok(index),
            Ok(None) => {}
            Err(failure) if is_damage(&failure) => {}
            Err(failure) => return Err(failure),
        }
        remove(path)?;
        let connection = connect(path)?;
        let transaction = connection.unchecked_transaction()?;
        transaction.execute_batch(TABLES)?;
        transaction.execute("INSERT INTO meta (one, epoch) VALUES (1, ?1)", [epoch])?;
        transaction.pragma_update(None, "user_version", FORMAT)?;
        transaction.commit()?;
        Self::of(connection)
    }

    fn open_known(path: &Path, epoch: &str) -> Result<Option<Self>, Failure> {
        if !path.join(FILE).exists() {
            return Ok(None);
        }
        let connection = connect(path)?;
        let format: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if format != FORMAT {
            return Ok(None);
        }
        let known: String = connection.query_row("SELECT epoch FROM meta", [], |row| row.get(0))?;
        if known == epoch { Self::of(connection).map(Some) } else { Ok(None) }
    }

    fn of(connection: Connection) -> Result<Self, Failure> {
        let mut rooms = HashMap::new();
        let mut statement = connection.prepare("SELECT name, id, seq FROM room")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let room = Room { id: row.get(1)?, seq: row.get::<_, i64>(2)? as u64 };
            rooms.insert(RoomId::new(row.get::<_, String>(0)?), room);
        }
        drop(rows);
        drop(statement);
        let mut statement = connection.prepare("SELECT number, is_stained FROM slice")?;
        let slices: Vec<(i64, bool)> = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        drop(statement);
        let stained = slices.iter().filter(|(_, is_stained)| *is_stained);
        let stained = stained.map(|(number, _)| *number).collect();
        let slices = slices.into_iter().map(|(number, _)| number).collect();
        Ok(Self { connection, rooms, slices, stained })
    }

    /// Up to which `seq` each room is indexed.
    pub(super) fn progress(&self) -> HashMap<RoomId, u64> {
        self.rooms.iter().map(|(room, known)| (room.clone(), known.seq)).collect()
    }

    /// Up to which `seq` a room is indexed.
    pub(super) fn indexed_to(&self, room: &RoomId) -> u64 {
        self.rooms.get(room).map_or(0, |known| known.seq)
    }

    /// Takes in messages, in the order of their positions, after which the rooms are indexed so
    /// far: all or nothing.
    pub(super) fn take(
        &mut self,
        items: &[Item],
        progress: &[(RoomId, u64)],
    ) -> Result<(), Failure> {
        let taken = self.try_take(items, progress);
        if taken.is_err() {
            // What is remembered beside the file may be ahead of it.
            self.reread()?;
        }
        taken
    }

    fn try_take(&mut self, items: &[Item], progress: &[(RoomId, u64)]) -> Result<(), Failure> {
        let transaction = self.connection.unchecked_transaction()?;
        for (room, seq) in progress {
            let id = transaction
                .prepare_cached(
                    "INSERT INTO room (name, seq) VALUES (?1, ?2) \
                     ON CONFLICT (name) DO UPDATE SET seq = excluded.seq RETURNING id",
                )?
                .query_row(params![room.as_str(), *seq as i64], |row| row.get(0))?;
            self.rooms.insert(room.clone(), Room { id, seq: *seq });
        }
        let mut tokens = String::new();
        for Item { position, message, is_known } in items {
            let position = *position as i64;
            let slice = position >> SLICE_BITS;
            if self.slices.insert(slice) {
                make_slice(&transaction, slice)?;
            }
            if *is_known {
                let known = transaction
                    .prepare_cached("DELETE FROM doc WHERE position = ?1")?
                    .execute([position])?;
                if known > 0 {
                    transaction
                        .prepare_cached(&format!("DELETE FROM entry_{slice} WHERE rowid = ?1"))?
                        .execute([position])?;
                    if self.stained.insert(slice) {
                        transaction
                            .prepare_cached("UPDATE slice SET is_stained = 1 WHERE number = ?1")?
                            .execute([slice])?;
                    }
                }
            }
            let Some(text) = &message.text else { continue };
            // Each item's room is one of those that have got on.
            let Some(room) = self.rooms.get(&message.room) else { continue };
            entry(room.id, message, text, &mut tokens);
            transaction
                .prepare_cached(&format!("INSERT INTO entry_{slice} (rowid, t) VALUES (?1, ?2)"))?
                .execute(params![position, tokens])?;
            transaction
                .prepare_cached(
                    "INSERT INTO doc (position, room, seq, at) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![position, room.id, message.seq as i64, message.at as i64])?;
        }
        transaction.commit()?;
        Ok(())
    }

    fn reread(&mut self) -> Result<(), Failure> {
        let connection = std::mem::replace(&mut self.connection, Connection::open_in_memory()?);
        *self = Self::of(connection)?;
        Ok(())
    }

    /// Whether something that was taken out still stands in the file.
    pub(super) fn is_stained(&self) -> bool {
        !self.stained.is_empty()
    }

    /// Wipes out what was taken out of one slice, if there is any that needs it.
    pub(super) fn wipe_slice(&mut self) -> Result<(), Failure> {
        let Some(slice) = self.stained.first().copied() else { return Ok(()) };
        let transaction = self.connection.unchecked_transaction()?;
        transaction.execute(
            &format!("INSERT INTO entry_{slice} (entry_{slice}) VALUES ('optimize')"),
            [],
        )?;
        transaction.execute("UPDATE slice SET is_stained = 0 WHERE number = ?1", [slice])?;
        transaction.commit()?;
        self.stained.remove(&slice);
        if self.stained.is_empty() {
            // Pages that SQLite once parted have copies in their unused space.
            self.connection.execute_batch("VACUUM")?;
        }
        Ok(())
    }

    /// Empties the file beside the database, where what was deleted may still stand. Whether it
    /// could be: a reader may be in the way.
    pub(super) fn empty_wal(&self) -> Result<bool, Failure> {
        let is_busy: i64 =
            self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        Ok(is_busy == 0)
    }
}

/// Whether the file itself is at fault, so that another one is needed.
pub(super) fn is_damage(failure: &Failure) -> bool {
    match failure {
        Failure::Sqlite(rusqlite::Error::SqliteFailure(error, _)) => matches!(
            error.code,
            rusqlite::ErrorCode::DatabaseCorrupt
                | rusqlite::ErrorCode::NotADatabase
                | rusqlite::ErrorCode::Unknown
                | rusqlite::ErrorCode::ConstraintViolation
                | rusqlite::ErrorCode::TypeMismatch
        ),
        Failure::Sqlite(
            rusqlite::Error::QueryReturnedNoRows
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::FromSqlConversionFailure(..),
        ) => true,
        _ => false,
    }
}

fn connect(path: &Path) -> Result<Connection, Failure> {
    let file = path.join(FILE);
    // Readable by its owner alone, as the log; SQLite gives the files beside it the same rights.
    let made = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&file);
    made.map_err(|error| Failure::Record(error.to_string()))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&file, flags)?;
    connection.busy_timeout(BUSY_MAX)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // What a power cut takes is indexed again.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "secure_delete", "ON")?;
    connection.pragma_update(None, "journal_size_limit", WAL_KEPT)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

pub(super) fn remove(path: &Path) -> Result<(), Failure> {
    for end in ["", "-wal", "-shm"] {
        let file: PathBuf = path.join(format!("{FILE}{end}"));
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Failure::Record(format!(
                    "{} can't be removed: {error}",
                    file.display()
                )));
            }
            _ => {}
        }
    }
    Ok(())
}

fn make_slice(connection: &Connection, slice: i64) -> rusqlite::Result<()> {
    // The tokens are made here: to this tokenizer each is one word, since everything but ASCII is
    // a letter to it.
    connection.execute_batch(&format!(
        "CREATE VIRTUAL TABLE entry_{slice} USING fts5(t, content='', contentless_delete=1, \
             tokenize='ascii', detail=full);
         INSERT INTO entry_{slice} (entry_{slice}, rank) VALUES ('hashsize', {GATHERED_BYTES});"
    ))?;
    connection
        .prepare_cached("INSERT OR IGNORE INTO slice (number, is_stained) VALUES (?1, 0)")?
        .execute([slice])?;
    Ok(())
}

/// What stands before the tokens that say where a message is, by whom, and what it has: a
/// character that is in no token of a text.
const TAG: char = '\u{e000}';

fn entry(room: i64, message: &Message, text: &str, tokens: &mut String) {
    tokens.clear();
    let mut put = |token: &str| {
        tokens.push_str(token);
        tokens.push(' ');
    };
    put(&room_tag(room));
    put(&author_tag(&message.by));
    for has in [Has::Link, Has::Code] {
        if has_in(has, text) {
            put(&has_tag(has));
        }
    }
    if message.reply.is_some() {
        put(&has_tag(Has::Reply));
    }
    text::tokens(&text::fold(text), put);
}

fn room_tag(room: i64) -> String {
    format!("{TAG}r{room}")
}

/// Ids may have any character, so their hash (FNV-1a) stands for them; the matcher looks at the
/// author itself.
fn author_tag(user: &UserId) -> String {
    let hash = user.as_str().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{TAG}u{hash:016x}")
}

fn has_tag(has: Has) -> String {
    let kind = match has {
        Has::Link => "link",
        Has::Code => "code",
        Has::Reply => "reply",
    };
    format!("{TAG}h{kind}")
}

/// What the index is asked for: conditions that all have to hold.
pub(super) struct Question(Vec<String>);

impl Question {
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn rooms(&mut self, rooms: impl Iterator<Item = i64>) {
        let tags: Vec<String> = rooms.map(|room| format!("\"{}\"", room_tag(room))).collect();
        self.0.push(format!("({})", tags.join(" OR ")));
    }

    pub(super) fn author(&mut self, user: &UserId) {
        self.0.push(format!("\"{}\"", author_tag(user)));
    }

    pub(super) fn has(&mut self, has: Has) {
        self.0.push(format!("\"{}\"", has_tag(has)));
    }

    /// Tokens have neither quotes nor space in them, so nothing in them is an operator here.
    pub(super) fn phrase(&mut self, phrase: &text::Phrase) {
        let star = if phrase.is_open { " *" } else { "" };
        self.0.push(format!("\"{}\"{star}", phrase.tokens.join(" ")));
    }

    /// As FTS5 has it; none: any message will do.
    pub(super) fn expression(&self) -> Option<String> {
        if self.0.is_empty() { None } else { Some(self.0.join(" AND ")) }
    }
}

/// A place that the index proposes.
pub(super) struct Candidate {
    pub position: u64,
    /// The room's number.
    pub room: i64,
    pub seq: u64,
}

/// Proposes messages with `low <= position < high`, newest first, until `see` has seen enough.
pub(super) fn candidates(
    connection: &Connection,
    question: &Question,
    (low, high): (u64, u64),
    mut see: impl FnMut(Candidate) -> Result<bool, Failure>,
) -> Result<(), Failure> {
    let number = |position: u64| i64::try_from(position).unwrap_or(i64::MAX);
    let (low, high) = (number(low), number(high));
    let mut look = |sql: &str, expression: Option<&str>| -> Result<bool, Failure> {
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = match expression {
            Some(expression) => statement.query(params![low, high, expression])?,
            None => statement.query(params![low, high])?,
        };
        while let Some(row) = rows.next()? {
            let candidate = Candidate {
                position: row.get::<_, i64>(0)? as u64,
                room: row.get(1)?,
                seq: row.get::<_, i64>(2)? as u64,
            };
            if !see(candidate)? {
                return Ok(false);
            }
        }
        Ok(true)
    };
    let Some(expression) = question.expression() else {
        look(
            "SELECT position, room, seq FROM doc WHERE position >= ?1 AND position < ?2 \
             ORDER BY position DESC",
            None,
        )?;
        return Ok(());
    };
    let mut statement = connection.prepare_cached(
        "SELECT number FROM slice WHERE number BETWEEN ?1 AND ?2 ORDER BY number DESC",
    )?;
    let slices: Vec<i64> = statement
        .query_map([low >> SLICE_BITS, high >> SLICE_BITS], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for slice in slices {
        let sql = format!(
            "SELECT doc.position, doc.room, doc.seq FROM entry_{slice} AS entry \
             CROSS JOIN doc ON doc.position = entry.rowid \
             WHERE entry_{slice} MATCH ?3 AND entry.rowid >= ?1 AND entry.rowid < ?2 \
             ORDER BY entry.rowid DESC"
        );
        if !look(&sql, Some(&expression))? {
            break;
        }
    }
    Ok(())
}

/// The newest message's position; 0 if there is none.
pub(super) fn last(connection: &Connection) -> Result<u64, Failure> {
    let last: Option<i64> = connection
        .prepare_cached("SELECT max(position) FROM doc")?
        .query_row([], |row| row.get(0))?;
    Ok(last.unwrap_or_default() as u64)
}

/// The lowest position from which on everything was said at `at` or later: time never goes back in
/// the log, so it is searched by halves.
pub(super) fn first_at(connection: &Connection, at: u64) -> Result<u64, Failure> {
    let last: Option<i64> = connection
        .prepare_cached("SELECT max(position) FROM doc")?
        .query_row([], |row| row.get(0))?;
    let (mut low, mut end) = (0, last.map_or(0, |last| last + 1));
    let mut next = connection.prepare_cached(
        "SELECT position, at FROM doc WHERE position >= ?1 AND position < ?2 \
         ORDER BY position LIMIT 1",
    )?;
    while low < end {
        let middle = low + (end - low) / 2;
        let found = next
            .query_row([middle, end], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))
            .optional()?;
        match found {
            Some((position, said)) if (said as u64) < at => low = position + 1,
            _ => end = middle,
        }
    }
    Ok(low as u64)
}
