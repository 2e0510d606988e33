//! What a session has to say itself goes along with what its room brings it.
//!
//! Who says something in a room of two gets its `ok` and the message at once: one send for both
//! instead of two is a third of all that is sent there.

use super::Entry;
use crate::feed::{Batch, Outlet};

/// To more readers at once nothing is appended: looking for what each has would cost all of them
/// more than it saves a few.
const READERS_MAX: usize = 64;

/// An outlet that appends a session's own bytes to a feed's batch.
pub(super) struct Piggyback<'a, O> {
    pub outlet: &'a mut O,
    pub entries: &'a mut [Entry],
    pub scratch: &'a mut Vec<u8>,
    /// Slots that took all of a batch and then only a part of their own: these bytes are in the
    /// middle of a frame, and no feed's may follow before [`super::Shard`] has written the rest.
    pub stuck: Vec<u32>,
}

impl<O: Outlet> Piggyback<'_, O> {
    /// The send of a slot that has something of its own; none if it hasn't.
    fn send_both(&mut self, slot: u32, batch: &Batch<'_>) -> Option<usize> {
        if self.stuck.contains(&slot) {
            return Some(0);
        }
        let entry = self.entries.get_mut(slot as usize)?;
        if !entry.touched || entry.slow.is_some() {
            return None;
        }
        // Who is closing has a Close frame in there, and other rooms' batches may still follow.
        let session = entry.session.as_mut();
        let session = session
            .filter(|session| session.encoding().is_some() && !session.output().is_empty())?;
        self.scratch.clear();
        self.scratch.extend_from_slice(batch.bytes());
        self.scratch.extend_from_slice(session.output());
        let taken = self.outlet.send(slot, &Batch::of(self.scratch));
        let (len, all) = (batch.bytes().len(), self.scratch.len());
        if taken > len {
            session.sent(taken - len);
        }
        if taken >= len && taken < all {
            self.stuck.push(slot);
        }
        Some(taken.min(len))
    }
}

impl<O: Outlet> Outlet for Piggyback<'_, O> {
    fn send(&mut self, slot: u32, batch: &Batch<'_>) -> usize {
        self.send_both(slot, batch).unwrap_or_else(|| self.outlet.send(slot, batch))
    }

    fn send_to_all(&mut self, slots: &[u32], batch: &Batch<'_>, cuts: &mut Vec<(u32, usize)>) {
        let mut rest = slots;
        if slots.len() <= READERS_MAX || !self.stuck.is_empty() {
            // Those between two that have something of their own stay together.
            let mut at = 0;
            while let Some(&slot) = rest.get(at) {
                let Some(taken) = self.send_both(slot, batch) else {
                    at += 1;
                    continue;
                };
                if taken < batch.bytes().len() {
                    cuts.push((slot, taken));
                }
                self.outlet.send_to_all(&rest[..at], batch, cuts);
                (rest, at) = (&rest[at + 1..], 0);
            }
        }
        self.outlet.send_to_all(rest, batch, cuts);
    }
}
