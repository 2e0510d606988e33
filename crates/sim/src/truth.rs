//! What really happened: every event that became durable, kept apart from the log under test, and
//! what follows from it for whoever asks.

use damso_chat::state::History;
use damso_chat::{Change, Current, Event, State, What};
use damso_protocol::{Nonce, RoomId, UserId, plain};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A promise of PROTOCOL section 5, or one of the design that is as good as one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Rule {
    /// One order per room, equal to `seq`.
    G1,
    /// What is acknowledged is durable.
    G2,
    /// Every event once, none left out.
    G3,
    /// The same author and nonce give the first result.
    G4,
    /// Own messages come back with their nonce.
    G5,
    /// Ephemera at most once; whole again after `hello`.
    G6,
    /// Nobody gets what it may not see.
    G7,
    /// Read positions only grow.
    G8,
    /// Requests are answered once, and credits come back.
    Answers,
    /// The hub hears for whom it should, and nobody else.
    Audience,
    /// Nothing is queued for who doesn't read.
    Memory,
    /// Folding the log gives the state.
    Fold,
    /// Once everything works again, everybody gets there.
    Liveness,
    /// Nothing panics.
    Panic,
}

/// What doesn't hold.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Which promise.
    pub rule: Rule,
    /// What was seen.
    pub what: String,
}

/// Whether a check passed.
pub type Checked = Result<(), Failure>;

/// Fails with a sentence.
pub fn fail<T>(rule: Rule, what: impl Into<String>) -> Result<T, Failure> {
    Err(Failure { rule, what: what.into() })
}

/// One life of the log.
pub struct Age {
    /// Its name.
    pub epoch: Arc<str>,
    /// The state, folded from the events alone.
    pub state: State,
    rooms: BTreeMap<RoomId, RoomLog>,
    accepted: HashMap<(UserId, Nonce), (RoomId, u64)>,
    /// What a client was told of how far it has read, by user and room.
    pub reads: HashMap<(UserId, RoomId), u64>,
}

/// A room's events, and its messages as they stand now.
#[derive(Default)]
pub struct RoomLog {
    events: Vec<Event>,
    messages: BTreeMap<u64, Story>,
    members: HashMap<UserId, Vec<Span>>,
    history: Option<History>,
    /// Messages by their line in the plain dialect; no text is said twice.
    lines: HashMap<String, u64>,
}

/// A message and everything that became of it.
struct Story {
    said: Current,
    changes: Vec<Change>,
    now: Current,
}

/// A time in a room.
#[derive(Clone, Copy, Debug)]
struct Span {
    /// The lowest `seq` to be seen.
    first: u64,
    /// The last one; none: it lasts.
    to: Option<u64>,
}

impl Age {
    /// A log's life in which nothing has happened.
    pub fn new(epoch: Arc<str>) -> Self {
        Self {
            epoch,
            state: State::new(),
            rooms: BTreeMap::new(),
            accepted: HashMap::new(),
            reads: HashMap::new(),
        }
    }

    /// Takes in what has become durable.
    pub fn record(&mut self, event: &Event) -> Checked {
        if let Event::Read { user, room, seq, .. } = event
            && *seq <= self.state.read(user, room).seq
        {
            return fail(Rule::G8, format!("{user}'s reading of {room} went back to {seq}"));
        }
        self.state.apply(event);
        if let Event::Room(event) = event
            && let What::Left { user } = &event.what
        {
            self.reads.remove(&(user.clone(), event.room.clone()));
        }
        let Some((id, seq)) = event.place() else { return Ok(()) };
        let room = self.rooms.entry(id.clone()).or_default();
        if seq != room.head() + 1 {
            let head = room.head();
            return fail(Rule::G1, format!("{id} has {seq} after {head}"));
        }
        room.take_in(event);
        if let Some((author, nonce, _)) = damso_chat::fingerprint::of_event(event) {
            let name = (author.clone(), nonce.clone());
            if let Some((first_room, first)) = self.accepted.get(&name) {
                return fail(
                    Rule::G4,
                    format!("{author}'s {nonce} stands in {first_room} at {first} and at {seq}"),
                );
            }
            self.accepted.insert(name, (id.clone(), seq));
        }
        Ok(())
    }

    /// A room's log.
    pub fn room(&self, room: &RoomId) -> Option<&RoomLog> {
        self.rooms.get(room)
    }

    /// The last `seq` of a room.
    pub fn head(&self, room: &RoomId) -> u64 {
        self.rooms.get(room).map_or(0, RoomLog::head)
    }

    /// Where an author's command of that name stands.
    pub fn accepted(&self, user: &UserId, nonce: &Nonce) -> Option<&(RoomId, u64)> {
        self.accepted.get(&(user.clone(), nonce.clone()))
    }

    /// Whether an event is one that `user` may see, by what has happened so far.
    pub fn may_see(&self, user: &UserId, room: &RoomId, seq: u64) -> bool {
        if *room == RoomId::lobby() {
            return true;
        }
        let spans = self.rooms.get(room).and_then(|room| room.members.get(user));
        let sees = |span: &Span| span.first <= seq && span.to.is_none_or(|to| seq <= to);
        spans.is_some_and(|spans| spans.iter().any(sees))
    }

    /// Whether `user` could see what is from `first` on, in one of its times in a room.
    pub fn is_first(&self, user: &UserId, room: &RoomId, first: u64) -> bool {
        let spans = self.rooms.get(room).and_then(|room| room.members.get(user));
        *room == RoomId::lobby()
            || spans.is_some_and(|spans| spans.iter().any(|span| span.first <= first))
    }

    /// A client was told that `user` has read so far.
    pub fn note_read(&mut self, user: &UserId, room: &RoomId, seq: u64) -> Checked {
        let stands = self.state.read(user, room).seq;
        if stands >= seq {
            let known = self.reads.entry((user.clone(), room.clone())).or_default();
            *known = seq.max(*known);
            return Ok(());
        }
        let spans = self.rooms.get(room).and_then(|room| room.members.get(user));
        // Who left meanwhile has read nothing.
        if spans.is_some_and(|spans| spans.len() > 1 || spans.iter().any(|span| span.to.is_some()))
        {
            return Ok(());
        }
        fail(Rule::G8, format!("{user} was told to have read {room} to {seq}, not {stands}"))
    }

    /// All rooms, by id.
    pub fn rooms(&self) -> impl Iterator<Item = (&RoomId, &RoomLog)> {
        self.rooms.iter()
    }
}

impl RoomLog {
    /// The last `seq`.
    pub fn head(&self) -> u64 {
        self.events.len() as u64
    }

    /// The event of that `seq`.
    pub fn event(&self, seq: u64) -> Option<&Event> {
        self.events.get(usize::try_from(seq.checked_sub(1)?).ok()?)
    }

    /// The message as it stands now.
    pub fn now(&self, m: u64) -> Option<&Current> {
        self.messages.get(&m).map(|story| &story.now)
    }

    /// The message as it stood after the change `rev`; none if that changed something else.
    pub fn version(&self, m: u64, rev: u64) -> Option<Current> {
        let story = self.messages.get(&m)?;
        if story.now.rev == rev {
            return Some(story.now.clone());
        }
        let mut current = story.said.clone();
        for change in story.changes.iter().take_while(|change| change.seq <= rev) {
            current.apply(change);
        }
        (current.rev == rev).then_some(current)
    }

    /// The last change of a message up to `seq`.
    pub fn rev(&self, m: u64, seq: u64) -> u64 {
        let Some(story) = self.messages.get(&m) else { return 0 };
        let changes = story.changes.iter().rev().find(|change| change.seq <= seq);
        changes.map_or(m, |change| change.seq)
    }

    /// The ids of the messages from `low` to `high`.
    pub fn between(&self, low: u64, high: u64) -> impl DoubleEndedIterator<Item = u64> {
        self.messages.range(low..=high.max(low)).map(|(m, _)| *m).filter(move |m| *m <= high)
    }

    /// The message that plain peers hear as this line.
    pub fn place_of_line(&self, line: &str) -> Option<u64> {
        self.lines.get(line).copied()
    }

    fn take_in(&mut self, event: &Event) {
        self.events.push(event.clone());
        match event {
            Event::Message(message) => {
                let text = message.text.as_deref().unwrap_or_default();
                self.lines.insert(plain::line(&message.name, text), message.seq);
                let said = Current::new(message.clone());
                let story = Story { now: said.clone(), said, changes: Vec::new() };
                self.messages.insert(message.seq, story);
            }
            Event::Changed(change) => {
                if let Some(story) = self.messages.get_mut(&change.m) {
                    story.now.apply(change);
                    story.changes.push(change.clone());
                }
            }
            Event::Room(event) => match &event.what {
                What::Created { members, history, .. } => {
                    self.history = Some(*history);
                    for user in members {
                        self.members.insert(user.clone(), vec![Span { first: 1, to: None }]);
                    }
                }
                What::Joined { user } => {
                    let all = self.history != Some(History::Joining);
                    let first = if all { 1 } else { event.seq };
                    let spans = self.members.entry(user.clone()).or_default();
                    spans.push(Span { first, to: None });
                }
                What::Left { user } => {
                    let spans = self.members.entry(user.clone()).or_default();
                    if let Some(span) = spans.last_mut() {
                        span.to = Some(event.seq);
                    }
                }
                What::Set(_) | What::Appointed { .. } => {}
            },
            _ => {}
        }
    }
}
