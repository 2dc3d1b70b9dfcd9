//! Why did Google refuse, and how is that told in OpenAI's language?

use std::borrow::Cow;

use serde::Deserialize;

use crate::azure::refusal::Refusal;
use crate::bedrock::refusal::MAX_BODY_BYTES;
use crate::openai::error::error_body;

pub(super) use crate::bedrock::refusal::error_words as words;

/// `google.rpc.Status`, as far as it is acted on.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Status<'a> {
    #[serde(default)]
    pub code: u32,
    #[serde(borrow, default)]
    pub message: Cow<'a, str>,
    /// The canonical name of the code: `RESOURCE_EXHAUSTED`.
    #[serde(borrow, default)]
    status: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
struct Told<'a> {
    #[serde(borrow)]
    error: Status<'a>,
}

/// Classifies a reply with a status that isn't a success, and tells it in OpenAI's shape.
///
/// A 429 comes without `retry-after`, both from shared capacity ("Resource exhausted") and from bought capacity when the
/// call was bound to it ("Exceeded the Provisioned Throughput").
#[must_use]
pub fn refusal(status: u16, body: &[u8]) -> (Refusal, Vec<u8>) {
    let body = &body[..body.len().min(MAX_BODY_BYTES)];
    // A stream's refusal comes as an array of one.
    let told = serde_json::from_slice::<[Told<'_>; 1]>(body)
        .map(|[told]| told)
        .or_else(|_| serde_json::from_slice::<Told<'_>>(body))
        .map(|told| told.error)
        .unwrap_or_default();
    let refusal = told.refusal(status);
    let (code, kind) = words(refusal);
    let message = if told.message.is_empty() { "the provider gave no reason" } else { &told.message };
    (refusal, error_body(code, kind, message, None))
}

impl<'a> Status<'a> {
    /// Reads the value of an `error` member.
    pub(super) fn read(error: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(error).ok()
    }

    pub(super) fn refusal(&self, status: u16) -> Refusal {
        let says = |phrase: &str| self.message.contains(phrase);
        match (self.status.as_ref(), status) {
            // "The input token count (…) exceeds the maximum number of tokens allowed (…)."
            ("INVALID_ARGUMENT" | "", 400) if says("maximum number of tokens") => Refusal::ContextTooLong,
            // The Gemini API says a wrong key with a 400.
            ("INVALID_ARGUMENT" | "", 400) if says("API key") => Refusal::Auth,
            ("RESOURCE_EXHAUSTED", _) | (_, 429) => Refusal::Throttled,
            ("UNAUTHENTICATED" | "PERMISSION_DENIED", _) | (_, 401 | 403) => Refusal::Auth,
            ("NOT_FOUND", _) | (_, 404) => Refusal::NotFound,
            ("UNAVAILABLE", _) | (_, 408 | 503) => Refusal::Overloaded,
            ("INTERNAL" | "UNKNOWN" | "DEADLINE_EXCEEDED" | "ABORTED" | "DATA_LOSS", _) | (_, 500..) => {
                Refusal::ServerError
            }
            (_, 413) => Refusal::ContextTooLong,
            _ => Refusal::BadRequest,
        }
    }
}

#[cfg(test)]
mod tests;
