//! Engines own sockets and wait; nothing else. All run the same shards' logic and the same tests.

pub mod event;
mod inbox;
pub mod threads;
#[cfg(target_os = "linux")]
pub mod uring;

use crate::feed::Outlet;
use crate::readers::Readers;
use crate::session::Context;
use crate::shard::{Newcomer, Shard, ShardHandle, ToShard};
use crate::tls::{Certificate, Stream};
use damso_chat::hub::Input;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tracing::{info, warn};

/// After running out of descriptors or memory, accepting rests so long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Sockets of sessions that nobody knows yet which one iteration reads ([`Shard::is_new`]).
const NEWCOMERS_MAX: usize = 32;

/// Why a connection is over whose socket failed.
const RESET: &str = "the connection was reset";

/// How long a stopping engine waits for its connections to end.
const STOP_MAX: Duration = Duration::from_secs(2);

/// Which engine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A readiness loop in shards: the modern `select`.
    Event,
    /// A thread per connection.
    Threads,
    /// A completion loop in shards, on Linux's io_uring.
    Uring,
    /// [`Kind::Uring`] where the system lets us, else [`Kind::Event`].
    Auto,
}

impl Kind {
    /// Its name, as it is given to `--engine`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Threads => "threads",
            Self::Uring => "uring",
            Self::Auto => "auto",
        }
    }
}

/// Where an engine's connections lead.
#[derive(Clone)]
pub struct Links {
    /// What sessions share.
    pub context: Arc<Context>,
    /// Takes batches of inputs; none where there is nothing behind (`damso echo`).
    pub hub: Arc<dyn Fn(Vec<Input>) + Send + Sync>,
    /// Read back what has left memory.
    pub readers: Readers,
    /// Takes connections that ask for a page: the socket, its peer and what it has sent.
    pub http: Arc<dyn Fn(Newcomer, Vec<u8>) + Send + Sync>,
    /// What the server shows of itself by TLS, if that is what it speaks.
    pub tls: Option<Arc<Certificate>>,
}

impl Links {
    /// What is spoken over a socket that was accepted; none if there can't be any TLS.
    fn stream(&self, socket: TcpStream) -> Option<Stream> {
        Some(match &self.tls {
            None => Stream::new(socket, None),
            Some(certificate) => Stream::new(socket, Some(certificate.accept()?)),
        })
    }
}

/// An engine that runs.
pub struct Running {
    /// Which one it is; never [`Kind::Auto`].
    pub kind: Kind,
    /// Its shards, by their index.
    pub shards: Vec<ShardHandle>,
    /// Its threads; they end after a stop.
    pub threads: Vec<JoinHandle<()>>,
}

/// Starts an engine on listeners (bound, non-blocking). Where io_uring is refused, as by an old
/// kernel or a container's seccomp, it is [`Kind::Event`].
///
/// # Errors
/// Whatever the system has against it.
pub fn start(
    kind: Kind,
    shards: usize,
    listeners: Vec<TcpListener>,
    links: Links,
) -> io::Result<Running> {
    match kind {
        Kind::Event => event::start(shards, listeners, links),
        Kind::Threads => threads::start(listeners, links),
        Kind::Uring | Kind::Auto => {
            #[cfg(target_os = "linux")]
            let refused = match uring::rings(shards) {
                Ok(rings) => return uring::start(rings, listeners, links),
                Err(error) => error,
            };
            #[cfg(not(target_os = "linux"))]
            let refused = io::Error::from(io::ErrorKind::Unsupported);
            if kind == Kind::Uring {
                warn!(error = %refused, "this system refuses io_uring; --engine event serves instead");
            } else {
                info!(error = %refused, "this system refuses io_uring; --engine event serves");
            }
            event::start(shards, listeners, links)
        }
    }
}

/// All shards of an engine, as the one that accepts for them sees them: newcomers go round.
struct Shards {
    handles: Vec<ShardHandle>,
    own: usize,
    next: usize,
}

impl Shards {
    fn new(handles: Vec<ShardHandle>, own: usize) -> Self {
        Self { handles, own, next: 0 }
    }

    /// Gives a connection to the shard whose turn it is; back, if that is the caller's own.
    fn place(&mut self, newcomer: Newcomer) -> Option<Newcomer> {
        let shard = self.next % self.handles.len();
        self.next = shard + 1;
        if shard == self.own {
            return Some(newcomer);
        }
        self.handles[shard].give(vec![ToShard::Adopt(newcomer)]);
        None
    }
}

/// An engine's sockets, by slot, as far as their shard's writing goes.
trait Sockets: Outlet {
    /// Those that failed while they were written to, and how, since it was asked last.
    fn take_lost(&mut self) -> Vec<(u32, &'static str)>;
}

/// Gives the hub what a shard has for it.
fn hand_over(shard: &mut Shard, links: &Links) {
    let hub = shard.take_hub();
    if !hub.is_empty() {
        (links.hub)(hub);
    }
}

/// Writes everything that can be written now, and whatever follows from sockets that fail in it.
fn settle(shard: &mut Shard, sockets: &mut impl Sockets, now: Instant) {
    shard.settle(sockets, now);
    loop {
        let lost = sockets.take_lost();
        if lost.is_empty() {
            return;
        }
        for (slot, why) in lost {
            shard.lost(slot, why);
        }
        shard.settle(sockets, now);
    }
}

/// What came of an attempt to accept.
enum Accepted {
    /// A connection.
    Socket(Stream, SocketAddr),
    /// Nobody is waiting.
    Nobody,
    /// A connection that was gone before it was taken in; others may wait.
    Gone,
    /// The system has no descriptor or memory for it: rest for [`ACCEPT_PAUSE`].
    Rest,
}

/// Takes in one connection. No error of it ends a server: each is logged, and accepting goes on,
/// after a rest where the system has run out of something.
fn accept(listener: &TcpListener, links: &Links) -> Accepted {
    match listener.accept() {
        Ok((socket, peer)) => {
            let ready = socket.set_nonblocking(true).and_then(|()| socket.set_nodelay(true));
            match ready.ok().and_then(|()| links.stream(socket)) {
                Some(stream) => Accepted::Socket(stream, peer),
                None => Accepted::Gone,
            }
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Accepted::Nobody,
        Err(error) if accept_failed(&error) => Accepted::Gone,
        Err(_) => Accepted::Rest,
    }
}

/// Logs why a connection wasn't taken in; whether accepting may go on without a rest.
fn accept_failed(error: &io::Error) -> bool {
    use rustix::io::Errno;
    if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted) {
        return true;
    }
    let out = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    if out.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error())) {
        warn!(%error, "cannot take in another connection; trying again");
        return false;
    }
    // accept(2): errors that are pending on the new socket come out here too.
    warn!(%error, "a connection could not be taken in");
    true
}
