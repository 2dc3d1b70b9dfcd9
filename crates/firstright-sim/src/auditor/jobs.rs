//! Were jobs offered before they were placed, and sold once? Follows offers to their one close and leases to their end.

use firstright_core::clause::{Answering, Clause, Silence};
use firstright_core::decision::{Action, Decision, Ground};
use firstright_core::fact::{Answer, Fact, LeaseEnding, LeaseId, OfferId, Terms};
use firstright_core::journal::Record;
use firstright_core::title::{Evidence, Place, Title};
use firstright_core::units::{Money, SECOND, Span, Timestamp};
use firstright_core::workload::{Job as Submitted, JobId};
use firstright_core::world::{ClauseId, PartyId, ProviderId, World};

use super::titles::Evidences;
use super::{Auditor, law, name};

/// Firm quotes for an hour, each until when.
pub(super) type Quotes = Vec<(ProviderId, Money, Timestamp)>;

/// Firm quotes that the broker keeps for one job.
const QUOTES: usize = 64;

/// A job from its submission on.
#[derive(Clone)]
pub(super) struct Job {
    pub id: JobId,
    pub submitted: Submitted,
    pub unplaced: u32,
    /// What the part that is not placed has still to run.
    pub left: Span,
    pub lost: Vec<ProviderId>,
    ever_lost: Vec<ProviderId>,
    quotes: Quotes,
    /// The rights by which it was offered, in order.
    pub offered: Vec<ClauseId>,
    accepted: Option<(ClauseId, u32, Option<Money>)>,
    stopped: bool,
    finished: bool,
}

/// An offer, and how it was closed.
#[derive(Clone)]
pub(super) struct Offer {
    job: JobId,
    clause: ClauseId,
    holder: PartyId,
    terms: Terms,
    until: Timestamp,
    counter: Option<Terms>,
    pub closed: Option<How>,
}

/// How an offer was closed.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum How {
    Declined(Timestamp),
    Silent,
    Taken(u32),
    Withdrawn,
}

/// A lease.
#[derive(Clone)]
pub(super) struct Lease {
    job: JobId,
    place: Place,
    count: u32,
    hour: Option<Money>,
    title: Title,
    duration: Span,
    metered: u64,
    /// When the law was read for it.
    planned: Timestamp,
    open: bool,
    ending: Option<LeaseEnding>,
}

impl Auditor {
    /// Windows that ended before this record.
    pub(super) fn windows_end(&mut self) {
        let at = self.at;
        let due: Vec<OfferId> = self.due.range(..=(at, OfferId(u64::MAX))).map(|(_, offer)| *offer).collect();
        for id in due {
            let Some(offer) = self.offers.get(&id) else { continue };
            let silent = match self.world.as_ref().map(|world| &world.clause(offer.clause).clause) {
                Some(Clause::FirstRefusal(right)) => right.silence,
                _ => Silence::Declines,
            };
            let (count, hour) = (offer.terms.count, offer.terms.hour);
            match silent {
                Silence::Declines => self.close(id, How::Silent, None),
                Silence::Accepts => self.close(id, How::Taken(count), hour),
            }
        }
    }

    fn close(&mut self, id: OfferId, how: How, hour: Option<Money>) {
        let Some(offer) = self.offers.get_mut(&id) else { return };
        offer.closed = Some(how);
        self.due.remove(&(offer.until, id));
        let counts = &mut self.audit.offers;
        match how {
            How::Declined(_) => counts.declined += 1,
            How::Silent => counts.silent += 1,
            How::Withdrawn => counts.withdrawn += 1,
            How::Taken(count) if count < offer.terms.count => counts.in_part += 1,
            How::Taken(_) => counts.accepted += 1,
        }
        if let (How::Taken(count), Some(job)) = (how, self.jobs.get_mut(&offer.job)) {
            job.accepted = Some((offer.clause, count, hour));
        }
    }

    pub(super) fn job_fact(&mut self, world: &World, fact: &Fact) {
        match fact {
            Fact::JobSubmitted(submitted) => {
                self.audit.jobs += 1;
                let job = Job {
                    id: submitted.id,
                    submitted: submitted.clone(),
                    unplaced: submitted.count,
                    left: submitted.duration,
                    lost: Vec::new(),
                    ever_lost: Vec::new(),
                    quotes: Vec::new(),
                    offered: Vec::new(),
                    accepted: None,
                    stopped: false,
                    finished: false,
                };
                self.jobs.entry(submitted.id).or_insert(job);
            }
            Fact::Answered { offer, by, answer } => self.answered(world, *offer, *by, answer),
            Fact::CounterAnswered { offer, agreed } => {
                let Some(open) = self.offers.get_mut(offer).filter(|open| open.closed.is_none()) else {
                    return;
                };
                let Some(terms) = open.counter.take() else { return };
                if *agreed {
                    let count = terms.count.min(open.terms.count);
                    self.close(*offer, How::Taken(count), terms.hour);
                }
            }
            Fact::Quoted { job, provider, hour, until } => {
                let at = self.at;
                if let Some((id, job)) = self.jobs.get_mut(job).map(|known| (*job, known)) {
                    self.quotes_before = Some((id, job.quotes.clone()));
                    job.quotes.retain(|(other, _, firm)| other != provider && at < *firm);
                    if job.quotes.len() < QUOTES {
                        job.quotes.push((*provider, *hour, *until));
                    }
                }
            }
            Fact::PoolDeclared { provider, accelerator, free } => {
                let pools = world.providers.get(provider.index()).map(|one| &one.pools);
                let nth =
                    pools.and_then(|pools| pools.iter().position(|pool| pool.accelerator == *accelerator));
                let Some(nth) = nth.and_then(|nth| u16::try_from(nth).ok()) else { return };
                self.pools.entry((*provider, nth)).or_default().1 = Some(*free);
                for id in &self.lossy {
                    if let Some(job) = self.jobs.get_mut(id) {
                        job.lost.retain(|lost| lost != provider);
                    }
                }
            }
            _ => {}
        }
    }

    /// An answer closes an open offer if the holder gave it and the clause allows it.
    fn answered(&mut self, world: &World, id: OfferId, by: PartyId, answer: &Answer) {
        let Some(offer) = self.offers.get_mut(&id).filter(|open| open.closed.is_none() && open.holder == by)
        else {
            return;
        };
        let Clause::FirstRefusal(right) = &world.clause(offer.clause).clause else { return };
        let (all, hour) = (offer.terms.count, offer.terms.hour);
        let least = self.jobs.get(&offer.job).map_or(1, |job| job.submitted.min_chunk.max(1));
        let is_piece = |count: u32| count >= least && all.saturating_sub(count) >= least;
        match answer {
            Answer::Accept => self.close(id, How::Taken(all), hour),
            Answer::Decline(_) => self.close(id, How::Declined(self.at), None),
            Answer::Partial(count) if *count >= all => self.close(id, How::Taken(all), hour),
            Answer::Partial(count) if right.partial && is_piece(*count) => {
                self.close(id, How::Taken(*count), hour);
            }
            Answer::Counter(terms)
                if right.counter
                    && terms.duration == offer.terms.duration
                    && (terms.count >= all || is_piece(terms.count)) =>
            {
                offer.counter = Some(*terms);
            }
            Answer::Partial(_) | Answer::Counter(_) => {}
        }
    }

    pub(super) fn job_decision(&mut self, world: &World, record: &Record, decision: &Decision) {
        match &decision.action {
            Action::Offer { offer, job, holder, clause, terms, until } => {
                let open = Offer {
                    job: *job,
                    clause: *clause,
                    holder: *holder,
                    terms: *terms,
                    until: *until,
                    counter: None,
                    closed: None,
                };
                self.offered(world, *offer, open);
            }
            Action::Withdraw { offer } => self.close(*offer, How::Withdrawn, None),
            Action::Dispatch { job, lease, place, count, hour, title, .. } => {
                let lease_of = Lease {
                    job: *job,
                    place: *place,
                    count: *count,
                    hour: *hour,
                    title: title.clone(),
                    duration: Span(0),
                    metered: 0,
                    planned: self.at,
                    open: true,
                    ending: None,
                };
                match decision.grounds.iter().find_map(|ground| match ground {
                    Ground::SameLease(before) => Some(*before),
                    _ => None,
                }) {
                    Some(before) => self.resumed(world, *lease, lease_of, before),
                    None => self.dispatched(world, *lease, lease_of),
                }
            }
            Action::SettleLease { lease, accelerator_seconds, cost } => {
                self.lease_settled(world, record, *lease, *accelerator_seconds, *cost);
            }
            Action::Note if decision.grounds.contains(&Ground::ByOwner) => {
                if let Fact::JobCancelled { job } = &record.fact
                    && let Some(job) = self.jobs.get_mut(job)
                {
                    (job.stopped, job.unplaced) = (true, 0);
                }
            }
            Action::RefuseJob { job, .. } => {
                if let Some(job) = self.jobs.get_mut(job) {
                    job.unplaced = 0;
                }
                self.audit.refused_jobs += 1;
            }
            Action::Finish { job, .. } => {
                let running = self.running.get(job).is_some_and(|leases| *leases > 0);
                let Some(known) = self.jobs.get_mut(job) else {
                    return self.find(format!("job {} is finished and was never submitted", job.0));
                };
                let twice = std::mem::replace(&mut known.finished, true);
                self.must(!twice, || format!("job {} is finished twice", job.0));
                self.must(!running, || format!("job {} is finished while it runs", job.0));
            }
            _ => {}
        }
    }

    /// An offer is made: the right must stand next in order, with the clause's own window.
    fn offered(&mut self, world: &World, id: OfferId, offer: Offer) {
        self.audit.offers.made += 1;
        let Some(job) = self.jobs.get_mut(&offer.job) else {
            return self.find(format!("offer {} is for a job that was never submitted", id.0));
        };
        job.offered.push(offer.clause);
        let job = job.clone();
        let subject = law::of_job(world, &job.submitted);
        let rights = law::rights(world, self.at, &subject, None);
        let right = rights.iter().find(|(clause, _)| *clause == offer.clause);
        let window = match right.map(|(_, right)| (right.holder == offer.holder, right.answering)) {
            Some((true, Answering::Within(window))) => Some(window),
            _ => None,
        };
        let at = self.at;
        self.must(window.is_some(), || format!("offer {} is by no right in force", id.0));
        self.must(window.is_none_or(|window| at.plus(window) == offer.until), || {
            format!("offer {} has another window than its clause's", id.0)
        });
        self.must(!job.stopped && offer.terms.count > 0 && offer.terms.count <= job.unplaced, || {
            format!("offer {} is for more than is left of its job", id.0)
        });
        let open = self
            .offers
            .values()
            .rev()
            .take(QUOTES)
            .any(|other| other.job == offer.job && other.closed.is_none());
        self.must(!open, || format!("offer {} is made while another is open for its job", id.0));
        self.due.insert((offer.until, id));
        self.offers.insert(id, offer);
    }

    /// A job is placed: the title must hold, and nothing may be sold twice.
    fn dispatched(&mut self, world: &World, id: LeaseId, lease: Lease) {
        let Some(job) = self.jobs.get(&lease.job).cloned() else {
            return self.find(format!("lease {} is for a job that was never submitted", id.0));
        };
        let (place, count) = (lease.place, lease.count);
        let subject = law::of_job(world, &job.submitted);
        self.must(count > 0 && count <= job.unplaced && !job.stopped, || {
            format!("lease {} is for more than is left of job {}", id.0, lease.job.0)
        });
        self.may_serve(world, &subject, place, Some(&job));
        self.title(world, &subject, place, &lease.title, &Evidences::Job(&job));
        let held = lease.title.holds().map(|clause| (clause, &world.clause(clause).clause));
        let asked = match held {
            Some((clause, Clause::FirstRefusal(right))) if right.answering != Answering::Standing => {
                Some(clause)
            }
            _ => None,
        };
        let taken = asked.and_then(|clause| job.accepted.filter(|(by, ..)| *by == clause));
        let hour = match (asked, taken) {
            (Some(_), None) => {
                self.find(format!("lease {} uses a right that its holder did not take up", id.0));
                lease.hour
            }
            (_, Some((_, most, hour))) => {
                self.must(count == most.min(job.unplaced), || {
                    format!("lease {} has another count than the holder took", id.0)
                });
                hour
            }
            (None, None) => {
                // A holder is bound by its own word, whatever its pool has; all others get what is free.
                let (free, least) = (self.free(world, place), job.submitted.min_chunk);
                self.must(count <= free, || format!("{} is leased beyond what it has", name(world, place)));
                let rest = job.unplaced.saturating_sub(count);
                self.must(rest == 0 || (count >= least && rest >= least), || {
                    format!("lease {} splits job {} smaller than it may be", id.0, lease.job.0)
                });
                // A window that ends at the moment of a quote ends before it.
                let before = self.quotes_before.as_ref().filter(|(id, _)| *id == lease.job);
                let before = before.map(|(_, quotes)| Job { quotes: quotes.clone(), ..job.clone() });
                let before = before.map(|job| self.price_of(world, &job, place));
                before.filter(|hour| *hour == lease.hour).unwrap_or_else(|| self.price_of(world, &job, place))
            }
        };
        self.must(hour == lease.hour, || format!("lease {} is priced {:?}, not {hour:?}", id.0, lease.hour));
        if let Some(known) = self.jobs.get_mut(&lease.job) {
            known.unplaced = known.unplaced.saturating_sub(count);
            if taken.is_some() {
                known.accepted = None;
            }
        }
        let duration = job.left;
        // Its holder said nothing in this record: it was silent until a window's end, which comes before the fact.
        let before = self.declared_now && taken.is_some();
        self.open(world, id, Lease { duration, ..lease }, before);
    }

    /// A lease goes on where its process died: the same place, count, price and title.
    fn resumed(&mut self, world: &World, id: LeaseId, lease: Lease, before: LeaseId) {
        let Some(old) = self.leases.get(&before).cloned() else {
            return self.find(format!("lease {} resumes one that never was", id.0));
        };
        let same = old.place == lease.place
            && old.count == lease.count
            && old.hour == lease.hour
            && old.title == lease.title
            && old.job == lease.job;
        let ended = !old.open && old.ending == Some(LeaseEnding::Interrupted);
        let stopped = self.jobs.get(&old.job).is_none_or(|job| job.stopped);
        self.must(same && ended && !stopped, || {
            format!("lease {} does not go on where lease {} was", id.0, before.0)
        });
        self.open(world, id, Lease { duration: left_of(&old), planned: old.planned, ..lease }, false);
    }

    /// A lease opens; `before` what its provider declares in this record, which then leaves it out already.
    fn open(&mut self, world: &World, id: LeaseId, lease: Lease, before: bool) {
        if let Place::Pool(provider, nth) = lease.place {
            let pool = self.pools.entry((provider, nth)).or_default();
            pool.0 += lease.count;
            pool.1 = pool.1.map(|free| if before { free } else { free.saturating_sub(lease.count) });
        }
        *self.running.entry(lease.job).or_default() += 1;
        let provider = &world.provider(law::provider_of(world, lease.place)).id;
        self.audit.providers.entry(provider.clone()).or_default().leases += 1;
        let twice = self.leases.insert(id, lease).is_some();
        self.must(!twice, || format!("lease {} is opened twice", id.0));
    }

    /// A lease was metered, and has ended if the fact says so.
    fn lease_settled(
        &mut self,
        world: &World,
        record: &Record,
        id: LeaseId,
        seconds: u64,
        cost: Option<Money>,
    ) {
        let metered = match &record.fact {
            Fact::LeaseMetered { lease, accelerator_seconds } => (*lease, *accelerator_seconds, None),
            Fact::LeaseEnded { lease, ending, accelerator_seconds } => {
                (*lease, *accelerator_seconds, Some(*ending))
            }
            _ => return self.find(format!("lease {} is settled, and was not metered", id.0)),
        };
        let Some(lease) = self.leases.get_mut(&id) else {
            return self.find(format!("lease {} is settled and never was", id.0));
        };
        let (open, hour) = (lease.open, lease.hour);
        lease.metered = lease.metered.saturating_add(seconds);
        let copy = lease.clone();
        self.must(open && metered.0 == id && metered.1 == seconds, || {
            format!("lease {} is settled for what was not metered", id.0)
        });
        let owed = hour.map(|hour| Money(law::half_even(hour.0 * i128::from(seconds), 3_600)));
        self.must(owed == cost, || format!("lease {} costs {owed:?} and was booked at {cost:?}", id.0));
        let Some(job) = self.jobs.get(&copy.job).cloned() else { return };
        let subject = law::of_job(world, &job.submitted);
        self.sums.lease(world, copy.planned, &subject, copy.place, cost);
        let provider = &world.provider(law::provider_of(world, copy.place)).id;
        let tally = self.audit.providers.entry(provider.clone()).or_default();
        tally.accelerator_seconds = tally.accelerator_seconds.saturating_add(seconds);
        tally.cost = tally.cost.plus(cost.unwrap_or(Money::ZERO));
        if let Some(ending) = metered.2 {
            self.ended(id, ending);
        }
    }

    fn ended(&mut self, id: LeaseId, ending: LeaseEnding) {
        let Some(lease) = self.leases.get_mut(&id) else { return };
        (lease.open, lease.ending) = (false, Some(ending));
        let lease = lease.clone();
        let lost = ending == LeaseEnding::Lost;
        if let Place::Pool(provider, nth) = lease.place {
            let pool = self.pools.entry((provider, nth)).or_default();
            pool.0 = pool.0.saturating_sub(lease.count);
            pool.1 = if lost { Some(0) } else { pool.1.map(|free| free.saturating_add(lease.count)) };
            if let Some(job) = self.jobs.get_mut(&lease.job).filter(|_| lost) {
                job.left = left_of(&lease);
                if !job.stopped {
                    job.unplaced += lease.count;
                }
                job.ever_lost.push(provider);
                if !job.lost.contains(&provider) {
                    job.lost.push(provider);
                }
                self.lossy.insert(lease.job);
            }
        }
        if let Some(running) = self.running.get_mut(&lease.job) {
            *running = running.saturating_sub(1);
        }
        let Some(job) = self.jobs.get_mut(&lease.job) else { return };
        match ending {
            LeaseEnding::Failed(_) => (job.stopped, job.unplaced) = (true, 0),
            LeaseEnding::Interrupted => job.left = job.left.min(left_of(&lease)),
            _ => {}
        }
    }

    /// Accelerators of the pool that are free.
    pub(super) fn free(&self, world: &World, place: Place) -> u32 {
        let (Place::Pool(provider, nth), Some(pool)) = (place, law::pool_of(world, place)) else { return 0 };
        let (leased, declared) = self.pools.get(&(provider, nth)).copied().unwrap_or_default();
        let free = pool.count.saturating_sub(leased);
        // What it declares in this very record may have come after what is judged.
        if self.declared_now { free } else { declared.map_or(free, |declared| declared.min(free)) }
    }

    /// The firm quote, or the contract's or the catalogue's price.
    fn price_of(&self, world: &World, job: &Job, place: Place) -> Option<Money> {
        let provider = law::provider_of(world, place);
        let firm = job.quotes.iter().filter(|(by, _, until)| *by == provider && self.at < *until);
        firm.map(|(_, hour, _)| *hour).min().or_else(|| law::hour(world, self.at, place))
    }

    /// Was the offer put to the holder by this right for this job, and closed as the evidence says?
    pub(super) fn closed_so(&self, id: OfferId, clause: ClauseId, job: JobId, evidence: &Evidence) -> bool {
        let Some(offer) = self.offers.get(&id) else { return false };
        let so = match (evidence, offer.closed) {
            (Evidence::Declined { at, .. }, Some(How::Declined(when))) => *at == when && when < offer.until,
            (Evidence::Silent { until, .. }, Some(How::Silent)) => {
                *until == offer.until && offer.until <= self.at
            }
            (Evidence::PartTaken { count, .. }, Some(How::Taken(taken))) => {
                *count == taken && taken < offer.terms.count
            }
            _ => false,
        };
        so && offer.clause == clause && offer.job == job
    }
}

impl Job {
    /// Did the provider ever lose a lease of it?
    pub(super) fn was_lost_by(&self, provider: ProviderId) -> bool {
        self.ever_lost.contains(&provider)
    }
}

/// What the lease had still to run, by what was metered.
fn left_of(lease: &Lease) -> Span {
    let ran = lease.metered / u64::from(lease.count.max(1));
    Span(lease.duration.0.saturating_sub(ran.saturating_mul(SECOND)))
}
