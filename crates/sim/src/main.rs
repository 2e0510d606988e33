//! Runs seeds: one that is printed, or many on all cores. See `cargo xtask sim`.

use damso_sim::{Counts, Failure, Report, Rule, run};
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::ops::Range;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

const USAGE: &str = "usage: damso-sim [--seed N | --seeds A..B] [--write-test]";

/// How many seeds are run if nothing is said.
const SEEDS: Range<u64> = 0..2_000;

/// So many failing seeds end a run.
const FAILURES_MAX: usize = 20;

/// Seeds that failed once, a line each, which the crate's tests run.
const REGRESSIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/seeds.txt");

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (mut seed, mut seeds, mut writes) = (None, SEEDS, false);
    while let Some(arg) = args.next() {
        let read = match arg.as_str() {
            "--seed" => args.next().and_then(|seed| seed.parse().ok()).map(|one| seed = Some(one)),
            "--seeds" => args.next().and_then(|range| range_of(&range)).map(|range| seeds = range),
            "--write-test" => {
                writes = true;
                Some(())
            }
            _ => None,
        };
        if read.is_none() {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    }
    let failures = match seed {
        Some(seed) => run_one(seed),
        None => run_many(seeds),
    };
    if writes && let Err(error) = write_tests(&failures) {
        eprintln!("{REGRESSIONS} can't be written: {error}");
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn range_of(text: &str) -> Option<Range<u64>> {
    let (from, to) = text.split_once("..")?;
    Some(from.parse().ok()?..to.parse().ok()?)
}

/// Prints what happens under one seed.
fn run_one(seed: u64) -> Vec<(u64, Failure)> {
    let report = run(seed, true);
    for line in &report.trace {
        println!("{line}");
    }
    println!("{}", describe(&report.counts));
    report.failure.map(|failure| (seed, failure)).into_iter().collect()
}

/// Runs many seeds, on as many threads as there are cores. Each world is one thread's own.
#[allow(clippy::disallowed_methods)] // How long it took is the machine's time.
fn run_many(seeds: Range<u64>) -> Vec<(u64, Failure)> {
    let started = Instant::now();
    let next = AtomicU64::new(seeds.start);
    let sums = Mutex::new((Counts::default(), 0_u64, Vec::<(u64, Failure)>::new()));
    let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    // A panic is a finding, and is told with its seed.
    std::panic::set_hook(Box::new(|_| {}));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let Report { failure, counts, .. } = run(seed, false);
                    // No thread panics with the lock.
                    let Ok(mut sums) = sums.lock() else { return };
                    sums.0 += counts;
                    sums.1 += 1;
                    sums.2.extend(failure.map(|failure| (seed, failure)));
                    if sums.2.len() >= FAILURES_MAX {
                        return;
                    }
                }
            });
        }
    });
    let Ok((counts, ran, mut failures)) = sums.into_inner() else { return Vec::new() };
    failures.sort_by_key(|(seed, _)| *seed);
    let seconds = started.elapsed().as_secs_f64();
    println!("{ran} seeds in {seconds:.1} s: {}", describe(&counts));
    let mut by_rule: BTreeMap<Rule, u64> = BTreeMap::new();
    for (seed, failure) in &failures {
        *by_rule.entry(failure.rule).or_default() += 1;
        let what: String = failure.what.chars().take(300).collect();
        println!("\nseed {seed}: {:?}: {what}\n  cargo xtask sim --seed {seed}", failure.rule);
    }
    if !failures.is_empty() {
        println!("\n{} seeds failed: {by_rule:?}", failures.len());
    }
    failures
}

fn describe(counts: &Counts) -> String {
    format!(
        "{} steps, {} events in the logs, {} frames heard, {} events fed from the log, \
         {} connections, {} starts",
        counts.steps, counts.events, counts.heard, counts.fed, counts.connections, counts.starts
    )
}

/// Writes failing seeds out, so that the crate's tests run them.
fn write_tests(failures: &[(u64, Failure)]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(REGRESSIONS)?;
    for (seed, failure) in failures {
        let what: String = failure.what.chars().take(80).collect();
        writeln!(file, "{seed} # {:?}: {}", failure.rule, what.replace('\n', " "))?;
    }
    Ok(())
}
