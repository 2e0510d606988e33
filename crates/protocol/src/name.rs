//! What people and rooms may be called (PROTOCOL section 6: nobody can forge a line).
//!
//! Two names are the same if they [`fold`] to the same text: NFKC, then lower case. What is shown
//! is the name as it was typed, in NFC and without space around it.

use std::net::SocketAddr;
use unicode_normalization::UnicodeNormalization as _;

/// The longest name of a person, in characters.
pub const PERSON_CHARS_MAX: usize = 32;

/// The longest name of a room, in characters.
pub const ROOM_CHARS_MAX: usize = 80;

/// The longest topic of a room, in characters.
pub const TOPIC_CHARS_MAX: usize = 250;

/// Names that are the server's own, folded: of its voices, and of what a mention can call.
const RESERVED: [&str; 8] =
    ["administrator", "damso", "operator", "system", "room", "here", "everyone", "all"];

/// Why a name can't be had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BadName {
    /// Nothing of it would be seen.
    Empty,
    /// It has more characters than it may.
    TooLong {
        /// How many it may have.
        limit: usize,
    },
    /// It has a control, a line break or a character that isn't seen.
    Unseen,
    /// It could be taken for somebody else's line: a reserved name, an address, or `::`.
    Misleading,
}

/// A person's name, as it is shown.
///
/// # Errors
/// What is wrong with it.
pub fn person(text: &str) -> Result<String, BadName> {
    let name = seen(text, PERSON_CHARS_MAX)?;
    let folded = fold(&name);
    let misleading = RESERVED.contains(&folded.as_str())
        || folded.contains("::")
        || folded.starts_with(['@', '#'])
        || folded.parse::<SocketAddr>().is_ok();
    if misleading { Err(BadName::Misleading) } else { Ok(name) }
}

/// A room's name, as it is shown.
///
/// # Errors
/// What is wrong with it.
pub fn room(text: &str) -> Result<String, BadName> {
    seen(text, ROOM_CHARS_MAX)
}

/// A room's topic, as it is shown; it may be empty.
///
/// # Errors
/// What is wrong with it.
pub fn topic(text: &str) -> Result<String, BadName> {
    match seen(text, TOPIC_CHARS_MAX) {
        Err(BadName::Empty) => Ok(String::new()),
        other => other,
    }
}

/// The form by which names are compared.
pub fn fold(name: &str) -> String {
    // Lowering may undo the normal form (as of "İ"), so it is made again.
    let lowered: String = name.nfkc().flat_map(char::to_lowercase).collect();
    lowered.nfkc().collect()
}

fn seen(text: &str, chars_max: usize) -> Result<String, BadName> {
    let name: String = text.trim().nfc().collect();
    // A joiner inside an emoji is one that isn't seen either, but people have such names.
    let unseen = |character: char| {
        character.is_control()
            || matches!(character,
                '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200c}'
                | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e001f}')
    };
    if name.chars().any(unseen) {
        return Err(BadName::Unseen);
    }
    if name.chars().all(|character| character.is_whitespace() || character == '\u{200d}') {
        return Err(BadName::Empty);
    }
    if name.chars().count() > chars_max {
        return Err(BadName::TooLong { limit: chars_max });
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_pass_as_they_are() {
        for name in ["민수", "Anna", "김 철수", "O'Neil", "a", "👩‍👩‍👧‍👦", "room2"]
        {
            assert_eq!(person(name).as_deref(), Ok(name));
        }
        assert_eq!(person("  민수 ").as_deref(), Ok("민수"));
        // Typed in jamo, as some systems do.
        assert_eq!(person("\u{1112}\u{1161}\u{11ab}").as_deref(), Ok("한"));
    }

    #[test]
    fn names_that_could_be_taken_for_another_are_refused() {
        for name in [
            "Administrator",
            "ADMINISTRATOR",
            "ａｄｍｉｎｉｓｔｒａｔｏｒ",
            "damso",
            "Here",
            "127.0.0.1:80",
            "[::1]:8765",
            "a :: b",
            "a ：： b",
            "@anna",
            "１２７.0.0.1：80",
        ] {
            assert_eq!(person(name), Err(BadName::Misleading), "{name}");
        }
        for name in ["a\nb", "a\u{202e}b", "\u{200b}", "a\0", "\u{3164}"] {
            assert_eq!(person(name), Err(BadName::Unseen), "{name:?}");
        }
        assert_eq!(person(" "), Err(BadName::Empty));
        assert_eq!(person(&"가".repeat(33)), Err(BadName::TooLong { limit: 32 }));
    }

    #[test]
    fn names_fold_to_one_form() {
        for (name, folded) in
            [("Anna", "anna"), ("ＡＮＮＡ", "anna"), ("민수", "민수"), ("ﬁ", "fi")]
        {
            assert_eq!(fold(name), folded);
        }
    }

    #[test]
    fn a_topic_may_be_empty_and_a_room_may_not() {
        assert_eq!(topic("").as_deref(), Ok(""));
        assert_eq!(room(""), Err(BadName::Empty));
    }
}
