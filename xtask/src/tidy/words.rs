//! Does anything stand in the repository that belongs elsewhere: paths of somebody's machine, registries' hosts, keys?

use super::{File, Problem, Tree};

/// Cargo's own file, which names its index in each line.
const LOCK: &str = "Cargo.lock";
/// Keys made for tests stand here.
const TEST_KEYS: &str = "/tests/it/tls";

/// What must not be said, put together from pieces so that this list is not found by itself, and why.
fn unwanted() -> Vec<(String, &'static str)> {
    let pieces: [(&[&str], &str); 13] = [
        (&["/wo", "rk/"], "a path of one machine"),
        (&["/ro", "ot/"], "a path of one machine"),
        (&["/ho", "me/"], "a path of one machine"),
        (&["/Us", "ers/"], "a path of one machine"),
        (&["crates", ".io"], "a registry's host: cargo's default serves"),
        (&["npm", "js.org"], "a registry's host: npm's default serves"),
        (&["py", "pi.org"], "a registry's host: pip's default serves"),
        (&["python", "hosted.org"], "a registry's host: pip's default serves"),
        (&["Claude", " Code"], "how a text was written is no part of it"),
        (&["Generated with ", "[Claude"], "how a text was written is no part of it"),
        (&["Chat", "GPT wrote"], "how a text was written is no part of it"),
        (&["Co-authored", "-by: Claude"], "how a text was written is no part of it"),
        (&["as an AI ", "language model"], "how a text was written is no part of it"),
    ];
    pieces.iter().map(|(word, reason)| (word.concat().to_lowercase(), *reason)).collect()
}

pub fn check(tree: &Tree) -> Vec<Problem> {
    let unwanted = unwanted();
    let mut problems = Vec::new();
    for file in tree.files.iter().filter(|file| file.path != LOCK) {
        for (line, text) in file.lines() {
            let lower = text.to_lowercase();
            for (word, reason) in unwanted.iter().filter(|(word, _)| stands_in(&lower, word)) {
                problems.push(Problem::at(file, line, format!("`{word}`: {reason}")));
            }
            if let Some(kind) = secret(file, text) {
                problems.push(Problem::at(
                    file,
                    line,
                    format!("this looks like {kind}; secrets are references"),
                ));
            }
        }
    }
    problems
}

/// Is it there? A path only where it begins: `/a/b/` is not in `x/a/b/`.
fn stands_in(text: &str, word: &str) -> bool {
    let begins = |at: usize| {
        let before = text[..at].chars().next_back();
        !word.starts_with('/') || !before.is_some_and(|char| char.is_alphanumeric() || "._-}>".contains(char))
    };
    text.match_indices(word).any(|(at, _)| begins(at))
}

/// What kind of real secret the line seems to hold. Keys for tests are shorter, and say so.
fn secret(file: &File, text: &str) -> Option<&'static str> {
    let run = |prefix: &str, is_part: fn(&u8) -> bool| {
        let runs = text.match_indices(prefix).map(|(at, _)| {
            let is_word = at == 0 || !text.as_bytes()[at - 1].is_ascii_alphanumeric();
            if is_word {
                text.as_bytes()[at + prefix.len()..].iter().take_while(|byte| is_part(byte)).count()
            } else {
                0
            }
        });
        runs.max().unwrap_or(0)
    };
    if run("sk-", u8::is_ascii_alphanumeric) >= 32
        || run("sk-proj-", |byte| *byte == b'_' || *byte == b'-' || byte.is_ascii_alphanumeric()) >= 32
    {
        return Some("an API key");
    }
    // Amazon's documented example key is everybody's.
    if run("AKIA", |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()) == 16
        && !text.contains("EXAMPLE")
    {
        return Some("an access key");
    }
    let block = text.split_once("-----BEGIN ").and_then(|(_, rest)| rest.split_once("PRIVATE KEY-----"));
    let block =
        block.is_some_and(|(kind, _)| kind.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b' '));
    (block && !file.path.contains(TEST_KEYS)).then_some("a private key")
}

#[cfg(test)]
mod tests;
