//! How is it operated: with which certificates and which token?

use std::path::{Path, PathBuf};
use std::sync::Arc;

use firstright_gateway::listen::{Tls, TlsFiles};
use serde::Deserialize;

use super::AdminConfig;
use crate::admin::Token;

/// A listener's certificate, all of it files relative to the configuration's.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TlsConfig {
    /// The certificate and those between it and its authority, in PEM.
    pub certificate: PathBuf,
    /// Its private key, in PEM.
    pub key: PathBuf,
    /// Authorities of clients, in PEM: whoever shows no certificate of theirs is not spoken with.
    pub client_ca: Option<PathBuf>,
}

impl TlsConfig {
    /// Makes its paths relative to `folder`.
    pub(super) fn beside(&mut self, folder: &Path) {
        for path in
            [Some(&mut self.certificate), Some(&mut self.key), self.client_ca.as_mut()].into_iter().flatten()
        {
            *path = folder.join(&*path);
        }
    }

    /// The files themselves.
    pub fn files(&self) -> impl Iterator<Item = PathBuf> {
        [Some(self.certificate.clone()), Some(self.key.clone()), self.client_ca.clone()].into_iter().flatten()
    }

    /// Reads the files.
    ///
    /// # Errors
    /// If one cannot be used.
    pub fn open(&self) -> Result<Arc<Tls>, String> {
        let loaded = TlsFiles::from(self).read().map_err(|error| error.to_string())?;
        Ok(Arc::new(Tls::new(loaded)))
    }
}

impl From<&TlsConfig> for TlsFiles {
    fn from(config: &TlsConfig) -> TlsFiles {
        let TlsConfig { certificate, key, client_ca } = config.clone();
        TlsFiles { certificate, key, client_ca }
    }
}

impl AdminConfig {
    /// The token of its choice; none if each start is to make one.
    ///
    /// # Errors
    /// If it cannot be read, or is none that could be safe.
    pub fn token(&self) -> Result<Option<Token>, String> {
        let fail = |why: String| format!("failed to use the admin token: {why}");
        let Some(reference) = &self.token else { return Ok(None) };
        let token = Token::new(&reference.text().map_err(fail)?);
        let bad =
            || fail("it has fewer than 16 characters, or some that a bearer token may not have".to_string());
        token.map(Some).ok_or_else(bad)
    }
}
