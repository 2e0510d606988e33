//! Text as it is searched: one form for what looks the same, and the tokens it is indexed by.
//!
//! A text is folded (NFKC, lower case, any space one space) piece by piece, where a piece is what
//! no normal form joins with its neighbours: so each folded character knows which bytes of the
//! original it stands for. Runs of Hangul, Han, Kana and symbols have no words one could begin with;
//! they are indexed by overlapping pairs of characters, and by the last one alone. Any other run of
//! letters and digits is a word.

use std::iter::Peekable;
use std::ops::Range;
use std::str::CharIndices;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::{
    canonical_combining_class, decompose_compatible, is_combining_mark,
};
use unicode_normalization::{IsNormalized, is_nfc_quick};

/// Words are indexed by so many characters; what comes after them is left to the matcher.
const WORD_CHARS_MAX: usize = 24;

/// A text in its folded form.
pub(super) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    fold_pieces(text, |piece, _| folded.push_str(piece));
    folded
}

/// A folded text that knows where its parts came from.
#[derive(Default)]
pub(super) struct Mapped {
    /// The folded text.
    pub text: String,
    /// Where each piece begins in it, and which bytes of the original it stands for, rising.
    pieces: Vec<(usize, Range<usize>)>,
}

impl Mapped {
    pub(super) fn new(text: &str) -> Self {
        let mut mapped = Self::default();
        fold_pieces(text, |piece, original| {
            mapped.pieces.push((mapped.text.len(), original));
            mapped.text.push_str(piece);
        });
        mapped
    }

    /// The bytes of the original that a part of the folded text stands for: whole pieces.
    pub(super) fn original(&self, part: Range<usize>) -> Range<usize> {
        let piece = |at: usize| self.pieces.partition_point(|(start, _)| *start <= at);
        // Each place of the text lies in a piece, and an empty part is never asked for.
        let first = piece(part.start).saturating_sub(1);
        let last = piece(part.end.saturating_sub(1)).saturating_sub(1);
        match (self.pieces.get(first), self.pieces.get(last)) {
            (Some((_, first)), Some((_, last))) => first.start..last.end,
            _ => 0..0,
        }
    }
}

/// Gives each piece of a text in its folded form, and which bytes it stands for.
fn fold_pieces(text: &str, mut give: impl FnMut(&str, Range<usize>)) {
    let mut characters = text.char_indices().peekable();
    let mut piece = String::new();
    let mut utf8 = [0; 4];
    while let Some((start, character)) = characters.next() {
        let mut end = start + character.len_utf8();
        if character.is_whitespace() {
            while let Some((at, space)) = characters.next_if(|(_, next)| next.is_whitespace()) {
                end = at + space.len_utf8();
            }
            give(" ", start..end);
            continue;
        }
        let joins = characters.peek().is_some_and(|(_, next)| joins(*next));
        if !joins && is_folded(character) {
            let character = character.to_ascii_lowercase();
            give(character.encode_utf8(&mut utf8), start..end);
            continue;
        }
        if joins {
            end = whole(&mut characters, end);
        }
        piece.clear();
        let lowered = text[start..end].nfkc().flat_map(char::to_lowercase);
        // Lowering may undo the normal form (as of "İ"), and a piece may be some form of space.
        for character in lowered.nfkc() {
            piece.push(if character.is_whitespace() { ' ' } else { character });
        }
        give(&piece, start..end);
    }
}

/// Takes what joins the piece that ends at `end`; where it ends now.
fn whole(characters: &mut Peekable<CharIndices>, mut end: usize) -> usize {
    while let Some((at, next)) = characters.next_if(|(_, next)| joins(*next)) {
        end = at + next.len_utf8();
    }
    end
}

/// Whether a normal form may join the character with what stands before it.
fn joins(character: char) -> bool {
    if character < '\u{300}' || is_compatible_jamo(character) || is_folded(character) {
        return false;
    }
    let mut first = None;
    decompose_compatible(character, |part| {
        first.get_or_insert(part);
    });
    let first = first.unwrap_or(character);
    canonical_combining_class(first) != 0
        || is_nfc_quick(std::iter::once(first)) == IsNormalized::Maybe
}

/// Whether the character, standing alone, is folded but for being ASCII in upper case.
fn is_folded(character: char) -> bool {
    matches!(character, '\0'..='\x7f' | '가'..='힣' | 'ぁ'..='ゖ' | 'ァ'..='ヺ' | '一'..='\u{9fff}')
        || is_compatible_jamo(character)
}

/// Jamo as a keyboard gives them, as in ㅋㅋ. Their normal form would make syllables of them.
fn is_compatible_jamo(character: char) -> bool {
    matches!(character, '\u{3131}'..='\u{318e}')
}

/// What a character of a folded text is to the index.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Class {
    /// Found wherever it stands.
    Inner,
    /// Part of a word, which is found by its beginning.
    Word,
    /// Whatever it was before: a mark on the character there.
    Mark,
    /// Not indexed.
    Other,
}

fn class(character: char) -> Class {
    match character {
        'a'..='z' | '0'..='9' | 'A'..='Z' => Class::Word,
        '\0'..='\x7f' => Class::Other,
        '가'..='힣' => Class::Inner,
        _ if is_combining_mark(character) => Class::Mark,
        // Arrows to dingbats, and emoji.
        '\u{2190}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}' => Class::Inner,
        _ if !character.is_alphanumeric() => Class::Other,
        '\u{1100}'..='\u{11ff}'
        | '\u{3005}'..='\u{31ff}'
        | '\u{3400}'..='\u{9fff}'
        | '\u{a960}'..='\u{a97f}'
        | '\u{d7b0}'..='\u{d7ff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}' => Class::Inner,
        _ => Class::Word,
    }
}

/// Whether a match of `term` may begin at `at`: a word is found by its beginning alone.
pub(super) fn begins_at(text: &str, at: usize, term: &str) -> bool {
    if term.chars().next().map(class) != Some(Class::Word) {
        return true;
    }
    let before = text[..at].chars().rev().map(class).find(|class| *class != Class::Mark);
    // A mark with nothing to stand on is a word of its own.
    let is_marked = text[..at].chars().next_back().map(class) == Some(Class::Mark);
    match before {
        Some(Class::Word) => false,
        Some(Class::Inner) => true,
        _ => !is_marked,
    }
}

/// A run of characters of one class, in a folded text.
struct Run<'a> {
    text: &'a str,
    is_word: bool,
    /// Where it ends in the text.
    end: usize,
}

fn runs(text: &str) -> impl Iterator<Item = Run<'_>> {
    let mut characters = text.char_indices().peekable();
    std::iter::from_fn(move || {
        loop {
            let (start, first) = characters.next()?;
            let is_word = match class(first) {
                Class::Other => continue,
                Class::Inner => false,
                // A mark with nothing to stand on is a word of its own.
                Class::Word | Class::Mark => true,
            };
            let own = if is_word { Class::Word } else { Class::Inner };
            let mut end = start + first.len_utf8();
            let goes_on =
                |next: char| matches!(class(next), found if found == own || found == Class::Mark);
            while let Some((at, next)) = characters.next_if(|(_, next)| goes_on(*next)) {
                end = at + next.len_utf8();
            }
            return Some(Run { text: &text[start..end], is_word, end });
        }
    })
}

/// Gives the tokens of a folded text, in order: of each run that is no word the overlapping pairs
/// and the last character.
pub(super) fn tokens(text: &str, mut give: impl FnMut(&str)) {
    for run in runs(text) {
        if run.is_word {
            give(beginning(run.text));
        } else {
            pairs(run.text, &mut give);
            give(last_character(run.text));
        }
    }
}

/// The tokens that stand one after another in every text that has a folded term in it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Phrase {
    /// The tokens.
    pub tokens: Vec<String>,
    /// Of the last one only the beginning is known.
    pub is_open: bool,
}

/// What the index can be asked for a folded term.
pub(super) fn phrase(term: &str) -> Phrase {
    let mut phrase = Phrase::default();
    // What a mark at the beginning belongs to depends on what stands before the term.
    let begins_with_mark = term.chars().next().map(class) == Some(Class::Mark);
    for run in runs(term).skip(usize::from(begins_with_mark)) {
        // Only at the term's end may the text's run go on.
        phrase.is_open = run.end == term.len();
        let mut give = |token: &str| phrase.tokens.push(token.into());
        if run.is_word {
            give(beginning(run.text));
            continue;
        }
        pairs(run.text, &mut give);
        let is_single = last_character(run.text).len() == run.text.len();
        if !phrase.is_open || is_single {
            phrase.tokens.push(last_character(run.text).into());
        } else {
            phrase.is_open = false;
        }
    }
    phrase
}

fn pairs(run: &str, give: &mut impl FnMut(&str)) {
    let starts = run.char_indices().map(|(at, _)| at);
    let ends = run.char_indices().skip(1).map(|(at, character)| at + character.len_utf8());
    for (start, end) in starts.zip(ends) {
        give(&run[start..end]);
    }
}

fn last_character(run: &str) -> &str {
    run.char_indices().next_back().map_or(run, |(at, _)| &run[at..])
}

fn beginning(word: &str) -> &str {
    word.char_indices().nth(WORD_CHARS_MAX).map_or(word, |(at, _)| &word[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_tokens(text: &str, expected: &[&str]) {
        let mut found = Vec::new();
        tokens(&fold(text), |token| found.push(token.to_owned()));
        assert_eq!(found, expected, "{text}");
    }

    #[track_caller]
    fn check_phrase(term: &str, expected: &[&str], is_open: bool) {
        let found = phrase(&fold(term));
        assert_eq!((found.tokens.as_slice(), found.is_open), (&*own(expected), is_open), "{term}");
    }

    fn own(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn what_looks_the_same_folds_to_the_same() {
        for (text, folded) in [
            ("Hello  WORLD\n!", "hello world !"),
            ("\u{1112}\u{1161}\u{11ab}글", "한글"),
            ("ＡＢＣ ﬁ ㎏", "abc fi kg"),
            ("e\u{301}té", "été"),
            ("ㅋㅋㅏ", "ㅋㅋㅏ"),
            ("ｶﾞ", "ガ"),
            ("İ", "i\u{307}"),
            ("a\u{a0}b", "a b"),
        ] {
            assert_eq!(fold(text), folded, "{text}");
        }
    }

    #[test]
    fn a_folded_part_knows_the_bytes_it_stands_for() {
        let text = "가 \u{1112}\u{1161}\u{11ab}글 ㎏";
        let mapped = Mapped::new(text);
        assert_eq!(mapped.text, "가 한글 kg");
        let part = |part: &str| {
            let at = mapped.text.find(part).expect("it is there");
            &text[mapped.original(at..at + part.len())]
        };
        assert_eq!(part("한"), "\u{1112}\u{1161}\u{11ab}");
        assert_eq!(part("한글"), "\u{1112}\u{1161}\u{11ab}글");
        assert_eq!(part("g"), "㎏");
        assert_eq!(part("가 한"), "가 \u{1112}\u{1161}\u{11ab}");
    }

    #[test]
    fn runs_become_pairs_and_words_stay_whole() {
        check_tokens("서버장애 alert", &["서버", "버장", "장애", "애", "alert"]);
        check_tokens("ㅋㅋ 東京タワー", &["ㅋㅋ", "ㅋ", "東京", "京タ", "タワ", "ワー", "ー"]);
        check_tokens("foo_bar-baz2 3월", &["foo", "bar", "baz2", "3", "월"]);
        check_tokens("🎉🎉 x\u{30c}y", &["🎉🎉", "🎉", "x\u{30c}y"]);
        check_tokens(&"x".repeat(40), &["xxxxxxxxxxxxxxxxxxxxxxxx"]);
    }

    #[test]
    fn a_term_asks_for_what_every_text_with_it_has() {
        check_phrase("장애", &["장애"], false);
        check_phrase("서버장", &["서버", "버장"], false);
        check_phrase("가", &["가"], true);
        check_phrase("서버 장애", &["서버", "버", "장애"], false);
        check_phrase("the Serv", &["the", "serv"], true);
        check_phrase("serv!", &["serv"], false);
        check_phrase("가!", &["가"], false);
        check_phrase("?!", &[], false);
        check_phrase("\u{303}a b", &["b"], true);
    }

    #[test]
    fn a_word_begins_where_no_other_goes_on() {
        for (text, at, term, begins) in [
            ("server", 0, "ser", true),
            ("server", 3, "ver", false),
            ("새server", 3, "ser", true),
            ("a_server", 2, "ser", true),
            ("서버", 3, "버", true),
            ("x\u{30c}y", 3, "y", false),
        ] {
            assert_eq!(begins_at(text, at, term), begins, "{text} {term}");
        }
    }
}
