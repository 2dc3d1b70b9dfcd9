//! Should a load balancer send anything here?

use std::sync::atomic::{AtomicBool, Ordering};

use http::{Response, StatusCode};

use crate::answer::Answer;
use crate::relay::Reply;

/// Whether new work is wanted. Alive is another question: a process that drains is alive.
#[derive(Debug, Default)]
pub struct Readiness {
    draining: AtomicBool,
    stuck: AtomicBool,
}

/// Why no new work is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotReady {
    /// It was asked to stop.
    Draining,
    /// The journal's folder takes no writes, or the journal does not come forward.
    Stuck,
}

impl NotReady {
    /// For whoever asks.
    pub fn text(self) -> &'static str {
        match self {
            NotReady::Draining => "draining",
            NotReady::Stuck => "the journal cannot be written",
        }
    }
}

impl Readiness {
    /// From now on no new work is wanted: the process stops.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Whether the journal can be written.
    pub fn stuck(&self, stuck: bool) {
        self.stuck.store(stuck, Ordering::Release);
    }

    /// 200 while new work is wanted, else 503 with the reason.
    pub(crate) fn answer(&self) -> Answer {
        let Err(why) = self.check() else { return Response::new(Reply::whole("ready\n")) };
        let mut answer = Response::new(Reply::whole(format!("{}\n", why.text())));
        *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        answer
    }

    /// Is new work wanted?
    ///
    /// # Errors
    /// With the reason why not.
    pub fn check(&self) -> Result<(), NotReady> {
        if self.draining.load(Ordering::Acquire) {
            Err(NotReady::Draining)
        } else if self.stuck.load(Ordering::Acquire) {
            Err(NotReady::Stuck)
        } else {
            Ok(())
        }
    }
}
