//! Opening handshakes of every kind, and HTTP on the same port. Each refusal is a proper HTTP
//! answer with a sentence, and the others chat on.

use crate::client::{Answer, Client, FIN, KEY, TEXT, frame, opening, text};
use crate::server::{Engine, Server};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

all_engines![
    what_is_no_opening_handshake_is_refused_with_a_sentence,
    every_way_to_write_a_right_one_is_accepted,
    a_handshake_byte_by_byte_is_accepted,
    a_head_that_trickles_in_is_cut_off_at_its_deadline,
    a_head_that_is_too_long_or_has_too_many_fields_is_refused,
    frames_glued_to_the_request_are_served,
    half_a_frame_glued_to_the_request_is_not_lost,
    an_unknown_path_is_404,
    a_subprotocol_we_don_t_know_is_refused_by_name,
    a_foreign_page_gets_403_and_the_flag_that_would_allow_it,
    a_rebound_name_gets_403_and_the_flag_that_would_allow_it,
    our_own_page_and_what_is_no_browser_come_in,
    allow_origin_null_lets_a_page_from_a_file_chat,
    allow_origin_and_allow_host_allow_what_they_name,
    compression_is_agreed_only_as_it_can_be_shared,
    the_page_is_served_under_a_strict_policy,
    a_page_that_is_known_already_is_not_sent_again,
    an_older_pages_files_are_the_newer_ones,
    a_page_and_then_a_handshake_on_one_connection,
    a_page_a_handshake_and_a_frame_in_one_write,
    a_handshake_that_is_refused_after_a_page_is_a_proper_answer_too,
    a_page_head_that_trickles_in_is_no_way_around_the_deadline,
    echo_takes_any_path_and_refuses_what_is_no_handshake,
];

/// Sends bytes on a connection of their own; the answer.
#[track_caller]
fn ask(address: SocketAddr, bytes: &[u8]) -> Answer {
    let mut client = Client::connect(address);
    client.send(bytes);
    client.answer()
}

/// A refusal has this status, says these words, and is all there is to read.
#[track_caller]
fn check_refusal(
    address: SocketAddr,
    what: &str,
    bytes: &[u8],
    status: u16,
    words: &str,
) -> Answer {
    let mut client = Client::connect(address);
    client.try_send(bytes);
    let answer = client.answer();
    assert_eq!(answer.status, status, "{what}: {answer:?}");
    assert!(answer.body.contains(words), "{what}: {words:?} is not in {:?}", answer.body);
    assert_eq!(answer.body.trim_end().lines().count(), 1, "{what}: {:?}", answer.body);
    assert!(answer.head.starts_with(&format!("HTTP/1.1 {status} ")), "{what}");
    let length = answer.header("Content-Length").map(str::parse);
    assert_eq!(length, Some(Ok(answer.body.len())), "{what}: {}", answer.head);
    let kind = answer.header("Content-Type");
    assert_eq!(kind, Some("text/plain; charset=utf-8"), "{what}: {}", answer.head);
    if answer.header("Connection").is_some_and(|value| value.contains("close")) {
        client.ends();
    }
    answer
}

/// Every one of them is an opening handshake but for one thing.
fn what_is_no_opening_handshake_is_refused_with_a_sentence(engine: Engine) {
    let server = engine.serve(&[]);
    let mut other = server.join();
    let right = opening("/ws", server.address, "");
    let without = |name: &str| -> String {
        right.split_inclusive("\r\n").filter(|line| !line.starts_with(name)).collect()
    };
    let with = |line: &str| opening("/ws", server.address, line);
    let version = |version: &str| right.replace("Version: 13", &format!("Version: {version}"));
    let key = |key: &str| right.replace(KEY, key);
    for (what, request, status, words) in [
        ("no Host", without("Host"), 400, "Host"),
        ("two Hosts", with("Host: localhost\r\n"), 400, "Host"),
        ("an empty Host", right.replace(&server.address.to_string(), ""), 400, "Host"),
        ("a Host with a user", right.replace("Host: ", "Host: me@"), 400, "Host"),
        ("no key", without("Sec-WebSocket-Key"), 400, "Sec-WebSocket-Key"),
        ("two keys", with(&format!("Sec-WebSocket-Key: {KEY}\r\n")), 400, "Sec-WebSocket-Key"),
        ("a key that is no base64", key("dGhlIHNhbXBsZSBub25jZQ=!"), 400, "16 bytes"),
        ("a key of 15 bytes", key("dGhlIHNhbXBsZSBub25j"), 400, "16 bytes"),
        ("a key of 17 bytes", key("dGhlIHNhbXBsZSBub25jZSE="), 400, "16 bytes"),
        ("an empty key", key(""), 400, "16 bytes"),
        ("no version", without("Sec-WebSocket-Version"), 426, "13"),
        ("version 12", version("12"), 426, "13"),
        ("version 8", version("8"), 426, "13"),
        ("version 013", version("013"), 426, "13"),
        ("two versions", with("Sec-WebSocket-Version: 13\r\n"), 400, "Sec-WebSocket-Version"),
        ("no Connection", without("Connection"), 400, "Connection"),
        ("another Connection", right.replace("n: Upgrade", "n: keep-alive"), 400, "Connection"),
        ("POST", right.replace("GET", "POST"), 405, "GET"),
        ("get", right.replace("GET", "get"), 405, "GET"),
        ("HTTP/1.0", right.replace("HTTP/1.1", "HTTP/1.0"), 400, "HTTP/1.1"),
        ("HTTP/2.0", right.replace("HTTP/1.1", "HTTP/2.0"), 505, "HTTP/1.1"),
        ("HTTP/one", right.replace("HTTP/1.1", "HTTP/one"), 400, "HTTP/1.1"),
        ("no version of HTTP", right.replace(" HTTP/1.1", ""), 400, "HTTP/1.1"),
        ("a body", with("Content-Length: 5\r\n") + "hello", 400, "body"),
        ("a body of unknown length", with("Transfer-Encoding: chunked\r\n"), 400, "body"),
        ("a folded field", with("X-Folded: one\r\n two\r\n"), 400, "folded"),
        ("a folded first field", right.replacen("Host", " Host", 1), 400, "folded"),
        ("a NUL", with("X-Nul: \0\r\n"), 400, "ontrol"),
        ("an escape", with("X-Escape: \x1b[2J\r\n"), 400, "ontrol"),
        ("a bare LF", with("X-Bare: one\nX-Other: two\r\n"), 400, "CR LF"),
        ("a bare CR", with("X-Bare: one\rtwo\r\n"), 400, "CR LF"),
        ("LF only", right.replace("\r\n", "\n"), 400, "CR LF"),
        ("space before the colon", right.replace("Host:", "Host :"), 400, "name"),
        ("no colon", with("no colon here\r\n"), 400, "colon"),
        ("an empty name", with(": value\r\n"), 400, "name"),
        ("two Origins", with("Origin: null\r\nOrigin: null\r\n"), 400, "Origin"),
        ("a TLS greeting", "\u{16}\u{3}\u{1}\0\u{2}\0".to_owned(), 400, ""),
    ] {
        check_refusal(server.address, what, request.as_bytes(), status, words);
        other.says_and_hears_again();
    }
    let answer = ask(server.address, version("12").as_bytes());
    assert_eq!(answer.header("Sec-WebSocket-Version"), Some("13"), "{answer:?}");
    assert_eq!(answer.header("Upgrade"), Some("websocket"), "{answer:?}");
    let answer = ask(server.address, right.replace("GET", "POST").as_bytes());
    assert_eq!(answer.header("Allow"), Some("GET"), "{answer:?}");
    server.until_only(&[&other]);
}

fn every_way_to_write_a_right_one_is_accepted(engine: Engine) {
    let server = engine.serve(&[]);
    let right = opening("/ws", server.address, "");
    for (what, request) in [
        ("as browsers do", opening("/ws", server.address, "User-Agent: A\r\nPragma: no-cache\r\n")),
        ("Upgrade is a list", right.replace("Upgrade: websocket", "Upgrade: foo, WebSocket")),
        ("Connection is a list", right.replace("n: Upgrade", "n: keep-alive, Upgrade")),
        (
            "two fields Connection",
            right.replace("n: Upgrade", "n: keep-alive\r\nCONNECTION: upgrade"),
        ),
        (
            "names in capitals",
            right.replace("Sec-WebSocket", "SEC-WEBSOCKET").replace("Host", "HOST"),
        ),
        ("names in small letters", right.replace("Sec-WebSocket-Key", "sec-websocket-key")),
        ("no space after the colon", right.replace(": ", ":")),
        ("tabs and spaces around a value", right.replace("Host: ", "Host: \t  ")),
        ("a length of 0", opening("/ws", server.address, "Content-Length: 0\r\n")),
        ("an empty line before", format!("\r\n{right}")),
        (
            "the target is a whole URI",
            right.replace("/ws", &format!("http://{}/ws", server.address)),
        ),
        (
            "an unknown extension",
            opening("/ws", server.address, "Sec-WebSocket-Extensions: x-new\r\n"),
        ),
    ] {
        let mut client = Client::connect(server.address);
        client.send(request.as_bytes());
        let answer = client.answer();
        assert_eq!(answer.status, 101, "{what}: {answer:?}");
        let accept = answer.header("Sec-WebSocket-Accept");
        assert_eq!(accept, Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{what}");
        client.says_and_hears(what);
    }
}

pub(crate) fn a_handshake_byte_by_byte_is_accepted(engine: Engine) {
    let server = engine.serve(&[]);
    let mut client = Client::connect(server.address);
    for byte in opening("/ws", server.address, "").bytes() {
        client.send(&[byte]);
    }
    assert_eq!(client.answer().status, 101);
    client.says_and_hears("hello");
}

fn a_head_that_trickles_in_is_cut_off_at_its_deadline(engine: Engine) {
    let server = engine.serve(&["--set", "limits.head_seconds=1"]);
    let mut other = server.join();
    let mut silent = Client::connect(server.address);
    let mut trickling = Client::connect(server.address);
    let began = Instant::now();
    let mut head = b"GET /ws HTTP/1.1\r\nX-Long: ".to_vec();
    head.extend([b'x'; 500]);
    for byte in head {
        trickling.try_send(&[byte]);
        if trickling.can_read_within(Duration::from_millis(50)) {
            break;
        }
    }
    assert_eq!(trickling.answer().status, 408);
    trickling.ends();
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(900) && took < Duration::from_secs(8), "{took:?}");
    // Who says nothing at all gets the same answer.
    let answer = silent.answer();
    assert_eq!(answer.status, 408);
    assert!(answer.body.contains("too long"), "{answer:?}");
    silent.ends();
    other.says_and_hears("still here");
}

fn a_head_that_is_too_long_or_has_too_many_fields_is_refused(engine: Engine) {
    let server = engine.serve(&[]);
    let mut other = server.join();
    let long = format!("X-Long: {}\r\n", "x".repeat(20_000));
    let many = "X: y\r\n".repeat(2_000);
    for (what, request) in [
        ("a field of 20 KB", opening("/ws", server.address, &long)),
        ("a target of 20 KB", opening(&format!("/{}", "x".repeat(20_000)), server.address, "")),
        ("2,000 fields", opening("/ws", server.address, &many)),
        ("20 KB and no end", format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(20_000))),
    ] {
        check_refusal(server.address, what, request.as_bytes(), 431, "");
        other.says_and_hears_again();
    }
}

pub(crate) fn frames_glued_to_the_request_are_served(engine: Engine) {
    let server = engine.serve(&[]);
    let mut other = server.join();
    let mut client = Client::connect(server.address);
    let mut bytes = opening("/ws", server.address, "").into_bytes();
    bytes.extend(text("glued"));
    bytes.extend(frame(TEXT, b"and in "));
    bytes.extend(frame(FIN, b"fragments"));
    client.send(&bytes);
    assert_eq!(client.answer().status, 101);
    for words in ["glued", "and in fragments"] {
        let name = client.name.clone();
        client.hears_from(&name, words);
        other.hears_from(&name, words);
    }
}

pub(crate) fn half_a_frame_glued_to_the_request_is_not_lost(engine: Engine) {
    let server = engine.serve(&[]);
    let (glued, line) = (opening("/ws", server.address, "").into_bytes(), text("cut in two"));
    for cut in 1..line.len() {
        let mut client = Client::connect(server.address);
        client.send(&[&glued, &line[..cut]].concat());
        assert_eq!(client.answer().status, 101);
        client.send(&line[cut..]);
        let name = client.name.clone();
        client.hears_from(&name, "cut in two");
    }
}

fn an_unknown_path_is_404(engine: Engine) {
    let server = engine.serve(&[]);
    for path in ["/nowhere", "/ws/", "/WS", "/chat/x", "//", "/plain", "/%77s"] {
        let request = opening(path, server.address, "");
        check_refusal(server.address, path, request.as_bytes(), 404, "/ws");
    }
    let page = format!("GET /nowhere HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
    assert_eq!(ask(server.address, page.as_bytes()).status, 404);
}

fn a_subprotocol_we_don_t_know_is_refused_by_name(engine: Engine) {
    let server = engine.serve(&[]);
    for (offered, words) in
        [("graphql-ws", "graphql-ws"), ("a, b", "subprotocol"), ("a, a", "token")]
    {
        let request =
            opening("/ws", server.address, &format!("Sec-WebSocket-Protocol: {offered}\r\n"));
        check_refusal(server.address, offered, request.as_bytes(), 400, words);
    }
}

fn a_foreign_page_gets_403_and_the_flag_that_would_allow_it(engine: Engine) {
    let server = engine.serve(&["--log", "debug"]);
    let own = server.address;
    let other_port = own.port() ^ 1;
    for origin in [
        "http://evil.example".to_owned(),
        "https://evil.example:8443".to_owned(),
        "null".to_owned(),
        format!("http://{own}.evil.example"),
        format!("http://evil.example/{own}"),
        format!("http://127.0.0.1:{other_port}"),
        "http://127.0.0.1".to_owned(),
        format!("https://{own}"),
        format!("ws://{own}"),
    ] {
        let request = opening("/ws", own, &format!("Origin: {origin}\r\n"));
        let flag = format!("--allow-origin {origin}");
        let answer = check_refusal(own, &origin, request.as_bytes(), 403, &flag);
        assert!(answer.body.contains(&format!("Host: {own}")), "the Host seen: {answer:?}");
        server.logs(&["handshake refused", "403", &flag]);
    }
}

fn a_rebound_name_gets_403_and_the_flag_that_would_allow_it(engine: Engine) {
    let server = engine.serve(&[]);
    let port = server.address.port();
    for name in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example"] {
        let flag = format!("--allow-host {name}");
        let further = format!("Origin: http://{name}:{port}\r\n");
        let request = opening("/ws", format!("{name}:{port}"), &further);
        check_refusal(server.address, name, request.as_bytes(), 403, &flag);
        // Nor may it read the page.
        let page = format!("GET / HTTP/1.1\r\nHost: {name}:{port}\r\n\r\n");
        check_refusal(server.address, name, page.as_bytes(), 403, &flag);
    }
}

fn our_own_page_and_what_is_no_browser_come_in(engine: Engine) {
    let server = engine.serve(&[]);
    let port = server.address.port();
    for (host, origin) in [
        (format!("127.0.0.1:{port}"), Some(format!("http://127.0.0.1:{port}"))),
        (format!("localhost:{port}"), Some(format!("http://localhost:{port}"))),
        (format!("LocalHost:{port}"), Some(format!("http://localhost:{port}"))),
        (format!("pi.local:{port}"), Some(format!("http://pi.local:{port}"))),
        (format!("[::1]:{port}"), Some(format!("http://[::1]:{port}"))),
        ("chat.example.com".to_owned(), None),
    ] {
        let further = origin.map(|origin| format!("Origin: {origin}\r\n")).unwrap_or_default();
        let mut client = Client::connect(server.address);
        client.send(opening("/ws", &host, &further).as_bytes());
        assert_eq!(client.answer().status, 101, "{host}, {further}");
        client.says_and_hears("hello");
    }
}

fn allow_origin_null_lets_a_page_from_a_file_chat(engine: Engine) {
    let server = engine.serve(&["--allow-origin", "null"]);
    Client::connect(server.address).open_on("/", "Origin: null\r\n").says_and_hears("from a file");
    let foreign = opening("/", server.address, "Origin: http://evil.example\r\n");
    assert_eq!(ask(server.address, foreign.as_bytes()).status, 403);
}

fn allow_origin_and_allow_host_allow_what_they_name(engine: Engine) {
    let server = engine.serve(&[
        "--allow-host",
        "chat.example.com",
        "--allow-origin",
        "https://friend.example",
        "--allow-origin",
        "https://other.example",
    ]);
    for (host, origin, status) in [
        ("chat.example.com", "http://chat.example.com", 101),
        ("CHAT.example.com:80", "http://chat.example.com", 101),
        ("localhost", "https://friend.example", 101),
        ("localhost", "https://OTHER.example", 101),
        ("localhost", "https://friend.example:8443", 403),
        ("localhost", "http://friend.example", 403),
        ("mail.example.com", "http://mail.example.com", 403),
    ] {
        let request = opening("/ws", host, &format!("Origin: {origin}\r\n"));
        assert_eq!(ask(server.address, request.as_bytes()).status, status, "{host}, {origin}");
    }
    let page = b"GET / HTTP/1.1\r\nHost: chat.example.com\r\n\r\n";
    assert_eq!(ask(server.address, page).status, 200);
    let any = engine.serve(&["--allow-origin", "*"]);
    let request = opening("/ws", any.address, "Origin: http://anywhere.example\r\n");
    assert_eq!(ask(any.address, request.as_bytes()).status, 101);
}

/// Compressed frames are shared among their readers: nobody's may depend on earlier ones.
pub(crate) fn compression_is_agreed_only_as_it_can_be_shared(engine: Engine) {
    let server = engine.serve(&[]);
    for (offer, agreed) in [
        ("permessage-deflate", true),
        ("permessage-deflate; client_max_window_bits", true),
        ("permessage-deflate; server_no_context_takeover; client_no_context_takeover", true),
        ("permessage-deflate; server_max_window_bits=10", false),
        ("permessage-deflate; server_max_window_bits=10, permessage-deflate", true),
        ("permessage-deflate; server_max_window_bits=99", false),
        ("permessage-deflate; no_such_parameter", false),
        ("x-webkit-deflate-frame", false),
    ] {
        let further = format!("Sec-WebSocket-Extensions: {offer}\r\n");
        let answer = ask(server.address, opening("/ws", server.address, &further).as_bytes());
        assert_eq!(answer.status, 101, "{offer}");
        let answered = answer.header("Sec-WebSocket-Extensions").unwrap_or_default();
        assert_eq!(!answered.is_empty(), agreed, "{offer}: {answered}");
        if agreed {
            assert!(answered.contains("server_no_context_takeover"), "{offer}: {answered}");
            assert!(answered.contains("client_no_context_takeover"), "{offer}: {answered}");
            assert!(!answered.contains("server_max_window_bits"), "{offer}: {answered}");
        }
    }
}

pub(crate) fn the_page_is_served_under_a_strict_policy(engine: Engine) {
    let server = engine.serve(&[]);
    for (path, title, types) in [("/", "담소", "damso-worker"), ("/plain", "채팅", "'none'")] {
        let answer = get(&server, path);
        assert_eq!(answer.header("Content-Type"), Some("text/html; charset=utf-8"));
        assert_eq!(answer.header("Cache-Control"), Some("no-cache"));
        assert!(answer.body.contains(&format!("<title>{title}</title>")), "{path}");
        assert!(!answer.body.contains("{{"), "{path}: {}", answer.body);
        let policy = answer.header("Content-Security-Policy").expect("a policy");
        for rule in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"] {
            assert!(policy.contains(rule), "{policy}");
        }
        assert!(policy.contains(&format!("trusted-types {types}")), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("X-Content-Type-Options"), Some("nosniff"));
        // What the page loads is there, for ever.
        let assets: Vec<&str> =
            answer.body.split('"').filter(|part| part.starts_with("/assets/")).collect();
        assert!(!assets.is_empty(), "{path}");
        for asset in assets {
            let mut client = Client::connect(server.address);
            let address = server.address;
            client.send(format!("HEAD {asset} HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes());
            let loaded = client.answer_head();
            assert_eq!(loaded.status, 200, "{asset}");
            assert_ne!(loaded.header("Content-Length"), Some("0"), "{asset}");
            let caching = loaded.header("Cache-Control").unwrap_or_default();
            assert!(caching.contains("immutable"), "{asset}: {caching}");
        }
    }
}

pub(crate) fn a_page_that_is_known_already_is_not_sent_again(engine: Engine) {
    let server = engine.serve(&[]);
    for path in ["/", "/plain"] {
        let tag = get(&server, path).header("ETag").expect("a tag").to_owned();
        let asking = |further: &str| {
            let head = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n", server.address);
            ask(server.address, format!("{head}{further}\r\n").as_bytes())
        };
        let again = asking(&format!("If-None-Match: \"other\", {tag}\r\n"));
        assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
        assert_eq!(again.header("ETag"), Some(tag.as_str()));
        assert_eq!(asking("If-None-Match: W/\"other\"\r\n").status, 200);
        let head = |further: &str| {
            let mut client = Client::connect(server.address);
            let head = format!("HEAD {path} HTTP/1.1\r\nHost: {}\r\n", server.address);
            client.send(format!("{head}{further}\r\n").as_bytes());
            client.answer_head()
        };
        let gzip = head("Accept-Encoding: br, gzip\r\n");
        assert_eq!(gzip.status, 200);
        assert_eq!(gzip.header("Content-Encoding"), Some("gzip"));
        assert_eq!(gzip.header("Vary"), Some("Accept-Encoding"));
        assert_eq!(head("").header("Content-Encoding"), None);
    }
}

/// A page may stay open while the server becomes a newer one.
fn an_older_pages_files_are_the_newer_ones(engine: Engine) {
    let server = engine.serve(&[]);
    let older = get(&server, "/assets/0123456789ab/main.js");
    assert_eq!(older.header("Cache-Control"), Some("no-cache"));
    assert!(older.body.contains("import"), "{}", older.body);
    let page = get(&server, "/");
    let now = page.body.split("/assets/").nth(1).and_then(|rest| rest.split('/').next());
    let now = now.expect("a version");
    for path in [format!("/assets/{now}/gone.js"), "/assets/main.js".to_owned()] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
        assert_eq!(ask(server.address, request.as_bytes()).status, 404, "{path}");
    }
}

#[track_caller]
fn get(server: &Server, path: &str) -> Answer {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
    let answer = ask(server.address, request.as_bytes());
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer
}

/// Proxies pool their connections.
pub(crate) fn a_page_and_then_a_handshake_on_one_connection(engine: Engine) {
    let server = engine.serve(&[]);
    let mut other = server.join();
    let mut client = Client::connect(server.address);
    let page = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
    for _ in 0..2 {
        client.send(page.as_bytes());
        assert_eq!(client.answer().status, 200);
    }
    client = client.open_on("/ws", "");
    client.says_and_hears("by way of the page");
    other.hears_from(&client.name, "by way of the page");
    server.until_only(&[&client, &other]);
    client.leave();
    server.until_only(&[&other]);
}

pub(crate) fn a_page_a_handshake_and_a_frame_in_one_write(engine: Engine) {
    let server = engine.serve(&[]);
    let page = format!("GET /plain HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
    let upgrade = opening("/ws", server.address, "");
    let line = text("all at once");
    for cut in [0, 1, 7, line.len()] {
        let mut client = Client::connect(server.address);
        client.send(&[page.as_bytes(), upgrade.as_bytes(), &line[..cut]].concat());
        assert_eq!(client.answer().status, 200);
        assert_eq!(client.answer().status, 101);
        client.send(&line[cut..]);
        let name = client.name.clone();
        client.hears_from(&name, "all at once");
    }
}

pub(crate) fn a_handshake_that_is_refused_after_a_page_is_a_proper_answer_too(engine: Engine) {
    let server = engine.serve(&[]);
    let page = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
    let own = server.address;
    for (request, status) in [
        (opening("/ws", own, "").replace("Version: 13", "Version: 12"), 426),
        (opening("/nowhere", own, ""), 404),
        (opening("/ws", own, "Origin: http://evil.example\r\n"), 403),
        (opening("/ws", own, "Sec-WebSocket-Protocol: other\r\n"), 400),
        (opening("/ws", own, "").replace(KEY, "short"), 400),
    ] {
        let mut client = Client::connect(server.address);
        client.send(page.as_bytes());
        assert_eq!(client.answer().status, 200);
        client.send(request.as_bytes());
        let answer = client.answer();
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(!answer.body.trim().is_empty());
    }
}

/// HTTP's thread has a deadline of its own; a page's first head is still the engine's.
pub(crate) fn a_page_head_that_trickles_in_is_no_way_around_the_deadline(engine: Engine) {
    let server = engine.serve(&["--set", "limits.head_seconds=1"]);
    let mut client = Client::connect(server.address);
    client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n");
    assert_eq!(client.answer().status, 408);
    client.ends();
}

fn echo_takes_any_path_and_refuses_what_is_no_handshake(engine: Engine) {
    let server = engine.echo();
    let mut client =
        Client::connect(server.address).open_on("/any/path?case=1", "Origin: null\r\n");
    client.say("메아리");
    client.hears("메아리");
    let page = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
    check_refusal(server.address, "a page", page.as_bytes(), 400, "Upgrade");
}
