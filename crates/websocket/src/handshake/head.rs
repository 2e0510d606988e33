//! Start line and header fields, of requests and answers alike (RFC 9112), as strictly as it is
//! written there: what two readers of one request could understand differently is refused.
//! `httparse` reads them; what it would let pass is refused here before.

use super::HeadLimits;

/// Why a head isn't one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeadError {
    /// More bytes than allowed.
    TooLong,
    /// Against the syntax, with a sentence about it.
    Syntax(&'static str),
}

/// The bytes of a whole head, with its empty line, for `httparse`. `Ok(None)`: incomplete, and not
/// wrong so far.
pub(crate) fn whole<'a>(
    bytes: &'a [u8],
    limits: &HeadLimits,
) -> Result<Option<&'a [u8]>, HeadError> {
    let within = &bytes[..bytes.len().min(limits.bytes)];
    let end = within.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4);
    let head = &within[..end.unwrap_or(within.len())];
    // Checked before the head is complete: somebody who ends lines with a bare LF would wait for
    // ever.
    check_bytes(head)?;
    match end {
        Some(_) => Ok(Some(head)),
        None if bytes.len() >= limits.bytes => Err(HeadError::TooLong),
        None => Ok(None),
    }
}

/// RFC 9112, 2.2: only CRLF ends a line; other control characters but the tab have no place in a
/// head. Nor has an empty line before it.
fn check_bytes(bytes: &[u8]) -> Result<(), HeadError> {
    if bytes.starts_with(b"\r\n") {
        return Err(HeadError::Syntax("The first line is empty."));
    }
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

/// Room for the fields of a head of so many bytes.
pub(crate) fn room<'a>(head: &'a [u8], limits: &HeadLimits) -> Vec<httparse::Header<'a>> {
    vec![httparse::EMPTY_HEADER; limits.headers.min(head.len())]
}

pub(crate) fn owned(headers: &[httparse::Header]) -> Vec<(String, Vec<u8>)> {
    headers.iter().map(|header| (header.name.to_owned(), header.value.to_vec())).collect()
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
