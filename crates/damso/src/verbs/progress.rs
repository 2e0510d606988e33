//! How far long work is, on stderr: one line that changes where somebody looks at it, else a line
//! now and then. Work that is soon done says nothing.

use crate::lang::Lang;
use crate::process;
use damso_store::Progress;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Work that is done sooner needs no word.
const QUIET: Duration = Duration::from_secs(1);
/// Between two states of the line on a terminal.
const TERMINAL: Duration = Duration::from_millis(200);
/// Between two lines elsewhere.
const LINES: Duration = Duration::from_secs(5);

/// What was told of one piece of work.
pub(super) struct Told {
    lang: Lang,
    is_terminal: bool,
    next: Instant,
    /// Something stands in the terminal's line.
    is_open: bool,
}

impl Told {
    pub(super) fn new(lang: Lang) -> Self {
        let is_terminal = io::stderr().is_terminal();
        Self { lang, is_terminal, next: Instant::now() + QUIET, is_open: false }
    }

    pub(super) fn tell(&mut self, progress: Progress) {
        let now = Instant::now();
        // What can't say how far it is may take long before the next word.
        if now < self.next && progress != Progress::Checking {
            return;
        }
        let sentence = sentence(self.lang, progress);
        if !self.is_terminal {
            if now >= self.next {
                process::complain(&sentence);
                self.next = now + LINES;
            }
            return;
        }
        let _ = write!(io::stderr(), "\r\x1b[K{sentence}");
        self.is_open = true;
        self.next = self.next.max(now + TERMINAL);
    }

    /// Takes the line back: what comes of the work is said elsewhere.
    pub(super) fn end(&mut self) {
        if std::mem::take(&mut self.is_open) {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

fn sentence(lang: Lang, progress: Progress) -> String {
    let part = |done: u64, all: u64| done.saturating_mul(100) / all.max(1);
    let mib = |bytes: u64| bytes >> 20;
    match (progress, lang) {
        (Progress::Copying { done, all }, Lang::En) => {
            format!("copying: {} of {} MiB ({}%)", mib(done), mib(all), part(done, all))
        }
        (Progress::Copying { done, all }, Lang::Ko) => {
            format!("복사하는 중: {}/{} MiB ({}%)", mib(done), mib(all), part(done, all))
        }
        (Progress::Checking, Lang::En) => "checking the pages".to_owned(),
        (Progress::Checking, Lang::Ko) => "페이지를 검사하는 중".to_owned(),
        (Progress::Folding { done, all }, Lang::En) => {
            format!("reading the log: {done} of {all} events ({}%)", part(done, all))
        }
        (Progress::Folding { done, all }, Lang::Ko) => {
            format!("기록을 읽는 중: 이벤트 {done}/{all}개 ({}%)", part(done, all))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_says_how_far_it_is() {
        let copying = Progress::Copying { done: 3 << 20, all: 4 << 20 };
        assert_eq!(sentence(Lang::En, copying), "copying: 3 of 4 MiB (75%)");
        let nothing = Progress::Folding { done: 0, all: 0 };
        assert_eq!(sentence(Lang::En, nothing), "reading the log: 0 of 0 events (0%)");
    }
}
