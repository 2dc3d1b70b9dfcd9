//! Where is a deployment, which language does it speak, and with which credential?

use bytes::Bytes;
use firstright_wire::azure::{self, Version};
use firstright_wire::language::Language;
use firstright_wire::operation::{Operation, Verb};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::credential::{AuthError, Credential, Used};
use crate::upstream::{BadHead, Budgets, Client, RequestHead, Response, Target};

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
    /// Another one, which is translated. It knows chats, and some know embeddings.
    Translated {
        /// What stands before the language's own path, without a slash at its end.
        prefix: String,
        /// Which.
        language: Language,
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
    pub credential: Option<Credential>,
    /// What every request to it carries beside: a compartment, a project. Nothing secret.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Endpoint {
    /// The path and query of an operation, `suffix` being what stands behind the base.
    ///
    /// # Errors
    /// If the provider's name for the deployment cannot stand in a path; configuration is checked with this before it
    /// is used.
    pub fn path(
        &self,
        operation: Operation,
        suffix: &str,
        query: Option<&str>,
    ) -> Result<String, azure::BadName> {
        let mut path = match &self.dialect {
            Dialect::OpenAi { prefix } => format!("{prefix}/{suffix}"),
            Dialect::Translated { prefix, language } => {
                format!("{prefix}{}", language.path(&self.name, false)?)
            }
            Dialect::AzureV1 => azure::path(operation, suffix, Version::V1, &self.name)?,
            Dialect::AzureDated { version } => {
                azure::path(operation, suffix, Version::Dated(version), &self.name)?
            }
        };
        if let Some(query) = query {
            path.push(if path.contains('?') { '&' } else { '?' });
            path.push_str(query);
        }
        Ok(path)
    }

    /// The head of a request, without its credential: that comes last.
    ///
    /// # Errors
    /// If the path cannot stand in a head.
    pub(crate) fn head(&self, verb: Verb, path: &str) -> Result<RequestHead, BadHead> {
        let mut head = RequestHead::new(verb.method(), &self.target, path)?;
        for (name, value) in &self.headers {
            head.header(name.as_str(), value.as_bytes())?;
        }
        Ok(head)
    }

    /// Whether its requests carry this header whatever the caller says.
    pub(crate) fn sets(&self, name: &HeaderName) -> bool {
        self.headers.iter().any(|(set, _)| set == name)
    }

    /// Writes the credential into a head that has all its other headers.
    ///
    /// # Errors
    /// If there is no token to be had, or the credential is not for this target.
    pub(crate) async fn authorise(
        &self,
        client: &Client,
        head: &mut RequestHead,
        body: &[Bytes],
    ) -> Result<Used, AuthError> {
        match &self.credential {
            Some(credential) => credential.authorise(client, &self.target, head, body).await,
            None => Ok(Used::default()),
        }
    }

    /// The provider refused what was sent: is the attempt worth one more try, with a new token or another time?
    pub(crate) fn renew(&self, used: Used, status: StatusCode, headers: &HeaderMap) -> bool {
        self.credential.as_ref().is_some_and(|credential| credential.renew(used, status, headers))
    }

    /// Asks for something that is kept there, once more with a new token if that was refused. None if there is no answer.
    pub(crate) async fn get(&self, client: &Client, suffix: &str, budgets: &Budgets) -> Option<Response> {
        let path = self.path(Operation::Store, suffix, None).ok()?;
        let mut renewed = false;
        loop {
            let mut head = self.head(Verb::Get, &path).ok()?;
            let used = self.authorise(client, &mut head, &[]).await.ok()?;
            let response = client.send(&self.target, head, Vec::new(), budgets).await.ok()?;
            if renewed || !self.renew(used, response.status, &response.headers) {
                return Some(response);
            }
            renewed = true;
        }
    }
}

impl Dialect {
    /// The provider, as OpenTelemetry's conventions for generative AI name it.
    pub fn provider_name(&self) -> &'static str {
        match self {
            Dialect::OpenAi { .. } => "openai",
            Dialect::AzureV1 | Dialect::AzureDated { .. } => "azure.ai.openai",
            Dialect::Translated { language, .. } => match language {
                Language::Anthropic => "anthropic",
                Language::Bedrock => "aws.bedrock",
                Language::Gemini => "gcp.gen_ai",
                // The conventions have no name of it.
                Language::Oci { .. } => "oci.generative_ai",
            },
        }
    }

    /// The header that a key stands in, if configuration names no other.
    pub fn key_header(&self) -> HeaderName {
        match self {
            Dialect::OpenAi { .. } => header::AUTHORIZATION,
            Dialect::Translated { language: Language::Anthropic, .. } => HeaderName::from_static("x-api-key"),
            Dialect::Translated { language: Language::Gemini, .. } => {
                HeaderName::from_static("x-goog-api-key")
            }
            Dialect::Translated { .. } => header::AUTHORIZATION,
            Dialect::AzureV1 | Dialect::AzureDated { .. } => HeaderName::from_static("api-key"),
        }
    }
}
