//! Does the repository keep its own rules, as far as a machine can tell? Each check takes the files and returns what is
//! wrong with them, by file and line; `tidy/tests.rs` runs all of them under `cargo test`.

mod tree;
mod source;

mod sizes;
mod habits;
mod arrows;
mod citations;
mod words;
mod files;
mod readme;

use std::path::Path;

pub use tree::{File, Tree};

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    path: String,
    /// From 1.
    line: usize,
    reason: String,
    is_warning: bool,
}

impl Problem {
    fn at(file: &File, line: usize, reason: impl Into<String>) -> Problem {
        Problem { path: file.path.clone(), line, reason: reason.into(), is_warning: false }
    }

    fn warning(self) -> Problem {
        Problem { is_warning: true, ..self }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = if self.is_warning { "warning: " } else { "" };
        write!(out, "{}:{}: {kind}{}", self.path, self.line, self.reason)
    }
}

/// All checks.
const CHECKS: [fn(&Tree) -> Vec<Problem>; 7] =
    [sizes::check, habits::check, arrows::check, citations::check, words::check, files::check, readme::check];

/// Holds the repository against the rules and prints what breaks them.
///
/// # Errors
/// If anything but warnings was found, or the files cannot be read.
pub fn run(root: &Path) -> Result<(), String> {
    let tree = Tree::read(root)?;
    let problems = all(&tree);
    for problem in &problems {
        eprintln!("{problem}");
    }
    if citations::is_empty(&tree) {
        eprintln!("xtask: docs/rights has no pages yet, so citations are not checked");
    }
    let errors = problems.iter().filter(|problem| !problem.is_warning).count();
    eprintln!(
        "xtask: tidy read {} files: {errors} errors, {} warnings",
        tree.files.len(),
        problems.len() - errors
    );
    if errors == 0 { Ok(()) } else { Err(format!("failed to find the repository tidy: {errors} errors")) }
}

fn all(tree: &Tree) -> Vec<Problem> {
    let mut problems: Vec<Problem> = CHECKS.iter().flat_map(|check| check(tree)).collect();
    problems.sort();
    problems
}

#[cfg(test)]
mod tests;
