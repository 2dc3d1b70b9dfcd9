//! How many calls at once does a place of our own bear? At most what is configured; less where it says so or answers late.

use crate::units::{SECOND, Span, Timestamp};

/// Parts of a call.
const PARTS: u32 = 16;
/// It is cut once in so long: what is in flight answers to the limit before.
const REST: Span = Span(SECOND);

/// What has been learnt. Nothing, until it was strained for the first time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Adaptive {
    /// The limit in parts of a call; 0 for the configured one.
    parts: u32,
    cut: Timestamp,
}

impl Adaptive {
    /// The limit in force.
    //= rights/capacity.md#CA-13
    pub fn limit(&self, configured: u32) -> u32 {
        self.learnt().map_or(configured, |learnt| learnt.clamp(1, configured.max(1)))
    }

    /// What was learnt, if anything was.
    pub fn learnt(&self) -> Option<u32> {
        (self.parts > 0).then_some(self.parts.div_euclid(PARTS))
    }

    /// It refused a call for want of room, with so many in flight: three quarters of them, or of the limit.
    pub fn refused(&mut self, at: Timestamp, in_flight: u32, configured: u32) {
        let limit = self.limit(configured).min(in_flight.max(1));
        self.cut_to(at, limit.saturating_mul(PARTS).saturating_mul(3).div_euclid(4));
    }

    /// It answers late, at so many percent of the usual time: an eighth less, but no less than what is configured over
    /// how much later that is.
    pub fn lags(&mut self, at: Timestamp, percent: u32, configured: u32) {
        let parts = self.limit(configured).saturating_mul(PARTS);
        let least = configured.saturating_mul(PARTS).saturating_mul(100).div_euclid(percent.max(100));
        if parts > least {
            self.cut_to(at, parts.saturating_sub(parts.div_euclid(8)).max(least));
        }
    }

    /// It answered in time with so many in flight: one more for as many answers as it has places, if most are in use.
    pub fn answered(&mut self, in_flight: u32, configured: u32) {
        let Some(limit) = self.learnt() else { return };
        if in_flight.saturating_mul(4) >= limit.saturating_mul(3) {
            self.parts = self.parts.saturating_add(PARTS.div_euclid(limit.max(1)).max(1));
        }
        if self.parts >= configured.saturating_mul(PARTS) {
            self.parts = 0;
        }
    }

    fn cut_to(&mut self, at: Timestamp, parts: u32) {
        if self.parts == 0 || at.since(self.cut) >= REST {
            (self.parts, self.cut) = (parts.max(PARTS), at);
        }
    }
}

#[cfg(test)]
mod tests;
