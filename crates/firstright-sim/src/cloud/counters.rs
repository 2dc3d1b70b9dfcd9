//! What happened here, in numbers that a gateway's own metering can be held against?
//!
//! INVARIANT: requests = served + throttled + failed + rejected + cut + abandoned + in flight, for the
//! cloud and for each deployment; a spilled call counts at the deployment that served it.

use serde::Serialize;

use super::Ending;

/// Counts since the start. Tokens are the truth; `reported_*` is what the answers claimed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    pub requests: u64,
    pub in_flight: u64,
    /// Answered whole.
    pub served: u64,
    /// 429, or 503 for want of a slot.
    pub throttled: u64,
    /// 5xx of a brown-out, or connections dropped by a fault.
    pub failed: u64,
    /// 4xx other than 429: key, path, model, body, content filter, context length.
    pub rejected: u64,
    /// Broken off by a fault.
    pub cut: u64,
    /// The client left before the end.
    pub abandoned: u64,
    /// Of those admitted, the ones that another deployment refused first.
    pub spilled: u64,
    /// Calls that a fault slowed, stalled, cut, refused or reported wrongly.
    pub faulted: u64,
    pub prompt_tokens: u64,
    pub cached_tokens: u64,
    pub output_tokens: u64,
    pub reported_prompt_tokens: u64,
    pub reported_output_tokens: u64,
}

/// Tokens of one call as they were, and as they were reported (nothing, if the answer broke off).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub prompt: u64,
    pub cached: u64,
    pub output: u64,
    pub reported_prompt: u64,
    pub reported_output: u64,
}

impl Counters {
    pub(super) fn admitted(&mut self, spilled: bool) {
        self.requests += 1;
        self.in_flight += 1;
        self.spilled += u64::from(spilled);
    }

    pub(super) fn ended(&mut self, ending: Ending, tally: Tally) {
        self.in_flight -= 1;
        match ending {
            Ending::Whole => self.served += 1,
            Ending::Cut => self.cut += 1,
            Ending::Abandoned => self.abandoned += 1,
        }
        self.prompt_tokens += tally.prompt;
        self.cached_tokens += tally.cached;
        self.output_tokens += tally.output;
        self.reported_prompt_tokens += tally.reported_prompt;
        self.reported_output_tokens += tally.reported_output;
    }

    /// The sum that the invariant names.
    pub fn accounted(&self) -> u64 {
        self.served
            + self.throttled
            + self.failed
            + self.rejected
            + self.cut
            + self.abandoned
            + self.in_flight
    }
}
