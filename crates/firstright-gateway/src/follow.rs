//! What did an answer use that is not there yet? A response in the background, a batch and a fine-tuning job are answered at
//! once and done later, whether or not anybody asks for them again. So they are followed where they live until they have
//! ended, and only then is the call settled, by the usage that they tell.
//!
//! A batch was decided as a call to what keeps it, and tells at its end which model it ran: that goes to the core with its
//! usage, which books it at what that model costs there. Where it does not tell, its files do: the model stands in the lines
//! of its input, the usage in those of its output. What nobody tells is unpriced.
//!
//! Until then the call stays open, and with it what it reserved. A process that stops settles it by count, and one that
//! crashed as an estimate, like every open call.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use firstright_core::fact::Ending;
use firstright_core::usage::{Tier, Usage};
use firstright_core::world::DeploymentId;
use firstright_wire::openai::batch::{Standing, Sum};
use firstright_wire::openai::lines::{Line, Splitter};
use firstright_wire::openai::request::BadRequest;
use firstright_wire::openai::response::{self, Reply};
use firstright_wire::operation::Operation;
use firstright_wire::usage::Reading;

use crate::answer::{tier_of, usage_of};
use crate::endpoint::Endpoint;
use crate::open_call::OpenCall;
use crate::setup::Setup;
use crate::upstream::{self, Client};

/// The first pause; each is half as long again as the one before.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// The longest pause: what takes hours is not asked about more often.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// OpenAI gives a batch a day, and keeps a background response for ten minutes once it is done; by then it has ended.
const LONGEST: Duration = Duration::from_secs(26 * 3_600);
/// A fine-tuning job waits for its turn, and then trains for as long as its data is long.
const LONGEST_JOB: Duration = Duration::from_secs(7 * 24 * 3_600);
/// So many are followed at once, in one thread; what is more is settled by count.
const MAX_FOLLOWED: usize = 10_000;
/// So many failed looks in a row, and it is given up.
const MAX_FAILED: u32 = 30;
/// So often a file is asked for that does not come, or not whole: what it tells is told nowhere else.
const MAX_ASKED: u32 = 4;
/// The longest answer that is read, in bytes, and the longest line of a batch's files.
const MAX_ANSWER: usize = 16 << 20;

thread_local! {
    static FOLLOWED: Cell<usize> = const { Cell::new(0) };
}

/// Something that ends later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pending {
    /// `responses/{id}`, `batches/{id}` or `fine_tuning/jobs/{id}`.
    suffix: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Response,
    Batch,
    Job,
}

impl Pending {
    /// What an answer says that it has only begun, if it does.
    pub(crate) fn of(operation: Operation, suffix: &str, body: &[u8]) -> Option<Pending> {
        let (folder, kind) = match (operation, suffix) {
            (Operation::Responses, _) => ("responses", Kind::Response),
            (Operation::Store, "batches") => ("batches", Kind::Batch),
            (Operation::FineTuning, _) => ("fine_tuning/jobs", Kind::Job),
            _ => return None,
        };
        let stated = Standing::read(body).ok()?;
        if has_ended(stated.status.as_deref()?) {
            return None;
        }
        let id = stated.id?;
        is_plain(&id).then(|| Pending { suffix: format!("{folder}/{id}"), kind })
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
        is_plain(id).then(|| Pending { suffix: format!("responses/{id}"), kind: Kind::Response })
    }
}

/// Can it stand in a path as it is?
fn is_plain(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._~:-".contains(&byte))
}

/// Statuses after which nothing changes.
/// Source: OpenAI's specification, `Response.status`, `Batch.status` and `FineTuningJob.status`.
fn has_ended(status: &str) -> bool {
    matches!(status, "completed" | "succeeded" | "failed" | "cancelled" | "incomplete" | "expired")
}

/// Follows it in a task of this thread. The call is given back if too many are followed already.
pub(crate) fn follow(
    pending: Pending,
    open: OpenCall,
    (deployment, endpoint): (DeploymentId, Endpoint),
    client: Client,
    setups: Arc<ArcSwap<Setup>>,
) -> Option<OpenCall> {
    if FOLLOWED.get() >= MAX_FOLLOWED {
        return Some(open);
    }
    FOLLOWED.set(FOLLOWED.get() + 1);
    tokio::task::spawn_local(async move {
        let _place = Place;
        let follow = Follow { pending, deployment, endpoint, client, setups };
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
    deployment: DeploymentId,
    /// As it was when it began.
    endpoint: Endpoint,
    client: Client,
    /// The configuration in force: a key that is changed while a job runs is needed at its end.
    setups: Arc<ArcSwap<Setup>>,
}

impl Follow {
    async fn to_its_end(&self, mut open: OpenCall) {
        // If nobody ever learns what a batch or a job used, it is unpriced, and not what its own request costs.
        if self.pending.kind != Kind::Response {
            open.tier = Tier::Unknown;
        }
        let (mut pause, mut failed) = (FIRST_PAUSE, 0);
        let longest = if self.pending.kind == Kind::Job { LONGEST_JOB } else { LONGEST };
        let until = tokio::time::Instant::now() + longest;
        while failed < MAX_FAILED && tokio::time::Instant::now() < until {
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
            match self.look().await {
                None => failed += 1,
                Some(Look::Going) => failed = 0,
                Some(Look::Gone) => break,
                Some(Look::Ended(end)) => {
                    open.tier = end.tier;
                    open.settle(end.usage, Ending::Complete);
                    return;
                }
                Some(Look::Ran(ran)) => return self.ran(open, ran).await,
            }
        }
        // It cannot be told what it used: by count, and as one that broke off.
        open.settle(None, Ending::Cut);
    }

    /// Settles a batch by what it used of the model that it ran.
    async fn ran(&self, mut open: OpenCall, ran: Ran) {
        let model = match &ran.model {
            Some(model) => Some(model.clone()),
            None => patiently(|| self.model_in(ran.input_file.as_deref())).await,
        };
        let usage = match ran.usage {
            Some(usage) => Some(usage),
            None => patiently(|| self.sum_of(ran.output_file.as_deref())).await,
        };
        let setup = self.setups.load();
        let provider = setup.world.deployment(self.deployment).provider;
        let model = model.and_then(|name| setup.model_at(provider, &name));
        open.requests = usage.map_or(1, |usage| usage.requests.max(1));
        // A price that depends on what nobody tells, or on what cannot be, is not known.
        let is_told = model.is_some() && usage.is_some_and(|usage| open.believes(&usage));
        open.tier = if is_told { Tier::Batch } else { Tier::Unknown };
        open.ran = model;
        open.settle(usage, Ending::Complete);
    }

    /// Asks how it stands; none if there is no good answer.
    async fn look(&self) -> Option<Look> {
        let mut response = self.get(&self.pending.suffix).await?;
        if response.status == http::StatusCode::NOT_FOUND {
            return Some(Look::Gone);
        }
        if !response.status.is_success() {
            return None;
        }
        let body = response.body.read_whole(MAX_ANSWER).await.ok()?;
        Look::read(self.pending.kind, &body)
    }

    async fn get(&self, suffix: &str) -> Option<upstream::Response> {
        let setup = self.setups.load_full();
        self.endpoint_in(&setup).get(&self.client, suffix, &setup.budgets).await
    }

    /// As it is configured now, if it still leads to the same place: what is followed lives there and nowhere else.
    fn endpoint_in<'s>(&'s self, setup: &'s Setup) -> &'s Endpoint {
        let now = setup.endpoints.get(self.deployment.index()).and_then(Option::as_ref);
        let is_there = |now: &&Endpoint| {
            let (now, then) = (&now.target, &self.endpoint.target);
            (now.authority(), now.is_tls()) == (then.authority(), then.is_tls())
        };
        now.filter(is_there).unwrap_or(&self.endpoint)
    }

    /// The content of a file, if there is one.
    async fn file(&self, id: Option<&str>) -> Result<Option<upstream::Response>, Unheard> {
        let Some(id) = id.filter(|id| is_plain(id)) else { return Ok(None) };
        let response = self.get(&format!("files/{id}/content")).await.ok_or(Unheard)?;
        match response.status {
            status if status.is_success() => Ok(Some(response)),
            http::StatusCode::NOT_FOUND => Ok(None),
            _ => Err(Unheard),
        }
    }

    /// The model that the first line of a batch's input names; all name the same.
    async fn model_in(&self, file: Option<&str>) -> Result<Option<String>, Unheard> {
        let Some(mut response) = self.file(file).await? else { return Ok(None) };
        let mut found = None;
        let mut splitter = Splitter::new(MAX_ANSWER);
        let mut first = |_: u64, line: &[u8]| {
            if found.is_none() && !line.trim_ascii().is_empty() {
                let line = Line::read(line)?;
                found = Some(line.peek.model.map(|model| model.into_owned()));
            }
            Ok::<_, BadRequest>(())
        };
        while let Some(piece) = response.body.next().await {
            if splitter.push(&piece.map_err(|_| Unheard)?, &mut first).is_err() {
                return Ok(None);
            }
            if splitter.lines() > 0 {
                break;
            }
        }
        let read = splitter.finish(&mut first);
        Ok(read.ok().and(found.flatten()))
    }

    /// What the lines of a batch's output add up to; none if that cannot be told.
    async fn sum_of(&self, file: Option<&str>) -> Result<Option<Usage>, Unheard> {
        let Some(mut response) = self.file(file).await? else { return Ok(None) };
        let (mut sum, mut splitter) = (Sum::default(), Splitter::new(MAX_ANSWER));
        let mut add = |_: u64, line: &[u8]| {
            sum.line(line);
            Ok::<_, BadRequest>(())
        };
        while let Some(piece) = response.body.next().await {
            if splitter.push(&piece.map_err(|_| Unheard)?, &mut add).is_err() {
                return Ok(None);
            }
        }
        let is_read = splitter.finish(&mut add).is_ok();
        Ok(usage_of(Reading::Sound(sum.usage)).filter(|_| is_read && !sum.is_short))
    }
}

/// It did not come, or not whole: it may if it is asked for again.
struct Unheard;

/// Asks until it is answered, a few times.
async fn patiently<T>(ask: impl AsyncFn() -> Result<Option<T>, Unheard>) -> Option<T> {
    let mut pause = FIRST_PAUSE;
    for _ in 1..MAX_ASKED {
        if let Ok(heard) = ask().await {
            return heard;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 5).min(LONGEST_PAUSE);
    }
    ask().await.ok().flatten()
}

/// How it stands.
#[derive(Debug, PartialEq, Eq)]
enum Look {
    Going,
    Ended(End),
    /// A batch has ended that did something.
    Ran(Ran),
    /// It was removed.
    Gone,
}

/// It ended, and ran what it was decided for.
#[derive(Debug, PartialEq, Eq)]
struct End {
    /// None if it is not known.
    usage: Option<Usage>,
    tier: Tier,
}

/// What a batch says that it ran, and where the rest stands.
#[derive(Debug, PartialEq, Eq)]
struct Ran {
    model: Option<String>,
    usage: Option<Usage>,
    input_file: Option<String>,
    output_file: Option<String>,
}

impl Look {
    fn read(kind: Kind, body: &[u8]) -> Option<Look> {
        let stated = Standing::read(body).ok()?;
        let status = stated.status.as_deref()?;
        if !has_ended(status) {
            return Some(Look::Going);
        }
        // What failed, expired or was cancelled, and says nothing of usage, used nothing.
        let may_be_nothing = matches!(status, "failed" | "expired" | "cancelled");
        let nothing = Some(Usage::default()).filter(|_| may_be_nothing);
        Some(match kind {
            Kind::Response => {
                let Reply { usage, service_tier, .. } = response::read(Operation::Responses, body).ok()?;
                let nothing = nothing.filter(|_| usage == Reading::Absent);
                Look::Ended(End { usage: usage_of(usage).or(nothing), tier: tier_of(service_tier) })
            }
            Kind::Job => match stated.trained {
                Some(trained) => {
                    let usage = Usage { trained, requests: 1, ..Usage::default() };
                    Look::Ended(End { usage: Some(usage), tier: Tier::Default })
                }
                // It may have been billed for what nobody tells.
                None if nothing.is_none() => Look::Ended(End { usage: None, tier: Tier::Unknown }),
                None => Look::Ended(End { usage: nothing, tier: Tier::Default }),
            },
            Kind::Batch => {
                let did_nothing = stated.completed.map_or(may_be_nothing, |completed| completed == 0);
                // Some say `null` of what was never begun, and some that it used nothing.
                let tells_nothing = match stated.usage {
                    Reading::Absent => true,
                    Reading::Sound(usage) => usage.total_input() == 0 && usage.total_output() == 0,
                    Reading::Hostile(_) => false,
                };
                if tells_nothing && stated.output_file.is_none() && did_nothing {
                    return Some(Look::Ended(End { usage: Some(Usage::default()), tier: Tier::Default }));
                }
                let usage = usage_of(stated.usage).filter(|usage| usage.tokens() > 0);
                let requests = stated.completed.unwrap_or(1);
                Look::Ran(Ran {
                    model: stated.model.map(|model| model.into_owned()),
                    usage: usage.map(|usage| Usage { requests, ..usage }),
                    input_file: stated.input_file.map(|file| file.into_owned()),
                    output_file: stated.output_file.map(|file| file.into_owned()),
                })
            }
        })
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
        let job = r#"{"id":"ftjob-1","status":"validating_files"}"#;
        let found = of(Operation::FineTuning, "fine_tuning/jobs", job);
        assert_eq!(found.as_deref(), Some("fine_tuning/jobs/ftjob-1"));
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
        let read = |kind, body: &str| Look::read(kind, body.as_bytes());
        let ended = |usage, tier| Some(Look::Ended(End { usage, tier }));
        assert_eq!(read(Kind::Response, r#"{"id":"resp_1","status":"in_progress"}"#), Some(Look::Going));
        let body = r#"{"id":"resp_1","status":"cancelled","usage":null,"service_tier":"flex"}"#;
        assert_eq!(read(Kind::Response, body), ended(Some(Usage::default()), Tier::Flex));
        // What is done and does not say what it used, or what cannot be, is settled by count.
        for usage in ["null", r#"{"input_tokens":-1,"output_tokens":5}"#] {
            let body = format!(r#"{{"id":"resp_1","status":"completed","usage":{usage}}}"#);
            assert_eq!(read(Kind::Response, &body), ended(None, Tier::Default), "{usage}");
        }
        assert_eq!(read(Kind::Response, "[]"), None);
    }

    #[test]
    fn a_batch_tells_what_it_ran_or_where_that_stands() {
        let read = |body: &str| Look::read(Kind::Batch, body.as_bytes());
        let usage = r#"{"input_tokens":10,"input_tokens_details":{"cached_tokens":4},"output_tokens":5}"#;
        let body = format!(
            r#"{{"status":"completed","model":"gpt-5-2025-08-07","request_counts":{{"completed":2}},"usage":{usage}}}"#
        );
        let used = Usage { input: 6, cached_input: 4, output: 5, requests: 2, ..Usage::default() };
        let (input_file, output_file) = (None, None);
        let model = Some("gpt-5-2025-08-07".to_string());
        let ran = Look::Ran(Ran { model, usage: Some(used), input_file, output_file });
        assert_eq!(read(&body), Some(ran));
        let body = r#"{"status":"completed","input_file_id":"file-a","output_file_id":"file-b","usage":{"input_tokens":0,"output_tokens":0}}"#;
        let (input_file, output_file) = (Some("file-a".to_string()), Some("file-b".to_string()));
        assert_eq!(read(body), Some(Look::Ran(Ran { model: None, usage: None, input_file, output_file })));
        // One that never began used nothing; of one that was stopped nobody knows without its output.
        let nothing = Some(Look::Ended(End { usage: Some(Usage::default()), tier: Tier::Default }));
        assert_eq!(read(r#"{"status":"failed","input_file_id":"file-a"}"#), nothing);
        assert_eq!(read(r#"{"status":"completed","request_counts":{"completed":0}}"#), nothing);
        let zeros = r#""usage":{"input_tokens":0,"output_tokens":0,"total_tokens":0}"#;
        assert_eq!(
            read(&format!(r#"{{"status":"failed","request_counts":{{"completed":0}},{zeros}}}"#)),
            nothing
        );
        let hostile = read(r#"{"status":"failed","usage":{"input_tokens":-1,"output_tokens":0}}"#);
        assert!(matches!(hostile, Some(Look::Ran(Ran { usage: None, .. }))), "{hostile:?}");
        let stopped = read(r#"{"status":"cancelled","request_counts":{"completed":3}}"#);
        assert!(matches!(stopped, Some(Look::Ran(Ran { usage: None, .. }))), "{stopped:?}");
    }

    #[test]
    fn a_job_tells_what_it_was_trained_on() {
        let read = |body: &str| Look::read(Kind::Job, body.as_bytes());
        let ended = |usage, tier| Some(Look::Ended(End { usage, tier }));
        assert_eq!(read(r#"{"status":"running","trained_tokens":null}"#), Some(Look::Going));
        let trained = Usage { trained: 5_768, requests: 1, ..Usage::default() };
        let body = r#"{"status":"succeeded","trained_tokens":5768}"#;
        assert_eq!(read(body), ended(Some(trained), Tier::Default));
        assert_eq!(read(r#"{"status":"succeeded","trained_tokens":null}"#), ended(None, Tier::Unknown));
        let nothing = ended(Some(Usage::default()), Tier::Default);
        assert_eq!(read(r#"{"status":"failed","trained_tokens":null}"#), nothing);
    }
}
