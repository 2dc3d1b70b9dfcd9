//! How is a workload placed? In four phases, the same for a call and for a job:
//! **eligible** → **rights** → **choose** → **grounds**. This is their page; all but the first have a file each.

mod choose;
mod grounds;
mod rights;

use alloc::vec;
use alloc::vec::Vec;

use self::choose::{Choice, choose, take};
use self::grounds::{grounds, refusal};
use self::rights::{Walk, rights};
use crate::decision::{Ground, Refusal, Unhedged};
use crate::fact::Terms;
use crate::plan::{Candidate, Plan};
use crate::state::{Asked, Expected, State};
use crate::title::{Evidence, Right, Title};
use crate::units::{Span, Timestamp};

/// What is to be done with a workload.
#[derive(Debug)]
pub(crate) enum Ruling<'p> {
    /// Placed: whose capacity, how much, by what title and why.
    Placed { candidate: &'p Candidate, count: u32, title: Title, grounds: Vec<Ground> },
    /// A holder must be asked first.
    Ask { right: Right, terms: Terms, window: Span, grounds: Vec<Ground> },
    /// A holder has been asked and has not answered.
    Awaited,
    /// The one that it would rather have has no room now, is expected to have some soon, and is waited for.
    Soon { expected: Expected, grounds: Vec<Ground> },
    /// Those who may serve have no room now.
    Full { expected: Expected, grounds: Vec<Ground> },
    /// Nobody may serve.
    Nobody { refusal: Refusal, grounds: Vec<Ground> },
}

/// Decides. Reads the state, changes nothing.
pub(crate) fn decide<'p>(state: &State, at: Timestamp, plan: &'p Plan, asked: &Asked<'_>) -> Ruling<'p> {
    let eligible = eligible(state, at, plan, asked);
    match rights(state, at, plan, asked, &eligible) {
        Walk::Holder { candidate, count, title } => {
            let accepted = title.holds().and_then(|clause| asked.accepted(clause));
            let grounds = accepted.map(|accepted| accepted.ground.clone()).into_iter().collect();
            Ruling::Placed { candidate, count, title, grounds }
        }
        Walk::Ask { right, terms, window, grounds } => Ruling::Ask { right, terms, window, grounds },
        Walk::Awaited => Ruling::Awaited,
        Walk::Keeps(clause) => Ruling::Nobody {
            refusal: Refusal::Unhedged,
            grounds: vec![Ground::Unhedged(Unhedged::Kept(clause))],
        },
        Walk::Soon { expected, evidence } => {
            let short = evidence.into_iter().map(Ground::Unavailable);
            let awaits = Ground::Awaits(expected.place, expected.again);
            Ruling::Soon { expected, grounds: short.chain([awaits]).collect() }
        }
        Walk::Free(passage) => match choose(state, at, asked, &eligible, &passage) {
            Choice::Take { candidate, count, ground } => take(passage, candidate, count, ground),
            Choice::Soon(expected) => {
                let mut grounds = grounds(state, at, plan, asked, &passage);
                grounds.push(Ground::Awaits(expected.place, expected.again));
                Ruling::Soon { expected, grounds }
            }
            Choice::Full(expected) => {
                Ruling::Full { expected, grounds: grounds(state, at, plan, asked, &passage) }
            }
            Choice::Nobody => Ruling::Nobody {
                refusal: refusal(state, plan, asked, &passage),
                grounds: grounds(state, at, plan, asked, &passage),
            },
        },
    }
}

/// Phase 1: who may serve at all? The plan holds what the law says; here is what the state adds: attempts that failed,
/// leases that were lost, and exclusivities that an outage suspends.
fn eligible<'a>(state: &State, at: Timestamp, plan: &'a Plan, asked: &Asked<'_>) -> Vec<&'a Candidate> {
    let within_budget = plan.candidates.iter().filter(|one| !one.over_budget);
    within_budget.filter(|one| may(state, at, plan, asked, one)).collect()
}

/// Does the state let the candidate serve, its price aside?
fn may(state: &State, at: Timestamp, plan: &Plan, asked: &Asked<'_>, candidate: &Candidate) -> bool {
    is_open(state, at, plan, candidate) && !asked.tried(candidate) && !asked.is_beside(candidate)
}

/// Are the exclusivities of others that bar the candidate suspended?
fn is_open(state: &State, at: Timestamp, plan: &Plan, candidate: &Candidate) -> bool {
    candidate.unless_outage.iter().all(|clause| state.outage(at, *clause, plan))
}

/// How much of what is asked the candidate can take as one piece, or what it lacks.
//= rights/choosing.md#CH-10
fn room(state: &State, at: Timestamp, candidate: &Candidate, asked: &Asked<'_>) -> Result<u32, Evidence> {
    let free = state.room(at, candidate, asked)?;
    asked.piece(free).ok_or_else(|| short_of(state, at, candidate, asked, free))
}

fn short_of(state: &State, at: Timestamp, candidate: &Candidate, asked: &Asked<'_>, free: u32) -> Evidence {
    let (need, free) = (u64::from(asked.count()), u64::from(free));
    let observed_at = state.known_since(at, candidate.place);
    Evidence::Short { place: candidate.place, need, free, observed_at }
}
