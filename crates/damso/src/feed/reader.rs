//! Who reads a shard's feeds, and where each one stands.

use super::Rest;
use super::published::Encoding;
use smallvec::SmallVec;

/// A slot that reads at least one room, or has done so.
pub(super) struct Reader {
    /// One of each room; most read a single one, which needs no memory of its own.
    pub cursors: SmallVec<[Cursor; 1]>,
    /// What only few have.
    rare: Option<Box<Rare>>,
    pub encoding: Encoding,
    /// The last send was short. Then no cursor is live.
    pub blocked: bool,
}

#[derive(Default)]
struct Rare {
    /// The rest of a frame that its socket has taken the beginning of.
    rest: Option<Rest>,
    /// Of each cursor that is held the feed, and the `open` whose answer releases it.
    holds: Vec<(u32, u64)>,
}

/// Where a reader stands in a room.
pub(super) struct Cursor {
    /// The index of the room's feed.
    pub feed: u32,
    pub place: Place,
}

#[derive(Clone, Copy)]
pub(super) enum Place {
    /// Has everything that was flushed; stands at this index of the feed's live array.
    Live(u32),
    /// Needs this `seq` next.
    Behind(u64),
    /// Needs this `seq` next, which was asked of the log.
    Fetching(u64),
    /// Will need this `seq` next, once its hold is released.
    Held(u64),
}

impl Reader {
    /// Where it stands in the room of that feed.
    pub fn cursor(&mut self, feed: u32) -> Option<&mut Cursor> {
        self.cursors.iter_mut().find(|cursor| cursor.feed == feed)
    }

    pub fn rest(&mut self) -> Option<&mut Rest> {
        self.rare.as_mut()?.rest.as_mut()
    }

    /// Notes what has to go out first; none: nothing any more.
    pub fn set_rest(&mut self, rest: Option<Rest>) {
        if rest.is_some() || self.rare.is_some() {
            self.rare.get_or_insert_default().rest = rest;
            self.tidy();
        }
    }

    pub fn into_rest(self) -> Option<Rest> {
        self.rare?.rest
    }

    /// Reads a room; what it read of it before is forgotten already.
    pub fn begin(&mut self, feed: u32, place: Place, held_by: Option<u64>) {
        self.cursors.push(Cursor { feed, place });
        if let Some(by) = held_by {
            self.rare.get_or_insert_default().holds.push((feed, by));
        }
    }

    /// Reads a room no more; where it stood.
    pub fn end(&mut self, feed: u32) -> Option<Cursor> {
        let at = self.cursors.iter().position(|cursor| cursor.feed == feed)?;
        self.forget_hold(feed);
        Some(self.cursors.swap_remove(at))
    }

    /// Goes on with a room, if it is held by this.
    pub fn release(&mut self, feed: u32, by: u64) {
        if !self.rare.as_ref().is_some_and(|rare| rare.holds.contains(&(feed, by))) {
            return;
        }
        self.forget_hold(feed);
        if let Some(cursor) = self.cursor(feed)
            && let Place::Held(next) = cursor.place
        {
            cursor.place = Place::Behind(next);
        }
    }

    fn forget_hold(&mut self, feed: u32) {
        if let Some(rare) = &mut self.rare {
            rare.holds.retain(|hold| hold.0 != feed);
            self.tidy();
        }
    }

    fn tidy(&mut self) {
        let is_empty = |rare: &Rare| rare.rest.is_none() && rare.holds.is_empty();
        if self.rare.as_deref().is_some_and(is_empty) {
            self.rare = None;
        }
    }
}

/// Readers by slot: slots are dense, and a place in an array is all that one takes.
#[derive(Default)]
pub(super) struct Readers(Vec<Option<Reader>>);

impl Readers {
    pub fn get_mut(&mut self, slot: u32) -> Option<&mut Reader> {
        self.0.get_mut(slot as usize)?.as_mut()
    }

    /// The slot's reader, which begins if there is none.
    pub fn get_or_begin(&mut self, slot: u32, encoding: Encoding) -> &mut Reader {
        let at = slot as usize;
        if self.0.len() <= at {
            self.0.resize_with(at + 1, || None);
        }
        let new = || Reader { cursors: SmallVec::new(), rare: None, encoding, blocked: false };
        self.0[at].get_or_insert_with(new)
    }

    pub fn remove(&mut self, slot: u32) -> Option<Reader> {
        self.0.get_mut(slot as usize)?.take()
    }

    /// Where a slot stands in the room of that feed.
    pub fn cursor(&mut self, slot: u32, feed: u32) -> Option<&mut Cursor> {
        self.get_mut(slot)?.cursor(feed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_of_one_room_fits_48_bytes() {
        assert!(size_of::<Option<Reader>>() <= 48, "{}", size_of::<Option<Reader>>());
    }
}
