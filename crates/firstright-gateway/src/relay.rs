//! How does a provider's answer reach the client?
//!
//! The client's connection pulls: nothing is read from the provider that the client has not taken. Between the two
//! stands one hook, told of every moment in the life of the answer and asked what may pass; metering, withholding the
//! last bytes until they are settled, and ending a stream all happen there.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::keep::Kept;
use crate::upstream::{Body, BodyError};

/// Replies of a known length up to here are read whole and leave as one frame.
pub const WHOLE_BYTES_MAX: usize = 64 * 1024;

/// After so many bytes an answer that has more lets the others of its thread go first: dozens of answers that come as fast
/// as memory would otherwise hold everybody up for as long as they last.
const TURN_BYTES: usize = 64 * 1024;

/// A moment in an answer's life. The bytes are what will go out if the hook says so: it may replace them, shorten
/// them, or take them and leave none.
#[derive(Debug)]
pub enum Passing<'a> {
    /// The provider sent this.
    Chunk(&'a mut Bytes),
    /// The provider has ended the answer properly; the bytes are empty and may be set to what is still owed.
    End(&'a mut Bytes),
    /// The provider broke off; the bytes are empty and may be set to an error in the stream's own format.
    Broken(BodyError, &'a mut Bytes),
    /// We stop, and the answer has had its time; the bytes are empty and may be set to an error in the stream's own
    /// format. They are the last.
    Closing(&'a mut Bytes),
    /// The client went away before the last byte was handed to its connection. The verdict does not matter.
    Abandoned,
}

/// What happens to the bytes of a [`Passing`]. After `End`, `Broken` and `Closing` the answer ends with them in any case.
pub enum Verdict {
    /// They go out.
    Release,
    /// They go out when the gate opens; nothing is read meanwhile.
    ReleaseAfter(Gate),
    /// They go out as the last; the provider's connection is closed.
    Finish,
    /// They go out as the last when the gate opens.
    FinishAfter(Gate),
    /// Nothing more goes out and the client's connection is cut, so that it cannot take the answer for whole.
    Cut,
}

thread_local! {
    /// Whether the answers of this thread are to end.
    static CLOSING: Cell<bool> = const { Cell::new(false) };
}

/// From now on every relayed answer of this thread ends as soon as it is polled, with what its hook says last.
pub(crate) fn close_answers() {
    CLOSING.set(true);
}

/// Are the answers of this thread to end?
pub(crate) fn is_closing() -> bool {
    CLOSING.get()
}

/// Opens when what the bytes wait for is done; an error cuts the answer.
pub type Gate = Pin<Box<dyn Future<Output = Result<(), Cut>>>>;

/// The answer was cut on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("relay the answer to its end")
    }
}

impl std::error::Error for Cut {}

enum State {
    Flowing,
    Waiting { gate: Gate, held: Bytes, is_last: bool },
    Ended,
}

/// A provider's body on its way to a client.
pub struct RelayBody<H: FnMut(Passing<'_>) -> Verdict> {
    upstream: Option<Body>,
    hook: H,
    state: State,
    /// Bytes that were read since it last waited or let others go first.
    turn: usize,
}

impl<H: FnMut(Passing<'_>) -> Verdict> RelayBody<H> {
    /// Starts to relay when the client's connection first asks.
    pub fn new(upstream: Body, hook: H) -> Self {
        Self { upstream: Some(upstream), hook, state: State::Flowing, turn: 0 }
    }

    /// The bytes that may go out now; none when the hook kept them.
    fn poll_flowing(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let Some(upstream) = &mut self.upstream else {
            self.state = State::Ended;
            return Poll::Ready(None);
        };
        if is_closing() {
            let mut bytes = Bytes::new();
            let verdict = (self.hook)(Passing::Closing(&mut bytes));
            return self.pass(bytes, verdict, true);
        }
        if self.turn >= TURN_BYTES {
            self.turn = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let (bytes, verdict, mut is_last) = match upstream.poll_next(cx) {
            Poll::Pending => {
                self.turn = 0;
                return Poll::Pending;
            }
            Poll::Ready(Some(Ok(mut bytes))) => {
                self.turn += bytes.len();
                let verdict = (self.hook)(Passing::Chunk(&mut bytes));
                // When the end came along, it leaves along: one write instead of two.
                if matches!(verdict, Verdict::Release) && upstream.is_end() {
                    let mut last = Bytes::new();
                    let verdict = (self.hook)(Passing::End(&mut last));
                    (join(bytes, last), verdict, true)
                } else {
                    (bytes, verdict, false)
                }
            }
            Poll::Ready(Some(Err(error))) => {
                let mut bytes = Bytes::new();
                let verdict = (self.hook)(Passing::Broken(error, &mut bytes));
                (bytes, verdict, true)
            }
            Poll::Ready(None) => {
                let mut bytes = Bytes::new();
                let verdict = (self.hook)(Passing::End(&mut bytes));
                (bytes, verdict, true)
            }
        };
        is_last |= matches!(verdict, Verdict::Finish | Verdict::FinishAfter(_) | Verdict::Cut);
        self.pass(bytes, verdict, is_last)
    }

    /// Does with the bytes as the hook says.
    fn pass(&mut self, bytes: Bytes, verdict: Verdict, is_last: bool) -> Poll<Option<Bytes>> {
        if is_last {
            self.upstream = None;
        }
        match verdict {
            Verdict::Release | Verdict::Finish => {
                if is_last {
                    self.state = State::Ended;
                }
                Poll::Ready(Some(bytes))
            }
            Verdict::ReleaseAfter(gate) | Verdict::FinishAfter(gate) => {
                self.state = State::Waiting { gate, held: bytes, is_last };
                Poll::Ready(None)
            }
            Verdict::Cut => {
                self.state =
                    State::Waiting { gate: Box::pin(std::future::ready(Err(Cut))), held: bytes, is_last };
                Poll::Ready(None)
            }
        }
    }
}

/// Both in one piece; in the usual case one of them is empty.
fn join(first: Bytes, last: Bytes) -> Bytes {
    if last.is_empty() {
        return first;
    }
    if first.is_empty() {
        return last;
    }
    [first, last].concat().into()
}

impl<H: FnMut(Passing<'_>) -> Verdict + Unpin> http_body::Body for RelayBody<H> {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        loop {
            let bytes = match &mut self.state {
                State::Ended => return Poll::Ready(None),
                State::Flowing => match self.poll_flowing(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(bytes) => bytes.unwrap_or_default(),
                },
                State::Waiting { gate, held, is_last } => match gate.as_mut().poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(())) => {
                        let bytes = std::mem::take(held);
                        self.state = if *is_last { State::Ended } else { State::Flowing };
                        bytes
                    }
                    Poll::Ready(Err(cut)) => {
                        self.upstream = None;
                        self.state = State::Ended;
                        return Poll::Ready(Some(Err(cut)));
                    }
                },
            };
            if !bytes.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    // The hook may change every byte, so no length is promised.
    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

impl<H: FnMut(Passing<'_>) -> Verdict> Drop for RelayBody<H> {
    fn drop(&mut self) {
        if !matches!(self.state, State::Ended) {
            (self.hook)(Passing::Abandoned);
        }
    }
}

/// What a handler answers with.
pub enum Reply<H: FnMut(Passing<'_>) -> Verdict> {
    /// Bytes that are all here; they leave with their length in one write. None once they have left.
    Whole(Option<Bytes>),
    /// A provider's answer as it comes.
    Relay(Box<RelayBody<H>>),
    /// A stream that waits for its answer; it becomes that.
    Kept(Box<Kept<H>>),
}

impl<H: FnMut(Passing<'_>) -> Verdict> Reply<H> {
    /// A reply that relays.
    pub fn relay(upstream: Body, hook: H) -> Self {
        Self::Relay(Box::new(RelayBody::new(upstream, hook)))
    }

    /// A reply of these bytes.
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        Self::Whole(Some(bytes.into()).filter(|bytes| !bytes.is_empty()))
    }
}

impl<H: FnMut(Passing<'_>) -> Verdict + Unpin> http_body::Body for Reply<H> {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        loop {
            match &mut *self {
                Self::Whole(bytes) => return Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
                Self::Relay(body) => return Pin::new(&mut **body).poll_frame(cx),
                Self::Kept(body) => {
                    let Poll::Ready((bytes, next)) = body.poll(cx) else { return Poll::Pending };
                    if let Some(next) = next {
                        *self = next;
                    }
                    if !bytes.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(bytes))));
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Relay(body) => body.is_end_stream(),
            Self::Kept(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Relay(body) => body.size_hint(),
            Self::Kept(_) => SizeHint::default(),
        }
    }
}
