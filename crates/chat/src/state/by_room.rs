//! Something of one user's for each of some rooms: most have few, so a list in order is smaller than
//! a map, and as fast.

use damso_protocol::RoomId;

/// By room, in the rooms' order: equal ones are equal however they came about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ByRoom<T>(Vec<(RoomId, T)>);

impl<T> Default for ByRoom<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Default> ByRoom<T> {
    pub fn get(&self, room: &RoomId) -> Option<&T> {
        self.place(room).ok().map(|place| &self.0[place].1)
    }

    pub fn get_mut(&mut self, room: &RoomId) -> Option<&mut T> {
        self.place(room).ok().map(|place| &mut self.0[place].1)
    }

    /// The room's, an empty one if there was none.
    pub fn get_or_default(&mut self, room: RoomId) -> &mut T {
        let place = self.place(&room).unwrap_or_else(|place| {
            // Nearly all stay with the one they have: the lobby's.
            self.0.reserve_exact(1);
            self.0.insert(place, (room, T::default()));
            place
        });
        &mut self.0[place].1
    }

    pub fn remove(&mut self, room: &RoomId) {
        if let Ok(place) = self.place(room) {
            self.0.remove(place);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn place(&self, room: &RoomId) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.cmp(room))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_the_order_the_same_rooms_are_equal() {
        let (mut one, mut other) = (ByRoom::<u64>::default(), ByRoom::default());
        let rooms = ["r2", "lobby", "r10"].map(RoomId::new);
        for room in &rooms {
            *one.get_or_default(room.clone()) += 1;
        }
        for room in rooms.iter().rev() {
            *other.get_or_default(room.clone()) += 1;
        }
        assert_eq!(one, other);
        assert_eq!(one.get(&rooms[2]), Some(&1));
        one.remove(&rooms[1]);
        one.remove(&rooms[1]);
        assert_eq!(one.get(&rooms[1]), None);
        assert_ne!(one, other);
    }
}
