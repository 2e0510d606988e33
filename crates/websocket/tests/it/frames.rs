//! RFC 6455, 5.

use damso_websocket::{Opcode, Status, Violation, frame};

use crate::peer::{End, Said, hex, text, to_hex};

/// What a server says to a client's bytes. Masking key 00 00 00 00, so that the payload can be
/// read.
#[track_caller]
fn check(input: &str, expected: &[Said]) {
    assert_eq!(End::server().hears(&hex(input)), expected, "{input}");
}

#[track_caller]
fn check_violation(input: &str, violation: Violation) {
    let mut server = End::server();
    assert_eq!(server.hears(&hex(input)), [Said::Violation(violation)], "{input}");
    let code = violation.close_code().to_be_bytes();
    let close = server.says();
    assert_eq!(close[0], 0x88);
    assert_eq!(close[2..4], code, "{input}");
    assert_eq!(server.status(), Status::ShutDown);
    assert_eq!(server.hears(&hex("81 81 00000000 61")), [], "nothing is heard after a violation");
    assert_eq!(server.says(), b"");
}

#[test]
fn the_rfcs_examples_are_understood() {
    // 5.7
    let mut client = End::client();
    assert_eq!(client.hears(&hex("81 05 48656c6c6f")), [text("Hello")]);
    assert_eq!(End::server().hears(&hex("81 85 37fa213d 7f9f4d5158")), [text("Hello")]);
    assert_eq!(client.hears(&hex("01 03 48656c  80 02 6c6f")), [text("Hello")]);
    assert_eq!(client.hears(&hex("89 05 48656c6c6f")), [Said::Ping(b"Hello".to_vec())]);
    let mut server = End::server();
    assert_eq!(server.hears(&hex("8a 85 37fa213d 7f9f4d5158")), [Said::Pong(b"Hello".to_vec())]);
    for len in [256, 65536] {
        let mut frame = Vec::new();
        frame::write_header(&mut frame, true, false, Opcode::Binary, None, len);
        assert_eq!(to_hex(&frame), if len == 256 { "827e0100" } else { "827f0000000000010000" });
        frame.resize(frame.len() + len as usize, 7);
        assert_eq!(client.hears(&frame), [Said::Binary(vec![7; len as usize])]);
    }
}

#[test]
fn several_frames_in_one_input_are_all_understood() {
    check(
        "81 81 00000000 61  82 82 00000000 6263  89 80 00000000  8a 80 00000000  81 80 00000000",
        &[
            text("a"),
            Said::Binary(b"bc".to_vec()),
            Said::Ping(vec![]),
            Said::Pong(vec![]),
            text(""),
        ],
    );
}

#[test]
fn a_reserved_bit_is_a_violation() {
    for first in ["c1", "a1", "91", "f1", "c2", "c8", "c9", "a9", "9a"] {
        check_violation(&format!("{first} 80 00000000"), Violation::ReservedBits);
    }
}

#[test]
fn a_reserved_opcode_is_a_violation() {
    for opcode in [3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf] {
        check_violation(&format!("8{opcode:x} 80 00000000"), Violation::ReservedOpcode(opcode));
        check_violation(&format!("0{opcode:x} 80 00000000"), Violation::ReservedOpcode(opcode));
    }
}

#[test]
fn server_receives_unmasked_frame() {
    check_violation("81 01 61", Violation::NotMasked);
    check_violation("88 00", Violation::NotMasked);
}

#[test]
fn client_receives_masked_frame() {
    let mut client = End::client();
    assert_eq!(client.hears(&hex("81 81 00000000 61")), [Said::Violation(Violation::Masked)]);
    assert_eq!(to_hex(&client.says()[..6]), "88a501020304");
    assert_eq!(client.status(), Status::ShutDown);
}

#[test]
fn a_control_frame_is_short_and_whole() {
    check_violation("09 80 00000000", Violation::ControlFragmented);
    check_violation("08 80 00000000", Violation::ControlFragmented);
    check_violation("0a 80 00000000", Violation::ControlFragmented);
    check_violation("89 fe 007e 00000000", Violation::ControlTooLong);
    check_violation("88 ff", Violation::ControlTooLong);
    let longest = "61".repeat(125);
    check(&format!("89 fd 00000000 {longest}"), &[Said::Ping(vec![0x61; 125])]);
}

#[test]
fn a_length_takes_as_few_bytes_as_it_needs() {
    check_violation("82 fe 007d 00000000", Violation::LengthNotMinimal);
    check_violation("82 fe 0000 00000000", Violation::LengthNotMinimal);
    check_violation("82 ff 000000000000ffff 00000000", Violation::LengthNotMinimal);
    check_violation("82 ff 8000000000000000 00000000", Violation::LengthTooLong);
    check_violation("82 ff ffffffffffffffff 00000000", Violation::LengthTooLong);
    for (len, header) in [
        (0, "8200"),
        (125, "827d"),
        (126, "827e007e"),
        (65535, "827effff"),
        (65536, "827f0000000000010000"),
        (1 << 62, "827f4000000000000000"),
    ] {
        let mut frame = Vec::new();
        frame::write_header(&mut frame, true, false, Opcode::Binary, None, len);
        assert_eq!(to_hex(&frame), header);
    }
    let mut frame = Vec::new();
    frame::write_header(&mut frame, false, true, Opcode::Text, Some([1, 2, 3, 4]), 126);
    assert_eq!(to_hex(&frame), "41fe007e01020304");
}

#[test]
fn a_frame_beyond_the_limit_is_refused_from_its_header() {
    let too_big = |bytes| Violation::FrameTooBig { bytes, bytes_max: 70_000 };
    check_violation("82 ff 0000000000011171 00000000", too_big(70_001));
    check_violation("82 ff 7fffffffffffffff 00000000", too_big(u64::MAX >> 1));
    // And the limit itself isn't.
    check("82 ff 0000000000011170 00000000", &[]);
}

#[test]
fn a_message_beyond_the_limit_is_refused_from_the_header_that_exceeds_it() {
    let mut server = End::server();
    for _ in 0..2 {
        let mut frame = hex("02 fe c350 00000000");
        frame[0] = if server.events.is_empty() { 0x02 } else { 0x00 };
        frame.resize(frame.len() + 50_000, 0);
        server.hears(&frame);
        server.events.push(text("sent"));
    }
    assert_eq!(
        server.hears(&hex("00 81 00000000")),
        [Said::Violation(Violation::MessageTooBig { bytes_max: 100_000 })]
    );
    assert_eq!(server.says()[2..4], 1009u16.to_be_bytes());
}

#[test]
fn a_ping_is_answered_with_its_payload() {
    let mut server = End::server();
    server.hears(&hex("89 83 01010101 606362"));
    assert_eq!(to_hex(&server.says()), "8a03616263");
    let mut client = End::client();
    client.hears(&hex("89 03 616263"));
    assert_eq!(to_hex(&client.says()), "8a83 01020304 606060".replace(' ', ""));
}

#[test]
fn a_pong_that_nobody_asked_for_is_no_fault() {
    let mut server = End::server();
    assert_eq!(server.hears(&hex("8a 81 00000000 61")), [Said::Pong(b"a".to_vec())]);
    assert_eq!(server.says(), b"");
    assert_eq!(server.status(), Status::Open);
}

#[test]
fn of_many_unanswered_pings_the_last_one_is_answered() {
    let mut server = End::server();
    for i in 0..10_000u32 {
        let mut ping = hex("89 84 00000000");
        ping.extend(i.to_be_bytes());
        server.hears(&ping);
    }
    let pongs = server.says();
    assert_eq!(pongs.len(), 16 * 6);
    assert_eq!(pongs[..6], *b"\x8a\x04\0\0\0\0");
    assert_eq!(pongs[15 * 6..], *b"\x8a\x04\0\0\x27\x0f");
    // All is sent: they are counted anew, and a Pong that is on its way isn't taken back.
    for i in 0..40u8 {
        server.hears(&[0x89, 0x81, 0, 0, 0, 0, i]);
        server.connection.sent(1);
    }
    let all: Vec<u8> = server.says();
    assert!(all.ends_with(&[39]));
}

#[test]
fn text_that_is_not_utf8_is_a_violation() {
    check_violation("81 81 00000000 ff", Violation::TextNotUtf8);
    check_violation("81 82 00000000 eab0", Violation::TextNotUtf8);
    check_violation("81 83 00000000 eda080", Violation::TextNotUtf8);
    check("81 83 00000000 eab080", &[text("가")]);
    check("82 81 00000000 ff", &[Said::Binary(vec![0xff])]);
    // Also for a client, whose peer doesn't mask.
    assert_eq!(End::client().hears(&hex("81 01 ff")), [Said::Violation(Violation::TextNotUtf8)]);
}

#[test]
fn text_is_refused_at_the_first_impossible_byte() {
    let mut server = End::server();
    // A frame of 100 bytes, of which 3 came.
    assert_eq!(server.hears(&hex("81 e4 00000000 61 eab0")), []);
    assert_eq!(server.hears(&hex("80")), []);
    assert_eq!(server.hears(&hex("e0")), []);
    assert_eq!(server.hears(&hex("80")), [Said::Violation(Violation::TextNotUtf8)]);
}

#[test]
fn a_client_masks_each_frame_with_a_new_key() {
    let mut client = End::client();
    client.connection.send_text("abc").unwrap();
    client.connection.send_binary(b"abc").unwrap();
    client.connection.send_ping(b"").unwrap();
    assert_eq!(
        to_hex(&client.says()),
        "8183 01020304 606060 8283 02030405 636167 8980 03040506".replace(' ', "")
    );
}

#[test]
fn a_server_masks_nothing() {
    let mut server = End::server();
    server.connection.send_text("abc").unwrap();
    server.connection.send_binary(b"abc").unwrap();
    server.connection.send_ping(b"x").unwrap();
    assert_eq!(to_hex(&server.says()), "8103 616263 8203 616263 8901 78".replace(' ', ""));
    let mut shared = Vec::new();
    frame::server_text(&mut shared, "abc");
    assert_eq!(to_hex(&shared), "8103616263");
}

#[test]
fn a_ping_of_our_own_is_a_control_frame() {
    let mut server = End::server();
    assert!(server.connection.send_ping(&[0; 125]).is_ok());
    assert_eq!(
        server.connection.send_ping(&[0; 126]),
        Err(damso_websocket::SendError::ControlTooLong)
    );
}

#[test]
fn an_idle_connection_is_small() {
    assert!(
        size_of::<damso_websocket::Connection>() <= 160,
        "{}",
        size_of::<damso_websocket::Connection>()
    );
}
