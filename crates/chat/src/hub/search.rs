//! Where somebody may look for messages.

use super::rooms::shown_name;
use super::{Admitted, Hub, Output, Place, SessionId, Sought};
use crate::refusal::Refusal;
use crate::search::Query;
use damso_protocol::{RoomId, UserId, name};

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
        let Some(asker) = self.sessions.get(&session) else { return Ok(Admitted::Done) };
        let user = &asker.author.user;
        let wanted = [query.room.as_deref(), room.as_deref()];
        let rooms = self.state.rooms_of(user).filter(|room| {
            wanted.into_iter().flatten().all(|wanted| self.is_called(room, user, wanted))
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

    /// Whether a room is the one that a user calls so, by its id or by its name.
    fn is_called(&self, id: &RoomId, user: &UserId, wanted: &str) -> bool {
        let Some(room) = self.state.room(id) else { return false };
        let named = wanted.strip_prefix('#').unwrap_or(wanted);
        id.as_str() == wanted
            || name::fold(&shown_name(&self.state, room, user)) == name::fold(named)
    }
}
