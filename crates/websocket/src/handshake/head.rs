//! Start line and header fields, of requests and answers alike (RFC 9112), as strictly as it is
//! written there: what two readers of one request could understand differently is refused.

use super::HeadLimits;

/// Why a head isn't one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeadError {
    /// More bytes than allowed.
    TooLong,
    /// More header fields than allowed.
    TooMany,
    /// Against the syntax, with a sentence about it.
    Syntax(&'static str),
}

pub(crate) struct Head<'a> {
    pub(crate) start_line: &'a [u8],
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    /// The head's bytes, with the empty line.
    pub(crate) consumed: usize,
}

/// `Ok(None)`: incomplete, and not wrong so far.
pub(crate) fn parse<'a>(
    bytes: &'a [u8],
    limits: &HeadLimits,
) -> Result<Option<Head<'a>>, HeadError> {
    let within = &bytes[..bytes.len().min(limits.bytes)];
    let end = within.windows(4).position(|four| four == b"\r\n\r\n");
    // Checked before the head is complete: somebody who ends lines with a bare LF would wait for
    // ever.
    check_bytes(&within[..end.map_or(within.len(), |end| end + 4)])?;
    let Some(end) = end else {
        return if bytes.len() >= limits.bytes { Err(HeadError::TooLong) } else { Ok(None) };
    };
    let mut lines = Lines(&within[..end]);
    let start_line = lines.next().unwrap_or_default();
    let mut headers = Vec::new();
    for line in lines {
        if headers.len() == limits.headers {
            return Err(HeadError::TooMany);
        }
        headers.push(header(line)?);
    }
    Ok(Some(Head { start_line, headers, consumed: end + 4 }))
}

/// RFC 9112, 2.2: only CRLF ends a line; other control characters but the tab have no place in a
/// head.
fn check_bytes(bytes: &[u8]) -> Result<(), HeadError> {
    let mut previous = 0;
    for &byte in bytes {
        if (previous == b'\r') != (byte == b'\n') {
            return Err(HeadError::Syntax("Lines must end with CR LF."));
        }
        if byte == 0x7f || (byte < 0x20 && !matches!(byte, b'\r' | b'\n' | b'\t')) {
            return Err(HeadError::Syntax("Control characters are not allowed."));
        }
        previous = byte;
    }
    Ok(())
}

/// Lines without their CRLF. The bytes have passed [`check_bytes`].
struct Lines<'a>(&'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.0.is_empty() {
            return None;
        }
        let end = self.0.iter().position(|&byte| byte == b'\r').unwrap_or(self.0.len());
        let line = &self.0[..end];
        self.0 = self.0.get(end + 2..).unwrap_or_default();
        Some(line)
    }
}

fn header(line: &[u8]) -> Result<(String, Vec<u8>), HeadError> {
    if line.starts_with(b" ") || line.starts_with(b"\t") {
        return Err(HeadError::Syntax("A header field must not be folded."));
    }
    let colon = line
        .iter()
        .position(|&byte| byte == b':')
        .ok_or(HeadError::Syntax("A header field has no colon."))?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    // Also refuses space before the colon (RFC 9112, 5.1).
    if !is_token(name) {
        return Err(HeadError::Syntax("A header field's name is not a token."));
    }
    // A token is ASCII, so that nothing is lost.
    Ok((String::from_utf8_lossy(name).into_owned(), trim(value).to_vec()))
}

/// RFC 9110, 5.6.2.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&byte| is_token_byte(byte))
}

pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Without spaces and tabs at both ends.
pub(crate) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// The elements of comma separated lists, over all fields of a name; empty ones don't count (RFC
/// 9110, 5.6.1).
pub(crate) fn list<'a>(values: impl Iterator<Item = &'a [u8]>) -> impl Iterator<Item = &'a [u8]> {
    values
        .flat_map(|value| value.split(|&byte| byte == b','))
        .map(trim)
        .filter(|element| !element.is_empty())
}

/// Whether a list has a token, in any case.
pub(crate) fn has_token<'a>(values: impl Iterator<Item = &'a [u8]>, token: &str) -> bool {
    list(values).any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
}

/// A value of our own that can't break out of its line.
pub(crate) fn field_value(value: &str) -> String {
    value.chars().map(|char| if char.is_ascii_control() { ' ' } else { char }).collect()
}

/// The fields of one name, in any case.
pub(crate) fn fields<'a>(
    headers: &'a [(String, Vec<u8>)],
    name: &'a str,
) -> impl Iterator<Item = &'a [u8]> {
    headers
        .iter()
        .filter(move |(other, _)| other.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_slice())
}
