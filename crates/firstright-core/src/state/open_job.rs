//! What is known of a job that has not ended, of its offers and its leases?

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::decision::Ground;
use crate::fact::{LeaseId, OfferId, Terms};
use crate::plan::{Candidate, Plan};
use crate::title::{Evidence, Title};
use crate::units::{Money, Span, Timestamp};
use crate::workload::{Job, JobId};
use crate::world::{ClauseId, PartyId, ProviderId};

/// A job between submission and its end.
#[derive(Clone, Debug)]
pub(crate) struct OpenJob {
    pub job: Job,
    /// Accelerators not placed yet.
    pub unplaced: u32,
    /// What is left to run of the part that is not placed.
    pub left: Span,
    /// Releases of rights for this job.
    pub passes: BTreeMap<ClauseId, Pass>,
    /// The one open offer.
    pub offer: Option<(OfferId, ClauseId)>,
    /// Firm quotes: (provider, price, until).
    pub quotes: Vec<(ProviderId, Money, Timestamp)>,
    /// Providers that lost it.
    pub lost: Vec<ProviderId>,
    /// The lease that the unplaced part last ran on.
    pub resumes: Option<LeaseId>,
    /// Leases in force.
    pub leases: Vec<LeaseId>,
    pub resumptions: u32,
    pub failed: bool,
    /// It was cancelled or failed: what still runs is being stopped, and nothing of it is started again.
    pub stopped: bool,
    /// What the holder asked last took, until it is placed.
    pub accepted: Option<Accepted>,
}

/// A holder took the work, or a part of it.
#[derive(Clone, Debug)]
pub(crate) struct Accepted {
    pub clause: ClauseId,
    pub count: u32,
    pub hour: Option<Money>,
    pub ground: Ground,
    /// When the holder was asked.
    pub asked: Timestamp,
}

/// A right released for a job.
#[derive(Clone, Debug)]
pub(crate) struct Pass {
    pub evidence: Evidence,
    /// When the release runs out.
    pub until: Timestamp,
    /// The price that the holder let pass.
    pub hour: Option<Money>,
}

/// An offer that is open.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    pub job: JobId,
    pub clause: ClauseId,
    pub holder: PartyId,
    pub terms: Terms,
    pub made: Timestamp,
    pub until: Timestamp,
    /// Terms that the holder proposed and the operator has not answered.
    pub counter: Option<Terms>,
}

/// A job's placement in force.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    pub job: JobId,
    pub candidate: Candidate,
    pub plan: Arc<Plan>,
    pub count: u32,
    pub hour: Option<Money>,
    pub title: Title,
    /// Left to run when it began.
    pub duration: Span,
    pub accelerator_seconds: u64,
}

impl OpenJob {
    /// A job of which nothing is placed yet.
    pub fn new(job: &Job) -> OpenJob {
        OpenJob {
            job: job.clone(),
            unplaced: job.count,
            left: job.duration,
            passes: BTreeMap::new(),
            offer: None,
            quotes: Vec::new(),
            lost: Vec::new(),
            resumes: None,
            leases: Vec::new(),
            resumptions: 0,
            failed: false,
            stopped: false,
            accepted: None,
        }
    }
}
