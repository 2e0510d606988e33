//! Rust, as much of it as the checks need: which part of a line is code, which is comment, and what
//! is compiled for tests only.

pub struct Line {
    /// Without comments, and with what stands in quotes blanked out: a search here finds code.
    pub code: String,
    /// Without comments only.
    pub uncommented: String,
    /// Has (a part of) a comment that isn't documentation.
    pub is_commented: bool,
    pub is_test: bool,
}

/// Takes a file apart. The path says whether all of it is for tests.
pub fn lines(path: &str, text: &str) -> Vec<Line> {
    let mut lines = Scanner::new(text).scan();
    if is_test_path(path) {
        lines.iter_mut().for_each(|line| line.is_test = true);
    } else {
        mark_tests(&mut lines);
    }
    lines
}

fn is_test_path(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.split('/').any(|part| part == "tests")
}

/// Names after `fn`, each with its line from 1.
pub fn functions(lines: &[Line]) -> impl Iterator<Item = (usize, &str)> {
    lines.iter().enumerate().flat_map(|(index, line)| {
        let after_fn = word_ends(&line.code, "fn").map(|end| line.code[end..].trim_start());
        let name = |rest: &'_ str| rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        after_fn
            .map(move |rest| (index + 1, &rest[..name(rest)]))
            .filter(|(_, name)| !name.is_empty())
    })
}

/// Whether `word` stands in `code` with no word before it: `sleep(` is in `thread::sleep(1)`, and
/// not in `asleep(1)`.
pub fn has_word(code: &str, word: &str) -> bool {
    word_starts(code, word).next().is_some()
}

fn word_starts<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let begins = |at: usize| !code[..at].chars().next_back().is_some_and(is_word);
    code.match_indices(word).map(|(at, _)| at).filter(move |at| begins(*at))
}

fn word_ends<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let ends = |at: usize| !code[at..].chars().next().is_some_and(is_word);
    word_starts(code, word).map(|at| at + word.len()).filter(move |at| ends(*at))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

struct Scanner {
    chars: Vec<char>,
    at: usize,
    lines: Vec<Line>,
}

enum Kind {
    Code,
    Quoted,
    Comment,
    Documentation,
}

impl Scanner {
    fn new(text: &str) -> Scanner {
        Scanner { chars: text.chars().collect(), at: 0, lines: vec![Line::empty()] }
    }

    fn scan(mut self) -> Vec<Line> {
        while let Some(c) = self.peek(0) {
            let before = self.at.checked_sub(1).and_then(|at| self.chars.get(at)).copied();
            match (c, self.peek(1)) {
                ('/', Some('/')) => self.line_comment(),
                ('/', Some('*')) => self.block_comment(),
                ('"', _) => self.string(),
                ('\'', _) => self.character_or_lifetime(),
                ('r', Some('"' | '#'))
                    if !before.is_some_and(|c| is_word(c) && !matches!(c, 'b' | 'c')) =>
                {
                    self.raw_string();
                }
                _ => self.take(Kind::Code),
            }
        }
        self.lines
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn take(&mut self, kind: Kind) {
        let Some(c) = self.peek(0) else { return };
        self.at += 1;
        if c == '\n' {
            self.lines.push(Line::empty());
            return;
        }
        let Some(line) = self.lines.last_mut() else { return };
        let (code, uncommented) = match kind {
            Kind::Code => (c, c),
            Kind::Quoted => (' ', c),
            Kind::Comment | Kind::Documentation => (' ', ' '),
        };
        line.code.push(code);
        line.uncommented.push(uncommented);
        line.is_commented |= matches!(kind, Kind::Comment);
    }

    fn line_comment(&mut self) {
        let is_documentation = match (self.peek(2), self.peek(3)) {
            (Some('!'), _) => true,
            (Some('/'), fourth) => fourth != Some('/'),
            _ => false,
        };
        while self.peek(0).is_some_and(|c| c != '\n') {
            self.take(if is_documentation { Kind::Documentation } else { Kind::Comment });
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        loop {
            match (self.peek(0), self.peek(1)) {
                (Some('/'), Some('*')) => depth += 1,
                (Some('*'), Some('/')) => depth -= 1,
                (None, _) => return,
                _ => {
                    self.take(Kind::Comment);
                    continue;
                }
            }
            self.take(Kind::Comment);
            self.take(Kind::Comment);
            if depth == 0 {
                return;
            }
        }
    }

    fn string(&mut self) {
        self.take(Kind::Code);
        while let Some(c) = self.peek(0) {
            match c {
                '"' => return self.take(Kind::Code),
                '\\' => {
                    self.take(Kind::Quoted);
                    self.take(Kind::Quoted);
                }
                _ => self.take(Kind::Quoted),
            }
        }
    }

    /// At an `r` that may begin r"…", r#"…"# or r#name.
    fn raw_string(&mut self) {
        let hashes = (1..).take_while(|ahead| self.peek(*ahead) == Some('#')).count();
        self.take(Kind::Code);
        if self.peek(hashes) != Some('"') {
            return;
        }
        (0..=hashes).for_each(|_| self.take(Kind::Code));
        while let Some(c) = self.peek(0) {
            if c == '"' && (1..=hashes).all(|ahead| self.peek(ahead) == Some('#')) {
                (0..=hashes).for_each(|_| self.take(Kind::Code));
                return;
            }
            self.take(Kind::Quoted);
        }
    }

    fn character_or_lifetime(&mut self) {
        let is_escape = self.peek(1) == Some('\\');
        if !is_escape && self.peek(2) != Some('\'') {
            return self.take(Kind::Code);
        }
        self.take(Kind::Code);
        if is_escape {
            self.take(Kind::Quoted);
        }
        self.take(Kind::Quoted);
        while self.peek(0).is_some_and(|c| c != '\'' && c != '\n') {
            self.take(Kind::Quoted);
        }
        self.take(Kind::Code);
    }
}

impl Line {
    fn empty() -> Line {
        Line {
            code: String::new(),
            uncommented: String::new(),
            is_commented: false,
            is_test: false,
        }
    }
}

/// Marks the items under `#[cfg(test)]`, `#[test]` and the like, from the attribute to the end.
fn mark_tests(lines: &mut [Line]) {
    let code: Vec<(usize, char)> = lines
        .iter()
        .enumerate()
        .flat_map(|(index, line)| line.code.chars().chain(['\n']).map(move |c| (index, c)))
        .collect();
    let mut at = 0;
    while at < code.len() {
        let next = |ahead: usize| code.get(at + ahead).map(|(_, c)| *c);
        let (is_attribute, is_inner) = match (next(0), next(1), next(2)) {
            (Some('#'), Some('['), _) => (true, false),
            (Some('#'), Some('!'), Some('[')) => (true, true),
            _ => (false, false),
        };
        if !is_attribute {
            at += 1;
            continue;
        }
        let start = at;
        at = end_of_attribute(&code, at);
        let attribute: String = code[start..at].iter().map(|(_, c)| *c).collect();
        if !is_test_attribute(&attribute) {
            continue;
        }
        let end = if is_inner { code.len() } else { end_of_item(&code, at) };
        let last = code[end - 1].0;
        lines[code[start].0..=last].iter_mut().for_each(|line| line.is_test = true);
        at = end;
    }
}

fn is_test_attribute(attribute: &str) -> bool {
    let inside = attribute.trim_start_matches(['#', '!', '[']).trim_end_matches(']').trim();
    let path = inside.split('(').next().unwrap_or(inside).trim();
    let is_test_only = path == "cfg"
        && word_ends(inside, "test").next().is_some()
        && !has_word(inside, "not(test");
    is_test_only || path == "test" || path.ends_with("::test")
}

fn end_of_attribute(code: &[(usize, char)], from: usize) -> usize {
    let mut depth = 0;
    for (at, (_, c)) in code.iter().enumerate().skip(from) {
        match c {
            '[' => depth += 1,
            ']' if depth == 1 => return at + 1,
            ']' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

/// Just after the item's `}` or `;`, or where what is around it ends.
fn end_of_item(code: &[(usize, char)], from: usize) -> usize {
    let mut depth = 0;
    for (at, (_, c)) in code.iter().enumerate().skip(from) {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth == 0 => return at,
            '}' if depth == 1 => return at + 1,
            ')' | ']' | '}' => depth -= 1,
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_code(text: &str, code: &[&str]) {
        let lines = lines("crates/x/src/lib.rs", text);
        assert_eq!(lines.iter().map(|line| line.code.trim_end()).collect::<Vec<_>>(), code);
    }

    #[test]
    fn comments_and_quoted_text_are_not_code() {
        check_code("let a = 1; // b", &["let a = 1;"]);
        check_code("/// x.unwrap()\nfn f() {}", &["", "fn f() {}"]);
        check_code("a /* b /* c */ d */ e", &["a                   e"]);
        check_code("a /* b\nc */ d", &["a", "     d"]);
        check_code(r#"p("// \" x", 'a', '\'', b'"')"#, &[r#"p("       ", ' ', '  ', b' ')"#]);
        check_code(
            "r#\"a \" // b\"#; r\"c\\\"; br#\"d\"#",
            &["r#\"        \"#; r\"  \"; br#\" \"#"],
        );
        check_code("fn f<'a>(x: &'a str, r#fn: u8) {}", &["fn f<'a>(x: &'a str, r#fn: u8) {}"]);
        check_code("'\\u{1F600}' + x", &["'         ' + x"]);
    }

    #[test]
    fn only_plain_comments_count() {
        let lines = lines("x.rs", "a // why\n/// doc\n//! doc\n//// why\n/* why */");
        assert_eq!(
            lines.iter().map(|line| line.is_commented).collect::<Vec<_>>(),
            [true, false, false, true, true]
        );
    }

    #[track_caller]
    fn check_tests(text: &str, expected: &str) {
        let lines = lines("crates/x/src/lib.rs", text);
        let marks: String = lines.iter().map(|line| if line.is_test { 't' } else { '.' }).collect();
        assert_eq!(marks, expected);
    }

    #[test]
    fn test_items_end_with_their_brace_or_semicolon() {
        check_tests("fn a() {}\n#[cfg(test)]\nmod tests {\n  fn b() {}\n}\nfn c() {}", ".tttt.");
        check_tests("#[cfg(test)]\nmod tests;\nfn c() {}", "tt.");
        check_tests("#[test]\n#[should_panic]\nfn a() {\n  { }\n}\nfn c() {}", "ttttt.");
        check_tests("#[cfg(not(test))]\nfn a() {}", "..");
        check_tests("#[cfg(all(test, unix))]\nfn a(x: [u8; 2]) {}\nfn b() {}", "tt.");
        check_tests(
            "#[derive(Debug)]\nstruct A {\n  #[cfg(test)]\n  a: u8,\n}\nfn b() {}",
            "..tt..",
        );
        check_tests("#![cfg(test)]\nfn a() {}", "tt");
        check_tests("let brace = '{'; // #[test]\nfn a() {}", "..");
    }

    #[test]
    fn functions_are_found_by_name() {
        let lines = lines(
            "x.rs",
            "pub const fn one() {}\n// fn two\nfn  three<T>() { fn four() {} }\nlet f: fn(u8);",
        );
        assert_eq!(functions(&lines).collect::<Vec<_>>(), [(1, "one"), (3, "three"), (3, "four")]);
    }

    #[test]
    fn words_begin_at_a_border() {
        assert!(has_word("thread::sleep(1)", "sleep("));
        assert!(!has_word("asleep(1)", "sleep("));
        assert!(!has_word("eprintln!()", "println!"));
    }
}
