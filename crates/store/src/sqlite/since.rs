//! What the index has to know: the messages of a part of a room's log, as they stand now.

use super::error::Failure;
use super::lookup;
use super::read::{self, Reader};
use crate::rows::{BYTES_MAX, ReadError};
use damso_chat::{Event, Message, Op};
use damso_protocol::RoomId;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::{BTreeSet, HashMap};

/// Part of a room's log, as it stands now.
pub(crate) struct Since {
    /// The messages that were said or changed there, each once.
    pub messages: Vec<Said>,
    /// Where the part ends.
    pub to: u64,
    /// Where the room ends.
    pub head: u64,
}

/// A message and its place in the whole log.
pub(crate) struct Said {
    pub position: u64,
    /// With its newest text; none if it was deleted.
    pub message: Message,
    /// It was said before the part begins.
    pub is_older: bool,
}

impl Reader {
    /// The rooms that there are, and where they end.
    pub(crate) fn heads(&self) -> Result<HashMap<RoomId, u64>, ReadError> {
        self.moment(|connection| {
            let mut statement = connection.prepare("SELECT id, head FROM room")?;
            let rooms = statement.query_map([], |row| {
                Ok((RoomId::new(row.get::<_, String>(0)?), row.get::<_, i64>(1)? as u64))
            })?;
            Ok(rooms.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// The part of a room's log after `after`: at most `count` events of it, and as many new
    /// messages as fit into [`BYTES_MAX`], but at least one if there is one.
    pub(crate) fn since(&self, room: &RoomId, after: u64, count: u64) -> Result<Since, ReadError> {
        self.moment(|connection| since(connection, room, after, count))
    }

    /// A message as it stands now.
    pub(crate) fn message(&self, room: &RoomId, m: u64) -> Result<Option<Message>, ReadError> {
        self.moment(|connection| {
            Ok(lookup::current(connection, room, m)?.map(|current| current.message))
        })
    }
}

fn since(connection: &Connection, room: &RoomId, after: u64, count: u64) -> Result<Since, Failure> {
    let head = connection
        .prepare_cached("SELECT head FROM room WHERE id = ?1")?
        .query_row([room.as_str()], |row| row.get::<_, i64>(0))
        .optional()?
        .unwrap_or_default() as u64;
    let mut to = head.min(after.saturating_add(count));
    let mut statement = connection.prepare_cached(
        "SELECT message.seq, message.n, message.at, message.record, current.record, \
             message.position \
         FROM message LEFT JOIN current \
         ON current.room = message.room AND current.m = message.seq \
         WHERE message.room = ?1 AND message.seq > ?2 AND message.seq <= ?3 \
         ORDER BY message.seq",
    )?;
    let said = |row: &Row, is_older| -> Result<Said, Failure> {
        let message = read::current(room, row)?.message;
        let position = row.get::<_, i64>(5)? as u64;
        Ok(Said { position, message, is_older })
    };
    let (mut messages, mut bytes) = (Vec::new(), 0);
    let mut rows = statement.query(params![room.as_str(), after as i64, to as i64])?;
    while let Some(row) = rows.next()? {
        let said = said(row, false)?;
        bytes += said.message.text.as_ref().map_or(0, |text| text.len());
        if bytes > BYTES_MAX && !messages.is_empty() {
            to = said.message.seq - 1;
            break;
        }
        messages.push(said);
    }
    drop(rows);
    let mut older = BTreeSet::new();
    let mut events = connection.prepare_cached(
        "SELECT seq, at, NULL, record FROM event \
         WHERE room = ?1 AND seq > ?2 AND seq <= ?3",
    )?;
    let mut rows = events.query(params![room.as_str(), after as i64, to as i64])?;
    while let Some(row) = rows.next()? {
        if let Event::Changed(change) = read::event(room, row)?
            && matches!(change.op, Op::Edit(_) | Op::Delete)
            && change.m <= after
        {
            older.insert(change.m);
        }
    }
    for m in older {
        let mut rows = statement.query(params![room.as_str(), m as i64 - 1, m as i64])?;
        while let Some(row) = rows.next()? {
            messages.push(said(row, true)?);
        }
    }
    Ok(Since { messages, to, head })
}
