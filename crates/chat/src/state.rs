//! What is so now, folded from the log's events and from nothing else.

mod by_room;
mod digest;
mod hooks;
mod room;
mod users;

pub use digest::Digest;
pub use hooks::{Hook, Hooks};
pub use room::{History, Kind, Membership, Post, Room};
pub use users::User;

use crate::command::{Author, KeyHash, Setting, Target};
use crate::event::{Event, Member, Mention, Message, RoomEvent, What};
use by_room::ByRoom;
use damso_protocol::id::Map;
use damso_protocol::{RoomId, UserId, name};
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use users::Users;

/// So many calls of one user, or of everybody, are counted in a room; more look the same.
const MENTIONS_MAX: usize = 100;

/// How far a user has read a room.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Read {
    /// The last `seq` read.
    pub seq: u64,
    /// How many messages there were up to there.
    pub n: u64,
}

/// The chat's state at a place in the log. Changed by [`State::apply`] alone, so whoever applies
/// the same events holds the same state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct State {
    rooms: Map<RoomId, Room>,
    /// Rooms that anybody may find, by folded name.
    room_names: HashMap<String, RoomId>,
    users: Users,
    /// The rooms a user is in, the lobby aside.
    rooms_of: Map<UserId, BTreeSet<RoomId>>,
    reads: Map<UserId, ByRoom<Read>>,
    /// Messages that call a user and that it hasn't read.
    mentions: Map<UserId, ByRoom<Vec<u64>>>,
    bans: HashMap<IpAddr, Option<u64>>,
    mutes: HashMap<Target, Option<u64>>,
    hooks: Hooks,
}

impl Default for State {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    /// The state before anything happened: the lobby is there, and empty.
    pub fn new() -> Self {
        let mut state = Self {
            rooms: Map::default(),
            room_names: HashMap::new(),
            users: Users::default(),
            rooms_of: Map::default(),
            reads: Map::default(),
            mentions: Map::default(),
            bans: HashMap::new(),
            mutes: HashMap::new(),
            hooks: Hooks::default(),
        };
        state.restore_room(RoomId::lobby(), Room::lobby());
        state
    }

    /// Takes in what happened. Events are never judged here: [`decide()`](fn@crate::decide) did.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Message(message) => self.said(message),
            Event::Changed(change) => {
                if let Some(room) = self.rooms.get_mut(&change.room) {
                    room.head = change.seq;
                }
            }
            Event::Room(event) => self.happened(event),
            Event::Registered { user, name, key, .. } => {
                self.restore_user(user.clone(), User { name: name.clone(), key: *key });
                self.came(user, &RoomId::lobby());
            }
            Event::Read { user, room, seq, n } => {
                self.restore_read(user.clone(), room.clone(), Read { seq: *seq, n: *n });
            }
            Event::Hooked { hook, room, name, key, by, .. } => {
                let (room, by) = (room.clone(), by.clone());
                let new = Hook { room, by, name: name.clone(), key: *key };
                self.restore_hook(hook.clone(), Some(new));
            }
            Event::Unhooked { hook, .. } => self.hooks.revoke(hook),
            Event::Banned { address, until, .. } => {
                self.bans.insert(*address, *until);
            }
            Event::Unbanned { address, .. } => {
                self.bans.remove(address);
            }
            Event::Muted { target, until, .. } => {
                self.mutes.insert(target.clone(), *until);
            }
            Event::Unmuted { target, .. } => {
                self.mutes.remove(target);
            }
        }
    }

    fn said(&mut self, message: &Message) {
        let Some(room) = self.rooms.get_mut(&message.room) else { return };
        room.head = message.seq;
        room.n = message.n;
        for mention in &message.mentions {
            if *mention == Mention::Room {
                room.calls.push(message.seq);
                if room.calls.len() > MENTIONS_MAX {
                    room.calls.remove(0);
                }
            }
            if matches!(mention, Mention::Room | Mention::Here) {
                room.called_at = message.at;
            }
        }
        self.restore_said(message);
    }

    /// Who comes has nothing unread: what was said before isn't news to anybody.
    fn came(&mut self, user: &UserId, id: &RoomId) {
        let Some(Room { head, n, .. }) = self.rooms.get(id) else { return };
        let read = Read { seq: *head, n: *n };
        if read.seq > 0 {
            self.restore_read(user.clone(), id.clone(), read);
        }
    }

    /// Puts back what a message says about who is called and who has read, and no more; twice is
    /// as good as once.
    pub fn restore_said(&mut self, message: &Message) {
        for mention in &message.mentions {
            if let Mention::User(user) = mention {
                self.restore_mention(user.clone(), message.room.clone(), message.seq);
            }
        }
        // Who writes has read. Plain guests are nobody whose reading is kept.
        if self.users.get(&message.by).is_some() {
            let read = Read { seq: message.seq, n: message.n };
            self.restore_read(message.by.clone(), message.room.clone(), read);
        }
    }

    fn happened(&mut self, event: &RoomEvent) {
        let RoomEvent { room: id, seq, by, what, .. } = event;
        if let What::Created { kind, name, members, history, .. } = what {
            let mut room = Room::new(*kind, name.clone(), *history);
            for user in members {
                let owns = *by == *user && *kind != Kind::Direct;
                let role = if owns { Member::Owner } else { Member::Member };
                room.members.insert(user.clone(), Membership { role, first: 1, since: *seq });
            }
            room.head = *seq;
            self.restore_room(id.clone(), room);
            members.iter().for_each(|user| self.came(user, id));
            return;
        }
        let Some(room) = self.rooms.get_mut(id) else { return };
        room.head = *seq;
        match what {
            What::Created { .. } => {}
            What::Set(Setting::Name(name)) => {
                if let Some(before) = room.public_name() {
                    self.room_names.remove(&name::fold(before));
                }
                room.name = Some(name.clone());
                if room.public_name().is_some() {
                    self.room_names.insert(name::fold(name), id.clone());
                }
            }
            What::Set(Setting::Topic(topic)) => room.topic = topic.clone(),
            What::Set(Setting::Post(post)) => room.post = *post,
            What::Set(Setting::Archived(archived)) => room.archived = *archived,
            What::Joined { user } => {
                let first = match room.history {
                    History::All => 1,
                    History::Joining => *seq,
                };
                let membership = Membership { role: Member::Member, first, since: *seq };
                room.members.insert(user.clone(), membership);
                self.rooms_of.entry(user.clone()).or_default().insert(id.clone());
                self.came(user, id);
            }
            What::Left { user } => {
                room.members.remove(user);
                room.keep_an_owner();
                if let Some(rooms) = self.rooms_of.get_mut(user) {
                    rooms.remove(id);
                    if rooms.is_empty() {
                        self.rooms_of.remove(user);
                    }
                }
                self.forget_mentions(user, id, u64::MAX);
                if let Some(reads) = self.reads.get_mut(user) {
                    reads.remove(id);
                    if reads.is_empty() {
                        self.reads.remove(user);
                    }
                }
            }
            What::Appointed { user, member } => {
                if let Some(membership) = room.members.get_mut(user) {
                    membership.role = *member;
                }
            }
        }
    }

    /// Puts back a room as a store kept it.
    pub fn restore_room(&mut self, id: RoomId, room: Room) {
        if let Some(name) = room.public_name() {
            self.room_names.insert(name::fold(name), id.clone());
        }
        for user in room.members.keys() {
            self.rooms_of.entry(user.clone()).or_default().insert(id.clone());
        }
        self.rooms.insert(id, room);
    }

    /// Puts back a user as a store kept it.
    pub fn restore_user(&mut self, id: UserId, user: User) {
        self.users.insert(id, user);
    }

    /// Puts back how far a user has read; it only grows (PROTOCOL section 5, G8).
    pub fn restore_read(&mut self, user: UserId, room: RoomId, read: Read) {
        self.forget_mentions(&user, &room, read.seq);
        let known = self.reads.entry(user).or_default().get_or_default(room);
        if read.seq > known.seq {
            *known = read;
        }
    }

    /// Forgets the messages of a room up to `seq` that call a user. What is empty then goes, so
    /// that equal states have equal maps.
    fn forget_mentions(&mut self, user: &UserId, room: &RoomId, seq: u64) {
        let Some(rooms) = self.mentions.get_mut(user) else { return };
        let Some(mentions) = rooms.get_mut(room) else { return };
        mentions.retain(|m| *m > seq);
        if mentions.is_empty() {
            rooms.remove(room);
        }
        if rooms.is_empty() {
            self.mentions.remove(user);
        }
    }

    /// Puts back that a message calls a user who hasn't read it. A room's are put back in rising
    /// order; one that is there already isn't counted twice.
    pub fn restore_mention(&mut self, user: UserId, room: RoomId, m: u64) {
        if self.read(&user, &room).seq >= m {
            return;
        }
        let mentions = self.mentions.entry(user).or_default().get_or_default(room);
        if mentions.last().is_some_and(|last| *last >= m) {
            return;
        }
        mentions.push(m);
        if mentions.len() > MENTIONS_MAX {
            mentions.remove(0);
        }
    }

    /// Puts back a webhook as a store kept it; none: one that was revoked.
    pub fn restore_hook(&mut self, id: UserId, hook: Option<Hook>) {
        self.hooks.restore(id, hook);
    }

    /// The webhooks.
    pub fn hooks(&self) -> &Hooks {
        &self.hooks
    }

    /// Puts back a ban as a store kept it.
    pub fn restore_ban(&mut self, address: IpAddr, until: Option<u64>) {
        self.bans.insert(address, until);
    }

    /// Puts back a mute as a store kept it.
    pub fn restore_mute(&mut self, target: Target, until: Option<u64>) {
        self.mutes.insert(target, until);
    }

    /// All rooms, in no order.
    pub fn rooms(&self) -> impl Iterator<Item = (&RoomId, &Room)> {
        self.rooms.iter()
    }

    /// The room, if there is one.
    pub fn room(&self, room: &RoomId) -> Option<&Room> {
        self.rooms.get(room)
    }

    /// The room that anybody may find under this name, if there is one.
    pub fn room_named(&self, name: &str) -> Option<&RoomId> {
        self.room_names.get(&name::fold(name))
    }

    /// A user's place in a room. Everybody is in the lobby.
    pub fn membership(&self, id: &RoomId, user: &UserId) -> Option<Membership> {
        let room = self.rooms.get(id)?;
        match room.members.get(user) {
            Some(membership) => Some(*membership),
            None if room.is_lobby => Some(Membership { role: Member::Member, first: 1, since: 0 }),
            None => None,
        }
    }

    /// The rooms a user is in, the lobby first.
    pub fn rooms_of(&self, user: &UserId) -> impl Iterator<Item = RoomId> {
        let others = self.rooms_of.get(user).into_iter().flatten().cloned();
        std::iter::once(RoomId::lobby()).chain(others)
    }

    /// How many rooms a user is in, the lobby aside.
    pub fn rooms_of_count(&self, user: &UserId) -> usize {
        self.rooms_of.get(user).map_or(0, BTreeSet::len)
    }

    /// The user, if there is one.
    pub fn user(&self, user: &UserId) -> Option<&User> {
        self.users.get(user)
    }

    /// All users, in no order.
    pub fn users(&self) -> impl Iterator<Item = (&UserId, &User)> {
        self.users.iter()
    }

    /// How many users there ever were.
    pub fn users_count(&self) -> usize {
        self.users.len()
    }

    /// Who has this name, in any of its forms.
    pub fn user_named(&self, name: &str) -> Option<&UserId> {
        self.users.named(name)
    }

    /// Whose key has this hash.
    pub fn user_of_key(&self, key: &KeyHash) -> Option<&UserId> {
        self.users.of_key(key)
    }

    /// How far a user has read a room.
    pub fn read(&self, user: &UserId, room: &RoomId) -> Read {
        self.reads.get(user).and_then(|rooms| rooms.get(room)).copied().unwrap_or_default()
    }

    /// The messages of a room that call this user by name and that it hasn't read, rising.
    pub fn own_mentions(&self, user: &UserId, room: &RoomId) -> &[u64] {
        self.mentions.get(user).and_then(|rooms| rooms.get(room)).map_or(&[], Vec::as_slice)
    }

    /// How many messages of a room call a user that hasn't read them.
    pub fn mentions(&self, user: &UserId, room: &RoomId) -> usize {
        let read = self.read(user, room).seq;
        let own = self.mentions.get(user).and_then(|rooms| rooms.get(room));
        let own = own.map_or(0, |mentions| mentions.iter().filter(|m| **m > read).count());
        let Some(found) = self.rooms.get(room) else { return own };
        let first = self.membership(room, user).map_or(u64::MAX, |membership| membership.since);
        own + found.calls.iter().filter(|m| **m > read && **m > first).count()
    }

    /// Whether connections from `address` are refused at `at` (ms since 1970).
    pub fn is_banned(&self, address: IpAddr, at: u64) -> bool {
        self.bans.get(&address).is_some_and(|until| until.is_none_or(|until| at < until))
    }

    /// Whether there is a ban of `address` to lift.
    pub fn has_ban(&self, address: IpAddr) -> bool {
        self.bans.contains_key(&address)
    }

    /// Whether there is a mute of `target` to lift.
    pub fn has_mute(&self, target: &Target) -> bool {
        self.mutes.contains_key(target)
    }

    /// Whether `author` may not write at `at`, and if so until when (none: for good).
    pub fn mute(&self, author: &Author, at: u64) -> Option<Option<u64>> {
        if self.mutes.is_empty() {
            return None;
        }
        let user = self.mutes.get(&Target::User(author.user.clone()));
        let address = author.address.and_then(|address| self.mutes.get(&Target::Address(address)));
        [user, address]
            .into_iter()
            .flatten()
            .find(|until| until.is_none_or(|until| at < until))
            .copied()
    }
}
