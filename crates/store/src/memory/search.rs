//! Looking through what is in memory, from the newest message back.

use super::Memory;
use crate::rows::ReadError;
use crate::search::{Collector, Found, Hit, Matcher, Search};
use damso_chat::hub::Sought;
use std::collections::BinaryHeap;

impl Search for Memory {
    fn search(&self, sought: &Sought) -> Result<Found, ReadError> {
        let mut collector = Collector::new(sought.limit);
        let matcher = Matcher::new(sought);
        if matcher.is_empty() || sought.limit == 0 {
            return Ok(collector.found());
        }
        let end = sought.before.unwrap_or(u64::MAX);
        let places = sought.places.iter().filter_map(|place| {
            let kept = self.past.rooms.get(&place.room)?;
            Some((kept, kept.newest(place.first, place.head, end)))
        });
        let mut rooms: Vec<_> = places.collect();
        // The newest message of each room that wasn't looked at: its place, its `seq`, which room.
        let mut newest = BinaryHeap::new();
        for (index, (_, messages)) in rooms.iter_mut().enumerate() {
            newest.extend(messages.next().map(|(position, seq)| (position, seq, index)));
        }
        while let Some((position, seq, index)) = newest.pop() {
            let (kept, messages) = &mut rooms[index];
            newest.extend(messages.next().map(|(position, seq)| (position, seq, index)));
            let hit = kept.message(seq).and_then(|current| {
                let marks = matcher.marks(&current.message)?;
                Some(Hit { message: current.message, marks })
            });
            if !collector.take(position, hit) {
                break;
            }
        }
        Ok(collector.found())
    }
}
