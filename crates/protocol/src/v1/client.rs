//! From client to server (PROTOCOL section 2).

use super::ChangeOp;
use crate::{Nonce, RoomId, UserId};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;

/// What a server reads first. If it can't be read, `serde_json`'s category says whether the frame
/// was no JSON (`bad_json`) or had no `t`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Head<'a> {
    /// The message's kind.
    #[serde(borrow)]
    pub t: Cow<'a, str>,
    /// What the reply is to be called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
}

/// Any message of a client.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "lowercase")]
pub enum ClientMessage {
    /// Says who is there.
    Hello(Box<Hello>),
    /// Subscribes to a room.
    Open(Open),
    /// Ends the subscription.
    Close(Close),
    /// Says something.
    Send(Send),
    /// Changes a message.
    Change(Change),
    /// Tells how far the user has read.
    Read(Read),
    /// Asks for a page.
    History(History),
    /// Asks who of these is online, from now on.
    Watch(Watch),
    /// The user is writing.
    Typing(Typing),
    /// Answers a `ping`.
    Pong,
}

/// Says who is there. The reply is `welcome`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Hello {
    /// What an `err` is to be called.
    #[serde(default)]
    pub id: u64,
    /// Of a session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Arc<str>>,
    /// Of a guest: its secret, which it made itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Arc<str>>,
    /// What a new guest wants to be called. Ignored for a known key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Arc<str>>,
    /// The program and its version.
    #[serde(default)]
    pub agent: Arc<str>,
    /// The user's language, as BCP 47 writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lang: Option<Arc<str>>,
    /// The epoch of the cursors that the client holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Arc<str>>,
}

/// Subscribes to a room.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Open {
    /// What the reply is to be called.
    #[serde(default)]
    pub id: u64,
    /// Which room.
    pub room: RoomId,
    /// The last `seq` held; absent: the newest page is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// The most messages in a page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// The most events that the client is willing to have replayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u64>,
}

/// Ends a subscription.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Close {
    /// What the reply is to be called.
    #[serde(default)]
    pub id: u64,
    /// Which room.
    pub room: RoomId,
}

/// Says something.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Send {
    /// What the reply is to be called.
    #[serde(default)]
    pub id: u64,
    /// Where.
    pub room: RoomId,
    /// What the author calls it, for ever.
    pub nonce: Nonce,
    /// What is said.
    #[serde(deserialize_with = "crate::id::text")]
    pub text: Arc<str>,
    /// The message it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<u64>,
}

/// Changes a message.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Change {
    /// What the reply is to be called.
    #[serde(default)]
    pub id: u64,
    /// The message's room.
    pub room: RoomId,
    /// The message.
    pub m: u64,
    /// What the author calls the change, for ever.
    pub nonce: Nonce,
    /// What changes.
    pub op: ChangeOp,
    /// What it says from now on, for `edit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Arc<str>>,
    /// With what, for `react` and `unreact`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emoji: Option<Arc<str>>,
}

/// Tells how far the user has read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Read {
    /// What the reply is to be called.
    #[serde(default)]
    pub id: u64,
    /// Which room.
    pub room: RoomId,
    /// The last `seq` read.
    pub seq: u64,
}

/// Asks for a page.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct History {
    /// What the reply is to be called.
    #[serde(default)]
    pub id: u64,
    /// Which room.
    pub room: RoomId,
    /// The page ends before this message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// The page begins after this message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// The page has this message in its middle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub around: Option<u64>,
    /// The most messages in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Where a page lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Anchor {
    /// It ends before this message.
    Before(u64),
    /// It begins after this message.
    After(u64),
    /// It has this message in its middle.
    Around(u64),
}

impl History {
    /// Asks for the page at `anchor`.
    pub fn at(id: u64, room: RoomId, anchor: Anchor, limit: u32) -> Self {
        let (mut before, mut after, mut around) = (None, None, None);
        match anchor {
            Anchor::Before(m) => before = Some(m),
            Anchor::After(m) => after = Some(m),
            Anchor::Around(m) => around = Some(m),
        }
        Self { id, room, before, after, around, limit: Some(limit) }
    }

    /// Where the page lies; none unless exactly one field says so.
    pub fn anchor(&self) -> Option<Anchor> {
        match (self.before, self.after, self.around) {
            (Some(m), None, None) => Some(Anchor::Before(m)),
            (None, Some(m), None) => Some(Anchor::After(m)),
            (None, None, Some(m)) => Some(Anchor::Around(m)),
            _ => None,
        }
    }
}

/// Asks who of these is online, from now on. Replaces what was asked before.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Watch {
    /// What the reply is to be called.
    #[serde(default)]
    pub id: u64,
    /// Whom.
    pub users: Vec<UserId>,
}

/// The user is writing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Typing {
    /// Where.
    pub room: RoomId,
}
