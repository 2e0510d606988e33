//! The clients of docs/clients against the real server, which is killed under them; so is the bot.
//! What their rules promise is checked by what the two clients print.
//!
//! Each client comes through a door of ours that can keep back what the server says to it. So a
//! kill can fall between a line's commit and the news of it, when it matters under which nonce the
//! line is sent again.

use crate::run::{self, Failure, release, root, target};
use crate::{conformance, tools};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long anything may take to be said.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often the server is killed.
const KILLS: usize = 6;
/// With these kills of the server goes one of the bot.
const BOT_KILLS: [usize; 2] = [2, 4];
/// What each client is given to say before a kill; a user may send 10 at once.
const ROUND: usize = 32;
/// What each client is given to say while there is no server.
const MEANWHILE: usize = 4;
/// What one client says while the bot is away: more than is replayed by default.
const ABSENCE: usize = 560;
/// Every so many lines there is a command.
const COMMAND_EVERY: usize = 8;

const NAMES: [&str; 2] = ["파이썬", "노드"];
const BOT: &str = "메아리";
const COMMAND: &str = "!echo ";

/// Changes two messages of a client: by its key, on a connection of its own.
const EDITOR: &str = r#"
import json, sys
from websockets.sync.client import connect
url, key, edited, deleted = sys.argv[1:]
with connect(url, subprotocols=["damso.v1"], proxy=None) as ws:
    def ask(awaited, **frame):
        ws.send(json.dumps(frame))
        while (reply := json.loads(ws.recv(20)))["t"] != awaited:
            assert reply["t"] != "err", reply
    ask("welcome", t="hello", id=1, key=open(key).read(), agent="editor")
    ask("ok", t="change", id=2, room="lobby", m=int(edited), nonce="e", op="edit", text="고친 줄")
    ask("ok", t="change", id=3, room="lobby", m=int(deleted), nonce="d", op="delete")
"#;

pub fn run() -> run::Result {
    let tools = tools::clients()?;
    conformance::build_program()?;
    let mut scene = Scene::open(tools)?;
    scene.who_is_too_fast_goes_on_later()?;
    scene.kill_the_server()?;
    scene.leave_the_bot_out()?;
    scene.change_what_was_said()?;
    scene.judge()
}

struct Scene {
    tools: tools::Clients,
    folder: PathBuf,
    server: Program,
    port: u16,
    doors: [Door; 2],
    clients: [Program; 2],
    /// What each client was given to say, in order.
    typed: [Vec<String>; 2],
    bot: Program,
}

impl Scene {
    /// A server with its usual limits, the bot, and two clients that have seen each other.
    fn open(tools: tools::Clients) -> run::Result<Scene> {
        let folder = target().join("clients");
        // Of the run before; there may have been none.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).map_err(|error| {
            Failure::new(format!("{} can't be made: {error}", folder.display()))
        })?;
        println!("the transcripts are in {}", folder.display());
        let server = start_server(&folder, 0, false)?;
        let port = server.port()?;
        let bot = start_bot(&tools, &folder, port)?;
        let mut python = Command::new(&tools.python);
        python.arg(script("client.py"));
        let mut node = Command::new("node");
        node.arg(&tools.client_mjs);
        let doors = [Door::open(port)?, Door::open(port)?];
        let start = |mut command: Command, client: usize| {
            let name = NAMES[client];
            command.args([&url(doors[client].port), "lobby", name, &key_file(name)]);
            Program::start(name, &mut command, &folder)
        };
        let clients = [start(python, 0)?, start(node, 1)?];
        let typed = [Vec::new(), Vec::new()];
        let mut scene = Scene { tools, folder, server, port, doors, clients, typed, bot };
        // A client begins with the newest page: from here on both have seen all.
        scene.say_by_both(1)?;
        scene.wait_for_all()?;
        Ok(scene)
    }

    fn who_is_too_fast_goes_on_later(&mut self) -> run::Result {
        println!("more at once than is taken");
        self.say_by_both(12)?;
        self.wait_for_all()
    }

    /// Each time one of the clients doesn't learn that a line of its own is durable already.
    fn kill_the_server(&mut self) -> run::Result {
        // A refusal that is kept back would hold the line back too, so none may come from here on.
        self.server.kill();
        self.server = start_server(&self.folder, self.port, true)?;
        self.say_by_both(1)?;
        self.wait_for_all()?;
        for kill in 0..KILLS {
            println!("kill {} of {KILLS}", kill + 1);
            let (deaf, other) = (kill % 2, 1 - kill % 2);
            let (own, others) = (self.typed[deaf].len(), self.typed[other].len());
            self.doors[deaf].keep_back(true);
            self.say_by_both(ROUND)?;
            self.clients[other].wait("what the server keeps of both", |said| {
                count(said, NAMES[deaf]) > own && count(said, NAMES[other]) >= others + ROUND / 4
            })?;
            self.server.kill();
            self.doors[deaf].keep_back(false);
            self.say_by_both(MEANWHILE)?;
            let is_bots = BOT_KILLS.contains(&kill);
            if is_bots {
                self.bot.kill();
            }
            self.server = start_server(&self.folder, self.port, true)?;
            if is_bots {
                self.bot = start_bot(&self.tools, &self.folder, self.port)?;
            }
            self.wait_for_all()?;
        }
        Ok(())
    }

    /// What came meanwhile is more than it gets replayed: it has to read pages.
    fn leave_the_bot_out(&mut self) -> run::Result {
        println!("the bot misses {ABSENCE} lines");
        self.bot.kill();
        self.say(0, ABSENCE)?;
        self.wait_for_all()?;
        self.bot = start_bot(&self.tools, &self.folder, self.port)?;
        Ok(())
    }

    fn change_what_was_said(&mut self) -> run::Result {
        println!("an edit, a deletion, and a last command");
        let said = self.clients[0].said();
        let own = said.iter().filter_map(|line| Line::of(line)).filter(|line| line.by == NAMES[0]);
        let own: Vec<_> = own.map(|line| line.m).take(2).collect();
        let [edited, deleted] = own[..] else {
            return Err(Failure::new("the transcript has no two lines to change"));
        };
        let mut editor = Command::new(&self.tools.python);
        editor.args(["-c", EDITOR, &url(self.port), &key_file(NAMES[0])]);
        editor.args([edited.to_string(), deleted.to_string()]).current_dir(&self.folder);
        let output = editor.output();
        let output = output.map_err(|error| Failure::new(format!("no editor: {error}")))?;
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(Failure::new(format!("the editor failed: {why}")));
        }
        let changes = [
            format!("#{edited} edit by {}: 고친 줄", NAMES[0]),
            format!("#{deleted} delete by {}: (deleted)", NAMES[0]),
        ];
        for client in &self.clients {
            client.wait("the edit and the deletion", |said| {
                changes.iter().all(|change| said.contains(change))
            })?;
        }
        // The bot answers in order, so its answer to this comes after any it might repeat.
        let last = format!("{COMMAND}the end");
        self.typed[0].push(last.clone());
        self.clients[0].give(&last)?;
        let answer = format!("{BOT}: the end");
        for client in &self.clients {
            client.wait("the bot's last answer", |said| {
                said.last().is_some_and(|line| line.ends_with(&answer))
            })?;
        }
        Ok(())
    }

    /// Each line once, in one order for both clients; each command answered once.
    fn judge(&self) -> run::Result {
        let said = [self.clients[0].said(), self.clients[1].said()];
        let unlike = said[0].iter().zip(&said[1]).find(|(one, other)| one != other);
        if let Some((one, other)) = unlike {
            let [python, node] = NAMES;
            return Err(Failure::new(format!(
                "the clients differ: {python} has {one:?} where {node} has {other:?}"
            )));
        }
        if said[0].len() != said[1].len() {
            return Err(Failure::new("one client has printed more than the other"));
        }
        let lines: Vec<_> = said[0].iter().filter_map(|line| Line::of(line)).collect();
        if !lines.is_sorted_by(|one, next| one.m < next.m) {
            return Err(Failure::new("the numbers of the messages don't rise"));
        }
        let by = |name: &str| {
            let lines = lines.iter().filter(|line| line.by == name);
            lines.map(|line| line.text.to_owned()).collect::<Vec<_>>()
        };
        for (name, typed) in NAMES.iter().zip(&self.typed) {
            alike(&format!("what {name} said"), &by(name), typed)?;
        }
        let commands = lines.iter().filter_map(|line| line.text.strip_prefix(COMMAND));
        let commands: Vec<String> = commands.map(str::to_owned).collect();
        alike("the bot's answers", &by(BOT), &commands)?;
        println!("{} messages, {} commands: each once, in order", lines.len(), commands.len());
        Ok(())
    }

    fn say_by_both(&mut self, count: usize) -> run::Result {
        self.say(0, count)?;
        self.say(1, count)
    }

    /// Types lines, in Korean and in English, with a command here and there.
    fn say(&mut self, client: usize, count: usize) -> run::Result {
        let name = NAMES[client];
        for _ in 0..count {
            let number = self.typed[client].len() + 1;
            let line = if number.is_multiple_of(COMMAND_EVERY) {
                format!("{COMMAND}{name} {number}")
            } else if number.is_multiple_of(2) {
                format!("안녕하세요, {name}의 {number}번째 줄입니다 👋")
            } else {
                format!("line {number} of {name}: \"quoted\", <b>, \\ and %")
            };
            self.clients[client].give(&line)?;
            self.typed[client].push(line);
        }
        Ok(())
    }

    /// Waits until both clients have printed what was typed so far; the bot may be behind.
    fn wait_for_all(&self) -> run::Result {
        for client in &self.clients {
            client.wait("all that was said", |said| {
                let mut each = NAMES.iter().zip(&self.typed);
                each.all(|(name, typed)| count(said, name) >= typed.len())
            })?;
        }
        Ok(())
    }
}

/// A message as the clients print it.
struct Line<'a> {
    m: u64,
    by: &'a str,
    text: &'a str,
}

impl<'a> Line<'a> {
    /// None of what is no new message.
    fn of(line: &'a str) -> Option<Self> {
        let (m, said) = line.strip_prefix('#')?.split_once(' ')?;
        let (by, text) = said.split_once(": ")?;
        (!by.contains(" by ")).then_some(Line { m: m.parse().ok()?, by, text })
    }
}

/// How many messages of a user were printed.
fn count(said: &[String], name: &str) -> usize {
    said.iter().filter_map(|line| Line::of(line)).filter(|line| line.by == name).count()
}

fn alike(what: &str, found: &[String], expected: &[String]) -> run::Result {
    let unlike = found.iter().zip(expected).position(|(one, other)| one != other);
    let at = unlike.unwrap_or_else(|| found.len().min(expected.len()));
    match (found.get(at), expected.get(at)) {
        (None, None) => Ok(()),
        (found, expected) => Err(Failure::new(format!(
            "{what}: number {} is {}, not {}",
            at + 1,
            found.map_or("missing", String::as_str),
            expected.map_or("the end", String::as_str),
        ))),
    }
}

fn script(name: &str) -> PathBuf {
    root().join("docs/clients").join(name)
}

fn url(port: u16) -> String {
    format!("ws://127.0.0.1:{port}/ws")
}

fn key_file(name: &str) -> String {
    format!("{name}.key")
}

fn start_server(folder: &Path, port: u16, is_unlimited: bool) -> run::Result<Program> {
    let mut command = Command::new(release("damso"));
    command.args(["serve", "--no-console", "--data", "data"]);
    command.args(["--listen", &format!("127.0.0.1:{port}")]);
    if is_unlimited {
        // Or so many lines take minutes.
        command.args(["--set", "limits.send_per_second=0"]);
        command.args(["--set", "limits.commands_per_second=0"]);
    }
    let server = Program::start("damso", &mut command, folder)?;
    server.wait("where it listens", |said| !said.is_empty())?;
    Ok(server)
}

fn start_bot(tools: &tools::Clients, folder: &Path, port: u16) -> run::Result<Program> {
    let mut command = Command::new(&tools.python);
    command.arg(script("bot.py")).args([&url(port), "lobby", BOT]);
    let bot = Program::start("bot", &mut command, folder)?;
    bot.wait("that it listens", |said| said.iter().any(|line| line.starts_with("listening")))?;
    Ok(bot)
}

/// The way of one client to the server.
struct Door {
    port: u16,
    keeps_back: Arc<AtomicBool>,
}

impl Door {
    fn open(server: u16) -> run::Result<Door> {
        let closed = |error| Failure::new(format!("no port for a door: {error}"));
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(closed)?;
        let port = listener.local_addr().map_err(closed)?.port();
        let keeps_back = Arc::new(AtomicBool::new(false));
        let door = Door { port, keeps_back: keeps_back.clone() };
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // While the server is dead its clients find nobody here either.
                let _ = pass(client, server, &keeps_back);
            }
        });
        Ok(door)
    }

    /// From now on nothing, or all, of what the server says comes through. A connection that has
    /// lost something must not go on: it has to end meanwhile.
    fn keep_back(&self, keeps_back: bool) {
        self.keeps_back.store(keeps_back, Ordering::SeqCst);
    }
}

/// Joins two sockets until one of them ends.
fn pass(client: TcpStream, server: u16, keeps_back: &Arc<AtomicBool>) -> io::Result<()> {
    let server = TcpStream::connect(("127.0.0.1", server))?;
    for socket in [&client, &server] {
        socket.set_nodelay(true)?;
    }
    let (from_client, to_server) = (client.try_clone()?, server.try_clone()?);
    let (keeps_back, never) = (keeps_back.clone(), Arc::new(AtomicBool::new(false)));
    std::thread::spawn(move || copy(server, client, &keeps_back));
    std::thread::spawn(move || copy(from_client, to_server, &never));
    Ok(())
}

fn copy(mut from: TcpStream, mut to: TcpStream, keeps_back: &AtomicBool) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if !keeps_back.load(Ordering::SeqCst) && to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    for socket in [from, to] {
        // It may have ended already.
        let _ = socket.shutdown(Shutdown::Both);
    }
}

/// A running program, what it has printed, and its input. Killed when dropped.
struct Program {
    name: String,
    child: Child,
    output: Arc<Output>,
}

#[derive(Default)]
struct Output {
    said: Mutex<Said>,
    changed: Condvar,
}

#[derive(Default)]
struct Said {
    lines: Vec<String>,
    is_over: bool,
}

impl Program {
    fn start(name: &str, command: &mut Command, folder: &Path) -> run::Result<Program> {
        let fails = |error| Failure::new(format!("{name} doesn't start: {error}"));
        let log = |kind| {
            let path = folder.join(format!("{name}.{kind}"));
            File::options().create(true).append(true).open(path).map_err(fails)
        };
        let mut transcript = log("out")?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log("err")?);
        let mut child = command.current_dir(folder).spawn().map_err(fails)?;
        let stdout = child.stdout.take();
        let output = Arc::new(Output::default());
        let ours = output.clone();
        std::thread::spawn(move || {
            let lines = stdout.into_iter().flat_map(|stdout| BufReader::new(stdout).lines());
            for line in lines.map_while(Result::ok) {
                // For people alone: what is judged is in memory.
                let _ = writeln!(transcript, "{line}");
                ours.lock().lines.push(line);
                ours.changed.notify_all();
            }
            ours.lock().is_over = true;
            ours.changed.notify_all();
        });
        Ok(Program { name: name.to_owned(), child, output })
    }

    fn said(&self) -> Vec<String> {
        self.output.lock().lines.clone()
    }

    /// Waits until what it has printed is enough.
    fn wait(&self, what: &str, is_enough: impl Fn(&[String]) -> bool) -> run::Result {
        let deadline = Instant::now() + PATIENCE;
        let mut said = self.output.lock();
        while !is_enough(&said.lines) {
            let left = deadline.saturating_duration_since(Instant::now());
            if said.is_over || left.is_zero() {
                let last = said.lines.last().map_or("nothing", String::as_str);
                let name = &self.name;
                let how = if said.is_over { "has ended" } else { "goes on" };
                return Err(Failure::new(format!(
                    "{name} doesn't print {what}: it {how} after {} lines, the last {last:?}",
                    said.lines.len()
                )));
            }
            let waited = self.output.changed.wait_timeout(said, left);
            said = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
    }

    fn give(&mut self, line: &str) -> run::Result {
        let name = &self.name;
        let deaf = |why: String| Failure::new(format!("{name} takes no input: {why}"));
        let stdin = self.child.stdin.as_mut().ok_or_else(|| deaf("it is closed".into()))?;
        writeln!(stdin, "{line}").map_err(|error| deaf(error.to_string()))
    }

    /// The port in a server's first line.
    fn port(&self) -> run::Result<u16> {
        let said = self.said();
        let line = said.first().map_or("", String::as_str);
        let port = line.rsplit(':').next().and_then(|port| port.trim_end_matches('/').parse().ok());
        port.ok_or_else(|| Failure::new(format!("the server's first line is {line:?}")))
    }

    /// As `kill -9` does.
    fn kill(&mut self) {
        // Both fail when it has ended, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Output {
    fn lock(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_message_is_taken_apart() {
        let line = Line::of("#12 파이썬: a: b").map(|line| (line.m, line.by, line.text));
        assert_eq!(line, Some((12, "파이썬", "a: b")));
        assert!(Line::of("#12 edit by 파이썬: b").is_none());
        assert!(Line::of("not loaded").is_none());
    }

    #[test]
    fn the_first_difference_is_told() {
        let lines = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert!(alike("x", &lines("a b"), &lines("a b")).is_ok());
        let told = |found: &str, expected: &str| {
            alike("x", &lines(found), &lines(expected)).err().map(|failure| failure.to_string())
        };
        assert_eq!(told("a b b", "a b c").as_deref(), Some("x: number 3 is b, not c"));
        assert_eq!(told("a", "a b").as_deref(), Some("x: number 2 is missing, not b"));
        assert_eq!(told("a b", "a").as_deref(), Some("x: number 2 is b, not the end"));
    }
}
