//! The real program in a process of its own, which ends with the test.

use crate::client::{Client, PATIENCE};
use crate::tls;
use rustix::process::{Pid, Signal, kill_process};
use std::cell::RefCell;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// The program under test.
pub(crate) const DAMSO: &str = env!("CARGO_BIN_EXE_damso");

/// A path for one test alone: it runs beside itself, over TLS and without.
pub(crate) fn scratch(of: &str, test: &str) -> PathBuf {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let made = MADE.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("damso-{of}-{test}-{}-{made}", std::process::id()))
}

/// How sockets are served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Engine {
    Event,
    Threads,
    Uring,
}

impl Engine {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Threads => "threads",
            Self::Uring => "uring",
        }
    }

    /// A chat on a port of its own.
    pub(crate) fn serve(self, flags: &[&str]) -> Server {
        self.serve_on("127.0.0.1:0", flags)
    }

    /// A chat that listens there.
    pub(crate) fn serve_on(self, listen: &str, flags: &[&str]) -> Server {
        let mut command = damso(&["serve", "--memory", "--engine", self.name()]);
        command.args(["--listen", listen]).args(flags);
        Server::start(command)
    }

    /// A chat without limits on how fast lines may come.
    pub(crate) fn serve_unlimited(self, flags: &[&str]) -> Server {
        let lifted = ["--set", "limits.send_per_second=0", "--set", "limits.commands_per_second=0"];
        self.serve(&[&lifted, flags].concat())
    }

    /// An echo server.
    pub(crate) fn echo(self) -> Server {
        let mut command = damso(&["echo", "--engine", self.name()]);
        command.args(["--listen", "127.0.0.1:0"]);
        Server::start(command)
    }
}

/// The program with arguments, in an environment of which nothing shows.
pub(crate) fn damso(arguments: &[&str]) -> Command {
    let mut command = Command::new(DAMSO);
    // Nothing on disk, unless a test names a folder.
    command.args(arguments).env("DAMSO_SERVER_DATA", "");
    in_english(&mut command);
    command
}

/// Whatever language whoever runs the tests reads.
pub(crate) fn in_english(command: &mut Command) {
    for name in ["LC_ALL", "LC_MESSAGES"] {
        command.env_remove(name);
    }
    command.env("LANG", "C.UTF-8");
}

/// A program that runs to its end: its exit code, stdout and stderr.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> (i32, String, String) {
    let output = command.stdin(Stdio::null()).output().expect("the program runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().expect("it ended by itself");
    (code, text(&output.stdout), text(&output.stderr))
}

/// A running server.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    stdin: RefCell<Option<ChildStdin>>,
    stdout: RefCell<Lines>,
    stderr: RefCell<Lines>,
}

impl Server {
    /// Starts a program and waits for its first address.
    #[track_caller]
    pub(crate) fn start(mut command: Command) -> Self {
        command.args(tls::flags());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut stdout = Lines::of(child.stdout.take().unwrap());
        let stderr = Lines::of(child.stderr.take().unwrap());
        let first = stdout.next().unwrap_or_else(|| {
            let said: Vec<String> = stderr.receiver.try_iter().collect();
            panic!("the server ended at its start: {said:?}")
        });
        let (scheme, address) = first.split_once("://").expect("an URL");
        let Ok(address) = address.parse() else { panic!("the first line is {first:?}") };
        match scheme {
            // Another test may have had a server with TLS on this port.
            "damso listening on http" => tls::forget(address),
            "damso listening on https" => tls::note(address),
            _ => panic!("the first line is {first:?}"),
        }
        let stdin = RefCell::new(child.stdin.take());
        let (stdout, stderr) = (RefCell::new(stdout), RefCell::new(stderr));
        Self { child, address, stdin, stdout, stderr }
    }

    /// A guest in the lobby, whom the hub knows by the time this returns.
    #[track_caller]
    pub(crate) fn join(&self) -> Client {
        let client = Client::open(self.address);
        self.until_here(|here| here.contains(&client.name));
        client
    }

    /// Types bytes into the console.
    #[track_caller]
    pub(crate) fn type_bytes(&self, bytes: &[u8]) {
        let mut stdin = self.stdin.borrow_mut();
        stdin.as_mut().expect("stdin is open").write_all(bytes).expect("the console reads");
    }

    /// Types a line into the console.
    #[track_caller]
    pub(crate) fn types(&self, line: &str) {
        self.type_bytes(format!("{line}\n").as_bytes());
    }

    /// Ends the console's input.
    pub(crate) fn end_of_input(&self) {
        self.stdin.borrow_mut().take();
    }

    /// The next line on stdout that has all of these words.
    #[track_caller]
    pub(crate) fn prints(&self, words: &[&str]) -> String {
        self.stdout.borrow_mut().find(words)
    }

    /// The next line on stdout.
    #[track_caller]
    pub(crate) fn next_print(&self) -> String {
        self.stdout.borrow_mut().next().expect("stdout has another line")
    }

    /// A line on stderr, past or to come, that has all of these words.
    #[track_caller]
    pub(crate) fn logs(&self, words: &[&str]) -> String {
        let mut stderr = self.stderr.borrow_mut();
        stderr.at = 0;
        stderr.find(words)
    }

    /// Everything on stderr so far.
    pub(crate) fn log_so_far(&self) -> Vec<String> {
        let mut stderr = self.stderr.borrow_mut();
        let new: Vec<String> = stderr.receiver.try_iter().collect();
        stderr.seen.extend(new);
        stderr.seen.clone()
    }

    /// Who is connected, as the console's `/who` says.
    #[track_caller]
    pub(crate) fn who(&self) -> Vec<String> {
        self.types("/who");
        let head = self.prints(&["connected: "]);
        let count: usize = head.trim_start_matches("connected: ").parse().expect("a count");
        (0..count).map(|_| self.next_print().trim().to_owned()).collect()
    }

    /// Asks who is connected until it is so.
    #[track_caller]
    pub(crate) fn until_here(&self, so: impl Fn(&[String]) -> bool) {
        let mut here = Vec::new();
        until("who is here", || {
            here = self.who();
            so(&here)
        });
    }

    /// Asks until exactly these are connected.
    #[track_caller]
    pub(crate) fn until_only(&self, clients: &[&Client]) {
        let mut names: Vec<&str> = clients.iter().map(|client| &*client.name).collect();
        names.sort_unstable();
        self.until_here(|here| {
            let mut here: Vec<&str> = here.iter().map(String::as_str).collect();
            here.sort_unstable();
            here == names
        });
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the server runs");
    }

    /// Sends SIGINT; the exit code.
    #[track_caller]
    pub(crate) fn stop(self) -> i32 {
        self.signal(Signal::INT);
        self.ended()
    }

    /// Waits for the end; the exit code.
    #[track_caller]
    pub(crate) fn ended(mut self) -> i32 {
        self.end_of_input();
        // Its stderr ends with it.
        self.stderr.get_mut().drain();
        self.child.wait().expect("it is our child").code().expect("no signal ended it")
    }

    /// Waits for the end; the exit code, and what was printed and not read yet.
    #[track_caller]
    pub(crate) fn ended_saying(mut self) -> (i32, Vec<String>) {
        let stdout = self.stdout.get_mut();
        stdout.drain();
        let said = stdout.seen.split_off(stdout.at);
        (self.ended(), said)
    }

    /// Stops reading its stdout, as `| head -1` does.
    pub(crate) fn close_stdout(&self) {
        self.stdout.replace(Lines::none());
    }

    /// Resident memory, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
        let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib * 1024
    }

    pub(crate) fn thread_count(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap().count()
    }

    pub(crate) fn has_thread(&self, name: &str) -> bool {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let named = |task: std::io::Result<std::fs::DirEntry>| {
            std::fs::read_to_string(task.unwrap().path().join("comm")).unwrap().trim() == name
        };
        tasks.into_iter().any(named)
    }

    /// How often its threads went to sleep of their own accord, in all.
    pub(crate) fn wakings(&self) -> u64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let of_task = |task: std::io::Result<std::fs::DirEntry>| {
            let status = std::fs::read_to_string(task.unwrap().path().join("status")).unwrap();
            let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches"));
            line.unwrap().split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
        };
        tasks.map(of_task).sum()
    }

    fn proc(&self, name: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{name}", self.child.id())).expect("it runs")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks until it is so; each question takes the time of an answer, or a moment.
#[track_caller]
pub(crate) fn until(what: &str, so: impl FnMut() -> bool) {
    until_within(PATIENCE, what, so);
}

/// Asks until it is so, at most for `time`.
#[track_caller]
pub(crate) fn until_within(time: Duration, what: &str, mut so: impl FnMut() -> bool) {
    let by = Instant::now() + time;
    while !so() {
        assert!(Instant::now() < by, "{what}: not in {time:?}");
        thread::park_timeout(Duration::from_millis(5));
    }
}

/// Lines of a stream, read by a thread so that a test never waits for them without end.
struct Lines {
    receiver: Receiver<String>,
    seen: Vec<String>,
    /// Lines before this index were asked for already.
    at: usize,
}

impl Lines {
    fn of(stream: impl Read + Send + 'static) -> Self {
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            let mut line = Vec::new();
            while let Ok(1..) = stream.read_until(b'\n', &mut line) {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                line.clear();
                // Dropping the stream is what closes it.
                if sender.send(text).is_err() {
                    return;
                }
            }
        });
        Self { receiver, seen: Vec::new(), at: 0 }
    }

    fn none() -> Self {
        Self { receiver: mpsc::channel().1, seen: Vec::new(), at: 0 }
    }

    /// The next line; none at the end.
    #[track_caller]
    fn next(&mut self) -> Option<String> {
        if self.at == self.seen.len() {
            match self.receiver.recv_timeout(PATIENCE) {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {
                    panic!("no further line; so far {:#?}", self.seen)
                }
            }
        }
        self.at += 1;
        Some(self.seen[self.at - 1].clone())
    }

    #[track_caller]
    fn find(&mut self, words: &[&str]) -> String {
        let before = self.seen.len();
        loop {
            match self.next() {
                Some(line) if words.iter().all(|word| line.contains(word)) => return line,
                Some(_) => {}
                None => panic!("no line with {words:?}; new: {:#?}", &self.seen[before..]),
            }
        }
    }

    /// Reads to the end without asking for anything.
    #[track_caller]
    fn drain(&mut self) {
        loop {
            match self.receiver.recv_timeout(PATIENCE) {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => panic!("no end; so far {:#?}", self.seen),
            }
        }
    }
}
