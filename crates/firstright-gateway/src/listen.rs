//! How does a request come in, and who may stay connected?
//!
//! One current-thread runtime per core, each with its own listening socket on the same address (`SO_REUSEPORT`), so
//! that a connection, its handler and its upstream connection never change threads. hyper speaks HTTP/1.1; around
//! it stand the things that it leaves to its user: caps on connections, the budgets of a slow peer, the checks of
//! `scan`, and a drain that never cuts a request within the grace period.

mod body;
mod connection;
mod drain;
mod gate;
mod permit;
mod register;
mod scan;
mod threads;
mod upgrade;
mod tls;

pub(crate) use body::read_within;
pub use body::{BodyLimits, RequestBodyError, discard, read_whole};
pub use drain::{Drain, drain};
pub use permit::Permits;
pub use scan::Objection;
pub use threads::{Server, start};
pub use tls::{Tls, TlsError, TlsFiles, TlsLoaded};
pub use upgrade::{Io, Upgrade, Upgraded};

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http_body::Body;
use hyper::body::Incoming;
use hyper::{Request, Response};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use permit::Permit;
use register::Register;

use crate::relay;

/// Whose connection a request came on: an extension of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// What a client may take from us. Figures after Envoy's edge practice unless said.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Open connections of the whole process on this listener.
    pub connections: usize,
    /// Open connections of one address; none means no such cap (behind a load balancer every client has its address).
    pub connections_per_ip: Option<usize>,
    /// From the first byte of a head (or from the connection's start, its TLS handshake included) to its end.
    pub head_timeout: Duration,
    /// Without any byte between two requests. Longer than the 60 s of common load balancers, which must close first.
    pub idle_timeout: Duration,
    /// The client takes no byte of what we have for it.
    pub write_stall_timeout: Duration,
    /// From the start of a drain until what is still open is cut.
    pub grace: Duration,
    /// hyper's bound on a head and on its read buffer; at least 8 KiB, which is also where each connection starts.
    pub buffer_bytes: usize,
    /// Connections that the kernel holds for us.
    pub backlog: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            connections_per_ip: None,
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            write_stall_timeout: Duration::from_secs(60),
            grace: Duration::from_secs(600),
            buffer_bytes: 64 * 1024,
            backlog: 4096,
        }
    }
}

/// After an error such as `EMFILE` accepting again at once would only spin.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(50);

/// After the grace period, how long an answer may take to end with its last words.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Opens a listening socket that other threads may open as well. Needs a runtime.
pub fn bind(address: SocketAddr, limits: &Limits) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    socket.listen(limits.backlog)
}

/// What a finished listener reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Drained {
    /// Connections that were still open when the grace period ended.
    pub cut: usize,
}

/// Accepts and serves until `drain` says stop, then until every request is answered or the grace period is over. With
/// `tls` nothing else is spoken.
///
/// Must run inside a `LocalSet`. The future of `handler` is dropped when its client goes away; what may change its protocol
/// is polled without being pinned, so it has to bear that.
pub async fn serve<H, F, B>(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    limits: Rc<Limits>,
    permits: Permits,
    mut drain: Drain,
    handler: H,
) -> Drained
where
    H: Fn(Request<Incoming>) -> F + 'static,
    F: Future<Output = Response<B>> + Unpin + 'static,
    B: Body + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let register = Register::start(&limits);
    let mut wanted = permits.wanted();
    let handler = Rc::new(handler);
    let door = Rc::new(Door { tls, limits: limits.clone(), permits, register: register.clone(), handler });
    loop {
        tokio::select! {
            biased;
            () = drain.asked() => break,
            many = wanted.by_others() => {
                let mut many = 0..many;
                while many.next().is_some() && door.permits.are_all_taken() && register.make_room() {}
            }
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) if door.permits.are_all_taken() => door.wait(stream, peer),
                Ok((stream, peer)) => door.admit(stream, peer),
                Err(error) if is_of_one_connection(&error) => {}
                Err(_) => tokio::time::sleep(ACCEPT_BACKOFF).await,
            },
        }
    }
    // Whoever is already in the kernel's queue has been told that it is connected: closing the socket would reset it.
    register.drain();
    // Asked of the kernel itself: the runtime may not have heard of the newest ones.
    if let Ok(listener) = listener.into_std() {
        while let Ok((stream, peer)) = listener.accept() {
            if let Ok(stream) = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream)) {
                door.admit(stream, peer);
            }
        }
    }
    if tokio::time::timeout(limits.grace, register.empty()).await.is_ok() {
        return Drained { cut: 0 };
    }
    // What still flows is told so in its own words, and has a moment to be read; whatever else is open is cut.
    relay::close_answers();
    let cut = register.wake();
    if tokio::time::timeout(LAST_WORDS, register.empty()).await.is_err() {
        register.cut();
    }
    Drained { cut }
}

/// What every connection of a listener begins with.
struct Door<H> {
    tls: Option<Arc<Tls>>,
    limits: Rc<Limits>,
    permits: Permits,
    register: Rc<Register>,
    handler: Rc<H>,
}

impl<H, F, B> Door<H>
where
    H: Fn(Request<Incoming>) -> F + 'static,
    F: Future<Output = Response<B>> + Unpin + 'static,
    B: Body + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// Serves it. Over a cap the client is told by a closed connection: an answer would cost what the cap protects.
    fn admit(&self, stream: TcpStream, peer: SocketAddr) {
        if let Some(permit) = self.permits.take(peer.ip()) {
            self.serve(stream, peer, permit);
        }
    }

    /// Serves it as soon as another is closed for it, of this thread or of another, if that is soon.
    fn wait(self: &Rc<Self>, stream: TcpStream, peer: SocketAddr) {
        let door = Rc::clone(self);
        tokio::task::spawn_local(async move {
            if let Some(permit) = door.permits.wait(peer.ip()).await {
                door.serve(stream, peer, permit);
            }
        });
    }

    fn serve(&self, stream: TcpStream, peer: SocketAddr, permit: Permit) {
        // Without this an event of a stream would wait for the acknowledgement of the one before it.
        let _ = stream.set_nodelay(true);
        connection::spawn(
            stream,
            peer,
            self.tls.as_ref(),
            permit,
            &self.limits,
            &self.register,
            &self.handler,
        );
    }
}

/// These say that one client gave up, not that the listener is ill.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
