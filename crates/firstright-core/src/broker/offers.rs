//! What did the holder say, and what follows?

use alloc::vec;
use alloc::vec::Vec;

use super::{Broker, note};
use crate::clause::{Clause, FirstRefusal, Silence};
use crate::decision::{Action, Decision, Ground};
use crate::fact::{Answer, OfferId, Terms};
use crate::state::{Accepted, Due, Offer, Pass};
use crate::title::Evidence;
use crate::units::Timestamp;
use crate::world::PartyId;

impl Broker {
    /// A party answered an offer.
    pub(super) fn answered(
        &mut self,
        at: Timestamp,
        id: OfferId,
        by: PartyId,
        answer: &Answer,
        out: &mut Vec<Decision>,
    ) {
        //= rights/first-refusal.md#FR-11
        let Some((offer, clause)) = self.open_offer(id) else { return note(out, vec![Ground::Late(id)]) };
        if offer.holder != by {
            return note(out, vec![Ground::NotTheHolder(id)]);
        }
        match answer {
            //= rights/first-refusal.md#FR-6
            Answer::Accept => self.takes(at, id, &offer, offer.terms, Ground::Accepted(id), out),
            //= rights/first-refusal.md#FR-7
            Answer::Decline(_) => self.releases(at, id, &offer, Evidence::Declined { offer: id, at }, out),
            Answer::Partial(count) => self.takes_part(at, id, &offer, &clause, *count, out),
            //= rights/first-refusal.md#FR-10
            Answer::Counter(terms)
                if clause.counter
                    && terms.duration == offer.terms.duration
                    && (terms.count >= offer.terms.count || self.is_piece(&offer, terms.count)) =>
            {
                if let Some(open) = self.state.as_mut().and_then(|state| state.offers.get_mut(&id)) {
                    open.counter = Some(*terms);
                }
                out.push(Decision {
                    action: Action::PutCounter { offer: id, terms: *terms },
                    grounds: vec![],
                });
            }
            Answer::Counter(_) => note(out, vec![Ground::NotAllowed(offer.clause)]),
        }
    }

    /// The holder takes a part, if the clause allows parts and both pieces are large enough.
    //= rights/first-refusal.md#FR-9
    fn takes_part(
        &mut self,
        at: Timestamp,
        id: OfferId,
        offer: &Offer,
        clause: &FirstRefusal,
        count: u32,
        out: &mut Vec<Decision>,
    ) {
        let all = offer.terms.count;
        if count >= all {
            return self.takes(at, id, offer, offer.terms, Ground::Accepted(id), out);
        }
        if !clause.partial || !self.is_piece(offer, count) {
            return note(out, vec![Ground::NotAllowed(offer.clause)]);
        }
        self.takes(at, id, offer, Terms { count, ..offer.terms }, Ground::AcceptedPart(id), out);
    }

    /// Is so much of the offered job, and what it leaves, no smaller than the job's smallest piece?
    //= rights/choosing.md#CH-10
    fn is_piece(&self, offer: &Offer, count: u32) -> bool {
        let job = self.state.as_ref().and_then(|state| state.jobs.get(&offer.job));
        let (least, unplaced) = job.map_or((1, offer.terms.count), |job| (job.job.min_chunk, job.unplaced));
        count >= least.max(1) && unplaced.saturating_sub(count) >= least
    }

    /// The operator answered a holder's counter. The window runs on unless it agreed.
    //= rights/first-refusal.md#FR-10
    pub(super) fn counter_answered(
        &mut self,
        at: Timestamp,
        id: OfferId,
        agreed: bool,
        out: &mut Vec<Decision>,
    ) {
        let Some((offer, _)) = self.open_offer(id) else { return note(out, vec![Ground::Late(id)]) };
        let Some(terms) = offer.counter else { return note(out, vec![Ground::NotOpen]) };
        if agreed {
            let terms = Terms { count: terms.count.min(offer.terms.count), ..terms };
            return self.takes(at, id, &offer, terms, Ground::CounterAgreed(id), out);
        }
        if let Some(open) = self.state.as_mut().and_then(|state| state.offers.get_mut(&id)) {
            open.counter = None;
        }
        note(out, vec![]);
    }

    /// The window's end: silence is an answer.
    //= rights/first-refusal.md#FR-8
    pub(super) fn window_ended(&mut self, at: Timestamp, id: OfferId, out: &mut Vec<Decision>) {
        let Some((offer, clause)) = self.open_offer(id) else { return };
        match clause.silence {
            Silence::Accepts => self.takes(at, id, &offer, offer.terms, Ground::SilenceAccepts(id), out),
            Silence::Declines => {
                self.releases(at, id, &offer, Evidence::Silent { offer: id, until: offer.until }, out);
            }
        }
    }

    /// The holder takes so many on these terms; what is left over is released.
    fn takes(
        &mut self,
        at: Timestamp,
        id: OfferId,
        offer: &Offer,
        terms: Terms,
        ground: Ground,
        out: &mut Vec<Decision>,
    ) {
        self.close(id, offer);
        let Some(job) = self.state.as_mut().and_then(|state| state.jobs.get_mut(&offer.job)) else { return };
        // Asked again it has taken it: what it let pass before says nothing of the rest.
        job.passes.remove(&offer.clause);
        let (clause, count, hour, asked) = (offer.clause, terms.count, terms.hour, offer.made);
        job.accepted = Some(Accepted { clause, count, hour, ground, asked });
        if terms.count < offer.terms.count {
            self.pass(at, offer, Evidence::PartTaken { offer: id, count: terms.count });
        }
        self.advance(at, offer.job, vec![], out);
    }

    /// The holder lets the work pass, and the job goes on to the next.
    fn releases(
        &mut self,
        at: Timestamp,
        id: OfferId,
        offer: &Offer,
        evidence: Evidence,
        out: &mut Vec<Decision>,
    ) {
        self.close(id, offer);
        self.pass(at, offer, evidence);
        self.advance(at, offer.job, vec![], out);
    }

    /// Notes a release, for as long as the clause's protection period lasts.
    //= rights/first-refusal.md#FR-13
    fn pass(&mut self, at: Timestamp, offer: &Offer, evidence: Evidence) {
        let Some(state) = self.state.as_mut() else { return };
        // Who was silent has released at the window's end, however late that is noticed.
        let since = at.min(offer.until);
        let until = match &state.world.clause(offer.clause).clause {
            Clause::FirstRefusal(clause) => clause.protection.map_or(Timestamp::MAX, |span| since.plus(span)),
            _ => Timestamp::MAX,
        };
        if let Some(job) = state.jobs.get_mut(&offer.job) {
            job.passes.insert(offer.clause, Pass { evidence, until, hour: offer.terms.hour });
        }
    }

    fn open_offer(&self, id: OfferId) -> Option<(Offer, FirstRefusal)> {
        let state = self.state.as_ref()?;
        let offer = state.offers.get(&id)?;
        match &state.world.clause(offer.clause).clause {
            Clause::FirstRefusal(clause) => Some((offer.clone(), clause.clone())),
            _ => None,
        }
    }

    fn close(&mut self, id: OfferId, offer: &Offer) {
        let Some(state) = self.state.as_mut() else { return };
        state.offers.remove(&id);
        state.deadlines.remove(&(offer.until, Due::Offer(id)));
        if let Some(job) = state.jobs.get_mut(&offer.job) {
            job.offer = None;
        }
    }
}
