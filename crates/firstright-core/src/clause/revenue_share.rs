//! Whose part of the revenue is whose?

use alloc::vec::Vec;

use crate::clause::Period;
use crate::scope::Scope;
use crate::units::{Money, Rounding, Share};
use crate::world::PartyId;

/// A part of a base is owed from payer to payee each period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevenueShare {
    /// Who owes.
    pub payer: PartyId,
    /// To whom.
    pub payee: PartyId,
    /// Which workloads count.
    pub scope: Scope,
    /// One base with its tiers, or several to combine.
    pub legs: Vec<Leg>,
    /// How several are combined.
    pub combine: Combine,
    /// At least this a period.
    pub floor: Option<Money>,
    /// At most this a period.
    pub cap: Option<Money>,
    /// How often it starts anew.
    pub period: Period,
    /// How the period's sum is brought to cents.
    pub rounding: Rounding,
}

/// A base and what part of it is owed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// Of what.
    pub base: Base,
    /// Marginal tiers in rising order; the last has no upper end.
    pub tiers: Vec<Tier>,
}

/// Of what a share is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// What tenants are charged.
    Gross,
    /// What tenants are charged less what providers cost.
    Net,
    /// What providers cost.
    Spend,
}

/// How several legs make one sum: "the higher of 5 % of gross or 25 % of net".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Combine {
    /// All of them.
    #[default]
    Sum,
    /// The highest.
    Higher,
    /// The lowest.
    Lower,
}

/// A marginal tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// The part of the base up to here, from where the tier below ends; `None` is without end.
    pub up_to: Option<Money>,
    /// The part owed.
    pub share: Share,
}

impl RevenueShare {
    /// What is owed for a period with this gross and spend, in cents.
    //= rights/revenue-share.md#RS-2
    //= rights/revenue-share.md#RS-4
    //= rights/revenue-share.md#RS-5
    //= rights/revenue-share.md#RS-6
    pub fn owed(&self, gross: Money, spend: Money) -> Money {
        let legs = self.legs.iter().map(|leg| leg.owed(gross, spend));
        let combined = match self.combine {
            Combine::Sum => legs.fold(Money::ZERO, Money::plus),
            Combine::Higher => legs.max().unwrap_or(Money::ZERO),
            Combine::Lower => legs.min().unwrap_or(Money::ZERO),
        };
        let floored = combined.max(self.floor.unwrap_or(combined));
        floored.min(self.cap.unwrap_or(floored)).to_cents(self.rounding)
    }
}

impl Leg {
    //= rights/revenue-share.md#RS-3
    fn owed(&self, gross: Money, spend: Money) -> Money {
        let base = match self.base {
            Base::Gross => gross,
            Base::Net => gross.minus(spend),
            Base::Spend => spend,
        };
        let base = base.max(Money::ZERO);
        let mut below = Money::ZERO;
        let mut owed = Money::ZERO;
        for tier in &self.tiers {
            let end = tier.up_to.unwrap_or(base).min(base);
            owed = owed.plus(end.minus(below).max(Money::ZERO).share(tier.share));
            below = below.max(end);
        }
        owed
    }
}
