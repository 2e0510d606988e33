//! The judge's cold questions, answered by the database.

use super::error::Failure;
use crate::WRITTEN_MAX;
use crate::record;
use damso_chat::decide::{Accepted, Lookup, Written};
use damso_chat::{Current, Fingerprint};
use damso_protocol::{Nonce, RoomId, UserId};
use rusqlite::{Connection, OptionalExtension, params};
use std::cell::RefCell;

/// What is recorded, as the batch's transaction sees it. The judge can't be told of a failed query,
/// so the failure is kept for whoever asked it: a question that couldn't be answered must not count
/// as answered with no.
pub(super) struct Recorded<'a> {
    connection: &'a Connection,
    failed: RefCell<Option<Failure>>,
}

impl<'a> Recorded<'a> {
    pub(super) fn new(connection: &'a Connection) -> Self {
        Self { connection, failed: RefCell::default() }
    }

    /// Whether every question could be answered.
    pub(super) fn answered(&self) -> Result<(), Failure> {
        self.failed.take().map_or(Ok(()), Err)
    }

    fn ask<T: Default>(&self, answer: Result<T, Failure>) -> T {
        answer.unwrap_or_else(|failure| {
            self.failed.borrow_mut().get_or_insert(failure);
            T::default()
        })
    }
}

impl Lookup for Recorded<'_> {
    fn accepted(&self, author: &UserId, nonce: &Nonce) -> Option<Accepted> {
        self.ask(accepted(self.connection, author, nonce))
    }

    fn message(&self, room: &RoomId, m: u64) -> Option<Current> {
        self.ask(current(self.connection, room, m))
    }

    fn messages_up_to(&self, room: &RoomId, seq: u64) -> u64 {
        self.ask(messages_up_to(self.connection, room, seq))
    }

    fn written_by(&self, author: &UserId, from: Option<&(RoomId, u64)>) -> Written {
        self.ask(written_by(self.connection, author, from))
    }
}

/// So many messages are looked at for those of one author before others have their turn.
const LOOKED_MAX: usize = 20_000;

fn written_by(
    connection: &Connection,
    author: &UserId,
    from: Option<&(RoomId, u64)>,
) -> Result<Written, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT room, seq, record FROM message WHERE (room, seq) >= (?1, ?2) ORDER BY room, seq",
    )?;
    let (room, m) = from.map_or(("", 0), |(room, m)| (room.as_str(), *m as i64));
    let mut rows = statement.query(params![room, m])?;
    let (mut written, mut looked) = (Written::default(), 0);
    while let Some(row) = rows.next()? {
        let place = || -> rusqlite::Result<(RoomId, u64)> {
            Ok((RoomId::new(row.get::<_, String>(0)?), row.get::<_, i64>(1)? as u64))
        };
        let bytes = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
        let is_its = record::is_said_by(bytes, author)?;
        if looked >= LOOKED_MAX || is_its && written.messages.len() >= WRITTEN_MAX {
            written.next = Some(place()?);
            break;
        }
        looked += 1;
        if is_its {
            written.messages.push(place()?);
        }
    }
    Ok(written)
}

fn accepted(
    connection: &Connection,
    author: &UserId,
    nonce: &Nonce,
) -> Result<Option<Accepted>, Failure> {
    let found = connection
        .prepare_cached(
            "SELECT room, seq, fingerprint, COALESCE( \
                 (SELECT at FROM message WHERE room = nonce.room AND seq = nonce.seq), \
                 (SELECT at FROM event WHERE room = nonce.room AND seq = nonce.seq)) \
             FROM nonce WHERE author = ?1 AND nonce = ?2",
        )?
        .query_row(params![author.as_str(), nonce.as_str()], |row| {
            Ok(Accepted {
                room: RoomId::new(row.get::<_, String>(0)?),
                seq: row.get::<_, i64>(1)? as u64,
                fingerprint: Fingerprint(row.get::<_, i64>(2)? as u64),
                at: row.get::<_, i64>(3)? as u64,
            })
        })
        .optional()?;
    Ok(found)
}

/// A message as it stands now.
pub(super) fn current(
    connection: &Connection,
    room: &RoomId,
    m: u64,
) -> Result<Option<Current>, Failure> {
    let found = connection
        .prepare_cached(
            "SELECT message.n, message.at, message.record, current.record \
             FROM message LEFT JOIN current ON current.room = message.room \
             AND current.m = message.seq WHERE message.room = ?1 AND message.seq = ?2",
        )?
        .query_row(params![room.as_str(), m as i64], |row| {
            let (n, at) = (row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64);
            let (said, changed) = (row.get_ref(2)?.as_blob()?, row.get_ref(3)?.as_blob_or_null()?);
            let message = record::read_message(room.clone(), m, n, at, said);
            Ok(message.and_then(|message| record::read_current(message, changed)))
        })
        .optional()?;
    Ok(found.transpose()?)
}

/// How many messages a room had up to `seq`.
fn messages_up_to(connection: &Connection, room: &RoomId, seq: u64) -> Result<u64, Failure> {
    let n = connection
        .prepare_cached(
            "SELECT n FROM message WHERE room = ?1 AND seq <= ?2 ORDER BY seq DESC LIMIT 1",
        )?
        .query_row(params![room.as_str(), seq as i64], |row| row.get::<_, i64>(0))
        .optional()?;
    Ok(n.unwrap_or_default() as u64)
}
