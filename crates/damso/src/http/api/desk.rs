//! Between HTTP requests and the hub: a shard whose sessions are single requests.

use super::link;
use super::problem::Problem;
use crate::hub::HubHandle;
use crate::readers::{Asked, Fetched, FetchedPage};
use crate::shard::{ShardHandle, ToShard};
use damso_chat::Refusal;
use damso_chat::hub::{Answer, Ending, Input, Request, SessionId, Who};
use damso_store::Found;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// What every request calls what it asks of the hub.
const ID: u64 = 1;
/// How long a request waits for the hub, which a full disk can hold up.
pub const ANSWER_MAX: Duration = Duration::from_secs(10);

/// What came back.
pub enum Told {
    /// The hub's answer.
    Answer(Answer),
    /// A page.
    Page(Box<FetchedPage>),
    /// What was found.
    Found(Found),
}

/// Asks the hub on behalf of HTTP requests.
pub struct Desk {
    shard: u16,
    hub: HubHandle,
    waiting: Mutex<HashMap<u32, oneshot::Sender<Told>>>,
    next: AtomicU32,
    network: Option<String>,
}

impl Desk {
    /// A desk that is the shard number `shard`, of a server that has these URLs.
    pub fn new(shard: u16, hub: HubHandle, urls: &[String]) -> Arc<Self> {
        let (waiting, next) = (Mutex::default(), AtomicU32::new(0));
        let network = urls.iter().find(|url| !link::is_loopback(url)).cloned();
        Arc::new(Self { shard, hub, waiting, next, network })
    }

    /// The server's URL for others in the network, if it has one.
    pub(super) fn network(&self) -> Option<&str> {
        self.network.as_deref()
    }

    /// Gives it what the hub and the readers have for its sessions.
    pub fn handle(self: &Arc<Self>) -> ShardHandle {
        let desk = self.clone();
        ShardHandle::new(move |batch| {
            for message in batch {
                let (session, told) = match message {
                    ToShard::Answer(session, ID, answer) => (session, Told::Answer(answer)),
                    ToShard::Fetched(Fetched { session, asked: Asked::Page(page) }) => {
                        (session, Told::Page(page))
                    }
                    ToShard::Fetched(Fetched { session, asked: Asked::Found(ID, found) }) => {
                        (session, found.map_or_else(Told::Answer, Told::Found))
                    }
                    // It is banned, or sent away with everybody: nothing else will come.
                    ToShard::Close(session, ending) => {
                        let refusal = match ending {
                            Ending::Kicked | Ending::Banned => Refusal::Banned,
                            _ => Refusal::Unavailable,
                        };
                        (session, Told::Answer(Answer::Refused(refusal)))
                    }
                    _ => continue,
                };
                let waiting = desk.take(session.slot);
                // Who asked may have gone.
                drop(waiting.map(|waiting| waiting.send(told)));
            }
        })
    }

    /// Asks for something, on behalf of whom `who` makes of the hello's id and the address.
    pub async fn ask(
        &self,
        who: impl FnOnce(u64, SocketAddr) -> Who,
        peer: SocketAddr,
        request: Request,
    ) -> Result<Told, Problem> {
        let slot = self.next.fetch_add(1, Ordering::Relaxed);
        let session = SessionId { shard: self.shard, slot, generation: 0 };
        let (sender, answer) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(slot, sender);
        // However this ends, and be it that the request is dropped.
        let _goodbye = Goodbye { desk: self, session };
        let who = who(ID, crate::dialect::shown(peer));
        self.hub
            .give(vec![Input::Hello { session, who }, Input::Request { session, id: ID, request }]);
        match tokio::time::timeout(ANSWER_MAX, answer).await {
            Ok(Ok(Told::Answer(Answer::Refused(refusal)))) => Err(Problem::of(refusal)),
            Ok(Ok(told)) => Ok(told),
            Ok(Err(_)) | Err(_) => Err(Problem::of(Refusal::Unavailable)),
        }
    }

    fn take(&self, slot: u32) -> Option<oneshot::Sender<Told>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&slot)
    }
}

/// Tells the hub that a request is over.
struct Goodbye<'a> {
    desk: &'a Desk,
    session: SessionId,
}

impl Drop for Goodbye<'_> {
    fn drop(&mut self) {
        self.desk.take(self.session.slot);
        self.desk.hub.give(vec![Input::Gone { session: self.session }]);
    }
}
