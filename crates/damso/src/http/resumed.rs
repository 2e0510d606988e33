//! A connection that a shard has begun, as hyper reads and writes it.

use crate::tls::{Stream, Tls};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What one read of a socket with TLS may bring, in bytes: a whole record.
const READ_BYTES: usize = 18 * 1024;

/// A socket some of whose bytes were read before, and which fails if it takes no byte for too
/// long: places are few, and somebody who never reads must not keep one. Its TLS comes along, and
/// goes on with it to a shard.
pub(super) struct Resumed {
    /// Plaintext that isn't given on yet, from `at` on.
    received: Vec<u8>,
    at: usize,
    socket: TcpStream,
    tls: Option<Box<Tls>>,
    blocked_max: Duration,
    /// It took nothing; until when it may do so.
    blocked: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl Resumed {
    /// A connection that has brought `received` so far. To be called on the runtime that will
    /// watch it.
    ///
    /// # Errors
    /// The runtime can't watch it.
    pub(super) fn new(
        stream: Stream,
        received: Vec<u8>,
        blocked_max: Duration,
    ) -> io::Result<Self> {
        let (socket, tls) = stream.into_parts();
        let socket = TcpStream::from_std(socket)?;
        Ok(Self { received, at: 0, socket, tls, blocked_max, blocked: None })
    }

    /// The stream, for a shard; what it has brought and nobody has read is appended to `received`.
    ///
    /// # Errors
    /// The runtime doesn't give it back.
    pub(super) fn into_stream(self, received: &mut Vec<u8>) -> io::Result<Stream> {
        received.extend_from_slice(&self.received[self.at..]);
        Ok(Stream::new(self.socket.into_std()?, self.tls))
    }

    /// Reads the socket until TLS has plaintext of it, or the end.
    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(tls) = &mut self.tls else { return Poll::Ready(Ok(())) };
        (self.received, self.at) = (Vec::new(), 0);
        while self.received.is_empty() && !tls.heard_end() {
            let mut bytes = [0; READ_BYTES];
            let mut into = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut self.socket).poll_read(context, &mut into))?;
            if into.filled().is_empty() {
                break;
            }
            let read = tls.receive(into.filled_mut(), &mut self.received);
            // What TLS answers goes out now, or with what is written next.
            while !tls.pending().is_empty()
                && let Ok(count) = self.socket.try_write(tls.pending())
            {
                tls.sent(count);
            }
            read.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Writes what TLS has pending.
    fn poll_drain(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(tls) = &mut self.tls else { return Poll::Ready(Ok(())) };
        while !tls.pending().is_empty() {
            let count = ready!(Pin::new(&mut self.socket).poll_write(context, tls.pending()))?;
            tls.sent(count);
            self.blocked = None;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_send(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_drain(context))?;
        let Some(tls) = &mut self.tls else {
            return Pin::new(&mut self.socket).poll_write(context, bytes);
        };
        let sealed = tls.seal(bytes);
        let sealed = sealed.map_err(|error| io::Error::new(io::ErrorKind::NotConnected, error))?;
        if let Poll::Ready(Err(error)) = self.poll_drain(context) {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(sealed))
    }

    /// What came of a write, or a failure if it has come to nothing for too long.
    fn in_time<T>(
        &mut self,
        context: &mut Context<'_>,
        result: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.blocked = None;
            return result;
        }
        let deadline =
            self.blocked.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.blocked_max)));
        deadline.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Resumed {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.at == this.received.len() {
            if this.tls.is_none() {
                return Pin::new(&mut this.socket).poll_read(context, into);
            }
            ready!(this.poll_receive(context))?;
        }
        let left = &this.received[this.at..];
        let count = left.len().min(into.remaining());
        into.put_slice(&left[..count]);
        this.at += count;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Resumed {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let sent = this.poll_send(context, bytes);
        this.in_time(context, sent)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let drained = this.poll_drain(context);
        this.in_time(context, drained)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Some(tls) = &mut this.tls {
            tls.close();
        }
        let drained = this.poll_drain(context);
        ready!(this.in_time(context, drained))?;
        Pin::new(&mut this.socket).poll_shutdown(context)
    }
}
