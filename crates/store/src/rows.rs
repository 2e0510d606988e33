//! Reading the log back: pages of messages as they stand now, and runs of events as they happened.

pub use damso_chat::hub::Part;
use damso_chat::{Change, Current, Event, Op};
use damso_protocol::RoomId;
use std::collections::VecDeque;
use std::fmt;

/// The most that one answer holds, in bytes of text: a page ends there, or at its limit.
pub const BYTES_MAX: usize = 256 * 1024;

/// What is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ask {
    /// Of which room.
    pub room: RoomId,
    /// Which part.
    pub part: Part,
    /// How many messages at most.
    pub limit: usize,
    /// The lowest `seq` the asker may see.
    pub first: u64,
    /// No message above this `seq`; what has changed older ones since is in them nevertheless.
    pub head: u64,
}

/// Messages as they stand now, in rising order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Page {
    /// The messages.
    pub messages: Vec<Current>,
    /// The room's head at the moment of reading: every change up to there is in them.
    pub asof: u64,
    /// The lowest `seq` that the asker may see and the log still has.
    pub first: u64,
    /// Whether there are more where these came from: further back for the newest and those before,
    /// further on for those after, either for those around.
    pub more: bool,
}

/// The log can't be read. One sentence.
#[derive(Debug)]
pub struct ReadError(pub String);

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ReadError {}

/// Answers questions about what is recorded.
pub trait Rows {
    /// Events of a room with `after < seq <= to`, in order and without a hole, from the first one
    /// on: as many as fit into [`BYTES_MAX`], and at least one if there is one. What has been
    /// deleted since comes without its text.
    ///
    /// # Errors
    /// The log can't be read.
    fn events(&self, room: &RoomId, after: u64, to: u64) -> Result<Vec<Event>, ReadError>;

    /// A page of messages.
    ///
    /// # Errors
    /// The log can't be read.
    fn page(&self, ask: &Ask) -> Result<Page, ReadError>;
}

/// How much of an answer a text takes, with everything around it.
fn weight(current: &Current) -> usize {
    let text = current.message.text.as_ref().map_or(0, |text| text.len());
    let reactions = current.reactions.iter();
    let users = reactions.flat_map(|(_, users)| users).map(|user| user.as_str().len() + 3);
    text + users.sum::<usize>()
}

/// How much of an answer an event takes.
pub(crate) fn event_weight(event: &Event) -> usize {
    match event {
        Event::Message(message) => message.text.as_ref().map_or(0, |text| text.len()),
        Event::Changed(Change { op: Op::Edit(Some(text)), .. }) => text.len(),
        _ => 0,
    }
}

/// So much an event takes beside its text.
pub(crate) const EVENT_BYTES: usize = 128;

/// A page of the messages on both sides of a place, nearest first, from either side in turn: up to
/// `limit` and [`BYTES_MAX`], in rising order, and whether there are more.
///
/// # Errors
/// Whatever the sides' own are.
pub(crate) fn gather<E>(
    mut above: impl Iterator<Item = Result<Current, E>>,
    mut below: impl Iterator<Item = Result<Current, E>>,
    limit: usize,
) -> Result<(Vec<Current>, bool), E> {
    let mut messages = VecDeque::new();
    let mut bytes = 0;
    let mut is_up = true;
    loop {
        let next = if is_up { above.next().map(|next| (next, true)) } else { None };
        let next = next.or_else(|| below.next().map(|next| (next, false)));
        let next = next.or_else(|| above.next().map(|next| (next, true)));
        let Some((next, from_above)) = next else { return Ok((messages.into(), false)) };
        let next = next?;
        bytes += weight(&next) + EVENT_BYTES;
        let is_full = messages.len() >= limit || bytes > BYTES_MAX && !messages.is_empty();
        if is_full {
            return Ok((messages.into(), true));
        }
        if from_above {
            messages.push_back(next);
        } else {
            messages.push_front(next);
        }
        is_up = !is_up;
    }
}
