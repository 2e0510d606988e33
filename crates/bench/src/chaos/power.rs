//! The power fails: what a file system hadn't sent to its device yet is gone. What was acknowledged
//! has to be there nevertheless; and with less than `synchronous=FULL` it isn't, which shows that
//! this test could find it.
//!
//! With the power the machine goes too, so nobody hears an acknowledgement after it. In this
//! imitation the kernel lives on, and an fsync that is under way while the file system is shut down
//! can say that all is well (seen with ext4 of Linux 6.18: 1 of 120 cuts). So what counts is what
//! was heard before the cut is begun.

use super::ENGINES;
use super::actor::TALKING;
use super::check::{self, Findings, Unanswered, Witness};
use super::crew::{self, Crew};
use crate::disk::Disk;
use crate::random::Random;
use crate::server::{self, Folder, Server};
use damso_chat::{Author, Command, Entry, Event, Role};
use damso_protocol::{Nonce, RoomId, UserId};
use damso_store::{self as store, Durability, Log, Options, Reader, Rows, Sqlite};
use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

const IMAGE_MIB: u64 = 96;
const SENDERS: usize = 60;
/// Up to so many ms between what one of them says.
const PACE_MS: u64 = 60;
/// In one batch of a loop that drives the store itself.
const BATCH: u64 = 20;
/// Among so many, NORMAL has to lose something.
const TEETH_CUTS: usize = 10;

/// Cuts the power so many times under a server, and as often under the store alone with each
/// durability. Whether everything was as it should be.
pub fn run(seed: u64, cuts: usize, damso: Option<&str>) -> Result<bool, String> {
    let mut random = Random::part(seed, 2);
    let folder = Folder::new("power")?;
    if let Err(why) = Disk::image(folder.path(), IMAGE_MIB) {
        println!("power: SKIPPED, an image can't be mounted here ({why})");
        return Ok(true);
    }
    println!("power: seed {seed}, {cuts} cuts of an ext4 image of {IMAGE_MIB} MiB each");
    let mut clean = true;
    let (mut acked, mut lost) = (0, 0);
    for cut in 1..=cuts {
        let findings = under_server(seed.wrapping_add(cut as u64), folder.path(), damso)?;
        println!("  cut {cut} of {cuts}, the server: {findings}");
        findings.words.iter().for_each(|words| println!("    {words}"));
        clean &= findings.is_clean();
        acked += findings.acked;
        lost += findings.lost;
    }
    println!("power: the server, {cuts} cuts: {acked} acked, {lost} lost");
    for durability in [Durability::Full, Durability::Normal] {
        let (mut acked, mut lost, mut losing) = (0, 0, 0);
        let mut done = 0;
        // A cut that falls into a checkpoint finds everything on the device also with NORMAL.
        while done < cuts || durability == Durability::Normal && losing == 0 && done < TEETH_CUTS {
            done += 1;
            let life = Duration::from_millis(random.between(200, 1_500));
            let (told, missing) = under_store(folder.path(), durability, life)?;
            acked += told;
            lost += missing;
            losing += u64::from(missing > 0);
        }
        println!(
            "power: the store alone, {durability:?}, {done} cuts: {acked} acked, {lost} lost, in \
             {losing} of the cuts"
        );
        let is_right = match durability {
            Durability::Full => lost == 0,
            Durability::Normal => losing > 0,
        };
        if !is_right {
            println!("  that isn't as it should be: FULL loses nothing, and NORMAL has to lose");
            clean = false;
        }
    }
    Ok(clean)
}

fn under_server(seed: u64, folder: &Path, damso: Option<&str>) -> Result<Findings, String> {
    let mut random = Random::part(seed, 0);
    let mut disk = Disk::image(folder, IMAGE_MIB)?;
    let data = disk.path().join("data");
    let server = Server::new(damso, &data, &mut random)?;
    let actors = (0..SENDERS).map(|number| {
        let mut actor =
            crew::actor(number, server.address, Random::part(seed, 1_000 + number as u64));
        actor.pace = PACE_MS;
        actor
    });
    let crew = Crew::start(actors.collect())?;
    let engine = ENGINES[(seed % ENGINES.len() as u64) as usize];
    let mut running = server.start(engine, None)?;
    crew.open(server.address)?;
    crew.phase(TALKING);
    let life = Duration::from_millis(random.between(300, 2_500));
    if server::wait_until(life, || running.ended().is_some() || crew.has_failed()) {
        return Err(crew.failure(&format!("the server's last words: {}", running.last_words())));
    }
    crew.lights_out()?;
    disk.cut_power()?;
    // A server whose disk fails ends by itself.
    server::wait_until(Duration::from_millis(200), || running.ended().is_some());
    if running.ended().is_none() {
        running.kill()?;
    }
    let actors = crew.over()?;
    disk.power_on()?;
    let rooms = check::read(&data)?;
    let witnesses = actors.iter().filter_map(Witness::of);
    // Transcripts end where the power did.
    let witnesses = witnesses.map(|witness| Witness { sees: Vec::new(), ..witness });
    let mut findings = check::check(&rooms, &witnesses.collect::<Vec<_>>(), Unanswered::Fine);
    for actor in &actors {
        for (room, last) in actor.seen.iter().flatten() {
            let head = rooms.get(room).map_or(0, |log| log.events.len() as u64);
            if *last > head {
                let number = actor.number;
                findings.note(format!("user {number} saw {last} of {room}, which ends at {head}"));
            }
        }
    }
    Ok(findings)
}

/// A loop of batches on an image of its own, cut off after `life`: how many entries were
/// acknowledged, and how many of those are gone.
fn under_store(
    folder: &Path,
    durability: Durability,
    life: Duration,
) -> Result<(u64, u64), String> {
    let mut disk = Disk::image(folder, IMAGE_MIB)?;
    let data = disk.path().join("data");
    let held = store::Folder::hold(&data).map_err(|error| error.to_string())?;
    let options = Options { durability };
    let mut log = Sqlite::open_with(held, &options).map_err(|error| error.to_string())?;
    // The folder's own entries are older than this run, as they would be.
    sync(&data)?;
    sync(disk.path())?;
    let told = Arc::new(AtomicU64::new(0));
    let tell = told.clone();
    let writer = thread::spawn(move || {
        let mut acked = 0;
        // Ends with the first write that fails.
        while let Ok(outcomes) = log.append(batch(acked), 1) {
            let taken = outcomes.iter().take_while(|outcome| outcome.is_ok()).count();
            acked += taken as u64;
            tell.store(acked, Ordering::SeqCst);
            if taken < outcomes.len() {
                break;
            }
        }
    });
    thread::sleep(life);
    let acked = told.load(Ordering::SeqCst);
    disk.cut_power()?;
    writer.join().map_err(|_| "the writer panicked")?;
    disk.power_on()?;
    let there = nonces(&data)?;
    let lost = (0..acked).filter(|number| !there.contains(&nonce(*number))).count();
    Ok((acked, lost as u64))
}

fn sync(folder: &Path) -> Result<(), String> {
    let synced = fs::File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| format!("{}: {error}", folder.display()))
}

fn nonce(number: u64) -> Nonce {
    Nonce::new(format!("n{number}"))
}

fn batch(first: u64) -> Vec<Entry> {
    let author = Author {
        user: UserId::new("writer"),
        name: "writer".into(),
        role: Role::Guest,
        address: None,
    };
    let entry = |number| {
        let text: Arc<str> = format!("{number} 안녕하세요, this is what people write").into();
        let room = RoomId::lobby();
        let command = Command::Send { room, nonce: Some(nonce(number)), text, reply: None };
        Entry { author: author.clone(), command }
    };
    (first..first + BATCH).map(entry).collect()
}

/// What is in the lobby of a log that nobody holds.
fn nonces(data: &Path) -> Result<HashSet<Nonce>, String> {
    let held = store::Folder::hold(data).map_err(|error| error.to_string())?;
    let log = Sqlite::open(held).map_err(|error| error.to_string())?;
    log.verify().map_err(|error| error.to_string())?;
    let reader = Reader::open(data).map_err(|error| error.to_string())?;
    let (mut there, mut after) = (HashSet::new(), 0);
    loop {
        let events = reader.events(&RoomId::lobby(), after, u64::MAX);
        let events = events.map_err(|error| error.to_string())?;
        let Some((_, last)) = events.last().and_then(Event::place) else { return Ok(there) };
        after = last;
        there.extend(events.into_iter().filter_map(|event| match event {
            Event::Message(message) => message.nonce,
            _ => None,
        }));
    }
}
