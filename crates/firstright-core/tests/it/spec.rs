//! Which outcomes are lawful? `docs/rights` as a checklist: who may serve, which rights stand before a placement, and has
//! what each was released by happened? Preference, prices and the reckoning of capacity are not judged here.

use firstright_core::clause::{Answering, CarveOut, Clause, FirstRefusal};
use firstright_core::decision::{Action, Decision, Ground, Refusal};
use firstright_core::fact::{LeaseEnding, OfferId};
use firstright_core::title::{Bar, Evidence, Place, Title};
use firstright_core::units::{Money, Timestamp};
use firstright_core::world::ClauseId;

use crate::able::Work;
use crate::past::Past;
use crate::said::{Word, is_piece};

pub type Check = Result<(), String>;

pub fn must(holds: bool, or: &str) -> Check {
    if holds { Ok(()) } else { Err(or.to_string()) }
}

impl<'a> Past<'a> {
    /// Is this decision lawful now?
    pub fn lawful(&self, decision: &Decision) -> Check {
        self.lawful_account(&decision.action)?;
        match &decision.action {
            Action::Serve { call, deployment, model, title, .. } => {
                let asked = self.calls[call].call.model;
                let mut instead = self.world.tenant(self.calls[call].call.tenant).substitutes.iter();
                let permitted =
                    instead.any(|(glob, to)| glob.matches(self.world.model(asked)) && to == model);
                must(*model == asked || permitted, "a model that was not asked for")?; // [CH-6]
                let own = &self.calls[call];
                let lets = *model == asked || self.lets_use(own.call, self.world.model(*model));
                must(own.let_in && lets, "its key does not let it in")?; // [AC-2] [AC-4]
                let place = Place::Deployment(*deployment);
                self.one_of_two(*call, place, *model == asked, &decision.grounds)?;
                self.placed(&self.call(*call, *model)?, place, 1, None, title)?;
                self.in_turn(*call, *model == asked, place, &decision.grounds)
            }
            Action::Queue { call, until } => {
                let own = &self.calls[call];
                self.call(*call, self.calls[call].call.model)?;
                must(own.beside.is_none() && !own.gave_way, "a second attempt waits")?; // [CH-23]
                self.may_wait(*call, *until, &decision.grounds)
            }
            Action::Refuse { call, refusal } => {
                self.refused(&self.call(*call, self.calls[call].call.model)?, *refusal)?;
                self.may_refuse(*call, &decision.grounds)
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
                standing
                    && free < need
                    && !self.has_taken(work.call, *place)
                    && (on(*place).is_some() || self.may_be_full(*place, work.left)),
                vec![*place],
            ), // [FR-4]
            Evidence::Down { place, since, .. } => {
                (standing && self.down(*place) == Some(*since), vec![*place])
            }
            Evidence::Slowed { place, open, limit, .. } => {
                let (calls, _) = self.used(|at| at == *place);
                (standing && self.was_late(*place) && calls == *open && limit <= open, vec![*place])
            } // [CA-12]
            Evidence::SetAside { place, since } => {
                (standing && self.set_aside(*place) == Some(*since), vec![*place])
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

    /// Of all refusals those that say that nobody may serve; want of room is not judged here.
    fn refused(&self, work: &Work<'_>, refusal: Refusal) -> Check {
        let nobody =
            matches!(refusal, Refusal::NoProvider | Refusal::Contract | Refusal::Compliance | Refusal::Home);
        let budget = work.job.is_some_and(|job| job.job.budget.is_some());
        let somebody = self.every_place().any(|place| self.fits(work, place) && self.may(work, place));
        must(!nobody || budget || !somebody, "somebody may serve")
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
}
