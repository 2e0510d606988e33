use super::*;
use crate::feed::tests::{published, published_in};
use crate::http::upgrade::{Door, Policy};
use crate::serve::websocket_config;
use damso_protocol::Limits;

const HANDSHAKE: &[u8] = b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

/// A socket that takes as many bytes as it has room for.
struct Sink {
    written: Vec<u8>,
    room: usize,
}

impl Outlet for Sink {
    fn send(&mut self, _slot: u32, batch: &Batch<'_>) -> usize {
        let taken = batch.bytes().len().min(self.room);
        self.room -= taken;
        self.written.extend_from_slice(&batch.bytes()[..taken]);
        taken
    }
}

/// A shard with the connections of so many plain guests, who hear nothing yet.
fn shard_of(guests: u32, sink: &mut Sink, now: Instant) -> (Shard, Vec<SessionId>) {
    let limits = Limits::default();
    let config = websocket_config(&limits);
    let context = Context::new(Door::Chat(Policy::default()), config, limits);
    let mut shard = Shard::new(0, Arc::new(context), Readers::new(|_| {}));
    let open = |_| {
        let slot = shard.open("127.0.0.1:5000".parse().unwrap(), None, now);
        shard.receive(slot, &mut HANDSHAKE.to_vec(), now);
        SessionId { shard: 0, slot, generation: 0 }
    };
    let sessions = (0..guests).map(open).collect();
    shard.settle(sink, now);
    (shard, sessions)
}

#[test]
fn who_comes_when_the_only_listener_was_just_sent_away_hears_what_is_said_then() {
    let (mut sink, now) = (Sink { written: Vec::new(), room: usize::MAX }, Instant::now());
    let (mut shard, sessions) = shard_of(2, &mut sink, now);
    let listen = |session, next| {
        let room = RoomId::lobby();
        ToShard::Subscribe { session, room, next, opened: None }
    };
    shard.take(listen(sessions[0], 1), &mut sink, now);
    shard.take(ToShard::Deliver(published(1, "one")), &mut sink, now);
    shard.settle(&mut sink, now);
    shard.take(ToShard::Close(sessions[0], Ending::Kicked), &mut sink, now);
    // Nobody here hears the room, so what is said now isn't delivered here.
    shard.take(listen(sessions[1], 3), &mut sink, now);
    shard.take(ToShard::Deliver(published(3, "three")), &mut sink, now);
    sink.written.clear();
    shard.settle(&mut sink, now);
    let written = String::from_utf8_lossy(&sink.written);
    assert!(written.contains("three") && !written.contains("one"), "{written}");
}

/// What a guest is sent whose socket is full after `room` bytes, and empty again later: the
/// answer to its handshake, a line from before and one from after its socket was empty.
fn all_that_a_guest_gets(room: usize) -> Vec<u8> {
    let limits = Limits::default();
    let config = websocket_config(&limits);
    let context = Context::new(Door::Chat(Policy::default()), config, limits);
    let (mut shard, now) = (Shard::new(0, Arc::new(context), Readers::new(|_| {})), Instant::now());
    let mut sink = Sink { written: Vec::new(), room };
    let slot = shard.open("127.0.0.1:5000".parse().unwrap(), None, now);
    shard.receive(slot, &mut HANDSHAKE.to_vec(), now);
    shard.settle(&mut sink, now);
    let session = SessionId { shard: 0, slot, generation: 0 };
    shard.take(
        ToShard::Subscribe { session, room: RoomId::lobby(), next: 1, opened: None },
        &mut sink,
        now,
    );
    // The socket has room, but the engine hasn't told of it.
    sink.room = usize::MAX;
    shard.take(ToShard::Deliver(published(1, "one")), &mut sink, now);
    shard.settle(&mut sink, now);
    shard.writable(slot);
    shard.settle(&mut sink, now);
    shard.take(ToShard::Deliver(published(2, "two")), &mut sink, now);
    shard.settle(&mut sink, now);
    sink.written
}

#[test]
fn who_subscribes_with_its_greeting_cut_hears_lines_after_it() {
    let whole = all_that_a_guest_gets(usize::MAX);
    let end = whole.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
    let lines = String::from_utf8_lossy(&whole[end..]);
    assert!(lines.contains("one") && lines.contains("two"), "{lines}");
    for room in 0..=end {
        assert_eq!(all_that_a_guest_gets(room), whole, "cut after {room}");
    }
}

/// A plain guest in the lobby that has something of its own to get, beside what it is brought.
fn asks_and_is_brought(room: usize) -> (Shard, Sink, u32) {
    let (mut sink, now) = (Sink { written: Vec::new(), room: usize::MAX }, Instant::now());
    let (mut shard, sessions) = shard_of(1, &mut sink, now);
    let (session, lobby) = (sessions[0], RoomId::lobby());
    shard.take(ToShard::Subscribe { session, room: lobby, next: 1, opened: None }, &mut sink, now);
    shard.settle(&mut sink, now);
    sink = Sink { written: Vec::new(), room };
    // A ping is answered by the session itself.
    shard.receive(session.slot, &mut [0x89, 0x82, 0, 0, 0, 0, b'h', b'i'], now);
    shard.take(ToShard::Deliver(published(1, "one")), &mut sink, now);
    shard.settle(&mut sink, now);
    (shard, sink, session.slot)
}

#[test]
fn a_sessions_own_bytes_go_along_with_its_rooms() {
    const PONG: &[u8] = &[0x8a, 2, b'h', b'i'];
    let (_, sink, _) = asks_and_is_brought(usize::MAX);
    assert!(sink.written.ends_with(PONG));
    let line = sink.written.len() - PONG.len();
    // Wherever it is cut, what comes later goes on from there.
    for room in 0..=sink.written.len() {
        let (mut shard, mut cut, slot) = asks_and_is_brought(room);
        assert_eq!(cut.written.len(), room);
        cut.room = usize::MAX;
        let now = Instant::now();
        shard.take(ToShard::Deliver(published(2, "two")), &mut cut, now);
        shard.writable(slot);
        shard.settle(&mut cut, now);
        let text = String::from_utf8_lossy(&cut.written).into_owned();
        let places = ["one", "hi", "two"].map(|word| text.find(word));
        assert!(places.iter().all(Option::is_some), "{room}: {text}");
        assert!(places[0] < places[2] && cut.written.len() == 2 * line + PONG.len(), "{room}");
    }
}

#[test]
fn nothing_follows_a_close_frame_though_two_rooms_have_something() {
    let (mut sink, now) = (Sink { written: Vec::new(), room: usize::MAX }, Instant::now());
    let (mut shard, sessions) = shard_of(1, &mut sink, now);
    let session = sessions[0];
    let rooms = [RoomId::lobby(), RoomId::new("tea")];
    for room in rooms.clone() {
        shard.take(ToShard::Subscribe { session, room, next: 1, opened: None }, &mut sink, now);
    }
    shard.settle(&mut sink, now);
    sink.written.clear();
    for room in &rooms {
        shard.take(ToShard::Deliver(published_in(room, 1, "news")), &mut sink, now);
    }
    // Its own Close is answered.
    shard.receive(session.slot, &mut [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8], now);
    shard.settle(&mut sink, now);
    assert!(sink.written.ends_with(&[0x88, 2, 0x03, 0xe8]), "{:?}", sink.written);
}

#[test]
fn a_stop_lets_a_large_room_hear_what_was_said_before() {
    const MANY: u32 = 300;
    let (mut sink, now) = (Sink { written: Vec::new(), room: usize::MAX }, Instant::now());
    let (mut shard, sessions) = shard_of(MANY, &mut sink, now);
    for session in sessions.clone() {
        let room = RoomId::lobby();
        shard.take(ToShard::Subscribe { session, room, next: 1, opened: None }, &mut sink, now);
    }
    shard.settle(&mut sink, now);
    sink.written.clear();
    shard.take(ToShard::Deliver(published(1, "마지막 말")), &mut sink, now);
    // The hub is asked something, which it won't answer any more.
    shard.receive(sessions[0].slot, &mut [0x81, 0x82, 0, 0, 0, 0, b'h', b'i'], now);
    assert!(!shard.take_hub().is_empty());
    shard.settle(&mut sink, now);
    assert!(sink.written.is_empty(), "a large room waits for the hub");
    shard.take(ToShard::Stop, &mut sink, now);
    shard.settle(&mut sink, now);
    let written = String::from_utf8_lossy(&sink.written);
    assert_eq!(written.matches("마지막 말").count(), MANY as usize);
}

#[test]
fn who_ends_its_side_with_the_request_still_gets_its_answer() {
    let bad = String::from_utf8_lossy(HANDSHAKE).replace("Version: 13", "Version: 12");
    for (request, answer) in [(HANDSHAKE, "HTTP/1.1 101 "), (bad.as_bytes(), "HTTP/1.1 426 ")] {
        let (mut sink, now) = (Sink { written: Vec::new(), room: usize::MAX }, Instant::now());
        let (mut shard, _) = shard_of(0, &mut sink, now);
        let slot = shard.open("127.0.0.1:5000".parse().unwrap(), None, now);
        // Both in one iteration, as io_uring may bring them.
        shard.receive(slot, &mut request.to_vec(), now);
        shard.receive_eof(slot, now);
        shard.settle(&mut sink, now);
        let written = String::from_utf8_lossy(&sink.written);
        assert!(written.starts_with(answer), "{written}");
        let later = now + std::time::Duration::from_millis(1);
        shard.handle_timeouts(later);
        shard.settle(&mut sink, later);
        assert_eq!(shard.take_fates().last(), Some(&(slot, Fate::Drop)), "{answer}");
    }
}
