//! The log with nothing on disk, for trials and tests: it ends with the process.

use crate::{Fatal, Log, Outcome};
use damso_chat::decide::{Accepted, Lookup, decide};
use damso_chat::{Decision, Entry, Event, Message, State};
use damso_protocol::{Nonce, UserId};
use std::collections::{HashMap, VecDeque};

/// How many accepted nonces are remembered. A log on disk remembers all of them; this one has to
/// stay bounded.
const NONCES_MAX: usize = 100_000;

/// A log in memory. It keeps the state and the newest accepted nonces; messages live on in the
/// rooms' feeds alone.
#[derive(Default)]
pub struct Memory {
    state: State,
    accepted: Nonces,
    last_at: u64,
}

impl Memory {
    /// An empty log.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Log for Memory {
    fn append(&mut self, entries: Vec<Entry>, now: u64) -> Result<Vec<Outcome>, Fatal> {
        self.last_at = self.last_at.max(now);
        let mut outcomes = Vec::with_capacity(entries.len());
        for entry in entries {
            let outcome = decide(&self.state, &self.accepted, &entry, self.last_at);
            if let Ok(Decision::New(event)) = &outcome {
                self.state.apply(event);
                self.accepted.remember(event);
            }
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    fn state(&self) -> &State {
        &self.state
    }
}

#[derive(Default)]
struct Nonces {
    by_name: HashMap<(UserId, Nonce), Accepted>,
    oldest_first: VecDeque<(UserId, Nonce)>,
}

impl Nonces {
    fn remember(&mut self, event: &Event) {
        let Event::Message(Message { room, seq, at, text, by, nonce: Some(nonce), .. }) = event
        else {
            return;
        };
        if self.oldest_first.len() == NONCES_MAX
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.by_name.remove(&oldest);
        }
        let name = (by.clone(), nonce.clone());
        let accepted = Accepted { room: room.clone(), seq: *seq, at: *at, text: text.clone() };
        self.by_name.insert(name.clone(), accepted);
        self.oldest_first.push_back(name);
    }
}

impl Lookup for Nonces {
    fn accepted(&self, author: &UserId, nonce: &Nonce) -> Option<Accepted> {
        self.by_name.get(&(author.clone(), nonce.clone())).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use damso_chat::{Author, Command, Refusal, Role};
    use damso_protocol::RoomId;

    fn say(text: &str, nonce: Option<&str>) -> Entry {
        let author = Author {
            user: UserId::new("a"),
            name: "a".into(),
            role: Role::Guest,
            address: Some([127, 0, 0, 1].into()),
        };
        let nonce = nonce.map(Nonce::new);
        Entry { author, command: Command::Send { room: RoomId::lobby(), nonce, text: text.into() } }
    }

    #[test]
    fn within_a_batch_each_entry_is_judged_after_the_ones_before() {
        let mut log = Memory::new();
        let batch =
            vec![say("x", Some("n")), say("x", Some("n")), say("y", Some("n")), say("z", None)];
        let outcomes = log.append(batch, 7).unwrap();
        assert!(
            matches!(&outcomes[0], Ok(Decision::New(Event::Message(message))) if message.seq == 1)
        );
        assert!(matches!(&outcomes[1], Ok(Decision::Repeated(first)) if first.seq == 1));
        assert_eq!(outcomes[2], Err(Refusal::NonceReused));
        assert!(
            matches!(&outcomes[3], Ok(Decision::New(Event::Message(message))) if message.seq == 2)
        );
        assert_eq!(log.state().room(&RoomId::lobby()).unwrap().head, 2);
    }

    #[test]
    fn time_never_goes_back() {
        let mut log = Memory::new();
        log.append(vec![say("x", None)], 100).unwrap();
        let outcomes = log.append(vec![say("y", None)], 50).unwrap();
        assert!(
            matches!(&outcomes[0], Ok(Decision::New(Event::Message(message))) if message.at == 100)
        );
    }
}
