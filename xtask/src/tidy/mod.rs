//! `cargo xtask tidy`: checks of the tree that need no build. Each finding is one line,
//! `file:line: sentence`, so that an editor can jump to it.

mod arrows;
mod documents;
mod markdown;
mod names;
mod requirements;
mod rust;
mod source;
mod tree;
mod wire;

use crate::run::{self, Failure};
use std::fmt;
use tree::Tree;

const CHECKS: &[fn(&Tree) -> Vec<Finding>] = &[
    requirements::check,
    documents::tutorials,
    documents::readmes,
    documents::links,
    source::lines,
    source::libraries,
    source::sleeps,
    source::machine_paths,
    arrows::check,
    wire::check,
];

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    /// From 1.
    line: usize,
    sentence: String,
}

impl Finding {
    fn new(path: &str, line: usize, sentence: impl Into<String>) -> Self {
        Finding { path: path.to_owned(), line, sentence: sentence.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.sentence)
    }
}

pub fn command(args: &[String]) -> run::Result {
    if let Some(arg) = args.first() {
        return Err(Failure::usage(format!("tidy takes no arguments, not {arg}")));
    }
    let tree = Tree::load(&run::root())?;
    let mut findings: Vec<_> = CHECKS.iter().flat_map(|check| check(&tree)).collect();
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => Ok(()),
        1 => Err(Failure::new("tidy has 1 finding")),
        many => Err(Failure::new(format!("tidy has {many} findings"))),
    }
}

/// Runs one check over a tree written down in a test.
#[cfg(test)]
#[track_caller]
fn expect(check: fn(&Tree) -> Vec<Finding>, files: &[(&str, &str)], expected: &[&str]) {
    let mut findings = check(&Tree::of(files));
    findings.sort();
    let found: Vec<_> = findings.iter().map(Finding::to_string).collect();
    assert_eq!(found, expected);
}
