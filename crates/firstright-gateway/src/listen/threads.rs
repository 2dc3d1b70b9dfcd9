//! Who runs the listeners?

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;

use http_body::Body;
use hyper::body::Incoming;
use hyper::{Request, Response};
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::task::LocalSet;

use super::{Drained, Limits, Permits, Tls, bind, drain, serve};

/// A listener on several threads.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    permits: Permits,
    ask: watch::Sender<bool>,
    threads: Vec<JoinHandle<Drained>>,
}

/// Listens on `address` with `threads` threads. `handler_of` is called once in each of them, inside its runtime, and
/// so may build what belongs to one thread, such as its upstream client.
///
/// Errors: the address cannot be bound, or a thread or runtime not be made; nothing is left running then.
pub fn start<S, H, F, B>(
    address: SocketAddr,
    tls: Option<Arc<Tls>>,
    threads: usize,
    limits: &Limits,
    handler_of: S,
) -> io::Result<Server>
where
    S: Fn() -> H + Clone + Send + 'static,
    H: Fn(Request<Incoming>) -> F + 'static,
    F: Future<Output = Response<B>> + Unpin + 'static,
    B: Body + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let permits = Permits::new(limits);
    let (ask, asked) = drain();
    let mut server = Server { address, permits: permits.clone(), ask, threads: Vec::new() };
    for index in 0..threads.max(1) {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        // Bound here so that an error reaches the caller; the first one settles what port 0 means.
        let listener = {
            let _inside = runtime.enter();
            bind(server.address, limits)?
        };
        server.address = listener.local_addr()?;
        let (limits, tls, permits, asked, handler_of) =
            (limits.clone(), tls.clone(), permits.clone(), asked.clone(), handler_of.clone());
        let run = move || {
            let serving =
                async move { serve(listener, tls, Rc::new(limits), permits, asked, handler_of()).await };
            LocalSet::new().block_on(&runtime, serving)
        };
        server.threads.push(std::thread::Builder::new().name(format!("gateway-{index}")).spawn(run)?);
    }
    Ok(server)
}

impl Server {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Counts its open connections.
    pub fn permits(&self) -> Permits {
        self.permits.clone()
    }

    /// Waits until the threads end, which a drain makes them do.
    pub fn join(self) -> Drained {
        let cut = self.threads.into_iter().map(|thread| thread.join().map_or(0, |drained| drained.cut)).sum();
        Drained { cut }
    }

    /// Stops accepting, answers what is in flight, and returns when all is answered or the grace period is over.
    pub fn drain(self) -> Drained {
        let _ = self.ask.send(true);
        self.join()
    }

    /// A handle that can ask for a drain from elsewhere, such as a signal's task.
    pub fn drainer(&self) -> watch::Sender<bool> {
        self.ask.clone()
    }
}
