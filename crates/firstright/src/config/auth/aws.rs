//! By which key, or by which role, are requests to AWS signed?
//!
//! A role's keys are fetched at the first call and renewed before they end: from the metadata service of the machine, from
//! the endpoint that the platform names to a container, or from STS for a web identity's token. What the platform says in
//! the environment need not be written.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use firstright_gateway::credential::{
    Authorization, AwsKey, AwsRole, AwsSource, Proof, Secret, TokenUrl, Tokens,
};
use serde::Deserialize;

use super::{metadata_url, secret_url};
use crate::config::SecretRef;

/// The metadata service of an EC2 machine.
const MACHINE: &str = "http://169.254.169.254";
/// What stands before the path that ECS gives its containers.
const CONTAINER: &str = "http://169.254.170.2";
/// Where the endpoint of a container may be without TLS, beside this machine: ECS's and EKS's.
const CONTAINERS: [&str; 3] = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"];

/// An access key, or a role.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AwsConfig {
    /// For example `us-east-1`.
    pub region: String,
    /// `bedrock`, or `bedrock-mantle` for the hosts of `api.aws`; told by the host if absent.
    pub service: Option<String>,
    /// The key's id.
    pub access_key_id: Option<SecretRef>,
    /// The key.
    pub secret_access_key: Option<SecretRef>,
    /// What goes with a temporary key.
    pub session_token: Option<SecretRef>,
    /// The role of the EC2 machine that this runs on.
    pub instance_role: Option<InstanceRoleConfig>,
    /// The role of the container that this runs in, at ECS or by EKS Pod Identity.
    pub container_role: Option<ContainerRoleConfig>,
    /// A role for the token of whom AWS federates with, as EKS gives it to service accounts.
    pub web_identity: Option<WebIdentityConfig>,
}

/// The role of a machine.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct InstanceRoleConfig {
    /// The role's name; the one that the machine has if absent.
    pub role: Option<String>,
    /// The metadata service, in the place of the machine's own.
    pub endpoint: Option<String>,
}

/// The role of a container.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ContainerRoleConfig {
    /// Where keys come from; as the platform says it in the environment if absent.
    pub endpoint: Option<String>,
    /// The file by whose text the platform knows the container; as in the environment if absent.
    pub authorization_token: Option<PathBuf>,
}

/// A role for a token.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct WebIdentityConfig {
    /// The role's ARN; as in the environment if absent.
    pub role: Option<String>,
    /// The token's file; as in the environment if absent.
    pub token: Option<PathBuf>,
    /// What the session is called in AWS's logs.
    pub session: Option<String>,
    /// STS, in the place of the region's own.
    pub endpoint: Option<String>,
}

impl AwsConfig {
    pub(super) fn proof(
        &self,
        service: &str,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Proof, String> {
        let service = self.service.as_deref().unwrap_or(service);
        if !is_plain(&self.region) || !is_plain(service) {
            return Err("`region` and `service` are letters, digits and dashes".to_string());
        }
        let key = (&self.access_key_id, &self.secret_access_key);
        let role = match (key, &self.instance_role, &self.container_role, &self.web_identity) {
            ((Some(id), Some(secret)), None, None, None) => return self.by_key(id, secret, service),
            _ if self.session_token.is_some() => {
                return Err("`session-token` goes with `access-key-id` and `secret-access-key`".to_string());
            }
            ((None, None), Some(role), None, None) => role.source(),
            ((None, None), None, Some(role), None) => role.source(variable),
            ((None, None), None, None, Some(role)) => role.source(&self.region, variable),
            _ => {
                return Err("`aws` takes one of `access-key-id` with `secret-access-key`, `instance-role`, \
                            `container-role`, or `web-identity`"
                    .to_string());
            }
        };
        let (source, url) = role?;
        let role = AwsRole { source, region: self.region.clone(), service: service.to_string() };
        Ok(Proof::Tokens(Tokens::of_role(role, url)))
    }

    fn by_key(&self, id: &SecretRef, secret: &SecretRef, service: &str) -> Result<Proof, String> {
        let id = id.text()?;
        if !is_plain(&id) {
            return Err("`access-key-id` is not letters and digits".to_string());
        }
        let token = self.session_token.as_ref().map(SecretRef::read).transpose()?;
        let key = AwsKey::new(&id, secret.read()?, token, &self.region, service);
        Ok(Proof::Aws(Arc::new(key)))
    }
}

impl InstanceRoleConfig {
    fn source(&self) -> Result<(AwsSource, TokenUrl), String> {
        let role = self.role.clone();
        if role.as_ref().is_some_and(|role| !is_name(role)) {
            return Err("`role` is a role's name: letters, digits and `+=,.@_-`".to_string());
        }
        let url = metadata_url(self.endpoint.as_deref().unwrap_or(MACHINE))?;
        Ok((AwsSource::Machine { role }, url))
    }
}

impl ContainerRoleConfig {
    /// ECS says a path in the environment, EKS a URL and the file of a token.
    fn source(&self, variable: impl Fn(&str) -> Option<String>) -> Result<(AwsSource, TokenUrl), String> {
        let relative =
            || variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI").map(|path| format!("{CONTAINER}{path}"));
        let endpoint = self.endpoint.clone().or_else(relative);
        let endpoint = endpoint.or_else(|| variable("AWS_CONTAINER_CREDENTIALS_FULL_URI"));
        let endpoint = endpoint.ok_or(
            "`container-role` finds neither `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` nor \
             `AWS_CONTAINER_CREDENTIALS_FULL_URI` in the environment: this is no container of ECS or EKS, or write \
             `endpoint`",
        )?;
        let url = metadata_url(&endpoint)?;
        let host = url.target.host();
        let is_here =
            host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        if !url.target.is_tls() && !is_here && !CONTAINERS.contains(&host) {
            return Err(format!(
                "`{endpoint}` is neither this machine's nor a container platform's: write `https://`"
            ));
        }
        let file = self.authorization_token.clone();
        let file = file.or_else(|| variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE").map(PathBuf::from));
        let authorization = match (file, variable("AWS_CONTAINER_AUTHORIZATION_TOKEN")) {
            (Some(file), _) => Authorization::File(file),
            (None, Some(text)) => Authorization::Text(Secret::new(&text)),
            (None, None) => Authorization::None,
        };
        Ok((AwsSource::Container { authorization }, url))
    }
}

impl WebIdentityConfig {
    fn source(
        &self,
        region: &str,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<(AwsSource, TokenUrl), String> {
        let missing = |key: &str, name: &str| {
            format!("`web-identity` needs `{key}`, or the environment variable `{name}`")
        };
        let role = self.role.clone().or_else(|| variable("AWS_ROLE_ARN"));
        let role = role.ok_or_else(|| missing("role", "AWS_ROLE_ARN"))?;
        if !role.starts_with("arn:") {
            return Err("`role` is a role's ARN: `arn:aws:iam::…:role/…`".to_string());
        }
        let token = self.token.clone().or_else(|| variable("AWS_WEB_IDENTITY_TOKEN_FILE").map(PathBuf::from));
        let token = token.ok_or_else(|| missing("token", "AWS_WEB_IDENTITY_TOKEN_FILE"))?;
        let session = self.session.clone().or_else(|| variable("AWS_ROLE_SESSION_NAME"));
        let session = session.unwrap_or("firstright".to_string());
        if !(2..=64).contains(&session.len()) || !is_name(&session) {
            return Err("`session` is 2 to 64 letters, digits and `+=,.@_-`".to_string());
        }
        // China's regions are a realm of their own.
        let realm = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let url = match &self.endpoint {
            Some(endpoint) => secret_url(endpoint)?,
            None => secret_url(&format!("https://sts.{region}.{realm}"))?,
        };
        Ok((AwsSource::WebIdentity { role, session, token }, url))
    }
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// What AWS allows in the names of roles and sessions.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte))
}

#[cfg(test)]
mod tests;
