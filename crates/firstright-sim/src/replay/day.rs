//! What law would a trace's tenants live under? A world made to the trace's measure: a holder with provisioned and
//! pay-as-you-go capacity, and two other clouds that are cheaper by the token; and the same world otherwise arranged, to
//! hold them beside each other.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use firstright_core::units::Money;

use crate::traces::TraceCall;

/// How the same world is arranged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrangement {
    /// The holder has a standing first refusal, and provisioned capacity is bought of it.
    Contract,
    /// The holder alone may serve: one cloud, and the same provisioned capacity.
    HolderOnly,
    /// Nobody has a right and nothing is provisioned: the cheapest place with room serves.
    CheapestOnly,
}

/// List prices for a million tokens of input and output, in cents, by what a model's name says of its size. Those of the
/// first three are OpenAI's for gpt-4o, gpt-4.1-mini and gpt-4o-mini, of the fourth DeepSeek's for R1.
const PRICES: [(&str, u64, u64); 4] =
    [("large", 250, 1_000), ("mid", 40, 160), ("small", 15, 60), ("deepseek", 55, 219)];
/// Of any other model.
const OTHER: (u64, u64) = (100, 400);
/// Of the list price in percent: provisioned capacity that is fully used, and what the two others ask.
const PROVISIONED: u64 = 50;
const FIRST: u64 = 90;
const SECOND: u64 = 80;
/// Of the median minute in percent: what the holder has provisioned, as much again by the token, and the two others.
const HOLDER: u64 = 60;
const FIRST_ROOM: u64 = 60;
const SECOND_ROOM: u64 = 150;

/// What a model asks for.
struct Demand {
    /// Tokens in the median minute.
    median: u64,
    input: u64,
    output: u64,
}

fn demand(trace: &[TraceCall]) -> BTreeMap<&str, Demand> {
    let minutes = minutes(trace);
    let mut by_model: BTreeMap<&str, (BTreeMap<u64, u64>, u64, u64)> = BTreeMap::new();
    for call in trace {
        let (by_minute, input, output) = by_model.entry(&call.model).or_default();
        *by_minute.entry(call.t_ms / 60_000).or_default() += call.prompt_tokens + call.output_tokens;
        *input += call.prompt_tokens;
        *output += call.output_tokens;
    }
    let demands = by_model.into_iter().map(|(model, (by_minute, input, output))| {
        let mut all: Vec<u64> = by_minute.into_values().collect();
        all.resize(usize::try_from(minutes).unwrap_or(all.len()).max(all.len()), 0);
        all.sort_unstable();
        let median = all.get(all.len() / 2).copied().unwrap_or(0).max(1_000);
        (model, Demand { median, input, output })
    });
    demands.collect()
}

fn list(model: &str) -> (u64, u64) {
    let known = PRICES.iter().find(|(part, _, _)| model.contains(part));
    known.map_or(OTHER, |(_, input, output)| (*input, *output))
}

/// What provisioned capacity costs for the time of the trace, used or not: no settlement line holds it, for it is paid by
/// the hour. Nano-units.
pub fn provisioned(trace: &[TraceCall]) -> Money {
    let minutes = minutes(trace);
    let sums = demand(trace).into_iter().map(|(model, demand)| {
        let (input, output) = list(model);
        // A cent for a million tokens is ten nano-units a token. The mean price of the model's own mix.
        let worth = u128::from(demand.input * input + demand.output * output) * 10;
        let tokens = u128::from(share(demand.median, HOLDER)) * u128::from(minutes);
        worth * tokens / u128::from((demand.input + demand.output).max(1)) * u128::from(PROVISIONED) / 100
    });
    Money(i128::try_from(sums.sum::<u128>()).unwrap_or(i128::MAX))
}

fn minutes(trace: &[TraceCall]) -> u64 {
    trace.last().map_or(0, |call| call.t_ms / 60_000) + 1
}

fn share(tokens: u64, percent: u64) -> u64 {
    tokens * percent / 100
}

/// A world for a trace, with its models and tenants. A median minute fits the holder and not much more; the two others,
/// cheaper by the token, take what a busy one needs.
pub fn day_law(trace: &[TraceCall], arrangement: Arrangement) -> Vec<(String, String)> {
    let demands = demand(trace);
    let mut law = String::from(
        "# A world made to a trace's measure.\ncurrency = \"USD\"\n\n[[party]]\nid = \"operator\"\noperator = true\n",
    );
    for party in ["microsoft", "oracle", "softbank"] {
        let _ = write!(law, "\n[[party]]\nid = \"{party}\"\n");
    }
    let kind =
        |tokens: u64| format!("{{ pay-as-you-go = {{ tokens-per-minute = {tokens}, slice = \"10s\" }} }}");
    for (provider, party, region) in [
        ("azure", "microsoft", "us-east"),
        ("oracle-cloud", "oracle", "us-west"),
        ("softbank-cloud", "softbank", "jp-east"),
    ] {
        let _ = write!(
            law,
            "\n[[provider]]\nid = \"{provider}\"\nparty = \"{party}\"\nregion = \"{region}\"\njurisdiction = \"us\"\n"
        );
        for (model, demand) in &demands {
            let mut place = |id: &str, capacity: String, percent: u64| {
                let (input, output) = list(model);
                let price = |cents: u64| {
                    let hundredths = cents * percent;
                    format!("{}.{:04} USD/Mtok", hundredths / 10_000, hundredths % 10_000)
                };
                let _ = write!(
                    law,
                    "\n[[provider.deployment]]\nid = \"{id}-{model}\"\nmodel = \"{model}\"\ncapacity = {capacity}\n\
                     price = {{ input = \"{}\", output = \"{}\" }}\n",
                    price(input),
                    price(output)
                );
            };
            let room = |percent| share(demand.median, percent);
            match provider {
                "azure" => {
                    if arrangement != Arrangement::CheapestOnly {
                        place(
                            "azure-ptu",
                            format!("{{ provisioned = {{ per-minute = {} }} }}", room(HOLDER)),
                            100,
                        );
                    }
                    place("azure", kind(room(HOLDER)), 100);
                }
                "oracle-cloud" => place("oracle", kind(room(FIRST_ROOM)), FIRST),
                _ => place("softbank", kind(room(SECOND_ROOM)), SECOND),
            }
        }
    }
    for tenant in tenants(trace) {
        let _ = write!(law, "\n[[tenant]]\nid = \"{tenant}\"\nmax-wait = \"10s\"\n");
    }
    law += &terms(arrangement);
    vec![("day.toml".to_string(), law)]
}

/// The contract with the holder.
fn terms(arrangement: Arrangement) -> String {
    let right = match arrangement {
        Arrangement::Contract => {
            "[[agreement.first-refusal]]\nid = \"first\"\nholder = \"microsoft\"\nscope = { kinds = \"calls\" }\n\
             answering = \"standing\"\n"
        }
        Arrangement::HolderOnly => {
            "[[agreement.exclusivity]]\nid = \"only\"\nparty = \"microsoft\"\nscope = { kinds = \"calls\" }\n"
        }
        Arrangement::CheapestOnly => return String::new(),
    };
    format!(
        "\n[[agreement]]\nid = \"contract\"\nparties = [\"operator\", \"microsoft\"]\nfrom = 2026-01-01\n\n{right}"
    )
}

fn tenants(trace: &[TraceCall]) -> Vec<&str> {
    let mut names: Vec<&str> =
        trace.iter().map(|call| call.tenant.as_deref().unwrap_or(super::calls::ALL)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests;
