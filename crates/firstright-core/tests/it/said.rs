//! What has a holder said to an offer, and does its word still stand? Read from the past by `docs/rights/first-refusal.md`.

use firstright_core::clause::{Clause, Silence};
use firstright_core::fact::{Answer, Fact};
use firstright_core::units::Timestamp;
use firstright_core::world::ClauseId;

use crate::able::Work;
use crate::past::{Offered, Past};

/// What a holder that was asked has said.
#[derive(Clone, Copy, PartialEq)]
pub enum Word {
    Took(u32),
    Declined,
    Silent,
}

/// [CH-10] Is it all that is left, or a part that is large enough and leaves a rest that is?
pub fn is_piece(count: u32, left: u32, least: u32) -> bool {
    count > 0 && (count == left || (count >= least && left >= count + least))
}

impl Past<'_> {
    /// The offer that is open.
    pub fn open<'b>(&self, work: &Work<'b>) -> Option<&'b Offered<'b>> {
        work.job?.offers.iter().find(|one| !one.withdrawn && self.word(one).is_none())
    }

    /// The offer that a holder took last and was not placed by yet, and how many accelerators of it.
    pub fn taken<'b>(&self, work: &Work<'b>) -> Option<(&'b Offered<'b>, u32)> {
        let job = work.job?;
        let mut offers = job.offers[job.anew..].iter().rev().filter(|one| !one.spent && !one.withdrawn);
        offers.find_map(|one| match self.word(one)?.1 {
            Word::Took(count) => Some((one, count)),
            Word::Declined | Word::Silent => None,
        })
    }

    /// [FR-19] What the holder said, if it let the work pass since the last trigger. [FR-13] That lasts for the protection
    /// period; as evidence also as long as the word stands of somebody who was asked within it.
    pub fn let_pass<'b>(
        &self,
        work: &Work<'b>,
        id: ClauseId,
        evidence: bool,
    ) -> Option<(Timestamp, Word, &'b Offered<'b>)> {
        let job = work.job?;
        let offer = job.offers[job.anew..].iter().rev().find(|one| one.clause == id && !one.withdrawn)?;
        let (at, word) = self.word(offer)?;
        let Clause::FirstRefusal(right) = &self.world.clause(id).clause else { return None };
        let stands = |one: &&Offered<'_>| !one.spent && matches!(self.word(one), Some((_, Word::Took(_))));
        let kept = job.offers[job.anew..].iter().find(stands).filter(|_| evidence);
        let then = kept.map_or(self.now, |one| one.made);
        let lasts = right.protection.is_none_or(|span| then < at.plus(span));
        (lasts && word != Word::Took(offer.terms.count)).then_some((at, word, offer))
    }

    /// What the holder has said to the offer, and when; silence is an answer.
    pub fn word(&self, offer: &Offered<'_>) -> Option<(Timestamp, Word)> {
        let Clause::FirstRefusal(right) = &self.world.clause(offer.clause).clause else { return None };
        let (all, mut counter) = (offer.terms.count, None);
        for (at, left, fact) in offer.said.iter().filter(|said| said.0 < offer.until) {
            let fit = |count: &u32| *count == all || is_piece(*count, *left, offer.least);
            let took = match fact {
                Fact::Answered { by, .. } if *by != offer.holder => None, // [FR-11]
                Fact::Answered { answer: Answer::Accept, .. } => Some(all), // [FR-6]
                Fact::Answered { answer: Answer::Decline(_), .. } => return Some((*at, Word::Declined)),
                Fact::Answered { answer: Answer::Partial(count), .. } => {
                    Some(*count.min(&all)).filter(|count| *count == all || right.partial).filter(fit) // [FR-9]
                }
                Fact::Answered { answer: Answer::Counter(terms), .. } => {
                    let allowed = right.counter && terms.duration == offer.terms.duration; // [FR-10]
                    counter = Some(terms.count.min(all)).filter(|_| allowed).filter(fit).or(counter);
                    None
                }
                Fact::CounterAnswered { agreed, .. } => counter.take().filter(|_| *agreed),
                _ => None,
            };
            if let Some(count) = took {
                return Some((*at, Word::Took(count)));
            }
        }
        let silence = if right.silence == Silence::Accepts { Word::Took(all) } else { Word::Silent };
        (self.now >= offer.until).then_some((offer.until, silence)) // [FR-8]
    }
}
