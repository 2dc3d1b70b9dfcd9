//! Phase 4: why does nobody serve, and what is the caller told?

use alloc::vec::Vec;

use super::room;
use crate::decision::{Ground, Refusal};
use crate::plan::Plan;
use crate::state::{Asked, State};
use crate::title::{Bar, Passage};
use crate::units::Timestamp;

/// A refusal names so many reasons at most; a world may have thousands of places.
const MAX_GROUNDS: usize = 16;

/// The reasons, when nobody serves: what the holders said, each place that has such capacity, and what kept it
/// from serving.
pub(super) fn grounds(
    state: &State,
    at: Timestamp,
    plan: &Plan,
    asked: &Asked<'_>,
    passage: &Passage<'_>,
) -> Vec<Ground> {
    let mut grounds: Vec<Ground> = asked.failures(None, state).into_iter().map(Ground::Unavailable).collect();
    grounds.extend(passage.let_pass().map(|(_, evidence)| Ground::Unavailable(evidence.clone())));
    for candidate in plan.candidates.iter().filter(|one| !asked.tried(one)) {
        let exclusive = candidate.unless_outage.iter().find(|clause| !state.outage(at, **clause, plan));
        if let Some(clause) = exclusive {
            grounds.push(Ground::Barred(candidate.place, Bar::Exclusive(*clause)));
        } else if candidate.over_budget {
            grounds.push(Ground::Barred(candidate.place, Bar::Budget));
        } else if !passage.declined(candidate.party) {
            grounds.extend(room(state, at, candidate, asked).err().map(Ground::Unavailable));
        }
    }
    grounds.extend(plan.barred.iter().map(|(place, bar)| Ground::Barred(*place, *bar)));
    grounds.truncate(MAX_GROUNDS);
    grounds
}

/// What the caller is told when nobody may serve.
pub(super) fn refusal(state: &State, plan: &Plan, asked: &Asked<'_>, passage: &Passage<'_>) -> Refusal {
    if let Some(retry_after) = asked.throttled() {
        return Refusal::Capacity { retry_after };
    }
    if asked.unsuitable() {
        return Refusal::Rejected;
    }
    if !asked.failures(None, state).is_empty() {
        return Refusal::Failed;
    }
    if passage.let_pass().next().is_some() {
        return Refusal::Declined;
    }
    let outage = plan.candidates.iter().any(|one| !one.unless_outage.is_empty());
    let contract = |bar: &Bar| matches!(bar, Bar::Licence(_) | Bar::Exclusive(_));
    let fit = |bar: &Bar| matches!(bar, Bar::Accelerator | Bar::Interconnect);
    let bars = || plan.barred.iter().map(|(_, bar)| bar).filter(|bar| !matches!(bar, Bar::Home | Bar::Runs));
    let homed = plan.barred.iter().any(|(_, bar)| *bar == Bar::Home);
    if outage || bars().any(contract) {
        Refusal::Contract
    } else if plan.candidates.iter().any(|one| one.over_budget) {
        Refusal::Budget
    } else if bars().any(|bar| !fit(bar)) {
        Refusal::Compliance
    } else if homed {
        Refusal::Home
    } else {
        Refusal::NoProvider
    }
}
