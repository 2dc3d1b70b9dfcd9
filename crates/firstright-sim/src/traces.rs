//! What was asked of real clusters and endpoints? Readers for traces in plain CSV, and a small trace of our own.

mod surge;

use std::fmt;
use std::io::BufRead;

pub use surge::{surge_calls, surge_jobs, surge_minute};

/// The longest line that is read: the widest trace has five short columns.
const MAX_LINE: usize = 4_096;

/// A row of a trace of calls: `t_ms,model[,tenant],prompt_tokens,output_tokens`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceCall {
    /// Milliseconds since the trace began.
    pub t_ms: u64,
    /// The model.
    pub model: String,
    /// The tenant, where the trace names one.
    pub tenant: Option<String>,
    /// Tokens of the prompt.
    pub prompt_tokens: u64,
    /// Tokens of the answer.
    pub output_tokens: u64,
}

/// A row of a trace of jobs: `submit_s,vc,gpus,duration_s`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceJob {
    /// Seconds since the trace began.
    pub submit_s: u64,
    /// The virtual cluster that submitted it.
    pub vc: String,
    /// Accelerators.
    pub gpus: u32,
    /// How long it ran.
    pub duration_s: u64,
}

/// Why a trace cannot be read: file, line and what stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceError {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: String,
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed to read `{}`, line {}: {}", self.file, self.line, self.problem)
    }
}

impl std::error::Error for TraceError {}

/// Reads a trace of calls, sorted by time.
///
/// # Errors
/// If a column is missing, a number is none, or time falls.
pub fn calls(file: &str, from: impl BufRead) -> Result<Vec<TraceCall>, TraceError> {
    let mut last = 0;
    read(file, from, &["t_ms", "model", "prompt_tokens", "output_tokens"], |row| {
        let call = TraceCall {
            t_ms: row.number("t_ms")?,
            model: row.text("model")?.to_string(),
            tenant: row.text("tenant").ok().map(str::to_string),
            prompt_tokens: row.number("prompt_tokens")?,
            output_tokens: row.number("output_tokens")?,
        };
        rises(&mut last, call.t_ms).map(|()| call)
    })
}

/// Reads a trace of jobs, sorted by submission.
///
/// # Errors
/// If a column is missing, a number is none or out of range, or time falls.
pub fn jobs(file: &str, from: impl BufRead) -> Result<Vec<TraceJob>, TraceError> {
    let mut last = 0;
    read(file, from, &["submit_s", "vc", "gpus", "duration_s"], |row| {
        let gpus = row.number("gpus")?;
        let job = TraceJob {
            submit_s: row.number("submit_s")?,
            vc: row.text("vc")?.to_string(),
            gpus: u32::try_from(gpus)
                .ok()
                .filter(|gpus| *gpus > 0)
                .ok_or(format!("`{gpus}` is no count of GPUs"))?,
            duration_s: row.number("duration_s")?,
        };
        rises(&mut last, job.submit_s).map(|()| job)
    })
}

fn rises(last: &mut u64, now: u64) -> Result<(), String> {
    if now < *last {
        return Err(format!("time falls from `{last}` to `{now}`"));
    }
    *last = now;
    Ok(())
}

/// A line by the names of its columns.
struct Row<'a> {
    columns: &'a [String],
    cells: Vec<&'a str>,
}

impl<'a> Row<'a> {
    fn text(&self, column: &str) -> Result<&'a str, String> {
        let at = self.columns.iter().position(|name| name == column);
        let cell = at.and_then(|at| self.cells.get(at).copied());
        cell.ok_or_else(|| format!("the column `{column}` is missing"))
    }

    fn number(&self, column: &str) -> Result<u64, String> {
        let text = self.text(column)?;
        text.parse().map_err(|_| format!("`{text}` in the column `{column}` is not a whole number"))
    }
}

fn read<T>(
    file: &str,
    from: impl BufRead,
    needed: &[&str],
    mut each: impl FnMut(&Row<'_>) -> Result<T, String>,
) -> Result<Vec<T>, TraceError> {
    let mut columns: Vec<String> = Vec::new();
    let mut rows = Vec::new();
    for (line, number) in from.lines().zip(1..) {
        let fail = |problem: String| TraceError { file: file.to_string(), line: number, problem };
        let line = line.map_err(|error| fail(error.to_string()))?;
        if line.len() > MAX_LINE {
            return Err(fail(format!("the line is longer than {MAX_LINE} bytes")));
        }
        let cells: Vec<&str> = line.trim_end().split(',').collect();
        if number == 1 {
            columns = cells.iter().map(|cell| (*cell).to_string()).collect();
            if let Some(missing) = needed.iter().find(|name| !columns.iter().any(|column| column == *name)) {
                return Err(fail(format!("the header `{}` has no column `{missing}`", line.trim_end())));
            }
            continue;
        }
        if cells.len() != columns.len() {
            return Err(fail(format!("there are {} cells under {} columns", cells.len(), columns.len())));
        }
        rows.push(each(&Row { columns: &columns, cells }).map_err(fail)?);
    }
    if columns.is_empty() {
        let problem = "the file is empty".to_string();
        return Err(TraceError { file: file.to_string(), line: 1, problem });
    }
    Ok(rows)
}

#[cfg(test)]
mod tests;
