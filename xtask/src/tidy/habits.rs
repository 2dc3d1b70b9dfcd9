//! Are the small habits kept: a module opens with its question, nothing is left to do, a lint is never just silenced?

use super::source::is_word;
use super::{File, Problem, Tree};

/// Macros that mark what is not done or was looked at in passing.
const UNFINISHED: [&str; 3] = ["todo!", "unimplemented!", "dbg!"];

pub fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in tree.rust() {
        if !file.path.ends_with("/tests.rs")
            && !file.path.ends_with("build.rs")
            && !opens_with_a_sentence(file)
        {
            problems.push(Problem::at(
                file,
                1,
                "the module does not open with a `//!` sentence that says what it answers",
            ));
        }
        for (line, code) in file.code_lines() {
            for unfinished in UNFINISHED.iter().filter(|word| has_word(code, word)) {
                problems.push(Problem::at(
                    file,
                    line,
                    format!("`{unfinished}` is not for what is committed"),
                ));
            }
        }
        for line in bare_allows(&file.code) {
            let reason = "a bare `allow`: write `#[expect(lint, reason = \"…\")]`";
            problems.push(Problem::at(file, line, reason));
        }
    }
    problems
}

/// The first paragraph of the module's own documentation has a sentence, and nothing but attributes stands before it.
fn opens_with_a_sentence(file: &File) -> bool {
    let is_opening = |line: &&str| line.starts_with("//!");
    let start: usize =
        file.text.split_inclusive('\n').take_while(|line| !is_opening(line)).map(str::len).sum();
    let before = file.code[..start].trim();
    let opening = file.text[start..].lines().take_while(is_opening);
    let paragraph: Vec<&str> = opening
        .map(|line| line.trim_start_matches("//!").trim())
        .take_while(|line| !line.is_empty())
        .collect();
    (before.is_empty() || before.starts_with("#![") && before.ends_with(']'))
        && paragraph.join(" ").contains(['.', '?', ':', '!'])
}

/// Is the word in the code, and not only the end of a longer one?
fn has_word(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| at == 0 || !is_word(code.as_bytes()[at - 1]))
}

/// Lines of `allow` attributes that give no reason.
fn bare_allows(code: &str) -> Vec<usize> {
    let mut lines = Vec::new();
    for opening in ["#[allow(", "#![allow("] {
        for (at, _) in code.match_indices(opening) {
            let attribute = code[at..].split(']').next().unwrap_or_default();
            if !attribute.contains("reason") {
                lines.push(code[..at].matches('\n').count() + 1);
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests;
