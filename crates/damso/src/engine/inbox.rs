//! The way from other threads to a shard whose thread waits for sockets.

use crate::metrics::Figure;
use crate::shard::ToShard;
use std::io;
use std::sync::{Arc, Mutex};
use tracing::warn;

/// What other threads have for a shard. Its loop is woken only if nothing was waiting already.
pub(super) struct Inbox {
    queue: Mutex<Vec<ToShard>>,
    /// What is told of it.
    length: Arc<Figure>,
    wake: Box<dyn Fn() -> io::Result<()> + Send + Sync>,
}

impl Inbox {
    pub(super) fn new(
        length: Arc<Figure>,
        wake: impl Fn() -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self { queue: Mutex::default(), length, wake: Box::new(wake) }
    }

    pub(super) fn give(&self, mut batch: Vec<ToShard>) {
        // A thread that panics ends the process, so the lock can't be poisoned.
        let Ok(mut queue) = self.queue.lock() else { return };
        let was_empty = queue.is_empty();
        if was_empty {
            *queue = batch;
        } else {
            queue.append(&mut batch);
        }
        self.length.show(queue.len() as u64);
        drop(queue);
        if was_empty && let Err(error) = (self.wake)() {
            warn!(%error, "a shard could not be woken");
        }
    }

    pub(super) fn take(&self) -> Vec<ToShard> {
        let Ok(mut queue) = self.queue.lock() else { return Vec::new() };
        self.length.show(0);
        std::mem::take(&mut *queue)
    }
}
