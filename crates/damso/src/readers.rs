//! Whoever reads the log back: pages of messages, and events that have left the feeds. A log on
//! disk has threads for that, with connections of their own, so that nobody waits for a reader; one
//! in memory is asked where it is, on the hub's thread.

use crate::dialect::{Reply, wire};
use crate::feed;
use crate::http::api::ANSWER_MAX;
use crate::metrics::Figure;
use crate::shard::{ShardHandle, ToShard};
use damso_chat::hub::{self, Answer, Mode, Opened, SessionId, Sought, Wanted};
use damso_chat::{Event, Refusal};
use damso_protocol::v1::server::PageMessage;
use damso_protocol::{RoomId, UserId};
use damso_store::{Ask, Found, Memory, Page, Rows, Search};
use serde::Serialize;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tracing::error;

/// Something to be done by whoever has the log.
pub enum Job {
    /// Something to read.
    Read(Reading),
    /// Messages to be found.
    Search(Searching),
}

/// Something to read, and for whom.
pub enum Reading {
    /// A page.
    Page {
        /// For which session.
        session: SessionId,
        /// What the session calls its request.
        id: u64,
        /// On whose behalf.
        user: UserId,
        /// What to read.
        wanted: Wanted,
        /// It is the answer to an `open` that resets what the session holds.
        opened: Option<Opened>,
    },
    /// Events of a room.
    Events {
        /// For which session.
        session: SessionId,
        /// Which room.
        room: RoomId,
        /// After this `seq`.
        after: u64,
        /// Up to this one.
        to: u64,
    },
}

/// Messages to be found, and for whom.
pub struct Searching {
    /// For which session.
    pub session: SessionId,
    /// What the session calls its request.
    pub id: u64,
    /// What to find.
    pub sought: Sought,
    /// When that was asked.
    pub since: Instant,
}

/// What was read, and for whom.
pub struct Fetched {
    /// For which session.
    pub session: SessionId,
    /// What it asked for.
    pub asked: Asked,
}

/// What was read.
pub enum Asked {
    /// A page, which brings its request's credit with it.
    Page(Box<FetchedPage>),
    /// What was found, or why nothing could be looked for. Brings its request's credit with it.
    Found(u64, Box<Result<Found, Answer>>),
    /// Events of a room; none if they can't be had any more.
    Events {
        /// Which room.
        room: RoomId,
        /// After this `seq`.
        after: u64,
        /// The events.
        events: Vec<Event>,
    },
}

/// A page that was read, or not.
pub struct FetchedPage {
    id: u64,
    user: UserId,
    room: RoomId,
    opened: Option<Opened>,
    page: Result<Page, Answer>,
}

impl FetchedPage {
    /// What the session is told.
    pub fn reply(&self) -> Reply<'_> {
        match (&self.page, &self.opened) {
            (Err(answer), _) => Reply::Answer(self.id, answer),
            (Ok(page), Some(opened)) => Reply::Opened(opened, Some(page)),
            (Ok(page), None) => Reply::Page(self.id, page, &self.user),
        }
    }

    /// The page as HTTP gives it, or why there is none.
    ///
    /// # Errors
    /// What the session is told instead.
    pub fn into_wire(self) -> Result<PageReply, Answer> {
        let (page, user) = (self.page?, self.user);
        let Page { asof, first, more, .. } = page;
        Ok(PageReply { messages: wire::messages(&page, &user), asof, first, more })
    }

    /// The room that was held for this page, and by which number.
    pub fn releases(&self) -> Option<(&RoomId, u64)> {
        self.opened.as_ref().map(|opened| (&self.room, opened.id))
    }
}

/// A page without the number of a request.
#[derive(Serialize)]
pub struct PageReply {
    /// Its messages.
    pub messages: Vec<PageMessage>,
    asof: u64,
    first: u64,
    more: bool,
}

/// Gives jobs to whoever reads.
#[derive(Clone)]
pub struct Readers(Arc<dyn Fn(Vec<Job>) + Send + Sync>);

impl Readers {
    /// Readers that take each batch by `give`.
    pub fn new(give: impl Fn(Vec<Job>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(give))
    }

    /// Asks for something. What was read comes to the session's shard.
    pub fn ask(&self, jobs: impl IntoIterator<Item = Job>) {
        let jobs: Vec<Job> = jobs.into_iter().collect();
        if !jobs.is_empty() {
            (self.0)(jobs);
        }
    }
}

impl Readers {
    /// Asks for what has left the feeds, for the sessions that `session` knows by slot.
    pub fn ask_for(&self, wanted: Vec<feed::Wanted>, session: impl Fn(u32) -> Option<SessionId>) {
        self.ask(wanted.into_iter().filter_map(|feed::Wanted { slot, room, after, to }| {
            Some(Job::Read(Reading::Events { session: session(slot)?, room, after, to }))
        }));
    }
}

/// The job that an `open` is, if it needs a page.
pub fn job_of_open(session: SessionId, room: &RoomId, opened: &Opened) -> Option<Job> {
    let Mode::Reset { limit, .. } = opened.mode else { return None };
    let Opened { id, user, head, first, .. } = opened;
    let part = hub::Part::Newest;
    let wanted = Wanted { room: room.clone(), part, limit, first: *first, head: *head };
    let (id, user, opened) = (*id, user.clone(), Some(opened.clone()));
    Some(Job::Read(Reading::Page { session, id, user, wanted, opened }))
}

/// Does a job, by a log that is looked through without an index.
pub fn read(job: Job, log: &Memory) -> Fetched {
    match job {
        Job::Read(reading) => read_rows(reading, log),
        Job::Search(searching) => find(searching, log),
    }
}

/// Looks for messages.
fn find(searching: Searching, search: &dyn Search) -> Fetched {
    let Searching { session, id, sought, .. } = searching;
    let found = search.search(&sought).map_err(|sentence| {
        error!(%sentence, "messages could not be looked for");
        Answer::Refused(Refusal::Unavailable)
    });
    Fetched { session, asked: Asked::Found(id, Box::new(found)) }
}

/// Looks for messages until whoever asks is gone. The queue's length is counted down.
pub fn run_search(
    search: &dyn Search,
    queue: &Receiver<Searching>,
    shards: &[ShardHandle],
    length: &Figure,
) {
    while let Ok(searching) = queue.recv() {
        length.take(1);
        // Whoever asked has been told that it takes too long.
        if searching.since.elapsed() < ANSWER_MAX {
            deliver(find(searching, search), shards);
        }
    }
}

/// Gives what was read to the session's shard.
pub fn deliver(fetched: Fetched, shards: &[ShardHandle]) {
    if let Some(shard) = shards.get(usize::from(fetched.session.shard)) {
        shard.give(vec![ToShard::Fetched(fetched)]);
    }
}

/// Reads.
fn read_rows(reading: Reading, rows: &dyn Rows) -> Fetched {
    match reading {
        Reading::Page { session, id, user, wanted, opened } => {
            let Wanted { room, part, limit, first, head } = wanted;
            let ask = Ask { room: room.clone(), part, limit, first, head };
            let page = rows.page(&ask).map_err(|sentence| {
                error!(%sentence, "a page could not be read");
                Answer::Refused(Refusal::Unavailable)
            });
            let page = Box::new(FetchedPage { id, user, room, opened, page });
            Fetched { session, asked: Asked::Page(page) }
        }
        Reading::Events { session, room, after, to } => {
            let events = rows.events(&room, after, to).unwrap_or_else(|sentence| {
                error!(%sentence, "events could not be read");
                Vec::new()
            });
            Fetched { session, asked: Asked::Events { room, after, events } }
        }
    }
}

/// Reads until whoever asks is gone. Several threads may share a queue, whose length is
/// counted down.
pub fn run(
    rows: &dyn Rows,
    queue: &Mutex<Receiver<Vec<Reading>>>,
    shards: &[ShardHandle],
    length: &Figure,
) {
    loop {
        // A thread that panics ends the process, so the lock can't be poisoned.
        let Ok(queue) = queue.lock() else { return };
        let Ok(readings) = queue.recv() else { return };
        drop(queue);
        for reading in readings {
            length.take(1);
            deliver(read_rows(reading, rows), shards);
        }
    }
}
