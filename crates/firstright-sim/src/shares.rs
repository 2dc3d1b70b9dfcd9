//! Who served how much, on what grounds, after how long a wait, and what was refused? Read from a journal's records alone,
//! simulated or live, so that two runs can be held beside each other.

use std::collections::BTreeMap;
use std::fmt;

use firstright_core::decision::{Action, Decision, Refusal};
use firstright_core::fact::Fact;
use firstright_core::journal::Record;
use firstright_core::show;
use firstright_core::text;
use firstright_core::units::{Money, Span, Timestamp};
use firstright_core::workload::CallId;
use firstright_core::world::{ProviderId, TenantId, World};

/// A tenant's 99th percentile says something from so many served calls on.
const ENOUGH: usize = 100;
/// Grounds and refusals that are shown, the most frequent first.
const SHOWN: usize = 10;

/// What a part of the calls came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    pub calls: u64,
    pub tokens: u64,
    pub cost: Money,
    /// Calls that have no price.
    pub unpriced: u64,
}

/// A tenant's calls.
#[derive(Clone, Debug, Default)]
struct Own {
    /// From arrival to being served first, in nanoseconds.
    waits: Vec<u64>,
    refused: u64,
}

/// Sums over a journal of calls.
#[derive(Debug, Default)]
pub struct Shares {
    world: Option<World>,
    arrived: BTreeMap<CallId, (TenantId, Timestamp)>,
    serving: BTreeMap<CallId, ProviderId>,
    tenants: BTreeMap<TenantId, Own>,
    providers: BTreeMap<ProviderId, Share>,
    grounds: BTreeMap<String, u64>,
    refusals: BTreeMap<String, u64>,
    calls: u64,
    queued: u64,
    spilled: u64,
}

/// How waits are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waits {
    pub median: Span,
    pub p99: Span,
}

impl Shares {
    /// Takes the next record.
    pub fn record(&mut self, record: &Record) {
        match &record.fact {
            Fact::Enacted { sources } => {
                if let (Some(world), _) = text::read(sources) {
                    self.world = Some(world);
                }
            }
            Fact::CallArrived(call) => {
                self.calls += 1;
                self.arrived.insert(call.id, (call.tenant, record.at));
            }
            Fact::CallSettled { call, usage, .. } => {
                if let Some(provider) = self.serving.get(call) {
                    self.providers.entry(*provider).or_default().tokens += usage.tokens();
                }
            }
            _ => {}
        }
        for decision in &record.decisions {
            self.decided(record.at, decision);
        }
    }

    fn decided(&mut self, at: Timestamp, decision: &Decision) {
        match &decision.action {
            Action::Serve { call, deployment, title, .. } => {
                let Some(world) = &self.world else { return };
                let provider = world.deployment(*deployment).provider;
                let first = self.arrived.remove(call);
                if let Some((tenant, arrived)) = first {
                    self.tenants.entry(tenant).or_default().waits.push(at.0.saturating_sub(arrived.0));
                    let spilled = title.holds().is_none() && !title.releases().is_empty();
                    self.spilled += u64::from(spilled);
                    *self.grounds.entry(rules(world, decision)).or_default() += 1;
                }
                // A call that is tried again elsewhere belongs to whoever answers it.
                if let Some(before) = self.serving.insert(*call, provider) {
                    self.providers.entry(before).or_default().calls -= 1;
                }
                self.providers.entry(provider).or_default().calls += 1;
            }
            Action::Queue { .. } => self.queued += 1,
            Action::Refuse { call, refusal } => {
                if let Some((tenant, _)) = self.arrived.remove(call) {
                    self.tenants.entry(tenant).or_default().refused += 1;
                }
                if let Some(provider) = self.serving.remove(call) {
                    self.providers.entry(provider).or_default().calls -= 1;
                }
                *self.refusals.entry(reason(refusal)).or_default() += 1;
            }
            Action::Settle { call, cost, .. } => {
                let Some(provider) = self.serving.remove(call) else { return };
                let share = self.providers.entry(provider).or_default();
                match cost {
                    Some(cost) => share.cost = Money(share.cost.0 + cost.0),
                    None => share.unpriced += 1,
                }
            }
            _ => {}
        }
    }

    /// What usage cost, all providers together.
    pub fn cost(&self) -> Money {
        Money(self.providers.values().map(|share| share.cost.0).sum())
    }

    /// Waits of all calls that were served.
    pub fn waits(&self) -> Waits {
        waits(self.tenants.values().flat_map(|own| own.waits.iter().copied()).collect())
    }

    /// Tenants with enough served calls by their 99th percentile, the longest last: id, percentile, served calls.
    pub fn tenants_by_p99(&self) -> Vec<(TenantId, Span, usize)> {
        let enough = self.tenants.iter().filter(|(_, own)| own.waits.len() >= ENOUGH);
        let mut all: Vec<_> =
            enough.map(|(id, own)| (*id, waits(own.waits.clone()).p99, own.waits.len())).collect();
        all.sort_by_key(|(id, p99, _)| (*p99, *id));
        all
    }

    /// Calls that were refused.
    pub fn refused(&self) -> u64 {
        self.refusals.values().sum()
    }

    /// Calls that a holder released.
    pub fn spilled(&self) -> u64 {
        self.spilled
    }
}

/// Percentiles by nearest rank.
fn waits(mut all: Vec<u64>) -> Waits {
    all.sort_unstable();
    let rank = |percent: usize| {
        let at = (all.len() * percent).div_ceil(100).saturating_sub(1);
        Span(all.get(at).copied().unwrap_or(0))
    };
    Waits { median: rank(50), p99: rank(99) }
}

/// The rules that determined a decision, each once, without places, figures and times.
fn rules(world: &World, decision: &Decision) -> String {
    let mut rules: Vec<String> = Vec::new();
    for reason in show::reasons(world, decision) {
        for part in reason.split('[').skip(1) {
            let Some((rule, _)) = part.split_once(']') else { continue };
            if !rules.iter().any(|known| known == rule) {
                rules.push(rule.to_string());
            }
        }
    }
    if rules.is_empty() { "no right in the way".to_string() } else { rules.join(" ") }
}

/// A refusal without times and accounts.
fn reason(refusal: &Refusal) -> String {
    let whole = match refusal {
        Refusal::Capacity { .. } => "capacity".to_string(),
        other => show::refusal(other),
    };
    whole.split(';').next().unwrap_or("").to_string()
}

/// With one decimal.
fn percent(part: u64, of: u64) -> String {
    let tenths = u128::from(part) * 1_000 / u128::from(of.max(1));
    format!("{}.{} %", tenths / 10, tenths % 10)
}

/// In milliseconds, or in seconds with one decimal.
fn shown(span: Span) -> String {
    let ms = span.0 / 1_000_000;
    if ms < 10_000 { format!("{ms} ms") } else { format!("{}.{} s", ms / 1_000, ms % 1_000 / 100) }
}

/// In whole units of the currency's hundredth.
fn sum(money: Money) -> String {
    money.to_cents(firstright_core::units::Rounding::HalfEven).to_string()
}

impl fmt::Display for Shares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(world) = &self.world else { return writeln!(f, "no law, and so no calls") };
        let served: u64 = self.providers.values().map(|share| share.calls).sum();
        let tokens: u64 = self.providers.values().map(|share| share.tokens).sum();
        writeln!(
            f,
            "{} calls of {} tenants: {served} served ({tokens} tokens), {} refused ({}), {} waited ({})",
            self.calls,
            self.tenants.len(),
            self.refused(),
            percent(self.refused(), self.calls),
            self.queued,
            percent(self.queued, self.calls),
        )?;
        writeln!(f, "spilled by a holder: {} ({})", self.spilled, percent(self.spilled, self.calls))?;
        for (id, share) in &self.providers {
            let unpriced =
                if share.unpriced > 0 { format!(", {} unpriced", share.unpriced) } else { String::new() };
            writeln!(
                f,
                "  {}: {} of calls, {} of tokens, {} {}{unpriced}",
                world.provider(*id).id,
                percent(share.calls, served),
                percent(share.tokens, tokens),
                sum(share.cost),
                world.currency,
            )?;
        }
        writeln!(f, "usage together: {} {}", sum(self.cost()), world.currency)?;
        most(f, "on the ground of", &self.grounds, served)?;
        most(f, "refused", &self.refusals, self.calls)?;
        let all = self.waits();
        writeln!(f, "waits: median {}, p99 {}", shown(all.median), shown(all.p99))?;
        let tenants = self.tenants_by_p99();
        if let (Some((worst, p99, calls)), Some((_, median, _))) =
            (tenants.last(), tenants.get(tenants.len() / 2))
        {
            writeln!(
                f,
                "  p99 of the tenants with {ENOUGH} served calls and more ({}): median {}, worst {} ({}, {calls} calls)",
                tenants.len(),
                shown(*median),
                shown(*p99),
                world.tenant(*worst).id,
            )?;
        }
        let share = |own: &Own| own.refused * 1_000_000 / (own.refused + own.waits.len() as u64).max(1);
        let enough = self.tenants.iter().filter(|(_, own)| own.waits.len() + own.refused as usize >= ENOUGH);
        let mut refused: Vec<(u64, TenantId)> = enough.map(|(id, own)| (share(own), *id)).collect();
        refused.sort_unstable();
        if let (Some((worst, id)), Some((median, _))) = (refused.last(), refused.get(refused.len() / 2)) {
            writeln!(
                f,
                "  refused: median tenant {}, worst {} ({})",
                percent(*median, 1_000_000),
                percent(*worst, 1_000_000),
                world.tenant(*id).id
            )?;
        }
        Ok(())
    }
}

fn most(f: &mut fmt::Formatter<'_>, title: &str, counts: &BTreeMap<String, u64>, of: u64) -> fmt::Result {
    let mut all: Vec<(&String, &u64)> = counts.iter().collect();
    all.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    if !all.is_empty() {
        writeln!(f, "{title}:")?;
    }
    for (name, count) in all.iter().take(SHOWN) {
        writeln!(f, "  {name}: {count} ({})", percent(**count, of))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
