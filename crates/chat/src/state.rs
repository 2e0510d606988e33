//! What is so now, folded from the log's events and from nothing else.

use crate::command::{Author, Target};
use crate::event::Event;
use damso_protocol::RoomId;
use std::collections::HashMap;
use std::net::IpAddr;

/// A room as far as judging and routing need it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Room {
    /// The last `seq` of its log; 0 when nothing happened yet.
    pub head: u64,
    /// How many messages were said.
    pub n: u64,
}

/// The chat's state at a place in the log. Changed by [`State::apply`] alone, so whoever applies
/// the same events holds the same state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct State {
    rooms: HashMap<RoomId, Room>,
    bans: HashMap<IpAddr, Option<u64>>,
    mutes: HashMap<Target, Option<u64>>,
}

impl Default for State {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    /// The state before anything happened: the lobby is there, and empty.
    pub fn new() -> Self {
        Self {
            rooms: HashMap::from([(RoomId::lobby(), Room::default())]),
            bans: HashMap::new(),
            mutes: HashMap::new(),
        }
    }

    /// Takes in what happened. Events are never judged here: [`decide()`](fn@crate::decide) did.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Message(message) => {
                let room = self.rooms.entry(message.room.clone()).or_default();
                room.head = message.seq;
                room.n = message.n;
            }
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

    /// Puts back a room as a store kept it.
    pub fn restore_room(&mut self, id: RoomId, room: Room) {
        self.rooms.insert(id, room);
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
