//! Where is a deployment, which language does it speak, and with which secret?

use bytes::Bytes;
use firstright_wire::azure::{self, Version};
use firstright_wire::operation::Operation;

use crate::upstream::{BadHead, RequestHead, Target};

/// A secret that is written to an upstream's head and nowhere else: it has no `Display`, and its `Debug` hides it.
#[derive(Clone)]
pub struct Secret(Bytes);

impl Secret {
    /// Keeps the secret's bytes; white space around it (a trailing newline of a file) is not part of it.
    pub fn new(secret: &str) -> Secret {
        Secret(Bytes::copy_from_slice(secret.trim().as_bytes()))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Which paths and which credential header a provider takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// OpenAI's, under this prefix, for example `/v1`.
    OpenAi {
        /// What stands before the operation's path, without a slash at its end.
        prefix: String,
    },
    /// Azure's `/openai/v1/…`.
    AzureV1,
    /// Azure's `/openai/deployments/{name}/…?api-version=…`.
    AzureDated {
        /// The API version, for example `2024-10-21`.
        version: String,
    },
}

/// A deployment as the gateway reaches it. Fixed by configuration: nothing of a request can change it.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The authority that is dialled, and the only one that ever gets the secret.
    pub target: Target,
    /// Its language.
    pub dialect: Dialect,
    /// What the provider calls the model or deployment.
    pub name: String,
    /// Its credential.
    pub secret: Option<Secret>,
}

impl Endpoint {
    /// The path and query of an operation.
    ///
    /// # Errors
    /// If the provider's name for the deployment cannot stand in a path; configuration is checked with this before it
    /// is used.
    pub fn path(&self, operation: Operation) -> Result<String, azure::BadName> {
        match &self.dialect {
            Dialect::OpenAi { prefix } => Ok(format!("{prefix}/{}", operation.suffix())),
            Dialect::AzureV1 => azure::path(operation, Version::V1, &self.name),
            Dialect::AzureDated { version } => azure::path(operation, Version::Dated(version), &self.name),
        }
    }

    /// The head of a request, with the credential.
    ///
    /// # Errors
    /// If the path or the secret cannot stand in a head.
    pub(crate) fn head(&self, path: &str) -> Result<RequestHead, BadHead> {
        let mut head = RequestHead::new("POST", &self.target, path)?;
        if let Some(Secret(secret)) = &self.secret {
            match self.dialect {
                Dialect::OpenAi { .. } => {
                    let mut bearer = Vec::with_capacity(7 + secret.len());
                    bearer.extend_from_slice(b"Bearer ");
                    bearer.extend_from_slice(secret);
                    head.header("authorization", &bearer)?;
                }
                Dialect::AzureV1 | Dialect::AzureDated { .. } => {
                    head.header("api-key", secret)?;
                }
            }
        }
        Ok(head)
    }
}
