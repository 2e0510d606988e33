//! From an event to bytes, and from bytes to every subscriber of its room.
//!
//! A shard keeps a feed for each room with local subscribers: a ring of recent events, each
//! encoded at most once per encoding, by whoever needs it first. A subscriber is a cursor, not a
//! queue: it is *live* (has everything up to the head) or *behind* (with the next `seq` it
//! hasn't got). All that one iteration of the engine brings for a room is one contiguous batch,
//! and a live subscriber gets it in one send. One that takes only a part of it is behind from
//! then on: what it has cost is a place in an array and, where the cut fell inside a frame, a
//! reference to that one frame. When its socket drains it is fed from the ring, as fast as it
//! reads, until it is live again.
//!
//! Nothing here knows sockets: bytes go through an [`Outlet`].

mod published;
mod reader;
mod ring;

pub use published::{Batch, Encoding, Published};

use crate::metrics::ShardFigures;
use damso_chat::Event;
use damso_protocol::RoomId;
use damso_protocol::id::Map;
use damso_websocket::frame;
use published::{ENCODINGS, Encoder, weight};
use reader::{Cursor, Place, Readers};
use ring::{Feed, deleted, locate};
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

/// The most that goes to one subscriber in one send, in bytes. A cap by bytes, never by messages:
/// fewer sends is what makes fan-out cheap.
const BATCH_BYTES_MAX: usize = 256 * 1024;

/// The rest of a frame whose beginning a socket took: nothing else may go out before it.
#[derive(Debug)]
pub struct Rest {
    frame: Arc<[u8]>,
    taken: usize,
}

impl Rest {
    /// Sends what is left; whether that was all.
    pub fn send(&mut self, slot: u32, outlet: &mut impl Outlet) -> bool {
        self.taken += outlet.send(slot, &Batch::of(&self.frame[self.taken..]));
        self.taken == self.frame.len()
    }
}

/// Where a reader stands after a send that was cut short.
struct Cut {
    /// The `seq` it needs next.
    next: u64,
    rest: Option<Rest>,
}

/// Where a shard's bytes go.
pub trait Outlet {
    /// Offers a batch to a slot's socket; how many of its bytes were taken. A socket that is gone
    /// takes everything: its owner learns of the end in another way.
    fn send(&mut self, slot: u32, batch: &Batch<'_>) -> usize;

    /// Offers one batch to many slots' sockets. Of those that take less than all of it, slot and
    /// bytes taken are appended to `cuts`.
    fn send_to_all(&mut self, slots: &[u32], batch: &Batch<'_>, cuts: &mut Vec<(u32, usize)>) {
        for &slot in slots {
            let taken = self.send(slot, batch);
            if taken < batch.bytes().len() {
                cuts.push((slot, taken));
            }
        }
    }
}

/// How far [`Feeds::resume`] came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resumed {
    /// The reader has everything and is live in all its rooms.
    Live,
    /// Its socket is full again; go on when it drains.
    Blocked,
    /// What it needs next has left the ring, and its encoding has no other source.
    FellOff,
}

/// Events that have left a ring and that a reader needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// Whose socket.
    pub slot: u32,
    /// Of which room.
    pub room: RoomId,
    /// The last `seq` that the reader has.
    pub after: u64,
    /// The last one that is wanted.
    pub to: u64,
}

/// Where a subscription begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Start {
    /// The first `seq` that the reader hasn't got.
    pub next: u64,
    /// The room's last `seq`.
    pub head: u64,
    /// The reader gets nothing of the room until [`Feeds::release`] with this number.
    pub hold: Option<u64>,
}

/// All feeds of one shard, and who reads them.
pub struct Feeds {
    feeds: Vec<Option<Feed>>,
    by_room: Map<RoomId, u32>,
    readers: Readers,
    /// Feeds with events that aren't flushed yet, each once.
    dirty: Vec<u32>,
    /// Readers that couldn't take all of the last flush.
    blocked: Vec<u32>,
    /// What is to be read from the log.
    wanted: Vec<Wanted>,
    /// What all rings cost, and may cost, in bytes.
    ring_bytes: usize,
    encoder: Encoder,
    scratch: Vec<u8>,
    ring_bytes_max: usize,
    /// Events that were handed to sockets.
    delivered: u64,
    /// Readers that are blocked.
    behind: u64,
}

impl Feeds {
    /// No feeds yet; all rings together will keep about `ring_bytes_max` bytes.
    pub fn new(ring_bytes_max: usize) -> Self {
        Self {
            feeds: Vec::new(),
            by_room: Map::default(),
            readers: Readers::default(),
            dirty: Vec::new(),
            blocked: Vec::new(),
            wanted: Vec::new(),
            ring_bytes: 0,
            encoder: Encoder::default(),
            scratch: Vec::new(),
            ring_bytes_max,
            delivered: 0,
            behind: 0,
        }
    }

    /// Shows what was delivered so far, and to how many nothing can be at present.
    pub fn show(&self, figures: &ShardFigures) {
        figures.deliveries.show(self.delivered);
        figures.behind.show(self.behind);
    }

    /// Lets `slot` read `room` from there on, whatever it read of it before. Pending events go out
    /// first, so that nobody gets one too many or too few.
    pub fn subscribe(
        &mut self,
        slot: u32,
        encoding: Encoding,
        room: &RoomId,
        Start { next, head, hold }: Start,
        outlet: &mut impl Outlet,
    ) {
        self.unsubscribe(slot, room, outlet);
        let index = match self.by_room.get(room) {
            Some(&index) => index,
            None => self.add_feed(room.clone(), head),
        };
        self.flush_feed(index, outlet);
        let reader = self.readers.get_or_begin(slot, encoding);
        let Some(feed) = &mut self.feeds[index as usize] else { return };
        feed.readers += 1;
        // A room's log has no hole, and the way from the hub to here keeps its order.
        debug_assert_eq!(feed.head, head);
        let place = match hold {
            Some(_) => Place::Held(next),
            None if reader.blocked || next <= feed.head => Place::Behind(next),
            None => feed.join(slot, reader.encoding),
        };
        reader.begin(index, place, hold);
    }

    /// Lets `slot` read `room` no more. Pending events go out first.
    pub fn unsubscribe(&mut self, slot: u32, room: &RoomId, outlet: &mut impl Outlet) {
        let Some(&index) = self.by_room.get(room) else { return };
        self.flush_feed(index, outlet);
        let Some(reader) = self.readers.get_mut(slot) else { return };
        let encoding = reader.encoding;
        if let Some(cursor) = reader.end(index) {
            self.leave_feed(&cursor, encoding);
        }
    }

    /// Lets `slot` go on with `room`, if it is held by this number.
    pub fn release(&mut self, slot: u32, room: &RoomId, hold: u64) {
        if let Some(&index) = self.by_room.get(room)
            && let Some(reader) = self.readers.get_mut(slot)
        {
            reader.release(index, hold);
        }
    }

    /// Forgets a slot. It may still have the rest of a frame to take: that comes back.
    pub fn remove(&mut self, slot: u32) -> Option<Rest> {
        let reader = self.readers.remove(slot)?;
        self.behind -= u64::from(reader.blocked);
        for cursor in &reader.cursors {
            self.leave_feed(cursor, reader.encoding);
        }
        reader.into_rest()
    }

    fn leave_feed(&mut self, cursor: &Cursor, encoding: Encoding) {
        let Some(feed) = &mut self.feeds[cursor.feed as usize] else { return };
        feed.readers -= 1;
        if let Place::Live(index) = cursor.place {
            feed.leave(index, encoding, &mut self.readers, cursor.feed);
        }
        if feed.readers == 0 {
            self.ring_bytes -= feed.ring_bytes;
            self.by_room.remove(&feed.room);
            self.feeds[cursor.feed as usize] = None;
            self.dirty.retain(|pending| *pending != cursor.feed);
        }
    }

    /// Takes in an event; it goes out with the next [`Feeds::flush`].
    pub fn deliver(&mut self, published: Arc<Published>) {
        let Some(&index) = self.by_room.get(&published.room) else { return };
        let Some(feed) = &mut self.feeds[index as usize] else { return };
        // A room's log has no hole, and the way from the hub to here keeps its order.
        debug_assert_eq!(published.seq, feed.head + 1);
        if feed.head == feed.flushed {
            self.dirty.push(index);
        }
        if let Some(m) = deleted(&published.event) {
            self.ring_bytes -= feed.forget_text(m);
        }
        feed.head = published.seq;
        let weight = weight(&published);
        feed.ring_bytes += weight;
        self.ring_bytes += weight;
        feed.ring.push_back(published);
    }

    /// Sends a text to the room's live readers of damso.v1: to those who have everything else,
    /// and to them only if their sockets take it.
    pub fn mention(&mut self, room: &RoomId, text: &str, outlet: &mut impl Outlet) {
        let Some(&index) = self.by_room.get(room) else { return };
        self.flush_feed(index, outlet);
        let Some(feed) = &mut self.feeds[index as usize] else { return };
        let mut bytes = Vec::new();
        frame::server_text(&mut bytes, text);
        let (batch, mut short) = (Batch::of(&bytes), Vec::new());
        for encoding in [Encoding::V1, Encoding::V1Deflated] {
            let mut cuts = Vec::new();
            outlet.send_to_all(&feed.live[encoding as usize], &batch, &mut cuts);
            for (slot, taken) in cuts {
                feed.drop_out(slot, encoding, &mut self.readers, index);
                // Of what wasn't begun nothing is owed.
                let rest = (taken > 0).then(|| Rest { frame: batch.shared(), taken });
                short.push((slot, Cut { next: feed.flushed + 1, rest }));
            }
        }
        self.cut_short(index, short);
    }

    /// What is to be read from the log, since it was asked last.
    pub fn take_wanted(&mut self) -> Vec<Wanted> {
        std::mem::take(&mut self.wanted)
    }

    /// Feeds a reader with events from the log, which begin after `after`. What it doesn't take
    /// now is asked for again when its socket drains, so that it costs nothing meanwhile. Returns
    /// whether the log still had what the reader needs.
    pub fn feed(
        &mut self,
        slot: u32,
        room: &RoomId,
        after: u64,
        events: &[Event],
        outlet: &mut impl Outlet,
    ) -> bool {
        let Some(&index) = self.by_room.get(room) else { return true };
        let Some(reader) = self.readers.get_mut(slot) else { return true };
        // Its socket has filled up meanwhile, or there is something to finish first.
        let (encoding, waits) = (reader.encoding, reader.blocked || reader.rest().is_some());
        let Some(cursor) = reader.cursor(index) else { return true };
        let Place::Fetching(next) = cursor.place else { return true };
        if next != after + 1 {
            return true;
        }
        if events.first().and_then(Event::place).is_none_or(|(_, seq)| seq != next) {
            return false;
        }
        cursor.place = Place::Behind(next);
        if let Some(feed) = &mut self.feeds[index as usize]
            && (next >= feed.first() || self.ring_bytes < self.ring_bytes_max)
        {
            // Others who come back will need the same: from the ring each event is written once
            // for all of them, this one too.
            self.ring_bytes +=
                feed.backfill(events, self.ring_bytes_max.saturating_sub(self.ring_bytes));
            if next >= feed.first() {
                return true;
            }
        }
        if waits {
            return true;
        }
        let frames = events.iter().map(|event| self.encoder.frame(event, encoding));
        let frames: Vec<Arc<[u8]>> = frames.collect();
        let mut frames = &frames[..];
        let mut next = next;
        while let Some(first) = frames.first() {
            self.scratch.clear();
            self.scratch.extend_from_slice(first);
            let mut count = 1;
            for frame in &frames[1..] {
                if self.scratch.len() + frame.len() > BATCH_BYTES_MAX {
                    break;
                }
                self.scratch.extend_from_slice(frame);
                count += 1;
            }
            let (batch, rest) = frames.split_at(count);
            let taken = outlet.send(slot, &Batch::of(&self.scratch));
            if taken < self.scratch.len() {
                let cut = locate(batch, next, taken);
                self.delivered += cut.next - next;
                cursor.place = Place::Behind(cut.next);
                reader.set_rest(cut.rest);
                self.block(slot);
                self.blocked.push(slot);
                return true;
            }
            next += count as u64;
            self.delivered += count as u64;
            frames = rest;
        }
        cursor.place = Place::Behind(next);
        true
    }

    /// Sends what is pending to every live reader, small rooms first: they don't wait behind
    /// large ones. Returns the slots whose sockets are full now.
    pub fn flush(&mut self, outlet: &mut impl Outlet) -> Vec<u32> {
        for index in self.take_dirty() {
            self.flush_feed(index, outlet);
        }
        std::mem::take(&mut self.blocked)
    }

    /// The same, but that the flush of a large room may wait while the hub is asked something, until
    /// [`Feeds::due`] at most.
    pub fn flush_due(
        &mut self,
        outlet: &mut impl Outlet,
        now: Instant,
        hub_is_asked: bool,
    ) -> Vec<u32> {
        for index in self.take_dirty() {
            let Some(feed) = &mut self.feeds[index as usize] else { continue };
            if hub_is_asked && feed.may_wait(now) {
                self.dirty.push(index);
            } else {
                self.flush_feed(index, outlet);
            }
        }
        std::mem::take(&mut self.blocked)
    }

    /// When [`Feeds::flush_due`] has something to send that waits now.
    pub fn due(&self) -> Option<Instant> {
        let waiting = self.dirty.iter().filter_map(|index| self.feeds[*index as usize].as_ref());
        waiting.filter_map(|feed| feed.waits_until).min()
    }

    fn take_dirty(&mut self) -> Vec<u32> {
        let mut dirty = std::mem::take(&mut self.dirty);
        if dirty.len() > 1 {
            dirty.sort_by_key(|&index| {
                self.feeds[index as usize].as_ref().map_or(0, |feed| feed.readers)
            });
        }
        dirty
    }

    /// The socket of `slot` took less than it was given: until [`Feeds::resume`] nothing is
    /// sent to it from here.
    pub fn block(&mut self, slot: u32) {
        let Some(reader) = self.readers.get_mut(slot) else { return };
        if std::mem::replace(&mut reader.blocked, true) {
            return;
        }
        self.behind += 1;
        for at in 0..reader.cursors.len() {
            // The map is borrowed anew each time, since leaving moves another reader's place.
            let Some(reader) = self.readers.get_mut(slot) else { return };
            let (encoding, cursor) = (reader.encoding, &mut reader.cursors[at]);
            let (index, place) = (cursor.feed, cursor.place);
            let Some(feed) = &mut self.feeds[index as usize] else { continue };
            if let Place::Live(position) = place {
                cursor.place = Place::Behind(feed.flushed + 1);
                feed.leave(position, encoding, &mut self.readers, index);
            }
        }
    }

    /// Sends the rest of a frame that `slot` has taken the beginning of; whether nothing of it
    /// is left, so that other bytes may follow.
    pub fn finish_frame(&mut self, slot: u32, outlet: &mut impl Outlet) -> bool {
        let Some(reader) = self.readers.get_mut(slot) else { return true };
        let Some(rest) = reader.rest() else { return true };
        if !rest.send(slot, outlet) {
            return false;
        }
        reader.set_rest(None);
        true
    }

    /// Feeds a reader from the rings until it is live or its socket is full. To be called after
    /// [`Feeds::flush`], when its socket has room.
    pub fn resume(&mut self, slot: u32, outlet: &mut impl Outlet) -> Resumed {
        if !self.finish_frame(slot, outlet) {
            return Resumed::Blocked;
        }
        let Some(reader) = self.readers.get_mut(slot) else { return Resumed::Live };
        let encoding = reader.encoding;
        let mut full = false;
        'rooms: for cursor in &mut reader.cursors {
            let Place::Behind(mut next) = cursor.place else { continue };
            let Some(feed) = &mut self.feeds[cursor.feed as usize] else { continue };
            // What isn't flushed yet comes to it with everybody else's.
            if next < feed.first() {
                if !encoding.is_resumable() {
                    return Resumed::FellOff;
                }
                let (room, after, to) = (feed.room.clone(), next - 1, feed.flushed);
                self.wanted.push(Wanted { slot, room, after, to });
                cursor.place = Place::Fetching(next);
                continue;
            }
            while next <= feed.flushed {
                let (end, batch) =
                    feed.gather(next, feed.flushed, encoding, &mut self.encoder, &mut self.scratch);
                let (len, taken) = (batch.bytes().len(), outlet.send(slot, &batch));
                if taken < len {
                    let cut = feed.locate(next, taken, encoding, &mut self.encoder);
                    self.delivered += cut.next - next;
                    cursor.place = Place::Behind(cut.next);
                    reader.set_rest(cut.rest);
                    full = true;
                    break 'rooms;
                }
                self.delivered += end - next;
                next = end;
            }
            cursor.place = feed.join(slot, encoding);
        }
        self.behind -= u64::from(std::mem::take(&mut reader.blocked));
        if full {
            // It may have become live in the rooms before this one, and can't take theirs either.
            self.block(slot);
            return Resumed::Blocked;
        }
        Resumed::Live
    }

    fn add_feed(&mut self, room: RoomId, head: u64) -> u32 {
        let feed = Feed {
            room: room.clone(),
            ring: VecDeque::new(),
            ring_bytes: 0,
            head,
            flushed: head,
            live: [const { Vec::new() }; ENCODINGS.len()],
            readers: 0,
            rotation: 0,
            waits_until: None,
        };
        let index = self.feeds.iter().position(Option::is_none).unwrap_or_else(|| {
            self.feeds.push(None);
            self.feeds.len() - 1
        });
        self.feeds[index] = Some(feed);
        // There are fewer rooms in a process than a u32 can count.
        let index = index as u32;
        self.by_room.insert(room, index);
        index
    }

    fn flush_feed(&mut self, index: u32, outlet: &mut impl Outlet) {
        let Some(feed) = &mut self.feeds[index as usize] else { return };
        if feed.head == feed.flushed {
            return;
        }
        self.dirty.retain(|pending| *pending != index);
        let mut short: Vec<(u32, Cut)> = Vec::new();
        for encoding in ENCODINGS {
            let mut next = feed.flushed + 1;
            while next <= feed.head && !feed.live[encoding as usize].is_empty() {
                let (end, batch) =
                    feed.gather(next, feed.head, encoding, &mut self.encoder, &mut self.scratch);
                let live = &feed.live[encoding as usize];
                // Once for all of them; what was cut is taken off again.
                self.delivered += live.len() as u64 * (end - next);
                let (before, after) = live.split_at(feed.rotation % live.len());
                let mut cuts = Vec::new();
                outlet.send_to_all(after, &batch, &mut cuts);
                outlet.send_to_all(before, &batch, &mut cuts);
                for (slot, taken) in cuts {
                    let cut = feed.locate(next, taken, encoding, &mut self.encoder);
                    self.delivered -= end - cut.next;
                    // Out of the array now, so that it doesn't get this flush's next batch.
                    feed.drop_out(slot, encoding, &mut self.readers, index);
                    short.push((slot, cut));
                }
                next = end;
            }
        }
        feed.rotation = feed.rotation.wrapping_add(1);
        feed.flushed = feed.head;
        feed.waits_until = None;
        self.cut_short(index, short);
        self.trim();
    }

    /// Notes where readers stand whose sockets took less than they were given.
    fn cut_short(&mut self, index: u32, short: Vec<(u32, Cut)>) {
        for (slot, cut) in short {
            if let Some(reader) = self.readers.get_mut(slot) {
                if let Some(cursor) = reader.cursor(index) {
                    cursor.place = Place::Behind(cut.next);
                }
                reader.set_rest(cut.rest);
            }
            self.block(slot);
            self.blocked.push(slot);
        }
    }

    /// Drops what is oldest in the largest rings once all together are too large. An event that
    /// isn't flushed yet stays.
    fn trim(&mut self) {
        if self.ring_bytes <= self.ring_bytes_max {
            return;
        }
        // Some more at once, so that few flushes have to look for the largest ones.
        let goal = self.ring_bytes_max - self.ring_bytes_max / 64;
        let rings = self.feeds.iter().enumerate().filter_map(|(index, feed)| {
            let feed = feed.as_ref().filter(|feed| feed.can_trim())?;
            Some((feed.ring_bytes, index))
        });
        let mut largest: BinaryHeap<(usize, usize)> = rings.collect();
        while self.ring_bytes > goal
            && let Some((before, index)) = largest.pop()
        {
            let Some(feed) = &mut self.feeds[index] else { continue };
            // Of one no more than a part, since another may be the largest then.
            feed.trim(before - (before / 16).min(self.ring_bytes - goal));
            self.ring_bytes -= before - feed.ring_bytes;
            if feed.can_trim() {
                largest.push((feed.ring_bytes, index));
            }
        }
    }
}

#[cfg(test)]
#[path = "feed_tests.rs"]
pub(crate) mod tests;
