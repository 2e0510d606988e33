//! Looks for messages by the index, with connections of its own.

use super::follow::Shared;
use super::index::{self, BUSY_MAX, Candidate, FILE, Question, is_damage};
use super::{Collector, Found, Hit, Matcher, Search};
use crate::rows::ReadError;
use crate::sqlite::{Failure, Reader};
use damso_chat::hub::{Place, Sought};
use damso_protocol::RoomId;
use rusqlite::{Connection, OpenFlags};
use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// With more rooms than this the index is asked for messages of any room, and those of others are
/// passed over: so long a list of rooms would cost more than it saves.
const ROOMS_MAX: usize = 64;

/// So many messages of others' rooms are passed over for each of one's own, at most.
const SHARE: u64 = 8;

/// Looks for messages in a log on disk.
pub struct Searcher {
    log: Reader,
    folder: PathBuf,
    shared: Arc<Shared>,
    opened: RefCell<Option<Opened>>,
}

/// The index as it was opened.
struct Opened {
    connection: Connection,
    generation: u64,
    /// The rooms' numbers, as far as they are known.
    rooms: HashMap<RoomId, i64>,
}

impl Searcher {
    pub(super) fn new(log: Reader, folder: &Path, shared: Arc<Shared>) -> Self {
        Self { log, folder: folder.to_owned(), shared, opened: RefCell::new(None) }
    }

    fn look(&self, sought: &Sought, generation: u64) -> Result<Found, Failure> {
        let mut opened = self.opened.borrow_mut();
        if opened.as_ref().is_none_or(|opened| opened.generation != generation) {
            *opened = Some(Opened::new(&self.folder, generation)?);
        }
        // It was just put there.
        let Some(opened) = opened.as_mut() else { return Ok(Found::default()) };
        opened.look(sought, &self.log)
    }
}

impl Search for Searcher {
    /// Waits for the index to have what was said before, but not for long.
    fn search(&self, sought: &Sought) -> Result<Found, ReadError> {
        let (has_all, generation) = self.shared.wait_for(&sought.places);
        if generation == 0 {
            return Err(ReadError("the index of messages isn't there yet".into()));
        }
        match self.look(sought, generation) {
            Ok(found) => Ok(Found { is_behind: !has_all, ..found }),
            Err(failure) => {
                *self.opened.borrow_mut() = None;
                if is_damage(&failure) {
                    self.shared.report_damage(generation);
                }
                Err(ReadError(format!("the index of messages can't be read: {failure}")))
            }
        }
    }
}

impl Opened {
    fn new(folder: &Path, generation: u64) -> Result<Self, Failure> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(folder.join(FILE), flags)?;
        connection.busy_timeout(BUSY_MAX)?;
        connection.pragma_update(None, "query_only", true)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(Self { connection, generation, rooms: HashMap::new() })
    }

    fn look(&mut self, sought: &Sought, log: &Reader) -> Result<Found, Failure> {
        let mut collector = Collector::new(sought.limit);
        let matcher = Matcher::new(sought);
        let places = self.places(sought)?;
        if matcher.is_empty() || places.is_empty() || sought.limit == 0 {
            return Ok(collector.found());
        }
        let mut question = Question::new();
        // Each room that is asked for costs a list of its own to be read beside the words'. If most
        // of what was said is the asker's to see, it is sooner to pass over the rest.
        let seen: u64 = sought.places.iter().map(|place| place.head).sum();
        let all = index::last(&self.connection)?;
        let few = seen.saturating_mul(SHARE) < all;
        if places.len() <= 2 || few && places.len() <= ROOMS_MAX {
            question.rooms(places.keys().copied());
        }
        if let Some(by) = &sought.by {
            question.author(by);
        }
        sought.has.iter().for_each(|has| question.has(*has));
        matcher.phrases().for_each(|phrase| question.phrase(&phrase));

        let moment = self.connection.unchecked_transaction()?;
        let since = |at: Option<u64>| at.map(|at| index::first_at(&moment, at)).transpose();
        let low = since(sought.said_since)?.unwrap_or_default();
        let high = since(sought.said_before)?.unwrap_or(u64::MAX);
        let high = high.min(sought.before.unwrap_or(u64::MAX));
        let see = |candidate: Candidate| {
            let Candidate { position, room, seq } = candidate;
            let place = places.get(&room).filter(|place| (place.first..=place.head).contains(&seq));
            let hit = match place {
                None => None,
                Some(place) => {
                    let message = log.message(&place.room, seq);
                    let message = message.map_err(|error| Failure::Record(error.0))?;
                    message.and_then(|message| {
                        let marks = matcher.marks(&message)?;
                        Some(Hit { message, marks })
                    })
                }
            };
            Ok(collector.take(position, hit))
        };
        index::candidates(&moment, &question, (low, high), see)?;
        Ok(collector.found())
    }

    /// The places by the numbers that their rooms have in the index; rooms of which nothing is
    /// indexed have none.
    fn places<'a>(&mut self, sought: &'a Sought) -> Result<HashMap<i64, &'a Place>, Failure> {
        let mut statement =
            self.connection.prepare_cached("SELECT id FROM room WHERE name = ?1")?;
        let mut places = HashMap::new();
        for place in &sought.places {
            let known = self.rooms.get(&place.room).copied();
            let id = match known {
                Some(id) => id,
                None => {
                    let mut rows = statement.query([place.room.as_str()])?;
                    let Some(row) = rows.next()? else { continue };
                    let id = row.get(0)?;
                    self.rooms.insert(place.room.clone(), id);
                    id
                }
            };
            places.insert(id, place);
        }
        Ok(places)
    }
}
