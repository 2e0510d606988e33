//! The server's certificate and key, in two files that may be replaced while it runs.

use super::Tls;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::{ServerConfig, sign};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tracing::{info, warn};

/// What the server shows of itself. The files are looked at for each new connection, which costs
/// two system calls beside a handshake; whoever is connected keeps what it has.
pub struct Certificate {
    certificate: PathBuf,
    key: PathBuf,
    current: Mutex<Current>,
}

struct Current {
    stamps: [Option<Stamp>; 2],
    config: Arc<ServerConfig>,
    /// After a failure: when the files are read again though they stand as they did.
    again: Option<Instant>,
}

/// A failed reading may be the moment's, as for want of a descriptor.
const AGAIN: Duration = Duration::from_secs(10);

/// What tells a file from what it was: its place on the disk, its length, and when it or its rights
/// changed, in seconds and nanoseconds: an unreadable file is mended by these.
type Stamp = (u64, u64, i64, i64);

fn stamp(path: &Path) -> Option<Stamp> {
    let found = fs::metadata(path).ok()?;
    // Of a pipe there is no second reading, and opening one may block.
    found.is_file().then(|| (found.ino(), found.len(), found.ctime(), found.ctime_nsec()))
}

impl Certificate {
    /// Reads a certificate with its chain, and its key, both PEM.
    ///
    /// # Errors
    /// A sentence that names the file, and says what to do.
    pub fn load(certificate: PathBuf, key: PathBuf) -> Result<Self, String> {
        let stamps = [stamp(&certificate), stamp(&key)];
        let config = read(&certificate, &key)?;
        Ok(Self { certificate, key, current: Mutex::new(Current { stamps, config, again: None }) })
    }

    /// The TLS of a new connection, by the certificate as it stands now. A changed one that can't
    /// be used is warned about once, and the last good one is shown on.
    pub fn accept(&self) -> Option<Box<Tls>> {
        let config = {
            let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
            let stamps = [stamp(&self.certificate), stamp(&self.key)];
            let (changed, now) = (stamps != current.stamps, Instant::now());
            if changed || current.again.is_some_and(|again| again <= now) {
                (current.stamps, current.again) = (stamps, None);
                match read(&self.certificate, &self.key) {
                    Ok(config) => {
                        current.config = config;
                        info!("the certificate has changed; new connections get the new one");
                    }
                    Err(sentence) => {
                        current.again = Some(now + AGAIN);
                        if changed {
                            warn!(
                                "the certificate has changed, but can't be used; the last one is \
                                 shown on: {sentence}"
                            );
                        }
                    }
                }
            }
            current.config.clone()
        };
        match Tls::new(config) {
            Ok(tls) => Some(tls),
            Err(error) => {
                warn!(%error, "a connection got no TLS");
                None
            }
        }
    }
}

fn read(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, String> {
    let at = certificate.display();
    let text = load(certificate, "--tls-cert")?;
    let chain = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| {
        format!("--tls-cert {at} is damaged ({error}); copy it again from where it was made")
    })?;
    if chain.is_empty() {
        return Err(if has_key(&text) {
            format!("--tls-cert {at} has a key in it and no certificate; the key is --tls-key's")
        } else {
            format!(
                "--tls-cert {at} has no certificate in it; it has to be PEM, which begins with \
                 -----BEGIN CERTIFICATE-----"
            )
        });
    }
    let at_key = key.display();
    let text = load(key, "--tls-key")?;
    let private = PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
        let text = String::from_utf8_lossy(&text);
        if text.contains("ENCRYPTED") {
            format!(
                "--tls-key {at_key} is locked by a passphrase; `openssl pkey -in {at_key} -out \
                 open.key` makes one without"
            )
        } else if !has_key(text.as_bytes()) {
            format!(
                "--tls-key {at_key} has no private key in it; it has to be PEM, which begins with \
                 -----BEGIN PRIVATE KEY-----"
            )
        } else {
            format!("--tls-key {at_key} is damaged ({error}); copy it again from where it was made")
        }
    })?;
    let provider = Arc::new(ring::default_provider());
    let certified = sign::CertifiedKey::from_der(chain, private, &provider);
    certified
        .map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => format!(
                "--tls-key {at_key} is not the key of --tls-cert {at}; give the one that the \
             certificate was made with"
            ),
            rustls::Error::InvalidCertificate(_) => {
                format!("--tls-cert {at} can't be read as a certificate: {error}")
            }
            _ => format!("--tls-key {at_key} can't be used: {error}; EC, Ed25519 and RSA keys can"),
        })
        .and_then(|certified| {
            configure(certified, provider).map_err(|error| format!("TLS can't be set up: {error}"))
        })
}

fn configure(
    certified: sign::CertifiedKey,
    provider: Arc<rustls::crypto::CryptoProvider>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(sign::SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // Who comes back brings its state itself, sealed: a storm of those costs no signatures.
    config.ticketer = ring::Ticketer::new()?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(Arc::new(config))
}

fn load(path: &Path, flag: &str) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| {
        let at = path.display();
        match error.kind() {
            std::io::ErrorKind::NotFound => {
                format!("{flag} {at}: there is no such file")
            }
            std::io::ErrorKind::PermissionDenied => format!(
                "{flag} {at} may not be read by the user that runs damso; `ls -l {at}` shows by whom"
            ),
            _ => format!("{flag} {at} can't be read: {error}"),
        }
    })
}

fn has_key(text: &[u8]) -> bool {
    String::from_utf8_lossy(text).contains("PRIVATE KEY-----")
}
