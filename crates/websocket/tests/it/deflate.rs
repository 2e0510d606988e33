//! RFC 7692.

use damso_websocket::deflate::{Agreed, Deflater, Offer, Policy};
use damso_websocket::{
    ClientHandshake, Config, HandshakeError, Limits, Opcode, Opening, Violation, frame,
};

use crate::handshake::{answer, opening};
use crate::peer::{End, Pair, Said, config, hex, text, to_hex};

pub const TAKEOVER: Agreed = Agreed {
    server_no_context_takeover: false,
    client_no_context_takeover: false,
    server_max_window_bits: 15,
    client_max_window_bits: 15,
    level: 6,
    threshold_bytes: 0,
};

pub const NO_TAKEOVER: Agreed =
    Agreed { server_no_context_takeover: true, client_no_context_takeover: true, ..TAKEOVER };

fn client(agreed: Agreed) -> End {
    End::client_with(config(), Some(agreed))
}

#[test]
fn the_rfcs_examples_are_inflated() {
    // 7.2.3.1 to 7.2.3.6
    for (frames, expected) in [
        ("c1 07 f248cdc9c90700", "Hello"),
        ("41 03 f248cd  80 04 c9c90700", "Hello"),
        ("c1 0b 000500faff48656c6c6f00", "Hello"),
        ("c1 08 f348cdc9c9070000", "Hello"),
        ("c1 0d f248050000 00ffff cac9c90700", "Hello"),
        ("c1 01 00", ""),
    ] {
        assert_eq!(client(TAKEOVER).hears(&hex(frames)), [text(expected)], "{frames}");
        assert_eq!(client(NO_TAKEOVER).hears(&hex(frames)), [text(expected)], "{frames}");
    }
}

#[test]
fn a_message_may_refer_to_an_earlier_one_only_with_context_takeover() {
    let frames = hex("c1 07 f248cdc9c90700  c1 05 f200110000");
    assert_eq!(client(TAKEOVER).hears(&frames), [text("Hello"), text("Hello")]);
    assert_eq!(
        client(NO_TAKEOVER).hears(&frames),
        [text("Hello"), Said::Violation(Violation::NotDeflate)]
    );
}

#[test]
fn a_block_with_bfinal_ends_neither_the_message_nor_the_window() {
    // "Hello" in a final block, then a block that repeats it (f2 00 11 00), flushed.
    let frames = hex("c1 0c f348cdc9c90700 f200110000");
    assert_eq!(client(TAKEOVER).hears(&frames), [text("HelloHello")]);
    assert_eq!(client(NO_TAKEOVER).hears(&frames), [text("HelloHello")]);
    let twice = hex("c1 08 f348cdc9c9070000  c1 08 f348cdc9c9070000");
    assert_eq!(client(TAKEOVER).hears(&twice), [text("Hello"), text("Hello")]);
}

#[test]
fn a_block_with_bfinal_does_not_end_context_takeover() {
    let earlier = b"a message of some length, which a later one repeats";
    let mut frames = Vec::new();
    let mut message = |deflated: &[u8]| {
        frames.extend([0xc2, deflated.len() as u8]);
        frames.extend(deflated);
    };
    let mut deflated = Vec::new();
    Deflater::new(6, 15).message(earlier, &mut deflated);
    message(&deflated);
    // "Hello" in a final block; a reference to the first message would be to bytes that zlib has
    // dropped.
    message(&hex("f348cdc9c9070000"));
    let mut raw = flate2::Compress::new(flate2::Compression::new(9), false);
    raw.set_dictionary(&[&earlier[..], b"Hello"].concat()).unwrap();
    let mut deflated = Vec::with_capacity(100);
    raw.compress_vec(earlier, &mut deflated, flate2::FlushCompress::Sync).unwrap();
    assert!(deflated.len() < 15, "it refers back");
    message(&deflated[..deflated.len() - 4]);
    let [earlier, hello] = [&earlier[..], b"Hello"].map(|bytes| Said::Binary(bytes.to_vec()));
    assert_eq!(client(TAKEOVER).hears(&frames), [earlier.clone(), hello, earlier]);
}

#[test]
fn blocks_with_bfinal_and_nothing_in_them_are_not_taken_for_ever() {
    let message = |blocks: usize| {
        let mut frame = Vec::new();
        frame::write_header(&mut frame, true, true, Opcode::Binary, None, blocks as u64 * 2 + 1);
        // An empty final block of two bytes.
        frame.extend(hex("0300").repeat(blocks));
        frame.push(0x00);
        frame
    };
    for agreed in [TAKEOVER, NO_TAKEOVER] {
        assert_eq!(client(agreed).hears(&message(16)), [Said::Binary(vec![])]);
        assert_eq!(client(agreed).hears(&message(1000)), [Said::Violation(Violation::NotDeflate)]);
    }
}

#[test]
fn context_takeover_reaches_back_over_many_messages() {
    let mut server = End::server_with(config(), Some(TAKEOVER));
    let mut client = client(TAKEOVER);
    for i in 0..300u32 {
        let message: Vec<u8> = (0..700).map(|j| (i * j).to_le_bytes()[1]).collect();
        server.connection.send_binary(&message).unwrap();
        let mut frames = server.says();
        if i % 50 == 49 {
            // A message with BFINAL in between; the compressor doesn't know of it, and reaches over
            // it.
            frames.splice(0..0, hex("c2 03 030000"));
            client.hears(&frames[..5]);
            frames.drain(..5);
        }
        assert_eq!(client.hears(&frames), [Said::Binary(message)]);
    }
}

#[test]
fn which_fault_is_found_does_not_depend_on_the_pieces() {
    // Bad UTF-8, then bad DEFLATE data, found by fuzzing.
    let frames = hex("c1 0d f248dc055da3ff00c9c90000ff");
    for piece in [1, 2, frames.len()] {
        let mut client = client(TAKEOVER);
        let events: Vec<Said> =
            frames.chunks(piece).flat_map(|piece| client.hears(piece)).collect();
        assert_eq!(events, [Said::Violation(Violation::TextNotUtf8)], "{piece}");
    }
}

#[test]
fn rsv1_stands_on_the_first_frame_of_a_data_message_only() {
    let refused = [Said::Violation(Violation::ReservedBits)];
    assert_eq!(End::client().hears(&hex("c1 07 f248cdc9c90700")), refused);
    assert_eq!(client(TAKEOVER).hears(&hex("41 03 f248cd  c0 04 c9c90700")), refused);
    assert_eq!(client(TAKEOVER).hears(&hex("01 01 61  c0 01 62")), refused);
    for control in ["c8 00", "c9 00", "ca 00"] {
        assert_eq!(client(TAKEOVER).hears(&hex(control)), refused);
    }
    for other in ["a1 00", "91 00", "e1 00"] {
        assert_eq!(client(TAKEOVER).hears(&hex(other)), refused);
    }
}

#[test]
fn an_uncompressed_message_is_welcome_between_compressed_ones() {
    assert_eq!(
        client(TAKEOVER)
            .hears(&hex("c1 07 f248cdc9c90700  81 01 61  01 01 62  80 01 63  c1 05 f200110000")),
        [text("Hello"), text("a"), text("bc"), text("Hello")]
    );
}

#[test]
fn control_frames_come_between_compressed_fragments() {
    assert_eq!(
        client(TAKEOVER).hears(&hex("41 03 f248cd  89 01 78  80 04 c9c90700")),
        [Said::Ping(b"x".to_vec()), text("Hello")]
    );
}

#[test]
fn what_is_not_deflate_is_a_violation() {
    // A block of the reserved type; a stored block whose length doesn't match its complement; a
    // reference before the start.
    for frame in ["c1 02 ffff", "c1 06 00 0500 0000 00", "c1 05 f200110000"] {
        let mut client = client(NO_TAKEOVER);
        assert_eq!(client.hears(&hex(frame)), [Said::Violation(Violation::NotDeflate)], "{frame}");
        let sent = client.connection.close_status().unwrap().sent.as_ref();
        assert_eq!(sent.unwrap().code, Some(1007));
    }
}

#[test]
fn compressed_text_is_refused_at_the_first_impossible_byte() {
    let mut deflated = Vec::new();
    let mut state = 1u32;
    let mut noise: Vec<u8> = (0..20_000)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8 & 0x7f
        })
        .collect();
    noise[5000] = 0xff;
    Deflater::new(6, 15).message(&noise, &mut deflated);
    let mut frame = Vec::new();
    frame::write_header(&mut frame, true, true, Opcode::Text, None, deflated.len() as u64);
    frame.extend(&deflated);
    let mut client = client(TAKEOVER);
    // Half of the message is enough to know.
    assert_eq!(client.hears(&frame[..frame.len() / 2]), [Said::Violation(Violation::TextNotUtf8)]);
    let mut client = self::client(TAKEOVER);
    frame[0] = 0xc2;
    assert_eq!(client.hears(&frame), [Said::Binary(noise)]);
}

#[test]
fn a_character_may_be_cut_by_compressed_fragments_but_not_by_the_messages_end() {
    let mut deflated = Vec::new();
    Deflater::new(0, 15).message("가나".as_bytes(), &mut deflated);
    for cut in 0..=deflated.len() {
        let (first, second) = deflated.split_at(cut);
        let mut frames = vec![0x41, first.len() as u8];
        frames.extend(first);
        frames.extend([0x80, second.len() as u8]);
        frames.extend(second);
        assert_eq!(client(TAKEOVER).hears(&frames), [text("가나")]);
    }
    let mut deflated = Vec::new();
    Deflater::new(6, 15).message(&"가나".as_bytes()[..5], &mut deflated);
    let mut frame = vec![0xc1, deflated.len() as u8];
    frame.extend(&deflated);
    assert_eq!(client(TAKEOVER).hears(&frame), [Said::Violation(Violation::TextNotUtf8)]);
}

/// A message of `len` zeros.
fn zeros(len: usize) -> Vec<u8> {
    let mut deflated = Vec::new();
    Deflater::new(9, 15).message(&vec![0; len], &mut deflated);
    let mut frame = Vec::new();
    frame::write_header(&mut frame, true, true, Opcode::Binary, None, deflated.len() as u64);
    frame.extend(&deflated);
    frame
}

#[test]
fn a_bomb_is_refused_when_it_exceeds_the_limit() {
    let too_big = Violation::MessageTooBig { bytes_max: 100_000 };
    for agreed in [TAKEOVER, NO_TAKEOVER] {
        assert_eq!(client(agreed).hears(&zeros(100_000)), [Said::Binary(vec![0; 100_000])]);
        for bomb in [100_001, 10_000_000] {
            let frame = zeros(bomb);
            let mut client = client(agreed);
            let events: Vec<Said> =
                frame.chunks(1000).flat_map(|piece| client.hears(piece)).collect();
            assert_eq!(events, [Said::Violation(too_big)]);
            let sent = client.connection.close_status().unwrap().sent.as_ref();
            assert_eq!(sent.unwrap().code, Some(1009));
        }
    }
}

#[test]
fn fragments_of_a_bomb_are_counted_together() {
    // 60,000 zeros fit the short header; the tail that a message leaves out is needed between two.
    let one = &zeros(60_000)[2..];
    let mut frames = vec![0x42, one.len() as u8 + 4];
    frames.extend(one);
    frames.extend(hex("0000ffff"));
    frames.extend([0x80, one.len() as u8]);
    frames.extend(one);
    let too_big = Violation::MessageTooBig { bytes_max: 100_000 };
    assert_eq!(client(TAKEOVER).hears(&frames), [Said::Violation(too_big)]);
}

#[test]
fn every_agreement_carries_messages_both_ways() {
    let long = "담소 나누다, damso. ".repeat(2000);
    for server_bits in [9, 10, 12, 15] {
        for client_bits in [8, 9, 11, 15] {
            for (server_no_context_takeover, client_no_context_takeover) in
                [(false, false), (false, true), (true, false), (true, true)]
            {
                let agreed = Agreed {
                    server_no_context_takeover,
                    client_no_context_takeover,
                    server_max_window_bits: server_bits,
                    client_max_window_bits: client_bits,
                    level: 6,
                    threshold_bytes: 0,
                };
                let mut pair = Pair::new(config(), Some(agreed));
                let messages = ["", "a", "", &long, "a", &long, "", &long[..999]];
                for message in messages {
                    pair.server.connection.send_text(message).unwrap();
                    pair.client.connection.send_text(message).unwrap();
                    pair.client.connection.send_binary(message.as_bytes()).unwrap();
                    pair.drive();
                }
                let expected: Vec<Said> = messages.iter().map(|message| text(message)).collect();
                assert_eq!(pair.client.events, expected, "{agreed:?}");
                let expected: Vec<Said> = messages
                    .iter()
                    .flat_map(|message| [text(message), Said::Binary(message.as_bytes().to_vec())])
                    .collect();
                assert_eq!(pair.server.events, expected, "{agreed:?}");
            }
        }
    }
}

#[test]
fn a_window_is_never_larger_than_agreed() {
    // Repeats itself at a distance of 1,000 bytes: out of sight for a window of 9 bits, which is
    // 512.
    let mut state = 7u32;
    let noise: Vec<u8> = (0..1000)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect();
    let message = noise.repeat(4);
    let mut lengths = Vec::new();
    for bits in [9, 15] {
        let agreed =
            Agreed { server_max_window_bits: bits, client_max_window_bits: bits, ..TAKEOVER };
        let mut pair = Pair::new(config(), Some(agreed));
        pair.server.connection.send_binary(&message).unwrap();
        pair.client.connection.send_binary(&message).unwrap();
        lengths.push(pair.server.connection.output().len());
        pair.drive();
        assert_eq!(pair.client.events, [Said::Binary(message.clone())]);
        assert_eq!(pair.server.events, [Said::Binary(message.clone())]);
    }
    assert!(lengths[0] > 4000 && lengths[1] < 1100, "{lengths:?}");
}

#[test]
fn control_frames_of_ours_are_never_compressed() {
    let mut server = End::server_with(config(), Some(TAKEOVER));
    server.connection.send_ping(&[b'a'; 125]).unwrap();
    assert_eq!(server.says()[..2], hex("89 7d"));
    server.hears(&hex(&format!("89 fd 00000000 {}", "61".repeat(125))));
    assert_eq!(server.says()[..2], hex("8a 7d"));
    server.connection.close(1000, &"a".repeat(123), server.now);
    assert_eq!(server.says()[..2], hex("88 7d"));
}

#[test]
fn context_takeover_makes_repetition_short() {
    let message =
        "the same message, with little in it that repeats: 1234567890 abcdefghijklmnopqrstuvwxyz";
    let lengths = |agreed| {
        let mut server = End::server_with(config(), Some(agreed));
        [(); 2].map(|()| {
            server.connection.send_text(message).unwrap();
            server.says().len()
        })
    };
    let [first, second] = lengths(TAKEOVER);
    assert!(second < first / 4, "{first} {second}");
    let [first, second] = lengths(NO_TAKEOVER);
    assert_eq!(first, second);
}

#[test]
fn what_compression_makes_longer_goes_uncompressed() {
    let mut server = End::server_with(config(), Some(NO_TAKEOVER));
    server.connection.send_text("ab").unwrap();
    assert_eq!(to_hex(&server.says()), "81026162");
    let agreed = Agreed { threshold_bytes: 100, ..TAKEOVER };
    let mut server = End::server_with(config(), Some(agreed));
    server.connection.send_text(&"a".repeat(99)).unwrap();
    assert_eq!(server.says()[..2], [0x81, 99]);
    server.connection.send_text(&"a".repeat(100)).unwrap();
    assert_eq!(server.says()[0], 0xc1);
}

#[test]
fn a_client_with_a_window_of_eight_bits_sends_uncompressed() {
    let agreed = Agreed { client_max_window_bits: 8, ..TAKEOVER };
    let mut client = client(agreed);
    client.connection.send_text(&"a".repeat(100)).unwrap();
    assert_eq!(client.says()[0], 0x81);
}

#[test]
fn shared_frames_do_not_refer_to_each_other() {
    let mut deflater = Deflater::new(6, 15);
    let message = "shared by all who agreed to server_no_context_takeover, shared by all";
    let mut frames = Vec::new();
    frame::server_text_deflated(&mut frames, message, &mut deflater);
    let one = frames.len();
    frame::server_text_deflated(&mut frames, message, &mut deflater);
    assert_eq!(frames[..one], frames[one..]);
    assert_eq!(frames[0], 0xc1);
    assert_eq!(client(NO_TAKEOVER).hears(&frames), [text(message), text(message)]);
    assert_eq!(client(TAKEOVER).hears(&frames[one..]), [text(message)]);
    let mut short = Vec::new();
    frame::server_text_deflated(&mut short, "x", &mut deflater);
    assert_eq!(short, b"\x81\x01x");
    // Longer than two and four bytes of length.
    let long: String = (0..90_000u32)
        .map(|i| char::from(b'!' + (i.wrapping_mul(40_503) >> 7) as u8 % 90))
        .collect();
    let mut frames = Vec::new();
    frame::server_text_deflated(&mut frames, &long, &mut deflater);
    let config =
        Config { limits: Limits { frame_bytes: 1 << 20, message_bytes: 1 << 20 }, ..config() };
    assert_eq!(End::client_with(config, Some(NO_TAKEOVER)).hears(&frames), [text(&long)]);
}

#[track_caller]
fn answers(policy: &Policy, offer: &str, expected: Option<&str>) {
    let opening: Opening = opening(&[("Sec-WebSocket-Extensions", offer)]).expect("a valid offer");
    let agreed = opening.deflate(policy);
    let headers = opening.accept_headers(None, agreed.as_ref());
    let answer = headers
        .iter()
        .find(|(name, _)| *name == "Sec-WebSocket-Extensions")
        .map(|(_, value)| value.as_str());
    assert_eq!(answer, expected, "{offer}");
}

#[test]
fn a_server_answers_what_was_offered() {
    let echo = Policy {
        server_no_context_takeover: false,
        client_no_context_takeover: false,
        server_max_window_bits_min: 9,
        ..Policy::default()
    };
    for (offer, answer) in [
        ("permessage-deflate", Some("permessage-deflate")),
        ("Permessage-Deflate", Some("permessage-deflate")),
        ("foo, permessage-deflate; client_max_window_bits", Some("permessage-deflate")),
        (
            "permessage-deflate; server_no_context_takeover",
            Some("permessage-deflate; server_no_context_takeover"),
        ),
        (
            "permessage-deflate; client_no_context_takeover",
            Some("permessage-deflate; client_no_context_takeover"),
        ),
        (
            "permessage-deflate; server_max_window_bits=10",
            Some("permessage-deflate; server_max_window_bits=10"),
        ),
        (
            "permessage-deflate; server_max_window_bits=\"10\"",
            Some("permessage-deflate; server_max_window_bits=10"),
        ),
        ("permessage-deflate; server_max_window_bits=15", Some("permessage-deflate")),
        (
            "permessage-deflate; client_max_window_bits=9",
            Some("permessage-deflate; client_max_window_bits=9"),
        ),
        ("permessage-deflate; client_max_window_bits=15", Some("permessage-deflate")),
        // Declined: the next offer counts, or none.
        ("permessage-deflate; server_max_window_bits=8", None),
        (
            "permessage-deflate; server_max_window_bits=8, permessage-deflate",
            Some("permessage-deflate"),
        ),
        ("permessage-deflate; server_max_window_bits", None),
        ("permessage-deflate; server_max_window_bits=7", None),
        ("permessage-deflate; server_max_window_bits=16", None),
        ("permessage-deflate; server_max_window_bits=09", None),
        ("permessage-deflate; server_max_window_bits=x", None),
        ("permessage-deflate; client_max_window_bits=16", None),
        ("permessage-deflate; client_max_window_bits=+9", None),
        ("permessage-deflate; server_no_context_takeover=1", None),
        ("permessage-deflate; client_no_context_takeover=true", None),
        ("permessage-deflate; unknown", None),
        ("permessage-deflate; server_no_context_takeover; server_no_context_takeover", None),
        ("permessage-deflate; client_max_window_bits; client_max_window_bits=10", None),
        ("x-webkit-deflate-frame", None),
        ("foo", None),
    ] {
        answers(&echo, offer, answer);
    }
}

#[test]
fn the_chat_answers_no_context_takeover_and_declines_small_windows() {
    let both = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    answers(&Policy::default(), "permessage-deflate; client_max_window_bits", Some(both));
    answers(&Policy::default(), "permessage-deflate", Some(both));
    answers(&Policy::default(), "permessage-deflate; server_max_window_bits=14", None);
    answers(
        &Policy::default(),
        "permessage-deflate; server_max_window_bits=10, permessage-deflate",
        Some(both),
    );
}

#[test]
fn a_server_asks_for_a_window_only_if_the_client_lets_it() {
    let policy = Policy {
        client_max_window_bits: 11,
        client_no_context_takeover: false,
        ..Policy::default()
    };
    let answer = |bits| {
        Some(format!(
            "permessage-deflate; server_no_context_takeover; client_max_window_bits={bits}"
        ))
    };
    answers(&policy, "permessage-deflate; client_max_window_bits", answer(11).as_deref());
    answers(&policy, "permessage-deflate; client_max_window_bits=15", answer(11).as_deref());
    answers(&policy, "permessage-deflate; client_max_window_bits=9", answer(9).as_deref());
    answers(&policy, "permessage-deflate", Some("permessage-deflate; server_no_context_takeover"));
}

/// What a client makes of a server's answer.
fn client_agrees(offer: Option<Offer>, extensions: &str) -> Result<Option<Agreed>, HandshakeError> {
    let handshake =
        ClientHandshake::new("localhost", "/", *b"the sample nonce", &[], offer, None).unwrap();
    let answer = answer(&[("Sec-WebSocket-Extensions", extensions)]);
    handshake
        .receive(answer.as_bytes())
        .map(|established| established.expect("a whole answer").0.deflate)
}

#[test]
fn a_client_takes_an_answer_to_its_offer_only() {
    let fails = Err(HandshakeError::Extension);
    let agreed = Agreed { threshold_bytes: 64, ..TAKEOVER };
    let offer = || Some(Offer::default());
    assert_eq!(client_agrees(offer(), "permessage-deflate"), Ok(Some(agreed)));
    assert_eq!(client_agrees(offer(), ""), Ok(None));
    assert_eq!(client_agrees(None, "permessage-deflate"), fails);
    assert_eq!(client_agrees(None, "foo"), fails);
    assert_eq!(client_agrees(offer(), "foo"), fails);
    assert_eq!(client_agrees(offer(), "permessage-deflate, permessage-deflate"), fails);
    assert_eq!(client_agrees(offer(), "permessage-deflate; foo"), fails);
    assert_eq!(client_agrees(offer(), "permessage-deflate; client_no_context_takeover=1"), fails);
    assert_eq!(client_agrees(offer(), "permessage-deflate; client_max_window_bits"), fails);
    assert_eq!(client_agrees(offer(), "permessage-deflate; client_max_window_bits=16"), fails);
    assert_eq!(client_agrees(offer(), "permessage-deflate; server_max_window_bits=7"), fails);
    assert_eq!(
        client_agrees(
            offer(),
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
             server_max_window_bits=10; client_max_window_bits=8"
        ),
        Ok(Some(Agreed {
            server_no_context_takeover: true,
            client_no_context_takeover: true,
            server_max_window_bits: 10,
            client_max_window_bits: 8,
            ..agreed
        }))
    );
}

#[test]
fn a_client_fails_if_its_conditions_are_not_met() {
    let fails = Err(HandshakeError::Extension);
    let offer = Offer { server_no_context_takeover: true, ..Offer::default() };
    assert_eq!(client_agrees(Some(offer), "permessage-deflate"), fails);
    let offer = || Some(Offer { server_max_window_bits: Some(10), ..Offer::default() });
    assert_eq!(client_agrees(offer(), "permessage-deflate"), fails);
    assert_eq!(client_agrees(offer(), "permessage-deflate; server_max_window_bits=11"), fails);
    assert!(client_agrees(offer(), "permessage-deflate; server_max_window_bits=9").is_ok());
    let offer = Offer { client_max_window_bits: false, ..Offer::default() };
    assert_eq!(client_agrees(Some(offer), "permessage-deflate; client_max_window_bits=10"), fails);
}

#[test]
fn an_offer_says_what_the_client_wants() {
    let line = |offer: Offer| {
        let handshake =
            ClientHandshake::new("localhost", "/", [0; 16], &[], Some(offer), None).unwrap();
        let request = String::from_utf8(handshake.request()).unwrap();
        let line = request
            .lines()
            .find_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "))
            .unwrap();
        line.to_owned()
    };
    assert_eq!(line(Offer::default()), "permessage-deflate; client_max_window_bits");
    let offer = Offer {
        server_no_context_takeover: true,
        client_no_context_takeover: true,
        server_max_window_bits: Some(12),
        client_max_window_bits: false,
        ..Offer::default()
    };
    assert_eq!(
        line(offer),
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12"
    );
}

#[test]
fn every_offer_of_a_client_of_ours_is_understood_by_a_server_of_ours() {
    for server_no_context_takeover in [false, true] {
        for server_max_window_bits in [None, Some(9), Some(15)] {
            for client_max_window_bits in [false, true] {
                let offer = Offer {
                    server_no_context_takeover,
                    server_max_window_bits,
                    client_max_window_bits,
                    ..Offer::default()
                };
                let client =
                    ClientHandshake::new("localhost", "/", [7; 16], &[], Some(offer.clone()), None)
                        .unwrap();
                let policy = Policy {
                    server_no_context_takeover: false,
                    server_max_window_bits_min: 9,
                    client_max_window_bits: 10,
                    ..Policy::default()
                };
                let (request, _) =
                    damso_websocket::Request::parse(&client.request(), &Default::default())
                        .unwrap()
                        .unwrap();
                let opening = Opening::check(&request).unwrap();
                let agreed = opening.deflate(&policy);
                let (established, _) =
                    client.receive(&opening.accept(None, agreed.as_ref())).unwrap().unwrap();
                assert_eq!(established.deflate, agreed, "{offer:?}");
            }
        }
    }
}
