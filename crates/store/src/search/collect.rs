//! Gathers hits, and knows when it is enough.

use super::{Found, Hit};
use crate::rows::{BYTES_MAX, EVENT_BYTES};
use std::time::{Duration, Instant};

/// So many messages are looked at for one answer, which bounds its time. When they are used up, the
/// answer has what was found so far, and says from where to go on.
const LOOKED_AT_MAX: usize = if cfg!(test) { 64 } else { 4_000 };

/// And so long: long texts with many marks take their time, and others wait.
const LOOKING_MAX: Duration = Duration::from_millis(if cfg!(test) { 60_000 } else { 100 });

/// Gathers hits, newest first.
pub(crate) struct Collector {
    began: Instant,
    limit: usize,
    bytes: usize,
    looked_at: usize,
    /// The place of the last hit.
    last: u64,
    found: Found,
}

impl Collector {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            began: Instant::now(),
            limit,
            bytes: 0,
            looked_at: 0,
            last: 0,
            found: Found::default(),
        }
    }

    /// Takes what became of the message at `position`. Whether it wants to see the next one.
    pub(crate) fn take(&mut self, position: u64, hit: Option<Hit>) -> bool {
        self.looked_at += 1;
        if let Some(hit) = hit {
            let weight = hit.message.text.as_ref().map_or(0, |text| text.len());
            self.bytes += weight + EVENT_BYTES;
            let is_full = self.bytes > BYTES_MAX && !self.found.hits.is_empty();
            if self.found.hits.len() >= self.limit || is_full {
                self.found.more = Some(self.last);
                return false;
            }
            self.found.hits.push(hit);
            self.last = position;
        }
        if self.looked_at >= LOOKED_AT_MAX || self.began.elapsed() > LOOKING_MAX {
            self.found.more = Some(position);
            return false;
        }
        true
    }

    pub(crate) fn found(self) -> Found {
        self.found
    }
}
