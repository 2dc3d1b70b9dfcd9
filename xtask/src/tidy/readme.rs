//! Does the README name only commands that the binary has? Asked of the built binary, where it is newer than its sources.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use super::{Problem, Tree};

const README: &str = "README.md";

pub fn check(tree: &Tree) -> Vec<Problem> {
    match tree.root.as_deref().and_then(|root| fresh_binary(root, tree)).and_then(|binary| help(&binary)) {
        Some(help) => problems(tree, &help),
        None => Vec::new(),
    }
}

fn problems(tree: &Tree, help: &str) -> Vec<Problem> {
    let known: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .map_while(|line| line.strip_prefix("  "))
        .filter_map(|line| line.split(' ').next())
        .collect();
    let mut problems = Vec::new();
    let Some(file) = tree.file(README) else { return problems };
    let mut in_code = false;
    for (line, text) in file.lines() {
        in_code ^= text.starts_with("```");
        // In prose only what stands between backticks is a command.
        let pieces: Vec<&str> =
            if in_code { vec![text] } else { text.split('`').skip(1).step_by(2).collect() };
        for command in pieces.into_iter().filter_map(command) {
            if !known.contains(&command) {
                problems.push(Problem::at(file, line, format!("the binary has no command `{command}`")));
            }
        }
    }
    problems
}

/// The word after the binary's name, if the piece is a line of a shell that runs it.
fn command(piece: &str) -> Option<&str> {
    let words = piece.trim_start().trim_start_matches("$ ").trim_start_matches("./target/release/");
    let word = words.strip_prefix("firstright ")?.split_whitespace().next()?;
    word.bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
        .then_some(word)
        .filter(|word| !word.starts_with('-'))
}

fn help(binary: &Path) -> Option<String> {
    let output = Command::new(binary).arg("--help").output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()
}

/// A binary that is older than its sources would be asked about the commands of yesterday.
fn fresh_binary(root: &Path, tree: &Tree) -> Option<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let binary = root.join(target).join("debug/firstright");
    let changed = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    let built = changed(&binary)?;
    let sources = tree.rust().filter(|file| file.path.starts_with("crates/firstright/src/"));
    let newest: Option<SystemTime> = sources.filter_map(|file| changed(&root.join(&file.path))).max();
    (newest? <= built).then_some(binary)
}

#[cfg(test)]
mod tests;
