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

use crate::dialect::{v1, wire};
use damso_chat::{Event, Op};
use damso_protocol::{RoomId, plain};
use damso_websocket::{deflate::Deflater, frame};
use std::cell::OnceCell;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, OnceLock};

/// The most that goes to one subscriber in one send, in bytes. A cap by bytes, never by messages:
/// fewer sends is what makes fan-out cheap.
const BATCH_BYTES_MAX: usize = 256 * 1024;

/// Lines shorter than this, in bytes, go out as they are even where deflate was agreed: they
/// would hardly shrink.
const DEFLATE_BYTES_MIN: usize = 160;

/// How a subscriber wants its events written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    /// The plain dialect's lines.
    Plain,
    /// The same, where permessage-deflate was agreed.
    PlainDeflated,
    /// damso.v1's objects.
    V1,
    /// The same, where permessage-deflate was agreed.
    V1Deflated,
}

const ENCODINGS: [Encoding; 4] =
    [Encoding::Plain, Encoding::PlainDeflated, Encoding::V1, Encoding::V1Deflated];

impl Encoding {
    fn deflates(self) -> bool {
        matches!(self, Self::PlainDeflated | Self::V1Deflated)
    }

    /// Whether its readers may be fed from the log with what the ring hasn't any more.
    fn is_resumable(self) -> bool {
        matches!(self, Self::V1 | Self::V1Deflated)
    }
}

/// An event on its way out, with the frames that were made of it so far. Shared by all shards.
pub struct Published {
    room: RoomId,
    seq: u64,
    event: Arc<Event>,
    frames: [OnceLock<Arc<[u8]>>; ENCODINGS.len()],
}

impl Published {
    /// Wraps an event for delivery; none if it stands in no room's log.
    pub fn new(event: Arc<Event>) -> Option<Self> {
        let (room, seq) = event.place()?;
        let (room, frames) = (room.clone(), [const { OnceLock::new() }; ENCODINGS.len()]);
        Some(Self { room, seq, event, frames })
    }

    /// What happened.
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// The event as whole frames in one encoding; empty if this encoding has no word for it.
    fn frame(&self, encoding: Encoding, encoder: &mut Encoder) -> &Arc<[u8]> {
        self.frames[encoding as usize].get_or_init(|| encoder.frame(&self.event, encoding))
    }
}

/// Buffers that encoding reuses.
#[derive(Default)]
struct Encoder {
    line: String,
    bytes: Vec<u8>,
    deflater: Option<Deflater>,
}

impl Encoder {
    fn frame(&mut self, event: &Event, encoding: Encoding) -> Arc<[u8]> {
        match encoding {
            Encoding::Plain | Encoding::PlainDeflated => {
                let Event::Message(message) = event else { return Arc::default() };
                let Some(text) = &message.text else { return Arc::default() };
                self.line.clear();
                plain::write_line(&mut self.line, &message.name, text);
            }
            Encoding::V1 | Encoding::V1Deflated => {
                let Some(message) = wire::event(event) else { return Arc::default() };
                self.line = v1::json(&message);
            }
        }
        self.bytes.clear();
        if encoding.deflates() && self.line.len() >= DEFLATE_BYTES_MIN {
            let deflater = self.deflater.get_or_insert_with(|| Deflater::new(6, 15));
            frame::server_text_deflated(&mut self.bytes, &self.line, deflater);
        } else {
            frame::server_text(&mut self.bytes, &self.line);
        }
        Arc::from(&self.bytes[..])
    }
}

/// Bytes for one or many subscribers.
pub struct Batch<'a> {
    bytes: &'a [u8],
    shared: OnceCell<Arc<[u8]>>,
}

impl<'a> Batch<'a> {
    /// Bytes for one subscriber alone.
    pub fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, shared: OnceCell::new() }
    }

    fn whole(frame: &'a Arc<[u8]>) -> Self {
        Self { bytes: frame, shared: OnceCell::from(frame.clone()) }
    }

    /// The bytes, to hand to a socket now.
    pub fn bytes(&self) -> &[u8] {
        self.bytes
    }

    /// The same bytes to keep; copied at most once for all subscribers.
    pub fn shared(&self) -> Arc<[u8]> {
        self.shared.get_or_init(|| Arc::from(self.bytes)).clone()
    }
}

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

/// All feeds of one shard, and who reads them.
pub struct Feeds {
    feeds: Vec<Option<Feed>>,
    by_room: HashMap<RoomId, usize>,
    readers: HashMap<u32, Reader>,
    /// Feeds with events that aren't flushed yet.
    dirty: Vec<usize>,
    /// Readers that couldn't take all of the last flush.
    blocked: Vec<u32>,
    /// What is to be read from the log.
    wanted: Vec<Wanted>,
    /// What all rings cost, and may cost, in bytes.
    ring_bytes: usize,
    encoder: Encoder,
    scratch: Vec<u8>,
    ring_bytes_max: usize,
}

/// A room's recent events and its live subscribers.
struct Feed {
    room: RoomId,
    ring: VecDeque<Arc<Published>>,
    ring_bytes: usize,
    /// The `seq` of the newest event in the ring, or of the one before the ring's first.
    head: u64,
    /// Live readers have everything up to here. `flushed <= head`.
    flushed: u64,
    /// Slots of live readers, by encoding; dense, in no order.
    live: [Vec<u32>; ENCODINGS.len()],
    /// Live or behind.
    readers: usize,
    /// Where the next fan-out starts, so that nobody is always last.
    rotation: usize,
}

struct Reader {
    encoding: Encoding,
    cursors: Vec<Cursor>,
    rest: Option<Rest>,
    /// The last send was short. Then no cursor is live.
    blocked: bool,
}

struct Cursor {
    feed: usize,
    place: Place,
}

#[derive(Clone, Copy)]
enum Place {
    /// Has everything that was flushed; stands at this index of the feed's live array.
    Live(usize),
    /// Needs this `seq` next.
    Behind(u64),
    /// Needs this `seq` next, which was asked of the log.
    Fetching(u64),
    /// Will need this `seq` next, once the answer to the `open` of that id is out.
    Held(u64, u64),
}

impl Feeds {
    /// No feeds yet; all rings together will keep about `ring_bytes_max` bytes.
    pub fn new(ring_bytes_max: usize) -> Self {
        Self {
            feeds: Vec::new(),
            by_room: HashMap::new(),
            readers: HashMap::new(),
            dirty: Vec::new(),
            blocked: Vec::new(),
            wanted: Vec::new(),
            ring_bytes: 0,
            encoder: Encoder::default(),
            scratch: Vec::new(),
            ring_bytes_max,
        }
    }

    /// Lets `slot` read `room`, whose last event is `head`, from `next` on, whatever it read of it
    /// before. Pending events go out first, so that nobody gets one too many or too few. With `hold` it gets nothing of the
    /// room until [`Feeds::release`] with the same number.
    pub fn subscribe(
        &mut self,
        slot: u32,
        encoding: Encoding,
        room: &RoomId,
        next: u64,
        head: u64,
        hold: Option<u64>,
        outlet: &mut impl Outlet,
    ) {
        self.unsubscribe(slot, room, outlet);
        let index = match self.by_room.get(room) {
            Some(&index) => index,
            None => self.add_feed(room.clone(), head),
        };
        self.flush_feed(index, outlet);
        let reader = self.readers.entry(slot).or_insert_with(|| Reader {
            encoding,
            cursors: Vec::with_capacity(1),
            rest: None,
            blocked: false,
        });
        let Some(feed) = &mut self.feeds[index] else { return };
        feed.readers += 1;
        // A room's log has no hole, and the way from the hub to here keeps its order.
        debug_assert_eq!(feed.head, head);
        let place = match hold {
            Some(hold) => Place::Held(next, hold),
            None if reader.blocked || next <= feed.head => Place::Behind(next),
            None => feed.join(slot, reader.encoding),
        };
        reader.cursors.push(Cursor { feed: index, place });
    }

    /// Lets `slot` read `room` no more. Pending events go out first.
    pub fn unsubscribe(&mut self, slot: u32, room: &RoomId, outlet: &mut impl Outlet) {
        let Some(&index) = self.by_room.get(room) else { return };
        self.flush_feed(index, outlet);
        let Some(reader) = self.readers.get_mut(&slot) else { return };
        let Some(at) = reader.cursors.iter().position(|cursor| cursor.feed == index) else {
            return;
        };
        let (cursor, encoding) = (reader.cursors.swap_remove(at), reader.encoding);
        self.leave_feed(&cursor, encoding);
    }

    /// Lets `slot` go on with `room`, if it is held by this number.
    pub fn release(&mut self, slot: u32, room: &RoomId, hold: u64) {
        if let Some(cursor) = self.cursor(slot, room)
            && let Place::Held(next, by) = cursor.place
            && by == hold
        {
            cursor.place = Place::Behind(next);
        }
    }

    /// Forgets a slot. It may still have the rest of a frame to take: that comes back.
    pub fn remove(&mut self, slot: u32) -> Option<Rest> {
        let reader = self.readers.remove(&slot)?;
        for cursor in &reader.cursors {
            self.leave_feed(cursor, reader.encoding);
        }
        reader.rest
    }

    fn leave_feed(&mut self, cursor: &Cursor, encoding: Encoding) {
        let Some(feed) = &mut self.feeds[cursor.feed] else { return };
        feed.readers -= 1;
        if let Place::Live(index) = cursor.place {
            feed.leave(index, encoding, &mut self.readers, cursor.feed);
        }
        if feed.readers == 0 {
            self.ring_bytes -= feed.ring_bytes;
            self.by_room.remove(&feed.room);
            self.feeds[cursor.feed] = None;
        }
    }

    fn cursor(&mut self, slot: u32, room: &RoomId) -> Option<&mut Cursor> {
        let index = self.by_room.get(room)?;
        let reader = self.readers.get_mut(&slot)?;
        reader.cursors.iter_mut().find(|cursor| cursor.feed == *index)
    }

    /// Takes in an event; it goes out with the next [`Feeds::flush`].
    pub fn deliver(&mut self, published: Arc<Published>) {
        let Some(&index) = self.by_room.get(&published.room) else { return };
        let Some(feed) = &mut self.feeds[index] else { return };
        // A room's log has no hole, and the way from the hub to here keeps its order.
        debug_assert_eq!(published.seq, feed.head + 1);
        if feed.head == feed.flushed {
            self.dirty.push(index);
        }
        if let Event::Changed(change) = &*published.event
            && change.op == Op::Delete
        {
            self.ring_bytes -= feed.forget_text(change.m);
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
        let Some(feed) = &self.feeds[index] else { return };
        let mut bytes = Vec::new();
        frame::server_text(&mut bytes, text);
        let (batch, mut short) = (Batch::of(&bytes), Vec::new());
        for encoding in [Encoding::V1, Encoding::V1Deflated] {
            for &slot in &feed.live[encoding as usize] {
                let taken = outlet.send(slot, &batch);
                if taken < bytes.len() {
                    // Of what wasn't begun nothing is owed.
                    let rest = (taken > 0).then(|| Rest { frame: batch.shared(), taken });
                    short.push((slot, Cut { next: feed.flushed + 1, rest }));
                }
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
        let Some(reader) = self.readers.get_mut(&slot) else { return true };
        let Some(cursor) = reader.cursors.iter_mut().find(|cursor| cursor.feed == index) else {
            return true;
        };
        let Place::Fetching(next) = cursor.place else { return true };
        if next != after + 1 {
            return true;
        }
        if events.first().and_then(Event::place).is_none_or(|(_, seq)| seq != next) {
            return false;
        }
        cursor.place = Place::Behind(next);
        // Its socket has filled up meanwhile, or there is something to finish first.
        if reader.blocked || reader.rest.is_some() {
            return true;
        }
        let frames = events.iter().map(|event| self.encoder.frame(event, reader.encoding));
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
                cursor.place = Place::Behind(cut.next);
                reader.rest = cut.rest;
                self.block(slot);
                self.blocked.push(slot);
                return true;
            }
            next += count as u64;
            frames = rest;
        }
        cursor.place = Place::Behind(next);
        true
    }

    /// Sends what is pending to every live reader, small rooms first: they don't wait behind
    /// large ones. Returns the slots whose sockets are full now.
    pub fn flush(&mut self, outlet: &mut impl Outlet) -> Vec<u32> {
        let mut dirty = std::mem::take(&mut self.dirty);
        if dirty.len() > 1 {
            dirty.sort_by_key(|&index| self.feeds[index].as_ref().map_or(0, |feed| feed.readers));
        }
        for &index in &dirty {
            self.flush_feed(index, outlet);
        }
        dirty.clear();
        self.dirty = dirty;
        std::mem::take(&mut self.blocked)
    }

    /// The socket of `slot` took less than it was given: until [`Feeds::resume`] nothing is
    /// sent to it from here.
    pub fn block(&mut self, slot: u32) {
        let Some(reader) = self.readers.get_mut(&slot) else { return };
        if std::mem::replace(&mut reader.blocked, true) {
            return;
        }
        for at in 0..reader.cursors.len() {
            // The map is borrowed anew each time, since leaving moves another reader's place.
            let Some(reader) = self.readers.get_mut(&slot) else { return };
            let (encoding, cursor) = (reader.encoding, &mut reader.cursors[at]);
            let (index, place) = (cursor.feed, cursor.place);
            let Some(feed) = &mut self.feeds[index] else { continue };
            if let Place::Live(position) = place {
                cursor.place = Place::Behind(feed.flushed + 1);
                feed.leave(position, encoding, &mut self.readers, index);
            }
        }
    }

    /// Sends the rest of a frame that `slot` has taken the beginning of; whether nothing of it
    /// is left, so that other bytes may follow.
    pub fn finish_frame(&mut self, slot: u32, outlet: &mut impl Outlet) -> bool {
        let Some(reader) = self.readers.get_mut(&slot) else { return true };
        let Some(rest) = &mut reader.rest else { return true };
        if !rest.send(slot, outlet) {
            return false;
        }
        reader.rest = None;
        true
    }

    /// Feeds a reader from the rings until it is live or its socket is full. To be called after
    /// [`Feeds::flush`], when its socket has room.
    pub fn resume(&mut self, slot: u32, outlet: &mut impl Outlet) -> Resumed {
        if !self.finish_frame(slot, outlet) {
            return Resumed::Blocked;
        }
        let Some(reader) = self.readers.get_mut(&slot) else { return Resumed::Live };
        let encoding = reader.encoding;
        for cursor in &mut reader.cursors {
            let Place::Behind(mut next) = cursor.place else { continue };
            let Some(feed) = &mut self.feeds[cursor.feed] else { continue };
            debug_assert_eq!(feed.flushed, feed.head);
            if next < feed.first() {
                if !encoding.is_resumable() {
                    return Resumed::FellOff;
                }
                let (room, after, to) = (feed.room.clone(), next - 1, feed.head);
                self.wanted.push(Wanted { slot, room, after, to });
                cursor.place = Place::Fetching(next);
                continue;
            }
            while next <= feed.head {
                let (end, batch) =
                    feed.gather(next, encoding, &mut self.encoder, &mut self.scratch);
                let (len, taken) = (batch.bytes().len(), outlet.send(slot, &batch));
                if taken < len {
                    let cut = feed.locate(next, taken, encoding, &mut self.encoder);
                    cursor.place = Place::Behind(cut.next);
                    reader.rest = cut.rest;
                    reader.blocked = true;
                    return Resumed::Blocked;
                }
                next = end;
            }
            cursor.place = feed.join(slot, encoding);
        }
        reader.blocked = false;
        Resumed::Live
    }

    fn add_feed(&mut self, room: RoomId, head: u64) -> usize {
        let feed = Feed {
            room: room.clone(),
            ring: VecDeque::new(),
            ring_bytes: 0,
            head,
            flushed: head,
            live: [const { Vec::new() }; ENCODINGS.len()],
            readers: 0,
            rotation: 0,
        };
        let index = match self.feeds.iter().position(Option::is_none) {
            Some(index) => index,
            None => {
                self.feeds.push(None);
                self.feeds.len() - 1
            }
        };
        self.feeds[index] = Some(feed);
        self.by_room.insert(room, index);
        index
    }

    fn flush_feed(&mut self, index: usize, outlet: &mut impl Outlet) {
        let Some(feed) = &mut self.feeds[index] else { return };
        let mut short: Vec<(u32, Cut)> = Vec::new();
        for encoding in ENCODINGS {
            let mut next = feed.flushed + 1;
            while next <= feed.head && !feed.live[encoding as usize].is_empty() {
                let (end, batch) =
                    feed.gather(next, encoding, &mut self.encoder, &mut self.scratch);
                let len = batch.bytes().len();
                let live = &feed.live[encoding as usize];
                let (before, after) = live.split_at(feed.rotation % live.len());
                let mut cuts: Vec<(u32, usize)> = Vec::new();
                for &slot in after.iter().chain(before) {
                    let taken = outlet.send(slot, &batch);
                    if taken < len {
                        cuts.push((slot, taken));
                    }
                }
                for (slot, taken) in cuts {
                    let cut = feed.locate(next, taken, encoding, &mut self.encoder);
                    // Out of the array now, so that it doesn't get this flush's next batch.
                    let cursor = self.readers.get(&slot).and_then(|reader| {
                        reader.cursors.iter().find(|cursor| cursor.feed == index)
                    });
                    if let Some(&Cursor { place: Place::Live(position), .. }) = cursor {
                        feed.leave(position, encoding, &mut self.readers, index);
                    }
                    short.push((slot, cut));
                }
                next = end;
            }
        }
        feed.rotation = feed.rotation.wrapping_add(1);
        feed.flushed = feed.head;
        self.cut_short(index, short);
        self.trim();
    }

    /// Notes where readers stand whose sockets took less than they were given.
    fn cut_short(&mut self, index: usize, short: Vec<(u32, Cut)>) {
        for (slot, cut) in short {
            if let Some(reader) = self.readers.get_mut(&slot) {
                for cursor in reader.cursors.iter_mut().filter(|cursor| cursor.feed == index) {
                    cursor.place = Place::Behind(cut.next);
                }
                reader.rest = cut.rest;
            }
            self.block(slot);
            self.blocked.push(slot);
        }
    }

    /// Drops what is oldest in the largest rings until all together are small enough. An event
    /// that isn't flushed yet stays.
    fn trim(&mut self) {
        while self.ring_bytes > self.ring_bytes_max {
            let flushed = self.feeds.iter_mut().flatten().filter(|feed| feed.can_trim());
            let Some(largest) = flushed.max_by_key(|feed| feed.ring_bytes) else { return };
            let goal = largest.ring_bytes.saturating_sub(self.ring_bytes - self.ring_bytes_max);
            let before = largest.ring_bytes;
            // Some more at once, so that not every flush has to look for the largest.
            largest.trim(goal - goal / 16);
            self.ring_bytes -= before - largest.ring_bytes;
        }
    }
}

impl Feed {
    fn can_trim(&self) -> bool {
        self.flushed == self.head && self.ring.len() > 1
    }

    /// A message was deleted: it and its edits go on without their text. Returns the bytes that
    /// the ring costs less.
    fn forget_text(&mut self, m: u64) -> usize {
        let from = m.saturating_sub(self.first()) as usize;
        let mut less = 0;
        for published in self.ring.range_mut(from.min(self.ring.len())..) {
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

    /// The `seq` of the oldest event in the ring, or the next one if it is empty.
    fn first(&self) -> u64 {
        self.head + 1 - self.ring.len() as u64
    }

    /// Everything from `next` on, up to a cap, as one contiguous piece; and the `seq` after it.
    /// `next` must be in the ring.
    fn gather<'a>(
        &'a self,
        next: u64,
        encoding: Encoding,
        encoder: &mut Encoder,
        scratch: &'a mut Vec<u8>,
    ) -> (u64, Batch<'a>) {
        let from = (next - self.first()) as usize;
        if from + 1 == self.ring.len() {
            return (next + 1, Batch::whole(self.ring[from].frame(encoding, encoder)));
        }
        scratch.clear();
        let mut end = next;
        for published in self.ring.range(from..) {
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
    fn locate(&self, next: u64, taken: usize, encoding: Encoding, encoder: &mut Encoder) -> Cut {
        let from = (next - self.first()) as usize;
        let frames = self.ring.range(from..).map(|published| published.frame(encoding, encoder));
        locate(frames, next, taken)
    }

    fn join(&mut self, slot: u32, encoding: Encoding) -> Place {
        let live = &mut self.live[encoding as usize];
        live.push(slot);
        Place::Live(live.len() - 1)
    }

    /// Takes the entry at `position` out of the live array and tells the reader that moves into
    /// its place.
    fn leave(
        &mut self,
        position: usize,
        encoding: Encoding,
        readers: &mut HashMap<u32, Reader>,
        own_index: usize,
    ) {
        let live = &mut self.live[encoding as usize];
        live.swap_remove(position);
        if let Some(moved) = live.get(position)
            && let Some(reader) = readers.get_mut(moved)
        {
            for cursor in reader.cursors.iter_mut().filter(|cursor| cursor.feed == own_index) {
                cursor.place = Place::Live(position);
            }
        }
    }

    fn trim(&mut self, bytes_max: usize) {
        while self.ring_bytes > bytes_max && self.ring.len() > 1 {
            if let Some(oldest) = self.ring.pop_front() {
                self.ring_bytes -= weight(&oldest);
            }
        }
    }
}

/// Where a reader stands that took `taken` bytes of these frames, of which the first one is that
/// of the event `next`.
fn locate<'a>(
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

/// About what an event in the ring costs, in bytes.
fn weight(published: &Published) -> usize {
    let text = match &*published.event {
        Event::Message(message) => message.text.as_ref().map_or(0, |text| text.len()),
        Event::Changed(change) => match &change.op {
            Op::Edit(Some(text)) => text.len(),
            _ => 0,
        },
        _ => 0,
    };
    // The text is held as such and in a frame, beside what surrounds it.
    text * 2 + 400
}

#[cfg(test)]
#[path = "feed_tests.rs"]
pub(crate) mod tests;
