//! Incoming webhooks: who has the URL writes into its room, with nothing but `curl -d`.
#![allow(unused_qualifications, reason = "utoipa's macro writes them")]

use super::messages::{self, Said};
use super::rooms::InRoom;
use super::{
    Asker, At, Body, Desk, Peer, Problem, Told, idempotency_key, json, random, read, schema,
};
use crate::dialect::v1;
use crate::http::Scheme;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use damso_chat::hub::{Answer, Request, Who};
use damso_chat::{Command, Refusal};
use damso_protocol::{RoomId, UserId, name};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// The key of a webhook.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct Key {
    /// The last part of the webhook's URL.
    key: String,
}

/// Which webhook a request is about.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct Of {
    /// The room's id.
    #[param(value_type = String)]
    room: RoomId,
    /// The webhook's id.
    #[param(value_type = String)]
    hook: UserId,
}

/// A message as JSON.
#[derive(Deserialize, ToSchema)]
pub struct Posting {
    #[schema(value_type = schema::Text)]
    text: Arc<str>,
}

/// Says something in the webhook's room, under the webhook's name. The body is the text, unless it
/// is said to be JSON.
#[utoipa::path(
    post, path = "/hooks/{key}", tag = "hooks", params(Key, schema::IdempotencyKey),
    security(()),
    request_body(content(
        (schema::Text = "text/plain"),
        (schema::Text = "application/x-www-form-urlencoded"),
        (Posting = "application/json"),
    )),
    responses((status = 200, body = Said)),
)]
pub async fn post(
    State(desk): State<Arc<Desk>>,
    Extension(Peer(peer)): Extension<Peer>,
    At(Key { key }): At<Key>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, Problem> {
    // Every key that isn't one is unknown in the same way.
    let key = v1::key_hash(&key).ok_or_else(|| Problem::of(Refusal::NotFound))?;
    let nonce = idempotency_key(&headers)?;
    let text: Arc<str> = if is_json(&headers) {
        read::<Posting>(&body)?.text
    } else {
        let text = std::str::from_utf8(&body);
        text.map_err(|_| Problem::of_field("the text is not UTF-8"))?.into()
    };
    let who = |id, address| Who::Hook { id, key, address };
    messages::said(desk.ask(who, peer, Request::Post { nonce, text }).await?)
}

/// Whether the body says of itself that it is JSON: `curl -d` calls every text a form.
fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = value.and_then(|value| value.split(';').next());
    kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// A webhook to be made.
#[derive(Deserialize, ToSchema)]
pub struct NewHook {
    /// Under which name it writes.
    #[schema(min_length = 1, max_length = 32)]
    name: String,
}

#[derive(Serialize, ToSchema)]
pub struct Made {
    #[schema(value_type = String)]
    id: UserId,
    /// Where it is posted to. Shown this once: whoever has it may write.
    url: String,
}

/// Makes a webhook of a room that one owns.
#[utoipa::path(
    post, path = "/rooms/{room}/hooks", tag = "hooks", params(InRoom), request_body = NewHook,
    responses((status = 201, body = Made)),
)]
pub async fn create(
    asker: Asker,
    At(InRoom { room }): At<InRoom>,
    Extension(scheme): Extension<Scheme>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, Problem> {
    let NewHook { name } = read(&body)?;
    let name = name::person(&name).map_err(|bad| Problem::of(Refusal::BadName(bad)))?.into();
    let secret = random()?;
    let key = v1::key_hash(&secret).ok_or_else(Problem::internal)?;
    let url = format!("{}/api/v1/hooks/{secret}", origin(scheme, &headers));
    match asker.ask(Request::Record(Command::Hook { room, name, key })).await? {
        Told::Answer(Answer::Hooked { hook }) => {
            Ok(json(StatusCode::CREATED, &Made { id: hook, url }))
        }
        _ => Err(Problem::internal()),
    }
}

/// The server as the asker reached it; nothing if it didn't say how.
pub(super) fn origin(scheme: Scheme, headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok());
    host.map_or_else(String::new, |host| format!("{}://{host}", scheme.name()))
}

#[derive(Serialize, ToSchema)]
pub struct Hook {
    #[schema(value_type = String)]
    id: UserId,
    #[schema(value_type = String)]
    name: Arc<str>,
}

#[derive(Serialize, ToSchema)]
pub struct Hooks {
    hooks: Vec<Hook>,
}

/// The webhooks of a room that one owns, without their keys.
#[utoipa::path(
    get, path = "/rooms/{room}/hooks", tag = "hooks", params(InRoom),
    responses((status = 200, body = Hooks)),
)]
pub async fn list(asker: Asker, At(InRoom { room }): At<InRoom>) -> Result<Response, Problem> {
    match asker.ask(Request::Hooks { room }).await? {
        Told::Answer(Answer::Hooks(hooks)) => {
            let hooks = hooks.into_iter().map(|(id, name)| Hook { id, name }).collect();
            Ok(json(StatusCode::OK, &Hooks { hooks }))
        }
        _ => Err(Problem::internal()),
    }
}

/// Revokes a webhook: its URL is unknown from then on.
#[utoipa::path(
    delete, path = "/rooms/{room}/hooks/{hook}", tag = "hooks", params(Of),
    responses((status = 204, description = "Done")),
)]
pub async fn revoke(asker: Asker, At(Of { room, hook }): At<Of>) -> Result<StatusCode, Problem> {
    asker.act(Request::Record(Command::Unhook { room, hook })).await
}
