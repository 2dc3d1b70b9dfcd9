//! How is a call carried out? Opened, decided, sent as decided, decided anew if that fails, and answered.

use std::borrow::Cow;
use std::pin::pin;
use std::sync::Arc;

use firstright_core::decision::{Action, Decision, Refusal};
use firstright_core::fact::{Ending, Fact};
use firstright_core::usage::Usage;
use firstright_core::workload::{Call, CallId, Family};
use firstright_core::world::{DeploymentId, ModelId, ProviderId};
use firstright_engine::Noted;
use firstright_wire::headers::forwards_request;
use firstright_wire::home::Signer;
use firstright_wire::language::Language;
use firstright_wire::operation::Operation;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};

use bytes::Bytes;

use crate::answer::{Answer, Later, hook, opaque, tier_of, usage_of};
use crate::asked::{Asked, Content};
use crate::attempt::{Failed, limits_of, observation_of};
use crate::bound::{self, Bound};
use crate::endpoint::Endpoint;
use crate::follow::{self, Pending};
use crate::handler::{Handling, Unanswered};
use crate::hedge::{Wish, is_second};
use crate::held::Held;
use crate::keep::Alive;
use crate::keys::Principal;
use crate::open_call::{OpenCall, Reserved};
use crate::output;
use crate::refuse::No;
use crate::relay::Reply;
use crate::setup::Setup;
use crate::spoken::Heard;
use crate::telemetry::Context;
use crate::told::Told;
use crate::upstream::socket::{self, Opening, Raw};
use crate::upstream::{self, BadHead, BodyError, Client, PoolLimits, RequestHead};

/// Bytes of a whole answer that are not its text, about.
const ENVELOPE: usize = 256;
/// The longest answer that is read whole, in bytes: a batch of embeddings or of pictures.
const MAX_WHOLE_ANSWER: usize = 64 << 20;

/// W3C's header for the trace that a request belongs to.
const TRACEPARENT: &str = "traceparent";

/// A call whose socket is open.
pub(crate) struct Opened {
    pub open: OpenCall,
    /// The call, which the others on the socket are like.
    pub call: Call,
    pub provider: ProviderId,
    /// What the provider calls the model.
    pub name: String,
    pub raw: Raw,
}

/// Where a decision sends a call.
pub(crate) struct Placed {
    record: u64,
    decision: Decision,
    deployment: DeploymentId,
    model: ModelId,
}

/// An attempt that failed, and what the core said to that.
pub(crate) struct Fallen {
    open: OpenCall,
    placed: Placed,
    record: u64,
    pub next: Option<Noted>,
    /// It was our own doing: the core is not told, and nobody else is asked for it.
    ours: bool,
    /// The provider's own answer, for a request that it refused for the request's sake.
    answer: Option<Box<(StatusCode, HeaderMap, Bytes)>>,
}

impl Placed {
    /// Where the decision sends the call, if it sends it anywhere.
    pub(crate) fn of(noted: Noted) -> Option<Placed> {
        let Noted { record, decision } = noted;
        match decision.action {
            Action::Serve { deployment, model, .. } => Some(Placed { record, decision, deployment, model }),
            _ => None,
        }
    }
}

impl Fallen {
    /// Tells the core, if it concerns a provider.
    pub(crate) fn of(mut open: OpenCall, placed: Placed, failed: Failed) -> Fallen {
        if failed.ours {
            let record = placed.record;
            return Fallen { open, placed, record, next: None, ours: true, answer: None };
        }
        let stepped = open.failed(failed.kind, failed.status, failed.retry_after, failed.evidence);
        let record = stepped.record;
        let next = open.heed(record, stepped.decisions);
        Fallen { open, placed, record, next, ours: false, answer: failed.answer }
    }
}

/// A good answer's head is here.
struct Answered {
    response: upstream::Response,
    heard: Heard,
}

impl Handling<'_> {
    /// Opens the call and follows the core's decisions until it is answered.
    pub(crate) async fn call(
        &self,
        client: &Client,
        principal: &Principal,
        asked: &Asked<'_>,
    ) -> Result<Answer, Unanswered> {
        if principal.bounded && bound::is_open(asked) {
            return Err(No::open_cost().into());
        }
        let bound = bound::of(asked);
        let (call, held) = (self.arrival(principal, asked, bound), bound.reserved(principal.bounded));
        let attempt =
            async |open: &mut OpenCall, placed: &Placed| self.attempt(client, asked, open, placed).await;
        let wish = Wish::of(self, asked, &call, held);
        let (open, placed, answered) = self.decided(asked, call, held, wish, attempt).await?;
        Ok(self.answer(client, principal, asked, open, &placed, answered).await?)
    }

    /// The same for a socket: it is answered once the provider's side is open.
    pub(crate) async fn open_socket(
        &self,
        principal: &Principal,
        asked: &Asked<'_>,
    ) -> Result<Opened, Unanswered> {
        // A session goes on after its answer: nobody can say what it costs.
        if principal.bounded {
            return Err(No::open_cost().into());
        }
        let bound = bound::of(asked);
        let (call, held) = (self.arrival(principal, asked, bound), bound.reserved(false));
        let attempt =
            async |open: &mut OpenCall, placed: &Placed| self.dial_socket(asked, open, placed).await;
        let (open, placed, raw) = self.decided(asked, call.clone(), held, None, attempt).await?;
        let name = self.endpoint(&placed).map(|endpoint| endpoint.name.clone()).unwrap_or_default();
        // It may have been placed under a newer law.
        let provider = self.newest().world.deployment(placed.deployment).provider;
        // Nothing is said on it before the opening is on record.
        self.engine.durable(placed.record).await;
        Ok(Opened { open, call, provider, name, raw })
    }

    /// Opens the call and follows the core's decisions until an attempt succeeds.
    async fn decided<T>(
        &self,
        asked: &Asked<'_>,
        call: Call,
        held: Reserved,
        wish: Option<Box<Wish>>,
        attempt: impl AsyncFn(&mut OpenCall, &Placed) -> Result<T, Failed>,
    ) -> Result<(OpenCall, Placed, T), Unanswered> {
        self.trail.deciding();
        let make = |id| Fact::CallArrived(Call { id, ..call });
        let Some((id, stepped)) = self.engine.submit_call(&self.setup.world, make) else {
            return Err(Unanswered::Stale);
        };
        let mut open = OpenCall::new(Arc::clone(self.engine), self.trail.clone(), id, held);
        let mut next = open.heed(stepped.record, stepped.decisions);
        loop {
            let Some(noted) = next else { return Err(No::undecided().into()) };
            match &noted.decision.action {
                Action::Queue { .. } => {
                    next = Some(open.queued(Alive::of(self.setup.keep_alive, asked)).await);
                    continue;
                }
                Action::Refuse { refusal, .. } => {
                    // A refusal is an answer too: it goes out once it is on record.
                    self.engine.durable(noted.record).await;
                    let no = No::of(refusal, self.setup.world.model(asked.model), noted.record);
                    return Err(self.named(no, refusal).into());
                }
                _ => {}
            }
            let placed = Placed::of(noted).ok_or_else(No::undecided)?;
            let fallen = match &wish {
                None => match attempt(&mut open, &placed).await {
                    Ok(answered) => return Ok((open, placed, answered)),
                    Err(failed) => Fallen::of(open, placed, failed),
                },
                // Boxed: what only some calls need is no part of every call.
                Some(wish) => match Box::pin(self.race(open, placed, wish, &attempt)).await {
                    Ok(answered) => return Ok(answered),
                    Err(fallen) => *fallen,
                },
            };
            if fallen.ours {
                // Dropping the call settles it with nothing used.
                return Err(No::busy("overloaded", "too many connections are open").into());
            }
            (open, next) = (fallen.open, fallen.next);
            if let Some(answer) = fallen.answer.filter(|_| is_rejected(&next)) {
                let (status, headers, body) = *answer;
                self.engine.durable(fallen.record).await;
                return Err(Unanswered::Passed(self.passed_on(status, &headers, body, &fallen.placed)));
            }
        }
    }

    /// Where a placed call goes.
    fn endpoint(&self, placed: &Placed) -> Option<Cow<'_, Endpoint>> {
        let index = placed.deployment.index();
        match self.setup.endpoints.get(index) {
            Some(endpoint) => endpoint.as_ref().map(Cow::Borrowed),
            // It came with a newer law. Numbers go on from law to law, so it is found in the newest.
            None => self.newest().endpoints.get(index).cloned().flatten().map(Cow::Owned),
        }
    }

    /// Opens a socket at one provider.
    async fn dial_socket(
        &self,
        asked: &Asked<'_>,
        open: &mut OpenCall,
        placed: &Placed,
    ) -> Result<Raw, Failed> {
        let broken = |error: String| Failed::broken(&error);
        let endpoint = self
            .endpoint(placed)
            .ok_or_else(|| broken("no endpoint is configured for this deployment".into()))?;
        if leaves_a_holder(&placed.decision) {
            self.engine.durable(placed.record).await;
        }
        let query = asked.socket_query(&endpoint.name);
        let path = endpoint.path(asked.route.operation, &asked.suffix, query.as_deref());
        let path = path.map_err(|error| broken(error.to_string()))?;
        let client = Client::new(PoolLimits::default());
        let mut renewed = false;
        loop {
            let head = self.head_for(asked, &endpoint, &path, &[], open.traceparent());
            let mut head = head.map_err(|error| broken(error.to_string()))?;
            let used = endpoint.authorise(&client, &mut head, &[]).await;
            let used = used.map_err(|error| Failed::unauthorised(&error))?;
            open.dialling();
            let opening = socket::open(&endpoint.target, head, &self.setup.budgets).await;
            match opening.map_err(|error| Failed::unanswered(&error))? {
                Opening::Open(raw) => {
                    open.answered();
                    return Ok(raw);
                }
                Opening::Refused { status, headers, .. }
                    if !renewed && endpoint.renew(used, status, &headers) =>
                {
                    renewed = true;
                }
                Opening::Refused { status, headers, body } => {
                    return Err(Failed::refused(asked.route.operation, status, headers, body));
                }
            }
        }
    }

    /// The call, as the core is told of it.
    fn arrival(&self, principal: &Principal, asked: &Asked<'_>, bound: Bound) -> Call {
        let tier = match &asked.content {
            Content::Json(peek) => tier_of(peek.service_tier),
            _ => tier_of(None),
        };
        let operation = asked.route.operation;
        let family = match operation {
            Operation::Store => Family::Store,
            Operation::Realtime | Operation::RealtimeSecrets | Operation::RealtimeCalls => Family::Realtime,
            _ => Family::Inference,
        };
        let Bound { input, input_most, max_output, media } = bound;
        Call {
            region: asked.region.clone(),
            home: asked.home,
            trains: operation == Operation::FineTuning,
            runs: asked.lines.as_ref().map(|lines| lines.model),
            key: principal.account,
            tier,
            family,
            input_most,
            media,
            // The engine numbers it.
            ..Call::new(CallId(0), principal.tenant, asked.model, input, max_output)
        }
    }

    /// A refusal for an account's sake names the account.
    fn named(&self, mut no: No, refusal: &Refusal) -> No {
        let account = match refusal {
            Refusal::Denied { account, .. }
            | Refusal::Spent { account, .. }
            | Refusal::Unpriced { account }
            | Refusal::Limited { account, .. } => *account,
            _ => return no,
        };
        let id = |known: &firstright_core::Known| known.account.id.clone();
        if let Some(id) = self.engine.read(|broker, _| broker.account(account).map(id)) {
            no.message =
                no.message.replacen(&format!("account {}", account.0), &format!("account `{id}`"), 1);
        }
        no
    }

    /// Sends the call to one provider and waits for the head of a good answer.
    async fn attempt(
        &self,
        client: &Client,
        asked: &Asked<'_>,
        open: &mut OpenCall,
        placed: &Placed,
    ) -> Result<Answered, Failed> {
        let Some(endpoint) = self.endpoint(placed) else {
            return Err(Failed::broken("no endpoint is configured for this deployment"));
        };
        // Nothing leaves a holder before its release is on record, and nobody is paid twice before that is.
        if leaves_a_holder(&placed.decision) || is_second(&placed.decision) {
            self.engine.durable(placed.record).await;
        }
        let operation = asked.route.operation;
        let mut inject =
            asked.content.stream() && !asked.content.include_usage() && operation.usage_on_request();
        let mut renewed = false;
        loop {
            let said = self.said(asked, &endpoint, placed, inject)?;
            let body = if said.body.is_empty() { Vec::new() } else { vec![said.body.clone()] };
            let head =
                self.head_for(asked, &endpoint, &said.path, &said.headers(&endpoint), open.traceparent());
            let mut head = head.map_err(|error| Failed::broken(&error.to_string()))?;
            let used = endpoint.authorise(client, &mut head, &body).await;
            let used = used.map_err(|error| Failed::unauthorised(&error))?;
            open.dialling();
            let sending = pin!(client.send(&endpoint.target, head, body, &self.setup.budgets));
            let sent = open.awaiting(asked.content.stream(), sending).await;
            let response = sent.map_err(|error| Failed::unanswered(&error))?;
            if !renewed && endpoint.renew(used, response.status, &response.headers) {
                // A token may be revoked before its end, a clock drift. Nothing was billed for the refusal: once more.
                renewed = true;
                continue;
            }
            if response.status.is_success() {
                open.answered();
                open.observed = observation_of(&limits_of(&response.headers));
                open.tier_is_capacity = said.heard.language == Some(Language::Gemini);
                return Ok(Answered { response, heard: said.heard });
            }
            let failed = Box::pin(Failed::answered(operation, &said.heard, response)).await;
            if !inject || !failed.rejects_stream_options() {
                return Err(failed);
            }
            // Some servers of this language do not know the wish for usage: asked once more without it, and settled by
            // count. Nothing was billed for the refusal.
            inject = false;
        }
    }

    /// The body as this provider takes it: its own name for the model, the wish for usage, and every other byte.
    pub(crate) fn body_for(
        &self,
        asked: &Asked<'_>,
        endpoint: &Endpoint,
        placed: &Placed,
        inject: bool,
    ) -> Bytes {
        if let Some(lines) = &asked.lines {
            return self.lines_for(
                lines,
                asked.body,
                self.newest().world.deployment(placed.deployment).provider,
            );
        }
        let (world, served) = (&self.setup.world, placed.model);
        let name = match &asked.own_name {
            Some(own) => Some(own.as_str()).filter(|_| !asked.names_model()),
            // What is kept is named by no model, unless the caller names one.
            None if asked.route.operation == Operation::Store && !asked.names_model() => None,
            None => {
                let renamed = endpoint.name != world.model(asked.model) || served != asked.model;
                (renamed || !asked.names_model()).then_some(endpoint.name.as_str())
            }
        };
        asked.body_with(name, inject)
    }

    /// The head, with those of the caller's headers that pass, and those that the language needs; the credential comes last.
    fn head_for(
        &self,
        asked: &Asked<'_>,
        endpoint: &Endpoint,
        path: &str,
        own: &[(&str, &str)],
        span: Option<[u8; 55]>,
    ) -> Result<RequestHead, BadHead> {
        let mut head = endpoint.head(asked.route.verb, path)?;
        for (name, value) in own {
            head.header(name, value.as_bytes())?;
        }
        let sets = |name: &HeaderName| {
            endpoint.sets(name)
                || !own.is_empty() && (*name == header::ACCEPT || own.iter().any(|(own, _)| name == own))
        };
        let traced = span.is_some() || Context::read(traceparent_of(asked.headers)).is_some();
        for (name, value) in asked.headers {
            let passes = match name.as_str() {
                // Ours stands for the caller's; what is no trace is not handed on, nor what is said of it.
                TRACEPARENT => traced && span.is_none(),
                "tracestate" => traced,
                name => forwards_request(name),
            };
            if (passes || self.setup.forward.contains(name)) && !sets(name) {
                head.header(name.as_str(), value.as_bytes())?;
            }
        }
        if let Some(span) = span {
            head.header(TRACEPARENT, &span)?;
        }
        Ok(head)
    }

    /// Answers with a provider's good answer: whole and settled, or as a stream that is settled at its end.
    async fn answer(
        &self,
        client: &Client,
        principal: &Principal,
        asked: &Asked<'_>,
        open: OpenCall,
        placed: &Placed,
        answered: Answered,
    ) -> Result<Answer, No> {
        let Answered { mut response, heard } = answered;
        let told = self.told(placed);
        let operation = heard.operation;
        let (status, headers) = (response.status, response.headers);
        let signer = self.signer(client, principal, asked, placed).await;
        let kind = Kind::of(&headers, &heard);
        if kind != Kind::Whole {
            // The first byte of the answer goes out only after the opening is on record.
            self.engine.durable(placed.record).await;
            let hook = match kind {
                Kind::Events if operation.is_metered() => {
                    let later = self.later(client, asked, placed, &heard);
                    heard.around(hook(operation, heard.injected, open, signer, later))
                }
                _ => {
                    let is_signed = kind == Kind::Events || output::is_content(&asked.route);
                    opaque(operation, open, signer.filter(|_| is_signed))
                }
            };
            let mut answer = Response::new(Reply::relay(response.body, hook));
            *answer.status_mut() = status;
            told.headers(&headers, answer.headers_mut());
            heard.retype(answer.headers_mut(), true);
            return Ok(answer);
        }
        let mut held = Held::new(self.gateway.bodies(), self.setup.held_bytes);
        let read = response.body.read_within(MAX_WHOLE_ANSWER, |bytes| held.take_for_answer(bytes)).await;
        let is_crowded = matches!(read, Err(BodyError::Crowded));
        let read = read.map_err(|error| error.to_string());
        let body = match read.and_then(|body| heard.whole(&headers, body).map_err(|error| error.to_string()))
        {
            Ok(body) => body,
            Err(error) => {
                // It was answered and may be billed, so nobody else is asked: settled by count.
                let mut open = open;
                let stepped = open.settle(None, Ending::Cut);
                self.engine.durable(stepped.record).await;
                return Err(if is_crowded { No::busy("overloaded", &error) } else { No::cut(&error) });
            }
        };
        let record = self.settled(client, asked, open, placed, &heard, &body);
        self.engine.durable(record).await;
        let body = signer.and_then(|mut signer| signer.push(&body)).map_or(body, Bytes::from);
        let body = heard.given(body).map_err(|error| No::cut(&error.to_string()))?;
        let mut answer = Response::new(Reply::whole(held.keep(body)));
        *answer.status_mut() = status;
        told.headers(&headers, answer.headers_mut());
        heard.retype(answer.headers_mut(), false);
        Ok(answer)
    }

    /// How a stream of a response in the background is followed once it is not read any more.
    fn later(&self, client: &Client, asked: &Asked<'_>, placed: &Placed, heard: &Heard) -> Option<Later> {
        let in_background = matches!(&asked.content, Content::Json(peek) if peek.pins.background);
        let endpoint = self.endpoint(placed).filter(|_| in_background && heard.is_plain())?.into_owned();
        let (client, setup) = (client.clone(), self.newest());
        let there = (endpoint, setup.world.deployment(placed.deployment).provider);
        Some(Box::new(move |open, beginning| match Pending::of_stream(beginning) {
            Some(pending) => follow::follow(pending, open, there, client, setup),
            None => Some(open),
        }))
    }

    /// Settles a whole answer by what it tells, or follows what it has only begun. Gives the record that has to be on disk
    /// before the answer goes out: that of the settlement, or of the opening.
    fn settled(
        &self,
        client: &Client,
        asked: &Asked<'_>,
        mut open: OpenCall,
        placed: &Placed,
        heard: &Heard,
        body: &[u8],
    ) -> u64 {
        let pending = Pending::of(asked.route.operation, &asked.suffix, body).filter(|_| heard.is_plain());
        if let (Some(pending), Some(endpoint)) = (pending, self.endpoint(placed)) {
            let setup = self.newest();
            let provider = setup.world.deployment(placed.deployment).provider;
            match follow::follow(pending, open, (endpoint.into_owned(), provider), client.clone(), setup) {
                None => return placed.record,
                Some(given_back) => open = given_back,
            }
        }
        let usage = if heard.operation.is_metered() {
            let reply = heard.reply(body);
            if bound::writes(heard.operation) {
                open.count(0, body.len().saturating_sub(ENVELOPE) as u64);
            }
            open.served_by(reply.as_ref().and_then(|reply| reply.service_tier));
            reply.and_then(|reply| usage_of(reply.usage))
        } else {
            // Nothing of a model's was used.
            Some(Usage::default())
        };
        open.settle(usage, Ending::Complete).record
    }

    /// Signs what the answer names, if it is kept where it was served.
    async fn signer(
        &self,
        client: &Client,
        principal: &Principal,
        asked: &Asked<'_>,
        placed: &Placed,
    ) -> Option<Signer> {
        if !asked.is_kept() {
            return None;
        }
        let setup = self.newest();
        if output::is_content(&asked.route) {
            let endpoint = self.endpoint(placed)?;
            if !output::is_of_batch(&asked.route, &asked.suffix, &endpoint, client, &setup).await {
                return None;
            }
        }
        let provider = setup.world.deployment(placed.deployment).provider;
        setup.homes.signer(&setup.world.tenant(principal.tenant).id, provider)
    }

    /// A provider's refusal of the request itself goes to the caller as it is: no other provider would take it.
    fn passed_on(&self, status: StatusCode, headers: &HeaderMap, body: Bytes, placed: &Placed) -> Answer {
        let mut answer = Response::new(Reply::whole(body));
        *answer.status_mut() = status;
        self.told(placed).headers(headers, answer.headers_mut());
        answer.headers_mut().insert("x-should-retry", HeaderValue::from_static("false"));
        answer
    }

    /// What the caller learns of the decision.
    fn told(&self, placed: &Placed) -> Told {
        let setup = self.newest();
        setup.labels.told(&setup.world, &placed.decision, placed.record, placed.deployment)
    }

    /// A decision may be of a newer law than the request began under, for instance after a wait. The newest knows the
    /// numbers of all before it, so what is said of a decision is said by it.
    fn newest(&self) -> Arc<Setup> {
        self.gateway.setup()
    }
}

fn traceparent_of(headers: &HeaderMap) -> &[u8] {
    headers.get(TRACEPARENT).map_or(b"", HeaderValue::as_bytes)
}

/// How an answer comes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// JSON: read whole, and settled by what it says.
    Whole,
    Events,
    /// Sound, films, files: bytes that say nothing to us.
    Bytes,
}

impl Kind {
    fn of(headers: &HeaderMap, heard: &Heard) -> Kind {
        let kind = headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
        let streams = heard.language.as_ref().map_or("text/event-stream", Language::stream_type);
        if kind.starts_with(streams.as_bytes()) {
            Kind::Events
        } else if kind.is_empty() || kind.starts_with(b"application/json") {
            Kind::Whole
        } else {
            Kind::Bytes
        }
    }
}

/// What no provider takes is answered with the provider's own words.
fn is_rejected(next: &Option<Noted>) -> bool {
    let rejected =
        |noted: &Noted| matches!(noted.decision.action, Action::Refuse { refusal: Refusal::Rejected, .. });
    next.as_ref().is_none_or(rejected)
}

/// Does the decision place the call away from a holder of a right?
fn leaves_a_holder(decision: &Decision) -> bool {
    matches!(&decision.action, Action::Serve { title, .. } if !title.releases().is_empty())
}
