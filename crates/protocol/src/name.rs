//! What people and rooms may be called (PROTOCOL section 6: nobody can forge a line).
//!
//! Two names are the same if they [`fold`] to the same text: NFKC, then lower case, without what
//! nobody sees. What is shown is the name as it was typed, in NFC and without space around it.

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
        || is_like_an_address(&folded);
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
    // What isn't seen tells no two names apart, though an emoji may need it.
    let seen = name.nfkc().filter(|character| !is_ignorable(*character));
    // Lowering may undo the normal form (as of "İ"), so it is made again.
    let lowered: String = seen.flat_map(char::to_lowercase).collect();
    let mut folded = String::with_capacity(lowered.len());
    for character in lowered.nfkc() {
        // Nor does the width of a space.
        if !character.is_whitespace() {
            folded.push(character);
        } else if !folded.ends_with(' ') {
            folded.push(' ');
        }
    }
    // What isn't seen may have kept a space from the end of the name.
    folded.trim().into()
}

/// Whether a folded name could be taken for a plain guest's, though no such address may exist.
fn is_like_an_address(folded: &str) -> bool {
    let Some((host, port)) = folded.rsplit_once(':') else { return false };
    let is_ipv4 = host.split('.').count() == 4
        && host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let is_ipv6 = host.starts_with('[') && host.ends_with(']');
    (is_ipv4 || is_ipv6) && port.bytes().all(|byte| byte.is_ascii_digit())
}

/// Unicode's property Default_Ignorable_Code_Point.
fn is_ignorable(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
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
    // Braille has a blank of its own.
    let blank = |character: char| character.is_whitespace() || character == '\u{2800}';
    if name.chars().all(|character| blank(character) || is_ignorable(character)) {
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
            "1.2.3.4:99999",
            "300.2.3.4:80",
            "[fe80:1%1]:80",
            // A joiner and a selector of variants aren't seen.
            "Adminis\u{200d}trator",
            "Administrator\u{fe0f}",
            "dam\u{34f}so",
            "Administrator :\u{200d}: x",
            "127.0.0.1:\u{e0100}80",
        ] {
            assert_eq!(person(name), Err(BadName::Misleading), "{name}");
        }
        for name in ["a\nb", "a\u{202e}b", "\u{200b}", "a\0", "\u{3164}"] {
            assert_eq!(person(name), Err(BadName::Unseen), "{name:?}");
        }
        for name in [" ", "\u{200d}", "\u{fe0f}", "\u{e0101} \u{34f}", "\u{2800}"] {
            assert_eq!(person(name), Err(BadName::Empty), "{name:?}");
        }
        assert_eq!(person(&"가".repeat(33)), Err(BadName::TooLong { limit: 32 }));
    }

    #[test]
    fn names_fold_to_one_form() {
        for (name, folded) in
            [("Anna", "anna"), ("ＡＮＮＡ", "anna"), ("민수", "민수"), ("ﬁ", "fi")]
        {
            assert_eq!(fold(name), folded);
        }
        // Nobody sees a difference.
        for name in [
            "김 철수",
            "김  철수",
            "김\u{3000}철수",
            "김 철\u{200d}수",
            "\u{200d} 김 철수 \u{fe0f}",
        ] {
            assert_eq!(fold(name), "김 철수", "{name:?}");
        }
    }

    #[test]
    fn a_topic_may_be_empty_and_a_room_may_not() {
        assert_eq!(topic("").as_deref(), Ok(""));
        assert_eq!(room(""), Err(BadName::Empty));
    }
}
