//! Puts what was measured into a document, between two marks, and leaves the rest of it as it is.

use std::path::Path;

/// Replaces what stands between `<!-- SECTION: begin… -->` and `<!-- SECTION: end -->`.
///
/// # Errors
/// A sentence: the document isn't there, has no such marks, or can't be written.
pub fn write(file: &Path, section: &str, text: &str) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", file.display());
    let document = std::fs::read_to_string(file).map_err(failed)?;
    let written = replaced(&document, section, text)
        .ok_or_else(|| format!("{}: no marks `<!-- {section}: begin -->`", file.display()))?;
    std::fs::write(file, written).map_err(failed)
}

fn replaced(document: &str, section: &str, text: &str) -> Option<String> {
    let begin = document.find(&format!("<!-- {section}: begin"))?;
    let begin = begin + document[begin..].find('\n')? + 1;
    let end = begin + document[begin..].find(&format!("<!-- {section}: end -->"))?;
    let (before, after) = (&document[..begin], &document[end..]);
    Some(format!("{before}\n{}\n\n{after}", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let document = "a\n<!-- x: begin, by hand -->\nold\n<!-- x: end -->\nb\n";
        let new = "a\n<!-- x: begin, by hand -->\n\nnew\n\n<!-- x: end -->\nb\n";
        assert_eq!(replaced(document, "x", "new\n").as_deref(), Some(new));
        assert_eq!(replaced(new, "x", "\nnew").as_deref(), Some(new));
        assert_eq!(replaced(document, "y", "new"), None);
    }
}
