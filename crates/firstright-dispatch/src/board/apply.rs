//! What does each fact and each decision change of the read model?

use std::collections::VecDeque;

use firstright_core::decision::{Action, Decision, Ground};
use firstright_core::fact::{Answer, Fact, LeaseEnding, LeaseId, OfferId};
use firstright_core::show;
use firstright_core::title::{Evidence, Title};
use firstright_core::units::Timestamp;
use firstright_core::workload::JobId;
use firstright_core::world::World;

use super::{Board, JobEntry, LeaseEntry, MAX_OVER, MAX_WHY, OfferEntry, OfferState};

impl Board {
    /// Takes what was observed. `decisions` say whether an answer counted.
    pub(crate) fn fact(&mut self, at: Timestamp, fact: &Fact, decisions: &[Decision]) {
        match fact {
            Fact::JobSubmitted(job) => {
                let entry = JobEntry {
                    job: job.clone(),
                    submitted: at,
                    leases: Vec::new(),
                    offers: Vec::new(),
                    pieces: 0,
                    held: false,
                    cancelled: false,
                    refused: None,
                    completed: None,
                    why: VecDeque::new(),
                };
                self.jobs.entry(job.id).or_insert(entry);
            }
            Fact::Answered { offer, answer, .. } if counted(decisions) => self.answered(*offer, answer),
            Fact::CounterAnswered { offer, .. } if counted(decisions) => {
                if let Some(entry) = self.offers.get_mut(offer) {
                    entry.counter = None;
                }
            }
            Fact::LeaseStarted { lease, engine } => {
                if let Some(entry) = self.leases.get_mut(lease) {
                    entry.started = true;
                    entry.engine.clone_from(engine);
                }
            }
            Fact::LeaseMetered { lease, accelerator_seconds } => self.metered(*lease, *accelerator_seconds),
            Fact::LeaseEnded { lease, ending, accelerator_seconds } => {
                self.metered(*lease, *accelerator_seconds);
                if let Some(entry) = self.leases.get_mut(lease) {
                    entry.ending.get_or_insert(ending_words(*ending));
                }
            }
            Fact::JobCancelled { job } => {
                if let Some(entry) = self.jobs.get_mut(job).filter(|entry| entry.completed.is_none()) {
                    entry.cancelled = true;
                }
            }
            _ => {}
        }
    }

    fn answered(&mut self, offer: OfferId, answer: &Answer) {
        let Some(entry) = self.offers.get_mut(&offer) else { return };
        let (state, words) = match answer {
            Answer::Accept => (OfferState::Accepted, None),
            Answer::Decline(reason) => {
                (OfferState::Declined, Some(reason.clone()).filter(|one| !one.is_empty()))
            }
            Answer::Partial(count) => (OfferState::Part, Some(format!("{count} of {}", entry.terms.count))),
            Answer::Counter(_) => return,
        };
        (entry.state, entry.answer, entry.counter) = (state, words, None);
    }

    fn metered(&mut self, lease: LeaseId, seconds: u64) {
        if let Some(entry) = self.leases.get_mut(&lease).filter(|entry| entry.ending.is_none()) {
            entry.accelerator_seconds = entry.accelerator_seconds.saturating_add(seconds);
        }
    }

    /// Takes what follows. `seq` is the record that says so.
    pub(crate) fn decision(&mut self, world: &World, seq: u64, decision: &Decision) {
        let Some(job) = self.about(&decision.action) else { return };
        self.evidence(decision);
        let same = decision.grounds.iter().any(|ground| matches!(ground, Ground::SameLease(_)));
        match &decision.action {
            Action::Offer { offer, holder, clause, terms, until, .. } => {
                self.lapse(job);
                let (state, counter, answer) = (OfferState::Open, None, None);
                let (holder, clause, terms, until) = (*holder, *clause, *terms, *until);
                let entry = OfferEntry { job, holder, clause, terms, until, state, counter, answer };
                self.offers.insert(*offer, entry);
                if let Some(entry) = self.jobs.get_mut(&job) {
                    entry.offers.push(*offer);
                    entry.held = false;
                }
            }
            Action::PutCounter { offer, terms } => {
                if let Some(entry) = self.offers.get_mut(offer) {
                    entry.counter = Some(*terms);
                }
            }
            Action::Withdraw { offer } => self.close(*offer, OfferState::Withdrawn),
            Action::Dispatch { .. } => {
                if !same {
                    self.lapse(job);
                }
                self.lease_opened(world, decision);
            }
            Action::Hold { .. } => {
                self.lapse(job);
                if let Some(entry) = self.jobs.get_mut(&job) {
                    entry.held = true;
                }
            }
            Action::RefuseJob { refusal, .. } => {
                self.lapse(job);
                if let Some(entry) = self.jobs.get_mut(&job) {
                    entry.refused = Some(show::refusal(refusal));
                    entry.held = false;
                }
            }
            Action::Cancel { lease } => {
                if let Some(entry) = self.leases.get_mut(lease) {
                    entry.cancelled = true;
                }
            }
            Action::SettleLease { lease, cost, .. } => return self.booked(*lease, *cost),
            Action::Finish { completed, .. } => {
                if let Some(entry) = self.jobs.get_mut(&job) {
                    entry.completed = Some(*completed);
                    entry.held = false;
                }
            }
            _ => return,
        }
        if let Some(entry) = self.jobs.get_mut(&job) {
            entry.why.push_back((seq, show::decision(world, decision)));
            if entry.why.len() > MAX_WHY {
                entry.why.pop_front();
            }
        }
        self.retire(job);
    }

    /// Which job the action is about.
    fn about(&self, action: &Action) -> Option<JobId> {
        match action {
            Action::Offer { job, .. }
            | Action::Dispatch { job, .. }
            | Action::Hold { job, .. }
            | Action::RefuseJob { job, .. }
            | Action::Finish { job, .. } => Some(*job),
            Action::PutCounter { offer, .. } | Action::Withdraw { offer } => {
                self.offers.get(offer).map(|offer| offer.job)
            }
            Action::Cancel { lease } | Action::SettleLease { lease, .. } => {
                self.leases.get(lease).map(|lease| lease.job)
            }
            _ => None,
        }
    }

    /// What a decision's reasons say of earlier offers, for answers that did not come by way of this job plane.
    fn evidence(&mut self, decision: &Decision) {
        let title: Option<&Title> = match &decision.action {
            Action::Dispatch { title, .. } => Some(title),
            _ => None,
        };
        for release in title.iter().flat_map(|title| title.releases()).flat_map(|one| one.evidence()) {
            match release {
                Evidence::Declined { offer, .. } => self.close(*offer, OfferState::Declined),
                Evidence::Silent { offer, .. } => self.close(*offer, OfferState::Lapsed),
                Evidence::PartTaken { offer, .. } => self.close(*offer, OfferState::Part),
                _ => {}
            }
        }
        for ground in &decision.grounds {
            match ground {
                Ground::Accepted(offer) | Ground::SilenceAccepts(offer) | Ground::CounterAgreed(offer) => {
                    self.close(*offer, OfferState::Accepted);
                }
                Ground::AcceptedPart(offer) => self.close(*offer, OfferState::Part),
                _ => {}
            }
        }
    }

    fn close(&mut self, offer: OfferId, state: OfferState) {
        if let Some(entry) = self.offers.get_mut(&offer).filter(|entry| entry.state == OfferState::Open) {
            (entry.state, entry.counter) = (state, None);
        }
    }

    /// A job has one open offer at most: whatever else is open when the job goes on has run out.
    fn lapse(&mut self, job: JobId) {
        let offers = self.jobs.get(&job).map(|entry| entry.offers.clone()).unwrap_or_default();
        for offer in offers {
            self.close(offer, OfferState::Lapsed);
        }
    }

    fn lease_opened(&mut self, world: &World, decision: &Decision) {
        let Action::Dispatch { job, lease, place, count, hour, resumes, .. } = &decision.action else {
            return;
        };
        let Some(entry) = self.jobs.get_mut(job) else { return };
        entry.leases.push(*lease);
        entry.held = false;
        // The first lease that resumes another goes on with its piece; a second one, of what was split, begins its own.
        let before = resumes.and_then(|before| self.leases.get_mut(&before)).filter(|one| !one.continued);
        let (piece, attempt) = match before {
            Some(before) => {
                before.continued = true;
                (before.piece, before.attempt.saturating_add(1))
            }
            None => {
                entry.pieces = entry.pieces.saturating_add(1);
                (entry.pieces - 1, 1)
            }
        };
        let opened = LeaseEntry {
            job: *job,
            place: *place,
            count: *count,
            piece,
            attempt,
            started: false,
            cancelled: false,
            accelerator_seconds: 0,
            hour: *hour,
            resumes: *resumes,
            continued: false,
            engine: String::new(),
            ending: None,
            cost: None,
            why: show::reasons(world, decision),
            problem: None,
        };
        self.leases.insert(*lease, opened);
    }

    pub(crate) fn booked(&mut self, lease: LeaseId, cost: Option<firstright_core::units::Money>) {
        if let (Some(entry), Some(cost)) = (self.leases.get_mut(&lease), cost) {
            entry.cost = Some(entry.cost.unwrap_or_default().plus(cost));
        }
    }

    /// Forgets the oldest of the jobs that are over, when there are too many.
    fn retire(&mut self, job: JobId) {
        if !self.is_over(job) || self.over.contains(&job) {
            return;
        }
        self.over.push_back(job);
        if self.over.len() <= MAX_OVER {
            return;
        }
        let Some(oldest) = self.over.pop_front().and_then(|oldest| self.jobs.remove(&oldest)) else { return };
        oldest.leases.iter().for_each(|lease| drop(self.leases.remove(lease)));
        oldest.offers.iter().for_each(|offer| drop(self.offers.remove(offer)));
    }
}

/// Did the fact have an effect? Otherwise the core noted why not.
pub(crate) fn counted(decisions: &[Decision]) -> bool {
    refused(decisions).is_none()
}

/// The note that says why a fact had no effect, if it had none.
pub(crate) fn refused(decisions: &[Decision]) -> Option<&Decision> {
    decisions.iter().find(|one| {
        let without = |ground: &Ground| {
            matches!(
                ground,
                Ground::Late(_) | Ground::NotTheHolder(_) | Ground::NotAllowed(_) | Ground::NotOpen
            )
        };
        one.action == Action::Note && one.grounds.iter().any(without)
    })
}

fn ending_words(ending: LeaseEnding) -> String {
    match ending {
        LeaseEnding::Completed => "completed".to_string(),
        LeaseEnding::Failed(code) => format!("failed ({code})"),
        LeaseEnding::Interrupted => "interrupted".to_string(),
        LeaseEnding::Lost => "lost".to_string(),
        LeaseEnding::Cancelled => "cancelled".to_string(),
    }
}
