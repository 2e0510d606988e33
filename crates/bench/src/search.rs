//! Looking for messages among many, Korean and English, beside what SQLite has for it.

use crate::random::Random;
use crate::report::significant;
use crate::server::Folder;
use crate::table::thousands;
use crate::usage::Machine;
use damso_chat::hub::{Place, Sought};
use damso_chat::state::{History, Kind};
use damso_chat::{Author, Command, Entry, KeyHash, Role};
use damso_protocol::{Nonce, RoomId, UserId};
use damso_store::{self as store, Log, Search, Sqlite};
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

pub struct Plan {
    pub messages: u64,
    pub rounds: usize,
    pub seed: u64,
}

const ROOMS: u64 = 20;
const LIMIT: usize = 20;
const BATCH: u64 = 4_096;
const P99_MAX_MS: f64 = 10.0;
const INDEXED_MAX: Duration = Duration::from_secs(600);

const NOUNS: [&str; 24] = [
    "서버",
    "장애",
    "회의",
    "배포",
    "점검",
    "일정",
    "자료",
    "사진",
    "점심",
    "저녁",
    "회사",
    "고객",
    "문의",
    "설정",
    "화면",
    "버튼",
    "오류",
    "기능",
    "결제",
    "주문",
    "재고",
    "창고",
    "물류",
    "보고서",
];
const PARTICLES: [&str; 10] = ["이", "가", "은", "는", "을", "를", "에서", "으로", "도", "까지"];
const VERBS: [&str; 10] = [
    "확인했습니다",
    "부탁드려요",
    "끝났어요",
    "시작합니다",
    "늦어질 것 같아요",
    "괜찮을까요",
    "봤어요",
    "고쳤습니다",
    "다시 해 볼게요",
    "알겠습니다",
];
const WORDS: [&str; 32] = [
    "the", "server", "deploy", "latency", "review", "please", "meeting", "today", "tomorrow",
    "build", "failed", "fixed", "branch", "merge", "customer", "invoice", "screen", "button",
    "release", "notes", "database", "index", "search", "message", "room", "user", "token", "error",
    "warning", "check", "later", "thanks",
];

/// What is looked for, and what it is an example of.
const QUERIES: [(&str, &[&str]); 9] = [
    ("two syllables, inside compounds", &["장애"]),
    ("a compound", &["서버장애"]),
    ("two words", &["장애", "latency"]),
    ("one syllable", &["창"]),
    ("a common English word", &["server"]),
    ("the beginning of one", &["s"]),
    ("a phrase", &["server deploy"]),
    ("rare", &["뿖쿽"]),
    ("never said", &["훟훟"]),
];

/// So many messages have the rare word.
const RARE: u64 = 50_000;

fn text(random: &mut Random, number: u64) -> String {
    let pick = |random: &mut Random, all: &[&'static str]| -> &'static str {
        // Some words are said much more often than others.
        let share = random.fraction();
        all.get((share * share * all.len() as f64) as usize).copied().unwrap_or_default()
    };
    let mut words = Vec::new();
    for _ in 0..random.between(3, 11) {
        if random.chance(0.6) {
            let mut word = pick(random, &NOUNS).to_owned();
            if random.chance(0.3) {
                word += pick(random, &NOUNS);
            }
            word += pick(random, &PARTICLES);
            words.push(word);
        } else {
            words.push(pick(random, &WORDS).to_owned());
        }
    }
    if random.chance(0.5) {
        words.push(pick(random, &VERBS).to_owned());
    }
    // Numbers, names and typos make each message's words its own.
    words.push(format!("{:x}", random.next() % 100_000));
    if number % RARE == 7 {
        words.push("긴급뿖쿽".to_owned());
    }
    words.join(" ")
}

fn author() -> Author {
    Author {
        user: UserId::new("u1"),
        name: "bench".into(),
        role: Role::Guest,
        address: Some([127, 0, 0, 1].into()),
    }
}

fn room(number: u64) -> RoomId {
    if number == 0 { RoomId::lobby() } else { RoomId::new(format!("r{number}")) }
}

/// A quarter of the messages is said in the first room.
fn where_to(random: &mut Random) -> u64 {
    if random.chance(0.25) { 0 } else { random.between(1, ROOMS) }
}

/// Prints the table. Whether everything was found, and soon enough.
pub fn run(plan: &Plan) -> Result<bool, String> {
    let folder = Folder::new("search")?;
    let data = folder.path().join("data");
    let said = |error: &dyn std::fmt::Display| error.to_string();
    let held = store::Folder::hold(&data).map_err(|error| said(&error))?;
    let mut log = Sqlite::open(held).map_err(|error| said(&error))?;
    let corpus = fill(&mut log, plan)?;

    let (indexer, searcher) = log.indexer().map_err(|error| said(&error))?;
    let begun = Instant::now();
    let worker = thread::spawn(move || indexer.run(|sentence| eprintln!("{sentence}")));
    let everywhere: Vec<Place> = (0..ROOMS).map(|number| place(&log, number)).collect();
    let probe = sought(&["훟훟"], everywhere.clone());
    loop {
        match searcher.search(&probe) {
            Ok(found) if !found.is_behind => break,
            _ if begun.elapsed() > INDEXED_MAX => return Err("it isn't indexed in time".into()),
            _ => thread::sleep(Duration::from_millis(5)),
        }
    }
    let built = plan.messages as f64 / begun.elapsed().as_secs_f64();
    let Machine { cpu, cores, kernel, .. } = Machine::read();
    let bytes: u64 = corpus.iter().map(|(_, text)| text.len() as u64).sum();
    println!(
        "{cpu}, {cores} cores, Linux {kernel}; {} messages in {ROOMS} rooms, {} MB of text; newest \
         {LIMIT}, {} times each, p50 and p99 in ms.\n",
        thousands(plan.messages),
        bytes / 1_000_000,
        plan.rounds
    );

    let plain =
        [Plain::new(&folder, "trigram", &corpus)?, Plain::new(&folder, "unicode61", &corpus)?];
    println!(
        "| looked for | truth | damso, all rooms | damso, one room | trigram, hits | its time | \
         unicode61, hits | its time |\n|---|--:|--:|--:|--:|--:|--:|--:|"
    );
    let one = vec![place(&log, 3)];
    let mut clean = true;
    for (name, terms) in QUERIES {
        let all = timed(plan.rounds, || page(&searcher, &sought(terms, everywhere.clone())))?;
        let within = timed(plan.rounds, || page(&searcher, &sought(terms, one.clone())))?;
        // Each hit, page by page, beside each message that has the words.
        let truth: BTreeSet<usize> =
            (0..corpus.len()).filter(|at| has(&corpus[*at].1, terms)).collect();
        let found = everything(&searcher, sought(terms, everywhere.clone()), corpus.len())?;
        let missed = truth.len() != found;
        clean &= !missed && all.1 < P99_MAX_MS && within.1 < P99_MAX_MS;
        let mut line = format!(
            "| {name}: `{}` | {}{} | {} | {} |",
            terms.join(" "),
            thousands(truth.len() as u64),
            if missed { format!(" (found {})", thousands(found as u64)) } else { String::new() },
            times(all),
            times(within)
        );
        for plain in &plain {
            let (hits, time) = plain.ask(terms, plan.rounds)?;
            line += &format!(" {} | {} |", thousands(hits), times(time));
        }
        println!("{line}");
    }
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len()) / 1_000_000;
    println!(
        "\nIndexed at {} messages a second, {} MB; trigram {} a second, {} MB; unicode61 {} a second, \
         {} MB.",
        thousands(built as u64),
        size(&data.join("search.db")),
        thousands(plain[0].built as u64),
        size(&plain[0].path),
        thousands(plain[1].built as u64),
        size(&plain[1].path),
    );
    drop(log);
    drop(worker.join());
    Ok(clean)
}

fn times((p50, p99): (f64, f64)) -> String {
    format!("{}, {}", significant(p50), significant(p99))
}

fn place(log: &Sqlite, number: u64) -> Place {
    let room = room(number);
    let head = log.state().room(&room).map_or(0, |room| room.head);
    Place { room, first: 1, head }
}

fn sought(terms: &[&str], places: Vec<Place>) -> Sought {
    let terms = terms.iter().map(|term| (*term).into()).collect();
    let (by, said_before, said_since) = (None, None, None);
    Sought {
        places,
        terms,
        by,
        said_before,
        said_since,
        has: Vec::new(),
        limit: LIMIT,
        before: None,
    }
}

fn page(search: &dyn Search, sought: &Sought) -> Result<(), String> {
    search.search(sought).map(drop).map_err(|error| error.to_string())
}

/// How many hits there are in all.
fn everything(search: &dyn Search, mut sought: Sought, most: usize) -> Result<usize, String> {
    sought.limit = 1_000;
    let mut hits = 0;
    loop {
        let found = search.search(&sought).map_err(|error| error.to_string())?;
        hits += found.hits.len();
        match found.more {
            Some(more) if hits <= most => sought.before = Some(more),
            _ => return Ok(hits),
        }
    }
}

/// The truth: words by their beginning, Korean anywhere, phrases as they stand.
fn has(text: &str, terms: &[&str]) -> bool {
    terms.iter().all(|term| {
        if term.is_ascii() {
            text.match_indices(term)
                .any(|(at, _)| !text[..at].ends_with(|before: char| before.is_ascii_alphanumeric()))
        } else {
            text.contains(term)
        }
    })
}

fn timed(rounds: usize, mut ask: impl FnMut() -> Result<(), String>) -> Result<(f64, f64), String> {
    ask()?;
    let mut times = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let begun = Instant::now();
        ask()?;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
    Ok((at(0.5), at(0.99)))
}

/// Writes messages as the server's log would have; where each was said, and what.
fn fill(log: &mut Sqlite, plan: &Plan) -> Result<Vec<(u64, String)>, String> {
    let author = author();
    let mut entries = vec![Entry {
        author: author.clone(),
        command: Command::Register { key: KeyHash([1; 32]), name: "bench".into() },
    }];
    for number in 1..ROOMS {
        let (kind, history) = (Kind::Public, History::All);
        let name = Some(format!("room {number}").into());
        let members = vec![author.user.clone()];
        let command = Command::Create { kind, name, members, history, nonce: None };
        entries.push(Entry { author: author.clone(), command });
    }
    let mut corpus = Vec::new();
    let mut random = Random::new(plan.seed);
    let mut number = 0;
    loop {
        let outcomes = log.append(std::mem::take(&mut entries), 1_700_000_000_000 + number);
        let outcomes = outcomes.map_err(|fatal| fatal.to_string())?;
        if let Some(Err(refusal)) = outcomes.iter().find(|outcome| outcome.is_err()) {
            return Err(format!("the store refuses: {refusal:?}"));
        }
        if number >= plan.messages {
            return Ok(corpus);
        }
        let end = plan.messages.min(number + BATCH);
        while number < end {
            let text = text(&mut random, number);
            let to = where_to(&mut random);
            let nonce = Some(Nonce::new(format!("{number:x}")));
            let command =
                Command::Send { room: room(to), nonce, text: text.as_str().into(), reply: None };
            entries.push(Entry { author: author.clone(), command });
            corpus.push((to, text));
            number += 1;
        }
    }
}

/// One table of SQLite's own, with the texts as they are.
struct Plain {
    connection: Connection,
    path: std::path::PathBuf,
    is_trigram: bool,
    built: f64,
}

impl Plain {
    fn new(folder: &Folder, tokenizer: &str, corpus: &[(u64, String)]) -> Result<Self, String> {
        let path = folder.path().join(format!("{tokenizer}.db"));
        let build = || -> rusqlite::Result<(Connection, f64)> {
            let mut connection = Connection::open(&path)?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "NORMAL")?;
            connection.execute_batch(&format!(
                "CREATE VIRTUAL TABLE entry USING fts5(t, content='', contentless_delete=1, \
                 tokenize='{tokenizer}')"
            ))?;
            let begun = Instant::now();
            for (batch, texts) in corpus.chunks(BATCH as usize).enumerate() {
                let transaction = connection.transaction()?;
                let mut insert =
                    transaction.prepare_cached("INSERT INTO entry (rowid, t) VALUES (?1, ?2)")?;
                for (at, (_, text)) in texts.iter().enumerate() {
                    insert
                        .execute(rusqlite::params![(batch * BATCH as usize + at) as i64, text])?;
                }
                drop(insert);
                transaction.commit()?;
            }
            let built = corpus.len() as f64 / begun.elapsed().as_secs_f64();
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
            Ok((connection, built))
        };
        let (connection, built) = build().map_err(|error| error.to_string())?;
        Ok(Self { connection, path, is_trigram: tokenizer == "trigram", built })
    }

    /// How many it finds in all, and how long the newest take. Words are asked for as whoever
    /// uses such a table does: each between quotes, by its beginning where that can be had.
    fn ask(&self, terms: &[&str], rounds: usize) -> Result<(u64, (f64, f64)), String> {
        let star = if self.is_trigram { "" } else { "*" };
        let terms: Vec<String> = terms.iter().map(|term| format!("\"{term}\"{star}")).collect();
        let terms = terms.join(" ");
        let count = self
            .connection
            .query_row("SELECT count(*) FROM entry WHERE entry MATCH ?1", [&terms], |row| {
                row.get::<_, i64>(0)
            })
            .map_err(|error| error.to_string())?;
        let mut newest = self
            .connection
            .prepare("SELECT rowid FROM entry WHERE entry MATCH ?1 ORDER BY rowid DESC LIMIT 20")
            .map_err(|error| error.to_string())?;
        let time = timed(rounds, || {
            let rows = newest.query_map([&terms], |row| row.get::<_, i64>(0));
            let rows = rows.and_then(Iterator::collect::<rusqlite::Result<Vec<i64>>>);
            rows.map(drop).map_err(|error| error.to_string())
        })?;
        Ok((count as u64, time))
    }
}
