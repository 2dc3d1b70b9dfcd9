//! How did the old gateway behave? Router, library and server settings: what is set here, what is otherwise, what is not.

use super::Source;
use super::words::untold;
use crate::import::Import;
use crate::import::plan::{Account, id_of};
use crate::import::report::Grade::{self, Approximate, Exact, Manual, Unsupported};
use crate::import::yaml::{Kind, Node};

type Word = (&'static str, Grade, &'static str);

const RETRIES: &str = "a call has four attempts at most, each at another place if there is one, and none after its answer \
                       began";
const BREAKER: &str = "five failures in a row open a place's breaker, for five seconds to five minutes";
const LOGS: &str = "callbacks are not called: metrics, traces and the journal tell what happened";
const REDIS: &str = "no Redis: capacity is reckoned in the process";
const CACHE: &str = "answers are not cached";
const DATABASE: &str = "no database is in the way of a call: the journal is a file under `data`";
const BUDGET: &str = "a budget belongs to an account here: give it to the tenant's";

/// Keys of `router_settings` whose meaning does not depend on their value.
const ROUTER: [Word; 27] = [
    ("num_retries", Approximate, RETRIES),
    ("max_retries", Approximate, RETRIES),
    ("retry_policy", Approximate, RETRIES),
    ("model_group_retry_policy", Approximate, RETRIES),
    ("retry_after", Approximate, "a place that names no time is left alone for a second"),
    ("allowed_fails", Approximate, BREAKER),
    ("allowed_fails_policy", Approximate, BREAKER),
    ("cooldown_time", Approximate, BREAKER),
    ("disable_cooldowns", Unsupported, BREAKER),
    ("max_fallbacks", Approximate, RETRIES),
    (
        "content_policy_fallbacks",
        Unsupported,
        "a provider's refusal of the content is the answer: nobody else is asked",
    ),
    ("enable_pre_call_checks", Exact, "capacity is reckoned before each call"),
    (
        "optional_pre_call_checks",
        Approximate,
        "limits are kept always; what lives at one provider stays there",
    ),
    ("enable_tag_filtering", Manual, "no routing by tags: tenants and their models do it"),
    (
        "provider_budget_config",
        Manual,
        "there are no budgets of a provider: a commitment or an account's budget limits money",
    ),
    ("routing_strategy_args", Unsupported, "goes with a strategy that is not taken over"),
    ("redis_host", Unsupported, REDIS),
    ("redis_port", Unsupported, REDIS),
    ("redis_password", Unsupported, REDIS),
    ("redis_url", Unsupported, REDIS),
    ("redis_db", Unsupported, REDIS),
    ("cache_responses", Unsupported, CACHE),
    ("caching_groups", Unsupported, CACHE),
    ("cache_kwargs", Unsupported, CACHE),
    ("default_litellm_params", Unsupported, "requests pass as they are: nothing is added to them"),
    ("set_verbose", Unsupported, "logging is set by the environment"),
    ("debug_level", Unsupported, "logging is set by the environment"),
];

/// Keys of `litellm_settings`.
const LIBRARY: [Word; 24] = [
    ("num_retries", Approximate, RETRIES),
    ("allowed_fails", Approximate, BREAKER),
    (
        "content_policy_fallbacks",
        Unsupported,
        "a provider's refusal of the content is the answer: nobody else is asked",
    ),
    (
        "drop_params",
        Unsupported,
        "requests pass as they are; what a provider's language cannot say is an error",
    ),
    ("modify_params", Unsupported, "requests pass as they are"),
    ("callbacks", Unsupported, LOGS),
    ("success_callback", Unsupported, LOGS),
    ("failure_callback", Unsupported, LOGS),
    ("service_callbacks", Unsupported, LOGS),
    ("turn_off_message_logging", Exact, "prompts are never logged"),
    ("redact_user_api_key_info", Exact, "keys are known by their id alone"),
    ("cache", Unsupported, CACHE),
    ("cache_params", Unsupported, CACHE),
    ("set_verbose", Unsupported, "logging is set by the environment"),
    ("json_logs", Unsupported, "the log's form is not taken over"),
    ("max_budget", Manual, BUDGET),
    ("budget_duration", Manual, BUDGET),
    ("max_internal_user_budget", Manual, BUDGET),
    ("internal_user_budget_duration", Manual, BUDGET),
    ("default_team_settings", Unsupported, LOGS),
    ("default_internal_user_params", Manual, "there are no users: tenants, and keys of theirs"),
    ("ssl_verify", Unsupported, "certificates are always verified"),
    ("force_ipv4", Unsupported, "the resolver decides"),
    ("public_routes", Unsupported, "every path needs a key but the health checks"),
];

/// Keys of `general_settings`.
const GENERAL: [Word; 30] = [
    (
        "master_key",
        Manual,
        "not copied: `firstright key new --tenant default` makes a key for callers, and the admin \
                            listener has a token of its own",
    ),
    ("salt_key", Manual, "not copied, and not needed: only digests of keys are kept"),
    ("database_url", Unsupported, DATABASE),
    ("database_connection_pool_limit", Unsupported, DATABASE),
    ("database_connection_timeout", Unsupported, DATABASE),
    ("allow_requests_on_db_unavailable", Unsupported, DATABASE),
    ("store_model_in_db", Unsupported, DATABASE),
    ("proxy_batch_write_at", Unsupported, DATABASE),
    ("disable_spend_logs", Unsupported, "every decision is on record"),
    ("disable_error_logs", Unsupported, "every decision is on record"),
    ("store_prompts_in_spend_logs", Unsupported, "prompts are kept nowhere"),
    ("maximum_spend_logs_retention_period", Unsupported, "the journal is kept: it is the evidence"),
    (
        "max_parallel_requests",
        Manual,
        "a limit of calls at once belongs to an account, or to a deployment's capacity",
    ),
    ("global_max_parallel_requests", Manual, "`max-connections` of the gateway, or an account's limit"),
    ("max_response_size_mb", Unsupported, "answers pass as they come"),
    ("alerting", Unsupported, "metrics have what alerts need"),
    ("alerting_threshold", Unsupported, "metrics have what alerts need"),
    ("alert_types", Unsupported, "metrics have what alerts need"),
    ("alert_to_webhook_url", Unsupported, "metrics have what alerts need; the address is not copied"),
    ("background_health_checks", Unsupported, "health is learnt from real calls"),
    ("health_check_interval", Unsupported, "health is learnt from real calls"),
    (
        "forward_client_headers_to_llm_api",
        Manual,
        "name the headers in `forward-headers`; credentials never pass",
    ),
    (
        "pass_through_endpoints",
        Unsupported,
        "every path is a known operation or refused: none passes unguarded",
    ),
    ("enable_jwt_auth", Unsupported, "callers have keys"),
    ("litellm_jwtauth", Unsupported, "callers have keys"),
    ("custom_auth", Unsupported, "callers have keys; no code is loaded"),
    ("allowed_ips", Manual, "a firewall, or client certificates on the listener"),
    ("key_management_system", Manual, "secrets stand in the environment or in files: mount them there"),
    ("key_management_settings", Manual, "secrets stand in the environment or in files: mount them there"),
    ("ui_access_mode", Unsupported, "the admin listener has one token"),
];

/// Other sections.
const SECTIONS: [Word; 7] = [
    ("environment_variables", Manual, "not copied: set the variable where Firstright runs"),
    ("guardrails", Unsupported, "prompts are not read"),
    ("mcp_servers", Unsupported, "tools are their callers' own"),
    ("vector_store_registry", Unsupported, "vector stores live at a provider that has them"),
    ("files_settings", Manual, "files live at a provider: give one a deployment of the model `store`"),
    (
        "finetune_settings",
        Manual,
        "fine-tuning lives at a provider: give one a deployment of the model `store`",
    ),
    ("callback_settings", Unsupported, LOGS),
];

/// Reads all settings.
pub(super) fn read(source: &Source, import: &mut Import) {
    for section in source.sections("router_settings") {
        for (key, value) in section.entries() {
            match key.as_str() {
                "routing_strategy" => strategy(value, import),
                "model_group_alias" => aliases(value, import),
                "fallbacks" => fallbacks(value, import),
                "default_fallbacks" => default_fallbacks(value, import),
                "timeout" | "stream_timeout" => timeout(value, import),
                _ => {}
            }
        }
    }
    for section in source.sections("litellm_settings") {
        for (key, value) in section.entries() {
            match key.as_str() {
                "fallbacks" => fallbacks(value, import),
                "default_fallbacks" => default_fallbacks(value, import),
                "request_timeout" => timeout(value, import),
                _ => {}
            }
        }
    }
    // Those for long prompts are judged when it is known what else is accepted instead.
    for section in source.sections("router_settings").into_iter().chain(source.sections("litellm_settings")) {
        if let Some(value) = section.get("context_window_fallbacks") {
            context_fallbacks(value, import);
        }
    }
    for section in source.sections("router_settings") {
        told(section, &ROUTER, "nothing here reads this setting of the router", import);
    }
    for section in source.sections("litellm_settings") {
        budget(section, import);
        told(section, &LIBRARY, "nothing here reads this setting of the library", import);
    }
    for section in source.sections("general_settings") {
        if let Some(node) = section.get("max_parallel_requests") {
            concurrent(node, import);
        }
        if let Some(size) = section.get("max_request_size_mb") {
            request_size(size, import);
        }
        told(section, &GENERAL, "nothing here reads this setting of the server", import);
    }
    for (section, grade, message) in SECTIONS {
        for value in source.sections(section) {
            untold(value, grade, message, import);
        }
    }
}

fn told(section: &Node, table: &[Word], other: &str, import: &mut Import) {
    for (key, value) in section.entries() {
        let word = table.iter().find(|(known, _, _)| known == key);
        let (grade, message) = word.map_or((Unsupported, other), |(_, grade, message)| (*grade, *message));
        untold(value, grade, message, import);
    }
}

fn strategy(node: &Node, import: &mut Import) {
    let ours = "work goes by unmet commitments, then capacity that is paid for, then price, then the order in the law";
    match node.text().unwrap_or("") {
        "cost-based-routing" => {
            import.report.approximate(node, format!("{ours}: the cheapest, once nothing is sunk"))
        }
        "usage-based-routing" | "usage-based-routing-v2" => {
            import
                .report
                .approximate(node, format!("{ours}; what has no room by the reckoning is not tried"));
        }
        "simple-shuffle" => import.report.approximate(node, format!("{ours}, not by chance")),
        _ => import.report.unsupported(node, ours),
    }
}

fn aliases(node: &Node, import: &mut Import) {
    for (alias, value) in node.entries() {
        let of =
            value.text().or_else(|| value.get("model").and_then(Node::text)).map(id_of).unwrap_or_default();
        let why = format!(
            "no aliases: callers of `{}` must write `{of}`; a second entry would count its capacity twice",
            id_of(alias)
        );
        import.report.manual(value, why);
    }
}

/// `[{a: [b, c]}]`: whoever asks for `a` accepts `b` instead.
fn fallbacks(node: &Node, import: &mut Import) {
    for (asked, value) in node.items().iter().flat_map(Node::entries) {
        instead(asked, value, import);
    }
}

fn default_fallbacks(node: &Node, import: &mut Import) {
    instead("*", node, import);
}

fn instead(asked: &str, node: &Node, import: &mut Import) {
    let asked = if asked == "*" { asked.to_string() } else { id_of(asked) };
    let mut taken = false;
    for value in node.items() {
        let Some(model) = value.text().map(id_of) else {
            import.report.unsupported(value, "a fallback with a request of its own");
            continue;
        };
        if asked != "*" && !import.plan.serves(&asked) {
            import.report.unsupported(value, format!("no deployment serves `{asked}`"));
        } else if !import.plan.serves(&model) {
            import.report.unsupported(value, format!("no deployment serves `{model}`"));
        } else if taken {
            import
                .report
                .unsupported(value, "one model is accepted instead: those after the first are not tried");
        } else {
            taken = true;
            substitute(&asked, &model, value, import);
        }
    }
}

fn substitute(asked: &str, model: &str, node: &Node, import: &mut Import) {
    let mut tenants = Vec::new();
    for tenant in &mut import.plan.tenants {
        let uses = |name: &str| tenant.models.iter().any(|known| known == name);
        let known = tenant.substitutes.iter().any(|(known, _)| known == asked);
        if uses(model) && (asked == "*" || uses(asked)) && !known {
            tenant.substitutes.push((asked.to_string(), model.to_string()));
            tenants.push(format!("`{}`", tenant.id));
        }
    }
    if tenants.is_empty() {
        import.report.unsupported(node, "another fallback holds already, or no tenant may use both models");
        return;
    }
    let told = format!(
        "{} may be served `{model}` instead when nobody has room for `{asked}`; not because an attempt failed",
        tenants.join(", ")
    );
    import.report.approximate(node, told);
}

fn context_fallbacks(node: &Node, import: &mut Import) {
    for (asked, value) in node.items().iter().flat_map(Node::entries) {
        let asked = id_of(asked);
        for one in value.items() {
            let model = one.text().map(id_of).unwrap_or_default();
            let known = import.plan.tenants.iter().flat_map(|tenant| &tenant.substitutes);
            if known.into_iter().any(|(from, to)| *from == asked && *to == model) {
                let told = "accepted instead already, when nobody has room; a prompt too long for one provider goes to \
                            another of the same model first";
                import.report.approximate(one, told);
            } else {
                let told = format!(
                    "`substitutes = {{ \"{asked}\" = \"{model}\" }}` of a tenant would serve it whenever there is no room, \
                     not for long prompts alone: write it if that is meant"
                );
                import.report.manual(one, told);
            }
        }
    }
}

fn timeout(node: &Node, import: &mut Import) {
    let seconds = node.number().filter(|seconds| (1..=86_400).contains(seconds));
    let Some(seconds) = seconds else {
        import.report.manual(node, "not a number of seconds: write `first-byte-timeout-s`");
        return;
    };
    if let Some(known) = import.plan.gateway.first_byte_timeout_s {
        import
            .report
            .unsupported(node, format!("`first-byte-timeout-s = {known}` is set by another key already"));
        return;
    }
    import.plan.gateway.first_byte_timeout_s = Some(seconds);
    let told = format!("`first-byte-timeout-s = {seconds}`: until the first byte, not for the whole call");
    import.report.approximate(node, told);
}

fn request_size(node: &Node, import: &mut Import) {
    let bytes = node.number().and_then(|megabytes| megabytes.checked_mul(1 << 20)).filter(|bytes| *bytes > 0);
    match bytes {
        Some(bytes) => {
            import.plan.gateway.max_body_bytes = Some(bytes);
            import.report.exact(node, format!("`max-body-bytes = {bytes}`"));
        }
        None if matches!(node.kind, Kind::Null) => {}
        None => import.report.manual(node, "not a number of megabytes: write `max-body-bytes`"),
    }
}

/// What all keys together may spend: an organisation's hard budget, under which keys must be made.
fn budget(section: &Node, import: &mut Import) {
    let Some(node) = section.get("max_budget") else { return };
    let sum = node.text().and_then(|text| crate::import::decimal::parse(text)?.written());
    let duration = section.get("budget_duration");
    let (period, exact) = match duration.map(|node| node.text().unwrap_or("")) {
        None => ("", true),
        Some("1d" | "24h") => ("/day", true),
        Some("28d" | "30d" | "31d" | "1mo") => ("/month", false),
        Some(_) => return,
    };
    let Some(sum) = sum.filter(|sum| sum != "0") else { return };
    let written = format!("{sum} USD{period}");
    let told = format!(
        "`budgets = [\"{written}\"]` of the account `{0}`: make keys under it, `firstright key create ID --tenant default \
         --in {0}`",
        Account::ID
    );
    import.report.approximate(node, told);
    if let Some(duration) = duration {
        let told = if exact {
            "the budget begins anew each day"
        } else {
            "the budget begins anew each calendar month"
        };
        import.report.approximate(duration, told);
    }
    import.plan.account.budget = Some(written);
}

fn concurrent(node: &Node, import: &mut Import) {
    let Some(limit) = node.number().filter(|limit| (1..=u64::from(u32::MAX)).contains(limit)) else { return };
    let told =
        format!("`concurrent = {limit}` of the account `{}`, under which keys must be made", Account::ID);
    import.report.approximate(node, told);
    import.plan.account.concurrent = Some(limit);
}
