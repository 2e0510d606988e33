//! A thread a connection. Each waits for its socket and for its mailbox, and is the only one that
//! writes to its socket. One more thread accepts, and one runs the relay that feeds the mailboxes.

use super::{ACCEPT_PAUSE, Accepted, Kind, Links, RESET, Running, STOP_MAX, accept};
use crate::metrics::Figure;
use crate::relay::{Desktop, Mailbox, Relay, ToRelay};
use crate::session::Fate;
use crate::shard::{Newcomer, ShardHandle, ToShard};
use crate::tls::{ReadBuffer, Received, Stream};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};
use tracing::warn;

/// What one read may bring, in bytes.
const READ_BYTES: usize = 16 * 1024;
/// The stack of a connection's thread, in bytes: nothing recursive runs there.
const STACK_BYTES: usize = 256 * 1024;

/// Starts the relay and the acceptor; each connection will get its thread.
///
/// # Errors
/// Whatever the system has against it.
pub fn start(listeners: Vec<TcpListener>, links: Links) -> io::Result<Running> {
    let (sender, receiver) = mpsc::channel();
    // A relay that has ended takes nothing, and nothing is owed to it.
    let length = links.context.metrics.queue("shard");
    let give = {
        let length = length.clone();
        Arc::new(move |messages: Vec<ToFanOut>| {
            length.add(messages.len() as u64);
            drop(sender.send(messages));
        })
    };
    let handle = {
        let give = give.clone();
        ShardHandle::new(move |batch: Vec<ToShard>| {
            give(
                batch.into_iter().map(|message| ToFanOut::Relay(ToRelay::Shard(message))).collect(),
            );
        })
    };
    let stop = Arc::new(Bell::new()?);
    let mut threads = Vec::new();
    let acceptor = thread::Builder::new().name("accept".into());
    threads.push(acceptor.spawn({
        let (give, stop, links) = (give.clone(), stop.clone(), links.clone());
        let give = move |newcomer, bell| give(vec![ToFanOut::Accepted(newcomer, bell)]);
        move || accept_all(&listeners, &links, give, &stop)
    })?);
    let relay = Arc::new(move |message| give(vec![ToFanOut::Relay(message)]));
    let fan_out = thread::Builder::new().name("fan-out".into());
    threads.push(fan_out.spawn(move || run_relay(&receiver, &length, &links, relay, &stop))?);
    Ok(Running { kind: Kind::Threads, shards: vec![handle], threads })
}

/// Everything that can move the thread of the relay.
enum ToFanOut {
    Relay(ToRelay),
    /// A connection from outside. It brings its bell: of its two descriptors neither is taken
    /// without the other, so who has to wait for one waits in the listener's queue.
    Accepted(Newcomer, Bell),
}

/// Wakes a thread that polls: an eventfd, or a pipe where there is none.
struct Bell {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    event: OwnedFd,
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pipe: (OwnedFd, OwnedFd),
}

impl Bell {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn new() -> io::Result<Self> {
        use rustix::event::{EventfdFlags, eventfd};
        Ok(Self { event: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)? })
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn new() -> io::Result<Self> {
        use rustix::io::{FdFlags, fcntl_setfd, ioctl_fionbio};
        let pipe = rustix::pipe::pipe()?;
        for end in [&pipe.0, &pipe.1] {
            fcntl_setfd(end, FdFlags::CLOEXEC)?;
            ioctl_fionbio(end, true)?;
        }
        Ok(Self { pipe })
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn ends(&self) -> (&OwnedFd, &OwnedFd) {
        (&self.event, &self.event)
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn ends(&self) -> (&OwnedFd, &OwnedFd) {
        (&self.pipe.0, &self.pipe.1)
    }

    fn ring(&self) {
        // If it can't take more, it is ringing already.
        let _ = rustix::io::write(self.ends().1, &1_u64.to_ne_bytes());
    }

    fn silence(&self) {
        let _ = rustix::io::read(self.ends().0, &mut [0; 64]);
    }
}

fn run_relay(
    receiver: &mpsc::Receiver<Vec<ToFanOut>>,
    length: &Figure,
    links: &Links,
    give: Arc<dyn Fn(ToRelay) + Send + Sync>,
    stop: &Bell,
) {
    let mut relay = Relay::new(&links.context, links.readers.clone());
    let mut stop_by: Option<Instant> = None;
    loop {
        let first = match stop_by {
            None => receiver.recv().ok(),
            Some(by) => receiver.recv_timeout(by.saturating_duration_since(Instant::now())).ok(),
        };
        for batch in first.into_iter().chain(receiver.try_iter()) {
            length.take(batch.len() as u64);
            for message in batch {
                let (newcomer, bell) = match message {
                    ToFanOut::Accepted(_, _) if relay.is_stopping() => continue,
                    ToFanOut::Accepted(newcomer, bell) => (newcomer, Ok(bell)),
                    ToFanOut::Relay(message) => match relay.take(message) {
                        Some(newcomer) => (newcomer, Bell::new()),
                        None => continue,
                    },
                };
                match bell {
                    Ok(bell) => hire(&mut relay, newcomer, bell, links, &give),
                    Err(error) => warn!(%error, "a connection could not be taken in"),
                }
            }
        }
        relay.settle();
        if relay.is_stopping() {
            stop.ring();
            let by = *stop_by.get_or_insert(Instant::now() + STOP_MAX);
            if relay.is_empty() || by <= Instant::now() {
                return;
            }
        }
    }
}

/// Starts a connection's thread.
fn hire(
    relay: &mut Relay,
    mut newcomer: Newcomer,
    bell: Bell,
    links: &Links,
    give: &Arc<dyn Fn(ToRelay) + Send + Sync>,
) {
    let bell = Arc::new(bell);
    let mailbox = {
        let bell = bell.clone();
        Arc::new(Mailbox::new(move || bell.ring()))
    };
    let id = relay.open(mailbox.clone());
    let (links, given) = (links.clone(), give.clone());
    let name = thread::Builder::new().name("connection".into()).stack_size(STACK_BYTES);
    let started = name.spawn(move || {
        let now = Instant::now();
        let context = links.context.clone();
        let desktop = Desktop::new(id, &mut newcomer, context, mailbox, given, now);
        serve(desktop, newcomer, &bell, &links);
    });
    if let Err(error) = started {
        warn!(%error, "a connection got no thread");
        relay.take(ToRelay::Ended(id));
    }
}

fn serve(mut desktop: Desktop, newcomer: Newcomer, bell: &Bell, links: &Links) {
    let Newcomer { mut socket, peer, .. } = newcomer;
    let mut buffer = ReadBuffer::new(READ_BYTES);
    let mut shut_down = false;
    loop {
        let now = Instant::now();
        // What TLS has pending goes before anything else.
        let mut failed = socket.flush().is_err();
        let write = |bytes: &[u8]| write(&mut socket, bytes, &mut failed);
        let fate = desktop.settle(write, &*links.hub, now);
        if failed {
            desktop.lost(RESET);
            continue;
        }
        match fate {
            Fate::Stay => {}
            Fate::ShutDown if shut_down => {}
            Fate::ShutDown => {
                socket.shutdown_write();
                shut_down = true;
            }
            Fate::Drop => {
                // Closed before the place is free again.
                drop(socket);
                desktop.depart(&*links.hub);
                return;
            }
            Fate::HandOver => {
                let request = desktop.depart(&*links.hub).into_request();
                (links.http)(Newcomer { socket, peer, opened: None }, request);
                return;
            }
        }
        let mut interest = PollFlags::empty();
        interest.set(PollFlags::IN, desktop.wants_read());
        interest.set(PollFlags::OUT, desktop.wants_write() || socket.has_pending());
        // No readiness tells of an end that came by TLS.
        let ends = desktop.wants_read() && socket.heard_end();
        let timeout = if ends { Some(now) } else { desktop.deadline() };
        let timeout = timeout.map(|due| due.saturating_duration_since(now));
        let (ready, rung) = wait(&socket, interest, bell, timeout);
        let now = Instant::now();
        if rung {
            bell.silence();
            desktop.empty_mailbox(now);
        }
        if ready.contains(PollFlags::OUT) && socket.has_pending() {
            desktop.moving(now);
        }
        let over = ready.intersects(PollFlags::HUP | PollFlags::ERR);
        if desktop.has_read_all() {
            // It may still take what is left to write, but not when both directions are over.
            if over {
                desktop.lost(RESET);
            }
        } else if over || ends || ready.contains(PollFlags::IN) {
            match socket.read(&mut buffer) {
                Ok(Received::End) => desktop.receive_eof(now),
                Ok(Received::Bytes { bytes: [], .. }) => {}
                Ok(Received::Bytes { bytes, .. }) => desktop.receive(bytes, now),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => {}
                    _ => desktop.lost(RESET),
                },
            }
        }
        desktop.handle_timeout(now);
    }
}

/// Waits for the socket or the bell; what the socket is ready for, and whether the bell rang.
fn wait(
    socket: &Stream,
    interest: PollFlags,
    bell: &Bell,
    timeout: Option<Duration>,
) -> (PollFlags, bool) {
    let bell = bell.ends().0.as_fd();
    let mut fds = [PollFd::from_borrowed_fd(bell, PollFlags::IN), PollFd::new(socket, interest)];
    let timeout = timeout.and_then(|left| Timespec::try_from(left).ok());
    if poll(&mut fds, timeout.as_ref()).is_err() {
        return (PollFlags::empty(), false);
    }
    (fds[1].revents(), !fds[0].revents().is_empty())
}

/// How many bytes the socket takes now.
fn write(socket: &mut Stream, bytes: &[u8], failed: &mut bool) -> usize {
    loop {
        match socket.write(bytes) {
            Ok(count) => return count,
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => return 0,
                io::ErrorKind::Interrupted => {}
                _ => {
                    *failed = true;
                    return bytes.len();
                }
            },
        }
    }
}

/// Takes in one connection, if there is a bell for it, which then is in `spare`.
fn accept_with_bell(
    listener: &TcpListener,
    links: &Links,
    spare: &mut Option<Bell>,
    new_bell: impl FnOnce() -> io::Result<Bell>,
) -> Accepted {
    if spare.is_none() {
        match new_bell() {
            Ok(bell) => *spare = Some(bell),
            Err(error) => {
                warn!(%error, "cannot take in another connection; trying again");
                return Accepted::Rest;
            }
        }
    }
    accept(listener, links)
}

fn accept_all(
    listeners: &[TcpListener],
    links: &Links,
    give: impl Fn(Newcomer, Bell),
    stop: &Bell,
) {
    let mut spare = None;
    loop {
        let mut fds: Vec<PollFd<'_>> =
            listeners.iter().map(|listener| PollFd::new(listener, PollFlags::IN)).collect();
        fds.push(PollFd::new(stop.ends().0, PollFlags::IN));
        if poll(&mut fds, None).is_err() {
            continue;
        }
        if fds.last().is_some_and(|fd| !fd.revents().is_empty()) {
            return;
        }
        for listener in listeners {
            loop {
                match accept_with_bell(listener, links, &mut spare, Bell::new) {
                    Accepted::Nobody => break,
                    Accepted::Gone => {}
                    Accepted::Socket(socket, peer) => {
                        let newcomer = Newcomer { socket, peer, opened: None };
                        if let Some(bell) = spare.take() {
                            give(newcomer, bell);
                        }
                    }
                    Accepted::Rest => {
                        let pause = Timespec::try_from(ACCEPT_PAUSE).ok();
                        let mut only_stop = [PollFd::new(stop.ends().0, PollFlags::IN)];
                        // Ends early at a stop, which the next loop sees.
                        let _ = poll(&mut only_stop, pause.as_ref());
                        break;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::upgrade::Door;
    use crate::readers::Readers;
    use crate::session::Context;
    use std::net::TcpStream;

    #[test]
    fn without_a_descriptor_for_its_bell_a_connection_waits_in_the_queue() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let context = Context::new(Door::Echo, Default::default(), Default::default());
        let links = Links {
            context: Arc::new(context),
            hub: Arc::new(|_| {}),
            readers: Readers::new(|_| {}),
            http: Arc::new(|_, _| {}),
            tls: None,
        };
        let mut spare = None;
        let out = || Err(rustix::io::Errno::MFILE.into());
        assert!(matches!(accept_with_bell(&listener, &links, &mut spare, out), Accepted::Rest));
        assert!(spare.is_none());
        let accepted = accept_with_bell(&listener, &links, &mut spare, Bell::new);
        let Accepted::Socket(_, peer) = accepted else { panic!("nobody is waiting") };
        assert_eq!(peer, client.local_addr().unwrap());
        assert!(spare.is_some());
        listener.set_nonblocking(true).unwrap();
        let unused = || panic!("there is one that nobody took");
        assert!(matches!(
            accept_with_bell(&listener, &links, &mut spare, unused),
            Accepted::Nobody
        ));
        assert!(spare.is_some());
    }
}
