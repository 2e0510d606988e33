//! A server of one room that keeps PROTOCOL section 4 and is as simple as can be: its state is
//! its log, folded anew whenever it is asked for.

use damso_client::Message;
use damso_protocol::v1::client::{Anchor, Change, ClientMessage, History, Open, Send};
use damso_protocol::v1::server::{
    self, Failure, Mode, Msg, PageMessage, Reaction, Reply, ServerMessage, Welcome,
};
use damso_protocol::v1::{ChangeOp, ErrorCode};
use damso_protocol::{Nonce, RoomId, UserId};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// The user whose client is tested.
pub const ME: &str = "me";

#[derive(Clone)]
enum Event {
    Msg(Msg),
    Change(server::Change),
}

/// A message with who reacted.
struct Folded {
    page: PageMessage,
    reactions: Vec<(Arc<str>, Vec<UserId>)>,
}

pub struct Model {
    pub epoch: u32,
    log: Vec<Event>,
    nonces: BTreeMap<Nonce, u64>,
    is_subscribed: bool,
    /// On their way to the client.
    pub down: VecDeque<ServerMessage>,
    /// On their way to the server.
    pub up: VecDeque<ClientMessage>,
    /// Pages that were read, and aren't on their way yet.
    read: VecDeque<ServerMessage>,
    /// How many of the next commands are refused for now.
    pub busy: u32,
}

impl Model {
    pub fn new() -> Self {
        Self {
            epoch: 1,
            log: Vec::new(),
            nonces: BTreeMap::new(),
            is_subscribed: false,
            down: VecDeque::new(),
            up: VecDeque::new(),
            read: VecDeque::new(),
            busy: 0,
        }
    }

    pub fn head(&self) -> u64 {
        self.log.len() as u64
    }

    /// The store is lost, and the connection with it.
    pub fn lose_everything(&mut self) {
        self.cut();
        self.epoch += 1;
        self.log.clear();
        self.nonces.clear();
    }

    pub fn cut(&mut self) {
        self.is_subscribed = false;
        self.down.clear();
        self.up.clear();
        self.read.clear();
    }

    /// The `seq` of everything that was said under a nonce.
    pub fn places(&self, nonce: &Nonce) -> Vec<u64> {
        let named = |event: &&Event| match event {
            Event::Msg(msg) => msg.nonce.as_ref() == Some(nonce),
            Event::Change(change) => change.nonce.as_ref() == Some(nonce),
        };
        self.log.iter().filter(named).map(seq).collect()
    }

    /// A message that exists, by any number.
    pub fn any_message(&self, pick: usize) -> Option<u64> {
        let said: Vec<u64> =
            self.log.iter().filter(|event| matches!(event, Event::Msg(_))).map(seq).collect();
        (!said.is_empty()).then(|| said[pick % said.len()])
    }

    pub fn say(&mut self, by: &str, text: Arc<str>, nonce: Option<Nonce>) -> u64 {
        let n = self.log.iter().filter(|event| matches!(event, Event::Msg(_))).count() as u64;
        let seq = self.head() + 1;
        self.append(Event::Msg(Msg {
            room: RoomId::lobby(),
            seq,
            n: n + 1,
            by: UserId::new(by),
            name: by.into(),
            at: seq,
            text: Some(text),
            reply: None,
            mentions: Vec::new(),
            nonce,
        }))
    }

    /// None: it is so already, or the message is gone.
    pub fn change(&mut self, by: &str, change: &Change) -> Option<u64> {
        let state = self.fold(self.head());
        let message = state.get(&change.m)?;
        let user = UserId::new(by);
        let reacted = message
            .reactions
            .iter()
            .any(|(emoji, users)| Some(emoji) == change.emoji.as_ref() && users.contains(&user));
        let is_so = match change.op {
            ChangeOp::Edit => message.page.text == change.text,
            ChangeOp::Delete => message.page.deleted,
            ChangeOp::React => reacted,
            ChangeOp::Unreact => !reacted,
            ChangeOp::Pin => message.page.pinned,
            ChangeOp::Unpin => !message.page.pinned,
        };
        if is_so || message.page.deleted {
            return None;
        }
        let seq = self.head() + 1;
        Some(self.append(Event::Change(server::Change {
            room: RoomId::lobby(),
            seq,
            m: change.m,
            op: change.op,
            by: user,
            name: by.into(),
            at: seq,
            text: change.text.clone(),
            emoji: change.emoji.clone(),
            nonce: Some(change.nonce.clone()),
        })))
    }

    /// Does what the client asked for first.
    pub fn work(&mut self) {
        let Some(message) = self.up.pop_front() else { return };
        if !matches!(message, ClientMessage::Hello(_)) && self.busy > 0 {
            self.busy -= 1;
            let id = match &message {
                ClientMessage::Open(open) => open.id,
                ClientMessage::Send(send) => send.id,
                ClientMessage::Change(change) => change.id,
                ClientMessage::History(history) => history.id,
                _ => return,
            };
            let (code, msg) = (ErrorCode::RateLimited, "later".into());
            let failure = Failure { id: Some(id), code, msg, retry: Some(50), suggest: None };
            return self.down.push_back(ServerMessage::Failure(failure));
        }
        match message {
            ClientMessage::Hello(_) => {
                self.down.push_back(ServerMessage::Welcome(Box::new(Welcome {
                    v: 1,
                    epoch: self.epoch.to_string().into(),
                    user: UserId::new(ME),
                    name: ME.into(),
                    rooms: Vec::new(),
                    limits: Default::default(),
                    features: Vec::new(),
                    ping: 25_000,
                    server: "model".into(),
                })));
            }
            ClientMessage::Open(open) => self.open(&open),
            ClientMessage::History(history) => self.history(&history),
            ClientMessage::Send(Send { id, nonce, text, .. }) => {
                let known = self.nonces.get(&nonce).copied();
                let m = known.unwrap_or_else(|| self.say(ME, text, Some(nonce.clone())));
                self.nonces.insert(nonce, m);
                self.reply(Reply { id, m: Some(m), ..Reply::default() });
            }
            ClientMessage::Change(change) => {
                let known = self.nonces.get(&change.nonce).copied();
                let seq = known.or_else(|| self.change(ME, &change));
                if let Some(seq) = seq {
                    self.nonces.insert(change.nonce, seq);
                }
                self.reply(Reply { id: change.id, seq, ..Reply::default() });
            }
            _ => {}
        }
    }

    /// A page that was read goes on its way.
    pub fn finish_read(&mut self) {
        self.down.extend(self.read.pop_front());
    }

    fn open(&mut self, open: &Open) {
        let (id, head) = (open.id, Some(self.head()));
        let n = Some(self.fold(self.head()).len() as u64);
        self.is_subscribed = true;
        let reply = Reply { id, head, n, first: Some(1), ..Reply::default() };
        let max = open.max.unwrap_or(500);
        match open.after.filter(|after| *after <= self.head() && self.head() - after <= max) {
            Some(after) => {
                self.reply(Reply { mode: Some(Mode::Replay), ..reply });
                let state = self.fold(self.head());
                for event in &self.log[after as usize..] {
                    self.down.push_back(without_deleted(event, &state));
                }
            }
            None => {
                let limit = open.limit.unwrap_or(100) as usize;
                let mut messages = self.page(self.head());
                messages.drain(..messages.len().saturating_sub(limit));
                let low = messages.first().map_or(self.head() + 1, |message| message.m);
                let gap = open.after.map(|after| (after + 1, low)).filter(|gap| gap.0 < gap.1);
                let messages = Some(messages);
                self.reply(Reply { mode: Some(Mode::Reset), messages, gap, ..reply });
            }
        }
    }

    fn history(&mut self, history: &History) {
        let limit = history.limit.unwrap_or(100) as usize;
        let all = self.page(self.head());
        let (messages, more): (Vec<_>, _) = match history.anchor().expect("one anchor") {
            Anchor::Before(m) => {
                let older: Vec<_> = all.into_iter().filter(|message| message.m < m).collect();
                let skipped = older.len().saturating_sub(limit);
                (older[skipped..].to_vec(), skipped > 0)
            }
            Anchor::After(m) => {
                let newer: Vec<_> = all.into_iter().filter(|message| message.m > m).collect();
                let more = newer.len() > limit;
                (newer.into_iter().take(limit).collect(), more)
            }
            Anchor::Around(m) => {
                let at = all.partition_point(|message| message.m < m).saturating_sub(limit / 2);
                (all.into_iter().skip(at).take(limit).collect(), true)
            }
        };
        self.read.push_back(ServerMessage::Reply(Box::new(Reply {
            id: history.id,
            first: Some(1),
            messages: Some(messages),
            asof: Some(self.head()),
            more: Some(more),
            ..Reply::default()
        })));
    }

    fn reply(&mut self, reply: Reply) {
        self.down.push_back(ServerMessage::Reply(Box::new(reply)));
    }

    fn append(&mut self, event: Event) -> u64 {
        self.log.push(event.clone());
        if self.is_subscribed {
            self.down.push_back(match event {
                Event::Msg(msg) => ServerMessage::Msg(msg),
                Event::Change(change) => ServerMessage::Change(change),
            });
        }
        self.head()
    }

    fn fold(&self, asof: u64) -> BTreeMap<u64, Folded> {
        let mut state: BTreeMap<u64, Folded> = BTreeMap::new();
        for event in self.log.iter().filter(|event| seq(event) <= asof) {
            match event {
                Event::Msg(msg) => {
                    let page = PageMessage {
                        m: msg.seq,
                        n: msg.n,
                        rev: msg.seq,
                        by: msg.by.clone(),
                        name: msg.name.clone(),
                        at: msg.at,
                        text: msg.text.clone(),
                        edited: false,
                        deleted: false,
                        reply: None,
                        mentions: Vec::new(),
                        reactions: Vec::new(),
                        pinned: false,
                        nonce: msg.nonce.clone(),
                    };
                    state.insert(msg.seq, Folded { page, reactions: Vec::new() });
                }
                Event::Change(change) => {
                    let message = state.get_mut(&change.m).expect("it was said before");
                    apply(message, change);
                }
            }
        }
        state
    }

    fn page(&self, asof: u64) -> Vec<PageMessage> {
        let me = UserId::new(ME);
        let page = |folded: Folded| {
            let reactions = folded
                .reactions
                .into_iter()
                .map(|(emoji, users)| Reaction(emoji, users.len() as u64, users.contains(&me)));
            PageMessage { reactions: reactions.collect(), ..folded.page }
        };
        self.fold(asof).into_values().map(page).collect()
    }

    /// Every message as it is now, to compare with what a client holds.
    pub fn messages(&self) -> BTreeMap<u64, PageMessage> {
        self.page(self.head()).into_iter().map(|message| (message.m, message)).collect()
    }
}

/// What a client holds, in the form of [`Model::messages`]; reactions are sorted, since a page and
/// events may bring them in another order.
pub fn comparable(message: &Message) -> PageMessage {
    let reactions = message.reactions.iter();
    sorted(PageMessage {
        m: message.m,
        n: message.n,
        rev: message.rev,
        by: message.by.clone(),
        name: message.name.clone(),
        at: message.at,
        text: message.text.clone(),
        edited: message.edited,
        deleted: message.deleted,
        reply: message.reply,
        mentions: message.mentions.clone(),
        reactions: reactions
            .map(|known| Reaction(known.emoji.clone(), known.count, known.mine))
            .collect(),
        pinned: message.pinned,
        nonce: message.nonce.clone(),
    })
}

pub fn sorted(mut message: PageMessage) -> PageMessage {
    message.reactions.sort_by(|a, b| a.0.cmp(&b.0));
    message
}

fn seq(event: &Event) -> u64 {
    match event {
        Event::Msg(msg) => msg.seq,
        Event::Change(change) => change.seq,
    }
}

/// What has been deleted since is replayed without its text.
fn without_deleted(event: &Event, state: &BTreeMap<u64, Folded>) -> ServerMessage {
    let is_deleted = |m| state.get(&m).is_some_and(|message: &Folded| message.page.deleted);
    match event.clone() {
        Event::Msg(mut msg) => {
            msg.text = msg.text.filter(|_| !is_deleted(msg.seq));
            ServerMessage::Msg(msg)
        }
        Event::Change(mut change) => {
            change.text = change.text.filter(|_| !is_deleted(change.m));
            ServerMessage::Change(change)
        }
    }
}

fn apply(message: &mut Folded, change: &server::Change) {
    message.page.rev = change.seq;
    let emoji = change.emoji.clone().unwrap_or_default();
    match change.op {
        ChangeOp::Edit => {
            message.page.text.clone_from(&change.text);
            message.page.edited = true;
        }
        ChangeOp::Delete => {
            message.page.text = None;
            message.page.deleted = true;
            message.page.pinned = false;
            message.reactions.clear();
        }
        ChangeOp::Pin => message.page.pinned = true,
        ChangeOp::Unpin => message.page.pinned = false,
        ChangeOp::React => match message.reactions.iter_mut().find(|(known, _)| *known == emoji) {
            Some((_, users)) => users.push(change.by.clone()),
            None => message.reactions.push((emoji, vec![change.by.clone()])),
        },
        ChangeOp::Unreact => {
            message
                .reactions
                .iter_mut()
                .filter(|(known, _)| *known == emoji)
                .for_each(|(_, users)| users.retain(|user| *user != change.by));
            message.reactions.retain(|(_, users)| !users.is_empty());
        }
    }
}
