//! Opens connections, keeps them, and sends one message to all.

use std::time::{Duration, Instant};

use crate::connect::Target;
use crate::generator::{Generator, Seats, Wait};
use crate::usage;

const DELIVERED_WITHIN: Duration = Duration::from_secs(30);
/// A message that comes twice comes within this.
const AGAIN_WITHIN_MS: u64 = 500;

pub struct Held {
    pub opened_in: Duration,
    pub delivered_in: Duration,
    /// Of the server, in KiB: before the first connection, with all of them, after the broadcast.
    pub resident_kib: [u64; 3],
    pub notices: u64,
}

/// Fails when a connection doesn't open, ends, or doesn't get the message exactly once.
pub fn run(
    target: &Target,
    connections: usize,
    seconds: f64,
    bytes: usize,
    processes: &[u32],
) -> Result<Held, String> {
    let before_kib = usage::resident_kib(processes);
    let begun = Instant::now();
    let seats = Seats { rooms: 0, receivers: connections, publishers: 1, deaf: 0 };
    let mut generator = Generator::connect(target, seats, bytes, 1, Wait::Block)?;
    let opened_in = begun.elapsed();

    let begun = Instant::now();
    generator.settle(150, 3_000)?;
    while begun.elapsed().as_secs_f64() < seconds {
        generator.turn(100)?;
    }
    all_up(&generator, connections)?;
    let held_kib = usage::resident_kib(processes);

    let begun = Instant::now();
    generator.publish(0, 1);
    while generator.outstanding() > 0 {
        generator.turn(100)?;
        if begun.elapsed() > DELIVERED_WITHIN {
            let without = generator.waiting_for_oldest();
            let faults = generator.faults();
            return Err(format!(
                "{without} of {connections} didn't get the message (faults: {faults})"
            ));
        }
    }
    let delivered_in = begun.elapsed();
    generator.settle(AGAIN_WITHIN_MS, 2 * AGAIN_WITHIN_MS)?;
    all_up(&generator, connections)?;
    assert_eq!(generator.delivered(), connections as u64);
    let resident_kib = [before_kib, held_kib, usage::resident_kib(processes)];
    let notices = generator.faults().notices;
    generator.close();
    Ok(Held { opened_in, delivered_in, resident_kib, notices })
}

fn all_up(generator: &Generator, connections: usize) -> Result<(), String> {
    let faults = generator.faults();
    match faults.count() {
        0 => Ok(()),
        _ => Err(format!("{} of {connections} are up: {faults}", generator.listening())),
    }
}
