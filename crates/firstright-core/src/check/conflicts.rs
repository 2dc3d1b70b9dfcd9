//! Which two clauses cannot both be honoured?

use alloc::format;
use alloc::vec::Vec;

use crate::check::Check;
use crate::clause::{Clause, Exclusivity, Price};
use crate::scope::{Glob, Kinds, Scope};
use crate::world::{ClauseId, Entry, World};

/// Two parties that alone may serve the same workload at the same time.
pub(super) fn exclusivities(cx: &mut Check<'_, '_>) {
    let world = cx.world;
    let all: Vec<(ClauseId, &Entry, &Exclusivity)> = world
        .entries()
        .filter_map(|(id, entry)| match &entry.clause {
            Clause::Exclusivity(clause) => Some((id, entry, clause)),
            _ => None,
        })
        .collect();
    for (place, (id, entry, clause)) in all.iter().enumerate() {
        let rivals = all.iter().take(place).filter(|(_, other_entry, other)| {
            other.party != clause.party && together(entry, other_entry) && contradict(clause, other)
        });
        for (other, _, rival) in rivals {
            let message = format!(
                "`{}` and `{}` contradict each other: {} and {} would each alone serve the same workloads",
                world.cite(*other),
                world.cite(*id),
                world.party(rival.party).id,
                world.party(clause.party).id,
            );
            let help = "narrow one of the scopes, or except the overlap in `exceptions`";
            cx.error((*id, "scope"), "contradiction", message, help);
        }
    }
}

/// Is there a time at which both are in force?
pub(super) fn together(one: &Entry, other: &Entry) -> bool {
    one.from.max(other.from) < one.until.min(other.until)
}

fn contradict(one: &Exclusivity, other: &Exclusivity) -> bool {
    if !one.scope.overlaps(&other.scope) {
        return false;
    }
    let shared = intersection(&one.scope, &other.scope);
    !one.exceptions.iter().chain(&other.exceptions).any(|exception| exception.covers(&shared))
}

/// The scope of what both cover, when they overlap.
pub(super) fn intersection(a: &Scope, b: &Scope) -> Scope {
    let mut labels = a.labels.clone();
    labels.extend(b.labels.iter().filter(|label| !a.labels.contains(label)).cloned());
    Scope {
        kinds: if a.kinds == Kinds::Any { b.kinds } else { a.kinds },
        purposes: narrower(&a.purposes, &b.purposes),
        models: narrower(&a.models, &b.models),
        tenants: narrower(&a.tenants, &b.tenants),
        regions: narrower(&a.regions, &b.regions),
        data_classes: narrower(&a.data_classes, &b.data_classes),
        labels,
        accelerators: narrower(&a.accelerators, &b.accelerators),
        at_least: a.at_least.max(b.at_least),
        at_most: [a.at_most, b.at_most].into_iter().flatten().min(),
    }
}

fn narrower(a: &[Glob], b: &[Glob]) -> Vec<Glob> {
    if a.is_empty() || b.is_empty() {
        return if a.is_empty() { b } else { a }.to_vec();
    }
    let pairs = a.iter().flat_map(|one| b.iter().map(move |other| (one, other)));
    let shared = pairs.filter(|(one, other)| one.overlaps(other));
    // Of two matchers that overlap, the longer text is the narrower one; a name is narrower than its prefix with `*`.
    let narrow = |(one, other): (&Glob, &Glob)| {
        let wide = one.0.ends_with('*') && (!other.0.ends_with('*') || one.0.len() <= other.0.len());
        if wide { other.clone() } else { one.clone() }
    };
    shared.map(narrow).collect()
}

/// Two contract prices that began at once and fit the same unit: neither began last.
pub(super) fn prices(cx: &mut Check<'_, '_>) {
    let world = cx.world;
    let all: Vec<(ClauseId, &Entry, &Price)> = world
        .entries()
        .filter_map(|(id, entry)| match &entry.clause {
            Clause::Price(clause) => Some((id, entry, clause)),
            _ => None,
        })
        .collect();
    for (place, (id, entry, price)) in all.iter().enumerate() {
        for (other, other_entry, rival) in all.iter().take(place) {
            if entry.from != other_entry.from || !together(entry, other_entry) {
                continue;
            }
            if let Some(unit) = shared_unit(world, price, rival) {
                let (first, second) = (world.cite(*other), world.cite(*id));
                let message = format!("`{first}` and `{second}` both price {unit} from the same time on");
                let help = "the one that began last holds: give one a later `from`, or narrow it";
                cx.error((*id, "id"), "ambiguous-price", message, help);
            }
        }
    }
}

/// What both price. A context band goes before a price without one, and a higher band before a lower one.
fn shared_unit(world: &World, one: &Price, other: &Price) -> Option<alloc::string::String> {
    let input = one.over_input.map_or(0, |over| over.saturating_add(1));
    let calls = world.deployments.iter().find(|deployment| {
        one.over_input == other.over_input
            && one.rates(world, deployment, one.tier, input).is_some()
            && other.rates(world, deployment, one.tier, input).is_some()
    });
    if let Some(deployment) = calls {
        return Some(format!("`{}`", deployment.id));
    }
    let pools =
        world.providers.iter().flat_map(|provider| provider.pools.iter().map(move |pool| (provider, pool)));
    let mut shared = pools.filter(|(provider, pool)| {
        one.hour(provider, pool).is_some() && other.hour(provider, pool).is_some()
    });
    shared.next().map(|(provider, pool)| format!("{} at `{}`", pool.accelerator, provider.id))
}
