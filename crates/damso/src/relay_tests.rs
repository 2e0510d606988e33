use super::*;
use crate::feed;
use crate::http::upgrade::{Door, Policy};
use crate::serve::websocket_config;
use crate::tls::Stream;
use damso_protocol::Limits;

const HANDSHAKE: &[u8] = b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";
/// Masked with zeros, as a client may.
const PING: &[u8] = b"\x89\x85\0\0\0\0hello";
const PONG: &[u8] = b"\x8a\x05hello";

fn context() -> Arc<Context> {
    let limits = Limits::default();
    let config = websocket_config(&limits);
    Arc::new(Context::new(Door::Chat(Policy::default()), config, limits))
}

/// A desktop whose socket takes as many bytes as it is told to.
struct Scene {
    desktop: Desktop,
    mailbox: Arc<Mailbox>,
    written: Vec<u8>,
    now: Instant,
}

impl Scene {
    /// With the handshake's answer waiting.
    fn greeting() -> Self {
        Self::greeted(HANDSHAKE)
    }

    /// One that talks damso.v1, with nothing waiting.
    fn talking() -> Self {
        let offer = b"\r\nSec-WebSocket-Protocol: damso.v1\r\n\r\n";
        let head = HANDSHAKE.strip_suffix(b"\r\n\r\n").unwrap();
        let mut scene = Self::greeted(&[head, offer].concat());
        scene.settle(usize::MAX);
        scene.written.clear();
        scene
    }

    fn greeted(handshake: &[u8]) -> Self {
        let mailbox = Arc::new(Mailbox::new(|| {}));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = listener.local_addr().unwrap();
        let socket = std::net::TcpStream::connect(peer).unwrap();
        let mut newcomer = Newcomer { socket: Stream::new(socket, None), peer, opened: None };
        let id = SessionId { shard: 0, slot: 0, generation: 0 };
        let (now, relay) = (Instant::now(), Arc::new(|_| {}));
        let given = mailbox.clone();
        let desktop = Desktop::new(id, &mut newcomer, context(), given, relay, now);
        let mut scene = Self { desktop, mailbox, written: Vec::new(), now };
        scene.receive(handshake);
        scene
    }

    /// With nothing waiting.
    fn open() -> Self {
        let mut scene = Self::greeting();
        assert_eq!(scene.settle(usize::MAX), Fate::Stay);
        scene.written.clear();
        scene
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.desktop.receive(&mut bytes.to_vec(), self.now);
    }

    /// What the relay puts in.
    fn batch(&mut self, bytes: &[u8]) {
        self.mailbox.bytes.fetch_add(bytes.len(), Ordering::AcqRel);
        self.mailbox.put(Item::Bytes(Arc::from(bytes)));
    }

    /// The socket takes `room` bytes in all, however often it is written to.
    fn settle(&mut self, mut room: usize) -> Fate {
        self.desktop.empty_mailbox(self.now);
        let written = &mut self.written;
        let write = |bytes: &[u8]| {
            let taken = bytes.len().min(room);
            room -= taken;
            written.extend_from_slice(&bytes[..taken]);
            taken
        };
        self.desktop.settle(write, &|_| {}, self.now)
    }
}

#[test]
fn a_batch_never_goes_into_the_middle_of_what_was_begun() {
    for room in 0..PONG.len() {
        let mut scene = Scene::open();
        scene.receive(PING);
        scene.settle(room);
        assert_eq!(scene.written, PONG[..room]);
        scene.batch(b"\x81\x01x");
        scene.settle(1);
        scene.settle(usize::MAX);
        let expected =
            if room == 0 { [b"\x81\x01x", PONG].concat() } else { [PONG, b"\x81\x01x"].concat() };
        assert_eq!(scene.written, expected, "cut after {room}");
    }
}

#[test]
fn a_batch_never_goes_into_the_middle_of_the_handshakes_answer() {
    let mut whole = Scene::greeting();
    whole.settle(usize::MAX);
    for room in 1..whole.written.len() {
        let mut scene = Scene::greeting();
        scene.settle(room);
        scene.batch(b"\x81\x01x");
        scene.settle(usize::MAX);
        assert_eq!(scene.written, [&whole.written[..], b"\x81\x01x"].concat(), "after {room}");
    }
}

#[test]
fn however_little_a_socket_takes_at_a_time_it_gets_everything_whole() {
    for room in 1..40 {
        let mut scene = Scene::open();
        for number in 0..40 {
            scene.receive(PING);
            scene.batch(&[0x81, 1, number]);
            scene.settle(room);
        }
        while scene.desktop.wants_write() {
            scene.settle(room);
        }
        let (mut rest, mut numbers) = (&scene.written[..], Vec::new());
        while let [opcode, len, after @ ..] = rest {
            let (payload, next) = after.split_at(usize::from(*len));
            match opcode {
                0x81 => numbers.extend_from_slice(payload),
                0x8a => assert_eq!(payload, b"hello"),
                _ => panic!("a wrong byte with {room} at a time"),
            }
            rest = next;
        }
        assert_eq!(numbers, (0..40).collect::<Vec<u8>>(), "{room} at a time");
        assert_eq!(scene.mailbox.bytes.load(Ordering::Acquire), 0);
    }
}

/// The end of what was written: from the last Close on.
fn split_close(written: &[u8]) -> (&[u8], &[u8]) {
    let at = written.iter().position(|&byte| byte == 0x88).unwrap();
    written.split_at(at)
}

#[test]
fn what_came_before_an_end_goes_out_before_the_close_and_nothing_after_it() {
    for room in 0..=PONG.len() {
        let mut scene = Scene::open();
        scene.receive(PING);
        scene.settle(room);
        scene.batch(b"\x81\x01a");
        scene.batch(b"\x81\x01b");
        scene.mailbox.put(Item::End(Ending::Stopping));
        scene.batch(b"\x81\x01c");
        for _ in 0..3 {
            scene.settle(1);
        }
        assert_eq!(scene.settle(usize::MAX), Fate::Stay);
        let (before, close) = split_close(&scene.written);
        let batches = b"\x81\x01a\x81\x01b";
        let expected =
            if room == 0 { [&batches[..], PONG].concat() } else { [PONG, batches].concat() };
        assert_eq!(before, expected, "cut after {room}");
        assert_eq!(close.len(), 2 + usize::from(close[1]), "nothing follows the Close");
        assert_eq!(scene.mailbox.bytes.load(Ordering::Acquire), 0);
    }
}

#[test]
fn who_closes_gets_the_batch_that_was_begun_and_no_other() {
    for room in 0..3 {
        let mut scene = Scene::open();
        scene.batch(b"\x81\x01a");
        scene.batch(b"\x81\x01b");
        scene.settle(room);
        scene.receive(b"\x88\x80\0\0\0\0");
        scene.settle(usize::MAX);
        let expected: &[u8] = if room == 0 { b"\x88\0" } else { b"\x81\x01a\x88\0" };
        assert_eq!(scene.written, expected, "cut after {room}");
        assert_eq!(scene.mailbox.bytes.load(Ordering::Acquire), 0);
    }
}

#[test]
fn what_is_pending_when_the_server_stops_comes_before_the_end() {
    let mut relay = Relay::new(&context(), Readers::new(|_| {}));
    let mailbox = Arc::new(Mailbox::new(|| {}));
    let session = relay.open(mailbox.clone());
    relay.take(ToRelay::Ready(session, Encoding::Plain));
    let room = damso_protocol::RoomId::lobby();
    relay.take(ToRelay::Shard(ToShard::Subscribe { session, room, next: 1, opened: None }));
    relay.take(ToRelay::Shard(ToShard::Deliver(feed::tests::published(1, "hi"))));
    relay.take(ToRelay::Shard(ToShard::Stop));
    assert!(matches!(mailbox.take()[..], [Item::Bytes(_), Item::End(Ending::Stopping)]));
}

#[test]
fn who_comes_when_the_only_listener_was_just_sent_away_hears_what_is_said_then() {
    let mut relay = Relay::new(&context(), Readers::new(|_| {}));
    let mut open = || {
        let mailbox = Arc::new(Mailbox::new(|| {}));
        let session = relay.open(mailbox.clone());
        relay.take(ToRelay::Ready(session, Encoding::Plain));
        (session, mailbox)
    };
    let ((one, _), (other, mailbox)) = (open(), open());
    let listen = |session, next| {
        let room = damso_protocol::RoomId::lobby();
        ToRelay::Shard(ToShard::Subscribe { session, room, next, opened: None })
    };
    let said = |seq, text| ToRelay::Shard(ToShard::Deliver(feed::tests::published(seq, text)));
    relay.take(listen(one, 1));
    relay.take(said(1, "one"));
    relay.settle();
    relay.take(ToRelay::Shard(ToShard::Close(one, Ending::Kicked)));
    // Nobody here hears the room, so what is said now isn't delivered here, and the connection's
    // thread hasn't found its end yet.
    relay.take(listen(other, 3));
    relay.take(said(3, "three"));
    relay.settle();
    relay.take(ToRelay::Leaves(one));
    let items = mailbox.take();
    let [Item::Bytes(bytes)] = &items[..] else { panic!("{} items", items.len()) };
    assert!(bytes.ends_with(b"three"));
}

#[test]
fn whose_socket_is_full_is_told_nothing_that_will_not_last() {
    let mut scene = Scene::talking();
    let bump = || Answer::Bumped { rooms: Vec::new(), preview: None };
    scene.mailbox.put(Item::Answer(0, bump()));
    scene.settle(1);
    let waiting = scene.desktop.session.output().len();
    for _ in 0..100 {
        scene.mailbox.put(Item::Answer(0, bump()));
        scene.settle(0);
    }
    assert_eq!(scene.desktop.session.output().len(), waiting);
    scene.settle(usize::MAX);
    scene.written.clear();
    scene.mailbox.put(Item::Answer(0, bump()));
    scene.settle(usize::MAX);
    assert!(scene.written.ends_with(br#"{"t":"bump","rooms":[]}"#));
}

#[test]
fn after_the_peers_end_the_socket_is_not_read_while_the_rest_is_written() {
    let mut scene = Scene::open();
    scene.receive(b"\x88\x80\0\0\0\0");
    assert_eq!(scene.settle(0), Fate::Stay);
    assert!(scene.desktop.wants_read());
    scene.desktop.receive_eof(scene.now);
    assert_eq!(scene.settle(1), Fate::Stay);
    assert!(scene.desktop.wants_write());
    assert!(!scene.desktop.wants_read());
    assert_eq!(scene.settle(usize::MAX), Fate::Drop);
    assert_eq!(scene.written, b"\x88\0");
}
