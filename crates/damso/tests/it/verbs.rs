//! `damso backup`, `restore`, `verify` and `export`, beside a running server and without one.

use crate::client::PATIENCE;
use crate::server::{Engine, Server, damso, run, scratch};
use crate::v1::peer::{Peer, key};
use damso_client::driver::Session;
use damso_client::{Config, Notice};
use damso_protocol::{Nonce, RoomId};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

all_engines![
    a_backup_under_load_has_all_that_was_acked_before_and_clients_follow_what_is_restored,
    an_export_has_everything_as_it_stands_now,
    what_cannot_be_done_is_told_in_one_sentence,
    a_folder_whose_server_was_killed_is_backed_up_without_one,
];

/// A folder of folders and backups, gone with its test.
struct Place(PathBuf);

impl Place {
    fn new(engine: Engine, test: &str) -> Self {
        let path = scratch(engine.name(), test);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("temporary folders have plain names").to_owned()
    }

    fn serve(&self, engine: Engine, folder: &str) -> Server {
        let mut command = damso(&["--listen", "127.0.0.1:0", "--engine", engine.name()]);
        command.args(["--data", &self.path(folder), "--set", "limits.send_per_second=0"]);
        command.args(["--set", "limits.commands_per_second=0"]);
        Server::start(command)
    }

    /// Runs a verb; its exit code, stdout and stderr.
    fn run(&self, words: &[&str], folder: &str) -> (i32, String, String) {
        run(damso(words).args(["--data", &self.path(folder)]))
    }

    /// Runs a verb that ends well, and what it says.
    #[track_caller]
    fn does(&self, words: &[&str], folder: &str) -> String {
        let (code, stdout, stderr) = self.run(words, folder);
        assert_eq!(code, 0, "{words:?}: {stderr}");
        stdout
    }

    /// What is in a folder, line by line.
    #[track_caller]
    fn export(&self, folder: &str) -> Vec<Value> {
        let lines = self.does(&["export"], folder);
        lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn texts(lines: &[Value]) -> Vec<String> {
    let messages = lines.iter().filter(|line| line["type"] == "message");
    messages.filter_map(|message| Some(message["text"].as_str()?.to_owned())).collect()
}

fn digest(line: &str) -> &str {
    line.trim_end().rsplit_once("digest ").expect("a digest").1
}

/// Opens the lobby and catches up.
#[track_caller]
fn follow(session: &mut Session) {
    session.act(|client, now| client.open(RoomId::lobby(), now));
    let caught_up = session.run_until(PATIENCE, |client| {
        client.room(&RoomId::lobby()).is_some_and(|room| room.is_caught_up())
    });
    assert!(caught_up, "{:?}", session.failure());
}

fn a_backup_under_load_has_all_that_was_acked_before_and_clients_follow_what_is_restored(
    engine: Engine,
) {
    let place = Place::new(engine, "load");
    let server = place.serve(engine, "data");
    let (acked, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
    let (begun, beginning) = mpsc::channel();
    let writers: Vec<_> = (0..6)
        .map(|writer| {
            let (acked, stop, begun) = (acked.clone(), stop.clone(), begun.clone());
            let mut peer = Peer::join(server.address, &format!("writer{writer}"));
            thread::spawn(move || {
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let text = format!("{writer}의 {number}번째");
                    peer.says("lobby", &format!("n{number}"), &text);
                    acked.lock().unwrap().push(text);
                    if number == 50 {
                        let _ = begun.send(());
                    }
                }
            })
        })
        .collect();
    (0..writers.len()).for_each(|_| beginning.recv_timeout(PATIENCE).unwrap());
    let config = || Config { key: Some(key("reader").into()), ..Config::default() };
    let config = || Config { name: Some("reader".into()), ..config() };
    let url = |server: &Server| format!("ws://{}", server.address);
    let mut session = Session::new(&url(&server), config()).unwrap();
    follow(&mut session);

    let before: Vec<String> = acked.lock().unwrap().clone();
    let file = place.path("chat.backup");
    let told = place.does(&["backup", &file], "data");
    let during = acked.lock().unwrap().len() - before.len();
    assert!(place.does(&["verify"], "data").starts_with("in order: "));
    // The reader has seen what isn't in the backup any more.
    let last = session.client().room(&RoomId::lobby()).unwrap().last().unwrap();
    let is_past = |client: &damso_client::Client| {
        client.room(&RoomId::lobby()).is_some_and(|room| room.last() > Some(last + 100))
    };
    assert!(session.run_until(PATIENCE, is_past), "writers write on ({during} during the backup)");
    stop.store(true, Ordering::Relaxed);
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    let saved = session.close();
    assert_eq!(server.stop(), 0);

    let restored = place.does(&["restore", &file], "other");
    assert_eq!(digest(&told), digest(&restored));
    let lines = place.export("other");
    let there = texts(&lines);
    let once: HashSet<&String> = there.iter().collect();
    assert_eq!(once.len(), there.len(), "nothing is there twice");
    let missing: Vec<_> = before.iter().filter(|text| !once.contains(text)).collect();
    assert!(missing.is_empty(), "{missing:?} was acked before the backup");
    assert_ne!(place.export("data")[0]["epoch"], lines[0]["epoch"]);

    let server = place.serve(engine, "other");
    let mut session = Session::restore(&url(&server), config(), saved).unwrap();
    session.act(|client, now| {
        client.send(RoomId::lobby(), Nonce::new("mine"), "돌아왔습니다", None, now).unwrap();
    });
    follow(&mut session);
    assert!(session.run_until(PATIENCE, |client| client.outbox().is_empty()));
    let head = there.len() as u64 + 1;
    let at_head = |client: &damso_client::Client| {
        client.room(&RoomId::lobby()).is_some_and(|room| room.last() == Some(head))
    };
    assert!(session.run_until(PATIENCE, at_head));
    let mut epoch_changed = None;
    while let Some(notice) = session.notice() {
        if let Notice::Welcome { epoch_changed: so } = notice {
            epoch_changed = Some(so);
        }
    }
    assert_eq!(epoch_changed, Some(true));
    let room = session.client().room(&RoomId::lobby()).unwrap();
    let shown: Vec<_> = room.timeline().messages().collect();
    let ms: HashSet<u64> = shown.iter().map(|message| message.m).collect();
    assert_eq!((ms.len(), ms.iter().max()), (shown.len(), Some(&head)), "no line is doubled");
    for message in shown {
        // What it shows is what is there, not what it knew of the other life.
        let expected = there.get(message.m as usize - 1).map_or("돌아왔습니다", String::as_str);
        assert_eq!(message.text.as_deref(), Some(expected), "{}", message.m);
    }
}

fn an_export_has_everything_as_it_stands_now(engine: Engine) {
    let place = Place::new(engine, "export");
    let server = place.serve(engine, "data");
    let mut a = Peer::join(server.address, "가나");
    let m = a.says("lobby", "n1", "오타");
    let gone = a.says("lobby", "n2", "지울 글");
    a.ok(json!({"t": "send", "room": "lobby", "nonce": "n3", "text": "답", "reply": m}));
    a.changes("lobby", m, "n4", json!({"op": "edit", "text": "고친 글"}));
    a.changes("lobby", m, "n5", json!({"op": "react", "emoji": "👍"}));
    a.changes("lobby", gone, "n6", json!({"op": "delete"}));
    let lines = place.export("data");
    assert_eq!((&lines[0]["type"], &lines[0]["format"]), (&json!("export"), &json!(1)));
    let user = lines.iter().find(|line| line["type"] == "user").unwrap();
    assert_eq!((&user["id"], &user["name"]), (&json!(a.user), &json!("가나")));
    let room = lines.iter().find(|line| line["type"] == "room").unwrap();
    assert_eq!((&room["room"], &room["kind"]), (&json!("lobby"), &json!("public")));
    let messages: Vec<_> = lines.iter().filter(|line| line["type"] == "message").collect();
    assert_eq!(messages.len(), 3);
    assert_eq!(messages[0]["text"], "고친 글");
    assert_eq!(messages[0]["edited"], true);
    assert_eq!(messages[0]["reactions"], json!([{"emoji": "👍", "users": [a.user]}]));
    assert_eq!((&messages[1]["text"], &messages[1]["deleted"]), (&Value::Null, &json!(true)));
    assert_eq!((&messages[2]["text"], &messages[2]["reply"]), (&json!("답"), &json!(m)));
    let all: Vec<_> = lines.iter().map(Value::to_string).collect();
    assert!(!all.iter().any(|line| line.contains("지울 글") || line.contains(&key("가나"))));
}

fn what_cannot_be_done_is_told_in_one_sentence(engine: Engine) {
    let place = Place::new(engine, "refused");
    let refused = |words: &[&str], folder: &str, why: &str| {
        let (code, stdout, stderr) = place.run(words, folder);
        assert_eq!((code, &*stdout, stderr.lines().count()), (1, "", 1), "{words:?}: {stderr}");
        assert!(stderr.contains(why), "{words:?}: {stderr}");
    };
    let file = place.path("chat.backup");
    for words in [&["backup", &file][..], &["verify"], &["export"]] {
        refused(words, "nowhere", "there is no log");
    }
    assert!(!place.0.join("nowhere").exists(), "looking makes nothing");
    refused(&["restore", &file], "new", "there is no file");
    std::fs::write(&file, "a letter to somebody, and not at all what a backup would look like")
        .unwrap();
    refused(&["restore", &file], "new", "chat.backup");
    assert!(!place.0.join("new").exists(), "refusing makes nothing");
    std::fs::remove_file(&file).unwrap();

    let server = place.serve(engine, "data");
    Peer::join(server.address, "a").says("lobby", "n", "글");
    place.does(&["backup", &file], "data");
    refused(&["backup", &file], "data", "is there already");
    refused(&["restore", &file], "data", "in use by another damso");
    assert_eq!(server.stop(), 0);
    refused(&["restore", &file], "data", "isn't empty");
    let mode = std::fs::metadata(&file).unwrap().permissions();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777, 0o600);
    // A backup that lost something on its way.
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    refused(&["restore", &file], "new", "chat.backup");
    // Where a server would keep nothing, there is nothing to copy.
    for words in [&["verify"][..], &["backup", "x"]] {
        let (code, _, stderr) = run(&mut damso(words));
        assert_eq!((code, stderr.lines().count()), (2, 1), "{stderr}");
    }
    // The variable that a server obeys.
    let (code, stdout, _) = run(damso(&["verify"]).env("DAMSO_SERVER_DATA", place.path("data")));
    assert_eq!((code, stdout.starts_with("in order: 1 messages")), (0, true), "{stdout}");
}

fn a_folder_whose_server_was_killed_is_backed_up_without_one(engine: Engine) {
    let place = Place::new(engine, "killed");
    let server = place.serve(engine, "data");
    let mut a = Peer::join(server.address, "a");
    for number in 0..20 {
        a.says("lobby", &format!("n{number}"), "남는 글");
    }
    server.signal(Signal::KILL);
    drop(server);
    let told = place.does(&["backup", &place.path("chat.backup")], "data");
    assert!(told.contains("20 messages"), "{told}");
    place.does(&["restore", &place.path("chat.backup")], "other");
    assert_eq!(texts(&place.export("other")).len(), 20);
    // And the folder is a server's as before.
    let server = place.serve(engine, "data");
    server.prints(&["data folder:", "messages: 20"]);
}
