//! The plain dialect: `who :: message`, one line a text frame (PROTOCOL section 6).
//!
//! The separator is the first [`SEPARATOR`]. Since nobody may forge a line, a message's own line
//! breaks are indented, its control characters are replaced and its bidirectional controls are
//! dropped. The text itself is kept as it was written; these rules are for this dialect's way out.

/// Stands between the author and the message.
pub const SEPARATOR: &str = " :: ";

/// The name under which the operator's console speaks.
pub const ADMINISTRATOR: &str = "Administrator";

/// The name under which the server itself answers one peer.
pub const DAMSO: &str = "damso";

/// Appends `name :: text`, made safe, to `line`.
pub fn write_line(line: &mut String, name: &str, text: &str) {
    line.reserve(name.len() + SEPARATOR.len() + text.len());
    line.push_str(name);
    line.push_str(SEPARATOR);
    write_safe(line, text);
}

/// `name :: text`, made safe.
pub fn line(name: &str, text: &str) -> String {
    let mut line = String::new();
    write_line(&mut line, name, text);
    line
}

/// Whether nothing of `text` would be shown: it is empty or made of dropped characters alone.
pub fn is_blank(text: &str) -> bool {
    text.chars().all(is_bidi_control)
}

fn write_safe(line: &mut String, text: &str) {
    // What nearly every message is needs no look at its characters one by one.
    if text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        line.push_str(text);
        return;
    }
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\r' => {
                characters.next_if_eq(&'\n');
                line.push_str("\n    ");
            }
            '\n' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                line.push_str("\n    ");
            }
            '\t' => line.push('\t'),
            bidi if is_bidi_control(bidi) => {}
            control if control.is_control() => line.push(char::REPLACEMENT_CHARACTER),
            other => line.push(other),
        }
    }
}

/// Unicode's property Bidi_Control.
fn is_bidi_control(character: char) -> bool {
    matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(line("a", text), format!("a :: {expected}"));
    }

    #[test]
    fn ordinary_text_goes_out_as_typed() {
        check("hello", "hello");
        check("안녕하세요, 담소입니다", "안녕하세요, 담소입니다");
        check("a :: b", "a :: b");
        check("<b>&amp;</b> \"quoted\"", "<b>&amp;</b> \"quoted\"");
        check("👩‍👩‍👧‍👦 e\u{301}", "👩‍👩‍👧‍👦 e\u{301}");
        check("col\tcol", "col\tcol");
    }

    #[test]
    fn a_line_break_of_any_kind_is_indented() {
        for line_break in ["\n", "\r", "\r\n", "\u{b}", "\u{c}", "\u{85}", "\u{2028}", "\u{2029}"] {
            check(&format!("x{line_break}Administrator :: y"), "x\n    Administrator :: y");
        }
        check("\n\r", "\n    \n    ");
    }

    #[test]
    fn controls_are_replaced_and_bidirectional_ones_dropped() {
        check("\u{1b}[31mred\0\u{7f}\u{9b}", "\u{fffd}[31mred\u{fffd}\u{fffd}\u{fffd}");
        check("a\u{202e}b\u{2066}c\u{200f}d\u{61c}", "abcd");
    }

    #[test]
    fn only_dropped_characters_are_blank() {
        assert!(is_blank(""));
        assert!(is_blank("\u{202e}\u{200e}"));
        assert!(!is_blank(" "));
        assert!(!is_blank("ㅋ"));
    }
}
