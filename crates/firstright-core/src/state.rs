//! What does the broker know? Plain values that `decide` reads and only [`crate::Broker::step`] changes.

mod asked;
mod expected;
mod open_call;
mod open_job;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

pub(crate) use self::asked::Asked;
pub(crate) use self::expected::Expected;
pub(crate) use self::open_call::{OpenCall, Serving, Tried};
pub(crate) use self::open_job::{Accepted, Lease, Offer, OpenJob, Pass};
use crate::accounts::Accounts;
use crate::capacity::{Capacity, Shortage, Why};
use crate::clause::{Clause, Measure};
use crate::fact::{LeaseId, OfferId};
use crate::ledger::Ledger;
use crate::plan::{Candidate, Plan};
use crate::queue::Queue;
use crate::retries::Retries;
use crate::title::{Evidence, Place};
use crate::units::{SECOND, Span, Timestamp};
use crate::workload::{CallId, JobId};
use crate::world::{ClauseId, DeploymentId, PartyId, ProviderId, World};

/// Everything that the broker knows.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub world: Arc<World>,
    pub deployments: Vec<Capacity>,
    pub pools: BTreeMap<(ProviderId, u16), PoolState>,
    pub providers: Vec<Standing>,
    pub calls: BTreeMap<CallId, OpenCall>,
    /// Calls that wait.
    pub queue: Queue,
    /// What was tried again, by tenant.
    pub retries: Vec<Retries>,
    pub jobs: BTreeMap<JobId, OpenJob>,
    /// Jobs that wait for room, in order of submission.
    pub waiting: BTreeSet<JobId>,
    pub offers: BTreeMap<OfferId, Offer>,
    pub leases: BTreeMap<LeaseId, Lease>,
    /// What falls due when.
    pub deadlines: BTreeSet<(Timestamp, Due)>,
    /// When room is looked for next for those who wait: there is one such deadline at a time.
    pub look: Option<Timestamp>,
    pub ledger: Ledger,
    pub accounts: Accounts,
    pub next_offer: u64,
    pub next_lease: u64,
}

/// What falls due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    /// A window's end.
    Offer(OfferId),
    /// The longest that a call may wait.
    Call(CallId),
    /// The time by which a job must have been placed.
    Job(JobId),
    /// Room is expected for those who wait.
    Room,
}

/// Accelerators of one kind at a provider.
#[derive(Clone, Debug)]
pub(crate) struct PoolState {
    /// How many there are.
    pub count: u32,
    /// How many of them we lease.
    pub leased: u32,
    /// How many the provider last said are free beside our leases; until it says, all that are not leased.
    pub declared: Option<u32>,
    /// When that was.
    pub declared_at: Option<Timestamp>,
}

/// How a provider has done, for probation.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Standing {
    pub good_runs: u32,
    pub calls: u32,
    pub accelerators: u32,
}

impl State {
    /// The state under a world, with nothing known yet.
    pub fn new(world: Arc<World>) -> State {
        let deployments = world.deployments.iter().map(|one| Capacity::new(one.capacity)).collect();
        let mut pools = BTreeMap::new();
        for (provider, id) in world.providers.iter().zip(0u16..) {
            for (pool, nth) in provider.pools.iter().zip(0u16..) {
                pools.insert(
                    (ProviderId(id), nth),
                    PoolState { count: pool.count, leased: 0, declared: None, declared_at: None },
                );
            }
        }
        State {
            deployments,
            pools,
            providers: vec![Standing::default(); world.providers.len()],
            calls: BTreeMap::new(),
            queue: Queue::default(),
            retries: vec![Retries::default(); world.tenants.len()],
            world,
            jobs: BTreeMap::new(),
            waiting: BTreeSet::new(),
            offers: BTreeMap::new(),
            leases: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            look: None,
            ledger: Ledger::default(),
            accounts: Accounts::default(),
            next_offer: 1,
            next_lease: 1,
        }
    }

    /// How much of what is asked the candidate has room for: 1 for a call; accelerators for a job.
    pub fn room(&self, at: Timestamp, candidate: &Candidate, asked: &Asked<'_>) -> Result<u32, Evidence> {
        let allowed = self.probation_room(candidate, asked)?;
        match (candidate.place, asked) {
            (Place::Deployment(id), Asked::Call { call, .. }) => self
                .call_room(at, id, call)
                .map(|()| allowed.min(1))
                .map_err(|short| Evidence::of_shortage(candidate.place, &short)),
            (Place::Pool(provider, nth), Asked::Job { .. }) => {
                let free = self.pools.get(&(provider, nth)).map_or(0, PoolState::free);
                Ok(free.min(allowed))
            }
            _ => Ok(0),
        }
    }

    /// Since when what is free at the place is known: a provider's last word, or what we lease ourselves.
    pub fn known_since(&self, at: Timestamp, place: Place) -> Timestamp {
        let Place::Pool(provider, nth) = place else { return at };
        self.pools.get(&(provider, nth)).and_then(|pool| pool.declared_at).unwrap_or(at)
    }

    /// What probation leaves. [AS-5] [AS-6]
    //= rights/assurance.md#AS-6
    pub fn probation_room(&self, candidate: &Candidate, asked: &Asked<'_>) -> Result<u32, Evidence> {
        let Some((clause, good_runs, calls, accelerators)) = candidate.probation else { return Ok(u32::MAX) };
        let standing = self.providers.get(candidate.provider.index()).copied().unwrap_or_default();
        if standing.good_runs >= good_runs {
            return Ok(u32::MAX);
        }
        let left = match asked {
            Asked::Call { .. } => calls.saturating_sub(standing.calls),
            Asked::Job { .. } => accelerators.saturating_sub(standing.accelerators),
        };
        if left < asked.min_chunk() { Err(Evidence::Probation { clause }) } else { Ok(left) }
    }

    /// Has the deployment room for the call, beside what is kept for those who wait before it?
    fn call_room(&self, at: Timestamp, id: DeploymentId, call: &OpenCall) -> Result<(), Shortage> {
        let Some(capacity) = self.deployments.get(id.index()) else { return Ok(()) };
        capacity.room(at, call.need(), &self.queue.ahead(at, call.line, id))
    }

    /// When room for a call is expected at the candidate.
    pub fn expected(&self, at: Timestamp, candidate: &Candidate, asked: &Asked<'_>) -> Expected {
        let (again, place) = (Timestamp::MAX, candidate.place);
        let never = Expected { again, place, alone: again, earliest: at };
        let (Place::Deployment(id), Asked::Call { call, .. }) = (place, asked) else { return never };
        match self.call_room(at, id, call) {
            Err(short) => Expected::of(at, place, &short),
            // It is probation that leaves no room.
            Ok(()) => {
                let again = at.plus(Span(SECOND));
                Expected { again, place, alone: again, earliest: at }
            }
        }
    }

    /// When room for a call is expected at the candidate, if it lacks nothing but that.
    pub fn only_full(&self, at: Timestamp, candidate: &Candidate, call: &OpenCall) -> Option<Expected> {
        let Place::Deployment(id) = candidate.place else { return None };
        let short = self.call_room(at, id, call).err().filter(|short| short.why() == Why::Full)?;
        Some(Expected::of(at, candidate.place, &short))
    }

    /// When the candidate is expected to have room, if it is nothing but full and that is before the call's patience ends.
    //= rights/first-refusal.md#FR-21
    //= rights/choosing.md#CH-20
    pub fn soon(&self, at: Timestamp, candidate: &Candidate, asked: &Asked<'_>) -> Option<Expected> {
        let (Place::Deployment(id), Asked::Call { call, patience, .. }) = (candidate.place, asked) else {
            return None;
        };
        if at >= *patience || self.probation_room(candidate, asked).is_err() {
            return None;
        }
        self.call_room(at, id, call).err().filter(|short| short.why() == Why::Full)?;
        Some(self.expected(at, candidate, asked)).filter(|expected| expected.again < *patience)
    }

    /// What shows that a deployment cannot serve such a call, its room aside.
    pub fn ails(&self, at: Timestamp, candidate: &Candidate, asked: &Asked<'_>) -> Option<Evidence> {
        let (Asked::Call { call, .. }, capacity) = (asked, self.health_of(candidate.place)?) else {
            return None;
        };
        let short = capacity.ails(at, call.need())?;
        Some(Evidence::of_shortage(candidate.place, &short))
    }

    /// What is known of a deployment.
    pub fn health_of(&self, place: Place) -> Option<&Capacity> {
        match place {
            Place::Deployment(id) => self.deployments.get(id.index()),
            Place::Pool(..) => None,
        }
    }

    /// Whose place it is.
    pub fn party_of(&self, place: Place) -> PartyId {
        let provider = match place {
            Place::Deployment(id) => self.world.deployment(id).provider,
            Place::Pool(provider, _) => provider,
        };
        self.world.provider(provider).party
    }

    /// Is the exclusivity suspended, because every deployment of its party that could serve has been down for so long?
    //= rights/exclusivity.md#EX-4
    pub fn outage(&self, at: Timestamp, clause: ClauseId, plan: &Plan) -> bool {
        let Clause::Exclusivity(exclusivity) = &self.world.clause(clause).clause else { return false };
        let Some(most) = exclusivity.outage else { return false };
        let mut own = plan.candidates.iter().filter(|one| one.party == exclusivity.party).peekable();
        let any = own.peek().is_some();
        let down = |candidate: &Candidate| match candidate.place {
            Place::Deployment(id) => self
                .deployments
                .get(id.index())
                .and_then(|capacity| capacity.down_since(at))
                .is_some_and(|since| at.since(since) >= most),
            Place::Pool(..) => false,
        };
        any && own.all(down)
    }

    /// The first commitment with the candidate's party that is not met in its period.
    //= rights/commitment.md#CO-2
    pub fn unmet(&self, at: Timestamp, candidate: &Candidate) -> Option<ClauseId> {
        candidate.commitments.iter().copied().find(|id| {
            let Clause::Commitment(clause) = &self.world.clause(*id).clause else { return false };
            // Work that cannot draw on a commitment does not help to meet it.
            let draws = match (clause.measure, candidate.place) {
                (Measure::Money, _) => true,
                (Measure::GpuHours, place) => matches!(place, Place::Pool(..)),
                (Measure::Tokens, place) => matches!(place, Place::Deployment(_)),
                (Measure::PtuHours, _) => false,
            };
            draws && self.ledger.drawn(*id, clause, at) < clause.amount
        })
    }
}

impl PoolState {
    /// Accelerators that can be leased now.
    //= rights/capacity.md#CA-9
    pub fn free(&self) -> u32 {
        let unleased = self.count.saturating_sub(self.leased);
        self.declared.map_or(unleased, |declared| declared.min(unleased))
    }
}
