//! By which key, or as which principal, are requests to Oracle signed?
//!
//! A principal needs no key that is written down: a machine proves who it is by its certificate, a function or a container
//! by files of the platform's. Keys are got at the first call and renewed before they end.

use std::path::PathBuf;
use std::sync::Arc;

use firstright_gateway::credential::{OciInstance, OciKey, OciPrincipal, Proof, Tokens};
use firstright_wire::auth::oci::key_id;
use serde::Deserialize;

use super::{metadata_url, secret_url, signing_key};
use crate::config::SecretRef;

/// The metadata service of a machine of Oracle's.
const MACHINE: &str = "http://169.254.169.254";

/// A user's API signing key, or a principal.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OciConfig {
    /// The tenancy's OCID.
    pub tenancy: Option<String>,
    /// The user's OCID.
    pub user: Option<String>,
    /// The key's fingerprint.
    pub fingerprint: Option<String>,
    /// The private key in PEM.
    pub private_key: Option<SecretRef>,
    /// The machine that this runs on.
    pub instance_principal: Option<InstancePrincipalConfig>,
    /// The function, container or other resource that this runs in.
    pub resource_principal: Option<ResourcePrincipalConfig>,
}

/// A machine.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct InstancePrincipalConfig {
    /// The machine's region, for example `eu-frankfurt-1`: its federation service gives the token.
    pub region: String,
    /// The federation service, in the place of the region's own: realms but the first have other domains.
    pub federation: Option<String>,
    /// The metadata service, in the place of the machine's own.
    pub endpoint: Option<String>,
}

/// A resource with a principal.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ResourcePrincipalConfig {
    /// The token's file; as in the environment if absent.
    pub token: Option<PathBuf>,
    /// The file of the key that goes with it; as in the environment if absent.
    pub private_key: Option<PathBuf>,
}

impl OciConfig {
    pub(super) fn proof(&self, variable: impl Fn(&str) -> Option<String>) -> Result<Proof, String> {
        let OciConfig { tenancy, user, fingerprint, private_key, instance_principal, resource_principal } =
            self;
        match ((tenancy, user, fingerprint, private_key), instance_principal, resource_principal) {
            ((Some(tenancy), Some(user), Some(fingerprint), Some(key)), None, None) => {
                let key_id = key_id(tenancy, user, fingerprint);
                if !key_id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"') {
                    return Err("`tenancy`, `user` and `fingerprint` are letters, digits, dots and colons"
                        .to_string());
                }
                Ok(Proof::Oci(Arc::new(OciKey::new(key_id, signing_key(key)?))))
            }
            ((None, None, None, None), Some(instance), None) => instance.proof(),
            ((None, None, None, None), None, Some(resource)) => resource.proof(variable),
            _ => Err("`oci` takes one of `tenancy`, `user`, `fingerprint` and `private-key` together, \
                      `instance-principal`, or `resource-principal`"
                .to_string()),
        }
    }
}

impl InstancePrincipalConfig {
    fn proof(&self) -> Result<Proof, String> {
        let region = &self.region;
        if region.is_empty() || !region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err("`region` is letters, digits and dashes".to_string());
        }
        let federation = match &self.federation {
            Some(url) => secret_url(url)?,
            None => secret_url(&format!("https://auth.{region}.oraclecloud.com"))?,
        };
        // The machine's own key comes from there, so that it needs the same care as a metadata service.
        let metadata = metadata_url(self.endpoint.as_deref().unwrap_or(MACHINE))?;
        let principal = OciPrincipal::Instance(OciInstance::new(metadata, federation));
        Ok(Proof::Tokens(Tokens::of_principal(principal)))
    }
}

impl ResourcePrincipalConfig {
    fn proof(&self, variable: impl Fn(&str) -> Option<String>) -> Result<Proof, String> {
        let file = |said: &Option<PathBuf>, key: &str, name: &str| {
            let found = said.clone().or_else(|| variable(name).map(PathBuf::from));
            let found = found.ok_or_else(|| {
                format!("`resource-principal` needs `{key}`, or the environment variable `{name}`")
            })?;
            // The platform may put the text itself there, which nobody could renew.
            if found.is_absolute() {
                Ok(found)
            } else {
                Err(format!("`{key}` (`{name}`) must be the path of a file, from the root on"))
            }
        };
        let token = file(&self.token, "token", "OCI_RESOURCE_PRINCIPAL_RPST")?;
        let key = file(&self.private_key, "private-key", "OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM")?;
        Ok(Proof::Tokens(Tokens::of_principal(OciPrincipal::Resource { token, key })))
    }
}

#[cfg(test)]
mod tests;
