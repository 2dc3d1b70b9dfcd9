//! What becomes of a job, from its submission to its end?

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::{Broker, not_open, note};
use crate::decide::{Ruling, decide};
use crate::decision::{Action, Decision, Ground, Refusal};
use crate::fact::{LeaseEnding, LeaseId, OfferId, Terms};
use crate::plan::{self, Plan};
use crate::scope::any;
use crate::state::{Asked, Due, Lease, Offer, OpenJob, State};
use crate::title::{Place, Right, Title};
use crate::units::{Money, SECOND, Span, Timestamp};
use crate::workload::{Job, JobId, View};
use crate::world::ProviderId;

/// Open jobs at most.
const MAX_OPEN_JOBS: usize = 100_000;
/// Pieces that one job may be split into at once.
const MAX_PIECES: usize = 64;
/// Times that one job is resumed; after that it has failed.
pub const MAX_RESUMPTIONS: u32 = 20;
/// Firm quotes kept for one job.
const MAX_QUOTES: usize = 64;

impl Broker {
    /// A job was submitted.
    pub(super) fn job_submitted(&mut self, at: Timestamp, job: &Job, out: &mut Vec<Decision>) {
        let Some(state) = self.state.as_mut() else {
            return refuse(out, job.id, Refusal::NoProvider, vec![]);
        };
        if state.jobs.contains_key(&job.id) {
            return not_open(out);
        }
        if state.jobs.len() >= MAX_OPEN_JOBS || job.count == 0 {
            return refuse(out, job.id, Refusal::Overload, vec![]);
        }
        //= rights/tenants.md#TE-1
        let tenant = state.world.tenant(job.tenant);
        if job.model.as_ref().is_some_and(|model| !any(&tenant.models, model)) {
            return refuse(out, job.id, Refusal::NotPermitted, vec![]);
        }
        if let Some(deadline) = job.deadline {
            state.deadlines.insert((deadline, Due::Job(job.id)));
        }
        state.jobs.insert(job.id, OpenJob::new(job));
        self.advance(at, job.id, vec![], out);
    }

    /// Places what is not placed yet, piece by piece, until it is placed, a holder must be asked, or nobody has room.
    pub(super) fn advance(&mut self, at: Timestamp, id: JobId, why: Vec<Ground>, out: &mut Vec<Decision>) {
        let mut why = why;
        for _ in 0..MAX_PIECES {
            let Some(state) = self.state.as_mut() else { return };
            let Some(job) = state.jobs.get(&id) else { return };
            if job.unplaced == 0 {
                state.waiting.remove(&id);
                return;
            }
            if job.offer.is_some() {
                return;
            }
            //= rights/choosing.md#CH-14
            if job.resumes.is_none() && job.job.deadline.is_some_and(|deadline| deadline <= at) {
                return self.give_up(id, Refusal::Deadline, vec![], out);
            }
            let plan = Arc::new(plan::for_job(&state.world, at, &View::of_job(&state.world, &job.job), job));
            match decide(state, at, &plan, &Asked::Job { job }) {
                Ruling::Placed { candidate, count, title, grounds } => {
                    why.extend(grounds);
                    let place = candidate.place;
                    let grounds = core::mem::take(&mut why);
                    out.extend(dispatch(state, id, place, count, title, &plan, grounds));
                }
                Ruling::Ask { right, terms, window, grounds } => {
                    why.extend(grounds);
                    return out.push(ask(state, at, id, right, terms, window, why));
                }
                Ruling::Awaited => return,
                Ruling::Soon { grounds, .. } | Ruling::Full { grounds, .. } => {
                    return self.hold(id, grounds, out);
                }
                Ruling::Nobody { refusal, grounds } => {
                    // Only those that lost it could serve: one of them may come back.
                    if !job.lost.is_empty() {
                        return self.hold(id, grounds, out);
                    }
                    return self.give_up(id, refusal, grounds, out);
                }
            }
        }
    }

    /// The job waits for room. [CH-13]
    //= rights/choosing.md#CH-13
    fn hold(&mut self, id: JobId, grounds: Vec<Ground>, out: &mut Vec<Decision>) {
        let Some(state) = self.state.as_mut() else { return };
        let Some(job) = state.jobs.get(&id) else { return };
        let until = job.job.deadline.filter(|_| job.resumes.is_none()).unwrap_or(Timestamp::MAX);
        if state.waiting.insert(id) {
            out.push(Decision { action: Action::Hold { job: id, until }, grounds });
        }
    }

    /// Room may have come: jobs that wait are tried in order of submission.
    pub(super) fn serve_waiting(&mut self, at: Timestamp, out: &mut Vec<Decision>) {
        let waiting: Vec<JobId> = self.state.iter().flat_map(|state| state.waiting.iter().copied()).collect();
        for id in waiting {
            self.advance(at, id, vec![], out);
        }
    }

    /// A provider declared what it has free.
    pub(super) fn pool_declared(
        &mut self,
        at: Timestamp,
        provider: ProviderId,
        accelerator: &str,
        free: u32,
        out: &mut Vec<Decision>,
    ) {
        let Some(state) = self.state.as_mut() else { return not_open(out) };
        let Some(known) = state.world.providers.get(provider.index()) else { return not_open(out) };
        let nth = known.pools.iter().position(|pool| pool.accelerator == accelerator);
        let nth = nth.and_then(|nth| u16::try_from(nth).ok());
        let Some(pool) = nth.and_then(|nth| state.pools.get_mut(&(provider, nth))) else {
            return not_open(out);
        };
        pool.declared = Some(free);
        pool.declared_at = Some(at);
        for job in state.jobs.values_mut() {
            job.lost.retain(|lost| *lost != provider);
        }
        self.serve_waiting(at, out);
    }

    /// A third party quoted for a job.
    pub(super) fn quoted(
        &mut self,
        at: Timestamp,
        id: JobId,
        provider: ProviderId,
        hour: Money,
        until: Timestamp,
        out: &mut Vec<Decision>,
    ) {
        let job = self.state.as_mut().and_then(|state| state.jobs.get_mut(&id));
        let Some(job) = job else { return not_open(out) };
        job.quotes.retain(|(other, _, firm)| *other != provider && at < *firm);
        if job.quotes.len() < MAX_QUOTES {
            job.quotes.push((provider, hour, until));
        }
        if job.offer.is_none() {
            self.advance(at, id, vec![], out);
        }
    }

    /// An engine began to run a lease: on record, for whoever looks for the process.
    pub(super) fn lease_started(&mut self, lease: LeaseId, out: &mut Vec<Decision>) {
        if self.state.as_ref().is_none_or(|state| !state.leases.contains_key(&lease)) {
            not_open(out);
        }
    }

    /// A lease was metered.
    pub(super) fn lease_metered(
        &mut self,
        at: Timestamp,
        id: LeaseId,
        seconds: u64,
        out: &mut Vec<Decision>,
    ) {
        let Some(state) = self.state.as_mut() else { return not_open(out) };
        let Some(lease) = state.leases.get_mut(&id) else { return not_open(out) };
        lease.accelerator_seconds = lease.accelerator_seconds.saturating_add(seconds);
        let lease = lease.clone();
        let cost = self.book_lease(at, &lease, seconds);
        let action = Action::SettleLease { lease: id, accelerator_seconds: seconds, cost };
        out.push(Decision { action, grounds: vec![] });
    }

    /// A lease's work ended: its capacity is free again, and the job is decided anew.
    pub(super) fn lease_ended(
        &mut self,
        at: Timestamp,
        id: LeaseId,
        ending: LeaseEnding,
        seconds: u64,
        out: &mut Vec<Decision>,
    ) {
        if self.state.as_ref().is_none_or(|state| !state.leases.contains_key(&id)) {
            return not_open(out);
        }
        self.lease_metered(at, id, seconds, out);
        let Some(state) = self.state.as_mut() else { return };
        let Some(lease) = state.leases.remove(&id) else { return };
        free(state, at, &lease, ending);
        let left = left_of(&lease);
        let Some(job) = state.jobs.get_mut(&lease.job) else { return self.serve_waiting(at, out) };
        job.leases.retain(|other| *other != id);
        let over = job.resumptions >= MAX_RESUMPTIONS;
        match ending {
            LeaseEnding::Completed | LeaseEnding::Cancelled => {}
            LeaseEnding::Interrupted | LeaseEnding::Lost if job.stopped => {}
            LeaseEnding::Failed(_) => self.fail(lease.job, out),
            LeaseEnding::Interrupted | LeaseEnding::Lost if over => self.fail(lease.job, out),
            LeaseEnding::Interrupted => {
                //= rights/first-refusal.md#FR-18
                job.resumptions = job.resumptions.saturating_add(1);
                let title = lease.title.clone();
                let resumed = Resumed { lease: &lease, id, title };
                out.extend(resumed.dispatch(state));
            }
            LeaseEnding::Lost => {
                //= rights/first-refusal.md#FR-19
                job.resumptions = job.resumptions.saturating_add(1);
                job.left = if job.unplaced == 0 { left } else { left.max(job.left) };
                job.unplaced = job.unplaced.saturating_add(lease.count);
                job.resumes = Some(id);
                // A new trigger: what holders said of the work as it was binds them no longer, unless one is being asked.
                if job.offer.is_none() {
                    job.passes.clear();
                    job.accepted = None;
                }
                if !job.lost.contains(&lease.candidate.provider) {
                    job.lost.push(lease.candidate.provider);
                }
                self.advance(at, lease.job, vec![Ground::ProviderLost(id)], out);
            }
        }
        self.finish(lease.job, out);
        self.serve_waiting(at, out);
    }

    /// The owner cancelled a job.
    pub(super) fn job_cancelled(&mut self, id: JobId, out: &mut Vec<Decision>) {
        if self.state.as_ref().is_none_or(|state| !state.jobs.contains_key(&id)) {
            return not_open(out);
        }
        note(out, vec![Ground::ByOwner]);
        self.fail(id, out);
        self.finish(id, out);
    }

    /// The time by which a job must have been placed is over. [CH-14]
    //= rights/choosing.md#CH-14
    pub(super) fn deadline_passed(&mut self, id: JobId, out: &mut Vec<Decision>) {
        let job = self.state.as_ref().and_then(|state| state.jobs.get(&id));
        if job.is_some_and(|job| job.unplaced > 0) {
            self.give_up(id, Refusal::Deadline, vec![], out);
        }
    }

    /// What is not placed will not be; what runs goes on.
    fn give_up(&mut self, id: JobId, refusal: Refusal, grounds: Vec<Ground>, out: &mut Vec<Decision>) {
        refuse(out, id, refusal, grounds);
        self.withdraw(id, out);
        let Some(state) = self.state.as_mut() else { return };
        state.waiting.remove(&id);
        if let Some(job) = state.jobs.get_mut(&id) {
            job.unplaced = 0;
            job.accepted = None;
            job.failed = true;
            if let Some(deadline) = job.job.deadline {
                state.deadlines.remove(&(deadline, Due::Job(id)));
            }
            if job.leases.is_empty() {
                state.jobs.remove(&id);
            }
        }
    }

    /// The job has failed or was cancelled: what runs is stopped, what is offered is taken back.
    fn fail(&mut self, id: JobId, out: &mut Vec<Decision>) {
        self.withdraw(id, out);
        let Some(state) = self.state.as_mut() else { return };
        state.waiting.remove(&id);
        let Some(job) = state.jobs.get_mut(&id) else { return };
        job.unplaced = 0;
        job.failed = true;
        job.stopped = true;
        for lease in &job.leases {
            out.push(Decision { action: Action::Cancel { lease: *lease }, grounds: vec![] });
        }
    }

    fn withdraw(&mut self, id: JobId, out: &mut Vec<Decision>) {
        let Some(state) = self.state.as_mut() else { return };
        let Some(job) = state.jobs.get_mut(&id) else { return };
        let Some((offer, _)) = job.offer.take() else { return };
        if let Some(open) = state.offers.remove(&offer) {
            state.deadlines.remove(&(open.until, Due::Offer(offer)));
        }
        out.push(Decision { action: Action::Withdraw { offer }, grounds: vec![] });
    }

    /// Is the job done?
    fn finish(&mut self, id: JobId, out: &mut Vec<Decision>) {
        let Some(state) = self.state.as_mut() else { return };
        let done = state.jobs.get(&id).is_some_and(|job| job.unplaced == 0 && job.leases.is_empty());
        if !done {
            return;
        }
        if let Some(job) = state.jobs.remove(&id) {
            if let Some(deadline) = job.job.deadline {
                state.deadlines.remove(&(deadline, Due::Job(id)));
            }
            out.push(Decision {
                action: Action::Finish { job: id, completed: !job.failed },
                grounds: vec![],
            });
        }
    }
}

/// What a lease had still to run: its duration less what was metered for each accelerator.
fn left_of(lease: &Lease) -> Span {
    let ran = lease.accelerator_seconds.div_euclid(u64::from(lease.count.max(1)));
    Span(lease.duration.0.saturating_sub(ran.saturating_mul(SECOND)))
}

/// Gives back a lease's accelerators; a provider that lost them has none until it declares some.
fn free(state: &mut State, at: Timestamp, lease: &Lease, ending: LeaseEnding) {
    let lost = ending == LeaseEnding::Lost;
    if let Place::Pool(provider, nth) = lease.candidate.place
        && let Some(pool) = state.pools.get_mut(&(provider, nth))
    {
        pool.leased = pool.leased.saturating_sub(lease.count);
        if lost {
            (pool.declared, pool.declared_at) = (Some(0), Some(at));
        } else {
            pool.declared = pool.declared.map(|free| free.saturating_add(lease.count));
        }
    }
    if let Some(standing) = state.providers.get_mut(lease.candidate.provider.index()) {
        standing.accelerators = standing.accelerators.saturating_sub(lease.count);
        //= rights/assurance.md#AS-6
        standing.good_runs = standing.good_runs.saturating_add(u32::from(ending == LeaseEnding::Completed));
    }
}

/// Opens a lease.
fn dispatch(
    state: &mut State,
    id: JobId,
    place: Place,
    count: u32,
    title: Title,
    plan: &Arc<Plan>,
    grounds: Vec<Ground>,
) -> Option<Decision> {
    let candidate = plan.candidates.iter().find(|one| one.place == place)?.clone();
    let job = state.jobs.get_mut(&id)?;
    // What was taken was taken of the job as it stood: once a part is placed, by whatever title, the word is spent.
    let accepted = job.accepted.take();
    let hour = match accepted.filter(|accepted| title.holds() == Some(accepted.clause)) {
        Some(accepted) => accepted.hour,
        None => candidate.hour,
    };
    job.unplaced = job.unplaced.saturating_sub(count);
    let resumes = job.resumes;
    let lease = Lease {
        job: id,
        candidate,
        plan: Arc::clone(plan),
        count,
        hour,
        title,
        duration: job.left,
        accelerator_seconds: 0,
    };
    Some(open_lease(state, lease, resumes, grounds))
}

/// Puts a lease in force.
fn open_lease(state: &mut State, lease: Lease, resumes: Option<LeaseId>, grounds: Vec<Ground>) -> Decision {
    let id = LeaseId(state.next_lease);
    state.next_lease = state.next_lease.saturating_add(1);
    let place = lease.candidate.place;
    if let Place::Pool(provider, nth) = place
        && let Some(pool) = state.pools.get_mut(&(provider, nth))
    {
        pool.leased = pool.leased.saturating_add(lease.count);
        pool.declared = pool.declared.map(|free| free.saturating_sub(lease.count));
    }
    if let Some(standing) = state.providers.get_mut(lease.candidate.provider.index()) {
        standing.accelerators = standing.accelerators.saturating_add(lease.count);
    }
    if let Some(job) = state.jobs.get_mut(&lease.job) {
        job.leases.push(id);
    }
    let (job, count, hour, title) = (lease.job, lease.count, lease.hour, lease.title.clone());
    state.leases.insert(id, lease);
    Decision { action: Action::Dispatch { job, lease: id, place, count, hour, title, resumes }, grounds }
}

/// A lease whose process died while its provider still holds it.
struct Resumed<'a> {
    lease: &'a Lease,
    id: LeaseId,
    title: Title,
}

impl Resumed<'_> {
    fn dispatch(self, state: &mut State) -> Option<Decision> {
        let lease = Lease {
            duration: left_of(self.lease),
            accelerator_seconds: 0,
            title: self.title,
            ..self.lease.clone()
        };
        Some(open_lease(state, lease, Some(self.id), vec![Ground::SameLease(self.id)]))
    }
}

/// Puts an offer to a holder.
fn ask(
    state: &mut State,
    at: Timestamp,
    id: JobId,
    right: Right,
    terms: Terms,
    window: Span,
    grounds: Vec<Ground>,
) -> Decision {
    let offer = OfferId(state.next_offer);
    state.next_offer = state.next_offer.saturating_add(1);
    let until = at.plus(window);
    state.deadlines.insert((until, Due::Offer(offer)));
    let open =
        Offer { job: id, clause: right.clause, holder: right.holder, terms, made: at, until, counter: None };
    state.offers.insert(offer, open);
    if let Some(job) = state.jobs.get_mut(&id) {
        job.offer = Some((offer, right.clause));
    }
    state.waiting.remove(&id);
    let (holder, clause) = (right.holder, right.clause);
    Decision { action: Action::Offer { offer, job: id, holder, clause, terms, until }, grounds }
}

fn refuse(out: &mut Vec<Decision>, job: JobId, refusal: Refusal, grounds: Vec<Ground>) {
    out.push(Decision { action: Action::RefuseJob { job, refusal }, grounds });
}
