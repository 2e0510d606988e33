//! The chat's own words as damso.v1 writes them.

use damso_chat::hub::{Answer, Bumped, Mode, Opened, RoomEntry, Welcome};
use damso_chat::state::{Kind, Post};
use damso_chat::{Current, Event, Member, Mention, Message, Op, Setting, What};
use damso_protocol::v1::{self, ChangeOp, server};
use damso_protocol::{Limits, UserId};
use damso_store::Page;
use std::sync::Arc;

/// The most of a message that a preview shows, in characters.
const PREVIEW_CHARS: usize = 200;

/// An event of a room's log; none for what stands in no room.
pub fn event(event: &Event) -> Option<server::ServerMessage> {
    Some(match event {
        Event::Message(message) => server::ServerMessage::Msg(said(message)),
        Event::Changed(change) => {
            let (op, text, emoji) = match &change.op {
                Op::Edit(text) => (ChangeOp::Edit, text.clone(), None),
                Op::Delete => (ChangeOp::Delete, None, None),
                Op::React(emoji) => (ChangeOp::React, None, Some(emoji.clone())),
                Op::Unreact(emoji) => (ChangeOp::Unreact, None, Some(emoji.clone())),
                Op::Pin => (ChangeOp::Pin, None, None),
                Op::Unpin => (ChangeOp::Unpin, None, None),
            };
            server::ServerMessage::Change(server::Change {
                room: change.room.clone(),
                seq: change.seq,
                m: change.m,
                op,
                by: change.by.clone(),
                name: change.name.clone(),
                at: change.at,
                text,
                emoji,
                nonce: Some(change.nonce.clone()),
            })
        }
        Event::Room(event) => {
            let (what, user, text) = happened(&event.what, &event.by);
            server::ServerMessage::Room(server::RoomEvent {
                room: event.room.clone(),
                seq: Some(event.seq),
                what,
                user,
                by: Some(event.by.clone()),
                name: Some(event.name.clone()),
                text,
                at: Some(event.at),
                entry: None,
            })
        }
        _ => return None,
    })
}

/// What happened to a room: the word for it, whom it is about, and the text that goes with it.
fn happened(what: &What, by: &UserId) -> (server::What, Option<UserId>, Option<Arc<str>>) {
    match what {
        What::Created { name, .. } => (server::What::Create, None, name.clone()),
        What::Set(Setting::Name(name)) => (server::What::Name, None, Some(name.clone())),
        What::Set(Setting::Topic(topic)) => (server::What::Topic, None, Some(topic.clone())),
        What::Set(Setting::Post(post)) => {
            let post = match post {
                Post::Everybody => "everybody",
                Post::Owners => "owners",
            };
            (server::What::Post, None, Some(post.into()))
        }
        What::Set(Setting::Archived(archived)) => {
            (server::What::Archive, None, Some(archived.to_string().into()))
        }
        What::Joined { user } => (server::What::Join, Some(user.clone()), None),
        What::Left { user } if user == by => (server::What::Leave, Some(user.clone()), None),
        What::Left { user } => (server::What::Kick, Some(user.clone()), None),
        What::Appointed { user, member } => {
            let role = match member {
                Member::Member => "member",
                Member::Owner => "owner",
            };
            (server::What::Role, Some(user.clone()), Some(role.into()))
        }
    }
}

fn said(message: &Message) -> server::Msg {
    server::Msg {
        room: message.room.clone(),
        seq: message.seq,
        n: message.n,
        by: message.by.clone(),
        name: message.name.clone(),
        at: message.at,
        text: message.text.clone(),
        reply: message.reply,
        mentions: mentions(message),
        nonce: message.nonce.clone(),
    }
}

fn mentions(message: &Message) -> Vec<server::Mention> {
    let mention = |mention: &Mention| match mention {
        Mention::User(user) => server::Mention::user(user),
        Mention::Room => server::Mention::room(),
        Mention::Here => server::Mention::here(),
    };
    message.mentions.iter().map(mention).collect()
}

/// The answer to an accepted hello.
pub fn welcome(welcome: &Welcome, limits: &Limits) -> server::ServerMessage {
    server::ServerMessage::Welcome(Box::new(server::Welcome {
        v: v1::VERSION,
        epoch: welcome.epoch.clone(),
        user: welcome.user.clone(),
        name: welcome.name.clone(),
        rooms: welcome.rooms.iter().map(room).collect(),
        limits: limits.into(),
        features: Vec::new(),
        ping: u64::from(limits.ping_seconds) * 1_000,
        server: concat!("damso ", env!("CARGO_PKG_VERSION")).into(),
    }))
}

/// A room of a user's list.
pub fn room(entry: &RoomEntry) -> server::RoomEntry {
    server::RoomEntry {
        id: entry.id.clone(),
        name: Some(entry.name.clone()),
        kind: kind(entry.kind),
        head: entry.head,
        n: entry.n,
        read: entry.read,
        readn: entry.readn,
        mentions: entry.mentions,
        notify: server::Notify::All,
        role: role(entry.role),
        post: post(entry.post),
    }
}

/// Who may find a room.
pub fn kind(kind: Kind) -> server::Kind {
    match kind {
        Kind::Public => server::Kind::Public,
        Kind::Private => server::Kind::Private,
        Kind::Direct => server::Kind::Direct,
        Kind::Announcement => server::Kind::Announcement,
    }
}

/// What a user may do in a room.
pub fn role(role: Option<Member>) -> server::Role {
    match role {
        Some(Member::Owner) => server::Role::Owner,
        Some(Member::Member) | None => server::Role::Member,
    }
}

/// Who may write in a room.
pub fn post(post: Post) -> server::Post {
    match post {
        Post::Everybody => server::Post::Everybody,
        Post::Owners => server::Post::Owners,
    }
}

/// A hub's answer to a request; none for what isn't one.
pub fn reply(id: u64, answer: &Answer) -> Option<server::Reply> {
    let mut reply = server::Reply { id, ..server::Reply::default() };
    match answer {
        Answer::Done => {}
        Answer::Said { m, at } => (reply.m, reply.at) = (Some(*m), Some(*at)),
        Answer::Changed { seq } => reply.seq = Some(*seq),
        Answer::Online(users) => reply.online = Some(users.clone()),
        _ => return None,
    }
    Some(reply)
}

/// The answer to an `open`: with the newest page if it resets what the asker holds.
pub fn opened(opened: &Opened, page: Option<&Page>) -> server::Reply {
    let mut reply = server::Reply {
        id: opened.id,
        head: Some(opened.head),
        n: Some(opened.n),
        first: Some(opened.first),
        mode: Some(server::Mode::Replay),
        ..server::Reply::default()
    };
    if let (Mode::Reset { after, .. }, Some(page)) = (&opened.mode, page) {
        reply.mode = Some(server::Mode::Reset);
        // A log in memory may have forgotten more until it was read.
        reply.first = Some(opened.first.max(page.first));
        reply.messages = Some(messages(page, &opened.user));
        // A cursor may be any number; one beyond the head names no gap.
        let from = after.map_or(1, |after| after.saturating_add(1));
        let to = page.messages.first().map_or(opened.head + 1, |first| first.message.seq);
        // What the asker doesn't hold and doesn't get, if there is any of it.
        if page.more && from.max(opened.first) < to {
            reply.gap = Some((from, to));
        }
    }
    reply
}

/// The answer to a `history`.
pub fn page(id: u64, page: &Page, user: &UserId) -> server::Reply {
    server::Reply {
        id,
        messages: Some(messages(page, user)),
        asof: Some(page.asof),
        first: Some(page.first),
        more: Some(page.more),
        ..server::Reply::default()
    }
}

/// The messages of a page, as `user` sees them.
pub fn messages(page: &Page, user: &UserId) -> Vec<server::PageMessage> {
    page.messages.iter().map(|current| message(current, user)).collect()
}

fn message(current: &Current, user: &UserId) -> server::PageMessage {
    let Current { message, rev, edits, pinned, reactions } = current;
    let reaction = |(emoji, users): &(Arc<str>, Vec<UserId>)| {
        server::Reaction(emoji.clone(), users.len() as u64, users.contains(user))
    };
    server::PageMessage {
        m: message.seq,
        n: message.n,
        rev: *rev,
        by: message.by.clone(),
        name: message.name.clone(),
        at: message.at,
        text: message.text.clone(),
        edited: !edits.is_empty(),
        deleted: current.is_deleted(),
        reply: message.reply,
        mentions: mentions(message),
        reactions: reactions.iter().map(reaction).collect(),
        pinned: *pinned,
        nonce: message.nonce.clone(),
    }
}

/// What a session learns unasked; none for what damso.v1 has no word for.
pub fn notice(answer: &Answer) -> Option<server::ServerMessage> {
    Some(match answer {
        Answer::Entered(entry) => server::ServerMessage::Room(server::RoomEvent {
            what: server::What::Join,
            entry: Some(Box::new(room(entry))),
            ..absent(entry.id.clone())
        }),
        Answer::Departed { room, by } => server::ServerMessage::Room(server::RoomEvent {
            what: if by.is_some() { server::What::Kick } else { server::What::Leave },
            by: by.clone(),
            ..absent(room.clone())
        }),
        Answer::Bumped { rooms, preview } => server::ServerMessage::Bump(server::Bump {
            rooms: rooms.iter().map(bumped).collect(),
            preview: preview.as_deref().and_then(shown),
        }),
        Answer::Seen { room, seq } => {
            server::ServerMessage::Seen(server::Seen { room: room.clone(), seq: *seq, readn: None })
        }
        Answer::Presence { on, off } => {
            server::ServerMessage::Presence(server::Presence { on: on.clone(), off: off.clone() })
        }
        _ => return None,
    })
}

/// What is told of a room outside its log.
fn absent(room: damso_protocol::RoomId) -> server::RoomEvent {
    server::RoomEvent {
        room,
        seq: None,
        what: server::What::Notice,
        user: None,
        by: None,
        name: None,
        text: None,
        at: None,
        entry: None,
    }
}

fn bumped(bumped: &Bumped) -> server::BumpRoom {
    let flag = |set: bool, flag: u32| if set { flag } else { 0 };
    let flags = flag(bumped.mentions, server::BumpRoom::MENTION)
        | flag(bumped.direct, server::BumpRoom::DIRECT);
    server::BumpRoom(bumped.room.clone(), bumped.head, bumped.n, flags)
}

fn shown(event: &Event) -> Option<server::Preview> {
    let Event::Message(message) = event else { return None };
    let text = message.text.as_deref().unwrap_or_default();
    Some(server::Preview {
        room: message.room.clone(),
        m: message.seq,
        by: message.by.clone(),
        name: message.name.clone(),
        text: text.chars().take(PREVIEW_CHARS).collect::<String>().into(),
    })
}
