//! What must hold when one looks: at any time, and when nothing is under way.

use crate::bug::Bug;
use crate::truth::{Age, Checked, Rule, fail};
use crate::world::World;
use damso_chat::hub::{Answer, Output};
use damso_chat::{Current, Event};
use damso_client::{Client, Link, Message, Room};
use damso_protocol::{RoomId, UserId};
use std::collections::BTreeSet;
use std::sync::Arc;

impl World {
    /// What is still under way, if anything is.
    pub fn unrest(&self) -> Option<String> {
        if let Some(what) = self.unrest_of_server() {
            return Some(what);
        }
        let age = &self.ages[self.age];
        for peer in &self.peers {
            let Some(client) = &peer.client else { continue };
            let name = &peer.name;
            if client.link() != Link::Ready {
                return Some(format!("{name} is {:?}", client.link()));
            }
            if let Some(entry) = client.outbox().first() {
                return Some(format!("{name} has {entry:?} in its outbox"));
            }
            if peer.tap.waiting() > 0 {
                return Some(format!("{name} waits for {} answers", peer.tap.waiting()));
            }
            let is_still = |at: usize| {
                let conn = &self.net[at];
                !(conn.up.dead || conn.down.ended) && conn.down.bytes.is_empty()
            };
            if !peer.conn.is_some_and(is_still) {
                return Some(format!("{name}'s connection ends, or has bytes under way"));
            }
            let behind =
                |room: &&Room| !room.is_caught_up() || room.last() != Some(age.head(room.id()));
            if let Some(room) = client.rooms().iter().find(behind) {
                let (last, head) = (room.last(), age.head(room.id()));
                let open = room.is_open();
                return Some(format!(
                    "{name} has {} to {last:?} of {head}, open: {open}",
                    room.id()
                ));
            }
        }
        None
    }

    /// At any time: what clients hold is the log's.
    pub fn check_timelines(&mut self) {
        for peer in &self.peers {
            let Some(client) = &peer.client else { continue };
            let Some(age) = self.ages.iter().find(|age| Some(&*age.epoch) == client.epoch()) else {
                continue;
            };
            for room in client.rooms() {
                if let Err(failure) = check_timeline(&peer.name, client, room, age) {
                    return self.failed(failure);
                }
            }
        }
    }

    /// When nothing is under way: everybody has everything.
    pub fn check_ends(&mut self) {
        let age = &self.ages[self.age];
        for peer in &self.peers {
            let Some(client) = &peer.client else { continue };
            if client.epoch() != Some(&*age.epoch) {
                let what = format!("{} lives in {:?}", peer.name, client.epoch());
                return self.check(fail(Rule::G3, what));
            }
            let user = client.user().cloned();
            for room in client.rooms() {
                if user.as_ref().is_none_or(|user| age.state.membership(room.id(), user).is_none())
                {
                    let what = format!("{} has {} open, and isn't in it", peer.name, room.id());
                    return self.check(fail(Rule::G7, what));
                }
            }
        }
    }

    /// After everybody came back: what `welcome` said is how it is.
    pub fn check_lists(&mut self) {
        let age = &self.ages[self.age];
        for peer in &self.peers {
            let Some(client) = &peer.client else { continue };
            let Some(user) = client.user() else { continue };
            if let Err(failure) = check_list(&peer.name, client, user, age) {
                return self.failed(failure);
            }
        }
    }

    /// Gives the hub's outputs to the simulator's own bugs, if there is one.
    pub fn mangle(&mut self, outputs: Vec<Output>, kept: &mut u64) -> Vec<Output> {
        let Some(bug) = self.bug else { return outputs };
        let mut mangled = Vec::new();
        let mut outputs = outputs.into_iter().peekable();
        while let Some(output) = outputs.next() {
            match (bug, output) {
                (Bug::CreditKept, Output::Credit { .. })
                    if {
                        *kept += 1;
                        *kept
                    } % 9
                        == 0 => {}
                (Bug::StillHears, Output::Unsubscribe { .. })
                    if matches!(
                        outputs.peek(),
                        Some(Output::Answer { answer: Answer::Departed { .. }, .. })
                    ) => {}
                (Bug::TextsSwapped, Output::Deliver { shards, event }) => {
                    let mut event = (*event).clone();
                    if let Event::Message(message) = &mut event
                        && let Some(text) = &mut message.text
                    {
                        let held = self.held.insert(message.room.clone(), text.clone());
                        *text = held.unwrap_or_else(|| text.clone());
                    }
                    mangled.push(Output::Deliver { shards, event: Arc::new(event) });
                }
                (Bug::SeenTwice, output @ Output::Answer { answer: Answer::Seen { .. }, .. }) => {
                    mangled.push(output.clone());
                    mangled.push(output);
                }
                (Bug::NonceStripped, Output::Deliver { shards, event }) => {
                    let mut event = (*event).clone();
                    if let Event::Message(message) = &mut event {
                        message.nonce = None;
                    }
                    mangled.push(Output::Deliver { shards, event: Arc::new(event) });
                }
                (Bug::WholePast, Output::Page { session, id, user, mut wanted }) => {
                    wanted.first = 1;
                    mangled.push(Output::Page { session, id, user, wanted });
                }
                (Bug::WholePast, Output::Subscribe { session, room, next, opened }) => {
                    let opened = opened.map(|mut opened| {
                        opened.first = 1;
                        opened
                    });
                    mangled.push(Output::Subscribe { session, room, next, opened });
                }
                (_, output) => mangled.push(output),
            }
        }
        mangled
    }
}

/// What a client holds of a room: in its ranges all that there is, as it was at its cursor or later.
fn check_timeline(name: &str, client: &Client, room: &Room, age: &Age) -> Checked {
    let Some(last) = room.last() else { return Ok(()) };
    let id = room.id();
    let head = age.head(id);
    if last > head {
        return fail(Rule::G2, format!("{name} has {id} to {last}, the log to {head}"));
    }
    let Some(log) = age.room(id) else { return Ok(()) };
    let timeline = room.timeline();
    for message in timeline.messages() {
        let covered = timeline.ranges().iter().any(|r| r.low <= message.m && message.m <= r.high);
        if !covered {
            return fail(Rule::G3, format!("{name} holds {} of {id} in no range", message.m));
        }
        let Some(stands) = log.version(message.m, message.rev) else {
            let what = format!("{name} holds {} of {id} at {}", message.m, message.rev);
            return fail(Rule::G3, what);
        };
        if message.rev < log.rev(message.m, last) {
            let due = log.rev(message.m, last);
            let what = format!(
                "{name} holds {} of {id} as of {}; {due} changed it, and the cursor is {last}",
                message.m, message.rev
            );
            return fail(Rule::G3, what);
        }
        let is_deleted = log.now(message.m).is_some_and(Current::is_deleted);
        if let Some(what) = difference(message, &stands, is_deleted, client.user()) {
            return fail(Rule::G3, format!("{name} holds {} of {id} with {what}", message.m));
        }
    }
    for range in timeline.ranges() {
        let missing = log.between(range.low, range.high).find(|m| timeline.message(*m).is_none());
        if let Some(m) = missing {
            let what = format!("{name} has {id} from {} to {}, but not {m}", range.low, range.high);
            return fail(Rule::G3, what);
        }
    }
    Ok(())
}

/// How a message that is held differs from what stands in the log.
fn difference(
    held: &Message,
    stands: &Current,
    is_deleted: bool,
    me: Option<&UserId>,
) -> Option<String> {
    let said = &stands.message;
    if held.by != said.by || held.name != said.name || held.at != said.at || held.n != said.n {
        return Some(format!("{held:?} where {said:?} stands"));
    }
    if held.nonce != said.nonce {
        return Some(format!("the nonce {:?}, not {:?}", held.nonce, said.nonce));
    }
    // What is deleted later is replayed without its texts, and its deletion is yet to come.
    if is_deleted && !stands.is_deleted() {
        return None;
    }
    if held.text != said.text || held.deleted != stands.is_deleted() {
        return Some(format!("the text {:?}, not {:?}", held.text, said.text));
    }
    if held.edited == stands.edits.is_empty() || held.pinned != stands.pinned {
        return Some(format!("edited {}, pinned {}", held.edited, held.pinned));
    }
    let held = held.reactions.iter().map(|held| (held.emoji.clone(), held.count, held.mine));
    let stands = stands.reactions.iter().map(|(emoji, users)| {
        let mine = me.is_some_and(|me| users.contains(me));
        (emoji.clone(), users.len() as u64, mine)
    });
    let (held, stands): (Vec<_>, Vec<_>) = (held.collect(), stands.collect());
    (held != stands).then(|| format!("{held:?}, not {stands:?}"))
}

/// A user's list of rooms.
fn check_list(name: &str, client: &Client, user: &UserId, age: &Age) -> Checked {
    let own: BTreeSet<RoomId> = age.state.rooms_of(user).collect();
    let listed: BTreeSet<RoomId> = client.list().keys().cloned().collect();
    if own != listed {
        return fail(Rule::G6, format!("{name} lists {listed:?}, and is in {own:?}"));
    }
    for (id, entry) in client.list() {
        let Some(room) = age.state.room(id) else { continue };
        let read = age.state.read(user, id);
        if (entry.head, entry.n) != (room.head, room.n) {
            let what = format!("{name} lists {id} at {} and {}", entry.head, entry.n);
            return fail(Rule::G6, what);
        }
        if (entry.read, entry.readn) != (read.seq, read.n) {
            let what = format!(
                "{name} has read {id} to {} ({}), by the log to {read:?}",
                entry.read, entry.readn
            );
            return fail(Rule::G8, what);
        }
    }
    Ok(())
}
