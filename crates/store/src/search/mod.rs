//! Finding messages by what is in them.
//!
//! `text` makes of a text what it is searched by, `matcher` says whether a message is one that
//! is looked for. A log in memory is looked through; one on disk has an `index` beside it, in a
//! file of its own, which `follow`s the log on a thread of its own and may be lost: it is made
//! anew from the log. It only proposes messages, which are read from the log as they stand now and
//! shown to the matcher: so an index that is behind finds less, but never what isn't there any more.

mod collect;
mod follow;
mod index;
mod matcher;
mod searcher;
#[cfg(test)]
mod tests;
mod text;

pub use follow::{Indexer, Notes};
pub use searcher::Searcher;

pub(crate) use collect::Collector;
pub(crate) use matcher::Matcher;

use crate::rows::ReadError;
use damso_chat::Message;
use damso_chat::hub::Sought;

/// A message that was looked for, as it stands now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hit {
    /// The message.
    pub message: Message,
    /// Where in its text the terms stand, as offsets in UTF-16 code units, rising and apart.
    pub marks: Vec<(usize, usize)>,
}

/// What was found, newest first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Found {
    /// The messages.
    pub hits: Vec<Hit>,
    /// There may be more: the place to go on before.
    pub more: Option<u64>,
    /// The index hasn't come to the log's end yet, so newer ones may be missing.
    pub is_behind: bool,
}

/// Finds messages.
pub trait Search {
    /// Looks for messages.
    ///
    /// # Errors
    /// The log or its index can't be read.
    fn search(&self, sought: &Sought) -> Result<Found, ReadError>;
}
