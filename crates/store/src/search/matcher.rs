//! Whether a text has what is looked for, and where. The index proposes; this decides.

use super::text::{self, Mapped, Phrase};
use damso_chat::Message;
use damso_chat::hub::Sought;
use damso_chat::search::Has;
use std::ops::Range;

/// What is looked for, ready to be compared with texts.
pub(crate) struct Matcher<'a> {
    sought: &'a Sought,
    /// The terms, folded.
    terms: Vec<String>,
}

impl<'a> Matcher<'a> {
    pub(crate) fn new(sought: &'a Sought) -> Self {
        let folded = sought.terms.iter().map(|term| text::fold(term).trim().to_owned());
        // What nothing is left of asks for nothing.
        Self { sought, terms: folded.filter(|term| !term.is_empty()).collect() }
    }

    /// What the index can be asked for.
    pub(super) fn phrases(&self) -> impl Iterator<Item = Phrase> {
        let phrases = self.terms.iter().map(|term| text::phrase(term));
        phrases.filter(|phrase| !phrase.tokens.is_empty())
    }

    /// Whether nothing at all is asked for.
    pub(crate) fn is_empty(&self) -> bool {
        let Sought { by, said_before, said_since, has, .. } = self.sought;
        let filters = by.is_some() || said_before.is_some() || said_since.is_some();
        self.terms.is_empty() && !filters && has.is_empty()
    }

    /// Where in the text of a message the terms stand, as offsets in UTF-16 code units, rising and
    /// apart; none if the message isn't one of those that are looked for.
    pub(crate) fn marks(&self, message: &Message) -> Option<Vec<(usize, usize)>> {
        let text = message.text.as_deref()?;
        let Sought { by, said_before, said_since, has, .. } = self.sought;
        let fits = by.as_ref().is_none_or(|by| *by == message.by)
            && said_before.is_none_or(|end| message.at < end)
            && said_since.is_none_or(|start| message.at >= start)
            && has.iter().all(|has| is_there(*has, message, text));
        if !fits {
            return None;
        }
        let folded = Mapped::new(text);
        // All have to be there before it is worth while to find out where all of them are.
        if self.terms.iter().any(|term| places(&folded.text, term).next().is_none()) {
            return None;
        }
        let marks = self.terms.iter().flat_map(|term| places(&folded.text, term));
        let marks = marks.map(|place| folded.original(place)).collect();
        Some(in_utf16(text, joined(marks)))
    }
}

/// Whether a message has this.
fn is_there(has: Has, message: &Message, text: &str) -> bool {
    match has {
        Has::Reply => message.reply.is_some(),
        _ => has_in(has, text),
    }
}

/// Whether a text has a link, or something between backticks.
pub(super) fn has_in(has: Has, text: &str) -> bool {
    match has {
        Has::Link => ["http://", "https://"].into_iter().any(|scheme| {
            let after = |at: usize| text[at + scheme.len()..].chars().next();
            let mut found = text.match_indices("://").filter_map(|(at, _)| {
                let start = (at + 3).checked_sub(scheme.len())?;
                let is_one = text.get(start..at + 3)?.eq_ignore_ascii_case(scheme);
                is_one.then(|| after(start)).flatten()
            });
            found.any(|next| !next.is_whitespace())
        }),
        Has::Code => {
            let mut parts = text.split('`');
            let _ = parts.next();
            // Between two backticks: not the last part, which none ends.
            let parts: Vec<&str> = parts.collect();
            parts.split_last().is_some_and(|(_, inner)| inner.iter().any(|part| !part.is_empty()))
        }
        Has::Reply => false,
    }
}

/// Where a folded term stands in a folded text; places may overlap.
fn places<'a>(text: &'a str, term: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
    let step = term.chars().next().map_or(1, char::len_utf8);
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let at = from + text.get(from..)?.find(term)?;
            from = at + step;
            if text::begins_at(text, at, term) {
                return Some(at..at + term.len());
            }
        }
    })
}

/// Ranges in rising order, with those that touch or overlap made one.
fn joined(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_unstable_by_key(|range| (range.start, range.end));
    let mut joined: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

/// Byte ranges, rising and apart, as ranges of UTF-16 code units.
fn in_utf16(text: &str, ranges: Vec<Range<usize>>) -> Vec<(usize, usize)> {
    let (mut bytes, mut units) = (0, 0);
    let mut place = |at: usize| {
        units += text[bytes..at].chars().map(char::len_utf16).sum::<usize>();
        bytes = at;
        units
    };
    ranges.into_iter().map(|range| (place(range.start), place(range.end))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, terms: &[&str], expected: Option<&[(usize, usize)]>) {
        let sought = Sought {
            places: Vec::new(),
            terms: terms.iter().map(|term| (*term).into()).collect(),
            by: None,
            said_before: None,
            said_since: None,
            has: Vec::new(),
            limit: 20,
            before: None,
        };
        let message = Message {
            room: damso_protocol::RoomId::lobby(),
            seq: 1,
            n: 1,
            by: damso_protocol::UserId::new("u"),
            name: "u".into(),
            at: 0,
            text: Some(text.into()),
            reply: None,
            mentions: Vec::new(),
            nonce: None,
        };
        let marks = Matcher::new(&sought).marks(&message);
        assert_eq!(marks.as_deref(), expected, "{text} {terms:?}");
    }

    #[test]
    fn korean_is_found_inside_and_words_by_their_beginning() {
        check("서버장애 발생", &["장애"], Some(&[(2, 4)]));
        check("the Servers", &["server"], Some(&[(4, 10)]));
        check("observer", &["server"], None);
        check("server 장애", &["장애", "ser"], Some(&[(0, 3), (7, 9)]));
        check("server", &["server", "장애"], None);
    }

    #[test]
    fn marks_count_utf16_and_join_where_they_touch() {
        check("🎉🎉ㅋㅋㅋ", &["ㅋㅋ"], Some(&[(4, 7)]));
        check("🎉 x", &["x"], Some(&[(3, 4)]));
        check("가나다", &["가나", "다"], Some(&[(0, 3)]));
        check("\u{1112}\u{1161}\u{11ab}글", &["한"], Some(&[(0, 3)]));
    }

    #[test]
    fn a_phrase_is_found_over_any_space_and_a_word_without_letters_as_it_is() {
        check("the  big\nserver", &["big server"], Some(&[(5, 15)]));
        check("bigserver", &["big server"], None);
        check("a -> b", &["->"], Some(&[(2, 4)]));
        check("a > b", &["->"], None);
    }

    #[test]
    fn links_and_code_are_seen() {
        for (text, link, code) in [
            ("see HTTPS://a.b", true, false),
            ("http:// nothing", false, false),
            ("ftp://x", false, false),
            ("`x`", false, true),
            ("``", false, false),
            ("a ` b", false, false),
            ("```\nx\n```", false, true),
        ] {
            assert_eq!(has_in(Has::Link, text), link, "{text}");
            assert_eq!(has_in(Has::Code, text), code, "{text}");
        }
    }
}
