//! Was the law kept? Walks a whole journal and checks it by its own lights: it shares the core's words (facts, decisions,
//! the text of agreements) and none of its reasoning. What the law allows is read anew in `law`, room is reckoned anew
//! in `room`, sums in `sums`.

mod beside;
mod jobs;
mod law;
mod report;
mod room;
mod sums;

use std::collections::{BTreeMap, BTreeSet};

use firstright_core::account::{Account, AccountId};
use firstright_core::decision::{Action, Decision};
use firstright_core::fact::{Fact, Failure, FailureKind, LeaseId, Observation, OfferId};
use firstright_core::journal::Record;
use firstright_core::scope::Glob;
use firstright_core::text;
use firstright_core::title::{Evidence, Place, Title};
use firstright_core::units::{Money, Span, Timestamp};
use firstright_core::workload::{Call, CallId, JobId};
use firstright_core::world::{ClauseId, DeploymentId, ModelId, PartyId, ProviderId, World};

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

/// A call from its arrival on.
struct Tracked {
    call: Call,
    arrived: Timestamp,
    serving: Option<Serving>,
    queued: bool,
    failed: Vec<(DeploymentId, FailureKind, Timestamp)>,
    outcomes: u32,
    /// The call beside which it is a second attempt, and where that one is served.
    beside: Option<(CallId, DeploymentId)>,
    /// The second attempt beside it.
    hedge: Option<CallId>,
    /// The other of two attempts goes on as the call.
    gave_way: bool,
}

/// Where a call is served.
#[derive(Clone)]
struct Serving {
    deployment: DeploymentId,
    model: ModelId,
    reserved: u64,
    since: Timestamp,
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

    fn attempt_failed(&mut self, world: &World, call: CallId, failure: &Failure) {
        let at = self.at;
        let Some(tracked) = self.calls.get_mut(&call) else { return };
        let Some(serving) = tracked.serving.take() else { return };
        tracked.failed.push((serving.deployment, failure.kind, at));
        self.gives_way(call, failure.kind);
        self.keep(serving.deployment);
        if let Some(room) = self.rooms.get_mut(serving.deployment.index()) {
            room.give_back(at, serving.since, serving.reserved, 0);
            room.failed(at, failure.kind, failure.retry_after);
            room.status(failure.status);
        }
        let fault = matches!(
            failure.kind,
            FailureKind::ServerError | FailureKind::Unreachable | FailureKind::TimedOut
        );
        if let Some(tracked) = self.calls.get(&call).filter(|_| fault) {
            let subject = self.subject(world, &tracked.call, serving.model);
            self.sums.attempt(world, &subject, &serving, false, Span(0));
        }
    }

    /// A call ended: exactly one settlement must follow, of what the usage comes to.
    fn settled(&mut self, world: &World, record: &Record) {
        let Fact::CallSettled { call, usage, tier, ending, first_byte, observed, .. } = &record.fact else {
            return;
        };
        let at = self.at;
        let Some(serving) = self.calls.get_mut(call).and_then(|tracked| tracked.serving.take()) else {
            let settled =
                |one: &Decision| matches!(&one.action, Action::Settle { call: other, .. } if other == call);
            let settled = record.decisions.iter().any(settled);
            return self.must(!settled, || format!("call {} is settled, and was not being served", call.0));
        };
        let provisioned = self.rooms.get(serving.deployment.index()).is_some_and(Room::is_provisioned);
        let spilled = provisioned && observed.is_some_and(|seen| seen.spilled);
        self.keep(serving.deployment);
        if let Some(room) = self.rooms.get_mut(serving.deployment.index()) {
            let used = if spilled { 0 } else { usage.tokens() - usage.cached_input };
            room.give_back(at, serving.since, serving.reserved, used);
            room.ended(at, *ending, first_byte.0 > 0);
            if *ending != firstright_core::fact::Ending::Lost {
                room.heard(*first_byte);
            }
            if spilled {
                room.overflowed(at, serving.since, serving.reserved);
            }
            if let Some(seen) = observed {
                room.observe(at, seen);
            }
        }
        if spilled {
            self.took_over(world, serving.deployment, usage.tokens() - usage.cached_input);
        }
        let settled = record.decisions.iter().find_map(|one| match &one.action {
            Action::Settle { call: other, cost, charge } if other == call => Some((*cost, *charge)),
            _ => None,
        });
        let Some((cost, charge)) = settled else {
            return self.find(format!("call {} ended and was not settled", call.0));
        };
        let Some(asked) = self.calls.get(call).map(|tracked| tracked.call.clone()) else { return };
        let costs = sums::costs(world, &asked, &serving, usage, *tier, spilled);
        self.must(costs.contains(&cost), || {
            format!("call {} costs {costs:?} and was booked at {cost:?}", call.0)
        });
        let owed = law::charges(world.tenant(asked.tenant), world.model(serving.model), *tier);
        let owed = owed.and_then(|rates| law::priced(usage, &rates));
        self.must(owed == charge, || {
            format!("call {} is charged {owed:?} and was booked at {charge:?}", call.0)
        });
        let subject = self.subject(world, &asked, serving.model);
        self.sums.call(world, &subject, &serving, cost, charge);
        if matches!(ending, firstright_core::fact::Ending::Complete | firstright_core::fact::Ending::Cut) {
            let whole = *ending == firstright_core::fact::Ending::Complete;
            self.sums.attempt(world, &subject, &serving, whole, *first_byte);
        }
        let provider = &world.provider(world.deployment(serving.deployment).provider).id;
        let tally = self.audit.providers.entry(provider.clone()).or_default();
        tally.tokens += usage.tokens();
        tally.cost = tally.cost.plus(cost.unwrap_or(Money::ZERO));
    }

    /// What a provider spilled itself counts against its pay-as-you-go deployment of the same model.
    fn took_over(&mut self, world: &World, from: DeploymentId, used: u64) {
        let from = world.deployment(from);
        let other = world.deployments.iter().position(|one| {
            let payg = matches!(one.capacity, firstright_core::world::CapacityKind::PayAsYouGo { .. });
            (one.provider, one.model) == (from.provider, from.model) && payg
        });
        if let Some(room) = other.and_then(|index| self.rooms.get_mut(index)) {
            room.took_over(self.at, used);
        }
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

    /// A call waits: as long as its tenant lets it, and no more of them than may.
    fn queued(&mut self, world: &World, id: CallId, until: Timestamp) {
        let waiting = self.waiting.len();
        let Some(tracked) = self.calls.get_mut(&id) else {
            return self.find(format!("call {} is queued and never arrived", id.0));
        };
        tracked.queued = true;
        self.waiting.insert(id);
        let tenant = world.tenant(tracked.call.tenant);
        let right = until == tracked.arrived.plus(tenant.max_wait.max(tenant.spill_after));
        self.must(right, || format!("call {} waits longer or shorter than its tenant lets it", id.0));
        let most = usize::try_from(world.limits.waiting).unwrap_or(usize::MAX);
        self.must(waiting < most, || format!("call {} waits, and as many wait as may", id.0));
    }

    /// Tokens that may be kept for calls which have waited for half of what they may.
    fn kept(&self, world: &World, but: CallId) -> u64 {
        let half = |one: &&Tracked| {
            let tenant = world.tenant(one.call.tenant);
            let most = tenant.max_wait.max(tenant.spill_after);
            one.call.id != but && self.at.since(one.arrived).0 >= most.0 / 2
        };
        let waiting = self.waiting.iter().filter_map(|id| self.calls.get(id));
        waiting.filter(half).map(|one| one.call.input + one.call.max_output).sum()
    }

    fn outcome(&mut self, call: CallId) {
        self.waiting.remove(&call);
        let Some(tracked) = self.calls.get_mut(&call) else {
            return self.find(format!("call {} has an outcome and never arrived", call.0));
        };
        tracked.queued = false;
        tracked.outcomes += 1;
        if tracked.outcomes > 1 || tracked.serving.is_some() {
            self.find(format!("call {} has a second outcome", call.0));
        }
    }

    /// A call is placed: nobody may be barred, passed over or sold twice.
    fn serve(
        &mut self,
        world: &World,
        id: CallId,
        deployment: DeploymentId,
        model: ModelId,
        reserved: u64,
        title: &Title,
    ) {
        let at = self.at;
        let Some(tracked) = self.calls.get_mut(&id) else {
            return self.find(format!("call {} is served and never arrived", id.0));
        };
        let (call, failed) = (tracked.call.clone(), tracked.failed.clone());
        let twice = tracked.serving.is_some() || tracked.outcomes > 0;
        tracked.serving = Some(Serving { deployment, model, reserved, since: at });
        tracked.queued = false;
        self.waiting.remove(&id);
        self.must(!twice, || format!("call {} is served twice", id.0));
        self.must(law::permits(world, &call, model), || {
            format!("call {} gets a model that its tenant may not have", id.0)
        });
        self.must(reserved == call.input + call.max_output, || {
            format!("call {} reserves another size than its own", id.0)
        });
        let place = Place::Deployment(deployment);
        let again = failed.iter().any(|(one, kind, _)| *one == deployment && *kind != FailureKind::Throttled);
        self.must(!again, || format!("call {} goes again to where it failed", id.0));
        let subject = self.subject(world, &call, model);
        self.may_serve(world, &subject, place, None);
        self.title(world, &subject, place, title, &Evidences::Call(&call, &failed));
        let full = self.rooms_of(deployment).all(|room| room.is_full(at, reserved));
        self.must(!full, || format!("call {} is put on a deployment that has no room for it", id.0));
        self.reserve(deployment, reserved);
        let tally = self
            .audit
            .providers
            .entry(world.provider(law::provider_of(world, place)).id.clone())
            .or_default();
        tally.calls += 1;
    }

    fn reserve(&mut self, deployment: DeploymentId, tokens: u64) {
        let at = self.at;
        let Some(room) = self.rooms.get_mut(deployment.index()) else { return };
        room.reserve(at, tokens);
        let before = self.before.as_mut().filter(|(index, _)| *index == deployment.index());
        let Some((_, before)) = before else { return };
        let had_room = !before.is_full(at, tokens);
        before.reserve(at, tokens);
        // It may have waited for this very moment, and been served before the provider was heard: then what the provider
        // said holds of a room that it was in already.
        if let Some(seen) = self.observed.as_ref().filter(|_| had_room) {
            *room = before.clone();
            room.observe(at, seen);
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

    /// Every hard constraint, and every exclusivity that no outage suspends.
    fn may_serve(&mut self, world: &World, subject: &Subject<'_>, place: Place, job: Option<&Job>) {
        if let Some(why) = law::barred(world, self.at, subject, place) {
            self.find(format!("{} serves and may not: {why}", name(world, place)));
        }
        for (party, outage) in law::exclusives(world, self.at, subject, place) {
            let out = outage.is_some_and(|span| self.is_out(world, subject, party, span));
            self.must(out, || format!("{} serves what is exclusive to another", name(world, place)));
        }
        let lost = job.is_some_and(|job| job.lost.contains(&law::provider_of(world, place)));
        self.must(!lost, || format!("{} gets a job back that it lost", name(world, place)));
    }

    /// Have all of the party's places that could serve been failing for so long?
    fn is_out(&self, world: &World, subject: &Subject<'_>, party: PartyId, span: Span) -> bool {
        let open = |place: &Place| {
            law::party_of(world, *place) == party
                && law::barred(world, self.at, subject, *place).is_none()
                && law::exclusives(world, self.at, subject, *place).iter().all(|(_, outage)| outage.is_some())
        };
        let own: Vec<Place> = law::places(world).into_iter().filter(open).collect();
        let out = |place: &Place| match place {
            Place::Deployment(id) => {
                self.rooms_of(*id).filter_map(Room::failing_since).any(|since| self.at.since(since) >= span)
            }
            Place::Pool(..) => false,
        };
        !own.is_empty() && own.iter().all(out)
    }

    /// By this title, may the place serve? Every right before it must be released by something on record.
    fn title(
        &mut self,
        world: &World,
        subject: &Subject<'_>,
        place: Place,
        title: &Title,
        on: &Evidences<'_>,
    ) {
        // A right by which it was offered may have run out since, and a later one been asked in between.
        let offered: &[ClauseId] = match on {
            Evidences::Job(job) => &job.offered,
            Evidences::Call(..) => &[],
        };
        let wanted = |also| law::rights(world, self.at, subject, also);
        let ids = |rights: &[(ClauseId, &firstright_core::clause::FirstRefusal)]| {
            let released = title.releases();
            let next = rights.get(released.len());
            let holds = match (title.holds(), next) {
                (Some(clause), Some((id, right))) => {
                    clause == *id && right.holder == law::party_of(world, place)
                }
                (None, None) => true,
                _ => false,
            };
            holds && released.iter().zip(rights).all(|(one, (id, _))| one.clause() == *id)
        };
        let mut readings = offered.iter().rev().copied().map(Some).chain([None]).map(wanted);
        let Some(rights) = readings.find(|rights| ids(rights)) else {
            return self
                .find(format!("{} is given work past a right that was not released", name(world, place)));
        };
        for (release, (id, right)) in title.releases().iter().zip(&rights) {
            self.must(!release.evidence().is_empty(), || {
                format!("{} is released without evidence", world.cite(*id))
            });
            for evidence in release.evidence() {
                if let Err(why) = self.borne_out(world, subject, *id, right, evidence, on) {
                    self.find(format!("{} is released by what is not on record: {why}", world.cite(*id)));
                }
            }
            self.all_accounted_for(world, subject, *id, right, release.evidence(), on);
        }
    }

    /// Every place of the holder that could serve must be spoken of, unless the holder itself released.
    fn all_accounted_for(
        &mut self,
        world: &World,
        subject: &Subject<'_>,
        id: ClauseId,
        right: &firstright_core::clause::FirstRefusal,
        evidence: &[Evidence],
        on: &Evidences<'_>,
    ) {
        let by_itself = evidence.iter().any(|one| {
            matches!(
                one,
                Evidence::Declined { .. }
                    | Evidence::Silent { .. }
                    | Evidence::PartTaken { .. }
                    | Evidence::CarvedOut { .. }
                    | Evidence::Probation { .. }
            )
        });
        // What a job may cost bars places too, and is judged where it is placed.
        if by_itself || subject.job.is_some_and(|job| job.budget.is_some()) {
            return;
        }
        for place in law::places(world) {
            let lost =
                matches!(on, Evidences::Job(job) if job.lost.contains(&law::provider_of(world, place)));
            let could = law::party_of(world, place) == right.holder
                && !lost
                && law::barred(world, self.at, subject, place).is_none()
                && law::exclusives(world, self.at, subject, place).is_empty();
            let named = evidence.iter().any(|one| match one {
                Evidence::Short { place: at, .. }
                | Evidence::Down { place: at, .. }
                | Evidence::SetAside { place: at, .. }
                | Evidence::Slowed { place: at, .. }
                | Evidence::Failed { place: at, .. } => *at == place,
                _ => false,
            });
            self.must(!could || named, || {
                format!(
                    "{} could serve under {}, and nothing on record says why not",
                    name(world, place),
                    world.cite(id)
                )
            });
        }
    }

    fn borne_out(
        &self,
        world: &World,
        subject: &Subject<'_>,
        clause: ClauseId,
        right: &firstright_core::clause::FirstRefusal,
        evidence: &Evidence,
        on: &Evidences<'_>,
    ) -> Result<(), String> {
        let own = |place: &Place| law::party_of(world, *place) == right.holder;
        let holds = match (evidence, on) {
            (Evidence::Short { place, need, free, .. }, Evidences::Job(job)) => {
                let known = self.free(world, *place);
                own(place) && free < need && *need <= u64::from(job.unplaced) && *free <= u64::from(known)
            }
            (
                Evidence::Short { place, .. }
                | Evidence::Down { place, .. }
                | Evidence::Slowed { place, .. }
                | Evidence::SetAside { place, .. }
                | Evidence::Failed { place, .. },
                _,
            ) => own(place) && self.stood_so(world, evidence, on),
            (Evidence::Lost { provider }, Evidences::Job(job)) => {
                world.provider(*provider).party == right.holder && job.was_lost_by(*provider)
            }
            (Evidence::Barred { place, .. }, _) => {
                own(place)
                    && (law::barred(world, self.at, subject, *place).is_some()
                        || !law::exclusives(world, self.at, subject, *place).is_empty()
                        || subject.job.is_some_and(|job| job.budget.is_some()))
            }
            (Evidence::Absent, _) => {
                !law::places(world).iter().any(|place| own(place) && law::suits(world, subject, *place))
            }
            (Evidence::Probation { .. }, _) => world
                .providers
                .iter()
                .any(|one| one.party == right.holder && law::probation(world, self.at, subject, &one.id)),
            (Evidence::CarvedOut { which }, on) => {
                let left = match on {
                    Evidences::Job(job) if !job.lost.is_empty() => Some(job.left),
                    _ => None,
                };
                right.carve_outs.get(usize::from(*which)).is_some_and(|one| law::carves(one, subject, left))
            }
            (
                Evidence::Declined { offer, .. }
                | Evidence::Silent { offer, .. }
                | Evidence::PartTaken { offer, .. },
                Evidences::Job(job),
            ) => self.closed_so(*offer, clause, job.id, evidence),
            _ => false,
        };
        if holds { Ok(()) } else { Err(format!("{evidence:?}")) }
    }

    /// Did a deployment stand as the evidence says?
    fn stood_so(&self, world: &World, evidence: &Evidence, on: &Evidences<'_>) -> bool {
        let room = |place: &Place, says: &dyn Fn(&Room) -> bool| match place {
            Place::Deployment(id) => self.rooms_of(*id).any(says),
            Place::Pool(..) => false,
        };
        match (evidence, on) {
            (Evidence::Short { place, need, free, observed_at }, Evidences::Call(call, _)) => {
                let size = *need == call.input + call.max_output || *need == 1;
                let said = *observed_at <= self.at && free < need && size;
                let kept = self.kept(world, call.id);
                said && room(place, &|room| room.is_short(self.at, *need, kept))
            }
            (Evidence::Down { place, since, .. }, _) => {
                room(place, &|room| room.failing_since() == Some(*since))
            }
            (Evidence::Slowed { place, open, limit, .. }, _) => {
                limit <= open && room(place, &|room| room.slowed() == Some(i64::from(*open)))
            }
            (Evidence::SetAside { place, since }, _) => {
                room(place, &|room| room.refusing_since() == Some(*since))
            }
            (Evidence::Failed { place, kind, at, .. }, Evidences::Call(_, failed)) => {
                let same = |one: &(DeploymentId, FailureKind, Timestamp)| {
                    (Place::Deployment(one.0), one.1, one.2) == (*place, *kind, *at)
                };
                failed.iter().any(same)
            }
            _ => false,
        }
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

/// What a title's evidence is judged against.
enum Evidences<'a> {
    Call(&'a Call, &'a [(DeploymentId, FailureKind, Timestamp)]),
    Job(&'a Job),
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
