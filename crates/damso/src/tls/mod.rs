//! TLS (RFC 8446 and RFC 5246) below a connection, by rustls.
//!
//! [`Tls`] is one connection's state without I/O: what the socket brought goes in and plaintext
//! comes out, plaintext goes in and what the socket is to take comes out. [`Stream`] is a socket
//! with such a state, or without one. [`Certificate`] is what the server shows of itself.

mod certificate;
mod stream;

pub use certificate::Certificate;
pub use stream::{ReadBuffer, Received, Stream};

use damso_websocket::Rejection;
use rustls::ServerConfig;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus, WriteTraffic,
};
use std::fmt;
use std::sync::Arc;

/// Plaintext that is sealed at a time, in bytes: what a connection may have waiting for its socket
/// is this, and what its records add.
pub const SEAL_BYTES_MAX: usize = 64 * 1024;

/// The longest plaintext of a record, in bytes (RFC 8446, 5.1).
const RECORD_BYTES: usize = 16 * 1024;
/// What a record adds, in bytes, at most.
const RECORD_OVERHEAD: usize = 64;
/// Ciphertext that waits for more of its record, in bytes, at most: the longest record is shorter
/// (RFC 5246, 6.2.3), and no message of a client's handshake is nearly as long.
const INCOMPLETE_BYTES_MAX: usize = 20 * 1024;

/// What who speaks HTTP is told where TLS is spoken.
pub const NOT_PLAIN: &str = "this port speaks https: open the same address with https:// before it";

/// One connection's TLS, the server's side. No byte of it is kept that waits for nothing: an idle
/// connection has its keys alone.
pub struct Tls {
    connection: UnbufferedServerConnection,
    /// The beginning of a record.
    incomplete: Vec<u8>,
    /// For the socket, of which `at` bytes were taken.
    pending: Vec<u8>,
    at: usize,
    phase: Phase,
    /// The peer has said that nothing more comes.
    heard_end: bool,
    /// We have said so.
    said_end: bool,
    /// The socket is to be shut down once nothing is pending.
    is_shutting: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing has come yet.
    Silent,
    /// The handshake isn't done.
    Handshake,
    /// Plaintext goes both ways.
    Open,
    /// Something was wrong: what comes in is for nobody.
    Failed,
}

/// Why there is no TLS with a peer. What it is told of that is in [`Tls::pending`].
#[derive(Debug)]
pub enum TlsError {
    /// It speaks HTTP.
    NotTls,
    /// A record is longer than any may be.
    TooLong,
    /// It broke a rule, or speaks nothing that is spoken here.
    Rustls(rustls::Error),
    /// Nothing can be sealed now: the handshake isn't done, or has failed, or we have said that
    /// nothing more comes.
    NotOpen,
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotTls => f.write_str("HTTP where TLS is spoken"),
            Self::TooLong => f.write_str("a record is too long"),
            Self::Rustls(error) => write!(f, "{error}"),
            Self::NotOpen => f.write_str("the TLS handshake isn't done"),
        }
    }
}

impl std::error::Error for TlsError {}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        Self::Rustls(error)
    }
}

impl Tls {
    /// A connection on which nothing has come yet.
    ///
    /// # Errors
    /// A configuration that can't serve anybody.
    pub fn new(config: Arc<ServerConfig>) -> Result<Box<Self>, TlsError> {
        Ok(Box::new(Self {
            connection: UnbufferedServerConnection::new(config)?,
            incomplete: Vec::new(),
            pending: Vec::new(),
            at: 0,
            phase: Phase::Silent,
            heard_end: false,
            said_end: false,
            is_shutting: false,
        }))
    }

    /// Takes in what the socket brought, which is overwritten, and appends what it says to
    /// `plaintext`. All that can be read is read: nothing waits inside but the beginning of a
    /// record. Afterwards there may be something [pending](Self::pending).
    ///
    /// # Errors
    /// The peer can't be understood; from then on what it sends is ignored. What came before is in
    /// `plaintext`.
    pub fn receive(
        &mut self,
        ciphertext: &mut [u8],
        plaintext: &mut Vec<u8>,
    ) -> Result<(), TlsError> {
        match self.phase {
            Phase::Failed => return Ok(()),
            Phase::Silent => match ciphertext.first() {
                None => return Ok(()),
                // A record begins with its type, which is no letter; a method with one.
                Some(first) if first.is_ascii_alphabetic() => {
                    self.phase = Phase::Failed;
                    self.pending = Rejection::new(400, NOT_PLAIN).to_bytes();
                    return Err(TlsError::NotTls);
                }
                Some(_) => self.phase = Phase::Handshake,
            },
            Phase::Handshake | Phase::Open => {}
        }
        let went = if self.incomplete.is_empty() {
            // Most records come whole, and need no buffer.
            let went = self.advance(ciphertext, plaintext);
            if let Ok(done) = went {
                self.incomplete = ciphertext[done..].to_vec();
            }
            went
        } else {
            let mut joined = std::mem::take(&mut self.incomplete);
            joined.extend_from_slice(ciphertext);
            let went = self.advance(&mut joined, plaintext);
            if let Ok(done) = went {
                self.incomplete = joined[done..].to_vec();
            }
            went
        };
        if self.heard_end {
            // What comes after it is for nobody (RFC 8446, 6.1).
            self.incomplete = Vec::new();
        }
        let result = match went {
            Ok(_) if self.incomplete.len() > INCOMPLETE_BYTES_MAX => Err(TlsError::TooLong),
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        };
        if result.is_err() {
            (self.phase, self.incomplete) = (Phase::Failed, Vec::new());
        }
        result
    }

    /// Seals the beginning of `plaintext`, at most [`SEAL_BYTES_MAX`], in as few records as hold
    /// it, and says how many bytes that was: none while something is [pending](Self::pending).
    ///
    /// # Errors
    /// [`TlsError::NotOpen`], or the keys are used up.
    pub fn seal(&mut self, plaintext: &[u8]) -> Result<usize, TlsError> {
        if self.phase != Phase::Open || self.said_end {
            return Err(TlsError::NotOpen);
        }
        if !self.pending.is_empty() || plaintext.is_empty() {
            return Ok(0);
        }
        let count = plaintext.len().min(SEAL_BYTES_MAX);
        let records = count.div_ceil(RECORD_BYTES);
        self.pending.reserve_exact(count + records * RECORD_OVERHEAD);
        let sealed = self.write(|traffic, pending| traffic.encrypt(&plaintext[..count], pending));
        if sealed.is_err() {
            self.phase = Phase::Failed;
        }
        sealed.map(|()| count)
    }

    /// Says that nothing more comes from here (`close_notify`), after what is pending. A second
    /// time says nothing, and neither does a connection whose handshake isn't done.
    pub fn close(&mut self) {
        if self.phase == Phase::Open && !std::mem::replace(&mut self.said_end, true) {
            // Without it the end of the socket says the same, less surely.
            let _ = self.write(|traffic, pending| traffic.queue_close_notify(pending));
        }
    }

    /// Bytes for the socket, in order; empty when there are none.
    pub fn pending(&self) -> &[u8] {
        &self.pending[self.at..]
    }

    /// The socket took `count` bytes of [`Tls::pending`].
    pub fn sent(&mut self, count: usize) {
        self.at += count;
        if self.at >= self.pending.len() {
            (self.pending, self.at) = (Vec::new(), 0);
        }
    }

    /// The socket is gone: nothing is pending any more, and nothing is taken in.
    pub fn abandon(&mut self) {
        self.phase = Phase::Failed;
        (self.pending, self.at, self.incomplete) = (Vec::new(), 0, Vec::new());
    }

    /// Whether plaintext may go both ways.
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Whether something was wrong with the peer's bytes.
    pub fn has_failed(&self) -> bool {
        self.phase == Phase::Failed
    }

    /// Whether the peer has said that nothing more comes.
    pub fn heard_end(&self) -> bool {
        self.heard_end
    }

    /// Lets rustls go on with `bytes` for as long as it can; how many of them are done with.
    fn advance(&mut self, bytes: &mut [u8], plaintext: &mut Vec<u8>) -> Result<usize, TlsError> {
        let mut done = 0;
        loop {
            let UnbufferedStatus { mut discard, state } =
                self.connection.process_tls_records(&mut bytes[done..]);
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        discard += record.discard;
                        plaintext.extend_from_slice(record.payload);
                    }
                }
                Ok(ConnectionState::EncodeTlsData(data)) => encode(data, &mut self.pending)?,
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed) => self.heard_end = true,
                Ok(ConnectionState::BlockedHandshake) => return Ok(done + discard),
                Ok(ConnectionState::WriteTraffic(_)) => {
                    self.phase = Phase::Open;
                    return Ok(done + discard);
                }
                Ok(ConnectionState::Closed) => return Ok(bytes.len()),
                // No early data is offered, and there is nothing else.
                Ok(_) => return Err(TlsError::NotOpen),
                Err(error) => {
                    // The alert about it comes with the next call, and rustls must not be asked
                    // again after that: it would judge the same bytes a second time.
                    let UnbufferedStatus { state, .. } =
                        self.connection.process_tls_records(&mut bytes[done..]);
                    if let Ok(ConnectionState::EncodeTlsData(data)) = state {
                        encode(data, &mut self.pending)?;
                    }
                    return Err(error.into());
                }
            }
            done += discard;
        }
    }

    /// Has `seal` write behind what is pending.
    fn write(
        &mut self,
        mut seal: impl FnMut(&mut WriteTraffic<'_, Data>, &mut [u8]) -> Result<usize, EncryptError>,
    ) -> Result<(), TlsError> {
        loop {
            // Not an empty slice: rustls counts in what it has left lying there.
            let UnbufferedStatus { discard, state } =
                self.connection.process_tls_records(&mut self.incomplete);
            match state? {
                ConnectionState::EncodeTlsData(data) => encode(data, &mut self.pending)?,
                ConnectionState::TransmitTlsData(data) => data.done(),
                ConnectionState::PeerClosed => self.heard_end = true,
                ConnectionState::WriteTraffic(mut traffic) => {
                    let from = self.pending.len();
                    // What was reserved, or else little.
                    let room = self.pending.capacity().max(from + 2 * RECORD_OVERHEAD);
                    self.pending.resize(room, 0);
                    let mut sealed = seal(&mut traffic, &mut self.pending[from..]);
                    if let Err(EncryptError::InsufficientSize(needed)) = sealed {
                        self.pending.resize(from + needed.required_size, 0);
                        sealed = seal(&mut traffic, &mut self.pending[from..]);
                    }
                    self.pending.truncate(from + sealed.as_ref().map_or(0, |&count| count));
                    self.incomplete.drain(..discard);
                    return match sealed {
                        Ok(_) => Ok(()),
                        Err(_) => Err(rustls::Error::EncryptError.into()),
                    };
                }
                _ => return Err(TlsError::NotOpen),
            }
            self.incomplete.drain(..discard);
        }
    }
}

type Data = rustls::server::ServerConnectionData;

/// Appends what a handshake or an alert has to say.
fn encode(mut data: EncodeTlsData<'_, Data>, pending: &mut Vec<u8>) -> Result<(), TlsError> {
    let from = pending.len();
    let mut encoded = data.encode(&mut []);
    if let Err(EncodeError::InsufficientSize(needed)) = &encoded {
        pending.resize(from + needed.required_size, 0);
        encoded = data.encode(&mut pending[from..]);
    }
    // It is encoded once, into what it has asked for.
    encoded.map(drop).map_err(|_| rustls::Error::EncryptError.into())
}

#[cfg(test)]
mod tests;
