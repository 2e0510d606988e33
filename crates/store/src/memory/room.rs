//! The newest events of a room.

use damso_chat::{Current, Event, Op};
use std::collections::{HashMap, VecDeque};

/// What an event takes beside its texts: itself, and the allocations of its ids and names.
const EVENT_COST: usize = size_of::<Event>() + 128;
/// What a changed message takes beside its texts.
const CHANGED_COST: usize = size_of::<Current>() + 64;
/// What a reaction of a user takes.
const REACTION_COST: usize = 32;

/// A run of events up to the room's head, and the messages in them as they stand now.
#[derive(Default)]
pub(super) struct Kept {
    /// How many events were forgotten; the first one kept has the next `seq`.
    forgotten: u64,
    events: VecDeque<Event>,
    /// The messages among them.
    messages: VecDeque<u64>,
    /// Their places in the whole log.
    positions: VecDeque<u64>,
    /// How many messages were forgotten.
    messages_forgotten: u64,
    /// The messages that changes have been made to.
    changed: HashMap<u64, Current>,
    bytes: usize,
}

impl Kept {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn first(&self) -> u64 {
        self.forgotten + 1
    }

    /// Takes in the room's next event, which has this place in the whole log.
    pub(super) fn push(&mut self, event: &Event, position: u64) {
        self.bytes += cost(event);
        match event {
            Event::Message(message) => {
                self.messages.push_back(message.seq);
                self.positions.push_back(position);
            }
            Event::Changed(change) => {
                if let Some(mut current) = self.message(change.m) {
                    current.apply(change);
                    if change.op == Op::Delete {
                        self.blank(change.m);
                        current.edits.iter().for_each(|edit| self.blank(*edit));
                    }
                    self.bytes += changed_cost(&current);
                    if let Some(before) = self.changed.insert(change.m, current) {
                        self.bytes -= changed_cost(&before);
                    }
                }
            }
            _ => {}
        }
        self.events.push_back(event.clone());
    }

    /// Takes the text out of an event.
    fn blank(&mut self, seq: u64) {
        let Some(index) = self.index(seq) else { return };
        let event = &mut self.events[index];
        self.bytes -= cost(event);
        match event {
            Event::Message(message) => message.text = None,
            Event::Changed(change) => change.op = Op::Edit(None),
            _ => {}
        }
        self.bytes += cost(event);
    }

    /// Forgets a part of what is kept, oldest first, and at least one event.
    pub(super) fn forget(&mut self) {
        for _ in 0..(self.events.len() / 16).max(1) {
            let Some(event) = self.events.pop_front() else { return };
            self.bytes -= cost(&event);
            self.forgotten += 1;
            if let Event::Message(message) = event {
                self.messages.pop_front();
                self.positions.pop_front();
                self.messages_forgotten = message.n;
                if let Some(current) = self.changed.remove(&message.seq) {
                    self.bytes -= changed_cost(&current);
                }
            }
        }
        // Where a room was once large others may be now.
        if self.events.len() < self.events.capacity() / 4 {
            self.events.shrink_to(2 * self.events.len());
            self.messages.shrink_to(2 * self.messages.len());
            self.positions.shrink_to(2 * self.positions.len());
        }
    }

    fn index(&self, seq: u64) -> Option<usize> {
        let index = seq.checked_sub(self.first())?;
        usize::try_from(index).ok().filter(|index| *index < self.events.len())
    }

    /// The message of that `seq`, as it stands now.
    pub(super) fn message(&self, m: u64) -> Option<Current> {
        if let Some(current) = self.changed.get(&m) {
            return Some(current.clone());
        }
        match &self.events[self.index(m)?] {
            Event::Message(message) => Some(Current::new(message.clone())),
            _ => None,
        }
    }

    pub(super) fn messages_up_to(&self, seq: u64) -> u64 {
        self.messages_forgotten + self.messages.partition_point(|m| *m <= seq) as u64
    }

    /// The messages from `first` to `last`.
    pub(super) fn messages(&self, first: u64, last: u64) -> Vec<u64> {
        let from = self.messages.partition_point(|m| *m < first);
        let to = self.messages.partition_point(|m| *m <= last).max(from);
        self.messages.range(from..to).copied().collect()
    }

    /// The pinned messages from `first` to `last`.
    pub(super) fn pinned(&self, first: u64, last: u64) -> Vec<u64> {
        let pinned = self.changed.iter().filter(|(_, current)| current.pinned);
        let mut pinned: Vec<u64> = pinned.map(|(m, _)| *m).collect();
        pinned.retain(|m| (first..=last).contains(m));
        pinned.sort_unstable();
        pinned
    }

    /// The messages from `first` to `last` with places before `end` in the whole log, newest first:
    /// place and `seq` of each.
    pub(super) fn newest(
        &self,
        first: u64,
        last: u64,
        end: u64,
    ) -> impl Iterator<Item = (u64, u64)> + '_ {
        let from = self.messages.partition_point(|m| *m < first);
        let to = self.messages.partition_point(|m| *m <= last);
        let to = to.min(self.positions.partition_point(|position| *position < end)).max(from);
        let seqs = self.messages.range(from..to).copied();
        self.positions.range(from..to).copied().zip(seqs).rev()
    }

    /// When an event happened; 0 if it isn't there.
    pub(super) fn at(&self, seq: u64) -> u64 {
        self.index(seq).and_then(|index| self.events[index].at()).unwrap_or_default()
    }

    /// The events with `after < seq <= to`.
    pub(super) fn events(&self, after: u64, to: u64) -> impl Iterator<Item = &Event> {
        let index = |seq: u64| {
            let index = usize::try_from(seq.saturating_sub(self.forgotten)).unwrap_or(usize::MAX);
            index.min(self.events.len())
        };
        let from = index(after);
        self.events.range(from..index(to).max(from))
    }
}

fn cost(event: &Event) -> usize {
    let text = match event {
        Event::Message(message) => message.text.as_ref().map_or(0, |text| text.len()),
        Event::Changed(change) => match &change.op {
            Op::Edit(Some(text)) => text.len(),
            _ => 0,
        },
        _ => 0,
    };
    EVENT_COST + text
}

fn changed_cost(current: &Current) -> usize {
    let text = current.message.text.as_ref().map_or(0, |text| text.len());
    let reactions: usize = current.reactions.iter().map(|(_, users)| users.len()).sum();
    CHANGED_COST + text + REACTION_COST * reactions + size_of_val(&*current.edits)
}
