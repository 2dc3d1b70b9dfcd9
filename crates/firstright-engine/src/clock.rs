//! What time is it? The only place that asks.

use std::time::{SystemTime, UNIX_EPOCH};

use firstright_core::units::Timestamp;

/// Stamps facts with strictly rising times.
#[derive(Debug)]
pub(crate) struct Clock {
    last: Timestamp,
}

impl Clock {
    /// A clock that goes on after `last`, the time of the journal's last record.
    pub(crate) fn after(last: Timestamp) -> Clock {
        Clock { last }
    }

    /// The wall clock's time, or that of the last stamp if the wall clock was set back.
    pub(crate) fn now(&mut self) -> Timestamp {
        wall().max(self.last)
    }

    /// A time later than any before: `max(now, last + 1)`.
    pub(crate) fn stamp(&mut self) -> Timestamp {
        self.last = wall().max(Timestamp(self.last.0.saturating_add(1)));
        self.last
    }
}

/// The wall clock's time, for what is signed with it. No fact is stamped by this.
#[expect(clippy::disallowed_methods, reason = "time is stamped here, once, for everybody")]
pub fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}
