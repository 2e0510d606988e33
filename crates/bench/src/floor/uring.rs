//! The floor on io_uring: one multishot accept, one multishot receive a connection into buffers that the kernel
//! chooses, and an iteration's sends in batches, each batch one system call.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::mem::ManuallyDrop;
use std::net::SocketAddr;
use std::rc::Rc;

use io_uring::{IoUring, cqueue, opcode, squeue, types::Fd};
use rustix::fd::{AsRawFd, FromRawFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{Shutdown, SocketFlags};

use super::pool::{self, Pool};
use super::{BEHIND_BYTES_MAX, FLUSH_BYTES, Inbound};

/// Sends of one system call.
const BATCH: u32 = 512;
const COMPLETIONS: u32 = 16 * 1024;
const ACCEPT: u64 = u64::MAX;
const SEND: u64 = 1 << 63;

pub fn run(listen: SocketAddr) -> Result<(), String> {
    // Not dropped, also after a failure: the kernel may still read what is being sent.
    let mut floor = ManuallyDrop::new(Floor::listen(listen)?);
    floor.accept()?;
    loop {
        let want = usize::from(floor.queue.completed.is_empty());
        floor.queue.submit(want)?;
        while let Some(completion) = floor.queue.completed.pop_front() {
            floor.completed(&completion)?;
            if floor.out.len() > FLUSH_BYTES {
                floor.flush()?;
            }
        }
        floor.flush()?;
    }
}

struct Floor {
    queue: Queue,
    pool: Pool,
    listener: OwnedFd,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    /// What this iteration brings to everybody.
    out: Vec<u8>,
}

/// Its slot is free again when nothing of it is with the kernel any more, so that no completion is another's.
struct Connection {
    socket: OwnedFd,
    inbound: Inbound,
    receiving: bool,
    /// What the kernel has to send, from `sent` on. It keeps the bytes alive until the completion.
    sending: Option<Rc<Vec<u8>>>,
    sent: usize,
    /// What comes after that.
    behind: VecDeque<Rc<Vec<u8>>>,
    behind_bytes: usize,
    /// Nothing more is taken from it; what is to be sent still is…
    ending: bool,
    /// …unless the socket is of no use any more.
    lost: bool,
}

impl Floor {
    fn listen(address: SocketAddr) -> Result<Self, String> {
        // One that doesn't block would be told EAGAIN instead of being waited for; the same goes for what it accepts.
        let listener = super::listener(address, SocketFlags::empty())?;
        let ring = IoUring::builder()
            .setup_cqsize(COMPLETIONS)
            .setup_submit_all()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .build(BATCH)
            .map_err(|error| format!("io_uring_setup: {error}"))?;
        let pool = Pool::register(&ring.submitter())?;
        Ok(Self {
            queue: Queue { ring, completed: VecDeque::new() },
            pool,
            listener,
            connections: Vec::new(),
            free: Vec::new(),
            out: Vec::new(),
        })
    }

    fn accept(&mut self) -> Result<(), String> {
        let flags = SocketFlags::CLOEXEC.bits() as i32;
        let accept = opcode::AcceptMulti::new(Fd(self.listener.as_raw_fd())).flags(flags).build();
        // SAFETY: it points at nothing, and the listener stays open.
        unsafe { self.queue.push(&accept.user_data(ACCEPT)) }
    }

    fn completed(&mut self, completion: &cqueue::Entry) -> Result<(), String> {
        let result = completion.result();
        match completion.user_data() {
            ACCEPT => self.accepted(result, completion.flags()),
            data if data & SEND != 0 => self.sent((data & !SEND) as usize, result),
            data => self.received(data as usize, result, completion.flags()),
        }
    }

    fn accepted(&mut self, result: i32, flags: u32) -> Result<(), String> {
        if !cqueue::more(flags) {
            self.accept()?;
        }
        match refusal(result) {
            None => {}
            Some(Errno::INTR | Errno::CONNABORTED) => return Ok(()),
            Some(error) => return Err(format!("accept: {error}")),
        }
        // SAFETY: the kernel has just opened this descriptor for us and told nobody else.
        let socket = unsafe { OwnedFd::from_raw_fd(result) };
        let peer = rustix::net::getpeername(&socket).ok().flatten();
        let Some(peer) = peer.and_then(|peer| SocketAddr::try_from(peer).ok()) else {
            return Ok(());
        };
        let at = self.free.pop().unwrap_or_else(|| {
            self.connections.push(None);
            self.connections.len() - 1
        });
        let connection = self.connections[at].insert(Connection {
            socket,
            inbound: Inbound::new(peer),
            receiving: false,
            sending: None,
            sent: 0,
            behind: VecDeque::new(),
            behind_bytes: 0,
            ending: false,
            lost: false,
        });
        connection.receive(at, &mut self.queue)
    }

    fn received(&mut self, at: usize, result: i32, flags: u32) -> Result<(), String> {
        let Self { queue, pool, connections, out, .. } = self;
        let Some(connection) = &mut connections[at] else { return Ok(()) };
        connection.receiving = cqueue::more(flags);
        let mut reply = Vec::new();
        let mut alive = result > 0 || refusal(result) == Some(Errno::NOBUFS);
        let ending = connection.ending;
        let take = |input: &mut [u8]| {
            alive &= ending || connection.inbound.receive(input, out, &mut reply);
        };
        // SAFETY: every completion is handled once, and only receptions into the pool's group come here.
        unsafe { pool.received(flags, result, take) };
        if !reply.is_empty() {
            connection.send(at, &Rc::new(reply), queue)?;
        }
        if !alive {
            connection.ending = true;
        } else if !connection.receiving && !connection.ending {
            // No buffer was left, or the kernel wants to be asked again.
            connection.receive(at, queue)?;
        }
        self.bury(at);
        Ok(())
    }

    fn sent(&mut self, at: usize, result: i32) -> Result<(), String> {
        let Some(connection) = &mut self.connections[at] else { return Ok(()) };
        let Some(sending) = connection.sending.take() else { return Ok(()) };
        match refusal(result) {
            None => connection.sent += result as usize,
            Some(Errno::INTR | Errno::AGAIN) => {}
            Some(_) => connection.give_up(),
        }
        if connection.sent < sending.len() && !connection.lost {
            // The socket took a part: the rest goes before anything else.
            connection.sending = Some(sending);
            connection.submit(at, &mut self.queue)?;
        } else if let Some(next) = connection.behind.pop_front() {
            connection.behind_bytes -= next.len();
            connection.send(at, &next, &mut self.queue)?;
        }
        self.bury(at);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), String> {
        if self.out.is_empty() {
            return Ok(());
        }
        let capacity = self.out.len();
        let out = Rc::new(std::mem::replace(&mut self.out, Vec::with_capacity(capacity)));
        for at in 0..self.connections.len() {
            if let Some(connection) = &mut self.connections[at]
                && connection.inbound.open
                && !connection.ending
            {
                connection.send(at, &out, &mut self.queue)?;
            }
        }
        Ok(())
    }

    /// Closes a connection that is over, as far as the kernel is done with it.
    fn bury(&mut self, at: usize) {
        let Some(connection) = &self.connections[at] else { return };
        if !connection.ending || connection.sending.is_some() {
            return;
        }
        if connection.receiving {
            // Ends the reception, which has a completion of its own.
            let _ = rustix::net::shutdown(&connection.socket, Shutdown::Both);
        } else {
            self.connections[at] = None;
            self.free.push(at);
        }
    }
}

impl Connection {
    fn receive(&mut self, at: usize, queue: &mut Queue) -> Result<(), String> {
        self.receiving = true;
        let receive = opcode::RecvMulti::new(Fd(self.socket.as_raw_fd()), pool::GROUP).build();
        // SAFETY: the pool's memory stays for ever, and the socket is open until `receiving` is over.
        unsafe { queue.push(&receive.user_data(at as u64)) }
    }

    /// Sends it after what is under way.
    fn send(&mut self, at: usize, bytes: &Rc<Vec<u8>>, queue: &mut Queue) -> Result<(), String> {
        if self.sending.is_none() {
            self.sending = Some(bytes.clone());
            self.sent = 0;
            return self.submit(at, queue);
        }
        self.behind_bytes += bytes.len();
        self.behind.push_back(bytes.clone());
        if self.behind_bytes > BEHIND_BYTES_MAX {
            self.give_up();
        }
        Ok(())
    }

    fn submit(&mut self, at: usize, queue: &mut Queue) -> Result<(), String> {
        let Some(rest) = self.sending.as_ref().and_then(|bytes| bytes.get(self.sent..)) else {
            return Ok(());
        };
        let length = rest.len() as u32;
        let send = opcode::Send::new(Fd(self.socket.as_raw_fd()), rest.as_ptr(), length).build();
        // SAFETY: `sending` holds the bytes, which nobody changes, and the socket is open, both until the completion.
        unsafe { queue.push(&send.user_data(SEND | at as u64)) }
    }

    /// Ends it without what it didn't take. A send that waits for room then fails.
    fn give_up(&mut self) {
        (self.ending, self.lost) = (true, true);
        self.behind.clear();
        self.behind_bytes = 0;
        // Gone already is gone.
        let _ = rustix::net::shutdown(&self.socket, Shutdown::Both);
    }
}

fn refusal(result: i32) -> Option<Errno> {
    (result < 0).then(|| Errno::from_raw_os_error(-result))
}

struct Queue {
    ring: IoUring,
    /// Taken from the ring, and not handled yet.
    completed: VecDeque<cqueue::Entry>,
}

impl Queue {
    /// Puts one more into the batch; a full batch goes to the kernel.
    ///
    /// # Safety
    /// What the entry points at, and the descriptor it names, stay as they are until its last completion.
    unsafe fn push(&mut self, entry: &squeue::Entry) -> Result<(), String> {
        loop {
            // SAFETY: as above.
            if unsafe { self.ring.submission().push(entry) }.is_ok() {
                return Ok(());
            }
            self.submit(0)?;
        }
    }

    /// Gives the batch to the kernel, waits for so many completions, and takes what there are.
    fn submit(&mut self, want: usize) -> Result<(), String> {
        loop {
            let result = self.ring.submit_and_wait(want);
            self.completed.extend(self.ring.completion());
            match result {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // The kernel has more completions than it had room for; there is room now.
                Err(error)
                    if matches!(error.kind(), ErrorKind::ResourceBusy | ErrorKind::WouldBlock) =>
                {
                    if !self.completed.is_empty() {
                        return Ok(());
                    }
                }
                Err(error) => return Err(format!("io_uring_enter: {error}")),
            }
        }
    }
}
