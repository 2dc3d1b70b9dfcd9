//! Is this pay-as-you-go call within the quota? Tokens a minute, and requests in short slices.
//!
//! The token counter is an estimate (prompt + `max_tokens`), it is never corrected, and it starts again
//! each minute. Requests are limited per slice of 1 or 10 seconds, so that a burst is refused long
//! before the minute's quota is used. Source: Microsoft's quota page for Azure OpenAI.

use serde::Deserialize;

#[cfg(test)]
mod tests;

const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct MeteredSpec {
    pub tokens_per_minute: u64,
    pub requests_per_minute: u64,
    /// Over how many seconds requests are counted; 1 or 10 at Azure. Divides 60.
    pub slice_seconds: u64,
}

/// Which of the two quotas is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quota {
    Tokens,
    Requests,
}

/// What the `x-ratelimit-*` headers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    pub limit_requests: u64,
    pub remaining_requests: u64,
    pub reset_requests_ns: u64,
    pub limit_tokens: u64,
    pub remaining_tokens: u64,
    pub reset_tokens_ns: u64,
}

#[derive(Clone, Debug)]
pub struct Meter {
    spec: MeteredSpec,
    minute: u64,
    tokens: u64,
    requests: u64,
    slice: u64,
    slice_requests: u64,
}

impl Meter {
    pub fn new(spec: MeteredSpec) -> Meter {
        Meter { spec, minute: 0, tokens: 0, requests: 0, slice: 0, slice_requests: 0 }
    }

    /// Counts the call, or tells which quota refuses it and for how many nanoseconds.
    /// `effective_percent` is what a fault leaves of the configured limits.
    pub fn admit(&mut self, at_ns: u64, tokens: u64, effective_percent: u32) -> Result<(), (Quota, u64)> {
        self.advance(at_ns);
        if self.slice_requests >= self.slice_limit(effective_percent) {
            return Err((Quota::Requests, self.slice_ns() - at_ns % self.slice_ns()));
        }
        if self.tokens.saturating_add(tokens) > lowered(self.spec.tokens_per_minute, effective_percent) {
            return Err((Quota::Tokens, MINUTE - at_ns % MINUTE));
        }
        self.tokens += tokens;
        self.requests += 1;
        self.slice_requests += 1;
        Ok(())
    }

    pub fn rates(&mut self, at_ns: u64, effective_percent: u32) -> Rates {
        self.advance(at_ns);
        let limit_requests = lowered(self.spec.requests_per_minute, effective_percent);
        let limit_tokens = lowered(self.spec.tokens_per_minute, effective_percent);
        Rates {
            limit_requests,
            remaining_requests: limit_requests.saturating_sub(self.requests),
            reset_requests_ns: self.slice_ns() - at_ns % self.slice_ns(),
            limit_tokens,
            remaining_tokens: limit_tokens.saturating_sub(self.tokens),
            reset_tokens_ns: MINUTE - at_ns % MINUTE,
        }
    }

    /// Windows only move forward: a late time counts in the window that is open.
    fn advance(&mut self, at_ns: u64) {
        let (minute, slice) = (at_ns / MINUTE, at_ns / self.slice_ns());
        if minute > self.minute {
            (self.minute, self.tokens, self.requests) = (minute, 0, 0);
        }
        if slice > self.slice {
            (self.slice, self.slice_requests) = (slice, 0);
        }
    }

    fn slice_ns(&self) -> u64 {
        self.spec.slice_seconds.clamp(1, 60) * SECOND
    }

    fn slice_limit(&self, effective_percent: u32) -> u64 {
        let per_minute = lowered(self.spec.requests_per_minute, effective_percent);
        per_minute.saturating_mul(self.slice_ns() / SECOND).div_ceil(60)
    }
}

fn lowered(limit: u64, percent: u32) -> u64 {
    u64::try_from(u128::from(limit) * u128::from(percent) / 100).unwrap_or(u64::MAX)
}
