//! `damso doctor`: what is well, what isn't, and how to mend it.

use crate::server::{Engine, Server, damso, run, scratch};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::thread;

/// A folder, gone with its test.
struct Data(PathBuf);

impl Data {
    fn new(test: &str) -> Self {
        Self(scratch("doctor", test))
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("temporary folders have plain names")
    }

    fn serve(&self) -> Server {
        Server::start(damso(&["--listen", "127.0.0.1:0", "--data", self.path()]))
    }

    /// What the doctor says of it; `listen` is a port that nobody has unless it is given.
    #[track_caller]
    fn doctor(&self, flags: &[&str]) -> Report {
        let mut command = damso(&["doctor", "--data", self.path()]);
        if !flags.contains(&"--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        let (code, stdout, stderr) = run(command.args(flags));
        Report { code, stdout, stderr }
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

struct Report {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Report {
    /// There is a line of this level on this, with these words in it or in how to mend it.
    #[track_caller]
    fn says(&self, level: &str, what: &str, words: &[&str]) {
        let start = format!("{level:<4}  {what}: ");
        let mut lines = self.stdout.lines().skip_while(|line| !line.starts_with(&start));
        let found = lines.next().unwrap_or_else(|| panic!("no {start:?} in:\n{}", self.stdout));
        let mend = lines.next().filter(|line| line.starts_with("      to mend it: "));
        assert_eq!(mend.is_some(), level != "ok", "{}", self.stdout);
        let said = format!("{found}\n{}", mend.unwrap_or_default());
        for word in words {
            assert!(said.contains(word), "no {word:?} in {said}");
        }
        let code = i32::from(self.stdout.lines().any(|line| line.starts_with("bad ")));
        assert_eq!(self.code, code, "{}{}", self.stdout, self.stderr);
        assert_eq!(self.stderr.lines().count(), code as usize, "{}", self.stderr);
    }
}

#[test]
fn a_healthy_folder_is_well_used_or_not() {
    let data = Data::new("healthy");
    let report = data.doctor(&[]);
    report.says("ok", "data folder", &["isn't there yet"]);
    assert!(!data.0.exists(), "the doctor made the folder");
    report.says("ok", "descriptors", &["connections"]);
    report.says("ok", "clock", &[]);
    report.says("ok", "port", &["is free"]);

    let server = data.serve();
    let address = server.address.to_string();
    let report = data.doctor(&["--listen", &address, "--url", &format!("http://{address}")]);
    report.says("ok", "data folder", &["for you alone"]);
    report.says("ok", "in use", &["a damso runs on it"]);
    report.says("ok", "port", &["a damso answers"]);
    report.says("ok", "page", &[]);
    report.says("ok", "websocket", &["passes"]);
    report.says("ok", "frames", &[]);
    report.says("ok", "idle connections", &["not cut"]);
    assert_eq!(report.code, 0, "{}", report.stdout);
    server.stop();

    let report = data.doctor(&[]);
    report.says("ok", "in use", &["nobody"]);
    report.says("ok", "database", &["can be read"]);
    report.says("ok", "clock and log", &[]);
    let line = report.stdout.lines().find(|line| line.contains("  fsync: ")).expect("a line");
    assert!(line.contains(" ms for 4 KiB") && line.contains("messages a second"), "{line}");
    assert!(
        fs::read_dir(&data.0)
            .unwrap()
            .all(|file| { !file.unwrap().file_name().to_string_lossy().contains("doctor") })
    );
    assert_eq!(data.serve().stop(), 0, "the doctor broke it");
}

#[test]
fn rights_that_are_too_wide_are_bad() {
    let data = Data::new("rights");
    fs::create_dir(&data.0).unwrap();
    fs::set_permissions(&data.0, fs::Permissions::from_mode(0o755)).unwrap();
    data.doctor(&[]).says("bad", "data folder", &["755", "chmod 700"]);
}

#[test]
fn what_is_no_folder_or_no_log_is_bad() {
    let data = Data::new("file");
    fs::write(&data.0, "x").unwrap();
    data.doctor(&[]).says("bad", "data folder", &["is no folder", "--data"]);
    fs::remove_file(&data.0).unwrap();

    fs::create_dir(&data.0).unwrap();
    fs::set_permissions(&data.0, fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(data.0.join("damso.db"), [b'x'; 8192]).unwrap();
    data.doctor(&[]).says("bad", "database", &["damso.db", "backup"]);
}

#[test]
fn a_newer_format_is_bad() {
    let data = Data::new("newer");
    data.serve().stop();
    // The form stands in the file's head, at byte 60.
    let path = data.0.join("damso.db");
    let mut bytes = fs::read(&path).unwrap();
    bytes[60..64].copy_from_slice(&999_u32.to_be_bytes());
    fs::write(&path, bytes).unwrap();
    data.doctor(&[]).says("bad", "database", &["format 999", "newer damso"]);
}

#[test]
fn a_port_of_something_else_is_bad() {
    let data = Data::new("port");
    let other = proxy_to(None, |_| "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi".into());
    let other = other.to_string();
    data.doctor(&["--listen", &other]).says("bad", "port", &["no damso", "--listen"]);
    data.doctor(&["--listen", "nonsense"]).says("bad", "port", &["ADDR:PORT"]);
}

#[test]
fn a_proxy_that_takes_upgrade_away_or_changes_names_is_found() {
    let (data, server) = (Data::new("proxy"), Engine::Event.serve(&[]));
    let to = Some(server.address);
    let without = |head: &str, names: &[&str]| {
        let kept = head.lines().filter(|line| {
            let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
            !names.contains(&&*name)
        });
        kept.map(|line| format!("{line}\r\n")).collect::<String>()
    };
    let strips = proxy_to(to, move |head| {
        without(head, &["upgrade", "connection"]) + "Connection: close\r\n"
    });
    let report = data.doctor(&["--url", &format!("http://{strips}")]);
    report.says("ok", "page", &[]);
    report.says("bad", "websocket", &["takes Upgrade", "proxy_set_header Upgrade"]);

    let half = proxy_to(to, move |head| without(head, &["upgrade"]));
    let report = data.doctor(&["--url", &format!("http://{half}/")]);
    report.says("bad", "websocket", &["Upgrade", "proxy_http_version 1.1"]);

    let renames = proxy_to(to, move |head| without(head, &["host"]) + "Host: backend:80\r\n");
    let report = data.doctor(&["--url", &format!("ws://{renames}/ws")]);
    let words = ["changes Host to backend:80", "proxy_set_header Host", "--allow-host backend"];
    report.says("bad", "page", &words);
    report.says("bad", "websocket", &words);

    // Damso is known by another name than the page's.
    let local = proxy_to(to, move |head| {
        without(head, &["origin"]) + "Origin: https://chat.example.com\r\n"
    });
    let report = data.doctor(&["--url", &format!("http://{local}")]);
    report.says("bad", "websocket", &["--allow-origin https://chat.example.com"]);
}

#[test]
fn an_url_that_leads_nowhere_is_bad() {
    let data = Data::new("nowhere");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let report = data.doctor(&["--url", &format!("http://{closed}")]);
    report.says("bad", "url", &["nobody answers"]);
    data.doctor(&["--url", &format!("https://{closed}")]).says("bad", "url", &["nobody answers"]);
    data.doctor(&["--url", "chat"]).says("bad", "url", &["no URL"]);
}

#[test]
fn the_settings_say_where_to_look() {
    let data = Data::new("settings");
    let mut command = damso(&["doctor"]);
    command.env("DAMSO_SERVER_DATA", data.path()).env("DAMSO_SERVER_LISTEN", "127.0.0.1:0");
    let (code, stdout, _) = run(&mut command);
    assert_eq!(code, 0, "{stdout}");
    assert!(stdout.contains(data.path()) && stdout.contains("127.0.0.1:0 is free"), "{stdout}");
    let (code, _, stderr) = run(damso(&["doctor"]).env("DAMSO_SERVER_LOG", "loud"));
    assert_eq!((code, stderr.lines().count()), (2, 1), "{stderr}");
}

#[test]
fn the_doctor_speaks_korean() {
    let data = Data::new("korean");
    let mut command = damso(&["doctor", "--data", data.path(), "--listen", "127.0.0.1:0"]);
    let (code, stdout, _) = run(command.env("LANG", "ko_KR.UTF-8"));
    assert_eq!(code, 0, "{stdout}");
    assert!(stdout.contains("아직 없습니다") && stdout.contains("비어 있습니다"), "{stdout}");
}

/// A proxy that changes the head of each request (without its last, empty line) and passes on the
/// rest as it is; or answers by itself what it makes of it.
fn proxy_to(
    server: Option<SocketAddr>,
    change: impl Fn(&str) -> String + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        // A client that has gone is no failure.
        while let Ok((client, _)) = listener.accept() {
            let _ = pass(client, server, &change);
        }
    });
    address
}

fn pass(
    mut client: TcpStream,
    server: Option<SocketAddr>,
    change: &impl Fn(&str) -> String,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head[..head.len() - 2]).into_owned();
    let changed = change(&head);
    let Some(server) = server else { return client.write_all(changed.as_bytes()) };
    let mut server = TcpStream::connect(server)?;
    server.write_all(format!("{changed}\r\n").as_bytes())?;
    // One answer is all that these tests need; connections end with the client.
    let (mut from, mut to) = (server.try_clone()?, client.try_clone()?);
    thread::spawn(move || std::io::copy(&mut from, &mut to));
    thread::spawn(move || std::io::copy(&mut client, &mut server));
    Ok(())
}
