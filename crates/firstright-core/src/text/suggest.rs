//! Which name did they probably mean?

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Names longer than this are not compared: the comparison is quadratic.
const MAX_COMPARED_CHARS: usize = 64;

/// `did you mean …`, if one of the names is within two edits; otherwise what there is to choose from, if that is short.
pub(super) fn did_you_mean<'n>(wrong: &str, names: impl Iterator<Item = &'n str> + Clone) -> Option<String> {
    if let Some(near) = nearest(wrong, names.clone()) {
        return Some(format!("did you mean `{near}`?"));
    }
    let listed: Vec<String> = names.take(13).map(|name| format!("`{name}`")).collect();
    (1..=12).contains(&listed.len()).then(|| format!("known here: {}", listed.join(", ")))
}

fn nearest<'n>(wrong: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let length = wrong.chars().count();
    if length > MAX_COMPARED_CHARS {
        return None;
    }
    // Two edits turn any two letters into any other two: for short names one edit is all that means something.
    let most = if length < 4 { 1 } else { 2 };
    let close = names
        .filter(|name| name.chars().count() <= MAX_COMPARED_CHARS)
        .map(|name| (distance(wrong, name), name))
        .filter(|(edits, _)| *edits <= most);
    close.min_by_key(|(edits, _)| *edits).map(|(_, name)| name)
}

/// Levenshtein's distance: insertions, deletions and substitutions.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (line, from) in a.chars().enumerate() {
        let (mut diagonal, mut left) = (line, line.saturating_add(1));
        let mut next = Vec::with_capacity(row.len());
        next.push(left);
        for (to, above) in b.chars().zip(row.iter().skip(1).copied()) {
            let replaced = diagonal.saturating_add(usize::from(from != to));
            left = replaced.min(above.saturating_add(1)).min(left.saturating_add(1));
            diagonal = above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}
