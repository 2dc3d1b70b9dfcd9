//! Does every call that was opened reach its one outcome, whatever happens to the future that carries it?

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use firstright_core::decision::{Action, Decision};
use firstright_core::fact::{Ending, Fact, Failure, FailureKind, Observation, Source};
use firstright_core::units::Span;
use firstright_core::usage::{Tier, Usage};
use firstright_core::workload::CallId;
use firstright_core::world::{Digest, ModelId};
use firstright_engine::{Engine, Noted, Stepped};
use firstright_wire::openai::ServiceTier;

use crate::answer::tier_of;
use crate::keep::Alive;
use crate::telemetry::Trail;

/// When the core is told that a stream's first byte is still awaited. Few streams take a second to begin, and each time is
/// a record.
const TELLS_AFTER: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(9)];
/// About what a token of English takes, in bytes: the same measure by which a request's input is estimated.
const BYTES_PER_TOKEN: u64 = 4;
/// Tokens that are always believed: about the largest context window known.
const SANE_TOKENS: u64 = 1_050_000;

/// A call between `CallArrived` and its end. If it is dropped before, the caller went away: that is settled, by what was
/// counted.
#[derive(Debug)]
pub(crate) struct OpenCall {
    engine: Arc<Engine>,
    trail: Trail,
    pub id: CallId,
    state: State,
    /// Its place among the attempts of its request.
    nth: usize,
    /// What it is taken to use, for a settlement by count.
    pub reserved: Reserved,
    dialled: Option<Instant>,
    first_byte: Duration,
    /// What is billed if the provider says nothing: counted so far.
    pub counted: Usage,
    pub observed: Option<Observation>,
    /// The tier that the answer says served it.
    pub tier: Tier,
    /// Requests that stand behind it: a batch's are many.
    pub requests: u64,
    /// The model that ran, where that is told only at the end.
    pub ran: Option<ModelId>,
    /// The tier tells which capacity served: Google's answers do (`trafficType`).
    pub tier_is_capacity: bool,
}

/// What was reserved for a call, and what it is held to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reserved {
    /// Input tokens as estimated from the body.
    pub input: u64,
    /// The most that the input can be.
    pub input_most: u64,
    /// Output tokens of all choices.
    pub max_output: u64,
    /// A hard budget holds: its stream ends where its reservation does.
    pub bounded: bool,
    /// Its content may be sound.
    pub audio: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Refused or settled: nothing is owed any more.
    Closed,
    /// It waits for room.
    Queued,
    /// A provider serves it.
    Serving,
}

impl OpenCall {
    pub(crate) fn new(engine: Arc<Engine>, trail: Trail, id: CallId, reserved: Reserved) -> OpenCall {
        OpenCall {
            engine,
            trail,
            id,
            state: State::Closed,
            nth: 0,
            reserved,
            dialled: None,
            first_byte: Duration::ZERO,
            counted: Usage::default(),
            observed: None,
            tier: Tier::Default,
            requests: 1,
            ran: None,
            tier_is_capacity: false,
        }
    }

    /// Takes the call out; what stays in its place owes nothing.
    pub(crate) fn take(&mut self) -> OpenCall {
        let closed = OpenCall::new(Arc::clone(&self.engine), self.trail.clone(), self.id, self.reserved);
        std::mem::replace(self, closed)
    }

    /// The engine.
    pub(crate) fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Finds this call's decision among those of a step, and notes where the call stands.
    pub(crate) fn heed(&mut self, record: u64, decisions: Vec<Decision>) -> Option<Noted> {
        let own = decisions.into_iter().find(|decision| self.is_own(&decision.action))?;
        self.note(&own.action);
        self.nth = self.trail.decided(record, &own);
        Some(Noted { record, decision: own })
    }

    /// The same for a second attempt beside another's: what is known of the request stays as it is.
    pub(crate) fn heed_beside(&mut self, record: u64, decisions: Vec<Decision>) -> Option<Noted> {
        let own = decisions.into_iter().find(|decision| self.is_own(&decision.action))?;
        self.note(&own.action);
        self.nth = self.trail.hedged(record, &own);
        Some(Noted { record, decision: own })
    }

    /// Waits in the queue for the decision that another fact leads to; a stream is heard of meanwhile.
    pub(crate) async fn queued(&mut self, alive: Option<Alive>) -> Noted {
        let since = Instant::now();
        let decision = self.engine.queued(self.id);
        let noted = match alive {
            None => decision.await,
            // Boxed: what only some calls need is no part of every call.
            Some(alive) => Box::pin(alive.during(decision, || self.trail.kept())).await,
        };
        self.note(&noted.decision.action);
        self.trail.waited(since);
        self.nth = self.trail.decided(noted.record, &noted.decision);
        noted
    }

    fn is_own(&self, action: &Action) -> bool {
        matches!(action,
            Action::Serve { call, .. } | Action::Refuse { call, .. } | Action::Queue { call, .. } if *call == self.id)
    }

    fn note(&mut self, action: &Action) {
        self.state = match action {
            Action::Serve { .. } => State::Serving,
            Action::Queue { .. } => State::Queued,
            _ => State::Closed,
        };
    }

    /// The request is about to leave for a provider.
    pub(crate) fn dialling(&mut self) {
        self.dialled = Some(Instant::now());
        self.trail.dialling(self.nth);
        self.counted = Usage::default();
        self.observed = None;
        self.tier = Tier::Default;
    }

    /// Waits for the head of an answer. While that of a stream does not come, the core is told now and then for how long,
    /// because a provider that slows down is known by that before it is known by its answers.
    pub(crate) async fn awaiting<T>(&self, stream: bool, mut head: Pin<&mut impl Future<Output = T>>) -> T {
        let mut waited = Duration::ZERO;
        for until in if stream { &TELLS_AFTER[..] } else { &[] } {
            let rest = until.saturating_sub(waited);
            match tokio::time::timeout(rest, head.as_mut()).await {
                Ok(answer) => return answer,
                Err(_) => waited = *until,
            }
            let waited = Span(u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX));
            self.engine.submit(&Fact::AnswerAwaited { call: self.id, waited });
        }
        head.await
    }

    /// The other of two attempts was answered: this one is settled by count like one whose caller went away, and the core
    /// is told how long a stream was awaited in vain.
    pub(crate) fn give_up(mut self, stream: bool) {
        if self.state != State::Serving {
            return;
        }
        if let Some(dialled) = self.dialled.filter(|_| stream) {
            let waited = Span(u64::try_from(dialled.elapsed().as_nanos()).unwrap_or(u64::MAX));
            self.engine.submit(&Fact::AnswerAwaited { call: self.id, waited });
        }
        self.trail.gave_up(self.nth);
        self.close(None, Ending::Abandoned);
    }

    /// What a provider is told of the trace, if there is one.
    pub(crate) fn traceparent(&self) -> Option<[u8; 55]> {
        self.trail.traceparent(self.nth)
    }

    /// The first byte of an answer is here: from now on the input counts as used.
    pub(crate) fn answered(&mut self) {
        self.first_byte = self.dialled.map_or(Duration::ZERO, |dialled| dialled.elapsed());
        self.counted.input = self.reserved.input;
        self.counted.requests = 1;
        self.trail.answered(self.nth);
    }

    /// The answer names its tier. Where that tells the capacity, the default one is pay-as-you-go: what was sent to
    /// provisioned capacity was spilled by the provider itself.
    /// Source: Vertex AI, `usageMetadata.trafficType`; see [`firstright_wire::gemini::TrafficType`].
    pub(crate) fn served_by(&mut self, tier: Option<ServiceTier>) {
        self.tier = tier_of(tier);
        if self.tier_is_capacity && tier == Some(ServiceTier::Default) {
            self.observed.get_or_insert_default().spilled = true;
        }
    }

    /// The attempt failed.
    pub(crate) fn failed(
        &mut self,
        kind: FailureKind,
        status: u16,
        retry_after: Option<Span>,
        evidence: Digest,
    ) -> Stepped {
        self.state = State::Closed;
        self.trail.failed(self.nth, kind, status);
        self.trail.deciding();
        let failure = Failure { kind, status, retry_after, evidence };
        self.engine.submit(&Fact::AttemptFailed { call: self.id, failure })
    }

    /// Counts the output: each delta of a stream is a token, and several in one are told by the length of their text. A
    /// provider that was given a bound is not taken to have made more.
    pub(crate) fn count(&mut self, deltas: u64, bytes: u64) {
        let counted = deltas.max(bytes.div_ceil(BYTES_PER_TOKEN));
        let most = if self.reserved.bounded { self.reserved.max_output } else { counted };
        self.counted.output = counted.min(most);
    }

    /// Can a provider's figures be true? More input than any context holds and ten times what was sent, or as much more
    /// output than was allowed, cannot.
    pub(crate) fn believes(&self, usage: &Usage) -> bool {
        let sane_tokens = SANE_TOKENS.saturating_mul(self.requests);
        let sane = |told: u64, own: u64| told <= own.saturating_mul(10).max(sane_tokens);
        let output = self.reserved.max_output.max(self.counted.all_output());
        sane(usage.all_input(), self.reserved.input_most) && sane(usage.all_output(), output)
    }

    /// The call ended. Without the provider's usage, or with one that cannot be true, it is settled by count.
    pub(crate) fn settle(&mut self, usage: Option<Usage>, ending: Ending) -> Stepped {
        let (usage, stepped) = self.close(usage, ending);
        self.trail.settled(self.nth, usage, ending, &stepped.decisions);
        stepped
    }

    fn close(&mut self, usage: Option<Usage>, ending: Ending) -> (Usage, Stepped) {
        self.state = State::Closed;
        let usage = usage.filter(|usage| self.believes(usage));
        let (usage, source) = match usage {
            Some(usage) => (usage, Source::Provider),
            None => (self.counted, Source::Counted),
        };
        let first_byte = Span(u64::try_from(self.first_byte.as_nanos()).unwrap_or(u64::MAX));
        let (call, observed, tier) = (self.id, self.observed, self.tier);
        let ran = self.ran;
        let fact = Fact::CallSettled { call, usage, tier, source, ending, first_byte, observed, ran };
        (usage, self.engine.submit(&fact))
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        match self.state {
            State::Closed => {}
            State::Serving => {
                self.settle(None, Ending::Abandoned);
            }
            State::Queued => {
                self.engine.submit(&Fact::CallAbandoned { call: self.id });
                // It may have been served in the moment before: then it is settled with nothing used.
                if self.engine.read(|broker, _| broker.is_serving(self.id)) {
                    self.settle(None, Ending::Abandoned);
                }
            }
        }
    }
}
