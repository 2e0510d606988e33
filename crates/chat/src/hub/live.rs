//! Those of whom the hub keeps something beyond their connections, by id.

use super::SessionId;
use super::rate::Bucket;
use damso_protocol::UserId;
use damso_protocol::id::Hashing;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use std::hash::BuildHasher as _;

/// Somebody's connections, and what all of them together may ask for.
#[derive(Default)]
pub(super) struct Live {
    pub sessions: Connections,
    pub purse: Purse,
    /// When the last connection went.
    pub gone_at: u64,
    /// It has a connection that stays, or had one a moment ago.
    pub online: bool,
}

/// What a user may still ask for. Starts full.
#[derive(Default)]
pub(super) struct Purse {
    pub sends: Bucket,
    pub commands: Bucket,
}

impl Purse {
    pub fn is_full(&self, now: u64) -> bool {
        self.sends.is_full(now) && self.commands.is_full(now)
    }
}

/// Somebody's connections: most have one.
pub(super) enum Connections {
    One(SessionId),
    Others(Vec<SessionId>),
}

impl Default for Connections {
    fn default() -> Self {
        Self::Others(Vec::new())
    }
}

impl Connections {
    pub fn as_slice(&self) -> &[SessionId] {
        match self {
            Self::One(session) => std::slice::from_ref(session),
            Self::Others(sessions) => sessions,
        }
    }

    pub fn push(&mut self, session: SessionId) {
        match self {
            Self::One(first) => *self = Self::Others(vec![*first, session]),
            Self::Others(sessions) if sessions.is_empty() => *self = Self::One(session),
            Self::Others(sessions) => sessions.push(session),
        }
    }

    pub fn remove(&mut self, session: SessionId) {
        match self {
            Self::One(one) if *one == session => *self = Self::default(),
            Self::One(_) => {}
            Self::Others(sessions) => {
                sessions.retain(|one| *one != session);
                if let [one] = sessions[..] {
                    *self = Self::One(one);
                }
            }
        }
    }
}

/// By user. `ids` has the index in `all` of each, so that what a table leaves free is small.
#[derive(Default)]
pub(super) struct Lives {
    all: Vec<(UserId, Live)>,
    ids: HashTable<u32>,
    hasher: Hashing,
}

impl Lives {
    pub fn get(&self, user: &UserId) -> Option<&Live> {
        self.index(user).map(|index| &self.all[index].1)
    }

    pub fn get_mut(&mut self, user: &UserId) -> Option<&mut Live> {
        self.index(user).map(|index| &mut self.all[index].1)
    }

    fn index(&self, user: &UserId) -> Option<usize> {
        let is_it = |&index: &u32| self.all[index as usize].0 == *user;
        let index = *self.ids.find(self.hasher.hash_one(user), is_it)?;
        Some(index as usize)
    }

    /// The user's, made by `new` if there is nothing yet.
    pub fn get_or_insert_with(&mut self, user: &UserId, new: impl FnOnce() -> Live) -> &mut Live {
        let Self { all, ids, hasher } = self;
        let is_it = |&index: &u32| all[index as usize].0 == *user;
        let rehash = |&index: &u32| hasher.hash_one(&all[index as usize].0);
        let index = match ids.entry(hasher.hash_one(user), is_it, rehash) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(free) => {
                // There are fewer connections than that.
                let index = all.len() as u32;
                free.insert(index);
                all.push((user.clone(), new()));
                index
            }
        };
        &mut all[index as usize].1
    }

    pub fn remove(&mut self, user: &UserId) {
        let is_it = |&index: &u32| self.all[index as usize].0 == *user;
        let hash = self.hasher.hash_one(user);
        let Ok(found) = self.ids.find_entry(hash, is_it) else { return };
        let (index, _) = found.remove();
        self.all.swap_remove(index as usize);
        // The last one stands in its place now.
        let (last, moved) = (self.all.len() as u32, self.all.get(index as usize));
        if let Some((moved, _)) = moved
            && let Some(known) = self.ids.find_mut(self.hasher.hash_one(moved), |at| *at == last)
        {
            *known = index;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_left_is_found_after_others_went() {
        let mut lives = Lives::default();
        let user = |number: u64| UserId::new(format!("u{number}"));
        for number in 0..100 {
            lives.get_or_insert_with(&user(number), || Live { gone_at: number, ..Live::default() });
        }
        for gone in (0..100).step_by(3) {
            lives.remove(&user(gone));
            lives.remove(&user(gone));
        }
        for number in 0..100 {
            let found = lives.get(&user(number)).map(|live| live.gone_at);
            assert_eq!(found, (number % 3 != 0).then_some(number));
        }
    }

    #[test]
    fn connections_come_and_go() {
        let [a, b, c] = [1, 2, 3].map(|slot| SessionId { shard: 0, slot, generation: 0 });
        let mut connections = Connections::default();
        for (session, all) in [(a, &[a][..]), (b, &[a, b]), (c, &[a, b, c])] {
            connections.push(session);
            assert_eq!(connections.as_slice(), all);
        }
        for (session, all) in [(a, &[b, c][..]), (a, &[b, c]), (b, &[c]), (b, &[c]), (c, &[])] {
            connections.remove(session);
            assert_eq!(connections.as_slice(), all);
        }
    }

    #[test]
    fn somebody_costs_little() {
        assert_eq!(size_of::<(UserId, Live)>(), 72);
    }
}
