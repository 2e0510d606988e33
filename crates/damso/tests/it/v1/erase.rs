//! Somebody is forgotten: everybody hears it, and the text is nowhere.

use super::Data;
use super::peer::{Peer, http};
use crate::server::Engine;
use serde_json::{Value, json};
use std::fs;
use std::time::{Duration, Instant};

all_engines![
    who_is_forgotten_is_heard_nowhere_and_stands_in_no_file,
    the_memory_forgets_as_well,
    one_erasure_a_minute_is_everybodys,
];

const SECRET: &str = "비밀한-말";
/// A word of it that the index has as it is.
const WORD: &str = "zyzzyva";

/// How many files of the folder have the text.
fn files_with(data: &Data, text: &str) -> Vec<String> {
    let files = fs::read_dir(&data.0).expect("the folder");
    let found = files.filter_map(|file| {
        let path = file.expect("a file").path();
        // A socket is no file.
        let bytes = fs::read(&path).ok()?;
        let is_there = bytes.windows(text.len()).any(|window| window == text.as_bytes());
        is_there.then(|| path.display().to_string())
    });
    found.collect()
}

fn who_is_forgotten_is_heard_nowhere_and_stands_in_no_file(engine: Engine) {
    let data = Data::new(engine, "forgotten");
    let server = data.serve(engine);
    let (mut a, mut b) = (Peer::in_lobby(server.address, "a"), Peer::in_lobby(server.address, "b"));
    let room = json!({"kind": "public", "name": "방", "members": [b.user]});
    let (_, made) = http(server.address, "a", "POST", "/api/v1/rooms", &room);
    let room = made["id"].as_str().expect("an id").to_owned();
    b.ok(json!({"t": "open", "room": room}));
    for number in 0..300 {
        let place = if number % 2 == 0 { "lobby" } else { &room };
        let m = a.says(place, &format!("n{number}"), &format!("{SECRET} {WORD} {number}"));
        if number % 10 == 0 {
            let edit = json!({"op": "edit", "text": format!("{SECRET} 고침")});
            a.changes(place, m, &format!("e{number}"), edit);
        }
    }
    let own = b.says("lobby", "own", "내 말");
    // It isn't in the room any more, and what it said there goes nevertheless.
    let path = format!("/api/v1/rooms/{room}/members/{}", a.user);
    assert_eq!(http(server.address, "a", "DELETE", &path, &Value::Null).0, 204);
    let find = || http(server.address, "b", "GET", "/api/v1/search?q=zyzzyva", &Value::Null);
    let (_, found) = find();
    assert_eq!(found["hits"].as_array().map(Vec::len), Some(50));
    assert!(!files_with(&data, SECRET).is_empty());
    let erased = http(server.address, "a", "DELETE", "/api/v1/me/messages", &Value::Null);
    assert_eq!(erased, (200, json!({"messages": 300})));
    assert_eq!(files_with(&data, SECRET), [""; 0]);
    assert_eq!(find().1["hits"], json!([]));
    // The index follows: it has been told, and wipes its file as soon as it can.
    let by = Instant::now() + Duration::from_secs(20);
    while !files_with(&data, WORD).is_empty() {
        assert!(Instant::now() < by, "{:?}", files_with(&data, WORD));
        assert_eq!(find().1["hits"], json!([]));
    }
    for place in ["lobby", &room] {
        // Whoever was there heard every deletion, in a row without a hole.
        let mut last = None;
        let mut deleted = 0;
        while deleted < 150 {
            let event = b.event(place);
            let seq = event["seq"].as_u64().expect("seq");
            assert!(last.is_none_or(|last| seq == last + 1), "{event}");
            last = Some(seq);
            deleted += u32::from(event["op"] == "delete");
        }
        // Whoever comes now, with any cursor, is told nothing of it.
        let mut c = Peer::join(server.address, "b");
        c.ok(json!({"t": "open", "room": place, "after": 1, "max": 5_000}));
        let page = c.ok(json!({"t": "history", "room": place, "before": 1_000_000, "limit": 100}));
        assert!(!page.to_string().contains(SECRET), "{page}");
        c.hears_nothing(|message| message.to_string().contains(SECRET));
    }
    let (status, message) = http(
        server.address,
        "b",
        "GET",
        &format!("/api/v1/rooms/lobby/messages/{own}"),
        &Value::Null,
    );
    assert_eq!((status, &message["text"]), (200, &json!("내 말")));
    server.stop();
    let server = data.serve(engine);
    let mut c = Peer::in_lobby(server.address, "b");
    assert!(
        !c.ok(json!({"t": "history", "room": "lobby", "before": 1_000_000}))
            .to_string()
            .contains(SECRET)
    );
    assert_eq!(files_with(&data, SECRET), [""; 0]);
}

fn the_memory_forgets_as_well(engine: Engine) {
    let server = super::chat(engine);
    let mut a = Peer::in_lobby(server.address, "a");
    for number in 0..450 {
        a.says("lobby", &format!("n{number}"), SECRET);
    }
    let erased = http(server.address, "a", "DELETE", "/api/v1/me/messages", &Value::Null);
    assert_eq!(erased, (200, json!({"messages": 450})));
    let page = a.ok(json!({"t": "history", "room": "lobby", "before": 1_000_000, "limit": 100}));
    assert!(!page.to_string().contains(SECRET), "{page}");
}

fn one_erasure_a_minute_is_everybodys(engine: Engine) {
    let server = super::chat(engine);
    for name in ["a", "b"] {
        Peer::in_lobby(server.address, name).says("lobby", "n", "hi");
    }
    let forget = |who| http(server.address, who, "DELETE", "/api/v1/me/messages", &Value::Null);
    assert_eq!(forget("a"), (200, json!({"messages": 1})));
    let (status, problem) = forget("a");
    assert_eq!((status, &problem["code"]), (429, &json!("rate_limited")));
    assert!(problem["retry"].as_u64().is_some_and(|ms| ms <= 60_000), "{problem}");
    assert_eq!(forget("b"), (200, json!({"messages": 1})));
}
