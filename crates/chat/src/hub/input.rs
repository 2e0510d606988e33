//! What moves the hub.

use super::{Manage, SessionId, Who};
use crate::command::Command;
use crate::search::Query;
use damso_protocol::{Nonce, RoomId, UserId};
use std::net::IpAddr;
use std::sync::Arc;

/// Everything that can move the hub, but for time and the log's outcomes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// A connection says on whose behalf it is there. Said once by each that asks for anything.
    Hello {
        /// Which.
        session: SessionId,
        /// On whose behalf.
        who: Who,
    },
    /// A connection asks for something. Takes one of its credits, which comes back as
    /// [`Output::Credit`](super::Output::Credit) when it's done.
    Request {
        /// Which.
        session: SessionId,
        /// What it calls the request; 0 if it wants no answer but a refusal.
        id: u64,
        /// What.
        request: Request,
    },
    /// A connection ended, however it did. Said once for each that said hello.
    Gone {
        /// Which.
        session: SessionId,
    },
    /// The server is about to stop: everybody is sent home.
    Stop,
}

/// What a session asks of the hub.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Request {
    /// Hear a room from its head on, without a word of answer: the plain dialect's.
    Listen {
        /// Which.
        room: RoomId,
    },
    /// Hear a room, from where the asker's copy of it ends.
    Open {
        /// Which.
        room: RoomId,
        /// The last `seq` it holds; none: it holds nothing, and wants the newest page.
        after: Option<u64>,
        /// The most messages in a page.
        limit: usize,
        /// The most events it is willing to have replayed.
        max: u64,
    },
    /// Hear a room no more.
    Close {
        /// Which.
        room: RoomId,
    },
    /// Say something in a room.
    Say {
        /// Where.
        room: RoomId,
        /// What the author calls it.
        nonce: Option<Nonce>,
        /// What, as it was written.
        text: Arc<str>,
        /// The message it answers.
        reply: Option<u64>,
    },
    /// Have something recorded that the log judges as it is asked. Messages come by
    /// [`Request::Say`], and nobody registers but by a hello.
    Record(Command),
    /// A page of messages.
    History {
        /// Of which room.
        room: RoomId,
        /// Which part.
        part: Part,
        /// The most messages in it.
        limit: usize,
    },
    /// Messages, wherever the asker may read.
    Search {
        /// What is in them.
        query: Query,
        /// In this room alone, by name or id.
        room: Option<String>,
        /// The most messages that are wanted.
        limit: usize,
        /// Only what stands before this place, where an earlier answer ended.
        before: Option<u64>,
    },
    /// Who of these is here, from now on? Replaces what was asked before.
    Watch {
        /// Whom.
        users: Vec<UserId>,
    },
    /// The asker is writing.
    Typing {
        /// Where.
        room: RoomId,
    },
    /// Say something as a webhook does, in its room.
    Post {
        /// What the asker calls it.
        nonce: Option<Nonce>,
        /// What, as it was written.
        text: Arc<str>,
    },
    /// The webhooks of a room.
    Hooks {
        /// Which.
        room: RoomId,
    },
    /// Who the asker is.
    Me,
    /// The asker's rooms, and those it could join.
    Rooms,
    /// One room, with its members.
    Room {
        /// Which.
        room: RoomId,
    },
    /// Delete everything that somebody wrote, in every room.
    Erase {
        /// Who wrote it; none: the asker. Another than the asker is the operator's to name.
        whom: Option<Whom>,
    },
    /// Who is here? The operator's.
    Who,
    /// Figures. The operator's.
    Stats,
    /// End somebody's connections. The operator's.
    Kick {
        /// Whose.
        whom: Whom,
    },
    /// Let somebody read but not write. The operator's.
    Mute {
        /// Whom.
        whom: Whom,
        /// For how long; none: for good.
        minutes: Option<u64>,
    },
    /// Let somebody write again. The operator's.
    Unmute {
        /// Whom.
        whom: Whom,
    },
    /// What the operator does to rooms and users.
    Manage(Manage),
}

impl Request {
    /// Whether only the operator may ask for it.
    pub(super) fn is_the_operators(&self) -> bool {
        matches!(
            self,
            Self::Who
                | Self::Stats
                | Self::Kick { .. }
                | Self::Record(Command::Ban { .. } | Command::Unban { .. })
                | Self::Mute { .. }
                | Self::Unmute { .. }
                | Self::Erase { whom: Some(_) }
                | Self::Manage(_)
        )
    }
}

/// Which part of a room's messages is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// The newest.
    Newest,
    /// Those before this message, nearest first.
    Before(u64),
    /// Those after this message, nearest first.
    After(u64),
    /// This message and those around it.
    Around(u64),
    /// The first one at or after this time (ms since 1970), and those around it.
    At(u64),
    /// The newest of those that are pinned.
    Pinned,
}

/// Whom the operator means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Whom {
    /// Who is shown under this name.
    Name(String),
    /// Everybody from this address.
    Address(IpAddr),
}
