//! What does something say of itself that ends later: a batch, a fine-tuning job?
//!
//! Source: OpenAI's specification 2.3.0, `Batch` and `FineTuningJob`; Azure's have the same members.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use super::lines::MAX_LINES;
use super::response::{self, Malformed, read_usage_within, text};
use crate::json::{Scanner, to_u64};
use crate::operation::Operation;
use crate::usage::{MAX_COUNT, Reading, Usage};

/// How it stands, as far as it is acted on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing<'a> {
    pub id: Option<Cow<'a, str>>,
    pub status: Option<Cow<'a, str>>,
    /// The model that a batch runs, or a job changes.
    pub model: Option<Cow<'a, str>>,
    /// Of all of a batch's requests.
    pub usage: Reading,
    /// A batch's requests that were answered well; no more than a file can have lines.
    pub completed: Option<u64>,
    /// Tokens that a job trained on, every time that each was seen.
    pub trained: Option<u64>,
    pub input_file: Option<Cow<'a, str>>,
    pub output_file: Option<Cow<'a, str>>,
}

/// More tokens than one job trains on: a thousand times the most that one call is believed to use.
const MAX_TRAINED: u64 = MAX_COUNT * 1_000;

impl<'a> Standing<'a> {
    /// Reads a batch or a job. Fields of a wrong type count as absent.
    ///
    /// # Errors
    /// [`Malformed`] if the body is not one whole JSON object.
    pub fn read(body: &'a [u8]) -> Result<Standing<'a>, Malformed> {
        let mut standing = Standing::default();
        let mut scanner = Scanner::new(body, 0);
        scanner.enter_object()?;
        let mut first = true;
        while let Some(key) = scanner.next_key(first)? {
            first = false;
            match &body[key.start..key.end] {
                b"id" => standing.id = text(body, &mut scanner)?,
                b"status" => standing.status = text(body, &mut scanner)?,
                b"model" => standing.model = text(body, &mut scanner)?,
                b"input_file_id" => standing.input_file = text(body, &mut scanner)?,
                b"output_file_id" => standing.output_file = text(body, &mut scanner)?,
                // A batch may use as much as all of its requests.
                b"usage" => {
                    standing.usage = read_usage_within(body, &mut scanner, MAX_COUNT * MAX_LINES)?;
                }
                b"trained_tokens" => {
                    standing.trained = number(body, &mut scanner)?.filter(|trained| *trained <= MAX_TRAINED);
                }
                b"request_counts" if scanner.look() == Some(b'{') => {
                    scanner.enter_object()?;
                    let mut first = true;
                    while let Some(key) = scanner.next_key(first)? {
                        first = false;
                        match &body[key.start..key.end] {
                            b"completed" => {
                                let completed = number(body, &mut scanner)?;
                                standing.completed = completed.filter(|completed| *completed <= MAX_LINES);
                            }
                            _ => scanner.skip_loose()?,
                        }
                    }
                }
                _ => scanner.skip_loose()?,
            }
        }
        scanner.end()?;
        Ok(standing)
    }
}

fn number(body: &[u8], scanner: &mut Scanner<'_>) -> Result<Option<u64>, Malformed> {
    scanner.look();
    let start = scanner.at();
    scanner.skip_loose()?;
    Ok(to_u64(&body[start..scanner.at()]))
}

/// What the lines of a batch's output add up to, where the batch does not say it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    pub usage: Usage,
    /// A line tells of an answer and not of what it used, or what cannot be: the sum is not known.
    pub is_short: bool,
}

impl Sum {
    /// Takes a line in: `{"response":{"status_code":200,"body":{…}},…}`. One that was not answered well used nothing.
    pub fn line(&mut self, line: &[u8]) {
        if line.trim_ascii().is_empty() {
            return;
        }
        let Some((answered, body)) = answer(line) else {
            self.is_short = true;
            return;
        };
        if !answered {
            return;
        }
        // A batch tells usage under the names of either family.
        match response::read(Operation::Responses, body).map(|reply| reply.usage) {
            Ok(Reading::Sound(usage)) => self.usage.add(&usage),
            _ => self.is_short = true,
        }
    }
}

/// Was a line answered well, and with what? None if it cannot be read.
fn answer(line: &[u8]) -> Option<(bool, &[u8])> {
    let mut scanner = Scanner::new(line, 0);
    scanner.enter_object().ok()?;
    let (mut first, mut found) = (true, (false, &line[..0]));
    while let Some(key) = scanner.next_key(first).ok()? {
        first = false;
        if &line[key.start..key.end] != b"response" || scanner.look() != Some(b'{') {
            scanner.skip_loose().ok()?;
            continue;
        }
        scanner.enter_object().ok()?;
        let mut first = true;
        while let Some(key) = scanner.next_key(first).ok()? {
            first = false;
            scanner.look();
            let start = scanner.at();
            scanner.skip_loose().ok()?;
            let value = &line[start..scanner.at()];
            match &line[key.start..key.end] {
                b"status_code" => found.0 = to_u64(value).is_some_and(|status| (200..300).contains(&status)),
                b"body" => found.1 = value,
                _ => {}
            }
        }
    }
    Some(found)
}
