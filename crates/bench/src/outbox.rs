//! What a publisher writes: its messages, framed and masked once and numbered each time.

use crate::nats;
use crate::text::{MARKER_BYTES, Text};
use crate::wire;

const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// What a publisher has to write.
pub struct Outbox {
    /// Its message 0, framed and masked.
    frame: Vec<u8>,
    /// Where the frame's payload begins, and in it the counter, wherever it stands.
    payload_at: usize,
    counters_at: Vec<usize>,
    /// Where a number of its own stands, for an answer.
    id_at: Option<usize>,
    pub bytes: Vec<u8>,
    pub written: usize,
    /// Messages to send next.
    pub due: usize,
}

impl Outbox {
    /// `room`: of damso.v1; without one the text is all.
    pub fn new(text: &Text, publisher: u8, room: Option<&String>) -> Self {
        let said = text.first(publisher);
        let (mut payload, mut counters_at, mut id_at) = (Vec::new(), Vec::new(), None);
        if let Some(room) = room {
            payload.extend_from_slice(br#"{"t":"send","id":"#);
            id_at = Some(payload.len());
            payload.extend_from_slice(ID_FIRST.to_string().as_bytes());
            payload.extend_from_slice(format!(r#","room":"{room}","nonce":""#).as_bytes());
            // What tells a message from all others tells its nonce from them too.
            counters_at.push(payload.len() + Text::counter(0).0 - 1);
            let marker = said[1..MARKER_BYTES - 1].iter();
            payload.extend(marker.map(|&byte| if byte == b'.' { b'-' } else { byte }));
            payload.extend_from_slice(br#"","text":""#);
        }
        counters_at.push(payload.len() + Text::counter(0).0);
        payload.extend_from_slice(&said);
        if room.is_some() {
            payload.extend_from_slice(br#""}"#);
        }
        Self::of(wire::TEXT, &payload, counters_at, id_at)
    }

    /// To a server that speaks NATS's protocol.
    pub fn nats(text: &Text, publisher: u8) -> Self {
        let said = text.first(publisher);
        let (before, after, opcode) = nats::publish(said.len());
        let counters_at = vec![before.len() + Text::counter(0).0];
        Self::of(opcode, &[before.as_bytes(), &said, after.as_bytes()].concat(), counters_at, None)
    }

    fn of(opcode: u8, payload: &[u8], counters_at: Vec<usize>, id_at: Option<usize>) -> Self {
        let mut frame = Vec::new();
        wire::put_masked(&mut frame, opcode, payload, MASK);
        let payload_at = frame.len() - payload.len();
        Self { frame, payload_at, counters_at, id_at, bytes: Vec::new(), written: 0, due: 0 }
    }

    pub fn push(&mut self, counter: u64) {
        let begin = self.bytes.len() + self.payload_at;
        self.bytes.extend_from_slice(&self.frame);
        let payload = &mut self.bytes[begin..];
        let (_, digits) = Text::counter(counter);
        for &at in &self.counters_at {
            put(payload, at, &digits);
        }
        if let Some(at) = self.id_at {
            put(payload, at, (ID_FIRST + counter).to_string().as_bytes());
        }
    }
}

/// So that all numbers of requests have as many digits.
const ID_FIRST: u64 = 1_000_000_000_000;

/// Puts digits at a place of a masked payload.
fn put(payload: &mut [u8], at: usize, digits: &[u8]) {
    for (place, digit) in digits.iter().enumerate() {
        payload[at + place] = digit ^ MASK[(at + place) % 4];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_carries_its_counter_under_the_mask() {
        let text = Text::new(5, 64);
        for room in [None, Some("r12".to_owned())] {
            let mut outbox = Outbox::new(&text, 3, room.as_ref());
            for counter in [0, 1, 0xABCDE] {
                outbox.bytes.clear();
                outbox.push(counter);
                let header = wire::Header::parse(&outbox.bytes).unwrap();
                let payload = &mut outbox.bytes[header.payload()];
                wire::mask(payload, header.mask.unwrap());
                let found = crate::text::Found::Message { publisher: 3, counter };
                assert_eq!(text.find(payload), found);
                if let Some(room) = &room {
                    let send: serde_json::Value = serde_json::from_slice(payload).unwrap();
                    assert_eq!(send["id"], ID_FIRST + counter);
                    assert_eq!(send["room"], room.as_str());
                    assert_eq!(send["nonce"], format!("00000005-03-{counter:012x}"));
                }
            }
        }
    }
}
