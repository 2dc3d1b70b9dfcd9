//! How long, or how many, this time? A distribution given by four measured quantiles.
//!
//! Quantiles are what one reads off a dashboard, and a straight line between them needs integers only.

use serde::Deserialize;

use crate::rng::Rng;

#[cfg(test)]
mod tests;

/// A million draws' worth of resolution: enough for a p99, and no rounding with `u64`.
const RESOLUTION: u64 = 1_000_000;

/// Four quantiles; nothing is drawn under `p1`, and the last percent runs on to half again `p99`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Quantiles {
    pub p1: u64,
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
}

impl Quantiles {
    pub fn is_ordered(&self) -> bool {
        self.p1 <= self.p50 && self.p50 <= self.p90 && self.p90 <= self.p99
    }

    pub fn draw(&self, rng: &mut Rng) -> u64 {
        let longest = self.p99.saturating_add(self.p99 / 2);
        let points = [
            (10_000, self.p1),
            (500_000, self.p50),
            (900_000, self.p90),
            (990_000, self.p99),
            (RESOLUTION, longest),
        ];
        let at = rng.below(RESOLUTION);
        let (mut left, mut low) = (0, self.p1);
        for (right, high) in points {
            if at < right {
                let rise = u128::from(high - low) * u128::from(at - left) / u128::from(right - left);
                return low + rise as u64;
            }
            (left, low) = (right, high);
        }
        longest
    }
}
