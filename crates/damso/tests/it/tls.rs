//! TLS: most of what goes over a socket once more, over TLS, and what only TLS has.

use crate::client::{Client, PATIENCE, opening};
use crate::server::{Engine, Server, damso, run, scratch};
use crate::v1::peer::{Peer, key};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

all_engines![
    page_api_and_chat_are_one_origin_of_https,
    who_speaks_http_to_a_tls_port_is_told,
    a_changed_certificate_is_shown_to_who_connects_then,
    a_broken_certificate_is_warned_about_and_the_last_good_one_shown,
    a_tls_handshake_that_stops_or_breaks_off_ends_at_its_deadline,
    our_own_client_speaks_tls,
    a_session_that_is_taken_up_again_needs_no_whole_handshake,
];

/// Makes of each `fn name(engine: Engine)` of a module a test more for each engine, over TLS.
macro_rules! once_more {
    ($($module:ident of $($parent:ident)::+: $($name:ident)*;)*) => {
        $(
            mod $module {
                use crate::$($parent)::+ as of;

                mod event {
                    use crate::server::Engine::Event;
                    $(#[test] fn $name() { crate::tls::secured(super::of::$name, Event); })*
                }

                mod threads {
                    use crate::server::Engine::Threads;
                    $(#[test] fn $name() { crate::tls::secured(super::of::$name, Threads); })*
                }

                #[cfg(target_os = "linux")]
                mod uring {
                    use crate::server::Engine::Uring;
                    $(#[test] fn $name() { crate::tls::secured(super::of::$name, Uring); })*
                }
            }
        )*
    };
}

once_more![
    handshake of handshake:
        a_handshake_byte_by_byte_is_accepted
        frames_glued_to_the_request_are_served
        half_a_frame_glued_to_the_request_is_not_lost
        compression_is_agreed_only_as_it_can_be_shared
        the_page_is_served_under_a_strict_policy
        a_page_that_is_known_already_is_not_sent_again
        a_page_and_then_a_handshake_on_one_connection
        a_page_a_handshake_and_a_frame_in_one_write
        a_handshake_that_is_refused_after_a_page_is_a_proper_answer_too
        a_page_head_that_trickles_in_is_no_way_around_the_deadline;
    tutorial of tutorial:
        a_close_gets_its_code_back_and_then_the_end
        a_line_goes_to_everyone_and_to_its_author_too
        ctrl_c_says_one_sentence_and_ends_with_0;
    hostile of hostile:
        every_broken_rule_gets_its_code_and_the_others_chat_on
        a_deflate_bomb_is_stopped_at_the_limit
        compressed_and_plain_guests_hear_the_same
        one_who_never_reads_neither_holds_up_the_others_nor_takes_the_memory
        one_who_pauses_gets_every_line_once_and_in_order
        one_who_falls_off_the_ring_is_closed_and_never_skips
        a_reset_in_any_state_leaves_no_ghost
        an_end_of_bytes_in_any_state_leaves_no_ghost
        who_is_silent_is_pinged_and_who_does_not_answer_is_gone
        fast_senders_do_not_stop_others_from_joining
        a_guest_too_many_is_told_so_and_closed
        a_server_with_idle_guests_sleeps;
    resume of v1::resume:
        replay_gives_every_event_once_and_then_live
        a_reader_that_stops_is_fed_to_the_head_and_costs_nothing_meanwhile;
    messages of v1::messages:
        plain_peers_v1_peers_and_the_console_talk_with_each_other;
    api of v1::api:
        messages_change_over_http_as_over_a_socket;
];

/// The files of a certificate and its key, gone with their test.
struct Files(PathBuf);

impl Files {
    fn new(engine: Engine, test: &str) -> Self {
        let folder = scratch(engine.name(), test);
        fs::create_dir_all(&folder).unwrap();
        let files = Self(folder);
        files.renew();
        files
    }

    fn certificate(&self) -> PathBuf {
        self.0.join("cert.pem")
    }

    fn key(&self) -> PathBuf {
        self.0.join("key.pem")
    }

    /// Puts another certificate there, as something that renews them does: by renaming.
    fn renew(&self) {
        let (certificate, key) = made();
        for (text, path) in [(key, self.key()), (certificate, self.certificate())] {
            let beside = self.0.join("new");
            fs::write(&beside, text).unwrap();
            fs::rename(beside, path).unwrap();
        }
    }

    fn flags(&self) -> [String; 4] {
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        ["--tls-cert".into(), text(self.certificate()), "--tls-key".into(), text(self.key())]
    }

    fn serve(&self, engine: Engine, flags: &[&str]) -> Server {
        let own = self.flags();
        let own: Vec<&str> = own.iter().map(String::as_str).collect();
        engine.serve(&[&own, flags].concat())
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A certificate for this machine, and its key, PEM.
fn made() -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    (made.pem(), key.serialize_pem())
}

/// What a client trusts: the certificate in a file.
fn trusting(certificate: &Path) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
}

/// A TLS handshake with who trusts only that; none if it fails.
fn greeted(address: SocketAddr, config: &Arc<ClientConfig>) -> Option<ClientConnection> {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let name = ServerName::try_from(address.ip().to_string()).unwrap();
    let mut tls = ClientConnection::new(config.clone(), name).unwrap();
    while tls.is_handshaking() {
        tls.complete_io(&mut socket).ok()?;
    }
    Some(tls)
}

thread_local! {
    /// This test's servers speak TLS.
    static SECURE: Cell<bool> = const { Cell::new(false) };
}

/// Which servers speak TLS, and what who talks with them trusts.
static SERVERS: Mutex<Option<HashMap<SocketAddr, Arc<ClientConfig>>>> = Mutex::new(None);

/// The certificate of tests that have none of their own.
fn shared() -> &'static (PathBuf, PathBuf) {
    static SHARED: OnceLock<(PathBuf, PathBuf)> = OnceLock::new();
    SHARED.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let at = |name: &str| folder.join(format!("{name}-{}.pem", std::process::id()));
        let (certificate, key) = made();
        fs::write(at("cert"), certificate).unwrap();
        fs::write(at("key"), key).unwrap();
        (at("cert"), at("key"))
    })
}

/// What this test's servers are to be started with.
pub(crate) fn flags() -> Vec<PathBuf> {
    if !SECURE.get() {
        return Vec::new();
    }
    let (certificate, key) = shared().clone();
    vec!["--tls-cert".into(), certificate, "--tls-key".into(), key]
}

/// A server that speaks TLS listens there.
pub(crate) fn note(address: SocketAddr) {
    if SECURE.get() {
        trust(address, &shared().0);
    } else {
        // Another test's server may have had the port.
        forget(address);
    }
}

/// From here on who connects there trusts this certificate.
fn trust(address: SocketAddr, certificate: &Path) {
    let config = trusting(certificate);
    SERVERS.lock().unwrap().get_or_insert_default().insert(address, config);
}

/// No server speaks TLS there any more.
pub(crate) fn forget(address: SocketAddr) {
    SERVERS.lock().unwrap().get_or_insert_default().remove(&address);
}

/// The client's side of a connection with that server, if it speaks TLS.
pub(crate) fn connection_to(address: SocketAddr) -> Option<Channel> {
    let config = SERVERS.lock().unwrap().as_ref()?.get(&address)?.clone();
    let name = ServerName::try_from(address.ip().to_string()).unwrap();
    let connection = Mutex::new(ClientConnection::new(config, name).unwrap());
    Some(Channel { connection, writing: Mutex::default(), plaintext: Mutex::default() })
}

/// The client's side of TLS, on a socket that one thread may read while another one writes to it.
pub(crate) struct Channel {
    connection: Mutex<ClientConnection>,
    /// What is sealed first is written first. Never taken while `connection` is held.
    writing: Mutex<()>,
    /// What was received and not read yet.
    plaintext: Mutex<VecDeque<u8>>,
}

impl Channel {
    pub(crate) fn write_all(&self, socket: &TcpStream, bytes: &[u8]) -> io::Result<()> {
        while self.connection.lock().unwrap().is_handshaking() {
            self.seal(socket, &[])?;
            if self.receive(socket)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        bytes.chunks(16 * 1024).try_for_each(|piece| self.seal(socket, piece))
    }

    pub(crate) fn read(&self, socket: &TcpStream, into: &mut [u8]) -> io::Result<usize> {
        loop {
            // A writer that waits for its socket must not keep its reader waiting.
            if self.connection.lock().unwrap().wants_write() {
                self.seal(socket, &[])?;
            }
            let mut plaintext = self.plaintext.lock().unwrap();
            if plaintext.is_empty() {
                drop(plaintext);
                match self.connection.lock().unwrap().reader().read(into) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    result => return result,
                }
                self.receive(socket)?;
            } else {
                return plaintext.read(into);
            }
        }
    }

    /// Writes these bytes, and whatever else TLS has to say.
    fn seal(&self, mut socket: &TcpStream, bytes: &[u8]) -> io::Result<()> {
        let _writing = self.writing.lock().unwrap();
        let mut sealed = Vec::new();
        {
            let mut connection = self.connection.lock().unwrap();
            connection.writer().write_all(bytes)?;
            while connection.wants_write() {
                connection.write_tls(&mut sealed)?;
            }
        }
        socket.write_all(&sealed)
    }

    fn receive(&self, mut socket: &TcpStream) -> io::Result<usize> {
        let mut bytes = [0; 16 * 1024];
        let count = socket.read(&mut bytes)?;
        let mut connection = self.connection.lock().unwrap();
        let (mut left, mut plaintext) = (&bytes[..count], Vec::new());
        loop {
            connection.read_tls(&mut left)?;
            connection.process_new_packets().map_err(io::Error::other)?;
            // It holds little, and takes nothing in when it holds that.
            let mut piece = [0; 4096];
            while let Ok(count @ 1..) = connection.reader().read(&mut piece) {
                plaintext.extend_from_slice(&piece[..count]);
            }
            if left.is_empty() {
                break;
            }
        }
        self.plaintext.lock().unwrap().extend(plaintext);
        Ok(count)
    }
}

/// Runs a test whose servers speak TLS.
fn secured(test: impl FnOnce(Engine), engine: Engine) {
    SECURE.set(true);
    test(engine);
}

fn page_api_and_chat_are_one_origin_of_https(engine: Engine) {
    let files = Files::new(engine, "origin");
    let server = files.serve(engine, &["--allow-host", "chat.example.com"]);
    let address = server.address;
    trust(address, &files.certificate());
    let get = |path: &str, host: &str, further: &str| {
        let mut client = Client::connect(address);
        let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{further}\r\n");
        client.send(head.as_bytes());
        client.answer()
    };
    let page = get("/", "chat.example.com", "");
    assert_eq!(page.status, 200);
    assert_eq!(page.header("Cross-Origin-Opener-Policy"), Some("same-origin"));
    for (scheme, status) in [("https", 101), ("http", 403)] {
        let mut client = Client::connect(address);
        let origin = format!("Origin: {scheme}://chat.example.com\r\n");
        client.send(opening("/ws", "chat.example.com", &origin).as_bytes());
        assert_eq!(client.answer().status, status, "{scheme}");
    }
    // What the server says of where it is, it says by the same scheme.
    let _peer = Peer::join(address, "여는이");
    let bearer = format!("Authorization: Bearer {}\r\n", key("여는이"));
    let link = get("/api/v1/me/link", "chat.example.com", &bearer);
    assert_eq!(link.status, 200, "{link:?}");
    assert!(link.body.contains("\"https://chat.example.com/#key="), "{}", link.body);
}

fn who_speaks_http_to_a_tls_port_is_told(engine: Engine) {
    let server = Files::new(engine, "plain").serve(engine, &[]);
    let mut client = Client::connect(server.address);
    client.send(format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", server.address).as_bytes());
    let answer = client.answer();
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("https://"), "{}", answer.body);
    client.ends();
}

fn a_changed_certificate_is_shown_to_who_connects_then(engine: Engine) {
    let files = Files::new(engine, "renewed");
    let server = files.serve(engine, &[]);
    let old = trusting(&files.certificate());
    trust(server.address, &files.certificate());
    let mut before = server.join();
    assert!(greeted(server.address, &old).is_some());
    files.renew();
    assert!(greeted(server.address, &old).is_none());
    trust(server.address, &files.certificate());
    let mut after = server.join();
    // Who was there stays.
    before.says_and_hears("아직 여기 있어요");
    after.hears_from(&before.name, "아직 여기 있어요");
}

fn a_broken_certificate_is_warned_about_and_the_last_good_one_shown(engine: Engine) {
    let files = Files::new(engine, "broken");
    let server = files.serve(engine, &[]);
    let good = trusting(&files.certificate());
    fs::write(files.certificate(), "nothing of a certificate").unwrap();
    assert!(greeted(server.address, &good).is_some());
    server.logs(&["WARN", "can't be used", "no certificate in it"]);
    // A key that isn't the certificate's.
    fs::write(files.certificate(), made().0).unwrap();
    assert!(greeted(server.address, &good).is_some());
    server.logs(&["WARN", "is not the key of"]);
    fs::remove_file(files.key()).unwrap();
    assert!(greeted(server.address, &good).is_some());
    server.logs(&["WARN", "there is no such file"]);
    files.renew();
    assert!(greeted(server.address, &good).is_none());
    assert!(greeted(server.address, &trusting(&files.certificate())).is_some());
}

fn a_tls_handshake_that_stops_or_breaks_off_ends_at_its_deadline(engine: Engine) {
    let files = Files::new(engine, "stops");
    let server = files.serve(engine, &["--set", "limits.head_seconds=1"]);
    let config = trusting(&files.certificate());
    trust(server.address, &files.certificate());
    let mut other = server.join();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let mut hello = Vec::new();
    ClientConnection::new(config, name).unwrap().write_tls(&mut hello).unwrap();
    // Some say the beginning and wait, some say it and go, some answer the server's with nonsense.
    for cut in [0, 1, 5, hello.len() / 2, hello.len()] {
        let mut waits = TcpStream::connect(server.address).unwrap();
        waits.set_read_timeout(Some(PATIENCE)).unwrap();
        waits.write_all(&hello[..cut]).unwrap();
        let mut goes = TcpStream::connect(server.address).unwrap();
        goes.write_all(&hello[..cut]).unwrap();
        drop(goes);
        let mut ends = TcpStream::connect(server.address).unwrap();
        ends.set_read_timeout(Some(PATIENCE)).unwrap();
        ends.write_all(&hello[..cut]).unwrap();
        ends.shutdown(Shutdown::Write).unwrap();
        let mut said = Vec::new();
        // Whatever it is told: it comes to an end.
        let _ = ends.read_to_end(&mut said);
        let _ = waits.read_to_end(&mut said);
    }
    let mut wrong = TcpStream::connect(server.address).unwrap();
    wrong.set_read_timeout(Some(PATIENCE)).unwrap();
    wrong.write_all(&[0x16, 3, 1, 0, 5, 1, 0, 0, 1, 7]).unwrap();
    let mut said = Vec::new();
    let _ = wrong.read_to_end(&mut said);
    assert_eq!(said.first(), Some(&0x15), "an alert was to come, not {said:?}");
    other.says_and_hears("still here");
    server.until_only(&[&other]);
}

fn our_own_client_speaks_tls(engine: Engine) {
    let files = Files::new(engine, "client");
    let server = files.serve(engine, &[]);
    trust(server.address, &files.certificate());
    let mut other = server.join();
    let send = |scheme: &str, trusted: &Path| {
        let mut command = damso(&["send", "lobby", "안녕", "--name", "나", "--wait", "5"]);
        command.args(["--url", &format!("{scheme}://{}", server.address)]);
        command.env("HOME", &files.0).env_remove("XDG_CONFIG_HOME");
        run(command.env("SSL_CERT_FILE", trusted))
    };
    for scheme in ["wss", "https"] {
        let (code, _, stderr) = send(scheme, &files.certificate());
        assert_eq!(code, 0, "{stderr}");
        other.hears("나 :: 안녕");
    }
    // Who is trusted is somebody else.
    let stranger = Files::new(engine, "stranger");
    let (code, _, stderr) = send("wss", &stranger.certificate());
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("certificate"), "{stderr}");
    let mut command = damso(&["doctor", "--listen", &server.address.to_string()]);
    command.args(["--url", &format!("https://{}", server.address)]);
    let (code, stdout, stderr) = run(command.env("SSL_CERT_FILE", files.certificate()));
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stdout.contains("by https") && stdout.contains("opening handshake passes"), "{stdout}");
}

fn a_session_that_is_taken_up_again_needs_no_whole_handshake(engine: Engine) {
    let files = Files::new(engine, "ticket");
    let server = files.serve(engine, &[]);
    let config = trusting(&files.certificate());
    let page = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
    let asks = || {
        let mut socket = TcpStream::connect(server.address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let mut tls = ClientConnection::new(config.clone(), name).unwrap();
        let mut stream = rustls::Stream::new(&mut tls, &mut socket);
        stream.write_all(page.as_bytes()).unwrap();
        assert!(stream.read(&mut [0; 1024]).unwrap() > 0);
        tls.handshake_kind().unwrap()
    };
    assert_eq!(asks(), rustls::HandshakeKind::Full);
    assert_eq!(asks(), rustls::HandshakeKind::Resumed);
}

#[test]
fn files_that_cannot_be_used_are_told_with_what_to_do() {
    let (one, two) = (Files::new(Engine::Event, "one"), Files::new(Engine::Event, "two"));
    let (certificate, key) = (one.certificate(), one.key());
    let garbage = one.0.join("garbage.pem");
    fs::write(&garbage, "-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----\n").unwrap();
    let locked = one.0.join("locked.pem");
    let begin = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
    fs::write(&locked, format!("{begin}\nAAAA\n{}\n", begin.replace("BEGIN", "END"))).unwrap();
    let absent = one.0.join("absent.pem");
    for (certificate, key, told) in [
        (&absent, &key, "there is no such file"),
        (&certificate, &absent, "there is no such file"),
        (&key, &certificate, "--tls-key's"),
        (&certificate, &certificate, "no private key in it"),
        (&certificate, &two.key(), "is not the key of"),
        (&garbage, &key, "--tls-cert"),
        (&certificate, &locked, "passphrase"),
    ] {
        let mut command = damso(&["serve", "--memory", "--listen", "127.0.0.1:0"]);
        command.arg("--tls-cert").arg(certificate).arg("--tls-key").arg(key);
        let (code, stdout, stderr) = run(&mut command);
        assert_eq!((code, &*stdout, stderr.lines().count()), (1, "", 1), "{told}: {stderr}");
        assert!(stderr.contains(told) && stderr.contains(".pem"), "{told}: {stderr}");
    }
    let mut command = damso(&["serve", "--memory", "--tls-cert"]);
    let (code, _, stderr) = run(command.arg(&certificate));
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("--tls-key"), "{stderr}");
}
