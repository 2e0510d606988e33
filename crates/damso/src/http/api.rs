//! Acts on rooms, members and messages over HTTP (PROTOCOL section 9). Each request is a session of
//! its own in the hub, with the same rights, rates and repetition as one of a WebSocket; nothing is
//! decided here.

mod describe;
mod desk;
mod hooks;
mod link;
mod messages;
mod problem;
mod rooms;
mod schema;
mod search;

pub use desk::{ANSWER_MAX, Desk};
pub(super) use link::is_loopback;

use super::Peer;
use crate::dialect::v1;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Path, Query};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use damso_chat::hub::{Answer, Request, Who};
use damso_chat::{KeyHash, Refusal};
use damso_protocol::v1::NUMBER_MAX;
use damso_protocol::{Limits, Nonce};
use desk::Told;
use problem::Problem;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The longest body of a request, in bytes.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// How long a body may take: who sends none has one of the few places of HTTP's connections.
const BODY_MAX: Duration = Duration::from_secs(10);

/// The routes, from `/api/v1` on, and what is told of them at `/api/v1/openapi.json`.
pub fn router(desk: Arc<Desk>, limits: &Limits) -> Router {
    let (router, description) = OpenApiRouter::with_openapi(describe::beginning())
        .routes(routes!(me))
        .routes(routes!(link::link))
        .routes(routes!(rooms::list, rooms::create))
        .routes(routes!(rooms::one, rooms::set))
        .routes(routes!(rooms::admit, rooms::remove, rooms::appoint))
        .routes(routes!(rooms::read_up_to))
        .routes(routes!(messages::page, messages::send))
        .routes(routes!(messages::one, messages::edit, messages::delete))
        .routes(routes!(messages::forget))
        .routes(routes!(messages::react, messages::unreact))
        .routes(routes!(messages::pin, messages::unpin))
        .routes(routes!(messages::pins))
        .routes(routes!(hooks::post))
        .routes(routes!(hooks::list, hooks::create))
        .routes(routes!(hooks::revoke))
        .routes(routes!(search::search))
        .split_for_parts();
    let description: Bytes = describe::complete(description, limits).into();
    let describe = get(move || async move {
        ([(header::CONTENT_TYPE, "application/json")], description).into_response()
    });
    router
        .route("/openapi.json", describe)
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
        let key = bearer(&parts.headers).and_then(v1::key_hash).ok_or_else(unauthorized)?;
        // Set for every request (`http::connection`).
        let peer = *parts.extensions.get::<Peer>().ok_or_else(Problem::internal)?;
        Ok(Self { desk: desk.clone(), peer, key })
    }
}

/// The key that a request carries.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = std::str::from_utf8(headers.get(header::AUTHORIZATION)?.as_bytes()).ok()?;
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
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

/// What a query asks for.
struct Asked<T>(T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(asked)) => Ok(Self(asked)),
            Err(rejection) => Err(Problem::of_field(&rejection.body_text())),
        }
    }
}

/// What the asker calls a change that has no body: the header `Idempotency-Key`. A change of this
/// kind may be repeated without one, since what is so already is not done again.
struct Called(Nonce);

impl<S: Send + Sync> FromRequestParts<S> for Called {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match idempotency_key(&parts.headers)? {
            Some(nonce) => Ok(Self(nonce)),
            None => Ok(Self(Nonce::new(random()?))),
        }
    }
}

/// The header `Idempotency-Key`, with or without quotes.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<Nonce>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let value = std::str::from_utf8(value.as_bytes()).unwrap_or_default();
    let bare = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let nonce = Nonce::new(bare.unwrap_or(value));
    if !nonce.is_well_formed() {
        return Err(Problem::of(Refusal::BadField("Idempotency-Key")));
    }
    Ok(Some(nonce))
}

/// 256 random bits, in 43 characters that may stand in a URL.
fn random() -> Result<String, Problem> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut bytes = [0; 33];
    getrandom::fill(&mut bytes[..32]).map_err(|_| Problem::of(Refusal::Unavailable))?;
    let mut text = String::with_capacity(44);
    for three in bytes.chunks_exact(3) {
        let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        text.extend([18, 12, 6, 0].map(|down| char::from(DIGITS[(bits >> down & 63) as usize])));
    }
    // The last byte is padding.
    text.pop();
    Ok(text)
}

/// A number of the protocol: no larger than what every JSON reader holds exactly.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "u64")]
struct Number(u64);

impl TryFrom<u64> for Number {
    type Error = String;

    fn try_from(number: u64) -> Result<Self, String> {
        if number <= NUMBER_MAX {
            Ok(Self(number))
        } else {
            Err(format!("{number} is more than {NUMBER_MAX}"))
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
        let key = self.key;
        self.desk.ask(|id, address| Who::Bearer { id, key, address }, self.peer.0, request).await
    }

    /// Asks for something that has no other answer than that it was done.
    async fn act(&self, request: Request) -> Result<StatusCode, Problem> {
        self.ask(request).await.map(|_| StatusCode::NO_CONTENT)
    }
}

#[derive(Serialize, utoipa::ToSchema)]
struct Me {
    /// The user's id.
    #[schema(value_type = String)]
    user: damso_protocol::UserId,
    /// How it is shown.
    #[schema(value_type = String)]
    name: Arc<str>,
}

/// Whose key it is.
#[utoipa::path(get, path = "/me", tag = "users", responses((status = 200, body = Me)))]
async fn me(asker: Asker) -> Result<Response, Problem> {
    match asker.ask(Request::Me).await? {
        Told::Answer(Answer::Me { user, name }) => Ok(json(StatusCode::OK, &Me { user, name })),
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
