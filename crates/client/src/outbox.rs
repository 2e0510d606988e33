//! What the user said and changed, until it is durable and shown.

use damso_protocol::v1::ChangeOp;
use damso_protocol::{Nonce, RoomId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What the user did.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Act {
    /// Said something.
    Send {
        /// What.
        text: Arc<str>,
        /// The message it answers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reply: Option<u64>,
    },
    /// Changed a message.
    Change {
        /// The message.
        m: u64,
        /// What changes.
        op: ChangeOp,
        /// What it says from now on, for an edit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<Arc<str>>,
        /// With what, for a reaction.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        emoji: Option<Arc<str>>,
    },
}

/// Something on its way into a room's log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Entry {
    /// Which room.
    pub room: RoomId,
    /// What it is called for ever, however often it is sent.
    pub nonce: Nonce,
    /// What it is.
    #[serde(flatten)]
    pub act: Act,
    /// It was sent on this connection, and the answer is awaited.
    pub in_flight: bool,
    /// It is durable at this place, and is shown here until its event arrives.
    pub acked: Option<u64>,
}

/// Entries in the order in which the user made them.
#[derive(Default, Debug)]
pub(crate) struct Outbox {
    entries: Vec<Entry>,
}

impl Outbox {
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(crate) fn push(&mut self, room: RoomId, nonce: Nonce, act: Act) {
        self.entries.push(Entry { room, nonce, act, in_flight: false, acked: None });
    }

    pub(crate) fn position(&self, nonce: &Nonce) -> Option<usize> {
        self.entries.iter().position(|entry| entry.nonce == *nonce)
    }

    pub(crate) fn entry(&mut self, nonce: &Nonce) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.nonce == *nonce)
    }

    pub(crate) fn remove(&mut self, nonce: &Nonce) -> Option<Entry> {
        self.position(nonce).map(|at| self.entries.remove(at))
    }

    /// The connection is gone: whatever it carried will be sent again.
    pub(crate) fn disconnected(&mut self) {
        for entry in &mut self.entries {
            entry.in_flight = false;
        }
    }

    /// What the room shows by itself needn't be shown here.
    pub(crate) fn shown(&mut self, room: &RoomId, last: u64) {
        self.entries
            .retain(|entry| entry.room != *room || entry.acked.is_none_or(|acked| acked > last));
    }

    /// What is durable needn't be kept: nobody will show it.
    pub(crate) fn drop_acked(&mut self, room: Option<&RoomId>) {
        self.entries
            .retain(|entry| entry.acked.is_none() || room.is_some_and(|room| entry.room != *room));
    }

    /// Takes out what isn't durable of a room that can't be had.
    pub(crate) fn take_room(&mut self, room: &RoomId) -> Vec<Entry> {
        let (out, kept) =
            std::mem::take(&mut self.entries).into_iter().partition(|entry| entry.room == *room);
        self.entries = kept;
        out
    }

    /// The first entry of each room that may be sent now.
    pub(crate) fn due(&self, is_busy: impl Fn(&RoomId) -> bool) -> Vec<Nonce> {
        let mut rooms: Vec<&RoomId> = Vec::new();
        let mut due = Vec::new();
        for entry in &self.entries {
            if entry.acked.is_some() || rooms.contains(&&entry.room) {
                continue;
            }
            rooms.push(&entry.room);
            if !entry.in_flight && !is_busy(&entry.room) {
                due.push(entry.nonce.clone());
            }
        }
        due
    }
}
