//! Checks that every receiver gets every message once and in order, at a few nanoseconds a delivery.
//!
//! A broadcast gives everybody the same bytes. So only the first receiver of a message has its frame parsed and its
//! text checked; the frame then joins the *reference*, and what the others get is compared with that, as much at a time
//! as the socket gave. Bytes that differ are looked at frame by frame: pings, notices of the server, frames made for
//! one receiver, and faults. No sockets and no clock in here: bytes and times are arguments.

use flate2::{Decompress, FlushDecompress};

use crate::faults::Faults;
use crate::histogram::Histogram;
use crate::reference::{Entry, Reference};
use crate::text::{Found, Text};
use crate::wire::{self, Header};

/// What a server may put around the text of a message: prefix, suffix, frame header.
const WRAPPING_BYTES_MAX: usize = 1024;
/// Of what it says by itself, beyond that.
const NOTICE_BYTES_MAX: usize = 64 * 1024;

/// Input: [`sent`](Self::sent), [`receive`](Self::receive), [`gone`](Self::gone). After `receive`, drain
/// [`next_complete`](Self::next_complete) and send what stands in [`replies`](Self::replies).
pub struct Audience {
    text: Text,
    publishers: Vec<Publisher>,
    receivers: Vec<Receiver>,
    reference: Reference,
    /// At `n & mask`: how many receivers have message `n` as their next one.
    waiting: Box<[u32]>,
    /// Every receiver has all messages below.
    /// low <= each receiver's next <= reference.head <= sum of publishers' sent <= low + in flight
    low: u64,
    delivered: u64,
    faults: Faults,
    /// Bytes to write to the receiver that was last given bytes: answers to its pings.
    pub replies: Vec<u8>,
    /// How long each delivery took, when that is asked for: up to `now_ns`, which is to be kept then.
    pub each: Option<Histogram>,
    pub now_ns: u64,
    /// Where permessage-deflate was agreed.
    pub inflate: Option<Inflate>,
    scratch: Vec<u8>,
}

/// Reads what was deflated message by message, without a context that lasts.
pub struct Inflate {
    stream: Decompress,
    text: Vec<u8>,
}

impl Default for Inflate {
    fn default() -> Self {
        Self { stream: Decompress::new(false), text: Vec::new() }
    }
}

impl Inflate {
    /// The message of a payload; `None` when it is none.
    pub fn read(&mut self, payload: &[u8]) -> Option<&[u8]> {
        self.stream.reset(false);
        self.text.clear();
        self.text.reserve(NOTICE_BYTES_MAX);
        // RFC 7692, section 7.2.2: the tail that the sender left out.
        for part in [payload, &[0, 0, 0xFF, 0xFF]] {
            let before = self.stream.total_in();
            self.stream.decompress_vec(part, &mut self.text, FlushDecompress::Sync).ok()?;
            if self.stream.total_in() - before != part.len() as u64 {
                return None;
            }
        }
        Some(&self.text)
    }
}

struct Publisher {
    sent: u64,
    /// How many of its messages stand in the reference: seen <= sent.
    seen: u64,
    /// At `counter & mask`: when it was sent.
    sent_at_ns: Box<[u64]>,
}

struct Receiver {
    next: u64,
    /// Bytes of frame `next` that have come and are the reference's.
    matched_bytes: usize,
    /// The beginning of a frame that isn't in the reference. When not empty, `matched_bytes` is 0.
    carry: Vec<u8>,
    listening: bool,
}

/// A message that all receivers have.
pub struct Complete {
    pub publisher: u8,
    pub sent_at_ns: u64,
}

/// The receiver's connection is of no more use.
#[derive(Debug)]
pub struct Closed(pub String);

impl Audience {
    /// `in_flight`: how many messages are sent and not complete at most. It bounds all memory.
    pub fn new(text: Text, publishers: usize, receivers: usize, in_flight: usize) -> Self {
        let slots = (in_flight + 2).next_power_of_two();
        let mut waiting = vec![0; slots].into_boxed_slice();
        waiting[0] = receivers as u32;
        let publisher = || Publisher { sent: 0, seen: 0, sent_at_ns: vec![0; slots].into() };
        let receiver =
            || Receiver { next: 0, matched_bytes: 0, carry: Vec::new(), listening: true };
        Self {
            publishers: (0..publishers).map(|_| publisher()).collect(),
            receivers: (0..receivers).map(|_| receiver()).collect(),
            reference: Reference::new(slots, slots * (text.bytes() + WRAPPING_BYTES_MAX)),
            text,
            waiting,
            low: 0,
            delivered: 0,
            faults: Faults::default(),
            replies: Vec::new(),
            each: None,
            now_ns: 0,
            inflate: None,
            scratch: Vec::new(),
        }
    }

    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Deliveries so far: a message of one's own counts too.
    pub fn delivered(&self) -> u64 {
        self.delivered
    }

    /// How many messages all receivers have.
    #[cfg(test)]
    pub fn complete(&self) -> u64 {
        self.low
    }

    /// How many may be outstanding: [`sent`](Self::sent) isn't to be called with as many.
    pub fn outstanding_max(&self) -> u64 {
        self.waiting.len() as u64 - 2
    }

    pub fn outstanding(&self) -> u64 {
        self.publishers.iter().map(|publisher| publisher.sent).sum::<u64>() - self.low
    }

    pub fn is_listening(&self, who: usize) -> bool {
        self.receivers[who].listening
    }

    pub fn listening(&self) -> usize {
        self.receivers.iter().filter(|receiver| receiver.listening).count()
    }

    pub fn has_any(&self, who: usize) -> bool {
        self.receivers[who].next > 0
    }

    /// How many still wait for the oldest message that isn't complete.
    pub fn waiting_for_oldest(&self) -> u32 {
        self.waiting[self.slot(self.low)]
    }

    /// How long the newest message is on the wire; 0 before the first.
    pub fn frame_bytes(&self) -> u64 {
        match self.reference.head {
            0 => 0,
            head => self.reference.start(head) - self.reference.start(head - 1),
        }
    }

    /// A publisher sends its next message now: its counter.
    pub fn sent(&mut self, publisher: usize, now_ns: u64) -> u64 {
        let slots = self.waiting.len();
        let publisher = &mut self.publishers[publisher];
        let counter = publisher.sent;
        publisher.sent += 1;
        publisher.sent_at_ns[counter as usize & (slots - 1)] = now_ns;
        counter
    }

    /// From here on nothing is expected of this receiver, and what it gets isn't looked at.
    pub fn ignore(&mut self, who: usize) {
        let receiver = &mut self.receivers[who];
        if receiver.listening {
            receiver.listening = false;
            let slot = receiver.next as usize & (self.waiting.len() - 1);
            self.waiting[slot] -= 1;
        }
    }

    /// The connection of a receiver ended.
    pub fn gone(&mut self, who: usize, why: &str) {
        self.faults.lost += 1;
        self.faults.note(|| format!("receiver {who}: {why}"));
        self.ignore(who);
    }

    /// What the server said by itself until now was a greeting: forget that it was said.
    pub fn greeted(&mut self) -> u64 {
        self.faults.last_notice.clear();
        std::mem::take(&mut self.faults.notices)
    }

    /// Bytes came for a receiver.
    pub fn receive(&mut self, who: usize, bytes: &[u8]) -> Result<(), Closed> {
        let receiver = &mut self.receivers[who];
        if !receiver.listening {
            return Ok(());
        }
        if receiver.carry.is_empty()
            && let Some((next, matched)) =
                self.reference.follow(receiver.next, receiver.matched_bytes, bytes)
        {
            receiver.matched_bytes = matched;
            self.pass(who, next, 0);
            return Ok(());
        }
        self.look_closely(who, bytes)
    }

    /// The oldest message that has become complete since the last call.
    pub fn next_complete(&mut self) -> Option<Complete> {
        if self.low == self.reference.head || self.waiting_for_oldest() != 0 {
            return None;
        }
        let (publisher, sent_at_ns) = self.origin(self.low);
        self.low += 1;
        Some(Complete { publisher, sent_at_ns })
    }

    /// Who sent a message of the reference, and when.
    fn origin(&self, message: u64) -> (u8, u64) {
        let Entry { publisher, counter } = self.reference.entries[self.slot(message)];
        let slot = self.slot(counter);
        (publisher, self.publishers[usize::from(publisher)].sent_at_ns[slot])
    }

    fn slot(&self, message: u64) -> usize {
        message as usize & (self.waiting.len() - 1)
    }

    /// A receiver's next message is `next` now; `missing` of those between didn't come.
    fn pass(&mut self, who: usize, next: u64, missing: u64) {
        let before = std::mem::replace(&mut self.receivers[who].next, next);
        if before != next {
            let mask = self.waiting.len() - 1;
            self.waiting[before as usize & mask] -= 1;
            self.waiting[next as usize & mask] += 1;
            self.delivered += next - before - missing;
            if let Some(mut each) = self.each.take() {
                for message in before + missing..next {
                    each.record(self.now_ns.saturating_sub(self.origin(message).1));
                }
                self.each = Some(each);
            }
        }
    }

    #[cold]
    fn look_closely(&mut self, who: usize, bytes: &[u8]) -> Result<(), Closed> {
        let mut whole = std::mem::take(&mut self.scratch);
        whole.clear();
        let receiver = &mut self.receivers[who];
        self.reference.copy(receiver.next, receiver.matched_bytes, &mut whole);
        whole.append(&mut receiver.carry);
        receiver.matched_bytes = 0;
        let mut rest = bytes;
        if !whole.is_empty() {
            whole.extend_from_slice(bytes);
            rest = &whole;
        }
        let mut result = Ok(());
        while let Some(header) = Header::parse(rest) {
            if header.frame_bytes() > self.text.bytes() + NOTICE_BYTES_MAX {
                result = Err(Closed(format!("a frame of {} bytes", header.frame_bytes())));
                break;
            }
            let Some((frame, after)) = rest.split_at_checked(header.frame_bytes()) else { break };
            rest = after;
            result = self.frame(who, &header, frame);
            if result.is_err() {
                break;
            }
        }
        let receiver = &mut self.receivers[who];
        match self.reference.follow(receiver.next, 0, rest) {
            Some((_, matched)) => receiver.matched_bytes = matched,
            None => receiver.carry.extend_from_slice(rest),
        }
        self.scratch = whole;
        result
    }

    fn frame(&mut self, who: usize, header: &Header, frame: &[u8]) -> Result<(), Closed> {
        let payload = &frame[header.payload()];
        match header.opcode() {
            _ if header.mask.is_some() => return Err(Closed("the server masks".into())),
            wire::PING => wire::put_masked(&mut self.replies, wire::PONG, payload, [7, 1, 8, 2]),
            wire::PONG => {}
            wire::CLOSE => {
                let code = payload.first_chunk().map(|&code| u16::from_be_bytes(code));
                let why = String::from_utf8_lossy(payload.get(2..).unwrap_or_default());
                return Err(Closed(format!(
                    "closed by the server: {} {why}",
                    code.unwrap_or(1005)
                )));
            }
            _ if matches!(header.first, 0x81 | 0x82) => self.message(who, frame, payload),
            _ if header.first == 0xC1 && self.inflate.is_some() => {
                self.deflated(who, frame, payload)
            }
            _ => return Err(Closed(format!("a frame that begins with {:#04x}", header.first))),
        }
        Ok(())
    }

    fn deflated(&mut self, who: usize, frame: &[u8], payload: &[u8]) {
        let next = self.receivers[who].next;
        if self.reference.is(next, frame) {
            return self.pass(who, next + 1, 0);
        }
        let Some(mut inflate) = self.inflate.take() else { return };
        match inflate.read(payload) {
            Some(text) => self.message(who, frame, text),
            None => self.faults.damaged(|| format!("receiver {who}: what can't be inflated")),
        }
        self.inflate = Some(inflate);
    }

    fn message(&mut self, who: usize, frame: &[u8], payload: &[u8]) {
        let next = self.receivers[who].next;
        if self.reference.is(next, frame) {
            return self.pass(who, next + 1, 0);
        }
        if frame.len() > self.text.bytes() + WRAPPING_BYTES_MAX {
            return self.faults.stray(&self.text, payload);
        }
        let Found::Message { publisher, counter } = self.text.find(payload) else {
            if payload.starts_with(wire::PING_V1) {
                let pong = wire::PONG_V1.as_bytes();
                wire::put_masked(&mut self.replies, wire::TEXT, pong, [7, 1, 8, 2]);
            }
            return self.faults.stray(&self.text, payload);
        };
        let Some(from) =
            self.publishers.get_mut(usize::from(publisher)).filter(|from| counter < from.sent)
        else {
            return self
                .faults
                .damaged(|| format!("receiver {who}: message {counter}, which wasn't sent"));
        };
        let index = if counter >= from.seen {
            // The first to see it is also the first to see that those before it are missing.
            for missing in from.seen..counter {
                self.reference.append(Entry { publisher, counter: missing }, &[]);
                self.reference.has_gaps = true;
            }
            from.seen = counter + 1;
            self.reference.append(Entry { publisher, counter }, frame);
            Some(self.reference.head - 1)
        } else {
            let same = |&index: &u64| {
                let entry = &self.reference.entries[self.slot(index)];
                (entry.publisher, entry.counter) == (publisher, counter)
            };
            (self.low..self.reference.head).find(same)
        };
        match index {
            Some(index) if index >= next => {
                if index > next {
                    self.faults.missing += index - next;
                    self.faults.note(|| {
                        format!("receiver {who}: {} missing before {counter}", index - next)
                    });
                }
                self.pass(who, index + 1, index - next);
            }
            _ => {
                self.faults.repeated += 1;
                self.faults.note(|| {
                    format!("receiver {who}: message {counter} of {publisher} again, or late")
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IN_FLIGHT: usize = 4;

    /// Two publishers, three receivers; all messages of a test are sent at once.
    fn audience(sent: &[usize]) -> Audience {
        let mut audience = Audience::new(Text::new(0xC0FFEE, 64), 2, 3, IN_FLIGHT);
        for &publisher in sent {
            audience.sent(publisher, 0);
        }
        audience
    }

    fn frame(publisher: u8, counter: u64) -> Vec<u8> {
        let mut text = Text::new(0xC0FFEE, 64).first(publisher);
        let (at, digits) = Text::counter(counter);
        text[at..at + digits.len()].copy_from_slice(&digits);
        framed(wire::TEXT, &[b"127.0.0.1:5000 :: ".as_slice(), &text].concat())
    }

    fn framed(opcode: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        wire::put_header(&mut out, opcode, payload.len(), None);
        out.extend_from_slice(payload);
        out
    }

    fn complete(audience: &mut Audience) -> usize {
        std::iter::from_fn(|| audience.next_complete()).count()
    }

    /// Gives each receiver its stream; what is wrong with that?
    #[track_caller]
    fn check(sent: &[usize], streams: [&[Vec<u8>]; 3], expected: &str) {
        let mut audience = audience(sent);
        for (who, stream) in streams.into_iter().enumerate() {
            audience.receive(who, &stream.concat()).unwrap();
        }
        let faults = audience.faults();
        let found = format!(
            "missing {} repeated {} damaged {} notices {}",
            faults.missing, faults.repeated, faults.damaged, faults.notices
        );
        assert_eq!(found, expected);
        let wanted = 3 * sent.len() as u64;
        assert_eq!(audience.delivered() + faults.missing, wanted, "all accounted for");
        assert_eq!(complete(&mut audience), sent.len());
    }

    #[test]
    fn everybody_has_everything_once_and_in_order() {
        let all = [frame(0, 0), frame(1, 0), frame(0, 1)];
        check(&[0, 1, 0], [&all, &all, &all], "missing 0 repeated 0 damaged 0 notices 0");
    }

    #[test]
    fn a_gap_is_found_in_the_first_receiver_and_in_a_later_one() {
        let all = [frame(0, 0), frame(0, 1), frame(0, 2)];
        let gap = [frame(0, 0), frame(0, 2)];
        check(&[0; 3], [&gap, &all, &all], "missing 1 repeated 0 damaged 0 notices 0");
        check(&[0; 3], [&all, &all, &gap], "missing 1 repeated 0 damaged 0 notices 0");
        check(&[0; 3], [&gap, &gap, &gap], "missing 3 repeated 0 damaged 0 notices 0");
    }

    #[test]
    fn what_comes_again_or_late_is_found() {
        let all = [frame(0, 0), frame(0, 1), frame(0, 2)];
        let again = [frame(0, 0), frame(0, 0), frame(0, 1), frame(0, 2)];
        let late = [frame(0, 1), frame(0, 0), frame(0, 2)];
        check(&[0; 3], [&again, &all, &all], "missing 0 repeated 1 damaged 0 notices 0");
        check(&[0; 3], [&all, &again, &all], "missing 0 repeated 1 damaged 0 notices 0");
        check(&[0; 3], [&all, &all, &late], "missing 1 repeated 1 damaged 0 notices 0");
    }

    #[test]
    fn another_order_of_publishers_is_found() {
        let one = [frame(0, 0), frame(1, 0), frame(0, 1)];
        let other = [frame(1, 0), frame(0, 0), frame(0, 1)];
        check(&[0, 1, 0], [&one, &one, &other], "missing 1 repeated 1 damaged 0 notices 0");
    }

    #[test]
    fn a_changed_byte_is_found() {
        let all = [frame(0, 0)];
        let mut changed = frame(0, 0);
        *changed.last_mut().unwrap() ^= 1;
        check(
            &[0],
            [&all, &[changed, frame(0, 0)], &all],
            "missing 0 repeated 0 damaged 1 notices 0",
        );
    }

    #[test]
    fn deflated_messages_are_read_and_compared() {
        let deflated = |counter, level| {
            let plain = frame(0, counter);
            let mut stream = flate2::Compress::new(flate2::Compression::new(level), false);
            let mut out = Vec::with_capacity(1024);
            let text = &plain[Header::parse(&plain).unwrap().payload()];
            stream.compress_vec(text, &mut out, flate2::FlushCompress::Sync).unwrap();
            out.truncate(out.len() - 4);
            let mut framed = framed(wire::TEXT, &out);
            framed[0] = 0xC1;
            framed
        };
        let mut audience = audience(&[0, 0]);
        audience.inflate = Some(Inflate::default());
        (audience.each, audience.now_ns) = (Some(Histogram::default()), 5);
        // The third gets other bytes of the same content.
        for (who, level) in [6, 6, 1].into_iter().enumerate() {
            let stream = [deflated(0, level), deflated(1, level)].concat();
            audience.receive(who, &stream).unwrap();
        }
        assert_eq!((audience.delivered(), audience.faults().count()), (6, 0));
        assert_eq!(audience.each.as_ref().unwrap().quantile(0.01), 5);
        let mut broken = deflated(0, 6);
        broken[5] ^= 0x10;
        audience.receive(0, &broken).unwrap();
        assert_eq!(audience.faults().count(), 1, "{}", audience.faults());
    }

    #[test]
    fn pings_are_answered_and_notices_counted_wherever_they_stand() {
        let (ping, notice) = (framed(wire::PING, b"hi"), framed(wire::TEXT, b"x joined"));
        let all = [frame(0, 0), frame(0, 1)];
        let with = [ping.clone(), frame(0, 0), notice.clone(), ping.clone(), frame(0, 1), notice];
        check(&[0; 2], [&all, &with, &all], "missing 0 repeated 0 damaged 0 notices 2");

        let mut audience = audience(&[0]);
        audience.receive(0, &ping).unwrap();
        let header = Header::parse(&audience.replies).unwrap();
        assert_eq!((header.opcode(), header.payload().len()), (wire::PONG, 2));
        assert!(header.mask.is_some());
    }

    #[test]
    fn a_close_ends_a_receiver_and_the_others_go_on() {
        let mut audience = audience(&[0]);
        audience.receive(0, &frame(0, 0)).unwrap();
        audience.receive(1, &frame(0, 0)).unwrap();
        assert_eq!(complete(&mut audience), 0);
        let Closed(why) = audience.receive(2, &framed(wire::CLOSE, b"\x03\xF0bye")).unwrap_err();
        assert_eq!(why, "closed by the server: 1008 bye");
        audience.gone(2, &why);
        assert_eq!((complete(&mut audience), audience.faults().lost), (1, 1));
    }

    #[test]
    fn any_cut_of_the_streams_gives_the_same_result() {
        let mut seed = 1u32;
        let mut random = move |below: usize| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 16) as usize % below
        };
        for _ in 0..50 {
            let mut audience = audience(&[]);
            let mut streams = [const { Vec::new() }; 3];
            let mut published = 0;
            // So many that the rings go round.
            for _ in 0..4_000 {
                while published < 300 && audience.outstanding() < IN_FLIGHT as u64 {
                    let publisher = random(2);
                    let counter = audience.sent(publisher, 0);
                    published += 1;
                    for stream in &mut streams {
                        if random(20) == 0 {
                            stream.extend(framed(wire::PING, b"still there?"));
                        }
                        stream.extend(frame(publisher as u8, counter));
                    }
                }
                let who = random(3);
                let cut = streams[who].len().min(1 + random(300));
                let bytes: Vec<u8> = streams[who].drain(..cut).collect();
                audience.receive(who, &bytes).unwrap();
                while audience.next_complete().is_some() {}
            }
            assert_eq!((audience.complete(), audience.delivered()), (300, 900));
            assert_eq!(audience.faults().count(), 0, "{}", audience.faults());
        }
    }
}
