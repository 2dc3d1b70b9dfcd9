//! How much room has a deployment, as far as we know? A live model: our own reservations, corrected by what the
//! provider's headers and final usage say.

use crate::fact::Observation;
use crate::units::{MINUTE, Span, Timestamp};
use crate::world::CapacityKind;

mod health;
mod view;

use self::health::Health;
pub use self::health::{Breaker, FAILURES_TO_OPEN};
pub use self::view::{CapacityView, Room};

/// A leaky bucket is counted in millionths of a token, so that draining loses nothing to rounding.
const MICRO: u128 = 1_000_000;
/// A 429 that names no wait blocks the deployment for this long: the shortest slice Azure enforces is one second.
const DEFAULT_BLOCK: Span = Span(crate::units::SECOND);
/// The shortest block, so that a `retry-after` of nought cannot make a busy loop.
const MIN_BLOCK: Span = Span(10_000_000);
/// A provider cannot block itself for longer than this by one header; a longer `retry-after` is asked about again.
const MAX_BLOCK: Span = Span(crate::units::HOUR);
/// What is known of one deployment's capacity and health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capacity {
    kind: CapacityKind,
    /// Provisioned: micro-tokens in the bucket. Pay as you go: tokens used in this minute.
    level: u64,
    /// When `level` was last brought up to date, or the start of this minute.
    level_at: Timestamp,
    /// Requests used in this slice.
    requests: u64,
    /// The start of this slice.
    requests_at: Timestamp,
    /// The token limit that the provider's headers say is in force, over the configured one.
    limit_tokens: Option<u64>,
    /// The request limit that the headers say is in force.
    limit_requests: Option<u64>,
    /// Calls in flight.
    open: u32,
    /// Nothing is sent before this time: a 429 said so.
    blocked_until: Timestamp,
    health: Health,
    /// When the provider last said something of its capacity, or we last reserved.
    observed_at: Timestamp,
}

/// A deployment had no room: what was needed, what was free, when it was known, and when to ask again. It can only be
/// made by [`Capacity::room`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortage {
    need: u64,
    free: u64,
    observed_at: Timestamp,
    again: Timestamp,
    why: Why,
}

/// What a deployment lacks for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Room.
    Full,
    /// Its health: its breaker is open since then, after so many failures.
    Down {
        /// Since when it has been failing.
        since: Timestamp,
        /// Failures in a row.
        failures: u32,
    },
    /// It has refused our credentials since then.
    SetAside {
        /// Since when.
        since: Timestamp,
    },
}

impl Shortage {
    /// Tokens (or calls) that were needed.
    pub fn need(&self) -> u64 {
        self.need
    }

    /// Tokens (or calls) that were free.
    pub fn free(&self) -> u64 {
        self.free
    }

    /// When the capacity was last known.
    pub fn observed_at(&self) -> Timestamp {
        self.observed_at
    }

    /// When it is worth asking again.
    pub fn again(&self) -> Timestamp {
        self.again
    }

    /// What it lacks.
    pub fn why(&self) -> Why {
        self.why
    }
}

impl Capacity {
    /// An idle deployment.
    pub fn new(kind: CapacityKind) -> Capacity {
        Capacity {
            kind,
            level: 0,
            level_at: Timestamp(0),
            requests: 0,
            requests_at: Timestamp(0),
            limit_tokens: None,
            limit_requests: None,
            open: 0,
            blocked_until: Timestamp(0),
            health: Health::new(),
            observed_at: Timestamp(0),
        }
    }

    /// The same deployment under a new law: what was learnt stays, the configured limits change.
    pub fn under(mut self, kind: CapacityKind) -> Capacity {
        self.kind = kind;
        self
    }

    /// How it is sold.
    pub fn kind(&self) -> CapacityKind {
        self.kind
    }

    /// Calls in flight.
    pub fn open(&self) -> u32 {
        self.open
    }

    /// Since when it has been down, if its breaker is open.
    pub fn down_since(&self, at: Timestamp) -> Option<Timestamp> {
        self.health.down_since(at).map(|(since, _)| since)
    }

    /// Has it room for a call of `need` tokens? [CA-1] [CA-2] [CA-3] [CA-4] [CA-5]
    //= rights/capacity.md#CA-1
    //= rights/capacity.md#CA-2
    //= rights/capacity.md#CA-3
    //= rights/capacity.md#CA-5
    pub fn room(&self, at: Timestamp, need: u64) -> Result<(), Shortage> {
        let lacks = |free, again, why| Shortage { need, free, observed_at: self.observed_at, again, why };
        if let Some((since, until)) = self.health.down_since(at) {
            return Err(lacks(0, until, Why::Down { since, failures: self.health.failures() }));
        }
        //= rights/capacity.md#CA-10
        if let Some((since, until)) = self.health.aside_since(at) {
            return Err(lacks(0, until, Why::SetAside { since }));
        }
        let short = |free, again| lacks(free, again, Why::Full);
        if at < self.blocked_until {
            return Err(short(0, self.blocked_until));
        }
        match self.kind {
            CapacityKind::Provisioned { per_minute, bucket, .. } => {
                let free = bucket.saturating_sub(self.level_now(at));
                // What is larger than the whole bucket fits when that is empty, or it would never be served.
                let fits = need.min(bucket);
                if fits <= free {
                    return Ok(());
                }
                let wait = time_for(fits.saturating_sub(free), per_minute);
                Err(short(free, at.plus(wait)))
            }
            CapacityKind::PayAsYouGo { slice, .. } => {
                let (tokens, requests) = self.limits();
                let per_slice = per_slice(requests, slice);
                if self.requests_now(at, slice) >= per_slice {
                    return Err(short(0, self.requests_at.plus(slice)));
                }
                let free = tokens.saturating_sub(self.level_now(at));
                // What is larger than a whole minute's limit is never let in; nothing is to be waited for.
                let minute = self.level_at.plus(Span(MINUTE));
                let again = if need > tokens { Timestamp::MAX } else { minute };
                if need <= free { Ok(()) } else { Err(short(free, again)) }
            }
            CapacityKind::Concurrent { limit } => {
                let free = u64::from(limit.saturating_sub(self.open));
                let again = at.plus(DEFAULT_BLOCK);
                if free > 0 { Ok(()) } else { Err(Shortage { need: 1, ..short(0, again) }) }
            }
        }
    }

    /// Takes what [`Capacity::room`] granted.
    pub(crate) fn reserve(&mut self, at: Timestamp, need: u64) {
        self.refresh(at);
        self.open = self.open.saturating_add(1);
        self.observed_at = at;
        self.health.sent();
        match self.kind {
            CapacityKind::Provisioned { .. } => self.level = self.level.saturating_add(micro(need)),
            CapacityKind::PayAsYouGo { .. } => {
                self.level = self.level.saturating_add(need);
                self.requests = self.requests.saturating_add(1);
            }
            CapacityKind::Concurrent { .. } => {}
        }
    }

    /// Corrects a reservation to what was used, and frees its place.
    //= rights/capacity.md#CA-4
    pub(crate) fn settle(&mut self, at: Timestamp, reserved_at: Timestamp, reserved: u64, used: u64) {
        self.refresh(at);
        self.open = self.open.saturating_sub(1);
        // A probe that came back without an answer of its own has found nothing out: the next call may.
        self.health.back();
        match self.kind {
            CapacityKind::Provisioned { .. } => {
                self.level = self.level.saturating_add(micro(used)).saturating_sub(micro(reserved));
            }
            CapacityKind::PayAsYouGo { .. } if reserved_at >= self.level_at => {
                self.level = self.level.saturating_add(used).saturating_sub(reserved);
            }
            _ => {}
        }
    }

    /// Takes what the provider says of itself over what we reckoned.
    //= rights/capacity.md#CA-6
    pub(crate) fn observe(&mut self, at: Timestamp, seen: &Observation) {
        self.refresh(at);
        match self.kind {
            CapacityKind::Provisioned { bucket, .. } => {
                if let Some(utilisation) = seen.utilisation {
                    let level = u128::from(bucket).saturating_mul(u128::from(utilisation));
                    self.level = u64::try_from(level).unwrap_or(u64::MAX);
                    self.observed_at = at;
                }
            }
            CapacityKind::PayAsYouGo { .. } => {
                self.limit_tokens = seen.limit_tokens.or(self.limit_tokens);
                self.limit_requests = seen.limit_requests.or(self.limit_requests);
                if let Some(remaining) = seen.remaining_tokens {
                    self.level = self.limits().0.saturating_sub(remaining);
                    self.observed_at = at;
                }
            }
            CapacityKind::Concurrent { .. } => {}
        }
    }

    /// A 429: full until the provider says.
    //= rights/capacity.md#CA-5
    pub(crate) fn throttled(&mut self, at: Timestamp, retry_after: Option<Span>) {
        let wait = retry_after.unwrap_or(DEFAULT_BLOCK).clamp(MIN_BLOCK, MAX_BLOCK);
        self.blocked_until = self.blocked_until.max(at.plus(wait));
        self.observed_at = at;
    }

    /// A failure that is the provider's: counts toward the breaker.
    pub(crate) fn failed(&mut self, at: Timestamp) {
        self.health.failed(at);
        self.observed_at = at;
    }

    /// It refused our credentials: ours to mend, so it says nothing of its health.
    pub(crate) fn refused_us(&mut self, at: Timestamp) {
        self.health.refused_us(at);
        self.observed_at = at;
    }

    /// An answer came: it is up.
    pub(crate) fn answered(&mut self) {
        self.health.answered();
    }

    /// Tokens in the bucket, or used in this minute.
    fn level_now(&self, at: Timestamp) -> u64 {
        match self.kind {
            CapacityKind::Provisioned { per_minute, .. } => {
                let drained = drained(per_minute, at.since(self.level_at));
                u64::try_from(u128::from(self.level.saturating_sub(drained)).div_ceil(MICRO))
                    .unwrap_or(u64::MAX)
            }
            _ if at.since(self.level_at).0 >= MINUTE => 0,
            _ => self.level,
        }
    }

    fn requests_now(&self, at: Timestamp, slice: Span) -> u64 {
        if at.since(self.requests_at) >= slice { 0 } else { self.requests }
    }

    /// Drains the bucket, or begins a new minute and a new slice.
    fn refresh(&mut self, at: Timestamp) {
        match self.kind {
            CapacityKind::Provisioned { per_minute, .. } => {
                self.level = self.level.saturating_sub(drained(per_minute, at.since(self.level_at)));
                self.level_at = at;
            }
            CapacityKind::PayAsYouGo { slice, .. } => {
                if at.since(self.level_at).0 >= MINUTE {
                    self.level = 0;
                    self.level_at = at;
                }
                if at.since(self.requests_at) >= slice {
                    self.requests = 0;
                    self.requests_at = at;
                }
            }
            CapacityKind::Concurrent { .. } => {}
        }
    }

    fn limits(&self) -> (u64, u64) {
        match self.kind {
            CapacityKind::PayAsYouGo { tokens, requests, .. } => {
                (self.limit_tokens.unwrap_or(tokens), self.limit_requests.unwrap_or(requests))
            }
            _ => (u64::MAX, u64::MAX),
        }
    }
}

fn micro(tokens: u64) -> u64 {
    tokens.saturating_mul(1_000_000)
}

/// Micro-tokens that drain in a span.
fn drained(per_minute: u64, span: Span) -> u64 {
    let product = u128::from(per_minute).saturating_mul(u128::from(span.0));
    u64::try_from(product.div_euclid(60_000)).unwrap_or(u64::MAX)
}

/// How long it takes to drain so many tokens.
fn time_for(tokens: u64, per_minute: u64) -> Span {
    let product = u128::from(tokens).saturating_mul(u128::from(MINUTE));
    Span(u64::try_from(product.div_ceil(u128::from(per_minute.max(1)))).unwrap_or(u64::MAX))
}

/// Requests that a slice allows: at least one, or nothing would ever be sent.
fn per_slice(requests: u64, slice: Span) -> u64 {
    let product = u128::from(requests).saturating_mul(u128::from(slice.0));
    u64::try_from(product.div_euclid(u128::from(MINUTE))).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests;
