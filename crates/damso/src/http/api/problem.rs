//! Refusals as RFC 9457 problem details, with the chat's own code.

use crate::lang::Lang;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use damso_chat::Refusal;
use damso_chat::hub::Answer;
use damso_protocol::v1::ErrorCode;
use serde::Serialize;

/// Why a request wasn't done: problem details (RFC 9457).
#[derive(Serialize, utoipa::ToSchema)]
pub struct Problem {
    r#type: &'static str,
    /// What its status is called.
    title: &'static str,
    status: u16,
    /// Why, for people.
    detail: String,
    /// Why, for programs: damso.v1's code.
    #[schema(value_type = String)]
    code: ErrorCode,
    /// When it may be tried again, in ms from now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    retry: Option<u64>,
    /// A name that is free, for `name_taken`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    suggest: Option<String>,
}

impl Problem {
    /// What a refusal is in HTTP.
    pub fn of(refusal: Refusal) -> Self {
        let status = match &refusal {
            Refusal::Unauthorized => StatusCode::UNAUTHORIZED,
            Refusal::Forbidden | Refusal::Archived | Refusal::Banned | Refusal::Muted { .. } => {
                StatusCode::FORBIDDEN
            }
            Refusal::NotFound => StatusCode::NOT_FOUND,
            Refusal::Gone => StatusCode::GONE,
            Refusal::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
            Refusal::TooBig { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::BadField(_) | Refusal::BadName(_) => StatusCode::BAD_REQUEST,
            Refusal::NameTaken { .. } | Refusal::NonceReused | Refusal::Full(_) => {
                StatusCode::CONFLICT
            }
            Refusal::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        };
        let (code, detail) = (refusal.code(), Lang::En.refusal(&refusal));
        let mut problem = Self::new(status, code, detail);
        match refusal {
            Refusal::RateLimited { retry } => problem.retry = Some(retry),
            Refusal::NameTaken { suggest } => problem.suggest = Some(suggest),
            _ => {}
        }
        problem
    }

    /// What an answer is that isn't the one asked for.
    pub fn of_answer(answer: Answer) -> Self {
        match answer {
            Answer::Refused(refusal) => Self::of(refusal),
            _ => Self::internal(),
        }
    }

    /// A body that can't be read.
    pub fn of_json(error: &serde_json::Error) -> Self {
        let (code, detail) = match error.classify() {
            serde_json::error::Category::Data => {
                (ErrorCode::BadField, Lang::En.bad_field(&error.to_string()))
            }
            _ => (ErrorCode::BadJson, format!("the body is no JSON: {error}")),
        };
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// A part of a query that isn't as it has to be.
    pub fn of_field(what: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::BadField, Lang::En.bad_field(what))
    }

    /// A body that wasn't read to its end, for this reason.
    pub fn of_body(status: StatusCode) -> Self {
        let (code, detail) = match status {
            StatusCode::PAYLOAD_TOO_LARGE => (ErrorCode::TooBig, "the body is too large"),
            StatusCode::REQUEST_TIMEOUT => (ErrorCode::BadJson, "the body took too long"),
            _ => (ErrorCode::BadJson, "the body can't be read"),
        };
        Self::new(status, code, detail.into())
    }

    /// The hub said something that wasn't asked.
    pub fn internal() -> Self {
        let detail = "the server answered something else than was asked".into();
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::Internal, detail)
    }

    /// The path knows other methods.
    pub fn method_not_allowed() -> Self {
        let detail = "this path does not know this method".into();
        Self::new(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::BadType, detail)
    }

    fn new(status: StatusCode, code: ErrorCode, detail: String) -> Self {
        let title = status.canonical_reason().unwrap_or_default();
        let status = status.as_u16();
        Self { r#type: "about:blank", title, status, detail, code, retry: None, suggest: None }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // Strings and numbers always have a JSON form.
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (status, kind, body).into_response();
        // For whoever counts.
        response.extensions_mut().insert(self.code);
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            let scheme = axum::http::HeaderValue::from_static("Bearer");
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
        if let Some(retry) = self.retry {
            headers.insert(header::RETRY_AFTER, retry.div_ceil(1_000).into());
        }
        response
    }
}
