use super::*;
use damso_chat::Message;
use damso_protocol::UserId;

/// Sockets that take what they are told to take.
#[derive(Default)]
struct Sinks {
    received: HashMap<u32, Vec<u8>>,
    /// How many bytes a slot takes before it is full; all, if it isn't named.
    room_left: HashMap<u32, usize>,
    sends: usize,
}

impl Outlet for Sinks {
    fn send(&mut self, slot: u32, batch: &Batch<'_>) -> usize {
        self.sends += 1;
        let bytes = batch.bytes();
        let taken = match self.room_left.get_mut(&slot) {
            None => bytes.len(),
            Some(left) => {
                let taken = bytes.len().min(*left);
                *left -= taken;
                taken
            }
        };
        self.received.entry(slot).or_default().extend_from_slice(&bytes[..taken]);
        taken
    }
}

/// A line in the lobby, on its way out.
pub fn published(seq: u64, text: &str) -> Arc<Published> {
    let message = Message {
        room: RoomId::lobby(),
        seq,
        n: seq,
        by: UserId::new("u"),
        name: "a".into(),
        at: 0,
        text: Some(text.into()),
        reply: None,
        mentions: Vec::new(),
        nonce: None,
    };
    Arc::new(Published::new(Arc::new(Event::Message(message))).unwrap())
}

/// A feed of the lobby with its readers.
struct Scene {
    feeds: Feeds,
    sinks: Sinks,
    seq: u64,
}

impl Scene {
    fn new(ring_bytes_max: usize) -> Self {
        Self { feeds: Feeds::new(ring_bytes_max), sinks: Sinks::default(), seq: 0 }
    }

    fn join(&mut self, slot: u32) {
        let (room, next) = (RoomId::lobby(), self.seq + 1);
        let head = self.seq;
        self.feeds.subscribe(slot, Encoding::Plain, &room, next, head, None, &mut self.sinks);
    }

    fn say(&mut self, text: &str) {
        self.seq += 1;
        self.feeds.deliver(published(self.seq, text));
    }

    fn flush(&mut self) -> Vec<u32> {
        self.feeds.flush(&mut self.sinks)
    }

    fn got(&self, slot: u32) -> Vec<u8> {
        self.sinks.received.get(&slot).cloned().unwrap_or_default()
    }
}

fn frames(texts: impl IntoIterator<Item = impl AsRef<str>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for text in texts {
        frame::server_text(&mut bytes, &plain::line("a", text.as_ref()));
    }
    bytes
}

#[test]
fn all_of_one_iteration_goes_to_each_live_reader_in_one_send() {
    let mut scene = Scene::new(1 << 20);
    (0..10).for_each(|slot| scene.join(slot));
    (0..64).for_each(|number| scene.say(&number.to_string()));
    assert!(scene.flush().is_empty());
    assert_eq!(scene.sinks.sends, 10);
    let expected = frames((0..64).map(|number| number.to_string()));
    assert!((0..10).all(|slot| scene.got(slot) == expected));
    scene.flush();
    assert_eq!(scene.sinks.sends, 10, "nothing is sent twice");
}

#[test]
fn a_batch_is_capped_by_bytes() {
    let mut scene = Scene::new(8 << 20);
    scene.join(0);
    let long = "x".repeat(60_000);
    (0..10).for_each(|_| scene.say(&long));
    scene.flush();
    assert_eq!(scene.sinks.sends, 3);
    assert_eq!(scene.got(0), frames(vec![long; 10]));
}

#[test]
fn who_joins_gets_what_comes_after_and_nothing_twice() {
    let mut scene = Scene::new(1 << 20);
    scene.join(0);
    scene.say("before");
    scene.join(1);
    scene.say("after");
    scene.flush();
    assert_eq!(scene.got(0), frames(["before", "after"]));
    assert_eq!(scene.got(1), frames(["after"]));
}

#[test]
fn who_leaves_gets_nothing_more_and_the_others_keep_their_places() {
    let mut scene = Scene::new(1 << 20);
    (0..5).for_each(|slot| scene.join(slot));
    for leaver in [0, 4, 2] {
        assert!(scene.feeds.remove(leaver).is_none());
        scene.say(&format!("without {leaver}"));
        scene.flush();
    }
    assert_eq!(scene.got(0), Vec::<u8>::new());
    assert_eq!(scene.got(4), frames(["without 0"]));
    assert_eq!(scene.got(2), frames(["without 0", "without 4"]));
    let all = frames(["without 0", "without 4", "without 2"]);
    assert!([1, 3].iter().all(|&slot| scene.got(slot) == all));
}

#[test]
fn a_reader_cut_at_any_byte_gets_every_byte_once_when_it_goes_on() {
    let whole = frames(["one", "two", "three", "four"]);
    for cut in 0..whole.len() {
        let mut scene = Scene::new(1 << 20);
        scene.join(0);
        scene.join(1);
        scene.sinks.room_left.insert(1, cut);
        scene.say("one");
        scene.say("two");
        assert_eq!(
            scene.flush(),
            if cut < frames(["one", "two"]).len() { vec![1] } else { vec![] }
        );
        scene.say("three");
        scene.flush();
        scene.say("four");
        scene.flush();
        assert_eq!(scene.got(0), whole, "the others aren't held up");
        assert_eq!(scene.got(1), whole[..cut]);
        scene.sinks.room_left.insert(1, 3);
        let _ = scene.feeds.resume(1, &mut scene.sinks);
        scene.sinks.room_left.remove(&1);
        assert_eq!(scene.feeds.resume(1, &mut scene.sinks), Resumed::Live);
        assert_eq!(scene.got(1), whole, "cut at {cut}");
        scene.say("five");
        scene.flush();
        let live_again = frames(["one", "two", "three", "four", "five"]);
        assert_eq!(scene.got(1), live_again, "cut at {cut}");
    }
}

#[test]
fn a_blocked_reader_is_not_written_to_between_its_bytes() {
    let mut scene = Scene::new(1 << 20);
    scene.join(0);
    scene.feeds.block(0);
    scene.say("one");
    scene.flush();
    assert_eq!(scene.sinks.sends, 0);
    assert_eq!(scene.feeds.resume(0, &mut scene.sinks), Resumed::Live);
    assert_eq!(scene.got(0), frames(["one"]));
}

#[test]
fn a_reader_that_the_ring_has_left_behind_fell_off() {
    let mut scene = Scene::new(10_000);
    scene.join(0);
    scene.join(1);
    scene.sinks.room_left.insert(1, 0);
    for _ in 0..100 {
        scene.say("something that takes some place");
        scene.flush();
    }
    scene.sinks.room_left.remove(&1);
    assert_eq!(scene.feeds.resume(1, &mut scene.sinks), Resumed::FellOff);
    assert_eq!(scene.got(0), frames(vec!["something that takes some place"; 100]));
}

#[test]
fn the_rest_of_a_cut_frame_comes_back_when_its_reader_leaves() {
    let mut scene = Scene::new(1 << 20);
    scene.join(0);
    scene.sinks.room_left.insert(0, 4);
    scene.say("one");
    scene.say("two");
    scene.flush();
    let mut rest = scene.feeds.remove(0).unwrap();
    scene.sinks.room_left.remove(&0);
    assert!(rest.send(0, &mut scene.sinks));
    assert_eq!(scene.got(0), frames(["one"]));
}

#[test]
fn where_a_fan_out_starts_moves_on() {
    let mut scene = Scene::new(1 << 20);
    (0..3).for_each(|slot| scene.join(slot));
    /// Notes who was first.
    struct First(Vec<u32>, bool);
    impl Outlet for First {
        fn send(&mut self, slot: u32, batch: &Batch<'_>) -> usize {
            if std::mem::take(&mut self.1) {
                self.0.push(slot);
            }
            batch.bytes().len()
        }
    }
    let mut first = First(Vec::new(), false);
    for _ in 0..3 {
        first.1 = true;
        scene.say("x");
        scene.feeds.flush(&mut first);
    }
    first.0.sort_unstable();
    assert_eq!(first.0, [0, 1, 2]);
}

#[test]
fn a_long_line_is_deflated_once_and_a_short_one_goes_as_it_is() {
    let mut scene = Scene::new(1 << 20);
    let next = 1;
    for slot in 0..2 {
        let encoding = Encoding::PlainDeflated;
        let room = RoomId::lobby();
        scene.feeds.subscribe(slot, encoding, &room, next, 0, None, &mut scene.sinks);
    }
    scene.say("short");
    scene.flush();
    assert_eq!(scene.got(0), frames(["short"]));
    scene.say(&"long ".repeat(100));
    scene.flush();
    let (first, second) = (scene.got(0), scene.got(1));
    assert_eq!(first, second);
    let deflated = &first[frames(["short"]).len()..];
    assert_eq!(deflated[0], 0xc1, "FIN, RSV1, text");
    assert!(deflated.len() < 100, "{}", deflated.len());
}
