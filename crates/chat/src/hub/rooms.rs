//! Who hears which room, and what a user is told about rooms.

use super::{
    Admitted, Answer, Hub, Mode, Opened, Output, Part, RoomDetails, RoomEntry, SessionId, Wanted,
};
use crate::command::Author;
use crate::permission;
use crate::refusal::Refusal;
use crate::state::{Kind, Room, State};
use damso_protocol::id::Map;
use damso_protocol::{RoomId, UserId};
use std::sync::Arc;

/// Everybody is in the lobby: so many of them are told, who is online before the others.
const LOBBY_MEMBERS_TOLD: usize = 1_000;

/// So many rooms that the asker isn't in are told of.
const OTHERS_MAX: usize = 500;

/// By room: how many subscribers each shard has.
#[derive(Default)]
pub(super) struct Audiences(Map<RoomId, Vec<(u16, u32)>>);

impl Audiences {
    fn join(&mut self, room: &RoomId, shard: u16) {
        let audience = self.0.entry(room.clone()).or_default();
        match audience.iter_mut().find(|(of, _)| *of == shard) {
            Some((_, count)) => *count += 1,
            None => audience.push((shard, 1)),
        }
    }

    pub fn leave(&mut self, room: &RoomId, shard: u16) {
        let Some(audience) = self.0.get_mut(room) else { return };
        for (of, count) in audience.iter_mut() {
            *count -= u32::from(*of == shard);
        }
        audience.retain(|(_, count)| *count > 0);
        if audience.is_empty() {
            self.0.remove(room);
        }
    }

    /// The shards with subscribers of a room.
    pub fn shards(&self, room: &RoomId) -> Vec<u16> {
        let audience = self.0.get(room).map(Vec::as_slice).unwrap_or_default();
        audience.iter().map(|(shard, _)| *shard).collect()
    }
}

impl Hub {
    /// Lets a session hear a room from its head on.
    pub(super) fn listen(&mut self, id: SessionId, room: &RoomId) -> Result<(), Refusal> {
        let Some(session) = self.sessions.get(id) else { return Ok(()) };
        let author = session.author(&self.state, self.run);
        let (found, _) = permission::enters(&self.state, &author, room)?;
        let next = found.head + 1;
        if !session.hears(room) {
            self.hear(id, room)?;
            self.outputs.push(Output::Subscribe {
                session: id,
                room: room.clone(),
                next,
                opened: None,
            });
        }
        Ok(())
    }

    /// Lets a session hear a room from where its copy of it ends, or from its newest page on.
    pub(super) fn open(
        &mut self,
        session: SessionId,
        id: u64,
        room: &RoomId,
        after: Option<u64>,
        limit: usize,
        max: u64,
    ) -> Result<Admitted, Refusal> {
        let Some(asker) = self.sessions.get(session) else { return Ok(Admitted::Done) };
        let author = asker.author(&self.state, self.run);
        let (found, membership) = permission::enters(&self.state, &author, room)?;
        let (head, n, user) = (found.head, found.n, author.user);
        let first = self.first(room, membership.first);
        let can_replay = |after: u64| {
            !asker.is_of_another_epoch()
                && first <= after.saturating_add(1)
                && after <= head
                && head - after <= max
        };
        let (next, mode) = match after {
            Some(after) if can_replay(after) => (after + 1, Mode::Replay),
            _ => (head + 1, Mode::Reset { after, limit }),
        };
        self.hear(session, room)?;
        let admitted = if mode == Mode::Replay { Admitted::Done } else { Admitted::Passed };
        let opened = Some(Opened { id, user, head, n, first, mode });
        self.outputs.push(Output::Subscribe { session, room: room.clone(), next, opened });
        Ok(admitted)
    }

    /// Counts a session among those who hear a room.
    fn hear(&mut self, id: SessionId, room: &RoomId) -> Result<(), Refusal> {
        let Some(session) = self.sessions.get_mut(id) else { return Ok(()) };
        if session.hears(room) {
            return Ok(());
        }
        let most = self.limits.open_rooms as usize;
        if most > 0 && session.heard() >= most {
            return Err(Refusal::Full("rooms"));
        }
        session.hear(room);
        self.audiences.join(room, id.shard);
        Ok(())
    }

    /// Lets a session hear a room no more.
    pub(super) fn close_room(&mut self, id: SessionId, room: &RoomId) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        if !session.unhear(room) {
            return;
        }
        self.audiences.leave(room, id.shard);
        self.outputs.push(Output::Unsubscribe { session: id, room: room.clone() });
    }

    pub(super) fn history(
        &mut self,
        session: SessionId,
        id: u64,
        room: RoomId,
        part: Part,
        limit: usize,
    ) -> Result<Admitted, Refusal> {
        let Some(asker) = self.sessions.get(session) else { return Ok(Admitted::Done) };
        let author = asker.author(&self.state, self.run);
        let (found, membership) = permission::enters(&self.state, &author, &room)?;
        let (head, first) = (found.head, self.first(&room, membership.first));
        let user = author.user;
        let wanted = Wanted { room, part, limit, first, head };
        self.outputs.push(Output::Page { session, id, user, wanted });
        Ok(Admitted::Passed)
    }

    /// The lowest `seq` that a member who may see `own` and above finds in the log.
    pub(super) fn first(&self, room: &RoomId, own: u64) -> u64 {
        self.firsts.get(room).copied().unwrap_or(1).max(own)
    }

    /// A user came into a room: its sessions learn of it.
    pub(super) fn tell_entered(&mut self, user: &UserId, room: &RoomId) {
        let Some(entry) = self.room_entry(user, room) else { return };
        let tell = |&session: &SessionId| Output::Answer {
            session,
            id: 0,
            answer: Answer::Entered(Box::new(entry.clone())),
        };
        self.outputs.extend(self.presence.sessions(user).iter().map(tell));
    }

    /// A user isn't in a room any more: its sessions hear nothing of it from here on.
    pub(super) fn show_out(&mut self, user: &UserId, room: &RoomId, by: Option<UserId>) {
        for session in self.presence.sessions(user).to_vec() {
            self.close_room(session, room);
            let answer = Answer::Departed { room: room.clone(), by: by.clone() };
            self.answer(session, 0, answer);
        }
    }

    /// A room as a user has it in its list; none if there is no such room for it.
    pub(super) fn room_entry(&self, user: &UserId, id: &RoomId) -> Option<RoomEntry> {
        let room = self.state.room(id)?;
        let role = self.state.membership(id, user).map(|membership| membership.role);
        let read = self.state.read(user, id);
        Some(RoomEntry {
            id: id.clone(),
            name: shown_name(&self.state, room, user),
            kind: room.kind,
            topic: room.topic.clone(),
            head: room.head,
            n: room.n,
            read: read.seq,
            readn: read.n,
            mentions: self.state.mentions(user, id) as u64,
            role,
            post: room.post,
            archived: room.archived,
        })
    }

    /// A user's rooms, and others that it could join, by name.
    pub(super) fn room_lists(&self, user: &UserId) -> (Vec<RoomEntry>, Vec<RoomEntry>) {
        let own = self.state.rooms_of(user).filter_map(|room| self.room_entry(user, &room));
        let own: Vec<RoomEntry> = own.collect();
        let others = self.state.rooms().filter(|(id, room)| {
            room.public_name().is_some()
                && !room.archived
                && self.state.membership(id, user).is_none()
        });
        let mut others: Vec<_> = others.map(|(id, room)| (room.public_name(), id)).collect();
        others.sort_unstable();
        others.truncate(OTHERS_MAX);
        let others = others.into_iter().filter_map(|(_, id)| self.room_entry(user, id)).collect();
        (own, others)
    }

    /// The webhooks of a room, for its owners.
    pub(super) fn hooks(
        &self,
        author: &Author,
        room: &RoomId,
    ) -> Result<Vec<(UserId, Arc<str>)>, Refusal> {
        let (_, membership) = permission::manages(&self.state, author, room)?;
        if !permission::owns(membership, author) {
            return Err(Refusal::Forbidden);
        }
        let hooks = self.state.hooks().of_room(room).into_iter();
        Ok(hooks.map(|(id, hook)| (id.clone(), hook.name.clone())).collect())
    }

    /// A room with its members, for whoever may find it.
    pub(super) fn room_details(&self, user: &UserId, id: &RoomId) -> Result<RoomDetails, Refusal> {
        let room = self.state.room(id).ok_or(Refusal::NotFound)?;
        if self.state.membership(id, user).is_none() && room.public_name().is_none() {
            return Err(Refusal::NotFound);
        }
        let entry = self.room_entry(user, id).ok_or(Refusal::NotFound)?;
        let name =
            |user: &UserId| self.state.user(user).map(|user| user.name.clone()).unwrap_or_default();
        let known = self.state.users().filter(|_| room.is_lobby).map(|(user, _)| user);
        let mut users: Vec<&UserId> = room.members.keys().chain(known).collect();
        users.sort_unstable();
        users.dedup();
        if room.is_lobby {
            users.sort_by_key(|user| self.presence.connections(user) == 0);
            users.truncate(LOBBY_MEMBERS_TOLD);
            users.sort_unstable();
        }
        let member = |user: &UserId| {
            let role = self.state.membership(id, user)?.role;
            Some((user.clone(), name(user), role))
        };
        let members = users.into_iter().filter_map(member).collect();
        Ok(RoomDetails { entry, members })
    }
}

/// A room's name as a user sees it: a direct message is named by the others in it.
pub(super) fn shown_name(state: &State, room: &Room, user: &UserId) -> Arc<str> {
    if room.kind != Kind::Direct {
        return room.name.clone().unwrap_or_default();
    }
    let others = room.members.keys().filter(|member| *member != user || room.members.len() == 1);
    let names = others.filter_map(|member| state.user(member));
    let mut names: Vec<&str> = names.map(|user| &*user.name).collect();
    names.sort_unstable();
    names.join(", ").into()
}
