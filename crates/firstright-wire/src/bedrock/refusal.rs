//! Why did Bedrock refuse, and how is that told in OpenAI's language?

use std::borrow::Cow;

use serde::Deserialize;

use crate::azure::refusal::Refusal;
use crate::openai::error::error_body;

/// The largest body of a refusal that is read, in bytes; they are short.
pub(crate) const MAX_BODY_BYTES: usize = 64 << 10;

/// The body of an error. The exception's name stands in the header `x-amzn-errortype`, and by some services in the body.
#[derive(Debug, Default, Deserialize)]
struct Told<'a> {
    #[serde(borrow, default, alias = "Message")]
    message: Cow<'a, str>,
    #[serde(borrow, default, rename = "__type")]
    name: Cow<'a, str>,
}

/// What the messages of a `ValidationException` say of a prompt that is too long: Bedrock's own, and those of the models'
/// makers that it hands on.
const TOO_LONG: [&str; 5] =
    ["too long", "context limit", "context window", "maximum context length", "too many input tokens"];

/// What they say of a model that can't be had here in this way.
const NO_SUCH_MODEL: [&str; 3] =
    ["model identifier is invalid", "on-demand throughput isn", "doesn't support the model"];

/// Classifies a reply with a status that isn't a success, and tells it in OpenAI's shape.
#[must_use]
pub fn refusal(status: u16, body: &[u8]) -> (Refusal, Vec<u8>) {
    let told: Told<'_> = serde_json::from_slice(&body[..body.len().min(MAX_BODY_BYTES)]).unwrap_or_default();
    // A namespace may stand before the name, and a URI behind it.
    let name = told.name.rsplit(['#', '.']).next().unwrap_or_default();
    let name = name.split(':').next().unwrap_or_default();
    let refusal =
        Refusal::of_exception(name, &told.message).unwrap_or_else(|| of_status(status, &told.message));
    let (code, kind) = error_words(refusal);
    let message = if told.message.is_empty() { "the provider gave no reason" } else { &told.message };
    (refusal, error_body(code, kind, message, None))
}

impl Refusal {
    /// By the exception's name, in either case (a stream's begins with a small letter).
    pub(super) fn of_exception(name: &str, message: &str) -> Option<Self> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        Some(if is("ThrottlingException") || is("ServiceQuotaExceededException") {
            Self::Throttled
        } else if is("ModelNotReadyException")
            || is("ServiceUnavailableException")
            || is("ModelTimeoutException")
        {
            Self::Overloaded
        } else if is("ValidationException") {
            of_validation(message)
        } else if is("AccessDeniedException")
            || is("UnrecognizedClientException")
            || is("ExpiredTokenException")
            || is("InvalidSignatureException")
        {
            Self::Auth
        } else if is("ResourceNotFoundException") {
            Self::NotFound
        } else if is("InternalServerException")
            || is("ModelErrorException")
            || is("ModelStreamErrorException")
        {
            Self::ServerError
        } else {
            return None;
        })
    }
}

fn of_status(status: u16, message: &str) -> Refusal {
    match status {
        400 | 413 | 422 => of_validation(message),
        401 | 403 => Refusal::Auth,
        404 => Refusal::NotFound,
        // `ModelTimeoutException`, and what its relatives are told from by their status alone.
        408 | 503 | 529 => Refusal::Overloaded,
        // `ModelErrorException`: the model failed on a request that was in order.
        424 => Refusal::ServerError,
        // `ModelNotReadyException` has the status of a throttle, but no quota is used up.
        429 if says(message, &["not ready"]) => Refusal::Overloaded,
        429 => Refusal::Throttled,
        500.. => Refusal::ServerError,
        _ => Refusal::BadRequest,
    }
}

fn of_validation(message: &str) -> Refusal {
    if says(message, &["content filtering policy"]) {
        Refusal::ContentFilter
    } else if says(message, &TOO_LONG) {
        Refusal::ContextTooLong
    } else if says(message, &NO_SUCH_MODEL) {
        Refusal::NotFound
    } else {
        Refusal::BadRequest
    }
}

fn says(message: &str, phrases: &[&str]) -> bool {
    let message = message.to_ascii_lowercase();
    phrases.iter().any(|phrase| message.contains(phrase))
}

/// A refusal's `code` and `type` in OpenAI's language.
pub(crate) fn error_words(refusal: Refusal) -> (&'static str, &'static str) {
    match refusal {
        Refusal::Throttled => ("rate_limit_exceeded", "rate_limit_error"),
        Refusal::ContentFilter => ("content_filter", "invalid_request_error"),
        Refusal::ContextTooLong => ("context_length_exceeded", "invalid_request_error"),
        Refusal::Auth => ("provider_access_denied", "permission_error"),
        Refusal::NotFound => ("model_not_found", "invalid_request_error"),
        Refusal::BadRequest => ("invalid_value", "invalid_request_error"),
        Refusal::ServerError => ("provider_error", "server_error"),
        Refusal::Overloaded => ("overloaded", "server_error"),
    }
}

#[cfg(test)]
mod tests;
