//! What documents may name: functions, and tests.

use super::rust;
use super::tree::Tree;
use std::collections::HashSet;

pub struct Names<'a> {
    /// Functions under crates/.
    functions: HashSet<&'a str>,
    /// Functions under fuzz/, and fuzz targets by their file's name.
    fuzz: HashSet<&'a str>,
    /// Titles of tests in web/test/*.mjs.
    titles: HashSet<String>,
}

impl<'a> Names<'a> {
    pub fn of(tree: &'a Tree) -> Names<'a> {
        let mut names =
            Names { functions: HashSet::new(), fuzz: HashSet::new(), titles: HashSet::new() };
        for (path, lines) in tree.rust() {
            let functions = rust::functions(lines).map(|(_, name)| name);
            if path.starts_with("crates/") {
                names.functions.extend(functions);
            } else if path.starts_with("fuzz/") {
                names.fuzz.extend(functions);
                let target = path
                    .strip_prefix("fuzz/fuzz_targets/")
                    .and_then(|file| file.strip_suffix(".rs"));
                names.fuzz.extend(target);
            }
        }
        let is_web_test = |path: &str| path.starts_with("web/test/") && path.ends_with(".mjs");
        for (_, text) in tree.texts().filter(|(path, _)| is_web_test(path)) {
            names.titles.extend(titles(text));
        }
        names
    }

    /// The function a path like `mask::apply` ends in.
    pub fn has_function(&self, path: &str) -> bool {
        self.functions.contains(last_segment(path))
    }

    pub fn has_rust_test(&self, path: &str) -> bool {
        self.has_function(path) || self.fuzz.contains(last_segment(path))
    }

    pub fn has_test(&self, name: &str) -> bool {
        self.has_function(name) || self.titles.contains(name)
    }
}

fn last_segment(path: &str) -> &str {
    let path = path.trim_end_matches("()");
    path.rsplit("::").next().unwrap_or(path)
}

/// First arguments of `test(`, `it(`, `describe(` and `t.test(`, where they are string literals.
fn titles(text: &str) -> Vec<String> {
    let mut titles = Vec::new();
    for call in ["test(", "it(", "describe("] {
        for (at, _) in text.match_indices(call) {
            if text[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_') {
                continue;
            }
            let argument = text[at + call.len()..].trim_start();
            let mut chars = argument.chars();
            let Some(quote) = chars.next().filter(|c| matches!(c, '"' | '\'' | '`')) else {
                continue;
            };
            let mut title = String::new();
            while let Some(c) = chars.next().filter(|c| *c != quote) {
                title.extend(if c == '\\' { chars.next() } else { Some(c) });
            }
            titles.push(title);
        }
    }
    titles
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_first_arguments() {
        let text = "test(\"a 'b'\", () => {});\nawait t.test(\n  'c\\'d', x);\nit(`e`); latest(\"no\"); test(name)";
        assert_eq!(titles(text), ["a 'b'", "c'd", "e"]);
    }

    #[test]
    fn names_come_from_their_folders() {
        let tree = Tree::of(&[
            ("crates/a/src/lib.rs", "fn one() {}"),
            ("xtask/src/main.rs", "fn two() {}"),
            ("fuzz/fuzz_targets/frame.rs", "fn three() {}"),
            ("web/test/a.test.mjs", "test('four', () => {})"),
        ]);
        let names = Names::of(&tree);
        assert!(
            names.has_function("a::One::one()") && names.has_test("one") && names.has_test("four")
        );
        assert!(names.has_rust_test("frame") && names.has_rust_test("three"));
        assert!(
            !names.has_function("three")
                && !names.has_function("two")
                && !names.has_rust_test("four")
        );
    }
}
