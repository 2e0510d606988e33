//! HTTP's own: what it says of itself, and messages as the socket has them.

use super::peer::{Peer, http, request};
use super::{Data, chat};
use crate::client::Client;
use crate::server::{Engine, Server};
use serde_json::{Value, json};

all_engines![
    the_api_describes_itself,
    messages_change_over_http_as_over_a_socket,
    one_message_is_found_deleted_or_not_there,
    pinned_messages_are_listed,
    a_link_carries_a_key_to_another_device,
    the_first_message_at_or_after_a_time_is_found,
    a_change_is_repeated_under_its_key,
    a_reading_position_is_told,
];

const LOBBY: &str = "/api/v1/rooms/lobby/messages";

fn the_api_describes_itself(engine: Engine) {
    let server = engine.serve(&["--set", "limits.text_chars=77"]);
    let mut client = Client::connect(server.address);
    let address = server.address;
    client.send(format!("GET /api/v1/openapi.json HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes());
    let answer = client.answer();
    assert_eq!((answer.status, answer.header("Content-Type")), (200, Some("application/json")));
    let described: Value = serde_json::from_str(&answer.body).expect("JSON");
    assert_eq!(described["openapi"], "3.1.0");
    assert_eq!(described["components"]["schemas"]["Text"]["maxLength"], 77);
    let send = &described["paths"]["/rooms/{room}/messages"]["post"];
    assert_eq!(
        send["responses"]["429"]["content"]["application/problem+json"]["schema"]["$ref"],
        "#/components/schemas/Problem"
    );
    let mut ids = Vec::new();
    for item in described["paths"].as_object().expect("paths").values() {
        for operation in item.as_object().expect("operations").values() {
            ids.push(operation["operationId"].as_str().expect("a name").to_owned());
        }
    }
    ids.sort();
    let count = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), count, "each has a name of its own: {ids:?}");
}

pub(crate) fn messages_change_over_http_as_over_a_socket(engine: Engine) {
    let server = chat(engine);
    let mut a = Peer::in_lobby(server.address, "a");
    let b = Peer::join(server.address, "b");
    let (_, me) = http(server.address, "b", "GET", "/api/v1/me", &Value::Null);
    assert_eq!(me, json!({"user": b.user, "name": "b"}));
    let m = a.says("lobby", "n1", "처음");
    a.event("lobby");
    let one = format!("{LOBBY}/{m}");
    let edit = json!({"nonce": "n2", "text": "고침"});
    assert_eq!(http(server.address, "b", "PATCH", &one, &edit).0, 403);
    for (who, method, path, body, op) in [
        ("a", "PATCH", one.clone(), edit.clone(), "edit"),
        ("b", "PUT", format!("{one}/reactions/%F0%9F%91%8D"), Value::Null, "react"),
        ("b", "DELETE", format!("{one}/reactions/%F0%9F%91%8D"), Value::Null, "unreact"),
        ("a", "PUT", format!("{one}/pin"), Value::Null, "pin"),
        ("a", "DELETE", format!("{one}/pin"), Value::Null, "unpin"),
        ("a", "DELETE", one.clone(), Value::Null, "delete"),
    ] {
        let (status, changed) = http(server.address, who, method, &path, &body);
        assert_eq!(status, 200, "{op}: {changed}");
        let event = a.event("lobby");
        assert_eq!((&event["op"], &event["seq"]), (&json!(op), &changed["seq"]));
        // The same once more is the same.
        let (status, again) = http(server.address, who, method, &path, &body);
        assert_eq!((status, again), (200, changed), "{op}");
    }
    let (status, problem) = http(server.address, "a", "PUT", &format!("{one}/pin"), &Value::Null);
    assert_eq!((status, &problem["code"]), (410, &json!("gone")));
}

fn pinned_messages_are_listed(engine: Engine) {
    let data = Data::new(engine, "pins");
    for server in [chat(engine), data.serve(engine)] {
        let mut a = Peer::in_lobby(server.address, "a");
        Peer::join(server.address, "b");
        let pins = || {
            let (status, page) =
                http(server.address, "b", "GET", "/api/v1/rooms/lobby/pins", &Value::Null);
            assert_eq!(status, 200, "{page}");
            let messages = page["messages"].as_array().expect("messages").iter();
            let texts: Vec<_> = messages
                .map(|message| {
                    assert_eq!(message["pinned"], true);
                    message["text"].as_str().expect("a text").to_owned()
                })
                .collect();
            (texts, page["more"] == true)
        };
        assert_eq!(pins(), (vec![], false));
        let m: Vec<u64> = [("n1", "하나"), ("n2", "둘"), ("n3", "셋")]
            .map(|(nonce, text)| a.says("lobby", nonce, text))
            .into();
        for m in [m[2], m[0]] {
            a.changes("lobby", m, &format!("pin-{m}"), json!({"op": "pin"}));
        }
        assert_eq!(pins(), (vec!["하나".to_owned(), "셋".to_owned()], false));
        a.changes("lobby", m[0], "delete", json!({"op": "delete"}));
        assert_eq!(pins(), (vec!["셋".to_owned()], false));
        for number in 0..100 {
            let m = a.says("lobby", &format!("again-{number}"), "또");
            a.changes("lobby", m, &format!("pin-{m}"), json!({"op": "pin"}));
        }
        let (texts, more) = pins();
        assert_eq!((texts.len(), more), (100, true), "the newest");
        assert!(!texts.contains(&"셋".to_owned()));
        let nowhere = "/api/v1/rooms/nowhere/pins";
        assert_eq!(http(server.address, "b", "GET", nowhere, &Value::Null).0, 404);
    }
}

fn a_link_carries_a_key_to_another_device(engine: Engine) {
    let link =
        |server: &Server, who| http(server.address, who, "GET", "/api/v1/me/link", &Value::Null);
    let server = chat(engine);
    assert_eq!(link(&server, "nobody").0, 401, "its reader would be somebody else");
    Peer::join(server.address, "a");
    let (status, here) = link(&server, "a");
    assert_eq!(status, 200, "{here}");
    let url = here["url"].as_str().expect("a URL");
    let (page, key) = url.split_once("/#key=").expect("a key");
    assert_eq!(page, format!("http://{}", server.address));
    assert_eq!(key, super::peer::key("a"));
    assert_eq!(here["local"], true);
    let rows = here["rows"].as_array().expect("rows");
    for row in rows {
        let row = row.as_str().expect("a row");
        assert_eq!(row.len(), rows.len());
        assert!(row.bytes().all(|module| [b'0', b'1'].contains(&module)), "{row}");
    }
    assert!(rows[0].as_str().is_some_and(|row| row.starts_with("11111110")), "a finder pattern");
    let answer = request(server.address, "a", "GET", "/api/v1/me/link", &Value::Null);
    assert_eq!(answer.header("Cache-Control"), Some("no-store"));

    let everywhere = engine.serve_on("0.0.0.0:0", &[]);
    Peer::join(everywhere.address, "a");
    let (_, link) = link(&everywhere, "a");
    let url = link["url"].as_str().expect("a URL");
    assert_eq!(link["local"] == true, url.starts_with("http://127.0.0.1"), "{url}");
}

fn one_message_is_found_deleted_or_not_there(engine: Engine) {
    let server = chat(engine);
    let mut a = Peer::in_lobby(server.address, "a");
    let m = a.says("lobby", "n1", "하나");
    let reaction = a.changes("lobby", m, "n2", json!({"op": "react", "emoji": "👍"}));
    let last = a.says("lobby", "n3", "둘");
    let get = |m: u64| http(server.address, "a", "GET", &format!("{LOBBY}/{m}"), &Value::Null);
    let (status, message) = get(m);
    assert_eq!((status, &message["text"]), (200, &json!("하나")));
    assert_eq!(message["reactions"], json!([["👍", 1, true]]));
    for nothing in [0, reaction, last + 1] {
        assert_eq!(get(nothing).0, 404, "{nothing}");
    }
    a.changes("lobby", m, "n4", json!({"op": "delete"}));
    assert_eq!(get(m).0, 410);
    let too_large = format!("{LOBBY}/9007199254740992");
    assert_eq!(http(server.address, "a", "GET", &too_large, &Value::Null).0, 404);
}

fn the_first_message_at_or_after_a_time_is_found(engine: Engine) {
    let server = chat(engine);
    let mut a = Peer::in_lobby(server.address, "a");
    let mut said: Vec<(u64, u64)> = Vec::new();
    // Several at the same time, and several times.
    while said.last().is_none_or(|last| last.1 < said[0].1 + 3) {
        let send = json!({"t": "send", "room": "lobby", "nonce": format!("n{}", said.len()),
            "text": "말"});
        let reply = a.ok(send);
        said.push((reply["m"].as_u64().expect("m"), reply["at"].as_u64().expect("at")));
    }
    let (first, last) = (said[0].1, said[said.len() - 1].1);
    for at in first - 1..=last + 1 {
        let path = format!("{LOBBY}?at={at}&limit=1");
        let (status, page) = http(server.address, "a", "GET", &path, &Value::Null);
        assert_eq!(status, 200, "{page}");
        let found = page["messages"][0]["m"].as_u64();
        match said.iter().find(|(_, said)| *said >= at) {
            Some((m, _)) => assert_eq!(found, Some(*m), "at {at} of {said:?}"),
            // The nearest one, and its time says that it was before.
            None => assert_eq!(page["messages"][0]["at"], last),
        }
    }
}

fn a_change_is_repeated_under_its_key(engine: Engine) {
    let server = chat(engine);
    let mut a = Peer::in_lobby(server.address, "a");
    let m = a.says("lobby", "n1", "하나");
    let put = |path: &str, name: &str| {
        let (address, key) = (server.address, super::peer::key("a"));
        let mut client = Client::connect(address);
        client.send(
            format!(
                "PUT {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\n\
                 Idempotency-Key: {name}\r\nConnection: close\r\n\r\n"
            )
            .as_bytes(),
        );
        let answer = client.answer();
        (answer.status, serde_json::from_str::<Value>(&answer.body).expect("JSON"))
    };
    let pin = format!("{LOBBY}/{m}/pin");
    let (status, pinned) = put(&pin, "k1");
    assert_eq!(status, 200);
    a.changes("lobby", m, "k2", json!({"op": "unpin"}));
    assert_eq!(put(&pin, "\"k1\""), (200, pinned), "the first result, and it stays unpinned");
    let (_, message) = http(server.address, "a", "GET", &format!("{LOBBY}/{m}"), &Value::Null);
    assert!(message["pinned"].is_null());
    let (status, problem) = put(&format!("{LOBBY}/{m}/reactions/x"), "k1");
    assert_eq!((status, &problem["code"]), (409, &json!("nonce_reused")));
    let (status, problem) = put(&pin, "no key");
    assert_eq!((status, &problem["code"]), (400, &json!("bad_field")));
}

fn a_reading_position_is_told(engine: Engine) {
    let server = chat(engine);
    let mut a = Peer::in_lobby(server.address, "a");
    let mut b = Peer::in_lobby(server.address, "b");
    let m = a.says("lobby", "n1", "하나");
    let read = json!({"seq": m});
    let path = "/api/v1/rooms/lobby/read";
    assert_eq!(http(server.address, "b", "PUT", path, &read).0, 204);
    assert_eq!(b.next_of("seen")["seq"], m);
    assert_eq!(http(server.address, "b", "PUT", path, &json!({"seq": -1})).0, 400);
    let answer = request(server.address, "b", "POST", path, &read);
    assert_eq!((answer.status, answer.header("Allow")), (405, Some("PUT")));
}
