//! A damso.v1 peer that says what it is told to, right or wrong, and an HTTP client beside it.

use crate::client::{Answer, CLOSE, Client, TEXT};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::net::SocketAddr;

/// A key that belongs to this name alone.
pub(crate) fn key(name: &str) -> String {
    format!("{name}-0123456789abcdef0123456789abcdef")
}

/// One end of a connection that talks damso.v1.
pub(crate) struct Peer {
    pub(crate) client: Client,
    /// The user's id, once welcomed.
    pub(crate) user: String,
    pub(crate) welcome: Value,
    last_id: u64,
    /// What came while something else was waited for.
    kept: VecDeque<Value>,
}

impl Peer {
    /// A connection that hasn't said hello.
    #[track_caller]
    pub(crate) fn open(address: SocketAddr) -> Self {
        let client = Client::connect(address);
        let client = client.open_on("/ws", "Sec-WebSocket-Protocol: x, damso.v1\r\n");
        let (user, welcome, kept) = (String::new(), Value::Null, VecDeque::new());
        Self { client, user, welcome, last_id: 0, kept }
    }

    /// Somebody who was welcomed.
    #[track_caller]
    pub(crate) fn join(address: SocketAddr, name: &str) -> Self {
        let mut peer = Self::open(address);
        peer.hello(name, json!({}));
        peer
    }

    /// Says hello and is welcomed.
    #[track_caller]
    pub(crate) fn hello(&mut self, name: &str, more: Value) {
        let mut hello = json!({"t": "hello", "key": key(name), "name": name, "agent": "it"});
        merge(&mut hello, more);
        self.ask(hello);
        let welcome = self.next();
        assert_eq!(welcome["t"], "welcome", "{welcome}");
        self.user = welcome["user"].as_str().expect("an id").to_owned();
        self.welcome = welcome;
    }

    /// Somebody who was welcomed and hears the lobby from here on.
    #[track_caller]
    pub(crate) fn in_lobby(address: SocketAddr, name: &str) -> Self {
        let mut peer = Self::join(address, name);
        peer.ok(json!({"t": "open", "room": "lobby"}));
        peer
    }

    /// Sends an object with the next id, which is returned.
    #[track_caller]
    pub(crate) fn ask(&mut self, mut message: Value) -> u64 {
        self.last_id += 1;
        message["id"] = self.last_id.into();
        self.client.say(&message.to_string());
        self.last_id
    }

    /// Sends an object as it is.
    #[track_caller]
    pub(crate) fn send(&mut self, message: &Value) {
        self.client.say(&message.to_string());
    }

    /// The next object, whatever it is.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Value {
        if let Some(kept) = self.kept.pop_front() {
            return kept;
        }
        self.read()
    }

    #[track_caller]
    fn read(&mut self) -> Value {
        loop {
            let frame = self.client.frame();
            match frame.opcode() {
                TEXT => return serde_json::from_slice(&frame.payload).expect("JSON"),
                CLOSE => panic!("closed: {:?}", String::from_utf8_lossy(&frame.payload)),
                _ => {}
            }
        }
    }

    /// The next object that fits; the others are kept for later.
    #[track_caller]
    pub(crate) fn find(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.kept.iter().position(&fits) {
            return self.kept.remove(at).expect("it is there");
        }
        loop {
            let message = self.read();
            if fits(&message) {
                return message;
            }
            self.kept.push_back(message);
        }
    }

    /// The next object of this kind.
    #[track_caller]
    pub(crate) fn next_of(&mut self, t: &str) -> Value {
        self.find(|message| message["t"] == t)
    }

    /// Asks, and returns the reply.
    #[track_caller]
    pub(crate) fn reply(&mut self, message: Value) -> Value {
        let id = self.ask(message);
        self.find(|message| message["id"] == id)
    }

    /// Asks for what has to be done.
    #[track_caller]
    pub(crate) fn ok(&mut self, message: Value) -> Value {
        let asked = message.to_string();
        let reply = self.reply(message);
        assert_eq!(reply["t"], "ok", "{asked}: {reply}");
        reply
    }

    /// Asks for what has to be refused, and says with which code.
    #[track_caller]
    pub(crate) fn refused(&mut self, message: Value) -> String {
        let asked = message.to_string();
        let reply = self.reply(message);
        assert_eq!(reply["t"], "err", "{asked}: {reply}");
        assert!(reply["msg"].as_str().is_some_and(|msg| !msg.is_empty()), "{reply}");
        reply["code"].as_str().expect("a code").to_owned()
    }

    /// Says something in a room; the message's `m`.
    #[track_caller]
    pub(crate) fn says(&mut self, room: &str, nonce: &str, text: &str) -> u64 {
        let reply = self.ok(json!({"t": "send", "room": room, "nonce": nonce, "text": text}));
        assert!(reply["at"].as_u64().is_some_and(|at| at > 1_700_000_000_000), "{reply}");
        reply["m"].as_u64().expect("m")
    }

    /// Changes a message in a room; the change's `seq`.
    #[track_caller]
    pub(crate) fn changes(&mut self, room: &str, m: u64, nonce: &str, more: Value) -> u64 {
        let mut change = json!({"t": "change", "room": room, "m": m, "nonce": nonce});
        merge(&mut change, more);
        self.ok(change)["seq"].as_u64().expect("seq")
    }

    /// The next event of a room's log.
    #[track_caller]
    pub(crate) fn event(&mut self, room: &str) -> Value {
        let is_event = |message: &Value| {
            message["room"] == room
                && message["seq"].is_u64()
                && matches!(message["t"].as_str(), Some("msg" | "change" | "room"))
        };
        self.find(is_event)
    }

    /// Everything up to the end, and the code with which it was closed.
    #[track_caller]
    pub(crate) fn until_closed(&mut self) -> (Vec<Value>, u16) {
        let mut before: Vec<Value> = self.kept.drain(..).collect();
        loop {
            let frame = self.client.frame();
            match frame.opcode() {
                TEXT => before.push(serde_json::from_slice(&frame.payload).expect("JSON")),
                CLOSE => {
                    let code = frame.payload.get(..2).expect("a code");
                    return (before, u16::from_be_bytes([code[0], code[1]]));
                }
                _ => {}
            }
        }
    }

    /// Nothing that fits has come when an answer to something else has.
    #[track_caller]
    pub(crate) fn hears_nothing(&mut self, fits: impl Fn(&Value) -> bool) {
        self.ok(json!({"t": "watch", "users": []}));
        let heard = self.kept.iter().find(|message| fits(message));
        assert!(heard.is_none(), "{heard:?}");
    }
}

fn merge(into: &mut Value, more: Value) {
    let Value::Object(more) = more else { panic!("an object") };
    for (name, value) in more {
        into[name] = value;
    }
}

/// One HTTP request with somebody's key; status and body.
#[track_caller]
pub(crate) fn http(
    address: SocketAddr,
    who: &str,
    method: &str,
    path: &str,
    body: &Value,
) -> (u16, Value) {
    let answer = request(address, who, method, path, body);
    let body = match answer.body.as_str() {
        "" => Value::Null,
        body => serde_json::from_str(body).expect("JSON"),
    };
    (answer.status, body)
}

/// The same, with the whole answer.
#[track_caller]
pub(crate) fn request(
    address: SocketAddr,
    who: &str,
    method: &str,
    path: &str,
    body: &Value,
) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let mut client = Client::connect(address);
    let (key, length) = (key(who), body.len());
    client.send(
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
        .as_bytes(),
    );
    client.answer()
}
