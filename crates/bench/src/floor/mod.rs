//! The least a server can do: no rooms, no names, no checks; each subscriber gets the iteration's one shared buffer
//! in one send. What a real server needs beyond this is what it adds. Once on epoll, once on io_uring.

mod epoll;
mod pool;
mod uring;

use std::io::Write;
use std::net::{IpAddr, SocketAddr};

use rustix::fd::OwnedFd;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use crate::connect::failed;
use crate::wire::{self, Header};

/// A buffer of more than this is sent before more is read.
const FLUSH_BYTES: usize = 256 * 1024;
/// A reader that is further behind is dropped.
const BEHIND_BYTES_MAX: usize = 16 << 20;
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Serves on epoll until something fails. `lose_every`: of so many buffers, one isn't sent to one subscriber. For
/// testing the check; 0 loses nothing.
///
/// # Errors
/// A sentence: what the kernel refused.
pub fn on_epoll(listen: SocketAddr, lose_every: usize) -> Result<(), String> {
    epoll::run(listen, lose_every)
}

/// Serves on io_uring until something fails.
///
/// # Errors
/// A sentence: what the kernel refused.
pub fn on_uring(listen: SocketAddr) -> Result<(), String> {
    uring::run(listen)
}

/// Binds, listens, and says where.
fn listener(address: SocketAddr, flags: SocketFlags) -> Result<OwnedFd, String> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = flags | SocketFlags::CLOEXEC;
    let listener = rustix::net::socket_with(family, SocketType::STREAM, flags, None)
        .map_err(failed("socket"))?;
    sockopt::set_socket_reuseaddr(&listener, true).map_err(failed("SO_REUSEADDR"))?;
    // What it accepts inherits this.
    sockopt::set_tcp_nodelay(&listener, true).map_err(failed("TCP_NODELAY"))?;
    rustix::net::bind(&listener, &address).map_err(failed("bind"))?;
    rustix::net::listen(&listener, 4096).map_err(failed("listen"))?;
    let bound = rustix::net::getsockname(&listener).map_err(failed("getsockname"))?;
    let bound = SocketAddr::try_from(bound).map_err(failed("getsockname"))?;
    println!("floor listening on http://{bound}");
    std::io::stdout().flush().map_err(|error| error.to_string())?;
    Ok(listener)
}

/// A subscriber's bytes, without its socket.
struct Inbound {
    prefix: Vec<u8>,
    /// The opening handshake is done.
    open: bool,
    /// The beginning of a head or a frame.
    partial: Vec<u8>,
}

impl Inbound {
    fn new(peer: SocketAddr) -> Self {
        let prefix = match peer.ip() {
            IpAddr::V4(address) => format!("{address}:{} :: ", peer.port()),
            IpAddr::V6(_) => format!("{peer} :: "),
        };
        Self { prefix: prefix.into_bytes(), open: false, partial: Vec::new() }
    }

    /// Takes what was read. What goes to everybody is put behind `out`, what goes back behind `reply`.
    /// False: the connection is over, after `reply`.
    fn receive(&mut self, input: &mut [u8], out: &mut Vec<u8>, reply: &mut Vec<u8>) -> bool {
        if self.partial.is_empty() {
            return self.take(input, out, reply);
        }
        let mut whole = std::mem::take(&mut self.partial);
        whole.extend_from_slice(input);
        self.take(&mut whole, out, reply)
    }

    fn take(&mut self, input: &mut [u8], out: &mut Vec<u8>, reply: &mut Vec<u8>) -> bool {
        let mut at = 0;
        if !self.open {
            let Some(end) = wire::head_end(input) else {
                self.partial.extend_from_slice(input);
                return self.partial.len() <= HEAD_BYTES_MAX;
            };
            let head = String::from_utf8_lossy(&input[..end]);
            let Some(key) = wire::field(&head, "sec-websocket-key") else { return false };
            let answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: {}\r\n\r\n",
                wire::accept(key)
            );
            reply.extend_from_slice(answer.as_bytes());
            self.open = true;
            at = end;
        }
        while let Some(header) = Header::parse(&input[at..]) {
            if header.frame_bytes() > FLUSH_BYTES {
                return false;
            }
            let Some(frame) = input.get_mut(at..at + header.frame_bytes()) else { break };
            let payload = &mut frame[header.payload()];
            wire::mask(payload, header.mask.unwrap_or_default());
            match header.opcode() {
                wire::TEXT => {
                    wire::put_header(out, wire::TEXT, self.prefix.len() + payload.len(), None);
                    out.extend_from_slice(&self.prefix);
                    out.extend_from_slice(payload);
                }
                wire::PING => {
                    wire::put_header(reply, wire::PONG, payload.len(), None);
                    reply.extend_from_slice(payload);
                }
                wire::CLOSE => {
                    let code = &payload[..payload.len().min(2)];
                    wire::put_header(reply, wire::CLOSE, code.len(), None);
                    reply.extend_from_slice(code);
                    return false;
                }
                _ => {}
            }
            at += header.frame_bytes();
        }
        self.partial.extend_from_slice(&input[at..]);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_and_frames_may_come_byte_by_byte() {
        let mut bytes =
            b"GET /ws HTTP/1.1\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".to_vec();
        wire::put_masked(&mut bytes, wire::TEXT, b"one", [1, 2, 3, 4]);
        wire::put_masked(&mut bytes, wire::PING, b"p", [5, 6, 7, 8]);
        wire::put_masked(&mut bytes, wire::CLOSE, &1000_u16.to_be_bytes(), [0; 4]);
        for step in [1, 7, bytes.len()] {
            let mut inbound = Inbound::new("127.0.0.1:9".parse().unwrap());
            let (mut out, mut reply) = (Vec::new(), Vec::new());
            let alive: Vec<bool> = bytes
                .clone()
                .chunks_mut(step)
                .map(|chunk| inbound.receive(chunk, &mut out, &mut reply))
                .collect();
            assert_eq!(out, b"\x81\x12127.0.0.1:9 :: one");
            let head = wire::head_end(&reply).unwrap();
            assert!(reply.starts_with(b"HTTP/1.1 101 "));
            assert_eq!(&reply[head..], b"\x8A\x01p\x88\x02\x03\xE8");
            assert!(alive.iter().rev().skip(1).all(|alive| *alive) && !alive[alive.len() - 1]);
        }
    }
}
