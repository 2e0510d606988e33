//! A number for a state, by which two of them are compared: those of a log folded anew and of the
//! tables beside it, or of two nodes.

use super::State;
use sha2::{Digest as _, Sha256};
use std::fmt::{self, Write as _};

/// A digest of a [`State`], but for read positions, which stand in no log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl State {
    /// The state's digest: equal states have equal ones.
    pub fn digest(&self) -> Digest {
        let mut lines = Vec::new();
        for (id, room) in &self.rooms {
            let mut members: Vec<_> = room.members.iter().collect();
            members.sort_by_key(|(user, _)| *user);
            // `Debug` of plain data is stable within a build, which is all that is compared; the
            // members' map isn't, and is written in order instead.
            let rest = super::Room { members: Default::default(), ..room.clone() };
            lines.push(format!("room {id:?} {rest:?} {members:?}"));
        }
        lines.extend(self.users.iter().map(|(id, user)| format!("user {id:?} {user:?}")));
        lines.extend(self.bans.iter().map(|ban| format!("ban {ban:?}")));
        lines.extend(self.mutes.iter().map(|mute| format!("mute {mute:?}")));
        lines.extend(self.hooks.iter().map(|hook| format!("hook {hook:?}")));
        lines.push(format!("hooks {}", self.hooks.ever()));
        lines.sort_unstable();
        let mut text = String::new();
        for line in lines {
            // Writing into a String doesn't fail.
            let _ = writeln!(text, "{line}");
        }
        Digest(Sha256::digest(text).into())
    }
}
