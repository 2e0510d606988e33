//! Webhooks: programs that may write into one room each.

use crate::command::KeyHash;
use damso_protocol::{RoomId, UserId, name};
use std::collections::HashMap;
use std::sync::Arc;

/// A program that may write into a room.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hook {
    /// The room.
    pub room: RoomId,
    /// Who made it: who may not write, doesn't by this either.
    pub by: UserId,
    /// How it is shown.
    pub name: Arc<str>,
    /// What it is known by.
    pub key: KeyHash,
}

/// All of them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Hooks {
    /// How many there ever were: an id is given once, for what was written under it stays.
    ever: u64,
    hooks: HashMap<UserId, Hook>,
    keys: HashMap<KeyHash, UserId>,
    /// How many are shown under a folded name: the judge asks often, and hooks may be many.
    names: HashMap<String, u32>,
    rooms: HashMap<RoomId, Vec<UserId>>,
}

impl Hooks {
    /// The id of the next one.
    pub fn next_id(&self) -> UserId {
        UserId::new(format!("w{}", self.ever + 1))
    }

    /// How many there ever were.
    pub fn ever(&self) -> u64 {
        self.ever
    }

    /// The hook, if it wasn't revoked.
    pub fn get(&self, hook: &UserId) -> Option<&Hook> {
        self.hooks.get(hook)
    }

    /// Whose key has this hash.
    pub fn of_key(&self, key: &KeyHash) -> Option<&UserId> {
        self.keys.get(key)
    }

    /// All that weren't revoked, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&UserId, &Hook)> {
        self.hooks.iter()
    }

    /// A room's, in the order in which they were made.
    pub fn of_room(&self, room: &RoomId) -> Vec<(&UserId, &Hook)> {
        let ids = self.rooms.get(room).into_iter().flatten();
        let mut hooks: Vec<_> = ids.filter_map(|id| Some((id, self.hooks.get(id)?))).collect();
        hooks.sort_by_key(|(id, _)| (id.as_str().len(), *id));
        hooks
    }

    /// Whether one is shown under this name, in any of its forms.
    pub fn is_named(&self, name: &str) -> bool {
        self.names.contains_key(&name::fold(name))
    }

    /// One that is shown under exactly this name.
    pub fn named(&self, name: &str) -> Option<&UserId> {
        self.iter().filter(|(_, hook)| *hook.name == *name).map(|(id, _)| id).min()
    }

    /// Puts one in; none: one that was revoked.
    pub(super) fn restore(&mut self, id: UserId, hook: Option<Hook>) {
        self.ever += 1;
        if let Some(hook) = hook {
            self.keys.insert(hook.key, id.clone());
            *self.names.entry(name::fold(&hook.name)).or_default() += 1;
            let of_room = self.rooms.entry(hook.room.clone()).or_default();
            // However a store gives them back, equal states have equal lists.
            let place = of_room.partition_point(|known| known < &id);
            of_room.insert(place, id.clone());
            self.hooks.insert(id, hook);
        }
    }

    pub(super) fn revoke(&mut self, id: &UserId) {
        if let Some(hook) = self.hooks.remove(id) {
            self.keys.remove(&hook.key);
            let folded = name::fold(&hook.name);
            if let Some(count) = self.names.get_mut(&folded) {
                *count -= 1;
                if *count == 0 {
                    self.names.remove(&folded);
                }
            }
            if let Some(of_room) = self.rooms.get_mut(&hook.room) {
                of_room.retain(|known| known != id);
                if of_room.is_empty() {
                    self.rooms.remove(&hook.room);
                }
            }
        }
    }
}
