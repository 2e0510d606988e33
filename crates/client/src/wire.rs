//! A server's address, and the blocking socket to it, with TLS or without.

// The rim, as `driver` is.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Where a server is, by its URL.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Address {
    /// As it stands in `Host`.
    pub host: String,
    /// To connect to, with a port.
    pub endpoint: String,
    /// The path, and what follows it; empty if there is none.
    pub target: String,
    /// It is reached by TLS.
    pub secure: bool,
}

impl Address {
    /// Reads `ws://HOST[:PORT][/PATH]`, or the same with `wss`, `http` or `https`. None, if it
    /// is nothing like that.
    pub fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let (secure, port) = match &*scheme.to_ascii_lowercase() {
            "ws" | "http" => (false, 80),
            "wss" | "https" => (true, 443),
            _ => return None,
        };
        let (host, target) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        // The colons of an IPv6 address stand in brackets.
        let has_port = host.rfind(':').is_some_and(|at| at > host.rfind(']').unwrap_or(0));
        let endpoint = if has_port { host.to_owned() } else { format!("{host}:{port}") };
        let (host, target) = (host.to_owned(), target.to_owned());
        (!host.is_empty()).then_some(Self { host, endpoint, target, secure })
    }

    /// The host without port and brackets, as it stands in a certificate.
    pub fn name(&self) -> &str {
        let name = self.endpoint.rsplit_once(':').map_or(&*self.endpoint, |(name, _)| name);
        name.trim_start_matches('[').trim_end_matches(']')
    }

    /// [`Address::name`], if it is reached by TLS: what [`Wire::connect`] wants to know.
    pub fn tls_name(&self) -> Option<&str> {
        self.secure.then(|| self.name())
    }
}

/// A blocking socket, perhaps with TLS.
pub enum Wire {
    /// Without.
    Plain(TcpStream),
    /// With.
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Wire {
    /// Connects, and with `tls_name` does the TLS handshake with the server of that name. Whom to
    /// trust the system says, or the file that `SSL_CERT_FILE` names.
    ///
    /// # Errors
    /// The system's, or a sentence about the server's certificate.
    pub fn connect(
        address: SocketAddr,
        tls_name: Option<&str>,
        deadline: Instant,
    ) -> io::Result<Self> {
        let mut socket = TcpStream::connect_timeout(&address, left(deadline))?;
        socket.set_nodelay(true)?;
        let Some(name) = tls_name else { return Ok(Self::Plain(socket)) };
        let name = ServerName::try_from(name.to_owned())
            .map_err(|_| bad(format!("{name} can't be the name of a server")))?;
        let mut tls =
            ClientConnection::new(config()?, name).map_err(|error| bad(explain(&error)))?;
        while tls.is_handshaking() {
            if Instant::now() >= deadline {
                return Err(ErrorKind::TimedOut.into());
            }
            socket.set_read_timeout(Some(left(deadline)))?;
            socket.set_write_timeout(Some(left(deadline)))?;
            // One call of the socket at a time: rustls's own loops look at no deadline.
            if tls.wants_write() {
                tls.write_tls(&mut socket)?;
            } else {
                take_in(&mut tls, &mut socket)?;
            }
        }
        Ok(Self::Tls(Box::new(StreamOwned::new(tls, socket))))
    }

    /// The socket below.
    pub fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => &stream.sock,
        }
    }

    /// Whether the socket still has to take something that was written.
    pub fn has_pending(&self) -> bool {
        matches!(self, Self::Tls(stream) if stream.conn.wants_write())
    }

    /// Ends our side.
    ///
    /// # Errors
    /// The socket's, which may be gone.
    pub fn shutdown_write(&mut self) -> io::Result<()> {
        if let Self::Tls(stream) = self {
            stream.conn.send_close_notify();
        }
        self.flush()?;
        self.socket().shutdown(Shutdown::Write)
    }
}

impl Read for Wire {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(into),
            Self::Tls(stream) => read_tls(stream, into),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(stream) => {
                // Not by the stream's own way, which reads where it can't write.
                let StreamOwned { conn, sock } = &mut **stream;
                while conn.wants_write() {
                    conn.write_tls(sock)?;
                }
                let count = conn.writer().write(bytes)?;
                // What the socket doesn't take now is pending; a failure comes again.
                while conn.wants_write() && conn.write_tls(sock).is_ok() {}
                Ok(count)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(stream) => {
                while stream.conn.wants_write() {
                    stream.conn.write_tls(&mut stream.sock)?;
                }
                Ok(())
            }
        }
    }
}

/// Reads until there is something of it, or the socket's timeout is over: a peer may send a byte of a
/// record at a time.
fn read_tls(
    StreamOwned { conn, sock }: &mut StreamOwned<ClientConnection, TcpStream>,
    into: &mut [u8],
) -> io::Result<usize> {
    let by = sock.read_timeout()?.and_then(|most| Instant::now().checked_add(most));
    loop {
        match conn.reader().read(into) {
            // Whether something is missing, what is spoken above TLS knows.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            result => return result,
        }
        if by.is_some_and(|by| by <= Instant::now()) {
            return Err(ErrorKind::WouldBlock.into());
        }
        if conn.wants_write()
            && let Err(error) = conn.write_tls(sock)
            && !matches!(
                error.kind(),
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
            )
        {
            return Err(error);
        }
        take_in(conn, sock)?;
    }
}

/// Reads the socket once.
fn take_in(tls: &mut ClientConnection, socket: &mut TcpStream) -> io::Result<()> {
    if tls.read_tls(socket)? == 0 && tls.is_handshaking() {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    if let Err(error) = tls.process_new_packets() {
        // It is told why, if it listens.
        let _ = tls.write_tls(socket);
        return Err(bad(explain(&error)));
    }
    Ok(())
}

/// Whom to trust; read once.
fn config() -> io::Result<Arc<ClientConfig>> {
    static CONFIG: OnceLock<Result<Arc<ClientConfig>, String>> = OnceLock::new();
    let make = || {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        let (usable, _) = roots.add_parsable_certificates(found.certs);
        if usable == 0 {
            let why = found.errors.first().map_or(String::new(), |error| format!(" ({error})"));
            return Err(format!(
                "this machine has no certificates of those to trust{why}: install the package \
                 ca-certificates, or name a file of them in SSL_CERT_FILE"
            ));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    };
    CONFIG.get_or_init(make).clone().map_err(bad)
}

/// What is wrong with a server's TLS, and what to do about it.
fn explain(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(wrong) => match wrong {
            CertificateError::UnknownIssuer => {
                "the server's certificate is from nobody that this machine trusts; SSL_CERT_FILE \
                 may name a file of those to trust"
                    .into()
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "the server's certificate has expired".into()
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "the server's certificate is for another name".into()
            }
            // A name in a certificate alone says nothing: another's key made that one.
            CertificateError::BadSignature
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
                explain(&CertificateError::UnknownIssuer.into())
            }
            _ if format!("{wrong:?}").contains("CaUsedAsEndEntity") => {
                "the server's certificate is made for an authority, not for a server: make one \
                 with basicConstraints=CA:FALSE"
                    .into()
            }
            _ => format!("the server's certificate can't be trusted: {error}"),
        },
        rustls::Error::InvalidMessage(_) => "the server doesn't speak TLS there".into(),
        _ => error.to_string(),
    }
}

fn bad(sentence: String) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, sentence)
}

/// The time until `deadline`, but not none, which would mean for ever.
pub(crate) fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_scheme_a_port_and_a_path() {
        for (url, host, endpoint, name, target, secure) in [
            ("ws://a:8765/ws", "a:8765", "a:8765", "a", "/ws", false),
            ("http://a", "a", "a:80", "a", "", false),
            ("wss://a", "a", "a:443", "a", "", true),
            ("HTTPS://a:1/", "a:1", "a:1", "a", "/", true),
            ("ws://[::1]:8765/chat", "[::1]:8765", "[::1]:8765", "::1", "/chat", false),
            ("wss://[::1]?x", "[::1]", "[::1]:443", "::1", "?x", true),
        ] {
            let address = Address::parse(url).unwrap();
            let found = (&*address.host, &*address.endpoint, address.name(), &*address.target);
            assert_eq!(found, (host, endpoint, name, target), "{url}");
            assert_eq!(address.secure, secure, "{url}");
        }
        for url in ["ftp://a", "a:8765", "ws://", "ws:///ws", "://a"] {
            assert!(Address::parse(url).is_none(), "{url}");
        }
    }
}
