//! No gap, no duplicate: replay, reset, readers that stop and go on.

use super::peer::Peer;
use super::{Data, chat};
use crate::server::Engine;
use serde_json::{Value, json};

all_engines![
    replay_gives_every_event_once_and_then_live,
    what_cannot_be_replayed_is_reset_with_its_gap_named,
    another_epoch_resets,
    opening_again_heals_a_hole,
    after_a_restart_the_log_replays_what_the_feed_has_not,
    a_reader_that_stops_is_fed_to_the_head_and_costs_nothing_meanwhile,
    a_closed_room_is_quiet,
];

/// The `seq`s of the next events of the lobby.
#[track_caller]
fn seqs(peer: &mut Peer, count: usize) -> Vec<u64> {
    (0..count).map(|_| peer.event("lobby")["seq"].as_u64().unwrap()).collect()
}

fn say_some(peer: &mut Peer, from: u64, to: u64) {
    for number in from..=to {
        peer.says("lobby", &format!("n{number}"), &format!("{number}번째"));
    }
}

pub(crate) fn replay_gives_every_event_once_and_then_live(engine: Engine) {
    let server = chat(engine);
    let mut a = Peer::join(server.address, "a");
    say_some(&mut a, 1, 10);
    let mut b = Peer::join(server.address, "b");
    let opened = b.ok(json!({"t": "open", "room": "lobby", "after": 4}));
    assert_eq!((&opened["mode"], &opened["head"]), (&json!("replay"), &json!(10)));
    assert_eq!(opened["messages"], Value::Null);
    say_some(&mut a, 11, 12);
    assert_eq!(seqs(&mut b, 8), (5..=12).collect::<Vec<u64>>());
    let nothing = b.ok(json!({"t": "open", "room": "lobby", "after": 12}));
    assert_eq!(nothing["mode"], "replay");
    say_some(&mut a, 13, 13);
    assert_eq!(seqs(&mut b, 1), [13]);
}

fn what_cannot_be_replayed_is_reset_with_its_gap_named(engine: Engine) {
    let server = chat(engine);
    let mut a = Peer::join(server.address, "a");
    say_some(&mut a, 1, 10);
    let mut b = Peer::join(server.address, "b");
    let open = json!({"t": "open", "room": "lobby", "after": 2, "max": 7, "limit": 3});
    let opened = b.ok(open);
    assert_eq!((&opened["mode"], &opened["gap"]), (&json!("reset"), &json!([3, 8])));
    let page: Vec<u64> = opened["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["m"].as_u64().unwrap())
        .collect();
    assert_eq!(page, [8, 9, 10]);
    let ahead = b.ok(json!({"t": "open", "room": "lobby", "after": 99}));
    assert_eq!(ahead["mode"], "reset");
    say_some(&mut a, 11, 11);
    assert_eq!(seqs(&mut b, 1), [11], "live goes on after the head");
    assert_eq!(b.refused(json!({"t": "open", "room": "attic"})), "not_found");
}

fn another_epoch_resets(engine: Engine) {
    let server = chat(engine);
    let mut a = Peer::join(server.address, "a");
    say_some(&mut a, 1, 3);
    let epoch = a.welcome["epoch"].clone();
    for (epoch, mode) in [(epoch, "replay"), (json!("another"), "reset")] {
        let mut b = Peer::open(server.address);
        b.hello("b", json!({"epoch": epoch}));
        let opened = b.ok(json!({"t": "open", "room": "lobby", "after": 1}));
        assert_eq!(opened["mode"], mode);
    }
}

fn opening_again_heals_a_hole(engine: Engine) {
    let server = chat(engine);
    let mut a = Peer::in_lobby(server.address, "a");
    say_some(&mut a, 1, 5);
    assert_eq!(seqs(&mut a, 5), [1, 2, 3, 4, 5]);
    // As if it had missed the last two.
    let opened = a.ok(json!({"t": "open", "room": "lobby", "after": 3}));
    assert_eq!(opened["mode"], "replay");
    assert_eq!(seqs(&mut a, 2), [4, 5]);
    say_some(&mut a, 6, 6);
    assert_eq!(seqs(&mut a, 1), [6]);
}

fn after_a_restart_the_log_replays_what_the_feed_has_not(engine: Engine) {
    let data = Data::new(engine, "replay");
    let server = data.serve(engine);
    let mut a = Peer::join(server.address, "a");
    let epoch = a.welcome["epoch"].clone();
    say_some(&mut a, 1, 300);
    assert_eq!(server.stop(), 0);
    let server = data.serve(engine);
    let mut b = Peer::open(server.address);
    b.hello("b", json!({"epoch": epoch}));
    assert_eq!(b.welcome["epoch"], epoch);
    let opened = b.ok(json!({"t": "open", "room": "lobby", "after": 0}));
    assert_eq!(opened["mode"], "replay");
    let mut a = Peer::join(server.address, "a");
    say_some(&mut a, 301, 303);
    assert_eq!(seqs(&mut b, 303), (1..=303).collect::<Vec<u64>>());
}

pub(crate) fn a_reader_that_stops_is_fed_to_the_head_and_costs_nothing_meanwhile(engine: Engine) {
    let data = Data::new(engine, "slow");
    // A feed that holds a fraction of what is said, so that the log has to give the rest.
    let server = data.serve_with(engine, &["--set", "limits.feed_bytes=131072"]);
    let mut slow = Peer::in_lobby(server.address, "slow");
    let mut a = Peer::join(server.address, "a");
    let text = "길고 긴 이야기 ".repeat(800);
    let count = 3_000;
    let before = server.memory();
    let mut sent = 0;
    while sent < count {
        // As many at once as may be on their way.
        let ids: Vec<u64> = (0..16)
            .map(|number| {
                let nonce = format!("n{}", sent + number);
                a.ask(json!({"t": "send", "room": "lobby", "nonce": nonce, "text": text}))
            })
            .collect();
        for id in ids {
            let reply = a.find(|message| message["id"] == id);
            assert_eq!(reply["t"], "ok", "{reply}");
        }
        sent += 16;
    }
    let grown = server.memory().saturating_sub(before);
    let said = count * text.len() as u64;
    // What SQLite and the allocator keep doesn't depend on how much was said.
    assert!(grown < said * 2 / 3, "{grown} bytes for {said}");
    for seq in 1..=count {
        let event = slow.event("lobby");
        assert_eq!(event["seq"], seq);
        assert_eq!(event["text"], *text);
    }
}

fn a_closed_room_is_quiet(engine: Engine) {
    let server = chat(engine);
    let mut a = Peer::join(server.address, "a");
    let mut b = Peer::in_lobby(server.address, "b");
    say_some(&mut a, 1, 1);
    assert_eq!(seqs(&mut b, 1), [1]);
    b.ok(json!({"t": "close", "room": "lobby"}));
    b.ok(json!({"t": "close", "room": "lobby"}));
    say_some(&mut a, 2, 2);
    b.hears_nothing(|message| message["t"] == "msg");
    b.ok(json!({"t": "open", "room": "lobby", "after": 1}));
    assert_eq!(seqs(&mut b, 1), [2]);
}
