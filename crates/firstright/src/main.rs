//! What was asked on the command line? Parses it and calls the part that does it.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use firstright::sandbox;

/// The multi-cloud control plane for AI workloads under contract.
#[derive(Parser)]
#[command(name = "firstright", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the sandbox clouds: provider models with real capacity rules, on loopback.
    Sandbox(sandbox::Args),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
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
