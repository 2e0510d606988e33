//! Users talk while the server is killed and the network lies; afterwards the log is read back and
//! compared with everything that anybody was told (PROTOCOL section 5, G1 to G5).

pub mod actor;
pub mod check;
pub mod crew;
pub mod full;
mod index;
pub mod power;
pub mod verbs;

use crate::proxy::Proxy;
use crate::random::Random;
use crate::server::{self, Folder, Server};
use actor::{Actor, TALKING};
use check::{Findings, Unanswered, Witness};
use crew::Crew;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub kills: usize,
    pub senders: usize,
    /// How many of them connect through the hostile proxy.
    pub through_proxy: usize,
    pub damso: Option<String>,
}

/// Which serve by turns.
const ENGINES: [&str; 3] = ["event", "threads", "uring"];
/// In one folder, so that all transcripts fit into memory.
const KILLS_A_ROUND: usize = 40;
/// The last ones in which no connection dies without a word: that is noticed only after 12 s, and
/// would be waited for.
const LOUD_KILLS: usize = 6;
/// Silence is noticed soon, so that a connection that died without a word costs seconds.
const SETTINGS: [&str; 2] = ["limits.ping_seconds=1", "limits.silent_seconds=4"];

/// Runs all rounds. Whether everything was as it should be.
pub fn run(plan: &Plan) -> Result<bool, String> {
    let mut left = plan.kills;
    let mut round = 0;
    let mut clean = true;
    while left > 0 {
        let kills = left.min(KILLS_A_ROUND);
        left -= kills;
        let begun = Instant::now();
        let seed = plan.seed.wrapping_add(round);
        println!(
            "chaos: seed {seed}, {kills} kills under {} senders, {} of them through a hostile proxy",
            plan.senders, plan.through_proxy
        );
        let folder = Folder::new("chaos")?;
        let outcome = one_round(&Plan { seed, kills, ..plan.clone() }, folder.path());
        let (findings, cuts) = match outcome {
            Ok(outcome) => outcome,
            Err(why) => {
                let kept = folder.keep();
                return Err(format!("{why} (seed {seed}; the log is in {})", kept.display()));
            }
        };
        println!(
            "chaos: seed {seed}: {kills} kills, {findings}, {cuts}, {:.1} s",
            begun.elapsed().as_secs_f64()
        );
        for words in &findings.words {
            println!("  {words}");
        }
        if !findings.is_clean() {
            println!("  the log is kept in {}", folder.keep().display());
            clean = false;
        }
        round += 1;
    }
    Ok(clean)
}

/// One folder, one set of users: what is wrong, and what the proxy did.
fn one_round(plan: &Plan, data: &Path) -> Result<(Findings, String), String> {
    let mut random = Random::part(plan.seed, 0);
    let mut server = Server::new(plan.damso.as_deref(), data, &mut random)?;
    server.settings.extend(SETTINGS.map(String::from));
    let proxy = Proxy::start(server.address, Random::part(plan.seed, 1))?;
    let actors = (0..plan.senders).map(|number| {
        let through = number < plan.through_proxy;
        let address = if through { proxy.address } else { server.address };
        crew::actor(number, address, Random::part(plan.seed, 1_000 + number as u64))
    });
    let crew = Crew::start(actors.collect())?;
    let mut running = server.start("event", None)?;
    crew.open(server.address)?;
    crew.phase(TALKING);
    let begun = Instant::now();
    for kill in 1..=plan.kills {
        if kill + LOUD_KILLS > plan.kills {
            proxy.loud();
        }
        let life = Duration::from_millis(random.between(250, 2_000));
        if server::wait_until(life, || running.ended().is_some() || crew.has_failed()) {
            let words = running.last_words();
            return Err(crew.failure(&format!("the server's last words: {words}")));
        }
        running.kill()?;
        thread::sleep(Duration::from_millis(random.between(0, 150)));
        running = server.start(ENGINES[kill % ENGINES.len()], None)?;
        if kill % 5 == 0 {
            println!(
                "  kill {kill} of {}: {} acked, {}, {:.0} s",
                plan.kills,
                crew.acked(),
                deeds(&proxy),
                begun.elapsed().as_secs_f64()
            );
        }
    }
    // The last one may talk for a while too.
    thread::sleep(Duration::from_millis(1_000));
    proxy.calm();
    let shared = crew.shared.clone();
    let actors = crew.quiet(|| false)?;
    if let Some(status) = running.ended() {
        return Err(format!("the server ended with {status}: {}", running.last_words()));
    }
    let code = running.stop();
    let mut findings = judge(data, &actors)?;
    findings.note_end(code);
    if let Some(why) = shared.failure.lock().ok().and_then(|failure| failure.clone()) {
        findings.note(why);
    }
    Ok((findings, deeds(&proxy)))
}

fn deeds(proxy: &Proxy) -> String {
    let deeds = &proxy.deeds;
    let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
    format!(
        "proxy: {} connections, {} cut, {} half-open, {} in crumbs, {} delayed",
        count(&deeds.connections),
        count(&deeds.cuts),
        count(&deeds.half_open),
        count(&deeds.crumbs),
        count(&deeds.delays)
    )
}

/// Compares the log in a folder with what the actors were told and see.
pub fn judge(data: &Path, actors: &[Actor]) -> Result<Findings, String> {
    let rooms = check::read(data)?;
    let witnesses: Vec<Witness> = actors.iter().filter_map(Witness::of).collect();
    Ok(check::check(&rooms, &witnesses, Unanswered::Fault))
}
