//! Has every call one outcome, at a place that may serve it and has room, and is it booked at what it used?

use firstright_core::decision::{Action, Decision};
use firstright_core::fact::{Fact, Failure, FailureKind};
use firstright_core::journal::Record;
use firstright_core::title::{Place, Title};
use firstright_core::units::{Money, Span, Timestamp};
use firstright_core::workload::{Call, CallId};
use firstright_core::world::{DeploymentId, ModelId, World};

use super::room::Room;
use super::titles::Evidences;
use super::{Auditor, law, sums};

/// A call from its arrival on.
pub(super) struct Tracked {
    pub call: Call,
    pub arrived: Timestamp,
    pub serving: Option<Serving>,
    pub queued: bool,
    pub failed: Vec<(DeploymentId, FailureKind, Timestamp)>,
    pub outcomes: u32,
    /// The call beside which it is a second attempt, and where that one is served.
    pub beside: Option<(CallId, DeploymentId)>,
    /// The second attempt beside it.
    pub hedge: Option<CallId>,
    /// The other of two attempts goes on as the call.
    pub gave_way: bool,
}

/// Where a call is served.
#[derive(Clone)]
pub(super) struct Serving {
    pub deployment: DeploymentId,
    pub model: ModelId,
    pub reserved: u64,
    pub since: Timestamp,
}

impl Auditor {
    pub(super) fn attempt_failed(&mut self, world: &World, call: CallId, failure: &Failure) {
        let at = self.at;
        let Some(tracked) = self.calls.get_mut(&call) else { return };
        let Some(serving) = tracked.serving.take() else { return };
        tracked.failed.push((serving.deployment, failure.kind, at));
        self.gives_way(call, failure.kind);
        self.keep(serving.deployment);
        if let Some(room) = self.rooms.get_mut(serving.deployment.index()) {
            room.give_back(at, serving.since, serving.reserved, 0);
            room.failed(at, failure.kind, failure.retry_after);
            room.status(failure.status);
        }
        let fault = matches!(
            failure.kind,
            FailureKind::ServerError | FailureKind::Unreachable | FailureKind::TimedOut
        );
        if let Some(tracked) = self.calls.get(&call).filter(|_| fault) {
            let subject = self.subject(world, &tracked.call, serving.model);
            self.sums.attempt(world, &subject, &serving, false, Span(0));
        }
    }

    /// A call ended: exactly one settlement must follow, of what the usage comes to.
    pub(super) fn settled(&mut self, world: &World, record: &Record) {
        let Fact::CallSettled { call, usage, tier, ending, first_byte, observed, ran, .. } = &record.fact
        else {
            return;
        };
        let at = self.at;
        let Some(serving) = self.calls.get_mut(call).and_then(|tracked| tracked.serving.take()) else {
            let settled =
                |one: &Decision| matches!(&one.action, Action::Settle { call: other, .. } if other == call);
            let settled = record.decisions.iter().any(settled);
            return self.must(!settled, || format!("call {} is settled, and was not being served", call.0));
        };
        let provisioned = self.rooms.get(serving.deployment.index()).is_some_and(Room::is_provisioned);
        let spilled = provisioned && observed.is_some_and(|seen| seen.spilled);
        self.keep(serving.deployment);
        let ran = ran.filter(|ran| *ran != serving.model);
        // What ran another model drew on nothing of this deployment.
        let drawn = if ran.is_some() { 0 } else { usage.tokens() - usage.cached_input };
        if let Some(room) = self.rooms.get_mut(serving.deployment.index()) {
            let used = if spilled { 0 } else { drawn };
            room.give_back(at, serving.since, serving.reserved, used);
            room.ended(at, *ending, first_byte.0 > 0);
            if *ending != firstright_core::fact::Ending::Lost {
                room.heard(*first_byte);
            }
            if spilled {
                room.overflowed(at, serving.since, serving.reserved);
            }
            if let Some(seen) = observed {
                room.observe(at, seen);
            }
        }
        if spilled {
            self.took_over(world, serving.deployment, drawn);
        }
        let settled = record.decisions.iter().find_map(|one| match &one.action {
            Action::Settle { call: other, cost, charge } if other == call => Some((*cost, *charge)),
            _ => None,
        });
        let Some((cost, charge)) = settled else {
            return self.find(format!("call {} ended and was not settled", call.0));
        };
        let Some(asked) = self.calls.get(call).map(|tracked| tracked.call.clone()) else { return };
        let trained = (provisioned && usage.trained > 0).then_some(serving.model);
        let costs = match ran.or(trained) {
            None => sums::costs(world, &asked, &serving, usage, *tier, spilled),
            Some(ran) => [sums::cost_of_run(world, &serving, usage, *tier, ran); 2],
        };
        let model = ran.unwrap_or(serving.model);
        self.must(costs.contains(&cost), || {
            format!("call {} costs {costs:?} and was booked at {cost:?}", call.0)
        });
        let owed = law::charges(world.tenant(asked.tenant), world.model(model), *tier);
        let owed = owed.and_then(|rates| law::priced(usage, &rates));
        self.must(owed == charge, || {
            format!("call {} is charged {owed:?} and was booked at {charge:?}", call.0)
        });
        let subject = law::of_run(world, self.subject(world, &asked, model), ran);
        self.sums.call(world, &subject, &serving, cost, charge);
        let subject = self.subject(world, &asked, serving.model);
        if matches!(ending, firstright_core::fact::Ending::Complete | firstright_core::fact::Ending::Cut) {
            let whole = *ending == firstright_core::fact::Ending::Complete;
            self.sums.attempt(world, &subject, &serving, whole, *first_byte);
        }
        self.tally(world, serving.deployment, usage.tokens(), cost);
    }

    fn tally(&mut self, world: &World, deployment: DeploymentId, tokens: u64, cost: Option<Money>) {
        let provider = &world.provider(world.deployment(deployment).provider).id;
        let tally = self.audit.providers.entry(provider.clone()).or_default();
        tally.tokens = tally.tokens.saturating_add(tokens);
        tally.cost = tally.cost.plus(cost.unwrap_or(Money::ZERO));
    }

    /// What a provider spilled itself counts against its pay-as-you-go deployment of the same model.
    fn took_over(&mut self, world: &World, from: DeploymentId, used: u64) {
        let from = world.deployment(from);
        let other = world.deployments.iter().position(|one| {
            let payg = matches!(one.capacity, firstright_core::world::CapacityKind::PayAsYouGo { .. });
            (one.provider, one.model) == (from.provider, from.model) && payg
        });
        if let Some(room) = other.and_then(|index| self.rooms.get_mut(index)) {
            room.took_over(self.at, used);
        }
    }

    /// A call waits: as long as its tenant lets it, and no more of them than may.
    pub(super) fn queued(&mut self, world: &World, id: CallId, until: Timestamp) {
        let waiting = self.waiting.len();
        let Some(tracked) = self.calls.get_mut(&id) else {
            return self.find(format!("call {} is queued and never arrived", id.0));
        };
        tracked.queued = true;
        self.waiting.insert(id);
        let tenant = world.tenant(tracked.call.tenant);
        let right = until == tracked.arrived.plus(tenant.max_wait.max(tenant.spill_after));
        self.must(right, || format!("call {} waits longer or shorter than its tenant lets it", id.0));
        let most = usize::try_from(world.limits.waiting).unwrap_or(usize::MAX);
        self.must(waiting < most, || format!("call {} waits, and as many wait as may", id.0));
    }

    /// Tokens that may be kept for calls which have waited for half of what they may.
    pub(super) fn kept(&self, world: &World, but: CallId) -> u64 {
        let half = |one: &&Tracked| {
            let tenant = world.tenant(one.call.tenant);
            let most = tenant.max_wait.max(tenant.spill_after);
            one.call.id != but && self.at.since(one.arrived).0 >= most.0 / 2
        };
        let waiting = self.waiting.iter().filter_map(|id| self.calls.get(id));
        waiting.filter(half).map(|one| size(&one.call)).fold(0, u64::saturating_add)
    }

    pub(super) fn outcome(&mut self, call: CallId) {
        self.waiting.remove(&call);
        let Some(tracked) = self.calls.get_mut(&call) else {
            return self.find(format!("call {} has an outcome and never arrived", call.0));
        };
        tracked.queued = false;
        tracked.outcomes += 1;
        if tracked.outcomes > 1 || tracked.serving.is_some() {
            self.find(format!("call {} has a second outcome", call.0));
        }
    }

    /// A call is placed: nobody may be barred, passed over or sold twice.
    pub(super) fn serve(
        &mut self,
        world: &World,
        id: CallId,
        deployment: DeploymentId,
        model: ModelId,
        reserved: u64,
        title: &Title,
    ) {
        let at = self.at;
        let Some(tracked) = self.calls.get_mut(&id) else {
            return self.find(format!("call {} is served and never arrived", id.0));
        };
        let (call, failed) = (tracked.call.clone(), tracked.failed.clone());
        let twice = tracked.serving.is_some() || tracked.outcomes > 0;
        tracked.serving = Some(Serving { deployment, model, reserved, since: at });
        tracked.queued = false;
        self.waiting.remove(&id);
        self.must(!twice, || format!("call {} is served twice", id.0));
        self.must(law::permits(world, &call, model), || {
            format!("call {} gets a model that its tenant may not have", id.0)
        });
        self.must(reserved == size(&call), || format!("call {} reserves another size than its own", id.0));
        let place = Place::Deployment(deployment);
        let again = failed.iter().any(|(one, kind, _)| *one == deployment && *kind != FailureKind::Throttled);
        self.must(!again, || format!("call {} goes again to where it failed", id.0));
        let subject = self.subject(world, &call, model);
        self.may_serve(world, &subject, place, None);
        self.title(world, &subject, place, title, &Evidences::Call(&call, &failed));
        let full = self.rooms_of(deployment).all(|room| room.is_full(at, reserved));
        self.must(!full, || format!("call {} is put on a deployment that has no room for it", id.0));
        self.reserve(deployment, reserved);
        let tally = self
            .audit
            .providers
            .entry(world.provider(law::provider_of(world, place)).id.clone())
            .or_default();
        tally.calls += 1;
    }

    fn reserve(&mut self, deployment: DeploymentId, tokens: u64) {
        let at = self.at;
        let Some(room) = self.rooms.get_mut(deployment.index()) else { return };
        room.reserve(at, tokens);
        let before = self.before.as_mut().filter(|(index, _)| *index == deployment.index());
        let Some((_, before)) = before else { return };
        let had_room = !before.is_full(at, tokens);
        before.reserve(at, tokens);
        // It may have waited for this very moment, and been served before the provider was heard: then what the provider
        // said holds of a room that it was in already.
        if let Some(seen) = self.observed.as_ref().filter(|_| had_room) {
            *room = before.clone();
            room.observe(at, seen);
        }
    }
}

/// Tokens that a call reserves. A caller may ask for as many as there are numbers.
pub(super) fn size(call: &Call) -> u64 {
    call.input.saturating_add(call.max_output)
}
