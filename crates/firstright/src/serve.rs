//! What runs when Firstright serves? The engine, the API plane and the job plane, until it is asked to stop.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use firstright_engine::{Engine, Opened, Tail};
use firstright_gateway::listen::{self, BodyLimits, Limits, Server};
use firstright_gateway::told::Labels;
use firstright_gateway::upstream::{Client, PoolLimits};
use firstright_gateway::{Gateway, Setup};

use crate::admin;
use crate::config::{Config, TlsConfig, read_law};
use crate::homes;
use crate::jobs::{self, JobPlane, JobsConfig};

#[derive(clap::Args, Debug)]
pub struct Args {
    /// The plumbing.
    #[arg(long, default_value = "firstright.toml")]
    config: PathBuf,
}

/// Serves until a signal.
///
/// # Errors
/// If configuration, law or journal cannot be used, or an address cannot be bound.
pub fn run(args: &Args) -> Result<(), String> {
    let config = Config::read(&args.config)?;
    let sources = read_law(&config.agreements)?;
    let plane = start(&config, sources)?;
    let stop = Stop::new()?;
    let scheme = if config.gateway.tls.is_some() { "https" } else { "http" };
    println!("firstright serves on {scheme}://{}/v1, its admin API on {}", plane.address(), plane.admin());
    stop.wait();
    plane.stop();
    Ok(())
}

/// Everything that runs.
#[derive(Debug)]
pub struct Running {
    /// The engine.
    pub engine: Arc<Engine>,
    server: Server,
    jobs: JobPlane,
}

/// Starts the engine and the planes.
///
/// # Errors
/// As [`run`].
pub fn start(config: &Config, sources: Vec<(String, String)>) -> Result<Running, String> {
    let Opened { engine, records, tail, estimated } =
        Engine::open(&config.data, sources).map_err(|error| error.to_string())?;
    if let Tail::Cut(bytes) = tail {
        eprintln!("firstright: cut {bytes} bytes of a torn record off the journal's end");
    }
    if records > 0 {
        eprintln!("firstright: read {records} records back; settled {estimated} open calls by estimate");
    }
    let world = engine.world();
    let setup = Setup {
        homes: homes::book(config, &world)?,
        default_model: config.gateway.default_model.clone(),
        endpoints: config.endpoints(&world)?,
        keys: config.keys(&world)?,
        labels: Labels::of(&world),
        world,
        budgets: config.budgets(),
        body: BodyLimits { bytes: config.gateway.max_body_bytes, ..BodyLimits::default() },
        form: BodyLimits { bytes: config.gateway.max_form_bytes, ..BodyLimits::default() },
        forward: config.forwarded()?,
    };
    let gateway = Arc::new(Gateway::new(Arc::clone(&engine), setup));
    let limits = Limits {
        connections: config.gateway.max_connections,
        grace: Duration::from_secs(config.gateway.drain_s),
        ..Limits::default()
    };
    let threads = match config.gateway.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    };
    let handler_of = move || {
        let gateway = Arc::clone(&gateway);
        let client = Client::new(PoolLimits::default());
        move |request| Arc::clone(&gateway).handle(client.clone(), request)
    };
    let address = config.gateway.listen;
    let tls = config.gateway.tls.as_ref().map(TlsConfig::open).transpose()?;
    let server = listen::start(address, tls, threads, &limits, handler_of)
        .map_err(|error| format!("failed to listen on `{address}`: {error}"))?;
    let plane = firstright_dispatch::Config::new(config.data.clone());
    let tls = config.admin.tls.as_ref().map(TlsConfig::open).transpose()?;
    let admin = admin::Config { listen: config.admin.listen, tls, token: config.admin.token()? };
    let jobs =
        jobs::start(Arc::clone(&engine), JobsConfig { plane, admin }).map_err(|error| error.to_string())?;
    Ok(Running { engine, server, jobs })
}

impl Running {
    /// Where the API plane listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Where the admin API listens.
    pub fn admin(&self) -> SocketAddr {
        self.jobs.admin()
    }

    /// The job plane's handle.
    pub fn plane(&self) -> &firstright_dispatch::Plane {
        self.jobs.plane()
    }

    /// Answers what is in flight, then writes the journal's end.
    pub fn stop(self) {
        let drained = self.server.drain();
        if drained.cut > 0 {
            eprintln!(
                "firstright: {} connections were still open at the end of the grace period",
                drained.cut
            );
        }
        self.jobs.stop();
        self.engine.close();
    }
}

/// Catches the signals that ask for a stop. Made before anybody is told that we serve, so that none is missed.
pub(crate) struct Stop {
    runtime: tokio::runtime::Runtime,
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Stop {
    pub(crate) fn new() -> Result<Stop, String> {
        use tokio::signal::unix::{SignalKind, signal};
        let failed = |error| format!("failed to listen for signals: {error}");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let inside = runtime.enter();
        let interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let terminate = signal(SignalKind::terminate()).map_err(failed)?;
        drop(inside);
        Ok(Stop { runtime, interrupt, terminate })
    }

    /// Blocks until SIGINT or SIGTERM.
    pub(crate) fn wait(mut self) {
        self.runtime.block_on(async {
            tokio::select! {
                _ = self.interrupt.recv() => {}
                _ = self.terminate.recv() => {}
            }
        });
    }
}
