use super::*;
use damso_chat::{Message, Op};
use damso_protocol::{UserId, plain};
use std::collections::HashMap;
use std::time::Duration;

/// Sockets that take what they are told to take.
#[derive(Default)]
struct Sinks {
    received: HashMap<u32, Vec<u8>>,
    /// How many bytes a slot takes before it is full; all, if it isn't named.
    room_left: HashMap<u32, usize>,
    sends: usize,
}

impl Outlet for Sinks {
    fn send(&mut self, slot: u32, batch: &Batch<'_>) -> usize {
        self.sends += 1;
        let bytes = batch.bytes();
        let taken = match self.room_left.get_mut(&slot) {
            None => bytes.len(),
            Some(left) => {
                let taken = bytes.len().min(*left);
                *left -= taken;
                taken
            }
        };
        self.received.entry(slot).or_default().extend_from_slice(&bytes[..taken]);
        taken
    }
}

/// A line in the lobby, on its way out.
pub fn published(seq: u64, text: &str) -> Arc<Published> {
    published_in(&RoomId::lobby(), seq, text)
}

/// A line in a room, on its way out.
pub fn published_in(room: &RoomId, seq: u64, text: &str) -> Arc<Published> {
    let message = Message {
        room: room.clone(),
        seq,
        n: seq,
        by: UserId::new("u"),
        name: "a".into(),
        at: 0,
        text: Some(text.into()),
        reply: None,
        mentions: Vec::new(),
        nonce: None,
    };
    Arc::new(Published::new(Arc::new(Event::Message(message))).unwrap())
}

/// A feed of the lobby with its readers.
struct Scene {
    feeds: Feeds,
    sinks: Sinks,
    seq: u64,
}

impl Scene {
    fn new(ring_bytes_max: usize) -> Self {
        Self { feeds: Feeds::new(ring_bytes_max), sinks: Sinks::default(), seq: 0 }
    }

    fn join(&mut self, slot: u32) {
        let (room, next) = (RoomId::lobby(), self.seq + 1);
        let head = self.seq;
        let start = Start { next, head, hold: None };
        self.feeds.subscribe(slot, Encoding::Plain, &room, start, &mut self.sinks);
    }

    fn say(&mut self, text: &str) {
        self.seq += 1;
        self.feeds.deliver(published(self.seq, text));
    }

    fn flush(&mut self) -> Vec<u32> {
        self.feeds.flush(&mut self.sinks)
    }

    fn got(&self, slot: u32) -> Vec<u8> {
        self.sinks.received.get(&slot).cloned().unwrap_or_default()
    }
}

fn frames(texts: impl IntoIterator<Item = impl AsRef<str>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for text in texts {
        frame::server_text(&mut bytes, &plain::line("a", text.as_ref()));
    }
    bytes
}

#[test]
fn all_of_one_iteration_goes_to_each_live_reader_in_one_send() {
    let mut scene = Scene::new(1 << 20);
    (0..10).for_each(|slot| scene.join(slot));
    (0..64).for_each(|number| scene.say(&number.to_string()));
    assert!(scene.flush().is_empty());
    assert_eq!(scene.sinks.sends, 10);
    let expected = frames((0..64).map(|number| number.to_string()));
    assert!((0..10).all(|slot| scene.got(slot) == expected));
    scene.flush();
    assert_eq!(scene.sinks.sends, 10, "nothing is sent twice");
}

#[test]
fn a_batch_is_capped_by_bytes() {
    let mut scene = Scene::new(8 << 20);
    scene.join(0);
    let long = "x".repeat(60_000);
    (0..10).for_each(|_| scene.say(&long));
    scene.flush();
    assert_eq!(scene.sinks.sends, 3);
    assert_eq!(scene.got(0), frames(vec![long; 10]));
}

#[test]
fn who_joins_gets_what_comes_after_and_nothing_twice() {
    let mut scene = Scene::new(1 << 20);
    scene.join(0);
    scene.say("before");
    scene.join(1);
    scene.say("after");
    scene.flush();
    assert_eq!(scene.got(0), frames(["before", "after"]));
    assert_eq!(scene.got(1), frames(["after"]));
}

#[test]
fn who_leaves_gets_nothing_more_and_the_others_keep_their_places() {
    let mut scene = Scene::new(1 << 20);
    (0..5).for_each(|slot| scene.join(slot));
    for leaver in [0, 4, 2] {
        assert!(scene.feeds.remove(leaver).is_none());
        scene.say(&format!("without {leaver}"));
        scene.flush();
    }
    assert_eq!(scene.got(0), Vec::<u8>::new());
    assert_eq!(scene.got(4), frames(["without 0"]));
    assert_eq!(scene.got(2), frames(["without 0", "without 4"]));
    let all = frames(["without 0", "without 4", "without 2"]);
    assert!([1, 3].iter().all(|&slot| scene.got(slot) == all));
}

#[test]
fn a_reader_cut_at_any_byte_gets_every_byte_once_when_it_goes_on() {
    let whole = frames(["one", "two", "three", "four"]);
    for cut in 0..whole.len() {
        let mut scene = Scene::new(1 << 20);
        scene.join(0);
        scene.join(1);
        scene.sinks.room_left.insert(1, cut);
        scene.say("one");
        scene.say("two");
        assert_eq!(
            scene.flush(),
            if cut < frames(["one", "two"]).len() { vec![1] } else { vec![] }
        );
        scene.say("three");
        scene.flush();
        scene.say("four");
        scene.flush();
        assert_eq!(scene.got(0), whole, "the others aren't held up");
        assert_eq!(scene.got(1), whole[..cut]);
        scene.sinks.room_left.insert(1, 3);
        let _ = scene.feeds.resume(1, &mut scene.sinks);
        scene.sinks.room_left.remove(&1);
        assert_eq!(scene.feeds.resume(1, &mut scene.sinks), Resumed::Live);
        assert_eq!(scene.got(1), whole, "cut at {cut}");
        scene.say("five");
        scene.flush();
        let live_again = frames(["one", "two", "three", "four", "five"]);
        assert_eq!(scene.got(1), live_again, "cut at {cut}");
    }
}

#[test]
fn a_blocked_reader_is_not_written_to_between_its_bytes() {
    let mut scene = Scene::new(1 << 20);
    scene.join(0);
    scene.feeds.block(0);
    scene.say("one");
    scene.flush();
    assert_eq!(scene.sinks.sends, 0);
    assert_eq!(scene.feeds.resume(0, &mut scene.sinks), Resumed::Live);
    assert_eq!(scene.got(0), frames(["one"]));
}

#[test]
fn a_reader_that_the_ring_has_left_behind_fell_off() {
    let mut scene = Scene::new(10_000);
    scene.join(0);
    scene.join(1);
    scene.sinks.room_left.insert(1, 0);
    for _ in 0..100 {
        scene.say("something that takes some place");
        scene.flush();
    }
    scene.sinks.room_left.remove(&1);
    assert_eq!(scene.feeds.resume(1, &mut scene.sinks), Resumed::FellOff);
    assert_eq!(scene.got(0), frames(vec!["something that takes some place"; 100]));
}

#[test]
fn the_rest_of_a_cut_frame_comes_back_when_its_reader_leaves() {
    let mut scene = Scene::new(1 << 20);
    scene.join(0);
    scene.sinks.room_left.insert(0, 4);
    scene.say("one");
    scene.say("two");
    scene.flush();
    let mut rest = scene.feeds.remove(0).unwrap();
    scene.sinks.room_left.remove(&0);
    assert!(rest.send(0, &mut scene.sinks));
    assert_eq!(scene.got(0), frames(["one"]));
}

#[test]
fn where_a_fan_out_starts_moves_on() {
    let mut scene = Scene::new(1 << 20);
    (0..3).for_each(|slot| scene.join(slot));
    /// Notes who was first.
    struct First(Vec<u32>, bool);
    impl Outlet for First {
        fn send(&mut self, slot: u32, batch: &Batch<'_>) -> usize {
            if std::mem::take(&mut self.1) {
                self.0.push(slot);
            }
            batch.bytes().len()
        }
    }
    let mut first = First(Vec::new(), false);
    for _ in 0..3 {
        first.1 = true;
        scene.say("x");
        scene.feeds.flush(&mut first);
    }
    first.0.sort_unstable();
    assert_eq!(first.0, [0, 1, 2]);
}

#[test]
fn a_long_line_is_deflated_once_and_a_short_one_goes_as_it_is() {
    let mut scene = Scene::new(1 << 20);
    let next = 1;
    for slot in 0..2 {
        let encoding = Encoding::PlainDeflated;
        let room = RoomId::lobby();
        scene.feeds.subscribe(
            slot,
            encoding,
            &room,
            Start { next, head: 0, hold: None },
            &mut scene.sinks,
        );
    }
    scene.say("short");
    scene.flush();
    assert_eq!(scene.got(0), frames(["short"]));
    scene.say(&"long ".repeat(100));
    scene.flush();
    let (first, second) = (scene.got(0), scene.got(1));
    assert_eq!(first, second);
    let deflated = &first[frames(["short"]).len()..];
    assert_eq!(deflated[0], 0xc1, "FIN, RSV1, text");
    assert!(deflated.len() < 100, "{}", deflated.len());
}

/// Joins as a reader of damso.v1 that has everything up to `after`.
fn join_v1(scene: &mut Scene, slot: u32, after: u64, hold: Option<u64>) {
    let (room, head, encoding) = (RoomId::lobby(), scene.seq, Encoding::V1);
    scene.feeds.subscribe(
        slot,
        encoding,
        &room,
        Start { next: after + 1, head, hold },
        &mut scene.sinks,
    );
}

/// What a reader of damso.v1 got: the events' `seq` and text.
fn heard(scene: &Scene, slot: u32) -> Vec<(u64, Option<String>)> {
    let (bytes, mut at, mut heard) = (scene.got(slot), 0, Vec::new());
    while at < bytes.len() {
        let (head, len) = match bytes[at + 1] {
            126 => (4, u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]) as usize),
            short => (2, usize::from(short)),
        };
        let payload = &bytes[at + head..at + head + len];
        let event: serde_json::Value = serde_json::from_slice(payload).unwrap();
        let text = event["text"].as_str().map(str::to_owned);
        heard.push((event["seq"].as_u64().unwrap_or(0), text));
        at += head + len;
    }
    heard
}

fn said(seq: u64, text: &str) -> (u64, Option<String>) {
    (seq, Some(text.to_owned()))
}

/// The events of the log, as readers bring them.
fn from_log(seqs: impl Iterator<Item = u64>) -> Vec<Event> {
    seqs.map(|seq| published(seq, &format!("{seq}")).event().clone()).collect()
}

#[test]
fn what_has_left_the_ring_is_asked_of_the_log_and_the_rest_is_fed_from_the_ring() {
    let mut scene = Scene::new(2_000);
    join_v1(&mut scene, 0, 0, None);
    for seq in 1..=10 {
        scene.say(&seq.to_string());
        scene.flush();
    }
    join_v1(&mut scene, 1, 2, None);
    assert_eq!(scene.feeds.resume(1, &mut scene.sinks), Resumed::Live);
    let wanted = scene.feeds.take_wanted();
    let expected = Wanted { slot: 1, room: RoomId::lobby(), after: 2, to: 10 };
    assert_eq!(wanted, [expected]);
    assert_eq!(heard(&scene, 1), []);
    // The log gives a part of it at a time; meanwhile more is said.
    assert!(scene.feeds.feed(1, &RoomId::lobby(), 2, &from_log(3..=5), &mut scene.sinks));
    scene.say("11");
    scene.flush();
    scene.feeds.resume(1, &mut scene.sinks);
    let after = scene.feeds.take_wanted()[0].after;
    assert_eq!(after, 5);
    assert!(scene.feeds.feed(1, &RoomId::lobby(), 5, &from_log(6..=11), &mut scene.sinks));
    assert_eq!(scene.feeds.resume(1, &mut scene.sinks), Resumed::Live);
    scene.say("12");
    scene.flush();
    let all: Vec<_> = (3..=12).map(|seq| said(seq, &seq.to_string())).collect();
    assert_eq!(heard(&scene, 1), all);
}

#[test]
fn a_socket_that_fills_up_under_the_logs_events_is_fed_them_again_from_where_it_was() {
    for room_left in 0..300 {
        let mut scene = Scene::new(1);
        join_v1(&mut scene, 0, 0, None);
        for seq in 1..=6 {
            scene.say(&seq.to_string());
            scene.flush();
        }
        join_v1(&mut scene, 1, 0, None);
        scene.sinks.room_left.insert(1, room_left);
        scene.feeds.resume(1, &mut scene.sinks);
        let mut rounds = 0;
        while heard_len(&scene) < 6 {
            for wanted in scene.feeds.take_wanted() {
                let events = from_log(wanted.after + 1..=wanted.to);
                let room = &wanted.room;
                assert!(scene.feeds.feed(1, room, wanted.after, &events, &mut scene.sinks));
                // It drains, and fills up once more at another place.
                scene.sinks.room_left.insert(1, 40 + rounds);
            }
            scene.feeds.resume(1, &mut scene.sinks);
            scene.sinks.room_left.insert(1, 60);
            rounds += 1;
            assert!(rounds < 100, "cut after {room_left}");
        }
        let all: Vec<_> = (1..=6).map(|seq| said(seq, &seq.to_string())).collect();
        assert_eq!(heard(&scene, 1), all, "cut after {room_left}");
    }

    /// How many whole events slot 1 has.
    fn heard_len(scene: &Scene) -> usize {
        let (bytes, mut at, mut count) = (scene.got(1), 0, 0);
        while at + 2 <= bytes.len() && at + 2 + usize::from(bytes[at + 1]) <= bytes.len() {
            at += 2 + usize::from(bytes[at + 1]);
            count += 1;
        }
        if at == bytes.len() { count } else { 0 }
    }
}

#[test]
fn the_log_has_to_have_what_is_needed_next() {
    let mut scene = Scene::new(1);
    join_v1(&mut scene, 0, 0, None);
    for seq in 1..=4 {
        scene.say(&seq.to_string());
        scene.flush();
    }
    for events in [from_log(1..1), from_log(2..=4)] {
        join_v1(&mut scene, 1, 0, None);
        scene.feeds.resume(1, &mut scene.sinks);
        assert!(!scene.feeds.feed(1, &RoomId::lobby(), 0, &events, &mut scene.sinks));
        scene.feeds.remove(1);
    }
    assert_eq!(heard(&scene, 1), []);
}

#[test]
fn who_is_held_gets_nothing_before_it_is_released_by_the_same_number() {
    let mut scene = Scene::new(1 << 20);
    join_v1(&mut scene, 0, 0, Some(7));
    scene.say("1");
    scene.flush();
    scene.feeds.resume(0, &mut scene.sinks);
    scene.feeds.release(0, &RoomId::lobby(), 6);
    scene.feeds.resume(0, &mut scene.sinks);
    assert_eq!(heard(&scene, 0), []);
    scene.feeds.release(0, &RoomId::lobby(), 7);
    scene.feeds.resume(0, &mut scene.sinks);
    assert_eq!(heard(&scene, 0), [said(1, "1")]);
}

/// The lobby's first message is deleted.
fn delete_first(scene: &mut Scene) {
    scene.seq += 1;
    let delete = damso_chat::Change {
        room: RoomId::lobby(),
        seq: scene.seq,
        m: 1,
        op: Op::Delete,
        by: UserId::new("u"),
        name: "a".into(),
        at: 0,
        nonce: damso_protocol::Nonce::new("n"),
    };
    let delete = Published::new(Arc::new(Event::Changed(delete))).unwrap();
    scene.feeds.deliver(Arc::new(delete));
    scene.flush();
}

#[test]
fn many_who_come_back_ask_the_log_once_and_hear_nothing_that_was_deleted_since() {
    let mut scene = Scene::new(1 << 20);
    scene.seq = 3;
    for slot in 0..10 {
        join_v1(&mut scene, slot, 0, None);
    }
    scene.feeds.resume(0, &mut scene.sinks);
    let wanted = Wanted { slot: 0, room: RoomId::lobby(), after: 0, to: 3 };
    assert_eq!(scene.feeds.take_wanted(), [wanted]);
    // It was read before, and comes after.
    let read = from_log(1..=3);
    delete_first(&mut scene);
    assert!(scene.feeds.feed(0, &RoomId::lobby(), 0, &read, &mut scene.sinks));
    let expected = [(1, None), said(2, "2"), said(3, "3"), (4, None)];
    for slot in 0..10 {
        assert_eq!(scene.feeds.resume(slot, &mut scene.sinks), Resumed::Live);
        assert_eq!(heard(&scene, slot), expected, "slot {slot}");
    }
    assert_eq!(scene.feeds.take_wanted(), []);
}

#[test]
fn a_deleted_message_is_in_the_ring_without_its_text() {
    let mut scene = Scene::new(1 << 20);
    join_v1(&mut scene, 0, 0, None);
    scene.say("secret");
    scene.say("other");
    scene.flush();
    delete_first(&mut scene);
    join_v1(&mut scene, 1, 0, None);
    scene.feeds.resume(1, &mut scene.sinks);
    assert_eq!(heard(&scene, 1), [(1, None), said(2, "other"), (3, None)]);
}

#[test]
fn a_mention_goes_to_live_readers_of_v1_alone_and_cuts_no_frame() {
    let mut scene = Scene::new(1 << 20);
    scene.join(0);
    join_v1(&mut scene, 1, 0, None);
    join_v1(&mut scene, 2, 0, None);
    scene.sinks.room_left.insert(2, 5);
    scene.feeds.mention(&RoomId::lobby(), "{\"t\":\"typing\"}", &mut scene.sinks);
    scene.say("1");
    scene.flush();
    assert_eq!(scene.got(0), frames(["1"]));
    assert_eq!(heard(&scene, 1), [(0, None), said(1, "1")]);
    scene.sinks.room_left.remove(&2);
    scene.feeds.resume(2, &mut scene.sinks);
    assert_eq!(heard(&scene, 2), [(0, None), said(1, "1")]);
}

#[test]
fn who_blocks_in_one_room_is_live_in_none() {
    let mut scene = Scene::new(1 << 20);
    scene.join(0);
    // Its socket is full, so it falls behind in the lobby; in the other room it is behind anyway.
    scene.sinks.room_left.insert(0, 0);
    scene.say("one");
    assert_eq!(scene.flush(), [0]);
    let other = RoomId::new("r1");
    scene.feeds.subscribe(
        0,
        Encoding::Plain,
        &other,
        Start { next: 1, head: 0, hold: None },
        &mut scene.sinks,
    );
    scene.feeds.deliver(published_in(&other, 1, "elsewhere"));
    scene.flush();
    // There is room for all of the lobby's and for half of the other room's.
    scene.sinks.room_left.insert(0, frames(["one"]).len() + 5);
    assert_eq!(scene.feeds.resume(0, &mut scene.sinks), Resumed::Blocked);
    // What comes then waits until the other half is out.
    scene.say("two");
    scene.flush();
    scene.sinks.room_left.remove(&0);
    assert_eq!(scene.feeds.resume(0, &mut scene.sinks), Resumed::Live);
    assert_eq!(scene.got(0), frames(["one", "elsewhere", "two"]));
}

/// How many sends there were once what is due was flushed, while the hub is asked something or not.
fn due(scene: &mut Scene, now: Instant, hub_is_asked: bool) -> usize {
    assert!(scene.feeds.flush_due(&mut scene.sinks, now, hub_is_asked).is_empty());
    scene.sinks.sends
}

#[test]
fn a_large_room_waits_a_moment_for_the_hub_and_nobody_else_does() {
    const MANY: usize = 1_000;
    let begun = Instant::now();
    let (mut large, mut small) = (Scene::new(1 << 20), Scene::new(1 << 20));
    (0..MANY as u32).for_each(|slot| large.join(slot));
    (0..10).for_each(|slot| small.join(slot));
    for scene in [&mut large, &mut small] {
        scene.say("one");
    }
    assert_eq!(due(&mut small, begun, true), 10);
    assert_eq!(small.feeds.due(), None);
    assert_eq!(due(&mut large, begun, true), 0, "the next one may come at once");
    let until = large.feeds.due().unwrap();
    assert!(until > begun && until <= begun + Duration::from_millis(2), "{:?}", until - begun);
    large.say("two");
    assert_eq!(due(&mut large, begun, false), MANY, "both in one send");
    assert_eq!(large.feeds.due(), None);

    large.say("three");
    assert_eq!(due(&mut large, begun, true), MANY);
    large.say("four");
    assert_eq!(due(&mut large, begun, true), MANY, "each request could be followed by another");
    let until = large.feeds.due().unwrap();
    assert_eq!(due(&mut large, until, true), 2 * MANY, "a moment, not for ever");
    assert_eq!(large.feeds.due(), None);
    assert_eq!(large.got(3), frames(["one", "two", "three", "four"]));
}

#[test]
fn who_comes_back_while_a_large_room_waits_gets_everything_once() {
    let mut scene = Scene::new(1 << 20);
    (0..300).for_each(|slot| scene.join(slot));
    scene.sinks.room_left.insert(7, 3);
    let now = Instant::now();
    scene.say("one");
    scene.say("two");
    assert_eq!(scene.feeds.flush_due(&mut scene.sinks, now, false), [7]);
    scene.say("three");
    assert!(scene.feeds.flush_due(&mut scene.sinks, now, true).is_empty());
    scene.sinks.room_left.remove(&7);
    assert_eq!(scene.feeds.resume(7, &mut scene.sinks), Resumed::Live);
    assert_eq!(scene.got(7), frames(["one", "two"]), "the third waits for all");
    assert!(scene.feeds.flush_due(&mut scene.sinks, now, false).is_empty());
    assert_eq!(scene.got(7), frames(["one", "two", "three"]));
    assert_eq!(scene.got(8), frames(["one", "two", "three"]));
}

#[test]
fn a_room_that_waits_is_looked_at_once() {
    let mut scene = Scene::new(1 << 20);
    (0..300).for_each(|slot| scene.join(slot));
    let now = Instant::now();
    for _ in 0..50 {
        scene.say("waits");
        scene.feeds.flush_due(&mut scene.sinks, now, true);
        // Sends what is pending, before the wait is over.
        scene.feeds.mention(&RoomId::lobby(), "{}", &mut scene.sinks);
    }
    assert!(scene.feeds.dirty.len() <= 1, "{}", scene.feeds.dirty.len());
    scene.feeds.flush(&mut scene.sinks);
    assert_eq!(scene.got(0), frames(["waits"].repeat(50)));
}

#[test]
fn a_large_room_gives_up_what_is_old_also_while_it_waits() {
    let (mut scene, tea, now) = (Scene::new(64 << 10), RoomId::new("tea"), Instant::now());
    (0..300).for_each(|slot| scene.join(slot));
    let start = Start { next: 1, head: 0, hold: None };
    scene.feeds.subscribe(1_000, Encoding::Plain, &tea, start, &mut scene.sinks);
    (0..150).for_each(|_| scene.say("old"));
    (1..=5).for_each(|seq| scene.feeds.deliver(published_in(&tea, seq, "leaf")));
    scene.flush();
    (0..20).for_each(|_| scene.say("new"));
    scene.feeds.deliver(published_in(&tea, 6, "leaf"));
    assert!(scene.feeds.flush_due(&mut scene.sinks, now, true).is_empty());
    let kept = |feeds: &Feeds, room: &RoomId| {
        let feed = feeds.feeds[feeds.by_room[room] as usize].as_ref().unwrap();
        (feed.ring.len(), feed.first())
    };
    assert_eq!(kept(&scene.feeds, &tea), (6, 1), "what is small isn't emptied for it");
    assert!(kept(&scene.feeds, &RoomId::lobby()).1 > 1 && scene.feeds.ring_bytes <= 64 << 10);
    scene.flush();
    assert_eq!(scene.got(7), frames(["old"].repeat(150).into_iter().chain(["new"].repeat(20))));
}
