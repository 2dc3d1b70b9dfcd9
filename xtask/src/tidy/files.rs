//! Are the files themselves in order: of a decent size, without white space that nobody sees, with links that lead somewhere?

use super::{File, Problem, Tree};

/// Larger files belong in a release or a test's generator.
const SIZE_MAX: u64 = 1 << 20;
/// Texts that people write; fixtures have the white space that they test.
const WRITTEN: [&str; 15] =
    ["rs", "md", "toml", "scn", "py", "mjs", "js", "ts", "css", "html", "svelte", "yml", "yaml", "sh", "txt"];

pub fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in &tree.files {
        if file.size > SIZE_MAX {
            problems.push(Problem::at(file, 1, format!("{} bytes; at most {SIZE_MAX}", file.size)));
        }
        let extension = file.path.rsplit_once('.').map_or("", |(_, extension)| extension);
        if WRITTEN.contains(&extension) {
            for (line, _) in file.lines().filter(|(_, line)| line.ends_with([' ', '\t', '\r'])) {
                problems.push(Problem::at(file, line, "white space at the end of the line"));
            }
            if !file.text.is_empty() && !file.text.ends_with('\n') {
                problems.push(Problem::at(
                    file,
                    file.text.lines().count(),
                    "no newline at the end of the file",
                ));
            }
        }
        if extension == "md" {
            dead_links(tree, file, &mut problems);
        }
    }
    problems
}

fn dead_links(tree: &Tree, file: &File, problems: &mut Vec<Problem>) {
    let mut in_code = false;
    for (line, text) in file.lines() {
        in_code ^= text.trim_start().starts_with("```");
        if in_code {
            continue;
        }
        // What stands between backticks is no link.
        let prose: String = text.split('`').step_by(2).collect::<Vec<_>>().join("_");
        for link in prose.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next()) {
            if !leads_somewhere(tree, &file.path, link) {
                problems.push(Problem::at(file, line, format!("the link `{link}` leads nowhere")));
            }
        }
    }
}

/// Other sites and places within the page are not looked at.
fn leads_somewhere(tree: &Tree, from: &str, link: &str) -> bool {
    let target = link.split('#').next().unwrap_or_default();
    if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
        return true;
    }
    let mut parts: Vec<&str> = if target.starts_with('/') { Vec::new() } else { from.split('/').collect() };
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.is_empty() => return false,
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let path = parts.join("/");
    let folder = format!("{path}/");
    path.is_empty() || tree.files.iter().any(|file| file.path == path || file.path.starts_with(&folder))
}

#[cfg(test)]
mod tests;
