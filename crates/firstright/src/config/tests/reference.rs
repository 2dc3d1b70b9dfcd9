//! Does the commented reference show every key that there is, and none that there is not?
//!
//! Which keys there are is asked of the reader itself: it names them when it meets one that it does not know.

use super::*;

/// A key that nobody will ever give a meaning.
const NONE: &str = "zz-no-such-key";
/// Keys that a section takes and does not show, with the reason.
const UNSHOWN: [(&str, &str, &str); 1] =
    [("account", "tenant", "the body is a key's too, and organisations and teams have none: it is refused")];

/// A table of the configuration: its place, and whether each step of the way is a list of tables.
type Place = Vec<(String, bool)>;

/// Writes a line of TOML at a place.
fn at(place: &[(String, bool)], line: &str) -> String {
    place.iter().rev().fold(line.to_string(), |inner, (name, is_list)| match is_list {
        true => format!("{name} = [{{ {inner} }}]"),
        false => format!("{name} = {{ {inner} }}"),
    })
}

/// What the reader says that it would have taken in the place of an unknown field or variant.
fn taken_instead(text: &str, unknown: &str) -> Option<Vec<String>> {
    let problem = config(text).err()?;
    let (_, rest) = problem.split_once(&format!("unknown {unknown} `{NONE}`, expected "))?;
    Some(rest.split('`').skip(1).step_by(2).map(str::to_string).collect())
}

/// Every table with its keys, and the words that a key takes if they are known.
fn tables(place: &Place, found: &mut Vec<(Place, Vec<String>, Vec<String>)>) {
    let keys = taken_instead(&at(place, &format!("{NONE} = 1")), "field").unwrap_or_default();
    let mut words = Vec::new();
    for key in &keys {
        words
            .extend(taken_instead(&at(place, &format!("{key} = \"{NONE}\"")), "variant").unwrap_or_default());
        for is_list in [false, true] {
            let inner = [place.clone(), vec![(key.clone(), is_list)]].concat();
            if taken_instead(&at(&inner, &format!("{NONE} = 1")), "field").is_some() {
                tables(&inner, found);
            }
        }
    }
    found.push((place.clone(), keys, words));
}

/// A line without the sign of a comment.
fn bare(line: &str) -> &str {
    let line = line.strip_prefix('#').map_or(line, |line| line.strip_prefix(' ').unwrap_or(line));
    line.strip_prefix("# ").unwrap_or(line)
}

/// The name in a line such as `[gateway]` or `# [[key]]`.
fn header(line: &str) -> Option<&str> {
    let name = bare(line).strip_prefix('[')?.trim_start_matches('[').split(']').next()?;
    (!name.contains(' ')).then_some(name)
}

/// The reference's lines about a place: its section, and of that the paragraphs that say the tables within.
fn lines_of(place: &[(String, bool)]) -> Vec<&'static str> {
    let mut section = "";
    let mut lines: Vec<&str> = Vec::new();
    for line in REFERENCE.lines() {
        section = header(line).unwrap_or(section);
        if place.first().map_or("", |(name, _)| name) == section {
            lines.push(line);
        }
    }
    for (name, _) in place.iter().skip(1) {
        let paragraphs = lines.split(|line| line.trim_matches(['#', ' ']).is_empty());
        let says = |lines: &&[&str]| lines.iter().any(|line| shows(line, name));
        lines = paragraphs.filter(says).flatten().copied().collect();
    }
    lines
}

/// Does a line set this key?
fn shows(line: &str, key: &str) -> bool {
    line.match_indices(&format!("{key} =")).any(|(at, _)| {
        !line[..at].ends_with(|before: char| before.is_ascii_alphanumeric() || before == '-' || before == '_')
    })
}

#[test]
fn the_reference_shows_every_key_of_every_section() {
    let mut found = Vec::new();
    tables(&Place::new(), &mut found);
    let names: Vec<String> =
        found.iter().map(|(place, ..)| place.iter().map(|(name, _)| format!("{name}.")).collect()).collect();
    for known in ["", "gateway.tls.", "telemetry.otlp.", "account.", "key.", "deployment.auth.entra."] {
        assert!(names.iter().any(|name| name == known), "{known} is not among {names:?}");
    }
    let mut missing = Vec::new();
    for ((place, keys, words), name) in found.iter().zip(&names) {
        let lines = lines_of(place);
        for key in keys {
            let is_section = place.is_empty() && REFERENCE.lines().any(|line| header(line) == Some(key));
            let is_unshown = UNSHOWN.iter().any(|(place, own, _)| format!("{place}.") == *name && own == key);
            if !is_section && !is_unshown && !lines.iter().any(|line| shows(line, key)) {
                missing.push(format!("{name}{key}"));
            }
        }
        let told = |word: &&String| !lines.iter().any(|line| line.contains(word.as_str()));
        missing.extend(words.iter().filter(told).map(|word| format!("{name}{word}")));
    }
    assert!(missing.is_empty(), "the reference does not show {missing:?}");
}

/// Is a line without its sign of a comment a line of TOML, and no prose?
fn is_set(line: &str) -> bool {
    let name = |name: &str| {
        name.bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_')
    };
    line.split_once(" = ").is_some_and(|(key, _)| name(key)) || line.starts_with("[[")
}

#[test]
fn what_the_reference_comments_out_can_be_written_so() {
    let mut plain = String::new();
    let (mut text, mut auths) = (String::new(), Vec::new());
    for line in REFERENCE.lines() {
        let set = bare(line);
        if set.starts_with("auth = ") {
            auths.push(set);
        } else if is_set(set) || header(line).is_some() {
            text += &format!("{set}\n");
        }
        plain += &format!("{line}\n");
    }
    assert!(config(&plain).is_ok() && auths.len() > 8, "{auths:?}");
    let whole = config(&text).unwrap_or_else(|problem| panic!("{problem}\n{text}"));
    assert_eq!((whole.keys.len(), whole.accounts.len(), whole.deployments.len()), (1, 1, 1));
    assert!(whole.gateway.tls.is_some() && whole.admin.tls.is_some() && whole.admin.token.is_some());
    assert!(whole.telemetry.otlp.is_some() && whole.telemetry.access_log_file.is_some());
    for auth in auths {
        let text = format!("agreements = []\n[[deployment]]\nid = \"a\"\nurl = \"https://a\"\n{auth}\n");
        assert!(config(&text).is_ok(), "{auth}: {:?}", config(&text).err());
    }
}

#[test]
fn the_reference_says_the_defaults() {
    let reference = config(REFERENCE).unwrap();
    let default = config("agreements = []").unwrap();
    let of = |config: &Config| {
        let Config {
            file: _,
            text: _,
            agreements: _,
            data,
            watch_s,
            gateway,
            admin,
            accounts,
            telemetry,
            keys,
            deployments,
        } = config;
        format!(
            "{data:?} {watch_s} {gateway:?} {admin:?} {accounts:?} {telemetry:?} {keys:?} {deployments:?}"
        )
    };
    assert_eq!(of(&reference), of(&default));
}
