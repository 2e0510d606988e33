//! Who comes in: what a hello comes to.

use super::rate::Rate;
use super::session::{Session, Way};
use super::{Answer, Asked, Asker, Ending, Hub, Output, SessionId, Welcome, Who};
use crate::command::{Author, Command, KeyHash, Role};
use crate::decide::Decision;
use crate::event::Event;
use crate::refusal::Refusal;
use damso_protocol::{UserId, name};
use std::net::IpAddr;
use std::sync::Arc;

/// In this time as many new guests may register from an address as there may be at once, in
/// seconds.
const REGISTRATION_SECONDS: f64 = 600.0;

/// So many addresses are remembered for their registrations before the idle ones are forgotten.
const REGISTRATIONS_KEPT: usize = 10_000;

/// A hello that waits for the log.
pub(super) struct Pending {
    id: u64,
    address: IpAddr,
    is_of_another_epoch: bool,
}

impl Hub {
    pub(super) fn hello(&mut self, session: SessionId, who: Who, now: u64) {
        match who {
            Who::Operator => {
                self.operators.push(session);
                self.seat(session, Session::operator(), now);
            }
            Who::Plain { address } => {
                let ip = address.ip();
                if self.state.is_banned(ip, now) {
                    let ending = Ending::Banned;
                    return self.outputs.push(Output::Close { session, ending });
                }
                if let Err(limit) = self.count_guest(ip) {
                    let ending = Ending::TooMany { limit };
                    return self.outputs.push(Output::Close { session, ending });
                }
                self.guests_ever += 1;
                self.seat(session, Session::guest(self.guests_ever, address), now);
            }
            Who::Key { id, key, name, address, epoch } => {
                let is_of_another_epoch = epoch.is_some_and(|epoch| epoch != self.epoch);
                let pending = Pending { id, address: address.ip(), is_of_another_epoch };
                if self.state.is_banned(pending.address, now) {
                    return self.turn_away(session, id, Refusal::Banned, Ending::Banned);
                }
                match self.state.user_of_key(&key).cloned() {
                    Some(user) => self.welcome(session, pending, &user, now),
                    None => self.register(session, pending, key, &name, now),
                }
            }
            Who::Hook { id, key, address } => {
                let refusal = match self.state.hooks().of_key(&key) {
                    _ if self.state.is_banned(address.ip(), now) => Refusal::Banned,
                    Some(hook) => {
                        let new = Session::known(Way::Hook, hook.clone(), address.ip());
                        return self.seat(session, new, now);
                    }
                    None => Refusal::NotFound,
                };
                let answer = Answer::Refused(refusal);
                self.outputs.push(Output::Answer { session, id, answer });
            }
            Who::Bearer { id, key, address } => {
                let refusal = if self.state.is_banned(address.ip(), now) {
                    Refusal::Banned
                } else if let Some(user) = self.state.user_of_key(&key).cloned() {
                    let new = Session::known(Way::Bearer, user, address.ip());
                    return self.seat(session, new, now);
                } else {
                    Refusal::Unauthorized
                };
                let answer = Answer::Refused(refusal);
                self.outputs.push(Output::Answer { session, id, answer });
            }
        }
    }

    fn register(
        &mut self,
        session: SessionId,
        pending: Pending,
        key: KeyHash,
        name: &str,
        now: u64,
    ) {
        let (id, address) = (pending.id, pending.address);
        let name: Arc<str> = match name::person(name) {
            Ok(name) => name.into(),
            Err(bad) => {
                return self.turn_away(session, id, Refusal::BadName(bad), Ending::Refused);
            }
        };
        let limit = self.guests_limit(address);
        if limit > 0 {
            let rate = Rate {
                burst: u32::try_from(limit).unwrap_or(u32::MAX),
                per_second: limit as f64 / REGISTRATION_SECONDS,
            };
            if self.registrations.len() >= REGISTRATIONS_KEPT {
                self.registrations.retain(|_, bucket| !bucket.is_full(now));
            }
            let bucket = self.registrations.entry(address).or_default();
            if let Err(retry) = bucket.take(rate, now) {
                let ending = Ending::TooMany { limit };
                return self.turn_away(session, id, Refusal::RateLimited { retry }, ending);
            }
        }
        let author = Author {
            // Nobody yet.
            user: UserId::new(""),
            name: name.clone(),
            role: Role::Guest,
            address: Some(address),
        };
        self.pending.insert(session);
        let asked = Asked::Hello(Box::new(pending));
        self.enter(author, Command::Register { key, name }, Asker { session, id, asked });
    }

    /// What the log made of a hello.
    pub(super) fn registered(
        &mut self,
        session: SessionId,
        pending: Pending,
        outcome: Result<Decision, Refusal>,
        now: u64,
    ) {
        let user = match outcome {
            Ok(Decision::New(event)) => {
                self.state.apply(&event);
                match event {
                    Event::Registered { user, .. } => user,
                    // Nothing else comes of a registration.
                    _ => return,
                }
            }
            Ok(Decision::Known(user)) => user,
            Ok(_) => return,
            Err(refusal) => {
                if self.pending.remove(&session) {
                    let id = pending.id;
                    match refusal {
                        Refusal::NameTaken { .. } => {
                            let answer = Answer::Refused(refusal);
                            self.outputs.push(Output::Answer { session, id, answer });
                        }
                        Refusal::Banned => self.turn_away(session, id, refusal, Ending::Banned),
                        _ => self.turn_away(session, id, refusal, Ending::Refused),
                    }
                }
                return;
            }
        };
        // It may have gone meanwhile.
        if self.pending.remove(&session) {
            self.welcome(session, pending, &user, now);
        }
    }

    fn welcome(&mut self, session: SessionId, pending: Pending, user: &UserId, now: u64) {
        let Pending { id, address, is_of_another_epoch } = pending;
        let most = u64::from(self.limits.connections_per_user);
        if most > 0 && self.presence.connections(user) as u64 >= most {
            let ending = Ending::TooMany { limit: most };
            return self.turn_away(session, id, Refusal::Full("connections"), ending);
        }
        if let Err(limit) = self.count_guest(address) {
            let ending = Ending::TooMany { limit };
            return self.turn_away(session, id, Refusal::Full("guests"), ending);
        }
        let mut new = Session::known(Way::Key, user.clone(), address);
        if is_of_another_epoch {
            new.set_of_another_epoch();
        }
        let welcome = Welcome {
            epoch: self.epoch.clone(),
            user: user.clone(),
            name: new.name(&self.state),
            rooms: self
                .state
                .rooms_of(user)
                .filter_map(|room| self.room_entry(user, &room))
                .collect(),
        };
        self.seat(session, new, now);
        self.answer(session, id, Answer::Welcome(Box::new(welcome)));
    }

    /// Gives a session its place among those who are here.
    fn seat(&mut self, id: SessionId, session: Session, now: u64) {
        // Operators come and go with each command of a script: that is no news.
        if session.is_a_person() {
            self.tell_operators(&session, Answer::Arrived);
        }
        if let Some(user) = session.user()
            && !session.way.passes()
        {
            self.presence.arrive(id, session.way, user, now);
        }
        self.sessions.insert(id, session);
    }

    /// Refuses a hello and ends its connection.
    fn turn_away(&mut self, session: SessionId, id: u64, refusal: Refusal, ending: Ending) {
        self.outputs.push(Output::Answer { session, id, answer: Answer::Refused(refusal) });
        self.outputs.push(Output::Close { session, ending });
    }

    /// Counts one more guest from an address, if there may be one; else how many there may be.
    fn count_guest(&mut self, address: IpAddr) -> Result<(), u64> {
        let limit = self.guests_limit(address);
        let here = self.guests.entry(address).or_default();
        if limit != 0 && u64::from(*here) >= limit {
            return Err(limit);
        }
        *here += 1;
        Ok(())
    }

    /// How many guests there may be from an address; 0: no limit.
    pub(super) fn guests_limit(&self, address: IpAddr) -> u64 {
        match u64::try_from(self.limits.guests_per_address) {
            Ok(limit) => limit,
            Err(_) if is_near(address) => 200,
            Err(_) => 20,
        }
    }
}

/// Loopback, private and link-local addresses: many people may share one there.
fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}
