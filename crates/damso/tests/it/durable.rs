//! The data folder: what was heard is on the disk, whatever ends the process.

use crate::client::Client;
use crate::server::{Engine, Server, damso, run, scratch};
use rustix::process::Signal;
use std::path::PathBuf;

all_engines![
    what_everybody_heard_survives_kills,
    a_ban_and_a_mute_hold_over_a_restart_and_hit_nobody_else,
    a_second_server_on_the_same_folder_is_refused,
    a_folder_that_cannot_be_used_is_told_in_one_sentence,
    a_start_that_names_no_folder_keeps_everything_in_damso_data,
];

/// A data folder, gone with its test.
pub(crate) struct Data(PathBuf);

impl Data {
    pub(crate) fn new(engine: Engine, test: &str) -> Self {
        Self(scratch(engine.name(), test))
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().expect("temporary folders have plain names")
    }

    pub(crate) fn serve(&self, engine: Engine) -> Server {
        let mut command = damso(&["--listen", "127.0.0.1:0", "--engine", engine.name()]);
        command.args(["--data", self.path(), "--set", "limits.send_per_second=0"]);
        Server::start(command)
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// How many messages the start says there are.
#[track_caller]
fn messages(server: &Server) -> u64 {
    let line = server.prints(&["data folder:"]);
    if line.ends_with("(new)") {
        return 0;
    }
    let count = line.rsplit_once("messages: ").and_then(|(_, rest)| rest.strip_suffix(')'));
    count.and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("no count in {line:?}"))
}

fn what_everybody_heard_survives_kills(engine: Engine) {
    let data = Data::new(engine, "kills");
    let mut heard = 0;
    for round in 0..5 {
        let server = data.serve(engine);
        let kept = messages(&server);
        assert!(kept >= heard, "{heard} were heard, {kept} are kept");
        heard = kept;
        let mut client = Client::open(server.address);
        for number in 0..20 {
            client.says_and_hears(&format!("{round}번째 줄 {number}"));
            heard += 1;
        }
        // Some more are on their way when it is killed.
        client.say("one that nobody may hear");
        server.signal(Signal::KILL);
    }
}

fn a_ban_and_a_mute_hold_over_a_restart_and_hit_nobody_else(engine: Engine) {
    let data = Data::new(engine, "bans");
    let server = data.serve(engine);
    let muted = server.join();
    server.types(&format!("/mute {}", muted.name));
    server.prints(&["muted", &muted.name, "for good"]);
    server.types("/ban 127.0.0.2");
    server.prints(&["banned 127.0.0.2"]);
    assert_eq!(server.stop(), 0);

    let server = data.serve(engine);
    assert_eq!(messages(&server), 0);
    // The first guest of this run isn't the first one of the run before.
    server.join().says_and_hears("저는 다른 사람이에요");
    server.types("/unban 127.0.0.2");
    server.prints(&["127.0.0.2 may come again"]);
}

fn a_second_server_on_the_same_folder_is_refused(engine: Engine) {
    let data = Data::new(engine, "second");
    let server = data.serve(engine);
    let mut second = damso(&["--listen", "127.0.0.1:0", "--data", data.path()]);
    let (code, _, said) = run(&mut second);
    assert_eq!(code, 1);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("in use by another damso"), "{said}");
    server.join().says_and_hears("still here");
}

fn a_folder_that_cannot_be_used_is_told_in_one_sentence(engine: Engine) {
    let data = Data::new(engine, "unusable");
    let refused = |words: &str| {
        let mut start = damso(&["--listen", "127.0.0.1:0", "--data", data.path()]);
        let (code, stdout, said) = run(&mut start);
        assert_eq!((code, &*stdout, said.lines().count()), (1, "", 1), "{said}");
        assert!(said.contains(words), "{said}");
    };
    // A file where the folder would be.
    std::fs::write(&data.0, "something else").unwrap();
    refused(data.path());
    std::fs::remove_file(&data.0).unwrap();
    // A database that isn't one, or not any more.
    let server = data.serve(engine);
    server.join().says_and_hears("한 줄");
    assert_eq!(server.stop(), 0);
    let database = data.0.join("damso.db");
    let kept = data.0.with_extension("kept");
    std::fs::rename(&data.0, &kept).unwrap();
    std::fs::create_dir(&data.0).unwrap();
    std::fs::write(&database, [0xa5; 8_192]).unwrap();
    refused("damso.db");
    // Refusing has changed nothing.
    assert_eq!(std::fs::read(&database).unwrap(), [0xa5; 8_192]);
    std::fs::remove_dir_all(&data.0).unwrap();
    std::fs::rename(&kept, &data.0).unwrap();
    assert_eq!(messages(&data.serve(engine)), 1);
}

fn a_start_that_names_no_folder_keeps_everything_in_damso_data(engine: Engine) {
    let data = Data::new(engine, "default");
    std::fs::create_dir(&data.0).unwrap();
    let start = || {
        let mut command = damso(&["--listen", "127.0.0.1:0", "--engine", engine.name()]);
        command.current_dir(&data.0).env_remove("DAMSO_SERVER_DATA");
        Server::start(command)
    };
    let server = start();
    let told = server.prints(&["data folder:", "(new)"]);
    assert!(told.contains("damso-data"), "{told}");
    server.join().says_and_hears("남는 말");
    assert_eq!(server.stop(), 0);
    let log = std::fs::metadata(data.0.join("damso-data").join("damso.db-wal"));
    assert_eq!(log.map_or(0, |log| log.len()), 0, "all is in one file");
    assert_eq!(messages(&start()), 1);
    let folder = std::fs::metadata(data.0.join("damso-data")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&folder.permissions()) & 0o777, 0o700);
}
