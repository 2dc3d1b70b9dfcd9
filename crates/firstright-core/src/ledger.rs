//! What has been used, charged and spent toward each clause, by period? The statement sums from here.

use alloc::collections::BTreeMap;

use crate::clause::{Commitment, Measure, Period};
use crate::units::{Money, Timestamp};
use crate::world::{ClauseId, PartyId};

/// What workloads add up to for one clause (or one party) in one period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// What tenants were charged.
    pub gross: Money,
    /// What providers cost.
    pub spend: Money,
    /// What counts toward a commitment, in its measure.
    pub drawn: i128,
    /// Calls that were good by the service level.
    pub good: u64,
    /// All calls.
    pub calls: u64,
    /// Workloads without a price: shown, never counted as 0.
    pub unpriced: u64,
    /// The first and the last record that were booked.
    pub records: Option<(u64, u64)>,
}

impl Account {
    /// What counts toward a commitment, in whole units of its measure: accelerator-hours are drawn in seconds.
    pub fn units(&self, measure: Measure) -> i128 {
        match measure {
            Measure::GpuHours => self.drawn.div_euclid(3_600),
            _ => self.drawn,
        }
    }

    /// Notes the record that is booked.
    pub(crate) fn cite(&mut self, record: u64) {
        let first = self.records.map_or(record, |(first, _)| first);
        self.records = Some((first, record));
    }
}

/// All accounts.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    clauses: BTreeMap<(ClauseId, Timestamp), Account>,
    parties: BTreeMap<(PartyId, Timestamp), Account>,
}

impl Ledger {
    /// The account of a clause for the period that holds `at`.
    pub(crate) fn clause(&mut self, clause: ClauseId, period: Period, at: Timestamp) -> &mut Account {
        self.clauses.entry((clause, period.start(at))).or_default()
    }

    /// The account of a provider's party for the month that holds `at`.
    pub(crate) fn party(&mut self, party: PartyId, at: Timestamp) -> &mut Account {
        self.parties.entry((party, Period::Month.start(at))).or_default()
    }

    /// What counts toward a commitment in the period that holds `at`, with what rolled over from the one before.
    //= rights/commitment.md#CO-1
    pub fn drawn(&self, id: ClauseId, clause: &Commitment, at: Timestamp) -> i128 {
        let start = clause.period.start(at);
        let now = self.clauses.get(&(id, start)).map_or(0, |account| account.units(clause.measure));
        now.saturating_add(self.carried(id, clause, start))
    }

    fn carried(&self, id: ClauseId, clause: &Commitment, start: Timestamp) -> i128 {
        if clause.rollover.0 == 0 || clause.period == Period::Term {
            return 0;
        }
        let before = Timestamp(start.0.saturating_sub(1));
        let before = self.clauses.get(&(id, clause.period.start(before)));
        before.map_or(0, |account| clause.carried(account.units(clause.measure)))
    }

    /// Every account of a clause: (start of its period, account), in order.
    pub fn of_clause(&self, id: ClauseId) -> impl Iterator<Item = (Timestamp, &Account)> {
        let from = (id, Timestamp(0));
        let until = (id, Timestamp::MAX);
        self.clauses.range(from..=until).map(|((_, start), account)| (*start, account))
    }

    /// Every account of a party: (start of its month, account), in order.
    pub fn of_party(&self, id: PartyId) -> impl Iterator<Item = (Timestamp, &Account)> {
        let from = (id, Timestamp(0));
        let until = (id, Timestamp::MAX);
        self.parties.range(from..=until).map(|((_, start), account)| (*start, account))
    }
}
