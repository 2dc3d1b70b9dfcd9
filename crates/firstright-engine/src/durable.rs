//! Is the record on disk? Who needs to know waits here, without a runtime.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Waker};

/// Those who wait, and how far the disk has come.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    /// The last record that is on disk.
    reached: AtomicU64,
    waiting: Mutex<VecDeque<(u64, Waker)>>,
    blocking: Condvar,
}

impl Waiters {
    /// Begins with everything up to `record` on disk.
    pub(crate) fn at(record: u64) -> Waiters {
        Waiters { reached: AtomicU64::new(record), ..Waiters::default() }
    }

    /// Everything up to `record` is on disk: wakes whoever waited for it.
    pub(crate) fn reach(&self, record: u64) {
        let mut waiting = self.waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.reached.store(record, Ordering::Release);
        // Most wait in the order of their records, so the queue is nearly sorted; stragglers are found by the scan.
        let mut rest = VecDeque::with_capacity(waiting.len());
        for (wanted, waker) in waiting.drain(..) {
            if wanted <= record { waker.wake() } else { rest.push_back((wanted, waker)) }
        }
        *waiting = rest;
        drop(waiting);
        self.blocking.notify_all();
    }

    /// Blocks the thread until `record` is on disk.
    pub(crate) fn block(&self, record: u64) {
        let mut waiting = self.waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        while self.reached.load(Ordering::Acquire) < record {
            waiting = self.blocking.wait(waiting).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }
}

/// Resolves when a record is on disk. Dropping it forgets the wait, not the record.
#[derive(Debug)]
pub struct Durable {
    waiters: Arc<Waiters>,
    record: u64,
    registered: bool,
}

impl Durable {
    pub(crate) fn new(waiters: Arc<Waiters>, record: u64) -> Durable {
        Durable { waiters, record, registered: false }
    }

    /// Is it on disk already?
    pub fn is_reached(&self) -> bool {
        self.waiters.reached.load(Ordering::Acquire) >= self.record
    }
}

impl Future for Durable {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.is_reached() {
            return Poll::Ready(());
        }
        let waiters = Arc::clone(&self.waiters);
        let mut waiting = waiters.waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // The writer reaches under the same lock, so a wake cannot fall between this look and the registration.
        if self.is_reached() {
            return Poll::Ready(());
        }
        if self.registered {
            let own = waiting
                .iter_mut()
                .find(|(record, waker)| *record == self.record && waker.will_wake(context.waker()));
            if own.is_some() {
                return Poll::Pending;
            }
        }
        self.registered = true;
        waiting.push_back((self.record, context.waker().clone()));
        Poll::Pending
    }
}
