//! What does one event say?

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::{Kind, Metered};
use crate::json::{Fault, Scanner, Tally};
use crate::openai::ServiceTier;
use crate::openai::response::{Reply, read_object, read_usage, text};
use crate::operation::Operation;
use crate::sse::fields;
use crate::usage::{Reading, Usage};

/// The longest id or model name that is kept, in bytes.
pub(crate) const MAX_NAME_BYTES: usize = 256;

// In valid JSON a quote within a string is escaped, so a quoted name followed by a colon is a key wherever it is found.
static USAGE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"usage\""));
static DELTA: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"delta\""));
static TEXT: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"text\""));

impl Metered {
    /// Reads a whole event.
    pub(super) fn read(&mut self, operation: Operation, event: &[u8]) -> Kind {
        let fields = fields(event);
        let Some(data) = fields.data.as_deref() else { return Kind::Neutral };
        if data.trim_ascii() == b"[DONE]" {
            self.ended = true;
            return Kind::Terminal;
        }
        self.events += 1;
        let kind = match operation {
            Operation::Responses
            | Operation::ImagesGenerations
            | Operation::ImagesEdits
            | Operation::Transcriptions
            | Operation::Speech => self.typed(operation, data),
            _ => self.chunk(operation, data),
        };
        kind.unwrap_or_else(|_| {
            self.unreadable += 1;
            // It may have been content, so nobody may take over after it.
            self.content_seen = true;
            Kind::Neutral
        })
    }

    /// Reads what is left of an over-large event: the type at its head, the usage at its tail.
    pub(super) fn read_large(&mut self, operation: Operation, head: &[u8], tail: &[u8]) -> Kind {
        self.events += 1;
        self.content_seen = true;
        let before = self.images();
        if let Some(at) = value_of(&USAGE, tail, b'{')
            && let Ok(usage) = read_usage(tail, &mut Scanner::new(tail, at))
        {
            self.usage = usage;
        }
        let kind =
            fields(head).data.and_then(|data| leading_type(&data).map(kind_of_type)).unwrap_or(Kind::Content);
        match kind {
            Kind::Terminal => {
                self.ended = true;
                self.count_image(operation, before);
            }
            _ => self.content_deltas += 1,
        }
        kind
    }

    /// An event of chat or text completions.
    fn chunk(&mut self, operation: Operation, data: &[u8]) -> Result<Kind, Fault> {
        let content = if operation == Operation::Completions {
            self.count_texts(data)?
        } else {
            self.count_deltas(data)?
        };
        if content && !names_value(&USAGE, data) {
            return Ok(Kind::Content);
        }
        let mut scanner = Scanner::new(data, 0);
        let (mut usage, mut no_choices, mut error) = (Reading::Absent, true, false);
        scanner.enter_object()?;
        let mut first = true;
        while let Some(key) = scanner.next_key(first)? {
            first = false;
            match &data[key.start..key.end] {
                b"usage" => usage = read_usage(data, &mut scanner)?,
                b"error" => {
                    error = scanner.look() != Some(b'n');
                    scanner.skip_loose()?;
                }
                b"choices" => {
                    let start = scanner.at();
                    scanner.skip_loose()?;
                    no_choices = !data[start..scanner.at()].contains(&b'{');
                }
                b"id" if self.id.is_none() => {
                    self.id = text(data, &mut scanner)?.and_then(name);
                }
                b"model" if self.model.is_none() => {
                    self.model = text(data, &mut scanner)?.and_then(name);
                }
                b"service_tier" => {
                    let tier = text(data, &mut scanner)?.map(|name| ServiceTier::from_name(&name));
                    self.service_tier = tier.or(self.service_tier);
                }
                _ => scanner.skip_loose()?,
            }
        }
        if usage != Reading::Absent {
            self.usage = usage;
        }
        Ok(if error {
            self.error = true;
            self.ended = true;
            Kind::Terminal
        } else if content {
            Kind::Content
        } else if usage != Reading::Absent && no_choices {
            Kind::UsageOnly
        } else {
            Kind::Neutral
        })
    }

    /// An event that names its type: of Responses, or of images.
    fn typed(&mut self, operation: Operation, data: &[u8]) -> Result<Kind, Fault> {
        let kind = match leading_type(data) {
            Some(kind) => kind.to_vec(),
            None => member_type(data)?,
        };
        match kind_of_type(&kind) {
            Kind::Content => {
                if let Some(at) = value_of(&DELTA, data, b'"') {
                    let string = Scanner::new(data, at).string_loose()?;
                    self.content_bytes += (string.end - string.start) as u64;
                }
                self.content_deltas += 1;
                self.content_seen = true;
                Ok(Kind::Content)
            }
            Kind::Terminal => {
                self.ended = true;
                self.error |= matches!(kind.as_slice(), b"error" | b"response.failed");
                let before = self.images();
                let reply = within(operation, data)?;
                self.learn(reply);
                self.count_image(operation, before);
                Ok(Kind::Terminal)
            }
            other => {
                if kind == b"response.created" {
                    let reply = within(operation, data)?;
                    self.learn(reply);
                }
                Ok(other)
            }
        }
    }

    fn learn(&mut self, reply: Reply<'_>) {
        if reply.usage != Reading::Absent {
            self.usage = reply.usage;
        }
        self.id = reply.id.and_then(name).or(self.id.take());
        self.model = reply.model.and_then(name).or(self.model.take());
        self.service_tier = reply.service_tier.or(self.service_tier);
    }

    /// A finished picture is a piece, whether or not it comes with tokens. `before` it there were so many.
    fn count_image(&mut self, operation: Operation, before: u64) {
        if operation.is_of_images() && !self.error {
            self.usage = match self.usage {
                Reading::Sound(usage) => Reading::Sound(Usage { images: before + 1, ..usage }),
                Reading::Absent => Reading::Sound(Usage { images: 1, requests: 1, ..Usage::default() }),
                hostile @ Reading::Hostile(_) => hostile,
            };
        }
    }

    fn images(&self) -> u64 {
        self.usage.sound().map_or(0, |usage| usage.images)
    }

    /// Counts chat deltas that say something; a role alone, an empty string and `null` don't.
    fn count_deltas(&mut self, data: &[u8]) -> Result<bool, Fault> {
        let mut any = false;
        let mut from = 0;
        while let Some(found) = DELTA.find(&data[from..]) {
            let mut scanner = Scanner::new(data, from + found + 7);
            from = scanner.at();
            if !scanner.colon() || scanner.look() != Some(b'{') {
                continue;
            }
            let mut bytes = None;
            scanner.enter_object()?;
            let mut first = true;
            while let Some(key) = scanner.next_key(first)? {
                first = false;
                let length = if data[key.start..key.end] == *b"role" {
                    scanner.skip_loose()?;
                    0
                } else {
                    content_length(&mut scanner)?
                };
                if length > 0 {
                    bytes = Some(bytes.unwrap_or(0) + length);
                }
            }
            from = scanner.at();
            any |= self.count(bytes);
        }
        Ok(any)
    }

    /// Counts the texts of a legacy completion chunk.
    fn count_texts(&mut self, data: &[u8]) -> Result<bool, Fault> {
        let mut any = false;
        let mut from = 0;
        while let Some(found) = TEXT.find(&data[from..]) {
            let mut scanner = Scanner::new(data, from + found + 6);
            from = scanner.at();
            if scanner.colon() && scanner.look() == Some(b'"') {
                let length = content_length(&mut scanner)?;
                any |= self.count((length > 0).then_some(length));
                from = scanner.at();
            }
        }
        Ok(any)
    }

    fn count(&mut self, bytes: Option<u64>) -> bool {
        self.content_deltas += u64::from(bytes.is_some());
        self.content_bytes += bytes.unwrap_or(0);
        self.content_seen |= bytes.is_some();
        bytes.is_some()
    }
}

/// A name worth keeping: Azure's first chunk has empty ones, and a hostile one could be as long as an event.
fn name(name: Cow<'_, str>) -> Option<String> {
    (1..=MAX_NAME_BYTES).contains(&name.len()).then(|| name.into_owned())
}

/// Bytes of text in a value; 0 for one that says nothing.
fn content_length(scanner: &mut Scanner<'_>) -> Result<u64, Fault> {
    match scanner.look() {
        Some(b'"') => {
            let string = scanner.string_loose()?;
            Ok((string.end - string.start) as u64)
        }
        Some(b'{' | b'[') => {
            let mut tally = Tally::default();
            scanner.skip(1, &mut tally)?;
            Ok(tally.text_bytes + tally.binary_bytes)
        }
        _ => scanner.skip_loose().map(|()| 0),
    }
}

fn kind_of_type(name: &[u8]) -> Kind {
    match name {
        b"response.completed"
        | b"response.incomplete"
        | b"response.failed"
        | b"response.cancelled"
        | b"error"
        | b"image_generation.completed"
        | b"image_edit.completed"
        | b"transcript.text.done"
        | b"speech.audio.done" => Kind::Terminal,
        b"image_generation.partial_image" | b"image_edit.partial_image" => Kind::Content,
        name if name.ends_with(b".delta") => Kind::Content,
        _ => Kind::Neutral,
    }
}

/// The type, if it is the first member, as providers write it.
fn leading_type(data: &[u8]) -> Option<&[u8]> {
    let rest = data.strip_prefix(b"{\"type\":\"")?;
    let name = &rest[..memchr::memchr(b'"', rest)?];
    (!name.contains(&b'\\')).then_some(name)
}

fn member_type(data: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut scanner = Scanner::new(data, 0);
    scanner.enter_object()?;
    let mut first = true;
    while let Some(key) = scanner.next_key(first)? {
        first = false;
        if data[key.start..key.end] == *b"type" {
            return Ok(text(data, &mut scanner)?.unwrap_or_default().into_owned().into_bytes());
        }
        scanner.skip_loose()?;
    }
    Ok(Vec::new())
}

/// The reply in an event: its `response`, or the event itself.
fn within(operation: Operation, data: &[u8]) -> Result<Reply<'_>, Fault> {
    let mut scanner = Scanner::new(data, 0);
    scanner.enter_object()?;
    let mut first = true;
    while let Some(key) = scanner.next_key(first)? {
        first = false;
        if data[key.start..key.end] == *b"response" && scanner.look() == Some(b'{') {
            return read_object(operation, data, &mut scanner);
        }
        scanner.skip_loose()?;
    }
    read_object(operation, data, &mut Scanner::new(data, 0))
}

/// Whether `finder`'s key has a value other than `null` anywhere.
fn names_value(finder: &Finder<'_>, data: &[u8]) -> bool {
    finder.find_iter(data).any(|found| {
        let mut scanner = Scanner::new(data, found + finder.needle().len());
        scanner.colon() && scanner.look() != Some(b'n')
    })
}

/// Where the last value of `finder`'s key that opens with `open` begins.
fn value_of(finder: &Finder<'_>, data: &[u8], open: u8) -> Option<usize> {
    let mut at = None;
    for found in finder.find_iter(data) {
        let mut scanner = Scanner::new(data, found + finder.needle().len());
        if scanner.colon() && scanner.look() == Some(open) {
            at = Some(scanner.at());
        }
    }
    at
}
