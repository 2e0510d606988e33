//! One room's feed: its recent events, and who has all of them.

use super::published::{Batch, ENCODINGS, Encoder, Encoding, Published, weight};
use super::reader::{Place, Readers};
use super::{BATCH_BYTES_MAX, Cut, Rest};
use damso_chat::{Event, Op};
use damso_protocol::RoomId;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A room's recent events and its live subscribers.
pub(super) struct Feed {
    pub room: RoomId,
    pub ring: VecDeque<Arc<Published>>,
    pub ring_bytes: usize,
    /// The `seq` of the newest event in the ring, or of the one before the ring's first.
    pub head: u64,
    /// Live readers have everything up to here. `flushed <= head`.
    pub flushed: u64,
    /// Slots of live readers, by encoding; dense, in no order.
    pub live: [Vec<u32>; ENCODINGS.len()],
    /// Live or behind.
    pub readers: usize,
    /// Where the next fan-out starts, so that nobody is always last.
    pub rotation: usize,
    /// What is pending waits until then at most; see [`Feed::may_wait`].
    pub waits_until: Option<Instant>,
}

/// A flush to so many live readers takes a while, and is worth a wait for what could go along.
const LARGE: usize = 256;
/// How long that is at most: far less than the flush to a thousand, which it may spare.
const WAIT: Duration = Duration::from_millis(1);

impl Feed {
    /// Whether a flush at `now` had better wait for what the hub is about to say. To a thousand
    /// readers a flush takes ms: what comes back right after it was begun waits for all of it, and
    /// then for a flush of its own.
    pub fn may_wait(&mut self, now: Instant) -> bool {
        let live: usize = self.live.iter().map(Vec::len).sum();
        live >= LARGE && now < *self.waits_until.get_or_insert(now + WAIT)
    }

    /// Whether there is an event that everybody live has, besides the last one.
    pub fn can_trim(&self) -> bool {
        self.ring.len() as u64 > (self.head - self.flushed).max(1)
    }

    /// A message was deleted: it and its edits go on without their text. Returns the bytes that
    /// the ring costs less.
    pub fn forget_text(&mut self, m: u64) -> usize {
        let from = m.saturating_sub(self.first()) as usize;
        let mut less = 0;
        for published in self.ring.range_mut(from.min(self.ring.len())..) {
            // Few are concerned, and a copy costs far more than a look.
            let is_concerned = match &*published.event {
                Event::Message(message) => message.seq == m && message.text.is_some(),
                Event::Changed(change) => change.m == m && matches!(change.op, Op::Edit(Some(_))),
                _ => false,
            };
            if !is_concerned {
                continue;
            }
            let mut event = (*published.event).clone();
            match &mut event {
                Event::Message(message) if message.seq == m => message.text = None,
                Event::Changed(change) if change.m == m && matches!(change.op, Op::Edit(_)) => {
                    change.op = Op::Edit(None);
                }
                _ => continue,
            }
            if let Some(without) = Published::new(Arc::new(event)) {
                less += weight(published) - weight(&without);
                *published = Arc::new(without);
            }
        }
        self.ring_bytes -= less;
        less
    }

    /// Puts events of the log before the ring's first, if they end there and cost at most
    /// `bytes_max`. Returns the bytes that the ring costs more.
    pub fn backfill(&mut self, events: &[Event], bytes_max: usize) -> usize {
        let end = events.last().and_then(Event::place).map(|(_, seq)| seq + 1);
        let made = events.iter().map(|event| Published::new(Arc::new(event.clone())));
        if end != Some(self.first()) {
            return 0;
        }
        let Some(made) = made.collect::<Option<Vec<_>>>() else { return 0 };
        let before = self.ring_bytes;
        let more: usize = made.iter().map(weight).sum();
        if more > bytes_max {
            return 0;
        }
        made.into_iter().rev().for_each(|published| self.ring.push_front(Arc::new(published)));
        self.ring_bytes += more;
        // What was deleted since they were read goes on without its text.
        let deleted: Vec<u64> =
            self.ring.iter().filter_map(|later| deleted(&later.event)).collect();
        for m in deleted {
            self.forget_text(m);
        }
        self.ring_bytes - before
    }

    /// The `seq` of the oldest event in the ring, or the next one if it is empty.
    pub fn first(&self) -> u64 {
        self.head + 1 - self.ring.len() as u64
    }

    /// Everything from `next` to `last`, up to a cap, as one contiguous piece; and the `seq` after
    /// it. Both must be in the ring.
    pub fn gather<'a>(
        &'a self,
        next: u64,
        last: u64,
        encoding: Encoding,
        encoder: &mut Encoder,
        scratch: &'a mut Vec<u8>,
    ) -> (u64, Batch<'a>) {
        let from = (next - self.first()) as usize;
        if next == last {
            return (next + 1, Batch::whole(self.ring[from].frame(encoding, encoder)));
        }
        scratch.clear();
        let mut end = next;
        for published in self.ring.range(from..=(last - self.first()) as usize) {
            let frame = published.frame(encoding, encoder);
            if !scratch.is_empty() && scratch.len() + frame.len() > BATCH_BYTES_MAX {
                break;
            }
            scratch.extend_from_slice(frame);
            end += 1;
        }
        (end, Batch::of(scratch))
    }

    /// Where a reader stands that took `taken` bytes of what begins with `next`.
    pub fn locate(
        &self,
        next: u64,
        taken: usize,
        encoding: Encoding,
        encoder: &mut Encoder,
    ) -> Cut {
        let from = (next - self.first()) as usize;
        let frames = self.ring.range(from..).map(|published| published.frame(encoding, encoder));
        locate(frames, next, taken)
    }

    pub fn join(&mut self, slot: u32, encoding: Encoding) -> Place {
        let live = &mut self.live[encoding as usize];
        live.push(slot);
        // There are fewer sockets in a process than a u32 can count.
        Place::Live((live.len() - 1) as u32)
    }

    /// Takes a live reader out of the array.
    pub fn drop_out(
        &mut self,
        slot: u32,
        encoding: Encoding,
        readers: &mut Readers,
        own_index: u32,
    ) {
        let place = readers.cursor(slot, own_index).map(|cursor| cursor.place);
        if let Some(Place::Live(position)) = place {
            self.leave(position, encoding, readers, own_index);
        }
    }

    /// Takes the entry at `position` out of the live array and tells the reader that moves into
    /// its place.
    pub fn leave(
        &mut self,
        position: u32,
        encoding: Encoding,
        readers: &mut Readers,
        own_index: u32,
    ) {
        let live = &mut self.live[encoding as usize];
        live.swap_remove(position as usize);
        if let Some(&moved) = live.get(position as usize)
            && let Some(cursor) = readers.cursor(moved, own_index)
        {
            cursor.place = Place::Live(position);
        }
    }

    pub fn trim(&mut self, bytes_max: usize) {
        while self.ring_bytes > bytes_max && self.can_trim() {
            if let Some(oldest) = self.ring.pop_front() {
                self.ring_bytes -= weight(&oldest);
            }
        }
    }
}

/// The message that an event deletes.
pub(super) fn deleted(event: &Event) -> Option<u64> {
    match event {
        Event::Changed(change) if change.op == Op::Delete => Some(change.m),
        _ => None,
    }
}

/// Where a reader stands that took `taken` bytes of these frames, of which the first one is that
/// of the event `next`.
pub(super) fn locate<'a>(
    frames: impl IntoIterator<Item = &'a Arc<[u8]>>,
    mut next: u64,
    mut taken: usize,
) -> Cut {
    for frame in frames {
        if taken == 0 {
            break;
        }
        next += 1;
        if taken < frame.len() {
            return Cut { next, rest: Some(Rest { frame: frame.clone(), taken }) };
        }
        taken -= frame.len();
    }
    Cut { next, rest: None }
}
