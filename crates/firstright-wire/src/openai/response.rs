//! What was used, by whom was it served, and under what id does it go?

use std::borrow::Cow;

use crate::json::{Fault, Scanner, Str, to_u64, unescape};
use crate::openai::ServiceTier;
use crate::operation::Operation;
use crate::usage::{Hostility, MAX_COUNT, Reading, Reported, Usage};

/// What the gateway needs from a plain reply. The reply's bytes go to the client as they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply<'a> {
    pub id: Option<Cow<'a, str>>,
    /// The model that answered, dated where the provider says so.
    pub model: Option<Cow<'a, str>>,
    /// The tier that served; bill by this one.
    pub service_tier: Option<ServiceTier>,
    pub usage: Reading,
    /// There is an `error` that isn't `null`; with a status of 200 this is a failure all the same.
    pub error: bool,
}

/// More sound than one call can have, in seconds: thirty days.
const MAX_SECONDS: u64 = 30 * 24 * 3600;

/// Why a reply can't be read: offset in bytes, and what was expected there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed {
    pub at: usize,
    pub expected: &'static str,
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "read the reply: at byte {} expected {}", self.at, self.expected)
    }
}

impl std::error::Error for Malformed {}

impl From<Fault> for Malformed {
    fn from(fault: Fault) -> Self {
        Self { at: fault.at, expected: fault.what }
    }
}

/// Reads a plain reply of `operation`. Fields of a wrong type count as absent, usage that can't be true as
/// [`Reading::Hostile`]; of duplicates the last one holds.
///
/// # Errors
/// [`Malformed`] if the body is not one whole JSON object.
pub fn read(operation: Operation, body: &[u8]) -> Result<Reply<'_>, Malformed> {
    if operation == Operation::Messages {
        return crate::anthropic::meter::read(body);
    }
    let mut scanner = Scanner::new(body, 0);
    let reply = read_object(operation, body, &mut scanner)?;
    scanner.end()?;
    Ok(reply)
}

/// A string member of a reply, by its name; of duplicates the last one.
#[must_use]
pub fn string_of(body: &[u8], name: &str) -> Option<String> {
    let mut scanner = Scanner::new(body, 0);
    scanner.enter_object().ok()?;
    let (mut first, mut found) = (true, None);
    while let Some(key) = scanner.next_key(first).ok()? {
        first = false;
        match &body[key.start..key.end] {
            own if own == name.as_bytes() => found = text(body, &mut scanner).ok()?,
            _ => scanner.skip_loose().ok()?,
        }
    }
    scanner.end().ok()?;
    found.map(Cow::into_owned)
}

/// Reads the object at which the scanner stands: a whole body, or the `response` within a terminal event.
pub(crate) fn read_object<'a>(
    operation: Operation,
    bytes: &'a [u8],
    scanner: &mut Scanner<'a>,
) -> Result<Reply<'a>, Fault> {
    let mut reply = Reply::default();
    let mut images = 0;
    scanner.enter_object()?;
    let mut first = true;
    while let Some(key) = scanner.next_key(first)? {
        first = false;
        match &bytes[key.start..key.end] {
            b"id" => reply.id = text(bytes, scanner)?,
            b"model" => reply.model = text(bytes, scanner)?,
            b"service_tier" => {
                reply.service_tier = text(bytes, scanner)?.map(|name| ServiceTier::from_name(&name));
            }
            b"usage" => reply.usage = read_usage(bytes, scanner)?,
            b"error" => {
                reply.error = scanner.look() != Some(b'n');
                scanner.skip_loose()?;
            }
            b"data" if operation.is_of_images() => images = count_items(scanner)?,
            _ => scanner.skip_loose()?,
        }
    }
    if operation.is_of_images() {
        reply.usage = with_images(reply.usage, images);
    }
    Ok(reply)
}

/// Older image models report no tokens: the pieces are the usage then.
fn with_images(reading: Reading, images: u64) -> Reading {
    match reading {
        Reading::Absent if images > 0 => Reading::Sound(Usage { images, requests: 1, ..Usage::default() }),
        Reading::Sound(usage) => Reading::Sound(Usage { images, ..usage }),
        other => other,
    }
}

/// Reads the value of a `usage` member, under the names of either family (`prompt_tokens`, `input_tokens`).
pub(crate) fn read_usage(bytes: &[u8], scanner: &mut Scanner<'_>) -> Result<Reading, Fault> {
    read_usage_within(bytes, scanner, MAX_COUNT)
}

/// The same where figures up to `most` are believed.
pub(crate) fn read_usage_within(
    bytes: &[u8],
    scanner: &mut Scanner<'_>,
    most: u64,
) -> Result<Reading, Fault> {
    match scanner.look() {
        Some(b'{') => {}
        Some(b'n') => return scanner.skip_loose().map(|()| Reading::Absent),
        _ => return scanner.skip_loose().map(|()| Reading::Hostile(Hostility::NotACount)),
    }
    let mut reported = Reported::default();
    let mut hostile = None;
    let mut seconds = None;
    members(scanner, &mut |scanner, key| {
        let slot = match &bytes[key.start..key.end] {
            b"prompt_tokens" | b"input_tokens" => &mut reported.input,
            b"completion_tokens" | b"output_tokens" => &mut reported.output,
            b"total_tokens" => &mut reported.total,
            // Sound that is billed by its length: seconds, with a fraction.
            b"seconds" => {
                seconds = whole_seconds(bytes, scanner)?;
                return Ok(());
            }
            b"prompt_tokens_details" | b"input_tokens_details" | b"input_token_details"
                if scanner.look() == Some(b'{') =>
            {
                return members(scanner, &mut |scanner, key| {
                    let slot = match &bytes[key.start..key.end] {
                        b"cached_tokens" => &mut reported.cached,
                        b"cache_write_tokens" => &mut reported.cache_write,
                        // Ours, in a translated answer: the part of those written that is kept for an hour.
                        b"cache_write_hour_tokens" => &mut reported.cache_write_hour,
                        b"audio_tokens" => &mut reported.audio_in,
                        _ => return scanner.skip_loose(),
                    };
                    *slot = count(bytes, scanner, most, &mut hostile)?.unwrap_or(0);
                    Ok(())
                });
            }
            b"completion_tokens_details" | b"output_tokens_details" | b"output_token_details"
                if scanner.look() == Some(b'{') =>
            {
                return members(scanner, &mut |scanner, key| {
                    let slot = match &bytes[key.start..key.end] {
                        b"reasoning_tokens" => &mut reported.reasoning,
                        b"audio_tokens" => &mut reported.audio_out,
                        _ => return scanner.skip_loose(),
                    };
                    *slot = count(bytes, scanner, most, &mut hostile)?.unwrap_or(0);
                    Ok(())
                });
            }
            _ => return scanner.skip_loose(),
        };
        *slot = count(bytes, scanner, most, &mut hostile)?;
        Ok(())
    })?;
    Ok(match (hostile, seconds, reported.disjoint()) {
        (Some(hostile), ..) => Reading::Hostile(hostile),
        (None, Some(audio_seconds), Reading::Absent) => {
            Reading::Sound(Usage { audio_seconds, requests: 1, ..Usage::default() })
        }
        (None, _, reading) => reading,
    })
}

/// Calls `visit` with the scanner at each member's value of the object at which it stands.
fn members<'a>(
    scanner: &mut Scanner<'a>,
    visit: &mut dyn FnMut(&mut Scanner<'a>, Str) -> Result<(), Fault>,
) -> Result<(), Fault> {
    scanner.enter_object()?;
    let mut first = true;
    while let Some(key) = scanner.next_key(first)? {
        first = false;
        visit(scanner, key)?;
    }
    Ok(())
}

/// A number of seconds, rounded up; none for anything else, or for more than a month.
fn whole_seconds(bytes: &[u8], scanner: &mut Scanner<'_>) -> Result<Option<u64>, Fault> {
    let start = scanner.at();
    scanner.skip_loose()?;
    let text = std::str::from_utf8(&bytes[start..scanner.at()]).unwrap_or_default();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let Some(seconds) = to_u64(whole.as_bytes()).filter(|seconds| *seconds <= MAX_SECONDS) else {
        return Ok(None);
    };
    Ok(Some(seconds + u64::from(fraction.bytes().any(|digit| matches!(digit, b'1'..=b'9')))))
}

fn count(
    bytes: &[u8],
    scanner: &mut Scanner<'_>,
    most: u64,
    hostile: &mut Option<Hostility>,
) -> Result<Option<u64>, Fault> {
    let lead = scanner.look();
    let start = scanner.at();
    scanner.skip_loose()?;
    let raw = &bytes[start..scanner.at()];
    match (lead, to_u64(raw)) {
        (_, Some(count)) if count <= most => return Ok(Some(count)),
        (Some(b'n'), _) => return Ok(None),
        (Some(b'-'), _) => *hostile = Some(Hostility::Negative),
        (_, Some(_)) => *hostile = Some(Hostility::Absurd),
        _ if !raw.is_empty() && raw.iter().all(u8::is_ascii_digit) => *hostile = Some(Hostility::Absurd),
        _ => *hostile = Some(Hostility::NotACount),
    }
    Ok(None)
}

/// A string value, or `None` for anything else.
pub(crate) fn text<'a>(bytes: &'a [u8], scanner: &mut Scanner<'a>) -> Result<Option<Cow<'a, str>>, Fault> {
    if scanner.look() != Some(b'"') {
        return scanner.skip_loose().map(|()| None);
    }
    Ok(unescape(bytes, scanner.string_loose()?))
}

/// How many elements the array at which the scanner stands has; 0 for anything else.
fn count_items(scanner: &mut Scanner<'_>) -> Result<u64, Fault> {
    if scanner.look() != Some(b'[') {
        return scanner.skip_loose().map(|()| 0);
    }
    scanner.enter_array()?;
    let mut items = 0;
    while scanner.next_item(items == 0)? {
        scanner.skip_loose()?;
        items += 1;
    }
    Ok(items)
}

#[cfg(test)]
mod tests;
