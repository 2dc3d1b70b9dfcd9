//! What does a batch's file ask for? Each of its lines is a request, and is held to what a request is held to.
//!
//! Source: OpenAI's specification 2.3.0, `CreateBatchRequest`, and the guide to the Batch API; Azure's guide writes
//! `/chat/completions` where OpenAI's has `/v1/chat/completions`.

#[cfg(test)]
mod tests;

use std::ops::Range;

use super::request::{self, BadRequest, Peek};
use crate::json::{Scanner, Str, Tally, unescape};
use crate::operation::{Operation, Route};

/// The most lines of one file: as many as Azure takes; OpenAI takes half as many.
pub const MAX_LINES: u64 = 100_000;

/// A line, as far as it is acted on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line<'a> {
    pub operation: Operation,
    /// The request that it holds.
    pub peek: Peek<'a>,
    /// Where that stands in the line.
    body_at: Range<usize>,
}

/// The members that are acted on.
const METHOD: usize = 0;
const URL: usize = 1;
const BODY: usize = 2;
const MEMBERS: [&str; 3] = ["method", "url", "body"];

impl<'a> Line<'a> {
    /// Reads one line.
    ///
    /// # Errors
    /// [`BadRequest`] if it is not one line for every reader, or not one JSON object that holds `method`, `url` and `body` once each, if the URL is none at
    /// which a batch may ask, or for what [`request::peek`] says of the body.
    pub fn read(line: &'a [u8]) -> Result<Line<'a>, BadRequest> {
        if std::str::from_utf8(line).is_err() {
            let message = "read the line as UTF-8".to_owned();
            return Err(BadRequest { code: "invalid_utf8", param: None, message });
        }
        // To JSON it is white space, and to many readers of files a line's end: behind it stands another request.
        if memchr::memchr(b'\r', line.trim_ascii()).is_some() {
            let message = "read the line as one: it holds a carriage return".to_owned();
            return Err(BadRequest { code: "invalid_json", param: None, message });
        }
        let mut scanner = Scanner::new(line, 0);
        let mut found: [Option<Range<usize>>; 3] = [None, None, None];
        scanner.enter_object()?;
        let mut first = true;
        while let Some(key) = scanner.next_key(first)? {
            first = false;
            let member = member(line, key)?;
            scanner.look();
            let start = scanner.at();
            scanner.skip(1, &mut Tally::default())?;
            let Some(member) = member else { continue };
            if found[member].replace(start..scanner.at()).is_some() {
                return Err(bad("duplicate_key", MEMBERS[member], "be given once only"));
            }
        }
        scanner.end()?;
        let text = |member: usize| {
            let at = found[member].clone().ok_or_else(|| bad("invalid_type", MEMBERS[member], "be given"))?;
            string(line, at).ok_or_else(|| bad("invalid_type", MEMBERS[member], "be a string"))
        };
        if text(METHOD)? != "POST" {
            return Err(bad("invalid_value", "method", "be `POST`"));
        }
        let operation = operation(&text(URL)?)
            .ok_or_else(|| bad("invalid_value", "url", "name an operation that a batch may ask for"))?;
        let body_at = found[BODY].clone().ok_or_else(|| bad("invalid_type", "body", "be given"))?;
        let peek = request::peek(operation, &line[body_at.clone()])?;
        Ok(Line { operation, peek, body_at })
    }

    /// Where the line names its model, without the quotes; none if it names none.
    #[must_use]
    pub fn model_at(&self) -> Option<Range<usize>> {
        let at = self.peek.model_at()?;
        Some(self.body_at.start + at.start..self.body_at.start + at.end)
    }
}

/// Which of the members that are acted on a key names.
fn member(line: &[u8], key: Str) -> Result<Option<usize>, BadRequest> {
    let Some(name) = unescape(line, key) else { return Ok(None) };
    let Some(member) = MEMBERS.iter().position(|member| name.eq_ignore_ascii_case(member)) else {
        return Ok(None);
    };
    // Parsers disagree on whether another spelling is the same key.
    if name != MEMBERS[member] {
        return Err(bad("ambiguous_key", MEMBERS[member], "be written in lower case"));
    }
    Ok(Some(member))
}

fn string(line: &[u8], at: Range<usize>) -> Option<std::borrow::Cow<'_, str>> {
    let mut scanner = Scanner::new(line, at.start);
    if scanner.look() != Some(b'"') {
        return None;
    }
    unescape(line, scanner.string().ok()?)
}

/// What is asked at a URL, if a batch may ask for it: one request with one answer, which is metered.
fn operation(url: &str) -> Option<Operation> {
    use Operation::{
        ChatCompletions, Completions, Embeddings, ImagesEdits, ImagesGenerations, Moderations, Responses,
        Videos,
    };
    let short = format!("/v1{url}");
    let path = if url.starts_with("/v1/") { url } else { &short };
    let route = Route::read("POST", path).ok()?;
    let may = matches!(
        route.operation,
        ChatCompletions
            | Completions
            | Responses
            | Embeddings
            | Moderations
            | ImagesGenerations
            | ImagesEdits
            | Videos
    );
    may.then_some(route.operation)
}

fn bad(code: &'static str, name: &'static str, must: &str) -> BadRequest {
    BadRequest { code, param: Some(name), message: format!("accept the request: `{name}` must {must}") }
}

/// Takes a file apart into its lines as it comes, in pieces cut anywhere. No more is held than one line.
#[derive(Debug)]
pub struct Splitter {
    begun: Vec<u8>,
    number: u64,
    most: usize,
}

impl Splitter {
    /// `most`: the longest line, in bytes.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { begun: Vec::new(), number: 0, most }
    }

    /// Takes the next piece, and gives each line that it ends, with its number (from 1) and with its end.
    ///
    /// # Errors
    /// [`BadRequest`] for a line that is too long and for too many lines; whatever `each` says.
    pub fn push<E: From<BadRequest>>(
        &mut self,
        piece: &[u8],
        mut each: impl FnMut(u64, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut rest = piece;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, after) = rest.split_at(end + 1);
            rest = after;
            self.longer_by(line.len())?;
            self.number += 1;
            if self.begun.is_empty() {
                each(self.number, line)?;
            } else {
                self.begun.extend_from_slice(line);
                each(self.number, &std::mem::take(&mut self.begun))?;
            }
        }
        self.longer_by(rest.len())?;
        self.begun.extend_from_slice(rest);
        Ok(())
    }

    /// The file has ended: gives its last line, if that did not end itself.
    ///
    /// # Errors
    /// Whatever `each` says.
    pub fn finish<E>(self, mut each: impl FnMut(u64, &[u8]) -> Result<(), E>) -> Result<(), E> {
        if self.begun.is_empty() { Ok(()) } else { each(self.number + 1, &self.begun) }
    }

    /// How many lines have ended.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.number
    }

    fn longer_by(&self, bytes: usize) -> Result<(), BadRequest> {
        let must = match () {
            () if self.begun.len() + bytes > self.most => {
                format!("line {} have at most {} bytes", self.number + 1, self.most)
            }
            () if self.number >= MAX_LINES && bytes > 0 => format!("the file have at most {MAX_LINES} lines"),
            () => return Ok(()),
        };
        Err(BadRequest {
            code: "invalid_value",
            param: Some("file"),
            message: format!("accept the file: it is needed that {must}"),
        })
    }
}
