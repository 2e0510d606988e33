//! Many actors on a few threads, and what one thing after another they are told to do.

use super::actor::{self, Actor, DARK, OPENING, OVER, QUIET, Shared};
use crate::member::Member;
use crate::random::Random;
use crate::server;
use damso_client::Config;
use damso_protocol::RoomId;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Beside the lobby.
const ROOMS: usize = 5;
const THREADS: usize = 4;
const OPENING_MAX: Duration = Duration::from_secs(30);
/// For all that is unanswered or missing when nobody says anything new.
const QUIET_MAX: Duration = Duration::from_secs(60);

pub struct Crew {
    pub shared: Arc<Shared>,
    threads: Vec<thread::JoinHandle<Vec<Actor>>>,
    settled: Vec<Arc<AtomicUsize>>,
    count: usize,
    /// Of the user that makes the rooms.
    pub key: Arc<str>,
}

impl Crew {
    pub fn start(mut actors: Vec<Actor>) -> Result<Self, String> {
        let shared = Arc::new(Shared::default());
        let key = actors.first().map_or_else(|| "".into(), |actor| actor.key.clone());
        let count = actors.len();
        let (mut threads, mut settled) = (Vec::new(), Vec::new());
        for number in 0..THREADS {
            // Those behind a proxy on all threads alike.
            let (some, rest) =
                actors.into_iter().partition(|actor: &Actor| actor.number % THREADS == number);
            actors = rest;
            let (shared, count) = (shared.clone(), Arc::new(AtomicUsize::new(0)));
            settled.push(count.clone());
            let name = format!("crew-{number}");
            let serve = move || actor::serve(some, &shared, &count);
            let thread = thread::Builder::new().name(name).spawn(serve);
            threads.push(thread.map_err(|error| format!("a thread can't start: {error}"))?);
        }
        Ok(Self { shared, threads, settled, count, key })
    }

    /// Waits until everybody is welcome, and makes rooms with a part of the users in each.
    pub fn open(&self, address: SocketAddr) -> Result<(), String> {
        if !server::wait_until(OPENING_MAX, || self.all_settled()) {
            return Err(self.failure("not everybody was welcomed"));
        }
        let users = self.shared.users.lock().map_err(|_| "a crew's thread panicked")?;
        let mut rooms = vec![RoomId::lobby()];
        for number in 0..ROOMS {
            let name = format!("room {number}");
            let members = users.iter().filter(|(user, _)| *user % ROOMS == number);
            let members: Vec<String> = members.map(|(_, user)| user.to_string()).collect();
            rooms.push(server::make_room(address, &self.key, &name, &members)?);
        }
        self.shared.rooms.set(rooms).map_err(|_| "rooms are made once".to_owned())
    }

    pub fn phase(&self, phase: usize) {
        debug_assert!((OPENING..=OVER).contains(&phase));
        self.shared.phase.store(phase, Ordering::Relaxed);
    }

    pub fn acked(&self) -> u64 {
        self.shared.acked.load(Ordering::Relaxed)
    }

    /// Lets nobody say anything new, and waits until everybody has everything; else says who hasn't.
    pub fn quiet(self, is_over: impl Fn() -> bool) -> Result<Vec<Actor>, String> {
        self.phase(QUIET);
        let begun = Instant::now();
        let mut since = begun;
        let is_quiet = server::wait_until(QUIET_MAX, || {
            if !self.all_settled() {
                since = Instant::now();
            }
            since.elapsed() > Duration::from_millis(500) || is_over()
        });
        let shared = self.shared.clone();
        let actors = self.over()?;
        println!("  quiet after {:.1} s", begun.elapsed().as_secs_f64());
        if is_quiet {
            return Ok(actors);
        }
        let heads = shared.heads.lock().map_err(|_| "a crew's thread panicked")?;
        let mut late = actors.iter().filter_map(|actor| {
            Some(format!("user {}: {}", actor.number, actor.unsettled(&heads)?))
        });
        let first = late.next().unwrap_or_default();
        Err(format!("{} users aren't where the log is; {first}", 1 + late.count()))
    }

    /// Lets everybody talk on without listening; whatever was heard until now stays.
    pub fn lights_out(&self) -> Result<(), String> {
        self.phase(DARK);
        if server::wait_until(OPENING_MAX, || self.all_settled()) {
            return Ok(());
        }
        Err(self.failure("a crew's thread stands still"))
    }

    /// Ends it as it is.
    pub fn over(self) -> Result<Vec<Actor>, String> {
        self.phase(OVER);
        let mut actors = Vec::new();
        for thread in self.threads {
            actors.extend(thread.join().map_err(|_| "a crew's thread panicked")?);
        }
        Ok(actors)
    }

    pub fn has_failed(&self) -> bool {
        self.shared.failure.lock().is_ok_and(|failure| failure.is_some())
    }

    /// What went wrong, with what a user was told.
    pub fn failure(&self, what: &str) -> String {
        let why = self.shared.failure.lock().ok().and_then(|failure| failure.clone());
        why.map_or(what.to_owned(), |why| format!("{what}; {why}"))
    }

    fn all_settled(&self) -> bool {
        let settled = self.settled.iter().map(|count| count.load(Ordering::Relaxed));
        settled.sum::<usize>() == self.count
    }
}

/// A user with a key and a name, and one of four ways to come back.
pub fn actor(number: usize, address: SocketAddr, mut random: Random) -> Actor {
    let key: Arc<str> = format!("{:016x}{:016x}", random.next(), random.next()).into();
    // Bots, clients with the defaults, and some with a small screen and little patience.
    let (replay_max, page_limit) = match number % 4 {
        0 | 2 => (Some(1 << 40), None),
        1 => (Some(10), Some(7)),
        _ => (None, None),
    };
    let config = Config {
        key: Some(key.clone()),
        name: Some(format!("user {number}").into()),
        replay_max,
        page_limit,
        keep_messages: usize::MAX / 2,
        ..Config::default()
    };
    let member = Member::new(address, config, number.is_multiple_of(3), random.clone());
    Actor::new(number, member, key, random)
}
