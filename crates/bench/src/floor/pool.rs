//! Buffers that the kernel receives into and chooses from itself: a provided buffer ring, io_uring_register_buf_ring(3).

use std::alloc::{Layout, alloc_zeroed};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::{Submitter, cqueue, types::BufRingEntry};

/// The only group there is.
pub const GROUP: u16 = 0;
/// A power of two.
const COUNT: u16 = 64;
const BYTES: usize = 32 * 1024;
const PAGE_BYTES: usize = 4096;
/// The ring of entries comes first, on whole pages.
const ENTRIES_BYTES: usize =
    (COUNT as usize * size_of::<BufRingEntry>()).next_multiple_of(PAGE_BYTES);

pub struct Pool {
    /// `ENTRIES_BYTES` of entries, then `COUNT` buffers of `BYTES`. Never freed: the kernel may write to it for as
    /// long as the ring exists, and that is as long as the process.
    memory: NonNull<u8>,
    tail: u16,
}

impl Pool {
    /// Gives all buffers to the kernel.
    ///
    /// # Errors
    /// A sentence: no memory, or a kernel before 5.19.
    pub fn register(submitter: &Submitter<'_>) -> Result<Self, String> {
        let layout =
            Layout::from_size_align(ENTRIES_BYTES + usize::from(COUNT) * BYTES, PAGE_BYTES)
                .map_err(|error| error.to_string())?;
        // SAFETY: the layout's size isn't zero.
        let memory =
            NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or("no memory for buffers")?;
        let mut pool = Self { memory, tail: 0 };
        // SAFETY: `COUNT` zeroed entries begin there, on a page, and stay until the process ends.
        unsafe { submitter.register_buf_ring_with_flags(memory.as_ptr() as u64, COUNT, GROUP, 0) }
            .map_err(|error| format!("io_uring_register_buf_ring: {error}"))?;
        (0..COUNT).for_each(|id| pool.give(id));
        Ok(pool)
    }

    /// Shows what was received, and gives the buffer back to the kernel. Nothing is shown when there is no buffer.
    ///
    /// # Safety
    /// `flags` and `result` are those of a completion for this group, and this is the first call with them.
    pub unsafe fn received(&mut self, flags: u32, result: i32, show: impl FnOnce(&mut [u8])) {
        let Some(id) = cqueue::buffer_select(flags).filter(|id| *id < COUNT) else { return };
        let length = usize::try_from(result).unwrap_or(0).min(BYTES);
        if length > 0 {
            // SAFETY: inside `memory` by the two bounds above, initialised since it was zeroed, and nobody else's:
            // the kernel gave the buffer up with this completion and gets it back below.
            show(unsafe { std::slice::from_raw_parts_mut(self.buffer(id).as_ptr(), length) });
        }
        self.give(id);
    }

    fn buffer(&self, id: u16) -> NonNull<u8> {
        // SAFETY: `id` is below `COUNT`, so that this stays inside `memory`.
        unsafe { self.memory.add(ENTRIES_BYTES + usize::from(id) * BYTES) }
    }

    fn give(&mut self, id: u16) {
        let entries = self.memory.cast::<BufRingEntry>();
        let buffer = self.buffer(id);
        // SAFETY: `COUNT` entries begin at `entries`. This one is ours: no more buffers are out than there are entries.
        // The kernel reads it only after the tail has moved past it.
        let entry = unsafe { entries.add(usize::from(self.tail & (COUNT - 1))).as_mut() };
        entry.set_addr(buffer.as_ptr() as u64);
        entry.set_len(BYTES as u32);
        entry.set_bid(id);
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: `entries` is the address of the first entry, whose spare field is the ring's tail. It is aligned, and
        // nobody but this writes it.
        unsafe {
            let tail = BufRingEntry::tail(entries.as_ptr()).cast_mut();
            AtomicU16::from_ptr(tail).store(self.tail, Ordering::Release);
        }
    }
}
