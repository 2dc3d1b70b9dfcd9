//! What was going on when the process stopped? Reads the journal back, puts the law in force, and settles what was open.

use std::path::Path;
use std::sync::{Arc, Mutex};

use firstright_core::decision::Action;
use firstright_core::fact::{Ending, Fact, Source};
use firstright_core::journal::{Record, Replay};
use firstright_core::text;
use firstright_core::units::Span;
use firstright_core::usage::{Tier, Usage};
use firstright_core::workload::Family;

use crate::clock::Clock;
use crate::durable::Waiters;
use crate::journal::{self, JournalError, Tail};
use crate::ticker::{self, Ticker};
use crate::{Engine, Inner, Shared};

/// An engine that is open, and what was found on opening it.
#[derive(Debug)]
pub struct Opened {
    /// The engine.
    pub engine: Arc<Engine>,
    /// Records that were read back.
    pub records: u64,
    /// How the journal ended.
    pub tail: Tail,
    /// Calls that were open when the process stopped, and are now settled by estimate.
    pub estimated: u64,
}

/// Why an engine does not open.
#[derive(Debug)]
pub enum OpenError {
    /// The journal cannot be used.
    Journal(JournalError),
    /// The law cannot be read or enacted: the diagnostics, rendered with their places.
    Law(String),
}

impl std::fmt::Display for OpenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            OpenError::Journal(error) => error.fmt(f),
            OpenError::Law(problem) => write!(f, "{problem}"),
        }
    }
}

impl std::error::Error for OpenError {}

/// The highest numbers that the journal has given out.
#[derive(Default)]
struct Numbers {
    call: u64,
    job: u64,
}

impl Numbers {
    fn see(&mut self, record: &Record) {
        match &record.fact {
            Fact::CallArrived(call) => self.call = self.call.max(call.id.0),
            Fact::JobSubmitted(job) => self.job = self.job.max(job.id.0),
            _ => {}
        }
    }
}

pub(crate) fn open(folder: &Path, sources: Vec<(String, String)>) -> Result<Opened, OpenError> {
    let (world, diagnostics) = text::read(&sources);
    let Some(world) = world else {
        let rendered: Vec<String> = diagnostics.iter().map(|one| one.render(&sources)).collect();
        return Err(OpenError::Law(rendered.join("\n")));
    };
    let mut replay = Replay::default();
    let mut numbers = Numbers::default();
    let opened = journal::open(folder, |record| {
        numbers.see(record);
        replay.record(record)
    });
    let journal = opened.map_err(OpenError::Journal)?;
    let records = journal.chain.next() - 1;
    let same_law = replay.broker.world().is_some_and(|known| known.digest == world.digest);
    let mut inner = Inner {
        clock: Clock::after(replay.broker.last()),
        broker: replay.broker,
        chain: journal.chain,
        buffer: Vec::new(),
        next_call: numbers.call + 1,
        next_job: numbers.job + 1,
    };
    let estimated = settle_open(&mut inner);
    if !same_law {
        let stepped = inner.step(&Fact::Enacted { sources });
        for decision in &stepped.decisions {
            if let Action::KeepLaw { problem } = &decision.action {
                return Err(OpenError::Law(problem.clone()));
            }
        }
    }
    let shared = Arc::new(Shared {
        inner: Mutex::new(inner),
        waiters: Arc::new(Waiters::at(records)),
        wake: journal::Wake::default(),
        syncs: journal::Syncs::default(),
        ticker: Ticker::new(),
        desk: Arc::default(),
    });
    shared.ticker.arm(shared.lock().broker.next_deadline());
    let failed = |error| {
        let path = folder.join(journal::FILE);
        OpenError::Journal(JournalError::Io { doing: "start the threads of", path, error })
    };
    let writer = journal::start_writer(Arc::clone(&shared), journal.file).map_err(failed)?;
    let ticker = ticker::start(Arc::clone(&shared)).map_err(failed)?;
    let engine = Arc::new(Engine { shared, threads: Mutex::new(vec![writer, ticker]) });
    Ok(Opened { engine, records, tail: journal.tail, estimated })
}

/// Calls that were being served are settled at their whole reservation, the published estimate: what was really used is
/// known only to the provider, and reconciliation corrects it by new entries. Those that waited are let go.
fn settle_open(inner: &mut Inner) -> u64 {
    let open: Vec<(firstright_core::workload::Call, bool)> =
        inner.broker.open_calls().map(|(call, served)| (call.clone(), served)).collect();
    let mut estimated = 0;
    for (call, served) in open {
        let fact = if served {
            estimated += 1;
            let usage = Usage { input: call.input, output: call.max_output, requests: 1, ..Usage::default() };
            let (source, ending) = (Source::Estimate, Ending::Lost);
            // What goes on at its provider after its answer (a batch, a job) has no estimate: unpriced, until it is corrected.
            let goes_on = call.family == Family::Store || call.trains;
            let tier = if goes_on { Tier::Unknown } else { call.tier };
            let (call, first_byte, observed) = (call.id, Span(0), None);
            Fact::CallSettled { call, usage, tier, source, ending, first_byte, observed, ran: None }
        } else {
            Fact::CallAbandoned { call: call.id }
        };
        inner.step(&fact);
    }
    estimated
}
