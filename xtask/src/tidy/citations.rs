//! Is every numbered sentence of `docs/rights` honoured by code and proved by a test, and does every citation name a
//! sentence that is there?

use std::collections::{BTreeMap, BTreeSet};

use super::{File, Problem, Tree};

/// Where the law stands in prose.
const PAGES: &str = "docs/rights/";
/// How a source cites it: `//= rights/<page>.md#XX-n`.
const CITES: &str = "//= rights/";
/// How a scenario does: `# proves XX-n XX-n`.
const PROVES: &str = "# proves ";

/// A sentence's number, for example `FR-3`, with the page that has it, where a page is named.
#[derive(Debug)]
struct Citation<'a> {
    file: &'a File,
    line: usize,
    page: Option<&'a str>,
    id: &'a str,
}

/// Are there no pages yet?
pub fn is_empty(tree: &Tree) -> bool {
    pages(tree).next().is_none()
}

pub fn check(tree: &Tree) -> Vec<Problem> {
    if is_empty(tree) {
        return Vec::new();
    }
    let mut problems = Vec::new();
    let sentences = sentences(tree, &mut problems);
    let (code, tests) = citations(tree, &mut problems);
    let shown = shown(tree);
    for citation in code.iter().chain(&tests).chain(&shown) {
        let page = sentences.get(citation.id).map(|(file, _)| page_of(file));
        let reason = match (page, citation.page) {
            (None, _) => format!("no page of {PAGES} has a sentence `{}`", citation.id),
            (Some(page), Some(cited)) if page != cited => {
                format!("`{}` stands in {page}, not in {cited}", citation.id)
            }
            _ => continue,
        };
        problems.push(Problem::at(citation.file, citation.line, reason));
    }
    let honoured: BTreeSet<&str> = code.iter().map(|citation| citation.id).collect();
    let proved: BTreeSet<&str> = tests.iter().map(|citation| citation.id).collect();
    for (id, (page, line)) in &sentences {
        if !honoured.contains(id) {
            problems.push(Problem::at(page, *line, format!("no code cites `{id}`")));
        }
        if !proved.contains(id) {
            problems.push(Problem::at(page, *line, format!("no scenario or test proves `{id}`")));
        }
    }
    problems
}

fn pages(tree: &Tree) -> impl Iterator<Item = &File> {
    tree.files.iter().filter(|file| file.path.starts_with(PAGES) && file.path.ends_with(".md"))
}

fn page_of(file: &File) -> &str {
    file.path.rsplit('/').next().unwrap_or(&file.path)
}

/// Every `**XX-n**` at the beginning of a line or of a point in a list, with its place.
fn sentences<'a>(tree: &'a Tree, problems: &mut Vec<Problem>) -> BTreeMap<&'a str, (&'a File, usize)> {
    let mut found = BTreeMap::new();
    for file in pages(tree) {
        for (line, text) in file.lines() {
            let begun = text.trim_start().trim_start_matches("- ").strip_prefix("**");
            let Some((id, _)) = begun.and_then(|rest| rest.split_once("**")) else { continue };
            if is_id(id) && found.insert(id, (file, line)).is_some() {
                problems.push(Problem::at(file, line, format!("`{id}` numbers two sentences")));
            }
        }
    }
    found
}

/// Citations by the code, and by the tests.
fn citations<'a>(tree: &'a Tree, problems: &mut Vec<Problem>) -> (Vec<Citation<'a>>, Vec<Citation<'a>>) {
    let (mut code, mut tests) = (Vec::new(), Vec::new());
    for file in tree.rust().filter(|file| file.path.starts_with("crates/")) {
        for (line, text) in file.lines() {
            let Some(cited) = text.trim_start().strip_prefix(CITES) else { continue };
            match cited.split_once('#') {
                Some((page, id)) if is_id(id) => {
                    let citation = Citation { file, line, page: Some(page), id };
                    if file.is_test() { tests.push(citation) } else { code.push(citation) }
                }
                _ => problems.push(Problem::at(file, line, "a citation is `//= rights/<page>.md#XX-n`")),
            }
        }
    }
    for file in
        tree.files.iter().filter(|file| file.path.starts_with("scenarios/") && file.path.ends_with(".scn"))
    {
        for (line, text) in file.lines() {
            let ids = text.strip_prefix(PROVES).into_iter().flat_map(|ids| ids.split([' ', ',']));
            tests.extend(ids.filter(|id| !id.is_empty()).map(|id| Citation { file, line, page: None, id }));
        }
    }
    (code, tests)
}

/// Every `[XX-n]` that a decision is shown with.
fn shown(tree: &Tree) -> Vec<Citation<'_>> {
    let mut found = Vec::new();
    for file in tree.rust().filter(|file| file.path.starts_with("crates/") && !file.is_test()) {
        for (line, text) in file.lines() {
            let ids = text.split('[').skip(1).filter_map(|rest| rest.split_once(']')).map(|(id, _)| id);
            found.extend(ids.filter(|id| is_id(id)).map(|id| Citation { file, line, page: None, id }));
        }
    }
    found
}

/// Two capital letters, a dash and a number.
fn is_id(text: &str) -> bool {
    let Some((letters, digits)) = text.split_once('-') else { return false };
    letters.len() == 2
        && letters.bytes().all(|byte| byte.is_ascii_uppercase())
        && !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests;
