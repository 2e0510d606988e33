//! Markdown, as much of it as the checks need. Lines count from 1.

#[derive(Debug, PartialEq)]
pub struct Fence<'a> {
    pub line: usize,
    /// What stands after the opening marks, as `sh` or `rust`.
    pub language: &'a str,
    pub body: Vec<&'a str>,
}

pub struct Table {
    pub header: Vec<String>,
    pub rows: Vec<Row>,
}

pub struct Row {
    pub line: usize,
    pub cells: Vec<String>,
}

/// The lines with fenced code as (line, text, fence marks around it).
fn lines(text: &str) -> impl Iterator<Item = (usize, &str, Place)> {
    let mut open: Option<String> = None;
    text.lines().enumerate().map(move |(index, line)| {
        let marks = fence_marks(line);
        let place = match (&open, marks) {
            (None, Some(marks)) => {
                open = Some(marks.to_owned());
                Place::Border
            }
            (None, None) => Place::Prose,
            (Some(opened), Some(marks))
                if marks.starts_with(opened.as_str()) && line.trim() == marks =>
            {
                open = None;
                Place::Border
            }
            (Some(_), _) => Place::Code,
        };
        (index + 1, line, place)
    })
}

#[derive(PartialEq)]
enum Place {
    Prose,
    Border,
    Code,
}

/// The ``` or ~~~ a line begins with, at their full length.
fn fence_marks(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let mark = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let length = line.find(|c| c != mark).unwrap_or(line.len());
    // A pair of ``` within one line is a code span.
    (length >= 3 && !(mark == '`' && line[length..].contains('`'))).then(|| &line[..length])
}

/// The fenced code blocks.
pub fn fences(text: &str) -> Vec<Fence<'_>> {
    let mut fences = Vec::new();
    let mut current: Option<Fence<'_>> = None;
    for (number, line, place) in lines(text) {
        match place {
            Place::Prose => {}
            Place::Code => current.iter_mut().for_each(|fence| fence.body.push(line)),
            Place::Border => match current.take() {
                Some(fence) => fences.push(fence),
                None => {
                    let language = line.trim_start().trim_start_matches(['`', '~']).trim();
                    current = Some(Fence { line: number, language, body: Vec::new() });
                }
            },
        }
    }
    fences.extend(current);
    fences
}

/// The lines outside fenced code.
pub fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    lines(text)
        .filter(|(_, _, place)| *place == Place::Prose)
        .map(|(number, line, _)| (number, line))
}

/// The tables with a header and a line of dashes.
pub fn tables(text: &str) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    let mut last: Option<(usize, &str)> = None;
    let mut inside = false;
    for (number, line) in prose(text) {
        let is_row = line.trim_start().starts_with('|');
        if inside && is_row {
            if let Some(table) = tables.last_mut() {
                table.rows.push(Row { line: number, cells: cells(line) });
            }
        } else if let Some((above, header)) = last
            && above + 1 == number
            && is_row
            && is_ruler(line)
        {
            tables.push(Table { header: cells(header), rows: Vec::new() });
            inside = true;
        } else {
            inside = false;
        }
        last = is_row.then_some((number, line));
    }
    tables
}

fn is_ruler(line: &str) -> bool {
    line.contains('-') && line.chars().all(|c| "|-: ".contains(c))
}

/// The cells of a table's row. A bar after a backslash or in a code span is text.
fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut in_span = false;
    let line = line.trim();
    let mut chars = line.strip_prefix('|').unwrap_or(line).chars().peekable();
    while let Some(c) = chars.next() {
        let last = cells.len() - 1;
        match c {
            '\\' if chars.peek() == Some(&'|') => cells[last].extend(chars.next()),
            '|' if !in_span => cells.push(String::new()),
            _ => {
                in_span ^= c == '`';
                cells[last].push(c);
            }
        }
    }
    // The bar that ends a row begins no cell.
    if cells.last().is_some_and(|cell| cell.trim().is_empty()) {
        cells.pop();
    }
    cells.into_iter().map(|cell| cell.trim().to_owned()).collect()
}

/// The code spans of a line: what stands in backticks, `one` or ``more``.
pub fn code_spans(line: &str) -> Vec<&str> {
    spans(line).into_iter().map(|(start, end)| line[start..end].trim()).collect()
}

/// Where the contents of code spans begin and end.
fn spans(line: &str) -> Vec<(usize, usize)> {
    let mut spans = Vec::new();
    let mut at = 0;
    while let Some(start) = line[at..].find('`').map(|found| at + found) {
        let length = line[start..].find(|c| c != '`').unwrap_or(line.len() - start);
        let marks = &line[start..start + length];
        let mut close = start + length;
        let end = loop {
            let Some(found) = line[close..].find(marks).map(|found| close + found) else {
                break None;
            };
            let run = line[found..].find(|c| c != '`').unwrap_or(line.len() - found);
            if run == length {
                break Some(found);
            }
            close = found + run;
        };
        at = match end {
            Some(end) => {
                spans.push((start + length, end));
                end + length
            }
            None => start + length,
        };
    }
    spans
}

/// The targets of links, images, link definitions, and of `src` and `href`.
pub fn links(text: &str) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    for (number, line) in prose(text) {
        let line = without_spans(line);
        let mut targets = Vec::new();
        for (at, _) in line.match_indices("](") {
            targets.extend(target_in_parentheses(&line[at + 2..]));
        }
        if line.trim_start().starts_with('[')
            && let Some((_, target)) = line.split_once("]:")
        {
            targets.extend(target.split_whitespace().next());
        }
        for attribute in ["src=\"", "href=\""] {
            for (at, _) in line.match_indices(attribute) {
                targets.extend(line[at + attribute.len()..].split('"').next());
            }
        }
        links.extend(
            targets.into_iter().map(|target| (number, target.trim_matches(['<', '>']).to_owned())),
        );
    }
    links
}

fn without_spans(line: &str) -> String {
    let mut line = line.to_owned();
    for (start, end) in spans(&line.clone()) {
        line.replace_range(start..end, &" ".repeat(end - start));
    }
    line
}

/// The target in `target "title")…`; it may hold pairs of parentheses.
fn target_in_parentheses(text: &str) -> Option<&str> {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth == 0 => return text[..at].split_whitespace().next(),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fences_keep_language_and_body() {
        let text = "a\n```sh\nls\n\n```\n~~~~ text\n```\n~~~~\nb ```x``` c\n";
        let expected = [
            Fence { line: 2, language: "sh", body: vec!["ls", ""] },
            Fence { line: 6, language: "text", body: vec!["```"] },
        ];
        assert_eq!(fences(text), expected);
        assert_eq!(prose(text).map(|(line, _)| line).collect::<Vec<_>>(), [1, 9]);
    }

    #[test]
    fn tables_have_header_and_rows() {
        let tables = tables("| § | what |\n|---|:--|\n| 1 | `a|b` \\| c |\n|  | |\n\nno\n| x |\n");
        assert_eq!(tables.len(), 1);
        assert_eq!(tables[0].header, ["§", "what"]);
        assert_eq!(tables[0].rows[0].cells, ["1", "`a|b` | c"]);
        assert_eq!(tables[0].rows[1].line, 4);
        assert_eq!(tables[0].rows[1].cells, ["", ""]);
    }

    #[test]
    fn tables_in_code_are_code() {
        assert_eq!(tables("```\n| a |\n|---|\n```\n").len(), 0);
    }

    #[test]
    fn code_spans_of_any_length() {
        assert_eq!(code_spans("`a` and ``b ` c`` and `open"), ["a", "b ` c"]);
    }

    #[test]
    fn links_in_all_forms() {
        let text = "[a](one.md) ![b](two.png \"title\") [c](<three.md>) `[d](no.md)`\n[e]: four.md#x\n\
                    <img src=\"five.png\">\n```\n[f](no.md)\n```\n[g](six(1).md)";
        let targets: Vec<_> =
            links(text).into_iter().map(|(line, target)| format!("{line} {target}")).collect();
        assert_eq!(
            targets,
            ["1 one.md", "1 two.png", "1 three.md", "2 four.md#x", "3 five.png", "7 six(1).md"]
        );
    }
}
