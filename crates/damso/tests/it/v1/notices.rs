//! What sessions learn unasked.

use super::peer::{Peer, http};
use super::{Data, chat};
use crate::server::Engine;
use serde_json::{Value, json};

all_engines![
    typing_is_told_to_who_hears_the_room,
    presence_is_told_to_who_watches,
    what_was_read_is_seen_on_other_devices_and_only_grows,
    who_comes_has_nothing_unread,
    rooms_that_are_not_open_bump_and_a_direct_message_is_shown,
    a_silent_peer_is_pinged,
];

fn typing_is_told_to_who_hears_the_room(engine: Engine) {
    let server = chat(engine);
    let mut a = Peer::in_lobby(server.address, "a");
    let mut b = Peer::in_lobby(server.address, "b");
    a.send(&json!({"t": "typing", "room": "lobby"}));
    a.send(&json!({"t": "typing", "room": "lobby"}));
    let typing = b.next_of("typing");
    assert_eq!((&typing["room"], &typing["user"]), (&json!("lobby"), &json!(a.user)));
    a.says("lobby", "n1", "다 썼다");
    b.event("lobby");
    b.hears_nothing(|message| message["t"] == "typing");
}

fn presence_is_told_to_who_watches(engine: Engine) {
    let server = chat(engine);
    let b = Peer::join(server.address, "b");
    let mut a = Peer::join(server.address, "a");
    let watch = json!({"t": "watch", "users": [b.user, "u3", "nobody"]});
    assert_eq!(a.ok(watch)["online"], json!([b.user]));
    let c = Peer::join(server.address, "c");
    assert_eq!(c.user, "u3");
    assert_eq!(a.next_of("presence")["on"], json!(["u3"]));
    let many: Vec<String> = (0..201).map(|number| format!("u{number}")).collect();
    assert_eq!(a.refused(json!({"t": "watch", "users": many})), "bad_field");
}

fn what_was_read_is_seen_on_other_devices_and_only_grows(engine: Engine) {
    let server = chat(engine);
    let mut b = Peer::join(server.address, "b");
    let mut phone = Peer::join(server.address, "a");
    let mut desk = Peer::join(server.address, "a");
    for number in 1..=5 {
        b.says("lobby", &format!("n{number}"), "x");
    }
    phone.ok(json!({"t": "read", "room": "lobby", "seq": 3}));
    let seen = desk.next_of("seen");
    assert_eq!((&seen["room"], &seen["seq"]), (&json!("lobby"), &json!(3)));
    phone.ok(json!({"t": "read", "room": "lobby", "seq": 2}));
    desk.hears_nothing(|message| message["t"] == "seen");
    let again = Peer::join(server.address, "a");
    let lobby = &again.welcome["rooms"][0];
    assert_eq!((&lobby["n"], &lobby["read"], &lobby["readn"]), (&json!(5), &json!(3), &json!(3)));
    let own = Peer::join(server.address, "b");
    assert_eq!(own.welcome["rooms"][0]["readn"], 5, "sending is reading");
}

fn who_comes_has_nothing_unread(engine: Engine) {
    let data = Data::new(engine, "comes");
    let server = data.serve(engine);
    let mut a = Peer::in_lobby(server.address, "a");
    a.says("lobby", "n1", "하나");
    a.says("lobby", "n2", "둘");
    let new = json!({"kind": "public", "name": "모임"});
    let (_, made) = http(server.address, "a", "POST", "/api/v1/rooms", &new);
    let room = made["id"].as_str().expect("an id");
    a.says(room, "n3", "셋");
    let b = Peer::join(server.address, "b");
    let unread = |peer: &Peer| -> Vec<u64> {
        let rooms = peer.welcome["rooms"].as_array().expect("rooms").iter();
        let number = |room: &Value, name: &str| room[name].as_u64().expect("a number");
        rooms.map(|room| number(room, "n") - number(room, "readn")).collect()
    };
    assert_eq!(unread(&b), [0], "of the lobby");
    let member = format!("/api/v1/rooms/{room}/members/{}", b.user);
    assert_eq!(http(server.address, "b", "PUT", &member, &Value::Null).0, 204);
    a.says(room, "n4", "넷");
    assert_eq!(unread(&Peer::join(server.address, "b")), [0, 1], "what was said since");
    assert_eq!(server.stop(), 0);
    let server = data.serve(engine);
    assert_eq!(unread(&Peer::join(server.address, "b")), [0, 1], "after a restart");
}

fn rooms_that_are_not_open_bump_and_a_direct_message_is_shown(engine: Engine) {
    let server = chat(engine);
    let mut a = Peer::join(server.address, "a");
    let mut b = Peer::join(server.address, "b");
    let direct = json!({"kind": "direct", "members": [b.user]});
    let (_, made) = http(server.address, "a", "POST", "/api/v1/rooms", &direct);
    let room = made["id"].as_str().unwrap();
    a.says("lobby", "n1", "모두 안녕");
    a.says(room, "n2", "너만 안녕");
    let mut rooms: Vec<Value> = Vec::new();
    let mut preview = Value::Null;
    while rooms.len() < 2 || preview.is_null() {
        let bump = b.next_of("bump");
        for bumped in bump["rooms"].as_array().unwrap() {
            rooms.retain(|known| known[0] != bumped[0]);
            rooms.push(bumped.clone());
        }
        if !bump["preview"].is_null() {
            preview = bump["preview"].clone();
        }
    }
    rooms.sort_by_key(|bumped| bumped[0].as_str().unwrap().to_owned());
    assert_eq!(rooms, [json!([room, 2, 1, 2]), json!(["lobby", 1, 1, 0])]);
    assert_eq!((&preview["room"], &preview["text"]), (&json!(room), &json!("너만 안녕")));
    b.ok(json!({"t": "open", "room": "lobby"}));
    a.says("lobby", "n3", "열린 방");
    b.event("lobby");
    b.hears_nothing(|message| message["t"] == "bump" && message["rooms"][0][1] == 2);
}

fn a_silent_peer_is_pinged(engine: Engine) {
    let server =
        engine.serve(&["--set", "limits.ping_seconds=1", "--set", "limits.silent_seconds=3"]);
    let mut a = Peer::join(server.address, "a");
    a.next_of("ping");
    a.send(&json!({"t": "pong"}));
    a.next_of("ping");
    let (before, code) = a.until_closed();
    assert_eq!((code, &before.last().unwrap()["t"]), (4008, &json!("bye")));
}
