//! What goes out, and when.

use super::{Client, Flight, Link};
use crate::room::Subscription;
use crate::{Act, Notice, Output};
use damso_protocol::v1::ErrorCode;
use damso_protocol::v1::client::{
    Change, ClientMessage, Close, Hello, History, Open, Read, Send, Watch,
};
use damso_protocol::{Nonce, RoomId};

impl Client {
    /// Says hello.
    pub(super) fn greet(&mut self) {
        self.link = Link::Greeting;
        let id = self.depart(Flight::Hello);
        let hello = Hello {
            id,
            token: self.config.token.clone(),
            key: self.config.key.clone(),
            name: self.config.name.clone(),
            agent: self.config.agent.clone(),
            lang: self.config.lang.clone(),
            epoch: self.epoch.clone(),
        };
        self.write(&ClientMessage::Hello(Box::new(hello)));
    }

    /// Sends whatever may be sent: rooms that are to be open first, then the outbox, oldest first.
    pub(super) fn pump(&mut self, now: u64) {
        if self.link != Link::Ready || self.paused_until.is_some_and(|until| now < until) {
            return;
        }
        self.paused_until = None;
        for room in std::mem::take(&mut self.closing) {
            // It may have been opened again meanwhile, which replaces the subscription.
            if self.room(&room).is_none() {
                let id = self.depart(Flight::Close(room.clone()));
                self.write(&ClientMessage::Close(Close { id, room }));
            }
        }
        for at in 0..self.rooms.len() {
            self.pump_room(at);
        }
        self.room_paused_until.retain(|_, until| now < *until);
        self.pump_outbox();
        self.pump_reads();
        if self.is_watch_due
            && let Some(users) = self.watched.clone()
        {
            self.is_watch_due = false;
            let id = self.depart(Flight::Watch);
            self.write(&ClientMessage::Watch(Watch { id, users }));
        }
    }

    fn pump_room(&mut self, at: usize) {
        let room = self.rooms[at].id().clone();
        if self.rooms[at].subscription == Subscription::Wanted {
            self.rooms[at].subscription = Subscription::Opening;
            let id = self.depart(Flight::Open(room.clone()));
            let (limit, max) = (self.config.page_limit, self.config.replay_max);
            let after = self.rooms[at].last();
            self.write(&ClientMessage::Open(Open { id, room: room.clone(), after, limit, max }));
        }
        if self.rooms[at].subscription != Subscription::Open {
            return;
        }
        for page in 0..self.rooms[at].pages.len() {
            if self.rooms[at].pages[page].id.is_none() {
                let id = self.depart(Flight::Page(room.clone()));
                let last = self.rooms[at].last().unwrap_or(0);
                let wanted = &mut self.rooms[at].pages[page];
                (wanted.id, wanted.last) = (Some(id), last);
                let history = History::at(id, room.clone(), wanted.anchor, wanted.limit);
                self.write(&ClientMessage::History(history));
            }
        }
    }

    fn pump_outbox(&mut self) {
        loop {
            let due = self.outbox.due(|room| self.is_busy(room));
            let mut is_done = true;
            for nonce in due {
                is_done &= self.pump_entry(&nonce);
            }
            if is_done {
                return;
            }
        }
    }

    /// Whether the entry is on its way; if not, it is out of the outbox, and the next one is due.
    fn pump_entry(&mut self, nonce: &Nonce) -> bool {
        let Some(entry) = self.outbox.entry(nonce) else { return true };
        let (id, room, nonce) = (self.last_id + 1, entry.room.clone(), nonce.clone());
        let message = match entry.act.clone() {
            Act::Send { text, reply } => {
                ClientMessage::Send(Send { id, room: room.clone(), nonce, text, reply })
            }
            Act::Change { m, op, text, emoji } => {
                let room = room.clone();
                ClientMessage::Change(Change { id, room, m, nonce, op, text, emoji })
            }
        };
        let text = serde_json::to_string(&message).unwrap_or_default();
        if text.len() > self.limits.frame_bytes as usize {
            // The server would close the connection, on each attempt anew.
            let nonce = entry.nonce.clone();
            if let Some(entry) = self.outbox.remove(&nonce) {
                let (code, msg) = (ErrorCode::TooBig, "longer than a frame may be".into());
                self.notice(Notice::Refused { entry, code, msg });
            }
            return false;
        }
        entry.in_flight = true;
        let flight = Flight::Entry(room, entry.nonce.clone());
        self.depart(flight);
        self.outputs.push_back(Output::Write(text));
        true
    }

    fn pump_reads(&mut self) {
        if self.reads.is_empty() {
            return;
        }
        for (room, seq) in std::mem::take(&mut self.reads) {
            let is_told =
                |flight: &Flight| matches!(flight, Flight::Read(told, _) if *told == room);
            if self.flights.values().any(is_told) {
                // Positions merge while one is on its way.
                self.reads.insert(room, seq);
            } else {
                let id = self.depart(Flight::Read(room.clone(), seq));
                self.write(&ClientMessage::Read(Read { id, room, seq }));
            }
        }
    }

    /// The server wants us to wait: with all, or with one room's outbox.
    pub(super) fn pause(&mut self, room: Option<&RoomId>, retry: Option<u64>, now: u64) {
        let until = now.saturating_add(retry.unwrap_or(RETRY_MS).clamp(1, WAIT_MS_MAX));
        match room {
            None => self.paused_until = self.paused_until.max(Some(until)),
            Some(room) => {
                self.room_paused_until.insert(room.clone(), until);
            }
        }
        self.notice(Notice::Paused { room: room.cloned(), until });
    }

    /// When something that waits may go on: no room does before all do.
    pub(super) fn resume_at(&self) -> Option<u64> {
        self.paused_until.or_else(|| self.room_paused_until.values().copied().min())
    }

    /// When a server that says nothing counts as gone: it asks after `ping`, and what it says
    /// needs time.
    pub(super) fn silent_at(&self) -> u64 {
        self.heard.saturating_add(self.ping.saturating_mul(2)).saturating_add(SILENT_MS)
    }

    pub(super) fn write(&mut self, message: &ClientMessage) {
        // Text, numbers and lists always have a JSON.
        if let Ok(text) = serde_json::to_string(message) {
            self.outputs.push_back(Output::Write(text));
        }
    }

    fn depart(&mut self, flight: Flight) -> u64 {
        self.last_id += 1;
        self.flights.insert(self.last_id, flight);
        self.last_id
    }

    /// Whether the room's next entry has to wait.
    fn is_busy(&self, room: &RoomId) -> bool {
        self.room_paused_until.contains_key(room)
            || self
                .flights
                .values()
                .any(|flight| matches!(flight, Flight::Entry(held, _) if held == room))
    }
}

/// How long to wait if the server doesn't say.
const RETRY_MS: u64 = 1_000;

/// A server can't make us wait for longer, whatever it says.
pub(super) const WAIT_MS_MAX: u64 = 10 * 60_000;

/// What a server has on top of two pings.
const SILENT_MS: u64 = 10_000;
