//! What a connection has to say, until the socket takes it.

use crate::frame::{self, Opcode};

/// Frames waiting for the socket. Present only while there are any.
#[derive(Default)]
pub(crate) struct Output(Option<Box<Waiting>>);

#[derive(Default)]
struct Waiting {
    bytes: Vec<u8>,
    /// 0 <= sent < bytes.len()
    sent: usize,
    /// Where the last Pong begins in `bytes`, if it is known.
    last_pong: Option<u32>,
    /// Pongs since the output was empty, as far as they are counted.
    pongs: u8,
}

/// 5.5.3: of several Pings that weren't answered yet, only the last one must be. Up to here each
/// gets its answer.
const PONGS_MAX: u8 = 16;

impl Output {
    pub(crate) fn waiting(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |waiting| &waiting.bytes[waiting.sent..])
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// For a frame to be appended to.
    pub(crate) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.0.get_or_insert_default().bytes
    }

    pub(crate) fn pong(&mut self, key: Option<[u8; 4]>, payload: &[u8]) {
        self.0.get_or_insert_default().pong(key, payload);
    }

    /// `n` bytes of [`waiting`](Self::waiting) are gone. The memory goes with the last of them.
    pub(crate) fn sent(&mut self, n: usize) {
        if self.0.as_mut().is_some_and(|waiting| waiting.sent(n)) {
            self.0 = None;
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0 = None;
    }
}

impl Waiting {
    fn pong(&mut self, key: Option<[u8; 4]>, payload: &[u8]) {
        if self.pongs >= PONGS_MAX
            && let Some(at) = self.last_pong
            && self.is_last_frame(at as usize)
        {
            // The peer doesn't read: this answer takes the place of the last one.
            self.bytes.truncate(at as usize);
        }
        self.pongs = self.pongs.saturating_add(1);
        self.last_pong = u32::try_from(self.bytes.len()).ok();
        frame::frame(&mut self.bytes, Opcode::Pong, false, key, payload);
    }

    /// Whether the frame at `at`, a control frame, is the last one, and none of it is sent.
    fn is_last_frame(&self, at: usize) -> bool {
        let Some(second) = self.bytes.get(at + 1) else { return false };
        let masking_key = if second & 0x80 != 0 { 4 } else { 0 };
        at >= self.sent && at + 2 + masking_key + usize::from(second & 0x7f) == self.bytes.len()
    }

    /// Whether that was all.
    fn sent(&mut self, n: usize) -> bool {
        self.sent = self.bytes.len().min(self.sent.saturating_add(n));
        if self.sent == self.bytes.len() {
            return true;
        }
        if self.sent > self.bytes.len() / 2 {
            // Moves fewer bytes than were sent since the last time: a constant cost for each byte.
            self.bytes.drain(..self.sent);
            let sent = u32::try_from(self.sent).ok();
            self.last_pong = self.last_pong.zip(sent).and_then(|(at, sent)| at.checked_sub(sent));
            self.sent = 0;
        }
        false
    }
}
