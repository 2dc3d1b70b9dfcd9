//! What becomes of a call, from its arrival to its one outcome?

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::{Broker, MAX_PLANS, PlanKey, not_open, note};
use crate::capacity::{Capacity, FirstByte};
use crate::decide::{Ruling, decide};
use crate::decision::{Action, Decision, Ground, Refusal};
use crate::fact::{Ending, Failure, FailureKind, LeaseId, Observation};
use crate::plan::{self, Plan};
use crate::scope::any;
use crate::state::{Asked, OpenCall, Serving, State, Tried};
use crate::title::Place;
use crate::units::{SECOND, Span, Timestamp};
use crate::usage::{Tier, Usage};
use crate::workload::{Call, CallId, View};
use crate::world::{CapacityKind, Class, DeploymentId, ModelId, TenantId};

/// Attempts for one call at most: one retry layer, and no storms.
pub const MAX_ATTEMPTS: u32 = 4;
/// The longest `retry-after` that is told to a caller: OpenAI's SDKs sleep what they are told, up to 120 s.
const MAX_RETRY_AFTER: Span = Span(60 * SECOND);

impl Broker {
    /// A call arrived.
    pub(super) fn call_arrived(&mut self, at: Timestamp, call: &Call, out: &mut Vec<Decision>) {
        if let Some(first) = call.hedges {
            return self.hedge_arrived(at, call, first, out);
        }
        let Some(state) = self.state.as_mut() else {
            return refuse(out, call.id, Refusal::NoProvider, vec![]);
        };
        if state.calls.contains_key(&call.id) {
            return not_open(out);
        }
        let tenant = state.world.tenant(call.tenant);
        let open = u32::try_from(state.calls.len()).unwrap_or(u32::MAX);
        if open >= let_in(state.world.limits.open, tenant.class) {
            return refuse(out, call.id, Refusal::Overload, vec![Ground::Crowded(tenant.class, open)]);
        }
        //= rights/tenants.md#TE-1
        let mut models = core::iter::once(call.model).chain(call.runs);
        if !models.all(|model| any(&tenant.models, state.world.model(model))) {
            return refuse(out, call.id, Refusal::NotPermitted, vec![]);
        }
        let (class, weight) = (tenant.class, tenant.weight);
        if let Some(retries) = state.retries.get_mut(call.tenant.index()) {
            retries.arrived(at);
        }
        state.calls.insert(call.id, OpenCall::new(at, call));
        if let Err(refusal) = self.admit(at, call) {
            self.state.as_mut().and_then(|state| state.calls.remove(&call.id));
            return refuse(out, call.id, refusal, vec![]);
        }
        // While others wait it has its place among them, also if there is room for it at once.
        if let Some(state) = self.state.as_mut().filter(|state| !state.queue.is_empty())
            && let Some(open) = state.calls.get_mut(&call.id)
        {
            open.line = Some(state.queue.draw(class, call.tenant, open.need(), weight));
        }
        self.place(at, call.id, out);
    }

    /// Places a call, or lets it wait, or refuses it. True if it was placed or refused.
    pub(super) fn place(&mut self, at: Timestamp, id: CallId, out: &mut Vec<Decision>) -> bool {
        let Some(model) =
            self.state.as_ref().and_then(|state| state.calls.get(&id)).map(|open| open.call.model)
        else {
            return true;
        };
        let plan = self.plan(at, id, model);
        let Some(state) = self.state.as_mut() else { return true };
        let Some(open) = state.calls.get(&id) else { return true };
        let patience = super::waiting::patience(state, open);
        let asked = Asked::Call { call: open, model, patience };
        match decide(state, at, &plan, &asked) {
            Ruling::Placed { candidate, title, grounds, .. } => {
                let place = candidate.place;
                let reserved = open.need();
                if let Some(spent) = spent(state, at, id) {
                    self.end(id);
                    refuse(out, id, Refusal::Failed, vec![spent]);
                    return true;
                }
                let decision = serve(state, at, id, place, model, reserved, &plan);
                out.extend(decision.map(|lease| Decision {
                    action: Action::Serve {
                        call: id,
                        lease: lease.0,
                        deployment: lease.1,
                        model,
                        reserved,
                        title,
                    },
                    grounds,
                }));
                true
            }
            Ruling::Soon { expected, grounds } => self.wait(at, id, &expected, true, grounds, out),
            Ruling::Full { expected, grounds } => {
                if spent(state, at, id).is_none() && self.substitute(at, id, model, out) {
                    return true;
                }
                self.wait(at, id, &expected, false, grounds, out)
            }
            Ruling::Nobody { refusal, grounds } => {
                self.end(id);
                refuse(out, id, refusal, grounds);
                true
            }
            // `text` lets no window reach a call, and `within` is the only one that asks.
            Ruling::Ask { .. } | Ruling::Awaited => {
                self.end(id);
                refuse(out, id, Refusal::Contract, vec![]);
                true
            }
        }
    }

    /// Serves the call with a model that its tenant permits instead. [CH-6]
    //= rights/choosing.md#CH-6
    fn substitute(&mut self, at: Timestamp, id: CallId, model: ModelId, out: &mut Vec<Decision>) -> bool {
        let Some(state) = self.state.as_ref() else { return false };
        let Some(open) = state.calls.get(&id) else { return false };
        // What was written for a model is not run by another.
        if open.call.runs.is_some() {
            return false;
        }
        let asked_for = state.world.model(model);
        let tenant = state.world.tenant(open.call.tenant);
        let permitted =
            tenant.substitutes.iter().filter(|(glob, other)| glob.matches(asked_for) && *other != model);
        let permitted =
            permitted.filter(|(_, other)| state.accounts.lets_use(&open.call, state.world.model(*other)));
        let others: Vec<ModelId> = permitted.map(|(_, other)| *other).collect();
        for other in others {
            let plan = self.plan(at, id, other);
            let Some(state) = self.state.as_mut() else { return false };
            let Some(open) = state.calls.get(&id) else { return false };
            let asked = Asked::Call { call: open, model: other, patience: Timestamp(0) };
            let Ruling::Placed { candidate, title, mut grounds, .. } = decide(state, at, &plan, &asked)
            else {
                continue;
            };
            // What is failing has no room: it is no better with another model.
            if grounds.contains(&Ground::LastResort) {
                continue;
            }
            let place = candidate.place;
            let reserved = open.need();
            grounds.push(Ground::Substituted(model));
            let Some((lease, deployment)) = serve(state, at, id, place, other, reserved, &plan) else {
                continue;
            };
            let action = Action::Serve { call: id, lease, deployment, model: other, reserved, title };
            out.push(Decision { action, grounds });
            return true;
        }
        false
    }

    /// An attempt failed before its first content byte: it is released, and the call is decided anew.
    //= rights/choosing.md#CH-11
    pub(super) fn attempt_failed(
        &mut self,
        at: Timestamp,
        id: CallId,
        failure: &Failure,
        out: &mut Vec<Decision>,
    ) {
        let Some(state) = self.state.as_mut() else { return not_open(out) };
        let Some(open) = state.calls.get_mut(&id) else { return not_open(out) };
        let Some(serving) = open.serving.take() else { return not_open(out) };
        let place = Place::Deployment(serving.deployment);
        open.tried.push(Tried { place, at, failure: *failure });
        open.attempts = open.attempts.saturating_add(1);
        let attempts = open.attempts;
        let asked = Asked::Call { call: open, model: open.call.model, patience: Timestamp(0) };
        let (throttled, unsuitable) = (asked.throttled(), asked.unsuitable());
        release(state, at, &serving, 0);
        if let Some(capacity) = state.deployments.get_mut(serving.deployment.index()) {
            match failure.kind {
                FailureKind::Throttled => capacity.throttled(at, failure.retry_after),
                FailureKind::Rejected => capacity.answered(),
                FailureKind::Unauthorised => capacity.refused_us(at),
                FailureKind::Unsuitable => {}
                FailureKind::ServerError | FailureKind::Unreachable | FailureKind::TimedOut => {
                    capacity.failed(at, failure.status);
                }
            }
        }
        if failure.kind.is_theirs() {
            self.book_attempt(at, &serving, false, Span(0));
        }
        if self.goes_on(id, failure, out) {
            return self.serve_queue(at, out);
        }
        let Some(state) = self.state.as_mut() else { return };
        let refusal = match failure.kind {
            FailureKind::Rejected => Some((Refusal::Rejected, vec![])),
            _ if attempts >= MAX_ATTEMPTS => {
                let refusal = match throttled {
                    Some(wait) => Refusal::Capacity { retry_after: told(wait) },
                    None if unsuitable => Refusal::Rejected,
                    None => Refusal::Failed,
                };
                Some((refusal, vec![Ground::Attempts(attempts)]))
            }
            _ => spent(state, at, id).map(|spent| (Refusal::Failed, vec![spent])),
        };
        match refusal {
            Some((refusal, grounds)) => {
                self.end(id);
                refuse(out, id, refusal, grounds);
            }
            None => {
                self.place(at, id, out);
            }
        }
        self.serve_queue(at, out);
    }

    /// A call ended: its reservation is corrected, its usage booked, and those who wait are tried.
    #[expect(clippy::too_many_arguments, reason = "the fact's fields, each named")]
    pub(super) fn call_settled(
        &mut self,
        at: Timestamp,
        id: CallId,
        (usage, tier, ran): (&Usage, Tier, Option<ModelId>),
        ending: Ending,
        first_byte: Span,
        observed: Option<&Observation>,
        out: &mut Vec<Decision>,
    ) {
        let Some(state) = self.state.as_mut() else { return not_open(out) };
        let Some(open) = state.calls.get_mut(&id) else { return not_open(out) };
        let Some(serving) = open.serving.take() else { return not_open(out) };
        let Some(open) = state.calls.remove(&id) else { return not_open(out) };
        // Only what is provisioned can be spilled from: elsewhere a call is counted where it was sent, and once.
        let kind = state.deployments.get(serving.deployment.index()).map(Capacity::kind);
        let provisioned = matches!(kind, Some(CapacityKind::Provisioned { .. }));
        let spilled = provisioned && observed.is_some_and(|seen| seen.spilled);
        let ran = ran.filter(|ran| *ran != serving.model);
        // What ran elsewhere drew on nothing here.
        let own = if ran.is_some() { Usage::default() } else { *usage };
        //= rights/capacity.md#CA-8
        release(state, at, &serving, if spilled { 0 } else { own.uncached() });
        if let Some(capacity) = state.deployments.get_mut(serving.deployment.index()) {
            match ending {
                Ending::Complete => capacity.answered(),
                // What was given up before its first byte says nothing of who did not answer.
                Ending::Abandoned if first_byte.0 > 0 => capacity.answered(),
                Ending::Cut => capacity.failed(at, 0),
                Ending::Abandoned | Ending::Lost => {}
            }
            if first_byte.0 > 0 && ending != Ending::Lost {
                let (read, written) = (own.uncached().saturating_sub(own.output), own.output);
                let byte = FirstByte::of_ended(at, serving.since, first_byte, read, written);
                capacity.heard(at, &FirstByte { counted: serving.late, ..byte });
            }
            if spilled {
                capacity.overflowed(at, serving.since, serving.reserved);
            }
            if let Some(seen) = observed {
                capacity.observe(at, seen);
            }
        }
        if spilled {
            took_over(state, at, &serving, own.uncached());
        }
        //= rights/assurance.md#AS-6
        if ending == Ending::Complete
            && let Some(candidate) = serving.plan.candidates.get(serving.candidate)
            && let Some(standing) = state.providers.get_mut(candidate.provider.index())
        {
            standing.good_runs = standing.good_runs.saturating_add(1);
        }
        if matches!(ending, Ending::Complete | Ending::Cut) {
            self.book_attempt(at, &serving, ending == Ending::Complete, first_byte);
        }
        // Training is no use of capacity that was bought ahead for calls.
        let trained = (provisioned && usage.trained > 0).then_some(serving.model);
        let (cost, charge) = match ran.or(trained) {
            None => self.book_call(at, &open.call, &serving, usage, tier, spilled),
            Some(ran) => self.book_run(at, &open.call, &serving, usage, tier, ran),
        };
        let grounds = if spilled { vec![Ground::NativeSpill] } else { vec![] };
        out.push(Decision { action: Action::Settle { call: id, cost, charge }, grounds });
        self.serve_queue(at, out);
    }

    /// The first byte of a stream is awaited for so long already.
    pub(super) fn answer_awaited(
        &mut self,
        at: Timestamp,
        id: CallId,
        waited: Span,
        out: &mut Vec<Decision>,
    ) {
        let Some(state) = self.state.as_mut() else { return not_open(out) };
        let Some(open) = state.calls.get_mut(&id) else { return not_open(out) };
        let Some(serving) = open.serving.as_mut() else { return not_open(out) };
        if let Some(capacity) = state.deployments.get_mut(serving.deployment.index()) {
            serving.late |= capacity.awaited(at, waited, open.call.input, serving.late);
        }
    }

    /// The caller went away before its call was served.
    pub(super) fn call_abandoned(&mut self, id: CallId, out: &mut Vec<Decision>) {
        let open = self.state.as_ref().and_then(|state| state.calls.get(&id));
        if open.is_none_or(|open| open.serving.is_some()) {
            return not_open(out);
        }
        self.end(id);
        note(out, vec![Ground::ByOwner]);
    }

    /// A deployment's capacity was observed outside a call.
    pub(super) fn capacity_observed(
        &mut self,
        at: Timestamp,
        deployment: DeploymentId,
        seen: &Observation,
        out: &mut Vec<Decision>,
    ) {
        let Some(state) = self.state.as_mut() else { return not_open(out) };
        let Some(capacity) = state.deployments.get_mut(deployment.index()) else { return not_open(out) };
        capacity.observe(at, seen);
        self.serve_queue(at, out);
    }

    /// The plan for a call, kept until a clause begins or ends.
    pub(crate) fn plan(&mut self, at: Timestamp, id: CallId, model: ModelId) -> Arc<Plan> {
        let Some(state) = self.state.as_ref() else { return Arc::default() };
        let Some(open) = state.calls.get(&id) else { return Arc::default() };
        if at >= self.plans_until || self.plans.len() >= MAX_PLANS {
            self.plans.clear();
            self.plans_until = state.world.next_change(at);
        }
        let call = &open.call;
        let key = PlanKey {
            tenant: call.tenant,
            model,
            region: call.region.clone(),
            home: call.home,
            trains: call.trains,
            runs: call.runs,
            key: call.key.filter(|_| state.accounts.narrows(call)),
        };
        if let Some(plan) = self.plans.get(&key) {
            return Arc::clone(plan);
        }
        let view = View::of_call(&state.world, call, model);
        let mut plan = plan::for_calls(&state.world, at, &view, model);
        state.accounts.narrow(&state.world, call, &mut plan);
        let plan = Arc::new(plan);
        self.plans.insert(key, Arc::clone(&plan));
        plan
    }
}

/// So many of the calls that may be open are let in of a class, so that the last is the first to be shed and a critical
/// call finds room.
//= rights/choosing.md#CH-19
pub(super) fn let_in(open: u32, class: Class) -> u32 {
    let twentieths: u64 = match class {
        Class::Critical => 20,
        Class::Standard => 19,
        Class::Sheddable => 15,
        Class::Batch => 10,
    };
    u32::try_from(u64::from(open).saturating_mul(twentieths).div_ceil(20)).unwrap_or(u32::MAX)
}

/// Why a call whose last attempt failed by its provider's doing is not tried again now. It may have waited since that was
/// allowed, and others have been tried again meanwhile.
//= rights/choosing.md#CH-16
fn spent(state: &mut State, at: Timestamp, id: CallId) -> Option<Ground> {
    let open = state.calls.get(&id)?;
    open.tried.last().filter(|tried| tried.failure.kind.is_theirs())?;
    let tenant = open.call.tenant;
    no_more_retries(state, at, tenant)
}

/// Why nothing more of the tenant's is tried again now.
pub(super) fn no_more_retries(state: &mut State, at: Timestamp, tenant: TenantId) -> Option<Ground> {
    let (made, arrived) = state.retries.get_mut(tenant.index())?.allow(at).err()?;
    Some(Ground::Retries(made, arrived))
}

/// Reserves at the place and opens the lease.
pub(super) fn serve(
    state: &mut State,
    at: Timestamp,
    id: CallId,
    place: Place,
    model: ModelId,
    reserved: u64,
    plan: &Arc<Plan>,
) -> Option<(LeaseId, DeploymentId)> {
    let Place::Deployment(deployment) = place else { return None };
    let lease = LeaseId(state.next_lease);
    state.next_lease = state.next_lease.saturating_add(1);
    state.deployments.get_mut(deployment.index())?.reserve(at, reserved);
    let candidate = plan.candidates.iter().position(|one| one.place == place)?;
    let provider = plan.candidates.get(candidate)?.provider;
    if let Some(standing) = state.providers.get_mut(provider.index()) {
        standing.calls = standing.calls.saturating_add(1);
    }
    super::waiting::leave(state, id, true);
    let open = state.calls.get_mut(&id)?;
    let again = open.tried.last().is_some_and(|tried| tried.failure.kind.is_theirs());
    if (again || open.beside.is_some())
        && let Some(retries) = state.retries.get_mut(open.call.tenant.index())
    {
        retries.retried(at);
    }
    let plan = Arc::clone(plan);
    open.serving = Some(Serving { deployment, model, reserved, since: at, plan, candidate, late: false });
    Some((lease, deployment))
}

/// What the provider spilled itself counts where it served it: against its pay-as-you-go deployment of that model.
fn took_over(state: &mut State, at: Timestamp, serving: &Serving, used: u64) {
    let world = &state.world;
    let from = world.deployment(serving.deployment);
    let other = world.deployments.iter().position(|one| {
        let same = (one.provider, one.model) == (from.provider, from.model);
        same && matches!(one.capacity, CapacityKind::PayAsYouGo { .. })
    });
    if let Some(capacity) = other.and_then(|index| state.deployments.get_mut(index)) {
        capacity.took_over(at, used);
    }
}

/// Gives back a reservation, with what was used instead.
fn release(state: &mut State, at: Timestamp, serving: &Serving, used: u64) {
    if let Some(capacity) = state.deployments.get_mut(serving.deployment.index()) {
        capacity.settle(at, serving.since, serving.reserved, used);
    }
    let provider = serving.plan.candidates.get(serving.candidate).map(|candidate| candidate.provider);
    if let Some(standing) = provider.and_then(|provider| state.providers.get_mut(provider.index())) {
        standing.calls = standing.calls.saturating_sub(1);
    }
}

/// What a caller is told to wait: a second at least, so that it does not come at once.
pub(super) fn told(wait: Span) -> Span {
    wait.min(MAX_RETRY_AFTER).max(Span(SECOND))
}

pub(super) fn refuse(out: &mut Vec<Decision>, call: CallId, refusal: Refusal, grounds: Vec<Ground>) {
    out.push(Decision { action: Action::Refuse { call, refusal }, grounds });
}
