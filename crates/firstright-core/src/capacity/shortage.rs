//! What does a deployment lack, and when is it worth asking again?

use crate::units::Timestamp;

/// A deployment had no room: what was needed, what was free, when it was known, and when to ask again. It can only be
/// made by [`super::Capacity::room`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortage {
    pub(super) need: u64,
    pub(super) free: u64,
    pub(super) observed_at: Timestamp,
    pub(super) again: Timestamp,
    pub(super) alone: Timestamp,
    pub(super) no_sooner: bool,
    pub(super) why: Why,
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
    /// Its pace: it has as many calls as it is given while it is slowed.
    Slowed {
        /// Recent first bytes in percent of the usual.
        percent: u32,
        /// Calls in flight.
        open: u32,
        /// Calls that it is given at once.
        limit: u32,
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

    /// When room is expected: what is lacking, with what waits before it, over what comes free in a time.
    pub fn again(&self) -> Timestamp {
        self.again
    }

    /// When room is expected for it if those that wait before it do not take it.
    pub fn alone(&self) -> Timestamp {
        self.alone
    }

    /// Can nothing that may happen bring room before that?
    pub fn is_no_sooner(&self) -> bool {
        self.no_sooner
    }

    /// What it lacks.
    pub fn why(&self) -> Why {
        self.why
    }
}
