//! What differs between two versions of a file? Tables key by key, lists of things with an `id` by their ids, so that an
//! entry that only moved is no difference.

use std::collections::BTreeSet;

use toml::{Table, Value};

/// Characters of a value that are shown: enough to tell two apart.
const SHOWN: usize = 60;

/// Every difference, one a line, in the order of keys.
pub fn diff(old: &Table, new: &Table) -> Vec<String> {
    let mut lines = Vec::new();
    tables("", old, new, &mut lines);
    lines
}

fn tables(at: &str, old: &Table, new: &Table, lines: &mut Vec<String>) {
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for key in keys {
        values(&inside(at, key), old.get(key), new.get(key), lines);
    }
}

fn values(at: &str, old: Option<&Value>, new: Option<&Value>, lines: &mut Vec<String>) {
    if let (Some(old), Some(new)) = (by_id(old), by_id(new)) {
        return lists(at, &old, &new, lines);
    }
    match (old, new) {
        (Some(Value::Table(old)), Some(Value::Table(new))) => tables(at, old, new, lines),
        (Some(old), Some(new)) if old == new => {}
        (Some(old), Some(new)) => lines.push(format!("{at}: {} → {}", shown(old), shown(new))),
        (None, Some(Value::Table(new))) => tables(at, &Table::new(), new, lines),
        (Some(Value::Table(old)), None) => tables(at, old, &Table::new(), lines),
        (None, Some(new)) => lines.push(format!("{at}: {} added", shown(new))),
        (Some(old), None) => lines.push(format!("{at}: {} removed", shown(old))),
        (None, None) => {}
    }
}

/// The entries of a list of things with ids; an absent list has none of them, and anything else is no such list.
fn by_id(value: Option<&Value>) -> Option<Vec<(&str, &Table)>> {
    let Some(value) = value else { return Some(Vec::new()) };
    value.as_array()?.iter().map(named).collect()
}

fn named(one: &Value) -> Option<(&str, &Table)> {
    let table = one.as_table()?;
    Some((table.get("id")?.as_str()?, table))
}

fn lists(at: &str, old: &[(&str, &Table)], new: &[(&str, &Table)], lines: &mut Vec<String>) {
    for (id, before) in old {
        let name = format!("{at} `{id}`");
        match new.iter().find(|(one, _)| one == id) {
            Some((_, after)) => tables(&format!("{name}:"), before, after, lines),
            None => lines.push(format!("{name}: removed")),
        }
    }
    for (id, _) in new.iter().filter(|(id, _)| !old.iter().any(|(one, _)| one == id)) {
        lines.push(format!("{at} `{id}`: added"));
    }
}

/// `a.b` within tables, `a `id`: b` within an entry.
fn inside(at: &str, key: &str) -> String {
    match at {
        "" => key.to_string(),
        entry if entry.ends_with(':') => format!("{entry} {key}"),
        table => format!("{table}.{key}"),
    }
}

/// A value, cut where it gets long. What stands in these files is no secret: secrets stand there by reference only.
fn shown(value: &Value) -> String {
    // JSON escapes what would end a line.
    let text = serde_json::to_string(value).unwrap_or_default();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests;
