//! Why did a provider refuse, and may somebody else be asked?

use crate::azure::limits::Limits;
use crate::json::{Scanner, unescape};

/// How much of a refusal's body is looked at, in bytes; the code stands near the front.
pub const MAX_BODY_PREFIX_BYTES: usize = 8 << 10;

/// What a refusal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// A quota or a bucket is used up; evidence that this holder has no capacity now.
    Throttled,
    /// The content broke a policy.
    ContentFilter,
    /// The prompt is larger than this deployment takes.
    ContextTooLong,
    /// Our credential is not accepted.
    Auth,
    /// The deployment or model isn't there.
    NotFound,
    /// The request itself is wrong.
    BadRequest,
    ServerError,
    /// The service as a whole is short of capacity.
    Overloaded,
}

impl Refusal {
    /// Whether another provider may be tried. Never after a content filter: that would launder a policy; nor with a
    /// request that is wrong anywhere.
    #[must_use]
    pub fn may_go_elsewhere(self) -> bool {
        match self {
            Self::ContentFilter | Self::BadRequest => false,
            Self::Throttled
            | Self::ContextTooLong
            | Self::Auth
            | Self::NotFound
            | Self::ServerError
            | Self::Overloaded => true,
        }
    }
}

/// Classifies a reply with a status that isn't a success. `body_prefix` may be cut anywhere.
#[must_use]
pub fn classify(status: u16, limits: &Limits, body_prefix: &[u8]) -> Refusal {
    let body = &body_prefix[..body_prefix.len().min(MAX_BODY_PREFIX_BYTES)];
    let said =
        |names: &[&str]| codes(body).any(|code| names.iter().any(|name| code.eq_ignore_ascii_case(name)));
    // A policy's word counts whatever the status, so that no proxy's rewriting of the status launders it.
    if (400..500).contains(&status) && said(&CONTENT_CODES) {
        return Refusal::ContentFilter;
    }
    match status {
        401 | 403 => Refusal::Auth,
        404 => Refusal::NotFound,
        400 | 413 | 422 if said(&CONTEXT_CODES) => Refusal::ContextTooLong,
        400 if said(&["DeploymentNotFound", "model_not_found"]) => Refusal::NotFound,
        429 => Refusal::Throttled,
        408 | 503 | 529 => Refusal::Overloaded,
        // A gateway in front of the service says 4xx with a wait when it sheds load.
        409 | 425 if limits.retry_after_ms.is_some() => Refusal::Throttled,
        500.. => Refusal::ServerError,
        _ => Refusal::BadRequest,
    }
}

/// Whether a refusal is about `stream_options`: ask once more without them.
#[must_use]
pub fn rejects_stream_options(status: u16, body_prefix: &[u8]) -> bool {
    let body = &body_prefix[..body_prefix.len().min(MAX_BODY_PREFIX_BYTES)];
    matches!(status, 400 | 422)
        && ["stream_options", "include_usage"]
            .iter()
            .any(|name| memchr::memmem::find(body, name.as_bytes()).is_some())
}

const CONTENT_CODES: [&str; 5] = [
    "content_filter",
    "ResponsibleAIPolicyViolation",
    "content_policy_violation",
    "moderation_blocked",
    "invalid_prompt",
];

const CONTEXT_CODES: [&str; 2] = ["context_length_exceeded", "string_above_max_length"];

/// The values of every `code` in a body, at any depth.
fn codes(body: &[u8]) -> impl Iterator<Item = String> {
    memchr::memmem::find_iter(body, b"\"code\"").filter_map(|found| {
        let mut scanner = Scanner::new(body, found + b"\"code\"".len());
        if !scanner.colon() || scanner.look() != Some(b'"') {
            return None;
        }
        unescape(body, scanner.string_loose().ok()?).map(Into::into)
    })
}

#[cfg(test)]
mod tests;
