//! Turns a live fact into a durable decision: the clock, the lock and the journal.
//!
//! [`Engine::submit`] stamps the time, takes the one lock, steps the broker, appends the record to the buffer and lets
//! go: no await, no file, no allocation to speak of inside. A thread of its own writes and syncs what has gathered
//! (group commit). Who needs to know that a record is on disk awaits [`Engine::durable`].
//!
//! **A failed write or sync stops the process**: what the disk holds is then unknown, and an answer that is not on record
//! must not be given. **Restart** reads the journal back through the same step, cuts a torn tail, refuses a broken
//! middle, and settles what was open.

mod clock;
mod desk;
mod durable;
mod journal;
mod recover;
mod ticker;

pub use clock::wall;
pub use desk::{JobDecisions, Noted, Queued};
pub use durable::Durable;
pub use journal::{JournalError, Progress, Tail, read};
pub use recover::{OpenError, Opened};

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use firstright_core::Broker;
use firstright_core::decision::Decision;
use firstright_core::fact::Fact;
use firstright_core::journal::Chain;
use firstright_core::units::Timestamp;
use firstright_core::workload::{CallId, JobId};
use firstright_core::world::World;

use crate::clock::Clock;
use crate::desk::Desk;
use crate::durable::Waiters;
use crate::ticker::Ticker;

/// What a submitted fact led to.
#[derive(Debug)]
pub struct Stepped {
    /// The record's number: the decision's id.
    pub record: u64,
    /// When it was stamped.
    pub at: Timestamp,
    /// What follows.
    pub decisions: Vec<Decision>,
}

/// The engine of one book. Cheap to share: clone the [`Arc`].
#[derive(Debug)]
pub struct Engine {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What the engine and its writer share.
#[derive(Debug)]
pub(crate) struct Shared {
    inner: Mutex<Inner>,
    waiters: Arc<Waiters>,
    wake: journal::Wake,
    syncs: journal::Syncs,
    ticker: Ticker,
    desk: Arc<Desk>,
}

/// What the lock guards.
#[derive(Debug)]
struct Inner {
    broker: Broker,
    chain: Chain,
    clock: Clock,
    /// Frames that are not handed to the writer yet.
    buffer: Vec<u8>,
    next_call: u64,
    next_job: u64,
}

impl Engine {
    /// Opens a book's journal in `folder`, or begins one, under the law of `sources`, and settles what was open.
    ///
    /// # Errors
    /// If the journal is broken in its middle, if it cannot be read or written, if another process has it open, or if
    /// the law is refused.
    pub fn open(folder: &Path, sources: Vec<(String, String)>) -> Result<Opened, OpenError> {
        recover::open(folder, sources)
    }

    /// Takes a fact: stamps it, steps the broker, appends the record. The record is durable once
    /// [`Engine::durable`] says so.
    pub fn submit(&self, fact: &Fact) -> Stepped {
        self.shared.submit(fact)
    }

    /// The same for a fact that needs a new call's number, and names parts of `world` by theirs. `None` if another law
    /// holds by now: those numbers may mean something else under it.
    pub fn submit_call(
        &self,
        world: &Arc<World>,
        make: impl FnOnce(CallId) -> Fact,
    ) -> Option<(CallId, Stepped)> {
        let mut inner = self.shared.lock();
        if !inner.broker.world().is_some_and(|holds| Arc::ptr_eq(holds, world)) {
            return None;
        }
        let id = CallId(inner.next_call);
        inner.next_call += 1;
        Some((id, self.shared.step(inner, &make(id))))
    }

    /// Puts a law in force, or keeps the one before: the decision says which. `then` is called with the new one before
    /// any other fact is taken, so that what belongs to a law can be changed together with it: keep it short.
    pub fn enact(&self, sources: Vec<(String, String)>, then: impl FnOnce(&Arc<World>)) -> Stepped {
        let mut inner = self.shared.lock();
        let before = inner.broker.world().map(Arc::as_ptr);
        let stepped = inner.step(&Fact::Enacted { sources });
        if let Some(world) = inner.broker.world().filter(|world| Some(Arc::as_ptr(world)) != before) {
            then(world);
        }
        self.shared.noted(inner, stepped)
    }

    /// The same for a fact that needs a new job's number.
    pub fn submit_job(&self, make: impl FnOnce(JobId) -> Fact) -> (JobId, Stepped) {
        let mut inner = self.shared.lock();
        let id = JobId(inner.next_job);
        inner.next_job += 1;
        (id, self.shared.step(inner, &make(id)))
    }

    /// Resolves when the record is on disk.
    pub fn durable(&self, record: u64) -> Durable {
        Durable::new(Arc::clone(&self.shared.waiters), record)
    }

    /// Blocks until the record is on disk.
    pub fn wait_durable(&self, record: u64) {
        self.shared.waiters.block(record);
    }

    /// How far the journal is.
    pub fn progress(&self) -> Progress {
        let durable = self.shared.waiters.reached();
        let appended = self.shared.lock().chain.next() - 1;
        Progress::of(appended, durable, &self.shared.syncs)
    }

    /// The law in force.
    ///
    /// # Panics
    /// Never: an engine opens only under a law.
    pub fn world(&self) -> Arc<World> {
        Arc::clone(self.shared.lock().broker.world().expect("an engine opens only under a law"))
    }

    /// What becomes of a call that was queued.
    pub fn queued(&self, call: CallId) -> Queued {
        Queued::new(Arc::clone(&self.shared.desk), call)
    }

    /// The job plane's decisions; `None` if somebody reads them already.
    pub fn job_decisions(&self) -> Option<JobDecisions> {
        JobDecisions::take(Arc::clone(&self.shared.desk))
    }

    /// Reads the broker. The lock is held while `read` runs: keep it short.
    pub fn read<T>(&self, read: impl FnOnce(&Broker, Timestamp) -> T) -> T {
        let mut inner = self.shared.lock();
        let now = inner.clock.now();
        read(&inner.broker, now)
    }

    /// Writes and syncs what has gathered, and ends the engine's threads.
    pub fn close(&self) {
        self.shared.ticker.stop();
        self.shared.wake.stop();
        self.shared.desk.close();
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for thread in threads.drain(..) {
            // A thread of ours that panicked has already stopped the process.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn submit(&self, fact: &Fact) -> Stepped {
        self.step(self.lock(), fact)
    }

    fn step(&self, mut inner: MutexGuard<'_, Inner>, fact: &Fact) -> Stepped {
        let stepped = inner.step(fact);
        self.noted(inner, stepped)
    }

    /// Lays down what was decided, and lets go of the lock.
    fn noted(&self, inner: MutexGuard<'_, Inner>, stepped: Stepped) -> Stepped {
        self.desk.lay(stepped.record, &stepped.decisions);
        self.ticker.arm(inner.broker.next_deadline());
        drop(inner);
        self.wake.ring();
        stepped
    }

    /// A poisoned lock means that a step panicked: a bug in the core. The state may be half-changed, so nothing may be
    /// decided from it any more; the journal brings it back.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(|_| {
            eprintln!("firstright: a step failed; stopping, the journal holds the state");
            std::process::abort()
        })
    }

    /// Hands the writer what has gathered.
    fn take(&self, into: &mut Vec<u8>) -> u64 {
        let mut inner = self.lock();
        std::mem::swap(&mut inner.buffer, into);
        inner.chain.next() - 1
    }
}

impl Inner {
    fn step(&mut self, fact: &Fact) -> Stepped {
        let at = self.clock.stamp();
        let decisions = self.broker.step(at, fact);
        let record = self.chain.append(at, fact, &decisions, &mut self.buffer);
        Stepped { record, at, decisions }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.close();
    }
}
