//! The servers that are measured: how each is found, started, pinned and stopped.

mod catalogue;
mod install;

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::connect::Target;
use crate::link::Trust;
use crate::server::Folder;
use crate::usage;

pub use catalogue::{Measure, find, names, usual};

const READY_WITHIN: Duration = Duration::from_secs(10);
const STOPPED_WITHIN: Duration = Duration::from_secs(2);
/// For a server that has something to finish.
const STOPPED_MAX: Duration = Duration::from_secs(10);
const LAST_WORDS_BYTES: usize = 2048;

/// A server that can be started.
#[derive(Clone, Debug)]
pub struct Peer {
    pub name: String,
    pub version: String,
    program: PathBuf,
    arguments: Vec<String>,
    /// The command as a reader would type it.
    pub shown: String,
    /// It is spoken to in damso.v1, and else in plain text.
    pub is_v1: bool,
    /// It is spoken to in NATS's protocol.
    pub is_nats: bool,
    /// It is spoken to over TLS.
    pub trust: Option<Trust>,
}

impl Peer {
    /// `given`, else `DAMSO_BIN`, else the one that was built beside this program, else the workspace's release.
    pub fn damso(given: Option<&str>) -> Result<Self, String> {
        let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join("damso")));
        let asked = given.map(PathBuf::from).or(std::env::var_os("DAMSO_BIN").map(PathBuf::from));
        let program = match asked {
            Some(path) if path.is_file() => path,
            Some(path) => return Err(format!("{}: no such program", path.display())),
            None => [beside, Some(workspace().join("target/release/damso"))]
                .into_iter()
                .flatten()
                .find(|path| path.is_file())
                .ok_or("not built: cargo build --release, or name it by --damso or DAMSO_BIN")?,
        };
        let (version, program) = (version(&program), program);
        let arguments = catalogue::damso_words("--memory", "event");
        Ok(Self {
            name: "damso".into(),
            version,
            program,
            shown: format!("damso {}", arguments.join(" ")),
            arguments,
            is_v1: false,
            is_nats: false,
            trust: None,
        })
    }

    /// The same program with other words behind it.
    pub fn with(&self, arguments: Vec<String>) -> Self {
        let shown = format!("damso {}", arguments.join(" "));
        Self { arguments, shown, ..self.clone() }
    }

    /// How it is spoken to, where it listens.
    pub fn target(&self, address: &str) -> Result<Target, String> {
        let (is_v1, is_nats, trust) = (self.is_v1, self.is_nats, self.trust.clone());
        Ok(Target { is_v1, is_nats, trust, ..Target::parse(address)? })
    }

    /// Tells one build of the program from another.
    pub fn fingerprint(&self) -> String {
        let metadata = std::fs::metadata(&self.program);
        metadata.map_or_else(
            |_| String::new(),
            |metadata| format!("{} {:?}", metadata.len(), metadata.modified().ok()),
        )
    }

    /// The program, to be given words of its own.
    pub fn command(&self) -> Command {
        Command::new(&self.program)
    }

    /// The same with further words.
    pub fn and(mut self, words: &[&str]) -> Self {
        self.arguments.extend(words.iter().map(|word| (*word).to_owned()));
        self.shown = [&[self.shown.as_str()], words].concat().join(" ");
        self
    }

    /// The same in a network namespace, where it listens on an address of that.
    pub fn within(mut self, namespace: &str, address: &str) -> Self {
        let program = self.program.to_string_lossy().into_owned();
        let arguments = self.arguments.iter().map(|word| word.replace("127.0.0.1", address));
        let command = ["netns", "exec", namespace, &program].map(String::from).into_iter();
        self.arguments = command.chain(arguments).collect();
        self.program = "ip".into();
        self
    }

    /// Any server: `name=command with {port}`. Without `{port}` the command has to print its http:// or ws:// address.
    pub fn custom(definition: &str) -> Result<Self, String> {
        let (name, command) = definition
            .split_once('=')
            .ok_or_else(|| format!("{definition}: expected NAME=COMMAND"))?;
        let mut words = command.split_whitespace().map(String::from);
        let program = words.next().ok_or_else(|| format!("{definition}: no command"))?;
        Ok(Self {
            name: name.into(),
            version: String::new(),
            program: program.into(),
            arguments: words.collect(),
            shown: command.into(),
            is_v1: false,
            is_nats: false,
            trust: None,
        })
    }

    /// Starts it, on one core if that is given, and waits until it can be reached.
    pub fn start(&self, core: Option<usize>) -> Result<Running, String> {
        let port = self
            .arguments
            .iter()
            .any(|word| word.contains("{port}"))
            .then(free_port)
            .transpose()?;
        let folder = self.arguments.iter().any(|word| word == "{data}");
        let folder = folder.then(|| Folder::new("peer")).transpose()?;
        let filled = |word: &String| match (&folder, port) {
            (Some(folder), _) if word == "{data}" => folder.path().to_string_lossy().into_owned(),
            (_, Some(port)) => word.replace("{port}", &port.to_string()),
            _ => word.clone(),
        };
        let mut command = Command::new(&self.program);
        command.args(self.arguments.iter().map(filled));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // SAFETY: between fork and exec only two system calls are made, which is what may be done there.
        unsafe {
            command.pre_exec(move || {
                // A server must not outlive a measurement that was killed.
                rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
                if let Some(core) = core {
                    usage::pin(core)?;
                }
                Ok(())
            });
        }
        let failed = |why: String| format!("{}: {why}", self.name);
        let mut child = command
            .spawn()
            .map_err(|error| failed(format!("{}: {error}", self.program.display())))?;
        let (addresses, last_words) = listen_to(&mut child);
        let mut running = Running { child, address: String::new(), last_words, _folder: folder };
        running.address = match port {
            Some(port) => running.wait_for_port(port).map_err(failed)?,
            None => addresses
                .recv_timeout(READY_WITHIN)
                .map_err(|_| failed(format!("printed no address. {}", running.last_words())))?,
        };
        Ok(running)
    }
}

/// A server that runs until this is dropped.
pub struct Running {
    child: Child,
    /// host:port
    pub address: String,
    last_words: Arc<Mutex<VecDeque<u8>>>,
    /// Its data, which goes after it.
    _folder: Option<Folder>,
}

impl Running {
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as a power cut would, as far as a process can tell: it gets no last word.
    pub fn kill(mut self) -> Result<(), String> {
        if let Ok(Some(status)) = self.child.try_wait() {
            return Err(format!("it ended by itself with {status}. {}", self.last_words()));
        }
        self.child
            .kill()
            .and_then(|()| self.child.wait())
            .map(drop)
            .map_err(|error| error.to_string())
    }

    /// Asks it to stop, and waits for its end: its exit code.
    pub fn stop(mut self) -> Option<i32> {
        if let Some(pid) = Pid::from_raw(self.child.id() as i32)
            && let Ok(None) = self.child.try_wait()
        {
            let _ = rustix::process::kill_process(pid, Signal::TERM);
        }
        wait(&mut self.child, STOPPED_MAX);
        self.child.try_wait().ok().flatten().and_then(|status| status.code())
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// What it wrote to stderr last.
    pub fn last_words(&self) -> String {
        let words = self.last_words.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        String::from_utf8_lossy(&words.iter().copied().collect::<Vec<_>>()).trim().to_owned()
    }

    fn wait_for_port(&mut self, port: u16) -> Result<String, String> {
        let begun = Instant::now();
        while begun.elapsed() < READY_WITHIN {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Ok(format!("127.0.0.1:{port}"));
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("ended with {status}. {}", self.last_words()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(format!("nothing listens on port {port}. {}", self.last_words()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may be gone already; then there is nothing to stop.
        if let Some(pid) = Pid::from_raw(self.child.id() as i32)
            && let Ok(None) = self.child.try_wait()
        {
            let _ = rustix::process::kill_process(pid, Signal::TERM);
            wait(&mut self.child, STOPPED_WITHIN);
        }
    }
}

/// Waits for the end, and brings it about when it takes too long.
fn wait(child: &mut Child, within: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < within {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// Reads both outputs to their end: the addresses it prints, and its last words.
fn listen_to(child: &mut Child) -> (mpsc::Receiver<String>, Arc<Mutex<VecDeque<u8>>>) {
    let (sender, addresses) = mpsc::channel();
    let last_words = Arc::new(Mutex::new(VecDeque::new()));
    if let Some(stdout) = child.stdout.take() {
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Some(address) = printed_address(&line) {
                    // Only the first is waited for.
                    let _ = sender.send(address.to_owned());
                }
            }
        });
    }
    if let Some(mut stderr) = child.stderr.take() {
        let words = last_words.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 512];
            while let Ok(read @ 1..) = stderr.read(&mut buffer) {
                let mut words = words.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                words.extend(&buffer[..read]);
                let surplus = words.len().saturating_sub(LAST_WORDS_BYTES);
                words.drain(..surplus);
            }
        });
    }
    (addresses, last_words)
}

fn printed_address(line: &str) -> Option<&str> {
    let rest = ["http://", "https://", "ws://"]
        .iter()
        .find_map(|scheme| Some(line.split_once(scheme)?.1))?;
    let end =
        rest.find(|letter: char| letter == '/' || letter.is_whitespace()).unwrap_or(rest.len());
    rest[..end].contains(':').then_some(&rest[..end])
}

fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    Ok(listener.map_err(|error| error.to_string())?.port())
}

fn version(program: &Path) -> String {
    let spawned = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = spawned else { return String::new() };
    wait(&mut child, STOPPED_WITHIN);
    let mut text = String::new();
    let read = child.stdout.take().map(|mut stdout| stdout.read_to_string(&mut text));
    let line = text.lines().next().unwrap_or_default();
    // `damso 0.1.0` or `1.4.5`
    read.and_then(|_| line.split(' ').next_back()).unwrap_or_default().to_owned()
}

/// The folder above that holds this crate; the current one when this runs elsewhere.
fn workspace() -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    let root = here.ancestors().find(|folder| folder.join("crates/bench/Cargo.toml").is_file());
    root.unwrap_or(&here).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_stands_in_the_first_line_that_has_one() {
        for (line, address) in [
            ("damso listening on http://127.0.0.1:8765", Some("127.0.0.1:8765")),
            ("listening on ws://[::1]:80/ws now", Some("[::1]:80")),
            ("see http://example.org/", None),
            ("ready", None),
        ] {
            assert_eq!(printed_address(line), address);
        }
    }
}
