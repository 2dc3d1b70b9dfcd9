//! How does a stream stay alive while its call waits for room? Nothing else would be heard of it, and whatever stands between
//! client and gateway takes a long silence for an end.
//!
//! A request is answered once its call is decided: only then are status, headers and `Retry-After` known. A stream whose wait
//! goes on and on is answered before that, with 200 and a comment, which every reader of event streams skips; what is decided
//! then comes in the stream, a refusal as an error in its own words. Why and at what price: docs/decisions/0014.
//!
//! The handling of a request is one future, and it goes on as that: until it is answered the connection waits for it, and
//! from the first comment on the answer's body does. A call that does not wait pays nothing for it, no timer and no memory.

use std::cell::Cell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use firstright_wire::operation::Operation;
use http::{HeaderMap, HeaderValue, Response, header};
use serde_json::Value;

use crate::answer::{Answer, GATEWAY_STOPPING, Hook, error_event};
use crate::asked::Asked;
use crate::relay::{Passing, Reply, Verdict, is_closing};

/// What is said while a call waits. A comment is a line that begins with a colon.
/// Source: WHATWG HTML, § 9.2.6, "Interpreting an event stream".
const COMMENT: &[u8] = b": queued\n\n";
/// Headers that are told as comments, because they came too late: those of ours, and when to try again.
const OURS: &str = "x-firstright";
const TOLD: [&str; 3] = ["retry-after-ms", "x-should-retry", "x-request-id"];
/// The longest text of a refusal that is no JSON, in bytes: it is for a human to read.
const MAX_TEXT: usize = 1_024;

thread_local! {
    /// The request that is polled right now has something to say: its operation tells in which words. Set while a request is
    /// polled, and taken by who polls it, before anything else runs on the thread.
    static SPEAKS: Cell<Option<Operation>> = const { Cell::new(None) };
}

/// How often a waiting call is heard of, and in which words its stream speaks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Alive {
    every: Duration,
    operation: Operation,
}

impl Alive {
    /// None if it is not to be heard of: what is no stream, and a stream in whose words an error cannot be told.
    pub(crate) fn of(every: Option<Duration>, asked: &Asked<'_>) -> Option<Alive> {
        let operation = asked.route.operation;
        let speaks = matches!(
            operation,
            Operation::ChatCompletions | Operation::Completions | Operation::Responses | Operation::Messages
        );
        let streams = asked.content.stream() && !asked.route.is_socket();
        every.filter(|_| speaks && streams).map(|every| Alive { every, operation })
    }

    /// Waits, and is heard of each time that `every` has passed. `spoke` is called each time.
    pub(crate) async fn during<T>(self, wait: impl Future<Output = T>, spoke: impl Fn()) -> T {
        let mut wait = pin!(wait);
        loop {
            if let Ok(done) = tokio::time::timeout(self.every, wait.as_mut()).await {
                return done;
            }
            spoke();
            SPEAKS.set(Some(self.operation));
            tokio::task::yield_now().await;
        }
    }
}

type Rest<H> = Pin<Box<dyn Future<Output = Response<Reply<H>>>>>;

/// A request that is handled, until it is answered.
pub struct Handled(Option<Rest<Hook>>);

impl Handled {
    pub(crate) fn new(handling: impl Future<Output = Answer> + 'static) -> Handled {
        Handled(Some(Box::pin(handling)))
    }
}

impl Future for Handled {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer> {
        // An answered one is not polled again.
        let Some(rest) = &mut self.0 else { return Poll::Pending };
        match poll(rest, cx) {
            Polled::Answered(answer) => Poll::Ready(answer),
            Polled::Silent => Poll::Pending,
            Polled::Speaks(operation) => match self.0.take() {
                Some(rest) => Poll::Ready(early(rest, operation)),
                None => Poll::Pending,
            },
        }
    }
}

/// What comes of looking at a request that is handled.
enum Polled<H: FnMut(Passing<'_>) -> Verdict> {
    Answered(Response<Reply<H>>),
    Speaks(Operation),
    Silent,
}

fn poll<H: FnMut(Passing<'_>) -> Verdict>(rest: &mut Rest<H>, cx: &mut Context<'_>) -> Polled<H> {
    SPEAKS.set(None);
    match rest.as_mut().poll(cx) {
        Poll::Ready(answer) => Polled::Answered(answer),
        Poll::Pending => SPEAKS.take().map_or(Polled::Silent, Polled::Speaks),
    }
}

/// The answer to a stream that is not decided yet.
fn early<H: FnMut(Passing<'_>) -> Verdict>(rest: Rest<H>, operation: Operation) -> Response<Reply<H>> {
    let mut answer = Response::new(Reply::Kept(Box::new(Kept { rest, operation, begun: false })));
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    answer
}

/// The body of a stream that waits.
pub struct Kept<H: FnMut(Passing<'_>) -> Verdict> {
    rest: Rest<H>,
    operation: Operation,
    /// The first comment has been said.
    begun: bool,
}

impl<H: FnMut(Passing<'_>) -> Verdict> Kept<H> {
    /// The next bytes, and the body that comes behind them in this one's place once there is one.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<(Bytes, Option<Reply<H>>)> {
        if is_closing() {
            let (code, message) = GATEWAY_STOPPING;
            let last = error_event(self.operation, code, "api_error", message, 0);
            // With the handling goes the call: it is let go.
            return Poll::Ready((last.into(), Some(Reply::Whole(None))));
        }
        if !self.begun {
            self.begun = true;
            return Poll::Ready((Bytes::from_static(COMMENT), None));
        }
        match poll(&mut self.rest, cx) {
            Polled::Silent => Poll::Pending,
            Polled::Speaks(_) => Poll::Ready((Bytes::from_static(COMMENT), None)),
            Polled::Answered(answer) => {
                let (bytes, next) = self.answered(answer);
                Poll::Ready((bytes, Some(next)))
            }
        }
    }

    /// An answer that came too late for its status and its headers.
    fn answered(&self, answer: Response<Reply<H>>) -> (Bytes, Reply<H>) {
        let (parts, body) = answer.into_parts();
        let mut out = comments(&parts.headers);
        let is = |name, wanted: &[u8]| {
            parts.headers.get(name).is_some_and(|value| value.as_bytes().starts_with(wanted))
        };
        let is_stream = is(header::CONTENT_TYPE, b"text/event-stream")
            && (!parts.headers.contains_key(header::CONTENT_ENCODING)
                || is(header::CONTENT_ENCODING, b"identity"));
        if parts.status.is_success() && is_stream {
            return (out.into(), body);
        }
        if parts.status.is_success() {
            let message = "the provider answered with something else than the stream that was asked for";
            out.extend(error_event(self.operation, "not_a_stream", "api_error", message, 0));
        } else {
            let said = match body {
                Reply::Whole(said) => said.unwrap_or_default(),
                Reply::Relay(_) | Reply::Kept(_) => Bytes::new(),
            };
            out.extend(refusal(self.operation, &said));
        }
        (out.into(), Reply::Whole(None))
    }
}

/// What would have stood in the headers, for who reads the stream's bytes.
fn comments(headers: &HeaderMap) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in headers {
        let name = name.as_str();
        if name.starts_with(OURS) || TOLD.contains(&name) {
            // A header's value has no line ends.
            out.extend([b": ", name.as_bytes(), b": ", value.as_bytes(), b"\n"].concat());
        }
    }
    if !out.is_empty() {
        out.push(b'\n');
    }
    out
}

/// A refusal's body as the event that ends a stream. Whoever refused has said it in the words of the operation.
fn refusal(operation: Operation, said: &[u8]) -> Vec<u8> {
    let value: Value = serde_json::from_slice(said).unwrap_or_default();
    let error = &value["error"];
    if !error.is_object() {
        let text = String::from_utf8_lossy(&said[..said.len().min(MAX_TEXT)]);
        return error_event(operation, "rejected", "invalid_request_error", &text, 0);
    }
    match operation {
        Operation::Responses => {
            let text = |name: &str| error[name].as_str();
            let code = text("code").or(text("type")).unwrap_or("rejected");
            error_event(operation, code, "", text("message").unwrap_or_default(), 0)
        }
        // Written anew: JSON may have line ends, and an event's line has none.
        Operation::Messages => format!("event: error\ndata: {value}\n\n").into_bytes(),
        _ => format!("data: {value}\n\n").into_bytes(),
    }
}

#[cfg(test)]
mod tests;
