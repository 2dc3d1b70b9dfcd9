//! How are jobs, offers and leases shown? In names and words, so that nobody needs the world to read them.

use firstright_core::fact::{LeaseId, OfferId, Terms};
use firstright_core::show;
use firstright_core::units::Money;
use firstright_core::workload::JobId;
use firstright_core::world::World;
use serde::{Deserialize, Serialize};

use super::{Board, JobEntry, LeaseEntry, OfferEntry, OfferState};

/// A job as it is shown. Times are RFC 3339 in UTC, sums carry their currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct JobView {
    /// Its number.
    pub id: u64,
    /// What its owner calls it.
    pub name: String,
    /// Whose it is.
    pub tenant: String,
    /// What it is for.
    pub purpose: String,
    /// `submitted`, `offered`, `waiting`, `starting`, `running`, `completed`, `failed`, `cancelled` or `refused`.
    pub state: String,
    /// Accelerators wanted.
    pub count: u32,
    /// When it was submitted.
    pub submitted: String,
    /// By when it must have been placed.
    pub deadline: Option<String>,
    /// The most that it may cost.
    pub budget: Option<String>,
    /// Accelerator-seconds metered, on all its leases.
    pub accelerator_seconds: u64,
    /// What is owed for them so far; `None` while no part of it is priced.
    pub cost: Option<String>,
    /// Its leases, in order.
    pub leases: Vec<LeaseView>,
    /// Its offers, in order.
    pub offers: Vec<OfferView>,
    /// What was decided, in words, each after the number of its record: the newest last.
    pub why: Vec<String>,
}

/// A lease as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LeaseView {
    /// Its number.
    pub id: u64,
    /// `provider/accelerator`.
    pub place: String,
    /// Accelerators.
    pub count: u32,
    /// Per accelerator-hour.
    pub hour: Option<String>,
    /// `starting`, `running`, or how it ended.
    pub state: String,
    /// Which piece of the job, from 0.
    pub piece: u32,
    /// Which attempt at the piece, from 1.
    pub attempt: u32,
    /// The lease whose checkpoint it went on from.
    pub resumes: Option<u64>,
    /// What its engine calls it.
    pub engine: String,
    /// Accelerator-seconds metered.
    pub accelerator_seconds: u64,
    /// What is owed for them.
    pub cost: Option<String>,
    /// By what title, and why here.
    pub why: Vec<String>,
    /// What keeps it from starting.
    pub problem: Option<String>,
}

/// An offer as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct OfferView {
    /// Its number.
    pub id: u64,
    /// For which job.
    pub job: u64,
    /// What the job is called.
    pub name: String,
    /// To whom.
    pub holder: String,
    /// By which right: `agreement/clause`.
    pub clause: String,
    /// The terms.
    pub terms: TermsView,
    /// Its window's end.
    pub until: String,
    /// `open`, `countered`, `accepted`, `accepted in part`, `declined`, `lapsed` or `withdrawn`.
    pub state: String,
    /// The holder's counter, while it is not answered.
    pub counter: Option<TermsView>,
    /// What the holder said with its answer.
    pub answer: Option<String>,
}

/// Terms as they are shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TermsView {
    /// Accelerators.
    pub count: u32,
    /// Per accelerator-hour.
    pub hour: Option<String>,
    /// For how long.
    pub duration: String,
}

impl Board {
    /// Every job, by number.
    pub fn jobs(&self, world: &World) -> Vec<JobView> {
        self.jobs.iter().map(|(id, job)| self.job_view(world, *id, job, false)).collect()
    }

    /// One job, with its leases, offers and reasons.
    pub fn job(&self, world: &World, id: JobId) -> Option<JobView> {
        self.jobs.get(&id).map(|job| self.job_view(world, id, job, true))
    }

    /// Every offer, by number.
    pub fn offers(&self, world: &World) -> Vec<OfferView> {
        self.offers.iter().map(|(id, offer)| self.offer_view(world, *id, offer)).collect()
    }

    /// A job's lease with its piece: the one named, or the newest. With it, whether the lease is over and the job.
    pub(crate) fn lease_for_log(&self, job: JobId, lease: Option<LeaseId>) -> Option<(LeaseId, u32, bool)> {
        let entry = self.jobs.get(&job)?;
        let id = match lease {
            Some(lease) => *entry.leases.iter().find(|one| **one == lease)?,
            None => *entry.leases.last()?,
        };
        let lease = self.leases.get(&id)?;
        Some((id, lease.piece, lease.ending.is_some()))
    }

    fn job_view(&self, world: &World, id: JobId, entry: &JobEntry, whole: bool) -> JobView {
        let leases = || entry.leases.iter().filter_map(|id| self.leases.get(id).map(|lease| (*id, lease)));
        let offers = || entry.offers.iter().filter_map(|id| self.offers.get(id).map(|offer| (*id, offer)));
        let costs = leases().filter_map(|(_, lease)| lease.cost);
        let cost = costs.reduce(Money::plus);
        let job = &entry.job;
        JobView {
            id: id.0,
            name: job.name.clone(),
            tenant: world.tenants.get(job.tenant.index()).map_or(String::new(), |tenant| tenant.id.clone()),
            purpose: job.purpose.word().to_string(),
            state: self.state(entry).to_string(),
            count: job.count,
            submitted: entry.submitted.to_string(),
            deadline: job.deadline.map(|deadline| deadline.to_string()),
            budget: job.budget.map(|budget| show::money(world, Some(budget))),
            accelerator_seconds: leases().map(|(_, lease)| lease.accelerator_seconds).sum(),
            cost: cost.map(|cost| show::money(world, Some(cost))),
            leases: leases().filter(|_| whole).map(|(id, lease)| lease_view(world, id, lease)).collect(),
            offers: offers().filter(|_| whole).map(|(id, offer)| self.offer_view(world, id, offer)).collect(),
            why: entry.why.iter().filter(|_| whole).map(|(seq, why)| format!("{seq}: {why}")).collect(),
        }
    }

    fn state(&self, entry: &JobEntry) -> &'static str {
        if self.over(entry) {
            return match entry.completed {
                Some(true) => "completed",
                _ if entry.cancelled => "cancelled",
                _ if entry.refused.is_some() => "refused",
                _ => "failed",
            };
        }
        let open =
            || entry.leases.iter().filter_map(|id| self.leases.get(id)).filter(|one| one.ending.is_none());
        let offered = entry.offers.iter().any(|id| self.offers.get(id).is_some_and(OfferEntry::is_open));
        if open().any(|lease| lease.started) {
            "running"
        } else if open().next().is_some() {
            "starting"
        } else if offered {
            "offered"
        } else if entry.held {
            "waiting"
        } else {
            "submitted"
        }
    }

    fn offer_view(&self, world: &World, id: OfferId, offer: &OfferEntry) -> OfferView {
        let state = match offer.state {
            OfferState::Open if offer.counter.is_some() => "countered",
            OfferState::Open => "open",
            OfferState::Accepted => "accepted",
            OfferState::Part => "accepted in part",
            OfferState::Declined => "declined",
            OfferState::Lapsed => "lapsed",
            OfferState::Withdrawn => "withdrawn",
        };
        OfferView {
            id: id.0,
            job: offer.job.0,
            name: self.jobs.get(&offer.job).map_or(String::new(), |job| job.job.name.clone()),
            holder: world.party(offer.holder).id.clone(),
            clause: world.cite(offer.clause),
            terms: terms_view(world, &offer.terms),
            until: offer.until.to_string(),
            state: state.to_string(),
            counter: offer.counter.map(|terms| terms_view(world, &terms)),
            answer: offer.answer.clone(),
        }
    }
}

impl OfferEntry {
    fn is_open(&self) -> bool {
        self.state == OfferState::Open
    }
}

fn lease_view(world: &World, id: LeaseId, lease: &LeaseEntry) -> LeaseView {
    let state = match &lease.ending {
        Some(ending) => ending.clone(),
        None if lease.started => "running".to_string(),
        None => "starting".to_string(),
    };
    LeaseView {
        id: id.0,
        place: show::place(world, lease.place),
        count: lease.count,
        hour: lease.hour.map(|hour| show::money(world, Some(hour))),
        state,
        piece: lease.piece,
        attempt: lease.attempt,
        resumes: lease.resumes.map(|lease| lease.0),
        engine: lease.engine.clone(),
        accelerator_seconds: lease.accelerator_seconds,
        cost: lease.cost.map(|cost| show::money(world, Some(cost))),
        why: lease.why.clone(),
        problem: lease.problem.clone(),
    }
}

fn terms_view(world: &World, terms: &Terms) -> TermsView {
    TermsView {
        count: terms.count,
        hour: terms.hour.map(|hour| show::money(world, Some(hour))),
        duration: terms.duration.to_string(),
    }
}
