//! The server: shards, hub and the ways between them, as the program joins them; and its life, from
//! a start on what the disk has to its stop or crash.

use crate::audit::short;
use crate::bug::{Bug, Fault};
use crate::net::Sockets;
use crate::truth::{Rule, fail};
use crate::world::{Action, World};
use damso::clock::Reading;
use damso::http::upgrade::{Door, Policy};
use damso::readers::{self, Asked, Fetched, Job, Readers};
use damso::serve::websocket_config;
use damso::session::{Context, Fate};
use damso::shard::{Shard, ToShard};
use damso_chat::Entry;
use damso_chat::hub::{Answer, Hub, Input, Request, SessionId, Who};
use damso_protocol::RoomId;
use damso_store::{Log as _, Outcome};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

/// The most that may wait at the server for one connection, in bytes: what it asked for.
const WAITING_BYTES_MAX: usize = 256 * 1024;

/// A running server.
pub struct Server {
    /// Which of the server's lives this is.
    pub life: u64,
    /// Its shards.
    pub nodes: Vec<Node>,
    pub hub: Hub,
    pub inbox: VecDeque<ToHub>,
    hub_wake: Option<u64>,
    clock: Reading,
    /// What waits for the log, and what is being written.
    pub queue: Vec<Entry>,
    pub writing: Option<(Vec<Entry>, u64)>,
    pub in_log: usize,
    /// When the hub is told of the last outcomes; later ones come later.
    told_at: u64,
    /// What shards ask of the readers.
    asked: Arc<Mutex<Vec<Job>>>,
    /// It was told to stop.
    pub stopping: bool,
    /// Its hub has ended.
    over: bool,
    /// HTTP requests, by the slot of their session: whose, and for what.
    pub desk: HashMap<u32, Errand>,
    next_errand: u32,
    next_shard: usize,
    /// Requests that the hub hasn't given back, by session.
    pub credits: HashMap<SessionId, i64>,
    /// Who hears what, by what the hub said.
    pub audience: BTreeSet<(SessionId, RoomId)>,
    kept_credits: u64,
}

/// What reaches the hub.
pub enum ToHub {
    Inputs(Vec<Input>),
    Recorded(Vec<Outcome>),
    Read(Vec<Job>),
}

/// A shard with the sockets of its connections.
pub struct Node {
    shard: Shard,
    /// What other threads have for it.
    pub inbox: VecDeque<ToShard>,
    slots: Vec<Option<usize>>,
    generations: Vec<u32>,
    wake: Option<u64>,
}

/// An HTTP request.
pub struct Errand {
    /// Whose.
    pub person: usize,
    /// For a trace.
    pub what: String,
    /// What the reply has to agree with: the message's place, if it repeats one.
    pub nonce: Option<damso_protocol::Nonce>,
}

impl Node {
    /// The connection in a slot, by its whole name.
    pub fn session(&self, index: usize, slot: u32) -> SessionId {
        let generation = self.generations.get(slot as usize).copied().unwrap_or(0);
        SessionId { shard: index as u16, slot, generation }
    }
}

impl World {
    /// Starts the server on what the disk has.
    pub fn start_server(&mut self) {
        self.life += 1;
        let now = self.instant();
        let clock = Reading::start(self.wall_ms(), self.disk.last_at, now);
        let asked = Arc::new(Mutex::new(Vec::new()));
        let given = asked.clone();
        let readers = Readers::new(move |jobs| {
            if let Ok(mut asked) = given.lock() {
                asked.extend(jobs);
            }
        });
        let limits = self.plan.limits.clone();
        let websocket = websocket_config(&limits);
        let door = Door::Chat(Policy::default());
        let context = Arc::new(Context::new(door, websocket, limits.clone()));
        let nodes = (0..self.plan.shards).map(|index| Node {
            shard: Shard::new(index, context.clone(), readers.clone()),
            inbox: VecDeque::new(),
            slots: Vec::new(),
            generations: Vec::new(),
            wake: None,
        });
        let state = self.disk.log.state().clone();
        let mut server = Server {
            life: self.life,
            nodes: nodes.collect(),
            hub: Hub::new(state, limits, self.disk.epoch.clone(), self.life),
            inbox: VecDeque::new(),
            hub_wake: None,
            clock,
            queue: Vec::new(),
            writing: None,
            in_log: 0,
            told_at: 0,
            asked,
            stopping: false,
            over: false,
            desk: HashMap::new(),
            next_errand: 0,
            next_shard: 0,
            credits: HashMap::new(),
            audience: BTreeSet::new(),
            kept_credits: 0,
        };
        let session = self.operator();
        server.inbox.push_back(ToHub::Inputs(vec![Input::Hello { session, who: Who::Operator }]));
        let life = self.life;
        self.trace(|| format!("server   starts for the {life}. time"));
        self.server = Some(server);
        self.wake_hub();
    }

    /// The session of the console.
    fn operator(&self) -> SessionId {
        SessionId { shard: self.plan.shards + 1, slot: 0, generation: 0 }
    }

    /// The operator asks for something.
    pub fn operate(&mut self, request: Request) {
        let session = self.operator();
        self.trace(|| format!("operator asks {request:?}"));
        self.give_hub(vec![Input::Request { session, id: 1, request }]);
    }

    /// The hub is told to stop.
    pub fn stop_hub(&mut self) {
        self.wake_hub();
    }

    /// A person asks for something over HTTP.
    pub fn ask(&mut self, person: usize, request: Request, nonce: Option<damso_protocol::Nonce>) {
        let (shard, key) = (self.plan.shards, self.people[person].key_hash());
        let address = SocketAddr::new(self.people[person].address, 40_000);
        let what = format!("{request:?}");
        let Some(server) = &mut self.server else { return };
        let slot = server.next_errand;
        server.next_errand += 1;
        let session = SessionId { shard, slot, generation: 0 };
        server.desk.insert(slot, Errand { person, what: what.clone(), nonce });
        let who = Who::Bearer { id: 1, key, address };
        let asked = Input::Request { session, id: 1, request };
        self.trace(|| format!("http {slot:<3} person {person} asks {what}"));
        self.give_hub(vec![Input::Hello { session, who }, asked]);
    }

    fn give_hub(&mut self, inputs: Vec<Input>) {
        if let Some(server) = &mut self.server
            && !inputs.is_empty()
            && !server.over
        {
            server.inbox.push_back(ToHub::Inputs(inputs));
            self.wake_hub();
        }
    }

    fn wake_hub(&mut self) {
        let delay = self.rng.between(10, 2_000);
        self.wake_hub_at(self.now + delay);
    }

    fn wake_hub_at(&mut self, at: u64) {
        let Some(server) = &mut self.server else { return };
        if server.hub_wake.is_none_or(|wake| at < wake) {
            server.hub_wake = Some(at);
            let life = server.life;
            self.at(at, Action::Hub { life });
        }
    }

    /// Lets a shard run soon.
    pub fn wake_shard(&mut self, index: usize) {
        let delay = self.rng.between(10, 1_500);
        self.wake_shard_at(index, self.now + delay);
    }

    fn wake_shard_at(&mut self, index: usize, at: u64) {
        let Some(server) = &mut self.server else { return };
        let node = &mut server.nodes[index];
        if node.wake.is_none_or(|wake| at < wake) {
            node.wake = Some(at);
            let life = server.life;
            self.at(at, Action::Shard { life, index });
        }
    }

    /// The hub's thread comes round once, as `damso::hub::run` does.
    pub fn turn_hub(&mut self) {
        let (wall, instant) = (self.wall_ms(), self.instant());
        let Some(mut server) = self.server.take() else { return };
        if server.hub_wake != Some(self.now) || server.over {
            self.server = Some(server);
            return;
        }
        server.hub_wake = None;
        let now = server.clock.advance(wall, instant);
        let mut jobs = Vec::new();
        for message in std::mem::take(&mut server.inbox) {
            match message {
                ToHub::Recorded(outcomes) => {
                    server.in_log -= outcomes.len();
                    server.hub.recorded(outcomes, now);
                }
                ToHub::Read(more) => jobs.extend(more),
                ToHub::Inputs(_) if server.stopping => {}
                ToHub::Inputs(inputs) => {
                    for input in inputs {
                        server.count(&input, self.plan.shards);
                        server.hub.handle(input, now);
                    }
                }
            }
        }
        server.hub.handle_timeout(now);
        let entries = server.hub.take_entries();
        if !entries.is_empty() && self.plan.memory {
            match self.disk.commit(entries, now, &mut self.ages[self.age]) {
                Ok(outcomes) => {
                    damso::hub::forget(&mut server.hub, &mut self.disk.log);
                    self.trace_outcomes(&outcomes);
                    server.hub.recorded(outcomes, now);
                }
                Err(failure) => self.failed(failure),
            }
        } else if !entries.is_empty() {
            server.in_log += entries.len();
            server.queue.extend(entries);
            let life = server.life;
            let delay = self.rng.between(5, 500);
            self.after(delay, Action::Write { life });
        }
        if server.stopping && server.in_log == 0 {
            server.over = true;
            server.hub.handle(Input::Stop, now);
        }
        let outputs = self.mangle(server.hub.take_outputs(), &mut server.kept_credits);
        // Beside the shards: one for HTTP, and the console's.
        let mut batches: Vec<Vec<ToShard>> =
            (0..self.plan.shards + 2).map(|_| Vec::new()).collect();
        for output in outputs {
            let checked = server.note(&output, self.plan.shards);
            self.check(checked);
            damso::hub::sort_in(output, &mut batches, &mut jobs);
        }
        if server.over {
            batches.iter_mut().for_each(|batch| batch.push(ToShard::Stop));
        }
        let due = server.hub.timeout();
        self.server = Some(server);
        for (index, batch) in batches.into_iter().enumerate() {
            self.give(index, batch);
        }
        for job in jobs {
            if self.plan.memory {
                let fetched = readers::read(job, &self.disk.log);
                self.fetched(fetched);
            } else {
                self.send_to_readers(job);
            }
        }
        if let Some(due) = due {
            self.wake_hub_at(self.now + due.saturating_sub(now).clamp(1, 3_600_000) * 1_000);
        }
    }

    /// Gives a batch to a shard, or to who stands in its place.
    fn give(&mut self, index: usize, batch: Vec<ToShard>) {
        if batch.is_empty() {
            return;
        }
        if index >= usize::from(self.plan.shards) {
            for message in batch {
                match message {
                    ToShard::Answer(session, id, answer) => {
                        self.answered(index, session, id, answer);
                    }
                    // Whoever is sent away gets no answer.
                    ToShard::Close(session, _) => {
                        if let Some(server) = &mut self.server {
                            server.desk.remove(&session.slot);
                        }
                    }
                    _ => {}
                }
            }
            return;
        }
        let Some(server) = &mut self.server else { return };
        server.nodes[index].inbox.extend(batch);
        self.wake_shard(index);
    }

    /// An answer for an HTTP request or the console.
    fn answered(&mut self, index: usize, session: SessionId, id: u64, answer: Answer) {
        if index > usize::from(self.plan.shards) {
            return;
        }
        let errand = self.server.as_mut().and_then(|server| server.desk.remove(&session.slot));
        let Some(errand) = errand.filter(|_| id == 1) else { return };
        self.trace(|| format!("http {:<3} {} → {answer:?}", session.slot, errand.what));
        if let Answer::Said { m, .. } = answer
            && let Some(nonce) = &errand.nonce
            && let Some(user) = self.user_of(errand.person)
        {
            let stands = self.ages[self.age].accepted(&user, nonce);
            if stands.map(|(_, seq)| *seq) != Some(m) {
                let rule = if stands.is_some() { Rule::G4 } else { Rule::G2 };
                self.check(fail(rule, format!("{nonce} was answered {m}, but is {stands:?}")));
            }
        }
        self.give_hub(vec![Input::Gone { session }]);
    }

    /// The readers have something for a session.
    pub fn fetched(&mut self, fetched: Fetched) {
        let index = usize::from(fetched.session.shard);
        if let Asked::Events { events, .. } = &fetched.asked {
            self.counts.fed += events.len() as u64;
        }
        if index < usize::from(self.plan.shards) {
            if matches!(fetched.asked, Asked::Page(_))
                && let Some(server) = &mut self.server
                && let Some(out) = server.credits.get_mut(&fetched.session)
            {
                *out -= 1;
            }
            self.give(index, vec![ToShard::Fetched(fetched)]);
        }
    }

    fn send_to_readers(&mut self, job: Job) {
        let life = self.life;
        let delay = self.rng.between(5, 1_000 * self.plan.readers_ms);
        self.after(delay, Action::Read { life, job });
    }

    /// One of the readers does a job; what it found takes its time too.
    pub fn read(&mut self, job: Job) {
        let fetched = readers::read(job, &self.disk.log);
        let life = self.life;
        let delay = self.rng.between(5, 200 * self.plan.readers_ms);
        self.after(delay, Action::Fetched { life, fetched });
    }

    /// The log's thread takes all that waits.
    pub fn write(&mut self) {
        let (wall, instant) = (self.wall_ms(), self.instant());
        let Some(server) = &mut self.server else { return };
        if server.writing.is_some() || server.queue.is_empty() {
            return;
        }
        let entries = std::mem::take(&mut server.queue);
        let at = server.clock.advance(wall, instant);
        let life = server.life;
        if self.disk.full {
            // Nothing was done, and it can be said.
            let outcomes = entries.iter().map(|_| Err(damso_chat::Refusal::Unavailable)).collect();
            self.trace(|| format!("log      has no room for {} entries", entries.len()));
            return self.tell(life, outcomes);
        }
        if self.bug == Some(Bug::AckBeforeFsync) {
            let outcomes = self.disk.foresee(entries.clone(), at);
            self.tell(life, outcomes);
        }
        let Some(server) = &mut self.server else { return };
        server.writing = Some((entries, at));
        let delay = self.rng.between(100, 1_000 * self.plan.fsync_ms);
        self.after(delay, Action::Commit { life });
    }

    /// What was being written is durable.
    pub fn commit(&mut self) {
        let writing = self.server.as_mut().and_then(|server| server.writing.take());
        let Some((entries, at)) = writing else { return };
        match self.disk.commit(entries, at, &mut self.ages[self.age]) {
            Ok(outcomes) => {
                self.trace_outcomes(&outcomes);
                let life = self.life;
                if self.server.is_some() {
                    if self.bug != Some(Bug::AckBeforeFsync) {
                        self.tell(life, outcomes);
                    }
                    self.after(5, Action::Write { life });
                }
            }
            Err(failure) => self.failed(failure),
        }
    }

    /// The log's thread answers the hub: in order, whatever it takes.
    fn tell(&mut self, life: u64, outcomes: Vec<Outcome>) {
        let delay = self.rng.between(5, 500);
        let Some(server) = &mut self.server else { return };
        server.told_at = (self.now + delay).max(server.told_at);
        let at = server.told_at;
        self.at(at, Action::Told { life, outcomes });
    }

    /// The hub learns what became of entries.
    pub fn told(&mut self, outcomes: Vec<Outcome>) {
        if let Some(server) = &mut self.server {
            server.inbox.push_back(ToHub::Recorded(outcomes));
            let life = server.life;
            self.wake_hub();
            self.after(5, Action::Write { life });
        }
    }

    fn trace_outcomes(&mut self, outcomes: &[Outcome]) {
        if !self.is_tracing() {
            return;
        }
        for outcome in outcomes {
            match outcome {
                Ok(decision) if !decision.events().is_empty() => {
                    for event in decision.events() {
                        self.trace(|| format!("log      {}", short(event)));
                    }
                }
                other => self.trace(|| format!("log      {other:?}")),
            }
        }
    }

    /// A shard's engine comes round once, as `damso::engine::event` does.
    pub fn turn_shard(&mut self, index: usize) {
        let now = self.instant();
        let Some(mut server) = self.server.take() else { return };
        let node = &mut server.nodes[index];
        if node.wake != Some(self.now) {
            self.server = Some(server);
            return;
        }
        node.wake = None;
        let mut emptied = Vec::new();
        let start = self.rng.below(node.slots.len() as u64 + 1) as usize;
        let (before, after) = (0..start.min(node.slots.len()), start..node.slots.len());
        for slot in after.chain(before) {
            let Some(at) = node.slots[slot] else { continue };
            let (conn, slot) = (&mut self.net[at], slot as u32);
            if std::mem::take(&mut conn.writable) {
                node.shard.writable(slot);
            }
            if conn.lost && !conn.lost_told {
                conn.lost_told = true;
                node.shard.lost(slot, "the connection was reset");
            } else if !node.shard.wants_read(slot) {
                continue;
            } else if !conn.arrived.is_empty() {
                let mut bytes: Vec<u8> = conn.arrived.drain(..).collect();
                node.shard.receive(slot, &mut bytes, now);
                emptied.push(at);
            } else if conn.up.ended && conn.up.bytes.is_empty() && !conn.up.end_told {
                conn.up.end_told = true;
                node.shard.receive_eof(slot, now);
            }
        }
        let fault = Fault::of(self.bug);
        let mut sockets = Sockets {
            net: &mut self.net,
            slots: &node.slots,
            written: Vec::new(),
            failed: Vec::new(),
            fault: std::mem::replace(&mut self.fault, fault),
        };
        for message in std::mem::take(&mut node.inbox) {
            node.shard.take(message, &mut sockets, now);
        }
        node.shard.handle_timeouts(now);
        node.shard.settle(&mut sockets, now);
        while !sockets.failed.is_empty() {
            for slot in std::mem::take(&mut sockets.failed) {
                node.shard.lost(slot, "the connection was reset");
            }
            node.shard.settle(&mut sockets, now);
        }
        let written = std::mem::take(&mut sockets.written);
        self.fault = sockets.fault;
        for (slot, fate) in node.shard.take_fates() {
            let Some(Some(at)) = node.slots.get(slot as usize).copied() else { continue };
            match fate {
                Fate::Stay => {}
                Fate::ShutDown => self.net[at].down.ended = true,
                Fate::Drop | Fate::HandOver => {
                    self.net[at].down.ended = true;
                    self.net[at].place = None;
                    node.slots[slot as usize] = None;
                    node.generations[slot as usize] += 1;
                    node.shard.release(slot);
                }
            }
            emptied.push(at);
        }
        for (slot, at) in node.slots.iter().enumerate() {
            let waiting = node.shard.waiting(slot as u32);
            if at.is_some() && waiting > WAITING_BYTES_MAX {
                let what = format!("{waiting} bytes wait for slot {slot} of shard {index}");
                self.failure.get_or_insert(crate::truth::Failure { rule: Rule::Memory, what });
            }
        }
        let inputs = node.shard.take_hub();
        let unread = (0..node.slots.len()).any(|slot| {
            let Some(at) = node.slots[slot] else { return false };
            let has = !self.net[at].arrived.is_empty()
                || self.net[at].up.ended
                    && self.net[at].up.bytes.is_empty()
                    && !self.net[at].up.end_told;
            has && node.shard.wants_read(slot as u32)
        });
        let due = node.shard.next_deadline();
        let is_gone = server.over && node.shard.is_stopping() && node.shard.is_empty();
        let jobs: Vec<Job> =
            server.asked.lock().map(|mut asked| std::mem::take(&mut *asked)).unwrap_or_default();
        let all_gone = is_gone && server.nodes.iter().all(|node| node.shard.is_empty());
        self.server = Some(server);
        self.give_hub(inputs);
        for job in jobs {
            if self.plan.memory {
                if let Some(server) = &mut self.server {
                    server.inbox.push_back(ToHub::Read(vec![job]));
                }
                self.wake_hub();
            } else {
                self.send_to_readers(job);
            }
        }
        for at in emptied.into_iter().chain(written) {
            self.move_bytes(at);
        }
        if unread {
            self.wake_shard(index);
        }
        if let Some(due) = due {
            let due = due.saturating_duration_since(now).as_micros() as u64;
            self.wake_shard_at(index, self.now + due.max(1));
        }
        if all_gone {
            self.end_server("has stopped");
        }
    }

    /// A connection reaches the server.
    pub fn accept(&mut self, at: usize) {
        let now = self.instant();
        let peer = self.net[at].peer;
        let refused = self.server.as_ref().is_none_or(|server| server.over || server.stopping);
        if refused || !self.net[at].client_here || self.net[at].up.dead {
            self.client_gone_soon(at);
            return;
        }
        let address = self.address_of(peer, at);
        let Some(server) = &mut self.server else { return };
        let index = server.next_shard % server.nodes.len();
        server.next_shard += 1;
        let node = &mut server.nodes[index];
        let slot = node.shard.open(address, None, now);
        if node.slots.len() <= slot as usize {
            node.slots.resize(slot as usize + 1, None);
            node.generations.resize(slot as usize + 1, 0);
        }
        node.slots[slot as usize] = Some(at);
        self.net[at].place = Some((index, slot));
        self.net[at].age = self.age;
        self.wake_shard(index);
        self.move_bytes(at);
    }
}
