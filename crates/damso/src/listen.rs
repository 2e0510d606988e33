//! Listening sockets: where, under which addresses people can open them, and what to do when a
//! port is taken.

use crate::process::Failure;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

/// The port of the tutorial.
const PORT: u16 = 8765;
/// Where damso listens if nothing else is said, on the older of the two loopback addresses.
pub const DEFAULT: &str = "127.0.0.1:8765";
/// Connections the system keeps waiting for us, if it is asked for so many.
const BACKLOG: i32 = 4096;
/// What a process that was killed had asked of io_uring the kernel calls off when it comes to it:
/// until then its listeners are there, and whoever starts it again at once finds the port taken.
const LET_GO_MAX: Duration = Duration::from_secs(2);
/// How often another port is picked when one that was picked is taken for a second address.
const PICKS_MAX: usize = 20;

/// Bound listeners.
pub struct Listening {
    /// The sockets, non-blocking.
    pub listeners: Vec<TcpListener>,
    /// The addresses that people can open, as URLs.
    pub urls: Vec<String>,
    /// The address for others in the network, with `--lan`.
    pub lan_url: Option<String>,
}

/// Listens on each of `wanted` (`host:port`), or where damso listens by default, and with `lan`
/// on the network address too; `secure` says whether they are opened by https. Of a name's addresses and of the default ones, those that this
/// machine doesn't have are left out as long as one works.
///
/// # Errors
/// A sentence that says what to do.
pub fn listen(wanted: &[String], lan: bool, secure: bool) -> Result<Listening, Failure> {
    let mut groups = Vec::new();
    for text in wanted {
        groups.push(addresses(text)?);
    }
    if groups.is_empty() {
        let both = [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()];
        groups.push(both.map(|ip| SocketAddr::new(ip, PORT)).to_vec());
    }
    let mut listeners = Vec::new();
    for group in &groups {
        listeners.extend(bind_group(group, &groups)?);
    }
    let mut lan_url = None;
    if lan {
        let port = local(&listeners[0])?.port();
        let address = network_address().ok_or_else(|| {
            Failure::other("--lan found no network address on this machine; is it connected?")
        })?;
        let address = SocketAddr::new(address, port);
        let covered = listeners.iter().any(|listener| {
            listener.local_addr().is_ok_and(|own| own.ip().is_unspecified() || own == address)
        });
        if !covered {
            listeners.extend(bind_group(&[address], &groups)?);
        }
        lan_url = Some(url(address, secure));
    }
    let mut urls = Vec::new();
    for listener in &listeners {
        for address in openable(local(listener)?) {
            let url = url(address, secure);
            if !urls.contains(&url) {
                urls.push(url);
            }
        }
    }
    Ok(Listening { listeners, urls, lan_url })
}

fn addresses(text: &str) -> Result<Vec<SocketAddr>, Failure> {
    match text.to_socket_addrs() {
        Ok(found) => {
            let mut addresses: Vec<SocketAddr> = found.collect();
            addresses.sort_by_key(SocketAddr::is_ipv6);
            addresses.dedup();
            if addresses.is_empty() {
                return Err(Failure::usage(format!("--listen {text}: the name has no address")));
            }
            Ok(addresses)
        }
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Err(Failure::usage(format!(
            "--listen {text:?} is not of the form ADDR:PORT, as in 127.0.0.1:8765 or [::1]:8765"
        ))),
        Err(error) => Err(Failure::usage(format!("--listen {text}: {error}"))),
    }
}

/// Binds addresses that belong together: with port 0 they get the same one.
fn bind_group(group: &[SocketAddr], all: &[Vec<SocketAddr>]) -> Result<Vec<TcpListener>, Failure> {
    let v4_everywhere = |port: u16| {
        all.iter()
            .flatten()
            .any(|other| other.is_ipv4() && other.ip().is_unspecified() && other.port() == port)
    };
    let mut picks = 0;
    'pick: loop {
        let mut listeners: Vec<TcpListener> = Vec::new();
        let mut failure = None;
        for &wanted in group {
            let mut address = wanted;
            if wanted.port() == 0
                && let Some(first) = listeners.first()
            {
                address.set_port(local(first)?.port());
            }
            let patience = if wanted.port() == 0 { Duration::ZERO } else { LET_GO_MAX };
            match bind(address, v4_everywhere(wanted.port()), patience) {
                Ok(listener) => listeners.push(listener),
                Err(error) if group.len() > 1 && is_absent(&error) => {
                    failure = Some((address, error));
                }
                Err(error)
                    if wanted.port() == 0
                        && !listeners.is_empty()
                        && error.kind() == io::ErrorKind::AddrInUse
                        && picks < PICKS_MAX =>
                {
                    picks += 1;
                    continue 'pick;
                }
                Err(error) => return Err(cannot_listen(address, &error)),
            }
        }
        return match failure {
            Some((address, error)) if listeners.is_empty() => Err(cannot_listen(address, &error)),
            _ => Ok(listeners),
        };
    }
}

/// The machine has no such address, or no such kind of address.
fn is_absent(error: &io::Error) -> bool {
    let unsupported = rustix::io::Errno::AFNOSUPPORT.raw_os_error();
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(unsupported)
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> Failure {
    let (ip, port) = (address.ip(), address.port());
    let ip = if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() };
    Failure::other(match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "port {port} on {ip} is taken, perhaps by another damso; stop that one, or choose \
             another port, as in --listen {ip}:{}",
            if port == u16::MAX { port - 1 } else { port + 1 }
        ),
        io::ErrorKind::PermissionDenied => format!(
            "port {port} is for administrators; choose one above 1023, as in --listen {ip}:{PORT}"
        ),
        io::ErrorKind::AddrNotAvailable => {
            format!("this machine has no address {ip}; see its own with `ip address`")
        }
        _ => format!("can't listen on {address}: {error}"),
    })
}

/// Binds, and waits for so long for whoever has the port to let go of it.
fn bind(address: SocketAddr, v6_only: bool, patience: Duration) -> io::Result<TcpListener> {
    let by = Instant::now() + patience;
    loop {
        match try_bind(address, v6_only) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < by => {
                thread::sleep(Duration::from_millis(20));
            }
            result => return result,
        }
    }
}

fn try_bind(address: SocketAddr, v6_only: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // So that a restart needn't wait for the last connections' TIME_WAIT.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(v6_only)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn local(listener: &TcpListener) -> Result<SocketAddr, Failure> {
    listener
        .local_addr()
        .map_err(|error| Failure::other(format!("a listening socket has no address: {error}")))
}

/// What one types into a browser to reach `address`: for a wildcard, loopback and the network's.
fn openable(address: SocketAddr) -> Vec<SocketAddr> {
    if !address.ip().is_unspecified() {
        return vec![address];
    }
    let loopback = [IpAddr::from(Ipv4Addr::LOCALHOST)];
    let network = network_address();
    loopback.into_iter().chain(network).map(|ip| SocketAddr::new(ip, address.port())).collect()
}

/// The address by which others in the network see this machine: that of the route outwards. No
/// packet is sent.
fn network_address() -> Option<IpAddr> {
    let probe = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    // An address that is for documentation alone (RFC 5737).
    probe.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    let ip = probe.local_addr().ok()?.ip();
    (!ip.is_loopback() && !ip.is_unspecified()).then_some(ip)
}

fn url(address: SocketAddr, secure: bool) -> String {
    format!("{}://{address}", if secure { "https" } else { "http" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_port_0_gets_one_port_for_all_its_addresses() {
        let Ok(listening) = listen(&["localhost:0".into()], false, false) else { panic!() };
        let ports: Vec<u16> =
            listening.listeners.iter().map(|one| one.local_addr().unwrap().port()).collect();
        assert!(ports.iter().all(|port| *port == ports[0] && *port != 0), "{ports:?}");
    }

    #[test]
    fn a_taken_port_is_told_with_a_way_out() {
        let held = TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = held.local_addr().unwrap();
        let Err(failure) = listen(&[taken.to_string()], false, false) else { panic!() };
        assert_eq!(failure.code, 1);
        assert!(failure.sentence.contains("is taken"), "{}", failure.sentence);
        assert!(failure.sentence.contains("--listen 127.0.0.1:"), "{}", failure.sentence);
    }

    #[test]
    fn an_address_that_is_none_is_bad_usage() {
        for text in ["nonsense", "127.0.0.1", "127.0.0.1:notaport", "127.0.0.1:99999", ""] {
            let Err(failure) = listen(&[text.into()], false, false) else { panic!("{text}") };
            assert_eq!(failure.code, 2, "{text}: {}", failure.sentence);
        }
    }

    #[test]
    fn a_wildcard_is_told_as_addresses_one_can_open() {
        let Ok(listening) = listen(&["0.0.0.0:0".into()], false, false) else { panic!() };
        assert!(listening.urls[0].starts_with("http://127.0.0.1:"), "{:?}", listening.urls);
        assert!(listening.urls.iter().all(|url| !url.contains("0.0.0.0")));
    }
}
