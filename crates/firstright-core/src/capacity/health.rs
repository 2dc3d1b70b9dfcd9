//! Is a deployment up, and does it let us in? Failures in a row open its breaker; a refusal of our credentials sets it
//! aside and says nothing of its health.

use crate::units::{MINUTE, SECOND, Span, Timestamp};

/// So many failures in a row open the breaker (throttling is not a failure).
pub const FAILURES_TO_OPEN: u32 = 5;
/// One refusal of our credentials sets a deployment aside: the next call would be refused too.
const REFUSALS_TO_OPEN: u32 = 1;
/// The first pause; it doubles with each failed probe.
const FIRST_PAUSE: Span = Span(5 * SECOND);
/// The longest pause.
const MAX_PAUSE: Span = Span(5 * MINUTE);
/// Where nobody else is left, a call is tried so long after the last failure, whatever the pause.
const LAST_RESORT: Span = Span(2 * SECOND);

/// What keeps calls from a deployment that is not full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breaker {
    /// Nothing.
    Closed,
    /// It has been failing; nothing is sent before `until`.
    Open {
        /// Since when.
        since: Timestamp,
        /// When one call may find out.
        until: Timestamp,
    },
    /// It refuses our credentials; nothing is sent before `until`.
    SetAside {
        /// Since when.
        since: Timestamp,
        /// When one call may find out.
        until: Timestamp,
    },
    /// One call is out to find out.
    Probing {
        /// Since when it has been failing or refusing.
        since: Timestamp,
    },
}

/// What is known of a deployment's health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Health {
    failures: Trip,
    refusals: Trip,
    /// A call is out to see whether it is up again.
    probing: bool,
}

/// A count in a row that opens at `most`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Trip {
    most: u32,
    count: u32,
    since: Timestamp,
    last: Timestamp,
    until: Timestamp,
    pause: Span,
}

impl Health {
    pub fn new() -> Health {
        let (failures, refusals) = (Trip::new(FAILURES_TO_OPEN), Trip::new(REFUSALS_TO_OPEN));
        Health { failures, refusals, probing: false }
    }

    /// Failures in a row.
    pub fn failures(&self) -> u32 {
        self.failures.count
    }

    /// What keeps calls from it now.
    pub fn breaker(&self, at: Timestamp) -> Breaker {
        for (trip, aside) in [(&self.failures, false), (&self.refusals, true)] {
            let (since, until) = (trip.since, trip.until);
            match trip.is_tripped() {
                true if self.probing => return Breaker::Probing { since },
                true if at < until && aside => return Breaker::SetAside { since, until },
                true if at < until => return Breaker::Open { since, until },
                _ => {}
            }
        }
        Breaker::Closed
    }

    /// Since when it has been down, if its failures keep calls from it. [CA-7]
    pub fn down_since(&self, at: Timestamp) -> Option<(Timestamp, Timestamp)> {
        self.failures.holds(at, self.probing)
    }

    /// Since when it has been set aside, if refused credentials keep calls from it. [CA-10]
    pub fn aside_since(&self, at: Timestamp) -> Option<(Timestamp, Timestamp)> {
        self.refusals.holds(at, self.probing)
    }

    /// Since when it has rested from its last failure, if it has for long enough to be tried because nobody else is left.
    pub fn last_resort(&self, at: Timestamp) -> Option<Timestamp> {
        let tripped = self.failures.is_tripped() && !self.probing && self.aside_since(at).is_none();
        Some(self.failures.last).filter(|last| tripped && at.since(*last) >= LAST_RESORT)
    }

    /// A call is sent: if the breaker is half open, it is the probe.
    pub fn sent(&mut self) {
        self.probing = self.failures.is_tripped() || self.refusals.is_tripped();
    }

    /// A call came back, with or without an answer of its own: the next may find out.
    pub fn back(&mut self) {
        self.probing = false;
    }

    /// A failure that is the provider's.
    //= rights/capacity.md#CA-7
    pub fn failed(&mut self, at: Timestamp) {
        self.failures.hit(at);
    }

    /// It refused our credentials.
    //= rights/capacity.md#CA-10
    pub fn refused_us(&mut self, at: Timestamp) {
        self.refusals.hit(at);
    }

    /// An answer came: it is up, and let us in.
    pub fn answered(&mut self) {
        *self = Health::new();
    }
}

impl Trip {
    fn new(most: u32) -> Trip {
        let (since, last, until) = (Timestamp(0), Timestamp(0), Timestamp(0));
        Trip { most, count: 0, since, last, until, pause: FIRST_PAUSE }
    }

    fn is_tripped(&self) -> bool {
        self.count >= self.most
    }

    /// Since when and until when it keeps calls away.
    fn holds(&self, at: Timestamp, probing: bool) -> Option<(Timestamp, Timestamp)> {
        (self.is_tripped() && (at < self.until || probing)).then_some((self.since, self.until))
    }

    fn hit(&mut self, at: Timestamp) {
        if self.count == 0 {
            self.since = at;
        }
        self.last = at;
        self.count = self.count.saturating_add(1);
        if self.is_tripped() {
            self.until = at.plus(self.pause);
            self.pause = Span(self.pause.0.saturating_mul(2)).min(MAX_PAUSE);
        }
    }
}
