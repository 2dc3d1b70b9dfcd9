//! What does the law say of this kind of workload? The candidates that no hard constraint bars, the places that one
//! does, and the rights in the order of asking. It depends on the law and the date alone, so the broker keeps it for
//! calls of the same tenant and model until a clause begins or ends.

use alloc::vec::Vec;

use crate::clause::{Act, Clause, assurance::Lack};
use crate::scope::any;
use crate::state::OpenJob;
use crate::title::{Bar, Place, Right};
use crate::units::{Money, Timestamp};
use crate::usage::Tier;
use crate::workload::{Job, View};
use crate::world::{
    CapacityKind, ClauseId, Deployment, ModelId, PartyId, Pool, Provider, ProviderId, Rates, World,
};

/// A place that the law lets serve.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub place: Place,
    pub provider: ProviderId,
    pub party: PartyId,
    /// Provisioned: paid for whether used or not.
    pub sunk: bool,
    /// Token prices by tier of service and context band: for each tier that has prices of its own the bands rise, and
    /// the first is from 0.
    pub rates: Vec<Band>,
    /// Price of an accelerator-hour.
    pub hour: Option<Money>,
    /// Commitments with its party that this workload counts toward.
    pub commitments: Vec<ClauseId>,
    /// The probation that it may be under: clause, good runs that end it, most calls, most accelerators.
    pub probation: Option<(ClauseId, u32, u32, u32)>,
    /// Others' exclusivities bar it, unless outages suspend all of them.
    pub unless_outage: Vec<ClauseId>,
    /// The job would cost more than its budget here; the holder of a matching right may still match another's price.
    pub over_budget: bool,
}

/// What the law says of one kind of workload.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    pub candidates: Vec<Candidate>,
    pub barred: Vec<(Place, Bar)>,
    pub rights: Vec<Right>,
    /// Clauses of the ledger that the workload counts toward, whoever serves it.
    pub counts: Vec<ClauseId>,
}

/// Token prices of one tier from so many input tokens on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Band {
    pub tier: Tier,
    pub from: u64,
    pub rates: Option<Rates>,
}

impl Plan {
    /// Bars the candidates that may not.
    pub fn bar(&mut self, may: impl Fn(&Candidate) -> bool, bar: Bar) {
        let (kept, barred): (Vec<_>, Vec<_>) = self.candidates.drain(..).partition(|one| may(one));
        self.candidates = kept;
        self.barred.extend(barred.into_iter().map(|one| (one.place, bar)));
    }
}

impl Candidate {
    /// The token prices for a call with so many input tokens that this tier serves.
    pub fn rates_for(&self, tier: Tier, input: u64) -> Option<Rates> {
        let band = self.rates.iter().rev().find(|band| band.tier == tier && input >= band.from);
        band.and_then(|band| band.rates)
    }
}

/// The plan for calls of this view to this model.
pub(crate) fn for_calls(world: &World, at: Timestamp, view: &View<'_>, model: ModelId) -> Plan {
    let mut plan = common(world, at, view, None);
    for (id, deployment) in world.served() {
        if deployment.model != model {
            continue;
        }
        let place = Place::Deployment(id);
        let provider = world.provider(deployment.provider);
        //= rights/home.md#HO-1
        let elsewhere = view.home.is_some_and(|home| home != deployment.provider);
        let admitted = match view.kept {
            _ if elsewhere => Err(Bar::Home),
            Some(_) if !runs_there(world, deployment.provider, view) => Err(Bar::Runs),
            _ => admit(world, at, view, provider),
        };
        match admitted {
            Err(bar) => plan.barred.push((place, bar)),
            Ok(unless_outage) => plan.candidates.push(Candidate {
                sunk: matches!(deployment.capacity, CapacityKind::Provisioned { .. }),
                rates: rates(world, at, deployment),
                hour: None,
                ..candidate(world, at, view, place, deployment.provider, unless_outage)
            }),
        }
    }
    plan
}

/// Can the provider run what is kept there?
//= rights/home.md#HO-2
fn runs_there(world: &World, provider: ProviderId, view: &View<'_>) -> bool {
    let mut own = world.served().filter(|(_, one)| one.provider == provider);
    own.any(|(_, one)| view.model == Some(world.model(one.model)))
}

/// The plan for a job, with the quotes that are firm for it, and with the right under which it is offered even if that
/// has ended since: an offer outlives the term in which it was made.
pub(crate) fn for_job(world: &World, at: Timestamp, view: &View<'_>, open: &OpenJob) -> Plan {
    let job = &open.job;
    //= rights/first-refusal.md#FR-5
    let offered = open.offer.map(|(_, clause)| clause);
    let mut plan = common(world, at, view, offered.or(open.accepted.as_ref().map(|one| one.clause)));
    for (id, provider) in world.hosts() {
        for (pool, nth) in provider.pools.iter().zip(0u16..) {
            let place = Place::Pool(id, nth);
            //= rights/price.md#PR-6
            let firm = open.quotes.iter().filter(|(quoted, _, until)| *quoted == id && at < *until);
            let hour = firm.map(|(_, hour, _)| *hour).min().or_else(|| hour(world, at, provider, pool));
            let admitted = fits(job, pool).and_then(|()| admit(world, at, view, provider));
            match admitted {
                Err(bar) => plan.barred.push((place, bar)),
                Ok(unless_outage) => plan.candidates.push(Candidate {
                    sunk: false,
                    rates: Vec::new(),
                    hour,
                    over_budget: over_budget(job, hour),
                    ..candidate(world, at, view, place, id, unless_outage)
                }),
            }
        }
    }
    plan
}

/// Rights and ledger clauses: those in force whose scope matches.
//= rights/first-refusal.md#FR-2
fn common(world: &World, at: Timestamp, view: &View<'_>, offered: Option<ClauseId>) -> Plan {
    let mut ranked: Vec<(u16, Right)> = Vec::new();
    let mut counts = Vec::new();
    for (id, entry) in world.entries() {
        if !entry.in_force(at) && offered != Some(id) {
            continue;
        }
        match &entry.clause {
            Clause::FirstRefusal(clause) if clause.scope.matches(view) => {
                ranked.push((clause.rank, Right { clause: id, holder: clause.holder }));
            }
            Clause::Commitment(clause) if clause.scope.matches(view) => counts.push(id),
            Clause::RevenueShare(clause) if clause.scope.matches(view) => counts.push(id),
            Clause::ServiceLevel(clause) if clause.scope.matches(view) => counts.push(id),
            _ => {}
        }
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    let rights = ranked.into_iter().map(|(_, right)| right).collect();
    Plan { rights, counts, ..Plan::default() }
}

fn candidate(
    world: &World,
    at: Timestamp,
    view: &View<'_>,
    place: Place,
    provider: ProviderId,
    unless_outage: Vec<ClauseId>,
) -> Candidate {
    let known = world.provider(provider);
    let commitments = world.in_force(at).filter_map(|(id, entry)| match &entry.clause {
        Clause::Commitment(clause) if clause.to == known.party && clause.scope.matches(view) => Some(id),
        _ => None,
    });
    //= rights/assurance.md#AS-5
    let probation = world.in_force(at).find_map(|(id, entry)| match &entry.clause {
        Clause::Assurance(clause) if clause.scope.matches(view) => {
            let rule = clause.qualification.as_ref()?;
            let named = !rule.providers.is_empty() && any(&rule.providers, &known.id);
            named.then_some((id, rule.good_runs, rule.calls, rule.accelerators))
        }
        _ => None,
    });
    Candidate {
        place,
        provider,
        party: known.party,
        sunk: false,
        rates: Vec::new(),
        hour: None,
        commitments: commitments.collect(),
        probation,
        unless_outage,
        over_budget: false,
    }
}

/// The hard constraints, in the order in which they are named. What is returned are exclusivities of others that an
/// outage would suspend.
fn admit(world: &World, at: Timestamp, view: &View<'_>, provider: &Provider) -> Result<Vec<ClauseId>, Bar> {
    //= rights/choosing.md#CH-8
    if view.region.is_some_and(|region| region != provider.region) {
        return Err(Bar::Region);
    }
    //= rights/tenants.md#TE-2
    if let Some(tenant) = world.find_tenant(view.tenant)
        && !any(&world.tenant(tenant).jurisdictions, &provider.jurisdiction)
    {
        return Err(Bar::Jurisdiction);
    }
    //= rights/assurance.md#AS-4
    if view.data_class != "general" && !provider.data_classes.iter().any(|class| class == view.data_class) {
        return Err(Bar::DataClass);
    }
    licensed(world, at, view, provider)?;
    assured(world, at, view, provider)?;
    exclusive(world, at, view, provider)
}

/// A model that a licence names is handled only under one. [LI-4] [LI-5]
//= rights/licence.md#LI-4
//= rights/licence.md#LI-5
fn licensed(world: &World, at: Timestamp, view: &View<'_>, provider: &Provider) -> Result<(), Bar> {
    let Some(model) = view.model else { return Ok(()) };
    let mut governing = None;
    for (id, entry) in world.entries() {
        let Clause::Licence(licence) = &entry.clause else { continue };
        if !licence.governs(model) {
            continue;
        }
        let owner = provider.party == licence.licensor;
        if owner || (entry.in_force(at) && licence.permits(provider, model, Act::of(view))) {
            return Ok(());
        }
        governing.get_or_insert(id);
    }
    governing.map_or(Ok(()), |id| Err(Bar::Licence(id)))
}

fn assured(world: &World, at: Timestamp, view: &View<'_>, provider: &Provider) -> Result<(), Bar> {
    for (id, entry) in world.in_force(at) {
        let Clause::Assurance(clause) = &entry.clause else { continue };
        if !clause.scope.matches(view) {
            continue;
        }
        match clause.lacks(provider) {
            Some(Lack::Certification) => return Err(Bar::Certification(id)),
            Some(Lack::Residency) => return Err(Bar::Residency(id)),
            Some(Lack::Attestation) => return Err(Bar::Attestation(id)),
            Some(Lack::Encryption) => return Err(Bar::Encryption(id)),
            None => {}
        }
    }
    Ok(())
}

/// Others' exclusivities. One that no outage suspends bars outright. [EX-5]
//= rights/exclusivity.md#EX-5
fn exclusive(
    world: &World,
    at: Timestamp,
    view: &View<'_>,
    provider: &Provider,
) -> Result<Vec<ClauseId>, Bar> {
    let mut suspended = Vec::new();
    for (id, entry) in world.in_force(at) {
        let Clause::Exclusivity(clause) = &entry.clause else { continue };
        if clause.party == provider.party || !clause.binds(view) {
            continue;
        }
        if clause.outage.is_none() {
            return Err(Bar::Exclusive(id));
        }
        suspended.push(id);
    }
    Ok(suspended)
}

/// Token prices by tier and context band: the catalogue's, or those of the clause that began last. [PR-2] [PR-8]
//= rights/price.md#PR-2
fn rates(world: &World, at: Timestamp, deployment: &Deployment) -> Vec<Band> {
    let prices = || {
        world.in_force(at).filter_map(|(_, entry)| match &entry.clause {
            Clause::Price(price) => Some((entry.from, price)),
            _ => None,
        })
    };
    let mut bands: Vec<u64> =
        prices().filter_map(|(_, price)| price.over_input).map(|over| over.saturating_add(1)).collect();
    bands.push(0);
    bands.sort_unstable();
    bands.dedup();
    let at_band = |tier: Tier, from: u64| {
        let fitting = prices().filter_map(|(start, price)| {
            // A clause for a higher context band is more particular, whichever began last.
            price.rates(world, deployment, tier, from).map(|rates| (price.over_input, start, rates))
        });
        let latest = fitting.fold(None, |best: Option<(Option<u64>, Timestamp, Rates)>, one| match best {
            Some(other) if (other.0, other.1) > (one.0, one.1) => Some(other),
            _ => Some(one),
        });
        // The catalogue prices the default tier alone.
        let catalogue = deployment.rates.filter(|_| tier == Tier::Default);
        latest.map(|(_, _, rates)| rates).or(catalogue)
    };
    let priced = |tier: &Tier| *tier == Tier::Default || prices().any(|(_, price)| price.tier == *tier);
    let tiers = Tier::NAMED.into_iter().map(|(_, tier)| tier).filter(priced);
    let of_tier = |tier| bands.iter().map(move |from| (tier, *from));
    tiers.flat_map(of_tier).map(|(tier, from)| Band { tier, from, rates: at_band(tier, from) }).collect()
}

/// The token prices for requests that this tier serves, of which only the sum is known; `None` if a context band could be
/// that of some of them and not of others.
pub(crate) fn rates_of_many(
    world: &World,
    at: Timestamp,
    deployment: &Deployment,
    tier: Tier,
    input: u64,
) -> Option<Rates> {
    let mut bands = rates(world, at, deployment);
    bands.retain(|band| band.tier == tier && band.from <= input);
    let lowest = bands.first()?.rates;
    lowest.filter(|_| bands.iter().all(|band| band.rates == lowest))
}

/// Price of an accelerator-hour: the catalogue's, or that of the clause that began last.
fn hour(world: &World, at: Timestamp, provider: &Provider, pool: &Pool) -> Option<Money> {
    let fitting = world.in_force(at).filter_map(|(_, entry)| match &entry.clause {
        Clause::Price(price) => price.hour(provider, pool).map(|hour| (entry.from, hour)),
        _ => None,
    });
    fitting.max_by_key(|(from, _)| *from).map(|(_, hour)| hour).or(pool.hour)
}

/// Would these accelerators do?
//= rights/choosing.md#CH-9
fn fits(job: &Job, pool: &Pool) -> Result<(), Bar> {
    if !job.accelerators.is_empty() && !job.accelerators.contains(&pool.accelerator) {
        return Err(Bar::Accelerator);
    }
    if job.interconnect.as_ref().is_some_and(|wanted| *wanted != pool.interconnect) {
        return Err(Bar::Interconnect);
    }
    Ok(())
}

/// Would the whole job cost more than its budget at this price? What has no price is over every budget.
//= rights/choosing.md#CH-12
fn over_budget(job: &Job, hour: Option<Money>) -> bool {
    let seconds = job.duration.0.div_euclid(crate::units::SECOND);
    let cost = hour.map(|hour| lease_cost(hour, job.count, seconds));
    job.budget.is_some_and(|budget| cost.is_none_or(|cost| cost > budget))
}

/// What so many accelerators cost for so many seconds.
pub(crate) fn lease_cost(hour: Money, count: u32, seconds: u64) -> Money {
    hour.for_quantity(seconds.saturating_mul(u64::from(count)), 3_600)
}
