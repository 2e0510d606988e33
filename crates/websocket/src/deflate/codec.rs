//! Compressing and inflating single messages with zlib.

use std::cell::RefCell;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// RFC 7692, 7.2.1 and 7.2.2: what a sync flush ends with, left out on the wire.
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// How many blocks with BFINAL a message may have in any case, and for how many bytes one more.
const STARTS_MAX: u64 = 16;
const START_BYTES_MIN: u64 = 64;

/// The farthest that DEFLATE data can refer back.
const WINDOW_BYTES: usize = 32 * 1024;

/// Compresses messages (RFC 7692, 7.2.1). Owns some 256 KiB at 15 window bits.
pub struct Deflater {
    inner: Compress,
    level: u32,
    window_bits: u8,
}

impl Deflater {
    /// `level` 0–9, `window_bits` 9–15; what lies outside is moved to the nearest of them.
    pub fn new(level: u32, window_bits: u8) -> Self {
        let level = level.min(9);
        let window_bits = window_bits.clamp(9, 15);
        let inner = Compress::new_with_window_bits(Compression::new(level), false, window_bits);
        Deflater { inner, level, window_bits }
    }

    /// Appends `payload`, compressed, to `out`. Refers to earlier messages since the last
    /// [`reset`](Self::reset).
    pub fn message(&mut self, payload: &[u8], out: &mut Vec<u8>) {
        if payload.is_empty() {
            // 7.2.3.6: an empty DEFLATE block without its tail. zlib wouldn't flush twice with
            // nothing in between.
            out.push(0x00);
            return;
        }
        let mut rest = payload;
        loop {
            // More than the six bytes that zlib asks for, so that a flush is never cut in two by a
            // full buffer.
            out.reserve(rest.len() / 2 + 64);
            let before = self.inner.total_in();
            self.inner
                .compress_vec(rest, out, FlushCompress::Sync)
                // zlib's only errors are a bad flush value and a stream that has ended; neither can
                // be here.
                .expect("a sync flush of a stream that goes on");
            rest = &rest[(self.inner.total_in() - before) as usize..];
            // Room left over: the flush is complete.
            if rest.is_empty() && out.len() < out.capacity() {
                break;
            }
        }
        debug_assert!(out.ends_with(&TAIL));
        out.truncate(out.len() - TAIL.len());
    }

    /// Forgets earlier messages ("no context takeover", 7.1.1).
    pub fn reset(&mut self) {
        self.inner.reset();
    }
}

/// Inflates messages (RFC 7692, 7.2.2), never beyond a limit.
pub(crate) struct Inflater {
    inner: Decompress,
    /// With context takeover: the end of earlier messages, as far as DEFLATE data can refer back.
    history: Option<Vec<u8>>,
    /// Bytes inflated up to the last block with BFINAL.
    taken: u64,
    /// Blocks with BFINAL in this message.
    starts: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InflateError {
    NotDeflate,
    TooBig,
}

impl Inflater {
    /// For messages that may refer to earlier ones if `context_takeover`. The window is the
    /// largest, whatever was agreed: zlib finds out that a reference goes back too far only where
    /// the input happens to be cut.
    pub(crate) fn new(context_takeover: bool) -> Self {
        let inner = Decompress::new_with_window_bits(false, 15);
        Inflater { inner, history: context_takeover.then(Vec::new), taken: 0, starts: 0 }
    }

    /// Inflates a piece of a message to the end of `out`, which holds the message so far and
    /// nothing else. Takes memory for at most `bytes_max` + 1 bytes, and no more than twice what
    /// the message has come to plus four times the piece. After an error `out` holds what was
    /// inflated up to it, within the limit.
    pub(crate) fn push(
        &mut self,
        piece: &[u8],
        out: &mut Vec<u8>,
        bytes_max: usize,
    ) -> Result<(), InflateError> {
        let mut rest = piece;
        loop {
            if out.len() == out.capacity() {
                let more = out.len().max(rest.len().saturating_mul(4)).max(64);
                // One more than allowed, to see whether there is more.
                out.reserve_exact(more.min(bytes_max.saturating_sub(out.len()).saturating_add(1)));
            }
            let before = self.inner.total_in();
            let status = self.inner.decompress_vec(rest, out, FlushDecompress::Sync);
            if out.len() > bytes_max {
                out.truncate(bytes_max);
                return Err(InflateError::TooBig);
            }
            let status = status.map_err(|_| InflateError::NotDeflate)?;
            rest = &rest[(self.inner.total_in() - before) as usize..];
            match status {
                Status::StreamEnd => {
                    self.start_again(out)?;
                    if rest.is_empty() {
                        return Ok(());
                    }
                }
                // Room left over: all that could be inflated is.
                Status::Ok | Status::BufError if out.len() < out.capacity() => return Ok(()),
                Status::Ok | Status::BufError => {}
            }
        }
    }

    /// The message is complete.
    pub(crate) fn finish(
        &mut self,
        out: &mut Vec<u8>,
        bytes_max: usize,
    ) -> Result<(), InflateError> {
        self.push(&TAIL, out, bytes_max)?;
        (self.taken, self.starts) = (0, 0);
        if let Some(history) = &mut self.history {
            remember(history, out);
        }
        Ok(())
    }

    /// 7.2.3.4: a block may have BFINAL set. For zlib that is the end; the message goes on, and so
    /// do the references to what came before.
    #[cold]
    fn start_again(&mut self, out: &[u8]) -> Result<(), InflateError> {
        // It costs some microseconds, and two bytes are enough to ask for it: too many of them are
        // no honest data.
        self.taken += self.inner.total_in();
        self.starts += 1;
        if self.starts > STARTS_MAX + self.taken / START_BYTES_MIN {
            return Err(InflateError::NotDeflate);
        }
        let mut window = self.history.clone().unwrap_or_default();
        remember(&mut window, out);
        self.inner.reset(false);
        self.inner.set_dictionary(&window).map_err(|_| InflateError::NotDeflate)?;
        Ok(())
    }
}

/// Keeps at least a window, and twice as much at most, so that the bytes needn't be moved with each
/// message.
fn remember(history: &mut Vec<u8>, message: &[u8]) {
    let message = &message[message.len().saturating_sub(WINDOW_BYTES)..];
    if history.len() + message.len() > 2 * WINDOW_BYTES {
        // More than a window goes, so that this is less than what is there.
        let kept = WINDOW_BYTES - message.len();
        history.drain(..history.len() - kept);
    }
    history.extend_from_slice(message);
}

/// Inflaters and deflaters of connections without context takeover, which own none between two
/// messages. A few per thread are enough: only messages that are incomplete hold one.
#[derive(Default)]
struct Pool {
    inflaters: Vec<Inflater>,
    deflaters: Vec<Deflater>,
}

const POOLED_MAX: usize = 4;

thread_local! {
    static POOL: RefCell<Pool> = RefCell::default();
}

/// An inflater that has seen nothing.
pub(crate) fn take_inflater() -> Inflater {
    let pooled = POOL.try_with(|pool| pool.borrow_mut().inflaters.pop());
    pooled.ok().flatten().unwrap_or_else(|| Inflater::new(false))
}

pub(crate) fn give_inflater(mut inflater: Inflater) {
    // An error means that the thread is ending: the inflater is dropped with it.
    let _ = POOL.try_with(|pool| {
        let inflaters = &mut pool.borrow_mut().inflaters;
        if inflaters.len() < POOLED_MAX {
            inflater.inner.reset(false);
            inflaters.push(inflater);
        }
    });
}

/// A deflater that has seen nothing.
pub(crate) fn take_deflater(level: u32, window_bits: u8) -> Deflater {
    let pooled = POOL.try_with(|pool| {
        let deflaters = &mut pool.borrow_mut().deflaters;
        let fits = |deflater: &Deflater| {
            deflater.level == level.min(9) && deflater.window_bits == window_bits
        };
        deflaters.iter().position(fits).map(|at| deflaters.swap_remove(at))
    });
    pooled.ok().flatten().unwrap_or_else(|| Deflater::new(level, window_bits))
}

pub(crate) fn give_deflater(mut deflater: Deflater) {
    let _ = POOL.try_with(|pool| {
        let deflaters = &mut pool.borrow_mut().deflaters;
        if deflaters.len() == POOLED_MAX {
            // The oldest has another level or window, or would have been taken.
            deflaters.remove(0);
        }
        deflater.reset();
        deflaters.push(deflater);
    });
}
