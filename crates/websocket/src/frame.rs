//! Frames (RFC 6455, 5.2): reading headers, writing frames.

use crate::deflate::Deflater;
use crate::{Violation, mask};

/// A header's length at most: two bytes, eight of the length, four of the masking key.
pub(crate) const HEADER_BYTES_MAX: usize = 14;

/// A control frame's payload at most (5.5).
pub(crate) const CONTROL_BYTES_MAX: usize = 125;

/// What a frame is (11.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// A further fragment of a message.
    Continuation = 0x0,
    /// A text message, or its first fragment.
    Text = 0x1,
    /// A binary message, or its first fragment.
    Binary = 0x2,
    /// The closing handshake.
    Close = 0x8,
    /// Asks for a Pong.
    Ping = 0x9,
    /// Answers a Ping, or says that one is there.
    Pong = 0xa,
}

impl Opcode {
    /// Close, Ping, Pong: never fragmented, at most 125 bytes, and allowed between fragments.
    pub fn is_control(self) -> bool {
        matches!(self, Opcode::Close | Opcode::Ping | Opcode::Pong)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) fin: bool,
    pub(crate) rsv1: bool,
    pub(crate) opcode: Opcode,
    pub(crate) key: Option<[u8; 4]>,
    pub(crate) len: u64,
}

impl Header {
    /// Reads a header and says how many bytes it took; `Ok(None)`: incomplete. Checks all that one
    /// frame by itself can get wrong, as soon as the first two bytes are there. `masked`: whether
    /// the peer must mask (it is a client).
    #[inline]
    pub(crate) fn parse(bytes: &[u8], masked: bool) -> Result<Option<(Header, usize)>, Violation> {
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        let fin = first & 0x80 != 0;
        let rsv1 = first & 0x40 != 0;
        // 5.2: "MUST be 0 unless an extension is negotiated that defines meanings"; none that we
        // know uses these two.
        if first & 0x30 != 0 {
            return Err(Violation::ReservedBits);
        }
        let opcode = match first & 0x0f {
            0x0 => Opcode::Continuation,
            0x1 => Opcode::Text,
            0x2 => Opcode::Binary,
            0x8 => Opcode::Close,
            0x9 => Opcode::Ping,
            0xa => Opcode::Pong,
            reserved => return Err(Violation::ReservedOpcode(reserved)),
        };
        // 5.1: a server closes upon an unmasked frame, a client upon a masked one.
        match (second & 0x80 != 0, masked) {
            (true, false) => return Err(Violation::Masked),
            (false, true) => return Err(Violation::NotMasked),
            _ => {}
        }
        let short = second & 0x7f;
        if opcode.is_control() {
            if !fin {
                return Err(Violation::ControlFragmented);
            }
            if usize::from(short) > CONTROL_BYTES_MAX {
                return Err(Violation::ControlTooLong);
            }
            // RFC 7692, 6.1: RSV1 means nothing on a control frame.
            if rsv1 {
                return Err(Violation::ReservedBits);
            }
        }
        let (len, rest, mut size) = match short {
            126 => {
                let Some((len, rest)) = rest.split_first_chunk::<2>() else { return Ok(None) };
                let len = u64::from(u16::from_be_bytes(*len));
                if len < 126 {
                    return Err(Violation::LengthNotMinimal);
                }
                (len, rest, 4)
            }
            127 => {
                let Some((len, rest)) = rest.split_first_chunk::<8>() else { return Ok(None) };
                let len = u64::from_be_bytes(*len);
                if len >> 63 != 0 {
                    return Err(Violation::LengthTooLong);
                }
                if len <= u64::from(u16::MAX) {
                    return Err(Violation::LengthNotMinimal);
                }
                (len, rest, 10)
            }
            short => (u64::from(short), rest, 2),
        };
        let key = if masked {
            let Some(key) = rest.first_chunk::<4>() else { return Ok(None) };
            size += 4;
            Some(*key)
        } else {
            None
        };
        Ok(Some((Header { fin, rsv1, opcode, key, len }, size)))
    }
}

/// Appends a frame's header, its length in as few bytes as it needs (5.2). The payload follows,
/// masked with the same key by whoever appends it ([`mask::apply`]). `rsv1`: the message is
/// compressed (RFC 7692, 6).
pub fn write_header(
    out: &mut Vec<u8>,
    fin: bool,
    rsv1: bool,
    opcode: Opcode,
    mask: Option<[u8; 4]>,
    len: u64,
) {
    let (header, size) = header(fin, rsv1, opcode, mask, len);
    out.extend_from_slice(&header[..size]);
}

/// Appends a whole text message as a server's frame, which is the same for every receiver (5.1: not
/// masked).
pub fn server_text(out: &mut Vec<u8>, text: &str) {
    frame(out, Opcode::Text, false, None, text.as_bytes());
}

/// Appends a whole text message as a server's compressed frame, for every receiver that agreed to
/// the extension with `server_no_context_takeover`: it doesn't refer to earlier messages. If
/// compression makes it longer, it goes uncompressed, as it may (RFC 7692, 6).
pub fn server_text_deflated(out: &mut Vec<u8>, text: &str, deflater: &mut Deflater) {
    deflater.reset();
    deflated(out, Opcode::Text, None, text.as_bytes(), deflater, true);
}

/// Appends a whole frame.
pub(crate) fn frame(
    out: &mut Vec<u8>,
    opcode: Opcode,
    rsv1: bool,
    key: Option<[u8; 4]>,
    payload: &[u8],
) {
    out.reserve(HEADER_BYTES_MAX + payload.len());
    write_header(out, true, rsv1, opcode, key, payload.len() as u64);
    let start = out.len();
    out.extend_from_slice(payload);
    if let Some(key) = key {
        mask::apply(&mut out[start..], key);
    }
}

/// Appends a whole compressed frame; an uncompressed one if that is shorter and `or_plain`, which
/// must be unset where later messages refer to this one.
pub(crate) fn deflated(
    out: &mut Vec<u8>,
    opcode: Opcode,
    key: Option<[u8; 4]>,
    payload: &[u8],
    deflater: &mut Deflater,
    or_plain: bool,
) {
    let start = out.len();
    // The header's size is known only with the length: room for the largest, closed afterwards.
    out.extend_from_slice(&[0; HEADER_BYTES_MAX]);
    let body = out.len();
    deflater.message(payload, out);
    let len = out.len() - body;
    if or_plain && len >= payload.len() {
        out.truncate(start);
        return frame(out, opcode, false, key, payload);
    }
    if let Some(key) = key {
        mask::apply(&mut out[body..], key);
    }
    let (header, size) = header(true, true, opcode, key, len as u64);
    out.copy_within(body.., start + size);
    out[start..start + size].copy_from_slice(&header[..size]);
    out.truncate(start + size + len);
}

fn header(
    fin: bool,
    rsv1: bool,
    opcode: Opcode,
    mask: Option<[u8; 4]>,
    len: u64,
) -> ([u8; HEADER_BYTES_MAX], usize) {
    let mut header = [0; HEADER_BYTES_MAX];
    header[0] = u8::from(fin) << 7 | u8::from(rsv1) << 6 | opcode as u8;
    let masked = u8::from(mask.is_some()) << 7;
    let mut size = match len {
        0..=125 => {
            header[1] = masked | len as u8;
            2
        }
        126..=0xffff => {
            header[1] = masked | 126;
            header[2..4].copy_from_slice(&(len as u16).to_be_bytes());
            4
        }
        _ => {
            header[1] = masked | 127;
            header[2..10].copy_from_slice(&len.to_be_bytes());
            10
        }
    };
    if let Some(key) = mask {
        header[size..size + 4].copy_from_slice(&key);
        size += 4;
    }
    (header, size)
}
