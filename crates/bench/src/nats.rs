//! What nats-server speaks over WebSocket: its own protocol, lines and payloads, as a stream inside binary frames.
//! For the check it is made into what a plain server would have sent: a text frame for each message.

use crate::connect::Open;
use crate::wire::{self, Header};

/// Where everybody is.
const SUBJECT: &str = "lobby";
/// Longer lines are nothing that a subscriber gets.
const LINE_BYTES_MAX: usize = 8 * 1024;
/// A header's longest form.
const HEADER_BYTES_MAX: usize = 14;
const BINARY: u8 = 0x2;

/// Says hello and subscribes, on each connection. The answers are part of what is then received.
///
/// # Errors
/// A sentence, when a socket doesn't take it.
pub fn subscribe(opened: &mut [Open], mask: [u8; 4]) -> Result<(), String> {
    let words = format!(
        "CONNECT {{\"verbose\":false,\"pedantic\":false,\"lang\":\"damso-bench\",\"version\":\"0\",\"protocol\":1}}\r\n\
         SUB {SUBJECT} 1\r\nPING\r\n"
    );
    let mut frame = Vec::new();
    wire::put_masked(&mut frame, BINARY, words.as_bytes(), mask);
    for open in opened {
        match open.link.send(&frame) {
            Ok(sent) if sent == frame.len() => {}
            other => return Err(format!("subscribing: {other:?}")),
        }
    }
    Ok(())
}

/// What stands before and behind the text of a message that is published, and the frame's opcode.
pub fn publish(bytes: usize) -> (String, &'static str, u8) {
    (format!("PUB {SUBJECT} {bytes}\r\n"), "\r\n", BINARY)
}

/// What each connection has received, as far as it isn't a whole message yet.
pub struct Streams {
    streams: Vec<Stream>,
    out: Vec<u8>,
}

#[derive(Clone, Default)]
struct Stream {
    /// The beginning of a frame's header.
    header: Vec<u8>,
    /// Bytes of the frame's payload that are still to come.
    frame_left: usize,
    /// The beginning of a line.
    line: Vec<u8>,
    /// Bytes of a message, with the end of its line, that are still to come.
    message_left: usize,
}

impl Streams {
    pub fn new(connections: usize) -> Self {
        Self { streams: vec![Stream::default(); connections], out: Vec::new() }
    }

    /// What a plain server would have sent instead. What the server complains of becomes a close frame.
    pub fn translate(&mut self, who: usize, mut bytes: &[u8]) -> &[u8] {
        self.out.clear();
        let stream = &mut self.streams[who];
        while !bytes.is_empty() {
            if stream.frame_left == 0 {
                bytes = stream.frame(bytes, &mut self.out);
            } else {
                let (part, rest) = bytes.split_at(stream.frame_left.min(bytes.len()));
                stream.frame_left -= part.len();
                stream.take(part, &mut self.out);
                bytes = rest;
            }
        }
        &self.out
    }
}

const CRLF: usize = 2;

impl Stream {
    /// Reads a header, and gives what is behind it.
    fn frame<'a>(&mut self, bytes: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        let known = self.header.len();
        let more = bytes.len().min(HEADER_BYTES_MAX - known);
        self.header.extend_from_slice(&bytes[..more]);
        let Some(header) = Header::parse(&self.header) else { return &bytes[more..] };
        let payload = header.payload();
        self.header.clear();
        self.frame_left = payload.len();
        if header.opcode() == wire::CLOSE {
            close(out, "the server closed the connection");
        }
        &bytes[payload.start - known..]
    }

    /// Reads a part of the stream.
    fn take(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        while !bytes.is_empty() {
            if self.message_left > 0 {
                let (part, rest) = bytes.split_at(self.message_left.min(bytes.len()));
                // Not the end of the line.
                let text = part.len().min(self.message_left.saturating_sub(CRLF));
                out.extend_from_slice(&part[..text]);
                self.message_left -= part.len();
                bytes = rest;
                continue;
            }
            let Some(end) = bytes.iter().position(|&byte| byte == b'\n') else {
                self.line.extend_from_slice(bytes);
                if self.line.len() > LINE_BYTES_MAX {
                    close(out, "a line that doesn't end");
                }
                return;
            };
            let line = &bytes[..end];
            bytes = &bytes[end + 1..];
            if self.line.is_empty() {
                self.message_left = read(line, out);
            } else {
                self.line.extend_from_slice(line);
                self.message_left = read(&self.line, out);
                self.line.clear();
            }
        }
    }
}

/// Reads a line: how many bytes of a message follow it. The frame's header goes out already.
fn read(line: &[u8], out: &mut Vec<u8>) -> usize {
    let line = line.trim_ascii_end();
    if line.starts_with(b"-ERR") {
        close(out, &String::from_utf8_lossy(line));
    }
    if !line.starts_with(b"MSG ") {
        return 0;
    }
    let bytes = line.rsplit(|&byte| byte == b' ').next();
    let bytes = bytes.and_then(|word| str::from_utf8(word).ok()?.parse::<usize>().ok());
    let Some(bytes) = bytes else {
        close(out, "a message without its length");
        return 0;
    };
    wire::put_header(out, wire::TEXT, bytes, None);
    bytes.saturating_add(CRLF)
}

fn close(out: &mut Vec<u8>, why: &str) {
    let why = &why.as_bytes()[..why.len().min(100)];
    wire::put_header(out, wire::CLOSE, 2 + why.len(), None);
    out.extend_from_slice(&1011_u16.to_be_bytes());
    out.extend_from_slice(why);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_become_frames_however_the_stream_is_cut() {
        let stream = b"INFO {}\r\nPONG\r\nMSG lobby 1 3\r\none\r\nMSG lobby 1 300\r\n";
        let long = [b'x'; 300];
        let mut sent = Vec::new();
        for part in [&stream[..], &long[..50], &long[50..], b"\r\n", b"-ERR 'no'\r\n"] {
            wire::put_header(&mut sent, BINARY, part.len(), None);
            sent.extend_from_slice(part);
        }
        let mut expected = b"\x81\x03one\x81\x7E\x01\x2C".to_vec();
        expected.extend_from_slice(&long);
        expected.extend_from_slice(b"\x88\x0B\x03\xF3-ERR 'no'");
        for step in [1, 2, 5, 64, sent.len()] {
            let mut streams = Streams::new(2);
            let mut out = Vec::new();
            for part in sent.chunks(step) {
                out.extend_from_slice(streams.translate(1, part));
            }
            assert_eq!(out, expected, "{step} at a time");
        }
    }
}
