//! docs/rfc.md: each requirement of the RFCs with the function that keeps it and the test that
//! shows it. A name that no longer exists is a finding.

use super::Finding;
use super::markdown;
use super::names::Names;
use super::tree::Tree;

const PATH: &str = "docs/rfc.md";
const HEADER: [&str; 4] = ["§", "requirement", "function", "test"];
/// In the function's column: nothing of ours keeps it, and the test's column says why.
const NOBODY: &str = "—";

pub fn check(tree: &Tree) -> Vec<Finding> {
    let Some(text) = tree.text(PATH) else { return Vec::new() };
    let names = Names::of(tree);
    let tables = markdown::tables(text);
    let mut tables = tables
        .iter()
        .filter(|table| table.header.iter().map(|cell| cell.to_lowercase()).eq(HEADER))
        .peekable();
    if tables.peek().is_none() {
        return vec![Finding::new(
            PATH,
            1,
            format!("there is no table | {} |", HEADER.join(" | ")),
        )];
    }
    let rows = tables.flat_map(|table| &table.rows);
    rows.flat_map(|row| {
        let finding = |sentence| Finding::new(PATH, row.line, sentence);
        check_row(&row.cells, &names).into_iter().map(finding).collect::<Vec<_>>()
    })
    .collect()
}

fn check_row(cells: &[String], names: &Names<'_>) -> Vec<String> {
    let [_, requirement, function, test] = cells else {
        return vec![format!("the row has {} cells, not {}", cells.len(), HEADER.len())];
    };
    let mut sentences = Vec::new();
    if requirement.is_empty() {
        sentences.push("the requirement is empty".to_owned());
    }
    if function == NOBODY {
        if not_applicable(test).is_none() {
            sentences.push(format!(
                "a row without function wants `n/a: reason` in the test's column, not {test:?}"
            ));
        }
        return sentences;
    }
    let (functions, tests) = (listed(function), listed(test));
    if functions.is_empty() {
        sentences.push(format!("no function is named; where there is none, write {NOBODY}"));
    }
    if tests.is_empty() {
        sentences.push("no test is named".to_owned());
    }
    let lost = functions.iter().filter(|name| !names.has_function(name));
    sentences.extend(lost.map(|name| format!("there is no function {name} under crates/")));
    let lost = tests.iter().filter(|name| !names.has_rust_test(name));
    sentences.extend(lost.map(|name| format!("there is no test {name} under crates/ or fuzz/")));
    sentences
}

/// The reason after "n/a:".
fn not_applicable(cell: &str) -> Option<&str> {
    let reason = cell.trim_matches('`').strip_prefix("n/a:")?.trim();
    (!reason.is_empty()).then_some(reason)
}

/// Names with commas or line breaks between them.
fn listed(cell: &str) -> Vec<String> {
    let cell =
        ["<br>", "<br/>", "<br />"].iter().fold(cell.to_owned(), |cell, br| cell.replace(br, ","));
    let names = cell.split(',').map(|name| name.trim().trim_matches('`').trim());
    names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use crate::tidy::expect;

    #[track_caller]
    fn check(rows: &str, expected: &[&str]) {
        let text =
            format!("# RFC\n\n| § | requirement | function | test |\n|---|---|---|---|\n{rows}\n");
        let code = "fn parse() {}\nmod t { fn a_long_length_is_refused() {} fn b() {} }";
        let files = [
            (super::PATH, text.as_str()),
            ("crates/websocket/src/frame.rs", code),
            ("fuzz/fuzz_targets/frame.rs", "fuzz_target!(|x| {});"),
        ];
        expect(super::check, &files, expected);
    }

    #[test]
    fn a_row_with_existing_names_is_fine() {
        check("| 5.2 | MUST | `frame::Header::parse` | `a_long_length_is_refused` |", &[]);
        check("| 5.2 | MUST | `parse` | `b`, tests::b<br>`frame` |", &[]);
        check("| 5.2 | MUST | — | n/a: nothing of ours does this |", &[]);
    }

    #[test]
    fn lost_names_are_told() {
        check(
            "| 5.2 | MUST | `gone` | `b` |",
            &["docs/rfc.md:5: there is no function gone under crates/"],
        );
        check(
            "| 5.2 | MUST | `parse` | `b`, `c` |",
            &["docs/rfc.md:5: there is no test c under crates/ or fuzz/"],
        );
        check(
            "| 5.2 | MUST | `frame` | `b` |",
            &["docs/rfc.md:5: there is no function frame under crates/"],
        );
    }

    #[test]
    fn gaps_are_told() {
        check("| 5.2 | MUST | `parse` | |", &["docs/rfc.md:5: no test is named"]);
        check(
            "| 5.2 | MUST | | `b` |",
            &["docs/rfc.md:5: no function is named; where there is none, write —"],
        );
        check("| 5.2 | | `parse` | `b` |", &["docs/rfc.md:5: the requirement is empty"]);
        check("| 5.2 | MUST | `parse` |", &["docs/rfc.md:5: the row has 3 cells, not 4"]);
        let reason = "docs/rfc.md:5: a row without function wants `n/a: reason` in the test's column, not \"n/a:\"";
        check("| 5.2 | MUST | — | n/a: |", &[reason]);
    }

    #[test]
    fn a_document_without_the_table_is_told() {
        let told = "docs/rfc.md:1: there is no table | § | requirement | function | test |";
        expect(super::check, &[(super::PATH, "| a |\n|---|\n| b |\n")], &[told]);
        expect(super::check, &[], &[]);
    }
}
