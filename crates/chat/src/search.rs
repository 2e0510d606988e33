//! What somebody looks for, as it is typed: words and phrases, and operators between them.
//!
//! Nothing is looked for here; see [`Request::Search`](crate::hub::Request::Search).

use crate::refusal::Refusal;
use std::sync::Arc;

/// The longest query, in characters.
pub const CHARS_MAX: usize = 512;

/// The most words and phrases in a query.
pub const TERMS_MAX: usize = 16;

/// The farthest time zone from UTC, in minutes.
const ZONE_MINUTES_MAX: u32 = 14 * 60;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// What a message has to have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Has {
    /// An address of the web.
    Link,
    /// Something between backticks.
    Code,
    /// It answers another message.
    Reply,
}

/// A query, understood. Everything in it is required.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Query {
    /// Words and phrases, as they were typed.
    pub terms: Vec<Arc<str>>,
    /// Who said it, by name or id.
    pub from: Option<String>,
    /// Where, by name or id.
    pub room: Option<String>,
    /// It was said before this time, in ms since 1970.
    pub before: Option<u64>,
    /// It was said at this time or later, in ms since 1970.
    pub since: Option<u64>,
    /// What it has.
    pub has: Vec<Has>,
}

impl Query {
    /// Reads a query. `zone` is how far the asker's days are ahead of UTC, in minutes.
    ///
    /// Words stand apart by space; what stands between quotes is one phrase. `from:`, `in:`,
    /// `before:`, `after:` and `has:` with a value, which may stand between quotes, are operators;
    /// any other word with a colon is just a word.
    ///
    /// # Errors
    /// [`Refusal::BadField`] with the operator's name if its value says nothing or it is there
    /// twice, `q` if nothing is asked for or too much, `tz` if no zone is so far from UTC.
    pub fn parse(text: &str, zone: i32) -> Result<Self, Refusal> {
        if zone.unsigned_abs() > ZONE_MINUTES_MAX {
            return Err(Refusal::BadField("tz"));
        }
        if text.chars().count() > CHARS_MAX {
            return Err(Refusal::BadField("q"));
        }
        let mut query = Self::default();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            if let Some((operator, after)) = operator(rest) {
                let (value, after) = word(after);
                query.operate(operator, value, zone)?;
                rest = after;
            } else {
                let (term, after) = word(rest);
                if !term.is_empty() {
                    query.terms.push(term.into());
                }
                rest = after;
            }
            rest = rest.trim_start();
        }
        if query.terms.len() > TERMS_MAX || query == Self::default() {
            return Err(Refusal::BadField("q"));
        }
        Ok(query)
    }

    fn operate(&mut self, operator: Operator, value: &str, zone: i32) -> Result<(), Refusal> {
        let bad = Refusal::BadField(operator.name());
        if value.is_empty() {
            return Err(bad);
        }
        let is_first = match operator {
            Operator::From => self.from.replace(value.into()).is_none(),
            Operator::In => self.room.replace(value.into()).is_none(),
            Operator::Before => {
                let time = time(value, zone, false).ok_or(bad.clone())?;
                self.before.replace(time).is_none()
            }
            Operator::After => {
                let time = time(value, zone, true).ok_or(bad.clone())?;
                self.since.replace(time).is_none()
            }
            Operator::Has => {
                let has = match value.to_ascii_lowercase().as_str() {
                    "link" => Has::Link,
                    "code" => Has::Code,
                    "reply" => Has::Reply,
                    _ => return Err(bad),
                };
                if !self.has.contains(&has) {
                    self.has.push(has);
                }
                true
            }
        };
        if is_first { Ok(()) } else { Err(bad) }
    }
}

#[derive(Clone, Copy)]
enum Operator {
    From,
    In,
    Before,
    After,
    Has,
}

impl Operator {
    fn name(self) -> &'static str {
        match self {
            Self::From => "from",
            Self::In => "in",
            Self::Before => "before",
            Self::After => "after",
            Self::Has => "has",
        }
    }
}

/// The operator that `text` begins with, and what comes after its colon.
fn operator(text: &str) -> Option<(Operator, &str)> {
    let (name, after) = text.split_once(':')?;
    let operators =
        [Operator::From, Operator::In, Operator::Before, Operator::After, Operator::Has];
    let found = operators.into_iter().find(|known| name.eq_ignore_ascii_case(known.name()))?;
    Some((found, after))
}

/// The word or phrase that `text` begins with, and what comes after it. A phrase that isn't ended
/// goes to the end.
fn word(text: &str) -> (&str, &str) {
    let Some(phrase) = text.strip_prefix(is_quote) else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        return text.split_at(end);
    };
    let (phrase, rest) = match phrase.find(is_quote) {
        Some(end) => {
            let (phrase, rest) = phrase.split_at(end);
            (phrase, rest.strip_prefix(is_quote).unwrap_or(rest))
        }
        None => (phrase, ""),
    };
    (phrase.trim(), rest)
}

/// Phones make the curved ones of the straight one.
fn is_quote(character: char) -> bool {
    matches!(character, '"' | '“' | '”')
}

/// A time: ms since 1970, or the beginning of a day (or of the next one, for what comes after it).
fn time(value: &str, zone: i32, is_after: bool) -> Option<u64> {
    if value.bytes().all(|byte| byte.is_ascii_digit()) {
        let ms: u64 = value.parse().ok()?;
        return if is_after { ms.checked_add(1) } else { Some(ms) };
    }
    let mut parts = value.split('-');
    let mut part = |digits: usize| {
        let part = parts.next().filter(|part| part.len() == digits)?;
        part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse::<i64>().ok())?
    };
    let (year, month, day) = (part(4)?, part(2)?, part(2)?);
    if parts.next().is_some() || !(1..=12).contains(&month) || year < 1970 {
        return None;
    }
    if !(1..=days_in(year, month)).contains(&day) {
        return None;
    }
    let days = days_before(year, month) + day - 1 + i64::from(is_after);
    let ms = days * DAY_MS - i64::from(zone) * 60_000;
    Some(u64::try_from(ms).unwrap_or_default())
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// How many days there were from 1970 to the beginning of a month.
fn days_before(year: i64, month: i64) -> i64 {
    let years: i64 = (1970..year).map(|year| 365 + i64::from(is_leap(year))).sum();
    years + (1..month).map(|month| days_in(year, month)).sum::<i64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Query {
        Query::parse(text, 0).unwrap_or_else(|refusal| panic!("{text}: {refusal:?}"))
    }

    #[track_caller]
    fn check_terms(text: &str, expected: &[&str]) {
        let terms = parsed(text).terms;
        assert_eq!(terms.iter().map(|term| &**term).collect::<Vec<_>>(), expected, "{text}");
    }

    #[test]
    fn words_stand_apart_by_space_and_quotes_hold_a_phrase_together() {
        check_terms("서버 장애", &["서버", "장애"]);
        check_terms("  \"서버  장애\" now", &["서버  장애", "now"]);
        check_terms("“hello world”", &["hello world"]);
        check_terms("\"not closed", &["not closed"]);
        check_terms("a\"b \"\" c", &["a\"b", "c"]);
        check_terms("\"from:me\"", &["from:me"]);
        check_terms("\"a\"b", &["a", "b"]);
    }

    #[test]
    fn a_colon_alone_makes_no_operator() {
        check_terms("http://x 12:30 froms:me :", &["http://x", "12:30", "froms:me", ":"]);
    }

    #[test]
    fn operators_have_values_which_may_be_quoted() {
        let query = parsed("from:@민수 in:\"회의 방\" HAS:Link has:code has:link 안녕");
        assert_eq!(query.from.as_deref(), Some("@민수"));
        assert_eq!(query.room.as_deref(), Some("회의 방"));
        assert_eq!(query.has, [Has::Link, Has::Code]);
        assert_eq!(query.terms, ["안녕".into()]);
    }

    #[test]
    fn days_begin_where_the_asker_is() {
        // 2026-11-24T00:00:00Z
        let day = 1_795_478_400_000;
        assert_eq!(parsed("before:2026-11-24").before, Some(day));
        assert_eq!(parsed("after:2026-11-23").since, Some(day));
        assert_eq!(parsed("after:1795478400000").since, Some(day + 1));
        let korean = Query::parse("before:2026-11-24", 9 * 60).expect("a query");
        assert_eq!(korean.before, Some(day - 9 * 3_600_000));
        assert_eq!(parsed("before:2024-02-29").before, Some(1_709_164_800_000));
    }

    #[test]
    fn what_says_nothing_is_refused_by_its_name() {
        for (text, field) in [
            ("", "q"),
            (" \"\" ", "q"),
            ("from:", "from"),
            ("from: me", "from"),
            ("in:\"\"", "in"),
            ("has:file", "has"),
            ("before:yesterday", "before"),
            ("before:2026-13-01", "before"),
            ("before:2023-02-29", "before"),
            ("before:2026-1-1", "before"),
            ("before:+026-11-24", "before"),
            ("after:99999999999999999999", "after"),
            ("after:18446744073709551615", "after"),
            ("in:a in:b", "in"),
        ] {
            assert_eq!(Query::parse(text, 0), Err(Refusal::BadField(field)), "{text}");
        }
        assert_eq!(Query::parse("a", 841), Err(Refusal::BadField("tz")));
        assert_eq!(Query::parse(&"가".repeat(513), 0), Err(Refusal::BadField("q")));
        assert_eq!(Query::parse(&"a ".repeat(17), 0), Err(Refusal::BadField("q")));
    }
}
