//! How much is tried again? Retries after failures are what keeps an overload alive when its cause is gone, so they are a
//! small part of what arrives. [CH-16]

use alloc::collections::VecDeque;

use crate::units::{SECOND, Timestamp};

/// The window slides in steps of so long.
const STEP: u64 = 10 * SECOND;
/// So many steps make the window: two minutes.
const STEPS: u64 = 12;
/// One retry for so many arrivals.
const ARRIVALS_PER_RETRY: u32 = 10;
/// So many retries in a step are had in any case: one a second, or little traffic would have none.
const FLOOR: u32 = 10;

/// The retries of one tenant: it is a tenant's calls that fail together, and one tenant's must not use up another's.
#[derive(Clone, Debug, Default)]
pub(crate) struct Retries {
    /// The steps of the window in which anything happened.
    steps: VecDeque<Step>,
}

#[derive(Clone, Copy, Debug)]
struct Step {
    number: u64,
    arrived: u32,
    retried: u32,
}

impl Retries {
    pub fn arrived(&mut self, at: Timestamp) {
        if let Some(step) = self.step(at) {
            step.arrived = step.arrived.saturating_add(1);
        }
    }

    pub fn retried(&mut self, at: Timestamp) {
        if let Some(step) = self.step(at) {
            step.retried = step.retried.saturating_add(1);
        }
    }

    /// May another be made? If not: how many were made, of how many arrivals.
    //= rights/choosing.md#CH-16
    pub fn allow(&mut self, at: Timestamp) -> Result<(), (u32, u32)> {
        let now = self.step(at).map_or(0, |step| step.retried);
        let arrived = self.steps.iter().fold(0, |sum: u32, step| sum.saturating_add(step.arrived));
        let retried = self.steps.iter().fold(0, |sum: u32, step| sum.saturating_add(step.retried));
        let within = retried.saturating_add(1).saturating_mul(ARRIVALS_PER_RETRY) <= arrived;
        if within || now < FLOOR { Ok(()) } else { Err((retried, arrived)) }
    }

    /// The step of this time; those that the window has left behind are forgotten.
    fn step(&mut self, at: Timestamp) -> Option<&mut Step> {
        let number = at.0.div_euclid(STEP);
        while self.steps.front().is_some_and(|step| step.number.saturating_add(STEPS) <= number) {
            self.steps.pop_front();
        }
        if self.steps.back().is_none_or(|step| step.number != number) {
            self.steps.push_back(Step { number, arrived: 0, retried: 0 });
        }
        self.steps.back_mut()
    }
}

#[cfg(test)]
mod tests;
