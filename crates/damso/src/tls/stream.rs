//! A socket, with TLS or without. Without, it costs a branch.

use super::Tls;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use tracing::debug;

/// A non-blocking socket, perhaps with the TLS that is spoken on it.
pub struct Stream {
    socket: TcpStream,
    tls: Option<Box<Tls>>,
}

/// What streams are read into: one serves all of a thread's.
pub struct ReadBuffer {
    bytes: Vec<u8>,
    plaintext: Vec<u8>,
}

impl ReadBuffer {
    /// A buffer for reads of `size` bytes.
    pub fn new(size: usize) -> Self {
        Self { bytes: vec![0; size], plaintext: Vec::new() }
    }
}

/// What a read brought.
pub enum Received<'a> {
    /// Bytes; none if there is nothing for anybody above TLS.
    Bytes {
        /// The plaintext.
        bytes: &'a mut [u8],
        /// More may be there already, which the socket tells of no more.
        more: bool,
    },
    /// The peer has ended its side.
    End,
}

impl Stream {
    /// A non-blocking socket on which `tls` is spoken, if that is anything.
    pub fn new(socket: TcpStream, tls: Option<Box<Tls>>) -> Self {
        Self { socket, tls }
    }

    /// The socket and its TLS, to go on elsewhere by [`Stream::new`].
    pub fn into_parts(self) -> (TcpStream, Option<Box<Tls>>) {
        (self.socket, self.tls)
    }

    /// Whether TLS is spoken on it.
    pub fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    /// Whether the peer has said by TLS that nothing more comes: no readiness of the socket tells
    /// of that.
    pub fn heard_end(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.heard_end())
    }

    /// Whether the socket still has to take something that was written.
    pub fn has_pending(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| !tls.pending().is_empty())
    }

    /// Reads the socket once. Whatever TLS has to say to that is written, or is pending.
    ///
    /// # Errors
    /// The socket's, as [`io::ErrorKind::WouldBlock`], or the peer broke a rule of TLS.
    #[inline]
    pub fn read<'a>(&mut self, into: &'a mut ReadBuffer) -> io::Result<Received<'a>> {
        if let Some(tls) = &mut self.tls {
            return read_tls(&self.socket, tls, into);
        }
        match self.socket.read(&mut into.bytes)? {
            0 => Ok(Received::End),
            count => Ok(Received::Bytes {
                more: count == into.bytes.len(),
                bytes: &mut into.bytes[..count],
            }),
        }
    }

    /// Takes in what somebody else has read from the socket, which is overwritten, and returns what
    /// it says. Whatever TLS has to say to that is written, or is pending.
    ///
    /// # Errors
    /// The peer broke a rule of TLS.
    pub fn receive<'a>(
        &mut self,
        bytes: &'a mut [u8],
        plaintext: &'a mut Vec<u8>,
    ) -> io::Result<&'a mut [u8]> {
        let Some(tls) = &mut self.tls else { return Ok(bytes) };
        receive_tls(&self.socket, tls, bytes, plaintext)?;
        Ok(plaintext)
    }

    /// Writes as much of `bytes` as the socket takes, and what it takes too much by TLS for, which
    /// then is pending. It takes less than all only if the socket is full.
    ///
    /// # Errors
    /// The socket's; [`io::ErrorKind::WouldBlock`] also while something is pending. And
    /// [`io::ErrorKind::NotConnected`] where TLS isn't ready to carry anything.
    #[inline]
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.socket.write(bytes),
            Some(tls) => write_tls(&self.socket, tls, bytes),
        }
    }

    /// Writes what is pending; whether nothing is any more.
    ///
    /// # Errors
    /// The socket's, but for a full one.
    pub fn flush(&mut self) -> io::Result<bool> {
        let Some(tls) = &mut self.tls else { return Ok(true) };
        let flushed = flush(&self.socket, tls)?;
        if flushed && tls.is_shutting {
            // It may be gone already, which reading will tell.
            let _ = self.socket.shutdown(Shutdown::Write);
        }
        Ok(flushed)
    }

    /// Says that nothing more will be written, and ends the socket's side once what is pending is
    /// out.
    pub fn shutdown_write(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.close();
            tls.is_shutting = true;
            // A failure is a reset, which reading will tell.
            let _ = self.flush();
        } else {
            // It may be gone already, which reading will tell.
            let _ = self.socket.shutdown(Shutdown::Write);
        }
    }
}

impl AsRawFd for Stream {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[inline(never)]
fn read_tls<'a>(
    mut socket: &TcpStream,
    tls: &mut Tls,
    into: &'a mut ReadBuffer,
) -> io::Result<Received<'a>> {
    if tls.heard_end() {
        return Ok(Received::End);
    }
    let count = socket.read(&mut into.bytes)?;
    if count == 0 {
        // Without close_notify: whether something is missing, what is spoken above TLS knows.
        return Ok(Received::End);
    }
    receive_tls(socket, tls, &mut into.bytes[..count], &mut into.plaintext)?;
    let more = count == into.bytes.len() || tls.heard_end();
    Ok(Received::Bytes { bytes: &mut into.plaintext, more })
}

fn receive_tls(
    socket: &TcpStream,
    tls: &mut Tls,
    bytes: &mut [u8],
    plaintext: &mut Vec<u8>,
) -> io::Result<()> {
    plaintext.clear();
    let was_open = tls.is_open();
    if let Err(error) = tls.receive(bytes, plaintext) {
        debug!(%error, "TLS failed");
        if was_open {
            // The alert goes out if there is room for it.
            let _ = flush(socket, tls);
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        // It reads why before it ends its side, or the head's deadline ends it.
        tls.is_shutting = true;
    }
    if flush(socket, tls)? && tls.is_shutting {
        // As above: reading tells.
        let _ = socket.shutdown(Shutdown::Write);
    }
    Ok(())
}

#[inline(never)]
fn write_tls(socket: &TcpStream, tls: &mut Tls, bytes: &[u8]) -> io::Result<usize> {
    let mut taken = 0;
    while flush(socket, tls)? && taken < bytes.len() {
        let sealed = tls.seal(&bytes[taken..]);
        taken += sealed.map_err(|error| io::Error::new(io::ErrorKind::NotConnected, error))?;
    }
    if taken == 0 && !bytes.is_empty() {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    Ok(taken)
}

/// Writes what is pending until the socket is full; whether nothing is any more.
fn flush(mut socket: &TcpStream, tls: &mut Tls) -> io::Result<bool> {
    while !tls.pending().is_empty() {
        match socket.write(tls.pending()) {
            Ok(count) => tls.sent(count),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => return Ok(false),
                io::ErrorKind::Interrupted => {}
                _ => {
                    // What can't go out isn't tried again, so that this is said once.
                    tls.abandon();
                    return Err(error);
                }
            },
        }
    }
    Ok(true)
}
