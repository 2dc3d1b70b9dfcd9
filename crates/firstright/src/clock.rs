//! What is today's date, for commands that ask? The engine's own clock stamps facts.

use std::time::{SystemTime, UNIX_EPOCH};

use firstright_core::units::Timestamp;

/// The wall clock's time.
#[expect(clippy::disallowed_methods, reason = "commands that take no engine ask for today's date here")]
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}
