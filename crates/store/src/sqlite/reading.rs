//! How far users have read, and which unread messages call them. Nearly every message changes one
//! of these, which would be a second row to write for each; so they are put into their table now
//! and then, and a start reads the few messages since.
//!
//! What a message doesn't say is written at once: a position that its user told, and where it was
//! when it came into a room. And when
//! somebody leaves a room everything is, so that between the table and the log's end there are only
//! messages to be taken in.

use crate::record;
use damso_chat::{Event, Mention, Message, RoomEvent, State, What};
use damso_protocol::{RoomId, UserId};
use rusqlite::{Connection, params};
use std::collections::BTreeSet;

/// After so many events all are put into the table, so that a start has no more to read.
const EVENTS_MAX: u64 = if cfg!(test) { 24 } else { 16_384 };
/// So many may wait to be put into the table.
const PENDING_MAX: usize = if cfg!(test) { 4 } else { 4_096 };

/// What of the state the table doesn't have yet.
#[derive(Default)]
pub(super) struct Readings {
    /// Users and rooms that messages have changed something for.
    pending: BTreeSet<(UserId, RoomId)>,
    /// Those that have to be written with this batch.
    urgent: BTreeSet<(UserId, RoomId)>,
    /// Everything has to be.
    all: bool,
}

impl Readings {
    /// Notes what an event changes, after it was applied to `state`.
    pub(super) fn note(&mut self, state: &State, event: &Event) {
        match event {
            Event::Message(message) => self.said(state, message),
            Event::Read { user, room, .. } => {
                self.urgent.insert((user.clone(), room.clone()));
            }
            // Who comes has read what was said before.
            Event::Room(RoomEvent { room, what: What::Joined { user }, .. }) => {
                self.urgent.insert((user.clone(), room.clone()));
            }
            Event::Room(RoomEvent { room, what: What::Created { members, .. }, .. }) => {
                self.urgent.extend(members.iter().map(|user| (user.clone(), room.clone())));
            }
            Event::Registered { user, .. } => {
                self.urgent.insert((user.clone(), RoomId::lobby()));
            }
            Event::Room(RoomEvent { room, what: What::Left { user }, .. }) => {
                self.urgent.insert((user.clone(), room.clone()));
                self.all = true;
            }
            _ => {}
        }
    }

    /// Notes what a message changes.
    pub(super) fn said(&mut self, state: &State, message: &Message) {
        for mention in &message.mentions {
            if let Mention::User(user) = mention {
                self.pending.insert((user.clone(), message.room.clone()));
            }
        }
        if state.user(&message.by).is_some() {
            self.pending.insert((message.by.clone(), message.room.clone()));
        }
    }

    /// Writes what has to be written now, and says up to which `position` the table then has what
    /// messages say; before that it was `before`.
    pub(super) fn save(
        &mut self,
        connection: &Connection,
        state: &State,
        before: u64,
        position: u64,
    ) -> rusqlite::Result<u64> {
        let due = position - before > EVENTS_MAX || self.pending.len() > PENDING_MAX;
        let all = self.all || due;
        self.all = false;
        if all {
            self.urgent.append(&mut self.pending);
        }
        let mut bytes = Vec::new();
        for (user, room) in std::mem::take(&mut self.urgent) {
            self.pending.remove(&(user.clone(), room.clone()));
            let (read, mentions) = (state.read(&user, &room), state.own_mentions(&user, &room));
            if read.seq == 0 && mentions.is_empty() {
                connection
                    .prepare_cached("DELETE FROM reading WHERE user = ?1 AND room = ?2")?
                    .execute(params![user.as_str(), room.as_str()])?;
                continue;
            }
            record::write_mentions(mentions, &mut bytes);
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO reading (user, room, seq, n, mentions) \
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![
                    user.as_str(),
                    room.as_str(),
                    read.seq as i64,
                    read.n as i64,
                    bytes
                ])?;
        }
        Ok(if all { position } else { before })
    }
}
