//! What a browser gets, embedded in the binary.

mod bundle;
// The build script reads the folder; afterwards only `DAMSO_WEB` does.
#[cfg_attr(not(debug_assertions), allow(dead_code))]
mod files;
mod script;
mod site;

use super::{Scheme, api};
use axum::Extension;
use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use damso_protocol::Limits;
use site::{Content, Site};
use std::sync::{Arc, LazyLock};

/// As they stand in `web/`: paths and bytes.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/web.rs"));

/// Names its content: nobody need ask for it twice.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// To be asked for each time, which costs no more than an answer without a body.
const EACH_TIME: &str = "no-cache";
/// What a chat has no use for.
const PERMISSIONS: &str = "camera=(), microphone=(), geolocation=(), payment=(), usb=(), \
    display-capture=(), browsing-topics=()";

/// The pages, and the API.
pub fn router(desk: Arc<api::Desk>, limits: &Limits) -> Router {
    Router::new()
        .nest("/api/v1", api::router(desk, limits))
        .route("/", get(fixed))
        .route("/plain", get(fixed))
        .route("/sw.js", get(fixed))
        .route("/manifest.webmanifest", get(fixed))
        .route("/assets/{version}/{*path}", get(asset))
        .fallback(nothing)
}

/// The answer to who asks for what there isn't.
pub(super) async fn nothing() -> (StatusCode, &'static str) {
    (StatusCode::NOT_FOUND, "there is nothing here; the chat is at /\n")
}

/// The files in the binary.
fn embedded() -> impl Iterator<Item = (String, Bytes)> {
    FILES.iter().map(|(path, bytes)| ((*path).to_owned(), Bytes::from_static(bytes)))
}

/// What is given away now; made when it is asked for first.
fn site() -> Result<Arc<Site>, String> {
    static SITE: LazyLock<Arc<Site>> = LazyLock::new(|| Arc::new(Site::new(embedded(), true)));
    #[cfg(debug_assertions)]
    if let Some(folder) = std::env::var_os("DAMSO_WEB") {
        return folder::site(folder.as_ref());
    }
    Ok(SITE.clone())
}

/// For who works on the page: what stands in `DAMSO_WEB` at the moment, module by module.
#[cfg(debug_assertions)]
mod folder {
    use super::{Site, files};
    use std::path::Path;
    use std::sync::{Arc, Mutex, PoisonError};
    use std::time::SystemTime;

    /// Each file's time of change.
    type Stamp = Vec<(String, Option<SystemTime>)>;

    static LAST: Mutex<Option<(Stamp, Arc<Site>)>> = Mutex::new(None);

    pub fn site(folder: &Path) -> Result<Arc<Site>, String> {
        let changed = |path: &String| folder.join(path).metadata()?.modified();
        let stamp: Stamp = files::list(folder)?
            .into_iter()
            .map(|path| {
                let changed = changed(&path).ok();
                (path, changed)
            })
            .collect();
        let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((known, site)) if *known == stamp => Ok(site.clone()),
            _ => {
                let read = |(path, _): &(String, _)| {
                    let bytes = std::fs::read(folder.join(path));
                    bytes
                        .map(|bytes| (path.clone(), bytes.into()))
                        .map_err(|error| format!("{path} can't be read: {error}"))
                };
                let files: Result<Vec<_>, String> = stamp.iter().map(read).collect();
                let site = Arc::new(Site::new(files?.into_iter(), false));
                *last = Some((stamp, site.clone()));
                Ok(site)
            }
        }
    }
}

async fn fixed(Extension(scheme): Extension<Scheme>, uri: Uri, headers: HeaderMap) -> Response {
    match site().map(|site| Some(give(site.fixed(uri.path())?, EACH_TIME, scheme, &headers))) {
        Ok(Some(response)) => response,
        Ok(None) => nothing().await.into_response(),
        Err(sentence) => (StatusCode::INTERNAL_SERVER_ERROR, sentence).into_response(),
    }
}

async fn asset(
    Path((version, path)): Path<(String, String)>,
    Extension(scheme): Extension<Scheme>,
    headers: HeaderMap,
) -> Response {
    let found = site().map(|site| {
        let (content, is_current) = site.asset(&version, &path)?;
        let caching = if is_current { FOR_EVER } else { EACH_TIME };
        Some(give(content, caching, scheme, &headers))
    });
    match found {
        Ok(Some(response)) => response,
        Ok(None) => (StatusCode::NOT_FOUND, "there is no such file\n").into_response(),
        Err(sentence) => (StatusCode::INTERNAL_SERVER_ERROR, sentence).into_response(),
    }
}

fn give(content: &Content, caching: &'static str, scheme: Scheme, asked: &HeaderMap) -> Response {
    // Weak, since it is the same with and without compression.
    let tag = format!("W/\"{}\"", content.tag);
    let known = values(asked, header::IF_NONE_MATCH).any(|known| known == tag || known == "*");
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        match content.gzip().filter(|_| takes_gzip(asked)) {
            Some(bytes) => ([(header::CONTENT_ENCODING, "gzip")], bytes.clone()).into_response(),
            None => content.bytes.clone().into_response(),
        }
    };
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    set(header::CONTENT_TYPE, content.kind);
    set(header::CACHE_CONTROL, caching);
    set(header::VARY, "Accept-Encoding");
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "no-referrer");
    set(HeaderName::from_static("permissions-policy"), PERMISSIONS);
    if is_secure(scheme, asked) {
        set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    }
    for (name, value) in [(header::ETAG, &tag), (header::CONTENT_SECURITY_POLICY, &content.policy)]
    {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    response
}

/// Whether a browser takes this for a secure origin. Elsewhere it complains of a header that it
/// ignores.
fn is_secure(scheme: Scheme, asked: &HeaderMap) -> bool {
    let host = values(asked, header::HOST).next().unwrap_or_default();
    scheme == Scheme::Https || api::is_loopback(host)
}

fn takes_gzip(asked: &HeaderMap) -> bool {
    values(asked, header::ACCEPT_ENCODING).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = weight.trim().strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0_f32));
        ["gzip", "*"].contains(&name.trim()) && !refused
    })
}

/// The members of a header's list.
pub(super) fn values(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let lists = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_for_those_who_take_it() {
        let takes = |value: &str| {
            takes_gzip(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, value.parse().unwrap())]))
        };
        assert!(takes("gzip") && takes("br, gzip;q=0.5") && takes("*"));
        assert!(
            !takes("br") && !takes("gzip;q=0, br") && !takes("") && !takes_gzip(&HeaderMap::new())
        );
    }
}
