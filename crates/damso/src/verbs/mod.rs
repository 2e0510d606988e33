//! What is done with a data folder beside a running server, or without one: `backup`, `restore`,
//! `verify`, `export`.

mod export;
mod progress;

use crate::args::{DataArgs, FileArgs};
use crate::config::Config;
use crate::lang::Lang;
use crate::process::{self, Failure};
use damso_store::{self as store, Reader, Verified};
use progress::Told;
use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};

/// Copies the log into one file, and reads all of the copy.
///
/// # Errors
/// There is no log, or the file can't be written or is there already, or the copy isn't in order.
pub fn backup(args: &FileArgs) -> Result<(), Failure> {
    let reader = open(&args.data)?;
    let mut told = Told::new(Lang::of_environment());
    let verified = reader.back_up(&args.file, &mut |progress| told.tell(progress));
    told.end();
    let verified = verified.map_err(other)?;
    tell_done(Done::BackedUp(&args.file), &verified);
    Ok(())
}

/// Makes the log of an empty folder from a backup.
///
/// # Errors
/// The file is no backup in order, or the folder is in use, not empty, or can't be written.
pub fn restore(args: &FileArgs) -> Result<(), Failure> {
    let folder = folder(&args.data)?;
    let mut told = Told::new(Lang::of_environment());
    let restored = store::restore(&args.file, &folder, &mut |progress| told.tell(progress));
    told.end();
    tell_done(Done::Restored(&folder), &restored.map_err(other)?.verified);
    Ok(())
}

/// Reads all of the log, and says what it comes to.
///
/// # Errors
/// There is no log, or the first thing that is wrong with it.
pub fn verify(args: &DataArgs) -> Result<(), Failure> {
    let reader = open(args)?;
    let mut told = Told::new(Lang::of_environment());
    let verified = reader.verify(&mut |progress| told.tell(progress));
    told.end();
    tell_done(Done::Verified, &verified.map_err(other)?);
    Ok(())
}

/// Writes users, rooms and messages to stdout, an object a line.
///
/// # Errors
/// There is no log, or it can't be read, or stdout can't be written.
pub fn export(args: &DataArgs) -> Result<(), Failure> {
    let reader = open(args)?;
    match export::write(&reader, &mut io::BufWriter::new(io::stdout().lock())) {
        // Whoever reads has enough (`damso export | head`).
        Err(export::Error::Out(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(other(error)),
        Ok(()) => Ok(()),
    }
}

fn other(error: impl Display) -> Failure {
    Failure::other(error.to_string())
}

fn folder(args: &DataArgs) -> Result<PathBuf, Failure> {
    Config::data_folder(args)?
        .ok_or_else(|| Failure::usage("no data folder is named; name one with --data"))
}

fn open(args: &DataArgs) -> Result<Reader, Failure> {
    Reader::open_checked(&folder(args)?).map_err(other)
}

/// What was done.
enum Done<'a> {
    BackedUp(&'a Path),
    Restored(&'a Path),
    Verified,
}

fn tell_done(done: Done, verified: &Verified) {
    let Verified { events, messages, digest } = verified;
    let lang = Lang::of_environment();
    let what = match (done, lang) {
        (Done::BackedUp(file), Lang::En) => format!("backed up to {}", file.display()),
        (Done::BackedUp(file), Lang::Ko) => format!("{}에 백업했습니다", file.display()),
        (Done::Restored(folder), Lang::En) => format!("restored to {}", folder.display()),
        (Done::Restored(folder), Lang::Ko) => format!("{}에 되살렸습니다", folder.display()),
        (Done::Verified, Lang::En) => "in order".to_owned(),
        (Done::Verified, Lang::Ko) => "이상이 없습니다".to_owned(),
    };
    process::print(&match lang {
        Lang::En => format!("{what}: {messages} messages, {events} events, digest {digest}\n"),
        Lang::Ko => {
            format!("{what}. 메시지 {messages}개, 이벤트 {events}개, 요약값 {digest}\n")
        }
    });
}
