//! The opening handshake (RFC 6455, 4).

pub mod client;
pub mod extension;
mod head;
pub mod key;
pub mod request;
pub mod response;

/// How much of a request or answer is read before it is refused.
#[derive(Clone, Copy, Debug)]
pub struct HeadLimits {
    /// Start line and header fields together; default 16 KiB.
    pub bytes: usize,
    /// Header fields; default 100.
    pub headers: usize,
}

impl Default for HeadLimits {
    fn default() -> Self {
        HeadLimits { bytes: 16 * 1024, headers: 100 }
    }
}

/// An HTTP answer that refuses a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The status code.
    pub status: u16,
    /// Fields besides `Content-Type`, `Content-Length` and `Connection`.
    pub headers: Vec<(&'static str, String)>,
    /// One sentence for whoever reads it.
    pub body: String,
}

impl Rejection {
    /// Without further header fields.
    pub fn new(status: u16, body: impl Into<String>) -> Self {
        Rejection { status, headers: Vec::new(), body: body.into() }
    }

    /// With one header field more.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The whole HTTP/1.1 answer. The connection ends with it.
    pub fn to_bytes(&self) -> Vec<u8> {
        // RFC 9110, 7.8: who sends Upgrade names it in Connection.
        let upgrade = self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("upgrade"));
        let connection = if upgrade { "close, Upgrade" } else { "close" };
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, response::reason(self.status));
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {}\r\n", head::field_value(value)));
        }
        head.push_str(&format!(
            "Content-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: {connection}\r\n\r\n{}",
            self.body.len(),
            self.body
        ));
        head.into_bytes()
    }
}
