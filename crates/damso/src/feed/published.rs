//! An event as bytes: once for each encoding, by whoever needs it first.

use crate::dialect::{v1, wire};
use damso_chat::{Event, Op};
use damso_protocol::{RoomId, plain};
use damso_websocket::{deflate::Deflater, frame};
use std::cell::OnceCell;
use std::sync::{Arc, OnceLock};

/// Lines shorter than this, in bytes, go out as they are even where deflate was agreed: they
/// would hardly shrink.
const DEFLATE_BYTES_MIN: usize = 160;

/// How a subscriber wants its events written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    /// The plain dialect's lines.
    Plain,
    /// The same, where permessage-deflate was agreed.
    PlainDeflated,
    /// damso.v1's objects.
    V1,
    /// The same, where permessage-deflate was agreed.
    V1Deflated,
}

pub(super) const ENCODINGS: [Encoding; 4] =
    [Encoding::Plain, Encoding::PlainDeflated, Encoding::V1, Encoding::V1Deflated];

impl Encoding {
    fn deflates(self) -> bool {
        matches!(self, Self::PlainDeflated | Self::V1Deflated)
    }

    /// Whether its readers may be fed from the log with what the ring hasn't any more.
    pub(super) fn is_resumable(self) -> bool {
        matches!(self, Self::V1 | Self::V1Deflated)
    }
}

/// An event on its way out, with the frames that were made of it so far. Shared by all shards.
pub struct Published {
    pub(super) room: RoomId,
    pub(super) seq: u64,
    pub(super) event: Arc<Event>,
    frames: [OnceLock<Arc<[u8]>>; ENCODINGS.len()],
}

impl Published {
    /// Wraps an event for delivery; none if it stands in no room's log.
    pub fn new(event: Arc<Event>) -> Option<Self> {
        let (room, seq) = event.place()?;
        let (room, frames) = (room.clone(), [const { OnceLock::new() }; ENCODINGS.len()]);
        Some(Self { room, seq, event, frames })
    }

    /// What happened.
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// The event as whole frames in one encoding; empty if this encoding has no word for it.
    pub(super) fn frame(&self, encoding: Encoding, encoder: &mut Encoder) -> &Arc<[u8]> {
        self.frames[encoding as usize].get_or_init(|| encoder.frame(&self.event, encoding))
    }
}

/// Buffers that encoding reuses.
#[derive(Default)]
pub(super) struct Encoder {
    line: String,
    bytes: Vec<u8>,
    deflater: Option<Deflater>,
}

impl Encoder {
    pub(super) fn frame(&mut self, event: &Event, encoding: Encoding) -> Arc<[u8]> {
        match encoding {
            Encoding::Plain | Encoding::PlainDeflated => {
                let Event::Message(message) = event else { return Arc::default() };
                let Some(text) = &message.text else { return Arc::default() };
                self.line.clear();
                plain::write_line(&mut self.line, &message.name, text);
            }
            Encoding::V1 | Encoding::V1Deflated => {
                let Some(message) = wire::event(event) else { return Arc::default() };
                v1::write_json(&message, &mut self.line);
            }
        }
        self.bytes.clear();
        if encoding.deflates() && self.line.len() >= DEFLATE_BYTES_MIN {
            let deflater = self.deflater.get_or_insert_with(|| Deflater::new(6, 15));
            frame::server_text_deflated(&mut self.bytes, &self.line, deflater);
        } else {
            frame::server_text(&mut self.bytes, &self.line);
        }
        Arc::from(&self.bytes[..])
    }
}

/// Bytes for one or many subscribers.
pub struct Batch<'a> {
    bytes: &'a [u8],
    shared: OnceCell<Arc<[u8]>>,
}

impl<'a> Batch<'a> {
    /// Bytes for one subscriber alone.
    pub fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, shared: OnceCell::new() }
    }

    pub(super) fn whole(frame: &'a Arc<[u8]>) -> Self {
        Self { bytes: frame, shared: OnceCell::from(frame.clone()) }
    }

    /// The bytes, to hand to a socket now.
    pub fn bytes(&self) -> &[u8] {
        self.bytes
    }

    /// The same bytes to keep; copied at most once for all subscribers.
    pub fn shared(&self) -> Arc<[u8]> {
        self.shared.get_or_init(|| Arc::from(self.bytes)).clone()
    }
}

/// About what an event in the ring costs, in bytes.
pub(super) fn weight(published: &Published) -> usize {
    let text = match &*published.event {
        Event::Message(message) => message.text.as_ref().map_or(0, |text| text.len()),
        Event::Changed(change) => match &change.op {
            Op::Edit(Some(text)) => text.len(),
            _ => 0,
        },
        _ => 0,
    };
    // The text is held as such and in a frame, beside what surrounds it.
    text * 2 + 400
}
