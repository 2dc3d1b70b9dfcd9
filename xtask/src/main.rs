//! Which chore? `cargo xtask test` is the whole of CI; `tools` and `tidy` are its parts that one may run alone.

mod test;
mod tools;
mod tidy;

use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask <command>
  test     install what the tests need, then format, lint, tidy and test
  tools    only install what the tests need, into target/tools
  tidy     only hold the repository against the house rules";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["test"] => test::run(root()),
        ["tools"] => tools::install(root()),
        ["tidy"] => tidy::run(root()),
        _ => Err(USAGE.to_string()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The repository: this crate's folder is one below it.
fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}
