//! RFC 6455, 5.5.1 and 7.

use damso_websocket::close::NORMAL;
use damso_websocket::{Cause, Event, SendError, Status, Violation};

use crate::peer::{End, Pair, Said, config, hex, to_hex};

#[test]
fn a_close_is_answered_with_its_own_code() {
    for (input, code, reason, answer) in [
        ("88 80 00000000", None, "", "8800"),
        ("88 82 00000000 03e8", Some(1000), "", "880203e8"),
        ("88 85 00000000 0fa0 627965", Some(4000), "bye", "88020fa0"),
    ] {
        let mut server = End::server();
        assert_eq!(server.hears(&hex(input)), [Said::Close(code, reason.to_owned())]);
        assert_eq!(server.status(), Status::ShutDown);
        assert_eq!(to_hex(&server.says()), answer);
        let closed = server.connection.close_status().unwrap().clone();
        assert_eq!((closed.cause, closed.clean()), (Cause::Peer, true));
        assert_eq!((closed.code(), closed.reason()), (code.unwrap_or(1005), reason));
    }
}

#[test]
fn a_close_that_must_not_be_sent_is_a_violation() {
    for (input, violation) in [
        ("88 81 00000000 03", Violation::CloseTooShort),
        ("88 82 00000000 03ed", Violation::CloseCode(1005)),
        ("88 82 00000000 03ee", Violation::CloseCode(1006)),
        ("88 82 00000000 03ec", Violation::CloseCode(1004)),
        ("88 82 00000000 03f7", Violation::CloseCode(1015)),
        ("88 82 00000000 0000", Violation::CloseCode(0)),
        ("88 82 00000000 0bb7", Violation::CloseCode(2999)),
        ("88 83 00000000 03e8 ff", Violation::CloseReasonNotUtf8),
    ] {
        let mut server = End::server();
        assert_eq!(server.hears(&hex(input)), [Said::Violation(violation)], "{input}");
        assert_eq!(server.says()[2..4], violation.close_code().to_be_bytes());
    }
}

#[test]
fn nothing_is_heard_after_a_close() {
    let mut server = End::server();
    server.hears(&hex("88 80 00000000  81 81 00000000 61  ff ff"));
    assert_eq!(server.events, [Said::Close(None, String::new())]);
    assert_eq!(server.hears(&hex("81 81 00000000 61")), []);
    assert_eq!(to_hex(&server.says()), "8800");
}

#[test]
fn nothing_is_sent_after_a_close() {
    let mut server = End::server();
    server.connection.close(NORMAL, "bye", server.now);
    assert!(!server.connection.takes_data());
    assert_eq!(server.connection.send_text("x"), Err(SendError::Closing));
    assert_eq!(server.connection.send_binary(b"x"), Err(SendError::Closing));
    assert_eq!(server.connection.send_ping(b"x"), Err(SendError::Closing));
    server.connection.close(1001, "again", server.now);
    assert_eq!(
        server.hears(&hex("89 80 00000000")),
        [Said::Ping(vec![])],
        "heard, but not answered"
    );
    assert_eq!(to_hex(&server.says()), "8805 03e8 627965".replace(' ', ""));
    assert_eq!(server.status(), Status::Closing);
    server.hears(&hex("88 82 00000000 03e8"));
    assert_eq!(server.says(), b"");
    assert_eq!(server.status(), Status::ShutDown);
}

#[test]
fn messages_under_way_arrive_before_the_peers_close() {
    let mut server = End::server();
    server.connection.close(NORMAL, "", server.now);
    assert_eq!(server.hears(&hex("81 81 00000000 61")), [crate::peer::text("a")]);
}

#[test]
fn the_server_closes_the_connection_first() {
    for server_starts in [true, false] {
        let mut pair = Pair::new(config(), None);
        let (starts, now) =
            if server_starts { (&mut pair.server, 0) } else { (&mut pair.client, 0) };
        let _ = now;
        let now = starts.now;
        starts.connection.close(NORMAL, "bye", now);
        let (from_server, from_client) = (pair.server.says(), pair.client.says());
        pair.client.hears(&from_server);
        pair.server.hears(&from_client);
        let (from_server, from_client) = (pair.server.says(), pair.client.says());
        pair.client.hears(&from_server);
        pair.server.hears(&from_client);
        assert_eq!(pair.server.status(), Status::ShutDown);
        assert_eq!(pair.client.status(), Status::Closing, "it waits for the server's end");
        pair.client.connection.receive_eof(now);
        assert_eq!(pair.client.status(), Status::Closed);
        pair.server.connection.receive_eof(now);
        assert_eq!(pair.server.status(), Status::Closed);
        for end in [&pair.server, &pair.client] {
            assert!(end.connection.close_status().unwrap().clean());
            assert_eq!(end.connection.timeout(), None);
        }
    }
}

#[test]
fn both_may_close_at_the_same_time() {
    let mut pair = Pair::new(config(), None);
    let now = pair.server.now;
    pair.server.connection.close(4001, "from the server", now);
    pair.client.connection.close(4002, "from the client", now);
    pair.drive();
    assert_eq!((pair.server.status(), pair.client.status()), (Status::Closed, Status::Closed));
    // 7.1.5: each sees the other's code.
    let [server, client] =
        [&pair.server, &pair.client].map(|end| end.connection.close_status().unwrap().clone());
    assert_eq!((server.code(), server.reason(), server.clean()), (4002, "from the client", true));
    assert_eq!((client.code(), client.reason(), client.clean()), (4001, "from the server", true));
}

#[test]
fn a_message_is_answered_before_a_violation_behind_it() {
    let mut server = End::server();
    let mut bytes = hex("81 81 00000000 61  81 01 62");
    let mut input = server.connection.receive(&mut bytes, server.now);
    while let Some(event) = input.next() {
        if event == Event::Text("a") {
            input.connection().send_text("b").unwrap();
        }
    }
    let said = server.says();
    assert_eq!(said[..5], hex("81 01 62 88 21"));
    assert_eq!(said[5..7], 1002u16.to_be_bytes());
}

#[test]
fn a_client_does_not_wait_for_ever_for_the_servers_end() {
    let mut client = End::client();
    client.hears(&hex("88 00"));
    client.says();
    client.wait(4);
    assert_eq!(client.status(), Status::Closing);
    client.wait(1);
    assert_eq!(client.status(), Status::Closed);
}

#[test]
fn a_close_that_is_never_answered_ends_at_the_deadline() {
    let mut server = End::server();
    server.connection.close(NORMAL, "", server.now);
    server.says();
    server.wait(3);
    server.hears(&hex("81 81 00000000 61"));
    server.wait(1);
    assert_eq!(server.status(), Status::Closing);
    server.wait(1);
    assert_eq!(server.status(), Status::Closed);
    assert_eq!(server.connection.close_status().unwrap().code(), 1006);
}

#[test]
fn bytes_that_end_without_a_close_are_abnormal() {
    let mut server = End::server();
    server.hears(&hex("81 85 00000000 61"));
    server.connection.receive_eof(server.now);
    assert_eq!(server.status(), Status::Closed);
    let closed = server.connection.close_status().unwrap();
    assert_eq!((closed.cause, closed.code(), closed.clean()), (Cause::Eof, 1006, false));
}

#[test]
fn a_peer_that_half_closes_after_its_close_still_gets_the_answer() {
    let mut server = End::server();
    server.hears(&hex("88 82 00000000 03e8"));
    server.connection.receive_eof(server.now);
    assert_eq!(server.status(), Status::ShutDown);
    server.connection.sent(1);
    assert_eq!(server.status(), Status::ShutDown);
    server.says();
    assert_eq!(server.status(), Status::Closed);
}

#[test]
fn a_violation_while_closing_sends_no_second_close() {
    let mut server = End::server();
    server.connection.close(NORMAL, "", server.now);
    server.says();
    assert_eq!(server.hears(&hex("81 01 61")), [Said::Violation(Violation::NotMasked)]);
    assert_eq!(server.says(), b"");
    assert_eq!(server.status(), Status::ShutDown);
}
