//! What does the request say, all of it, and within which bounds?

use std::future::Future;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use hyper::body::Incoming;

/// How much of a body is taken, and how long that may last.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimits {
    /// Bytes. 20 MiB holds several images in base64; a route may say less.
    pub bytes: usize,
    /// From the first wait to the last byte.
    pub timeout: Duration,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self { bytes: 20 * 1024 * 1024, timeout: Duration::from_secs(60) }
    }
}

/// So much memory is set aside ahead of the bytes, and from there on as much as has come: a length that is only claimed
/// must not cost us more.
const AHEAD_BYTES_LEAST: usize = 16 * 1024;

/// Why a request body could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestBodyError {
    /// More than this many bytes.
    TooLarge(usize),
    /// The client was too slow.
    TimedOut,
    /// The client went away or sent what is no body.
    Broken,
    /// Too much is held for others.
    Crowded,
}

impl std::fmt::Display for RequestBodyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooLarge(bytes) => write!(f, "take the request body: it is larger than `{bytes}` bytes"),
            Self::TimedOut => write!(f, "read the request body in time"),
            Self::Broken => write!(f, "read the request body to its end"),
            Self::Crowded => write!(f, "hold the request body: too much is held for others"),
        }
    }
}

impl std::error::Error for RequestBodyError {}

/// Reads a body to its end. One that came with its head is not copied and needs no timer.
///
/// # Errors
/// If it is larger than its limit, too slow, or no body.
pub async fn read_whole(mut body: Incoming, limits: BodyLimits) -> Result<Bytes, RequestBodyError> {
    read_within(&mut body, limits, |_| true).await
}

/// The same; `take` is told of all bytes before they are kept, and may say that there is no room for them.
pub(crate) async fn read_within(
    body: &mut Incoming,
    limits: BodyLimits,
    mut take: impl FnMut(usize) -> bool,
) -> Result<Bytes, RequestBodyError> {
    let claimed = body.size_hint().exact();
    if claimed.is_some_and(|claimed| claimed > limits.bytes as u64) {
        return Err(RequestBodyError::TooLarge(limits.bytes));
    }
    let mut reading = std::pin::pin!(collect(body, claimed, limits.bytes, &mut take));
    if let Some(result) = poll_now(reading.as_mut()).await {
        return result;
    }
    tokio::time::timeout(limits.timeout, reading).await.unwrap_or(Err(RequestBodyError::TimedOut))
}

/// How much of a refused request's body is still taken in, and for how long: a client that is answered and cut off while
/// it writes sees a broken connection in the place of the answer.
const DISCARDED_BYTES_MAX: usize = 1 << 20;
const DISCARDED_FOR: Duration = Duration::from_secs(2);

/// Takes the rest of a body that nobody wants, within bounds.
pub async fn discard(mut body: Incoming) {
    let reading = async {
        let mut bytes = 0;
        while let Ok(Some(data)) = next(&mut body).await {
            bytes += data.len();
            if bytes > DISCARDED_BYTES_MAX {
                break;
            }
        }
    };
    // What is not taken by then is the client's own loss.
    let _ = tokio::time::timeout(DISCARDED_FOR, reading).await;
}

async fn collect(
    body: &mut Incoming,
    claimed: Option<u64>,
    limit: usize,
    take: &mut impl FnMut(usize) -> bool,
) -> Result<Bytes, RequestBodyError> {
    let mut first = Bytes::new();
    let mut all = Vec::new();
    let claimed = claimed.map_or(0, |claimed| usize::try_from(claimed).unwrap_or(usize::MAX));
    while let Some(data) = next(body).await? {
        if first.len() + all.len() + data.len() > limit {
            return Err(RequestBodyError::TooLarge(limit));
        }
        if !take(data.len()) {
            return Err(RequestBodyError::Crowded);
        }
        if first.is_empty() && all.is_empty() {
            first = data;
            continue;
        }
        if all.is_empty() {
            grow(&mut all, first.len() + data.len(), claimed);
            all.extend_from_slice(&std::mem::take(&mut first));
        }
        grow(&mut all, data.len(), claimed);
        all.extend_from_slice(&data);
    }
    Ok(if all.is_empty() { first } else { all.into() })
}

/// Makes room for `more`, and by doubling for what will follow, but for no more than is claimed.
fn grow(all: &mut Vec<u8>, more: usize, claimed: usize) {
    if all.capacity() - all.len() < more {
        let ahead = claimed.saturating_sub(all.len()).min(all.len().max(AHEAD_BYTES_LEAST));
        all.reserve_exact(more.max(ahead));
    }
}

/// The next bytes; trailers are dropped.
async fn next(body: &mut Incoming) -> Result<Option<Bytes>, RequestBodyError> {
    loop {
        if body.is_end_stream() {
            return Ok(None);
        }
        match std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
            None => return Ok(None),
            Some(Err(_)) => return Err(RequestBodyError::Broken),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data()
                    && !data.is_empty()
                {
                    return Ok(Some(data));
                }
            }
        }
    }
}

/// Polls once; none when the future has to wait.
async fn poll_now<T>(mut future: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
