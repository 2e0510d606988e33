//! Who was away for long, and who doesn't read for a while: both end where the others are, and cost
//! no more than what they missed.

use crate::chaos::actor::{Actor, TALKING};
use crate::chaos::check::{self, RoomLog};
use crate::chaos::crew::{self, Crew};
use crate::member::{self, Member};
use crate::random::Random;
use crate::report::significant;
use crate::server::{Folder, Server};
use crate::table::thousands;
use crate::usage;
use damso_client::{Client, Config, Room};
use damso_protocol::RoomId;
use damso_protocol::v1::client::Anchor;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

pub struct Plan {
    pub seed: u64,
    /// How many events one who was away has missed.
    pub missed: u64,
    /// How long one doesn't read.
    pub deaf: Duration,
    pub damso: Option<String>,
}

const TALKERS: usize = 20;
/// Held before somebody leaves, so that it is changed meanwhile.
const BEFORE: u64 = 1_000;
/// What a reconnection says beside the events: handshake, `welcome`, `ok`.
const GREETING_BYTES: u64 = 8 * 1024;
const CATCH_UP_MAX: Duration = Duration::from_secs(60);
/// The ring of recent events is this small here, so that who is behind is soon behind it.
const FEED_BYTES: usize = 4 << 20;
/// What the server's memory may grow while somebody doesn't read.
const GROWTH_MAX_MIB: f64 = 8.0;

/// Whether everything was as it should be.
pub fn run(plan: &Plan) -> Result<bool, String> {
    println!("resume: seed {}", plan.seed);
    Ok(away(plan)? & deaf(plan)?)
}

/// A laptop that was closed, beside one that wasn't.
fn away(plan: &Plan) -> Result<bool, String> {
    let folder = Folder::new("away")?;
    let mut random = Random::part(plan.seed, 0);
    let data = folder.path().join("data");
    let server = Server::new(plan.damso.as_deref(), &data, &mut random)?;
    let mut running = server.start("event", None)?;
    let crew = talkers(plan.seed, server.address, |actor| actor.pace = 12)?;
    crew.open(server.address)?;
    crew.phase(TALKING);
    let mut watch = [reader(server.address, "stays", 3), reader(server.address, "leaves", 4)];
    let has = |client: &Client, seq| lobby(client).is_some_and(|room| room.last() >= Some(seq));
    until(&mut watch, |all| has(all[0].client(), BEFORE), "the first messages don't come")?;
    until(&mut watch, |all| all.iter_mut().all(whole), "history can't be loaded")?;
    let [mut stays, leaves] = watch;
    let left_at = last(&leaves);
    let heard_by_then = stays.received;

    // Its connection is gone and it gets no time; what it holds it keeps.
    let mut leaves = leaves;
    leaves.cut();
    let goal = left_at + plan.missed;
    let mut one = [stays];
    until(&mut one, |all| has(all[0].client(), goal), "the talk ends early")?;
    let actors = crew.quiet(|| false)?;
    let head = actors.iter().filter_map(|actor| lobby(actor.member.client())?.last()).max();
    let head = head.unwrap_or_default();
    until(&mut one, |all| has(all[0].client(), head), "who stayed isn't where the log is")?;
    [stays] = one;
    let difference = stays.received - heard_by_then;

    let before = leaves.received;
    let begun = Instant::now();
    leaves.act(|client, now| client.online(now));
    let mut one = [leaves];
    until(&mut one, |all| has(all[0].client(), head), "who left isn't where the log is")?;
    [leaves] = one;
    let (took, bytes) = (begun.elapsed(), leaves.received - before);
    if let Some(status) = running.ended() {
        return Err(format!("the server ended with {status}: {}", running.last_words()));
    }
    running.stop();
    let rooms = check::read(&data)?;
    let log = rooms.get(&RoomId::lobby()).ok_or("there is no lobby")?;
    let changed = changes(log, left_at);
    println!(
        "away: {} events missed, {changed} of them changes of what it held; there after {} ms with \
         {} KiB; who stayed got {} KiB for them",
        thousands(head - left_at),
        significant(1e3 * took.as_secs_f64()),
        thousands(bytes / 1024),
        thousands(difference / 1024)
    );
    let mut clean = changed > 0;
    for (name, member) in [("who stayed", &stays), ("who left", &leaves)] {
        let room = lobby(member.client()).ok_or("the lobby was closed")?;
        if let Err(why) = check::same(room.timeline(), log) {
            println!("  {name} sees something else than the log: {why}");
            clean = false;
        }
    }
    if bytes > difference + GREETING_BYTES {
        println!("  more than the difference crossed the wire");
        clean = false;
    }
    Ok(clean)
}

/// How many of the events after `seq` change a message that was there before.
fn changes(log: &RoomLog, seq: u64) -> usize {
    let is_change = |event: &&damso_chat::Event| matches!(event, damso_chat::Event::Changed(change) if change.seq > seq && change.m <= seq);
    log.events.iter().filter(is_change).count()
}

/// A client that stops reading under load and goes on.
fn deaf(plan: &Plan) -> Result<bool, String> {
    let folder = Folder::new("deaf")?;
    let mut random = Random::part(plan.seed, 1);
    let data = folder.path().join("data");
    let mut server = Server::new(plan.damso.as_deref(), &data, &mut random)?;
    server.settings.push(format!("limits.feed_bytes={FEED_BYTES}"));
    let mut running = server.start("event", None)?;
    let crew = talkers(plan.seed, server.address, |actor| {
        actor.pace = 60;
        actor.chars = 1_500;
    })?;
    crew.open(server.address)?;
    crew.phase(TALKING);
    let mib = |pid| usage::resident_kib(&[pid]) as f64 / 1024.0;
    let pid = running.process();
    let mut one = [reader(server.address, "deaf", 5)];
    // Until the ring is full and everything has its size.
    let warm = Instant::now() + Duration::from_secs(8);
    until(&mut one, |_| Instant::now() > warm, "")?;
    let (before, from) = (mib(pid), last(&one[0]));
    let bytes = one[0].received;
    one[0].deaf = true;
    let mut most = before;
    let end = Instant::now() + plan.deaf;
    until(
        &mut one,
        |_| {
            most = most.max(mib(pid));
            Instant::now() > end
        },
        "",
    )?;
    let missed_from = last(&one[0]);
    one[0].deaf = false;
    let heard = Instant::now();
    // The others go on talking: it catches up with them nevertheless.
    let near = |all: &mut [Member]| {
        let (last, head) = (last(&all[0]), crew.acked());
        last > missed_from && last + 50 > head
    };
    until(&mut one, near, "who didn't read doesn't catch up")?;
    let took = heard.elapsed();
    let caught_up = last(&one[0]);
    let actors = crew.quiet(|| false)?;
    let head = actors.iter().filter_map(|actor| lobby(actor.member.client())?.last()).max();
    until(&mut one, |all| last(&all[0]) >= head.unwrap_or(0), "the end doesn't come")?;
    let after = mib(pid);
    if let Some(status) = running.ended() {
        return Err(format!("the server ended with {status}: {}", running.last_words()));
    }
    running.stop();
    println!(
        "deaf: nothing read for {} s under load, {} events and {} KiB behind; at the head after {} \
         ms, {} connection; server memory {before:.0} MiB before, {most:.0} MiB at most meanwhile, \
         {after:.0} MiB after",
        plan.deaf.as_secs(),
        thousands(caught_up - from),
        thousands((one[0].received - bytes) / 1024),
        significant(1e3 * took.as_secs_f64()),
        one[0].connections
    );
    let mut clean = one[0].connections == 1;
    if most - before > GROWTH_MAX_MIB {
        println!("  memory grew by {:.0} MiB for somebody who doesn't read", most - before);
        clean = false;
    }
    let rooms = check::read(&data)?;
    let seen = lobby(one[0].client()).zip(rooms.get(&RoomId::lobby()));
    let (room, log) = seen.ok_or("there is no lobby")?;
    if room.timeline().messages().last().map(|message| message.m)
        != log.messages.keys().next_back().copied()
    {
        println!("  it doesn't see the log's last message");
        clean = false;
    }
    Ok(clean)
}

fn talkers(seed: u64, address: SocketAddr, manner: impl Fn(&mut Actor)) -> Result<Crew, String> {
    let actors = (0..TALKERS).map(|number| {
        let mut actor = crew::actor(number, address, Random::part(seed, 1_000 + number as u64));
        actor.lobby_share = 1.0;
        manner(&mut actor);
        actor
    });
    Crew::start(actors.collect())
}

/// Somebody who reads the lobby and asks for all that it missed.
fn reader(address: SocketAddr, name: &str, part: u64) -> Member {
    let config = Config {
        key: Some(format!("the key of the one that {name}, long enough").into()),
        name: Some(name.into()),
        replay_max: Some(1 << 40),
        keep_messages: usize::MAX / 2,
        ..Config::default()
    };
    let mut member = Member::new(address, config, false, Random::new(part));
    member.act(|client, now| client.open(RoomId::lobby(), now));
    member
}

fn lobby(client: &Client) -> Option<&Room> {
    client.room(&RoomId::lobby())
}

fn last(member: &Member) -> u64 {
    lobby(member.client()).and_then(Room::last).unwrap_or(0)
}

/// Whether it holds all of the lobby; asks for more if not.
fn whole(member: &mut Member) -> bool {
    let Some(room) = lobby(member.client()).filter(|room| room.is_open()) else { return false };
    let (ranges, first) = (room.timeline().ranges(), room.first().max(1));
    let low = match ranges {
        [] => return false,
        [.., below, last] if below.high < last.low => last.low,
        [only, ..] if only.low > first => only.low,
        _ => return true,
    };
    member.act(|client, now| client.history(&RoomId::lobby(), Anchor::Before(low), 100, now));
    false
}

fn until<const N: usize>(
    members: &mut [Member; N],
    mut is_so: impl FnMut(&mut [Member]) -> bool,
    what: &str,
) -> Result<(), String> {
    let mut buffer = vec![0; 64 * 1024];
    let deadline = Instant::now() + CATCH_UP_MAX;
    while !is_so(members) {
        if Instant::now() > deadline {
            let links: Vec<_> = members.iter().map(|member| member.client().link()).collect();
            return Err(format!("{what} ({links:?})"));
        }
        member::step(members, &mut buffer, Instant::now() + Duration::from_millis(10))?;
        members.iter_mut().for_each(|member| drop(member.notices()));
    }
    Ok(())
}
