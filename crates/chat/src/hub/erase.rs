//! Everything that somebody wrote is deleted, a part of the log at a time.

use super::{Admitted, Answer, Asked, Asker, Hub, SessionId, Whom};
use crate::command::{Author, Command, Role, Target};
use crate::event::Event;
use crate::refusal::Refusal;
use damso_protocol::{RoomId, UserId};
use std::collections::HashMap;
use std::sync::Arc;

/// Whoever isn't the operator may erase once in this time, in ms.
const ERASE_MS: u64 = 60_000;
/// When to try again while somebody else does, in ms.
const ERASING_RETRY_MS: u64 = 2_000;

/// An erasure on its way through the log.
pub(super) struct Erasing {
    author: Author,
    user: UserId,
    /// How many messages were deleted so far.
    messages: u64,
}

/// Those of users, who take turns.
#[derive(Default)]
pub(super) struct Erasures {
    /// One is in the log's hands.
    is_running: bool,
    /// When users began theirs, lately.
    began_at: HashMap<UserId, u64>,
}

impl Erasures {
    /// It reads all of the log: one at a time, and each not too often.
    fn begin(&mut self, user: &UserId, now: u64) -> Result<(), Refusal> {
        if self.is_running {
            return Err(Refusal::RateLimited { retry: ERASING_RETRY_MS });
        }
        self.began_at.retain(|_, at| now < *at + ERASE_MS);
        if let Some(at) = self.began_at.get(user) {
            return Err(Refusal::RateLimited { retry: (at + ERASE_MS).saturating_sub(now) });
        }
        self.began_at.insert(user.clone(), now);
        self.is_running = true;
        Ok(())
    }

    /// The operator's took no turn.
    pub(super) fn ended(&mut self, erasing: &Erasing) {
        self.is_running &= erasing.author.role >= Role::Operator;
    }
}

impl Hub {
    /// Begins to erase what the asker wrote, or somebody else for the operator.
    pub(super) fn erase(
        &mut self,
        session: SessionId,
        whom: Option<Whom>,
        now: u64,
    ) -> Result<Admitted, Refusal> {
        let Some(asker) = self.sessions.get(session) else { return Ok(Admitted::Done) };
        let author = asker.author(&self.state, self.run);
        let user = match whom {
            None => author.user.clone(),
            Some(whom) => match self.target(whom)? {
                Target::User(user) => user,
                Target::Address(_) => return Err(Refusal::BadField("user")),
            },
        };
        if author.role < Role::Operator {
            self.erasures.begin(&user, now)?;
        }
        let command = Command::Erase { user: user.clone(), from: None };
        Ok(Admitted::ForLog(command, Asked::Erase(Box::new(Erasing { author, user, messages: 0 }))))
    }

    /// Routes a part of an erasure, and asks for the next one or answers: it goes on when the asker
    /// has gone.
    pub(super) fn erased(
        &mut self,
        session: SessionId,
        id: u64,
        mut erasing: Erasing,
        events: Vec<Event>,
        next: Option<(RoomId, u64)>,
        now: u64,
    ) {
        erasing.messages += events.len() as u64;
        for event in events {
            self.happened(Arc::new(event), now);
        }
        if next.is_some() && !self.is_stopping {
            let command = Command::Erase { user: erasing.user.clone(), from: next };
            let author = erasing.author.clone();
            let asked = Asked::Erase(Box::new(erasing));
            return self.enter(author, command, Asker { session, id, asked });
        }
        self.erasures.ended(&erasing);
        if next.is_some() {
            // It can be asked for the rest at the next start.
            self.refuse(session, id, Refusal::Unavailable);
        } else {
            self.answer(session, id, Answer::Erased { messages: erasing.messages });
        }
        self.credit(session);
    }
}
