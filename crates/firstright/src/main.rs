//! What was asked on the command line? Parses it and calls the part that does it.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use firstright::{
    accounts, demo, import, init, jobs, keys, law, providers, record, sandbox, serve, simulate, trial,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The multi-cloud control plane for AI workloads under contract.
#[derive(Parser)]
#[command(name = "firstright", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show it working: sandbox clouds, the sample world, both planes and a surge, on this machine alone.
    Demo(demo::Args),
    /// Serve both planes.
    Serve(serve::Args),
    /// Write a commented configuration and a law from the providers' credentials found in the environment.
    Init(init::Args),
    /// Bring the configuration of another gateway, with a report of what became of each line.
    Import(import::Args),
    /// Test the providers: credentials, model, stream, limits and clock of each deployment.
    Providers(providers::Args),
    /// Check the law: every problem with its file and line.
    Check(law::Args),
    /// Try the law on scenarios: what would be decided, and why.
    Try(trial::Args),
    /// Organisations and teams: what they may do and spend.
    #[command(subcommand)]
    Account(accounts::command::Command),
    /// Keys that callers present: what they may do and spend.
    Key(keys::Args),
    /// Verify a journal: every digest and every decision.
    Verify(record::VerifyArgs),
    /// Audit a journal: rights, residency, capacity and sums, by an auditor written apart from the core.
    Audit(record::AuditArgs),
    /// Explain a decision: who was weighed, who held a right, what it answered.
    Explain(record::ExplainArgs),
    /// Print the settlement: who owes what to whom, by which clause and records.
    Settle(record::SettleArgs),
    /// Feed a trace of jobs or calls through the law, and verify and audit what comes of it.
    Simulate(simulate::Args),
    /// Run the sandbox clouds: provider models with real capacity rules, on loopback.
    Sandbox(sandbox::Args),
    #[command(flatten)]
    Jobs(jobs::Command),
}

fn main() -> ExitCode {
    end_quietly_with_the_pipe();
    let done = match Cli::parse().command {
        Command::Demo(args) => demo::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Providers(args) => providers::run(&args),
        Command::Check(args) => law::run(&args),
        Command::Try(args) => trial::run(&args),
        Command::Account(command) => accounts::command::run(&command),
        Command::Key(args) => keys::run(&args),
        Command::Verify(args) => record::run_verify(&args),
        Command::Audit(args) => record::run_audit(&args),
        Command::Explain(args) => record::run_explain(&args),
        Command::Settle(args) => record::run_settle(&args),
        Command::Jobs(command) => jobs::run(&command).map_err(|error| error.to_string()),
        Command::Simulate(args) => simulate::run(&args).map_err(|error| error.to_string()),
        Command::Sandbox(args) => sandbox::run(&args).map_err(|error| error.to_string()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Whoever reads our output may have read enough: `firstright try … | head` is no failure. Rust's `println!` panics on a
/// closed pipe; that one panic ends the program quietly, every other is shown.
fn end_quietly_with_the_pipe() {
    let shown = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let message = info.payload().downcast_ref::<String>();
        if message.is_some_and(|message| {
            message.starts_with("failed printing to std") && message.contains("Broken pipe")
        }) {
            std::process::exit(0);
        }
        shown(info);
    }));
}
