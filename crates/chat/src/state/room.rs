//! A room as far as judging and routing need it.

use crate::event::Member;
use damso_protocol::UserId;
use damso_protocol::id::Map;
use std::sync::Arc;

/// Who may find a room and come in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// Everybody.
    Public,
    /// Who is invited.
    Private,
    /// Those who are in it from its beginning: direct messages.
    Direct,
    /// Everybody, to read what its owners write.
    Announcement,
}

/// What members see of what was said before they came.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum History {
    /// All of it.
    All,
    /// Nothing: it begins with their coming.
    Joining,
}

/// Who may write in a room.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Post {
    /// All its members.
    Everybody,
    /// Its owners.
    Owners,
}

/// A user's place in a room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Membership {
    /// What it may do.
    pub role: Member,
    /// The lowest `seq` it may see.
    pub first: u64,
    /// The `seq` with which it came.
    pub since: u64,
}

/// A room.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Room {
    /// The last `seq` of its log; 0 when nothing happened yet.
    pub head: u64,
    /// How many messages were said.
    pub n: u64,
    /// Everybody is in it, without a membership of their own.
    pub is_lobby: bool,
    /// Who may find it and come in.
    pub kind: Kind,
    /// Its name; direct messages have none.
    pub name: Option<Arc<str>>,
    /// What it is about; may be empty.
    pub topic: Arc<str>,
    /// Who may write.
    pub post: Post,
    /// What those see who come later.
    pub history: History,
    /// It is closed, to be read only.
    pub archived: bool,
    /// When everybody was called last, in ms since 1970.
    pub called_at: u64,
    /// The newest messages that call everybody.
    pub calls: Vec<u64>,
    /// Who is in it.
    pub members: Map<UserId, Membership>,
}

impl Room {
    /// A room of which nothing has happened yet.
    pub fn new(kind: Kind, name: Option<Arc<str>>, history: History) -> Self {
        let post = if kind == Kind::Announcement { Post::Owners } else { Post::Everybody };
        Self {
            head: 0,
            n: 0,
            is_lobby: false,
            kind,
            name,
            topic: "".into(),
            post,
            history,
            archived: false,
            called_at: 0,
            calls: Vec::new(),
            members: Map::default(),
        }
    }

    /// The room that everybody is in.
    pub fn lobby() -> Self {
        Self { is_lobby: true, ..Self::new(Kind::Public, Some("lobby".into()), History::All) }
    }

    /// Its name, if anybody may find it.
    pub fn public_name(&self) -> Option<&str> {
        match self.kind {
            Kind::Public | Kind::Announcement => self.name.as_deref(),
            Kind::Private | Kind::Direct => None,
        }
    }

    /// How many own it.
    pub fn owners(&self) -> usize {
        self.members.values().filter(|member| member.role == Member::Owner).count()
    }

    /// A room whose last owner left belongs to whoever has been in it longest.
    pub(super) fn keep_an_owner(&mut self) {
        if self.kind == Kind::Direct || self.owners() > 0 {
            return;
        }
        let eldest = self.members.iter_mut().min_by_key(|(user, member)| (member.since, *user));
        if let Some((_, eldest)) = eldest {
            eldest.role = Member::Owner;
        }
    }
}
