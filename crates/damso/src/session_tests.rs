use super::*;
use crate::http::upgrade::Policy;
use crate::serve::websocket_config;
use damso_chat::hub::{Answer, Mode, Opened, Request as HubRequest, RoomEntry, Who};
use damso_chat::state::{Kind, Post};
use damso_chat::{Current, Message, Refusal};
use damso_protocol::{RoomId, UserId};
use damso_store::Page;

const HANDSHAKE: &str = "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

const ID: SessionId = SessionId { shard: 0, slot: 7, generation: 1 };

/// A session with a clock of its own.
struct Scene {
    context: Context,
    session: Session,
    hub: Vec<Input>,
    now: Instant,
}

impl Scene {
    fn new(door: Door) -> Self {
        let limits = Limits::default();
        let context = Context::new(door, websocket_config(&limits), limits);
        let now = Instant::now();
        let mut hub = Vec::new();
        let peer = "127.0.0.1:5000".parse().unwrap();
        let session = Session::begin(ID, peer, None, &context, &mut hub, now);
        Self { context, session, hub, now }
    }

    fn chat() -> Self {
        Self::new(Door::Chat(Policy::default()))
    }

    fn receive(&mut self, bytes: impl AsRef<[u8]>) {
        let mut bytes = bytes.as_ref().to_vec();
        self.session.receive(ID, &mut bytes, &self.context, &mut self.hub, self.now);
    }

    /// Everything it writes now.
    fn output(&mut self) -> Vec<u8> {
        let mut written = Vec::new();
        while !self.session.output().is_empty() {
            let bytes = self.session.output().to_vec();
            self.session.sent(bytes.len());
            written.extend(bytes);
        }
        written
    }

    fn text(&mut self) -> String {
        String::from_utf8_lossy(&self.output()).into_owned()
    }

    fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.session.handle_timeout(&self.context, self.now);
    }

    fn said(&self) -> Vec<&str> {
        let said = |input| match input {
            &Input::Request { request: HubRequest::Say { ref text, .. }, .. } => Some(&**text),
            _ => None,
        };
        self.hub.iter().filter_map(said).collect()
    }
}

/// A masked text frame, as a client sends it.
fn line(text: &str) -> Vec<u8> {
    let key = [1, 2, 3, 4];
    let mut frame = vec![0x81, 0x80 | u8::try_from(text.len()).unwrap()];
    frame.extend(key);
    frame.extend(text.bytes().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

#[test]
fn an_opening_handshake_is_answered_and_the_guest_enters_the_lobby() {
    let mut scene = Scene::chat();
    scene.receive(HANDSHAKE);
    assert!(scene.text().starts_with("HTTP/1.1 101 "));
    assert!(matches!(
        &scene.hub[..],
        [
            Input::Hello { who: Who::Plain { .. }, .. },
            Input::Request { request: HubRequest::Listen { .. }, .. }
        ]
    ));
    assert_eq!(scene.session.fate(), Fate::Stay);
}

#[test]
fn any_cut_of_a_head_with_lines_glued_to_it_says_the_same() {
    let bytes = [HANDSHAKE.as_bytes(), &line("안녕"), &line("hi")].concat();
    for cut in 0..bytes.len() {
        let mut scene = Scene::chat();
        scene.receive(&bytes[..cut]);
        scene.receive(&bytes[cut..]);
        assert_eq!(scene.said(), ["안녕", "hi"], "cut at {cut}");
    }
}

#[test]
fn a_request_for_a_page_is_handed_over_with_all_its_bytes() {
    let mut scene = Scene::chat();
    scene.receive("GET / HTTP/1.1\r\nHo");
    scene.receive("st: localhost\r\n\r\nGET /next");
    assert_eq!(scene.session.fate(), Fate::HandOver);
    assert!(!scene.session.wants_read(&scene.context));
    let bytes = scene.session.into_request();
    assert_eq!(bytes, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET /next");
}

#[test]
fn a_request_for_a_page_is_handed_over_when_nothing_more_will_come() {
    let mut scene = Scene::chat();
    scene.receive("GET / HTTP/1.0\r\n\r\n");
    let now = scene.now;
    scene.session.receive_eof(now);
    assert_eq!(scene.session.fate(), Fate::HandOver);
}

#[test]
fn a_head_byte_by_byte_is_read_and_refused_as_in_one_piece() {
    let mut scene = Scene::chat();
    for byte in HANDSHAKE.bytes() {
        scene.receive([byte]);
    }
    assert!(scene.text().starts_with("HTTP/1.1 101 "));
    for (head, status) in [
        ("GET / HTTP/1.1\r\nHost: a\n".to_owned(), 400),
        (format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(20_000)), 431),
    ] {
        let mut scene = Scene::chat();
        for byte in head.bytes() {
            scene.receive([byte]);
        }
        assert!(scene.text().starts_with(&format!("HTTP/1.1 {status} ")), "{head:?}");
    }
}

#[test]
fn a_refused_handshake_is_answered_and_shut_down_and_what_follows_is_dropped() {
    let mut scene = Scene::chat();
    scene.receive(HANDSHAKE.replace("/ws", "/nowhere"));
    assert_eq!(scene.session.fate(), Fate::Stay, "the answer isn't written yet");
    assert!(scene.text().starts_with("HTTP/1.1 404 "));
    assert_eq!(scene.session.fate(), Fate::ShutDown);
    scene.receive(line("more"));
    assert_eq!(scene.said(), Vec::<&str>::new());
    scene.wait(5);
    assert_eq!(scene.session.fate(), Fate::Drop);
}

#[test]
fn a_head_that_trickles_in_has_ten_seconds_in_all() {
    let mut scene = Scene::chat();
    for byte in HANDSHAKE.bytes().take(9) {
        scene.receive([byte]);
        scene.wait(1);
    }
    assert_eq!(scene.session.fate(), Fate::Stay);
    scene.receive("x");
    scene.wait(1);
    assert!(scene.text().starts_with("HTTP/1.1 408 "));
}

#[test]
fn with_sixteen_requests_out_the_socket_is_not_read_and_silence_is_not_held_against_it() {
    let mut scene = Scene::chat();
    scene.receive(HANDSHAKE);
    for _ in 1..16 {
        assert!(scene.session.wants_read(&scene.context));
        scene.receive(line("x"));
    }
    assert!(!scene.session.wants_read(&scene.context));
    scene.output();
    for _ in 0..10 {
        scene.wait(30);
        scene.output();
    }
    assert_eq!(scene.session.fate(), Fate::Stay);
    scene.session.credit(1);
    assert!(scene.session.wants_read(&scene.context));
}

#[test]
fn a_peer_that_is_silent_is_pinged_and_then_gone() {
    let mut scene = Scene::chat();
    scene.receive(HANDSHAKE);
    scene.session.credit(1);
    scene.output();
    scene.wait(25);
    assert_eq!(scene.output()[0], 0x89, "a ping");
    scene.wait(36);
    assert_eq!(scene.session.fate(), Fate::Drop);
    scene.session.depart(ID, &scene.context, &mut scene.hub);
    scene.session.depart(ID, &scene.context, &mut scene.hub);
    let gone = scene.hub.iter().filter(|input| matches!(input, Input::Gone { .. })).count();
    assert_eq!(gone, 1, "the hub is told once");
}

#[test]
fn a_refusal_is_told_to_its_author_alone_in_its_language() {
    let mut scene = Scene::chat();
    scene.receive(HANDSHAKE.replace("Host:", "Accept-Language: ko-KR\r\nHost:"));
    scene.output();
    let refused = Answer::Refused(Refusal::RateLimited { retry: 1_500 });
    scene.session.reply(&Reply::Answer(0, &refused), &scene.context);
    let text = scene.text();
    assert!(text.contains("damso :: 보내지 않았습니다"), "{text}");
    assert!(text.contains("2초"), "{text}");
}

#[test]
fn an_end_says_why_and_closes_with_1008_and_a_stop_with_1001() {
    for (ending, code) in [(Ending::Kicked, 1008_u16), (Ending::Stopping, 1001)] {
        let mut scene = Scene::chat();
        scene.receive(HANDSHAKE);
        scene.output();
        scene.session.end(ending, scene.now);
        assert_eq!(scene.session.encoding(), None, "it takes no more events");
        let bytes = scene.output();
        let close = bytes.iter().position(|&byte| byte == 0x88).unwrap();
        assert_eq!(bytes[close + 2..close + 4], code.to_be_bytes());
        assert_eq!(close > 0, ending == Ending::Kicked, "only a kick has a line before it");
    }
}

#[test]
fn an_echo_sends_everything_back_and_tells_no_hub() {
    let mut scene = Scene::new(Door::Echo);
    scene.receive(HANDSHAKE);
    scene.output();
    scene.receive(line("hi"));
    assert_eq!(scene.output(), b"\x81\x02hi");
    assert_eq!(scene.hub, []);
}

#[test]
fn a_page_that_was_asked_for_before_a_kick_is_not_given_after_it() {
    let mut scene = Scene::chat();
    let head = HANDSHAKE.strip_suffix("\r\n").unwrap();
    scene.receive(format!("{head}Sec-WebSocket-Protocol: damso.v1\r\n\r\n"));
    scene.output();
    let (room, user) = (RoomId::new("r1"), UserId::new("u1"));
    let message = Message {
        room: room.clone(),
        seq: 1,
        n: 1,
        by: user.clone(),
        name: "a".into(),
        at: 0,
        text: Some("secret".into()),
        reply: None,
        mentions: Vec::new(),
        nonce: None,
    };
    let page = Page { messages: vec![Current::new(message)], ..Page::default() };
    let mode = Mode::Reset { after: None, limit: 50 };
    let opened = Opened { id: 8, user: user.clone(), head: 1, n: 1, first: 1, mode };
    let replies = [Reply::Page(8, &page, &user), Reply::Opened(&opened, Some(&page))];
    let entry = RoomEntry {
        id: room.clone(),
        name: "x".into(),
        kind: Kind::Private,
        topic: "".into(),
        head: 1,
        n: 1,
        read: 0,
        readn: 0,
        mentions: 0,
        role: None,
        post: Post::Everybody,
        archived: false,
    };
    let mut told = |answer: Option<Answer>, reply: &Reply<'_>| {
        if let Some(answer) = answer {
            scene.session.reply(&Reply::Answer(0, &answer), &scene.context);
        }
        scene.session.reply(reply, &scene.context);
        scene.text()
    };
    for reply in &replies {
        assert!(told(None, reply).contains("secret"));
        let kicked = told(Some(Answer::Departed { room: room.clone(), by: None }), reply);
        assert!(!kicked.contains("secret") && kicked.contains("not_found"), "{kicked}");
        let back = told(Some(Answer::Entered(Box::new(entry.clone()))), reply);
        assert!(back.contains("secret"), "{back}");
    }
}
