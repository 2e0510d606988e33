//! The hub's thread, and the log's. The hub's is the one owner of the live chat: it drains what is
//! there, hands entries to the log, and hands on what came of them. A log in memory is asked there
//! and then; one on disk has a thread of its own, so that nothing waits for the disk but what has
//! to.

use crate::clock::Clock;
use crate::feed::Published;
use crate::process;
use crate::shard::{ShardHandle, ToShard};
use damso_chat::Entry;
use damso_chat::hub::{Hub, Input, Output};
use damso_store::{Fatal, Log, Memory, Outcome, Sqlite};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};

/// What the hub takes in before it hands its outputs on, in inputs; and the log before it
/// commits, in batches.
const INPUTS_MAX: usize = 4096;

/// Everything that moves the hub's thread.
pub enum ToHub {
    /// From sessions.
    Inputs(Vec<Input>),
    /// From the log: what became of the oldest entries, in order.
    Recorded(Vec<Outcome>),
}

/// Gives inputs to the hub.
#[derive(Clone)]
pub struct HubHandle(Sender<ToHub>);

impl HubHandle {
    /// Hands over a batch. A hub that has ended takes nothing, and nothing is owed to it.
    pub fn give(&self, inputs: Vec<Input>) {
        let _ = self.0.send(ToHub::Inputs(inputs));
    }
}

/// Both ends of the way to the hub.
pub fn channel() -> (HubHandle, Receiver<ToHub>) {
    let (sender, receiver) = mpsc::channel();
    (HubHandle(sender), receiver)
}

/// Where the hub's entries go.
pub enum Recorder {
    /// A log that answers at once.
    Here(Box<Memory>),
    /// A log on another thread, which answers by [`ToHub::Recorded`].
    There(Sender<Vec<Entry>>),
}

/// Judges and records on the log's thread until its senders are gone: all that is queued is one
/// batch, so that the cost of a commit is shared.
pub fn run_log(mut log: Sqlite, clock: &Clock, entries: &Receiver<Vec<Entry>>, hub: &HubHandle) {
    while let Ok(mut batch) = entries.recv() {
        while batch.len() < INPUTS_MAX
            && let Ok(mut more) = entries.try_recv()
        {
            batch.append(&mut more);
        }
        match log.append(batch, clock.now_ms()) {
            Ok(outcomes) => drop(hub.0.send(ToHub::Recorded(outcomes))),
            Err(Fatal(sentence)) => {
                process::complain(&format!("damso: {sentence}"));
                std::process::exit(1);
            }
        }
    }
}

/// Runs the hub until it is stopped: what is in the log's hands then is still handed on.
pub fn run(
    mut hub: Hub,
    mut recorder: Recorder,
    clock: &Clock,
    inbox: &Receiver<ToHub>,
    shards: &[ShardHandle],
) {
    let mut batches: Vec<Vec<ToShard>> = shards.iter().map(|_| Vec::new()).collect();
    let (mut stop, mut in_log) = (false, 0);
    while let Ok(mut message) = inbox.recv() {
        let now = clock.now_ms();
        let mut count = 0;
        loop {
            match message {
                ToHub::Recorded(outcomes) => {
                    in_log -= outcomes.len();
                    hub.recorded(outcomes);
                }
                // Nobody is heard any more; only the log's last words are waited for.
                ToHub::Inputs(_) if stop => {}
                ToHub::Inputs(inputs) => {
                    count += inputs.len();
                    for input in inputs {
                        if input == Input::Stop {
                            stop = true;
                            break;
                        }
                        hub.handle(input, now);
                    }
                }
            }
            if count >= INPUTS_MAX {
                break;
            }
            match inbox.try_recv() {
                Ok(next) => message = next,
                Err(_) => break,
            }
        }
        let entries = hub.take_entries();
        if !entries.is_empty() {
            match &mut recorder {
                // Nothing but a disk can fail, and there is none.
                Recorder::Here(log) => {
                    hub.recorded(log.append(entries, now).unwrap_or_default());
                }
                Recorder::There(log) => {
                    in_log += entries.len();
                    // A log that has ended has ended the process.
                    let _ = log.send(entries);
                }
            }
        }
        let over = stop && in_log == 0;
        if over {
            hub.handle(Input::Stop, now);
        }
        for output in hub.take_outputs() {
            sort_in(output, &mut batches);
        }
        for (shard, batch) in shards.iter().zip(&mut batches) {
            if over {
                batch.push(ToShard::Stop);
            }
            shard.give(std::mem::take(batch));
        }
        if over {
            return;
        }
    }
}

/// Puts an output into the batch of each shard it is for.
fn sort_in(output: Output, batches: &mut [Vec<ToShard>]) {
    let (session, message) = match output {
        Output::Deliver { shards, event } => {
            // The hub delivers only what stands in a room.
            let Some(published) = Published::new(event).map(Arc::new) else { return };
            for shard in shards {
                if let Some(batch) = batches.get_mut(usize::from(shard)) {
                    batch.push(ToShard::Deliver(published.clone()));
                }
            }
            return;
        }
        Output::Subscribe { session, room, next } => {
            (session, ToShard::Subscribe { session, room, next })
        }
        Output::Answer { session, answer } => (session, ToShard::Answer(session, answer)),
        Output::Credit { session, count } => (session, ToShard::Credit(session, count)),
        Output::Close { session, ending } => (session, ToShard::Close(session, ending)),
    };
    if let Some(batch) = batches.get_mut(usize::from(session.shard)) {
        batch.push(message);
    }
}
