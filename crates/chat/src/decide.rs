//! The judge: permission, uniqueness, idempotence, mutes and the room's next `seq`, in log order
//! and never earlier.

use crate::command::{Author, Command, Entry, KeyHash, Role, Setting};
use crate::current::Current;
use crate::event::{Change, Event, Member, Message, Op, RoomEvent, What};
use crate::fingerprint::{self, Fingerprint};
use crate::mention;
use crate::permission;
use crate::refusal::Refusal;
use crate::state::{History, Kind, Read, State};
use damso_protocol::{Nonce, RoomId, UserId, name};
use std::sync::Arc;

/// So many different reactions a message may have.
const REACTIONS_MAX: usize = 20;
/// So many rooms a user may be in, the lobby aside.
const ROOMS_MAX: usize = 500;
/// So many people a direct message may have, its maker among them.
const DIRECT_MAX: usize = 9;
/// So many people a room may have from its start.
const FOUNDERS_MAX: usize = 100;
/// So many webhooks a room may have.
const HOOKS_MAX: usize = 20;
/// Everybody in a room can be called once in this time, in ms.
const CALL_MS: u64 = 60_000;

/// What an accepted command came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Accepted {
    /// The room.
    pub room: RoomId,
    /// Its event's `seq` there.
    pub seq: u64,
    /// When, in ms since 1970.
    pub at: u64,
    /// What it was, to tell a repetition from another command under the same nonce.
    pub fingerprint: Fingerprint,
}

/// The cold questions that judging may have to ask of what is recorded.
pub trait Lookup {
    /// The first result of this author's command of that name.
    fn accepted(&self, author: &UserId, nonce: &Nonce) -> Option<Accepted>;

    /// The message as it stands now; none if that `seq` of the room isn't a message.
    fn message(&self, room: &RoomId, m: u64) -> Option<Current>;

    /// How many messages the room had up to `seq`.
    fn messages_up_to(&self, room: &RoomId, seq: u64) -> u64;

    /// What `author` wrote and nobody has deleted, from the message `from` on. Looks at a part of
    /// the log that doesn't hold others up for long.
    fn written_by(&self, author: &UserId, from: Option<&(RoomId, u64)>) -> Written;
}

/// Messages of one author in a part of the log.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Written {
    /// The messages, in the order of rooms (by id) and `seq`.
    pub messages: Vec<(RoomId, u64)>,
    /// Where the part ended; none: at the log's end.
    pub next: Option<(RoomId, u64)>,
}

/// The judge's word.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Decision {
    /// It happened just now.
    New(Event),
    /// It had happened before: the author repeats itself, and gets the first result.
    Repeated(Accepted),
    /// It is so already, and nothing changed: the last `seq` that has to do with it.
    So {
        /// That `seq`.
        seq: u64,
    },
    /// This user has that key already.
    Known(UserId),
    /// These people have a direct message already.
    Exists(RoomId),
    /// A part of what somebody wrote was deleted.
    Erased {
        /// The deletions, in order.
        events: Vec<Event>,
        /// From where on there may be more; none: that was all.
        next: Option<(RoomId, u64)>,
    },
}

impl Decision {
    /// What happened just now, in order.
    pub fn events(&self) -> &[Event] {
        match self {
            Self::New(event) => std::slice::from_ref(event),
            Self::Erased { events, .. } => events,
            Self::Repeated(_) | Self::So { .. } | Self::Known(_) | Self::Exists(_) => &[],
        }
    }
}

/// Judges `entry` against `state` at `at` (log time, ms since 1970). Pure: the same arguments give
/// the same answer, and the caller applies the event before it asks again.
///
/// # Errors
/// The [`Refusal`]; nothing happened then, and a refused nonce may be tried again.
pub fn decide(
    state: &State,
    lookup: &dyn Lookup,
    entry: &Entry,
    at: u64,
) -> Result<Decision, Refusal> {
    // Before any question of right: what was accepted stays so, whoever was muted since.
    if let Some(nonce) = fingerprint::nonce_of(entry)
        && let Some(first) = lookup.accepted(&entry.author.user, nonce)
    {
        return if fingerprint::of_entry(entry) == Some(first.fingerprint) {
            Ok(Decision::Repeated(first))
        } else {
            Err(Refusal::NonceReused)
        };
    }
    if entry.author.role == Role::Hook && !matches!(entry.command, Command::Send { .. }) {
        return Err(Refusal::Forbidden);
    }
    let judge = Judge { state, lookup, author: &entry.author, at };
    let by = entry.author.user.clone();
    let event = match &entry.command {
        Command::Register { key, name } => return judge.register(*key, name),
        Command::Send { room, nonce, text, reply } => {
            return judge.send(room, nonce.as_ref(), text, *reply);
        }
        Command::Change { room, m, nonce, op } => return judge.change(room, *m, nonce, op),
        Command::Create { kind, name, members, history, nonce } => {
            return judge.create(*kind, name.as_ref(), members, *history, nonce.as_ref());
        }
        Command::Admit { room, user } => return judge.admit(room, user),
        Command::Remove { room, user } => return judge.remove(room, user),
        Command::Appoint { room, user, member } => return judge.appoint(room, user, *member),
        Command::Set { room, setting } => return judge.set(room, setting),
        Command::Hook { room, name, key } => return judge.hook(room, name, *key),
        Command::Unhook { room, hook } => return judge.unhook(room, hook),
        Command::Read { room, seq } => return judge.read(room, *seq),
        Command::Ban { address, minutes } => {
            permission::operates(&entry.author)?;
            Event::Banned { address: *address, until: end(*minutes, at), by, at }
        }
        Command::Unban { address } => {
            permission::operates(&entry.author)?;
            if !state.has_ban(*address) {
                return Err(Refusal::NotFound);
            }
            Event::Unbanned { address: *address, by, at }
        }
        Command::Mute { target, minutes } => {
            permission::operates(&entry.author)?;
            Event::Muted { target: target.clone(), until: end(*minutes, at), by, at }
        }
        Command::Erase { user, from } => return judge.erase(user, from.as_ref()),
        Command::Unmute { target } => {
            permission::operates(&entry.author)?;
            if !state.has_mute(target) {
                return Err(Refusal::NotFound);
            }
            Event::Unmuted { target: target.clone(), by, at }
        }
    };
    Ok(Decision::New(event))
}

/// When something ends that begins at `at`; none: never.
fn end(minutes: Option<u64>, at: u64) -> Option<u64> {
    minutes.map(|minutes| at.saturating_add(minutes.saturating_mul(60_000)))
}

/// What all judgements of one entry have in common.
struct Judge<'a> {
    state: &'a State,
    lookup: &'a dyn Lookup,
    author: &'a Author,
    at: u64,
}

impl Judge<'_> {
    fn register(&self, key: KeyHash, name: &Arc<str>) -> Result<Decision, Refusal> {
        if let Some(user) = self.state.user_of_key(&key) {
            return Ok(Decision::Known(user.clone()));
        }
        if self.author.address.is_some_and(|address| self.state.is_banned(address, self.at)) {
            return Err(Refusal::Banned);
        }
        if self.is_taken(name) {
            return Err(Refusal::NameTaken { suggest: self.free_name(name) });
        }
        let user = UserId::new(format!("u{}", self.state.users_count() + 1));
        Ok(Decision::New(Event::Registered { user, name: name.clone(), key, at: self.at }))
    }

    /// A name like this one that nobody has.
    fn free_name(&self, name: &str) -> String {
        // There are fewer users than numbers, so one of them is free.
        let numbers = 2_u64..;
        let mut names = numbers.map(|number| {
            let number = number.to_string();
            let kept = name::PERSON_CHARS_MAX - number.len();
            name.chars().take(kept).chain(number.chars()).collect::<String>()
        });
        names.find(|name| !self.is_taken(name)).unwrap_or_default()
    }

    /// Whether somebody is called that, or a program.
    fn is_taken(&self, name: &str) -> bool {
        self.state.user_named(name).is_some() || self.state.hooks().is_named(name)
    }

    fn send(
        &self,
        id: &RoomId,
        nonce: Option<&Nonce>,
        text: &Arc<str>,
        reply: Option<u64>,
    ) -> Result<Decision, Refusal> {
        let (room, membership) = permission::writes(self.state, self.author, id)?;
        permission::posts(room, membership, self.author)?;
        permission::speaks(self.state, self.author, self.at)?;
        if let Some(m) = reply {
            self.message(id, m, membership.first)?;
        }
        let mentions = if text.contains('@') {
            let may_call = room.kind == Kind::Direct || permission::owns(membership, self.author);
            let rested = room.called_at == 0 || room.called_at + CALL_MS <= self.at;
            mention::find(self.state, id, text, may_call && rested)
        } else {
            Vec::new()
        };
        Ok(Decision::New(Event::Message(Message {
            room: id.clone(),
            seq: room.head + 1,
            n: room.n + 1,
            by: self.author.user.clone(),
            name: self.author.name.clone(),
            at: self.at,
            text: Some(text.clone()),
            reply,
            mentions,
            nonce: nonce.cloned(),
        })))
    }

    fn change(&self, id: &RoomId, m: u64, nonce: &Nonce, op: &Op) -> Result<Decision, Refusal> {
        let (room, membership) = permission::writes(self.state, self.author, id)?;
        let current = self.message(id, m, membership.first)?;
        let (by, own) = (&self.author.user, current.message.by == self.author.user);
        if current.is_deleted() && *op != Op::Delete {
            return Err(Refusal::Gone);
        }
        match op {
            Op::Edit(_) if !own => return Err(Refusal::Forbidden),
            Op::Delete if !own && !permission::owns(membership, self.author) => {
                return Err(Refusal::Forbidden);
            }
            Op::Pin | Op::Unpin => permission::posts(room, membership, self.author)?,
            _ => {}
        }
        // Taking back is open to who may not speak.
        if matches!(op, Op::Edit(_) | Op::React(_) | Op::Pin) {
            permission::speaks(self.state, self.author, self.at)?;
        }
        if current.is_so(op, by) {
            return Ok(Decision::So { seq: current.rev });
        }
        if let Op::React(emoji) = op
            && current.reactions.len() >= REACTIONS_MAX
            && current.reactions.iter().all(|(known, _)| known != emoji)
        {
            return Err(Refusal::Full("reactions"));
        }
        Ok(Decision::New(Event::Changed(Change {
            room: id.clone(),
            seq: room.head + 1,
            m,
            op: op.clone(),
            by: by.clone(),
            name: self.author.name.clone(),
            at: self.at,
            nonce: nonce.clone(),
        })))
    }

    /// Whoever wrote may take it back: also from rooms it isn't in any more, or that are closed.
    fn erase(&self, user: &UserId, from: Option<&(RoomId, u64)>) -> Result<Decision, Refusal> {
        if *user != self.author.user {
            permission::operates(self.author)?;
        }
        let Written { messages, next } = self.lookup.written_by(user, from);
        let mut events: Vec<Event> = Vec::with_capacity(messages.len());
        for (id, m) in messages {
            let Some(room) = self.state.room(&id) else { continue };
            let before = events.last().and_then(Event::place).filter(|(last, _)| **last == id);
            let seq = before.map_or(room.head, |(_, seq)| seq) + 1;
            // No client's nonce has a dot, and a message is deleted once.
            let nonce = Nonce::new(format!("erase.{id}.{m}"));
            events.push(Event::Changed(Change {
                room: id,
                seq,
                m,
                op: Op::Delete,
                by: self.author.user.clone(),
                name: self.author.name.clone(),
                at: self.at,
                nonce,
            }));
        }
        Ok(Decision::Erased { events, next })
    }

    fn create(
        &self,
        kind: Kind,
        name: Option<&Arc<str>>,
        others: &[UserId],
        history: History,
        nonce: Option<&Nonce>,
    ) -> Result<Decision, Refusal> {
        permission::speaks(self.state, self.author, self.at)?;
        let (mut members, direct) = (others.to_vec(), kind == Kind::Direct);
        // The operator makes rooms for others.
        if self.author.role < Role::Operator {
            members.push(self.author.user.clone());
        } else if direct {
            return Err(Refusal::Forbidden);
        }
        members.sort();
        members.dedup();
        if members.len() > if direct { DIRECT_MAX } else { FOUNDERS_MAX } {
            return Err(Refusal::Full("members"));
        }
        for user in &members {
            self.state.user(user).ok_or(Refusal::NotFound)?;
            if self.state.rooms_of_count(user) >= ROOMS_MAX {
                return Err(Refusal::Full("rooms"));
            }
        }
        let id = if direct {
            let names: Vec<&str> = members.iter().map(UserId::as_str).collect();
            let id = RoomId::new(format!("d-{}", names.join("-")));
            if self.state.room(&id).is_some() {
                return Ok(Decision::Exists(id));
            }
            id
        } else {
            // The lobby counts, so the first one is r1.
            RoomId::new(format!("r{}", self.state.rooms().count()))
        };
        if direct != name.is_none() {
            return Err(Refusal::BadField("name"));
        }
        if let Some(name) = name
            && kind != Kind::Private
            && self.state.room_named(name).is_some()
        {
            return Err(Refusal::NameTaken { suggest: self.free_room_name(name) });
        }
        let what =
            What::Created { kind, name: name.cloned(), members, history, nonce: nonce.cloned() };
        Ok(Decision::New(self.in_room(&id, 1, what)))
    }

    /// A room name like this one that no room has.
    fn free_room_name(&self, name: &str) -> String {
        let mut names = (2_u64..).map(|number| {
            let number = number.to_string();
            let kept = name::ROOM_CHARS_MAX - number.len() - 1;
            let kept: String = name.chars().take(kept).collect();
            format!("{kept} {number}")
        });
        names.find(|name| self.state.room_named(name).is_none()).unwrap_or_default()
    }

    fn admit(&self, id: &RoomId, user: &UserId) -> Result<Decision, Refusal> {
        let room = self.state.room(id).ok_or(Refusal::NotFound)?;
        let open = matches!(room.kind, Kind::Public | Kind::Announcement);
        if *user != self.author.user || !open {
            let (_, membership) = permission::manages(self.state, self.author, id)?;
            match room.kind {
                // Who is in it belongs to what it is.
                Kind::Direct => return Err(Refusal::Forbidden),
                Kind::Announcement if !permission::owns(membership, self.author) => {
                    return Err(Refusal::Forbidden);
                }
                _ => {}
            }
        }
        permission::speaks(self.state, self.author, self.at)?;
        if room.archived {
            return Err(Refusal::Archived);
        }
        self.state.user(user).ok_or(Refusal::NotFound)?;
        if self.state.membership(id, user).is_some() {
            return Ok(Decision::So { seq: room.head });
        }
        if self.state.rooms_of_count(user) >= ROOMS_MAX {
            return Err(Refusal::Full("rooms"));
        }
        let what = What::Joined { user: user.clone() };
        Ok(Decision::New(self.in_room(id, room.head + 1, what)))
    }

    fn remove(&self, id: &RoomId, user: &UserId) -> Result<Decision, Refusal> {
        let (room, membership) = permission::manages(self.state, self.author, id)?;
        if room.is_lobby || room.kind == Kind::Direct {
            return Err(Refusal::Forbidden);
        }
        if *user != self.author.user && !permission::owns(membership, self.author) {
            return Err(Refusal::Forbidden);
        }
        self.state.membership(id, user).ok_or(Refusal::NotFound)?;
        let what = What::Left { user: user.clone() };
        Ok(Decision::New(self.in_room(id, room.head + 1, what)))
    }

    fn appoint(&self, id: &RoomId, user: &UserId, member: Member) -> Result<Decision, Refusal> {
        let (room, membership) = permission::manages(self.state, self.author, id)?;
        if room.archived {
            return Err(Refusal::Archived);
        }
        if room.is_lobby || room.kind == Kind::Direct || !permission::owns(membership, self.author)
        {
            return Err(Refusal::Forbidden);
        }
        let now = self.state.membership(id, user).ok_or(Refusal::NotFound)?.role;
        if now == member {
            return Ok(Decision::So { seq: room.head });
        }
        if now == Member::Owner && room.owners() == 1 {
            return Err(Refusal::Forbidden);
        }
        let what = What::Appointed { user: user.clone(), member };
        Ok(Decision::New(self.in_room(id, room.head + 1, what)))
    }

    fn set(&self, id: &RoomId, setting: &Setting) -> Result<Decision, Refusal> {
        let (room, membership) = permission::manages(self.state, self.author, id)?;
        let fixed = match setting {
            Setting::Name(_) | Setting::Archived(_) => room.is_lobby,
            Setting::Topic(_) | Setting::Post(_) => false,
        };
        let owns = permission::owns(membership, self.author);
        if fixed || room.kind == Kind::Direct || !owns {
            return Err(Refusal::Forbidden);
        }
        let is_so = match setting {
            Setting::Name(name) => room.name.as_ref() == Some(name),
            Setting::Topic(topic) => room.topic == *topic,
            Setting::Post(post) => room.post == *post,
            Setting::Archived(archived) => room.archived == *archived,
        };
        if is_so {
            return Ok(Decision::So { seq: room.head });
        }
        if room.archived && *setting != Setting::Archived(false) {
            return Err(Refusal::Archived);
        }
        if let Setting::Name(name) = setting
            && room.public_name().is_some()
            && self.state.room_named(name).is_some_and(|other| other != id)
        {
            return Err(Refusal::NameTaken { suggest: self.free_room_name(name) });
        }
        let what = What::Set(setting.clone());
        Ok(Decision::New(self.in_room(id, room.head + 1, what)))
    }

    fn hook(&self, id: &RoomId, name: &Arc<str>, key: KeyHash) -> Result<Decision, Refusal> {
        let (room, membership) = permission::manages(self.state, self.author, id)?;
        if room.archived {
            return Err(Refusal::Archived);
        }
        if !permission::owns(membership, self.author) {
            return Err(Refusal::Forbidden);
        }
        permission::speaks(self.state, self.author, self.at)?;
        // Programs may share a name, but none has a person's.
        if self.state.user_named(name).is_some() {
            return Err(Refusal::NameTaken { suggest: self.free_name(name) });
        }
        let hooks = self.state.hooks();
        if hooks.of_room(id).len() >= HOOKS_MAX {
            return Err(Refusal::Full("webhooks"));
        }
        if hooks.of_key(&key).is_some() {
            return Err(Refusal::BadField("key"));
        }
        Ok(Decision::New(Event::Hooked {
            hook: hooks.next_id(),
            room: id.clone(),
            name: name.clone(),
            key,
            by: self.author.user.clone(),
            at: self.at,
        }))
    }

    fn unhook(&self, id: &RoomId, hook: &UserId) -> Result<Decision, Refusal> {
        let (_, membership) = permission::manages(self.state, self.author, id)?;
        if !permission::owns(membership, self.author) {
            return Err(Refusal::Forbidden);
        }
        let found = self.state.hooks().get(hook).filter(|found| found.room == *id);
        found.ok_or(Refusal::NotFound)?;
        let (hook, by, at) = (hook.clone(), self.author.user.clone(), self.at);
        Ok(Decision::New(Event::Unhooked { hook, by, at }))
    }

    fn read(&self, id: &RoomId, seq: u64) -> Result<Decision, Refusal> {
        let (room, _) = permission::enters(self.state, self.author, id)?;
        let user = &self.author.user;
        self.state.user(user).ok_or(Refusal::NotFound)?;
        let Read { seq: known, .. } = self.state.read(user, id);
        let seq = seq.min(room.head);
        if seq <= known {
            return Ok(Decision::So { seq: known });
        }
        let n = if seq == room.head { room.n } else { self.lookup.messages_up_to(id, seq) };
        Ok(Decision::New(Event::Read { user: user.clone(), room: id.clone(), seq, n }))
    }

    /// The message, if the author may see it.
    fn message(&self, room: &RoomId, m: u64, first: u64) -> Result<Current, Refusal> {
        if m < first {
            return Err(Refusal::NotFound);
        }
        self.lookup.message(room, m).ok_or(Refusal::NotFound)
    }

    fn in_room(&self, room: &RoomId, seq: u64, what: What) -> Event {
        Event::Room(RoomEvent {
            room: room.clone(),
            seq,
            by: self.author.user.clone(),
            name: self.author.name.clone(),
            at: self.at,
            what,
        })
    }
}

#[cfg(test)]
mod tests;
