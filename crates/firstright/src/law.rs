//! Is the law sound? `firstright check`.

use std::path::PathBuf;

use firstright_core::check::check;
use firstright_core::text::{self, Diagnostic, Severity};
use firstright_core::units::Timestamp;

use crate::config::read_law;

#[derive(clap::Args, Debug)]
pub struct Args {
    /// Files of the law, read together.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The date that terms are held against, for example 2026-01-31; today if absent.
    #[arg(long, value_name = "DATE")]
    at: Option<String>,
    /// Take warnings for errors.
    #[arg(long)]
    strict: bool,
}

/// Checks the law, prints what is wrong with it, and says whether it can be enacted.
///
/// # Errors
/// If a file cannot be read, or the law has errors.
pub fn run(args: &Args) -> Result<(), String> {
    let at = match &args.at {
        Some(date) => parse_date(date)?,
        None => crate::clock::now(),
    };
    let sources = read_law(&args.files)?;
    let (world, mut problems) = text::read(&sources);
    if let Some(world) = &world {
        problems.extend(check(world, &sources, at));
    }
    for problem in &problems {
        println!("{}", problem.render(&sources));
    }
    let errors = problems.iter().filter(|one| is_error(one, args.strict)).count();
    let warnings = problems.len() - errors;
    if errors > 0 {
        return Err(format!("failed to check: {errors} errors, {warnings} warnings"));
    }
    if let Some(world) = world {
        let (agreements, clauses) = (world.agreements.len(), world.clauses.len());
        println!("{agreements} agreements, {clauses} clauses: no errors, {warnings} warnings");
    }
    Ok(())
}

fn is_error(problem: &Diagnostic, strict: bool) -> bool {
    strict || problem.severity == Severity::Error
}

fn parse_date(text: &str) -> Result<Timestamp, String> {
    let wrong = || format!("failed to read the date `{text}`: write it as 2026-01-31");
    let parts: Vec<u64> = text.split('-').map(str::parse).collect::<Result<_, _>>().map_err(|_| wrong())?;
    let [year, month, day] = parts[..] else { return Err(wrong()) };
    let days = firstright_core::units::days_of(year, month, day).ok_or_else(wrong)?;
    Ok(Timestamp(days.saturating_mul(firstright_core::units::DAY)))
}
