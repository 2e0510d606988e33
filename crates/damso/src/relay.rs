//! Fan-out where each connection has a thread of its own. One relay owns the feeds and puts each
//! batch, shared, into the connections' mailboxes; the thread of a connection owns its session and
//! writes. Nothing is locked but a mailbox, for the moment in which something is put in or taken.
//!
//! A mailbox takes batches up to a bound; a connection whose mailbox is full is behind from then
//! on, and asks for more when it has written everything.

use crate::dialect::Reply;
use crate::feed::{Batch, Encoding, Feeds, Outlet, Resumed, Start};
use crate::metrics::ShardFigures;
use crate::readers::{Asked, Fetched, FetchedPage, Readers};
use crate::session::{Context, Fate, Session};
use crate::shard::{Newcomer, ToShard};
use damso_chat::hub::{self, Answer, Ending, Input, SessionId};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// What may wait in one mailbox before its connection counts as behind, in bytes.
const MAILBOX_BYTES_MAX: usize = 256 * 1024;

/// Everything that can move the relay.
pub enum ToRelay {
    /// From the hub, from HTTP, or from whoever accepts.
    Shard(ToShard),
    /// A connection wants its rooms' events written so. Said before it greets the hub.
    Ready(SessionId, Encoding),
    /// A connection has written everything and can take more.
    Drained(SessionId),
    /// A connection takes no more events.
    Leaves(SessionId),
    /// A connection's thread has ended.
    Ended(SessionId),
}

/// What a connection's thread finds in its mailbox.
enum Item {
    Bytes(Arc<[u8]>),
    Answer(u64, Answer),
    Opened(hub::Opened),
    Page(Box<FetchedPage>),
    Credit(u32),
    End(Ending),
    FellOff,
}

/// Between the relay and one connection's thread.
pub struct Mailbox {
    items: Mutex<Vec<Item>>,
    /// Bytes put in and not written yet.
    bytes: AtomicUsize,
    /// The relay had more than the mailbox takes.
    hungry: std::sync::atomic::AtomicBool,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl Mailbox {
    /// An empty mailbox; `wake` rouses its reader, and is called only when it was empty.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            items: Mutex::new(Vec::new()),
            bytes: AtomicUsize::new(0),
            hungry: false.into(),
            wake: Box::new(wake),
        }
    }

    fn put(&self, item: Item) {
        // A thread that panics ends the process, so the lock can't be poisoned.
        let Ok(mut items) = self.items.lock() else { return };
        let was_empty = items.is_empty();
        items.push(item);
        drop(items);
        if was_empty {
            (self.wake)();
        }
    }

    fn take(&self) -> Vec<Item> {
        self.items.lock().map(|mut items| std::mem::take(&mut *items)).unwrap_or_default()
    }
}

/// The one owner of the feeds.
pub struct Relay {
    feeds: Feeds,
    desks: Desks,
    readers: Readers,
    stopping: bool,
    figures: Arc<ShardFigures>,
}

/// The connections, by slot.
#[derive(Default)]
struct Desks {
    desks: Vec<Desk>,
    free: Vec<u32>,
    live: usize,
}

#[derive(Default)]
struct Desk {
    generation: u32,
    mailbox: Option<Arc<Mailbox>>,
    encoding: Option<Encoding>,
}

impl Relay {
    /// A relay without connections, which asks `readers` for what has left its feeds.
    pub fn new(context: &Context, readers: Readers) -> Self {
        let feeds = Feeds::new(context.limits.feed_bytes as usize);
        let figures = context.metrics.shard();
        Self { feeds, desks: Desks::default(), readers, stopping: false, figures }
    }

    /// Whether there are no connections.
    pub fn is_empty(&self) -> bool {
        self.desks.live == 0
    }

    /// Whether it takes nobody in any more.
    pub fn is_stopping(&self) -> bool {
        self.stopping
    }

    /// Gives a connection its place.
    pub fn open(&mut self, mailbox: Arc<Mailbox>) -> SessionId {
        let slot = self.desks.free.pop().unwrap_or_else(|| {
            self.desks.desks.push(Desk::default());
            // There are fewer sockets in a process than a u32 can count.
            (self.desks.desks.len() - 1) as u32
        });
        let desk = &mut self.desks.desks[slot as usize];
        desk.mailbox = Some(mailbox);
        self.desks.live += 1;
        SessionId { shard: 0, slot, generation: desk.generation }
    }

    /// Takes in one message. A newcomer goes back to the engine, which starts its thread.
    pub fn take(&mut self, message: ToRelay) -> Option<Newcomer> {
        match message {
            ToRelay::Shard(ToShard::Adopt(newcomer)) if !self.stopping => return Some(newcomer),
            ToRelay::Shard(ToShard::Adopt(_)) => {}
            ToRelay::Shard(ToShard::Deliver(published)) => self.feeds.deliver(published),
            ToRelay::Shard(ToShard::Subscribe { session, room, next, opened }) => {
                if let Some(desk) = self.desks.of(session)
                    && let Some(encoding) = desk.encoding
                {
                    let slot = session.slot;
                    let head = opened.as_ref().map_or(next - 1, |opened| opened.head);
                    let mut hold = None;
                    if let Some(opened) = opened {
                        if opened.mode == hub::Mode::Replay {
                            self.put(session, Item::Opened(opened));
                        } else {
                            hold = Some(opened.id);
                        }
                    }
                    self.feeds.subscribe(
                        slot,
                        encoding,
                        &room,
                        Start { next, head, hold },
                        &mut self.desks,
                    );
                    self.go_on(session);
                }
            }
            ToRelay::Shard(ToShard::Unsubscribe { session, room }) => {
                if self.desks.of(session).is_some() {
                    self.feeds.unsubscribe(session.slot, &room, &mut self.desks);
                }
            }
            ToRelay::Shard(ToShard::Typing { room, text }) => {
                self.feeds.mention(&room, &text, &mut self.desks);
            }
            ToRelay::Shard(ToShard::Answer(id, asked, answer)) => {
                // Whose mailbox is full is slow to read.
                let slow = self.desks.of(id).is_some_and(|desk| desk.is_full());
                if !(slow && answer.is_ephemeral()) {
                    self.put(id, Item::Answer(asked, answer));
                }
            }
            ToRelay::Shard(ToShard::Fetched(Fetched { session, asked })) => match asked {
                Asked::Page(page) => {
                    let releases = page.releases().map(|(room, hold)| (room.clone(), hold));
                    self.put(session, Item::Page(page));
                    if let Some((room, hold)) = releases
                        && self.desks.of(session).is_some()
                    {
                        self.feeds.release(session.slot, &room, hold);
                        self.go_on(session);
                    }
                }
                // Only HTTP asks for that.
                Asked::Found(..) => {}
                Asked::Events { room, after, events } => {
                    if self.desks.of(session).is_some() {
                        let slot = session.slot;
                        if self.feeds.feed(slot, &room, after, &events, &mut self.desks) {
                            self.go_on(session);
                        } else {
                            self.put(session, Item::FellOff);
                        }
                    }
                }
            },
            ToRelay::Shard(ToShard::Credit(id, count)) => self.put(id, Item::Credit(count)),
            ToRelay::Shard(ToShard::Close(id, ending)) => {
                // What happened before the end is still the session's to see.
                self.feeds.flush(&mut self.desks);
                if let Some(desk) = self.desks.of(id) {
                    // The hub counts it among nobody's listeners any more: what is said from here
                    // on may not come here at all, so no feed may be kept for it.
                    desk.encoding = None;
                    self.feeds.remove(id.slot);
                }
                self.put(id, Item::End(ending));
            }
            ToRelay::Shard(ToShard::Stop) => {
                self.stopping = true;
                // As with any end.
                self.feeds.flush(&mut self.desks);
                for mailbox in self.desks.desks.iter().filter_map(|desk| desk.mailbox.as_ref()) {
                    mailbox.put(Item::End(Ending::Stopping));
                }
            }
            ToRelay::Ready(id, encoding) => {
                if let Some(desk) = self.desks.of(id) {
                    desk.encoding = Some(encoding);
                }
            }
            ToRelay::Drained(id) => {
                self.go_on(id);
            }
            ToRelay::Leaves(id) => {
                if let Some(desk) = self.desks.of(id) {
                    desk.encoding = None;
                    self.feeds.remove(id.slot);
                }
            }
            ToRelay::Ended(id) => {
                if let Some(desk) = self.desks.of(id) {
                    let generation = desk.generation.wrapping_add(1);
                    *desk = Desk { generation, ..Desk::default() };
                    self.feeds.remove(id.slot);
                    self.desks.free.push(id.slot);
                    self.desks.live -= 1;
                }
            }
        }
        None
    }

    /// Puts what is pending into the mailboxes, and asks for what has to be read.
    pub fn settle(&mut self) {
        self.feeds.flush(&mut self.desks);
        self.feeds.show(&self.figures);
        self.readers.ask_for(self.feeds.take_wanted(), |slot| {
            let generation = self.desks.desks.get(slot as usize)?.generation;
            Some(SessionId { shard: 0, slot, generation })
        });
    }

    /// Feeds a connection with what it is behind, as far as its mailbox takes it.
    fn go_on(&mut self, id: SessionId) {
        if self.desks.of(id).is_some() {
            self.feeds.flush(&mut self.desks);
            if self.feeds.resume(id.slot, &mut self.desks) == Resumed::FellOff {
                self.put(id, Item::FellOff);
            }
        }
    }

    fn put(&mut self, id: SessionId, item: Item) {
        if let Some(mailbox) = self.desks.of(id).and_then(|desk| desk.mailbox.as_ref()) {
            mailbox.put(item);
        }
    }
}

impl Desk {
    fn is_full(&self) -> bool {
        let full =
            |mailbox: &Arc<Mailbox>| mailbox.bytes.load(Ordering::Acquire) >= MAILBOX_BYTES_MAX;
        self.mailbox.as_ref().is_some_and(full)
    }
}

impl Desks {
    fn of(&mut self, id: SessionId) -> Option<&mut Desk> {
        let desk = self.desks.get_mut(id.slot as usize)?;
        (desk.generation == id.generation).then_some(desk)
    }
}

impl Outlet for Desks {
    /// A mailbox takes a batch whole or not at all, so that no frame is ever cut here.
    fn send(&mut self, slot: u32, batch: &Batch<'_>) -> usize {
        let len = batch.bytes().len();
        let Some(mailbox) = self.desks.get(slot as usize).and_then(|desk| desk.mailbox.as_ref())
        else {
            return len;
        };
        if mailbox.bytes.load(Ordering::Acquire) >= MAILBOX_BYTES_MAX {
            // Set before the reader is woken: whether it has written everything by now or not,
            // it will see this.
            mailbox.hungry.store(true, Ordering::Release);
            (mailbox.wake)();
            return 0;
        }
        mailbox.bytes.fetch_add(len, Ordering::AcqRel);
        mailbox.put(Item::Bytes(batch.shared()));
        len
    }
}

/// What is to be written, in order.
enum Piece {
    /// All that the session has to say by then.
    Own,
    /// Frames of the rooms.
    Batch(Arc<[u8]>),
}

/// The side of a connection's thread: its session, and what came for it.
pub struct Desktop {
    id: SessionId,
    session: Session,
    context: Arc<Context>,
    mailbox: Arc<Mailbox>,
    relay: Arc<dyn Fn(ToRelay) + Send + Sync>,
    /// What came from the mailbox, in its order. Of the first batch `at` bytes are written.
    pieces: VecDeque<Piece>,
    at: usize,
    /// Bytes of the session's own output that go before all else, since the socket took the
    /// beginning of it: [`usize::MAX`] for all that there is. Not both this and `at` are above 0.
    own_first: usize,
    /// The relay knows how to write for it, and hasn't been told that it leaves.
    joined: bool,
    /// The end came from here, not from the peer: the batches before it are still to be written.
    ended: bool,
    /// The socket will bring nothing more.
    eof: bool,
    blocked_since: Option<Instant>,
    hub: Vec<Input>,
}

impl Desktop {
    /// The thread's side of the connection `id`, which begins as `newcomer` came.
    pub fn new(
        id: SessionId,
        newcomer: &mut Newcomer,
        context: Arc<Context>,
        mailbox: Arc<Mailbox>,
        relay: Arc<dyn Fn(ToRelay) + Send + Sync>,
        now: Instant,
    ) -> Self {
        let mut hub = Vec::new();
        let opened = newcomer.opened.take();
        let session = Session::begin(id, newcomer.peer, opened, &context, &mut hub, now);
        Self {
            id,
            session,
            context,
            mailbox,
            relay,
            pieces: VecDeque::new(),
            at: 0,
            own_first: 0,
            joined: false,
            ended: false,
            eof: false,
            blocked_since: None,
            hub,
        }
    }

    /// What the socket brought.
    pub fn receive(&mut self, bytes: &mut [u8], now: Instant) {
        self.session.receive(self.id, bytes, &self.context, &mut self.hub, now);
    }

    /// The socket will bring nothing more.
    pub fn receive_eof(&mut self, now: Instant) {
        self.eof = true;
        self.session.receive_eof(now);
    }

    /// The socket takes something of what was written before, though it has no room for more: it is
    /// slow, but not blocked.
    pub fn moving(&mut self, now: Instant) {
        if self.blocked_since.is_some() {
            self.blocked_since = Some(now);
        }
    }

    /// The socket failed.
    pub fn lost(&mut self, why: &'static str) {
        self.session.give_up(why);
    }

    /// Whether the socket is to be read. An end is read once: it would be there to read for ever.
    pub fn wants_read(&self) -> bool {
        !self.eof && self.session.wants_read(&self.context)
    }

    /// Whether all that the socket brings has been read.
    pub fn has_read_all(&self) -> bool {
        self.eof
    }

    /// Whether there is something to write.
    pub fn wants_write(&self) -> bool {
        !self.session.output().is_empty()
            || self.pieces.iter().any(|piece| matches!(piece, Piece::Batch(_)))
    }

    /// Takes in what the mailbox holds.
    pub fn empty_mailbox(&mut self, now: Instant) {
        for item in self.mailbox.take() {
            match item {
                Item::Bytes(batch) if self.session.encoding().is_some() => {
                    self.pieces.push_back(Piece::Batch(batch));
                }
                // It is on its way out, and nothing may follow its Close.
                Item::Bytes(batch) => self.written(batch.len()),
                // Its socket is full: what it has to say itself may not grow by what won't last.
                Item::Answer(_, answer)
                    if self.blocked_since.is_some() && answer.is_ephemeral() => {}
                Item::Answer(id, answer) => {
                    self.session.reply(&Reply::Answer(id, &answer), &self.context);
                    self.pieces.push_back(Piece::Own);
                }
                Item::Opened(opened) => {
                    self.session.reply(&Reply::Opened(&opened, None), &self.context);
                    self.pieces.push_back(Piece::Own);
                }
                Item::Page(page) => {
                    self.session.credit(1);
                    self.session.reply(&page.reply(), &self.context);
                    self.pieces.push_back(Piece::Own);
                }
                Item::Credit(count) => self.session.credit(count),
                Item::End(ending) => {
                    // The Close that comes now goes after the batches that wait.
                    if self.session.encoding().is_some() {
                        self.ended = true;
                        self.own_first = self.own_first.min(self.session.output().len());
                    }
                    self.session.end(ending, now);
                }
                Item::FellOff => self.session.give_up("fell off the feed"),
            }
        }
    }

    /// Does what time brings.
    pub fn handle_timeout(&mut self, now: Instant) {
        let blocked_max = self.context.blocked_max;
        if self.blocked_since.is_some_and(|since| since + blocked_max <= now) {
            self.session.give_up("takes nothing");
        } else if self.session.deadline(&self.context).is_some_and(|deadline| deadline <= now) {
            self.session.handle_timeout(&self.context, now);
        }
    }

    /// When [`Desktop::handle_timeout`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        let blocked_max = self.context.blocked_max;
        let blocked = self.blocked_since.map(|since| since + blocked_max);
        [self.session.deadline(&self.context), blocked].into_iter().flatten().min()
    }

    /// Writes through `write`, which says how many bytes the socket took, and gives the relay and
    /// `hub` what is theirs. Returns what is to become of the socket.
    pub fn settle(
        &mut self,
        mut write: impl FnMut(&[u8]) -> usize,
        hub: &dyn Fn(Vec<Input>),
        now: Instant,
    ) -> Fate {
        match self.session.encoding() {
            Some(encoding) if !self.joined => {
                self.joined = true;
                (self.relay)(ToRelay::Ready(self.id, encoding));
            }
            None if self.joined => {
                self.joined = false;
                (self.relay)(ToRelay::Leaves(self.id));
                // A batch that was begun is finished: its frames go before the Close. The others
                // are nothing to a peer that closes, or that broke a rule.
                if !self.ended {
                    let mut pieces = std::mem::take(&mut self.pieces).into_iter();
                    if self.at > 0 {
                        self.pieces.extend(pieces.next());
                    }
                    for piece in pieces {
                        if let Piece::Batch(batch) = piece {
                            self.written(batch.len());
                        }
                    }
                }
            }
            _ => {}
        }
        if !self.hub.is_empty() {
            hub(std::mem::take(&mut self.hub));
        }
        let mut progress = false;
        let full = loop {
            // What the socket has the beginning of is finished before anything else; after that
            // the order is the mailbox's. What the session says between, as a pong, goes with its
            // next own piece, or last: mailboxes are bounded, so it waits for little.
            let own_first = self.own_first.min(self.session.output().len());
            if own_first > 0 {
                let taken = write(&self.session.output()[..own_first]);
                progress |= taken > 0;
                self.session.sent(taken);
                if taken < own_first {
                    if self.own_first != usize::MAX {
                        self.own_first -= taken;
                    }
                    break true;
                }
                self.own_first = 0;
            } else if let Some(Piece::Batch(batch)) = self.pieces.front() {
                let (len, taken) = (batch.len() - self.at, write(&batch[self.at..]));
                progress |= taken > 0;
                if taken < len {
                    self.at += taken;
                    break true;
                }
                self.written(batch.len());
                self.pieces.pop_front();
                self.at = 0;
            } else if !self.session.output().is_empty() {
                let (len, taken) = (self.session.output().len(), write(self.session.output()));
                progress |= taken > 0;
                self.session.sent(taken);
                if taken < len {
                    // A count wouldn't do: a pong that waits may still be replaced by another.
                    self.own_first = if taken > 0 { usize::MAX } else { 0 };
                    break true;
                }
            } else if self.pieces.pop_front().is_none() {
                // There was neither an own piece nor anything else.
                break false;
            }
        };
        if !full {
            self.blocked_since = None;
            if self.mailbox.hungry.swap(false, Ordering::AcqRel) {
                (self.relay)(ToRelay::Drained(self.id));
            }
        } else if progress || self.blocked_since.is_none() {
            self.blocked_since = Some(now);
        }
        match self.session.fate() {
            Fate::ShutDown if self.wants_write() => Fate::Stay,
            fate => fate,
        }
    }

    /// The connection is over: tells hub and relay, and gives back what HTTP may need.
    pub fn depart(mut self, hub: &dyn Fn(Vec<Input>)) -> Session {
        self.session.depart(self.id, &self.context, &mut self.hub);
        if !self.hub.is_empty() {
            hub(std::mem::take(&mut self.hub));
        }
        (self.relay)(ToRelay::Ended(self.id));
        self.session
    }

    fn written(&self, count: usize) {
        self.mailbox.bytes.fetch_sub(count, Ordering::AcqRel);
    }
}

#[cfg(test)]
#[path = "relay_tests.rs"]
mod tests;
