//! What a connection's messages mean, and how it is answered. Chosen once, at the opening
//! handshake; this is the one file that tells dialects apart.

pub mod v1;
pub mod wire;

use crate::feed::Encoding;
use crate::lang::Lang;
use crate::session::Context;
use damso_chat::hub::{Answer, Ending, Opened, Request, Who};
use damso_protocol::{RoomId, UserId, plain};
use damso_store::Page;
use damso_websocket::{Connection, Event};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;
use tracing::debug;

/// The close code of an ended plain connection, but for a server that stops: 1008, policy.
const POLICY: u16 = 1008;
/// The close code for plain peers when the server stops: 1001, going away.
const GOING_AWAY: u16 = 1001;

/// Which dialect a connection talks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The tutorial's chat: text lines to and from the lobby.
    Plain,
    /// `damso.v1`: JSON.
    V1,
    /// Every message goes back to whoever sent it (`damso echo`).
    Echo,
}

impl Kind {
    /// The chat's own.
    pub const CHAT: [Self; 2] = [Self::Plain, Self::V1];

    /// What it is called in figures.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::V1 => "v1",
            Self::Echo => "echo",
        }
    }
}

/// How a connection talks, and how far it has come.
#[derive(Debug)]
pub enum Dialect {
    /// The tutorial's chat.
    Plain {
        /// What the peer reads complaints in.
        lang: Lang,
    },
    /// `damso.v1`.
    V1(v1::Talk),
    /// Every message goes back.
    Echo,
}

/// What a message came to.
pub enum Said {
    /// Nothing to do.
    Nothing,
    /// Somebody says who it is.
    Hello(Who),
    /// Something to ask the hub, and what the peer calls it.
    Ask(u64, Request),
    /// A message to send back.
    Back(Back),
    /// The connection is to be closed, with this code and reason.
    End(u16, String),
    /// The same, after this text.
    Refuse(String, u16, String),
}

/// A message that goes back to its sender.
pub enum Back {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
}

/// What a session is told, by the hub or by the readers.
pub enum Reply<'a> {
    /// The hub's answer to the request of that id; 0 for what wasn't asked for.
    Answer(u64, &'a Answer),
    /// A room is open; with its newest page if that resets what the session holds.
    Opened(&'a Opened, Option<&'a Page>),
    /// A page, for the request of that id, as this user sees it.
    Page(u64, &'a Page, &'a UserId),
}

impl Dialect {
    /// A connection that begins to talk so.
    pub fn begin(kind: Kind, lang: Lang, context: &Context, now: Instant) -> Self {
        match kind {
            Kind::Plain => Self::Plain { lang },
            Kind::V1 => Self::V1(v1::Talk::new(lang, context, now)),
            Kind::Echo => Self::Echo,
        }
    }

    /// What a new connection says to the hub before anything else, and the request that follows:
    /// a plain connection hears the lobby, live only. Nothing if it is silent at first.
    pub fn greet(&self, peer: SocketAddr) -> Option<(Who, Request)> {
        match self {
            Self::Plain { .. } => {
                let who = Who::Plain { address: shown(peer) };
                Some((who, Request::Listen { room: RoomId::lobby() }))
            }
            Self::V1(_) | Self::Echo => None,
        }
    }

    /// What a peer's message means.
    pub fn hear(&mut self, event: &Event<'_>, peer: SocketAddr, context: &Context) -> Said {
        match (self, event) {
            (Self::Plain { .. }, Event::Text(text)) if plain::is_blank(text) => {
                debug!(%peer, "empty message");
                Said::Nothing
            }
            (Self::Plain { .. }, Event::Text(text)) => {
                let (room, text) = (RoomId::lobby(), (*text).into());
                Said::Ask(0, Request::Say { room, nonce: None, text, reply: None })
            }
            (Self::Plain { .. }, Event::Binary(bytes)) => {
                debug!(%peer, opcode = 2, length = bytes.len(), "unhandled frame");
                Said::Nothing
            }
            (Self::V1(talk), Event::Text(text)) => talk.hear(text, peer, context),
            (Self::V1(talk), Event::Binary(_)) => talk.hear_binary(context),
            (Self::Echo, Event::Text(text)) => Said::Back(Back::Text((*text).into())),
            (Self::Echo, Event::Binary(bytes)) => Said::Back(Back::Binary(bytes.to_vec())),
            _ => Said::Nothing,
        }
    }

    /// The peer was heard, or wasn't listened to.
    pub fn touch(&mut self) {
        match self {
            Self::V1(talk) => talk.touch(),
            Self::Plain { .. } | Self::Echo => {}
        }
    }

    /// Tells the peer what it is to know, if its dialect has a word for that.
    pub fn reply(&mut self, reply: &Reply<'_>, connection: &mut Connection, context: &Context) {
        match (self, reply) {
            (Self::Plain { lang }, Reply::Answer(_, Answer::Refused(refusal))) => {
                context.metrics.error(refusal.code());
                complain(connection, &lang.refusal(refusal));
            }
            (Self::V1(talk), reply) => talk.reply(reply, connection, context),
            // The other answers are an operator's, whose dialect is the console.
            (Self::Plain { .. } | Self::Echo, _) => {}
        }
    }

    /// Begins the end of a connection: a line that says why, and a Close.
    pub fn end(&mut self, ending: Ending, connection: &mut Connection, now: Instant) {
        let (lang, code) = match (self, ending) {
            (Self::V1(talk), _) => return talk.end(ending, connection, now),
            (Self::Plain { lang }, Ending::Stopping) => (*lang, GOING_AWAY),
            (Self::Plain { lang }, _) => (*lang, POLICY),
            (Self::Echo, _) => (Lang::En, GOING_AWAY),
        };
        let why = lang.ending(ending);
        if ending != Ending::Stopping {
            complain(connection, &why);
        }
        connection.close(code, &why, now);
    }

    /// When [`Dialect::handle_timeout`] is due, if ever.
    pub fn deadline(&self, connection: &Connection, context: &Context) -> Option<Instant> {
        match self {
            Self::V1(talk) => Some(talk.deadline(connection, context)),
            Self::Plain { .. } | Self::Echo => None,
        }
    }

    /// Does what time brings.
    pub fn handle_timeout(&mut self, connection: &mut Connection, context: &Context, now: Instant) {
        match self {
            Self::V1(talk) => talk.handle_timeout(connection, context, now),
            Self::Plain { .. } | Self::Echo => {}
        }
    }

    /// How events are written for it; none if it hears no rooms.
    pub fn encoding(&self, deflates: bool) -> Option<Encoding> {
        match (self, deflates) {
            (Self::Plain { .. }, true) => Some(Encoding::PlainDeflated),
            (Self::Plain { .. }, false) => Some(Encoding::Plain),
            (Self::V1(_), true) => Some(Encoding::V1Deflated),
            (Self::V1(_), false) => Some(Encoding::V1),
            (Self::Echo, _) => None,
        }
    }
}

/// A line from the server to this peer alone.
fn complain(connection: &mut Connection, why: &str) {
    // A connection that is closing takes no more data, and needs no complaint.
    let _ = connection.send_text(&plain::line(plain::DAMSO, why));
}

/// A peer's address as people see it: v4-mapped ones as IPv4, no zone.
pub fn shown(peer: SocketAddr) -> SocketAddr {
    let ip: IpAddr = peer.ip().to_canonical();
    SocketAddr::new(ip, peer.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_address_is_shown_as_ipv4_and_ipv6_in_brackets() {
        for (peer, expected) in [
            ("[::ffff:10.0.0.7]:5000", "10.0.0.7:5000"),
            ("127.0.0.1:1", "127.0.0.1:1"),
            ("[::1]:8765", "[::1]:8765"),
            ("[fe80::1%2]:9", "[fe80::1]:9"),
        ] {
            assert_eq!(shown(peer.parse().unwrap()).to_string(), expected);
        }
    }
}
