//! What people do, and what fate does to them.

use crate::peer::Line;
use crate::world::{Action, Phase, World};
use damso_chat::hub::{Request, Whom};
use damso_chat::state::{History, Kind, Post};
use damso_chat::{Command, Member, Setting};
use damso_protocol::v1::ChangeOp;
use damso_protocol::v1::client::Anchor;
use damso_protocol::{Nonce, RoomId, UserId};
use std::sync::Arc;

/// What people react with.
const EMOJI: [&str; 3] = ["👍", "ㅋㅋ", "🎉"];

impl World {
    /// A device's user does something, and will do something else soon.
    pub fn act(&mut self, peer: usize) {
        if self.phase != Phase::Acting {
            return;
        }
        let delay = 1_000 * self.rng.between(5, self.plan.pace_ms);
        self.after(delay, Action::Act { peer });
        let Some(person) = self.peers[peer].person else { return self.say_plainly(peer) };
        let Some(client) = &self.peers[peer].client else { return };
        if client.user().is_none() {
            return;
        }
        let open: Vec<RoomId> = client.rooms().iter().map(|room| room.id().clone()).collect();
        let listed: Vec<RoomId> = client.list().keys().cloned().collect();
        if open.is_empty() || self.rng.chance(60) {
            if let Some(room) = self.rng.pick(&listed).cloned() {
                self.open(peer, room);
            }
            return self.tend(peer);
        }
        let room = self.rng.pick(&open).cloned().unwrap_or_else(RoomId::lobby);
        match self.rng.below(100) {
            0..40 => {
                let elsewhere = self.rng.chance(150);
                let room =
                    if elsewhere { self.rng.pick(&listed).cloned().unwrap_or(room) } else { room };
                self.say(peer, person, room);
            }
            40..54 => self.change(peer, room),
            54..60 => self.read_on(peer, &room),
            60..68 => self.look_back(peer, &room),
            68..70 => {
                let ms = self.ms();
                if let Some(client) = &mut self.peers[peer].client {
                    client.close(&room, ms);
                    let name = self.peers[peer].name.clone();
                    self.trace(|| format!("{name:<8} closes {room}"));
                }
            }
            70..74 => {
                let ms = self.ms();
                if let Some(client) = &mut self.peers[peer].client {
                    client.typing(&room, ms);
                }
            }
            74..76 => {
                let (users, ms) = (self.users(), self.ms());
                if let Some(client) = &mut self.peers[peer].client {
                    client.watch(users, ms);
                }
            }
            76..90 => self.act_on_rooms(person),
            _ => self.say_again(peer, person),
        }
        self.tend(peer);
    }

    /// A text that nobody has said before.
    fn text(&mut self) -> Arc<str> {
        self.texts += 1;
        let number = self.texts;
        if self.rng.chance(self.plan.long_texts) {
            let length = self.rng.between(160, 1_500) as usize;
            return format!("long {number} {}", "담소 words ".repeat(length / 10)).into();
        }
        let calls = ["", "", "", " @Anna", " @민수 hello", " @room", " @here"];
        format!("text {number}{}", self.rng.pick(&calls).unwrap_or(&"")).into()
    }

    fn say_plainly(&mut self, peer: usize) {
        let text = self.text();
        if let Line::Open(connection) = &mut self.peers[peer].line {
            // A connection that is closing takes no more.
            let _ = connection.send_text(&text);
            self.tend(peer);
        }
    }

    fn nonce(&mut self) -> Nonce {
        Nonce::new(format!("n{:x}", self.rng.next()))
    }

    fn say(&mut self, peer: usize, person: usize, room: RoomId) {
        let (text, nonce, ms) = (self.text(), self.nonce(), self.ms());
        let reply = self.rng.chance(100).then(|| self.message(peer, &room)).flatten();
        let said = (room.clone(), nonce.clone(), text.clone());
        if reply.is_none() {
            self.people[person].said.push(said);
        }
        if reply.is_none() && self.rng.chance(80) {
            let (again, nonce) = (nonce.clone(), Some(nonce));
            return self.ask(person, Request::Say { room, nonce, text, reply }, Some(again));
        }
        if let Some(client) = &mut self.peers[peer].client {
            // A full outbox takes nothing, as it should.
            let _ = client.send(room, nonce, text, reply, ms);
        }
    }

    /// Says what was said before under the same nonce, perhaps with another text.
    fn say_again(&mut self, peer: usize, person: usize) {
        let Some((room, nonce, mut text)) = self.rng.pick(&self.people[person].said).cloned()
        else {
            return;
        };
        if self.rng.chance(150) {
            text = self.text();
        }
        if self.rng.chance(300) {
            let (again, nonce, reply) = (nonce.clone(), Some(nonce), None);
            return self.ask(person, Request::Say { room, nonce, text, reply }, Some(again));
        }
        let ms = self.ms();
        if let Some(client) = &mut self.peers[peer].client {
            // It may be in the outbox already.
            let _ = client.send(room, nonce, text, None, ms);
        }
    }

    /// A message that a device holds.
    fn message(&mut self, peer: usize, room: &RoomId) -> Option<u64> {
        let client = self.peers[peer].client.as_ref()?;
        let held: Vec<u64> = client.room(room)?.timeline().messages().map(|held| held.m).collect();
        self.rng.pick(&held).copied()
    }

    fn change(&mut self, peer: usize, room: RoomId) {
        let Some(m) = self.message(peer, &room) else { return };
        let (nonce, ms) = (self.nonce(), self.ms());
        let emoji: Arc<str> = (*self.rng.pick(&EMOJI).unwrap_or(&"👍")).into();
        let (op, text, emoji) = match self.rng.below(10) {
            0..3 => (ChangeOp::Edit, Some(self.text()), None),
            3 => (ChangeOp::Delete, None, None),
            4..7 => (ChangeOp::React, None, Some(emoji)),
            7 => (ChangeOp::Unreact, None, Some(emoji)),
            8 => (ChangeOp::Pin, None, None),
            _ => (ChangeOp::Unpin, None, None),
        };
        if let Some(client) = &mut self.peers[peer].client {
            // A full outbox takes nothing, as it should.
            let _ = client.change(room, m, nonce, op, text, emoji, ms);
        }
    }

    fn read_on(&mut self, peer: usize, room: &RoomId) {
        let ms = self.ms();
        let Some(client) = &mut self.peers[peer].client else { return };
        let last = client.room(room).and_then(damso_client::Room::last).unwrap_or(0);
        let seq = self.rng.between(last / 2, last);
        client.read(room, seq, ms);
    }

    fn look_back(&mut self, peer: usize, room: &RoomId) {
        let ms = self.ms();
        let Some(client) = &mut self.peers[peer].client else { return };
        let Some(held) = client.room(room) else { return };
        let ranges = held.timeline().ranges().to_vec();
        let Some(range) = self.rng.pick(&ranges).copied() else { return };
        let anchor = match self.rng.below(3) {
            0 => Anchor::Before(range.low),
            1 => Anchor::After(range.high.min(held.last().unwrap_or(0))),
            _ => Anchor::Around(self.rng.between(1, range.high)),
        };
        let limit = self.rng.between(1, 20) as u32;
        client.history(room, anchor, limit, ms);
    }

    fn users(&self) -> Vec<UserId> {
        (0..self.people.len()).filter_map(|person| self.user_of(person)).collect()
    }

    /// Makes rooms, and lets people in and out.
    fn act_on_rooms(&mut self, person: usize) {
        let Some(me) = self.user_of(person) else { return };
        let users = self.users();
        let all: Vec<RoomId> = self.ages[self.age].rooms().map(|(id, _)| id.clone()).collect();
        let own: Vec<RoomId> = self.ages[self.age].state.rooms_of(&me).skip(1).collect();
        if self.rng.chance(20) {
            return self.ask(person, Request::Erase { whom: None }, None);
        }
        let other = self.rng.pick(&users).cloned().unwrap_or_else(|| me.clone());
        if own.is_empty() || all.len() < 3 && self.rng.chance(300) {
            let kinds = [Kind::Public, Kind::Private, Kind::Direct, Kind::Announcement];
            let kind = *self.rng.pick(&kinds).unwrap_or(&Kind::Public);
            let name: Option<Arc<str>> =
                (kind != Kind::Direct).then(|| format!("room {}", self.rng.below(6)).into());
            let history = if self.rng.chance(500) { History::All } else { History::Joining };
            let nonce = self.rng.chance(500).then(|| self.nonce());
            let members = if self.rng.chance(700) { vec![other] } else { Vec::new() };
            let request = Request::Record(Command::Create { kind, name, members, history, nonce });
            return self.ask(person, request, None);
        }
        let room = self.rng.pick(&own).cloned().unwrap_or_else(RoomId::lobby);
        let request = match self.rng.below(12) {
            0..4 => Request::Record(Command::Admit { room, user: other }),
            4..6 => {
                // Somebody comes into a room that it knows of, or doesn't.
                let room = self.rng.pick(&all).cloned().unwrap_or(room);
                Request::Record(Command::Admit { room, user: me })
            }
            6..9 => Request::Record(Command::Remove { room, user: other }),
            9 => Request::Record(Command::Remove { room, user: me }),
            10 => {
                let member = if self.rng.chance(500) { Member::Owner } else { Member::Member };
                Request::Record(Command::Appoint { room, user: other, member })
            }
            _ => {
                let number = self.rng.below(100);
                let setting = match number {
                    0..40 => Setting::Topic(format!("topic {number}").into()),
                    40..70 => Setting::Name(format!("room {}", number % 7).into()),
                    70..85 => Setting::Post(Post::Everybody),
                    85..92 => Setting::Post(Post::Owners),
                    _ => Setting::Archived(number.is_multiple_of(2)),
                };
                Request::Record(Command::Set { room, setting })
            }
        };
        self.ask(person, request, None);
    }

    /// Something goes wrong, or the operator acts; and so on.
    pub fn fate(&mut self) {
        if self.phase != Phase::Acting {
            return;
        }
        let delay = 1_000 * self.rng.between(20, 900);
        self.after(delay, Action::Fate);
        let faults = self.plan.faults.clone();
        let peer = self.rng.below(self.peers.len() as u64) as usize;
        let mut drawn = self.rng.below(1_000);
        let mut hits = |share: u64| {
            let hit = drawn < share;
            drawn = drawn.wrapping_sub(share);
            hit
        };
        if hits(faults.cut) {
            let (server, client) = (self.rng.chance(800), self.rng.chance(800));
            self.cut(peer, server, client);
        } else if hits(faults.slow) {
            let delay = 1_000 * self.rng.between(200, 40_000);
            let name = self.peers[peer].name.clone();
            self.trace(|| format!("{name:<8} reads nothing for {} ms", delay / 1_000));
            self.peers[peer].reads = false;
            self.after(delay, Action::Reads { peer });
        } else if hits(faults.offline) {
            let delay = 1_000 * self.rng.between(500, 90_000);
            let name = self.peers[peer].name.clone();
            self.trace(|| format!("{name:<8} has no network for {} ms", delay / 1_000));
            self.peers[peer].online = false;
            self.cut(peer, false, false);
            self.after(delay, Action::Online { peer });
        } else if hits(faults.renewed) {
            let name = self.peers[peer].name.clone();
            self.trace(|| format!("{name:<8} is started anew"));
            self.renew(peer);
        } else if hits(faults.crash) {
            self.crash();
        } else if hits(faults.stop) {
            self.stop();
        } else if hits(faults.full) {
            self.trace(|| "disk     is full".into());
            self.disk.full = true;
            let delay = 1_000 * self.rng.between(100, 10_000);
            self.after(delay, Action::DiskFree);
        } else if hits(faults.clock) {
            let far = 1_000 * self.rng.between(1, 90_000) as i64;
            let ms = if self.rng.chance(500) { far } else { -far };
            self.jump(ms);
        } else if hits(faults.operator) {
            self.operator_acts();
        }
    }

    /// The server is told to stop.
    fn stop(&mut self) {
        if let Some(server) = &mut self.server
            && !server.stopping
        {
            server.stopping = true;
            let life = server.life;
            self.trace(|| "server   is told to stop".into());
            self.stop_hub();
            // Who doesn't read its goodbye isn't waited for.
            self.after(4_000_000, Action::Kill { life });
        }
    }

    fn operator_acts(&mut self) {
        let person = self.rng.below(self.people.len() as u64) as usize;
        let address = self.people[person].address;
        let names: Vec<String> = (0..self.people.len())
            .filter_map(|person| self.user_of(person))
            .filter_map(|user| Some(self.ages[self.age].state.user(&user)?.name.to_string()))
            .collect();
        let Some(name) = self.rng.pick(&names).cloned() else { return };
        let minutes = self.rng.chance(700).then_some(1);
        let request = match self.rng.below(9) {
            0..3 => {
                let text = self.text();
                Request::Say { room: RoomId::lobby(), nonce: None, text, reply: None }
            }
            3..5 => Request::Kick { whom: Whom::Name(name) },
            5 => Request::Record(Command::Ban { address, minutes }),
            6 => Request::Record(Command::Unban { address }),
            7 => Request::Mute { whom: Whom::Name(name), minutes },
            _ => Request::Unmute { whom: Whom::Name(name) },
        };
        self.operate(request);
    }

    /// A connection is cut; whoever doesn't learn of it thinks that it stands.
    pub fn cut(&mut self, peer: usize, server_learns: bool, client_learns: bool) {
        let Some(at) = self.peers[peer].conn else { return };
        if self.net[at].up.dead {
            return;
        }
        let name = self.peers[peer].name.clone();
        self.trace(|| {
            format!("{name:<8} is cut (server learns: {server_learns}, client: {client_learns})")
        });
        let conn = &mut self.net[at];
        // What was under way arrives up to any byte.
        let arrives = self.rng.below(conn.up.bytes.len() as u64 + 1) as usize;
        let bytes = conn.up.take(arrives);
        conn.arrived.extend(&bytes);
        (conn.up.dead, conn.down.dead) = (true, true);
        if server_learns {
            conn.lost = true;
        }
        if let Some((index, _)) = conn.place {
            self.wake_shard(index);
        }
        if client_learns {
            self.client_gone_soon(at);
        }
    }

    /// Everybody is cut, and learns of it.
    pub fn cut_all(&mut self) {
        for peer in 0..self.peers.len() {
            self.cut(peer, true, true);
        }
    }

    /// A device reads again.
    pub fn read_again(&mut self, peer: usize) {
        self.peers[peer].reads = true;
        if let Some(at) = self.peers[peer].conn {
            self.move_bytes(at);
        }
    }

    /// A device has its network again.
    pub fn online_again(&mut self, peer: usize) {
        if self.peers[peer].online {
            return;
        }
        self.peers[peer].online = true;
        let ms = self.ms();
        match &mut self.peers[peer].client {
            Some(client) => {
                client.online(ms);
                self.tend(peer);
            }
            None => self.after(100_000, Action::Connect { peer }),
        }
    }

    /// From here on everything works.
    pub fn heal(&mut self) {
        self.trace(|| "world    is healed".into());
        self.set_phase(Phase::Healing);
        self.disk.full = false;
        for peer in 0..self.peers.len() {
            self.read_again(peer);
            self.online_again(peer);
        }
        self.pardon();
    }

    /// Lets everybody in again, and write.
    pub fn pardon(&mut self) {
        for person in 0..self.people.len() {
            let address = self.people[person].address;
            if self.ages[self.age].state.has_ban(address) {
                self.operate(Request::Record(Command::Unban { address }));
            }
        }
    }
}
