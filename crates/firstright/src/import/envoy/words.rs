//! What of the resources is neither a backend, a route's rule nor a quota?

use super::{Resource, Resources};
use crate::import::Import;
use crate::import::report::Grade::{self, Approximate, Exact, Manual, Unsupported};
use crate::import::yaml::{Kind, Node};

/// What a kind of resource that nothing is made of is told.
const KINDS: [(&str, Grade, &str); 12] = [
    ("Secret", Manual, "not copied: put it into a variable or a file where Firstright runs"),
    ("Gateway", Approximate, "`[gateway] listen`, and TLS on the listener, stand for it"),
    ("GatewayClass", Unsupported, "there is no controller: Firstright is one program"),
    ("GatewayConfig", Unsupported, "there is no external processor to size"),
    ("EnvoyProxy", Unsupported, "there is no Envoy"),
    ("HTTPRoute", Unsupported, "only OpenAI's operations are served"),
    (
        "ClientTrafficPolicy",
        Approximate,
        "`max-body-bytes` and `max-connections` of the gateway stand for it",
    ),
    ("SecurityPolicy", Manual, "callers have keys: `firstright key new`"),
    ("ReferenceGrant", Exact, "names may refer to other namespaces"),
    (
        "InferencePool",
        Unsupported,
        "write each server of the pool as a deployment with `capacity = { concurrent = … }`",
    ),
    ("MCPRoute", Unsupported, "tools are their callers' own"),
    ("Namespace", Exact, "a place for names"),
];

/// Tells what the other parts left.
pub(super) fn told(resources: &Resources<'_>, import: &mut Import) {
    for resource in &resources.0 {
        head(resource, import);
        match resource.kind {
            "AIGatewayRoute" => route(resource, import),
            "BackendTrafficPolicy" => traffic(resource, import),
            "BackendTLSPolicy" => tls(resource, import),
            "BackendSecurityPolicy" => security(resource, import),
            kind => {
                if let Some((_, grade, message)) = KINDS.iter().find(|(known, _, _)| *known == kind) {
                    untold(resource.node, *grade, message, import);
                }
            }
        }
        untold(resource.node, Unsupported, "nothing here reads this key", import);
    }
}

fn head(resource: &Resource<'_>, import: &mut Import) {
    for key in ["apiVersion", "kind"] {
        if let Some(node) = resource.node.get(key) {
            untold(node, Exact, "says what the resource is", import);
        }
    }
    let Some(metadata) = resource.node.get("metadata") else { return };
    for (key, value) in metadata.entries() {
        match key.as_str() {
            "name" | "namespace" => untold(value, Exact, "says which resource it is", import),
            _ => untold(value, Unsupported, "labels and annotations are for the cluster", import),
        }
    }
}

fn route(resource: &Resource<'_>, import: &mut Import) {
    let Some(spec) = resource.node.get("spec") else { return };
    for (key, value) in spec.entries() {
        match key.as_str() {
            "parentRefs" | "targetRefs" => {
                untold(
                    value,
                    Approximate,
                    "there is one listener for all routes: `[gateway] listen`",
                    import,
                );
            }
            "schema" => untold(value, Exact, "callers speak OpenAI's language", import),
            "llmRequestCosts" => {
                untold(
                    value,
                    Approximate,
                    "input, cached input and output are metered always, and priced",
                    import,
                );
            }
            "filterConfig" => untold(value, Unsupported, "there is no external processor", import),
            "rules" => value.items().iter().for_each(|rule| self::rule(rule, import)),
            _ => {}
        }
    }
}

fn rule(rule: &Node, import: &mut Import) {
    for (key, value) in rule.entries() {
        let message = match key.as_str() {
            "timeouts" | "streamIdleTimeout" => {
                "there is one `first-byte-timeout-s` and one `gap-timeout-s` for all deployments"
            }
            "modelsOwnedBy" | "modelsCreatedAt" => "`/v1/models` says of each model who may serve it",
            _ => continue,
        };
        untold(value, Approximate, message, import);
    }
}

fn traffic(resource: &Resource<'_>, import: &mut Import) {
    let Some(spec) = resource.node.get("spec") else { return };
    for (key, value) in spec.entries() {
        let (grade, message) = match key.as_str() {
            "retry" => (Approximate, "a call has four attempts at most, and none after its answer began"),
            "rateLimit" => (
                Manual,
                "limits of callers are their accounts': requests and tokens a minute, budgets in money",
            ),
            "circuitBreaker" => (Approximate, "five failures in a row open a place's breaker"),
            "healthCheck" => (Approximate, "health is learnt from real calls"),
            "timeout" => {
                (Approximate, "`first-byte-timeout-s` and `gap-timeout-s` of the gateway stand for it")
            }
            "targetRefs" | "targetRef" => (Approximate, "what is set here holds for all"),
            "loadBalancer" => (Unsupported, "the law chooses: commitments, what is paid for, price, order"),
            _ => continue,
        };
        untold(value, grade, message, import);
    }
}

fn tls(resource: &Resource<'_>, import: &mut Import) {
    let Some(spec) = resource.node.get("spec") else { return };
    for (key, value) in spec.entries() {
        match key.as_str() {
            "targetRefs" => untold(value, Exact, "`https` in the endpoint's `url`", import),
            "validation" => {
                for (key, value) in value.entries() {
                    match (key.as_str(), value.text()) {
                        ("wellKnownCACertificates", Some("System")) => {
                            untold(value, Exact, "certificates are verified against the system's", import);
                        }
                        ("hostname", _) => untold(
                            value,
                            Approximate,
                            "the host of `url` is the name that is verified",
                            import,
                        ),
                        _ => untold(value, Manual, "add the authority to the system's", import),
                    }
                }
            }
            _ => {}
        }
    }
}

fn security(resource: &Resource<'_>, import: &mut Import) {
    let Some(spec) = resource.node.get("spec") else { return };
    for (key, value) in spec.entries() {
        match key.as_str() {
            "targetRefs" => untold(value, Exact, "whose key it is", import),
            "type" => untold(value, Manual, "no backend that is imported uses it", import),
            _ => untold(value, Manual, "a credential of the cluster: not read, write it yourself", import),
        }
    }
}

/// Tells the leaves that nobody told.
fn untold(node: &Node, grade: Grade, message: &str, import: &mut Import) {
    for leaf in node.leaves() {
        if !matches!(leaf.kind, Kind::Null) && !import.report.knows(leaf) {
            import.report.tell(leaf, grade, message);
        }
    }
}
