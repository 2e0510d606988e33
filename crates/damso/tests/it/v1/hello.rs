//! Who is there: hello, welcome, names, and the ways out.

use super::chat;
use super::peer::{Peer, key};
use crate::client::{BINARY, Client, FIN, frame};
use crate::server::Engine;
use serde_json::json;

all_engines![
    hello_is_welcomed_and_the_same_key_is_the_same_user,
    a_taken_name_is_refused_with_one_that_is_free_and_the_connection_goes_on,
    before_hello_nothing_is_done,
    what_cannot_be_read_is_told_apart_and_three_times_is_the_end,
    who_says_no_hello_is_sent_away,
    a_stop_says_when_to_come_back,
    a_ban_ends_the_connection_and_the_next_hello,
    one_user_has_so_many_connections,
    offered_names_that_nobody_speaks_are_refused,
];

fn hello_is_welcomed_and_the_same_key_is_the_same_user(engine: Engine) {
    let server = chat(engine);
    let first = Peer::join(server.address, "민수");
    let welcome = &first.welcome;
    assert_eq!(welcome["v"], 1);
    assert_eq!(welcome["name"], "민수");
    assert!(welcome["epoch"].as_str().is_some_and(|epoch| !epoch.is_empty()));
    assert_eq!(welcome["ping"], 25_000);
    assert_eq!(welcome["limits"]["text_chars"], 8_000);
    let lobby = &welcome["rooms"][0];
    assert_eq!((&lobby["id"], &lobby["head"]), (&json!("lobby"), &json!(0)));
    let mut again = Peer::open(server.address);
    again.ask(json!({"t": "hello", "key": key("민수"), "name": "다른 이름"}));
    let welcome = again.next_of("welcome");
    assert_eq!(welcome["user"], *first.user);
    assert_eq!(welcome["name"], "민수", "a known key keeps its name");
}

fn a_taken_name_is_refused_with_one_that_is_free_and_the_connection_goes_on(engine: Engine) {
    let server = chat(engine);
    Peer::join(server.address, "Anna");
    let mut impostor = Peer::open(server.address);
    let refused = impostor.reply(json!({"t": "hello", "key": key("impostor"), "name": "ＡＮＮＡ"}));
    assert_eq!(refused["code"], "name_taken");
    let suggest = refused["suggest"].as_str().expect("a name").to_owned();
    impostor.ask(json!({"t": "hello", "key": key("impostor"), "name": suggest}));
    assert_eq!(impostor.next_of("welcome")["name"], suggest);
    for name in ["Administrator", "127.0.0.1:80", "a :: b", "", "a\nb"] {
        let mut peer = Peer::open(server.address);
        let refused = peer.reply(json!({"t": "hello", "key": key(name), "name": name}));
        assert_eq!(refused["code"], "bad_field", "{name:?}");
        peer.until_closed();
    }
}

fn before_hello_nothing_is_done(engine: Engine) {
    let server = chat(engine);
    let mut peer = Peer::open(server.address);
    for message in [
        json!({"t": "open", "room": "lobby"}),
        json!({"t": "send", "room": "lobby", "nonce": "n", "text": "x"}),
    ] {
        assert_eq!(peer.refused(message), "unauthorized");
    }
    peer.hello("민수", json!({}));
    assert_eq!(peer.welcome["rooms"][0]["head"], 0);
}

fn what_cannot_be_read_is_told_apart_and_three_times_is_the_end(engine: Engine) {
    let server = chat(engine);
    let mut peer = Peer::join(server.address, "민수");
    assert_eq!(peer.refused(json!({"t": "dance"})), "bad_type");
    assert_eq!(peer.refused(json!({"t": "open"})), "bad_field");
    assert_eq!(peer.refused(json!({"t": "open", "room": 7})), "bad_field");
    for nonce in ["", "a b", "é", &"x".repeat(65)] {
        let send = json!({"t": "send", "room": "lobby", "nonce": nonce, "text": "x"});
        assert_eq!(peer.refused(send), "bad_field", "{nonce:?}");
    }
    let empty = json!({"t": "send", "room": "lobby", "nonce": "n", "text": ""});
    assert_eq!(peer.refused(empty), "bad_field");
    let long = json!({"t": "send", "room": "lobby", "nonce": "n", "text": "가".repeat(8_001)});
    assert_eq!(peer.refused(long), "too_big");
    let deep = "[".repeat(10_000);
    for unreadable in ["{", &deep] {
        peer.client.say(unreadable);
        assert_eq!(peer.next_of("err")["code"], "bad_json");
    }
    peer.client.send(&frame(FIN | BINARY, b"x"));
    let (before, code) = peer.until_closed();
    assert_eq!(code, 4000);
    assert_eq!(before.last().unwrap()["t"], "bye");
    assert_eq!(before.last().unwrap()["code"], 4000);
}

fn who_says_no_hello_is_sent_away(engine: Engine) {
    let server = engine.serve(&["--set", "limits.head_seconds=1"]);
    let (before, code) = Peer::open(server.address).until_closed();
    assert_eq!(code, 4008);
    assert_eq!(before[0]["t"], "bye");
}

fn a_stop_says_when_to_come_back(engine: Engine) {
    let server = chat(engine);
    let mut peer = Peer::in_lobby(server.address, "민수");
    let mut plain = server.join();
    server.signal(rustix::process::Signal::INT);
    let (before, code) = peer.until_closed();
    let bye = before.last().expect("bye");
    assert_eq!((code, &bye["code"]), (1012, &json!(1012)));
    assert!(bye["retry"].as_u64().is_some_and(|retry| retry > 0));
    let close = plain.frame_but_lines();
    assert_eq!(close.payload[..2], 1001_u16.to_be_bytes());
}

fn a_ban_ends_the_connection_and_the_next_hello(engine: Engine) {
    let server = chat(engine);
    let mut peer = Peer::in_lobby(server.address, "민수");
    server.types("/ban 127.0.0.1");
    assert_eq!(peer.until_closed().1, 4003);
    let mut again = Peer::open(server.address);
    again.ask(json!({"t": "hello", "key": key("민수"), "name": "민수"}));
    let (before, code) = again.until_closed();
    assert_eq!((code, &before[0]["code"]), (4003, &json!("forbidden")));
}

fn one_user_has_so_many_connections(engine: Engine) {
    let server = engine.serve(&["--set", "limits.connections_per_user=2"]);
    let _one = Peer::join(server.address, "민수");
    let two = Peer::join(server.address, "민수");
    let mut third = Peer::open(server.address);
    third.ask(json!({"t": "hello", "key": key("민수"), "name": "민수"}));
    let (before, code) = third.until_closed();
    assert_eq!((code, &before[0]["code"]), (4013, &json!("full")));
    drop(two);
    server.until_here(|here| here.len() == 1);
    Peer::join(server.address, "민수");
}

fn offered_names_that_nobody_speaks_are_refused(engine: Engine) {
    let server = chat(engine);
    let mut client = Client::connect(server.address);
    let further = "Sec-WebSocket-Protocol: mqtt, damso.v9\r\n";
    client.send(crate::client::opening("/ws", server.address, further).as_bytes());
    let answer = client.answer();
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("damso.v1"), "{}", answer.body);
}
