//! What was going on when Firstright stopped? The journal says what was decided, the folders say what was started, and
//! the kernel says what still runs.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use firstright_core::decision::Action;
use firstright_core::fact::{Fact, LeaseEnding, LeaseId};
use firstright_core::text;
use firstright_engine::Engine;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::actor::Actor;
use super::{Config, Request, StartError};
use crate::board::Board;
use crate::folder::Jobs;
use crate::job_file::JobFile;
use crate::local::ProcessRef;

/// Reads the board back from the journal, and makes the actor.
pub(super) fn recover(
    engine: Arc<Engine>,
    config: Config,
    requests: mpsc::Receiver<Request>,
) -> Result<Actor, StartError> {
    let io = |path: &std::path::Path| {
        let path = path.to_path_buf();
        move |error| StartError::Io { path, error }
    };
    let jobs = Jobs::open(&config.data).map_err(io(&config.data))?;
    // From here on every decision is kept for us; what was decided before is in the journal.
    let decisions = engine.job_decisions().ok_or(StartError::Taken)?;
    let known = engine.read(|broker, _| broker.records());
    engine.wait_durable(known);
    let (mut board, mut world, mut replayed) = (Board::default(), None, 0);
    // The engine has just replayed every decision: here the chain is enough, and the law is what the facts enacted.
    let fault = firstright_engine::read(&config.data, |record| {
        let enacted = || record.decisions.iter().any(|one| one.action == Action::Enact);
        if let Fact::Enacted { sources } = &record.fact
            && enacted()
        {
            let read = text::read(sources).0;
            world = match &world {
                Some(old) => read.and_then(|read| read.after(old)),
                None => read,
            };
        }
        if let Some(world) = &world {
            board.record(world, record.seq, record.at, &record.fact, &record.decisions);
        }
        replayed = record.seq;
    });
    let fault = fault.map_err(io(&config.data))?;
    // The writer may be in the midst of a record beyond those that were known.
    if replayed < known {
        let fault = fault.map_or_else(|| "its end is missing".to_string(), |fault| fault.to_string());
        return Err(StartError::Journal(fault));
    }
    if let Some(text) = jobs.staged()
        && let Some(job) = board.newest().filter(|job| !jobs.has(job.id))
        && JobFile::read("job.toml", &text).is_ok_and(|file| file.name == job.name && file.count == job.count)
    {
        let folder = jobs.folder(job.id);
        jobs.name(job.id).map_err(io(&folder))?;
    }
    let (running, pending, exits) = (BTreeMap::new(), VecDeque::new(), JoinSet::new());
    Ok(Actor { engine, config, jobs, board, replayed, decisions, requests, running, pending, exits })
}

impl Actor {
    /// Takes up each lease in force: one that was started is watched, dead or alive; one that was not is started. The
    /// pid file makes a second start impossible, so a start that was not seen is not repeated.
    pub(super) fn take_up(&mut self) {
        let open: Vec<LeaseId> =
            self.engine.read(|broker, _| broker.open_leases().map(|(lease, ..)| lease).collect());
        for lease in open {
            // One that the journal did not hold yet when it was read comes by way of the engine.
            let Some(entry) = self.board.lease(lease) else { continue };
            let files = self.jobs.lease(entry.job, entry.piece, lease);
            let started = entry.started;
            match ProcessRef::read(&files) {
                Some(process) => {
                    let engine = process.name();
                    self.watch(lease, files, process, None);
                    if !started {
                        self.submit(&Fact::LeaseStarted { lease, engine });
                    }
                }
                None if files.file("lost").exists() => self.end(lease, LeaseEnding::Lost, 0),
                None => self.begin(lease),
            }
        }
    }
}
