//! What happens to one request? Reads it, asks the model, and gives back what the model said.

use std::sync::Arc;

use bytes::Bytes;
use firstright_sim::cloud::{Answer, Call, CapacitySpec, Deployed, Dialect, Operation, Refusal, Verdict};
use firstright_sim::rng::{Purpose, Rng};
use firstright_wire::bedrock::INPUT_TOKENS_HEADER;
use http::request::Parts;
use http::response::Builder;
use http::{HeaderMap, Method, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;

use super::answer::{self, Meta};
use super::body::{AnswerBody, Broken};
use super::files::{Found, boundary_of};
use super::refusal::{Reject, refused_json};
use super::request::{self, Asked, TOKENS_HEADER};
use super::route::{Route, route};
use super::shared::{Serving, Shared};
use super::stream::{Script, Shape, Stream};
use super::vectors::{self, Words};
use super::{chat, control, converse, generate, generic, headers, messages, responses};

/// The largest body that Azure takes is about this.
const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

/// How long a body may take to arrive.
const BODY_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

/// A prompt that contains this word trips Azure's content filter.
const FILTERED_WORD: &str = "sandbox-content-filter";

const JSON: &str = "application/json";

const EVENT_STREAM: &str = "application/vnd.amazon.eventstream";

type Answered = Result<Response<AnswerBody>, Broken>;

pub(super) async fn handle(index: usize, peers: Arc<[Arc<Shared>]>, request: Request<Incoming>) -> Answered {
    let shared = peers[index].clone();
    if request.uri().path() == control::PATH {
        return Ok(controlled(index, &peers, request).await);
    }
    let dialect = shared.cloud().spec().dialect;
    let (head, body) = request.into_parts();
    let rejected = |reject: Reject| Ok(reject_with(&shared, dialect, None, &reject));
    if !has_key(&shared, dialect, &head.headers) {
        return rejected(Reject::Key);
    }
    let (operation, named, streams) = match route(dialect, head.uri.path(), head.uri.query()) {
        None => return rejected(Reject::Path),
        Some(Route::Models) if head.method == Method::GET => return Ok(models(&shared)),
        Some(Route::Files { id, content }) => {
            return files(&shared, dialect, &head, (id, content), body).await;
        }
        Some(Route::Call { operation, deployment, stream }) if head.method == Method::POST => {
            (operation, deployment, stream)
        }
        Some(_) => return rejected(Reject::Method),
    };
    let body = match read_body(body).await {
        Ok(body) => body,
        Err(Some(reject)) => return rejected(reject),
        Err(None) => return Err(Broken),
    };
    let forced = head.headers.get(TOKENS_HEADER).map(|value| value.to_str().unwrap_or("?"));
    let asked = match request::read((dialect, operation, head.uri.path()), &body, forced) {
        Ok(asked) => Asked { stream: asked.stream || streams, ..asked },
        Err(message) => return rejected(Reject::Body(message)),
    };
    let Some(name) = named.or(asked.model.as_deref()) else {
        return rejected(Reject::Body("you must provide a model parameter".to_owned()));
    };
    // Amazon's names have a colon, which is not itself in a path.
    let name = name.replace("%3A", ":");
    let found = shared.cloud().find(&name, operation);
    let Some(deployment) = found else {
        return rejected(Reject::Model(name));
    };
    if dialect == Dialect::Azure && contains(&body, FILTERED_WORD.as_bytes()) {
        return Ok(reject_with(&shared, dialect, Some(deployment), &Reject::ContentFilter));
    }
    let spill_to = head.headers.get("x-ms-spillover-deployment").and_then(|value| value.to_str().ok());
    let call = Call {
        operation,
        deployment,
        prompt_tokens: asked.prompt_tokens,
        cached_tokens: asked.forced_cached,
        max_tokens: asked.max_tokens,
        output_tokens: asked.forced_output,
        spill_to,
    };
    let at_ns = shared.clock.now_ns();
    let verdict = shared.cloud().call(at_ns, &call);
    match verdict {
        Verdict::Serve(answer) => serve(shared, operation, &asked, answer).await,
        Verdict::Refuse(refusal) => Ok(refuse(&shared, dialect, &refusal)),
        Verdict::Hang => Err(Broken),
    }
}

async fn serve(shared: Arc<Shared>, operation: Operation, asked: &Asked, answer: Answer) -> Answered {
    let (mut builder, meta, rng) = opening(&shared, &answer);
    let clock = shared.clock;
    let first_token = clock.wall(answer.first_token_ns);
    let Answer { ticket, output_tokens: tokens, mut pacing, cut_after_chunks, stall, .. } = answer;
    let mut serving = Serving::new(shared, ticket);
    if asked.stream {
        let dialect = meta.dialect;
        let shape = match (dialect, operation) {
            (Dialect::Anthropic, _) => Shape::Messages(messages::Events(meta)),
            (Dialect::Bedrock, _) => Shape::Converse(converse::Messages(meta)),
            (Dialect::Gemini, _) => Shape::Generate(generate::Events(meta)),
            (Dialect::Oci, _) => Shape::Generic(generic::Events(meta, asked.format)),
            (_, Operation::Responses) => Shape::Responses(responses::Events::new(meta)),
            _ => Shape::Chat(chat::Chunks::new(meta, asked.include_usage, asked.called.clone())),
        };
        // Headers and preamble come some time before the first token, so that nobody takes them for it.
        tokio::time::sleep(first_token * 2 / 3).await;
        let script = Script { tokens, pacing, cut_after_chunks, stall };
        let stream = Stream::new(serving, shape, script, first_token / 3);
        let kind = if dialect == Dialect::Bedrock { EVENT_STREAM } else { "text/event-stream" };
        return Ok(built(builder, kind, AnswerBody::Stream(Box::new(stream))));
    }
    let gaps_ns = (0..tokens).fold(0_u64, |sum, _| sum.saturating_add(pacing.next_gap_ns()));
    let stall_ns = stall.map_or(0, |stall| stall.for_ns);
    tokio::time::sleep(first_token + clock.wall(gaps_ns) + clock.wall(stall_ns)).await;
    serving.emitted = tokens;
    if meta.dialect == Dialect::Bedrock && operation == Operation::Embeddings {
        builder = builder.header(INPUT_TOKENS_HEADER, meta.usage.prompt);
    }
    let text = Bytes::from(match (meta.dialect, operation) {
        (_, Operation::Embeddings) if asked.words != Words::OpenAi => vectors::whole(&meta, asked, rng),
        (Dialect::Anthropic, _) => messages::whole(&meta, tokens),
        (Dialect::Bedrock, _) => converse::whole(&meta, tokens),
        (Dialect::Gemini, _) => generate::whole(&meta, tokens),
        (Dialect::Oci, _) => generic::whole(&meta, tokens, asked.format),
        (_, Operation::Chat) => chat::whole(&meta, tokens, asked.called.as_ref()),
        (_, Operation::Responses) => responses::whole(&meta, tokens),
        (_, Operation::Embeddings) => {
            answer::embeddings(&meta, asked.results, asked.dimensions, asked.base64, rng)
        }
        (_, Operation::Images) => answer::images(&meta, asked.results),
    });
    let body = match cut_after_chunks {
        Some(_) => AnswerBody::halved(&text, serving),
        None => AnswerBody::Whole(text, Some(serving)),
    };
    Ok(built(builder, JSON, body))
}

/// Headers, what every shape carries, and the numbers that its content is drawn from.
fn opening(shared: &Shared, answer: &Answer) -> (Builder, Meta, Rng) {
    let cloud = shared.cloud();
    let number = answer.ticket.number();
    let id = request_id(cloud.stream(Purpose::RequestId, number).draw());
    let builder = headers::common(Response::builder(), &cloud, &id);
    let builder = headers::served(builder, &cloud, answer.served_by, answer.spilled_from);
    let dialect = cloud.spec().dialect;
    let builder = headers::gauge(builder, &shared.clock, dialect, answer.gauge);
    let deployment = cloud.deployment(answer.served_by);
    let mut rng = cloud.stream(Purpose::Text, number);
    let meta = Meta {
        id,
        created: shared.clock.unix_s(),
        model: deployment.model.clone(),
        dialect,
        provisioned: matches!(deployment.capacity, CapacitySpec::Provisioned(_)),
        text: rng.draw(),
        at_limit: answer.at_limit,
        usage: answer.usage,
    };
    (builder, meta, rng)
}

fn refuse(shared: &Shared, dialect: Dialect, refusal: &Refusal) -> Response<AnswerBody> {
    let cloud = shared.cloud();
    let wait_ms = refusal.retry_after_ns.map(|wait| shared.clock.wall_ms(wait).max(1));
    let id = request_id(cloud.stream(Purpose::RequestId, cloud.calls()).draw());
    let builder = Response::builder().status(refusal.reason.status());
    let mut builder = headers::common(builder, &cloud, &id);
    builder = headers::served(builder, &cloud, refusal.by, None);
    builder = headers::gauge(builder, &shared.clock, dialect, refusal.gauge);
    builder = headers::error_type(builder, dialect, refusal.reason.status());
    if let Some(wait_ms) = wait_ms {
        builder = headers::retry_after(builder, dialect, wait_ms);
    }
    if let Some(reason) = refusal.spill_failed {
        builder = builder.header("x-ms-spillover-error", reason.status());
    }
    let json = refused_json(dialect, refusal, wait_ms.unwrap_or(0).div_ceil(1_000));
    built(builder, JSON, AnswerBody::text(json))
}

fn reject_with(
    shared: &Shared,
    dialect: Dialect,
    by: Option<Deployed>,
    reject: &Reject,
) -> Response<AnswerBody> {
    let mut cloud = shared.cloud();
    cloud.reject(by);
    // No call of the model, so its number serves for the id: the refusals so far.
    let id = request_id(cloud.stream(Purpose::RequestId, u64::MAX - cloud.total().rejected).draw());
    let status = reject.status(dialect);
    let builder = headers::common(Response::builder().status(status), &cloud, &id);
    let builder = headers::error_type(builder, dialect, status);
    built(builder, JSON, AnswerBody::text(reject.json(dialect)))
}

fn models(shared: &Shared) -> Response<AnswerBody> {
    let cloud = shared.cloud();
    let builder = headers::common(Response::builder(), &cloud, &request_id(0));
    built(builder, JSON, AnswerBody::text(answer::models(&cloud, shared.clock.unix_s())))
}

async fn files(
    shared: &Shared,
    dialect: Dialect,
    head: &Parts,
    path: (Option<&str>, bool),
    body: Incoming,
) -> Answered {
    let rejected = |reject: Reject| Ok(reject_with(shared, dialect, None, &reject));
    let body = match read_body(body).await {
        Ok(body) => body,
        Err(Some(reject)) => return rejected(reject),
        Err(None) => return Err(Broken),
    };
    let kind = head.headers.get("content-type").and_then(|kind| kind.to_str().ok());
    let boundary = kind.and_then(boundary_of);
    let found = shared.files().answer(&head.method, path, boundary, &body, shared.clock.unix_s());
    let builder = headers::common(Response::builder(), &shared.cloud(), &request_id(0));
    match found {
        Found::Json(json) => Ok(built(builder, JSON, AnswerBody::text(json.to_string()))),
        Found::Content(bytes) => Ok(built(builder, "application/octet-stream", AnswerBody::text(bytes))),
        Found::Missing => rejected(Reject::Path),
        Found::Method => rejected(Reject::Method),
        Found::Bad(wrong) => rejected(Reject::Body(wrong)),
    }
}

async fn controlled(index: usize, peers: &[Arc<Shared>], request: Request<Incoming>) -> Response<AnswerBody> {
    let say =
        |status: u16, json: String| built(Response::builder().status(status), JSON, AnswerBody::text(json));
    let error = |status, message: &str| {
        say(status, serde_json::json!({ "error": { "message": message } }).to_string())
    };
    let shared = match control::chosen(request.uri().query()) {
        None => Some(&peers[index]),
        Some(name) => peers.iter().find(|peer| peer.cloud().spec().name == name),
    };
    let Some(shared) = shared else { return error(404, "no cloud of that name") };
    match *request.method() {
        Method::GET => say(200, control::get(shared)),
        Method::PUT => match read_body(request.into_body()).await {
            Err(_) => error(400, "failed to read the body"),
            Ok(body) => match control::put(shared, &body) {
                Ok(()) => say(200, control::get(shared)),
                Err(message) => error(400, &message),
            },
        },
        _ => error(405, "only GET and PUT"),
    }
}

/// An error without a rejection means that the client left.
async fn read_body(body: Incoming) -> Result<Bytes, Option<Reject>> {
    if body.size_hint().lower() > MAX_BODY_BYTES as u64 {
        return Err(Some(Reject::TooLarge));
    }
    match tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, MAX_BODY_BYTES).collect()).await {
        Err(_) => Err(Some(Reject::TooSlow)),
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Some(Reject::TooLarge)),
        Ok(Err(_)) => Err(None),
    }
}

fn has_key(shared: &Shared, dialect: Dialect, headers: &HeaderMap) -> bool {
    let said = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = said("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let own = match dialect {
        Dialect::Azure => said("api-key"),
        Dialect::Anthropic => said("x-api-key").filter(|_| headers.contains_key("anthropic-version")),
        Dialect::Gemini => said("x-goog-api-key"),
        Dialect::Openai | Dialect::Bedrock | Dialect::Oci => None,
    };
    let given = own.or(bearer.filter(|_| dialect != Dialect::Anthropic));
    given.is_some_and(|given| shared.cloud().spec().keys.iter().any(|key| key == given))
}

/// Names in a spec are plain ASCII, so every header is one.
fn built(builder: Builder, kind: &'static str, body: AnswerBody) -> Response<AnswerBody> {
    builder.header("content-type", kind).body(body).expect("each header is a checked name or a number")
}

fn request_id(drawn: u64) -> String {
    format!("{drawn:016x}")
}

fn contains(body: &[u8], word: &[u8]) -> bool {
    // Bodies are large and the word is rare: look only where its first byte stands.
    let mut rest = body;
    while let Some(at) = rest.iter().position(|byte| *byte == word[0]) {
        if rest[at..].starts_with(word) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}
