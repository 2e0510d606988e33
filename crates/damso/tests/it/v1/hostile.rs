//! Peers that mean no good, and clients with faults.

use super::peer::{Peer, http, key, request};
use super::{Data, chat};
use crate::client::Client;
use crate::server::Engine;
use serde_json::{Value, json};

all_engines![
    numbers_beyond_any_log_are_answered_like_others,
    a_hello_that_is_refused_ends_the_connection,
    a_request_may_be_called_nought_and_one_without_a_name_has_no_reply,
    an_id_that_is_none_is_a_bad_field_and_not_a_frame_nobody_can_read,
    what_http_can_not_read_is_a_problem_like_any_other,
    a_body_that_never_comes_holds_no_place_for_ever,
];

/// The largest numbers there are, on the wire and in the machine.
const HUGE: [u64; 6] = [(1 << 53) - 1, 1 << 53, i64::MAX as u64, 1 << 63, u64::MAX - 1, u64::MAX];

fn numbers_beyond_any_log_are_answered_like_others(engine: Engine) {
    let data = Data::new(engine, "huge");
    for server in [chat(engine), data.serve(engine)] {
        let mut a = Peer::join(server.address, "a");
        for number in 1..=3 {
            a.says("lobby", &format!("n{number}"), "x");
        }
        for huge in HUGE {
            let opened = a.ok(json!({"t": "open", "room": "lobby", "after": huge, "limit": 1}));
            assert_eq!((&opened["mode"], &opened["gap"]), (&json!("reset"), &Value::Null));
            a.ok(json!({"t": "open", "room": "lobby", "after": 1, "max": huge}));
            let of = |place: &str| json!({"t": "history", "room": "lobby", place: huge});
            let count = |page: Value| page["messages"].as_array().unwrap().len();
            assert_eq!(count(a.ok(of("before"))), 3, "{huge}");
            assert_eq!(count(a.ok(of("after"))), 0, "{huge}");
            assert_eq!(count(a.ok(of("around"))), 3, "{huge}");
            a.ok(json!({"t": "read", "room": "lobby", "seq": huge}));
            let reply = json!({"t": "send", "room": "lobby", "nonce": "r", "text": "x",
                "reply": huge});
            assert_eq!(a.refused(reply), "not_found");
            let pin = json!({"t": "change", "room": "lobby", "m": huge, "nonce": "p",
                "op": "pin"});
            assert_eq!(a.refused(pin), "not_found");
        }
        for no_number in [json!(-1), json!(1.5), json!("1"), json!([1]), json!(1e300)] {
            let open = json!({"t": "open", "room": "lobby", "after": no_number});
            assert_eq!(a.refused(open), "bad_field", "{no_number}");
        }
    }
}

fn a_hello_that_is_refused_ends_the_connection(engine: Engine) {
    let server = chat(engine);
    for (hello, refusal, close) in [
        (json!({"t": "hello", "name": "a"}), "bad_field", 4000),
        (json!({"t": "hello", "key": "short", "name": "a"}), "bad_field", 4000),
        (json!({"t": "hello", "key": 5, "name": "a"}), "bad_field", 4000),
        (json!({"t": "hello", "key": key("a")}), "bad_field", 4000),
        (json!({"t": "hello", "token": "x"}), "unauthorized", 4001),
    ] {
        let mut peer = Peer::open(server.address);
        assert_eq!(peer.refused(hello.clone()), refusal, "{hello}");
        let (before, code) = peer.until_closed();
        assert_eq!((code, &before.last().unwrap()["t"]), (close, &json!("bye")), "{hello}");
    }
}

fn a_request_may_be_called_nought_and_one_without_a_name_has_no_reply(engine: Engine) {
    let server = chat(engine);
    let mut a = Peer::open(server.address);
    let hello = json!({"t": "hello", "id": 0, "key": key("a"), "name": "Administrator"});
    a.send(&hello);
    let refused = a.next();
    assert_eq!((&refused["t"], &refused["id"]), (&json!("err"), &json!(0)));
    let mut a = Peer::join(server.address, "a");
    for request in [
        json!({"t": "open", "room": "lobby"}),
        json!({"t": "send", "room": "lobby", "nonce": "n1", "text": "x"}),
        json!({"t": "history", "room": "lobby", "before": 9}),
        json!({"t": "close", "room": "lobby"}),
        json!({"t": "watch", "users": []}),
    ] {
        let mut named = request.clone();
        named["id"] = 0.into();
        a.send(&named);
        assert_eq!(a.find(|message| message["id"] == 0)["t"], "ok", "{request}");
        a.send(&request);
        a.hears_nothing(|message| message["t"] == "ok");
    }
    a.send(&json!({"t": "open", "room": "attic"}));
    let refused = a.next_of("err");
    assert_eq!((&refused["code"], &refused["id"]), (&json!("not_found"), &Value::Null));
}

fn an_id_that_is_none_is_a_bad_field_and_not_a_frame_nobody_can_read(engine: Engine) {
    let server = chat(engine);
    let mut a = Peer::join(server.address, "a");
    for id in [json!("1"), json!(-1), json!(1.5), json!([]), json!(1_u64 << 53)] {
        a.send(&json!({"t": "close", "room": "lobby", "id": id}));
        assert_eq!(a.next_of("err")["code"], "bad_field", "{id}");
    }
    a.ok(json!({"t": "watch", "users": []}));
}

fn what_http_can_not_read_is_a_problem_like_any_other(engine: Engine) {
    let server = chat(engine);
    Peer::join(server.address, "a");
    let messages = "/api/v1/rooms/lobby/messages";
    let large = json!({"nonce": "n", "text": "x".repeat(65_600 - 24)});
    for (method, path, body, status, code) in [
        ("POST", messages, large, 413, "too_big"),
        ("GET", "/api/v1/rooms/%FF", Value::Null, 404, "not_found"),
        ("GET", "/api/v1/rooms/%FF/messages", Value::Null, 404, "not_found"),
        ("PUT", "/api/v1/rooms/lobby/members/%ff", Value::Null, 404, "not_found"),
        ("GET", "/api/v1/rooms/lob%62y%2F..", Value::Null, 404, "not_found"),
        ("POST", messages, json!([1]), 400, "bad_field"),
        ("POST", messages, json!({"nonce": "a b", "text": "x"}), 400, "bad_field"),
        ("OPTIONS", messages, Value::Null, 405, "bad_type"),
    ] {
        let answer = request(server.address, "a", method, path, &body);
        let kind = answer.header("Content-Type");
        assert_eq!(kind, Some("application/problem+json"), "{method} {path}: {}", answer.body);
        let problem: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!((answer.status, &problem["code"]), (status, &json!(code)), "{problem}");
    }
    let (status, _) = http(server.address, "a", "GET", "/api/v1/rooms/lob%62y", &Value::Null);
    assert_eq!(status, 200);
}

fn a_body_that_never_comes_holds_no_place_for_ever(engine: Engine) {
    let server = chat(engine);
    let mut client = Client::connect(server.address);
    let (address, key) = (server.address, key("anybody"));
    let head = format!(
        "POST /api/v1/rooms HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\n\
         Content-Length: 100\r\n\r\n{{"
    );
    client.send(head.as_bytes());
    let answer = client.answer();
    assert_eq!(answer.status, 408, "{}", answer.body);
    client.ends();
}
