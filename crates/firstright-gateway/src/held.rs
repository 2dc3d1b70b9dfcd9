//! How much memory do bodies hold, and who is turned away when it is too much?
//!
//! What has come counts, not what is announced: a client that announces much and sends nothing takes nothing from the
//! others. The rungs, in parts of the bound (`max-held-bytes`): from three quarters of it no large request comes in, at
//! all of it no request with a body that others have not left room for, and what an answer would take beyond half as
//! much again is given up. Each request gives back what it held when it ends, so the way down is the way up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

/// A body is held as it came, and as it is said to the other side.
const COPIES: usize = 2;
/// Up to here a body is small, in bytes. It takes little, so it still comes in when large ones do not.
const SMALL_BYTES: usize = 256 * 1024;

/// The bytes of all bodies that are held.
#[derive(Debug, Default)]
pub struct Bodies {
    held: AtomicUsize,
}

impl Bodies {
    /// Bytes that are held now.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }
}

/// What one request holds of them; given back on drop.
#[derive(Debug)]
pub(crate) struct Held {
    of: Arc<Bodies>,
    bytes: usize,
    limit: usize,
}

/// A body that is held until its last byte has left.
struct Kept {
    body: Bytes,
    _held: Held,
}

impl Held {
    /// Nothing yet, of `limit` bytes.
    pub(crate) fn new(of: &Arc<Bodies>, limit: usize) -> Held {
        Held { of: Arc::clone(of), bytes: 0, limit }
    }

    /// Would a request's body of this length find room? Takes none.
    pub(crate) fn would_fit(&self, length: usize) -> bool {
        let (others, all) = (self.of.held().saturating_sub(self.bytes), length.saturating_mul(COPIES));
        others == 0 || others.saturating_add(all) <= self.rung(all)
    }

    /// Takes room for so many bytes more of a request. False if there is none, and then nobody else's is taken by it:
    /// the request is to end.
    pub(crate) fn take(&mut self, bytes: usize) -> bool {
        let others = self.add(bytes);
        others == 0 || others.saturating_add(self.bytes) <= self.rung(self.bytes)
    }

    /// The same for an answer, which costs more to give up: it may be paid for already.
    pub(crate) fn take_for_answer(&mut self, bytes: usize) -> bool {
        let others = self.add(bytes);
        others == 0 || others.saturating_add(self.bytes) <= self.limit.saturating_add(self.limit / 2)
    }

    /// Gives back what it holds.
    pub(crate) fn release(&mut self) {
        self.of.held.fetch_sub(std::mem::take(&mut self.bytes), Ordering::Relaxed);
    }

    /// Lets go of nothing until the body's last byte has left for its client, if it is large.
    pub(crate) fn keep(self, body: Bytes) -> Bytes {
        if body.len() <= SMALL_BYTES { body } else { Bytes::from_owner(Kept { body, _held: self }) }
    }

    /// What may be held when one holds so much of it.
    fn rung(&self, own: usize) -> usize {
        if own <= SMALL_BYTES * COPIES { self.limit } else { self.limit / 4 * 3 }
    }

    /// Adds to what is held; gives what others hold. One that is alone may be as large as its own limit.
    fn add(&mut self, bytes: usize) -> usize {
        let bytes = bytes.saturating_mul(COPIES);
        let before = self.of.held.fetch_add(bytes, Ordering::Relaxed);
        let others = before.saturating_sub(self.bytes);
        self.bytes = self.bytes.saturating_add(bytes);
        others
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.release();
    }
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

#[cfg(test)]
mod tests;
