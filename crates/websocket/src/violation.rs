//! What a peer may do wrong after the opening handshake.

use std::fmt;

use crate::close;

/// A rule of RFC 6455 or RFC 7692 that the peer broke, or a limit of ours that it exceeded. The
/// connection answers it by itself with a Close frame of [`Violation::close_code`] and ignores what
/// follows (7.1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A reserved bit is set that no agreed extension gives a meaning, or RSV1 on a frame that may
    /// not carry it (5.2; RFC 7692, 6).
    ReservedBits,
    /// An opcode that RFC 6455 reserves (5.2).
    ReservedOpcode(u8),
    /// A client's frame that isn't masked (5.1).
    NotMasked,
    /// A server's frame that is masked (5.1).
    Masked,
    /// A control frame in fragments (5.5).
    ControlFragmented,
    /// A control frame with more than 125 bytes (5.5).
    ControlTooLong,
    /// A length in more bytes than it needs (5.2: "the minimal number of bytes MUST be used").
    LengthNotMinimal,
    /// A length with the most significant bit set (5.2).
    LengthTooLong,
    /// A continuation frame, but no message to continue (5.4).
    NothingToContinue,
    /// A new message before the last one was finished (5.4).
    MessageUnfinished,
    /// A frame that claims more bytes than `Limits::frame_bytes`.
    FrameTooBig {
        /// The length in the frame's header.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// A message of more bytes than `Limits::message_bytes`, counted after inflation.
    MessageTooBig {
        /// The limit.
        bytes_max: usize,
    },
    /// Text that isn't UTF-8 (8.1).
    TextNotUtf8,
    /// A compressed message that isn't DEFLATE data (RFC 7692, 7.2.2).
    NotDeflate,
    /// A Close frame with a body of one byte: no room for a code (5.5.1).
    CloseTooShort,
    /// A close code that must not be on the wire (7.4).
    CloseCode(u16),
    /// A reason that isn't UTF-8 (5.5.1).
    CloseReasonNotUtf8,
}

impl Violation {
    /// The code of the Close frame that answers it (7.4.1).
    pub fn close_code(&self) -> u16 {
        match self {
            Violation::FrameTooBig { .. } | Violation::MessageTooBig { .. } => close::TOO_BIG,
            Violation::TextNotUtf8 | Violation::NotDeflate | Violation::CloseReasonNotUtf8 => {
                close::INVALID_PAYLOAD
            }
            Violation::ReservedBits
            | Violation::ReservedOpcode(_)
            | Violation::NotMasked
            | Violation::Masked
            | Violation::ControlFragmented
            | Violation::ControlTooLong
            | Violation::LengthNotMinimal
            | Violation::LengthTooLong
            | Violation::NothingToContinue
            | Violation::MessageUnfinished
            | Violation::CloseTooShort
            | Violation::CloseCode(_) => close::PROTOCOL_ERROR,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Violation::ReservedBits => write!(f, "reserved bits without a meaning"),
            Violation::ReservedOpcode(opcode) => write!(f, "reserved opcode {opcode:#x}"),
            Violation::NotMasked => write!(f, "a client's frame must be masked"),
            Violation::Masked => write!(f, "a server's frame must not be masked"),
            Violation::ControlFragmented => write!(f, "a control frame must not be fragmented"),
            Violation::ControlTooLong => write!(f, "a control frame has at most 125 bytes"),
            Violation::LengthNotMinimal => write!(f, "a length in more bytes than it needs"),
            Violation::LengthTooLong => write!(f, "a length of 2^63 or more"),
            Violation::NothingToContinue => write!(f, "a continuation frame without a message"),
            Violation::MessageUnfinished => {
                write!(f, "a new message before the last one was finished")
            }
            Violation::FrameTooBig { bytes, bytes_max } => {
                write!(f, "a frame of {bytes} bytes; the limit is {bytes_max}")
            }
            Violation::MessageTooBig { bytes_max } => {
                write!(f, "a message of more than {bytes_max} bytes")
            }
            Violation::TextNotUtf8 => write!(f, "text that isn't UTF-8"),
            Violation::NotDeflate => write!(f, "a compressed message that can't be inflated"),
            Violation::CloseTooShort => write!(f, "a close frame with a body of one byte"),
            Violation::CloseCode(code) => write!(f, "close code {code} must not be sent"),
            Violation::CloseReasonNotUtf8 => write!(f, "a close reason that isn't UTF-8"),
        }
    }
}
