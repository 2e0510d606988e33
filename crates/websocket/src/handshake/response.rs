//! The server's answer (RFC 6455, 4.2.2).

use super::key;
use super::request::Opening;
use crate::deflate;

impl Opening {
    /// The header fields of the 101 answer, for an HTTP library to send.
    ///
    /// `subprotocol` is one of [`Opening::subprotocols`], or `None` (4.2.2: anything else fails the
    /// handshake at the client); `deflate` is what [`Opening::deflate`] returned.
    pub fn accept_headers(
        &self,
        subprotocol: Option<&str>,
        deflate: Option<&deflate::Agreed>,
    ) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            ("Upgrade", "websocket".to_owned()),
            ("Connection", "Upgrade".to_owned()),
            ("Sec-WebSocket-Accept", key::accept(&self.key)),
        ];
        // Whatever the caller says: what wasn't asked for isn't answered.
        if let Some(subprotocol) =
            self.subprotocols.iter().find(|offered| Some(offered.as_str()) == subprotocol)
        {
            headers.push(("Sec-WebSocket-Protocol", subprotocol.clone()));
        }
        if let Some(agreed) = deflate {
            headers.push(("Sec-WebSocket-Extensions", agreed.answer()));
        }
        headers
    }

    /// The bytes of the 101 answer; see [`Opening::accept_headers`].
    pub fn accept(&self, subprotocol: Option<&str>, deflate: Option<&deflate::Agreed>) -> Vec<u8> {
        let mut answer = "HTTP/1.1 101 Switching Protocols\r\n".to_owned();
        for (name, value) in self.accept_headers(subprotocol, deflate) {
            answer.push_str(name);
            answer.push_str(": ");
            answer.push_str(&value);
            answer.push_str("\r\n");
        }
        answer.push_str("\r\n");
        answer.into_bytes()
    }
}

/// The words beside a status code.
pub(super) fn reason(status: u16) -> &'static str {
    match status {
        101 => "Switching Protocols",
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        421 => "Misdirected Request",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Refused",
    }
}
