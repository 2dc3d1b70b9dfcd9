//! What becomes of a trace of jobs when a holder must be asked first?

use std::collections::BTreeMap;
use std::fmt::Write as _;

use firstright_core::decision::{Action, Decision};
use firstright_core::fact::{Answer, Fact, LeaseEnding, LeaseId, OfferId};
use firstright_core::title::Place;
use firstright_core::units::{SECOND, Span, Timestamp};
use firstright_core::workload::{Job, JobId, Purpose};
use firstright_core::world::{PartyId, ProviderId};

use super::{Book, START, tenant_of};
use crate::traces::TraceJob;

/// How a holder answers an offer. It accepts whenever it has the accelerators free; this says what it does if not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// It declines at once.
    Decline,
    /// It stays silent until the window ends.
    Silent,
    /// It waits within the window, and accepts as soon as enough of its accelerators are free.
    Wait,
}

/// What came of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobRun {
    /// Jobs submitted.
    pub jobs: u64,
    /// GPU-seconds asked for.
    pub gpu_seconds: u64,
    /// Jobs of which a part ran elsewhere than with a holder by its right.
    pub overflow_jobs: u64,
    /// GPU-seconds that ran elsewhere.
    pub overflow_gpu_seconds: u64,
    /// Jobs that were refused.
    pub refused: u64,
    /// The journal, header and all.
    pub journal: Vec<u8>,
}

/// A world for a trace of jobs: one holder of so many GPUs with a window, and a market without limit. Both cost the same:
/// a dearer market would be better terms for a third party, and the holder would be asked a second time.
pub fn jobs_law(trace: &[TraceJob], holder_gpus: u32, window: Span) -> Vec<(String, String)> {
    let mut law = format!(
        "currency = \"USD\"\n\
         [[party]]\nid = \"operator\"\noperator = true\n[[party]]\nid = \"holder\"\n[[party]]\nid = \"market\"\n\
         [[provider]]\nid = \"holder\"\nparty = \"holder\"\nregion = \"us-east\"\njurisdiction = \"us\"\n\
         [[provider.pool]]\naccelerator = \"gpu\"\ncount = {holder_gpus}\nhour = \"2.00 USD/h\"\n\
         [[provider]]\nid = \"market\"\nparty = \"market\"\nregion = \"us-east\"\njurisdiction = \"us\"\n\
         [[provider.pool]]\naccelerator = \"gpu\"\ncount = 1_000_000_000\nhour = \"2.00 USD/h\"\n"
    );
    let mut tenants: Vec<&str> = trace.iter().map(|job| job.vc.as_str()).collect();
    tenants.sort_unstable();
    tenants.dedup();
    for tenant in tenants {
        let _ = write!(law, "[[tenant]]\nid = \"{tenant}\"\n");
    }
    let _ = write!(
        law,
        "[[agreement]]\nid = \"holder\"\nparties = [\"operator\", \"holder\"]\nfrom = 2026-01-01\n\
         [[agreement.first-refusal]]\nid = \"rofr\"\nholder = \"holder\"\nscope = {{ kinds = \"jobs\" }}\n\
         answering = {{ within = \"{window}\" }}\n",
    );
    vec![("simulated.toml".to_string(), law)]
}

/// An open offer, as its holder sees it.
struct Open {
    holder: PartyId,
    count: u32,
    until: Timestamp,
}

/// The holders' side: what each has free, and what it is still thinking about.
struct Holders {
    policy: Policy,
    /// Accelerators free, by provider and pool.
    free: BTreeMap<(ProviderId, u16), u32>,
    parties: BTreeMap<ProviderId, PartyId>,
    open: BTreeMap<OfferId, Open>,
    /// Offers to answer now.
    answers: Vec<(OfferId, PartyId, Answer)>,
}

impl Holders {
    /// Could the party start so many now, in one of its pools?
    fn can(&self, party: PartyId, count: u32) -> bool {
        self.free
            .iter()
            .any(|((provider, _), free)| self.parties.get(provider) == Some(&party) && *free >= count)
    }

    fn asked(&mut self, offer: OfferId, open: Open) {
        if self.can(open.holder, open.count) {
            self.answers.push((offer, open.holder, Answer::Accept));
            return;
        }
        match self.policy {
            Policy::Decline => {
                self.answers.push((offer, open.holder, Answer::Decline("no room".to_string())))
            }
            Policy::Silent => {}
            Policy::Wait => {
                self.open.insert(offer, open);
            }
        }
    }

    /// Room may have come: the first offer in order of asking that fits now is taken.
    fn think(&mut self, now: Timestamp) {
        // A window that has ended is no longer thought about.
        self.open.retain(|_, open| now < open.until);
        let fits = self.open.iter().find(|(_, open)| self.can(open.holder, open.count));
        if let Some(id) = fits.map(|(id, _)| *id)
            && let Some(open) = self.open.remove(&id)
        {
            self.answers.push((id, open.holder, Answer::Accept));
        }
    }
}

/// Feeds the jobs through a broker under this law.
///
/// # Errors
/// If the law is refused.
pub fn jobs(trace: &[TraceJob], sources: Vec<(String, String)>, policy: Policy) -> Result<JobRun, String> {
    let book: Book<LeaseId> = Book::open(sources)?;
    let (mut free, mut parties) = (BTreeMap::new(), BTreeMap::new());
    for (provider, id) in book.world().providers.iter().zip(0u16..) {
        parties.insert(ProviderId(id), provider.party);
        for (pool, nth) in provider.pools.iter().zip(0u16..) {
            free.insert((ProviderId(id), nth), pool.count);
        }
    }
    let holders = Holders { policy, free, parties, open: BTreeMap::new(), answers: Vec::new() };
    let mut run =
        Running { book, holders, leases: BTreeMap::new(), open: BTreeMap::new(), out: JobRun::default() };
    for (row, number) in trace.iter().zip(1u64..) {
        let at = START.plus(Span(SECOND.saturating_add(row.submit_s.saturating_mul(SECOND))));
        run.until(at);
        run.submit(at, row, JobId(number));
    }
    run.until(Timestamp::MAX);
    run.out.journal = run.book.journal;
    Ok(run.out)
}

/// A run under way.
struct Running {
    book: Book<LeaseId>,
    holders: Holders,
    /// Where each lease runs, on how many, for how many seconds.
    leases: BTreeMap<LeaseId, (Place, u32, u64)>,
    /// How many seconds each job runs, and whether it has overflowed.
    open: BTreeMap<JobId, (u64, bool)>,
    out: JobRun,
}

impl Running {
    fn submit(&mut self, at: Timestamp, row: &TraceJob, id: JobId) {
        let job = Job {
            id,
            name: String::new(),
            tenant: tenant_of(self.book.world(), &row.vc),
            purpose: Purpose::Training,
            model: None,
            accelerators: Vec::new(),
            count: row.gpus,
            min_chunk: row.gpus,
            interconnect: None,
            duration: Span(row.duration_s.saturating_mul(SECOND)),
            region: None,
            data_class: String::new(),
            labels: Vec::new(),
            deadline: None,
            budget: None,
        };
        self.out.jobs += 1;
        self.out.gpu_seconds += u64::from(row.gpus) * row.duration_s;
        self.open.insert(id, (row.duration_s, false));
        let decisions = self.book.step(at, &Fact::JobSubmitted(job));
        self.follow(&decisions);
        self.answer();
    }

    /// Everything that happens up to then.
    fn until(&mut self, until: Timestamp) {
        while let Some((at, event)) = self.book.next(until) {
            let fact = match event {
                None => Fact::Ticked,
                Some(lease) => {
                    let Some((place, count, seconds)) = self.leases.remove(&lease) else { continue };
                    if let Place::Pool(provider, nth) = place
                        && let Some(free) = self.holders.free.get_mut(&(provider, nth))
                    {
                        *free += count;
                    }
                    let accelerator_seconds = u64::from(count) * seconds;
                    Fact::LeaseEnded { lease, ending: LeaseEnding::Completed, accelerator_seconds }
                }
            };
            let decisions = self.book.step(at, &fact);
            self.follow(&decisions);
            self.answer();
        }
    }

    /// The holders answer what they can.
    fn answer(&mut self) {
        loop {
            if self.holders.answers.is_empty() {
                // The answer is stamped a nanosecond later at least, and must not come too late.
                self.holders.think(Timestamp(self.book.last.0 + 1));
            }
            let Some((offer, by, answer)) = self.holders.answers.pop() else { return };
            let decisions = self.book.step(self.book.last, &Fact::Answered { offer, by, answer });
            self.follow(&decisions);
        }
    }

    fn follow(&mut self, decisions: &[Decision]) {
        for decision in decisions {
            match &decision.action {
                Action::Offer { offer, holder, terms, until, .. } => {
                    let open = Open { holder: *holder, count: terms.count, until: *until };
                    self.holders.asked(*offer, open);
                }
                Action::Dispatch { job, lease, place, count, title, .. } => {
                    let Some((seconds, over)) = self.open.get_mut(job) else { continue };
                    if let Place::Pool(provider, nth) = place
                        && let Some(free) = self.holders.free.get_mut(&(*provider, *nth))
                    {
                        *free = free.saturating_sub(*count);
                    }
                    if title.holds().is_none() {
                        self.out.overflow_jobs += u64::from(!*over);
                        self.out.overflow_gpu_seconds += u64::from(*count) * *seconds;
                        *over = true;
                    }
                    self.leases.insert(*lease, (*place, *count, *seconds));
                    let end = self.book.last.plus(Span(seconds.saturating_mul(SECOND)));
                    self.book.expect(end, *lease);
                }
                Action::RefuseJob { .. } => self.out.refused += 1,
                _ => {}
            }
        }
    }
}
