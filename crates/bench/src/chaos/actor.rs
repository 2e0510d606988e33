//! One user of the chaos run: says, edits and deletes, and writes down what became of each.

use crate::member::{self, Member};
use crate::random::Random;
use damso_client::{Link, Notice};
use damso_protocol::v1::ChangeOp;
use damso_protocol::v1::client::Anchor;
use damso_protocol::{Nonce, RoomId, UserId};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

/// What was asked of the server, and what came of it.
#[derive(Clone, Debug)]
pub struct Issued {
    pub room: RoomId,
    pub nonce: Nonce,
    pub act: Act,
    pub fate: Fate,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Act {
    Send(Arc<str>),
    Edit(u64, Arc<str>),
    Delete(u64),
    React(u64, Arc<str>),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fate {
    Open,
    /// Durable, at this place.
    Acked(Option<u64>),
    Refused(String),
}

/// What the whole run has in common.
#[derive(Default)]
pub struct Shared {
    /// One of [`OPENING`] to [`OVER`].
    pub phase: AtomicUsize,
    pub rooms: OnceLock<Vec<RoomId>>,
    /// Everybody who was welcomed, by number.
    pub users: Mutex<BTreeMap<usize, UserId>>,
    /// The furthest that anybody has heard of, by room.
    pub heads: Mutex<BTreeMap<RoomId, u64>>,
    pub acked: AtomicU64,
    /// How often somebody was told to wait.
    pub paused: AtomicU64,
    /// Why the run can't go on.
    pub failure: Mutex<Option<String>>,
}

/// Everybody says hello.
pub const OPENING: usize = 0;
/// Everybody talks.
pub const TALKING: usize = 1;
/// Nobody says anything new, and what is missing is fetched.
pub const QUIET: usize = 2;
/// Everybody talks on, and what they hear doesn't count: it may come from after the end.
pub const DARK: usize = 3;
pub const OVER: usize = 4;

/// How many may wait in an actor's outbox.
const OUTBOX_MAX: usize = 4;
const EMOJI: [&str; 3] = ["👍", "🎉", "눈"];

pub struct Actor {
    pub number: usize,
    pub member: Member,
    pub issued: Vec<Issued>,
    pub key: Arc<str>,
    /// How long it thinks before it says something: up to so many ms.
    pub pace: u64,
    /// How much of it it says in the lobby.
    pub lobby_share: f64,
    /// How long its texts are; 0: sometimes short, sometimes long.
    pub chars: usize,
    /// How far it had seen which room when it got dark.
    pub seen: Option<Vec<(RoomId, u64)>>,
    by_nonce: HashMap<Nonce, usize>,
    /// Own messages that stand and aren't being deleted.
    own: Vec<(RoomId, u64)>,
    rooms: Vec<RoomId>,
    random: Random,
    act_at: Instant,
    fill_at: Instant,
    online_at: Option<Instant>,
}

impl AsMut<Member> for Actor {
    fn as_mut(&mut self) -> &mut Member {
        &mut self.member
    }
}

impl AsRef<Member> for Actor {
    fn as_ref(&self) -> &Member {
        &self.member
    }
}

impl Actor {
    pub fn new(number: usize, member: Member, key: Arc<str>, random: Random) -> Self {
        let now = Instant::now();
        Self {
            number,
            member,
            issued: Vec::new(),
            key,
            pace: 1_500,
            lobby_share: 0.15,
            chars: 0,
            seen: None,
            by_nonce: HashMap::new(),
            own: Vec::new(),
            rooms: Vec::new(),
            random,
            act_at: now,
            fill_at: now,
            online_at: None,
        }
    }

    /// The rooms it follows.
    pub fn rooms(&self) -> &[RoomId] {
        &self.rooms
    }

    fn turn(&mut self, now: Instant, phase: usize, shared: &Shared) {
        if self.seen.is_none() {
            self.hear(shared);
        }
        if phase == DARK && self.seen.is_none() {
            let rooms = self.member.client().rooms().iter();
            let seen = rooms.map(|room| (room.id().clone(), room.last().unwrap_or(0)));
            self.seen = Some(seen.collect());
        }
        if self.online_at.is_some_and(|at| at <= now) {
            self.online_at = None;
            self.member.act(|client, now| client.online(now));
        }
        if phase == OPENING {
            if let Some(user) = self.member.client().user() {
                shared
                    .users
                    .lock()
                    .unwrap_or_else(|lock| lock.into_inner())
                    .insert(self.number, user.clone());
            }
            return;
        }
        if self.rooms.is_empty()
            && let Some(rooms) = shared.rooms.get()
        {
            self.rooms = vec![rooms[0].clone(), rooms[1 + self.number % (rooms.len() - 1)].clone()];
            for room in self.rooms.clone() {
                self.member.act(|client, now| client.open(room, now));
            }
        }
        if matches!(phase, TALKING | DARK) && now >= self.act_at {
            self.act_at =
                now + Duration::from_millis(self.random.between(self.pace / 15, self.pace));
            if self.member.client().outbox().len() < OUTBOX_MAX {
                self.act();
            }
        }
        // As when somebody looks at the page again: nobody waits for half a minute.
        if phase == QUIET && self.online_at.is_none() && self.member.client().link() == Link::Down {
            self.online_at = Some(now + Duration::from_millis(self.random.between(100, 1_000)));
        }
        let wait = if phase == TALKING { 400 } else { 5 };
        if now >= self.fill_at + Duration::from_millis(wait) {
            self.fill_at = now;
            self.fill();
        }
    }

    fn act(&mut self) {
        let dice = self.random.between(0, 100);
        let at = self.random.between(0, self.own.len().max(1) as u64) as usize;
        let number = self.issued.len();
        // Long enough that frames are cut in it; every fifth longer than a segment.
        let length = match self.chars {
            0 if number % 5 == 4 => 1_800,
            0 => self.random.between(0, 60) as usize,
            chars => chars,
        };
        let filler: String = "가나다 abc ".chars().cycle().take(length).collect();
        let text: Arc<str> = format!("{}/{number} {filler}", self.number).into();
        match dice {
            70..85 if !self.own.is_empty() => {
                let (room, m) = self.own[at].clone();
                self.issue(room, Act::Edit(m, text));
            }
            85..93 if !self.own.is_empty() => {
                let (room, m) = self.own.swap_remove(at);
                self.issue(room, Act::Delete(m));
            }
            93.. => {
                let Some(room) = self.random.one_of(&self.rooms).cloned() else { return };
                let held = self.member.client().room(&room).map(damso_client::Room::timeline);
                let recent = held.and_then(|timeline| timeline.messages().next_back());
                let Some(m) = recent.map(|message| message.m) else { return };
                let emoji = EMOJI[at % EMOJI.len()];
                self.issue(room, Act::React(m, emoji.into()));
            }
            _ => {
                let room = self.rooms[usize::from(!self.random.chance(self.lobby_share))].clone();
                self.issue(room, Act::Send(text));
            }
        }
    }

    fn issue(&mut self, room: RoomId, act: Act) {
        let nonce = Nonce::new(format!("{}-{}", self.number, self.issued.len()));
        let (to, named, what) = (room.clone(), nonce.clone(), act.clone());
        let taken = self.member.act(|client, now| match what {
            Act::Send(text) => client.send(to, named, text, None, now),
            Act::Edit(m, text) => {
                client.change(to, m, named, ChangeOp::Edit, Some(text), None, now)
            }
            Act::Delete(m) => client.change(to, m, named, ChangeOp::Delete, None, None, now),
            Act::React(m, emoji) => {
                client.change(to, m, named, ChangeOp::React, None, Some(emoji), now)
            }
        });
        // The outbox has room, and nonces are counted.
        if taken.is_ok() {
            self.by_nonce.insert(nonce.clone(), self.issued.len());
            self.issued.push(Issued { room, nonce, act, fate: Fate::Open });
        }
    }

    fn hear(&mut self, shared: &Shared) {
        for notice in self.member.notices() {
            match notice {
                Notice::Acked { nonce, seq, .. } => {
                    let Some(&at) = self.by_nonce.get(&nonce) else { continue };
                    let issued = &mut self.issued[at];
                    issued.fate = Fate::Acked(seq);
                    shared.acked.fetch_add(1, Ordering::Relaxed);
                    if let Some(seq) = seq {
                        let mut heads =
                            shared.heads.lock().unwrap_or_else(|lock| lock.into_inner());
                        let head = heads.entry(issued.room.clone()).or_default();
                        *head = seq.max(*head);
                    }
                    if let (Act::Send(_), Some(m)) = (&issued.act, seq) {
                        self.own.push((issued.room.clone(), m));
                    }
                }
                Notice::Refused { entry, code, msg } => {
                    if let Some(&at) = self.by_nonce.get(&entry.nonce) {
                        self.issued[at].fate = Fate::Refused(format!("{}: {msg}", code.as_str()));
                    }
                }
                Notice::Disconnected { .. } if self.random.chance(0.4) => {
                    let wait = Duration::from_millis(self.random.between(0, 150));
                    self.online_at = Some(Instant::now() + wait);
                }
                Notice::Paused { .. } => drop(shared.paused.fetch_add(1, Ordering::Relaxed)),
                Notice::NameTaken { .. }
                | Notice::HelloRefused { .. }
                | Notice::Stopped { .. }
                | Notice::OpenRefused { .. }
                | Notice::PageRefused { .. }
                | Notice::Failure { .. } => {
                    let mut failure =
                        shared.failure.lock().unwrap_or_else(|lock| lock.into_inner());
                    failure.get_or_insert(format!("user {} was told {notice:?}", self.number));
                }
                _ => {}
            }
        }
    }

    /// Asks for what isn't loaded.
    fn fill(&mut self) {
        for room in self.rooms.clone() {
            let Some(held) = self.member.client().room(&room) else { continue };
            let ranges = held.timeline().ranges();
            let low = match ranges {
                _ if !held.is_open() => continue,
                [.., below, last] if below.high < last.low => last.low,
                [only] if only.low > held.first() => only.low,
                _ => continue,
            };
            self.member.act(|client, now| client.history(&room, Anchor::Before(low), 100, now));
        }
    }

    /// What keeps it from being as far as everybody else; none: nothing.
    pub fn unsettled(&self, heads: &BTreeMap<RoomId, u64>) -> Option<String> {
        let client = self.member.client();
        if client.link() != Link::Ready {
            return Some(format!("the link is {:?}", client.link()));
        }
        if !client.outbox().is_empty() {
            return Some(format!("the outbox holds {:?}", client.outbox()));
        }
        self.rooms.iter().find_map(|id| {
            let Some(room) = client.room(id) else { return Some(format!("{id} isn't open")) };
            let head = heads.get(id).copied().unwrap_or_default();
            let ranges = room.timeline().ranges();
            let whole = matches!(ranges, [one] if one.low <= room.first().max(1) && one.high == head)
                || head == 0;
            let is_there = room.is_open() && room.last() == Some(head) && whole;
            (!is_there).then(|| {
                format!("{id}: open {}, at {:?} of {head}, {ranges:?}", room.is_open(), room.last())
            })
        })
    }
}

/// Serves actors until the run is over; `settled` says how many have all there is.
pub fn serve(mut actors: Vec<Actor>, shared: &Shared, settled: &AtomicUsize) -> Vec<Actor> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let phase = shared.phase.load(Ordering::Relaxed);
        if phase == OVER {
            return actors;
        }
        let now = Instant::now();
        for actor in &mut actors {
            actor.turn(now, phase, shared);
        }
        let until = Instant::now() + Duration::from_millis(10);
        if let Err(why) = member::step(&mut actors, &mut buffer, until) {
            let mut failure = shared.failure.lock().unwrap_or_else(|lock| lock.into_inner());
            failure.get_or_insert(why);
        }
        let count = match phase {
            OPENING => actors.iter().filter(|actor| actor.member.client().user().is_some()).count(),
            QUIET => {
                let mut heads = shared.heads.lock().unwrap_or_else(|lock| lock.into_inner());
                for room in actors.iter().flat_map(|actor| actor.member.client().rooms()) {
                    let head = heads.entry(room.id().clone()).or_default();
                    *head = room.head().max(*head);
                }
                actors.iter().filter(|actor| actor.unsettled(&heads).is_none()).count()
            }
            DARK => actors.len(),
            _ => 0,
        };
        settled.store(count, Ordering::Relaxed);
    }
}
