//! May there be a second attempt beside a call's first, and which of the two is the call when one fails?
//! `docs/rights/choosing.md` from CH-22 on. What holders and accounts say to it is judged as for any other call.

use firstright_core::decision::Ground;
use firstright_core::fact::{Fact, FailureKind};
use firstright_core::title::Place;
use firstright_core::units::{SECOND, Span, Timestamp};
use firstright_core::workload::{Call, CallId, Family};

use crate::past::{CallPast, Past};
use crate::spec::{Check, must};

impl<'a> Past<'a> {
    /// A call came that may be a second attempt.
    pub fn stand_beside(&self, fresh: &mut CallPast<'a>) {
        let first = fresh.call.hedges.and_then(|first| self.calls.get(&first));
        let Some((first, place)) = first.and_then(|first| Some((first, first.serving?))) else { return };
        fresh.beside = Some((first.call.id, place));
        fresh.failures = first.failures.clone();
    }

    /// [CH-25] An attempt failed: if there is another beside it, that one goes on.
    pub fn gives_way(&mut self, id: CallId, kind: FailureKind) {
        let call = &self.calls[&id];
        let (failures, arrived, failure) =
            (call.failures.clone(), call.arrived, call.failures.last().copied());
        let (beside, hedge) = (call.beside, call.hedge.filter(|_| kind != FailureKind::Rejected));
        let open = |one: &&mut CallPast<'a>| !one.ended;
        if let Some((first, _)) = beside {
            self.calls.get_mut(&id).into_iter().for_each(|one| one.gave_way = true);
            let first = self.calls.get_mut(&first).filter(open);
            first.into_iter().for_each(|first| first.failures.extend(failure));
        } else if let Some(second) = hedge.and_then(|hedge| self.calls.get_mut(&hedge)).filter(open) {
            (second.failures, second.arrived) = (failures, arrived);
            (second.beside, second.took_over) = (None, true);
            self.calls.get_mut(&id).into_iter().for_each(|one| one.gave_way = true);
        }
    }

    /// May it be sent there, beside another attempt or after one?
    pub fn one_of_two(&self, id: CallId, place: Place, as_asked: bool, grounds: &[Ground]) -> Check {
        let call = &self.calls[&id];
        must(!call.gave_way, "the other attempt goes on as the call")?; // [CH-25]
        let again = call.failures.last().is_some_and(|(.., kind)| kind.is_theirs());
        must(!(again || call.beside.is_some()) || self.may_try_again(call), "too much is tried again")?; // [CH-16]
        let Some((beside, taken)) = call.beside else {
            return must(call.call.hedges.is_none() || call.took_over, "it stands beside nothing");
        };
        let first = &self.calls[&beside];
        let tenant = self.world.tenant(call.call.tenant);
        let like = Call { id, hedges: Some(beside), ..first.call.clone() };
        let late = tenant.hedge_after.0 > 0 && self.now.since(first.sent) >= tenant.hedge_after;
        let kept = call.call.family != Family::Inference || call.call.home.is_some() || call.call.trains;
        let now = matches!(self.fact, Fact::CallArrived(fresh) if fresh.id == id);
        must(*call.call == like && first.serving == Some(taken), "it is not like the first attempt")?; // [CH-22]
        must(late, "its tenant does not ask for it, or not yet")?;
        must(first.hedge.is_none() && first.call.hedges.is_none(), "a third attempt at once")?;
        must(!kept, "what it is about lives at a provider")?;
        must(place != taken, "at the place of the first attempt")?;
        must(now && as_asked, "it waited, or was given another model")?; // [CH-23]
        must(!self.calls.values().any(|other| other.waits), "others wait")?;
        must(first.failures.len() + 1 < 4, "a fifth attempt")?; // [CH-11]
        must(!grounds.contains(&Ground::LastResort), "as a last resort")?;
        must(grounds.contains(&Ground::Hedges(beside)), "it does not say beside which call")
    }

    /// [CH-24] Is want of room there no evidence, because the place has taken the call already?
    pub fn has_taken(&self, call: Option<&CallPast<'_>>, place: Place) -> bool {
        call.and_then(|call| call.beside).is_some_and(|(_, taken)| taken == place)
    }

    /// [CH-16] Has so little of the tenant's been tried again that another may be? The window slides in steps of ten
    /// seconds, so it is between 110 and 120 seconds long.
    fn may_try_again(&self, call: &CallPast<'_>) -> bool {
        let own = || self.calls.values().filter(|one| one.call.tenant == call.call.tenant);
        let within = |at: Timestamp, seconds: u64| self.now.since(at) < Span(seconds * SECOND);
        let came = own().filter(|one| one.call.hedges.is_none() && within(one.came, 120)).count();
        let tried = || own().flat_map(|one| &one.retried);
        let made = tried().filter(|at| within(**at, 110)).count();
        let step = |at: Timestamp| at.0 / (10 * SECOND);
        let just = tried().filter(|at| step(**at) == step(self.now)).count();
        just < 10 || (made + 1) * 10 <= came
    }
}
