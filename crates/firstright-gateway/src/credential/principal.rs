//! As whom does a machine or a resource in Oracle's cloud sign, and how does it come by the right to?
//!
//! What comes of it is an [`OciKey`] whose name is a token that holds for less than an hour. It is kept, shared and renewed
//! as tokens are.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY};
use firstright_wire::auth::oci::principal::{self, Part, Session};
use firstright_wire::auth::token::Refused;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::role::read;
use super::tokens::{Answer, Tokens};
use super::{AuthError, BadKey, OciKey, SigningKey, TokenUrl};
use crate::upstream::Client;

/// Who signs.
#[derive(Debug, PartialEq, Eq)]
pub enum OciPrincipal {
    /// The machine.
    Instance(OciInstance),
    /// A function, a container or another resource, by files that the platform writes anew.
    Resource {
        /// The token.
        token: PathBuf,
        /// The key that it names, in PEM.
        key: PathBuf,
    },
}

/// A machine, and where it proves who it is.
#[derive(Debug)]
pub struct OciInstance {
    metadata: TokenUrl,
    federation: TokenUrl,
    /// The machine's own key, made once: its making takes a tenth of a second, and tokens that name it change.
    key: OnceLock<SigningKey>,
}

impl PartialEq for OciInstance {
    fn eq(&self, other: &OciInstance) -> bool {
        (&self.metadata, &self.federation) == (&other.metadata, &other.federation)
    }
}

impl Eq for OciInstance {}

impl OciInstance {
    /// A machine with this metadata service, and the federation service of its region.
    pub fn new(metadata: TokenUrl, federation: TokenUrl) -> OciInstance {
        OciInstance { metadata, federation, key: OnceLock::new() }
    }

    async fn key(&self) -> Result<SigningKey, AuthError> {
        if let Some(key) = self.key.get() {
            return Ok(key.clone());
        }
        // Calls go on while it is made.
        let made = tokio::task::spawn_blocking(SigningKey::generate).await;
        let made = made.map_err(|_| AuthError::Abandoned)?;
        let made = made.map_err(|bad| AuthError::Proof(bad.to_string()))?;
        Ok(self.key.get_or_init(|| made).clone())
    }

    async fn session(&self, tokens: &Tokens, client: &Client) -> Result<(SigningKey, Session), AuthError> {
        let part = async |part| {
            let answer = tokens.send(&self.metadata.target, principal::metadata(part), None, client).await?;
            match std::str::from_utf8(&answer.body) {
                Ok(text) if answer.status == 200 => Ok(text.to_owned()),
                _ => Err(tokens.refused(empty(&answer), &answer)),
            }
        };
        let (leaf, key) = (part(Part::Certificate).await?, part(Part::Key).await?);
        let intermediates = certificates(&part(Part::Intermediate).await?)?;
        let leaf = certificates(&leaf)?.into_iter().next().ok_or_else(|| bad(BadKey::NoCertificate))?;
        let tenancy = principal::tenancy(&leaf).ok_or_else(|| {
            AuthError::Proof("the machine's certificate does not say its tenancy".to_owned())
        })?;
        let sha1 = digest::digest(&SHA1_FOR_LEGACY_USE_ONLY, &leaf);
        let key_id = principal::federated_key_id(&tenancy, sha1.as_ref());
        let signer = OciKey::new(key_id, SigningKey::from_pem(&key).map_err(bad)?);
        let own = self.key().await?;
        let ask = principal::federation(
            &self.federation.path,
            &leaf,
            &intermediates,
            &own.public_der().map_err(bad)?,
        );
        let answer = tokens.send(&self.federation.target, ask, Some(&signer), client).await?;
        let session = principal::answer(answer.status, &answer.body, answer.now_s)
            .map_err(|refused| tokens.refused(refused, &answer))?;
        Ok((own, session))
    }
}

impl OciPrincipal {
    /// Gets a key with its name, and tells for how many seconds that holds.
    pub(super) async fn key(
        &self,
        tokens: &Tokens,
        client: &Client,
    ) -> Result<(Arc<OciKey>, u64), AuthError> {
        let (key, session) = match self {
            OciPrincipal::Instance(instance) => instance.session(tokens, client).await?,
            OciPrincipal::Resource { token, key } => {
                let key = SigningKey::from_pem(&read(key)?).map_err(bad)?;
                let session = principal::session(&read(token)?, tokens.clock.now_s());
                let shown = token.display();
                let session = session.ok_or_else(|| AuthError::Proof(format!("`{shown}` holds no token")))?;
                if session.lifetime_s == 0 {
                    return Err(AuthError::Proof(format!("the token in `{shown}` has ended")));
                }
                (key, session)
            }
        };
        Ok((Arc::new(OciKey::of_session(&session.key_id, key)), session.lifetime_s))
    }
}

fn empty(answer: &Answer) -> Refused {
    Refused { status: answer.status, error: None, entra_code: None }
}

fn bad(bad: BadKey) -> AuthError {
    AuthError::Proof(bad.to_string())
}

/// The certificates of a text in PEM, in DER.
fn certificates(pem: &str) -> Result<Vec<Vec<u8>>, AuthError> {
    let all = CertificateDer::pem_slice_iter(pem.as_bytes());
    all.map(|one| one.map(|der| der.to_vec()).map_err(|_| bad(BadKey::NoCertificate))).collect()
}
