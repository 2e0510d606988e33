//! What a seed decides before anything happens: who there is, and what may go wrong.

use crate::rng::Rng;
use damso_protocol::Limits;

/// A seed's world.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many shards the server has.
    pub shards: u16,
    /// The log is in memory, as with `--memory`: each start begins a new one.
    pub memory: bool,
    /// How much a log in memory keeps, in bytes; none: all that there is.
    pub kept_bytes: Option<usize>,
    /// People with a key.
    pub people: usize,
    /// Of those, so many have a second device.
    pub doubles: usize,
    /// Plain peers.
    pub plain: usize,
    /// How long people act and things go wrong, in ms.
    pub acting_ms: u64,
    /// The longest time between two acts of one device, in ms.
    pub pace_ms: u64,
    /// The server's limits.
    pub limits: Limits,
    /// Of a thousand steps of fate, how many are of each kind.
    pub faults: Faults,
    /// How long an fsync may take, in ms.
    pub fsync_ms: u64,
    /// How long the readers may take, in ms.
    pub readers_ms: u64,
    /// How long bytes may be under way, in ms.
    pub latency_ms: u64,
    /// Of a thousand texts, so many are long.
    pub long_texts: u64,
}

/// What may go wrong, as shares.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// A connection is cut.
    pub cut: u64,
    /// Somebody doesn't read for a while.
    pub slow: u64,
    /// Somebody has no network for a while.
    pub offline: u64,
    /// A client's program is started anew with what it wrote down.
    pub renewed: u64,
    /// The server's process dies.
    pub crash: u64,
    /// The server is stopped and started.
    pub stop: u64,
    /// The disk is full for a while.
    pub full: u64,
    /// The wall clock jumps.
    pub clock: u64,
    /// The operator acts.
    pub operator: u64,
}

impl Plan {
    /// The world of a seed.
    pub fn of(rng: &mut Rng) -> Self {
        let memory = rng.chance(250);
        let kept = memory && rng.chance(500);
        let mut limits = Limits { head_seconds: 10, ..Limits::default() };
        if rng.chance(700) {
            (limits.send_per_second, limits.commands_per_second) = (0.0, 0.0);
        }
        // Little is kept ready, so that who falls behind is fed from the log.
        limits.feed_bytes = *rng.pick(&[900, 2_500, 20_000, 1 << 20]).unwrap_or(&900);
        limits.commands_in_flight = *rng.pick(&[1, 3, 16]).unwrap_or(&16);
        let people = rng.between(2, 5) as usize;
        let calm = rng.chance(100);
        let share = |rng: &mut Rng, most: u64| if calm || rng.chance(400) { 0 } else { most };
        Self {
            shards: rng.between(1, 2) as u16,
            memory,
            kept_bytes: kept.then(|| rng.between(3_000, 20_000) as usize),
            people,
            doubles: rng.below(people as u64).min(2) as usize,
            plain: rng.below(3) as usize,
            acting_ms: rng.between(8_000, 40_000),
            pace_ms: rng.between(200, 1_500),
            limits,
            faults: Faults {
                cut: share(rng, 250),
                slow: share(rng, 150),
                offline: share(rng, 60),
                renewed: share(rng, 50),
                crash: share(rng, 50),
                stop: share(rng, 25),
                full: share(rng, 40),
                clock: share(rng, 60),
                operator: share(rng, 120),
            },
            fsync_ms: *rng.pick(&[2, 20, 400]).unwrap_or(&2),
            readers_ms: *rng.pick(&[1, 20, 600]).unwrap_or(&1),
            latency_ms: *rng.pick(&[1, 30, 300]).unwrap_or(&1),
            long_texts: *rng.pick(&[0, 30, 300]).unwrap_or(&0),
        }
    }
}
