//! What it costs a server to receive a text message: take bytes, find the frame, unmask, validate,
//! deliver.
//!
//! Every library reads the same endless conversation from memory as from a socket, through its own
//! way of reading; ours through a buffer of 64 KiB that is shared as a shard shares it. Each
//! message counts as one iteration. Between the messages stand Pongs of one byte, which shift the
//! next ones to another alignment, so that every residue comes about.
//!
//! `cargo bench -p damso-websocket --bench receive`, with a filter as `16/ascii`.

use std::hint::black_box;
use std::io::{self, Read, Write};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use damso_websocket::{Config, Connection, Event, Limits, Opcode, frame, mask};
use futures_core::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const BUFFER_BYTES: usize = 64 * 1024;

/// A client's bytes, over and over.
#[derive(Clone)]
struct Conversation {
    bytes: Rc<[u8]>,
    at: usize,
}

impl Conversation {
    fn new(text: &str) -> Self {
        let mut bytes = Vec::new();
        let mut key = [0x37, 0xfa, 0x21, 0x3d];
        let mut message = |opcode, payload: &[u8]| {
            key = key.map(|byte: u8| byte.wrapping_mul(5).wrapping_add(3));
            frame::write_header(&mut bytes, true, false, opcode, Some(key), payload.len() as u64);
            let start = bytes.len();
            bytes.extend_from_slice(payload);
            mask::apply(&mut bytes[start..], key);
        };
        for _ in 0..32 {
            let messages = (4096 / text.len()).clamp(1, 64);
            for _ in 0..messages {
                message(Opcode::Text, text.as_bytes());
            }
            message(Opcode::Pong, b"x");
        }
        Conversation { bytes: bytes.into(), at: 0 }
    }

    /// As much as there is up to the end of the bytes, or room for.
    fn next(&mut self, room: usize) -> &[u8] {
        if self.at == self.bytes.len() {
            self.at = 0;
        }
        let start = self.at;
        self.at = self.bytes.len().min(start + room);
        &self.bytes[start..self.at]
    }
}

impl Read for Conversation {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.next(buffer.len());
        buffer[..bytes.len()].copy_from_slice(bytes);
        Ok(bytes.len())
    }
}

impl Write for Conversation {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Conversation {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = buffer.remaining();
        buffer.put_slice(self.get_mut().next(room));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Conversation {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[allow(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn now() -> Instant {
    Instant::now()
}

/// A future that never waits, since memory is always ready.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("memory is always ready"),
    }
}

/// Receives messages until there were `n`; returns the time for exactly `n`.
type Receiver = Box<dyn FnMut(u64) -> Duration>;

fn ours(mut conversation: Conversation, len: usize, buffer_bytes: usize) -> Receiver {
    let start = now();
    let limits = Limits { frame_bytes: 1 << 24, message_bytes: 1 << 24 };
    let config = Config { limits, ..Config::default() };
    let mut connection = Connection::server(Arc::new(config), None, start, 0);
    let mut buffer = vec![0; buffer_bytes];
    Box::new(move |n| {
        let start = now();
        let mut received = 0;
        while received < n {
            let size = conversation.read(&mut buffer).unwrap();
            let mut input = connection.receive(&mut buffer[..size], start);
            while let Some(event) = input.next() {
                match event {
                    Event::Text(text) => {
                        assert_eq!(black_box(text).len(), len);
                        received += 1;
                    }
                    Event::Pong(_) => {}
                    event => panic!("{event:?}"),
                }
            }
        }
        start.elapsed().mul_f64(n as f64 / received as f64)
    })
}

fn tungstenite(conversation: Conversation, len: usize) -> Receiver {
    let mut socket = tungstenite::WebSocket::from_raw_socket(
        conversation,
        tungstenite::protocol::Role::Server,
        None,
    );
    Box::new(move |n| {
        let start = now();
        let mut received = 0;
        while received < n {
            match socket.read().unwrap() {
                tungstenite::Message::Text(text) => {
                    assert_eq!(black_box(text.as_str()).len(), len);
                    received += 1;
                }
                tungstenite::Message::Pong(_) => {}
                message => panic!("{message:?}"),
            }
        }
        start.elapsed()
    })
}

fn tokio_websockets(conversation: Conversation, len: usize) -> Receiver {
    let mut socket = tokio_websockets::ServerBuilder::new().serve(conversation);
    Box::new(move |n| {
        let start = now();
        let mut context = Context::from_waker(Waker::noop());
        let mut received = 0;
        while received < n {
            // It gives way to other tasks now and then.
            let Poll::Ready(message) = Pin::new(&mut socket).poll_next(&mut context) else {
                continue;
            };
            let message = message.unwrap().unwrap();
            if let Some(text) = message.as_text() {
                assert_eq!(black_box(text).len(), len);
                received += 1;
            }
        }
        start.elapsed()
    })
}

fn fastwebsockets(conversation: Conversation, len: usize) -> Receiver {
    let socket =
        fastwebsockets::WebSocket::after_handshake(conversation, fastwebsockets::Role::Server);
    let mut socket = fastwebsockets::FragmentCollector::new(socket);
    Box::new(move |n| {
        let start = now();
        let mut received = 0;
        while received < n {
            let frame = ready(socket.read_frame()).unwrap();
            if frame.opcode == fastwebsockets::OpCode::Text {
                assert_eq!(black_box(&frame.payload[..]).len(), len);
                received += 1;
            }
        }
        start.elapsed()
    })
}

fn text(len: usize, hangul: bool) -> String {
    let mut text = if hangul { "담소를 나누다 ".repeat(len / 8) } else { String::new() };
    text.truncate(text.floor_char_boundary(len));
    while text.len() < len {
        text.push((b'a' + (text.len() % 26) as u8) as char);
    }
    text
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
        .configure_from_args();
    for len in [16, 125, 1000, 65_536] {
        for (script, hangul) in [("ascii", false), ("hangul", true)] {
            let text = text(len, hangul);
            let conversation = Conversation::new(&text);
            let mut group = criterion.benchmark_group(format!("{len}/{script}"));
            group.throughput(Throughput::Bytes(len as u64));
            let mut bench = |name: &str, mut receiver: Receiver| {
                group.bench_function(name, |bencher| bencher.iter_custom(&mut receiver));
            };
            bench("ours", ours(conversation.clone(), len, BUFFER_BYTES));
            if len >= BUFFER_BYTES {
                // Every frame is cut by the end of a buffer of 64 KiB, but few by one of 256 KiB.
                bench("ours, 256 KiB buffer", ours(conversation.clone(), len, 1 << 18));
            }
            bench("tungstenite", tungstenite(conversation.clone(), len));
            bench("tokio-websockets", tokio_websockets(conversation.clone(), len));
            bench("fastwebsockets", fastwebsockets(conversation.clone(), len));
        }
    }
    criterion.final_summary();
}
