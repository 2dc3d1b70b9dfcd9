//! What does it look like when it works? `firstright demo`: sandbox clouds, the sample world, both planes, and a surge.

mod jobs;
mod surge;
mod view;
mod world;

use std::cell::RefCell;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use firstright_core::journal::verify;
use firstright_core::text;
use firstright_core::world::World;
use firstright_sim::shares::Shares;
use firstright_sim::traces::{self, TraceCall};

use crate::config::read_law;
use crate::{sandbox, serve, simulate};
use surge::Tally;
use view::View;

/// The built-in surge.
const SURGE: &str = include_str!("../../firstright-sim/traces/surge-minute.csv");

#[derive(clap::Args, Debug)]
pub struct Args {
    /// Calls to play instead of the built-in surge: CSV, or CSV compressed by zstd, with the columns t_ms,
    /// prompt_tokens, output_tokens and, if there are any, model and tenant.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Play it so many times faster than it was; the world is made as many times larger.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    speed: u64,
    /// Play only what came in the first so many minutes of the trace.
    #[arg(long, value_name = "MINUTES")]
    first: Option<u64>,
    /// Make the world so many times larger, instead of as many as the speed.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    scale: Option<u64>,
    /// Another law instead of the sample world.
    #[arg(long, value_name = "FILE")]
    agreements: Vec<PathBuf>,
    /// The API plane's address; another port is taken if this one is in use.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// The admin listener's address; another port is taken if this one is in use.
    #[arg(long, default_value = "127.0.0.1:8081")]
    admin: SocketAddr,
    /// Where the journal goes; a new folder for each run.
    #[arg(long, default_value = "firstright-data/demo")]
    data: PathBuf,
    /// Seed of the sandbox clouds.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Play nothing: only serve.
    #[arg(long)]
    quiet: bool,
    /// Stop when the surge is over, instead of serving on.
    #[arg(long)]
    exit: bool,
}

/// Runs the demo.
///
/// # Errors
/// If the law or the trace cannot be read, or an address cannot be bound, or what is on record does not verify.
pub fn run(args: &Args) -> Result<(), String> {
    let sources = law(args)?;
    let (law, problems) = text::read(&sources);
    let law =
        law.ok_or_else(|| problems.iter().map(|one| one.render(&sources)).collect::<Vec<_>>().join("\n"))?;
    let arrivals = if args.quiet { Vec::new() } else { arrivals(args, &law)? };
    let data = args.data.join(format!("{}", crate::clock::now().0 / 1_000_000));
    fs::create_dir_all(&data).map_err(|error| format!("failed to make `{}`: {error}", data.display()))?;
    let clouds = sandbox::start(world::clouds(&law)?, args.seed, 1).map_err(|error| error.to_string())?;
    let ports = (free(args.listen)?, free(args.admin)?);
    let running = serve::start(&world::config(&law, &clouds, &data, ports)?, sources)?;
    let view = View::new(&law, running.address(), &data);
    view.welcome();
    let tally = Rc::new(RefCell::new(Tally::default()));
    let jobs = RefCell::new(Vec::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("failed to start a runtime: {error}"))?;
    let played = tokio::task::LocalSet::new().block_on(&runtime, async {
        let calls = surge::play(running.address(), &arrivals, args.speed, Rc::clone(&tally));
        let both = async {
            if args.quiet {
                return Ok(());
            }
            let (calls, jobs) = tokio::join!(calls, jobs::play(running.plane(), &law));
            calls.and(jobs)
        };
        tokio::select! {
            played = both => played,
            () = watch(&view, &running, &tally, &jobs) => Ok(()),
            _ = tokio::signal::ctrl_c() => Err("interrupted".to_string()),
        }
    });
    view.show(&running.engine, &tally.borrow(), &jobs.borrow());
    view.summary(&running.engine, &tally.borrow(), &jobs.borrow());
    played?;
    if !args.exit {
        view.farewell();
        serve::Stop::new()?.wait(|| ());
    }
    running.stop();
    drop(clouds);
    report(&data)?;
    if args.trace.is_some() { shares(&data) } else { Ok(()) }
}

/// Shows the state every second, for ever.
async fn watch(view: &View, running: &serve::Running, tally: &RefCell<Tally>, jobs: &RefCell<Vec<String>>) {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    loop {
        seconds.tick().await;
        let lines = jobs::lines(running.plane()).await;
        *jobs.borrow_mut() = lines;
        view.show(&running.engine, &tally.borrow(), &jobs.borrow());
    }
}

/// The law's files, with capacities as large as the speed asks for.
fn law(args: &Args) -> Result<Vec<(String, String)>, String> {
    let sources = if args.agreements.is_empty() {
        world::STARGATE.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect()
    } else {
        read_law(&args.agreements)?
    };
    Ok(sources
        .into_iter()
        .map(|(name, text)| (name, world::enlarge(&text, args.scale.unwrap_or(args.speed))))
        .collect())
}

/// The calls to play. A trace that names no model or tenant of this world is laid over it: the model most deployments
/// serve, and the tenants in shares of 70, 24 and 6 of a hundred.
fn arrivals(args: &Args, law: &World) -> Result<Vec<TraceCall>, String> {
    let mut arrivals = match &args.trace {
        None => traces::calls("surge-minute.csv", SURGE.as_bytes()),
        Some(path) => {
            let (name, from) = simulate::open_trace(path)?;
            traces::calls(&name, from)
        }
    }
    .map_err(|error| error.to_string())?;
    if let Some(minutes) = args.first {
        arrivals.retain(|arrival| arrival.t_ms < minutes.saturating_mul(60_000));
    }
    let most = |model: &String| law.deployments.iter().filter(|one| law.model(one.model) == model).count();
    let model = law.models.iter().max_by_key(|model| most(model)).cloned().unwrap_or_default();
    let may = |tenant: &&firstright_core::world::Tenant| firstright_core::scope::any(&tenant.models, &model);
    let tenants: Vec<String> =
        law.tenants.iter().filter(may).map(|tenant| tenant.id.clone()).take(3).collect();
    for (nth, arrival) in arrivals.iter_mut().enumerate() {
        if law.find_model(&arrival.model).is_none() {
            arrival.model.clone_from(&model);
        }
        if arrival.tenant.as_ref().is_none_or(|tenant| law.find_tenant(tenant).is_none()) {
            // A fixed scatter, so that the same trace gives the same tenants each time.
            let pick = nth * 37 % 100;
            let tenant = [70, 94, 100].iter().position(|upto| pick < *upto).unwrap_or(0);
            arrival.tenant = tenants.get(tenant).or(tenants.first()).cloned();
        }
    }
    Ok(arrivals)
}

/// The address, or another port of it if something listens there.
fn free(address: SocketAddr) -> Result<SocketAddr, String> {
    let bound = TcpListener::bind(address).or_else(|_| TcpListener::bind(SocketAddr::new(address.ip(), 0)));
    let bound = bound.and_then(|listener| listener.local_addr());
    bound.map_err(|error| format!("failed to listen on `{address}`: {error}"))
}

/// Who served, on what grounds, after what waits: from the record alone.
fn shares(data: &Path) -> Result<(), String> {
    let (_, bytes) = crate::record::read(data)?;
    let mut shares = Shares::default();
    verify(&bytes, true, |record, _| shares.record(record));
    println!("\n{shares}");
    Ok(())
}

/// What the record says at the end, from the record alone.
fn report(data: &Path) -> Result<(), String> {
    let (path, bytes) = crate::record::read(data)?;
    println!();
    crate::record::audit(&path, &bytes)?;
    println!("  \n  firstright verify {0}\n  firstright settle {0}", data.display());
    Ok(())
}
