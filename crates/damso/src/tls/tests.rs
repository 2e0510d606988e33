use super::*;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion};
use std::io::{Read, Write};

/// Both sides' configurations, of which the client knows one version of TLS.
fn configs(version: &'static SupportedProtocolVersion) -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let key = KeyPair::generate().unwrap();
    let made = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = vec![CertificateDer::from(made.der().to_vec())];
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.clone(), key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(chain[0].clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server), Arc::new(client))
}

/// A client and our side of one connection; bytes go between them in pieces of `cut`.
struct Pair {
    client: ClientConnection,
    tls: Box<Tls>,
    /// What our side has brought.
    plaintext: Vec<u8>,
    /// What the client has read.
    heard: Vec<u8>,
    cut: usize,
}

impl Pair {
    fn new(version: &'static SupportedProtocolVersion, cut: usize) -> Self {
        let (server, client) = configs(version);
        let name = ServerName::try_from("localhost").unwrap();
        let client = ClientConnection::new(client, name).unwrap();
        let (tls, plaintext, heard) = (Tls::new(server).unwrap(), Vec::new(), Vec::new());
        Self { client, tls, plaintext, heard, cut }
    }

    /// Carries everything both ways until neither has anything to say.
    fn carry(&mut self) -> Result<(), TlsError> {
        loop {
            let mut out = Vec::new();
            while self.client.wants_write() {
                self.client.write_tls(&mut out).unwrap();
            }
            for piece in out.chunks_mut(self.cut) {
                self.tls.receive(piece, &mut self.plaintext)?;
            }
            let moved = self.take();
            if out.is_empty() && moved == 0 {
                return Ok(());
            }
        }
    }

    /// Gives the client what our side has pending, in pieces, and says how much that was.
    fn take(&mut self) -> usize {
        let mut moved = 0;
        while !self.tls.pending().is_empty() {
            let count = self.tls.pending().len().min(self.cut);
            let mut piece = &self.tls.pending()[..count];
            while !piece.is_empty() {
                self.client.read_tls(&mut piece).unwrap();
                self.client.process_new_packets().unwrap();
                let mut buffer = [0; 4096];
                while let Ok(count @ 1..) = self.client.reader().read(&mut buffer) {
                    self.heard.extend_from_slice(&buffer[..count]);
                }
            }
            self.tls.sent(count);
            moved += count;
        }
        moved
    }

    fn open(version: &'static SupportedProtocolVersion, cut: usize) -> Self {
        let mut pair = Self::new(version, cut);
        assert!(matches!(pair.tls.seal(b"too early"), Err(TlsError::NotOpen)));
        pair.carry().unwrap();
        assert!(pair.tls.is_open() && !pair.client.is_handshaking());
        pair
    }

    /// Sends all of `bytes`, and says what the client reads.
    fn sends(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut at = 0;
        while at < bytes.len() {
            at += self.tls.seal(&bytes[at..]).unwrap();
            self.take();
        }
        std::mem::take(&mut self.heard)
    }
}

fn noise(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 31 + at / 251) as u8).collect()
}

#[test]
fn plaintext_goes_both_ways_however_it_is_cut() {
    for version in [&TLS12, &TLS13] {
        for cut in [1, 7, 1400, usize::MAX] {
            let mut pair = Pair::open(version, cut);
            pair.client.writer().write_all(b"GET / HTTP/1.1").unwrap();
            pair.carry().unwrap();
            assert_eq!(pair.plaintext, b"GET / HTTP/1.1");
            assert_eq!(pair.sends(b"200 OK"), b"200 OK");
            assert!(pair.tls.incomplete.capacity() == 0 && pair.tls.pending.capacity() == 0);
        }
    }
}

#[test]
fn a_batch_is_sealed_in_as_few_records_as_hold_it() {
    let mut pair = Pair::open(&TLS13, usize::MAX);
    let batch = noise(3 * RECORD_BYTES + 5);
    assert_eq!(pair.tls.seal(&batch).unwrap(), batch.len());
    let (mut records, mut rest) = (0, pair.tls.pending());
    while let [_, _, _, high, low, ..] = rest {
        records += 1;
        rest = &rest[5 + usize::from(u16::from_be_bytes([*high, *low]))..];
    }
    assert_eq!(records, 4);
}

#[test]
fn large_batches_come_whole_and_no_more_waits_than_may() {
    for version in [&TLS12, &TLS13] {
        let mut pair = Pair::open(version, 4096);
        let batch = noise(5 * SEAL_BYTES_MAX + 123);
        assert_eq!(pair.tls.seal(&batch).unwrap(), SEAL_BYTES_MAX);
        assert!(pair.tls.pending().len() < SEAL_BYTES_MAX + 5 * RECORD_OVERHEAD);
        let waiting = pair.tls.pending().len();
        assert_eq!(pair.tls.seal(&batch[SEAL_BYTES_MAX..]).unwrap(), 0);
        assert_eq!(pair.tls.pending().len(), waiting);
        pair.take();
        assert!(pair.sends(&batch[SEAL_BYTES_MAX..]) == batch);
    }
}

#[test]
fn long_messages_of_the_client_come_whole() {
    for cut in [100, 16 * 1024, usize::MAX] {
        let mut pair = Pair::open(&TLS13, cut);
        pair.client.set_buffer_limit(None);
        let message = noise(300_000);
        pair.client.writer().write_all(&message).unwrap();
        pair.carry().unwrap();
        assert!(pair.plaintext == message, "{cut}");
        assert!(pair.tls.incomplete.is_empty());
    }
}

#[test]
fn an_end_is_said_and_heard_by_each_side_alone() {
    for version in [&TLS12, &TLS13] {
        let mut pair = Pair::open(version, usize::MAX);
        pair.client.writer().write_all(b"the last of it").unwrap();
        pair.client.send_close_notify();
        pair.carry().unwrap();
        assert!(pair.tls.heard_end());
        assert_eq!(pair.plaintext, b"the last of it");
        // Who has ended its side may still read.
        assert_eq!(pair.sends(b"a page"), b"a page");
        pair.tls.seal(b"bye").unwrap();
        pair.tls.close();
        pair.tls.close();
        assert!(matches!(pair.tls.seal(b"more"), Err(TlsError::NotOpen)));
        pair.take();
        assert_eq!(pair.heard, b"bye");
        // An end without close_notify would be an error.
        assert_eq!(pair.client.reader().read(&mut [0]).unwrap(), 0);
    }
}

#[test]
fn who_speaks_http_is_told_in_its_own_words() {
    let (server, _) = configs(&TLS13);
    let mut tls = Tls::new(server).unwrap();
    let mut plaintext = Vec::new();
    let received = tls.receive(&mut b"G".to_vec(), &mut plaintext);
    assert!(matches!(received, Err(TlsError::NotTls)));
    let told = String::from_utf8(tls.pending().to_vec()).unwrap();
    assert!(told.starts_with("HTTP/1.1 400 ") && told.ends_with(NOT_PLAIN), "{told}");
    // The rest of its request is for nobody.
    tls.receive(&mut b"ET / HTTP/1.1\r\n\r\n".to_vec(), &mut plaintext).unwrap();
    assert!(plaintext.is_empty() && tls.has_failed());
    assert!(matches!(tls.seal(b"nor is this"), Err(TlsError::NotOpen)));
}

#[test]
fn garbage_fails_once_and_is_ignored_from_then_on() {
    for garbage in [&[0u8; 64][..], &[0x16, 3, 1, 0, 5, 1, 0, 0, 1, 7], &[0x16, 3, 1, 0xff, 0xff]] {
        let (server, _) = configs(&TLS13);
        let mut tls = Tls::new(server).unwrap();
        let mut plaintext = Vec::new();
        assert!(tls.receive(&mut garbage.to_vec(), &mut plaintext).is_err(), "{garbage:?}");
        assert!(tls.receive(&mut garbage.to_vec(), &mut plaintext).is_ok());
        // An alert, fatal.
        assert_eq!(tls.pending()[0], 0x15, "{garbage:?}");
        assert!(tls.has_failed() && plaintext.is_empty());
    }
}

#[test]
fn a_record_that_was_changed_on_its_way_is_an_error_after_what_came_before() {
    let mut pair = Pair::open(&TLS13, usize::MAX);
    pair.client.writer().write_all(b"as it was").unwrap();
    let mut bytes = Vec::new();
    pair.client.write_tls(&mut bytes).unwrap();
    let whole = bytes.len();
    pair.client.writer().write_all(b"changed").unwrap();
    pair.client.write_tls(&mut bytes).unwrap();
    bytes[whole + 9] ^= 1;
    let received = pair.tls.receive(&mut bytes, &mut pair.plaintext);
    assert!(matches!(received, Err(TlsError::Rustls(rustls::Error::DecryptError))));
    assert_eq!(pair.plaintext, b"as it was");
    assert!(!pair.tls.pending().is_empty(), "it is told by an alert");
}

#[test]
fn a_handshake_that_stops_anywhere_is_waited_for_and_says_nothing() {
    let mut pair = Pair::new(&TLS13, usize::MAX);
    let mut hello = Vec::new();
    pair.client.write_tls(&mut hello).unwrap();
    for len in 0..hello.len() {
        let (server, _) = configs(&TLS13);
        let mut tls = Tls::new(server).unwrap();
        let mut plaintext = Vec::new();
        tls.receive(&mut hello[..len].to_vec(), &mut plaintext).unwrap();
        tls.close();
        assert!(tls.pending().is_empty() && !tls.is_open() && plaintext.is_empty());
    }
}

#[test]
fn a_record_that_never_ends_is_refused() {
    let mut pair = Pair::open(&TLS13, usize::MAX);
    // Longer than any may be.
    let mut head = vec![0x17, 3, 3, 0xff, 0xff];
    head.resize(INCOMPLETE_BYTES_MAX + 1, 0);
    let received =
        head.chunks_mut(1024).find_map(|piece| pair.tls.receive(piece, &mut pair.plaintext).err());
    assert!(received.is_some() && pair.tls.has_failed());
}

#[test]
fn a_half_message_of_a_handshake_disturbs_no_writing() {
    // rustls counts in the bytes that it has left lying: the beginning of a record is kept.
    let mut pair = Pair::open(&TLS13, usize::MAX);
    pair.client.refresh_traffic_keys().unwrap();
    pair.client.writer().write_all(b"under a new key").unwrap();
    let mut bytes = Vec::new();
    while pair.client.wants_write() {
        pair.client.write_tls(&mut bytes).unwrap();
    }
    for at in 0..bytes.len() {
        pair.tls.receive(&mut bytes[at..=at].to_vec(), &mut pair.plaintext).unwrap();
        assert_eq!(pair.sends(b"meanwhile"), b"meanwhile", "{at}");
    }
    assert_eq!(pair.plaintext, b"under a new key");
}
