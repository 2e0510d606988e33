//! Who may open a WebSocket, and on what terms: path, Host, Origin, subprotocol (PROTOCOL
//! sections 0 and 7). The mechanism is `websocket`'s; the decision is here.

use crate::dialect::Kind;
use crate::lang::Lang;
use damso_protocol::v1::SUBPROTOCOL;
use damso_websocket::{Opening, Rejection, Request, deflate};
use std::net::IpAddr;

/// The paths at which a WebSocket may be opened: ours and those of clients in the tutorial's
/// manner.
const PATHS: [&str; 3] = ["/ws", "/", "/chat"];

/// An opening handshake that is accepted.
pub struct Admission {
    /// The request, which makes the answer's bytes or headers.
    pub opening: Opening,
    /// What was agreed about compression.
    pub deflate: Option<deflate::Agreed>,
    /// How the connection will talk.
    pub dialect: Kind,
    /// What its user reads.
    pub lang: Lang,
    /// The subprotocol that was picked among those offered.
    pub subprotocol: Option<&'static str>,
}

/// Decides about opening handshakes and page requests.
pub enum Door {
    /// The chat's.
    Chat(Policy),
    /// The echo server's: any path, any origin.
    Echo,
}

/// Whose names and pages the chat trusts.
#[derive(Default, Debug)]
pub struct Policy {
    /// Host names besides addresses, `localhost` and `.local` ones; lower case.
    pub hosts: Vec<String>,
    /// Origins besides the server's own; lower case; `*` stands for all.
    pub origins: Vec<String>,
    /// Its own pages are opened by https.
    pub secure: bool,
}

impl Door {
    /// Accepts an opening handshake or says why not.
    ///
    /// # Errors
    /// The answer to send instead.
    pub fn decide(&self, request: &Request) -> Result<Admission, Rejection> {
        let opening = Opening::check(request)?;
        let Self::Chat(policy) = self else {
            // Both directions may keep their window, and a small one is used if asked for.
            let terms = deflate::Policy {
                server_no_context_takeover: false,
                client_no_context_takeover: false,
                server_max_window_bits_min: 9,
                ..deflate::Policy::default()
            };
            let deflate = opening.deflate(&terms);
            let (dialect, lang, subprotocol) = (Kind::Echo, Lang::En, None);
            return Ok(Admission { opening, deflate, dialect, lang, subprotocol });
        };
        if !PATHS.contains(&request.path()) {
            let sentence = "there is no WebSocket here; the chat's is at /ws";
            return Err(Rejection::new(404, sentence));
        }
        policy.check_names(&opening.host, opening.origin.as_deref())?;
        let offered = &opening.subprotocols;
        let (dialect, subprotocol) = if offered.is_empty() {
            (Kind::Plain, None)
        } else if offered.iter().any(|name| name == SUBPROTOCOL) {
            (Kind::V1, Some(SUBPROTOCOL))
        } else {
            let offered = offered.join(", ");
            return Err(Rejection::new(
                400,
                format!(
                    "none of the offered subprotocols ({offered}) is spoken here; \
                     offer {SUBPROTOCOL}, or none for plain text lines"
                ),
            ));
        };
        // Frames are shared among subscribers, so no window may be kept, and none be small.
        let terms = deflate::Policy {
            server_no_context_takeover: true,
            client_no_context_takeover: true,
            server_max_window_bits_min: 15,
            ..deflate::Policy::default()
        };
        let deflate = opening.deflate(&terms);
        let lang = request
            .header("accept-language")
            .find_map(|value| std::str::from_utf8(value).ok())
            .map_or(Lang::En, Lang::from_accept_language);
        Ok(Admission { opening, deflate, dialect, lang, subprotocol })
    }
}

impl Policy {
    /// The policy for these settings.
    ///
    /// # Errors
    /// One sentence about an origin or host that can't be one.
    pub fn new(
        allow_hosts: &[String],
        allow_origins: &[String],
        secure: bool,
    ) -> Result<Self, String> {
        let mut policy = Self { secure, ..Self::default() };
        for host in allow_hosts {
            if host.is_empty() || host.contains(['/', ' ', ':']) {
                return Err(format!(
                    "--allow-host {host:?} is not a host name; give it like chat.example.com, \
                     without scheme and port"
                ));
            }
            policy.hosts.push(host.to_ascii_lowercase());
        }
        if let Ok(name) = rustix::system::uname().nodename().to_str()
            && !name.is_empty()
            && name != "(none)"
        {
            policy.hosts.push(name.to_ascii_lowercase());
        }
        for origin in allow_origins {
            let origin = origin.to_ascii_lowercase();
            let is_url = origin.split_once("://").is_some_and(|(scheme, rest)| {
                !scheme.is_empty() && !rest.is_empty() && !rest.contains(['/', ' '])
            });
            if !(is_url || origin == "*" || origin == "null") {
                return Err(format!(
                    "--allow-origin {origin:?} is not an origin; give it like \
                     https://chat.example.com, or null, or *"
                ));
            }
            policy.origins.push(origin);
        }
        Ok(policy)
    }

    /// Checks the names under which a browser reached us: `Host` against DNS rebinding, and
    /// `Origin` against other sites' pages. A handshake without `Origin` isn't a browser's, and
    /// passes with any well-formed `Host`.
    ///
    /// # Errors
    /// A 403 that names the flag which would allow it.
    pub fn check_names(&self, host: &str, origin: Option<&str>) -> Result<(), Rejection> {
        let Some(origin) = origin else { return Ok(()) };
        self.check_host(host, Some(origin))?;
        let wanted = origin.to_ascii_lowercase();
        let (scheme, port) = if self.secure { ("https://", ":443") } else { ("http://", ":80") };
        let bare = |name: &str| name.strip_suffix(port).unwrap_or(name).to_ascii_lowercase();
        let own = wanted.strip_prefix(scheme).is_some_and(|name| bare(name) == bare(host));
        if own || self.origins.iter().any(|allowed| *allowed == wanted || allowed == "*") {
            return Ok(());
        }
        Err(Rejection::new(
            403,
            format!(
                "a page of {origin} may not open this chat (Host: {host}); \
                 --allow-origin {origin} would allow it"
            ),
        ))
    }

    /// Checks the name under which a page is asked for.
    ///
    /// # Errors
    /// A 403 that names the flag which would allow it.
    pub fn check_host(&self, host: &str, origin: Option<&str>) -> Result<(), Rejection> {
        let name = host_name(host).to_ascii_lowercase();
        let name = name.strip_suffix('.').unwrap_or(&name);
        let local = name == "localhost" || name.ends_with(".localhost") || name.ends_with(".local");
        let literal = name.parse::<IpAddr>().is_ok()
            || name
                .strip_prefix('[')
                .and_then(|rest| rest.strip_suffix(']'))
                .is_some_and(|inner| inner.parse::<IpAddr>().is_ok());
        if local || literal || self.hosts.iter().any(|known| known == name) {
            return Ok(());
        }
        let seen = origin.map_or(String::new(), |origin| format!(", Origin: {origin}"));
        Err(Rejection::new(
            403,
            format!(
                "this server isn't known as {name} (Host: {host}{seen}); \
                 --allow-host {name} would allow it"
            ),
        ))
    }
}

/// A Host header's name without its port.
fn host_name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Policy {
        Policy::new(&["chat.example.com".into()], &["https://friend.example".into()], false)
            .unwrap()
    }

    #[track_caller]
    fn check(host: &str, origin: Option<&str>, passes: bool) {
        let answer = policy().check_names(host, origin);
        assert_eq!(answer.is_ok(), passes, "Host {host:?}, Origin {origin:?}");
        if let Err(rejection) = answer {
            assert_eq!(rejection.status, 403);
            assert!(rejection.body.contains("--allow-"), "{}", rejection.body);
        }
    }

    #[test]
    fn the_servers_own_page_may_open_the_chat() {
        check("localhost:8765", Some("http://localhost:8765"), true);
        check("LOCALHOST:8765", Some("http://localhost:8765"), true);
        check("127.0.0.1:8765", Some("http://127.0.0.1:8765"), true);
        check("[::1]:8765", Some("http://[::1]:8765"), true);
        check("chat.localhost", Some("http://chat.localhost"), true);
        check("pi.local:80", Some("http://pi.local"), true);
        check("chat.example.com", Some("http://chat.example.com"), true);
    }

    #[test]
    fn with_tls_its_own_page_is_one_of_https() {
        let policy = Policy { secure: true, ..policy() };
        for (host, origin, passes) in [
            ("localhost:8765", "https://localhost:8765", true),
            ("localhost", "https://localhost", true),
            ("localhost:443", "https://localhost", true),
            ("localhost:8765", "http://localhost:8765", false),
            ("localhost:80", "https://localhost", false),
        ] {
            assert_eq!(policy.check_names(host, Some(origin)).is_ok(), passes, "{host} {origin}");
        }
    }

    #[test]
    fn a_foreign_page_may_not() {
        check("localhost:8765", Some("http://evil.example"), false);
        check("localhost:8765", Some("null"), false);
        check("localhost:8765", Some("http://localhost:8766"), false);
        check("localhost:8765", Some("https://localhost:8765"), false);
        check("localhost:8765", Some("http://localhost:8765.evil.example"), false);
        check("localhost:8765", Some("http://evil-localhost:8765"), false);
        check("localhost:8765", Some(""), false);
    }

    #[test]
    fn a_rebound_name_is_refused_although_its_origin_matches() {
        check("evil.example:8765", Some("http://evil.example:8765"), false);
        check("localhost.evil.example", Some("http://localhost.evil.example"), false);
        check("127.0.0.1.evil.example", Some("http://127.0.0.1.evil.example"), false);
    }

    #[test]
    fn what_is_no_browser_passes_with_any_host() {
        check("evil.example:8765", None, true);
    }

    #[test]
    fn a_listed_origin_passes_and_a_star_stands_for_all() {
        check("localhost:8765", Some("https://friend.example"), true);
        check("localhost:8765", Some("HTTPS://FRIEND.EXAMPLE"), true);
        check("localhost:8765", Some("https://friend.example:8443"), false);
        let any = Policy::new(&[], &["*".into()], false).unwrap();
        assert!(any.check_names("localhost", Some("null")).is_ok());
        assert!(any.check_names("evil.example", Some("http://evil.example")).is_err());
        let file = Policy::new(&[], &["null".into()], false).unwrap();
        assert!(file.check_names("localhost", Some("null")).is_ok());
    }

    #[test]
    fn settings_that_can_be_no_name_are_refused_in_one_sentence() {
        for origin in ["friend.example", "https://", "https://a/b", ""] {
            assert!(
                Policy::new(&[], &[origin.into()], false).unwrap_err().contains("--allow-origin")
            );
        }
        for host in ["http://a", "a:80", "", "a/b"] {
            assert!(Policy::new(&[host.into()], &[], false).unwrap_err().contains("--allow-host"));
        }
    }
}
