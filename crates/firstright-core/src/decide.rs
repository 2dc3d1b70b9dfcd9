//! How is a workload placed? In four phases, the same for a call and for a job:
//! **eligible** → **rights** → **choose** → **grounds**.

use alloc::vec;
use alloc::vec::Vec;

use crate::clause::{Answering, Clause, FirstRefusal, Variant};
use crate::decision::{Ground, Refusal, Unhedged};
use crate::fact::Terms;
use crate::plan::{Candidate, Plan};
use crate::state::{Asked, Expected, State};
use crate::title::{Bar, Evidence, Passage, Right, Title};
use crate::units::{Money, Span, Timestamp};
use crate::world::{ClauseId, PartyId};

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

/// How the walk through the rights ends.
enum Walk<'a> {
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

/// Phase 2: who must be asked first, and what does each say?
fn rights<'a>(
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

/// Who is taken when no right stands in the way.
enum Choice<'a> {
    Take { candidate: &'a Candidate, count: u32, ground: Ground },
    Soon(Expected),
    Full(Expected),
    Nobody,
}

/// Phase 3: of those who may serve, who is best? Unmet commitment, then sunk cost, then price, then the files' order.
//= rights/choosing.md#CH-1
//= rights/choosing.md#CH-2
//= rights/choosing.md#CH-3
//= rights/choosing.md#CH-4
fn choose<'a>(
    state: &State,
    at: Timestamp,
    asked: &Asked<'_>,
    eligible: &[&'a Candidate],
    passage: &Passage<'_>,
) -> Choice<'a> {
    let mut best: Option<(Rank, &Candidate, u32)> = None;
    let mut full: Option<Expected> = None;
    let mut soon: Option<(Rank, Expected)> = None;
    let mut able: u32 = 0;
    for candidate in eligible.iter().filter(|one| !passage.declined(one.party)) {
        match room(state, at, candidate, asked) {
            Ok(count) => {
                able = able.saturating_add(1);
                let rank = Rank::of(state, at, candidate, asked, count);
                if best.as_ref().is_none_or(|(other, _, _)| rank < *other) {
                    best = Some((rank, candidate, count));
                }
            }
            Err(_) => {
                let expected = state.expected(at, candidate, asked);
                full = Some(full.map_or(expected, |other| other.or(expected)));
                let Some(expected) = state.soon(at, candidate, asked) else { continue };
                let rank = Rank::of(state, at, candidate, asked, asked.count());
                let paid = candidate.sunk || rank.committed.is_some();
                if paid && soon.as_ref().is_none_or(|(other, _)| rank < *other) {
                    soon = Some((rank, expected));
                }
            }
        }
    }
    if let Some((rank, expected)) = soon
        && best.as_ref().is_none_or(|(other, ..)| rank < *other)
    {
        return Choice::Soon(expected);
    }
    match best {
        Some((rank, candidate, count)) => {
            let ground = match rank.committed {
                Some(clause) => Ground::Committed(clause),
                None if able == 1 => Ground::Only,
                None if candidate.sunk => Ground::Sunk,
                None => Ground::Cheapest,
            };
            Choice::Take { candidate, count, ground }
        }
        None if let Some(candidate) = last_resort(state, at, asked, eligible, passage) => {
            Choice::Take { candidate, count: 1, ground: Ground::LastResort }
        }
        None => full.map_or(Choice::Nobody, Choice::Full),
    }
}

/// If nobody has room: one that is only slowed; or if the breaker of everybody who may serve is open, whose last failure is
/// longest past, if it is to be tried.
//= rights/choosing.md#CH-21
fn last_resort<'a>(
    state: &State,
    at: Timestamp,
    asked: &Asked<'_>,
    eligible: &[&'a Candidate],
    passage: &Passage<'_>,
) -> Option<&'a Candidate> {
    let Asked::Call { call, .. } = asked else { return None };
    // Better one attempt than a second one where no call would be sent.
    if call.beside.is_some() {
        return None;
    }
    let left = || eligible.iter().copied().filter(|one| !passage.declined(one.party));
    let allowed = |one: &&Candidate| state.probation_room(one, asked).is_ok();
    let down = |one: &Candidate| {
        state.health_of(one.place).is_some_and(|capacity| capacity.down_since(at).is_some())
    };
    let rested = |one: &Candidate| {
        state.health_of(one.place).and_then(|capacity| capacity.last_resort(at, call.need()))
    };
    // Slow is better than nobody.
    let slowed = |one: &&Candidate| {
        state.health_of(one.place).is_some_and(|capacity| capacity.is_slowed(at, call.need()))
    };
    let mut best: Option<(Rank, &Candidate)> = None;
    for one in left().filter(slowed).filter(allowed) {
        let rank = Rank::of(state, at, one, asked, 1);
        if best.as_ref().is_none_or(|(other, _)| rank < *other) {
            best = Some((rank, one));
        }
    }
    if let Some((_, slow)) = best {
        return Some(slow);
    }
    let all = left().next().is_some() && left().all(down);
    let able = left().filter(allowed).filter_map(|one| Some((rested(one)?, one))).filter(|_| all);
    able.min_by_key(|(since, _)| *since).map(|(_, one)| one)
}

/// The order of preference. Lower is better.
struct Rank {
    split: bool,
    committed: Option<ClauseId>,
    sunk: bool,
    price: Option<i128>,
}

impl Rank {
    fn of(state: &State, at: Timestamp, candidate: &Candidate, asked: &Asked<'_>, count: u32) -> Rank {
        Rank {
            split: count < asked.count(),
            committed: state.unmet(at, candidate),
            sunk: candidate.sunk,
            price: asked.price(candidate),
        }
    }

    /// Whole before split, committed before not, sunk before paid, priced before unpriced, cheap before dear.
    fn key(&self) -> (bool, bool, bool, bool, i128) {
        let price = self.price.unwrap_or(i128::MAX);
        (self.split, self.committed.is_none(), !self.sunk, self.price.is_none(), price)
    }
}

impl PartialEq for Rank {
    fn eq(&self, other: &Rank) -> bool {
        self.key() == other.key()
    }
}

impl PartialOrd for Rank {
    fn partial_cmp(&self, other: &Rank) -> Option<core::cmp::Ordering> {
        Some(self.key().cmp(&other.key()))
    }
}

/// The choice with its title and its reason.
fn take<'p>(passage: Passage<'_>, candidate: &'p Candidate, count: u32, ground: Ground) -> Ruling<'p> {
    let title = passage.title(candidate.party).expect("no right is left when one is chosen");
    let mut grounds = vec![ground];
    grounds.extend(candidate.unless_outage.iter().map(|clause| Ground::Outage(*clause)));
    Ruling::Placed { candidate, count, title, grounds }
}

/// A refusal names so many reasons at most; a world may have thousands of places.
const MAX_GROUNDS: usize = 16;

/// Phase 4: the reasons, when nobody serves: what the holders said, each place that has such capacity, and what kept it
/// from serving.
fn grounds(
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
fn refusal(state: &State, plan: &Plan, asked: &Asked<'_>, passage: &Passage<'_>) -> Refusal {
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
    let bars = || plan.barred.iter().map(|(_, bar)| bar).filter(|bar| **bar != Bar::Home);
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
