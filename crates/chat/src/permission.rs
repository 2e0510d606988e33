//! May this author do this now? Asked by [`crate::decide()`] alone, in log order.

use crate::command::{Author, Command, Role};
use crate::refusal::Refusal;
use crate::state::State;

/// Whether `author` may give `command` at `at` (ms since 1970).
pub fn check(state: &State, author: &Author, command: &Command, at: u64) -> Result<(), Refusal> {
    match command {
        Command::Send { .. } if author.role == Role::Operator => Ok(()),
        Command::Send { .. } => {
            if author.address.is_some_and(|address| state.is_banned(address, at)) {
                return Err(Refusal::Banned);
            }
            match state.mute(author, at) {
                Some(until) => Err(Refusal::Muted { until }),
                None => Ok(()),
            }
        }
        Command::Ban { .. }
        | Command::Unban { .. }
        | Command::Mute { .. }
        | Command::Unmute { .. } => {
            if author.role >= Role::Operator {
                Ok(())
            } else {
                Err(Refusal::Forbidden)
            }
        }
    }
}
