//! How much was used? Disjoint buckets: no token stands in two of them.

use serde::{Deserialize, Serialize};

use crate::units::Money;
use crate::world::Rates;

/// Metered quantity of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Input tokens that were not read from a cache.
    pub input: u64,
    /// Input tokens read from a cache.
    pub cached_input: u64,
    /// Output tokens, without reasoning.
    pub output: u64,
    /// Reasoning tokens.
    pub reasoning: u64,
    /// Requests.
    pub requests: u64,
}

/// A price is for this many tokens.
const TOKENS_PER_RATE: u64 = 1_000_000;

impl Usage {
    /// Tokens of every kind.
    pub fn tokens(&self) -> u64 {
        let input = self.input.saturating_add(self.cached_input);
        input.saturating_add(self.output).saturating_add(self.reasoning)
    }

    /// What a provisioned bucket is charged for: cached input is free there.
    pub fn uncached(&self) -> u64 {
        self.tokens().saturating_sub(self.cached_input)
    }

    /// The sum at these rates, in nano-units.
    pub fn at(&self, rates: &Rates) -> Money {
        let output = self.output.saturating_add(self.reasoning);
        let input = rates.input.for_quantity(self.input, TOKENS_PER_RATE);
        let cached = rates.cached_input.for_quantity(self.cached_input, TOKENS_PER_RATE);
        let output = rates.output.for_quantity(output, TOKENS_PER_RATE);
        let requests = rates.request.for_quantity(self.requests, 1);
        input.plus(cached).plus(output).plus(requests)
    }
}
