//! Which connections wait to be used again?

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::connection::Connection;

/// How many connections are kept, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct PoolLimits {
    /// Idle connections kept for one target, in one thread.
    pub idle_per_target: usize,
    /// A connection unused for so long is closed; below the 60 s at which common load balancers close theirs.
    pub idle_timeout: Duration,
}

impl Default for PoolLimits {
    fn default() -> Self {
        Self { idle_per_target: 512, idle_timeout: Duration::from_secs(50) }
    }
}

/// How often connections are looked at that nobody asks for any more.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Instant,
}

/// One thread's kept connections, by target.
#[derive(Debug)]
pub(super) struct Pool {
    limits: PoolLimits,
    /// Oldest first; taken from the end, so that surplus ones grow old.
    kept: RefCell<HashMap<u64, Vec<Idle>>>,
    sweeping: Cell<bool>,
}

impl Pool {
    pub(super) fn new(limits: PoolLimits) -> Rc<Self> {
        Rc::new(Self { limits, kept: RefCell::default(), sweeping: Cell::new(false) })
    }

    /// The connection that was used last and is still alive.
    pub(super) fn take(&self, target: u64) -> Option<Connection> {
        let mut kept = self.kept.borrow_mut();
        let idle = kept.get_mut(&target)?;
        while let Some(Idle { mut connection, since }) = idle.pop() {
            if since.elapsed() >= self.limits.idle_timeout {
                // All others are older.
                idle.clear();
                return None;
            }
            if connection.is_quiet() {
                connection.reused = true;
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection whose answer has been read to its end.
    pub(super) fn keep(self: &Rc<Self>, connection: Connection) {
        let mut kept = self.kept.borrow_mut();
        let idle = kept.entry(connection.target()).or_default();
        if idle.len() >= self.limits.idle_per_target {
            return;
        }
        idle.push(Idle { connection, since: Instant::now() });
        if !self.sweeping.replace(true) {
            tokio::task::spawn_local(sweep_until_empty(Sweeping { pool: Rc::downgrade(self) }));
        }
    }

    /// Closes all that wait; false if there were none.
    pub(super) fn clear(&self) -> bool {
        let kept = std::mem::take(&mut *self.kept.borrow_mut());
        !kept.is_empty()
    }

    pub(super) fn idle(&self) -> usize {
        self.kept.borrow().values().map(Vec::len).sum()
    }

    /// Closes what is too old or was closed by the other side; false when nothing is left.
    fn sweep(&self) -> bool {
        let mut kept = self.kept.borrow_mut();
        kept.retain(|_, idle| {
            idle.retain_mut(|idle| {
                idle.since.elapsed() < self.limits.idle_timeout && idle.connection.is_quiet()
            });
            !idle.is_empty()
        });
        !kept.is_empty()
    }
}

/// The task that sweeps; the next kept connection starts a new one, however this one ended.
struct Sweeping {
    pool: Weak<Pool>,
}

impl Drop for Sweeping {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.upgrade() {
            pool.sweeping.set(false);
        }
    }
}

async fn sweep_until_empty(sweeping: Sweeping) {
    loop {
        tokio::time::sleep(SWEEP_INTERVAL).await;
        match sweeping.pool.upgrade() {
            Some(pool) if pool.sweep() => {}
            _ => return,
        }
    }
}
