//! Acts on rooms, members and messages over HTTP (PROTOCOL section 9). Each request is a session of
//! its own in the hub, with the same rights, rates and repetition as one of a WebSocket; nothing is
//! decided here.

mod desk;
mod problem;

pub use desk::Desk;

use super::Peer;
use crate::dialect::{v1, wire};
use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Path, Query};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use damso_chat::hub::{Answer, Part, Request, RoomDetails, RoomEntry};
use damso_chat::state::{History, Kind, Post};
use damso_chat::{Command, KeyHash, Member, Refusal, Setting};
use damso_protocol::v1::server;
use damso_protocol::{Nonce, RoomId, UserId, name};
use desk::Told;
use problem::Problem;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// The longest body of a request, in bytes.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// How long a body may take: who sends none has one of the few places of HTTP's connections.
const BODY_MAX: Duration = Duration::from_secs(10);

/// The routes, from `/api/v1` on.
pub fn router(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/rooms", get(rooms).post(create))
        .route("/rooms/{room}", get(room).patch(set))
        .route("/rooms/{room}/members/{user}", put(admit).delete(remove).patch(appoint))
        .route("/rooms/{room}/messages", get(messages).post(send))
        .fallback(|| async { Problem::of(Refusal::NotFound) })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(desk)
}

/// Whoever asks, and everything that is needed to ask the hub for it.
struct Asker {
    desk: Arc<Desk>,
    peer: Peer,
    key: KeyHash,
}

impl FromRequestParts<Arc<Desk>> for Asker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, desk: &Arc<Desk>) -> Result<Self, Problem> {
        let unauthorized = || Problem::of(Refusal::Unauthorized);
        let value = parts.headers.get(header::AUTHORIZATION).ok_or_else(unauthorized)?;
        let (scheme, key) = std::str::from_utf8(value.as_bytes())
            .ok()
            .and_then(|value| value.split_once(' '))
            .ok_or_else(unauthorized)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(unauthorized());
        }
        let key = v1::key_hash(key.trim()).ok_or_else(unauthorized)?;
        // Set for every request (`http::connection`).
        let peer = *parts.extensions.get::<Peer>().ok_or_else(Problem::internal)?;
        Ok(Self { desk: desk.clone(), peer, key })
    }
}

/// What a path names. What can't be read names nothing.
struct At<T>(T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for At<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(at)) => Ok(Self(at)),
            Err(_) => Err(Problem::of(Refusal::NotFound)),
        }
    }
}

/// A request's body.
struct Body(Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: axum::extract::Request, state: &S) -> Result<Self, Problem> {
        match tokio::time::timeout(BODY_MAX, Bytes::from_request(request, state)).await {
            Ok(Ok(body)) => Ok(Self(body)),
            Ok(Err(rejection)) => Err(Problem::of_body(rejection.status())),
            Err(_) => Err(Problem::of_body(StatusCode::REQUEST_TIMEOUT)),
        }
    }
}

impl Asker {
    async fn ask(&self, request: Request) -> Result<Told, Problem> {
        self.desk.ask(self.key, self.peer.0, request).await
    }

    /// Asks for something that has no other answer than that it was done.
    async fn act(&self, request: Request) -> Result<StatusCode, Problem> {
        self.ask(request).await.map(|_| StatusCode::NO_CONTENT)
    }
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

async fn rooms(asker: Asker) -> Result<Response, Problem> {
    let Told::Answer(Answer::Rooms { own, others }) = asker.ask(Request::Rooms).await? else {
        return Err(Problem::internal());
    };
    let rooms = own.iter().map(listed).collect();
    let others = others.iter().map(found).collect();
    Ok(json(StatusCode::OK, &Lists { rooms, others }))
}

async fn room(asker: Asker, At(room): At<String>) -> Result<Response, Problem> {
    let room = RoomId::new(room);
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

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum NewKind {
    Public,
    Private,
    Direct,
    Announcement,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "lowercase")]
enum NewHistory {
    /// A private room's members see what was said since they came, a public one's all of it.
    #[default]
    Default,
    All,
    Joining,
}

#[derive(Deserialize)]
struct NewRoom {
    kind: NewKind,
    name: Option<String>,
    #[serde(default)]
    members: Vec<UserId>,
    #[serde(default)]
    history: NewHistory,
    nonce: Option<Nonce>,
}

#[derive(Serialize)]
struct Created {
    id: RoomId,
}

async fn create(asker: Asker, Body(body): Body) -> Result<Response, Problem> {
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

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum NewPost {
    Everybody,
    Owners,
}

#[derive(Deserialize)]
struct Settings {
    name: Option<String>,
    topic: Option<String>,
    post: Option<NewPost>,
    archived: Option<bool>,
}

async fn set(asker: Asker, At(room): At<String>, Body(body): Body) -> Result<StatusCode, Problem> {
    let room = RoomId::new(room);
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

async fn admit(
    asker: Asker,
    At((room, user)): At<(String, String)>,
) -> Result<StatusCode, Problem> {
    asker
        .act(Request::Record(Command::Admit { room: RoomId::new(room), user: UserId::new(user) }))
        .await
}

async fn remove(
    asker: Asker,
    At((room, user)): At<(String, String)>,
) -> Result<StatusCode, Problem> {
    asker
        .act(Request::Record(Command::Remove { room: RoomId::new(room), user: UserId::new(user) }))
        .await
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum NewRole {
    Member,
    Owner,
}

#[derive(Deserialize)]
struct Appointment {
    role: NewRole,
}

async fn appoint(
    asker: Asker,
    At((room, user)): At<(String, String)>,
    Body(body): Body,
) -> Result<StatusCode, Problem> {
    let member = match read::<Appointment>(&body)?.role {
        NewRole::Member => Member::Member,
        NewRole::Owner => Member::Owner,
    };
    let (room, user) = (RoomId::new(room), UserId::new(user));
    asker.act(Request::Record(Command::Appoint { room, user, member })).await
}

#[derive(Deserialize)]
struct Where {
    before: Option<u64>,
    after: Option<u64>,
    around: Option<u64>,
    at: Option<u64>,
    limit: Option<u32>,
}

async fn messages(
    asker: Asker,
    At(room): At<String>,
    place: Result<Query<Where>, QueryRejection>,
) -> Result<Response, Problem> {
    let bad = || Problem::of(Refusal::BadField("before, after, around, at, limit"));
    let Query(place) = place.map_err(|_| bad())?;
    let part = match (place.before, place.after, place.around, place.at) {
        (None, None, None, None) => Part::Newest,
        (Some(m), None, None, None) => Part::Before(m),
        (None, Some(m), None, None) => Part::After(m),
        (None, None, Some(m), None) => Part::Around(m),
        (None, None, None, Some(at)) => Part::At(at),
        _ => return Err(bad()),
    };
    let limit = v1::page_limit(place.limit);
    let request = Request::History { room: RoomId::new(room), part, limit };
    match asker.ask(request).await? {
        Told::Page(page) => {
            let page = page.into_wire().map_err(Problem::of_answer)?;
            Ok(json(StatusCode::OK, &page))
        }
        Told::Answer(_) => Err(Problem::internal()),
    }
}

#[derive(Deserialize)]
struct NewMessage {
    nonce: Nonce,
    text: Arc<str>,
    reply: Option<u64>,
}

#[derive(Serialize)]
struct Said {
    m: u64,
    at: u64,
}

async fn send(asker: Asker, At(room): At<String>, Body(body): Body) -> Result<Response, Problem> {
    let NewMessage { nonce, text, reply } = read(&body)?;
    check_nonce(Some(&nonce))?;
    let request = Request::Say { room: RoomId::new(room), nonce: Some(nonce), text, reply };
    match asker.ask(request).await? {
        Told::Answer(Answer::Said { m, at }) => Ok(json(StatusCode::OK, &Said { m, at })),
        _ => Err(Problem::internal()),
    }
}

fn check_nonce(nonce: Option<&Nonce>) -> Result<(), Problem> {
    match nonce {
        Some(nonce) if !nonce.is_well_formed() => Err(Problem::of(Refusal::BadField("nonce"))),
        _ => Ok(()),
    }
}

/// Reads a body.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| Problem::of_json(&error))
}

fn json(status: StatusCode, body: &impl Serialize) -> Response {
    // Strings, numbers and lists of them always have a JSON form.
    let body = serde_json::to_vec(body).unwrap_or_default();
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (status, headers, body).into_response()
}
