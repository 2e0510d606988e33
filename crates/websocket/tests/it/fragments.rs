//! RFC 6455, 5.4.

use damso_websocket::{Config, Limits, Violation};

use crate::peer::{End, Said, hex, text};

#[track_caller]
fn check(input: &str, expected: &[Said]) {
    assert_eq!(End::server().hears(&hex(input)), expected, "{input}");
}

#[test]
fn fragments_make_one_message() {
    check("01 81 00000000 61  00 81 00000000 62  80 81 00000000 63", &[text("abc")]);
    check("02 81 00000000 61  00 80 00000000  80 80 00000000", &[Said::Binary(b"a".to_vec())]);
    check("01 80 00000000  80 80 00000000", &[text("")]);
}

#[test]
fn control_frames_come_between_fragments() {
    check(
        "01 81 00000000 61  89 81 00000000 78  8a 80 00000000  80 81 00000000 62",
        &[Said::Ping(b"x".to_vec()), Said::Pong(vec![]), text("ab")],
    );
    let mut server = End::server();
    assert_eq!(
        server.hears(&hex("01 81 00000000 61  88 82 00000000 03e8  80 81 00000000 62")),
        [Said::Close(Some(1000), String::new())]
    );
    assert_eq!(server.says(), hex("88 02 03e8"));
}

#[test]
fn a_continuation_without_a_message_is_a_violation() {
    check("80 81 00000000 61", &[Said::Violation(Violation::NothingToContinue)]);
    check("00 81 00000000 61", &[Said::Violation(Violation::NothingToContinue)]);
    check(
        "81 81 00000000 61  80 81 00000000 61",
        &[text("a"), Said::Violation(Violation::NothingToContinue)],
    );
}

#[test]
fn a_message_within_a_message_is_a_violation() {
    check("01 81 00000000 61  81 81 00000000 62", &[Said::Violation(Violation::MessageUnfinished)]);
    check("01 80 00000000  02 80 00000000", &[Said::Violation(Violation::MessageUnfinished)]);
}

#[test]
fn a_character_may_be_cut_by_fragments() {
    check("01 81 00000000 ea  00 81 00000000 b0  80 81 00000000 80", &[text("가")]);
    check("01 81 00000000 ea  00 80 00000000  80 82 00000000 b080", &[text("가")]);
    check("01 81 00000000 ea  80 81 00000000 b0", &[Said::Violation(Violation::TextNotUtf8)]);
    check("01 81 00000000 ea  00 81 00000000 61", &[Said::Violation(Violation::TextNotUtf8)]);
    // Fails with the fragment, not at the message's end.
    check("01 84 00000000 f0909080  00 81 00000000 ff", &[Said::Violation(Violation::TextNotUtf8)]);
}

#[test]
fn sixty_five_thousand_fragments_are_one_message() {
    let config =
        Config { limits: Limits { frame_bytes: 64, message_bytes: 4 << 20 }, ..Config::default() };
    let mut server = End::server_with(config, None);
    let mut bytes = Vec::new();
    for i in 0..65_536 {
        bytes.push(if i == 0 { 0x01 } else { 0x00 } | if i == 65_535 { 0x80 } else { 0x00 });
        bytes.extend(hex("c0 00000000"));
        bytes.extend([b'a'; 64]);
    }
    assert_eq!(server.hears(&bytes), [text(&"a".repeat(4 << 20))]);
}
