//! A WebSocket client of bytes: it says what it is told to, right or wrong.

use crate::tls::{self, Channel};
use socket2::SockRef;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// How long anything may take before a test gives up. Long, since machines that run tests are
/// slow and shared; no test takes so long when it passes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// RFC 6455's own key (1.3), which is the tutorial's too.
pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// RFC 6455's own masking key (5.7).
pub(crate) const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;
pub(crate) const FIN: u8 = 0x80;

/// An opening handshake at `path` with what every one needs, and further header lines.
pub(crate) fn opening(path: &str, host: impl std::fmt::Display, further: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n{further}\r\n"
    )
}

/// A client's frame: first byte, length in as few bytes as it needs, masking key, payload.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    masked_frame(first, payload, MASK)
}

pub(crate) fn masked_frame(first: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..126 => bytes.push(0x80 | len as u8),
        len @ 126..65_536 => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&mask);
    if mask == [0; 4] {
        bytes.extend_from_slice(payload);
        return bytes;
    }
    bytes.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
    bytes
}

pub(crate) fn text(line: &str) -> Vec<u8> {
    frame(FIN | TEXT, line.as_bytes())
}

/// A server's frame.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Frame {
    /// FIN, RSV1–3 and opcode.
    pub(crate) first: u8,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    pub(crate) fn opcode(&self) -> u8 {
        self.first & 0x0f
    }
}

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// As sent, without the empty line.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (other, value) = line.split_once(':')?;
            other.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// Writes on a client's connection.
pub(crate) struct Sender {
    pub(crate) socket: TcpStream,
    tls: Option<Arc<Channel>>,
}

impl Sender {
    #[track_caller]
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let sent = match &self.tls {
            None => self.socket.write_all(bytes),
            Some(tls) => tls.write_all(&self.socket, bytes),
        };
        sent.expect("the server reads");
    }
}

/// One end of a connection to the server.
pub(crate) struct Client {
    pub(crate) socket: TcpStream,
    /// If the server speaks it.
    tls: Option<Arc<Channel>>,
    /// How the server shows it.
    pub(crate) name: String,
    received: Vec<u8>,
    at: usize,
}

impl Client {
    /// A connection on which nothing was said yet.
    #[track_caller]
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::of(TcpStream::connect(address).expect("the server listens"))
    }

    pub(crate) fn of(socket: TcpStream) -> Self {
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        let name = socket.local_addr().unwrap().to_string();
        let tls = socket.peer_addr().ok().and_then(tls::connection_to).map(Arc::new);
        Self { socket, tls, name, received: Vec::new(), at: 0 }
    }

    /// A connection whose opening handshake is done.
    #[track_caller]
    pub(crate) fn open(address: SocketAddr) -> Self {
        Self::open_on(Self::connect(address), "/ws", "")
    }

    #[track_caller]
    pub(crate) fn open_on(mut self, path: &str, further: &str) -> Self {
        let host = self.socket.peer_addr().unwrap();
        self.send(opening(path, host, further).as_bytes());
        let answer = self.answer();
        assert_eq!(answer.status, 101, "{answer:?}");
        self
    }

    /// The same, if the server takes it in.
    pub(crate) fn try_open(address: SocketAddr) -> Option<Self> {
        let mut client = Self::connect(address);
        client.try_send(opening("/ws", address, "").as_bytes());
        while !unread_of(&client).windows(4).any(|four| four == b"\r\n\r\n") {
            if !client.read() {
                return None;
            }
        }
        assert_eq!(client.answer().status, 101);
        Some(client)
    }

    #[track_caller]
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.write_all(bytes).expect("the server reads");
    }

    /// Sends to a server that may have had enough.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.write_all(bytes).is_ok()
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &self.tls {
            None => self.socket.write_all(bytes),
            Some(tls) => tls.write_all(&self.socket, bytes),
        }
    }

    /// Another hand that writes, while this one reads.
    pub(crate) fn sender(&self) -> Sender {
        Sender { socket: self.socket.try_clone().unwrap(), tls: self.tls.clone() }
    }

    fn read_some(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match &self.tls {
            None => self.socket.read(bytes),
            Some(tls) => tls.read(&self.socket, bytes),
        }
    }

    #[track_caller]
    pub(crate) fn say(&mut self, line: &str) {
        self.send(&text(line));
    }

    /// Reads an HTTP answer.
    #[track_caller]
    pub(crate) fn answer(&mut self) -> Answer {
        let mut answer = self.answer_head();
        let length = answer.header("Content-Length").map_or(0, |length| length.parse().unwrap());
        answer.body = String::from_utf8(self.exactly(length)).expect("UTF-8");
        answer
    }

    /// Reads an HTTP answer without its body.
    #[track_caller]
    pub(crate) fn answer_head(&mut self) -> Answer {
        let end = loop {
            let unread = &self.received[self.at..];
            if let Some(end) = unread.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            assert!(
                self.read(),
                "the connection ended in {:?}",
                String::from_utf8_lossy(unread_of(self))
            );
        };
        let head = String::from_utf8(self.take(end)).expect("a head is ASCII");
        self.take(4);
        let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        Answer { status: status.expect("a status line"), head, body: String::new() }
    }

    /// The next frame, whatever it is.
    #[track_caller]
    pub(crate) fn frame(&mut self) -> Frame {
        self.next_frame().expect("the connection goes on")
    }

    /// The next frame that is no line of the chat.
    #[track_caller]
    pub(crate) fn frame_but_lines(&mut self) -> Frame {
        loop {
            let frame = self.frame();
            if frame.opcode() != TEXT {
                return frame;
            }
        }
    }

    /// Reads until the end, whatever comes.
    #[track_caller]
    pub(crate) fn reads_to_the_end(&mut self) {
        while self.read() {
            self.at = self.received.len();
        }
    }

    /// The next frame; none if the connection ends before it.
    #[track_caller]
    pub(crate) fn next_frame(&mut self) -> Option<Frame> {
        let header = self.try_exactly(2)?;
        let (first, second) = (header[0], header[1]);
        assert_eq!(second & 0x80, 0, "a server doesn't mask");
        let len = match second {
            126 => {
                let bytes = self.try_exactly(2)?;
                let len = usize::from(u16::from_be_bytes(bytes.try_into().unwrap()));
                assert!(len > 125, "a length of {len} in two bytes");
                len
            }
            127 => {
                let bytes = self.try_exactly(8)?;
                let len = u64::from_be_bytes(bytes.try_into().unwrap()) as usize;
                assert!(len > 65_535, "a length of {len} in eight bytes");
                len
            }
            len => usize::from(len),
        };
        Some(Frame { first, payload: self.try_exactly(len)? })
    }

    /// The next line of the chat. Pings are answered on the way.
    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        self.next_line().expect("the connection goes on")
    }

    /// The next line of the chat; none if the connection ends before it.
    #[track_caller]
    pub(crate) fn next_line(&mut self) -> Option<String> {
        loop {
            let frame = self.next_frame()?;
            match frame.first {
                first if first == FIN | TEXT => {
                    return Some(String::from_utf8(frame.payload).expect("text is UTF-8"));
                }
                first if first == FIN | PING => {
                    self.try_send(&self::frame(FIN | PONG, &frame.payload));
                }
                _ => panic!("a line was expected, not {frame:?}"),
            }
        }
    }

    /// The next line is this one.
    #[track_caller]
    pub(crate) fn hears(&mut self, expected: &str) {
        assert_eq!(self.line(), expected);
    }

    /// The next line is somebody's.
    #[track_caller]
    pub(crate) fn hears_from(&mut self, other: &str, words: &str) {
        assert_eq!(self.line(), format!("{other} :: {words}"));
    }

    /// Says a line and hears it.
    #[track_caller]
    pub(crate) fn says_and_hears(&mut self, words: &str) {
        self.say(words);
        let name = self.name.clone();
        self.hears_from(&name, words);
    }

    /// Goes on chatting, as often as it likes: a ping and its pong, which take no part of a rate.
    #[track_caller]
    pub(crate) fn says_and_hears_again(&mut self) {
        self.send(&frame(FIN | PING, b"still here"));
        let pong = Frame { first: FIN | PONG, payload: b"still here".into() };
        loop {
            let next = self.frame();
            if next.first != FIN | PING {
                assert_eq!(next, pong);
                return;
            }
            self.send(&frame(FIN | PONG, &next.payload));
        }
    }

    /// Whether there is something to read, or the end, within so long.
    #[track_caller]
    pub(crate) fn can_read_within(&mut self, time: Duration) -> bool {
        self.socket.set_read_timeout(Some(time)).unwrap();
        let outcome = self.socket.peek(&mut [0]);
        self.socket.set_read_timeout(Some(PATIENCE)).unwrap();
        match outcome {
            Ok(_) => true,
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    }

    /// Nothing comes for so long.
    #[track_caller]
    pub(crate) fn hears_nothing_for(&mut self, time: Duration) {
        assert!(unread_of(self).is_empty());
        self.socket.set_read_timeout(Some(time)).unwrap();
        let outcome = self.read_some(&mut [0; 64]);
        self.socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let error = outcome.expect_err("nothing was to come");
        assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    }

    /// The next frame is a Close with this code; then the server ends the connection, once the
    /// Close is answered.
    #[track_caller]
    pub(crate) fn is_closed_with(&mut self, code: u16) {
        self.is_closed_with_after(code, "");
    }

    /// The same, with words for the failure.
    #[track_caller]
    pub(crate) fn is_closed_with_after(&mut self, code: u16, what: &str) {
        let frame = self.next_frame().unwrap_or_else(|| panic!("{what}: it ended without a Close"));
        assert_eq!(frame.first, FIN | CLOSE, "{what}: {frame:?}");
        let reason = String::from_utf8_lossy(frame.payload.get(2..).unwrap_or_default());
        assert_eq!(frame.payload.get(..2), Some(&code.to_be_bytes()[..]), "{what}: {reason}");
        self.try_send(&self::frame(FIN | CLOSE, &code.to_be_bytes()));
        self.ends();
    }

    /// The server ends the connection, without a further byte.
    #[track_caller]
    pub(crate) fn ends(&mut self) {
        let byte = self.try_exactly(1);
        assert_eq!(byte, None, "the connection was to end");
    }

    /// Ends the connection as a browser does that leaves the page.
    #[track_caller]
    pub(crate) fn leave(mut self) {
        self.send(&frame(FIN | CLOSE, &1001_u16.to_be_bytes()));
        while self.next_frame().is_some() {}
    }

    /// Ends the connection with a reset, as a machine that loses its power.
    pub(crate) fn reset(self) {
        SockRef::from(&self.socket).set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// Ends our side only.
    pub(crate) fn shut_down(&self) {
        self.socket.shutdown(Shutdown::Write).unwrap();
    }

    #[track_caller]
    fn exactly(&mut self, count: usize) -> Vec<u8> {
        self.try_exactly(count).expect("the connection goes on")
    }

    #[track_caller]
    fn try_exactly(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.received.len() - self.at < count {
            if !self.read() {
                return None;
            }
        }
        Some(self.take(count))
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        self.at += count;
        self.received[self.at - count..self.at].to_vec()
    }

    /// Reads some bytes; false at the end.
    #[track_caller]
    fn read(&mut self) -> bool {
        self.received.drain(..self.at);
        self.at = 0;
        let mut bytes = [0; 64 * 1024];
        match self.read_some(&mut bytes) {
            Ok(count) => {
                self.received.extend_from_slice(&bytes[..count]);
                count > 0
            }
            Err(error) => match error.kind() {
                ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => false,
                // An end that TLS wasn't told of, as that of a connection that was dropped.
                ErrorKind::UnexpectedEof if self.tls.is_some() => false,
                ErrorKind::Interrupted => true,
                _ => panic!("nothing came: {error}"),
            },
        }
    }
}

fn unread_of(client: &Client) -> &[u8] {
    &client.received[client.at..]
}
