//! The way to another device: a link that carries the asker's key, and a picture of it for a camera.
#![allow(unused_qualifications, reason = "utoipa's macro writes them")]

use super::{Asker, Problem, bearer, hooks, json};
use crate::http::Scheme;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use damso_chat::Refusal;
use damso_chat::hub::Request;
use qrcode::{Color, QrCode};
use serde::Serialize;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;
use utoipa::ToSchema;

/// A link for another device.
#[derive(Serialize, ToSchema)]
pub struct Link {
    /// The page, with the key in its fragment, which is sent to no server. Whoever has it is the
    /// asker.
    url: String,
    /// Its QR code without a margin, from above: each row's modules, dark ones as `1`.
    rows: Vec<String>,
    /// Nobody but this machine reaches that address. `--lan` gives it one for the network.
    local: bool,
}

/// A link by which the asker is itself on another device.
#[utoipa::path(get, path = "/me/link", tag = "users", responses((status = 200, body = Link)))]
pub async fn link(
    State(desk): State<Arc<super::Desk>>,
    asker: Asker,
    Extension(scheme): Extension<Scheme>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    // A link for a key that is nobody's would make somebody else of its reader.
    asker.ask(Request::Me).await?;
    let key = bearer(&headers).ok_or_else(|| Problem::of(Refusal::Unauthorized))?;
    let (origin, local) = reached(hooks::origin(scheme, &headers), desk.network());
    let url = format!("{origin}/#key={}", escaped(key));
    // Longer than a QR code can be is only what no key and no address are.
    let code = QrCode::new(&url).map_err(|_| Problem::internal())?;
    let row = |colors: &[Color]| colors.iter().map(|color| color.select('1', '0')).collect();
    let rows = code.to_colors().chunks(code.width()).map(row).collect();
    Ok(json(StatusCode::OK, &Link { url, rows, local }))
}

/// Where another device finds the server that the asker reached at `origin`, and whether that is
/// this machine's alone.
fn reached(origin: String, network: Option<&str>) -> (String, bool) {
    match (is_loopback(&origin), network) {
        (false, _) => (origin, false),
        (true, Some(network)) => (network.to_owned(), false),
        (true, None) => (origin, true),
    }
}

/// Whether an origin, or a host, is one that means another machine on each.
pub fn is_loopback(origin: &str) -> bool {
    let host = origin.split_once("://").map_or(origin, |(_, host)| host);
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

/// A key as it may stand in a fragment.
fn escaped(key: &str) -> String {
    key.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing into a String doesn't fail.
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loopback_origin_becomes_the_networks_if_there_is_one() {
        let network = Some("http://192.168.0.7:8765");
        for origin in ["http://localhost:8765", "http://127.0.0.1:8765", "http://[::1]:8765"] {
            let elsewhere = ("http://192.168.0.7:8765".to_owned(), false);
            assert_eq!(reached(origin.to_owned(), network), elsewhere);
            assert_eq!(reached(origin.to_owned(), None), (origin.to_owned(), true));
        }
        for origin in ["https://chat.example.com", "http://pi.local", "http://192.168.0.9:1"] {
            assert_eq!(reached(origin.to_owned(), network), (origin.to_owned(), false));
        }
    }

    #[test]
    fn a_key_stays_whole_in_a_fragment() {
        assert_eq!(escaped("aZ09-_.~"), "aZ09-_.~");
        assert_eq!(escaped("a+b/c= &#가"), "a%2Bb%2Fc%3D%20%26%23%EA%B0%80");
    }
}
