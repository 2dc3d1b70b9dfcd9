//! How does a request reach a provider, and how does the answer come back?
//!
//! A small HTTP/1.1 client of our own, because its two properties are what a gateway lives on: everything that is
//! ready is read at once (a burst of a thousand events is a handful of reads), and a stream that waits holds no
//! buffer. It follows no redirect, asks no proxy, and dials only a [`Target`] that configuration has fixed.
//!
//! **When is a request repeated?** Once, on a fresh connection, and only if a kept connection turned out to have been
//! closed by the other side while it was idle: the write failed with a reset, or the connection ended within
//! a second of the write, and not one byte of an answer came. A server that had begun to work on the request would
//! not close without a word within that second; one that does may in theory bill twice, which is the price that
//! every client with kept connections pays. Everything else is the caller's to decide, with [`SendError::sent`].

mod body;
mod connection;
mod deadline;
mod dial;
mod egress;
mod exchange;
mod pool;
mod request;
mod response;
pub(crate) mod socket;
mod target;
mod tls;

pub use body::{Body, BodyError};
pub use exchange::{SendError, SendErrorKind};
pub use pool::PoolLimits;
pub use request::{BadHead, RequestHead};
pub use response::BadResponse;
pub use target::{BadTarget, Target};
pub use tls::Trust;

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use exchange::Outgoing;
use pool::Pool;

/// How long each part of an attempt may take.
#[derive(Debug, Clone, Copy)]
pub struct Budgets {
    /// Name look-up, TCP and TLS handshakes together.
    pub connect: Duration,
    /// From the start of the write to the end of the response head. A reasoning model may think for minutes.
    pub head: Duration,
    /// Between two reads of the body.
    pub gap: Duration,
    /// From the head to the end of the body. It ends what drips for ever within its gaps.
    pub total: Duration,
}

impl Default for Budgets {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            head: Duration::from_secs(600),
            gap: Duration::from_secs(300),
            total: Duration::from_secs(3600),
        }
    }
}

/// An answer whose head is here.
#[derive(Debug)]
pub struct Response {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Body,
    /// Whether it came over a connection that had served before.
    pub reused: bool,
}

/// One thread's way to the providers: its kept connections. Clones share them.
#[derive(Debug, Clone)]
pub struct Client {
    pool: Rc<Pool>,
}

impl Client {
    /// Costs nothing until it is used.
    pub fn new(limits: PoolLimits) -> Self {
        Self { pool: Pool::new(limits) }
    }

    /// Sends one request; the body's pieces are written one behind the other without being copied.
    ///
    /// Must run inside a `LocalSet`. A head goes to the target that it was made for, or nowhere. Dropping the future closes the connection.
    pub async fn send(
        &self,
        target: &Target,
        head: RequestHead,
        body: Vec<Bytes>,
        budgets: &Budgets,
    ) -> Result<Response, SendError> {
        if !head.is_for(target) {
            return Err(SendError::unsent(SendErrorKind::Elsewhere, None));
        }
        let mut outgoing = Outgoing::new(head, body);
        if let Some(connection) = self.pool.take(target.id()) {
            match exchange::exchange(connection, &mut outgoing, budgets, &self.pool).await {
                Err(error) if error.is_idle_race() => outgoing.rewind(),
                result => return result,
            }
        }
        // Boxed: most requests dial nobody, and need no room for it.
        let connection = match Box::pin(dial::dial(target, budgets.connect)).await {
            // Those that wait for use are files too, and can be had again.
            Err(error) if error.kind == SendErrorKind::Files && self.pool.clear() => {
                Box::pin(dial::dial(target, budgets.connect)).await?
            }
            dialled => dialled?,
        };
        exchange::exchange(connection, &mut outgoing, budgets, &self.pool).await
    }

    /// Opens a connection and keeps it for the next request.
    ///
    /// # Errors
    /// If there is none to be had within the budget.
    pub async fn open(&self, target: &Target, budgets: &Budgets) -> Result<(), SendError> {
        self.pool.keep(dial::dial(target, budgets.connect).await?);
        Ok(())
    }

    /// Connections that wait for use, over all targets.
    pub fn idle(&self) -> usize {
        self.pool.idle()
    }
}
