//! Where somebody may look for messages.

use super::rooms::shown_name;
use super::{Admitted, Hub, Output, Place, SessionId, Sought};
use crate::refusal::Refusal;
use crate::search::Query;
use damso_protocol::{RoomId, UserId, name};

/// So long may be what a room is called in a search, in bytes.
const WANTED_BYTES_MAX: usize = 512;

impl Hub {
    /// Has messages looked for. A room or a user that the asker can't find is one in which, or by
    /// whom, nothing was said.
    pub(super) fn search(
        &mut self,
        session: SessionId,
        id: u64,
        query: Query,
        room: Option<String>,
        limit: usize,
        before: Option<u64>,
    ) -> Result<Admitted, Refusal> {
        let Some(asker) = self.sessions.get(session) else { return Ok(Admitted::Done) };
        let user = &asker.user_id(self.run);
        let wanted = [query.room.as_deref(), room.as_deref()];
        let mut folded = Vec::new();
        for wanted in wanted.into_iter().flatten() {
            // Longer than any room's id or name, and not worth comparing with each.
            if wanted.len() > WANTED_BYTES_MAX {
                return Err(Refusal::BadField("room"));
            }
            let named = wanted.strip_prefix('#').unwrap_or(wanted);
            folded.push((wanted, name::fold(named)));
        }
        let rooms = self.state.rooms_of(user).filter(|room| {
            folded.iter().all(|(id, name)| {
                room.as_str() == *id || self.folded_name(room, user).as_ref() == Some(name)
            })
        });
        let places = rooms.filter_map(|room| self.place(user, room)).collect();
        let by = query.from.map(|from| {
            let from = from.strip_prefix('@').unwrap_or(&from);
            // Plain guests aren't kept as users, but what they said has their id.
            self.state.user_named(from).cloned().unwrap_or_else(|| UserId::new(from))
        });
        let sought = Sought {
            places,
            terms: query.terms,
            by,
            said_before: query.before,
            said_since: query.since,
            has: query.has,
            limit,
            before,
        };
        self.outputs.push(Output::Search { session, id, sought });
        Ok(Admitted::Passed)
    }

    /// What a user may see of one of its rooms.
    fn place(&self, user: &UserId, room: RoomId) -> Option<Place> {
        let head = self.state.room(&room)?.head;
        let first = self.first(&room, self.state.membership(&room, user)?.first);
        Some(Place { room, first, head })
    }

    /// A room's name as a user sees it, folded.
    fn folded_name(&self, id: &RoomId, user: &UserId) -> Option<String> {
        Some(name::fold(&shown_name(&self.state, self.state.room(id)?, user)))
    }
}
