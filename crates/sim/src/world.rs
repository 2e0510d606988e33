//! The world of one seed: everything that happens, in the order of a time that nobody waits for.

use crate::bug::{Bug, Fault};
use crate::disk::Disk;
use crate::net::Conn;
use crate::peer::Peer;
use crate::plan::Plan;
use crate::rng::Rng;
use crate::server::Server;
use crate::truth::{Age, Checked, Failure, Rule, fail};
use damso::readers::{Fetched, Job};
use damso_chat::KeyHash;
use damso_protocol::{Nonce, RoomId, UserId};
use damso_store::Outcome;
use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

/// The wall clock at the beginning, in ms since 1970.
const WALL_MS: i64 = 1_800_000_000_000;

/// After everything was healed, everybody has to be there within this time, in ms.
const HEALING_MS: u64 = 15 * 60_000;

/// When things happen, counted from here. Only differences matter, so that a real clock's reading
/// is as good as any; there is no other way to make an `Instant`.
#[allow(clippy::disallowed_methods)]
static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Something that is going to happen.
pub enum Action {
    Hub { life: u64 },
    Shard { life: u64, index: usize },
    Write { life: u64 },
    Commit { life: u64 },
    Told { life: u64, outcomes: Vec<Outcome> },
    Read { life: u64, job: Job },
    Fetched { life: u64, fetched: Fetched },
    Accept { at: usize },
    Up { at: usize },
    Down { at: usize },
    ClientGone { at: usize },
    ClientLate { at: usize },
    Wake { peer: usize },
    Connect { peer: usize },
    Act { peer: usize },
    Rename { peer: usize, name: String },
    SignIn { peer: usize },
    Reads { peer: usize },
    Online { peer: usize },
    Fate,
    Start,
    Kill { life: u64 },
    DiskFree,
    Heal,
    Look,
}

struct Due {
    at: u64,
    order: u64,
    action: Action,
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        // The heap gives the greatest first, and the earliest is wanted.
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Due {}

/// Somebody with a key.
pub struct Person {
    /// Its key.
    pub key: Arc<str>,
    /// What it would like to be called.
    pub name: Arc<str>,
    /// Where it comes from.
    pub address: IpAddr,
    /// What it said, for it to be said again.
    pub said: Vec<(RoomId, Nonce, Arc<str>)>,
}

impl Person {
    /// By what the server knows it.
    pub fn key_hash(&self) -> KeyHash {
        damso::dialect::v1::key_hash(&self.key).unwrap_or(KeyHash([0; 32]))
    }
}

/// How far a run is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// People act, and things go wrong.
    Acting,
    /// Everything works, and everybody is to get there.
    Healing,
    /// Everybody was there; all come again, so that everything is whole.
    Returning,
    /// All is as it should be.
    Over,
}

/// What happened, in numbers.
#[derive(Clone, Copy, Default, Debug)]
pub struct Counts {
    /// Steps taken.
    pub steps: u64,
    /// Events in the log's lives.
    pub events: u64,
    /// Frames that clients heard.
    pub heard: u64,
    /// Events that readers who had fallen behind were fed from the log.
    pub fed: u64,
    /// Connections made.
    pub connections: u64,
    /// Starts of the server.
    pub starts: u64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.steps += other.steps;
        self.events += other.events;
        self.heard += other.heard;
        self.fed += other.fed;
        self.connections += other.connections;
        self.starts += other.starts;
    }
}

/// See the module's text.
pub struct World {
    pub plan: Plan,
    pub rng: Rng,
    /// In µs.
    pub now: u64,
    queue: BinaryHeap<Due>,
    order: u64,
    pub net: Vec<Conn>,
    pub peers: Vec<Peer>,
    pub people: Vec<Person>,
    pub server: Option<Server>,
    pub life: u64,
    pub disk: Disk,
    wall_shift_ms: i64,
    /// The lives of the log, and which one it is now.
    pub ages: Vec<Age>,
    pub age: usize,
    pub phase: Phase,
    phase_since: u64,
    pub failure: Option<Failure>,
    traces: Option<Vec<String>>,
    pub counts: Counts,
    pub bug: Option<Bug>,
    pub fault: Fault,
    /// The texts said so far, of which none is said twice.
    pub texts: u64,
    /// For [`Bug::TextsSwapped`]: the last text of a room.
    pub held: HashMap<RoomId, Arc<str>>,
}

impl World {
    /// The world of a seed, before anything happens.
    pub fn new(seed: u64, is_tracing: bool, bug: Option<Bug>) -> Self {
        let mut rng = Rng::new(seed);
        let plan = Plan::of(&mut rng);
        let disk = Disk::new(plan.kept_bytes, bug);
        let age = Age::new(disk.epoch.clone());
        let mut world = Self {
            rng,
            now: 0,
            queue: BinaryHeap::new(),
            order: 0,
            net: Vec::new(),
            peers: Vec::new(),
            people: Vec::new(),
            server: None,
            life: 0,
            disk,
            wall_shift_ms: 0,
            ages: vec![age],
            age: 0,
            phase: Phase::Acting,
            phase_since: 0,
            failure: None,
            traces: is_tracing.then(Vec::new),
            counts: Counts::default(),
            bug,
            fault: Fault::of(bug),
            texts: 0,
            held: HashMap::new(),
            plan,
        };
        world.trace(|| format!("seed {seed}"));
        if world.is_tracing() {
            let plan = format!("{:?}", world.plan);
            world.trace(|| plan);
        }
        world.settle_people();
        world
    }

    /// Lets it happen.
    pub fn run(&mut self) {
        self.start_server();
        self.after(1_000_000, Action::Fate);
        self.after(3_000_000, Action::Look);
        self.after(1_000 * self.plan.acting_ms, Action::Heal);
        while self.failure.is_none() && self.phase != Phase::Over {
            let Some(Due { at, action, .. }) = self.queue.pop() else {
                self.check(fail(Rule::Liveness, "nothing happens any more"));
                return;
            };
            self.now = self.now.max(at);
            self.counts.steps += 1;
            self.step(action);
            let late = self.now > self.phase_since + 1_000 * HEALING_MS;
            if late && self.phase != Phase::Acting {
                let what = self.unrest().unwrap_or_else(|| "it never rests".into());
                self.check(fail(Rule::Liveness, what));
            }
        }
        self.counts.starts = self.life;
        let ages = self.ages.iter().flat_map(|age| age.rooms());
        self.counts.events = ages.map(|(_, room)| room.head()).sum();
    }

    fn step(&mut self, action: Action) {
        let life = self.server.as_ref().map(|server| server.life);
        let lives = |of: u64| life == Some(of);
        match action {
            Action::Hub { life } if lives(life) => self.turn_hub(),
            Action::Shard { life, index } if lives(life) => self.turn_shard(index),
            Action::Write { life } if lives(life) => self.write(),
            Action::Commit { life } if lives(life) => self.commit(),
            Action::Told { life, outcomes } if lives(life) => self.told(outcomes),
            Action::Read { life, job } if lives(life) => self.read(job),
            Action::Fetched { life, fetched } if lives(life) => self.fetched(fetched),
            Action::Kill { life } if lives(life) => self.end_server("is killed while it stops"),
            Action::Hub { .. }
            | Action::Kill { .. }
            | Action::Shard { .. }
            | Action::Write { .. }
            | Action::Commit { .. }
            | Action::Told { .. }
            | Action::Read { .. }
            | Action::Fetched { .. } => {}
            Action::Accept { at } => self.accept(at),
            Action::Up { at } => self.move_up(at),
            Action::Down { at } => self.move_down(at),
            Action::ClientGone { at } => self.client_gone(at),
            Action::ClientLate { at } => self.client_late(at),
            Action::Wake { peer } => self.wake_peer(peer),
            Action::Connect { peer } => self.connect_plain(peer),
            Action::Act { peer } => self.act(peer),
            Action::Rename { peer, name } => self.rename(peer, &name),
            Action::SignIn { peer } => self.sign_in(peer),
            Action::Reads { peer } => self.read_again(peer),
            Action::Online { peer } => self.online_again(peer),
            Action::Fate => self.fate(),
            Action::Start => {
                if self.server.is_none() {
                    self.start_again();
                }
            }
            Action::DiskFree => {
                self.trace(|| "disk     has room again".into());
                self.disk.full = false;
            }
            Action::Heal => self.heal(),
            Action::Look => self.look(),
        }
    }

    /// Looks whether everybody is where the log is, and goes on to what comes then.
    fn look(&mut self) {
        self.after(1_500_000, Action::Look);
        self.check_timelines();
        if self.phase == Phase::Acting {
            return;
        }
        self.pardon();
        if self.unrest().is_some() {
            return;
        }
        self.check_server();
        self.check_ends();
        if self.failure.is_some() {
            return;
        }
        if self.phase == Phase::Healing {
            self.trace(|| "world    everybody is there; all connections are cut once more".into());
            self.set_phase(Phase::Returning);
            self.cut_all();
        } else {
            self.check_lists();
            self.set_phase(Phase::Over);
        }
    }

    /// Enters a phase.
    pub fn set_phase(&mut self, phase: Phase) {
        self.phase = phase;
        self.phase_since = self.now;
    }

    /// The server dies, and whatever it held in memory with it. What was being written may have
    /// become durable or not.
    pub fn crash(&mut self) {
        let Some(server) = &self.server else { return };
        let is_written = server.writing.is_some() && self.rng.chance(500);
        if is_written && self.bug != Some(Bug::AckBeforeFsync) {
            self.commit();
            self.end_server("crashes after its write became durable");
        } else {
            self.end_server("crashes");
        }
    }

    /// The server's process is gone.
    pub fn end_server(&mut self, how: &str) {
        if self.server.take().is_none() {
            return;
        }
        self.trace(|| format!("server   {how}"));
        for at in 0..self.net.len() {
            if self.net[at].place.take().is_none() {
                continue;
            }
            let conn = &mut self.net[at];
            conn.arrived.clear();
            conn.down.ended = true;
            if self.rng.chance(500) {
                let left = self.rng.below(conn.down.bytes.len() as u64 + 1) as usize;
                conn.down.bytes.truncate(left);
            }
            self.move_bytes(at);
        }
        let delay = self.rng.between(100_000, 8_000_000);
        self.after(delay, Action::Start);
    }

    fn start_again(&mut self) {
        if self.plan.memory {
            self.disk.begin_anew();
            self.ages.push(Age::new(self.disk.epoch.clone()));
            self.age = self.ages.len() - 1;
        } else {
            let checked = self.disk.restart(&self.ages[self.age]);
            self.check(checked);
        }
        self.start_server();
    }

    /// The wall clock jumps.
    pub fn jump(&mut self, ms: i64) {
        self.trace(|| format!("clock    jumps by {ms} ms"));
        self.wall_shift_ms += ms;
    }

    /// The wall clock, in ms since 1970.
    pub fn wall_ms(&self) -> u64 {
        (WALL_MS + self.wall_shift_ms + (self.now / 1_000) as i64).max(0) as u64
    }

    /// Now, as machines without a clock are told.
    pub fn instant(&self) -> Instant {
        *ORIGIN + Duration::from_micros(self.now)
    }

    /// Now, as clients are told.
    pub fn ms(&self) -> u64 {
        self.now / 1_000
    }

    /// Lets something happen in so many µs.
    pub fn after(&mut self, delay: u64, action: Action) {
        self.at(self.now + delay, action);
    }

    /// Lets something happen at a time.
    pub fn at(&mut self, at: u64, action: Action) {
        self.order += 1;
        self.queue.push(Due { at: at.max(self.now), order: self.order, action });
    }

    /// Notes what doesn't hold. The first one ends the run.
    pub fn check(&mut self, checked: Checked) {
        if let Err(failure) = checked {
            self.failed(failure);
        }
    }

    /// Something doesn't hold.
    pub fn failed(&mut self, failure: Failure) {
        self.trace(|| format!("FAILURE  {:?}: {}", failure.rule, failure.what));
        self.failure.get_or_insert(failure);
    }

    /// Whether somebody reads what happens.
    pub fn is_tracing(&self) -> bool {
        self.traces.is_some()
    }

    /// Writes down what happens, if somebody reads it.
    pub fn trace(&mut self, line: impl FnOnce() -> String) {
        let now = self.now;
        if let Some(traces) = &mut self.traces {
            traces.push(format!("{:>10.3} {}", now as f64 / 1e6, line()));
        }
    }

    /// What was written down.
    pub fn take_trace(&mut self) -> Vec<String> {
        self.traces.take().unwrap_or_default()
    }

    /// Who a person is in the log's present life.
    pub fn user_of(&self, person: usize) -> Option<UserId> {
        self.ages[self.age].state.user_of_key(&self.people[person].key_hash()).cloned()
    }
}
