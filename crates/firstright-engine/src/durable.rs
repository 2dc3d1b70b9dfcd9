//! Is the record on disk? Who needs to know waits here, without a runtime.
//!
//! Waking a task of another thread costs a system call, and a sync may release hundreds of them. So of all that wait on one
//! thread only one, the *leader*, is known to the writer; it wakes the others of its thread, which costs next to nothing.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Those who wait, and how far the disk has come.
#[derive(Debug)]
pub(crate) struct Waiters {
    /// Tells the engines of one process apart.
    id: u64,
    /// The last record that is on disk.
    reached: AtomicU64,
    leaders: Mutex<Vec<(u64, Waker)>>,
    blocking: Condvar,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

impl Waiters {
    /// Begins with everything up to `record` on disk.
    pub(crate) fn at(record: u64) -> Waiters {
        Waiters {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            reached: AtomicU64::new(record),
            leaders: Mutex::default(),
            blocking: Condvar::new(),
        }
    }

    pub(crate) fn reached(&self) -> u64 {
        self.reached.load(Ordering::Acquire)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(u64, Waker)>> {
        self.leaders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything up to `record` is on disk: wakes the leaders that waited for it.
    pub(crate) fn reach(&self, record: u64) {
        let mut leaders = self.lock();
        self.reached.store(record, Ordering::Release);
        leaders.retain(|(wanted, waker)| {
            let waits = *wanted > record;
            if !waits {
                waker.wake_by_ref();
            }
            waits
        });
        drop(leaders);
        self.blocking.notify_all();
    }

    /// Blocks the thread until `record` is on disk.
    pub(crate) fn block(&self, record: u64) {
        let mut leaders = self.lock();
        while self.reached() < record {
            leaders = self.blocking.wait(leaders).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Makes a leader known. False if its record is on disk by now: the writer reaches under the same lock, so a wake
    /// cannot fall between the look and the registration.
    fn lead(&self, record: u64, waker: &Waker) -> bool {
        let mut leaders = self.lock();
        if self.reached() >= record {
            return false;
        }
        leaders.push((record, waker.clone()));
        true
    }
}

thread_local! {
    /// Those who wait on this thread, by engine.
    static LANES: RefCell<BTreeMap<u64, Lane>> = const { RefCell::new(BTreeMap::new()) };
}

#[derive(Default)]
struct Lane {
    next_token: u64,
    leader: Option<u64>,
    waiting: VecDeque<Waiting>,
}

struct Waiting {
    token: u64,
    record: u64,
    waker: Waker,
}

impl Lane {
    /// Notes who waits, or its waker anew.
    fn wait(&mut self, token: Option<u64>, record: u64, waker: &Waker) -> u64 {
        if let Some(known) = self.waiting.iter_mut().find(|one| Some(one.token) == token) {
            if !known.waker.will_wake(waker) {
                known.waker.clone_from(waker);
            }
            return known.token;
        }
        let token = self.next_token;
        self.next_token += 1;
        self.waiting.push_back(Waiting { token, record, waker: waker.clone() });
        token
    }

    /// Lets go of one, wakes all whose record is on disk, and sees to it that the rest has a leader.
    fn leave(&mut self, token: Option<u64>, waiters: &Waiters) {
        let reached = waiters.reached();
        let leader = self.leader;
        self.waiting.retain(|one| {
            let own = Some(one.token) == token;
            let done = one.record <= reached;
            if done && !own {
                one.waker.wake_by_ref();
            }
            !own && !done
        });
        if !self.waiting.iter().any(|one| Some(one.token) == leader) {
            self.leader = None;
        }
        self.choose(waiters);
    }

    /// The first that waits leads, if nobody does.
    fn choose(&mut self, waiters: &Waiters) {
        while self.leader.is_none()
            && let Some(first) = self.waiting.front()
        {
            if waiters.lead(first.record, &first.waker) {
                self.leader = Some(first.token);
            } else if let Some(first) = self.waiting.pop_front() {
                first.waker.wake();
            }
        }
    }
}

/// Resolves when a record is on disk. Dropping it forgets the wait, not the record. It stays on the thread that polls it.
#[derive(Debug)]
pub struct Durable {
    waiters: Arc<Waiters>,
    record: u64,
    token: Option<u64>,
    stays: PhantomData<*const ()>,
}

impl Durable {
    pub(crate) fn new(waiters: Arc<Waiters>, record: u64) -> Durable {
        Durable { waiters, record, token: None, stays: PhantomData }
    }

    /// Is it on disk already?
    pub fn is_reached(&self) -> bool {
        self.waiters.reached() >= self.record
    }

    fn leave(&mut self) {
        let Some(token) = self.token.take() else { return };
        let waiters = &self.waiters;
        let done = self.is_reached();
        // The lane is gone when the thread ends, and then nobody waits there.
        let _ = LANES.try_with(|lanes| {
            if let Some(lane) = lanes.borrow_mut().get_mut(&waiters.id)
                // Whoever is done and does not lead is taken off by its leader, with all the others.
                && (!done || lane.leader == Some(token))
            {
                lane.leave(Some(token), waiters);
            }
        });
    }
}

impl Future for Durable {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.is_reached() {
            self.leave();
            return Poll::Ready(());
        }
        let this = &mut *self;
        LANES.with(|lanes| {
            let mut lanes = lanes.borrow_mut();
            let lane = lanes.entry(this.waiters.id).or_default();
            let token = lane.wait(this.token, this.record, context.waker());
            this.token = Some(token);
            // A leader whose task gave a new waker is made known with it; the old one wakes in vain.
            if lane.leader == Some(token) {
                lane.leader = None;
            }
            lane.choose(&this.waiters);
        });
        // It may have been reached meanwhile; then `choose` has taken it off the lane and woken it.
        Poll::Pending
    }
}

impl Drop for Durable {
    fn drop(&mut self) {
        self.leave();
    }
}
