//! What happens on one client's connection?

use std::cell::Cell;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::gate::{Findings, Gate};
use super::permit::Permit;
use super::register::{Phase, Register, Watch};
use super::scan::Objection;
use super::tls::Tls;
use super::upgrade::{Upgrade, Upgraded};
use super::{Limits, Peer};

/// Serves `stream` in a task of this thread. A handshake counts towards the time that the first head may take.
pub(super) fn spawn<H, F, B>(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<&Arc<Tls>>,
    permit: Permit,
    limits: &Limits,
    register: &Rc<Register>,
    handler: &Rc<H>,
) where
    H: Fn(Request<Incoming>) -> F + 'static,
    F: Future<Output = Response<B>> + Unpin + 'static,
    B: Body + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let place = register.enter();
    let index = place.index();
    let (handler, tls, buffer_bytes) = (handler.clone(), tls.cloned(), limits.buffer_bytes);
    let task = tokio::task::spawn_local(async move {
        let _permit = permit;
        let watch = place.watch.clone();
        match tls {
            None => run(stream, Peer(peer), buffer_bytes, watch, handler).await,
            Some(tls) => {
                // Why a handshake failed is said to the client in an alert, and counted.
                if let Ok(stream) = tls.accept(stream).await {
                    run(stream, Peer(peer), buffer_bytes, watch, handler).await;
                }
            }
        }
        drop(place);
    });
    register.arm(index, task.abort_handle());
}

/// Serves one connection to its end.
async fn run<T, H, F, B>(stream: T, peer: Peer, buffer_bytes: usize, watch: Rc<Watch>, handler: Rc<H>)
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
    H: Fn(Request<Incoming>) -> F + 'static,
    F: Future<Output = Response<B>> + Unpin + 'static,
    B: Body + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (gate, findings) = Gate::new(stream, watch.clone());
    let served = Cell::new(0_u64);
    let serving_watch = watch.clone();
    let upgrade = Upgrade::new();
    let offered = upgrade.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        offered.offer(&mut request);
        request.extensions_mut().insert(peer);
        let ordinal = served.get();
        served.set(ordinal + 1);
        let objection = findings.objection_to(ordinal);
        let serving = Serving::enter(&serving_watch, &findings);
        // Nothing of the handler runs for a request that we refuse.
        let answer = if objection.is_none() { Some(handler(request)) } else { None };
        Answering { answer, objection, serving: Some(serving) }
    });
    let mut builder = http1::Builder::new();
    builder.max_buf_size(buffer_bytes).header_read_timeout(None);
    let mut connection = builder.serve_connection(TokioIo::new(gate), service);
    let mut told = false;
    let ended = std::future::poll_fn(|cx| {
        watch.wake_by(cx.waker());
        let mut state = connection.poll_without_shutdown(cx);
        // hyper would close over a request whose head is on the way; it is told once the request is served. The
        // sweep sees to those that stay silent.
        let is_between = matches!(watch.phase(), Phase::Idle | Phase::Serving);
        if state.is_pending() && watch.is_draining() && !told && is_between {
            told = true;
            Pin::new(&mut connection).graceful_shutdown();
            state = connection.poll_without_shutdown(cx);
        }
        state
    })
    .await;
    let parts = connection.into_parts();
    let mut stream = parts.io.into_inner().into_inner();
    match upgrade.take() {
        Some(then) if ended.is_ok() => {
            // The socket's own budgets count from here.
            watch.enter(Phase::Serving);
            then(Upgraded { io: Box::new(stream), ahead: parts.read_buf }).await;
        }
        // An error says how the client went away, which nobody can act upon.
        _ => drop(stream.shutdown().await),
    }
}

/// The time between a request's head and the end of its answer.
struct Serving {
    watch: Rc<Watch>,
    findings: Rc<Findings>,
}

impl Serving {
    fn enter(watch: &Rc<Watch>, findings: &Rc<Findings>) -> Self {
        watch.enter(Phase::Serving);
        Self { watch: watch.clone(), findings: findings.clone() }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.watch.enter(if self.findings.is_mid_head() { Phase::Head } else { Phase::Idle });
    }
}

/// A request with its handler.
struct Answering<F> {
    /// None if no handler is to see it.
    answer: Option<F>,
    objection: Option<Objection>,
    /// Until the answer takes it along.
    serving: Option<Serving>,
}

impl<B, F: Future<Output = Response<B>> + Unpin> Future for Answering<F> {
    type Output = Result<Response<Served<B>>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = match &mut self.answer {
            None => refusal(self.objection),
            Some(answer) => match Pin::new(answer).poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(answer) => answer.map(Content::Handlers),
            },
        };
        let serving = self.serving.take();
        Poll::Ready(Ok(answer.map(|content| Served { content, _serving: serving })))
    }
}

enum Content<B> {
    Handlers(B),
    Refusal(Option<Bytes>),
}

/// An answer's body on its way out.
pub struct Served<B> {
    content: Content<B>,
    _serving: Option<Serving>,
}

/// 400 and close: after a head that two parties may read differently nothing on this connection can be trusted.
fn refusal<B>(objection: Option<Objection>) -> Response<Content<B>> {
    let text = objection.map(Objection::text).unwrap_or_default();
    let body = format!(
        "{{\"error\":{{\"message\":\"{text}\",\"type\":\"invalid_request_error\",\"param\":null,\"code\":\"malformed_http\"}}}}"
    );
    let mut response = Response::new(Content::Refusal(Some(body.into())));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// What a handler's body gives, or the bytes of a refusal.
pub enum Piece<D> {
    /// From the handler.
    Handlers(D),
    /// From us.
    Refusal(Bytes),
}

impl<D: Buf> Buf for Piece<D> {
    fn remaining(&self) -> usize {
        match self {
            Self::Handlers(data) => data.remaining(),
            Self::Refusal(data) => data.remaining(),
        }
    }

    fn chunk(&self) -> &[u8] {
        match self {
            Self::Handlers(data) => data.chunk(),
            Self::Refusal(data) => data.chunk(),
        }
    }

    fn advance(&mut self, count: usize) {
        match self {
            Self::Handlers(data) => data.advance(count),
            Self::Refusal(data) => data.advance(count),
        }
    }
}

impl<B: Body + Unpin> Body for Served<B> {
    type Data = Piece<B::Data>;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        match &mut self.content {
            Content::Handlers(body) => Pin::new(body)
                .poll_frame(cx)
                .map(|frame| frame.map(|frame| frame.map(|frame| frame.map_data(Piece::Handlers)))),
            Content::Refusal(bytes) => {
                Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(Piece::Refusal(bytes)))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Handlers(body) => body.is_end_stream(),
            Content::Refusal(bytes) => bytes.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Handlers(body) => body.size_hint(),
            Content::Refusal(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
        }
    }
}
