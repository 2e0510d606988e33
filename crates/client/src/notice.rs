//! What a client puts out: for the socket, and for its user.

use crate::{Entry, Stop};
use damso_protocol::v1::ErrorCode;
use damso_protocol::v1::client::Anchor;
use damso_protocol::v1::server::{Bump, Bye, Change, Msg, RoomEvent};
use damso_protocol::{Nonce, RoomId, UserId};
use serde::{Serialize, Serializer};
use std::sync::Arc;

/// What a client wants done, in order.
#[derive(Clone, PartialEq, Debug)]
pub enum Output {
    /// Connect, and tell the client by `connected` or `disconnected` what came of it.
    Connect,
    /// Send this as one text message.
    Write(String),
    /// Close the connection, and tell the client by `disconnected`.
    Disconnect,
    /// Something to know.
    Notice(Notice),
}

/// Something that the user of a client may want to know. The state was changed before.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(tag = "notice", rename_all = "snake_case")]
pub enum Notice {
    /// The server knows us.
    Welcome {
        /// The store is another one than that of the cursors held, which are forgotten.
        epoch_changed: bool,
    },
    /// Somebody else holds the name: rename.
    NameTaken {
        /// A name that is free.
        suggest: Option<Arc<str>>,
    },
    /// The server doesn't take us.
    HelloRefused {
        /// Why.
        code: ErrorCode,
        /// Why, for people.
        msg: Arc<str>,
    },
    /// The connection is gone, or couldn't be made.
    Disconnected {
        /// The number in the server's Close frame.
        code: Option<u16>,
    },
    /// The client doesn't connect any more by itself.
    Stopped {
        /// Why.
        reason: Stop,
    },
    /// The server is about to close the connection.
    Bye(Bye),
    /// A room is open, and what was missed follows.
    Replay {
        /// Which room.
        room: RoomId,
        /// The last `seq` of what follows.
        head: u64,
    },
    /// A room is open at its end; what was held of it before is forgotten.
    Reset {
        /// Which room.
        room: RoomId,
        /// The `seq`s that are not loaded, from the first to before the second.
        gap: Option<(u64, u64)>,
    },
    /// A room can't be opened, and is forgotten.
    OpenRefused {
        /// Which room.
        room: RoomId,
        /// Why.
        code: ErrorCode,
        /// Why, for people.
        msg: Arc<str>,
    },
    /// A room entered or left the user's list.
    List(RoomEvent),
    /// An open room's next event: something was said.
    Message(Msg),
    /// An open room's next event: a message changed.
    Changed(Change),
    /// An open room's next event: the room or its members changed.
    Room(RoomEvent),
    /// An open room's next event, of a kind that isn't known here.
    Unknown {
        /// Which room.
        room: RoomId,
        /// Its place in the room's log.
        seq: u64,
    },
    /// A page that was asked for is there.
    Page {
        /// Which room.
        room: RoomId,
        /// What was asked for.
        #[serde(serialize_with = "serialize_anchor")]
        anchor: Anchor,
        /// Whether there are more messages in that direction.
        more: bool,
    },
    /// A page can't be had.
    PageRefused {
        /// Which room.
        room: RoomId,
        /// What was asked for.
        #[serde(serialize_with = "serialize_anchor")]
        anchor: Anchor,
        /// Why.
        code: ErrorCode,
        /// Why, for people.
        msg: Arc<str>,
    },
    /// What the user said or changed is durable.
    Acked {
        /// Which room.
        room: RoomId,
        /// Which entry of the outbox.
        nonce: Nonce,
        /// Its place in the room's log; none if a change was so already.
        seq: Option<u64>,
    },
    /// What the user said or changed was refused, and is out of the outbox.
    Refused {
        /// The entry.
        entry: Entry,
        /// Why.
        code: ErrorCode,
        /// Why, for people.
        msg: Arc<str>,
    },
    /// The outbox waits by order of the server.
    Paused {
        /// Which room; none: all.
        room: Option<RoomId>,
        /// Until when, on the clock of the inputs.
        until: u64,
    },
    /// Something happened in rooms that aren't open.
    Bump(Bump),
    /// The user has read so far, perhaps on another device.
    Seen {
        /// Which room.
        room: RoomId,
        /// The last `seq` read.
        seq: u64,
    },
    /// Somebody is writing.
    Typing {
        /// Where.
        room: RoomId,
        /// Who.
        user: UserId,
    },
    /// It is known anew who of the watched users is online.
    Presence,
    /// A command that can't be named, or nobody waits for, was refused.
    Failure {
        /// Why.
        code: ErrorCode,
        /// Why, for people.
        msg: Arc<str>,
    },
}

fn serialize_anchor<S: Serializer>(anchor: &Anchor, serializer: S) -> Result<S::Ok, S::Error> {
    let (word, m) = match anchor {
        Anchor::Before(m) => ("before", m),
        Anchor::After(m) => ("after", m),
        Anchor::Around(m) => ("around", m),
    };
    serializer.collect_map([(word, m)])
}
