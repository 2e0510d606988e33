//! Messages and what changes them.
#![allow(unused_qualifications, reason = "utoipa's macro writes them")]

use super::rooms::InRoom;
use super::{
    Asked, Asker, At, Body, Called, Number, Problem, Told, check_nonce, json, read, schema,
};
use axum::http::StatusCode;
use axum::response::Response;
use damso_chat::hub::{Answer, Part, Request};
use damso_chat::{Command, Op, Refusal};
use damso_protocol::v1::{PAGE_MESSAGES, PAGE_MESSAGES_MAX};
use damso_protocol::{Nonce, RoomId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Which message a request is about.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct Of {
    /// The room's id.
    #[param(value_type = String)]
    room: RoomId,
    /// The message's id.
    #[param(value_type = u64, minimum = 1, maximum = 9007199254740991u64)]
    m: Number,
}

/// Which reaction a request is about.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct With {
    /// The room's id.
    #[param(value_type = String)]
    room: RoomId,
    /// The message's id.
    #[param(value_type = u64, minimum = 1, maximum = 9007199254740991u64)]
    m: Number,
    /// The emoji, 64 bytes at most, without spaces and controls.
    #[param(value_type = String, min_length = 1)]
    emoji: Arc<str>,
}

/// Which page is asked for: one of `before`, `after`, `around` and `at`; none: the newest.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Where {
    /// The messages before this one.
    #[param(value_type = Option<u64>, maximum = 9007199254740991u64)]
    before: Option<Number>,
    /// The messages after this one.
    #[param(value_type = Option<u64>, maximum = 9007199254740991u64)]
    after: Option<Number>,
    /// This message and those around it.
    #[param(value_type = Option<u64>, maximum = 9007199254740991u64)]
    around: Option<Number>,
    /// The room's first message at or after this time, in ms since 1970, and those around it; with
    /// `limit=1` that message alone.
    #[param(value_type = Option<u64>, maximum = 9007199254740991u64)]
    at: Option<Number>,
    /// The most messages in the page; 50 if absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
}

/// A page of messages, in the order in which they were said.
#[utoipa::path(
    get, path = "/rooms/{room}/messages", tag = "messages", params(InRoom, Where),
    responses((status = 200, body = schema::Page)),
)]
pub async fn page(
    asker: Asker,
    At(InRoom { room }): At<InRoom>,
    Asked(place): Asked<Where>,
) -> Result<Response, Problem> {
    let bad = |field| Problem::of(Refusal::BadField(field));
    let part = match (place.before, place.after, place.around, place.at) {
        (None, None, None, None) => Part::Newest,
        (Some(Number(m)), None, None, None) => Part::Before(m),
        (None, Some(Number(m)), None, None) => Part::After(m),
        (None, None, Some(Number(m)), None) => Part::Around(m),
        (None, None, None, Some(Number(at))) => Part::At(at),
        _ => return Err(bad("before, after, around, at: one of them")),
    };
    let limit = place.limit.unwrap_or(PAGE_MESSAGES);
    if !(1..=PAGE_MESSAGES_MAX).contains(&limit) {
        return Err(bad("limit"));
    }
    read_page(&asker, room, part, limit).await
}

async fn read_page(
    asker: &Asker,
    room: RoomId,
    part: Part,
    limit: u32,
) -> Result<Response, Problem> {
    let request = Request::History { room, part, limit: limit as usize };
    match asker.ask(request).await? {
        Told::Page(page) => {
            let page = page.into_wire().map_err(Problem::of_answer)?;
            Ok(json(StatusCode::OK, &page))
        }
        _ => Err(Problem::internal()),
    }
}

/// The pinned messages, in the order in which they were said: the 100 newest, if there are more.
#[utoipa::path(
    get, path = "/rooms/{room}/pins", tag = "messages", params(InRoom),
    responses((status = 200, body = schema::Page)),
)]
pub async fn pins(asker: Asker, At(InRoom { room }): At<InRoom>) -> Result<Response, Problem> {
    read_page(&asker, room, Part::Pinned, PAGE_MESSAGES_MAX).await
}

/// One message.
#[utoipa::path(
    get, path = "/rooms/{room}/messages/{m}", tag = "messages", params(Of),
    responses((status = 200, body = schema::Message)),
)]
pub async fn one(asker: Asker, At(Of { room, m: Number(m) }): At<Of>) -> Result<Response, Problem> {
    let request = Request::History { room, part: Part::Around(m), limit: 1 };
    let Told::Page(page) = asker.ask(request).await? else { return Err(Problem::internal()) };
    let page = page.into_wire().map_err(Problem::of_answer)?;
    match page.messages.first() {
        Some(message) if message.m == m && message.deleted => Err(Problem::of(Refusal::Gone)),
        Some(message) if message.m == m => Ok(json(StatusCode::OK, message)),
        // The nearest one, where there is no such message.
        _ => Err(Problem::of(Refusal::NotFound)),
    }
}

/// A message to be said.
#[derive(Deserialize, ToSchema)]
pub struct NewMessage {
    /// What the asker calls it: a repetition under the same nonce gets the first answer.
    #[schema(value_type = schema::Nonce)]
    nonce: Nonce,
    #[schema(value_type = schema::Text)]
    text: Arc<str>,
    /// The message it answers.
    #[schema(value_type = Option<u64>, maximum = 9007199254740991u64)]
    reply: Option<Number>,
}

#[derive(Serialize, ToSchema)]
pub struct Said {
    /// The message's id.
    pub m: u64,
    /// When it was said, in ms since 1970.
    pub at: u64,
}

/// Says something. Answered when it is stored.
#[utoipa::path(
    post, path = "/rooms/{room}/messages", tag = "messages", params(InRoom),
    request_body = NewMessage, responses((status = 200, body = Said)),
)]
pub async fn send(
    asker: Asker,
    At(InRoom { room }): At<InRoom>,
    Body(body): Body,
) -> Result<Response, Problem> {
    let NewMessage { nonce, text, reply } = read(&body)?;
    check_nonce(Some(&nonce))?;
    let reply = reply.map(|Number(m)| m);
    said(asker.ask(Request::Say { room, nonce: Some(nonce), text, reply }).await?)
}

/// The answer to what was said.
pub fn said(told: Told) -> Result<Response, Problem> {
    match told {
        Told::Answer(Answer::Said { m, at }) => Ok(json(StatusCode::OK, &Said { m, at })),
        _ => Err(Problem::internal()),
    }
}

/// What a message is to say instead.
#[derive(Deserialize, ToSchema)]
pub struct Edit {
    /// What the asker calls the change.
    #[schema(value_type = schema::Nonce)]
    nonce: Nonce,
    #[schema(value_type = schema::Text)]
    text: Arc<str>,
}

#[derive(Serialize, ToSchema)]
pub struct Changed {
    /// The change's place in the room's log; for what is so already, that of the last change.
    seq: u64,
}

/// Changes what an own message says.
#[utoipa::path(
    patch, path = "/rooms/{room}/messages/{m}", tag = "messages", params(Of), request_body = Edit,
    responses((status = 200, body = Changed)),
)]
pub async fn edit(
    asker: Asker,
    At(Of { room, m }): At<Of>,
    Body(body): Body,
) -> Result<Response, Problem> {
    let Edit { nonce, text } = read(&body)?;
    check_nonce(Some(&nonce))?;
    change(&asker, room, m, nonce, Op::Edit(Some(text))).await
}

/// Deletes a message: its text is nowhere afterwards.
#[utoipa::path(
    delete, path = "/rooms/{room}/messages/{m}", tag = "messages",
    params(Of, schema::IdempotencyKey), responses((status = 200, body = Changed)),
)]
pub async fn delete(
    asker: Asker,
    At(Of { room, m }): At<Of>,
    Called(nonce): Called,
) -> Result<Response, Problem> {
    change(&asker, room, m, nonce, Op::Delete).await
}

/// What was erased.
#[derive(Serialize, ToSchema)]
pub struct Erased {
    /// How many messages.
    messages: u64,
}

/// Deletes all that the asker ever wrote, in every room: its text is nowhere afterwards. Each asker
/// may do so once a minute, one at a time. It goes on when it takes longer than
/// the answer may; asked again, it says how many were left.
#[utoipa::path(
    delete, path = "/me/messages", tag = "messages", responses((status = 200, body = Erased)),
)]
pub async fn forget(asker: Asker) -> Result<Response, Problem> {
    match asker.ask(Request::Erase { whom: None }).await? {
        Told::Answer(Answer::Erased { messages }) => Ok(json(StatusCode::OK, &Erased { messages })),
        _ => Err(Problem::internal()),
    }
}

/// Reacts to a message.
#[utoipa::path(
    put, path = "/rooms/{room}/messages/{m}/reactions/{emoji}", tag = "messages",
    params(With, schema::IdempotencyKey), responses((status = 200, body = Changed)),
)]
pub async fn react(
    asker: Asker,
    At(With { room, m, emoji }): At<With>,
    Called(nonce): Called,
) -> Result<Response, Problem> {
    change(&asker, room, m, nonce, Op::React(emoji)).await
}

/// Takes a reaction back.
#[utoipa::path(
    delete, path = "/rooms/{room}/messages/{m}/reactions/{emoji}", tag = "messages",
    params(With, schema::IdempotencyKey), responses((status = 200, body = Changed)),
)]
pub async fn unreact(
    asker: Asker,
    At(With { room, m, emoji }): At<With>,
    Called(nonce): Called,
) -> Result<Response, Problem> {
    change(&asker, room, m, nonce, Op::Unreact(emoji)).await
}

/// Puts a message up for all to see.
#[utoipa::path(
    put, path = "/rooms/{room}/messages/{m}/pin", tag = "messages",
    params(Of, schema::IdempotencyKey), responses((status = 200, body = Changed)),
)]
pub async fn pin(
    asker: Asker,
    At(Of { room, m }): At<Of>,
    Called(nonce): Called,
) -> Result<Response, Problem> {
    change(&asker, room, m, nonce, Op::Pin).await
}

/// Takes a message down.
#[utoipa::path(
    delete, path = "/rooms/{room}/messages/{m}/pin", tag = "messages",
    params(Of, schema::IdempotencyKey), responses((status = 200, body = Changed)),
)]
pub async fn unpin(
    asker: Asker,
    At(Of { room, m }): At<Of>,
    Called(nonce): Called,
) -> Result<Response, Problem> {
    change(&asker, room, m, nonce, Op::Unpin).await
}

async fn change(
    asker: &Asker,
    room: RoomId,
    Number(m): Number,
    nonce: Nonce,
    op: Op,
) -> Result<Response, Problem> {
    let request = Request::Record(Command::Change { room, m, nonce, op });
    match asker.ask(request).await? {
        Told::Answer(Answer::Changed { seq }) => Ok(json(StatusCode::OK, &Changed { seq })),
        _ => Err(Problem::internal()),
    }
}
