//! damso with a data folder, on a port that stays the same: started, killed, started again.

use crate::peer::{Peer, Running};
use crate::random::Random;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// What a load may do that a person may not.
pub const LIFTED: [&str; 4] = [
    "limits.send_per_second=0",
    "limits.commands_per_second=0",
    "limits.guests_per_address=0",
    "limits.connections_per_user=0",
];

/// For an answer over HTTP.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// How damso is started.
#[derive(Clone, Debug)]
pub struct Server {
    pub peer: Peer,
    pub data: PathBuf,
    pub address: SocketAddr,
    pub settings: Vec<String>,
}

impl Server {
    /// With a data folder and a port of its own.
    pub fn new(damso: Option<&str>, data: &Path, random: &mut Random) -> Result<Self, String> {
        Ok(Self {
            peer: Peer::damso(damso)?,
            data: data.to_owned(),
            address: free_address(random)?,
            settings: LIFTED.map(String::from).into(),
        })
    }

    /// Starts it on one of both engines, and waits until it can be reached.
    pub fn start(&self, engine: &str, core: Option<usize>) -> Result<Running, String> {
        self.peer.with(self.words(engine)).start(core)
    }

    /// Starts it, and waits for nothing.
    pub fn process(&self) -> Result<Child, String> {
        let mut command = self.peer.command();
        command.args(self.words("event"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().map_err(|error| format!("damso can't start: {error}"))
    }

    fn words(&self, engine: &str) -> Vec<String> {
        let mut words = vec!["serve".to_owned(), "--data".into()];
        words.push(self.data.to_string_lossy().into_owned());
        words.extend(["--listen".into(), self.address.to_string(), "--no-console".into()]);
        words.extend(["--engine".into(), engine.into()]);
        for setting in &self.settings {
            words.extend(["--set".into(), setting.clone()]);
        }
        words
    }
}

/// A port that no connection going out gets by chance, which would then be connected to itself
/// while the server is down.
fn free_address(random: &mut Random) -> Result<SocketAddr, String> {
    for _ in 0..100 {
        let address = SocketAddr::from(([127, 0, 0, 1], random.between(20_000, 30_000) as u16));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    Err("no port from 20000 to 30000 is free".into())
}

/// A folder of this run, in the system's folder for such things; gone when dropped.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Result<Self, String> {
        Self::within(&std::env::temp_dir(), name)
    }

    /// In a folder that was named.
    pub fn within(folder: &Path, name: &str) -> Result<Self, String> {
        let path = folder.join(format!("damso-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Leaves it there, for somebody to look at.
    pub fn keep(self) -> PathBuf {
        let path = self.0.clone();
        std::mem::forget(self);
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // It is in the folder that the system empties.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Makes a room, and gives its id.
pub fn make_room(
    address: SocketAddr,
    key: &str,
    name: &str,
    members: &[String],
) -> Result<damso_protocol::RoomId, String> {
    Keeper::connect(address)?.make_room(key, name, members)
}

/// How many a room may be made with, besides its maker.
pub const FOUNDERS_MAX: usize = 99;
/// Requests sent before the first answer is read.
const PIPELINED_MAX: usize = 64;

/// One connection for many requests about rooms.
pub struct Keeper {
    address: SocketAddr,
    stream: BufReader<TcpStream>,
}

impl Keeper {
    pub fn connect(address: SocketAddr) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("{address}: {error}");
        let socket = TcpStream::connect(address).map_err(failed)?;
        socket.set_read_timeout(Some(ANSWER_MAX)).map_err(failed)?;
        socket.set_nodelay(true).map_err(failed)?;
        Ok(Self { address, stream: BufReader::new(socket) })
    }

    /// Makes a public room with some members, and gives its id.
    pub fn make_room(
        &mut self,
        key: &str,
        name: &str,
        members: &[String],
    ) -> Result<damso_protocol::RoomId, String> {
        let room = serde_json::json!({"kind": "public", "name": name, "members": members});
        self.ask("POST", "/api/v1/rooms", key, &room.to_string())?;
        let (status, answer) = self.answer()?;
        let id = serde_json::from_str::<serde_json::Value>(&answer).ok();
        let id = id.as_ref().and_then(|answer| answer.get("id")?.as_str());
        match (status, id) {
            (201, Some(id)) => Ok(damso_protocol::RoomId::new(id)),
            _ => Err(format!("the room {name} can't be made: {status} {answer}")),
        }
    }

    /// Brings users into a room, one request for each.
    pub fn invite(&mut self, key: &str, room: &str, users: &[String]) -> Result<(), String> {
        for users in users.chunks(PIPELINED_MAX) {
            for user in users {
                self.ask("PUT", &format!("/api/v1/rooms/{room}/members/{user}"), key, "")?;
            }
            for user in users {
                match self.answer()? {
                    (200..=299, _) => {}
                    (status, why) => {
                        return Err(format!("{user} can't come into {room}: {status} {why}"));
                    }
                }
            }
        }
        Ok(())
    }

    fn ask(&mut self, method: &str, path: &str, key: &str, body: &str) -> Result<(), String> {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {key}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        let sent = self.stream.get_mut().write_all(request.as_bytes());
        sent.map_err(|error| format!("{method} {path}: {error}"))
    }

    fn answer(&mut self) -> Result<(u16, String), String> {
        let failed = |error: std::io::Error| format!("no answer over HTTP: {error}");
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.stream.read_line(&mut head).map_err(failed)? == 0 {
                return Err(format!("the answer over HTTP ends in {head:?}"));
            }
        }
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| format!("no answer over HTTP: {head:?}"))?;
        let length = crate::wire::field(&head, "content-length").and_then(|text| text.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        self.stream.read_exact(&mut body).map_err(failed)?;
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }
}

/// Waits for `is_done`, for at most `longest`. Whether it is done.
pub fn wait_until(longest: Duration, mut is_done: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + longest;
    while !is_done() {
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}
