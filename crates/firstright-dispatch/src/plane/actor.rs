//! The one actor: one `select!` over a closed enum of inputs, each dealt with before the next. It decides nothing.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use firstright_core::decision::{Action, Decision};
use firstright_core::fact::{Fact, LeaseEnding, LeaseId};
use firstright_core::workload::JobId;
use firstright_core::world::World;
use firstright_engine::{Engine, JobDecisions, Noted, Stepped};
use tokio::process::Child;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::{Config, EngineKind, Request};
use crate::board::Board;
use crate::folder::{Jobs, LeaseFiles};
use crate::job_file::JobFile;
use crate::local::{self, Exit, Outcome, ProcessRef, Stop, Told};
use crate::meter::Meter;

/// The job plane's actor.
#[derive(Debug)]
pub struct Actor {
    pub(super) engine: Arc<Engine>,
    pub(super) config: Config,
    pub(super) jobs: Jobs,
    pub(super) board: Board,
    /// The last record that the board took from the journal's file.
    pub(super) replayed: u64,
    pub(super) decisions: JobDecisions,
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) running: BTreeMap<LeaseId, Running>,
    /// Leases that are to be started: there was no room for a process, or the machine refused it one.
    pub(super) pending: VecDeque<LeaseId>,
    pub(super) exits: JoinSet<(LeaseId, Exit)>,
}

/// A lease's process.
#[derive(Debug)]
pub(super) struct Running {
    job: JobId,
    meter: Meter,
    pub(super) stop: watch::Sender<Stop>,
    pub(super) files: LeaseFiles,
    /// The provider lost it.
    pub(super) lost: bool,
    /// The core wants it stopped.
    cancelled: bool,
}

/// All that can happen to the actor.
enum Input {
    /// The core decided something.
    Decided(Noted),
    /// Nothing is left of a lease's process.
    Exited(LeaseId, Exit),
    /// It is time to meter.
    Meter,
    /// Somebody asks.
    Asked(Request),
    /// The engine is closed, or nobody can ask any more.
    Stop,
}

impl Actor {
    /// Takes up the leases in force, then acts until the engine is closed or the last handle is dropped. Processes go
    /// on without it: the next one takes them up.
    pub async fn run(mut self) {
        self.take_up();
        let mut ticks = interval(self.config.meter_every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.reset();
        loop {
            // Decisions first, so that whoever asks sees all that was decided before.
            let input = tokio::select! {
                biased;
                noted = self.decisions.next() => noted.map_or(Input::Stop, Input::Decided),
                Some(Ok((lease, exit))) = self.exits.join_next() => Input::Exited(lease, exit),
                _ = ticks.tick() => Input::Meter,
                request = self.requests.recv() => request.map_or(Input::Stop, Input::Asked),
            };
            match input {
                Input::Decided(noted) => self.decided(noted).await,
                Input::Exited(lease, exit) => self.exited(lease, exit),
                Input::Meter => self.meter(),
                Input::Asked(Request::Stop { ask }) => {
                    self.meter();
                    return drop(ask.send(Ok(())));
                }
                Input::Asked(request) => self.asked(request),
                Input::Stop => return self.meter(),
            }
        }
    }

    pub(super) fn world(&self) -> Arc<World> {
        self.engine.world()
    }

    /// Puts a fact on record, and on the board. What is decided comes back by way of the engine, but for what concerns
    /// only the books.
    pub(super) fn submit(&mut self, fact: &Fact) -> Stepped {
        let stepped = self.engine.submit(fact);
        self.noted(fact, &stepped);
        stepped
    }

    pub(super) fn noted(&mut self, fact: &Fact, stepped: &Stepped) {
        self.board.fact(stepped.at, fact, &stepped.decisions);
        for decision in &stepped.decisions {
            if let Action::SettleLease { lease, cost, .. } = decision.action {
                self.board.booked(lease, cost);
            }
        }
    }

    async fn decided(&mut self, noted: Noted) {
        let Noted { record, decision } = noted;
        if record > self.replayed {
            let world = self.world();
            self.board.decision(&world, record, &decision);
        }
        self.carry_out(record, &decision).await;
    }

    async fn carry_out(&mut self, record: u64, decision: &Decision) {
        match &decision.action {
            Action::Dispatch { lease, .. } => {
                // Nothing is started that a lost record would not know of.
                self.engine.durable(record).await;
                self.begin(*lease);
            }
            Action::Cancel { lease } => self.cancel(*lease),
            // Offers and refusals are for people: they are on the board.
            _ => {}
        }
    }

    /// Begins a lease's work, unless it runs, waits or is over.
    pub(super) fn begin(&mut self, lease: LeaseId) {
        if self.running.contains_key(&lease) || self.pending.contains(&lease) {
            return;
        }
        self.pending.push_back(lease);
        self.start_pending();
    }

    /// Starts what waits, in order, while there is room.
    pub(super) fn start_pending(&mut self) {
        for _ in 0..self.pending.len() {
            if self.running.len() >= self.config.max_processes {
                return;
            }
            let Some(lease) = self.pending.pop_front() else { return };
            self.start(lease);
        }
    }

    /// Starts one lease. What the machine refuses is tried again at the next metering; what is the job's own fault ends
    /// the lease.
    fn start(&mut self, lease: LeaseId) {
        let Some(entry) = self.board.lease(lease).filter(|entry| !entry.ended()).cloned() else { return };
        let files = self.jobs.lease(entry.job, entry.piece, lease);
        if entry.cancelled {
            return self.end(lease, LeaseEnding::Cancelled, 0);
        }
        if files.done() {
            return self.end(lease, LeaseEnding::Completed, 0);
        }
        let text = self.jobs.read(entry.job).ok();
        let Some(file) = text.and_then(|text| JobFile::read("job.toml", &text).ok()) else {
            self.board.set_problem(lease, Some("its job file is not there".to_string()));
            return self.end(lease, LeaseEnding::Failed(NOT_FOUND), 0);
        };
        let world = self.world();
        let provider = world.provider(entry.provider(&world)).id.clone();
        let told = Told {
            job: entry.job.0,
            attempt: entry.attempt,
            piece: entry.piece,
            provider: &provider,
            accelerators: entry.count,
            max_log_bytes: self.config.max_log_bytes,
        };
        let started = match self.config.engines.get(&provider).copied().unwrap_or_default() {
            EngineKind::Local => local::start(&file.command, &files, &told),
        };
        match started {
            Ok((child, process)) => {
                self.board.set_problem(lease, None);
                let engine = process.name();
                self.watch(lease, files, process, Some(child));
                self.submit(&Fact::LeaseStarted { lease, engine });
            }
            Err(error) => {
                let problem = format!("failed to start its process: {error}; it is tried again");
                self.board.set_problem(lease, Some(problem));
                self.pending.push_back(lease);
            }
        }
    }

    /// Watches a process, and meters it.
    pub(super) fn watch(
        &mut self,
        lease: LeaseId,
        files: LeaseFiles,
        process: ProcessRef,
        child: Option<Child>,
    ) {
        let Some(entry) = self.board.lease(lease) else { return };
        let meter = Meter::new(process.start, entry.count, entry.accelerator_seconds);
        let (job, cancelled) = (entry.job, entry.cancelled);
        let lost = files.file("lost").exists();
        let first = match (lost, cancelled) {
            (true, _) => Stop::AtOnce,
            (false, true) => Stop::Politely,
            (false, false) => Stop::No,
        };
        let (stop, stops) = watch::channel(first);
        let watched = local::watch(files.clone(), process, child, stops, self.config.grace);
        self.exits.spawn(async move { (lease, watched.await) });
        self.running.insert(lease, Running { job, meter, stop, files, lost, cancelled });
    }

    fn cancel(&mut self, lease: LeaseId) {
        if let Some(running) = self.running.get_mut(&lease) {
            running.cancelled = true;
            running
                .stop
                .send_if_modified(|stop| std::mem::replace(stop, (*stop).max(Stop::Politely)) == Stop::No);
        } else if let Some(place) = self.pending.iter().position(|one| *one == lease) {
            self.pending.remove(place);
            self.end(lease, LeaseEnding::Cancelled, 0);
        }
    }

    fn exited(&mut self, lease: LeaseId, exit: Exit) {
        let Some(mut running) = self.running.remove(&lease) else { return };
        let ending = match exit.outcome {
            // What was cancelled is not completed, however politely it ended.
            _ if running.cancelled => LeaseEnding::Cancelled,
            Outcome::Code(0) => LeaseEnding::Completed,
            // The work is lost with the provider, unless it was done.
            _ if running.lost => LeaseEnding::Lost,
            Outcome::Code(code) => LeaseEnding::Failed(code),
            Outcome::Died => LeaseEnding::Interrupted,
        };
        let seconds = running.meter.take(exit.until);
        self.end(lease, ending, seconds);
        self.start_pending();
    }

    pub(super) fn end(&mut self, lease: LeaseId, ending: LeaseEnding, accelerator_seconds: u64) {
        self.submit(&Fact::LeaseEnded { lease, ending, accelerator_seconds });
    }

    /// Meters what runs, and tries again what could not be started.
    fn meter(&mut self) {
        let now = local::uptime();
        let due: Vec<(LeaseId, u64)> = self
            .running
            .iter_mut()
            .filter(|(_, running)| !running.files.file("exit").exists())
            .map(|(lease, running)| (*lease, running.meter.take(now)))
            .collect();
        for (lease, accelerator_seconds) in due.into_iter().filter(|(_, seconds)| *seconds > 0) {
            self.submit(&Fact::LeaseMetered { lease, accelerator_seconds });
        }
        self.start_pending();
    }

    /// The leases in force of a provider that have a process, and those that wait for one.
    pub(super) fn leases_at(
        &self,
        world: &World,
        provider: firstright_core::world::ProviderId,
    ) -> [Vec<LeaseId>; 2] {
        let here = |lease: &&LeaseId| {
            self.board.lease(**lease).is_some_and(|entry| entry.provider(world) == provider)
        };
        [
            self.running.keys().filter(here).copied().collect(),
            self.pending.iter().filter(here).copied().collect(),
        ]
    }

    /// Is anything of the job still to be stopped?
    pub(super) fn has_process(&self, job: JobId) -> bool {
        self.running.values().any(|running| running.job == job)
    }
}

/// What shells end with if there is no such command.
const NOT_FOUND: i32 = 127;
