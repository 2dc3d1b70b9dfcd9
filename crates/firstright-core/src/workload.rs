//! What must be placed? A call (one API request) or a job (training, fine-tuning, batch, research).

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::account::AccountId;
use crate::units::{Money, Span, Timestamp};
use crate::usage::Tier;
use crate::world::{ModelId, ProviderId, TenantId, World};

/// The engine's number for a call, unique within a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CallId(pub u64);

/// The engine's number for a job, unique within a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JobId(pub u64);

/// One API request. Sizes and names only: prompts never enter the core.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The engine's number.
    pub id: CallId,
    /// Whose request it is.
    pub tenant: TenantId,
    /// The model that was asked for.
    pub model: ModelId,
    /// Input tokens, estimated from the body.
    pub input: u64,
    /// The most output tokens that the request allows, or the gateway's estimate.
    pub max_output: u64,
    /// A region that the caller asks for, which narrows and never widens what the law allows.
    pub region: Option<String>,
    /// The key that it came by, if the book knows it: whose permissions, limits and budgets hold.
    pub key: Option<AccountId>,
    /// Which operations it is one of.
    pub family: Family,
    /// The tier of service that it asks for.
    pub tier: Tier,
    /// The most input tokens that its body can be, where `input` is what is likely.
    pub input_most: u64,
    /// What it uses at most beside tokens of text.
    pub media: Media,
    /// Where what it continues lives (a stored response, a file, a batch): nobody else can serve it.
    pub home: Option<ProviderId>,
    /// Does it make or change a model (a fine-tuning job by the API) rather than use one?
    pub trains: bool,
    /// The model that will run where this is kept, which is what the law asks about: the lines of a batch's file name it.
    pub runs: Option<ModelId>,
    /// The call beside which it is a second attempt: otherwise it is like that one in everything.
    pub hedges: Option<CallId>,
}

/// Families of operations: what a key can be narrowed to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Family {
    /// One request, one answer: chat, embeddings, images, audio.
    #[default]
    Inference,
    /// What lives at a provider: files, batches, vector stores, stored responses.
    Store,
    /// Sessions that stay open.
    Realtime,
}

impl Family {
    /// Every family, by its word.
    pub const ALL: [(&'static str, Family); 3] =
        [("inference", Family::Inference), ("store", Family::Store), ("realtime", Family::Realtime)];

    /// The word that accounts use.
    pub fn word(self) -> &'static str {
        Family::ALL.iter().find(|(_, family)| *family == self).map_or("inference", |(word, _)| word)
    }
}

/// What a call uses at most beside tokens of text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    /// Its tokens may be audio.
    pub audio: bool,
    /// Images that it may make.
    pub images: u64,
    /// Audio by its length, in seconds.
    pub audio_seconds: u64,
    /// Text by its length, in characters.
    pub characters: u64,
}

impl Call {
    /// A call of text that came by no key of the book, for the default tier, whose input is known exactly.
    pub fn new(id: CallId, tenant: TenantId, model: ModelId, input: u64, max_output: u64) -> Call {
        Call {
            id,
            tenant,
            model,
            input,
            max_output,
            region: None,
            key: None,
            family: Family::Inference,
            tier: Tier::Default,
            input_most: input,
            media: Media::default(),
            home: None,
            trains: false,
            runs: None,
            hedges: None,
        }
    }
}

/// What a job is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// Training a model.
    Training,
    /// Fine-tuning a model.
    FineTuning,
    /// Batch inference.
    Batch,
    /// Anything else that needs accelerators.
    Research,
}

impl Purpose {
    /// The word that scopes and job files use.
    pub fn word(self) -> &'static str {
        match self {
            Purpose::Training => "training",
            Purpose::FineTuning => "fine-tuning",
            Purpose::Batch => "batch",
            Purpose::Research => "research",
        }
    }
}

/// A piece of work for accelerators over hours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The engine's number.
    pub id: JobId,
    /// What its owner calls it.
    pub name: String,
    /// Whose job it is.
    pub tenant: TenantId,
    /// What it is for.
    pub purpose: Purpose,
    /// The model that it trains or runs, if the law may care.
    pub model: Option<String>,
    /// Accelerators that will do; empty if any will.
    pub accelerators: Vec<String>,
    /// How many of them.
    pub count: u32,
    /// The smallest piece that it may be split into; equal to `count` if it may not be split.
    pub min_chunk: u32,
    /// The interconnect that it needs, if any.
    pub interconnect: Option<String>,
    /// How long it will run.
    pub duration: Span,
    /// Where it must run, if anywhere in particular.
    pub region: Option<String>,
    /// Its data class; the tenant's if empty.
    pub data_class: String,
    /// Its labels, beside the tenant's.
    pub labels: Vec<String>,
    /// By when it must have been placed; after that it is refused.
    pub deadline: Option<Timestamp>,
    /// The most that it may cost in all.
    pub budget: Option<Money>,
}

/// What the law sees of a workload, whichever plane it came by.
#[derive(Clone, Debug)]
pub struct View<'a> {
    /// A job, or else a call.
    pub is_job: bool,
    /// `api` for a call; the job's purpose otherwise.
    pub purpose: &'a str,
    /// The tenant's id.
    pub tenant: &'a str,
    /// The model.
    pub model: Option<&'a str>,
    /// The model by whose deployments it is kept, if that is another than the one that will run there.
    pub kept: Option<&'a str>,
    /// The region that it asks for.
    pub region: Option<&'a str>,
    /// Where what it continues lives.
    pub home: Option<ProviderId>,
    /// The data class.
    pub data_class: &'a str,
    /// Labels of tenant and job.
    pub labels: Vec<&'a str>,
    /// Accelerators that will do.
    pub accelerators: Vec<&'a str>,
    /// How many.
    pub count: u32,
    /// Does it make or change a model (training, fine-tuning) rather than serve one?
    pub trains: bool,
}

impl<'a> View<'a> {
    /// What the law sees of a call, served with this model. Panics on an id of another world, which is a bug.
    pub fn of_call(world: &'a World, call: &'a Call, model: ModelId) -> View<'a> {
        let tenant = world.tenant(call.tenant);
        View {
            is_job: false,
            purpose: "api",
            tenant: &tenant.id,
            model: Some(world.model(call.runs.unwrap_or(model))),
            kept: call.runs.filter(|runs| *runs != model).map(|_| world.model(model)),
            region: call.region.as_deref(),
            home: call.home,
            data_class: &tenant.data_class,
            labels: tenant.labels.iter().map(String::as_str).collect(),
            accelerators: Vec::new(),
            count: 0,
            trains: call.trains,
        }
    }

    /// What the law sees of a job. Panics on an id of another world, which is a bug.
    pub fn of_job(world: &'a World, job: &'a Job) -> View<'a> {
        let tenant = world.tenant(job.tenant);
        View {
            is_job: true,
            purpose: job.purpose.word(),
            tenant: &tenant.id,
            model: job.model.as_deref(),
            kept: None,
            region: job.region.as_deref(),
            home: None,
            data_class: if job.data_class.is_empty() { &tenant.data_class } else { &job.data_class },
            labels: tenant.labels.iter().chain(&job.labels).map(String::as_str).collect(),
            accelerators: job.accelerators.iter().map(String::as_str).collect(),
            count: job.count,
            trains: matches!(job.purpose, Purpose::Training | Purpose::FineTuning),
        }
    }
}
