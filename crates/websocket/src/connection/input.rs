//! The events in a piece of input.

use std::ops::Range;
use std::time::Instant;

use super::{Connection, Event, State};
use crate::close;
use crate::frame::{HEADER_BYTES_MAX, Header};
use crate::message::PartialFrame;
use crate::{Opcode, Violation, mask};

/// The events in a piece of input, drained by [`next`](Self::next) until there is none. Dropping it
/// earlier loses the bytes that weren't looked at.
#[must_use = "the bytes are consumed as the events are drained"]
pub struct Input<'a> {
    connection: &'a mut Connection,
    input: &'a mut [u8],
    /// 0 <= at <= input.len(): what was looked at.
    at: usize,
    now: Instant,
}

/// An event whose payload isn't borrowed yet.
enum Found {
    Frame(Opcode, Payload),
    Close,
}

/// Where a payload lies, unmasked.
enum Payload {
    /// In the input just passed. Text was validated.
    Input(Range<usize>),
    /// In `partial.message`, which is finished; if text, validated.
    Message,
    /// In `partial.control`.
    Control,
}

impl<'a> Input<'a> {
    pub(super) fn new(connection: &'a mut Connection, input: &'a mut [u8], now: Instant) -> Self {
        Input { connection, input, at: 0, now }
    }

    /// The next event; `None`: all bytes are consumed.
    #[allow(clippy::should_implement_trait, reason = "an event borrows from the iterator")]
    #[inline]
    pub fn next(&mut self) -> Option<Event<'_>> {
        let found = match self.step() {
            Ok(found) => found?,
            Err(violation) => {
                self.connection.fail(violation, self.now);
                return Some(Event::Violation(violation));
            }
        };
        let (opcode, bytes) = match found {
            Found::Frame(opcode, Payload::Input(range)) => (opcode, &self.input[range]),
            Found::Frame(opcode, Payload::Message) => {
                let partial = self.connection.partial();
                let message = partial.and_then(|partial| partial.message.as_ref());
                (opcode, message.map_or(&[][..], |message| &message.bytes))
            }
            Found::Frame(opcode, Payload::Control) => {
                (opcode, self.connection.partial().map_or(&[][..], |partial| &partial.control))
            }
            Found::Close => {
                let closed = self.connection.close_status();
                let received = closed.and_then(|closed| closed.received.as_ref());
                let (code, reason) =
                    received.map_or((None, ""), |frame| (frame.code, frame.reason.as_str()));
                return Some(Event::Close { code, reason });
            }
        };
        Some(match opcode {
            // SAFETY: it is UTF-8. `whole_frame` validates text in the input just before it returns
            // `Payload::Input`; `Message::finish` returns Ok for text only if all of it was
            // validated. Nothing changed the bytes since.
            Opcode::Text => Event::Text(unsafe { str::from_utf8_unchecked(bytes) }),
            Opcode::Ping => Event::Ping(bytes),
            Opcode::Pong => Event::Pong(bytes),
            // Continuation and Close aren't found as such.
            Opcode::Binary | Opcode::Continuation | Opcode::Close => Event::Binary(bytes),
        })
    }

    /// The connection, to answer an event before the next one is looked at: a peer that breaks a
    /// rule right behind a message still gets the answer to the message.
    pub fn connection(&mut self) -> &mut Connection {
        self.connection
    }

    #[inline]
    fn step(&mut self) -> Result<Option<Found>, Violation> {
        if self.connection.extra.is_some() {
            self.release();
        }
        loop {
            if !self.connection.hears() {
                // 7.1.7, 1.4: what follows is discarded.
                self.at = self.input.len();
                return Ok(None);
            }
            if self.connection.partial().is_some_and(|partial| partial.frame.is_some()) {
                if self.at == self.input.len() {
                    return Ok(None);
                }
                match self.continue_frame()? {
                    Some(found) => return Ok(Some(found)),
                    None => continue,
                }
            }
            let Some(header) = self.header()? else { return Ok(None) };
            self.connection.admit(&header)?;
            if header.len > (self.input.len() - self.at) as u64 {
                let frame = PartialFrame { remaining: header.len, header };
                self.connection.partial_or_new().frame = Some(frame);
                continue;
            }
            // It fits the input, and so a usize.
            let payload = self.at..self.at + header.len as usize;
            self.at = payload.end;
            if let Some(found) = self.whole_frame(&header, payload)? {
                return Ok(Some(found));
            }
        }
    }

    /// Frees what the last event borrowed.
    fn release(&mut self) {
        let Some(partial) = self.connection.partial_mut() else { return };
        if partial.message.as_ref().is_some_and(|message| message.finished) {
            partial.message = None;
        }
        if partial.frame.is_none() {
            partial.control = Vec::new();
            if partial.message.is_none() && partial.header_len == 0 {
                self.connection.drop_partial();
            }
        }
    }

    /// The next header; `None`: the input ends before it does.
    #[inline]
    fn header(&mut self) -> Result<Option<Header>, Violation> {
        let masked = !self.connection.is_client();
        let kept = self.connection.partial().map_or(0, |partial| usize::from(partial.header_len));
        if kept > 0 {
            return self.cut_header(kept, masked);
        }
        let rest = &self.input[self.at..];
        if let Some((header, size)) = Header::parse(rest, masked)? {
            self.at += size;
            return Ok(Some(header));
        }
        if !rest.is_empty() {
            // An incomplete header is shorter than the longest.
            let partial = self.connection.partial_or_new();
            partial.header[..rest.len()].copy_from_slice(rest);
            partial.header_len = rest.len() as u8;
            self.at = self.input.len();
        }
        Ok(None)
    }

    /// A header of which the earlier input had `kept` bytes.
    fn cut_header(&mut self, kept: usize, masked: bool) -> Result<Option<Header>, Violation> {
        let partial = self.connection.partial_or_new();
        let rest = &self.input[self.at..];
        let more = rest.len().min(HEADER_BYTES_MAX - kept);
        partial.header[kept..kept + more].copy_from_slice(&rest[..more]);
        match Header::parse(&partial.header[..kept + more], masked)? {
            Some((header, size)) => {
                // It wasn't complete without some of the new bytes: size > kept.
                self.at += size - kept;
                partial.header_len = 0;
                Ok(Some(header))
            }
            None => {
                self.at += more;
                partial.header_len = (kept + more) as u8;
                Ok(None)
            }
        }
    }

    /// A frame whose payload lies in the input.
    #[inline]
    fn whole_frame(
        &mut self,
        header: &Header,
        range: Range<usize>,
    ) -> Result<Option<Found>, Violation> {
        let payload = &mut self.input[range.clone()];
        if header.opcode.is_control() {
            if let Some(key) = header.key {
                mask::apply(payload, key);
            }
            return self.control(header.opcode, Payload::Input(range)).map(Some);
        }
        if !header.fin || header.rsv1 || header.opcode == Opcode::Continuation {
            return self.fragment(header, range, header.len);
        }
        let ascii = header.key.is_some_and(|key| mask::apply(payload, key));
        if header.opcode == Opcode::Text && !ascii && simdutf8::basic::from_utf8(payload).is_err() {
            return Err(Violation::TextNotUtf8);
        }
        Ok(Some(Found::Frame(header.opcode, Payload::Input(range))))
    }

    /// A piece of the payload of the frame that an earlier input began.
    fn continue_frame(&mut self) -> Result<Option<Found>, Violation> {
        let Some(partial) = self.connection.partial_mut() else { return Ok(None) };
        let Some(frame) = &mut partial.frame else { return Ok(None) };
        let rest = self.input.len() - self.at;
        let piece = usize::try_from(frame.remaining).map_or(rest, |remaining| remaining.min(rest));
        let range = self.at..self.at + piece;
        self.at = range.end;
        let (header, frame_rest) = (frame.header, frame.remaining);
        frame.header.key = header.key.map(|key| mask::rotate(key, piece));
        frame.remaining -= piece as u64;
        let complete = frame.remaining == 0;
        if complete {
            partial.frame = None;
        }
        if header.opcode.is_control() {
            let payload = &mut self.input[range];
            if let Some(key) = header.key {
                mask::apply(payload, key);
            }
            partial.control.extend_from_slice(payload);
            return if complete {
                self.control(header.opcode, Payload::Control).map(Some)
            } else {
                Ok(None)
            };
        }
        self.fragment(&header, range, frame_rest)
    }

    /// A piece of a data frame, of which `frame_rest` bytes are to come, with this piece.
    fn fragment(
        &mut self,
        header: &Header,
        range: Range<usize>,
        frame_rest: u64,
    ) -> Result<Option<Found>, Violation> {
        let bytes_max = self.connection.config.limits.message_bytes;
        let complete = frame_rest == range.len() as u64;
        let message = self.connection.message(header);
        message.push(&mut self.input[range], header, frame_rest, bytes_max)?;
        if !complete || !header.fin {
            return Ok(None);
        }
        message.finish(bytes_max)?;
        let opcode = if message.text { Opcode::Text } else { Opcode::Binary };
        if let Some(inflater) = message.inflater.take() {
            self.connection.give_inflater(inflater);
        }
        Ok(Some(Found::Frame(opcode, Payload::Message)))
    }

    fn control(&mut self, opcode: Opcode, payload: Payload) -> Result<Found, Violation> {
        let connection = &mut *self.connection;
        // 5.5.2: answered, unless the closing handshake began.
        let is_answered = opcode == Opcode::Ping && connection.state == State::Open;
        let key = if is_answered { connection.key() } else { None };
        let bytes = match &payload {
            Payload::Input(range) => &self.input[range.clone()],
            _ => {
                let partial = connection.extra.as_ref().and_then(|extra| extra.partial.as_ref());
                partial.map_or(&[][..], |partial| &partial.control)
            }
        };
        match opcode {
            Opcode::Close => {
                let frame = close::parse(bytes)?;
                connection.receive_close(frame, self.now);
                return Ok(Found::Close);
            }
            Opcode::Ping if is_answered => connection.output.pong(key, bytes),
            _ => {}
        }
        Ok(Found::Frame(opcode, payload))
    }
}
