//! Which numbers do things have under a new law? Those that the law before it gave them: facts and open workloads name
//! things by number, so a number is never given twice within a book. What the new law leaves out keeps its number and is
//! no part of the law any more; what is new gets the next.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{
    Agreement, AgreementId, ClauseId, Deployment, Entry, ModelId, PartyId, Provider, ProviderId, Tenant,
    World,
};
use crate::clause::Clause;

/// What is part of the law, by number and in the order of the files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Order {
    pub parties: Vec<u16>,
    pub providers: Vec<u16>,
    pub deployments: Vec<u16>,
    pub tenants: Vec<u16>,
    /// Sorted by name.
    pub models: Vec<u16>,
    pub clauses: Vec<u16>,
}

/// The new numbers of one kind of thing, by the place in the new law.
struct Numbers(Vec<u16>);

impl Numbers {
    /// Known names keep their numbers, and others get the next. `None` if there are more than numbers.
    fn of(old: &[String], new: &[String]) -> Option<Numbers> {
        let mut known: BTreeMap<&str, u16> = BTreeMap::new();
        for (name, number) in old.iter().zip(0u16..) {
            known.insert(name, number);
        }
        let mut next = u16::try_from(old.len()).ok()?;
        let mut numbers = Vec::with_capacity(new.len());
        for name in new {
            if let Some(number) = known.get(name.as_str()) {
                numbers.push(*number);
            } else {
                numbers.push(next);
                next = next.checked_add(1)?;
            }
        }
        Some(Numbers(numbers))
    }

    /// The new number of what stood there.
    fn get(&self, place: u16) -> u16 {
        self.0.get(usize::from(place)).copied().unwrap_or(place)
    }

    /// What the old law knew, with the new law's things at their numbers.
    fn merge<T: Clone>(&self, old: &[T], new: Vec<T>) -> Vec<T> {
        let mut merged = old.to_vec();
        // In the order of the numbers that are new, each is the next.
        let mut placed: Vec<(u16, T)> = self.0.iter().copied().zip(new).collect();
        placed.sort_by_key(|(number, _)| *number);
        for (number, thing) in placed {
            match merged.get_mut(usize::from(number)) {
                Some(place) => *place = thing,
                None => merged.push(thing),
            }
        }
        merged
    }
}

impl World {
    /// The same law with the numbers that `old` gave. `None` if there are more things than numbers, which takes a book
    /// in which tens of thousands were named and dropped.
    #[must_use]
    pub fn after(self, old: &World) -> Option<World> {
        let (before, now) = (Names::of(old), Names::of(&self));
        let parties = Numbers::of(&before.parties, &now.parties)?;
        let providers = Numbers::of(&before.providers, &now.providers)?;
        let deployments = Numbers::of(&before.deployments, &now.deployments)?;
        let tenants = Numbers::of(&before.tenants, &now.tenants)?;
        let models = Numbers::of(&before.models, &now.models)?;
        let agreements = Numbers::of(&before.agreements, &now.agreements)?;
        let clauses = Numbers::of(&before.clauses, &now.clauses)?;
        let party = |id: PartyId| PartyId(parties.get(id.0));
        let model = |id: ModelId| ModelId(models.get(id.0));
        let provider = |one: Provider| Provider { party: party(one.party), ..one };
        let deployment = |one: Deployment| Deployment {
            provider: ProviderId(providers.get(one.provider.0)),
            model: model(one.model),
            ..one
        };
        let tenant = |one: Tenant| Tenant {
            substitutes: one
                .substitutes
                .into_iter()
                .map(|(asked, instead)| (asked, model(instead)))
                .collect(),
            ..one
        };
        let agreement = |one: Agreement| Agreement {
            parties: one.parties.into_iter().map(party).collect(),
            parent: one.parent.map(|parent| AgreementId(agreements.get(parent.0))),
            ..one
        };
        let entry = |one: Entry| Entry {
            agreement: AgreementId(agreements.get(one.agreement.0)),
            clause: renumbered(one.clause, party),
            ..one
        };
        Some(World {
            digest: self.digest,
            currency: self.currency,
            parties: parties.merge(&old.parties, self.parties),
            providers: providers.merge(&old.providers, self.providers.into_iter().map(provider).collect()),
            deployments: deployments
                .merge(&old.deployments, self.deployments.into_iter().map(deployment).collect()),
            tenants: tenants.merge(&old.tenants, self.tenants.into_iter().map(tenant).collect()),
            models: models.merge(&old.models, self.models),
            agreements: agreements
                .merge(&old.agreements, self.agreements.into_iter().map(agreement).collect()),
            limits: self.limits,
            clauses: clauses.merge(&old.clauses, self.clauses.into_iter().map(entry).collect()),
            order: Some(Order {
                parties: parties.0,
                providers: providers.0,
                deployments: deployments.0,
                tenants: tenants.0,
                models: models.0,
                clauses: clauses.0,
            }),
        })
    }
}

/// What things are known by from law to law.
struct Names {
    parties: Vec<String>,
    providers: Vec<String>,
    deployments: Vec<String>,
    tenants: Vec<String>,
    models: Vec<String>,
    agreements: Vec<String>,
    clauses: Vec<String>,
}

impl Names {
    fn of(world: &World) -> Names {
        let clauses = (0u16..).map(ClauseId).take(world.clauses.len());
        Names {
            parties: world.parties.iter().map(|one| one.id.to_string()).collect(),
            providers: world.providers.iter().map(|one| one.id.to_string()).collect(),
            deployments: world.deployments.iter().map(|one| one.id.to_string()).collect(),
            tenants: world.tenants.iter().map(|one| one.id.to_string()).collect(),
            models: world.models.clone(),
            agreements: world.agreements.iter().map(|one| one.id.to_string()).collect(),
            clauses: clauses.map(|id| world.cite(id)).collect(),
        }
    }
}

/// The clause with its parties' new numbers.
fn renumbered(clause: Clause, party: impl Fn(PartyId) -> PartyId) -> Clause {
    let mut clause = clause;
    match &mut clause {
        Clause::FirstRefusal(one) => one.holder = party(one.holder),
        Clause::Exclusivity(one) => one.party = party(one.party),
        Clause::Licence(one) => {
            (one.licensor, one.licensee) = (party(one.licensor), party(one.licensee));
        }
        Clause::Commitment(one) => (one.by, one.to) = (party(one.by), party(one.to)),
        Clause::RevenueShare(one) => (one.payer, one.payee) = (party(one.payer), party(one.payee)),
        Clause::Price(one) => one.party = party(one.party),
        Clause::Assurance(_) => {}
        Clause::ServiceLevel(one) => one.party = party(one.party),
    }
    clause
}

#[cfg(test)]
mod tests;
