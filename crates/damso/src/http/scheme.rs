//! By which scheme a request came to the server's door.

use super::pages::values;
use axum::http::{HeaderMap, HeaderName};

/// How the asker has reached the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    /// Of a request with these headers, on a connection that is `secure` or not. A proxy before the
    /// server says what it was itself asked by; what it says is only its own asker's to see.
    pub(super) fn of(secure: bool, headers: &HeaderMap) -> Self {
        let said = HeaderName::from_static("x-forwarded-proto");
        if secure || values(headers, said).any(|way| way == "https") {
            Self::Https
        } else {
            Self::Http
        }
    }

    /// As an URL begins.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_secure_by_its_own_connection_or_by_a_proxys() {
        let with = |value: &'static str| {
            HeaderMap::from_iter([("x-forwarded-proto".parse().unwrap(), value.parse().unwrap())])
        };
        for (secure, headers, scheme) in [
            (false, HeaderMap::new(), Scheme::Http),
            (false, with("http"), Scheme::Http),
            (false, with("https"), Scheme::Https),
            (false, with("https, http"), Scheme::Https),
            (true, HeaderMap::new(), Scheme::Https),
            // Whoever says so is behind our TLS.
            (true, with("http"), Scheme::Https),
        ] {
            assert_eq!(Scheme::of(secure, &headers), scheme, "{secure} {headers:?}");
        }
    }
}
