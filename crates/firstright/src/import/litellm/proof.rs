//! By what does a provider know who calls? Keys by reference, and the other credentials that LiteLLM knows.

use super::Environment;
use super::endpoint::Place;
use super::models::Item;
use crate::import::known::{Known, Reach};
use crate::import::plan::{Proof, auth, is_address, variable_of};
use crate::import::yaml::Node;
use crate::import::{Import, reference};

/// Finds the credential of an entry. True if it is the variable that LiteLLM reads when none is written.
pub(super) fn proof(
    item: &Item<'_>,
    known: &Known,
    environment: Environment<'_>,
    place: &mut Place,
    import: &mut Import,
) -> bool {
    if let Some(node) = item.param("api_key") {
        place.endpoint.proof = key(node, &place.provider, import);
        return false;
    }
    let found = match known.reach {
        Reach::Azure => azure(item, environment, place, import),
        Reach::Vertex => Some(google(item, import)),
        Reach::Bedrock => Some(amazon(item, place, import)),
        Reach::Oci => {
            place.endpoint.compartment = compartment(item, environment, import);
            oracle(item, environment, import)
        }
        _ => None,
    };
    if let Some(found) = found {
        place.endpoint.proof = found;
        return false;
    }
    place.endpoint.proof = known.variable.map_or(Proof::None, |name| Proof::Key(name.to_string()));
    known.variable.is_some()
}

/// The variable that holds the key. A key that stands in the source is never copied.
fn key(node: &Node, provider: &str, import: &mut Import) -> Proof {
    if let Some(name) = reference(node) {
        import.report.exact(node, format!("`key = {{ env = \"{name}\" }}`"));
        return Proof::Key(name.to_string());
    }
    if matches!(node.text(), Some("" | "none" | "None" | "fake-key" | "dummy" | "EMPTY")) {
        import.report.exact(node, "no key is sent");
        return Proof::None;
    }
    Proof::Key(moved(node, &variable_of(provider), import))
}

/// A secret that stands in the source goes into a variable, by hand.
fn moved(node: &Node, name: &str, import: &mut Import) -> String {
    let told = format!("a secret stands in the source and is not copied: put it into the variable `{name}`");
    import.report.manual(node, told);
    name.to_string()
}

/// An application of Entra, or the machine's identity.
fn azure(item: &Item<'_>, environment: Environment<'_>, place: &Place, import: &mut Import) -> Option<Proof> {
    let (tenant, client, secret) =
        (item.param("tenant_id"), item.param("client_id"), item.param("client_secret"));
    let mut plain = |node: &Node, what: &str| {
        let text = match reference(node) {
            Some(variable) => environment(variable),
            None => node.text().map(str::to_string),
        };
        let known = text.filter(|text| !is_address(text) && text.len() < 200);
        match &known {
            Some(_) => import.report.exact(node, format!("`{what}` of the credential")),
            None => import.report.manual(node, format!("not known here: write `{what}` of the credential")),
        }
        known.unwrap_or("fill-in".to_string())
    };
    if let (Some(tenant), Some(client), Some(secret)) = (tenant, client, secret) {
        let (tenant, client) = (plain(tenant, "tenant"), plain(client, "client-id"));
        let secret = match reference(secret) {
            Some(variable) => {
                import.report.exact(secret, format!("`client-secret = {{ env = \"{variable}\" }}`"));
                variable.to_string()
            }
            None => {
                let name = variable_of(&place.provider).replace("_API_KEY", "_CLIENT_SECRET");
                moved(secret, &name, import)
            }
        };
        return Some(Proof::Entra { tenant, client, secret });
    }
    // Without a secret LiteLLM asks the platform for a token, if it is told to.
    let token = item.param("azure_ad_token");
    if token.is_none() && client.is_some() && secret.is_none() {
        let client = client.map(|client| plain(client, "client-id"));
        return Some(Proof::ManagedIdentity { client });
    }
    let token = token?;
    let proof = Proof::ManagedIdentity { client: None };
    let told =
        format!("a token of Entra's ends within the hour: `auth = {}` is written instead", auth(&proof));
    import.report.manual(token, told);
    Some(proof)
}

/// A service account's key in a file, or the machine's own account.
fn google(item: &Item<'_>, import: &mut Import) -> Proof {
    let Some(node) = item.param("vertex_credentials") else {
        let told = "no credential is written: the machine's own account is used, as Google's libraries do";
        import.report.approximate(item.model, told);
        return Proof::Google { file: None };
    };
    let path = node.text().filter(|_| reference(node).is_none()).filter(|text| {
        text.ends_with(".json") && !is_address(text) && !text.contains(['{', '"', '\n']) && text.len() < 200
    });
    match path {
        Some(path) => {
            import.report.exact(node, "the file of the service account's key");
            Proof::Google { file: Some(path.to_string()) }
        }
        None => {
            let told = "not a file: put the service account's key into `service-account.json`, beside `firstright.toml`";
            import.report.manual(node, told);
            Proof::Google { file: Some("service-account.json".to_string()) }
        }
    }
}

/// An access key of AWS: its parts by reference, or in the variables that Amazon's libraries read.
fn amazon(item: &Item<'_>, place: &Place, import: &mut Import) -> Proof {
    let mut part = |key: &str, usual: &str| {
        let node = item.param(key)?;
        Some(match reference(node) {
            Some(variable) => {
                import.report.exact(node, format!("in the variable `{variable}`"));
                variable.to_string()
            }
            None => moved(node, usual, import),
        })
    };
    let (id, secret) = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY");
    let parts = (part("aws_access_key_id", id), part("aws_secret_access_key", secret));
    let session = part("aws_session_token", "AWS_SESSION_TOKEN");
    if parts.0.is_none() {
        let told = "no access key is written: it is read from `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`; where Amazon's \
             libraries found a role, write `instance-role`, `container-role` or `web-identity` instead";
        import.report.approximate(item.model, told);
    }
    let region = place.endpoint.url.split('.').nth(1).unwrap_or("").to_string();
    Proof::Amazon {
        region,
        id: parts.0.unwrap_or(id.to_string()),
        secret: parts.1.unwrap_or(secret.to_string()),
        session,
    }
}

/// A user's signing key, in a file.
fn oracle(item: &Item<'_>, environment: Environment<'_>, import: &mut Import) -> Option<Proof> {
    let mut plain = |key: &str, what: &str| {
        let node = item.param(key)?;
        let text = match reference(node) {
            Some(variable) => environment(variable),
            None => node.text().map(str::to_string),
        };
        let known = text.filter(|text| !is_address(text) && !text.contains('\n') && text.len() < 300);
        match &known {
            Some(_) => import.report.exact(node, format!("`{what}` of the credential")),
            None => import.report.manual(node, format!("not known here: write `{what}` of the credential")),
        }
        Some(known.unwrap_or("fill-in".to_string()))
    };
    let (tenancy, user) = (plain("oci_tenancy", "tenancy")?, plain("oci_user", "user")?);
    let fingerprint = plain("oci_fingerprint", "fingerprint")?;
    let file = plain("oci_key_file", "private-key").unwrap_or("oci.pem".to_string());
    if let Some(node) = item.param("oci_key") {
        import
            .report
            .manual(node, format!("a key stands in the source and is not copied: put it into `{file}`"));
    }
    Some(Proof::Oracle { tenancy, user, fingerprint, file })
}

/// The compartment, which goes with every request.
fn compartment(item: &Item<'_>, environment: Environment<'_>, import: &mut Import) -> Option<String> {
    let node = item.param("oci_compartment_id")?;
    let text = match reference(node) {
        Some(variable) => environment(variable),
        None => node.text().map(str::to_string),
    };
    let plain = |text: &String| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
    };
    let text = text.filter(plain);
    match &text {
        Some(_) => import
            .report
            .exact(node, "`compartment`, or `headers = { compartmentid = … }` in OpenAI's language"),
        None => import.report.manual(
            node,
            "not known here: write `compartment`, or `headers = { compartmentid = … }` in OpenAI's language",
        ),
    }
    text
}
