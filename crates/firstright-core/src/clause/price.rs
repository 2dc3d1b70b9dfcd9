//! What does a unit cost, instead of the catalogue's price?

use alloc::vec::Vec;

use crate::scope::{Glob, any};
use crate::units::Money;
use crate::usage::Tier;
use crate::world::{CapacityKind, Deployment, PartyId, Pool, Provider, Rates, World};

/// A contract price that overrides the catalogue. Of several that fit, the one that began last holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// Whose capacity it prices.
    pub party: PartyId,
    /// Models; empty means all. A clause that names accelerators prices jobs, otherwise calls.
    pub models: Vec<Glob>,
    /// Regions of the provider; empty means all.
    pub regions: Vec<Glob>,
    /// Kinds of capacity (`provisioned`, `pay-as-you-go`, `concurrent`); empty means all.
    pub capacity: Vec<Glob>,
    /// Only for calls with more input tokens than this (a context band).
    pub over_input: Option<u64>,
    /// The tier of service that it prices.
    pub tier: Tier,
    /// Prices of tokens.
    pub rates: Option<Rates>,
    /// Accelerators; empty for a clause that prices calls.
    pub accelerators: Vec<Glob>,
    /// Price of an accelerator for an hour.
    pub hour: Option<Money>,
}

impl CapacityKind {
    /// The word that agreements use.
    pub fn word(&self) -> &'static str {
        match self {
            CapacityKind::Provisioned { .. } => "provisioned",
            CapacityKind::PayAsYouGo { .. } => "pay-as-you-go",
            CapacityKind::Concurrent { .. } => "concurrent",
        }
    }
}

impl Price {
    /// The token prices that this clause sets for the deployment, for a call with so many input tokens that this tier
    /// serves.
    //= rights/price.md#PR-1
    //= rights/price.md#PR-3
    //= rights/price.md#PR-8
    pub fn rates(&self, world: &World, deployment: &Deployment, tier: Tier, input: u64) -> Option<Rates> {
        let fits = self.tier == tier
            && self.fits(world.provider(deployment.provider))
            && any(&self.models, world.model(deployment.model))
            && any(&self.capacity, deployment.capacity.word())
            && self.over_input.is_none_or(|over| input > over);
        self.rates.filter(|_| fits)
    }

    /// The price of an accelerator-hour that this clause sets for the pool.
    //= rights/price.md#PR-4
    pub fn hour(&self, provider: &Provider, pool: &Pool) -> Option<Money> {
        let named = !self.accelerators.is_empty() && any(&self.accelerators, &pool.accelerator);
        self.hour.filter(|_| named && self.fits(provider))
    }

    fn fits(&self, provider: &Provider) -> bool {
        provider.party == self.party && any(&self.regions, &provider.region)
    }
}
