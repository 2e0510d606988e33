//! The commands that need damso's own crates: they test what it keeps, and measure what that costs.

use crate::chaos::{self, Plan};
use crate::{Arguments, Clean, Failure, connect, random};

pub const HELP: &str = "
damso-bench chaos              kills the server under load, and compares the log with what users saw
    --seed N                   the clock's; printed, so that a run can be made again
    --kills N                  30
    --senders N                200, --proxied N (50) of them through a hostile proxy
    --power N                  cuts the power N times instead, of a disk image (needs root)
    --full-disk                fills a small disk instead, and makes room again (needs root)
    --damso FILE               the damso to test
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
    arguments.done()?;
    connect::raise_descriptor_limit();
    let damso = plan.damso.as_deref();
    let outcome = match (cuts, is_full) {
        (Some(cuts), _) => chaos::power::run(plan.seed, cuts, damso),
        (None, true) => chaos::full::run(plan.seed, damso),
        (None, false) => chaos::run(&plan),
    };
    outcome.map_err(Failure::Run)
}
