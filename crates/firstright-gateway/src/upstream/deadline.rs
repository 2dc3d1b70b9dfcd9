//! Is the time over?
//!
//! Deadlines move with every read but hardly ever pass, so the timer is not moved along: it is left where it is,
//! and when it fires the deadline of that moment decides.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// A deadline that is cheap to move. Lives with its connection, also while that is idle.
#[derive(Debug, Default)]
pub(super) struct Deadline {
    at: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    /// Sets the deadline `budget` from now.
    pub(super) fn set(&mut self, budget: Duration) {
        self.at = Instant::now().checked_add(budget);
    }

    /// Sets the deadline `budget` from now, and no later than `end`; false if that has passed already.
    pub(super) fn set_before(&mut self, budget: Duration, end: Option<Instant>) -> bool {
        let now = Instant::now();
        self.at = match (now.checked_add(budget), end) {
            (Some(at), Some(end)) => Some(at.min(end)),
            (at, end) => at.or(end),
        };
        end.is_none_or(|end| now < end)
    }

    /// Ready when the deadline has passed.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = self.at else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
        if timer.deadline() > at {
            timer.as_mut().reset(at);
        }
        while timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= at {
                return Poll::Ready(());
            }
            timer.as_mut().reset(at);
        }
        Poll::Pending
    }
}
