//! What does the provider send after its head?

use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::Budgets;
use super::connection::Connection;
use super::pool::Pool;
use super::response::{Framing, Taken};
use crate::chunked::BadChunk;

/// Why a body ended before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyError {
    /// The connection ended in the middle.
    Truncated,
    /// The connection broke.
    Broken(io::ErrorKind),
    /// Nothing came within the budget between two reads.
    GapTimeout,
    /// It came, but not all of it within the budget for the whole.
    TotalTimeout,
    /// The body is not what its coding says.
    Chunked(BadChunk),
    /// More than this many bytes where a whole was asked for.
    TooLarge(usize),
    /// Too much is held for others.
    Crowded,
}

impl std::fmt::Display for BodyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Truncated => f.write_str("read the provider's answer to its end: the connection ended"),
            Self::Broken(kind) => write!(f, "read the provider's answer to its end: {kind}"),
            Self::GapTimeout => f.write_str("read more of the provider's answer in time"),
            Self::TotalTimeout => f.write_str("read all of the provider's answer in time"),
            Self::Chunked(bad) => write!(f, "read the provider's answer: {bad}"),
            Self::TooLarge(bytes) => {
                write!(f, "take the provider's answer: it is larger than `{bytes}` bytes")
            }
            Self::Crowded => f.write_str("hold the provider's answer: too much is held for others"),
        }
    }
}

impl std::error::Error for BodyError {}

/// The body of one answer. Read to its end it gives its connection back; dropped before, it closes it, which is what
/// tells a provider to stop.
pub struct Body {
    /// None once the end or an error has been met.
    connection: Option<Connection>,
    framing: Framing,
    /// What came with the head.
    ready: Bytes,
    failed: Option<BodyError>,
    keep: bool,
    gap: Duration,
    /// When all of it has to be here; none if that is further away than the clock can say.
    end: Option<Instant>,
    pool: Rc<Pool>,
}

impl Body {
    pub(super) fn new(
        connection: Connection,
        framing: Framing,
        keep: bool,
        budgets: &Budgets,
        pool: Rc<Pool>,
    ) -> Self {
        let (gap, end) = (budgets.gap, Instant::now().checked_add(budgets.total));
        Self {
            connection: Some(connection),
            framing,
            ready: Bytes::new(),
            failed: None,
            keep,
            gap,
            end,
            pool,
        }
    }

    /// Takes what came with the head.
    pub(super) fn start(&mut self, first: Bytes, taken: Result<Taken, BodyError>) {
        self.ready = first;
        match taken {
            Ok(taken) => {
                self.keep &= !taken.has_surplus;
                if self.framing.is_end() {
                    self.finish();
                } else if let Some(connection) = &mut self.connection {
                    connection.deadline.set_before(self.gap, self.end);
                }
            }
            Err(error) => self.fail(error),
        }
    }

    /// Everything that is ready, at most 64 KiB, without its framing; none at the end. After an error there is no more.
    pub async fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// As [`Body::next`].
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        if !self.ready.is_empty() {
            return Poll::Ready(Some(Ok(std::mem::take(&mut self.ready))));
        }
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Some(Err(error)));
        }
        while let Some(connection) = &mut self.connection {
            let framing = &mut self.framing;
            let read = connection.poll_read(cx, |bytes| {
                if bytes.is_empty() {
                    return Ok(None);
                }
                let taken = framing.take(bytes)?;
                Ok(Some((Bytes::copy_from_slice(&bytes[..taken.payload]), taken.has_surplus)))
            });
            match read {
                Poll::Ready(Ok(Ok(Some((bytes, has_surplus))))) => {
                    self.keep &= !has_surplus;
                    let in_time = connection.deadline.set_before(self.gap, self.end);
                    if self.framing.is_end() {
                        self.finish();
                    } else if !in_time {
                        self.fail(BodyError::TotalTimeout);
                    }
                    if !bytes.is_empty() {
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                }
                Poll::Ready(Ok(Ok(None))) => {
                    if !matches!(self.framing, Framing::Close) {
                        self.fail(BodyError::Truncated);
                    }
                    self.connection = None;
                }
                Poll::Ready(Ok(Err(bad))) => self.fail(BodyError::Chunked(bad)),
                Poll::Ready(Err(error)) => self.fail(BodyError::Broken(error.kind())),
                Poll::Pending => match connection.deadline.poll(cx) {
                    Poll::Ready(()) => self.fail(match self.end {
                        Some(end) if Instant::now() >= end => BodyError::TotalTimeout,
                        _ => BodyError::GapTimeout,
                    }),
                    Poll::Pending => return Poll::Pending,
                },
            }
        }
        Poll::Ready(self.failed.take().map(Err))
    }

    /// Reads to the end, at most `limit` bytes. A body that came with its head is not copied again.
    pub async fn read_whole(&mut self, limit: usize) -> Result<Bytes, BodyError> {
        self.read_within(limit, |_| true).await
    }

    /// The same; `take` is told of all bytes before they are kept, and may say that there is no room for them.
    pub(crate) async fn read_within(
        &mut self,
        limit: usize,
        mut take: impl FnMut(usize) -> bool,
    ) -> Result<Bytes, BodyError> {
        let announced = self.remaining();
        let Some(first) = self.next().await.transpose()? else { return Ok(Bytes::new()) };
        // What says that it will be too long is not read until it is.
        if first.len() > limit || announced.is_some_and(|bytes| bytes > limit as u64) {
            self.connection = None;
            return Err(BodyError::TooLarge(limit));
        }
        if !take(first.len()) {
            self.connection = None;
            return Err(BodyError::Crowded);
        }
        if self.is_end() {
            return Ok(first);
        }
        // Put together once, at the end: a buffer that grows would be held twice each time that it does.
        let (mut length, mut pieces) = (first.len(), vec![first]);
        while let Some(bytes) = self.next().await.transpose()? {
            length += bytes.len();
            let too_much = match length > limit {
                true => Some(BodyError::TooLarge(limit)),
                false => (!take(bytes.len())).then_some(BodyError::Crowded),
            };
            if let Some(error) = too_much {
                self.connection = None;
                return Err(error);
            }
            pieces.push(bytes);
        }
        let mut all = Vec::with_capacity(length);
        pieces.drain(..).for_each(|bytes| all.extend_from_slice(&bytes));
        Ok(all.into())
    }

    /// Whether the end is known to have been reached.
    pub fn is_end(&self) -> bool {
        self.connection.is_none() && self.ready.is_empty() && self.failed.is_none()
    }

    /// Bytes still to come, where the head said how many.
    pub fn remaining(&self) -> Option<u64> {
        match self.framing {
            Framing::Fixed(left) => Some(left + self.ready.len() as u64),
            Framing::Chunked(_) | Framing::Close => None,
        }
    }

    fn finish(&mut self) {
        if let Some(connection) = self.connection.take()
            && self.keep
        {
            self.pool.keep(connection);
        }
    }

    fn fail(&mut self, error: BodyError) {
        self.connection = None;
        self.failed = Some(error);
    }
}

/// The bytes are a customer's.
impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body").field("is_end", &self.is_end()).field("remaining", &self.remaining()).finish()
    }
}
