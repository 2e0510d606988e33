//! Looking for messages, against an oracle that reads them all.

use super::index::FILE;
use super::*;
use crate::tests::{change, entry, register, say_in, user};
use crate::{Folder, Log, Memory, Sqlite};
use damso_chat::hub::Place;
use damso_chat::search::Query;
use damso_chat::state::{History, Kind};
use damso_chat::{Command, Decision, Entry, Event, Op};
use damso_protocol::{RoomId, UserId};
use proptest::prelude::*;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use unicode_normalization::UnicodeNormalization as _;

const ROOMS: [&str; 3] = ["lobby", "r1", "r2"];

/// A folder of the system's temporary one, gone with its test.
struct Temporary(PathBuf);

impl Temporary {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("damso-search-{}-{number}", std::process::id())))
    }

    fn log(&self) -> Sqlite {
        Sqlite::open(Folder::hold(&self.0).unwrap()).unwrap()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Two rooms beside the lobby, with the same three people in them.
fn people() -> Vec<Entry> {
    let mut entries: Vec<Entry> = (1..=3).map(register).collect();
    for name in ["하나", "둘"] {
        let members = (1..=3).map(|number| user(number).user).collect();
        let (kind, name, history) = (Kind::Private, Some(name.into()), History::All);
        let create = Command::Create { kind, name, members, history, nonce: None };
        entries.push(entry(&user(1), create));
    }
    entries
}

/// What stands in the log, as its events tell it.
#[derive(Default)]
struct Told(Vec<Message>);

impl Told {
    fn take(&mut self, outcomes: &[crate::Outcome]) {
        for event in outcomes.iter().flatten().flat_map(Decision::events) {
            match event {
                Event::Message(message) => self.0.push(message.clone()),
                Event::Changed(change) => {
                    let said = |message: &&mut Message| {
                        message.room == change.room && message.seq == change.m
                    };
                    let message = self.0.iter_mut().find(said).unwrap();
                    match &change.op {
                        Op::Edit(text) => message.text = text.clone(),
                        Op::Delete => message.text = None,
                        _ => {}
                    }
                }
                _ => {}
            }
        }
    }

    /// What is to be found, newest first.
    fn oracle(&self, sought: &Sought) -> Vec<(RoomId, u64)> {
        let fits = |message: &&Message| {
            let mut places = sought.places.iter();
            let place = places.find(|place| place.room == message.room);
            let Some(text) = &message.text else { return false };
            place.is_some_and(|place| (place.first..=place.head).contains(&message.seq))
                && sought.by.as_ref().is_none_or(|by| *by == message.by)
                && sought.terms.iter().all(|term| is_like(text, term))
        };
        let found = self.0.iter().rev().filter(fits);
        found.map(|message| (message.room.clone(), message.seq)).collect()
    }
}

/// One form for what looks the same, made of the whole text at once.
fn plain(text: &str) -> Vec<char> {
    let lowered = text.nfkc().collect::<String>().to_lowercase();
    let mut plain: Vec<char> = Vec::new();
    for character in lowered.chars() {
        let character = if character.is_whitespace() { ' ' } else { character };
        if character != ' ' || plain.last() != Some(&' ') {
            plain.push(character);
        }
    }
    plain
}

/// LIKE, but for words, which are found by their beginning.
fn is_like(text: &str, term: &str) -> bool {
    let is_mark = |character: &char| *character == '\u{30c}';
    let is_word = |character: &char| {
        let is_korean_or_so = ('\u{1100}'..='\u{11ff}').contains(character)
            || ('\u{3000}'..='\u{d7ff}').contains(character);
        character.is_alphanumeric() && !is_korean_or_so
    };
    let (text, term) = (plain(text), plain(term));
    let term = bare(&term);
    let at = |at: usize| {
        let mut before = text[..at].iter().rev().skip_while(|character| is_mark(character));
        text[at..].starts_with(term) && !(is_word(&term[0]) && before.next().is_some_and(is_word))
    };
    (0..text.len()).any(at)
}

/// Without the spaces around it.
fn bare(text: &[char]) -> &[char] {
    let start = text.iter().position(|character| *character != ' ').unwrap_or(text.len());
    let end = text.iter().rposition(|character| *character != ' ').map_or(start, |end| end + 1);
    &text[start..end]
}

fn sought(terms: &[&str], log: &impl Log) -> Sought {
    let place = |room: &str| {
        let room = RoomId::new(room);
        let head = log.state().room(&room).map_or(0, |room| room.head);
        Place { room, first: 1, head }
    };
    Sought {
        places: ROOMS.into_iter().map(place).collect(),
        terms: terms.iter().map(|term| (*term).into()).collect(),
        by: None,
        said_before: None,
        said_since: None,
        has: Vec::new(),
        limit: 3,
        before: None,
    }
}

/// Everything that is found, page by page.
fn all(search: &dyn Search, sought: &Sought) -> Vec<(RoomId, u64)> {
    let (mut sought, mut all) = (sought.clone(), Vec::new());
    loop {
        let found = search.search(&sought).unwrap();
        assert!(found.hits.len() <= sought.limit);
        for hit in &found.hits {
            check_marks(hit, &sought);
        }
        all.extend(found.hits.into_iter().map(|hit| (hit.message.room, hit.message.seq)));
        match found.more {
            Some(more) => {
                assert!(sought.before.is_none_or(|before| more < before), "it goes on");
                sought.before = Some(more);
            }
            None => return all,
        }
    }
}

/// Marks lie in the text, rising and apart, and each term stands in one of them.
fn check_marks(hit: &Hit, sought: &Sought) {
    let units: Vec<u16> = hit.message.text.as_deref().unwrap().encode_utf16().collect();
    let mut end = 0;
    let mut marked = Vec::new();
    for (index, mark) in hit.marks.iter().enumerate() {
        assert!(index == 0 || end < mark.0, "{hit:?}");
        assert!(mark.0 < mark.1 && mark.1 <= units.len(), "{hit:?}");
        marked.push(String::from_utf16(&units[mark.0..mark.1]).expect("whole characters"));
        end = mark.1;
    }
    for term in &sought.terms {
        let is_there = |text: &String| {
            let (text, term) = (plain(text), plain(term));
            let term = bare(&term);
            text.windows(term.len()).any(|window| window == term)
        };
        assert!(marked.iter().any(is_there), "{term:?} in {hit:?}");
    }
}

#[derive(Clone, Debug)]
enum Act {
    Say(u8, usize, String),
    Edit(prop::sample::Index, String),
    Delete(prop::sample::Index),
}

fn text() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "서버",
        "장애",
        "서버장애",
        "회의",
        "가",
        "ㅋㅋ",
        "server",
        "Serv",
        "ver",
        "the",
        "a",
        "1",
        "-",
        "->",
        "\"",
        "'",
        "*",
        "OR ",
        "AND",
        "NEAR(",
        ":",
        "(",
        ")",
        "🎉",
        "🎉🎉",
        "^",
        "+",
        "\u{1112}\u{1161}\u{11ab}",
        "한글",
        "é",
        "e\u{301}",
        "x\u{30c}",
        "東京",
        "タワー",
        "_",
        "/",
        " ",
        " ",
        " ",
        "\n",
        "Ａ",
        "ﬁ",
        "\u{e000}r1",
        "r1",
        ";",
        "%",
        "\\",
        "t:",
        "{",
        "}",
    ]);
    let text = prop::collection::vec(pieces, 1..9).prop_map(|pieces| pieces.concat());
    text.prop_filter("blank", |text| !text.trim().is_empty())
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (1..=3_u8, 0..3_usize, text()).prop_map(|(who, room, text)| Act::Say(who, room, text)),
        1 => (any::<prop::sample::Index>(), text()).prop_map(|(which, text)| Act::Edit(which, text)),
        1 => any::<prop::sample::Index>().prop_map(Act::Delete),
    ]
}

/// A part of a text that was said, or some other.
#[derive(Clone, Debug)]
struct Asked {
    parts: Vec<(prop::sample::Index, prop::sample::Index, usize)>,
    other: Option<String>,
    rooms: [bool; 3],
    first: u64,
    by: Option<u8>,
    limit: usize,
}

fn asked() -> impl Strategy<Value = Asked> {
    let part = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 1..7_usize);
    let parts = prop::collection::vec(part, 1..3);
    let by = prop::option::weighted(0.2, 1..=3_u8);
    let other = prop::option::weighted(0.2, text());
    (parts, other, any::<[bool; 3]>(), 1..8_u64, by, 1..6_usize).prop_map(
        |(parts, other, rooms, first, by, limit)| Asked { parts, other, rooms, first, by, limit },
    )
}

impl Asked {
    fn sought(&self, told: &Told, log: &impl Log) -> Sought {
        let mut terms = Vec::new();
        for (which, from, length) in &self.parts {
            let Some(text) = pick(which, &told.0).and_then(|message| message.text.clone()) else {
                continue;
            };
            let characters: Vec<char> = text.chars().collect();
            let from = from.index(characters.len());
            terms.push(characters[from..].iter().take(*length).collect::<String>());
        }
        terms.extend(self.other.clone());
        terms.retain(|term| !term.trim().is_empty());
        let terms: Vec<&str> = terms.iter().map(String::as_str).collect();
        let mut sought = sought(&terms, log);
        let mut rooms = self.rooms.iter();
        sought.places.retain(|_| rooms.next() == Some(&true));
        // Who came late sees a part of it.
        sought.places.iter_mut().skip(1).for_each(|place| place.first = self.first);
        sought.by = self.by.map(|by| user(by).user);
        sought.limit = self.limit;
        sought
    }
}

fn pick<'a, T>(which: &prop::sample::Index, all: &'a [T]) -> Option<&'a T> {
    if all.is_empty() { None } else { Some(which.get(all)) }
}

fn entries(acts: &[Act], told: &Told, counted: usize) -> Vec<Entry> {
    let change = |index: usize, which: &prop::sample::Index, op: Op| {
        let message = pick(which, &told.0)?;
        let by = damso_chat::Author { user: message.by.clone(), ..user(1) };
        Some(change(&by, message.room.as_str(), message.seq, &format!("c{counted}-{index}"), op))
    };
    let act = |(index, act): (usize, &Act)| match act {
        Act::Say(who, room, text) => Some(say_in(&user(*who), ROOMS[*room], text, None)),
        Act::Edit(which, text) => change(index, which, Op::Edit(Some(text.as_str().into()))),
        Act::Delete(which) => change(index, which, Op::Delete),
    };
    acts.iter().enumerate().filter_map(act).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn everything_is_found_and_nothing_else(
        batches in prop::collection::vec(prop::collection::vec(act(), 1..24), 1..4),
        asked in prop::collection::vec(asked(), 8),
    ) {
        let folder = Temporary::new();
        let mut disk = folder.log();
        let mut memory = Memory::new();
        let (mut indexer, searcher) = disk.indexer().unwrap();
        let mut told = Told::default();
        disk.append(people(), 1).unwrap();
        memory.append(people(), 1).unwrap();
        for (counted, acts) in batches.iter().enumerate() {
            let batch = entries(acts, &told, counted);
            let now = 10 + counted as u64;
            memory.append(batch.clone(), now).unwrap();
            let outcomes = disk.append(batch, now).unwrap();
            told.take(&outcomes);
            for asked in &asked {
                let sought = asked.sought(&told, &disk);
                if sought.terms.is_empty() && sought.by.is_none() {
                    continue;
                }
                let expected = told.oracle(&sought);
                prop_assert_eq!(all(&memory, &sought), expected.as_slice(), "{:?}", sought);
                // An index that is behind finds less, and nothing else.
                if counted > 0 {
                    let found = all(&searcher, &sought);
                    prop_assert!(found.iter().all(|hit| expected.contains(hit)), "{:?}", sought);
                }
            }
            indexer.catch_up();
            for asked in &asked {
                let sought = asked.sought(&told, &disk);
                if sought.terms.is_empty() && sought.by.is_none() {
                    continue;
                }
                let expected = told.oracle(&sought);
                prop_assert_eq!(all(&searcher, &sought), expected, "{:?}", sought);
            }
        }
        // Made anew from the log, it finds the same.
        drop((indexer, searcher));
        std::fs::remove_file(folder.0.join(FILE)).unwrap();
        let (mut indexer, searcher) = disk.indexer().unwrap();
        indexer.catch_up();
        for asked in &asked {
            let sought = asked.sought(&told, &disk);
            if !(sought.terms.is_empty() && sought.by.is_none()) {
                prop_assert_eq!(all(&searcher, &sought), told.oracle(&sought), "{:?}", sought);
            }
        }
    }

    #[test]
    fn a_query_is_understood_or_refused(text in text(), zone in -900..900_i32) {
        let _ = Query::parse(&text, zone);
    }
}

/// Whether these bytes stand in the index's files.
fn is_in_files(folder: &Temporary, bytes: &[u8]) -> bool {
    ["", "-wal"].into_iter().any(|end| {
        let file = std::fs::read(folder.0.join(format!("{FILE}{end}"))).unwrap_or_default();
        file.windows(bytes.len()).any(|window| window == bytes)
    })
}

#[test]
fn what_was_deleted_is_gone_from_the_files_of_the_index() {
    let folder = Temporary::new();
    let mut log = folder.log();
    let (mut indexer, searcher) = log.indexer().unwrap();
    log.append(people(), 1).unwrap();
    let said =
        |number: u64| say_in(&user(1), "lobby", &format!("회의록 {number} zebracrossing"), None);
    log.append((0..40).map(said).collect(), 2).unwrap();
    let secret = say_in(&user(2), "r1", "쿽뿖 quixoticword", None);
    log.append(vec![secret], 3).unwrap();
    indexer.catch_up();
    assert_eq!(all(&searcher, &sought(&["쿽뿖"], &log)), [(RoomId::new("r1"), 2)]);
    // A term is stored without what it has in common with the one before it.
    let tail = |word: &str| word.as_bytes()[2..].to_vec();
    for word in ["쿽뿖", "quixoticword", "zebracrossing"] {
        assert!(is_in_files(&folder, &tail(word)), "{word}");
    }
    log.append(vec![change(&user(2), "r1", 2, "d", Op::Delete)], 4).unwrap();
    indexer.catch_up();
    assert_eq!(all(&searcher, &sought(&["쿽뿖"], &log)), []);
    indexer.wipe_now();
    for word in ["쿽뿖", "quixoticword"] {
        assert!(!is_in_files(&folder, &tail(word)), "{word}");
    }
    assert!(is_in_files(&folder, &tail("zebracrossing")));
    assert_eq!(all(&searcher, &sought(&["의록", "zebra"], &log)).len(), 40);
}

#[test]
fn who_and_when_narrow_what_is_found() {
    let folder = Temporary::new();
    let mut log = folder.log();
    let mut memory = Memory::new();
    let (mut indexer, searcher) = log.indexer().unwrap();
    for (at, batch) in [(1, people())].into_iter().chain((2..40).map(|at| {
        let author = user(1 + (at % 2) as u8);
        (at, vec![say_in(&author, ROOMS[at as usize % 3], &format!("회의 {at}"), None)])
    })) {
        memory.append(batch.clone(), at).unwrap();
        log.append(batch, at).unwrap();
    }
    indexer.catch_up();
    for search in [&memory as &dyn Search, &searcher] {
        let everything = sought(&["회의"], &log);
        assert_eq!(all(search, &everything).len(), 38);
        let narrow = Sought {
            said_since: Some(10),
            said_before: Some(20),
            by: Some(UserId::new("u1")),
            ..sought(&[], &log)
        };
        // Those of the even times.
        assert_eq!(all(search, &narrow).len(), 5);
        let nothing = Sought { places: Vec::new(), ..everything };
        assert_eq!(all(search, &nothing), []);
    }
}
