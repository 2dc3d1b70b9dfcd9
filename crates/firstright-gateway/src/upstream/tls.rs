//! Whom do we believe to be the provider?

use std::sync::{Arc, OnceLock};

use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;

/// Who may vouch for a target's certificate.
#[derive(Debug, Clone)]
pub enum Trust {
    /// Whom the operating system trusts.
    Platform,
    /// Only these authorities: a company's own, or a test's.
    Roots(Arc<Roots>),
}

/// A set of authorities, with the configuration made from it at the first use.
#[derive(Debug)]
pub struct Roots {
    store: RootCertStore,
    made: OnceLock<Arc<ClientConfig>>,
}

impl Trust {
    /// Trusts these authorities and nobody else.
    pub fn roots(store: RootCertStore) -> Self {
        Self::Roots(Arc::new(Roots { store, made: OnceLock::new() }))
    }

    /// The configuration, made at the first call: reading the platform's roots takes tens of milliseconds, which
    /// start-up must not pay.
    pub(super) fn config(&self) -> Result<Arc<ClientConfig>, rustls::Error> {
        static PLATFORM: OnceLock<Arc<ClientConfig>> = OnceLock::new();
        let made = match self {
            Self::Platform => &PLATFORM,
            Self::Roots(roots) => &roots.made,
        };
        if let Some(config) = made.get() {
            return Ok(config.clone());
        }
        let config = Arc::new(self.build()?);
        // Another thread may have been faster; both are the same.
        Ok(made.get_or_init(|| config).clone())
    }

    fn build(&self) -> Result<ClientConfig, rustls::Error> {
        let provider: Arc<CryptoProvider> = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let mut config = match self {
            Self::Platform => builder.with_platform_verifier()?.with_no_client_auth(),
            Self::Roots(roots) => builder.with_root_certificates(roots.store.clone()).with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}
