//! What does a user ask for in a `job.toml`, and what is wrong with it?
//!
//! ```toml
//! name = "pretrain-7b"
//! tenant = "research"
//! purpose = "training"            # training | fine-tuning | batch | research
//! model = "gpt-next"              # if the law may care
//! accelerators = ["h100", "h200"] # any of these; all kinds if left out
//! count = 64
//! min-chunk = 32                  # may be split into pieces no smaller; not at all if left out
//! interconnect = "infiniband"
//! hours = 72                      # or minutes, or seconds
//! region = "us-east"
//! data-class = "general"
//! labels = ["team-a"]
//! deadline = "+2h"                # by when it must be placed: after so long, or at 2030-12-31T12:00:00Z
//! budget = "15000 USD"
//! command = ["python", "train.py"] # or a string, which `sh -c` runs
//! ```
//!
//! The command runs in its checkpoint folder, which is kept over every resumption. Its environment is `PATH`, `HOME` and
//! `LANG` as Firstright has them, and:
//!
//! | variable | value |
//! |---|---|
//! | `FIRSTRIGHT_CHECKPOINT` | the folder; its `.lease` holds the number of the lease that may write there |
//! | `FIRSTRIGHT_JOB`, `FIRSTRIGHT_LEASE` | their numbers; a greater number in `.lease` means: superseded, stop |
//! | `FIRSTRIGHT_ATTEMPT` | 1, and one more for each resumption |
//! | `FIRSTRIGHT_PIECE` | which piece of a split job, from 0; each has a folder of its own |
//! | `FIRSTRIGHT_PROVIDER`, `FIRSTRIGHT_ACCELERATORS` | whose capacity it is, and how much |
//!
//! Exit code 0 completes the piece, another fails the job; death by a signal is an interruption, and is resumed.

mod quantity;
mod read;

use std::ops::Range;

use firstright_core::text::{Diagnostic, Severity};
use firstright_core::units::{Currency, Money, Span, Timestamp};
use firstright_core::workload::{Job, JobId, Purpose};
use firstright_core::world::{TenantId, World};

pub use quantity::{money, span, time};
pub(crate) use read::did_you_mean;

/// Bytes in a job file. Its command is one argument of a process, and Linux takes 128 KiB for one.
pub const MAX_BYTES: usize = 64 << 10;
/// Values in one of its lists: no job names more, and each is matched against every place.
pub const MAX_LIST: usize = 64;
/// Arguments of a command.
pub const MAX_ARGUMENTS: usize = 1_024;
/// Characters in a name or label, so that a report stays legible.
pub const MAX_TEXT: usize = 256;
/// Accelerators that one job may ask for: far above any cluster there is.
pub const MAX_COUNT: u64 = 10_000_000;

/// What the job runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A line for `sh -c`.
    Shell(String),
    /// A program and its arguments.
    Program(Vec<String>),
}

/// By when the job must have been placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// So long after its submission.
    After(Span),
    /// At this time.
    At(Timestamp),
}

/// A job file that was read. Its names are not looked up yet: see [`JobFile::resolve`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobFile {
    /// What its owner calls it.
    pub name: String,
    /// Whose job it is.
    pub tenant: String,
    /// What it is for.
    pub purpose: Purpose,
    /// The model that it trains or runs.
    pub model: Option<String>,
    /// Accelerators that will do; empty if any will.
    pub accelerators: Vec<String>,
    /// How many.
    pub count: u32,
    /// The smallest piece that it may be split into.
    pub min_chunk: u32,
    /// The interconnect that it needs.
    pub interconnect: Option<String>,
    /// How long it will run.
    pub duration: Span,
    /// Where it must run.
    pub region: Option<String>,
    /// Its data class; the tenant's if empty.
    pub data_class: String,
    /// Its labels.
    pub labels: Vec<String>,
    /// By when it must have been placed.
    pub deadline: Option<Deadline>,
    /// The most that it may cost, and in which currency.
    pub budget: Option<(Money, Currency)>,
    /// What it runs.
    pub command: Command,
    places: Places,
}

/// Where the names stand that only a world can check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Places {
    file: String,
    text: String,
    tenant: Range<usize>,
    accelerators: Vec<Range<usize>>,
    budget: Range<usize>,
}

impl JobFile {
    /// Reads a job file.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its place.
    pub fn read(file: &str, text: &str) -> Result<JobFile, Vec<Diagnostic>> {
        read::read(file, text)
    }

    /// Looks its names up in the world in force.
    ///
    /// # Errors
    /// Every name that the world does not know.
    pub fn resolve(&self, world: &World) -> Result<TenantId, Vec<Diagnostic>> {
        let mut wrong = Vec::new();
        let mut unknown = |span: &Range<usize>, code, message: String, help: Option<String>| {
            wrong.push(diagnostic(&self.places.file, &self.places.text, span.clone(), code, message, help));
        };
        let tenant = world.find_tenant(&self.tenant);
        if tenant.is_none() {
            let names = world.customers().map(|(_, tenant)| tenant.id.as_str());
            let help = read::did_you_mean(&self.tenant, names);
            unknown(
                &self.places.tenant,
                "unknown-tenant",
                format!("there is no tenant `{}`", self.tenant),
                help,
            );
        }
        let pools = || world.hosts().flat_map(|(_, one)| &one.pools).map(|pool| pool.accelerator.as_str());
        for (accelerator, span) in self.accelerators.iter().zip(&self.places.accelerators) {
            if !pools().any(|known| known == accelerator) {
                let message = format!("no provider has the accelerator `{accelerator}`");
                unknown(span, "unknown-accelerator", message, read::did_you_mean(accelerator, pools()));
            }
        }
        if let Some((_, currency)) = self.budget
            && currency != world.currency
        {
            let message = format!("`{currency}` is not the currency of these agreements");
            let help = Some(format!("write it in {}", world.currency));
            unknown(&self.places.budget, "wrong-currency", message, help);
        }
        tenant.filter(|_| wrong.is_empty()).ok_or(wrong)
    }

    /// The job as the law sees it, submitted at `now`.
    pub fn job(&self, id: JobId, tenant: TenantId, now: Timestamp) -> Job {
        Job {
            id,
            name: self.name.clone(),
            tenant,
            purpose: self.purpose,
            model: self.model.clone(),
            accelerators: self.accelerators.clone(),
            count: self.count,
            min_chunk: self.min_chunk,
            interconnect: self.interconnect.clone(),
            duration: self.duration,
            region: self.region.clone(),
            data_class: self.data_class.clone(),
            labels: self.labels.clone(),
            deadline: self.deadline.map(|deadline| match deadline {
                Deadline::After(span) => now.plus(span),
                Deadline::At(at) => at,
            }),
            budget: self.budget.map(|(money, _)| money),
        }
    }
}

/// The problems as people read them: place, line, carets and help.
pub fn render(problems: &[Diagnostic], file: &str, text: &str) -> String {
    let sources = [(file.to_string(), text.to_string())];
    problems.iter().map(|one| one.render(&sources)).collect::<Vec<_>>().join("\n")
}

fn diagnostic(
    file: &str,
    text: &str,
    span: Range<usize>,
    code: &'static str,
    message: String,
    help: Option<String>,
) -> Diagnostic {
    let before = text.get(..span.start).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before[start..].chars().count() + 1;
    let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let (line, column) = (small(line), small(column));
    Diagnostic { severity: Severity::Error, code, file: file.to_string(), line, column, span, message, help }
}

#[cfg(test)]
mod tests;
