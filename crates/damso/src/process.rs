//! What concerns the whole process: its output, its descriptors, its end.

use crate::logs;
use std::io::Write;
use std::sync::mpsc;
use std::time::Duration;
use tracing::debug;

/// How long the last words may wait for whoever reads stdout.
const LAST_WORDS_MAX: Duration = Duration::from_millis(500);

/// Why the program ends otherwise than asked: one sentence and an exit code.
#[derive(Debug)]
pub struct Failure {
    /// What is wrong, and what to do about it.
    pub sentence: String,
    /// 2: bad usage or configuration. 1: anything else.
    pub code: u8,
}

impl Failure {
    /// Bad usage or configuration.
    pub fn usage(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), code: 2 }
    }

    /// Anything else.
    pub fn other(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), code: 1 }
    }
}

/// Writes to stdout. If nobody reads it any more (`damso … | head`), that's nobody's problem.
pub fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Writes the process's last words to stdout, but waits only shortly for whoever reads it: they
/// are no reason to stay. Another thread may hold stdout until somebody reads.
pub fn print_last(text: &str) {
    let text = text.to_owned();
    let (done, printed) = mpsc::channel();
    let printer = std::thread::Builder::new().name("last-words".into()).spawn(move || {
        print(&text);
        let _ = done.send(());
    });
    if printer.is_ok() {
        let _ = printed.recv_timeout(LAST_WORDS_MAX);
    }
}

/// Writes a line to stderr. What is in it that a terminal acts on is escaped.
pub fn complain(line: &str) {
    let _ = writeln!(std::io::stderr(), "{}", logs::escaped(line));
}

/// Lets other threads go before the calling one, where a thread can be told so.
pub fn be_nice() {
    // There a "process" of priorities is a thread.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, 19);
}

/// What every server does first: logs of `log` and above go to stderr, as many descriptors as the
/// system allows, and an end with a panic.
pub fn begin_serving(log: tracing::Level) {
    log_to_stderr(log);
    raise_descriptor_limit();
    end_on_panic();
}

/// Lets a panic in any thread end the process with exit code 1: a server that has lost a part of
/// itself must not look alive.
fn end_on_panic() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        tell(info);
        std::process::exit(1);
    }));
}

/// Sends logs of `level` and above to stderr.
fn log_to_stderr(level: tracing::Level) {
    let logger = tracing_subscriber::fmt()
        .with_writer(|| logs::Stderr)
        .with_max_level(level)
        .with_ansi(false)
        .with_target(false)
        .finish();
    // Only a second call fails, and then there is a logger already.
    let _ = tracing::subscriber::set_global_default(logger);
}

/// Raises the limit of open descriptors as far as the system lets us.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        debug!(%error, "the descriptor limit stays as it is");
    }
}

/// Lets a process that the shell put in the background (`damso &`) go on: reading or writing the
/// terminal from there stops the whole process, server and all. With these signals ignored the
/// reading fails, which ends the console alone, and the writing succeeds.
fn keep_running_in_background() {
    for signal in [libc::SIGTTIN, libc::SIGTTOU] {
        // SAFETY: `SIG_IGN` is a valid disposition of both, and no code of ours runs in a handler.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

/// Waits for SIGINT and SIGTERM and passes the first one on; a second one ends the process at
/// once. Says on `watching` when it does: a signal that came before that would end the process
/// as if nobody had cared for it. Terminals that stop background processes don't stop this one any
/// more from then on. To be spawned on a runtime with signals.
pub async fn watch_signals(stop: mpsc::Sender<()>, watching: mpsc::Sender<()>) {
    use tokio::signal::unix::{SignalKind, signal};
    keep_running_in_background();
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    let _ = watching.send(());
    let mut asked = false;
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if asked {
            std::process::exit(0);
        }
        asked = true;
        let _ = stop.send(());
    }
}
