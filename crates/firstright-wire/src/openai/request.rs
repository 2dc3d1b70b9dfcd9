//! What does a request ask for, and where in its bytes does it say so?
//!
//! [`peek`] reads a body once, checks all of its grammar and keeps what the gateway acts on; [`rewrite`] puts another
//! model's name and the wish for usage into it by splicing, so that every other byte reaches the provider.

mod rewrite;

use std::borrow::Cow;
use std::ops::Range;

use crate::json::{Fault, Scanner, Str, Tally, to_u64, unescape};
use crate::openai::ServiceTier;
use crate::operation::Operation;

pub use rewrite::{Pieces, rewrite};

/// The longest model name, in bytes: twice the longest fine-tune name that OpenAI gives out.
pub const MAX_MODEL_BYTES: usize = 256;

/// The most choices that one call may ask for; OpenAI's own bound.
pub const MAX_CHOICES: u64 = 128;

/// Estimated tokens of a picture, sound or file inside of the body: what a 1024² picture costs, rounded up.
const BINARY_TOKENS: u64 = 1024;

/// A request's fields, as far as they are acted on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peek<'a> {
    pub model: Option<Cow<'a, str>>,
    pub stream: bool,
    /// The client asked for usage in the stream; if not and we do, its chunk is ours to withhold.
    pub include_usage: bool,
    /// The largest of the output bounds given, whatever the operation calls its own, in tokens for each choice.
    pub max_output_tokens: Option<u64>,
    /// How many choices are generated and billed (`n`, or `best_of` if larger).
    pub choices: u64,
    pub service_tier: Option<ServiceTier>,
    /// State that lives with one provider: the call can go nowhere else.
    pub previous_response_id: Option<Cow<'a, str>>,
    /// Other ties to the provider that made what the body refers to.
    pub pins: Pins,
    /// `"store":true`: the answer is kept, and can be asked for again.
    pub store: bool,
    /// An estimate of the input in tokens: see [`peek`].
    pub estimated_input_tokens: u64,
    /// A top-level key by which some gateways let a caller choose the upstream, as it stands in the body. Refuse it.
    pub steers_upstream: Option<&'a str>,
    /// Where the model's name stands, without its quotes.
    model_at: Option<Range<usize>>,
    /// Where a `null` stands in its place.
    null_model_at: Option<Range<usize>>,
    inject: Inject,
    /// The body is `{}`, so that a new first member takes no comma.
    empty: bool,
    /// There is no body.
    absent: bool,
}

/// What else ties a request to the provider that holds it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pins {
    /// A `file_id` anywhere in the body.
    pub file: bool,
    /// An `encrypted_content` anywhere in the body: only its maker can read it.
    pub encrypted_content: bool,
    /// A `conversation` kept by the provider.
    pub conversation: bool,
    /// `"background":true`: it will be asked for later, where it runs.
    pub background: bool,
}

impl Pins {
    #[must_use]
    pub fn any(self) -> bool {
        self.file || self.encrypted_content || self.conversation
    }
}

impl Peek<'_> {
    /// Where the model's name stands in the body, without its quotes.
    #[must_use]
    pub fn model_at(&self) -> Option<Range<usize>> {
        self.model_at.clone()
    }
}

/// A request that is refused before any provider sees it; the parts of [`crate::openai::error::error_body`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRequest {
    pub code: &'static str,
    pub param: Option<&'static str>,
    pub message: String,
}

impl std::fmt::Display for BadRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for BadRequest {}

impl From<Fault> for BadRequest {
    fn from(fault: Fault) -> Self {
        let message = format!("read the body as JSON: at byte {} expected {}", fault.at, fault.what);
        Self { code: "invalid_json", param: None, message }
    }
}

/// Which bytes to replace so that the stream carries usage.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Inject {
    at: Range<usize>,
    text: &'static str,
}

/// The keys that are acted on. A second one of the same is refused, and so is one that differs only in case: parsers
/// disagree on which of them holds, and the rights must be decided on what the provider will read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Model,
    Stream,
    StreamOptions,
    MaxTokens,
    MaxCompletionTokens,
    MaxOutputTokens,
    N,
    BestOf,
    ServiceTier,
    PreviousResponseId,
    Conversation,
    Background,
    Store,
}

/// The longest name of a [`Field`], in bytes.
const MAX_FIELD_BYTES: usize = 21;

impl Field {
    fn from_name(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"model" => Self::Model,
            b"stream" => Self::Stream,
            b"stream_options" => Self::StreamOptions,
            b"max_tokens" => Self::MaxTokens,
            b"max_completion_tokens" => Self::MaxCompletionTokens,
            b"max_output_tokens" => Self::MaxOutputTokens,
            b"n" => Self::N,
            b"best_of" => Self::BestOf,
            b"service_tier" => Self::ServiceTier,
            b"previous_response_id" => Self::PreviousResponseId,
            b"conversation" => Self::Conversation,
            b"background" => Self::Background,
            b"store" => Self::Store,
            _ => return None,
        })
    }

    /// Is it acted on in this operation? What is kept at a provider has fields of the same names that mean other things.
    fn is_of(self, operation: Operation) -> bool {
        match operation {
            Operation::Store | Operation::FineTuning | Operation::Videos => {
                matches!(self, Self::Model | Self::Stream | Self::PreviousResponseId)
            }
            // The bound of another operation binds nobody here.
            Operation::Responses | Operation::ResponsesCompact
                if matches!(self, Self::MaxTokens | Self::MaxCompletionTokens) =>
            {
                false
            }
            _ if self == Self::MaxOutputTokens => operation == Operation::Responses,
            _ if self == Self::MaxCompletionTokens => operation == Operation::ChatCompletions,
            // A picture's background is a word.
            _ => self != Self::Background || operation == Operation::Responses,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Stream => "stream",
            Self::StreamOptions => "stream_options",
            Self::MaxTokens => "max_tokens",
            Self::MaxCompletionTokens => "max_completion_tokens",
            Self::MaxOutputTokens => "max_output_tokens",
            Self::N => "n",
            Self::BestOf => "best_of",
            Self::ServiceTier => "service_tier",
            Self::PreviousResponseId => "previous_response_id",
            Self::Conversation => "conversation",
            Self::Background => "background",
            Self::Store => "store",
        }
    }
}

/// Reads `body` once. Where there may be none (a cancellation, a list), none is read as one that says nothing.
///
/// `estimated_input_tokens` is cheap and errs upwards for plain text: a quarter of the bytes of the strings in
/// `messages`, `input`, `prompt`, `instructions`, `suffix` and `system`, a quarter of all bytes of tools and output schemas, one
/// for each number of a tokenised prompt, and for a binary payload (a `data:` URL, or a long `data` or `file_data`) 1,024
/// and one for each 64 bytes.
///
/// # Errors
/// [`BadRequest`] if the body is not one JSON object in UTF-8 nested at most 128 deep, or if a field that is acted on
/// has a wrong type, comes twice or differs from its name only in case.
pub fn peek(operation: Operation, body: &[u8]) -> Result<Peek<'_>, BadRequest> {
    let mut reader = Reader {
        body,
        seen: 0,
        tally: Tally::default(),
        schema_bytes: 0,
        tokenised: 0,
        peek: Peek::default(),
        operation,
    };
    reader.peek.choices = 1;
    let may_lack = matches!(operation, Operation::Store | Operation::Models);
    if may_lack && body.iter().all(u8::is_ascii_whitespace) {
        reader.peek.absent = true;
        return Ok(reader.peek);
    }
    if std::str::from_utf8(body).is_err() {
        let message = "read the body as UTF-8".to_owned();
        return Err(BadRequest { code: "invalid_utf8", param: None, message });
    }
    let mut scanner = Scanner::new(body, 0);
    scanner.enter_object()?;
    let start = scanner.at();
    let mut first = true;
    while let Some(key) = scanner.next_key(first)? {
        first = false;
        reader.member(&mut scanner, key)?;
    }
    scanner.end()?;
    reader.peek.empty = first;
    if reader.seen & 1 << Field::StreamOptions as u32 == 0 {
        let text = if first {
            r#""stream_options":{"include_usage":true}"#
        } else {
            r#""stream_options":{"include_usage":true},"#
        };
        reader.peek.inject = Inject { at: start..start, text };
    }
    Ok(reader.finish())
}

/// The values of all members of the object that have this name, in whatever case: parsers disagree on which of them holds.
///
/// # Errors
/// [`BadRequest`] if the body is not one JSON object.
pub fn members_named<'a>(body: &'a [u8], name: &str) -> Result<Vec<&'a [u8]>, BadRequest> {
    let mut scanner = Scanner::new(body, 0);
    scanner.enter_object()?;
    let (mut first, mut found) = (true, Vec::new());
    while let Some(key) = scanner.next_key(first)? {
        first = false;
        let own = unescape(body, key).is_none_or(|key| key.eq_ignore_ascii_case(name));
        scanner.look();
        let start = scanner.at();
        scanner.skip(1, &mut Tally::default())?;
        if own {
            found.push(&body[start..scanner.at()]);
        }
    }
    scanner.end()?;
    Ok(found)
}

/// A string value, and where its inside stands.
type Spanned<'a> = (Cow<'a, str>, Range<usize>);

struct Reader<'a> {
    body: &'a [u8],
    operation: Operation,
    /// One bit for each [`Field`] that was read.
    seen: u32,
    tally: Tally,
    schema_bytes: u64,
    tokenised: u64,
    peek: Peek<'a>,
}

impl<'a> Reader<'a> {
    fn member(&mut self, scanner: &mut Scanner<'a>, key: Str) -> Result<(), BadRequest> {
        let name = match unescape(self.body, key) {
            Some(name) => name,
            None => return Err(scanner.fault("no lone surrogate in a key").into()),
        };
        let field = Field::from_name(name.as_bytes()).filter(|field| field.is_of(self.operation));
        if let Some(field) = field {
            let bit = 1 << field as u32;
            if self.seen & bit != 0 {
                return Err(refuse("duplicate_key", field, "be given once only"));
            }
            self.seen |= bit;
            return self.field(scanner, field);
        }
        self.suspect(&name, key)?;
        let start = scanner.at();
        match name.as_bytes() {
            // `system` is Anthropic's.
            b"messages" | b"instructions" | b"suffix" | b"system" => scanner.skip(1, &mut self.tally)?,
            b"input" | b"prompt" => {
                let before = self.tally.numbers;
                scanner.skip(1, &mut self.tally)?;
                self.tokenised += self.tally.numbers - before;
            }
            b"tools" | b"functions" | b"response_format" | b"text" => {
                self.skip_uncounted(scanner)?;
                self.schema_bytes += (scanner.at() - start) as u64;
            }
            _ => self.skip_uncounted(scanner)?,
        }
        Ok(())
    }

    fn field(&mut self, scanner: &mut Scanner<'a>, field: Field) -> Result<(), BadRequest> {
        match field {
            Field::Model => {
                // `null` names no model, where one may be left out.
                let Some((model, at)) = self.string(scanner, field)? else {
                    self.peek.null_model_at = Some(scanner.at() - "null".len()..scanner.at());
                    return Ok(());
                };
                if model.is_empty() || model.len() > MAX_MODEL_BYTES || model.contains(char::is_control) {
                    return Err(refuse(
                        "invalid_value",
                        field,
                        "be 1 to 256 bytes without control characters",
                    ));
                }
                self.peek.model = Some(model);
                self.peek.model_at = Some(at);
            }
            Field::Stream => self.peek.stream = flag(scanner, field)?,
            Field::Background => self.peek.pins.background = flag(scanner, field)?,
            Field::Store => self.peek.store = flag(scanner, field)?,
            Field::StreamOptions => self.stream_options(scanner)?,
            Field::MaxTokens | Field::MaxCompletionTokens | Field::MaxOutputTokens => {
                let bound = integer(scanner, field)?;
                self.peek.max_output_tokens = self.peek.max_output_tokens.max(bound);
            }
            Field::N | Field::BestOf => {
                // OpenAI's `best_of` may be 0, which asks for nothing beside `n`.
                let least = u64::from(field == Field::N);
                let choices = integer(scanner, field)?.unwrap_or(1);
                if !(least..=MAX_CHOICES).contains(&choices) {
                    let must = if least == 0 { "be between 0 and 128" } else { "be between 1 and 128" };
                    return Err(refuse("invalid_value", field, must));
                }
                self.peek.choices = self.peek.choices.max(choices);
            }
            Field::ServiceTier => {
                let tier = self.string(scanner, field)?;
                self.peek.service_tier = tier.map(|(name, _)| ServiceTier::from_name(&name));
            }
            Field::PreviousResponseId => {
                self.peek.previous_response_id = self.string(scanner, field)?.map(|(id, _)| id);
            }
            Field::Conversation => {
                self.peek.pins.conversation = scanner.look() != Some(b'n');
                self.skip_uncounted(scanner)?;
            }
        }
        Ok(())
    }

    fn stream_options(&mut self, scanner: &mut Scanner<'a>) -> Result<(), BadRequest> {
        let field = Field::StreamOptions;
        let start = scanner.at();
        if scanner.look() == Some(b'n') {
            scanner.word("null")?;
            self.peek.inject = Inject { at: start..scanner.at(), text: r#"{"include_usage":true}"# };
            return Ok(());
        }
        if scanner.look() != Some(b'{') {
            return Err(refuse("invalid_type", field, "be an object"));
        }
        scanner.enter_object()?;
        let inside = scanner.at();
        let (mut first, mut asked) = (true, None);
        while let Some(key) = scanner.next_key(first)? {
            first = false;
            let name = unescape(self.body, key);
            if name.is_some_and(|name| name.eq_ignore_ascii_case("include_usage")) {
                if asked.is_some() || &self.body[key.start..key.end] != b"include_usage" {
                    return Err(refuse(
                        "duplicate_key",
                        field,
                        "have `include_usage` once only, spelt just so",
                    ));
                }
                let at = scanner.at();
                self.peek.include_usage = flag(scanner, field)?;
                asked = Some(at..scanner.at());
            } else {
                scanner.skip(2, &mut Tally::default())?;
            }
        }
        self.peek.inject = match asked {
            _ if self.peek.include_usage => Inject::default(),
            Some(at) => Inject { at, text: "true" },
            None if first => Inject { at: inside..inside, text: r#""include_usage":true"# },
            None => Inject { at: inside..inside, text: r#""include_usage":true,"# },
        };
        Ok(())
    }

    /// A string with the range of its inside; `null` gives `None`.
    fn string(&self, scanner: &mut Scanner<'a>, field: Field) -> Result<Option<Spanned<'a>>, BadRequest> {
        match scanner.look() {
            Some(b'"') => {
                let string = scanner.string()?;
                let text = unescape(self.body, string)
                    .ok_or_else(|| refuse("invalid_value", field, "not have a lone surrogate"))?;
                Ok(Some((text, string.start..string.end)))
            }
            Some(b'n') => {
                scanner.word("null")?;
                Ok(None)
            }
            _ => Err(refuse("invalid_type", field, "be a string")),
        }
    }

    /// Looks at a key that isn't acted on: does it pose as one that is, or try to choose the upstream?
    fn suspect(&mut self, name: &str, key: Str) -> Result<(), BadRequest> {
        let bytes = name.as_bytes();
        let mut lower = [0; MAX_FIELD_BYTES];
        if let Some(lower) = lower.get_mut(..bytes.len())
            && bytes.iter().any(u8::is_ascii_uppercase)
        {
            lower.copy_from_slice(bytes);
            lower.make_ascii_lowercase();
            if let Some(field) = Field::from_name(lower) {
                return Err(refuse("ambiguous_key", field, "be written in lower case"));
            }
        }
        let steers = bytes.eq_ignore_ascii_case(b"api_base")
            || bytes.eq_ignore_ascii_case(b"base_url")
            || bytes.windows(4).any(|window| window.eq_ignore_ascii_case(b"host"));
        if steers && self.peek.steers_upstream.is_none() {
            // INVARIANT: the whole body is UTF-8 and a key begins and ends beside ASCII quotes.
            self.peek.steers_upstream = std::str::from_utf8(&self.body[key.start..key.end]).ok();
        }
        Ok(())
    }

    fn skip_uncounted(&mut self, scanner: &mut Scanner<'a>) -> Result<(), Fault> {
        let mut tally = Tally::default();
        scanner.skip(1, &mut tally)?;
        self.tally.names_file |= tally.names_file;
        self.tally.names_encrypted |= tally.names_encrypted;
        Ok(())
    }

    fn finish(mut self) -> Peek<'a> {
        let tally = self.tally;
        self.peek.pins.file = tally.names_file;
        self.peek.pins.encrypted_content = tally.names_encrypted;
        self.peek.estimated_input_tokens = tally.text_bytes.div_ceil(4)
            + self.schema_bytes.div_ceil(4)
            + self.tokenised
            + tally.binaries * BINARY_TOKENS
            + tally.binary_bytes / 64;
        self.peek
    }
}

fn flag(scanner: &mut Scanner<'_>, field: Field) -> Result<bool, BadRequest> {
    let word = match scanner.look() {
        Some(b't') => "true",
        Some(b'f') => "false",
        Some(b'n') => "null",
        _ => return Err(refuse("invalid_type", field, "be a boolean")),
    };
    scanner.word(word)?;
    Ok(word == "true")
}

fn integer(scanner: &mut Scanner<'_>, field: Field) -> Result<Option<u64>, BadRequest> {
    match scanner.look() {
        Some(b'n') => {
            scanner.word("null")?;
            Ok(None)
        }
        Some(b'-' | b'0'..=b'9') => match to_u64(scanner.number()?) {
            Some(value) => Ok(Some(value)),
            None => Err(refuse("invalid_value", field, "be an integer of at least 0")),
        },
        _ => Err(refuse("invalid_type", field, "be an integer")),
    }
}

fn refuse(code: &'static str, field: Field, must: &str) -> BadRequest {
    let name = field.name();
    BadRequest { code, param: Some(name), message: format!("accept the request: `{name}` must {must}") }
}

#[cfg(test)]
mod tests;
