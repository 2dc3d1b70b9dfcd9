//! How many accelerator-seconds did a lease use? From the kernel's own clock, in whole units, without a rounding error
//! that grows.

/// Hundredths of a second since the machine's start, as `/proc/uptime` counts them: monotonic, and comparable with a
/// process's start time across restarts of Firstright.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Uptime(pub u64);

/// Hundredths in a second.
const HUNDREDTHS: u128 = 100;

/// A lease's meter. What is not a whole accelerator-second is carried: only the total is ever rounded, and down.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meter {
    start: Uptime,
    count: u32,
    booked: u64,
}

impl Meter {
    /// The meter of `count` accelerators in use since `start`, of which `booked` accelerator-seconds are booked.
    pub(crate) fn new(start: Uptime, count: u32, booked: u64) -> Meter {
        Meter { start, count, booked }
    }

    /// The accelerator-seconds until `now` that are not booked yet; they are, from here on.
    pub(crate) fn take(&mut self, now: Uptime) -> u64 {
        let elapsed = u128::from(now.0.saturating_sub(self.start.0));
        let total = elapsed * u128::from(self.count) / HUNDREDTHS;
        let due = u64::try_from(total).unwrap_or(u64::MAX).saturating_sub(self.booked);
        self.booked = self.booked.saturating_add(due);
        due
    }
}

#[cfg(test)]
mod tests;
