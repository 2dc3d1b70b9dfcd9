//! What time is it in the simulation, and how long is that on the wall? The only reader of clocks here.

use std::time::Duration;

use tokio::time::Instant;

#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    origin: Instant,
    origin_unix_s: u64,
    speed: u32,
}

impl Clock {
    pub(super) fn start(speed: u32) -> Clock {
        let origin_unix_s = crate::clock::now().0 / 1_000_000_000;
        Clock { origin: Instant::now(), origin_unix_s, speed: speed.max(1) }
    }

    pub(super) fn speed(&self) -> u32 {
        self.speed
    }

    /// Simulated nanoseconds since the start.
    pub(super) fn now_ns(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos() * u128::from(self.speed)).unwrap_or(u64::MAX)
    }

    pub(super) fn unix_s(&self) -> u64 {
        self.origin_unix_s + self.origin.elapsed().as_secs()
    }

    /// How long `simulated_ns` lasts on the wall.
    pub(super) fn wall(&self, simulated_ns: u64) -> Duration {
        Duration::from_nanos(simulated_ns / u64::from(self.speed))
    }

    /// The same in whole milliseconds, rounded up: what a client must wait.
    pub(super) fn wall_ms(&self, simulated_ns: u64) -> u64 {
        simulated_ns.div_ceil(u64::from(self.speed)).div_ceil(1_000_000)
    }
}
