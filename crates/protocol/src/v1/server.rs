//! From server to client (PROTOCOL section 3).

use super::{ChangeOp, ErrorCode, is_unset};
use crate::{Limits, Nonce, RoomId, UserId};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;

/// What a client reads first. An event that it can't read further, of a kind that a later version
/// added, still moves its room's cursor to `seq`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Head<'a> {
    /// The message's kind.
    #[serde(borrow)]
    pub t: Cow<'a, str>,
    /// Its room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<RoomId>,
    /// Its place in the room's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
}

/// Any message of a server.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "lowercase")]
pub enum ServerMessage {
    /// `hello` was accepted.
    Welcome(Box<Welcome>),
    /// A command was done.
    #[serde(rename = "ok")]
    Reply(Box<Reply>),
    /// A command was refused.
    #[serde(rename = "err")]
    Failure(Failure),
    /// Something was said.
    Msg(Msg),
    /// A message changed.
    Change(Change),
    /// A room or its members changed.
    Room(RoomEvent),
    /// Something happened in rooms that aren't open.
    Bump(Bump),
    /// The user read on another device.
    Seen(Seen),
    /// Somebody is writing.
    Typing(Typing),
    /// Watched users came or went.
    Presence(Presence),
    /// To be answered with `pong`.
    Ping,
    /// The connection is about to be closed.
    Bye(Bye),
}

/// `hello` was accepted.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Welcome {
    /// The version, [`super::VERSION`].
    pub v: u32,
    /// Names the store's life: cursors of another one are worth nothing.
    pub epoch: Arc<str>,
    /// Who the client is.
    pub user: UserId,
    /// How it is shown.
    pub name: Arc<str>,
    /// The user's list of rooms.
    pub rooms: Vec<RoomEntry>,
    /// What the client may do.
    #[serde(default)]
    pub limits: WelcomeLimits,
    /// What the server can besides version 1.
    #[serde(default)]
    pub features: Vec<Arc<str>>,
    /// After how much silence the server asks, in ms.
    pub ping: u64,
    /// The server's program and version.
    pub server: Arc<str>,
}

/// The limits that a client should know. Names and units are those of [`Limits`].
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct WelcomeLimits {
    /// Longest frame, in bytes.
    pub frame_bytes: u32,
    /// Longest text of one message, in characters.
    pub text_chars: u32,
    /// Messages a user may send at once before the rate counts.
    pub send_burst: u32,
    /// Messages a second for one user, afterwards; 0: no limit.
    pub send_per_second: f64,
    /// Commands of any kind a user may give at once.
    pub commands_burst: u32,
    /// Commands a second for one user, afterwards; 0: no limit.
    pub commands_per_second: f64,
    /// Commands of one connection that may be unanswered; with that many it isn't read.
    pub commands_in_flight: u32,
    /// Rooms that one connection may have open; 0: no limit.
    pub open_rooms: u32,
    /// Connections of one user; 0: no limit.
    pub connections_per_user: u32,
    /// Seconds after which a peer that says nothing is gone.
    pub silent_seconds: u32,
}

impl From<&Limits> for WelcomeLimits {
    fn from(limits: &Limits) -> Self {
        Self {
            frame_bytes: limits.frame_bytes,
            text_chars: limits.text_chars,
            send_burst: limits.send_burst,
            send_per_second: limits.send_per_second,
            commands_burst: limits.commands_burst,
            commands_per_second: limits.commands_per_second,
            commands_in_flight: limits.commands_in_flight,
            open_rooms: limits.open_rooms,
            connections_per_user: limits.connections_per_user,
            silent_seconds: limits.silent_seconds,
        }
    }
}

impl Default for WelcomeLimits {
    fn default() -> Self {
        Self::from(&Limits::default())
    }
}

/// A room of the user's list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RoomEntry {
    /// Which room.
    pub id: RoomId,
    /// Its name; direct messages have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Arc<str>>,
    /// Who may find it and come in.
    pub kind: Kind,
    /// The last `seq` of its log.
    pub head: u64,
    /// How many messages were said.
    pub n: u64,
    /// The last `seq` the user has read.
    pub read: u64,
    /// How many messages there were up to there.
    pub readn: u64,
    /// How many messages that aren't read call the user.
    pub mentions: u64,
    /// Of what the user wants to be told.
    pub notify: Notify,
    /// What the user may do in it.
    pub role: Role,
    /// Who may write.
    pub post: Post,
}

/// Who may find a room and come in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Everybody.
    Public,
    /// Who is invited.
    Private,
    /// Those who are in it from its beginning: direct messages.
    Direct,
    /// Everybody, to read what its owners write.
    Announcement,
    /// One that a later version added.
    #[serde(other)]
    Unknown,
}

/// Of what a user wants to be told.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Notify {
    /// Of everything.
    All,
    /// Of what calls it.
    Mentions,
    /// Of nothing.
    Nothing,
    /// One that a later version added.
    #[serde(other)]
    Unknown,
}

/// What a user may do in a room.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads, and writes where members do.
    Member,
    /// May do everything in the room.
    Owner,
    /// One that a later version added.
    #[serde(other)]
    Unknown,
}

/// Who may write in a room.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Post {
    /// All its members.
    Everybody,
    /// Its owners.
    Owners,
    /// One that a later version added.
    #[serde(other)]
    Unknown,
}

/// How an `open` goes on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Every event after the cursor follows, in order.
    Replay,
    /// The newest page is in the reply, and live events follow.
    Reset,
}

/// A command was done. Which fields there are depends on the command.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Reply {
    /// Of the command.
    pub id: u64,
    /// `send`: the message's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub m: Option<u64>,
    /// `send`: when it was said, in ms since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
    /// `change`: its place in the room's log; absent if it was so already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// `open`: the room's last `seq` at that moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<u64>,
    /// `open`: how many messages were said up to `head`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<u64>,
    /// `open`, `history`: the lowest `seq` that the member may see and the store still has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<u64>,
    /// `open`: how it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// `open`, `history`: the page, in rising `m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<Vec<PageMessage>>,
    /// `open`: the `seq`s that are not loaded, from the first to before the second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<(u64, u64)>,
    /// `history`: the room's last `seq` that the page takes into account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asof: Option<u64>,
    /// `history`: whether there are more messages in the direction that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<bool>,
    /// `watch`: who is online.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub online: Option<Vec<UserId>>,
}

/// A command was refused, or a frame couldn't be read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Failure {
    /// Of the command, if it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// Why, for programs.
    pub code: ErrorCode,
    /// Why, for people.
    pub msg: Arc<str>,
    /// When it may be tried again, in ms from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<u64>,
    /// For `name_taken`: a name that is free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggest: Option<Arc<str>>,
}

/// Something was said. The same bytes for everybody.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Msg {
    /// Where.
    pub room: RoomId,
    /// Its place in the room's log, and the message's id.
    pub seq: u64,
    /// Its number among the room's messages alone.
    pub n: u64,
    /// Who said it.
    pub by: UserId,
    /// The author's name as of writing.
    pub name: Arc<str>,
    /// When, in ms since 1970. For display; order is `seq`.
    pub at: u64,
    /// What was said; absent if it was deleted since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Arc<str>>,
    /// The message it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<u64>,
    /// Whom it calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<Mention>,
    /// What its author called it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<Nonce>,
}

/// Whom a message calls: a user's id, or [`Mention::room`] or [`Mention::here`], which no user's id
/// looks like.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mention(Arc<str>);

impl Mention {
    const ROOM: &str = "@room";
    const HERE: &str = "@here";

    /// Everybody in the room.
    pub fn room() -> Self {
        Self(Self::ROOM.into())
    }

    /// Everybody in the room who is here now.
    pub fn here() -> Self {
        Self(Self::HERE.into())
    }

    /// One user.
    pub fn user(user: &UserId) -> Self {
        Self(user.as_str().into())
    }

    /// Whether it calls `user`, by its id or with everybody.
    pub fn calls(&self, user: &UserId) -> bool {
        matches!(&*self.0, Self::ROOM | Self::HERE) || &*self.0 == user.as_str()
    }

    /// The mention as it travels.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A message changed. The same bytes for everybody.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Change {
    /// The message's room.
    pub room: RoomId,
    /// The change's place in the room's log.
    pub seq: u64,
    /// The message.
    pub m: u64,
    /// What changed.
    pub op: ChangeOp,
    /// Who did it.
    pub by: UserId,
    /// The name of who did it, as of then.
    pub name: Arc<str>,
    /// When, in ms since 1970.
    pub at: u64,
    /// What the message says now, for `edit`; absent if it was deleted since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Arc<str>>,
    /// With what, for `react` and `unreact`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emoji: Option<Arc<str>>,
    /// What its author called it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<Nonce>,
}

/// A room or its members changed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RoomEvent {
    /// Which room.
    pub room: RoomId,
    /// Its place in the room's log; absent: the room entered or left the user's list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// What happened.
    pub what: What,
    /// Whom it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// Who did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<UserId>,
    /// The name of who did it, as of then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Arc<str>>,
    /// The new name, topic, role or right, or the notice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Arc<str>>,
    /// When, in ms since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
    /// The room, if it entered the user's list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<Box<RoomEntry>>,
}

/// What happened to a room.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// It was made.
    Create,
    /// It is called `text`.
    Name,
    /// It is about `text`.
    Topic,
    /// `user` came in.
    Join,
    /// `user` went.
    Leave,
    /// `user` was removed.
    Kick,
    /// `user` is `text` from now on.
    Role,
    /// `text` may write.
    Post,
    /// It is closed, to be read only.
    Archive,
    /// The server has something to say.
    Notice,
    /// One that a later version added.
    #[serde(other)]
    Unknown,
}

/// Something happened in rooms of the user's list that aren't open.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Bump {
    /// Which rooms.
    pub rooms: Vec<BumpRoom>,
    /// Of a mention or a direct message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<Preview>,
}

/// `[id, head, n, flags]`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BumpRoom(
    /// Which room.
    pub RoomId,
    /// The last `seq` of its log.
    pub u64,
    /// How many messages were said.
    pub u64,
    /// Bits: [`BumpRoom::MENTION`].
    pub u32,
);

impl BumpRoom {
    /// Flag: a message since the last bump calls the user.
    pub const MENTION: u32 = 1;
    /// Flag: it is a direct message.
    pub const DIRECT: u32 = 2;
}

/// Enough of a message to show that it came.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Preview {
    /// Its room.
    pub room: RoomId,
    /// The message.
    pub m: u64,
    /// Who said it.
    pub by: UserId,
    /// The author's name as of writing.
    pub name: Arc<str>,
    /// What was said, or its beginning.
    pub text: Arc<str>,
}

/// The user read on another device.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Seen {
    /// Which room.
    pub room: RoomId,
    /// The last `seq` read.
    pub seq: u64,
    /// How many messages there were up to there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readn: Option<u64>,
}

/// Somebody is writing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Typing {
    /// Where.
    pub room: RoomId,
    /// Who.
    pub user: UserId,
}

/// Watched users came or went.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Presence {
    /// Who came.
    #[serde(default)]
    pub on: Vec<UserId>,
    /// Who went.
    #[serde(default)]
    pub off: Vec<UserId>,
}

/// The connection is about to be closed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Bye {
    /// The number of the Close frame that follows.
    pub code: u16,
    /// Why, for people.
    pub msg: Arc<str>,
    /// When to come back, in ms from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<u64>,
}

/// A message as it is now, in a page.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PageMessage {
    /// The message's id: the `seq` that made it.
    pub m: u64,
    /// Its number among the room's messages alone.
    pub n: u64,
    /// The last `seq` that changed it.
    pub rev: u64,
    /// Who said it.
    pub by: UserId,
    /// The author's name as of writing.
    pub name: Arc<str>,
    /// When, in ms since 1970.
    pub at: u64,
    /// What it says; absent if it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Arc<str>>,
    /// It said something else before.
    #[serde(default, skip_serializing_if = "is_unset")]
    pub edited: bool,
    /// It says nothing any more.
    #[serde(default, skip_serializing_if = "is_unset")]
    pub deleted: bool,
    /// The message it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<u64>,
    /// Whom it calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<Mention>,
    /// What people react with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reactions: Vec<Reaction>,
    /// It is put up for all to see.
    #[serde(default, skip_serializing_if = "is_unset")]
    pub pinned: bool,
    /// What its author called it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<Nonce>,
}

/// `[emoji, count, mine]`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reaction(
    /// With what.
    pub Arc<str>,
    /// How many users.
    pub u64,
    /// Whether the user who asked is one of them.
    pub bool,
);
