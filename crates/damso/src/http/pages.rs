//! What a browser gets, embedded in the binary.

use super::api;
use axum::Router;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use damso_protocol::Limits;
use std::sync::Arc;

/// The page may load and run only what this server gives it, and talk only to it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self' ws: wss:; img-src 'self' data:; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

const PAGE: &str = include_str!("../../../../web/plain.html");

/// Names, types and contents of what the page loads from `/assets/`.
macro_rules! assets {
    ($($name:literal: $kind:literal,)*) => {
        &[$(($name, $kind, include_str!(concat!("../../../../web/", $name)))),*]
    };
}

const ASSETS: &[(&str, &str, &str)] = assets! {
    "announcer.js": "text/javascript",
    "backoff.js": "text/javascript",
    "enter.js": "text/javascript",
    "icon.svg": "image/svg+xml",
    "plain-lines.js": "text/javascript",
    "plain-link.js": "text/javascript",
    "plain-log.js": "text/javascript",
    "plain-words.js": "text/javascript",
    "plain.css": "text/css",
    "plain.js": "text/javascript",
};

/// The pages, and the API.
pub fn router(desk: Arc<api::Desk>, limits: &Limits) -> Router {
    Router::new()
        .nest("/api/v1", api::router(desk, limits))
        .route("/", get(page))
        .route("/plain", get(page))
        .route("/assets/{name}", get(asset))
        .fallback(nothing)
}

/// The answer to who asks for what there isn't.
pub(super) async fn nothing() -> (StatusCode, &'static str) {
    (StatusCode::NOT_FOUND, "there is nothing here; the chat is at /\n")
}

async fn page() -> Response {
    give("text/html; charset=utf-8", PAGE)
}

async fn asset(Path(name): Path<String>) -> Response {
    match ASSETS.iter().find(|(known, ..)| *known == name) {
        Some((_, kind, content)) => give(kind, content),
        None => (StatusCode::NOT_FOUND, "there is no such file\n").into_response(),
    }
}

fn give(kind: &'static str, content: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, content).into_response()
}
