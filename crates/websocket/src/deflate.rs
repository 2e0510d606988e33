//! permessage-deflate (RFC 7692): what is agreed, and the coding itself.

mod codec;

pub use codec::Deflater;
pub(crate) use codec::{
    InflateError, Inflater, give_deflater, give_inflater, take_deflater, take_inflater,
};

use crate::handshake::extension::Extension;

/// The extension's name in `Sec-WebSocket-Extensions`.
pub const NAME: &str = "permessage-deflate";

/// What a server makes of an offer.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Our messages don't refer to earlier ones, whatever was offered; default true. Such messages
    /// can be shared by subscribers, and the connection owns no compressor (some 256 KiB) between
    /// two messages.
    pub server_no_context_takeover: bool,
    /// Ask the same of the client; default true. The connection then owns no 32 KiB window between
    /// two messages.
    pub client_no_context_takeover: bool,
    /// An offer whose `server_max_window_bits` is below this is declined; default 15: no offer that
    /// asks for less than we would use. At least 9, because zlib's raw deflate has no window of 8
    /// bits.
    pub server_max_window_bits_min: u8,
    /// The window asked of a client that lets us ask (its offer has `client_max_window_bits`);
    /// default 15, range 9–15. Saves memory at the client only.
    pub client_max_window_bits: u8,
    /// 0 (stored) to 9 (smallest); default 6.
    pub level: u32,
    /// Shorter messages go uncompressed; default 64 bytes.
    pub threshold_bytes: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            server_no_context_takeover: true,
            client_no_context_takeover: true,
            server_max_window_bits_min: 15,
            client_max_window_bits: 15,
            level: 6,
            threshold_bytes: 64,
        }
    }
}

/// What a client offers.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The server must not refer to earlier messages; default false.
    pub server_no_context_takeover: bool,
    /// A hint that we won't refer to earlier messages; default false.
    pub client_no_context_takeover: bool,
    /// The largest window that the server may use, 9–15; default `None`: 15.
    pub server_max_window_bits: Option<u8>,
    /// Whether the server may limit our window; default true.
    pub client_max_window_bits: bool,
    /// 0 (stored) to 9 (smallest); default 6.
    pub level: u32,
    /// Shorter messages go uncompressed; default 64 bytes.
    pub threshold_bytes: u32,
}

impl Default for Offer {
    fn default() -> Self {
        Offer {
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            server_max_window_bits: None,
            client_max_window_bits: true,
            level: 6,
            threshold_bytes: 64,
        }
    }
}

/// What the two sides agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// The server's messages don't refer to earlier ones.
    pub server_no_context_takeover: bool,
    /// The client's messages don't refer to earlier ones.
    pub client_no_context_takeover: bool,
    /// The server's window, 8–15.
    pub server_max_window_bits: u8,
    /// The client's window, 8–15. At 8 a client of ours sends uncompressed.
    pub client_max_window_bits: u8,
    /// For our own messages: 0–9.
    pub level: u32,
    /// Shorter messages of our own go uncompressed; bytes.
    pub threshold_bytes: u32,
}

/// What of that one end has to know.
#[derive(Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) threshold_bytes: u32,
    pub(crate) level: u8,
    /// Of its own window, 8–15.
    pub(crate) window_bits: u8,
    /// Whether its own messages refer to earlier ones.
    pub(crate) takes_over: bool,
    /// Whether the peer's may.
    pub(crate) peer_takes_over: bool,
}

impl Terms {
    pub(crate) fn of(agreed: &Agreed, is_client: bool) -> Self {
        let server = (agreed.server_max_window_bits, !agreed.server_no_context_takeover);
        let client = (agreed.client_max_window_bits, !agreed.client_no_context_takeover);
        let (own, peer) = if is_client { (client, server) } else { (server, client) };
        Terms {
            threshold_bytes: agreed.threshold_bytes,
            level: u8::try_from(agreed.level).unwrap_or(u8::MAX),
            window_bits: own.0,
            takes_over: own.1,
            peer_takes_over: peer.1,
        }
    }
}

/// The parameters of one offer or answer, each at most once and with a legal value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Parameters {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    /// `Some(None)`: without a value.
    client_max_window_bits: Option<Option<u8>>,
}

impl Parameters {
    /// `None` for an unknown parameter, a repeated one, or a value that it can't have (7.1).
    fn parse(extension: &Extension) -> Option<Self> {
        let mut parameters = Parameters::default();
        for (name, value) in &extension.parameters {
            let value = value.as_deref();
            let repeated = match name.to_ascii_lowercase().as_str() {
                "server_no_context_takeover" => {
                    no_value(value)?;
                    std::mem::replace(&mut parameters.server_no_context_takeover, true)
                }
                "client_no_context_takeover" => {
                    no_value(value)?;
                    std::mem::replace(&mut parameters.client_no_context_takeover, true)
                }
                "server_max_window_bits" => {
                    let bits = window_bits(value?)?;
                    parameters.server_max_window_bits.replace(bits).is_some()
                }
                "client_max_window_bits" => {
                    let bits = match value {
                        Some(value) => Some(window_bits(value)?),
                        None => None,
                    };
                    parameters.client_max_window_bits.replace(bits).is_some()
                }
                _ => return None,
            };
            if repeated {
                return None;
            }
        }
        Some(parameters)
    }
}

fn no_value(value: Option<&str>) -> Option<()> {
    value.is_none().then_some(())
}

/// 7.1.2: "a decimal integer value without leading zeroes between 8 to 15".
fn window_bits(value: &str) -> Option<u8> {
    match value {
        "8" => Some(8),
        "9" => Some(9),
        "10" => Some(10),
        "11" => Some(11),
        "12" => Some(12),
        "13" => Some(13),
        "14" => Some(14),
        "15" => Some(15),
        _ => None,
    }
}

/// The first acceptable of a client's offers (5.1: they come in the client's order of preference).
pub(crate) fn negotiate(offers: &[Extension], policy: &Policy) -> Option<Agreed> {
    offers
        .iter()
        .filter(|offer| offer.is(NAME))
        .find_map(|offer| accept(&Parameters::parse(offer)?, policy))
}

fn accept(offer: &Parameters, policy: &Policy) -> Option<Agreed> {
    let server_max_window_bits = offer.server_max_window_bits.unwrap_or(15);
    if server_max_window_bits < policy.server_max_window_bits_min.max(9) {
        return None;
    }
    // 7.1.2.2: a value in the offer is a promise, also for what we don't answer; without the
    // parameter the client can't be told, and uses up to 15.
    let client_max_window_bits = match offer.client_max_window_bits {
        Some(promised) => promised.unwrap_or(15).min(policy.client_max_window_bits.clamp(9, 15)),
        None => 15,
    };
    Some(Agreed {
        server_no_context_takeover: offer.server_no_context_takeover
            || policy.server_no_context_takeover,
        client_no_context_takeover: offer.client_no_context_takeover
            || policy.client_no_context_takeover,
        server_max_window_bits,
        client_max_window_bits,
        level: policy.level,
        threshold_bytes: policy.threshold_bytes,
    })
}

impl Agreed {
    /// The element of the server's `Sec-WebSocket-Extensions`. A window of 15 bits needs no
    /// mention; a smaller one was in the offer, since [`negotiate`] never makes it smaller unasked.
    pub(crate) fn answer(&self) -> String {
        let mut answer = NAME.to_owned();
        if self.server_no_context_takeover {
            answer.push_str("; server_no_context_takeover");
        }
        if self.client_no_context_takeover {
            answer.push_str("; client_no_context_takeover");
        }
        if self.server_max_window_bits < 15 {
            answer.push_str(&format!("; server_max_window_bits={}", self.server_max_window_bits));
        }
        if self.client_max_window_bits < 15 {
            answer.push_str(&format!("; client_max_window_bits={}", self.client_max_window_bits));
        }
        answer
    }
}

impl Offer {
    /// The element of the client's `Sec-WebSocket-Extensions`.
    pub(crate) fn header(&self) -> String {
        let mut offer = NAME.to_owned();
        if self.server_no_context_takeover {
            offer.push_str("; server_no_context_takeover");
        }
        if self.client_no_context_takeover {
            offer.push_str("; client_no_context_takeover");
        }
        if let Some(bits) = self.server_max_window_bits {
            offer.push_str(&format!("; server_max_window_bits={}", bits.clamp(9, 15)));
        }
        if self.client_max_window_bits {
            offer.push_str("; client_max_window_bits");
        }
        offer
    }

    /// Checks the server's answer; `None`: the client must fail the connection (7.1).
    pub(crate) fn check(&self, answer: &Extension) -> Option<Agreed> {
        let answer = Parameters::parse(answer)?;
        if self.server_no_context_takeover && !answer.server_no_context_takeover {
            return None;
        }
        // Unasked it is allowed too: it only says how the server will compress.
        let server_max_window_bits = answer.server_max_window_bits.unwrap_or(15);
        if let Some(offered) = self.server_max_window_bits
            && server_max_window_bits > offered.clamp(9, 15)
        {
            return None;
        }
        let client_max_window_bits = match answer.client_max_window_bits {
            None => 15,
            // 7.1.2.2: "If a server sends … client_max_window_bits without the offer having it, the
            // client fails".
            Some(_) if !self.client_max_window_bits => return None,
            // In an answer it has a value.
            Some(bits) => bits?,
        };
        Some(Agreed {
            server_no_context_takeover: answer.server_no_context_takeover,
            client_no_context_takeover: answer.client_no_context_takeover
                || self.client_no_context_takeover,
            server_max_window_bits,
            client_max_window_bits,
            level: self.level,
            threshold_bytes: self.threshold_bytes,
        })
    }
}
