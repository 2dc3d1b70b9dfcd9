//! How much room has a deployment, as far as we know? A live model: our own reservations, corrected by what the
//! provider's headers and final usage say.

use crate::fact::Observation;
use crate::queue::Ahead;
use crate::units::{MINUTE, Span, Timestamp};
use crate::world::CapacityKind;

mod adaptive;
mod health;
mod pace;
mod shortage;
mod view;

use self::adaptive::Adaptive;
use self::health::Health;
pub use self::health::{Breaker, FAILURES_TO_OPEN};
pub(crate) use self::pace::FirstByte;
use self::pace::Pace;
pub use self::pace::PaceView;
pub use self::shortage::{Shortage, Why};
pub use self::view::{CapacityView, Room};

/// A leaky bucket is counted in millionths of a token, so that draining loses nothing to rounding.
const MICRO: u128 = 1_000_000;
/// A 429 that names no wait blocks the deployment for this long: the shortest slice Azure enforces is one second.
const DEFAULT_BLOCK: Span = Span(crate::units::SECOND);
/// The shortest block, so that a `retry-after` of nought cannot make a busy loop.
const MIN_BLOCK: Span = Span(10_000_000);
/// A provider cannot block itself for longer than this by one header; a longer `retry-after` is asked about again.
const MAX_BLOCK: Span = Span(crate::units::HOUR);
/// The status of a server that is overloaded rather than broken.
const OVERLOADED: u16 = 503;

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
    pace: Pace,
    adaptive: Adaptive,
    /// How long a call takes, on the average of the last few, where calls at once are what is limited.
    lasts: Span,
    /// When the provider last said something of its capacity, or we last reserved.
    observed_at: Timestamp,
}

/// What is free, and when room is expected: with those that wait before, and without.
struct Lack {
    free: u64,
    again: Timestamp,
    alone: Timestamp,
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
            pace: Pace::new(),
            adaptive: Adaptive::default(),
            lasts: Span(0),
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

    /// Has it room for a call of `need` tokens, beside what is kept for those who wait before it? [CA-1] [CA-2] [CA-3]
    /// [CA-4] [CA-5]
    pub(crate) fn room(&self, at: Timestamp, need: u64, ahead: &Ahead) -> Result<(), Shortage> {
        self.sound(at, need)?;
        self.space(at, need, ahead)?;
        self.paced(at, need)
    }

    /// What shows that it cannot serve such a call, whatever room it has.
    pub(crate) fn ails(&self, at: Timestamp, need: u64) -> Option<Shortage> {
        self.sound(at, need).and_then(|()| self.paced(at, need)).err()
    }

    /// Is it up, and does it let us in?
    fn sound(&self, at: Timestamp, need: u64) -> Result<(), Shortage> {
        if let Some((since, until)) = self.health.down_since(at) {
            let why = Why::Down { since, failures: self.health.failures() };
            return Err(self.lacks(need, 0, until, why));
        }
        //= rights/capacity.md#CA-10
        if let Some((since, until)) = self.health.aside_since(at) {
            return Err(self.lacks(need, 0, until, Why::SetAside { since }));
        }
        Ok(())
    }

    /// Has it fewer calls than it is given while it is slowed, if it is?
    //= rights/capacity.md#CA-12
    fn paced(&self, at: Timestamp, need: u64) -> Result<(), Shortage> {
        match self.pace.limit() {
            Some(limit) if self.open >= limit => {
                let why = Why::Slowed { percent: self.pace.percent(), open: self.open, limit };
                Err(self.lacks(need, 0, at.plus(DEFAULT_BLOCK), why))
            }
            _ => Ok(()),
        }
    }

    /// Has it room, whatever its health?
    //= rights/capacity.md#CA-5
    fn space(&self, at: Timestamp, need: u64, ahead: &Ahead) -> Result<(), Shortage> {
        let lacks = |free, again| self.lacks(need, free, again, Why::Full);
        if at < self.blocked_until {
            return Err(Shortage { no_sooner: true, ..lacks(0, self.blocked_until) });
        }
        let short = |lack: Lack| Shortage { alone: lack.alone, ..lacks(lack.free, lack.again) };
        match self.kind {
            CapacityKind::Provisioned { per_minute, bucket, .. } => {
                self.bucket_room(at, need, ahead, per_minute, bucket).map_err(short)
            }
            CapacityKind::PayAsYouGo { slice, .. } => {
                let never = |lack: &Lack| lack.again == Timestamp::MAX;
                let room = self.minute_room(at, need, ahead, slice);
                room.map_err(|lack| Shortage { no_sooner: never(&lack), ..short(lack) })
            }
            CapacityKind::Concurrent { limit } => self
                .place_room(at, ahead, self.adaptive.limit(limit))
                .map_err(|lack| Shortage { need: 1, ..short(lack) }),
        }
    }

    fn lacks(&self, need: u64, free: u64, again: Timestamp, why: Why) -> Shortage {
        let observed_at = self.observed_at;
        Shortage { need, free, observed_at, again, alone: again, no_sooner: false, why }
    }

    /// Room in the bucket.
    //= rights/capacity.md#CA-1
    //= rights/capacity.md#CA-11
    fn bucket_room(
        &self,
        at: Timestamp,
        need: u64,
        ahead: &Ahead,
        per_minute: u64,
        bucket: u64,
    ) -> Result<(), Lack> {
        let free = bucket.saturating_sub(self.level_now(at));
        // What is larger than the whole bucket fits when that is empty, or it would never be served.
        let fits = need.min(bucket);
        if fits.saturating_add(ahead.kept) <= free {
            return Ok(());
        }
        let drained =
            |before: u64| at.plus(time_for(fits.saturating_add(before).saturating_sub(free), per_minute));
        let (again, alone) = (drained(ahead.tokens), drained(ahead.kept));
        Err(Lack { free: free.saturating_sub(ahead.kept), again, alone })
    }

    /// Room in the slice and in the minute.
    //= rights/capacity.md#CA-2
    //= rights/capacity.md#CA-3
    //= rights/capacity.md#CA-11
    fn minute_room(&self, at: Timestamp, need: u64, ahead: &Ahead, slice: Span) -> Result<(), Lack> {
        let (tokens, requests) = self.limits();
        let per_slice = per_slice(requests, slice);
        let sent = self.requests_now(at, slice);
        if sent >= per_slice {
            let begun = |before: u64| {
                let slices = sent.saturating_add(before).div_euclid(per_slice);
                self.requests_at.plus(Span(slice.0.saturating_mul(slices)))
            };
            return Err(Lack { free: 0, again: begun(ahead.calls), alone: begun(0) });
        }
        let used = self.level_now(at);
        let free = tokens.saturating_sub(used).saturating_sub(ahead.kept);
        if need <= free {
            return Ok(());
        }
        // What is larger than a whole minute's limit is never let in; nothing is to be waited for.
        if need > tokens {
            return Err(Lack { free, again: Timestamp::MAX, alone: Timestamp::MAX });
        }
        let start = if at.since(self.level_at).0 >= MINUTE { at } else { self.level_at };
        let begun = |before: u64| {
            let all = used.saturating_add(before).saturating_add(need);
            let minutes = all.saturating_sub(1).div_euclid(tokens.max(1)).max(1);
            start.plus(Span(MINUTE.saturating_mul(minutes)))
        };
        Err(Lack { free, again: begun(ahead.tokens), alone: begun(ahead.kept) })
    }

    /// A place for another call at once.
    //= rights/capacity.md#CA-3
    fn place_room(&self, at: Timestamp, ahead: &Ahead, limit: u32) -> Result<(), Lack> {
        if self.open < limit {
            return Ok(());
        }
        let back = |before: u64| {
            let lacking = u64::from(self.open.saturating_sub(limit)).saturating_add(before).saturating_add(1);
            at.plus(time_for(lacking, self.per_minute(limit)))
        };
        Err(Lack { free: 0, again: back(ahead.calls), alone: back(0) })
    }

    /// Calls that come back in a minute when so many are out at once, as they have lasted of late; one a second for each
    /// if none has come back yet.
    fn per_minute(&self, limit: u32) -> u64 {
        let lasts = if self.lasts.0 == 0 { DEFAULT_BLOCK } else { self.lasts };
        u64::from(limit).saturating_mul(MINUTE).div_euclid(lasts.0.max(1))
    }

    /// Since when it has rested from its last failure, if a call may be sent although its breaker is open, because nobody
    /// else is left.
    pub(crate) fn last_resort(&self, at: Timestamp, need: u64) -> Option<Timestamp> {
        self.health.last_resort(at).filter(|_| self.space(at, need, &Ahead::default()).is_ok())
    }

    /// Takes what [`Capacity::room`] granted.
    pub(crate) fn reserve(&mut self, at: Timestamp, need: u64) {
        self.refresh(at);
        self.open = self.open.saturating_add(1);
        self.observed_at = at;
        self.health.sent();
        self.pace.sent(at, self.open);
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
        if matches!(self.kind, CapacityKind::Concurrent { .. }) {
            self.lasts = toward(self.lasts, at.since(reserved_at));
        }
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
        self.strained(at);
        let wait = retry_after.unwrap_or(DEFAULT_BLOCK).clamp(MIN_BLOCK, MAX_BLOCK);
        self.blocked_until = self.blocked_until.max(at.plus(wait));
        self.observed_at = at;
    }

    /// A failure that is the provider's: counts toward the breaker.
    pub(crate) fn failed(&mut self, at: Timestamp, status: u16) {
        if status == OVERLOADED {
            self.strained(at);
        }
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

    /// It has no room for what is in flight and the call that it refused just now.
    //= rights/capacity.md#CA-13
    fn strained(&mut self, at: Timestamp) {
        if let CapacityKind::Concurrent { limit } = self.kind {
            self.adaptive.refused(at, self.open.saturating_add(1), limit);
        }
    }

    /// A call ended whose first byte had come.
    pub(crate) fn heard(&mut self, at: Timestamp, byte: &FirstByte) {
        self.pace.heard(at, byte);
        if let CapacityKind::Concurrent { limit } = self.kind {
            if self.pace.lags(2) {
                self.adaptive.lags(at, self.pace.percent(), limit);
            } else {
                self.adaptive.answered(self.open.saturating_add(1), limit);
            }
        }
    }

    /// The first byte of a stream has not come after so long. True if that counts as late.
    //= rights/capacity.md#CA-12
    pub(crate) fn awaited(&mut self, at: Timestamp, waited: Span, input: u64, counted: bool) -> bool {
        self.pace.awaited(at, waited, input, counted)
    }

    /// Is it nothing but slowed?
    pub(crate) fn is_slowed(&self, at: Timestamp, need: u64) -> bool {
        let short = self.room(at, need, &Ahead::default());
        matches!(short, Err(Shortage { why: Why::Slowed { .. }, .. }))
    }

    /// A provisioned deployment's provider says that it served a call with pay-as-you-go capacity of its own: when it was
    /// sent there was no room for it in the bucket.
    //= rights/capacity.md#CA-8
    pub(crate) fn overflowed(&mut self, at: Timestamp, sent: Timestamp, need: u64) {
        let CapacityKind::Provisioned { per_minute, bucket, .. } = self.kind else { return };
        self.refresh(at);
        let least = micro(bucket.saturating_sub(need.min(bucket)));
        self.level = self.level.max(least.saturating_sub(drained(per_minute, at.since(sent))));
    }

    /// A call that was spilled to it by its provider, without a reservation of ours.
    //= rights/capacity.md#CA-8
    pub(crate) fn took_over(&mut self, at: Timestamp, used: u64) {
        self.refresh(at);
        self.level = self.level.saturating_add(used);
        self.requests = self.requests.saturating_add(1);
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

/// The average of the last few, an eighth of the way to the newest.
fn toward(average: Span, newest: Span) -> Span {
    if average.0 == 0 {
        return newest;
    }
    let rest = average.0.saturating_sub(average.0.div_euclid(8));
    Span(rest.saturating_add(newest.0.div_euclid(8)))
}

/// Requests that a slice allows: at least one, or nothing would ever be sent.
fn per_slice(requests: u64, slice: Span) -> u64 {
    let product = u128::from(requests).saturating_mul(u128::from(slice.0));
    u64::try_from(product.div_euclid(u128::from(MINUTE))).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests;
