//! The log with nothing on disk, for trials and tests: it ends with the process, and it forgets.
//!
//! What is kept is bounded. When there is more, the oldest events of the largest room go; what it
//! has from then on begins with [`Memory::first`].

mod nonces;
mod room;
mod search;

use crate::rows::{self, Ask, BYTES_MAX, EVENT_BYTES, Page, Part, ReadError, Rows, event_weight};
use crate::{Fatal, Log, Outcome, WRITTEN_MAX};
use damso_chat::decide::{Accepted, Lookup, Written, decide};
use damso_chat::{Current, Decision, Entry, Event, State};
use damso_protocol::id::Map;
use damso_protocol::{Nonce, RoomId, UserId};
use nonces::Nonces;
use room::Kept;
use std::collections::{BTreeSet, BinaryHeap};
use std::convert::Infallible;

/// How much is kept of all rooms' events, in bytes of memory, roughly.
const KEPT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A log in memory: the state, the newest events of each room, and the newest accepted nonces.
pub struct Memory {
    state: State,
    past: Past,
    bytes_max: usize,
    last_at: u64,
}

/// What is remembered beside the state.
#[derive(Default)]
struct Past {
    accepted: Nonces,
    rooms: Map<RoomId, Kept>,
    /// How much all rooms take.
    bytes: usize,
    /// How many events there ever were in rooms.
    position: u64,
    /// Rooms of which a part was forgotten, since that was asked last.
    forgotten: BTreeSet<RoomId>,
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl Memory {
    /// An empty log.
    pub fn new() -> Self {
        Self::bounded(KEPT_BYTES_MAX)
    }

    /// An empty log that keeps about so many bytes of events.
    pub fn bounded(bytes_max: usize) -> Self {
        Self { state: State::new(), past: Past::default(), bytes_max, last_at: 0 }
    }

    /// The rooms whose [`Memory::first`] has changed since this was called last.
    pub fn take_forgotten(&mut self) -> BTreeSet<RoomId> {
        std::mem::take(&mut self.past.forgotten)
    }

    /// The lowest `seq` of a room that is still there: 1 until something was forgotten.
    pub fn first(&self, room: &RoomId) -> u64 {
        self.past.rooms.get(room).map_or(1, Kept::first)
    }
}

impl Log for Memory {
    fn append(&mut self, entries: Vec<Entry>, now: u64) -> Result<Vec<Outcome>, Fatal> {
        self.last_at = self.last_at.max(now);
        let mut outcomes = Vec::with_capacity(entries.len());
        for entry in entries {
            let outcome = decide(&self.state, &self.past, &entry, self.last_at);
            for event in outcome.iter().flat_map(Decision::events) {
                self.state.apply(event);
                self.past.remember(event);
                self.past.forget(self.bytes_max);
            }
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    fn state(&self) -> &State {
        &self.state
    }
}

impl Past {
    fn remember(&mut self, event: &Event) {
        self.accepted.remember(event);
        let Some((room, _)) = event.place() else { return };
        let room = self.rooms.entry(room.clone()).or_default();
        let before = room.bytes();
        self.position += 1;
        room.push(event, self.position);
        self.bytes = self.bytes - before + room.bytes();
    }

    fn forget(&mut self, bytes_max: usize) {
        if self.bytes <= bytes_max {
            return;
        }
        // Some more at once, so that not every event has to look for the largest rooms.
        let goal = bytes_max - bytes_max / 64;
        let sizes = self.rooms.iter().map(|(id, room)| (room.bytes(), id.clone()));
        let mut largest: BinaryHeap<(usize, RoomId)> = sizes.collect();
        while self.bytes > goal
            && let Some((before, id)) = largest.pop()
        {
            let Some(room) = self.rooms.get_mut(&id) else { continue };
            room.forget();
            self.bytes = self.bytes - before + room.bytes();
            largest.push((room.bytes(), id.clone()));
            self.forgotten.insert(id);
        }
    }
}

impl Lookup for Past {
    fn accepted(&self, author: &UserId, nonce: &Nonce) -> Option<Accepted> {
        self.accepted.get(author, nonce)
    }

    fn message(&self, room: &RoomId, m: u64) -> Option<Current> {
        self.rooms.get(room)?.message(m)
    }

    /// What was forgotten counts as read, whatever `seq` is: nobody can read it any more.
    fn messages_up_to(&self, room: &RoomId, seq: u64) -> u64 {
        self.rooms.get(room).map_or(0, |room| room.messages_up_to(seq))
    }

    fn written_by(&self, author: &UserId, from: Option<&(RoomId, u64)>) -> Written {
        let mut rooms: Vec<_> = self.rooms.iter().collect();
        rooms.sort_unstable_by_key(|(id, _)| *id);
        let mut written = Written::default();
        for (id, room) in rooms {
            let first = match from {
                Some((begun, _)) if id < begun => continue,
                Some((begun, m)) if id == begun => *m,
                _ => 1,
            };
            for m in room.messages(first, u64::MAX) {
                let is_its = room
                    .message(m)
                    .is_some_and(|current| current.message.by == *author && !current.is_deleted());
                if !is_its {
                    continue;
                }
                if written.messages.len() >= WRITTEN_MAX {
                    written.next = Some((id.clone(), m));
                    return written;
                }
                written.messages.push((id.clone(), m));
            }
        }
        written
    }
}

impl Rows for Memory {
    /// # Errors
    /// What is asked for was forgotten, in part at least.
    fn events(&self, room: &RoomId, after: u64, to: u64) -> Result<Vec<Event>, ReadError> {
        let Some(kept) = self.past.rooms.get(room) else { return Ok(Vec::new()) };
        if after.saturating_add(1) < kept.first() && after < to {
            return Err(ReadError(format!(
                "the log in memory has forgotten what was in the room {room} before {}",
                kept.first()
            )));
        }
        let mut bytes = 0;
        let mut events = Vec::new();
        for event in kept.events(after, to) {
            bytes += event_weight(event) + EVENT_BYTES;
            if bytes > BYTES_MAX && !events.is_empty() {
                break;
            }
            events.push(event.clone());
        }
        Ok(events)
    }

    fn page(&self, ask: &Ask) -> Result<Page, ReadError> {
        let asof = self.state.room(&ask.room).map_or(0, |room| room.head);
        let first = ask.first.max(self.first(&ask.room));
        let Some(kept) = self.past.rooms.get(&ask.room) else {
            return Ok(Page { asof, first, ..Page::default() });
        };
        let seen = match ask.part {
            Part::Pinned => kept.pinned(first, ask.head),
            _ => kept.messages(first, ask.head),
        };
        // The place that parts what is above from what is below, as an index of `seen`.
        let place = |m: u64| seen.partition_point(|seq| *seq < m);
        let (below, above) = match ask.part {
            Part::Newest | Part::Pinned => (seen.len(), seen.len()),
            Part::Before(m) => (place(m), seen.len()),
            Part::After(m) => (0, place(m.saturating_add(1))),
            Part::Around(m) => (place(m), place(m)),
            Part::At(at) => {
                let place = seen.partition_point(|seq| kept.at(*seq) < at);
                (place, place)
            }
        };
        let message = |seq: &u64| kept.message(*seq).map(Ok::<_, Infallible>);
        let above = seen[above..].iter().filter_map(message);
        let below = seen[..below].iter().rev().filter_map(message);
        let Ok((messages, more)) = rows::gather(above, below, ask.limit);
        Ok(Page { messages, asof, first, more })
    }
}

#[cfg(test)]
mod tests;
