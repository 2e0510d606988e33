use super::*;
use crate::command::KeyHash;
use crate::current::Current;
use crate::decide::{Accepted, Lookup, Written, decide};
use crate::state::{History, Kind};
use damso_protocol::{Nonce, UserId, plain};

/// A hub on a log that is there at once.
struct Scene {
    hub: Hub,
    log: State,
    now: u64,
}

struct NothingRecorded;

impl Lookup for NothingRecorded {
    fn accepted(&self, _: &UserId, _: &Nonce) -> Option<Accepted> {
        None
    }

    fn message(&self, _: &RoomId, _: u64) -> Option<Current> {
        None
    }

    fn messages_up_to(&self, _: &RoomId, seq: u64) -> u64 {
        seq
    }

    /// The lobby's first two messages, one at a time.
    fn written_by(&self, _: &UserId, from: Option<&(RoomId, u64)>) -> Written {
        let m = from.map_or(1, |(_, m)| *m);
        let next = (m < 2).then(|| (RoomId::lobby(), m + 1));
        Written { messages: vec![(RoomId::lobby(), m)], next }
    }
}

impl Scene {
    fn new(limits: Limits) -> Self {
        Self { hub: Hub::new(State::new(), limits, "e".into(), 1), log: State::new(), now: 1_000 }
    }

    fn step(&mut self, input: Input) -> Vec<Output> {
        self.hub.handle(input, self.now);
        loop {
            let entries = self.hub.take_entries();
            if entries.is_empty() {
                return self.hub.take_outputs();
            }
            let mut outcomes = Vec::new();
            for entry in entries {
                let outcome = decide(&self.log, &NothingRecorded, &entry, self.now);
                for event in outcome.iter().flat_map(Decision::events) {
                    self.log.apply(event);
                }
                outcomes.push(outcome);
            }
            self.hub.recorded(outcomes, self.now);
        }
    }

    fn ask(&mut self, session: SessionId, request: Request) -> Vec<Output> {
        self.step(Input::Request { session, id: 0, request })
    }

    fn say(&mut self, session: SessionId, text: &str) -> Vec<Output> {
        self.ask(
            session,
            Request::Say { room: RoomId::lobby(), nonce: None, text: text.into(), reply: None },
        )
    }

    /// A guest in the lobby.
    fn guest(&mut self, slot: u32, address: &str) -> SessionId {
        let session = id(slot);
        let who = Who::Plain { address: address.parse().unwrap() };
        self.step(Input::Hello { session, who });
        self.ask(session, Request::Listen { room: RoomId::lobby() });
        session
    }

    fn operator(&mut self) -> SessionId {
        let session = id(1_000);
        self.step(Input::Hello { session, who: Who::Operator });
        self.ask(session, Request::Listen { room: RoomId::lobby() });
        session
    }
}

fn id(slot: u32) -> SessionId {
    SessionId { shard: (slot / 1_000) as u16, slot, generation: 0 }
}

fn lines(outputs: &[Output]) -> Vec<String> {
    let line = |output: &Output| match output {
        Output::Deliver { event, .. } => match &**event {
            Event::Message(message) => {
                Some(plain::line(&message.name, message.text.as_deref().unwrap_or_default()))
            }
            _ => None,
        },
        _ => None,
    };
    outputs.iter().filter_map(line).collect()
}

fn refusals(outputs: &[Output]) -> Vec<&Refusal> {
    let refusal = |output| match output {
        &Output::Answer { answer: Answer::Refused(ref refusal), .. } => Some(refusal),
        _ => None,
    };
    outputs.iter().filter_map(refusal).collect()
}

#[test]
fn a_message_goes_once_to_each_shard_with_subscribers_and_its_credit_comes_back() {
    let mut scene = Scene::new(Limits::default());
    let a = scene.guest(1, "127.0.0.1:5000");
    scene.guest(2, "127.0.0.1:5001");
    scene.guest(1_001, "127.0.0.1:5002");
    let outputs = scene.say(a, "안녕");
    assert_eq!(lines(&outputs), ["127.0.0.1:5000 :: 안녕"]);
    assert!(matches!(&outputs[0], Output::Deliver { shards, .. } if *shards == [0, 1]));
    assert_eq!(outputs[1..], [Output::Credit { session: a, count: 1 }]);
}

#[test]
fn the_operator_speaks_as_administrator() {
    let mut scene = Scene::new(Limits::default());
    let operator = scene.operator();
    assert_eq!(lines(&scene.say(operator, "공지")), ["Administrator :: 공지"]);
}

#[test]
fn a_guest_that_sends_too_fast_is_told_when_to_go_on_and_nothing_is_recorded() {
    let mut scene = Scene::new(Limits::default());
    let a = scene.guest(1, "127.0.0.1:5000");
    for _ in 0..10 {
        assert_eq!(lines(&scene.say(a, "x")).len(), 1);
    }
    let outputs = scene.say(a, "one too many");
    assert_eq!(refusals(&outputs), [&Refusal::RateLimited { retry: 1000 }]);
    assert_eq!(outputs.last(), Some(&Output::Credit { session: a, count: 1 }));
    scene.now += 1_000;
    assert_eq!(lines(&scene.say(a, "now")).len(), 1);
}

#[test]
fn rates_that_are_lifted_hold_nobody_up() {
    let lifted = Limits { send_per_second: 0.0, commands_per_second: 0.0, ..Limits::default() };
    let mut scene = Scene::new(lifted);
    let a = scene.guest(1, "127.0.0.1:5000");
    assert!((0..1_000).all(|_| lines(&scene.say(a, "x")).len() == 1));
}

#[test]
fn a_text_over_the_limit_is_refused_by_characters_not_bytes() {
    let mut scene = Scene::new(Limits::default());
    let a = scene.guest(1, "127.0.0.1:5000");
    assert_eq!(lines(&scene.say(a, &"가".repeat(8_000))).len(), 1);
    let outputs = scene.say(a, &"가".repeat(8_001));
    assert_eq!(refusals(&outputs), [&Refusal::TooBig { chars: 8_001, limit: 8_000 }]);
}

#[test]
fn guests_of_one_address_are_bounded_and_a_place_is_free_again_after_one_leaves() {
    let mut scene = Scene::new(Limits { guests_per_address: 2, ..Limits::default() });
    let a = scene.guest(1, "10.0.0.1:1");
    scene.guest(2, "10.0.0.1:2");
    let third = Who::Plain { address: "10.0.0.1:3".parse().unwrap() };
    let hello = Input::Hello { session: id(3), who: third };
    let full = Output::Close { session: id(3), ending: Ending::TooMany { limit: 2 } };
    assert_eq!(scene.step(hello.clone()), [full]);
    scene.guest(4, "10.0.0.2:1");
    scene.step(Input::Gone { session: a });
    assert_eq!(scene.step(hello), []);
}

#[test]
fn the_default_bound_is_wide_for_private_addresses_and_narrow_for_public_ones() {
    let hub = Hub::new(State::new(), Limits::default(), "e".into(), 1);
    for (address, limit) in [
        ("127.0.0.1", 200),
        ("192.168.1.9", 200),
        ("::1", 200),
        ("8.8.8.8", 20),
        ("2001:db8::1", 20),
    ] {
        assert_eq!(hub.guests_limit(address.parse().unwrap()), limit, "{address}");
    }
}

#[test]
fn a_kicked_guest_is_closed_and_nothing_more_is_sent_to_its_shard() {
    let mut scene = Scene::new(Limits::default());
    let operator = scene.operator();
    let a = scene.guest(1, "10.0.0.1:1");
    let outputs = scene.ask(operator, Request::Kick { whom: Whom::Name("10.0.0.1:1".into()) });
    assert!(outputs.contains(&Output::Close { session: a, ending: Ending::Kicked }));
    let outputs = scene.say(operator, "bye");
    assert!(matches!(&outputs[0], Output::Deliver { shards, .. } if *shards == [1]));
    let nobody = scene.ask(operator, Request::Kick { whom: Whom::Name("10.0.0.1:1".into()) });
    assert_eq!(refusals(&nobody), [&Refusal::NotFound]);
}

#[test]
fn a_ban_ends_every_connection_of_the_address_and_refuses_new_ones_until_it_is_over() {
    let mut scene = Scene::new(Limits::default());
    let operator = scene.operator();
    let [a, b] = [scene.guest(1, "10.0.0.1:1"), scene.guest(2, "10.0.0.1:2")];
    let other = scene.guest(3, "10.0.0.2:1");
    let address = "10.0.0.1".parse().unwrap();
    let outputs = scene.ask(operator, Request::Record(Command::Ban { address, minutes: Some(5) }));
    for session in [a, b] {
        assert!(outputs.contains(&Output::Close { session, ending: Ending::Banned }));
    }
    let again =
        Input::Hello { session: id(4), who: Who::Plain { address: "10.0.0.1:3".parse().unwrap() } };
    let closed = Output::Close { session: id(4), ending: Ending::Banned };
    assert_eq!(scene.step(again.clone()), [closed]);
    assert_eq!(lines(&scene.say(other, "still here")).len(), 1);
    scene.now += 5 * 60_000;
    let outputs = scene.step(again);
    assert!(!outputs.iter().any(|output| matches!(output, Output::Close { .. })));
}

#[test]
fn a_muted_guest_reads_on_and_may_write_when_it_is_lifted() {
    let mut scene = Scene::new(Limits::default());
    let operator = scene.operator();
    let a = scene.guest(1, "10.0.0.1:1");
    let whom = || Whom::Name("10.0.0.1:1".into());
    scene.ask(operator, Request::Mute { whom: whom(), minutes: None });
    assert_eq!(refusals(&scene.say(a, "x")), [&Refusal::Muted { until: None }]);
    assert_eq!(lines(&scene.say(operator, "hush")).len(), 1);
    scene.ask(operator, Request::Unmute { whom: whom() });
    assert_eq!(lines(&scene.say(a, "thanks")).len(), 1);
}

#[test]
fn the_operators_requests_are_not_a_guests() {
    let mut scene = Scene::new(Limits::default());
    let a = scene.guest(1, "10.0.0.1:1");
    for request in [Request::Who, Request::Stats, Request::Kick { whom: Whom::Name("x".into()) }] {
        assert_eq!(refusals(&scene.ask(a, request)), [&Refusal::Forbidden]);
    }
}

#[test]
fn the_operator_sees_who_comes_and_goes() {
    let mut scene = Scene::new(Limits::default());
    let operator = scene.operator();
    let a = id(1);
    let who = Who::Plain { address: "[::1]:9".parse().unwrap() };
    let arrived = scene.step(Input::Hello { session: a, who });
    let tell = |answer| Output::Answer { session: operator, id: 0, answer };
    assert_eq!(arrived, [tell(Answer::Arrived("[::1]:9".into()))]);
    let here = scene.ask(operator, Request::Who);
    assert_eq!(here[0], tell(Answer::Here(vec!["[::1]:9".into()])));
    let left = scene.step(Input::Gone { session: a });
    assert_eq!(left, [tell(Answer::Left("[::1]:9".into()))]);
    assert_eq!(scene.step(Input::Gone { session: a }), [], "gone is heard once");
}

#[test]
fn stopping_sends_everybody_home() {
    let mut scene = Scene::new(Limits::default());
    let [a, b] = [scene.guest(1, "10.0.0.1:1"), scene.guest(2, "10.0.0.1:2")];
    let ending = Ending::Stopping;
    let closed = [a, b].map(|session| Output::Close { session, ending });
    assert_eq!(scene.step(Input::Stop), closed);
}

#[test]
fn who_never_stops_asking_for_more_than_it_may_is_sent_away() {
    let mut scene = Scene::new(Limits::default());
    let a = scene.guest(1, "10.0.0.1:1");
    let closed = Output::Close { session: a, ending: Ending::Flood };
    let lines = (0..2_000).position(|_| scene.say(a, "x").contains(&closed));
    assert_eq!(lines, Some(10 + REFUSED_MAX as usize - 1));
}

/// A guest with a key, which is made of its slot.
fn keyed(scene: &mut Scene, slot: u32) -> (SessionId, UserId) {
    let session = id(slot);
    let who = Who::Key {
        id: 1,
        key: KeyHash([slot as u8 % 10; 32]),
        name: format!("guest {}", slot % 10).into(),
        address: "127.0.0.1:5000".parse().unwrap(),
        epoch: None,
    };
    let outputs = scene.step(Input::Hello { session, who });
    let welcomed = outputs.iter().find_map(|output| match output {
        Output::Answer { answer: Answer::Welcome(welcome), .. } => Some(welcome.user.clone()),
        _ => None,
    });
    (session, welcomed.unwrap())
}

/// What is due after so long.
fn later(scene: &mut Scene, ms: u64) -> Vec<Output> {
    scene.now += ms;
    scene.hub.handle_timeout(scene.now);
    scene.hub.take_outputs()
}

#[test]
fn what_was_taken_back_is_in_no_preview() {
    for op in [Op::Delete, Op::Edit(Some("미안".into()))] {
        let mut scene = Scene::new(Limits::default());
        let ((a, _), (b, _)) = (keyed(&mut scene, 1), keyed(&mut scene, 2));
        scene.say(a, "x");
        later(&mut scene, 0);
        scene.say(a, "@guest 2 비밀번호는 1234");
        // The log of this scene keeps no messages, so it is told here what it would have said.
        let (m, by) = (2, scene.hub.sessions.get(a).unwrap().author(&scene.hub.state, 1));
        let change = crate::event::Change {
            room: RoomId::lobby(),
            seq: 3,
            m,
            op,
            by: by.user,
            name: by.name,
            at: scene.now,
            nonce: Nonce::new("n"),
        };
        scene.hub.happened(Arc::new(Event::Changed(change)), scene.now);
        let bumped = later(&mut scene, 1_000).into_iter().find_map(|output| match output {
            Output::Answer { session, answer: Answer::Bumped { preview, .. }, .. } => {
                (session == b).then_some(preview)
            }
            _ => None,
        });
        assert_eq!(bumped, Some(None));
    }
}

#[test]
fn who_asks_over_http_alone_has_no_more_than_who_stays() {
    let mut scene = Scene::new(Limits::default());
    let (gone, _) = keyed(&mut scene, 1);
    scene.step(Input::Gone { session: gone });
    later(&mut scene, 3_600_000);
    for slot in 100..400 {
        let (key, address) = (KeyHash([1; 32]), "127.0.0.1:5000".parse().unwrap());
        let session = id(slot);
        scene.step(Input::Hello { session, who: Who::Bearer { id: 1, key, address } });
        scene.say(session, "x");
        scene.step(Input::Gone { session });
        later(&mut scene, 250);
    }
    // Ten at once, and one a second for 75 seconds.
    let said = scene.log.room(&RoomId::lobby()).unwrap().n;
    assert!(said <= 10 + 75, "{said}");
}

#[test]
fn saying_something_is_seen_as_read_on_the_users_other_devices() {
    let mut scene = Scene::new(Limits::default());
    let ((a, user), (other, same)) = (keyed(&mut scene, 1), keyed(&mut scene, 11));
    assert_eq!(user, same);
    let seen = Output::Answer {
        session: other,
        id: 0,
        answer: Answer::Seen { room: RoomId::lobby(), seq: 1 },
    };
    assert!(scene.say(a, "x").contains(&seen));
}

#[test]
fn who_comes_in_is_shown_nothing_from_before() {
    let mut scene = Scene::new(Limits::default());
    let ((a, _), (b, user)) = (keyed(&mut scene, 1), keyed(&mut scene, 2));
    let (room, history) = (RoomId::new("r1"), History::Joining);
    let (kind, name, members) = (Kind::Public, Some("here".into()), Vec::new());
    scene.ask(a, Request::Record(Command::Create { kind, name, members, history, nonce: None }));
    let (nonce, text, reply) = (None, "@room 비밀번호는 1234".into(), None);
    scene.ask(a, Request::Say { room: room.clone(), nonce, text, reply });
    scene.ask(a, Request::Record(Command::Admit { room: room.clone(), user }));
    let bumped = later(&mut scene, 1_000).into_iter().find_map(|output| match output {
        Output::Answer { session, answer: Answer::Bumped { rooms, preview }, .. } => {
            (session == b).then_some((rooms, preview))
        }
        _ => None,
    });
    let (rooms, preview) = bumped.unwrap();
    assert_eq!(rooms.iter().map(|bumped| &bumped.room).collect::<Vec<_>>(), [&room]);
    assert_eq!(preview, None);
}

#[test]
fn an_erasure_goes_on_part_by_part_and_answers_once() {
    let mut scene = Scene::new(Limits::default());
    let a = scene.guest(1, "127.0.0.1:5000");
    scene.say(a, "하나");
    scene.say(a, "둘");
    let erase = Request::Erase { whom: None };
    let outputs = scene.step(Input::Request { session: a, id: 7, request: erase.clone() });
    let deleted: Vec<u64> = outputs
        .iter()
        .filter_map(|output| match output {
            Output::Deliver { event, .. } => match &**event {
                Event::Changed(change) if change.op == Op::Delete => Some(change.m),
                _ => None,
            },
            _ => None,
        })
        .collect();
    assert_eq!(deleted, [1, 2]);
    let answer = Answer::Erased { messages: 2 };
    let answered = Output::Answer { session: a, id: 7, answer };
    assert_eq!(outputs[outputs.len() - 2..], [answered, Output::Credit { session: a, count: 1 }]);
    // It is dear, so not too often.
    let outputs = scene.step(Input::Request { session: a, id: 8, request: erase });
    assert!(matches!(refusals(&outputs)[..], [Refusal::RateLimited { retry: 60_000 }]));
    let whom = Some(Whom::Name("127.0.0.1:5000".into()));
    let other = Request::Erase { whom };
    let outputs = scene.step(Input::Request { session: a, id: 9, request: other.clone() });
    assert_eq!(refusals(&outputs), [&Refusal::Forbidden]);
    let operator = scene.operator();
    let outputs = scene.step(Input::Request { session: operator, id: 1, request: other });
    assert!(matches!(
        outputs[outputs.len() - 2],
        Output::Answer { answer: Answer::Erased { messages: 2 }, .. }
    ));
}

#[test]
fn an_operator_hears_of_guests_and_not_of_operators_who_come_and_go() {
    let mut scene = Scene::new(Limits::default());
    let operator = scene.operator();
    let told = |outputs: &[Output]| {
        let to_it = |output: &&Output| matches!(output, Output::Answer { session, .. } if *session == operator);
        outputs.iter().filter(to_it).count()
    };
    let other = id(1_001);
    assert_eq!(told(&scene.step(Input::Hello { session: other, who: Who::Operator })), 0);
    assert_eq!(told(&scene.step(Input::Gone { session: other })), 0);
    let guest = Who::Plain { address: "127.0.0.1:5000".parse().unwrap() };
    assert_eq!(told(&scene.step(Input::Hello { session: other, who: guest })), 1);
    assert_eq!(told(&scene.step(Input::Gone { session: other })), 1);
}
