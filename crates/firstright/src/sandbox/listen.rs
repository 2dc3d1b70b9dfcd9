//! Who may connect? One accept loop a cloud, with limits; a fault closes the port and opens it again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::handle::handle;
use super::shared::Shared;

/// Connections to one cloud; the next one waits in the backlog. A replayed surge holds a thousand streams open; the demo
/// runs everything in one process, and asks the system for as many file descriptors as it may have.
const MAX_CONNECTIONS: usize = 4_096;

/// Also how long an idle connection is kept; longer than clients keep theirs.
const HEADER_TIMEOUT: Duration = Duration::from_secs(75);

/// Request line and headers.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// How long open answers may take to end after a stop.
const GRACE: Duration = Duration::from_secs(3);

/// How late a scheduled closing or opening of the port may be.
const TICK: Duration = Duration::from_millis(25);

pub(super) async fn listen_all(
    listeners: Vec<(SocketAddr, std::net::TcpListener)>,
    peers: Arc<[Arc<Shared>]>,
    stopped: watch::Receiver<bool>,
) {
    let mut clouds = JoinSet::new();
    for (index, (address, listener)) in listeners.into_iter().enumerate() {
        let listener = TcpListener::from_std(listener).ok();
        clouds.spawn(listen(address, listener, index, peers.clone(), stopped.clone()));
    }
    clouds.join_all().await;
}

async fn listen(
    address: SocketAddr,
    mut listener: Option<TcpListener>,
    index: usize,
    peers: Arc<[Arc<Shared>]>,
    mut stopped: watch::Receiver<bool>,
) {
    let shared = peers[index].clone();
    let mut connections = JoinSet::new();
    loop {
        if shared.refuses_connections() {
            listener = None;
        } else if listener.is_none() {
            // Somebody else may hold the port by now; then the next tick tries again.
            listener = TcpListener::bind(address).await.ok();
        }
        while connections.try_join_next().is_some() {}
        tokio::select! {
            () = asked_to_stop(&mut stopped) => break,
            () = shared.faults_changed.notified() => {}
            () = tokio::time::sleep(TICK) => {}
            Some(stream) = accept(listener.as_ref()), if connections.len() < MAX_CONNECTIONS => {
                connections.spawn(serve(stream, index, peers.clone(), stopped.clone()));
            }
        }
    }
    drop(listener);
    // Each connection ends itself within the grace.
    connections.join_all().await;
}

/// Also when nobody is left who could ask.
async fn asked_to_stop(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stop| *stop).await;
}

/// None when the system couldn't give a connection (out of descriptors, or the client left): the tick
/// before the next try is the back-off.
async fn accept(listener: Option<&TcpListener>) -> Option<TcpStream> {
    match listener {
        Some(listener) => listener.accept().await.ok().map(|(stream, _)| stream),
        None => None,
    }
}

async fn serve(
    stream: TcpStream,
    index: usize,
    peers: Arc<[Arc<Shared>]>,
    mut stopped: watch::Receiver<bool>,
) {
    // Without it a chunk could wait for the acknowledgement of the one before; failing that, it is slow.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| handle(index, peers.clone(), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    // A broken connection is the client's doing or a fault's; either way the model has counted it.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = asked_to_stop(&mut stopped) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(GRACE, connection).await;
}
