//! What is known of a call that has no outcome yet?

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::fact::Failure;
use crate::plan::Plan;
use crate::queue::Line;
use crate::title::Place;
use crate::units::Timestamp;
use crate::workload::{Call, CallId};
use crate::world::{DeploymentId, ModelId};

/// A call between arrival and its one outcome.
#[derive(Clone, Debug)]
pub(crate) struct OpenCall {
    pub call: Call,
    pub arrived: Timestamp,
    pub tried: Vec<Tried>,
    pub serving: Option<Serving>,
    pub attempts: u32,
    /// Its place in the order, if others waited when it came or it waits itself.
    pub line: Option<Line>,
    /// The call beside which it is a second attempt, and where that one was served when this one came.
    pub beside: Option<(CallId, Place)>,
    /// The second attempt that was made beside it.
    pub hedge: Option<CallId>,
}

/// A failed attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tried {
    pub place: Place,
    pub at: Timestamp,
    pub failure: Failure,
}

/// Where a call is being served.
#[derive(Clone, Debug)]
pub(crate) struct Serving {
    pub deployment: DeploymentId,
    pub model: ModelId,
    pub reserved: u64,
    pub since: Timestamp,
    pub plan: Arc<Plan>,
    /// Its place in the plan's candidates.
    pub candidate: usize,
    /// Its first byte was counted as late while it was awaited.
    pub late: bool,
}

impl OpenCall {
    /// A call that arrived just now.
    pub fn new(at: Timestamp, call: &Call) -> OpenCall {
        OpenCall {
            call: call.clone(),
            arrived: at,
            tried: Vec::new(),
            serving: None,
            attempts: 0,
            line: None,
            beside: None,
            hedge: None,
        }
    }

    /// A second attempt that begins just now beside the first: where that one failed before, this one is not sent either.
    pub fn second(at: Timestamp, call: &Call, first: &OpenCall) -> OpenCall {
        let place = first.serving.as_ref().map(|serving| Place::Deployment(serving.deployment));
        OpenCall {
            tried: first.tried.clone(),
            attempts: first.attempts,
            beside: place.map(|place| (first.call.id, place)),
            ..OpenCall::new(at, call)
        }
    }

    /// Tokens that it reserves.
    pub fn need(&self) -> u64 {
        self.call.input.saturating_add(self.call.max_output)
    }
}
