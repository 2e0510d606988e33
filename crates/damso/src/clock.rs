//! The log's time: the wall clock's as long as that goes forward. Where it falls back, this one
//! goes on at half its speed until they agree again; it never goes back itself, not over a restart
//! either.

use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Gives the log's time; clones share it.
#[derive(Clone)]
pub struct Clock(Arc<Mutex<Reading>>);

/// What was read last, and what follows from that for the next reading.
pub struct Reading {
    ms: u64,
    read_at: Instant,
}

impl Clock {
    /// A clock that shows the wall clock's time, or `least_ms` if that is later.
    pub fn start(least_ms: u64) -> Self {
        Self(Arc::new(Mutex::new(Reading::start(wall_ms(), least_ms, Instant::now()))))
    }

    /// The time, in ms since 1970.
    pub fn now_ms(&self) -> u64 {
        // A thread that panics ends the process, so the lock can't be poisoned.
        let Ok(mut reading) = self.0.lock() else { return wall_ms() };
        reading.advance(wall_ms(), Instant::now())
    }
}

impl Reading {
    /// The wall clock's time at `now`, or `least_ms` if that is later.
    pub fn start(wall_ms: u64, least_ms: u64, now: Instant) -> Self {
        Self { ms: wall_ms.max(least_ms), read_at: now }
    }

    /// The log's time at `now`, when the wall clock shows `wall_ms`; both in ms since 1970.
    ///
    /// Suspending a machine stops the monotonic clock but not the wall clock, so a step forward is
    /// taken at once.
    pub fn advance(&mut self, wall_ms: u64, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.read_at).as_millis() as u64;
        if wall_ms >= self.ms {
            self.ms = wall_ms;
        } else if elapsed > 1 {
            self.ms += elapsed / 2;
        } else {
            // Too soon to take a step: the time until now counts with the next one.
            return self.ms;
        }
        self.read_at = now;
        self.ms
    }
}

fn wall_ms() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // In ms, a u64 lasts for longer than the calendar.
    since_epoch.as_millis() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn it_follows_the_wall_clock_forward_and_waits_for_it_at_half_speed() {
        let start = Instant::now();
        let mut reading = Reading { ms: 10_000, read_at: start };
        for (wall_ms, after_ms, expected) in [
            (10_500, 500, 10_500),
            (50_000, 1_000, 50_000),
            (20_000, 1_000, 50_000),
            (20_001, 1_001, 50_000),
            (20_010, 1_010, 50_005),
            (40_000, 21_010, 60_005),
            (61_000, 21_020, 61_000),
        ] {
            let now = reading.advance(wall_ms, start + Duration::from_millis(after_ms));
            assert_eq!(now, expected, "wall {wall_ms} after {after_ms} ms");
        }
    }
}
