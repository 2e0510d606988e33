//! Our client role under Autobahn's fuzzingserver: `autobahn_client --url ws://HOST:PORT --agent NAME`
//! asks how many cases there are, and echoes each one's messages.

use damso_websocket::{ClientHandshake, Config, Connection, Event, Status, deflate};
use std::error::Error;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A message of the other side.
enum Message {
    Text(String),
    Binary(Vec<u8>),
}

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().collect();
    let value = |flag: &str| {
        let at = words.iter().position(|word| word == flag)?;
        words.get(at + 1).map(String::as_str)
    };
    let (Some(url), Some(agent)) = (value("--url"), value("--agent")) else {
        return Err("usage: autobahn_client --url ws://HOST:PORT --agent NAME".into());
    };
    let host = url.strip_prefix("ws://").ok_or("the URL begins with ws://")?.trim_end_matches('/');
    let mut count = 0_u32;
    talk(host, "/getCaseCount", |message| {
        if let Message::Text(text) = message {
            count = text.parse().unwrap_or_default();
        }
        None
    })?;
    for case in 1..=count {
        let target = format!("/runCase?case={case}&agent={agent}");
        // A case may end in any way; the other side judges it.
        if let Err(error) = talk(host, &target, Some) {
            eprintln!("case {case}: {error}");
        }
    }
    println!("{count} cases were run");
    Ok(())
}

/// Opens a connection and answers its messages until it is closed.
fn talk(
    host: &str,
    target: &str,
    mut answer: impl FnMut(Message) -> Option<Message>,
) -> Result<(), Box<dyn Error>> {
    let mut socket = TcpStream::connect(host)?;
    socket.set_nodelay(true)?;
    let mut nonce = [0; 16];
    let mut random = File::open("/dev/urandom")?;
    random.read_exact(&mut nonce)?;
    let offer = Some(deflate::Offer::default());
    let handshake = ClientHandshake::new(host, target, nonce, &[], offer, None)
        .map_err(|error| format!("{error:?}"))?;
    socket.write_all(&handshake.request())?;
    let mut buffer = vec![0; 64 * 1024];
    let mut head = Vec::new();
    let (established, used) = loop {
        let count = socket.read(&mut buffer)?;
        if count == 0 {
            return Err("the connection ended in the opening handshake".into());
        }
        head.extend_from_slice(&buffer[..count]);
        if let Some(found) = handshake.receive(&head).map_err(|error| format!("{error:?}"))? {
            break found;
        }
    };
    let mut config = Config::default();
    config.limits.frame_bytes = 64 << 20;
    config.limits.message_bytes = 64 << 20;
    let keys = Box::new(move || {
        let mut key = [0; 4];
        // The system's random numbers don't run out.
        random.read_exact(&mut key).map(|()| key).unwrap_or_default()
    });
    let now = Instant::now();
    let mut connection = Connection::client(Arc::new(config), established.deflate, keys, now, 0);
    let mut rest = head.split_off(used);
    loop {
        let mut input = connection.receive(&mut rest, Instant::now());
        while let Some(event) = input.next() {
            let message = match event {
                Event::Text(text) => Message::Text(text.to_owned()),
                Event::Binary(bytes) => Message::Binary(bytes.to_vec()),
                _ => continue,
            };
            // An answer is refused only if the connection is closing.
            let _ = match answer(message) {
                Some(Message::Text(text)) => input.connection().send_text(&text),
                Some(Message::Binary(bytes)) => input.connection().send_binary(&bytes),
                None => Ok(()),
            };
        }
        while !connection.output().is_empty() {
            match socket.write(connection.output()) {
                Ok(count) => connection.sent(count),
                // The other side may be gone already; what it sent before can still be read.
                Err(_) => connection.sent(connection.output().len()),
            }
        }
        match connection.status() {
            Status::Closed => return Ok(()),
            Status::ShutDown => {
                let _ = socket.shutdown(Shutdown::Write);
            }
            Status::Open | Status::Closing => {}
        }
        let now = Instant::now();
        let left = connection.timeout().map(|due| due.saturating_duration_since(now));
        socket
            .set_read_timeout(Some(left.unwrap_or(Duration::MAX).max(Duration::from_millis(1))))?;
        match socket.read(&mut buffer) {
            Ok(0) => {
                connection.receive_eof(Instant::now());
                rest = Vec::new();
            }
            Ok(count) => rest = buffer[..count].to_vec(),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                connection.handle_timeout(Instant::now());
                rest = Vec::new();
            }
            // A reset is an end like another: the other side judges what came before it.
            Err(_) => {
                connection.receive_eof(Instant::now());
                rest = Vec::new();
            }
        }
    }
}
