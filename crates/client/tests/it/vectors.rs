//! Replays the scenarios of `vectors/`, which other implementations replay too. Their README says
//! what each step means.

use damso_client::{Client, Config, Link, Message, Output, Room, Saved};
use damso_protocol::v1::ChangeOp;
use damso_protocol::v1::client::Anchor;
use damso_protocol::{Nonce, RoomId, UserId};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::fs;
use std::path::Path;
use std::sync::Arc;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    #[allow(dead_code)] // For whoever reads the file.
    about: String,
    #[serde(default)]
    config: Settings,
    #[serde(default)]
    saved: Saved,
    #[serde(default = "half")]
    random: f64,
    steps: Vec<Map<String, Value>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Settings {
    key: Option<Arc<str>>,
    name: Option<Arc<str>>,
    replay_max: Option<u64>,
    page_limit: Option<u32>,
    keep_messages: Option<usize>,
}

fn half() -> f64 {
    0.5
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum Command {
    Open {
        room: RoomId,
    },
    Close {
        room: RoomId,
    },
    Send {
        room: RoomId,
        nonce: Nonce,
        text: Arc<str>,
        reply: Option<u64>,
    },
    Change {
        room: RoomId,
        m: u64,
        nonce: Nonce,
        op: ChangeOp,
        text: Option<Arc<str>>,
        emoji: Option<Arc<str>>,
    },
    Read {
        room: RoomId,
        seq: u64,
    },
    History {
        room: RoomId,
        before: Option<u64>,
        after: Option<u64>,
        around: Option<u64>,
        limit: u32,
    },
    Watch {
        users: Vec<UserId>,
    },
    Typing {
        room: RoomId,
    },
    Rename {
        name: Arc<str>,
    },
    Withdraw {
        nonce: Nonce,
    },
    Stop {},
}

struct Run {
    client: Client,
    now: u64,
    connects: u32,
    disconnects: u32,
    writes: Vec<Value>,
    notices: Vec<Value>,
}

impl Run {
    fn drain(&mut self) {
        while let Some(output) = self.client.poll() {
            match output {
                Output::Connect => self.connects += 1,
                Output::Disconnect => self.disconnects += 1,
                Output::Write(text) => self.writes.push(serde_json::from_str(&text).unwrap()),
                Output::Notice(notice) => self.notices.push(serde_json::to_value(notice).unwrap()),
            }
        }
    }

    fn step(&mut self, word: &str, value: &Value) {
        let now = self.now;
        match word {
            "connected" => self.client.connected(now),
            "disconnected" => {
                let code = value.as_u64().map(|code| u16::try_from(code).unwrap());
                self.client.disconnected(code, now);
            }
            "receive" => self.client.receive(&value.to_string(), now),
            "receive_text" => self.client.receive(value.as_str().unwrap(), now),
            "timeout" => self.client.handle_timeout(now),
            "online" => self.client.online(now),
            "do" => self.command(Command::deserialize(value).unwrap()),
            "expect_connect" => {
                assert_eq!(std::mem::take(&mut self.connects), u32::from(value.as_bool().unwrap()));
            }
            "expect_disconnect" => assert_eq!(
                std::mem::take(&mut self.disconnects),
                u32::from(value.as_bool().unwrap())
            ),
            "expect_write" => {
                assert_eq!(Value::Array(std::mem::take(&mut self.writes)), *value, "written");
            }
            "expect_notices" => {
                let notices = Value::Array(std::mem::take(&mut self.notices));
                assert!(fits(value, &notices), "notices: {notices}\nexpected: {value}");
            }
            "expect_state" => {
                let state = state(&self.client, now);
                assert!(fits(value, &state), "state: {state}\nexpected: {value}");
            }
            other => panic!("no step is called {other}"),
        }
        self.drain();
    }

    fn command(&mut self, command: Command) {
        let (client, now) = (&mut self.client, self.now);
        match command {
            Command::Open { room } => client.open(room, now),
            Command::Close { room } => client.close(&room, now),
            Command::Send { room, nonce, text, reply } => {
                client.send(room, nonce, text, reply, now).unwrap();
            }
            Command::Change { room, m, nonce, op, text, emoji } => {
                client.change(room, m, nonce, op, text, emoji, now).unwrap();
            }
            Command::Read { room, seq } => client.read(&room, seq, now),
            Command::History { room, before, after, around, limit } => {
                let anchor = before.map(Anchor::Before);
                let anchor = anchor.or(after.map(Anchor::After)).or(around.map(Anchor::Around));
                client.history(&room, anchor.unwrap(), limit, now);
            }
            Command::Watch { users } => client.watch(users, now),
            Command::Typing { room } => client.typing(&room, now),
            Command::Rename { name } => client.rename(name, now),
            Command::Withdraw { nonce } => assert!(client.withdraw(&nonce).is_some()),
            Command::Stop {} => client.stop(),
        }
    }
}

/// Whether everything that is expected is there: objects may have more fields, lists not.
fn fits(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            expected.iter().all(|(key, value)| fits(value, found.get(key).unwrap_or(&Value::Null)))
        }
        (Value::Array(expected), Value::Array(found)) => {
            expected.len() == found.len()
                && expected.iter().zip(found).all(|(expected, found)| fits(expected, found))
        }
        _ => expected == found,
    }
}

fn state(client: &Client, now: u64) -> Value {
    let rooms = client.rooms().iter();
    let rooms = rooms.map(|held| (held.id().to_string(), room(held, now))).collect();
    let list = client.list().iter();
    let list = list.map(|(id, entry)| (id.to_string(), json!(entry))).collect();
    let (link, stopped) = match client.link() {
        Link::Stopped(reason) => (json!("stopped"), json!(reason)),
        link => (json!(link), Value::Null),
    };
    json!({
        "link": link,
        "stopped": stopped,
        "epoch": client.epoch(),
        "user": client.user(),
        "name": client.name(),
        "timeout": client.timeout(),
        "rooms": Value::Object(rooms),
        "list": Value::Object(list),
        "outbox": client.outbox(),
        "online": client.online_users(),
        "saved": client.saved(),
    })
}

fn room(room: &Room, now: u64) -> Value {
    let ranges = room.timeline().ranges().iter().map(|range| json!([range.low, range.high]));
    let messages = room.timeline().messages().map(|message: &Message| json!(message));
    json!({
        "open": room.is_open(),
        "last": room.last(),
        "head": room.head(),
        "n": room.n(),
        "first": room.first(),
        "ranges": ranges.collect::<Vec<_>>(),
        "messages": messages.collect::<Vec<_>>(),
        "typing": room.typing(now).collect::<Vec<_>>(),
    })
}

fn replay(path: &Path) {
    let text = fs::read_to_string(path).unwrap();
    let scenario: Scenario =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let defaults = Config::default();
    let settings = scenario.config;
    let config = Config {
        key: settings.key,
        name: settings.name,
        agent: "test".into(),
        replay_max: settings.replay_max,
        page_limit: settings.page_limit,
        keep_messages: settings.keep_messages.unwrap_or(defaults.keep_messages),
        ..defaults
    };
    let random = scenario.random;
    let client = Client::restore(config, scenario.saved, Box::new(move || random));
    let mut run = Run {
        client,
        now: 0,
        connects: 0,
        disconnects: 0,
        writes: Vec::new(),
        notices: Vec::new(),
    };
    for (at, step) in scenario.steps.iter().enumerate() {
        // So that a failure says where.
        println!("{}, step {}: {}", path.display(), at + 1, json!(step));
        if let Some(now) = step.get("now") {
            run.now = now.as_u64().unwrap();
        }
        for (word, value) in step.iter().filter(|(word, _)| *word != "now") {
            run.step(word, value);
        }
    }
    assert_eq!(run.writes, [] as [Value; 0], "{path:?}: written and not expected");
    assert_eq!((run.connects, run.disconnects), (0, 0), "{path:?}: not expected");
}

#[test]
fn every_scenario_goes_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    let mut paths: Vec<_> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    assert!(paths.len() >= 12, "only {} scenarios", paths.len());
    for path in paths {
        replay(&path);
    }
}
