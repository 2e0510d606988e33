//! Whom a text calls: `@name`, `@room`, `@here`.

use crate::event::Mention;
use crate::state::State;
use damso_protocol::{RoomId, name};

/// So many are called by one message at most; the others' names are just text.
const MENTIONS_MAX: usize = 20;

/// After so many an `@` is just text: each may be the beginning of as many names as a name has
/// characters, and whoever judges has no more time for one message than for another.
const SIGNS_MAX: usize = 50;

/// Whom `text`, said in `room`, calls: members by the longest of their names that stands after an
/// `@`, so that a Korean particle may follow it (`@민수님`); everybody only if `calls_all`.
pub fn find(state: &State, room: &RoomId, text: &str, calls_all: bool) -> Vec<Mention> {
    let mut found = Vec::new();
    let mut before = None;
    let mut signs = 0;
    for (at, character) in text.char_indices() {
        // Not within a word, as in an address of mail.
        let begins = character == '@' && !before.is_some_and(char::is_alphanumeric);
        before = Some(character);
        if !begins {
            continue;
        }
        signs += 1;
        if signs > SIGNS_MAX {
            break;
        }
        let Some(mention) = called(state, room, &text[at + 1..]) else { continue };
        if matches!(mention, Mention::Room | Mention::Here) && !calls_all {
            continue;
        }
        if !found.contains(&mention) {
            found.push(mention);
        }
        if found.len() == MENTIONS_MAX {
            break;
        }
    }
    found
}

/// Whom a text after an `@` calls.
fn called(state: &State, room: &RoomId, text: &str) -> Option<Mention> {
    if text.starts_with(char::is_whitespace) {
        return None;
    }
    let mut ends: Vec<usize> = text
        .char_indices()
        .map(|(at, character)| at + character.len_utf8())
        .take(name::PERSON_CHARS_MAX)
        .collect();
    while let Some(end) = ends.pop() {
        let (name, rest) = text.split_at(end);
        let latin = |character: char| character.is_ascii_alphanumeric() || character == '_';
        // `@anna` doesn't call Ann.
        if name.ends_with(latin) && rest.starts_with(latin) || name.ends_with(char::is_whitespace) {
            continue;
        }
        match name {
            "room" => return Some(Mention::Room),
            "here" => return Some(Mention::Here),
            _ => {}
        }
        if let Some(user) = state.user_named(name)
            && state.membership(room, user).is_some()
        {
            return Some(Mention::User(user.clone()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::KeyHash;
    use crate::event::Event;

    #[test]
    fn a_message_of_nothing_but_signs_is_not_read_to_its_end() {
        let (mut state, user) = (State::new(), damso_protocol::UserId::new("u1"));
        let (name, key) = ("민수".into(), KeyHash([0; 32]));
        state.apply(&Event::Registered { user: user.clone(), name, key, at: 1 });
        for (signs, called) in [(SIGNS_MAX - 1, vec![Mention::User(user)]), (SIGNS_MAX, vec![])] {
            let text = format!("{}@민수", "@".repeat(signs));
            assert_eq!(find(&state, &RoomId::lobby(), &text, false), called);
        }
        assert_eq!(find(&state, &RoomId::lobby(), "@ 민수", false), []);
    }
}
