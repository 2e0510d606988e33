//! The live chat: who is here, who hears what, and how much each may ask for.
//!
//! One owner, no locks, no I/O: inputs and the time go in, [`Output`]s come out. It never judges
//! what the log judges; it checks rates and sizes, hands entries over, and routes what was recorded.
//!
//! Input: [`Hub::handle`], [`Hub::handle_timeout`], [`Hub::recorded`]. Output, to be drained after
//! each batch of inputs: first [`Hub::take_entries`] (for the log, whose outcomes come back by
//! `recorded` in the same order), then [`Hub::take_outputs`], and [`Hub::timeout`].

mod admission;
mod erase;
mod input;
mod live;
mod notice;
mod operator;
mod output;
mod presence;
pub mod rate;
mod rooms;
mod search;
mod session;
#[cfg(test)]
mod tests;

pub use input::{Input, Part, Request, Whom};
pub use operator::{Manage, Managed, RoomRow, Sort, UserDetails, UserRow};
pub use output::{
    Answer, Bumped, Ending, Mode, Opened, Output, Place, RoomDetails, RoomEntry, Sought, Wanted,
    Welcome,
};
pub use session::{SessionId, Who};

use crate::command::{Author, Command, Entry, Target};
use crate::decide::Decision;
use crate::event::{Event, Op, What};
use crate::refusal::Refusal;
use crate::state::State;
use admission::Pending;
use damso_protocol::{Limits, RoomId, UserId};
use erase::{Erasing, Erasures};
use notice::Bumps;
use presence::Presence;
use rate::{Bucket, Rate};
use rooms::Audiences;
use session::{Session, Sessions, Way};
use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

/// So many requests in a row that were refused for their rate end a connection.
const REFUSED_MAX: u32 = 1_000;

/// The name of the user at the console.
const OPERATOR: &str = "operator";

/// The longest reaction, in bytes: the longest emoji are some 40.
const EMOJI_BYTES_MAX: usize = 64;

/// Whose entry is in the log's hands.
struct Asker {
    session: SessionId,
    id: u64,
    asked: Asked,
}

/// What an entry is about, as far as its answer depends on it.
enum Asked {
    Hello(Box<Pending>),
    Say,
    Change,
    Create,
    /// What has no answer but that it was done.
    Act,
    Administer,
    /// A webhook, whose secret only its answer has.
    Hook(Arc<str>),
    Erase(Box<Erasing>),
}

/// What the hub does with a request.
enum Admitted {
    /// It was done, and answered if there was anything to answer.
    Done,
    /// It is done; whoever answers brings the credit.
    Passed,
    /// It is for the log.
    ForLog(Command, Asked),
}

/// The live chat. See the module's text for the order of calls.
pub struct Hub {
    state: State,
    limits: Limits,
    epoch: Arc<str>,
    sessions: Sessions,
    /// Sessions whose hello is in the log's hands.
    pending: HashSet<SessionId>,
    presence: Presence,
    audiences: Audiences,
    bumps: Bumps,
    /// Sessions of operators, who hear who comes and goes.
    operators: Vec<SessionId>,
    /// How many guests there are from an address.
    guests: HashMap<IpAddr, u32>,
    /// How fast new guests may register from an address.
    registrations: HashMap<IpAddr, Bucket>,
    guests_ever: u64,
    erasures: Erasures,
    is_stopping: bool,
    /// Tells this run's guests from those of the runs before it.
    run: u64,
    /// The lowest `seq` that the log still has of a room, where that isn't 1.
    firsts: HashMap<RoomId, u64>,
    entries: Vec<Entry>,
    /// Whose entries are in the log's hands, oldest first.
    askers: VecDeque<Asker>,
    outputs: Vec<Output>,
}

impl Hub {
    /// A hub on the state of the log it stands on, with nobody there. `epoch` names the log's life.
    /// `run` must be another number at each start on the same log: plain guests are named by it,
    /// and the log outlives them.
    pub fn new(state: State, limits: Limits, epoch: Arc<str>, run: u64) -> Self {
        Self {
            state,
            limits,
            epoch,
            sessions: Sessions::default(),
            pending: HashSet::new(),
            presence: Presence::default(),
            audiences: Audiences::default(),
            bumps: Bumps::default(),
            operators: Vec::new(),
            guests: HashMap::new(),
            registrations: HashMap::new(),
            guests_ever: 0,
            erasures: Erasures::default(),
            is_stopping: false,
            run,
            firsts: HashMap::new(),
            entries: Vec::new(),
            askers: VecDeque::new(),
            outputs: Vec::new(),
        }
    }

    /// Takes in one input at `now` (log time, ms since 1970).
    pub fn handle(&mut self, input: Input, now: u64) {
        match input {
            Input::Hello { session, who } => self.hello(session, who, now),
            Input::Request { session, id, request } => {
                if self.sessions.contains(session) {
                    self.request(session, id, request, now);
                }
            }
            Input::Gone { session } => {
                self.pending.remove(&session);
                self.forget(session, now);
            }
            Input::Stop => {
                for session in self.in_order(|_| true) {
                    self.close(session, Ending::Stopping, now);
                }
            }
        }
    }

    /// Does what is due at `now`: notices that were gathered, so that there are few of them.
    pub fn handle_timeout(&mut self, now: u64) {
        self.tell_bumps(now);
        self.tell_presence(now);
    }

    /// When [`Hub::handle_timeout`] is due (log time), if ever.
    pub fn timeout(&self) -> Option<u64> {
        [self.bumps.due(), self.presence.due()].into_iter().flatten().min()
    }

    /// What is for the log, in order. Each is answered by one outcome of [`Hub::recorded`].
    pub fn take_entries(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.entries)
    }

    /// What became of the oldest entries, in order.
    pub fn recorded(&mut self, outcomes: Vec<Result<Decision, Refusal>>, now: u64) {
        for outcome in outcomes {
            // Each outcome answers one entry, and each entry pushed one asker.
            let Some(Asker { session, id, asked }) = self.askers.pop_front() else { return };
            if let Asked::Hello(pending) = asked {
                self.registered(session, *pending, outcome, now);
                continue;
            }
            match outcome {
                Ok(Decision::Erased { events, next }) => {
                    if let Asked::Erase(erasing) = asked {
                        self.erased(session, id, *erasing, events, next, now);
                    }
                    continue;
                }
                Ok(decision) => self.decided(session, id, &asked, decision, now),
                Err(refusal) => {
                    if let Asked::Erase(erasing) = &asked {
                        self.erasures.ended(erasing);
                    }
                    self.refuse(session, id, refusal);
                }
            }
            self.credit(session);
        }
    }

    /// The server is about to stop: what is done a part at a time isn't gone on with.
    pub fn begin_no_more(&mut self) {
        self.is_stopping = true;
    }

    /// The log has nothing of a room below `first` any more.
    pub fn forgotten(&mut self, room: RoomId, first: u64) {
        self.firsts.insert(room, first);
    }

    /// What is to be done, in order.
    pub fn take_outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    /// The state it routes by.
    pub fn state(&self) -> &State {
        &self.state
    }

    fn request(&mut self, session: SessionId, id: u64, request: Request, now: u64) {
        match self.admit(session, id, request, now) {
            Ok(Admitted::ForLog(command, asked)) => {
                // `handle` looked the session up.
                let Some(asker) = self.sessions.get_mut(session) else { return };
                let author = asker.keep_author(&self.state, self.run);
                self.enter(author, command, Asker { session, id, asked });
            }
            Ok(Admitted::Done) => self.credit(session),
            Ok(Admitted::Passed) => {}
            Err(refusal) => {
                let limited = matches!(refusal, Refusal::RateLimited { .. });
                self.refuse(session, id, refusal);
                self.credit(session);
                if limited && self.is_flood(session) {
                    self.close(session, Ending::Flood, now);
                }
            }
        }
    }

    fn enter(&mut self, author: Author, command: Command, asker: Asker) {
        self.entries.push(Entry { author, command });
        self.askers.push_back(asker);
    }

    /// Whether a session was refused for its rate too often in a row to be a person in a hurry.
    fn is_flood(&mut self, session: SessionId) -> bool {
        let Some(session) = self.sessions.get_mut(session) else { return false };
        let more = session.more();
        more.refused += 1;
        more.refused >= REFUSED_MAX
    }

    /// Checks a request; does it, or says what command it is for the log.
    fn admit(
        &mut self,
        session: SessionId,
        id: u64,
        request: Request,
        now: u64,
    ) -> Result<Admitted, Refusal> {
        let (send_rate, command_rate) = (self.send_rate(), self.command_rate());
        // `handle` looked the session up.
        let Some(asker) = self.sessions.get_mut(session) else { return Ok(Admitted::Done) };
        let limited = |retry| Refusal::RateLimited { retry };
        let (way, mut purse) = (asker.way, None);
        // What a connection asks for by itself when it is opened costs its peer nothing.
        if way != Way::Operator && !matches!(request, Request::Listen { .. }) {
            let own = match asker.user() {
                Some(user) => self.presence.purse(user, now),
                None => &mut asker.more().purse,
            };
            own.commands.take(command_rate, now).map_err(limited)?;
            if request.is_the_operators() {
                return Err(Refusal::Forbidden);
            }
            purse = Some(own);
        }
        if way == Way::Hook && !matches!(request, Request::Post { .. }) {
            return Err(Refusal::Forbidden);
        }
        if let Request::Say { text, .. } | Request::Post { text, .. } = &request {
            check_text(text, &self.limits)?;
            if let Some(purse) = purse {
                purse.sends.take(send_rate, now).map_err(limited)?;
            }
        }
        if let Some(more) = asker.any_more() {
            more.refused = 0;
        }
        match request {
            Request::Listen { room } => self.listen(session, &room)?,
            Request::Open { room, after, limit, max } => {
                return self.open(session, id, &room, after, limit, max);
            }
            Request::Close { room } => {
                self.close_room(session, &room);
                self.answer(session, id, Answer::Done);
            }
            Request::Say { room, nonce, text, reply } => {
                let command = Command::Send { room, nonce, text, reply };
                return Ok(Admitted::ForLog(command, Asked::Say));
            }
            Request::Record(command) => {
                let asked = self.check(&command)?;
                return Ok(Admitted::ForLog(command, asked));
            }
            Request::History { room, part, limit } => {
                return self.history(session, id, room, part, limit);
            }
            Request::Search { query, room, limit, before } => {
                return self.search(session, id, query, room, limit, before);
            }
            Request::Watch { users } => {
                let online = self.watch(session, users);
                self.answer(session, id, Answer::Online(online));
            }
            Request::Typing { room } => self.typing(session, room, now)?,
            Request::Post { nonce, text } => {
                let hook = asker.user().and_then(|hook| self.state.hooks().get(hook));
                let room = hook.ok_or(Refusal::NotFound)?.room.clone();
                let command = Command::Send { room, nonce, text, reply: None };
                return Ok(Admitted::ForLog(command, Asked::Say));
            }
            Request::Hooks { room } => {
                let author = asker.author(&self.state, self.run);
                let hooks = self.hooks(&author, &room)?;
                self.answer(session, id, Answer::Hooks(hooks));
            }
            Request::Me => {
                let Author { user, name, .. } = asker.author(&self.state, self.run);
                self.answer(session, id, Answer::Me { user, name });
            }
            Request::Rooms => {
                let user = asker.user_id(self.run);
                let (own, others) = self.room_lists(&user);
                self.answer(session, id, Answer::Rooms { own, others });
            }
            Request::Room { room } => {
                let user = asker.user_id(self.run);
                let details = self.room_details(&user, &room)?;
                self.answer(session, id, Answer::Room(Box::new(details)));
            }
            Request::Mute { whom, minutes } => {
                let command = Command::Mute { target: self.target(whom)?, minutes };
                return Ok(Admitted::ForLog(command, Asked::Administer));
            }
            Request::Unmute { whom } => {
                let command = Command::Unmute { target: self.target(whom)? };
                return Ok(Admitted::ForLog(command, Asked::Administer));
            }
            Request::Erase { whom } => return self.erase(session, whom, now),
            Request::Who => {
                let people = self.in_order(Session::is_a_person);
                let name = |id| self.sessions.get(id).map(|one| one.name(&self.state));
                let here = people.into_iter().filter_map(name).collect();
                self.answer(session, id, Answer::Here(here));
            }
            Request::Stats => {
                let messages = self.state.room(&RoomId::lobby()).map_or(0, |room| room.n);
                let connections = self.sessions.iter().filter(|(_, one)| one.is_a_person()).count();
                self.answer(session, id, Answer::Stats { connections, messages });
            }
            Request::Kick { whom } => {
                let connections = self.sessions_of(&whom);
                if connections.is_empty() {
                    return Err(Refusal::NotFound);
                }
                let count = connections.len();
                for session in connections {
                    self.close(session, Ending::Kicked, now);
                }
                self.answer(session, id, Answer::Kicked { connections: count });
            }
            Request::Manage(manage) => return self.manage(session, id, manage, now),
        }
        Ok(Admitted::Done)
    }

    /// Checks what is to be recorded as it is asked; what its answer will depend on.
    fn check(&self, command: &Command) -> Result<Asked, Refusal> {
        match command {
            Command::Change { op, .. } => {
                match op {
                    Op::Edit(Some(text)) => check_text(text, &self.limits)?,
                    Op::Edit(None) => return Err(Refusal::BadField("text")),
                    Op::React(emoji) | Op::Unreact(emoji) => check_emoji(emoji)?,
                    Op::Delete | Op::Pin | Op::Unpin => {}
                }
                Ok(Asked::Change)
            }
            Command::Create { .. } => Ok(Asked::Create),
            Command::Ban { .. } | Command::Unban { .. } => Ok(Asked::Administer),
            Command::Unhook { .. }
            | Command::Hook { .. }
            | Command::Admit { .. }
            | Command::Remove { .. }
            | Command::Appoint { .. }
            | Command::Set { .. }
            | Command::Read { .. } => Ok(Asked::Act),
            // These have ways of their own, with checks of their own.
            Command::Register { .. }
            | Command::Send { .. }
            | Command::Mute { .. }
            | Command::Unmute { .. }
            | Command::Erase { .. } => Err(Refusal::Forbidden),
        }
    }

    /// Whom a mute is about: a guest who is here, or an address.
    fn target(&self, whom: Whom) -> Result<Target, Refusal> {
        match whom {
            Whom::Address(address) => Ok(Target::Address(address)),
            Whom::Name(name) => {
                let hooks = self.state.hooks();
                let hook = || hooks.named(&name).cloned();
                if let Some(user) = self.known_user(&name).or_else(hook) {
                    return Ok(Target::User(user));
                }
                let is_called = |one: &Session| one.is_called(&name, &self.state);
                if let Some((_, found)) = self.sessions.iter().find(|(_, one)| is_called(one)) {
                    return Ok(Target::User(found.user_id(self.run)));
                }
                // An id, as a message has it: plain guests have nothing else when they are gone.
                let id = UserId::new(name);
                let is_known = self.state.user(&id).is_some() || id.as_str().starts_with("guest-");
                if is_known { Ok(Target::User(id)) } else { Err(Refusal::NotFound) }
            }
        }
    }

    /// What a command came to, to be applied, routed and answered.
    fn decided(
        &mut self,
        session: SessionId,
        id: u64,
        asked: &Asked,
        decision: Decision,
        now: u64,
    ) {
        let answer = match (decision, asked) {
            (Decision::New(event), _) => {
                let event = Arc::new(event);
                let answer = match (&*event, asked) {
                    (Event::Message(message), _) => {
                        // Who writes has read.
                        self.tell_seen(session, &message.by, &message.room, message.seq);
                        Answer::Said { m: message.seq, at: message.at }
                    }
                    (_, Asked::Create) => match event.place() {
                        Some((room, _)) => Answer::Created { room: room.clone(), existed: false },
                        None => Answer::Done,
                    },
                    (_, Asked::Administer) => {
                        Answer::Recorded { name: self.shown_target(&event), event: event.clone() }
                    }
                    (Event::Hooked { hook, room, .. }, Asked::Hook(secret)) => {
                        Answer::Managed(Managed::Hooked {
                            hook: hook.clone(),
                            room: room.clone(),
                            secret: secret.clone(),
                        })
                    }
                    (Event::Hooked { hook, .. }, _) => Answer::Hooked { hook: hook.clone() },
                    (Event::Changed(change), _) => Answer::Changed { seq: change.seq },
                    (Event::Read { user, room, seq, .. }, _) => {
                        self.tell_seen(session, user, room, *seq);
                        Answer::Done
                    }
                    _ => Answer::Done,
                };
                self.happened(event, now);
                answer
            }
            (Decision::Repeated(first), Asked::Say) => Answer::Said { m: first.seq, at: first.at },
            (Decision::Repeated(first), Asked::Create) => {
                Answer::Created { room: first.room, existed: true }
            }
            (Decision::Exists(room), _) => Answer::Created { room, existed: true },
            (Decision::Repeated(first), _) => Answer::Changed { seq: first.seq },
            (Decision::So { seq }, Asked::Change) => Answer::Changed { seq },
            (Decision::So { .. } | Decision::Known(_), _) => Answer::Done,
            // `recorded` took it.
            (Decision::Erased { .. }, _) => return,
        };
        // Who doesn't number its requests hears of refusals alone; an operator of what it changed.
        if id != 0 || matches!(answer, Answer::Recorded { .. }) {
            self.answer(session, id, answer);
        }
    }

    /// Applies an event and tells whoever it concerns.
    fn happened(&mut self, event: Arc<Event>, now: u64) {
        self.state.apply(&event);
        if let Some((room, _)) = event.place() {
            let shards = self.audiences.shards(room);
            if !shards.is_empty() {
                self.outputs.push(Output::Deliver { shards, event: event.clone() });
            }
        }
        match &*event {
            Event::Message(_) => self.bumps.note(&event, now),
            Event::Changed(change) if matches!(change.op, Op::Delete | Op::Edit(_)) => {
                self.bumps.forget(&change.room, change.m);
            }
            Event::Room(happened) => match &happened.what {
                What::Created { members, .. } => {
                    for user in members {
                        self.tell_entered(user, &happened.room);
                    }
                }
                What::Joined { user } => self.tell_entered(user, &happened.room),
                What::Left { user } => {
                    let by = (happened.by != *user).then(|| happened.by.clone());
                    self.show_out(user, &happened.room, by);
                }
                What::Set(_) | What::Appointed { .. } => {}
            },
            Event::Banned { address, .. } => {
                for banned in self.in_order(|session| session.address() == Some(*address)) {
                    self.close(banned, Ending::Banned, now);
                }
            }
            _ => {}
        }
    }

    fn close(&mut self, session: SessionId, ending: Ending, now: u64) {
        self.outputs.push(Output::Close { session, ending });
        self.forget(session, now);
    }

    fn forget(&mut self, id: SessionId, now: u64) {
        let Some(session) = self.sessions.remove(id) else { return };
        if session.way.passes() {
            return;
        }
        self.operators.retain(|operator| *operator != id);
        if let Some(address) = session.address()
            && let Some(here) = self.guests.get_mut(&address)
        {
            *here = here.saturating_sub(1);
            if *here == 0 {
                self.guests.remove(&address);
            }
        }
        for room in session.rooms() {
            self.audiences.leave(&room, id.shard);
        }
        self.presence.leave(id, &session, now);
        // Operators come and go with each command of a script: that is no news.
        if session.way == Way::Operator {
            return;
        }
        self.tell_operators(&session, Answer::Left);
    }

    /// The sessions that fit, in an order that doesn't depend on the map's.
    fn in_order(&self, fits: impl Fn(&Session) -> bool) -> Vec<SessionId> {
        let fitting = self.sessions.iter().filter(|(_, session)| fits(session));
        let mut ids: Vec<SessionId> = fitting.map(|(id, _)| id).collect();
        ids.sort_unstable();
        ids
    }

    /// Tells operators something about whoever has a session.
    fn tell_operators(&mut self, about: &Session, answer: impl Fn(Arc<str>) -> Answer) {
        let tell = |&session: &SessionId| {
            let answer = answer(about.name(&self.state));
            Output::Answer { session, id: 0, answer }
        };
        self.outputs.extend(self.operators.iter().map(tell));
    }

    fn refuse(&mut self, session: SessionId, id: u64, refusal: Refusal) {
        self.answer(session, id, Answer::Refused(refusal));
    }

    fn answer(&mut self, session: SessionId, id: u64, answer: Answer) {
        if self.sessions.contains(session) {
            self.outputs.push(Output::Answer { session, id, answer });
        }
    }

    fn credit(&mut self, session: SessionId) {
        if let Some(Output::Credit { session: last, count }) = self.outputs.last_mut()
            && *last == session
        {
            *count += 1;
        } else if self.sessions.contains(session) {
            self.outputs.push(Output::Credit { session, count: 1 });
        }
    }

    fn send_rate(&self) -> Rate {
        Rate { burst: self.limits.send_burst, per_second: self.limits.send_per_second }
    }

    fn command_rate(&self) -> Rate {
        Rate { burst: self.limits.commands_burst, per_second: self.limits.commands_per_second }
    }
}

fn check_text(text: &str, limits: &Limits) -> Result<(), Refusal> {
    let (chars, limit) = (text.chars().count(), limits.text_chars as usize);
    if chars > limit {
        return Err(Refusal::TooBig { chars, limit });
    }
    if damso_protocol::plain::is_blank(text) {
        return Err(Refusal::BadField("text"));
    }
    Ok(())
}

fn check_emoji(emoji: &str) -> Result<(), Refusal> {
    let bad = emoji.is_empty()
        || emoji.len() > EMOJI_BYTES_MAX
        || emoji.chars().any(|character| character.is_whitespace() || character.is_control());
    if bad { Err(Refusal::BadField("emoji")) } else { Ok(()) }
}
