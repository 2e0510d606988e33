//! Closing: codes, the body of a Close frame, and how a connection ended (RFC 6455, 5.5.1 and 7).

use crate::Violation;

/// 1000: the purpose is fulfilled.
pub const NORMAL: u16 = 1000;
/// 1001: the server stops, or the page was left.
pub const GOING_AWAY: u16 = 1001;
/// 1002: a rule of the protocol was broken.
pub const PROTOCOL_ERROR: u16 = 1002;
/// 1003: a kind of data that isn't accepted.
pub const UNSUPPORTED: u16 = 1003;
/// 1005: stands for "the Close frame had no code"; never on the wire.
pub const NO_STATUS: u16 = 1005;
/// 1006: stands for "there was no Close frame"; never on the wire.
pub const ABNORMAL: u16 = 1006;
/// 1007: data that doesn't fit the message's type, as text that isn't UTF-8.
pub const INVALID_PAYLOAD: u16 = 1007;
/// 1008: against the endpoint's policy.
pub const POLICY: u16 = 1008;
/// 1009: more bytes than the endpoint takes.
pub const TOO_BIG: u16 = 1009;
/// 1011: an error of the server's own.
pub const INTERNAL_ERROR: u16 = 1011;
/// 1012: the server restarts (IANA registry).
pub const SERVICE_RESTART: u16 = 1012;
/// 1013: overloaded, try again later (IANA registry).
pub const TRY_AGAIN_LATER: u16 = 1013;

/// The longest reason, in bytes: 125 of a control frame less two of the code (5.5).
pub const REASON_BYTES_MAX: usize = 123;

/// Whether a Close frame may carry this code (7.4, with the codes registered since: 1012 to 1014).
pub fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// What a Close frame said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseFrame {
    /// `None`: the frame had no body.
    pub code: Option<u16>,
    /// May be empty.
    pub reason: String,
}

/// What ended a connection first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// [`Connection::close`](crate::Connection::close) was called.
    Local,
    /// The peer sent a Close frame.
    Peer,
    /// The peer broke a rule and we failed the connection (7.1.7).
    Violation(Violation),
    /// The peer's bytes ended without a Close frame.
    Eof,
    /// Nothing was heard from the peer for `Timing::silent_max`.
    Silent,
}

/// How a connection ended, or is ending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// What ended it first.
    pub cause: Cause,
    /// The Close frame that we sent or have waiting in `output()`.
    pub sent: Option<CloseFrame>,
    /// The Close frame that the peer sent.
    pub received: Option<CloseFrame>,
}

impl Closed {
    /// "The WebSocket Connection Close Code" (7.1.5): the one received, else 1005 if the frame had
    /// none, 1006 if there was no Close frame.
    pub fn code(&self) -> u16 {
        match &self.received {
            Some(frame) => frame.code.unwrap_or(NO_STATUS),
            None => ABNORMAL,
        }
    }

    /// "The WebSocket Connection Close Reason" (7.1.6).
    pub fn reason(&self) -> &str {
        self.received.as_ref().map_or("", |frame| &frame.reason)
    }

    /// Whether both Close frames are exchanged: "closed cleanly" (7.1.4).
    pub fn clean(&self) -> bool {
        self.sent.is_some() && self.received.is_some()
    }
}

/// Reads the body of a Close frame (5.5.1).
pub(crate) fn parse(body: &[u8]) -> Result<CloseFrame, Violation> {
    match body {
        [] => Ok(CloseFrame { code: None, reason: String::new() }),
        [_] => Err(Violation::CloseTooShort),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            if !may_be_sent(code) {
                return Err(Violation::CloseCode(code));
            }
            let reason = str::from_utf8(reason).map_err(|_| Violation::CloseReasonNotUtf8)?;
            Ok(CloseFrame { code: Some(code), reason: reason.to_owned() })
        }
    }
}

/// What to send for a code and a reason: 1005 means no body, any other code that must not be on the
/// wire becomes 1011 (it is an error of our own), and the reason is cut to [`REASON_BYTES_MAX`]
/// between two characters.
pub(crate) fn sendable(code: u16, reason: &str) -> CloseFrame {
    if code == NO_STATUS {
        return CloseFrame { code: None, reason: String::new() };
    }
    let code = if may_be_sent(code) { code } else { INTERNAL_ERROR };
    CloseFrame {
        code: Some(code),
        reason: reason[..reason.floor_char_boundary(REASON_BYTES_MAX)].to_owned(),
    }
}

/// The body of a Close frame.
pub(crate) fn body(frame: &CloseFrame) -> Vec<u8> {
    let Some(code) = frame.code else { return Vec::new() };
    let mut body = Vec::with_capacity(2 + frame.reason.len());
    body.extend_from_slice(&code.to_be_bytes());
    body.extend_from_slice(frame.reason.as_bytes());
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_codes_with_a_meaning_on_the_wire_may_be_sent() {
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] {
            assert!(!may_be_sent(code), "{code}");
            assert_eq!(parse(&code.to_be_bytes()), Err(Violation::CloseCode(code)));
        }
        for code in [
            1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999,
            4000, 4999,
        ] {
            assert!(may_be_sent(code), "{code}");
            assert_eq!(
                parse(&code.to_be_bytes()),
                Ok(CloseFrame { code: Some(code), reason: String::new() })
            );
        }
    }

    #[test]
    fn a_close_body_is_empty_or_starts_with_a_code() {
        assert_eq!(parse(b""), Ok(CloseFrame { code: None, reason: String::new() }));
        assert_eq!(parse(b"\x03"), Err(Violation::CloseTooShort));
        assert_eq!(
            parse(b"\x03\xe8bye"),
            Ok(CloseFrame { code: Some(1000), reason: "bye".to_owned() })
        );
        assert_eq!(parse(b"\x03\xe8\xff"), Err(Violation::CloseReasonNotUtf8));
    }

    #[test]
    fn a_long_reason_is_cut_between_two_characters() {
        let frame = sendable(NORMAL, &"한".repeat(50));
        assert_eq!(frame.reason, "한".repeat(41));
        assert_eq!(body(&frame).len(), 125);
        assert_eq!(sendable(NORMAL, &format!("x{}", "한".repeat(50))).reason.len(), 1 + 40 * 3);
    }

    #[test]
    fn a_code_that_must_not_be_sent_is_never_sent() {
        assert_eq!(sendable(NO_STATUS, "x"), CloseFrame { code: None, reason: String::new() });
        assert_eq!(sendable(ABNORMAL, "").code, Some(INTERNAL_ERROR));
        assert_eq!(sendable(1015, "").code, Some(INTERNAL_ERROR));
        assert!(body(&sendable(NO_STATUS, "x")).is_empty());
    }
}
