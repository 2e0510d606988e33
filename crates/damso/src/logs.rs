//! What is written for the operator is a line, whatever peers put into it: nothing they send can
//! end a line, move the cursor, or turn the direction of what follows.

use std::borrow::Cow;
use std::io::{self, Write};

/// `text` with every character escaped that a terminal acts on instead of showing it: C0 and C1
/// controls, line breaks of any kind, and Unicode's bidirectional controls.
pub fn escaped(text: &str) -> Cow<'_, str> {
    without(text, acts)
}

/// The same for a text of several lines: its line breaks and tabs stay.
pub fn escaped_lines(text: &str) -> Cow<'_, str> {
    without(text, |character| acts(character) && !"\n\t".contains(character))
}

fn without(text: &str, acts: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&acts) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if acts(character) {
            safe.extend(character.escape_default());
        } else {
            safe.push(character);
        }
    }
    Cow::Owned(safe)
}

fn acts(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
        )
}

/// Stderr for a log: what is written at once is one event, and becomes one line.
pub struct Stderr;

impl Write for Stderr {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        io::stderr().write_all(format!("{}\n", escaped(text)).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal_is_written_out() {
        for (text, expected) in [
            ("안녕 👩‍👩‍👧 é \"q\" \\", "안녕 👩‍👩‍👧 é \"q\" \\"),
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("a\r\nWARN b\tc", "a\\r\\nWARN b\\tc"),
            ("\u{9b}2J\u{7f}\u{85}\0", "\\u{9b}2J\\u{7f}\\u{85}\\u{0}"),
            ("x\u{202e}y\u{2066}z\u{200f}\u{2028}", "x\\u{202e}y\\u{2066}z\\u{200f}\\u{2028}"),
        ] {
            assert_eq!(escaped(text), expected);
        }
    }

    #[test]
    fn a_text_of_several_lines_keeps_its_lines() {
        let text = "a\tb\n\u{1b}[2J\r\u{202e}c\n";
        assert_eq!(escaped_lines(text), "a\tb\n\\u{1b}[2J\\r\\u{202e}c\n");
    }
}
