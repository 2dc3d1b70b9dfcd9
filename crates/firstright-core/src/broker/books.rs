//! What does a workload add to the accounts?

use super::Broker;
use crate::clause::{Clause, Measure};
use crate::ledger::Account;
use crate::plan::{self, Candidate, Plan};
use crate::state::{Lease, Serving, State};
use crate::units::{Money, Span, Timestamp};
use crate::usage::{Tier, Usage};
use crate::workload::{Call, View};
use crate::world::{CapacityKind, ClauseId, ModelId, PartyId, World};

impl Broker {
    /// Books a call's usage: what the provider is owed and what the tenant is charged. `None` is unpriced.
    pub(super) fn book_call(
        &mut self,
        at: Timestamp,
        call: &Call,
        serving: &Serving,
        usage: &Usage,
        tier: Tier,
        spilled: bool,
    ) -> (Option<Money>, Option<Money>) {
        let record = self.record;
        let Some(state) = self.state.as_mut() else { return (None, None) };
        let Some(candidate) = serving.plan.candidates.get(serving.candidate) else { return (None, None) };
        // The band is that of what was metered: the estimate from the body only chose where to go.
        //= rights/price.md#PR-3
        let input = usage.all_input();
        let rates = if spilled {
            let own = spill(&state.world, &serving.plan, candidate);
            own.and_then(|own| own.rates_for(tier, input))
        } else {
            candidate.rates_for(tier, input)
        };
        // Provisioned capacity is paid by the hour, not by the token.
        let cost = if candidate.sunk && !spilled {
            Some(Money::ZERO)
        } else {
            rates.and_then(|rates| usage.at(&rates))
        };
        let amount = Amount::of(&state.world, call, serving.model, usage, tier, cost);
        book(state, at, record, &serving.plan.counts, candidate.party, &amount);
        (amount.cost, amount.charge)
    }

    /// Books what a call used that ran another model at its provider than it was decided for: at the price of that model
    /// there, and for the clauses that count calls to it.
    //= rights/price.md#PR-9
    pub(super) fn book_run(
        &mut self,
        at: Timestamp,
        call: &Call,
        serving: &Serving,
        usage: &Usage,
        tier: Tier,
        ran: ModelId,
    ) -> (Option<Money>, Option<Money>) {
        let record = self.record;
        let Some(state) = self.state.as_mut() else { return (None, None) };
        let Some(candidate) = serving.plan.candidates.get(serving.candidate) else { return (None, None) };
        let (provider, party, since) = (candidate.provider, candidate.party, serving.since);
        let world = &state.world;
        let view = View { model: Some(world.model(ran)), kept: None, ..View::of_call(world, call, ran) };
        let counts = plan::for_calls(world, since, &view, ran).counts;
        let rates = world.served().find_map(|(_, one)| {
            let by_use = !matches!(one.capacity, CapacityKind::Provisioned { .. });
            let own = one.provider == provider && one.model == ran && by_use;
            own.then(|| plan::rates_of_many(world, since, one, tier, usage.all_input()))?
        });
        let cost = rates.and_then(|rates| usage.at(&rates));
        let amount = Amount::of(world, call, ran, usage, tier, cost);
        book(state, at, record, &counts, party, &amount);
        (amount.cost, amount.charge)
    }

    /// Books whether an attempt was good, for the service level of the party that served it.
    //= rights/service-level.md#SL-1
    pub(super) fn book_attempt(
        &mut self,
        at: Timestamp,
        serving: &Serving,
        completed: bool,
        first_byte: Span,
    ) {
        let record = self.record;
        let Some(state) = self.state.as_mut() else { return };
        let Some(candidate) = serving.plan.candidates.get(serving.candidate) else { return };
        for id in &serving.plan.counts {
            let entry = state.world.clause(*id);
            let Clause::ServiceLevel(level) = &entry.clause else { continue };
            let at = at.min(Timestamp(entry.until.0.saturating_sub(1)));
            if level.party != candidate.party {
                continue;
            }
            let good = level.good(completed, first_byte);
            let account = state.ledger.clause(*id, level.period, at);
            account.calls = account.calls.saturating_add(1);
            account.good = account.good.saturating_add(u64::from(good));
            account.cite(record);
        }
    }

    /// Books a lease's metering: what the provider is owed. `None` is unpriced.
    pub(super) fn book_lease(
        &mut self,
        at: Timestamp,
        lease: &Lease,
        accelerator_seconds: u64,
    ) -> Option<Money> {
        let record = self.record;
        let state = self.state.as_mut()?;
        let cost = lease.hour.map(|hour| hour.for_quantity(accelerator_seconds, 3_600));
        let amount = Amount { cost, charge: None, tokens: 0, accelerator_seconds };
        book(state, at, record, &lease.plan.counts, lease.candidate.party, &amount);
        cost
    }
}

/// What is booked.
struct Amount {
    cost: Option<Money>,
    charge: Option<Money>,
    tokens: u64,
    accelerator_seconds: u64,
}

impl Amount {
    /// What a call comes to that ran this model: what it costs, and what its tenant is charged for it.
    fn of(
        world: &World,
        call: &Call,
        ran: ModelId,
        usage: &Usage,
        tier: Tier,
        cost: Option<Money>,
    ) -> Amount {
        let rates = world.tenant(call.tenant).charge(world.model(ran), tier);
        let charge = rates.and_then(|rates| usage.at(rates));
        Amount { cost, charge, tokens: usage.tokens(), accelerator_seconds: 0 }
    }
}

/// Adds to the accounts of the party and of every clause that counts the workload.
//= rights/revenue-share.md#RS-1
//= rights/revenue-share.md#RS-7
fn book(state: &mut State, at: Timestamp, record: u64, counts: &[ClauseId], party: PartyId, amount: &Amount) {
    add(state.ledger.party(party, at), record, amount, None);
    for id in counts {
        let entry = state.world.clause(*id);
        // What was served while the clause was in force counts in its last period, also if it is metered later.
        let at = at.min(Timestamp(entry.until.0.saturating_sub(1)));
        let account = match &entry.clause {
            Clause::RevenueShare(share) => {
                let account = state.ledger.clause(*id, share.period, at);
                add(account, record, amount, None);
                continue;
            }
            Clause::Commitment(clause) if clause.to == party => {
                let account = state.ledger.clause(*id, clause.period, at);
                add(account, record, amount, Some(clause.measure));
                continue;
            }
            Clause::ServiceLevel(level) if level.party == party => state.ledger.clause(*id, level.period, at),
            _ => continue,
        };
        account.spend = account.spend.plus(amount.cost.unwrap_or(Money::ZERO));
    }
}

fn add(account: &mut Account, record: u64, amount: &Amount, measure: Option<Measure>) {
    account.gross = account.gross.plus(amount.charge.unwrap_or(Money::ZERO));
    account.spend = account.spend.plus(amount.cost.unwrap_or(Money::ZERO));
    account.unpriced = account.unpriced.saturating_add(u64::from(amount.cost.is_none()));
    account.calls = account.calls.saturating_add(u64::from(amount.accelerator_seconds == 0));
    let drawn = match measure {
        Some(Measure::Money) => amount.cost.unwrap_or(Money::ZERO).0,
        // Counted in seconds, so that short leases are not lost to rounding; the clause's amount is in hours.
        Some(Measure::GpuHours) => i128::from(amount.accelerator_seconds),
        Some(Measure::Tokens) => i128::from(amount.tokens),
        // Provisioned units are drawn by time, not by use: the statement reckons them.
        Some(Measure::PtuHours) | None => 0,
    };
    account.drawn = account.drawn.saturating_add(drawn);
    account.cite(record);
}

/// The pay-as-you-go capacity of the same model at the same provider, whose price is what native spillover costs.
pub(super) fn spill<'p>(world: &World, plan: &'p Plan, candidate: &Candidate) -> Option<&'p Candidate> {
    plan.candidates.iter().find(|other| {
        let crate::title::Place::Deployment(id) = other.place else { return false };
        let kind = world.deployment(id).capacity;
        other.provider == candidate.provider && matches!(kind, CapacityKind::PayAsYouGo { .. })
    })
}
