//! Deliberate bugs, by which the simulator's tests show that it would find such. They exist in the
//! simulator's own seams and in its tests' build alone.

/// One of them.
#[cfg_attr(not(test), allow(dead_code))]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bug {
    /// Two frames of a batch change places on their way out.
    FramesSwapped,
    /// A message is told with the text of the one before it.
    TextsSwapped,
    /// What was written counts as durable before its fsync.
    AckBeforeFsync,
    /// A frame of a batch is lost on its way out.
    FrameLost,
    /// What was accepted before a restart isn't known by its nonce after it.
    NoncesForgotten,
    /// Messages go out without their nonce.
    NonceStripped,
    /// What was read on another device is told twice.
    SeenTwice,
    /// Who isn't in a room any more goes on hearing it.
    StillHears,
    /// Everybody finds the whole of a room's past.
    WholePast,
    /// What was read is forgotten at a restart.
    ReadsForgotten,
    /// A request's credit is kept sometimes.
    CreditKept,
}

/// What the outlet does to what goes through it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fault {
    bug: Option<Bug>,
    /// One batch in so many is altered.
    every: u64,
    count: u64,
}

impl Fault {
    /// The fault that a bug is, if it is one of the outlet's.
    pub fn of(bug: Option<Bug>) -> Self {
        let bug = bug.filter(|bug| matches!(bug, Bug::FramesSwapped | Bug::FrameLost));
        Self { bug, every: 5, count: 0 }
    }

    /// What goes out in place of `bytes`, if it isn't those.
    pub fn alter(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let bug = self.bug?;
        let frames = frames(bytes)?;
        let [.., first, second] = &frames[..] else { return None };
        self.count += 1;
        if !self.count.is_multiple_of(self.every) {
            return None;
        }
        let before = &bytes[..bytes.len() - first.len() - second.len()];
        Some(match bug {
            Bug::FramesSwapped => [before, second, first].concat(),
            _ => [before, second].concat(),
        })
    }
}

/// The whole unmasked text frames that these bytes are, if they are that.
fn frames(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut frames = Vec::new();
    while let Some((&[head, len], _)) = bytes.split_first_chunk::<2>() {
        let (size, payload) = match len {
            126 => (4, usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]))),
            127.. => return None,
            len => (2, usize::from(len)),
        };
        if head & 0x8f != 0x81 || bytes.len() < size + payload {
            return None;
        }
        let (frame, rest) = bytes.split_at(size + payload);
        frames.push(frame);
        bytes = rest;
    }
    bytes.is_empty().then_some(frames)
}
