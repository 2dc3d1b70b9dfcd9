//! Who is to act on a decision that somebody else's fact led to? A call that waits is served when another settles; a
//! window lapses when time passes. Such decisions are laid here: for the waiting call, or for the job plane.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use firstright_core::decision::{Action, Decision};
use firstright_core::workload::CallId;

/// A decision with the record that holds it.
#[derive(Clone, Debug)]
pub struct Noted {
    /// The record's number.
    pub record: u64,
    /// The decision.
    pub decision: Decision,
}

/// Decisions that wait to be taken. The broker's own limits on open calls and jobs bound it.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    calls: Mutex<BTreeMap<CallId, Slot>>,
    jobs: Mutex<Jobs>,
}

#[derive(Debug, Default)]
struct Slot {
    noted: Option<Noted>,
    waker: Option<Waker>,
}

#[derive(Debug, Default)]
struct Jobs {
    taken: bool,
    noted: VecDeque<Noted>,
    waker: Option<Waker>,
    closed: bool,
}

impl Desk {
    /// Lays down what a step decided. Called under the engine's lock, so the order is that of the records.
    pub(crate) fn lay(&self, record: u64, decisions: &[Decision]) {
        for decision in decisions {
            match &decision.action {
                Action::Queue { call, .. } => {
                    lock(&self.calls).insert(*call, Slot::default());
                }
                Action::Serve { call, .. } | Action::Refuse { call, .. } => {
                    self.lay_call(*call, record, decision)
                }
                Action::Offer { .. }
                | Action::PutCounter { .. }
                | Action::Withdraw { .. }
                | Action::Dispatch { .. }
                | Action::Hold { .. }
                | Action::RefuseJob { .. }
                | Action::Cancel { .. }
                | Action::Finish { .. } => self.lay_job(record, decision),
                Action::Enact
                | Action::KeepLaw { .. }
                | Action::Note
                | Action::Settle { .. }
                | Action::SettleLease { .. }
                | Action::SetAccount { .. }
                | Action::CloseAccount { .. }
                | Action::KeepAccount { .. } => {}
            }
        }
    }

    fn lay_call(&self, call: CallId, record: u64, decision: &Decision) {
        let mut calls = lock(&self.calls);
        if calls.is_empty() {
            return;
        }
        if let Some(slot) = calls.get_mut(&call) {
            slot.noted = Some(Noted { record, decision: decision.clone() });
            if let Some(waker) = slot.waker.take() {
                waker.wake();
            }
        }
    }

    fn lay_job(&self, record: u64, decision: &Decision) {
        let mut jobs = lock(&self.jobs);
        if jobs.taken {
            jobs.noted.push_back(Noted { record, decision: decision.clone() });
            if let Some(waker) = jobs.waker.take() {
                waker.wake();
            }
        }
    }

    /// Ends the job plane's stream.
    pub(crate) fn close(&self) {
        let mut jobs = lock(&self.jobs);
        jobs.closed = true;
        if let Some(waker) = jobs.waker.take() {
            waker.wake();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Resolves to what becomes of a call that was queued. Drop it only after the call is served, refused or abandoned.
#[derive(Debug)]
pub struct Queued {
    desk: Arc<Desk>,
    call: CallId,
}

impl Queued {
    pub(crate) fn new(desk: Arc<Desk>, call: CallId) -> Queued {
        Queued { desk, call }
    }
}

impl Future for Queued {
    type Output = Noted;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Noted> {
        let mut calls = lock(&self.desk.calls);
        let slot = calls.entry(self.call).or_default();
        match slot.noted.take() {
            Some(noted) => Poll::Ready(noted),
            None => {
                slot.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        lock(&self.desk.calls).remove(&self.call);
    }
}

/// The job plane's decisions, in the order of their records. There is one reader.
#[derive(Debug)]
pub struct JobDecisions {
    desk: Arc<Desk>,
}

impl JobDecisions {
    /// The one reader; `None` if it was taken before.
    pub(crate) fn take(desk: Arc<Desk>) -> Option<JobDecisions> {
        let mut jobs = lock(&desk.jobs);
        if std::mem::replace(&mut jobs.taken, true) {
            return None;
        }
        drop(jobs);
        Some(JobDecisions { desk })
    }

    /// The next decision; `None` once the engine is closed.
    pub async fn next(&mut self) -> Option<Noted> {
        std::future::poll_fn(|context| {
            let mut jobs = lock(&self.desk.jobs);
            match jobs.noted.pop_front() {
                Some(noted) => Poll::Ready(Some(noted)),
                None if jobs.closed => Poll::Ready(None),
                None => {
                    jobs.waker = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}
