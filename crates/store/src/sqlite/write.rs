//! What happened, into the log's tables and the view's, in the batch's transaction.

use super::error::Failure;
use super::load::End;
use super::lookup;
use super::reading::Readings;
use crate::record::{self, Place};
use damso_chat::state::Membership;
use damso_chat::{
    Change, Event, Fingerprint, Member, Message, Op, RoomEvent, State, Target, What, fingerprint,
};
use damso_protocol::id::Map;
use damso_protocol::{Nonce, RoomId, UserId};
use rusqlite::{Connection, params};

/// What of a room has to be written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Extent {
    /// Where it ends.
    Head,
    /// All of it.
    Whole,
}

/// What a batch has in common.
#[derive(Default)]
pub(super) struct Writer {
    pub readings: Readings,
    /// Rooms in which something happened; each is written once, at the batch's end.
    rooms: Map<RoomId, Extent>,
    buffer: Vec<u8>,
}

impl Writer {
    pub(super) fn new(readings: Readings) -> Self {
        Self { readings, ..Self::default() }
    }

    /// Records an event, after it was applied to `state`.
    pub(super) fn record(
        &mut self,
        connection: &Connection,
        state: &State,
        end: &mut End,
        event: &Event,
    ) -> Result<(), Failure> {
        self.readings.note(state, event);
        match event {
            Event::Message(message) => {
                end.position += 1;
                self.message(connection, end.position, message)?;
            }
            Event::Read { .. } => return Ok(()),
            _ => {
                end.position += 1;
                self.event(connection, end, event)?;
            }
        }
        if let Some((author, nonce, print)) = fingerprint::of_event(event)
            && let Some((room, seq)) = event.place()
        {
            remember(connection, author, nonce, room, seq, print)?;
        }
        match event {
            Event::Changed(change) => self.changed(connection, change)?,
            Event::Room(event) => self.happened(connection, state, event)?,
            Event::Registered { user, name, key, .. } => {
                connection
                    .prepare_cached("INSERT INTO user (id, name, key) VALUES (?1, ?2, ?3)")?
                    .execute(params![user.as_str(), &**name, key.0])?;
            }
            Event::Hooked { hook, room, name, key, by, .. } => {
                connection
                    .prepare_cached(
                        "INSERT INTO hook (id, room, maker, name, key) VALUES (?1, ?2, ?3, ?4, ?5)",
                    )?
                    .execute(params![hook.as_str(), room.as_str(), by.as_str(), &**name, key.0])?;
            }
            // Its row stays, without a key: its id is never given again.
            Event::Unhooked { hook, .. } => {
                connection
                    .prepare_cached("UPDATE hook SET key = x'' WHERE id = ?1")?
                    .execute(params![hook.as_str()])?;
            }
            Event::Banned { address, until, .. } => {
                keep(connection, "ban", &address.to_string(), *until)?;
            }
            Event::Unbanned { address, .. } => drop_kept(connection, "ban", &address.to_string())?,
            Event::Muted { target, until, .. } => {
                let (kind, target) = muted(target);
                keep(connection, kind, &target, *until)?;
            }
            Event::Unmuted { target, .. } => {
                let (kind, target) = muted(target);
                drop_kept(connection, kind, &target)?;
            }
            Event::Message(_) | Event::Read { .. } => {}
        }
        Ok(())
    }

    fn message(
        &mut self,
        connection: &Connection,
        position: u64,
        message: &Message,
    ) -> rusqlite::Result<()> {
        record::write_message(message, &mut self.buffer);
        connection
            .prepare_cached(
                "INSERT INTO message (room, seq, position, at, n, record) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                message.room.as_str(),
                message.seq as i64,
                position as i64,
                message.at as i64,
                message.n as i64,
                self.buffer
            ])?;
        // A call of everybody stands in the room's own row.
        let calls =
            message.mentions.iter().any(|mention| !matches!(mention, damso_chat::Mention::User(_)));
        self.touch(&message.room, if calls { Extent::Whole } else { Extent::Head });
        Ok(())
    }

    fn event(
        &mut self,
        connection: &Connection,
        end: &mut End,
        event: &Event,
    ) -> rusqlite::Result<()> {
        let (room, seq) = match event.place() {
            Some((room, seq)) => {
                let whole = matches!(event, Event::Room(_));
                self.touch(room, if whole { Extent::Whole } else { Extent::Head });
                (room.as_str(), seq)
            }
            None => {
                end.site += 1;
                ("", end.site)
            }
        };
        record::write_event(event, &mut self.buffer);
        let at = event.at().unwrap_or(end.at);
        connection
            .prepare_cached(
                "INSERT INTO event (room, seq, position, at, record) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![room, seq as i64, end.position as i64, at as i64, self.buffer])?;
        Ok(())
    }

    fn touch(&mut self, room: &RoomId, extent: Extent) {
        match self.rooms.get_mut(room) {
            Some(known) => *known = extent.max(*known),
            None => {
                self.rooms.insert(room.clone(), extent);
            }
        }
    }

    fn changed(&mut self, connection: &Connection, change: &Change) -> Result<(), Failure> {
        let Some(mut current) = lookup::current(connection, &change.room, change.m)? else {
            return Err(Failure::Record(format!(
                "the message {} of the room {} that was to be changed isn't there",
                change.m, change.room
            )));
        };
        current.apply(change);
        if change.op == Op::Delete {
            // The text goes wherever it stands.
            record::write_message(&current.message, &mut self.buffer);
            connection
                .prepare_cached("UPDATE message SET record = ?3 WHERE room = ?1 AND seq = ?2")?
                .execute(params![change.room.as_str(), change.m as i64, self.buffer])?;
            for seq in &current.edits {
                self.blank_edit(connection, &change.room, *seq)?;
            }
        }
        record::write_current(&current, &mut self.buffer);
        connection
            .prepare_cached("INSERT OR REPLACE INTO current (room, m, record) VALUES (?1, ?2, ?3)")?
            .execute(params![change.room.as_str(), change.m as i64, self.buffer])?;
        Ok(())
    }

    /// Takes the text out of an edit's record.
    fn blank_edit(
        &mut self,
        connection: &Connection,
        room: &RoomId,
        seq: u64,
    ) -> Result<(), Failure> {
        let event = connection
            .prepare_cached("SELECT at, record FROM event WHERE room = ?1 AND seq = ?2")?
            .query_row(params![room.as_str(), seq as i64], |row| {
                let place =
                    Place { room: Some(room.clone()), seq, at: row.get::<_, i64>(0)? as u64 };
                Ok(record::read_event(place, row.get_ref(1)?.as_blob()?))
            })??;
        let Event::Changed(change) = event else {
            return Err(Failure::Record(format!("{seq} in the room {room} is no edit")));
        };
        let blank = Event::Changed(Change { op: Op::Edit(None), ..change });
        record::write_event(&blank, &mut self.buffer);
        connection
            .prepare_cached("UPDATE event SET record = ?3 WHERE room = ?1 AND seq = ?2")?
            .execute(params![room.as_str(), seq as i64, self.buffer])?;
        Ok(())
    }

    fn happened(
        &mut self,
        connection: &Connection,
        state: &State,
        event: &RoomEvent,
    ) -> rusqlite::Result<()> {
        let Some(room) = state.room(&event.room) else { return Ok(()) };
        let put = |user: &UserId, membership: &Membership| {
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO member (room, user, is_owner, first, since) \
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![
                    event.room.as_str(),
                    user.as_str(),
                    membership.role == Member::Owner,
                    membership.first as i64,
                    membership.since as i64
                ])
        };
        match &event.what {
            What::Created { .. } => {
                for (user, membership) in &room.members {
                    put(user, membership)?;
                }
            }
            What::Set(_) => {}
            What::Joined { user } | What::Appointed { user, .. } => {
                if let Some(membership) = room.members.get(user) {
                    put(user, membership)?;
                }
            }
            What::Left { user } => {
                connection
                    .prepare_cached("DELETE FROM member WHERE room = ?1 AND user = ?2")?
                    .execute(params![event.room.as_str(), user.as_str()])?;
                // The room may be somebody else's now.
                for (user, membership) in &room.members {
                    if membership.role == Member::Owner {
                        put(user, membership)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Writes what is written once in a batch.
    pub(super) fn finish(
        &mut self,
        connection: &Connection,
        state: &State,
        end: &mut End,
    ) -> rusqlite::Result<()> {
        for (id, extent) in self.rooms.drain() {
            let Some(room) = state.room(&id) else { continue };
            let (head, n) = (room.head as i64, room.n as i64);
            if extent == Extent::Head {
                let updated = connection
                    .prepare_cached("UPDATE room SET head = ?2, n = ?3 WHERE id = ?1")?
                    .execute(params![id.as_str(), head, n])?;
                if updated > 0 {
                    continue;
                }
                // The lobby's first event: it is there without having been made.
            }
            record::write_room(room, &mut self.buffer);
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO room (id, head, n, record) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![id.as_str(), head, n, self.buffer])?;
        }
        end.readings = self.readings.save(connection, state, end.readings, end.position)?;
        end.save(connection)
    }
}

fn remember(
    connection: &Connection,
    author: &UserId,
    nonce: &Nonce,
    room: &RoomId,
    seq: u64,
    print: Fingerprint,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO nonce (author, nonce, room, seq, fingerprint) \
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            author.as_str(),
            nonce.as_str(),
            room.as_str(),
            seq as i64,
            print.0 as i64
        ])?;
    Ok(())
}

fn keep(
    connection: &Connection,
    kind: &str,
    target: &str,
    until: Option<u64>,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO kept (kind, target, until) VALUES (?1, ?2, ?3)")?
        .execute(params![kind, target, until.map(|until| until as i64)])?;
    Ok(())
}

fn drop_kept(connection: &Connection, kind: &str, target: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM kept WHERE kind = ?1 AND target = ?2")?
        .execute(params![kind, target])?;
    Ok(())
}

/// How the view names whom a mute is about.
fn muted(target: &Target) -> (&'static str, String) {
    match target {
        Target::User(user) => ("mute_user", user.as_str().to_owned()),
        Target::Address(address) => ("mute_address", address.to_string()),
    }
}
