//! Incoming webhooks.

use super::peer::{Peer, http};
use super::{Data, chat};
use crate::client::{Answer, Client};
use crate::server::Engine;
use serde_json::{Value, json};
use std::net::SocketAddr;

all_engines![
    what_curl_posts_to_the_url_is_said_in_the_room,
    a_url_that_was_revoked_is_as_unknown_as_any_other,
    only_owners_make_see_and_revoke_webhooks,
    a_repeated_post_is_said_once,
    a_webhook_obeys_the_limits_mutes_and_archives_of_its_room,
    a_webhook_survives_a_restart_and_its_id_is_given_once,
];

const ROOMS: &str = "/api/v1/rooms";

/// A room of `a`'s, and the id and URL path of a webhook there.
#[track_caller]
fn hooked(address: SocketAddr, name: &str) -> (String, String, String) {
    let new = json!({"kind": "private", "name": "공사장"});
    let (status, room) = http(address, "a", "POST", ROOMS, &new);
    assert_eq!(status, 201, "{room}");
    let room = room["id"].as_str().expect("an id").to_owned();
    let (id, path) = hook(address, &room, name);
    (room, id, path)
}

/// The id and URL path of a new webhook.
#[track_caller]
fn hook(address: SocketAddr, room: &str, name: &str) -> (String, String) {
    let path = format!("{ROOMS}/{room}/hooks");
    let (status, made) = http(address, "a", "POST", &path, &json!({"name": name}));
    assert_eq!(status, 201, "{made}");
    let url = made["url"].as_str().expect("a URL");
    let path = url.strip_prefix(&format!("http://{address}")).expect("the server as it was asked");
    let key = path.strip_prefix("/api/v1/hooks/").expect("a key");
    assert_eq!(key.len(), 43, "256 bits");
    (made["id"].as_str().expect("an id").to_owned(), path.to_owned())
}

/// Posts a body as `curl` does; `more` are header lines.
#[track_caller]
fn post(address: SocketAddr, path: &str, more: &str, body: &[u8]) -> Answer {
    let mut client = Client::connect(address);
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\n{more}\
         Connection: close\r\n\r\n"
    );
    client.send(&[head.as_bytes(), body].concat());
    client.answer()
}

const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";
const JSON: &str = "Content-Type: application/json; charset=utf-8\r\n";

#[track_caller]
fn code(answer: &Answer) -> (u16, String) {
    let problem: Value = serde_json::from_str(&answer.body).expect("JSON");
    assert_eq!(answer.header("Content-Type"), Some("application/problem+json"));
    (answer.status, problem["code"].as_str().expect("a code").to_owned())
}

fn what_curl_posts_to_the_url_is_said_in_the_room(engine: Engine) {
    let server = chat(engine);
    let mut a = Peer::join(server.address, "a");
    let (room, id, path) = hooked(server.address, "지킴이");
    a.ok(json!({"t": "open", "room": room}));
    for (more, body, text) in [
        (FORM, "빌드 성공 & 100% + =", "빌드 성공 & 100% + ="),
        ("Content-Type: text/plain\r\n", "{\"text\": 1}", "{\"text\": 1}"),
        ("", "말없이", "말없이"),
        (JSON, "{\"text\": \"객체로\", \"more\": 1}", "객체로"),
    ] {
        let answer = post(server.address, &path, more, body.as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.body);
        let said: Value = serde_json::from_str(&answer.body).expect("JSON");
        let event = a.event(&room);
        assert_eq!((&event["text"], &event["seq"]), (&json!(text), &said["m"]));
        assert_eq!((&event["by"], &event["name"]), (&json!(id), &json!("지킴이")));
    }
    // Nobody is in the room that wasn't.
    let (_, details) = http(server.address, "a", "GET", &format!("{ROOMS}/{room}"), &Value::Null);
    assert_eq!(details["members"].as_array().expect("members").len(), 1);
    let refused = |more, body: &[u8]| code(&post(server.address, &path, more, body));
    assert_eq!(refused(FORM, b"").0, 400);
    assert_eq!(refused(FORM, b"\xff").1, "bad_field");
    assert_eq!(refused(JSON, b"text").1, "bad_json");
    assert_eq!(refused(JSON, b"{}").1, "bad_field");
    assert_eq!(refused(FORM, "가".repeat(8_001).as_bytes()), (413, "too_big".into()));
    assert_eq!(refused(FORM, &[b'a'; 70_000]).0, 413);
}

fn a_url_that_was_revoked_is_as_unknown_as_any_other(engine: Engine) {
    let server = chat(engine);
    let _a = Peer::join(server.address, "a");
    let (room, id, path) = hooked(server.address, "ci");
    let one = format!("{ROOMS}/{room}/hooks/{id}");
    assert_eq!(post(server.address, &path, FORM, b"x").status, 200);
    assert_eq!(http(server.address, "a", "DELETE", &one, &Value::Null).0, 204);
    assert_eq!(http(server.address, "a", "DELETE", &one, &Value::Null).0, 404);
    let revoked = post(server.address, &path, FORM, b"x");
    assert_eq!(code(&revoked), (404, "not_found".into()));
    for unknown in ["x".to_owned(), "A".repeat(43), "%ff".into(), "B".repeat(300)] {
        let answer = post(server.address, &format!("/api/v1/hooks/{unknown}"), FORM, b"x");
        assert_eq!((answer.status, &answer.body), (404, &revoked.body), "{unknown}");
    }
    // A person's key is no webhook's, nor the other way round.
    let person = format!("/api/v1/hooks/{}", super::peer::key("a"));
    assert_eq!(post(server.address, &person, FORM, b"x").status, 404);
}

fn only_owners_make_see_and_revoke_webhooks(engine: Engine) {
    let server = chat(engine);
    let _a = Peer::join(server.address, "a");
    let b = Peer::join(server.address, "b");
    let (room, id, _) = hooked(server.address, "ci");
    let (hooks, new) = (format!("{ROOMS}/{room}/hooks"), json!({"name": "mine"}));
    let one = format!("{hooks}/{id}");
    let by_b =
        |method: &str, path: &str, body: &Value| http(server.address, "b", method, path, body);
    for (method, path) in [("GET", &hooks), ("POST", &hooks), ("DELETE", &one)] {
        assert_eq!(by_b(method, path, &new).0, 404, "{method}: not there for a stranger");
    }
    let member = format!("{ROOMS}/{room}/members/{}", b.user);
    assert_eq!(http(server.address, "a", "PUT", &member, &Value::Null).0, 204);
    for (method, path) in [("GET", &hooks), ("POST", &hooks), ("DELETE", &one)] {
        assert_eq!(by_b(method, path, &new).0, 403, "{method}: a member is no owner");
    }
    let (status, list) = http(server.address, "a", "GET", &hooks, &Value::Null);
    assert_eq!((status, list), (200, json!({"hooks": [{"id": id, "name": "ci"}]})));
    for bad in ["", "Administrator", "1.2.3.4:5", "x\u{202e}y"] {
        let (status, _) = http(server.address, "a", "POST", &hooks, &json!({"name": bad}));
        assert_eq!(status, 400, "{bad:?}");
    }
    let (status, taken) = http(server.address, "a", "POST", &hooks, &json!({"name": "B"}));
    assert_eq!(
        (status, &taken["code"], &taken["suggest"]),
        (409, &json!("name_taken"), &json!("B2"))
    );
    for number in 2..=20 {
        hook(server.address, &room, &format!("ci{number}"));
    }
    let (status, full) = http(server.address, "a", "POST", &hooks, &json!({"name": "one more"}));
    assert_eq!((status, &full["code"]), (409, &json!("full")));
}

fn a_repeated_post_is_said_once(engine: Engine) {
    let server = chat(engine);
    let mut a = Peer::join(server.address, "a");
    let (room, _, path) = hooked(server.address, "ci");
    a.ok(json!({"t": "open", "room": room}));
    let key = format!("{FORM}Idempotency-Key: build-7\r\n");
    let first = post(server.address, &path, &key, "하나".as_bytes());
    let again = post(server.address, &path, &key, "하나".as_bytes());
    assert_eq!((first.status, &first.body), (200, &again.body));
    let other = post(server.address, &path, &key, "둘".as_bytes());
    assert_eq!(code(&other), (409, "nonce_reused".into()));
    assert_eq!(a.event(&room)["nonce"], "build-7");
    a.hears_nothing(|message| message["t"] == "msg");
}

fn a_webhook_obeys_the_limits_mutes_and_archives_of_its_room(engine: Engine) {
    // Of messages alone: ten at once, then hardly any.
    let server = engine.serve(&["--set", "limits.send_per_second=0.001"]);
    let _a = Peer::join(server.address, "a");
    let (room, _, path) = hooked(server.address, "ci");
    for number in 0..10 {
        assert_eq!(post(server.address, &path, FORM, b"x").status, 200, "{number}");
    }
    let answer = post(server.address, &path, FORM, b"x");
    assert!(answer.header("Retry-After").is_some());
    assert_eq!(code(&answer), (429, "rate_limited".into()));

    let (_, other) = hook(server.address, &room, "감시");
    assert_eq!(post(server.address, &other, FORM, b"x").status, 200, "each has its own rate");
    server.types("/mute 감시");
    server.prints(&["감시"]);
    assert_eq!(code(&post(server.address, &other, FORM, b"x")), (403, "muted".into()));
    server.types("/mute 감시 0");
    server.prints(&["감시"]);
    assert_eq!(post(server.address, &other, FORM, b"x").status, 200);

    let archive = json!({"archived": true});
    let (status, _) = http(server.address, "a", "PATCH", &format!("{ROOMS}/{room}"), &archive);
    assert_eq!(status, 204);
    assert_eq!(code(&post(server.address, &other, FORM, b"x")), (403, "forbidden".into()));
    assert_eq!(
        http(server.address, "a", "PATCH", &format!("{ROOMS}/{room}"), &json!({"archived": false}))
            .0,
        204
    );
    assert_eq!(post(server.address, &other, FORM, b"x").status, 200);
    server.types("/ban 127.0.0.1");
    server.prints(&["banned"]);
    assert_eq!(code(&post(server.address, &other, FORM, b"x")), (403, "forbidden".into()));
}

fn a_webhook_survives_a_restart_and_its_id_is_given_once(engine: Engine) {
    let data = Data::new(engine, "hooks");
    let server = data.serve(engine);
    let _a = Peer::join(server.address, "a");
    let (room, _, kept) = hooked(server.address, "ci");
    let (id, gone) = hook(server.address, &room, "감시");
    assert_eq!(post(server.address, &gone, FORM, b"x").status, 200);
    let one = format!("{ROOMS}/{room}/hooks/{id}");
    assert_eq!(http(server.address, "a", "DELETE", &one, &Value::Null).0, 204);
    drop(server);
    let server = data.serve(engine);
    let mut a = Peer::join(server.address, "a");
    a.ok(json!({"t": "open", "room": room}));
    assert_eq!(post(server.address, &kept, FORM, b"x").status, 200);
    assert_eq!(a.find(|message| message["t"] == "msg")["by"], "w1");
    assert_eq!(post(server.address, &gone, FORM, b"x").status, 404);
    assert_eq!(hook(server.address, &room, "감시").0, "w3");
}
