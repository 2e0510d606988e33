//! How the index follows the log: by room, on a thread of its own, some events at a time.

use super::Searcher;
use super::index::{Index, Item, is_damage};
use crate::Outcome;
use crate::rows::EVENT_BYTES;
use crate::sqlite::{Failure, OpenError, Reader, Sqlite};
use damso_chat::hub::Place;
use damso_chat::{Decision, Event};
use damso_protocol::RoomId;
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So long what happened is gathered, unless somebody waits for it: each commit costs the same,
/// whatever is in it.
const GATHER: Duration = Duration::from_secs(1);
/// One commit has about so many events, or so many bytes of them.
const BATCH_EVENTS: usize = if cfg!(test) { 16 } else { 4_000 };
const BATCH_BYTES: usize = 1024 * 1024;
/// So many events of a room are read at a time.
const CHUNK: u64 = if cfg!(test) { 8 } else { 1_000 };
/// So long somebody who looks for messages waits for what was said before.
const WAIT_MAX: Duration = Duration::from_millis(if cfg!(test) { 0 } else { 2_000 });
/// With more events to come than this nobody waits: they won't be there in time.
const BACKLOG_MAX: u64 = 50_000;
/// After such a time without anything to do, what was deleted is wiped out;
const QUIET: Duration = Duration::from_secs(20);
/// but so many times as long as it took, nothing more is.
const REST: u32 = 50;
/// The file beside the index is tried to be emptied again in so long.
const WAL_RETRY: Duration = Duration::from_millis(200);
/// After a failure it is tried again in so long.
const RETRY: Duration = Duration::from_secs(10);

/// What the log, the index's thread and those who look for messages share.
#[derive(Default)]
pub(super) struct Shared {
    state: Mutex<Following>,
    /// Something is to be done, or was.
    bell: Condvar,
}

#[derive(Default)]
struct Following {
    /// Rooms in which something happened that isn't indexed.
    rooms: BTreeSet<RoomId>,
    /// Rooms that somebody waits for.
    urgent: BTreeSet<RoomId>,
    /// Up to which `seq` rooms are indexed, as far as it was committed.
    progress: HashMap<RoomId, u64>,
    /// Which file it is: another one each time it is made anew. 0: there is none yet.
    generation: u64,
    /// Somebody found that the file is damaged.
    is_damaged: bool,
    /// What was deleted is to be wiped out as soon as may be.
    wipe: bool,
    /// The index can't be got on with now, so nobody waits for it.
    is_stuck: bool,
    /// The log is gone.
    is_over: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Following> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until these places are indexed, if that won't take too long. Whether they are, and
    /// the file's number.
    pub(super) fn wait_for(&self, places: &[Place]) -> (bool, u64) {
        let by = Instant::now() + WAIT_MAX;
        let mut state = self.lock();
        loop {
            let behind = |place: &&Place| {
                state.progress.get(&place.room).copied().unwrap_or_default() < place.head
            };
            let missing: Vec<&Place> = places.iter().filter(behind).collect();
            let backlog: u64 = missing
                .iter()
                .map(|place| place.head - state.progress.get(&place.room).copied().unwrap_or(0))
                .sum();
            let left = by.saturating_duration_since(Instant::now());
            let is_hopeless = backlog > BACKLOG_MAX || state.is_stuck || state.is_over;
            if missing.is_empty() || is_hopeless || left.is_zero() {
                return (missing.is_empty(), state.generation);
            }
            let rooms: Vec<RoomId> = missing.iter().map(|place| place.room.clone()).collect();
            state.urgent.extend(rooms);
            self.bell.notify_all();
            state = self.bell.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Says that the file with this number is damaged.
    pub(super) fn report_damage(&self, generation: u64) {
        let mut state = self.lock();
        if state.generation == generation {
            state.is_damaged = true;
            self.bell.notify_all();
        }
    }
}

/// Tells the index's thread what happened. Belongs to the log's thread, and never waits for the
/// index.
pub struct Notes(Arc<Shared>);

impl Notes {
    /// Notes what was committed.
    pub(crate) fn committed(&self, outcomes: &[Outcome]) {
        let mut rooms: Vec<&RoomId> = Vec::new();
        let happened = outcomes.iter().flatten().flat_map(Decision::events);
        for (room, _) in happened.filter_map(Event::place) {
            if rooms.last() != Some(&room) {
                rooms.push(room);
            }
        }
        if rooms.is_empty() {
            return;
        }
        let mut state = self.0.lock();
        let was_idle = state.rooms.is_empty();
        for room in rooms {
            if !state.rooms.contains(room) {
                state.rooms.insert(room.clone());
            }
        }
        // What somebody wants erased is gone soon, not when it is quiet.
        let erased = |decision: &Decision| matches!(decision, Decision::Erased { .. });
        state.wipe |= outcomes.iter().flatten().any(erased);
        drop(state);
        if was_idle {
            self.0.bell.notify_all();
        }
    }
}

impl Drop for Notes {
    fn drop(&mut self) {
        self.0.lock().is_over = true;
        self.0.bell.notify_all();
    }
}

impl Sqlite {
    /// Gives the log an index in its folder, which has to be [`run`](Indexer::run) on a thread of
    /// its own, and whoever looks for messages by it.
    ///
    /// # Errors
    /// One sentence: the log can't be read by another connection.
    pub fn indexer(&mut self) -> Result<(Indexer, Searcher), OpenError> {
        let shared = Arc::new(Shared::default());
        let searcher = Searcher::new(self.reader()?, self.folder().path(), shared.clone());
        let indexer = Indexer {
            reader: self.reader()?,
            folder: self.folder().path().to_owned(),
            epoch: self.epoch().to_owned(),
            shared: shared.clone(),
            index: None,
            pending: BTreeSet::new(),
            urgent: BTreeSet::new(),
            rests_until: None,
            is_wal_dirty: false,
        };
        self.notes = Some(Notes(shared));
        Ok((indexer, searcher))
    }
}

/// Keeps the index: see [`run`](Self::run).
pub struct Indexer {
    reader: Reader,
    folder: PathBuf,
    epoch: String,
    shared: Arc<Shared>,
    /// None before it was opened, and when it has to be made anew.
    index: Option<Index>,
    /// Rooms that aren't indexed to their end.
    pending: BTreeSet<RoomId>,
    /// Those that somebody waits for.
    urgent: BTreeSet<RoomId>,
    /// Nothing is wiped out before, unless that is asked for.
    rests_until: Option<Instant>,
    /// What was wiped out may still stand in the file beside the index.
    is_wal_dirty: bool,
}

/// What there is to do.
enum Task {
    /// Rooms got on.
    Follow,
    /// What was deleted is to be wiped out.
    Wipe,
    /// The log is gone.
    End,
}

impl Indexer {
    /// Follows the log until it is gone. What fails is said by `complain`, in one sentence, and
    /// tried again: the chat goes on without an index.
    pub fn run(mut self, complain: impl Fn(&str)) {
        let mut has_failed = false;
        loop {
            let done = match self.open() {
                Ok(()) => match self.wait(GATHER) {
                    Task::Follow => self.step().map(drop),
                    Task::Wipe => self.wipe(),
                    Task::End => {
                        // A folder that nobody uses has all it holds in its databases.
                        let _ = self.index.map(|index| index.empty_wal());
                        return;
                    }
                },
                Err(failure) => Err(failure),
            };
            match done {
                Ok(()) => has_failed = false,
                Err(failure) if is_damage(&failure) && !has_failed => {
                    complain(&format!("the index of messages is made anew ({failure})"));
                    self.begin_anew();
                    has_failed = true;
                }
                Err(failure) => {
                    if !has_failed {
                        complain(&format!("messages can't be indexed now ({failure})"));
                    }
                    has_failed = true;
                    // Whatever is remembered of it may be ahead of the file.
                    self.index = None;
                    if self.pause() {
                        return;
                    }
                }
            }
        }
    }

    /// Opens the index if it isn't, and finds out what it hasn't got.
    fn open(&mut self) -> Result<(), Failure> {
        if self.index.is_some() {
            return Ok(());
        }
        let heads = self.reader.heads().map_err(|error| Failure::Record(error.0))?;
        let mut index = Index::open(&self.folder, &self.epoch)?;
        let mut progress = index.progress();
        let is_ahead = |(room, seq): (&RoomId, &u64)| heads.get(room).is_none_or(|head| head < seq);
        if progress.iter().any(is_ahead) {
            // The log has lost something since, as after a power cut that it wasn't made for.
            drop(index);
            super::index::remove(&self.folder)?;
            index = Index::open(&self.folder, &self.epoch)?;
            progress = index.progress();
        }
        let done = |room: &RoomId| progress.get(room).copied().unwrap_or_default();
        let behind = heads.iter().filter(|(room, head)| done(room) < **head);
        self.pending.extend(behind.map(|(room, _)| room.clone()));
        self.index = Some(index);
        let mut state = self.shared.lock();
        state.progress = progress;
        state.generation += 1;
        state.is_damaged = false;
        self.shared.bell.notify_all();
        Ok(())
    }

    fn begin_anew(&mut self) {
        self.index = None;
        // If it can't be removed, opening it says why.
        let _ = super::index::remove(&self.folder);
    }

    /// Waits for something to do. What begins to happen is gathered for as long as `gather`.
    fn wait(&mut self, gather: Duration) -> Task {
        let shared = self.shared.clone();
        let is_stained = self.index.as_ref().is_some_and(Index::is_stained) || self.is_wal_dirty;
        let mut state = shared.lock();
        let mut gathered_since = None;
        loop {
            if state.is_over {
                return Task::End;
            }
            if std::mem::take(&mut state.is_damaged) {
                drop(state);
                self.begin_anew();
                return Task::Follow;
            }
            self.urgent.append(&mut state.urgent);
            // What was left over from the last time needn't wait.
            if !self.pending.is_empty() || !self.urgent.is_empty() {
                self.pending.append(&mut state.rooms);
                return Task::Follow;
            }
            let now = Instant::now();
            if !state.rooms.is_empty() {
                let left = gather.saturating_sub(now - *gathered_since.get_or_insert(now));
                if left.is_zero() {
                    self.pending.append(&mut state.rooms);
                    return Task::Follow;
                }
                state =
                    shared.bell.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
                continue;
            }
            if !is_stained {
                state.wipe = false;
                state = shared.bell.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            if state.wipe {
                return Task::Wipe;
            }
            let until = self.rests_until.map_or(QUIET, |until| QUIET.max(until - now));
            let (woken, slept) =
                shared.bell.wait_timeout(state, until).unwrap_or_else(PoisonError::into_inner);
            state = woken;
            let is_quiet = state.rooms.is_empty() && state.urgent.is_empty() && !state.is_over;
            if slept.timed_out() && is_quiet {
                return Task::Wipe;
            }
        }
    }

    /// Waits before something is tried again. Whether the log is gone.
    fn pause(&self) -> bool {
        let mut state = self.shared.lock();
        state.is_stuck = true;
        self.shared.bell.notify_all();
        let over = |state: &mut Following| !state.is_over;
        let waited = self.shared.bell.wait_timeout_while(state, RETRY, over);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.is_stuck = false;
        state.is_over
    }

    /// Takes in a batch of what isn't indexed. Whether there is more.
    fn step(&mut self) -> Result<bool, Failure> {
        let Some(index) = &mut self.index else { return Ok(true) };
        let (mut items, mut progress, mut ended) = (Vec::new(), Vec::new(), Vec::new());
        let (mut events, mut bytes) = (0, 0);
        let later = self.pending.iter().filter(|room| !self.urgent.contains(*room));
        'rooms: for room in self.urgent.iter().chain(later) {
            let mut at = index.indexed_to(room);
            loop {
                let since = self.reader.since(room, at, CHUNK);
                let since = since.map_err(|error| Failure::Record(error.0))?;
                events += (since.to - at.min(since.to)) as usize;
                at = at.max(since.to);
                for said in since.messages {
                    let text = said.message.text.as_ref();
                    bytes += text.map_or(0, |text| text.len()) + EVENT_BYTES;
                    items.push(Item {
                        position: said.position,
                        message: said.message,
                        is_known: said.is_older,
                    });
                }
                let has_ended = at >= since.head;
                let is_full = events >= BATCH_EVENTS || bytes >= BATCH_BYTES;
                if has_ended || is_full {
                    progress.push((room.clone(), at));
                }
                if has_ended {
                    ended.push(room.clone());
                }
                match (is_full, has_ended) {
                    (true, _) => break 'rooms,
                    (false, true) => break,
                    (false, false) => {}
                }
            }
        }
        items.sort_by_key(|item| item.position);
        index.take(&items, &progress)?;
        for room in &ended {
            self.pending.remove(room);
            self.urgent.remove(room);
        }
        self.shared.lock().progress.extend(progress);
        self.shared.bell.notify_all();
        Ok(!self.pending.is_empty() || !self.urgent.is_empty())
    }

    /// Wipes out what was deleted, in one slice.
    fn wipe(&mut self) -> Result<(), Failure> {
        let Some(index) = &mut self.index else { return Ok(()) };
        let began = Instant::now();
        index.wipe_slice()?;
        if !index.is_stained() {
            self.is_wal_dirty = !index.empty_wal()?;
            let mut state = self.shared.lock();
            if self.is_wal_dirty {
                // Somebody reads what it was; not for long.
                let over = |state: &mut Following| !state.is_over;
                drop(self.shared.bell.wait_timeout_while(state, WAL_RETRY, over));
            } else {
                state.wipe = false;
                self.shared.bell.notify_all();
            }
        }
        self.rests_until = Some(Instant::now() + began.elapsed() * REST);
        Ok(())
    }

    /// Does all there is to do, at once.
    #[cfg(test)]
    pub(super) fn catch_up(&mut self) {
        self.open().expect("an index");
        loop {
            let mut state = self.shared.lock();
            self.pending.append(&mut state.rooms);
            drop(state);
            if !self.step().expect("a step") {
                return;
            }
        }
    }

    /// Wipes out all that was deleted.
    #[cfg(test)]
    pub(super) fn wipe_now(&mut self) {
        while self.index.as_ref().is_some_and(Index::is_stained) {
            self.wipe().expect("it can be wiped out");
        }
    }
}
