//! What the server owes whom, by what goes in and comes out of its hub.

use crate::server::Server;
use crate::truth::{Checked, Rule, fail};
use crate::world::World;
use damso_chat::Event;
use damso_chat::hub::{Input, Output, SessionId};
use damso_protocol::RoomId;
use damso_store::Log as _;
use std::collections::BTreeSet;

impl World {
    /// What the server has under way, if anything.
    pub fn unrest_of_server(&self) -> Option<String> {
        let Some(server) = &self.server else { return Some("the server is down".into()) };
        let waiting = [
            ("the hub's inbox", server.inbox.len()),
            ("the log's queue", server.queue.len()),
            ("the log's hands", server.in_log),
            ("HTTP", server.desk.len()),
            ("the shards' inboxes", server.nodes.iter().map(|node| node.inbox.len()).sum()),
        ];
        let (place, count) = waiting.into_iter().find(|(_, count)| *count > 0)?;
        Some(format!("there is something in {place}: {count}"))
    }

    /// What the hub and its shards owe nobody, when nothing is under way.
    pub fn check_server(&mut self) {
        let Some(server) = &self.server else { return };
        let kept = server.credits.iter().find(|(_, out)| **out != 0);
        if let Some((session, out)) = kept {
            let what = format!("{session:?} has {out} requests out, and nothing is under way");
            return self.check(fail(Rule::Answers, what));
        }
        if *server.hub.state() != *self.disk.log.state() {
            return self.check(fail(Rule::Fold, "the hub's state isn't the log's"));
        }
        if self.ages[self.age].state != *self.disk.log.state() {
            return self.check(fail(Rule::Fold, "the log's state isn't its events'"));
        }
        for peer in 0..self.peers.len() {
            let Some(client) = &self.peers[peer].client else { continue };
            let Some((index, slot)) = self.peers[peer].conn.and_then(|at| self.net[at].place)
            else {
                continue;
            };
            let session = server.nodes[index].session(index, slot);
            let hears = server.audience.iter().filter(|(of, _)| *of == session);
            let hears: BTreeSet<RoomId> = hears.map(|(_, room)| room.clone()).collect();
            let open = client.rooms().iter().filter(|room| room.is_open());
            let open: BTreeSet<RoomId> = open.map(|room| room.id().clone()).collect();
            if hears != open {
                let name = &self.peers[peer].name;
                let what = format!("{name} has {open:?} open, the hub knows of {hears:?}");
                return self.check(fail(Rule::Audience, what));
            }
        }
    }
}

impl Server {
    /// A request takes a credit.
    pub fn count(&mut self, input: &Input, shards: u16) {
        match input {
            Input::Hello { session, .. } if session.shard < shards => {
                self.credits.entry(*session).or_default();
            }
            Input::Request { session, .. } => {
                if let Some(out) = self.credits.get_mut(session) {
                    *out += 1;
                }
            }
            Input::Gone { session } => self.forget(*session),
            _ => {}
        }
    }

    /// What an output means for who hears what, and for credits.
    pub fn note(&mut self, output: &Output, shards: u16) -> Checked {
        match output {
            // What comes of requests of one that has gone since is for nobody.
            Output::Subscribe { session, .. } | Output::Unsubscribe { session, .. }
                if !self.credits.contains_key(session) => {}
            Output::Subscribe { session, room, .. } => {
                self.audience.insert((*session, room.clone()));
            }
            Output::Unsubscribe { session, room } => {
                let heard = self.audience.remove(&(*session, room.clone()));
                let what = || format!("{session:?} never heard {room}");
                return if heard { Ok(()) } else { fail(Rule::Audience, what()) };
            }
            Output::Credit { session, count } if session.shard < shards => {
                if let Some(out) = self.credits.get_mut(session) {
                    *out -= i64::from(*count);
                    if *out < 0 {
                        return fail(Rule::Answers, format!("{session:?} has too many credits"));
                    }
                }
            }
            Output::Close { session, .. } => self.forget(*session),
            _ => {}
        }
        Ok(())
    }

    fn forget(&mut self, session: SessionId) {
        self.credits.remove(&session);
        self.audience.retain(|(of, _)| *of != session);
    }
}

/// An event in a few words.
pub fn short(event: &Event) -> String {
    match event {
        Event::Message(said) => {
            let text: String = said.text.as_deref().unwrap_or("").chars().take(24).collect();
            format!("{} {}: {} says {text:?} {:?}", said.room, said.seq, said.by, said.nonce)
        }
        Event::Changed(change) => {
            format!(
                "{} {}: {} changes {}: {:?}",
                change.room, change.seq, change.by, change.m, change.op
            )
        }
        Event::Room(event) => {
            format!("{} {}: {} {:?}", event.room, event.seq, event.by, event.what)
        }
        other => format!("{other:?}"),
    }
}
