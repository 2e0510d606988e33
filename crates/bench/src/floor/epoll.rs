//! The floor on epoll.

use std::net::SocketAddr;

use rustix::event::epoll::{self, EventFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketFlags};

use super::{BEHIND_BYTES_MAX, FLUSH_BYTES, Inbound};
use crate::connect::{self, failed};

const READ_BYTES: usize = 64 * 1024;
const LISTENER: u64 = u64::MAX;

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
    /// What the socket that is read gets back.
    reply: Vec<u8>,
}

struct Connection {
    socket: OwnedFd,
    inbound: Inbound,
    /// What the socket didn't take.
    behind: Vec<u8>,
}

impl Floor {
    fn listen(address: SocketAddr, lose_every: usize) -> Result<Self, String> {
        let listener = super::listener(address, SocketFlags::NONBLOCK)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(failed("epoll_create"))?;
        epoll::add(&epoll, &listener, epoll::EventData::new_u64(LISTENER), EventFlags::IN)
            .map_err(failed("epoll_ctl"))?;
        Ok(Self {
            epoll,
            listener,
            connections: Vec::new(),
            free: Vec::new(),
            out: Vec::new(),
            flushes: 0,
            lose_every,
            buffer: vec![0; READ_BYTES].into(),
            reply: Vec::new(),
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
            let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
            epoll::add(&self.epoll, &socket, epoll::EventData::new_u64(at as u64), flags)
                .map_err(failed("epoll_ctl"))?;
            let inbound = Inbound::new(peer);
            self.connections[at] = Some(Connection { socket, inbound, behind: Vec::new() });
        }
    }

    fn ready(&mut self, at: usize, flags: EventFlags) {
        let Some(connection) = &mut self.connections[at] else { return };
        let ending = flags.intersects(EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR);
        let alive = (!flags.contains(EventFlags::OUT) || connection.write_behind())
            && (!(ending || flags.contains(EventFlags::IN))
                || connection.read(&mut self.buffer, &mut self.out, &mut self.reply, ending));
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
                && connection.inbound.open
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
    fn read(
        &mut self,
        buffer: &mut [u8],
        out: &mut Vec<u8>,
        reply: &mut Vec<u8>,
        ending: bool,
    ) -> bool {
        loop {
            match rustix::net::recv(&self.socket, &mut *buffer, RecvFlags::empty()) {
                Ok((0, _)) => return false,
                Ok((read, _)) => {
                    let mut alive = self.inbound.receive(&mut buffer[..read], out, reply);
                    if !reply.is_empty() {
                        alive &= self.send(reply);
                        reply.clear();
                    }
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
