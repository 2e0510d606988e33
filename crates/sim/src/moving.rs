//! How bytes get from one end of a connection to the other.

use crate::net::ARRIVED_MAX;
use crate::peer::Line;
use crate::truth::{Rule, fail};
use crate::world::{Action, World};
use damso_protocol::RoomId;

impl World {
    /// How much more a connection's server may take in now.
    fn arrival_room(&self, at: usize) -> usize {
        ARRIVED_MAX.saturating_sub(self.net[at].arrived.len())
    }

    /// Lets bytes travel that wait.
    pub fn move_bytes(&mut self, at: usize) {
        let conn = &mut self.net[at];
        let goes_up = !conn.up.moving && (!conn.up.bytes.is_empty() || conn.up.ended);
        let goes_down = !conn.down.moving && (!conn.down.bytes.is_empty() || conn.down.ended);
        if goes_up && !conn.up.dead {
            conn.up.moving = true;
            let delay = conn.delay(&mut self.rng);
            self.after(delay, Action::Up { at });
        }
        let conn = &mut self.net[at];
        if goes_down && !conn.down.dead && !conn.down.end_told {
            conn.down.moving = true;
            let delay = conn.delay(&mut self.rng);
            self.after(delay, Action::Down { at });
        }
    }

    /// Bytes of the client arrive.
    pub fn move_up(&mut self, at: usize) {
        self.net[at].up.moving = false;
        if self.net[at].up.dead {
            return;
        }
        let room = self.arrival_room(at);
        let conn = &mut self.net[at];
        let Some((index, _)) = conn.place else {
            // Not accepted yet, or nobody is there any more.
            if conn.down.ended {
                conn.up.bytes.clear();
            }
            return;
        };
        let count = conn.chunk(conn.up.bytes.len(), &mut self.rng).min(room);
        let bytes = conn.up.take(count);
        conn.arrived.extend(&bytes);
        let (is_left, has_room) = (!conn.up.bytes.is_empty(), conn.up.has_room());
        if !bytes.is_empty() || conn.up.ended {
            self.wake_shard(index);
        }
        if is_left && room > count {
            self.move_bytes(at);
        }
        let peer = self.net[at].peer;
        if has_room && self.peers[peer].conn == Some(at) {
            self.tend(peer);
        }
    }

    /// Bytes of the server arrive.
    pub fn move_down(&mut self, at: usize) {
        self.net[at].down.moving = false;
        if self.net[at].down.dead {
            return;
        }
        let peer = self.net[at].peer;
        if self.peers[peer].conn != Some(at) {
            // Nobody reads this any more, and the server's system says so.
            self.net[at].down.bytes.clear();
            self.net[at].lost = true;
            if let Some((index, _)) = self.net[at].place {
                self.wake_shard(index);
            }
            return;
        }
        if !self.peers[peer].reads {
            return;
        }
        let conn = &mut self.net[at];
        let count = conn.chunk(conn.down.bytes.len(), &mut self.rng);
        let bytes = conn.down.take(count);
        if conn.down.has_room() {
            conn.writable = true;
            if let Some((index, _)) = conn.place {
                self.wake_shard(index);
            }
        }
        if !bytes.is_empty() {
            self.hear(peer, bytes);
        }
        let conn = &mut self.net[at];
        if self.peers[peer].conn == Some(at)
            && conn.down.bytes.is_empty()
            && conn.down.ended
            && !conn.down.end_told
        {
            conn.down.end_told = true;
            let now = self.instant();
            match &mut self.peers[peer].line {
                Line::Open(connection) => {
                    connection.receive_eof(now);
                    self.tend(peer);
                }
                _ => self.end_line(peer, None),
            }
        } else {
            self.move_bytes(at);
        }
    }

    /// A plain peer hears a line.
    pub fn hear_line(&mut self, peer: usize, line: &str) {
        if line.starts_with("damso :: ") {
            return;
        }
        let lobby = RoomId::lobby();
        let Some(log) = self.ages[self.age_of(peer)].room(&lobby) else {
            return self.check(fail(Rule::G2, format!("{line:?} was said in an empty lobby")));
        };
        // Every text is said once only, so it tells its place.
        let found = log.place_of_line(line);
        let last = self.peers[peer].last_line;
        let checked = match (found, last) {
            (None, _) => fail(Rule::G2, format!("{line:?} isn't in the log")),
            (Some(seq), Some(last)) if seq <= last => {
                fail(Rule::G1, format!("the line {seq} came after {last}"))
            }
            (Some(seq), Some(last)) => {
                let mut skipped = log.between(last + 1, seq - 1);
                let skipped = skipped.find(|m| log.now(*m).is_some_and(|now| !now.is_deleted()));
                match skipped {
                    Some(m) => fail(Rule::G3, format!("the line {m} was left out before {seq}")),
                    None => Ok(()),
                }
            }
            (Some(_), None) => Ok(()),
        };
        self.peers[peer].last_line = found;
        self.check(checked);
    }
}
