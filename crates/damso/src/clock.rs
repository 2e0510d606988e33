//! The log's time: the wall clock read at the start and carried on by the monotonic one, so that
//! it never goes back.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Gives the log's time.
#[derive(Clone, Copy)]
pub struct Clock {
    started: Instant,
    started_ms: u64,
}

impl Clock {
    /// A clock that shows the wall clock's time now.
    pub fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // In ms, a u64 lasts for longer than the calendar.
        Self { started: Instant::now(), started_ms: since_epoch.as_millis() as u64 }
    }

    /// The time, in ms since 1970.
    pub fn now_ms(&self) -> u64 {
        self.started_ms + self.started.elapsed().as_millis() as u64
    }
}
