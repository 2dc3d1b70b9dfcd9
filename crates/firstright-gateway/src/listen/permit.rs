//! May one more connection be held?

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::Limits;

/// At the cap a new connection waits so long for another to be closed for it: every thread does so at once.
const WAIT_FOR_PLACE: Duration = Duration::from_millis(250);
/// And so many wait at most: each is a file beyond the cap.
const MAX_WAITING: usize = 32;

/// Counts the open connections of all threads against the caps.
#[derive(Debug, Clone)]
pub struct Permits {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    open: AtomicUsize,
    limit: usize,
    by_ip: Option<ByIp>,
    /// New connections at the cap.
    waiting: AtomicUsize,
    /// Told when one begins to wait.
    wanted: watch::Sender<u64>,
    /// Told when a place comes free while one waits.
    freed: Notify,
}

/// Hears when a place is wanted; one for each listener.
#[derive(Debug)]
pub(super) struct Wanted {
    wanted: watch::Receiver<u64>,
    seen: u64,
}

/// A new connection that waits for a place.
struct Waiting<'a>(&'a Shared);

/// Touched once as a connection opens and once as it closes, so one lock serves.
#[derive(Debug)]
struct ByIp {
    limit: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// The right of one connection to be open; given back on drop.
#[derive(Debug)]
pub(super) struct Permit {
    shared: Arc<Shared>,
    ip: Option<IpAddr>,
}

impl Permits {
    /// Starts with nothing open.
    pub fn new(limits: &Limits) -> Self {
        let by_ip = limits.connections_per_ip.map(|limit| ByIp { limit, open: Mutex::default() });
        let (open, waiting, limit) = (AtomicUsize::new(0), AtomicUsize::new(0), limits.connections);
        let (wanted, freed) = (watch::Sender::new(0), Notify::new());
        Self { shared: Arc::new(Shared { open, limit, by_ip, waiting, wanted, freed }) }
    }

    /// Connections that are open now.
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::Relaxed)
    }

    /// Whether another connection would be over the cap.
    pub(super) fn are_all_taken(&self) -> bool {
        self.open() >= self.shared.limit
    }

    /// Hears when a place is wanted.
    pub(super) fn wanted(&self) -> Wanted {
        let wanted = self.shared.wanted.subscribe();
        let seen = *wanted.borrow();
        Wanted { wanted, seen }
    }

    /// Waits a moment for a place that another gives up for it. Nobody is to do so for an address that has its share already.
    pub(super) async fn wait(&self, ip: IpAddr) -> Option<Permit> {
        let shared = &self.shared;
        if shared.by_ip.as_ref().is_some_and(|by_ip| by_ip.has_its_share(ip)) {
            return None;
        }
        let before = shared.waiting.fetch_add(1, Ordering::SeqCst);
        let _waiting = Waiting(shared);
        if before >= MAX_WAITING {
            return None;
        }
        shared.wanted.send_modify(|times| *times = times.wrapping_add(1));
        let taken = async {
            loop {
                // Made before the look, so that nothing that comes free between the two goes unheard.
                let freed = shared.freed.notified();
                if let Some(permit) = self.take(ip) {
                    return permit;
                }
                freed.await;
            }
        };
        tokio::time::timeout(WAIT_FOR_PLACE, taken).await.ok()
    }

    /// A place, if there is one. What is refused takes none meanwhile, not even for a moment: others would miss it.
    pub(super) fn take(&self, ip: IpAddr) -> Option<Permit> {
        let shared = &self.shared;
        let one_more = |open: usize| (open < shared.limit).then_some(open + 1);
        let take = || shared.open.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more).ok();
        let Some(by_ip) = &shared.by_ip else {
            take()?;
            return Some(Permit { shared: shared.clone(), ip: None });
        };
        // A v4 client on a v6 socket is the same client.
        let ip = ip.to_canonical();
        let mut open = by_ip.open.lock().unwrap_or_else(PoisonError::into_inner);
        let held = open.get(&ip).copied().unwrap_or(0);
        if held >= by_ip.limit {
            return None;
        }
        take()?;
        open.insert(ip, held + 1);
        Some(Permit { shared: shared.clone(), ip: Some(ip) })
    }
}

impl ByIp {
    fn has_its_share(&self, ip: IpAddr) -> bool {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.get(&ip.to_canonical()).is_some_and(|held| *held >= self.limit)
    }
}

impl Wanted {
    /// Returns when others have begun to wait for a place: how many, since it was asked last.
    pub(super) async fn by_others(&mut self) -> u64 {
        if self.wanted.changed().await.is_err() {
            // INVARIANT: the listener holds the permits, so their sender is there as long as it listens.
            std::future::pending::<()>().await;
        }
        let times = *self.wanted.borrow_and_update();
        times.wrapping_sub(std::mem::replace(&mut self.seen, times))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let (Some(ip), Some(by_ip)) = (self.ip, &self.shared.by_ip) {
            let mut open = by_ip.open.lock().unwrap_or_else(PoisonError::into_inner);
            match open.get_mut(&ip) {
                Some(held) if *held > 1 => *held -= 1,
                _ => {
                    open.remove(&ip);
                }
            }
        }
        // Last, so that whoever is told finds all of it free.
        self.shared.open.fetch_sub(1, Ordering::SeqCst);
        if self.shared.waiting.load(Ordering::SeqCst) > 0 {
            self.shared.freed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests;
