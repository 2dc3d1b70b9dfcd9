//! What becomes of a call that has no room where it would be served: does it wait, for whom, and how long?

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use super::Broker;
use super::calls::{refuse, told};
use crate::decision::{Action, Decision, Ground, Refusal};
use crate::queue::{MAX_LOOKED_AT, Waiting};
use crate::state::{Due, Expected, OpenCall, State};
use crate::title::Place;
use crate::units::{Span, Timestamp};
use crate::workload::CallId;
use crate::world::{ModelId, TenantId};

/// Waiting calls decided anew at one fact at most, so that no fact takes long; the next fact goes on.
const MAX_SERVED_AT_ONCE: usize = 64;
/// Room is looked for again no sooner than this: each look is a record.
const SHORTEST_LOOK: Span = Span(10_000_000);

/// Until when the call waits for the one that it would rather have; never if no more may wait.
pub(super) fn patience(state: &State, open: &OpenCall) -> Timestamp {
    let tenant = state.world.tenant(open.call.tenant);
    if tenant.spill_after.0 == 0 {
        return Timestamp(0);
    }
    let room = state.queue.len() < most(state);
    let comes_first =
        || open.line.is_some_and(|line| state.queue.last().is_some_and(|(last, _)| line < last));
    if room || state.queue.contains(open.call.id) || comes_first() {
        open.arrived.plus(tenant.spill_after)
    } else {
        Timestamp(0)
    }
}

fn most(state: &State) -> usize {
    usize::try_from(state.world.limits.waiting).unwrap_or(usize::MAX)
}

/// Takes the call out of the queue; `served` if it was given room.
pub(super) fn leave(state: &mut State, id: CallId, served: bool) {
    if let Some(waiting) = state.queue.remove(id, served) {
        state.deadlines.remove(&(waiting.until, Due::Call(id)));
        state.deadlines.remove(&(waiting.patience, Due::Call(id)));
    }
}

impl Broker {
    /// Keeps the call until there is room, as long as its tenant lets it wait; or refuses it. True if it was refused.
    /// `soon` if the one that it would rather have is expected to have room before its patience ends. [CH-5] [CH-7]
    //= rights/choosing.md#CH-5
    //= rights/choosing.md#CH-7
    //= rights/exclusivity.md#EX-3
    pub(super) fn wait(
        &mut self,
        at: Timestamp,
        id: CallId,
        hope: &Expected,
        soon: bool,
        grounds: Vec<Ground>,
        out: &mut Vec<Decision>,
    ) -> bool {
        let Some(state) = self.state.as_mut() else { return true };
        let Some(open) = state.calls.get(&id) else { return true };
        let tenant = state.world.tenant(open.call.tenant);
        let (need, since) = (open.need(), open.arrived);
        let queued = state.queue.get(id).copied();
        let fresh = || Waiting {
            call: id,
            tenant: open.call.tenant,
            model: open.call.model,
            plain: is_plain(state, open),
            need,
            since,
            until: since.plus(tenant.max_wait),
            patience: since.plus(tenant.spill_after),
            awaits: None,
            again: hope.again,
        };
        let waiting = queued.unwrap_or_else(fresh);
        // No wait is begun that cannot end in time. Who waits already goes on while room may still come, because it may be
        // given back before it is expected.
        let until = waiting.until;
        let in_time = if queued.is_some() { hope.earliest < until } else { hope.again < until };
        let stays = soon || (at < until && in_time);
        if stays && (queued.is_some() || admit(state, at, id, waiting, out)) {
            let place = match hope.place {
                Place::Deployment(id) => Some(id),
                Place::Pool(..) => None,
            };
            state.queue.awaits(id, place, hope.again);
            look(state, at, hope.alone);
            if queued.is_none() {
                out.push(Decision { action: Action::Queue { call: id, until: waiting.ends() }, grounds });
            }
            return false;
        }
        self.end(id);
        refuse(out, id, Refusal::Capacity { retry_after: told(hope.again.since(at)) }, grounds);
        true
    }

    /// A call has waited as long as it may, or as long as it would for the one that it would rather have.
    pub(super) fn wait_ended(&mut self, at: Timestamp, id: CallId, out: &mut Vec<Decision>) {
        let waits = |broker: &Broker| broker.state.as_ref().is_some_and(|state| state.queue.contains(id));
        if waits(self) {
            // If there is room now, those who come before it have it first.
            self.serve_queue(at, out);
        }
        if waits(self) {
            self.place(at, id, out);
        }
    }

    /// The call has had its outcome.
    pub(super) fn end(&mut self, id: CallId) {
        let Some(state) = self.state.as_mut() else { return };
        leave(state, id, false);
        state.calls.remove(&id);
    }

    /// Room may have come: those who wait are tried in their order.
    //= rights/choosing.md#CH-17
    pub(super) fn serve_queue(&mut self, at: Timestamp, out: &mut Vec<Decision>) {
        let Some(state) = self.state.as_ref() else { return };
        if state.queue.is_empty() {
            return;
        }
        let waiting: Vec<Waiting> = state.queue.iter().take(MAX_LOOKED_AT).map(|(_, one)| *one).collect();
        // Where a call found no room another like it that needs no less will find none either.
        let mut without: BTreeMap<Alike, u64> = BTreeMap::new();
        let mut left = MAX_SERVED_AT_ONCE;
        for one in waiting {
            let alike = (one.tenant, one.model, at < one.patience, at < one.until);
            if one.plain && without.get(&alike).is_some_and(|least| one.need >= *least) {
                continue;
            }
            if left == 0 {
                return;
            }
            left = left.saturating_sub(1);
            if (self.still_full(at, &one) || !self.place(at, one.call, out)) && one.plain {
                without.entry(alike).and_modify(|least| *least = one.need.min(*least)).or_insert(one.need);
            }
        }
    }
}

impl Broker {
    /// Has nobody who might serve a waiting call room for it, so that there is nothing to decide? Most of those that are
    /// looked at are so: this is `decide` without its reasons.
    fn still_full(&mut self, at: Timestamp, waiting: &Waiting) -> bool {
        let in_time = waiting.plain && at < waiting.until;
        let fixed = |state: &State| state.world.tenant(waiting.tenant).substitutes.is_empty();
        if !in_time || !self.state.as_ref().is_some_and(fixed) {
            return false;
        }
        let plan = self.plan(at, waiting.call, waiting.model);
        let Some(state) = self.state.as_mut() else { return false };
        let Some(open) = state.calls.get(&waiting.call) else { return false };
        let mut full: Option<Expected> = None;
        for candidate in &plan.candidates {
            let Some(expected) = state.only_full(at, candidate, open) else { return false };
            full = Some(full.map_or(expected, |other| other.or(expected)));
        }
        let Some(expected) = full.filter(|full| full.earliest < waiting.until) else { return false };
        let place = match expected.place {
            Place::Deployment(id) => Some(id),
            Place::Pool(..) => None,
        };
        state.queue.awaits(waiting.call, place, expected.again);
        look(state, at, expected.alone);
        true
    }
}

/// Is the call decided like every other of its tenant and model, but for its size?
fn is_plain(state: &State, open: &OpenCall) -> bool {
    let call = &open.call;
    let free = call.region.is_none() && call.home.is_none() && !call.trains && call.runs.is_none();
    free && open.tried.is_empty() && !state.accounts.narrows(call)
}

/// Who is decided alike but for its size: tenant, model, whether it still has patience, and whether it still may wait.
type Alike = (TenantId, ModelId, bool, bool);

/// Lets the call wait. If no more may, the last of all is shed for it, unless that is itself.
//= rights/choosing.md#CH-17
fn admit(state: &mut State, at: Timestamp, id: CallId, waiting: Waiting, out: &mut Vec<Decision>) -> bool {
    let Some(open) = state.calls.get(&id) else { return false };
    let tenant = state.world.tenant(open.call.tenant);
    let (class, weight, whose) = (tenant.class, tenant.weight, open.call.tenant);
    let line = match open.line {
        Some(line) => line,
        None => state.queue.draw(class, whose, waiting.need, weight),
    };
    if state.queue.len() >= most(state) {
        let Some((_, shed)) = state.queue.last().filter(|(last, _)| line < *last) else { return false };
        leave(state, shed.call, false);
        state.calls.remove(&shed.call);
        let retry_after = told(shed.again.since(at));
        refuse(out, shed.call, Refusal::Capacity { retry_after }, vec![Ground::Shed(id)]);
    }
    if let Some(open) = state.calls.get_mut(&id) {
        open.line = Some(line);
    }
    state.queue.insert(line, waiting);
    for ends in [waiting.until, waiting.patience] {
        if ends > at {
            state.deadlines.insert((ends, Due::Call(id)));
        }
    }
    true
}

/// Looks for room then, unless that is done before anyway.
fn look(state: &mut State, at: Timestamp, again: Timestamp) {
    let when = again.max(at.plus(SHORTEST_LOOK));
    if again == Timestamp::MAX || state.look.is_some_and(|look| look <= when && look > at) {
        return;
    }
    if let Some(before) = state.look.replace(when) {
        state.deadlines.remove(&(before, Due::Room));
    }
    state.deadlines.insert((when, Due::Room));
}
