//! The connections of one shard: their sessions, the feeds they read, their deadlines. It knows
//! no sockets; an engine owns those, tells it what they brought, and lends it an [`Outlet`].
//!
//! In one iteration an engine first hands over everything that happened ([`Shard::open`],
//! [`Shard::receive`], [`Shard::receive_eof`], [`Shard::lost`], [`Shard::writable`],
//! [`Shard::take`]), gives the hub what [`Shard::take_hub`] has for it, then calls
//! [`Shard::settle`] once, which writes, and does what [`Shard::take_fates`] says.

mod deadlines;
mod piggyback;

use crate::dialect::Reply;
use crate::feed::{Batch, Feeds, Outlet, Published, Rest, Resumed, Start};
use crate::metrics::ShardFigures;
use crate::readers::{Asked, Fetched, Readers};
use crate::session::{Context, Fate, Opened, Session};
use crate::tls::Stream;
use damso_chat::hub::{self, Answer, Ending, Input, SessionId};
use damso_protocol::RoomId;
use deadlines::Deadlines;
use piggyback::Piggyback;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

/// Everything that reaches a shard from other threads, in one order.
pub enum ToShard {
    /// A socket that isn't any shard's yet.
    Adopt(Newcomer),
    /// A session gets a room's events from `next` on.
    Subscribe {
        /// Which session.
        session: SessionId,
        /// Which room.
        room: RoomId,
        /// The first `seq` it hasn't got.
        next: u64,
        /// What it is told first; none: nothing. If that needs a page, [`ToShard::Fetched`]
        /// brings it, and the session gets nothing of the room before.
        opened: Option<hub::Opened>,
    },
    /// A session gets nothing of a room any more.
    Unsubscribe {
        /// Which session.
        session: SessionId,
        /// Which room.
        room: RoomId,
    },
    /// An event for all local subscribers of its room.
    Deliver(Arc<Published>),
    /// Somebody is writing.
    Typing {
        /// Where.
        room: RoomId,
        /// Who and where, as damso.v1 says it: written once for all shards.
        text: Arc<str>,
    },
    /// Something for one session: the answer to its request of that id, or 0.
    Answer(SessionId, u64, Answer),
    /// What the readers found.
    Fetched(Fetched),
    /// So many of a session's requests are done with.
    Credit(SessionId, u32),
    /// End a session.
    Close(SessionId, Ending),
    /// Take nobody in any more; end who is left.
    Stop,
}

/// A socket on its way to a shard.
pub struct Newcomer {
    /// The socket, non-blocking, perhaps with TLS.
    pub socket: Stream,
    /// Who is at the other end.
    pub peer: SocketAddr,
    /// How far it has come; boxed, since most have come nowhere.
    pub opened: Option<Box<Opened>>,
}

/// Gives something to a shard, whatever engine drives it.
#[derive(Clone)]
pub struct ShardHandle(Arc<dyn Fn(Vec<ToShard>) + Send + Sync>);

impl ShardHandle {
    /// A handle that calls `give` with each batch.
    pub fn new(give: impl Fn(Vec<ToShard>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(give))
    }

    /// Hands over a batch. A shard that has ended drops it.
    pub fn give(&self, batch: Vec<ToShard>) {
        if !batch.is_empty() {
            (self.0)(batch);
        }
    }
}

/// The connections of one shard. See the module's text for the order of calls.
pub struct Shard {
    index: u16,
    context: Arc<Context>,
    readers: Readers,
    entries: Vec<Entry>,
    free: Vec<u32>,
    live: usize,
    feeds: Feeds,
    hub: Vec<Input>,
    /// The hub has requests that it hasn't answered since.
    hub_is_asked: bool,
    deadlines: Deadlines,
    /// Slots to look at when the iteration settles.
    touched: Vec<u32>,
    fates: Vec<(u32, Fate)>,
    stopping: bool,
    figures: Arc<ShardFigures>,
    scratch: Vec<u8>,
}

#[derive(Default)]
struct Entry {
    session: Option<Session>,
    slow: Option<Box<Slow>>,
    generation: u32,
    touched: bool,
    /// What the engine was told last.
    told: Option<Fate>,
}

// See the session's own.
const _: () = assert!(size_of::<Entry>() <= 112);

/// What a slot has whose socket doesn't take everything at once.
#[derive(Default)]
struct Slow {
    /// Its socket took less than it was given, and nothing since this.
    blocked_since: Option<Instant>,
    /// Its socket has said that there is room again.
    writable: bool,
    /// The rest of a feed's frame that has to go out although the session left the feeds.
    rest: Option<Rest>,
}

impl Entry {
    fn blocked_since(&self) -> Option<Instant> {
        self.slow.as_ref()?.blocked_since
    }

    fn block(&mut self, now: Instant) -> &mut Slow {
        let slow = self.slow.get_or_insert_default();
        slow.blocked_since = Some(now);
        slow
    }

    fn keep_rest(&mut self, rest: Rest) {
        self.slow.get_or_insert_default().rest = Some(rest);
    }
}

impl Shard {
    /// A shard without connections, which asks `readers` for what has left its feeds.
    pub fn new(index: u16, context: Arc<Context>, readers: Readers) -> Self {
        let feeds = Feeds::new(context.limits.feed_bytes as usize);
        let figures = context.metrics.shard();
        Self {
            index,
            context,
            readers,
            entries: Vec::new(),
            free: Vec::new(),
            live: 0,
            feeds,
            hub: Vec::new(),
            hub_is_asked: false,
            deadlines: Deadlines::default(),
            touched: Vec::new(),
            fates: Vec::new(),
            stopping: false,
            figures,
            scratch: Vec::new(),
        }
    }

    /// Whether there are no connections.
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Whether it takes nobody in any more ([`ToShard::Stop`]).
    pub fn is_stopping(&self) -> bool {
        self.stopping
    }

    /// A place for a new connection. Slots are dense, so an engine may keep its sockets in an
    /// array.
    pub fn open(&mut self, peer: SocketAddr, opened: Option<Box<Opened>>, now: Instant) -> u32 {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.entries.push(Entry::default());
            // There are fewer sockets in a process than a u32 can count.
            (self.entries.len() - 1) as u32
        });
        let id = self.id(slot);
        let session = Session::begin(id, peer, opened, &self.context, &mut self.hub, now);
        self.entries[slot as usize].session = Some(session);
        self.live += 1;
        self.touch(slot);
        slot
    }

    /// What a slot's socket brought.
    pub fn receive(&mut self, slot: u32, bytes: &mut [u8], now: Instant) {
        let id = self.id(slot);
        if let Some(session) = session(&mut self.entries, slot) {
            session.receive(id, bytes, &self.context, &mut self.hub, now);
            self.touch(slot);
        }
    }

    /// A slot's socket will bring nothing more.
    pub fn receive_eof(&mut self, slot: u32, now: Instant) {
        if let Some(session) = session(&mut self.entries, slot) {
            session.receive_eof(now);
            self.touch(slot);
        }
    }

    /// A slot's socket takes something of what was written before, though it has no room for more:
    /// it is slow, but not blocked.
    pub fn moving(&mut self, slot: u32, now: Instant) {
        if let Some(entry) = self.entries.get_mut(slot as usize)
            && entry.blocked_since().is_some()
        {
            entry.block(now);
        }
    }

    /// A slot's socket failed.
    pub fn lost(&mut self, slot: u32, why: &'static str) {
        if let Some(session) = session(&mut self.entries, slot) {
            session.give_up(why);
            self.touch(slot);
        }
    }

    /// A slot's socket has room again.
    pub fn writable(&mut self, slot: u32) {
        let Some(entry) = self.entries.get_mut(slot as usize) else { return };
        if let Some(slow) = &mut entry.slow
            && slow.blocked_since.is_some()
        {
            slow.writable = true;
            self.touch(slot);
        }
    }

    /// Whether a slot's socket is to be read.
    pub fn wants_read(&self, slot: u32) -> bool {
        let session = self.entries.get(slot as usize).and_then(|entry| entry.session.as_ref());
        session.is_some_and(|session| session.wants_read(&self.context))
    }

    /// Whether a slot's session is one that nobody knows yet: when many come at once, an engine
    /// reads only a few of them in an iteration, so that those who are there don't wait for all.
    pub fn is_new(&self, slot: u32) -> bool {
        let session = self.entries.get(slot as usize).and_then(|entry| entry.session.as_ref());
        session.is_some_and(Session::is_new)
    }

    /// How many bytes of its own a slot's session has waiting for the socket. What a slow reader
    /// misses of its rooms isn't among them: it waits in no queue.
    pub fn waiting(&self, slot: u32) -> usize {
        let session = self.entries.get(slot as usize).and_then(|entry| entry.session.as_ref());
        session.map_or(0, |session| session.output().len())
    }

    /// Takes in what came from another thread. A newcomer's socket goes back to the engine,
    /// which opens a slot for it.
    pub fn take(
        &mut self,
        message: ToShard,
        outlet: &mut impl Outlet,
        now: Instant,
    ) -> Option<Newcomer> {
        if let ToShard::Deliver(_) | ToShard::Answer(..) | ToShard::Credit(..) = message {
            self.hub_is_asked = false;
        }
        match message {
            ToShard::Adopt(newcomer) if !self.stopping => return Some(newcomer),
            ToShard::Adopt(_) => {}
            ToShard::Deliver(published) => self.feeds.deliver(published),
            ToShard::Subscribe { session: id, room, next, opened } => {
                let context = self.context.clone();
                if let Some(session) = self.of(id)
                    && let Some(encoding) = session.encoding()
                {
                    let head = opened.as_ref().map_or(next - 1, |opened| opened.head);
                    let mut hold = None;
                    if let Some(opened) = &opened {
                        if opened.mode == hub::Mode::Replay {
                            session.reply(&Reply::Opened(opened, None), &context);
                        } else {
                            hold = Some(opened.id);
                        }
                    }
                    self.feeds.subscribe(
                        id.slot,
                        encoding,
                        &room,
                        Start { next, head, hold },
                        outlet,
                    );
                    if opened.is_some() || self.entries[id.slot as usize].blocked_since().is_some()
                    {
                        // What the session has to say itself goes first.
                        self.feeds.block(id.slot);
                    }
                    self.touch(id.slot);
                }
            }
            ToShard::Unsubscribe { session: id, room } => {
                if self.of(id).is_some() {
                    self.feeds.unsubscribe(id.slot, &room, outlet);
                }
            }
            ToShard::Typing { room, text } => self.feeds.mention(&room, &text, outlet),
            ToShard::Answer(id, asked, answer) => {
                let context = self.context.clone();
                let slow = self.entries.get(id.slot as usize);
                let slow = slow.is_some_and(|entry| entry.blocked_since().is_some());
                if let Some(session) = self.of(id)
                    && !(slow && answer.is_ephemeral())
                {
                    session.reply(&Reply::Answer(asked, &answer), &context);
                    self.touch(id.slot);
                }
            }
            ToShard::Fetched(fetched) => self.fetched(fetched, outlet),
            ToShard::Credit(id, count) => {
                if let Some(session) = self.of(id) {
                    session.credit(count);
                }
            }
            ToShard::Close(id, ending) => {
                // What happened before the end is still the session's to see.
                if self.of(id).is_some() {
                    let blocked = self.feeds.flush(outlet);
                    self.note_blocked(blocked, now);
                }
                if let Some(session) = self.of(id) {
                    session.end(ending, now);
                    // The hub counts it among nobody's listeners any more: what is said from here
                    // on may not come here at all, so no feed may be kept for it.
                    if let Some(rest) = self.feeds.remove(id.slot) {
                        self.entries[id.slot as usize].keep_rest(rest);
                    }
                    self.touch(id.slot);
                }
            }
            ToShard::Stop => {
                self.stopping = true;
                // As with any end: what happened before is everybody's still to see.
                let blocked = self.feeds.flush(outlet);
                self.note_blocked(blocked, now);
                for slot in 0..self.entries.len() as u32 {
                    if let Some(session) = session(&mut self.entries, slot) {
                        session.end(Ending::Stopping, now);
                        self.touch(slot);
                    }
                }
            }
        }
        None
    }

    /// Takes in what the readers found.
    fn fetched(&mut self, Fetched { session: id, asked }: Fetched, outlet: &mut impl Outlet) {
        let context = self.context.clone();
        let Some(session) = self.of(id) else { return };
        match asked {
            Asked::Page(page) => {
                session.credit(1);
                session.reply(&page.reply(), &context);
                if let Some((room, hold)) = page.releases() {
                    // The reply goes first.
                    self.feeds.block(id.slot);
                    self.feeds.release(id.slot, room, hold);
                }
            }
            // Only HTTP asks for that.
            Asked::Found(..) => {}
            Asked::Events { room, after, events } => {
                if !self.feeds.feed(id.slot, &room, after, &events, outlet)
                    && let Some(session) = self.of(id)
                {
                    session.give_up("what it needs next is gone");
                }
            }
        }
        self.touch(id.slot);
    }

    /// Does what time brings.
    pub fn handle_timeouts(&mut self, now: Instant) {
        let blocked_max = self.context.blocked_max;
        while let Some(slot) = self.deadlines.pop(now) {
            let entry = &mut self.entries[slot as usize];
            let blocked_since = entry.blocked_since();
            let Some(session) = &mut entry.session else { continue };
            if blocked_since.is_some_and(|since| since + blocked_max <= now) {
                session.give_up("takes nothing");
            } else if session.deadline(&self.context).is_some_and(|deadline| deadline <= now) {
                session.handle_timeout(&self.context, now);
            }
            self.touch(slot);
        }
    }

    /// When [`Shard::handle_timeouts`] or [`Shard::settle`] is due.
    pub fn next_deadline(&mut self) -> Option<Instant> {
        [self.deadlines.next(), self.feeds.due()].into_iter().flatten().min()
    }

    /// Writes everything that can be written now.
    pub fn settle(&mut self, outlet: &mut impl Outlet, now: Instant) {
        let mut both = Piggyback {
            outlet,
            entries: &mut self.entries,
            scratch: &mut self.scratch,
            stuck: Vec::new(),
        };
        let blocked = self.feeds.flush_due(&mut both, now, self.hub_is_asked);
        self.note_blocked(blocked, now);
        let mut touched = std::mem::take(&mut self.touched);
        for slot in touched.drain(..) {
            self.entries[slot as usize].touched = false;
            self.write(slot, outlet, now);
            self.judge(slot, now);
        }
        self.touched = touched;
        self.feeds.show(&self.figures);
        self.readers.ask_for(self.feeds.take_wanted(), |slot| {
            let generation = self.entries.get(slot as usize)?.generation;
            Some(SessionId { shard: self.index, slot, generation })
        });
    }

    /// What the engine is to do with sockets, since it was asked last. A slot whose fate is
    /// [`Fate::Drop`] or [`Fate::HandOver`] is to be given back by [`Shard::release`].
    pub fn take_fates(&mut self) -> Vec<(u32, Fate)> {
        std::mem::take(&mut self.fates)
    }

    /// Frees a slot. The session comes back, for what it may hold.
    pub fn release(&mut self, slot: u32) -> Option<Session> {
        let id = self.id(slot);
        let entry = self.entries.get_mut(slot as usize)?;
        let mut session = entry.session.take()?;
        let generation = entry.generation.wrapping_add(1);
        *entry = Entry { generation, touched: entry.touched, ..Entry::default() };
        self.deadlines.disarm(slot);
        self.feeds.remove(slot);
        self.free.push(slot);
        self.live -= 1;
        session.depart(id, &self.context, &mut self.hub);
        Some(session)
    }

    /// What is for the hub.
    pub fn take_hub(&mut self) -> Vec<Input> {
        self.hub_is_asked |= self.hub.iter().any(|input| matches!(input, Input::Request { .. }));
        std::mem::take(&mut self.hub)
    }

    /// What the slot's session is called.
    fn id(&self, slot: u32) -> SessionId {
        let generation = self.entries.get(slot as usize).map_or(0, |entry| entry.generation);
        SessionId { shard: self.index, slot, generation }
    }

    fn of(&mut self, id: SessionId) -> Option<&mut Session> {
        let entry = self.entries.get_mut(id.slot as usize)?;
        if entry.generation == id.generation { entry.session.as_mut() } else { None }
    }

    fn touch(&mut self, slot: u32) {
        let entry = &mut self.entries[slot as usize];
        if !std::mem::replace(&mut entry.touched, true) {
            self.touched.push(slot);
        }
    }

    fn note_blocked(&mut self, blocked: Vec<u32>, now: Instant) {
        for slot in blocked {
            self.entries[slot as usize].block(now).writable = false;
            self.touch(slot);
        }
    }

    /// In this order: the rest of a frame that was cut, what the session has to say itself, and
    /// then what it missed of its rooms. Where the session's own was cut there is no such rest,
    /// and its slot is blocked in the feeds until all of it is out (`Desktop::settle` in
    /// `relay.rs` keeps the same rule where batches wait).
    fn write(&mut self, slot: u32, outlet: &mut impl Outlet, now: Instant) {
        let entry = &mut self.entries[slot as usize];
        let Some(session) = &mut entry.session else { return };
        if session.encoding().is_none()
            && let Some(rest) = self.feeds.remove(slot)
        {
            entry.slow.get_or_insert_default().rest = Some(rest);
        }
        let mut outlet = Counted { outlet, taken: 0 };
        let mut full = false;
        if let Some(slow) = &mut entry.slow {
            if slow.blocked_since.is_some() && !std::mem::take(&mut slow.writable) {
                return;
            }
            if let Some(rest) = &mut slow.rest {
                full = !rest.send(slot, &mut outlet);
                if !full {
                    slow.rest = None;
                }
            }
        }
        full = full || !self.feeds.finish_frame(slot, &mut outlet);
        while !full && !session.output().is_empty() {
            let len = session.output().len();
            let taken = outlet.send(slot, &Batch::of(session.output()));
            session.sent(taken);
            full = taken < len;
        }
        if full {
            self.feeds.block(slot);
        } else {
            match self.feeds.resume(slot, &mut outlet) {
                Resumed::Live => {}
                Resumed::Blocked => full = true,
                Resumed::FellOff => session.give_up("fell off the feed"),
            }
        }
        if !full {
            // The rest is gone with that.
            entry.slow = None;
        } else if outlet.taken > 0 || entry.blocked_since().is_none() {
            entry.block(now);
        }
    }

    /// Tells the engine a new fate, and arms the slot's next deadline.
    fn judge(&mut self, slot: u32, now: Instant) {
        let blocked_max = self.context.blocked_max;
        let entry = &mut self.entries[slot as usize];
        let Some(session) = &entry.session else { return };
        let mut fate = session.fate();
        if fate == Fate::ShutDown && entry.slow.as_ref().is_some_and(|slow| slow.rest.is_some()) {
            fate = Fate::Stay;
        }
        if entry.told != Some(fate) {
            entry.told = Some(fate);
            if fate != Fate::Stay {
                self.fates.push((slot, fate));
            }
        }
        let blocked = entry.blocked_since().map(|since| since + blocked_max);
        let due = [session.deadline(&self.context), blocked].into_iter().flatten().min();
        if let Some(due) = due {
            self.deadlines.arm(slot, due, now);
        }
    }
}

fn session(entries: &mut [Entry], slot: u32) -> Option<&mut Session> {
    entries.get_mut(slot as usize).and_then(|entry| entry.session.as_mut())
}

/// Counts what an outlet takes.
struct Counted<'a, O> {
    outlet: &'a mut O,
    taken: usize,
}

impl<O: Outlet> Outlet for Counted<'_, O> {
    fn send(&mut self, slot: u32, batch: &Batch<'_>) -> usize {
        let taken = self.outlet.send(slot, batch);
        self.taken += taken;
        taken
    }
}

#[cfg(test)]
#[path = "shard_tests.rs"]
mod tests;
