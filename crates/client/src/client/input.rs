//! What comes in: the connection's fate, and what the server says.

use super::pump::WAIT_MS_MAX;
use super::{Client, Flight, Link, Stop};
use crate::room::{Step, Subscription};
use crate::{Notice, Output};
use damso_protocol::v1::server::{
    Bump, BumpRoom, Bye, Change, Failure, Head, Mode, Msg, Post, Presence, Reply, Role, RoomEvent,
    Seen, Typing, Welcome, What,
};
use damso_protocol::v1::{ErrorCode, client::ClientMessage, close};
use damso_protocol::{Nonce, RoomId, UserId};
use serde::de::value::{Error as ValueError, StrDeserializer};
use serde::{Deserialize, de::IntoDeserializer};

impl Client {
    // Input

    /// The connection asked for by [`Output::Connect`] stands.
    pub fn connected(&mut self, now: u64) {
        if self.link == Link::Connecting {
            self.heard = now;
            self.last_id = 0;
            self.greet();
        }
    }

    /// The server sent a text message. What can't be read is passed over.
    pub fn receive(&mut self, text: &str, now: u64) {
        if !matches!(self.link, Link::Greeting | Link::NameTaken | Link::Ready) {
            return;
        }
        self.heard = now;
        let Ok(head) = serde_json::from_str::<Head<'_>>(text) else { return };
        if self.hear(&head, text, now).is_none()
            // Not `seen`, whose `seq` is a position that was read.
            && !matches!(&*head.t, "seen" | "typing")
            && let (Some(room), Some(seq)) = (head.room, head.seq)
        {
            // Of a kind that a later version added.
            self.event(&room, seq, |client, _| {
                client.notice(Notice::Unknown { room: room.clone(), seq });
            });
        }
        self.pump(now);
    }

    /// The connection is gone, or couldn't be made. `code`: the number in the server's Close frame.
    pub fn disconnected(&mut self, code: Option<u16>, now: u64) {
        if matches!(self.link, Link::Down | Link::Stopped(_)) {
            return;
        }
        self.lost();
        self.notice(Notice::Disconnected { code });
        let reason = match code {
            Some(close::SIGN_IN) => Stop::SignInAgain,
            Some(close::BANNED) => Stop::Banned,
            _ => {
                self.link = Link::Down;
                let wait = self.backoff().max(std::mem::take(&mut self.return_after));
                self.connect_at = now.saturating_add(wait);
                return;
            }
        };
        self.link = Link::Stopped(reason);
        self.notice(Notice::Stopped { reason });
    }

    /// To be called when [`timeout`](Self::timeout) has passed; early and late calls do no harm.
    pub fn handle_timeout(&mut self, now: u64) {
        match self.link {
            Link::Down if now >= self.connect_at => {
                self.link = Link::Connecting;
                self.outputs.push_back(Output::Connect);
            }
            Link::Greeting | Link::Ready if self.is_silent(now) => {
                self.link = Link::Leaving;
                self.outputs.push_back(Output::Disconnect);
            }
            _ => self.pump(now),
        }
    }

    /// The network is there again, or somebody looks: connect now rather than later.
    pub fn online(&mut self, now: u64) {
        if self.link == Link::Down {
            self.connect_at = now;
            self.handle_timeout(now);
        }
    }

    // Private

    /// min(30 s, 0.5 s·2^k)·random(0.5..1).
    fn backoff(&mut self) -> u64 {
        let longest = (500_u64 << self.attempts.min(6)).min(30_000);
        self.attempts = self.attempts.saturating_add(1);
        (longest as f64 * (0.5 + (self.random)() / 2.0)) as u64
    }

    fn is_silent(&self, now: u64) -> bool {
        let limit = match self.link {
            Link::Greeting => self.heard.saturating_add(super::WELCOME_MS),
            _ => self.silent_at(),
        };
        now >= limit
    }

    /// Nothing that was on its way will be answered.
    pub(super) fn lost(&mut self) {
        for flight in std::mem::take(&mut self.flights).into_values() {
            if let Flight::Read(room, seq) = flight {
                self.read_again(room, seq);
            }
        }
        self.outbox.disconnected();
        self.rooms.iter_mut().for_each(crate::Room::disconnected);
        self.closing.clear();
        self.online.clear();
    }

    fn read_again(&mut self, room: RoomId, seq: u64) {
        let wanted = self.reads.entry(room).or_default();
        *wanted = seq.max(*wanted);
    }

    /// None: it isn't known here what this is.
    fn hear(&mut self, head: &Head<'_>, text: &str, now: u64) -> Option<()> {
        match &*head.t {
            "welcome" => self.welcome(read(text)?),
            "err" => self.refused(read(text)?, now),
            "ping" => self.write(&ClientMessage::Pong),
            "bye" => {
                let bye: Bye = read(text)?;
                self.return_after = bye.retry.unwrap_or(0).min(WAIT_MS_MAX);
                self.notice(Notice::Bye(bye));
            }
            _ if self.link != Link::Ready => {}
            "ok" => self.done(read(text)?),
            "msg" => {
                let msg: Msg = read(text)?;
                let (room, seq) = (msg.room.clone(), msg.seq);
                self.event(&room, seq, |client, at| client.said(at, msg));
            }
            "change" => {
                let change: Change = read(text)?;
                let (room, seq) = (change.room.clone(), change.seq);
                self.event(&room, seq, |client, at| client.changed(at, change));
            }
            "room" => {
                let event: RoomEvent = read(text)?;
                match event.seq {
                    Some(seq) => {
                        let room = event.room.clone();
                        self.event(&room, seq, |client, _| client.room_changed(event));
                    }
                    None => self.listed(event),
                }
            }
            "bump" => self.bumped(read(text)?),
            "seen" => {
                let Seen { room, seq, readn } = read(text)?;
                if self.seen(&room, seq, readn) {
                    self.notice(Notice::Seen { room, seq });
                }
            }
            "typing" => {
                let Typing { room, user } = read(text)?;
                if let Some(held) = self.rooms.iter_mut().find(|held| *held.id() == room) {
                    held.typed(user.clone(), now);
                    self.notice(Notice::Typing { room, user });
                }
            }
            "presence" => {
                let Presence { on, off } = read(text)?;
                self.online.extend(on);
                for user in off {
                    self.online.remove(&user);
                }
                self.notice(Notice::Presence);
            }
            _ => return None,
        }
        Some(())
    }

    fn welcome(&mut self, welcome: Welcome) {
        if !matches!(self.link, Link::Greeting | Link::NameTaken) {
            return;
        }
        self.flights.clear();
        self.link = Link::Ready;
        self.attempts = 0;
        self.ping = welcome.ping.min(WAIT_MS_MAX);
        let is_other_store = self.epoch.as_ref().is_some_and(|epoch| *epoch != welcome.epoch);
        let is_other_user = self.user.as_ref().is_some_and(|user| *user != welcome.user);
        if is_other_store || is_other_user {
            self.rooms.iter_mut().for_each(crate::Room::forget);
            self.restored.clear();
            self.reads.clear();
            self.outbox.drop_acked(None);
        }
        self.epoch = Some(welcome.epoch);
        self.user = Some(welcome.user);
        self.name = Some(welcome.name);
        self.limits = welcome.limits;
        self.list = welcome.rooms.into_iter().map(|entry| (entry.id.clone(), entry)).collect();
        for (room, seq) in self.reads.clone() {
            self.seen(&room, seq, None);
        }
        self.is_watch_due = self.watched.is_some();
        self.notice(Notice::Welcome { epoch_changed: is_other_store });
    }

    // Answers

    fn done(&mut self, reply: Reply) {
        let Some(flight) = self.flights.remove(&reply.id) else { return };
        match flight {
            Flight::Open(room) => self.opened(&room, reply),
            Flight::Abandoned(room) => {
                // Nobody wants what the server is going to send.
                if self.room(&room).is_none() {
                    self.closing.push(room);
                }
            }
            Flight::Entry(room, nonce) => self.acked(room, nonce, reply.m.or(reply.seq)),
            Flight::Page(room) => {
                let me = self.user.as_ref();
                let Some(held) = self.rooms.iter_mut().find(|held| *held.id() == room) else {
                    return;
                };
                let asked = held.pages.iter().position(|page| page.id == Some(reply.id));
                let Some(at) = asked else { return };
                let (anchor, more) = (held.pages[at].anchor, reply.more.unwrap_or(true));
                let own = own(&reply, me);
                if held.page(at, reply, me) {
                    own.into_iter().for_each(|(nonce, m)| self.arrived(&room, &nonce, m));
                    self.notice(Notice::Page { room, anchor, more });
                }
            }
            Flight::Watch => {
                self.online = reply.online.unwrap_or_default().into_iter().collect();
                self.notice(Notice::Presence);
            }
            Flight::Hello | Flight::Close(_) | Flight::Read(..) => {}
        }
    }

    fn opened(&mut self, room: &RoomId, mut reply: Reply) {
        let me = self.user.as_ref();
        let own = own(&reply, me);
        let Some(held) = self.rooms.iter_mut().find(|held| held.id() == room) else { return };
        let gap = reply.gap.take();
        let (room, mode) = (room.clone(), held.opened(reply));
        let (head, n, last) = (held.head(), held.n(), held.last().unwrap_or(0));
        if let Some(entry) = self.list.get_mut(&room) {
            entry.head = entry.head.max(head);
            entry.n = entry.n.max(n);
        }
        for (nonce, m) in own {
            self.arrived(&room, &nonce, m);
        }
        self.outbox.shown(&room, last);
        self.notice(match mode {
            Mode::Replay => Notice::Replay { room, head },
            Mode::Reset => Notice::Reset { room, gap },
        });
    }

    fn acked(&mut self, room: RoomId, nonce: Nonce, seq: Option<u64>) {
        // The event may have come first.
        let Some(entry) = self.outbox.entry(&nonce) else { return };
        entry.in_flight = false;
        let is_shown_by_room = match self.rooms.iter().find(|held| *held.id() == room) {
            Some(held) => seq.is_none_or(|seq| held.last().is_some_and(|last| seq <= last)),
            None => true,
        };
        if is_shown_by_room {
            self.outbox.remove(&nonce);
        } else {
            entry.acked = seq;
        }
        self.notice(Notice::Acked { room, nonce, seq });
    }

    /// What we said came back with its nonce, which proves it as well as an answer does.
    fn arrived(&mut self, room: &RoomId, nonce: &Nonce, seq: u64) {
        if self.outbox.entry(nonce).is_none_or(|entry| entry.room != *room) {
            return;
        }
        let Some(entry) = self.outbox.remove(nonce) else { return };
        if entry.acked.is_none() {
            self.notice(Notice::Acked { room: entry.room, nonce: entry.nonce, seq: Some(seq) });
        }
    }

    fn refused(&mut self, failure: Failure, now: u64) {
        let Failure { id, code, msg, retry, suggest } = failure;
        let Some(flight) = id.and_then(|id| self.flights.remove(&id)) else {
            return self.notice(Notice::Failure { code, msg });
        };
        let is_later = match code {
            // A room's own rate; commands of other rooms go on.
            ErrorCode::SlowMode => true,
            ErrorCode::RateLimited | ErrorCode::Unavailable | ErrorCode::Unauthorized => true,
            // This may last for days: its author should know.
            ErrorCode::Muted => false,
            _ => retry.is_some(),
        };
        if is_later && flight != Flight::Hello {
            let room = match &flight {
                Flight::Entry(room, _) if code == ErrorCode::SlowMode => Some(room.clone()),
                _ => None,
            };
            self.pause(room.as_ref(), retry, now);
        }
        match flight {
            Flight::Hello if code == ErrorCode::NameTaken => {
                self.link = Link::NameTaken;
                self.notice(Notice::NameTaken { suggest });
            }
            Flight::Hello => {
                self.return_after = retry.unwrap_or(0).min(WAIT_MS_MAX);
                self.notice(Notice::HelloRefused { code, msg });
            }
            Flight::Open(room) => {
                let held = self.rooms.iter_mut().find(|held| *held.id() == room);
                match held {
                    Some(held) if is_later => held.subscription = Subscription::Wanted,
                    Some(_) => self.open_refused(room, code, msg),
                    None => {}
                }
            }
            Flight::Entry(_, nonce) if is_later => {
                if let Some(entry) = self.outbox.entry(&nonce) {
                    entry.in_flight = false;
                }
            }
            Flight::Entry(_, nonce) => {
                if let Some(entry) = self.outbox.remove(&nonce) {
                    self.notice(Notice::Refused { entry, code, msg });
                }
            }
            Flight::Page(room) => {
                let Some(held) = self.rooms.iter_mut().find(|held| *held.id() == room) else {
                    return;
                };
                let Some(at) = held.pages.iter().position(|page| page.id == id) else { return };
                if is_later {
                    held.pages[at].id = None;
                } else {
                    let anchor = held.pages.remove(at).anchor;
                    self.notice(Notice::PageRefused { room, anchor, code, msg });
                }
            }
            Flight::Read(room, seq) if is_later => self.read_again(room, seq),
            Flight::Watch if is_later => self.is_watch_due = true,
            // Until then the server goes on sending what happens there.
            Flight::Close(room) if is_later => self.closing.push(room),
            Flight::Read(..) | Flight::Watch | Flight::Close(_) | Flight::Abandoned(_) => {
                self.notice(Notice::Failure { code, msg });
            }
        }
    }

    fn open_refused(&mut self, room: RoomId, code: ErrorCode, msg: std::sync::Arc<str>) {
        self.forget(&room);
        let back = self.outbox.take_room(&room);
        self.notice(Notice::OpenRefused { room, code, msg: msg.clone() });
        for entry in back {
            self.notice(Notice::Refused { entry, code, msg: msg.clone() });
        }
    }

    // Events

    /// PROTOCOL section 4: applies an event, drops it, or asks for what is missing before it.
    fn event(&mut self, room: &RoomId, seq: u64, apply: impl FnOnce(&mut Self, usize)) {
        let Some(at) = self.rooms.iter().position(|held| held.id() == room) else { return };
        match self.rooms[at].step(seq) {
            Step::Drop => {}
            Step::Heal => {
                if self.rooms[at].subscription == Subscription::Open {
                    self.rooms[at].subscription = Subscription::Wanted;
                }
            }
            Step::Apply => {
                self.rooms[at].advance(seq);
                if let Some(entry) = self.list.get_mut(room) {
                    entry.head = entry.head.max(seq);
                }
                apply(self, at);
                self.outbox.shown(room, seq);
            }
        }
    }

    fn said(&mut self, at: usize, msg: Msg) {
        self.rooms[at].said(&msg, self.config.keep_messages);
        self.rooms[at].stopped_typing(&msg.by);
        if let Some(user) = &self.user {
            let is_own = *user == msg.by;
            if let Some(entry) = self.list.get_mut(&msg.room) {
                entry.n = entry.n.max(msg.n);
                if is_own {
                    // Sending counts as reading (G8).
                    (entry.read, entry.readn, entry.mentions) = (msg.seq, entry.n, 0);
                } else if msg.mentions.iter().any(|mention| mention.calls(user)) {
                    entry.mentions = entry.mentions.saturating_add(1);
                }
            }
            if let Some(nonce) = msg.nonce.as_ref().filter(|_| is_own) {
                self.arrived(&msg.room, nonce, msg.seq);
            }
        }
        self.notice(Notice::Message(msg));
    }

    fn changed(&mut self, at: usize, change: Change) {
        let me = self.user.as_ref();
        self.rooms[at].changed(&change, me);
        if let Some(nonce) = change.nonce.as_ref().filter(|_| me == Some(&change.by)) {
            self.arrived(&change.room, nonce, change.seq);
        }
        self.notice(Notice::Changed(change));
    }

    fn room_changed(&mut self, event: RoomEvent) {
        let room = event.room.clone();
        let is_me = event.user.is_some() && event.user.as_ref() == self.user.as_ref();
        if let Some(entry) = self.list.get_mut(&room) {
            match (event.what, event.text.as_deref()) {
                (What::Name, _) => entry.name.clone_from(&event.text),
                (What::Role, Some(text)) if is_me => entry.role = word(text, Role::Unknown),
                (What::Post, Some(text)) => entry.post = word(text, Post::Unknown),
                _ => {}
            }
        }
        // Of a leaving that is replayed with more after it we have come back since.
        let is_newest = self.room(&room).is_some_and(|held| event.seq >= Some(held.head()));
        let is_out = is_me && is_newest && matches!(event.what, What::Leave | What::Kick);
        self.notice(Notice::Room(event));
        if is_out {
            self.list.remove(&room);
            self.forget(&room);
        }
    }

    fn listed(&mut self, event: RoomEvent) {
        match (event.what, &event.entry) {
            (What::Leave | What::Kick, _) => {
                self.list.remove(&event.room);
                self.forget(&event.room);
            }
            (_, Some(entry)) => {
                self.list.insert(event.room.clone(), (**entry).clone());
            }
            _ => {}
        }
        self.notice(Notice::List(event));
    }

    fn bumped(&mut self, bump: Bump) {
        for BumpRoom(room, head, n, flags) in &bump.rooms {
            if let Some(entry) = self.list.get_mut(room) {
                entry.head = entry.head.max(*head);
                entry.n = entry.n.max(*n);
                if flags & BumpRoom::MENTION != 0 {
                    entry.mentions = entry.mentions.saturating_add(1);
                }
            }
        }
        self.notice(Notice::Bump(bump));
    }
}

fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    serde_json::from_str(text).ok()
}

/// One of an enum's words.
fn word<'a, T: Deserialize<'a>>(text: &'a str, unknown: T) -> T {
    let text: StrDeserializer<'a, ValueError> = text.into_deserializer();
    T::deserialize(text).unwrap_or(unknown)
}

/// The nonces of the messages in a page that `me` wrote.
fn own(reply: &Reply, me: Option<&UserId>) -> Vec<(Nonce, u64)> {
    let messages = reply.messages.iter().flatten().filter(|message| Some(&message.by) == me);
    messages.filter_map(|message| Some((message.nonce.clone()?, message.m))).collect()
}
