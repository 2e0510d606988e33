//! Rooms and their members, over HTTP and as sockets hear of them.

use super::chat;
use super::peer::{Peer, http, request};
use crate::server::{Engine, Server};
use serde_json::{Value, json};

all_engines![
    a_public_room_is_made_found_joined_and_left,
    a_private_room_is_there_for_its_members_alone,
    who_is_removed_hears_nothing_more,
    two_people_have_one_direct_message,
    only_owners_write_where_announcements_are_made,
    history_begins_with_joining_or_is_all,
    a_room_is_renamed_described_and_archived,
    messages_are_read_and_written_over_http,
    http_refuses_with_problem_details,
];

const ROOMS: &str = "/api/v1/rooms";

#[track_caller]
fn make(server: &Server, who: &str, room: Value) -> String {
    let (status, made) = http(server.address, who, "POST", ROOMS, &room);
    assert_eq!(status, 201, "{made}");
    made["id"].as_str().expect("an id").to_owned()
}

/// Does something to a member; the status.
fn member(server: &Server, who: &str, method: &str, room: &str, whom: &Peer) -> u16 {
    let path = format!("{ROOMS}/{room}/members/{}", whom.user);
    http(server.address, who, method, &path, &Value::Null).0
}

fn a_public_room_is_made_found_joined_and_left(engine: Engine) {
    let server = chat(engine);
    let mut a = Peer::join(server.address, "a");
    let mut b = Peer::join(server.address, "b");
    let room = make(&server, "a", json!({"kind": "public", "name": "산책"}));
    let entered = a.find(|message| message["t"] == "room" && message["seq"].is_null());
    assert_eq!((&entered["room"], &entered["what"]), (&json!(room), &json!("join")));
    let (_, lists) = http(server.address, "b", "GET", ROOMS, &Value::Null);
    assert_eq!(lists["others"][0]["name"], "산책");
    assert_eq!(b.refused(json!({"t": "open", "room": room})), "forbidden");
    let taken = json!({"kind": "public", "name": "산책"});
    let (status, problem) = http(server.address, "b", "POST", ROOMS, &taken);
    assert_eq!((status, &problem["code"]), (409, &json!("name_taken")));
    assert_eq!(problem["suggest"], "산책 2");

    a.ok(json!({"t": "open", "room": room}));
    assert_eq!(member(&server, "b", "PUT", &room, &b), 204);
    assert_eq!(member(&server, "b", "PUT", &room, &b), 204, "it is so already");
    let joined = a.event(&room);
    assert_eq!((&joined["what"], &joined["user"]), (&json!("join"), &json!(b.user)));
    b.ok(json!({"t": "open", "room": room}));
    b.says(&room, "n1", "안녕");
    assert_eq!(a.event(&room)["text"], "안녕");
    let (_, details) = http(server.address, "b", "GET", &format!("{ROOMS}/{room}"), &Value::Null);
    assert_eq!(details["members"].as_array().unwrap().len(), 2);
    assert_eq!(details["members"][0]["role"], "owner");
    let (_, lobby) = http(server.address, "b", "GET", &format!("{ROOMS}/lobby"), &Value::Null);
    let names: Vec<_> = lobby["members"].as_array().unwrap().iter().map(|m| &m["name"]).collect();
    assert_eq!(names, ["a", "b"], "everybody is in the lobby");

    assert_eq!(member(&server, "b", "DELETE", &room, &b), 204);
    let left = b.find(|message| {
        message["t"] == "room" && message["what"] == "leave" && message["seq"].is_null()
    });
    assert_eq!(left["room"], *room);
    a.says(&room, "n1", "잘 가");
    b.hears_nothing(|message| message["t"] == "msg" && message["text"] == "잘 가");
}

fn a_private_room_is_there_for_its_members_alone(engine: Engine) {
    let server = chat(engine);
    let a = Peer::join(server.address, "a");
    let mut b = Peer::join(server.address, "b");
    let room = make(&server, "a", json!({"kind": "private", "name": "비밀"}));
    assert_eq!(b.refused(json!({"t": "open", "room": room})), "not_found");
    assert_eq!(b.refused(json!({"t": "open", "room": "r99"})), "not_found");
    let (_, lists) = http(server.address, "b", "GET", ROOMS, &Value::Null);
    assert_eq!(lists["others"], json!([]));
    for path in [format!("{ROOMS}/{room}"), format!("{ROOMS}/{room}/messages")] {
        assert_eq!(http(server.address, "b", "GET", &path, &Value::Null).0, 404, "{path}");
    }
    assert_eq!(member(&server, "b", "PUT", &room, &b), 404);
    assert_eq!(member(&server, "b", "DELETE", &room, &a), 404);
    assert_eq!(member(&server, "a", "PUT", &room, &b), 204);
    assert_eq!(b.ok(json!({"t": "open", "room": room}))["mode"], "reset");
}

fn who_is_removed_hears_nothing_more(engine: Engine) {
    let server = chat(engine);
    let mut a = Peer::join(server.address, "a");
    let mut b = Peer::join(server.address, "b");
    let members = json!([b.user]);
    let room = make(&server, "a", json!({"kind": "private", "name": "셋", "members": members}));
    b.ok(json!({"t": "open", "room": room}));
    a.says(&room, "n1", "하나");
    assert_eq!(b.event(&room)["text"], "하나");
    assert_eq!(member(&server, "b", "DELETE", &room, &a), 403);
    assert_eq!(member(&server, "a", "DELETE", &room, &b), 204);
    a.says(&room, "n2", "둘");
    let kicked = b.event(&room);
    assert_eq!((&kicked["what"], &kicked["user"]), (&json!("kick"), &json!(b.user)));
    b.find(|message| {
        message["t"] == "room" && message["seq"].is_null() && message["what"] == "kick"
    });
    assert_eq!(b.refused(json!({"t": "open", "room": room, "after": 1})), "not_found");
    let send = json!({"t": "send", "room": room, "nonce": "n", "text": "x"});
    assert_eq!(b.refused(send), "not_found");
    let page = json!({"t": "history", "room": room, "before": 99, "limit": 10});
    assert_eq!(b.refused(page), "not_found");
    b.hears_nothing(|message| message["text"] == "둘");
}

fn two_people_have_one_direct_message(engine: Engine) {
    let server = chat(engine);
    let mut a = Peer::join(server.address, "민수");
    let mut b = Peer::join(server.address, "지영");
    let room = make(&server, "민수", json!({"kind": "direct", "members": [b.user]}));
    let again = json!({"kind": "direct", "members": [a.user]});
    let (status, same) = http(server.address, "지영", "POST", ROOMS, &again);
    assert_eq!((status, &same["id"]), (200, &json!(room)));
    let entered = b.find(|message| message["t"] == "room" && message["seq"].is_null());
    assert_eq!(entered["entry"]["name"], "민수");
    a.ok(json!({"t": "open", "room": room}));
    b.says(&room, "n1", "안녕");
    assert_eq!(a.event(&room)["text"], "안녕");
    assert_eq!(member(&server, "민수", "DELETE", &room, &a), 403);
    let named = json!({"kind": "direct", "name": "x", "members": [a.user]});
    Peer::join(server.address, "c");
    assert_eq!(http(server.address, "c", "POST", ROOMS, &named).0, 400);
}

fn only_owners_write_where_announcements_are_made(engine: Engine) {
    let server = chat(engine);
    let mut a = Peer::join(server.address, "a");
    let mut b = Peer::join(server.address, "b");
    let room = make(&server, "a", json!({"kind": "announcement", "name": "공지"}));
    assert_eq!(member(&server, "b", "PUT", &room, &b), 204);
    let send = json!({"t": "send", "room": room, "nonce": "n", "text": "x"});
    assert_eq!(b.refused(send.clone()), "forbidden");
    let m = a.says(&room, "n1", "모두에게");
    b.changes(&room, m, "n2", json!({"op": "react", "emoji": "🎉"}));
    let path = format!("{ROOMS}/{room}/members/{}", b.user);
    let owner = json!({"role": "owner"});
    assert_eq!(http(server.address, "b", "PATCH", &path, &owner).0, 403);
    assert_eq!(http(server.address, "a", "PATCH", &path, &owner).0, 204);
    b.ok(send);
}

fn history_begins_with_joining_or_is_all(engine: Engine) {
    let server = chat(engine);
    let mut a = Peer::join(server.address, "a");
    let mut b = Peer::join(server.address, "b");
    for (history, first) in [("joining", 3), ("all", 1)] {
        let new = json!({"kind": "public", "name": history, "history": history});
        let room = make(&server, "a", new);
        a.says(&room, &format!("{history}-1"), "전에 한 말");
        member(&server, "b", "PUT", &room, &b);
        let opened = b.ok(json!({"t": "open", "room": room, "after": 0}));
        assert_eq!(opened["first"], first);
        let mode = if first == 1 { "replay" } else { "reset" };
        assert_eq!(opened["mode"], mode);
        let page = json!({"t": "history", "room": room, "before": 99, "limit": 10});
        let page = b.ok(page);
        let count = page["messages"].as_array().unwrap().len();
        assert_eq!(count, usize::from(first == 1), "{page}");
        let react = json!({"t": "change", "room": room, "m": 2, "nonce": history, "op": "react",
            "emoji": "👍"});
        let reply = b.reply(react);
        assert_eq!(reply["t"] == "ok", first == 1, "{reply}");
    }
}

fn a_room_is_renamed_described_and_archived(engine: Engine) {
    let server = chat(engine);
    let mut a = Peer::join(server.address, "a");
    let room = make(&server, "a", json!({"kind": "public", "name": "옛 이름"}));
    a.ok(json!({"t": "open", "room": room}));
    let path = format!("{ROOMS}/{room}");
    let patch = |who: &str, body: Value| http(server.address, who, "PATCH", &path, &body).0;
    assert_eq!(patch("a", json!({"name": "새 이름", "topic": "이야기"})), 204);
    let (name, topic) = (a.event(&room), a.event(&room));
    assert_eq!((&name["what"], &name["text"]), (&json!("name"), &json!("새 이름")));
    assert_eq!((&topic["what"], &topic["text"]), (&json!("topic"), &json!("이야기")));
    let b = Peer::join(server.address, "b");
    member(&server, "b", "PUT", &room, &b);
    assert_eq!(patch("b", json!({"topic": "x"})), 403);
    assert_eq!(patch("a", json!({})), 400);
    assert_eq!(patch("a", json!({"archived": true})), 204);
    let send = json!({"t": "send", "room": room, "nonce": "n", "text": "x"});
    assert_eq!(a.refused(send), "forbidden");
    assert_eq!(a.ok(json!({"t": "history", "room": room, "before": 9}))["messages"], json!([]));
    assert_eq!(patch("a", json!({"archived": false})), 204);
    a.says(&room, "n2", "다시");
}

fn messages_are_read_and_written_over_http(engine: Engine) {
    let server = chat(engine);
    let mut a = Peer::in_lobby(server.address, "a");
    let path = format!("{ROOMS}/lobby/messages");
    let send = json!({"nonce": "n1", "text": "밖에서"});
    let (status, said) = http(server.address, "a", "POST", &path, &send);
    assert_eq!((status, &said["m"]), (200, &json!(1)));
    let (_, same) = http(server.address, "a", "POST", &path, &send);
    assert_eq!(said, same);
    let event = a.event("lobby");
    assert_eq!((&event["text"], &event["nonce"]), (&json!("밖에서"), &json!("n1")));
    a.says("lobby", "n2", "안에서");
    let (status, page) = http(server.address, "a", "GET", &path, &Value::Null);
    assert_eq!((status, page["messages"].as_array().unwrap().len()), (200, 2));
    let at = page["messages"][1]["at"].as_u64().unwrap();
    for (query, first) in [
        ("before=2&limit=1".to_owned(), json!(1)),
        ("after=1".to_owned(), json!(2)),
        (format!("at={at}&limit=1"), json!(2)),
    ] {
        let (status, page) =
            http(server.address, "a", "GET", &format!("{path}?{query}"), &Value::Null);
        assert_eq!(status, 200, "{query}");
        assert_eq!(page["messages"][0]["m"], first, "{query}: {page}");
    }
}

fn http_refuses_with_problem_details(engine: Engine) {
    let server = chat(engine);
    Peer::join(server.address, "a");
    let problem = request(server.address, "stranger", "GET", ROOMS, &Value::Null);
    assert_eq!(problem.status, 401);
    assert_eq!(problem.header("Content-Type"), Some("application/problem+json"));
    for (method, path, body, status, code) in [
        ("GET", "/api/v1/nothing", Value::Null, 404, "not_found"),
        ("DELETE", ROOMS, Value::Null, 405, "bad_type"),
        ("POST", ROOMS, json!({"kind": "castle"}), 400, "bad_field"),
        ("POST", ROOMS, json!({"kind": "public"}), 400, "bad_field"),
        ("POST", ROOMS, json!({"kind": "public", "name": "a\u{202e}b"}), 400, "bad_field"),
        ("POST", ROOMS, json!({"kind": "direct", "members": ["u99"]}), 404, "not_found"),
        ("GET", "/api/v1/rooms/lobby/messages?before=1&after=2", Value::Null, 400, "bad_field"),
        ("GET", "/api/v1/rooms/lobby/messages?before=x", Value::Null, 400, "bad_field"),
        ("POST", "/api/v1/rooms/lobby/messages", json!({"text": "x"}), 400, "bad_field"),
        ("DELETE", "/api/v1/rooms/lobby/members/u1", Value::Null, 403, "forbidden"),
    ] {
        let (seen, problem) = http(server.address, "a", method, path, &body);
        assert_eq!((seen, &problem["code"]), (status, &json!(code)), "{method} {path} {problem}");
        assert_eq!(problem["status"], status);
    }
}
