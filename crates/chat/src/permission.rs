//! May this author do this now? Asked by [`crate::decide()`] alone, in log order.

use crate::command::{Author, Role};
use crate::event::Member;
use crate::refusal::Refusal;
use crate::state::{Kind, Membership, Post, Room, State};
use damso_protocol::RoomId;

/// Whether the author may do what is the operator's.
pub fn operates(author: &Author) -> Result<(), Refusal> {
    if author.role >= Role::Operator { Ok(()) } else { Err(Refusal::Forbidden) }
}

/// Whether the author may say anything at all at `at` (ms since 1970).
pub fn speaks(state: &State, author: &Author, at: u64) -> Result<(), Refusal> {
    if author.role >= Role::Operator {
        return Ok(());
    }
    if author.address.is_some_and(|address| state.is_banned(address, at)) {
        return Err(Refusal::Banned);
    }
    let maker = state.hooks().get(&author.user).map(|hook| {
        let user = hook.by.clone();
        Author { user, address: None, ..author.clone() }
    });
    let mute = state.mute(author, at).or_else(|| state.mute(&maker?, at));
    match mute {
        Some(until) => Err(Refusal::Muted { until }),
        None => Ok(()),
    }
}

/// The room, and the author's place in it. A room that the author can't find is one that isn't
/// there.
pub fn enters<'a>(
    state: &'a State,
    author: &Author,
    id: &RoomId,
) -> Result<(&'a Room, Membership), Refusal> {
    let room = state.room(id).ok_or(Refusal::NotFound)?;
    if author.role == Role::Hook {
        // Nobody's membership, and its own room alone; one that was revoked has none.
        let hook = state.hooks().get(&author.user).filter(|hook| hook.room == *id);
        hook.ok_or(Refusal::NotFound)?;
        return Ok((room, Membership { role: Member::Member, first: 1, since: 0 }));
    }
    if let Some(membership) = state.membership(id, &author.user) {
        return Ok((room, membership));
    }
    match room.kind {
        Kind::Private | Kind::Direct => Err(Refusal::NotFound),
        // The operator is at home wherever everybody may come.
        Kind::Public | Kind::Announcement if author.role >= Role::Operator => {
            Ok((room, Membership { role: Member::Owner, first: 1, since: 0 }))
        }
        Kind::Public | Kind::Announcement => Err(Refusal::Forbidden),
    }
}

/// As [`enters`], for what changes a room and who is in it: the operator may do that in private
/// rooms too, though it can't read them.
pub fn manages<'a>(
    state: &'a State,
    author: &Author,
    id: &RoomId,
) -> Result<(&'a Room, Membership), Refusal> {
    match state.room(id) {
        Some(room) if room.kind == Kind::Private && author.role >= Role::Operator => {
            Ok((room, Membership { role: Member::Owner, first: 1, since: 0 }))
        }
        _ => enters(state, author, id),
    }
}

/// As [`enters`], for who changes what stands in the room.
pub fn writes<'a>(
    state: &'a State,
    author: &Author,
    id: &RoomId,
) -> Result<(&'a Room, Membership), Refusal> {
    let (room, membership) = enters(state, author, id)?;
    if room.archived { Err(Refusal::Archived) } else { Ok((room, membership)) }
}

/// Whether the author may begin something in the room, as a message or a pin.
pub fn posts(room: &Room, membership: Membership, author: &Author) -> Result<(), Refusal> {
    match room.post {
        // An owner made it.
        _ if author.role == Role::Hook => Ok(()),
        Post::Owners if !owns(membership, author) => Err(Refusal::Forbidden),
        Post::Owners | Post::Everybody => Ok(()),
    }
}

/// Whether the author may do everything in a room.
pub fn owns(membership: Membership, author: &Author) -> bool {
    membership.role == Member::Owner || author.role >= Role::Operator
}
