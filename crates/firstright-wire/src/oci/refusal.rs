//! Why did OCI refuse, and how is that said in OpenAI's words?

use std::borrow::Cow;

use serde::Deserialize;

use crate::azure::refusal::Refusal;
use crate::openai::error::error_body;

/// The largest body of a refusal that is read, in bytes; they are short.
const MAX_BODY_BYTES: usize = 64 << 10;

/// The error of every service of OCI's.
#[derive(Default, Deserialize)]
struct ErrorBody<'a> {
    #[serde(borrow, default)]
    code: Cow<'a, str>,
    #[serde(borrow, default)]
    message: Cow<'a, str>,
}

/// What a reply with a status that isn't a success means, and the body that an OpenAI client gets for it.
#[must_use]
pub fn refusal(status: u16, body: &[u8]) -> (Refusal, Vec<u8>) {
    let body = &body[..body.len().min(MAX_BODY_BYTES)];
    let error = serde_json::from_slice::<ErrorBody<'_>>(body).unwrap_or_default();
    let refusal = classify(status, &error);
    let (code, kind) = match refusal {
        Refusal::ContextTooLong => ("context_length_exceeded", "invalid_request_error"),
        Refusal::ContentFilter => ("content_filter", "invalid_request_error"),
        Refusal::Throttled => ("rate_limit_exceeded", "rate_limit_error"),
        Refusal::Auth => (error.code.as_ref(), "authentication_error"),
        Refusal::NotFound | Refusal::BadRequest => (error.code.as_ref(), "invalid_request_error"),
        Refusal::ServerError | Refusal::Overloaded => (error.code.as_ref(), "server_error"),
    };
    let code = if code.is_empty() { "provider_error" } else { code };
    let message = if error.message.is_empty() { "the provider gave no reason" } else { &error.message };
    (refusal, error_body(code, kind, message, None))
}

fn classify(status: u16, error: &ErrorBody<'_>) -> Refusal {
    let message = error.message.to_ascii_lowercase();
    let says = |texts: &[&str]| texts.iter().any(|text| message.contains(text));
    match (status, error.code.as_ref()) {
        (400 | 413 | 422, _) if says(&CONTENT) => Refusal::ContentFilter,
        (413, _) => Refusal::ContextTooLong,
        (400 | 422, _) if says(&CONTEXT) => Refusal::ContextTooLong,
        // OCI doesn't tell what a caller may not see from what isn't there.
        (404, _) => Refusal::NotFound,
        (401 | 403, _) | (_, "NotAuthenticated" | "SignUpRequired") => Refusal::Auth,
        (429, _) | (_, "TooManyRequests" | "LimitExceeded" | "QuotaExceeded") => Refusal::Throttled,
        (408 | 503, _) => Refusal::Overloaded,
        (500.., _) => Refusal::ServerError,
        _ => Refusal::BadRequest,
    }
}

const CONTEXT: [&str; 5] =
    ["context length", "context window", "too many tokens", "prompt is too long", "total number of tokens"];

const CONTENT: [&str; 2] = ["inappropriate content", "content moderation"];

#[cfg(test)]
mod tests;
