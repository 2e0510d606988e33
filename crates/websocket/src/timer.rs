//! All deadlines of a connection.

use std::time::{Duration, Instant};

/// How long silence may last. `Duration::MAX` means never.
#[derive(Clone, Debug)]
pub struct Timing {
    /// Silence from the peer until it is pinged; default 30 s. Each connection's jitter shortens it
    /// by up to a quarter, so that connections made together don't ping together.
    pub ping_after: Duration,
    /// Silence from the peer until it counts as dead and the connection as closed; default 75 s.
    /// Anything heard counts, not only pongs.
    pub silent_max: Duration,
    /// From the first Close frame, of either side, to the end of the peer's bytes; default 10 s.
    /// Past it the socket is dropped.
    pub closing_max: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Timing {
            ping_after: Duration::from_secs(30),
            silent_max: Duration::from_secs(75),
            closing_max: Duration::from_secs(10),
        }
    }
}

/// The one deadline that a connection waits for. Which one it is says what the connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// When to ping a peer that has been silent since `since`.
    Ping,
    /// When to give up a peer that has been silent since `since`, although it was pinged.
    Silent,
    /// When to stop waiting for the end of a closing handshake that began at `since`.
    Closing,
}

impl Timer {
    /// When it is due; `None`: never.
    pub(crate) fn due(self, since: Instant, timing: &Timing, jitter: u16) -> Option<Instant> {
        match self {
            Timer::Ping => {
                // A quarter, times the jitter as a part of its range.
                let nanos = u64::try_from(timing.ping_after.as_nanos()).unwrap_or(u64::MAX);
                let shorter = Duration::from_nanos((nanos >> 18) * u64::from(jitter));
                let ping = since.checked_add(timing.ping_after.saturating_sub(shorter));
                let silent = Timer::Silent.due(since, timing, jitter);
                match (ping, silent) {
                    (Some(ping), Some(silent)) => Some(ping.min(silent)),
                    (ping, silent) => ping.or(silent),
                }
            }
            Timer::Silent => since.checked_add(timing.silent_max),
            Timer::Closing => since.checked_add(timing.closing_max),
        }
    }
}
