//! What is a connection to a provider, and how is it read without holding a buffer?

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::deadline::Deadline;

/// What one read takes at most: 64 KiB is several hundred events, and fits the second-level cache.
pub(super) const SCRATCH_BYTES: usize = 64 * 1024;

thread_local! {
    /// The one read buffer of this thread. It is only borrowed within a poll, so a waiting stream holds none of it.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Bytes to and from a provider.
#[derive(Debug)]
pub(crate) enum Transport {
    Plain(TcpStream),
    // Boxed: a TLS session is twenty times the size of a socket.
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection with what it needs while it serves or waits.
#[derive(Debug)]
pub(super) struct Connection {
    transport: Transport,
    target: u64,
    pub(super) deadline: Deadline,
    /// Whether it has served a request before this one.
    pub(super) reused: bool,
}

impl Connection {
    pub(super) fn new(transport: Transport, target: u64) -> Self {
        Self { transport, target, deadline: Deadline::default(), reused: false }
    }

    /// The bytes alone: they become a socket's.
    pub(super) fn into_transport(self) -> Transport {
        self.transport
    }

    pub(super) fn target(&self) -> u64 {
        self.target
    }

    /// Reads what is ready, at most [`SCRATCH_BYTES`], and hands it to `take`; an empty slice is the end.
    pub(super) fn poll_read<R>(
        &mut self,
        cx: &mut Context<'_>,
        take: impl FnOnce(&mut [u8]) -> R,
    ) -> Poll<io::Result<R>> {
        SCRATCH.with_borrow_mut(|scratch| {
            if scratch.is_empty() {
                scratch.resize(SCRATCH_BYTES, 0);
            }
            let mut buffer = ReadBuf::new(scratch);
            match self.transport.poll_fill(cx, &mut buffer) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) => Poll::Ready(Ok(take(buffer.filled_mut()))),
            }
        })
    }

    /// Writes what the socket takes of `slices`.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Transport::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    /// Sends on what TLS still holds.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Plain(_) => Poll::Ready(Ok(())),
            Transport::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    /// Whether nothing has come since the last answer. Bytes, an end and an error all make it useless.
    ///
    /// Asks the runtime's knowledge first, so a quiet connection costs no system call.
    pub(super) fn is_quiet(&mut self) -> bool {
        let mut one = [0];
        let mut buffer = ReadBuf::new(&mut one);
        self.transport.poll_read(&mut Context::from_waker(Waker::noop()), &mut buffer).is_pending()
    }
}

impl Transport {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }

    /// A socket gives all it has in one read; TLS gives a record at a time, so it is asked until it has none.
    fn poll_fill(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Self::Plain(_) = self {
            return self.poll_read(cx, buffer);
        }
        loop {
            let before = buffer.filled().len();
            match self.poll_read(cx, buffer) {
                Poll::Ready(Ok(())) if buffer.filled().len() > before && buffer.remaining() > 0 => {}
                // What came before an error or the end goes out first; the next call meets it again.
                Poll::Pending | Poll::Ready(Err(_)) if before > 0 => return Poll::Ready(Ok(())),
                other => return other,
            }
        }
    }
}
