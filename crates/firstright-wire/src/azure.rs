//! How does Azure's service of the OpenAI dialect differ: its paths, its keys, its limits and its refusals?

pub mod limits;
pub mod refusal;

use crate::operation::Operation;

/// The API version that a path is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version<'a> {
    /// `/openai/v1/…`: no version in the query; the body's model is the deployment's name.
    V1,
    /// `/openai/deployments/{deployment}/…?api-version=…`, such as `2024-10-21` or `2025-04-01-preview`.
    Dated(&'a str),
}

/// How a call to Azure is authorised. The secret itself stays with the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// A resource's key, as it is.
    ApiKey,
    /// An Entra token after `Bearer `, for [`ENTRA_SCOPE`].
    Entra,
}

/// The scope that an Entra token has to be asked for.
pub const ENTRA_SCOPE: &str = "https://cognitiveservices.azure.com/.default";

/// Azure's bound for a deployment's name, in bytes.
pub const MAX_DEPLOYMENT_BYTES: usize = 64;

/// A name that can't stand in a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadName {
    Deployment(String),
    Version(String),
    /// Another provider's name for a model.
    Model(String),
}

impl std::fmt::Display for BadName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Deployment(name) => write!(
                f,
                "name the deployment `{}`: it must be 1 to 64 letters, digits, `-`, `_` or `.`",
                name.escape_debug()
            ),
            Self::Version(name) => write!(
                f,
                "use the API version `{}`: it must be a date such as `2024-10-21`, with or without `-preview`",
                name.escape_debug()
            ),
            Self::Model(name) => {
                write!(f, "name the model `{}`: it must be {MODEL_NAME}", name.escape_debug())
            }
        }
    }
}

/// What a model's name must be to stand in a path, whatever the provider.
pub(crate) const MODEL_NAME: &str = "1 to 2,048 visible ASCII characters";

impl std::error::Error for BadName {}

impl Auth {
    /// The header that carries the secret.
    #[must_use]
    pub fn header(self) -> &'static str {
        match self {
            Self::ApiKey => "api-key",
            Self::Entra => "authorization",
        }
    }
}

/// The path and query of a call. In a dated path only some operations have a deployment; elsewhere the body names it.
///
/// # Errors
/// [`BadName`] for a deployment or version that could be read as another path.
pub fn path(
    operation: Operation,
    suffix: &str,
    version: Version<'_>,
    deployment: &str,
) -> Result<String, BadName> {
    let named_by_body = !operation.takes_deployment();
    if !named_by_body && !is_deployment(deployment) {
        return Err(BadName::Deployment(deployment.to_owned()));
    }
    match version {
        Version::V1 => Ok(format!("/openai/v1/{suffix}")),
        Version::Dated(date) if !is_version(date) => Err(BadName::Version(date.to_owned())),
        Version::Dated(date) if named_by_body => Ok(format!("/openai/{suffix}?api-version={date}")),
        Version::Dated(date) => Ok(format!("/openai/deployments/{deployment}/{suffix}?api-version={date}")),
    }
}

fn is_deployment(name: &str) -> bool {
    (1..=MAX_DEPLOYMENT_BYTES).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
        && name.bytes().any(|byte| byte != b'.')
}

fn is_version(version: &str) -> bool {
    let date = version.strip_suffix("-preview").unwrap_or(version).as_bytes();
    date.len() == 10
        && date.iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

#[cfg(test)]
mod tests;
