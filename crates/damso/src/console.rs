//! The operator's console: stdin, as in the tutorial. A peer like others, with a session and no
//! socket: what is typed goes to the hub, and what the hub has for it is printed.
//!
//! A line goes to the lobby as `Administrator :: line`; one that begins with `/` is a command of
//! the table below, and `//x` says `/x`.

use crate::feed::Published;
use crate::hub::HubHandle;
use crate::lang::Lang;
use crate::process;
use crate::shard::{ShardHandle, ToShard};
use damso_chat::hub::{Answer, Input, Request, SessionId, Who, Whom};
use damso_chat::{Event, Role, Target};
use damso_protocol::{RoomId, plain};
use std::io::{BufRead, IsTerminal};
use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc;
use std::thread;

/// The longest line that is read, in bytes; the message limit is checked by the hub.
const LINE_BYTES_MAX: u64 = 64 * 1024;
/// What may wait to be printed before more of it is dropped.
const PRINTS_MAX: usize = 4096;

/// One of the console's commands.
struct Command {
    name: &'static str,
    arguments: &'static str,
    /// Who may give it. All of them are the operator's for now, who is the only one to be here.
    right: Role,
    help: (&'static str, &'static str),
    read: fn(&str) -> Option<Order>,
}

/// What a line asks for.
#[derive(PartialEq, Eq, Debug)]
enum Order {
    Ask(Request),
    Help,
    Quit,
}

/// Every command: its name, arguments, right and help; `/help` is made of it.
const COMMANDS: &[Command] = &[
    Command {
        name: "help",
        arguments: "",
        right: Role::Operator,
        help: ("shows this", "도움말을 봅니다"),
        read: |_| Some(Order::Help),
    },
    Command {
        name: "who",
        arguments: "",
        right: Role::Operator,
        help: ("shows who is connected", "접속한 사람을 봅니다"),
        read: |_| Some(Order::Ask(Request::Who)),
    },
    Command {
        name: "say",
        arguments: "ROOM TEXT",
        right: Role::Operator,
        help: ("says TEXT in a room", "방에 TEXT를 말합니다"),
        read: |rest| {
            let (room, text) = rest.split_once(' ')?;
            let text = (!text.trim().is_empty()).then_some(text)?;
            Some(Order::Ask(say(RoomId::new(room), text)))
        },
    },
    Command {
        name: "kick",
        arguments: "WHO",
        right: Role::Operator,
        help: ("ends the connections of ip:port, or of an address", "연결을 끊습니다"),
        read: |rest| Some(Order::Ask(Request::Kick { whom: whom(rest)? })),
    },
    Command {
        name: "ban",
        arguments: "WHO [MINUTES]",
        right: Role::Operator,
        help: ("keeps the address of WHO out", "WHO의 주소를 차단합니다"),
        read: |rest| {
            let (who, minutes) = with_minutes(rest)?;
            // A ban of no time is none.
            let minutes = (minutes != Some(0)).then_some(minutes)?;
            Some(Order::Ask(Request::Record(damso_chat::Command::Ban {
                address: address(who)?,
                minutes,
            })))
        },
    },
    Command {
        name: "unban",
        arguments: "ADDRESS",
        right: Role::Operator,
        help: ("lets an address in again", "차단을 풉니다"),
        read: |rest| {
            Some(Order::Ask(Request::Record(damso_chat::Command::Unban {
                address: address(rest)?,
            })))
        },
    },
    Command {
        name: "mute",
        arguments: "WHO [MINUTES]",
        right: Role::Operator,
        help: (
            "lets WHO read but not write; 0 minutes lifts it",
            "WHO가 읽기만 하게 합니다. 0분이면 풉니다",
        ),
        read: |rest| {
            let (who, minutes) = with_minutes(rest)?;
            let whom = whom(who)?;
            Some(Order::Ask(match minutes {
                Some(0) => Request::Unmute { whom },
                minutes => Request::Mute { whom, minutes },
            }))
        },
    },
    Command {
        name: "stats",
        arguments: "",
        right: Role::Operator,
        help: ("shows how many are here and what was said", "접속자와 메시지 수를 봅니다"),
        read: |_| Some(Order::Ask(Request::Stats)),
    },
    Command {
        name: "quit",
        arguments: "",
        right: Role::Operator,
        help: ("stops damso", "담소를 종료합니다"),
        read: |_| Some(Order::Quit),
    },
];

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
                process::print(&line);
            }
        });
        let answer = print.clone();
        start_thread("console", move || read_lines(session, lang, &hub, &stop, &answer));
        ShardHandle::new(move |batch| {
            let lines = batch.iter().filter_map(|message| show(message, lang, shows));
            for line in lines {
                // A terminal that is held up misses lines; nobody else does.
                let _ = print.try_send(line);
            }
        })
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
    lang: Lang,
    hub: &HubHandle,
    stop: &mpsc::Sender<()>,
    print: &mpsc::SyncSender<String>,
) {
    let mut stdin = std::io::stdin().lock();
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        let mut line = std::io::Read::take(&mut stdin, LINE_BYTES_MAX);
        match line.read_until(b'\n', &mut bytes) {
            // The end of the input ends the console only.
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if bytes.len() as u64 == LINE_BYTES_MAX && bytes.last() != Some(&b'\n') {
            skip_line(&mut stdin);
            let _ = print.send(too_long(lang));
            continue;
        }
        match read_line(&bytes, lang) {
            Ok(None) => {}
            Ok(Some(Order::Ask(request))) => {
                hub.give(vec![Input::Request { session, id: 0, request }]);
            }
            Ok(Some(Order::Help)) => {
                let _ = print.send(help(lang));
            }
            Ok(Some(Order::Quit)) => {
                let _ = stop.send(());
            }
            Err(complaint) => {
                let _ = print.send(complaint);
            }
        }
    }
}

fn skip_line(stdin: &mut impl BufRead) {
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

/// What a line asks for; nothing if it is empty.
fn read_line(bytes: &[u8], lang: Lang) -> Result<Option<Order>, String> {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    let line = std::str::from_utf8(bytes).map_err(|_| not_utf8(lang))?;
    let say = |text: &str| say(RoomId::lobby(), text);
    if plain::is_blank(line) {
        return Ok(None);
    }
    let Some(command) = line.strip_prefix('/') else { return Ok(Some(Order::Ask(say(line)))) };
    if command.starts_with('/') {
        return Ok(Some(Order::Ask(say(command))));
    }
    let (name, rest) = command.split_once(' ').unwrap_or((command, ""));
    let found = COMMANDS.iter().find(|known| known.name == name && known.right <= Role::Operator);
    let Some(found) = found else { return Err(no_such(name, lang)) };
    match (found.read)(rest.trim()) {
        Some(order) => Ok(Some(order)),
        None => Err(match lang {
            Lang::En => format!("usage: /{name} {}\n", found.arguments),
            Lang::Ko => format!("사용법: /{name} {}\n", found.arguments),
        }),
    }
}

fn say(room: RoomId, text: &str) -> Request {
    Request::Say { room, nonce: None, text: text.into(), reply: None }
}

/// `ip:port` is one guest, an address is everybody from there, all else is a name.
fn whom(text: &str) -> Option<Whom> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(Whom::Address(address.to_canonical()));
    }
    if let Ok(guest) = text.parse::<SocketAddr>() {
        return Some(Whom::Name(crate::dialect::shown(guest).to_string()));
    }
    (!text.is_empty()).then(|| Whom::Name(text.to_owned()))
}

fn address(text: &str) -> Option<IpAddr> {
    let address = text.parse::<IpAddr>().ok();
    address.or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip())).map(|ip| ip.to_canonical())
}

fn with_minutes(rest: &str) -> Option<(&str, Option<u64>)> {
    // A name may have spaces, and then the last word is the number only if it is one.
    let minutes = rest.rsplit_once(' ').and_then(|(who, last)| Some((who, last.parse().ok()?)));
    Some(minutes.map_or((rest, None), |(who, minutes)| (who.trim_end(), Some(minutes))))
}

/// The line that a message from the hub makes on the console.
fn show(message: &ToShard, lang: Lang, shows: bool) -> Option<String> {
    match message {
        ToShard::Deliver(published) if shows => show_event(published),
        ToShard::Answer(_, _, answer) => show_answer(answer, lang, shows),
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

fn show_answer(answer: &Answer, lang: Lang, shows: bool) -> Option<String> {
    Some(match (answer, lang) {
        (Answer::Arrived(_) | Answer::Left(_), _) if !shows => return None,
        (Answer::Arrived(name), Lang::En) => format!("* {name} is here\n"),
        (Answer::Arrived(name), Lang::Ko) => format!("* {name} 들어옴\n"),
        (Answer::Left(name), Lang::En) => format!("* {name} has left\n"),
        (Answer::Left(name), Lang::Ko) => format!("* {name} 나감\n"),
        (Answer::Refused(refusal), lang) => format!("{}\n", lang.refusal(refusal)),
        (Answer::Kicked { connections }, Lang::En) => format!("connections ended: {connections}\n"),
        (Answer::Kicked { connections }, Lang::Ko) => format!("끊은 연결: {connections}\n"),
        (Answer::Here(names), lang) => {
            let mut text = match lang {
                Lang::En => format!("connected: {}\n", names.len()),
                Lang::Ko => format!("접속: {}\n", names.len()),
            };
            for name in names {
                text.push_str(&format!("  {name}\n"));
            }
            text
        }
        (Answer::Stats { connections, messages }, Lang::En) => {
            format!("connections: {connections}, messages in the lobby: {messages}\n")
        }
        (Answer::Stats { connections, messages }, Lang::Ko) => {
            format!("연결: {connections}, 로비 메시지: {messages}\n")
        }
        (Answer::Recorded { event, name }, lang) => show_recorded(event, name.as_deref(), lang)?,
        // The rest answers what the console doesn't ask.
        _ => return None,
    })
}

fn show_recorded(event: &Event, name: Option<&str>, lang: Lang) -> Option<String> {
    let term = |until: &Option<u64>, at: u64| match (
        until.map(|until| until.saturating_sub(at) / 60_000),
        lang,
    ) {
        (None, Lang::En) => "for good".to_owned(),
        (None, Lang::Ko) => "계속".to_owned(),
        (Some(minutes), Lang::En) => format!("for {minutes} min"),
        (Some(minutes), Lang::Ko) => format!("{minutes}분 동안"),
    };
    let whom = |target: &Target| match target {
        Target::User(user) => name.unwrap_or(user.as_str()).to_owned(),
        Target::Address(address) => address.to_string(),
    };
    Some(match (event, lang) {
        (Event::Banned { address, until, at, .. }, Lang::En) => {
            format!("banned {address} {}\n", term(until, *at))
        }
        (Event::Banned { address, until, at, .. }, Lang::Ko) => {
            format!("차단: {address} {}\n", term(until, *at))
        }
        (Event::Unbanned { address, .. }, Lang::En) => format!("{address} may come again\n"),
        (Event::Unbanned { address, .. }, Lang::Ko) => format!("차단 해제: {address}\n"),
        (Event::Muted { target, until, at, .. }, lang) => {
            let (whom, term) = (whom(target), term(until, *at));
            match lang {
                Lang::En => format!("muted {whom} {term}\n"),
                Lang::Ko => format!("음소거: {whom} {term}\n"),
            }
        }
        (Event::Unmuted { target, .. }, Lang::En) => format!("{} may write again\n", whom(target)),
        (Event::Unmuted { target, .. }, Lang::Ko) => format!("음소거 해제: {}\n", whom(target)),
        _ => return None,
    })
}

fn help(lang: Lang) -> String {
    let mut text = String::new();
    for command in COMMANDS {
        let usage = format!("/{} {}", command.name, command.arguments);
        let help = match lang {
            Lang::En => command.help.0,
            Lang::Ko => command.help.1,
        };
        text.push_str(&format!("  {usage:<22} {help}\n"));
    }
    text.push_str(match lang {
        Lang::En => "  anything else goes to the lobby; //x says /x\n",
        Lang::Ko => "  다른 글은 로비로 갑니다. //x는 /x로 말합니다\n",
    });
    text
}

fn not_utf8(lang: Lang) -> String {
    match lang {
        Lang::En => "not sent: the line isn't UTF-8\n".into(),
        Lang::Ko => "보내지 않았습니다: UTF-8이 아닌 글자가 있습니다\n".into(),
    }
}

fn too_long(lang: Lang) -> String {
    match lang {
        Lang::En => format!("not sent: the line is longer than {LINE_BYTES_MAX} bytes\n"),
        Lang::Ko => format!("보내지 않았습니다: 한 줄은 {LINE_BYTES_MAX}바이트까지입니다\n"),
    }
}

fn no_such(name: &str, lang: Lang) -> String {
    match lang {
        Lang::En => format!("there is no command {name:?}; /help shows them\n"),
        Lang::Ko => format!("{name:?} 명령은 없습니다. /help로 명령을 봅니다\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(line: &str) -> Result<Option<Order>, String> {
        read_line(line.as_bytes(), Lang::En)
    }

    fn says(text: &str) -> Result<Option<Order>, String> {
        Ok(Some(Order::Ask(say(RoomId::lobby(), text))))
    }

    #[test]
    fn a_line_goes_to_the_lobby_as_typed_but_for_its_line_break() {
        assert_eq!(order("안녕하세요\n"), says("안녕하세요"));
        assert_eq!(order("  two words \r\n"), says("  two words "));
        assert_eq!(order("no line break at the end"), says("no line break at the end"));
        assert_eq!(order("//help"), says("/help"));
    }

    #[test]
    fn an_empty_line_does_nothing() {
        for line in ["\n", "\r\n", ""] {
            assert_eq!(order(line), Ok(None));
        }
    }

    #[test]
    fn commands_are_read_with_their_arguments() {
        let ask = |request| Ok(Some(Order::Ask(request)));
        let local: IpAddr = [127, 0, 0, 1].into();
        assert_eq!(order("/who\n"), ask(Request::Who));
        assert_eq!(
            order("/kick 127.0.0.1:5000"),
            ask(Request::Kick { whom: Whom::Name("127.0.0.1:5000".into()) })
        );
        assert_eq!(order("/kick 127.0.0.1"), ask(Request::Kick { whom: Whom::Address(local) }));
        assert_eq!(
            order("/ban 127.0.0.1:5000 30"),
            ask(Request::Record(damso_chat::Command::Ban { address: local, minutes: Some(30) }))
        );
        assert_eq!(
            order("/unban ::ffff:127.0.0.1"),
            ask(Request::Record(damso_chat::Command::Unban { address: local }))
        );
        assert_eq!(
            order("/mute 127.0.0.1"),
            ask(Request::Mute { whom: Whom::Address(local), minutes: None })
        );
        assert_eq!(order("/mute 127.0.0.1 0"), ask(Request::Unmute { whom: Whom::Address(local) }));
        let lobby = RoomId::lobby();
        assert_eq!(order("/say lobby 안녕 모두"), ask(say(lobby, "안녕 모두")));
        assert_eq!(order("/quit"), Ok(Some(Order::Quit)));
    }

    #[test]
    fn what_cannot_be_read_is_one_complaint() {
        for line in
            ["/kick", "/ban 127.0.0.1 soon", "/ban 127.0.0.1 0", "/say lobby", "/dance", "/"]
        {
            let complaint = order(line).unwrap_err();
            assert_eq!(complaint.lines().count(), 1, "{line}: {complaint}");
        }
        assert!(read_line(b"\xff\xfe\n", Lang::En).is_err());
    }
}
