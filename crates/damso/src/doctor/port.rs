//! The port: free, or who answers there. And one HTTP question, as this folder's files ask it.

use super::{Finding, say};
use crate::lang::Lang;
use crate::process::Failure;
use crate::tls::NOT_PLAIN;
use damso_client::wire::Wire;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

/// How long a connection or an answer may take.
pub const ANSWER_MAX: Duration = Duration::from_secs(5);
/// The longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 256 * 1024;

/// An HTTP answer.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    /// The body's first line: it goes into a sentence.
    pub fn sentence(&self) -> &str {
        self.body.lines().next().unwrap_or_default()
    }
}

pub fn look(listen: &[String], lang: Lang) -> Vec<Finding> {
    let default = [crate::listen::DEFAULT.to_owned()];
    let places = if listen.is_empty() { &default[..] } else { listen };
    places.iter().map(|place| one(place, lang)).collect()
}

fn one(place: &str, lang: Lang) -> Finding {
    let what = "port";
    let address = match crate::listen::listen(&[place.to_owned()], false, false) {
        Ok(_) => {
            return Finding::ok(what, say!(lang, "{place} is free", "{place}은(는) 비어 있습니다"));
        }
        Err(Failure { sentence, code: 2 }) => {
            return Finding::bad(what, sentence, mend(lang));
        }
        Err(Failure { sentence, .. }) => {
            match place.to_socket_addrs().ok().and_then(|mut at| at.next()) {
                Some(address) if TcpStream::connect_timeout(&address, ANSWER_MAX).is_ok() => {
                    address
                }
                _ => return Finding::bad(what, sentence, mend(lang)),
            }
        }
    };
    let asked = get(address, None, &address.to_string(), "/healthz");
    match asked {
        Ok(answer) if answer.body.trim_end() == "ok" => Finding::ok(
            what,
            say!(lang, "a damso answers on {place}", "{place}에서 담소가 답합니다"),
        ),
        Ok(answer) if answer.status == 400 && answer.sentence() == NOT_PLAIN => Finding::ok(
            what,
            say!(
                lang,
                "a damso answers on {place}, by https",
                "{place}에서 담소가 https로 답합니다"
            ),
        ),
        Ok(answer) if answer.status == 503 => {
            let said = answer.sentence();
            let found = say!(
                lang,
                "a damso on {place} says that it isn't well: {said}",
                "{place}의 담소에 문제가 있습니다: {said}"
            );
            let mend = say!(lang, "look at its log, and restart it", "로그를 보고 다시 시작하세요");
            Finding::bad(what, found, mend)
        }
        _ => {
            let found = say!(
                lang,
                "something that is no damso has {place}",
                "{place}을(를) 담소가 아닌 것이 쓰고 있습니다"
            );
            Finding::bad(what, found, mend(lang))
        }
    }
}

fn mend(lang: Lang) -> String {
    say!(
        lang,
        "stop what has it, or choose another port with --listen",
        "그것을 끄거나 --listen으로 다른 포트를 고르세요"
    )
}

/// Asks for a page on a connection of its own, by TLS if the server has a name there.
pub fn get(
    address: SocketAddr,
    tls_name: Option<&str>,
    host: &str,
    target: &str,
) -> io::Result<Answer> {
    let mut wire = Wire::connect(address, tls_name, Instant::now() + ANSWER_MAX)?;
    let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    wire.write_all(request.as_bytes())?;
    read_answer(&mut wire, Vec::new())
}

/// Reads an answer of which something may have come already, to its end.
pub fn read_answer(wire: &mut Wire, mut bytes: Vec<u8>) -> io::Result<Answer> {
    let by = Instant::now() + ANSWER_MAX;
    let answer = loop {
        let text = String::from_utf8_lossy(&bytes);
        let answer = parse(&text);
        if let Some(answer) = &answer
            && is_whole(answer)
        {
            break Some(Answer { body: answer.body.clone(), head: answer.head.clone(), ..*answer });
        }
        let left = by.saturating_duration_since(Instant::now());
        if left.is_zero() || bytes.len() as u64 > ANSWER_BYTES_MAX {
            break answer;
        }
        wire.socket().set_read_timeout(Some(left))?;
        let mut buffer = [0; 4096];
        match wire.read(&mut buffer) {
            Ok(0) => break answer,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            Err(error) if answer.is_none() => return Err(error),
            Err(_) => break answer,
        }
    };
    // Not InvalidData: by that a wrong certificate is told.
    answer.ok_or_else(|| io::Error::other("the answer is no HTTP"))
}

fn parse(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()?;
    Some(Answer { status, head: head.to_owned(), body: body.to_owned() })
}

/// Whether all of its body is there, if it says how long that is.
fn is_whole(answer: &Answer) -> bool {
    let length = answer.head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    length.is_some_and(|length| answer.body.len() >= length)
}
