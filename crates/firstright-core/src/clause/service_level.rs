//! What did a provider promise, and what does it owe if it fell short?

use alloc::vec::Vec;

use crate::clause::Period;
use crate::scope::Scope;
use crate::units::{Money, Share, Span};
use crate::world::PartyId;

/// Availability and latency promised, with credits, from our own measurements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceLevel {
    /// Who promised.
    pub party: PartyId,
    /// For which workloads.
    pub scope: Scope,
    /// A call is good if it completed, and its first byte came within this; `None` asks for completion only.
    pub first_byte: Option<Span>,
    /// Credits by the share of good calls, in falling order of `below`.
    pub credits: Vec<Credit>,
    /// How often it is reckoned.
    pub period: Period,
}

/// A credit that is owed when the share of good calls was below a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credit {
    /// Below this share of good calls …
    pub below: Share,
    /// … this part of the period's spend is owed back.
    pub share: Share,
}

impl ServiceLevel {
    /// Was this attempt good?
    //= rights/service-level.md#SL-1
    //= rights/service-level.md#SL-2
    pub fn good(&self, completed: bool, first_byte: Span) -> bool {
        completed && self.first_byte.is_none_or(|most| first_byte <= most)
    }

    /// What is owed back for a period: the credit of the lowest bound that was missed, of the spend.
    //= rights/service-level.md#SL-3
    //= rights/service-level.md#SL-4
    pub fn owed(&self, good: u64, all: u64, spend: Money) -> Money {
        let missed = |credit: &&Credit| {
            u128::from(good).saturating_mul(1_000_000)
                < u128::from(all).saturating_mul(u128::from(credit.below.0))
        };
        let credit = self.credits.iter().filter(missed).map(|credit| credit.share).max();
        credit.map_or(Money::ZERO, |share| spend.share(share))
    }
}
