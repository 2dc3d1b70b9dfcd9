//! How does one come here from another gateway? `firstright import` reads its configuration and writes a law and the
//! plumbing to go with it, and a report that accounts for every line of the source. It never copies a secret, and never
//! writes over a file.

mod yaml;
mod decimal;
mod report;
mod plan;
mod known;
mod place;
mod litellm;
mod envoy;

use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};
use firstright_core::check::check;
use firstright_core::text;

use crate::config::Config;
use crate::init::write_new;
use plan::Plan;
use report::Report;
use yaml::{MAX_BYTES, Node};

/// Bring the configuration of another gateway: a law, its plumbing, and a report of what became of each line.
#[derive(Parser, Debug)]
pub struct Args {
    #[command(subcommand)]
    from: From,
}

#[derive(Subcommand, Debug)]
enum From {
    /// LiteLLM's `config.yaml`, with the files that it includes.
    Litellm(Files),
    /// Resources of Envoy AI Gateway: AIGatewayRoute, AIServiceBackend, BackendSecurityPolicy, QuotaPolicy, Backend, …
    Envoy(Files),
}

#[derive(clap::Args, Debug)]
struct Files {
    /// The files to read.
    #[arg(required = true, value_name = "FILE")]
    sources: Vec<PathBuf>,
    /// The folder for `firstright.toml` and `agreements/imported.toml`. A file that is there already is an error.
    #[arg(long, value_name = "FOLDER", default_value = "firstright")]
    into: PathBuf,
    /// Write the report to this file too: `.json` or `.md`.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// What was read, what is written for it, and what is told of it.
#[derive(Debug, Default)]
struct Import {
    plan: Plan,
    report: Report,
}

/// Reads, writes, reports.
///
/// # Errors
/// If a source cannot be read or is at odds with itself, or a file is there already or cannot be written.
pub fn run(args: &Args) -> Result<(), String> {
    let (files, import) = match &args.from {
        From::Litellm(files) => (files, litellm::import(&files.sources, &variable, today())?),
        From::Envoy(files) => (files, envoy::import(&files.sources, today())?),
    };
    let report = &import.report;
    let shown =
        files.report.as_deref().map(|path| Ok::<_, String>((path, form(path, report)?))).transpose()?;
    let outputs = if report.errors().is_empty() { outputs(&import.plan, &files.into)? } else { Vec::new() };
    let mut all: Vec<(&Path, &str)> = outputs.iter().map(|(path, text)| (&**path, &**text)).collect();
    all.extend(shown.iter().map(|(path, text)| (*path, &**text)));
    if let Some((path, _)) = all.iter().find(|(path, _)| path.exists()) {
        return Err(format!("failed to write `{}`: it is there already", path.display()));
    }
    for (path, text) in &all {
        write_new(path, text)?;
    }
    print!("{}", report.text());
    if !report.errors().is_empty() {
        return Err(format!(
            "failed to import: {} errors; no configuration was written",
            report.errors().len()
        ));
    }
    let law = files.into.join(LAW);
    println!(
        "wrote {}\nnext: firstright check {}; firstright key new --tenant {}",
        all.iter().map(|(path, _)| path.display().to_string()).collect::<Vec<_>>().join(", "),
        law.display(),
        import.plan.tenants.first().map_or("TENANT", |tenant| &tenant.id)
    );
    Ok(())
}

/// Where the law goes within the folder, as `firstright.toml` names it.
const LAW: &str = "agreements/imported.toml";

/// A variable of the environment, for addresses. Secrets are never looked up.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The day, as the law writes it.
fn today() -> String {
    crate::clock::now().to_string().chars().take(10).collect()
}

/// The report in the form that the file's name asks for.
fn form(path: &Path, report: &Report) -> Result<String, String> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("json") => Ok(report.json()),
        Some("md") => Ok(report.markdown()),
        _ => Err(format!("failed to write `{}`: a report is a `.json` or a `.md`", path.display())),
    }
}

/// The files' texts, once they read as a law and as plumbing without error.
fn outputs(plan: &Plan, into: &Path) -> Result<Vec<(PathBuf, String)>, String> {
    let (law, config) = (plan::law(plan), plan::config(plan));
    let sources = [("imported.toml".to_string(), law)];
    let (world, mut problems) = text::read(&sources);
    if let Some(world) = &world {
        problems.extend(check(world, &sources, crate::clock::now()));
    }
    let errors: Vec<String> = problems
        .iter()
        .filter(|one| one.severity == text::Severity::Error)
        .map(|one| one.render(&sources))
        .collect();
    if !errors.is_empty() {
        return Err(format!("failed to import: the source makes no law\n{}", errors.join("\n")));
    }
    toml::from_str::<Config>(&config).map_err(|error| {
        format!("failed to import: the plumbing that was made is none: {}", error.message())
    })?;
    let [(_, law)] = sources;
    Ok(vec![(into.join("firstright.toml"), config), (into.join(LAW), law)])
}

/// A source's text. A name that ends nowhere, and a file of another kind, are told apart by the system's message.
fn read(path: &Path) -> Result<String, String> {
    let fail = |error: &dyn std::fmt::Display| format!("failed to read `{}`: {error}", path.display());
    let size = std::fs::metadata(path).map_err(|error| fail(&error))?.len();
    if size > MAX_BYTES {
        return Err(fail(&format!("it is larger than {MAX_BYTES} bytes")));
    }
    std::fs::read_to_string(path).map_err(|error| fail(&error))
}

/// The variable that a value refers to as `os.environ/NAME`.
fn reference(node: &Node) -> Option<&str> {
    let name = node.text()?.strip_prefix("os.environ/")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (!name.is_empty() && name.chars().all(plain)).then_some(name)
}

/// A base URL that may be written down: no user, query or fragment, in which secrets travel.
fn address(text: &str) -> Option<String> {
    let (scheme, rest) = text.trim().split_once("://")?;
    let known = matches!(scheme, "https" | "http");
    let plain = rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"@?#\"'\\`".contains(&byte));
    let host = rest.split('/').next().unwrap_or("");
    (known && plain && !host.is_empty()).then(|| format!("{scheme}://{}", rest.trim_end_matches('/')))
}

/// The host of an address, with its port.
fn host(address: &str) -> &str {
    address.split_once("://").map_or(address, |(_, rest)| rest.split('/').next().unwrap_or(rest))
}

#[cfg(test)]
mod tests;
