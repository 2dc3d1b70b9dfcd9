//! What of an entry of `model_list`, and of the credentials, is neither a place, a limit nor a price?

use super::Source;
use super::models::Item;
use crate::import::report::Grade::{self, Approximate, Exact, Manual, Unsupported};
use crate::import::yaml::Node;
use crate::import::{Import, reference};

type Word = (&'static str, Grade, &'static str);

const UNCHANGED: &str = "requests pass as they are: nothing is added to them or taken away";
const WEIGHT: &str = "work goes by unmet commitments, then capacity that is paid for, then price, then the order in the \
                      law, not by weights";
const TIMEOUT: &str = "there is one `first-byte-timeout-s` and one `gap-timeout-s` for all deployments";

/// Keys of `litellm_params`.
const PARAMS: [Word; 24] = [
    ("weight", Approximate, WEIGHT),
    ("timeout", Approximate, TIMEOUT),
    ("stream_timeout", Approximate, TIMEOUT),
    ("max_retries", Approximate, "a call has four attempts at most, each at another place if there is one"),
    ("num_retries", Approximate, "a call has four attempts at most, each at another place if there is one"),
    ("cooldown_time", Approximate, "five failures in a row open a place's breaker for five seconds and more"),
    ("max_budget", Manual, "there are no budgets of a deployment: give one to the account of whoever calls"),
    ("budget_duration", Manual, "goes with `max_budget`"),
    ("organization", Unsupported, "the key decides the organisation"),
    ("temperature", Unsupported, UNCHANGED),
    ("top_p", Unsupported, UNCHANGED),
    ("max_tokens", Unsupported, UNCHANGED),
    ("seed", Unsupported, UNCHANGED),
    ("drop_params", Unsupported, UNCHANGED),
    ("additional_drop_params", Unsupported, UNCHANGED),
    ("allowed_openai_params", Exact, UNCHANGED),
    ("extra_body", Unsupported, UNCHANGED),
    ("extra_headers", Unsupported, "no headers are added to requests"),
    ("headers", Unsupported, "no headers are added to requests"),
    ("mock_response", Unsupported, "`firstright sandbox` has clouds to test with"),
    (
        "tags",
        Manual,
        "no routing by tags: a tenant for each of them, with the models that it may use, does it",
    ),
    ("guardrails", Unsupported, "prompts are not read"),
    ("cache_control_injection_points", Unsupported, UNCHANGED),
    ("use_in_pass_through", Unsupported, "there are no unguarded pass-through paths"),
];

/// Parameters that are secrets, or belong to one: they are told and never copied.
const CREDENTIALS: [&str; 16] = [
    "azure_ad_token",
    "azure_username",
    "azure_password",
    "tenant_id",
    "client_id",
    "client_secret",
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_session_token",
    "aws_role_name",
    "aws_session_name",
    "aws_profile_name",
    "vertex_credentials",
    "oci_key",
    "oci_key_file",
    "oci_fingerprint",
];

/// Keys of `model_info`.
const INFO: [Word; 18] = [
    ("mode", Approximate, "the path that is called decides the operation"),
    ("base_model", Approximate, "nothing is looked up by it but what provisioned units give"),
    ("max_tokens", Approximate, "the provider says itself what is too long; then another is tried"),
    ("max_input_tokens", Approximate, "the provider says itself what is too long; then another is tried"),
    ("max_output_tokens", Approximate, "a call reserves what it asks for"),
    ("tier", Unsupported, "there are no free and paid tiers: permissions are by tenant"),
    ("access_groups", Manual, "give the group's models to its keys: `[[key]] models = […]`"),
    (
        "access_windows",
        Manual,
        "agreements have a term, but no hours of the day: nothing limits it until you do",
    ),
    ("ptu_effective_from", Unsupported, "a term of units without their number"),
    ("ptu_effective_to", Unsupported, "a term of units without their number"),
    ("cost_per_ptu_per_hour", Unsupported, "a price of units without their number"),
    ("ptu_shares", Manual, "shares of bought units are not kept apart: limit each tenant's account"),
    (
        "input_cost_per_second",
        Unsupported,
        "a minute of audio has a price, a second of it has none: write `minute`",
    ),
    (
        "output_cost_per_second",
        Unsupported,
        "a minute of audio has a price, a second of it has none: write `minute`",
    ),
    ("health_check_model", Unsupported, "health is learnt from real calls"),
    ("db_model", Exact, "says where LiteLLM keeps the entry"),
    ("created_by", Unsupported, "who wrote an entry is for your version control"),
    ("team_alias", Unsupported, "a tenant has its id alone"),
];

/// Tells what the other parts left of an entry.
pub(super) fn told(item: &Item<'_>, id: &str, import: &mut Import) {
    if let Some(node) = item.params.get("order") {
        match node.number() {
            Some(place) => import.report.approximate(
                node,
                format!(
                    "place {place}: its party is asked before those of later places; between places of one party the \
                     price decides, then the order in the law"
                ),
            ),
            None => import.report.manual(node, "not a place in an order: write a first refusal"),
        }
    }
    for key in CREDENTIALS {
        let Some(node) = item.params.get(key).filter(|node| !import.report.knows(node)) else { continue };
        let what = match reference(node) {
            Some(variable) => format!("`{variable}`"),
            None => "it is not copied".to_string(),
        };
        import.report.manual(
            node,
            format!("a part of the credential of `{id}` ({what}): write the credential yourself"),
        );
    }
    if let Some(node) = item.params.get("litellm_credential_name") {
        match item.credential {
            Some(_) => import.report.exact(node, "its values are written where they are used"),
            None => import.report.manual(node, "no credential of this name is in the source"),
        }
    }
    words(item.params, &PARAMS, "nothing here reads this parameter: requests pass as they are", import);
    if let Some(info) = item.info {
        words(
            info,
            &INFO,
            "nothing here reads this: it described the model to LiteLLM's own callers",
            import,
        );
    }
}

/// Tells what a table says of a map's keys, and of the others what is told of all.
fn words(node: &Node, table: &[Word], other: &str, import: &mut Import) {
    for (key, value) in node.entries() {
        let word = table.iter().find(|(known, _, _)| known == key);
        let (grade, message) = word.map_or((Unsupported, other), |(_, grade, message)| (*grade, *message));
        untold(value, grade, message, import);
    }
}

/// Tells the leaves that nobody told.
pub(super) fn untold(node: &Node, grade: Grade, message: &str, import: &mut Import) {
    for leaf in node.leaves() {
        let empty = matches!(leaf.kind, crate::import::yaml::Kind::Null);
        if !empty && !import.report.knows(leaf) {
            import.report.tell(leaf, grade, message);
        }
    }
}

/// Tells the credentials, used or not.
pub(super) fn credentials(source: &Source, import: &mut Import) {
    for one in source.sections("credential_list").into_iter().flat_map(Node::items) {
        if let Some(name) = one.get("credential_name") {
            import.report.exact(name, "its values are written where they are used");
        }
        untold(one, Manual, "no entry uses it, or nothing here reads it; it is not copied", import);
    }
}
