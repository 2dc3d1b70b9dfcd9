//! Who and what is there? Parties, providers with pools and deployments, tenants, and the heads of agreements.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::scope::Glob;
use crate::text::agreements::{Draft, MAX_ENTITIES, room};
use crate::text::place::{Place, Spot};
use crate::text::value::Per;
use crate::text::walk::{Fields, MAX_LIST, Reader, Value};
use crate::units::{MILLISECOND, MINUTE, SECOND, Span, Timestamp};
use crate::usage::Tier;
use crate::world::{
    AgreementId, CapacityKind, Charge, Class, Deployment, MAX_WEIGHT, ModelId, Party, PartyId, Pool,
    Provider, ProviderId, Rates, Tenant, World,
};

/// The data class of a tenant that names none, and the only one that a provider without a list is approved for.
const GENERAL: &str = "general";

/// The classes of tenants by their words.
const CLASSES: [(&str, Class); 4] = [
    ("critical", Class::Critical),
    ("standard", Class::Standard),
    ("sheddable", Class::Sheddable),
    ("batch", Class::Batch),
];

/// An agreement before its clauses are read.
pub(super) struct Head<'t> {
    pub id: String,
    pub spot: Spot,
    pub parties: Vec<PartyId>,
    pub parent: Option<(String, Place)>,
    /// Its place among the world's agreements, once it has one.
    pub agreement: AgreementId,
    pub from: Timestamp,
    pub until: Option<Timestamp>,
    pub removes: Vec<(String, Place)>,
    pub fields: Fields<'t>,
}

/// Parties, of which exactly one is the operator.
pub(super) fn parties(roots: &mut [Fields<'_>], r: &mut Reader<'_>, draft: &mut Draft) {
    let mut operators: Vec<Place> = Vec::new();
    for mut f in sections(roots, r, "party", "a party") {
        if !room(r, &f.at, draft.world.parties.len(), "parties") {
            break;
        }
        let id = f.need(r, "id", Value::id).unwrap_or_default();
        let name = f.opt(r, "name", Value::text).unwrap_or_else(|| id.clone());
        let operator = f.flag(r, "operator");
        let spot = f.spot();
        if operator {
            operators.push(spot.key("operator").clone());
        }
        draft.world.parties.push(Party { id, name, operator });
        draft.positions.parties.push(spot);
        f.finish(r);
    }
    let help = "exactly one party runs Firstright and owns the work: `operator = true`";
    for at in operators.iter().skip(1) {
        r.error_help(at, "two-operators", "there is an operator already", help);
    }
    if operators.is_empty() {
        let at = draft.positions.parties.first().map(|spot| spot.at.clone()).unwrap_or_default();
        r.error_help(&at, "no-operator", "no party is the operator", help);
    }
    distinct(r, "party", draft.world.parties.iter().map(|p| p.id.as_str()), &draft.positions.parties);
}

/// Providers, their pools, and their deployments with the models that they serve.
pub(super) fn providers(roots: &mut [Fields<'_>], r: &mut Reader<'_>, draft: &mut Draft) {
    let mut served: Vec<String> = Vec::new();
    for mut f in sections(roots, r, "provider", "a provider") {
        if !room(r, &f.at, draft.world.providers.len(), "providers") {
            break;
        }
        let at = ProviderId(u16::try_from(draft.world.providers.len()).unwrap_or(u16::MAX));
        let mut pool_spots = Vec::new();
        let world = &draft.world;
        let provider = Provider {
            id: f.need(r, "id", Value::id).unwrap_or_default(),
            party: f.need(r, "party", |v, r| v.party(r, world)).unwrap_or(PartyId(0)),
            region: f.need(r, "region", Value::id).unwrap_or_default(),
            jurisdiction: f.need(r, "jurisdiction", Value::id).unwrap_or_default(),
            certifications: f.texts(r, "certifications"),
            attestation: f.texts(r, "attestation"),
            encryption: f.texts(r, "encryption"),
            data_classes: f.texts(r, "data-classes"),
            pools: f
                .tables(r, "pool", "a pool", MAX_LIST)
                .into_iter()
                .map(|pool| self::pool(pool, r, &mut pool_spots))
                .collect(),
        };
        for deployment in f.tables(r, "deployment", "a deployment", MAX_ENTITIES) {
            if !room(r, &deployment.at, draft.world.deployments.len(), "deployments") {
                break;
            }
            let (deployment, model, spot) = self::deployment(deployment, r, at);
            draft.world.deployments.push(deployment);
            draft.positions.deployments.push(spot);
            served.push(model);
        }
        draft.world.providers.push(provider);
        draft.positions.providers.push(f.spot());
        draft.positions.pools.push(pool_spots);
        f.finish(r);
    }
    let (world, places) = (&mut draft.world, &draft.positions);
    distinct(r, "provider", world.providers.iter().map(|p| p.id.as_str()), &places.providers);
    distinct(r, "deployment", world.deployments.iter().map(|d| d.id.as_str()), &places.deployments);
    world.models = served.clone();
    world.models.sort();
    world.models.dedup();
    for (place, model) in served.iter().enumerate() {
        let found = world.find_model(model).unwrap_or(ModelId(0));
        if let Some(deployment) = world.deployments.get_mut(place) {
            deployment.model = found;
        }
    }
}

fn pool(mut f: Fields<'_>, r: &mut Reader<'_>, spots: &mut Vec<Spot>) -> Pool {
    let pool = Pool {
        accelerator: f.need(r, "accelerator", Value::id).unwrap_or_default(),
        count: f.need(r, "count", Value::count).unwrap_or_default(),
        interconnect: f.opt(r, "interconnect", Value::id).unwrap_or_else(|| "ethernet".to_owned()),
        hour: f.opt(r, "hour", |v, r| v.money(r, Per::Hour)),
    };
    spots.push(f.spot());
    f.finish(r);
    pool
}

fn deployment(mut f: Fields<'_>, r: &mut Reader<'_>, provider: ProviderId) -> (Deployment, String, Spot) {
    let model = f.need(r, "model", Value::id).unwrap_or_default();
    let deployment = Deployment {
        id: f.need(r, "id", Value::id).unwrap_or_default(),
        provider,
        model: ModelId(0),
        capacity: f.need(r, "capacity", capacity).unwrap_or(CapacityKind::Concurrent { limit: 1 }),
        rates: f.opt(r, "price", |v, r| {
            let mut table = v.fields(r, "a price")?;
            let rates = self::rates(&mut table, r);
            if rates.is_none() {
                r.error(
                    &v.at,
                    "missing-key",
                    "a price lacks `input`, `output`, `request` or another kind of usage",
                );
            }
            table.finish(r);
            rates
        }),
    };
    let spot = f.spot();
    f.finish(r);
    (deployment, model, spot)
}

/// How capacity is sold: a table with exactly one of three keys.
fn capacity(value: &Value<'_>, r: &mut Reader<'_>) -> Option<CapacityKind> {
    let mut f = value.fields(r, "a capacity")?;
    let provisioned = f.value("provisioned").map(|v| {
        let mut f = v.fields(r, "a provisioned capacity")?;
        let per_minute = f.need(r, "per-minute", |v, r| v.integer(r, 1, u64::MAX >> 1));
        let bucket = f.opt(r, "bucket", |v, r| v.integer(r, 1, u64::MAX >> 1));
        let units = f.opt(r, "units", |v, r| v.count(r)).unwrap_or(1);
        f.finish(r);
        let bucket = bucket.or(per_minute).unwrap_or_default();
        per_minute.map(|per_minute| CapacityKind::Provisioned { per_minute, units, bucket })
    });
    let pay_as_you_go = f.value("pay-as-you-go").map(|v| {
        let mut f = v.fields(r, "a pay-as-you-go capacity")?;
        let mut limit = |key| f.opt(r, key, |v, r| v.integer(r, 1, u64::MAX >> 1)).unwrap_or(u64::MAX);
        let (tokens, requests) = (limit("tokens-per-minute"), limit("requests-per-minute"));
        let slice = f.opt(r, "slice", |v, r| v.span(r)).unwrap_or(Span(SECOND.saturating_mul(10)));
        let whole_slice = (SECOND..=SECOND.saturating_mul(60)).contains(&slice.0);
        if !whole_slice {
            r.error(&v.at, "out-of-range", format!("`slice` is {slice}, expected 1s to 1m"));
        }
        f.finish(r);
        whole_slice.then_some(CapacityKind::PayAsYouGo { tokens, requests, slice })
    });
    let concurrent =
        f.value("concurrent").map(|v| v.count(r).map(|limit| CapacityKind::Concurrent { limit }));
    f.finish(r);
    let mut given = [provisioned, pay_as_you_go, concurrent].into_iter().flatten();
    match (given.next(), given.next()) {
        (Some(kind), None) => kind,
        _ => {
            let help = "write one of `{ provisioned = … }`, `{ pay-as-you-go = … }`, `{ concurrent = … }`";
            r.error_help(&value.at, "one-of", "a capacity is of exactly one kind", help);
            None
        }
    }
}

/// Prices of a call; `None` if none of the keys is there.
pub(super) fn rates(f: &mut Fields<'_>, r: &mut Reader<'_>) -> Option<Rates> {
    let written = RATES.iter().any(|key| f.has(key));
    let mut rate = |key, per| f.opt(r, key, |v, r| v.money(r, per));
    let rates = Rates {
        input: rate("input", Per::MillionTokens),
        cached_input: rate("cached-input", Per::MillionTokens),
        cache_write: rate("cache-write", Per::MillionTokens),
        cache_write_hour: rate("cache-write-hour", Per::MillionTokens),
        output: rate("output", Per::MillionTokens),
        reasoning: rate("reasoning", Per::MillionTokens),
        audio_input: rate("audio-input", Per::MillionTokens),
        audio_output: rate("audio-output", Per::MillionTokens),
        image: rate("image", Per::Image),
        minute: rate("minute", Per::Minute),
        character: rate("character", Per::MillionCharacters),
        trained: rate("trained", Per::MillionTokens),
        request: rate("request", Per::Request),
    };
    written.then_some(rates)
}

/// The keys of [`rates`].
pub(super) const RATES: [&str; 13] = [
    "input",
    "cached-input",
    "cache-write",
    "cache-write-hour",
    "output",
    "reasoning",
    "audio-input",
    "audio-output",
    "image",
    "minute",
    "character",
    "trained",
    "request",
];

/// A tier of service.
pub(super) fn tier(value: &Value<'_>, r: &mut Reader<'_>) -> Option<Tier> {
    value.word(r, &Tier::NAMED)
}

/// Tenants, with what they accept instead and what they are charged.
pub(super) fn tenants(roots: &mut [Fields<'_>], r: &mut Reader<'_>, draft: &mut Draft) {
    for mut f in sections(roots, r, "tenant", "a tenant") {
        if !room(r, &f.at, draft.world.tenants.len(), "tenants") {
            break;
        }
        let world = &draft.world;
        let tenant = Tenant {
            id: f.need(r, "id", Value::id).unwrap_or_default(),
            models: f.opt(r, "models", |v, r| v.models(r, world)).unwrap_or_default(),
            jurisdictions: f.globs(r, "jurisdictions"),
            data_class: f.opt(r, "data-class", Value::id).unwrap_or_else(|| GENERAL.to_owned()),
            labels: f.texts(r, "labels"),
            max_wait: f.opt(r, "max-wait", |v, r| v.span(r)).unwrap_or_default(),
            spill_after: f.opt(r, "spill-after", |v, r| v.span(r)).unwrap_or_default(),
            hedge_after: f.opt(r, "hedge-after", hedge_after).unwrap_or_default(),
            class: f.opt(r, "class", |v, r| v.word(r, &CLASSES)).unwrap_or_default(),
            weight: f
                .opt(r, "weight", |v, r| v.integer(r, 1, u64::from(MAX_WEIGHT)))
                .and_then(|weight| u32::try_from(weight).ok())
                .unwrap_or(1),
            substitutes: f.opt(r, "substitutes", |v, r| substitutes(v, r, world)).unwrap_or_default(),
            charges: f
                .tables(r, "charge", "a charge", MAX_LIST)
                .into_iter()
                .flat_map(|charge| self::charge(charge, r, world))
                .collect(),
        };
        draft.world.tenants.push(tenant);
        draft.positions.tenants.push(f.spot());
        f.finish(r);
    }
    distinct(r, "tenant", draft.world.tenants.iter().map(|t| t.id.as_str()), &draft.positions.tenants);
}

/// A call is hedged after so long at the soonest: no answer comes before, so every call would be paid for twice.
const MIN_HEDGE_AFTER: Span = Span(10 * MILLISECOND);
/// And after so long at the latest: no client waits longer for an answer to begin.
const MAX_HEDGE_AFTER: Span = Span(10 * MINUTE);

fn hedge_after(value: &Value<'_>, r: &mut Reader<'_>) -> Option<Span> {
    let span = value.span(r)?;
    if span.0 == 0 || (MIN_HEDGE_AFTER..=MAX_HEDGE_AFTER).contains(&span) {
        return Some(span);
    }
    let message = format!("`{span}` is no time after which a call is tried a second time");
    r.error_help(&value.at, "out-of-range", message, "write 10ms to 10m, or 0s for never");
    None
}

fn substitutes(value: &Value<'_>, r: &mut Reader<'_>, world: &World) -> Option<Vec<(Glob, ModelId)>> {
    let pairs = value.fields(r, "substitutes")?.pairs();
    if pairs.len() > MAX_LIST {
        let message = format!("`substitutes` has {} entries, at most {MAX_LIST} fit", pairs.len());
        r.error(&value.at, "too-many", message);
    }
    let mut all = Vec::new();
    for (instead, at) in pairs.iter().take(MAX_LIST) {
        let asked = Glob(instead.name.to_string());
        known_model(&asked, at, r, world);
        if let Some(model) = instead.model(r, world) {
            all.push((asked, model));
        }
    }
    Some(all)
}

fn charge(mut f: Fields<'_>, r: &mut Reader<'_>, world: &World) -> Vec<Charge> {
    let models = f.opt(r, "models", |v, r| v.models(r, world)).unwrap_or_default();
    let models = if models.is_empty() { Vec::from([Glob("*".to_owned())]) } else { models };
    let tier = f.opt(r, "tier", tier);
    let rates = rates(&mut f, r);
    if rates.is_none() {
        r.error(&f.at, "missing-key", "a charge lacks `input`, `output`, `request` or another kind of usage");
    }
    f.finish(r);
    let of = |rates| models.into_iter().map(|models| Charge { models, tier, rates }).collect();
    rates.map(of).unwrap_or_default()
}

/// The heads of agreements; their clauses are read when every agreement is known.
pub(super) fn agreements<'t>(
    roots: &mut [Fields<'t>],
    r: &mut Reader<'_>,
    draft: &mut Draft,
) -> Vec<Head<'t>> {
    let mut heads: Vec<Head<'t>> = Vec::new();
    for mut f in sections(roots, r, "agreement", "an agreement") {
        if !room(r, &f.at, heads.len(), "agreements") {
            break;
        }
        let world = &draft.world;
        let id = f.need(r, "id", Value::id).unwrap_or_default();
        let parent = f.opt(r, "parent", |v, r| v.text(r).map(|id| (id, v.at.clone())));
        let parties = match (f.value("parties"), &parent) {
            (Some(list), _) => list.parties(r, world),
            // An amendment that names nobody is between those who made what it amends.
            (None, Some(_)) => Vec::new(),
            (None, None) => f.need(r, "parties", |v, r| Some(v.parties(r, world))).unwrap_or_default(),
        };
        let from = f.need(r, "from", Value::from).unwrap_or_default();
        let until = f.opt(r, "until", Value::until);
        let removes = f.opt(r, "removes", Value::list).unwrap_or_default();
        let removes: Vec<(String, Place)> =
            removes.iter().filter_map(|value| Some((value.text(r)?, value.at.clone()))).collect();
        if parent.is_none() && f.has("removes") {
            let help = "name the agreement that it amends: `parent = \"…\"`";
            r.error_help(&f.at, "missing-key", "an agreement that removes clauses lacks `parent`", help);
        }
        let spot = f.spot();
        if until.is_some_and(|until| until <= from) {
            r.error(spot.key("until"), "empty-term", format!("`{id}` ends before it begins"));
        }
        let agreement = AgreementId(u16::try_from(heads.len()).unwrap_or(u16::MAX));
        heads.push(Head { id, spot, parties, parent, agreement, from, until, removes, fields: f });
    }
    draft.positions.agreements = heads.iter().map(|head| head.spot.clone()).collect();
    distinct(r, "agreement", heads.iter().map(|head| head.id.as_str()), &draft.positions.agreements);
    heads
}

impl Value<'_> {
    /// A party that the set knows.
    pub(super) fn party(&self, r: &mut Reader<'_>, world: &World) -> Option<PartyId> {
        let id = self.text(r)?;
        let found = world.find_party(&id);
        if found.is_none() {
            let names = world.parties.iter().map(|party| party.id.as_str());
            r.unknown(&self.at, "unknown-party", format!("there is no party `{id}`"), &id, names);
        }
        found
    }

    /// Parties, at least one, each once.
    fn parties(&self, r: &mut Reader<'_>, world: &World) -> Vec<PartyId> {
        let Some(list) = self.list(r) else { return Vec::new() };
        if list.is_empty() {
            r.error(&self.at, "empty-list", format!("`{}` names nobody", self.name));
        }
        let mut parties: Vec<PartyId> = Vec::new();
        for value in &list {
            let Some(party) = value.party(r, world) else { continue };
            if parties.contains(&party) {
                r.error(&value.at, "duplicate-id", format!("`{}` is named twice", world.party(party).id));
            }
            parties.push(party);
        }
        parties
    }

    /// A model that some deployment serves.
    fn model(&self, r: &mut Reader<'_>, world: &World) -> Option<ModelId> {
        let model = Glob(self.text(r)?);
        known_model(&model, &self.at, r, world);
        world.find_model(&model.0)
    }

    /// Matchers of models; those without a `*` must name a model that some deployment serves.
    pub(super) fn models(&self, r: &mut Reader<'_>, world: &World) -> Option<Vec<Glob>> {
        let mut models = Vec::new();
        for value in self.list(r)? {
            let Some(glob) = value.glob(r) else { continue };
            if !glob.0.ends_with('*') {
                known_model(&glob, &value.at, r, world);
            }
            models.push(glob);
        }
        Some(models)
    }
}

fn known_model(model: &Glob, at: &Place, r: &mut Reader<'_>, world: &World) {
    if !world.models.iter().any(|known| model.matches(known)) {
        let message = format!("no deployment serves the model `{}`", model.0);
        r.unknown(at, "unknown-model", message, &model.0, world.models.iter().map(String::as_str));
    }
}

/// The sections of that name in all the files, in the files' order.
fn sections<'t>(
    roots: &mut [Fields<'t>],
    r: &mut Reader<'_>,
    key: &'static str,
    what: &'static str,
) -> Vec<Fields<'t>> {
    let mut all = Vec::new();
    for root in roots {
        // One more than fits, so that `room` notes what is left out.
        all.extend(root.tables(r, key, what, MAX_ENTITIES.saturating_add(1)));
    }
    all
}

/// Notes every id after the first of its name.
pub(super) fn distinct<'n>(
    r: &mut Reader<'_>,
    what: &str,
    ids: impl Iterator<Item = &'n str> + Clone,
    spots: &[Spot],
) {
    for twice in World::duplicates(ids.clone().filter(|id| !id.is_empty())) {
        let places = ids.clone().zip(spots).filter(|(id, _)| *id == twice);
        for (_, spot) in places.skip(1) {
            r.error(&spot.at, "duplicate-id", format!("another {what} has the id `{twice}` already"));
        }
    }
}
