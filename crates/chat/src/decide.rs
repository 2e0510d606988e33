//! The judge: permission, idempotence, mutes and the room's next `seq`, in log order and never
//! earlier.

use crate::command::{Command, Entry};
use crate::event::{Event, Message};
use crate::permission;
use crate::refusal::Refusal;
use crate::state::State;
use damso_protocol::{Nonce, RoomId, UserId};

/// What an accepted command came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Accepted {
    /// The room.
    pub room: RoomId,
    /// The message's `seq` there.
    pub seq: u64,
    /// When, in ms since 1970.
    pub at: u64,
    /// Its text, to tell a repetition from another message under the same nonce.
    pub text: std::sync::Arc<str>,
}

/// The cold question that judging may have to ask of what is recorded.
pub trait Lookup {
    /// The first result of this author's command of that name.
    fn accepted(&self, author: &UserId, nonce: &Nonce) -> Option<Accepted>;
}

/// The judge's word.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Decision {
    /// It happened just now.
    New(Event),
    /// It had happened before: the author repeats itself, and gets the first result.
    Repeated(Accepted),
}

/// Judges `entry` against `state` at `at` (log time, ms since 1970). Pure: the same arguments give
/// the same answer, and the caller applies the event before it asks again.
///
/// # Errors
/// The [`Refusal`]; nothing happened then, and a refused nonce may be tried again.
pub fn decide(
    state: &State,
    lookup: &dyn Lookup,
    entry: &Entry,
    at: u64,
) -> Result<Decision, Refusal> {
    permission::check(state, &entry.author, &entry.command, at)?;
    let by = entry.author.user.clone();
    let event = match &entry.command {
        Command::Send { room, nonce, text } => {
            let place = state.room(room).ok_or(Refusal::NotFound)?;
            let before = nonce.as_ref().and_then(|nonce| lookup.accepted(&by, nonce));
            if let Some(first) = before {
                return if first.room == *room && first.text == *text {
                    Ok(Decision::Repeated(first))
                } else {
                    Err(Refusal::NonceReused)
                };
            }
            Event::Message(Message {
                room: room.clone(),
                seq: place.head + 1,
                n: place.n + 1,
                by,
                name: entry.author.name.clone(),
                at,
                text: text.clone(),
                nonce: nonce.clone(),
            })
        }
        Command::Ban { address, minutes } => {
            Event::Banned { address: *address, until: end(*minutes, at), by, at }
        }
        Command::Unban { address } => {
            if !state.has_ban(*address) {
                return Err(Refusal::NotFound);
            }
            Event::Unbanned { address: *address, by, at }
        }
        Command::Mute { target, minutes } => {
            Event::Muted { target: target.clone(), until: end(*minutes, at), by, at }
        }
        Command::Unmute { target } => {
            if !state.has_mute(target) {
                return Err(Refusal::NotFound);
            }
            Event::Unmuted { target: target.clone(), by, at }
        }
    };
    Ok(Decision::New(event))
}

/// When something ends that begins at `at`; none: never.
fn end(minutes: Option<u64>, at: u64) -> Option<u64> {
    minutes.map(|minutes| at.saturating_add(minutes.saturating_mul(60_000)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Author, Role, Target};
    use std::collections::HashMap;

    #[derive(Default)]
    struct Remembered(HashMap<(UserId, Nonce), Accepted>);

    impl Lookup for Remembered {
        fn accepted(&self, author: &UserId, nonce: &Nonce) -> Option<Accepted> {
            self.0.get(&(author.clone(), nonce.clone())).cloned()
        }
    }

    fn guest(name: &str) -> Author {
        Author {
            user: UserId::new(name),
            name: name.into(),
            role: Role::Guest,
            address: Some([10, 0, 0, 7].into()),
        }
    }

    fn operator() -> Author {
        Author {
            user: UserId::new("operator"),
            name: "Administrator".into(),
            role: Role::Operator,
            address: None,
        }
    }

    fn send(author: Author, text: &str, nonce: Option<&str>) -> Entry {
        let (room, nonce) = (RoomId::lobby(), nonce.map(Nonce::new));
        Entry { author, command: Command::Send { room, nonce, text: text.into() } }
    }

    /// Judges and, like a log, applies and remembers.
    fn commit(
        state: &mut State,
        log: &mut Remembered,
        entry: Entry,
        at: u64,
    ) -> Result<u64, Refusal> {
        match decide(state, log, &entry, at)? {
            Decision::Repeated(first) => Ok(first.seq),
            Decision::New(event) => {
                state.apply(&event);
                let Event::Message(message) = event else { return Ok(0) };
                if let Some(nonce) = message.nonce {
                    let Message { room, seq, at, text, .. } = message;
                    log.0.insert((message.by, nonce), Accepted { room, seq, at, text });
                }
                Ok(message.seq)
            }
        }
    }

    #[test]
    fn messages_are_numbered_from_one_with_no_hole() {
        let (mut state, mut log) = (State::new(), Remembered::default());
        for seq in 1..=5 {
            assert_eq!(commit(&mut state, &mut log, send(guest("a"), "hi", None), 9), Ok(seq));
        }
        assert_eq!(state.room(&RoomId::lobby()).unwrap().head, 5);
    }

    #[test]
    fn the_same_nonce_gives_the_first_result_and_another_text_is_refused() {
        let (mut state, mut log) = (State::new(), Remembered::default());
        let mut say =
            |who, text, nonce| commit(&mut state, &mut log, send(guest(who), text, Some(nonce)), 9);
        assert_eq!(say("a", "hi", "n1"), Ok(1));
        assert_eq!(say("a", "there", "n2"), Ok(2));
        assert_eq!(say("a", "hi", "n1"), Ok(1));
        assert_eq!(say("a", "other", "n1"), Err(Refusal::NonceReused));
        assert_eq!(say("b", "hi", "n1"), Ok(3), "a nonce is its author's own");
    }

    #[test]
    fn a_refused_nonce_may_be_tried_again() {
        let (mut state, mut log) = (State::new(), Remembered::default());
        let mute = Command::Mute { target: Target::User(UserId::new("a")), minutes: Some(1) };
        commit(&mut state, &mut log, Entry { author: operator(), command: mute }, 10).unwrap();
        let again = || send(guest("a"), "hi", Some("n"));
        assert_eq!(
            commit(&mut state, &mut log, again(), 50),
            Err(Refusal::Muted { until: Some(60_010) })
        );
        assert_eq!(commit(&mut state, &mut log, again(), 60_010), Ok(1));
    }

    #[test]
    fn a_banned_address_may_not_write_and_an_unbanned_one_may() {
        let (mut state, mut log) = (State::new(), Remembered::default());
        let address = [10, 0, 0, 7].into();
        let ban = Entry { author: operator(), command: Command::Ban { address, minutes: None } };
        let unban = Entry { author: operator(), command: Command::Unban { address } };
        commit(&mut state, &mut log, ban, 1).unwrap();
        let refused = commit(&mut state, &mut log, send(guest("a"), "hi", None), 2);
        assert_eq!(refused, Err(Refusal::Banned));
        commit(&mut state, &mut log, unban.clone(), 3).unwrap();
        assert_eq!(commit(&mut state, &mut log, unban, 4), Err(Refusal::NotFound));
        assert_eq!(commit(&mut state, &mut log, send(guest("a"), "hi", None), 5), Ok(1));
    }

    #[test]
    fn a_guest_may_not_do_what_is_the_operators() {
        let address = [10, 0, 0, 8].into();
        let target = Target::Address(address);
        for command in [
            Command::Ban { address, minutes: None },
            Command::Unban { address },
            Command::Mute { target: target.clone(), minutes: None },
            Command::Unmute { target },
        ] {
            let entry = Entry { author: guest("a"), command };
            let refused = decide(&State::new(), &Remembered::default(), &entry, 1);
            assert_eq!(refused, Err(Refusal::Forbidden));
        }
    }

    #[test]
    fn a_room_that_is_not_there_is_not_made_by_talking_to_it() {
        let command = Command::Send { room: RoomId::new("attic"), nonce: None, text: "boo".into() };
        let entry = Entry { author: operator(), command };
        let refused = decide(&State::new(), &Remembered::default(), &entry, 1);
        assert_eq!(refused, Err(Refusal::NotFound));
    }
}
