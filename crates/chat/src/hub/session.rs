//! The hub's half of a connection.

use super::OPERATOR;
use super::live::Purse;
use crate::command::{Author, KeyHash, Role};
use crate::state::State;
use damso_protocol::{RoomId, UserId, plain};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::sync::Arc;

/// A connection, by the shard that holds it, its slot there, and how often that slot was used
/// before: an old name never means a new connection.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct SessionId {
    /// The shard.
    pub shard: u16,
    /// The slot in the shard.
    pub slot: u32,
    /// Counts the slot's uses.
    pub generation: u32,
}

/// Who opened a session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Who {
    /// Somebody without a key, shown as the address.
    Plain {
        /// Where it comes from.
        address: SocketAddr,
    },
    /// A guest with a key. Answered by a welcome or a refusal.
    Key {
        /// What the session calls its hello.
        id: u64,
        /// The key.
        key: KeyHash,
        /// What it wants to be called, as it was typed; for a key that is known already it keeps
        /// its name.
        name: Arc<str>,
        /// Where it comes from.
        address: SocketAddr,
        /// The life of the log to which the cursors it holds belong; none: this one.
        epoch: Option<Arc<str>>,
    },
    /// One HTTP request of a guest with a key: it isn't there to stay. A key that nobody has is
    /// answered with a refusal to the request's own `id`.
    Bearer {
        /// What the session calls its request.
        id: u64,
        /// The key.
        key: KeyHash,
        /// Where it comes from.
        address: SocketAddr,
    },
    /// One HTTP request of a program that has a webhook, by its key. A key that no webhook has is
    /// answered with a refusal to the request's own `id`.
    Hook {
        /// What the session calls its request.
        id: u64,
        /// The key.
        key: KeyHash,
        /// Where it comes from.
        address: SocketAddr,
    },
    /// The operator's console.
    Operator,
}

/// What a session is, by the way it came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    Plain,
    Key,
    Bearer,
    Hook,
    Operator,
}

impl Way {
    /// Whether it is there to stay, on a connection that a shard holds.
    pub fn stays(self) -> bool {
        matches!(self, Self::Plain | Self::Key)
    }

    /// Whether it is one HTTP request's.
    pub fn passes(self) -> bool {
        matches!(self, Self::Bearer | Self::Hook)
    }
}

/// On whose behalf a session is there.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Identity {
    /// A plain guest, by its number in this run.
    Guest(u64),
    /// Somebody with an id that outlasts the connection.
    Known(UserId),
}

/// What the hub knows of a live connection. Most connections are idle ones, so what only some have
/// is in `more`, and who it is for the log is put together when it asks for something.
pub(super) struct Session {
    identity: Identity,
    /// IPv4 addresses as mapped ones: [`shown`](Self::shown) is given canonical ones alone.
    address: Ipv6Addr,
    more: Option<Box<More>>,
    generation: u32,
    port: u16,
    pub way: Way,
    /// It hears the lobby. The other rooms it hears are `more`'s.
    hears_lobby: bool,
}

/// What only some sessions have.
#[derive(Default)]
pub(super) struct More {
    /// Who it is for the log. Kept, since who asked once asks again.
    author: Option<Author>,
    /// What a plain guest may still ask for. Others' are by user.
    pub purse: Purse,
    /// Rooms it hears, the lobby aside.
    rooms: Vec<RoomId>,
    /// Users whose presence it hears of.
    pub watched: Vec<UserId>,
    /// Where it told last that it writes, and when.
    pub typed: Vec<(RoomId, u64)>,
    /// Requests in a row that were refused for their rate.
    pub refused: u32,
    /// The link of a link-local address.
    scope: u32,
    /// The cursors it holds are of another life of the log.
    is_of_another_epoch: bool,
}

impl Session {
    /// A plain guest's, by its number.
    pub fn guest(number: u64, address: SocketAddr) -> Self {
        let mut new = Self::new(Way::Plain, Identity::Guest(number), Some(address.ip()));
        new.port = address.port();
        if let SocketAddr::V6(v6) = address
            && v6.scope_id() != 0
        {
            new.more().scope = v6.scope_id();
        }
        new
    }

    /// A known user's, or a webhook's, from `address`.
    pub fn known(way: Way, user: UserId, address: IpAddr) -> Self {
        Self::new(way, Identity::Known(user), Some(address))
    }

    /// The operator's.
    pub fn operator() -> Self {
        Self::new(Way::Operator, Identity::Known(UserId::new(OPERATOR)), None)
    }

    fn new(way: Way, identity: Identity, address: Option<IpAddr>) -> Self {
        let address = match address {
            Some(IpAddr::V4(v4)) => v4.to_ipv6_mapped(),
            Some(IpAddr::V6(v6)) => v6,
            None => Ipv6Addr::UNSPECIFIED,
        };
        let (generation, port, hears_lobby) = (0, 0, false);
        Self { identity, address, more: None, generation, port, way, hears_lobby }
    }

    /// What only some sessions have; from now on this one does.
    pub fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    /// What only some sessions have, if this one does.
    pub fn any_more(&mut self) -> Option<&mut More> {
        self.more.as_deref_mut()
    }

    /// What it may ask for.
    pub fn role(&self) -> Role {
        match self.way {
            Way::Plain | Way::Key | Way::Bearer => Role::Guest,
            Way::Hook => Role::Hook,
            Way::Operator => Role::Operator,
        }
    }

    /// Whether somebody is there: neither the console nor a passing HTTP request.
    pub fn is_a_person(&self) -> bool {
        self.way.stays()
    }

    /// Where it comes from; none for the console.
    pub fn address(&self) -> Option<IpAddr> {
        (self.way != Way::Operator).then(|| self.address.to_canonical())
    }

    /// The user it is known as; none for a plain guest, of whom nothing is kept.
    pub fn user(&self) -> Option<&UserId> {
        match &self.identity {
            Identity::Guest(_) => None,
            Identity::Known(user) => Some(user),
        }
    }

    /// Its user's id. `run` names this run's plain guests.
    pub fn user_id(&self, run: u64) -> UserId {
        match &self.identity {
            Identity::Guest(number) => UserId::new(format!("guest-{run}-{number}")),
            Identity::Known(user) => user.clone(),
        }
    }

    /// How it is shown.
    pub fn name(&self, state: &State) -> Arc<str> {
        let name = match &self.identity {
            Identity::Guest(_) => return self.shown().to_string().into(),
            Identity::Known(_) if self.way == Way::Operator => {
                return plain::ADMINISTRATOR.into();
            }
            Identity::Known(hook) if self.way == Way::Hook => {
                state.hooks().get(hook).map(|hook| &hook.name)
            }
            Identity::Known(user) => state.user(user).map(|user| &user.name),
        };
        name.cloned().unwrap_or_default()
    }

    /// Whether it is shown so. Asked of all sessions at once: no name is made for it.
    pub fn is_called(&self, name: &str, state: &State) -> bool {
        match &self.identity {
            Identity::Guest(_) => {
                name.parse().is_ok_and(|address: SocketAddr| address == self.shown())
            }
            Identity::Known(_) => *self.name(state) == *name,
        }
    }

    /// Whether that is its user's id. Asked of all sessions at once: none is made for it.
    pub fn is_user(&self, user: &UserId, run: u64) -> bool {
        match &self.identity {
            Identity::Guest(number) => {
                let id = user.as_str().strip_prefix("guest-").and_then(|id| id.split_once('-'));
                id.is_some_and(|(of, which)| of.parse() == Ok(run) && which.parse() == Ok(*number))
            }
            Identity::Known(known) => known == user,
        }
    }

    /// A plain guest's address, as it is shown.
    fn shown(&self) -> SocketAddr {
        match (self.address.to_canonical(), &self.more) {
            (IpAddr::V6(v6), Some(more)) => SocketAddrV6::new(v6, self.port, 0, more.scope).into(),
            (ip, _) => SocketAddr::new(ip, self.port),
        }
    }

    /// Who asks, for the log. `run` names this run's plain guests.
    pub fn author(&self, state: &State, run: u64) -> Author {
        if let Some(author) = self.more.as_ref().and_then(|more| more.author.as_ref()) {
            return author.clone();
        }
        Author {
            user: self.user_id(run),
            name: self.name(state),
            role: self.role(),
            address: self.address(),
        }
    }

    /// As [`author`](Self::author), which is kept: somebody says something.
    pub fn keep_author(&mut self, state: &State, run: u64) -> Author {
        let author = self.author(state, run);
        self.more().author.get_or_insert(author).clone()
    }

    /// The cursors it holds are of another life of the log.
    pub fn is_of_another_epoch(&self) -> bool {
        self.more.as_ref().is_some_and(|more| more.is_of_another_epoch)
    }

    /// Its cursors are of another life of the log.
    pub fn set_of_another_epoch(&mut self) {
        self.more().is_of_another_epoch = true;
    }

    /// Whether it hears a room.
    pub fn hears(&self, room: &RoomId) -> bool {
        if is_lobby(room) {
            return self.hears_lobby;
        }
        self.more.as_ref().is_some_and(|more| more.rooms.contains(room))
    }

    /// How many rooms it hears.
    pub fn heard(&self) -> usize {
        let others = self.more.as_ref().map_or(0, |more| more.rooms.len());
        usize::from(self.hears_lobby) + others
    }

    /// It hears a room that it didn't hear.
    pub fn hear(&mut self, room: &RoomId) {
        if is_lobby(room) {
            self.hears_lobby = true;
        } else {
            self.more().rooms.push(room.clone());
        }
    }

    /// It hears a room no more; whether it did.
    pub fn unhear(&mut self, room: &RoomId) -> bool {
        if is_lobby(room) {
            return std::mem::take(&mut self.hears_lobby);
        }
        let Some(more) = &mut self.more else { return false };
        let at = more.rooms.iter().position(|heard| heard == room);
        at.map(|at| more.rooms.swap_remove(at)).is_some()
    }

    /// The rooms it hears.
    pub fn rooms(&self) -> impl Iterator<Item = RoomId> {
        let lobby = self.hears_lobby.then(RoomId::lobby);
        let others = self.more.iter().flat_map(|more| more.rooms.iter().cloned());
        lobby.into_iter().chain(others)
    }

    /// Users whose presence it hears of.
    pub fn watched(&self) -> &[UserId] {
        self.more.as_ref().map_or(&[], |more| &more.watched)
    }
}

fn is_lobby(room: &RoomId) -> bool {
    *room == RoomId::lobby()
}

/// The live sessions. Shards give their slots anew, so those who stay are kept by shard and slot;
/// desks count theirs up, so those who pass are kept by name.
#[derive(Default)]
pub(super) struct Sessions {
    staying: Vec<Vec<Option<Session>>>,
    passing: HashMap<SessionId, Session>,
}

impl Sessions {
    /// The session, if it is here.
    pub fn get(&self, id: SessionId) -> Option<&Session> {
        let place = self.staying.get(usize::from(id.shard)).and_then(|s| s.get(id.slot as usize));
        match place {
            Some(Some(session)) if session.generation == id.generation => Some(session),
            _ if self.passing.is_empty() => None,
            _ => self.passing.get(&id),
        }
    }

    /// The session, if it is here.
    pub fn get_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        match place(&mut self.staying, id) {
            Some(place) => place.as_mut(),
            None => self.passing.get_mut(&id),
        }
    }

    /// Whether the session is here.
    pub fn contains(&self, id: SessionId) -> bool {
        self.get(id).is_some()
    }

    /// Puts in a session that isn't there yet.
    pub fn insert(&mut self, id: SessionId, mut session: Session) {
        if !session.way.stays() {
            self.passing.insert(id, session);
            return;
        }
        let (shard, slot) = (usize::from(id.shard), id.slot as usize);
        if self.staying.len() <= shard {
            self.staying.resize_with(shard + 1, Vec::new);
        }
        let slots = &mut self.staying[shard];
        if slots.len() <= slot {
            slots.resize_with(slot + 1, || None);
        }
        session.generation = id.generation;
        debug_assert!(slots[slot].is_none(), "a slot is free when its session is gone");
        slots[slot] = Some(session);
    }

    /// Takes a session out, if it is here.
    pub fn remove(&mut self, id: SessionId) -> Option<Session> {
        match place(&mut self.staying, id) {
            Some(place) => place.take(),
            None => self.passing.remove(&id),
        }
    }

    /// All of them, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = (SessionId, &Session)> {
        let shards = (0..).zip(&self.staying);
        let staying = shards.flat_map(|(shard, slots)| {
            (0..).zip(slots).filter_map(move |(slot, session)| {
                let session = session.as_ref()?;
                Some((SessionId { shard, slot, generation: session.generation }, session))
            })
        });
        staying.chain(self.passing.iter().map(|(id, session)| (*id, session)))
    }
}

/// Where a session that stays is, if it is here.
fn place(staying: &mut [Vec<Option<Session>>], id: SessionId) -> Option<&mut Option<Session>> {
    let slots = staying.get_mut(usize::from(id.shard))?;
    let place = slots.get_mut(id.slot as usize)?;
    let is_it = |session: &Session| session.generation == id.generation;
    place.as_ref().is_some_and(is_it).then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_connection_costs_little() {
        assert_eq!(size_of::<Option<Session>>(), 48);
    }

    #[test]
    fn a_guest_is_shown_by_its_whole_address() {
        let state = State::new();
        for address in ["10.0.0.1:80", "[2001:db8::1]:80", "[fe80::1%3]:80"] {
            let guest = Session::guest(7, address.parse().unwrap());
            assert_eq!(*guest.name(&state), *address);
            assert_eq!(guest.user_id(1), UserId::new("guest-1-7"));
        }
    }

    #[test]
    fn an_old_name_means_no_new_connection() {
        let mut sessions = Sessions::default();
        let guest = || Session::guest(1, "10.0.0.1:80".parse().unwrap());
        let old = SessionId { shard: 1, slot: 3, generation: 0 };
        let new = SessionId { generation: 1, ..old };
        sessions.insert(new, guest());
        assert!(sessions.remove(old).is_none() && sessions.get(old).is_none());
        assert!(sessions.contains(new));
        assert_eq!(sessions.iter().map(|(id, _)| id).collect::<Vec<_>>(), [new]);
    }
}
