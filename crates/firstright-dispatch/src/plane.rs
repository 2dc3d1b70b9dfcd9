//! How does the rest of Firstright speak with the job plane? By a handle, which asks the actor and waits until what it
//! was told is on disk.

mod actor;
mod recover;
mod requests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use firstright_core::fact::{LeaseId, OfferId};
use firstright_core::units::{Money, Timestamp};
use firstright_core::workload::JobId;
use firstright_engine::Engine;
use tokio::sync::{mpsc, oneshot};

use crate::board::{JobView, OfferView};

pub use actor::Actor;

/// Requests that wait for the actor: it takes microseconds for one, a few milliseconds where it writes a file.
const MAX_REQUESTS: usize = 256;

/// Which engine runs a provider's leases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineKind {
    /// A process on this machine, which stands in for the provider's capacity.
    #[default]
    Local,
}

impl EngineKind {
    /// The engine of that name in `[providers.NAME] engine = "…"`.
    pub fn named(name: &str) -> Option<EngineKind> {
        (name == "local").then_some(EngineKind::Local)
    }
}

/// How the job plane runs.
#[derive(Clone, Debug)]
pub struct Config {
    /// The book's folder: the journal is there already, the jobs' files go there.
    pub data: PathBuf,
    /// The engine of each provider that has another than the default.
    pub engines: BTreeMap<String, EngineKind>,
    /// How often a running lease is metered into the books.
    pub meter_every: Duration,
    /// How long a cancelled process has to end in its own way.
    pub grace: Duration,
    /// Leases that run at once; further ones wait for one to end.
    pub max_processes: usize,
    /// Bytes of output kept for a lease.
    pub max_log_bytes: u64,
}

impl Config {
    /// The defaults, for a book's folder.
    pub fn new(data: impl Into<PathBuf>) -> Config {
        Config {
            data: data.into(),
            engines: BTreeMap::new(),
            meter_every: Duration::from_secs(10),
            grace: Duration::from_secs(10),
            max_processes: 256,
            max_log_bytes: 64 << 20,
        }
    }
}

/// What came of something that was put on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The record's number; it is on disk.
    pub record: u64,
    /// The job, where one was submitted.
    pub job: Option<JobId>,
    /// What was decided, in words.
    pub decided: Vec<String>,
}

/// Of which kind a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// What was asked makes no sense.
    Invalid,
    /// There is no such thing.
    Unknown,
    /// It is too late, not theirs, or not allowed: the record says so too.
    Conflict,
    /// It is us.
    Failed,
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Of which kind.
    pub kind: ProblemKind,
    /// Its name for machines, for example `unknown-offer`.
    pub code: &'static str,
    /// What is wrong, for people.
    pub message: String,
}

impl Problem {
    fn new(kind: ProblemKind, code: &'static str, message: impl Into<String>) -> Problem {
        Problem { kind, code, message: message.into() }
    }

    fn unknown(code: &'static str, message: impl Into<String>) -> Problem {
        Problem::new(ProblemKind::Unknown, code, message)
    }

    fn stopped() -> Problem {
        Problem::new(ProblemKind::Failed, "stopped", "the job plane has stopped")
    }
}

/// An answer to an offer, as its holder gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// All of it.
    Accept,
    /// None of it, and why.
    Decline(String),
    /// So many accelerators.
    Partial(u32),
    /// Other terms: accelerators and the price of an hour.
    Counter { count: u32, hour: Money },
}

/// Where a lease's output is, and whether more can come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Which lease.
    pub lease: LeaseId,
    /// The file; not there before the lease has started.
    pub path: PathBuf,
    /// Is the lease over?
    pub ended: bool,
    /// Is the job over?
    pub over: bool,
}

type Ask<T> = oneshot::Sender<Result<T, Problem>>;

/// What the actor is asked.
pub(crate) enum Request {
    Submit { file: String, text: String, ask: Ask<Said> },
    Cancel { job: JobId, ask: Ask<Said> },
    Answer { offer: OfferId, by: String, reply: Reply, ask: Ask<Said> },
    Counter { offer: OfferId, agreed: bool, ask: Ask<Said> },
    Quote { job: JobId, provider: String, hour: Money, until: Timestamp, ask: Ask<Said> },
    Declare { provider: String, accelerator: String, free: u32, ask: Ask<Said> },
    Lose { provider: String, ask: Ask<Said> },
    Jobs { ask: Ask<Vec<JobView>> },
    Job { job: JobId, ask: Ask<JobView> },
    Offers { ask: Ask<Vec<OfferView>> },
    Log { job: JobId, lease: Option<LeaseId>, ask: Ask<Log> },
    Stop { ask: Ask<()> },
}

/// The handle. Cheap to clone; when the last one is dropped, the actor stops.
#[derive(Clone, Debug)]
pub struct Plane {
    engine: Arc<Engine>,
    requests: mpsc::Sender<Request>,
}

/// Why the job plane does not start.
#[derive(Debug)]
pub enum StartError {
    /// Another reads this engine's decisions.
    Taken,
    /// A file cannot be read or written.
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The journal on disk is not the one that the engine writes.
    Journal(String),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StartError::Taken => write!(f, "failed to start the job plane: it runs already"),
            StartError::Io { path, error } => {
                write!(f, "failed to start the job plane: `{}`: {error}", path.display())
            }
            StartError::Journal(fault) => write!(f, "failed to start the job plane: {fault}"),
        }
    }
}

impl std::error::Error for StartError {}

/// Makes ready the job plane of a book: what the journal knows is read back. Run [`Actor::run`] for it to act; it takes
/// up the leases that were in force first.
///
/// # Errors
/// If it runs already, or if the book's folder or its journal cannot be read.
pub fn start(engine: Arc<Engine>, config: Config) -> Result<(Plane, Actor), StartError> {
    let (sender, requests) = mpsc::channel(MAX_REQUESTS);
    let actor = recover::recover(Arc::clone(&engine), config, requests)?;
    Ok((Plane { engine, requests: sender }, actor))
}

impl Plane {
    /// Submits a job file. `file` is how it is called where its problems are named.
    pub async fn submit(&self, file: String, text: String) -> Result<Said, Problem> {
        self.say(|ask| Request::Submit { file, text, ask }).await
    }

    /// Cancels a job, for its owner.
    pub async fn cancel(&self, job: JobId) -> Result<Said, Problem> {
        self.say(|ask| Request::Cancel { job, ask }).await
    }

    /// Answers an offer, for the party of that id.
    pub async fn answer(&self, offer: OfferId, by: String, reply: Reply) -> Result<Said, Problem> {
        self.say(|ask| Request::Answer { offer, by, reply, ask }).await
    }

    /// Answers a holder's counter, for the operator.
    pub async fn counter(&self, offer: OfferId, agreed: bool) -> Result<Said, Problem> {
        self.say(|ask| Request::Counter { offer, agreed, ask }).await
    }

    /// Notes a third party's firm quote for a job.
    pub async fn quote(
        &self,
        job: JobId,
        provider: String,
        hour: Money,
        until: Timestamp,
    ) -> Result<Said, Problem> {
        self.say(|ask| Request::Quote { job, provider, hour, until, ask }).await
    }

    /// Notes how many accelerators of a kind a provider has free.
    pub async fn declare(&self, provider: String, accelerator: String, free: u32) -> Result<Said, Problem> {
        self.say(|ask| Request::Declare { provider, accelerator, free, ask }).await
    }

    /// The provider has lost its capacity: it has none free until it declares some, and its leases end once their
    /// processes are gone.
    pub async fn lose(&self, provider: String) -> Result<Said, Problem> {
        self.say(|ask| Request::Lose { provider, ask }).await
    }

    /// Every job that is shown, without its leases and offers.
    pub async fn jobs(&self) -> Result<Vec<JobView>, Problem> {
        self.ask(|ask| Request::Jobs { ask }).await
    }

    /// One job, whole.
    pub async fn job(&self, job: JobId) -> Result<JobView, Problem> {
        self.ask(|ask| Request::Job { job, ask }).await
    }

    /// Every offer that is shown.
    pub async fn offers(&self) -> Result<Vec<OfferView>, Problem> {
        self.ask(|ask| Request::Offers { ask }).await
    }

    /// Where a job's output is: of the lease named, or of the newest.
    pub async fn log(&self, job: JobId, lease: Option<LeaseId>) -> Result<Log, Problem> {
        self.ask(|ask| Request::Log { job, lease, ask }).await
    }

    /// Stops the actor. What runs is metered and goes on: the next job plane of this book takes it up.
    pub async fn stop(&self) {
        // An actor that cannot be asked has stopped already.
        let _ = self.ask(|ask| Request::Stop { ask }).await;
    }

    async fn ask<T>(&self, request: impl FnOnce(Ask<T>) -> Request) -> Result<T, Problem> {
        let (ask, answer) = oneshot::channel();
        self.requests.send(request(ask)).await.map_err(|_| Problem::stopped())?;
        answer.await.map_err(|_| Problem::stopped())?
    }

    /// Asks for something that is put on record, and waits until the record is on disk.
    async fn say(&self, request: impl FnOnce(Ask<Said>) -> Request) -> Result<Said, Problem> {
        let said = self.ask(request).await?;
        self.engine.durable(said.record).await;
        Ok(said)
    }
}
