//! Phase 3: of those who may serve, who is best?

use alloc::vec;

use super::{Ruling, room};
use crate::decision::Ground;
use crate::plan::Candidate;
use crate::state::{Asked, Expected, State};
use crate::title::Passage;
use crate::units::Timestamp;
use crate::world::ClauseId;

/// Who is taken when no right stands in the way.
pub(super) enum Choice<'a> {
    Take { candidate: &'a Candidate, count: u32, ground: Ground },
    Soon(Expected),
    Full(Expected),
    Nobody,
}

/// The best of those who may serve: unmet commitment, then sunk cost, then price, then the files' order.
//= rights/choosing.md#CH-1
//= rights/choosing.md#CH-2
//= rights/choosing.md#CH-3
//= rights/choosing.md#CH-4
pub(super) fn choose<'a>(
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
pub(super) struct Rank {
    split: bool,
    committed: Option<ClauseId>,
    sunk: bool,
    price: Option<i128>,
}

impl Rank {
    pub(super) fn of(
        state: &State,
        at: Timestamp,
        candidate: &Candidate,
        asked: &Asked<'_>,
        count: u32,
    ) -> Rank {
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
pub(super) fn take<'p>(
    passage: Passage<'_>,
    candidate: &'p Candidate,
    count: u32,
    ground: Ground,
) -> Ruling<'p> {
    let title = passage.title(candidate.party).expect("no right is left when one is chosen");
    let mut grounds = vec![ground];
    grounds.extend(candidate.unless_outage.iter().map(|clause| Ground::Outage(*clause)));
    Ruling::Placed { candidate, count, title, grounds }
}
