//! `damso doctor`: what damso needs of its machine, its folder, its port and the proxy before it;
//! what is wrong, and how to mend it.

mod folder;
mod machine;
mod port;
mod way;

use crate::args::{DataArgs, DoctorArgs, ServeArgs};
use crate::config::Config;
use crate::lang::Lang;
use crate::process::{self, Failure};
use crate::tls::Certificate;
use std::fmt;

/// How it is with something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Level {
    Ok,
    Warn,
    Bad,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Bad => "bad",
        })
    }
}

/// What was found about one thing.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Finding {
    level: Level,
    what: &'static str,
    found: String,
    /// How to mend it; nothing if there is nothing to mend.
    mend: String,
}

impl Finding {
    fn ok(what: &'static str, found: impl Into<String>) -> Self {
        Self { level: Level::Ok, what, found: found.into(), mend: String::new() }
    }

    fn warn(what: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { level: Level::Warn, what, found: found.into(), mend: mend.into() }
    }

    fn bad(what: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { level: Level::Bad, what, found: found.into(), mend: mend.into() }
    }
}

/// The sentence in the reader's language, of two formats over the same values.
macro_rules! say {
    ($lang:expr, $en:literal, $ko:literal) => {
        match $lang {
            $crate::lang::Lang::En => format!($en),
            $crate::lang::Lang::Ko => format!($ko),
        }
    };
}
use say;

/// Looks at everything and prints a line for each; how to mend what isn't well stands below it.
///
/// # Errors
/// Something is bad, or the settings can't be read.
pub fn run(args: &DoctorArgs) -> Result<(), Failure> {
    let lang = Lang::of_environment();
    // What damso itself would read is what is looked at.
    let DataArgs { data, config } = args.data.clone();
    let listen = args.listen.clone();
    let config = Config::of_serve(&ServeArgs { data, config, listen, ..ServeArgs::default() })?;
    let mut bad = 0;
    let mut tell = |findings: Vec<Finding>| {
        for finding in findings {
            bad += usize::from(finding.level == Level::Bad);
            process::print(&line(&finding, lang));
        }
    };
    tell(machine::look(lang));
    tell(match &config.data {
        Some(path) => folder::look(path, lang),
        None => {
            let found = say!(lang, "none: nothing is kept", "없음: 아무것도 남기지 않습니다");
            vec![Finding::ok("data folder", found)]
        }
    });
    if let Some((certificate, key)) = config.tls {
        tell(vec![match Certificate::load(certificate, key) {
            Ok(_) => {
                let found =
                    say!(lang, "it can be read, and so can its key", "열쇠와 함께 읽힙니다");
                Finding::ok("certificate", found)
            }
            Err(sentence) => Finding::bad("certificate", sentence, ""),
        }]);
    }
    tell(port::look(&config.listen, lang));
    if let Some(url) = &args.url {
        tell(way::look(url, lang));
    }
    if bad == 0 {
        return Ok(());
    }
    Err(Failure::other(say!(
        lang,
        "the doctor found what has to be mended: {bad}",
        "고쳐야 할 것이 있습니다: {bad}개"
    )))
}

fn line(finding: &Finding, lang: Lang) -> String {
    let Finding { level, what, found, mend } = finding;
    // Some of it was said by whoever answers there.
    let found = crate::logs::escaped(found);
    let mut line = format!("{level:<4}  {what}: {found}\n");
    if !mend.is_empty() {
        let mend = crate::logs::escaped(mend);
        line.push_str(&say!(lang, "      to mend it: {mend}\n", "      고치려면: {mend}\n"));
    }
    line
}
