//! What sessions learn unasked: typing, what was read elsewhere, and what happens in rooms they
//! don't hear.

use super::session::Way;
use super::{Answer, Bumped, Hub, Output, SessionId};
use crate::event::{Event, Mention, Message};
use crate::refusal::Refusal;
use crate::state::Kind;
use damso_protocol::id::Map;
use damso_protocol::{RoomId, UserId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Rooms that aren't open are told of at most once in this time, in ms.
const BUMP_MS: u64 = 1_000;
/// Of the messages that call somebody, so many a room wait to be shown.
const CALLS_MAX: usize = 20;
/// Somebody's typing in a room is told at most once in this time, in ms.
const TYPING_MS: u64 = 3_000;

/// Rooms in which something was said since their members were told last.
#[derive(Default)]
pub(super) struct Bumps {
    /// By room, the newest messages that call somebody, or all of them in a direct message.
    rooms: Map<RoomId, Vec<Arc<Event>>>,
    tell_at: Option<u64>,
    told_at: u64,
}

impl Bumps {
    /// Something was said.
    pub fn note(&mut self, event: &Arc<Event>, now: u64) {
        let Event::Message(message) = &**event else { return };
        if !self.rooms.contains_key(&message.room) {
            self.rooms.insert(message.room.clone(), Vec::new());
            self.tell_at.get_or_insert(now.max(self.told_at + BUMP_MS));
        }
        let direct = message.room.as_str().starts_with("d-");
        if (direct || !message.mentions.is_empty())
            && let Some(calls) = self.rooms.get_mut(&message.room)
        {
            calls.push(event.clone());
            if calls.len() > CALLS_MAX {
                calls.remove(0);
            }
        }
    }

    /// A message doesn't say any more what it said: that isn't shown either.
    pub fn forget(&mut self, room: &RoomId, m: u64) {
        if let Some(calls) = self.rooms.get_mut(room) {
            calls.retain(|event| event.place().is_none_or(|(_, seq)| seq != m));
        }
    }

    pub fn due(&self) -> Option<u64> {
        self.tell_at
    }
}

impl Hub {
    /// Tells whoever has a room in its list, and doesn't hear it, that something was said.
    pub(super) fn tell_bumps(&mut self, now: u64) {
        if self.bumps.tell_at.is_none_or(|at| at > now) {
            return;
        }
        self.bumps.tell_at = None;
        self.bumps.told_at = now;
        // In an order that doesn't depend on the map's.
        let mut said: Vec<_> = std::mem::take(&mut self.bumps.rooms).into_iter().collect();
        said.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let mut told: BTreeMap<SessionId, (Vec<Bumped>, Option<Arc<Event>>)> = BTreeMap::new();
        for (id, calls) in &said {
            let Some(room) = self.state.room(id) else { continue };
            let direct = room.kind == Kind::Direct;
            let mut bump = |session: SessionId| {
                let Some(asker) = self.sessions.get(session) else { return };
                let Some(user) = asker.user() else { return };
                if asker.way != Way::Key || asker.hears(id) {
                    return;
                }
                let (bumped, preview) = told.entry(session).or_default();
                bumped.push(Bumped {
                    room: id.clone(),
                    head: room.head,
                    n: room.n,
                    mentions: self.state.mentions(user, id) > 0,
                    direct,
                });
                // Who came in a moment ago may not see what called everybody before.
                let first = self.state.membership(id, user).map_or(u64::MAX, |own| own.first);
                let newest = calls.iter().rev().find(|event| is_for(event, user, direct, first));
                *preview = newest.cloned().or(preview.take());
            };
            if room.is_lobby {
                self.sessions.iter().map(|(session, _)| session).for_each(&mut bump);
            } else {
                let members = room.members.keys();
                members.flat_map(|user| self.presence.sessions(user)).copied().for_each(&mut bump);
            }
        }
        for (session, (mut rooms, preview)) in told {
            rooms.sort_by(|a, b| a.room.cmp(&b.room));
            let answer = Answer::Bumped { rooms, preview };
            self.outputs.push(Output::Answer { session, id: 0, answer });
        }
    }

    /// Tells a user's other sessions how far it has read.
    pub(super) fn tell_seen(&mut self, from: SessionId, user: &UserId, room: &RoomId, seq: u64) {
        let others = self.presence.sessions(user).iter().filter(|session| **session != from);
        let seen = |&session: &SessionId| Output::Answer {
            session,
            id: 0,
            answer: Answer::Seen { room: room.clone(), seq },
        };
        self.outputs.extend(others.map(seen));
    }

    /// Tells a room that the session's user is writing, unless it was told just now.
    pub(super) fn typing(&mut self, id: SessionId, room: RoomId, now: u64) -> Result<(), Refusal> {
        let Some(session) = self.sessions.get_mut(id) else { return Ok(()) };
        let user = session.user_id(self.run);
        self.state.membership(&room, &user).ok_or(Refusal::NotFound)?;
        let typed = &mut session.more().typed;
        typed.retain(|(_, at)| at + TYPING_MS > now);
        if typed.iter().any(|(typed, _)| *typed == room) {
            return Ok(());
        }
        typed.push((room.clone(), now));
        let shards = self.audiences.shards(&room);
        if !shards.is_empty() {
            self.outputs.push(Output::Typing { shards, room, user });
        }
        Ok(())
    }
}

/// Whether a message is one that a user who may see what is from `first` on wants to see at once.
fn is_for(event: &Event, user: &UserId, direct: bool, first: u64) -> bool {
    let Event::Message(Message { seq, by, mentions, .. }) = event else { return false };
    let calls = mentions.iter().any(|mention| match mention {
        Mention::User(called) => called == user,
        Mention::Room | Mention::Here => true,
    });
    *seq >= first && by != user && (direct || calls)
}
