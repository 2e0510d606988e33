//! `damso room …` and `damso user …`: a line of the operator's table for the running server.

use super::control::SOCKET;
use super::table;
use crate::args::AdminArgs;
use crate::config::Config;
use crate::lang::Lang;
use crate::process::{self, Failure};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Has the running server do what the words say, and prints what it answers.
///
/// # Errors
/// The words aren't in the table, it wasn't done, or no server runs on the folder.
pub fn run(verb: &str, args: &AdminArgs) -> Result<(), Failure> {
    let lang = Lang::of_environment();
    if args.words.is_empty() || args.words.iter().any(|word| word.contains(['\n', '\r'])) {
        return Err(Failure::usage(match lang {
            Lang::En => format!("damso {verb} needs a command; damso {verb} --help shows them"),
            Lang::Ko => {
                format!("damso {verb} 다음에 명령이 필요합니다. damso {verb} --help로 봅니다")
            }
        }));
    }
    let Some(folder) = Config::data_folder(&args.data)? else {
        return Err(Failure::usage(match lang {
            Lang::En => "which data folder? name it with --data",
            Lang::Ko => "어느 자료 폴더입니까? --data로 적으세요",
        }));
    };
    let words = std::iter::once(verb).chain(args.words.iter().map(String::as_str));
    let line = table::line_of(words);
    let stream = connect(&folder, lang)?;
    let lost = |error: io::Error| {
        Failure::other(match lang {
            Lang::En => format!("the server broke off: {error}"),
            Lang::Ko => format!("서버가 답하다 말았습니다: {error}"),
        })
    };
    let spoken = match lang {
        Lang::En => "/lang en\n",
        Lang::Ko => "/lang ko\n",
    };
    // A server that doesn't read it may have said why.
    let sent = (&stream).write_all(format!("{spoken}{line}\n").as_bytes());
    let mut answers = BufReader::new(&stream).lines();
    // The language's, and the command's.
    for is_last in [false, true] {
        loop {
            let Some(line) = answers.next() else {
                let gone = io::ErrorKind::UnexpectedEof.into();
                return Err(lost(sent.err().unwrap_or(gone)));
            };
            let line = line.map_err(lost)?;
            if let Some(said) = line.strip_prefix(' ') {
                process::print(&format!("{}\n", crate::logs::escaped_lines(said)));
            } else if let Some(complaint) = line.strip_prefix("error: ") {
                return Err(Failure::other(complaint));
            } else if let Some(complaint) = line.strip_prefix("usage: ") {
                return Err(Failure::usage(as_typed_here(complaint, verb)));
            } else if is_last {
                return Ok(());
            } else {
                break;
            }
        }
    }
    Ok(())
}

/// The table's commands begin with `/`, and the shell's with `damso `; help is elsewhere too.
fn as_typed_here(complaint: &str, verb: &str) -> String {
    let help = format!("damso {verb} --help");
    complaint.replace("/help", &help).replace(&format!("/{verb}"), &format!("damso {verb}"))
}

fn connect(folder: &Path, lang: Lang) -> Result<UnixStream, Failure> {
    UnixStream::connect(folder.join(SOCKET)).map_err(|error| {
        let folder = folder.display();
        Failure::other(match (error.kind(), lang) {
            (io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused, Lang::En) => {
                format!("no damso is running on the data folder {folder}; --data names another")
            }
            (io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused, Lang::Ko) => {
                format!("자료 폴더 {folder}에서 담소가 돌고 있지 않습니다. 다른 폴더는 --data로 적습니다")
            }
            (_, Lang::En) => format!("the server on {folder} can't be reached: {error}"),
            (_, Lang::Ko) => format!("{folder}의 서버에 닿지 못했습니다: {error}"),
        })
    })
}
