//! How does the operator speak with a running Firstright? Over HTTP on a listener of its own, on loopback or with TLS, and
//! never without the token.
//!
//! | request | answer |
//! |---|---|
//! | `POST /admin/jobs`, a job file | the job's number and what was decided |
//! | `GET /admin/jobs`, `GET /admin/jobs/{id}` | all jobs; one with its leases, offers and reasons |
//! | `DELETE /admin/jobs/{id}` | cancels it |
//! | `GET /admin/jobs/{id}/logs?lease=&offset=&follow=1` | a part of a lease's output; the headers say where the next begins |
//! | `POST /admin/jobs/{id}/quotes` `{provider, hour, until}` | notes a third party's firm quote |
//! | `GET /admin/offers` | all offers |
//! | `POST /admin/offers/{id}/answer` `{by, answer, reason?, count?, hour?}` | the holder answers |
//! | `POST /admin/offers/{id}/counter` `{agreed}` | the operator answers a counter |
//! | `POST /admin/providers/{id}/declare` `{accelerator, free}` | what it has free |
//! | `POST /admin/providers/{id}/lose` | its capacity is gone |
//! | `GET /admin/accounts`, `GET /admin/accounts/{id}` | all accounts; one with what it has spent and reserved |
//! | `POST /admin/accounts`, an account | makes it; for a key the answer has the key, once |
//! | `PUT /admin/accounts/{id}`, an account | sets it anew, whole |
//! | `POST /admin/accounts/{id}/rotate` `{grace-s}` | draws a key anew |
//! | `DELETE /admin/accounts/{id}` | closes it and all below it |
//! | `POST /admin/reload` | reads configuration, law and certificates again, and puts them in force |
//! | `GET /metrics` | every metric, as Prometheus reads it |
//! | `GET /admin/capacity` | how every deployment stands |
//! | `GET /healthz`, `GET /readyz` | is it alive, does it want work? These two alone need no token |
//!
//! What is put on record is answered when the record is on disk. An answer that is no success is
//! `{"error": {"code", "message"}}`.

pub(crate) mod answer;
mod auth;
pub(crate) mod logs;
mod operating;
mod route;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use firstright_dispatch::Plane;
use firstright_gateway::listen::Tls;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use crate::operating::Operating;

pub use auth::{Access, Token};
pub use wire::{AnswerBody, CounterBody, DeclareBody, ErrorBody, QuoteBody, ReloadBody, SaidBody};

/// The file in the book's folder that tells commands on this machine where the API is, and its token.
pub const FILE: &str = "admin.toml";
/// Connections at once: people and their scripts, not traffic.
const MAX_CONNECTIONS: usize = 128;
/// How long a request's head may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may last: longer than a follower is held for one answer.
const CONNECTION_AGE: Duration = Duration::from_secs(120);
/// Bytes of a request's head, and of what is read ahead.
const MAX_HEAD: usize = 16 << 10;

/// Where the admin API listens, and who may speak with it.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address; without TLS only loopback is taken, because what is said here is not encrypted.
    pub listen: SocketAddr,
    /// Its certificate.
    pub tls: Option<Arc<Tls>>,
    /// The token; a new one for each start if there is none.
    pub token: Option<Token>,
    /// What can be asked of the process beside its jobs.
    pub operating: Option<Arc<Operating>>,
}

impl Default for Config {
    fn default() -> Config {
        Config { listen: SocketAddr::from(([127, 0, 0, 1], 8788)), tls: None, token: None, operating: None }
    }
}

/// What the API speaks for.
#[derive(Clone, Debug)]
pub(crate) struct Face {
    /// The jobs.
    pub plane: Plane,
    /// The process.
    pub operating: Option<Arc<Operating>>,
}

/// Serves until `stop` says so. Must run inside a `LocalSet`.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    access: Arc<Access>,
    face: Face,
    mut stop: watch::Receiver<bool>,
) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        // A connection that was lost before it was taken, or no file handle for it: the next one may fare better.
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else { continue };
        let (tls, access, face) = (tls.clone(), Arc::clone(&access), face.clone());
        tokio::task::spawn_local(async move {
            let served = async {
                match tls {
                    None => speak(stream, &access, &face).await,
                    // Whoever does not agree on TLS in time is told by an alert, or by the end.
                    Some(tls) => {
                        if let Ok(Ok(stream)) = tokio::time::timeout(HEAD_TIMEOUT, tls.accept(stream)).await {
                            speak(stream, &access, &face).await;
                        }
                    }
                }
            };
            // A client that stays for too long has its own reasons.
            let _ = tokio::time::timeout(CONNECTION_AGE, served).await;
            drop(place);
        });
    }
}

/// Serves one connection.
async fn speak<T: AsyncRead + AsyncWrite + Unpin>(stream: T, access: &Access, face: &Face) {
    let service = service_fn(|request| answer::answer(request, access, face));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(MAX_HEAD);
    // A client that breaks off has its own reasons.
    let _ = http.serve_connection(TokioIo::new(stream), service).await;
}
