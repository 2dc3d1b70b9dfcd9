//! What do the raw bytes of a client's connection say that hyper does not tell?
//!
//! Stands between the socket and hyper: every byte passes through unchanged, heads are read along by `scan`, and the
//! register learns what the connection waits for.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::register::Watch;
use super::scan::{Objection, Scan};

/// What the gate knows and the service asks.
#[derive(Debug, Default)]
pub(super) struct Findings {
    objection: Cell<Option<(u64, Objection)>>,
    mid_head: Cell<bool>,
}

impl Findings {
    /// The objection to the request with this ordinal (from 0), if there is one. Nothing behind it is trusted either.
    pub(super) fn objection_to(&self, ordinal: u64) -> Option<Objection> {
        self.objection.get().filter(|(at, _)| ordinal >= *at).map(|(_, objection)| objection)
    }

    /// Whether a part of a head has come whose end has not.
    pub(super) fn is_mid_head(&self) -> bool {
        self.mid_head.get()
    }
}

/// A client's connection as hyper sees it.
pub(super) struct Gate<T> {
    inner: T,
    scan: Scan,
    findings: Rc<Findings>,
    watch: Rc<Watch>,
}

impl<T> Gate<T> {
    pub(super) fn new(inner: T, watch: Rc<Watch>) -> (Self, Rc<Findings>) {
        let findings = Rc::<Findings>::default();
        (Self { inner, scan: Scan::default(), findings: findings.clone(), watch }, findings)
    }

    /// The connection itself, once it no longer speaks HTTP.
    pub(super) fn into_inner(self) -> T {
        self.inner
    }

    /// Reads along. An error is an objection to a body whose request is being served already.
    fn came(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.findings.objection.get().is_some() {
            return Ok(());
        }
        let was_in_body = self.scan.is_in_body();
        let heads = self.scan.heads();
        let followed = self.scan.follow(bytes);
        let mid_head = self.scan.is_mid_head();
        self.findings.mid_head.set(mid_head);
        if mid_head {
            self.watch.head_came();
        }
        let Err(objection) = followed else { return Ok(()) };
        self.findings.objection.set(Some((self.scan.heads(), objection)));
        if was_in_body && self.scan.heads() == heads {
            return Err(io::Error::new(io::ErrorKind::InvalidData, objection.text()));
        }
        Ok(())
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Gate<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, buffer);
        if let Some(bytes) = buffer.filled().get(before..).filter(|bytes| !bytes.is_empty()) {
            self.came(bytes)?;
        }
        read
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Gate<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.watch.wrote(wrote.is_ready());
        wrote
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.inner).poll_write_vectored(cx, slices);
        self.watch.wrote(wrote.is_ready());
        wrote
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
