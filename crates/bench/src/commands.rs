//! The commands that need damso's own crates: they test what it keeps, and measure what that costs.

use crate::chaos::{self, Plan};
use crate::loads::{self, Common, Measured, Rooms};
use crate::{
    Arguments, Clean, Failure, compare, connect, docs, durable, first_two_cores, history,
    pin_generator, random, resume, search, storm,
};
use std::path::{Path, PathBuf};
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

damso-bench rate               messages at a rate: server CPU, and how long each delivery takes
    --per-second N             50, 300 and 1000; may be repeated
    --subscribers N            1000
damso-bench rooms              many rooms at once, and a small one beside a hot one
    --few ROOMS,SUBS           16,1000: with a publisher each, 1 and 16 in flight, beside one such room
    --many ROOMS,SUBS          1000,10: each with one message in flight
    --hot SUBS,INFLIGHT        1000,1: what the small room is beside
damso-bench slow               a tenth of the subscribers never reads
    --subscribers N            1000
damso-bench deflate            subscribers who agreed to permessage-deflate, and such who didn't
    --subscribers N            1000
    --bytes N                  256 and 1024; may be repeated
damso-bench tls                subscribers over wss; their copies are deciphered and checked too (needs openssl)
    --subscribers N            1000
damso-bench shards             --shards 1 beside 2, for readers that run free; nothing is pinned
    --shards N                 1 and 2; may be repeated
    --subscribers N            1000
damso-bench network            loopback, loopback at MTU 1500, and a pair of network namespaces (needs root)
    --subscribers N            1000
these seven also take
    --rounds N                 3, of --seconds S (3) each, after --warm-up S (1)
    --only NAME,NAME           of damso, damso-uring, damso-v1-memory, bun, floor
    --docs FILE                puts the table between the marks of its name in a document
    --faulty                   Bun, and a floor, lose and double messages: shows that the check finds it
    --damso FILE, --cores SERVER,GENERATOR, --wait spin|block

damso-bench storm              members who were away come back all at once, beside some who stayed
    --clients N                15000, who missed --missed N (50) messages
    --bystanders N             100
    --rounds N                 3
    --docs FILE, --damso FILE, --cores SERVER,GENERATOR

damso-bench half               durable messages at half the rate of the closed loop: how long an ack takes
    --senders N                1000
    --rounds N, --seconds S, --engine NAME, --damso FILE, --folder DIR as for store
";

/// The loads beside the table's.
pub fn loads(mut arguments: Arguments) -> Clean {
    let command = arguments.command.clone();
    let default_cores = || if command == "shards" { None } else { first_two_cores() };
    let cores = arguments.cores()?.unwrap_or_else(default_cores);
    let only: Option<String> = arguments.one("--only")?;
    let common = Common {
        plan: compare::Plan { rounds: arguments.one("--rounds")?.unwrap_or(3), cores },
        seconds: arguments.one("--seconds")?.unwrap_or(3.0),
        // Until the sockets of those who don't read are full.
        warm_up_seconds: arguments.one("--warm-up")?.unwrap_or(if command == "slow" {
            3.0
        } else {
            1.0
        }),
        wait: arguments.wait(cores)?,
        damso: arguments.one("--damso")?,
        faulty: arguments.flag("--faulty"),
        only: only.map_or(Vec::new(), |names| names.split(',').map(String::from).collect()),
    };
    let document: Option<PathBuf> = arguments.one("--docs")?;
    connect::raise_descriptor_limit();
    let subscribers = arguments.one("--subscribers")?.unwrap_or(1_000);
    let mut rates: Vec<f64> = arguments.all("--per-second")?;
    if rates.is_empty() {
        rates = vec![50.0, 300.0, 1_000.0];
    }
    let mut bytes: Vec<usize> = arguments.all("--bytes")?;
    if bytes.is_empty() {
        bytes = vec![256, 1_024];
    }
    let mut shards: Vec<usize> = arguments.all("--shards")?;
    if shards.is_empty() {
        shards = vec![1, 2];
    }
    let rooms = Rooms {
        few: pair(&mut arguments, "--few")?.unwrap_or([16, 1_000]),
        many: pair(&mut arguments, "--many")?.unwrap_or([1_000, 10]),
        hot: pair(&mut arguments, "--hot")?.unwrap_or([1_000, 1]),
    };
    arguments.done()?;
    pin_generator(cores)?;
    let result = match command.as_str() {
        "rate" => loads::rate(&common, &rates, subscribers),
        "rooms" => loads::rooms(&common, &rooms),
        "slow" => loads::slow(&common, subscribers),
        "tls" => loads::tls(&common, subscribers),
        "shards" => loads::shards(&common, subscribers, &shards),
        "network" => loads::network(&common, subscribers),
        _ => loads::deflate(&common, subscribers, &bytes),
    };
    publish(&command, document.as_deref(), result)
}

/// Prints what was measured, and puts it between its marks if there is a document.
fn publish(command: &str, document: Option<&Path>, measured: Measured) -> Clean {
    let (text, is_clean) = measured.map_err(Failure::Run)?;
    print!("{text}");
    if let Some(document) = document {
        docs::write(document, command, &text).map_err(Failure::Run)?;
    }
    Ok(is_clean)
}

pub fn storm(mut arguments: Arguments) -> Clean {
    let cores = arguments.cores()?.unwrap_or_else(first_two_cores);
    let document: Option<PathBuf> = arguments.one("--docs")?;
    let plan = storm::Plan {
        clients: arguments.one("--clients")?.unwrap_or(15_000),
        missed: arguments.one("--missed")?.unwrap_or(50),
        bystanders: arguments.one("--bystanders")?.unwrap_or(100),
        rounds: arguments.one("--rounds")?.unwrap_or(3),
        damso: arguments.one("--damso")?,
        cores,
    };
    arguments.done()?;
    connect::raise_descriptor_limit();
    pin_generator(cores)?;
    publish("storm", document.as_deref(), storm::run(&plan))
}

/// Two numbers that belong together.
fn pair(arguments: &mut Arguments, name: &str) -> Result<Option<[usize; 2]>, Failure> {
    let Some(text) = arguments.one::<String>(name)? else { return Ok(None) };
    let numbers = text.split_once(',').and_then(|(a, b)| Some([a.parse().ok()?, b.parse().ok()?]));
    numbers.map(Some).ok_or_else(|| Failure::Usage(format!("{name} {text}: expected N,N")))
}

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
    let is_half = arguments.command == "half";
    let mut senders: Vec<usize> = arguments.all("--senders")?;
    if senders.is_empty() {
        senders = if is_half { vec![1_000] } else { vec![1, 10, 100, 1_000] };
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
    let peers: &[durable::Peer] = if is_half { &durable::HALF } else { &durable::PEERS };
    durable::run(&plan, peers).map_err(Failure::Run)
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
