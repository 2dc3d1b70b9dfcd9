//! What must be bought in a period, and what is owed if it was not?

use crate::clause::Period;
use crate::scope::Scope;
use crate::units::{Money, Share};
use crate::world::PartyId;

/// Take-or-pay: unmet commitment is sunk cost, so it is used first within the rights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commitment {
    /// Who committed to buy.
    pub by: PartyId,
    /// From whom.
    pub to: PartyId,
    /// Which workloads count.
    pub scope: Scope,
    /// In what it is counted.
    pub measure: Measure,
    /// How much a period: nano-units of money, or whole units of the measure.
    pub amount: i128,
    /// How often it starts anew.
    pub period: Period,
    /// The part of what was left over that counts in the next period as if bought there.
    pub rollover: Share,
    /// The part of the shortfall that is owed.
    pub shortfall: Share,
    /// Price of a missing unit, for measures other than money.
    pub unit_price: Option<Money>,
}

/// In what a commitment is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Money spent with the party.
    Money,
    /// Accelerator-hours.
    GpuHours,
    /// PTU-hours: provisioned units over time.
    PtuHours,
    /// Tokens, input and output.
    Tokens,
}

impl Commitment {
    /// What is owed for a period in which `drawn` was used: the shortfall, priced, times the part that is owed. Rounding
    /// is the statement's.
    //= rights/commitment.md#CO-3
    //= rights/commitment.md#CO-4
    pub fn owed(&self, drawn: i128) -> Money {
        let missing = self.amount.saturating_sub(drawn).max(0);
        let value = match self.measure {
            Measure::Money => Money(missing),
            _ => Money(self.unit_price.unwrap_or(Money::ZERO).0.saturating_mul(missing)),
        };
        value.share(self.shortfall)
    }

    /// What a period begins with, when the one before drew `drawn`: the part of the excess that rolls over.
    //= rights/commitment.md#CO-5
    pub fn carried(&self, drawn: i128) -> i128 {
        Money(drawn.saturating_sub(self.amount).max(0)).share(self.rollover).0
    }
}
