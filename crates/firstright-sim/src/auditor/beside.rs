//! Is a call tried a second time only where its tenant asks for it, once, elsewhere, and within what may be tried again?
//! And which of the two attempts is the call when one of them fails?

use std::collections::{BTreeMap, VecDeque};

use firstright_core::decision::Ground;
use firstright_core::fact::FailureKind;
use firstright_core::title::{Evidence, Place, Title};
use firstright_core::units::{SECOND, Span, Timestamp};
use firstright_core::workload::{Call, CallId, Family};
use firstright_core::world::{DeploymentId, TenantId, World};

use super::{Auditor, Tracked};

/// What was tried again counts for so long at the least, and what arrived at the most; the core's window lies between.
const LEAST: Span = Span(110 * SECOND);
const MOST: Span = Span(120 * SECOND);
/// So many in ten seconds are had in any case.
const FLOOR: usize = 10;

/// What a tenant brought of late, and what of it was tried again.
#[derive(Default)]
pub(super) struct Tries {
    came: VecDeque<Timestamp>,
    again: VecDeque<Timestamp>,
}

pub(super) type AllTries = BTreeMap<TenantId, Tries>;

impl Tries {
    pub(super) fn came(&mut self, at: Timestamp) {
        self.came.push_back(at);
        forget(&mut self.came, at, MOST);
    }

    /// Another is tried again. Were there too many?
    fn again(&mut self, at: Timestamp) -> bool {
        forget(&mut self.came, at, MOST);
        forget(&mut self.again, at, LEAST);
        let step = |at: Timestamp| at.0 / (10 * SECOND);
        let just = self.again.iter().filter(|one| step(**one) == step(at)).count();
        let many = just >= FLOOR && (self.again.len() + 1) * 10 > self.came.len();
        self.again.push_back(at);
        many
    }
}

fn forget(times: &mut VecDeque<Timestamp>, at: Timestamp, after: Span) {
    while times.front().is_some_and(|one| at.since(*one) >= after) {
        times.pop_front();
    }
}

impl Auditor {
    /// The first attempt's place and failures, if this is a second one.
    pub(super) fn stand_beside(&self, tracked: &mut Tracked) {
        let first = tracked.call.hedges.and_then(|first| self.calls.get(&first));
        let Some((first, serving)) = first.and_then(|first| Some((first, first.serving.as_ref()?))) else {
            return;
        };
        tracked.beside = Some((first.call.id, serving.deployment));
        tracked.failed.clone_from(&first.failed);
    }

    /// An attempt failed: the other of two goes on as the call.
    pub(super) fn gives_way(&mut self, id: CallId, kind: FailureKind) {
        let Some(tracked) = self.calls.get(&id) else { return };
        let (failed, arrived, beside) = (tracked.failed.clone(), tracked.arrived, tracked.beside);
        let hedge = tracked.hedge.filter(|_| kind != FailureKind::Rejected);
        let other = beside.map(|(first, _)| first).or(hedge);
        let other = other.and_then(|other| self.calls.get_mut(&other)).filter(|other| other.outcomes == 0);
        match (beside, other) {
            (Some(_), Some(first)) => first.failed.extend(failed.last()),
            (None, Some(second)) => {
                (second.failed, second.arrived, second.beside) = (failed, arrived, None);
            }
            (Some(_), None) => {}
            (None, None) => return,
        }
        self.calls.entry(id).and_modify(|tracked| tracked.gave_way = true);
    }

    /// A call is sent somewhere: is it a second attempt, or one after a failure, and may it be?
    pub(super) fn tried_again(
        &mut self,
        world: &World,
        id: CallId,
        to: DeploymentId,
        title: &Title,
        grounds: &[Ground],
    ) {
        let Some(tracked) = self.calls.get(&id) else { return };
        let (call, beside, gave_way) = (tracked.call.clone(), tracked.beside, tracked.gave_way);
        let theirs = tracked.failed.last().is_some_and(|(_, kind, _)| {
            matches!(kind, FailureKind::ServerError | FailureKind::Unreachable | FailureKind::TimedOut)
        });
        self.must(!gave_way, || format!("call {} goes on, and so does the other attempt", id.0));
        if theirs || beside.is_some() {
            let many = self.tries.entry(call.tenant).or_default().again(self.at);
            self.must(!many, || format!("call {} is tried again, and more than a tenth was already", id.0));
        }
        let (first, place) = match beside {
            Some(beside) => beside,
            None => {
                let alone = grounds.iter().all(|ground| !matches!(ground, Ground::Hedges(_)));
                return self.must(alone, || format!("call {} stands beside nothing", id.0));
            }
        };
        let why = self.not_beside(world, &call, first, (place, to));
        self.must(why.is_none(), || {
            format!("call {} is a second attempt: {}", id.0, why.unwrap_or_default())
        });
        let said = grounds.contains(&Ground::Hedges(first));
        self.must(said, || format!("call {} does not say beside which it stands", id.0));
        let full = |one: &Evidence| matches!(one, Evidence::Short { place: at, .. } if *at == Place::Deployment(place));
        let left = title.releases().iter().any(|release| release.evidence().iter().any(full));
        self.must(!left, || format!("call {} leaves the holder that serves it for want of room", id.0));
        self.calls.entry(first).and_modify(|one| one.hedge = Some(id));
    }

    /// Why there may be no second attempt of the call.
    fn not_beside(
        &self,
        world: &World,
        call: &Call,
        first: CallId,
        (place, to): (DeploymentId, DeploymentId),
    ) -> Option<&'static str> {
        let one = self.calls.get(&first)?;
        let asked = world.tenant(call.tenant).hedge_after;
        let since = one.serving.as_ref().filter(|one| one.deployment == place).map(|one| one.since);
        let like = Call { id: call.id, hedges: Some(first), ..one.call.clone() } == *call;
        let lives = call.home.is_some() || call.trains || call.family != Family::Inference;
        if since.is_none() || !like {
            Some("no such call is being served")
        } else if asked.0 == 0 || since.is_some_and(|since| self.at.since(since) < asked) {
            Some("its tenant does not ask for it, or not yet")
        } else if one.hedge.is_some() || one.call.hedges.is_some() {
            Some("there was one already")
        } else if lives {
            Some("it is about what lives at a provider")
        } else if to == place {
            Some("it goes where the first is")
        } else if !self.waiting.is_empty() {
            Some("others wait")
        } else {
            None
        }
    }
}
