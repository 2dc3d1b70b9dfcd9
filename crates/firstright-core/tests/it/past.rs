//! What has happened so far? Facts and decisions are written down one by one and looked up; nothing is judged here.

use std::collections::BTreeMap;

use firstright_core::decision::{Action, Ground};
use firstright_core::fact::{Ending, Fact, FailureKind, LeaseEnding, LeaseId, OfferId, Terms};
use firstright_core::title::{Place, Title};
use firstright_core::units::{Span, Timestamp};
use firstright_core::workload::{Call, CallId, Job, JobId};
use firstright_core::world::{CapacityKind, ClauseId, DeploymentId, PartyId, Provider, ProviderId, World};

use crate::accounts::AccountPast;
use crate::generate::Event;

pub struct CallPast<'a> {
    pub call: &'a Call,
    /// From when it is let wait: when it came, or the call that it goes on as.
    pub arrived: Timestamp,
    pub came: Timestamp,
    pub waits: bool,
    /// When it was sent somewhere after a failure that was the provider's.
    pub retried: Vec<Timestamp>,
    pub serving: Option<Place>,
    pub failures: Vec<(Timestamp, Place, FailureKind)>,
    pub ended: bool,
    /// When it was sent to where it is served.
    pub sent: Timestamp,
    /// The call beside which it is a second attempt, and where that one was served when this one came.
    pub beside: Option<(CallId, Place)>,
    /// Another attempt was made beside it.
    pub hedge: Option<CallId>,
    /// Of two attempts the other goes on as the call, or this one does.
    pub gave_way: bool,
    pub took_over: bool,
    /// Did its key, and all above it, let it in when it arrived?
    pub let_in: bool,
}

/// Offers before the `anew`-th are of an earlier trigger.
pub struct JobPast<'a> {
    pub job: &'a Job,
    pub unplaced: u32,
    pub lost: Vec<ProviderId>,
    pub stopped: bool,
    pub finished: bool,
    pub offers: Vec<Offered<'a>>,
    pub anew: usize,
}

/// An offer, and what was said to it: when, how many accelerators were not placed then, and the answer.
pub struct Offered<'a> {
    pub id: OfferId,
    pub clause: ClauseId,
    pub holder: PartyId,
    pub terms: Terms,
    pub made: Timestamp,
    pub until: Timestamp,
    pub said: Vec<(Timestamp, u32, &'a Fact)>,
    pub least: u32,
    pub withdrawn: bool,
    /// Was a part of the job placed after it was made?
    pub spent: bool,
}

pub struct LeasePast<'a> {
    pub job: JobId,
    pub place: Place,
    pub count: u32,
    pub title: &'a Title,
    pub ended: Option<LeaseEnding>,
}

/// Failures in a row, refusals of our credentials, whether a call went there since the last came back, whether the provider
/// spoke of its room, and when first bytes came.
#[derive(Default)]
pub struct PlacePast {
    pub failures: Vec<Timestamp>,
    pub refusals: Vec<Timestamp>,
    pub asked: bool,
    pub spoke: bool,
    pub first_bytes: Vec<Span>,
}

impl PlacePast {
    fn answered(&mut self) {
        self.failures.clear();
        self.refusals.clear();
    }
}

pub struct Past<'a> {
    pub world: &'a World,
    pub now: Timestamp,
    pub fact: &'a Fact,
    pub calls: BTreeMap<CallId, CallPast<'a>>,
    pub jobs: BTreeMap<JobId, JobPast<'a>>,
    pub leases: BTreeMap<LeaseId, LeasePast<'a>>,
    pub places: BTreeMap<Place, PlacePast>,
    pub good_runs: BTreeMap<ProviderId, u32>,
    /// In the order of their numbers.
    pub accounts: Vec<AccountPast<'a>>,
}

impl<'a> CallPast<'a> {
    fn new(call: &'a Call, arrived: Timestamp, let_in: bool) -> CallPast<'a> {
        CallPast {
            call,
            arrived,
            came: arrived,
            waits: false,
            retried: vec![],
            serving: None,
            failures: vec![],
            ended: false,
            sent: arrived,
            beside: None,
            hedge: None,
            gave_way: false,
            took_over: false,
            let_in,
        }
    }

    fn end(&mut self) {
        (self.ended, self.waits) = (true, false);
    }

    pub fn need(&self) -> u64 {
        self.call.input + self.call.max_output
    }
}

impl<'a> Past<'a> {
    pub fn new(world: &'a World) -> Past<'a> {
        let (calls, jobs, leases, places, good_runs) = Default::default();
        let (now, fact, accounts) = (Timestamp(0), &Fact::Ticked, Vec::new());
        Past { world, now, fact, calls, jobs, leases, places, good_runs, accounts }
    }

    pub fn provider_id(&self, place: Place) -> ProviderId {
        match place {
            Place::Deployment(id) => self.world.deployment(id).provider,
            Place::Pool(id, _) => id,
        }
    }

    pub fn provider(&self, place: Place) -> &'a Provider {
        self.world.provider(self.provider_id(place))
    }

    pub fn every_place(&self) -> impl Iterator<Item = Place> {
        let deployments =
            (0..self.world.deployments.len()).map(|at| Place::Deployment(DeploymentId(at as u16)));
        let pools = self.world.providers.iter().zip(0..).flat_map(|(provider, id)| {
            (0..provider.pools.len()).map(move |nth| Place::Pool(ProviderId(id), nth as u16))
        });
        deployments.chain(pools)
    }

    /// Calls that are being served, and accelerators that are leased, at such places.
    pub fn used(&self, at: impl Fn(Place) -> bool) -> (u32, u32) {
        let calls = self.calls.values().filter(|call| call.serving.is_some_and(&at)).count();
        let leases = self.leases.values().filter(|lease| lease.ended.is_none() && at(lease.place));
        (calls as u32, leases.map(|lease| lease.count).sum())
    }

    /// Can it be that so many do not fit? It cannot where all that is known is our own count, and that leaves room.
    pub fn may_be_full(&self, place: Place, need: u32) -> bool {
        let (calls, leased) = self.used(|at| at == place);
        let counted = match place {
            Place::Pool(_, nth) => leased + need > self.provider(place).pools[usize::from(nth)].count,
            Place::Deployment(id) => match self.world.deployment(id).capacity {
                CapacityKind::Concurrent { limit } => calls >= limit,
                _ => true,
            },
        };
        let lags = |known: &PlacePast| known.first_bytes.len() > 8; // [CA-13] It may have been learnt to bear less.
        counted || self.places.get(&place).is_some_and(|known| known.spoke || lags(known))
    }

    pub fn take(&mut self, event: &'a Event) {
        match event {
            Event::Fact(fact) => self.take_fact(fact),
            Event::Decided(decision) => self.take_decision(&decision.action, &decision.grounds),
        }
    }

    fn take_fact(&mut self, fact: &'a Fact) {
        self.fact = fact;
        match fact {
            Fact::CallArrived(call) => {
                let mut fresh = CallPast::new(call, self.now, self.lets_in(call));
                self.stand_beside(&mut fresh);
                self.calls.entry(call.id).or_insert(fresh);
            }
            Fact::AttemptFailed { call, failure } => {
                let place =
                    self.calls.get(call).and_then(|call| call.serving).filter(|_| failure.status == 503);
                place.into_iter().for_each(|place| self.places.entry(place).or_default().spoke = true); // [CA-13]
                self.came_back(*call, Err(failure.kind), false);
            }
            Fact::CallSettled { call, ending, first_byte, .. } => {
                self.heard(*call, *first_byte);
                self.came_back(*call, Ok(*ending), *first_byte > Span(0));
            }
            Fact::AnswerAwaited { call, waited } => self.heard(*call, *waited),
            Fact::CallAbandoned { call } => {
                let call = self.calls.get_mut(call);
                call.into_iter().filter(|call| call.serving.is_none()).for_each(CallPast::end);
            }
            Fact::JobSubmitted(job) => {
                let (unplaced, lost, stopped, finished) = (job.count, vec![], false, false);
                let fresh = JobPast { job, unplaced, lost, stopped, finished, offers: vec![], anew: 0 };
                self.jobs.entry(job.id).or_insert(fresh);
            }
            Fact::JobCancelled { job } => self.stop(*job),
            Fact::Answered { offer: id, .. } | Fact::CounterAnswered { offer: id, .. } => {
                for job in self.jobs.values_mut() {
                    let said = (self.now, job.unplaced, fact);
                    job.offers.iter_mut().filter(|one| one.id == *id).for_each(|one| one.said.push(said));
                }
            }
            Fact::PoolDeclared { provider, accelerator, .. } => {
                let pools = &self.world.provider(*provider).pools;
                if let Some(nth) = pools.iter().position(|pool| pool.accelerator == *accelerator) {
                    self.places.entry(Place::Pool(*provider, nth as u16)).or_default().spoke = true;
                    self.jobs.values_mut().for_each(|job| job.lost.retain(|lost| lost != provider));
                }
            }
            Fact::LeaseEnded { lease, ending, .. } => self.lease_ended(*lease, *ending),
            _ => {}
        }
    }

    /// A first byte came after so long, or is awaited so long.
    fn heard(&mut self, call: CallId, after: Span) {
        let Some(place) = self.calls.get(&call).and_then(|call| call.serving) else { return };
        if after > Span(0) {
            self.places.entry(place).or_default().first_bytes.push(after);
        }
    }

    /// [CA-12] Have nine first bytes there been more than twice as late as the quickest, after eight to know it by?
    pub fn was_late(&self, place: Place) -> bool {
        let known = self.places.get(&place).map_or(&[][..], |known| &known.first_bytes);
        let quickest = known.iter().min().copied().unwrap_or_default();
        known.len() >= 17 && known.iter().filter(|after| after.0 > 2 * quickest.0).count() >= 9
    }

    /// The call was being served until now.
    fn came_back(&mut self, id: CallId, how: Result<Ending, FailureKind>, answered: bool) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Some(place) = call.serving.take() else { return };
        call.failures.extend(how.err().map(|kind| (self.now, place, kind)));
        if let Err(kind) = how {
            self.gives_way(id, kind);
        }
        let known = self.places.entry(place).or_default();
        known.asked = false;
        match how {
            Ok(Ending::Complete) | Err(FailureKind::Rejected) => known.answered(),
            Ok(Ending::Abandoned) if answered => known.answered(),
            Ok(Ending::Lost | Ending::Abandoned) | Err(FailureKind::Unsuitable) => {}
            Err(FailureKind::Unauthorised) => known.refusals.push(self.now),
            Err(FailureKind::Throttled) => known.spoke = true,
            Ok(Ending::Cut) | Err(_) => known.failures.push(self.now),
        }
        let good = self.good_runs.entry(self.provider_id(place)).or_default();
        *good += u32::from(how == Ok(Ending::Complete));
    }

    fn stop(&mut self, id: JobId) {
        self.jobs.get_mut(&id).into_iter().for_each(|job| (job.stopped, job.unplaced) = (true, 0));
    }

    fn lease_ended(&mut self, id: LeaseId, ending: LeaseEnding) {
        let Some(lease) = self.leases.get_mut(&id).filter(|lease| lease.ended.is_none()) else { return };
        lease.ended = Some(ending);
        let (id, place, count) = (lease.job, lease.place, lease.count);
        let provider = self.provider_id(place);
        match ending {
            LeaseEnding::Completed => *self.good_runs.entry(provider).or_default() += 1,
            LeaseEnding::Failed(_) => self.stop(id),
            LeaseEnding::Lost => {
                self.places.entry(place).or_default().spoke = true;
                let asked = self.jobs[&id]
                    .offers
                    .last()
                    .is_some_and(|offer| !offer.withdrawn && self.word(offer).is_none());
                let job = self.jobs.get_mut(&id).filter(|job| !job.stopped);
                job.into_iter().for_each(|job| {
                    job.unplaced += count;
                    job.lost.push(provider);
                    job.anew = if asked { job.anew } else { job.offers.len() };
                });
            }
            LeaseEnding::Interrupted | LeaseEnding::Cancelled => {}
        }
    }

    fn take_decision(&mut self, action: &'a Action, grounds: &[Ground]) {
        self.take_account(action);
        match action {
            Action::Serve { call, deployment, .. } => {
                let place = Place::Deployment(*deployment);
                if let Some(call) = self.calls.get_mut(call) {
                    (call.serving, call.waits, call.sent) = (Some(place), false, self.now);
                    let again = call.failures.last().is_some_and(|(.., kind)| kind.is_theirs());
                    call.retried.extend((again || call.beside.is_some()).then_some(self.now));
                    let (id, first) = (call.call.id, call.beside.map(|(first, _)| first));
                    let first = first.and_then(|first| self.calls.get_mut(&first));
                    first.into_iter().for_each(|first| first.hedge = Some(id));
                }
                self.places.entry(place).or_default().asked = true;
            }
            Action::Settle { call, .. } | Action::Refuse { call, .. } => {
                self.calls.get_mut(call).into_iter().for_each(CallPast::end);
            }
            Action::Queue { call, .. } => {
                self.calls.get_mut(call).into_iter().for_each(|call| call.waits = true);
            }
            Action::Offer { offer: id, job, holder, clause, terms, until } => {
                let (id, clause, holder, terms, until) = (*id, *clause, *holder, *terms, *until);
                let (made, said, withdrawn, spent) = (self.now, vec![], false, false);
                let job = self.jobs.get_mut(job).expect("it was submitted");
                let least = job.job.min_chunk;
                job.offers.push(Offered {
                    id,
                    clause,
                    holder,
                    terms,
                    made,
                    until,
                    said,
                    least,
                    withdrawn,
                    spent,
                });
            }
            Action::Withdraw { offer } => {
                let offers = self.jobs.values_mut().flat_map(|job| &mut job.offers);
                offers.filter(|one| one.id == *offer).for_each(|one| one.withdrawn = true);
            }
            Action::Dispatch { job: id, lease, place, count, title, .. } => {
                let fresh = LeasePast { job: *id, place: *place, count: *count, title, ended: None };
                self.leases.insert(*lease, fresh);
                let goes_on = matches!(grounds.first(), Some(Ground::SameLease(_)));
                if let Some(job) = self.jobs.get_mut(id).filter(|_| !goes_on) {
                    job.unplaced = job.unplaced.saturating_sub(*count);
                    job.offers.iter_mut().for_each(|offer| offer.spent = true);
                }
            }
            Action::RefuseJob { job, .. } => {
                let job = self.jobs.get_mut(job).expect("it was submitted");
                job.unplaced = 0;
                job.offers.iter_mut().for_each(|offer| offer.spent = true);
            }
            Action::Finish { job, .. } => {
                self.jobs.get_mut(job).into_iter().for_each(|job| job.finished = true);
            }
            _ => {}
        }
    }
}
