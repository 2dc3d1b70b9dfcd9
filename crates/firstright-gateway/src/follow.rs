//! What did an answer use that is not there yet? A response in the background and a batch are answered at once and done
//! later, whether or not anybody asks for them again. So they are followed where they live until they have ended, and only
//! then is the call settled, by the usage that they tell.
//!
//! Until then the call stays open, and with it what it reserved. A process that stops settles it by count, and one that
//! crashed as an estimate, like every open call.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use firstright_core::fact::Ending;
use firstright_core::usage::{Tier, Usage};
use firstright_wire::openai::response::{self, Reply};
use firstright_wire::operation::{Operation, Verb};
use firstright_wire::usage::Reading;
use serde::Deserialize;

use crate::answer::{tier_of, usage_of};
use crate::endpoint::Endpoint;
use crate::open_call::OpenCall;
use crate::setup::Setup;
use crate::upstream::Client;

/// The first pause; each is half as long again as the one before.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// The longest pause: what takes hours is not asked about more often.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// OpenAI gives a batch a day, and keeps a background response for ten minutes once it is done; by then it has ended.
const LONGEST: Duration = Duration::from_secs(26 * 3_600);
/// So many are followed at once, in one thread; what is more is settled by count.
const MAX_FOLLOWED: usize = 10_000;
/// So many failed looks in a row, and it is given up.
const MAX_FAILED: u32 = 30;
/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 16 << 20;

thread_local! {
    static FOLLOWED: Cell<usize> = const { Cell::new(0) };
}

/// Something that ends later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pending {
    /// `responses/{id}` or `batches/{id}`.
    suffix: String,
    operation: Operation,
}

#[derive(Deserialize)]
struct Stated<'a> {
    #[serde(borrow)]
    id: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow)]
    status: Option<std::borrow::Cow<'a, str>>,
}

impl Pending {
    /// What an answer says that it has only begun, if it does.
    pub(crate) fn of(operation: Operation, suffix: &str, body: &[u8]) -> Option<Pending> {
        let (folder, operation) = match (operation, suffix) {
            (Operation::Responses, _) => ("responses", Operation::Responses),
            (Operation::Store, "batches") => ("batches", Operation::Store),
            _ => return None,
        };
        let stated: Stated<'_> = serde_json::from_slice(body).ok()?;
        if has_ended(stated.status.as_deref()?) {
            return None;
        }
        let id = stated.id?;
        is_plain(&id).then(|| Pending { suffix: format!("{folder}/{id}"), operation })
    }

    /// The response of which a stream told the beginning: its first event names it, `"response":{"id":"resp_…"`.
    /// Source: OpenAI's specification, `ResponseCreatedEvent`.
    pub(crate) fn of_stream(beginning: &[u8]) -> Option<Pending> {
        let text = String::from_utf8_lossy(beginning);
        let mut found = text.match_indices("\"resp_");
        let (at, _) = found.find(|(at, _)| {
            let key = text[..*at].trim_end().strip_suffix(':');
            key.is_some_and(|key| key.trim_end().ends_with("\"id\""))
        })?;
        let (id, _) = text[at + 1..].split_once('"')?;
        let operation = Operation::Responses;
        is_plain(id).then(|| Pending { suffix: format!("responses/{id}"), operation })
    }
}

/// Can it stand in a path as it is?
fn is_plain(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._~:-".contains(&byte))
}

/// Statuses after which nothing changes.
/// Source: OpenAI's specification, `Response.status` and `Batch.status`.
fn has_ended(status: &str) -> bool {
    matches!(status, "completed" | "failed" | "cancelled" | "incomplete" | "expired")
}

/// Follows it in a task of this thread. The call is given back if too many are followed already.
pub(crate) fn follow(
    pending: Pending,
    open: OpenCall,
    endpoint: Endpoint,
    client: Client,
    setup: Arc<Setup>,
) -> Option<OpenCall> {
    if FOLLOWED.get() >= MAX_FOLLOWED {
        return Some(open);
    }
    FOLLOWED.set(FOLLOWED.get() + 1);
    tokio::task::spawn_local(async move {
        let _place = Place;
        let follow = Follow { pending, endpoint, client, setup };
        follow.to_its_end(open).await;
    });
    None
}

/// One of those that are followed.
struct Place;

impl Drop for Place {
    fn drop(&mut self) {
        FOLLOWED.set(FOLLOWED.get().saturating_sub(1));
    }
}

struct Follow {
    pending: Pending,
    endpoint: Endpoint,
    client: Client,
    setup: Arc<Setup>,
}

impl Follow {
    async fn to_its_end(&self, mut open: OpenCall) {
        let (mut pause, mut failed) = (FIRST_PAUSE, 0);
        let until = tokio::time::Instant::now() + LONGEST;
        while failed < MAX_FAILED && tokio::time::Instant::now() < until {
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
            match self.look().await {
                None => failed += 1,
                Some(Look::Going) => failed = 0,
                Some(Look::Gone) => break,
                Some(Look::Ended { usage, tier }) => {
                    open.tier = tier;
                    open.settle(usage, Ending::Complete);
                    return;
                }
            }
        }
        // It cannot be told what it used: by count, and as one that broke off.
        open.settle(None, Ending::Cut);
    }

    /// Asks how it stands; none if there is no good answer.
    async fn look(&self) -> Option<Look> {
        let path = self.endpoint.path(self.pending.operation, &self.pending.suffix, None).ok()?;
        let mut head = self.endpoint.head(Verb::Get, &path).ok()?;
        self.endpoint.authorise(&self.client, &mut head, &[]).await.ok()?;
        let sent = self.client.send(&self.endpoint.target, head, Vec::new(), &self.setup.budgets).await;
        let mut response = sent.ok()?;
        if response.status == http::StatusCode::NOT_FOUND {
            return Some(Look::Gone);
        }
        if !response.status.is_success() {
            return None;
        }
        let body = response.body.read_whole(MAX_ANSWER).await.ok()?;
        Look::read(&body)
    }
}

/// How it stands.
#[derive(Debug, PartialEq, Eq)]
enum Look {
    Going,
    Ended {
        /// None if it is not known.
        usage: Option<Usage>,
        tier: Tier,
    },
    /// It was removed.
    Gone,
}

impl Look {
    fn read(body: &[u8]) -> Option<Look> {
        let stated: Stated<'_> = serde_json::from_slice(body).ok()?;
        let status = stated.status.as_deref()?;
        if !has_ended(status) {
            return Some(Look::Going);
        }
        // A batch tells its usage under the same names as a response.
        let Reply { usage, service_tier, .. } = response::read(Operation::Responses, body).ok()?;
        let is_batch = stated.id.is_some_and(|id| id.starts_with("batch_"));
        let tier = if is_batch { Tier::Batch } else { tier_of(service_tier) };
        // What failed, expired or was cancelled, and says nothing of usage, used nothing.
        let nothing = usage == Reading::Absent && matches!(status, "failed" | "expired" | "cancelled");
        Some(Look::Ended { usage: usage_of(usage).or(nothing.then(Usage::default)), tier })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_begun_is_followed() {
        let of = |operation, suffix, body: &str| {
            Pending::of(operation, suffix, body.as_bytes()).map(|pending| pending.suffix)
        };
        let queued = r#"{"id":"resp_1","status":"queued","usage":null}"#;
        assert_eq!(of(Operation::Responses, "responses", queued).as_deref(), Some("responses/resp_1"));
        let batch = r#"{"id":"batch_1","status":"validating"}"#;
        assert_eq!(of(Operation::Store, "batches", batch).as_deref(), Some("batches/batch_1"));
        for (operation, suffix, body) in [
            (Operation::Responses, "responses", r#"{"id":"resp_1","status":"completed"}"#),
            (Operation::Responses, "responses", r#"{"id":"resp/../1","status":"queued"}"#),
            (Operation::Responses, "responses", r#"{"status":"queued"}"#),
            (Operation::Store, "batches/b", batch),
            (Operation::Store, "uploads", r#"{"id":"upload_1","status":"pending"}"#),
        ] {
            assert_eq!(of(operation, suffix, body), None, "{body}");
        }
    }

    #[test]
    fn a_stream_names_its_response_at_its_beginning() {
        let named = |text: &str| Pending::of_stream(text.as_bytes()).map(|pending| pending.suffix);
        let event = "event: response.created\ndata: {\"type\":\"response.created\",\"response\": {";
        let of = |rest: &str| named(&format!("{event}{rest}"));
        assert_eq!(of(r#""id":"resp_1","status""#).as_deref(), Some("responses/resp_1"));
        assert_eq!(
            of(r#""previous_response_id":"resp_0","id" : "resp_1","#).as_deref(),
            Some("responses/resp_1")
        );
        for other in [r#""id":"resp_1"#, r#""id":"resp_/../1","#, r#""previous_response_id":"resp_0","#, ""] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn the_end_tells_what_was_used() {
        let usage = r#"{"input_tokens":10,"input_tokens_details":{"cached_tokens":4},"output_tokens":5}"#;
        let body = format!(r#"{{"id":"batch_1","status":"completed","usage":{usage}}}"#);
        let used = Usage { input: 6, cached_input: 4, output: 5, requests: 1, ..Usage::default() };
        assert_eq!(Look::read(body.as_bytes()), Some(Look::Ended { usage: Some(used), tier: Tier::Batch }));
        let body = r#"{"id":"resp_1","status":"in_progress"}"#;
        assert_eq!(Look::read(body.as_bytes()), Some(Look::Going));
        let body = r#"{"id":"resp_1","status":"cancelled","usage":null,"service_tier":"flex"}"#;
        let nothing = Some(Usage::default());
        assert_eq!(Look::read(body.as_bytes()), Some(Look::Ended { usage: nothing, tier: Tier::Flex }));
        // What is done and does not say what it used, or what cannot be, is settled by count.
        for usage in ["null", r#"{"input_tokens":-1,"output_tokens":5}"#] {
            let body = format!(r#"{{"id":"resp_1","status":"completed","usage":{usage}}}"#);
            let ended = Look::Ended { usage: None, tier: Tier::Default };
            assert_eq!(Look::read(body.as_bytes()), Some(ended), "{usage}");
        }
        assert_eq!(Look::read(b"[]"), None);
    }
}
