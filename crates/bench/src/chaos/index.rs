//! The index of messages is made anew, and killed at any moment of that: the folder opens, and
//! everything is found as if it had been made in one go.

use super::verbs::{Verb, at_any_time};
use crate::random::Random;
use crate::server::Server;
use damso_chat::hub::{Place, Sought};
use damso_store::{Folder, Log, Rows, Search, Sqlite};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// So long a server takes to start and to make a good part of the index.
const LIFE: Duration = Duration::from_millis(1_200);
const INDEXING_MAX: Duration = Duration::from_secs(60);
/// Messages in an answer.
const LIMIT: usize = 100;

pub(super) fn kills(
    kills: usize,
    damso: Option<&str>,
    folder: &Path,
    random: &mut Random,
) -> Result<(), String> {
    let server = Server::new(damso, folder, random)?;
    remove(folder)?;
    for kill in 1..=kills {
        // Sometimes what the last one left is gone on with.
        if random.between(0, 2) == 0 {
            remove(folder)?;
        }
        let process = server.process()?;
        Verb(process).killed_after(at_any_time(random, LIFE))?;
        let log = Folder::hold(folder).and_then(Sqlite::open);
        drop(log.map_err(|error| format!("index, kill {kill}: {error}"))?);
    }
    let after = count(folder)?;
    remove(folder)?;
    let anew = count(folder)?;
    if after != anew || anew == 0 {
        return Err(format!("{after} messages are found after the kills, {anew} in a new index"));
    }
    println!(
        "  index: {kills} kills while it was made; {after} messages are found, as in a new one"
    );
    Ok(())
}

fn remove(folder: &Path) -> Result<(), String> {
    for name in ["search.db", "search.db-wal", "search.db-shm"] {
        match fs::remove_file(folder.join(name)) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("{name}: {error}")),
        }
    }
    Ok(())
}

/// How many messages have the first word of the newest one, as the index finds them.
fn count(folder: &Path) -> Result<usize, String> {
    let log = Folder::hold(folder).and_then(Sqlite::open);
    let mut log = log.map_err(|error| error.to_string())?;
    let (indexer, searcher) = log.indexer().map_err(|error| error.to_string())?;
    let places: Vec<Place> = log
        .state()
        .rooms()
        .map(|(room, state)| Place { room: room.clone(), first: 1, head: state.head })
        .collect();
    let term = word(&log, &places)?;
    let working = thread::spawn(move || indexer.run(|complaint| println!("  index: {complaint}")));
    let mut sought = Sought {
        places,
        terms: vec![term],
        by: None,
        said_before: None,
        said_since: None,
        has: Vec::new(),
        limit: LIMIT,
        before: None,
    };
    let (mut hits, by) = (0, Instant::now() + INDEXING_MAX);
    loop {
        let found = match searcher.search(&sought) {
            Ok(found) if !found.is_behind => found,
            Ok(_) | Err(_) if Instant::now() < by => continue,
            Ok(_) => return Err("the index doesn't come to the log's end".into()),
            Err(error) => return Err(error.to_string()),
        };
        hits += found.hits.len();
        match found.more {
            Some(place) => sought.before = Some(place),
            None => break,
        }
    }
    drop(log);
    working.join().map_err(|_| "the index's thread panicked".to_owned())?;
    Ok(hits)
}

/// A word that many messages have.
fn word(log: &Sqlite, places: &[Place]) -> Result<Arc<str>, String> {
    let reader = log.reader().map_err(|error| error.to_string())?;
    for place in places {
        let part = damso_store::Part::Newest;
        let ask = damso_store::Ask {
            room: place.room.clone(),
            part,
            limit: 50,
            first: 1,
            head: place.head,
        };
        let page = reader.page(&ask).map_err(|error| error.to_string())?;
        let texts = page.messages.iter().rev().filter_map(|current| current.message.text.as_ref());
        for text in texts {
            if let Some(word) = text.split_whitespace().nth(1) {
                return Ok(word.into());
            }
        }
    }
    Err("there is no text to look for".into())
}
