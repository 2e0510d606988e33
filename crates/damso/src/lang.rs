//! Sentences for people, in English and Korean. Codes are decided elsewhere; words are made here,
//! at the edge.

use damso_chat::Refusal;
use damso_chat::hub::Ending;
use damso_protocol::name::BadName;

/// The language somebody reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lang {
    /// English.
    En,
    /// Korean.
    Ko,
}

impl Lang {
    /// From an `Accept-Language` header: Korean if it comes before English.
    pub fn from_accept_language(value: &str) -> Self {
        let first_known = value.split(',').find_map(|range| {
            let tag = range.split(';').next().unwrap_or_default().trim();
            Self::from_tag(tag)
        });
        first_known.unwrap_or(Self::En)
    }

    /// From the environment's `LC_ALL`, `LC_MESSAGES`, `LANG`, the first that is set.
    pub fn of_environment() -> Self {
        ["LC_ALL", "LC_MESSAGES", "LANG"]
            .iter()
            .filter_map(|name| std::env::var(name).ok())
            .find(|value| !value.is_empty())
            .and_then(|value| Self::from_tag(&value))
            .unwrap_or(Self::En)
    }

    /// From a language's tag, as `ko-KR`.
    pub fn from_tag(tag: &str) -> Option<Self> {
        match tag.get(..2)?.to_ascii_lowercase().as_str() {
            "ko" => Some(Self::Ko),
            "en" => Some(Self::En),
            _ => None,
        }
    }

    /// Why a line wasn't sent.
    pub fn refusal(self, refusal: &Refusal) -> String {
        match (refusal, self) {
            (Refusal::Forbidden, Self::En) => "not sent: you are not allowed to do that".into(),
            (Refusal::Forbidden, Self::Ko) => "보내지 않았습니다: 권한이 없습니다".into(),
            (Refusal::Banned, Self::En) => "not sent: your address is banned here".into(),
            (Refusal::Banned, Self::Ko) => "보내지 않았습니다: 차단된 주소입니다".into(),
            (Refusal::NotFound, Self::En) => "there is no such thing here".into(),
            (Refusal::NotFound, Self::Ko) => "찾을 수 없습니다".into(),
            (Refusal::Muted { .. }, Self::En) => {
                "not sent: you are muted, you can read but not write".into()
            }
            (Refusal::Muted { .. }, Self::Ko) => {
                "보내지 않았습니다: 읽을 수만 있고 쓸 수 없는 상태입니다".into()
            }
            (Refusal::RateLimited { retry }, Self::En) => {
                format!("not sent: too fast, try again in {} s", seconds(*retry))
            }
            (Refusal::RateLimited { retry }, Self::Ko) => {
                format!(
                    "보내지 않았습니다: 너무 빠릅니다. {}초 뒤에 다시 보내세요",
                    seconds(*retry)
                )
            }
            (Refusal::TooBig { chars, limit }, Self::En) => {
                format!("not sent: {chars} characters, the limit is {limit}")
            }
            (Refusal::TooBig { chars, limit }, Self::Ko) => {
                format!(
                    "보내지 않았습니다: {chars}자입니다. 한 번에 {limit}자까지 보낼 수 있습니다"
                )
            }
            (Refusal::Unavailable, Self::En) => {
                "not sent: it can't be stored now, try again later".into()
            }
            (Refusal::Unavailable, Self::Ko) => {
                "보내지 않았습니다: 지금은 저장할 수 없습니다. 나중에 다시 보내세요".into()
            }
            (Refusal::NonceReused, Self::En) => "not sent: this was sent before".into(),
            (Refusal::NonceReused, Self::Ko) => "보내지 않았습니다: 이미 보낸 글입니다".into(),
            (Refusal::Unauthorized, Self::En) => "say hello first, with a key known here".into(),
            (Refusal::Unauthorized, Self::Ko) => "먼저 여기서 아는 키로 인사해야 합니다".into(),
            (Refusal::Gone, Self::En) => "the message was deleted".into(),
            (Refusal::Gone, Self::Ko) => "지워진 글입니다".into(),
            (Refusal::Archived, Self::En) => "the room is archived, it can only be read".into(),
            (Refusal::Archived, Self::Ko) => "보관된 방이라 읽기만 할 수 있습니다".into(),
            (Refusal::BadField(field), _) => self.bad_field(field),
            (Refusal::BadName(bad), _) => self.bad_name(*bad),
            (Refusal::NameTaken { suggest }, Self::En) => {
                format!("somebody else has that name; {suggest} is free")
            }
            (Refusal::NameTaken { suggest }, Self::Ko) => {
                format!("이미 쓰는 이름입니다. {suggest}은(는) 비어 있습니다")
            }
            (Refusal::Full(what), Self::En) => format!("there are as many {what} as there may be"),
            (Refusal::Full(what), Self::Ko) => format!("더 늘릴 수 없습니다 ({what})"),
        }
    }

    /// A field that isn't as it has to be: its name, or what is wrong.
    pub fn bad_field(self, what: &str) -> String {
        match self {
            Self::En => format!("a field is missing or not as it has to be: {what}"),
            Self::Ko => format!("빠졌거나 잘못된 항목이 있습니다: {what}"),
        }
    }

    /// A frame that can't be read.
    pub fn bad_json(self, what: &str) -> String {
        match self {
            Self::En => format!("not a JSON object with a \"t\": {what}"),
            Self::Ko => format!("\"t\"가 있는 JSON 객체가 아닙니다: {what}"),
        }
    }

    /// The end of a connection that said nothing, or never who it is.
    pub fn silent(self, is_stranger: bool) -> &'static str {
        match (is_stranger, self) {
            (true, Self::En) => "no hello was accepted in time",
            (true, Self::Ko) => "제때 인사하지 않았습니다",
            (false, Self::En) => "nothing was heard for too long",
            (false, Self::Ko) => "너무 오래 아무 소식이 없었습니다",
        }
    }

    fn bad_name(self, bad: BadName) -> String {
        match (bad, self) {
            (BadName::Empty, Self::En) => "a name needs a character that can be seen".into(),
            (BadName::Empty, Self::Ko) => "이름에는 보이는 글자가 있어야 합니다".into(),
            (BadName::TooLong { limit }, Self::En) => {
                format!("a name has at most {limit} characters")
            }
            (BadName::TooLong { limit }, Self::Ko) => format!("이름은 {limit}자까지입니다"),
            (BadName::Unseen, Self::En) => "a name can't have hidden or control characters".into(),
            (BadName::Unseen, Self::Ko) => "이름에 보이지 않는 글자나 제어 문자가 있습니다".into(),
            (BadName::Misleading, Self::En) => "that name could be taken for another's".into(),
            (BadName::Misleading, Self::Ko) => "다른 이로 오해할 수 있는 이름입니다".into(),
        }
    }

    /// Why a connection is ended.
    pub fn ending(self, ending: Ending) -> String {
        match (ending, self) {
            (Ending::Kicked, Self::En) => "an operator has ended your connection".into(),
            (Ending::Kicked, Self::Ko) => "운영자가 연결을 끊었습니다".into(),
            (Ending::Banned, Self::En) => "your address is banned here".into(),
            (Ending::Banned, Self::Ko) => "차단된 주소입니다".into(),
            (Ending::Refused, Self::En) => "the hello was refused".into(),
            (Ending::Refused, Self::Ko) => "인사를 받아들이지 않았습니다".into(),
            (Ending::Flood, Self::En) => "too many lines at once, for too long".into(),
            (Ending::Flood, Self::Ko) => "너무 많은 글을 쉬지 않고 보냈습니다".into(),
            (Ending::TooMany { limit }, Self::En) => {
                format!("too many connections from your address, the limit is {limit}")
            }
            (Ending::TooMany { limit }, Self::Ko) => {
                format!("같은 주소에서 온 연결이 너무 많습니다. {limit}개까지 받습니다")
            }
            (Ending::Stopping, Self::En) => "the server stops".into(),
            (Ending::Stopping, Self::Ko) => "서버를 종료합니다".into(),
        }
    }
}

fn seconds(ms: u64) -> u64 {
    ms.div_ceil(1000).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_known_language_of_a_header_counts() {
        for (header, lang) in [
            ("ko-KR,ko;q=0.9,en;q=0.8", Lang::Ko),
            ("en-US,en;q=0.9,ko;q=0.8", Lang::En),
            ("fr, ko;q=0.5", Lang::Ko),
            ("KO", Lang::Ko),
            ("", Lang::En),
            ("*", Lang::En),
            ("é,ko", Lang::Ko),
        ] {
            assert_eq!(Lang::from_accept_language(header), lang, "{header:?}");
        }
    }
}
