//! What is kept beside the log, and could be made from it anew.

use super::{HistoryForm, KindForm, PostForm, VERSION, get, put};
use damso_chat::state::{History, Kind, Post, Room};
use damso_chat::{Current, Message};
use damso_protocol::UserId;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// What has changed of a message since it was said.
#[derive(Serialize, Deserialize)]
struct Now<'a> {
    v: u32,
    rev: u64,
    /// Its newest text, if that isn't the one in the log's record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "<[u64]>::is_empty")]
    edits: Cow<'a, [u64]>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pinned: bool,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    reactions: Vec<(Cow<'a, str>, Vec<UserId>)>,
}

/// Writes what has changed of a message.
pub(crate) fn write_current(current: &Current, into: &mut Vec<u8>) {
    let edited = !current.edits.is_empty();
    let text = current.message.text.as_deref().filter(|_| edited).map(Cow::Borrowed);
    let reactions = current.reactions.iter();
    let reactions = reactions.map(|(emoji, users)| ((&**emoji).into(), users.clone()));
    put(
        &Now {
            v: VERSION,
            rev: current.rev,
            text,
            edits: Cow::Borrowed(&current.edits),
            pinned: current.pinned,
            reactions: reactions.collect(),
        },
        into,
    );
}

/// The message as it stands now, from its own record and what has changed since.
///
/// # Errors
/// One sentence: the record is damaged, or of a version that this program doesn't know.
pub(crate) fn read_current(mut message: Message, bytes: Option<&[u8]>) -> Result<Current, String> {
    let Some(bytes) = bytes else { return Ok(Current::new(message)) };
    let now: Now = get(bytes)?;
    // A message without a text was deleted, and stays so.
    if let Some(text) = now.text
        && message.text.is_some()
    {
        message.text = Some(text.into());
    }
    let reactions = now.reactions.into_iter().map(|(emoji, users)| (emoji.into(), users));
    Ok(Current {
        message,
        rev: now.rev,
        edits: now.edits.into_owned(),
        pinned: now.pinned,
        reactions: reactions.collect(),
    })
}

/// A room, but for its members and what stands in columns.
#[derive(Serialize, Deserialize)]
struct Rest {
    v: u32,
    #[serde(with = "KindForm")]
    kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    topic: String,
    #[serde(with = "PostForm")]
    post: Post,
    #[serde(with = "HistoryForm")]
    history: History,
    archived: bool,
    called_at: u64,
    calls: Vec<u64>,
}

/// Writes a room.
pub(crate) fn write_room(room: &Room, into: &mut Vec<u8>) {
    put(
        &Rest {
            v: VERSION,
            kind: room.kind,
            name: room.name.as_deref().map(Into::into),
            topic: (*room.topic).into(),
            post: room.post,
            history: room.history,
            archived: room.archived,
            called_at: room.called_at,
            calls: room.calls.clone(),
        },
        into,
    );
}

/// A room that nobody is in yet.
///
/// # Errors
/// One sentence: the record is damaged, or of a version that this program doesn't know.
pub(crate) fn read_room(is_lobby: bool, head: u64, n: u64, bytes: &[u8]) -> Result<Room, String> {
    let rest: Rest = get(bytes)?;
    Ok(Room {
        head,
        n,
        is_lobby,
        topic: rest.topic.into(),
        post: rest.post,
        archived: rest.archived,
        called_at: rest.called_at,
        calls: rest.calls,
        ..Room::new(rest.kind, rest.name.map(Into::into), rest.history)
    })
}

/// Unread messages that call somebody.
#[derive(Serialize, Deserialize)]
struct Mentions<'a> {
    v: u32,
    m: Cow<'a, [u64]>,
}

/// Writes a list of messages.
pub(crate) fn write_mentions(mentions: &[u64], into: &mut Vec<u8>) {
    put(&Mentions { v: VERSION, m: mentions.into() }, into);
}

/// A list of messages.
///
/// # Errors
/// One sentence: the record is damaged, or of a version that this program doesn't know.
pub(crate) fn read_mentions(bytes: &[u8]) -> Result<Vec<u64>, String> {
    get(bytes).map(|Mentions { m, .. }| m.into_owned())
}
