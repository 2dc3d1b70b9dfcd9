//! Where is a deployment of the law, and in which language and with which proof is it spoken to?

use std::collections::BTreeMap;

use firstright_gateway::credential::{Credential, Proof};
use firstright_gateway::endpoint::{Dialect, Endpoint};
use firstright_gateway::upstream::{Target, Trust};
use firstright_wire::language::Language;
use firstright_wire::oci::ApiFormat;
use http::{HeaderName, HeaderValue};
use serde::Deserialize;

use super::auth::{AuthConfig, Proofs};
use super::{CREDENTIALS, SecretRef};

/// Where a deployment of the law is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DeploymentConfig {
    /// Its id in the law.
    pub id: String,
    /// Base URL, for example `https://api.openai.com/v1`.
    pub url: String,
    /// Its language.
    #[serde(default)]
    pub dialect: DialectName,
    /// The API version, for `azure-dated`.
    pub version: Option<String>,
    /// The OCID of the compartment that pays, for `oci`.
    pub compartment: Option<String>,
    /// The language within a call, for `oci`; told by the model's name unless that is an OCID.
    pub api_format: Option<ApiFormatName>,
    /// What the provider calls the model or deployment; the law's model if absent.
    pub name: Option<String>,
    /// Its key, in the header that its language has for it.
    pub key: Option<SecretRef>,
    /// Another credential than a key.
    pub auth: Option<AuthConfig>,
    /// Headers that every request to it carries, none of them secret.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The host's name may lead to a private address.
    #[serde(default)]
    pub allow_private: bool,
}

/// Languages by name.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum DialectName {
    /// OpenAI's.
    #[default]
    OpenAi,
    /// Azure's v1 path.
    AzureV1,
    /// Azure's dated deployment paths.
    AzureDated,
    /// Anthropic's messages.
    Anthropic,
    /// Amazon Bedrock's Converse.
    Bedrock,
    /// Google's `generateContent`.
    Gemini,
    /// Oracle's own chat.
    Oci,
}

/// Languages within Oracle's own.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum ApiFormatName {
    /// Llama, Grok, Gemini, OpenAI's models.
    Generic,
    /// Cohere's Command models.
    Cohere,
    /// The later of these.
    CohereV2,
}

impl DeploymentConfig {
    /// Oracle's language for a model, which its name tells, unless that is an OCID.
    fn oci(&self, name: &str) -> Result<Language, String> {
        let compartment = self.compartment.clone().ok_or("`oci` needs a `compartment`, by its OCID")?;
        let format = match self.api_format {
            Some(ApiFormatName::Generic) => ApiFormat::Generic,
            Some(ApiFormatName::Cohere) => ApiFormat::Cohere,
            Some(ApiFormatName::CohereV2) => ApiFormat::CohereV2,
            None if name.starts_with("ocid1.") => {
                return Err(
                    "`name` is an OCID, which does not tell the model: `oci` needs an `api-format` too"
                        .to_string(),
                );
            }
            None => ApiFormat::of(name),
        };
        Ok(Language::Oci { compartment, format })
    }

    pub(super) fn endpoint(&self, model: &str, proofs: &mut Proofs) -> Result<Endpoint, String> {
        let (target, prefix) = target(&self.url)?;
        let target = if self.allow_private { target.allow_private() } else { target };
        let dialect = match (self.dialect, &self.version) {
            (DialectName::OpenAi, None) => Dialect::OpenAi { prefix },
            (DialectName::AzureV1, None) => Dialect::AzureV1,
            (DialectName::AzureDated, Some(version)) => Dialect::AzureDated { version: version.clone() },
            (DialectName::AzureDated, None) => return Err("`azure-dated` needs a `version`".to_string()),
            (DialectName::Anthropic, None) => Dialect::Translated { prefix, language: Language::Anthropic },
            (DialectName::Bedrock, None) => Dialect::Translated { prefix, language: Language::Bedrock },
            (DialectName::Gemini, None) => Dialect::Translated { prefix, language: Language::Gemini },
            (DialectName::Oci, None) => {
                let name = self.name.as_deref().unwrap_or(model);
                Dialect::Translated { prefix, language: self.oci(name)? }
            }
            (_, Some(_)) => return Err("`version` goes with `azure-dated` only".to_string()),
        };
        if (self.compartment.is_some() || self.api_format.is_some()) && self.dialect != DialectName::Oci {
            return Err("`compartment` and `api-format` go with `oci` only".to_string());
        }
        let proof = match (&self.key, &self.auth) {
            (Some(_), Some(_)) => {
                return Err("it has both `key` and `auth`: one credential is enough".to_string());
            }
            (Some(key), None) => Some(Proof::key(dialect.key_header(), &key.read()?)),
            (None, Some(auth)) => Some(proofs.of(auth, target.host())?),
            (None, None) => None,
        };
        let credential = proof.map(|proof| Credential::new(proof, &target));
        let name = self.name.clone().unwrap_or(model.to_string());
        let headers = fixed_headers(&self.headers)?;
        let endpoint = Endpoint { target, dialect, name, credential, headers };
        let chat = firstright_wire::operation::Operation::ChatCompletions;
        endpoint.path(chat, chat.suffix(), None).map_err(|error| format!("failed to {error}"))?;
        Ok(endpoint)
    }
}

/// Headers for every request. A credential among them would stand in the file for all to read.
fn fixed_headers(said: &BTreeMap<String, String>) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    let one = |(name, value): (&String, &String)| {
        let parsed: HeaderName = name.parse().map_err(|_| format!("`{name}` is not a header's name"))?;
        if CREDENTIALS.contains(&parsed.as_str()) || ["connection", "content-type"].contains(&parsed.as_str())
        {
            return Err(format!("`{name}` is not for `headers`: a credential goes into `key` or `auth`"));
        }
        let value = value.parse().map_err(|_| format!("the value of `{name}` cannot stand in a header"))?;
        Ok((parsed, value))
    };
    said.iter().map(one).collect()
}

/// Where a URL leads, and its path without a slash at its end.
pub(super) fn target(text: &str) -> Result<(Target, String), String> {
    let url: http::Uri = text.parse().map_err(|_| format!("`{text}` is not a URL"))?;
    let host = url.host().ok_or_else(|| format!("`{text}` names no host"))?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let target = match url.scheme_str() {
        Some("https") => Target::tls(bare, url.port_u16().unwrap_or(443), Trust::Platform),
        Some("http") => Target::plain(bare, url.port_u16().unwrap_or(80)),
        _ => return Err(format!("`{text}` begins with neither `https://` nor `http://`")),
    };
    let target = target.map_err(|error| format!("failed to {error}"))?;
    Ok((target, url.path().trim_end_matches('/').to_string()))
}
