//! What is answered about the process itself?

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};

use super::answer::{Answer, Wrong, respond, wrong};
use super::wire::ReloadBody;
use crate::operating::Operating;

/// Is it alive, or (`ready`) does it want work?
pub(super) fn probe(ready: bool, operating: Option<&Operating>) -> Answer {
    let state = operating.filter(|_| ready).map_or(Ok(()), |one| one.gateway.readiness().check());
    let (status, text) = match state {
        Ok(()) if ready => (StatusCode::OK, "ready\n".to_string()),
        Ok(()) => (StatusCode::OK, "ok\n".to_string()),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", why.text())),
    };
    let mut answer = text_of("text/plain; charset=utf-8", text);
    *answer.status_mut() = status;
    answer
}

/// Every metric, as Prometheus reads it.
pub(super) fn metrics(operating: &Operating) -> Answer {
    text_of("text/plain; version=0.0.4; charset=utf-8", operating.metrics())
}

/// Reads everything again, on a thread that may wait for files and the disk.
pub(super) async fn reload(operating: &Arc<Operating>) -> Result<Answer, Wrong> {
    let Some(reloader) = operating.reloader.clone() else {
        let message = "failed to reload: the configuration came from no file";
        return Err(wrong(StatusCode::CONFLICT, "no-file", message));
    };
    let done = tokio::task::spawn_blocking(move || reloader.reload()).await;
    let report = match done {
        Ok(Ok(report)) => report,
        Ok(Err(problem)) => return Err(wrong(StatusCode::UNPROCESSABLE_ENTITY, "not-reloaded", problem)),
        Err(_) => return Err(wrong(StatusCode::INTERNAL_SERVER_ERROR, "failed", "the reload panicked")),
    };
    eprintln!("firstright: {report}");
    let crate::reload::Report { version, record, changes, warnings } = report;
    Ok(respond(StatusCode::OK, &ReloadBody { version, record, changes, warnings }))
}

fn text_of(kind: &'static str, text: String) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(text)));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
