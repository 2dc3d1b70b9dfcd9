//! Which credentials does a cloud take beside a plain key, and where do they come from?
//!
//! `auth = { entra = { … } }` and its like. What is wrong is told when the file is read, not at the first call; a token is
//! fetched at the first call, not when the file is read.

use std::net::IpAddr;
use std::path::PathBuf;

use firstright_gateway::credential::{Grant, Proof, SigningKey, Subject, TokenUrl, Tokens, thumbprint};
use firstright_gateway::endpoint::Endpoint;
use firstright_wire::azure::ENTRA_SCOPE;
use serde::Deserialize;

use super::SecretRef;
use super::deployment::target;

mod aws;
mod oci;

pub use aws::AwsConfig;
pub use oci::OciConfig;

/// Entra in the public cloud; China and the United States' government have their own.
const ENTRA: &str = "https://login.microsoftonline.com";
/// The metadata service of an Azure machine.
const AZURE_METADATA: &str = "http://169.254.169.254";
/// What a managed identity's token is for.
const AZURE_RESOURCE: &str = "https://cognitiveservices.azure.com";
/// Google's token endpoint.
const GOOGLE: &str = "https://oauth2.googleapis.com/token";
/// The metadata server of a Google machine.
const GOOGLE_METADATA: &str = "http://metadata.google.internal";
/// What a Google token is for.
const GOOGLE_SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// One of these, and one only.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct AuthConfig {
    /// Azure: an application registered with Entra.
    pub entra: Option<EntraConfig>,
    /// Azure: the identity of the machine, the App Service or the Container App that this runs in.
    pub managed_identity: Option<ManagedIdentityConfig>,
    /// Oracle: requests signed with a user's API signing key, or by a principal.
    pub oci: Option<OciConfig>,
    /// AWS: requests signed with an access key, or with the keys of a role.
    pub aws: Option<AwsConfig>,
    /// Google: a service account.
    pub gcp: Option<GcpConfig>,
    /// A key in this header; one in `authorization` goes after `Bearer`.
    pub header: Option<String>,
    /// The key that goes with `header`.
    pub key: Option<SecretRef>,
}

/// An application registered with Entra, and how it proves that it is the one: by its secret, by its certificate with the
/// private key, or by a token in a file.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct EntraConfig {
    /// The directory's id or domain.
    pub tenant: String,
    /// The application's id.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Option<SecretRef>,
    /// Its certificate in PEM.
    pub certificate: Option<SecretRef>,
    /// The certificate's private key in PEM.
    pub private_key: Option<SecretRef>,
    /// A file with the token of whom it federates with.
    pub federated_token: Option<PathBuf>,
    /// Where tokens come from.
    pub authority: Option<String>,
    /// What they are for.
    pub scope: Option<String>,
}

/// The identity that the platform gives to what runs in it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ManagedIdentityConfig {
    /// Which one, if there are several.
    pub client_id: Option<String>,
    /// What the token is for.
    pub resource: Option<String>,
    /// The metadata service, in the place of the machine's own.
    pub endpoint: Option<String>,
}

/// A service account: by its key, or the one of the machine that this runs in.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct GcpConfig {
    /// The account's key, as Google hands it out in JSON.
    pub service_account: Option<SecretRef>,
    /// Which of the machine's accounts; `default` is its first.
    pub machine_account: Option<String>,
    /// What the token is for.
    pub scope: Option<String>,
    /// Where tokens come from: Google's endpoint, or the machine's metadata server.
    pub endpoint: Option<String>,
}

/// Proofs that were made. Deployments with the same credential share it, and so its token.
#[derive(Default)]
pub(super) struct Proofs {
    made: Vec<(AuthConfig, String, Proof)>,
    /// Those of the configuration before.
    before: Vec<Proof>,
}

impl Proofs {
    /// What proves the same as before goes on with what it has: a reload fetches no token that is there, nor asks sooner
    /// where the last fetch failed.
    pub(super) fn after(before: &[Option<Endpoint>]) -> Proofs {
        let credentials = before.iter().flatten().filter_map(|endpoint| endpoint.credential.as_ref());
        let before = credentials.map(|credential| credential.proof().clone()).collect();
        Proofs { made: Vec::new(), before }
    }

    /// The proof of a deployment at this host.
    pub(super) fn of(&mut self, auth: &AuthConfig, host: &str) -> Result<Proof, String> {
        // Only what AWS's signature is for depends on the host.
        let service = if host.ends_with(".api.aws") { "bedrock-mantle" } else { "bedrock" };
        let found = self.made.iter().find(|(made, of, _)| made == auth && of == service);
        if let Some((_, _, proof)) = found {
            return Ok(proof.clone());
        }
        let proof = auth.proof(service)?;
        let proof = self.before.iter().find(|before| before.is_same(&proof)).cloned().unwrap_or(proof);
        self.made.push((auth.clone(), service.to_string(), proof.clone()));
        Ok(proof)
    }
}

impl AuthConfig {
    fn proof(&self, service: &str) -> Result<Proof, String> {
        let AuthConfig { entra, managed_identity, oci, aws, gcp, header, key } = self;
        let said = [
            entra.is_some(),
            managed_identity.is_some(),
            oci.is_some(),
            aws.is_some(),
            gcp.is_some(),
            header.is_some() || key.is_some(),
        ];
        if said.iter().filter(|one| **one).count() != 1 {
            return Err("`auth` takes one of `entra`, `managed-identity`, `oci`, `aws`, `gcp`, or `header` with `key`"
                .to_string());
        }
        if let Some(entra) = entra {
            return entra.proof();
        }
        if let Some(identity) = managed_identity {
            return identity.proof(variable);
        }
        if let Some(oci) = oci {
            return oci.proof(variable);
        }
        if let Some(aws) = aws {
            return aws.proof(service, variable);
        }
        if let Some(gcp) = gcp {
            return gcp.proof();
        }
        let (Some(header), Some(key)) = (header, key) else {
            return Err("`header` and `key` go together".to_string());
        };
        let name: http::HeaderName =
            header.parse().map_err(|_| format!("`{header}` is not a header's name"))?;
        if ["host", "content-length", "transfer-encoding", "connection"].contains(&name.as_str()) {
            return Err(format!("`{header}` is not for a key"));
        }
        Ok(Proof::key(name, &key.read()?))
    }
}

impl EntraConfig {
    fn proof(&self) -> Result<Proof, String> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
        if self.tenant.is_empty() || !self.tenant.bytes().all(plain) {
            return Err(format!("`{}` is not a directory's id or domain", self.tenant));
        }
        let by_certificate = (&self.certificate, &self.private_key);
        let subject = match (&self.client_secret, by_certificate, &self.federated_token) {
            (Some(secret), (None, None), None) => Subject::Secret(secret.read()?),
            (None, (Some(certificate), Some(key)), None) => {
                let thumbprint = thumbprint(&certificate.whole()?).map_err(|bad| bad.to_string())?;
                Subject::Certificate(signing_key(key)?, thumbprint)
            }
            (None, (None, None), Some(file)) => Subject::Federated(file.clone()),
            _ => {
                return Err("`entra` takes one of `client-secret`, `certificate` with `private-key`, or \
                            `federated-token`"
                    .to_string());
            }
        };
        let authority = self.authority.as_deref().unwrap_or(ENTRA).trim_end_matches('/');
        let url = secret_url(&format!("{authority}/{}/oauth2/v2.0/token", self.tenant))?;
        let scope = self.scope.clone().unwrap_or(ENTRA_SCOPE.to_string());
        let grant = Grant::Entra { client_id: self.client_id.clone(), scope, subject };
        Ok(Proof::Tokens(Tokens::new(grant, url)))
    }
}

impl ManagedIdentityConfig {
    /// App Service and Container Apps say in the environment where their identities are.
    fn proof(&self, variable: impl Fn(&str) -> Option<String>) -> Result<Proof, String> {
        let resource = self.resource.clone().unwrap_or(AZURE_RESOURCE.to_string());
        let client_id = self.client_id.clone();
        let platform = (variable("IDENTITY_ENDPOINT"), variable("IDENTITY_HEADER"));
        let (grant, url) = match (&self.endpoint, platform) {
            (None, (Some(endpoint), Some(header))) => {
                let header = firstright_gateway::credential::Secret::new(&header);
                (Grant::AzureAppService { resource, client_id, header }, metadata_url(&endpoint)?)
            }
            (endpoint, _) => {
                let endpoint = endpoint.as_deref().unwrap_or(AZURE_METADATA);
                (Grant::AzureMetadata { resource, client_id }, metadata_url(endpoint)?)
            }
        };
        Ok(Proof::Tokens(Tokens::new(grant, url)))
    }
}

/// What is used of a service account's key.
#[derive(Deserialize)]
struct ServiceAccount {
    client_email: String,
    private_key: String,
    private_key_id: String,
    token_uri: Option<String>,
}

impl GcpConfig {
    fn proof(&self) -> Result<Proof, String> {
        let (grant, url) = match (&self.service_account, &self.machine_account) {
            (Some(account), None) => {
                let endpoint = self.endpoint.as_deref().unwrap_or(GOOGLE);
                let account: ServiceAccount = serde_json::from_str(&account.whole()?)
                    .map_err(|_| "`service-account` is not a service account's key in JSON".to_string())?;
                // A key's file does not decide where its assertions are sent: configuration does.
                if let Some(uri) = account.token_uri.filter(|uri| uri != endpoint && self.endpoint.is_none())
                {
                    return Err(format!(
                        "`service-account` says its tokens come from `{uri}`: write `endpoint = …` if that is right"
                    ));
                }
                let key = SigningKey::from_pem(&account.private_key).map_err(|bad| bad.to_string())?;
                let scope = self.scope.clone().unwrap_or(GOOGLE_SCOPE.to_string());
                let (email, key_id) = (account.client_email, account.private_key_id);
                (Grant::Google { email, key_id, scope, key }, secret_url(endpoint)?)
            }
            (None, Some(account)) => {
                if self.scope.is_some() {
                    return Err(
                        "a machine's account has the scopes that the machine was given: leave `scope` out"
                            .to_string(),
                    );
                }
                let endpoint = self.endpoint.as_deref().unwrap_or(GOOGLE_METADATA);
                (Grant::GoogleMetadata { account: account.clone() }, metadata_url(endpoint)?)
            }
            _ => return Err("`gcp` takes one of `service-account` or `machine-account`".to_string()),
        };
        Ok(Proof::Tokens(Tokens::new(grant, url)))
    }
}

/// What the platform put into the environment.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn signing_key(reference: &SecretRef) -> Result<SigningKey, String> {
    SigningKey::from_pem(&reference.whole()?).map_err(|bad| bad.to_string())
}

/// Where tokens come from.
fn token_url(text: &str) -> Result<TokenUrl, String> {
    let (target, path) = target(text)?;
    Ok(TokenUrl { target, path, url: text.to_string() })
}

/// The same for a service of the machine's own network.
fn metadata_url(text: &str) -> Result<TokenUrl, String> {
    let url = token_url(text)?;
    Ok(TokenUrl { target: url.target.allow_metadata(), ..url })
}

/// The same where a secret or an assertion is sent: only with TLS, or within this machine.
fn secret_url(text: &str) -> Result<TokenUrl, String> {
    let url = token_url(text)?;
    let host = url.target.host();
    let is_here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    if !url.target.is_tls() && !is_here {
        return Err(format!("`{text}` would carry a secret in the clear: write `https://`"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests;
