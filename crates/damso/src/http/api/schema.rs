//! What the description says of bodies whose types are damso.v1's own. Nothing of this is ever made:
//! the protocol's types are free of it, and `cargo xtask test api` holds answers against it.
#![expect(dead_code, reason = "described, never made")]

use utoipa::{IntoParams, ToSchema};

/// What an author calls a command, so that a repetition is known as one.
#[derive(ToSchema)]
#[schema(pattern = "^[A-Za-z0-9_-]{1,64}$")]
pub struct Nonce(String);

/// The text of a message.
#[derive(ToSchema)]
pub struct Text(String);

/// What the asker calls a command without a body.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub struct IdempotencyKey {
    /// What the asker calls the command: a repetition under the same key gets the first answer.
    #[param(rename = "Idempotency-Key", pattern = "^[A-Za-z0-9_-]{1,64}$")]
    idempotency_key: Option<String>,
}

#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum Kind {
    Public,
    Private,
    Direct,
    Announcement,
}

#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum Role {
    Member,
    Owner,
}

#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum Post {
    Everybody,
    Owners,
}

#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum Notify {
    All,
    Mentions,
    Nothing,
}

/// A room of the asker's list.
#[derive(ToSchema)]
pub struct Listed {
    id: String,
    /// For a direct message the names of the others in it.
    name: String,
    kind: Kind,
    topic: String,
    archived: bool,
    /// The last `seq` of its log.
    head: u64,
    /// How many messages were said.
    n: u64,
    /// The last `seq` that the asker has read.
    read: u64,
    /// How many messages there were up to there.
    readn: u64,
    /// How many unread messages call the asker.
    mentions: u64,
    notify: Notify,
    /// What the asker may do in it.
    role: Role,
    /// Who may write.
    post: Post,
}

/// A room that the asker isn't in, and could join.
#[derive(ToSchema)]
pub struct Joinable {
    id: String,
    name: String,
    kind: Kind,
    topic: String,
}

/// The asker's rooms, and others that it could join.
#[derive(ToSchema)]
pub struct Lists {
    rooms: Vec<Listed>,
    others: Vec<Joinable>,
}

/// Somebody in a room.
#[derive(ToSchema)]
pub struct Person {
    user: String,
    name: String,
    role: Role,
}

/// A room. What is not always there is told to its members alone.
#[derive(ToSchema)]
pub struct Detailed {
    id: String,
    name: String,
    kind: Kind,
    topic: String,
    members: Vec<Person>,
    #[schema(nullable = false)]
    archived: Option<bool>,
    #[schema(nullable = false)]
    head: Option<u64>,
    #[schema(nullable = false)]
    n: Option<u64>,
    #[schema(nullable = false)]
    read: Option<u64>,
    #[schema(nullable = false)]
    readn: Option<u64>,
    #[schema(nullable = false)]
    mentions: Option<u64>,
    #[schema(nullable = false)]
    notify: Option<Notify>,
    #[schema(nullable = false)]
    role: Option<Role>,
    #[schema(nullable = false)]
    post: Option<Post>,
}

/// A message as it is now.
#[derive(ToSchema)]
pub struct Message {
    /// Its id: the `seq` that made it.
    m: u64,
    /// Its number among the room's messages alone.
    n: u64,
    /// The last `seq` that changed it.
    rev: u64,
    /// Who said it.
    by: String,
    /// The author's name as of writing.
    name: String,
    /// When, in ms since 1970.
    at: u64,
    /// Absent if it was deleted.
    #[schema(nullable = false)]
    text: Option<String>,
    #[schema(nullable = false)]
    edited: Option<bool>,
    #[schema(nullable = false)]
    deleted: Option<bool>,
    /// The message it answers.
    #[schema(nullable = false)]
    reply: Option<u64>,
    /// Users whom it calls; `@room` and `@here` stand for everybody.
    #[schema(nullable = false)]
    mentions: Option<Vec<String>>,
    /// Each is `[emoji, how many users, whether the asker is one]`.
    #[schema(nullable = false, value_type = Option<Vec<Vec<serde_json::Value>>>)]
    reactions: Option<Vec<(String, u64, bool)>>,
    #[schema(nullable = false)]
    pinned: Option<bool>,
    #[schema(nullable = false)]
    nonce: Option<String>,
}

/// A part of a room's messages.
#[derive(ToSchema)]
pub struct Page {
    messages: Vec<Message>,
    /// The room's last `seq` that the page takes into account.
    asof: u64,
    /// The lowest `seq` that the asker may see and the store still has.
    first: u64,
    /// Whether there are more messages in the direction that was asked for.
    more: bool,
}
