//! What becomes of one request: who calls, what is asked, where it goes, and what comes back?

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use firstright_core::decision::{Action, Decision, Refusal};
use firstright_core::fact::{Ending, Fact};
use firstright_core::workload::Call;
use firstright_core::world::{DeploymentId, ModelId};
use firstright_engine::{Engine, Noted};
use firstright_wire::headers::forwards_request;
use firstright_wire::openai::request::{Peek, peek, rewrite};
use firstright_wire::openai::response;
use firstright_wire::operation::{Operation, PathRefused, Route};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;

use crate::answer::{Answer, hook, tier_of, usage_of};
use crate::attempt::{Failed, limits_of, observation_of};
use crate::endpoint::Endpoint;
use crate::keys::Principal;
use crate::listen::{RequestBodyError, read_whole};
use crate::open_call::OpenCall;
use crate::refuse::No;
use crate::relay::Reply;
use crate::setup::Setup;
use crate::told::Told;
use crate::upstream::{self, BadHead, Client, RequestHead};

/// Output tokens reserved for a request that bounds none: about the 90th percentile of real chat traffic (Azure's
/// conversation trace of 2023 has it at 458, and today's answers are longer).
const DEFAULT_MAX_OUTPUT: u64 = 1_024;
/// The longest answer that is read whole, in bytes: a batch of embeddings or of pictures.
const MAX_WHOLE_ANSWER: usize = 64 << 20;

/// What the handlers of all threads share.
#[derive(Debug)]
pub struct Gateway {
    /// The decisions.
    engine: Arc<Engine>,
    /// The configuration in force. Each request takes it once, at its start, and sees no other.
    setup: ArcSwap<Setup>,
}

/// One request on its way: the one version of the configuration that it sees, and the decisions.
struct Handling<'a> {
    engine: &'a Arc<Engine>,
    setup: &'a Setup,
}

/// What is asked, once everything about it is known.
struct Asked<'a> {
    operation: Operation,
    peek: Peek<'a>,
    body: &'a Bytes,
    headers: &'a HeaderMap,
    model: ModelId,
}

/// A good answer's head is here.
struct Answered {
    response: upstream::Response,
    /// We asked for usage in the stream and the caller did not: its event is withheld.
    injected: bool,
}

impl Gateway {
    /// A gateway with its first configuration.
    pub fn new(engine: Arc<Engine>, setup: Setup) -> Gateway {
        Gateway { engine, setup: ArcSwap::from_pointee(setup) }
    }

    /// Puts another configuration in force, at once and whole; what has begun goes on under the one before.
    pub fn put(&self, setup: Setup) {
        self.setup.store(Arc::new(setup));
    }

    /// The configuration in force.
    pub fn setup(&self) -> Arc<Setup> {
        self.setup.load_full()
    }

    /// Answers one request.
    pub async fn handle(self: Arc<Self>, client: Client, request: Request<Incoming>) -> Answer {
        let setup = self.setup();
        let handling = Handling { engine: &self.engine, setup: &setup };
        match handling.try_handle(&client, request).await {
            Ok(answer) => answer,
            Err(no) => no.answer(),
        }
    }
}

impl Handling<'_> {
    async fn try_handle(&self, client: &Client, request: Request<Incoming>) -> Result<Answer, No> {
        let (parts, body) = request.into_parts();
        if parts.uri.path() == "/healthz" {
            return Ok(Response::new(Reply::whole("ok\n")));
        }
        let route = Operation::from_path(parts.uri.path()).map_err(|refused| match refused {
            PathRefused::Malformed => No::bad(StatusCode::BAD_REQUEST, "bad_path", "failed to read the path"),
            PathRefused::Unknown => {
                No::bad(StatusCode::NOT_FOUND, "unknown_path", "nothing is served at this path")
            }
        })?;
        let principal = self.principal(&parts.headers)?;
        if route.operation == Operation::Models {
            return self.models(&parts.method, principal, route);
        }
        if parts.method != Method::POST {
            return Err(No::bad(StatusCode::METHOD_NOT_ALLOWED, "bad_method", "this path takes POST only"));
        }
        let body = read_whole(body, self.setup.body).await.map_err(|error| bad_body(&error))?;
        let asked = self.asked(route, principal, &parts.headers, &body)?;
        self.call(client, principal, &asked).await
    }

    /// Who calls. The key may stand in either header that OpenAI's and Azure's clients use.
    fn principal(&self, headers: &HeaderMap) -> Result<&Principal, No> {
        let bearer = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
        let bearer = bearer.and_then(|value| value.strip_prefix(b"Bearer "));
        let presented = bearer.or_else(|| headers.get("api-key").map(HeaderValue::as_bytes));
        presented.and_then(|key| self.setup.keys.find(key)).ok_or_else(|| {
            let mut no =
                No::bad(StatusCode::UNAUTHORIZED, "invalid_api_key", "the API key is missing or not known");
            no.kind = "authentication_error";
            no
        })
    }

    /// The models that the key may use.
    fn models(&self, method: &Method, principal: &Principal, route: Route<'_>) -> Result<Answer, No> {
        if method != Method::GET {
            return Err(No::bad(StatusCode::METHOD_NOT_ALLOWED, "bad_method", "this path takes GET only"));
        }
        let tenant = self.setup.world.tenant(principal.tenant);
        let may =
            |model: &&String| principal.may_use(model) && firstright_core::scope::any(&tenant.models, model);
        let shown = |model: &String| {
            let id = serde_json::Value::from(model.as_str());
            format!(r#"{{"id":{id},"object":"model","created":0,"owned_by":"firstright"}}"#)
        };
        let body = match route.model {
            Some(wanted) => {
                let found = self.setup.world.models.iter().filter(may).find(|model| *model == wanted);
                shown(found.ok_or_else(|| unknown_model(wanted))?)
            }
            None => {
                let models: Vec<String> = self.setup.world.models.iter().filter(may).map(shown).collect();
                format!(r#"{{"object":"list","data":[{}]}}"#, models.join(","))
            }
        };
        let mut response = Response::new(Reply::whole(body));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(response)
    }

    /// Reads what is asked, and refuses what can be refused without a decision.
    fn asked<'a>(
        &self,
        route: Route<'a>,
        principal: &Principal,
        headers: &'a HeaderMap,
        body: &'a Bytes,
    ) -> Result<Asked<'a>, No> {
        let operation = route.operation;
        let peek = peek(operation, body).map_err(|bad| {
            let mut no = No::bad(StatusCode::BAD_REQUEST, bad.code, format!("failed to {bad}"));
            no.param = bad.param.map(str::to_string);
            no
        })?;
        if let Some(key) = peek.steers_upstream {
            let message = format!("`{key}` is not taken: configuration alone says where a call goes");
            return Err(No::bad(StatusCode::BAD_REQUEST, "upstream_not_selectable", message));
        }
        if peek.previous_response_id.is_some() || peek.pins.any() {
            let message = "the request refers to something that one provider keeps, and which provider is not known: \
                           send what it refers to instead";
            return Err(No::bad(StatusCode::BAD_REQUEST, "home_unknown", message));
        }
        let name = route.deployment.or(peek.model.as_deref());
        let name = name.ok_or_else(|| {
            let mut no = No::bad(StatusCode::BAD_REQUEST, "missing_model", "the request names no `model`");
            no.param = Some("model".to_string());
            no
        })?;
        let model = self.setup.world.find_model(name).ok_or_else(|| unknown_model(name))?;
        if !principal.may_use(name) {
            let message = format!("this key may not use the model `{name}`");
            let mut no = No::bad(StatusCode::FORBIDDEN, "model_not_permitted", message);
            no.kind = "permission_error";
            return Err(no);
        }
        Ok(Asked { operation, peek, body, headers, model })
    }

    /// Opens the call and follows the core's decisions until it is answered.
    async fn call(&self, client: &Client, principal: &Principal, asked: &Asked<'_>) -> Result<Answer, No> {
        let region = match asked.headers.get("x-firstright-region").map(HeaderValue::to_str) {
            None => None,
            Some(Ok(region)) if region.len() <= 64 => Some(region.to_string()),
            Some(_) => {
                return Err(No::bad(
                    StatusCode::BAD_REQUEST,
                    "bad_region",
                    "failed to read `x-firstright-region`",
                ));
            }
        };
        let per_choice = asked.peek.max_output_tokens.unwrap_or(DEFAULT_MAX_OUTPUT);
        let output = if asked.operation == Operation::Embeddings { 0 } else { per_choice };
        let (tenant, model, input) = (principal.tenant, asked.model, asked.peek.estimated_input_tokens);
        let max_output = output.saturating_mul(asked.peek.choices.max(1));
        let tier = tier_of(asked.peek.service_tier);
        let make =
            |id| Fact::CallArrived(Call { region, tier, ..Call::new(id, tenant, model, input, max_output) });
        let Some((id, stepped)) = self.engine.submit_call(&self.setup.world, make) else {
            let mut no = No::bad(StatusCode::SERVICE_UNAVAILABLE, "law_changed", "the law changed just now");
            no.retry_after = Some(Duration::ZERO);
            return Err(no);
        };
        let mut open = OpenCall::new(Arc::clone(self.engine), id, input);
        let mut next = open.heed(stepped.record, stepped.decisions);
        loop {
            let Some(Noted { record, decision }) = next else {
                return Err(No::bad(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "no_decision",
                    "no decision was made",
                ));
            };
            let (deployment, served) = match &decision.action {
                Action::Serve { deployment, model, .. } => (*deployment, *model),
                Action::Queue { .. } => {
                    next = Some(open.queued().await);
                    continue;
                }
                Action::Refuse { refusal, .. } => {
                    // A refusal is an answer too: it goes out once it is on record.
                    self.engine.durable(record).await;
                    return Err(No::of(refusal, self.setup.world.model(asked.model), record));
                }
                _ => {
                    return Err(No::bad(
                        StatusCode::INTERNAL_SERVER_ERROR,
                        "no_decision",
                        "no decision was made",
                    ));
                }
            };
            match self.attempt(client, asked, &mut open, record, &decision, deployment, served).await {
                Ok(answered) => {
                    return self.answer(asked, open, record, &decision, deployment, answered).await;
                }
                Err(failed) => {
                    let stepped =
                        open.failed(failed.kind, failed.status, failed.retry_after, failed.evidence);
                    next = open.heed(stepped.record, stepped.decisions);
                    if let Some((status, headers, body)) = failed.answer.filter(|_| is_rejected(&next)) {
                        self.engine.durable(stepped.record).await;
                        return Ok(self.passed_on(status, &headers, body, &decision, record, deployment));
                    }
                }
            }
        }
    }

    /// Sends the call to one provider and waits for the head of a good answer.
    #[expect(clippy::too_many_arguments, reason = "an attempt's parts, each named")]
    async fn attempt(
        &self,
        client: &Client,
        asked: &Asked<'_>,
        open: &mut OpenCall,
        record: u64,
        decision: &Decision,
        deployment: DeploymentId,
        served: ModelId,
    ) -> Result<Answered, Failed> {
        let endpoint = self.setup.endpoints.get(deployment.index()).and_then(Option::as_ref);
        let Some(endpoint) = endpoint else {
            return Err(Failed::broken("no endpoint is configured for this deployment"));
        };
        // Nothing leaves a holder before its release is on record.
        if leaves_a_holder(decision) {
            self.engine.durable(record).await;
        }
        let path = endpoint.path(asked.operation).map_err(|error| Failed::broken(&error.to_string()))?;
        let mut inject = asked.peek.stream && !asked.peek.include_usage && asks_for_usage(asked.operation);
        let mut renewed = false;
        loop {
            let body = vec![self.body_for(asked, &endpoint.name, served, inject)];
            let head = self.head_for(asked, endpoint, &path);
            let mut head = head.map_err(|error| Failed::broken(&error.to_string()))?;
            let used = endpoint.authorise(client, &mut head, &body).await;
            let used = used.map_err(|error| Failed::unauthorised(&error))?;
            open.dialling();
            let sent = client.send(&endpoint.target, head, body, &self.setup.budgets).await;
            let response = sent.map_err(|error| Failed::unanswered(&error))?;
            if response.status == StatusCode::UNAUTHORIZED && !renewed && endpoint.renew(used) {
                // A token may be revoked before its end. Nothing was billed for the refusal: once more with a new one.
                renewed = true;
                continue;
            }
            if response.status.is_success() {
                open.answered();
                open.observed = observation_of(&limits_of(&response.headers));
                return Ok(Answered { response, injected: inject });
            }
            let failed = Failed::answered(response).await;
            if !inject || !failed.rejects_stream_options() {
                return Err(failed);
            }
            // Some servers of this language do not know the wish for usage: asked once more without it, and settled by
            // count. Nothing was billed for the refusal.
            inject = false;
        }
    }

    /// The body as this provider takes it: its own name for the model, the wish for usage, and every other byte.
    fn body_for(&self, asked: &Asked<'_>, name: &str, served: ModelId, inject: bool) -> Bytes {
        let renamed = name != self.setup.world.model(asked.model) || served != asked.model;
        let name = (renamed || asked.peek.model.is_none()).then_some(name);
        if name.is_none() && !inject {
            return asked.body.clone();
        }
        Bytes::from(rewrite(asked.body, &asked.peek, name, inject).to_vec())
    }

    /// The head, with the provider's credential and those of the caller's headers that pass.
    fn head_for(&self, asked: &Asked<'_>, endpoint: &Endpoint, path: &str) -> Result<RequestHead, BadHead> {
        let mut head = endpoint.head(path)?;
        for (name, value) in asked.headers {
            if forwards_request(name.as_str()) || self.setup.forward.contains(name) {
                head.header(name.as_str(), value.as_bytes())?;
            }
        }
        Ok(head)
    }

    /// Answers with a provider's good answer: whole and settled, or as a stream that is settled at its end.
    async fn answer(
        &self,
        asked: &Asked<'_>,
        mut open: OpenCall,
        record: u64,
        decision: &Decision,
        deployment: DeploymentId,
        answered: Answered,
    ) -> Result<Answer, No> {
        let Answered { mut response, injected } = answered;
        let told = self.told(decision, record, deployment);
        let (status, headers) = (response.status, response.headers);
        if is_event_stream(&headers) {
            // The first byte of the answer goes out only after the opening is on record.
            self.engine.durable(record).await;
            let mut answer =
                Response::new(Reply::relay(response.body, hook(asked.operation, injected, open)));
            *answer.status_mut() = status;
            told.headers(&headers, answer.headers_mut());
            return Ok(answer);
        }
        let body = match response.body.read_whole(MAX_WHOLE_ANSWER).await {
            Ok(body) => body,
            Err(error) => {
                // It was answered and may be billed, so nobody else is asked: settled by count.
                let stepped = open.settle(None, Ending::Cut);
                self.engine.durable(stepped.record).await;
                let message = format!("the provider broke off: {error}");
                let mut no = No::bad(StatusCode::BAD_GATEWAY, "upstream_cut", message);
                no.kind = "api_error";
                return Err(no);
            }
        };
        let reply = response::read(asked.operation, &body).ok();
        open.tier = tier_of(reply.as_ref().and_then(|reply| reply.service_tier));
        let usage = reply.and_then(|reply| usage_of(reply.usage));
        let stepped = open.settle(usage, Ending::Complete);
        self.engine.durable(stepped.record).await;
        let mut answer = Response::new(Reply::whole(body));
        *answer.status_mut() = status;
        told.headers(&headers, answer.headers_mut());
        Ok(answer)
    }

    /// A provider's refusal of the request itself goes to the caller as it is: no other provider would take it.
    fn passed_on(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: Bytes,
        decision: &Decision,
        record: u64,
        deployment: DeploymentId,
    ) -> Answer {
        let mut answer = Response::new(Reply::whole(body));
        *answer.status_mut() = status;
        self.told(decision, record, deployment).headers(headers, answer.headers_mut());
        answer.headers_mut().insert("x-should-retry", HeaderValue::from_static("false"));
        answer
    }

    /// What the caller learns of the decision.
    fn told(&self, decision: &Decision, record: u64, deployment: DeploymentId) -> Told {
        self.setup.labels.told(&self.setup.world, decision, record, deployment)
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

/// Does the stream tell its usage only when asked?
fn asks_for_usage(operation: Operation) -> bool {
    operation.usage_on_request()
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"))
}

fn unknown_model(name: &str) -> No {
    let shown: String = name.chars().take(128).collect();
    let mut no =
        No::bad(StatusCode::NOT_FOUND, "model_not_found", format!("no agreement names the model `{shown}`"));
    no.param = Some("model".to_string());
    no
}

fn bad_body(error: &RequestBodyError) -> No {
    let (status, code) = match error {
        RequestBodyError::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
        _ => (StatusCode::BAD_REQUEST, "bad_body"),
    };
    No::bad(status, code, format!("failed to {error}"))
}
