//! What authors called their commands.

use damso_chat::decide::Accepted;
use damso_chat::{Event, fingerprint};
use damso_protocol::{Nonce, UserId};
use std::collections::{HashMap, VecDeque};

/// How many accepted nonces are remembered. A log on disk remembers all of them; this one has to
/// stay bounded.
const NONCES_MAX: usize = 100_000;

/// The newest accepted nonces.
#[derive(Default)]
pub(super) struct Nonces {
    by_name: HashMap<(UserId, Nonce), Accepted>,
    oldest_first: VecDeque<(UserId, Nonce)>,
}

impl Nonces {
    pub(super) fn remember(&mut self, event: &Event) {
        let Some((author, nonce, fingerprint)) = fingerprint::of_event(event) else { return };
        let (Some((room, seq)), Some(at)) = (event.place(), event.at()) else { return };
        if self.oldest_first.len() == NONCES_MAX
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.by_name.remove(&oldest);
        }
        let name = (author.clone(), nonce.clone());
        let accepted = Accepted { room: room.clone(), seq, at, fingerprint };
        self.by_name.insert(name.clone(), accepted);
        self.oldest_first.push_back(name);
    }

    pub(super) fn get(&self, author: &UserId, nonce: &Nonce) -> Option<Accepted> {
        self.by_name.get(&(author.clone(), nonce.clone())).cloned()
    }
}
