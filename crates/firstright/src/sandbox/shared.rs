//! Who may touch the model? Everything goes through one lock, held for one call of the model at a time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use firstright_sim::cloud::{Cloud, Ending, LiveFault, Ticket};
use tokio::sync::Notify;

use super::clock::Clock;
use super::files::Files;

/// One cloud, as its connections share it.
#[derive(Debug)]
pub(super) struct Shared {
    cloud: Mutex<Cloud>,
    files: Mutex<Files>,
    pub(super) clock: Clock,
    pub(super) coalesce: Duration,
    /// Faults were put: the listener looks whether it should still listen.
    pub(super) faults_changed: Notify,
}

impl Shared {
    pub(super) fn new(cloud: Cloud, clock: Clock, coalesce_ms: u64) -> Shared {
        Shared {
            cloud: Mutex::new(cloud),
            files: Mutex::default(),
            clock,
            coalesce: Duration::from_millis(coalesce_ms),
            faults_changed: Notify::new(),
        }
    }

    pub(super) fn cloud(&self) -> MutexGuard<'_, Cloud> {
        self.cloud.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn put_faults(&self, faults: Vec<LiveFault>) -> Result<(), String> {
        self.cloud().put_faults(self.clock.now_ns(), faults)?;
        self.faults_changed.notify_one();
        Ok(())
    }

    pub(super) fn refuses_connections(&self) -> bool {
        self.cloud().refuses_connections(self.clock.now_ns())
    }
}

/// An admitted call. Dropped before its end, it counts as abandoned: the client has left.
#[derive(Debug)]
pub(super) struct Serving {
    shared: Arc<Shared>,
    ticket: Option<Ticket>,
    /// Output tokens written so far; a whole answer is written at once, so until then it has none.
    pub(super) emitted: u64,
}

impl Serving {
    pub(super) fn new(shared: Arc<Shared>, ticket: Ticket) -> Serving {
        Serving { shared, ticket: Some(ticket), emitted: 0 }
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(super) fn end(&mut self, ending: Ending) {
        if let Some(ticket) = self.ticket.take() {
            let at_ns = self.shared.clock.now_ns();
            self.shared.cloud().finish(at_ns, ticket, self.emitted, ending);
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.end(Ending::Abandoned);
    }
}
