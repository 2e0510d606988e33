//! The text of a message: which publisher sent it and its how many'th it is, then filler to the size asked for.

/// `=` run `.` publisher `.` counter `=`, in hexadecimal: `=8f3a01bc.00.00000000002a=`.
pub const MARKER_BYTES: usize = 26;
const COUNTER_AT: usize = 13;
const COUNTER_BYTES: usize = 12;
/// What people write, so that it deflates as such.
const FILLER: &[u8] = b"the build is green again, so let us have lunch; who brought the keys of the \
    meeting room on the fourth floor? I left mine at home this morning. By the way, the customer from \
    Busan called twice about the invoice of August: could somebody with access have a look before they \
    try it a third time? Minsu thinks it is the rounding again, Ann bets on a time zone, and I am \
    quite sure that both are wrong. Coffee is out, the new machine comes on Thursday between nine and \
    eleven, and until then there is tea, or the place across the road that takes cash only. Please \
    don't restart the staging server while the import runs; it needs forty minutes more, then it is \
    all yours. Somebody's umbrella, blue with a wooden handle, hangs at the door since Monday. Yes, \
    the tests pass here too, on the third try, which is not what I call passing, see the log. ";

/// Makes and recognises the messages of one run.
pub struct Text {
    /// With a publisher and a counter of zero.
    blank: Vec<u8>,
    /// How much of its beginning all rooms of the run have in common.
    family_bytes: usize,
}

impl Text {
    /// `run` tells the messages of this run from anybody else's.
    pub fn new(run: u32, bytes: usize) -> Self {
        assert!(bytes >= MARKER_BYTES, "checked where the arguments are read");
        let mut blank =
            format!("={run:08x}.00.{:0width$x}=", 0, width = COUNTER_BYTES).into_bytes();
        blank.extend(FILLER.iter().cycle().take(bytes - blank.len()));
        Self { blank, family_bytes: 10 }
    }

    /// One of up to 65,536 rooms of a run: what belongs to another of them is told from what is nobody's.
    pub fn in_room(run: u32, room: u16, bytes: usize) -> Self {
        Self { family_bytes: 5, ..Self::new(run << 16 | u32::from(room), bytes) }
    }

    pub fn bytes(&self) -> usize {
        self.blank.len()
    }

    /// Message 0 of a publisher.
    pub fn first(&self, publisher: u8) -> Vec<u8> {
        let mut text = self.blank.clone();
        text[10..12].copy_from_slice(&hex::<2>(publisher.into()));
        text
    }

    /// Where the counter stands in the text, and what it is written as.
    pub fn counter(counter: u64) -> (usize, [u8; COUNTER_BYTES]) {
        (COUNTER_AT, hex(counter))
    }

    /// Finds a message of this run in a payload, whatever the server put before and after it: publisher and counter.
    pub fn find(&self, payload: &[u8]) -> Found {
        let tag = &self.blank[..self.family_bytes];
        let Some(at) = payload.windows(tag.len()).position(|window| window == tag) else {
            return Found::Foreign;
        };
        let intact = || {
            let text = payload.get(at..at + self.bytes())?;
            let publisher = unhex(&text[10..12])?;
            let counter = unhex(&text[COUNTER_AT..COUNTER_AT + COUNTER_BYTES])?;
            let rest = COUNTER_AT + COUNTER_BYTES;
            let is_intact = text[..10] == self.blank[..10]
                && text[12] == b'.'
                && text[rest..] == self.blank[rest..];
            is_intact.then_some((publisher as u8, counter))
        };
        intact()
            .map_or(Found::Damaged, |(publisher, counter)| Found::Message { publisher, counter })
    }
}

#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    Message {
        publisher: u8,
        counter: u64,
    },
    /// It is one of ours, but not as it was sent, or not for this room.
    Damaged,
    /// A greeting, a notice, a refusal: something the server said by itself.
    Foreign,
}

fn hex<const N: usize>(number: u64) -> [u8; N] {
    std::array::from_fn(|at| b"0123456789abcdef"[(number >> (4 * (N - 1 - at))) as usize & 15])
}

fn unhex(digits: &[u8]) -> Option<u64> {
    digits
        .iter()
        .try_fold(0, |sum, &digit| Some(sum << 4 | u64::from(char::from(digit).to_digit(16)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &Text, publisher: u8, counter: u64) -> Vec<u8> {
        let mut bytes = text.first(publisher);
        let (at, digits) = Text::counter(counter);
        bytes[at..at + digits.len()].copy_from_slice(&digits);
        bytes
    }

    #[test]
    fn a_message_is_found_behind_any_prefix_and_before_any_suffix() {
        for size in [MARKER_BYTES, 64, 1024] {
            let text = Text::new(0xBEEF, size);
            let sent = message(&text, 7, 0x0012_3456_789A);
            assert_eq!(sent.len(), size);
            for (prefix, suffix) in [("", ""), ("127.0.0.1:5000 :: ", ""), ("{\"text\":\"", "\"}")]
            {
                let payload = [prefix.as_bytes(), &sent, suffix.as_bytes()].concat();
                let expected = Found::Message { publisher: 7, counter: 0x0012_3456_789A };
                assert_eq!(text.find(&payload), expected);
            }
        }
    }

    #[test]
    fn a_changed_byte_or_a_cut_is_damage_and_another_run_is_foreign() {
        let text = Text::new(0xBEEF, 64);
        let sent = message(&text, 0, 1);
        let mut changed = sent.clone();
        changed[63] ^= 1;
        assert_eq!(text.find(&changed), Found::Damaged);
        assert_eq!(text.find(&sent[..63]), Found::Damaged);
        assert_eq!(Text::new(0xBEE0, 64).find(&sent), Found::Foreign);
        assert_eq!(text.find(b"damso :: too fast"), Found::Foreign);
    }

    #[test]
    fn what_was_said_in_another_room_is_damage() {
        let [one, other] = [1, 2].map(|room| Text::in_room(0xC0DE, room, 64));
        let sent = message(&one, 0, 3);
        assert_eq!(one.find(&sent), Found::Message { publisher: 0, counter: 3 });
        assert_eq!(other.find(&sent), Found::Damaged);
        assert_eq!(Text::in_room(0xC0DF, 1, 64).find(&sent), Found::Foreign);
    }
}
