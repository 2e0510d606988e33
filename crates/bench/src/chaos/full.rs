//! The disk is full: nothing is acknowledged that isn't on it, what is there can be read, and when
//! there is room again it goes on without a restart.

use super::actor::TALKING;
use super::check::Findings;
use super::crew::{self, Crew};
use crate::disk::Disk;
use crate::member::{self, Member};
use crate::random::Random;
use crate::server::{self, Folder, Server};
use damso_client::{Client, Config, Notice};
use damso_protocol::RoomId;
use damso_protocol::v1::client::Anchor;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

const DISK_MIB: u64 = 64;
/// What is deleted when the disk is to have room again.
const BALLAST_MIB: usize = 36;
const SENDERS: usize = 40;
const PACE_MS: u64 = 40;
const TEXT_CHARS: usize = 7_000;
/// Until the disk is full.
const FILL_MAX: Duration = Duration::from_secs(60);
/// Nothing is acknowledged for so long: it is full.
const STANDSTILL: Duration = Duration::from_secs(3);
/// For a page, and until it goes on when there is room.
const ANSWER_MAX: Duration = Duration::from_secs(15);

/// Whether everything was as it should be.
pub fn run(seed: u64, damso: Option<&str>) -> Result<bool, String> {
    let folder = Folder::new("full")?;
    let disk = match Disk::image(folder.path(), DISK_MIB) {
        Ok(disk) => disk,
        Err(image) => match Disk::memory(folder.path(), DISK_MIB) {
            Ok(disk) => disk,
            Err(memory) => {
                println!("full: SKIPPED, nothing can be mounted here ({image}; {memory})");
                return Ok(true);
            }
        },
    };
    println!("full: seed {seed}, {SENDERS} senders on a disk of {DISK_MIB} MiB");
    let findings = fill(seed, &disk, damso)?;
    println!("full: {findings}");
    findings.words.iter().for_each(|words| println!("  {words}"));
    Ok(findings.is_clean())
}

fn fill(seed: u64, disk: &Disk, damso: Option<&str>) -> Result<Findings, String> {
    let mut random = Random::part(seed, 0);
    let ballast = disk.path().join("ballast");
    let data = disk.path().join("data");
    fs::write(&ballast, vec![1; BALLAST_MIB << 20]).map_err(|error| error.to_string())?;
    let server = Server::new(damso, &data, &mut random)?;
    let actors = (0..SENDERS).map(|number| {
        let mut actor =
            crew::actor(number, server.address, Random::part(seed, 1_000 + number as u64));
        (actor.pace, actor.chars) = (PACE_MS, TEXT_CHARS);
        actor
    });
    let crew = Crew::start(actors.collect())?;
    let mut running = server.start("event", None)?;
    crew.open(server.address)?;
    crew.phase(TALKING);

    let begun = Instant::now();
    let mut last = (0, begun);
    let full = server::wait_until(FILL_MAX, || {
        if crew.acked() != last.0 {
            last = (crew.acked(), Instant::now());
        }
        last.1.elapsed() > STANDSTILL || running.ended().is_some()
    });
    let paused = crew.shared.paused.load(Ordering::Relaxed);
    if let Some(status) = running.ended() {
        let words = running.last_words();
        return Err(format!("on a full disk the server ended with {status}: {words}"));
    }
    if !full || paused == 0 {
        return Err(format!("the disk doesn't get full: {} acked, {paused} told to wait", last.0));
    }
    println!(
        "  full after {:.1} s: {} acked, {paused} times told to wait",
        (last.1 - begun).as_secs_f64(),
        last.0
    );
    let read = read_back(server.address, &crew.key)?;
    println!("  while it is full, {read} messages of the lobby were read");

    fs::remove_file(&ballast).map_err(|error| format!("{}: {error}", ballast.display()))?;
    let freed = Instant::now();
    if !server::wait_until(ANSWER_MAX, || crew.acked() > last.0) {
        return Err(crew.failure("there is room again, and nothing goes on"));
    }
    println!("  goes on {:.1} s after there was room", freed.elapsed().as_secs_f64());
    let ended = |running: &mut crate::peer::Running| running.ended().map(|status| status.code());
    let actors = crew.quiet(|| false)?;
    if let Some(code) = ended(&mut running) {
        return Err(format!("the server ended with {code:?}: {}", running.last_words()));
    }
    let code = running.stop();
    let mut findings = super::judge(&data, &actors)?;
    findings.note_end(code);
    restarts(&server, &data, &mut findings)?;
    Ok(findings)
}

/// Another connection of somebody who is known opens the lobby and reads it to its beginning.
fn read_back(address: SocketAddr, key: &Arc<str>) -> Result<usize, String> {
    let config = Config { key: Some(key.clone()), ..Config::default() };
    let mut members = [Member::new(address, config, false, Random::new(1))];
    members[0].act(|client, now| client.open(RoomId::lobby(), now));
    let is_open = |client: &Client| {
        client.room(&RoomId::lobby()).is_some_and(damso_client::Room::is_caught_up)
    };
    wait(&mut members, "the lobby can't be opened on a full disk", is_open)?;
    for _ in 0..1_000 {
        let room = members[0].client().room(&RoomId::lobby());
        let room = room.ok_or("the lobby was closed")?;
        let low = room.timeline().ranges().first().map_or(0, |range| range.low);
        if low <= room.first().max(1) {
            return Ok(room.timeline().len());
        }
        members[0].act(|client, now| {
            client.history(&RoomId::lobby(), Anchor::Before(low), 100, now);
        });
        let is_lower = |client: &Client| {
            let room = client.room(&RoomId::lobby());
            room.and_then(|room| room.timeline().ranges().first())
                .is_some_and(|range| range.low < low)
        };
        wait(&mut members, "a page can't be read on a full disk", is_lower)?;
    }
    Err("the lobby has no beginning".into())
}

fn wait(
    members: &mut [Member; 1],
    what: &str,
    is_so: impl Fn(&Client) -> bool,
) -> Result<(), String> {
    let deadline = Instant::now() + ANSWER_MAX;
    let mut buffer = vec![0; 64 * 1024];
    while !is_so(members[0].client()) {
        if Instant::now() > deadline {
            return Err(format!("{what}: {:?}", members[0].client().link()));
        }
        member::step(members, &mut buffer, Instant::now() + Duration::from_millis(50))?;
        for notice in members[0].notices() {
            if let Notice::PageRefused { .. } | Notice::OpenRefused { .. } = notice {
                return Err(format!("{what}: {notice:?}"));
            }
        }
    }
    Ok(())
}

fn restarts(server: &Server, data: &Path, findings: &mut Findings) -> Result<(), String> {
    let events = findings.events;
    findings.note_end(server.start("threads", None)?.stop());
    let rooms = super::check::read(data)?;
    let after: u64 = rooms.values().map(|room| room.events.len() as u64).sum();
    if after != events {
        findings.note(format!("after a restart there are {after} events, not {events}"));
    }
    Ok(())
}
