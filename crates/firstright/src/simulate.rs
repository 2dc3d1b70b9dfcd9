//! `firstright simulate`: what would the law have done with this trace?

mod input;

pub(crate) use input::open as open_trace;

use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Parser, Subcommand, ValueEnum};
use firstright_core::journal::verify;
use firstright_core::units::{HOUR, MINUTE, Money, Rounding, SECOND, Span};
use firstright_sim::auditor::{Audit, Auditor};
use firstright_sim::replay::{self, Arrangement, Policy};
use firstright_sim::shares::Shares;

/// Feed a trace of jobs or calls through the law, and verify and audit what comes of it.
#[derive(Parser)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Offer a trace of jobs (`submit_s,vc,gpus,duration_s`) to a holder with a window; a market takes the rest.
    Jobs(Jobs),
    /// Serve a trace of calls (`t_ms,model[,tenant],prompt_tokens,output_tokens`) from a holder's published capacity.
    Calls(Calls),
}

/// Where the trace and the law come from, and where the journal goes.
#[derive(clap::Args)]
struct Files {
    /// The trace: a `.csv`, or a `.csv.zst`.
    #[arg(long)]
    trace: PathBuf,
    /// Agreement files to simulate under, instead of the built-in world of one holder and one market.
    #[arg(long, num_args = 1..)]
    agreements: Vec<PathBuf>,
    /// Write the journal here.
    #[arg(long)]
    journal: Option<PathBuf>,
}

#[derive(clap::Args)]
struct Jobs {
    #[command(flatten)]
    files: Files,
    /// Accelerators of the built-in world's holder.
    #[arg(long, default_value_t = 800)]
    holder_gpus: u32,
    /// The built-in world's window: `30m`, `24h`.
    #[arg(long, default_value = "30m", value_parser = span)]
    window: Span,
    /// What a holder does that has no room when it is asked.
    #[arg(long, value_enum, default_value = "wait")]
    policy: Answers,
}

#[derive(clap::Args)]
struct Calls {
    #[command(flatten)]
    files: Files,
    /// Provisioned tokens a minute, for each model, of the built-in world's holder.
    #[arg(long, default_value_t = 100_000)]
    holder_tokens_per_minute: u64,
    /// What a call reserves for its answer, which nobody knows before it is there.
    #[arg(long, default_value_t = 500)]
    max_output: u64,
    /// A world made to the trace's measure, with its tenants, instead of the built-in one: who may serve in it?
    #[arg(long, value_enum, conflicts_with = "agreements")]
    arrangement: Option<Arranged>,
    /// Write the law that is simulated here.
    #[arg(long, value_name = "FILE")]
    write_law: Option<PathBuf>,
}

/// Who may serve in a world made to a trace's measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Arranged {
    /// A holder first, by a standing first refusal and with provisioned capacity; then the others.
    Contract,
    /// The holder alone, with the same provisioned capacity.
    HolderOnly,
    /// Whoever is the cheapest with room; nothing is provisioned.
    CheapestOnly,
}

impl From<Arranged> for Arrangement {
    fn from(arranged: Arranged) -> Arrangement {
        match arranged {
            Arranged::Contract => Arrangement::Contract,
            Arranged::HolderOnly => Arrangement::HolderOnly,
            Arranged::CheapestOnly => Arrangement::CheapestOnly,
        }
    }
}

/// What a holder does that has no room when it is asked.
#[derive(Clone, Copy, ValueEnum)]
enum Answers {
    /// Decline at once.
    Decline,
    /// Stay silent until the window ends.
    Silent,
    /// Accept as soon as it has room within the window, or else stay silent.
    Wait,
}

/// Why a simulation gave no result.
#[derive(Debug)]
pub struct SimulateError(String);

impl fmt::Display for SimulateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SimulateError {}

impl From<String> for SimulateError {
    fn from(problem: String) -> SimulateError {
        SimulateError(problem)
    }
}

/// Runs the simulation and prints what came of it.
///
/// # Errors
/// If a file cannot be read, if the law is refused, or if the journal does not verify or the audit finds something: that
/// would be a bug of ours.
pub fn run(args: &Args) -> Result<(), SimulateError> {
    match &args.what {
        What::Jobs(args) => jobs(args),
        What::Calls(args) => calls(args),
    }
}

fn jobs(args: &Jobs) -> Result<(), SimulateError> {
    let (name, reader) = input::open(&args.files.trace)?;
    let trace = firstright_sim::traces::jobs(&name, reader).map_err(|error| error.to_string())?;
    let law = match input::law(&args.files.agreements)? {
        Some(law) => law,
        None => replay::jobs_law(&trace, args.holder_gpus, args.window),
    };
    let policy = match args.policy {
        Answers::Decline => Policy::Decline,
        Answers::Silent => Policy::Silent,
        Answers::Wait => Policy::Wait,
    };
    let began = Instant::now();
    let run = replay::jobs(&trace, law, policy)?;
    let took = began.elapsed();
    let hours = |seconds: u64| seconds * SECOND / HOUR;
    let mut out = String::new();
    let _ = writeln!(out, "{} jobs, {} GPU-hours, {} refused", run.jobs, hours(run.gpu_seconds), run.refused);
    let _ = writeln!(
        out,
        "overflow: {} jobs ({}), {} GPU-hours ({})",
        run.overflow_jobs,
        percent(run.overflow_jobs, run.jobs),
        hours(run.overflow_gpu_seconds),
        percent(run.overflow_gpu_seconds, run.gpu_seconds),
    );
    finish(&args.files, &run.journal, took, out)
}

fn calls(args: &Calls) -> Result<(), SimulateError> {
    let (name, reader) = input::open(&args.files.trace)?;
    let trace = firstright_sim::traces::calls(&name, reader).map_err(|error| error.to_string())?;
    let law = match input::law(&args.files.agreements)? {
        Some(law) => law,
        None => match args.arrangement {
            Some(arranged) => replay::day_law(&trace, arranged.into()),
            None => replay::calls_law(&trace, args.holder_tokens_per_minute),
        },
    };
    if let (Some(path), [(_, text)]) = (&args.write_law, &law[..]) {
        std::fs::write(path, text)
            .map_err(|error| format!("failed to write `{}`: {error}", path.display()))?;
    }
    let began = Instant::now();
    let run = replay::calls(&trace, law, args.max_output)?;
    let took = began.elapsed();
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{} calls, {} tokens, {} queued, {} refused",
        run.calls, run.tokens, run.queued, run.refused
    );
    let _ = writeln!(
        out,
        "overflow: {} calls ({}), {} tokens ({})",
        run.overflow_calls,
        percent(run.overflow_calls, run.calls),
        run.overflow_tokens,
        percent(run.overflow_tokens, run.tokens),
    );
    let mut shares = Shares::default();
    verify(&run.journal, true, |record, _| shares.record(record));
    let _ = write!(out, "{shares}");
    if args.arrangement.is_some() {
        let (usage, fixed) = (shares.cost(), replay::provisioned(&trace));
        let cents = |sum: Money| sum.to_cents(Rounding::HalfEven);
        let _ = writeln!(
            out,
            "provisioned capacity, used or not: {} USD; with it {} USD",
            cents(fixed),
            cents(Money(usage.0 + fixed.0))
        );
    }
    finish(&args.files, &run.journal, took, out)
}

/// Writes the journal, verifies it and audits it.
fn finish(
    files: &Files,
    journal: &[u8],
    took: std::time::Duration,
    mut out: String,
) -> Result<(), SimulateError> {
    if let Some(path) = &files.journal {
        std::fs::write(path, journal)
            .map_err(|error| format!("failed to write `{}`: {error}", path.display()))?;
    }
    let began = Instant::now();
    let mut auditor = Auditor::default();
    let verdict = verify(journal, false, |record, _| auditor.record(record));
    let audit: Audit = auditor.finish();
    let _ = writeln!(
        out,
        "{} facts in {} ms, {} facts/s; {} bytes of journal; verified and audited in {} ms",
        verdict.records,
        took.as_millis(),
        u128::from(verdict.records) * 1_000_000_000 / took.as_nanos().max(1),
        journal.len(),
        began.elapsed().as_millis(),
    );
    let _ = write!(out, "\n{audit}");
    // Whoever reads may have seen enough and closed the pipe; the verdict does not depend on it.
    let _ = std::io::stdout().write_all(out.as_bytes());
    match verdict.fault {
        Some(fault) => Err(SimulateError(fault.to_string())),
        None if !audit.findings.is_empty() => {
            Err(SimulateError(format!("the audit found {} breaches", audit.findings.len())))
        }
        None => Ok(()),
    }
}

/// With one decimal.
pub(crate) fn percent(part: u64, of: u64) -> String {
    let tenths = u128::from(part) * 1_000 / u128::from(of.max(1));
    format!("{}.{} %", tenths / 10, tenths % 10)
}

/// One number and its unit.
fn span(text: &str) -> Result<Span, String> {
    let units = [("ms", 1_000_000), ("s", SECOND), ("m", MINUTE), ("h", HOUR), ("d", 24 * HOUR)];
    let known = units.iter().find_map(|(unit, size)| {
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(*size).filter(|span| *span > 0)
    });
    known.map(Span).ok_or_else(|| format!("`{text}` is not a span such as `30m` or `24h`"))
}

/// A path as messages write it.
fn shown(path: &Path) -> String {
    path.display().to_string()
}
