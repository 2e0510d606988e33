//! The whole chat under one seed: clients, network, server, disk and clock, and what must hold.
//!
//! The code is the product's: `damso_client`'s machine over `damso_websocket`'s connections, the
//! shards with their sessions, dialects and feeds, the hub, `decide` and the log in memory, joined
//! as the program joins them. What lies between them is the simulator's: sockets that take what
//! they like and are cut at any byte, readers who stop, a disk that loses what it hasn't synced, a
//! server that dies, a wall clock that jumps. Time passes when something happens, and a seed
//! decides all of it; so the same seed is the same run, to the last byte.
//!
//! [`run`] runs one seed. What must hold are PROTOCOL section 5's guarantees, as [`Rule`] names
//! them; most are checked at every frame that a client hears (`tap`), the rest when one looks
//! (`check`).

mod act;
mod audit;
mod bug;
mod check;
mod disk;
mod moving;
mod net;
mod peer;
mod plan;
mod rng;
mod server;
mod tap;
#[cfg(test)]
mod tests;
mod truth;
mod world;

pub use truth::{Failure, Rule};
pub use world::Counts;

use bug::Bug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use world::World;

/// What came of a seed.
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// What didn't hold, if anything.
    pub failure: Option<Failure>,
    /// What happened, line by line, if that was asked for.
    pub trace: Vec<String>,
    /// What happened, in numbers.
    pub counts: Counts,
}

/// Runs a seed. With `is_tracing` it says what happened.
pub fn run(seed: u64, is_tracing: bool) -> Report {
    run_with(seed, is_tracing, None)
}

fn run_with(seed: u64, is_tracing: bool, bug: Option<Bug>) -> Report {
    let mut world = World::new(seed, is_tracing, bug);
    let ran = catch_unwind(AssertUnwindSafe(|| world.run()));
    if let Err(panic) = ran {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let what = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        world.failed(Failure { rule: Rule::Panic, what });
    }
    let trace = world.take_trace();
    Report { seed, failure: world.failure.take(), trace, counts: world.counts }
}
