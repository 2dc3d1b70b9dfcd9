//! How does an answer leave: whole, broken off half-way, or as a stream?

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use firstright_sim::cloud::Ending;
use http_body::{Frame, SizeHint};

use super::shared::Serving;
use super::stream::Stream;

/// The connection is to be dropped: hyper does so when a body or a service fails.
#[derive(Debug)]
pub(super) struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("failed to finish the answer, because a fault says so")
    }
}

impl std::error::Error for Broken {}

#[derive(Debug)]
pub(super) enum AnswerBody {
    /// With the call that it ends, if it is one's answer.
    Whole(Bytes, Option<Serving>),
    /// Announces all, sends half, then breaks off.
    Halved {
        announced: u64,
        half: Bytes,
        serving: Serving,
        flush: Option<Pin<Box<tokio::time::Sleep>>>,
    },
    Stream(Box<Stream>),
}

impl AnswerBody {
    pub(super) fn text(text: impl Into<Bytes>) -> AnswerBody {
        AnswerBody::Whole(text.into(), None)
    }

    pub(super) fn halved(whole: &Bytes, serving: Serving) -> AnswerBody {
        let half = whole.slice(..whole.len() / 2);
        AnswerBody::Halved { announced: whole.len() as u64, half, serving, flush: None }
    }
}

impl http_body::Body for AnswerBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self.get_mut() {
            AnswerBody::Whole(bytes, serving) => {
                if let Some(mut serving) = serving.take() {
                    serving.end(Ending::Whole);
                }
                let bytes = std::mem::take(bytes);
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            AnswerBody::Halved { half, serving, flush, .. } => {
                if !half.is_empty() {
                    // What is written just before a failure would never leave hyper's buffer.
                    *flush = Some(Box::pin(tokio::time::sleep(serving.shared().coalesce)));
                    return Poll::Ready(Some(Ok(Frame::data(std::mem::take(half)))));
                }
                if flush.as_mut().is_some_and(|flush| flush.as_mut().poll(context).is_pending()) {
                    return Poll::Pending;
                }
                serving.end(Ending::Cut);
                Poll::Ready(Some(Err(Broken)))
            }
            AnswerBody::Stream(stream) => {
                stream.poll_next(context).map(|next| next.map(|data| data.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, AnswerBody::Whole(bytes, serving) if bytes.is_empty() && serving.is_none())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            AnswerBody::Whole(bytes, _) => SizeHint::with_exact(bytes.len() as u64),
            AnswerBody::Halved { announced, .. } => SizeHint::with_exact(*announced),
            AnswerBody::Stream(_) => SizeHint::default(),
        }
    }
}
