//! Who is here, and who wants to know. Online means a connection within the last half minute, so
//! that a page that is loaded anew doesn't flicker.

use super::live::{Live, Lives, Purse};
use super::session::{Session, Way};
use super::{Answer, Hub, Output, SessionId};
use damso_protocol::UserId;
use std::collections::{BTreeSet, HashMap, VecDeque};

/// How long somebody without a connection still counts as online, in ms.
const AWAY_MS: u64 = 30_000;
/// Comings and goings are told at most once in this time, in ms.
const TELL_MS: u64 = 2_000;

/// See the module's text.
#[derive(Default)]
pub(super) struct Presence {
    users: Lives,
    watchers: HashMap<UserId, Vec<SessionId>>,
    /// Who went, and when they count as gone, oldest first.
    leaving: VecDeque<(u64, UserId)>,
    /// Who came or went since the watchers were told last.
    changed: BTreeSet<UserId>,
    tell_at: Option<u64>,
    told_at: u64,
}

impl Presence {
    /// Somebody comes who isn't a plain guest: of those nobody wants to know.
    pub fn arrive(&mut self, session: SessionId, way: Way, user: &UserId, now: u64) {
        let live = self.users.get_or_insert_with(user, Live::default);
        live.sessions.push(session);
        if way == Way::Key && !std::mem::replace(&mut live.online, true) {
            self.note(user.clone(), now);
        }
    }

    pub fn leave(&mut self, id: SessionId, session: &Session, now: u64) {
        for watched in session.watched() {
            self.unwatch(id, watched);
        }
        let Some(user) = session.user() else { return };
        let Some(live) = self.users.get_mut(user) else { return };
        live.sessions.remove(id);
        if !live.sessions.as_slice().is_empty() {
            return;
        }
        if session.way == Way::Key {
            live.gone_at = now;
            self.leaving.push_back((now + AWAY_MS, user.clone()));
        } else {
            // The operator's: nothing is kept of it.
            self.users.remove(user);
        }
    }

    /// What a user may still ask for. One of whom nothing is known, as a passing HTTP request, is
    /// as one who has just gone.
    pub fn purse(&mut self, user: &UserId, now: u64) -> &mut Purse {
        let leaving = &mut self.leaving;
        let live = self.users.get_or_insert_with(user, || {
            leaving.push_back((now + AWAY_MS, user.clone()));
            Live { gone_at: now, ..Live::default() }
        });
        &mut live.purse
    }

    pub fn connections(&self, user: &UserId) -> usize {
        self.users.get(user).map_or(0, |live| live.sessions.as_slice().len())
    }

    /// The user's connections.
    pub fn sessions(&self, user: &UserId) -> &[SessionId] {
        self.users.get(user).map(|live| live.sessions.as_slice()).unwrap_or_default()
    }

    pub fn due(&self) -> Option<u64> {
        let leaving = self.leaving.front().map(|(at, _)| *at);
        [self.tell_at, leaving].into_iter().flatten().min()
    }

    fn is_online(&self, user: &UserId) -> bool {
        self.users.get(user).is_some_and(|live| live.online)
    }

    fn note(&mut self, user: UserId, now: u64) {
        if self.watchers.contains_key(&user) {
            self.changed.insert(user);
            self.tell_at.get_or_insert(now.max(self.told_at + TELL_MS));
        }
    }

    fn unwatch(&mut self, session: SessionId, user: &UserId) {
        if let Some(watchers) = self.watchers.get_mut(user) {
            watchers.retain(|watcher| *watcher != session);
            if watchers.is_empty() {
                self.watchers.remove(user);
            }
        }
    }

    /// Forgets who has been away for long enough, but not what they have spent: it would be theirs
    /// again by going and coming back.
    fn expire(&mut self, now: u64) {
        while let Some((at, _)) = self.leaving.front()
            && *at <= now
        {
            let Some((_, user)) = self.leaving.pop_front() else { return };
            let away = |live: &&mut Live| {
                live.sessions.as_slice().is_empty() && live.gone_at + AWAY_MS <= now
            };
            // Otherwise it came back; if it went again, it stands in the queue again.
            let Some(live) = self.users.get_mut(&user).filter(away) else { continue };
            let was_online = std::mem::take(&mut live.online);
            if live.purse.is_full(now) {
                self.users.remove(&user);
            } else {
                live.gone_at = now;
                self.leaving.push_back((now + AWAY_MS, user.clone()));
            }
            if was_online {
                self.note(user, now);
            }
        }
    }
}

impl Hub {
    /// Replaces whom a session watches; who of them is online.
    pub(super) fn watch(&mut self, id: SessionId, mut users: Vec<UserId>) -> Vec<UserId> {
        users.sort();
        users.dedup();
        let Some(session) = self.sessions.get_mut(id) else { return Vec::new() };
        for user in std::mem::replace(&mut session.more().watched, users.clone()) {
            self.presence.unwatch(id, &user);
        }
        for user in &users {
            self.presence.watchers.entry(user.clone()).or_default().push(id);
        }
        users.retain(|user| self.presence.is_online(user));
        users
    }

    /// Tells watchers who came and went, if it is time to.
    pub(super) fn tell_presence(&mut self, now: u64) {
        self.presence.expire(now);
        if self.presence.tell_at.is_none_or(|at| at > now) {
            return;
        }
        self.presence.tell_at = None;
        self.presence.told_at = now;
        let changed = std::mem::take(&mut self.presence.changed);
        let mut told: std::collections::BTreeMap<SessionId, (Vec<UserId>, Vec<UserId>)> =
            Default::default();
        for user in changed {
            let online = self.presence.is_online(&user);
            for session in self.presence.watchers.get(&user).into_iter().flatten() {
                let (on, off) = told.entry(*session).or_default();
                if online { on.push(user.clone()) } else { off.push(user.clone()) }
            }
        }
        for (session, (on, off)) in told {
            let answer = Answer::Presence { on, off };
            self.outputs.push(Output::Answer { session, id: 0, answer });
        }
    }
}
