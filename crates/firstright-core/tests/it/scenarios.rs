//! Every scenario under `scenarios/` says what it is expected to say. `UPDATE_EXPECT=1` writes what it says now.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use firstright_core::text::scenario;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn load(name: &str) -> Result<String, String> {
    fs::read_to_string(root().join(name)).map_err(|error| format!("failed to read `{name}`: {error}"))
}

fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).expect("the folder is part of the project");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("it can be read").path()).collect();
    files.retain(|path| path.extension().is_some_and(|found| found == ending));
    files.sort();
    files
}

#[test]
fn every_scenario_says_what_is_expected() {
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut wrong = String::new();
    let files = files("scenarios", "scn");
    let many = files.len();
    for path in files {
        let name = format!("scenarios/{}", path.file_name().expect("it has one").to_string_lossy());
        let text = fs::read_to_string(&path).expect("it was listed");
        let run =
            scenario::parse(&name, &text).and_then(|parsed| Ok((scenario::run(&parsed, &mut load)?, parsed)));
        match run {
            Err(problem) => wrong.push_str(&format!("{problem}\n")),
            Ok((actual, parsed)) if update => {
                fs::write(&path, parsed.with_expected(&actual)).expect("it can be written");
            }
            Ok((actual, parsed)) if actual != parsed.expected => {
                wrong.push_str(&format!("{name}\n{}", scenario::diff(&parsed.expected, &actual)));
            }
            Ok(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(many >= 60, "scenarios were lost: {many} are left");
}

/// The ids that follow a mark in a text.
fn cited(text: &str, mark: &str) -> BTreeSet<String> {
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix(mark));
    lines.flat_map(str::split_whitespace).map(ToString::to_string).collect()
}

fn sources(folder: &Path, out: &mut String) {
    for entry in fs::read_dir(folder).expect("it is a folder") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            out.push_str(&fs::read_to_string(&path).expect("it was listed"));
        }
    }
}

/// Every sentence of the law is cited by the code that honours it and by a scenario that proves it, and nothing cites a
/// sentence that is not there.
#[test]
fn every_sentence_is_cited_and_proved() {
    let mut sentences = BTreeSet::new();
    let mut wrong: Vec<String> = Vec::new();
    for path in files("docs/rights", "md") {
        let page = path.file_name().expect("it has one").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("it was listed");
        for line in text.lines().filter_map(|line| line.strip_prefix("**")) {
            let Some((id, _)) = line.split_once("**") else { continue };
            assert!(sentences.insert((page.clone(), id.to_string())), "{id} is said twice");
        }
    }
    let mut code = String::new();
    sources(&root().join("crates/firstright-core/src"), &mut code);
    let code = cited(&code, "//= rights/");
    let mut proved = BTreeSet::new();
    for path in files("scenarios", "scn") {
        proved.extend(cited(&fs::read_to_string(&path).expect("it was listed"), "# proves"));
    }
    for (page, id) in &sentences {
        if !code.contains(&format!("{page}#{id}")) {
            wrong.push(format!("no code cites {id} of {page}"));
        }
        if !proved.contains(id) {
            wrong.push(format!("no scenario proves {id}"));
        }
    }
    let known = |id: &str| sentences.iter().any(|(_, known)| known == id);
    wrong.extend(proved.iter().filter(|id| !known(id)).map(|id| format!("{id} is proved and not said")));
    let said = |cite: &str| sentences.iter().any(|(page, id)| format!("{page}#{id}") == cite);
    wrong.extend(code.iter().filter(|cite| !said(cite)).map(|cite| format!("{cite} is cited and not said")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
