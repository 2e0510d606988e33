//! The operator's commands: the same table on stdin, over the data folder's socket, and as verbs.

use crate::client::Client;
use crate::durable::Data;
use crate::server::{Engine, damso, run, until};
use crate::v1::peer::{Peer, http};
use rustix::process::Signal;
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

all_engines![
    a_webhook_is_made_used_listed_and_revoked,
    users_are_listed_shown_kicked_and_muted_by_id_or_name,
    a_room_is_made_named_filled_and_archived,
    a_private_room_is_administered_but_not_read_and_a_direct_message_is_neither,
    stdin_has_the_same_commands,
    the_socket_answers_lines_in_order_each_with_an_end,
    the_socket_is_its_owners_and_goes_with_the_server,
    a_killed_servers_socket_is_replaced,
    more_connections_than_there_may_be_are_told_so,
    a_verb_that_comes_to_nothing_is_one_sentence,
];

/// Runs a verb for the server on a folder: its exit code, stdout and stderr.
#[track_caller]
fn verb(data: &Data, words: &[&str]) -> (i32, String, String) {
    run(damso(words).args(["--data", data.path()]))
}

/// What a verb that does something prints.
#[track_caller]
fn does(data: &Data, words: &[&str]) -> String {
    let (code, stdout, stderr) = verb(data, words);
    assert_eq!((code, &*stderr), (0, ""), "{words:?}: {stdout}");
    stdout
}

/// Why a verb isn't done.
#[track_caller]
fn refuses(data: &Data, words: &[&str], code: i32, expected: &str) {
    let (status, stdout, stderr) = verb(data, words);
    assert_eq!((status, &*stdout, stderr.lines().count()), (code, "", 1), "{words:?}: {stderr}");
    assert!(stderr.starts_with("damso: ") && stderr.contains(expected), "{words:?}: {stderr}");
}

fn users_are_listed_shown_kicked_and_muted_by_id_or_name(engine: Engine) {
    let data = Data::new(engine, "users");
    let server = data.serve(engine);
    assert_eq!(does(&data, &["user", "list"]), "none\n");
    let mut anna = Peer::in_lobby(server.address, "안나 김");
    let mut bob = Peer::in_lobby(server.address, "Bob");
    let all = "u1  안나 김  (connections: 1)\nu2  Bob  (connections: 1)\n";
    assert_eq!(does(&data, &["user", "list"]), all);
    assert_eq!(does(&data, &["user", "list", "BO"]), "u2  Bob  (connections: 1)\n");
    let shown = does(&data, &["user", "show", "안나 김"]);
    assert_eq!(shown, "u1  안나 김  (connections: 1)\n  from 127.0.0.1\n");
    assert_eq!(does(&data, &["user", "mute", "안나 김", "5"]), "muted 안나 김 for 5 min\n");
    let said = |text: &str| json!({"t": "send", "room": "lobby", "nonce": text, "text": text});
    assert_eq!(anna.refused(said("one")), "muted");
    assert!(does(&data, &["user", "show", "u1"]).contains("muted"));
    assert_eq!(does(&data, &["user", "unmute", "u1"]), "안나 김 may write again\n");
    anna.says("lobby", "two", "말할 수 있어요");
    assert_eq!(does(&data, &["user", "erase", "안나 김"]), "messages deleted: 1\n");
    refuses(&data, &["user", "erase", "u9"], 1, "no such");
    assert_eq!(does(&data, &["user", "kick", "bob"]), "connections ended: 1\n");
    assert_eq!(bob.until_closed().1, 4003);
    refuses(&data, &["user", "kick", "bob"], 1, "no such");
    refuses(&data, &["user", "show", "u9"], 1, "no user \"u9\"");
}

fn a_room_is_made_named_filled_and_archived(engine: Engine) {
    let data = Data::new(engine, "rooms");
    let server = data.serve(engine);
    let mut anna = Peer::join(server.address, "안나 김");
    assert_eq!(does(&data, &["room", "new", "tea time"]), "made room r1: tea time\n");
    refuses(&data, &["room", "new", "Tea Time"], 1, "Tea Time 2 is free");
    assert_eq!(
        does(&data, &["room", "topic", "tea time", "잎", "\"차\""]),
        "topic of r1: 잎 \"차\"\n"
    );
    assert_eq!(does(&data, &["room", "add", "tea time", "안나 김"]), "안나 김 is in r1 now\n");
    assert!(anna.next_of("room").to_string().contains("\"r1\""));
    assert_eq!(does(&data, &["room", "add", "r1", "u1"]), "it is so already\n");
    assert_eq!(does(&data, &["room", "owner", "r1", "안나 김"]), "안나 김 owns r1 now\n");
    assert_eq!(does(&data, &["room", "members", "r1"]), "u1  안나 김  (owner)\n");
    refuses(&data, &["room", "member", "r1", "u1"], 1, "keeps an owner");
    assert_eq!(does(&data, &["room", "name", "r1", "차 마시기"]), "r1 is called 차 마시기 now\n");
    anna.says("r1", "one", "첫 글");
    assert_eq!(does(&data, &["room", "archive", "차 마시기"]), "r1 is archived\n");
    let said = json!({"t": "send", "room": "r1", "nonce": "two", "text": "둘째 글"});
    assert_eq!(anna.refused(said), "forbidden");
    let list = does(&data, &["room", "list"]);
    let (lobby, room) = list.split_once('\n').expect("two lines");
    assert_eq!(room, "r1  차 마시기  (public, members: 1, messages: 1, archived)  잎 \"차\"\n");
    assert_eq!(lobby, "lobby  lobby  (public, everybody, messages: 0)");
    assert_eq!(does(&data, &["room", "unarchive", "r1"]), "r1 is open again\n");
    assert_eq!(does(&data, &["room", "remove", "r1", "u1"]), "안나 김 isn't in r1 any more\n");
    assert_eq!(does(&data, &["room", "members", "r1"]), "none\n");
    refuses(&data, &["room", "archive", "lobby"], 1, "the lobby stays as it is");
    refuses(&data, &["room", "topic", "attic", "x"], 1, "no room \"attic\"");
    // All of it is kept.
    drop(server);
    let _server = data.serve(engine);
    assert!(does(&data, &["room", "list"]).contains("r1  차 마시기  (public, members: 0"));
}

fn a_private_room_is_administered_but_not_read_and_a_direct_message_is_neither(engine: Engine) {
    let data = Data::new(engine, "private");
    let server = data.serve(engine);
    let mut anna = Peer::join(server.address, "anna");
    let _bob = Peer::join(server.address, "bob");
    assert_eq!(does(&data, &["room", "new", "비밀", "private"]), "made room r1: 비밀\n");
    does(&data, &["room", "add", "비밀", "anna"]);
    does(&data, &["room", "owner", "비밀", "anna"]);
    anna.says("r1", "one", "우리끼리");
    // The operator isn't heard there, and so hears nothing of it.
    server.types("/say r1 나도 껴 줘");
    server.prints(&["there is no such thing here"]);
    server.types("/say 비밀 나도");
    server.prints(&["there is no such thing here"]);
    let direct = json!({"kind": "direct", "members": ["u2"]});
    let (_, made) = http(server.address, "anna", "POST", "/api/v1/rooms", &direct);
    let direct = made["id"].as_str().expect("an id");
    assert!(!does(&data, &["room", "list"]).contains(direct));
    for words in [["room", "members", direct], ["room", "archive", direct]] {
        refuses(&data, &words, 1, "no room");
    }
    // Names of private rooms aren't unique.
    assert_eq!(does(&data, &["room", "new", "비밀", "private"]), "made room r3: 비밀\n");
    refuses(&data, &["room", "archive", "비밀"], 1, "use its id");
    assert_eq!(does(&data, &["room", "archive", "r1"]), "r1 is archived\n");
}

fn a_webhook_is_made_used_listed_and_revoked(engine: Engine) {
    let data = Data::new(engine, "hooks");
    let server = data.serve(engine);
    let mut anna = Peer::in_lobby(server.address, "anna");
    let made = does(&data, &["room", "hook", "lobby", "빌드 봇"]);
    assert!(made.starts_with("w1 writes into lobby; "), "{made}");
    let path = made.trim().rsplit_once("POST ").expect("a path").1;
    let post = |text: &str| http(server.address, "", "POST", path, &json!({"text": text})).0;
    assert_eq!(post("다 됐어요"), 200);
    let heard = anna.next_of("msg");
    assert_eq!(heard["name"], "빌드 봇");
    assert!(heard["text"].as_str().is_some_and(|text| text.contains("다 됐어요")), "{heard}");
    assert_eq!(does(&data, &["room", "hooks", "lobby"]), "w1  빌드 봇\n");
    refuses(&data, &["room", "hook", "lobby", "Anna"], 1, "name");
    assert_eq!(does(&data, &["user", "erase", "빌드 봇"]), "messages deleted: 1\n");
    assert_eq!(does(&data, &["room", "unhook", "w1"]), "w1 is revoked\n");
    assert_eq!(post("또 됐어요"), 404);
    assert_eq!(does(&data, &["room", "hooks", "lobby"]), "none\n");
    refuses(&data, &["room", "unhook", "w1"], 1, "no webhook");
}

fn stdin_has_the_same_commands(engine: Engine) {
    let server = engine.serve(&[]);
    let _anna = Peer::join(server.address, "안나 김");
    server.types("/room new \"tea time\" private");
    server.prints(&["made room r1: tea time"]);
    server.types("/room add \"tea time\" 안나 김");
    server.prints(&["안나 김 is in r1 now"]);
    server.types("/user show u1");
    server.prints(&["r1  tea time"]);
    server.types("/lang ko");
    server.prints(&["한국어로"]);
    server.types("/rooms");
    server.prints(&["r1  tea time  (비공개, 1명, 메시지 0개)"]);
    server.types("/room dance");
    server.prints(&["\"room dance\" 명령은 없습니다"]);
}

/// The socket of a server's folder.
struct Socket(BufReader<UnixStream>);

impl Socket {
    fn open(data: &Data) -> Self {
        let stream = UnixStream::connect(socket_path(data)).expect("the server listens");
        stream.set_read_timeout(Some(crate::client::PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("a line");
        line
    }

    fn say(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).unwrap();
    }
}

fn socket_path(data: &Data) -> String {
    format!("{}/control.sock", data.path())
}

fn the_socket_answers_lines_in_order_each_with_an_end(engine: Engine) {
    let data = Data::new(engine, "socket");
    let server = data.serve(engine);
    let mut guest = server.join();
    let mut socket = Socket::open(&data);
    socket
        .say("/user list\n/dance\n\n안녕\n/stats\n/room new\n/lang ko\n/kick nobody\n".as_bytes());
    assert_eq!(socket.line(), " none\n");
    assert_eq!(socket.line(), "ok\n");
    assert_eq!(socket.line(), "usage: there is no command \"dance\"; /help shows them\n");
    assert_eq!((socket.line(), socket.line()), ("ok\n".into(), "ok\n".into()));
    guest.hears("Administrator :: 안녕");
    assert_eq!(socket.line(), " connections: 1, messages in the lobby: 1\n");
    assert_eq!(socket.line(), "ok\n");
    assert!(socket.line().starts_with("usage: usage: /room new NAME"));
    assert_eq!(socket.line(), "ok\n");
    assert_eq!(socket.line(), "error: 찾을 수 없습니다\n");
    // A line that is too long is one complaint, and the next one is read.
    socket.say(&vec![b'x'; 100_000]);
    socket.say(b"\n/stats\n");
    assert!(socket.line().contains("65536"));
    assert!(socket.line().starts_with(" 연결: 1"));
    assert_eq!(socket.line(), "ok\n");
    socket.say(b"\xff\n");
    assert!(socket.line().starts_with("usage: "));
    socket.say(b"/quit\n");
    assert_eq!(socket.line(), "ok\n");
    assert_eq!(server.ended(), 0);
}

fn the_socket_is_its_owners_and_goes_with_the_server(engine: Engine) {
    let data = Data::new(engine, "owner");
    let server = data.serve(engine);
    let mode = std::fs::metadata(socket_path(&data)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(server.stop(), 0);
    assert!(std::fs::symlink_metadata(socket_path(&data)).is_err());
}

fn a_killed_servers_socket_is_replaced(engine: Engine) {
    let data = Data::new(engine, "stale");
    let server = data.serve(engine);
    server.signal(Signal::KILL);
    drop(server);
    assert!(std::fs::symlink_metadata(socket_path(&data)).is_ok(), "nobody tidied up");
    refuses(&data, &["user", "list"], 1, "no damso is running");
    let server = data.serve(engine);
    assert_eq!(does(&data, &["user", "list"]), "none\n");
    // A second server on the folder is refused, and takes nothing from the first one.
    let (code, ..) = run(damso(&["--listen", "127.0.0.1:0"]).args(["--data", data.path()]));
    assert_eq!(code, 1);
    assert_eq!(does(&data, &["user", "list"]), "none\n");
    drop(server);
}

fn more_connections_than_there_may_be_are_told_so(engine: Engine) {
    let data = Data::new(engine, "many");
    let server = data.serve(engine);
    let mut sockets: Vec<Socket> = (0..16).map(|_| Socket::open(&data)).collect();
    for socket in &mut sockets {
        socket.say(b"/lang en\n");
        assert_eq!(socket.line(), "ok\n");
    }
    assert!(Socket::open(&data).line().starts_with("error: too many"));
    refuses(&data, &["user", "list"], 1, "too many");
    sockets.pop();
    until("a place is free again", || verb(&data, &["user", "list"]).0 == 0);
    // The operator's own comings and goings are nobody's arrival.
    Client::open(server.address).says_and_hears("still here");
}

fn a_verb_that_comes_to_nothing_is_one_sentence(engine: Engine) {
    let data = Data::new(engine, "nothing");
    refuses(&data, &["user", "list"], 1, "no damso is running");
    let _server = data.serve(engine);
    refuses(&data, &["user"], 2, "--help");
    refuses(&data, &["room", "dance"], 2, "damso room --help");
    refuses(&data, &["room", "new"], 2, "usage: damso room new NAME");
    refuses(&data, &["user", "show", "a\nb"], 2, "--help");
    for (verb, words) in [("room", ["archive", "members"]), ("user", ["list", "mute"])] {
        let (code, help, _) = run(&mut damso(&[verb, "--help"]));
        assert_eq!(code, 0);
        assert!(words.iter().all(|word| help.contains(word)), "{help}");
    }
    let mut memory = damso(&["user", "list"]);
    let (code, _, stderr) = run(&mut memory);
    assert_eq!((code, stderr.lines().count()), (2, 1), "{stderr}");
}
