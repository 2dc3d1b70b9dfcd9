//! Which party cannot do, or was never asked to agree to, what a clause says of it?

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::check::Check;
use crate::check::reach::has_provider;
use crate::clause::{Act, Clause};
use crate::scope::{Scope, any};
use crate::text::scopes::{speaks_of_calls, speaks_of_jobs};
use crate::usage::Tier;
use crate::world::{ClauseId, PartyId, World};

/// A clause binds those who signed its agreement.
pub(super) fn signatures(cx: &mut Check<'_, '_>) {
    let world = cx.world;
    for (id, entry) in world.entries() {
        let agreement = world.agreement(entry.agreement);
        for (key, party) in parties(&entry.clause) {
            if !agreement.parties.contains(&party) {
                let name = &world.party(party).id;
                let message = format!("`{}` binds `{name}`, who did not sign it", world.cite(id));
                let help = format!("add `{name}` to the parties of `{}`", agreement.id);
                cx.error((id, key), "not-signed", message, help);
            }
        }
    }
}

/// The parties that a clause names, with their keys.
fn parties(clause: &Clause) -> Vec<(&'static str, PartyId)> {
    match clause {
        Clause::FirstRefusal(clause) => Vec::from([("holder", clause.holder)]),
        Clause::Exclusivity(clause) => Vec::from([("party", clause.party)]),
        Clause::Licence(clause) => Vec::from([("licensor", clause.licensor), ("licensee", clause.licensee)]),
        Clause::Commitment(clause) => Vec::from([("by", clause.by), ("to", clause.to)]),
        Clause::RevenueShare(clause) => Vec::from([("payer", clause.payer), ("payee", clause.payee)]),
        Clause::Price(clause) => Vec::from([("party", clause.party)]),
        Clause::Assurance(_) => Vec::new(),
        Clause::ServiceLevel(clause) => Vec::from([("party", clause.party)]),
    }
}

/// A party that is to serve needs something to serve with.
pub(super) fn capacity(cx: &mut Check<'_, '_>) {
    let world = cx.world;
    for (id, entry) in world.entries() {
        let (key, party, lack) = match &entry.clause {
            Clause::FirstRefusal(clause) => ("holder", clause.holder, "it can never accept"),
            Clause::Exclusivity(clause) => ("party", clause.party, "nobody at all may serve the scope"),
            Clause::Licence(clause) => ("licensee", clause.licensee, "it has nothing to host with"),
            Clause::Commitment(clause) => ("to", clause.to, "nothing can be bought from it"),
            Clause::Price(clause) => ("party", clause.party, "there is nothing to price"),
            Clause::ServiceLevel(clause) => ("party", clause.party, "there is nothing to measure"),
            Clause::RevenueShare(_) | Clause::Assurance(_) => continue,
        };
        if has_provider(world, party) {
            continue;
        }
        let (cite, name) = (world.cite(id), &world.party(party).id);
        let message = format!("`{cite}` counts on `{name}`, which has no provider: {lack}");
        let help = "add a `[[provider]]` of that party, or leave the clause out";
        if matches!(entry.clause, Clause::Exclusivity(_)) {
            cx.error((id, key), "no-provider", message, help);
        } else {
            cx.warn((id, key), "no-provider", message, help);
        }
    }
}

/// Who has a right to serve must be licensed for what it may serve.
pub(super) fn licences(cx: &mut Check<'_, '_>) {
    let world = cx.world;
    for (id, entry) in world.entries().filter(|(_, entry)| entry.from < entry.until) {
        let (key, party, scope) = match &entry.clause {
            Clause::FirstRefusal(clause) => ("holder", clause.holder, &clause.scope),
            Clause::Exclusivity(clause) => ("party", clause.party, &clause.scope),
            _ => continue,
        };
        if !has_provider(world, party) {
            continue;
        }
        let missing: Vec<String> = unlicensed(world, id, party, scope);
        if !missing.is_empty() {
            let (cite, name) = (world.cite(id), &world.party(party).id);
            let message = format!(
                "`{cite}` is a right of `{name}`, which is not licensed for `{}`",
                missing.join("`, `")
            );
            let help = "add a licence clause, or narrow the scope's models";
            cx.warn((id, key), "unlicensed", message, help);
        }
    }
}

/// The models in the scope that the party would need a licence for and has none at any time of the clause.
fn unlicensed(world: &World, id: ClauseId, party: PartyId, scope: &Scope) -> Vec<String> {
    let entry = world.clause(id);
    let act = match (speaks_of_calls(scope), speaks_of_jobs(scope) && !scope.models.is_empty()) {
        (true, _) => Act::Serve,
        (false, true) => Act::Train,
        // Jobs whose models the scope does not name may be of models that no licence governs.
        (false, false) => return Vec::new(),
    };
    let licences = || {
        world.entries().filter_map(|(_, other)| match &other.clause {
            Clause::Licence(licence) => Some((other, licence)),
            _ => None,
        })
    };
    let reached = |model: &&String| {
        let wanted =
            |tenant: &crate::world::Tenant| any(&scope.tenants, &tenant.id) && any(&tenant.models, model);
        any(&scope.models, model) && (act == Act::Train || world.tenants.iter().any(wanted))
    };
    let lacks = |model: &&String| {
        let governed = licences().any(|(_, licence)| licence.governs(model));
        let permitted = licences().any(|(other, licence)| {
            let mut providers = world.providers.iter().filter(|provider| provider.party == party);
            super::conflicts::together(entry, other) && providers.any(|p| licence.permits(p, model, act))
        });
        governed && !permitted
    };
    world.models.iter().filter(reached).filter(lacks).cloned().collect()
}

/// Shares of the operator's revenue are paid by it or to it.
pub(super) fn shares(cx: &mut Check<'_, '_>) {
    let (world, operator) = (cx.world, cx.world.operator());
    for (id, entry) in world.entries() {
        let Clause::RevenueShare(clause) = &entry.clause else { continue };
        if clause.payer != operator && clause.payee != operator {
            let message = format!("`{}` shares the operator's revenue between others", world.cite(id));
            let help = format!("`{}` is the operator: is it the payer?", world.party(operator).id);
            cx.warn((id, "payer"), "no-operator-side", message, help);
        }
    }
}

/// What has no price is never free: it cannot be compared, and is settled as unpriced.
pub(super) fn prices(cx: &mut Check<'_, '_>) {
    let world = cx.world;
    let contract = || {
        world.in_force(cx.at).filter_map(|(_, entry)| match &entry.clause {
            Clause::Price(price) => Some(price),
            _ => None,
        })
    };
    let mut found = Vec::new();
    for (place, deployment) in world.deployments.iter().enumerate() {
        let priced =
            contract().any(|price| price.rates(world, deployment, Tier::Default, u64::MAX).is_some());
        if deployment.rates.is_none() && !priced {
            let spot = cx.positions.deployments.get(place).map(|spot| spot.at.clone());
            found.push((spot, format!("the deployment `{}` has no price", deployment.id)));
        }
    }
    for (place, provider) in world.providers.iter().enumerate() {
        for (number, pool) in provider.pools.iter().enumerate() {
            let priced = contract().any(|price| price.hour(provider, pool).is_some());
            if pool.hour.is_none() && !priced {
                let spot = cx.positions.pools.get(place).and_then(|pools| pools.get(number));
                let spot = spot.map(|spot| spot.key("accelerator").clone());
                found.push((spot, format!("{} at `{}` has no price", pool.accelerator, provider.id)));
            }
        }
    }
    for (spot, message) in found {
        let help = "give it a catalogue price, or a price clause that is in force";
        cx.warn_at(spot, "unpriced", message, help);
    }
}
