//! Whatever the network does, a client ends where the server is.

use crate::model::{ME, Model, comparable, sorted};
use damso_client::{Client, Config, Notice, Output};
use damso_protocol::v1::ChangeOp;
use damso_protocol::v1::client::{Anchor, Change};
use damso_protocol::{Nonce, RoomId};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Clone, Debug)]
enum Op {
    /// Somebody else says something.
    Say,
    /// Somebody else changes something.
    Change(usize, u8),
    /// The user says something.
    Send,
    /// The user changes something.
    SendChange(usize, u8),
    /// The user asks for a page.
    History(usize, u8, u32),
    /// The server does what it was asked for.
    Work,
    /// The server puts a page on its way.
    FinishRead,
    /// The client gets a message.
    Deliver,
    /// The client gets a message twice.
    Double,
    /// An event is lost.
    Lose,
    /// The connection is lost.
    Cut,
    /// The next commands are refused for now.
    Busy(u32),
    /// Time passes until the client is due.
    Wait,
    /// The user closes the room and opens it again.
    Reopen,
    /// The client starts anew from what it wrote down.
    Restart,
    /// The server starts anew with an empty store.
    LoseEverything,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => Just(Op::Say),
        8 => (any::<usize>(), any::<u8>()).prop_map(|(pick, what)| Op::Change(pick, what)),
        5 => Just(Op::Send),
        4 => (any::<usize>(), any::<u8>()).prop_map(|(pick, what)| Op::SendChange(pick, what)),
        4 => (any::<usize>(), any::<u8>(), 1..5_u32).prop_map(|(m, at, n)| Op::History(m, at, n)),
        20 => Just(Op::Work),
        5 => Just(Op::FinishRead),
        30 => Just(Op::Deliver),
        3 => Just(Op::Double),
        3 => Just(Op::Lose),
        2 => Just(Op::Cut),
        1 => (1..3_u32).prop_map(Op::Busy),
        4 => Just(Op::Wait),
        1 => Just(Op::Reopen),
        1 => Just(Op::Restart),
        1 => Just(Op::LoseEverything),
    ]
}

fn change(m: u64, nonce: Nonce, what: u8) -> Change {
    let op = match what % 8 {
        0..=1 => ChangeOp::Edit,
        2 => ChangeOp::Delete,
        3..=4 => ChangeOp::React,
        5 => ChangeOp::Unreact,
        6 => ChangeOp::Pin,
        _ => ChangeOp::Unpin,
    };
    let text = (op == ChangeOp::Edit).then(|| Arc::from(format!("edit {what}")));
    let is_reaction = matches!(op, ChangeOp::React | ChangeOp::Unreact);
    let emoji = is_reaction.then(|| Arc::from(["👍", "❤"][usize::from(what) / 8 % 2]));
    Change { id: 0, room: RoomId::lobby(), m, nonce, op, text, emoji }
}

struct World {
    client: Client,
    model: Model,
    now: u64,
    /// Whether the client's connection stands, as far as it knows.
    is_connected: bool,
    next_nonce: u32,
    /// What the user said, with the store in which it was.
    sent: Vec<Nonce>,
    acked: BTreeMap<Nonce, (u32, Option<u64>)>,
    /// The last `seq` that the user was told.
    told: Option<u64>,
}

impl World {
    fn new() -> Self {
        let client = Client::new(config(), Box::new(|| 0.5));
        let mut world = Self {
            client,
            model: Model::new(),
            now: 0,
            is_connected: false,
            next_nonce: 0,
            sent: Vec::new(),
            acked: BTreeMap::new(),
            told: None,
        };
        world.client.open(RoomId::lobby(), 0);
        world.settle();
        world
    }

    fn nonce(&mut self) -> Nonce {
        self.next_nonce += 1;
        Nonce::new(format!("n{}", self.next_nonce))
    }

    fn settle(&mut self) {
        while let Some(output) = self.client.poll() {
            match output {
                Output::Connect => {
                    self.is_connected = true;
                    self.client.connected(self.now);
                }
                Output::Disconnect => self.cut(),
                Output::Write(text) => {
                    self.model.up.push_back(serde_json::from_str(&text).unwrap());
                }
                Output::Notice(notice) => self.notice(notice),
            }
        }
    }

    fn notice(&mut self, notice: Notice) {
        match notice {
            Notice::Acked { nonce, seq, .. } => {
                let epoch = self.model.epoch;
                let before = self.acked.insert(nonce.clone(), (epoch, seq));
                assert!(before.is_none(), "{nonce} was acknowledged twice");
            }
            Notice::Reset { room, .. } => self.told = self.client.room(&room).unwrap().last(),
            Notice::Replay { .. } => {}
            Notice::Message(msg) => self.tell(msg.seq),
            Notice::Changed(change) => self.tell(change.seq),
            Notice::Refused { entry, code, .. } => panic!("{code}: {entry:?}"),
            _ => {}
        }
    }

    /// Every event once, in order, with no hole.
    fn tell(&mut self, seq: u64) {
        assert_eq!(self.told.map(|told| told + 1), Some(seq));
        self.told = Some(seq);
    }

    fn deliver(&mut self, times: usize) {
        let Some(message) = self.model.down.pop_front() else { return };
        let text = serde_json::to_string(&message).unwrap();
        for _ in 0..times {
            self.client.receive(&text, self.now);
        }
        self.settle();
    }

    fn cut(&mut self) {
        self.model.cut();
        if std::mem::take(&mut self.is_connected) {
            self.client.disconnected(None, self.now);
        }
        self.settle();
    }

    fn wait(&mut self) {
        if let Some(due) = self.client.timeout() {
            self.now = self.now.max(due);
            self.client.handle_timeout(self.now);
        }
        self.settle();
    }

    fn act(&mut self, op: Op) {
        let (lobby, now) = (RoomId::lobby(), self.now);
        match op {
            Op::Say => {
                self.model.say("other", "hello".into(), None);
            }
            Op::Change(pick, what) => {
                if let Some(m) = self.model.any_message(pick) {
                    let nonce = self.nonce();
                    self.model.change("other", &change(m, nonce, what));
                }
            }
            Op::Send => {
                let nonce = self.nonce();
                self.sent.push(nonce.clone());
                self.client.send(lobby, nonce, "mine", None, now).unwrap();
            }
            Op::SendChange(pick, what) => {
                if let Some(m) = self.model.any_message(pick) {
                    let nonce = self.nonce();
                    let Change { m, nonce, op, text, emoji, .. } = change(m, nonce, what);
                    self.sent.push(nonce.clone());
                    self.client.change(lobby, m, nonce, op, text, emoji, now).unwrap();
                }
            }
            Op::History(pick, at, limit) => {
                let m = self.model.any_message(pick).unwrap_or(1);
                let anchor =
                    [Anchor::Before(m), Anchor::After(m), Anchor::Around(m)][usize::from(at) % 3];
                self.client.history(&lobby, anchor, limit, now);
            }
            Op::Work => self.model.work(),
            Op::FinishRead => self.model.finish_read(),
            Op::Deliver => self.deliver(1),
            Op::Double => {
                // An answer is never doubled: the transport keeps what it carries.
                let is_event = self.model.down.front().is_some_and(is_event);
                self.deliver(if is_event { 2 } else { 1 });
            }
            Op::Lose => {
                if self.model.down.front().is_some_and(is_event) {
                    self.model.down.pop_front();
                }
            }
            Op::Cut => self.cut(),
            Op::Busy(count) => self.model.busy = count,
            Op::Wait => self.wait(),
            Op::Reopen => {
                self.client.close(&lobby, now);
                self.client.open(lobby, now);
                self.told = None;
            }
            Op::Restart => {
                let saved = serde_json::to_string(&self.client.saved()).unwrap();
                let saved = serde_json::from_str(&saved).unwrap();
                self.model.cut();
                self.is_connected = false;
                self.client = Client::restore(config(), saved, Box::new(|| 0.5));
                self.client.open(lobby, now);
            }
            Op::LoseEverything => {
                self.cut();
                self.model.lose_everything();
                self.told = None;
            }
        }
        self.settle();
    }

    /// The network is as it should be, until nothing is left to do.
    fn calm(&mut self) {
        self.model.busy = 0;
        // A hole shows when something comes after it.
        self.model.say("other", "the last word".into(), None);
        for _ in 0..10_000 {
            self.model.work();
            self.model.finish_read();
            self.deliver(1);
            if self.model.up.is_empty() && self.model.down.is_empty() {
                let lobby = self.client.room(&RoomId::lobby()).unwrap();
                if lobby.is_caught_up() && self.client.outbox().is_empty() {
                    return;
                }
                self.wait();
            }
        }
        panic!("it doesn't come to an end: {:?}", self.client.outbox());
    }

    fn check(&self) {
        let room = self.client.room(&RoomId::lobby()).unwrap();
        assert_eq!(room.last(), Some(self.model.head()));
        let (timeline, messages) = (room.timeline(), self.model.messages());
        for held in timeline.messages() {
            assert_eq!(Some(comparable(held)), messages.get(&held.m).cloned().map(sorted));
        }
        let mut held = 0;
        for range in timeline.ranges() {
            let expected: Vec<u64> =
                messages.range(range.low..=range.high).map(|(m, _)| *m).collect();
            let found: Vec<u64> = timeline.within(*range).map(|message| message.m).collect();
            assert_eq!(found, expected, "{range:?}");
            held += found.len();
        }
        assert_eq!(held, timeline.len(), "a message is in no range");
        assert!(timeline.ranges().is_sorted_by(|a, b| a.high + 1 < b.low));
        let mut last = 0;
        for nonce in &self.sent {
            let (epoch, seq) = self.acked[nonce];
            let places = self.model.places(nonce);
            assert!(places.len() <= 1, "{nonce} stands at {places:?}");
            if epoch == self.model.epoch {
                assert_eq!(seq, places.first().copied(), "{nonce}");
                assert!(seq.is_none_or(|seq| seq > last), "{nonce} is out of order");
                last = seq.unwrap_or(last);
            }
        }
    }
}

/// Small, so that a reset is as likely as a replay.
fn config() -> Config {
    Config {
        key: Some("k".into()),
        name: Some(ME.into()),
        replay_max: Some(6),
        page_limit: Some(3),
        keep_messages: 12,
        ..Config::default()
    }
}

fn is_event(message: &damso_protocol::v1::server::ServerMessage) -> bool {
    use damso_protocol::v1::server::ServerMessage;
    matches!(message, ServerMessage::Msg(_) | ServerMessage::Change(_))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn a_client_ends_where_the_server_is(ops in prop::collection::vec(op(), 0..200)) {
        let mut world = World::new();
        for op in ops {
            world.act(op);
        }
        world.calm();
        world.check();
    }

    #[test]
    fn no_text_of_a_server_makes_a_client_panic(
        texts in prop::collection::vec(
            r#"\PC{0,20}|\{"t":"(msg|ok|change|room|welcome)",("seq":[0-9]{1,20},)?("room":"lobby",)?"id":[0-9]\}"#,
            0..20,
        ),
    ) {
        let mut world = World::new();
        world.wait();
        for text in texts {
            world.client.receive(&text, 0);
            world.client.handle_timeout(0);
        }
    }
}
