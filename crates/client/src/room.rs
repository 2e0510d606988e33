//! A room that is to be open, and what is known of it.

use crate::Timeline;
use damso_protocol::v1::client::Anchor;
use damso_protocol::v1::server::{Change, Mode, Msg, Reply};
use damso_protocol::{RoomId, UserId};
use std::collections::BTreeMap;

/// For how long somebody who typed counts as typing, in ms.
const TYPING_MS: u64 = 6_000;

/// A room that is open, or will be when the connection allows.
#[derive(Debug)]
pub struct Room {
    id: RoomId,
    last: Option<u64>,
    head: u64,
    n: u64,
    first: u64,
    timeline: Timeline,
    pub(crate) subscription: Subscription,
    pub(crate) pages: Vec<PageWanted>,
    /// Changes since the oldest page in flight was asked for: it may have been read before them.
    crossing: Vec<Change>,
    /// Pages from before this `seq` come too late: the changes between were never told.
    reset_at: u64,
    /// Who types, and until when that counts.
    typing: BTreeMap<UserId, u64>,
    pub(crate) typed_at: Option<u64>,
}

/// What the server knows of our wish to follow the room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Subscription {
    /// It is to be asked.
    Wanted,
    /// It was asked.
    Opening,
    /// It sends what happens.
    Open,
}

/// A page that was asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct PageWanted {
    pub(crate) anchor: Anchor,
    pub(crate) limit: u32,
    /// The request; none: not sent yet.
    pub(crate) id: Option<u64>,
    /// The cursor when it was sent, up to which the server will have looked at least.
    pub(crate) last: u64,
}

/// What is to be done with an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    Drop,
    Apply,
    Heal,
}

impl Room {
    pub(crate) fn new(id: RoomId, last: Option<u64>) -> Self {
        Self {
            id,
            last,
            head: last.unwrap_or(0),
            n: 0,
            first: 0,
            timeline: Timeline::default(),
            subscription: Subscription::Wanted,
            pages: Vec::new(),
            crossing: Vec::new(),
            reset_at: 0,
            typing: BTreeMap::new(),
            typed_at: None,
        }
    }

    /// Which room.
    pub fn id(&self) -> &RoomId {
        &self.id
    }

    /// The cursor: every event up to this `seq` was applied, once. None before the first answer.
    pub fn last(&self) -> Option<u64> {
        self.last
    }

    /// The room's last `seq`, as far as we heard.
    pub fn head(&self) -> u64 {
        self.head
    }

    /// How many messages were said, as far as we heard.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// The lowest `seq` that there is for us.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// The messages.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// Whether the server sends us what happens.
    pub fn is_open(&self) -> bool {
        self.subscription == Subscription::Open
    }

    /// Whether it is open and nothing is missing that we have heard of.
    pub fn is_caught_up(&self) -> bool {
        self.is_open() && self.last == Some(self.head)
    }

    /// Who is writing at `now`.
    pub fn typing(&self, now: u64) -> impl Iterator<Item = &UserId> {
        self.typing.iter().filter(move |(_, until)| **until > now).map(|(user, _)| user)
    }

    pub(crate) fn typed(&mut self, user: UserId, now: u64) {
        self.typing.retain(|_, until| *until > now);
        self.typing.insert(user, now.saturating_add(TYPING_MS));
    }

    pub(crate) fn stopped_typing(&mut self, user: &UserId) {
        self.typing.remove(user);
    }

    /// PROTOCOL section 4: what an event with this `seq` is.
    pub(crate) fn step(&self, seq: u64) -> Step {
        match self.last {
            None => Step::Drop,
            Some(last) if seq <= last => Step::Drop,
            Some(last) if last.checked_add(1) == Some(seq) => Step::Apply,
            Some(_) => Step::Heal,
        }
    }

    /// The event `seq` is being applied.
    pub(crate) fn advance(&mut self, seq: u64) {
        self.last = Some(seq);
        self.head = self.head.max(seq);
        self.timeline.cover(seq, seq);
    }

    pub(crate) fn said(&mut self, event: &Msg, keep: usize) {
        self.n = self.n.max(event.n);
        self.timeline.said(event);
        self.timeline.trim(keep);
    }

    pub(crate) fn changed(&mut self, change: &Change, me: Option<&UserId>) {
        self.timeline.changed(change, me);
        if self.pages.iter().any(|page| page.id.is_some()) {
            self.crossing.push(change.clone());
        }
    }

    /// `open` was accepted.
    pub(crate) fn opened(&mut self, reply: Reply) -> Mode {
        self.subscription = Subscription::Open;
        self.first = reply.first.unwrap_or(self.first);
        self.n = reply.n.unwrap_or(self.n);
        let head = reply.head.unwrap_or(self.head);
        self.head = head;
        if reply.mode == Some(Mode::Replay)
            && let Some(last) = self.last
        {
            self.head = head.max(last);
            self.timeline.forget_below(self.first);
            return Mode::Replay;
        }
        self.timeline.clear();
        self.crossing.clear();
        self.reset_at = head;
        self.last = Some(head);
        let messages = reply.messages.unwrap_or_default();
        // A newest page without a message: there is none.
        let low = messages.first().map_or(self.first, |message| message.m);
        for message in messages {
            self.timeline.put(message);
        }
        self.timeline.cover(low, head);
        Mode::Reset
    }

    /// A page arrived. Whether it is of use: if not, it is asked for once more.
    pub(crate) fn page(&mut self, at: usize, reply: Reply, me: Option<&UserId>) -> bool {
        if reply.asof.is_some_and(|asof| asof < self.reset_at) {
            self.pages[at].id = None;
            return false;
        }
        let wanted = self.pages.remove(at);
        let more = reply.more.unwrap_or(true);
        self.first = reply.first.unwrap_or(self.first);
        let messages = reply.messages.unwrap_or_default();
        let lowest = messages.first().map(|message| message.m);
        let highest = messages.last().map(|message| message.m);
        for message in messages {
            self.timeline.put(message);
        }
        // Pages and events may cross: what the page was read too early for is applied again.
        for change in &self.crossing {
            self.timeline.changed(change, me);
        }
        if !self.pages.iter().any(|page| page.id.is_some()) {
            self.crossing.clear();
        }
        match wanted.anchor {
            Anchor::Before(m) => {
                let low = if more { lowest } else { Some(self.first) };
                self.timeline.cover(low.unwrap_or(m), m.saturating_sub(1));
            }
            Anchor::After(m) => {
                // What was said since it was asked for comes as events, and may have been trimmed.
                let high = if more { highest } else { Some(wanted.last).max(highest) };
                // What the store has forgotten isn't there to be held.
                let low = m.saturating_add(1).max(self.first);
                self.timeline.cover(low, high.unwrap_or(m));
            }
            Anchor::Around(_) => {
                if let (Some(low), Some(high)) = (lowest, highest) {
                    self.timeline.cover(low, high);
                }
            }
        }
        true
    }

    /// The connection is gone.
    pub(crate) fn disconnected(&mut self) {
        self.subscription = Subscription::Wanted;
        self.crossing.clear();
        self.typing.clear();
        for page in &mut self.pages {
            page.id = None;
        }
    }

    /// The store is another one: nothing that is held means anything any more.
    pub(crate) fn forget(&mut self) {
        *self = Self::new(self.id.clone(), None);
    }
}
