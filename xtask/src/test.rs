//! What has to pass before a change is good? The steps of `cargo xtask test`, the cheap ones first, the tests last so
//! that the output ends with theirs.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Cargo's steps round tidy. One profile and one target directory: nothing is built twice.
const FORMAT: [&str; 3] = ["fmt", "--all", "--check"];
const LINT: [&str; 6] = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
const TEST: [&str; 2] = ["test", "--workspace"];

/// Installs what the tests need, then formats, lints, tidies and tests.
///
/// # Errors
/// With the first step that fails.
pub fn run(root: &Path) -> Result<(), String> {
    components()?;
    if skips_clients() {
        eprintln!("xtask: FIRSTRIGHT_SKIP_SDK=1, so the OpenAI clients are neither installed nor run");
    } else {
        crate::tools::install(root)?;
    }
    cargo(root, &FORMAT).map_err(|error| format!("{error}\n`cargo fmt --all` mends it"))?;
    cargo(root, &LINT)?;
    crate::tidy::run(root)?;
    cargo(root, &TEST)
}

/// Are the tests with the OpenAI clients left out? For machines that reach no package registry.
fn skips_clients() -> bool {
    std::env::var("FIRSTRIGHT_SKIP_SDK").is_ok_and(|value| value == "1")
}

/// Fails early, and in words, if the toolchain lacks a component.
fn components() -> Result<(), String> {
    for (subcommand, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        let asked = Command::new(program()).args([subcommand, "--version"]).stderr(Stdio::null()).output();
        if !asked.is_ok_and(|output| output.status.success()) {
            return Err(format!(
                "failed to run `cargo {subcommand}`: the toolchain lacks {component}; \
                 get it with `rustup component add {component}` (without rustup, install your system's package of it)"
            ));
        }
    }
    Ok(())
}

fn cargo(root: &Path, arguments: &[&str]) -> Result<(), String> {
    let shown = format!("cargo {}", arguments.join(" "));
    eprintln!("xtask: {shown}");
    let begun = Instant::now();
    let status = Command::new(program()).args(arguments).current_dir(root).status();
    let status = status.map_err(|error| format!("failed to start `{shown}`: {error}"))?;
    // Nothing is said after the tests: their closing lines are the last of the output.
    if arguments != TEST {
        eprintln!("xtask: {shown} took {} s", begun.elapsed().as_secs());
    }
    if status.success() { Ok(()) } else { Err(format!("failed to pass `{shown}`")) }
}

/// The cargo that runs this.
fn program() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
