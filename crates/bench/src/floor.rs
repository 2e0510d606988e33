//! The least a server can do on epoll: no rooms, no names, no checks; each subscriber gets the iteration's one shared
//! buffer in one send. What a real server needs beyond this is what it adds.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};

use rustix::event::epoll::{self, EventFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};

use crate::connect::{self, failed};
use crate::wire::{self, Header};

const READ_BYTES: usize = 64 * 1024;
/// A buffer of more than this is sent before the next socket is read.
const FLUSH_BYTES: usize = 256 * 1024;
/// A reader that is further behind is dropped.
const BEHIND_BYTES_MAX: usize = 16 << 20;
const HEAD_BYTES_MAX: usize = 16 * 1024;
const LISTENER: u64 = u64::MAX;

/// `lose_every`: of so many buffers, one isn't sent to one subscriber. For testing the check; 0 loses nothing.
pub fn run(listen: SocketAddr, lose_every: usize) -> Result<(), String> {
    let mut floor = Floor::listen(listen, lose_every)?;
    let mut events = Vec::with_capacity(1024);
    loop {
        connect::wait(&floor.epoll, &mut events, -1)?;
        for event in &events {
            match event.data.u64() {
                LISTENER => floor.accept()?,
                at => floor.ready(at as usize, event.flags),
            }
            if floor.out.len() > FLUSH_BYTES {
                floor.flush();
            }
        }
        floor.flush();
    }
}

struct Floor {
    epoll: OwnedFd,
    listener: OwnedFd,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    /// What this iteration brings to everybody.
    out: Vec<u8>,
    flushes: usize,
    lose_every: usize,
    buffer: Box<[u8]>,
}

struct Connection {
    socket: OwnedFd,
    prefix: Vec<u8>,
    open: bool,
    /// The beginning of a head or a frame.
    input: Vec<u8>,
    /// What the socket didn't take.
    behind: Vec<u8>,
}

impl Floor {
    fn listen(address: SocketAddr, lose_every: usize) -> Result<Self, String> {
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let listener = rustix::net::socket_with(family, SocketType::STREAM, flags, None)
            .map_err(failed("socket"))?;
        sockopt::set_socket_reuseaddr(&listener, true).map_err(failed("SO_REUSEADDR"))?;
        rustix::net::bind(&listener, &address).map_err(failed("bind"))?;
        rustix::net::listen(&listener, 4096).map_err(failed("listen"))?;
        let bound = rustix::net::getsockname(&listener).map_err(failed("getsockname"))?;
        let bound = SocketAddr::try_from(bound).map_err(failed("getsockname"))?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(failed("epoll_create"))?;
        epoll::add(&epoll, &listener, epoll::EventData::new_u64(LISTENER), EventFlags::IN)
            .map_err(failed("epoll_ctl"))?;
        println!("floor listening on http://{bound}");
        std::io::stdout().flush().map_err(|error| error.to_string())?;
        Ok(Self {
            epoll,
            listener,
            connections: Vec::new(),
            free: Vec::new(),
            out: Vec::new(),
            flushes: 0,
            lose_every,
            buffer: vec![0; READ_BYTES].into(),
        })
    }

    fn accept(&mut self) -> Result<(), String> {
        loop {
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            let (socket, peer) = match rustix::net::acceptfrom_with(&self.listener, flags) {
                Ok((socket, Some(peer))) => (socket, peer),
                Err(Errno::AGAIN) => return Ok(()),
                Ok((_, None)) | Err(Errno::INTR | Errno::CONNABORTED) => continue,
                Err(error) => return Err(failed("accept")(error)),
            };
            let Ok(peer) = SocketAddr::try_from(peer) else { continue };
            let at = self.free.pop().unwrap_or_else(|| {
                self.connections.push(None);
                self.connections.len() - 1
            });
            sockopt::set_tcp_nodelay(&socket, true).map_err(failed("TCP_NODELAY"))?;
            let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
            epoll::add(&self.epoll, &socket, epoll::EventData::new_u64(at as u64), flags)
                .map_err(failed("epoll_ctl"))?;
            let prefix = match peer.ip() {
                IpAddr::V4(address) => format!("{address}:{} :: ", peer.port()),
                IpAddr::V6(_) => format!("{peer} :: "),
            }
            .into_bytes();
            let (input, behind) = (Vec::new(), Vec::new());
            self.connections[at] = Some(Connection { socket, prefix, open: false, input, behind });
        }
    }

    fn ready(&mut self, at: usize, flags: EventFlags) {
        let Some(connection) = &mut self.connections[at] else { return };
        let ending = flags.intersects(EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR);
        let alive = (!flags.contains(EventFlags::OUT) || connection.write_behind())
            && (!(ending || flags.contains(EventFlags::IN))
                || connection.read(&mut self.buffer, &mut self.out, ending));
        if !alive {
            self.connections[at] = None;
            self.free.push(at);
        }
    }

    fn flush(&mut self) {
        if self.out.is_empty() {
            return;
        }
        self.flushes += 1;
        let loses = self.lose_every != 0 && self.flushes.is_multiple_of(self.lose_every);
        let loser = loses.then_some(self.flushes % self.connections.len());
        for (at, slot) in self.connections.iter_mut().enumerate() {
            if let Some(connection) = slot
                && connection.open
                && loser != Some(at)
                && !connection.send(&self.out)
            {
                *slot = None;
                self.free.push(at);
            }
        }
        self.out.clear();
    }
}

/// All methods: false when the connection is over.
impl Connection {
    fn read(&mut self, buffer: &mut [u8], out: &mut Vec<u8>, ending: bool) -> bool {
        loop {
            match rustix::net::recv(&self.socket, &mut *buffer, RecvFlags::empty()) {
                Ok((0, _)) => return false,
                Ok((read, _)) => {
                    let input = &mut buffer[..read];
                    let alive = if self.input.is_empty() {
                        self.take(input, out)
                    } else {
                        let mut whole = std::mem::take(&mut self.input);
                        whole.extend_from_slice(input);
                        self.take(&mut whole, out)
                    };
                    if !alive || (read < READ_BYTES && !ending) {
                        return alive;
                    }
                }
                Err(Errno::AGAIN) => return true,
                Err(Errno::INTR) => {}
                Err(_) => return false,
            }
        }
    }

    fn take(&mut self, input: &mut [u8], out: &mut Vec<u8>) -> bool {
        let mut at = 0;
        if !self.open {
            let Some(end) = wire::head_end(input) else {
                self.input.extend_from_slice(input);
                return self.input.len() <= HEAD_BYTES_MAX;
            };
            let head = String::from_utf8_lossy(&input[..end]);
            let Some(key) = wire::field(&head, "sec-websocket-key") else { return false };
            let answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: {}\r\n\r\n",
                wire::accept(key)
            );
            if !self.send(answer.as_bytes()) {
                return false;
            }
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
                    let mut pong = Vec::new();
                    wire::put_header(&mut pong, wire::PONG, payload.len(), None);
                    pong.extend_from_slice(payload);
                    if !self.send(&pong) {
                        return false;
                    }
                }
                wire::CLOSE => {
                    let mut close = Vec::new();
                    wire::put_header(&mut close, wire::CLOSE, payload.len().min(2), None);
                    close.extend_from_slice(&payload[..payload.len().min(2)]);
                    self.send(&close);
                    return false;
                }
                _ => {}
            }
            at += header.frame_bytes();
        }
        self.input.extend_from_slice(&input[at..]);
        true
    }

    fn send(&mut self, bytes: &[u8]) -> bool {
        if !self.behind.is_empty() {
            self.behind.extend_from_slice(bytes);
            return self.behind.len() <= BEHIND_BYTES_MAX;
        }
        match rustix::net::send(&self.socket, bytes, SendFlags::NOSIGNAL) {
            Ok(sent) => self.behind.extend_from_slice(&bytes[sent..]),
            Err(Errno::AGAIN | Errno::INTR) => self.behind.extend_from_slice(bytes),
            Err(_) => return false,
        }
        // A short send means that the socket is full: its edge is still to come.
        true
    }

    fn write_behind(&mut self) -> bool {
        while !self.behind.is_empty() {
            match rustix::net::send(&self.socket, &self.behind, SendFlags::NOSIGNAL) {
                Ok(sent) => drop(self.behind.drain(..sent)),
                Err(Errno::AGAIN) => return true,
                Err(Errno::INTR) => {}
                Err(_) => return false,
            }
        }
        true
    }
}
