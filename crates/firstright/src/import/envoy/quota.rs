//! How much of a model may a backend be asked for? QuotaPolicy as capacity.

use super::{Resource, Resources};
use crate::import::Import;
use crate::import::plan::id_of;
use crate::import::yaml::Node;

/// Tokens a minute of a model at the backends that a policy targets.
#[derive(Debug)]
pub(super) struct Quota {
    backends: Vec<String>,
    namespace: String,
    /// The name that is sent to the backend.
    model: String,
    pub tokens: u64,
}

impl Quota {
    pub fn covers(&self, backend: &str, namespace: &str, model: &str) -> bool {
        self.model == model
            && self.namespace == namespace
            && self.backends.iter().any(|known| known == backend)
    }
}

/// Reads the policies. A model that no route sends to a target is an error: Envoy would ignore the quota in silence.
pub(super) fn read(resources: &Resources<'_>, import: &mut Import) -> Vec<Quota> {
    let mut quotas = Vec::new();
    for policy in resources.of("QuotaPolicy") {
        let mut backends = Vec::new();
        for target in policy.spec(&["targetRefs"]).map(Node::items).unwrap_or_default() {
            let Some(name) = target.get("name") else { continue };
            let text = name.text().unwrap_or("");
            if resources.find("AIServiceBackend", text, policy.namespace).is_none() {
                import.report.error(name, format!("no AIServiceBackend `{}` is in the source", id_of(text)));
                continue;
            }
            import.report.exact(target, "the quota's backend");
            backends.push(text.to_string());
        }
        for entry in policy.spec(&["perModelQuotas"]).map(Node::items).unwrap_or_default() {
            quotas.extend(quota(entry, policy, &backends, resources, import));
        }
        if let Some(service) = policy.spec(&["serviceQuota"]) {
            let why = "no quota over all models: capacity is a deployment's, and a tenant's limits are its account's";
            import.report.manual(service, why);
        }
    }
    quotas
}

fn quota(
    entry: &Node,
    policy: &Resource<'_>,
    backends: &[String],
    resources: &Resources<'_>,
    import: &mut Import,
) -> Option<Quota> {
    let Some(name) = entry.get("modelName") else {
        import.report.manual(entry, "a quota without `modelName`: give each deployment its capacity");
        return None;
    };
    let model = name.text().unwrap_or("");
    let sent = sent(resources, backends, policy.namespace);
    if !sent.iter().any(|(known, _)| known == model) {
        let known: Vec<String> = sent.iter().map(|(known, _)| format!("`{}`", id_of(known))).collect();
        let known = if known.is_empty() { "nothing".to_string() } else { known.join(", ") };
        import.report.error(
            name,
            format!(
                "no `modelNameOverride` to its targets is `{}` ({known} is sent there): Envoy ignores such a quota in silence",
                id_of(model)
            ),
        );
        return None;
    }
    if sent.iter().any(|(known, overridden)| known == model && *overridden) {
        import.report.exact(name, "the deployments whose `name` this is");
    } else {
        let told = "the deployments whose `name` this is; Envoy ignores it, for no `modelNameOverride` says the name";
        import.report.approximate(name, told);
    }
    let quota = entry.get("quota")?;
    if let Some(rules) = quota.get("bucketRules") {
        let why = "limits of a caller are its account's: give each key or tenant a limit of tokens a minute";
        import.report.manual(rules, why);
    }
    if let Some(mode) = quota.get("mode") {
        import.report.approximate(mode, "a deployment's capacity is shared by all, fairly between tenants");
    }
    let counted = match quota.get("costExpression") {
        None => true,
        Some(cost) => {
            let text: String = cost.text().unwrap_or("").chars().filter(|c| !c.is_whitespace()).collect();
            let whole = matches!(&*text, "total_tokens" | "input_tokens+output_tokens");
            if whole {
                import.report.exact(cost, "capacity counts input and output");
            } else {
                let why = "another measure than tokens: write the capacity that it stands for, or a budget in money";
                import.report.manual(cost, why);
            }
            whole
        }
    };
    let tokens = bucket(quota.get("defaultBucket")?, counted, import)?;
    let (backends, namespace) = (backends.to_vec(), policy.namespace.to_string());
    Some(Quota { backends, namespace, model: model.to_string(), tokens })
}

/// Tokens a minute of a bucket.
fn bucket(bucket: &Node, counted: bool, import: &mut Import) -> Option<u64> {
    let (limit, duration) = (bucket.get("limit")?, bucket.get("duration")?);
    let number = limit.number().filter(|limit| *limit > 0 && counted);
    match (number, duration.text()?) {
        (Some(number), "1m" | "60s") => {
            import.report.exact(limit, format!("{number} tokens a minute"));
            import.report.exact(duration, "capacity is counted by the minute");
            Some(number)
        }
        (Some(number), "1s") => {
            let tokens = number.saturating_mul(60);
            import
                .report
                .approximate(bucket, format!("{tokens} tokens a minute, which may come in one second"));
            Some(tokens)
        }
        (Some(_), _) => {
            let why = "a quota of more than a minute is a budget, not capacity: give it to an account";
            import.report.manual(bucket, why);
            None
        }
        (None, _) => {
            import.report.manual(bucket, "not a number of tokens: write the capacity yourself");
            None
        }
    }
}

/// The names that routes send to these backends, and whether an override says so.
fn sent(resources: &Resources<'_>, backends: &[String], namespace: &str) -> Vec<(String, bool)> {
    let mut names = Vec::new();
    for route in resources.of("AIGatewayRoute") {
        for rule in route.spec(&["rules"]).map(Node::items).unwrap_or_default() {
            for reference in rule.get("backendRefs").map(Node::items).unwrap_or_default() {
                let name = reference.get("name").and_then(Node::text).unwrap_or("");
                let at = reference.get("namespace").and_then(Node::text).unwrap_or(route.namespace);
                if at != namespace || !backends.iter().any(|known| known == name) {
                    continue;
                }
                match reference.get("modelNameOverride").and_then(Node::text) {
                    Some(text) => names.push((text.to_string(), true)),
                    None => names.extend(matched(rule).map(|text| (text.to_string(), false))),
                }
            }
        }
    }
    names.sort();
    names.dedup();
    names
}

/// The models that a rule matches.
fn matched(rule: &Node) -> impl Iterator<Item = &str> {
    let matches = rule.get("matches").map(Node::items).unwrap_or_default();
    matches
        .iter()
        .flat_map(|one| one.get("headers").map(Node::items).unwrap_or_default())
        .filter(|header| {
            let name = header.get("name").and_then(Node::text);
            name.is_some_and(|name| name.eq_ignore_ascii_case(super::MODEL_HEADER))
        })
        .filter_map(|header| header.get("value")?.text())
}
