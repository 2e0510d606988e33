//! What a machine asks about this server: `/healthz`, `/readyz`, and `/metrics`.
//!
//! Figures are the operator's. They are told to loopback and private addresses alone, and to no
//! request that came through a proxy: who is asked for them there would be asked by everybody.

use super::{Peer, pages};
use crate::hub::HubHandle;
use crate::metrics::disk::{self, Bytes, Space};
use crate::metrics::text::{CONTENT_TYPE, Scene};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Version, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use damso_protocol::v1::ErrorCode;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;
use tracing::warn;

/// How long the hub may take to answer.
const HUB_MAX: Duration = Duration::from_secs(2);
/// How often the disk is looked at.
const DISK_EVERY: Duration = Duration::from_secs(60);
/// With less than this free, in bytes, the disk counts as full: a commit takes more.
const DISK_BYTES_MIN: u64 = 1 << 20;

/// What proxies add to a request.
const BY_PROXIES: [&str; 5] =
    ["forwarded", "via", "x-real-ip", "true-client-ip", "cf-connecting-ip"];

/// How far the server is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// The log is opened, threads are started.
    Starting,
    /// It does its work.
    Serving,
    /// It was asked to stop.
    Stopping,
}

/// Knows how the server is.
pub struct Health {
    scene: Scene,
    hub: HubHandle,
    phase: AtomicU8,
}

impl Health {
    /// Of a server that starts.
    pub fn new(scene: Scene, hub: HubHandle) -> Arc<Self> {
        Arc::new(Self { scene, hub, phase: AtomicU8::new(Phase::Starting as u8) })
    }

    /// The server has come so far.
    pub fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Release);
    }

    /// Warns of a disk that becomes full, for as long as it is run.
    pub async fn watch_disk(self: Arc<Self>) {
        let Some(folder) = &self.scene.folder else { return };
        let mut watch = disk::Watch::default();
        let mut clock = tokio::time::interval(DISK_EVERY);
        loop {
            clock.tick().await;
            disk::look(folder, &mut watch, Space::of, |line| warn!("{line}"));
        }
    }

    /// Whether the hub comes round in time.
    async fn hub_answers(&self) -> bool {
        let (sender, answer) = oneshot::channel();
        // Who asked may have gone.
        self.hub.knock(move || sender.send(()).unwrap_or_default());
        matches!(tokio::time::timeout(HUB_MAX, answer).await, Ok(Ok(())))
    }

    /// Why nobody should be sent here now; a line each.
    async fn obstacles(&self) -> Vec<String> {
        let mut lines = Vec::new();
        match self.phase.load(Ordering::Acquire) {
            phase if phase == Phase::Starting as u8 => lines.push("damso is starting".to_owned()),
            phase if phase == Phase::Stopping as u8 => lines.push("damso is stopping".to_owned()),
            _ => {
                if !self.hub_answers().await {
                    lines.push(silent_hub());
                }
            }
        }
        let space = self.scene.folder.as_deref().and_then(|folder| Space::of(folder).ok());
        lines.extend(of_disk(space));
        lines.extend(of_log(self.scene.metrics.refused_ago()));
        lines
    }
}

fn silent_hub() -> String {
    format!("the hub did not answer within {} s", HUB_MAX.as_secs())
}

fn of_disk(space: Option<Space>) -> Option<String> {
    let Space { free, .. } = space.filter(|space| space.free < DISK_BYTES_MIN)?;
    Some(format!("the disk of the data folder is full: {} are free", Bytes(free)))
}

fn of_log(refused_ago: Option<Duration>) -> Option<String> {
    let ago = refused_ago?.as_secs();
    Some(format!("the log can't record anything; it refused what was said {ago} s ago"))
}

/// The routes, before those of `rest`, whose errors are counted.
pub fn router(health: Arc<Health>, rest: Router) -> Router {
    let count = middleware::map_response_with_state(health.clone(), count_error);
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(health)
        .merge(rest.layer(count))
}

async fn count_error(State(health): State<Arc<Health>>, response: Response) -> Response {
    if let Some(code) = response.extensions().get::<ErrorCode>() {
        health.scene.metrics.error(*code);
    }
    response
}

async fn healthz(State(health): State<Arc<Health>>) -> Response {
    if health.hub_answers().await {
        return tell(StatusCode::OK, "ok\n".into());
    }
    tell(StatusCode::SERVICE_UNAVAILABLE, silent_hub() + "\n")
}

async fn readyz(State(health): State<Arc<Health>>) -> Response {
    let lines = health.obstacles().await;
    if lines.is_empty() {
        return tell(StatusCode::OK, "ok\n".into());
    }
    tell(StatusCode::SERVICE_UNAVAILABLE, lines.join("\n") + "\n")
}

async fn metrics(State(health): State<Arc<Health>>, request: Request) -> Response {
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
    let direct = request.version() == Version::HTTP_11 && !is_forwarded(request.headers());
    if !(direct && peer.is_some_and(is_private)) {
        return pages::nothing().await.into_response();
    }
    let headers = [(header::CONTENT_TYPE, CONTENT_TYPE), (header::CACHE_CONTROL, "no-store")];
    (headers, health.scene.text()).into_response()
}

fn tell(status: StatusCode, text: String) -> Response {
    let headers =
        [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    (status, headers, text).into_response()
}

/// Whether a proxy has passed the request on. One that adds nothing at all can't be told; most that
/// do so by default speak HTTP/1.0, which is refused too.
fn is_forwarded(headers: &HeaderMap) -> bool {
    let names = headers.keys().map(header::HeaderName::as_str);
    names.into_iter().any(|name| BY_PROXIES.contains(&name) || name.starts_with("x-forwarded"))
}

/// Whether an address belongs to this machine or to a network that isn't the internet.
fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            address.is_loopback() || address.is_private() || address.is_link_local()
        }
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_told_from_the_internets() {
        for address in [
            "127.0.0.1",
            "::1",
            "10.1.2.3",
            "192.168.0.9",
            "172.16.0.1",
            "169.254.1.1",
            "fd00::1",
            "fe80::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(is_private(address.parse().unwrap()), "{address}");
        }
        for address in ["8.8.8.8", "172.32.0.1", "2001:db8::1", "::ffff:8.8.8.8", "0.0.0.0", "::"] {
            assert!(!is_private(address.parse().unwrap()), "{address}");
        }
    }

    /// What a handler answers on a server whose hub has ended.
    fn answer(handler: impl AsyncFnOnce(State<Arc<Health>>) -> Response, phase: Phase) -> Response {
        let metrics = Arc::new(crate::metrics::Metrics::default());
        let (hub, _) = crate::hub::channel(&metrics);
        let health = Health::new(Scene { metrics, engine: "event", folder: None }, hub);
        health.enter(phase);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(handler(State(health)))
    }

    #[test]
    fn without_a_hub_nothing_is_well() {
        let unavailable = StatusCode::SERVICE_UNAVAILABLE;
        assert_eq!(answer(healthz, Phase::Serving).status(), unavailable);
        for (phase, reason) in [
            (Phase::Starting, "damso is starting\n"),
            (Phase::Serving, "the hub did not answer within 2 s\n"),
            (Phase::Stopping, "damso is stopping\n"),
        ] {
            let answer = answer(readyz, phase);
            assert_eq!(answer.status(), unavailable);
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let body = runtime.block_on(axum::body::to_bytes(answer.into_body(), 1024)).unwrap();
            assert_eq!(body, reason);
        }
    }

    #[test]
    fn a_full_disk_and_a_log_that_refuses_are_reasons() {
        let space = |free| Some(Space { free, total: 1 << 40 });
        assert_eq!(of_disk(space(DISK_BYTES_MIN)), None);
        assert_eq!(of_disk(None), None);
        let full = of_disk(space(4096)).unwrap();
        assert!(full.contains("full") && full.contains("4.0 KiB"), "{full}");
        assert_eq!(of_log(None), None);
        assert!(of_log(Some(Duration::from_secs(7))).unwrap().contains("7 s ago"));
    }
}
