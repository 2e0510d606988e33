//! Compares what users were told with what the log holds.

use super::actor::{Act, Actor, Fate, Issued};
use damso_chat::{Current, Event, Op};
use damso_client::{Message, Timeline};
use damso_protocol::{Nonce, RoomId, UserId};
use damso_store::{Folder, Log, Reader, Rows, Sqlite};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::path::Path;

/// A room's log, read back.
#[derive(Default)]
pub struct RoomLog {
    pub events: Vec<Event>,
    /// Every message as its events leave it.
    pub messages: BTreeMap<u64, Current>,
}

/// One user: what it asked for, and what it sees.
pub struct Witness<'a> {
    pub user: UserId,
    pub issued: &'a [Issued],
    pub sees: Vec<(RoomId, &'a Timeline)>,
}

impl<'a> Witness<'a> {
    /// None if it was never welcomed.
    pub fn of(actor: &'a Actor) -> Option<Self> {
        let client = actor.member.client();
        let sees = actor.rooms().iter();
        let sees = sees.filter_map(|id| Some((id.clone(), client.room(id)?.timeline())));
        let user = client.user()?.clone();
        Some(Self { user, issued: &actor.issued, sees: sees.collect() })
    }
}

/// How many of each, and the first ones in words.
#[derive(Default, Debug)]
pub struct Findings {
    pub events: u64,
    pub acked: u64,
    /// Acknowledged, and not there.
    pub lost: u64,
    /// There twice.
    pub doubled: u64,
    /// `seq`s that are missing.
    pub gaps: u64,
    /// After something that its author said later.
    pub disorder: u64,
    /// Acknowledged at another place than it has.
    pub misplaced: u64,
    /// Transcripts that aren't the log.
    pub unlike: u64,
    /// Everything else: refused, never answered, there without having been said.
    pub other: u64,
    pub words: Vec<String>,
}

impl Findings {
    pub fn is_clean(&self) -> bool {
        let Self { lost, doubled, gaps, disorder, misplaced, unlike, other, .. } = self;
        lost + doubled + gaps + disorder + misplaced + unlike + other == 0
    }

    /// Something that nothing else counts.
    pub fn note(&mut self, words: String) {
        self.other += 1;
        self.words.push(words);
    }

    /// How the server ended that was asked to.
    pub fn note_end(&mut self, code: Option<i32>) {
        if code != Some(0) {
            self.note(format!("asked to stop, the server ended with {code:?}"));
        }
    }

    fn say(&mut self, words: impl FnOnce() -> String) {
        if self.words.len() < 10 {
            self.words.push(words());
        }
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} events, {} acked, {} lost, {} doubled, {} gaps, {} out of order, {} acked with \
             another seq, {} transcripts unlike the log, {} other faults",
            self.events,
            self.acked,
            self.lost,
            self.doubled,
            self.gaps,
            self.disorder,
            self.misplaced,
            self.unlike,
            self.other
        )
    }
}

/// Reads the log in a folder that no server holds any more, and lets the store verify it: pages
/// sound, and the fold of all events equal to the view.
pub fn read(data: &Path) -> Result<BTreeMap<RoomId, RoomLog>, String> {
    let log = Folder::hold(data).and_then(Sqlite::open).map_err(|error| error.to_string())?;
    log.verify().map_err(|error| error.to_string())?;
    let reader = Reader::open(data).map_err(|error| error.to_string())?;
    let mut rooms = BTreeMap::new();
    for (id, room) in log.state().rooms() {
        let mut read = RoomLog::default();
        let mut after = 0;
        loop {
            let events = reader.events(id, after, u64::MAX).map_err(|error| error.to_string())?;
            let Some((_, last)) = events.last().and_then(Event::place) else { break };
            after = last;
            read.events.extend(events);
        }
        if after != room.head {
            return Err(format!("the room {id} is said to end at {}, but at {after}", room.head));
        }
        read.fold();
        rooms.insert(id.clone(), read);
    }
    Ok(rooms)
}

impl RoomLog {
    fn fold(&mut self) {
        for event in &self.events {
            match event {
                Event::Message(message) => {
                    self.messages.insert(message.seq, Current::new(message.clone()));
                }
                Event::Changed(change) => {
                    if let Some(current) = self.messages.get_mut(&change.m) {
                        current.apply(change);
                    }
                }
                _ => {}
            }
        }
    }
}

/// Author and nonce of what has one.
fn named(event: &Event) -> Option<(&UserId, &Nonce)> {
    match event {
        Event::Message(message) => Some((&message.by, message.nonce.as_ref()?)),
        Event::Changed(change) => Some((&change.by, &change.nonce)),
        _ => None,
    }
}

/// What it means if nobody was told what became of something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unanswered {
    /// There was time enough.
    Fault,
    /// It may be there or not.
    Fine,
}

pub fn check(
    rooms: &BTreeMap<RoomId, RoomLog>,
    witnesses: &[Witness],
    unanswered: Unanswered,
) -> Findings {
    let mut found = Findings::default();
    let mut places: HashMap<(&UserId, &Nonce), (&RoomId, u64, &Event)> = HashMap::new();
    let mut said = HashSet::new();
    for (id, room) in rooms {
        let mut expected = 1;
        for event in &room.events {
            found.events += 1;
            let seq = event.place().map_or(0, |(_, seq)| seq);
            if seq != expected {
                found.gaps += 1;
                found.say(|| format!("{id}: {seq} comes where {expected} should"));
            }
            expected = seq + 1;
            if let Some(name) = named(event)
                && places.insert(name, (id, seq, event)).is_some()
            {
                found.doubled += 1;
                found.say(|| format!("{id}: {seq} has the name {name:?} of another"));
            }
            if let Event::Message(message) = event
                && let Some(text) = &message.text
                && !said.insert((&message.by, text))
            {
                found.doubled += 1;
                found.say(|| format!("{id}: {seq} says what its author said before: {text}"));
            }
        }
    }
    for witness in witnesses {
        judge(rooms, witness, &places, unanswered, &mut found);
        for (room, timeline) in &witness.sees {
            let Some(log) = rooms.get(room) else { continue };
            if let Err(why) = same(timeline, log) {
                found.unlike += 1;
                found.say(|| format!("{} sees {room} otherwise: {why}", witness.user));
            }
        }
    }
    let by_user: HashMap<&UserId, HashSet<&Nonce>> = witnesses
        .iter()
        .map(|witness| (&witness.user, witness.issued.iter().map(|issued| &issued.nonce).collect()))
        .collect();
    for ((by, nonce), (room, seq, _)) in &places {
        if by_user.get(by).is_some_and(|known| !known.contains(nonce)) {
            found.other += 1;
            found.say(|| format!("{room}: {by} never said {seq}"));
        }
    }
    found
}

fn judge(
    rooms: &BTreeMap<RoomId, RoomLog>,
    witness: &Witness,
    places: &HashMap<(&UserId, &Nonce), (&RoomId, u64, &Event)>,
    unanswered: Unanswered,
    found: &mut Findings,
) {
    let user = &witness.user;
    let mut last: HashMap<&RoomId, u64> = HashMap::new();
    for issued in witness.issued {
        let Issued { room, nonce, act, fate } = issued;
        let place = places.get(&(user, nonce));
        if let Some((_, seq, _)) = place {
            let before = last.entry(room).or_default();
            if *before > *seq {
                found.disorder += 1;
                found.say(|| format!("{room}: {user}'s {nonce} is at {seq}, before {before}"));
            }
            *before = *seq;
        }
        match (fate, place) {
            (Fate::Acked(told), Some((at, seq, event))) => {
                found.acked += 1;
                if *told != Some(*seq) || *at != room {
                    found.misplaced += 1;
                    found.say(|| {
                        format!("{room}: {nonce} was acked at {told:?} and is at {seq} of {at}")
                    });
                }
                if !is_it(act, event) {
                    found.lost += 1;
                    found.say(|| format!("{room}: {nonce} is there as something else: {event:?}"));
                }
            }
            (Fate::Acked(_), None) if reacted(rooms, issued, user) => found.acked += 1,
            (Fate::Acked(told), None) => {
                found.acked += 1;
                found.lost += 1;
                found.say(|| format!("{room}: {user}'s {nonce}, acked at {told:?}, is lost"));
            }
            // Somebody else's message may have been deleted meanwhile.
            (Fate::Refused(why), None)
                if matches!(act, Act::React(..)) && why.starts_with("gone") => {}
            (Fate::Refused(why), _) => {
                found.other += 1;
                found.say(|| format!("{room}: {user}'s {nonce} was refused: {why}"));
            }
            (Fate::Open, _) if unanswered == Unanswered::Fine => {}
            (Fate::Open, _) => {
                found.other += 1;
                found.say(|| format!("{room}: {user}'s {nonce} was never answered"));
            }
        }
    }
}

fn is_it(act: &Act, event: &Event) -> bool {
    match (act, event) {
        // What was deleted has no text any more.
        (Act::Send(text), Event::Message(message)) => {
            message.text.as_ref().is_none_or(|said| said == text)
        }
        (Act::Edit(m, text), Event::Changed(change)) => {
            change.m == *m
                && matches!(&change.op, Op::Edit(said) if said.as_ref().is_none_or(|said| said == text))
        }
        (Act::Delete(m), Event::Changed(change)) => change.m == *m && change.op == Op::Delete,
        (Act::React(m, emoji), Event::Changed(change)) => {
            change.m == *m && change.op == Op::React(emoji.clone())
        }
        _ => false,
    }
}

/// What was so already is acknowledged, and needs no event of its own.
fn reacted(rooms: &BTreeMap<RoomId, RoomLog>, issued: &Issued, user: &UserId) -> bool {
    let Act::React(m, emoji) = &issued.act else { return false };
    let events = rooms.get(&issued.room).map_or(&[][..], |room| &room.events);
    events.iter().any(|event| {
        matches!(event, Event::Changed(change)
            if change.m == *m && change.by == *user && change.op == Op::React(emoji.clone()))
    })
}

/// Whether a transcript is the log.
pub fn same(timeline: &Timeline, log: &RoomLog) -> Result<(), String> {
    let head = log.events.len() as u64;
    match timeline.ranges() {
        [] if head == 0 => {}
        [one] if one.low <= 1 && one.high == head => {}
        ranges => return Err(format!("it has {ranges:?} of 1 to {head}")),
    }
    if timeline.len() != log.messages.len() {
        return Err(format!("{} messages, not {}", timeline.len(), log.messages.len()));
    }
    for (seen, current) in timeline.messages().zip(log.messages.values()) {
        if !equal(seen, current) {
            return Err(format!("{seen:?} is {current:?}"));
        }
    }
    Ok(())
}

fn equal(seen: &Message, current: &Current) -> bool {
    let Current { message, rev, edits, pinned, reactions } = current;
    let counts = |message: &Message| -> Vec<(String, u64)> {
        let reactions = message.reactions.iter();
        let mut counts: Vec<_> =
            reactions.map(|reaction| (reaction.emoji.to_string(), reaction.count)).collect();
        counts.sort();
        counts
    };
    let mut counted: Vec<_> =
        reactions.iter().map(|(emoji, users)| (emoji.to_string(), users.len() as u64)).collect();
    counted.sort();
    (seen.m, seen.n, seen.rev, seen.at) == (message.seq, message.n, *rev, message.at)
        && (&seen.by, &seen.name) == (&message.by, &message.name)
        && (&seen.text, &seen.nonce, seen.reply) == (&message.text, &message.nonce, message.reply)
        && seen.deleted == current.is_deleted()
        && seen.edited != edits.is_empty()
        && seen.pinned == *pinned
        && counts(seen) == counted
}

#[cfg(test)]
mod tests {
    use super::*;
    use damso_chat::{Change, Message as Said};
    use damso_protocol::RoomId;

    fn said(seq: u64, nonce: &str) -> Event {
        Event::Message(Said {
            room: RoomId::lobby(),
            seq,
            n: seq,
            by: UserId::new("u"),
            name: "u".into(),
            at: 1,
            text: Some(format!("text {nonce}").into()),
            reply: None,
            mentions: Vec::new(),
            nonce: Some(Nonce::new(nonce)),
        })
    }

    fn issued(nonce: &str, fate: Fate) -> Issued {
        let act = Act::Send(format!("text {nonce}").into());
        Issued { room: RoomId::lobby(), nonce: Nonce::new(nonce), act, fate }
    }

    fn found(events: Vec<Event>, issued: &[Issued]) -> Findings {
        let mut log = RoomLog { events, ..RoomLog::default() };
        log.fold();
        let rooms = BTreeMap::from([(RoomId::lobby(), log)]);
        check(
            &rooms,
            &[Witness { user: UserId::new("u"), issued, sees: Vec::new() }],
            Unanswered::Fault,
        )
    }

    fn acked(seq: u64) -> Fate {
        Fate::Acked(Some(seq))
    }

    #[test]
    fn what_is_as_it_was_acked_is_clean() {
        let found = found(
            vec![said(1, "a"), said(2, "b")],
            &[issued("a", acked(1)), issued("b", acked(2))],
        );
        assert!(found.is_clean(), "{found:?}");
        assert_eq!((found.events, found.acked), (2, 2));
    }

    #[test]
    fn each_fault_is_found_and_counted_as_what_it_is() {
        let lost = found(vec![said(1, "a")], &[issued("a", acked(1)), issued("b", acked(2))]);
        assert_eq!((lost.lost, lost.acked), (1, 2));
        let doubled = found(vec![said(1, "a"), said(2, "a")], &[issued("a", acked(2))]);
        assert_eq!(doubled.doubled, 2, "by name and by text");
        assert_eq!(found(vec![said(1, "a"), said(3, "b")], &[]).gaps, 1);
        let order = [issued("b", acked(2)), issued("a", acked(1))];
        assert_eq!(found(vec![said(1, "a"), said(2, "b")], &order).disorder, 1);
        assert_eq!(found(vec![said(1, "a")], &[issued("a", acked(2))]).misplaced, 1);
        assert_eq!(found(vec![said(1, "a")], &[]).other, 1, "nobody said it");
        assert_eq!(found(Vec::new(), &[issued("a", Fate::Open)]).other, 1);
        assert_eq!(found(Vec::new(), &[issued("a", Fate::Refused("no".into()))]).other, 1);
    }

    #[test]
    fn a_transcript_without_a_change_is_not_the_log() {
        let change = Event::Changed(Change {
            room: RoomId::lobby(),
            seq: 2,
            m: 1,
            op: Op::Delete,
            by: UserId::new("u"),
            name: "u".into(),
            at: 1,
            nonce: Nonce::new("d"),
        });
        let mut log = RoomLog { events: vec![said(1, "a"), change], ..RoomLog::default() };
        log.fold();
        assert!(log.messages[&1].is_deleted());
        assert!(same(&Timeline::default(), &log).is_err());
        assert!(same(&Timeline::default(), &RoomLog::default()).is_ok());
    }
}
