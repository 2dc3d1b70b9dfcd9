//! May a call whose answer is late be tried a second time beside the first attempt, and what becomes of the two? The
//! second attempt is a call of its own, linked to the first by [`Call::hedges`].

use alloc::vec;
use alloc::vec::Vec;

use super::calls::{MAX_ATTEMPTS, let_in, no_more_retries, refuse, serve};
use super::{Broker, not_open};
use crate::decide::{Ruling, decide};
use crate::decision::{Action, Decision, Ground, Refusal, Unhedged};
use crate::fact::{Failure, FailureKind};
use crate::scope::any;
use crate::state::{Asked, OpenCall, State};
use crate::units::Timestamp;
use crate::workload::{Call, CallId, Family};

impl Broker {
    /// A second attempt is wanted beside the first: it is placed at once, or there is none.
    //= rights/choosing.md#CH-22
    //= rights/choosing.md#CH-23
    pub(super) fn hedge_arrived(
        &mut self,
        at: Timestamp,
        call: &Call,
        first: CallId,
        out: &mut Vec<Decision>,
    ) {
        let Some(state) = self.state.as_mut() else {
            return refuse(out, call.id, Refusal::NoProvider, vec![]);
        };
        if state.calls.contains_key(&call.id) {
            return not_open(out);
        }
        let second = match second(state, at, call, first) {
            Ok(second) => second,
            Err((refusal, ground)) => return refuse(out, call.id, refusal, ground.into_iter().collect()),
        };
        state.calls.insert(call.id, second);
        if let Err(refusal) = self.admit(at, call) {
            self.end(call.id);
            return refuse(out, call.id, refusal, vec![]);
        }
        self.place_beside(at, call, first, out);
    }

    /// Places the second attempt, or refuses it.
    fn place_beside(&mut self, at: Timestamp, call: &Call, first: CallId, out: &mut Vec<Decision>) {
        let plan = self.plan(at, call.id, call.model);
        let Some(state) = self.state.as_mut() else { return };
        let Some(open) = state.calls.get(&call.id) else { return };
        let patience = super::waiting::patience(state, open);
        let asked = Asked::Call { call: open, model: call.model, patience };
        let grounds = match decide(state, at, &plan, &asked) {
            Ruling::Placed { candidate, title, mut grounds, .. } => {
                let (place, model, reserved) = (candidate.place, call.model, open.need());
                grounds.push(Ground::Hedges(first));
                if let Some((lease, deployment)) = serve(state, at, call.id, place, model, reserved, &plan) {
                    if let Some(first) = state.calls.get_mut(&first) {
                        first.hedge = Some(call.id);
                    }
                    let action = Action::Serve { call: call.id, lease, deployment, model, reserved, title };
                    out.push(Decision { action, grounds });
                    return;
                }
                vec![]
            }
            Ruling::Soon { grounds, .. } | Ruling::Full { grounds, .. } | Ruling::Nobody { grounds, .. } => {
                grounds
            }
            Ruling::Ask { .. } | Ruling::Awaited => vec![],
        };
        self.end(call.id);
        refuse(out, call.id, Refusal::Unhedged, grounds);
    }

    /// An attempt has failed that has another beside it: that one goes on, and this one has had its outcome. True if so.
    //= rights/choosing.md#CH-25
    pub(super) fn goes_on(&mut self, id: CallId, failure: &Failure, out: &mut Vec<Decision>) -> bool {
        let Some(state) = self.state.as_mut() else { return false };
        let Some(open) = state.calls.get(&id) else { return false };
        if let Some((first, _)) = open.beside {
            let tried = open.tried.last().copied();
            // Where the second attempt failed the first is not sent either.
            let goes_on = state.calls.get_mut(&first).map(|first| {
                first.tried.extend(tried);
                first.attempts = first.attempts.saturating_add(1);
            });
            self.end(id);
            let ground = if goes_on.is_some() { Ground::GoesOn(first) } else { Ground::NotOpen };
            refuse(out, id, Refusal::Unhedged, vec![ground]);
            return true;
        }
        // A request that is refused as such is refused at once, whoever else was asked.
        let Some(hedge) = open.hedge.filter(|_| failure.kind != FailureKind::Rejected) else { return false };
        let (tried, attempts, arrived) = (open.tried.clone(), open.attempts, open.arrived);
        let Some(second) = state.calls.get_mut(&hedge) else { return false };
        (second.tried, second.attempts, second.arrived, second.beside) = (tried, attempts, arrived, None);
        self.end(id);
        refuse(out, id, Refusal::Failed, vec![Ground::GoesOn(hedge)]);
        true
    }
}

/// The second attempt, if the law, what came of the call so far, and the tenant's other calls allow one.
//= rights/choosing.md#CH-22
//= rights/choosing.md#CH-23
fn second(
    state: &mut State,
    at: Timestamp,
    call: &Call,
    first: CallId,
) -> Result<OpenCall, (Refusal, Option<Ground>)> {
    let unhedged = |why| Err((Refusal::Unhedged, Some(Ground::Unhedged(why))));
    let tenant = state.world.tenant(call.tenant);
    if tenant.hedge_after.0 == 0 {
        return unhedged(Unhedged::NotAsked);
    }
    let Some((open, serving)) =
        state.calls.get(&first).and_then(|open| open.serving.as_ref().map(|serving| (open, serving)))
    else {
        return unhedged(Unhedged::Unlike);
    };
    if open.hedge.is_some() || open.call.hedges.is_some() {
        return unhedged(Unhedged::Twice);
    }
    if (Call { id: call.id, hedges: Some(first), ..open.call.clone() }) != *call {
        return unhedged(Unhedged::Unlike);
    }
    if call.family != Family::Inference || call.home.is_some() || call.trains {
        return unhedged(Unhedged::Lives);
    }
    if at.since(serving.since) < tenant.hedge_after {
        return unhedged(Unhedged::Early);
    }
    if !any(&tenant.models, state.world.model(call.model)) {
        return Err((Refusal::NotPermitted, None));
    }
    if !state.queue.is_empty() {
        return unhedged(Unhedged::OthersWait);
    }
    let crowd = u32::try_from(state.calls.len()).unwrap_or(u32::MAX);
    if crowd >= let_in(state.world.limits.open, tenant.class) {
        return Err((Refusal::Overload, Some(Ground::Crowded(tenant.class, crowd))));
    }
    // The first attempt is one that is not counted as failed yet.
    let attempts = open.attempts.saturating_add(1);
    if attempts >= MAX_ATTEMPTS {
        return Err((Refusal::Unhedged, Some(Ground::Attempts(attempts))));
    }
    let second = OpenCall::second(at, call, open);
    //= rights/choosing.md#CH-16
    match no_more_retries(state, at, call.tenant) {
        None => Ok(second),
        Some(ground) => Err((Refusal::Unhedged, Some(ground))),
    }
}
