//! Which headers may pass?
//!
//! Allow-lists, since a header nobody has thought of is the one that leaks a key or steers a provider. Left out on
//! purpose: credentials and `cookie`; `host`; `openai-organization`, `openai-project` and `x-ms-spillover-deployment`,
//! by which a caller would choose whose quota is used; `accept-encoding`, which is the gateway's own; `idempotency-key`, which the gateway keeps to its caller, while a
//! provider knows only whose account it is; and of a
//! reply the provider's limits and waits, which are the operator's and not the tenant's.

/// What goes from a client to a provider, in lower case and sorted.
pub const REQUEST: [&str; 6] =
    ["accept", "content-type", "openai-beta", "traceparent", "tracestate", "x-client-request-id"];

/// What goes from a provider to a client, in lower case and sorted.
pub const RESPONSE: [&str; 8] = [
    "apim-request-id",
    "cache-control",
    "content-encoding",
    "content-type",
    "openai-model",
    "openai-processing-ms",
    "openai-version",
    "x-request-id",
];

/// Whether a client's header goes upstream; `name` in any case.
#[must_use]
pub fn forwards_request(name: &str) -> bool {
    REQUEST.iter().any(|allowed| allowed.eq_ignore_ascii_case(name))
}

/// Whether a provider's header goes to the client; `name` in any case.
#[must_use]
pub fn forwards_response(name: &str) -> bool {
    RESPONSE.iter().any(|allowed| allowed.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests;
