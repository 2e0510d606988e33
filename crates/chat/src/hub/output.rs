//! What the hub wants done.

use super::{Managed, Part, SessionId};
use crate::event::{Event, Member};
use crate::refusal::Refusal;
use crate::search::Has;
use crate::state::{Kind, Post};
use damso_protocol::{RoomId, UserId};
use std::sync::Arc;

/// What the hub wants done; those for a session go to its shard, in this order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// From now on the session gets the room's events from `next` on. Whatever it heard of the
    /// room before is forgotten.
    Subscribe {
        /// Which session.
        session: SessionId,
        /// Which room.
        room: RoomId,
        /// The first `seq` it hasn't got.
        next: u64,
        /// What it is told first; none: nothing.
        opened: Option<Opened>,
    },
    /// The session gets nothing of the room any more.
    Unsubscribe {
        /// Which session.
        session: SessionId,
        /// Which room.
        room: RoomId,
    },
    /// An event for every subscriber of its room in these shards.
    Deliver {
        /// The shards with subscribers.
        shards: Vec<u16>,
        /// What happened.
        event: Arc<Event>,
    },
    /// Somebody is writing: for the room's subscribers in these shards who have everything else.
    Typing {
        /// The shards with subscribers.
        shards: Vec<u16>,
        /// Where.
        room: RoomId,
        /// Who.
        user: UserId,
    },
    /// A page of messages, to be read and given to the session. Brings a credit with it.
    Page {
        /// Which session.
        session: SessionId,
        /// What the session calls the request.
        id: u64,
        /// On whose behalf.
        user: UserId,
        /// What to read.
        wanted: Wanted,
    },
    /// Messages to be found and given to the session. Brings a credit with it.
    Search {
        /// Which session.
        session: SessionId,
        /// What the session calls the request.
        id: u64,
        /// What to find.
        sought: Sought,
    },
    /// Something for one session alone.
    Answer {
        /// Which.
        session: SessionId,
        /// What it calls the request; 0 for what it didn't ask for.
        id: u64,
        /// What.
        answer: Answer,
    },
    /// So many of a session's requests are done with.
    Credit {
        /// Which.
        session: SessionId,
        /// How many.
        count: u32,
    },
    /// End this connection. The hub has forgotten it already.
    Close {
        /// Which.
        session: SessionId,
        /// Why.
        ending: Ending,
    },
}

/// A part of a room's messages that somebody may see.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// Which room.
    pub room: RoomId,
    /// Which part.
    pub part: Part,
    /// How many messages at most.
    pub limit: usize,
    /// The lowest `seq` the asker may see.
    pub first: u64,
    /// No message above this one.
    pub head: u64,
}

/// A room as far as somebody may search it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// Which room.
    pub room: RoomId,
    /// The lowest `seq` the asker may see.
    pub first: u64,
    /// No message above this one.
    pub head: u64,
}

/// What is looked for, and where the asker may look. Everything in it is required.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sought {
    /// The rooms to look in; none: there is nothing to be found.
    pub places: Vec<Place>,
    /// Words and phrases, as they were typed.
    pub terms: Vec<Arc<str>>,
    /// Who said it.
    pub by: Option<UserId>,
    /// It was said before this time, in ms since 1970.
    pub said_before: Option<u64>,
    /// It was said at this time or later, in ms since 1970.
    pub said_since: Option<u64>,
    /// What it has.
    pub has: Vec<Has>,
    /// How many messages at most, newest first.
    pub limit: usize,
    /// Only what stands before this place, where an earlier answer ended.
    pub before: Option<u64>,
}

/// How an `open` begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opened {
    /// What the session calls the request.
    pub id: u64,
    /// On whose behalf.
    pub user: UserId,
    /// The room's last `seq`.
    pub head: u64,
    /// How many messages were said in the room.
    pub n: u64,
    /// The lowest `seq` that the asker may see and the log still has.
    pub first: u64,
    /// How it goes on.
    pub mode: Mode,
}

/// How an `open` goes on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Mode {
    /// With every event that the asker hasn't got. The credit came back already.
    Replay,
    /// With the newest page, and then live. The page brings the credit with it.
    Reset {
        /// The last `seq` the asker held.
        after: Option<u64>,
        /// The most messages in the page.
        limit: usize,
    },
}

/// What an asker is told, or a session learns unasked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// The request wasn't done.
    Refused(Refusal),
    /// It was done, and there is nothing to say about it.
    Done,
    /// The session is who it said.
    Welcome(Box<Welcome>),
    /// A message stands in the log.
    Said {
        /// The message.
        m: u64,
        /// When, in ms since 1970.
        at: u64,
    },
    /// A change stands in the log, or stood there before.
    Changed {
        /// Its `seq`.
        seq: u64,
    },
    /// A room is there.
    Created {
        /// Which.
        room: RoomId,
        /// It was there before.
        existed: bool,
    },
    /// Who of the watched is here.
    Online(Vec<UserId>),
    /// A program may write.
    Hooked {
        /// Under which id.
        hook: UserId,
    },
    /// The id and shown name of each webhook of a room.
    Hooks(Vec<(UserId, Arc<str>)>),
    /// Who the asker is.
    Me {
        /// Its id.
        user: UserId,
        /// How it is shown.
        name: Arc<str>,
    },
    /// Rooms: the asker's own, and those it could join.
    Rooms {
        /// Its own.
        own: Vec<RoomEntry>,
        /// Others that anybody may find.
        others: Vec<RoomEntry>,
    },
    /// One room.
    Room(Box<RoomDetails>),
    /// The session's user is in a room now.
    Entered(Box<RoomEntry>),
    /// The session's user isn't in a room any more.
    Departed {
        /// Which.
        room: RoomId,
        /// Whoever removed it; none: it left.
        by: Option<UserId>,
    },
    /// Something happened in rooms of the user that the session doesn't hear.
    Bumped {
        /// The rooms.
        rooms: Vec<Bumped>,
        /// The newest message there that is for the user.
        preview: Option<Arc<Event>>,
    },
    /// The user read on another device.
    Seen {
        /// Which room.
        room: RoomId,
        /// Up to where.
        seq: u64,
    },
    /// Watched users came or went.
    Presence {
        /// Who came.
        on: Vec<UserId>,
        /// Who went.
        off: Vec<UserId>,
    },
    /// An administrative change stands in the log.
    Recorded {
        /// The change.
        event: Arc<Event>,
        /// The shown name of the user it is about, if it is about one who is here.
        name: Option<Arc<str>>,
    },
    /// What somebody wrote was deleted.
    Erased {
        /// How many messages.
        messages: u64,
    },
    /// So many connections were ended.
    Kicked {
        /// How many.
        connections: usize,
    },
    /// Who is here, by shown name.
    Here(Vec<Arc<str>>),
    /// Figures.
    Stats {
        /// Live connections, the console aside.
        connections: usize,
        /// Messages said in the lobby.
        messages: u64,
    },
    /// What the operator asked of rooms and users.
    Managed(Managed),
    /// Somebody came (told to operators).
    Arrived(Arc<str>),
    /// Somebody went (told to operators).
    Left(Arc<str>),
}

impl Answer {
    /// Whether it may be left out for a session that is slow to read: the state is whole again
    /// after its next hello.
    pub fn is_ephemeral(&self) -> bool {
        matches!(self, Self::Bumped { .. } | Self::Seen { .. } | Self::Presence { .. })
    }
}

/// What somebody is told who came in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Welcome {
    /// Names the log's life.
    pub epoch: Arc<str>,
    /// Who it is.
    pub user: UserId,
    /// How it is shown.
    pub name: Arc<str>,
    /// Its rooms.
    pub rooms: Vec<RoomEntry>,
}

/// A room, as one user has it in its list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RoomEntry {
    /// Which.
    pub id: RoomId,
    /// Its name; for a direct message those of the others in it.
    pub name: Arc<str>,
    /// Who may find it.
    pub kind: Kind,
    /// What it is about.
    pub topic: Arc<str>,
    /// The last `seq` of its log.
    pub head: u64,
    /// How many messages were said.
    pub n: u64,
    /// The last `seq` the user has read.
    pub read: u64,
    /// How many messages there were up to there.
    pub readn: u64,
    /// How many unread messages call the user.
    pub mentions: u64,
    /// What the user may do there; none: it isn't in it.
    pub role: Option<Member>,
    /// Who may write.
    pub post: Post,
    /// It is closed, to be read only.
    pub archived: bool,
}

/// A room with its members.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RoomDetails {
    /// The room.
    pub entry: RoomEntry,
    /// Id, name and place of each member, by id; nobody for the lobby, which everybody is in.
    pub members: Vec<(UserId, Arc<str>, Member)>,
}

/// A room in which something happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bumped {
    /// Which.
    pub room: RoomId,
    /// The last `seq` of its log.
    pub head: u64,
    /// How many messages were said.
    pub n: u64,
    /// Unread messages call the user.
    pub mentions: bool,
    /// It is a direct message.
    pub direct: bool,
}

/// Why the hub ends a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// An operator ended it.
    Kicked,
    /// Its address is kept out.
    Banned,
    /// Its hello was refused.
    Refused,
    /// It goes on asking for more than it may.
    Flood,
    /// There are as many connections of this kind as there may be.
    TooMany {
        /// How many there may be.
        limit: u64,
    },
    /// The server stops.
    Stopping,
}
