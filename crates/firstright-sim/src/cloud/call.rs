//! What goes into the model for one call, and what comes out? Plain values, no behaviour to speak of.

use super::capacity::Gauge;
use super::metered::Quota;
use super::quantiles::Quantiles;
use super::spec::Operation;
use crate::rng::Rng;

/// A deployment of one cloud, by its place in the spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deployed(pub(super) usize);

/// A well-formed call with a good key, to a deployment that knows the operation.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    pub operation: Operation,
    pub deployment: Deployed,
    pub prompt_tokens: u64,
    /// Given, or drawn from the spec's share.
    pub cached_tokens: Option<u64>,
    pub max_tokens: Option<u64>,
    /// Given by a trace: exactly so many come out.
    pub output_tokens: Option<u64>,
    /// `x-ms-spillover-deployment`.
    pub spill_to: Option<&'a str>,
}

#[derive(Debug)]
pub enum Verdict {
    Serve(Answer),
    Refuse(Refusal),
    /// The connection is to be dropped without a word.
    Hang,
}

/// An admitted call. The ticket must come back through [`Cloud::finish`].
#[derive(Debug)]
pub struct Answer {
    pub ticket: Ticket,
    pub served_by: Deployed,
    pub spilled_from: Option<Deployed>,
    pub output_tokens: u64,
    /// Whether `max_tokens` cut it short.
    pub at_limit: bool,
    /// What the answer is to claim; the truth, unless a fault says otherwise.
    pub usage: Usage,
    /// Simulated nanoseconds until the first token.
    pub first_token_ns: u64,
    pub pacing: Pacing,
    pub cut_after_chunks: Option<u32>,
    pub stall: Option<Stall>,
    pub gauge: Gauge,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    pub prompt: u64,
    pub cached: u64,
    pub output: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stall {
    pub after_chunks: u32,
    /// Simulated nanoseconds.
    pub for_ns: u64,
}

#[derive(Clone, Copy, Debug)]
pub struct Refusal {
    pub by: Deployed,
    pub reason: Reason,
    /// Simulated nanoseconds.
    pub retry_after_ns: Option<u64>,
    pub gauge: Gauge,
    /// Why the spillover, if one was tried, refused as well.
    pub spill_failed: Option<Reason>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The provisioned bucket is over 100 %.
    Utilization,
    Quota(Quota),
    Slots {
        status: u16,
    },
    /// A fault: 429 whatever the capacity.
    Storm,
    /// A fault: 5xx.
    BrownOut {
        status: u16,
    },
    ContextTooLong {
        context_tokens: u64,
        asked: u64,
    },
}

impl Reason {
    /// The HTTP status.
    pub fn status(self) -> u16 {
        match self {
            Reason::Utilization | Reason::Quota(_) | Reason::Storm => 429,
            Reason::Slots { status } | Reason::BrownOut { status } => status,
            Reason::ContextTooLong { .. } => 400,
        }
    }

    /// Azure spills on 429, 500, 503 and a context that is too long.
    pub(super) fn spills(self) -> bool {
        matches!(self.status(), 400 | 429 | 500 | 503)
    }
}

/// Proof of admission: what to give back at the end.
#[derive(Debug)]
pub struct Ticket {
    pub(super) deployment: usize,
    pub(super) number: u64,
    pub(super) charged: u64,
    pub(super) truth: Usage,
    pub(super) claimed: Usage,
}

impl Ticket {
    /// The number of the call in its cloud, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Whole,
    Cut,
    Abandoned,
}

/// The gaps between one answer's tokens.
#[derive(Clone, Debug)]
pub struct Pacing {
    pub(super) rng: Rng,
    pub(super) gap_us: Quantiles,
    pub(super) slow_percent: u32,
}

impl Pacing {
    /// Simulated nanoseconds until the next token.
    pub fn next_gap_ns(&mut self) -> u64 {
        slowed(self.gap_us.draw(&mut self.rng).saturating_mul(1_000), self.slow_percent)
    }
}

impl Usage {
    pub(super) fn scaled(self, percent: u32) -> Usage {
        let scale =
            |tokens: u64| u64::try_from(u128::from(tokens) * u128::from(percent) / 100).unwrap_or(u64::MAX);
        Usage { prompt: scale(self.prompt), cached: scale(self.cached), output: scale(self.output) }
    }
}

pub(super) fn slowed(nanos: u64, percent: u32) -> u64 {
    u64::try_from(u128::from(nanos) * u128::from(percent) / 100).unwrap_or(u64::MAX)
}
