//! What a connection's messages mean, and how it is answered. Chosen once, at the opening
//! handshake; this is the one file that tells dialects apart.

use crate::feed::Encoding;
use crate::lang::Lang;
use damso_chat::hub::{Answer, Ending, Input, Request, SessionId, Who};
use damso_protocol::{RoomId, plain};
use damso_websocket::{Connection, Event};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;
use tracing::debug;

/// The close code of an ended plain connection, but for a server that stops: 1008, policy.
const POLICY: u16 = 1008;
/// The close code for plain peers when the server stops: 1001, going away.
const GOING_AWAY: u16 = 1001;

/// How a connection talks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialect {
    /// The tutorial's chat: text lines to and from the lobby.
    Plain {
        /// What the peer reads complaints in.
        lang: Lang,
    },
    /// Every message goes back to whoever sent it (`damso echo`).
    Echo,
}

/// What a message came to.
pub enum Said {
    /// Nothing to do.
    Nothing,
    /// Something to ask the hub.
    Ask(Request),
    /// A message to send back.
    Back(Back),
}

/// A message that goes back to its sender.
pub enum Back {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
}

impl Dialect {
    /// What a new connection says to the hub before anything else; nothing if there is no hub.
    pub fn greet(self, session: SessionId, peer: SocketAddr, hub: &mut Vec<Input>) {
        match self {
            Self::Plain { .. } => {
                hub.push(Input::Hello { session, who: Who::Guest { address: shown(peer) } });
            }
            Self::Echo => {}
        }
    }

    /// The request that follows the greeting: a plain connection hears the lobby, live only.
    pub fn enter(self) -> Option<Request> {
        match self {
            Self::Plain { .. } => Some(Request::Open { room: RoomId::lobby() }),
            Self::Echo => None,
        }
    }

    /// What a peer's message means.
    pub fn hear(self, event: &Event<'_>, peer: SocketAddr) -> Said {
        match (self, event) {
            (Self::Plain { .. }, Event::Text(text)) if plain::is_blank(text) => {
                debug!(%peer, "empty message");
                Said::Nothing
            }
            (Self::Plain { .. }, Event::Text(text)) => {
                Said::Ask(Request::Say { room: RoomId::lobby(), text: (*text).into() })
            }
            (Self::Plain { .. }, Event::Binary(bytes)) => {
                debug!(%peer, opcode = 2, length = bytes.len(), "unhandled frame");
                Said::Nothing
            }
            (Self::Echo, Event::Text(text)) => Said::Back(Back::Text((*text).into())),
            (Self::Echo, Event::Binary(bytes)) => Said::Back(Back::Binary(bytes.to_vec())),
            _ => Said::Nothing,
        }
    }

    /// Tells the peer what the hub answered, if there is anything to tell.
    pub fn answer(self, answer: &Answer, connection: &mut Connection) {
        match (self, answer) {
            (Self::Plain { lang }, Answer::Refused(refusal)) => {
                complain(connection, &lang.refusal(refusal));
            }
            // The other answers are an operator's, whose dialect is the console.
            (Self::Plain { .. } | Self::Echo, _) => {}
        }
    }

    /// Begins the end of a connection: a line that says why, and a Close.
    pub fn end(self, ending: Ending, connection: &mut Connection, now: Instant) {
        let (lang, code) = match (self, ending) {
            (Self::Plain { lang }, Ending::Stopping) => (lang, GOING_AWAY),
            (Self::Plain { lang }, _) => (lang, POLICY),
            (Self::Echo, _) => (Lang::En, GOING_AWAY),
        };
        let why = lang.ending(ending);
        if ending != Ending::Stopping {
            complain(connection, &why);
        }
        connection.close(code, &why, now);
    }

    /// How events are written for it; none if it hears no rooms.
    pub fn encoding(self, deflates: bool) -> Option<Encoding> {
        match self {
            Self::Plain { .. } if deflates => Some(Encoding::PlainDeflated),
            Self::Plain { .. } => Some(Encoding::Plain),
            Self::Echo => None,
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
