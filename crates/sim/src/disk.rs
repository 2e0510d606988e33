//! The log on its disk: what outlives a crash of the server, and what doesn't.
//!
//! The log itself is the product's log in memory. It takes in a batch when that is committed, so
//! what is in it is what is durable; a restart reads the journal of batches anew, and must come to
//! the same state.

use crate::bug::Bug;
use crate::truth::{Age, Checked, Failure, Rule, fail};
use damso_chat::{Command, Decision, Entry};
use damso_protocol::{Nonce, UserId};
use damso_store::{Log as _, Memory, Outcome};
use std::collections::HashSet;
use std::sync::Arc;

/// See the module's text.
pub struct Disk {
    /// The log as it is durable.
    pub log: Memory,
    /// Its name.
    pub epoch: Arc<str>,
    /// There is no room for anything.
    pub full: bool,
    /// Time of the last entry, in ms since 1970.
    pub last_at: u64,
    journal: Vec<(Vec<Entry>, u64)>,
    kept_bytes: Option<usize>,
    ages: u64,
    bug: Option<Bug>,
    /// For [`Bug::NoncesForgotten`].
    forgotten: HashSet<(UserId, Nonce)>,
}

impl Disk {
    /// An empty disk; `kept_bytes`: what a log in memory keeps.
    pub fn new(kept_bytes: Option<usize>, bug: Option<Bug>) -> Self {
        Self {
            log: empty(kept_bytes),
            epoch: "life-1".into(),
            full: false,
            last_at: 0,
            journal: Vec::new(),
            kept_bytes,
            ages: 1,
            bug,
            forgotten: HashSet::new(),
        }
    }

    /// Commits a batch that was judged at `at`.
    pub fn commit(
        &mut self,
        mut entries: Vec<Entry>,
        at: u64,
        age: &mut Age,
    ) -> Result<Vec<Outcome>, Failure> {
        if !self.forgotten.is_empty() {
            entries.iter_mut().for_each(|entry| self.rename(entry));
        }
        self.last_at = self.last_at.max(at);
        self.journal.push((entries.clone(), at));
        let Ok(outcomes) = self.log.append(entries, at) else {
            return fail(Rule::Panic, "a log in memory can't fail");
        };
        for outcome in &outcomes {
            for event in outcome.iter().flat_map(Decision::events) {
                age.record(event)?;
            }
        }
        Ok(outcomes)
    }

    /// What a batch would come to, as of now.
    pub fn foresee(&self, entries: Vec<Entry>, at: u64) -> Vec<Outcome> {
        let mut log = self.read();
        log.append(entries, at).unwrap_or_default()
    }

    /// The server starts again on what is there.
    pub fn restart(&mut self, age: &Age) -> Checked {
        if self.bug == Some(Bug::ReadsForgotten) {
            for (entries, _) in &mut self.journal {
                entries.retain(|entry| !matches!(entry.command, Command::Read { .. }));
            }
            self.log = self.read();
            return Ok(());
        }
        if self.bug == Some(Bug::NoncesForgotten) {
            let entries = self.journal.iter().flat_map(|(entries, _)| entries);
            self.forgotten.extend(entries.filter_map(named));
        }
        let read = self.read();
        if *read.state() != *self.log.state() || *read.state() != age.state {
            return fail(Rule::Fold, "a log that is read anew has another state");
        }
        self.log = read;
        Ok(())
    }

    /// A new log, with nothing in it.
    pub fn begin_anew(&mut self) {
        self.log = empty(self.kept_bytes);
        self.journal.clear();
        self.ages += 1;
        self.epoch = format!("life-{}", self.ages).into();
        self.last_at = 0;
    }

    fn read(&self) -> Memory {
        let mut log = empty(self.kept_bytes);
        for (entries, at) in &self.journal {
            // It didn't fail the first time either.
            let _ = log.append(entries.clone(), *at);
        }
        log
    }

    /// For [`Bug::NoncesForgotten`]: a repetition is taken for something new.
    fn rename(&self, entry: &mut Entry) {
        if named(entry).is_some_and(|name| self.forgotten.contains(&name))
            && let Command::Send { nonce: Some(nonce), .. } = &mut entry.command
        {
            *nonce = Nonce::new(format!("{}-again", nonce.as_str()));
        }
    }
}

fn named(entry: &Entry) -> Option<(UserId, Nonce)> {
    match &entry.command {
        Command::Send { nonce: Some(nonce), .. } => {
            Some((entry.author.user.clone(), nonce.clone()))
        }
        _ => None,
    }
}

fn empty(kept_bytes: Option<usize>) -> Memory {
    kept_bytes.map_or_else(Memory::new, Memory::bounded)
}
