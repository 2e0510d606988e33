//! The documents people read: what they name exists, and the two languages say the same.

use super::Finding;
use super::markdown::{self, Table};
use super::names::Names;
use super::tree::Tree;

const TUTORIALS: [&str; 2] = ["docs/tutorial.md", "docs/tutorial.ko.md"];
/// A column of tests is called so, in either language.
const TEST_HEADERS: [&str; 2] = ["test", "테스트"];
/// Where a path of the repository begins.
const FOLDERS: [&str; 8] =
    ["crates/", "docs/", "fuzz/", "web/", "xtask/", ".ci/", ".cargo/", ".github/"];

const README: &str = "README.md";
const README_KO: &str = "README.ko.md";
const README_LINES_MAX: usize = 120;

/// Each row of the closing table names a test, and each path names a file.
pub fn tutorials(tree: &Tree) -> Vec<Finding> {
    let names = Names::of(tree);
    let mut findings = Vec::new();
    for path in TUTORIALS {
        let Some(text) = tree.text(path) else { continue };
        match markdown::tables(text).last() {
            None => findings.push(Finding::new(
                path,
                1,
                "there is no closing table of claims and tests",
            )),
            Some(table) => findings.extend(untested_rows(path, table, &names)),
        }
        for (line, prose) in markdown::prose(text) {
            let lost = markdown::code_spans(prose).into_iter().filter_map(repository_path);
            let lost = lost.filter(|named| !tree.exists(named));
            findings
                .extend(lost.map(|named| Finding::new(path, line, format!("there is no {named}"))));
        }
    }
    findings
}

fn untested_rows(path: &str, table: &Table, names: &Names<'_>) -> Vec<Finding> {
    let is_test_header =
        |cell: &String| TEST_HEADERS.iter().any(|header| cell.to_lowercase().contains(header));
    let column = table.header.iter().position(is_test_header);
    let mut findings = Vec::new();
    for row in &table.rows {
        // Without such a column a test may stand in any cell, among other names.
        let cells = column
            .map_or(&row.cells[..], |column| row.cells.get(column..=column).unwrap_or_default());
        let spans: Vec<&str> = cells.iter().flat_map(|cell| markdown::code_spans(cell)).collect();
        let lost = spans.iter().filter(|name| !names.has_test(name));
        if !spans.iter().any(|name| names.has_test(name)) {
            let named = if spans.is_empty() {
                String::new()
            } else {
                format!(": there is no {}", spans.join(", "))
            };
            findings.push(Finding::new(
                path,
                row.line,
                format!("the row names no existing test{named}"),
            ));
        } else if column.is_some() {
            findings.extend(
                lost.map(|name| Finding::new(path, row.line, format!("there is no test {name}"))),
            );
        }
    }
    findings
}

/// The file or folder in a span like `crates/websocket/src/frame.rs:12` or `web/`; none in a
/// pattern.
fn repository_path(span: &str) -> Option<&str> {
    let path = span.split([':', '#']).next()?;
    let is_path = FOLDERS.iter().any(|folder| path.starts_with(folder))
        && !path.contains([' ', '*', '{', '<', '…']);
    is_path.then_some(path)
}

/// README.md is short, and its code is in README.ko.md too, letter for letter.
pub fn readmes(tree: &Tree) -> Vec<Finding> {
    let Some(english) = tree.text(README) else { return Vec::new() };
    let mut findings = Vec::new();
    let length = english.lines().count();
    if length > README_LINES_MAX {
        findings.push(Finding::new(
            README,
            README_LINES_MAX + 1,
            format!("{length} lines, of {README_LINES_MAX}"),
        ));
    }
    let Some(korean) = tree.text(README_KO) else { return findings };
    let (english, korean) = (markdown::fences(english), markdown::fences(korean));
    for (ours, theirs) in english.iter().zip(&korean) {
        if (ours.language, &ours.body) != (theirs.language, &theirs.body) {
            let sentence = format!("this code differs from that at {README}:{}", ours.line);
            findings.push(Finding::new(README_KO, theirs.line, sentence));
        }
    }
    let lonely = |path, line, other| {
        Finding::new(path, line, format!("this code has no counterpart in {other}"))
    };
    findings.extend(
        english.iter().skip(korean.len()).map(|fence| lonely(README, fence.line, README_KO)),
    );
    findings.extend(
        korean.iter().skip(english.len()).map(|fence| lonely(README_KO, fence.line, README)),
    );
    findings
}

/// Links between files lead somewhere.
pub fn links(tree: &Tree) -> Vec<Finding> {
    let is_ours =
        |path: &str| path.ends_with(".md") && !path.split('/').any(|part| part == "vendor");
    let mut findings = Vec::new();
    for (path, text) in tree.texts().filter(|(path, _)| is_ours(path)) {
        for (line, target) in markdown::links(text) {
            let Some(file) = local_file(&target) else { continue };
            if !resolve(path, &file).is_some_and(|file| tree.exists(&file)) {
                findings.push(Finding::new(
                    path,
                    line,
                    format!("the link leads nowhere: {target}"),
                ));
            }
        }
    }
    findings
}

/// The file a link means; none for the web and for places in the same document.
fn local_file(target: &str) -> Option<String> {
    let elsewhere = target.contains("://")
        || ["mailto:", "data:", "#"].iter().any(|start| target.starts_with(start));
    let file = target.split(['#', '?']).next()?;
    (!elsewhere && !file.is_empty()).then(|| file.replace("%20", " "))
}

/// The path from the root of the repository; none for what lies outside.
fn resolve(document: &str, target: &str) -> Option<String> {
    let folder = document.rsplit_once('/').map_or("", |(folder, _)| folder);
    let joined = match target.strip_prefix('/') {
        Some(from_root) => from_root.to_owned(),
        None => format!("{folder}/{target}"),
    };
    let mut parts = Vec::new();
    for part in joined.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            _ => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::expect;

    #[track_caller]
    fn check_tutorial(text: &str, expected: &[&str]) {
        let files = [
            ("docs/tutorial.md", text),
            ("crates/damso/tests/it/main.rs", "fn a_ping_is_answered() {}"),
            ("web/test/page.test.mjs", "test('the page opens', () => {});"),
        ];
        expect(tutorials, &files, expected);
    }

    #[test]
    fn each_row_names_an_existing_test() {
        let rows =
            "| claim | Test |\n|---|---|\n| a | `a_ping_is_answered` |\n| b | `the page opens` |\n";
        check_tutorial(rows, &[]);
        let rows = "| claim | where |\n|---|---|\n| `Ping` | `a_ping_is_answered` |\n";
        check_tutorial(rows, &[]);
        let rows =
            "| 주장 | 테스트 |\n|---|---|\n| `a_ping_is_answered` | none |\n| b | `gone` |\n";
        check_tutorial(
            rows,
            &[
                "docs/tutorial.md:3: the row names no existing test",
                "docs/tutorial.md:4: the row names no existing test: there is no gone",
            ],
        );
        let rows = "| claim | test |\n|---|---|\n| a | `a_ping_is_answered`, `gone` |\n";
        check_tutorial(rows, &["docs/tutorial.md:3: there is no test gone"]);
        check_tutorial(
            "words",
            &["docs/tutorial.md:1: there is no closing table of claims and tests"],
        );
    }

    #[test]
    fn each_path_names_a_file() {
        let text = "See `crates/damso/tests/it/main.rs:12`, `web/`, `crates/gone.rs`, `crates/*/src`, `/web/x`.\n\n\
                    | claim | test |\n|---|---|\n| a | `the page opens` |\n";
        check_tutorial(text, &["docs/tutorial.md:1: there is no crates/gone.rs"]);
    }

    #[test]
    fn readmes_share_their_code() {
        let english = "```sh\nls\n```\n```sh\npwd\n```\n";
        expect(
            readmes,
            &[(README, english), (README_KO, "말\n```sh\nls\n```\n```sh\npwd\n```\n")],
            &[],
        );
        expect(
            readmes,
            &[(README, english), (README_KO, "말\n```sh\nls -l\n```\n")],
            &[
                "README.ko.md:2: this code differs from that at README.md:1",
                "README.md:4: this code has no counterpart in README.ko.md",
            ],
        );
        expect(readmes, &[(README, "")], &[]);
        expect(readmes, &[(README, &"\n".repeat(121))], &["README.md:121: 121 lines, of 120"]);
    }

    #[test]
    fn links_lead_to_files_of_the_tree() {
        let text = "[a](../README.md#top) [b](/docs) [c](gone.md) [d](https://example.org/x) [e](#here)\n[f](../../x)";
        expect(
            links,
            &[("docs/a.md", text), (README, "[a](docs/a.md)")],
            &[
                "docs/a.md:1: the link leads nowhere: gone.md",
                "docs/a.md:2: the link leads nowhere: ../../x",
            ],
        );
    }
}
