//! Does `docs/api.md` say what the code does?

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use firstright_wire::operation::table::{ADMINISTRATIVE, SERVED};
use firstright_wire::operation::{Operation, Verb};

const BEGIN: &str = "<!-- paths: UPDATE_EXPECT=1 cargo test -p firstright --test it reference -->\n";
const END: &str = "<!-- end -->";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn page() -> String {
    fs::read_to_string(root().join("docs/api.md")).unwrap()
}

/// The table of paths, from the table that requests are matched against.
fn paths() -> String {
    let mut out = String::from("\n| methods | path | what | streams |\n|---|---|---|---|\n");
    for served in SERVED {
        let verbs: Vec<&str> = served
            .verbs
            .iter()
            .map(|verb| match verb {
                Verb::Get => "GET",
                Verb::Post => "POST",
                Verb::Delete => "DELETE",
            })
            .collect();
        let what = match served.operation {
            Operation::Store => "kept",
            Operation::Models => "here",
            _ => "call",
        };
        let streams = if served.operation.streams() { "yes" } else { "" };
        let _ = writeln!(out, "| {} | `/v1/{}` | {what} | {streams} |", verbs.join(" "), served.pattern);
    }
    let administrative = ADMINISTRATIVE.map(|first| format!("`/v1/{first}/…`"));
    let _ = write!(out, "\n{} are refused with `operator_only`.\n", administrative.join(" and "));
    out
}

#[test]
fn every_path_that_is_served_is_told() {
    let page = page();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (told, after) = rest.split_once(END).unwrap();
    let paths = paths();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(root().join("docs/api.md"), [before, BEGIN, &paths, END, after].concat()).unwrap();
        return;
    }
    assert_eq!(told, paths, "UPDATE_EXPECT=1 writes it anew");
}

/// Sources of a crate, without tests.
fn sources(folder: &Path, out: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs") {
            out.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

/// What the gateway says with a status: `StatusCode::NAME`, then a code; and what is busy.
fn said(source: &str) -> BTreeSet<(u16, String)> {
    let code = |text: &str| {
        let (between, rest) = text.split_once('"')?;
        let (code, _) = rest.split_once('"')?;
        let plain = between.chars().all(|c| c.is_whitespace() || matches!(c, ',' | '('));
        let word = !code.is_empty() && code.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        (plain && word).then(|| code.to_string())
    };
    let mut all = BTreeSet::new();
    for part in source.split("StatusCode::").skip(1) {
        let name: String = part.chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect();
        if let (Some(status), Some(code)) = (status(&name), code(&part[name.len()..])) {
            all.insert((status, code));
        }
    }
    for part in source.split("No::busy").skip(1) {
        all.extend(code(part).map(|code| (503, code)));
    }
    all
}

fn status(name: &str) -> Option<u16> {
    let known = [
        ("BAD_REQUEST", 400),
        ("UNAUTHORIZED", 401),
        ("FORBIDDEN", 403),
        ("NOT_FOUND", 404),
        ("METHOD_NOT_ALLOWED", 405),
        ("CONFLICT", 409),
        ("PAYLOAD_TOO_LARGE", 413),
        ("UNPROCESSABLE_ENTITY", 422),
        ("UPGRADE_REQUIRED", 426),
        ("TOO_MANY_REQUESTS", 429),
        ("INTERNAL_SERVER_ERROR", 500),
        ("BAD_GATEWAY", 502),
        ("SERVICE_UNAVAILABLE", 503),
    ];
    known.iter().find(|(known, _)| *known == name).map(|(_, status)| *status)
}

/// What the page tells: status and code of each row.
fn told(page: &str) -> BTreeSet<(u16, String)> {
    let mut all = BTreeSet::new();
    for row in page.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let Some(status) = cells.get(2).and_then(|cell| cell.parse().ok()) else { continue };
        for code in cells[1].split(", ") {
            all.insert((status, code.trim_matches('`').to_string()));
        }
    }
    all
}

#[test]
fn every_refusal_is_told_with_its_status_and_every_code_that_is_told_is_said() {
    let mut gateway = String::new();
    sources(&root().join("crates/firstright-gateway/src"), &mut gateway);
    let (said, told) = (said(&gateway), told(&page()));
    assert!(said.len() > 25, "{said:?}");
    let untold: Vec<_> = said.difference(&told).collect();
    assert!(untold.is_empty(), "docs/api.md does not tell {untold:?}");
    let mut whole = gateway;
    sources(&root().join("crates/firstright-wire/src"), &mut whole);
    for (_, code) in told {
        assert!(whole.contains(&format!("\"{code}\"")), "docs/api.md tells `{code}`, which nothing says");
    }
}

#[test]
fn every_header_of_ours_is_told() {
    let mut gateway = String::new();
    sources(&root().join("crates/firstright-gateway/src"), &mut gateway);
    let page = page();
    for part in gateway.split("\"x-firstright-").skip(1) {
        let name = format!("x-firstright-{}", part.split('"').next().unwrap_or(""));
        assert!(page.contains(&format!("`{name}`")), "docs/api.md does not tell `{name}`");
    }
}
