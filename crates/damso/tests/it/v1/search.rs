//! Looking for messages, over HTTP.

use super::peer::{Peer, http};
use super::{Data, chat};
use crate::server::{Engine, Server};
use serde_json::{Value, json};

all_engines![
    what_was_said_is_found_at_once_in_memory,
    what_was_said_is_found_at_once_on_disk,
    rooms_of_others_have_no_hits_in_memory,
    rooms_of_others_have_no_hits_on_disk,
    pages_go_on_where_the_last_one_ended,
    a_lost_or_broken_index_is_made_anew,
    a_query_that_says_nothing_is_refused,
];

/// Asks for messages; the whole answer.
#[track_caller]
fn ask(server: &Server, who: &str, parameters: &[(&str, &str)]) -> (u16, Value) {
    let escape = |text: &str| -> String {
        let plain = |byte: u8| byte.is_ascii_alphanumeric();
        let one =
            |byte: u8| if plain(byte) { char::from(byte).into() } else { format!("%{byte:02x}") };
        text.bytes().map(one).collect()
    };
    let parameters: Vec<String> =
        parameters.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
    let path = format!("/api/v1/search?{}", parameters.join("&"));
    http(server.address, who, "GET", &path, &Value::Null)
}

#[track_caller]
fn found(server: &Server, who: &str, parameters: &[(&str, &str)]) -> Value {
    let (status, answer) = ask(server, who, parameters);
    assert_eq!(status, 200, "{parameters:?}: {answer}");
    answer
}

/// The texts of what was found, newest first.
#[track_caller]
fn texts(server: &Server, who: &str, q: &str) -> Vec<String> {
    let answer = found(server, who, &[("q", q)]);
    let hits = answer["hits"].as_array().expect("hits").iter();
    hits.map(|hit| hit["text"].as_str().expect("a text").to_owned()).collect()
}

fn what_was_said_is_found_at_once_in_memory(engine: Engine) {
    what_was_said_is_found_at_once(&chat(engine));
}

fn what_was_said_is_found_at_once_on_disk(engine: Engine) {
    let data = Data::new(engine, "search");
    what_was_said_is_found_at_once(&data.serve(engine));
}

fn what_was_said_is_found_at_once(server: &Server) {
    let mut a = Peer::in_lobby(server.address, "민수");
    let _b = Peer::join(server.address, "b");
    let lobby = "/api/v1/rooms/lobby/messages";
    let text = "🎉 서버장애 발생, see https://status";
    let (status, said) =
        http(server.address, "민수", "POST", lobby, &json!({"nonce": "h1", "text": text}));
    assert_eq!(status, 200, "{said}");
    let answer = found(server, "b", &[("q", "장애 SEE")]);
    let hit = json!({
        "room": "lobby", "m": said["m"], "at": said["at"], "by": a.user, "name": "민수",
        "text": text, "marks": [[5, 7], [12, 15]],
    });
    assert_eq!(answer, json!({ "hits": [hit] }));

    let second = a.says("lobby", "n2", "the observer saw `장애` too");
    a.ok(json!({"t": "send", "room": "lobby", "nonce": "n3", "text": "네", "reply": second}));
    let both = ["the observer saw `장애` too", text];
    assert_eq!(texts(server, "b", "장애"), both);
    assert_eq!(texts(server, "b", "\"발생, see\""), [text]);
    assert!(texts(server, "b", "server").is_empty());
    assert!(texts(server, "b", "장애 OR x").is_empty());
    assert_eq!(texts(server, "b", "from:@민수 has:link"), [text]);
    assert_eq!(texts(server, "b", "has:code in:lobby"), both[..1]);
    assert_eq!(texts(server, "b", "has:reply"), ["네"]);
    assert!(texts(server, "b", "장애 from:b").is_empty());
    assert!(texts(server, "b", "장애 in:nowhere").is_empty());
    assert!(texts(server, "b", "장애 before:2020-01-01").is_empty());
    assert_eq!(texts(server, "b", "장애 after:2020-01-01"), both);

    // What it said before is no longer found, nor is what was taken back.
    a.changes("lobby", second, "c1", json!({"op": "edit", "text": "아무 일도 아님"}));
    assert_eq!(texts(server, "b", "장애"), [text]);
    assert_eq!(texts(server, "b", "아무"), ["아무 일도 아님"]);
    a.changes("lobby", second, "c2", json!({"op": "delete"}));
    assert!(texts(server, "b", "아무").is_empty());
}

fn rooms_of_others_have_no_hits_in_memory(engine: Engine) {
    rooms_of_others_have_no_hits(&chat(engine));
}

fn rooms_of_others_have_no_hits_on_disk(engine: Engine) {
    let data = Data::new(engine, "search-rights");
    rooms_of_others_have_no_hits(&data.serve(engine));
}

fn rooms_of_others_have_no_hits(server: &Server) {
    let mut a = Peer::join(server.address, "a");
    let b = Peer::join(server.address, "b");
    let make = |room: Value| {
        let (_, made) = http(server.address, "a", "POST", "/api/v1/rooms", &room);
        made["id"].as_str().expect("an id").to_owned()
    };
    let private = make(json!({"kind": "private", "name": "비밀 회의"}));
    let public = make(json!({"kind": "public", "name": "공지"}));
    a.says(&private, "n1", "암호는 1234");
    a.says(&public, "n2", "암호는 없음");
    assert_eq!(texts(server, "a", "암호"), ["암호는 없음", "암호는 1234"]);
    assert_eq!(texts(server, "a", "암호 in:\"비밀 회의\""), ["암호는 1234"]);
    for q in ["암호", "암호 in:\"비밀 회의\"", "암호 \" OR room:", &format!("암호 in:{private}")]
    {
        assert!(texts(server, "b", q).is_empty(), "{q}");
    }
    let with_room = [("q", "암호"), ("room", &*private)];
    assert_eq!(found(server, "b", &with_room), json!({"hits": []}));
    assert_eq!(found(server, "a", &with_room)["hits"][0]["text"], "암호는 1234");

    // Who is let in sees what is said from then on.
    let member = format!("/api/v1/rooms/{private}/members/{}", b.user);
    assert_eq!(http(server.address, "a", "PUT", &member, &Value::Null).0, 204);
    a.says(&private, "n3", "새 암호는 5678");
    assert_eq!(texts(server, "b", "암호"), ["새 암호는 5678"]);
    assert_eq!(http(server.address, "a", "DELETE", &member, &Value::Null).0, 204);
    assert!(texts(server, "b", "암호").is_empty());
}

fn pages_go_on_where_the_last_one_ended(engine: Engine) {
    let data = Data::new(engine, "search-pages");
    for server in [chat(engine), data.serve(engine)] {
        let mut a = Peer::in_lobby(server.address, "a");
        for number in 1..=7 {
            a.says("lobby", &format!("n{number}"), &format!("회의록 {number}"));
        }
        let (mut seen, mut before) = (Vec::new(), None::<String>);
        loop {
            let mut parameters = vec![("q", "회의"), ("limit", "3")];
            parameters.extend(before.as_deref().map(|before| ("before", before)));
            let answer = found(&server, "a", &parameters);
            let hits = answer["hits"].as_array().expect("hits");
            seen.extend(hits.iter().map(|hit| hit["text"].as_str().expect("a text").to_owned()));
            match answer["more"].as_str() {
                Some(more) => before = Some(more.to_owned()),
                None => break,
            }
        }
        let expected: Vec<String> =
            (1..=7).rev().map(|number| format!("회의록 {number}")).collect();
        assert_eq!(seen, expected);
    }
}

fn a_lost_or_broken_index_is_made_anew(engine: Engine) {
    let data = Data::new(engine, "search-anew");
    let server = data.serve(engine);
    let mut a = Peer::in_lobby(server.address, "a");
    for number in 0..50 {
        a.says("lobby", &format!("n{number}"), &format!("서버장애 {number}"));
    }
    assert_eq!(texts(&server, "a", "장애 49"), ["서버장애 49"]);
    drop(server);
    let index = data.0.join("search.db");
    std::fs::remove_file(&index).expect("there is an index");
    let server = data.serve(engine);
    assert_eq!(texts(&server, "a", "장애 0"), ["서버장애 0"]);
    drop(server);
    std::fs::write(&index, "this was a database once").expect("a broken index");
    let server = data.serve(engine);
    assert_eq!(texts(&server, "a", "장애 7"), ["서버장애 7"]);
}

fn a_query_that_says_nothing_is_refused(engine: Engine) {
    let server = chat(engine);
    let _a = Peer::join(server.address, "a");
    for q in ["", "has:", "from:", "has:file", "before:soon", "tz:0 in:\"\""] {
        let (status, problem) = ask(&server, "a", &[("q", q)]);
        assert_eq!((status, &problem["code"]), (400, &json!("bad_field")), "{q}");
    }
    for parameters in [
        [("q", "a"), ("before", "gone")],
        [("q", "a"), ("tz", "900")],
        [("q", "a"), ("limit", "x")],
    ] {
        let (status, problem) = ask(&server, "a", &parameters);
        assert_eq!((status, &problem["code"]), (400, &json!("bad_field")), "{parameters:?}");
    }
    assert_eq!(ask(&server, "nobody", &[("q", "a")]).0, 401);
}
