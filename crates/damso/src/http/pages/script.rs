//! As much of JavaScript as is needed to take comments out of it, and to see what it imports and
//! exports.

/// Without comments and without the indentation of code; each line stays where it is. A text that
/// can't be followed to its end stays as it is.
pub fn without_comments(text: &str) -> String {
    Scanner::new(text)
        .scan()
        .map_or_else(|| text.to_owned(), |scanned| blanked(text, &scanned.blank))
}

/// An `import`, `export` or `await` in the code.
pub struct Word {
    /// Where it begins.
    pub at: usize,
    /// It stands in no block, parentheses or template.
    pub is_outside: bool,
}

/// Every `import`, `export` and `await` in the code; nothing if it can't be followed to its end.
pub fn words(text: &str) -> Option<Vec<Word>> {
    Scanner::new(text).scan().map(|scanned| scanned.words)
}

/// The names after `import … from`, `export … from` and `import`, but no dynamic `import()`.
pub fn imports(text: &str) -> impl Iterator<Item = &str> {
    ["from", "import"].into_iter().flat_map(move |word| {
        text.match_indices(word).filter_map(move |(at, _)| {
            let begins = !text[..at].ends_with(|c: char| is_word(c) || c == '.');
            let rest = text[at + word.len()..].trim_start_matches(' ');
            let quote = rest.chars().next().filter(|c| begins && ['\'', '"'].contains(c))?;
            rest[1..].split_once(quote).map(|(name, _)| name)
        })
    })
}

pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// The text without what stands in these ranges, but with its ends of lines.
fn blanked(text: &str, ranges: &[(usize, usize)]) -> String {
    let mut rest = 0;
    let mut left = String::with_capacity(text.len());
    for &(start, end) in ranges {
        left.push_str(&text[rest..start]);
        let before = left.len();
        left.extend(text[start..end].matches('\n'));
        // A comment parts what is before it from what is after it.
        if left.len() == before && left.ends_with(is_word) && text[end..].starts_with(is_word) {
            left.push(' ');
        }
        rest = end;
    }
    left.push_str(&text[rest..]);
    left
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// Where the line began.
    line: usize,
    blank: Vec<(usize, usize)>,
    /// The last byte that was neither space nor comment.
    last: u8,
    /// For each template whose `${…}` this is in: how many braces are open in it.
    templates: Vec<usize>,
    /// How many brackets of any kind are open.
    open: usize,
    words: Vec<Word>,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            line: 0,
            blank: Vec::new(),
            last: b'\n',
            templates: Vec::new(),
            open: 0,
            words: Vec::new(),
        }
    }

    /// Goes over all of it, and is nothing if something doesn't end.
    fn scan(mut self) -> Option<Self> {
        while let Some(&byte) = self.text.as_bytes().get(self.at) {
            let rest = &self.text[self.at..];
            match byte {
                b'\n' => {
                    let start = self.at + 1;
                    let after = self.text[start..].trim_start_matches([' ', '\t']);
                    self.line = start;
                    self.at = self.text.len() - after.len();
                    self.blank.push((start, self.at));
                }
                _ if rest.starts_with("//") => {
                    let end = rest.find('\n').unwrap_or(rest.len());
                    self.comment(end);
                }
                _ if rest.starts_with("/*") => {
                    let end = rest.find("*/")? + 2;
                    self.comment(end);
                }
                b'\'' | b'"' => self.quoted(byte, false)?,
                b'/' if !self.is_after_value() => self.quoted(b'/', true)?,
                b'`' => self.template()?,
                b'}' if self.templates.last() == Some(&0) => {
                    self.templates.pop();
                    self.template()?;
                }
                _ => {
                    match byte {
                        b'(' | b'[' | b'{' => self.open += 1,
                        b')' | b']' | b'}' => self.open = self.open.saturating_sub(1),
                        b'i' | b'e' | b'a' => self.note(),
                        _ => {}
                    }
                    match (byte, self.templates.last_mut()) {
                        (b'{', Some(open)) => *open += 1,
                        (b'}', Some(open)) => *open -= 1,
                        _ => {}
                    }
                    self.step(byte);
                }
            }
        }
        self.templates.is_empty().then_some(self)
    }

    /// Notes a [`Word`] that begins here and is no property.
    fn note(&mut self) {
        let rest = &self.text[self.at..];
        let words = ["import", "export", "await"];
        let Some(after) = words.iter().find_map(|word| rest.strip_prefix(word)) else { return };
        let is_part = self.text[..self.at].ends_with(|c: char| is_word(c) || c == '.')
            || after.starts_with(|c: char| is_word(c) || c == ':');
        if !is_part {
            let is_outside = self.open == 0 && self.templates.is_empty();
            self.words.push(Word { at: self.at, is_outside });
        }
    }

    /// Over a character of code.
    fn step(&mut self, byte: u8) {
        if !byte.is_ascii_whitespace() {
            self.last = byte;
        }
        self.at += self.text[self.at..].chars().next().map_or(1, char::len_utf8);
    }

    /// A comment of so many bytes, to be blanked with the space before it.
    fn comment(&mut self, length: usize) {
        let end = self.at + length;
        let start = self.line + self.text[self.line..self.at].trim_end().len();
        let start = start.max(self.blank.last().map_or(0, |(_, end)| *end));
        self.blank.push((start, end));
        if let Some(newline) = self.text[self.at..end].rfind('\n') {
            self.line = self.at + newline + 1;
        }
        self.at = end;
    }

    /// A string or a regular expression, on one line.
    fn quoted(&mut self, quote: u8, expression: bool) -> Option<()> {
        let bytes = self.text.as_bytes();
        let mut in_class = false;
        self.at += 1;
        loop {
            match *bytes.get(self.at)? {
                b'\n' => return None,
                b'\\' => self.at += 1,
                b'[' if expression => in_class = true,
                b']' if expression => in_class = false,
                byte if byte == quote && !in_class => break,
                _ => {}
            }
            self.at += 1;
        }
        self.at += 1;
        // Of a value: after it, `/` divides.
        self.last = b'"';
        Some(())
    }

    /// From `` ` `` or from the `}` in it to the end of it or to `${`.
    fn template(&mut self) -> Option<()> {
        let bytes = self.text.as_bytes();
        self.at += 1;
        loop {
            match *bytes.get(self.at)? {
                b'\\' => self.at += 1,
                b'`' => {
                    self.last = b'"';
                    break;
                }
                b'$' if bytes.get(self.at + 1) == Some(&b'{') => {
                    self.templates.push(0);
                    self.last = b'{';
                    self.at += 1;
                    break;
                }
                b'\n' => self.line = self.at + 1,
                _ => {}
            }
            self.at += 1;
        }
        self.at += 1;
        Some(())
    }

    /// Whether a `/` here divides what is before it.
    fn is_after_value(&self) -> bool {
        const BEFORE_EXPRESSIONS: [&str; 8] =
            ["return", "typeof", "case", "in", "of", "void", "await", "yield"];
        let before = self.text[..self.at].trim_end();
        let word = &before[before.rfind(|c| !is_word(c)).map_or(0, |at| at + 1)..];
        !BEFORE_EXPRESSIONS.contains(&word)
            && (is_word(char::from(self.last)) || b")]}\"".contains(&self.last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, left: &str) {
        assert_eq!(without_comments(text), left);
        assert_eq!(without_comments(left), left, "once more");
    }

    #[test]
    fn comments_and_indentation_go_and_lines_stay() {
        check("// one\na()\n  // two\n\tb()", "\na()\n\nb()");
        check("/** what\n * it is */\nfunction a() {}\n", "\n\nfunction a() {}\n");
        check("a() // why\nb() /* so */", "a()\nb()");
        check("/** @type {A} */ (b).c()", " (b).c()");
        check("a = /** @type {A} */ (b)", "a = (b)");
        check("return/* a */b; c/**/d", "return b; c d");
        check("a() /* one\ntwo */\n// three\n", "a()\n\n\n");
        check("// 안녕\n'하세요'", "\n'하세요'");
        check("a {\n  b: c; /* why */\n}", "a {\nb: c;\n}");
    }

    #[test]
    fn what_only_looks_like_a_comment_stays() {
        check("`\n// a\n/* b */\n`", "`\n// a\n/* b */\n`");
        check(
            "`${a(`\n// b\n`, { c: {} })}\n// d\n`\n// e",
            "`${a(`\n// b\n`, { c: {} })}\n// d\n`\n",
        );
        check("`${\n// a\nb}\n// c\n`", "`${\n\nb}\n// c\n`");
        check("'\\'//'\n\"/*\"\n// a", "'\\'//'\n\"/*\"\n");
        check("a = /[/*`']/\n// b\n'*/'", "a = /[/*`']/\n\n'*/'");
        check("return /`/\n// b", "return /`/\n");
        check("a / b; c = d\n// `\ne / f", "a / b; c = d\n\ne / f");
        check("`\\`\n// a`\n// b", "`\\`\n// a`\n");
    }

    #[test]
    fn a_text_that_does_not_end_is_left_alone() {
        for text in ["// a\n`", "// a\n'b\n'", "// a\n/* b", "// a\n`${b", "// a\n= /b"] {
            check(text, text);
        }
    }

    #[test]
    fn imports_are_those_at_the_start() {
        let text = "import a from './a.js'\nimport {\n  b,\n} from \"./b.js\"\nimport './c.js'\n\
            export * from './d.js'\nexport{e as f}from\"e\";import{g}from'g'\n\
            import('./no.js')\nArray.from('no')\nlet from = './no'\nplatform'no'";
        let mut found: Vec<&str> = imports(text).collect();
        found.sort_unstable();
        assert_eq!(found, ["./a.js", "./b.js", "./c.js", "./d.js", "e", "g"]);
    }

    #[test]
    fn every_module_of_ours_loses_its_comments() {
        for (path, bytes) in super::super::embedded() {
            if path.ends_with(".js") && !path.starts_with("vendor/") {
                let left = without_comments(std::str::from_utf8(&bytes).unwrap());
                let comment = left.lines().find(|line| line.trim_start().starts_with("//"));
                assert_eq!(comment, None, "web/{path}: it isn't followed to its end");
                assert_eq!(
                    left.lines().count(),
                    std::str::from_utf8(&bytes).unwrap().lines().count()
                );
            }
        }
    }
}
