//! What does each clause of an agreement say? One function a kind, in the order of `clause/*`.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::clause::{
    Act, Answering, Assurance, CarveOut, Clause, Commitment, Credit, Exclusivity, FirstRefusal, Licence,
    Measure, Period, Price, Qualification, ServiceLevel, Silence, Variant,
};
use crate::scope::Glob;
use crate::text::agreements::{Draft, MAX_ENTITIES, room};
use crate::text::place::{Place, Spot};
use crate::text::sections::{self, Head};
use crate::text::value::Per;
use crate::text::walk::{Fields, Reader, Value};
use crate::text::{scopes, shares};
use crate::units::{Money, Share};
use crate::world::{AgreementId, ClauseId, Entry, PartyId, World};

/// Agreements with what each removes.
type Removals = Vec<(AgreementId, Vec<(String, Place)>)>;

/// Reads a clause of one kind; what is wrong in it is noted.
type ReadClause = fn(&mut Fields<'_>, &mut Reader<'_>, &World) -> Clause;

/// The kinds by the headings that they stand under.
const KINDS: [(&str, &str, ReadClause); 8] = [
    ("first-refusal", "a first-refusal clause", first_refusal),
    ("exclusivity", "an exclusivity clause", exclusivity),
    ("licence", "a licence clause", licence),
    ("commitment", "a commitment clause", commitment),
    ("revenue-share", "a revenue-share clause", shares::revenue_share),
    ("price", "a price clause", price),
    ("assurance", "an assurance clause", assurance),
    ("service-level", "a service-level clause", service_level),
];

/// The clauses of every agreement in the order of the files. Returns what the agreements remove, and where each clause's
/// id stands.
pub(super) fn read(
    heads: Vec<Head<'_>>,
    r: &mut Reader<'_>,
    draft: &mut Draft,
) -> (Removals, Vec<(ClauseId, Place)>) {
    let mut removals: Removals = Vec::new();
    let mut places = Vec::new();
    for mut head in heads {
        let mut found: Vec<(Fields<'_>, ReadClause)> = Vec::new();
        for (key, what, read) in KINDS {
            let tables = head.fields.tables(r, key, what, MAX_ENTITIES);
            found.extend(tables.into_iter().map(|table| (table, read)));
        }
        found.sort_by_key(|(table, _)| table.at.span.start);
        let first = draft.world.clauses.len();
        for (table, read) in found {
            if !room(r, &table.at, draft.world.clauses.len(), "clauses") {
                break;
            }
            let (entry, spot) = clause(table, read, head.agreement, r, &draft.world);
            let id = ClauseId(u16::try_from(draft.world.clauses.len()).unwrap_or(u16::MAX));
            places.push((id, spot.at.clone()));
            draft.world.clauses.push(entry);
            draft.positions.clauses.push(spot);
        }
        let mine = draft.world.clauses.iter().skip(first).map(|entry| entry.id.as_str());
        sections::distinct(r, "clause", mine, draft.positions.clauses.get(first..).unwrap_or_default());
        removals.push((head.agreement, head.removes));
        head.fields.finish(r);
    }
    (removals, places)
}

fn clause(
    mut f: Fields<'_>,
    read: ReadClause,
    agreement: AgreementId,
    r: &mut Reader<'_>,
    world: &World,
) -> (Entry, Spot) {
    let id = f.need(r, "id", Value::id).unwrap_or_default();
    let term = world.agreement(agreement);
    let from = f.opt(r, "from", Value::from).map_or(term.from, |from| from.max(term.from));
    let until = f.opt(r, "until", Value::until).map_or(term.until, |until| until.min(term.until));
    let clause = read(&mut f, r, world);
    let spot = f.spot();
    f.finish(r);
    (Entry { agreement, id, from, until, clause }, spot)
}

fn party(f: &mut Fields<'_>, r: &mut Reader<'_>, world: &World, key: &'static str) -> PartyId {
    f.need(r, key, |value, r| value.party(r, world)).unwrap_or(PartyId(0))
}

/// Two different parties.
pub(super) fn two_parties(
    f: &mut Fields<'_>,
    r: &mut Reader<'_>,
    world: &World,
    keys: [&'static str; 2],
) -> (PartyId, PartyId) {
    let [one, other] = keys;
    let first = f.need(r, one, |value, r| value.party(r, world));
    let second = f.need(r, other, |value, r| value.party(r, world));
    if first.is_some() && first == second {
        r.error(f.spot().key(other), "same-party", format!("`{one}` and `{other}` are the same party"));
    }
    (first.unwrap_or(PartyId(0)), second.unwrap_or(PartyId(0)))
}

pub(super) fn period(f: &mut Fields<'_>, r: &mut Reader<'_>) -> Period {
    let words = [
        ("month", Period::Month),
        ("quarter", Period::Quarter),
        ("year", Period::Year),
        ("term", Period::Term),
    ];
    f.opt(r, "period", |value, r| value.word(r, &words)).unwrap_or_default()
}

fn first_refusal(f: &mut Fields<'_>, r: &mut Reader<'_>, world: &World) -> Clause {
    let variants = [("first-offer", Variant::FirstOffer), ("matching", Variant::Matching)];
    let silences = [("declines", Silence::Declines), ("accepts", Silence::Accepts)];
    let clause = FirstRefusal {
        holder: party(f, r, world, "holder"),
        scope: scopes::scope(f, r, world),
        rank: f
            .opt(r, "rank", |v, r| v.integer(r, 1, u64::from(u16::MAX)))
            .and_then(|rank| u16::try_from(rank).ok())
            .unwrap_or(1),
        answering: f.need(r, "answering", answering).unwrap_or(Answering::Standing),
        variant: f.opt(r, "variant", |v, r| v.word(r, &variants)).unwrap_or_default(),
        silence: f.opt(r, "silence", |v, r| v.word(r, &silences)).unwrap_or_default(),
        partial: f.flag(r, "partial"),
        counter: f.flag(r, "counter"),
        protection: f.opt(r, "protection", |v, r| v.span(r)),
        carve_outs: f.opt(r, "carve-outs", |v, r| carve_outs(v, r, world)).unwrap_or_default(),
    };
    let spot = f.spot();
    match clause.answering {
        Answering::Within(_) if scopes::speaks_of_calls(&clause.scope) => {
            let help = "narrow the scope with `kinds = \"jobs\"`, or write `answering = \"standing\"`";
            let message = "a call cannot wait for a window, and the scope includes calls";
            r.error_help(spot.key("answering"), "window-on-calls", message, help);
        }
        Answering::Standing if clause.variant == Variant::Matching => {
            let help = "write `answering = { within = \"72h\" }`, or `variant = \"first-offer\"`";
            let message = "a standing answer cannot match a quote that it never sees";
            r.error_help(spot.key("variant"), "matching-needs-window", message, help);
        }
        _ => {}
    }
    for key in ["silence", "counter"] {
        if f.has("answering") && clause.answering == Answering::Standing && f.has(key) {
            let message = format!("`{key}` speaks of a window, and the answer is standing");
            r.error(spot.key(key), "needs-window", message);
        }
    }
    Clause::FirstRefusal(clause)
}

fn answering(value: &Value<'_>, r: &mut Reader<'_>) -> Option<Answering> {
    if value.data.is_str() {
        return value.word(r, &[("standing", Answering::Standing)]);
    }
    let mut f = value.fields(r, "an answering window")?;
    let within = f.need(r, "within", |v, r| v.span(r));
    if within.is_some_and(|within| within.0 == 0) {
        r.error(&value.at, "out-of-range", "a window of no time cannot be answered within");
    }
    f.finish(r);
    within.map(Answering::Within)
}

fn carve_outs(value: &Value<'_>, r: &mut Reader<'_>, world: &World) -> Option<Vec<CarveOut>> {
    let mut all = Vec::new();
    for value in value.list(r)? {
        let Some(mut f) = value.fields(r, "a carve-out") else { continue };
        let emergency = f.opt(r, "emergency", |v, r| v.span(r)).map(CarveOut::Emergency);
        let scope = f.opt(r, "scope", |v, r| scopes::read(v, r, world)).map(CarveOut::Scope);
        if f.has("emergency") == f.has("scope") {
            let help = "write one of `{ emergency = \"4h\" }`, `{ scope = … }`";
            r.error_help(&value.at, "one-of", "a carve-out is of exactly one kind", help);
        }
        f.finish(r);
        all.extend(emergency.or(scope));
    }
    Some(all)
}

fn exclusivity(f: &mut Fields<'_>, r: &mut Reader<'_>, world: &World) -> Clause {
    let exceptions = |value: &Value<'_>, r: &mut Reader<'_>| {
        let list = value.list(r)?;
        Some(list.iter().filter_map(|value| scopes::read(value, r, world)).collect())
    };
    Clause::Exclusivity(Exclusivity {
        party: party(f, r, world, "party"),
        scope: scopes::scope(f, r, world),
        exceptions: f.opt(r, "exceptions", exceptions).unwrap_or_default(),
        outage: f.opt(r, "outage", |v, r| v.span(r)),
    })
}

fn licence(f: &mut Fields<'_>, r: &mut Reader<'_>, world: &World) -> Clause {
    let (licensor, licensee) = two_parties(f, r, world, ["licensor", "licensee"]);
    let words = [(Act::Serve.word(), Act::Serve), (Act::Train.word(), Act::Train)];
    let acts = |value: &Value<'_>, r: &mut Reader<'_>| {
        let list = value.list(r)?;
        Some(list.iter().filter_map(|value| value.word(r, &words)).collect::<Vec<Act>>())
    };
    let clause = Licence {
        licensor,
        licensee,
        models: f.need(r, "models", Value::globs).unwrap_or_default(),
        acts: f.need(r, "acts", acts).unwrap_or_default(),
        regions: f.globs(r, "regions"),
    };
    let spot = f.spot();
    for (key, empty) in [("models", clause.models.is_empty()), ("acts", clause.acts.is_empty())] {
        let list =
            f.value(key).is_some_and(|value| value.data.as_array().is_some_and(|list| list.is_empty()));
        if empty && list {
            r.error(spot.key(key), "empty-list", format!("a licence without {key} allows nothing"));
        }
    }
    Clause::Licence(clause)
}

fn commitment(f: &mut Fields<'_>, r: &mut Reader<'_>, world: &World) -> Clause {
    let (by, to) = two_parties(f, r, world, ["by", "to"]);
    let words = [
        ("money", Measure::Money),
        ("gpu-hours", Measure::GpuHours),
        ("ptu-hours", Measure::PtuHours),
        ("tokens", Measure::Tokens),
    ];
    let measure = f.need(r, "measure", |v, r| v.word(r, &words));
    let scope = scopes::scope(f, r, world);
    let amount = f.need(r, "amount", |value, r| match measure? {
        Measure::Money => value.money(r, Per::Sum).map(|money| money.0),
        _ => value.integer(r, 1, u64::MAX >> 1).map(i128::from),
    });
    let shortfall = f.opt(r, "shortfall", |v, r| v.share(r)).unwrap_or(Share(1_000_000));
    let unit_price = match measure {
        Some(Measure::Money) | None => None,
        _ if shortfall.0 == 0 && !f.has("unit-price") => None,
        Some(Measure::Tokens) => f.need(r, "unit-price", token_price),
        Some(Measure::GpuHours | Measure::PtuHours) => f.need(r, "unit-price", |v, r| v.money(r, Per::Hour)),
    };
    if measure == Some(Measure::Money) && f.value("unit-price").is_some() {
        let help = "leave it out: a missing unit of money is worth itself";
        r.error_help(f.spot().key("unit-price"), "needless-key", "`unit-price` prices no money", help);
    }
    Clause::Commitment(Commitment {
        by,
        to,
        scope,
        measure: measure.unwrap_or(Measure::Money),
        amount: amount.unwrap_or_default(),
        period: period(f, r),
        rollover: f.opt(r, "rollover", |v, r| v.share(r)).unwrap_or_default(),
        shortfall,
        unit_price,
    })
}

/// The price of one token, written per million, which must come out even in nano-units.
fn token_price(value: &Value<'_>, r: &mut Reader<'_>) -> Option<Money> {
    let million = value.money(r, Per::MillionTokens)?.0;
    if million.checked_rem(1_000_000) != Some(0) {
        let message = "the price of one token is not a whole number of nano-units";
        r.error_help(&value.at, "bad-number", message, "write at most three decimals per million tokens");
    }
    million.checked_div(1_000_000).map(Money)
}

fn price(f: &mut Fields<'_>, r: &mut Reader<'_>, world: &World) -> Clause {
    let words = [("provisioned", ()), ("pay-as-you-go", ()), ("concurrent", ())];
    let capacity = |value: &Value<'_>, r: &mut Reader<'_>| {
        let mut kinds = Vec::new();
        for value in value.list(r)? {
            let known = value.word(r, &words);
            kinds.extend(known.and_then(|()| value.glob(r)));
        }
        Some(kinds)
    };
    let clause = Price {
        party: party(f, r, world, "party"),
        models: f.opt(r, "models", |v, r| v.models(r, world)).unwrap_or_default(),
        regions: f.globs(r, "regions"),
        capacity: f.opt(r, "capacity", capacity).unwrap_or_default(),
        over_input: f.opt(r, "over-input", |v, r| v.integer(r, 0, u64::MAX >> 1)),
        tier: f.opt(r, "tier", sections::tier).unwrap_or_default(),
        rates: sections::rates(f, r),
        accelerators: f.opt(r, "accelerators", |v, r| accelerators(v, r, world)).unwrap_or_default(),
        hour: f.opt(r, "hour", |v, r| v.money(r, Per::Hour)),
    };
    let calls = ["models", "capacity", "over-input", "tier"];
    let prices_calls = calls.iter().chain(&sections::RATES).any(|key| f.has(key));
    let prices_jobs = f.has("accelerators") || f.has("hour");
    let whole = if prices_jobs { f.has("accelerators") && f.has("hour") } else { clause.rates.is_some() };
    if !whole || (prices_calls && prices_jobs) {
        let help = "calls: `input`, `output`, `request`; jobs: `accelerators` and `hour`";
        let message = "a price clause prices either calls or accelerator-hours";
        r.error_help(&f.spot().at, "one-of", message, help);
    }
    Clause::Price(clause)
}

/// Matchers of accelerators; those without a `*` must stand in some pool.
fn accelerators(value: &Value<'_>, r: &mut Reader<'_>, world: &World) -> Option<Vec<Glob>> {
    let globs = value.globs(r)?;
    let known =
        world.providers.iter().flat_map(|provider| &provider.pools).map(|pool| pool.accelerator.as_str());
    for glob in &globs {
        if !known.clone().any(|accelerator| glob.matches(accelerator)) {
            let message = format!("no pool has the accelerator `{}`", glob.0);
            let mut names: Vec<&str> = known.clone().collect();
            names.sort_unstable();
            names.dedup();
            r.unknown(&value.at, "unknown-accelerator", message, &glob.0, names.into_iter());
        }
    }
    if globs.is_empty() {
        r.error(&value.at, "empty-list", "a price of accelerators names none");
    }
    Some(globs)
}

fn assurance(f: &mut Fields<'_>, r: &mut Reader<'_>, world: &World) -> Clause {
    let clause = Assurance {
        scope: scopes::scope(f, r, world),
        certifications: f.texts(r, "certifications"),
        jurisdictions: f.globs(r, "jurisdictions"),
        regions: f.globs(r, "regions"),
        attestation: f.texts(r, "attestation"),
        encryption: f.texts(r, "encryption"),
        qualification: f.opt(r, "qualification", |v, r| qualification(v, r, world)),
    };
    let asks = ["certifications", "jurisdictions", "regions", "attestation", "encryption", "qualification"];
    if !asks.iter().any(|key| f.has(key)) {
        let help = format!("write one of `{}`", asks.join("`, `"));
        r.error_help(&f.spot().at, "missing-key", "an assurance that asks for nothing", help);
    }
    Clause::Assurance(clause)
}

fn qualification(value: &Value<'_>, r: &mut Reader<'_>, world: &World) -> Option<Qualification> {
    let mut f = value.fields(r, "a qualification")?;
    let qualification = Qualification {
        providers: f.need(r, "providers", |v, r| scopes::providers(v, r, world)).unwrap_or_default(),
        good_runs: f.need(r, "good-runs", Value::count).unwrap_or_default(),
        calls: f.need(r, "calls", limit).unwrap_or_default(),
        accelerators: f.need(r, "accelerators", limit).unwrap_or_default(),
    };
    f.finish(r);
    Some(qualification)
}

/// A limit, which may be none at all.
fn limit(value: &Value<'_>, r: &mut Reader<'_>) -> Option<u32> {
    value.integer(r, 0, u64::from(u32::MAX)).and_then(|limit| u32::try_from(limit).ok())
}

fn service_level(f: &mut Fields<'_>, r: &mut Reader<'_>, world: &World) -> Clause {
    Clause::ServiceLevel(ServiceLevel {
        party: party(f, r, world, "party"),
        scope: scopes::scope(f, r, world),
        first_byte: f.opt(r, "first-byte", |v, r| v.span(r)),
        credits: f.need(r, "credits", credits).unwrap_or_default(),
        period: period(f, r),
    })
}

fn credits(value: &Value<'_>, r: &mut Reader<'_>) -> Option<Vec<Credit>> {
    let mut credits: Vec<Credit> = Vec::new();
    for value in value.list(r)? {
        let Some(mut f) = value.fields(r, "a credit") else { continue };
        let below = f.need(r, "below", |v, r| v.share(r));
        let share = f.need(r, "share", |v, r| v.share(r));
        f.finish(r);
        let (Some(below), Some(share)) = (below, share) else { continue };
        if credits.last().is_some_and(|last| last.below <= below || last.share >= share) {
            let help = "the lower the bound, the higher the credit: list them from the highest bound";
            r.error_help(&value.at, "credits-not-falling", "`below` does not fall with rising `share`", help);
        }
        credits.push(Credit { below, share });
    }
    if credits.is_empty() {
        r.error(&value.at, "empty-list", "a service level without credits owes nothing");
    }
    Some(credits)
}
