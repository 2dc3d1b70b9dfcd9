//! What is known of one request, from its first byte to its last? Whoever handles it notes what happens; when the last
//! of them lets go, the request is over.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use firstright_core::codes::GROUNDS;
use firstright_core::decision::{Action, Decision, Ground};
use firstright_core::fact::{Ending, FailureKind};
use firstright_core::usage::Usage;
use firstright_core::world::{DeploymentId, ModelId, TenantId};
use firstright_wire::operation::Operation;

use super::trace::{Context, new_span};
use super::{Telemetry, codes};
use crate::listen::Peer;

/// Words of grounds that are kept of a request: of its last decision, and of those before it as far as there is room.
const MAX_WORDS: usize = 8;

/// One request. Clones speak of the same one.
#[derive(Clone, Debug)]
pub(crate) struct Trail(Rc<RefCell<Story>>);

/// What is known so far.
#[derive(Debug)]
pub(crate) struct Story {
    telemetry: Arc<Telemetry>,
    pub began: Instant,
    pub took: Duration,
    pub context: Option<Context>,
    pub peer: Option<SocketAddr>,
    pub operation: Option<Operation>,
    pub stream: bool,
    pub tenant: Option<TenantId>,
    /// The key's name in the configuration.
    pub key: Option<String>,
    pub asked: Option<ModelId>,
    /// The record of the last decision.
    pub record: Option<u64>,
    pub words: Vec<&'static str>,
    pub waited: Option<Duration>,
    deciding: Option<Instant>,
    /// When the last decision was asked for, and how long it took, a wait included.
    pub decided: Option<(Instant, Duration)>,
    pub attempts: Vec<Attempted>,
    /// Which of the attempts was answered, or else is the last of which that can be said.
    served: Option<usize>,
    pub spilled: bool,
    pub usage: Option<Usage>,
    pub ending: Option<Ending>,
    pub first_byte: Option<Duration>,
    pub status: u16,
    pub code: Option<&'static str>,
    /// It was answered with 200 before it was decided: `status` and `code` are told in the stream.
    pub kept: bool,
}

/// One attempt at a provider.
#[derive(Clone, Debug)]
pub(crate) struct Attempted {
    pub deployment: DeploymentId,
    pub model: ModelId,
    /// Away from a holder of a right.
    pub spills: bool,
    pub span: [u8; 8],
    pub began: Instant,
    pub took: Option<Duration>,
    pub failure: Option<FailureKind>,
    pub status: u16,
    /// The record that it was decided by.
    record: u64,
    /// A second attempt beside another.
    pub second: bool,
    /// The other of two was answered first.
    pub given_up: bool,
}

impl Attempted {
    /// The place of what came of it in [`codes::ATTEMPTS`].
    fn outcome(&self) -> usize {
        if self.given_up { codes::GIVEN_UP } else { self.failure.map_or(0, codes::failure) }
    }
}

impl Trail {
    /// A request has come.
    pub(crate) fn of<B>(telemetry: &Arc<Telemetry>, request: &http::Request<B>) -> Trail {
        let said = request.headers().get("traceparent").map(http::HeaderValue::as_bytes);
        let context = telemetry.spans.get().map(|queue| queue.context(said));
        let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
        Trail::begin(telemetry, context, peer)
    }

    fn begin(telemetry: &Arc<Telemetry>, context: Option<Context>, peer: Option<SocketAddr>) -> Trail {
        telemetry.meters.in_flight.fetch_add(1, Ordering::Relaxed);
        Trail(Rc::new(RefCell::new(Story {
            telemetry: Arc::clone(telemetry),
            began: Instant::now(),
            took: Duration::ZERO,
            context,
            peer,
            operation: None,
            stream: false,
            tenant: None,
            key: None,
            asked: None,
            record: None,
            words: Vec::new(),
            waited: None,
            deciding: None,
            decided: None,
            attempts: Vec::new(),
            served: None,
            spilled: false,
            usage: None,
            ending: None,
            first_byte: None,
            status: 0,
            code: None,
            kept: false,
        })))
    }

    /// Another call on the same socket: the same caller, in the same trace.
    pub(crate) fn another(&self) -> Trail {
        let story = self.0.borrow();
        let context = story.context.map(|own| Context { parent: Some(own.span), span: new_span(), ..own });
        let other = Trail::begin(&story.telemetry, context, story.peer);
        other.note(|other| {
            (other.operation, other.tenant) = (story.operation, story.tenant);
            other.key.clone_from(&story.key);
        });
        other
    }

    fn note<T>(&self, note: impl FnOnce(&mut Story) -> T) -> T {
        note(&mut self.0.borrow_mut())
    }

    /// Who asks, and which operation it is. The key's name goes to the log alone.
    pub(crate) fn asked_by(&self, tenant: TenantId, key: &str, operation: Option<Operation>) {
        self.note(|story| {
            story.operation = operation;
            story.tenant = Some(tenant);
            if story.key.is_none() && story.telemetry.log.get().is_some() {
                story.key = Some(key.to_string());
            }
        });
    }

    /// For which model.
    pub(crate) fn asked_for(&self, model: ModelId, stream: bool) {
        self.note(|story| {
            story.asked = Some(model);
            story.stream = stream;
        });
    }

    /// A decision is asked for.
    pub(crate) fn deciding(&self) {
        self.note(|story| story.deciding = Some(Instant::now()));
    }

    /// A decision about its call was made. Gives the place of its attempt, if it is sent somewhere.
    pub(crate) fn decided(&self, record: u64, decision: &Decision) -> usize {
        self.note(|story| {
            story.record = Some(record);
            story.decided = story.deciding.map(|since| (since, since.elapsed()));
            story.attempt(record, decision)
        })
    }

    /// A decision about a second attempt was made, while the first goes on.
    pub(crate) fn hedged(&self, record: u64, decision: &Decision) -> usize {
        self.note(|story| {
            let nth = story.attempt(record, decision);
            if let (Action::Serve { .. }, Some(attempt)) = (&decision.action, story.attempts.get_mut(nth)) {
                attempt.second = true;
            }
            nth
        })
    }

    /// It waited for room.
    pub(crate) fn waited(&self, since: Instant) {
        self.note(|story| story.waited = Some(story.waited.unwrap_or_default() + since.elapsed()));
    }

    /// Its stream was begun before it was decided.
    pub(crate) fn kept(&self) {
        self.note(|story| story.kept = true);
    }

    /// The attempt's head is written now. What comes before (tokens, the disk) is not the provider's time.
    pub(crate) fn dialling(&self, nth: usize) {
        self.note(|story| {
            if let Some(attempt) = story.attempts.get_mut(nth) {
                attempt.began = Instant::now();
            }
        });
    }

    /// The attempt failed.
    pub(crate) fn failed(&self, nth: usize, kind: FailureKind, status: u16) {
        self.note(|story| {
            if let Some(attempt) = story.attempts.get_mut(nth) {
                attempt.took = Some(attempt.began.elapsed());
                (attempt.failure, attempt.status) = (Some(kind), status);
            }
        });
    }

    /// The head of a good answer is here.
    pub(crate) fn answered(&self, nth: usize) {
        self.note(|story| {
            story.first_byte = Some(story.began.elapsed());
            story.served = Some(nth);
            story.record = story.attempts.get(nth).map(|attempt| attempt.record).or(story.record);
        });
    }

    /// The other of two attempts was answered first.
    pub(crate) fn gave_up(&self, nth: usize) {
        self.note(|story| {
            if let Some(attempt) = story.attempts.get_mut(nth) {
                attempt.took = Some(attempt.began.elapsed());
                attempt.given_up = true;
            }
        });
    }

    /// The call is settled.
    pub(crate) fn settled(&self, nth: usize, usage: Usage, ending: Ending, decisions: &[Decision]) {
        self.note(|story| {
            (story.usage, story.ending) = (Some(usage), Some(ending));
            if let Some(attempt) = story.attempts.get_mut(nth) {
                attempt.took = Some(attempt.began.elapsed());
            }
            let native = |decision: &Decision| decision.grounds.contains(&Ground::NativeSpill);
            story.spilled = decisions.iter().any(native);
        });
    }

    /// What was answered; what comes later is the rest of a stream.
    pub(crate) fn said(&self, status: u16, code: Option<&'static str>) {
        self.note(|story| (story.status, story.code) = (status, code));
    }

    /// What a provider is told of the trace, if there is one.
    pub(crate) fn traceparent(&self, nth: usize) -> Option<[u8; 55]> {
        let story = self.0.borrow();
        let context = story.context?;
        let span = story.attempts.get(nth).map_or(context.span, |attempt| attempt.span);
        Some(context.header(span))
    }
}

impl Story {
    /// The status that the client was told.
    pub(super) fn told(&self) -> u16 {
        if self.kept { 200 } else { self.status }
    }
}

impl Story {
    /// Notes a decision, and the attempt that it leads to: gives its place.
    fn attempt(&mut self, record: u64, decision: &Decision) -> usize {
        let meters = &self.telemetry.meters;
        for word in decision.codes() {
            if let Some(place) = GROUNDS.iter().position(|ground| *ground == word) {
                meters.grounds[place].add(1);
            }
            if self.words.len() < MAX_WORDS && !self.words.contains(&word) {
                self.words.push(word);
            }
        }
        if let Action::Serve { deployment, model, title, .. } = &decision.action {
            self.attempts.push(Attempted {
                deployment: *deployment,
                model: *model,
                spills: !title.releases().is_empty(),
                span: new_span(),
                began: Instant::now(),
                took: None,
                failure: None,
                status: 0,
                record,
                second: false,
                given_up: false,
            });
        }
        self.attempts.len().saturating_sub(1)
    }

    /// The attempt that was answered, or the last if none was. One that was given up is not meant: what the other of the
    /// two was refused is the answer.
    pub(super) fn served(&self) -> Option<&Attempted> {
        let last = || self.attempts.iter().rfind(|attempt| !attempt.given_up);
        self.served.map_or_else(last, |nth| self.attempts.get(nth))
    }

    /// Was it tried a second time beside the first attempt?
    pub(super) fn hedged(&self) -> bool {
        self.attempts.iter().any(|attempt| attempt.second)
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        self.took = self.began.elapsed();
        let telemetry = Arc::clone(&self.telemetry);
        telemetry.over(self);
    }
}

impl Telemetry {
    /// A request is over: it is counted, written down, and handed on.
    fn over(&self, story: &Story) {
        let names = self.names.load();
        let meters = &self.meters;
        meters.in_flight.fetch_sub(1, Ordering::Relaxed);
        let class = codes::class(story.operation);
        let outcome = codes::outcome(story.status, story.ending);
        meters.requests[class][outcome].add(1);
        if let Some(code) = story.code {
            meters.refused(code);
        }
        if let Some(waited) = story.waited {
            meters.waits.time(waited);
        }
        let tokens = story.usage.as_ref().map(codes::tokens);
        if let Some((_, tenant)) = story.tenant.and_then(|id| names.tenant(id)) {
            tenant.requests[outcome].add(1);
            for (counter, many) in tenant.tokens.iter().zip(tokens.unwrap_or_default()) {
                counter.add(many);
            }
        }
        for attempt in &story.attempts {
            let Some(name) = names.deployment(attempt.deployment) else { continue };
            name.of.attempts[attempt.outcome()].add(1);
            name.of.spills.add(u64::from(attempt.spills && attempt.outcome() == 0));
        }
        if let Some(served) = story.served().filter(|one| one.failure.is_none())
            && let Some(name) = names.deployment(served.deployment)
        {
            for (counter, many) in name.of.tokens.iter().zip(tokens.unwrap_or_default()) {
                counter.add(many);
            }
            name.of.native_spills.add(u64::from(story.spilled));
            if let Some(meters) = name.of.served(class) {
                meters.observe(story, served);
            }
        }
        if let Some(log) = self.log.get() {
            log.write(|line| super::line::write(line, self, &names, story));
        }
        if let (Some(queue), Some(context)) = (self.spans.get(), story.context)
            && context.sampled
        {
            queue.push(|| super::otlp::Ended::of(self, &names, story, context));
        }
    }
}

impl super::meters::Served {
    fn observe(&self, story: &Story, served: &Attempted) {
        self.server.time(story.took);
        self.client.time(served.took.unwrap_or_default());
        if let Some(usage) = &story.usage {
            let output = usage.output + usage.reasoning + usage.audio_out;
            self.input.observe(usage.all_input());
            self.output.observe(output);
            if let Some(first) = story.first_byte.filter(|_| story.stream) {
                self.first.time(first);
                // The first token is no part of it.
                if let Some(after) = u32::try_from(output.saturating_sub(1)).ok().filter(|after| *after > 0) {
                    self.per_token.time(story.took.saturating_sub(first) / after);
                }
            }
        }
    }
}
