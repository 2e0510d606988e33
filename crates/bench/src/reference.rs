//! The bytes that all receivers of a broadcast are to get.

/// The frames that somebody has got and not everybody, as one stream of bytes.
pub struct Reference {
    /// The stream's byte `n` stands at `n & (len - 1)`.
    ring: Box<[u8]>,
    /// Where each frame begins in the stream; that of `head` is the stream's end.
    starts: Box<[u64]>,
    pub entries: Box<[Entry]>,
    pub head: u64,
    /// A message is in it that nobody had yet: bytes alone no longer tell who has what.
    pub has_gaps: bool,
}

#[derive(Clone, Copy, Default)]
pub struct Entry {
    pub publisher: u8,
    pub counter: u64,
}

impl Reference {
    pub fn new(slots: usize, bytes: usize) -> Self {
        Self {
            ring: vec![0; bytes.next_power_of_two()].into(),
            starts: vec![0; slots].into(),
            entries: vec![Entry::default(); slots].into(),
            head: 0,
            has_gaps: false,
        }
    }

    pub fn start(&self, message: u64) -> u64 {
        self.starts[message as usize & (self.starts.len() - 1)]
    }

    pub fn append(&mut self, entry: Entry, frame: &[u8]) {
        let start = self.start(self.head);
        let at = start as usize & (self.ring.len() - 1);
        let to_the_end = frame.len().min(self.ring.len() - at);
        self.ring[at..at + to_the_end].copy_from_slice(&frame[..to_the_end]);
        self.ring[..frame.len() - to_the_end].copy_from_slice(&frame[to_the_end..]);
        let mask = self.starts.len() - 1;
        self.entries[self.head as usize & mask] = entry;
        self.head += 1;
        self.starts[self.head as usize & mask] = start + frame.len() as u64;
    }

    /// Where a receiver stands after `bytes`, if they are what the reference has for it.
    pub fn follow(&self, mut next: u64, matched: usize, bytes: &[u8]) -> Option<(u64, usize)> {
        let from = self.start(next) + matched as u64;
        let to = from + bytes.len() as u64;
        if self.has_gaps || to > self.start(self.head) || !self.matches(from, bytes) {
            return None;
        }
        if to == self.start(self.head) {
            return Some((self.head, 0));
        }
        while self.start(next + 1) <= to {
            next += 1;
        }
        Some((next, (to - self.start(next)) as usize))
    }

    fn matches(&self, from: u64, bytes: &[u8]) -> bool {
        let at = from as usize & (self.ring.len() - 1);
        let to_the_end = bytes.len().min(self.ring.len() - at);
        self.ring[at..at + to_the_end] == bytes[..to_the_end]
            && self.ring[..bytes.len() - to_the_end] == bytes[to_the_end..]
    }

    /// Whether this is the whole frame of a message.
    pub fn is(&self, message: u64, frame: &[u8]) -> bool {
        message < self.head
            && self.start(message + 1) - self.start(message) == frame.len() as u64
            && self.matches(self.start(message), frame)
    }

    pub fn copy(&self, message: u64, bytes: usize, out: &mut Vec<u8>) {
        let from = self.start(message) as usize;
        out.extend((from..from + bytes).map(|at| self.ring[at & (self.ring.len() - 1)]));
    }
}
