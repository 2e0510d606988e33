//! Backup, restore and migration are killed at any moment. No folder is left that doesn't open, and
//! no file that looks like a backup and isn't; and a backup made while everybody talks has all that
//! anybody was told before it began.

use super::actor::TALKING;
use super::check::{self, RoomLog};
use super::crew::{self, Crew};
use crate::peer::Peer;
use crate::random::Random;
use crate::server::{self, Folder, Server};
use damso_chat::Event;
use damso_protocol::RoomId;
use damso_store::{Reader, Sqlite, Verified, restore};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

const SENDERS: usize = 200;
/// Up to so many ms between what one of them says.
const PACE_MS: u64 = 200;
/// So much is acknowledged before anything is killed, so that there is something to copy.
const ACKED: u64 = 15_000;
const TALK_MAX: Duration = Duration::from_secs(90);

/// What is known of a log by its last `seq`s.
type Heads = BTreeMap<RoomId, u64>;

/// Kills each of them so many times. Whether everything was as it should be.
pub fn run(seed: u64, kills: usize, damso: Option<&str>) -> Result<bool, String> {
    let mut random = Random::part(seed, 3);
    let folder = Folder::new("verbs")?;
    println!("verbs: seed {seed}, {kills} kills each of backup, restore, migration and index");
    match all(seed, kills, damso, folder.path(), &mut random) {
        Ok(()) => Ok(true),
        Err(why) => {
            let kept = folder.keep();
            println!("  {why}; everything is in {}", kept.display());
            Ok(false)
        }
    }
}

fn all(
    seed: u64,
    kills: usize,
    damso: Option<&str>,
    folder: &Path,
    random: &mut Random,
) -> Result<(), String> {
    let peer = Peer::damso(damso)?;
    let (data, file) = (folder.join("data"), folder.join("chat.backup"));
    let server = Server::new(damso, &data, random)?;
    let actors = (0..SENDERS).map(|number| {
        let random = Random::part(seed, 1_000 + number as u64);
        let mut actor = crew::actor(number, server.address, random);
        actor.pace = PACE_MS;
        actor
    });
    let crew = Crew::start(actors.collect())?;
    let mut running = server.start("event", None)?;
    crew.open(server.address)?;
    crew.phase(TALKING);
    server::wait_until(TALK_MAX, || crew.acked() >= ACKED || crew.has_failed());

    let told: Heads = crew.shared.heads.lock().map_err(|_| "a crew's thread panicked")?.clone();
    let (acked, begun, wal) = (crew.acked(), Instant::now(), wal_bytes(&data));
    let backup = |file: &Path| verb(&peer, "backup", Some(file), &data);
    backup(&file)?.ends_well()?;
    let took = begun.elapsed();
    println!(
        "  a backup of {:.1} MiB under {SENDERS} senders took {:.2} s; {acked} were acked before, \
         {} meanwhile; the WAL went from {:.1} to {:.1} MiB",
        mib(length(&file)),
        took.as_secs_f64(),
        crew.acked() - acked,
        mib(wal),
        mib(wal_bytes(&data)),
    );
    let actors = crew.quiet(|| false)?;
    let begun = Instant::now();
    backup(&folder.join("quiet.backup"))?.ends_well()?;
    let took = begun.elapsed();
    let mut whole = 0;
    for kill in 1..=kills {
        let file = folder.join("killed.backup");
        let _ = fs::remove_file(&file);
        backup(&file)?.killed_after(at_any_time(random, took))?;
        if file.exists() {
            whole += 1;
            let other = folder.join("killed");
            restore(&file, &other, &mut |_| {}).map_err(|error| format!("{kill}: {error}"))?;
            fs::remove_dir_all(&other).map_err(|error| error.to_string())?;
        }
        let reader = Reader::open(&data).map_err(|error| error.to_string())?;
        reader.verify(&mut |_| {}).map_err(|error| format!("backup, kill {kill}: {error}"))?;
    }
    println!("  backup: {kills} kills, {whole} of them after it was done");
    // What a killed one left is in nobody's way.
    let _ = fs::remove_file(folder.join("killed.backup"));
    backup(&folder.join("killed.backup"))?.ends_well()?;

    if running.ended().is_some() {
        return Err(format!("the server's last words: {}", running.last_words()));
    }
    running.stop();
    let findings = super::judge(&data, &actors)?;
    println!("  afterwards: {findings}");
    if !findings.is_clean() {
        return Err(findings.words.join("; "));
    }
    let restored = folder.join("restored");
    let made = restore(&file, &restored, &mut |_| {}).map_err(|error| error.to_string())?;
    compare(&told, &check::read(&restored)?, &check::read(&data)?)?;

    restores(kills, &peer, folder, &file, &made.verified, random)?;
    migrations(kills, damso, folder, &file, &made.verified, random)?;
    super::index::kills(kills, damso, &restored, random)
}

/// Whether what was restored has all that anybody had been told, and is how the other log began.
fn compare(
    told: &Heads,
    restored: &BTreeMap<RoomId, RoomLog>,
    whole: &BTreeMap<RoomId, RoomLog>,
) -> Result<(), String> {
    let mut events = 0;
    for (room, head) in told {
        let there = restored.get(room).map_or(&[][..], |log| &log.events);
        if (there.len() as u64) < *head {
            return Err(format!(
                "{room}: {head} was told before, the backup ends at {}",
                there.len()
            ));
        }
        let before = whole.get(room).map_or(&[][..], |log| &log.events);
        let same = there.iter().zip(before).take_while(|(one, other)| is_same(one, other));
        if same.count() != there.len() {
            return Err(format!("{room}: the backup isn't how the log began"));
        }
        events += there.len();
    }
    println!("  the backup: {events} events, nothing of what was acked before it is missing");
    Ok(())
}

/// But for a text that was deleted since.
fn is_same(one: &Event, other: &Event) -> bool {
    let name = |event: &Event| match event {
        Event::Message(message) => message.nonce.clone(),
        Event::Changed(change) => Some(change.nonce.clone()),
        _ => None,
    };
    (one.place(), one.at(), name(one)) == (other.place(), other.at(), name(other))
}

fn restores(
    kills: usize,
    peer: &Peer,
    folder: &Path,
    file: &Path,
    expected: &Verified,
    random: &mut Random,
) -> Result<(), String> {
    let target = folder.join("again");
    let begun = Instant::now();
    verb(peer, "restore", Some(file), &target)?.ends_well()?;
    let took = begun.elapsed();
    let mut whole = 0;
    for kill in 1..=kills {
        let failed = |why: String| format!("restore, kill {kill}: {why}");
        let _ = fs::remove_dir_all(&target);
        verb(peer, "restore", Some(file), &target)?.killed_after(at_any_time(random, took))?;
        let is_whole = target.join("damso.db").exists();
        whole += usize::from(is_whole);
        if !is_whole && kill % 2 == 0 {
            // Once more, into what is left of it.
            restore(file, &target, &mut |_| {}).map_err(|error| failed(error.to_string()))?;
        }
        let verified = open(&target).map_err(failed)?;
        if (is_whole || kill % 2 == 0) && verified != *expected {
            return Err(failed(format!("{verified:?} is there, {expected:?} was in the backup")));
        }
        if !is_whole && kill % 2 == 1 && verified.events > 0 {
            return Err(failed(format!("half of it is there: {verified:?}")));
        }
    }
    println!(
        "  restore: {kills} kills, {whole} of them after it was done ({:.2} s)",
        took.as_secs_f64()
    );
    Ok(())
}

fn migrations(
    kills: usize,
    damso: Option<&str>,
    folder: &Path,
    file: &Path,
    expected: &Verified,
    random: &mut Random,
) -> Result<(), String> {
    // What format 1 didn't have.
    let old = folder.join("format-1.db");
    fs::copy(file, &old).map_err(|error| error.to_string())?;
    let older = rusqlite::Connection::open(&old)
        .and_then(|database| database.execute_batch("DROP TABLE hook; PRAGMA user_version = 1"));
    older.map_err(|error| error.to_string())?;
    let target = folder.join("older");
    let begin = || {
        let _ = fs::remove_dir_all(&target);
        fs::create_dir(&target)
            .and_then(|()| fs::copy(&old, target.join("damso.db")))
            .map_err(|error| error.to_string())
    };
    begin()?;
    let server = Server::new(damso, &target, random)?;
    let begun = Instant::now();
    server.start("event", None)?.kill()?;
    let took = begun.elapsed();
    let (mut untouched, mut whole) = (0, 0);
    for kill in 1..=kills {
        let failed = |why: String| format!("migration, kill {kill}: {why}");
        begin()?;
        let server = server.process()?;
        Verb(server).killed_after(at_any_time(random, took))?;
        let format = rusqlite::Connection::open(target.join("damso.db")).and_then(|database| {
            database.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))
        });
        match format.map_err(|error| failed(error.to_string()))? {
            1 => untouched += 1,
            _ => whole += 1,
        }
        let verified = open(&target).map_err(failed)?;
        if verified != *expected {
            return Err(failed(format!("{verified:?} is there, {expected:?} was before")));
        }
        // The copy is there whichever start made it, and is what was there before.
        let copy = rusqlite::Connection::open(target.join("damso.db.format-1")).and_then(|copy| {
            let word = copy.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
            let format = copy.pragma_query_value(None, "user_version", |row| row.get(0))?;
            Ok::<(String, i64), rusqlite::Error>((word, format))
        });
        if copy.as_ref().map(|(word, format)| (word.as_str(), *format)) != Ok(("ok", 1)) {
            return Err(failed(format!("its copy: {copy:?}")));
        }
    }
    println!(
        "  migration: {kills} kills, {untouched} of them before and {whole} after it was done \
         ({:.2} s with the start)",
        took.as_secs_f64()
    );
    Ok(())
}

/// What a start finds in a folder.
fn open(folder: &Path) -> Result<Verified, String> {
    let log = damso_store::Folder::hold(folder).and_then(Sqlite::open);
    let log = log.map_err(|error| error.to_string())?;
    log.verify().map_err(|error| error.to_string())
}

/// Somewhere within, and sometimes after it is done.
pub(super) fn at_any_time(random: &mut Random, took: Duration) -> Duration {
    Duration::from_micros(random.between(0, took.as_micros() as u64 * 11 / 10))
}

/// A program at work.
pub(super) struct Verb(pub(super) std::process::Child);

fn verb(peer: &Peer, name: &str, file: Option<&Path>, data: &Path) -> Result<Verb, String> {
    let mut command = peer.command();
    command.arg(name).args(file).arg("--data").arg(data);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    Ok(Verb(command.spawn().map_err(|error| format!("{name}: {error}"))?))
}

impl Verb {
    fn ends_well(self) -> Result<(), String> {
        let output = self.0.wait_with_output().map_err(|error| error.to_string())?;
        if output.status.success() {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }

    pub(super) fn killed_after(mut self, life: Duration) -> Result<(), String> {
        thread::sleep(life);
        self.0.kill().and_then(|()| self.0.wait()).map_err(|error| error.to_string())?;
        Ok(())
    }
}

fn length(file: &Path) -> u64 {
    fs::metadata(file).map_or(0, |file| file.len())
}

fn wal_bytes(data: &Path) -> u64 {
    length(&data.join("damso.db-wal"))
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / (1 << 20) as f64
}
