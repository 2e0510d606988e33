//! The operator's console: stdin, as in the tutorial. A peer like others, with a session and no
//! socket: what is typed goes to the hub, and what the hub has for it is printed.

use super::table::{self, Order, Unread};
use super::{LINE_BYTES_MAX, text};
use crate::feed::Published;
use crate::hub::HubHandle;
use crate::lang::Lang;
use crate::logs;
use crate::process;
use crate::shard::{ShardHandle, ToShard};
use damso_chat::Event;
use damso_chat::hub::{Answer, Input, Request, SessionId, Who};
use damso_protocol::{RoomId, plain};
use std::io::{BufRead, IsTerminal};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

/// What the console calls all it asks for: it wants to hear that it was done.
const ID: u64 = 1;
/// What may wait to be printed before more of it is dropped.
const PRINTS_MAX: usize = 4096;

/// The console's thread of input and its thread of output.
pub struct Console;

impl Console {
    /// Starts the console as the shard number `shard`, whose one session it is.
    pub fn start(shard: u16, lang: Lang, hub: HubHandle, stop: mpsc::Sender<()>) -> ShardHandle {
        let session = SessionId { shard, slot: 0, generation: 0 };
        let mut inputs = vec![Input::Hello { session, who: Who::Operator }];
        let shows = std::io::stdin().is_terminal();
        if shows {
            let request = Request::Listen { room: RoomId::lobby() };
            inputs.push(Input::Request { session, id: 0, request });
        }
        hub.give(inputs);
        let (print, prints) = mpsc::sync_channel::<String>(PRINTS_MAX);
        // Printing may block; the hub may not.
        start_thread("console-out", move || {
            for line in prints {
                // Names and topics are other people's.
                process::print(&logs::escaped_lines(&line));
            }
        });
        let answer = print.clone();
        let spoken = Arc::new(Spoken(AtomicBool::new(lang == Lang::Ko)));
        let lang = spoken.clone();
        start_thread("console", move || read_lines(session, &lang, &hub, &stop, &answer));
        ShardHandle::new(move |batch| {
            let lang = spoken.lang();
            let lines = batch.iter().filter_map(|message| show(message, lang, shows));
            for line in lines {
                // A terminal that is held up misses lines; nobody else does.
                let _ = print.try_send(line);
            }
        })
    }
}

/// The language of the answers: whether it is Korean.
struct Spoken(AtomicBool);

impl Spoken {
    fn lang(&self) -> Lang {
        if self.0.load(Ordering::Relaxed) { Lang::Ko } else { Lang::En }
    }
}

/// What is printed once at the start, after the addresses; `store` says what is kept where.
pub fn greeting(lang: Lang, store: &str, console: bool, lan_url: Option<&str>) -> String {
    let mut text = String::new();
    if let Some(url) = lan_url {
        text.push_str(&qr(url));
    }
    text.push_str(store);
    text.push('\n');
    if console {
        text.push_str(match lang {
            Lang::En => "type a line to speak as Administrator; /help shows the commands\n",
            Lang::Ko => "한 줄을 입력하면 Administrator로 말합니다. /help로 명령을 봅니다\n",
        });
    }
    text.push_str(match lang {
        Lang::En => "Ctrl-C stops\n",
        Lang::Ko => "Ctrl-C를 누르면 종료합니다\n",
    });
    text
}

/// A QR code of half blocks, dark on light, so that cameras read it from dark terminals too.
fn qr(url: &str) -> String {
    use qrcode::render::unicode::Dense1x2;
    match qrcode::QrCode::new(url) {
        Ok(code) => {
            let picture = code
                .render::<Dense1x2>()
                .dark_color(Dense1x2::Light)
                .light_color(Dense1x2::Dark)
                .build();
            format!("{picture}\n{url}\n")
        }
        // Longer than a QR code can be, which no address is.
        Err(_) => String::new(),
    }
}

fn start_thread(name: &str, work: impl FnOnce() + Send + 'static) {
    if let Err(error) = thread::Builder::new().name(name.into()).spawn(work) {
        tracing::warn!(%error, "the console can't start");
    }
}

fn read_lines(
    session: SessionId,
    spoken: &Spoken,
    hub: &HubHandle,
    stop: &mpsc::Sender<()>,
    print: &mpsc::SyncSender<String>,
) {
    let mut stdin = std::io::stdin().lock();
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        let lang = spoken.lang();
        let mut line = std::io::Read::take(&mut stdin, LINE_BYTES_MAX);
        match line.read_until(b'\n', &mut bytes) {
            // The end of the input ends the console only.
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if bytes.len() as u64 == LINE_BYTES_MAX && bytes.last() != Some(&b'\n') {
            skip_line(&mut stdin);
            let _ = print.send(text::too_long(lang) + "\n");
            continue;
        }
        match table::read_line(&bytes, spoken.lang()) {
            Ok(None) => {}
            Ok(Some(Order::Ask(request))) => {
                hub.give(vec![Input::Request { session, id: ID, request }]);
            }
            Ok(Some(Order::Help)) => {
                let _ = print.send(table::help(lang));
            }
            Ok(Some(Order::Speak(lang))) => {
                spoken.0.store(lang == Lang::Ko, Ordering::Relaxed);
                let _ = print.send(text::speaks(lang).into());
            }
            Ok(Some(Order::Quit)) => {
                let _ = stop.send(());
            }
            Err(Unread::Unknown(complaint) | Unread::Usage(complaint)) => {
                let _ = print.send(complaint + "\n");
            }
        }
    }
}

/// Reads on to the end of a line, and drops it.
pub(super) fn skip_line(stdin: &mut impl BufRead) {
    loop {
        let Ok(buffered) = stdin.fill_buf() else { return };
        if buffered.is_empty() {
            return;
        }
        let end = buffered.iter().position(|&byte| byte == b'\n');
        let used = end.map_or(buffered.len(), |end| end + 1);
        stdin.consume(used);
        if end.is_some() {
            return;
        }
    }
}

/// The line that a message from the hub makes on the console.
fn show(message: &ToShard, lang: Lang, shows: bool) -> Option<String> {
    match message {
        ToShard::Deliver(published) if shows => show_event(published),
        ToShard::Answer(_, _, Answer::Arrived(_) | Answer::Left(_)) if !shows => None,
        ToShard::Answer(_, _, answer) => Some(match text::answer(answer, lang) {
            Ok(lines) => lines,
            Err(complaint) => complaint + "\n",
        }),
        _ => None,
    }
}

fn show_event(published: &Published) -> Option<String> {
    match published.event() {
        // The operator's own lines stand on the terminal already, as typed.
        Event::Message(message) if *message.name != *plain::ADMINISTRATOR => {
            Some(plain::line(&message.name, message.text.as_deref()?) + "\n")
        }
        _ => None,
    }
}
