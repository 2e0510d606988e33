//! One readiness loop a shard: the modern `select`. Edge-triggered, with one read buffer for all
//! its sockets; each loop first reads everything that is ready, then writes.

use super::inbox::Inbox;
use super::{
    ACCEPT_PAUSE, Accepted, Kind, Links, NEWCOMERS_MAX, RESET, Running, STOP_MAX, Shards, accept,
    hand_over, settle,
};
use crate::feed::{Batch, Outlet};
use crate::session::Fate;
use crate::shard::{Newcomer, Shard, ShardHandle};
use crate::tls::{ReadBuffer, Received, Stream};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use std::io;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::thread;
use std::time::Instant;
use tracing::warn;

/// What one read may bring, in bytes.
const READ_BYTES: usize = 64 * 1024;
/// Connections that one loop takes in before it looks at the others again.
const ACCEPTS_MAX: usize = 256;

const WAKER: Token = Token(usize::MAX);
/// Listeners count down from here, sockets up from 0.
const LISTENERS: usize = usize::MAX - 1;

/// Starts `shards` loops; the first one accepts for all.
///
/// # Errors
/// Whatever the system has against it.
pub fn start(shards: usize, listeners: Vec<TcpListener>, links: Links) -> io::Result<Running> {
    let mut polls = Vec::new();
    let mut handles = Vec::new();
    for _ in 0..shards {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        let length = links.context.metrics.queue("shard");
        let inbox = Arc::new(Inbox::new(length, move || waker.wake()));
        let given = inbox.clone();
        handles.push(ShardHandle::new(move |batch| given.give(batch)));
        polls.push((poll, inbox));
    }
    let mut listeners = Some(listeners);
    let mut threads = Vec::new();
    for (index, (poll, inbox)) in polls.into_iter().enumerate() {
        let engine = Engine {
            poll,
            inbox,
            shard: Shard::new(index as u16, links.context.clone(), links.readers.clone()),
            sockets: Sockets::default(),
            listeners: listeners.take().unwrap_or_default(),
            shards: Shards::new(handles.clone(), index),
            links: links.clone(),
            unread: Vec::new(),
        };
        engine.register_listeners()?;
        let thread = thread::Builder::new().name(format!("shard-{index}"));
        threads.push(thread.spawn(move || engine.run())?);
    }
    Ok(Running { kind: Kind::Event, shards: handles, threads })
}

struct Engine {
    poll: Poll,
    inbox: Arc<Inbox>,
    shard: Shard,
    sockets: Sockets,
    listeners: Vec<TcpListener>,
    shards: Shards,
    links: Links,
    /// Sockets that may have something to read. Readiness is told once, so it is kept here until
    /// a read finds nothing more.
    unread: Vec<u32>,
}

impl Engine {
    fn register_listeners(&self) -> io::Result<()> {
        for (at, listener) in self.listeners.iter().enumerate() {
            let token = Token(LISTENERS - at);
            let fd = listener.as_raw_fd();
            self.poll.registry().register(&mut SourceFd(&fd), token, Interest::READABLE)?;
        }
        Ok(())
    }

    fn run(mut self) {
        let mut events = Events::with_capacity(1024);
        let mut buffer = ReadBuffer::new(READ_BYTES);
        let mut accepting = true;
        let mut accept_again: Option<Instant> = None;
        let mut stop_by: Option<Instant> = None;
        loop {
            let now = Instant::now();
            // Newcomers are told of while accepting rests too, and wait until the rest is over.
            let busy = accepting && accept_again.is_none()
                || self.unread.iter().any(|&slot| self.shard.wants_read(slot));
            let due = [self.shard.next_deadline(), accept_again, stop_by];
            let timeout = due
                .into_iter()
                .flatten()
                .chain(busy.then_some(now))
                .min()
                .map(|due| due.saturating_duration_since(now));
            if let Err(error) = self.poll.poll(&mut events, timeout)
                && error.kind() != io::ErrorKind::Interrupted
            {
                // Without readiness there is no server; nothing is gained by going on.
                panic!("waiting for sockets failed: {error}");
            }
            let now = Instant::now();
            for event in events.iter() {
                match event.token() {
                    WAKER => {}
                    Token(token) if token > LISTENERS - self.listeners.len() => accepting = true,
                    Token(token) => {
                        let slot = token as u32;
                        if event.is_readable() || event.is_read_closed() || event.is_error() {
                            self.sockets.readable(slot, event.is_read_closed(), &mut self.unread);
                        }
                        // What TLS has pending goes first.
                        if event.is_writable() {
                            if self.sockets.flush(slot) {
                                self.shard.writable(slot);
                            } else {
                                self.shard.moving(slot, now);
                            }
                        }
                    }
                }
            }
            if accept_again.is_some_and(|again| again <= now) {
                (accepting, accept_again) = (true, None);
            }
            if accepting && accept_again.is_none() {
                accepting = self.accept(now);
                if accepting && self.listeners.is_empty() {
                    accepting = false;
                }
                if let Some(again) = self.sockets.rest.take() {
                    (accepting, accept_again) = (false, Some(again));
                }
            }
            self.read(&mut buffer, now);
            for message in self.inbox.take() {
                if let Some(newcomer) = self.shard.take(message, &mut self.sockets, now) {
                    self.adopt(newcomer, now);
                }
            }
            self.shard.handle_timeouts(now);
            // Before anything is written, which may take ms: the hub works meanwhile.
            hand_over(&mut self.shard, &self.links);
            settle(&mut self.shard, &mut self.sockets, now);
            self.carry_out();
            hand_over(&mut self.shard, &self.links);
            if self.shard.is_stopping() {
                self.listeners.clear();
                let by = *stop_by.get_or_insert(now + STOP_MAX);
                if self.shard.is_empty() || by <= now {
                    return;
                }
            }
        }
    }

    /// Takes in who waits; whether more may be waiting.
    fn accept(&mut self, now: Instant) -> bool {
        let mut left = ACCEPTS_MAX;
        for at in 0..self.listeners.len() {
            loop {
                if left == 0 {
                    return true;
                }
                left -= 1;
                match accept(&self.listeners[at], &self.links) {
                    Accepted::Nobody => break,
                    Accepted::Gone => {}
                    Accepted::Rest => {
                        self.sockets.rest = Some(now + ACCEPT_PAUSE);
                        return false;
                    }
                    Accepted::Socket(socket, peer) => {
                        let newcomer = Newcomer { socket, peer, opened: None };
                        if let Some(own) = self.shards.place(newcomer) {
                            self.adopt(own, now);
                        }
                    }
                }
            }
        }
        false
    }

    fn adopt(&mut self, newcomer: Newcomer, now: Instant) {
        let Newcomer { socket, peer, opened } = newcomer;
        let slot = self.shard.open(peer, opened, now);
        let fd = socket.as_raw_fd();
        let interest = Interest::READABLE | Interest::WRITABLE;
        // Edge-triggered: that it is writable is told once now, and from then on only after a
        // write that was cut short.
        let registered =
            self.poll.registry().register(&mut SourceFd(&fd), Token(slot as usize), interest);
        let heard_end = socket.heard_end();
        self.sockets.put(slot, socket);
        if heard_end {
            // No readiness tells of it.
            self.sockets.readable(slot, false, &mut self.unread);
        }
        if let Err(error) = registered {
            warn!(%error, "a connection could not be watched");
            self.shard.lost(slot, "could not be watched");
        }
    }

    /// Reads each ready socket once. A full read may have left something: it comes again.
    fn read(&mut self, buffer: &mut ReadBuffer, now: Instant) {
        let mut unread = std::mem::take(&mut self.unread);
        let mut newcomers = NEWCOMERS_MAX;
        unread.retain(|&slot| {
            let Some(Some(socket)) = self.sockets.sockets.get_mut(slot as usize) else {
                return false;
            };
            if !self.shard.wants_read(slot) {
                return true;
            }
            if self.shard.is_new(slot) {
                if newcomers == 0 {
                    return true;
                }
                newcomers -= 1;
            }
            match socket.stream.read(buffer) {
                Ok(Received::End) => self.shard.receive_eof(slot, now),
                Ok(Received::Bytes { bytes, more }) => {
                    if !bytes.is_empty() {
                        self.shard.receive(slot, bytes, now);
                    }
                    // A short read is a drained socket, unless the end waits behind it.
                    if more || socket.read_closed {
                        return true;
                    }
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => {}
                    io::ErrorKind::Interrupted => return true,
                    _ => self.shard.lost(slot, RESET),
                },
            }
            socket.unread = false;
            false
        });
        self.unread.append(&mut unread);
    }

    fn carry_out(&mut self) {
        for (slot, fate) in self.shard.take_fates() {
            match fate {
                Fate::Stay => {}
                Fate::ShutDown => {
                    if let Some(Some(socket)) = self.sockets.sockets.get_mut(slot as usize) {
                        socket.stream.shutdown_write();
                    }
                }
                Fate::Drop => {
                    self.sockets.take(slot);
                    self.shard.release(slot);
                }
                Fate::HandOver => {
                    let socket = self.sockets.take(slot);
                    let session = self.shard.release(slot);
                    if let (Some(socket), Some(session)) = (socket, session) {
                        let fd = socket.as_raw_fd();
                        // What can't be unwatched is closed instead, when it is dropped.
                        if self.poll.registry().deregister(&mut SourceFd(&fd)).is_ok() {
                            let peer = session.peer();
                            let newcomer = Newcomer { socket, peer, opened: None };
                            (self.links.http)(newcomer, session.into_request());
                        }
                    }
                }
            }
        }
    }
}

/// The sockets, by slot.
#[derive(Default)]
struct Sockets {
    sockets: Vec<Option<Socket>>,
    lost: Vec<(u32, &'static str)>,
    /// Accepting rests until then.
    rest: Option<Instant>,
}

struct Socket {
    stream: Stream,
    /// It stands in the list of sockets to read.
    unread: bool,
    /// The peer has ended its side.
    read_closed: bool,
}

impl Sockets {
    fn put(&mut self, slot: u32, stream: Stream) {
        let at = slot as usize;
        if self.sockets.len() <= at {
            self.sockets.resize_with(at + 1, || None);
        }
        self.sockets[at] = Some(Socket { stream, unread: false, read_closed: false });
    }

    fn take(&mut self, slot: u32) -> Option<Stream> {
        Some(self.sockets.get_mut(slot as usize)?.take()?.stream)
    }

    /// Writes what is pending on a slot's socket; whether nothing is any more.
    fn flush(&mut self, slot: u32) -> bool {
        let Some(Some(socket)) = self.sockets.get_mut(slot as usize) else { return false };
        socket.stream.flush().unwrap_or_else(|_| {
            self.lost.push((slot, RESET));
            false
        })
    }

    fn readable(&mut self, slot: u32, read_closed: bool, unread: &mut Vec<u32>) {
        let Some(Some(socket)) = self.sockets.get_mut(slot as usize) else { return };
        socket.read_closed |= read_closed;
        if !std::mem::replace(&mut socket.unread, true) {
            unread.push(slot);
        }
    }
}

impl super::Sockets for Sockets {
    fn take_lost(&mut self) -> Vec<(u32, &'static str)> {
        std::mem::take(&mut self.lost)
    }
}

impl Outlet for Sockets {
    fn send(&mut self, slot: u32, batch: &Batch<'_>) -> usize {
        let bytes = batch.bytes();
        let Some(Some(socket)) = self.sockets.get_mut(slot as usize) else { return bytes.len() };
        loop {
            match socket.stream.write(bytes) {
                Ok(count) => return count,
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return 0,
                    io::ErrorKind::Interrupted => {}
                    _ => {
                        self.lost.push((slot, RESET));
                        return bytes.len();
                    }
                },
            }
        }
    }
}
