//! One io_uring with what a shard asks of it: io_uring(7), and every `unsafe` of this engine.
//!
//! A send is never left with the kernel: it says `MSG_DONTWAIT`, so it is over when its submission
//! is, whatever came of it, as with a `send` of one's own. What is saved is the way into the kernel:
//! up to [`SENDS_MAX`] sends go in one.

use io_uring::types::{BufRingEntry, CancelBuilder, Fd, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};
use std::alloc::{self, Layout};
use std::io;
use std::os::fd::RawFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

/// Sends that are submitted at once.
const SENDS_MAX: usize = 512;
/// Requests that wait to be submitted.
const SUBMISSIONS: u32 = 1024;
/// Completions that wait to be read. More than buffers and sends together; what doesn't fit, the
/// kernel keeps.
const COMPLETIONS: u32 = 4096;
/// Buffers for what comes in: a power of 2.
const BUFFERS: u16 = 256;
/// What each holds, in bytes. What doesn't fit into one comes with a later iteration, and so goes out
/// in another flush: 64 short messages in 4 KiB cost 1.7 times the CPU. Of a buffer only the pages
/// that were ever filled are memory.
const BUFFER_BYTES: usize = 16 * 1024;
/// The name of their group.
const GROUP: u16 = 0;
/// How often one wait asks for more of what is ready: the kernel hands out some 20 at a time.
const MORE_MAX: usize = 64;

/// What a completion is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// A socket was read, into a buffer.
    Receive,
    /// A socket that was full may have room.
    Writable,
    /// A listener has a connection.
    Accept,
    /// Another thread has something.
    Wake,
}

/// Something that was asked for and came about.
#[derive(Clone, Copy, Debug)]
pub struct Completion {
    /// What was asked for.
    pub what: What,
    /// The number that was given with it.
    pub of: u32,
    /// Bytes, a descriptor or a negative errno.
    pub result: i32,
    /// There will be further completions of the same request.
    pub more: bool,
    /// Where the bytes are; to be given back.
    pub buffer: Option<u16>,
}

/// An io_uring for one thread, and its buffers.
pub struct Ring {
    /// First, so that it is closed before the buffers are freed.
    io: IoUring,
    buffers: Buffers,
    /// Came about while sends were waited for.
    stash: Vec<Completion>,
}

const SEND: u64 = 0;
const CANCEL: u64 = 1;
const RECEIVE: u64 = 2;
const WRITABLE: u64 = 3;
const ACCEPT: u64 = 4;
const WAKE: u64 = 5;

/// A request's name: what it is above, whose it is below.
fn name(what: u64, of: u32) -> u64 {
    what << 32 | u64::from(of)
}

impl Ring {
    /// A ring that [`Ring::enable`] makes the calling thread's.
    ///
    /// # Errors
    /// The kernel is older than 6.1, or this process may not.
    pub fn new() -> io::Result<Self> {
        let io = IoUring::builder()
            .setup_cqsize(COMPLETIONS)
            .setup_clamp()
            .setup_submit_all()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_taskrun_flag()
            .setup_r_disabled()
            .dontfork()
            .build(SUBMISSIONS)?;
        let params = io.params();
        if !(params.is_feature_nodrop() && params.is_feature_ext_arg()) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let buffers = Buffers::new();
        // SAFETY: the entries are `BUFFERS` long, aligned to a page, and live as long as `buffers`,
        // which is freed after the ring's drop has unregistered them.
        unsafe {
            io.submitter().register_buf_ring_with_flags(buffers.address(), BUFFERS, GROUP, 0)?;
        }
        Ok(Self { io, buffers, stash: Vec::new() })
    }

    /// From now on the ring works, and for this thread alone.
    ///
    /// # Errors
    /// Whatever the kernel has against it.
    pub fn enable(&self) -> io::Result<()> {
        self.io.submitter().register_enable_rings()
    }

    /// Asks for all connections of a listener.
    pub fn accept(&mut self, listener: RawFd, of: u32) {
        let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        let entry = opcode::AcceptMulti::new(Fd(listener)).flags(flags).build();
        self.push(&entry.user_data(name(ACCEPT, of)));
    }

    /// Asks for whatever a socket brings.
    pub fn receive(&mut self, socket: RawFd, of: u32) {
        let entry = opcode::RecvMulti::new(Fd(socket), GROUP).build();
        self.push(&entry.user_data(name(RECEIVE, of)));
    }

    /// Asks to be told once that a socket has room.
    pub fn watch_writable(&mut self, socket: RawFd, of: u32) {
        let entry = opcode::PollAdd::new(Fd(socket), libc::POLLOUT as u32).build();
        self.push(&entry.user_data(name(WRITABLE, of)));
    }

    /// Asks to be told whenever an eventfd is rung.
    pub fn watch_bell(&mut self, bell: RawFd) {
        let entry = opcode::PollAdd::new(Fd(bell), libc::POLLIN as u32).multi(true).build();
        self.push(&entry.user_data(name(WAKE, 0)));
    }

    /// Calls off all that was asked of a descriptor: each request then has its last completion.
    pub fn cancel(&mut self, descriptor: RawFd) {
        let all = CancelBuilder::fd(Fd(descriptor)).all();
        let entry = opcode::AsyncCancel2::new(all).build();
        self.push(&entry.user_data(name(CANCEL, 0)));
    }

    /// Sends the same bytes to many sockets, and tells for each of `to` (a number and its socket)
    /// what a `send` would have returned: bytes, or a negative errno.
    pub fn send(
        &mut self,
        mut to: impl Iterator<Item = (u32, RawFd)>,
        bytes: &[u8],
        mut tell: impl FnMut(u32, i32),
    ) {
        // The caller's batches are far below; the kernel takes no more in one send.
        let len = bytes.len().min(i32::MAX as usize) as u32;
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        loop {
            self.make_room(SENDS_MAX);
            let mut waiting = 0;
            let mut queue = self.io.submission();
            for (of, socket) in to.by_ref().take(SENDS_MAX) {
                let entry = opcode::Send::new(Fd(socket), bytes.as_ptr(), len).flags(flags);
                let entry = entry.build().user_data(name(SEND, of));
                // SAFETY: `bytes` is borrowed until this function returns, which it doesn't before
                // every send has completed.
                if unsafe { queue.push(&entry) }.is_err() {
                    unreachable!("room was made for {SENDS_MAX}");
                }
                waiting += 1;
            }
            drop(queue);
            if waiting == 0 {
                return;
            }
            let full = waiting == SENDS_MAX;
            let mut want = 0;
            while waiting > 0 {
                self.enter(want);
                // Nothing says that it has to be so at once.
                want = 1;
                for entry in self.io.completion() {
                    if entry.user_data() >> 32 == SEND {
                        waiting -= 1;
                        tell(entry.user_data() as u32, entry.result());
                    } else {
                        self.stash.extend(completion(&entry));
                    }
                }
            }
            if !full {
                return;
            }
        }
    }

    /// Waits until something has come about, at most for `timeout`; appends it to `done`.
    pub fn wait(&mut self, timeout: Option<Duration>, done: &mut Vec<Completion>) {
        if !self.stash.is_empty() || timeout.is_some_and(|timeout| timeout.is_zero()) {
            self.enter(0);
        } else {
            let time = timeout.map(Timespec::from);
            let mut args = SubmitArgs::new();
            if let Some(time) = &time {
                args = args.timespec(time);
            }
            check(self.io.submitter().submit_with_args(1, &args));
        }
        done.append(&mut self.stash);
        for _ in 0..MORE_MAX {
            done.extend(self.io.completion().filter_map(|entry| completion(&entry)));
            if !self.io.submission().taskrun() {
                return;
            }
            self.enter(0);
        }
    }

    /// What a completion has brought. The kernel fills buffers only while this thread waits in it
    /// (`IORING_SETUP_DEFER_TASKRUN`), and never one that isn't given back.
    pub fn bytes(&mut self, buffer: u16, len: usize) -> &mut [u8] {
        self.buffers.bytes(buffer, len)
    }

    /// A buffer may be filled again.
    pub fn give_back(&mut self, buffer: u16) {
        self.buffers.give(buffer);
    }

    /// Hands what was asked so far to the kernel now.
    pub fn submit(&mut self) {
        self.enter(0);
    }

    fn push(&mut self, entry: &squeue::Entry) {
        self.make_room(1);
        // SAFETY: none of our requests but sends points to memory; buffers for what comes in are
        // registered. The descriptors stay open until the last completion of what they are asked.
        if unsafe { self.io.submission().push(entry) }.is_err() {
            unreachable!("room was made for it");
        }
    }

    /// Submits what waits if there isn't room for so many more.
    fn make_room(&mut self, count: usize) {
        loop {
            let queue = self.io.submission();
            if queue.capacity() - queue.len() >= count {
                return;
            }
            drop(queue);
            self.enter(0);
            // Should the kernel want to be rid of these first.
            self.stash.extend(self.io.completion().filter_map(|entry| completion(&entry)));
        }
    }

    fn enter(&self, want: usize) {
        check(self.io.submitter().submit_and_wait(want));
    }
}

/// Interruptions, a timeout and a lack that passes are no errors; without the ring there is no
/// server, and nothing is gained by going on.
fn check(entered: io::Result<usize>) {
    if let Err(error) = entered {
        let passes = [libc::EINTR, libc::ETIME, libc::EAGAIN, libc::EBUSY];
        if !error.raw_os_error().is_some_and(|errno| passes.contains(&errno)) {
            panic!("io_uring failed: {error}");
        }
    }
}

fn completion(entry: &cqueue::Entry) -> Option<Completion> {
    let what = match entry.user_data() >> 32 {
        RECEIVE => What::Receive,
        WRITABLE => What::Writable,
        ACCEPT => What::Accept,
        WAKE => What::Wake,
        // Of what was called off each request tells itself.
        _ => return None,
    };
    Some(Completion {
        what,
        of: entry.user_data() as u32,
        result: entry.result(),
        more: cqueue::more(entry.flags()),
        buffer: cqueue::buffer_select(entry.flags()),
    })
}

impl Drop for Ring {
    fn drop(&mut self) {
        // The kernel ends what is left of a closed ring's requests when it comes to it; without the
        // group none of them finds a buffer any more.
        let _ = self.io.submitter().unregister_buf_ring(GROUP);
    }
}

/// Buffers that the kernel fills, and the ring in which it is told which it may.
struct Buffers {
    /// `BUFFERS` entries; the first one's last field is the ring's tail.
    entries: NonNull<BufRingEntry>,
    memory: Box<[u8]>,
    tail: u16,
}

// SAFETY: both are this value's own memory, to which only its own methods and the kernel have the
// way; the kernel doesn't care for threads.
unsafe impl Send for Buffers {}

impl Buffers {
    fn new() -> Self {
        // SAFETY: the layout's size isn't zero.
        let entries = unsafe { alloc::alloc_zeroed(Self::layout()) };
        let Some(entries) = NonNull::new(entries.cast::<BufRingEntry>()) else {
            alloc::handle_alloc_error(Self::layout());
        };
        let memory = vec![0; usize::from(BUFFERS) * BUFFER_BYTES].into_boxed_slice();
        let mut buffers = Self { entries, memory, tail: 0 };
        for buffer in 0..BUFFERS {
            buffers.give(buffer);
        }
        buffers
    }

    fn layout() -> Layout {
        const PAGE: usize = 4096;
        // At most 64 KiB at a power of 2.
        Layout::array::<BufRingEntry>(usize::from(BUFFERS))
            .and_then(|layout| layout.align_to(PAGE))
            .unwrap_or_else(|_| unreachable!("a small array"))
    }

    fn address(&self) -> u64 {
        self.entries.as_ptr() as u64
    }

    fn bytes(&mut self, buffer: u16, len: usize) -> &mut [u8] {
        let start = usize::from(buffer) * BUFFER_BYTES;
        &mut self.memory[start..][..len.min(BUFFER_BYTES)]
    }

    /// Tells the kernel of a buffer that nobody reads any more.
    fn give(&mut self, buffer: u16) {
        let start = usize::from(buffer) * BUFFER_BYTES;
        let address = self.memory[start..].as_mut_ptr() as u64;
        let at = usize::from(self.tail % BUFFERS);
        // SAFETY: `at` is below `BUFFERS`, which is how many entries there are. The kernel reads
        // entries only below the tail, which is moved after this one is written; the last field of
        // the first one, which is the tail itself, none of the three setters touches. Whole
        // entries are zeroed, which is a value of theirs.
        unsafe {
            let entry = &mut *self.entries.as_ptr().add(at);
            entry.set_addr(address);
            entry.set_len(BUFFER_BYTES as u32);
            entry.set_bid(buffer);
        }
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: the tail stands in the first entry, aligned to 2 as a u16 of it, and only this
        // thread writes it; the kernel reads it with acquire, which this release meets.
        unsafe {
            let tail = BufRingEntry::tail(self.entries.as_ptr());
            AtomicU16::from_ptr(tail.cast_mut()).store(self.tail, Ordering::Release);
        }
    }
}

impl Drop for Buffers {
    fn drop(&mut self) {
        // SAFETY: allocated by `new` with the same layout, and freed only here.
        unsafe { alloc::dealloc(self.entries.as_ptr().cast(), Self::layout()) };
    }
}
