//! The machine: what it holds, what may be asked of it, and when it wants to be woken.

mod input;
mod pump;

use crate::outbox::Outbox;
use crate::room::{PageWanted, Subscription};
use crate::{Act, Entry, Notice, Output, Room, Saved, Waiting};
use damso_protocol::v1::ChangeOp;
use damso_protocol::v1::client::{Anchor, ClientMessage, Typing};
use damso_protocol::v1::server::{RoomEntry, WelcomeLimits};
use damso_protocol::{Nonce, RoomId, UserId};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;

/// Who connects, and how much it asks for.
#[derive(Clone, Debug)]
pub struct Config {
    /// Of a session.
    pub token: Option<Arc<str>>,
    /// Of a guest: its secret, which it made itself.
    pub key: Option<Arc<str>>,
    /// What a new guest wants to be called.
    pub name: Option<Arc<str>>,
    /// The program and its version.
    pub agent: Arc<str>,
    /// The user's language, as BCP 47 writes it.
    pub lang: Option<Arc<str>>,
    /// The most events to be replayed instead of a reset; none: the server's default, 500. A bot
    /// wants all, and says a number above any.
    pub replay_max: Option<u64>,
    /// The most messages in the first page of a room; none: the server's default.
    pub page_limit: Option<u32>,
    /// The most messages that an open room holds; the oldest are forgotten when new ones come.
    /// Default 10,000.
    pub keep_messages: usize,
    /// The most entries in the outbox. Default 1,000.
    pub outbox_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            token: None,
            key: None,
            name: None,
            agent: concat!("damso-client/", env!("CARGO_PKG_VERSION")).into(),
            lang: None,
            replay_max: None,
            page_limit: None,
            keep_messages: 10_000,
            outbox_max: 1_000,
        }
    }
}

/// How far the connection is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// Waiting to connect.
    Down,
    /// Asked for.
    Connecting,
    /// Waiting for `welcome`.
    Greeting,
    /// Waiting for another name.
    NameTaken,
    /// The server knows us.
    Ready,
    /// Being closed by us.
    Leaving,
    /// Ended; nothing happens by itself any more.
    Stopped(Stop),
}

/// Why a client doesn't connect by itself any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// The key or token doesn't hold any more.
    SignInAgain,
    /// Banned.
    Banned,
    /// [`Client::stop`] was called.
    Asked,
}

/// Why the outbox doesn't take an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CommandError {
    /// It has [`Config::outbox_max`] entries.
    Full,
    /// It has an entry with this nonce.
    NonceInUse,
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => write!(f, "too much is waiting to be sent"),
            Self::NonceInUse => write!(f, "this is waiting to be sent already"),
        }
    }
}

impl std::error::Error for CommandError {}

/// A client, without the socket.
///
/// - **Input**: [`connected`](Self::connected), [`receive`](Self::receive),
///   [`disconnected`](Self::disconnected), [`handle_timeout`](Self::handle_timeout),
///   [`online`](Self::online).
/// - **Commands**: [`open`](Self::open), [`close`](Self::close), [`send`](Self::send),
///   [`change`](Self::change), [`read`](Self::read), [`history`](Self::history),
///   [`watch`](Self::watch), [`typing`](Self::typing), [`rename`](Self::rename),
///   [`sign_in`](Self::sign_in), [`stop`](Self::stop).
/// - **Output**: [`poll`](Self::poll).
/// - **Getters**: [`timeout`](Self::timeout), [`link`](Self::link), [`room`](Self::room),
///   [`rooms`](Self::rooms), [`list`](Self::list), [`outbox`](Self::outbox), [`user`](Self::user),
///   [`online_users`](Self::online_users), [`saved`](Self::saved).
///
/// After every input and command: drain `poll` until there is none, then look at `timeout`. A new
/// client wants to be woken at once, and then connects. `now` is in ms from any beginning, and
/// doesn't go back.
pub struct Client {
    config: Config,
    /// Numbers from 0 to below 1, for the time between attempts.
    random: Box<dyn FnMut() -> f64 + Send>,
    link: Link,
    outputs: VecDeque<Output>,

    // The connection.
    /// When to connect, while the link is down.
    connect_at: u64,
    /// Attempts since the last `welcome`.
    attempts: u32,
    /// The least time until the next attempt that the server asked for, in ms.
    return_after: u64,
    /// When something was heard last.
    heard: u64,
    /// The server's `welcome.ping`.
    ping: u64,
    last_id: u64,
    flights: BTreeMap<u64, Flight>,

    // What is known.
    epoch: Option<Arc<str>>,
    user: Option<UserId>,
    /// What the server calls us.
    name: Option<Arc<str>>,
    limits: WelcomeLimits,
    list: BTreeMap<RoomId, RoomEntry>,
    /// In the order in which they were opened.
    rooms: Vec<Room>,
    /// Cursors from before the start, of rooms that weren't opened yet.
    restored: BTreeMap<RoomId, u64>,
    online: BTreeSet<UserId>,

    // What is to be said.
    outbox: Outbox,
    reads: BTreeMap<RoomId, u64>,
    watched: Option<Vec<UserId>>,
    is_watch_due: bool,
    /// Rooms that the server may still think are open.
    closing: Vec<RoomId>,
    /// No command before this.
    paused_until: Option<u64>,
    room_paused_until: BTreeMap<RoomId, u64>,
}

/// A command whose answer is awaited.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Flight {
    Hello,
    Open(RoomId),
    /// An `open` of a room that was forgotten since.
    Abandoned(RoomId),
    Close(RoomId),
    Entry(RoomId, Nonce),
    Read(RoomId, u64),
    Page(RoomId),
    Watch,
}

impl Client {
    /// A client that knows nothing yet. `random` gives numbers from 0 to below 1, which spread
    /// reconnections; they needn't be good ones.
    pub fn new(config: Config, random: Box<dyn FnMut() -> f64 + Send>) -> Self {
        Self::restore(config, Saved::default(), random)
    }

    /// A client that goes on where another one ended.
    pub fn restore(config: Config, saved: Saved, random: Box<dyn FnMut() -> f64 + Send>) -> Self {
        let mut outbox = Outbox::default();
        for waiting in saved.outbox {
            outbox.push(waiting.room, waiting.nonce, waiting.act);
        }
        Self {
            config,
            random,
            link: Link::Down,
            outputs: VecDeque::new(),
            connect_at: 0,
            attempts: 0,
            return_after: 0,
            heard: 0,
            ping: 0,
            last_id: 0,
            flights: BTreeMap::new(),
            epoch: saved.epoch,
            user: None,
            name: None,
            limits: WelcomeLimits::default(),
            list: BTreeMap::new(),
            rooms: Vec::new(),
            restored: saved.cursors,
            online: BTreeSet::new(),
            outbox,
            reads: BTreeMap::new(),
            watched: None,
            is_watch_due: false,
            closing: Vec::new(),
            paused_until: None,
            room_paused_until: BTreeMap::new(),
        }
    }

    // Commands

    /// Follows a room from now on, over all reconnections.
    pub fn open(&mut self, room: RoomId, now: u64) {
        if self.room(&room).is_none() {
            let last = self.restored.remove(&room);
            self.rooms.push(Room::new(room, last));
            self.pump(now);
        }
    }

    /// Doesn't follow a room any more, and forgets what is held of it.
    pub fn close(&mut self, room: &RoomId, now: u64) {
        if let Some(gone) = self.forget(room) {
            if self.link == Link::Ready && gone.subscription != Subscription::Wanted {
                self.closing.push(room.clone());
                // It ends what comes of that too.
                let abandoned = Flight::Abandoned(room.clone());
                self.flights.retain(|_, flight| *flight != abandoned);
            }
            self.pump(now);
        }
    }

    /// Says something. The room needn't be open. `nonce`: 1 to 64 of `[A-Za-z0-9_-]`, never used
    /// by this user before; best random.
    ///
    /// # Errors
    ///
    /// If the outbox doesn't take it.
    pub fn send(
        &mut self,
        room: RoomId,
        nonce: Nonce,
        text: impl Into<Arc<str>>,
        reply: Option<u64>,
        now: u64,
    ) -> Result<(), CommandError> {
        self.put(room, nonce, Act::Send { text: text.into(), reply }, now)
    }

    /// Changes a message: `text` for an edit, `emoji` for a reaction. `nonce` as for
    /// [`send`](Self::send).
    ///
    /// # Errors
    ///
    /// If the outbox doesn't take it.
    #[allow(clippy::too_many_arguments)] // They are the command's fields.
    pub fn change(
        &mut self,
        room: RoomId,
        m: u64,
        nonce: Nonce,
        op: ChangeOp,
        text: Option<Arc<str>>,
        emoji: Option<Arc<str>>,
        now: u64,
    ) -> Result<(), CommandError> {
        self.put(room, nonce, Act::Change { m, op, text, emoji }, now)
    }

    /// Takes back what isn't sent on this connection. It may be durable nevertheless, if it was
    /// sent on one before.
    pub fn withdraw(&mut self, nonce: &Nonce) -> Option<Entry> {
        let at = self.outbox.position(nonce)?;
        let entry = &self.outbox.entries()[at];
        if entry.in_flight || entry.acked.is_some() {
            return None;
        }
        self.outbox.remove(nonce)
    }

    /// The user has read a room of its list up to `seq`.
    pub fn read(&mut self, room: &RoomId, seq: u64, now: u64) {
        if self.seen(room, seq, None) {
            self.reads.insert(room.clone(), seq);
            self.pump(now);
        }
    }

    /// Asks for a page of an open room. [`Notice::Page`] or [`Notice::PageRefused`] will follow.
    pub fn history(&mut self, room: &RoomId, anchor: Anchor, limit: u32, now: u64) {
        if let Some(room) = self.rooms.iter_mut().find(|held| held.id() == room) {
            if !room.pages.iter().any(|page| page.anchor == anchor) {
                room.pages.push(PageWanted { anchor, limit, id: None, last: 0 });
            }
            self.pump(now);
        }
    }

    /// Asks who of these users is online, from now on and over all reconnections.
    pub fn watch(&mut self, users: Vec<UserId>, now: u64) {
        self.watched = Some(users);
        self.is_watch_due = true;
        self.pump(now);
    }

    /// The user is writing. At most one in 3 s is told.
    pub fn typing(&mut self, room: &RoomId, now: u64) {
        let is_ready =
            self.link == Link::Ready && self.paused_until.is_none_or(|until| now >= until);
        let Some(held) = self.rooms.iter_mut().find(|held| held.id() == room) else { return };
        if is_ready
            && held.is_open()
            && held.typed_at.is_none_or(|at| now.saturating_sub(at) >= TYPING_EVERY_MS)
        {
            held.typed_at = Some(now);
            self.write(&ClientMessage::Typing(Typing { room: room.clone() }));
        }
    }

    /// Asks for another name, after [`Notice::NameTaken`] or for the next time.
    pub fn rename(&mut self, name: impl Into<Arc<str>>, now: u64) {
        self.config.name = Some(name.into());
        if self.link == Link::NameTaken {
            self.heard = now;
            self.greet();
        }
    }

    /// Connects again after [`Notice::Stopped`], as somebody who may.
    pub fn sign_in(&mut self, token: Option<Arc<str>>, key: Option<Arc<str>>, now: u64) {
        (self.config.token, self.config.key) = (token, key);
        if matches!(self.link, Link::Stopped(_)) {
            self.link = Link::Down;
            self.connect_at = now;
            self.handle_timeout(now);
        }
    }

    /// Ends the connection for good.
    pub fn stop(&mut self) {
        if !matches!(self.link, Link::Down | Link::Stopped(_)) {
            self.outputs.push_back(Output::Disconnect);
        }
        self.link = Link::Stopped(Stop::Asked);
        self.lost();
    }

    // Output

    /// The next thing to be done; none: everything is said.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    // Getters

    /// When to call [`handle_timeout`](Self::handle_timeout). Changes with every input and command.
    pub fn timeout(&self) -> Option<u64> {
        match self.link {
            Link::Down => Some(self.connect_at),
            Link::Greeting => Some(self.heard.saturating_add(WELCOME_MS)),
            Link::Ready => {
                let silent = self.silent_at();
                Some(self.resume_at().map_or(silent, |resume| resume.min(silent)))
            }
            Link::Connecting | Link::NameTaken | Link::Leaving | Link::Stopped(_) => None,
        }
    }

    /// How far the connection is.
    pub fn link(&self) -> Link {
        self.link
    }

    /// Which store the cursors belong to.
    pub fn epoch(&self) -> Option<&str> {
        self.epoch.as_deref()
    }

    /// Who we are, since the first `welcome`.
    pub fn user(&self) -> Option<&UserId> {
        self.user.as_ref()
    }

    /// How we are shown, since the first `welcome`.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// What the server allows, since the first `welcome`.
    pub fn limits(&self) -> &WelcomeLimits {
        &self.limits
    }

    /// The user's list of rooms, with read positions.
    pub fn list(&self) -> &BTreeMap<RoomId, RoomEntry> {
        &self.list
    }

    /// A room that is open, or will be.
    pub fn room(&self, room: &RoomId) -> Option<&Room> {
        self.rooms.iter().find(|held| held.id() == room)
    }

    /// All rooms that are open, or will be, in the order of [`open`](Self::open).
    pub fn rooms(&self) -> &[Room] {
        &self.rooms
    }

    /// What the user said and changed that no room shows yet, in order.
    pub fn outbox(&self) -> &[Entry] {
        self.outbox.entries()
    }

    /// Who of the watched users is online.
    pub fn online_users(&self) -> &BTreeSet<UserId> {
        &self.online
    }

    /// What to write down so that a restart loses nothing.
    pub fn saved(&self) -> Saved {
        let mut cursors = self.restored.clone();
        let held = self.rooms.iter().filter_map(|room| Some((room.id().clone(), room.last()?)));
        cursors.extend(held);
        let entries = self.outbox.entries().iter().filter(|entry| entry.acked.is_none());
        let outbox = entries.map(|entry| Waiting {
            room: entry.room.clone(),
            nonce: entry.nonce.clone(),
            act: entry.act.clone(),
        });
        Saved { epoch: self.epoch.clone(), cursors, outbox: outbox.collect() }
    }

    // Private

    fn put(&mut self, room: RoomId, nonce: Nonce, act: Act, now: u64) -> Result<(), CommandError> {
        if self.outbox.position(&nonce).is_some() {
            return Err(CommandError::NonceInUse);
        }
        if self.outbox.entries().len() >= self.config.outbox_max {
            return Err(CommandError::Full);
        }
        self.outbox.push(room, nonce, act);
        self.pump(now);
        Ok(())
    }

    /// Moves a read position, which only grows. Whether it did.
    fn seen(&mut self, room: &RoomId, seq: u64, readn: Option<u64>) -> bool {
        let held = self.rooms.iter().find(|held| held.id() == room);
        let Some(entry) = self.list.get_mut(room) else { return false };
        if seq <= entry.read {
            return false;
        }
        entry.read = seq;
        let counted = || {
            let timeline = held?.timeline();
            timeline.messages().rev().find(|message| message.m <= seq).map(|message| message.n)
        };
        // Who has read to the end has read all, held here or not.
        let all = (seq >= entry.head).then_some(entry.n);
        let readn = readn.or(all).or_else(counted).unwrap_or(entry.readn);
        entry.readn = entry.readn.max(readn.min(entry.n));
        if entry.readn == entry.n {
            entry.mentions = 0;
        }
        true
    }

    /// Forgets a room, and what is shown of it here.
    fn forget(&mut self, room: &RoomId) -> Option<Room> {
        let at = self.rooms.iter().position(|held| held.id() == room)?;
        let gone = self.rooms.remove(at);
        self.outbox.drop_acked(Some(room));
        self.flights.retain(|_, flight| !matches!(flight, Flight::Page(held) if held == room));
        for flight in self.flights.values_mut() {
            if matches!(flight, Flight::Open(held) if held == room) {
                *flight = Flight::Abandoned(room.clone());
            }
        }
        Some(gone)
    }

    fn notice(&mut self, notice: Notice) {
        self.outputs.push_back(Output::Notice(notice));
    }
}

/// How often `typing` is told.
const TYPING_EVERY_MS: u64 = 3_000;

/// How long `welcome` may take.
const WELCOME_MS: u64 = 15_000;
