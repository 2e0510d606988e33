//! Peers that break rules, ask for too much, read too little or vanish. Each gets what RFC 6455 or
//! our protocol says; memory stays bounded; the others chat on.
//!
//! Several of these ended or emptied well-known chat examples with a single frame.

use crate::client::{
    BINARY, CLOSE, CONTINUATION, Client, FIN, MASK, PATIENCE, PING, PONG, TEXT, frame,
    masked_frame, opening, text,
};
use crate::server::{DAMSO, Engine, Server, in_english, until, until_within};
use damso_websocket::{ClientHandshake, Config, Connection, Event, deflate};
use socket2::{Domain, SockRef, Socket, Type};
use std::io::{ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

all_engines![
    // Bytes
    two_bytes_of_binary_end_nobodys_chat,
    every_broken_rule_gets_its_code_and_the_others_chat_on,
    bytes_of_no_sense_harm_nobody,
    a_claimed_length_takes_no_memory,
    a_deflate_bomb_is_stopped_at_the_limit,
    fragments_without_end_are_stopped_at_the_limit,
    empty_fragments_take_no_memory,
    a_flood_of_pings_from_one_who_does_not_read_stays_bounded,
    a_flood_of_page_requests_from_one_who_does_not_read_stays_bounded,
    who_asks_for_pages_and_never_reads_one_is_cut,
    compressed_and_plain_guests_hear_the_same,
    // Slow and gone
    one_who_never_reads_neither_holds_up_the_others_nor_takes_the_memory,
    one_who_pauses_gets_every_line_once_and_in_order,
    one_who_falls_off_the_ring_is_closed_and_never_skips,
    a_reset_in_any_state_leaves_no_ghost,
    an_end_of_bytes_in_any_state_leaves_no_ghost,
    who_has_been_closed_is_gone_although_its_socket_stays,
    who_is_silent_is_pinged_and_who_does_not_answer_is_gone,
    two_hundred_half_open_heads_hold_up_nobody,
    running_out_of_descriptors_pauses_accepting_and_ends_nothing,
    fast_senders_do_not_stop_others_from_joining,
    // Too much
    a_guest_too_many_is_told_so_and_closed,
    the_eleventh_quick_line_is_refused_to_its_author_alone,
    a_line_that_is_too_long_is_refused_to_its_author_alone,
    a_refusal_is_told_in_the_readers_language,
    // The operator's answer
    a_kick_ends_a_connection_with_a_line_and_1008,
    a_kick_ends_a_flood,
    a_mute_lets_read_but_not_write_until_it_is_lifted,
    a_ban_keeps_an_address_out_until_it_is_lifted,
    // The server itself
    a_stdout_that_nobody_reads_ends_nothing,
    a_server_with_idle_guests_sleeps,
];

const MIB: u64 = 1024 * 1024;

// Bytes

/// `ff fe` in a binary frame, which poisons the chat of a well-known example for good.
fn two_bytes_of_binary_end_nobodys_chat(engine: Engine) {
    let server = engine.serve(&[]);
    let (mut guest, mut other) = (server.join(), server.join());
    guest.send(&frame(FIN | BINARY, b"\xff\xfe"));
    other.says_and_hears("hello");
    guest.hears_from(&other.name, "hello");
    guest.says_and_hears("still here");
    other.hears_from(&guest.name, "still here");
    server.join().says_and_hears("and so am I");
}

pub(crate) fn every_broken_rule_gets_its_code_and_the_others_chat_on(engine: Engine) {
    let server = engine.serve(&[]);
    let mut other = server.join();
    let close = |code: u16| frame(FIN | CLOSE, &code.to_be_bytes());
    for (what, bytes, code) in [
        ("an unmasked frame", b"\x81\x02hi".to_vec(), 1002),
        ("an unmasked close", b"\x88\x02\x03\xe8".to_vec(), 1002),
        ("RSV1 without an extension", frame(FIN | 0x40 | TEXT, b"x"), 1002),
        ("RSV2 on a ping", frame(FIN | 0x20 | PING, b"x"), 1002),
        ("all bits", frame(0xff, b"x"), 1002),
        ("opcode 3", frame(FIN | 3, b"x"), 1002),
        ("opcode 11", frame(FIN | 11, b""), 1002),
        ("a ping in fragments", frame(PING, b"x"), 1002),
        ("a close in fragments", frame(CLOSE, b"\x03\xe8"), 1002),
        ("a ping of 126 bytes", frame(FIN | PING, &[0; 126]), 1002),
        ("nothing to continue", frame(FIN | CONTINUATION, b"x"), 1002),
        ("a message in a message", [frame(TEXT, b"x"), text("y")].concat(), 1002),
        ("a close of one byte", frame(FIN | CLOSE, b"\x03"), 1002),
        ("close code 0", close(0), 1002),
        ("close code 999", close(999), 1002),
        ("close code 1005", close(1005), 1002),
        ("close code 1006", close(1006), 1002),
        ("close code 1015", close(1015), 1002),
        ("close code 5000", close(5000), 1002),
        ("a close reason that is no UTF-8", frame(FIN | CLOSE, b"\x03\xe8\xff"), 1007),
        ("text that is no UTF-8", frame(FIN | TEXT, b"\xff\xfe"), 1007),
        ("an overlong character", frame(FIN | TEXT, b"\xc0\xaf"), 1007),
        ("a surrogate", frame(FIN | TEXT, b"\xed\xa0\x80"), 1007),
        ("beyond Unicode", frame(FIN | TEXT, b"\xf4\x90\x80\x80"), 1007),
        ("a character without its end", frame(FIN | TEXT, b"\xed\x95"), 1007),
        ("bad text before the message's end", frame(TEXT, b"ok\xff"), 1007),
        (
            "a surrogate in two fragments",
            [frame(TEXT, b"\xed"), frame(FIN | CONTINUATION, b"\xa0\x80")].concat(),
            1007,
        ),
        (
            "a frame's bad text before the frame's end",
            masked_frame(FIN | TEXT, &[b"\xff".to_vec(), vec![b'x'; 1000]].concat(), MASK)[..20]
                .to_vec(),
            1007,
        ),
        ("a frame of 65,537 bytes", frame(FIN | TEXT, &[b'x'; 65_537])[..14].to_vec(), 1009),
        (
            "a message of 65,537 bytes",
            [frame(TEXT, &[b'x'; 65_536]), frame(FIN | CONTINUATION, b"x")].concat(),
            1009,
        ),
    ] {
        let mut guest = Client::open(server.address);
        guest.try_send(&bytes);
        let name = guest.name.clone();
        guest.is_closed_with_after(code, what);
        other.says_and_hears_again();
        drop(guest);
        server.until_here(|here| !here.contains(&name));
    }
    server.until_only(&[&other]);
    other.says_and_hears("after all of that");
}

fn bytes_of_no_sense_harm_nobody(engine: Engine) {
    let server = engine.serve_unlimited(&[]);
    let mut other = server.join();
    // xorshift, with a seed that can be written down.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    for round in 0..60 {
        let mut guest = Client::connect(server.address);
        if round % 3 != 0 {
            guest = guest.open_on("/ws", "Sec-WebSocket-Extensions: permessage-deflate\r\n");
        }
        let noise: Vec<u8> = (0..50).flat_map(|_| next()).collect();
        if round % 3 == 1 {
            // A frame's header that is right, and compressed noise in it.
            guest.try_send(&frame(FIN | 0x40 | TEXT, &noise));
        }
        guest.try_send(&noise);
        guest.reset();
    }
    other.says_and_hears("still here");
    server.until_only(&[&other]);
}

fn a_claimed_length_takes_no_memory(engine: Engine) {
    let server = engine.serve(&[]);
    let mut other = server.join();
    let claim = |length: u64| [&b"\x81\xff"[..], &length.to_be_bytes(), &MASK].concat();
    for (length, code) in
        [(u64::MAX, 1002), (1 << 63, 1002), ((1 << 63) - 1, 1009), (4 << 30, 1009), (65_537, 1009)]
    {
        let before = server.memory();
        let mut guest = Client::open(server.address);
        guest.send(&claim(length));
        guest.is_closed_with(code);
        let grown = server.memory().saturating_sub(before);
        assert!(grown < MIB, "{length} bytes were claimed, memory grew by {grown}");
    }
    // As much as is allowed, by as many as are allowed.
    let mut guests: Vec<Client> = (0..150).map(|_| Client::open(server.address)).collect();
    for guest in &mut guests {
        guest.says_and_hears_again();
    }
    let before = server.memory();
    for guest in &mut guests {
        guest.send(&claim(65_536));
        guest.send(b"x");
    }
    // They were all read when the last one was.
    other.says_and_hears("hello");
    let grown = server.memory().saturating_sub(before);
    assert!(grown < 4 * MIB, "150 claims of 65,536 bytes: memory grew by {grown}");
}

/// A client that can compress: our own crate's other role.
struct Deflating {
    client: Client,
    connection: Connection,
}

impl Deflating {
    #[track_caller]
    fn open(address: SocketAddr) -> Self {
        let offer = Some(deflate::Offer::default());
        let host = address.to_string();
        let handshake = ClientHandshake::new(&host, "/ws", [7; 16], &[], offer, None).unwrap();
        let mut client = Client::connect(address);
        client.send(&handshake.request());
        let head = client.answer().head + "\r\n\r\n";
        let (established, _) = handshake.receive(head.as_bytes()).unwrap().unwrap();
        assert!(established.deflate.is_some(), "{head}");
        let (config, now) = (Arc::new(Config::default()), Instant::now());
        // Unpredictable keys are for the world outside.
        let keys = Box::new(|| MASK);
        let connection = Connection::client(config, established.deflate, keys, now, 0);
        Self { client, connection }
    }

    /// A message's compressed bytes.
    #[track_caller]
    fn frame_of(&mut self, words: &str) -> Vec<u8> {
        self.connection.send_text(words).unwrap();
        let bytes = self.connection.output().to_vec();
        self.connection.sent(bytes.len());
        assert_eq!(bytes[0], FIN | 0x40 | TEXT);
        bytes
    }

    /// The next line, compressed or not; compressed if it is long.
    #[track_caller]
    fn line(&mut self) -> String {
        let frame = self.client.frame();
        let mut header = Vec::new();
        let length = frame.payload.len();
        match length {
            0..126 => header.extend([frame.first, length as u8]),
            126..65_536 => {
                header.extend([frame.first, 126]);
                header.extend((length as u16).to_be_bytes());
            }
            _ => panic!("a line of {length} bytes"),
        }
        header.extend(&frame.payload);
        let mut input = self.connection.receive(&mut header, Instant::now());
        let Some(Event::Text(text)) = input.next() else { panic!("a line was expected") };
        assert_eq!(frame.first & 0x40 != 0, text.len() >= 200, "{text}");
        text.to_owned()
    }
}

pub(crate) fn a_deflate_bomb_is_stopped_at_the_limit(engine: Engine) {
    let server = engine.serve(&[]);
    let mut other = server.join();
    let mut guest = Deflating::open(server.address);
    let fits = guest.frame_of(&"가나다라 ".repeat(1_600));
    assert!(fits.len() < 1_000);
    guest.client.send(&fits);
    assert_eq!(other.line().chars().count(), guest.client.name.len() + 4 + 8_000);
    let before = server.memory();
    let bomb = guest.frame_of(&"\0".repeat(16 << 20));
    assert!(bomb.len() < 65_536, "{}", bomb.len());
    let mut guests: Vec<Deflating> = (0..10).map(|_| Deflating::open(server.address)).collect();
    for bomber in &mut guests {
        bomber.client.send(&bomb);
        bomber.client.is_closed_with(1009);
    }
    let grown = server.memory().saturating_sub(before);
    assert!(grown < 4 * MIB, "memory grew by {grown}");
    // Many small ones that make a large one.
    let mut guest = Deflating::open(server.address);
    let mut cut = vec![frame(TEXT | 0x40, b"")];
    let payload: Vec<u8> = unmasked(&bomb);
    cut.extend(payload.chunks(100).map(|part| frame(CONTINUATION, part)));
    guest.client.try_send(&cut.concat());
    guest.client.is_closed_with(1009);
    other.says_and_hears("still here");
}

/// The payload of a client's frame.
fn unmasked(frame: &[u8]) -> Vec<u8> {
    let header = match frame[1] & 0x7f {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    let (mask, payload) = frame[header..].split_at(4);
    payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]).collect()
}

fn fragments_without_end_are_stopped_at_the_limit(engine: Engine) {
    let server = engine.serve(&[]);
    let (mut guest, mut other) = (server.join(), server.join());
    let before = server.memory();
    let mut flood = frame(TEXT, b"x");
    flood.extend(frame(CONTINUATION, b"x").repeat(100_000));
    guest.try_send(&flood);
    guest.is_closed_with(1009);
    other.says_and_hears("still here");
    let grown = server.memory().saturating_sub(before);
    assert!(grown < 4 * MIB, "memory grew by {grown}");
}

fn empty_fragments_take_no_memory(engine: Engine) {
    let server = engine.serve(&[]);
    let (mut guest, mut other) = (server.join(), server.join());
    let before = server.memory();
    guest.send(&frame(TEXT, b"at "));
    guest.send(&frame(CONTINUATION, b"").repeat(100_000));
    other.says_and_hears("still here");
    guest.send(&frame(FIN | CONTINUATION, b"last"));
    other.hears_from(&guest.name, "at last");
    let grown = server.memory().saturating_sub(before);
    assert!(grown < 4 * MIB, "memory grew by {grown}");
}

fn a_flood_of_pings_from_one_who_does_not_read_stays_bounded(engine: Engine) {
    let server = engine.serve(&[]);
    let (mut guest, mut other) = (server.join(), server.join());
    let before = server.memory();
    let ping = |number: u32| {
        let mut payload = [0; 125];
        payload[..4].copy_from_slice(&number.to_be_bytes());
        payload
    };
    let flood: Vec<u8> = (0..100_000).flat_map(|number| frame(FIN | PING, &ping(number))).collect();
    // As much as goes in while nothing is read: the server stops reading at some time.
    guest.socket.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let mut written = 0;
    while written < flood.len() {
        match guest.socket.write(&flood[written..]) {
            Ok(count) => written += count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                break;
            }
            Err(error) => panic!("{error}"),
        }
    }
    let grown = server.memory().saturating_sub(before);
    assert!(grown < 8 * MIB, "memory grew by {grown}");
    other.says_and_hears("still here");
    // RFC 6455, 5.5.3: of several that weren't answered yet, the last one has to be.
    let whole = (written / (flood.len() / 100_000)) as u32;
    assert!(whole > 1_000, "{whole}");
    let mut answered = None;
    while answered != Some(whole - 1) {
        let pong = guest.frame_but_lines();
        assert_eq!((pong.first, pong.payload.len()), (FIN | PONG, 125));
        let number = u32::from_be_bytes(pong.payload[..4].try_into().unwrap());
        assert!(answered < Some(number) && number < whole, "{number} after {answered:?}");
        answered = Some(number);
    }
}

fn a_flood_of_page_requests_from_one_who_does_not_read_stays_bounded(engine: Engine) {
    let server = engine.serve(&[]);
    let mut other = server.join();
    let mut client = Client::connect(server.address);
    let page = format!("GET /plain HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
    let (before, flood) = (server.memory(), page.repeat(20_000));
    client.socket.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    // Either all of it goes in or the server stops reading; it may have had enough, too.
    let _ = client.socket.write_all(flood.as_bytes());
    let grown = server.memory().saturating_sub(before);
    assert!(grown < 8 * MIB, "memory grew by {grown}");
    other.says_and_hears("still here");
    let mut second = Client::connect(server.address);
    second.send(page.as_bytes());
    assert_eq!(second.answer().status, 200);
}

/// Its place is one of few.
fn who_asks_for_pages_and_never_reads_one_is_cut(engine: Engine) {
    let limits = ["--set", "limits.ping_seconds=1", "--set", "limits.silent_seconds=2"];
    let server = engine.serve(&[&limits[..], &["--log", "debug"]].concat());
    let page = format!("GET /plain HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
    let mut client = Client::connect(server.address);
    client.socket.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let began = Instant::now();
    let _ = client.socket.write_all(page.repeat(20_000).as_bytes());
    server.logs(&["HTTP connection ended", &client.name]);
    assert!(began.elapsed() > Duration::from_millis(1_900), "{:?}", began.elapsed());
    client.reads_to_the_end();
}

pub(crate) fn compressed_and_plain_guests_hear_the_same(engine: Engine) {
    let server = engine.serve(&[]);
    let mut plain = server.join();
    let mut deflating = Deflating::open(server.address);
    server.until_here(|here| here.len() == 2);
    for words in ["짧은 말", &"길고 되풀이되는 말, ".repeat(100), "짧은 말"] {
        plain.says_and_hears(words);
        assert_eq!(deflating.line(), format!("{} :: {words}", plain.name));
    }
    let words = "compressed on its way in ".repeat(50);
    let bytes = deflating.frame_of(&words);
    deflating.client.send(&bytes);
    let name = deflating.client.name.clone();
    plain.hears_from(&name, &words);
    assert_eq!(deflating.line(), format!("{name} :: {words}"));
}

// Slow and gone

/// A guest whose side takes in little before somebody reads it.
fn narrow(server: &Server) -> Client {
    let socket = Socket::new(Domain::for_address(server.address), Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&server.address.into()).unwrap();
    let client = Client::of(TcpStream::from(socket)).open_on("/ws", "");
    server.until_here(|here| here.contains(&client.name));
    client
}

/// A line of 8,000 bytes that begins with its number.
fn numbered(number: usize) -> String {
    format!("{number:06}{}", "x".repeat(7_994))
}

/// `writer` says the lines of these numbers, and both it and `reader` hear them all, in order; the most memory
/// that the server had meanwhile.
#[track_caller]
fn everybody_hears(
    server: &Server,
    writer: &mut Client,
    reader: &mut Client,
    numbers: Range<usize>,
) -> u64 {
    let name = writer.name.clone();
    let (said, heard) = (numbers.clone(), numbers.clone());
    let mut sending = writer.sender();
    let check = |client: &mut Client, number: usize| {
        let line = client.line();
        let words = line.strip_prefix(&name).and_then(|rest| rest.strip_prefix(" :: "));
        assert!(words == Some(&*numbered(number)), "line {number} is {:?}", line.get(..40));
    };
    thread::scope(|scope| {
        scope.spawn(move || {
            for number in said {
                // The masking key 0 leaves the bytes as they are.
                let bytes = masked_frame(FIN | TEXT, numbered(number).as_bytes(), [0; 4]);
                sending.send(&bytes);
            }
        });
        scope.spawn(|| heard.for_each(|number| check(writer, number)));
        let mut most = 0;
        for number in numbers {
            check(reader, number);
            if number % 100 == 0 {
                most = most.max(server.memory());
            }
        }
        most.max(server.memory())
    })
}

/// The lines that were read until the connection ended.
#[track_caller]
fn rest_of(mut client: Client) -> Vec<String> {
    std::iter::from_fn(|| client.next_line()).collect()
}

#[track_caller]
fn check_prefix(lines: &[String], count: usize) {
    assert!(!lines.is_empty() && lines.len() < count, "{} of {count}", lines.len());
    for (number, line) in lines.iter().enumerate() {
        let words = line.split_once(" :: ").map(|(_, words)| words);
        assert!(words == Some(&*numbered(number)), "line {number} is {:?}", line.get(..40));
    }
}

pub(crate) fn one_who_never_reads_neither_holds_up_the_others_nor_takes_the_memory(engine: Engine) {
    let server = engine.serve_unlimited(&[
        "--set",
        "limits.silent_seconds=3",
        "--set",
        "limits.ping_seconds=2",
    ]);
    let (mut writer, mut reader) = (server.join(), server.join());
    let slow = narrow(&server);
    let before = server.memory();
    let count = 2_560;
    let most = everybody_hears(&server, &mut writer, &mut reader, 0..count);
    let grown = most.saturating_sub(before);
    assert!(grown < 64 * MIB, "memory grew by {grown}");
    // It takes nothing, and is cut.
    until("the slow one is cut", || {
        writer.says_and_hears_again();
        reader.says_and_hears_again();
        !server.who().contains(&slow.name)
    });
    writer.says_and_hears_again();
    reader.says_and_hears_again();
    server.until_only(&[&writer, &reader]);
    // What it had got by then has no hole.
    check_prefix(&rest_of(slow), count);
}

pub(crate) fn one_who_pauses_gets_every_line_once_and_in_order(engine: Engine) {
    let server = engine.serve_unlimited(&[]);
    let (mut writer, mut reader) = (server.join(), server.join());
    let mut slow = narrow(&server);
    // More than the sockets hold, less than the ring does.
    let count = 400;
    everybody_hears(&server, &mut writer, &mut reader, 0..count);
    for number in 0..count {
        assert!(slow.line().ends_with(&numbered(number)), "line {number}");
    }
    // It is live again, and an equal among equals.
    writer.says_and_hears("did you hear all of it?");
    slow.hears_from(&writer.name, "did you hear all of it?");
    reader.hears_from(&writer.name, "did you hear all of it?");
    slow.says_and_hears("all of it");
}

pub(crate) fn one_who_falls_off_the_ring_is_closed_and_never_skips(engine: Engine) {
    let server = engine.serve_unlimited(&["--set", "limits.feed_bytes=65536"]);
    let (mut writer, mut reader) = (server.join(), server.join());
    let slow = narrow(&server);
    let count = 1_000;
    for first in (0..count).step_by(5) {
        // No more at a time than the ring holds: the others keep up on any machine.
        everybody_hears(&server, &mut writer, &mut reader, first..first + 5);
    }
    check_prefix(&rest_of(slow), count);
    server.until_only(&[&writer, &reader]);
    writer.says_and_hears("still here");
}

type State = (&'static str, fn(&Server) -> Client);

/// Everything that a connection can be in the middle of.
const STATES: &[State] = &[
    ("nothing was said", |server| Client::connect(server.address)),
    ("half a head", |server| with(Client::connect(server.address), b"GET /ws HTTP/1.1\r\nHo")),
    ("a page was asked for", |server| {
        with(Client::connect(server.address), b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    }),
    ("a page was read", |server| {
        let bytes = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let mut client = with(Client::connect(server.address), bytes);
        client.answer();
        client
    }),
    ("a page and half a head", |server| {
        let bytes = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET /ws HTT";
        let mut client = with(Client::connect(server.address), bytes);
        client.answer();
        client
    }),
    ("a handshake was asked for", |server| {
        with(Client::connect(server.address), opening("/ws", server.address, "").as_bytes())
    }),
    ("a handshake was refused", |server| {
        with(Client::connect(server.address), opening("/no", server.address, "").as_bytes())
    }),
    ("it was open", |server| Client::open(server.address)),
    ("it was open after a page", |server| {
        let bytes = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let mut client = with(Client::connect(server.address), bytes);
        client.answer();
        client.open_on("/ws", "")
    }),
    ("half a frame's header", |server| with(Client::open(server.address), b"\x81")),
    ("half a frame", |server| with(Client::open(server.address), &text("half of it")[..10])),
    ("half a message", |server| with(Client::open(server.address), &frame(TEXT, b"half of it"))),
    ("a line was said", |server| with(Client::open(server.address), &text("bye"))),
    ("a ping was sent", |server| with(Client::open(server.address), &frame(FIN | PING, b"?"))),
    ("a close was sent", |server| {
        with(Client::open(server.address), &frame(FIN | CLOSE, b"\x03\xe9"))
    }),
    ("a rule was broken", |server| with(Client::open(server.address), b"\x81\x00")),
    ("a close was received", |server| {
        let mut client = with(Client::open(server.address), b"\x81\x00");
        while client.frame().opcode() != CLOSE {}
        client
    }),
];

fn with(mut client: Client, bytes: &[u8]) -> Client {
    client.send(bytes);
    client
}

/// A reset after which a well-known example keeps its guest in the room for ever, and panics when
/// it speaks to it.
pub(crate) fn a_reset_in_any_state_leaves_no_ghost(engine: Engine) {
    no_ghost(&engine.serve_unlimited(&[]), Client::reset);
}

pub(crate) fn an_end_of_bytes_in_any_state_leaves_no_ghost(engine: Engine) {
    no_ghost(&engine.serve_unlimited(&[]), drop);
    no_ghost(&engine.serve_unlimited(&[]), |client| {
        client.shut_down();
        let mut client = client;
        // Whatever comes: the server ends its side too.
        client.reads_to_the_end();
    });
}

/// The same with connections spread over several loops, which come to each in turn.
#[test]
fn several_shards_have_no_ghosts_either() {
    no_ghost(&Engine::Event.serve_unlimited(&["--shards", "3"]), Client::reset);
    no_ghost(&Engine::Event.serve_unlimited(&["--shards", "3"]), drop);
}

#[track_caller]
fn no_ghost(server: &Server, end: impl Fn(Client)) {
    let (mut one, mut two) = (server.join(), server.join());
    for (what, state) in STATES {
        let client = state(server);
        let name = client.name.clone();
        end(client);
        one.say(what);
        // Besides what the guest may have said, before or after it.
        let said = format!("{} :: {what}", one.name);
        for reader in [&mut one, &mut two] {
            while reader.line() != said {}
        }
        server.until_here(|here| !here.contains(&name));
    }
    server.until_only(&[&one, &two]);
    two.say("we are alone");
    let said = format!("{} :: we are alone", two.name);
    while one.line() != said {}
}

/// It may take its time to end its side; it is nobody's neighbour meanwhile, and takes no place.
fn who_has_been_closed_is_gone_although_its_socket_stays(engine: Engine) {
    let server = engine.serve(&["--set", "limits.guests_per_address=2"]);
    let one = server.join();
    for bytes in [b"\x81\x00".to_vec(), frame(FIN | CLOSE, b"\x03\xe8")] {
        let mut other = server.join();
        other.send(&bytes);
        assert_eq!(other.frame().opcode(), CLOSE);
        until_within(Duration::from_secs(3), "it is gone", || server.who() == [&*one.name]);
        server.join().leave();
        server.until_only(&[&one]);
    }
}

pub(crate) fn who_is_silent_is_pinged_and_who_does_not_answer_is_gone(engine: Engine) {
    let limits = ["--set", "limits.ping_seconds=1", "--set", "limits.silent_seconds=2"];
    let server = engine.serve(&limits);
    let (mut answers, mut does_not) = (server.join(), server.join());
    // Longer than anybody may be silent, without a word of its own.
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(2_500) {
        let ping = answers.frame();
        assert_eq!(ping.first, FIN | PING);
        answers.send(&frame(FIN | PONG, &ping.payload));
    }
    assert_eq!(does_not.frame().first, FIN | PING);
    does_not.ends();
    server.until_only(&[&answers]);
}

fn two_hundred_half_open_heads_hold_up_nobody(engine: Engine) {
    let server = engine.serve(&["--set", "limits.head_seconds=2"]);
    let (mut one, mut two) = (server.join(), server.join());
    let threads = server.thread_count();
    let head = b"GET /ws HTTP/1.1\r\nHost: localhost\r\nX-Slow: ";
    let mut half: Vec<Client> =
        (0..200).map(|_| with(Client::connect(server.address), head)).collect();
    one.says_and_hears("are you there?");
    two.hears_from(&one.name, "are you there?");
    server.join().says_and_hears("so am I");
    one.line();
    two.line();
    for (at, client) in half.iter_mut().enumerate() {
        client.try_send(b"x");
        assert_eq!(client.answer().status, 408, "number {at}");
    }
    drop(half);
    until("their threads are gone", || server.thread_count() == threads);
    server.until_only(&[&one, &two]);
}

fn running_out_of_descriptors_pauses_accepting_and_ends_nothing(engine: Engine) {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 64; exec \"$0\" \"$@\"", DAMSO, "serve", "--memory"]);
    command.args(["--listen", "127.0.0.1:0", "--engine", engine.name()]);
    in_english(&mut command);
    let server = Server::start(command);
    let (mut one, mut two) = (server.join(), server.join());
    for round in 0..2 {
        let many: Vec<Client> = (0..100).map(|_| Client::connect(server.address)).collect();
        server.logs(&["WARN", "connection"]);
        one.says_and_hears("are you there?");
        two.hears_from(&one.name, "are you there?");
        drop(many);
        let mut new = None;
        until("somebody new comes in", || {
            new = Client::try_open(server.address);
            new.is_some()
        });
        let mut new = new.unwrap();
        let words = format!("here I am, {round}");
        new.says_and_hears(&words);
        one.hears_from(&new.name, &words);
        two.hears_from(&new.name, &words);
        new.leave();
    }
    server.until_only(&[&one, &two]);
    assert_eq!(server.stop(), 0);
}

/// Where a limiter waits under the lock of the subscribers, one fast sender stops joins.
pub(crate) fn fast_senders_do_not_stop_others_from_joining(engine: Engine) {
    let server = engine.serve_unlimited(&[]);
    let mut senders = [server.join(), server.join()];
    let enough = AtomicBool::new(false);
    thread::scope(|scope| {
        for sender in &mut senders {
            let mut sending = sender.sender();
            // What waits in the system's buffers is not what this is about.
            SockRef::from(&sending.socket).set_send_buffer_size(16 * 1024).unwrap();
            let enough = &enough;
            scope.spawn(move || {
                let lines = text("as fast as I can").repeat(20);
                while !enough.load(Ordering::Relaxed) {
                    sending.send(&lines);
                }
                sending.socket.shutdown(std::net::Shutdown::Write).unwrap();
            });
            scope.spawn(move || sender.reads_to_the_end());
        }
        // Not a panic before the senders were told.
        let slowest = (0..8).map(|_| {
            let began = Instant::now();
            let guest = Client::try_open(server.address);
            let heard = guest.is_some_and(|mut guest| guest.next_line().is_some());
            (heard, began.elapsed())
        });
        let joins: Vec<(bool, Duration)> = slowest.collect();
        enough.store(true, Ordering::Relaxed);
        for (heard, took) in joins {
            assert!(heard && took < Duration::from_secs(5), "{heard}, {took:?}");
        }
    });
    server.until_only(&[]);
}

// Too much

pub(crate) fn a_guest_too_many_is_told_so_and_closed(engine: Engine) {
    let server = engine.serve(&["--set", "limits.guests_per_address=2"]);
    let (mut one, two) = (server.join(), server.join());
    let mut three = Client::open(server.address);
    three.hears("damso :: too many connections from your address, the limit is 2");
    three.is_closed_with(1008);
    one.says_and_hears("still here");
    two.leave();
    server.until_only(&[&one]);
    server.join().says_and_hears("in the place that is free now");
}

fn the_eleventh_quick_line_is_refused_to_its_author_alone(engine: Engine) {
    // Nobody gets another line in the time of a test.
    let server = engine.serve(&["--set", "limits.send_per_second=0.001"]);
    let (mut writer, mut reader) = (server.join(), server.join());
    let lines: Vec<u8> = (1..=11).flat_map(|number| text(&format!("line {number}"))).collect();
    writer.send(&lines);
    let mut heard: Vec<String> = (0..11).map(|_| writer.line()).collect();
    let refusal = heard.iter().position(|line| line.starts_with("damso :: ")).expect("a refusal");
    let refusal = heard.remove(refusal);
    assert!(refusal.contains("too fast") && refusal.contains(" s"), "{refusal}");
    for (number, line) in (1..=10).zip(heard) {
        assert_eq!(line, format!("{} :: line {number}", writer.name));
        reader.hears(&line);
    }
    reader.says_and_hears("and nothing else");
    let name = reader.name.clone();
    writer.hears_from(&name, "and nothing else");
}

fn a_line_that_is_too_long_is_refused_to_its_author_alone(engine: Engine) {
    let server = engine.serve(&[]);
    let (mut writer, mut reader) = (server.join(), server.join());
    // Characters count, not bytes.
    writer.say(&"글".repeat(8_001));
    writer.hears("damso :: not sent: 8001 characters, the limit is 8000");
    writer.say(&"x".repeat(65_536));
    writer.hears("damso :: not sent: 65536 characters, the limit is 8000");
    let longest = "글".repeat(8_000);
    writer.says_and_hears(&longest);
    reader.hears_from(&writer.name, &longest);
}

fn a_refusal_is_told_in_the_readers_language(engine: Engine) {
    let server = engine.serve(&[]);
    let client = Client::connect(server.address);
    let mut korean = client.open_on("/ws", "Accept-Language: ko-KR,ko;q=0.9,en;q=0.8\r\n");
    korean.say(&"글".repeat(8_001));
    korean.hears("damso :: 보내지 않았습니다: 8001자입니다. 한 번에 8000자까지 보낼 수 있습니다");
}

// The operator's answer

fn a_kick_ends_a_connection_with_a_line_and_1008(engine: Engine) {
    let server = engine.serve(&[]);
    let (mut guest, mut other) = (server.join(), server.join());
    server.types(&format!("/kick {}", guest.name));
    server.prints(&["connections ended: 1"]);
    guest.hears("damso :: an operator has ended your connection");
    guest.is_closed_with(1008);
    server.until_only(&[&other]);
    other.says_and_hears("still here");
    server.types(&format!("/kick {}", guest.name));
    server.prints(&["no such"]);
    // A kick isn't a ban.
    server.join().says_and_hears("here again");
}

/// Its Close comes after all that it had said before, and is waited for no longer than that takes.
fn a_kick_ends_a_flood(engine: Engine) {
    let server = engine.serve_unlimited(&[]);
    let mut other = server.join();
    for _ in 0..5 {
        let mut guest = server.join();
        let mut socket = guest.socket.try_clone().unwrap();
        let enough = AtomicBool::new(false);
        thread::scope(|scope| {
            let flood = scope.spawn(|| {
                let lines = text("flood").repeat(100);
                while !enough.load(Ordering::Relaxed) {
                    socket.write_all(&lines).expect("the server reads");
                }
            });
            assert!(guest.line().ends_with("flood"));
            server.types(&format!("/kick {}", guest.name));
            while guest.frame().opcode() != CLOSE {}
            let began = Instant::now();
            enough.store(true, Ordering::Relaxed);
            flood.join().unwrap();
            guest.send(&frame(FIN | CLOSE, b"\x03\xf0"));
            guest.ends();
            assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        });
    }
    other.say("at last");
    let said = format!("{} :: at last", other.name);
    while other.line() != said {}
    server.until_only(&[&other]);
}

fn a_mute_lets_read_but_not_write_until_it_is_lifted(engine: Engine) {
    let server = engine.serve(&[]);
    let (mut guest, mut other) = (server.join(), server.join());
    server.types(&format!("/mute {}", guest.name));
    server.prints(&["muted"]);
    guest.say("can you hear me?");
    guest.hears("damso :: not sent: you are muted, you can read but not write");
    other.says_and_hears("I hear nothing");
    guest.hears_from(&other.name, "I hear nothing");
    server.types(&format!("/mute {} 0", guest.name));
    server.prints(&["may write again"]);
    guest.says_and_hears("and now?");
    other.hears_from(&guest.name, "and now?");
}

fn a_ban_keeps_an_address_out_until_it_is_lifted(engine: Engine) {
    let server = engine.serve(&[]);
    let mut guests = [server.join(), server.join()];
    server.types(&format!("/ban {}", guests[0].name));
    server.prints(&["banned 127.0.0.1", "for good"]);
    for guest in &mut guests {
        guest.hears("damso :: your address is banned here");
        guest.is_closed_with(1008);
    }
    let mut again = Client::open(server.address);
    again.hears("damso :: your address is banned here");
    again.is_closed_with(1008);
    assert_eq!(server.who(), Vec::<String>::new());
    server.types("/unban 127.0.0.1");
    server.prints(&["may come again"]);
    server.join().says_and_hears("here again");
}

// The server itself

/// `damso | head -1`.
fn a_stdout_that_nobody_reads_ends_nothing(engine: Engine) {
    let server = engine.serve(&[]);
    let mut guest = server.join();
    server.close_stdout();
    for _ in 0..20 {
        server.types("/who");
        server.types("/help");
    }
    server.types("is anybody there?");
    guest.hears_from("Administrator", "is anybody there?");
    guest.says_and_hears("I am");
    drop(guest);
    assert_eq!(server.stop(), 0);
}

/// At most one waking in 10 s, with some for what was under way.
pub(crate) fn a_server_with_idle_guests_sleeps(engine: Engine) {
    let server = engine.serve(&[]);
    let mut guests: Vec<Client> = (0..5).map(|_| server.join()).collect();
    // Each thread has gone back to sleep when the count stands still.
    let mut before = server.wakings();
    until_within(PATIENCE, "it falls asleep", || {
        guests[0].hears_nothing_for(Duration::from_millis(100));
        std::mem::replace(&mut before, server.wakings()) == server.wakings()
    });
    guests[0].hears_nothing_for(Duration::from_secs(3));
    let wakings = server.wakings() - before;
    assert!(wakings <= 1, "{wakings} wakings in 3 s");
}
