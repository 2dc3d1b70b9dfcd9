//! Are the rooms small? Files and functions that nobody can keep in mind are split.

use super::source::functions;
use super::{Problem, Tree};

/// Lines of a file without tests, at most.
const FILE_MAX: usize = 800;
/// From here on it is worth a thought.
const FILE_WARN: usize = 500;
/// Lines of a function, at most: one screen.
const FUNCTION_MAX: usize = 70;

pub fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in tree.rust() {
        let lines = file.text.lines().count();
        if !file.is_test() && lines > FILE_MAX {
            problems.push(Problem::at(
                file,
                FILE_MAX + 1,
                format!("{lines} lines; at most {FILE_MAX}: split it"),
            ));
        } else if !file.is_test() && lines > FILE_WARN {
            let reason = format!("{lines} lines; over {FILE_WARN} it is worth a split");
            problems.push(Problem::at(file, FILE_WARN + 1, reason).warning());
        }
        for function in functions(&file.code).iter().filter(|function| function.lines > FUNCTION_MAX) {
            let reason = format!("`{}` has {} lines; at most {FUNCTION_MAX}", function.name, function.lines);
            problems.push(Problem::at(file, function.line, reason));
        }
    }
    problems
}

#[cfg(test)]
mod tests;
