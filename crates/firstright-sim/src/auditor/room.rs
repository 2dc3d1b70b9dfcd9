//! How much room can a deployment have had? The auditor's own reckoning from reservations, settlements and what the
//! provider said; tokens drain exactly, in sixty-thousand-millionths.

use firstright_core::fact::{Ending, FailureKind, Observation};
use firstright_core::units::{HOUR, MINUTE, SECOND, Span, Timestamp};
use firstright_core::world::CapacityKind;

/// So many failures in a row are an outage.
const FAILURES: usize = 5;
/// Tokens in the unit of the exact level: a minute in nanoseconds, so that a drain by the minute is a whole number.
const PER_TOKEN: i128 = MINUTE as i128;

/// One deployment.
#[derive(Clone, Debug)]
pub(super) struct Room {
    kind: CapacityKind,
    open: i64,
    /// Provisioned: the bucket's level. Pay as you go: tokens since `since`. In units of [`PER_TOKEN`].
    level: i128,
    since: Timestamp,
    requests: u64,
    requests_since: Timestamp,
    limits: (Option<u64>, Option<u64>),
    blocked_until: Timestamp,
    /// Times of the failures since the last answer.
    failures: Vec<Timestamp>,
    /// Times at which our credentials were refused since the last answer.
    refusals: Vec<Timestamp>,
    /// First bytes: how many, the quickest, and how many came more than twice as late as that.
    heard: (u64, u64, u64),
    /// It said that it has no room, or answered late: fewer calls at once may have been learnt.
    strained: bool,
}

impl Room {
    pub(super) fn new(kind: CapacityKind) -> Room {
        let zero = Timestamp(0);
        Room {
            kind,
            open: 0,
            level: 0,
            since: zero,
            requests: 0,
            requests_since: zero,
            limits: (None, None),
            blocked_until: zero,
            failures: Vec::new(),
            refusals: Vec::new(),
            heard: (0, u64::MAX, 0),
            strained: false,
        }
    }

    /// The same place under a new law.
    pub(super) fn under(self, kind: CapacityKind) -> Room {
        if std::mem::discriminant(&kind) == std::mem::discriminant(&self.kind) {
            Room { kind, ..self }
        } else {
            Room::new(kind)
        }
    }

    /// Tokens (or calls) that were free, whatever was said of failures and waits.
    pub(super) fn free(&self, at: Timestamp) -> i128 {
        match self.kind {
            CapacityKind::Provisioned { per_minute, bucket, .. } => {
                let drained = i128::from(per_minute) * i128::from(at.since(self.since).0);
                i128::from(bucket) - ceil((self.level - drained).max(0))
            }
            CapacityKind::PayAsYouGo { tokens, requests, slice } => {
                let requests = self.limits.1.unwrap_or(requests);
                let allowed = (u128::from(requests) * u128::from(slice.0) / u128::from(MINUTE)).max(1);
                let sent = if at.since(self.requests_since) >= slice { 0 } else { self.requests };
                if u128::from(sent) >= allowed {
                    return 0;
                }
                let used = if at.since(self.since).0 >= MINUTE { 0 } else { ceil(self.level) };
                i128::from(self.limits.0.unwrap_or(tokens)) - used
            }
            CapacityKind::Concurrent { limit } => i128::from(limit) - i128::from(self.open),
        }
    }

    /// Had a call of so many tokens no room beside what is kept for others, so far as we can tell?
    pub(super) fn is_short(&self, at: Timestamp, need: u64, kept: u64) -> bool {
        let kept = if matches!(self.kind, CapacityKind::Concurrent { .. }) { 0 } else { i128::from(kept) };
        let need = self.need(need) + kept;
        if self.strained && matches!(self.kind, CapacityKind::Concurrent { .. }) {
            return true;
        }
        // A token either way is rounding.
        at < self.blocked_until || self.free(at) < need + 1
    }

    /// Had it certainly no room for it?
    pub(super) fn is_full(&self, at: Timestamp, need: u64) -> bool {
        let rounding = i128::from(!matches!(self.kind, CapacityKind::Concurrent { .. }));
        at < self.blocked_until || self.free(at) < self.need(need) - rounding
    }

    /// What must be free for a call of so many tokens: one of ours; all of a bucket that is smaller than the call [CA-1].
    fn need(&self, tokens: u64) -> i128 {
        match self.kind {
            CapacityKind::Concurrent { .. } => 1,
            CapacityKind::Provisioned { bucket, .. } => i128::from(tokens.min(bucket)),
            CapacityKind::PayAsYouGo { .. } => i128::from(tokens),
        }
    }

    /// Since when it has been failing, if it failed often enough in a row.
    pub(super) fn failing_since(&self) -> Option<Timestamp> {
        if self.failures.len() < FAILURES { None } else { self.failures.first().copied() }
    }

    /// A first byte came after so long, or is awaited so long.
    pub(super) fn heard(&mut self, after: Span) {
        if after.0 == 0 {
            return;
        }
        let (many, quickest, late) = self.heard;
        let quickest = quickest.min(after.0);
        self.heard = (many + 1, quickest, late + u64::from(after.0 > 2 * quickest));
        self.strained |= many >= 8 && after.0 > quickest + quickest / 2;
    }

    /// Calls in flight, if first bytes have come late often enough that it may be slowed.
    pub(super) fn slowed(&self) -> Option<i64> {
        (self.heard.0 >= 17 && self.heard.2 >= 9).then_some(self.open)
    }

    /// It answered with this status, or none.
    pub(super) fn status(&mut self, status: u16) {
        self.strained |= status == 503;
    }

    /// A call was spilled to it by its own provider.
    pub(super) fn took_over(&mut self, at: Timestamp, used: u64) {
        self.bring_up(at);
        self.level += i128::from(used) * PER_TOKEN;
        self.requests += 1;
    }

    /// Its provider served a call elsewhere, because there was no room for it when it was sent.
    pub(super) fn overflowed(&mut self, at: Timestamp, sent: Timestamp, tokens: u64) {
        let CapacityKind::Provisioned { per_minute, bucket, .. } = self.kind else { return };
        self.bring_up(at);
        let then = i128::from(bucket - tokens.min(bucket)) * PER_TOKEN;
        let drained = i128::from(per_minute) * i128::from(at.since(sent).0);
        self.level = self.level.max(then - drained);
    }

    pub(super) fn is_provisioned(&self) -> bool {
        matches!(self.kind, CapacityKind::Provisioned { .. })
    }

    /// Since when it has refused our credentials.
    pub(super) fn refusing_since(&self) -> Option<Timestamp> {
        self.refusals.first().copied()
    }

    pub(super) fn reserve(&mut self, at: Timestamp, tokens: u64) {
        self.bring_up(at);
        self.open += 1;
        self.requests += 1;
        self.level += i128::from(tokens) * PER_TOKEN;
    }

    pub(super) fn give_back(&mut self, at: Timestamp, reserved_at: Timestamp, reserved: u64, used: u64) {
        self.bring_up(at);
        self.open -= 1;
        let same_minute = reserved_at >= self.since;
        if matches!(self.kind, CapacityKind::Provisioned { .. }) || same_minute {
            self.level = (self.level + (i128::from(used) - i128::from(reserved)) * PER_TOKEN).max(0);
        }
    }

    pub(super) fn observe(&mut self, at: Timestamp, seen: &Observation) {
        self.bring_up(at);
        match self.kind {
            CapacityKind::Provisioned { bucket, .. } => {
                if let Some(parts) = seen.utilisation {
                    self.level = i128::from(bucket) * i128::from(parts) * (PER_TOKEN / 1_000_000);
                }
            }
            CapacityKind::PayAsYouGo { tokens, .. } => {
                self.limits = (seen.limit_tokens.or(self.limits.0), seen.limit_requests.or(self.limits.1));
                if let Some(remaining) = seen.remaining_tokens {
                    let used = i128::from(self.limits.0.unwrap_or(tokens)) - i128::from(remaining);
                    self.level = used.max(0) * PER_TOKEN;
                }
            }
            CapacityKind::Concurrent { .. } => {}
        }
    }

    pub(super) fn failed(&mut self, at: Timestamp, kind: FailureKind, retry_after: Option<Span>) {
        match kind {
            FailureKind::Throttled => {
                self.strained = true;
                let wait = retry_after.unwrap_or(Span(SECOND)).0.clamp(10_000_000, HOUR);
                self.blocked_until = self.blocked_until.max(at.plus(Span(wait)));
            }
            FailureKind::Rejected => self.answered(),
            FailureKind::Unauthorised => self.refusals.push(at),
            FailureKind::Unsuitable => {}
            _ => self.failures.push(at),
        }
    }

    pub(super) fn ended(&mut self, at: Timestamp, ending: Ending, began: bool) {
        match ending {
            Ending::Complete => self.answered(),
            Ending::Abandoned if began => self.answered(),
            Ending::Cut => self.failures.push(at),
            Ending::Abandoned | Ending::Lost => {}
        }
    }

    fn answered(&mut self) {
        self.failures.clear();
        self.refusals.clear();
    }

    fn bring_up(&mut self, at: Timestamp) {
        match self.kind {
            CapacityKind::Provisioned { per_minute, .. } => {
                let drained = i128::from(per_minute) * i128::from(at.since(self.since).0);
                self.level = (self.level - drained).max(0);
                self.since = at;
            }
            CapacityKind::PayAsYouGo { slice, .. } => {
                if at.since(self.since).0 >= MINUTE {
                    (self.level, self.since) = (0, at);
                }
                if at.since(self.requests_since) >= slice {
                    (self.requests, self.requests_since) = (0, at);
                }
            }
            CapacityKind::Concurrent { .. } => {}
        }
    }
}

fn ceil(level: i128) -> i128 {
    level.div_euclid(PER_TOKEN) + i128::from(level.rem_euclid(PER_TOKEN) != 0)
}
