//! The embedded log: SQLite is log and view in one transaction. Events are stored, never
//! commands: what happened is not judged again.
//!
//! A batch is one transaction and one fsync (WAL, `synchronous=FULL`); its outcomes are told
//! after the commit. If the disk is full the batch is rolled back and refused. After any other
//! failure to write nothing is known about what the disk holds, so the log gives up for good: its
//! owner has to end the process, and the next start reads what is really there.

mod folder;
mod schema;
#[cfg(test)]
mod tests;

pub use folder::{Folder, OpenError};

use crate::record;
use crate::{Fatal, Log, Outcome};
use damso_chat::decide::{Accepted, Lookup, decide};
use damso_chat::state::Room;
use damso_chat::{Decision, Entry, Event, Refusal, State, Target};
use damso_protocol::{Nonce, RoomId, UserId};
use rusqlite::{Connection, ErrorCode, OptionalExtension, TransactionBehavior, params};
use std::collections::HashSet;
use std::net::IpAddr;
use std::time::Duration;

/// How long another program may hold the database before what is said meanwhile is refused.
const BUSY_MAX: Duration = Duration::from_secs(2);

/// The embedded log, and the only writer of its database.
pub struct Sqlite {
    folder: Folder,
    connection: Connection,
    state: State,
    end: End,
}

/// Where the log ends.
#[derive(Clone, Copy)]
struct End {
    /// How many events there are.
    position: u64,
    /// How many of them concern the whole site.
    site: u64,
    /// The last one's time, in ms since 1970.
    at: u64,
}

impl Sqlite {
    /// Opens the log in `folder`, or begins one. Reads the view's tables, not the log, so it takes
    /// no longer after a year than after a day.
    ///
    /// # Errors
    /// One sentence that says what is wrong with the folder.
    pub fn open(folder: Folder) -> Result<Self, OpenError> {
        let path = folder.database();
        let describe = |error: rusqlite::Error| OpenError::database(&path, &error);
        folder.make_database().map_err(|error| OpenError::file(&path, &error))?;
        let connection = Connection::open(&path).map_err(describe)?;
        connection.busy_timeout(BUSY_MAX).map_err(describe)?;
        schema::prepare(&connection, &path)?;
        let end = End::load(&connection).map_err(describe)?;
        let state = load(&connection).map_err(describe)?;
        Ok(Self { folder, connection, state, end })
    }

    /// Where the log is.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The last event's time, in ms since 1970; 0 if there is none.
    pub fn last_at(&self) -> u64 {
        self.end.at
    }

    /// How many messages were said in all rooms.
    pub fn messages(&self) -> u64 {
        self.state.rooms().map(|(_, room)| room.n).sum()
    }

    /// Judges and records a batch in one transaction.
    fn transact(&mut self, entries: &[Entry], now: u64) -> rusqlite::Result<Vec<Outcome>> {
        // At once a writer's, so that another program's hold shows before anything was judged.
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut outcomes = Vec::with_capacity(entries.len());
        let mut rooms = HashSet::new();
        for entry in entries {
            // A failed look-up must not count as "never seen".
            let lookup = Nonces { connection: &transaction, failed: None.into() };
            let outcome = decide(&self.state, &lookup, entry, now);
            if let Some(error) = lookup.failed.into_inner() {
                return Err(error);
            }
            if let Ok(Decision::New(event)) = &outcome {
                self.state.apply(event);
                insert(&transaction, &mut self.end, event)?;
                rooms.extend(event.place().map(|(room, _)| room.clone()));
            }
            outcomes.push(outcome);
        }
        for room in rooms {
            let Some(Room { head, n }) = self.state.room(&room) else { continue };
            transaction
                .prepare_cached("INSERT OR REPLACE INTO room (id, head, n) VALUES (?1, ?2, ?3)")?
                .execute(params![room.as_str(), *head as i64, *n as i64])?;
        }
        // A batch of refusals has nothing to wait for the disk for.
        if outcomes.iter().any(|outcome| matches!(outcome, Ok(Decision::New(_)))) {
            self.end.save(&transaction)?;
            transaction.commit()?;
        }
        Ok(outcomes)
    }
}

impl Log for Sqlite {
    fn append(&mut self, entries: Vec<Entry>, now: u64) -> Result<Vec<Outcome>, Fatal> {
        self.end.at = self.end.at.max(now);
        let error = match self.transact(&entries, self.end.at) {
            Ok(outcomes) => return Ok(outcomes),
            Err(error) => error,
        };
        // The transaction was rolled back when it was dropped; what the batch changed in memory
        // goes with it.
        // A full disk, and another program that holds the database, leave it as it was.
        let known = [ErrorCode::DiskFull, ErrorCode::DatabaseBusy, ErrorCode::DatabaseLocked];
        let known = error.sqlite_error_code().is_some_and(|code| known.contains(&code));
        let reread = load(&self.connection)
            .and_then(|state| Ok((state, End::load(&self.connection)?)))
            .ok()
            .filter(|_| known);
        match reread {
            Some((state, end)) => {
                (self.state, self.end) = (state, end);
                Ok(entries.iter().map(|_| Err(Refusal::Unavailable)).collect())
            }
            None => Err(Fatal(format!(
                "the log in {} can't be written ({error}); nothing was acknowledged that isn't \
                 on the disk, and damso stops",
                self.folder.path().display()
            ))),
        }
    }

    fn state(&self) -> &State {
        &self.state
    }
}

impl End {
    fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let number = |key: &str| {
            connection
                .query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| {
                    row.get::<_, i64>(0)
                })
                .map(|value| value as u64)
        };
        Ok(Self { position: number("position")?, site: number("site")?, at: number("at")? })
    }

    fn save(self, connection: &Connection) -> rusqlite::Result<()> {
        let mut update = connection.prepare_cached("UPDATE meta SET value = ?2 WHERE key = ?1")?;
        for (key, value) in [("position", self.position), ("site", self.site), ("at", self.at)] {
            update.execute(params![key, value as i64])?;
        }
        Ok(())
    }
}

/// The state, from the view's tables.
fn load(connection: &Connection) -> rusqlite::Result<State> {
    let mut state = State::new();
    let mut rooms = connection.prepare("SELECT id, head, n FROM room")?;
    let mut rows = rooms.query([])?;
    while let Some(row) = rows.next()? {
        let (head, n) = (row.get::<_, i64>(1)? as u64, row.get::<_, i64>(2)? as u64);
        state.restore_room(RoomId::new(row.get::<_, String>(0)?), Room { head, n });
    }
    let mut kept = connection.prepare("SELECT kind, target, until FROM kept")?;
    let mut rows = kept.query([])?;
    while let Some(row) = rows.next()? {
        let (kind, target): (String, String) = (row.get(0)?, row.get(1)?);
        let until = row.get::<_, Option<i64>>(2)?.map(|until| until as u64);
        let bad = || rusqlite::Error::InvalidColumnName(format!("{kind} of {target}"));
        let address = || target.parse::<IpAddr>().map_err(|_| bad());
        match kind.as_str() {
            "ban" => state.restore_ban(address()?, until),
            "mute_address" => state.restore_mute(Target::Address(address()?), until),
            "mute_user" => {
                state.restore_mute(Target::User(UserId::new(target.clone())), until);
            }
            _ => return Err(bad()),
        }
    }
    Ok(state)
}

fn insert(connection: &Connection, end: &mut End, event: &Event) -> rusqlite::Result<()> {
    let (place, bytes) = record::write(event);
    end.position += 1;
    let (room, seq) = match &place.room {
        Some(room) => (room.as_str(), place.seq),
        None => {
            end.site += 1;
            ("", end.site)
        }
    };
    let insert = "INSERT INTO event (room, seq, position, at, record) VALUES (?1, ?2, ?3, ?4, ?5)";
    connection.prepare_cached(insert)?.execute(params![
        room,
        seq as i64,
        end.position as i64,
        place.at as i64,
        bytes
    ])?;
    let keep = |kind: &str, target: String, until: Option<u64>| {
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO kept (kind, target, until) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![kind, target, until.map(|until| until as i64)])
    };
    let drop = |kind: &str, target: String| {
        connection
            .prepare_cached("DELETE FROM kept WHERE kind = ?1 AND target = ?2")?
            .execute(params![kind, target])
    };
    match event {
        Event::Message(message) => {
            if let Some(nonce) = &message.nonce {
                connection
                    .prepare_cached(
                        "INSERT INTO nonce (author, nonce, room, seq) VALUES (?1, ?2, ?3, ?4)",
                    )?
                    .execute(params![
                        message.by.as_str(),
                        nonce.as_str(),
                        message.room.as_str(),
                        message.seq as i64
                    ])?;
            }
        }
        Event::Banned { address, until, .. } => {
            keep("ban", address.to_string(), *until)?;
        }
        Event::Unbanned { address, .. } => {
            drop("ban", address.to_string())?;
        }
        Event::Muted { target, until, .. } => {
            let (kind, target) = muted(target);
            keep(kind, target, *until)?;
        }
        Event::Unmuted { target, .. } => {
            let (kind, target) = muted(target);
            drop(kind, target)?;
        }
    }
    Ok(())
}

/// How the view names whom a mute is about.
fn muted(target: &Target) -> (&'static str, String) {
    match target {
        Target::User(user) => ("mute_user", user.as_str().to_owned()),
        Target::Address(address) => ("mute_address", address.to_string()),
    }
}

/// Accepted nonces, as the database has them. `decide` can't be told of a failed query, so the
/// failure is kept for whoever asked it.
struct Nonces<'a> {
    connection: &'a Connection,
    failed: std::cell::RefCell<Option<rusqlite::Error>>,
}

impl Lookup for Nonces<'_> {
    fn accepted(&self, author: &UserId, nonce: &Nonce) -> Option<Accepted> {
        let found = (|| {
            self.connection
                .prepare_cached(
                    "SELECT event.room, event.seq, event.at, event.record FROM nonce \
                     JOIN event ON event.room = nonce.room AND event.seq = nonce.seq \
                     WHERE nonce.author = ?1 AND nonce.nonce = ?2",
                )?
                .query_row(params![author.as_str(), nonce.as_str()], |row| {
                    Ok((
                        row.get::<_, String>(0)?,
                        row.get::<_, i64>(1)?,
                        row.get::<_, i64>(2)?,
                        row.get::<_, Vec<u8>>(3)?,
                    ))
                })
                .optional()
        })();
        match found {
            Ok(row) => {
                let (room, seq, at, bytes) = row?;
                let (room, seq, at) = (RoomId::new(room), seq as u64, at as u64);
                let place = record::Place { room: Some(room.clone()), seq, at };
                match record::read(place, &bytes) {
                    Ok(Event::Message(message)) => {
                        Some(Accepted { room, seq, at, text: message.text })
                    }
                    Ok(_) => None,
                    Err(sentence) => {
                        let error = rusqlite::Error::InvalidColumnName(sentence);
                        *self.failed.borrow_mut() = Some(error);
                        None
                    }
                }
            }
            Err(error) => {
                *self.failed.borrow_mut() = Some(error);
                None
            }
        }
    }
}
