//! What a check of deliveries found.

use std::fmt;

use crate::text::{Found, Text};

/// What went wrong, counted, with the first case in words.
#[derive(Clone, Default)]
pub struct Faults {
    pub missing: u64,
    /// Came again, or after a later one.
    pub repeated: u64,
    /// Not as it was sent.
    pub damaged: u64,
    /// Connections that ended.
    pub lost: u64,
    pub first: Option<String>,
    /// Messages that the server sent by itself: no fault, but good to know.
    pub notices: u64,
    pub last_notice: String,
}

impl Faults {
    pub fn add(&mut self, other: &Self) {
        self.missing += other.missing;
        self.repeated += other.repeated;
        self.damaged += other.damaged;
        self.lost += other.lost;
        self.notices += other.notices;
        if self.first.is_none() {
            self.first.clone_from(&other.first);
        }
        if !other.last_notice.is_empty() {
            self.last_notice.clone_from(&other.last_notice);
        }
    }

    pub fn count(&self) -> u64 {
        self.missing + self.repeated + self.damaged + self.lost
    }

    pub fn note(&mut self, words: impl FnOnce() -> String) {
        self.first.get_or_insert_with(words);
    }

    pub fn damaged(&mut self, words: impl FnOnce() -> String) {
        self.damaged += 1;
        self.note(words);
    }

    pub fn stray(&mut self, text: &Text, payload: &[u8]) {
        let words = || String::from_utf8_lossy(&payload[..payload.len().min(200)]).into_owned();
        match text.find(payload) {
            Found::Foreign => {
                self.notices += 1;
                self.last_notice = words();
            }
            _ => self.damaged(|| format!("damaged: {:?}", words())),
        }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.count() == 0 {
            f.write_str("none")?;
        } else {
            let Self { missing, repeated, damaged, lost, .. } = self;
            write!(
                f,
                "{missing} missing, {repeated} repeated or late, {damaged} damaged, {lost} connections lost"
            )?;
        }
        if let Some(first) = &self.first {
            write!(f, "; first: {first}")?;
        }
        if self.notices != 0 {
            write!(f, "; {} other messages, the last: {:?}", self.notices, self.last_notice)?;
        }
        Ok(())
    }
}
