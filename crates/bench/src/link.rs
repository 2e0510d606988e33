//! A connection's socket, with TLS over it where the target wants that.

use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;
use std::sync::Arc;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

/// Whom to believe that it is the server.
#[derive(Clone, Debug)]
pub struct Trust(Arc<ClientConfig>);

impl Trust {
    /// Certificates that those of a PEM file vouch for; TLS 1.3 only.
    ///
    /// # Errors
    /// A sentence, when the file can't be read or holds no certificate.
    pub fn in_file(path: &Path) -> Result<Self, String> {
        let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(path).map_err(|error| failed(&error))? {
            let certificate = certificate.map_err(|error| failed(&error))?;
            roots.add(certificate).map_err(|error| failed(&error))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|error| failed(&error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }
}

/// A socket that doesn't block.
pub struct Link {
    socket: OwnedFd,
    tls: Option<Box<ClientConnection>>,
}

/// What a read brought.
pub struct Received {
    pub bytes: usize,
    /// The socket had no more.
    pub is_drained: bool,
}

impl Link {
    /// `trust`: whether and how it is enciphered; the server has to have a certificate for its address.
    ///
    /// # Errors
    /// What rustls says.
    pub fn new(
        socket: OwnedFd,
        address: std::net::IpAddr,
        trust: Option<&Trust>,
    ) -> Result<Self, String> {
        let begin =
            |trust: &Trust| ClientConnection::new(trust.0.clone(), ServerName::from(address));
        let tls = trust.map(begin).transpose().map_err(|error| error.to_string())?;
        Ok(Self { socket, tls: tls.map(Box::new) })
    }

    /// The socket alone.
    ///
    /// # Errors
    /// A sentence, when there is TLS over it.
    pub fn into_socket(self) -> Result<OwnedFd, String> {
        match self.tls {
            None => Ok(self.socket),
            Some(_) => Err("this load isn't measured over TLS".into()),
        }
    }

    /// Reads once; `None` at the end. `scratch` is for what is enciphered, and at most as long as `buffer`.
    pub fn receive(
        &mut self,
        buffer: &mut [u8],
        scratch: &mut [u8],
    ) -> Result<Option<Received>, Errno> {
        let Some(tls) = &mut self.tls else {
            let (bytes, _) = rustix::net::recv(&self.socket, &mut *buffer, RecvFlags::empty())?;
            let is_drained = bytes < buffer.len();
            return Ok((bytes > 0).then_some(Received { bytes, is_drained }));
        };
        let (read, _) = rustix::net::recv(&self.socket, &mut *scratch, RecvFlags::empty())?;
        if read == 0 {
            return Ok(None);
        }
        let (mut rest, mut bytes) = (&scratch[..read], 0);
        while !rest.is_empty() {
            tls.read_tls(&mut rest).map_err(|_| Errno::PROTO)?;
            tls.process_new_packets().map_err(|_| Errno::PROTO)?;
            loop {
                match tls.reader().read(&mut buffer[bytes..]) {
                    Ok(0) => break,
                    Ok(more) => bytes += more,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(_) => return Err(Errno::PROTO),
                }
            }
        }
        self.flush()?;
        Ok(Some(Received { bytes, is_drained: read < scratch.len() }))
    }

    /// Takes all that is there, up to `buffer`'s length and without looking at it: how much. TCP doesn't copy it then.
    pub fn throw_away(&mut self, buffer: &mut [u8]) -> Result<usize, Errno> {
        Ok(rustix::net::recv(&self.socket, buffer, RecvFlags::TRUNC)?.1)
    }

    /// Sends what the socket takes: how much of it is to be thought of as sent.
    pub fn send(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        let Some(tls) = &mut self.tls else {
            return rustix::net::send(&self.socket, bytes, SendFlags::NOSIGNAL);
        };
        let taken = tls.writer().write(bytes).map_err(|_| Errno::PROTO)?;
        self.flush()?;
        if taken == 0 && !bytes.is_empty() { Err(Errno::AGAIN) } else { Ok(taken) }
    }

    /// Sends what was enciphered and the socket didn't take.
    pub fn flush(&mut self) -> Result<(), Errno> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        while tls.wants_write() {
            match tls.write_tls(&mut Sink(&self.socket)) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return Err(Errno::PIPE),
            }
        }
        Ok(())
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

struct Sink<'a>(&'a OwnedFd);

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::net::send(self.0, bytes, SendFlags::NOSIGNAL)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
