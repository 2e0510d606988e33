//! The data folder's socket, `control.sock`: the operator's commands for scripts and for `damso
//! room` and `damso user`. Who may open it holds the folder: it is its owner's alone.
//!
//! A line in is a line of the table. Lines out begin with a space each; after them comes the end,
//! which doesn't: `ok`, `error: SENTENCE`, or `usage: SENTENCE`. Then the next line is read.
//!
//! Each connection has a thread and a session of a shard of its own, as HTTP's requests have.

use super::table::{self, Order, Unread};
use super::{LINE_BYTES_MAX, console, text};
use crate::hub::HubHandle;
use crate::lang::Lang;
use crate::shard::{ShardHandle, ToShard};
use damso_chat::hub::{Answer, Input, Request, SessionId, Who};
use std::collections::HashMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;
use tracing::warn;

/// The socket's name in the data folder.
pub const SOCKET: &str = "control.sock";

/// So many may be connected at a time.
const CONNECTIONS_MAX: usize = 16;
/// How many may wait to be accepted.
const WAITING_MAX: i32 = 16;
/// How long a connection may say nothing, and how long it may leave its answer unread.
const SILENT_MAX: Duration = Duration::from_secs(60);
const UNREAD_MAX: Duration = Duration::from_secs(10);
/// How long a command waits for the hub, which a full disk can hold up.
const ANSWER_MAX: Duration = Duration::from_secs(600);
/// How long nobody is accepted after the system refused to.
const PAUSE: Duration = Duration::from_millis(100);

/// The socket, until it is dropped.
pub struct Control {
    path: PathBuf,
}

/// What all connections have in common.
struct Shared {
    shard: u16,
    lang: Lang,
    hub: HubHandle,
    stop: mpsc::Sender<()>,
    /// Who waits for an answer, by slot.
    waiting: Mutex<HashMap<u32, mpsc::Sender<(u64, Answer)>>>,
    next: AtomicU32,
    live: AtomicUsize,
}

impl Control {
    /// Makes the socket in `folder`, which this process holds, and answers there as the shard
    /// number `shard`. One that a killed server left behind is replaced.
    ///
    /// # Errors
    /// The socket can't be made, as in a folder whose path is longer than a socket's may be.
    pub fn start(
        folder: &Path,
        shard: u16,
        lang: Lang,
        hub: HubHandle,
        stop: mpsc::Sender<()>,
    ) -> io::Result<(Self, ShardHandle)> {
        let path = folder.join(SOCKET);
        let listener = listen(&path)?;
        let control = Self { path };
        let shared = Arc::new(Shared {
            shard,
            lang,
            hub,
            stop,
            waiting: Mutex::default(),
            next: AtomicU32::new(0),
            live: AtomicUsize::new(0),
        });
        let here = shared.clone();
        thread::Builder::new().name("control".into()).spawn(move || accept(&listener, &shared))?;
        Ok((control, ShardHandle::new(move |batch| here.take(batch))))
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // Whoever takes the folder next replaces it.
        let _ = fs::remove_file(&self.path);
    }
}

/// Nobody can connect before the socket is its owner's alone.
fn listen(path: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
    socket.bind(&socket2::SockAddr::unix(path)?)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    socket.listen(WAITING_MAX)?;
    Ok(socket.into())
}

fn accept(listener: &UnixListener, shared: &Arc<Shared>) {
    loop {
        let mut stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) => {
                warn!(%error, "the control socket can't accept");
                thread::sleep(PAUSE);
                continue;
            }
        };
        if shared.live.fetch_add(1, Ordering::Relaxed) >= CONNECTIONS_MAX {
            shared.live.fetch_sub(1, Ordering::Relaxed);
            let complaint = match shared.lang {
                Lang::En => "error: too many commands at a time, try again\n",
                Lang::Ko => "error: 한꺼번에 온 명령이 너무 많습니다. 다시 해 보세요\n",
            };
            // It is told if it takes it at once.
            let _ = stream.set_nonblocking(true);
            let _ = stream.write_all(complaint.as_bytes());
            continue;
        }
        let theirs = shared.clone();
        let started = thread::Builder::new().name("control-peer".into()).spawn(move || {
            // Whatever went wrong, the other end sees that the connection is over.
            let _ = serve(&stream, &theirs);
            theirs.live.fetch_sub(1, Ordering::Relaxed);
        });
        if started.is_err() {
            shared.live.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Answers the lines of one connection, in order.
fn serve(stream: &UnixStream, shared: &Shared) -> io::Result<()> {
    stream.set_read_timeout(Some(SILENT_MAX))?;
    stream.set_write_timeout(Some(UNREAD_MAX))?;
    let (mut reader, mut writer) = (BufReader::new(stream), stream);
    let mut seat = Seat::take(shared);
    let (mut lang, mut bytes) = (shared.lang, Vec::new());
    loop {
        bytes.clear();
        if reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes)? == 0 {
            return Ok(());
        }
        if bytes.len() as u64 == LINE_BYTES_MAX && bytes.last() != Some(&b'\n') {
            console::skip_line(&mut reader);
            end(&mut writer, "", &format!("error: {}", text::too_long(lang)))?;
            continue;
        }
        match table::read_line(&bytes, lang) {
            Ok(None) => end(&mut writer, "", "ok")?,
            Ok(Some(Order::Help)) => end(&mut writer, &table::help(lang), "ok")?,
            Ok(Some(Order::Speak(spoken))) => {
                lang = spoken;
                end(&mut writer, "", "ok")?;
            }
            Ok(Some(Order::Quit)) => {
                // It may be gone before it is told.
                end(&mut writer, "", "ok")?;
                let _ = shared.stop.send(());
            }
            Ok(Some(Order::Ask(request))) => match text::answer(&seat.ask(request)?, lang) {
                Ok(lines) => end(&mut writer, &lines, "ok")?,
                Err(complaint) => end(&mut writer, "", &format!("error: {complaint}"))?,
            },
            Err(Unread::Unknown(complaint) | Unread::Usage(complaint)) => {
                end(&mut writer, "", &format!("usage: {complaint}"))?;
            }
        }
    }
}

/// Writes an answer's lines and its end, in one piece.
fn end(writer: &mut impl Write, lines: &str, end: &str) -> io::Result<()> {
    let mut text: String = lines.lines().map(|line| format!(" {line}\n")).collect();
    text.push_str(end);
    text.push('\n');
    writer.write_all(text.as_bytes())
}

/// A connection's session with the hub.
struct Seat<'a> {
    shared: &'a Shared,
    session: SessionId,
    answers: mpsc::Receiver<(u64, Answer)>,
    asked: u64,
}

impl<'a> Seat<'a> {
    fn take(shared: &'a Shared) -> Self {
        let slot = shared.next.fetch_add(1, Ordering::Relaxed);
        let session = SessionId { shard: shared.shard, slot, generation: 0 };
        let (sender, answers) = mpsc::channel();
        shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(slot, sender);
        shared.hub.give(vec![Input::Hello { session, who: Who::Operator }]);
        Self { shared, session, answers, asked: 0 }
    }

    /// Asks the hub and waits for its answer.
    fn ask(&mut self, request: Request) -> io::Result<Answer> {
        self.asked += 1;
        let (session, id) = (self.session, self.asked);
        self.shared.hub.give(vec![Input::Request { session, id, request }]);
        loop {
            // One that is given up ends the connection: nobody takes a late answer for another's.
            let (of, answer) = self
                .answers
                .recv_timeout(ANSWER_MAX)
                .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?;
            if of == id {
                return Ok(answer);
            }
        }
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut waiting = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.remove(&self.session.slot);
        drop(waiting);
        self.shared.hub.give(vec![Input::Gone { session: self.session }]);
    }
}

impl Shared {
    /// Takes in what the hub has for the connections: answers, and not who comes and goes.
    fn take(&self, batch: Vec<ToShard>) {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for message in batch {
            let (session, told) = match message {
                ToShard::Answer(session, id, answer) if id != 0 => (session, (id, answer)),
                _ => continue,
            };
            if let Some(sender) = waiting.get(&session.slot) {
                // Who asked may have gone.
                let _ = sender.send(told);
            }
        }
    }
}
