//! When is room for a call expected somewhere?

use crate::capacity::Shortage;
use crate::title::Place;
use crate::units::Timestamp;

/// When room for a call is expected somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Expected {
    /// When, with those that wait there before it.
    pub again: Timestamp,
    pub place: Place,
    /// When, if those do not take it.
    pub alone: Timestamp,
    /// Before this there cannot be any.
    pub earliest: Timestamp,
}

impl Expected {
    /// What a shortage says.
    pub fn of(at: Timestamp, place: Place, short: &Shortage) -> Expected {
        let earliest = if short.is_no_sooner() { short.again() } else { at };
        Expected { again: short.again(), place, alone: short.alone(), earliest }
    }

    /// The best of both.
    pub fn or(self, other: Expected) -> Expected {
        let first = self.min(other);
        Expected { alone: self.alone.min(other.alone), earliest: self.earliest.min(other.earliest), ..first }
    }
}
