//! How is it mended that there are no keys of a role at AWS?

use firstright_gateway::credential::AuthError;
use firstright_gateway::upstream::SendErrorKind;

use crate::config::AwsConfig;

/// None if it is no role that the keys are of, or the way is that of every credential.
pub(super) fn role(aws: &AwsConfig, error: &AuthError) -> Option<String> {
    let (status, code) = match error {
        AuthError::Refused { refused, .. } => (Some(refused.status), refused.error.as_deref()),
        AuthError::Unreachable { .. } | AuthError::Cut { .. } => (None, None),
        AuthError::Proof(_) if aws.web_identity.is_some() || aws.container_role.is_some() => {
            return Some(
                "check the file of the platform's token: is it mounted, and may this user read it?"
                    .to_string(),
            );
        }
        _ => return None,
    };
    // The metadata service drops what comes over more hops than it allows, so that no answer comes at all.
    let silent = matches!(
        error,
        AuthError::Unreachable { at: SendErrorKind::HeadTimeout | SendErrorKind::ConnectTimeout, .. }
    );
    let way = if aws.instance_role.is_some() {
        match status {
            None if silent => {
                "the metadata service does not answer: this is no EC2 machine, or a container on one, for which the \
                 machine's hop limit must be 2 (`aws ec2 modify-instance-metadata-options --http-put-response-hop-limit 2`)"
            }
            None => "the metadata service is not there: this is no EC2 machine, or access to it is shut off",
            Some(404) => {
                "the machine has no such role: attach an instance profile with it, or leave `role` out"
            }
            Some(401 | 403) => {
                "the machine's metadata options shut the service off: let `http-endpoint` be `enabled`"
            }
            Some(_) => {
                "the role's keys cannot be made: look at the instance profile's role, and whom it trusts"
            }
        }
    } else if aws.container_role.is_some() {
        match status {
            None => {
                "the endpoint is not there: is the task's role set (ECS), or the Pod Identity agent on this node (EKS)?"
            }
            Some(_) => {
                "the platform gives no keys: look at the task's role (ECS), or at the pod identity association of this \
                 service account (EKS)"
            }
        }
    } else if aws.web_identity.is_some() {
        match code {
            None if status.is_none() => {
                "check that STS can be reached from here: DNS, firewall, a VPC endpoint, or `endpoint`"
            }
            Some("InvalidIdentityToken" | "IDPCommunicationError") => {
                "the token's issuer is no identity provider of the account: add it in IAM, with the audience of the token"
            }
            Some("ExpiredTokenException" | "ExpiredToken") => {
                "the token has ended: is its file written anew, and is this machine's clock right?"
            }
            Some("AccessDenied") => {
                "the role does not trust this identity: its trust policy must allow `sts:AssumeRoleWithWebIdentity` to it"
            }
            _ => "check `role`, `token` and `region`",
        }
    } else {
        return None;
    };
    Some(way.to_string())
}
