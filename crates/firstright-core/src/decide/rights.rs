//! Phase 2: who must be asked first, and what does each say?

use alloc::vec;
use alloc::vec::Vec;

use super::choose::Rank;
use super::{is_open, may, room, short_of};
use crate::clause::{Answering, Clause, FirstRefusal, Variant};
use crate::decision::Ground;
use crate::fact::Terms;
use crate::plan::{Candidate, Plan};
use crate::state::{Asked, Expected, State};
use crate::title::{Bar, Evidence, Passage, Right, Title};
use crate::units::{Money, Span, Timestamp};
use crate::world::{ClauseId, PartyId};

/// How the walk through the rights ends.
pub(super) enum Walk<'a> {
    Holder {
        candidate: &'a Candidate,
        count: u32,
        title: Title,
    },
    Ask {
        right: Right,
        terms: Terms,
        window: Span,
        grounds: Vec<Ground>,
    },
    Awaited,
    /// The holder serves the first attempt, beside which this is a second, and has no other place for it.
    Keeps(ClauseId),
    Soon {
        expected: Expected,
        evidence: Vec<Evidence>,
    },
    Free(Passage<'a>),
}

/// What one holder says.
enum Stand<'a> {
    Takes(&'a Candidate, u32),
    Releases(Vec<Evidence>),
    Ask { terms: Terms, window: Span, grounds: Vec<Ground> },
    Awaited,
    Keeps,
    Soon { expected: Expected, evidence: Vec<Evidence> },
}

/// Walks through the rights in their order until a holder takes it, has to be asked, or none is left.
pub(super) fn rights<'a>(
    state: &State,
    at: Timestamp,
    plan: &'a Plan,
    asked: &Asked<'_>,
    eligible: &[&'a Candidate],
) -> Walk<'a> {
    let mut passage = Passage::new(&plan.rights);
    while let Some(right) = passage.next() {
        match stand(state, at, plan, asked, eligible, &passage, right) {
            Stand::Releases(evidence) => passage.release(evidence),
            Stand::Ask { terms, window, grounds } => return Walk::Ask { right, terms, window, grounds },
            Stand::Awaited => return Walk::Awaited,
            Stand::Keeps => return Walk::Keeps(right.clause),
            Stand::Soon { expected, evidence } => return Walk::Soon { expected, evidence },
            Stand::Takes(candidate, count) => {
                let title = passage.title(candidate.party).expect("the next right is this party's");
                return Walk::Holder { candidate, count, title };
            }
        }
    }
    Walk::Free(passage)
}

/// What the holder of one right says.
fn stand<'a>(
    state: &State,
    at: Timestamp,
    plan: &'a Plan,
    asked: &Asked<'_>,
    eligible: &[&'a Candidate],
    passage: &Passage<'_>,
    right: Right,
) -> Stand<'a> {
    let Clause::FirstRefusal(clause) = &state.world.clause(right.clause).clause else {
        return Stand::Releases(vec![Evidence::Absent]);
    };
    //= rights/first-refusal.md#FR-14
    //= rights/first-refusal.md#FR-15
    if let Some(which) = clause.carved_out(&asked.view(state), asked.emergency()) {
        return Stand::Releases(vec![Evidence::CarvedOut {
            which: u16::try_from(which).unwrap_or(u16::MAX),
        }]);
    }
    let third = third(state, at, plan, asked, eligible, passage, right);
    let mut own: Vec<&Candidate> = eligible.iter().copied().filter(|one| one.party == right.holder).collect();
    // Whose list price is over the budget may still match a third party's that is within it.
    if clause.variant == Variant::Matching && (third.is_some() || asked.pending(right.clause)) {
        let dear = plan.candidates.iter().filter(|one| one.over_budget && one.party == right.holder);
        own.extend(dear.filter(|one| may(state, at, plan, asked, one)));
    }
    let beside = beside(state, at, plan, asked, right.holder);
    if own.is_empty() {
        return match beside {
            Beside::Keeps => Stand::Keeps,
            Beside::Ails(evidence) => Stand::Releases(why_not(state, at, plan, asked, right, vec![evidence])),
            Beside::No => Stand::Releases(why_not(state, at, plan, asked, right, vec![])),
        };
    }
    //= rights/first-refusal.md#FR-13
    if let Some(release) = asked.release(right.clause)
        && asked.accepted(right.clause).is_none()
        && kept(state, plan, asked, eligible, release.until)
    {
        return Stand::Releases(vec![release.evidence.clone()]);
    }
    match clause.answering {
        Answering::Standing => standing(state, at, asked, clause, &own, beside),
        Answering::Within(window) => within(state, at, asked, clause, right, &own, third, window),
    }
}

/// How the holder of a right stands to the first attempt, if this is a second beside it.
enum Beside {
    /// It does not serve that.
    No,
    /// It serves it, and nothing shows that it cannot.
    Keeps,
    /// It serves it, and this shows that it cannot.
    Ails(Evidence),
}

/// A holder that serves the first attempt has taken the work: that one answer is late or that there is no more room says
/// nothing against it, but only what would keep every call away.
//= rights/choosing.md#CH-24
fn beside(state: &State, at: Timestamp, plan: &Plan, asked: &Asked<'_>, holder: PartyId) -> Beside {
    let first = plan.candidates.iter().find(|one| one.party == holder && asked.is_beside(one));
    match first.filter(|one| is_open(state, at, plan, one)) {
        None => Beside::No,
        Some(first) => state.ails(at, first, asked).map_or(Beside::Keeps, Beside::Ails),
    }
}

/// Did a holder take the work that was asked before a release ran out, and may it still serve? Its word is kept.
fn kept(state: &State, plan: &Plan, asked: &Asked<'_>, eligible: &[&Candidate], until: Timestamp) -> bool {
    plan.rights.iter().any(|other| {
        asked.accepted(other.clause).is_some_and(|accepted| {
            let mut own = eligible.iter().filter(|one| one.party == other.holder);
            accepted.asked < until
                && own.any(|one| state.probation_room(one, asked).is_ok_and(|left| left >= accepted.count))
        })
    })
}

/// The holder's published capacity answers for it. [FR-3] [FR-4] [FR-21]
//= rights/first-refusal.md#FR-3
//= rights/first-refusal.md#FR-4
fn standing<'a>(
    state: &State,
    at: Timestamp,
    asked: &Asked<'_>,
    clause: &FirstRefusal,
    own: &[&'a Candidate],
    beside: Beside,
) -> Stand<'a> {
    let mut evidence = asked.failures(own.first().map(|one| one.party), state);
    let mut best: Option<(Rank, &Candidate, u32)> = None;
    for candidate in own {
        let piece = room(state, at, candidate, asked);
        match piece {
            Ok(count) if clause.partial || count == asked.count() => {
                let rank = Rank::of(state, at, candidate, asked, count);
                if best.as_ref().is_none_or(|(other, _, _)| rank < *other) {
                    best = Some((rank, candidate, count));
                }
            }
            Ok(count) => evidence.push(short_of(state, at, candidate, asked, count)),
            Err(short) => evidence.push(short),
        }
    }
    if let Some((_, candidate, count)) = best {
        return Stand::Takes(candidate, count);
    }
    match beside {
        Beside::Keeps => return Stand::Keeps,
        Beside::Ails(other) => evidence.push(other),
        Beside::No => {}
    }
    match own.iter().filter_map(|one| state.soon(at, one, asked)).reduce(Expected::or) {
        Some(expected) => Stand::Soon { expected, evidence },
        None => Stand::Releases(evidence),
    }
}

/// The holder is asked, and has the window to answer. [FR-5]
//= rights/first-refusal.md#FR-5
#[expect(
    clippy::too_many_arguments,
    reason = "one phase's inputs, each named; a struct would only rename them"
)]
fn within<'a>(
    state: &State,
    at: Timestamp,
    asked: &Asked<'_>,
    clause: &FirstRefusal,
    right: Right,
    own: &[&'a Candidate],
    third: Option<Money>,
    window: Span,
) -> Stand<'a> {
    let allowed = |one: &Candidate| state.probation_room(one, asked).unwrap_or(0);
    let probation = || {
        let clauses = own.iter().filter_map(|one| one.probation);
        Stand::Releases(clauses.map(|(clause, ..)| Evidence::Probation { clause }).collect())
    };
    if let Some(accepted) = asked.accepted(right.clause) {
        // It is bound by its word, whatever it has declared: the roomiest of its places takes the work. Other work that it
        // was given since it was asked may have used up what probation allows.
        let room = |one: &&&Candidate| state.room(at, one, asked).unwrap_or(0);
        // A right that came into force during the window may have taken some of it already.
        let count = accepted.count.min(asked.count());
        let place = own.iter().rev().filter(|one| allowed(one) >= count).max_by_key(room);
        return place.map_or_else(probation, |one| Stand::Takes(one, count));
    }
    if asked.offered(right.clause) {
        return Stand::Awaited;
    }
    // What probation forbids is not offered.
    //= rights/assurance.md#AS-5
    let left = |one: &&Candidate| asked.piece(allowed(one));
    let count = own.iter().filter_map(left).max().filter(|count| clause.partial || *count == asked.count());
    let own_hour = own.iter().filter_map(|one| one.hour).min();
    let mut grounds = vec![Ground::Asks(right.clause)];
    //= rights/first-refusal.md#FR-12
    let mut hour = match clause.variant {
        Variant::FirstOffer => own_hour,
        Variant::Matching => third.or(own_hour),
    };
    if let Some(release) = asked.release(right.clause) {
        let better = release.hour.zip(third).is_some_and(|(passed, third)| third > passed);
        //= rights/first-refusal.md#FR-13
        //= rights/first-refusal.md#FR-16
        if at >= release.until {
            grounds.push(Ground::ReleaseEnded(right.clause));
        } else if better && count.is_some() {
            grounds.push(Ground::BetterTerms(right.clause));
            hour = third;
        } else {
            return Stand::Releases(vec![release.evidence.clone()]);
        }
    }
    let Some(count) = count else { return probation() };
    let terms = Terms { count, hour, duration: asked.duration() };
    Stand::Ask { terms, window, grounds }
}

/// The price at which a third party would get the work if the holder released it now: that of whoever would be chosen
/// among those who have not let it pass themselves, whether their right comes before this one or after it.
fn third(
    state: &State,
    at: Timestamp,
    plan: &Plan,
    asked: &Asked<'_>,
    eligible: &[&Candidate],
    passage: &Passage<'_>,
    right: Right,
) -> Option<Money> {
    if matches!(asked, Asked::Call { .. }) {
        return None;
    }
    let lasts = |other: &Right| asked.release(other.clause).is_some_and(|release| at < release.until);
    let passed = |party| {
        passage.declined(party) || plan.rights.iter().any(|other| other.holder == party && lasts(other))
    };
    let others = eligible.iter().filter(|one| one.party != right.holder && !passed(one.party));
    let mut best: Option<(Rank, Option<Money>)> = None;
    for one in others {
        let Ok(count) = room(state, at, one, asked) else { continue };
        let rank = Rank::of(state, at, one, asked, count);
        if best.as_ref().is_none_or(|(other, _)| rank < *other) {
            best = Some((rank, one.hour));
        }
    }
    best.and_then(|(_, hour)| hour)
}

/// Why a holder has no candidate: it was tried, is barred, or has no such place. [FR-17]
//= rights/first-refusal.md#FR-17
fn why_not(
    state: &State,
    at: Timestamp,
    plan: &Plan,
    asked: &Asked<'_>,
    right: Right,
    mut evidence: Vec<Evidence>,
) -> Vec<Evidence> {
    evidence.extend(asked.failures(Some(right.holder), state));
    let barred = plan.barred.iter().filter(|(place, _)| state.party_of(*place) == right.holder);
    evidence.extend(barred.map(|(place, bar)| Evidence::Barred { place: *place, bar: *bar }));
    for one in plan.candidates.iter().filter(|one| one.party == right.holder) {
        let binding = one.unless_outage.iter().filter(|clause| !state.outage(at, **clause, plan));
        let exclusive = binding.map(|clause| Bar::Exclusive(*clause));
        let budget = one.over_budget.then_some(Bar::Budget);
        evidence.extend(exclusive.chain(budget).map(|bar| Evidence::Barred { place: one.place, bar }));
    }
    if evidence.is_empty() {
        evidence.push(Evidence::Absent);
    }
    evidence
}
