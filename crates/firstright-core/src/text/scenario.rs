//! What would the broker do? A scenario is a law, timed facts, and the decisions that are expected, in one text file: a
//! test, a page of documentation and a bug report alike.
//!
//! ```text
//! # The holder has room, and serves.
//! # proves FR-1 FR-3
//! use agreements/two-clouds.toml
//! 09:00:00  call w1 gpt-4o chatgpt 1200+300
//! +5s       settle w1 input=1200 output=280
//! ---
//! 09:00:00  serve w1 at azure-ptu with gpt-4o: holder under deal/api [FR-1]
//! 09:00:05  settle w1: cost 0.00 USD, charge 0.0116 USD
//! ```
//!
//! Everything below the last `---` is the expected output. `docs/scenarios.md` is the reference of the lines.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::text::scenario_lines::{Event, Reader};
use crate::units::Timestamp;

pub use crate::text::scenario_run::run;

/// Lines in a scenario: one that needs more is a simulation, and has a program of its own.
pub const MAX_LINES: usize = 10_000;

/// A scenario as it was written.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The file's name.
    pub name: String,
    /// What it shows: its leading comment, without the `proves` lines.
    pub about: String,
    /// Sentences of `docs/rights` that it proves, for example `FR-3`.
    pub proves: Vec<String>,
    /// The law in order, each part with its line in the file.
    pub law: Vec<(u32, Law)>,
    /// What happens when.
    pub steps: Vec<Step>,
    /// Does the output end with the settlement?
    pub settlement: bool,
    /// The day whose times are written without their date.
    pub day: Timestamp,
    /// What is expected, one line a decision.
    pub expected: String,
    /// Everything above the expected output, with the line that separates them.
    pub(super) input: String,
}

/// A file of the law.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Law {
    /// Named, to be loaded.
    File(String),
    /// Written in the scenario.
    Inline(String),
}

/// One timed line.
#[derive(Clone, Debug)]
pub struct Step {
    /// When.
    pub at: Timestamp,
    /// Its line in the file, from 1.
    pub line: u32,
    /// What happens.
    pub(crate) event: Event,
}

/// Why a scenario could not be read or run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file's name.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// What is wrong, and what was expected.
    pub message: String,
}

impl fmt::Display for Problem {
    /// One line: `scenarios/x.scn:12: …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)
    }
}

impl Scenario {
    /// The whole file with another expected output.
    pub fn with_expected(&self, actual: &str) -> String {
        format!("{}{actual}", self.input)
    }
}

/// Reads a scenario.
///
/// # Errors
/// The first line that says something else than the format knows.
pub fn parse(name: &str, text: &str) -> Result<Scenario, Problem> {
    let mut reader = Reader::new(name);
    let mut input = String::new();
    let mut lines = (1u32..).zip(text.lines());
    let mut parted = false;
    while let Some((number, line)) = lines.next() {
        if usize::try_from(number).unwrap_or(usize::MAX) > MAX_LINES {
            return Err(reader.problem(number, format!("expected at most {MAX_LINES} lines")));
        }
        input.push_str(line);
        input.push('\n');
        match line.trim_end() {
            "---" => {
                parted = true;
                break;
            }
            "---law" => {
                let mut law = String::new();
                let mut closed = false;
                for (_, line) in lines.by_ref() {
                    input.push_str(line);
                    input.push('\n');
                    if line.trim_end() == "---" {
                        closed = true;
                        break;
                    }
                    law.push_str(line);
                    law.push('\n');
                }
                if !closed {
                    return Err(reader.problem(number, "expected `---` at the end of the law"));
                }
                reader.inline(number, law);
            }
            line => reader.line(number, line)?,
        }
    }
    if !parted {
        input.push_str("---\n");
    }
    let expected: Vec<&str> = lines.map(|(_, line)| line).collect();
    let mut expected = expected.join("\n");
    if !expected.is_empty() {
        expected.push('\n');
    }
    reader.finish(input, expected)
}

/// Expected and actual output side by side: lines that are in both after two spaces, those that were expected and did
/// not come after `- `, those that came and were not expected after `+ `. Empty if they are equal.
pub fn diff(expected: &str, actual: &str) -> String {
    if expected == actual {
        return String::new();
    }
    let (old, new): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), actual.lines().collect());
    let mut out = String::new();
    let mut show = |mark: &str, line: &str| out.push_str(&format!("{mark}{line}\n"));
    let (mut left, mut right) = (0usize, 0usize);
    while left < old.len() || right < new.len() {
        let (before, after) = (old.get(left), new.get(right));
        if before == after {
            show("  ", after.unwrap_or(&""));
            left = left.saturating_add(1);
            right = right.saturating_add(1);
            continue;
        }
        // Whichever of the two comes up again in the other's rest was moved past; otherwise the line was changed.
        let comes = before.and_then(|line| new.iter().skip(right).position(|other| other == line));
        match (before, after, comes) {
            (_, Some(line), Some(_)) | (None, Some(line), _) => {
                show("+ ", line);
                right = right.saturating_add(1);
            }
            (Some(line), _, _) => {
                show("- ", line);
                left = left.saturating_add(1);
            }
            (None, None, _) => break,
        }
    }
    out
}

/// A time of the scenario's day as `09:00:00`, of another day as `2026-03-05 09:00:00`.
pub(super) fn clock(day: Timestamp, at: Timestamp) -> String {
    let text = at.to_string();
    let (date, time) = text.split_once('T').unwrap_or((&text, ""));
    let time = time.trim_end_matches('Z');
    let time = if time.contains('.') { time.trim_end_matches('0') } else { time };
    if day.to_string().starts_with(date) { time.to_string() } else { format!("{date} {time}") }
}

#[cfg(test)]
mod tests;
