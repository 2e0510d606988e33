//! damso.v1 on one connection: what its frames mean, in which order they may come, and how it is
//! answered (PROTOCOL sections 2, 3 and 5).

use super::{Reply, Said, shown, wire};
use crate::lang::Lang;
use crate::session::Context;
use damso_chat::hub::{Answer, Ending, Opened, Part, Request, Who};
use damso_chat::{Command, KeyHash, Op, Refusal};
use damso_protocol::RoomId;
use damso_protocol::v1::client::{self, Anchor, Head};
use damso_protocol::v1::server::{self, Failure, ServerMessage};
use damso_protocol::v1::{self, ChangeOp, ErrorCode, close};
use damso_store::Page;
use damso_websocket::Connection;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// So many frames that can't be read end a connection.
const UNREADABLE_MAX: u8 = 3;
/// How long somebody may look for a name that is free.
const NAME_MAX: Duration = Duration::from_secs(60);
/// The longest key, in bytes.
const KEY_BYTES_MAX: usize = 256;
/// The shortest key, in bytes: 128 bits in a form that people can send.
const KEY_BYTES_MIN: usize = 16;
/// Who is sent away by a restart comes back within this time, in ms.
const RETURN_MS: u64 = 3_000;

/// One connection's talk.
#[derive(Debug)]
pub struct Talk {
    lang: Lang,
    stage: Stage,
    unreadable: u8,
    /// The peer was pinged since it was heard last.
    pinged: bool,
    /// What few have: most are welcomed soon, and then stay where they are.
    extra: Option<Box<Extra>>,
}

// It stands in each connection.
const _: () = assert!(size_of::<Talk>() <= 16);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// Hasn't said who it is.
    Stranger,
    /// Its hello is with the hub.
    Waiting,
    /// Has been welcomed.
    Welcome,
}

#[derive(Default, Debug)]
struct Extra {
    /// Until when it has to be welcome.
    deadline: Option<Instant>,
    /// Rooms that its user isn't in any more: a page of theirs may be on its way nevertheless.
    departed: BTreeSet<RoomId>,
}

/// Why a frame came to nothing: what to call the error, and what to say.
struct Bad(Option<u64>, ErrorCode, String);

/// What a frame has to have at least.
#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(borrow, rename = "t")]
    _t: Cow<'a, str>,
}

/// What the hub calls a request: 0 is for one that wants no reply, which a peer's 0 isn't.
fn hub_id(id: Option<u64>) -> u64 {
    id.map_or(0, |id| id + 1)
}

/// What a peer calls the request that the hub calls so.
fn peer_id(id: u64) -> Option<u64> {
    id.checked_sub(1)
}

impl Talk {
    /// A connection that was opened just now.
    pub fn new(lang: Lang, context: &Context, now: Instant) -> Self {
        let deadline = Some(now + context.head_max);
        let extra = Some(Box::new(Extra { deadline, ..Extra::default() }));
        Self { lang, stage: Stage::Stranger, unreadable: 0, pinged: false, extra }
    }

    /// The peer was heard.
    pub fn touch(&mut self) {
        self.pinged = false;
    }

    /// What a text frame means.
    pub fn hear(&mut self, text: &str, peer: SocketAddr, context: &Context) -> Said {
        match self.read(text, peer, context) {
            Ok(said) => said,
            Err(Bad(id, code, msg)) => {
                context.metrics.error(code);
                if code == ErrorCode::BadJson {
                    self.unreadable += 1;
                    if self.unreadable >= UNREADABLE_MAX {
                        return Said::End(close::PROTOCOL, msg);
                    }
                }
                Said::Back(super::Back::Text(failure(id, code, msg)))
            }
        }
    }

    /// A binary frame: nothing of this dialect is one.
    pub fn hear_binary(&mut self, context: &Context) -> Said {
        context.metrics.error(ErrorCode::BadJson);
        self.unreadable += 1;
        let msg = self.lang.bad_json("a binary frame");
        if self.unreadable >= UNREADABLE_MAX {
            return Said::End(close::PROTOCOL, msg);
        }
        Said::Back(super::Back::Text(failure(None, ErrorCode::BadJson, msg)))
    }

    /// A `send` as clients write it, read at once: that is most of what is heard. None for anything
    /// else, or if there is anything to say about it.
    fn read_send(&self, text: &str) -> Option<Said> {
        // Of a `t` that is there twice the other way has something to say.
        let rest = text.strip_prefix(r#"{"t":"send","#).filter(|rest| !rest.contains(r#""t""#));
        if self.stage != Stage::Welcome || rest.is_none() {
            return None;
        }
        let client::Send { id, room, nonce, text, reply } = serde_json::from_str(text).ok()?;
        // 0 is also what an absent id is read as.
        if !(1..=v1::NUMBER_MAX).contains(&id) || !nonce.is_well_formed() {
            return None;
        }
        Some(Said::Ask(hub_id(Some(id)), Request::Say { room, nonce: Some(nonce), text, reply }))
    }

    fn read(&mut self, text: &str, peer: SocketAddr, context: &Context) -> Result<Said, Bad> {
        if let Some(said) = self.read_send(text) {
            return Ok(said);
        }
        let head: Head<'_> = serde_json::from_str(text).map_err(|error| {
            if error.is_data() && serde_json::from_str::<Kind<'_>>(text).is_ok() {
                return Bad(None, ErrorCode::BadField, self.lang.bad_field("id"));
            }
            Bad(None, ErrorCode::BadJson, self.lang.bad_json(&error.to_string()))
        })?;
        if let (Some(id), true) = (head.id, head.id.is_some_and(|id| id > v1::NUMBER_MAX)) {
            return Err(Bad(Some(id), ErrorCode::BadField, self.lang.bad_field("id")));
        }
        let id = head.id;
        match (&*head.t, self.stage) {
            ("hello", Stage::Stranger) => {
                let said = self.fields(text, id).and_then(|hello| self.hello(id, hello, peer));
                return Ok(said.unwrap_or_else(|Bad(id, code, why)| {
                    context.metrics.error(code);
                    // Only who asks for a name that is taken may ask again.
                    let close = match code {
                        ErrorCode::Unauthorized => close::SIGN_IN,
                        _ => close::PROTOCOL,
                    };
                    Said::Refuse(failure(id, code, why.clone()), close, why)
                }));
            }
            // It says that the connection lives, which is known by now.
            ("pong", _) => return Ok(Said::Nothing),
            (_, Stage::Welcome) => {}
            (_, Stage::Stranger | Stage::Waiting) => {
                let why = self.lang.refusal(&Refusal::Unauthorized);
                return Err(Bad(id, ErrorCode::Unauthorized, why));
            }
        }
        let request = match &*head.t {
            "open" => {
                let client::Open { room, after, limit, max, .. } = self.fields(text, id)?;
                let limit = page_limit(limit);
                Request::Open { room, after, limit, max: max.unwrap_or(v1::REPLAY_EVENTS) }
            }
            "close" => {
                let client::Close { room, .. } = self.fields(text, id)?;
                Request::Close { room }
            }
            "send" => {
                let client::Send { room, nonce, text, reply, .. } = self.fields(text, id)?;
                self.check_nonce(id, &nonce)?;
                Request::Say { room, nonce: Some(nonce), text, reply }
            }
            "change" => {
                let client::Change { room, m, nonce, op, text, emoji, .. } =
                    self.fields(text, id)?;
                self.check_nonce(id, &nonce)?;
                let field = |name| Bad(id, ErrorCode::BadField, self.lang.bad_field(name));
                let op = match op {
                    ChangeOp::Edit => Op::Edit(Some(text.ok_or_else(|| field("text"))?)),
                    ChangeOp::Delete => Op::Delete,
                    ChangeOp::React => Op::React(emoji.ok_or_else(|| field("emoji"))?),
                    ChangeOp::Unreact => Op::Unreact(emoji.ok_or_else(|| field("emoji"))?),
                    ChangeOp::Pin => Op::Pin,
                    ChangeOp::Unpin => Op::Unpin,
                };
                Request::Record(Command::Change { room, m, nonce, op })
            }
            "read" => {
                let client::Read { room, seq, .. } = self.fields(text, id)?;
                Request::Record(Command::Read { room, seq })
            }
            "history" => {
                let asked: client::History = self.fields(text, id)?;
                let part = match asked.anchor() {
                    Some(Anchor::Before(m)) => Part::Before(m),
                    Some(Anchor::After(m)) => Part::After(m),
                    Some(Anchor::Around(m)) => Part::Around(m),
                    None => {
                        let why = self.lang.bad_field("before, after, around");
                        return Err(Bad(id, ErrorCode::BadField, why));
                    }
                };
                Request::History { room: asked.room, part, limit: page_limit(asked.limit) }
            }
            "watch" => {
                let client::Watch { users, .. } = self.fields(text, id)?;
                if users.len() > v1::WATCHED_USERS_MAX {
                    let why = self.lang.bad_field("users");
                    return Err(Bad(id, ErrorCode::BadField, why));
                }
                Request::Watch { users }
            }
            "typing" => {
                let client::Typing { room } = self.fields(text, id)?;
                Request::Typing { room }
            }
            "hello" => {
                let why = self.lang.bad_field("t");
                return Err(Bad(id, ErrorCode::BadType, why));
            }
            _ => return Err(Bad(id, ErrorCode::BadType, self.lang.bad_field("t"))),
        };
        // A request without an id wants no answer, but what it missed is told all the same.
        Ok(Said::Ask(hub_id(id), request))
    }

    fn hello(
        &mut self,
        id: Option<u64>,
        hello: client::Hello,
        peer: SocketAddr,
    ) -> Result<Said, Bad> {
        let bad = |name| Bad(id, ErrorCode::BadField, self.lang.bad_field(name));
        let Some(key) = hello.key else {
            // There are no sessions or cookies to sign in with.
            return Err(if hello.token.is_some() {
                Bad(id, ErrorCode::Unauthorized, self.lang.refusal(&Refusal::Unauthorized))
            } else {
                bad("key")
            });
        };
        let key = key_hash(&key).ok_or_else(|| bad("key"))?;
        if let Some(lang) = hello.lang.as_deref().and_then(Lang::from_tag) {
            self.lang = lang;
        }
        self.stage = Stage::Waiting;
        Ok(Said::Hello(Who::Key {
            id: hub_id(id),
            key,
            name: hello.name.unwrap_or_default(),
            address: shown(peer),
            epoch: hello.epoch,
        }))
    }

    /// A message's own fields.
    fn fields<T: DeserializeOwned>(&self, text: &str, id: Option<u64>) -> Result<T, Bad> {
        serde_json::from_str(text)
            .map_err(|error| Bad(id, ErrorCode::BadField, self.lang.bad_field(&error.to_string())))
    }

    fn check_nonce(&self, id: Option<u64>, nonce: &damso_protocol::Nonce) -> Result<(), Bad> {
        if nonce.is_well_formed() {
            return Ok(());
        }
        Err(Bad(id, ErrorCode::BadField, self.lang.bad_field("nonce")))
    }

    /// Tells the peer what came of its request, or what it didn't ask for.
    pub fn reply(&mut self, reply: &Reply<'_>, connection: &mut Connection, context: &Context) {
        self.note_rooms(reply);
        let gone = |page: &Page| {
            let first = page.messages.first();
            let extra = self.extra.as_ref();
            first
                .zip(extra)
                .is_some_and(|(first, extra)| extra.departed.contains(&first.message.room))
        };
        let message = match reply {
            // It was asked for when its asker might see it.
            Reply::Opened(Opened { id, .. }, Some(page)) | Reply::Page(id, page, _)
                if gone(page) =>
            {
                ServerMessage::Failure(self.refusal(*id, &Refusal::NotFound, context))
            }
            Reply::Answer(id, Answer::Refused(refusal)) => {
                if self.stage == Stage::Waiting {
                    // Who looks for a name that is free may take its time.
                    let deadline = connection.heard() + NAME_MAX;
                    self.extra.get_or_insert_default().deadline = Some(deadline);
                    self.stage = Stage::Stranger;
                }
                ServerMessage::Failure(self.refusal(*id, refusal, context))
            }
            Reply::Answer(_, Answer::Welcome(welcome)) => {
                self.stage = Stage::Welcome;
                self.extra = None;
                wire::welcome(welcome, &context.limits)
            }
            Reply::Answer(id, answer) => match wire::reply(*id, answer) {
                Some(reply) => match named(reply) {
                    Some(reply) => reply,
                    None => return,
                },
                None => match wire::notice(answer) {
                    Some(notice) => notice,
                    None => return,
                },
            },
            Reply::Opened(opened, page) => match named(wire::opened(opened, *page)) {
                Some(reply) => reply,
                None => return,
            },
            Reply::Page(id, page, user) => match named(wire::page(*id, page, user)) {
                Some(reply) => reply,
                None => return,
            },
        };
        // A connection that is closing takes no more data, and needs no reply.
        let _ = connection.send_text(&json(&message));
    }

    /// Notes which rooms its user goes from and comes into.
    fn note_rooms(&mut self, reply: &Reply<'_>) {
        match reply {
            Reply::Answer(_, Answer::Departed { room, .. }) => {
                self.extra.get_or_insert_default().departed.insert(room.clone());
            }
            Reply::Answer(_, Answer::Entered(entry)) => {
                if let Some(extra) = &mut self.extra {
                    extra.departed.remove(&entry.id);
                }
            }
            _ => {}
        }
    }

    fn refusal(&self, id: u64, refusal: &Refusal, context: &Context) -> Failure {
        let retry = match refusal {
            Refusal::RateLimited { retry } => Some(*retry),
            Refusal::Unavailable => Some(1_000),
            _ => None,
        };
        let suggest = match refusal {
            Refusal::NameTaken { suggest } => Some(suggest.as_str().into()),
            _ => None,
        };
        context.metrics.error(refusal.code());
        let msg = self.lang.refusal(refusal).into();
        Failure { id: peer_id(id), code: refusal.code(), msg, retry, suggest }
    }

    /// Says goodbye and begins the closing handshake.
    pub fn end(&mut self, ending: Ending, connection: &mut Connection, now: Instant) {
        let code = match ending {
            Ending::Kicked | Ending::Banned => close::BANNED,
            Ending::Refused => close::PROTOCOL,
            Ending::Flood => close::FLOOD,
            Ending::TooMany { .. } => close::TOO_MANY,
            Ending::Stopping => close::RESTART,
        };
        let retry = (ending == Ending::Stopping).then_some(RETURN_MS);
        bye(code, &self.lang.ending(ending), retry, connection, now);
    }

    /// When [`Talk::handle_timeout`] is due.
    pub fn deadline(&self, connection: &Connection, context: &Context) -> Instant {
        let timing = &context.websocket.timing;
        let silence = if self.pinged { timing.silent_max } else { timing.ping_after };
        let silent = connection.heard() + silence;
        self.welcome_by().map_or(silent, |deadline| deadline.min(silent))
    }

    fn welcome_by(&self) -> Option<Instant> {
        self.extra.as_ref()?.deadline
    }

    /// Does what time brings: a ping, or the end of somebody who says nothing.
    pub fn handle_timeout(&mut self, connection: &mut Connection, context: &Context, now: Instant) {
        if self.deadline(connection, context) > now {
            return;
        }
        let is_stranger = self.welcome_by().is_some_and(|deadline| deadline <= now);
        if is_stranger || connection.heard() + context.websocket.timing.silent_max <= now {
            bye(close::SILENT, self.lang.silent(is_stranger), None, connection, now);
            return;
        }
        self.pinged = true;
        let _ = connection.send_text(&json(&ServerMessage::Ping));
    }
}

/// The hash by which a key is known; none if it isn't one.
pub fn key_hash(key: &str) -> Option<KeyHash> {
    let fits = (KEY_BYTES_MIN..=KEY_BYTES_MAX).contains(&key.len());
    fits.then(|| KeyHash(Sha256::digest(key).into()))
}

/// Says goodbye, for a reason that isn't the hub's, and begins the closing handshake.
pub fn bye(code: u16, msg: &str, retry: Option<u64>, connection: &mut Connection, now: Instant) {
    let bye = ServerMessage::Bye(server::Bye { code, msg: msg.into(), retry });
    let _ = connection.send_text(&json(&bye));
    connection.close(code, msg, now);
}

/// A reply as its asker calls it; none if it wants none.
fn named(mut reply: server::Reply) -> Option<ServerMessage> {
    reply.id = peer_id(reply.id)?;
    Some(ServerMessage::Reply(Box::new(reply)))
}

fn failure(id: Option<u64>, code: ErrorCode, msg: String) -> String {
    let failure = Failure { id, code, msg: msg.into(), retry: None, suggest: None };
    json(&ServerMessage::Failure(failure))
}

/// How many messages a page has that was asked for so many.
pub fn page_limit(limit: Option<u32>) -> usize {
    let most = v1::PAGE_MESSAGES_MAX;
    limit.unwrap_or(v1::PAGE_MESSAGES).clamp(1, most) as usize
}

/// A message as it travels. Strings, numbers and lists of them always have a JSON form.
pub fn json(message: &ServerMessage) -> String {
    serde_json::to_string(message).unwrap_or_default()
}

/// The same in place of what `into` holds, whose memory is used again.
pub fn write_json(message: &ServerMessage, into: &mut String) {
    let mut bytes = std::mem::take(into).into_bytes();
    bytes.clear();
    if serde_json::to_writer(&mut bytes, message).is_ok() {
        *into = String::from_utf8(bytes).unwrap_or_default();
    }
}
