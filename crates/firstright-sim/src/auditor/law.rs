//! What does the law allow, read anew from the agreements' words? Nothing here is the core's: the matching of scopes, the
//! hard constraints and the prices are written a second time, plainly.

use firstright_core::clause::{Act, CarveOut, Clause, FirstRefusal};
use firstright_core::scope::{Glob, Kinds, Scope};
use firstright_core::title::Place;
use firstright_core::units::{Money, Span, Timestamp};
use firstright_core::usage::{Tier, Usage};
use firstright_core::workload::{Call, Job, Purpose};
use firstright_core::world::{
    CapacityKind, ClauseId, Deployment, ModelId, PartyId, Pool, Provider, ProviderId, Rates, Tenant, World,
};

/// What a workload looks like to the law.
#[derive(Clone)]
pub(super) struct Subject<'a> {
    pub job: Option<&'a Job>,
    pub tenant: &'a Tenant,
    pub model: Option<&'a str>,
    /// By whose deployments it is kept, if `model` is what will run there.
    pub kept: Option<&'a str>,
    pub region: Option<&'a str>,
    pub home: Option<ProviderId>,
    pub trains: bool,
    /// Regions that the key and each account above it may use; an empty list is all.
    pub key_regions: Vec<Vec<Glob>>,
    pub class: &'a str,
}

pub(super) fn of_call<'a>(world: &'a World, call: &'a Call, model: ModelId) -> Subject<'a> {
    let tenant = world.tenant(call.tenant);
    let kept = call.runs.filter(|runs| *runs != model).map(|_| world.model(model));
    let (model, region) = (Some(world.model(call.runs.unwrap_or(model))), call.region.as_deref());
    let (home, trains) = (call.home, call.trains);
    let key_regions = Vec::new();
    Subject { job: None, tenant, model, kept, region, home, trains, key_regions, class: &tenant.data_class }
}

/// The same once it is known to have run another model.
pub(super) fn of_run<'a>(world: &'a World, subject: Subject<'a>, ran: Option<ModelId>) -> Subject<'a> {
    match ran {
        Some(ran) => Subject { model: Some(world.model(ran)), kept: None, ..subject },
        None => subject,
    }
}

pub(super) fn of_job<'a>(world: &'a World, job: &'a Job) -> Subject<'a> {
    let tenant = world.tenant(job.tenant);
    let class = if job.data_class.is_empty() { &tenant.data_class } else { &job.data_class };
    let (model, region) = (job.model.as_deref(), job.region.as_deref());
    let trains = matches!(job.purpose, Purpose::Training | Purpose::FineTuning);
    let key_regions = Vec::new();
    Subject { job: Some(job), tenant, model, kept: None, region, home: None, trains, key_regions, class }
}

fn fits(globs: &[Glob], name: &str) -> bool {
    let one = |Glob(text): &Glob| match text.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => text == name,
    };
    globs.is_empty() || globs.iter().any(one)
}

/// Does the scope speak of the workload?
pub(super) fn covers(scope: &Scope, subject: &Subject<'_>) -> bool {
    let (kind, sized) = match subject.job {
        None => {
            let sized = scope.at_least.is_some() || scope.at_most.is_some() || !scope.accelerators.is_empty();
            (scope.kinds != Kinds::Jobs, !sized)
        }
        Some(job) => {
            let size =
                scope.at_least.unwrap_or(0) <= job.count && job.count <= scope.at_most.unwrap_or(u32::MAX);
            let some = |wanted: &String| fits(&scope.accelerators, wanted);
            (
                scope.kinds != Kinds::Calls,
                size && (job.accelerators.is_empty() || job.accelerators.iter().any(some)),
            )
        }
    };
    let own = subject.job.map_or(&[][..], |job| &job.labels);
    let has = |glob: &Glob| {
        subject.tenant.labels.iter().chain(own).any(|label| fits(std::slice::from_ref(glob), label))
    };
    kind && sized
        && fits(&scope.purposes, subject.job.map_or("api", |job| job.purpose.word()))
        && fits(&scope.tenants, &subject.tenant.id)
        && fits(&scope.data_classes, subject.class)
        && (scope.models.is_empty() || subject.model.is_some_and(|model| fits(&scope.models, model)))
        && subject.region.is_none_or(|region| fits(&scope.regions, region))
        && scope.labels.iter().all(has)
}

/// Clauses in force.
pub(super) fn force(world: &World, at: Timestamp) -> impl Iterator<Item = (ClauseId, Timestamp, &Clause)> {
    let live = world.entries().filter(move |(_, entry)| entry.from <= at && at < entry.until);
    live.map(|(id, entry)| (id, entry.from, &entry.clause))
}

pub(super) fn provider_of(world: &World, place: Place) -> ProviderId {
    match place {
        Place::Deployment(id) => world.deployment(id).provider,
        Place::Pool(id, _) => id,
    }
}

pub(super) fn party_of(world: &World, place: Place) -> PartyId {
    world.provider(provider_of(world, place)).party
}

pub(super) fn pool_of(world: &World, place: Place) -> Option<&Pool> {
    match place {
        Place::Pool(id, nth) => world.providers.get(id.index())?.pools.get(usize::from(nth)),
        Place::Deployment(_) => None,
    }
}

/// Every place.
pub(super) fn places(world: &World) -> Vec<Place> {
    let deployments = world.served().map(|(id, _)| Place::Deployment(id));
    let pools = world
        .hosts()
        .flat_map(|(id, provider)| (0u16..).take(provider.pools.len()).map(move |nth| Place::Pool(id, nth)));
    deployments.chain(pools).collect()
}

/// Is it the kind of place that the workload needs?
pub(super) fn suits(world: &World, subject: &Subject<'_>, place: Place) -> bool {
    match (place, subject.job) {
        (Place::Deployment(id), None) => {
            Some(world.model(world.deployment(id).model)) == subject.kept.or(subject.model)
        }
        (Place::Pool(..), Some(job)) => pool_of(world, place).is_some_and(|pool| {
            (job.accelerators.is_empty() || job.accelerators.contains(&pool.accelerator))
                && job.interconnect.as_ref().is_none_or(|wanted| *wanted == pool.interconnect)
        }),
        _ => false,
    }
}

/// What hard constraint keeps the place from the workload, exclusivity aside?
pub(super) fn barred(
    world: &World,
    at: Timestamp,
    subject: &Subject<'_>,
    place: Place,
) -> Option<&'static str> {
    let provider = world.provider(provider_of(world, place));
    if !suits(world, subject, place) {
        return Some("it has no such capacity");
    }
    if subject.region.is_some_and(|region| region != provider.region) {
        return Some("the caller asked for another region");
    }
    if subject.home.is_some_and(|home| world.provider(home).id != provider.id) {
        return Some("what it continues lives elsewhere");
    }
    let runs = |one: &Deployment| {
        world.provider(one.provider).id == provider.id && Some(world.model(one.model)) == subject.model
    };
    if subject.kept.is_some() && !world.served().any(|(_, one)| runs(one)) {
        return Some("it does not serve what is to run there");
    }
    if !subject.key_regions.iter().all(|regions| fits(regions, &provider.region)) {
        return Some("it is outside the regions of the key");
    }
    if !fits(&subject.tenant.jurisdictions, &provider.jurisdiction) {
        return Some("the tenant's work may not run in its jurisdiction");
    }
    if subject.class != "general" && !provider.data_classes.iter().any(|class| class == subject.class) {
        return Some("it is not approved for the data class");
    }
    if !licensed(world, at, subject, provider) {
        return Some("it has no licence");
    }
    force(world, at).find_map(|(_, _, clause)| match clause {
        Clause::Assurance(one) if covers(&one.scope, subject) => {
            let all = |wanted: &[String], offered: &[String]| wanted.iter().all(|one| offered.contains(one));
            let attested = one.attestation.is_empty()
                || one.attestation.iter().any(|kind| provider.attestation.contains(kind));
            if !all(&one.certifications, &provider.certifications) {
                Some("it lacks a certification")
            } else if !fits(&one.jurisdictions, &provider.jurisdiction)
                || !fits(&one.regions, &provider.region)
            {
                Some("it is outside the residency")
            } else if !attested || !all(&one.encryption, &provider.encryption) {
                Some("it lacks attestation or encryption")
            } else {
                None
            }
        }
        _ => None,
    })
}

fn licensed(world: &World, at: Timestamp, subject: &Subject<'_>, provider: &Provider) -> bool {
    let Some(model) = subject.model else { return true };
    let act = if subject.trains { Act::Train } else { Act::Serve };
    let mut governed = false;
    for (_, entry) in world.entries() {
        let Clause::Licence(licence) = &entry.clause else { continue };
        if !fits(&licence.models, model) {
            continue;
        }
        governed = true;
        let live = entry.from <= at && at < entry.until;
        let named = licence.licensee == provider.party && fits(&licence.regions, &provider.region);
        if licence.licensor == provider.party || (live && named && licence.acts.contains(&act)) {
            return true;
        }
    }
    !governed
}

/// The exclusivities of others that bind: whose, and the outage that would suspend each.
pub(super) fn exclusives(
    world: &World,
    at: Timestamp,
    subject: &Subject<'_>,
    place: Place,
) -> Vec<(PartyId, Option<Span>)> {
    let own = party_of(world, place);
    let binding = force(world, at).filter_map(|(_, _, clause)| match clause {
        Clause::Exclusivity(one) => {
            let binds = covers(&one.scope, subject) && !one.exceptions.iter().any(|but| covers(but, subject));
            (one.party != own && binds).then_some((one.party, one.outage))
        }
        _ => None,
    });
    binding.collect()
}

/// The rights in the order of asking; with `also`, one that ended while its offer was open.
pub(super) fn rights<'a>(
    world: &'a World,
    at: Timestamp,
    subject: &Subject<'_>,
    also: Option<ClauseId>,
) -> Vec<(ClauseId, &'a FirstRefusal)> {
    let live = |id: ClauseId| also == Some(id) || force(world, at).any(|(other, _, _)| other == id);
    let mut rights: Vec<(ClauseId, &FirstRefusal)> = world
        .entries()
        .filter_map(|(id, entry)| match &entry.clause {
            Clause::FirstRefusal(right) if live(id) && covers(&right.scope, subject) => Some((id, right)),
            _ => None,
        })
        .collect();
    rights.sort_by_key(|(_, right)| right.rank);
    rights
}

/// Does the carve-out reach the workload? `left` is what a job that lost its provider has still to run.
pub(super) fn carves(one: &CarveOut, subject: &Subject<'_>, left: Option<Span>) -> bool {
    match one {
        CarveOut::Scope(scope) => covers(scope, subject),
        CarveOut::Emergency(most) => left.is_some_and(|left| left <= *most),
    }
}

/// The token prices of the deployment for a call with so many input tokens that this tier serves.
pub(super) fn rates(
    world: &World,
    at: Timestamp,
    deployment: &Deployment,
    tier: Tier,
    input: u64,
) -> Option<Rates> {
    let provider = world.provider(deployment.provider);
    let kind = match deployment.capacity {
        CapacityKind::Provisioned { .. } => "provisioned",
        CapacityKind::PayAsYouGo { .. } => "pay-as-you-go",
        CapacityKind::Concurrent { .. } => "concurrent",
    };
    let mut best: Option<((Option<u64>, Timestamp), Rates)> = None;
    for (_, from, clause) in force(world, at) {
        let Clause::Price(price) = clause else { continue };
        let meant = price.party == provider.party
            && fits(&price.regions, &provider.region)
            && fits(&price.models, world.model(deployment.model))
            && fits(&price.capacity, kind)
            && price.tier == tier
            && price.over_input.is_none_or(|over| input > over);
        let Some(rates) = price.rates.filter(|_| meant) else { continue };
        let key = (price.over_input, from);
        if best.is_none_or(|(other, _)| key >= other) {
            best = Some((key, rates));
        }
    }
    best.map(|(_, rates)| rates).or(deployment.rates.filter(|_| tier == Tier::Default))
}

/// The contract's or the catalogue's price of an accelerator-hour.
pub(super) fn hour(world: &World, at: Timestamp, place: Place) -> Option<Money> {
    let pool = pool_of(world, place)?;
    let provider = world.provider(provider_of(world, place));
    let mut best: Option<(Timestamp, Money)> = None;
    for (_, from, clause) in force(world, at) {
        let Clause::Price(price) = clause else { continue };
        let meant = price.party == provider.party
            && fits(&price.regions, &provider.region)
            && !price.accelerators.is_empty()
            && fits(&price.accelerators, &pool.accelerator);
        let Some(hour) = price.hour.filter(|_| meant) else { continue };
        if best.is_none_or(|(other, _)| from >= other) {
            best = Some((from, hour));
        }
    }
    best.map(|(_, hour)| hour).or(pool.hour)
}

/// What the tenant is charged by: the first that fits.
pub(super) fn charges(tenant: &Tenant, model: &str, tier: Tier) -> Option<Rates> {
    let mut own = tenant.charges.iter().filter(|one| fits(std::slice::from_ref(&one.models), model));
    own.find(|one| one.tier.unwrap_or(tier) == tier).map(|one| one.rates)
}

/// May the tenant call the model, or have it instead of the one asked for?
pub(super) fn permits(world: &World, call: &Call, model: ModelId) -> bool {
    let tenant = world.tenant(call.tenant);
    let asked = world.model(call.model);
    let instead =
        |(glob, other): &(Glob, ModelId)| fits(std::slice::from_ref(glob), asked) && *other == model;
    let runs = call.runs.is_none_or(|runs| fits(&tenant.models, world.model(runs)));
    fits(&tenant.models, asked) && runs && (model == call.model || tenant.substitutes.iter().any(instead))
}

/// Is the provider on probation for such work, by which rule?
pub(super) fn probation(world: &World, at: Timestamp, subject: &Subject<'_>, provider: &str) -> bool {
    force(world, at).any(|(_, _, clause)| match clause {
        Clause::Assurance(one) => one.qualification.as_ref().is_some_and(|rule| {
            covers(&one.scope, subject) && !rule.providers.is_empty() && fits(&rule.providers, provider)
        }),
        _ => false,
    })
}

/// What the usage comes to at these rates: each kind of token rounded to the nano-unit by itself, ties to even.
/// `None` if something was used that has no price.
pub(super) fn priced(usage: &Usage, rates: &Rates) -> Option<Money> {
    let flat = rates.request.map_or(0, |request| request.0 * i128::from(usage.requests));
    if *rates == (Rates { request: rates.request, ..Rates::default() }) {
        return Some(Money(flat));
    }
    let mut sum = flat;
    for (used, rate, per) in [
        (usage.input, rates.input, 1_000_000),
        (usage.cached_input, rates.cached_input.or(rates.input), 1_000_000),
        (usage.cache_write, rates.cache_write, 1_000_000),
        (usage.cache_write_hour, rates.cache_write_hour, 1_000_000),
        (usage.output, rates.output, 1_000_000),
        (usage.reasoning, rates.reasoning.or(rates.output), 1_000_000),
        (usage.audio_in, rates.audio_input, 1_000_000),
        (usage.audio_out, rates.audio_output, 1_000_000),
        (usage.images, rates.image, 1),
        (usage.audio_seconds, rates.minute, 60),
        (usage.characters, rates.character, 1_000_000),
        (usage.trained, rates.trained, 1_000_000),
    ] {
        if used > 0 {
            sum += half_even(rate?.0 * i128::from(used), per);
        }
    }
    Some(Money(sum))
}

/// To the nearest, ties to even; `by` is positive.
pub(super) fn half_even(value: i128, by: i128) -> i128 {
    let (floor, rest) = (value.div_euclid(by), value.rem_euclid(by));
    match (rest * 2).cmp(&by) {
        std::cmp::Ordering::Less => floor,
        std::cmp::Ordering::Greater => floor + 1,
        std::cmp::Ordering::Equal => floor + floor.rem_euclid(2),
    }
}
