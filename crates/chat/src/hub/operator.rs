//! What the operator does to rooms and users. It names them by id or by name, and only the hub, which
//! has both, can say which one is meant.

use super::{Admitted, Answer, Asked, Hub, SessionId, Whom};
use crate::command::{Author, Command, KeyHash, Role, Setting, Target};
use crate::event::{Event, Member, What};
use crate::refusal::Refusal;
use crate::state::{History, Kind, Room};
use damso_protocol::{RoomId, UserId, name};
use std::net::IpAddr;
use std::sync::Arc;

/// So many rows an answer has; more are counted.
const ROWS_MAX: usize = 1_000;

/// What the operator asks of rooms and users. Direct messages are nobody's but their members'.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Manage {
    /// All rooms but direct messages.
    Rooms,
    /// The members of a room.
    Members {
        /// Which room.
        room: String,
    },
    /// A new room, with nobody in it.
    Create {
        /// Its name, as it was typed.
        name: String,
        /// What kind of room.
        kind: Kind,
    },
    /// Gives a room another name.
    Rename {
        /// Which room.
        room: String,
        /// The name, as it was typed.
        name: String,
    },
    /// Says what a room is about.
    Topic {
        /// Which room.
        room: String,
        /// The topic, as it was typed.
        topic: String,
    },
    /// Closes a room, to be read only, or opens it again.
    Archive {
        /// Which room.
        room: String,
        /// Whether it is closed.
        archived: bool,
    },
    /// Lets a user into a room.
    Admit {
        /// Which room.
        room: String,
        /// Whom.
        user: String,
    },
    /// Takes a user out of a room.
    Remove {
        /// Which room.
        room: String,
        /// Whom.
        user: String,
    },
    /// Changes what a member may do.
    Appoint {
        /// Which room.
        room: String,
        /// Whom.
        user: String,
        /// What it is from then on.
        member: Member,
    },
    /// Says something in a room.
    Say {
        /// Which room.
        room: String,
        /// What.
        text: Arc<str>,
    },
    /// A webhook, by which a program writes into a room.
    Hook {
        /// Which room.
        room: String,
        /// How it is shown, as it was typed.
        name: String,
        /// What it is known by.
        key: KeyHash,
        /// What `key` is the hash of, to be shown this once.
        secret: Arc<str>,
    },
    /// The webhooks of a room.
    Hooks {
        /// Which room.
        room: String,
    },
    /// Revokes a webhook.
    Unhook {
        /// Which: its id.
        hook: String,
    },
    /// Users, by their ids' order.
    Users {
        /// Only those whose names have this in them; empty: all.
        part: String,
    },
    /// One user.
    User {
        /// Whom.
        user: String,
    },
}

/// A room, as the operator sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RoomRow {
    /// Which.
    pub id: RoomId,
    /// Its name.
    pub name: Arc<str>,
    /// Who may find it.
    pub kind: Kind,
    /// What it is about.
    pub topic: Arc<str>,
    /// How many are in it; none for the lobby, which everybody is in.
    pub members: Option<usize>,
    /// How many messages were said.
    pub messages: u64,
    /// It is closed, to be read only.
    pub archived: bool,
}

/// A user, as the operator sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UserRow {
    /// Who.
    pub id: UserId,
    /// How it is shown.
    pub name: Arc<str>,
    /// How many connections it has.
    pub connections: usize,
    /// It can't write.
    pub muted: bool,
}

/// One user, as the operator sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UserDetails {
    /// Who.
    pub row: UserRow,
    /// Where its connections come from.
    pub addresses: Vec<IpAddr>,
    /// Its rooms but the lobby and direct messages: id, name, what it is there.
    pub rooms: Vec<(RoomId, Arc<str>, Member)>,
}

/// What the operator is told of rooms and users.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Managed {
    /// Rooms, and how many more there are.
    Rooms(Vec<RoomRow>, usize),
    /// A room's members: id, name, what it is there; and how many more there are.
    Members(Vec<(UserId, Arc<str>, Member)>, usize),
    /// Users, and how many more there are.
    Users(Vec<UserRow>, usize),
    /// One user.
    User(Box<UserDetails>),
    /// Webhooks: id and name.
    Hooks(Vec<(UserId, Arc<str>)>),
    /// A webhook was made.
    Hooked {
        /// Which.
        hook: UserId,
        /// Into which room it writes.
        room: RoomId,
        /// What it is known by: it stands nowhere else.
        secret: Arc<str>,
    },
    /// Nobody, or nothing, is called that.
    NoSuch(Sort, String),
    /// More than one room has this name: an id is needed.
    Ambiguous(String),
}

/// What was named.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sort {
    /// A room.
    Room,
    /// A user.
    User,
    /// A webhook.
    Hook,
}

/// How far an errand came: what is for the log, or its answer.
type Errand<T> = Result<T, Trouble>;

/// Why it came no further.
enum Trouble {
    Told(Managed),
    Refused(Refusal),
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Hub {
    /// Does what the operator asks, or says what command it is for the log.
    pub(super) fn manage(
        &mut self,
        session: SessionId,
        id: u64,
        manage: Manage,
        now: u64,
    ) -> Result<Admitted, Refusal> {
        let told = match self.errand(manage, now) {
            Ok(Errands::Hook(command, secret)) => {
                return Ok(Admitted::ForLog(command, Asked::Hook(secret)));
            }
            Ok(Errands::ForLog(command @ Command::Send { .. })) => {
                return Ok(Admitted::ForLog(command, Asked::Say));
            }
            Ok(Errands::ForLog(command)) => {
                return Ok(Admitted::ForLog(command, Asked::Administer));
            }
            Ok(Errands::Told(told)) | Err(Trouble::Told(told)) => told,
            Err(Trouble::Refused(refusal)) => return Err(refusal),
        };
        self.answer(session, id, Answer::Managed(told));
        Ok(Admitted::Done)
    }

    fn errand(&self, manage: Manage, now: u64) -> Errand<Errands> {
        let bad = |bad| Trouble::Refused(Refusal::BadName(bad));
        let set = |room: &str, setting: Setting| {
            Ok(Errands::ForLog(Command::Set { room: self.room_called(room)?, setting }))
        };
        match manage {
            Manage::Rooms => Ok(Errands::Told(self.room_rows())),
            Manage::Members { room } => {
                let room = self.room_called(&room)?;
                Ok(Errands::Told(self.member_rows(&room)))
            }
            Manage::Create { name, kind } => {
                let name = Some(name::room(&name).map_err(bad)?.into());
                let (members, history, nonce) = (Vec::new(), History::All, None);
                Ok(Errands::ForLog(Command::Create { kind, name, members, history, nonce }))
            }
            Manage::Rename { room, name } => {
                set(&room, Setting::Name(name::room(&name).map_err(bad)?.into()))
            }
            Manage::Topic { room, topic } => {
                set(&room, Setting::Topic(name::topic(&topic).map_err(bad)?.into()))
            }
            Manage::Archive { room, archived } => set(&room, Setting::Archived(archived)),
            Manage::Admit { room, user } => {
                let (room, user) = (self.room_called(&room)?, self.user_called(&user)?);
                Ok(Errands::ForLog(Command::Admit { room, user }))
            }
            Manage::Remove { room, user } => {
                let (room, user) = (self.room_called(&room)?, self.user_called(&user)?);
                Ok(Errands::ForLog(Command::Remove { room, user }))
            }
            Manage::Appoint { room, user, member } => {
                let (room, user) = (self.room_called(&room)?, self.user_called(&user)?);
                Ok(Errands::ForLog(Command::Appoint { room, user, member }))
            }
            Manage::Say { room, text } => {
                super::check_text(&text, &self.limits)?;
                let room = self.room_called(&room)?;
                Ok(Errands::ForLog(Command::Send { room, nonce: None, text, reply: None }))
            }
            Manage::Hook { room, name, key, secret } => {
                let (room, name) =
                    (self.room_called(&room)?, name::person(&name).map_err(bad)?.into());
                Ok(Errands::Hook(Command::Hook { room, name, key }, secret))
            }
            Manage::Hooks { room } => {
                let room = self.room_called(&room)?;
                let hooks = self.state.hooks().of_room(&room).into_iter();
                let hooks = hooks.map(|(id, hook)| (id.clone(), hook.name.clone()));
                Ok(Errands::Told(Managed::Hooks(hooks.collect())))
            }
            Manage::Unhook { hook } => {
                let id = UserId::new(&*hook);
                let Some(found) = self.state.hooks().get(&id) else {
                    return Err(Trouble::Told(Managed::NoSuch(Sort::Hook, hook)));
                };
                Ok(Errands::ForLog(Command::Unhook { room: found.room.clone(), hook: id }))
            }
            Manage::Users { part } => Ok(Errands::Told(self.user_rows(&part, now))),
            Manage::User { user } => {
                let user = self.user_called(&user)?;
                Ok(Errands::Told(self.user_details(&user, now)))
            }
        }
    }

    /// The room of that id, or else of that name.
    fn room_called(&self, called: &str) -> Errand<RoomId> {
        let id = RoomId::new(called);
        if self.state.room(&id).is_some_and(|room| room.kind != Kind::Direct) {
            return Ok(id);
        }
        let folded = name::fold(called);
        let is_called = |room: &Room| {
            let own = room.name.as_deref().filter(|_| room.kind != Kind::Direct);
            own.is_some_and(|own| name::fold(own) == folded)
        };
        let mut found = self.state.rooms().filter(|(_, room)| is_called(room)).map(|(id, _)| id);
        match (found.next(), found.next()) {
            (Some(room), None) => Ok(room.clone()),
            (Some(_), Some(_)) => Err(Trouble::Told(Managed::Ambiguous(called.into()))),
            (None, _) => Err(Trouble::Told(Managed::NoSuch(Sort::Room, called.into()))),
        }
    }

    /// The user of that id, or else of that name.
    fn user_called(&self, called: &str) -> Errand<UserId> {
        self.known_user(called)
            .ok_or_else(|| Trouble::Told(Managed::NoSuch(Sort::User, called.into())))
    }

    /// The user of that id, or else of that name. Ids come first: nobody chooses its own.
    pub(super) fn known_user(&self, called: &str) -> Option<UserId> {
        let id = UserId::new(called);
        let known = self.state.user(&id).map(|_| id);
        known.or_else(|| self.state.user_named(called).cloned())
    }

    /// The sessions of whomever the operator means.
    pub(super) fn sessions_of(&self, whom: &Whom) -> Vec<SessionId> {
        let known = match whom {
            Whom::Name(name) => self.known_user(name),
            Whom::Address(_) => None,
        };
        self.in_order(|session| match (whom, &known) {
            _ if session.role() >= Role::Operator => false,
            (_, Some(user)) => session.user() == Some(user),
            (Whom::Name(name), None) => {
                session.is_a_person() && session.is_called(name, &self.state)
            }
            (Whom::Address(address), None) => session.address() == Some(*address),
        })
    }

    /// The shown name of the user whom an administrative event is about, if it is known or here.
    pub(super) fn shown_target(&self, event: &Event) -> Option<Arc<str>> {
        let user = match event {
            Event::Muted { target: Target::User(user), .. }
            | Event::Unmuted { target: Target::User(user), .. } => user,
            Event::Room(event) => match &event.what {
                What::Joined { user } | What::Left { user } | What::Appointed { user, .. } => user,
                What::Created { .. } | What::Set(_) => return None,
            },
            _ => return None,
        };
        let mut sessions = self.sessions.iter().map(|(_, session)| session);
        let mut here = || sessions.find(|session| session.is_user(user, self.run));
        let hook = || self.state.hooks().get(user).map(|hook| hook.name.clone());
        let known = self.state.user(user).map(|user| user.name.clone()).or_else(hook);
        known.or_else(|| here().map(|session| session.name(&self.state)))
    }

    fn room_rows(&self) -> Managed {
        let rooms = self.state.rooms().filter(|(_, room)| room.kind != Kind::Direct);
        let mut rows: Vec<RoomRow> = rooms
            .map(|(id, room)| RoomRow {
                id: id.clone(),
                name: room.name.clone().unwrap_or_default(),
                kind: room.kind,
                topic: room.topic.clone(),
                members: (!room.is_lobby).then_some(room.members.len()),
                messages: room.n,
                archived: room.archived,
            })
            .collect();
        // The lobby first.
        rows.sort_unstable_by(|a, b| {
            let by_number = || in_number_order(a.id.as_str(), b.id.as_str());
            a.members.is_some().cmp(&b.members.is_some()).then_with(by_number)
        });
        let more = cut(&mut rows);
        Managed::Rooms(rows, more)
    }

    fn member_rows(&self, room: &RoomId) -> Managed {
        let members = self.state.room(room).into_iter().flat_map(|room| &room.members);
        let mut rows: Vec<(UserId, Arc<str>, Member)> = members
            .map(|(user, membership)| (user.clone(), self.name_of(user), membership.role))
            .collect();
        rows.sort_unstable_by(|a, b| in_number_order(a.0.as_str(), b.0.as_str()));
        let more = cut(&mut rows);
        Managed::Members(rows, more)
    }

    fn user_rows(&self, part: &str, now: u64) -> Managed {
        let part = name::fold(part);
        let users = self.state.users().filter(|(_, user)| name::fold(&user.name).contains(&part));
        let mut ids: Vec<&UserId> = users.map(|(id, _)| id).collect();
        ids.sort_unstable_by(|a, b| in_number_order(a.as_str(), b.as_str()));
        let more = cut(&mut ids);
        Managed::Users(ids.into_iter().map(|id| self.user_row(id, now)).collect(), more)
    }

    fn user_row(&self, id: &UserId, now: u64) -> UserRow {
        let name = self.name_of(id);
        let author =
            Author { user: id.clone(), name: name.clone(), role: Role::Guest, address: None };
        let muted = self.state.mute(&author, now).is_some();
        UserRow { id: id.clone(), name, connections: self.presence.connections(id), muted }
    }

    fn user_details(&self, id: &UserId, now: u64) -> Managed {
        let sessions = self.presence.sessions(id).iter();
        let mut addresses: Vec<IpAddr> =
            sessions.filter_map(|session| self.sessions.get(*session)?.address()).collect();
        addresses.sort_unstable();
        addresses.dedup();
        let rooms = self.state.rooms_of(id).filter_map(|room| {
            let found = self.state.room(&room)?;
            let own = found.members.get(id)?;
            let shown = found.kind != Kind::Direct;
            shown.then(|| (room, found.name.clone().unwrap_or_default(), own.role))
        });
        let mut rooms: Vec<_> = rooms.collect();
        rooms.sort_unstable_by(|a, b| in_number_order(a.0.as_str(), b.0.as_str()));
        let row = self.user_row(id, now);
        Managed::User(Box::new(UserDetails { row, addresses, rooms }))
    }

    fn name_of(&self, user: &UserId) -> Arc<str> {
        self.state.user(user).map(|user| user.name.clone()).unwrap_or_default()
    }
}

/// What an errand comes to.
enum Errands {
    Hook(Command, Arc<str>),
    ForLog(Command),
    Told(Managed),
}

/// `u2` before `u10`.
fn in_number_order(a: &str, b: &str) -> std::cmp::Ordering {
    (a.len(), a).cmp(&(b.len(), b))
}

/// Leaves no more rows than an answer has; how many there were beyond.
fn cut<T>(rows: &mut Vec<T>) -> usize {
    let more = rows.len().saturating_sub(ROWS_MAX);
    rows.truncate(ROWS_MAX);
    more
}
