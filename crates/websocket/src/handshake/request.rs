//! The client's request, as the server reads it (RFC 6455, 4.2.1).

use super::extension::{self, Extension};
use super::head::{self, HeadError};
use super::{HeadLimits, Rejection, key};
use crate::deflate;

const REQUEST_LINE: &str = "The request line is not one of HTTP/1.1.";

/// The head of an HTTP request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// As sent: methods have a case.
    pub method: String,
    /// As sent: a path with its query, or a whole URI.
    pub target: String,
    /// 1 stands for HTTP/1.1.
    pub minor_version: u8,
    /// In their order, names as sent, values without space around them.
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Request {
    /// Reads the head of a request from the start of `bytes` (RFC 9112). `Ok(None)`: it isn't
    /// complete; call again with more. Otherwise the request and how many bytes it took. Strict:
    /// lines end with CRLF only, nothing is folded, no space before a colon, no control characters.
    ///
    /// # Errors
    ///
    /// 400 for what isn't a request, 431 for one beyond the limits, 505 for another version than
    /// HTTP/1.x.
    pub fn parse(bytes: &[u8], limits: &HeadLimits) -> Result<Option<(Request, usize)>, Rejection> {
        // RFC 9112, 2.2: an empty line before the request line is to be ignored; one is.
        let (skipped, bytes) = bytes.strip_prefix(b"\r\n").map_or((0, bytes), |bytes| (2, bytes));
        let Some(head) =
            head::whole(bytes, limits).map_err(|error| head_rejection(error, limits))?
        else {
            return Ok(None);
        };
        let mut room = head::room(head, limits);
        let mut read = httparse::Request::new(&mut room);
        read.parse(head).map_err(|error| syntax_rejection(error, head, limits))?;
        let (Some(method), Some(target), Some(minor_version)) =
            (read.method, read.path.filter(|target| is_target(target)), read.version)
        else {
            return Err(Rejection::new(400, REQUEST_LINE));
        };
        let request = Request {
            method: method.to_owned(),
            target: target.to_owned(),
            minor_version,
            headers: head::owned(read.headers),
        };
        Ok(Some((request, skipped + head.len())))
    }

    /// The values of all fields of a name, in any case.
    pub fn header<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        head::fields(&self.headers, name)
    }

    /// Whether it asks for WebSocket: `Upgrade` has the token `websocket`. The rest is for
    /// [`Opening::check`].
    pub fn wants_websocket(&self) -> bool {
        head::has_token(self.header("Upgrade"), "websocket")
    }

    /// The target without its query and, if it is a whole URI, without scheme and host.
    pub fn path(&self) -> &str {
        let target = match self.authority() {
            Some((_, "")) => "/",
            // A query without a path.
            Some((_, rest)) if rest.starts_with('?') => "/",
            Some((_, rest)) => rest,
            None => &self.target,
        };
        target.split_once('?').map_or(target, |(path, _)| path)
    }

    /// Host and the rest of a target that is a whole URI (RFC 9112, 3.2.2).
    fn authority(&self) -> Option<(&str, &str)> {
        let (scheme, rest) = self.target.split_once("://")?;
        if !["http", "https", "ws", "wss"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            return None;
        }
        Some(rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len())))
    }
}

/// RFC 9112, 3.2: visible ASCII. A fragment isn't sent.
fn is_target(target: &str) -> bool {
    target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
}

fn head_rejection(error: HeadError, limits: &HeadLimits) -> Rejection {
    match error {
        HeadError::Syntax(sentence) => Rejection::new(400, sentence),
        HeadError::TooLong => Rejection::new(
            431,
            format!("The request's head is longer than {} bytes.", limits.bytes),
        ),
    }
}

fn syntax_rejection(error: httparse::Error, head: &[u8], limits: &HeadLimits) -> Rejection {
    use httparse::Error;
    match error {
        Error::TooManyHeaders => Rejection::new(
            431,
            format!("The request has more than {} header fields.", limits.headers),
        ),
        // Also space before the colon (RFC 9112, 5.1).
        Error::HeaderName | Error::HeaderValue => {
            bad("A header field is folded, or isn't a name, a colon and a value.")
        }
        Error::Version if names_version(head) => {
            Rejection::new(505, "This server speaks HTTP/1.1.")
        }
        _ => bad(REQUEST_LINE),
    }
}

/// Whether the request line's third word is a version of HTTP, whichever.
fn names_version(head: &[u8]) -> bool {
    let word = head.split(|byte| b" \r".contains(byte)).nth(2);
    matches!(word, Some([b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9']))
}

/// A request that passed every check of RFC 6455, 4.2.1. What remains is policy: host, origin,
/// path, subprotocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// `Host`, or the host in the target if that is a whole URI (RFC 9112, 3.2.2: `Host` is then to
    /// be ignored). With the port, if there is one.
    pub host: String,
    /// `Origin`, which browsers always send.
    pub origin: Option<String>,
    /// `Sec-WebSocket-Protocol`: the client's in its order of preference, none twice.
    pub subprotocols: Vec<String>,
    /// `Sec-WebSocket-Extensions` in the client's order of preference.
    pub extensions: Vec<Extension>,
    /// `Sec-WebSocket-Key`: 16 bytes in base64.
    pub(super) key: String,
}

impl Opening {
    /// Checks a request (4.2.1).
    ///
    /// # Errors
    ///
    /// 405 if it isn't a GET, 426 if it isn't version 13 of the protocol, 400 for everything else.
    pub fn check(request: &Request) -> Result<Opening, Rejection> {
        if request.method != "GET" {
            return Err(Rejection::new(405, "A WebSocket is opened with GET.").with("Allow", "GET"));
        }
        if request.minor_version == 0 {
            return Err(Rejection::new(400, "A WebSocket is opened with HTTP/1.1."));
        }
        if !request.wants_websocket() {
            return Err(bad("The Upgrade header field lacks \"websocket\"."));
        }
        if !head::has_token(request.header("Connection"), "upgrade") {
            return Err(bad("The Connection header field lacks \"Upgrade\"."));
        }
        // 4.4: the answer names the versions that we speak. RFC 9110, 15.5.22: and what to upgrade
        // to.
        let version = single(request, "Sec-WebSocket-Version")?;
        if version != Some(b"13") {
            return Err(Rejection::new(
                426,
                "This server speaks version 13 of the WebSocket protocol.",
            )
            .with("Sec-WebSocket-Version", "13")
            .with("Upgrade", "websocket"));
        }
        let host = host(request)?;
        let key = match single(request, "Sec-WebSocket-Key")? {
            Some(key) if key::is_valid(key) => String::from_utf8_lossy(key).into_owned(),
            Some(_) => return Err(bad("The Sec-WebSocket-Key is not 16 bytes in base64.")),
            None => return Err(bad("There is no Sec-WebSocket-Key.")),
        };
        // A body would be read as frames by us and as a body by a proxy before us.
        if request.header("Transfer-Encoding").next().is_some()
            || single(request, "Content-Length")?.is_some_and(|length| length != b"0")
        {
            return Err(bad("An opening handshake has no body."));
        }
        let origin = match single(request, "Origin")? {
            Some(origin) => Some(
                str::from_utf8(origin).map_err(|_| bad("The Origin is not ASCII."))?.to_owned(),
            ),
            None => None,
        };
        let mut subprotocols: Vec<String> = Vec::new();
        for element in head::list(request.header("Sec-WebSocket-Protocol")) {
            // 11.3.4, 4.1: tokens, and "MUST all be unique strings".
            if !head::is_token(element)
                || subprotocols.iter().any(|other| other.as_bytes() == element)
            {
                return Err(bad("The Sec-WebSocket-Protocol is not a list of different tokens."));
            }
            subprotocols.push(String::from_utf8_lossy(element).into_owned());
        }
        let mut extensions = Vec::new();
        for value in request.header("Sec-WebSocket-Extensions") {
            let more = extension::parse(value)
                .ok_or_else(|| bad("The Sec-WebSocket-Extensions can't be read."))?;
            extensions.extend(more);
        }
        Ok(Opening { host, origin, subprotocols, extensions, key })
    }

    /// The first of the client's offers of permessage-deflate that the policy accepts (RFC 7692, 5
    /// and 7.1).
    pub fn deflate(&self, policy: &deflate::Policy) -> Option<deflate::Agreed> {
        deflate::negotiate(&self.extensions, policy)
    }
}

fn bad(sentence: &str) -> Rejection {
    Rejection::new(400, sentence)
}

/// The value of a field that may be there only once.
fn single<'a>(request: &'a Request, name: &'a str) -> Result<Option<&'a [u8]>, Rejection> {
    let mut values = request.header(name);
    let value = values.next();
    if values.next().is_some() {
        return Err(Rejection::new(400, format!("There is more than one {name}.")));
    }
    Ok(value)
}

fn host(request: &Request) -> Result<String, Rejection> {
    let header = single(request, "Host")?.ok_or_else(|| bad("There is no Host."))?;
    let host = match request.authority() {
        Some((host, _)) => host.as_bytes(),
        None => header,
    };
    if !is_host(header) || !is_host(host) {
        return Err(bad("The Host is not a host with or without a port."));
    }
    Ok(String::from_utf8_lossy(host).into_owned())
}

/// RFC 3986, 3.2.2 and 3.2.3: a name, an IPv4 address or an IPv6 address in brackets, perhaps a
/// port; no user.
pub(super) fn is_host(host: &[u8]) -> bool {
    let (name, port) = match host {
        [b'[', rest @ ..] => {
            let Some(end) = rest.iter().position(|&byte| byte == b']') else { return false };
            let valid = end > 0
                && rest[..end].iter().all(|byte| byte.is_ascii_hexdigit() || b":.".contains(byte));
            (valid, &rest[end + 1..])
        }
        _ => {
            let end = host.iter().position(|&byte| byte == b':').unwrap_or(host.len());
            let valid = end > 0
                && host[..end]
                    .iter()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(byte));
            (valid, &host[end..])
        }
    };
    name && match port {
        [] => true,
        [b':', digits @ ..] => digits.iter().all(u8::is_ascii_digit) && digits.len() <= 5,
        _ => false,
    }
}
