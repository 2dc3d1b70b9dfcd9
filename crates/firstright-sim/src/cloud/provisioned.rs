//! Has the provisioned deployment room for one more call? Azure's PTU rule, as a leaky bucket.
//!
//! A call is charged when it arrives (prompt − cached + `max_tokens`), the charge is corrected when it
//! ends, and the bucket drains all the while at the rate that the units buy. A call is accepted while
//! the level is under 100 %, plus a small burst; the last one accepted may therefore overshoot.
//! Source: Microsoft's "Provisioned throughput units" page; 429 is the design, not an error.

use serde::Deserialize;

#[cfg(test)]
mod tests;

/// The level is kept in token·nanoseconds per minute, so that draining is exact in integers.
const NANOS_PER_MINUTE: u128 = 60_000_000_000;

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct ProvisionedSpec {
    /// Units bought.
    pub units: u64,
    /// Tokens a minute that one unit drains.
    pub tokens_per_minute_per_unit: u64,
    /// Depth of the bucket, in seconds of draining: 100 % is this much work.
    pub window_seconds: u64,
    /// Accepts until 100 % plus this.
    pub burst_percent: u64,
    /// Charge of one output token, in input tokens (Azure: 1 for older models, up to 8 for newer).
    pub output_weight: u64,
}

/// The bucket. Time must not run backwards; an earlier time drains nothing.
#[derive(Clone, Debug)]
pub struct Bucket {
    spec: ProvisionedSpec,
    level: u128,
    at_ns: u64,
}

impl Bucket {
    pub fn new(spec: ProvisionedSpec) -> Bucket {
        Bucket { spec, level: 0, at_ns: 0 }
    }

    /// Charges `tokens`, or tells in how many nanoseconds the bucket accepts again.
    pub fn admit(&mut self, at_ns: u64, tokens: u64) -> Result<(), u64> {
        self.drain(at_ns);
        if self.level < self.limit() {
            self.level = self.level.saturating_add(u128::from(tokens) * NANOS_PER_MINUTE);
            return Ok(());
        }
        // Strictly under the limit, hence the one that is added.
        let over = self.level - self.limit() + 1;
        Err(u64::try_from(over.div_ceil(u128::from(self.rate()))).unwrap_or(u64::MAX))
    }

    /// Replaces a charge by what was used.
    pub fn correct(&mut self, at_ns: u64, charged: u64, used: u64) {
        self.drain(at_ns);
        let charged = u128::from(charged) * NANOS_PER_MINUTE;
        let used = u128::from(used) * NANOS_PER_MINUTE;
        self.level = self.level.saturating_add(used).saturating_sub(charged);
    }

    /// Thousandths of 100 %; over 1000 in a burst.
    pub fn utilization_permille(&mut self, at_ns: u64) -> u64 {
        self.drain(at_ns);
        u64::try_from(self.level * 1_000 / self.capacity()).unwrap_or(u64::MAX)
    }

    /// What one call costs: cached tokens are free, output tokens are weighted.
    pub fn charge(&self, prompt: u64, cached: u64, output: u64) -> u64 {
        prompt.saturating_sub(cached).saturating_add(output.saturating_mul(self.spec.output_weight))
    }

    /// Tokens a minute.
    pub fn rate(&self) -> u64 {
        self.spec.units.saturating_mul(self.spec.tokens_per_minute_per_unit).max(1)
    }

    fn drain(&mut self, at_ns: u64) {
        let elapsed = at_ns.saturating_sub(self.at_ns);
        self.at_ns = self.at_ns.max(at_ns);
        self.level = self.level.saturating_sub(u128::from(elapsed) * u128::from(self.rate()));
    }

    fn capacity(&self) -> u128 {
        u128::from(self.rate()) * u128::from(self.spec.window_seconds.max(1)) * 1_000_000_000
    }

    fn limit(&self) -> u128 {
        self.capacity() * u128::from(100 + self.spec.burst_percent) / 100
    }
}
