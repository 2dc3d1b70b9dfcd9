//! What does the broker know? Plain values that `decide` reads and only [`crate::Broker::step`] changes.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use crate::accounts::Accounts;
use crate::capacity::{Capacity, Shortage, Why};
use crate::clause::{Clause, Measure};
use crate::decision::Ground;
use crate::fact::{Failure, FailureKind, LeaseId, OfferId, Terms};
use crate::ledger::Ledger;
use crate::plan::{Candidate, Plan, lease_cost};
use crate::queue::{Line, Queue};
use crate::retries::Retries;
use crate::title::{Evidence, Place, Title};
use crate::units::{Money, SECOND, Span, Timestamp};
use crate::workload::{Call, CallId, Job, JobId, View};
use crate::world::{ClauseId, DeploymentId, ModelId, PartyId, ProviderId, World};

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

/// When room for a call is expected somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Expected {
    /// When, with those that wait there before it.
    pub again: Timestamp,
    pub place: Place,
    /// When, if those do not take it.
    pub alone: Timestamp,
    /// Before this there cannot be any.
    pub earliest: Timestamp,
}

impl Expected {
    /// What a shortage says.
    fn of(at: Timestamp, place: Place, short: &Shortage) -> Expected {
        let earliest = if short.is_no_sooner() { short.again() } else { at };
        Expected { again: short.again(), place, alone: short.alone(), earliest }
    }

    /// The best of both.
    pub fn or(self, other: Expected) -> Expected {
        let first = self.min(other);
        Expected { alone: self.alone.min(other.alone), earliest: self.earliest.min(other.earliest), ..first }
    }
}

/// Whose placement is asked about.
pub(crate) enum Asked<'a> {
    Call {
        call: &'a OpenCall,
        model: ModelId,
        /// Until when it waits for the one that it would rather have.
        patience: Timestamp,
    },
    Job {
        job: &'a OpenJob,
    },
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

impl PoolState {
    /// Accelerators that can be leased now.
    //= rights/capacity.md#CA-9
    pub fn free(&self) -> u32 {
        let unleased = self.count.saturating_sub(self.leased);
        self.declared.map_or(unleased, |declared| declared.min(unleased))
    }
}

impl Asked<'_> {
    /// What the law sees of it.
    pub fn view<'s>(&'s self, state: &'s State) -> View<'s> {
        match self {
            Asked::Call { call, model, .. } => View::of_call(&state.world, &call.call, *model),
            Asked::Job { job } => View::of_job(&state.world, &job.job),
        }
    }

    /// What a job that lost its provider has still to run.
    pub fn emergency(&self) -> Option<Span> {
        match self {
            Asked::Job { job } if !job.lost.is_empty() => Some(job.left),
            _ => None,
        }
    }

    /// Accelerators wanted; 1 for a call.
    pub fn count(&self) -> u32 {
        match self {
            Asked::Call { .. } => 1,
            Asked::Job { job } => job.unplaced,
        }
    }

    /// The smallest piece that will do.
    //= rights/choosing.md#CH-10
    pub fn min_chunk(&self) -> u32 {
        match self {
            Asked::Call { .. } => 1,
            Asked::Job { job } => job.job.min_chunk.clamp(1, job.unplaced.max(1)),
        }
    }

    /// How many of so many free ones can be taken as one piece: all that is asked, or a part that leaves a rest which is
    /// large enough itself.
    //= rights/choosing.md#CH-10
    pub fn piece(&self, free: u32) -> Option<u32> {
        let (all, least) = (self.count(), self.min_chunk());
        if free >= all {
            return Some(all);
        }
        let part = free.min(all.saturating_sub(least));
        (part >= least).then_some(part)
    }

    /// How long it will run.
    pub fn duration(&self) -> Span {
        match self {
            Asked::Call { .. } => Span(0),
            Asked::Job { job } => job.left,
        }
    }

    /// Was the place tried for this workload, and did it fail?
    //= rights/choosing.md#CH-11
    pub fn tried(&self, candidate: &Candidate) -> bool {
        match self {
            Asked::Call { call, .. } => {
                let failed =
                    |one: &Tried| one.place == candidate.place && one.failure.kind != FailureKind::Throttled;
                call.tried.iter().any(failed)
            }
            Asked::Job { job } => job.lost.contains(&candidate.provider),
        }
    }

    /// Does the place serve the first attempt, beside which this is a second?
    pub fn is_beside(&self, candidate: &Candidate) -> bool {
        matches!(self, Asked::Call { call, .. } if call.beside.is_some_and(|(_, place)| place == candidate.place))
    }

    /// The failed attempts, at one party or at all.
    pub fn failures(&self, party: Option<PartyId>, state: &State) -> Vec<Evidence> {
        match self {
            Asked::Call { call, .. } => {
                let of = call
                    .tried
                    .iter()
                    .filter(|one| party.is_none_or(|party| state.party_of(one.place) == party));
                of.map(|one| Evidence::Failed {
                    place: one.place,
                    kind: one.failure.kind,
                    status: one.failure.status,
                    at: one.at,
                    evidence: one.failure.evidence,
                })
                .collect()
            }
            Asked::Job { job } => {
                let of = job
                    .lost
                    .iter()
                    .filter(|lost| party.is_none_or(|party| state.world.provider(**lost).party == party));
                of.map(|provider| Evidence::Lost { provider: *provider }).collect()
            }
        }
    }

    /// If every attempt was throttled, but for those that it did not suit: the shortest wait that was asked for.
    pub fn throttled(&self) -> Option<Span> {
        let Asked::Call { call, .. } = self else { return None };
        let mut tried =
            call.tried.iter().filter(|one| one.failure.kind != FailureKind::Unsuitable).peekable();
        tried.peek()?;
        tried.try_fold(Span(u64::MAX), |least, one| {
            let wait = one.failure.retry_after.unwrap_or(Span(SECOND));
            (one.failure.kind == FailureKind::Throttled).then_some(least.min(wait))
        })
    }

    /// Was it tried, and did it suit nobody?
    //= rights/choosing.md#CH-15
    pub fn unsuitable(&self) -> bool {
        let Asked::Call { call, .. } = self else { return false };
        !call.tried.is_empty() && call.tried.iter().all(|one| one.failure.kind == FailureKind::Unsuitable)
    }

    /// What the holder under this clause has taken of it.
    pub fn accepted(&self, clause: ClauseId) -> Option<&Accepted> {
        match self {
            Asked::Call { .. } => None,
            Asked::Job { job } => job.accepted.as_ref().filter(|accepted| accepted.clause == clause),
        }
    }

    /// Is an offer by this clause open for it?
    pub fn offered(&self, clause: ClauseId) -> bool {
        matches!(self, Asked::Job { job } if job.offer.is_some_and(|(_, open)| open == clause))
    }

    /// Has the holder under this clause been offered it, or taken it?
    pub fn pending(&self, clause: ClauseId) -> bool {
        self.offered(clause) || self.accepted(clause).is_some()
    }

    /// The release of a right for it.
    pub fn release(&self, clause: ClauseId) -> Option<&Pass> {
        match self {
            Asked::Call { .. } => None,
            Asked::Job { job } => job.passes.get(&clause),
        }
    }

    /// What it is expected to cost there, to compare: money for a job; for a call nano-units times a million.
    //= rights/price.md#PR-5
    pub fn price(&self, candidate: &Candidate) -> Option<i128> {
        match self {
            Asked::Call { call, .. } => {
                let Call { input, max_output, tier, .. } = call.call;
                let rates = candidate.rates_for(tier, input)?;
                // A kind of token that has no price here is not expected: embeddings have no output.
                let of = |rate: Option<Money>, many: u64| {
                    rate.unwrap_or(Money::ZERO).0.saturating_mul(i128::from(many))
                };
                let tokens = of(rates.input, input).saturating_add(of(rates.output, max_output));
                Some(tokens.saturating_add(of(rates.request, 1_000_000)))
            }
            Asked::Job { job } => {
                let hour = candidate.hour?;
                Some(lease_cost(hour, job.unplaced, job.left.0.div_euclid(SECOND)).0)
            }
        }
    }
}
