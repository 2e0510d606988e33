//! The way of a browser: an URL, and whatever proxies stand before damso.

use super::port::{ANSWER_MAX, Answer, get, read_answer};
use super::{Finding, say};
use crate::lang::Lang;
use damso_client::wire::{Address, Wire};
use damso_protocol::v1::SUBPROTOCOL;
use damso_websocket::{ClientHandshake, HandshakeError};
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::thread;
use std::time::{Duration, Instant};

/// How long an idle connection is watched.
const IDLE: Duration = Duration::from_secs(3);
/// How long damso lets somebody stay who doesn't say who it is, at least.
const _: () = assert!(IDLE.as_secs() < 5);
/// A proxy that holds a frame back for longer than this doesn't pass it on as it comes.
const PONG_MAX: Duration = Duration::from_secs(2);

/// What is looked at before all else where there is TLS.
const CERTIFICATE: &str = "certificate";

/// Where an URL leads.
struct Place {
    address: Address,
    /// As in a request's `Host`.
    host: String,
    /// What a browser sends as its page's origin.
    origin: String,
    /// The path, without a slash at its end.
    path: String,
}

impl Place {
    fn of(url: &str) -> Option<Self> {
        let address = Address::parse(url)?;
        let path = address.target.split(['?', '#']).next().unwrap_or_default();
        let path = path.trim_end_matches('/');
        let path = path.strip_suffix("/ws").unwrap_or(path).trim_end_matches('/').to_owned();
        let (host, scheme) = (address.host.clone(), if address.secure { "https" } else { "http" });
        Some(Self { origin: format!("{scheme}://{host}"), host, path, address })
    }

    fn get(&self, at: SocketAddr, target: &str) -> io::Result<Answer> {
        get(at, self.address.tls_name(), &self.host, &format!("{}{target}", self.path))
    }
}

pub fn look(url: &str, lang: Lang) -> Vec<Finding> {
    let what = "url";
    let Some(place) = Place::of(url) else {
        let found = say!(lang, "{url:?} is no URL", "{url:?}은(는) URL이 아닙니다");
        let mend = say!(
            lang,
            "give it like https://chat.example.com",
            "https://chat.example.com처럼 쓰세요"
        );
        return vec![Finding::bad(what, found, mend)];
    };
    let found =
        place.address.endpoint.to_socket_addrs().map(|addresses| addresses.collect::<Vec<_>>());
    let connected = found.and_then(|addresses| {
        let mut error = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in addresses {
            match TcpStream::connect_timeout(&address, ANSWER_MAX) {
                Ok(_) => return Ok(address),
                Err(failed) => error = failed,
            }
        }
        Err(error)
    });
    let address = match connected {
        Ok(address) => address,
        Err(error) => {
            let endpoint = &place.address.endpoint;
            let found = say!(
                lang,
                "nobody answers at {endpoint}: {error}",
                "{endpoint}에서 답이 없습니다: {error}"
            );
            let mend = say!(
                lang,
                "start the proxy or damso there, and let the port through the firewall",
                "프록시나 담소를 켜고 방화벽에서 포트를 여세요"
            );
            return vec![Finding::bad(what, found, mend)];
        }
    };
    let mut findings = vec![page(&place, address, lang)];
    if findings[0].what == CERTIFICATE {
        // Everything else would fail by the same.
        return findings;
    }
    findings.extend(figures(&place, address, lang));
    findings.extend(websocket(&place, address, lang));
    findings
}

/// Whether damso answers, and knows itself by the name that the browser knows it by.
fn page(place: &Place, address: SocketAddr, lang: Lang) -> Finding {
    let what = "page";
    let Place { host, path, .. } = place;
    match place.get(address, "/healthz") {
        Ok(answer) if answer.status == 200 && answer.body.trim_end() == "ok" => {
            Finding::ok(what, say!(lang, "damso answers as {host}", "담소가 {host}(으)로 답합니다"))
        }
        Ok(answer) if answer.status == 403 => refused(what, place, &answer, lang),
        Ok(answer) => {
            let (status, said) =
                (answer.status, answer.sentence().chars().take(200).collect::<String>());
            let found = say!(
                lang,
                "{host}{path}/healthz is answered {status}, not by a damso that is well: {said}",
                "{host}{path}/healthz의 답이 {status}입니다: {said}"
            );
            let mend = say!(
                lang,
                "start damso, and have the proxy pass every path on to it",
                "담소를 켜고, 프록시가 모든 경로를 담소로 넘기게 하세요"
            );
            Finding::bad(what, found, mend)
        }
        Err(error) if place.address.secure && error.kind() == io::ErrorKind::InvalidData => {
            let name = place.address.name();
            let mend = say!(
                lang,
                "have what answers there show a certificate for {name} that is valid now, with \
                 its whole chain",
                "그곳에서 답하는 것이 {name}의 유효한 인증서를 체인까지 보이게 하세요"
            );
            Finding::bad(CERTIFICATE, error.to_string(), mend)
        }
        Err(error) => Finding::bad(
            what,
            say!(lang, "no answer: {error}", "답이 없습니다: {error}"),
            say!(lang, "look at the proxy's log", "프록시의 로그를 보세요"),
        ),
    }
}

/// What a 403 is about: damso's own answer names the flag that would allow it.
fn refused(what: &'static str, place: &Place, answer: &Answer, lang: Lang) -> Finding {
    let said = answer.sentence();
    let own = place.address.name();
    let flag = |name: &str| {
        let (_, rest) = said.split_once(&format!("{name} "))?;
        rest.split(' ').next().map(|value| format!("{name} {value}"))
    };
    let seen = said
        .split_once("(Host: ")
        .map(|(_, rest)| rest.split([',', ')']).next().unwrap_or_default());
    // The proxy has put another name in its place.
    if let Some(seen) = seen
        && !seen.eq_ignore_ascii_case(&place.host)
    {
        let found = say!(
            lang,
            "the proxy changes Host to {seen}, so damso refuses {own}: {said}",
            "프록시가 Host를 {seen}(으)로 바꾸어 {own}이(가) 거절됩니다: {said}"
        );
        let flag = flag("--allow-host").unwrap_or_default();
        let mend = say!(
            lang,
            "have it pass Host on (nginx: `proxy_set_header Host $http_host;`) {flag}",
            "Host를 그대로 넘기게 하세요 (nginx: `proxy_set_header Host $http_host;`) {flag}"
        );
        return Finding::bad(what, found, mend.trim_end());
    }
    let flag = flag("--allow-host").or_else(|| flag("--allow-origin"));
    let mend = match flag {
        Some(flag) => say!(lang, "start damso with {flag}", "담소를 {flag}(으)로 시작하세요"),
        None => say!(lang, "let it through in the proxy", "프록시에서 허용하세요"),
    };
    Finding::bad(what, say!(lang, "refused: {said}", "거절: {said}"), mend)
}

/// Figures are nobody's but the operator's.
fn figures(place: &Place, address: SocketAddr, lang: Lang) -> Option<Finding> {
    let is_near = match address.ip().to_canonical() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    };
    let answer = place.get(address, "/metrics").ok()?;
    (!is_near && answer.body.contains("damso_build_info")).then(|| {
        let found = say!(lang, "anybody can read them there", "누구나 볼 수 있습니다");
        let mend = say!(
            lang,
            "have the proxy set X-Forwarded-For, or keep /metrics from it",
            "프록시가 X-Forwarded-For를 붙이거나 /metrics를 막게 하세요"
        );
        Finding::bad("figures", found, mend)
    })
}

fn websocket(place: &Place, address: SocketAddr, lang: Lang) -> Vec<Finding> {
    let what = "websocket";
    let mut findings = Vec::new();
    let opened = open(place, address);
    let mut wire = match opened {
        Ok(wire) => wire,
        Err(failed) => {
            findings.push(explain(what, place, failed, lang));
            return findings;
        }
    };
    findings.push(Finding::ok(what, say!(lang, "the opening handshake passes", "연결이 열립니다")));
    let what = "frames";
    let mut ping = |word: &[u8; 4]| pings(&mut wire, word);
    if let Err(error) = ping(b"here") {
        let found = say!(
            lang,
            "a frame doesn't come back within 2 s ({error}): the proxy holds them back",
            "프레임이 2초 안에 돌아오지 않습니다 ({error}). 프록시가 붙들고 있습니다"
        );
        let mend = say!(
            lang,
            "turn buffering off (nginx: `proxy_buffering off;`)",
            "버퍼링을 끄세요 (nginx: `proxy_buffering off;`)"
        );
        findings.push(Finding::bad(what, found, mend));
        return findings;
    }
    findings.push(Finding::ok(what, say!(lang, "they pass as they come", "바로 오갑니다")));
    thread::sleep(IDLE);
    let what = "idle connections";
    findings.push(match ping(b"stay") {
        Ok(()) => Finding::ok(what, say!(lang, "not cut within 3 s", "3초 안에는 끊기지 않습니다")),
        Err(error) => Finding::bad(
            what,
            say!(lang, "cut within 3 s ({error})", "3초 안에 끊깁니다 ({error})"),
            say!(
                lang,
                "let them stay for two minutes (nginx: `proxy_read_timeout 120s;`)",
                "2분은 두게 하세요 (nginx: `proxy_read_timeout 120s;`)"
            ),
        ),
    });
    findings
}

/// Why no WebSocket was opened.
enum Failed {
    Handshake(HandshakeError),
    Answer(Answer),
    Io(io::Error),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Opens a WebSocket as a page of that place would, and says nothing on it.
fn open(place: &Place, address: SocketAddr) -> Result<Wire, Failed> {
    let mut nonce = [0; 16];
    // Hexadecimal digits from the system's source.
    for (byte, digit) in nonce.iter_mut().zip(damso_client::driver::key().bytes()) {
        *byte = digit;
    }
    let target = format!("{}/ws", place.path);
    let origin = Some(place.origin.as_str());
    let handshake = ClientHandshake::new(&place.host, &target, nonce, &[SUBPROTOCOL], None, origin)
        .map_err(Failed::Handshake)?;
    let by = Instant::now() + ANSWER_MAX;
    let mut wire = Wire::connect(address, place.address.tls_name(), by)?;
    wire.write_all(&handshake.request())?;
    wire.socket().set_read_timeout(Some(ANSWER_MAX))?;
    let mut bytes = Vec::new();
    loop {
        match handshake.receive(&bytes) {
            Ok(Some(_)) => return Ok(wire),
            Ok(None) => {}
            Err(HandshakeError::Status { .. }) => {
                return Err(Failed::Answer(read_answer(&mut wire, bytes)?));
            }
            Err(error) => return Err(Failed::Handshake(error)),
        }
        let mut buffer = [0; 4096];
        let count = wire.read(&mut buffer)?;
        if count == 0 {
            return Err(Failed::Io(io::ErrorKind::UnexpectedEof.into()));
        }
        bytes.extend_from_slice(&buffer[..count]);
    }
}

fn explain(what: &'static str, place: &Place, failed: Failed, lang: Lang) -> Finding {
    let pass_on = || {
        say!(
            lang,
            "have the proxy pass WebSockets on (nginx: `proxy_http_version 1.1; proxy_set_header \
             Upgrade $http_upgrade; proxy_set_header Connection \"upgrade\";`)",
            "프록시가 WebSocket을 넘기게 하세요 (nginx: `proxy_http_version 1.1; proxy_set_header \
             Upgrade $http_upgrade; proxy_set_header Connection \"upgrade\";`)"
        )
    };
    match failed {
        Failed::Answer(answer) if answer.status == 403 => refused(what, place, &answer, lang),
        // What damso says to who asks for /ws as for a page, or with half of what a handshake has.
        Failed::Answer(answer) if [400, 404, 426].contains(&answer.status) => {
            let (status, said) = (answer.status, answer.sentence());
            let found = say!(
                lang,
                "the opening handshake doesn't reach damso as one ({status}: {said}): the proxy \
                 takes Upgrade or Connection away",
                "연결 요청이 담소에 그대로 오지 않습니다 ({status}: {said}). 프록시가 Upgrade나 \
                 Connection을 뺍니다"
            );
            Finding::bad(what, found, pass_on())
        }
        Failed::Answer(answer) => {
            let (status, said) = (answer.status, answer.sentence().to_owned());
            let found = say!(lang, "answered {status}: {said}", "답이 {status}입니다: {said}");
            Finding::bad(what, found, pass_on())
        }
        Failed::Handshake(error) => {
            let found = say!(
                lang,
                "the answer to the opening handshake is wrong: {error}",
                "연결 요청의 답이 틀립니다: {error}"
            );
            Finding::bad(what, found, pass_on())
        }
        Failed::Io(error) => {
            let found = say!(
                lang,
                "no answer to the opening handshake: {error}",
                "연결 요청에 답이 없습니다: {error}"
            );
            Finding::bad(what, found, pass_on())
        }
    }
}

/// Sends a ping and waits for its pong.
fn pings(wire: &mut Wire, word: &[u8; 4]) -> io::Result<()> {
    // Masked with zeros: the word is no secret, and no proxy's to look at.
    let mut frame = vec![0x89, 0x84, 0, 0, 0, 0];
    frame.extend_from_slice(word);
    wire.write_all(&frame)?;
    let pong = [&[0x8a, 4], &word[..]].concat();
    let (by, mut bytes) = (Instant::now() + PONG_MAX, Vec::new());
    loop {
        let left = by.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        wire.socket().set_read_timeout(Some(left))?;
        let mut buffer = [0; 512];
        match wire.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => bytes.extend_from_slice(&buffer[..count]),
        }
        if bytes.windows(pong.len()).any(|window| window == pong) {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_url_is_taken_apart() {
        for (url, origin, path, endpoint) in [
            ("http://chat.example.com", "http://chat.example.com", "", "chat.example.com:80"),
            ("wss://chat.example.com/", "https://chat.example.com", "", "chat.example.com:443"),
            ("https://a.example:8080/", "https://a.example:8080", "", "a.example:8080"),
            ("ws://[::1]/ws", "http://[::1]", "", "[::1]:80"),
            ("http://[::1]:9/team/?x#y", "http://[::1]:9", "/team", "[::1]:9"),
            ("http://h/team/ws", "http://h", "/team", "h:80"),
        ] {
            let place = Place::of(url).unwrap();
            let found = (&*place.origin, &*place.path, &*place.address.endpoint);
            assert_eq!(found, (origin, path, endpoint));
        }
    }
}
