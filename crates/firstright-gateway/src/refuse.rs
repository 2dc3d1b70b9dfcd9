//! How is a caller told no? In OpenAI's shape, with a code that stays, and with the truth about trying again.

use std::time::Duration;

use firstright_core::decision::{Denial, Limit, Refusal};
use firstright_wire::anthropic;
use firstright_wire::openai::error::error_body;
use firstright_wire::openai::request::BadRequest;
use http::{HeaderValue, Response, StatusCode, header};

use crate::answer::Answer;
use crate::asked::refused;
use crate::relay::Reply;

impl From<BadRequest> for No {
    fn from(bad: BadRequest) -> No {
        refused(&bad)
    }
}

/// An answer that refuses.
#[derive(Clone, Debug)]
pub(crate) struct No {
    pub status: StatusCode,
    /// The stable code.
    pub code: &'static str,
    /// OpenAI's type of error.
    pub kind: &'static str,
    pub message: String,
    pub param: Option<String>,
    /// When trying again makes sense; none if it never does, or nobody can say when.
    pub retry_after: Option<Duration>,
    /// It makes sense to try again, at a time that nobody can say.
    pub retry: bool,
    /// The record that holds the decision, where there was one.
    pub decision: Option<u64>,
}

impl No {
    pub(crate) fn bad(status: StatusCode, code: &'static str, message: impl Into<String>) -> No {
        No {
            status,
            code,
            kind: "invalid_request_error",
            message: message.into(),
            param: None,
            retry_after: None,
            retry: false,
            decision: None,
        }
    }

    /// Nothing is wrong with the request: the same may be tried at once.
    pub(crate) fn busy(code: &'static str, message: &str) -> No {
        let mut no = No::bad(StatusCode::SERVICE_UNAVAILABLE, code, message);
        no.kind = "api_error";
        no.retry_after = Some(Duration::from_secs(1));
        no
    }

    pub(crate) fn unknown_model(name: &str) -> No {
        let shown: String = name.chars().take(128).collect();
        let message = format!("no agreement names the model `{shown}`");
        let mut no = No::bad(StatusCode::NOT_FOUND, "model_not_found", message);
        no.param = Some("model".to_string());
        no
    }

    pub(crate) fn missing_model() -> No {
        let mut no = No::bad(StatusCode::BAD_REQUEST, "missing_model", "the request names no `model`");
        no.param = Some("model".to_string());
        no
    }

    pub(crate) fn homes_differ() -> No {
        let message = "the request names things that live at different providers: nobody can serve it";
        No::bad(StatusCode::BAD_REQUEST, "homes_differ", message)
    }

    /// An id that was not given out here, under this field of the body if it stands there.
    pub(crate) fn home_unknown(status: StatusCode, field: Option<String>) -> No {
        let message = "the request refers to something that one provider keeps, and which provider is not known: its id \
                       was not given out here, to this tenant";
        let mut no = No::bad(status, "home_unknown", message);
        if let Some(field) = field {
            no.message = format!("`{field}`: {}", no.message);
            no.param = Some(field);
        }
        no
    }

    pub(crate) fn not_selectable(key: &str) -> No {
        let message = format!("`{key}` is not taken: configuration alone says where a call goes");
        No::bad(StatusCode::BAD_REQUEST, "upstream_not_selectable", message)
    }

    pub(crate) fn bad_file(message: String) -> No {
        let mut no = No::bad(StatusCode::BAD_REQUEST, "invalid_form", message);
        no.param = Some("file".to_string());
        no
    }

    /// The core decided nothing of the call, which is a bug.
    pub(crate) fn undecided() -> No {
        let mut no = No::bad(StatusCode::INTERNAL_SERVER_ERROR, "no_decision", "no decision was made");
        no.kind = "api_error";
        no
    }

    /// The provider broke off in an answer that was to be given whole.
    pub(crate) fn cut(error: &str) -> No {
        let message = format!("the provider broke off: {error}");
        let mut no = No::bad(StatusCode::BAD_GATEWAY, "upstream_cut", message);
        no.kind = "api_error";
        no
    }

    /// What the core refuses, said to the caller. `record` is the decision's id, by which the operator can explain it.
    pub(crate) fn of(refusal: &Refusal, model: &str, record: u64) -> No {
        let (status, code, kind, retry_after) = match refusal {
            Refusal::NotPermitted => (StatusCode::FORBIDDEN, "model_not_permitted", "permission_error", None),
            Refusal::NoProvider => (StatusCode::NOT_FOUND, "model_not_found", "invalid_request_error", None),
            Refusal::Contract => (StatusCode::FORBIDDEN, "contract_refusal", "permission_error", None),
            Refusal::Home => (StatusCode::FORBIDDEN, "home_may_not_serve", "permission_error", None),
            Refusal::Compliance => (StatusCode::FORBIDDEN, "compliance_refusal", "permission_error", None),
            Refusal::Capacity { retry_after } => {
                let wait = Duration::from_millis(retry_after.as_millis_up());
                (StatusCode::TOO_MANY_REQUESTS, "capacity_exhausted", "rate_limit_error", Some(wait))
            }
            // Every provider that may serve it was tried: a client that tries again at once only adds to the surge.
            // That there is no second attempt is said to nobody who calls: the first goes on.
            Refusal::Failed | Refusal::Unhedged => {
                (StatusCode::BAD_GATEWAY, "providers_failed", "api_error", None)
            }
            Refusal::Overload => {
                (StatusCode::SERVICE_UNAVAILABLE, "overloaded", "api_error", Some(Duration::from_secs(1)))
            }
            Refusal::Rejected | Refusal::Budget | Refusal::Deadline | Refusal::Declined => {
                (StatusCode::BAD_REQUEST, "rejected", "invalid_request_error", None)
            }
            Refusal::Denied { why: Denial::Unknown | Denial::Closed | Denial::Tenant, .. } => {
                (StatusCode::UNAUTHORIZED, "invalid_api_key", "authentication_error", None)
            }
            Refusal::Denied { why: Denial::Model, .. } => {
                (StatusCode::FORBIDDEN, "model_not_permitted", "permission_error", None)
            }
            Refusal::Denied { why: Denial::Family, .. } => {
                (StatusCode::FORBIDDEN, "operation_not_permitted", "permission_error", None)
            }
            // OpenAI's own type for money that is gone: its clients do not try again.
            Refusal::Spent { .. } => {
                (StatusCode::TOO_MANY_REQUESTS, "budget_exhausted", "insufficient_quota", None)
            }
            Refusal::Unpriced { .. } => (StatusCode::FORBIDDEN, "unpriced", "permission_error", None),
            Refusal::Limited { retry_after, .. } => {
                let wait = retry_after.map(|wait| Duration::from_millis(wait.as_millis_up()));
                (StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded", "rate_limit_error", wait)
            }
        };
        let message = words(refusal, model, record);
        let retry = matches!(refusal, Refusal::Limited { what: Limit::Concurrent, .. });
        No { status, code, kind, message, param: None, retry_after, retry, decision: Some(record) }
    }

    /// Under a hard budget nothing is let in of which nobody can say what it costs.
    pub(crate) fn open_cost() -> No {
        let message = "this key has a hard budget, and nobody can say what this costs before it has ended";
        let mut no = No::bad(StatusCode::FORBIDDEN, "cost_unbounded", message);
        no.kind = "permission_error";
        no
    }

    /// The answer.
    pub(crate) fn answer(self) -> Answer {
        let body = error_body(self.code, self.kind, &self.message, self.param.as_deref());
        self.with(body)
    }

    /// The answer to a client of Anthropic's.
    pub(crate) fn answer_in_anthropics(self) -> Answer {
        let body = anthropic::inbound::error(self.status.as_u16(), self.code, &self.message);
        self.with(body)
    }

    fn with(self, body: Vec<u8>) -> Answer {
        let mut response = Response::new(Reply::whole(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let retry = if self.retry || self.retry_after.is_some() { "true" } else { "false" };
        headers.insert("x-should-retry", HeaderValue::from_static(retry));
        if let Some(decision) = self.decision {
            headers.insert("x-firstright-decision", HeaderValue::from(decision));
        }
        if let Some(wait) = self.retry_after {
            headers.insert(
                "retry-after-ms",
                HeaderValue::from(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
            );
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_millis().div_ceil(1_000) as u64));
        }
        response
    }
}

/// A refusal in a sentence.
fn words(refusal: &Refusal, model: &str, record: u64) -> String {
    match refusal {
        Refusal::NotPermitted => format!("this key's tenant may not use the model `{model}`"),
        Refusal::NoProvider => format!("no provider serves the model `{model}`"),
        Refusal::Contract => {
            format!("the agreements let no provider serve `{model}` for this tenant (decision {record})")
        }
        Refusal::Home => format!(
            "what the request continues lives at a provider that may not serve `{model}` for this tenant \
                 (decision {record})"
        ),
        Refusal::Compliance => {
            format!("no compliant provider may serve `{model}` for this tenant (decision {record})")
        }
        Refusal::Capacity { .. } => {
            format!("the providers that may serve `{model}` have no room now (decision {record})")
        }
        Refusal::Failed | Refusal::Unhedged => {
            format!("every provider that may serve `{model}` failed (decision {record})")
        }
        Refusal::Overload => "too many calls are open".to_string(),
        Refusal::Rejected | Refusal::Budget | Refusal::Deadline | Refusal::Declined => {
            format!("refused (decision {record})")
        }
        Refusal::Denied { .. }
        | Refusal::Spent { .. }
        | Refusal::Unpriced { .. }
        | Refusal::Limited { .. } => {
            format!("{} (decision {record})", firstright_core::show::refusal(refusal))
        }
    }
}
