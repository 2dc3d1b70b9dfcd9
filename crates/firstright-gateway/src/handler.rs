//! What becomes of one request: who calls, what is asked, where it goes, and what comes back?

use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use firstright_engine::Engine;
use firstright_wire::operation::{Operation, PathRefused, Route};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use sha2::{Digest, Sha256};

use crate::answer::Answer;
use crate::bound;
use crate::capacity;
use crate::form;
use crate::held::{Bodies, Held};
use crate::idempotency::{Answers, Asked};
use crate::keep::Handled;
use crate::keys::Principal;
use crate::listen::{BodyLimits, RequestBodyError, discard, read_within};
use crate::ready::Readiness;
use crate::refuse::No;
use crate::relay::Reply;
use crate::setup::Setup;
use crate::socket::{self, Session};
use crate::telemetry::{Telemetry, Trail};
use crate::upstream::Client;

/// So often a request is read anew because the law changed between its reading and its decision. A reload swaps law and
/// configuration one behind the other within microseconds.
const MAX_READINGS: u32 = 64;

/// What the handlers of all threads share.
#[derive(Debug)]
pub struct Gateway {
    /// The decisions.
    engine: Arc<Engine>,
    /// The configuration in force. Each request takes it once, at its start, and sees no other. What is followed for hours
    /// looks each time.
    setup: Arc<ArcSwap<Setup>>,
    /// Whether new work is wanted.
    ready: Readiness,
    /// What is told of requests.
    telemetry: Arc<Telemetry>,
    /// Answers that may be asked for again.
    answers: Arc<Answers>,
    /// The bodies that are held now.
    bodies: Arc<Bodies>,
}

/// One request on its way: the one version of the configuration that it sees, and the decisions.
pub(crate) struct Handling<'a> {
    pub gateway: &'a Gateway,
    pub trail: &'a Trail,
    pub engine: &'a Arc<Engine>,
    pub setup: &'a Setup,
}

/// Why there is no answer yet.
pub(crate) enum Unanswered {
    /// There will be none but this.
    No(Box<No>),
    /// A provider's own words.
    Passed(Answer),
    /// The law changed before the call was opened: nothing has happened, and it is to be read anew.
    Stale,
}

impl From<No> for Unanswered {
    fn from(no: No) -> Unanswered {
        Unanswered::No(Box::new(no))
    }
}

impl Gateway {
    /// A gateway with its first configuration.
    pub fn new(engine: Arc<Engine>, setup: Setup) -> Gateway {
        let (answers, bodies) = (Arc::default(), Arc::<Bodies>::default());
        let telemetry = Arc::new(Telemetry::new(&setup, Arc::clone(&bodies)));
        Gateway {
            engine,
            setup: Arc::new(ArcSwap::from_pointee(setup)),
            ready: Readiness::default(),
            telemetry,
            answers,
            bodies,
        }
    }

    /// Puts another configuration in force, at once and whole; what has begun goes on under the one before.
    pub fn put(&self, setup: Setup) {
        self.telemetry.put(&setup);
        self.setup.store(Arc::new(setup));
    }

    /// The configuration in force.
    pub fn setup(&self) -> Arc<Setup> {
        self.setup.load_full()
    }

    /// Where the configuration in force is found.
    pub(crate) fn in_force(&self) -> Arc<ArcSwap<Setup>> {
        Arc::clone(&self.setup)
    }

    /// Whether new work is wanted.
    pub fn readiness(&self) -> &Readiness {
        &self.ready
    }

    /// What is told of requests.
    pub fn telemetry(&self) -> &Arc<Telemetry> {
        &self.telemetry
    }

    /// The bodies that are held.
    pub fn bodies(&self) -> &Arc<Bodies> {
        &self.bodies
    }

    /// The decisions.
    pub(crate) fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Answers one request.
    pub fn handle(self: Arc<Self>, client: Client, request: Request<Incoming>) -> Handled {
        Handled::new(self.answer(client, request))
    }

    async fn answer(self: Arc<Self>, client: Client, request: Request<Incoming>) -> Answer {
        match request.uri().path() {
            "/healthz" => return Response::new(Reply::whole("ok\n")),
            "/readyz" => return self.ready.answer(),
            _ => {}
        }
        let trail = Trail::of(&self.telemetry, &request);
        let is_anthropics = request.uri().path().contains("/v1/messages");
        let answered = match request.uri().path() {
            capacity::PATH => self.capacity(&request, &trail),
            _ => self.answered(&client, request, &trail).await,
        };
        let (answer, code) = match answered {
            Ok(answer) => (answer, None),
            Err(no) => {
                let code = no.code;
                (if is_anthropics { no.answer_in_anthropics() } else { no.answer() }, Some(code))
            }
        };
        trail.said(answer.status().as_u16(), code);
        answer
    }

    async fn answered(
        self: &Arc<Self>,
        client: &Client,
        request: Request<Incoming>,
        trail: &Trail,
    ) -> Result<Answer, No> {
        let (parts, body) = request.into_parts();
        let route = match Route::read(parts.method.as_str(), parts.uri.path()) {
            Ok(route) => route,
            Err(path) => {
                discard(body).await;
                return Err(refused(path));
            }
        };
        let setup = self.setup();
        // Nothing of a body is kept for who is not known.
        let handling = Handling { gateway: self, trail, engine: &self.engine, setup: &setup };
        let principal = match handling.principal(&parts.headers) {
            Ok(principal) => principal,
            Err(no) => {
                discard(body).await;
                return Err(no);
            }
        };
        trail.asked_by(principal.tenant, &principal.key, Some(route.operation));
        if route.operation == Operation::Models {
            return handling.models(&principal, route);
        }
        if route.is_socket() {
            let (principal, operation) = (Principal::clone(&principal), route.operation);
            // What is rare is boxed: every request's future would be as large as its largest part.
            return Box::pin(self.socket(setup, trail, principal, operation, parts)).await;
        }
        let limits = if is_form(&parts.headers) { setup.form } else { setup.body };
        let mut held = Held::new(&self.bodies, setup.held_bytes);
        let body = held_whole(body, limits, &mut held, &parts.headers).await?;
        let key = parts.headers.get("idempotency-key").filter(|_| parts.method == http::Method::POST);
        let claim = match key {
            None => None,
            Some(key) => match self.answers.claim(&principal, key.as_bytes(), digest(&parts, &body))? {
                Asked::First(claim) => Some(claim),
                Asked::Again(answer) => return Ok(answer),
            },
        };
        let answer = self.called(client, route, &parts, &body, trail).await?;
        claim.into_iter().for_each(|claim| claim.keep(&answer));
        Ok(answer)
    }

    /// Reads what is asked under the configuration in force, and carries it out. If the law changes in between, nothing has
    /// happened yet, and it is read anew.
    async fn called(
        &self,
        client: &Client,
        route: Route<'_>,
        parts: &Parts,
        body: &Bytes,
        trail: &Trail,
    ) -> Result<Answer, No> {
        for _ in 0..MAX_READINGS {
            let setup = self.setup();
            let handling = Handling { gateway: self, trail, engine: &self.engine, setup: &setup };
            let principal = &*handling.principal(&parts.headers)?;
            let form = match form::boundary(&parts.headers)? {
                Some(boundary) => {
                    Some(Box::pin(handling.unsigned_form(&route, principal, boundary, body)).await?)
                }
                None => None,
            };
            let mut unsigned = handling.unsigned(&route, principal, parts, body, form)?;
            if principal.bounded {
                bound::cap(route.operation, &mut unsigned.body);
            }
            let asked = handling.asked(route, principal, parts, body, &unsigned)?;
            if route.operation == Operation::CountTokens {
                return Ok(asked.counted());
            }
            trail.asked_for(asked.model, asked.content.stream());
            match handling.call(client, principal, &asked).await {
                Ok(answer) => return Ok(answer),
                Err(Unanswered::No(no)) => return Err(*no),
                Err(Unanswered::Passed(answer)) => return Ok(answer),
                Err(Unanswered::Stale) => tokio::task::yield_now().await,
            }
        }
        Err(No::busy("law_changing", "the law is being changed"))
    }

    /// Takes a connection over for a session. A realtime one has its home from the start, by the model in its query.
    async fn socket(
        self: &Arc<Self>,
        setup: Arc<Setup>,
        trail: &Trail,
        principal: Principal,
        operation: Operation,
        mut parts: Parts,
    ) -> Result<Answer, No> {
        let wish = socket::wish(&mut parts)?;
        let mut session = Session::new(Arc::clone(self), setup, trail.clone(), principal, operation, parts);
        if operation == Operation::Realtime {
            session.place(Bytes::new()).await?;
        }
        Ok(wish.grant(session))
    }
}

impl Gateway {
    /// How those stand that may serve the caller's tenant.
    fn capacity(&self, request: &Request<Incoming>, trail: &Trail) -> Result<Answer, No> {
        if request.method() != http::Method::GET {
            return Err(refused(PathRefused::Method));
        }
        let setup = self.setup();
        let handling = Handling { gateway: self, trail, engine: &self.engine, setup: &setup };
        let principal = handling.principal(request.headers())?;
        trail.asked_by(principal.tenant, &principal.key, None);
        let shown = capacity::of_tenant(&self.engine, principal.tenant, |model| principal.may_use(model));
        let mut response = Response::new(Reply::whole(shown.to_string()));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(response)
    }
}

impl Handling<'_> {
    /// Who calls. The key may stand in any header that OpenAI's, Azure's and Anthropic's clients use.
    fn principal(&self, headers: &HeaderMap) -> Result<Arc<Principal>, No> {
        let bearer = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
        let bearer = bearer.and_then(|value| value.strip_prefix(b"Bearer "));
        let other = || ["api-key", "x-api-key"].iter().find_map(|name| headers.get(*name));
        let presented = bearer.or_else(|| other().map(HeaderValue::as_bytes));
        let presented = presented.or_else(|| socket::key_in_protocol(headers));
        presented.and_then(|key| self.setup.keys.find(key, self.engine, &self.setup.world)).ok_or_else(|| {
            let mut no =
                No::bad(StatusCode::UNAUTHORIZED, "invalid_api_key", "the API key is missing or not known");
            no.kind = "authentication_error";
            no
        })
    }

    /// The models that the key may use.
    fn models(&self, principal: &Principal, route: Route<'_>) -> Result<Answer, No> {
        let tenant = self.setup.world.tenant(principal.tenant);
        let may =
            |model: &&String| principal.may_use(model) && firstright_core::scope::any(&tenant.models, model);
        let shown = |model: &String| {
            let id = serde_json::Value::from(model.as_str());
            format!(r#"{{"id":{id},"object":"model","created":0,"owned_by":"firstright"}}"#)
        };
        let body = match route.model() {
            Some(wanted) => {
                let found = self.setup.world.names_of_models().filter(may).find(|model| *model == wanted);
                shown(found.ok_or_else(|| No::unknown_model(wanted))?)
            }
            None => {
                let models: Vec<String> = self.setup.world.names_of_models().filter(may).map(shown).collect();
                format!(r#"{{"object":"list","data":[{}]}}"#, models.join(","))
            }
        };
        let mut response = Response::new(Reply::whole(body));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(response)
    }
}

/// What makes two requests the same: method, path, query and body.
fn digest(parts: &Parts, body: &[u8]) -> [u8; 32] {
    let target = parts.uri.path_and_query().map_or("", http::uri::PathAndQuery::as_str);
    let head = Sha256::new().chain_update(parts.method.as_str()).chain_update([0]).chain_update(target);
    head.chain_update([0]).chain_update(body).finalize().into()
}

/// Files come as forms, and may be larger than what is said in JSON.
fn is_form(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"multipart/form-data"))
}

fn refused(path: PathRefused) -> No {
    match path {
        PathRefused::Malformed => No::bad(StatusCode::BAD_REQUEST, "bad_path", "failed to read the path"),
        PathRefused::Unknown => {
            No::bad(StatusCode::NOT_FOUND, "unknown_path", "nothing is served at this path")
        }
        PathRefused::Method => {
            No::bad(StatusCode::METHOD_NOT_ALLOWED, "bad_method", "this path does not take this method")
        }
        PathRefused::Administrative => {
            let message = "this administers the provider's own account, which is the operator's business with the \
                           provider: ask it there";
            let mut no = No::bad(StatusCode::FORBIDDEN, "operator_only", message);
            no.kind = "permission_error";
            no
        }
    }
}

/// Reads a body, if there is room for it.
async fn held_whole(
    mut body: Incoming,
    limits: BodyLimits,
    held: &mut Held,
    headers: &HeaderMap,
) -> Result<Bytes, No> {
    if !held.would_fit(announced(&body)) {
        // Whoever waits to be told to go on is told no instead.
        if !headers.contains_key(header::EXPECT) {
            discard(body).await;
        }
        return Err(crowded());
    }
    match read_within(&mut body, limits, |bytes| held.take(bytes)).await {
        Ok(body) => Ok(body),
        Err(error) => {
            if error == RequestBodyError::Crowded {
                held.release();
                discard(body).await;
            }
            Err(bad_body(&error))
        }
    }
}

/// What a body says of its length; nothing if it comes in chunks.
fn announced(body: &Incoming) -> usize {
    let exact = http_body::Body::size_hint(body).exact();
    exact.map_or(0, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX))
}

fn crowded() -> No {
    No::busy("overloaded", "too many large requests are being read")
}

fn bad_body(error: &RequestBodyError) -> No {
    let (status, code) = match error {
        RequestBodyError::Crowded => return crowded(),
        RequestBodyError::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
        _ => (StatusCode::BAD_REQUEST, "bad_body"),
    };
    No::bad(status, code, format!("failed to {error}"))
}
