//! What a client writes down so that a restart loses nothing.

use crate::Act;
use damso_protocol::{Nonce, RoomId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What outlives a process: how far each room was handled, and what is still to be sent.
///
/// Whoever handles events one by one sets a room's cursor to the `seq` of the last event whose
/// handling is finished before writing it down; the client's own cursor may be further.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Saved {
    /// Which store the cursors belong to.
    pub epoch: Option<Arc<str>>,
    /// The last `seq` of each room that was open.
    pub cursors: BTreeMap<RoomId, u64>,
    /// What isn't known to be durable, in order.
    pub outbox: Vec<Waiting>,
}

/// Something that is still to be sent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Waiting {
    /// Which room.
    pub room: RoomId,
    /// What it is called for ever.
    pub nonce: Nonce,
    /// What it is.
    #[serde(flatten)]
    pub act: Act,
}
