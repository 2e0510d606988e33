//! `damso send`: one message from a shell. It ends well only if the message is durable.
//!
//! Who sends is a guest whose key is kept between calls, in the user's configuration folder.

use crate::args::SendArgs;
use crate::process::Failure;
use damso_client::driver::{self, Session};
use damso_client::{Client, Config, Link, Notice};
use damso_protocol::RoomId;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The longest text that is read from stdin, in bytes; what a message may have is the server's to
/// say.
const STDIN_BYTES_MAX: u64 = 1 << 20;

/// Sends a message, and waits until it is durable.
///
/// # Errors
/// Why it isn't known to be.
pub fn run(args: &SendArgs) -> Result<(), Failure> {
    let text = match args.text.as_deref() {
        Some("-") | None => read_stdin()?,
        Some(text) => text.to_owned(),
    };
    if text.is_empty() {
        return Err(Failure::usage("there is nothing to send"));
    }
    let config = Config {
        key: Some(own_key()?),
        name: Some(args.name.clone().unwrap_or_else(user_name).into()),
        agent: concat!("damso send ", env!("CARGO_PKG_VERSION")).into(),
        ..Config::default()
    };
    let mut session = Session::new(&args.url, config)
        .map_err(|error| Failure::usage(format!("--url {:?}: {error}", args.url)))?;
    let by = Instant::now() + Duration::from_secs(args.wait);
    let room = enter(&mut session, &args.room, by)?;
    let nonce = driver::nonce();
    session
        .act(|client, now| client.send(room, nonce.clone(), text.as_str(), None, now))
        .map_err(|refused| Failure::other(format!("not sent: {refused}")))?;
    let left = by.saturating_duration_since(Instant::now());
    let sent = session.run_until(left, |client| client.outbox().is_empty());
    while let Some(notice) = session.notice() {
        match notice {
            Notice::Acked { nonce: acked, .. } if acked == nonce => return Ok(()),
            Notice::Refused { msg, .. } => return Err(not_sent(&msg)),
            _ => {}
        }
    }
    Err(if sent {
        Failure::other("not sent: the server gave the message back")
    } else {
        unknown(&session, "it isn't known whether the message was stored")
    })
}

/// What the server says about it, which may begin with these words already.
fn not_sent(msg: &str) -> Failure {
    Failure::other(format!("not sent: {}", msg.trim_start_matches("not sent: ")))
}

/// Waits until the server knows us, and finds the room by its id or name.
fn enter(session: &mut Session, wanted: &str, by: Instant) -> Result<RoomId, Failure> {
    while session.client().list().is_empty() {
        if Instant::now() >= by || matches!(session.client().link(), Link::Stopped(_)) {
            return Err(unknown(session, "not sent"));
        }
        session.step(by);
        while let Some(notice) = session.notice() {
            match notice {
                Notice::NameTaken { suggest: Some(free) } => {
                    session.act(|client, now| client.rename(free, now));
                }
                Notice::HelloRefused { msg, .. } => {
                    return Err(not_sent(&msg));
                }
                _ => {}
            }
        }
    }
    let found = find(session.client(), wanted);
    found.ok_or_else(|| Failure::other(format!("not sent: you are in no room {wanted:?}")))
}

fn find(client: &Client, wanted: &str) -> Option<RoomId> {
    let id = RoomId::new(wanted);
    if client.list().contains_key(&id) {
        return Some(id);
    }
    let named = |name: Option<&Arc<str>>| name.is_some_and(|name| **name == *wanted);
    let mut found = client.list().iter().filter(|(_, entry)| named(entry.name.as_ref()));
    Some(found.next()?.0.clone())
}

fn unknown(session: &Session, what: &str) -> Failure {
    Failure::other(match session.failure() {
        Some(error) => format!("{what}: {error}"),
        None => format!("{what}: the server didn't answer in time"),
    })
}

fn read_stdin() -> Result<String, Failure> {
    let mut text = String::new();
    io::stdin()
        .lock()
        .take(STDIN_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(|error| Failure::other(format!("stdin can't be read: {error}")))?;
    text.truncate(text.trim_end_matches(['\r', '\n']).len());
    Ok(text)
}

fn user_name() -> String {
    let user = std::env::var("USER").ok().filter(|user| !user.is_empty());
    user.unwrap_or_else(|| "script".into())
}

/// The key by which this user is known, made with the first call.
fn own_key() -> Result<Arc<str>, Failure> {
    let path = key_path().ok_or_else(|| {
        Failure::other("there is no folder for the key: HOME isn't set".to_owned())
    })?;
    read_or_make_key(&path)
        .map_err(|error| Failure::other(format!("the key {}: {error}", path.display())))
}

fn key_path() -> Option<PathBuf> {
    let folder =
        |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let config = folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config")))?;
    Some(config.join("damso").join("key"))
}

fn read_or_make_key(path: &Path) -> io::Result<Arc<str>> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(mut file) => {
            let key = driver::key();
            file.write_all(format!("{key}\n").as_bytes())?;
            Ok(key)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let key = fs::read_to_string(path)?;
            if key.trim().is_empty() {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the file is empty"));
            }
            Ok(key.trim().into())
        }
        Err(error) => Err(error),
    }
}
