//! Which outcomes are lawful? `docs/rights` as a checklist: who may serve, which rights stand before a placement, and has
//! what each was released by happened? Preference, prices and the reckoning of capacity are not judged here.

use firstright_core::clause::{Answering, CarveOut, Clause, FirstRefusal, Silence};
use firstright_core::decision::{Action, Decision, Ground, Refusal};
use firstright_core::fact::{Answer, Fact, LeaseEnding, OfferId};
use firstright_core::title::{Bar, Evidence, Place, Title};
use firstright_core::units::{Money, Timestamp};
use firstright_core::workload::{CallId, JobId, View};
use firstright_core::world::{ClauseId, ModelId};

use crate::past::{CallPast, JobPast, Offered, Past};

type Check = Result<(), String>;

/// A workload as the law sees it, and what became of it so far.
pub struct Work<'a> {
    pub view: View<'a>,
    pub call: Option<&'a CallPast<'a>>,
    pub job: Option<&'a JobPast<'a>>,
    /// Accelerators that are not placed yet; 1 for a call.
    pub left: u32,
}

/// What a holder that was asked has said.
#[derive(Clone, Copy, PartialEq)]
pub enum Word {
    Took(u32),
    Declined,
    Silent,
}

fn must(holds: bool, or: &str) -> Check {
    if holds { Ok(()) } else { Err(or.to_string()) }
}

/// [CH-10] Is it all that is left, or a part that is large enough and leaves a rest that is?
fn is_piece(count: u32, left: u32, least: u32) -> bool {
    count > 0 && (count == left || (count >= least && left >= count + least))
}

impl<'a> Past<'a> {
    /// Is this decision lawful now?
    pub fn lawful(&self, decision: &Decision) -> Check {
        match &decision.action {
            Action::Serve { call, deployment, model, title, .. } => {
                let asked = self.calls[call].call.model;
                let mut instead = self.world.tenant(self.calls[call].call.tenant).substitutes.iter();
                let permitted =
                    instead.any(|(glob, to)| glob.matches(self.world.model(asked)) && to == model);
                must(*model == asked || permitted, "a model that was not asked for")?; // [CH-6]
                self.placed(&self.call(*call, *model)?, Place::Deployment(*deployment), 1, None, title)
            }
            Action::Queue { call, .. } => self.call(*call, self.calls[call].call.model).map(drop),
            Action::Refuse { call, refusal } => {
                self.refused(&self.call(*call, self.calls[call].call.model)?, *refusal)
            }
            Action::Settle { call, .. } => must(!self.calls[call].ended, "a second outcome"),
            Action::Dispatch { job, place, count, hour, title, resumes, .. } => {
                match decision.grounds.first() {
                    Some(Ground::SameLease(before)) => {
                        let died = LeaseEnding::Interrupted;
                        let was = &self.leases[before];
                        let same =
                            (was.job, was.place, was.count, was.title) == (*job, *place, *count, title);
                        let goes_on = same && was.ended == Some(died) && *resumes == Some(*before);
                        must(goes_on && !self.jobs[job].stopped, "it does not go on where it was") // [FR-18]
                    }
                    _ => self.placed(&self.job(*job)?, *place, *count, *hour, title),
                }
            }
            Action::Offer { job, holder, clause, terms, until, .. } => {
                let work = self.job(*job)?;
                let rights = self.rights(&work);
                let right = rights.iter().find(|(id, right)| id == clause && right.holder == *holder);
                let right = right.ok_or("the right does not stand")?.1;
                must(right.answering == Answering::Within(until.since(self.now)), "another window")?;
                must(is_piece(terms.count, work.left, self.jobs[job].job.min_chunk), "no such piece")?;
                must(self.open(&work).is_none(), "another offer is open")?;
                let passed = self.let_pass(&work, *clause, false);
                let worse = passed.is_some_and(|(.., offer)| terms.hour <= offer.terms.hour);
                must(!worse, "it has let the work pass") // [FR-13] [FR-16]
            }
            Action::RefuseJob { job, refusal } => self.refused(&self.job(*job)?, *refusal),
            Action::Finish { job, .. } => {
                let job = &self.jobs[job];
                must(!job.finished && job.unplaced == 0, "finished twice, or before its end")
            }
            _ => Ok(()),
        }
    }

    /// May so much of the work be placed there, under this title?
    fn placed(&self, work: &Work<'_>, place: Place, count: u32, hour: Option<Money>, title: &Title) -> Check {
        must(self.may(work, place), "the place may not serve")?;
        must(work.job.is_none_or(|job| is_piece(count, work.left, job.job.min_chunk)), "no such piece")?;
        let probation = self.probation(work, self.provider_id(place));
        must(probation.is_none_or(|(_, most)| count <= most), "more than probation allows")?;
        must(self.open(work).is_none(), "an offer is open")?; // [FR-5]
        let (party, rights, releases) = (self.provider(place).party, self.rights(work), title.releases());
        let mut order = releases.iter().zip(&rights);
        must(order.all(|(release, (id, _))| release.clause() == *id), "releases out of order")?; // [FR-2]
        let next = rights.get(releases.len());
        must(title.holds() == next.map(|(id, _)| *id), "a right is neither released nor used")?; // [FR-1]
        must(next.is_none_or(|(_, right)| right.holder == party), "the right is another's")?;
        if let Some((id, _)) = next.filter(|(_, right)| right.answering != Answering::Standing) {
            let took = self.taken(work).is_some_and(|(offer, took)| offer.clause == *id && took == count);
            must(took, "the holder did not take so many")?; // [FR-6] [FR-8] [FR-9] [FR-10]
        }
        let budget = work.job.is_some_and(|job| job.job.budget.is_some()); // What it costs is not reckoned here.
        for (release, (id, right)) in releases.iter().zip(&rights) {
            let mut heard = Vec::new();
            for said in release.evidence() {
                let places = self.borne_out(work, *id, right, said);
                heard.extend(places.ok_or_else(|| format!("{}: not so: {said:?}", self.world.cite(*id)))?);
            }
            must(!release.evidence().is_empty(), "a release without evidence")?; // [FR-20]
            let own = self.places(work, right.holder);
            let unheard = !budget && own.iter().any(|at| self.may(work, *at) && !heard.contains(at));
            must(!unheard, "nothing is said of a place of the holder that may serve")?; // [FR-3] [FR-5]
            let carved = matches!(release.evidence(), [Evidence::CarvedOut { .. }]);
            if let (None, false, Some((.., offer))) = (next, carved, self.let_pass(work, *id, false)) {
                must(right.holder != party, "it let the work pass and is given it after all")?; // [FR-7]
                let better = hour.zip(offer.terms.hour).is_some_and(|(paid, passed)| paid > passed);
                let able = own
                    .iter()
                    .any(|at| self.may(work, *at) && self.probation(work, self.provider_id(*at)).is_none());
                must(!(better && able), "another is paid more than what the holder let pass")?; // [FR-16]
            }
        }
        Ok(())
    }

    /// The places of the holder for which this evidence releases it; none at all if it has not happened.
    fn borne_out(
        &self,
        work: &Work<'_>,
        id: ClauseId,
        right: &FirstRefusal,
        said: &Evidence,
    ) -> Option<Vec<Place>> {
        let own = self.places(work, right.holder);
        let standing = right.answering == Answering::Standing;
        let passed = |word: (Option<Timestamp>, Word), of: &OfferId| {
            self.let_pass(work, id, true)
                .is_some_and(|(at, said, offer)| (at, said, offer.id) == (word.0.unwrap_or(at), word.1, *of))
        };
        let budget = work.job.is_some_and(|job| job.job.budget.is_some());
        let on = |place: Place| self.probation(work, self.provider_id(place));
        let (holds, of) = match said {
            Evidence::Short { place, need, free, .. } => (
                standing && free < need && (on(*place).is_some() || self.may_be_full(*place, work.left)),
                vec![*place],
            ), // [FR-4]
            Evidence::Down { place, since, .. } => {
                (standing && self.down(*place) == Some(*since), vec![*place])
            }
            Evidence::Failed { place, kind, at, .. } => {
                (work.call.is_some_and(|call| call.failures.contains(&(*at, *place, *kind))), vec![*place])
            }
            Evidence::Lost { provider } => (
                work.job.is_some_and(|job| job.lost.contains(provider)),
                own.iter().copied().filter(|at| self.provider_id(*at) == *provider).collect(),
            ),
            Evidence::Probation { clause } => (
                true,
                own.iter()
                    .copied()
                    .filter(|at| on(*at).is_some_and(|(by, most)| by == *clause && most < work.left))
                    .collect(),
            ), // [FR-17]
            Evidence::Barred { place, bar: Bar::Budget } => (budget, vec![*place]),
            Evidence::Barred { place, .. } => (!self.admits(work, *place), vec![*place]),
            Evidence::Absent => return own.is_empty().then_some(own),
            Evidence::Declined { offer, at } => (passed((Some(*at), Word::Declined), offer), own.clone()), // [FR-7]
            Evidence::Silent { offer, until } => (passed((Some(*until), Word::Silent), offer), own.clone()), // [FR-8]
            Evidence::PartTaken { offer, count } => (passed((None, Word::Took(*count)), offer), own.clone()), // [FR-9] [FR-10]
            Evidence::CarvedOut { which } => {
                let out = match right.carve_outs.get(usize::from(*which))? {
                    CarveOut::Emergency(_) => work.job.is_some_and(|job| !job.lost.is_empty()), // [FR-14]
                    CarveOut::Scope(scope) => scope.matches(&work.view),                        // [FR-15]
                };
                return out.then_some(own);
            }
        };
        (holds && !of.is_empty() && of.iter().all(|at| self.provider(*at).party == right.holder))
            .then_some(of)
    }

    fn call(&self, id: CallId, model: ModelId) -> Result<Work<'_>, String> {
        let past = &self.calls[&id];
        must(past.serving.is_none() && !past.ended, "it is served, or had its one outcome")?;
        let view = View::of_call(self.world, past.call.tenant, model, past.call.region.as_deref());
        Ok(Work { view, call: Some(past), job: None, left: 1 })
    }

    fn job(&self, id: JobId) -> Result<Work<'_>, String> {
        let past = &self.jobs[&id];
        must(past.unplaced > 0, "nothing of it is left to place")?;
        Ok(Work {
            view: View::of_job(self.world, past.job),
            call: None,
            job: Some(past),
            left: past.unplaced,
        })
    }

    /// Of all refusals those that say that nobody may serve; want of room is not judged here.
    fn refused(&self, work: &Work<'_>, refusal: Refusal) -> Check {
        let nobody = matches!(refusal, Refusal::NoProvider | Refusal::Contract | Refusal::Compliance);
        let budget = work.job.is_some_and(|job| job.job.budget.is_some());
        let somebody = self.every_place().any(|place| self.fits(work, place) && self.may(work, place));
        must(!nobody || budget || !somebody, "somebody may serve")
    }

    /// The offer that is open.
    fn open<'b>(&self, work: &Work<'b>) -> Option<&'b Offered<'b>> {
        work.job?.offers.iter().find(|one| !one.withdrawn && self.word(one).is_none())
    }

    /// The offer that a holder took last and was not placed by yet, and how many accelerators of it.
    fn taken<'b>(&self, work: &Work<'b>) -> Option<(&'b Offered<'b>, u32)> {
        let job = work.job?;
        let mut offers = job.offers[job.anew..].iter().rev().filter(|one| !one.spent && !one.withdrawn);
        offers.find_map(|one| match self.word(one)?.1 {
            Word::Took(count) => Some((one, count)),
            Word::Declined | Word::Silent => None,
        })
    }

    /// [FR-2] The rights in force over it by rank; [FR-5] that by which it was offered last goes on until it is placed.
    fn rights(&self, work: &Work<'_>) -> Vec<(ClauseId, &'a FirstRefusal)> {
        let kept =
            [self.taken(work).map(|(offer, _)| offer.clause), self.open(work).map(|offer| offer.clause)];
        let entries =
            self.world.entries().filter(|(id, one)| one.in_force(self.now) || kept.contains(&Some(*id)));
        let mut rights: Vec<_> = entries
            .filter_map(|(id, entry)| match &entry.clause {
                Clause::FirstRefusal(right) if right.scope.matches(&work.view) => Some((id, right)),
                _ => None,
            })
            .collect();
        rights.sort_by_key(|(_, right)| right.rank);
        rights
    }

    /// [FR-19] What the holder said, if it let the work pass since the last trigger. [FR-13] That lasts for the protection
    /// period; as evidence also as long as the word stands of somebody who was asked within it.
    fn let_pass<'b>(
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
