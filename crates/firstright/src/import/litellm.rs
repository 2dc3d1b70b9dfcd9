//! What does a LiteLLM `config.yaml` mean here? Its model groups become models with several deployments, its limits
//! capacity, its order rights, its fallbacks what tenants accept instead; the rest is told.

mod endpoint;
mod models;
mod numbers;
mod proof;
mod settings;
mod words;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::plan::{Plan, Tenant, is_address};
use super::yaml::{self, Node};
use super::{Import, read};

/// Files that one configuration may include, all levels together. LiteLLM knows no limit; nobody has more than a few.
const MAX_FILES: usize = 64;

/// Looks up a variable of the environment, for addresses.
pub(super) type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

/// The sources' documents.
pub(super) struct Source {
    roots: Vec<Node>,
    shadowed: Vec<Node>,
}

impl Source {
    /// The values of a top-level section in all files, in their order.
    fn sections(&self, key: &str) -> Vec<&Node> {
        self.roots.iter().filter_map(|root| root.get(key)).collect()
    }
}

/// Reads configurations and makes a plan of them.
///
/// # Errors
/// If a file cannot be read, is no YAML, or includes itself.
pub(super) fn import(
    files: &[PathBuf],
    environment: Environment<'_>,
    today: String,
) -> Result<Import, String> {
    let mut import = Import::default();
    let names: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
    import.plan = Plan { today, source: names.join(", "), ..Plan::default() };
    let source = load(files, &mut import)?;
    let models = models::read(&source, environment, &mut import);
    for (model, order) in models.orders() {
        import.plan.prefer(&model, &order);
    }
    tenants(&models, &mut import);
    settings::read(&source, &mut import);
    import.report.finish(&source.roots, &source.shadowed);
    Ok(import)
}

/// Reads the files and what they include, each once.
fn load(files: &[PathBuf], import: &mut Import) -> Result<Source, String> {
    let mut source = Source { roots: Vec::new(), shadowed: Vec::new() };
    let mut seen = BTreeSet::new();
    let mut count = 0;
    let mut rest: Vec<PathBuf> = files.iter().rev().cloned().collect();
    while let Some(path) = rest.pop() {
        let real = path.canonicalize().unwrap_or_else(|_| path.clone());
        if !seen.insert(real) {
            return Err(format!("failed to read `{}`: it is included twice, or by itself", path.display()));
        }
        if seen.len() > MAX_FILES {
            return Err(format!("failed to read `{}`: more than {MAX_FILES} files", path.display()));
        }
        let documents = yaml::read(&path.display().to_string(), &read(&path)?, &mut count)?;
        source.shadowed.extend(documents.shadowed);
        for root in documents.all {
            for include in root.get("include").map(Node::items).unwrap_or_default().iter().rev() {
                let Some(name) = include.text() else { continue };
                if is_address(name) || name.is_empty() {
                    import.report.unsupported(include, "only files are read");
                    continue;
                }
                rest.push(path.parent().unwrap_or(Path::new("")).join(name));
                import.report.exact(include, "read with this file");
            }
            source.roots.push(root);
        }
    }
    Ok(source)
}

/// One tenant for whoever has no team, and one for each team.
fn tenants(models: &models::Models, import: &mut Import) {
    let plan = &mut import.plan;
    if !models.public.is_empty() || models.teams.is_empty() {
        plan.tenants.push(Tenant {
            id: "default".to_string(),
            models: models.public.clone(),
            substitutes: Vec::new(),
        });
    }
    for (team, own) in &models.teams {
        let models = own.iter().chain(&models.public).cloned().collect();
        plan.tenants.push(Tenant { id: team.clone(), models, substitutes: Vec::new() });
    }
}
