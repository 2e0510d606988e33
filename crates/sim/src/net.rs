//! The network: a pipe of bytes each way, with bounded buffers, that can be slow, cut anywhere, or
//! dead at one end only.

use crate::rng::Rng;
use damso::feed::{Batch, Outlet};
use std::collections::VecDeque;

/// What a server's receive buffer holds, in bytes.
pub const ARRIVED_MAX: usize = 64 * 1024;

/// One way of a connection.
#[derive(Debug)]
pub struct Pipe {
    /// Written, and not arrived.
    pub bytes: VecDeque<u8>,
    /// How much that may be.
    pub cap: usize,
    /// The writer could write less than it wanted, and is told when there is room.
    pub short: bool,
    /// The writer writes nothing more.
    pub ended: bool,
    /// The reader knows.
    pub end_told: bool,
    /// Nothing gets through any more, and nobody is told.
    pub dead: bool,
    /// A transfer is under way.
    pub moving: bool,
}

impl Pipe {
    fn new(cap: usize) -> Self {
        let bytes = VecDeque::new();
        Self { bytes, cap, short: false, ended: false, end_told: false, dead: false, moving: false }
    }

    /// Takes what fits; how much that was.
    pub fn write(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(self.cap.saturating_sub(self.bytes.len()));
        self.bytes.extend(&bytes[..taken]);
        self.short |= taken < bytes.len();
        taken
    }

    /// Takes out up to `count` bytes.
    pub fn take(&mut self, count: usize) -> Vec<u8> {
        let count = count.min(self.bytes.len());
        self.bytes.drain(..count).collect()
    }

    /// Whether the writer may be told that there is room again.
    pub fn has_room(&mut self) -> bool {
        let room = self.short && self.bytes.len() < self.cap;
        self.short &= !room;
        room
    }
}

/// How bytes travel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Chunks {
    /// As they were written, mostly.
    Whole,
    /// In pieces of up to this many bytes.
    UpTo(usize),
}

/// A connection between a client and the server.
#[derive(Debug)]
pub struct Conn {
    /// Whose it is.
    pub peer: usize,
    /// From the client to the server.
    pub up: Pipe,
    /// From the server to the client.
    pub down: Pipe,
    /// At the server, and not read.
    pub arrived: VecDeque<u8>,
    /// The server's shard and slot, once it was accepted.
    pub place: Option<(usize, u32)>,
    /// The life of the log that it is about.
    pub age: usize,
    /// The client still holds its end.
    pub client_here: bool,
    /// The server's end failed, and the shard is to be told.
    pub lost: bool,
    /// The server's end failed, and the shard knows.
    pub lost_told: bool,
    /// The server's end has room again, and the shard is to be told.
    pub writable: bool,
    /// How bytes travel.
    pub chunks: Chunks,
    /// How long they may be under way, in ms.
    pub latency_ms: u64,
}

impl Conn {
    /// A connection that nothing has gone over.
    pub fn new(peer: usize, latency_ms: u64, rng: &mut Rng) -> Self {
        let cap = |rng: &mut Rng| *rng.pick(&[90, 700, 4_000, 64_000]).unwrap_or(&4_000);
        let chunks = match rng.below(20) {
            0 => Chunks::UpTo(1),
            1..=3 => Chunks::UpTo(40),
            _ => Chunks::Whole,
        };
        Self {
            peer,
            up: Pipe::new(cap(rng)),
            down: Pipe::new(cap(rng)),
            arrived: VecDeque::new(),
            place: None,
            age: 0,
            client_here: true,
            lost: false,
            lost_told: false,
            writable: false,
            chunks,
            latency_ms,
        }
    }

    /// How many of `waiting` bytes the next transfer moves.
    pub fn chunk(&self, waiting: usize, rng: &mut Rng) -> usize {
        match self.chunks {
            Chunks::UpTo(most) => rng.between(1, most as u64) as usize,
            Chunks::Whole if rng.chance(200) => rng.between(1, waiting.max(1) as u64) as usize,
            Chunks::Whole => waiting,
        }
    }

    /// How long the next transfer takes, in µs.
    pub fn delay(&self, rng: &mut Rng) -> u64 {
        match self.chunks {
            Chunks::UpTo(_) => rng.between(20, 400),
            _ => rng.between(20, 1_000 * self.latency_ms),
        }
    }
}

/// The sockets of one shard, for the time of an iteration.
pub struct Sockets<'a> {
    /// All connections.
    pub net: &'a mut [Conn],
    /// By slot.
    pub slots: &'a [Option<usize>],
    /// Connections that were written to.
    pub written: Vec<usize>,
    /// Slots whose socket failed while it was written to.
    pub failed: Vec<u32>,
    /// A fault of the simulator's own, for its tests.
    pub fault: crate::bug::Fault,
}

impl Outlet for Sockets<'_> {
    fn send(&mut self, slot: u32, batch: &Batch<'_>) -> usize {
        let bytes = batch.bytes();
        let found = self.slots.get(slot as usize).copied().flatten();
        let Some(at) = found else { return bytes.len() };
        let conn = &mut self.net[at];
        if conn.lost || conn.lost_told {
            self.failed.push(slot);
            return bytes.len();
        }
        let altered = self.fault.alter(bytes);
        self.written.push(at);
        match altered {
            None => conn.down.write(bytes),
            // What is altered is written whole, so that what was taken means what it says.
            Some(altered) => {
                conn.down.bytes.extend(altered);
                bytes.len()
            }
        }
    }
}
