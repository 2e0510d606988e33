//! What the operator reads: answers as text, in English and Korean.

use super::LINE_BYTES_MAX;
use crate::lang::Lang;
use damso_chat::event::Member;
use damso_chat::hub::{Answer, Managed, RoomRow, Sort, UserDetails, UserRow};
use damso_chat::state::Kind;
use damso_chat::{Event, Refusal, RoomEvent, Setting, Target, What};

/// The lines that an answer makes, or why the answer is a complaint.
///
/// # Errors
/// What was asked wasn't done: one sentence.
pub fn answer(answer: &Answer, lang: Lang) -> Result<String, String> {
    Ok(match (answer, lang) {
        (Answer::Arrived(name), Lang::En) => format!("* {name} is here\n"),
        (Answer::Arrived(name), Lang::Ko) => format!("* {name} 들어옴\n"),
        (Answer::Left(name), Lang::En) => format!("* {name} has left\n"),
        (Answer::Left(name), Lang::Ko) => format!("* {name} 나감\n"),
        (Answer::Refused(refusal), lang) => return Err(refused(refusal, lang)),
        (Answer::Kicked { connections }, Lang::En) => format!("connections ended: {connections}\n"),
        (Answer::Kicked { connections }, Lang::Ko) => format!("끊은 연결: {connections}\n"),
        (Answer::Erased { messages }, Lang::En) => format!("messages deleted: {messages}\n"),
        (Answer::Erased { messages }, Lang::Ko) => format!("지운 글: {messages}\n"),
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
        (Answer::Recorded { event, name }, lang) => recorded(event, name.as_deref(), lang),
        (Answer::Managed(managed), lang) => return self::managed(managed, lang),
        (Answer::Done, Lang::En) => "it is so already\n".into(),
        (Answer::Done, Lang::Ko) => "이미 그렇습니다\n".into(),
        // The rest answers what is seen elsewhere, as a message that was said, or isn't asked here.
        _ => String::new(),
    })
}

/// Why something wasn't done, as the operator is told.
fn refused(refusal: &Refusal, lang: Lang) -> String {
    match (refusal, lang) {
        (Refusal::Forbidden, Lang::En) => {
            "not done: the lobby stays as it is, and a room keeps an owner".into()
        }
        (Refusal::Forbidden, Lang::Ko) => {
            "하지 않았습니다: 로비는 그대로 있고, 방에는 주인이 있어야 합니다".into()
        }
        // A room's, or a webhook's.
        (Refusal::NameTaken { suggest }, Lang::En) => {
            format!("that name is taken; {suggest} is free")
        }
        _ => lang.refusal(refusal),
    }
}

fn managed(managed: &Managed, lang: Lang) -> Result<String, String> {
    let mut text = String::new();
    let more = match managed {
        Managed::Rooms(rows, more) => {
            rows.iter().for_each(|row| text.push_str(&room(row, lang)));
            more
        }
        Managed::Members(rows, more) => {
            for (user, name, member) in rows {
                text.push_str(&format!("{user}  {name}{}\n", owner(*member, lang)));
            }
            more
        }
        Managed::Users(rows, more) => {
            rows.iter().for_each(|row| text.push_str(&user(row, lang)));
            more
        }
        Managed::Hooks(hooks) => {
            hooks.iter().for_each(|(id, name)| text.push_str(&format!("{id}  {name}\n")));
            &0
        }
        Managed::Hooked { hook, room, secret } => {
            return Ok(match lang {
                Lang::En => format!(
                    "{hook} writes into {room}; shown this once: POST /api/v1/hooks/{secret}\n"
                ),
                Lang::Ko => format!(
                    "{hook} 웹훅이 {room}에 씁니다. 한 번만 보입니다: POST /api/v1/hooks/{secret}\n"
                ),
            });
        }
        Managed::User(details) => return Ok(user_details(details, lang)),
        Managed::NoSuch(sort, name) => {
            return Err(match (sort, lang) {
                (Sort::Room, Lang::En) => format!("there is no room {name:?}"),
                (Sort::Room, Lang::Ko) => format!("{name:?}이라는 방이 없습니다"),
                (Sort::User, Lang::En) => format!("there is no user {name:?}"),
                (Sort::Hook, Lang::En) => format!("there is no webhook {name:?}"),
                (Sort::Hook, Lang::Ko) => format!("{name:?}이라는 웹훅이 없습니다"),
                (Sort::User, Lang::Ko) => format!("{name:?}이라는 사용자가 없습니다"),
            });
        }
        Managed::Ambiguous(name) => {
            return Err(match lang {
                Lang::En => format!("more than one room is called {name:?}; use its id"),
                Lang::Ko => format!("{name:?}이라는 방이 여럿입니다. id로 적으세요"),
            });
        }
    };
    if text.is_empty() {
        text.push_str(match lang {
            Lang::En => "none\n",
            Lang::Ko => "없습니다\n",
        });
    }
    match (more, lang) {
        (0, _) => {}
        (more, Lang::En) => text.push_str(&format!("and {more} more\n")),
        (more, Lang::Ko) => text.push_str(&format!("그 밖에 {more}\n")),
    }
    Ok(text)
}

fn room(row: &RoomRow, lang: Lang) -> String {
    let kind = match (row.kind, lang) {
        (Kind::Public, Lang::En) => "public",
        (Kind::Public, Lang::Ko) => "공개",
        (Kind::Private, Lang::En) => "private",
        (Kind::Private, Lang::Ko) => "비공개",
        (Kind::Announcement, Lang::En) => "announcement",
        (Kind::Announcement, Lang::Ko) => "공지",
        (Kind::Direct, Lang::En) => "direct",
        (Kind::Direct, Lang::Ko) => "쪽지",
    };
    let members = match (row.members, lang) {
        (None, Lang::En) => "everybody".to_owned(),
        (None, Lang::Ko) => "모두".to_owned(),
        (Some(count), Lang::En) => format!("members: {count}"),
        (Some(count), Lang::Ko) => format!("{count}명"),
    };
    let messages = match lang {
        Lang::En => format!("messages: {}", row.messages),
        Lang::Ko => format!("메시지 {}개", row.messages),
    };
    let archived = match (row.archived, lang) {
        (false, _) => "",
        (true, Lang::En) => ", archived",
        (true, Lang::Ko) => ", 보관됨",
    };
    let topic = if row.topic.is_empty() { String::new() } else { format!("  {}", row.topic) };
    format!("{}  {}  ({kind}, {members}, {messages}{archived}){topic}\n", row.id, row.name)
}

fn user(row: &UserRow, lang: Lang) -> String {
    let connections = match lang {
        Lang::En => format!("connections: {}", row.connections),
        Lang::Ko => format!("연결 {}", row.connections),
    };
    let muted = match (row.muted, lang) {
        (false, _) => "",
        (true, Lang::En) => ", muted",
        (true, Lang::Ko) => ", 음소거",
    };
    format!("{}  {}  ({connections}{muted})\n", row.id, row.name)
}

fn user_details(details: &UserDetails, lang: Lang) -> String {
    let mut text = user(&details.row, lang);
    for address in &details.addresses {
        text.push_str(&match lang {
            Lang::En => format!("  from {address}\n"),
            Lang::Ko => format!("  주소 {address}\n"),
        });
    }
    for (id, name, member) in &details.rooms {
        text.push_str(&format!("  {id}  {name}{}\n", owner(*member, lang)));
    }
    text
}

fn owner(member: Member, lang: Lang) -> &'static str {
    match (member, lang) {
        (Member::Member, _) => "",
        (Member::Owner, Lang::En) => "  (owner)",
        (Member::Owner, Lang::Ko) => "  (주인)",
    }
}

fn recorded(event: &Event, name: Option<&str>, lang: Lang) -> String {
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
    match (event, lang) {
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
        (Event::Unhooked { hook, .. }, Lang::En) => format!("{hook} is revoked\n"),
        (Event::Unhooked { hook, .. }, Lang::Ko) => format!("거둔 웹훅: {hook}\n"),
        (Event::Room(event), lang) => room_changed(event, name.unwrap_or_default(), lang),
        _ => String::new(),
    }
}

fn room_changed(event: &RoomEvent, user: &str, lang: Lang) -> String {
    let room = &event.room;
    let said = match (&event.what, lang) {
        (What::Created { name, .. }, Lang::En) => {
            format!("made room {room}: {}", name.as_deref().unwrap_or_default())
        }
        (What::Created { name, .. }, Lang::Ko) => {
            format!("방을 만들었습니다. {room}: {}", name.as_deref().unwrap_or_default())
        }
        (What::Set(Setting::Name(name)), Lang::En) => format!("{room} is called {name} now"),
        (What::Set(Setting::Name(name)), Lang::Ko) => format!("{room} 이름: {name}"),
        (What::Set(Setting::Topic(topic)), Lang::En) => format!("topic of {room}: {topic}"),
        (What::Set(Setting::Topic(topic)), Lang::Ko) => format!("{room} 주제: {topic}"),
        (What::Set(Setting::Archived(true)), Lang::En) => format!("{room} is archived"),
        (What::Set(Setting::Archived(true)), Lang::Ko) => format!("{room} 보관됨"),
        (What::Set(Setting::Archived(false)), Lang::En) => format!("{room} is open again"),
        (What::Set(Setting::Archived(false)), Lang::Ko) => format!("{room} 다시 열림"),
        // Not asked for here.
        (What::Set(Setting::Post(_)), _) => return String::new(),
        (What::Joined { .. }, Lang::En) => format!("{user} is in {room} now"),
        (What::Joined { .. }, Lang::Ko) => format!("{room}에 넣었습니다: {user}"),
        (What::Left { .. }, Lang::En) => format!("{user} isn't in {room} any more"),
        (What::Left { .. }, Lang::Ko) => format!("{room}에서 내보냈습니다: {user}"),
        (What::Appointed { member: Member::Owner, .. }, Lang::En) => {
            format!("{user} owns {room} now")
        }
        (What::Appointed { member: Member::Owner, .. }, Lang::Ko) => {
            format!("{room}의 주인: {user}")
        }
        (What::Appointed { member: Member::Member, .. }, Lang::En) => {
            format!("{user} is a member of {room} like others now")
        }
        (What::Appointed { member: Member::Member, .. }, Lang::Ko) => {
            format!("{room}의 일반 회원: {user}")
        }
    };
    said + "\n"
}

/// The line isn't text.
pub fn not_utf8(lang: Lang) -> String {
    match lang {
        Lang::En => "not sent: the line isn't UTF-8".into(),
        Lang::Ko => "보내지 않았습니다: UTF-8이 아닌 글자가 있습니다".into(),
    }
}

/// The line is longer than a line may be.
pub fn too_long(lang: Lang) -> String {
    match lang {
        Lang::En => format!("not sent: the line is longer than {LINE_BYTES_MAX} bytes"),
        Lang::Ko => format!("보내지 않았습니다: 한 줄은 {LINE_BYTES_MAX}바이트까지입니다"),
    }
}

/// The table has no such row.
pub fn no_such_command(line: &str, lang: Lang) -> String {
    let mut words = line.split_whitespace();
    let mut name = words.next().unwrap_or_default().to_owned();
    if matches!(&*name, "room" | "user")
        && let Some(second) = words.next()
    {
        name.push_str(&format!(" {second}"));
    }
    match lang {
        Lang::En => format!("there is no command {name:?}; /help shows them"),
        Lang::Ko => format!("{name:?} 명령은 없습니다. /help로 명령을 봅니다"),
    }
}

/// How a command is given.
pub fn usage(usage: &str, lang: Lang) -> String {
    match lang {
        Lang::En => format!("usage: /{usage}"),
        Lang::Ko => format!("사용법: /{usage}"),
    }
}

/// Answers come in this language from here on.
pub fn speaks(lang: Lang) -> &'static str {
    match lang {
        Lang::En => "answers are in English\n",
        Lang::Ko => "한국어로 답합니다\n",
    }
}
