//! How are jobs run and spoken of? The job plane with its admin API on a thread of its own, and the commands that speak
//! with it.

pub(crate) mod access;
pub(crate) mod client;
mod command;
pub(crate) mod show;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use firstright_dispatch::{Actor, Plane};
use firstright_engine::Engine;
use firstright_gateway::listen::Tls;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::admin::{self, Access, Face, Token};

pub use command::{Command, CommandError, run};

/// How the job plane and its admin API run.
#[derive(Clone, Debug)]
pub struct JobsConfig {
    /// The job plane.
    pub plane: firstright_dispatch::Config,
    /// Its API.
    pub admin: admin::Config,
}

/// A job plane that runs. Dropping it stops it too.
#[derive(Debug)]
pub struct JobPlane {
    plane: Plane,
    admin: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

/// Why the job plane does not start.
#[derive(Debug)]
pub enum StartError {
    /// The plane itself.
    Plane(firstright_dispatch::StartError),
    /// The API's address is not on loopback.
    NotLoopback(SocketAddr),
    /// Something of the machine's.
    Io {
        /// What was done.
        doing: &'static str,
        /// To what.
        what: String,
        /// Why it failed.
        error: std::io::Error,
    },
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Plane(error) => error.fmt(f),
            StartError::NotLoopback(address) => write!(
                f,
                "failed to listen on `{address}`: without `tls` the admin API is not encrypted, and listens on loopback only"
            ),
            StartError::Io { doing, what, error } => write!(f, "failed to {doing} `{what}`: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// Starts the job plane of a book and its admin API, on a thread of their own, and writes down for commands on this
/// machine where it is. Returns when the API listens.
///
/// # Errors
/// If the journal cannot be read back, or the address cannot be listened on.
pub fn start(engine: Arc<Engine>, config: JobsConfig) -> Result<JobPlane, StartError> {
    let listen = config.admin.listen;
    if config.admin.tls.is_none() && !listen.ip().is_loopback() {
        return Err(StartError::NotLoopback(listen));
    }
    let io = |doing, what: String| move |error| StartError::Io { doing, what, error };
    let bind = |listen: SocketAddr| {
        let listener = std::net::TcpListener::bind(listen)?;
        listener.set_nonblocking(true)?;
        Ok((listener.local_addr()?, listener))
    };
    let (admin, listener) = bind(listen).map_err(io("listen on", listen.to_string()))?;
    // Commands on this machine read the token from a file of its owner's: they need no certificate.
    let (local, beside) = match &config.admin.tls {
        None => (admin, None),
        Some(_) => {
            let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
            let (local, beside) = bind(loopback).map_err(io("listen on", loopback.to_string()))?;
            (local, Some((beside, None)))
        }
    };
    let listeners = std::iter::once((listener, config.admin.tls)).chain(beside).collect();
    let token = match config.admin.token {
        Some(token) => token,
        None => Token::random().map_err(io("make a token for", admin.to_string()))?,
    };
    let data: PathBuf = config.plane.data.clone();
    let (plane, actor) = firstright_dispatch::start(engine, config.plane).map_err(StartError::Plane)?;
    access::write(&data, local, &token).map_err(io("write", data.join(admin::FILE).display().to_string()))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(io("start the threads of", "jobs".to_string()))?;
    let (stop, stopped) = watch::channel(false);
    let face = Face { plane: plane.clone(), operating: config.admin.operating };
    let access = Arc::new(Access::new(&token));
    let thread = std::thread::Builder::new()
        .name("jobs".to_string())
        .spawn(move || {
            tokio::task::LocalSet::new().block_on(&runtime, serve(listeners, access, face, actor, stopped));
        })
        .map_err(io("start the threads of", "jobs".to_string()))?;
    Ok(JobPlane { plane, admin, stop, thread: Some(thread) })
}

async fn serve(
    listeners: Vec<(std::net::TcpListener, Option<Arc<Tls>>)>,
    access: Arc<Access>,
    face: Face,
    actor: Actor,
    mut stopped: watch::Receiver<bool>,
) {
    let actor = tokio::task::spawn_local(actor.run());
    for (listener, tls) in listeners {
        match TcpListener::from_std(listener) {
            Ok(listener) => {
                let served = admin::serve(listener, tls, access.clone(), face.clone(), stopped.clone());
                tokio::task::spawn_local(served);
            }
            Err(error) => {
                eprintln!("firstright: failed to listen for the admin API: {error}; jobs go on without it");
            }
        }
    }
    // A sender that is gone has stopped.
    let _ = stopped.wait_for(|stop| *stop).await;
    face.plane.stop().await;
    // An actor that panicked has said so.
    let _ = actor.await;
}

impl JobPlane {
    /// The handle, for other faces of the same process.
    pub fn plane(&self) -> &Plane {
        &self.plane
    }

    /// Where the admin API listens.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Stops the job plane: what runs is metered once more and goes on, for the next one to take up. Blocks the thread
    /// until it is done; the engine is closed after it.
    pub fn stop(mut self) {
        self.halt();
    }

    fn halt(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

impl Drop for JobPlane {
    fn drop(&mut self) {
        self.halt();
    }
}
