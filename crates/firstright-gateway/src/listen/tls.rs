//! With which certificate do we answer, and whose do we ask for?
//!
//! TLS 1.2 and 1.3 by rustls, with aws-lc's cryptography; nothing older, and no plaintext beside it on the same port.
//! Certificates are files: they can be read again at any time, and connections that come after it get the new ones.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Where a listener's certificate is, and who may vouch for its clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate and those between it and its authority, in PEM, its own first.
    pub certificate: PathBuf,
    /// Its private key, in PEM.
    pub key: PathBuf,
    /// Authorities of clients, in PEM. If they are given, a client without a certificate of theirs is not spoken with.
    pub client_ca: Option<PathBuf>,
}

/// What was read of a listener's files, ready to be used.
#[derive(Clone, Debug)]
pub struct TlsLoaded(Arc<ServerConfig>);

/// What a listener speaks TLS with.
#[derive(Debug)]
pub struct Tls {
    current: RwLock<TlsLoaded>,
    failed: AtomicU64,
}

/// Why the files cannot be used. It names the file and never what stands in it.
#[derive(Debug)]
pub enum TlsError {
    /// A file is not there, or is not what it should be.
    File {
        /// What it should hold.
        what: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why not.
        error: pem::Error,
    },
    /// A file holds nothing of what it should hold.
    Empty {
        /// What it should hold.
        what: &'static str,
        /// Which file.
        path: PathBuf,
    },
    /// An authority's certificate is malformed.
    Authority {
        /// In which file.
        path: PathBuf,
        /// Why.
        error: rustls::Error,
    },
    /// The authorities cannot be used.
    Verifier(VerifierBuilderError),
    /// Certificate and key do not go together, or cannot be used.
    Pair {
        /// The certificate's file.
        path: PathBuf,
        /// Why not.
        error: rustls::Error,
    },
}

impl std::fmt::Display for TlsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            TlsError::File { what, path, error } => {
                write!(f, "failed to read the {what} in `{}`: {error}", path.display())
            }
            TlsError::Empty { what, path } => {
                write!(f, "failed to read the {what} in `{}`: there is none", path.display())
            }
            TlsError::Authority { path, error } => {
                write!(f, "failed to use an authority of `{}`: {error}", path.display())
            }
            TlsError::Verifier(error) => write!(f, "failed to use the authorities of clients: {error}"),
            TlsError::Pair { path, error } => {
                write!(f, "failed to use the certificate of `{}` with its key: {error}", path.display())
            }
        }
    }
}

impl std::error::Error for TlsError {}

impl TlsFiles {
    /// Reads the files.
    ///
    /// # Errors
    /// If one cannot be read or used; [`TlsError`] says which.
    pub fn read(&self) -> Result<TlsLoaded, TlsError> {
        read(self).map(|config| TlsLoaded(Arc::new(config)))
    }
}

impl Tls {
    /// Begins with what was read.
    pub fn new(loaded: TlsLoaded) -> Tls {
        Tls { current: RwLock::new(loaded), failed: AtomicU64::new(0) }
    }

    /// Uses something else for connections that come from now on.
    pub fn adopt(&self, loaded: TlsLoaded) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = loaded;
    }

    /// Handshakes that did not come to an end.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Shakes hands with a client; how long that may take is the caller's to say.
    ///
    /// # Errors
    /// If the client speaks no TLS that we do, or shows no certificate that we ask for; it has been told by an alert.
    pub async fn accept(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        let counted = Counted(Some(&self.failed));
        let config = Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).0);
        let stream = TlsAcceptor::from(config).accept(stream).await?;
        counted.done();
        Ok(stream)
    }
}

/// Counts a handshake as failed unless it is done: one that is given up is dropped and says nothing.
struct Counted<'a>(Option<&'a AtomicU64>);

impl Counted<'_> {
    fn done(mut self) {
        self.0 = None;
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        if let Some(failed) = self.0 {
            failed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn read(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let pair = |error| TlsError::Pair { path: files.certificate.clone(), error };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(pair)?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for authority in certificates("authorities of clients", path)? {
                let fail = |error| TlsError::Authority { path: path.clone(), error };
                roots.add(authority).map_err(fail)?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().map_err(TlsError::Verifier)?)
        }
    };
    let chain = certificates("certificate", &files.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsError::Empty { what: "private key", path: files.key.clone() },
        error => TlsError::File { what: "private key", path: files.key.clone(), error },
    })?;
    let mut config = builder.with_single_cert(chain, key).map_err(pair)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn certificates(what: &'static str, path: &PathBuf) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let fail = |error| TlsError::File { what, path: path.clone(), error };
    let found =
        CertificateDer::pem_file_iter(path).map_err(fail)?.collect::<Result<Vec<_>, _>>().map_err(fail)?;
    if found.is_empty() { Err(TlsError::Empty { what, path: path.clone() }) } else { Ok(found) }
}
