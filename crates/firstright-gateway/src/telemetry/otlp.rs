//! How do traces and metrics reach a collector? OTLP over HTTP in its JSON form, from a thread of its own, over the same
//! client that asks providers. Requests that ended wait in a bounded queue; what a collector does not take in time is
//! dropped and counted, because a gateway that waits for its observers would fail with them (`sender`).
//!
//! Source: OpenTelemetry's protocol, version 1.x: `/v1/traces` and `/v1/metrics`, 64-bit numbers as strings, ids in
//! hexadecimal.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use tokio::sync::watch;

use super::collect::{Family, Kind, Value};
use super::meters::Names;
use super::prometheus::decimal;
use super::trace::{Context, chance, hex_text, new_span};
use super::trail::Story;
use super::{Telemetry, codes};
use crate::credential::Secret;
use crate::upstream::{Client, PoolLimits, Target};

mod sender;

use sender::Sender;

/// Requests that may wait for the collector: some seconds of a busy gateway's.
const MAX_WAITING: usize = 8_192;
/// Requests in one message.
const MAX_BATCH: usize = 512;

/// Where the collector is, and what it is told.
#[derive(Clone, Debug)]
pub struct OtlpConfig {
    /// Its authority.
    pub target: Target,
    /// What stands before `/v1/traces`.
    pub prefix: String,
    /// Headers that it wants, such as a token's.
    pub headers: Vec<(String, Secret)>,
    /// `service.name`.
    pub service: String,
    /// Of a million requests that belong to no trace yet, so many begin one.
    pub sample: u32,
    /// How often metrics are sent; zero is never.
    pub metrics_every: Duration,
}

/// A request that ended, as its spans.
#[derive(Debug)]
pub(super) struct Ended(Vec<Json>);

/// What waits for the collector.
#[derive(Debug)]
pub(super) struct Queue {
    sample: u32,
    waiting: Mutex<VecDeque<Ended>>,
    dropped: AtomicU64,
    sent: AtomicU64,
}

impl Queue {
    /// Lays down a request, unless there is no room. What is told of it is put together before others are kept waiting.
    pub(super) fn push(&self, ended: impl FnOnce() -> Ended) {
        let has_room = |waiting: &VecDeque<Ended>| waiting.len() < MAX_WAITING;
        let is_wanted = has_room(&self.lock());
        let ended = is_wanted.then(ended);
        let mut waiting = self.lock();
        match ended.filter(|_| has_room(&waiting)) {
            Some(ended) => waiting.push_back(ended),
            None => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Ended>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Requests that were not handed over.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// To which trace does a request belong, by what its caller says?
    pub(super) fn context(&self, traceparent: Option<&[u8]>) -> Context {
        traceparent.and_then(Context::read).unwrap_or_else(|| Context::begin(chance(self.sample)))
    }

    fn take(&self) -> Vec<Ended> {
        let mut waiting = self.lock();
        let many = waiting.len().min(MAX_BATCH);
        waiting.drain(..many).collect()
    }

    /// Drops what still waits; gives how many.
    fn give_up(&self) -> u64 {
        let many = self.lock().drain(..).count() as u64;
        self.dropped.fetch_add(many, Ordering::Relaxed);
        many
    }
}

/// The thread that speaks with the collector. It sends what has gathered and ends when this is dropped.
#[derive(Debug)]
pub struct Exporter {
    queue: Arc<Queue>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Exporter {
    /// Starts it. `collect` reads the metrics, and `unix` the wall clock in nanoseconds since 1970.
    ///
    /// # Errors
    /// If the machine has no thread or runtime to give.
    pub fn start(
        config: OtlpConfig,
        collect: impl Fn() -> Vec<Family> + Send + 'static,
        unix: impl Fn() -> u64 + Send + 'static,
    ) -> io::Result<Exporter> {
        let queue = Arc::new(Queue {
            sample: config.sample,
            waiting: Mutex::default(),
            dropped: AtomicU64::new(0),
            sent: AtomicU64::new(0),
        });
        let (stop, stopped) = watch::channel(false);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let own = Arc::clone(&queue);
        let thread = std::thread::Builder::new().name("otlp".to_string()).spawn(move || {
            let telling = async {
                let sender = Sender::new(config, Client::new(PoolLimits::default()), unix());
                sender.run(&own, collect, unix, stopped).await;
            };
            tokio::task::LocalSet::new().block_on(&runtime, telling);
        })?;
        Ok(Exporter { queue, stop, thread: Some(thread) })
    }

    pub(super) fn queue(&self) -> Arc<Queue> {
        Arc::clone(&self.queue)
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

fn text(key: &str, value: &str) -> Json {
    json!({ "key": key, "value": { "stringValue": value } })
}

/// 64-bit numbers stand as strings.
fn number(key: &str, value: u64) -> Json {
    json!({ "key": key, "value": { "intValue": value.to_string() } })
}

impl Ended {
    /// The spans of a request: itself, what it was decided by, and its attempts.
    pub(super) fn of(telemetry: &Telemetry, names: &Names, story: &Story, context: Context) -> Ended {
        let class = codes::CLASSES[codes::class(story.operation)];
        let mut attributes =
            vec![text("gen_ai.operation.name", class), number("firstright.version", names.version)];
        let asked = story.asked.map(|model| names.model(model));
        attributes.extend(asked.map(|model| text("gen_ai.request.model", model)));
        let tenant = story.tenant.and_then(|id| names.tenant(id));
        attributes.extend(tenant.map(|(tenant, _)| text("firstright.tenant", tenant)));
        attributes.extend(story.record.map(|record| number("firstright.decision", record)));
        attributes.push(number("http.response.status_code", u64::from(story.told())));
        attributes.extend(story.code.map(|code| text("error.type", code)));
        attributes.extend(story.ending.map(|ending| text("firstright.ending", codes::ending(ending))));
        let named = |verb: &str| format!("{verb} {}", asked.unwrap_or("other"));
        let failed = story.status >= 500 || codes::outcome(story.status, story.ending) > 1;
        let time = |at: Instant, took: Duration| (telemetry.unix(at), telemetry.unix(at + took));
        let mut spans = vec![span(
            &context,
            (context.span, context.parent),
            (&named(class), SERVER),
            time(story.began, story.took),
            attributes,
            failed,
        )];
        if let Some((began, took)) = story.decided {
            let mut attributes = vec![text("firstright.grounds", &story.words.join(" "))];
            attributes.extend(story.record.map(|record| number("firstright.decision", record)));
            let ids = (new_span(), Some(context.span));
            spans.push(span(&context, ids, ("decide", INTERNAL), time(began, took), attributes, false));
        }
        for attempt in &story.attempts {
            let mut attributes = vec![text("gen_ai.operation.name", class)];
            if let Some(name) = names.deployment(attempt.deployment) {
                attributes.push(text("gen_ai.provider.name", name.kind));
                attributes.push(text("firstright.deployment", &name.id));
                attributes.push(text("firstright.provider", &name.provider));
                if let Some((host, port)) = &name.address {
                    attributes.push(text("server.address", host));
                    attributes.push(number("server.port", u64::from(*port)));
                }
            }
            attributes.push(text("gen_ai.request.model", names.model(attempt.model)));
            attributes.extend(attempt.second.then(|| text("firstright.beside", "first")));
            attributes.extend(attempt.given_up.then(|| text("firstright.ending", "given-up")));
            match (attempt.failure, story.usage.as_ref().filter(|_| !attempt.given_up)) {
                (Some(failure), _) => {
                    attributes.push(text("error.type", codes::ATTEMPTS[codes::failure(failure)]));
                    attributes.push(number("http.response.status_code", u64::from(attempt.status)));
                }
                (None, Some(usage)) => {
                    let output = usage.output + usage.reasoning + usage.audio_out;
                    attributes.push(number("gen_ai.usage.input_tokens", usage.all_input()));
                    attributes.push(number("gen_ai.usage.output_tokens", output));
                }
                (None, None) => {}
            }
            let took = attempt.took.unwrap_or_else(|| attempt.began.elapsed());
            spans.push(span(
                &context,
                (attempt.span, Some(context.span)),
                (&named(class), CLIENT),
                time(attempt.began, took),
                attributes,
                attempt.failure.is_some(),
            ));
        }
        Ended(spans)
    }
}

/// Kinds of spans, by OTLP's numbers.
const INTERNAL: u8 = 1;
const SERVER: u8 = 2;
const CLIENT: u8 = 3;

fn span(
    context: &Context,
    (id, parent): ([u8; 8], Option<[u8; 8]>),
    (name, kind): (&str, u8),
    (began, ended): (u64, u64),
    attributes: Vec<Json>,
    failed: bool,
) -> Json {
    json!({
        "traceId": hex_text(&context.trace),
        "spanId": hex_text(&id),
        "parentSpanId": parent.map_or(String::new(), |parent| hex_text(&parent)),
        "name": name,
        "kind": kind,
        "startTimeUnixNano": began.to_string(),
        "endTimeUnixNano": ended.to_string(),
        "attributes": attributes,
        "status": { "code": if failed { 2 } else { 0 } },
    })
}

/// A family, if it says anything.
fn metric(family: &Family, began: u64, now: u64) -> Option<Json> {
    if family.points.is_empty() {
        return None;
    }
    let nano = family.metric.nano;
    // A fraction stands as a number: OTLP's doubles.
    let real = |value: u64| decimal(value, nano).parse::<f64>().unwrap_or_default();
    let points: Vec<Json> = family
        .points
        .iter()
        .map(|point| {
            let attributes: Vec<Json> = point.labels.iter().map(|(key, value)| text(key, value)).collect();
            let mut said = json!({
                "attributes": attributes,
                "startTimeUnixNano": began.to_string(),
                "timeUnixNano": now.to_string(),
            });
            match &point.value {
                Value::Number(value) if nano => said["asDouble"] = json!(real(*value)),
                Value::Number(value) => said["asInt"] = json!(value.to_string()),
                Value::Histogram(bounds, buckets, sum) => {
                    let counts: Vec<String> = buckets.iter().map(u64::to_string).collect();
                    said["count"] = json!(buckets.iter().sum::<u64>().to_string());
                    said["sum"] = json!(real(*sum));
                    said["bucketCounts"] = json!(counts);
                    said["explicitBounds"] =
                        json!(bounds.iter().map(|bound| real(*bound)).collect::<Vec<_>>());
                }
            }
            said
        })
        .collect();
    // Cumulative: each message says all that was counted since the start.
    let data = match family.metric.kind {
        Kind::Counter => {
            json!({ "sum": { "dataPoints": points, "aggregationTemporality": 2, "isMonotonic": true } })
        }
        Kind::Gauge => json!({ "gauge": { "dataPoints": points } }),
        Kind::Histogram => {
            json!({ "histogram": { "dataPoints": points, "aggregationTemporality": 2 } })
        }
    };
    let mut said = data;
    said["name"] = json!(family.metric.name);
    said["unit"] = json!(family.metric.unit);
    said["description"] = json!(family.metric.help);
    Some(said)
}
