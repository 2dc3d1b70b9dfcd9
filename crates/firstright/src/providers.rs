//! Are the providers ready? `firstright providers test` asks each deployment a little, and says what is right, what is not,
//! and how to mend it.

mod judge;
mod mend;

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use firstright_core::world::{Deployment, World};
use firstright_gateway::endpoint::Endpoint;
use firstright_gateway::probe::{Ask, probe};
use firstright_gateway::upstream::{Budgets, Client, PoolLimits};
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::task::LocalSet;

use crate::config::{Config, DeploymentConfig, read_law};

/// Deployments that are asked at once: each asks one thing after the other.
const AT_ONCE: usize = 8;
/// A word is answered within a minute, or something is wrong.
const BUDGETS: Budgets = Budgets {
    connect: Duration::from_secs(5),
    head: Duration::from_secs(60),
    gap: Duration::from_secs(60),
    total: Duration::from_secs(120),
};
/// In the name of a model that makes embeddings.
const EMBEDS: [&str; 1] = ["embed"];
/// In the names of models and stores that take neither chat nor a word to embed: asking would cost more or fail.
const NOT_ASKED: [&str; 11] = [
    "image",
    "dall-e",
    "whisper",
    "tts",
    "transcribe",
    "realtime",
    "sora",
    "moderation",
    "rerank",
    "store",
    "veo",
];

#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Ask each deployment a word, whole and as a stream: what is right, and how to mend what is not. It costs a few
    /// tokens each.
    Test {
        /// Deployments by their ids in the law; all that are configured if absent.
        ids: Vec<String>,
        /// The plumbing.
        #[arg(long, default_value = "firstright.toml")]
        config: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// What was found at one deployment.
#[derive(Debug, Serialize)]
struct Report {
    deployment: String,
    url: String,
    /// What the provider calls it; absent if that cannot be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Nothing is wrong.
    right: bool,
    checks: Vec<Check>,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    check: &'static str,
    verdict: Verdict,
    said: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<String>,
}

/// Whether it is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Verdict {
    Right,
    /// It works, and somebody should know.
    Note,
    /// Calls fail.
    Wrong,
}

impl Check {
    fn right(check: &'static str, said: impl Into<String>) -> Check {
        Check { check, verdict: Verdict::Right, said: said.into(), mend: None }
    }

    fn note(check: &'static str, said: impl Into<String>, mend: Option<String>) -> Check {
        Check { check, verdict: Verdict::Note, said: said.into(), mend }
    }

    fn wrong(check: &'static str, said: impl Into<String>, mend: Option<String>) -> Check {
        Check { check, verdict: Verdict::Wrong, said: said.into(), mend }
    }
}

/// Tests what is configured, and prints what was found.
///
/// # Errors
/// If configuration or law cannot be read, an id is not configured, or a deployment is not right.
pub fn run(args: &Args) -> Result<(), String> {
    let Command::Test { ids, config, json } = &args.command;
    let shown = config.display();
    let config = Config::read(config)?;
    let sources = read_law(&config.agreements)?;
    let (world, problems) = firstright_core::text::read(&sources);
    let Some(world) = world else {
        let problems: Vec<String> = problems.iter().map(|problem| problem.render(&sources)).collect();
        return Err(problems.join("\n"));
    };
    if let Some(id) = ids.iter().find(|id| config.deployments.iter().all(|entry| entry.id != **id)) {
        return Err(format!("failed to test `{id}`: `{shown}` has no deployment of this id"));
    }
    let reports = test(&config, &world, ids)?;
    if *json {
        let text = serde_json::to_string_pretty(&reports).map_err(|error| error.to_string())?;
        println!("{text}");
    } else {
        reports.iter().for_each(|report| print!("{}", report.shown()));
    }
    match reports.iter().filter(|report| !report.right).count() {
        _ if reports.is_empty() => {
            Err(format!("`{shown}` configures no deployment: there is nothing to test"))
        }
        0 => Ok(()),
        wrong => Err(format!("{wrong} of {} deployments are not right", reports.len())),
    }
}

/// Asks the deployments with these ids, or all.
fn test(config: &Config, world: &World, ids: &[String]) -> Result<Vec<Report>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("failed to start a runtime: {error}"))?;
    LocalSet::new().block_on(&runtime, async {
        let (client, turn) = (Client::new(PoolLimits::default()), Rc::new(Semaphore::new(AT_ONCE)));
        let mut tests = Vec::new();
        for (entry, made) in config.each_endpoint(world, &[]) {
            if !ids.is_empty() && !ids.contains(&entry.id) {
                continue;
            }
            let (client, turn) = (client.clone(), Rc::clone(&turn));
            let asked = made.map(|(id, endpoint)| {
                let deployment = world.deployment(id).clone();
                let ask = ask_of(&endpoint.name, world.model(deployment.model));
                tokio::task::spawn_local(async move {
                    // The semaphore is never closed.
                    let _turn = turn.acquire().await;
                    let facts = probe(&client, &endpoint, ask, &BUDGETS).await;
                    (deployment, endpoint, ask, facts)
                })
            });
            tests.push((entry, asked));
        }
        let mut reports = Vec::new();
        for (entry, asked) in tests {
            let (name, checks) = match asked {
                Err(why) => (None, vec![Check::wrong("configuration", why, None)]),
                Ok(task) => {
                    let (deployment, endpoint, ask, facts) =
                        task.await.map_err(|error| format!("failed to test `{}`: {error}", entry.id))?;
                    let seen = Seen { entry, deployment: &deployment, endpoint: &endpoint, ask };
                    (Some(endpoint.name.clone()), judge::checks(&seen, &facts))
                }
            };
            let right = checks.iter().all(|check| check.verdict != Verdict::Wrong);
            let (deployment, url) = (entry.id.clone(), entry.url.clone());
            reports.push(Report { deployment, url, name, right, checks });
        }
        Ok(reports)
    })
}

/// What a judgement is made on, beside the facts.
struct Seen<'a> {
    entry: &'a DeploymentConfig,
    deployment: &'a Deployment,
    endpoint: &'a Endpoint,
    ask: Option<Ask>,
}

/// What a model of this name can be asked, by the provider's name for it and the law's.
fn ask_of(name: &str, model: &str) -> Option<Ask> {
    let has = |words: &[&str]| {
        words.iter().any(|word| name.to_lowercase().contains(word) || model.to_lowercase().contains(word))
    };
    match (has(&EMBEDS), has(&NOT_ASKED)) {
        (true, _) => Some(Ask::Embeddings),
        (false, true) => None,
        (false, false) => Some(Ask::Chat),
    }
}

impl Report {
    fn shown(&self) -> String {
        let name = self.name.as_ref().map(|name| format!("  `{name}`")).unwrap_or_default();
        let mut text = format!("{}  {}{name}\n", self.deployment, self.url);
        let width = self.checks.iter().map(|check| check.check.len()).max().unwrap_or(0);
        for Check { check, verdict, said, mend } in &self.checks {
            let verdict = match verdict {
                Verdict::Right => "ok   ",
                Verdict::Note => "note ",
                Verdict::Wrong => "WRONG",
            };
            text.push_str(&format!("  {verdict}  {check:width$}  {said}\n"));
            if let Some(mend) = mend {
                text.push_str(&format!("         {:width$}  mend: {mend}\n", ""));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests;
