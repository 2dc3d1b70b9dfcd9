//! Which clause can never apply, because nothing in this world falls under it?

use alloc::format;
use alloc::string::{String, ToString};

use crate::check::Check;
use crate::check::conflicts::intersection;
use crate::check::eligible::call;
use crate::clause::{Act, CarveOut, Clause, Exclusivity, FirstRefusal, Licence, Price};
use crate::scope::{Scope, any};
use crate::text::scopes::{speaks_of_calls, speaks_of_jobs};
use crate::world::{ClauseId, Entry, PartyId, World};

pub(super) fn clauses(cx: &mut Check<'_, '_>) {
    let world = cx.world;
    for (id, entry) in world.entries().filter(|(_, entry)| entry.from < entry.until) {
        let (key, nothing) = match &entry.clause {
            Clause::FirstRefusal(clause) => {
                carve_outs(cx, id, clause);
                behind(cx, id, entry, clause);
                ("scope", empty(world, &clause.scope))
            }
            Clause::Exclusivity(clause) => {
                exceptions(cx, id, clause);
                ("scope", empty(world, &clause.scope))
            }
            Clause::Commitment(clause) => ("scope", empty(world, &clause.scope)),
            Clause::RevenueShare(clause) => ("scope", empty(world, &clause.scope)),
            Clause::ServiceLevel(clause) => ("scope", empty(world, &clause.scope)),
            Clause::Assurance(clause) => {
                let probation = clause.qualification.as_ref().filter(|qualification| {
                    !world.providers.iter().any(|provider| any(&qualification.providers, &provider.id))
                });
                match probation {
                    Some(_) => ("qualification", Some("no provider is on its probation".to_string())),
                    None => ("scope", empty(world, &clause.scope)),
                }
            }
            Clause::Licence(clause) => licence(world, clause),
            Clause::Price(clause) => price(world, clause),
        };
        if let Some(why) = nothing {
            let message = format!("`{}` can never apply: {why}", world.cite(id));
            cx.warn((id, key), "never-applies", message, "check the names, or leave the clause out");
        }
    }
}

/// Why no workload of this world falls in the scope.
fn empty(world: &World, scope: &Scope) -> Option<String> {
    if !world.tenants.iter().any(|tenant| any(&scope.tenants, &tenant.id)) {
        return Some("no tenant falls in its scope".to_string());
    }
    if calls(world, scope) || jobs(world, scope) {
        return None;
    }
    if !scope.accelerators.is_empty() || scope.at_least.is_some() {
        return Some("no pool has such accelerators, or so many".to_string());
    }
    if !scope.models.is_empty() && !world.models.iter().any(|model| any(&scope.models, model)) {
        return Some("no deployment serves such a model".to_string());
    }
    Some("no tenant's workload falls in its scope".to_string())
}

fn calls(world: &World, scope: &Scope) -> bool {
    speaks_of_calls(scope)
        && world.tenants.iter().any(|tenant| {
            let models = world.models.iter().filter(|model| any(&tenant.models, model));
            models.into_iter().any(|model| scope.matches(&call(tenant, model)))
        })
}

/// Jobs name their models, classes and labels themselves; only accelerators and their number are given by the world.
fn jobs(world: &World, scope: &Scope) -> bool {
    let pools = world.providers.iter().flat_map(|provider| &provider.pools);
    let fit = pools.filter(|pool| any(&scope.accelerators, &pool.accelerator));
    let most = fit.map(|pool| u64::from(pool.count)).fold(0, u64::saturating_add);
    speaks_of_jobs(scope) && most > 0 && u64::from(scope.at_least.unwrap_or(0)) <= most
}

fn licence(world: &World, clause: &Licence) -> (&'static str, Option<String>) {
    let mut providers =
        world.providers.iter().filter(|provider| provider.party == clause.licensee).peekable();
    if providers.peek().is_some() && !providers.any(|provider| any(&clause.regions, &provider.region)) {
        return ("regions", Some("its licensee has no provider in such a region".to_string()));
    }
    let served = world.models.iter().any(|model| clause.governs(model));
    let serves_only = !clause.acts.contains(&Act::Train);
    ("models", (serves_only && !served).then(|| "no deployment serves such a model".to_string()))
}

fn price(world: &World, clause: &Price) -> (&'static str, Option<String>) {
    let input = clause.over_input.map_or(0, |over| over.saturating_add(1));
    let prices = |deployment| clause.rates(world, deployment, clause.tier, input).is_some();
    let calls = world.deployments.iter().any(prices);
    let mut places = world.providers.iter().filter(|provider| provider.party == clause.party).peekable();
    let none = places.peek().is_none();
    let jobs = places.any(|provider| provider.pools.iter().any(|pool| clause.hour(provider, pool).is_some()));
    let nothing = !calls && !jobs && !none;
    ("id", nothing.then(|| "its party has nothing that it prices".to_string()))
}

fn exceptions(cx: &mut Check<'_, '_>, id: ClauseId, clause: &Exclusivity) {
    for exception in &clause.exceptions {
        exempts(cx, (id, "exceptions"), &clause.scope, exception);
    }
}

fn carve_outs(cx: &mut Check<'_, '_>, id: ClauseId, clause: &FirstRefusal) {
    for carve_out in &clause.carve_outs {
        match carve_out {
            CarveOut::Scope(scope) => exempts(cx, (id, "carve-outs"), &clause.scope, scope),
            CarveOut::Emergency(left) => {
                if left.0 == 0 || !speaks_of_jobs(&clause.scope) {
                    let cite = cx.world.cite(id);
                    let message = format!("the emergency carve-out of `{cite}` never matches");
                    let help = "it speaks of jobs that lost their provider with some time left to run";
                    cx.warn((id, "carve-outs"), "idle-exception", message, help);
                }
            }
        }
    }
}

/// An exception takes something out of a scope, or it says nothing.
fn exempts(cx: &mut Check<'_, '_>, at: (ClauseId, &str), scope: &Scope, exception: &Scope) {
    let outside = !scope.overlaps(exception)
        || (!speaks_of_jobs(scope) && !speaks_of_calls(exception))
        || (!speaks_of_calls(scope) && !speaks_of_jobs(exception));
    let why = if outside {
        Some("it lies outside the clause's scope".to_string())
    } else {
        empty(cx.world, &intersection(scope, exception))
    };
    if let Some(why) = why {
        let message = format!("an exception of `{}` never matches", cx.world.cite(at.0));
        cx.warn(at, "idle-exception", message, why);
    } else if exception.covers(scope) {
        let message = format!("`{}` can never apply: an exception takes all of it away", cx.world.cite(at.0));
        cx.warn(at, "never-applies", message, "narrow the exception");
    }
}

/// A right that lies entirely behind somebody else's exclusivity is never asked for.
fn behind(cx: &mut Check<'_, '_>, id: ClauseId, entry: &Entry, clause: &FirstRefusal) {
    let world = cx.world;
    let wall = world.entries().find(|(_, other)| match &other.clause {
        Clause::Exclusivity(wall) => {
            wall.party != clause.holder
                && other.from <= entry.from
                && entry.until <= other.until
                && wall.scope.covers(&clause.scope)
                && !wall.exceptions.iter().any(|exception| exception.overlaps(&clause.scope))
        }
        _ => false,
    });
    if let Some((wall, _)) = wall {
        let (cite, wall) = (world.cite(id), world.cite(wall));
        let message = format!("`{cite}` can never apply: all of it is exclusive to another by `{wall}`");
        cx.warn((id, "scope"), "never-applies", message, "except it there, or leave it out here");
    }
}

/// Does the party run a provider?
pub(super) fn has_provider(world: &World, party: PartyId) -> bool {
    world.providers.iter().any(|provider| provider.party == party)
}
