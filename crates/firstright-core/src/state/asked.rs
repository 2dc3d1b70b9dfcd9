//! Whose placement is asked about, a call's or a job's, and what matters of it to whoever decides?

use alloc::vec::Vec;

use super::{Accepted, OpenCall, OpenJob, Pass, State, Tried};
use crate::fact::FailureKind;
use crate::plan::{Candidate, lease_cost};
use crate::title::Evidence;
use crate::units::{Money, SECOND, Span, Timestamp};
use crate::workload::{Call, View};
use crate::world::{ClauseId, ModelId, PartyId};

/// Whose placement is asked about.
pub(crate) enum Asked<'a> {
    Call {
        call: &'a OpenCall,
        model: ModelId,
        /// Until when it waits for the one that it would rather have.
        patience: Timestamp,
    },
    Job {
        job: &'a OpenJob,
    },
}

impl Asked<'_> {
    /// What the law sees of it.
    pub fn view<'s>(&'s self, state: &'s State) -> View<'s> {
        match self {
            Asked::Call { call, model, .. } => View::of_call(&state.world, &call.call, *model),
            Asked::Job { job } => View::of_job(&state.world, &job.job),
        }
    }

    /// What a job that lost its provider has still to run.
    pub fn emergency(&self) -> Option<Span> {
        match self {
            Asked::Job { job } if !job.lost.is_empty() => Some(job.left),
            _ => None,
        }
    }

    /// Accelerators wanted; 1 for a call.
    pub fn count(&self) -> u32 {
        match self {
            Asked::Call { .. } => 1,
            Asked::Job { job } => job.unplaced,
        }
    }

    /// The smallest piece that will do.
    //= rights/choosing.md#CH-10
    pub fn min_chunk(&self) -> u32 {
        match self {
            Asked::Call { .. } => 1,
            Asked::Job { job } => job.job.min_chunk.clamp(1, job.unplaced.max(1)),
        }
    }

    /// How many of so many free ones can be taken as one piece: all that is asked, or a part that leaves a rest which is
    /// large enough itself.
    //= rights/choosing.md#CH-10
    pub fn piece(&self, free: u32) -> Option<u32> {
        let (all, least) = (self.count(), self.min_chunk());
        if free >= all {
            return Some(all);
        }
        let part = free.min(all.saturating_sub(least));
        (part >= least).then_some(part)
    }

    /// How long it will run.
    pub fn duration(&self) -> Span {
        match self {
            Asked::Call { .. } => Span(0),
            Asked::Job { job } => job.left,
        }
    }

    /// Was the place tried for this workload, and did it fail?
    //= rights/choosing.md#CH-11
    pub fn tried(&self, candidate: &Candidate) -> bool {
        match self {
            Asked::Call { call, .. } => {
                let failed =
                    |one: &Tried| one.place == candidate.place && one.failure.kind != FailureKind::Throttled;
                call.tried.iter().any(failed)
            }
            Asked::Job { job } => job.lost.contains(&candidate.provider),
        }
    }

    /// Does the place serve the first attempt, beside which this is a second?
    pub fn is_beside(&self, candidate: &Candidate) -> bool {
        matches!(self, Asked::Call { call, .. } if call.beside.is_some_and(|(_, place)| place == candidate.place))
    }

    /// The failed attempts, at one party or at all.
    pub fn failures(&self, party: Option<PartyId>, state: &State) -> Vec<Evidence> {
        match self {
            Asked::Call { call, .. } => {
                let of = call
                    .tried
                    .iter()
                    .filter(|one| party.is_none_or(|party| state.party_of(one.place) == party));
                of.map(|one| Evidence::Failed {
                    place: one.place,
                    kind: one.failure.kind,
                    status: one.failure.status,
                    at: one.at,
                    evidence: one.failure.evidence,
                })
                .collect()
            }
            Asked::Job { job } => {
                let of = job
                    .lost
                    .iter()
                    .filter(|lost| party.is_none_or(|party| state.world.provider(**lost).party == party));
                of.map(|provider| Evidence::Lost { provider: *provider }).collect()
            }
        }
    }

    /// If every attempt was throttled, but for those that it did not suit: the shortest wait that was asked for.
    pub fn throttled(&self) -> Option<Span> {
        let Asked::Call { call, .. } = self else { return None };
        let mut tried =
            call.tried.iter().filter(|one| one.failure.kind != FailureKind::Unsuitable).peekable();
        tried.peek()?;
        tried.try_fold(Span(u64::MAX), |least, one| {
            let wait = one.failure.retry_after.unwrap_or(Span(SECOND));
            (one.failure.kind == FailureKind::Throttled).then_some(least.min(wait))
        })
    }

    /// Was it tried, and did it suit nobody?
    //= rights/choosing.md#CH-15
    pub fn unsuitable(&self) -> bool {
        let Asked::Call { call, .. } = self else { return false };
        !call.tried.is_empty() && call.tried.iter().all(|one| one.failure.kind == FailureKind::Unsuitable)
    }

    /// What the holder under this clause has taken of it.
    pub fn accepted(&self, clause: ClauseId) -> Option<&Accepted> {
        match self {
            Asked::Call { .. } => None,
            Asked::Job { job } => job.accepted.as_ref().filter(|accepted| accepted.clause == clause),
        }
    }

    /// Is an offer by this clause open for it?
    pub fn offered(&self, clause: ClauseId) -> bool {
        matches!(self, Asked::Job { job } if job.offer.is_some_and(|(_, open)| open == clause))
    }

    /// Has the holder under this clause been offered it, or taken it?
    pub fn pending(&self, clause: ClauseId) -> bool {
        self.offered(clause) || self.accepted(clause).is_some()
    }

    /// The release of a right for it.
    pub fn release(&self, clause: ClauseId) -> Option<&Pass> {
        match self {
            Asked::Call { .. } => None,
            Asked::Job { job } => job.passes.get(&clause),
        }
    }

    /// What it is expected to cost there, to compare: money for a job; for a call nano-units times a million.
    //= rights/price.md#PR-5
    pub fn price(&self, candidate: &Candidate) -> Option<i128> {
        match self {
            Asked::Call { call, .. } => {
                let Call { input, max_output, tier, .. } = call.call;
                let rates = candidate.rates_for(tier, input)?;
                // A kind of token that has no price here is not expected: embeddings have no output.
                let of = |rate: Option<Money>, many: u64| {
                    rate.unwrap_or(Money::ZERO).0.saturating_mul(i128::from(many))
                };
                let tokens = of(rates.input, input).saturating_add(of(rates.output, max_output));
                Some(tokens.saturating_add(of(rates.request, 1_000_000)))
            }
            Asked::Job { job } => {
                let hour = candidate.hour?;
                Some(lease_cost(hour, job.unplaced, job.left.0.div_euclid(SECOND)).0)
            }
        }
    }
}
