//! What runs when Firstright serves? The engine, the API plane and the job plane, until it is asked to stop.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use firstright_core::world::World;
use firstright_engine::{Engine, Opened, Tail};
use firstright_gateway::endpoint::Endpoint;
use firstright_gateway::keys::BookKeys;
use firstright_gateway::listen::{self, BodyLimits, Limits, Server, Tls};
use firstright_gateway::telemetry::{AccessLog, Exporter};
use firstright_gateway::told::Labels;
use firstright_gateway::upstream::{Client, PoolLimits};
use firstright_gateway::{Gateway, Setup};

use crate::accounts::Desk;
use crate::admin;
use crate::config::{Config, TlsConfig, read_law};
use crate::files;
use crate::homes;
use crate::jobs::{self, JobPlane, JobsConfig};
use crate::operating::{Operating, Pulse};
use crate::reload::{self, Certificates, Reloader, Watch};

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
    let signals = Stop::new()?;
    let scheme = if config.gateway.tls.is_some() { "https" } else { "http" };
    println!("firstright serves on {scheme}://{}/v1, its admin API on {}", plane.address(), plane.admin());
    signals.wait(|| match &plane.operating.reloader {
        Some(reloader) => reload::say(reloader),
        None => eprintln!("firstright: nothing was reloaded: the configuration came from no file"),
    });
    plane.stop();
    Ok(())
}

/// Everything that runs.
#[derive(Debug)]
pub struct Running {
    /// The engine.
    pub engine: Arc<Engine>,
    /// What can be asked of it.
    pub operating: Arc<Operating>,
    notice: Duration,
    server: Server,
    jobs: JobPlane,
    pulse: Pulse,
    watch: Option<Watch>,
    telling: Telling,
}

/// The threads that tell of requests.
#[derive(Debug)]
struct Telling {
    log: Option<Arc<AccessLog>>,
    exporter: Option<Exporter>,
}

impl Telling {
    /// Opens the access log and starts the exporter, whichever the configuration asks for.
    fn start(config: &Config, operating: &Operating) -> Result<Telling, String> {
        let telemetry = operating.gateway.telemetry();
        let open = |target| {
            AccessLog::open(target).map_err(|error| format!("failed to open the access log: {error}"))
        };
        let log = config.telemetry.log()?.map(open).transpose()?;
        if let Some(log) = &log {
            telemetry.log_to(Arc::clone(log));
        }
        let (gateway, engine) = (Arc::clone(&operating.gateway), Arc::clone(&operating.engine));
        let clock = Arc::clone(&operating.engine);
        let start = |collector| {
            let collect = move || gateway.telemetry().collect(&engine, gateway.readiness());
            let unix = move || clock.read(|_, now| now.0);
            Exporter::start(collector, collect, unix)
                .map_err(|error| format!("failed to start the threads of `telemetry`: {error}"))
        };
        let exporter = config.telemetry.collector()?.map(start).transpose()?;
        if let Some(exporter) = &exporter {
            telemetry.export_to(exporter);
        }
        Ok(Telling { log, exporter })
    }

    /// Tells what has gathered.
    fn stop(self) {
        drop(self.exporter);
        if let Some(log) = self.log {
            log.close();
        }
    }
}

/// Starts the engine and the planes.
///
/// # Errors
/// As [`run`].
pub fn start(config: &Config, sources: Vec<(String, String)>) -> Result<Running, String> {
    let law = sources.clone();
    let Opened { engine, records, tail, estimated } =
        Engine::open(&config.data, sources).map_err(|error| error.to_string())?;
    if let Tail::Cut(bytes) = tail {
        eprintln!("firstright: cut {bytes} bytes of a torn record off the journal's end");
    }
    if records > 0 {
        eprintln!("firstright: read {records} records back; settled {estimated} open calls by estimate");
    }
    let accounts = Desk::new(Arc::clone(&engine), Arc::default());
    let first = setup(config, engine.world(), accounts.keys(), &[])?;
    accounts.sync(&config.accounts(&first.world)?)?;
    let gateway = Arc::new(Gateway::new(Arc::clone(&engine), first));
    let open = |tls: &Option<TlsConfig>| tls.as_ref().map(TlsConfig::open).transpose();
    let certificates = Certificates { gateway: open(&config.gateway.tls)?, admin: open(&config.admin.tls)? };
    let (tls, admin_tls) = (certificates.gateway.clone(), certificates.admin.clone());
    let desk = accounts.clone();
    let reloader = Reloader::new(Arc::clone(&engine), Arc::clone(&gateway), desk, certificates, config, law);
    let reloader = reloader.map(Arc::new);
    let operating = Arc::new(Operating {
        engine: Arc::clone(&engine),
        gateway: Arc::clone(&gateway),
        accounts,
        reloader,
    });
    operating.tell_time();
    let telling = Telling::start(config, &operating)?;
    let server = listen(config, tls.clone(), gateway)?;
    operating.gateway.telemetry().watch(server.permits(), tls);
    let plane = firstright_dispatch::Config::new(config.data.clone());
    let admin = admin::Config {
        listen: config.admin.listen,
        tls: admin_tls,
        token: config.admin.token()?,
        operating: Some(Arc::clone(&operating)),
    };
    let jobs =
        jobs::start(Arc::clone(&engine), JobsConfig { plane, admin }).map_err(|error| error.to_string())?;
    let threads = |error| format!("failed to start the threads of `operating`: {error}");
    let pulse = Pulse::start(Arc::clone(&operating), config.data.clone()).map_err(threads)?;
    let every = Duration::from_secs(config.watch_s);
    let watched = operating.reloader.clone().filter(|_| !every.is_zero());
    let watch = watched.map(|reloader| Watch::start(reloader, every)).transpose().map_err(threads)?;
    let notice = Duration::from_secs(config.gateway.drain_notice_s);
    Ok(Running { engine, operating, notice, server, jobs, pulse, watch, telling })
}

/// The first version of what requests are handled by, or what the next would be after these endpoints; secrets are read here.
///
/// # Errors
/// With the first entry of the configuration that cannot be used under this law.
pub(crate) fn setup(
    config: &Config,
    world: Arc<World>,
    keys: &Arc<BookKeys>,
    before: &[Option<Endpoint>],
) -> Result<Setup, String> {
    let body_timeout = Duration::from_secs(config.gateway.body_timeout_s);
    Ok(Setup {
        version: 1,
        homes: homes::book(config, &world)?,
        default_model: config.gateway.default_model.clone(),
        endpoints: config.endpoints(&world, before)?,
        keys: config.keys(&world, keys)?,
        labels: Labels::of(&world),
        world,
        budgets: config.budgets(),
        body: BodyLimits { bytes: config.gateway.max_body_bytes, timeout: body_timeout },
        form: BodyLimits { bytes: config.gateway.max_form_bytes, timeout: body_timeout },
        held_bytes: config.gateway.max_held_bytes,
        keep_alive: config.keep_alive(),
        forward: config.forwarded()?,
    })
}

/// Starts the API plane's listener.
fn listen(config: &Config, tls: Option<Arc<Tls>>, gateway: Arc<Gateway>) -> Result<Server, String> {
    let wanted = config.gateway.max_connections;
    let connections = files::connections().map_or(wanted, |room| room.min(wanted));
    if connections < wanted {
        eprintln!(
            "firstright: at most {connections} clients can be connected, not `max-connections = {wanted}`: no more files may be \
             open (`ulimit -n`)"
        );
    }
    let limits = Limits {
        connections,
        head_timeout: Duration::from_secs(config.gateway.head_timeout_s),
        idle_timeout: Duration::from_secs(config.gateway.idle_timeout_s),
        write_stall_timeout: Duration::from_secs(config.gateway.write_stall_timeout_s),
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
    listen::start(address, tls, threads, &limits, handler_of)
        .map_err(|error| format!("failed to listen on `{address}`: {error}"))
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

    /// Says that no more is wanted, answers what is in flight, then writes the journal's end.
    pub fn stop(self) {
        drop(self.watch);
        self.operating.gateway.readiness().drain();
        std::thread::sleep(self.notice);
        let drained = self.server.drain();
        if drained.cut > 0 {
            eprintln!(
                "firstright: {} connections were still open at the end of the grace period",
                drained.cut
            );
        }
        self.jobs.stop();
        self.telling.stop();
        drop(self.pulse);
        self.engine.close();
    }
}

/// Catches the signals. Made before anybody is told that we serve, so that none is missed.
pub(crate) struct Stop {
    runtime: tokio::runtime::Runtime,
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

impl Stop {
    pub(crate) fn new() -> Result<Stop, String> {
        use tokio::signal::unix::{SignalKind, signal};
        let failed = |error| format!("failed to listen for signals: {error}");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let inside = runtime.enter();
        let interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let hangup = signal(SignalKind::hangup()).map_err(failed)?;
        drop(inside);
        Ok(Stop { runtime, interrupt, terminate, hangup })
    }

    /// Blocks until SIGINT or SIGTERM. At each SIGHUP until then `reload` is called.
    pub(crate) fn wait(mut self, reload: impl Fn()) {
        self.runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = self.interrupt.recv() => return,
                    _ = self.terminate.recv() => return,
                    _ = self.hangup.recv() => reload(),
                }
            }
        });
    }
}
