//! How is what is wrong to be mended? One sentence for whoever holds the file or the portal.

use firstright_gateway::credential::AuthError;
use firstright_gateway::endpoint::Dialect;
use firstright_gateway::probe::Answered;
use firstright_gateway::upstream::SendErrorKind;
use firstright_wire::auth::token::Refused;

use super::Seen;
use crate::config::SecretRef;

mod aws;
mod oci;

/// Models of a provider's list that are named.
const NAMED: usize = 8;

/// The name has no address.
pub(super) fn address(seen: &Seen<'_>) -> String {
    match &seen.endpoint.dialect {
        Dialect::AzureV1 | Dialect::AzureDated { .. } => {
            "check the resource's name in `url`; with a private endpoint, that this machine uses its DNS zone"
                .to_string()
        }
        Dialect::OpenAi { .. } | Dialect::Translated { .. } => {
            "check the host in `url`, and this machine's DNS".to_string()
        }
    }
}

/// There is an address, and no connection.
pub(super) fn connection(kind: SendErrorKind) -> String {
    match kind {
        SendErrorKind::Tls => {
            "the certificate is not for this name, is not trusted by this system, or the port speaks no TLS: check `url`, \
             and install the authority's certificate if the provider is your own"
        }
        SendErrorKind::Private => {
            "if this is a private endpoint or a server of your own, say `allow-private = true`; if not, ask who answers for \
             this name"
        }
        _ => "nobody takes connections there: check host and port in `url`, firewalls, and private endpoints",
    }
    .to_string()
}

/// There is no token.
pub(super) fn token(seen: &Seen<'_>, error: &AuthError) -> String {
    let auth = seen.entry.auth.as_ref();
    let managed = auth.is_some_and(|auth| {
        auth.managed_identity.is_some() || auth.gcp.as_ref().is_some_and(|gcp| gcp.machine_account.is_some())
    });
    let of_aws = || aws::role(auth?.aws.as_ref()?, error);
    let of_oci = || oci::principal(auth?.oci.as_ref()?, error);
    if let Some(way) = of_aws().or_else(of_oci) {
        return way;
    }
    match error {
        AuthError::Refused { refused, .. } if managed => match refused.status {
            400 | 404 => "the machine has no such identity: assign one to it, or name one it has",
            _ => "the metadata service does not give a token: look at the identity's assignment",
        }
        .to_string(),
        AuthError::Unreachable { .. } | AuthError::Cut { .. } if managed => {
            "the metadata service is not there: this is no machine of that cloud, or access to it is shut off"
                .to_string()
        }
        AuthError::Refused { refused, .. } => refused_by(seen, refused),
        AuthError::Unreachable { .. } | AuthError::Cut { .. } => {
            "check that the token endpoint can be reached from here: DNS, firewall, `authority` or `endpoint`"
                .to_string()
        }
        AuthError::Proof(_) => format!("check {}", secrets(seen)),
        AuthError::Head(_) => format!("{} has bytes that cannot stand in a header", secrets(seen)),
        AuthError::Elsewhere { .. } | AuthError::Abandoned => "try again".to_string(),
    }
}

/// What a token endpoint's codes mean.
fn refused_by(seen: &Seen<'_>, refused: &Refused) -> String {
    match refused.entra_code.as_deref().or(refused.error.as_deref()) {
        Some("AADSTS7000215" | "AADSTS7000222") => format!(
            "the client secret is wrong or has run out: make a new one at the application's \"Certificates & secrets\", and \
             put its value, not its id, into {}",
            secrets(seen)
        ),
        Some("AADSTS700016") => "the directory has no application of this `client-id`: check it and `tenant`".to_string(),
        Some("AADSTS90002" | "AADSTS900023") => "there is no directory of this name: check `tenant`".to_string(),
        Some("AADSTS700027") => "upload the certificate at the application's \"Certificates & secrets\"".to_string(),
        Some("AADSTS700024") => "the assertion was not valid at that time: set this machine's clock".to_string(),
        Some("AADSTS70021" | "AADSTS700211" | "AADSTS700212" | "AADSTS700213") => {
            "no federated credential of the application fits the token: check its issuer, subject and audience".to_string()
        }
        Some("AADSTS70011" | "AADSTS500011" | "AADSTS1002012" | "invalid_scope" | "invalid_resource") => {
            "check `scope`: for Azure OpenAI it is `https://cognitiveservices.azure.com/.default`".to_string()
        }
        Some("invalid_grant") => format!(
            "the service account or its key is gone, or this machine's clock is off: check {}, or make a new key",
            secrets(seen)
        ),
        Some("invalid_client" | "unauthorized_client") => format!("check `client-id` and {}", secrets(seen)),
        _ => format!("check {} and where tokens come from", secrets(seen)),
    }
}

/// The provider says 401 or 403.
pub(super) fn refused(seen: &Seen<'_>, answered: &Answered) -> String {
    let auth = seen.entry.auth.as_ref();
    let (oci, aws, gcp) = auth
        .map_or((false, false, false), |auth| (auth.oci.is_some(), auth.aws.is_some(), auth.gcp.is_some()));
    let entra = auth.is_some_and(|auth| auth.entra.is_some() || auth.managed_identity.is_some());
    if let Some(way) = auth.and_then(|auth| oci::refused(auth.oci.as_ref()?)) {
        return way;
    }
    if answered.status == 403 {
        return match (entra, oci, aws, gcp) {
            (true, ..) => "give the identity the role \"Cognitive Services OpenAI User\" on the resource; if it has it, \
                           look at the resource's network rules"
                .to_string(),
            (_, true, ..) => {
                "let the user's group `use generative-ai-family` in the compartment, by a policy".to_string()
            }
            (_, _, true, _) => {
                "allow `bedrock:InvokeModel` and `bedrock:InvokeModelWithResponseStream`, and ask for access to the model"
                    .to_string()
            }
            (_, _, _, true) => "give the account the role \"Vertex AI User\" (`roles/aiplatform.user`)".to_string(),
            _ => format!("{} is known, and may not do this: look at its rights and the network rules", secrets(seen)),
        };
    }
    if seen.entry.key.is_none() && auth.is_none() {
        return "no credential is configured: add `key = { env = \"…\" }` or `auth`".to_string();
    }
    match (entra, oci, aws) {
        (true, ..) => "the token is not for this resource: check `scope`, and that the resource takes Entra tokens (it \
                       needs a custom subdomain in `url`)"
            .to_string(),
        (_, true, _) => {
            "check `tenancy`, `user` and `fingerprint` against the API key's page, that the private key is this key's, the \
             clock, and that `headers` has the `compartmentid`"
                .to_string()
        }
        (_, _, true) => {
            "check the access key (a temporary one needs `session-token`), `region`, `service`, and the clock".to_string()
        }
        _ => format!("put this resource's key into {}", secrets(seen)),
    }
}

/// An answer broke off.
pub(super) fn cut() -> String {
    "a proxy, a timeout or the provider cuts answers: callers would get cut ones".to_string()
}

/// The provider knows no such model or path.
pub(super) fn not_found(seen: &Seen<'_>, models: &[String]) -> String {
    let name = &seen.endpoint.name;
    let listed = match close_to(name, models).as_slice() {
        [] => String::new(),
        close => format!("; it lists {}", close.join(", ")),
    };
    match &seen.endpoint.dialect {
        Dialect::AzureV1 => format!(
            "`name` must be a deployment of this resource, as the portal shows under \"Deployments\" (`{name}` is \
             not){listed}"
        ),
        Dialect::AzureDated { version } => format!(
            "`name` must be a deployment of this resource, as the portal shows under \"Deployments\", and `version` one \
             that it knows (`{version}`; 2024-10-21 is known everywhere){listed}"
        ),
        Dialect::OpenAi { prefix } => format!(
            "check `name` (`{name}`), and that `url` ends as the provider says (the path is `{prefix}/chat/completions`)\
             {listed}"
        ),
        Dialect::Translated { .. } => {
            format!("check `name` (`{name}`), and that this account may use it in this region{listed}")
        }
    }
}

/// The provider takes the request for wrong.
pub(super) fn bad_request(seen: &Seen<'_>, answered: &Answered) -> String {
    let about = |word: &str| {
        [&answered.code, &answered.message]
            .into_iter()
            .flatten()
            .any(|said| said.to_lowercase().contains(word))
    };
    if about("api version") || about("api-version") {
        return "check `version`, or use `dialect = \"azure-v1\"`, which has none".to_string();
    }
    if about("operation") || about("chat model") || about("not supported") {
        return "the model may take no chat: what it does take was not tried".to_string();
    }
    match seen.endpoint.dialect {
        Dialect::AzureDated { .. } => "check `version` and `dialect`".to_string(),
        _ => "check `dialect` and `name`".to_string(),
    }
}

/// The names that begin most alike, the most alike first.
fn close_to(name: &str, models: &[String]) -> Vec<String> {
    let alike = |model: &str| model.bytes().zip(name.bytes()).take_while(|(one, other)| one == other).count();
    let mut models: Vec<&String> = models.iter().collect();
    models.sort_by_key(|model| (std::cmp::Reverse(alike(model)), model.len()));
    models.into_iter().take(NAMED).map(|model| format!("`{model}`")).collect()
}

/// Where the deployment's secrets are.
fn secrets(seen: &Seen<'_>) -> String {
    let mut found: Vec<&SecretRef> = seen.entry.key.iter().collect();
    if let Some(auth) = &seen.entry.auth {
        found.extend(&auth.key);
        if let Some(entra) = &auth.entra {
            found.extend(entra.client_secret.iter().chain(&entra.certificate).chain(&entra.private_key));
        }
        found.extend(auth.oci.iter().filter_map(|oci| oci.private_key.as_ref()));
        if let Some(aws) = &auth.aws {
            found.extend(
                [&aws.access_key_id, &aws.secret_access_key, &aws.session_token].into_iter().flatten(),
            );
        }
        found.extend(auth.gcp.iter().filter_map(|gcp| gcp.service_account.as_ref()));
    }
    match found.as_slice() {
        [] => "the credential".to_string(),
        found => found.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests;
