//! Where are the backends, whose are they, and by what key? AIServiceBackend with its Backend, its TLS and its security
//! policies.

use super::{Resource, Resources};
use crate::import::plan::{Dialect, OPERATOR, UNKNOWN, id_of, variable_of};
use crate::import::yaml::Node;
use crate::import::{Import, known, place};

/// An AIServiceBackend that is imported.
#[derive(Debug)]
pub(super) struct Backend {
    pub name: String,
    pub namespace: String,
    pub party: String,
    pub region: String,
    pub jurisdiction: String,
    pub url: String,
    pub dialect: Dialect,
    pub version: Option<String>,
    pub key: Option<String>,
}

/// Reads the backends.
pub(super) fn read(resources: &Resources<'_>, import: &mut Import) -> Vec<Backend> {
    let mut backends = Vec::new();
    for resource in resources.of("AIServiceBackend") {
        match backend(resource, resources, import) {
            Ok(backend) => backends.push(backend),
            Err((at, why)) => {
                let spec = resource.node.get("spec").unwrap_or(resource.node);
                import.report.manual(at.unwrap_or(spec), format!("not imported: {why}"));
                import.report.manual(spec, "goes with a backend that is not imported");
            }
        }
    }
    backends
}

type Wrong<'n> = (Option<&'n Node>, String);

fn backend<'n>(
    resource: &Resource<'n>,
    resources: &Resources<'n>,
    import: &mut Import,
) -> Result<Backend, Wrong<'n>> {
    let schema = resource.spec(&["schema", "name"]);
    let schema = schema.ok_or((None, "it names no schema".to_string()))?;
    let version = resource.spec(&["schema", "version"]);
    let prefix = resource.spec(&["schema", "prefix"]);
    let (dialect, path) = match schema.text().unwrap_or("") {
        "OpenAI" | "Cohere" => match path(version, prefix) {
            Some(path) => (Dialect::OpenAi, path),
            None => return Err((prefix.or(version), "not a path".to_string())),
        },
        "AzureOpenAI" if version.is_some() => (Dialect::AzureDated, String::new()),
        "AzureOpenAI" => (Dialect::AzureV1, String::new()),
        "Anthropic" => (Dialect::Anthropic, String::new()),
        "AWSBedrock" => (Dialect::Bedrock, String::new()),
        other => {
            return Err((
                Some(schema),
                format!("the language of `{}` is not one that is imported yet", id_of(other)),
            ));
        }
    };
    import.report.exact(schema, format!("`dialect = \"{}\"`", dialect.word()));
    for node in [version, prefix].into_iter().flatten() {
        let told = match dialect {
            Dialect::AzureDated => "`version`",
            _ => "the path of `url`, where the language has one",
        };
        import.report.exact(node, told);
    }
    let version = version.and_then(Node::text).filter(|_| dialect == Dialect::AzureDated).map(id_of);
    let origin = origin(resource, resources, import)?;
    let host = origin.split("://").nth(1).unwrap_or("").to_string();
    let (party, region, jurisdiction) = located(&host);
    import.report.manual(
        resource.node.at(&["metadata", "name"]).unwrap_or(resource.node),
        format!(
            "provider `{}` of `{party}`: check whose it is, its `region` and its `jurisdiction`",
            id_of(resource.name)
        ),
    );
    Ok(Backend {
        name: id_of(resource.name),
        namespace: resource.namespace.to_string(),
        party: party.to_string(),
        region: region.to_string(),
        jurisdiction: jurisdiction.to_string(),
        url: format!("{origin}{path}"),
        dialect,
        version,
        key: key(resource, resources, import),
    })
}

/// The path before `/chat/completions`: `prefix`, or the version as older resources wrote it. `None` if it is no path.
fn path(version: Option<&Node>, prefix: Option<&Node>) -> Option<String> {
    let text = prefix.or(version).and_then(Node::text).unwrap_or("v1").trim_matches('/');
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.');
    let path = if text.is_empty() { String::new() } else { format!("/{text}") };
    path.chars().all(plain).then_some(path)
}

/// Scheme, host and port.
fn origin<'n>(
    resource: &Resource<'n>,
    resources: &Resources<'n>,
    import: &mut Import,
) -> Result<String, Wrong<'n>> {
    let name = resource.spec(&["backendRef", "name"]);
    let name = name.ok_or((None, "it refers to no backend".to_string()))?;
    let wanted = name.text().unwrap_or("");
    let kind = resource.spec(&["backendRef", "kind"]).and_then(Node::text).unwrap_or("Service");
    let namespace =
        resource.spec(&["backendRef", "namespace"]).and_then(Node::text).unwrap_or(resource.namespace);
    let (host, port) = if kind == "Service" {
        let port = resource.spec(&["backendRef", "port"]).and_then(Node::number).unwrap_or(80);
        import
            .report
            .approximate(name, "the service's name within the cluster, where Firstright must run too");
        (format!("{}.{}.svc.cluster.local", id_of(wanted), id_of(namespace)), port)
    } else {
        let backend = resources.find(kind, wanted, namespace);
        let backend = backend
            .ok_or((Some(name), format!("no {} `{}` is in the source", id_of(kind), id_of(wanted))))?;
        import.report.exact(name, "the endpoint's host");
        endpoint(backend, import)
            .ok_or((Some(name), "it has no endpoint with a host and a port".to_string()))?
    };
    for key in ["kind", "group", "namespace", "port"] {
        if let Some(node) = resource.spec(&["backendRef", key]) {
            import.report.exact(node, "says which backend is meant");
        }
    }
    let verified = resources.of("BackendTLSPolicy").any(|policy| policy.targets(wanted));
    let scheme = if verified || port == 443 { "https" } else { "http" };
    let usual = if scheme == "https" { 443 } else { 80 };
    Ok(if port == usual { format!("{scheme}://{host}") } else { format!("{scheme}://{host}:{port}") })
}

/// The first endpoint of a Backend.
fn endpoint(backend: &Resource<'_>, import: &mut Import) -> Option<(String, u64)> {
    let endpoints = backend.spec(&["endpoints"]).map(Node::items).unwrap_or_default();
    let (first, others) = endpoints.split_first()?;
    for other in others {
        if !import.report.knows(other) {
            import.report.manual(other, "an endpoint has one host: write a deployment for each other");
        }
    }
    let host = first.at(&["fqdn", "hostname"]).or_else(|| first.at(&["ip", "address"]))?;
    let port = first.at(&["fqdn", "port"]).or_else(|| first.at(&["ip", "port"]))?;
    let text = host.text()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':' | '[' | ']');
    if !text.chars().all(plain) {
        return None;
    }
    if !import.report.knows(host) {
        import.report.exact(host, "the endpoint's host");
        import.report.exact(port, "the endpoint's port");
    }
    Some((text.to_string(), port.number()?))
}

/// Whose host it is and where, as far as its name tells.
fn located(host: &str) -> (&'static str, &'static str, &'static str) {
    let party = known::owner(host).unwrap_or(OPERATOR);
    let region =
        (party == "microsoft").then(|| place::azure_region(host.split('.').next().unwrap_or(""))).flatten();
    let (region, jurisdiction) = region.unwrap_or((UNKNOWN, UNKNOWN));
    (party, region, jurisdiction)
}

/// The variable for the backend's key. Secrets of the cluster are not read.
fn key(resource: &Resource<'_>, resources: &Resources<'_>, import: &mut Import) -> Option<String> {
    let policy = resources
        .of("BackendSecurityPolicy")
        .find(|policy| policy.namespace == resource.namespace && policy.targets(resource.name))?;
    let kind = policy.spec(&["type"])?;
    let at: &[&str] = match kind.text()? {
        "APIKey" => &["apiKey", "secretRef", "name"],
        "AzureAPIKey" => &["azureAPIKey", "secretRef", "name"],
        "AnthropicAPIKey" => &["anthropicAPIKey", "secretRef", "name"],
        _ => {
            if !import.report.knows(kind) {
                import.report.manual(kind, "not a key: write the deployment's credential yourself");
            }
            return None;
        }
    };
    let secret = policy.spec(at)?;
    let name = variable_of(&id_of(secret.text()?));
    let name = name.replace("_API_KEY_API_KEY", "_API_KEY").replace("_APIKEY_API_KEY", "_API_KEY");
    if !import.report.knows(secret) {
        import.report.exact(kind, "`key`");
        import.report.manual(secret, format!("put the Secret's `apiKey` into the variable `{name}`"));
        if let Some(namespace) = at.split_last().and_then(|(_, at)| policy.spec(at)?.get("namespace")) {
            import.report.exact(namespace, "says which Secret is meant");
        }
    }
    Some(name)
}
