//! What is answered to a request? The token is asked for first, whatever is asked but whether the process is well.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use firstright_core::fact::{LeaseId, OfferId};
use firstright_core::units::Money;
use firstright_core::workload::JobId;
use firstright_dispatch::job_file::{self, MAX_BYTES};
use firstright_dispatch::{Plane, Problem, ProblemKind, Reply, Said};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use hyper::{Request, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::accounts;
use crate::accounts::wire::{AccountBody, RotateBody};

use super::auth::Access;
use super::route::{NoRoute, Route, route};
use super::wire::{AnswerBody, CounterBody, DeclareBody, ErrorBody, ErrorInner, QuoteBody, SaidBody};
use super::{Face, logs, operating};

/// The largest body is a job file.
const MAX_BODY: usize = MAX_BYTES;
/// How long a body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// The header that names a job file as its problems are to call it.
pub(crate) const FILE_NAME: &str = "firstright-file";
/// Characters of that name.
const MAX_FILE_NAME: usize = 200;

pub(super) type Answer = Response<Full<Bytes>>;

/// Why there is no better answer: status, name for machines, words for people.
pub(super) struct Wrong(StatusCode, &'static str, String);

pub(super) async fn answer(
    request: Request<Incoming>,
    access: &Access,
    face: &Face,
) -> Result<Answer, Infallible> {
    let uri = request.uri();
    let found = route(request.method(), uri.path(), uri.query());
    // Whoever looks after the process may not know the token.
    if let Ok(Route::Alive | Route::Ready) = found {
        return Ok(operating::probe(found == Ok(Route::Ready), face.operating.as_deref()));
    }
    Ok(if access.allows(request.headers()) {
        routed(request, found, face).await.unwrap_or_else(error)
    } else {
        let wrong = wrong(StatusCode::UNAUTHORIZED, "no-token", "the token is missing or wrong");
        let mut refused = error(wrong);
        refused.headers_mut().insert(WWW_AUTHENTICATE, hyper::header::HeaderValue::from_static("Bearer"));
        refused
    })
}

async fn routed(
    request: Request<Incoming>,
    found: Result<Route, NoRoute>,
    Face { plane, operating }: &Face,
) -> Result<Answer, Wrong> {
    let route = found.map_err(|none| match none {
        NoRoute::Path => wrong(StatusCode::NOT_FOUND, "no-route", "there is nothing of that path"),
        NoRoute::Method => wrong(StatusCode::METHOD_NOT_ALLOWED, "no-method", "it does not take this method"),
        NoRoute::Query => wrong(StatusCode::BAD_REQUEST, "bad-query", "the query is not understood"),
    })?;
    let operating = operating
        .as_ref()
        .ok_or_else(|| wrong(StatusCode::NOT_FOUND, "no-route", "this process serves jobs alone"));
    match route {
        Route::Submit => submit(request, plane).await,
        Route::Jobs => shown(plane.jobs().await),
        Route::Job(job) => shown(plane.job(JobId(job)).await),
        Route::Cancel(job) => said(StatusCode::OK, plane.cancel(JobId(job)).await),
        Route::Logs { job, lease, offset, follow } => {
            logs::read(plane, JobId(job), lease.map(LeaseId), offset, follow).await.map_err(problem)
        }
        Route::Quote(job) => {
            let body: QuoteBody = json(request).await?;
            let hour = money(&body.hour)?;
            let until = job_file::time(&body.until).ok_or_else(|| bad_value("until", &body.until))?;
            said(StatusCode::OK, plane.quote(JobId(job), body.provider, hour, until).await)
        }
        Route::Offers => shown(plane.offers().await),
        Route::Answer(offer) => {
            let body: AnswerBody = json(request).await?;
            let by = body.by.clone();
            let reply = reply(body)?;
            said(StatusCode::OK, plane.answer(OfferId(offer), by, reply).await)
        }
        Route::Counter(offer) => {
            let body: CounterBody = json(request).await?;
            said(StatusCode::OK, plane.counter(OfferId(offer), body.agreed).await)
        }
        Route::Declare(provider) => {
            let body: DeclareBody = json(request).await?;
            said(StatusCode::OK, plane.declare(provider, body.accelerator, body.free).await)
        }
        Route::Lose(provider) => said(StatusCode::OK, plane.lose(provider).await),
        Route::Metrics => Ok(operating::metrics(operating?)),
        Route::Capacity => {
            Ok(respond(StatusCode::OK, &firstright_gateway::capacity::all(&operating?.engine)))
        }
        Route::Reload => operating::reload(operating?).await,
        Route::Accounts => Ok(respond(StatusCode::OK, &operating?.accounts.list())),
        Route::Account(id) => account(StatusCode::OK, operating?.accounts.show(&id)),
        Route::CreateAccount => {
            let body = json::<AccountBody>(request).await?;
            account(StatusCode::CREATED, operating?.accounts.create(&body).await)
        }
        Route::SetAccount(id) => {
            let body = json::<AccountBody>(request).await?;
            account(StatusCode::OK, operating?.accounts.change(&id, &body).await)
        }
        Route::RotateKey(id) => {
            let RotateBody { grace_s } = json(request).await?;
            account(StatusCode::OK, operating?.accounts.rotate(&id, grace_s).await)
        }
        Route::CloseAccount(id) => account(StatusCode::OK, operating?.accounts.close(&id).await),
        Route::Alive | Route::Ready => Err(wrong(StatusCode::NOT_FOUND, "no-route", "answered before")),
    }
}

async fn submit(request: Request<Incoming>, plane: &Plane) -> Result<Answer, Wrong> {
    let name = request.headers().get(FILE_NAME).and_then(|name| name.to_str().ok());
    let name =
        name.filter(|name| (1..=MAX_FILE_NAME).contains(&name.len())).unwrap_or("job.toml").to_string();
    let body = body(request).await?;
    let text = String::from_utf8(body.into())
        .map_err(|_| wrong(StatusCode::BAD_REQUEST, "bad-body", "the job file is not UTF-8"))?;
    said(StatusCode::CREATED, plane.submit(name, text).await)
}

/// What the body answers, in the words of the job plane.
fn reply(body: AnswerBody) -> Result<Reply, Wrong> {
    let need = |what: &str| {
        let message = format!("the answer `{}` lacks `{what}`", body.answer);
        wrong(StatusCode::BAD_REQUEST, "bad-answer", message)
    };
    let AnswerBody { answer, reason, count, hour, .. } = &body;
    let (allowed, reply) = match answer.as_str() {
        "accept" => ([false; 3], Reply::Accept),
        "decline" => ([true, false, false], Reply::Decline(reason.clone().unwrap_or_default())),
        "partial" => ([false, true, false], Reply::Partial(count.ok_or_else(|| need("count"))?)),
        "counter" => {
            let hour = money(hour.as_deref().ok_or_else(|| need("hour"))?)?;
            let count = count.ok_or_else(|| need("count"))?;
            ([false, true, true], Reply::Counter { count, hour })
        }
        _ => return Err(bad_value("answer", answer)),
    };
    let given = [("reason", reason.is_some()), ("count", count.is_some()), ("hour", hour.is_some())];
    match given.iter().zip(allowed).find(|((_, given), allowed)| *given && !allowed) {
        Some(((key, _), _)) => {
            let message = format!("the answer `{answer}` takes no `{key}`");
            Err(wrong(StatusCode::BAD_REQUEST, "bad-answer", message))
        }
        None => Ok(reply),
    }
}

fn money(text: &str) -> Result<Money, Wrong> {
    job_file::money(text).map(|(money, _)| money).ok_or_else(|| bad_value("hour", text))
}

fn bad_value(key: &str, value: &str) -> Wrong {
    wrong(StatusCode::BAD_REQUEST, "bad-value", format!("`{key}` cannot be `{value}`"))
}

async fn json<T: DeserializeOwned>(request: Request<Incoming>) -> Result<T, Wrong> {
    let body = body(request).await?;
    serde_json::from_slice(&body).map_err(|error| {
        wrong(StatusCode::BAD_REQUEST, "bad-body", format!("the body is not understood: {error}"))
    })
}

async fn body(request: Request<Incoming>) -> Result<Bytes, Wrong> {
    let collected = Limited::new(request.into_body(), MAX_BODY).collect();
    match tokio::time::timeout(BODY_TIMEOUT, collected).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(_)) => {
            let message = format!("the body is broken off, or larger than {MAX_BODY} bytes");
            Err(wrong(StatusCode::PAYLOAD_TOO_LARGE, "bad-body", message))
        }
        Err(_) => Err(wrong(StatusCode::REQUEST_TIMEOUT, "slow-body", "the body did not come in time")),
    }
}

fn shown<T: Serialize>(value: Result<T, Problem>) -> Result<Answer, Wrong> {
    value.map(|value| respond(StatusCode::OK, &value)).map_err(problem)
}

fn said(status: StatusCode, said: Result<Said, Problem>) -> Result<Answer, Wrong> {
    let body =
        |said: Said| SaidBody { record: said.record, job: said.job.map(|job| job.0), decided: said.decided };
    said.map(|said| respond(status, &body(said))).map_err(problem)
}

fn account<T: Serialize>(status: StatusCode, done: Result<T, accounts::Problem>) -> Result<Answer, Wrong> {
    use accounts::Problem;
    done.map(|body| respond(status, &body)).map_err(|problem| {
        let (status, code) = match problem {
            Problem::Invalid(_) => (StatusCode::BAD_REQUEST, "bad-account"),
            Problem::Unknown(_) => (StatusCode::NOT_FOUND, "no-account"),
            Problem::Conflict(_) => (StatusCode::CONFLICT, "account-conflict"),
            Problem::Failed(_) => (StatusCode::INTERNAL_SERVER_ERROR, "failed"),
        };
        wrong(status, code, problem.to_string())
    })
}

fn problem(problem: Problem) -> Wrong {
    let status = match problem.kind {
        ProblemKind::Invalid => StatusCode::BAD_REQUEST,
        ProblemKind::Unknown => StatusCode::NOT_FOUND,
        ProblemKind::Conflict => StatusCode::CONFLICT,
        ProblemKind::Failed => StatusCode::INTERNAL_SERVER_ERROR,
    };
    wrong(status, problem.code, problem.message)
}

pub(super) fn wrong(status: StatusCode, code: &'static str, message: impl Into<String>) -> Wrong {
    Wrong(status, code, message.into())
}

fn error(wrong: Wrong) -> Answer {
    let Wrong(status, code, message) = wrong;
    respond(status, &ErrorBody { error: ErrorInner { code: code.to_string(), message } })
}

pub(super) fn respond<T: Serialize>(status: StatusCode, body: &T) -> Answer {
    let bytes = serde_json::to_vec(body).unwrap_or_default();
    let mut answer = Response::new(Full::new(Bytes::from(bytes)));
    *answer.status_mut() = status;
    let json = hyper::header::HeaderValue::from_static("application/json");
    answer.headers_mut().insert(CONTENT_TYPE, json);
    answer.headers_mut().insert(CACHE_CONTROL, hyper::header::HeaderValue::from_static("no-store"));
    answer
}
