//! What is owed to whom for a period? Every line cites its clause and the records that it sums.

use alloc::vec::Vec;

use crate::Broker;
use crate::clause::{Clause, Commitment, Measure, Period};
use crate::ledger::Account;
use crate::state::State;
use crate::units::{HOUR, Money, Rounding, Timestamp};
use crate::world::{CapacityKind, ClauseId, Entry, PartyId};

/// A line of a settlement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Why it is owed.
    pub what: What,
    /// The clause; none for what usage costs by the catalogue or a price clause.
    pub clause: Option<ClauseId>,
    /// Who owes.
    pub payer: PartyId,
    /// To whom.
    pub payee: PartyId,
    /// The period's start.
    pub from: Timestamp,
    /// The period's end, exclusive.
    pub until: Timestamp,
    /// Is the period over? Until then the line is a forecast.
    pub closed: bool,
    /// What is owed, in cents.
    pub amount: Money,
    /// What it is reckoned from.
    pub account: Account,
}

/// Why a line is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// What the provider's capacity cost.
    Spend,
    /// A share of revenue.
    RevenueShare,
    /// A commitment's shortfall.
    Shortfall,
    /// A credit for a service level that was missed.
    Credit,
}

impl Broker {
    /// The settlement: every line of every period up to `at`, in the order of parties and clauses.
    //= rights/settlement.md#ST-1
    //= rights/settlement.md#ST-2
    pub fn settlement(&self, at: Timestamp) -> Vec<Line> {
        let Some(state) = self.state.as_ref() else { return Vec::new() };
        let mut lines = spend(state, at);
        for (id, entry) in state.world.entries() {
            match &entry.clause {
                Clause::RevenueShare(share) => {
                    let (parties, period) = ((share.payer, share.payee), share.period);
                    let empty = Account::default();
                    //= rights/revenue-share.md#RS-5
                    let due = |from: &Timestamp| share.floor.is_some() || account(state, id, *from).is_some();
                    for from in periods(entry, period, at).into_iter().filter(due) {
                        let account = account(state, id, from).unwrap_or(&empty);
                        let amount = share.owed(account.gross, account.spend);
                        let what = What::RevenueShare;
                        lines.push(line(what, id, entry, parties, period, from, at, amount, account));
                    }
                }
                Clause::Commitment(clause) => lines.extend(shortfalls(state, id, entry, clause, at)),
                Clause::ServiceLevel(level) => {
                    for (from, account) in state.ledger.of_clause(id) {
                        let amount = level
                            .owed(account.good, account.calls, account.spend)
                            .to_cents(Rounding::HalfEven);
                        let parties = (level.party, state.world.operator());
                        lines.push(line(
                            What::Credit,
                            id,
                            entry,
                            parties,
                            level.period,
                            from,
                            at,
                            amount,
                            account,
                        ));
                    }
                }
                _ => {}
            }
        }
        lines
    }
}

/// What each party's capacity cost, by month.
fn spend(state: &State, at: Timestamp) -> Vec<Line> {
    let operator = state.world.operator();
    let parties = (0u16..).map(PartyId).take(state.world.parties.len());
    let lines = parties.filter(|party| *party != operator).flat_map(|party| {
        state.ledger.of_party(party).map(move |(from, account)| {
            let until = Period::Month.end(from);
            let amount = account.spend.to_cents(Rounding::HalfEven);
            let (payer, payee, closed) = (operator, party, until <= at);
            Line {
                what: What::Spend,
                clause: None,
                payer,
                payee,
                from,
                until,
                closed,
                amount,
                account: *account,
            }
        })
    });
    lines.collect()
}

/// A commitment's shortfall in each period since it began, also those in which nothing was bought.
fn shortfalls(state: &State, id: ClauseId, entry: &Entry, clause: &Commitment, at: Timestamp) -> Vec<Line> {
    let mut lines = Vec::new();
    for from in periods(entry, clause.period, at) {
        let until = clause.period.end(from).min(entry.until);
        let account = account(state, id, from).copied().unwrap_or_default();
        let drawn = match clause.measure {
            Measure::PtuHours => ptu_hours(state, clause, from.max(entry.from), until.min(at)),
            _ => state.ledger.drawn(id, clause, from.max(entry.from)),
        };
        let amount = clause.owed(drawn).to_cents(Rounding::HalfEven);
        let parties = (clause.by, clause.to);
        lines.push(line(
            What::Shortfall,
            id,
            entry,
            parties,
            clause.period,
            from,
            at,
            amount,
            &Account { drawn, ..account },
        ));
    }
    lines
}

/// The starts of the clause's periods that have begun, also of those in which nothing happened.
fn periods(entry: &Entry, period: Period, at: Timestamp) -> Vec<Timestamp> {
    let mut starts = Vec::new();
    let mut time = entry.from;
    while time <= at && time < entry.until {
        let start = period.start(time);
        starts.push(start);
        time = period.end(start);
    }
    starts
}

/// The clause's account of the period that starts then.
fn account(state: &State, id: ClauseId, start: Timestamp) -> Option<&Account> {
    state.ledger.of_clause(id).find(|(from, _)| *from == start).map(|(_, account)| account)
}

/// Provisioned units of the party over time: drawn whether used or not.
//= rights/commitment.md#CO-6
fn ptu_hours(state: &State, clause: &Commitment, from: Timestamp, until: Timestamp) -> i128 {
    let own = state.world.served().filter(|(_, one)| state.world.provider(one.provider).party == clause.to);
    let units = own.filter_map(|(_, one)| match one.capacity {
        CapacityKind::Provisioned { units, .. } => Some(i128::from(units)),
        _ => None,
    });
    let hours = i128::from(until.since(from).0.div_euclid(HOUR));
    units.sum::<i128>().saturating_mul(hours)
}

#[expect(clippy::too_many_arguments, reason = "a line's parts, each named")]
fn line(
    what: What,
    id: ClauseId,
    entry: &Entry,
    (payer, payee): (PartyId, PartyId),
    period: Period,
    from: Timestamp,
    at: Timestamp,
    amount: Money,
    account: &Account,
) -> Line {
    let until = period.end(from).min(entry.until);
    let closed = until <= at;
    let from = from.max(entry.from);
    Line { what, clause: Some(id), payer, payee, from, until, closed, amount, account: *account }
}
