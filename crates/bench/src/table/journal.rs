//! The runs that were made, line by line in a file, so that a table that was interrupted goes on where it stopped.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Plan, Run};

pub struct Journal {
    path: PathBuf,
    file: File,
    known: Vec<(String, Run)>,
}

impl Journal {
    /// Takes what is there when it was written for an equal plan; else begins anew.
    pub fn open(path: &Path, plan: &Plan) -> Result<Self, String> {
        let heading = json!({ "plan": plan.description() }).to_string();
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let goes_on = text.lines().next() == Some(&heading);
        // A line that was cut short isn't known.
        let known: Vec<_> = text.lines().skip(1).filter(|_| goes_on).filter_map(read).collect();
        let failed = |error: std::io::Error| format!("{}: {error}", path.display());
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut file = OpenOptions::new().create(true).append(true).open(path).map_err(failed)?;
        if goes_on {
            eprintln!("{} runs are known from {}", known.len(), path.display());
            if !text.ends_with('\n') {
                file.write_all(b"\n").map_err(failed)?;
            }
        } else {
            file.set_len(0).and_then(|()| writeln!(file, "{heading}")).map_err(failed)?;
        }
        Ok(Self { path: path.to_owned(), file, known })
    }

    /// A run that was made before.
    pub fn find(&self, key: &str) -> Option<Result<Run, String>> {
        self.known.iter().find(|(known, _)| known == key).map(|(_, run)| Ok(run.clone()))
    }

    /// Keeps it, if it is new. What failed is tried again next time.
    pub fn keep(&mut self, key: &str, result: &Result<Run, String>) -> Result<(), String> {
        let Ok(run) = result else { return Ok(()) };
        if self.find(key).is_some() {
            return Ok(());
        }
        let line = json!({ "key": key, "run": run.to_json() });
        writeln!(self.file, "{line}").map_err(|error| format!("{}: {error}", self.path.display()))
    }

    /// All runs are made: the next table is another.
    pub fn over(self) -> Result<(), String> {
        std::fs::remove_file(&self.path)
            .map_err(|error| format!("{}: {error}", self.path.display()))
    }
}

fn read(line: &str) -> Option<(String, Run)> {
    let line: Value = serde_json::from_str(line).ok()?;
    Some((line.get("key")?.as_str()?.to_owned(), Run::from_json(line.get("run")?)?))
}

#[cfg(test)]
mod tests {
    use super::super::{Figure, ROWS};
    use super::*;
    use crate::fanout::Load;
    use crate::generator::Wait;
    use crate::server::Folder;

    fn plan(rounds: usize) -> Plan {
        Plan {
            rows: ROWS.to_vec(),
            is_usual: true,
            peers: Vec::new(),
            rounds,
            load: Load {
                subscribers: 0,
                publishers: 1,
                bytes: 0,
                in_flight: 0,
                seconds: 1.0,
                warm_up_seconds: 0.5,
                wait: Wait::Block,
            },
            wait: Wait::Block,
            cores: None,
            all_cores: vec![0],
            others_share_max: 0.05,
            repeats: 0,
        }
    }

    #[test]
    fn an_interrupted_table_goes_on_and_another_plan_begins_anew() {
        let folder = Folder::new("journal").unwrap();
        let path = folder.path().join("runs");
        let mut run = Run::default();
        run.set(Figure::Cpu, 1.5);
        let mut journal = Journal::open(&path, &plan(3)).unwrap();
        journal.keep("one", &Ok(run.clone())).unwrap();
        journal.keep("two", &Err("lost".into())).unwrap();
        journal.file.write_all(b"{\"key\":\"thr").unwrap();
        drop(journal);

        let mut journal = Journal::open(&path, &plan(3)).unwrap();
        assert_eq!(journal.find("one"), Some(Ok(run.clone())));
        assert_eq!((journal.find("two"), journal.find("three")), (None, None));
        journal.keep("four", &Ok(run.clone())).unwrap();
        drop(journal);
        assert_eq!(Journal::open(&path, &plan(3)).unwrap().find("four"), Some(Ok(run)));

        let journal = Journal::open(&path, &plan(5)).unwrap();
        assert_eq!(journal.find("one"), None);
        journal.over().unwrap();
        assert!(!path.exists());
    }
}
