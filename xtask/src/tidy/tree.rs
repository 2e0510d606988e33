//! The files that are, or would be, committed.

use super::rust;
use crate::run::{self, Failure};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

pub struct Tree {
    files: BTreeMap<String, File>,
}

pub struct File {
    /// None when it isn't text.
    text: Option<String>,
    /// Empty unless it is Rust.
    rust: Vec<rust::Line>,
}

impl Tree {
    /// What git tracks, and what it would if all were added.
    pub fn load(root: &Path) -> run::Result<Tree> {
        let mut command = Command::new("git");
        command
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root);
        let no_list =
            |why: String| Failure::new(format!("git doesn't list the files: {}", why.trim()));
        let output = command.output().map_err(|error| no_list(error.to_string()))?;
        if !output.status.success() {
            return Err(no_list(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        let mut files = BTreeMap::new();
        for path in
            String::from_utf8_lossy(&output.stdout).split('\0').filter(|path| !path.is_empty())
        {
            // Deleted, but still in the index: as good as gone.
            if let Ok(bytes) = std::fs::read(root.join(path)) {
                files.insert(path.to_owned(), File::new(path, bytes));
            }
        }
        Ok(Tree { files })
    }

    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Tree {
        let file = |(path, text): &(&str, &str)| {
            ((*path).to_owned(), File::new(path, text.as_bytes().to_vec()))
        };
        Tree { files: files.iter().map(file).collect() }
    }

    /// Whether this is a file, or a folder with one. The root is "".
    pub fn exists(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        let folder = format!("{path}/");
        path.is_empty()
            || self.files.contains_key(path)
            || self.files.keys().any(|file| file.starts_with(&folder))
    }

    pub fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path)?.text.as_deref()
    }

    /// All files that are text.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().filter_map(|(path, file)| Some((path.as_str(), file.text.as_deref()?)))
    }

    /// All files that are Rust, taken apart.
    pub fn rust(&self) -> impl Iterator<Item = (&str, &[rust::Line])> {
        self.files
            .iter()
            .filter(|(path, _)| is_rust(path))
            .map(|(path, file)| (path.as_str(), file.rust.as_slice()))
    }
}

impl File {
    fn new(path: &str, bytes: Vec<u8>) -> File {
        let text = String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
        let rust = text
            .as_ref()
            .filter(|_| is_rust(path))
            .map_or_else(Vec::new, |text| rust::lines(path, text));
        File { text, rust }
    }
}

fn is_rust(path: &str) -> bool {
    path.ends_with(".rs")
}
