//! `Sec-WebSocket-Extensions` (RFC 6455, 9.1).

use super::head::{is_token, is_token_byte};

/// One extension of an offer or an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// A token.
    pub name: String,
    /// In their order, quotes removed.
    pub parameters: Vec<(String, Option<String>)>,
}

impl Extension {
    /// Whether it is the extension of this name, in any case.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// Reads one field's list. `None`: against the syntax of 9.1.
pub fn parse(value: &[u8]) -> Option<Vec<Extension>> {
    let mut rest = Scanner(value);
    let mut extensions = Vec::new();
    loop {
        rest.space();
        match rest.peek() {
            None => return Some(extensions),
            // RFC 9110, 5.6.1.2: empty elements are to be ignored.
            Some(b',') => {
                rest.skip();
                continue;
            }
            Some(_) => {}
        }
        let mut extension = Extension { name: rest.token()?, parameters: Vec::new() };
        loop {
            rest.space();
            match rest.peek() {
                None | Some(b',') => break,
                Some(b';') => {
                    rest.skip();
                    rest.space();
                    let name = rest.token()?;
                    rest.space();
                    let value = if rest.peek() == Some(b'=') {
                        rest.skip();
                        rest.space();
                        Some(if rest.peek() == Some(b'"') { rest.quoted()? } else { rest.token()? })
                    } else {
                        None
                    };
                    extension.parameters.push((name, value));
                }
                Some(_) => return None,
            }
        }
        extensions.push(extension);
    }
}

struct Scanner<'a>(&'a [u8]);

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    fn skip(&mut self) {
        self.0 = self.0.get(1..).unwrap_or_default();
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.skip();
        }
    }

    fn token(&mut self) -> Option<String> {
        let end = self.0.iter().position(|&byte| !is_token_byte(byte)).unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at(end);
        self.0 = rest;
        (!token.is_empty()).then(|| String::from_utf8_lossy(token).into_owned())
    }

    /// 9.1: "the value after quoted-string unescaping MUST conform to the 'token' ABNF".
    fn quoted(&mut self) -> Option<String> {
        self.skip();
        let mut value = Vec::new();
        loop {
            let byte = self.peek()?;
            self.skip();
            match byte {
                b'"' => break,
                b'\\' => {
                    value.push(self.peek()?);
                    self.skip();
                }
                byte => value.push(byte),
            }
        }
        is_token(&value).then(|| String::from_utf8_lossy(&value).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, expected: Option<&str>) {
        let written = parse(value.as_bytes()).map(|extensions| {
            let mut lines = Vec::new();
            for extension in extensions {
                let mut line = extension.name;
                for (name, value) in extension.parameters {
                    line.push_str(&format!("; {name}"));
                    if let Some(value) = value {
                        line.push_str(&format!("={value}"));
                    }
                }
                lines.push(line);
            }
            lines.join(" | ")
        });
        assert_eq!(written.as_deref(), expected, "{value:?}");
    }

    #[test]
    fn extensions_are_lists_of_tokens_with_parameters() {
        check("", Some(""));
        check("foo", Some("foo"));
        check("foo, bar; baz=2", Some("foo | bar; baz=2"));
        check("bar; baz=2, foo, x;y;z=\"w\"", Some("bar; baz=2 | foo | x; y; z=w"));
        check(" ,, foo ;\tbar = 1 ,", Some("foo; bar=1"));
        check("foo; bar=\"a\\b\"", Some("foo; bar=ab"));
    }

    #[test]
    fn what_the_grammar_does_not_allow_is_refused() {
        for value in [
            ";",
            "foo;",
            "foo bar",
            "foo; =1",
            "foo; bar=",
            "foo; bar=\"",
            "foo; bar=\"\"",
            "foo; bar=\"a b\"",
            "foo; bar=\"a\\",
            "foo=1",
            "\"foo\"",
            "foo; bar=1 2",
            "foo; b@r",
        ] {
            check(value, None);
        }
    }
}
