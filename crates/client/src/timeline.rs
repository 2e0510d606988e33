//! A room's messages as far as they are known, and where they are known without a gap.

use damso_protocol::v1::ChangeOp;
use damso_protocol::v1::server::{Change, Mention, Msg, PageMessage};
use damso_protocol::{Nonce, UserId};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A message as it is now.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Message {
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
    /// When, in ms since 1970. For display; order is `m`.
    pub at: u64,
    /// What it says; none if it was deleted.
    pub text: Option<Arc<str>>,
    /// It said something else before.
    pub edited: bool,
    /// It says nothing any more.
    pub deleted: bool,
    /// It is put up for all to see.
    pub pinned: bool,
    /// The message it answers.
    pub reply: Option<u64>,
    /// Whom it calls.
    pub mentions: Vec<Mention>,
    /// What people react with.
    pub reactions: Vec<Reactions>,
    /// What its author called it.
    pub nonce: Option<Nonce>,
}

/// The reactions to a message with one emoji.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Reactions {
    /// With what.
    pub emoji: Arc<str>,
    /// How many users.
    pub count: u64,
    /// Whether one of them is the user.
    pub mine: bool,
    /// Those of them who are known: pages give the count alone, events say who.
    pub who: Vec<UserId>,
}

/// `seq`s without a gap: every message between these is held. Both ends belong to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Range {
    /// The lowest `seq`.
    pub low: u64,
    /// The highest `seq`.
    pub high: u64,
}

/// What is known of a room's log. Two messages are neighbours only inside one range; between two
/// ranges lies what isn't loaded.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Timeline {
    messages: BTreeMap<u64, Message>,
    /// Rising, and `a.high + 1 < b.low` for neighbours.
    ranges: Vec<Range>,
}

impl Timeline {
    /// The stretches that are known without a gap, rising.
    pub fn ranges(&self) -> &[Range] {
        &self.ranges
    }

    /// All messages held, rising.
    pub fn messages(&self) -> impl DoubleEndedIterator<Item = &Message> {
        self.messages.values()
    }

    /// The messages of one range, rising.
    pub fn within(&self, range: Range) -> impl DoubleEndedIterator<Item = &Message> {
        self.messages.range(range.low..=range.high.max(range.low)).map(|(_, message)| message)
    }

    /// The message `m`, if it is held.
    pub fn message(&self, m: u64) -> Option<&Message> {
        self.messages.get(&m)
    }

    /// How many messages are held.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether no message is held.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Everything from `low` to `high` is known from now on.
    pub(crate) fn cover(&mut self, low: u64, high: u64) {
        if low > high {
            return;
        }
        let mut all = Range { low, high };
        self.ranges.retain(|range| {
            let apart =
                range.high.saturating_add(1) < all.low || all.high.saturating_add(1) < range.low;
            if !apart {
                all = Range { low: all.low.min(range.low), high: all.high.max(range.high) };
            }
            apart
        });
        let at = self.ranges.partition_point(|range| range.low < all.low);
        self.ranges.insert(at, all);
    }

    /// Takes in a message of a page, unless what is held is as new.
    pub(crate) fn put(&mut self, page: PageMessage) {
        if self.messages.get(&page.m).is_none_or(|held| page.rev > held.rev) {
            self.messages.insert(page.m, page.into());
        }
    }

    /// Takes in a message as an event, unless a page brought it before.
    pub(crate) fn said(&mut self, event: &Msg) {
        self.messages.entry(event.seq).or_insert_with(|| event.into());
    }

    /// Takes in a change as an event. `me`: whose reactions are the user's own.
    pub(crate) fn changed(&mut self, change: &Change, me: Option<&UserId>) {
        if let Some(message) = self.messages.get_mut(&change.m)
            && change.seq > message.rev
        {
            message.apply(change, me);
        }
    }

    /// Forgets what is below `first`.
    pub(crate) fn forget_below(&mut self, first: u64) {
        if self.ranges.first().is_some_and(|range| range.low < first) {
            self.messages = self.messages.split_off(&first);
            self.ranges.retain_mut(|range| {
                range.low = range.low.max(first);
                range.low <= range.high
            });
        }
    }

    /// Forgets the oldest messages, but for `keep`.
    pub(crate) fn trim(&mut self, keep: usize) {
        if self.messages.len() > keep
            && let Some((&m, _)) = self.messages.iter().nth_back(keep)
        {
            self.forget_below(m.saturating_add(1));
        }
    }
}

impl Message {
    fn apply(&mut self, change: &Change, me: Option<&UserId>) {
        self.rev = change.seq;
        match (change.op, &change.emoji) {
            (ChangeOp::Edit, _) => {
                // A message that was deleted since stays so, whatever its old changes say.
                if self.text.is_some() && change.text.is_some() {
                    self.text.clone_from(&change.text);
                }
                self.edited = true;
            }
            (ChangeOp::Delete, _) => {
                self.text = None;
                self.deleted = true;
                self.pinned = false;
                self.reactions.clear();
            }
            (ChangeOp::Pin, _) => self.pinned = true,
            (ChangeOp::Unpin, _) => self.pinned = false,
            (ChangeOp::React, Some(emoji)) => self.react(emoji, &change.by, me),
            (ChangeOp::Unreact, Some(emoji)) => self.unreact(emoji, &change.by, me),
            (ChangeOp::React | ChangeOp::Unreact, None) => {}
        }
    }

    fn react(&mut self, emoji: &Arc<str>, by: &UserId, me: Option<&UserId>) {
        let at = self.reactions.iter().position(|known| known.emoji == *emoji);
        let at = at.unwrap_or_else(|| {
            let emoji = emoji.clone();
            self.reactions.push(Reactions { emoji, count: 0, mine: false, who: Vec::new() });
            self.reactions.len() - 1
        });
        let reactions = &mut self.reactions[at];
        reactions.count = reactions.count.saturating_add(1);
        reactions.mine |= Some(by) == me;
        reactions.who.push(by.clone());
    }

    fn unreact(&mut self, emoji: &Arc<str>, by: &UserId, me: Option<&UserId>) {
        let Some(reactions) = self.reactions.iter_mut().find(|known| known.emoji == *emoji) else {
            return;
        };
        reactions.count = reactions.count.saturating_sub(1);
        reactions.mine &= Some(by) != me;
        reactions.who.retain(|user| user != by);
        self.reactions.retain(|reactions| reactions.count > 0);
    }
}

impl From<PageMessage> for Message {
    fn from(page: PageMessage) -> Self {
        let reactions = page.reactions.into_iter();
        Self {
            m: page.m,
            n: page.n,
            rev: page.rev,
            by: page.by,
            name: page.name,
            at: page.at,
            text: page.text,
            edited: page.edited,
            deleted: page.deleted,
            pinned: page.pinned,
            reply: page.reply,
            mentions: page.mentions,
            reactions: reactions
                .map(|reaction| Reactions {
                    emoji: reaction.0,
                    count: reaction.1,
                    mine: reaction.2,
                    who: Vec::new(),
                })
                .collect(),
            nonce: page.nonce,
        }
    }
}

impl From<&Msg> for Message {
    fn from(event: &Msg) -> Self {
        Self {
            m: event.seq,
            n: event.n,
            rev: event.seq,
            by: event.by.clone(),
            name: event.name.clone(),
            at: event.at,
            text: event.text.clone(),
            edited: false,
            // Its deletion follows.
            deleted: event.text.is_none(),
            pinned: false,
            reply: event.reply,
            mentions: event.mentions.clone(),
            reactions: Vec::new(),
            nonce: event.nonce.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(covered: &[(u64, u64)], expected: &[(u64, u64)]) {
        let mut timeline = Timeline::default();
        for &(low, high) in covered {
            timeline.cover(low, high);
        }
        let found: Vec<_> = timeline.ranges().iter().map(|range| (range.low, range.high)).collect();
        assert_eq!(found, expected, "{covered:?}");
    }

    #[test]
    fn ranges_that_touch_or_overlap_are_one() {
        check(&[(5, 4)], &[]);
        check(&[(1, 2), (5, 6)], &[(1, 2), (5, 6)]);
        check(&[(5, 6), (1, 2)], &[(1, 2), (5, 6)]);
        check(&[(1, 2), (5, 6), (3, 4)], &[(1, 6)]);
        check(&[(1, 2), (5, 6), (2, 5)], &[(1, 6)]);
        check(&[(1, 9), (3, 4)], &[(1, 9)]);
        check(&[(3, 4), (7, 8), (11, 12), (1, 10)], &[(1, 12)]);
        check(&[(3, 4), (u64::MAX, u64::MAX)], &[(3, 4), (u64::MAX, u64::MAX)]);
    }
}
