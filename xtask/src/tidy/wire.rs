//! docs/protocol.md carries a mark of the wire types it describes, so that they can't change
//! without somebody reading the page.

use super::Finding;
use super::tree::Tree;

const PATH: &str = "docs/protocol.md";
const TYPES: &str = "crates/protocol/src/";
const MARK: &str = "<!-- wire types: ";

pub fn check(tree: &Tree) -> Vec<Finding> {
    let Some(text) = tree.text(PATH) else { return Vec::new() };
    let wanted = format!("{MARK}{:016x} -->", digest(tree));
    let marked = text.lines().enumerate().find(|(_, line)| line.starts_with(MARK));
    match marked {
        Some((_, line)) if line.trim_end() == wanted => Vec::new(),
        Some((index, _)) => {
            let sentence =
                format!("{TYPES} has changed: read this page against it, then write {wanted} here");
            vec![Finding::new(PATH, index + 1, sentence)]
        }
        None => vec![Finding::new(
            PATH,
            1,
            format!("there is no mark of the wire types: write the line {wanted}"),
        )],
    }
}

/// FNV-1a over the code of the types: comments, tests and layout don't count.
fn digest(tree: &Tree) -> u64 {
    let mut digest = 0xcbf2_9ce4_8422_2325;
    for (_, lines) in tree.rust().filter(|(path, _)| path.starts_with(TYPES)) {
        let code =
            lines.iter().filter(|line| !line.is_test).flat_map(|line| line.uncommented.bytes());
        for byte in code.filter(|byte| !byte.is_ascii_whitespace()) {
            digest = (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    digest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::expect;

    #[test]
    fn only_code_counts() {
        let digest_of = |code| digest(&Tree::of(&[("crates/protocol/src/v1.rs", code)]));
        let types = digest_of("struct A { b: u8 }");
        assert_eq!(
            types,
            digest_of("/// doc\nstruct A {\n    b: u8 // why\n}\n#[cfg(test)]\nmod tests {}")
        );
        assert_ne!(types, digest_of("struct A { b: u16 }"));
        assert_ne!(digest_of("#[serde(rename = \"a\")]"), digest_of("#[serde(rename = \"b\")]"));
    }

    #[test]
    fn a_change_is_told_until_the_page_is_marked() {
        let told = |text: &str| {
            let findings =
                check(&Tree::of(&[(PATH, text), ("crates/protocol/src/v1.rs", "struct A;")]));
            findings.into_iter().map(|finding| finding.sentence).collect::<Vec<_>>()
        };
        let first = told("# Wire\n");
        let mark = first[0].rsplit("the line ").next().unwrap_or_default();
        assert!(mark.starts_with(MARK), "{first:?}");
        assert_eq!(told(&format!("# Wire\n\n{mark}\n")), Vec::<String>::new());
        assert!(told(&format!("{MARK}0 -->\n"))[0].contains("has changed"));
        expect(check, &[], &[]);
    }
}
