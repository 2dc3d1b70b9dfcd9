//! When does time itself decide? A thread sleeps until the broker's next deadline and submits that time passed.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use firstright_core::fact::Fact;
use firstright_core::units::Timestamp;

use crate::Shared;

/// The longest sleep: deadlines are wall-clock times, and the wall clock may be set while it sleeps.
const LONGEST: Duration = Duration::from_secs(1);

/// Wakes the ticker when a deadline comes nearer.
#[derive(Debug)]
pub(crate) struct Ticker {
    /// The deadline that it sleeps toward, in nanoseconds; `u64::MAX` for none.
    armed: AtomicU64,
    stopped: AtomicBool,
    thread: OnceLock<Thread>,
}

impl Ticker {
    pub(crate) fn new() -> Ticker {
        Ticker { armed: AtomicU64::new(u64::MAX), stopped: AtomicBool::new(false), thread: OnceLock::new() }
    }

    /// The next deadline is now this. Called under the engine's lock.
    pub(crate) fn arm(&self, deadline: Option<Timestamp>) {
        let deadline = deadline.map_or(u64::MAX, |deadline| deadline.0);
        if self.armed.swap(deadline, Ordering::AcqRel) > deadline
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
    }

    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }
}

/// Starts the ticker.
pub(crate) fn start(shared: Arc<Shared>) -> std::io::Result<JoinHandle<()>> {
    let own = Arc::clone(&shared);
    let handle = std::thread::Builder::new().name("ticker".to_string()).spawn(move || {
        while !own.ticker.stopped.load(Ordering::Acquire) {
            let armed = Timestamp(own.ticker.armed.load(Ordering::Acquire));
            let now = own.lock().clock.now();
            if armed <= now {
                own.submit(&Fact::Ticked);
                continue;
            }
            if armed == Timestamp::MAX {
                std::thread::park();
            } else {
                std::thread::park_timeout(Duration::from_nanos(armed.since(now).0).min(LONGEST));
            }
        }
    })?;
    // Set once, here: the engine is not handed out before.
    let _ = shared.ticker.thread.set(handle.thread().clone());
    handle.thread().unpark();
    Ok(handle)
}
