//! What came of sending a call to one provider?

use firstright_core::fact::{FailureKind, Observation};
use firstright_core::units::Span;
use firstright_core::world::Digest;
use firstright_wire::azure::limits::Limits;
use firstright_wire::azure::refusal::{self, Refusal};
use firstright_wire::openai::request::BadRequest;
use firstright_wire::operation::Operation;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use sha2::{Digest as _, Sha256};

use bytes::Bytes;

use crate::credential::AuthError;
use crate::spoken::{self, Heard};
use crate::upstream::{Response, SendError, SendErrorKind};

/// The longest error body that is read from a provider, in bytes.
const MAX_ERROR_BODY: usize = 64 * 1024;

/// An attempt that did not serve the call.
#[derive(Debug)]
pub(crate) struct Failed {
    pub kind: FailureKind,
    pub status: u16,
    pub retry_after: Option<Span>,
    /// Over the status and headers of the answer.
    pub evidence: Digest,
    /// It was our own doing, and says nothing of the provider: nobody else is asked for it.
    pub ours: bool,
    /// The provider's own answer, for a request that it refused for the request's sake.
    pub answer: Option<Box<(StatusCode, HeaderMap, Bytes)>>,
}

impl Failed {
    /// Was it refused for the wish for usage in the stream?
    pub(crate) fn rejects_stream_options(&self) -> bool {
        self.answer
            .as_ref()
            .is_some_and(|answer| refusal::rejects_stream_options(answer.0.as_u16(), &answer.2))
    }

    /// There was no answer.
    pub(crate) fn unanswered(error: &SendError) -> Failed {
        let kind = match error.kind {
            SendErrorKind::ConnectTimeout | SendErrorKind::HeadTimeout => FailureKind::TimedOut,
            _ => FailureKind::Unreachable,
        };
        let evidence = Digest(Sha256::digest(error.to_string().as_bytes()).into());
        let ours = error.kind == SendErrorKind::Files;
        Failed { kind, status: 0, retry_after: None, evidence, ours, answer: None }
    }

    /// There is no proof to send: the provider was not asked.
    pub(crate) fn unauthorised(error: &AuthError) -> Failed {
        let evidence = Digest(Sha256::digest(error.to_string().as_bytes()).into());
        Failed {
            kind: FailureKind::Unauthorised,
            status: 0,
            retry_after: None,
            evidence,
            ours: false,
            answer: None,
        }
    }

    /// The answer broke off before it was whole, and none of it had gone to the caller.
    pub(crate) fn broken(why: &str) -> Failed {
        let evidence = Digest(Sha256::digest(why.as_bytes()).into());
        Failed {
            kind: FailureKind::Unreachable,
            status: 0,
            retry_after: None,
            evidence,
            ours: false,
            answer: None,
        }
    }

    /// The provider's language cannot say the request: another's may.
    pub(crate) fn unsuitable(bad: &BadRequest) -> Failed {
        let evidence = Digest(Sha256::digest(bad.to_string().as_bytes()).into());
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let answer = Some(Box::new((StatusCode::BAD_REQUEST, headers, spoken::unsayable(bad))));
        Failed { kind: FailureKind::Unsuitable, status: 0, retry_after: None, evidence, ours: false, answer }
    }

    /// The provider answered with an error.
    pub(crate) async fn answered(operation: Operation, heard: &Heard, mut response: Response) -> Failed {
        let body = response.body.read_whole(MAX_ERROR_BODY).await.unwrap_or_default();
        let (status, headers) = (response.status, response.headers);
        let failed = match &heard.language {
            None => Failed::refused(operation, status, headers, body),
            Some(language) => {
                let (refusal, body) = language.refusal(status.as_u16(), &body);
                Failed::refused_as(refusal, operation, status, headers, body.into())
            }
        };
        heard.refusal(failed)
    }

    /// The provider refused, in these words.
    pub(crate) fn refused(
        operation: Operation,
        refused: StatusCode,
        headers: HeaderMap,
        body: Bytes,
    ) -> Failed {
        let refusal = refusal::classify(refused.as_u16(), &limits_of(&headers), &body);
        Failed::refused_as(refusal, operation, refused, headers, body)
    }

    fn refused_as(
        refusal: Refusal,
        operation: Operation,
        refused: StatusCode,
        headers: HeaderMap,
        body: Bytes,
    ) -> Failed {
        let limits = limits_of(&headers);
        let evidence = evidence_of(refused, &headers);
        let status = refused.as_u16();
        let kind = match refusal {
            Refusal::Throttled => FailureKind::Throttled,
            Refusal::Overloaded | Refusal::ServerError => FailureKind::ServerError,
            // What is asked for is not there, or no longer.
            Refusal::NotFound if operation == Operation::Store => FailureKind::Rejected,
            // A deployment that is not there: theirs or ours, and another may do.
            Refusal::NotFound => FailureKind::ServerError,
            Refusal::Auth => FailureKind::Unauthorised,
            // A prompt that is too long here may not be elsewhere. It says nothing of health, or five of them from one
            // caller would open the breaker for everybody.
            Refusal::ContextTooLong => FailureKind::Unsuitable,
            Refusal::ContentFilter | Refusal::BadRequest => FailureKind::Rejected,
        };
        let retry_after = limits.retry_after_ms.map(Span::from_millis);
        let theirs = matches!(kind, FailureKind::Rejected | FailureKind::Unsuitable);
        let answer = theirs.then(|| Box::new((refused, headers, body)));
        Failed { kind, status, retry_after, evidence, ours: false, answer }
    }
}

/// What an answer's headers say of limits.
pub(crate) fn limits_of(headers: &HeaderMap) -> Limits {
    Limits::from_headers(headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())))
}

/// What they say of capacity; none if they say nothing.
pub(crate) fn observation_of(limits: &Limits) -> Option<Observation> {
    let seen = Observation {
        limit_tokens: limits.limit_tokens,
        remaining_tokens: limits.remaining_tokens,
        limit_requests: limits.limit_requests,
        remaining_requests: limits.remaining_requests,
        utilisation: limits.utilization_ppm,
        spilled: limits.spilled,
    };
    (seen != Observation::default()).then_some(seen)
}

/// The digest of a refusal: what the counterparty can compare with its own log.
fn evidence_of(status: StatusCode, headers: &HeaderMap) -> Digest {
    let mut hash = Sha256::new();
    hash.update(status.as_u16().to_be_bytes());
    for (name, value) in headers {
        hash.update(name.as_str().as_bytes());
        hash.update(b": ");
        hash.update(value.as_bytes());
        hash.update(b"\n");
    }
    Digest(hash.finalize().into())
}
