//! How is a client of this dialect served, whatever the provider speaks?
//!
//! [`peek`] reads what the gateway decides by, from the client's own bytes. A provider that speaks this dialect gets
//! those bytes (with another model's name put in by [`crate::openai::request::rewrite`]) and its answer passes through
//! [`super::meter`]. For any other, [`request`] says the call in OpenAI's words, and [`response`] or [`Stream`] say the
//! answer here.
//!
//! # What the mapping decides
//! - Left out as harmless: marks of caches (`cache_control`), thoughts of earlier turns (other models can't read them),
//!   `is_error` of a tool's result (its content says so), `metadata.user_id` beyond OpenAI's 64 bytes, and
//!   `context_management` that only clears thoughts.
//! - `thinking` with a budget becomes an effort: to 2,048 tokens `low`, to 16,384 `medium`, beyond it `high`. An
//!   `output_config.effort` goes before it.
//! - Pictures in a tool's result follow it in a message of the user, since OpenAI's tool messages hold only text.
//! - Refused: a beginning of the answer (OpenAI's models don't continue it), the provider's own tools, files in its store,
//!   `top_k`, and every member that isn't known.
//! - A thought comes back only with a signature, since the client must give it back and an unsigned one is refused later.
//!   Until the first word, thoughts without one show as `ping`.

mod request;
mod response;
mod stream;

pub use request::request;
pub use response::response;
pub use stream::Stream;

use crate::json::escape_into;
use crate::openai::request::{BadRequest, Peek};
use crate::operation::Operation;

/// Reads what a request asks for: model, stream, `max_tokens`, tier, an estimate of the input, and ties to a provider
/// (a `file_id`). The names are those of OpenAI's chat, so that its reader serves.
///
/// # Errors
/// As [`crate::openai::request::peek`].
pub fn peek(body: &[u8]) -> Result<Peek<'_>, BadRequest> {
    crate::openai::request::peek(Operation::Messages, body)
}

/// An estimate of a request's input in tokens, for `count_tokens`: see [`crate::openai::request::peek`].
///
/// # Errors
/// [`BadRequest`] if `body` isn't a request.
pub fn estimate_tokens(body: &[u8]) -> Result<u64, BadRequest> {
    peek(body).map(|peek| peek.estimated_input_tokens)
}

/// The answer to `count_tokens`.
#[must_use]
pub fn count_tokens_body(tokens: u64) -> Vec<u8> {
    format!("{{\"input_tokens\":{tokens}}}").into_bytes()
}

/// The body of an error reply with this status. Clients tell errors apart by the kind, which follows from the status;
/// our code goes beside it, where Anthropic puts its own.
#[must_use]
pub fn error(status: u16, code: &str, message: &str) -> Vec<u8> {
    let kind = match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        408 | 504 => "timeout_error",
        503 | 529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    };
    error_body(kind, code, message)
}

/// The event that ends a broken stream.
#[must_use]
pub fn error_event(code: &str, message: &str) -> Vec<u8> {
    let kind = match code {
        code if code.contains("rate_limit") => "rate_limit_error",
        code if code.contains("overloaded") => "overloaded_error",
        code if code.contains("timeout") => "timeout_error",
        _ => "api_error",
    };
    let mut out = b"event: error\ndata: ".to_vec();
    out.extend_from_slice(&error_body(kind, code, message));
    out.extend_from_slice(b"\n\n");
    out
}

fn error_body(kind: &str, code: &str, message: &str) -> Vec<u8> {
    let mut out = b"{\"type\":\"error\",\"error\":{\"type\":\"".to_vec();
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\",\"message\":\"");
    escape_into(&mut out, message);
    out.extend_from_slice(b"\",\"details\":{\"error_code\":\"");
    escape_into(&mut out, code);
    out.extend_from_slice(b"\"}}}");
    out
}

#[cfg(test)]
mod tests;
