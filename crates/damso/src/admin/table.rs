//! The operator's commands: one table, from which lines are read and help is made.
//!
//! A line goes to the lobby as `Administrator :: line`; one that begins with `/` is a command, and
//! `//x` says `/x`. A name that has spaces stands in quotes, in which `\"` is a quote and `\\` a
//! backslash; what comes last needs none. Users and rooms are named by id or by name.

use super::text;
use crate::dialect::v1;
use crate::lang::Lang;
use damso_chat::event::Member;
use damso_chat::hub::{Manage, Request, Whom};
use damso_chat::state::Kind;
use damso_chat::{Command as Change, Role};
use damso_client::driver;
use damso_protocol::{RoomId, plain};
use std::net::{IpAddr, SocketAddr};

/// One of the commands.
struct Command {
    /// Its name: a word, or two.
    name: &'static str,
    arguments: &'static str,
    /// Who may give it. All of them are the operator's for now, who is the only one to be here.
    right: Role,
    help: (&'static str, &'static str),
    read: fn(&str) -> Option<Order>,
}

/// What a line asks for.
#[derive(PartialEq, Eq, Debug)]
pub enum Order {
    /// Something of the hub.
    Ask(Request),
    /// The commands.
    Help,
    /// Answers in another language.
    Speak(Lang),
    /// The server's end.
    Quit,
}

/// Why a line asks for nothing: one sentence.
#[derive(PartialEq, Eq, Debug)]
pub enum Unread {
    /// There is no such command, or the line is none at all.
    Unknown(String),
    /// The command's arguments are other ones.
    Usage(String),
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
            let (room, text) = word(rest)?;
            manage(Manage::Say { room, text: (!text.is_empty()).then(|| text.into())? })
        },
    },
    Command {
        name: "kick",
        arguments: "WHO",
        right: Role::Operator,
        help: ("ends the connections of a user, of ip:port, or of an address", "연결을 끊습니다"),
        read: |rest| Some(Order::Ask(Request::Kick { whom: whom(rest)? })),
    },
    Command {
        name: "ban",
        arguments: "WHO [MINUTES]",
        right: Role::Operator,
        help: ("keeps an address, or that of ip:port, out", "WHO의 주소를 차단합니다"),
        read: |rest| {
            let (who, minutes) = with_minutes(rest)?;
            // A ban of no time is none.
            let minutes = (minutes != Some(0)).then_some(minutes)?;
            Some(Order::Ask(Request::Record(Change::Ban { address: address(&who)?, minutes })))
        },
    },
    Command {
        name: "unban",
        arguments: "ADDRESS",
        right: Role::Operator,
        help: ("lets an address in again", "차단을 풉니다"),
        read: |rest| Some(Order::Ask(Request::Record(Change::Unban { address: address(rest)? }))),
    },
    Command {
        name: "mute",
        arguments: "WHO [MINUTES]",
        right: Role::Operator,
        help: (
            "lets WHO read but not write; 0 minutes lifts it",
            "WHO가 읽기만 하게 합니다. 0분이면 풉니다",
        ),
        read: mute,
    },
    Command {
        name: "room list",
        arguments: "",
        right: Role::Operator,
        help: ("shows all rooms but direct messages", "쪽지방 말고 모든 방을 봅니다"),
        read: |rest| nothing(rest, Manage::Rooms),
    },
    Command {
        name: "room members",
        arguments: "ROOM",
        right: Role::Operator,
        help: ("shows who is in a room", "방에 있는 사람을 봅니다"),
        read: |rest| manage(Manage::Members { room: last(rest)? }),
    },
    Command {
        name: "room new",
        arguments: "NAME [public|private|announcement]",
        right: Role::Operator,
        help: ("makes a room, with nobody in it yet", "빈 방을 만듭니다"),
        read: |rest| {
            let (name, rest) = word(rest)?;
            let kind = match rest {
                "" | "public" => Kind::Public,
                "private" => Kind::Private,
                "announcement" => Kind::Announcement,
                _ => return None,
            };
            manage(Manage::Create { name, kind })
        },
    },
    Command {
        name: "room name",
        arguments: "ROOM NAME",
        right: Role::Operator,
        help: ("gives a room another name", "방 이름을 바꿉니다"),
        read: |rest| {
            let (room, rest) = word(rest)?;
            manage(Manage::Rename { room, name: last(rest)? })
        },
    },
    Command {
        name: "room topic",
        arguments: "ROOM [TOPIC]",
        right: Role::Operator,
        help: ("says what a room is about", "방 주제를 적습니다"),
        read: |rest| {
            let (room, rest) = word(rest)?;
            manage(Manage::Topic { room, topic: last(rest).unwrap_or_default() })
        },
    },
    Command {
        name: "room archive",
        arguments: "ROOM",
        right: Role::Operator,
        help: ("closes a room, to be read only", "방을 보관합니다. 읽을 수만 있습니다"),
        read: |rest| manage(Manage::Archive { room: last(rest)?, archived: true }),
    },
    Command {
        name: "room unarchive",
        arguments: "ROOM",
        right: Role::Operator,
        help: ("opens it again", "보관한 방을 다시 엽니다"),
        read: |rest| manage(Manage::Archive { room: last(rest)?, archived: false }),
    },
    Command {
        name: "room add",
        arguments: "ROOM USER",
        right: Role::Operator,
        help: ("lets a user into a room", "방에 사용자를 넣습니다"),
        read: |rest| {
            let (room, rest) = word(rest)?;
            manage(Manage::Admit { room, user: last(rest)? })
        },
    },
    Command {
        name: "room remove",
        arguments: "ROOM USER",
        right: Role::Operator,
        help: ("takes a user out of a room", "방에서 사용자를 내보냅니다"),
        read: |rest| {
            let (room, rest) = word(rest)?;
            manage(Manage::Remove { room, user: last(rest)? })
        },
    },
    Command {
        name: "room owner",
        arguments: "ROOM USER",
        right: Role::Operator,
        help: ("lets a member do everything in a room", "방 주인으로 삼습니다"),
        read: |rest| {
            let (room, rest) = word(rest)?;
            manage(Manage::Appoint { room, user: last(rest)?, member: Member::Owner })
        },
    },
    Command {
        name: "room member",
        arguments: "ROOM USER",
        right: Role::Operator,
        help: ("makes an owner a member like others", "방 주인을 일반 회원으로 돌립니다"),
        read: |rest| {
            let (room, rest) = word(rest)?;
            manage(Manage::Appoint { room, user: last(rest)?, member: Member::Member })
        },
    },
    Command {
        name: "room hook",
        arguments: "ROOM NAME",
        right: Role::Operator,
        help: (
            "makes a webhook: a program writes as NAME",
            "웹훅을 만듭니다. 프로그램이 NAME으로 씁니다",
        ),
        read: |rest| {
            let (room, rest) = word(rest)?;
            let (name, secret) = (last(rest)?, driver::key());
            manage(Manage::Hook { room, name, key: v1::key_hash(&secret)?, secret })
        },
    },
    Command {
        name: "room hooks",
        arguments: "ROOM",
        right: Role::Operator,
        help: ("shows a room's webhooks", "방의 웹훅을 봅니다"),
        read: |rest| manage(Manage::Hooks { room: last(rest)? }),
    },
    Command {
        name: "room unhook",
        arguments: "ID",
        right: Role::Operator,
        help: ("revokes a webhook", "웹훅을 거둡니다"),
        read: |rest| manage(Manage::Unhook { hook: last(rest)? }),
    },
    Command {
        name: "user list",
        arguments: "[PART]",
        right: Role::Operator,
        help: (
            "shows the users, or those with PART in their names",
            "사용자를 봅니다. PART가 이름에 든 사람만 볼 수도 있습니다",
        ),
        read: |rest| manage(Manage::Users { part: last(rest).unwrap_or_default() }),
    },
    Command {
        name: "user show",
        arguments: "USER",
        right: Role::Operator,
        help: ("shows a user's connections and rooms", "사용자의 연결과 방을 봅니다"),
        read: |rest| manage(Manage::User { user: last(rest)? }),
    },
    Command {
        name: "user kick",
        arguments: "USER",
        right: Role::Operator,
        help: ("ends a user's connections", "사용자의 연결을 끊습니다"),
        read: |rest| Some(Order::Ask(Request::Kick { whom: whom(rest)? })),
    },
    Command {
        name: "user mute",
        arguments: "USER [MINUTES]",
        right: Role::Operator,
        help: ("lets a user read but not write", "사용자가 읽기만 하게 합니다"),
        read: mute,
    },
    Command {
        name: "user unmute",
        arguments: "USER",
        right: Role::Operator,
        help: ("lets a user write again", "다시 쓸 수 있게 합니다"),
        read: |rest| Some(Order::Ask(Request::Unmute { whom: whom(rest)? })),
    },
    Command {
        name: "user erase",
        arguments: "USER",
        right: Role::Operator,
        help: ("deletes everything a user wrote, for good", "사용자가 쓴 글을 모두 지웁니다"),
        read: |rest| Some(Order::Ask(Request::Erase { whom: Some(whom(rest)?) })),
    },
    Command {
        name: "stats",
        arguments: "",
        right: Role::Operator,
        help: ("shows how many are here and what was said", "접속자와 메시지 수를 봅니다"),
        read: |_| Some(Order::Ask(Request::Stats)),
    },
    Command {
        name: "lang",
        arguments: "en|ko",
        right: Role::Operator,
        help: ("answers in English or Korean", "답하는 언어를 바꿉니다"),
        read: |rest| match rest {
            "en" => Some(Order::Speak(Lang::En)),
            "ko" => Some(Order::Speak(Lang::Ko)),
            _ => None,
        },
    },
    Command {
        name: "quit",
        arguments: "",
        right: Role::Operator,
        help: ("stops damso", "담소를 종료합니다"),
        read: |_| Some(Order::Quit),
    },
];

/// What is typed shorter, and what it stands for.
const SHORT: &[(&str, &str)] = &[("rooms", "room list"), ("users", "user list")];

/// What a line asks for; nothing if it is empty.
///
/// # Errors
/// What can't be read.
pub fn read_line(bytes: &[u8], lang: Lang) -> Result<Option<Order>, Unread> {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    let line = std::str::from_utf8(bytes).map_err(|_| Unread::Unknown(text::not_utf8(lang)))?;
    let say = |text: &str| say(RoomId::lobby(), text);
    if plain::is_blank(line) {
        return Ok(None);
    }
    let Some(command) = line.strip_prefix('/') else { return Ok(Some(Order::Ask(say(line)))) };
    if command.starts_with('/') {
        return Ok(Some(Order::Ask(say(command))));
    }
    let short = SHORT.iter().find_map(|(short, name)| Some((*name, after(command, short)?)));
    let found = COMMANDS.iter().filter(|known| known.right <= Role::Operator).find_map(|known| {
        let rest = match short {
            Some((name, rest)) => (name == known.name).then_some(rest)?,
            None => after(command, known.name)?,
        };
        Some((known, rest))
    });
    let Some((found, rest)) = found else {
        return Err(Unread::Unknown(text::no_such_command(command, lang)));
    };
    match (found.read)(rest.trim()) {
        Some(order) => Ok(Some(order)),
        None => Err(Unread::Usage(text::usage(&usage(found), lang))),
    }
}

/// What `/help` shows.
pub fn help(lang: Lang) -> String {
    let mut text = String::new();
    rows(&mut text, "", lang);
    text.push_str(match lang {
        Lang::En => "  anything else goes to the lobby; //x says /x\n",
        Lang::Ko => "  다른 글은 로비로 갑니다. //x는 /x로 말합니다\n",
    });
    text
}

/// The rows of a verb's commands, as `damso room` has them.
pub fn help_of(verb: &str, lang: Lang) -> String {
    let mut text = String::new();
    rows(&mut text, verb, lang);
    text
}

/// Adds the rows of the commands whose first word is `verb`, without it; all, if it is empty.
fn rows(text: &mut String, verb: &str, lang: Lang) {
    for command in COMMANDS {
        let usage = usage(command);
        let shown = if verb.is_empty() {
            &*format!("/{usage}")
        } else {
            let Some(rest) = after(&usage, verb) else { continue };
            rest.trim_start()
        };
        let help = match lang {
            Lang::En => command.help.0,
            Lang::Ko => command.help.1,
        };
        text.push_str(&format!("  {shown:<24} {help}\n"));
    }
}

/// A line of the table that has these words, each in quotes where it needs them.
pub fn line_of<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let mut line = String::from("/");
    for (index, word) in words.into_iter().enumerate() {
        if index > 0 {
            line.push(' ');
        }
        let is_bare = !word.is_empty() && !word.contains(|c: char| c.is_whitespace() || c == '"');
        if is_bare {
            line.push_str(word);
        } else {
            line.push_str(&format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\"")));
        }
    }
    line
}

fn usage(command: &Command) -> String {
    format!("{} {}", command.name, command.arguments).trim_end().to_owned()
}

/// What follows these words in a line that begins with them.
fn after<'a>(line: &'a str, words: &str) -> Option<&'a str> {
    let mut rest = line;
    for word in words.split(' ') {
        rest = rest.trim_start().strip_prefix(word)?;
        if !rest.is_empty() && !rest.starts_with(char::is_whitespace) {
            return None;
        }
    }
    Some(rest)
}

/// The first word, out of its quotes, and what follows it.
fn word(rest: &str) -> Option<(String, &str)> {
    let rest = rest.trim_start();
    let Some(quoted) = rest.strip_prefix('"') else {
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (word, rest) = rest.split_at(end);
        return (!word.is_empty()).then(|| (word.to_owned(), rest.trim_start()));
    };
    let (mut word, mut characters) = (String::new(), quoted.char_indices());
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => {
                let rest = quoted.get(at + 1..)?;
                let ends = rest.is_empty() || rest.starts_with(char::is_whitespace);
                return (ends && !word.trim().is_empty()).then(|| (word, rest.trim_start()));
            }
            '\\' => word.push(characters.next()?.1),
            other => word.push(other),
        }
    }
    None
}

/// All that is left, as one word: without its words' quotes if they are whole, else as it is.
fn last(rest: &str) -> Option<String> {
    let rest = rest.trim();
    let (mut words, mut left) = (Vec::new(), rest);
    while !left.is_empty() {
        let Some((word, after)) = word(left) else { break };
        words.push(word);
        left = after;
    }
    let has_quotes = rest.starts_with('"') || rest.contains(" \"");
    let said = if has_quotes && left.is_empty() { words.join(" ") } else { rest.to_owned() };
    (!said.is_empty() && said != "\"\"").then_some(said)
}

fn manage(manage: Manage) -> Option<Order> {
    Some(Order::Ask(Request::Manage(manage)))
}

fn nothing(rest: &str, asked: Manage) -> Option<Order> {
    rest.is_empty().then(|| manage(asked))?
}

fn mute(rest: &str) -> Option<Order> {
    let (who, minutes) = with_minutes(rest)?;
    let whom = whom(&who)?;
    Some(Order::Ask(match minutes {
        Some(0) => Request::Unmute { whom },
        minutes => Request::Mute { whom, minutes },
    }))
}

fn say(room: RoomId, text: &str) -> Request {
    Request::Say { room, nonce: None, text: text.into(), reply: None }
}

/// `ip:port` is one guest, an address is everybody from there, all else is an id or a name.
fn whom(text: &str) -> Option<Whom> {
    let text = last(text)?;
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(Whom::Address(address.to_canonical()));
    }
    if let Ok(guest) = text.parse::<SocketAddr>() {
        return Some(Whom::Name(crate::dialect::shown(guest).to_string()));
    }
    Some(Whom::Name(text))
}

fn address(text: &str) -> Option<IpAddr> {
    let address = text.parse::<IpAddr>().ok();
    address.or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip())).map(|ip| ip.to_canonical())
}

fn with_minutes(rest: &str) -> Option<(String, Option<u64>)> {
    if rest.starts_with('"') {
        let (who, rest) = word(rest)?;
        let minutes = if rest.is_empty() { None } else { Some(rest.parse().ok()?) };
        return Some((who, minutes));
    }
    // A name may have spaces, and then the last word is the number only if it is one.
    let minutes = rest.rsplit_once(' ').and_then(|(who, last)| Some((who, last.parse().ok()?)));
    Some(match minutes {
        Some((who, minutes)) => (who.trim_end().to_owned(), Some(minutes)),
        None => (rest.to_owned(), None),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(line: &str) -> Result<Option<Order>, Unread> {
        read_line(line.as_bytes(), Lang::En)
    }

    fn says(text: &str) -> Result<Option<Order>, Unread> {
        Ok(Some(Order::Ask(say(RoomId::lobby(), text))))
    }

    fn manages(asked: Manage) -> Result<Option<Order>, Unread> {
        Ok(manage(asked))
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
            ask(Request::Record(Change::Ban { address: local, minutes: Some(30) }))
        );
        assert_eq!(
            order("/unban ::ffff:127.0.0.1"),
            ask(Request::Record(Change::Unban { address: local }))
        );
        assert_eq!(
            order("/mute 127.0.0.1"),
            ask(Request::Mute { whom: Whom::Address(local), minutes: None })
        );
        assert_eq!(order("/mute 127.0.0.1 0"), ask(Request::Unmute { whom: Whom::Address(local) }));
        let named = |name: &str| Whom::Name(name.into());
        for line in ["/mute 김 철수 5", "/user mute \"김 철수\" 5"] {
            assert_eq!(
                order(line),
                ask(Request::Mute { whom: named("김 철수"), minutes: Some(5) })
            );
        }
        assert_eq!(order("/user mute \"a 5\""), order("/mute \"a 5\""));
        let say = Manage::Say { room: "tea time".into(), text: "안녕 모두".into() };
        assert_eq!(order("/say \"tea time\" 안녕 모두"), manages(say));
        assert_eq!(order("/quit"), Ok(Some(Order::Quit)));
    }

    #[test]
    fn names_with_spaces_stand_in_quotes_unless_they_come_last() {
        let topic = |room: &str, topic: &str| {
            manages(Manage::Topic { room: room.into(), topic: topic.into() })
        };
        assert_eq!(order("/room topic lobby what we do"), topic("lobby", "what we do"));
        assert_eq!(order("/room topic \"tea time\"  oolong "), topic("tea time", "oolong"));
        assert_eq!(order(r#"/room topic "a \"b\" \\" """#), topic(r#"a "b" \"#, ""));
        assert_eq!(order("/room topic lobby"), topic("lobby", ""));
        assert_eq!(order("/rooms"), manages(Manage::Rooms));
        assert_eq!(order("/users"), manages(Manage::Users { part: String::new() }));
        assert_eq!(order("/user show 김 철수"), order("/user show \"김 철수\""));
    }

    #[test]
    fn words_become_a_line_that_has_the_same_words() {
        let line = line_of(["room", "topic", "x", "two", "\"quoted\"", "words here"]);
        let topic = Manage::Topic { room: "x".into(), topic: "two \"quoted\" words here".into() };
        assert_eq!(order(&line), manages(topic));
        for words in [["room", "name", "a b", "c \"d\" \\ e"], ["room", "topic", "x", "두 낱말"]]
        {
            let line = line_of(words);
            let (room, rest) = word(line.splitn(3, ' ').nth(2).unwrap()).unwrap();
            assert_eq!((&*room, last(rest).as_deref()), (words[2], Some(words[3])), "{line}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_one_complaint() {
        for line in [
            "/kick",
            "/ban 127.0.0.1 soon",
            "/ban 127.0.0.1 0",
            "/say lobby",
            "/dance",
            "/",
            "/room",
            "/room dance",
            "/rooms all",
            "/room new",
            "/room new x secret",
            "/room new \"x",
            "/room name \"a\"b c",
            "/room add lobby",
            "/lang fr",
            "/user mute \"x\" soon",
        ] {
            let (Unread::Unknown(complaint) | Unread::Usage(complaint)) = order(line).unwrap_err();
            assert_eq!(complaint.lines().count(), 1, "{line}: {complaint}");
        }
        assert!(read_line(b"\xff\xfe\n", Lang::En).is_err());
    }

    #[test]
    fn help_has_every_command_and_no_row_that_does_not_fit_a_terminal() {
        let text = help(Lang::En);
        for command in COMMANDS {
            assert!(text.contains(&format!("/{}", command.name)), "{}", command.name);
        }
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        assert!(help_of("room", Lang::En).lines().all(|line| !line.contains('/')));
        assert!(help_of("user", Lang::Ko).contains("list"));
    }
}
