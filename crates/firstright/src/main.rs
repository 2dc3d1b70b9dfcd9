//! What was asked on the command line? Parses it and calls the part that does it.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use firstright::simulate;

/// The multi-cloud control plane for AI workloads under contract.
#[derive(Parser)]
#[command(name = "firstright", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Feed a trace of jobs or calls through the law, and verify and audit what comes of it.
    Simulate(simulate::Args),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Simulate(args) => simulate::run(&args).map_err(|error| error.to_string()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
