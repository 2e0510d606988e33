//! damso with a data folder, on a port that stays the same: started, killed, started again.

use crate::peer::{Peer, Running};
use crate::random::Random;
use std::io::{Read, Write};
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

/// One request over HTTP: the status and the body of the answer.
pub fn http(
    address: SocketAddr,
    method: &str,
    path: &str,
    key: &str,
    body: &str,
) -> Result<(u16, String), String> {
    let failed = |error: std::io::Error| format!("{method} {path}: {error}");
    let mut socket = TcpStream::connect(address).map_err(failed)?;
    socket.set_read_timeout(Some(ANSWER_MAX)).map_err(failed)?;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(request.as_bytes()).map_err(failed)?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).map_err(failed)?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| format!("{method} {path}: no answer ({answer:?})"))?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok((status, body.to_owned()))
}

/// Makes a room, and gives its id.
pub fn make_room(
    address: SocketAddr,
    key: &str,
    name: &str,
    members: &[String],
) -> Result<damso_protocol::RoomId, String> {
    let body = serde_json::json!({"kind": "public", "name": name, "members": members}).to_string();
    let (status, answer) = http(address, "POST", "/api/v1/rooms", key, &body)?;
    let id = serde_json::from_str::<serde_json::Value>(&answer).ok();
    let id = id.as_ref().and_then(|answer| answer.get("id")?.as_str());
    match (status, id) {
        (201, Some(id)) => Ok(damso_protocol::RoomId::new(id)),
        _ => Err(format!("the room {name} can't be made: {status} {answer}")),
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
