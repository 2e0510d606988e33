//! A store with many messages in one room: how soon the server serves it, what memory that takes,
//! and how long a page takes at any depth.

use crate::load::{Rooms, Senders, TEXT};
use crate::random::Random;
use crate::report::significant;
use crate::server::{Folder, Server};
use crate::table::thousands;
use crate::usage::{self, Machine};
use damso_chat::{Author, Command, Entry, Role};
use damso_protocol::{Nonce, RoomId, UserId};
use damso_store::{self as store, Log, Sqlite};
use std::path::Path;
use std::time::{Duration, Instant};

pub struct Plan {
    pub messages: u64,
    pub seconds: f64,
    pub readers: Vec<usize>,
    pub damso: Option<String>,
}

const BATCH: u64 = 4_096;
const AUTHORS: u64 = 200;
const PAGE: u32 = 50;
/// Of one reader's pages.
const PAGE_MAX_MS: f64 = 5.0;
const MEMORY_MAX_MIB: f64 = 100.0;
const START_MAX: Duration = Duration::from_secs(2);

/// Prints the figures. Whether they are within what is promised.
pub fn run(plan: &Plan) -> Result<bool, String> {
    let folder = Folder::new("history")?;
    let data = folder.path().join("data");
    let begun = Instant::now();
    fill(&data, plan.messages)?;
    let rate = plan.messages as f64 / begun.elapsed().as_secs_f64();
    let mut random = Random::new(crate::random::seed());
    let server = Server::new(plan.damso.as_deref(), &data, &mut random)?;
    // Once, so that the file beside the database is empty as after a stop.
    if server.start("event", None)?.stop() != Some(0) {
        return Err("the server didn't stop well".into());
    }
    let begun = Instant::now();
    let running = server.start("event", None)?;
    let mut readers = Senders::open(server.address, 1, Rooms::One, "first")?;
    let start = begun.elapsed();
    let mib = |pid| usage::resident_kib(&[pid]) as f64 / 1024.0;
    let at_start = mib(running.process());

    let Machine { cpu, cores, kernel, .. } = Machine::read();
    println!(
        "{cpu}, {cores} cores, Linux {kernel}; {} messages in one room, stored at {} a second in \
         batches of {BATCH}.\n",
        thousands(plan.messages),
        thousands(rate as u64)
    );
    println!("| readers | pages/s | page of {PAGE} at a random depth, p50, p99 | server memory |");
    println!("|--:|--:|--:|--:|");
    let mut clean = start < START_MAX;
    for &count in &plan.readers {
        readers = if count == 1 {
            readers
        } else {
            Senders::open(server.address, count, Rooms::One, &format!("of {count}"))?
        };
        let time = Duration::from_secs_f64(plan.seconds);
        let rate = readers.run(Duration::from_millis(200), time, None, |_, room, id| {
            let before = random.between(2, plan.messages + 2);
            let id = id + 2;
            format!(
                r#"{{"t":"history","id":{id},"room":"{room}","before":{before},"limit":{PAGE}}}"#
            )
        })?;
        let ms = |share| rate.latency.quantile(share) as f64 / 1e6;
        let memory = mib(running.process());
        println!(
            "| {count} | {} | {}, {} ms | {memory:.0} MiB |",
            thousands(rate.per_second() as u64),
            significant(ms(0.5)),
            significant(ms(0.99)),
        );
        clean &= memory < MEMORY_MAX_MIB && (count > 1 || ms(0.99) < PAGE_MAX_MS);
    }
    println!(
        "\nFrom starting the server to its first `welcome`: {:.0} ms, then {at_start:.0} MiB.",
        1e3 * start.as_secs_f64()
    );
    drop(readers);
    clean &= running.stop() == Some(0);
    Ok(clean)
}

/// Writes messages as the server's log would have.
fn fill(data: &Path, messages: u64) -> Result<(), String> {
    let held = store::Folder::hold(data).map_err(|error| error.to_string())?;
    let mut log = Sqlite::open(held).map_err(|error| error.to_string())?;
    let mut number = 0;
    while number < messages {
        let end = messages.min(number + BATCH);
        let entries = (number..end).map(entry).collect();
        let outcomes = log.append(entries, 1_700_000_000_000 + number);
        let outcomes = outcomes.map_err(|fatal| fatal.to_string())?;
        if let Some(Err(refusal)) = outcomes.iter().find(|outcome| outcome.is_err()) {
            return Err(format!("the store refuses: {refusal:?}"));
        }
        number = end;
    }
    Ok(())
}

fn entry(number: u64) -> Entry {
    let who = number % AUTHORS;
    let author = Author {
        user: UserId::new(format!("author-{who}")),
        name: format!("author {who}").into(),
        role: Role::Guest,
        address: None,
    };
    // Scattered, as random ones are.
    let nonce = Some(Nonce::new(format!("{:032x}", Random::new(number).next())));
    let text = format!("{number} {TEXT}").into();
    Entry { author, command: Command::Send { room: RoomId::lobby(), nonce, text, reply: None } }
}
