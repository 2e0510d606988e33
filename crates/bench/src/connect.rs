//! Opens many WebSocket connections.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, EventFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use crate::link::{Link, Trust};
use crate::wire;

/// Handshakes under way at the same time.
const OPENING_MAX: usize = 128;
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Without any progress.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where to connect, and what the opening handshake says.
#[derive(Clone, Debug)]
pub struct Target {
    pub address: SocketAddr,
    pub host: String,
    pub path: String,
    /// Further fields of the request, each `Name: value`.
    pub headers: Vec<String>,
    /// It speaks damso.v1: each connection is to say hello and open the lobby.
    pub is_v1: bool,
    /// It speaks NATS's protocol in binary frames.
    pub is_nats: bool,
    /// permessage-deflate is to be agreed, each message for itself.
    pub deflate: bool,
    /// It is spoken to over TLS, if it is who it should be.
    pub trust: Option<Trust>,
}

/// What is offered: with a context that lasts no two subscribers would get the same bytes.
const DEFLATE_OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate; \
    server_no_context_takeover; client_no_context_takeover\r\n";

impl Target {
    /// `ws://host:port/path`, `host:port/path` or `host:port`; the path is `/ws` when there is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("ws://").or(text.strip_prefix("http://")).unwrap_or(text);
        if rest.contains("://") {
            return Err(format!("{text}: only ws:// is spoken here"));
        }
        let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let with_port =
            if host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
                host.to_owned()
            } else {
                format!("{host}:80")
            };
        let address = with_port
            .to_socket_addrs()
            .map_err(|error| format!("{host}: {error}"))?
            .next()
            .ok_or_else(|| format!("{host}: no address"))?;
        let path = if path.is_empty() { "/ws" } else { path };
        Ok(Self {
            address,
            host: host.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            is_v1: false,
            is_nats: false,
            deflate: false,
            trust: None,
        })
    }

    /// The same, in a room of a server that takes its name in the query.
    pub fn in_room(&self, room: &str) -> Self {
        Self { path: format!("{}?room={room}", self.path), ..self.clone() }
    }

    /// Whether messages go to it as those of damso.v1 do; under `/json` a peer speaks it without its greeting.
    pub fn speaks_json(&self) -> bool {
        self.is_v1 || self.path.starts_with("/json")
    }

    /// Whether what the server answered is what was asked for.
    fn agreed(&self, extensions: Option<&str>) -> bool {
        match extensions {
            None => !self.deflate,
            Some(text) => {
                self.deflate
                    && text.starts_with("permessage-deflate")
                    && text.contains("server_no_context_takeover")
            }
        }
    }

    pub fn request(&self, key: &str) -> Vec<u8> {
        let Self { host, path, headers, .. } = self;
        let mut more: String = headers.iter().map(|field| format!("{field}\r\n")).collect();
        if self.is_v1 {
            more.push_str("Sec-WebSocket-Protocol: damso.v1\r\n");
        }
        if self.deflate {
            more.push_str(DEFLATE_OFFER);
        }
        format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
        )
        .into_bytes()
    }
}

/// An open connection, not blocking.
pub struct Open {
    pub link: Link,
    /// What came behind the server's answer, in the same read.
    pub glued: Vec<u8>,
}

/// Opens `count` connections, in order.
pub fn open(target: &Target, count: usize) -> Result<Vec<Open>, String> {
    let key =
        wire::base64(&std::array::from_fn::<u8, 16, _>(|at| at as u8 ^ std::process::id() as u8));
    let request = target.request(&key);
    let accept = wire::accept(&key);
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(failed("epoll_create"))?;
    let mut sources = Sources::new(target.address);
    let mut opening: Vec<(Link, Vec<u8>, bool)> = Vec::with_capacity(count);
    let mut glued: Vec<Option<Vec<u8>>> = vec![None; count];
    let mut events = Vec::with_capacity(OPENING_MAX);
    let (mut buffer, mut scratch) = ([0; 16 * 1024], [0; 16 * 1024]);
    let mut done = 0;
    let mut progress = Instant::now();
    while done < count {
        while opening.len() < count && opening.len() - done < OPENING_MAX {
            let socket = sources.connect().map_err(|error| {
                format!("connection {}: {error} (ulimit -n too low?)", opening.len() + 1)
            })?;
            let flags = EventFlags::IN | EventFlags::OUT | EventFlags::ET;
            let id = epoll::EventData::new_u64(opening.len() as u64);
            epoll::add(&epoll, &socket, id, flags).map_err(failed("epoll_ctl"))?;
            let link = Link::new(socket, target.address.ip(), target.trust.as_ref())?;
            opening.push((link, Vec::new(), false));
        }
        wait(&epoll, &mut events, 100)?;
        for event in &events {
            let (at, flags) = (event.data.u64() as usize, event.flags);
            let (link, head, asked) = &mut opening[at];
            let refused = |why: String| format!("connection {} of {count} refused: {why}", at + 1);
            if glued[at].is_some() {
                continue;
            }
            if !*asked && flags.contains(EventFlags::OUT) {
                sockopt::socket_error(&*link)
                    .and_then(|result| result)
                    .map_err(|error| refused(error.to_string()))?;
                sockopt::set_tcp_nodelay(&*link, true).map_err(failed("TCP_NODELAY"))?;
                match link.send(&request) {
                    Ok(sent) if sent == request.len() => *asked = true,
                    result => return Err(refused(format!("sending the request: {result:?}"))),
                }
            }
            loop {
                match link.receive(&mut buffer, &mut scratch) {
                    Ok(None) => {
                        return Err(refused(format!(
                            "closed after {:?}",
                            String::from_utf8_lossy(head)
                        )));
                    }
                    Ok(Some(received)) => {
                        head.extend_from_slice(&buffer[..received.bytes]);
                        if received.is_drained {
                            break;
                        }
                    }
                    Err(Errno::AGAIN) => break,
                    Err(error) => return Err(refused(error.to_string())),
                }
            }
            if let Some(end) = wire::head_end(head) {
                let rest = head.split_off(end);
                let text = String::from_utf8_lossy(head);
                let accepted = text.starts_with("HTTP/1.1 101 ")
                    && wire::field(&text, "sec-websocket-accept") == Some(&accept)
                    && target.agreed(wire::field(&text, "sec-websocket-extensions"));
                if !accepted {
                    let body = String::from_utf8_lossy(&rest);
                    return Err(refused(format!("{} {}", text.trim_end(), body.trim_end())));
                }
                epoll::delete(&epoll, &*link).map_err(failed("epoll_ctl"))?;
                glued[at] = Some(rest);
                done += 1;
                progress = Instant::now();
            } else if head.len() > HEAD_BYTES_MAX {
                return Err(refused("its head doesn't end".into()));
            }
        }
        if progress.elapsed() > PATIENCE {
            return Err(format!(
                "only {done} of {count} connections opened, none in the last {PATIENCE:?}"
            ));
        }
    }
    let opened = opening.into_iter().zip(glued);
    Ok(opened.map(|((link, ..), glued)| Open { link, glued: glued.unwrap_or_default() }).collect())
}

/// Waits for events, at most so long; -1 is for ever.
pub fn wait(
    epoll: &OwnedFd,
    events: &mut Vec<epoll::Event>,
    at_most_ms: i64,
) -> Result<(), String> {
    events.clear();
    let timeout = rustix::time::Timespec {
        tv_sec: at_most_ms / 1000,
        tv_nsec: at_most_ms % 1000 * 1_000_000,
    };
    let timeout = (at_most_ms >= 0).then_some(&timeout);
    match epoll::wait(epoll, rustix::buffer::spare_capacity(events), timeout) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(failed("epoll_wait")(error)),
    }
}

pub fn failed(what: &'static str) -> impl Fn(Errno) -> String {
    move |error| format!("{what}: {error}")
}

/// Raises the soft limit of open files to the hard one.
pub fn raise_descriptor_limit() {
    let mut limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current = limit.maximum;
    // Where that is refused, opening the connections says what is wrong.
    let _ = rustix::process::setrlimit(rustix::process::Resource::Nofile, limit);
}

/// One address has some 28,000 ports; a loopback target can be reached from 16 million addresses.
pub struct Sources {
    target: SocketAddr,
    /// 127.0.0.n; 0: the kernel chooses.
    last_byte: u8,
}

impl Sources {
    pub fn new(target: SocketAddr) -> Self {
        Self { target, last_byte: 0 }
    }

    /// A socket that is connecting.
    pub fn connect(&mut self) -> Result<OwnedFd, Errno> {
        loop {
            let family =
                if self.target.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
            let connected =
                self.bind(&socket).and_then(|()| rustix::net::connect(&socket, &self.target));
            match connected {
                Ok(()) | Err(Errno::INPROGRESS) => return Ok(socket),
                Err(Errno::ADDRNOTAVAIL | Errno::ADDRINUSE)
                    if self.is_loopback() && self.last_byte < 250 =>
                {
                    self.last_byte = self.last_byte.max(1) + 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn bind(&self, socket: &OwnedFd) -> Result<(), Errno> {
        if self.last_byte == 0 {
            return Ok(());
        }
        rustix::net::bind(socket, &SocketAddr::from((Ipv4Addr::new(127, 0, 0, self.last_byte), 0)))
    }

    fn is_loopback(&self) -> bool {
        matches!(self.target.ip(), IpAddr::V4(address) if address.is_loopback())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_needs_no_more_than_its_port() {
        for (text, path) in [
            ("127.0.0.1:8765", "/ws"),
            ("ws://127.0.0.1:8765", "/ws"),
            ("ws://127.0.0.1:8765/", "/"),
            ("ws://127.0.0.1:8765/chat?room=1", "/chat?room=1"),
        ] {
            let target = Target::parse(text).unwrap();
            assert_eq!(
                (target.address.to_string().as_str(), target.path.as_str()),
                ("127.0.0.1:8765", path)
            );
        }
        assert!(Target::parse("wss://127.0.0.1:8765").is_err());
    }
}
