//! How is it mended that there is no key of a principal at Oracle?

use firstright_gateway::credential::AuthError;

use crate::config::OciConfig;

/// None if it is no principal that the key is of, or the way is that of every credential.
pub(super) fn principal(oci: &OciConfig, error: &AuthError) -> Option<String> {
    let way = match (&oci.instance_principal, &oci.resource_principal, error) {
        (_, Some(_), AuthError::Proof(_)) => {
            "this is no resource that has a principal, or its files are not written anew: look at \
             `OCI_RESOURCE_PRINCIPAL_RPST` and `OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM`"
        }
        (Some(_), _, AuthError::Refused { refused, .. }) if refused.status == 401 => {
            "the federation service of the region does not know this machine: check `region`, and this machine's clock"
        }
        (Some(_), _, AuthError::Refused { refused, .. }) if refused.status == 404 => {
            "the metadata service has no identity: this machine has none, or its second version is shut off"
        }
        (Some(_), _, AuthError::Unreachable { .. } | AuthError::Cut { .. }) => {
            "the metadata service or the federation service is not there: this is no machine of Oracle's, or there is no way \
             to `auth.REGION.oraclecloud.com`"
        }
        _ => return None,
    };
    Some(way.to_string())
}

/// The provider refuses a principal; none if it is no principal that asks.
pub(super) fn refused(oci: &OciConfig) -> Option<String> {
    (oci.instance_principal.is_some() || oci.resource_principal.is_some()).then(|| {
        "let a dynamic group that this machine or resource is in `use generative-ai-family` in the compartment, by a policy"
            .to_string()
    })
}
