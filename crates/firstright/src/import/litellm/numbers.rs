//! How much, and for how much? Limits as capacity, costs as prices, dates as terms.

use firstright_core::units::days_of;

use super::models::Item;
use crate::import::Import;
use crate::import::decimal;
use crate::import::known::tokens_per_unit;
use crate::import::plan::{Capacity, Price};
use crate::import::yaml::Node;

/// Tokens a minute that are presumed of a provisioned unit of a model that nobody publishes: the least that any gives.
const PRESUMED_PER_UNIT: u64 = 2_500;

/// The capacity of a deployment.
pub(super) fn capacity(item: &Item<'_>, id: &str, import: &mut Import) -> Capacity {
    if let Some(units) = item.info("ptu_count") {
        if let Some(count) = units.number().filter(|count| *count > 0) {
            return provisioned(item, units, count, id, import);
        }
        import.report.manual(units, "not a number of units: write the capacity yourself");
    }
    let requests = limit(item, "rpm", "requests", import);
    let tokens = tokens(item, import);
    let at_once = limit(item, "max_parallel_requests", "calls at once", import);
    if let (None, None, Some((node, limit))) = (requests, tokens, at_once) {
        import.report.exact(node, format!("`{id}` takes {limit} calls at once"));
        return Capacity::Concurrent(limit);
    }
    if let Some((node, limit)) = requests {
        import.report.exact(node, format!("`{id}` takes {limit} requests a minute, in slices of 10 s"));
    }
    if let Some((node, _)) = at_once {
        let why = "a deployment has one kind of capacity, and its limits of a minute are taken";
        import.report.unsupported(node, why);
    }
    Capacity::PayAsYouGo { tokens, requests: requests.map(|(_, limit)| limit) }
}

fn provisioned(item: &Item<'_>, units: &Node, count: u64, id: &str, import: &mut Import) -> Capacity {
    let base = item.info("base_model").or(Some(item.model)).and_then(Node::text).unwrap_or("");
    let base = base.rsplit('/').next().unwrap_or(base);
    let given = item.params.get("tpm").and_then(Node::number).filter(|limit| *limit > 0);
    let per_minute = match (given, tokens_per_unit(base)) {
        (Some(given), _) => {
            if let Some(node) = item.params.get("tpm") {
                import.report.exact(node, format!("`{id}` takes {given} tokens a minute"));
            }
            import.report.exact(units, format!("{count} provisioned units"));
            given
        }
        (None, Some(per_unit)) => {
            let told = format!(
                "{count} provisioned units at {per_unit} input tokens a minute each, as Microsoft publishes for `{base}`"
            );
            import.report.approximate(units, told);
            per_unit.saturating_mul(count)
        }
        (None, None) => {
            let told = format!(
                "{count} provisioned units: what one gives of `{base}` is not known here; {PRESUMED_PER_UNIT} tokens a \
                 minute each are presumed, write what yours give in `per-minute`"
            );
            import.report.manual(units, told);
            PRESUMED_PER_UNIT.saturating_mul(count)
        }
    };
    for key in ["rpm", "itpm", "otpm", "max_parallel_requests"] {
        if let Some(node) = item.params.get(key) {
            import.report.unsupported(node, "provisioned capacity is counted in tokens alone");
        }
    }
    Capacity::Provisioned { per_minute, units: count }
}

/// A limit above zero. What is no number is told.
fn limit<'n>(item: &Item<'n>, key: &str, what: &str, import: &mut Import) -> Option<(&'n Node, u64)> {
    let node = item.params.get(key)?;
    let number = node.number().filter(|limit| *limit > 0);
    if number.is_none() {
        import.report.manual(node, format!("not a number of {what}: write the capacity yourself"));
    }
    number.map(|number| (node, number))
}

/// Tokens a minute: as one limit, or as the sum of those of input and output.
fn tokens(item: &Item<'_>, import: &mut Import) -> Option<u64> {
    let (whole, input, output) = (
        limit(item, "tpm", "tokens", import),
        limit(item, "itpm", "tokens", import),
        limit(item, "otpm", "tokens", import),
    );
    if let Some((node, limit)) = whole {
        import.report.exact(node, format!("{limit} tokens a minute"));
        for (node, _) in [input, output].into_iter().flatten() {
            import.report.unsupported(node, "tokens are counted together, and `tpm` gives their limit");
        }
        return Some(limit);
    }
    let sum = [input, output].into_iter().flatten().map(|(_, limit)| limit).reduce(u64::saturating_add)?;
    for (node, _) in [input, output].into_iter().flatten() {
        import.report.approximate(node, format!("tokens are counted together: {sum} a minute"));
    }
    Some(sum)
}

/// LiteLLM's key, the power of ten between its unit and the law's, the law's key and unit.
const RATES: [(&str, i32, &str, &str); 11] = [
    ("input_cost_per_token", 6, "input", "Mtok"),
    ("cache_read_input_token_cost", 6, "cached-input", "Mtok"),
    ("cache_creation_input_token_cost", 6, "cache-write", "Mtok"),
    ("cache_creation_input_token_cost_above_1hr", 6, "cache-write-hour", "Mtok"),
    ("output_cost_per_token", 6, "output", "Mtok"),
    ("output_cost_per_reasoning_token", 6, "reasoning", "Mtok"),
    ("input_cost_per_audio_token", 6, "audio-input", "Mtok"),
    ("output_cost_per_audio_token", 6, "audio-output", "Mtok"),
    ("output_cost_per_image", 0, "image", "image"),
    ("input_cost_per_character", 6, "character", "Mchar"),
    ("input_cost_per_request", 0, "request", "request"),
];

/// Prices: the entry's own, in `litellm_params` or `model_info`.
pub(super) fn price(item: &Item<'_>, id: &str, import: &mut Import) -> Price {
    let mut price = Price::new();
    for (key, power, ours, unit) in RATES {
        let (node, shadowed) = match (item.params.get(key), item.info(key)) {
            (Some(node), other) => (node, other),
            (None, Some(node)) => (node, None),
            (None, None) => continue,
        };
        if let Some(shadowed) = shadowed {
            import.report.unsupported(shadowed, "the same key in `litellm_params` goes before it");
        }
        match node.text().and_then(|text| decimal::parse(text)?.times_ten_to(power).written()) {
            Some(sum) => {
                import.report.exact(node, format!("`{id}`: {ours} = \"{sum} USD/{unit}\""));
                price.push((ours, format!("{sum} USD/{unit}")));
            }
            None => {
                import.report.manual(node, "not a price that can be counted exactly: write it in the law");
            }
        }
    }
    if price.is_empty() {
        let why = if item.info("ptu_count").is_some() {
            "no price is written: provisioned capacity is paid by the hour"
        } else {
            "no price is written, and LiteLLM's own list is not read: unpriced, and so chosen last, until the law gives \
             `price`"
        };
        import.report.manual(item.model, why);
    }
    price
}

/// A moment as the law writes it.
pub(super) struct Date {
    pub text: String,
    /// Since 1970.
    pub hours: u64,
}

/// A date, or a time in UTC: `2026-01-01`, `2026-01-01T00:00:00Z`, with or without an offset of zero.
pub(super) fn date(node: &Node) -> Option<Date> {
    let text = node.text()?.trim();
    let (day, time) = text.split_once(['T', ' ']).unwrap_or((text, ""));
    let mut parts = day.split('-').map(|part| part.parse::<u64>().ok());
    let days = days_of(parts.next()??, parts.next()??, parts.next()??)?;
    if parts.next().is_some() {
        return None;
    }
    let time = time.trim_end_matches("+00:00").trim_end_matches('Z');
    let mut clock = time.split(':');
    let hour: u64 = match clock.next() {
        Some("") | None => 0,
        Some(hour) => hour.parse().ok().filter(|hour| *hour < 24)?,
    };
    // Terms of provisioned units begin with the hour; what is finer is not sold.
    let whole = clock.all(|part| part.split('.').next().unwrap_or("").chars().all(|c| c == '0'));
    let text = format!("{day}T{hour:02}:00:00Z");
    whole.then_some(Date { text, hours: days * 24 + hour })
}
