//! Pages, and the way back: one thread with hyper and axum takes over connections that ask for
//! something other than a WebSocket. Proxies pool connections, so an opening handshake may come
//! later on such a connection; then the socket returns to a shard, with the bytes already read.

pub mod api;
pub mod health;
mod pages;
mod resumed;
mod scheme;
pub mod upgrade;

use crate::session::{Context, Opened};
use crate::shard::{Newcomer, ShardHandle, ToShard};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, request::Parts};
use damso_websocket::{Rejection, Request};
use hyper_util::rt::{TokioIo, TokioTimer};
use resumed::Resumed;
use scheme::Scheme;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tower_service::Service;
use tracing::debug;

/// How long a connection may take for a request's head, or stay without one.
const HEAD_MAX: Duration = Duration::from_secs(10);

/// Connections that HTTP serves at a time; more are answered 503.
const CONNECTIONS_MAX: usize = 512;

/// Of these, connections from one address. Loopback has no such bound: a proxy on this machine
/// speaks for everybody.
const CONNECTIONS_PER_ADDRESS_MAX: usize = 64;

/// A connection for HTTP: its socket, and what it has sent.
type Handed = (Newcomer, Vec<u8>);

/// Gives connections to the HTTP thread.
#[derive(Clone)]
pub struct HttpHandle(mpsc::UnboundedSender<Handed>);

impl HttpHandle {
    /// Hands over a connection. A thread that has ended drops it.
    pub fn give(&self, newcomer: Newcomer, received: Vec<u8>) {
        let _ = self.0.send((newcomer, received));
    }
}

/// What the HTTP thread waits on.
pub struct HttpQueue(mpsc::UnboundedReceiver<Handed>);

/// Both ends of the way to HTTP.
pub fn channel() -> (HttpHandle, HttpQueue) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (HttpHandle(sender), HttpQueue(receiver))
}

/// Who is at the other end of a request's connection.
#[derive(Clone, Copy)]
struct Peer(SocketAddr);

/// Where upgraded connections go, in turn.
struct Shards {
    handles: Vec<ShardHandle>,
    next: AtomicUsize,
}

impl Shards {
    fn adopt(&self, newcomer: Newcomer) {
        let at = self.next.fetch_add(1, Ordering::Relaxed) % self.handles.len();
        self.handles[at].give(vec![ToShard::Adopt(newcomer)]);
    }
}

/// The places of connections that are served, by address.
#[derive(Default)]
struct Places(Mutex<HashMap<IpAddr, usize>>);

impl Places {
    /// A place for a connection from an address, if there is one.
    fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.values().sum::<usize>() >= CONNECTIONS_MAX {
            return None;
        }
        let of_address = taken.entry(address).or_default();
        if *of_address >= CONNECTIONS_PER_ADDRESS_MAX && !address.is_loopback() {
            return None;
        }
        *of_address += 1;
        Some(Place { places: self.clone(), address })
    }
}

/// One of the [`Places`], until it is dropped.
struct Place {
    places: Arc<Places>,
    address: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut of_address) = taken.entry(self.address) {
            *of_address.get_mut() -= 1;
            if *of_address.get() == 0 {
                of_address.remove();
            }
        }
    }
}

/// Serves connections from `queue` until every [`HttpHandle`] is gone. To be spawned on a
/// current-thread runtime.
pub async fn serve(
    mut queue: HttpQueue,
    context: Arc<Context>,
    handles: Vec<ShardHandle>,
    desk: Arc<api::Desk>,
    health: Arc<health::Health>,
) {
    let shards = Arc::new(Shards { handles, next: AtomicUsize::new(0) });
    let router = health::router(health, pages::router(desk, &context.limits));
    let places = Arc::new(Places::default());
    while let Some((mut newcomer, received)) = queue.0.recv().await {
        let peer = newcomer.peer;
        let Some(place) = places.take(peer.ip().to_canonical()) else {
            debug!(%peer, "no place for an HTTP connection");
            let full = Rejection::new(503, "Too many connections ask for pages. Try again soon.");
            // The socket doesn't block, and takes so little at once or is not worth the wait.
            let _ = newcomer.socket.write(&full.to_bytes());
            newcomer.socket.shutdown_write();
            continue;
        };
        let (router, context, shards) = (router.clone(), context.clone(), shards.clone());
        let counted = context.metrics.http_connection();
        tokio::spawn(async move {
            if let Err(error) = connection(newcomer, received, router, context, shards).await {
                debug!(%peer, %error, "HTTP connection ended");
            }
            drop((place, counted));
        });
    }
}

async fn connection(
    newcomer: Newcomer,
    received: Vec<u8>,
    router: Router,
    context: Arc<Context>,
    shards: Arc<Shards>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let Newcomer { socket, peer, .. } = newcomer;
    let secure = socket.is_secure();
    let io = Resumed::new(socket, received, context.blocked_max)?;
    let service = hyper::service::service_fn(move |request: hyper::Request<_>| {
        let (context, shards, mut router) = (context.clone(), shards.clone(), router.clone());
        async move {
            let (mut parts, body) = request.into_parts();
            let asked = as_request(&parts);
            if asked.wants_websocket() {
                let on_upgrade = parts.extensions.remove::<hyper::upgrade::OnUpgrade>();
                return Ok(open(&asked, on_upgrade, peer, &context, shards));
            }
            if let Err(rejection) = check_host(&asked, &context) {
                return Ok(answer(&rejection));
            }
            parts.extensions.insert(Peer(peer));
            parts.extensions.insert(Scheme::of(secure, &parts.headers));
            let request = hyper::Request::from_parts(parts, Body::new(body));
            router.call(request).await
        }
    });
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_MAX)
        .max_buf_size(64 * 1024)
        // Who has shut down writing (`nc -N`) still reads.
        .half_close(true)
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades()
        .await?;
    Ok(())
}

/// The request as the handshake's own type, so that there is one set of rules.
fn as_request(parts: &Parts) -> Request {
    let headers = parts.headers.iter();
    Request {
        method: parts.method.as_str().to_owned(),
        target: parts.uri.to_string(),
        minor_version: u8::from(parts.version == hyper::Version::HTTP_11),
        headers: headers
            .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
            .collect(),
    }
}

/// A page is only for those who know the server by its own name.
fn check_host(request: &Request, context: &Context) -> Result<(), Rejection> {
    let upgrade::Door::Chat(policy) = &context.door else { return Ok(()) };
    let mut hosts = request.header("host");
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => std::str::from_utf8(host).unwrap_or_default(),
        // HTTP/1.0 knows no Host; such a client is no browser.
        (None, _) if request.minor_version == 0 => return Ok(()),
        _ => return Err(Rejection::new(400, "a request needs exactly one Host")),
    };
    policy.check_host(host, None)
}

/// Answers an opening handshake, and on acceptance lets the connection go back to a shard.
fn open(
    request: &Request,
    on_upgrade: Option<hyper::upgrade::OnUpgrade>,
    peer: SocketAddr,
    context: &Arc<Context>,
    shards: Arc<Shards>,
) -> Response<Body> {
    let admission = match context.door.decide(request) {
        Ok(admission) => admission,
        Err(rejection) => return answer(&rejection),
    };
    let Some(on_upgrade) = on_upgrade else {
        return answer(&Rejection::new(400, "this connection can't be upgraded"));
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers =
        admission.opening.accept_headers(admission.subprotocol, admission.deflate.as_ref());
    set_headers(&mut response, &headers);
    tokio::spawn(async move {
        let upgraded = match on_upgrade.await {
            Ok(upgraded) => upgraded,
            Err(error) => return debug!(%peer, %error, "an upgrade failed"),
        };
        let Ok(parts) = upgraded.downcast::<TokioIo<Resumed>>() else {
            return debug!(%peer, "an upgrade came back as another type");
        };
        let mut received = parts.read_buf.to_vec();
        match parts.io.into_inner().into_stream(&mut received) {
            Ok(socket) => {
                let opened = Some(Box::new(Opened { admission, received }));
                shards.adopt(Newcomer { socket, peer, opened });
            }
            Err(error) => debug!(%peer, %error, "an upgraded socket could not be moved"),
        }
    });
    response
}

fn answer(rejection: &Rejection) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{}\n", rejection.body)));
    *response.status_mut() =
        StatusCode::from_u16(rejection.status).unwrap_or(StatusCode::BAD_REQUEST);
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(axum::http::header::CONTENT_TYPE, text);
    set_headers(&mut response, &rejection.headers);
    response
}

/// Sets what the handshake's own type has as text. We made it, of characters that may stand there.
fn set_headers(response: &mut Response<Body>, headers: &[(&'static str, String)]) {
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value))
        {
            response.headers_mut().insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_by_address_and_in_all_and_come_back() {
        let places = Arc::new(Places::default());
        let address = |number: usize| IpAddr::from([10, 0, 0, number as u8]);
        let one: Vec<Place> = std::iter::from_fn(|| places.take(address(0))).collect();
        assert_eq!(one.len(), CONNECTIONS_PER_ADDRESS_MAX);
        let proxy = IpAddr::from([127, 0, 0, 1]);
        let rest: Vec<Place> = std::iter::from_fn(|| places.take(proxy)).collect();
        assert_eq!(one.len() + rest.len(), CONNECTIONS_MAX);
        assert!(places.take(address(1)).is_none());
        drop(one);
        assert!(places.take(address(1)).is_some());
        drop(rest);
        assert!(places.0.lock().unwrap().is_empty());
    }
}
