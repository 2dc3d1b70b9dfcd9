//! What follows from each fact, in order? The broker holds the state, and [`Broker::step`] is the only thing that
//! changes it. Its parts: `enact` (the law), `calls`, `waiting` and `hedges`, `jobs` (submission to end), `offers` (answers), `books`
//! (metering into the ledger).

mod accounts;
mod books;
mod calls;
mod enact;
mod hedges;
mod jobs;
mod offers;
mod waiting;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use crate::account::AccountId;
use crate::capacity::CapacityView;
use crate::decision::{Action, Decision, Ground};
use crate::fact::{Fact, LeaseId};
use crate::plan::{self, Plan};
use crate::queue::QueueView;
use crate::state::{Due, State};
use crate::title::Place;
use crate::units::Timestamp;
use crate::workload::{JobId, View};
use crate::world::{DeploymentId, ModelId, ProviderId, TenantId, World};

pub use calls::MAX_ATTEMPTS;
pub use jobs::MAX_RESUMPTIONS;

/// The plans kept at most; a world has few kinds of calls, and a caller cannot make more than tenants × models ×
/// regions × homes of them.
const MAX_PLANS: usize = 4_096;

/// What calls must have in common to share a plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct PlanKey {
    tenant: TenantId,
    model: ModelId,
    region: Option<String>,
    home: Option<ProviderId>,
    trains: bool,
    runs: Option<ModelId>,
    /// The key, if it may be served in some regions only.
    key: Option<AccountId>,
}

/// The decision core: facts in, decisions out.
#[derive(Clone, Debug, Default)]
pub struct Broker {
    pub(crate) state: Option<State>,
    plans: BTreeMap<PlanKey, Arc<Plan>>,
    plans_until: Timestamp,
    record: u64,
    last: Timestamp,
}

impl Broker {
    /// A broker without a law: until one is enacted, nothing may be placed.
    pub fn new() -> Broker {
        Broker::default()
    }

    /// Takes a fact and says what follows. `at` must be later than that of the fact before: the engine stamps it.
    /// Deadlines that have passed by then are dealt with first.
    ///
    /// # Panics
    /// If time does not rise, which is a bug of the shell.
    pub fn step(&mut self, at: Timestamp, fact: &Fact) -> Vec<Decision> {
        assert!(at > self.last, "time must rise from fact to fact");
        self.last = at;
        self.record = self.record.saturating_add(1);
        let mut out = Vec::with_capacity(1);
        self.due(at, &mut out);
        self.balance(at, &Fact::Ticked, &mut out);
        match fact {
            Fact::Enacted { sources } => self.enact(at, sources, &mut out),
            Fact::Ticked => {}
            Fact::CallArrived(call) => self.call_arrived(at, call, &mut out),
            Fact::AttemptFailed { call, failure } => self.attempt_failed(at, *call, failure, &mut out),
            Fact::CallSettled { call, usage, tier, source: _, ending, first_byte, observed, ran } => {
                let (first_byte, observed) = (*first_byte, observed.as_ref());
                self.call_settled(at, *call, (usage, *tier, *ran), *ending, first_byte, observed, &mut out);
            }
            Fact::AnswerAwaited { call, waited } => self.answer_awaited(at, *call, *waited, &mut out),
            Fact::CallAbandoned { call } => self.call_abandoned(*call, &mut out),
            Fact::CapacityObserved { deployment, observation } => {
                self.capacity_observed(at, *deployment, observation, &mut out);
            }
            Fact::JobSubmitted(job) => self.job_submitted(at, job, &mut out),
            Fact::Answered { offer, by, answer } => self.answered(at, *offer, *by, answer, &mut out),
            Fact::CounterAnswered { offer, agreed } => self.counter_answered(at, *offer, *agreed, &mut out),
            Fact::Quoted { job, provider, hour, until } => {
                self.quoted(at, *job, *provider, *hour, *until, &mut out);
            }
            Fact::PoolDeclared { provider, accelerator, free } => {
                self.pool_declared(at, *provider, accelerator, *free, &mut out);
            }
            Fact::LeaseStarted { lease, engine: _ } => self.lease_started(*lease, &mut out),
            Fact::LeaseMetered { lease, accelerator_seconds } => {
                self.lease_metered(at, *lease, *accelerator_seconds, &mut out);
            }
            Fact::LeaseEnded { lease, ending, accelerator_seconds } => {
                self.lease_ended(at, *lease, *ending, *accelerator_seconds, &mut out);
            }
            Fact::JobCancelled { job } => self.job_cancelled(*job, &mut out),
            Fact::AccountSet { account } => self.account_set(account, &mut out),
            Fact::KeyRotated { account, digest, grace } => {
                self.key_rotated(at, account, *digest, *grace, &mut out);
            }
            Fact::AccountClosed { account } => self.account_closed(at, account, &mut out),
        }
        self.balance(at, fact, &mut out);
        out
    }

    /// When the next deadline falls due: the engine submits [`Fact::Ticked`] then, unless another fact comes first.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.state.as_ref()?.deadlines.first().map(|(at, _)| *at)
    }

    /// The law in force.
    pub fn world(&self) -> Option<&Arc<World>> {
        self.state.as_ref().map(|state| &state.world)
    }

    /// How many facts it has taken.
    pub fn records(&self) -> u64 {
        self.record
    }

    /// The time of the last fact.
    pub fn last(&self) -> Timestamp {
        self.last
    }

    /// Calls that are open, and whether each is being served: what a restart must settle.
    pub fn open_calls(&self) -> impl Iterator<Item = (&crate::workload::Call, bool)> {
        let calls = self.state.iter().flat_map(|state| state.calls.values());
        calls.map(|open| (&open.call, open.serving.is_some()))
    }

    /// Is a provider serving the call?
    pub fn is_serving(&self, call: crate::workload::CallId) -> bool {
        let open = self.state.as_ref().and_then(|state| state.calls.get(&call));
        open.is_some_and(|open| open.serving.is_some())
    }

    /// Leases in force: (lease, job, place, accelerators).
    pub fn open_leases(&self) -> impl Iterator<Item = (LeaseId, JobId, Place, u32)> {
        let leases = self.state.iter().flat_map(|state| state.leases.iter());
        leases.map(|(id, lease)| (*id, lease.job, lease.candidate.place, lease.count))
    }

    /// How every deployment stands: its room, its health, who waits for it.
    pub fn capacities(&self, at: Timestamp) -> Vec<CapacityView> {
        let Some(state) = self.state.as_ref() else { return Vec::new() };
        let known = state.deployments.iter().zip(0u16..);
        known
            .map(|(one, id)| one.view(at, DeploymentId(id), state.queue.waiting_for(DeploymentId(id))))
            .collect()
    }

    /// The deployments that may serve a tenant's calls at that time, by the models that it may call. What a call itself
    /// adds (a region, a home, its key) narrows them.
    pub fn places_of(&self, tenant: TenantId, at: Timestamp) -> Vec<(ModelId, Vec<DeploymentId>)> {
        let Some(state) = self.state.as_ref() else { return Vec::new() };
        let world = &state.world;
        let mut places = Vec::new();
        for name in world.names_of_models() {
            let Some(model) = world.find_model(name) else { continue };
            if !crate::scope::any(&world.tenant(tenant).models, name) {
                continue;
            }
            let call = crate::workload::Call::new(crate::workload::CallId(0), tenant, model, 0, 0);
            let plan = plan::for_calls(world, at, &View::of_call(world, &call, model), model);
            let may = plan.candidates.iter().filter_map(|one| match one.place {
                Place::Deployment(id) => Some(id),
                Place::Pool(..) => None,
            });
            places.push((model, may.collect()));
        }
        places
    }

    /// Those who wait, by class, the first served first. Looks at each: for those who watch, not for every call.
    pub fn queues(&self) -> Vec<QueueView> {
        let Some(state) = self.state.as_ref() else { return Vec::new() };
        state.queue.views().to_vec()
    }

    /// Does what fell due before `at`, in order of time.
    fn due(&mut self, at: Timestamp, out: &mut Vec<Decision>) {
        loop {
            let Some(state) = self.state.as_mut() else { return };
            let Some((time, due)) = state.deadlines.first().copied() else { return };
            if time > at {
                return;
            }
            state.deadlines.remove(&(time, due));
            match due {
                Due::Offer(offer) => self.window_ended(at, offer, out),
                Due::Call(call) => self.wait_ended(at, call, out),
                Due::Job(job) => self.deadline_passed(job, out),
                Due::Room => {
                    state.look = None;
                    self.serve_queue(at, out);
                }
            }
        }
    }
}

/// Nothing follows, for this reason.
fn note(out: &mut Vec<Decision>, grounds: Vec<Ground>) {
    out.push(Decision { action: Action::Note, grounds });
}

/// The fact speaks of something that is not open.
fn not_open(out: &mut Vec<Decision>) {
    note(out, vec![Ground::NotOpen]);
}
