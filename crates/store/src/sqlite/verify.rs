//! Whether the database is what it should be: the view is made anew from the log, and compared.

use super::error::Failure;
use super::load::{self, End};
use super::{Progress, Reader, Sqlite, lookup, read};
use damso_chat::state::Digest;
use damso_chat::{Current, Event, Fingerprint, Op, State, fingerprint};
use damso_protocol::RoomId;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashMap;
use std::fmt;
use std::path::Path;

/// So many events are folded between two words about it.
const TELL_EVENTS: i64 = 4_096;

/// What a log that is in order has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verified {
    /// How many events.
    pub events: u64,
    /// How many of them are messages.
    pub messages: u64,
    /// The digest of the state they come to.
    pub digest: Digest,
}

/// What is wrong with a log: one sentence.
#[derive(Debug)]
pub struct VerifyError(pub String);

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for VerifyError {}

impl Sqlite {
    /// As [`Reader::verify`].
    ///
    /// # Errors
    /// One sentence: the first thing that is wrong.
    pub fn verify(&self) -> Result<Verified, VerifyError> {
        verify(&self.connection, &self.folder.database(), &mut |_| {})
    }
}

impl Reader {
    /// Reads all of the log as it is at one moment: the database's pages are sound, no room has a
    /// hole, and what all events come to is what the tables beside them say, but for how far users
    /// have read, which no event tells. Takes some ten seconds a million events, during which the
    /// file beside the database can't begin anew.
    ///
    /// # Errors
    /// One sentence: the first thing that is wrong.
    pub fn verify(&self, progress: &mut dyn FnMut(Progress)) -> Result<Verified, VerifyError> {
        verify(&self.connection, &self.path, progress)
    }
}

pub(super) fn verify(
    connection: &Connection,
    path: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<Verified, VerifyError> {
    let mut verify = || {
        let moment = connection.unchecked_transaction()?;
        progress(Progress::Checking);
        sound(&moment)?;
        fold(&moment, progress)
    };
    verify().map_err(|failure| {
        VerifyError(format!("the log in {} isn't in order: {failure}", path.display()))
    })
}

pub(super) fn sound(connection: &Connection) -> Result<(), Failure> {
    let word: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if word == "ok" { Ok(()) } else { Err(Failure::Record(word)) }
}

/// Where a room was when the fold came to its next event.
#[derive(Default)]
struct Reached {
    seq: u64,
    n: u64,
}

fn fold(connection: &Connection, progress: &mut dyn FnMut(Progress)) -> Result<Verified, Failure> {
    let end = End::load(connection)?;
    let mut state = State::new();
    let mut rooms: HashMap<String, Reached> = HashMap::new();
    // Few messages are ever changed.
    let mut changed: HashMap<(RoomId, u64), Current> = HashMap::new();
    let (mut position, mut at, mut nonces, mut messages) = (0, 0, 0, 0);
    let mut order = connection.prepare(
        "SELECT position, room, seq FROM message \
         UNION ALL SELECT position, room, seq FROM event ORDER BY position",
    )?;
    let mut one = connection.prepare(
        "SELECT seq, at, n, record FROM message WHERE room = ?1 AND seq = ?2 \
         UNION ALL SELECT seq, at, NULL, record FROM event WHERE room = ?1 AND seq = ?2",
    )?;
    let mut places = order.query([])?;
    while let Some(place) = places.next()? {
        let (room, seq): (String, i64) = (place.get(1)?, place.get(2)?);
        let wrong = |what: &str| Failure::Record(format!("{what} at {seq} in the room '{room}'"));
        position += 1;
        if position % TELL_EVENTS == 0 {
            progress(Progress::Folding { done: position as u64, all: end.position });
        }
        if place.get::<_, i64>(0)? != position {
            return Err(wrong("a position is missing or there twice"));
        }
        let reached = rooms.entry(room.clone()).or_default();
        reached.seq += 1;
        if reached.seq != seq as u64 {
            return Err(wrong("there is a hole"));
        }
        let event = one.query_row(params![room, seq], |row| {
            Ok(read::event(&RoomId::new(room.as_str()), row))
        })??;
        if event.at().is_some_and(|happened| happened < at) {
            return Err(wrong("time goes back"));
        }
        at = event.at().unwrap_or(at);
        if let Event::Message(message) = &event {
            messages += 1;
            reached.n += 1;
            if message.n != reached.n {
                return Err(wrong("a message isn't counted right"));
            }
        }
        if let Some(known) = remembered(connection, &event)? {
            nonces += 1;
            if !known {
                return Err(wrong("a nonce isn't known, or for something else,"));
            }
        }
        if let Event::Changed(change) = &event {
            let key = (change.room.clone(), change.m);
            if !changed.contains_key(&key) {
                let message = one
                    .query_row(params![room, change.m as i64], |row| {
                        Ok(read::event(&change.room, row))
                    })
                    .optional()?
                    .transpose()?;
                let Some(Event::Message(message)) = message else {
                    return Err(wrong("there is a change of no message"));
                };
                changed.insert(key.clone(), Current::new(message));
            }
            if let Some(current) = changed.get_mut(&key) {
                current.apply(change);
            }
        }
        state.apply(&event);
    }
    compare(connection, &state, &changed, end, nonces)?;
    if (end.position, end.site) != (position as u64, rooms.get("").map_or(0, |site| site.seq)) {
        return Err(Failure::Record("the log's end isn't where it is said to be".to_owned()));
    }
    Ok(Verified { events: end.position, messages, digest: state.digest() })
}

/// Whether the nonce of an event is known, and for that event; none if it has none.
fn remembered(connection: &Connection, event: &Event) -> Result<Option<bool>, Failure> {
    let Some((author, nonce, print)) = fingerprint::of_event(event) else { return Ok(None) };
    let known = connection
        .prepare_cached(
            "SELECT room, seq, fingerprint FROM nonce WHERE author = ?1 AND nonce = ?2",
        )?
        .query_row(params![author.as_str(), nonce.as_str()], |row| {
            let (room, seq) = (row.get::<_, String>(0)?, row.get::<_, i64>(1)? as u64);
            Ok((RoomId::new(room), seq, Fingerprint(row.get::<_, i64>(2)? as u64)))
        })
        .optional()?;
    let is_blank = match event {
        Event::Message(message) => message.text.is_none(),
        Event::Changed(change) => change.op == Op::Edit(None),
        _ => false,
    };
    Ok(Some(known.is_some_and(|(room, seq, known)| {
        // The fingerprint is of the text, which may be gone.
        event.place() == Some((&room, seq)) && (is_blank || known == print)
    })))
}

/// Whether the view's tables say what the log does.
fn compare(
    connection: &Connection,
    state: &State,
    changed: &HashMap<(RoomId, u64), Current>,
    end: End,
    nonces: i64,
) -> Result<(), Failure> {
    let wrong = |sentence: &str| Err(Failure::Record(sentence.to_owned()));
    let (kept, _) = load::load(connection, end)?;
    if kept.digest() != state.digest() {
        return wrong("rooms, members or users aren't what the events say");
    }
    let count = |table: &str| {
        connection
            .query_row(&format!("SELECT COUNT(*) FROM {table}"), [], |row| row.get::<_, i64>(0))
    };
    if count("nonce")? != nonces {
        return wrong("there is a nonce of nothing");
    }
    if count("current")? != changed.len() as i64 {
        return wrong("something is said to be changed that isn't");
    }
    for ((room, m), current) in changed {
        if lookup::current(connection, room, *m)?.as_ref() != Some(current) {
            return wrong(&format!(
                "the message {m} of the room {room} isn't what its changes make of it"
            ));
        }
    }
    Ok(())
}
