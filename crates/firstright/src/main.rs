//! What was asked on the command line? Parses it and calls the part that does it.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use firstright::jobs;

/// The multi-cloud control plane for AI workloads under contract.
#[derive(Parser)]
#[command(name = "firstright", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    #[command(flatten)]
    Jobs(jobs::Command),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Jobs(command) => jobs::run(&command).map_err(|error| error.to_string()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
