//! Reading the log while it is written: connections of their own, in short transactions, so that
//! they neither wait for the writer nor keep the file beside the database from beginning anew.

use super::error::Failure;
use super::folder::{self, OpenError};
use super::load::{self, End};
use crate::record::{self, Place};
use crate::rows::{self, Ask, BYTES_MAX, EVENT_BYTES, Page, Part, ReadError, Rows, event_weight};
use damso_chat::{Current, Event, State};
use damso_protocol::RoomId;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, Transaction, params};
use std::path::{Path, PathBuf};

/// A read-only connection to the log of a folder.
pub struct Reader {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
}

impl Reader {
    /// Opens the log in the folder at `path`, whether or not an
    /// [`Sqlite`](super::Sqlite) holds it.
    ///
    /// # Errors
    /// One sentence: there is no log, or it can't be read.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let path = path.join(folder::DATABASE);
        let describe = |error: rusqlite::Error| OpenError::database(&path, &error);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&path, flags).map_err(describe)?;
        connection.busy_timeout(super::BUSY_MAX).map_err(describe)?;
        connection.pragma_update(None, "query_only", true).map_err(describe)?;
        connection.set_prepared_statement_cache_capacity(32);
        Ok(Self { connection, path })
    }

    /// The name of the log's life.
    ///
    /// # Errors
    /// The log can't be read.
    pub fn epoch(&self) -> Result<String, ReadError> {
        self.moment(|connection| {
            Ok(connection.query_row("SELECT epoch FROM meta", [], |row| row.get(0))?)
        })
    }

    /// The state at this moment, from the view's tables.
    ///
    /// # Errors
    /// The log can't be read.
    pub fn state(&self) -> Result<State, ReadError> {
        self.moment(|connection| Ok(load::load(connection, End::load(connection)?)?.0))
    }

    /// All that one question reads, it reads of one moment.
    pub(super) fn moment<T>(
        &self,
        read: impl FnOnce(&Transaction) -> Result<T, Failure>,
    ) -> Result<T, ReadError> {
        let answer = || read(&self.connection.unchecked_transaction()?);
        answer().map_err(|failure| {
            ReadError(format!("the log in {} can't be read: {failure}", self.path.display()))
        })
    }
}

impl Rows for Reader {
    fn events(&self, room: &RoomId, after: u64, to: u64) -> Result<Vec<Event>, ReadError> {
        self.moment(|connection| events(connection, room, after, to))
    }

    fn page(&self, ask: &Ask) -> Result<Page, ReadError> {
        self.moment(|connection| page(connection, ask))
    }
}

fn events(
    connection: &Connection,
    room: &RoomId,
    after: u64,
    to: u64,
) -> Result<Vec<Event>, Failure> {
    // Both tables are in the order that is asked for, so this is merged as it is read.
    let mut statement = connection.prepare_cached(
        "SELECT seq, at, n, record FROM message WHERE room = ?1 AND seq > ?2 AND seq <= ?3 \
         UNION ALL \
         SELECT seq, at, NULL, record FROM event WHERE room = ?1 AND seq > ?2 AND seq <= ?3 \
         ORDER BY seq",
    )?;
    let mut rows = statement.query(params![room.as_str(), number(after), number(to)])?;
    let mut events = Vec::new();
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        let event = event(room, row)?;
        bytes += event_weight(&event) + EVENT_BYTES;
        if bytes > BYTES_MAX && !events.is_empty() {
            break;
        }
        events.push(event);
    }
    Ok(events)
}

/// The event in a row of `seq, at, n, record`; no `n`: no message.
pub(super) fn event(room: &RoomId, row: &Row) -> Result<Event, Failure> {
    let (seq, at) = (row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64);
    let bytes = row.get_ref(3)?.as_blob().map_err(rusqlite::Error::from)?;
    Ok(match row.get::<_, Option<i64>>(2)? {
        Some(n) => Event::Message(record::read_message(room.clone(), seq, n as u64, at, bytes)?),
        None => {
            let room = Some(room.clone()).filter(|room| !room.as_str().is_empty());
            record::read_event(Place { room, seq, at }, bytes)?
        }
    })
}

/// Read by the index `pinned`, whose condition it repeats word for word.
pub(super) const PINNED: &str = "
SELECT message.seq, message.n, message.at, message.record, current.record
FROM current INDEXED BY pinned CROSS JOIN message
ON message.room = current.room AND message.seq = current.m
WHERE instr(current.record, x'2270696e6e6564223a74727565') > 0
AND current.room = ?1 AND current.m >= ?2 AND current.m < ?3
ORDER BY current.m DESC";

fn page(connection: &Connection, ask: &Ask) -> Result<Page, Failure> {
    let asof = connection
        .prepare_cached("SELECT head FROM room WHERE id = ?1")?
        .query_row([ask.room.as_str()], |row| row.get::<_, i64>(0))
        .optional()?
        .unwrap_or_default() as u64;
    let first = ask.first.max(1);
    // What lies from `low` to `high` is shown; `pivot` parts what is above from what is below.
    let (low, high) = (first, ask.head);
    let end = high.saturating_add(1);
    let (below, above) = match ask.part {
        Part::Newest | Part::Pinned => (Some(end), None),
        Part::Before(m) => (Some(m.min(end)), None),
        Part::After(m) => (None, Some(m.saturating_add(1))),
        Part::Around(m) => (Some(m.min(end)), Some(m)),
        Part::At(at) => {
            let pivot = first_at(connection, &ask.room, low, end, at)?;
            (Some(pivot), Some(pivot))
        }
    };
    let mut down = connection.prepare_cached(if ask.part == Part::Pinned {
        PINNED
    } else {
        "SELECT message.seq, message.n, message.at, message.record, current.record \
         FROM message LEFT JOIN current \
         ON current.room = message.room AND current.m = message.seq \
         WHERE message.room = ?1 AND message.seq >= ?2 AND message.seq < ?3 \
         ORDER BY message.seq DESC"
    })?;
    let mut up = connection.prepare_cached(
        "SELECT message.seq, message.n, message.at, message.record, current.record \
         FROM message LEFT JOIN current \
         ON current.room = message.room AND current.m = message.seq \
         WHERE message.room = ?1 AND message.seq >= ?2 AND message.seq <= ?3 \
         ORDER BY message.seq",
    )?;
    let message = |row: &Row| Ok(current(&ask.room, row));
    // An empty range where there is no such side.
    let below = params![ask.room.as_str(), number(low), below.map_or(0, number)];
    let above = params![
        ask.room.as_str(),
        above.map_or(i64::MAX, |from| number(from.max(low))),
        above.map_or(0, |_| number(high))
    ];
    let below = down.query_map(below, message)?.map(flat);
    let above = up.query_map(above, message)?.map(flat);
    let (messages, more) = rows::gather(above, below, ask.limit)?;
    Ok(Page { messages, asof, first, more })
}

fn flat<T>(row: rusqlite::Result<Result<T, Failure>>) -> Result<T, Failure> {
    row?
}

/// The message in a row of `seq, n, at, record` and what has changed of it.
pub(super) fn current(room: &RoomId, row: &Row) -> Result<Current, Failure> {
    let number = |column| row.get::<_, i64>(column).map(|number| number as u64);
    let said = row.get_ref(3)?.as_blob().map_err(rusqlite::Error::from)?;
    let changed = row.get_ref(4)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
    let message = record::read_message(room.clone(), number(0)?, number(1)?, number(2)?, said)?;
    Ok(record::read_current(message, changed)?)
}

/// The lowest `seq` of `low..end` from which on all messages were said at `at` or later: time never
/// goes back within a room, so it is searched by halves.
fn first_at(
    connection: &Connection,
    room: &RoomId,
    mut low: u64,
    mut end: u64,
    at: u64,
) -> Result<u64, Failure> {
    let mut next = connection.prepare_cached(
        "SELECT seq, at FROM message WHERE room = ?1 AND seq >= ?2 AND seq < ?3 \
         ORDER BY seq LIMIT 1",
    )?;
    while low < end {
        let middle = low + (end - low) / 2;
        let found = next
            .query_row(params![room.as_str(), number(middle), number(end)], |row| {
                Ok((row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64))
            })
            .optional()?;
        match found {
            Some((seq, said)) if said < at => low = seq + 1,
            _ => end = middle,
        }
    }
    Ok(low)
}

/// A number as SQLite has them; what is too large is the largest.
fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
