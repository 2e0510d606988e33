//! One damso.v1 connection, listened to: what its client asked, and whether what the server says
//! may be said.

use crate::truth::{Age, Checked, Rule, fail};
use damso_chat::{Event, Op};
use damso_protocol::v1::client::ClientMessage;
use damso_protocol::v1::server::{
    self, Change, Failure, Mode, Msg, PageMessage, Reply, RoomEvent, ServerMessage, What,
};
use damso_protocol::v1::{ChangeOp, ErrorCode};
use damso_protocol::{RoomId, UserId};
use std::collections::{HashMap, HashSet};

/// See the module's text.
#[derive(Default)]
pub struct Tap {
    user: Option<UserId>,
    /// What was asked, by id, and whether its nonce was known to the log by then.
    flights: HashMap<u64, (ClientMessage, bool)>,
    /// Rooms that are open, with the `seq` that has to come next.
    rooms: HashMap<RoomId, u64>,
    /// The newest `open` or `close` of a room that was answered: pages may pass each other.
    newest: HashMap<RoomId, u64>,
    /// Rooms that the user was told to have left.
    departed: HashSet<RoomId>,
    seen: HashSet<(RoomId, u64)>,
    last_id: u64,
    /// How far clients were told that their users have read, when this one said hello.
    reads: HashMap<(UserId, RoomId), u64>,
}

impl Tap {
    /// How many requests are unanswered.
    pub fn waiting(&self) -> usize {
        self.flights.len()
    }

    /// The client says something.
    pub fn out(&mut self, text: &str, age: &Age) -> Checked {
        let Ok(message) = serde_json::from_str::<ClientMessage>(text) else {
            return fail(Rule::Answers, format!("a client wrote what nobody can read: {text}"));
        };
        let id = match &message {
            ClientMessage::Hello(hello) => {
                self.reads.clone_from(&age.reads);
                hello.id
            }
            ClientMessage::Open(open) => open.id,
            ClientMessage::Close(close) => close.id,
            ClientMessage::Send(send) => send.id,
            ClientMessage::Change(change) => change.id,
            ClientMessage::Read(read) => read.id,
            ClientMessage::History(history) => history.id,
            ClientMessage::Watch(watch) => watch.id,
            ClientMessage::Typing(_) | ClientMessage::Pong => return Ok(()),
        };
        if id <= self.last_id {
            return fail(Rule::Answers, format!("a client asked {id} after {}", self.last_id));
        }
        self.last_id = id;
        let nonce = match &message {
            ClientMessage::Send(send) => Some(&send.nonce),
            ClientMessage::Change(change) => Some(&change.nonce),
            _ => None,
        };
        let known = self.user.as_ref().zip(nonce);
        let known = known.is_some_and(|(user, nonce)| age.accepted(user, nonce).is_some());
        self.flights.insert(id, (message, known));
        Ok(())
    }

    /// The server says something.
    pub fn heard(&mut self, text: &str, age: &mut Age) -> Checked {
        let Ok(message) = serde_json::from_str::<ServerMessage>(text) else {
            return fail(Rule::Answers, format!("the server wrote what nobody can read: {text}"));
        };
        match message {
            ServerMessage::Welcome(welcome) => self.welcome(&welcome, age),
            ServerMessage::Reply(reply) => self.reply(&reply, age),
            ServerMessage::Failure(failure) => self.refused(&failure),
            ServerMessage::Msg(msg) => {
                self.event(&msg.room, msg.seq, age)?;
                check_msg(&msg, age)
            }
            ServerMessage::Change(change) => {
                self.event(&change.room, change.seq, age)?;
                check_change(&change, age)
            }
            ServerMessage::Room(event) => match event.seq {
                Some(seq) => {
                    self.event(&event.room, seq, age)?;
                    check_room(&event, seq, age)
                }
                None => self.listed(&event),
            },
            ServerMessage::Bump(bump) => {
                for server::BumpRoom(room, head, ..) in &bump.rooms {
                    self.is_in(room, "bump")?;
                    if *head > age.head(room) {
                        return fail(Rule::G2, format!("{room} was bumped to {head}"));
                    }
                }
                match &bump.preview {
                    Some(preview) => self.sees(&preview.room, preview.m, age),
                    None => Ok(()),
                }
            }
            ServerMessage::Seen(seen) => {
                if !self.seen.insert((seen.room.clone(), seen.seq)) {
                    let what = format!("{} seen up to {} was told twice", seen.room, seen.seq);
                    return fail(Rule::G6, what);
                }
                Ok(())
            }
            ServerMessage::Typing(typing) => match self.rooms.contains_key(&typing.room) {
                true => Ok(()),
                false => fail(Rule::G7, format!("typing was told of {}", typing.room)),
            },
            ServerMessage::Presence(_) | ServerMessage::Ping | ServerMessage::Bye(_) => Ok(()),
        }
    }

    fn welcome(&mut self, welcome: &server::Welcome, age: &mut Age) -> Checked {
        if welcome.epoch != age.epoch {
            return fail(Rule::Answers, format!("{} isn't {}", welcome.epoch, age.epoch));
        }
        let user = welcome.user.clone();
        for entry in &welcome.rooms {
            let told = self.reads.get(&(user.clone(), entry.id.clone())).copied().unwrap_or(0);
            let stays = age.reads.contains_key(&(user.clone(), entry.id.clone()));
            if entry.read < told && stays {
                let what = format!("{user} had read {} to {told}, now {}", entry.id, entry.read);
                return fail(Rule::G8, what);
            }
            if entry.head > age.head(&entry.id) {
                return fail(Rule::G2, format!("{} isn't at {}", entry.id, entry.head));
            }
        }
        self.flights.retain(|_, (asked, _)| !matches!(asked, ClientMessage::Hello(_)));
        self.user = Some(user);
        Ok(())
    }

    fn reply(&mut self, reply: &Reply, age: &mut Age) -> Checked {
        let Some((asked, _)) = self.flights.remove(&reply.id) else {
            return fail(Rule::Answers, format!("{} was answered, but not asked", reply.id));
        };
        let Some(user) = self.user.clone() else {
            return fail(Rule::Answers, "somebody unknown was answered");
        };
        match asked {
            ClientMessage::Open(open) => {
                let (Some(head), Some(first)) = (reply.head, reply.first) else {
                    return fail(Rule::Answers, "an `open` was answered without its head");
                };
                if head > age.head(&open.room) {
                    return fail(Rule::G2, format!("{} isn't at {head}", open.room));
                }
                if !age.is_first(&user, &open.room, first) {
                    return fail(Rule::G7, format!("{user} sees {} from {first}", open.room));
                }
                let next = match (reply.mode, open.after) {
                    (Some(Mode::Replay), Some(after)) if after + 1 >= first => after + 1,
                    (Some(Mode::Replay), after) => {
                        return fail(Rule::G3, format!("a replay after {after:?}, from {first}"));
                    }
                    _ => head + 1,
                };
                if self.is_newest(&open.room, reply.id) {
                    self.rooms.insert(open.room.clone(), next);
                }
                self.page(&open.room, reply, first, head, age)
            }
            ClientMessage::Close(close) => {
                if self.is_newest(&close.room, reply.id) {
                    self.rooms.remove(&close.room);
                }
                Ok(())
            }
            ClientMessage::Send(send) => {
                let stored = age.accepted(&user, &send.nonce);
                if stored.map(|(room, seq)| (room, Some(*seq))) != Some((&send.room, reply.m)) {
                    let what = format!(
                        "{user}'s {} was acknowledged as {:?} of {}; the log has {stored:?}",
                        send.nonce, reply.m, send.room
                    );
                    return fail(if stored.is_some() { Rule::G4 } else { Rule::G2 }, what);
                }
                Ok(())
            }
            ClientMessage::Change(change) => match age.accepted(&user, &change.nonce) {
                Some((_, seq)) if Some(*seq) == reply.seq => Ok(()),
                Some(stored) => {
                    let what =
                        format!("a change at {stored:?} was acknowledged at {:?}", reply.seq);
                    fail(Rule::G4, what)
                }
                // It was so already: the answer names what made it so.
                None if reply.seq.is_none_or(|seq| seq <= age.head(&change.room)) => Ok(()),
                None => fail(Rule::G2, format!("{:?} was acknowledged, and isn't", reply.seq)),
            },
            ClientMessage::Read(read) => {
                let seq = read.seq.min(age.head(&read.room));
                age.note_read(&user, &read.room, seq)
            }
            ClientMessage::History(history) => {
                self.page(&history.room, reply, reply.first.unwrap_or(0), u64::MAX, age)
            }
            _ => Ok(()),
        }
    }

    /// Whether no later request about a room's subscription was answered before this one.
    fn is_newest(&mut self, room: &RoomId, id: u64) -> bool {
        let newest = self.newest.entry(room.clone()).or_default();
        *newest = id.max(*newest);
        *newest == id
    }

    fn page(&self, room: &RoomId, reply: &Reply, first: u64, head: u64, age: &Age) -> Checked {
        let messages = reply.messages.as_deref().unwrap_or_default();
        if !messages.is_empty() {
            self.is_in(room, "a page")?;
        }
        let mut last = 0;
        for message in messages {
            if message.m < first {
                return fail(Rule::G7, format!("a page of {room} has {} below {first}", message.m));
            }
            if message.m <= last || message.m > head {
                return fail(Rule::G1, format!("a page of {room} has {} after {last}", message.m));
            }
            last = message.m;
            self.sees(room, message.m, age)?;
            check_page_message(room, message, self.user.as_ref(), age)?;
        }
        Ok(())
    }

    fn refused(&mut self, failure: &Failure) -> Checked {
        let Some(id) = failure.id else { return Ok(()) };
        let Some((asked, known)) = self.flights.remove(&id) else {
            return fail(Rule::Answers, format!("{id} was refused, but not asked"));
        };
        // A name that is taken leaves the question open under another id.
        let later = matches!(
            failure.code,
            ErrorCode::RateLimited | ErrorCode::Unavailable | ErrorCode::NonceReused
        );
        if known && !later {
            let what = format!("{asked:?} was accepted once, and is refused now: {}", failure.code);
            return fail(Rule::G4, what);
        }
        Ok(())
    }

    /// An event of a room's log.
    fn event(&mut self, room: &RoomId, seq: u64, age: &Age) -> Checked {
        self.sees(room, seq, age)?;
        let Some(next) = self.rooms.get_mut(room) else {
            let rule = if self.departed.contains(room) { Rule::G7 } else { Rule::Audience };
            return fail(rule, format!("{seq} of {room} was sent, which isn't open"));
        };
        if seq != *next {
            let rule = if seq > *next { Rule::G3 } else { Rule::G1 };
            return fail(rule, format!("{seq} of {room} came where {next} was next"));
        }
        *next += 1;
        Ok(())
    }

    fn listed(&mut self, event: &RoomEvent) -> Checked {
        let room = &event.room;
        if matches!(event.what, What::Leave | What::Kick) {
            self.rooms.remove(room);
            self.departed.insert(room.clone());
        } else {
            self.departed.remove(room);
            self.seen.retain(|(seen, _)| seen != room);
        }
        Ok(())
    }

    fn sees(&self, room: &RoomId, seq: u64, age: &Age) -> Checked {
        let Some(user) = &self.user else {
            return fail(Rule::G7, format!("a stranger was sent {seq} of {room}"));
        };
        if seq > age.head(room) {
            return fail(Rule::G2, format!("{seq} of {room} was sent, and isn't durable"));
        }
        if !age.may_see(user, room, seq) {
            return fail(Rule::G7, format!("{user} was sent {seq} of {room}"));
        }
        Ok(())
    }

    fn is_in(&self, room: &RoomId, what: &str) -> Checked {
        match self.departed.contains(room) {
            true => fail(Rule::G7, format!("{what} of {room} after the user had left it")),
            false => Ok(()),
        }
    }
}

fn check_msg(msg: &Msg, age: &Age) -> Checked {
    let log = age.room(&msg.room);
    let Some(Event::Message(said)) = log.and_then(|log| log.event(msg.seq)) else {
        return fail(Rule::G1, format!("{} of {} isn't a message", msg.seq, msg.room));
    };
    let same = msg.by == said.by && msg.name == said.name && msg.at == said.at && msg.n == said.n;
    let is_deleted = log.and_then(|log| log.now(msg.seq)).is_some_and(|now| now.is_deleted());
    if !same
        || msg.reply != said.reply
        || !(msg.text == said.text || msg.text.is_none() && is_deleted)
    {
        return fail(Rule::G1, format!("{msg:?} was sent where {said:?} stands"));
    }
    if msg.nonce != said.nonce {
        let what =
            format!("{} of {} came as {:?}, not {:?}", msg.seq, msg.room, msg.nonce, said.nonce);
        return fail(Rule::G5, what);
    }
    Ok(())
}

fn check_change(change: &Change, age: &Age) -> Checked {
    let log = age.room(&change.room);
    let Some(Event::Changed(made)) = log.and_then(|log| log.event(change.seq)) else {
        return fail(Rule::G1, format!("{} of {} isn't a change", change.seq, change.room));
    };
    let is_deleted = log.and_then(|log| log.now(change.m)).is_some_and(|now| now.is_deleted());
    let (op, text, emoji) = match &made.op {
        Op::Edit(text) => (ChangeOp::Edit, text.clone(), None),
        Op::Delete => (ChangeOp::Delete, None, None),
        Op::React(emoji) => (ChangeOp::React, None, Some(emoji.clone())),
        Op::Unreact(emoji) => (ChangeOp::Unreact, None, Some(emoji.clone())),
        Op::Pin => (ChangeOp::Pin, None, None),
        Op::Unpin => (ChangeOp::Unpin, None, None),
    };
    let same_text = change.text == text || change.text.is_none() && is_deleted;
    let same = change.m == made.m && change.by == made.by && change.at == made.at;
    if !same || change.op != op || !same_text || change.emoji != emoji {
        return fail(Rule::G1, format!("{change:?} was sent where {made:?} stands"));
    }
    if change.nonce.as_ref() != Some(&made.nonce) {
        return fail(Rule::G5, format!("{} of {} came without its nonce", change.seq, change.room));
    }
    Ok(())
}

fn check_room(event: &RoomEvent, seq: u64, age: &Age) -> Checked {
    let stands = age.room(&event.room).and_then(|log| log.event(seq));
    let Some(Event::Room(made)) = stands else {
        return fail(Rule::G1, format!("{event:?} was sent where {stands:?} stands"));
    };
    if event.by.as_ref() != Some(&made.by) || event.at != Some(made.at) {
        return fail(Rule::G1, format!("{event:?} was sent where {made:?} stands"));
    }
    Ok(())
}

fn check_page_message(
    room: &RoomId,
    message: &PageMessage,
    me: Option<&UserId>,
    age: &Age,
) -> Checked {
    let stands = age.room(room).and_then(|log| log.version(message.m, message.rev));
    let Some(stands) = stands else {
        return fail(Rule::G1, format!("{} of {room} has no change {}", message.m, message.rev));
    };
    let said = &stands.message;
    let reactions = stands.reactions.iter().map(|(emoji, users)| {
        server::Reaction(emoji.clone(), users.len() as u64, me.is_some_and(|me| users.contains(me)))
    });
    let same = message.n == said.n
        && message.by == said.by
        && message.at == said.at
        && message.text == said.text
        && message.reply == said.reply
        && message.edited != stands.edits.is_empty()
        && message.deleted == stands.is_deleted()
        && message.pinned == stands.pinned
        && message.reactions == reactions.collect::<Vec<_>>();
    if !same {
        return fail(Rule::G1, format!("{message:?} in a page of {room}, where {stands:?} stands"));
    }
    if message.nonce != said.nonce {
        return fail(Rule::G5, format!("{} of {room} came as {:?}", message.m, message.nonce));
    }
    Ok(())
}
