//! Was the law kept? Walks a whole journal and checks it by its own lights: it shares the core's words (facts, decisions,
//! the text of agreements) and none of its reasoning. What the law allows is read anew in `law`, room is reckoned anew
//! in `room`, sums in `sums`.

mod beside;
mod calls;
mod jobs;
mod law;
mod report;
mod room;
mod sums;
mod titles;

use std::collections::{BTreeMap, BTreeSet};

use firstright_core::account::{Account, AccountId};
use firstright_core::decision::{Action, Decision};
use firstright_core::fact::{Fact, LeaseId, Observation, OfferId};
use firstright_core::journal::Record;
use firstright_core::scope::Glob;
use firstright_core::text;
use firstright_core::title::Place;
use firstright_core::units::Timestamp;
use firstright_core::workload::{Call, CallId, JobId};
use firstright_core::world::{DeploymentId, ModelId, ProviderId, World};

use self::calls::{Serving, Tracked};
use self::jobs::{Job, Lease, Offer, Quotes};
use self::law::Subject;
use self::room::Room;

pub use self::report::{Audit, Finding, Offers, Tally};

/// Findings kept at most: a journal that is wrong everywhere needs no longer list.
pub const MAX_FINDINGS: usize = 1_000;

/// Audits a journal from its first record on.
pub fn audit<'a>(records: impl Iterator<Item = &'a Record>) -> Audit {
    let mut auditor = Auditor::default();
    for record in records {
        auditor.record(record);
    }
    auditor.finish()
}

/// Reads records one by one, for journals that do not fit in memory.
#[derive(Default)]
pub struct Auditor {
    world: Option<World>,
    at: Timestamp,
    seq: u64,
    calls: BTreeMap<CallId, Tracked>,
    /// Those of them that wait: to go through all that ever came for each that does would take for ever.
    waiting: BTreeSet<CallId>,
    rooms: Vec<Room>,
    jobs: BTreeMap<JobId, Job>,
    offers: BTreeMap<OfferId, Offer>,
    leases: BTreeMap<LeaseId, Lease>,
    /// Leased and declared free, by pool.
    pools: BTreeMap<(ProviderId, u16), (u32, Option<u32>)>,
    /// Windows of open offers by their ends.
    due: BTreeSet<(Timestamp, OfferId)>,
    /// Jobs that lost a lease.
    lossy: BTreeSet<JobId>,
    /// Leases in force by job.
    running: BTreeMap<JobId, u32>,
    /// A provider declares its pool in this record.
    declared_now: bool,
    /// A room as it was before this record's fact: waiting calls may have been served before it.
    before: Option<(usize, Room)>,
    /// What this record's fact says of that room.
    observed: Option<Observation>,
    /// A job's quotes as they were before the one of this record.
    quotes_before: Option<(JobId, Quotes)>,
    /// Accounts as they were last set.
    accounts: BTreeMap<AccountId, Account>,
    /// What is tried again of what tenants bring.
    tries: beside::AllTries,
    sums: sums::Sums,
    audit: Audit,
}

impl Auditor {
    /// Checks the next record.
    pub fn record(&mut self, record: &Record) {
        if self.seq > 0 && (record.seq != self.seq + 1 || record.at <= self.at) {
            self.find(format!("record {} does not come next", record.seq));
        }
        (self.seq, self.at) = (record.seq, record.at);
        self.audit.records += 1;
        // Deadlines are dealt with before the fact; what they bring about concerns other workloads than the fact's.
        self.windows_end();
        (self.before, self.observed, self.quotes_before) = (None, None, None);
        self.declared_now = matches!(record.fact, Fact::PoolDeclared { .. });
        let world = self.world.take();
        let due = due_before(record);
        if let Some(world) = &world {
            for decision in record.decisions.iter().take(due).filter(|one| of_call(one).is_some()) {
                self.decision(world, record, decision);
            }
            self.fact(world, record);
        }
        self.world = world;
        if let Fact::Enacted { sources } = &record.fact {
            self.enacted(sources, &record.decisions);
        }
        let world = self.world.take();
        if let Some(world) = &world {
            for (nth, decision) in record.decisions.iter().enumerate() {
                if nth >= due || of_call(decision).is_none() {
                    self.decision(world, record, decision);
                }
            }
            self.nothing_forgotten(&record.fact);
        } else if record
            .decisions
            .iter()
            .any(|one| matches!(one.action, Action::Serve { .. } | Action::Dispatch { .. }))
        {
            self.find("something is placed while no law is in force".to_string());
        }
        self.world = world;
    }

    /// What was found, and the counts.
    pub fn finish(mut self) -> Audit {
        for offer in self.offers.values() {
            self.audit.offers.open += u64::from(offer.closed.is_none());
        }
        self.audit.sums = self.sums;
        self.audit
    }

    fn find(&mut self, what: String) {
        if self.audit.findings.len() < MAX_FINDINGS {
            self.audit.findings.push(Finding { record: self.seq, what });
        }
    }

    fn must(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.find(what());
        }
    }

    fn enacted(&mut self, sources: &[(String, String)], decisions: &[Decision]) {
        if !decisions.iter().any(|one| one.action == Action::Enact) {
            return;
        }
        let read = text::read(sources).0;
        let read = match &self.world {
            Some(old) => read.and_then(|world| world.after(old)),
            None => read,
        };
        let Some(world) = read else {
            return self.find("a law is in force that cannot be read".to_string());
        };
        let before = std::mem::take(&mut self.rooms);
        let mut before: BTreeMap<String, Room> = match &self.world {
            Some(old) => old.deployments.iter().map(|one| one.id.clone()).zip(before).collect(),
            None => BTreeMap::new(),
        };
        let room = |one: &firstright_core::world::Deployment| match before.remove(&one.id) {
            Some(known) => known.under(one.capacity),
            None => Room::new(one.capacity),
        };
        self.rooms = world.deployments.iter().map(room).collect();
        self.world = Some(world);
    }

    fn fact(&mut self, world: &World, record: &Record) {
        match &record.fact {
            Fact::AccountSet { account } => {
                let number = record.decisions.iter().find_map(|decision| match decision.action {
                    Action::SetAccount { account } => Some(account),
                    _ => None,
                });
                self.accounts.extend(number.map(|number| (number, account.clone())));
            }
            Fact::CallArrived(call) => {
                self.audit.calls += 1;
                if call.hedges.is_none() {
                    self.tries.entry(call.tenant).or_default().came(self.at);
                }
                let mut tracked = Tracked {
                    call: call.clone(),
                    arrived: self.at,
                    serving: None,
                    queued: false,
                    failed: Vec::new(),
                    outcomes: 0,
                    beside: None,
                    hedge: None,
                    gave_way: false,
                };
                self.stand_beside(&mut tracked);
                self.calls.entry(call.id).or_insert(tracked);
            }
            Fact::AttemptFailed { call, failure } => self.attempt_failed(world, *call, failure),
            Fact::CallSettled { .. } => self.settled(world, record),
            Fact::AnswerAwaited { call, waited } => {
                let serving = self.calls.get(call).and_then(|one| one.serving.as_ref());
                if let Some(room) = serving.and_then(|one| self.rooms.get_mut(one.deployment.index())) {
                    room.heard(*waited);
                }
            }
            Fact::CallAbandoned { call } => {
                self.waiting.remove(call);
                if let Some(tracked) = self.calls.get_mut(call) {
                    tracked.queued = false;
                }
            }
            Fact::CapacityObserved { deployment, observation } => {
                self.keep(*deployment);
                self.observed = Some(*observation);
                if let Some(room) = self.rooms.get_mut(deployment.index()) {
                    room.observe(self.at, observation);
                }
            }
            _ => self.job_fact(world, &record.fact),
        }
    }

    /// Keeps a room as it was before this record's fact.
    fn keep(&mut self, deployment: DeploymentId) {
        self.before = self.rooms.get(deployment.index()).map(|room| (deployment.index(), room.clone()));
    }

    /// The room as it is, and as it was before this record's fact.
    fn rooms_of(&self, deployment: DeploymentId) -> impl Iterator<Item = &Room> {
        let before = self.before.as_ref().filter(|(index, _)| *index == deployment.index());
        self.rooms.get(deployment.index()).into_iter().chain(before.map(|(_, room)| room))
    }

    fn decision(&mut self, world: &World, record: &Record, decision: &Decision) {
        self.audit.count(decision);
        match &decision.action {
            Action::Serve { call, deployment, model, reserved, title, .. } => {
                self.tried_again(world, *call, *deployment, title, &decision.grounds);
                self.serve(world, *call, *deployment, *model, *reserved, title);
            }
            Action::Queue { call, until } => self.queued(world, *call, *until),
            Action::Refuse { call, .. } => self.outcome(*call),
            Action::Settle { call, .. } => {
                let own = matches!(&record.fact, Fact::CallSettled { call: other, .. } if other == call);
                self.must(own, || format!("call {} is settled, and did not end", call.0));
                self.outcome(*call);
            }
            _ => self.job_decision(world, record, decision),
        }
    }

    /// A call as the law sees it, with the regions of its key and of the accounts above that.
    fn subject<'w>(&self, world: &'w World, call: &'w Call, model: ModelId) -> Subject<'w> {
        let mut key_regions = Vec::new();
        let mut next = call.key.and_then(|key| self.accounts.get(&key));
        while let Some(account) = next {
            key_regions.push(account.regions.iter().cloned().map(Glob).collect());
            let above = account.parent.as_ref();
            next = above.and_then(|id| self.accounts.values().find(|account| account.id == *id));
        }
        Subject { key_regions, ..law::of_call(world, call, model) }
    }

    /// A call that arrived or failed must be placed, wait or have its outcome.
    fn nothing_forgotten(&mut self, fact: &Fact) {
        if let Fact::CallArrived(Call { id, .. }) | Fact::AttemptFailed { call: id, .. } = fact
            && let Some(tracked) = self.calls.get(id)
        {
            let kept = tracked.serving.is_some() || tracked.queued || tracked.outcomes > 0;
            self.must(kept, || format!("call {} was forgotten", id.0));
        }
    }
}

/// Which call a decision speaks of.
fn of_call(decision: &Decision) -> Option<CallId> {
    match &decision.action {
        Action::Serve { call, .. }
        | Action::Queue { call, .. }
        | Action::Refuse { call, .. }
        | Action::Settle { call, .. } => Some(*call),
        _ => None,
    }
}

/// So many of the first decisions of a record are of deadlines that fell due before its fact: those before the first that
/// speaks of the fact's own call.
fn due_before(record: &Record) -> usize {
    let (Fact::CallSettled { call, .. } | Fact::AttemptFailed { call, .. }) = &record.fact else { return 0 };
    record.decisions.iter().position(|one| of_call(one) == Some(*call)).unwrap_or(0)
}

/// A place by its name.
fn name(world: &World, place: Place) -> String {
    firstright_core::show::place(world, place)
}

/// The name of a ground, for counting.
fn kind_of(ground: &impl std::fmt::Debug) -> String {
    let text = format!("{ground:?}");
    text.split(['(', ' ', '{']).next().unwrap_or_default().to_string()
}
