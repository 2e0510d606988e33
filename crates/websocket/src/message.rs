//! Putting a message together: fragments, inflation, UTF-8 as it arrives.

use crate::deflate::{InflateError, Inflater};
use crate::frame::{HEADER_BYTES_MAX, Header};
use crate::{Opcode, Violation, mask};

/// What is kept of frames and messages that the input's end cut off. Exists only while there is
/// something to keep.
#[derive(Default)]
pub(crate) struct Partial {
    /// The frame whose payload isn't complete.
    pub(crate) frame: Option<PartialFrame>,
    /// The message whose frames aren't complete.
    pub(crate) message: Option<Message>,
    /// The payload of an incomplete control frame; at most 125 bytes.
    pub(crate) control: Vec<u8>,
    /// A header that the input's end cut off: header[..header_len], and it isn't complete:
    /// header_len < 14.
    pub(crate) header: [u8; HEADER_BYTES_MAX],
    pub(crate) header_len: u8,
}

pub(crate) struct PartialFrame {
    /// Its masking key is the one for the next byte to come.
    pub(crate) header: Header,
    /// 0 < remaining <= header.len
    pub(crate) remaining: u64,
}

/// A data message that is being assembled.
pub(crate) struct Message {
    pub(crate) text: bool,
    /// Present if the message is compressed.
    pub(crate) inflater: Option<Inflater>,
    /// What has arrived, inflated. bytes.len() <= Limits::message_bytes, but for a moment before a
    /// violation.
    pub(crate) bytes: Vec<u8>,
    /// 0 <= validated <= bytes.len(); bytes[..validated] is UTF-8 if `text`, and what follows is at
    /// most three bytes that may still become a character.
    validated: usize,
    /// It is complete, and kept only for the event that borrows it.
    pub(crate) finished: bool,
}

impl Message {
    pub(crate) fn new(opcode: Opcode, inflater: Option<Inflater>) -> Self {
        Message {
            text: opcode == Opcode::Text,
            inflater,
            bytes: Vec::new(),
            validated: 0,
            finished: false,
        }
    }

    /// Unmasks a piece of a frame's payload and adds it. The header's claim, `frame_rest` bytes
    /// with this piece, may be a lie: it takes no more memory than twice what has arrived.
    pub(crate) fn push(
        &mut self,
        payload: &mut [u8],
        header: &Header,
        frame_rest: u64,
        bytes_max: usize,
    ) -> Result<(), Violation> {
        let arrived = self.bytes.len() + payload.len();
        if self.inflater.is_none() && self.bytes.capacity() < arrived {
            let frame_rest = usize::try_from(frame_rest).unwrap_or(usize::MAX);
            // Exactly what is missing, if it is the message's last frame and believable.
            let more = if header.fin { frame_rest.min(arrived) } else { arrived };
            self.bytes.reserve_exact(more);
        }
        if let Some(inflater) = &mut self.inflater {
            if let Some(key) = header.key {
                mask::apply(payload, key);
            }
            let pushed = inflater.push(payload, &mut self.bytes, bytes_max);
            return self.inflated(pushed, bytes_max);
        }
        // The header's length was admitted, so that this stays within the limit.
        let ascii = match header.key {
            Some(key) => mask::append(&mut self.bytes, payload, key),
            None => {
                self.bytes.extend_from_slice(payload);
                false
            }
        };
        if ascii && self.validated + payload.len() == self.bytes.len() {
            self.validated = self.bytes.len();
            return Ok(());
        }
        self.validate()
    }

    /// The last frame is complete. After `Ok`, `bytes` is the message, and UTF-8 if it is text.
    pub(crate) fn finish(&mut self, bytes_max: usize) -> Result<(), Violation> {
        if let Some(inflater) = &mut self.inflater {
            let pushed = inflater.finish(&mut self.bytes, bytes_max);
            self.inflated(pushed, bytes_max)?;
        }
        if self.text && self.validated != self.bytes.len() {
            return Err(Violation::TextNotUtf8);
        }
        self.finished = true;
        Ok(())
    }

    /// What came out of the inflater before it failed counts first: else it would depend on the
    /// pieces of the input which fault is found.
    fn inflated(
        &mut self,
        pushed: Result<(), InflateError>,
        bytes_max: usize,
    ) -> Result<(), Violation> {
        self.validate()?;
        pushed.map_err(|error| match error {
            InflateError::NotDeflate => Violation::NotDeflate,
            InflateError::TooBig => Violation::MessageTooBig { bytes_max },
        })
    }

    /// 8.1: text is checked as it arrives, so that nobody sends megabytes after the first bad byte.
    fn validate(&mut self) -> Result<(), Violation> {
        if self.text {
            let new = utf8_prefix(&self.bytes[self.validated..]).ok_or(Violation::TextNotUtf8)?;
            self.validated += new;
        }
        Ok(())
    }
}

/// How many bytes from the start are whole UTF-8 characters, if what follows them (at most three
/// bytes) may still become one. `None` if nothing that follows could make `bytes` the start of a
/// text.
pub(crate) fn utf8_prefix(bytes: &[u8]) -> Option<usize> {
    let (whole, rest) = bytes.split_at(bytes.len() - unfinished(bytes));
    simdutf8::basic::from_utf8(whole).ok()?;
    match str::from_utf8(rest) {
        Ok(_) => Some(bytes.len()),
        // No length: the bytes ended too early, but were possible so far. E0 80, for one, isn't.
        Err(error) if error.error_len().is_none() => Some(whole.len()),
        Err(_) => None,
    }
}

/// How many bytes at the end begin a character without finishing it, by the lead byte's claim
/// alone.
fn unfinished(bytes: &[u8]) -> usize {
    for (back, byte) in bytes.iter().rev().take(3).enumerate() {
        match *byte {
            0x80..0xc0 => {}
            lead @ 0xc0.. => {
                let claimed = if lead < 0xe0 {
                    2
                } else if lead < 0xf0 {
                    3
                } else {
                    4
                };
                return if claimed > back + 1 { back + 1 } else { 0 };
            }
            _ => return 0,
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, by the standard library.
    fn naive(bytes: &[u8]) -> Option<usize> {
        match str::from_utf8(bytes) {
            Ok(text) => Some(text.len()),
            Err(error) if error.error_len().is_none() => Some(error.valid_up_to()),
            Err(_) => None,
        }
    }

    #[test]
    fn a_character_may_be_cut_but_not_impossible() {
        for (bytes, expected) in [
            (&b""[..], Some(0)),
            (b"abc", Some(3)),
            (b"\xea\xb0\x80", Some(3)),
            (b"a\xea\xb0", Some(1)),
            (b"a\xea", Some(1)),
            (b"\xf0\x9f\x98", Some(0)),
            (b"\xe0\x80", None),
            (b"\xed\xa0", None),
            (b"\xf4\x90", None),
            (b"\xf5", None),
            (b"\xc0", None),
            (b"\x80", None),
            (b"\xea\xb0\x80\x80", None),
            (b"a\x80\x80\x80", None),
        ] {
            assert_eq!(utf8_prefix(bytes), expected, "{bytes:02x?}");
        }
    }

    proptest! {
        #[test]
        fn a_prefix_is_what_the_standard_library_says(bytes in prop::collection::vec(
            prop_oneof![Just(0x61), Just(0x80), Just(0xbf), Just(0xc3), Just(0xe0), Just(0xed), Just(0xf0), Just(0xf4), any::<u8>()],
            0..8,
        )) {
            prop_assert_eq!(utf8_prefix(&bytes), naive(&bytes));
        }

        #[test]
        fn every_prefix_of_a_text_is_possible(text in "\\PC{0,12}", cut in any::<prop::sample::Index>()) {
            let cut = cut.index(text.len() + 1);
            prop_assert_eq!(utf8_prefix(&text.as_bytes()[..cut]), Some(text.floor_char_boundary(cut)));
        }
    }
}
