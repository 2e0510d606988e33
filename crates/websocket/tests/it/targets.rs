//! What the fuzz targets do with their bytes. `fuzz/` feeds them new ones; `corpus.rs` feeds them
//! those that were kept.

use std::sync::Arc;
use std::time::{Duration, Instant};

use damso_websocket::deflate::{Agreed, Deflater, Policy};
use damso_websocket::{
    ClientHandshake, Config, Connection, Event, HeadLimits, Limits, Opcode, Opening, Rejection,
    Request, Status, Timing, frame,
};

const LIMITS: Limits = Limits { frame_bytes: 5_000, message_bytes: 10_000 };

/// A request's head, and the same bytes as a server's answer.
pub fn request_head(bytes: &[u8]) {
    let limits = HeadLimits { bytes: 2_000, headers: 20 };
    let parsed = Request::parse(bytes, &limits);
    if let Ok(Some((request, consumed))) = &parsed {
        assert!(*consumed <= bytes.len());
        // What follows a head doesn't change it, and less than the head isn't one.
        assert_eq!(Request::parse(&bytes[..*consumed], &limits), parsed);
        for end in 0..*consumed {
            assert_eq!(Request::parse(&bytes[..end], &limits), Ok(None));
        }
        assert!(request.headers.len() <= limits.headers);
        assert!(request.path().len() <= request.target.len().max(1));
        if let Ok(opening) = Opening::check(request) {
            accept(&opening);
        }
    }
    if let Err(rejection) = &parsed {
        check_rejection(rejection);
    }
    let client =
        ClientHandshake::new("a", "/", [0; 16], &["a", "b"], Some(Default::default()), None);
    let answer = client.expect("valid arguments").receive(bytes);
    if let Ok(Some((established, consumed))) = answer {
        assert!(consumed <= bytes.len());
        assert!(established.subprotocol.is_none_or(|chosen| chosen == "a" || chosen == "b"));
    }
}

/// A client of ours, with the same subprotocols, takes what the server answers, but for the key.
fn accept(opening: &Opening) {
    assert!(!opening.host.is_empty());
    for (at, subprotocol) in opening.subprotocols.iter().enumerate() {
        assert!(!opening.subprotocols[..at].contains(subprotocol));
        assert!(!opening.accept(Some(subprotocol), None).is_empty());
    }
    for policy in [Policy::default(), Policy { server_max_window_bits_min: 9, ..Policy::default() }]
    {
        if let Some(agreed) = opening.deflate(&policy) {
            assert!((9..=15).contains(&agreed.server_max_window_bits));
            assert!((8..=15).contains(&agreed.client_max_window_bits));
            let answer =
                String::from_utf8(opening.accept(None, Some(&agreed))).expect("an answer is ASCII");
            assert!(answer.ends_with("\r\n\r\n") && answer.matches("\r\n\r\n").count() == 1);
        }
    }
}

fn check_rejection(rejection: &Rejection) {
    assert!((400..600).contains(&rejection.status));
    let answer = String::from_utf8(rejection.to_bytes()).expect("an answer is UTF-8");
    assert_eq!(answer.matches("\r\n\r\n").count(), 1);
}

/// A server that hears any bytes.
pub fn server_connection(bytes: &[u8]) {
    connection(bytes, |agreed, now| Connection::server(config(), agreed, now, 0));
}

/// A client that hears any bytes.
pub fn client_connection(bytes: &[u8]) {
    connection(bytes, |agreed, now| {
        Connection::client(config(), agreed, Box::new(|| [0x37, 0xfa, 0x21, 0x3d]), now, 0)
    });
}

/// The first byte chooses what was agreed and where the input is cut; the others are the input.
fn connection(bytes: &[u8], new: impl Fn(Option<Agreed>, Instant) -> Connection) {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let now = start();
    let agreed = (choice & 1 != 0).then_some(agreed(choice & 2 != 0, 15));
    let whole = hear(new(agreed, now), bytes, bytes.len().max(1), now);
    let piece = usize::from(choice >> 2) + 1;
    assert_eq!(hear(new(agreed, now), bytes, piece, now), whole);
    let (events, output, status) = whole;
    let end = events
        .iter()
        .position(|event| event.starts_with("Close") || event.starts_with("Violation"));
    assert_eq!(end.is_some(), status != Status::Open);
    assert!(end.is_none_or(|end| end + 1 == events.len()), "nothing is heard after the end");
    assert!(
        output.len() <= bytes.len() * 2 + 150,
        "nobody makes us say much more than was said to us"
    );
}

/// All that can be seen from outside, after each piece of input and at the end.
fn hear(
    mut connection: Connection,
    bytes: &[u8],
    piece: usize,
    mut now: Instant,
) -> (Vec<String>, Vec<u8>, Status) {
    let mut events = Vec::new();
    let mut bytes = bytes.to_vec();
    for piece in bytes.chunks_mut(piece) {
        let mut input = connection.receive(piece, now);
        while let Some(event) = input.next() {
            match event {
                Event::Text(text) => assert!(
                    str::from_utf8(text.as_bytes()).is_ok() && text.len() <= LIMITS.message_bytes
                ),
                Event::Binary(bytes) => assert!(bytes.len() <= LIMITS.message_bytes),
                Event::Ping(payload) | Event::Pong(payload) => assert!(payload.len() <= 125),
                Event::Close { .. } | Event::Violation(_) => {}
            }
            events.push(format!("{event:?}"));
        }
        assert_eq!(connection.takes_data(), connection.status() == Status::Open);
        assert_eq!(connection.close_status().is_some(), connection.status() != Status::Open);
    }
    let status = connection.status();
    let output = connection.output().to_vec();
    // Left alone, it comes to an end.
    for _ in 0..3 {
        if let Some(due) = connection.timeout() {
            now = now.max(due);
            connection.handle_timeout(now);
        }
    }
    assert_eq!((connection.status(), connection.timeout()), (Status::Closed, None));
    (events, output, status)
}

/// Bytes that were compressed come back; bytes that weren't do no harm, and take no more than the
/// limit.
pub fn deflate(bytes: &[u8]) {
    let [choice, payload @ ..] = bytes else { return };
    let window_bits = 9 + choice % 7;
    let payload = &payload[..payload.len().min(LIMITS.message_bytes)];
    let mut deflater = Deflater::new(u32::from(choice >> 3) % 10, window_bits);
    let mut frames = Vec::new();
    for _ in 0..2 {
        let mut deflated = Vec::new();
        deflater.message(payload, &mut deflated);
        write(&mut frames, &deflated);
    }
    let now = start();
    let limits = Limits { frame_bytes: 100_000, ..LIMITS };
    let config = Arc::new(Config { limits, ..Config::default() });
    let client =
        |agreed| Connection::client(config.clone(), Some(agreed), Box::new(|| [0; 4]), now, 0);
    let mut received = 0;
    let mut peer = client(agreed(false, window_bits));
    let mut input = peer.receive(&mut frames, now);
    while let Some(event) = input.next() {
        assert_eq!(event, Event::Binary(payload));
        received += 1;
    }
    assert_eq!(received, 2);

    for no_context_takeover in [false, true] {
        let mut peer = client(agreed(no_context_takeover, window_bits));
        let mut frames = Vec::new();
        write(&mut frames, payload);
        write(&mut frames, payload);
        let mut input = peer.receive(&mut frames, now);
        while let Some(event) = input.next() {
            assert!(!matches!(event, Event::Binary(bytes) if bytes.len() > LIMITS.message_bytes));
        }
    }
}

fn write(frames: &mut Vec<u8>, payload: &[u8]) {
    frame::write_header(frames, true, true, Opcode::Binary, None, payload.len() as u64);
    frames.extend_from_slice(payload);
}

fn agreed(no_context_takeover: bool, window_bits: u8) -> Agreed {
    Agreed {
        server_no_context_takeover: no_context_takeover,
        client_no_context_takeover: no_context_takeover,
        server_max_window_bits: window_bits,
        client_max_window_bits: window_bits,
        level: 6,
        threshold_bytes: 0,
    }
}

fn config() -> Arc<Config> {
    let timing = Timing {
        ping_after: Duration::from_secs(20),
        silent_max: Duration::from_secs(60),
        closing_max: Duration::from_secs(5),
    };
    Arc::new(Config { limits: LIMITS, timing })
}

/// Some instant; the targets only add to it.
#[allow(clippy::disallowed_methods, reason = "there is no other way to an Instant")]
fn start() -> Instant {
    Instant::now()
}
