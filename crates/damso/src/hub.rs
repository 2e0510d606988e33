//! The hub's thread, and the log's. The hub's is the one owner of the live chat: it drains what is
//! there, hands entries to the log, and hands on what came of them. A log in memory is asked there
//! and then; one on disk has a thread of its own, so that nothing waits for the disk but what has
//! to.

use crate::clock::Clock;
use crate::dialect::v1;
use crate::feed::Published;
use crate::metrics::{Figure, Metrics};
use crate::process;
use crate::readers::{self, Job, Readers, Reading, Searching};
use crate::shard::{ShardHandle, ToShard};
use damso_chat::Entry;
use damso_chat::hub::{Hub, Input, Output};
use damso_protocol::v1::server;
use damso_store::{Checkpointer, Fatal, Indexer, Log, Memory, Outcome, Sqlite};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};
use tracing::warn;

/// What the hub takes in before it hands its outputs on, in inputs; and the log before it
/// commits, in batches.
const INPUTS_MAX: usize = 4096;

/// Everything that moves the hub's thread.
pub enum ToHub {
    /// From sessions.
    Inputs(Vec<Input>),
    /// From the log: what became of the oldest entries, in order.
    Recorded(Vec<Outcome>),
    /// Something to read in a log that is in memory, and so on the hub's thread.
    Read(Vec<Job>),
    /// Somebody wants to know whether the hub still comes round: it answers when it has.
    Knock(Box<dyn FnOnce() + Send>),
}

/// Gives inputs to the hub.
#[derive(Clone)]
pub struct HubHandle {
    sender: Sender<ToHub>,
    /// Inputs that wait.
    length: Arc<Figure>,
}

impl HubHandle {
    /// Hands over a batch. A hub that has ended takes nothing, and nothing is owed to it.
    pub fn give(&self, inputs: Vec<Input>) {
        self.length.add(inputs.len() as u64);
        let _ = self.sender.send(ToHub::Inputs(inputs));
    }

    /// Has the hub call `answer` when it comes round. One that has ended never does.
    pub fn knock(&self, answer: impl FnOnce() + Send + 'static) {
        let _ = self.sender.send(ToHub::Knock(Box::new(answer)));
    }

    /// Readers that ask the hub's thread, which has the log in memory.
    pub fn readers(&self) -> Readers {
        let sender = self.sender.clone();
        Readers::new(move |jobs| drop(sender.send(ToHub::Read(jobs))))
    }
}

/// Both ends of the way to the hub.
pub fn channel(metrics: &Metrics) -> (HubHandle, Inbox) {
    let ((sender, receiver), length) = (mpsc::channel(), metrics.queue("hub"));
    let log_length = metrics.queue("log");
    (HubHandle { sender, length: length.clone() }, Inbox { receiver, length, log_length })
}

/// What the hub waits on.
pub struct Inbox {
    receiver: Receiver<ToHub>,
    length: Arc<Figure>,
    /// Entries in the log's hands.
    log_length: Arc<Figure>,
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
pub fn run_log(
    mut log: Sqlite,
    clock: &Clock,
    entries: &Receiver<Vec<Entry>>,
    hub: &HubHandle,
    metrics: &Metrics,
) {
    loop {
        let first = match log.scrub_due() {
            None => entries.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(due) => entries.recv_timeout(due.saturating_duration_since(Instant::now())),
        };
        let mut batch = match first {
            Ok(batch) => batch,
            Err(RecvTimeoutError::Timeout) => {
                log.scrub();
                warn_of(&mut log);
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => return,
        };
        while batch.len() < INPUTS_MAX
            && let Ok(mut more) = entries.try_recv()
        {
            batch.append(&mut more);
        }
        let since = Instant::now();
        let outcomes = log.append(batch, clock.now_ms());
        warn_of(&mut log);
        match outcomes {
            Ok(outcomes) => {
                metrics.recorded(&outcomes, since.elapsed());
                drop(hub.sender.send(ToHub::Recorded(outcomes)));
            }
            Err(fatal) => give_up(&fatal),
        }
    }
}

fn warn_of(log: &mut Sqlite) {
    if let Some(warning) = log.take_warning() {
        warn!("{warning}");
    }
}

/// Copies what was committed into the database, until the log is gone.
pub fn run_checkpointer(checkpointer: Checkpointer) {
    if let Err(fatal) = checkpointer.run() {
        give_up(&fatal);
    }
}

/// Keeps the index of messages, until the log is gone. It yields to whatever else has to be done.
pub fn run_indexer(indexer: Indexer) {
    process::be_nice();
    indexer.run(|sentence| warn!(%sentence, "the index of messages"));
}

/// Nothing is known about what the disk holds: the process ends, and the next start reads it.
fn give_up(Fatal(sentence): &Fatal) -> ! {
    process::complain(&format!("damso: {sentence}"));
    std::process::exit(1);
}

/// Runs the hub until it is stopped: what is in the log's hands then is still handed on.
pub fn run(
    mut hub: Hub,
    mut recorder: Recorder,
    clock: &Clock,
    Inbox { receiver, length, log_length }: &Inbox,
    shards: &[ShardHandle],
    readers: &Readers,
    metrics: &Metrics,
) {
    let mut knocks: Vec<Box<dyn FnOnce() + Send>> = Vec::new();
    let mut batches: Vec<Vec<ToShard>> = shards.iter().map(|_| Vec::new()).collect();
    let mut jobs = Vec::new();
    let (mut stop, mut in_log) = (false, 0);
    loop {
        let first = match hub.timeout() {
            None => receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(due) => {
                let left = due.saturating_sub(clock.now_ms());
                receiver.recv_timeout(Duration::from_millis(left))
            }
        };
        let mut next = match first {
            Ok(message) => Some(message),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let now = clock.now_ms();
        let mut count = 0;
        while let Some(message) = next {
            match message {
                ToHub::Recorded(outcomes) => {
                    in_log -= outcomes.len();
                    hub.recorded(outcomes, now);
                }
                ToHub::Read(more) => jobs.extend(more),
                ToHub::Knock(answer) => knocks.push(answer),
                // Nobody is heard any more; only the log's last words are waited for.
                ToHub::Inputs(inputs) if stop => length.take(inputs.len() as u64),
                ToHub::Inputs(inputs) => {
                    length.take(inputs.len() as u64);
                    count += inputs.len();
                    for input in inputs {
                        if input == Input::Stop {
                            stop = true;
                            hub.begin_no_more();
                            break;
                        }
                        hub.handle(input, now);
                    }
                }
            }
            next = if count < INPUTS_MAX { receiver.try_recv().ok() } else { None };
        }
        hub.handle_timeout(now);
        // What a log in memory answers may lead to more for it.
        loop {
            let entries = hub.take_entries();
            if entries.is_empty() {
                break;
            }
            match &mut recorder {
                // Nothing but a disk can fail, and there is none.
                Recorder::Here(log) => {
                    let since = Instant::now();
                    let outcomes = log.append(entries, now).unwrap_or_default();
                    metrics.recorded(&outcomes, since.elapsed());
                    forget(&mut hub, log);
                    hub.recorded(outcomes, now);
                }
                Recorder::There(log) => {
                    in_log += entries.len();
                    // A log that has ended has ended the process.
                    let _ = log.send(entries);
                }
            }
        }
        log_length.show(in_log as u64);
        let over = stop && in_log == 0;
        if over {
            hub.handle(Input::Stop, now);
        }
        for output in hub.take_outputs() {
            sort_in(output, &mut batches, &mut jobs);
        }
        for (shard, batch) in shards.iter().zip(&mut batches) {
            if over {
                batch.push(ToShard::Stop);
            }
            shard.give(std::mem::take(batch));
        }
        for answer in knocks.drain(..) {
            answer();
        }
        if over {
            return;
        }
        // After the shards know what the answers belong to.
        let jobs = jobs.drain(..);
        match &recorder {
            Recorder::Here(log) => {
                for job in jobs {
                    readers::deliver(readers::read(job, log), shards);
                }
            }
            Recorder::There(_) => readers.ask(jobs),
        }
    }
}

/// Tells the hub what a log in memory has dropped for what it took in: of any room.
pub fn forget(hub: &mut Hub, log: &mut Memory) {
    for room in log.take_forgotten() {
        let first = log.first(&room);
        hub.forgotten(room, first);
    }
}

/// Puts an output into the batch of each shard it is for, or among what is to be read.
pub fn sort_in(output: Output, batches: &mut [Vec<ToShard>], jobs: &mut Vec<Job>) {
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
        Output::Typing { shards, room, user } => {
            let typing = server::Typing { room: room.clone(), user };
            let text: Arc<str> = v1::json(&server::ServerMessage::Typing(typing)).into();
            for shard in shards {
                if let Some(batch) = batches.get_mut(usize::from(shard)) {
                    batch.push(ToShard::Typing { room: room.clone(), text: text.clone() });
                }
            }
            return;
        }
        Output::Page { session, id, user, wanted } => {
            jobs.push(Job::Read(Reading::Page { session, id, user, wanted, opened: None }));
            return;
        }
        Output::Search { session, id, sought } => {
            jobs.push(Job::Search(Searching { session, id, sought, since: Instant::now() }));
            return;
        }
        Output::Subscribe { session, room, next, opened } => {
            let job = opened.as_ref();
            jobs.extend(job.and_then(|opened| readers::job_of_open(session, &room, opened)));
            (session, ToShard::Subscribe { session, room, next, opened })
        }
        Output::Unsubscribe { session, room } => (session, ToShard::Unsubscribe { session, room }),
        Output::Answer { session, id, answer } => (session, ToShard::Answer(session, id, answer)),
        Output::Credit { session, count } => (session, ToShard::Credit(session, count)),
        Output::Close { session, ending } => (session, ToShard::Close(session, ending)),
    };
    if let Some(batch) = batches.get_mut(usize::from(session.shard)) {
        batch.push(message);
    }
}
