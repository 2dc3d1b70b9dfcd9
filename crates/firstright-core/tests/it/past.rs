//! What has happened so far? Every question goes through the whole past again, so that nothing can be stale.

use firstright_core::clause::{Clause, Silence};
use firstright_core::decision::{Action, Ground};
use firstright_core::fact::{Answer, Ending, Fact, FailureKind, LeaseEnding, LeaseId, OfferId, Terms};
use firstright_core::journal::Record;
use firstright_core::title::Place;
use firstright_core::units::Timestamp;
use firstright_core::workload::{Call, CallId, Job, JobId};
use firstright_core::world::{CapacityKind, ClauseId, DeploymentId, PartyId, Provider, ProviderId, World};

/// What is known when the `upto`-th decision of the last record is made. Deadlines are dealt with before the fact of
/// their record, so that fact may or may not have happened yet.
#[derive(Clone, Copy)]
pub struct Past<'a> {
    pub world: &'a World,
    pub records: &'a [Record],
    pub upto: usize,
    pub with_fact: bool,
}

/// How an offer was closed.
#[derive(Clone, Copy, PartialEq)]
pub enum Closed {
    Declined,
    Silent,
    Taken(u32),
    Withdrawn,
}

/// One thing that happened: a fact or a decision.
#[derive(Clone, Copy)]
pub enum Event<'a> {
    Fact(&'a Fact),
    Done(&'a Action, &'a [Ground]),
}

impl<'a> Past<'a> {
    pub fn now(&self) -> Timestamp {
        self.records[self.records.len() - 1].at
    }

    /// Everything in order: each fact before the decisions of its record.
    pub fn events(&self) -> impl Iterator<Item = (Timestamp, Event<'a>)> {
        let (last, upto, with_fact) = (self.records.len() - 1, self.upto, self.with_fact);
        self.records.iter().enumerate().flat_map(move |(nth, record)| {
            let shown = if nth == last { upto } else { usize::MAX };
            let fact = (nth < last || with_fact).then_some((record.at, Event::Fact(&record.fact)));
            let done = record.decisions.iter().take(shown);
            fact.into_iter().chain(done.map(|one| (record.at, Event::Done(&one.action, &one.grounds))))
        })
    }

    pub fn facts(&self) -> impl Iterator<Item = &'a Fact> {
        self.events().filter_map(|(_, event)| match event {
            Event::Fact(fact) => Some(fact),
            Event::Done(..) => None,
        })
    }

    pub fn actions(&self) -> impl Iterator<Item = (&'a Action, &'a [Ground])> {
        self.events().filter_map(|(_, event)| match event {
            Event::Fact(_) => None,
            Event::Done(action, grounds) => Some((action, grounds)),
        })
    }

    pub fn provider(&self, place: Place) -> &'a Provider {
        self.world.provider(match place {
            Place::Deployment(id) => self.world.deployment(id).provider,
            Place::Pool(id, _) => id,
        })
    }

    pub fn places(&self) -> impl Iterator<Item = Place> {
        let deployments =
            (0..self.world.deployments.len()).map(|at| Place::Deployment(DeploymentId(at as u16)));
        let providers = self.world.providers.iter().enumerate();
        deployments.chain(providers.flat_map(|(at, one)| {
            (0..one.pools.len()).map(move |nth| Place::Pool(ProviderId(at as u16), nth as u16))
        }))
    }

    /// A pool's accelerator, and how many there are.
    pub fn pool(&self, place: Place) -> (&'a str, u32) {
        let Place::Pool(_, nth) = place else { return ("", 0) };
        let pool = &self.provider(place).pools[usize::from(nth)];
        (&pool.accelerator, pool.count)
    }

    pub fn call(&self, id: CallId) -> Option<&'a Call> {
        self.facts().find_map(|fact| match fact {
            Fact::CallArrived(call) if call.id == id => Some(call),
            _ => None,
        })
    }

    pub fn job(&self, id: JobId) -> Option<&'a Job> {
        self.facts().find_map(|fact| match fact {
            Fact::JobSubmitted(job) if job.id == id => Some(job),
            _ => None,
        })
    }

    /// Where the call is being served.
    pub fn serving(&self, id: CallId) -> Option<Place> {
        self.events().fold(None, |at, (_, event)| match event {
            Event::Done(Action::Serve { call, deployment, .. }, _) if *call == id => {
                Some(Place::Deployment(*deployment))
            }
            Event::Fact(Fact::AttemptFailed { call, .. } | Fact::CallSettled { call, .. }) if *call == id => {
                None
            }
            _ => at,
        })
    }

    /// Has the call had its outcome?
    pub fn ended(&self, id: CallId) -> bool {
        self.actions().any(|(action, _)| {
            matches!(action, Action::Settle { call, .. } | Action::Refuse { call, .. } if *call == id)
        })
    }

    /// Calls being served at the place.
    pub fn open_at(&self, place: Place) -> usize {
        let calls = self.facts().filter_map(|fact| match fact {
            Fact::CallArrived(call) => Some(call.id),
            _ => None,
        });
        calls.filter(|call| self.serving(*call) == Some(place)).count()
    }

    /// Attempts that ended, in order: whose, where, and how (`None` for an end that says nothing of health).
    fn attempts(&self) -> Vec<(Timestamp, CallId, Place, Result<Ending, FailureKind>)> {
        let mut serving = std::collections::BTreeMap::new();
        let mut attempts = Vec::new();
        for (at, event) in self.events() {
            let (call, how) = match event {
                Event::Done(Action::Serve { call, deployment, .. }, _) => {
                    serving.insert(*call, Place::Deployment(*deployment));
                    continue;
                }
                Event::Fact(Fact::AttemptFailed { call, failure }) => (*call, Err(failure.kind)),
                Event::Fact(Fact::CallSettled { call, ending, .. }) => (*call, Ok(*ending)),
                _ => continue,
            };
            attempts.extend(serving.remove(&call).map(|place| (at, call, place, how)));
        }
        attempts
    }

    /// Where the call failed, and how.
    pub fn failed_at(&self, id: CallId) -> Vec<(Place, FailureKind)> {
        let own = self.attempts().into_iter().filter(|(_, call, ..)| *call == id);
        own.filter_map(|(_, _, place, how)| how.err().map(|kind| (place, kind))).collect()
    }

    /// Since when the place has been failing, if it failed five times in a row.
    pub fn failing_since(&self, place: Place) -> Option<Timestamp> {
        let mut failures: Vec<Timestamp> = Vec::new();
        for (at, _, _, how) in self.attempts().into_iter().filter(|(_, _, one, _)| *one == place) {
            match how {
                Ok(Ending::Complete | Ending::Abandoned) | Err(FailureKind::Rejected) => failures.clear(),
                Ok(Ending::Lost) | Err(FailureKind::Throttled) => {}
                _ => failures.push(at),
            }
        }
        if failures.len() < 5 { None } else { failures.first().copied() }
    }

    /// Is there no doubt that a call has room: slots are free, and it was never throttled nor did it ever fail?
    pub fn surely_free(&self, place: Place) -> bool {
        let Place::Deployment(id) = place else { return false };
        let CapacityKind::Concurrent { limit } = self.world.deployment(id).capacity else { return false };
        let whole =
            |how: &Result<Ending, FailureKind>| matches!(how, Ok(Ending::Complete | Ending::Abandoned));
        let probation = self
            .world
            .clauses
            .iter()
            .any(|entry| matches!(&entry.clause, Clause::Assurance(one) if one.qualification.is_some()));
        !probation
            && self.open_at(place) < limit as usize
            && self.attempts().iter().all(|(_, _, at, how)| *at != place || whole(how))
    }

    /// The offers for a job, by one right or by any.
    pub fn offers(&self, of: JobId, by: Option<ClauseId>) -> Vec<OfferId> {
        let offers = self.actions().filter_map(|(action, _)| match action {
            Action::Offer { offer, job, clause, .. } if *job == of && by.is_none_or(|by| by == *clause) => {
                Some(*offer)
            }
            _ => None,
        });
        offers.collect()
    }

    /// The right of the last offer for a job.
    pub fn last_right(&self, of: JobId) -> Option<ClauseId> {
        let rights = self.actions().filter_map(|(action, _)| match action {
            Action::Offer { job, clause, .. } if *job == of => Some(*clause),
            _ => None,
        });
        rights.last()
    }

    /// Did the job ever lose a lease? Then what holders said of it before need not bind them.
    pub fn moved(&self, id: JobId) -> bool {
        self.leases().iter().any(|one| one.1 == id && one.4 == Some(LeaseEnding::Lost))
    }

    /// When and how the offer was closed.
    pub fn closing(&self, id: OfferId) -> Option<(Timestamp, Closed)> {
        let mut open: Option<(Terms, Timestamp, PartyId, ClauseId, u32)> = None;
        let mut counter = None;
        for record in self.records {
            let last = record.at == self.now();
            if let Some((terms, until, holder, clause, least)) = open {
                let all = terms.count;
                let Clause::FirstRefusal(right) = &self.world.clause(clause).clause else { return None };
                if record.at >= until {
                    let silent =
                        if right.silence == Silence::Accepts { Closed::Taken(all) } else { Closed::Silent };
                    return Some((record.at, silent));
                }
                let closed = match &record.fact {
                    _ if last && !self.with_fact => None,
                    Fact::Answered { offer, by, answer } if *offer == id && *by == holder => match answer {
                        Answer::Accept => Some(Closed::Taken(all)),
                        Answer::Decline(_) => Some(Closed::Declined),
                        Answer::Partial(count) if *count >= all => Some(Closed::Taken(all)),
                        Answer::Partial(count) => {
                            let whole = *count >= least && all - count >= least;
                            (right.partial && whole).then_some(Closed::Taken(*count))
                        }
                        Answer::Counter(other) => {
                            let allowed =
                                right.counter && other.count > 0 && other.duration == terms.duration;
                            counter = if allowed { Some(other.count.min(all)) } else { counter };
                            None
                        }
                    },
                    Fact::CounterAnswered { offer, agreed } if *offer == id => {
                        let taken = counter.take().filter(|_| *agreed);
                        taken.map(Closed::Taken)
                    }
                    _ => None,
                };
                if let Some(closed) = closed {
                    return Some((record.at, closed));
                }
            }
            for decision in record.decisions.iter().take(if last { self.upto } else { usize::MAX }) {
                match &decision.action {
                    Action::Offer { offer, job, holder, clause, terms, until } if *offer == id => {
                        let least = self.job(*job)?.min_chunk.max(1);
                        open = Some((*terms, *until, *holder, *clause, least));
                    }
                    Action::Withdraw { offer } if *offer == id => {
                        return Some((record.at, Closed::Withdrawn));
                    }
                    _ => {}
                }
            }
        }
        None
    }

    /// Does the right's last offer for the job stand released?
    pub fn released(&self, job: JobId, clause: ClauseId) -> bool {
        let Clause::FirstRefusal(right) = &self.world.clause(clause).clause else { return false };
        let last = self.offers(job, Some(clause)).last().and_then(|offer| self.closing(*offer));
        let lasts = |at: Timestamp| right.protection.is_none_or(|span| self.now() < at.plus(span));
        last.is_some_and(|(at, how)| how != Closed::Withdrawn && lasts(at))
    }

    /// Leases of a job or of all, in order: (job, place, accelerators, how it ended).
    fn leases(&self) -> Vec<(LeaseId, JobId, Place, u32, Option<LeaseEnding>)> {
        let mut leases: Vec<(LeaseId, JobId, Place, u32, Option<LeaseEnding>)> = Vec::new();
        for (_, event) in self.events() {
            match event {
                Event::Done(Action::Dispatch { job, lease, place, count, .. }, _) => {
                    leases.push((*lease, *job, *place, *count, None));
                }
                Event::Fact(Fact::LeaseEnded { lease, ending, .. }) => {
                    let own = leases.iter_mut().find(|one| one.0 == *lease && one.4.is_none());
                    if let Some(own) = own {
                        own.4 = Some(*ending);
                    }
                }
                _ => {}
            }
        }
        leases
    }

    /// Accelerators of the pool that are leased.
    pub fn leased(&self, place: Place) -> u32 {
        let open = self.leases().into_iter().filter(|one| one.2 == place && one.4.is_none());
        open.map(|one| one.3).sum()
    }

    /// Was the job cancelled, or did a part of it fail?
    pub fn stopped(&self, id: JobId) -> bool {
        let submitted = self
            .events()
            .skip_while(|(_, event)| !matches!(event, Event::Fact(Fact::JobSubmitted(job)) if job.id == id));
        let cancelled = submitted
            .into_iter()
            .any(|(_, event)| matches!(event, Event::Fact(Fact::JobCancelled { job }) if *job == id));
        cancelled
            || self.leases().iter().any(|one| one.1 == id && matches!(one.4, Some(LeaseEnding::Failed(_))))
    }

    /// Accelerators of the job that are not placed, and still to be.
    pub fn unplaced(&self, id: JobId) -> u32 {
        if self.stopped(id) {
            return 0;
        }
        let mut left = 0;
        let mut counts = std::collections::BTreeMap::new();
        for (_, event) in self.events() {
            match event {
                Event::Fact(Fact::JobSubmitted(job)) if job.id == id => left = job.count,
                Event::Done(Action::Dispatch { job, lease, count, .. }, grounds) if *job == id => {
                    counts.insert(*lease, *count);
                    if !matches!(grounds.first(), Some(Ground::SameLease(_))) {
                        left -= left.min(*count);
                    }
                }
                Event::Done(Action::RefuseJob { job, .. }, _) if *job == id => left = 0,
                Event::Fact(Fact::LeaseEnded { lease, ending: LeaseEnding::Lost, .. }) => {
                    left += counts.remove(lease).unwrap_or(0);
                }
                _ => {}
            }
        }
        left
    }

    /// Places that lost a lease of the job, and whose provider has declared nothing since.
    pub fn lost(&self, id: JobId) -> Vec<Place> {
        let mut held = std::collections::BTreeMap::new();
        let mut lost: Vec<Place> = Vec::new();
        for (_, event) in self.events() {
            match event {
                Event::Done(Action::Dispatch { job, lease, place, .. }, _) if *job == id => {
                    held.insert(*lease, *place);
                }
                Event::Fact(Fact::LeaseEnded { lease, ending: LeaseEnding::Lost, .. }) => {
                    lost.extend(held.remove(lease));
                }
                Event::Fact(Fact::PoolDeclared { provider, accelerator, .. }) => {
                    let known = self.world.provider(*provider);
                    if known.pools.iter().any(|pool| pool.accelerator == *accelerator) {
                        lost.retain(|place| self.provider(*place) != known);
                    }
                }
                _ => {}
            }
        }
        lost
    }
}
