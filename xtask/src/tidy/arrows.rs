//! Do the crates depend on each other only along the arrows of ARCHITECTURE.md, and do all of them keep the lints?

use toml::{Table, Value};

use super::{File, Problem, Tree};

/// What each of our crates may depend on.
const ARROWS: [(&str, &[&str]); 8] = [
    ("firstright-core", &[]),
    ("firstright-wire", &[]),
    ("firstright-engine", &["firstright-core"]),
    ("firstright-gateway", &["firstright-core", "firstright-wire", "firstright-engine"]),
    ("firstright-dispatch", &["firstright-core", "firstright-engine"]),
    ("firstright-sim", &["firstright-core"]),
    (
        "firstright",
        &[
            "firstright-core",
            "firstright-wire",
            "firstright-engine",
            "firstright-gateway",
            "firstright-dispatch",
            "firstright-sim",
        ],
    ),
    ("xtask", &[]),
];
/// The runtime, HTTP and TLS: a decision is never asynchronous, so only the shells may have them.
const SHELL_ONLY: [&str; 8] = [
    "tokio",
    "tokio-rustls",
    "tokio-util",
    "hyper",
    "hyper-util",
    "hyper-rustls",
    "rustls",
    "rustls-platform-verifier",
];
/// Crates that are shells.
const SHELLS: [&str; 3] = ["firstright-gateway", "firstright-dispatch", "firstright"];

pub fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in tree.files.iter().filter(|file| file.path.ends_with("Cargo.toml")) {
        match file.text.parse::<Table>() {
            Ok(manifest) => manifest_problems(tree, file, &manifest, &mut problems),
            Err(error) => problems.push(Problem::at(file, 1, format!("failed to read it: {error}"))),
        }
    }
    problems
}

fn manifest_problems(tree: &Tree, file: &File, manifest: &Table, problems: &mut Vec<Problem>) {
    if manifest.contains_key("workspace") && lint(manifest.get("workspace"), "unsafe_code") != Some("forbid")
    {
        problems.push(Problem::at(file, 1, "the workspace's lints do not forbid `unsafe_code`"));
    }
    let Some(name) = manifest.get("package").and_then(|package| package.get("name")).and_then(Value::as_str)
    else {
        return;
    };
    lints(file, manifest, problems);
    if name == "firstright-core" {
        core_is_pure(tree, file, manifest, problems);
    }
    let Some((_, allowed)) = ARROWS.iter().find(|(known, _)| *known == name) else {
        problems.push(Problem::at(
            file,
            1,
            format!("`{name}` has no arrows yet: say in xtask's what it may depend on"),
        ));
        return;
    };
    for (dependency, is_dev) in dependencies(manifest) {
        let line = line_of(file, dependency);
        let is_ours = ARROWS.iter().any(|(known, _)| *known == dependency);
        if is_ours && !allowed.contains(&dependency) {
            problems.push(Problem::at(file, line, format!("no arrow goes from `{name}` to `{dependency}`")));
        }
        if !is_dev && SHELL_ONLY.contains(&dependency) && !SHELLS.contains(&name) {
            problems.push(Problem::at(
                file,
                line,
                format!("`{dependency}` is for the shells only, not for `{name}`"),
            ));
        }
    }
}

/// The workspace's lints, or a list of its own that is as strict about `unsafe`.
fn lints(file: &File, manifest: &Table, problems: &mut Vec<Problem>) {
    let inherits =
        manifest.get("lints").and_then(|lints| lints.get("workspace")) == Some(&Value::Boolean(true));
    let own = manifest.get("lints").map(|lints| Table::from_iter([("lints".to_string(), lints.clone())]));
    if !inherits && lint(own.map(Value::Table).as_ref(), "unsafe_code") != Some("forbid") {
        problems.push(Problem::at(
            file,
            1,
            "the crate neither has the workspace's lints nor forbids `unsafe_code`",
        ));
    }
}

/// The level of one of rustc's lints in a table that has `lints`.
fn lint<'a>(holder: Option<&'a Value>, name: &str) -> Option<&'a str> {
    let level = holder?.get("lints")?.get("rust")?.get(name)?;
    level.as_str().or_else(|| level.get("level")?.as_str())
}

fn core_is_pure(tree: &Tree, file: &File, manifest: &Table, problems: &mut Vec<Problem>) {
    if manifest.contains_key("features") {
        problems.push(Problem::at(file, line_of(file, "[features]"), "the core has no feature flags"));
    }
    let root = file.path.replace("Cargo.toml", "src/lib.rs");
    let is_pure = tree.file(&root).is_some_and(|lib| lib.code.contains("#![no_std]"));
    if !is_pure {
        problems.push(Problem::at(
            file,
            1,
            format!("`{root}` has no `#![no_std]`: the core's purity is the compiler's"),
        ));
    }
}

/// Names of dependencies, and whether they are only the tests'.
fn dependencies(manifest: &Table) -> Vec<(&str, bool)> {
    let targets = manifest.get("target").and_then(Value::as_table);
    let targets = targets.into_iter().flat_map(Table::values).filter_map(Value::as_table);
    let mut found = Vec::new();
    for holder in std::iter::once(manifest).chain(targets) {
        for (key, is_dev) in
            [("dependencies", false), ("build-dependencies", false), ("dev-dependencies", true)]
        {
            let table = holder.get(key).and_then(Value::as_table);
            for (name, value) in table.into_iter().flatten() {
                let real = value.get("package").and_then(Value::as_str).unwrap_or(name);
                found.push((real, is_dev));
            }
        }
    }
    found
}

fn line_of(file: &File, wanted: &str) -> usize {
    let is_key = |line: &str| {
        line.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', ' ', '=']))
    };
    file.lines().find(|(_, line)| is_key(line)).map_or(1, |(number, _)| number)
}

#[cfg(test)]
mod tests;
