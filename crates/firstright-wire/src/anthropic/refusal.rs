//! Why did a provider of this dialect refuse, and how is that said in OpenAI's words?

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

use crate::azure::refusal::Refusal;
use crate::openai::error::error_body;

/// The largest body of a refusal that is read, in bytes; they are short.
const MAX_BODY_BYTES: usize = 64 << 10;

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    error: ErrorBody<'a>,
}

/// An `error` object.
#[derive(Default, Deserialize)]
pub(super) struct ErrorBody<'a> {
    #[serde(borrow, default, rename = "type")]
    pub kind: Cow<'a, str>,
    #[serde(borrow, default)]
    pub message: Cow<'a, str>,
    #[serde(default)]
    details: Value,
}

/// What a reply with a status that isn't a success means, and the body that an OpenAI client gets for it.
///
/// A spending limit that is used up ([`Refusal::Auth`]) comes as a 429, 402 or 400, but no waiting helps: this account
/// isn't served, another provider may be.
#[must_use]
pub fn refusal(status: u16, body: &[u8]) -> (Refusal, Vec<u8>) {
    let body = &body[..body.len().min(MAX_BODY_BYTES)];
    let error =
        serde_json::from_slice::<Envelope<'_>>(body).map(|envelope| envelope.error).unwrap_or_default();
    let refusal = classify(status, &error);
    let code = match refusal {
        Refusal::ContextTooLong => "context_length_exceeded",
        Refusal::Throttled => "rate_limit_exceeded",
        Refusal::ContentFilter => "content_filter",
        _ if error.kind.is_empty() => "provider_error",
        _ => &error.kind,
    };
    let message = if error.message.is_empty() { "the provider gave no reason" } else { &error.message };
    let body = error_body(code, kind_of(&error.kind), message, None);
    (refusal, body)
}

fn classify(status: u16, error: &ErrorBody<'_>) -> Refusal {
    let says = |text: &str| error.message.to_ascii_lowercase().contains(text);
    let code = error.details["error_code"].as_str().unwrap_or_default();
    if code == "enforced_spend_limit_reached"
        || error.kind == "billing_error"
        || ["enforced_spend_limit_reached", "spend limit", "api usage limits", "credit balance is too low"]
            .into_iter()
            .any(says)
    {
        return Refusal::Auth;
    }
    match (status, error.kind.as_ref()) {
        (413, _) | (_, "request_too_large") => Refusal::ContextTooLong,
        (400, _) if says("prompt is too long") || says("exceed context limit") => Refusal::ContextTooLong,
        (400, _) if says("content filtering policy") => Refusal::ContentFilter,
        (401..=403, _) | (_, "authentication_error" | "permission_error") => Refusal::Auth,
        (404, _) | (_, "not_found_error") => Refusal::NotFound,
        (429, _) | (_, "rate_limit_error") => Refusal::Throttled,
        (408 | 503 | 529, _) | (_, "overloaded_error") => Refusal::Overloaded,
        (500.., _) | (_, "api_error" | "timeout_error") => Refusal::ServerError,
        _ => Refusal::BadRequest,
    }
}

/// The kind of an error, in OpenAI's words.
pub(super) fn kind_of(kind: &str) -> &'static str {
    match kind {
        "invalid_request_error" | "request_too_large" | "not_found_error" => "invalid_request_error",
        "authentication_error" => "authentication_error",
        "permission_error" | "billing_error" => "permission_error",
        "rate_limit_error" => "rate_limit_error",
        _ => "server_error",
    }
}

#[cfg(test)]
mod tests;
