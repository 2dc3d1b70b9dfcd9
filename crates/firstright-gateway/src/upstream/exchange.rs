//! How does one request become one response head?

use std::io::{self, IoSlice};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::body::{Body, BodyError};
use super::connection::Connection;
use super::pool::Pool;
use super::request::RequestHead;
use super::response::{BadResponse, Head, Taken, parse};
use super::{Budgets, Response};

/// A kept connection that ends within this time of the write, without a byte, was closed while it was idle.
const IDLE_RACE: Duration = Duration::from_secs(1);
/// Pieces written in one system call.
const SLICES_MAX: usize = 16;

/// Why there is no answer.
#[derive(Debug)]
pub struct SendError {
    pub kind: SendErrorKind,
    /// Whether the provider may have got the request, and so may bill it. False is certain: nothing was written, or
    /// what was written met a connection that was already closed.
    pub sent: bool,
    io: Option<io::Error>,
    idle_race: bool,
}

/// Where it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendErrorKind {
    /// The name has no address.
    Resolve,
    /// Its addresses are none of the public internet's, and configuration does not say that they may be private.
    Private,
    /// No address took the connection.
    Connect,
    /// No connection can be opened, because this process may not open more files: it says nothing of the provider.
    Files,
    /// No connection within its budget.
    ConnectTimeout,
    /// The TLS handshake failed.
    Tls,
    /// The connection broke while the request was written.
    Write,
    /// The connection ended before a whole response head had come.
    ClosedBeforeHead,
    /// No response head within its budget.
    HeadTimeout,
    /// The response head is refused.
    BadHead(BadResponse),
    /// The head was made for another target: it may hold that one's secret.
    Elsewhere,
}

impl SendError {
    pub(super) fn unsent(kind: SendErrorKind, io: Option<io::Error>) -> Self {
        Self { kind, sent: false, io, idle_race: false }
    }

    /// Something went out before it failed.
    pub(super) fn sent(kind: SendErrorKind, io: Option<io::Error>) -> Self {
        Self { kind, sent: true, io, idle_race: false }
    }

    pub(super) fn is_idle_race(&self) -> bool {
        self.idle_race
    }
}

impl std::fmt::Display for SendErrorKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Resolve => "resolve the provider's name",
            Self::Private => "connect to the provider: its name leads to a private address, and it is not said to be private",
            Self::Connect => "connect to the provider",
            Self::Files => "open another connection: as many files are open as may be",
            Self::ConnectTimeout => "connect to the provider in time",
            Self::Tls => "agree on TLS with the provider",
            Self::Write => "write the request to the provider",
            Self::ClosedBeforeHead => "read the provider's answer: the connection ended",
            Self::HeadTimeout => "read the provider's answer in time",
            Self::BadHead(bad) => return write!(f, "read the provider's answer: {bad}"),
            Self::Elsewhere => "send a request elsewhere than to the provider that it was made for",
        })
    }
}

impl std::fmt::Display for SendError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.io {
            Some(error) => write!(f, "{}: {error}", self.kind),
            None => write!(f, "{}", self.kind),
        }
    }
}

impl std::error::Error for SendError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.io.as_ref().map(|error| error as _)
    }
}

/// A request on its way out; can be sent again.
pub(super) struct Outgoing {
    head: Vec<u8>,
    body: Vec<Bytes>,
    written: usize,
    length: usize,
}

impl Outgoing {
    pub(super) fn new(head: RequestHead, body: Vec<Bytes>) -> Self {
        let body_bytes = body.iter().map(Bytes::len).sum();
        let head = head.finish(body_bytes);
        let length = head.len() + body_bytes;
        Self { head, body, written: 0, length }
    }

    pub(super) fn rewind(&mut self) {
        self.written = 0;
    }

    fn poll_write(&mut self, connection: &mut Connection, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.length {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let count = self.slices(&mut slices);
            match connection.poll_write(cx, &slices[..count]) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => self.written += count,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            }
        }
        connection.poll_flush(cx)
    }

    /// What is still to be written, as far as the slots go.
    fn slices<'a>(&'a self, slots: &mut [IoSlice<'a>; SLICES_MAX]) -> usize {
        let pieces = std::iter::once(&self.head[..]).chain(self.body.iter().map(|piece| &piece[..]));
        let (mut skip, mut count) = (self.written, 0);
        for piece in pieces {
            if skip >= piece.len() {
                skip -= piece.len();
                continue;
            }
            if count == SLICES_MAX {
                break;
            }
            slots[count] = IoSlice::new(&piece[skip..]);
            skip = 0;
            count += 1;
        }
        count
    }
}

enum Writing {
    Going,
    Done(Instant),
    Failed(io::Error),
}

/// A head with what came of its body in the same reads.
struct Arrived {
    head: Head,
    first: Bytes,
    taken: Result<Taken, BodyError>,
}

/// What one read brought.
enum Read {
    End,
    More,
    Arrived(Box<Arrived>),
    Bad(BadResponse),
}

/// Writes the request and reads the head, both at once: a provider may answer (413, 429) before it has read all.
pub(super) async fn exchange(
    mut connection: Connection,
    outgoing: &mut Outgoing,
    budgets: &Budgets,
    pool: &Rc<Pool>,
) -> Result<Response, SendError> {
    connection.deadline.set(budgets.head);
    let mut writing = Writing::Going;
    let mut partial = Vec::new();
    let arrived =
        std::future::poll_fn(|cx| poll_head(&mut connection, outgoing, &mut writing, &mut partial, cx))
            .await?;
    let Arrived { head, first, taken } = *arrived;
    let reused = connection.reused;
    let is_written = matches!(writing, Writing::Done(_));
    let mut body = Body::new(connection, head.framing, head.keep && is_written, budgets, pool.clone());
    body.start(first, taken);
    Ok(Response { status: head.status, headers: head.headers, body, reused })
}

fn poll_head(
    connection: &mut Connection,
    outgoing: &mut Outgoing,
    writing: &mut Writing,
    partial: &mut Vec<u8>,
    cx: &mut Context<'_>,
) -> Poll<Result<Box<Arrived>, SendError>> {
    if let Writing::Going = writing {
        match outgoing.poll_write(connection, cx) {
            Poll::Ready(Ok(())) => *writing = Writing::Done(Instant::now()),
            // An answer may have come before the connection broke, so it is read for first.
            Poll::Ready(Err(error)) => *writing = Writing::Failed(error),
            Poll::Pending => {}
        }
    }
    let fail = |kind, writing: &mut Writing, error: Option<io::Error>, partial: &[u8], reused: bool| {
        let is_cut = |error: &io::Error| {
            use io::ErrorKind::{
                BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof,
            };
            matches!(
                error.kind(),
                BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof
            )
        };
        let idle_race = reused && partial.is_empty() && kind != SendErrorKind::HeadTimeout && {
            match writing {
                Writing::Going => false,
                Writing::Done(at) => error.as_ref().is_none_or(is_cut) && at.elapsed() < IDLE_RACE,
                Writing::Failed(error) => is_cut(error),
            }
        };
        let (kind, io) = match std::mem::replace(writing, Writing::Going) {
            Writing::Failed(error) => (SendErrorKind::Write, Some(error)),
            _ => (kind, error),
        };
        Poll::Ready(Err(SendError { kind, sent: outgoing.written > 0 && !idle_race, io, idle_race }))
    };
    let closed = SendErrorKind::ClosedBeforeHead;
    loop {
        match connection.poll_read(cx, |bytes| take(bytes, partial)) {
            Poll::Ready(Ok(Read::Arrived(arrived))) => return Poll::Ready(Ok(arrived)),
            Poll::Ready(Ok(Read::More)) => {}
            Poll::Ready(Ok(Read::End)) => return fail(closed, writing, None, partial, connection.reused),
            Poll::Ready(Ok(Read::Bad(bad))) => {
                let sent = outgoing.written > 0;
                let kind = SendErrorKind::BadHead(bad);
                return Poll::Ready(Err(SendError { kind, sent, io: None, idle_race: false }));
            }
            Poll::Ready(Err(error)) => return fail(closed, writing, Some(error), partial, connection.reused),
            Poll::Pending => break,
        }
    }
    if let Writing::Failed(_) = writing {
        return fail(closed, writing, None, partial, connection.reused);
    }
    match connection.deadline.poll(cx) {
        Poll::Ready(()) => fail(SendErrorKind::HeadTimeout, writing, None, partial, connection.reused),
        Poll::Pending => Poll::Pending,
    }
}

/// Parses what was read; a head that came in one read is parsed where it lies.
fn take(bytes: &mut [u8], partial: &mut Vec<u8>) -> Read {
    if bytes.is_empty() {
        return Read::End;
    }
    let mut held = std::mem::take(partial);
    let is_first = held.is_empty();
    let bytes = if is_first {
        bytes
    } else {
        held.extend_from_slice(bytes);
        &mut held[..]
    };
    let mut head = match parse(bytes) {
        Ok(Some(head)) => head,
        Ok(None) => {
            *partial = if is_first { bytes.to_vec() } else { held };
            return Read::More;
        }
        Err(bad) => return Read::Bad(bad),
    };
    let rest = &mut bytes[head.used..];
    let taken = head.framing.take(rest).map_err(BodyError::Chunked);
    let first =
        taken.as_ref().map_or_else(|_| Bytes::new(), |taken| Bytes::copy_from_slice(&rest[..taken.payload]));
    Read::Arrived(Box::new(Arrived { head, first, taken }))
}
