//! Looking for messages.
#![allow(unused_qualifications, reason = "utoipa's macro writes them")]

use super::{Asked, Asker, Problem, Told, json};
use axum::http::StatusCode;
use axum::response::Response;
use damso_chat::hub::Request;
use damso_chat::{Refusal, search};
use damso_protocol::v1::{PAGE_MESSAGES, PAGE_MESSAGES_MAX};
use damso_protocol::{RoomId, UserId};
use damso_store::{Found, Hit};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// What is looked for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Sought {
    /// Words, phrases between quotes, and the operators from:, in:, before:, after: and has:. All
    /// of them are required.
    #[param(min_length = 1, max_length = 512)]
    q: String,
    /// Only in this room, by id or name.
    room: Option<String>,
    /// The most messages that are wanted; 50 if absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `more` of an earlier answer, to go on where it ended.
    before: Option<String>,
    /// How far the asker's days are ahead of UTC, in minutes; 0 if absent.
    #[param(minimum = -840, maximum = 840)]
    tz: Option<i32>,
}

/// What was found, newest first.
#[derive(Serialize, ToSchema)]
#[schema(as = Found)]
struct FoundReply {
    hits: Vec<HitReply>,
    /// The `before` with which to ask for more.
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<String>,
    /// The index hasn't come to the log's end yet, so newer messages may be missing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    partial: bool,
}

/// A message that was looked for, as it stands now.
#[derive(Serialize, ToSchema)]
#[schema(as = Hit)]
struct HitReply {
    #[schema(value_type = String)]
    room: RoomId,
    /// Its id.
    m: u64,
    /// When it was said, in ms since 1970.
    at: u64,
    #[schema(value_type = String)]
    by: UserId,
    /// The author's name as of writing.
    #[schema(value_type = String)]
    name: Arc<str>,
    #[schema(value_type = String)]
    text: Arc<str>,
    /// Where in the text the words stand, in UTF-16 code units: beginning and end of each.
    #[schema(value_type = Vec<Vec<u64>>)]
    marks: Vec<(usize, usize)>,
}

/// Messages that have what is looked for, newest first, in the rooms that the asker is in.
#[utoipa::path(
    get, path = "/search", tag = "messages", params(Sought),
    responses((status = 200, body = FoundReply)),
)]
pub async fn search(asker: Asker, Asked(sought): Asked<Sought>) -> Result<Response, Problem> {
    let bad = |field| Problem::of(Refusal::BadField(field));
    let query = search::Query::parse(&sought.q, sought.tz.unwrap_or(0)).map_err(Problem::of)?;
    let before = sought.before.as_deref().map(|before| u64::from_str_radix(before, 16));
    let before = before.transpose().map_err(|_| bad("before"))?;
    let limit = sought.limit.unwrap_or(PAGE_MESSAGES);
    if !(1..=PAGE_MESSAGES_MAX).contains(&limit) {
        return Err(bad("limit"));
    }
    let limit = limit as usize;
    let request = Request::Search { query, room: sought.room, limit, before };
    let Told::Found(Found { hits, more, is_behind }) = asker.ask(request).await? else {
        return Err(Problem::internal());
    };
    let hits = hits.into_iter().map(hit).collect();
    let more = more.map(|place| format!("{place:x}"));
    Ok(json(StatusCode::OK, &FoundReply { hits, more, partial: is_behind }))
}

fn hit(hit: Hit) -> HitReply {
    let Hit { message, marks } = hit;
    HitReply {
        room: message.room,
        m: message.seq,
        at: message.at,
        by: message.by,
        name: message.name,
        text: message.text.unwrap_or_default(),
        marks,
    }
}
