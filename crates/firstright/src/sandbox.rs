//! How do the modelled clouds get onto real sockets? Listeners on loopback round `firstright_sim::cloud`.
//!
//! Everything runs on one thread of its own, so that `firstright demo` and tests can start the clouds
//! beside a gateway, from synchronous or asynchronous code alike. No decision is taken here: the model
//! says what to answer, the shell writes it at the right moment.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use firstright_sim::cloud::{Cloud, Counters, DEFAULT_SPEC, Dialect, LiveFault, Spec, SpecError};
use tokio::sync::watch;

mod clock;
mod listen;
mod shared;

mod control;
mod files;
mod handle;
mod request;
mod route;

mod answer;
mod body;
mod chat;
mod converse;
mod generate;
mod generic;
mod headers;
mod messages;
mod refusal;
mod responses;
mod stream;
mod text;
mod tools;
mod vectors;

use clock::Clock;
use shared::Shared;

/// Faster than this, a minute passes between two of the timer's ticks.
const MAX_SPEED: u32 = 10_000;

#[derive(clap::Args, Debug)]
pub struct Args {
    /// Spec of the clouds; the embedded default if absent.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Seed of every random draw.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Address of the first cloud, instead of the spec's; the others follow on the next ports.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen_base: Option<String>,
    /// Simulated time runs so many times faster than the wall's.
    #[arg(long, default_value_t = 1)]
    speed: u32,
    /// Print the commented default spec and stop.
    #[arg(long)]
    print_config: bool,
}

/// Why the clouds couldn't start.
#[derive(Debug)]
pub enum StartError {
    Spec(SpecError),
    ReadSpec { path: PathBuf, error: std::io::Error },
    Address { given: String, wanted: &'static str },
    Speed(u32),
    Listen { cloud: String, address: SocketAddr, error: std::io::Error },
    Runtime(std::io::Error),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StartError::Spec(error) => write!(out, "{error}"),
            StartError::ReadSpec { path, error } => {
                write!(out, "failed to read `{}`: {error}", path.display())
            }
            StartError::Address { given, wanted } => {
                write!(out, "failed to listen on `{given}`: not {wanted}")
            }
            StartError::Speed(speed) => {
                write!(out, "failed to run at speed `{speed}`: not 1 to {MAX_SPEED}")
            }
            StartError::Listen { cloud, address, error } => {
                write!(out, "failed to listen on `{address}` for cloud `{cloud}`: {error}")
            }
            StartError::Runtime(error) => write!(out, "failed to start the sandbox's thread: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// The clouds, until it is stopped or dropped.
#[derive(Debug)]
pub struct Running {
    pub clouds: Vec<RunningCloud>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

/// Where one cloud listens, and a key that it takes (a test string, no secret).
#[derive(Clone, Debug)]
pub struct RunningCloud {
    pub name: String,
    pub dialect: Dialect,
    pub address: SocketAddr,
    /// What a client of its dialect takes as its base URL.
    pub base_url: String,
    pub key: String,
    pub region: String,
    pub price_note: String,
    shared: Arc<Shared>,
}

impl RunningCloud {
    /// What the cloud has counted so far.
    pub fn counters(&self) -> Counters {
        self.shared.cloud().total().clone()
    }

    /// Replaces the cloud's live faults, as `PUT /__sandbox` does.
    pub fn put_faults(&self, faults: Vec<LiveFault>) -> Result<(), String> {
        self.shared.put_faults(faults)
    }
}

impl Running {
    /// The cloud of that name.
    pub fn cloud(&self, name: &str) -> Option<&RunningCloud> {
        self.clouds.iter().find(|cloud| cloud.name == name)
    }

    /// Takes no more connections, lets open answers end (for some seconds at most), and returns.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A panic there was printed there; the clouds are gone either way.
            let _ = thread.join();
        }
    }
}

/// Starts every cloud of `spec`. All of them listen when this returns.
pub fn start(spec: Spec, seed: u64, speed: u32) -> Result<Running, StartError> {
    if !(1..=MAX_SPEED).contains(&speed) {
        return Err(StartError::Speed(speed));
    }
    let base = first_address(&spec.listen_base)?;
    let clock = Clock::start(speed);
    let (mut clouds, mut listeners) = (Vec::new(), Vec::new());
    for (index, cloud) in spec.clouds.into_iter().enumerate() {
        let address = next_address(base, index)?;
        let failed = |error| StartError::Listen { cloud: cloud.name.clone(), address, error };
        let listener = TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let path = match cloud.dialect {
            Dialect::Azure => "/openai/v1",
            Dialect::Openai => "/v1",
            Dialect::Anthropic | Dialect::Bedrock | Dialect::Oci => "",
            Dialect::Gemini => "/v1beta",
        };
        clouds.push(RunningCloud {
            name: cloud.name.clone(),
            dialect: cloud.dialect,
            address,
            base_url: format!("http://{address}{path}"),
            key: cloud.keys.first().cloned().unwrap_or_default(),
            region: cloud.region.clone(),
            price_note: cloud.price_note.clone(),
            shared: Arc::new(Shared::new(Cloud::new(cloud, seed), clock, spec.coalesce_ms)),
        });
        listeners.push((address, listener));
    }
    let peers: Arc<[Arc<Shared>]> = clouds.iter().map(|cloud| cloud.shared.clone()).collect();
    let (stop, stopped) = watch::channel(false);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Runtime)?;
    let thread = std::thread::Builder::new()
        .name("sandbox".to_owned())
        .spawn(move || runtime.block_on(listen::listen_all(listeners, peers, stopped)))
        .map_err(StartError::Runtime)?;
    Ok(Running { clouds, stop, thread: Some(thread) })
}

/// `firstright sandbox`: runs until it is interrupted.
pub fn run(args: &Args) -> Result<(), StartError> {
    if args.print_config {
        print!("{DEFAULT_SPEC}");
        return Ok(());
    }
    let mut spec = match &args.config {
        None => Spec::reference(),
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| StartError::ReadSpec { path: path.clone(), error })?;
            Spec::parse(&text).map_err(StartError::Spec)?
        }
    };
    if let Some(base) = &args.listen_base {
        spec.listen_base.clone_from(base);
    }
    let running = start(spec, args.seed, args.speed)?;
    for cloud in &running.clouds {
        println!("{:<12} {:<36} key {}  ({})", cloud.name, cloud.base_url, cloud.key, cloud.price_note);
    }
    println!("faults and counters at /__sandbox on each; seed {}, speed {}", args.seed, args.speed);
    wait_for_signal().map_err(StartError::Runtime)?;
    running.stop();
    Ok(())
}

fn wait_for_signal() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted,
            _ = terminate.recv() => Ok(()),
        }
    })
}

/// Keys of the sandbox are public, so it never leaves the machine.
fn first_address(given: &str) -> Result<SocketAddr, StartError> {
    let wrong = |wanted| StartError::Address { given: given.to_owned(), wanted };
    let address: SocketAddr = given.parse().map_err(|_| wrong("an address and a port"))?;
    if !address.ip().is_loopback() {
        return Err(wrong("a loopback address"));
    }
    Ok(address)
}

fn next_address(base: SocketAddr, index: usize) -> Result<SocketAddr, StartError> {
    if base.port() == 0 {
        return Ok(base);
    }
    let port = u16::try_from(index).ok().and_then(|index| base.port().checked_add(index));
    let wrong =
        || StartError::Address { given: base.to_string(), wanted: "a port with room for every cloud" };
    port.map(|port| SocketAddr::new(base.ip(), port)).ok_or_else(wrong)
}
