//! RFC 6455, 4, and RFC 9112 as far as an opening handshake needs it.

use damso_websocket::{
    ClientHandshake, Established, HandshakeError, HeadLimits, Opening, Rejection, Request,
};

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// RFC 6455, 1.3.
const EXAMPLE: &str = "GET /chat HTTP/1.1\r\n\
    Host: server.example.com\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Origin: http://example.com\r\n\
    Sec-WebSocket-Protocol: chat, superchat\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

fn parse(bytes: impl AsRef<[u8]>) -> Result<Option<(Request, usize)>, Rejection> {
    Request::parse(bytes.as_ref(), &HeadLimits::default())
}

/// A request with the necessary fields, changed: a field given replaces those of its name, an empty
/// value removes them, and a second one is added.
fn request(changes: &[(&str, &str)]) -> Request {
    let mut headers: Vec<(String, Vec<u8>)> = Vec::new();
    for (name, value) in [
        ("Host", "chat.example"),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", KEY),
        ("Sec-WebSocket-Version", "13"),
    ] {
        if !changes.iter().any(|(changed, _)| *changed == name) {
            headers.push((name.to_owned(), value.as_bytes().to_vec()));
        }
    }
    for (name, value) in changes.iter().filter(|(_, value)| !value.is_empty()) {
        headers.push(((*name).to_owned(), value.as_bytes().to_vec()));
    }
    Request { method: "GET".to_owned(), target: "/".to_owned(), minor_version: 1, headers }
}

pub fn opening(changes: &[(&str, &str)]) -> Result<Opening, Rejection> {
    Opening::check(&request(changes))
}

/// A server's answer to the sample nonce, changed likewise.
pub fn answer(changes: &[(&str, &str)]) -> String {
    let mut answer = "HTTP/1.1 101 Switching Protocols\r\n".to_owned();
    for (name, value) in [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
    ] {
        if !changes.iter().any(|(changed, _)| *changed == name) {
            answer.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    for (name, value) in changes.iter().filter(|(_, value)| !value.is_empty()) {
        answer.push_str(&format!("{name}: {value}\r\n"));
    }
    answer + "\r\n"
}

#[track_caller]
fn check_status(result: Result<Opening, Rejection>, expected: u16) {
    match result {
        Ok(opening) => panic!("accepted: {opening:?}"),
        Err(rejection) => assert_eq!(rejection.status, expected, "{rejection:?}"),
    }
}

#[test]
fn the_rfcs_request_is_accepted_with_the_rfcs_answer() {
    let (request, consumed) = parse(EXAMPLE).unwrap().unwrap();
    assert_eq!(consumed, EXAMPLE.len());
    assert!(request.wants_websocket());
    assert_eq!(request.path(), "/chat");
    let opening = Opening::check(&request).unwrap();
    assert_eq!(opening.host, "server.example.com");
    assert_eq!(opening.origin.as_deref(), Some("http://example.com"));
    assert_eq!(opening.subprotocols, ["chat", "superchat"]);
    assert_eq!(
        String::from_utf8(opening.accept(Some("chat"), None)).unwrap(),
        "HTTP/1.1 101 Switching Protocols\r\n\
         Upgrade: websocket\r\n\
         Connection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
         Sec-WebSocket-Protocol: chat\r\n\r\n"
    );
    let headers = opening.accept_headers(None, None);
    assert_eq!(headers.len(), 3);
}

#[test]
fn a_request_is_incomplete_until_its_empty_line() {
    for cut in 0..EXAMPLE.len() {
        assert_eq!(parse(&EXAMPLE[..cut]), Ok(None), "{cut}");
    }
    let with_frame = [EXAMPLE.as_bytes(), b"\x81\x80"].concat();
    assert_eq!(parse(with_frame).unwrap().unwrap().1, EXAMPLE.len());
    let after_empty_line = format!("\r\n{EXAMPLE}");
    assert_eq!(parse(&after_empty_line).unwrap().unwrap().1, EXAMPLE.len() + 2);
}

#[test]
fn what_two_readers_could_understand_differently_is_refused() {
    for head in [
        "GET / HTTP/1.1\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\x01b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\x7fb\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\tb\r\n\r\n",
        "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost\r\n\r\n",
        "GET / HTTP/1.1\r\n: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHo st: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHöst: a\r\n\r\n",
        "GET  / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1 \r\n\r\n",
        "GET /a b HTTP/1.1\r\n\r\n",
        "GET /ä HTTP/1.1\r\n\r\n",
        "GET /#a HTTP/1.1\r\n\r\n",
        "GET /\r\n\r\n",
        "GET\r\n\r\n",
        "\r\n\r\n\r\n",
        " GET / HTTP/1.1\r\n\r\n",
        "G(T / HTTP/1.1\r\n\r\n",
        "GET / http/1.1\r\n\r\n",
        "GET / HTTP/1.10\r\n\r\n",
        "GET / HTTP/11\r\n\r\n",
        "GET / XTTP/1.1\r\n\r\n",
    ] {
        assert_eq!(parse(head).map_err(|rejection| rejection.status), Err(400), "{head:?}");
    }
    for version in ["HTTP/2.0", "HTTP/0.9"] {
        let rejection = parse(format!("GET / {version}\r\n\r\n")).unwrap_err();
        assert_eq!(rejection.status, 505);
    }
}

#[test]
fn a_wrong_byte_is_refused_before_the_head_is_complete() {
    assert_eq!(parse("GET / HTTP/1.1\n").unwrap_err().status, 400);
    // The start of a TLS handshake.
    assert_eq!(parse(b"\x16\x03\x01\x02\x00").unwrap_err().status, 400);
}

#[test]
fn a_head_beyond_the_limits_is_refused() {
    let limits = HeadLimits { bytes: 100, headers: 2 };
    let parse = |head: &str| Request::parse(head.as_bytes(), &limits);
    let long = "GET / HTTP/1.1\r\nX: ".to_owned() + &"x".repeat(200);
    assert_eq!(parse(&long[..99]), Ok(None));
    assert_eq!(parse(&long[..100]).unwrap_err().status, 431);
    let exact = "GET / HTTP/1.1\r\nX: ".to_owned() + &"x".repeat(77) + "\r\n\r\n";
    assert_eq!(exact.len(), 100);
    assert!(parse(&exact).unwrap().is_some());
    assert_eq!(parse(&(exact.replace("X:", "XX:"))).unwrap_err().status, 431);
    assert!(parse("GET / HTTP/1.1\r\na: 1\r\nb: 2\r\n\r\n").unwrap().is_some());
    assert_eq!(parse("GET / HTTP/1.1\r\na: 1\r\nb: 2\r\nc: 3\r\n\r\n").unwrap_err().status, 431);
}

#[test]
fn header_fields_are_found_in_any_case_and_trimmed() {
    let (request, _) =
        parse("POST /a?b=1 HTTP/1.0\r\nx-a: \t1 2 \r\nX-A:3\r\nX-B:\r\nX-C: \u{fc}\r\n\r\n")
            .unwrap()
            .unwrap();
    assert_eq!(
        (request.method.as_str(), request.target.as_str(), request.minor_version),
        ("POST", "/a?b=1", 0)
    );
    assert_eq!(request.path(), "/a");
    assert_eq!(request.header("X-a").collect::<Vec<_>>(), [&b"1 2"[..], b"3"]);
    assert_eq!(request.header("x-b").collect::<Vec<_>>(), [b""]);
    assert_eq!(request.header("X-C").collect::<Vec<_>>(), ["\u{fc}".as_bytes()]);
    assert_eq!(request.header("Host").count(), 0);
}

#[test]
fn a_target_may_be_a_whole_uri_whose_host_counts() {
    for (target, path, host) in [
        ("http://a.example/chat?x", "/chat", "a.example"),
        ("wss://a.example:99", "/", "a.example:99"),
        ("http://a.example?x=/y", "/", "a.example"),
        ("/chat?u=http://b/", "/chat", "chat.example"),
    ] {
        let mut request = request(&[]);
        request.target = target.to_owned();
        assert_eq!(request.path(), path, "{target}");
        assert_eq!(Opening::check(&request).unwrap().host, host, "{target}");
    }
    let mut request = request(&[]);
    request.target = "http://user@a.example/".to_owned();
    check_status(Opening::check(&request), 400);
}

#[test]
fn only_get_of_http_1_1_opens_a_websocket() {
    let mut post = request(&[]);
    post.method = "POST".to_owned();
    let rejection = Opening::check(&post).unwrap_err();
    assert_eq!(rejection.status, 405);
    assert_eq!(rejection.headers, [("Allow", "GET".to_owned())]);
    post.method = "get".to_owned();
    check_status(Opening::check(&post), 405);
    let mut old = request(&[]);
    old.minor_version = 0;
    check_status(Opening::check(&old), 400);
}

#[test]
fn the_upgrade_fields_are_lists_of_tokens_in_any_case() {
    for (name, value) in [
        ("Upgrade", "WebSocket"),
        ("Upgrade", "foo, websocket"),
        ("Connection", "upgrade"),
        ("Connection", "keep-alive, Upgrade"),
        ("Connection", "close ,\tUPGRADE, "),
    ] {
        assert!(opening(&[(name, value)]).is_ok(), "{name}: {value}");
    }
    for (name, value) in [
        ("Upgrade", ""),
        ("Upgrade", "websockets"),
        ("Upgrade", "h2c"),
        ("Connection", ""),
        ("Connection", "keep-alive"),
        ("Connection", "Upgrade2"),
        ("Connection", "not Upgrade"),
    ] {
        check_status(opening(&[(name, value)]), 400);
    }
    assert!(!request(&[("Upgrade", "h2c")]).wants_websocket());
    assert!(
        request(&[("Upgrade", ""), ("upgrade", "h2c"), ("UPGRADE", "x,websocket")])
            .wants_websocket()
    );
}

#[test]
fn another_version_is_told_the_right_one() {
    for value in ["", "12", "8", "14", "013", "13 ", "13, 8", "x"] {
        let rejection = opening(&[("Sec-WebSocket-Version", value)]).unwrap_err();
        assert_eq!(rejection.status, 426, "{value}");
        assert!(rejection.headers.contains(&("Sec-WebSocket-Version", "13".to_owned())));
        let bytes = String::from_utf8(rejection.to_bytes()).unwrap();
        assert!(bytes.starts_with("HTTP/1.1 426 Upgrade Required\r\n"), "{bytes}");
        assert!(bytes.contains("\r\nUpgrade: websocket\r\n"), "{bytes}");
        assert!(bytes.contains("\r\nConnection: close, Upgrade\r\n"), "{bytes}");
    }
    check_status(opening(&[("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Version", "13")]), 400);
}

#[test]
fn there_is_exactly_one_key_of_sixteen_bytes() {
    for key in ["", "dGhl", "dGhlIHNhbXBsZSBub25jZTE=", "not base64 not base64 =="] {
        check_status(opening(&[("Sec-WebSocket-Key", key)]), 400);
    }
    check_status(opening(&[("Sec-WebSocket-Key", KEY), ("Sec-WebSocket-Key", KEY)]), 400);
    // RFC 6455, 4.1, has this one, with bits set that stand for no byte.
    assert!(opening(&[("Sec-WebSocket-Key", "AQIDBAUGBwgJCgsMDQ4PEC==")]).is_ok());
}

#[test]
fn there_is_exactly_one_host() {
    for host in [
        "localhost",
        "localhost:8765",
        "127.0.0.1:1",
        "[::1]",
        "[::1]:65535",
        "xn--9i1b14lcmc51s.kr",
        "a_b.c",
    ] {
        assert_eq!(opening(&[("Host", host)]).unwrap().host, host);
    }
    for host in [
        "", "a b", "a/b", "a@b", "a:b", "a:123456", "[::1", "[]", "::1", "[::1]x", "[::1]:x",
        ":80", "a,b@c", "é",
    ] {
        check_status(opening(&[("Host", host)]), 400);
    }
    check_status(opening(&[("Host", "a"), ("Host", "a")]), 400);
    check_status(opening(&[("Host", "a"), ("host", "b")]), 400);
}

#[test]
fn there_is_at_most_one_origin() {
    assert_eq!(opening(&[]).unwrap().origin, None);
    assert_eq!(opening(&[("Origin", "null")]).unwrap().origin.as_deref(), Some("null"));
    check_status(opening(&[("Origin", "https://a"), ("Origin", "https://a")]), 400);
    let mut latin1 = request(&[]);
    latin1.headers.push(("Origin".to_owned(), b"https://\xfc".to_vec()));
    check_status(Opening::check(&latin1), 400);
}

#[test]
fn an_opening_handshake_has_no_body() {
    assert!(opening(&[("Content-Length", "0")]).is_ok());
    for (name, value) in [
        ("Content-Length", "1"),
        ("Content-Length", "00"),
        ("Content-Length", "0, 0"),
        ("Transfer-Encoding", "chunked"),
        ("Transfer-Encoding", "identity"),
    ] {
        check_status(opening(&[(name, value)]), 400);
    }
    check_status(opening(&[("Content-Length", "0"), ("Content-Length", "0")]), 400);
}

#[test]
fn subprotocols_are_different_tokens_in_the_clients_order() {
    let several =
        opening(&[("Sec-WebSocket-Protocol", "b, a"), ("Sec-WebSocket-Protocol", " c,")]).unwrap();
    assert_eq!(several.subprotocols, ["b", "a", "c"]);
    for value in ["a b", "a, a", "a;b", "\"a\"", "é"] {
        check_status(opening(&[("Sec-WebSocket-Protocol", value)]), 400);
    }
}

#[test]
fn a_subprotocol_that_was_not_offered_is_not_answered() {
    let opening = opening(&[("Sec-WebSocket-Protocol", "a")]).unwrap();
    assert!(
        String::from_utf8(opening.accept(Some("a"), None))
            .unwrap()
            .contains("Sec-WebSocket-Protocol: a\r\n")
    );
    assert!(
        !String::from_utf8(opening.accept(Some("b"), None))
            .unwrap()
            .contains("Sec-WebSocket-Protocol")
    );
    assert!(
        !String::from_utf8(opening.accept(None, None)).unwrap().contains("Sec-WebSocket-Protocol")
    );
}

#[test]
fn extensions_that_can_not_be_read_are_refused() {
    for value in ["a;", "a b", "a; b=\"c d\"", "a; b=\""] {
        check_status(opening(&[("Sec-WebSocket-Extensions", value)]), 400);
    }
    let several =
        opening(&[("Sec-WebSocket-Extensions", "a"), ("Sec-WebSocket-Extensions", "b; c, d")])
            .unwrap();
    assert_eq!(several.extensions.len(), 3);
    assert!(
        !String::from_utf8(several.accept(None, None))
            .unwrap()
            .contains("Sec-WebSocket-Extensions")
    );
}

#[test]
fn an_answer_has_each_field_once() {
    let opening = opening(&[
        ("Sec-WebSocket-Protocol", "a, b"),
        ("Sec-WebSocket-Extensions", "permessage-deflate"),
        ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"),
    ])
    .unwrap();
    let agreed = opening.deflate(&Default::default());
    let headers = opening.accept_headers(Some("b"), agreed.as_ref());
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        names,
        [
            "Upgrade",
            "Connection",
            "Sec-WebSocket-Accept",
            "Sec-WebSocket-Protocol",
            "Sec-WebSocket-Extensions"
        ]
    );
    assert_eq!(headers[4].1.matches("permessage-deflate").count(), 1);
}

#[test]
fn a_rejection_is_a_whole_answer() {
    let rejection = Rejection::new(403, "No.").with("X-A", "b\r\nX-C: d");
    assert_eq!(
        String::from_utf8(rejection.to_bytes()).unwrap(),
        "HTTP/1.1 403 Forbidden\r\nX-A: b  X-C: d\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Length: 3\r\nConnection: close\r\n\r\nNo."
    );
}

// The client's side

fn client() -> ClientHandshake {
    ClientHandshake::new(
        "chat.example:99",
        "/chat?x",
        *b"the sample nonce",
        &["a", "b"],
        None,
        None,
    )
    .unwrap()
}

fn client_receives(changes: &[(&str, &str)]) -> Result<Option<Established>, HandshakeError> {
    client()
        .receive(answer(changes).as_bytes())
        .map(|established| established.map(|(established, _)| established))
}

#[test]
fn a_client_sends_the_request_that_the_rfc_demands() {
    assert_eq!(
        String::from_utf8(client().request()).unwrap(),
        "GET /chat?x HTTP/1.1\r\nHost: chat.example:99\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Protocol: a, b\r\n\r\n"
    );
    let origin = Some("http://localhost");
    let handshake = ClientHandshake::new("localhost", "/", [0; 16], &[], None, origin);
    let request = String::from_utf8(handshake.unwrap().request()).unwrap();
    assert!(request.ends_with("\r\nOrigin: http://localhost\r\n\r\n"), "{request}");
    let (request, _) = parse(request).unwrap().unwrap();
    assert!(Opening::check(&request).is_ok());
}

#[test]
fn a_client_refuses_arguments_that_can_not_stand_in_a_request() {
    let new = |host, target, subprotocols: &[&str], origin| {
        ClientHandshake::new(host, target, [0; 16], subprotocols, None, origin).map(|_| ())
    };
    assert_eq!(new("a", "/", &["a"], None), Ok(()));
    assert_eq!(new("a\r\nb", "/", &[], None), Err(HandshakeError::Argument("host")));
    assert_eq!(new("a", "", &[], None), Err(HandshakeError::Argument("target")));
    assert_eq!(new("a", "/ b", &[], None), Err(HandshakeError::Argument("target")));
    assert_eq!(new("a", "/#b", &[], None), Err(HandshakeError::Argument("target")));
    assert_eq!(new("a", "/", &["a b"], None), Err(HandshakeError::Argument("subprotocol")));
    assert_eq!(new("a", "/", &["a", "a"], None), Err(HandshakeError::Argument("subprotocol")));
    assert_eq!(new("a", "/", &[], Some("a\nb")), Err(HandshakeError::Argument("origin")));
}

#[test]
fn a_client_takes_the_servers_answer() {
    let none = Established { subprotocol: None, deflate: None };
    assert_eq!(client_receives(&[]), Ok(Some(none.clone())));
    assert_eq!(
        client_receives(&[("Upgrade", "WebSocket"), ("Connection", "x, upgrade")]),
        Ok(Some(none))
    );
    let chosen = client_receives(&[("Sec-WebSocket-Protocol", "b")]).unwrap().unwrap();
    assert_eq!(chosen.subprotocol.as_deref(), Some("b"));
    let answer = answer(&[]);
    for cut in 0..answer.len() {
        assert_eq!(client().receive(&answer.as_bytes()[..cut]), Ok(None));
    }
    let with_frame = format!("{answer}\u{1}x");
    assert_eq!(client().receive(with_frame.as_bytes()).unwrap().unwrap().1, answer.len());
}

#[test]
fn a_client_fails_on_an_answer_that_is_not_one() {
    for (name, value, error) in [
        ("Upgrade", "", HandshakeError::Upgrade),
        ("Upgrade", "h2c", HandshakeError::Upgrade),
        ("Upgrade", "websocket, h2c", HandshakeError::Upgrade),
        ("Connection", "", HandshakeError::Connection),
        ("Connection", "close", HandshakeError::Connection),
        ("Sec-WebSocket-Accept", "", HandshakeError::Accept),
        ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOp=", HandshakeError::Accept),
        ("Sec-WebSocket-Accept", "S3PPLMBITXAQ9KYGZZHZRBK+XOO=", HandshakeError::Accept),
        ("Sec-WebSocket-Extensions", "permessage-deflate", HandshakeError::Extension),
        ("Sec-WebSocket-Extensions", "a;", HandshakeError::Extension),
        ("Sec-WebSocket-Protocol", "c", HandshakeError::Subprotocol),
        ("Sec-WebSocket-Protocol", "a, b", HandshakeError::Subprotocol),
        ("Sec-WebSocket-Protocol", "A", HandshakeError::Subprotocol),
    ] {
        assert_eq!(client_receives(&[(name, value)]), Err(error), "{name}: {value}");
    }
    let accept = ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_eq!(client_receives(&[accept, accept]), Err(HandshakeError::Accept));
    assert_eq!(
        client_receives(&[("Sec-WebSocket-Protocol", "a"), ("Sec-WebSocket-Protocol", "b")]),
        Err(HandshakeError::Subprotocol)
    );
    for head in [
        "HTTP/1.0 101 x\r\n\r\n",
        "HTTP/1.1 1010 x\r\n\r\n",
        "HTTP/1.1 10\r\n\r\n",
        "HTTP/1.1  101\r\n\r\n",
        "http/1.1 101 x\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n\r\n",
        "HTTP/1.1 101 x\nUpgrade: websocket\n\n",
    ] {
        assert_eq!(client().receive(head.as_bytes()), Err(HandshakeError::NotHttp), "{head:?}");
    }
}

#[test]
fn a_client_reports_a_refusal() {
    let answer = Rejection::new(403, "No.").to_bytes();
    let Err(HandshakeError::Status { status, headers, consumed }) = client().receive(&answer)
    else {
        panic!("not a status");
    };
    assert_eq!((status, &answer[consumed..]), (403, &b"No."[..]));
    assert!(headers.contains(&("Content-Length".to_owned(), b"3".to_vec())));
    assert!(matches!(
        client().receive(b"HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n"),
        Err(HandshakeError::Status { status: 302, .. })
    ));
}

#[test]
fn a_client_and_a_server_of_ours_shake_hands() {
    let client = client();
    let (request, _) = parse(client.request()).unwrap().unwrap();
    let opening = Opening::check(&request).unwrap();
    assert_eq!(opening.host, "chat.example:99");
    let (established, _) = client.receive(&opening.accept(Some("b"), None)).unwrap().unwrap();
    assert_eq!(established, Established { subprotocol: Some("b".to_owned()), deflate: None });
}
