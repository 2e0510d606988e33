//! What holds for all bytes.

use damso_websocket::deflate::{Agreed, Deflater};
use damso_websocket::{ClientHandshake, HeadLimits, Opcode, Opening, Request, Status, frame, mask};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::deflate::{NO_TAKEOVER, TAKEOVER};
use crate::peer::{End, Pair, Said, config};

/// A piece of a conversation, as a client's bytes.
#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Binary(Vec<u8>),
    /// With a control frame behind each fragment.
    Fragments(String, Vec<Index>),
    Compressed(String),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(u16),
    Noise(Vec<u8>),
}

fn piece() -> impl Strategy<Value = Piece> {
    let bytes = |max| prop::collection::vec(any::<u8>(), 0..max);
    prop_oneof![
        4 => "\\PC{0,60}".prop_map(Piece::Text),
        2 => bytes(300).prop_map(Piece::Binary),
        4 => ("\\PC{0,60}", prop::collection::vec(any::<Index>(), 0..4)).prop_map(|(text, cuts)| Piece::Fragments(text, cuts)),
        4 => "(ab|\\PC){0,60}".prop_map(Piece::Compressed),
        1 => bytes(126).prop_map(Piece::Ping),
        1 => bytes(126).prop_map(Piece::Pong),
        1 => (990u16..1020).prop_map(Piece::Close),
        1 => bytes(12).prop_map(Piece::Noise),
    ]
}

fn write(
    out: &mut Vec<u8>,
    fin: bool,
    rsv1: bool,
    opcode: Opcode,
    key: Option<[u8; 4]>,
    payload: &[u8],
) {
    frame::write_header(out, fin, rsv1, opcode, key, payload.len() as u64);
    let start = out.len();
    out.extend_from_slice(payload);
    if let Some(key) = key {
        mask::apply(&mut out[start..], key);
    }
}

fn bytes(pieces: &[Piece], key: Option<[u8; 4]>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut deflater = Deflater::new(6, 15);
    for piece in pieces {
        match piece {
            Piece::Text(text) => write(&mut out, true, false, Opcode::Text, key, text.as_bytes()),
            Piece::Binary(bytes) => write(&mut out, true, false, Opcode::Binary, key, bytes),
            Piece::Fragments(text, cuts) => {
                let mut cuts: Vec<usize> =
                    cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
                cuts.sort_unstable();
                let mut start = 0;
                let mut opcode = Opcode::Text;
                for cut in cuts {
                    write(&mut out, false, false, opcode, key, &text.as_bytes()[start..cut]);
                    write(&mut out, true, false, Opcode::Ping, key, b"between");
                    (start, opcode) = (cut, Opcode::Continuation);
                }
                write(&mut out, true, false, opcode, key, &text.as_bytes()[start..]);
            }
            Piece::Compressed(text) => {
                let mut deflated = Vec::new();
                deflater.message(text.as_bytes(), &mut deflated);
                let (first, second) = deflated.split_at(deflated.len() / 2);
                write(&mut out, false, true, Opcode::Text, key, first);
                write(&mut out, true, false, Opcode::Continuation, key, second);
            }
            Piece::Ping(bytes) => write(&mut out, true, false, Opcode::Ping, key, bytes),
            Piece::Pong(bytes) => write(&mut out, true, false, Opcode::Pong, key, bytes),
            Piece::Close(code) => {
                write(&mut out, true, false, Opcode::Close, key, &code.to_be_bytes())
            }
            Piece::Noise(bytes) => out.extend_from_slice(bytes),
        }
    }
    out
}

/// Everything that can be seen of a connection that heard `bytes` in pieces.
fn observe(mut end: End, bytes: &[u8], cuts: &[usize]) -> (Vec<Said>, Vec<u8>, Status) {
    let mut start = 0;
    for &cut in cuts.iter().chain([&bytes.len()]) {
        end.hears(&bytes[start..cut]);
        start = cut;
    }
    let output = end.says();
    (end.events.clone(), output, end.status())
}

fn end(is_client: bool, agreed: Option<Agreed>) -> End {
    if is_client { End::client_with(config(), agreed) } else { End::server_with(config(), agreed) }
}

fn agreement() -> impl Strategy<Value = Option<Agreed>> {
    prop_oneof![Just(None), Just(Some(TAKEOVER)), Just(Some(NO_TAKEOVER))]
}

proptest! {
    #[test]
    fn any_cut_of_the_input_gives_the_same_events(
        pieces in prop::collection::vec(piece(), 0..6),
        agreed in agreement(),
        cuts in prop::collection::vec(any::<Index>(), 0..10),
        key in any::<[u8; 4]>(),
    ) {
        for is_client in [false, true] {
            let bytes = bytes(&pieces, (!is_client).then_some(key));
            let whole = observe(end(is_client, agreed), &bytes, &[]);
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.sort_unstable();
            prop_assert_eq!(&observe(end(is_client, agreed), &bytes, &cuts), &whole);
            let every_byte: Vec<usize> = (1..bytes.len()).collect();
            prop_assert_eq!(&observe(end(is_client, agreed), &bytes, &every_byte), &whole);
        }
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(0x81), Just(0x80), Just(0x01), Just(0xc1), Just(0)], 0..200),
        agreed in agreement(),
    ) {
        for is_client in [false, true] {
            let (events, output, status) = observe(end(is_client, agreed), &bytes, &[]);
            // A violation or a Close is the last event, and nothing comes after their Close frame.
            let last = events.iter().position(|said| matches!(said, Said::Violation(_) | Said::Close(..)));
            prop_assert_eq!(last.is_some(), status != Status::Open);
            prop_assert!(last.is_none_or(|last| last + 1 == events.len()));
            prop_assert!(output.len() <= bytes.len() + 140);
        }
    }

    #[test]
    fn what_one_end_sends_the_other_hears(
        pieces in prop::collection::vec(piece(), 0..8),
        agreed in agreement(),
        from_server in any::<bool>(),
    ) {
        let mut pair = Pair::new(config(), agreed);
        let mut expected = Vec::new();
        for piece in &pieces {
            let sender = if from_server { &mut pair.server } else { &mut pair.client };
            match piece {
                Piece::Text(text) | Piece::Compressed(text) => {
                    sender.connection.send_text(text).unwrap();
                    expected.push(Said::Text(text.clone()));
                }
                Piece::Binary(bytes) => {
                    sender.connection.send_binary(bytes).unwrap();
                    expected.push(Said::Binary(bytes.clone()));
                }
                Piece::Ping(bytes) => {
                    sender.connection.send_ping(bytes).unwrap();
                    expected.push(Said::Ping(bytes.clone()));
                }
                _ => pair.drive(),
            }
        }
        pair.drive();
        let receiver = if from_server { pair.client } else { pair.server };
        prop_assert_eq!(receiver.events, expected);
    }

    #[test]
    fn fragments_are_heard_as_the_message_they_make(
        pieces in prop::collection::vec(piece(), 0..8),
        key in any::<[u8; 4]>(),
    ) {
        let pieces: Vec<Piece> =
            pieces.into_iter().filter(|piece| !matches!(piece, Piece::Noise(_) | Piece::Close(_))).collect();
        let mut expected = Vec::new();
        for piece in &pieces {
            match piece {
                Piece::Text(text) | Piece::Compressed(text) => expected.push(Said::Text(text.clone())),
                Piece::Binary(bytes) => expected.push(Said::Binary(bytes.clone())),
                Piece::Ping(bytes) => expected.push(Said::Ping(bytes.clone())),
                Piece::Pong(bytes) => expected.push(Said::Pong(bytes.clone())),
                Piece::Fragments(text, cuts) => {
                    expected.extend(cuts.iter().map(|_| Said::Ping(b"between".to_vec())));
                    expected.push(Said::Text(text.clone()));
                }
                Piece::Noise(_) | Piece::Close(_) => {}
            }
        }
        let mut server = End::server_with(config(), Some(TAKEOVER));
        prop_assert_eq!(server.hears(&bytes(&pieces, Some(key))), expected);
    }

    #[test]
    fn arbitrary_heads_do_no_harm(
        lines in prop::collection::vec("[ -~\\t]{0,30}|(Upgrade|Connection|Host|Sec-WebSocket-[A-Za-z]{3,10}): [ -~]{0,20}", 0..8),
        noise in prop::collection::vec(any::<u8>(), 0..10),
        cut in any::<Index>(),
    ) {
        let mut head = lines.join("\r\n").into_bytes();
        head.extend(b"\r\n\r\n");
        let at = cut.index(head.len());
        head.splice(at..at, noise);
        for head in [&head, &[b"GET / HTTP/1.1\r\n", head.as_slice()].concat()] {
            if let Ok(Some((request, consumed))) = Request::parse(head, &HeadLimits::default()) {
                prop_assert!(consumed <= head.len());
                let _ = request.path();
                let _ = Opening::check(&request);
            }
        }
        let client = ClientHandshake::new("a", "/", [0; 16], &[], None, None).unwrap();
        let _ = client.receive(&[b"HTTP/1.1 101 \r\n", head.as_slice()].concat());
    }
}
