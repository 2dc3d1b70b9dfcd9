//! What becomes of a call, from its arrival to its one outcome?

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::{Broker, MAX_PLANS, PlanKey, not_open, note};
use crate::decide::{Ruling, decide};
use crate::decision::{Action, Decision, Ground, Refusal};
use crate::fact::{Ending, Failure, FailureKind, LeaseId, Observation};
use crate::plan::{self, Plan};
use crate::scope::any;
use crate::state::{Asked, Due, OpenCall, Serving, State, Tried};
use crate::title::Place;
use crate::units::{SECOND, Span, Timestamp};
use crate::usage::{Tier, Usage};
use crate::workload::{Call, CallId, View};
use crate::world::{DeploymentId, ModelId};

/// Open calls at most: each costs about a kilobyte, and a gateway sheds long before.
const MAX_OPEN_CALLS: usize = 100_000;
/// Calls that wait at most.
const MAX_QUEUE: usize = 10_000;
/// Attempts for one call at most: one retry layer, and no storms.
pub const MAX_ATTEMPTS: u32 = 4;
/// Waiting calls tried at one fact at most, so that no fact takes long; the next fact goes on.
const MAX_SERVED_AT_ONCE: usize = 64;
/// Room is looked for again no sooner than this: each look is a record.
const SHORTEST_LOOK: Span = Span(10_000_000);
/// The longest `retry-after` that is told to a caller: OpenAI's SDKs sleep what they are told, up to 120 s.
const MAX_RETRY_AFTER: Span = Span(60 * SECOND);

impl Broker {
    /// A call arrived.
    pub(super) fn call_arrived(&mut self, at: Timestamp, call: &Call, out: &mut Vec<Decision>) {
        let Some(state) = self.state.as_mut() else {
            return refuse(out, call.id, Refusal::NoProvider, vec![]);
        };
        if state.calls.contains_key(&call.id) {
            return not_open(out);
        }
        if state.calls.len() >= MAX_OPEN_CALLS {
            return refuse(out, call.id, Refusal::Overload, vec![]);
        }
        //= rights/tenants.md#TE-1
        let tenant = state.world.tenant(call.tenant);
        if !any(&tenant.models, state.world.model(call.model)) {
            return refuse(out, call.id, Refusal::NotPermitted, vec![]);
        }
        let open =
            OpenCall { call: call.clone(), arrived: at, tried: Vec::new(), serving: None, attempts: 0 };
        state.calls.insert(call.id, open);
        if let Err(refusal) = self.admit(at, call) {
            self.state.as_mut().and_then(|state| state.calls.remove(&call.id));
            return refuse(out, call.id, refusal, vec![]);
        }
        self.place(at, call.id, out);
    }

    /// Places a call, or lets it wait, or refuses it. True if it was placed or refused.
    fn place(&mut self, at: Timestamp, id: CallId, out: &mut Vec<Decision>) -> bool {
        let Some(model) =
            self.state.as_ref().and_then(|state| state.calls.get(&id)).map(|open| open.call.model)
        else {
            return true;
        };
        let plan = self.plan(at, id, model);
        let Some(state) = self.state.as_mut() else { return true };
        let Some(open) = state.calls.get(&id) else { return true };
        let asked = Asked::Call { call: open, model };
        match decide(state, at, &plan, &asked) {
            Ruling::Placed { candidate, title, grounds, .. } => {
                let place = candidate.place;
                let reserved = open.call.input.saturating_add(open.call.max_output);
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
            Ruling::Full { again, grounds } => {
                if self.substitute(at, id, model, out) {
                    return true;
                }
                self.wait(at, id, again, grounds, out)
            }
            Ruling::Nobody { refusal, grounds } => {
                state.calls.remove(&id);
                refuse(out, id, refusal, grounds);
                true
            }
            // `text` lets no window reach a call, and `within` is the only one that asks.
            Ruling::Ask { .. } | Ruling::Awaited => {
                state.calls.remove(&id);
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
        let asked_for = state.world.model(model);
        let tenant = state.world.tenant(open.call.tenant);
        let permitted =
            tenant.substitutes.iter().filter(|(glob, other)| glob.matches(asked_for) && *other != model);
        let others: Vec<ModelId> = permitted.map(|(_, other)| *other).collect();
        for other in others {
            let plan = self.plan(at, id, other);
            let Some(state) = self.state.as_mut() else { return false };
            let Some(open) = state.calls.get(&id) else { return false };
            let asked = Asked::Call { call: open, model: other };
            let Ruling::Placed { candidate, title, mut grounds, .. } = decide(state, at, &plan, &asked)
            else {
                continue;
            };
            let place = candidate.place;
            let reserved = open.call.input.saturating_add(open.call.max_output);
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

    /// Keeps the call until there is room, as long as its tenant lets it wait; or refuses it. [CH-5] [CH-7]
    //= rights/choosing.md#CH-5
    //= rights/choosing.md#CH-7
    //= rights/exclusivity.md#EX-3
    fn wait(
        &mut self,
        at: Timestamp,
        id: CallId,
        again: Timestamp,
        grounds: Vec<Ground>,
        out: &mut Vec<Decision>,
    ) -> bool {
        let Some(state) = self.state.as_mut() else { return true };
        let Some(open) = state.calls.get(&id) else { return true };
        let until = open.arrived.plus(state.world.tenant(open.call.tenant).max_wait);
        let queued = state.queue.contains(&id);
        // Waiting is not begun if no room is expected before the call must be refused; who waits already waits to the end,
        // because a place may be given back before it is expected.
        if at < until && (queued || (again < until && state.queue.len() < MAX_QUEUE)) {
            if again < Timestamp::MAX {
                state.deadlines.insert((again.max(at.plus(SHORTEST_LOOK)), Due::Room));
            }
            if !queued {
                state.queue.push_back(id);
                state.deadlines.insert((until, Due::Call(id)));
                out.push(Decision { action: Action::Queue { call: id, until }, grounds });
            }
            return false;
        }
        state.queue.retain(|other| *other != id);
        state.deadlines.remove(&(until, Due::Call(id)));
        state.calls.remove(&id);
        refuse(out, id, Refusal::Capacity { retry_after: told(again.since(at)) }, grounds);
        true
    }

    /// A call has waited as long as it may.
    pub(super) fn wait_ended(&mut self, at: Timestamp, id: CallId, out: &mut Vec<Decision>) {
        let waiting = self.state.as_ref().is_some_and(|state| state.queue.contains(&id));
        if waiting && self.place(at, id, out) {
            self.unqueue(id);
        }
    }

    fn unqueue(&mut self, id: CallId) {
        let Some(state) = self.state.as_mut() else { return };
        state.queue.retain(|other| *other != id);
        if let Some(open) = state.calls.get(&id) {
            let until = open.arrived.plus(state.world.tenant(open.call.tenant).max_wait);
            state.deadlines.remove(&(until, Due::Call(id)));
        }
    }

    /// Room may have come: those who wait are tried in order of arrival.
    pub(super) fn serve_queue(&mut self, at: Timestamp, out: &mut Vec<Decision>) {
        let Some(state) = self.state.as_ref() else { return };
        if state.queue.is_empty() {
            return;
        }
        let waiting: Vec<CallId> = state.queue.iter().copied().take(MAX_SERVED_AT_ONCE).collect();
        for id in waiting {
            if self.place(at, id, out) {
                self.unqueue(id);
            }
        }
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
        let asked = Asked::Call { call: open, model: open.call.model };
        let (throttled, unsuitable) = (asked.throttled(), asked.unsuitable());
        release(state, at, &serving, 0);
        if let Some(capacity) = state.deployments.get_mut(serving.deployment.index()) {
            match failure.kind {
                FailureKind::Throttled => capacity.throttled(at, failure.retry_after),
                FailureKind::Rejected => capacity.answered(),
                FailureKind::Unauthorised => capacity.refused_us(at),
                FailureKind::Unsuitable => {}
                FailureKind::ServerError | FailureKind::Unreachable | FailureKind::TimedOut => {
                    capacity.failed(at);
                }
            }
        }
        if failure.kind.is_theirs() {
            self.book_attempt(at, &serving, false, Span(0));
        }
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
            _ => None,
        };
        match refusal {
            Some((refusal, grounds)) => {
                if let Some(state) = self.state.as_mut() {
                    state.calls.remove(&id);
                }
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
        usage: &Usage,
        tier: Tier,
        ending: Ending,
        first_byte: Span,
        observed: Option<&Observation>,
        out: &mut Vec<Decision>,
    ) {
        let Some(state) = self.state.as_mut() else { return not_open(out) };
        let Some(open) = state.calls.get_mut(&id) else { return not_open(out) };
        let Some(serving) = open.serving.take() else { return not_open(out) };
        let Some(open) = state.calls.remove(&id) else { return not_open(out) };
        let spilled = observed.is_some_and(|seen| seen.spilled);
        //= rights/capacity.md#CA-8
        release(state, at, &serving, if spilled { 0 } else { usage.uncached() });
        if let Some(capacity) = state.deployments.get_mut(serving.deployment.index()) {
            match ending {
                Ending::Complete | Ending::Abandoned => capacity.answered(),
                Ending::Cut => capacity.failed(at),
                Ending::Lost => {}
            }
            if let Some(seen) = observed {
                capacity.observe(at, seen);
            }
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
        let (cost, charge) = self.book_call(at, &open.call, &serving, usage, tier, spilled);
        let grounds = if spilled { vec![Ground::NativeSpill] } else { vec![] };
        out.push(Decision { action: Action::Settle { call: id, cost, charge }, grounds });
        self.serve_queue(at, out);
    }

    /// The caller went away before its call was served.
    pub(super) fn call_abandoned(&mut self, id: CallId, out: &mut Vec<Decision>) {
        let open = self.state.as_ref().and_then(|state| state.calls.get(&id));
        if open.is_none_or(|open| open.serving.is_some()) {
            return not_open(out);
        }
        self.unqueue(id);
        if let Some(state) = self.state.as_mut() {
            state.calls.remove(&id);
        }
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

/// Reserves at the place and opens the lease.
fn serve(
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
    let open = state.calls.get_mut(&id)?;
    let plan = Arc::clone(plan);
    open.serving = Some(Serving { deployment, model, reserved, since: at, plan, candidate });
    Some((lease, deployment))
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
fn told(wait: Span) -> Span {
    wait.min(MAX_RETRY_AFTER).max(Span(SECOND))
}

fn refuse(out: &mut Vec<Decision>, call: CallId, refusal: Refusal, grounds: Vec<Ground>) {
    out.push(Decision { action: Action::Refuse { call, refusal }, grounds });
}
