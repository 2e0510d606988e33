//! Rooms and who is in them.
#![allow(unused_qualifications, reason = "utoipa's macro writes them")]

use super::{Asker, At, Body, Number, Problem, Told, check_nonce, json, read, schema};
use crate::dialect::wire;
use axum::http::StatusCode;
use axum::response::Response;
use damso_chat::hub::{Answer, Request, RoomDetails, RoomEntry};
use damso_chat::state::{History, Kind, Post};
use damso_chat::{Command, Member, Refusal, Setting};
use damso_protocol::v1::server;
use damso_protocol::{Nonce, RoomId, UserId, name};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Where a request is about.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct InRoom {
    /// The room's id.
    #[param(value_type = String)]
    pub room: RoomId,
}

/// Whom a request is about.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct OfMember {
    /// The room's id.
    #[param(value_type = String)]
    room: RoomId,
    /// The user's id.
    #[param(value_type = String)]
    user: UserId,
}

/// A room of the asker's list.
#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    entry: server::RoomEntry,
    topic: Arc<str>,
    archived: bool,
}

/// A room that the asker isn't in, and could join.
#[derive(Serialize)]
struct Found {
    id: RoomId,
    name: Arc<str>,
    kind: server::Kind,
    topic: Arc<str>,
}

#[derive(Serialize)]
struct Lists {
    rooms: Vec<Listed>,
    others: Vec<Found>,
}

#[derive(Serialize)]
struct Person {
    user: UserId,
    name: Arc<str>,
    role: server::Role,
}

#[derive(Serialize)]
struct Detailed {
    #[serde(flatten)]
    room: Shape,
    members: Vec<Person>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Shape {
    Listed(Listed),
    Found(Found),
}

fn listed(entry: &RoomEntry) -> Listed {
    Listed { entry: wire::room(entry), topic: entry.topic.clone(), archived: entry.archived }
}

fn found(entry: &RoomEntry) -> Found {
    let RoomEntry { id, name, topic, .. } = entry;
    let kind = wire::kind(entry.kind);
    Found { id: id.clone(), name: name.clone(), kind, topic: topic.clone() }
}

/// The asker's rooms, and others that it could join.
#[utoipa::path(get, path = "/rooms", tag = "rooms", responses((status = 200, body = schema::Lists)))]
pub async fn list(asker: Asker) -> Result<Response, Problem> {
    let Told::Answer(Answer::Rooms { own, others }) = asker.ask(Request::Rooms).await? else {
        return Err(Problem::internal());
    };
    let rooms = own.iter().map(listed).collect();
    let others = others.iter().map(found).collect();
    Ok(json(StatusCode::OK, &Lists { rooms, others }))
}

/// One room, and for its members who is in it.
#[utoipa::path(
    get, path = "/rooms/{room}", tag = "rooms", params(InRoom),
    responses((status = 200, body = schema::Detailed)),
)]
pub async fn one(asker: Asker, At(InRoom { room }): At<InRoom>) -> Result<Response, Problem> {
    let Told::Answer(Answer::Room(details)) = asker.ask(Request::Room { room }).await? else {
        return Err(Problem::internal());
    };
    let RoomDetails { entry, members } = *details;
    let person = |(user, name, role): (UserId, Arc<str>, Member)| Person {
        user,
        name,
        role: wire::role(Some(role)),
    };
    let is_member = entry.role.is_some();
    let room = if is_member { Shape::Listed(listed(&entry)) } else { Shape::Found(found(&entry)) };
    // Who is in a room is its members' to know.
    let members = members.into_iter().filter(|_| is_member).map(person).collect();
    Ok(json(StatusCode::OK, &Detailed { room, members }))
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum NewKind {
    /// Anybody may find it and come in.
    Public,
    /// For who is invited.
    Private,
    /// Messages between these people.
    Direct,
    /// Anybody may read what its owners write.
    Announcement,
}

#[derive(Deserialize, Default, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum NewHistory {
    /// A private room's members see what was said since they came, a public one's all of it.
    #[default]
    Default,
    /// All that was said.
    All,
    /// Nothing from before they came.
    Joining,
}

/// A room to be made. Whoever makes it owns it.
#[derive(Deserialize, ToSchema)]
pub struct NewRoom {
    kind: NewKind,
    /// What it is called; direct messages have no name.
    #[schema(min_length = 1, max_length = 80)]
    name: Option<String>,
    /// Who else is in it from the start.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    members: Vec<UserId>,
    #[serde(default)]
    history: NewHistory,
    /// What the asker calls it, so that a repetition makes no second room.
    #[schema(value_type = Option<schema::Nonce>)]
    nonce: Option<Nonce>,
}

#[derive(Serialize, ToSchema)]
pub struct Created {
    /// The room's id.
    #[schema(value_type = String)]
    id: RoomId,
}

/// Makes a room.
#[utoipa::path(
    post, path = "/rooms", tag = "rooms", request_body = NewRoom,
    responses(
        (status = 201, body = Created),
        (status = 200, description = "It was there already", body = Created),
    ),
)]
pub async fn create(asker: Asker, Body(body): Body) -> Result<Response, Problem> {
    let new: NewRoom = read(&body)?;
    check_nonce(new.nonce.as_ref())?;
    let kind = match new.kind {
        NewKind::Public => Kind::Public,
        NewKind::Private => Kind::Private,
        NewKind::Direct => Kind::Direct,
        NewKind::Announcement => Kind::Announcement,
    };
    let history = match (new.history, kind) {
        (NewHistory::All, _) => History::All,
        (NewHistory::Joining, _) | (NewHistory::Default, Kind::Private) => History::Joining,
        (NewHistory::Default, _) => History::All,
    };
    let name = new.name.as_deref().map(name::room).transpose();
    let name = name.map_err(|bad| Problem::of(Refusal::BadName(bad)))?.map(Arc::from);
    let members = new.members;
    let request =
        Request::Record(Command::Create { kind, name, members, history, nonce: new.nonce });
    let Told::Answer(Answer::Created { room, existed }) = asker.ask(request).await? else {
        return Err(Problem::internal());
    };
    let status = if existed { StatusCode::OK } else { StatusCode::CREATED };
    Ok(json(status, &Created { id: room }))
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum NewPost {
    /// All members may write.
    Everybody,
    /// Its owners alone.
    Owners,
}

/// What is to be changed of a room; at least one of these.
#[derive(Deserialize, ToSchema)]
pub struct Settings {
    #[schema(min_length = 1, max_length = 80)]
    name: Option<String>,
    /// What it is about; may be empty.
    #[schema(max_length = 250)]
    topic: Option<String>,
    /// Who may write.
    post: Option<NewPost>,
    /// Whether it can only be read.
    archived: Option<bool>,
}

/// Changes a room.
#[utoipa::path(
    patch, path = "/rooms/{room}", tag = "rooms", params(InRoom), request_body = Settings,
    responses((status = 204, description = "Done")),
)]
pub async fn set(
    asker: Asker,
    At(InRoom { room }): At<InRoom>,
    Body(body): Body,
) -> Result<StatusCode, Problem> {
    let asked: Settings = read(&body)?;
    let bad_name = |bad| Problem::of(Refusal::BadName(bad));
    let mut settings = Vec::new();
    if let Some(name) = asked.name {
        settings.push(Setting::Name(name::room(&name).map_err(bad_name)?.into()));
    }
    if let Some(topic) = asked.topic {
        settings.push(Setting::Topic(name::topic(&topic).map_err(bad_name)?.into()));
    }
    if let Some(post) = asked.post {
        settings.push(Setting::Post(match post {
            NewPost::Everybody => Post::Everybody,
            NewPost::Owners => Post::Owners,
        }));
    }
    if let Some(archived) = asked.archived {
        // An archived room takes no other change, so it is opened first and closed last.
        let at = if archived { settings.len() } else { 0 };
        settings.insert(at, Setting::Archived(archived));
    }
    if settings.is_empty() {
        return Err(Problem::of(Refusal::BadField("name, topic, post, archived")));
    }
    for setting in settings {
        asker.act(Request::Record(Command::Set { room: room.clone(), setting })).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Lets a user in: oneself into a public room, or whom one invites.
#[utoipa::path(
    put, path = "/rooms/{room}/members/{user}", tag = "rooms", params(OfMember),
    responses((status = 204, description = "Done, or so already")),
)]
pub async fn admit(
    asker: Asker,
    At(OfMember { room, user }): At<OfMember>,
) -> Result<StatusCode, Problem> {
    asker.act(Request::Record(Command::Admit { room, user })).await
}

/// Takes a user out: oneself, or whom one removes.
#[utoipa::path(
    delete, path = "/rooms/{room}/members/{user}", tag = "rooms", params(OfMember),
    responses((status = 204, description = "Done, or so already")),
)]
pub async fn remove(
    asker: Asker,
    At(OfMember { room, user }): At<OfMember>,
) -> Result<StatusCode, Problem> {
    asker.act(Request::Record(Command::Remove { room, user })).await
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum NewRole {
    /// Reads, and writes where members do.
    Member,
    /// May do everything in the room.
    Owner,
}

#[derive(Deserialize, ToSchema)]
pub struct Appointment {
    role: NewRole,
}

/// Changes what a member may do.
#[utoipa::path(
    patch, path = "/rooms/{room}/members/{user}", tag = "rooms", params(OfMember), request_body = Appointment,
    responses((status = 204, description = "Done, or so already")),
)]
pub async fn appoint(
    asker: Asker,
    At(OfMember { room, user }): At<OfMember>,
    Body(body): Body,
) -> Result<StatusCode, Problem> {
    let member = match read::<Appointment>(&body)?.role {
        NewRole::Member => Member::Member,
        NewRole::Owner => Member::Owner,
    };
    asker.act(Request::Record(Command::Appoint { room, user, member })).await
}

#[derive(Deserialize, ToSchema)]
pub struct Reading {
    /// The last `seq` that was read.
    #[schema(value_type = u64, maximum = 9007199254740991u64)]
    seq: Number,
}

/// Says how far the asker has read. It only grows.
#[utoipa::path(
    put, path = "/rooms/{room}/read", tag = "rooms", params(InRoom), request_body = Reading,
    responses((status = 204, description = "Done, or further already")),
)]
pub async fn read_up_to(
    asker: Asker,
    At(InRoom { room }): At<InRoom>,
    Body(body): Body,
) -> Result<StatusCode, Problem> {
    let Reading { seq: Number(seq) } = read(&body)?;
    asker.act(Request::Record(Command::Read { room, seq })).await
}
