//! What do the resources of Envoy AI Gateway mean here? A route's rules become models with a deployment for each backend,
//! priorities become rights, quotas capacity; the rest is told.

mod backends;
mod quota;
mod words;

use std::path::PathBuf;

use super::plan::{Capacity, Deployment, Endpoint, OPERATOR, Plan, Price, Proof, Tenant, id_of, is_address};
use super::yaml::{self, Kind, Node};
use super::{Import, read};
use backends::Backend;
use quota::Quota;

/// The header by which a rule chooses the model.
const MODEL_HEADER: &str = "x-ai-eg-model";

/// A resource: what it is, what it is called, and all of it.
struct Resource<'n> {
    kind: &'n str,
    name: &'n str,
    namespace: &'n str,
    node: &'n Node,
}

/// All resources of the sources.
struct Resources<'n>(Vec<Resource<'n>>);

impl<'n> Resources<'n> {
    fn of<'r>(&'r self, kind: &'r str) -> impl Iterator<Item = &'r Resource<'n>> {
        self.0.iter().filter(move |one| one.kind == kind)
    }

    /// A resource by the name that another of this namespace calls it.
    fn find(&self, kind: &str, name: &str, namespace: &str) -> Option<&Resource<'n>> {
        self.0.iter().find(|one| one.kind == kind && one.name == name && one.namespace == namespace)
    }
}

impl<'n> Resource<'n> {
    fn spec(&self, keys: &[&str]) -> Option<&'n Node> {
        self.node.get("spec")?.at(keys)
    }

    /// Does one of its targets name this resource?
    fn targets(&self, name: &str) -> bool {
        let targets = self.spec(&["targetRefs"]).map(Node::items).unwrap_or_default();
        targets.iter().any(|target| target.get("name").and_then(Node::text) == Some(name))
    }
}

/// Reads resources and makes a plan of them.
///
/// # Errors
/// If a file cannot be read or is no YAML.
pub(super) fn import(files: &[PathBuf], today: String) -> Result<Import, String> {
    let mut import = Import::default();
    let names: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
    import.plan = Plan { today, source: names.join(", "), ..Plan::default() };
    let (mut roots, mut shadowed, mut count) = (Vec::new(), Vec::new(), 0);
    for path in files {
        let documents = yaml::read(&path.display().to_string(), &read(path)?, &mut count)?;
        roots.extend(documents.all);
        shadowed.extend(documents.shadowed);
    }
    for root in &mut roots {
        let kind = id_of(root.get("kind").and_then(Node::text).unwrap_or("document"));
        let name = id_of(root.at(&["metadata", "name"]).and_then(Node::text).unwrap_or(""));
        root.prefix(&format!("{kind}/{name}:"));
    }
    let resources = Resources(roots.iter().flat_map(listed).filter_map(resource).collect());
    let backends = backends::read(&resources, &mut import);
    let quotas = quota::read(&resources, &mut import);
    routes(&resources, &backends, &quotas, &mut import);
    words::told(&resources, &mut import);
    import.report.finish(&roots, &shadowed);
    Ok(import)
}

/// A document, or the items of one that is a list of resources.
fn listed(root: &Node) -> &[Node] {
    match root.get("kind").and_then(Node::text) {
        Some("List") => root.get("items").map(Node::items).unwrap_or_default(),
        _ => std::slice::from_ref(root),
    }
}

fn resource(node: &Node) -> Option<Resource<'_>> {
    let name = node.at(&["metadata", "name"])?.text()?;
    let namespace = node.at(&["metadata", "namespace"]).and_then(Node::text).unwrap_or("default");
    Some(Resource { kind: node.get("kind")?.text()?, name, namespace, node })
}

/// The rules of all routes.
fn routes(resources: &Resources<'_>, backends: &[Backend], quotas: &[Quota], import: &mut Import) {
    let mut models: Vec<String> = Vec::new();
    for route in resources.of("AIGatewayRoute") {
        for rule in route.spec(&["rules"]).map(Node::items).unwrap_or_default() {
            for model in rule_models(rule, import) {
                let known = models.contains(&model);
                let mut order = Vec::new();
                for reference in rule.get("backendRefs").map(Node::items).unwrap_or_default() {
                    let party = deployment(&model, reference, route, backends, quotas, import);
                    let priority = reference.get("priority").and_then(Node::number).unwrap_or(0);
                    order.extend(party.map(|party| (priority, party)));
                }
                if order.is_empty() {
                    continue;
                }
                if !known {
                    import.plan.prefer(&model, &order);
                    models.push(model);
                }
            }
            for reference in rule.get("backendRefs").map(Node::items).unwrap_or_default() {
                told_reference(reference, import);
            }
        }
    }
    import.plan.tenants.push(Tenant { id: "default".to_string(), models, substitutes: Vec::new() });
}

/// The models that a rule is for.
fn rule_models(rule: &Node, import: &mut Import) -> Vec<String> {
    let mut models = Vec::new();
    for matched in rule.get("matches").map(Node::items).unwrap_or_default() {
        for header in matched.get("headers").map(Node::items).unwrap_or_default() {
            let name = header.get("name").and_then(Node::text).unwrap_or("");
            let kind = header.get("type").and_then(Node::text).unwrap_or("Exact");
            let (true, "Exact", Some(value)) = (
                name.eq_ignore_ascii_case(MODEL_HEADER),
                kind,
                header.get("value").filter(|v| v.text().is_some()),
            ) else {
                let why = "rules choose by the model alone, written out: name each, and give tenants what else differs";
                import.report.manual(header, why);
                continue;
            };
            let text = value.text().unwrap_or("");
            let model = id_of(text);
            if model == text {
                import.report.exact(value, format!("the model `{model}`"));
            } else {
                import
                    .report
                    .manual(value, format!("callers must write `{model}`: such a name the law allows"));
            }
            import.report.exact(header, "the model stands in the request's body, where it is read");
            models.push(model);
        }
    }
    // A rule for whatever comes serves what its backends are told to serve.
    if models.is_empty() && rule.get("matches").is_none() {
        for reference in rule.get("backendRefs").map(Node::items).unwrap_or_default() {
            let Some(name) = reference.get("modelNameOverride") else { continue };
            let model = id_of(name.text().unwrap_or(""));
            import.report.approximate(name, format!("a rule without a match: callers must write `{model}`"));
            if !models.contains(&model) {
                models.push(model);
            }
        }
    }
    models
}

/// A backend of a rule as a deployment of the rule's model. Its party, if there is one.
fn deployment(
    model: &str,
    reference: &Node,
    route: &Resource<'_>,
    backends: &[Backend],
    quotas: &[Quota],
    import: &mut Import,
) -> Option<String> {
    let name = reference.get("name")?;
    let wanted = name.text()?;
    let namespace = reference.get("namespace").and_then(Node::text).unwrap_or(route.namespace);
    let backend = backends.iter().find(|one| one.name == wanted && one.namespace == namespace);
    let Some(backend) = backend else {
        import.report.manual(
            name,
            format!("no AIServiceBackend `{}` that is imported is in the source", id_of(wanted)),
        );
        return None;
    };
    let sent = reference.get("modelNameOverride").and_then(Node::text).unwrap_or(model);
    if is_address(sent) {
        import.report.manual(name, "an address is no model's name: nothing is deployed");
        return None;
    }
    let id = import.plan.deployment_id(&id_of(&format!("{}-{}", backend.name, model.replace('/', "-"))));
    let quota = quotas.iter().find(|quota| quota.covers(&backend.name, &backend.namespace, sent));
    let capacity = match quota {
        Some(quota) => Capacity::PayAsYouGo { tokens: Some(quota.tokens), requests: None },
        None => Capacity::PayAsYouGo { tokens: None, requests: None },
    };
    let told = format!("deployment `{id}`: `{}` at {}", id_of(sent), backend.url);
    import.report.exact(name, told);
    if !import.plan.serves_of(model, &backend.name) {
        import
            .report
            .manual(name, format!("`{id}` has no price in the source: unpriced until the law gives `price`"));
    }
    let endpoint = Endpoint {
        dialect: backend.dialect,
        version: backend.version.clone(),
        proof: backend.key.clone().map_or(Proof::None, Proof::Key),
        private: backend.party == OPERATOR,
        ..Endpoint::open_ai(backend.url.clone(), sent)
    };
    let provider =
        import.plan.provider(&backend.name, &backend.party, &backend.region, &backend.jurisdiction);
    provider.deployments.push(Deployment {
        id,
        model: model.to_string(),
        capacity,
        price: Price::new(),
        endpoint,
    });
    Some(backend.party.clone())
}

/// What else a backend's reference says.
fn told_reference(reference: &Node, import: &mut Import) {
    for (key, value) in reference.entries() {
        if import.report.knows(value) {
            continue;
        }
        match key.as_str() {
            "name" | "modelNameOverride" if !import.report.knows_key(reference, "name") => {
                import.report.manual(value, "goes with a rule that is not imported");
            }
            "modelNameOverride" => import.report.exact(value, "the endpoint's `name`"),
            "weight" => import.report.approximate(
                value,
                "work goes by unmet commitments, then capacity that is paid for, then price, then the order in the law, \
                 not by weights",
            ),
            "priority" => import.report.approximate(
                value,
                "its party is asked before those of higher numbers; between places of one party the price decides",
            ),
            "namespace" | "group" | "kind" => import.report.exact(value, "says which backend is meant"),
            _ if matches!(value.kind, Kind::Null) => {}
            _ => import.report.unsupported(value, "nothing here reads this of a backend"),
        }
    }
}
