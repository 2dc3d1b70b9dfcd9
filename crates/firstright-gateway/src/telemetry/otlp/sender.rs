//! When is the collector told, and what if it does not take it? What may be taken later is sent again, after pauses that grow
//! or after the time that the collector names, but neither for ever nor at the price of memory: one message is held, what
//! comes behind it waits in the bounded queue, and what is given up is counted. No request and no stop waits for it.
//!
//! Source: OpenTelemetry's protocol, version 1.x, "OTLP/HTTP Response": 429, 502, 503 and 504 are tried again, as is a
//! connection that cannot be made or that ends without an answer; other refusals are not.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use firstright_wire::auth::date;
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value as Json, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::super::collect::Family;
use super::super::trace::new_span;
use super::{OtlpConfig, Queue, metric, text};
use crate::attempt::limits_of;
use crate::upstream::{Budgets, Client, RequestHead, SendError, SendErrorKind};

/// How often what has gathered is sent.
const EVERY: Duration = Duration::from_secs(1);
/// How long the collector may take for one message.
const PATIENCE: Duration = Duration::from_secs(10);
/// The pause after a message that was not taken; doubled with each further one, and shortened by chance to half at most, so
/// that a fleet does not come back together.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest of them.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A message that was not taken for so long is given up: what is that old tells of another time, and what is new waits.
const GIVE_UP: Duration = Duration::from_secs(120);
/// How long the last messages may take when we stop.
const LAST: Duration = Duration::from_secs(5);
/// The longest answer of a collector that is read, in bytes.
const MAX_ANSWER: usize = 64 << 10;
/// How often a collector that fails is complained of.
const COMPLAIN: Duration = Duration::from_secs(60);

/// The one that speaks with the collector.
pub(super) struct Sender {
    config: OtlpConfig,
    client: Client,
    /// Since when counters count.
    began: u64,
    /// What is on its way, or was not taken yet.
    held: Option<Message>,
    pause: Duration,
    /// Until then the collector is left alone.
    again: Option<Instant>,
    metrics_due: Instant,
    complained: Option<Instant>,
}

/// Spans of some requests.
struct Message {
    body: Bytes,
    requests: u64,
    /// After that it is given up.
    until: Instant,
}

/// What the collector did with a message.
enum Outcome {
    Taken,
    /// It took all but some spans or points, and will never take those.
    Partly(String),
    /// It will never take it.
    Refused(String),
    /// It may take it later; when, if it says so.
    Later(String, Option<Duration>),
}

impl Sender {
    pub(super) fn new(config: OtlpConfig, client: Client, began: u64) -> Sender {
        let metrics_due = Instant::now() + config.metrics_every;
        let (held, pause, again, complained) = (None, FIRST_PAUSE, None, None);
        Sender { config, client, began, held, pause, again, metrics_due, complained }
    }

    /// Tells what gathers until it is to stop, and then what is left. `collect` reads the metrics, `unix` the wall clock.
    pub(super) async fn run(
        mut self,
        queue: &Queue,
        collect: impl Fn() -> Vec<Family>,
        unix: impl Fn() -> u64,
        mut stop: watch::Receiver<bool>,
    ) {
        loop {
            let turn = async {
                sleep(EVERY).await;
                self.turn(queue, &collect, &unix).await;
            };
            tokio::select! {
                biased;
                // A sender that is gone has stopped. What is on its way is held, and so not lost.
                _ = stop.wait_for(|stop| *stop) => break,
                () = turn => {}
            }
        }
        self.again = None;
        self.metrics_due = Instant::now();
        // What it does not take in this time is counted as lost.
        let _ = timeout(LAST, self.turn(queue, &collect, &unix)).await;
        let held = self.held.take().map_or(0, |message| message.requests);
        let lost = held + queue.give_up();
        queue.dropped.fetch_add(held, Ordering::Relaxed);
        if lost > 0 {
            eprintln!("firstright: {lost} traced requests were not handed to the collector before the end");
        }
    }

    /// Sends what has gathered, up to the first message that is not taken.
    async fn turn(&mut self, queue: &Queue, collect: &impl Fn() -> Vec<Family>, unix: &impl Fn() -> u64) {
        if self.again.is_some_and(|again| Instant::now() < again) {
            return;
        }
        loop {
            if self.held.is_none() {
                self.held = self.batch(queue);
            }
            let Some(Message { body, requests, until }) = &self.held else { break };
            let (body, requests, until) = (body.clone(), *requests, *until);
            let outcome = self.exchange("/v1/traces", body).await;
            let counter = match self.heard(&outcome) {
                None if matches!(outcome, Outcome::Taken | Outcome::Partly(_)) => &queue.sent,
                None => &queue.dropped,
                Some(again) if again < until => return,
                Some(_) => &queue.dropped,
            };
            counter.fetch_add(requests, Ordering::Relaxed);
            self.held = None;
            if self.again.is_some() {
                return;
            }
        }
        if self.config.metrics_every.is_zero() || Instant::now() < self.metrics_due {
            return;
        }
        let now = unix();
        let metrics: Vec<Json> = collect().iter().filter_map(|one| metric(one, self.began, now)).collect();
        let body = self.scoped("resourceMetrics", "scopeMetrics", json!({ "metrics": metrics }));
        let outcome = self.exchange("/v1/metrics", body).await;
        // They count from the start: the next message tells all that a lost one did, so it is made anew.
        let next = self.heard(&outcome);
        self.metrics_due = next.unwrap_or_else(|| Instant::now() + self.config.metrics_every);
    }

    /// The next requests that wait.
    fn batch(&self, queue: &Queue) -> Option<Message> {
        let batch = queue.take();
        let requests = batch.len() as u64;
        let spans: Vec<Json> = batch.into_iter().flat_map(|ended| ended.0).collect();
        (requests > 0).then(|| {
            let body = self.scoped("resourceSpans", "scopeSpans", json!({ "spans": spans }));
            Message { body, requests, until: Instant::now() + GIVE_UP }
        })
    }

    /// Who speaks, around what is said.
    fn scoped(&self, resources: &str, scopes: &str, said: Json) -> Bytes {
        let mut scope = said;
        scope["scope"] = json!({ "name": "firstright", "version": env!("CARGO_PKG_VERSION") });
        let attributes = [text("service.name", &self.config.service)];
        let said = json!({ resources: [{ "resource": { "attributes": attributes }, scopes: [scope] }] });
        said.to_string().into()
    }

    /// Notes what became of a message; gives the time before which no other is sent, if there is one.
    fn heard(&mut self, outcome: &Outcome) -> Option<Instant> {
        let (problem, told) = match outcome {
            Outcome::Taken => {
                (self.pause, self.again, self.complained) = (FIRST_PAUSE, None, None);
                return None;
            }
            Outcome::Partly(problem) | Outcome::Refused(problem) => {
                (self.pause, self.again) = (FIRST_PAUSE, None);
                self.complain(problem);
                return None;
            }
            Outcome::Later(problem, told) => (problem, *told),
        };
        self.complain(problem);
        let pause = told.unwrap_or_else(|| shortened(self.pause));
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        let now = Instant::now();
        // However long it says: by then the message is given up, and whether it is well again is looked at.
        self.again = Some(now + pause.min(GIVE_UP));
        Some(now + pause)
    }

    fn complain(&mut self, problem: &str) {
        if self.complained.is_none_or(|at| at.elapsed() >= COMPLAIN) {
            self.complained = Some(Instant::now());
            let authority = self.config.target.authority();
            eprintln!("firstright: failed to tell the collector at `{authority}`: {problem}");
        }
    }

    async fn exchange(&self, path: &str, body: Bytes) -> Outcome {
        let sending = self.send(path, body);
        timeout(PATIENCE, sending)
            .await
            .unwrap_or_else(|_| Outcome::Later("it did not answer in time".to_string(), None))
    }

    async fn send(&self, path: &str, body: Bytes) -> Outcome {
        let target = &self.config.target;
        let path = format!("{}{path}", self.config.prefix);
        let head = RequestHead::new("POST", target, &path).and_then(|mut head| {
            head.header("content-type", b"application/json")?;
            for (name, value) in &self.config.headers {
                head.header(name, value.reveal())?;
            }
            Ok(head)
        });
        let head = match head {
            Ok(head) => head,
            Err(error) => return Outcome::Refused(format!("failed to {error}")),
        };
        let mut answer = match self.client.send(target, head, vec![body], &Budgets::default()).await {
            Ok(answer) => answer,
            Err(error) => return unsent(&error),
        };
        // Read to its end, so that the connection can be used again.
        let said = answer.body.read_whole(MAX_ANSWER).await.unwrap_or_default();
        let problem = || format!("it answered {}", answer.status.as_u16());
        match answer.status {
            status if status.is_success() => match rejected(&said) {
                0 => Outcome::Taken,
                many => Outcome::Partly(format!("it took all but {many} spans or points")),
            },
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Outcome::Later(problem(), retry_after(&answer.headers)),
            _ => Outcome::Refused(problem()),
        }
    }
}

/// How long the collector wants to be left alone. A date is reckoned from its own: our clock may be another.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let date = |name| headers.get(name).and_then(|value| date::parse_http(value.as_bytes()));
    let limits = limits_of(headers);
    limits.retry_after_ms.map(Duration::from_millis).or_else(|| {
        let (until, now) = (date(header::RETRY_AFTER)?, date(header::DATE)?);
        Some(Duration::from_secs(until.saturating_sub(now)))
    })
}

/// A message that got no answer.
fn unsent(error: &SendError) -> Outcome {
    let problem = format!("failed to {error}");
    match error.kind {
        SendErrorKind::Private | SendErrorKind::BadHead(_) | SendErrorKind::Elsewhere => {
            Outcome::Refused(problem)
        }
        SendErrorKind::Resolve
        | SendErrorKind::Connect
        | SendErrorKind::ConnectTimeout
        | SendErrorKind::Tls
        | SendErrorKind::Write
        | SendErrorKind::ClosedBeforeHead
        | SendErrorKind::Files
        | SendErrorKind::HeadTimeout => Outcome::Later(problem, None),
    }
}

/// How many spans or points a collector says that it did not take of a message that it took.
/// Source: OTLP's `ExportTracePartialSuccess` and `ExportMetricsPartialSuccess`; 64-bit numbers may stand as strings.
fn rejected(said: &[u8]) -> u64 {
    let said: Json = serde_json::from_slice(said).unwrap_or_default();
    let partial = &said["partialSuccess"];
    let number = |name: &str| {
        let value = &partial[name];
        value.as_u64().or_else(|| value.as_str()?.parse().ok()).unwrap_or(0)
    };
    number("rejectedSpans").saturating_add(number("rejectedDataPoints"))
}

/// Between a half and the whole of it.
fn shortened(pause: Duration) -> Duration {
    let [draw, ..] = new_span();
    pause / 2 + pause / 2 * u32::from(draw) / 255
}

#[cfg(test)]
mod tests;
