//! A message as it stands now, folded from itself and its changes.

use crate::event::{Change, Message, Op};
use damso_protocol::UserId;
use std::sync::Arc;

/// A message with everything that has changed since it was said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Current {
    /// The message, with its newest text; none if it was deleted.
    pub message: Message,
    /// The last `seq` that changed it; its own when nothing did.
    pub rev: u64,
    /// The changes that gave it another text, by `seq`.
    pub edits: Vec<u64>,
    /// It is put up for all to see.
    pub pinned: bool,
    /// Reactions, in the order in which each came first, with who reacted.
    pub reactions: Vec<(Arc<str>, Vec<UserId>)>,
}

impl Current {
    /// A message that nothing has changed.
    pub fn new(message: Message) -> Self {
        let rev = message.seq;
        Self { message, rev, edits: Vec::new(), pinned: false, reactions: Vec::new() }
    }

    /// Whether it says nothing any more.
    pub fn is_deleted(&self) -> bool {
        self.message.text.is_none()
    }

    /// Takes in a change of this message.
    pub fn apply(&mut self, change: &Change) {
        self.rev = change.seq;
        match &change.op {
            Op::Edit(text) => {
                // A message that was deleted since stays so, whatever its old changes say.
                if self.message.text.is_some() && text.is_some() {
                    self.message.text = text.clone();
                }
                self.edits.push(change.seq);
            }
            Op::Delete => {
                self.message.text = None;
                self.pinned = false;
                self.reactions.clear();
            }
            Op::React(emoji) => match self.reactions.iter_mut().find(|(known, _)| known == emoji) {
                Some((_, users)) => users.push(change.by.clone()),
                None => self.reactions.push((emoji.clone(), vec![change.by.clone()])),
            },
            Op::Unreact(emoji) => {
                if let Some((_, users)) =
                    self.reactions.iter_mut().find(|(known, _)| known == emoji)
                {
                    users.retain(|user| *user != change.by);
                }
                self.reactions.retain(|(_, users)| !users.is_empty());
            }
            Op::Pin => self.pinned = true,
            Op::Unpin => self.pinned = false,
        }
    }

    /// Whether a change would change nothing: it is so already.
    pub fn is_so(&self, op: &Op, by: &UserId) -> bool {
        let reacted = |emoji: &Arc<str>| {
            self.reactions.iter().any(|(known, users)| known == emoji && users.contains(by))
        };
        match op {
            Op::Edit(text) => self.message.text == *text,
            Op::Delete => self.is_deleted(),
            Op::React(emoji) => reacted(emoji),
            Op::Unreact(emoji) => !reacted(emoji),
            Op::Pin => self.pinned,
            Op::Unpin => !self.pinned,
        }
    }
}
