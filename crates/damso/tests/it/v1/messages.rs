//! Messages and what changes them.

use super::peer::Peer;
use super::{Data, chat};
use crate::server::Engine;
use rustix::process::Signal;
use serde_json::{Value, json};

all_engines![
    plain_peers_v1_peers_and_the_console_talk_with_each_other,
    what_is_said_and_changed_comes_to_everybody_as_the_same_bytes,
    a_page_shows_messages_as_they_stand_now,
    the_same_nonce_gives_the_first_result_over_a_kill_and_after_a_deletion,
    a_name_calls_its_user,
    who_is_too_fast_is_told_when_to_go_on,
    what_has_been_deleted_is_nowhere_in_a_replay,
    markdown_travels_as_it_was_written,
];

pub(crate) fn plain_peers_v1_peers_and_the_console_talk_with_each_other(engine: Engine) {
    let server = chat(engine);
    let mut plain = server.join();
    let mut peer = Peer::in_lobby(server.address, "민수");
    peer.says("lobby", "n1", "안녕하세요");
    plain.hears("민수 :: 안녕하세요");
    plain.says_and_hears("hello");
    server.types("공지입니다");
    plain.hears("Administrator :: 공지입니다");
    let heard: Vec<Value> = (0..3).map(|_| peer.event("lobby")).collect();
    let shown = |event: &Value| format!("{} :: {}", event["name"], event["text"]);
    assert_eq!(shown(&heard[0]), "\"민수\" :: \"안녕하세요\"");
    assert_eq!(heard[0]["nonce"], "n1");
    assert_eq!(heard[0]["by"], *peer.user);
    assert_eq!(heard[1]["name"], *plain.name);
    assert_eq!(heard[2]["name"], "Administrator");
    let seqs: Vec<u64> = heard.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, [1, 2, 3]);
}

fn what_is_said_and_changed_comes_to_everybody_as_the_same_bytes(engine: Engine) {
    let server = chat(engine);
    let mut a = Peer::in_lobby(server.address, "a");
    let mut b = Peer::in_lobby(server.address, "b");
    let m = a.says("lobby", "n1", "처음");
    assert_eq!(a.changes("lobby", m, "n2", json!({"op": "edit", "text": "고침"})), 2);
    assert_eq!(b.changes("lobby", m, "n1", json!({"op": "react", "emoji": "👍"})), 3);
    assert_eq!(b.changes("lobby", m, "n2", json!({"op": "react", "emoji": "👍"})), 3, "so already");
    assert_eq!(b.changes("lobby", m, "n3", json!({"op": "unreact", "emoji": "👍"})), 4);
    assert_eq!(a.changes("lobby", m, "n3", json!({"op": "pin"})), 5);
    assert_eq!(a.changes("lobby", m, "n4", json!({"op": "unpin"})), 6);
    let edit = json!({"t": "change", "room": "lobby", "m": m, "nonce": "x", "op": "edit",
        "text": "남의 글"});
    assert_eq!(b.refused(edit), "forbidden");
    let reply = json!({"t": "send", "room": "lobby", "nonce": "n5", "text": "답", "reply": m});
    assert_eq!(b.ok(reply)["m"], 7);
    let lost = json!({"t": "send", "room": "lobby", "nonce": "n6", "text": "답", "reply": 99});
    assert_eq!(b.refused(lost), "not_found");
    assert_eq!(a.changes("lobby", m, "n7", json!({"op": "delete"})), 8);
    let late = json!({"t": "change", "room": "lobby", "m": m, "nonce": "y", "op": "edit",
        "text": "늦음"});
    assert_eq!(a.refused(late), "gone");
    for seq in 1..=8 {
        let (of_a, of_b) = (a.event("lobby"), b.event("lobby"));
        assert_eq!(of_a, of_b);
        assert_eq!(of_a["seq"], seq);
    }
}

fn a_page_shows_messages_as_they_stand_now(engine: Engine) {
    let data = Data::new(engine, "pages");
    for server in [chat(engine), data.serve(engine)] {
        let mut a = Peer::join(server.address, "a");
        let mut b = Peer::join(server.address, "b");
        let first = a.says("lobby", "n1", "하나");
        let second = a.says("lobby", "n2", "둘");
        let third = a.says("lobby", "n3", "셋");
        a.changes("lobby", first, "n4", json!({"op": "edit", "text": "하나!"}));
        b.changes("lobby", first, "n1", json!({"op": "react", "emoji": "👍"}));
        a.changes("lobby", first, "n5", json!({"op": "pin"}));
        a.changes("lobby", second, "n6", json!({"op": "delete"}));
        let opened = b.ok(json!({"t": "open", "room": "lobby", "limit": 2}));
        assert_eq!((&opened["mode"], &opened["head"]), (&json!("reset"), &json!(7)));
        assert_eq!((&opened["n"], &opened["first"]), (&json!(3), &json!(1)));
        let page = opened["messages"].as_array().expect("messages");
        assert_eq!(page.len(), 2);
        assert_eq!(page[0]["m"], second);
        assert_eq!((&page[0]["text"], &page[0]["deleted"]), (&Value::Null, &json!(true)));
        assert_eq!((&page[1]["m"], &page[1]["text"]), (&json!(third), &json!("셋")));
        assert_eq!(opened["gap"], json!([1, second]));
        let history = json!({"t": "history", "room": "lobby", "before": second, "limit": 10});
        let history = b.ok(history);
        assert_eq!((&history["more"], &history["asof"]), (&json!(false), &json!(7)));
        let message = &history["messages"][0];
        assert_eq!((&message["text"], &message["edited"]), (&json!("하나!"), &json!(true)));
        assert_eq!(message["reactions"], json!([["👍", 1, true]]));
        assert_eq!((&message["pinned"], &message["rev"]), (&json!(true), &json!(6)));
        assert_eq!(message["nonce"], "n1");
        let around = json!({"t": "history", "room": "lobby", "around": second, "limit": 3});
        assert_eq!(b.ok(around)["messages"].as_array().unwrap().len(), 3);
        let both = json!({"t": "history", "room": "lobby", "around": 1, "after": 1, "limit": 3});
        assert_eq!(b.refused(both), "bad_field");
    }
}

fn the_same_nonce_gives_the_first_result_over_a_kill_and_after_a_deletion(engine: Engine) {
    let data = Data::new(engine, "nonces");
    let server = data.serve(engine);
    let mut a = Peer::join(server.address, "a");
    let m = a.says("lobby", "n1", "한 번만");
    assert_eq!(a.says("lobby", "n1", "한 번만"), m);
    let other = json!({"t": "send", "room": "lobby", "nonce": "n1", "text": "다른 말"});
    assert_eq!(a.refused(other.clone()), "nonce_reused");
    server.signal(Signal::KILL);
    drop(server);
    let server = data.serve(engine);
    let mut a = Peer::join(server.address, "a");
    assert_eq!(a.says("lobby", "n1", "한 번만"), m);
    let gone = a.changes("lobby", m, "n2", json!({"op": "delete"}));
    assert_eq!(a.says("lobby", "n1", "한 번만"), m);
    server.signal(Signal::KILL);
    drop(server);
    let server = data.serve(engine);
    let mut a = Peer::join(server.address, "a");
    assert_eq!(a.says("lobby", "n1", "한 번만"), m);
    assert_eq!(a.changes("lobby", m, "n2", json!({"op": "delete"})), gone);
    assert_eq!(a.refused(other), "nonce_reused");
    let mut b = Peer::join(server.address, "b");
    assert_eq!(b.says("lobby", "n1", "내 것"), gone + 1, "a nonce is its author's own");
}

fn a_name_calls_its_user(engine: Engine) {
    let server = chat(engine);
    let mut minsu = Peer::in_lobby(server.address, "민수");
    let mut a = Peer::join(server.address, "a");
    a.says("lobby", "n1", "@민수님, @room 보세요");
    assert_eq!(minsu.event("lobby")["mentions"], json!([minsu.user]));
    server.types("@room 공지");
    assert_eq!(minsu.event("lobby")["mentions"], json!(["@room"]));
    let again = Peer::join(server.address, "민수");
    let lobby = &again.welcome["rooms"][0];
    assert_eq!((&lobby["mentions"], &lobby["read"]), (&json!(2), &json!(0)));
}

fn who_is_too_fast_is_told_when_to_go_on(engine: Engine) {
    let server = engine.serve(&[]);
    let mut a = Peer::join(server.address, "a");
    for number in 0..10 {
        a.says("lobby", &format!("n{number}"), "x");
    }
    let send = json!({"t": "send", "room": "lobby", "nonce": "late", "text": "x"});
    let refused = a.reply(send.clone());
    assert_eq!(refused["code"], "rate_limited");
    let retry = refused["retry"].as_u64().expect("ms");
    assert!((1..=1_000).contains(&retry), "{retry}");
    // Another connection of the same user has no more.
    let mut again = Peer::join(server.address, "a");
    assert_eq!(again.refused(send.clone()), "rate_limited");
    let mut m = Value::Null;
    crate::server::until("the rate lets it through", || {
        let reply = a.reply(send.clone());
        m = reply["m"].clone();
        reply["t"] == "ok"
    });
    assert_eq!(m, 11);
}

fn what_has_been_deleted_is_nowhere_in_a_replay(engine: Engine) {
    let data = Data::new(engine, "deleted");
    let server = data.serve(engine);
    let mut a = Peer::in_lobby(server.address, "a");
    let m = a.says("lobby", "n1", "비밀번호는 1234");
    a.changes("lobby", m, "n2", json!({"op": "edit", "text": "비밀번호는 5678"}));
    a.changes("lobby", m, "n3", json!({"op": "delete"}));
    let replay = |server: &crate::server::Server| {
        let mut b = Peer::join(server.address, "b");
        let opened = b.ok(json!({"t": "open", "room": "lobby", "after": 0}));
        assert_eq!(opened["mode"], "replay");
        for (seq, t) in [(1, "msg"), (2, "change"), (3, "change")] {
            let event = b.event("lobby");
            assert_eq!((&event["seq"], &event["t"]), (&json!(seq), &json!(t)));
            assert_eq!(event["text"], Value::Null, "{event}");
        }
    };
    // From the feed's ring, and after a restart from the log.
    replay(&server);
    assert_eq!(server.stop(), 0);
    replay(&data.serve(engine));
}

fn markdown_travels_as_it_was_written(engine: Engine) {
    let server = chat(engine);
    let mut a = Peer::in_lobby(server.address, "a");
    let text = "# 제목\n\n- **굵게** `code` <b>&amp;</b>\n\u{2028}끝 👩‍👩‍👧‍👦";
    a.says("lobby", "n1", text);
    assert_eq!(a.event("lobby")["text"], text);
}
