//! What is known of jobs, offers and leases? A read model of facts and decisions: it can be rebuilt from the journal at
//! any time, and nothing is decided from it.

mod apply;
mod view;

use std::collections::BTreeMap;

use firstright_core::decision::Decision;
use firstright_core::fact::{Fact, LeaseId, OfferId, Terms};
use firstright_core::title::Place;
use firstright_core::units::{Money, Timestamp};
use firstright_core::workload::{Job, JobId};
use firstright_core::world::{ClauseId, PartyId, ProviderId, World};

pub(crate) use apply::refused;
pub use view::{JobView, LeaseView, OfferView, TermsView};

/// Jobs that are over and still shown; older ones stand in the journal.
const MAX_OVER: usize = 10_000;
/// Reasons kept for one job, the newest: a job that fails over and over has one for each time.
const MAX_WHY: usize = 64;

/// The read model.
#[derive(Clone, Debug, Default)]
pub struct Board {
    jobs: BTreeMap<JobId, JobEntry>,
    offers: BTreeMap<OfferId, OfferEntry>,
    leases: BTreeMap<LeaseId, LeaseEntry>,
    /// Jobs that are over, oldest first.
    over: std::collections::VecDeque<JobId>,
}

#[derive(Clone, Debug)]
struct JobEntry {
    job: Job,
    submitted: Timestamp,
    leases: Vec<LeaseId>,
    offers: Vec<OfferId>,
    pieces: u32,
    held: bool,
    cancelled: bool,
    refused: Option<String>,
    completed: Option<bool>,
    why: std::collections::VecDeque<(u64, String)>,
}

#[derive(Clone, Debug)]
struct OfferEntry {
    job: JobId,
    holder: PartyId,
    clause: ClauseId,
    terms: Terms,
    until: Timestamp,
    state: OfferState,
    counter: Option<Terms>,
    answer: Option<String>,
}

/// Where an offer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OfferState {
    Open,
    Accepted,
    Part,
    Declined,
    Lapsed,
    Withdrawn,
}

/// What the dispatcher needs to know of a lease.
#[derive(Clone, Debug)]
pub(crate) struct LeaseEntry {
    pub(crate) job: JobId,
    pub(crate) place: Place,
    pub(crate) count: u32,
    /// Which piece of a split job it runs, from 0: each has a checkpoint of its own.
    pub(crate) piece: u32,
    /// How many times the piece has been begun, this one included.
    pub(crate) attempt: u32,
    pub(crate) started: bool,
    /// The core wants it stopped.
    pub(crate) cancelled: bool,
    pub(crate) accelerator_seconds: u64,
    hour: Option<Money>,
    resumes: Option<LeaseId>,
    continued: bool,
    engine: String,
    ending: Option<String>,
    cost: Option<Money>,
    why: Vec<String>,
    problem: Option<String>,
}

impl LeaseEntry {
    /// Is it over?
    pub(crate) fn ended(&self) -> bool {
        self.ending.is_some()
    }

    /// The provider whose capacity it is.
    pub(crate) fn provider(&self, world: &World) -> ProviderId {
        match self.place {
            Place::Pool(provider, _) => provider,
            Place::Deployment(deployment) => world.deployment(deployment).provider,
        }
    }
}

impl Board {
    /// Takes a record: a fact, and all that followed.
    pub fn record(&mut self, world: &World, seq: u64, at: Timestamp, fact: &Fact, decisions: &[Decision]) {
        self.fact(at, fact, decisions);
        for decision in decisions {
            self.decision(world, seq, decision);
        }
    }

    /// The lease, if its job is still shown.
    pub(crate) fn lease(&self, id: LeaseId) -> Option<&LeaseEntry> {
        self.leases.get(&id)
    }

    /// The job, if it is still shown.
    pub(crate) fn job_of(&self, id: JobId) -> Option<&Job> {
        self.jobs.get(&id).map(|entry| &entry.job)
    }

    /// Is an offer of that number known?
    pub(crate) fn knows_offer(&self, id: OfferId) -> bool {
        self.offers.contains_key(&id)
    }

    /// The terms of an offer.
    pub(crate) fn offered(&self, id: OfferId) -> Option<Terms> {
        self.offers.get(&id).map(|offer| offer.terms)
    }

    /// Is the job over?
    pub(crate) fn is_over(&self, id: JobId) -> bool {
        self.jobs.get(&id).is_some_and(|job| self.over(job))
    }

    /// The newest job, and whether it has this name: for a job file that was staged and not named.
    pub(crate) fn newest(&self) -> Option<&Job> {
        self.jobs.values().next_back().map(|entry| &entry.job)
    }

    /// What keeps a lease from being started, in words; `None` when nothing does any more.
    pub(crate) fn set_problem(&mut self, lease: LeaseId, problem: Option<String>) {
        if let Some(entry) = self.leases.get_mut(&lease) {
            entry.problem = problem;
        }
    }

    fn over(&self, job: &JobEntry) -> bool {
        let ended = |id: &LeaseId| self.leases.get(id).is_none_or(|lease| lease.ending.is_some());
        job.completed.is_some() || (job.refused.is_some() && job.leases.iter().all(ended))
    }
}
