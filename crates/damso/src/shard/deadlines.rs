//! When which slot has to be looked at: in ms since a beginning, so that what each connection has
//! here at all times is small.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

/// What stands for a slot that waits for nothing.
const NEVER: u32 = u32::MAX;
/// The last time that there is. What is due later is looked at then, to no harm.
const LAST: u32 = NEVER - 1;
/// When the beginning is moved: there are as many days before as behind, which is later than
/// anything that a connection waits for.
const HALF: u32 = u32::MAX / 2;

/// At most one time a slot that counts; others of it are passed over when they come up.
#[derive(Default)]
pub(super) struct Deadlines {
    /// When something was armed first.
    beginning: Option<Instant>,
    heap: BinaryHeap<Reverse<(u32, u32)>>,
    /// By slot.
    armed: Vec<u32>,
}

impl Deadlines {
    /// Has the slot looked at by `due` or a little later, and not later than by what it was armed
    /// for before.
    pub(super) fn arm(&mut self, slot: u32, due: Instant, now: Instant) {
        let beginning = *self.beginning.get_or_insert(now);
        // Rounded up: who is looked at too early would be looked at again and again.
        let after = due.saturating_duration_since(beginning);
        let ms = u64::from(after.subsec_nanos().div_ceil(1_000_000));
        let ms = after.as_secs().saturating_mul(1_000).saturating_add(ms);
        let due = u32::try_from(ms).map_or(LAST, |due| due.min(LAST));
        let at = slot as usize;
        if self.armed.len() <= at {
            self.armed.resize(at + 1, NEVER);
        }
        if due < self.armed[at] {
            self.armed[at] = due;
            self.heap.push(Reverse((due, slot)));
        }
    }

    /// The slot waits for nothing any more.
    pub(super) fn disarm(&mut self, slot: u32) {
        if let Some(armed) = self.armed.get_mut(slot as usize) {
            *armed = NEVER;
        }
    }

    /// A slot whose time has come; it isn't armed any more.
    pub(super) fn pop(&mut self, now: Instant) -> Option<u32> {
        let beginning = self.beginning?;
        if now.saturating_duration_since(beginning) > at(HALF) {
            self.begin_at(beginning + at(HALF));
        }
        let due = self.next()?;
        if due > now {
            return None;
        }
        let Reverse((_, slot)) = self.heap.pop()?;
        self.disarm(slot);
        Some(slot)
    }

    /// When the next slot is to be looked at.
    pub(super) fn next(&mut self) -> Option<Instant> {
        while let Some(&Reverse((due, slot))) = self.heap.peek() {
            if self.armed[slot as usize] == due {
                return Some(self.beginning? + at(due));
            }
            self.heap.pop();
        }
        None
    }

    /// Moves the beginning, by [`HALF`].
    fn begin_at(&mut self, beginning: Instant) {
        self.beginning = Some(beginning);
        self.armed.iter_mut().filter(|due| **due != NEVER).for_each(|due| {
            *due = due.saturating_sub(HALF);
        });
        let heap = std::mem::take(&mut self.heap).into_iter();
        self.heap =
            heap.map(|Reverse((due, slot))| Reverse((due.saturating_sub(HALF), slot))).collect();
    }
}

fn at(ms: u32) -> Duration {
    Duration::from_millis(u64::from(ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    #[test]
    fn a_slot_comes_up_once_at_its_earliest_time_and_never_too_early() {
        let now = Instant::now();
        let mut deadlines = Deadlines::default();
        let due = now + Duration::from_nanos(1_500_001);
        for (slot, due) in [(0, due + DAY), (2, due), (0, due), (0, due + DAY), (1, due)] {
            deadlines.arm(slot, due, now);
        }
        deadlines.disarm(1);
        let next = deadlines.next().unwrap();
        assert!(due <= next && next < due + Duration::from_millis(1));
        assert_eq!(deadlines.pop(due), None);
        assert_eq!([deadlines.pop(next), deadlines.pop(next)], [Some(0), Some(2)]);
        assert_eq!(deadlines.pop(next + 2 * DAY), None);
        assert_eq!(deadlines.next(), None);
    }

    #[test]
    fn a_server_runs_for_years() {
        let mut now = Instant::now();
        let mut deadlines = Deadlines::default();
        let minute = Duration::from_secs(60);
        // One that is never looked at, as far as it is concerned.
        deadlines.arm(1, now + 100_000 * DAY, now);
        let mut early = 0;
        for _ in 0..2_000 {
            now += DAY;
            deadlines.arm(0, now + minute, now);
            assert!(deadlines.pop(now).is_none_or(|slot| slot == 1 && {
                early += 1;
                true
            }));
            assert_eq!(deadlines.pop(now + minute), Some(0));
            assert_eq!(deadlines.pop(now + minute), None);
            deadlines.arm(1, now + 100_000 * DAY, now);
        }
        assert!(early < 100, "{early}");
    }
}
