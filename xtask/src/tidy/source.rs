//! What may not stand in a source file.

use super::Finding;
use super::rust::{self, Line};
use super::tree::Tree;

/// Folders whose files we write and shape ourselves.
const OURS: [&str; 3] = ["crates/", "web/", "xtask/"];
/// Parts of a path below which files are kept byte for byte.
const KEPT: [&str; 5] = ["vendor", "fixtures", "testdata", "snapshots", "node_modules"];
/// Crates that others call: they neither print nor panic.
const LIBRARIES: [&str; 4] =
    ["crates/websocket/src/", "crates/protocol/src/", "crates/chat/src/", "crates/store/src/"];

/// No space at the end of a line, no tab in Rust.
pub fn lines(tree: &Tree) -> Vec<Finding> {
    let is_ours = |path: &str| {
        OURS.iter().any(|folder| path.starts_with(folder))
            && !path.split('/').any(|part| KEPT.contains(&part))
    };
    let mut findings = Vec::new();
    for (path, text) in tree.texts().filter(|(path, _)| is_ours(path)) {
        for (index, line) in text.split('\n').enumerate() {
            let mut tell = |sentence| findings.push(Finding::new(path, index + 1, sentence));
            if line.ends_with(char::is_whitespace) {
                tell("white space at the end of the line");
            }
            if path.ends_with(".rs") && line.contains('\t') {
                tell("a tab");
            }
        }
    }
    findings
}

/// Libraries don't print, and say in a comment why an `unwrap` can't fail.
pub fn libraries(tree: &Tree) -> Vec<Finding> {
    let is_library = |path: &str| LIBRARIES.iter().any(|folder| path.starts_with(folder));
    let mut findings = Vec::new();
    for (path, lines) in tree.rust().filter(|(path, _)| is_library(path)) {
        for (index, line) in lines.iter().enumerate().filter(|(_, line)| !line.is_test) {
            let mut tell =
                |sentence: String| findings.push(Finding::new(path, index + 1, sentence));
            for print in ["println!", "print!", "dbg!"] {
                if rust::has_word(&line.code, print) {
                    tell(format!("{print} in a library"));
                }
            }
            for panic in [".unwrap()", ".expect("] {
                if line.code.contains(panic) && !is_explained(lines, index) {
                    tell(format!("{panic} without a comment that says why it holds"));
                }
            }
        }
    }
    findings
}

/// Whether a comment stands on the line, above it, or at the beginning of its chain of calls.
fn is_explained(lines: &[Line], mut index: usize) -> bool {
    loop {
        let above = index.checked_sub(1);
        if lines[index].is_commented || above.is_some_and(|above| lines[above].is_commented) {
            return true;
        }
        match above {
            Some(above) if lines[index].code.trim_start().starts_with('.') => index = above,
            _ => return false,
        }
    }
}

/// Tests don't sleep: they wait for what they want, or move a clock of their own.
pub fn sleeps(tree: &Tree) -> Vec<Finding> {
    const SENTENCE: &str = "a sleep in a test: wait for the event, or move the test's own clock";
    let mut findings = Vec::new();
    for (path, lines) in tree.rust() {
        let sleeping = |line: &Line| {
            line.is_test
                && ["thread::sleep", "sleep("].iter().any(|word| rust::has_word(&line.code, word))
        };
        let found = lines.iter().enumerate().filter(|(_, line)| sleeping(line));
        findings.extend(found.map(|(index, _)| Finding::new(path, index + 1, SENTENCE)));
    }
    let is_web_test = |path: &str| path.starts_with("web/test/") && path.ends_with("js");
    for (path, text) in tree.texts().filter(|(path, _)| is_web_test(path)) {
        let is_code = |line: &str| !line.trim_start().starts_with(['/', '*']);
        let found = text
            .lines()
            .enumerate()
            .filter(|(_, line)| is_code(line) && rust::has_word(line, "sleep("));
        findings.extend(found.map(|(index, _)| Finding::new(path, index + 1, SENTENCE)));
    }
    findings
}

/// No path of somebody's machine, in any file.
pub fn machine_paths(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.texts() {
        for (index, line) in text.lines().enumerate() {
            if let Some(found) = machine_path(line) {
                findings.push(Finding::new(
                    path,
                    index + 1,
                    format!("{found} is a path of one machine only"),
                ));
            }
        }
    }
    findings
}

fn machine_path(line: &str) -> Option<&str> {
    // In two parts, so that this file passes its own check.
    for home in [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")] {
        for (at, _) in line.match_indices(home) {
            // After a name it is part of a longer path, as in an address of the web.
            let is_absolute =
                !line[..at].ends_with(|c: char| c.is_alphanumeric() || "_-.~}".contains(c));
            let rest = &line[at + home.len()..];
            let name = rest.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(rest.len());
            let is_somebodys =
                !home.ends_with(concat!("me", "/")) || (name > 0 && rest[name..].starts_with('/'));
            if is_absolute && is_somebodys {
                return Some(&line[at..at + home.len() + name]);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::expect;

    #[test]
    fn ends_of_lines_are_clean() {
        let files = [
            ("crates/a/src/lib.rs", "fn a() {} \n\tfn b() {}\n"),
            ("web/vendor/x.js", "a \n"),
            ("web/src/x.js", "\ta\r\n"),
            ("docs/x.md", "a  \n"),
        ];
        let expected = [
            "crates/a/src/lib.rs:1: white space at the end of the line",
            "crates/a/src/lib.rs:2: a tab",
            "web/src/x.js:1: white space at the end of the line",
        ];
        expect(lines, &files, &expected);
    }

    #[track_caller]
    fn check_library(code: &str, expected: &[&str]) {
        expect(
            libraries,
            &[("crates/chat/src/a.rs", code), ("crates/damso/src/a.rs", code)],
            expected,
        );
    }

    #[test]
    fn libraries_do_not_print() {
        check_library("println!();", &["crates/chat/src/a.rs:1: println! in a library"]);
        check_library("#[test]\nfn a() { dbg!(1); println!(); }", &[]);
        check_library("// println!\n\"dbg!\"", &[]);
    }

    #[test]
    fn an_unwrap_is_explained() {
        const BARE: &str =
            "crates/chat/src/a.rs:1: .unwrap() without a comment that says why it holds";
        check_library("a.unwrap();", &[BARE]);
        check_library("/// doc\na.unwrap_or(1);", &[]);
        check_library("a.unwrap(); // never empty", &[]);
        check_library("// never empty\na.unwrap();", &[]);
        check_library("// never empty\na\n    .b()\n    .unwrap();", &[]);
        let expected =
            ["crates/chat/src/a.rs:3: .expect( without a comment that says why it holds"];
        check_library("// why\n\na.expect(\"never\");", &expected);
        check_library("#[cfg(test)]\nmod tests {\n  fn a() { b.unwrap() }\n}", &[]);
    }

    #[test]
    fn tests_do_not_sleep() {
        let code = "fn a() { sleep(1); }\n#[test]\nfn b() { thread::sleep(1); asleep(1); }";
        let files = [
            ("crates/a/src/lib.rs", code),
            ("web/test/a.test.mjs", "// sleep(1)\nawait sleep(1);"),
            ("web/a.js", "sleep(1)"),
        ];
        let told = "a sleep in a test: wait for the event, or move the test's own clock";
        expect(
            sleeps,
            &files,
            &[&format!("crates/a/src/lib.rs:3: {told}"), &format!("web/test/a.test.mjs:2: {told}")],
        );
    }

    #[test]
    fn machine_paths_are_absolute() {
        let home = concat!("/ho", "me/");
        assert_eq!(
            machine_path(&format!("in {home}kim/damso")),
            Some(format!("{home}kim")).as_deref()
        );
        assert_eq!(machine_path(&format!("in {home}$USER/damso")), None);
        assert_eq!(machine_path(concat!("\"/wo", "rk/a\"")), Some(concat!("/wo", "rk/a")));
        assert_eq!(machine_path(concat!("https://example.org/wo", "rk/")), None);
        assert_eq!(machine_path("/homework/a, /rooted/"), None);
    }
}
