//! The client's side of the opening handshake (RFC 6455, 4.1).

use std::fmt;

use super::head::{self, HeadError};
use super::{HeadLimits, extension, key, request};
use crate::deflate;

/// Sends the request and checks the answer.
#[derive(Debug)]
pub struct ClientHandshake {
    request: Vec<u8>,
    key: String,
    subprotocols: Vec<String>,
    offer: Option<deflate::Offer>,
}

/// What the server agreed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Established {
    /// One of those offered.
    pub subprotocol: Option<String>,
    /// For [`Connection::client`](crate::Connection::client).
    pub deflate: Option<deflate::Agreed>,
}

/// Why a handshake failed. All but `Argument` are the server's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandshakeError {
    /// What was to be sent can't stand in a request; names it.
    Argument(&'static str),
    /// Not the head of an HTTP/1.1 answer, or one beyond the limits.
    NotHttp,
    /// Another status than 101: a redirect, a refusal.
    Status {
        /// The status code.
        status: u16,
        /// The answer's header fields.
        headers: Vec<(String, Vec<u8>)>,
        /// How many bytes the head took; a body may follow.
        consumed: usize,
    },
    /// `Upgrade` isn't `websocket`.
    Upgrade,
    /// `Connection` lacks `Upgrade`.
    Connection,
    /// `Sec-WebSocket-Accept` isn't the answer to our key.
    Accept,
    /// An extension that wasn't offered, or parameters that don't answer the offer.
    Extension,
    /// A subprotocol that wasn't offered, or several.
    Subprotocol,
}

impl ClientHandshake {
    /// `host` with the port unless it is the scheme's own, `target` the path with its query,
    /// `nonce` from the operating system's random numbers and new for each connection (4.1, 7).
    ///
    /// # Errors
    ///
    /// `Argument` if one of them can't stand in a request.
    pub fn new(
        host: &str,
        target: &str,
        nonce: [u8; 16],
        subprotocols: &[&str],
        deflate: Option<deflate::Offer>,
        origin: Option<&str>,
    ) -> Result<Self, HandshakeError> {
        let valid = |value: &str| !value.bytes().any(|byte| byte.is_ascii_control());
        if !request::is_host(host.as_bytes()) {
            return Err(HandshakeError::Argument("host"));
        }
        if !target.starts_with('/')
            || !target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
        {
            return Err(HandshakeError::Argument("target"));
        }
        for (at, subprotocol) in subprotocols.iter().enumerate() {
            if !head::is_token(subprotocol.as_bytes()) || subprotocols[..at].contains(subprotocol) {
                return Err(HandshakeError::Argument("subprotocol"));
            }
        }
        if !origin.is_none_or(valid) {
            return Err(HandshakeError::Argument("origin"));
        }
        let key = key::from_nonce(nonce);
        let mut request = format!(
            "GET {target} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        );
        if let Some(origin) = origin {
            request.push_str(&format!("Origin: {origin}\r\n"));
        }
        if !subprotocols.is_empty() {
            request.push_str(&format!("Sec-WebSocket-Protocol: {}\r\n", subprotocols.join(", ")));
        }
        if let Some(offer) = &deflate {
            request.push_str(&format!("Sec-WebSocket-Extensions: {}\r\n", offer.header()));
        }
        request.push_str("\r\n");
        let subprotocols = subprotocols.iter().map(|&subprotocol| subprotocol.to_owned()).collect();
        Ok(ClientHandshake { request: request.into_bytes(), key, subprotocols, offer: deflate })
    }

    /// The request, to be sent as it is.
    pub fn request(&self) -> Vec<u8> {
        self.request.clone()
    }

    /// Reads the answer from the start of `bytes`. `Ok(None)`: it isn't complete; call again with
    /// more. Otherwise what was agreed and how many bytes it took; frames may follow.
    ///
    /// # Errors
    ///
    /// Whatever 4.1 says that a client must fail the connection for. Then the connection is closed
    /// without a frame.
    pub fn receive(&self, bytes: &[u8]) -> Result<Option<(Established, usize)>, HandshakeError> {
        let limits = HeadLimits::default();
        let whole = head::whole(bytes, &limits);
        let Some(head) = whole.map_err(|_: HeadError| HandshakeError::NotHttp)? else {
            return Ok(None);
        };
        let mut room = head::room(head, &limits);
        let mut answer = httparse::Response::new(&mut room);
        answer.parse(head).map_err(|_: httparse::Error| HandshakeError::NotHttp)?;
        let (headers, consumed) = (head::owned(answer.headers), head.len());
        // 4.1: the server's answer "is HTTP/1.1 or later".
        match (answer.version, answer.code) {
            (Some(1), Some(101)) => {}
            (Some(1), Some(status @ 100..)) => {
                return Err(HandshakeError::Status { status, headers, consumed });
            }
            _ => return Err(HandshakeError::NotHttp),
        }
        let header = |name| head::fields(&headers, name);
        // 4.1, 2: "a case-insensitive match for the value" of the whole field.
        if !single(header("Upgrade")).is_some_and(|value| value.eq_ignore_ascii_case(b"websocket"))
        {
            return Err(HandshakeError::Upgrade);
        }
        if !head::has_token(header("Connection"), "upgrade") {
            return Err(HandshakeError::Connection);
        }
        if single(header("Sec-WebSocket-Accept")) != Some(key::accept(&self.key).as_bytes()) {
            return Err(HandshakeError::Accept);
        }
        let mut extensions = Vec::new();
        for value in header("Sec-WebSocket-Extensions") {
            extensions.extend(extension::parse(value).ok_or(HandshakeError::Extension)?);
        }
        let deflate = match (extensions.as_slice(), &self.offer) {
            ([], _) => None,
            ([answer], Some(offer)) if answer.is(deflate::NAME) => {
                Some(offer.check(answer).ok_or(HandshakeError::Extension)?)
            }
            _ => return Err(HandshakeError::Extension),
        };
        let subprotocol = match header("Sec-WebSocket-Protocol").count() {
            0 => None,
            _ => {
                let chosen =
                    single(header("Sec-WebSocket-Protocol")).ok_or(HandshakeError::Subprotocol)?;
                let offered = self.subprotocols.iter().find(|offered| offered.as_bytes() == chosen);
                Some(offered.ok_or(HandshakeError::Subprotocol)?.clone())
            }
        };
        Ok(Some((Established { subprotocol, deflate }, consumed)))
    }
}

/// The only value of a field.
fn single<'a>(mut values: impl Iterator<Item = &'a [u8]>) -> Option<&'a [u8]> {
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HandshakeError::Argument(which) => write!(f, "the {which} can't stand in a request"),
            HandshakeError::NotHttp => write!(f, "the server's answer isn't HTTP/1.1"),
            HandshakeError::Status { status, .. } => {
                write!(f, "the server answered with status {status}")
            }
            HandshakeError::Upgrade => write!(f, "the server's Upgrade isn't \"websocket\""),
            HandshakeError::Connection => write!(f, "the server's Connection lacks \"Upgrade\""),
            HandshakeError::Accept => {
                write!(f, "the server's Sec-WebSocket-Accept doesn't answer our key")
            }
            HandshakeError::Extension => {
                write!(f, "the server answered with an extension that wasn't offered so")
            }
            HandshakeError::Subprotocol => {
                write!(f, "the server chose a subprotocol that wasn't offered")
            }
        }
    }
}

impl std::error::Error for HandshakeError {}
