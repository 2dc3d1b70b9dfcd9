//! How does a refusal read? Statuses, codes and messages, as each dialect words them.

use firstright_sim::cloud::{Dialect, Quota, Reason, Refusal};

use super::answer::SAFE;

/// Why a call never got as far as capacity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reject {
    Key,
    Path,
    Method,
    Model(String),
    Body(String),
    TooLarge,
    TooSlow,
    ContentFilter,
}

impl Reject {
    pub(super) fn status(&self, dialect: Dialect) -> u16 {
        match self {
            Reject::Key if dialect == Dialect::Bedrock => 403,
            Reject::Key => 401,
            Reject::Path | Reject::Model(_) => 404,
            Reject::Method => 405,
            Reject::Body(_) | Reject::ContentFilter => 400,
            Reject::TooLarge => 413,
            Reject::TooSlow => 408,
        }
    }

    pub(super) fn json(&self, dialect: Dialect) -> String {
        let azure = dialect == Dialect::Azure;
        if let Some(told) = foreign(dialect, self.status(dialect), &self.message()) {
            return told;
        }
        match self {
            Reject::Key if azure => short(
                "401",
                "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource.",
            ),
            Reject::Key => {
                long("Incorrect API key provided.", "invalid_request_error", None, Some("invalid_api_key"))
            }
            Reject::Path if azure => short("404", "Resource not found"),
            Reject::Path => long("Invalid URL", "invalid_request_error", None, None),
            Reject::Method => {
                long("Not allowed on this path.", "invalid_request_error", None, Some("method_not_supported"))
            }
            Reject::Model(_) if azure => short(
                "DeploymentNotFound",
                "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, please wait a moment and try again.",
            ),
            Reject::Model(name) => {
                let message = format!("The model `{name}` does not exist or you do not have access to it.");
                long(&message, "invalid_request_error", None, Some("model_not_found"))
            }
            Reject::Body(message) => long(message, "invalid_request_error", None, None),
            Reject::TooLarge => {
                long("The body is too large.", "invalid_request_error", None, Some("request_too_large"))
            }
            Reject::TooSlow => {
                long("The body took too long.", "invalid_request_error", None, Some("request_timeout"))
            }
            Reject::ContentFilter => content_filter(),
        }
    }
}

impl Reject {
    /// In the plain words of those dialects that have no code for each.
    fn message(&self) -> String {
        match self {
            Reject::Key => "API key not valid. Please pass a valid API key.".to_owned(),
            Reject::Path => "Not found.".to_owned(),
            Reject::Method => "Not allowed on this path.".to_owned(),
            Reject::Model(name) => format!("Could not resolve the model `{name}`."),
            Reject::Body(message) => message.clone(),
            Reject::TooLarge => "Request exceeds the maximum size".to_owned(),
            Reject::TooSlow => "The body took too long.".to_owned(),
            Reject::ContentFilter => "Output blocked by content filtering policy".to_owned(),
        }
    }
}

/// An error as Anthropic, Amazon, Google and Oracle tell it; none for the dialects that have a code for each.
fn foreign(dialect: Dialect, status: u16, message: &str) -> Option<String> {
    let kinds = match status {
        400 => ("invalid_request_error", "INVALID_ARGUMENT"),
        401 => ("authentication_error", "UNAUTHENTICATED"),
        403 => ("permission_error", "PERMISSION_DENIED"),
        404 => ("not_found_error", "NOT_FOUND"),
        413 => ("request_too_large", "INVALID_ARGUMENT"),
        429 => ("rate_limit_error", "RESOURCE_EXHAUSTED"),
        503 | 529 => ("overloaded_error", "UNAVAILABLE"),
        500.. => ("api_error", "INTERNAL"),
        _ => ("invalid_request_error", "FAILED_PRECONDITION"),
    };
    let told = match dialect {
        Dialect::Azure | Dialect::Openai => return None,
        Dialect::Anthropic => {
            serde_json::json!({ "type": "error", "error": { "type": kinds.0, "message": message } })
        }
        Dialect::Bedrock => serde_json::json!({ "message": message }),
        Dialect::Oci => serde_json::json!({ "code": oci_code(status), "message": message }),
        Dialect::Gemini => {
            serde_json::json!({ "error": { "code": status, "message": message, "status": kinds.1 } })
        }
    };
    Some(told.to_string())
}

fn oci_code(status: u16) -> &'static str {
    match status {
        401 | 403 => "NotAuthenticated",
        404 => "NotAuthorizedOrNotFound",
        405 => "MethodNotAllowed",
        429 => "TooManyRequests",
        503 => "ServiceUnavailable",
        500.. => "InternalServerError",
        _ => "InvalidParameter",
    }
}

/// Why capacity or a fault refused, in the words of Anthropic, Amazon, Google and Oracle.
fn foreign_words(dialect: Dialect, reason: Reason) -> String {
    match (reason, dialect) {
        (Reason::ContextTooLong { context_tokens, asked }, Dialect::Gemini) => {
            format!(
                "The input token count ({asked}) exceeds the maximum number of tokens allowed ({context_tokens})."
            )
        }
        (Reason::ContextTooLong { context_tokens, asked }, Dialect::Oci) => {
            format!("This model's maximum context length is {context_tokens} tokens, not {asked}.")
        }
        (Reason::ContextTooLong { context_tokens, asked }, _) => {
            format!("prompt is too long: {asked} tokens > {context_tokens} maximum")
        }
        (Reason::Utilization, Dialect::Gemini) => {
            "Too many requests. Exceeded the Provisioned Throughput.".to_owned()
        }
        (_, Dialect::Gemini) if reason.status() == 429 => {
            "Resource exhausted. Please try again later.".to_owned()
        }
        _ if reason.status() == 429 => "Too many tokens, please wait before trying again.".to_owned(),
        _ if reason.status() == 503 => "The model is overloaded. Please try again later.".to_owned(),
        _ => "Internal error encountered.".to_owned(),
    }
}

/// The body of a refusal for want of capacity or by a fault.
pub(super) fn refused_json(dialect: Dialect, refusal: &Refusal, wait_s: u64) -> String {
    let azure = dialect == Dialect::Azure;
    let reason = refusal.reason;
    if let Some(told) = foreign(dialect, reason.status(), &foreign_words(dialect, reason)) {
        return told;
    }
    match refusal.reason {
        Reason::Utilization => {
            let message = format!(
                "The provisioned deployment is over 100 % utilization. Please retry after {wait_s} seconds."
            );
            short("429", &message)
        }
        Reason::Quota(quota) if azure => {
            let what = match quota {
                Quota::Tokens => "token",
                Quota::Requests => "call",
            };
            let message = format!(
                "Requests to this operation have exceeded the {what} rate limit of your current pricing tier. Please retry after {wait_s} seconds."
            );
            short("429", &message)
        }
        Reason::Quota(quota) => {
            let what = match quota {
                Quota::Tokens => "tokens",
                Quota::Requests => "requests",
            };
            let message = format!("Rate limit reached on {what} per min. Please try again in {wait_s}s.");
            long(&message, what, None, Some("rate_limit_exceeded"))
        }
        Reason::Storm if azure => short("429", "System is experiencing high demand. Please retry later."),
        Reason::Slots { status: 429 } | Reason::Storm => {
            long("Too many requests at a time.", "requests", None, Some("rate_limit_exceeded"))
        }
        Reason::Slots { .. } => {
            long("The model is at capacity.", "service_unavailable_error", None, Some("overloaded"))
        }
        Reason::BrownOut { status: 503 } => {
            long("The service is temporarily unavailable.", "server_error", None, Some("service_unavailable"))
        }
        Reason::BrownOut { .. } => {
            long("The server had an error.", "server_error", None, Some("internal_error"))
        }
        Reason::ContextTooLong { context_tokens, asked } => {
            let message = format!(
                "This model's maximum context length is {context_tokens} tokens. However, you requested {asked} tokens."
            );
            long(&message, "invalid_request_error", Some("messages"), Some("context_length_exceeded"))
        }
    }
}

fn content_filter() -> String {
    let results =
        SAFE.replacen(r#""filtered":false,"severity":"safe""#, r#""filtered":true,"severity":"high""#, 1);
    format!(
        r#"{{"error":{{"message":"The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please modify your prompt and retry.","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{{"code":"ResponsibleAIPolicyViolation","content_filter_result":{results}}}}}}}"#
    )
}

fn short(code: &str, message: &str) -> String {
    serde_json::json!({ "error": { "code": code, "message": message } }).to_string()
}

fn long(message: &str, kind: &str, param: Option<&str>, code: Option<&str>) -> String {
    serde_json::json!({ "error": { "message": message, "type": kind, "param": param, "code": code } })
        .to_string()
}
