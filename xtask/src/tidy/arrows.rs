//! Which of our crates may use which. Cargo keeps cycles out; this keeps shortcuts out.

use super::Finding;
use super::tree::Tree;

/// A crate, and those that may name it in their Cargo.toml.
const ARROWS: &[(&str, &[&str])] = &[
    ("websocket", &["client", "damso", "sim", "bench"]),
    ("protocol", &["chat", "store", "client", "damso", "sim", "bench"]),
    ("chat", &["store", "damso", "sim", "bench"]),
    ("store", &["damso", "sim", "bench"]),
    ("client", &["tui", "damso", "sim", "bench"]),
    ("tui", &["damso"]),
    ("damso", &["sim"]),
];

const PROGRAM: &str = "damso";

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.texts() {
        let user = match path.strip_suffix("/Cargo.toml") {
            Some("xtask") => "xtask",
            Some(folder) => match folder.strip_prefix("crates/") {
                Some(name) if !name.contains('/') => name,
                _ => continue,
            },
            None => continue,
        };
        for (line, used) in dependencies(text) {
            let Some(used) = crate_of_ours(used) else { continue };
            let users =
                ARROWS.iter().find(|(name, _)| *name == used).map_or(&[][..], |(_, users)| users);
            // A crate may be its own dev-dependency, for a feature.
            if used != user && !users.contains(&user) {
                let allowed =
                    if users.is_empty() { "nothing".to_owned() } else { users.join(", ") };
                let sentence = format!(
                    "{user} may not use {used}: only {allowed} may (ARROWS in {})",
                    file!()
                );
                findings.push(Finding::new(path, line, sentence));
            }
        }
    }
    findings
}

/// The crate's folder, of a package's name.
fn crate_of_ours(package: &str) -> Option<&str> {
    package.strip_prefix("damso-").or((package == PROGRAM).then_some(PROGRAM))
}

/// The packages in all tables of dependencies, with their lines. Reads the forms people write:
/// `name = …`, `name.workspace = true`, `[dependencies.name]`, `package = "name"`.
fn dependencies(manifest: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut inside = Section::Other;
    for (index, line) in manifest.lines().enumerate() {
        let line = line.split('#').next().unwrap_or("").trim();
        if let Some(header) = line.strip_prefix('[') {
            inside = section(header.trim_end_matches(']'));
            if let Section::Dependency(name) = inside {
                found.push((index + 1, name));
            }
            continue;
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        let key = unquoted(key.split('.').next().unwrap_or(key));
        let renamed = match (&inside, key) {
            (Section::Dependency(_), "package") => Some(value),
            (Section::Dependencies, _) => value
                .split_once("package")
                .and_then(|(_, rest)| rest.split_once('='))
                .map(|(_, name)| name),
            _ => None,
        };
        match (&inside, renamed) {
            (_, Some(name)) => {
                found.push((index + 1, unquoted(name.split([',', '}']).next().unwrap_or(name))))
            }
            (Section::Dependencies, None) => found.push((index + 1, key)),
            _ => {}
        }
    }
    found
}

enum Section<'a> {
    /// `[dependencies]` and the like, also under `[target.…]`.
    Dependencies,
    /// `[dependencies.name]`.
    Dependency(&'a str),
    Other,
}

fn section(header: &str) -> Section<'_> {
    let is_table = |name: &str| {
        let last = name.rsplit('.').next().unwrap_or(name);
        matches!(last, "dependencies" | "dev-dependencies" | "build-dependencies")
    };
    match header.rsplit_once('.') {
        _ if is_table(header) => Section::Dependencies,
        Some((table, name)) if is_table(table) => Section::Dependency(unquoted(name)),
        _ => Section::Other,
    }
}

fn unquoted(text: &str) -> &str {
    text.trim().trim_matches(['"', '\''])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::expect;

    #[test]
    fn all_forms_of_a_dependency_are_read() {
        let manifest = "[package]\nname = \"a\"\n[dependencies]\nserde = \"1\"\ndamso-chat.workspace = true\n\
                        words = { package = \"damso-protocol\", path = \"x\" } # why\n\
                        [dev-dependencies.damso-store]\npath = \"x\"\n\
                        [target.'cfg(unix)'.dependencies]\n\"libc\" = \"1\"\n[features]\ndefault = []\n";
        let expected = [
            (4, "serde"),
            (5, "damso-chat"),
            (6, "damso-protocol"),
            (7, "damso-store"),
            (10, "libc"),
        ];
        assert_eq!(dependencies(manifest), expected);
    }

    #[test]
    fn arrows_go_one_way() {
        let files = [
            ("crates/store/Cargo.toml", "[dependencies]\ndamso-chat.workspace = true\n"),
            (
                "crates/chat/Cargo.toml",
                "[dependencies]\ndamso-protocol = { path = \"../protocol\" }\n",
            ),
            ("crates/protocol/Cargo.toml", "[dependencies]\nserde = \"1\"\n"),
        ];
        expect(check, &files, &[]);
    }

    #[test]
    fn a_shortcut_is_told() {
        let file = file!();
        let files = [
            ("crates/chat/Cargo.toml", "[dev-dependencies]\ndamso-websocket.workspace = true\n"),
            ("crates/damso/Cargo.toml", "[dependencies]\ndamso-sim.workspace = true\n"),
            ("xtask/Cargo.toml", "[dependencies]\ndamso = { path = \"../crates/damso\" }\n"),
        ];
        let expected = [
            format!(
                "crates/chat/Cargo.toml:2: chat may not use websocket: only client, damso, sim, bench may (ARROWS in {file})"
            ),
            format!(
                "crates/damso/Cargo.toml:2: damso may not use sim: only nothing may (ARROWS in {file})"
            ),
            format!("xtask/Cargo.toml:2: xtask may not use damso: only sim may (ARROWS in {file})"),
        ];
        expect(check, &files, &expected.each_ref().map(String::as_str));
    }
}
