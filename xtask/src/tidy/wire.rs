//! docs/protocol.md says what the wire types say: each message, field, error code and close code
//! has a row there, and each row one of them. What a row can't show is held by a mark of the types:
//! they can't change without somebody reading the page.
//!
//! The page has a chapter for each direction. In it a table headed by `t` lists the messages, and a
//! table headed by a message's name lists its fields, `name?` where a field may be absent. A table
//! headed by `message.field` does so for what is in that field: its fields, or its values.

mod types;

use super::Finding;
use super::markdown;
use super::rust::Line;
use super::tree::Tree;
use std::collections::BTreeSet;
use types::{Field, Shape, Type};

const PATH: &str = "docs/protocol.md";
const TYPES: &str = "crates/protocol/src/";
const MARK: &str = "<!-- wire types: ";

/// What both directions share.
const SHARED: &str = "crates/protocol/src/v1/mod.rs";
const LIMITS: &str = "crates/protocol/src/limits.rs";
/// The field with the number of a Close frame.
const CLOSE_CODE: &str = "bye.code";
/// The field with the limits; its table has a column of defaults.
const LIMITS_FIELD: &str = "welcome.limits";
const DEFAULT: &str = "default";

struct Direction {
    path: &'static str,
    /// The enum of its messages.
    messages: &'static str,
    chapter: &'static str,
    /// Whether a field may be absent on the wire.
    is_optional: fn(&Field) -> bool,
}

const DIRECTIONS: [Direction; 2] = [
    Direction {
        path: "crates/protocol/src/v1/client.rs",
        messages: "ClientMessage",
        chapter: "## From client to server",
        is_optional: |field| field.has_default,
    },
    Direction {
        path: "crates/protocol/src/v1/server.rs",
        messages: "ServerMessage",
        chapter: "## From server to client",
        is_optional: |field| field.is_skipped,
    },
];

pub fn check(tree: &Tree) -> Vec<Finding> {
    let Some(text) = tree.text(PATH) else { return Vec::new() };
    let mut findings = mark(tree, text);
    if tree.exists(SHARED) {
        let page = Page::of(text);
        let shared = source(tree, SHARED);
        for direction in &DIRECTIONS {
            findings.extend(messages(&page, direction, &source(tree, direction.path), &shared));
        }
        findings.extend(close_codes(&page, &shared));
        findings.extend(defaults(&page, &source(tree, LIMITS)));
    }
    findings
}

fn mark(tree: &Tree, text: &str) -> Vec<Finding> {
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
        for byte in code(lines).bytes().filter(|byte| !byte.is_ascii_whitespace()) {
            digest = (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    digest
}

fn source(tree: &Tree, path: &str) -> String {
    tree.rust().find(|(file, _)| *file == path).map_or_else(String::new, |(_, lines)| code(lines))
}

/// What is compiled into the program, without comments.
fn code(lines: &[Line]) -> String {
    let lines = lines.iter().filter(|line| !line.is_test);
    lines.map(|line| line.uncommented.as_str()).collect::<Vec<_>>().join("\n")
}

/// The tables of the page that are headed by a name.
struct Page<'a> {
    text: &'a str,
    tables: Vec<Table>,
}

struct Table {
    name: String,
    line: usize,
    header: Vec<String>,
    rows: Vec<Row>,
}

/// A row that begins with a name.
struct Row {
    name: String,
    is_optional: bool,
    line: usize,
    cells: Vec<String>,
}

impl<'a> Page<'a> {
    fn of(text: &'a str) -> Self {
        let tables = markdown::tables(text).into_iter().filter_map(Table::of).collect();
        Page { text, tables }
    }

    /// From the heading to the next of its kind.
    fn chapter(&self, heading: &str) -> Option<std::ops::Range<usize>> {
        let mut headings = markdown::prose(self.text).filter(|(_, line)| line.starts_with("## "));
        let (start, _) = headings.find(|(_, line)| line.trim_end() == heading)?;
        Some(start..headings.next().map_or(usize::MAX, |(line, _)| line))
    }

    fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name == name)
    }
}

impl Table {
    fn of(table: markdown::Table) -> Option<Table> {
        let (name, _) = named(table.header.first()?)?;
        let row = |row: markdown::Row| {
            let (name, is_optional) = named(row.cells.first()?)?;
            Some(Row { name, is_optional, line: row.line, cells: row.cells })
        };
        // The header stands two lines above the first row.
        let line = table.rows.first()?.line - 2;
        let rows = table.rows.into_iter().filter_map(row).collect();
        Some(Table { name, line, header: table.header, rows })
    }

    /// Tells which names have no row, and which rows no name.
    fn compare(&self, names: &BTreeSet<String>) -> Vec<Finding> {
        let Table { name, line, rows, .. } = self;
        let has_row = |wanted: &String| rows.iter().any(|row| row.name == *wanted);
        let lost = names.iter().filter(|wanted| !has_row(wanted));
        let lost = lost.map(|wanted| {
            Finding::new(PATH, *line, format!("the table of `{name}` has no row for `{wanted}`"))
        });
        let unknown = rows.iter().filter(|row| !names.contains(&row.name));
        let unknown = unknown.map(|row| {
            Finding::new(PATH, row.line, format!("`{name}` has no `{}` in the code", row.name))
        });
        lost.chain(unknown).collect()
    }
}

/// The name in a cell that holds one code span, and whether it may be absent.
fn named(cell: &str) -> Option<(String, bool)> {
    let [span] = markdown::code_spans(cell)[..] else { return None };
    let name = span.strip_suffix('?');
    Some((name.unwrap_or(span).to_owned(), name.is_some()))
}

/// Compares the messages of one direction, their fields and the values of these.
fn messages(page: &Page<'_>, direction: &Direction, own: &str, shared: &str) -> Vec<Finding> {
    let Direction { path, messages, chapter, .. } = direction;
    let Some(lines) = page.chapter(chapter) else {
        return vec![Finding::new(PATH, 1, format!("there is no chapter {chapter}"))];
    };
    let types: Vec<Type> = types::types(own).into_iter().chain(types::types(shared)).collect();
    let Some(Shape::Enum(variants)) =
        types.iter().find(|known| known.name == *messages).map(|known| &known.shape)
    else {
        return vec![Finding::new(path, 1, format!("there is no enum {messages}"))];
    };
    let mut reader =
        Reader { page, direction, types: &types, told: BTreeSet::new(), findings: Vec::new() };
    let tables = || page.tables.iter().filter(|table| lines.contains(&table.line));
    let names: BTreeSet<String> = variants.iter().map(|variant| variant.name.clone()).collect();
    match tables().find(|table| table.name == "t") {
        Some(table) => reader.findings.extend(table.compare(&names)),
        None => reader.tell(lines.start, "there is no table of messages, headed by `t`".into()),
    }
    for table in tables().filter(|table| table.name != "t" && !table.name.contains('.')) {
        if !names.contains(&table.name) {
            reader.tell(table.line, format!("there is no message `{}`", table.name));
        }
    }
    for variant in variants {
        let content = types.iter().find(|known| variant.content.contains(&known.name));
        let Some(Type { shape: Shape::Struct(fields), .. }) = content else { continue };
        match tables().find(|table| table.name == variant.name) {
            Some(table) => reader.fields(table, fields),
            None => reader.tell(lines.start, format!("there is no table for `{}`", variant.name)),
        }
    }
    reader.findings
}

/// Goes through the types from the messages down.
struct Reader<'a> {
    page: &'a Page<'a>,
    direction: &'a Direction,
    types: &'a [Type],
    /// The types that have a table already.
    told: BTreeSet<&'a str>,
    findings: Vec<Finding>,
}

impl<'a> Reader<'a> {
    fn tell(&mut self, line: usize, sentence: String) {
        self.findings.push(Finding::new(PATH, line, sentence));
    }

    fn fields(&mut self, table: &'a Table, fields: &'a [Field]) {
        let names = fields.iter().map(|field| field.name.clone()).collect();
        self.findings.extend(table.compare(&names));
        for field in fields {
            let Some(row) = table.rows.iter().find(|row| row.name == field.name) else { continue };
            let is_optional = (self.direction.is_optional)(field);
            if row.is_optional != is_optional {
                let mark = if is_optional { "?" } else { "" };
                let name = &field.name;
                self.tell(row.line, format!("it is written `{name}{mark}` here: see its type"));
            }
            self.content(&format!("{}.{}", table.name, field.name), row, field);
        }
    }

    /// What is in a field, where it has a type of its own: fields in a table, or values in a table
    /// or in the row's second cell.
    fn content(&mut self, name: &str, row: &Row, field: &Field) {
        let within = self.types.iter().find(|known| field.content.contains(&known.name));
        let Some(content) = within else { return };
        let table = self.page.table(name);
        match &content.shape {
            Shape::Struct(fields) if fields.is_empty() => {}
            Shape::Struct(fields) => {
                if self.told.insert(&content.name) {
                    match table {
                        Some(table) => self.fields(table, fields),
                        None => self.tell(row.line, format!("there is no table for `{name}`")),
                    }
                }
            }
            Shape::Enum(variants) => {
                let values = variants.iter().filter(|variant| !variant.is_other);
                let values: BTreeSet<String> = values.map(|variant| variant.name.clone()).collect();
                if let Some(table) = table {
                    self.findings.extend(table.compare(&values));
                    return;
                }
                let cell = row.cells.get(1).map(String::as_str).unwrap_or_default();
                let listed = markdown::code_spans(cell).into_iter().map(str::to_owned).collect();
                if values != listed {
                    let values: Vec<String> = values.into_iter().collect();
                    let sentence = format!("`{name}` is one of {}", values.join(", "));
                    self.tell(row.line, sentence);
                }
            }
        }
    }
}

/// Compares the numbers of Close frames.
fn close_codes(page: &Page<'_>, shared: &str) -> Vec<Finding> {
    let constants = shared.lines().filter_map(|line| {
        let (_, number) = line.trim().strip_prefix("pub const ")?.split_once(": u16 = ")?;
        number.strip_suffix(';').map(str::to_owned)
    });
    let codes: BTreeSet<String> = constants.collect();
    match page.table(CLOSE_CODE) {
        Some(table) => table.compare(&codes),
        None => vec![Finding::new(PATH, 1, format!("there is no table for `{CLOSE_CODE}`"))],
    }
}

/// Compares the defaults of the limits with the settings' own.
fn defaults(page: &Page<'_>, limits: &str) -> Vec<Finding> {
    let number = |text: &str| text.replace(['_', ','], "").trim().parse::<f64>().ok();
    let default = |name: &str| {
        let mut values = limits.lines().filter_map(|line| line.trim().split_once(": "));
        values.find_map(|(field, value)| number(value.strip_suffix(',')?).filter(|_| field == name))
    };
    let Some(table) = page.table(LIMITS_FIELD) else { return Vec::new() };
    let column = table.header.iter().position(|cell| cell == DEFAULT);
    let mut findings = Vec::new();
    for row in &table.rows {
        let told = column.and_then(|column| number(row.cells.get(column)?));
        let wanted = default(&row.name);
        if told != wanted {
            let wanted = wanted.map_or_else(|| "none".to_owned(), |wanted| wanted.to_string());
            let sentence = format!("the default of `{}` in {LIMITS} is {wanted}", row.name);
            findings.push(Finding::new(PATH, row.line, sentence));
        }
    }
    findings
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

    const CLIENT: &str = "#[serde(tag = \"t\", rename_all = \"lowercase\")]\n\
        pub enum ClientMessage { Hello(Box<Hello>), Pong }\n\
        pub struct Hello { #[serde(default)] pub id: u64, pub key: Arc<str>, pub op: Op }";
    const SERVER: &str = "#[serde(tag = \"t\", rename_all = \"lowercase\")]\n\
        pub enum ServerMessage { Welcome(Welcome), #[serde(rename = \"err\")] Failure(Failure) }\n\
        pub struct Welcome { #[serde(default)] pub limits: Limits, pub code: Code }\n\
        pub struct Limits { pub chars: u32 }\n\
        pub struct Failure { #[serde(default, skip_serializing_if = \"x\")] pub id: Option<u64> }";
    const OTHERS: &str = "#[serde(rename_all = \"snake_case\")]\n\
        pub enum Code { NotFound, #[serde(other)] Unknown }\n\
        #[serde(rename_all = \"lowercase\")]\npub enum Op { Edit, Pin }\n\
        pub mod close {\n    pub const GONE: u16 = 4000;\n}";
    const PAGE: &str = "\
## From client to server

| `t` | what |
|---|---|
| `hello` | who |
| `pong` | lives |

| `hello` | type |
|---|---|
| `id?` | integer |
| `key` | string |
| `op` | `edit`, `pin` |

## From server to client

| `t` | what |
|---|---|
| `welcome` | come in |
| `err` | no |

| `welcome` | type |
|---|---|
| `limits` | below |
| `code` | below |

| `welcome.limits` | default |
|---|---|
| `chars` | 8,000 |

| `err` | type |
|---|---|
| `id?` | integer |

## Numbers

| `welcome.code` | why |
|---|---|
| `not_found` | it is not there |

| `bye.code` | why |
|---|---|
| `4000` | no |
";

    #[track_caller]
    fn check_page(page: &str, expected: &[&str]) {
        let limits = "impl Default for Limits {\n    chars: 8_000,\n}";
        let files = [
            (PATH, page),
            ("crates/protocol/src/v1/client.rs", CLIENT),
            ("crates/protocol/src/v1/server.rs", SERVER),
            (SHARED, OTHERS),
            (LIMITS, limits),
        ];
        let mark = format!("{MARK}{:016x} -->\n", digest(&Tree::of(&files)));
        let page = format!("{page}{mark}");
        expect(check, &[&[(PATH, page.as_str())], &files[1..]].concat(), expected);
    }

    #[test]
    fn a_page_with_a_row_for_each_name_passes() {
        check_page(PAGE, &[]);
    }

    #[test]
    fn what_has_no_row_is_told() {
        let without = |row: &str| PAGE.replacen(&format!("{row}\n"), "", 1);
        let lost =
            |table: &str, row: &str| format!("the table of `{table}` has no row for `{row}`");
        check_page(
            &without("| `pong` | lives |"),
            &[&format!("docs/protocol.md:3: {}", lost("t", "pong"))],
        );
        check_page(
            &without("| `key` | string |"),
            &[&format!("docs/protocol.md:8: {}", lost("hello", "key"))],
        );
        check_page(
            &without("| `err` | no |"),
            &[&format!("docs/protocol.md:16: {}", lost("t", "err"))],
        );
        check_page(
            &PAGE.replace("| `not_found` |", "| not_found |"),
            &[&format!("docs/protocol.md:36: {}", lost("welcome.code", "not_found"))],
        );
        check_page(
            &PAGE.replace("| `4000` |", "| `4001` |"),
            &[
                &format!("docs/protocol.md:40: {}", lost("bye.code", "4000")),
                "docs/protocol.md:42: `bye.code` has no `4001` in the code",
            ],
        );
        check_page(
            &PAGE.replace("| `welcome.limits` |", "| limits |"),
            &["docs/protocol.md:23: there is no table for `welcome.limits`"],
        );
    }

    #[test]
    fn what_no_type_has_is_told() {
        check_page(
            &PAGE.replace("| `key` | string |", "| `key` | string |\n| `token?` | string |"),
            &["docs/protocol.md:12: `hello` has no `token` in the code"],
        );
        check_page(
            &PAGE.replace("| `pong` | lives |", "| `pong` | lives |\n| `send` | speaks |"),
            &["docs/protocol.md:7: `t` has no `send` in the code"],
        );
        check_page(
            &PAGE.replace(
                "## Numbers",
                "| `msg` | type |\n|---|---|\n| `m` | integer |\n\n## Numbers",
            ),
            &["docs/protocol.md:34: there is no message `msg`"],
        );
    }

    #[test]
    fn what_is_written_otherwise_is_told() {
        check_page(
            &PAGE.replace("| `id?` |", "| `id` |"),
            &[
                "docs/protocol.md:10: it is written `id?` here: see its type",
                "docs/protocol.md:32: it is written `id?` here: see its type",
            ],
        );
        check_page(
            &PAGE.replace("`edit`, `pin`", "`edit`"),
            &["docs/protocol.md:12: `hello.op` is one of edit, pin"],
        );
        check_page(
            &PAGE.replace("8,000", "800"),
            &[
                "docs/protocol.md:28: the default of `chars` in crates/protocol/src/limits.rs is 8000",
            ],
        );
    }
}
