//! The live chat: who is here, who hears what, and how much each may ask for.
//!
//! One owner, no locks, no I/O: inputs and the time go in, [`Output`]s come out. It never judges
//! what the log judges; it checks rates and sizes, hands entries over, and routes what was recorded.
//!
//! Input: [`Hub::handle`], [`Hub::recorded`]. Output, to be drained after each batch of inputs:
//! first [`Hub::take_entries`] (for the log, whose outcomes come back by `recorded` in the same
//! order), then [`Hub::take_outputs`].

pub mod rate;
mod session;
#[cfg(test)]
mod tests;

pub use session::{SessionId, Who};

use crate::command::{Author, Command, Entry, Role, Target};
use crate::decide::Decision;
use crate::event::Event;
use crate::refusal::Refusal;
use crate::state::State;
use damso_protocol::{Limits, RoomId, UserId, plain};
use rate::{Bucket, Rate};
use session::Session;
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

/// So many requests in a row that were refused for their rate end a connection.
const REFUSED_MAX: u32 = 1_000;

/// The name of the user at the console.
const OPERATOR: &str = "operator";

/// What a session asks of the hub. Each takes one of its connection's credits, which comes back
/// as [`Output::Credit`] when it's done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Request {
    /// Hear a room, from its head on.
    Open {
        /// Which.
        room: RoomId,
    },
    /// Say something in a room.
    Say {
        /// Where.
        room: RoomId,
        /// What, as it was written.
        text: Arc<str>,
    },
    /// Who is here? The operator's.
    Who,
    /// Figures. The operator's.
    Stats,
    /// End somebody's connections. The operator's.
    Kick {
        /// Whose.
        whom: Whom,
    },
    /// Keep an address out and end its connections. The operator's.
    Ban {
        /// Which.
        address: IpAddr,
        /// For how long; none: for good.
        minutes: Option<u64>,
    },
    /// Let an address in again. The operator's.
    Unban {
        /// Which.
        address: IpAddr,
    },
    /// Let somebody read but not write. The operator's.
    Mute {
        /// Whom.
        whom: Whom,
        /// For how long; none: for good.
        minutes: Option<u64>,
    },
    /// Let somebody write again. The operator's.
    Unmute {
        /// Whom.
        whom: Whom,
    },
}

/// Whom the operator means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Whom {
    /// Who is shown under this name.
    Name(String),
    /// Everybody from this address.
    Address(IpAddr),
}

/// Everything that can move the hub, but for the log's outcomes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// A connection finished its opening handshake.
    Hello {
        /// Which.
        session: SessionId,
        /// On whose behalf.
        who: Who,
    },
    /// A connection asks for something.
    Request {
        /// Which.
        session: SessionId,
        /// What.
        request: Request,
    },
    /// A connection ended, however it did. Said once for each that said hello.
    Gone {
        /// Which.
        session: SessionId,
    },
    /// The server is about to stop: everybody is sent home.
    Stop,
}

/// What an asker is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// The request wasn't done.
    Refused(Refusal),
    /// An administrative change stands in the log.
    Recorded {
        /// The change.
        event: Arc<Event>,
        /// The shown name of the user it is about, if it is about one who is here.
        name: Option<Arc<str>>,
    },
    /// So many connections were ended.
    Kicked {
        /// How many.
        connections: usize,
    },
    /// Who is here, by shown name.
    Here(Vec<Arc<str>>),
    /// Figures.
    Stats {
        /// Live connections, the console aside.
        connections: usize,
        /// Messages said in the lobby.
        messages: u64,
    },
    /// Somebody came (told to operators).
    Arrived(Arc<str>),
    /// Somebody went (told to operators).
    Left(Arc<str>),
}

/// Why the hub ends a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// An operator ended it.
    Kicked,
    /// Its address is kept out.
    Banned,
    /// It goes on asking for more than it may.
    Flood,
    /// There are as many guests from its address as there may be.
    TooMany {
        /// How many there may be.
        limit: u64,
    },
    /// The server stops.
    Stopping,
}

/// What the hub wants done; those for a session go to its shard, in this order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// From now on the session gets the room's events from `next` on.
    Subscribe {
        /// Which session.
        session: SessionId,
        /// Which room.
        room: RoomId,
        /// The first `seq` it hasn't got.
        next: u64,
    },
    /// An event for every subscriber of its room in these shards.
    Deliver {
        /// The shards with subscribers.
        shards: Vec<u16>,
        /// What happened.
        event: Arc<Event>,
    },
    /// Something for one session alone.
    Answer {
        /// Which.
        session: SessionId,
        /// What.
        answer: Answer,
    },
    /// So many of a session's requests are done with.
    Credit {
        /// Which.
        session: SessionId,
        /// How many.
        count: u32,
    },
    /// End this connection. The hub has forgotten it already.
    Close {
        /// Which.
        session: SessionId,
        /// Why.
        ending: Ending,
    },
}

/// The live chat. See the module's text for the order of calls.
pub struct Hub {
    state: State,
    limits: Limits,
    sessions: HashMap<SessionId, Session>,
    /// By room: how many subscribers each shard has.
    audiences: HashMap<RoomId, Vec<(u16, u32)>>,
    /// Sessions of operators, who hear who comes and goes.
    operators: Vec<SessionId>,
    /// How many guests there are from an address.
    guests: HashMap<IpAddr, u64>,
    guests_ever: u64,
    /// Tells this run's guests from those of the runs before it.
    run: u64,
    entries: Vec<Entry>,
    /// Whose entries are in the log's hands, oldest first.
    askers: VecDeque<SessionId>,
    outputs: Vec<Output>,
}

impl Hub {
    /// A hub on the state of the log it stands on, with nobody there. `run` must be another number
    /// at each start on the same log: guests are named by it, and the log outlives them.
    pub fn new(state: State, limits: Limits, run: u64) -> Self {
        Self {
            state,
            limits,
            sessions: HashMap::new(),
            audiences: HashMap::new(),
            operators: Vec::new(),
            guests: HashMap::new(),
            guests_ever: 0,
            run,
            entries: Vec::new(),
            askers: VecDeque::new(),
            outputs: Vec::new(),
        }
    }

    /// Takes in one input at `now` (log time, ms since 1970).
    pub fn handle(&mut self, input: Input, now: u64) {
        match input {
            Input::Hello { session, who } => self.hello(session, who, now),
            Input::Request { session, request } => {
                if self.sessions.contains_key(&session) {
                    self.request(session, request, now);
                }
            }
            Input::Gone { session } => self.forget(session),
            Input::Stop => {
                for session in self.in_order(|_| true) {
                    self.close(session, Ending::Stopping);
                }
            }
        }
    }

    /// What is for the log, in order. Each is answered by one outcome of [`Hub::recorded`].
    pub fn take_entries(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.entries)
    }

    /// What became of the oldest entries, in order.
    pub fn recorded(&mut self, outcomes: Vec<Result<Decision, Refusal>>) {
        for outcome in outcomes {
            // Each outcome answers one entry, and each entry pushed one asker.
            let Some(session) = self.askers.pop_front() else { return };
            match outcome {
                Ok(Decision::New(event)) => self.happened(session, Arc::new(event)),
                Ok(Decision::Repeated(_)) => {}
                Err(refusal) => self.refuse(session, refusal),
            }
            self.credit(session);
        }
    }

    /// What is to be done, in order.
    pub fn take_outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    fn hello(&mut self, session: SessionId, who: Who, now: u64) {
        let author = match who {
            Who::Operator => Author {
                user: UserId::new(OPERATOR),
                name: plain::ADMINISTRATOR.into(),
                role: Role::Operator,
                address: None,
            },
            Who::Guest { address } => {
                let ip = address.ip();
                if self.state.is_banned(ip, now) {
                    let ending = Ending::Banned;
                    self.outputs.push(Output::Close { session, ending });
                    return;
                }
                let limit = self.guests_limit(ip);
                let here = self.guests.entry(ip).or_default();
                if limit != 0 && *here >= limit {
                    let ending = Ending::TooMany { limit };
                    self.outputs.push(Output::Close { session, ending });
                    return;
                }
                *here += 1;
                self.guests_ever += 1;
                Author {
                    user: UserId::new(format!("guest-{}-{}", self.run, self.guests_ever)),
                    name: address.to_string().into(),
                    role: Role::Guest,
                    address: Some(ip),
                }
            }
        };
        self.tell_operators(|| Answer::Arrived(author.name.clone()));
        if author.role >= Role::Operator {
            self.operators.push(session);
        }
        let sends = Bucket::full(self.send_rate(), now);
        let commands = Bucket::full(self.command_rate(), now);
        let new = Session { author, rooms: Vec::new(), sends, commands, refused: 0 };
        self.sessions.insert(session, new);
    }

    fn request(&mut self, session: SessionId, request: Request, now: u64) {
        match self.admit(session, request, now) {
            Ok(Some(command)) => {
                let author = self.sessions[&session].author.clone();
                self.entries.push(Entry { author, command });
                self.askers.push_back(session);
            }
            Ok(None) => self.credit(session),
            Err(refusal) => {
                let limited = matches!(refusal, Refusal::RateLimited { .. });
                self.refuse(session, refusal);
                self.credit(session);
                if limited && self.is_flood(session) {
                    self.close(session, Ending::Flood);
                }
            }
        }
    }

    /// Whether a session was refused for its rate too often in a row to be a person in a hurry.
    fn is_flood(&mut self, session: SessionId) -> bool {
        let Some(session) = self.sessions.get_mut(&session) else { return false };
        session.refused += 1;
        session.refused >= REFUSED_MAX
    }

    /// Checks a request; does it, or says what command it is for the log.
    fn admit(
        &mut self,
        id: SessionId,
        request: Request,
        now: u64,
    ) -> Result<Option<Command>, Refusal> {
        let (send_rate, command_rate) = (self.send_rate(), self.command_rate());
        // `handle` looked the session up.
        let Some(session) = self.sessions.get_mut(&id) else { return Ok(None) };
        let operator = session.author.role >= Role::Operator;
        if !operator {
            let limited = |retry| Refusal::RateLimited { retry };
            session.commands.take(command_rate, now).map_err(limited)?;
            if !matches!(request, Request::Open { .. } | Request::Say { .. }) {
                return Err(Refusal::Forbidden);
            }
        }
        match request {
            Request::Say { room, text } => {
                let (chars, limit) = (text.chars().count(), self.limits.text_chars as usize);
                if chars > limit {
                    return Err(Refusal::TooBig { chars, limit });
                }
                if !operator {
                    let limited = |retry| Refusal::RateLimited { retry };
                    session.sends.take(send_rate, now).map_err(limited)?;
                    session.refused = 0;
                }
                return Ok(Some(Command::Send { room, nonce: None, text }));
            }
            Request::Ban { address, minutes } => {
                return Ok(Some(Command::Ban { address, minutes }));
            }
            Request::Unban { address } => return Ok(Some(Command::Unban { address })),
            Request::Mute { whom, minutes } => {
                return Ok(Some(Command::Mute { target: self.target(whom)?, minutes }));
            }
            Request::Unmute { whom } => {
                return Ok(Some(Command::Unmute { target: self.target(whom)? }));
            }
            Request::Open { room } => self.open(id, room)?,
            Request::Who => {
                let guests = self.in_order(|session| session.author.role == Role::Guest);
                let name = |id: SessionId| self.sessions[&id].author.name.clone();
                let here = guests.into_iter().map(name).collect();
                self.answer(id, Answer::Here(here));
            }
            Request::Stats => {
                let messages = self.state.room(&RoomId::lobby()).map_or(0, |room| room.n);
                let guests = |session: &&Session| session.author.role == Role::Guest;
                let connections = self.sessions.values().filter(guests).count();
                self.answer(id, Answer::Stats { connections, messages });
            }
            Request::Kick { whom } => {
                let connections = self.in_order(|session| match &whom {
                    Whom::Name(name) => {
                        *session.author.name == **name && session.author.role == Role::Guest
                    }
                    Whom::Address(address) => session.author.address == Some(*address),
                });
                if connections.is_empty() {
                    return Err(Refusal::NotFound);
                }
                let count = connections.len();
                for session in connections {
                    self.close(session, Ending::Kicked);
                }
                self.answer(id, Answer::Kicked { connections: count });
            }
        }
        Ok(None)
    }

    /// Whom a mute is about: a guest who is here, or an address.
    fn target(&self, whom: Whom) -> Result<Target, Refusal> {
        match whom {
            Whom::Address(address) => Ok(Target::Address(address)),
            Whom::Name(name) => {
                let found = self.sessions.values().find(|one| *one.author.name == name);
                Ok(Target::User(found.ok_or(Refusal::NotFound)?.author.user.clone()))
            }
        }
    }

    fn open(&mut self, id: SessionId, room: RoomId) -> Result<(), Refusal> {
        let next = self.state.room(&room).ok_or(Refusal::NotFound)?.head + 1;
        let Some(session) = self.sessions.get_mut(&id) else { return Ok(()) };
        if session.rooms.contains(&room) {
            return Ok(());
        }
        session.rooms.push(room.clone());
        let audience = self.audiences.entry(room.clone()).or_default();
        match audience.iter_mut().find(|(shard, _)| *shard == id.shard) {
            Some((_, count)) => *count += 1,
            None => audience.push((id.shard, 1)),
        }
        self.outputs.push(Output::Subscribe { session: id, room, next });
        Ok(())
    }

    fn happened(&mut self, session: SessionId, event: Arc<Event>) {
        self.state.apply(&event);
        if let Some((room, _)) = event.place() {
            let shards: Vec<u16> = self
                .audiences
                .get(room)
                .map(|audience| audience.iter().map(|(shard, _)| *shard).collect())
                .unwrap_or_default();
            if !shards.is_empty() {
                self.outputs.push(Output::Deliver { shards, event });
            }
            return;
        }
        if let Event::Banned { address, .. } = &*event {
            for banned in self.in_order(|session| session.author.address == Some(*address)) {
                self.close(banned, Ending::Banned);
            }
        }
        let name = match &*event {
            Event::Muted { target: Target::User(user), .. }
            | Event::Unmuted { target: Target::User(user), .. } => {
                let muted = self.sessions.values().find(|session| session.author.user == *user);
                muted.map(|session| session.author.name.clone())
            }
            _ => None,
        };
        self.answer(session, Answer::Recorded { event, name });
    }

    fn close(&mut self, session: SessionId, ending: Ending) {
        self.outputs.push(Output::Close { session, ending });
        self.forget(session);
    }

    fn forget(&mut self, id: SessionId) {
        let Some(session) = self.sessions.remove(&id) else { return };
        self.operators.retain(|operator| *operator != id);
        if let Some(address) = session.author.address
            && let Some(here) = self.guests.get_mut(&address)
        {
            *here = here.saturating_sub(1);
            if *here == 0 {
                self.guests.remove(&address);
            }
        }
        for room in &session.rooms {
            let Some(audience) = self.audiences.get_mut(room) else { continue };
            for (shard, count) in audience.iter_mut() {
                *count -= u32::from(*shard == id.shard);
            }
            audience.retain(|(_, count)| *count > 0);
            if audience.is_empty() {
                self.audiences.remove(room);
            }
        }
        self.tell_operators(|| Answer::Left(session.author.name.clone()));
    }

    /// The sessions that fit, in an order that doesn't depend on the map's.
    fn in_order(&self, fits: impl Fn(&Session) -> bool) -> Vec<SessionId> {
        let fitting = self.sessions.iter().filter(|(_, session)| fits(session));
        let mut ids: Vec<SessionId> = fitting.map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids
    }

    fn tell_operators(&mut self, answer: impl Fn() -> Answer) {
        let tell = |&session: &SessionId| Output::Answer { session, answer: answer() };
        self.outputs.extend(self.operators.iter().map(tell));
    }

    fn refuse(&mut self, session: SessionId, refusal: Refusal) {
        self.answer(session, Answer::Refused(refusal));
    }

    fn answer(&mut self, session: SessionId, answer: Answer) {
        if self.sessions.contains_key(&session) {
            self.outputs.push(Output::Answer { session, answer });
        }
    }

    fn credit(&mut self, session: SessionId) {
        if let Some(Output::Credit { session: last, count }) = self.outputs.last_mut()
            && *last == session
        {
            *count += 1;
        } else if self.sessions.contains_key(&session) {
            self.outputs.push(Output::Credit { session, count: 1 });
        }
    }

    fn send_rate(&self) -> Rate {
        Rate { burst: self.limits.send_burst, per_second: self.limits.send_per_second }
    }

    fn command_rate(&self) -> Rate {
        Rate { burst: self.limits.commands_burst, per_second: self.limits.commands_per_second }
    }

    /// How many guests there may be from an address; 0: no limit.
    fn guests_limit(&self, address: IpAddr) -> u64 {
        match u64::try_from(self.limits.guests_per_address) {
            Ok(limit) => limit,
            Err(_) if is_near(address) => 200,
            Err(_) => 20,
        }
    }
}

/// Loopback, private and link-local addresses: many people may share one there.
fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}
