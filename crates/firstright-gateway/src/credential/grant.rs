//! With what right is a token asked for, and where?

use std::path::PathBuf;

use firstright_wire::auth::token::{self, Ask};
use firstright_wire::auth::{base64, jwt};

use super::role::read;
use super::{AuthError, Secret, SigningKey};
use crate::upstream::Target;

/// Where tokens come from. Fixed by configuration: no answer can change it, and no redirect is followed.
#[derive(Clone, Debug)]
pub struct TokenUrl {
    /// The authority that is dialled.
    pub target: Target,
    /// The path; metadata services have their own, and this is not used.
    pub path: String,
    /// The URL as it was configured: what an assertion says it is for.
    pub url: String,
}

impl PartialEq for TokenUrl {
    fn eq(&self, other: &TokenUrl) -> bool {
        let dialled = |one: &TokenUrl| (one.target.authority().to_owned(), one.target.is_tls());
        (&self.path, &self.url, dialled(self)) == (&other.path, &other.url, dialled(other))
    }
}

/// The right by which a token is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grant {
    /// An application registered with Entra.
    Entra {
        /// Its id.
        client_id: String,
        /// What the token is for, such as `https://cognitiveservices.azure.com/.default`.
        scope: String,
        /// How it proves that it is the one.
        subject: Subject,
    },
    /// The identity of an Azure machine, by its metadata service.
    AzureMetadata {
        /// What the token is for, such as `https://cognitiveservices.azure.com`.
        resource: String,
        /// Which of the machine's identities; none if it has one only.
        client_id: Option<String>,
    },
    /// The identity of an App Service or Container App.
    AzureAppService {
        /// As for a machine.
        resource: String,
        /// As for a machine.
        client_id: Option<String>,
        /// What the platform put into `IDENTITY_HEADER`.
        header: Secret,
    },
    /// A service account of Google's, with its key.
    Google {
        /// The account.
        email: String,
        /// The key's id.
        key_id: String,
        /// What the token is for, such as `https://www.googleapis.com/auth/cloud-platform`.
        scope: String,
        /// Signs the assertion.
        key: SigningKey,
    },
    /// The service account of a Google machine, by its metadata server.
    GoogleMetadata {
        /// Which account; `default` for the machine's first.
        account: String,
    },
}

/// How an Entra application proves that it is the one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// By its secret.
    Secret(Secret),
    /// By its certificate's key; with the SHA-256 of the certificate.
    Certificate(SigningKey, [u8; 32]),
    /// By a token of whom it federates with, in a file that is written anew before it ends: Kubernetes does so.
    Federated(PathBuf),
}

/// Random bytes of an assertion's id: enough that none comes twice.
const ID_BYTES: usize = 16;

impl Grant {
    /// The request for a token, at this second since 1970.
    pub(super) fn ask(&self, url: &TokenUrl, now_s: u64) -> Result<Ask, AuthError> {
        Ok(match self {
            Grant::Entra { client_id, scope, subject } => {
                let entra = |proof| token::entra(&url.path, client_id, scope, proof);
                match subject {
                    Subject::Secret(secret) => entra(token::Proof::Secret(secret.text())),
                    Subject::Certificate(key, thumbprint) => {
                        let said = jwt::entra(client_id, thumbprint, &url.url, &draw_id()?, now_s);
                        entra(token::Proof::Assertion(&signed(key, &said)?))
                    }
                    Subject::Federated(file) => entra(token::Proof::Assertion(&read(file)?)),
                }
            }
            Grant::AzureMetadata { resource, client_id } => {
                token::azure_metadata(resource, client_id.as_deref())
            }
            Grant::AzureAppService { resource, client_id, header } => {
                token::azure_app_service(&url.path, header.text(), resource, client_id.as_deref())
            }
            Grant::Google { email, key_id, scope, key } => {
                let said = jwt::google(email, key_id, scope, &url.url, now_s);
                token::google(&url.path, &signed(key, &said)?)
            }
            Grant::GoogleMetadata { account } => token::google_metadata(account),
        })
    }
}

fn draw_id() -> Result<String, AuthError> {
    let mut id = [0; ID_BYTES];
    aws_lc_rs::rand::fill(&mut id).map_err(|_| AuthError::Proof("there is no randomness".to_owned()))?;
    Ok(base64::for_urls(&id))
}

fn signed(key: &SigningKey, said: &str) -> Result<String, AuthError> {
    let signature = key.sign(said.as_bytes()).map_err(|bad| AuthError::Proof(bad.to_string()))?;
    Ok(jwt::assemble(said, &signature))
}
