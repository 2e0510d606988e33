//! Users, found by id, by name and by key.

use crate::command::KeyHash;
use damso_protocol::id::Hashing;
use damso_protocol::{UserId, name};
use hashbrown::HashTable;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

/// A user: a guest with a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct User {
    /// How it is shown.
    pub name: Arc<str>,
    /// The key by which it is known.
    pub key: KeyHash,
}

/// All of them. Each stands once in `all`, which only grows; the tables have its index there, and
/// copy neither ids nor names nor keys. There may be many more users than are ever here.
#[derive(Clone, Debug, Default)]
pub(super) struct Users {
    all: Vec<(UserId, User)>,
    ids: HashTable<u32>,
    /// With the hash of the folded name, so that a table that grows folds nothing.
    names: HashTable<(u32, u32)>,
    keys: HashTable<u32>,
    /// For ids, which are ours.
    hashing: Hashing,
    /// For names and keys, which peers choose.
    hasher: RandomState,
}

impl Users {
    /// All users, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (&UserId, &User)> {
        self.all.iter().map(|(id, user)| (id, user))
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub fn get(&self, id: &UserId) -> Option<&User> {
        self.index(id).map(|index| &self.all[index as usize].1)
    }

    /// Who has this name, in any of its forms.
    pub fn named(&self, name: &str) -> Option<&UserId> {
        let folded = name::fold(name);
        let hash = self.hash_of_name(&folded);
        let has_it =
            |&(index, _): &(u32, u32)| name::fold(&self.all[index as usize].1.name) == folded;
        let (index, _) = self.names.find(spread(hash), has_it)?;
        Some(&self.all[*index as usize].0)
    }

    /// Whose key has this hash.
    pub fn of_key(&self, key: &KeyHash) -> Option<&UserId> {
        let has_it = |&index: &u32| self.all[index as usize].1.key == *key;
        let index = self.keys.find(self.hasher.hash_one(key), has_it)?;
        Some(&self.all[*index as usize].0)
    }

    /// Puts a user in; one who is there already stays as it is.
    pub fn insert(&mut self, id: UserId, user: User) {
        // There is no memory for more.
        let Ok(index) = u32::try_from(self.all.len()) else { return };
        if self.index(&id).is_some() {
            return;
        }
        let hash = self.hash_of_name(&name::fold(&user.name));
        self.names.insert_unique(spread(hash), (index, hash), |(_, hash)| spread(*hash));
        self.all.push((id, user));
        let Self { all, ids, keys, hashing, hasher, .. } = self;
        let hash = |index: &u32| hashing.hash_one(&all[*index as usize].0);
        ids.insert_unique(hash(&index), index, hash);
        let hash = |index: &u32| hasher.hash_one(all[*index as usize].1.key);
        keys.insert_unique(hash(&index), index, hash);
    }

    fn index(&self, id: &UserId) -> Option<u32> {
        let is_it = |&index: &u32| self.all[index as usize].0 == *id;
        self.ids.find(self.hashing.hash_one(id), is_it).copied()
    }

    fn hash_of_name(&self, folded: &str) -> u32 {
        self.hasher.hash_one(folded) as u32
    }
}

/// A table looks at both ends of a hash.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

/// However a store gives them back, equal users are equal.
impl PartialEq for Users {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|(id, user)| other.get(id) == Some(user))
    }
}

impl Eq for Users {}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(number: u8) -> (UserId, User) {
        let (name, key) = (format!("Guest {number}").into(), KeyHash([number; 32]));
        (UserId::new(format!("u{number}")), User { name, key })
    }

    #[test]
    fn each_is_found_by_id_name_and_key_and_in_whatever_order_they_came() {
        let (mut users, mut others) = (Users::default(), Users::default());
        for number in 1..=200 {
            let (id, user) = user(number);
            users.insert(id, user);
        }
        for number in (1..=200).rev() {
            let (id, user) = user(number);
            assert_ne!(users, others);
            others.insert(id.clone(), user.clone());
            others.insert(id.clone(), user.clone());
            assert_eq!(users.get(&id), Some(&user));
            assert_eq!(users.named(&format!("ｇUEST {number}")), Some(&id));
            assert_eq!(users.of_key(&user.key), Some(&id));
        }
        assert_eq!(users, others);
        assert_eq!(users.get(&UserId::new("u201")), None);
        assert_eq!(users.named("guest"), None);
        assert_eq!(users.of_key(&KeyHash([0; 32])), None);
    }

    #[test]
    fn a_user_costs_little() {
        assert_eq!(size_of::<(UserId, User)>(), 64);
    }
}
