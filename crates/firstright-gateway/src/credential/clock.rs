//! What time is it for the one who checks a signature?
//!
//! A signature holds for some minutes round its time, by the clock of who checks it. If that one refuses, and its answer
//! says another time than ours, the difference is told once and reckoned with from then on: a machine whose clock has
//! drifted goes on working, and somebody knows.

use std::sync::atomic::{AtomicI64, Ordering};

use firstright_wire::auth::date;
use http::{HeaderMap, header};

use super::SKEW_TOLD_S;

/// A difference above this, in seconds, is believed of nobody.
const AHEAD_MAX_S: i64 = 86_400;

/// Theirs, by ours.
#[derive(Debug, Default)]
pub(super) struct Clock {
    ahead_s: AtomicI64,
}

impl Clock {
    /// Seconds since 1970, as they reckon.
    pub(super) fn now_s(&self) -> u64 {
        now_s().saturating_add_signed(self.ahead_s())
    }

    /// Their clock less ours, as far as it was learnt.
    pub(super) fn ahead_s(&self) -> i64 {
        self.ahead_s.load(Ordering::Relaxed)
    }

    /// Learns from a refusal. True if theirs is another time than the one that was signed with.
    pub(super) fn learn(&self, headers: &HeaderMap) -> bool {
        let Some(ahead_s) = self.news(headers) else { return false };
        self.ahead_s.store(ahead_s, Ordering::Relaxed);
        true
    }

    /// How far theirs is ahead, if it is another time than the one that was signed with.
    pub(super) fn news(&self, headers: &HeaderMap) -> Option<i64> {
        let ahead_s = clock_ahead_s(headers).filter(|ahead| ahead.abs() <= AHEAD_MAX_S)?;
        ((ahead_s - self.ahead_s()).abs() > SKEW_TOLD_S).then_some(ahead_s)
    }
}

/// Their clock less ours, in seconds, if an answer says theirs.
pub(crate) fn clock_ahead_s(headers: &HeaderMap) -> Option<i64> {
    let theirs = headers.get(header::DATE).and_then(|value| date::parse_http(value.as_bytes()))?;
    i64::try_from(theirs).ok()?.checked_sub(i64::try_from(now_s()).ok()?)
}

/// The same, if it is so much that it tells.
pub(super) fn skew_of(headers: &HeaderMap) -> Option<i64> {
    clock_ahead_s(headers).filter(|skew| skew.abs() > SKEW_TOLD_S)
}

/// Seconds since 1970.
pub(super) fn now_s() -> u64 {
    firstright_engine::wall().0 / 1_000_000_000
}
