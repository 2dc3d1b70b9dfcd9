//! Do the sums add up? What each call and lease cost and was charged, added up again by party and by clause, to hold a
//! settlement's lines against.

use std::collections::BTreeMap;

use firstright_core::clause::{Base, Clause, Combine, Leg, Measure, RevenueShare};
use firstright_core::settle::{Line, What};
use firstright_core::title::Place;
use firstright_core::units::{Money, Rounding, Span, Timestamp};
use firstright_core::usage::{Tier, Usage};
use firstright_core::workload::Call;
use firstright_core::world::{CapacityKind, ClauseId, ModelId, PartyId, World};

use super::law::{self, Subject};
use super::{Finding, Serving};

/// Nano-units in a cent.
const CENT: i128 = 10_000_000;

/// What adds up.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    gross: i128,
    spend: i128,
    good: u64,
    attempts: u64,
}

/// By clause and by party, over the whole journal.
#[derive(Clone, Debug, Default)]
pub(super) struct Sums {
    clauses: BTreeMap<ClauseId, Sum>,
    parties: BTreeMap<PartyId, Sum>,
}

/// What a call may cost: by the prices in force when it was placed, in the context band of what was asked or metered.
pub(super) fn costs(
    world: &World,
    call: &Call,
    serving: &Serving,
    usage: &Usage,
    tier: Tier,
    spilled: bool,
) -> [Option<Money>; 2] {
    let own = world.deployment(serving.deployment);
    let provisioned = matches!(own.capacity, CapacityKind::Provisioned { .. });
    if provisioned && !spilled {
        return [Some(Money::ZERO); 2];
    }
    let spill = |one: &&firstright_core::world::Deployment| {
        one.provider == own.provider
            && one.model == own.model
            && matches!(one.capacity, CapacityKind::PayAsYouGo { .. })
    };
    let by = if spilled { world.served().map(|(_, one)| one).find(spill) } else { Some(own) };
    let read = [usage.input, usage.cached_input, usage.cache_write, usage.cache_write_hour, usage.audio_in];
    let metered = read.into_iter().fold(0, u64::saturating_add);
    [call.input, metered].map(|input| {
        let rates = by.and_then(|one| law::rates(world, serving.since, one, tier, input));
        rates.and_then(|rates| law::priced(usage, &rates))
    })
}

/// What a call costs that ran another model at its provider: by the first deployment of that model there, in the order of
/// the files, which is paid for by use and has one price for all of it.
pub(super) fn cost_of_run(
    world: &World,
    serving: &Serving,
    usage: &Usage,
    tier: Tier,
    ran: ModelId,
) -> Option<Money> {
    let home = world.deployment(serving.deployment).provider;
    let input = usage.all_input();
    let bands: Vec<u64> = law::force(world, serving.since)
        .filter_map(|(_, _, clause)| match clause {
            Clause::Price(price) => price.over_input.map(|over| over + 1).filter(|from| *from <= input),
            _ => None,
        })
        .collect();
    for (_, one) in world.served() {
        let by_use = !matches!(one.capacity, CapacityKind::Provisioned { .. });
        if one.provider != home || one.model != ran || !by_use {
            continue;
        }
        let Some(rates) = law::rates(world, serving.since, one, tier, 0) else { continue };
        if bands.iter().all(|from| law::rates(world, serving.since, one, tier, *from) == Some(rates)) {
            return law::priced(usage, &rates);
        }
    }
    None
}

impl Sums {
    /// Adds a settled call.
    pub(super) fn call(
        &mut self,
        world: &World,
        subject: &Subject<'_>,
        serving: &Serving,
        cost: Option<Money>,
        charge: Option<Money>,
    ) {
        let place = Place::Deployment(serving.deployment);
        self.add(world, serving.since, subject, place, cost, charge);
    }

    /// Adds a lease's metering.
    pub(super) fn lease(
        &mut self,
        world: &World,
        planned: Timestamp,
        subject: &Subject<'_>,
        place: Place,
        cost: Option<Money>,
    ) {
        self.add(world, planned, subject, place, cost, None);
    }

    fn add(
        &mut self,
        world: &World,
        planned: Timestamp,
        subject: &Subject<'_>,
        place: Place,
        cost: Option<Money>,
        charge: Option<Money>,
    ) {
        let party = law::party_of(world, place);
        let (cost, charge) = (cost.map_or(0, |cost| cost.0), charge.map_or(0, |charge| charge.0));
        let mut both = vec![self.parties.entry(party).or_default()];
        let counting = law::force(world, planned).filter(|(_, _, clause)| match clause {
            Clause::RevenueShare(share) => law::covers(&share.scope, subject),
            Clause::Commitment(one) => one.to == party && law::covers(&one.scope, subject),
            Clause::ServiceLevel(level) => level.party == party && law::covers(&level.scope, subject),
            _ => false,
        });
        let counting: Vec<ClauseId> = counting.map(|(id, _, _)| id).collect();
        for id in &counting {
            self.clauses.entry(*id).or_default();
        }
        both.extend(self.clauses.iter_mut().filter(|(id, _)| counting.contains(id)).map(|(_, sum)| sum));
        for sum in both {
            sum.gross += charge;
            sum.spend += cost;
        }
    }

    /// Adds an attempt, good or not, to the service levels that promise for it.
    pub(super) fn attempt(
        &mut self,
        world: &World,
        subject: &Subject<'_>,
        serving: &Serving,
        completed: bool,
        first_byte: Span,
    ) {
        let party = law::party_of(world, Place::Deployment(serving.deployment));
        for (id, _, clause) in law::force(world, serving.since) {
            let Clause::ServiceLevel(level) = clause else { continue };
            if level.party == party && law::covers(&level.scope, subject) {
                let sum = self.clauses.entry(id).or_default();
                sum.attempts += 1;
                sum.good += u64::from(completed && level.first_byte.is_none_or(|most| first_byte <= most));
            }
        }
    }

    /// What in the settlement does not add up? Every line's amount follows from its account, and the accounts of a clause
    /// (of a party) make up all that was booked for it.
    pub(super) fn check(&self, world: &World, lines: &[Line]) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut find = |what: String| findings.push(Finding { record: 0, what });
        let mut stated: BTreeMap<(bool, u16), Sum> = BTreeMap::new();
        for line in lines {
            let key = line.clause.map_or((true, line.payee.0), |clause| (false, clause.0));
            let sum = stated.entry(key).or_default();
            sum.gross += line.account.gross.0;
            sum.spend += line.account.spend.0;
            sum.good += line.account.good;
            sum.attempts += line.account.calls;
            let due = due(world, line);
            if due != line.amount {
                find(format!("a line of {:?} owes {due} and says {}", line.what, line.amount));
            }
        }
        for (party, own) in &self.parties {
            let said = stated.get(&(true, party.0)).copied().unwrap_or_default();
            if *party != world.operator() && said.spend != own.spend {
                find(format!(
                    "{} is owed {} and the lines say {}",
                    world.party(*party).id,
                    own.spend,
                    said.spend
                ));
            }
        }
        for (clause, own) in &self.clauses {
            let said = stated.get(&(false, clause.0)).copied().unwrap_or_default();
            let level = matches!(world.clause(*clause).clause, Clause::ServiceLevel(_));
            let attempts = !level || (said.good, said.attempts) == (own.good, own.attempts);
            let gross = level || said.gross == own.gross;
            if said.spend != own.spend || !gross || !attempts {
                find(format!(
                    "the lines of {} do not sum what was booked: {said:?}, {own:?}",
                    world.cite(*clause)
                ));
            }
        }
        findings
    }
}

/// What the line owes by its own account.
fn due(world: &World, line: &Line) -> Money {
    let account = &line.account;
    let clause = line.clause.map(|id| &world.clause(id).clause);
    match (line.what, clause) {
        (What::RevenueShare, Some(Clause::RevenueShare(share))) => {
            shared(share, account.gross.0, account.spend.0)
        }
        (What::Shortfall, Some(Clause::Commitment(one))) => {
            let missing = (one.amount - account.drawn).max(0);
            let unit =
                if one.measure == Measure::Money { 1 } else { one.unit_price.map_or(0, |price| price.0) };
            cents(part(missing * unit, one.shortfall.0), Rounding::HalfEven)
        }
        (What::Credit, Some(Clause::ServiceLevel(level))) => {
            let (good, all) = (i128::from(account.good), i128::from(account.calls));
            let missed = level.credits.iter().filter(|one| good * 1_000_000 < all * i128::from(one.below.0));
            let share = missed.map(|one| one.share.0).max().unwrap_or(0);
            cents(part(account.spend.0, share), Rounding::HalfEven)
        }
        _ => cents(account.spend.0, Rounding::HalfEven),
    }
}

fn shared(share: &RevenueShare, gross: i128, spend: i128) -> Money {
    let legs: Vec<i128> = share.legs.iter().map(|leg| leg_of(leg, gross, spend)).collect();
    let all = match share.combine {
        Combine::Sum => legs.iter().sum(),
        Combine::Higher => legs.iter().copied().max().unwrap_or(0),
        Combine::Lower => legs.iter().copied().min().unwrap_or(0),
    };
    let floored = share.floor.map_or(all, |floor| all.max(floor.0));
    cents(share.cap.map_or(floored, |cap| floored.min(cap.0)), share.rounding)
}

fn leg_of(leg: &Leg, gross: i128, spend: i128) -> i128 {
    let base = match leg.base {
        Base::Gross => gross,
        Base::Net => gross - spend,
        Base::Spend => spend,
    };
    let (mut owed, mut from) = (0, 0);
    for tier in &leg.tiers {
        let to = tier.up_to.map_or(base, |up_to| base.min(up_to.0));
        if to > from {
            owed += part(to - from, tier.share.0);
            from = to;
        }
    }
    owed
}

fn part(of: i128, share: u32) -> i128 {
    law::half_even(of * i128::from(share), 1_000_000)
}

fn cents(nanos: i128, rounding: Rounding) -> Money {
    let cents = match rounding {
        Rounding::HalfEven => law::half_even(nanos, CENT),
        Rounding::Down => nanos / CENT,
        Rounding::Up => nanos / CENT + if nanos % CENT == 0 { 0 } else { nanos.signum() },
    };
    Money(cents * CENT)
}
