//! The command line, which scripts depend on: exit codes, what is printed where, how it stops.

use crate::client::Client;
use crate::server::{DAMSO, Engine, Server, damso, in_english, run, scratch};
use rustix::process::Signal;
use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};

all_engines![
    sigterm_stops_with_0,
    quit_stops_with_0,
    a_second_ctrl_c_is_no_failure_either,
    a_stop_tells_everybody_and_waits_for_nobody_without_end,
    an_echo_stops_with_0,
    a_port_that_is_taken_gets_a_sentence_that_says_what_to_do,
    a_start_prints_its_addresses_first_and_few_lines_after,
    localhost_with_port_0_gets_one_port_for_both_families,
    several_addresses_are_told_and_served,
    a_wildcard_is_told_as_addresses_one_can_open,
    lan_tells_the_network_address_or_why_there_is_none,
    a_config_file_the_environment_and_set_are_all_heard,
];

/// A failure is one sentence on stderr that names what is wrong, and nothing on stdout.
#[track_caller]
fn check_failure(command: &mut Command, code: i32, words: &[&str]) {
    let (status, stdout, stderr) = run(command);
    assert_eq!(status, code, "{stdout}{stderr}");
    assert_eq!(stdout, "", "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.starts_with("damso: "), "{stderr}");
    for word in words {
        assert!(stderr.contains(word), "{word:?} is not in {stderr}");
    }
}

#[test]
fn bad_usage_is_one_sentence_and_code_2() {
    for (line, words) in [
        ("--no-such-flag", &["--no-such-flag", "damso --help"][..]),
        ("juggle", &["juggle"]),
        ("help juggling", &["juggling", "damso help all"]),
        ("serve --listen", &["--listen"]),
        ("serve --listen nonsense", &["--listen", "nonsense", "ADDR:PORT"]),
        ("serve --listen 127.0.0.1", &["--listen", "127.0.0.1:8765"]),
        ("serve --listen 127.0.0.1:99999", &["--listen", "99999"]),
        ("serve --listen [::1:80", &["--listen"]),
        ("serve --engine steam", &["--engine", "steam", "threads"]),
        ("serve --engine threads --shards 2", &["--shards"]),
        ("serve --shards many", &["--shards", "many"]),
        ("serve --log loud", &["--log", "loud", "debug"]),
        ("serve --set limits.no_such=1", &["limits.no_such", "damso help all"]),
        ("serve --set limits.send_burst=many", &["limits.send_burst", "many"]),
        ("serve --set limits.send_burst=-1", &["limits", "-1"]),
        ("serve --set limits.head_seconds=0", &["limits.head_seconds", "at least 1"]),
        ("serve --set nonsense", &["nonsense", "section.key=value"]),
        ("serve --allow-origin friend.example", &["--allow-origin", "friend.example"]),
        ("serve --allow-host http://friend.example", &["--allow-host"]),
        ("serve --config /no/such/file.toml", &["--config", "/no/such/file.toml"]),
        ("echo --lan", &["--lan"]),
        ("echo --listen nonsense", &["--listen", "nonsense"]),
    ] {
        let arguments: Vec<&str> = line.split(' ').collect();
        check_failure(&mut damso(&arguments), 2, words);
    }
    let mut command = damso(&["serve", "--listen", "127.0.0.1:0"]);
    check_failure(command.env("DAMSO_LIMITS_TYPO", "1"), 2, &["DAMSO_LIMITS_TYPO"]);
}

/// A file of this test's own, gone with it.
struct Scratch(PathBuf);

impl Scratch {
    fn file(name: &str, content: &str) -> Self {
        let path = scratch("cli", name);
        std::fs::write(&path, content).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_bad_config_file_is_named_with_its_line_and_code_2() {
    for (name, content, words) in [
        ("syntax.toml", "[limits]\nsend_burst = 1\nsend_per_second =\n", &["line 3"][..]),
        ("key.toml", "[limits]\nsend_bursts = 1\n", &["send_bursts"]),
        ("type.toml", "[limits]\nsend_burst = \"many\"\n", &["limits"]),
        ("section.toml", "[limit]\nsend_burst = 1\n", &["limit", "server and limits"]),
        ("value.toml", "[server]\nengine = \"steam\"\n", &["steam"]),
    ] {
        let file = Scratch::file(name, content);
        check_failure(&mut damso(&["serve", "--config", file.path()]), 2, words);
    }
}

#[test]
fn help_fits_a_terminal_and_help_all_tells_everything() {
    for arguments in [&["--help"][..], &["-h"], &["help"]] {
        let (code, stdout, stderr) = run(&mut damso(arguments));
        assert_eq!((code, &*stderr), (0, ""), "{arguments:?}");
        assert!(stdout.lines().count() <= 24, "{stdout}");
        assert!(stdout.contains("--listen") && stdout.contains("help all"), "{stdout}");
    }
    let (code, stdout, _) = run(&mut damso(&["help", "all"]));
    assert_eq!(code, 0);
    for word in ["--engine", "--allow-origin", "echo", "limits.guests_per_address"] {
        assert!(stdout.contains(word), "{word} is not in {stdout}");
    }
    let (code, stdout, _) = run(&mut damso(&["--version"]));
    assert_eq!((code, stdout), (0, format!("damso {}\n", env!("CARGO_PKG_VERSION"))));
}

/// `damso help all | head -1`: a reader that goes away is no failure and no complaint.
#[test]
fn help_for_a_reader_that_goes_away_ends_quietly() {
    for arguments in [&["help", "all"][..], &["--help"], &["--version"]] {
        let mut command = damso(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        assert!(!first.is_empty());
        let mut complaints = String::new();
        child.stderr.take().unwrap().read_to_string(&mut complaints).unwrap();
        assert_eq!((child.wait().unwrap().code(), &*complaints), (Some(0), ""));
    }
    // The same where nobody ever read.
    let script = "\"$0\" help all | true; \"$0\" help all | head -1 | grep -c .";
    let mut command = Command::new("sh");
    in_english(&mut command);
    let (code, stdout, stderr) = run(command.args(["-c", script, DAMSO]));
    assert_eq!((code, &*stdout, &*stderr), (0, "1\n", ""));
}

fn sigterm_stops_with_0(engine: Engine) {
    let server = engine.serve(&[]);
    let mut guest = server.join();
    server.signal(Signal::TERM);
    guest.is_closed_with(1001);
    drop(guest);
    assert_eq!(server.ended(), 0);
}

fn quit_stops_with_0(engine: Engine) {
    let server = engine.serve(&[]);
    let mut guest = server.join();
    server.types("/quit");
    guest.is_closed_with(1001);
    drop(guest);
    assert_eq!(server.ended_saying(), (0, vec!["damso has stopped".to_owned()]));
}

/// The second one ends at once what still waits for a guest who doesn't answer.
fn a_second_ctrl_c_is_no_failure_either(engine: Engine) {
    let server = engine.serve(&[]);
    let mut guest = server.join();
    server.signal(Signal::INT);
    let close = guest.frame();
    assert_eq!(close.payload.get(..2), Some(&b"\x03\xe9"[..]), "{close:?}");
    server.signal(Signal::INT);
    assert_eq!(server.ended(), 0);
}

fn a_stop_tells_everybody_and_waits_for_nobody_without_end(engine: Engine) {
    let server = engine.serve(&[]);
    let address = server.address;
    let mut guests: Vec<Client> = (0..20).map(|_| server.join()).collect();
    let mut silent = server.join();
    let half = {
        let mut client = Client::connect(address);
        client.send(b"GET /ws HTTP/1.1\r\nHost: ");
        client
    };
    server.signal(Signal::INT);
    for guest in &mut guests {
        guest.is_closed_with(1001);
    }
    // It never answers, and holds up the end for a moment only.
    assert_eq!(server.ended(), 0);
    let close = silent.frame();
    assert_eq!(close.payload.get(..2), Some(&b"\x03\xe9"[..]), "{close:?}");
    assert!(TcpStream::connect(address).is_err());
    drop(half);
}

fn an_echo_stops_with_0(engine: Engine) {
    for signal in [Signal::INT, Signal::TERM] {
        let server = engine.echo();
        let mut guest = Client::open(server.address);
        guest.say("메아리");
        guest.hears("메아리");
        server.signal(signal);
        guest.is_closed_with(1001);
        drop(guest);
        assert_eq!(server.ended(), 0);
    }
}

fn a_port_that_is_taken_gets_a_sentence_that_says_what_to_do(engine: Engine) {
    let server = engine.serve(&[]);
    let taken = server.address.to_string();
    let port = server.address.port().to_string();
    for verb in ["serve", "echo"] {
        let mut command = damso(&[verb, "--engine", engine.name(), "--listen", &taken]);
        check_failure(&mut command, 1, &[&port, "is taken", "--listen 127.0.0.1:"]);
    }
    server.join().says_and_hears("still here");
}

/// Progressive disclosure: who starts it for the first time reads all of it.
fn a_start_prints_its_addresses_first_and_few_lines_after(engine: Engine) {
    let server = engine.serve(&[]);
    server.types("/quit");
    let (code, said) = server.ended_saying();
    assert_eq!((code, said.last().map(String::as_str)), (0, Some("damso has stopped")));
    let start = &said[..said.len() - 1];
    assert!(!start.is_empty() && start.len() <= 6, "{said:?}");
    for words in ["nothing is kept", "Administrator", "Ctrl-C"] {
        assert!(start.iter().any(|line| line.contains(words)), "{words}: {said:?}");
    }
    let quiet = engine.serve(&["--no-console"]);
    quiet.signal(Signal::INT);
    let (_, said) = quiet.ended_saying();
    assert!(said.iter().all(|line| !line.contains("Administrator")), "{said:?}");
}

/// The addresses that a server printed, the first one aside.
fn further_addresses(server: &Server) -> Vec<String> {
    let mut addresses = Vec::new();
    loop {
        let line = server.next_print();
        match line.strip_prefix("damso listening on http://") {
            Some(address) => addresses.push(address.to_owned()),
            None => return addresses,
        }
    }
}

fn localhost_with_port_0_gets_one_port_for_both_families(engine: Engine) {
    let server = engine.serve_on("localhost:0", &[]);
    let port = server.address.port();
    assert_eq!(server.address.to_string(), format!("127.0.0.1:{port}"));
    let further = further_addresses(&server);
    server.join().says_and_hears("four");
    if TcpListener::bind("[::1]:0").is_err() {
        eprintln!("not checked on IPv6: this machine has no [::1]");
        return;
    }
    // A machine's own table of names may not have it for localhost.
    let named = std::net::ToSocketAddrs::to_socket_addrs("localhost:0");
    if named.is_ok_and(|mut found| found.any(|address| address.is_ipv6())) {
        assert_eq!(further, [format!("[::1]:{port}")]);
        Client::open(further[0].parse().unwrap()).says_and_hears("six");
    }
}

fn several_addresses_are_told_and_served(engine: Engine) {
    let server = engine.serve(&["--listen", "127.0.0.1:0", "--listen", "127.0.0.2:0"]);
    let mut guests: Vec<Client> = further_addresses(&server)
        .iter()
        .map(|address| Client::open(address.parse().unwrap()))
        .collect();
    guests.push(server.join());
    assert_eq!(guests.len(), 3);
    server.until_here(|here| here.len() == 3);
    guests[2].say("one chat for all of them");
    let name = guests[2].name.clone();
    for guest in &mut guests {
        guest.hears_from(&name, "one chat for all of them");
    }
}

/// Whatever loop they are in, all hear the same lines in the same order.
#[test]
fn several_shards_serve_one_chat() {
    let server = Engine::Event.serve_unlimited(&["--shards", "3"]);
    let mut guests: Vec<Client> = (0..7).map(|_| server.join()).collect();
    for round in 0..20 {
        for guest in &mut guests {
            guest.say(&format!("round {round}"));
        }
    }
    server.types("is that all?");
    let mut heard: Vec<Vec<String>> = Vec::new();
    for guest in &mut guests {
        heard.push((0..141).map(|_| guest.line()).collect());
    }
    assert!(heard.iter().all(|lines| *lines == heard[0]));
    assert!(heard[0].contains(&"Administrator :: is that all?".to_owned()));
    for guest in &guests {
        let own: Vec<&String> =
            heard[0].iter().filter(|line| line.starts_with(&guest.name)).collect();
        let expected = (0..20).map(|round| format!("{} :: round {round}", guest.name));
        assert!(own.into_iter().eq(&expected.collect::<Vec<_>>()));
    }
    server.signal(Signal::INT);
    for guest in &mut guests {
        guest.is_closed_with(1001);
    }
    drop(guests);
    assert_eq!(server.ended(), 0);
}

fn a_wildcard_is_told_as_addresses_one_can_open(engine: Engine) {
    let server = engine.serve_on("0.0.0.0:0", &[]);
    let port = server.address.port();
    assert_eq!(server.address.to_string(), format!("127.0.0.1:{port}"));
    let further = further_addresses(&server);
    assert!(further.iter().all(|address| !address.starts_with("0.0.0.0")), "{further:?}");
    server.join().says_and_hears("hello");
}

fn lan_tells_the_network_address_or_why_there_is_none(engine: Engine) {
    let mut command = damso(&["serve", "--memory", "--engine", engine.name(), "--lan"]);
    command.args(["--listen", "127.0.0.1:0"]);
    let network = std::net::UdpSocket::bind("0.0.0.0:0")
        .and_then(|socket| socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr()));
    if network.is_err() {
        return check_failure(&mut command, 1, &["--lan", "no network address"]);
    }
    let server = Server::start(command);
    let further = further_addresses(&server);
    assert_eq!(further.len(), 1, "{further:?}");
    assert!(further[0].ends_with(&format!(":{}", server.address.port())), "{further:?}");
    // The QR code, and the address under it.
    server.prints(&["█"]);
    server.prints(&[&format!("http://{}", further[0])]);
    Client::open(further[0].parse().unwrap()).says_and_hears("from the network");
}

fn a_config_file_the_environment_and_set_are_all_heard(engine: Engine) {
    let content = format!(
        "[server]\nengine = \"{}\"\nlisten = [\"127.0.0.1:0\"]\n[limits]\ntext_chars = 5\n",
        engine.name()
    );
    let file = Scratch::file(&format!("{}.toml", engine.name()), &content);
    let mut command = damso(&["--config", file.path(), "--set", "limits.guests_per_address=1"]);
    command.env("DAMSO_LIMITS_TEXT_CHARS", "6");
    let server = Server::start(command);
    let mut guest = server.join();
    assert_eq!(server.has_thread("connection"), engine == Engine::Threads);
    guest.says_and_hears("여섯 글자다");
    guest.say("일곱 글자이다");
    guest.hears("damso :: not sent: 7 characters, the limit is 6");
    let mut other = Client::open(server.address);
    other.hears("damso :: too many connections from your address, the limit is 1");
    other.is_closed_with(1008);
}
