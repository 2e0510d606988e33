//! One completion loop a shard, on Linux's io_uring: what `event` asks system call by system call
//! is asked in batches here. Sockets are read into buffers that the kernel picks when something
//! comes in, without being asked each time; and one message for a room goes to hundreds of sockets
//! in one way into the kernel.

mod ring;

use super::inbox::Inbox;
use super::{
    ACCEPT_PAUSE, Kind, Links, NEWCOMERS_MAX, RESET, Running, STOP_MAX, Shards, hand_over, settle,
};
use crate::feed::{Batch, Outlet};
use crate::session::Fate;
use crate::shard::{Newcomer, Shard, ShardHandle};
use crate::tls::Stream;
use ring::{Completion, Ring, What};
use rustix::event::{EventfdFlags, eventfd};
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

/// What is handed on at once of bytes that were held, as many as `event` reads.
const READ_BYTES: usize = 64 * 1024;
/// So few sends are cheaper by themselves.
const ALONE_MAX: usize = 2;

/// Rings for so many shards, which nothing has been asked of yet.
pub struct Rings(Vec<Ring>);

/// Makes the rings.
///
/// # Errors
/// This system has no io_uring that is new enough, or doesn't let us use it.
pub fn rings(shards: usize) -> io::Result<Rings> {
    (0..shards).map(|_| Ring::new()).collect::<io::Result<_>>().map(Rings)
}

/// Starts a loop for each ring; the first one accepts for all.
///
/// # Errors
/// Whatever the system has against it.
pub fn start(
    Rings(rings): Rings,
    listeners: Vec<TcpListener>,
    links: Links,
) -> io::Result<Running> {
    let mut shards = Vec::new();
    let mut handles = Vec::new();
    for ring in rings {
        let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let wake = {
            let bell = bell.clone();
            move || Ok(rustix::io::write(&*bell, &1_u64.to_ne_bytes()).map(drop)?)
        };
        let inbox = Arc::new(Inbox::new(links.context.metrics.queue("shard"), wake));
        let given = inbox.clone();
        handles.push(ShardHandle::new(move |batch| given.give(batch)));
        shards.push((ring, bell, inbox));
    }
    let mut listeners = Some(listeners);
    let mut threads = Vec::new();
    for (index, (ring, bell, inbox)) in shards.into_iter().enumerate() {
        let engine = Engine {
            shard: Shard::new(index as u16, links.context.clone(), links.readers.clone()),
            sockets: Sockets {
                ring,
                sockets: Vec::new(),
                lost: Vec::new(),
                idle: Vec::new(),
                has_tls: false,
            },
            bell,
            inbox,
            listeners: listeners
                .take()
                .unwrap_or_default()
                .into_iter()
                .map(Listener::new)
                .collect(),
            shards: Shards::new(handles.clone(), index),
            links: links.clone(),
            left: Vec::new(),
            newcomers: NEWCOMERS_MAX,
            plaintext: Vec::new(),
        };
        let thread = thread::Builder::new().name(format!("shard-{index}"));
        threads.push(thread.spawn(move || engine.run())?);
    }
    Ok(Running { kind: Kind::Uring, shards: handles, threads })
}

struct Listener {
    socket: TcpListener,
    accepting: bool,
}

impl Listener {
    fn new(socket: TcpListener) -> Self {
        Self { socket, accepting: false }
    }
}

struct Engine {
    shard: Shard,
    sockets: Sockets,
    bell: Arc<OwnedFd>,
    inbox: Arc<Inbox>,
    listeners: Vec<Listener>,
    shards: Shards,
    links: Links,
    /// Slots whose sockets are leaving, and of which nothing is asked any more.
    left: Vec<u32>,
    /// So many more that nobody knows yet are heard in this iteration.
    newcomers: usize,
    /// What TLS makes of what a socket brought.
    plaintext: Vec<u8>,
}

impl Engine {
    fn run(mut self) {
        if let Err(error) = self.sockets.ring.enable() {
            // It was made for this, and on a system that could make it.
            panic!("io_uring can't begin: {error}");
        }
        self.sockets.ring.watch_bell(self.bell.as_raw_fd());
        let mut done = Vec::new();
        let mut accept_again: Option<Instant> = None;
        let mut stop_by: Option<Instant> = None;
        loop {
            let now = Instant::now();
            if accept_again.is_none_or(|again| again <= now) {
                accept_again = None;
                for (of, listener) in self.listeners.iter_mut().enumerate() {
                    if !std::mem::replace(&mut listener.accepting, true) {
                        self.sockets.ring.accept(listener.socket.as_raw_fd(), of as u32);
                    }
                }
            }
            self.newcomers = NEWCOMERS_MAX;
            let busy = self.read_idle(now);
            let due = [self.shard.next_deadline(), accept_again, stop_by];
            let due = due.into_iter().flatten().chain(busy.then_some(now)).min();
            let timeout = due.map(|due| due.saturating_duration_since(now));
            self.sockets.ring.wait(timeout, &mut done);
            let now = Instant::now();
            for completion in done.drain(..) {
                match completion.what {
                    What::Receive => self.received(completion, now),
                    What::Writable => self.writable(completion, now),
                    What::Accept => {
                        if !self.accepted(completion, now) {
                            accept_again = Some(now + ACCEPT_PAUSE);
                        }
                    }
                    What::Wake => {
                        if !completion.more {
                            self.sockets.ring.watch_bell(self.bell.as_raw_fd());
                        }
                    }
                }
            }
            for message in self.inbox.take() {
                if let Some(newcomer) = self.shard.take(message, &mut self.sockets, now) {
                    self.adopt(newcomer, now);
                }
            }
            self.shard.handle_timeouts(now);
            // Before anything is written, which may take ms: the hub works meanwhile.
            hand_over(&mut self.shard, &self.links);
            settle(&mut self.shard, &mut self.sockets, now);
            self.carry_out(now);
            hand_over(&mut self.shard, &self.links);
            if self.shard.is_stopping() {
                for listener in self.listeners.drain(..) {
                    self.sockets.ring.cancel(listener.socket.as_raw_fd());
                    // Submitted now, while the descriptor is still that listener's.
                    self.sockets.ring.submit();
                }
                let by = *stop_by.get_or_insert(now + STOP_MAX);
                if self.shard.is_empty() || by <= now {
                    return;
                }
            }
        }
    }

    /// Takes in a connection; whether accepting may go on at once.
    fn accepted(&mut self, Completion { of, result, more, .. }: Completion, now: Instant) -> bool {
        if let Some(listener) = self.listeners.get_mut(of as usize) {
            listener.accepting = more;
        }
        if result == -libc::ECANCELED {
            return true;
        }
        if result < 0 {
            return super::accept_failed(&io::Error::from_raw_os_error(-result));
        }
        // SAFETY: the kernel has just made this descriptor for us, and nobody else has it.
        let socket = unsafe { TcpStream::from_raw_fd(result) };
        // One that is gone already has no peer.
        let Ok(peer) = socket.set_nodelay(true).and_then(|()| socket.peer_addr()) else {
            return true;
        };
        let Some(socket) = self.links.stream(socket) else { return true };
        if self.listeners.is_empty() {
            // Nobody is taken in any more.
            return true;
        }
        if let Some(own) = self.shards.place(Newcomer { socket, peer, opened: None }) {
            self.adopt(own, now);
        }
        true
    }

    fn adopt(&mut self, newcomer: Newcomer, now: Instant) {
        let Newcomer { socket, peer, opened } = newcomer;
        let slot = self.shard.open(peer, opened, now);
        let heard_end = socket.heard_end();
        self.sockets.put(slot, socket);
        let Some(Some(socket)) = self.sockets.sockets.get_mut(slot as usize) else { return };
        socket.watch_pending(slot, &mut self.sockets.ring);
        if heard_end {
            // Nothing that the socket brings tells of it.
            socket.ended = true;
            self.shard.receive_eof(slot, now);
        }
    }

    /// A slot's socket was read.
    fn received(&mut self, completion: Completion, now: Instant) {
        let Completion { of: slot, result, more, buffer, .. } = completion;
        let Sockets { ring, sockets, idle, .. } = &mut self.sockets;
        // A slot is given back only after its last completion.
        let Some(Some(socket)) = sockets.get_mut(slot as usize) else { return };
        socket.receiving = more;
        let leaving = socket.leaving.is_some();
        if !more && !leaving {
            idle.push(slot);
        }
        match result {
            1.. => {
                let Some(buffer) = buffer else { return };
                let bytes = ring.bytes(buffer, result as usize);
                if socket.ended {
                    // What comes after the end is for nobody.
                } else if leaving || socket.held.is_some() {
                    socket.held.get_or_insert_default().bytes.extend_from_slice(bytes);
                } else if !self.shard.wants_read(slot)
                    || self.shard.is_new(slot) && self.newcomers == 0
                {
                    socket.held.get_or_insert_default().bytes.extend_from_slice(bytes);
                    if more {
                        idle.push(slot);
                        ring.cancel(socket.stream.as_raw_fd());
                    }
                } else {
                    self.newcomers -= usize::from(self.shard.is_new(slot));
                    socket.hand_on(slot, bytes, &mut self.plaintext, &mut self.shard, now);
                    socket.watch_pending(slot, ring);
                }
                ring.give_back(buffer);
            }
            0 if socket.ended => {}
            0 => {
                socket.ended = true;
                if socket.held.is_none() && !leaving {
                    self.shard.receive_eof(slot, now);
                }
            }
            _ => match -result {
                // Called off, or there was no buffer left: it is asked again.
                libc::ECANCELED | libc::ENOBUFS | libc::EINTR | libc::EAGAIN => {}
                _ => {
                    socket.ended = true;
                    self.shard.lost(slot, RESET);
                }
            },
        }
        self.note_left(slot);
    }

    fn writable(&mut self, Completion { of: slot, result, .. }: Completion, now: Instant) {
        if let Some(Some(socket)) = self.sockets.sockets.get_mut(slot as usize) {
            socket.watched = false;
            // What TLS has pending goes first.
            match socket.stream.flush() {
                // Nothing more is written to it.
                Ok(_) if socket.leaving.is_some() => {}
                Ok(true) => self.shard.writable(slot),
                Ok(false) => {
                    // One that was called off along with a read says nothing of the peer.
                    if result >= 0 {
                        self.shard.moving(slot, now);
                    }
                    socket.watch_pending(slot, &mut self.sockets.ring);
                }
                Err(_) => self.shard.lost(slot, RESET),
            }
        }
        self.note_left(slot);
    }

    /// Hands on what was held while it wasn't wanted, and asks for more of the sockets whose
    /// requests have ended; whether a slot wants more of what is held still.
    fn read_idle(&mut self, now: Instant) -> bool {
        let mut busy = false;
        let mut idle = std::mem::take(&mut self.sockets.idle);
        idle.retain(|&slot| {
            let Some(Some(socket)) = self.sockets.sockets.get_mut(slot as usize) else {
                return false;
            };
            let over = socket.receiving || socket.ended;
            if socket.leaving.is_some() || socket.held.is_none() && over {
                return false;
            }
            if !self.shard.wants_read(slot) {
                return true;
            }
            if let Some(held) = &mut socket.held {
                if self.shard.is_new(slot) {
                    if self.newcomers == 0 {
                        busy = true;
                        return true;
                    }
                    self.newcomers -= 1;
                }
                busy = true;
                let (mut bytes, is_all) = held.next();
                if is_all {
                    socket.held = None;
                }
                // The end may have come already, and is told after what came before it.
                let ended = std::mem::take(&mut socket.ended);
                socket.hand_on(slot, &mut bytes, &mut self.plaintext, &mut self.shard, now);
                socket.watch_pending(slot, &mut self.sockets.ring);
                if !is_all {
                    socket.ended = ended;
                    return true;
                }
                if ended && !std::mem::replace(&mut socket.ended, true) {
                    self.shard.receive_eof(slot, now);
                }
            }
            if socket.ended || socket.receiving {
                return false;
            }
            if self.shard.wants_read(slot) {
                socket.receiving = true;
                self.sockets.ring.receive(socket.stream.as_raw_fd(), slot);
                return false;
            }
            true
        });
        self.sockets.idle.append(&mut idle);
        busy
    }

    /// Does what the shard says of sockets. One that goes is first let go by the kernel.
    fn carry_out(&mut self, now: Instant) {
        for (slot, fate) in self.shard.take_fates() {
            let Some(Some(socket)) = self.sockets.sockets.get_mut(slot as usize) else { continue };
            match fate {
                Fate::Stay => {}
                Fate::ShutDown => {
                    socket.stream.shutdown_write();
                    socket.watch_pending(slot, &mut self.sockets.ring);
                }
                Fate::Drop | Fate::HandOver => {
                    let asked = socket.receiving || socket.watched;
                    if socket.leaving.replace(fate).is_none() && asked {
                        self.sockets.ring.cancel(socket.stream.as_raw_fd());
                    }
                    self.note_left(slot);
                }
            }
        }
        for slot in std::mem::take(&mut self.left) {
            self.leave(slot, now);
        }
    }

    fn note_left(&mut self, slot: u32) {
        if let Some(Some(socket)) = self.sockets.sockets.get(slot as usize)
            && socket.leaving.is_some()
            && !socket.receiving
            && !socket.watched
        {
            self.left.push(slot);
        }
    }

    fn leave(&mut self, slot: u32, now: Instant) {
        let Some(mut socket) = self.sockets.take(slot) else { return };
        if socket.leaving == Some(Fate::HandOver)
            && let Some(mut held) = socket.held.take()
        {
            // Came in after its request, and is for whoever answers it.
            socket.hand_on(slot, held.rest(), &mut self.plaintext, &mut self.shard, now);
        }
        let session = self.shard.release(slot);
        if socket.leaving == Some(Fate::HandOver)
            && let Some(session) = session
        {
            let newcomer = Newcomer { socket: socket.stream, peer: session.peer(), opened: None };
            (self.links.http)(newcomer, session.into_request());
        }
    }
}

/// The sockets, by slot, and the ring by which they are served.
struct Sockets {
    ring: Ring,
    sockets: Vec<Option<Socket>>,
    lost: Vec<(u32, &'static str)>,
    /// Slots that aren't being read.
    idle: Vec<u32>,
    /// TLS is or was spoken with somebody.
    has_tls: bool,
}

struct Socket {
    stream: Stream,
    /// The kernel reads it.
    receiving: bool,
    /// The kernel tells when it has room.
    watched: bool,
    /// It will bring nothing more.
    ended: bool,
    /// What is to become of it once the kernel has let it go.
    leaving: Option<Fate>,
    /// What it brought while its session didn't read.
    held: Option<Box<Held>>,
}

/// Bytes that came in while nobody wanted them.
#[derive(Default)]
struct Held {
    bytes: Vec<u8>,
    /// So many were handed on: `at <= bytes.len()`.
    at: usize,
}

impl Held {
    fn rest(&mut self) -> &mut [u8] {
        &mut self.bytes[self.at..]
    }

    /// As much as one read brings, and whether that is all there is.
    fn next(&mut self) -> (Vec<u8>, bool) {
        let from = self.at;
        self.at = self.bytes.len().min(from + READ_BYTES);
        (self.bytes[from..self.at].to_vec(), self.at == self.bytes.len())
    }
}

impl Socket {
    /// Gives what the socket brought to its session, as TLS reads it where that is spoken.
    fn hand_on(
        &mut self,
        slot: u32,
        bytes: &mut [u8],
        plaintext: &mut Vec<u8>,
        shard: &mut Shard,
        now: Instant,
    ) {
        match self.stream.receive(bytes, plaintext) {
            Ok([]) => {}
            Ok(bytes) => shard.receive(slot, bytes, now),
            Err(_) => return shard.lost(slot, RESET),
        }
        if self.stream.heard_end() && !std::mem::replace(&mut self.ended, true) {
            shard.receive_eof(slot, now);
        }
    }

    /// Has the kernel tell of room for what TLS has pending.
    fn watch_pending(&mut self, slot: u32, ring: &mut Ring) {
        if self.stream.has_pending() {
            self.watch(slot, ring);
        }
    }

    /// Nothing new is asked of a socket that leaves: what was asked has been called off, once.
    fn watch(&mut self, slot: u32, ring: &mut Ring) {
        if self.leaving.is_none() && !std::mem::replace(&mut self.watched, true) {
            ring.watch_writable(self.stream.as_raw_fd(), slot);
        }
    }

    /// What came of a send: how many bytes the socket took; none if it failed.
    fn taken(&mut self, slot: u32, ring: &mut Ring, len: usize, result: i32) -> Option<usize> {
        let taken = match -result {
            ..=0 => result as usize,
            libc::EAGAIN | libc::EINTR => 0,
            _ => return None,
        };
        if taken < len || self.stream.has_pending() {
            self.watch(slot, ring);
        }
        Some(taken)
    }
}

impl Sockets {
    fn put(&mut self, slot: u32, stream: Stream) {
        self.has_tls |= stream.is_secure();
        let at = slot as usize;
        if self.sockets.len() <= at {
            self.sockets.resize_with(at + 1, || None);
        }
        self.sockets[at] = Some(Socket {
            stream,
            receiving: false,
            watched: false,
            ended: false,
            leaving: None,
            held: None,
        });
        self.idle.push(slot);
    }

    fn take(&mut self, slot: u32) -> Option<Socket> {
        self.sockets.get_mut(slot as usize)?.take()
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
        let result = match socket.stream.write(bytes) {
            Ok(count) => count as i32,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => -libc::EAGAIN,
            Err(error) => -error.raw_os_error().unwrap_or(libc::EIO),
        };
        socket.taken(slot, &mut self.ring, bytes.len(), result).unwrap_or_else(|| {
            self.lost.push((slot, RESET));
            bytes.len()
        })
    }

    fn send_to_all(&mut self, slots: &[u32], batch: &Batch<'_>, cuts: &mut Vec<(u32, usize)>) {
        let len = batch.bytes().len();
        if slots.len() <= ALONE_MAX || self.has_tls {
            for &slot in slots {
                let taken = self.send(slot, batch);
                if taken < len {
                    cuts.push((slot, taken));
                }
            }
            return;
        }
        let Self { ring, sockets, lost, .. } = self;
        let to = slots.iter().filter_map(|&slot| {
            let socket = sockets.get(slot as usize)?.as_ref()?;
            Some((slot, socket.stream.as_raw_fd()))
        });
        let mut short = Vec::new();
        ring.send(to, batch.bytes(), |slot, result| {
            if result != len as i32 {
                short.push((slot, result));
            }
        });
        for (slot, result) in short {
            let Some(Some(socket)) = sockets.get_mut(slot as usize) else { continue };
            match socket.taken(slot, ring, len, result) {
                Some(taken) => cuts.push((slot, taken)),
                None => lost.push((slot, RESET)),
            }
        }
    }
}
