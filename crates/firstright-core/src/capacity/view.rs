//! What is known of each deployment's room, for those who watch it?

use super::{Breaker, Capacity, PaceView, per_slice};
use crate::units::{Span, Timestamp};
use crate::world::{CapacityKind, DeploymentId};

/// A deployment as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapacityView {
    /// Which.
    pub deployment: DeploymentId,
    /// How it is sold.
    pub kind: CapacityKind,
    /// Tokens of the bucket or of the minute; calls at once where that is what is limited.
    pub room: Room,
    /// Requests of the slice, where they are limited.
    pub requests: Option<Room>,
    /// Calls in flight.
    pub in_flight: u32,
    /// Calls that wait for it first of all.
    pub queued: u32,
    /// Nothing is sent before this time: a 429 said so.
    pub blocked_until: Option<Timestamp>,
    /// What its health keeps from it.
    pub breaker: Breaker,
    /// How soon it answers, and whether it is slowed.
    pub pace: PaceView,
    /// Calls at once that it was learnt to bear, where the limit is our own; `None` for as many as are configured.
    pub learnt: Option<u32>,
    /// When its provider last said something of its capacity, or we last reserved.
    pub observed_at: Timestamp,
}

/// How much of a limit is used now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// The limit in force; `None` if there is none.
    pub limit: Option<u64>,
    /// Used now.
    pub used: u64,
}

impl Room {
    /// What is free; `None` if nothing limits it.
    pub fn free(&self) -> Option<u64> {
        self.limit.map(|limit| limit.saturating_sub(self.used))
    }
}

impl Capacity {
    /// As it stands, with so many calls that wait for it.
    pub(crate) fn view(&self, at: Timestamp, deployment: DeploymentId, queued: u32) -> CapacityView {
        let limited = |limit: u64| (limit < u64::MAX).then_some(limit);
        let (room, requests) = match self.kind {
            CapacityKind::Provisioned { bucket, .. } => {
                (Room { limit: Some(bucket), used: self.level_now(at) }, None)
            }
            CapacityKind::PayAsYouGo { slice, .. } => {
                let (tokens, requests) = self.limits();
                let sent = Room {
                    limit: limited(requests).map(|limit| per_slice(limit, slice)),
                    used: self.requests_now(at, slice),
                };
                (Room { limit: limited(tokens), used: self.level_now(at) }, Some(sent))
            }
            CapacityKind::Concurrent { limit } => {
                let limit = u64::from(self.adaptive.limit(limit));
                (Room { limit: Some(limit), used: u64::from(self.open) }, None)
            }
        };
        CapacityView {
            deployment,
            kind: self.kind,
            room,
            requests,
            in_flight: self.open,
            queued,
            blocked_until: (at < self.blocked_until).then_some(self.blocked_until),
            breaker: self.health.breaker(at),
            pace: self.pace.view(),
            learnt: self.adaptive.learnt(),
            observed_at: self.observed_at,
        }
    }
}

impl CapacityView {
    /// For how long nothing is sent there, by its block or its breaker.
    pub fn rests(&self, at: Timestamp) -> Option<Span> {
        let breaker = match self.breaker {
            Breaker::Open { until, .. } | Breaker::SetAside { until, .. } => Some(until),
            Breaker::Closed | Breaker::Probing { .. } => None,
        };
        breaker.max(self.blocked_until).map(|until| until.since(at))
    }
}
