//! The tutorial, chapter by chapter: what it says a WebSocket chat does, this one does; what its
//! two servers print, this one logs; what it lets happen and shouldn't, is a refusal here.
//!
//! Its select server is our engine `event`, its thread server `threads`.

use crate::client::{
    BINARY, CLOSE, CONTINUATION, Client, FIN, Frame, KEY, PATIENCE, PING, PONG, TEXT, frame,
    masked_frame, opening, text,
};
use crate::server::{Engine, Server, damso, until_within};
use rustix::process::Signal;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

all_engines![
    // 0. The socket
    the_first_line_printed_is_an_address_that_answers,
    a_restart_on_the_same_port_needn_t_wait_for_old_connections,
    many_connections_may_wait_to_be_taken_in,
    // 1. The opening handshake
    the_tutorials_handshake_gets_the_tutorials_answer,
    a_client_may_ask_for_any_of_the_three_paths,
    // 2. Data frames
    a_message_goes_out_as_one_unmasked_text_frame,
    a_message_in_fragments_is_one_line_once_fin_is_set,
    reserved_bits_end_the_connection,
    opcodes_without_a_meaning_end_the_connection,
    an_unmasked_frame_ends_the_connection,
    each_form_of_the_length_works_both_ways,
    a_line_of_126_bytes_gets_the_longer_header,
    any_masking_key_works,
    a_length_in_more_bytes_than_it_needs_ends_the_connection,
    // 3. Ping and pong
    a_ping_gets_its_bytes_back,
    pings_and_pongs_never_reach_the_chat,
    // 4. Closing
    a_close_gets_its_code_back_and_then_the_end,
    who_leaves_the_page_leaves_the_chat,
    // The chat
    a_line_goes_to_everyone_and_to_its_author_too,
    korean_goes_through_unchanged,
    a_line_shows_an_ipv6_address_in_brackets,
    an_empty_message_is_ignored_and_logged,
    a_binary_message_is_ignored_and_logged_with_opcode_and_length,
    nobody_can_forge_a_line,
    // The console
    a_line_typed_at_the_server_is_the_administrators,
    two_slashes_say_one_and_an_empty_line_says_nothing,
    typing_what_is_not_utf8_is_one_complaint_and_no_end,
    the_end_of_the_input_ends_the_console_only,
    without_a_console_stdin_is_left_alone,
    // The end
    ctrl_c_says_one_sentence_and_ends_with_0,
    ctrl_c_says_it_in_korean_to_a_korean,
    // What the tutorial's servers print
    each_print_of_the_tutorial_has_its_counterpart_in_the_log,
    without_log_debug_nothing_is_logged,
    a_thread_is_gone_with_its_connection,
];

// 0. The socket

fn the_first_line_printed_is_an_address_that_answers(engine: Engine) {
    let server = engine.serve(&[]);
    assert_ne!(server.address.port(), 0);
    let mut guest = server.join();
    guest.says_and_hears("hello");
}

/// SO_REUSEADDR, as the tutorial sets it.
fn a_restart_on_the_same_port_needn_t_wait_for_old_connections(engine: Engine) {
    let server = engine.serve(&[]);
    let address = server.address;
    let mut guest = server.join();
    server.signal(Signal::INT);
    guest.is_closed_with(1001);
    drop(guest);
    assert_eq!(server.ended(), 0);
    // The server ended the connection first, so the waiting is on its side.
    until_within(PATIENCE, "a connection in TIME_WAIT", || in_time_wait(address.port()));
    let again = engine.serve_on(&address.to_string(), &[]);
    assert_eq!(again.address, address);
    again.join().says_and_hears("here again");
}

fn in_time_wait(port: u16) -> bool {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("a table of connections");
    let local = format!(":{port:04X}");
    table.lines().skip(1).any(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        columns[1].ends_with(&local) && columns[3] == "06"
    })
}

/// The tutorial's `listen(0)` keeps one waiting; this many get in although the server may be busy.
fn many_connections_may_wait_to_be_taken_in(engine: Engine) {
    let server = engine.serve(&[]);
    let waiting: Vec<Client> = (0..150).map(|_| Client::connect(server.address)).collect();
    let mut guests: Vec<Client> =
        waiting.into_iter().map(|client| client.open_on("/ws", "")).collect();
    let mut last = server.join();
    last.says_and_hears("is everybody here?");
    for guest in &mut guests {
        guest.hears_from(&last.name, "is everybody here?");
    }
}

// 1. The opening handshake

fn the_tutorials_handshake_gets_the_tutorials_answer(engine: Engine) {
    let server = engine.serve(&[]);
    let mut client = Client::connect(server.address);
    client.send(
        b"GET /chat HTTP/1.1\r\nHost: example.com:8000\r\nUpgrade: websocket\r\n\
          Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
          Sec-WebSocket-Version: 13\r\n\r\n",
    );
    assert_eq!(
        client.answer().head,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    );
    client.says_and_hears("hello");
    assert_eq!(KEY, "dGhlIHNhbXBsZSBub25jZQ==");
}

fn a_client_may_ask_for_any_of_the_three_paths(engine: Engine) {
    let server = engine.serve(&[]);
    for path in ["/", "/chat", "/ws", "/ws?from=somewhere"] {
        Client::connect(server.address).open_on(path, "").says_and_hears(path);
    }
}

// 2. Data frames

fn a_message_goes_out_as_one_unmasked_text_frame(engine: Engine) {
    let server = engine.serve(&[]);
    let mut guest = server.join();
    guest.say("hello");
    let line = format!("{} :: hello", guest.name);
    assert_eq!(guest.frame(), Frame { first: 0x81, payload: line.into() });
}

fn a_message_in_fragments_is_one_line_once_fin_is_set(engine: Engine) {
    let server = engine.serve(&[]);
    let (mut writer, mut reader) = (server.join(), server.join());
    writer.send(&frame(TEXT, "안녕".as_bytes()));
    // In the middle of a character, too.
    writer.send(&frame(CONTINUATION, &"하".as_bytes()[..1]));
    reader.says_and_hears("meanwhile");
    writer.send(&frame(CONTINUATION, &"하".as_bytes()[1..]));
    writer.send(&frame(FIN | PING, b"between fragments"));
    writer.send(&frame(FIN | CONTINUATION, "세요".as_bytes()));
    reader.hears_from(&writer.name, "안녕하세요");
}

fn reserved_bits_end_the_connection(engine: Engine) {
    let server = engine.serve(&[]);
    let mut other = server.join();
    for reserved in [0x40, 0x20, 0x10] {
        let mut guest = Client::open(server.address);
        guest.send(&frame(FIN | reserved | TEXT, b"hello"));
        guest.is_closed_with(1002);
    }
    other.says_and_hears("still here");
}

fn opcodes_without_a_meaning_end_the_connection(engine: Engine) {
    let server = engine.serve(&[]);
    let mut other = server.join();
    for opcode in (0x3..=0x7).chain(0xb..=0xf) {
        let mut guest = Client::open(server.address);
        guest.send(&frame(FIN | opcode, b"hello"));
        guest.is_closed_with(1002);
    }
    other.says_and_hears("still here");
}

fn an_unmasked_frame_ends_the_connection(engine: Engine) {
    let server = engine.serve(&[]);
    let (mut guest, mut other) = (server.join(), server.join());
    guest.send(b"\x81\x05hello");
    guest.is_closed_with(1002);
    other.says_and_hears("still here");
}

fn each_form_of_the_length_works_both_ways(engine: Engine) {
    let server = engine.echo();
    let mut client = Client::open(server.address);
    for len in [0, 1, 124, 125, 126, 127, 128, 65_535, 65_536, 70_000] {
        let payload: Vec<u8> = (0..len).map(|at| b'a' + (at % 26) as u8).collect();
        for opcode in [TEXT, BINARY] {
            client.send(&frame(FIN | opcode, &payload));
            // The client checks that no length takes more bytes than it needs.
            let back = client.frame();
            assert_eq!((back.first, back.payload.len()), (FIN | opcode, len));
            assert!(back.payload == payload, "{len} bytes came back changed");
        }
    }
}

fn a_line_of_126_bytes_gets_the_longer_header(engine: Engine) {
    let server = engine.serve(&[]);
    let (mut writer, mut reader) = (server.join(), server.join());
    let prefix = format!("{} :: ", writer.name).len();
    for len in [124, 125, 126, 127, 8_000] {
        let words = "x".repeat(len - prefix);
        writer.say(&words);
        reader.hears_from(&writer.name, &words);
    }
}

fn any_masking_key_works(engine: Engine) {
    let server = engine.serve(&[]);
    let (mut writer, mut reader) = (server.join(), server.join());
    for mask in [[0; 4], [0xff; 4], [1, 0, 0, 0], [0, 0, 0, 0x80]] {
        let words = format!("마스크 {mask:?} 입니다");
        writer.send(&masked_frame(FIN | TEXT, words.as_bytes(), mask));
        reader.hears_from(&writer.name, &words);
    }
}

fn a_length_in_more_bytes_than_it_needs_ends_the_connection(engine: Engine) {
    let server = engine.serve(&[]);
    for header in [&b"\x81\xfe\x00\x7d"[..], b"\x81\xff\0\0\0\0\0\0\xff\xff"] {
        let mut guest = Client::open(server.address);
        guest.send(header);
        guest.is_closed_with(1002);
    }
}

// 3. Ping and pong

fn a_ping_gets_its_bytes_back(engine: Engine) {
    let server = engine.serve(&[]);
    let mut guest = server.join();
    for payload in [&b""[..], b"are you there?", &[0xff; 125]] {
        guest.send(&frame(FIN | PING, payload));
        assert_eq!(guest.frame(), Frame { first: FIN | PONG, payload: payload.into() });
    }
}

fn pings_and_pongs_never_reach_the_chat(engine: Engine) {
    let server = engine.serve(&[]);
    let (mut writer, mut reader) = (server.join(), server.join());
    writer.send(&frame(FIN | PING, b"not for the chat"));
    writer.send(&frame(FIN | PONG, b"nor this, which nobody asked for"));
    writer.say("this is");
    reader.hears_from(&writer.name, "this is");
    assert_eq!(writer.frame().opcode(), PONG);
    let name = writer.name.clone();
    writer.hears_from(&name, "this is");
    server.until_only(&[&writer, &reader]);
}

// 4. Closing

pub(crate) fn a_close_gets_its_code_back_and_then_the_end(engine: Engine) {
    let server = engine.serve(&[]);
    for code in [1000_u16, 1001, 1003, 1007, 1011, 3000, 4999] {
        let mut guest = Client::open(server.address);
        let mut body = code.to_be_bytes().to_vec();
        body.extend_from_slice("안녕히".as_bytes());
        guest.send(&frame(FIN | CLOSE, &body));
        let answer = Frame { first: FIN | CLOSE, payload: code.to_be_bytes().into() };
        assert_eq!(guest.frame(), answer);
        // RFC 6455, 7.1.1: the server ends the connection first.
        guest.ends();
    }
    let mut guest = Client::open(server.address);
    guest.send(&frame(FIN | CLOSE, b""));
    assert_eq!(guest.frame(), Frame { first: FIN | CLOSE, payload: Vec::new() });
    guest.ends();
}

fn who_leaves_the_page_leaves_the_chat(engine: Engine) {
    let server = engine.serve(&[]);
    let (guest, mut other) = (server.join(), server.join());
    guest.leave();
    server.until_only(&[&other]);
    other.says_and_hears("on my own");
}

// The chat

pub(crate) fn a_line_goes_to_everyone_and_to_its_author_too(engine: Engine) {
    let server = engine.serve(&[]);
    let mut guests = [server.join(), server.join(), server.join()];
    for speaker in 0..guests.len() {
        let words = format!("hello from number {speaker}");
        guests[speaker].say(&words);
        let name = guests[speaker].name.clone();
        assert!(name.starts_with("127.0.0.1:"), "{name}");
        for guest in &mut guests {
            guest.hears_from(&name, &words);
        }
    }
}

fn korean_goes_through_unchanged(engine: Engine) {
    let server = engine.serve(&[]);
    let (mut writer, mut reader) = (server.join(), server.join());
    for words in ["안녕하세요", "ㅋㅋㅋ", "한글 and English 👩‍👩‍👧‍👦", "<b>굵게</b> > 아님"]
    {
        writer.say(words);
        reader.hears_from(&writer.name, words);
    }
}

fn a_line_shows_an_ipv6_address_in_brackets(engine: Engine) {
    if TcpListener::bind("[::1]:0").is_err() {
        eprintln!("not checked: this machine has no [::1]");
        return;
    }
    let server = engine.serve_on("[::1]:0", &[]);
    let mut guest = server.join();
    assert!(guest.name.starts_with("[::1]:"), "{}", guest.name);
    guest.says_and_hears("여섯");
}

fn an_empty_message_is_ignored_and_logged(engine: Engine) {
    let server = engine.serve(&["--log", "debug"]);
    let (mut writer, mut reader) = (server.join(), server.join());
    writer.say("");
    writer.send(&frame(TEXT, b""));
    writer.send(&frame(FIN | CONTINUATION, b""));
    writer.say("not empty");
    reader.hears_from(&writer.name, "not empty");
    server.logs(&["empty message", &writer.name]);
}

fn a_binary_message_is_ignored_and_logged_with_opcode_and_length(engine: Engine) {
    let server = engine.serve(&["--log", "debug"]);
    let (mut writer, mut reader) = (server.join(), server.join());
    writer.send(&frame(FIN | BINARY, &[0xff; 300]));
    writer.say("text");
    reader.hears_from(&writer.name, "text");
    server.logs(&["unhandled frame", &writer.name, "opcode=2", "length=300"]);
}

fn nobody_can_forge_a_line(engine: Engine) {
    let server = engine.serve(&[]);
    let (mut writer, mut reader) = (server.join(), server.join());
    writer.say("hello\nAdministrator :: you are all banned\r\n\u{202e}\u{1b}[2J");
    reader.hears_from(
        &writer.name,
        "hello\n    Administrator :: you are all banned\n    \u{fffd}[2J",
    );
}

// The console

fn a_line_typed_at_the_server_is_the_administrators(engine: Engine) {
    let server = engine.serve(&[]);
    let mut guests = [server.join(), server.join()];
    for words in ["hello from the console", "안녕하세요, 관리자입니다", "  spaces stay  "]
    {
        server.types(words);
        for guest in &mut guests {
            guest.hears_from("Administrator", words);
        }
    }
    server.type_bytes("끝에 CR이 있는 줄\r\n".as_bytes());
    guests[0].hears_from("Administrator", "끝에 CR이 있는 줄");
}

fn two_slashes_say_one_and_an_empty_line_says_nothing(engine: Engine) {
    let server = engine.serve(&[]);
    let mut guest = server.join();
    server.type_bytes(b"\n\r\n//who is here?\n");
    guest.hears_from("Administrator", "/who is here?");
    server.types("/say lobby said in a room");
    guest.hears_from("Administrator", "said in a room");
    server.types("/no-such-command");
    server.prints(&["no-such-command", "/help"]);
    server.types("/help");
    for command in ["/who", "/say", "/kick", "/ban", "/unban", "/mute", "/stats", "/quit"] {
        server.prints(&[command]);
    }
    server.types("still here");
    guest.hears_from("Administrator", "still here");
}

fn typing_what_is_not_utf8_is_one_complaint_and_no_end(engine: Engine) {
    let server = engine.serve(&[]);
    let mut guest = server.join();
    server.type_bytes(b"\xff\xfe not UTF-8\n");
    server.types("this is");
    server.prints(&["not sent", "UTF-8"]);
    guest.hears_from("Administrator", "this is");
    server.types("/stats");
    let next = server.next_print();
    assert_eq!(next, "connections: 1, messages in the lobby: 1");
}

fn the_end_of_the_input_ends_the_console_only(engine: Engine) {
    let server = engine.serve(&[]);
    let (mut guest, mut other) = (server.join(), server.join());
    // The last line lacks its end.
    server.type_bytes("마지막 줄".as_bytes());
    server.end_of_input();
    guest.hears_from("Administrator", "마지막 줄");
    other.hears_from("Administrator", "마지막 줄");
    guest.says_and_hears("still here");
    other.hears_from(&guest.name, "still here");
    drop((guest, other));
    assert_eq!(server.stop(), 0);
}

fn without_a_console_stdin_is_left_alone(engine: Engine) {
    let server = engine.serve(&["--no-console"]);
    let mut guest = Client::open(server.address);
    server.types("nobody reads this");
    guest.says_and_hears("hello");
    drop(guest);
    assert_eq!(server.stop(), 0);
}

// The end

pub(crate) fn ctrl_c_says_one_sentence_and_ends_with_0(engine: Engine) {
    let server = engine.serve(&[]);
    server.prints(&["Ctrl-C stops"]);
    let mut guest = server.join();
    server.signal(Signal::INT);
    guest.is_closed_with(1001);
    drop(guest);
    assert_eq!(server.ended_saying(), (0, vec!["damso has stopped".to_owned()]));
}

fn ctrl_c_says_it_in_korean_to_a_korean(engine: Engine) {
    let mut command = damso(&["serve", "--memory", "--engine", engine.name()]);
    command.args(["--listen", "127.0.0.1:0"]).env("LANG", "ko_KR.UTF-8");
    let server = Server::start(command);
    server.prints(&["Ctrl-C를 누르면"]);
    server.signal(Signal::INT);
    assert_eq!(server.ended_saying(), (0, vec!["담소를 종료했습니다".to_owned()]));
}

// What the tutorial's servers print

fn each_print_of_the_tutorial_has_its_counterpart_in_the_log(engine: Engine) {
    let server = engine.serve(&["--log", "debug"]);
    let mut guest = server.join();
    let name = guest.name.clone();
    // "connected : " + addr
    server.logs(&["accepted", &name]);
    // "---handshake end!---"
    server.logs(&["handshake done", &name]);
    // "handshake ERROR : " + why
    let mut refused = Client::connect(server.address);
    refused.send(opening("/nowhere", server.address, "").as_bytes());
    assert_eq!(refused.answer().status, 404);
    server.logs(&["handshake refused", &refused.name, "404"]);
    // The bytes of a message on the console: on purpose not, a log is no place for what people say.
    guest.says_and_hears("between ourselves");
    assert!(server.log_so_far().iter().all(|line| !line.contains("between ourselves")));
    // "emty data"
    guest.say("");
    server.logs(&["empty message", &name]);
    // "frame not handled : opcode=" + opcode + " len=" + len
    guest.send(&frame(FIN | BINARY, b"123"));
    server.logs(&["unhandled frame", &name, "opcode=2", "length=3"]);
    // The tutorial counts a ping among these.
    guest.send(&frame(FIN | PING, b"1234"));
    server.logs(&["ping", &name, "opcode=9", "length=4"]);
    assert_eq!(guest.frame().opcode(), PONG);
    // 'close frame received'
    guest.leave();
    server.logs(&["close", &name, "1001"]);
    // "handler ERROR : " + why
    let mut rude = server.join();
    rude.send(b"\x81\x05hello");
    rude.is_closed_with(1002);
    server.logs(&["error", &rude.name, "masked"]);
    // "disconnected"
    let lost = server.join();
    let name = lost.name.clone();
    lost.reset();
    server.logs(&["gone", &name, "reset"]);
    // What peers send is no command to the terminal that shows the log.
    let mut sly = server.join();
    sly.send(&frame(FIN | CLOSE, b"\x03\xe8\x1b]0;owned\x07"));
    server.logs(&["close", &sly.name, "1000"]);
    assert!(server.log_so_far().iter().all(|line| !line.contains('\u{1b}')));
}

fn without_log_debug_nothing_is_logged(engine: Engine) {
    let server = engine.serve(&[]);
    let mut guest = server.join();
    guest.say("");
    guest.send(&frame(FIN | BINARY, b"123"));
    guest.says_and_hears("hello");
    let mut rude = server.join();
    rude.send(b"\x81\x05hello");
    rude.is_closed_with(1002);
    drop(rude);
    server.join().reset();
    server.until_only(&[&guest]);
    assert_eq!(server.log_so_far(), Vec::<String>::new());
}

/// The tutorial says "쓰레드 없음" when there are none left, and joins a finished thread only when
/// the next client comes.
fn a_thread_is_gone_with_its_connection(engine: Engine) {
    let server = engine.serve(&[]);
    let guest = server.join();
    let before = server.thread_count();
    let mut others: Vec<Client> = (0..20).map(|_| Client::open(server.address)).collect();
    for other in &mut others {
        other.send(&text("hello"));
    }
    server.until_here(|here| here.len() == 21);
    let more = if engine == Engine::Threads { others.len() } else { 0 };
    assert_eq!(server.thread_count(), before + more);
    drop(others);
    until_within(Duration::from_secs(1), "their threads are gone", || {
        server.thread_count() == before
    });
    server.until_only(&[&guest]);
    let quiet = TcpStream::connect(server.address).unwrap();
    drop(quiet);
    until_within(Duration::from_secs(1), "its thread is gone", || server.thread_count() == before);
}
