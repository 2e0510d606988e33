//! The commands that need damso's own crates: they test what it keeps, and measure what that costs.

use crate::chaos::{self, Plan};
use crate::{Arguments, Clean, Failure, connect, durable, history, random, resume, search};
use std::time::Duration;

pub const HELP: &str = "
damso-bench chaos              kills the server under load, and compares the log with what users saw
    --seed N                   the clock's; printed, so that a run can be made again
    --kills N                  30
    --senders N                200, --proxied N (50) of them through a hostile proxy
    --power N                  cuts the power N times instead, of a disk image (needs root)
    --full-disk                fills a small disk instead, and makes room again (needs root)
    --verbs N                  kills backup, restore, migration and index N times each instead
    --damso FILE               the damso to test

damso-bench store              durable messages a second through the server, beside a bare SQLite loop
    --senders N                1, 10, 100 and 1000; may be repeated
    --rounds N                 5, of --seconds S (1.5) each
    --engine NAME              event
    --folder DIR               on the disk to measure; default: where temporary files are

damso-bench history            pages at any depth of a room with many messages, and the server's start
    --messages N               1000000
    --readers N                1 and 16; may be repeated
    --seconds S                5

damso-bench search             newest hits among many messages, beside SQLite's own tokenizers
    --messages N               1000000
    --rounds N                 200 times each query
    --seed N

damso-bench resume             one who was away, and one who doesn't read for a while
    --missed N                 20000: events that happen meanwhile
    --deaf S                   30
    --seed N
";

pub fn chaos(mut arguments: Arguments) -> Clean {
    let senders = arguments.one("--senders")?.unwrap_or(200);
    let plan = Plan {
        seed: arguments.one("--seed")?.unwrap_or_else(random::seed),
        kills: arguments.one("--kills")?.unwrap_or(30),
        senders,
        through_proxy: arguments.one("--proxied")?.unwrap_or(senders / 4),
        damso: arguments.one("--damso")?,
    };
    let cuts: Option<usize> = arguments.one("--power")?;
    let is_full = arguments.flag("--full-disk");
    let verbs: Option<usize> = arguments.one("--verbs")?;
    arguments.done()?;
    connect::raise_descriptor_limit();
    let damso = plan.damso.as_deref();
    let outcome = match (cuts, verbs, is_full) {
        (Some(cuts), _, _) => chaos::power::run(plan.seed, cuts, damso),
        (None, Some(kills), _) => chaos::verbs::run(plan.seed, kills, damso),
        (None, None, true) => chaos::full::run(plan.seed, damso),
        (None, None, false) => chaos::run(&plan),
    };
    outcome.map_err(Failure::Run)
}

pub fn store(mut arguments: Arguments) -> Clean {
    let mut senders: Vec<usize> = arguments.all("--senders")?;
    if senders.is_empty() {
        senders = vec![1, 10, 100, 1_000];
    }
    let plan = durable::Plan {
        rounds: arguments.one("--rounds")?.unwrap_or(5),
        senders,
        seconds: arguments.one("--seconds")?.unwrap_or(1.5),
        engine: arguments.one("--engine")?.unwrap_or_else(|| "event".into()),
        damso: arguments.one("--damso")?,
        folder: arguments.one("--folder")?,
    };
    arguments.done()?;
    connect::raise_descriptor_limit();
    durable::run(&plan).map_err(Failure::Run)
}

pub fn history(mut arguments: Arguments) -> Clean {
    let mut readers: Vec<usize> = arguments.all("--readers")?;
    if readers.is_empty() {
        readers = vec![1, 16];
    }
    let plan = history::Plan {
        messages: arguments.one("--messages")?.unwrap_or(1_000_000),
        seconds: arguments.one("--seconds")?.unwrap_or(5.0),
        readers,
        damso: arguments.one("--damso")?,
    };
    arguments.done()?;
    history::run(&plan).map_err(Failure::Run)
}

pub fn search(mut arguments: Arguments) -> Clean {
    let plan = search::Plan {
        messages: arguments.one("--messages")?.unwrap_or(1_000_000),
        rounds: arguments.one("--rounds")?.unwrap_or(200),
        seed: arguments.one("--seed")?.unwrap_or(1),
    };
    arguments.done()?;
    search::run(&plan).map_err(Failure::Run)
}

pub fn resume(mut arguments: Arguments) -> Clean {
    let plan = resume::Plan {
        seed: arguments.one("--seed")?.unwrap_or_else(random::seed),
        missed: arguments.one("--missed")?.unwrap_or(20_000),
        deaf: Duration::from_secs(arguments.one("--deaf")?.unwrap_or(30)),
        damso: arguments.one("--damso")?,
    };
    arguments.done()?;
    connect::raise_descriptor_limit();
    resume::run(&plan).map_err(Failure::Run)
}
