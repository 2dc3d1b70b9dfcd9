//! What became of each line of the source? Every path is told `exact`, `approximate`, `manual` or `unsupported`, with a
//! message. What nobody told is told at the end: nothing is dropped in silence.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::Serialize;

use super::yaml::{Kind, Node};

/// What became of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grade {
    /// It means here what it meant there.
    Exact,
    /// What is written comes near; the message says in what it differs.
    Approximate,
    /// Somebody must do something; the message says what.
    Manual,
    /// Nothing here does this.
    Unsupported,
}

impl Grade {
    const ALL: [Grade; 4] = [Grade::Exact, Grade::Approximate, Grade::Manual, Grade::Unsupported];

    /// As reports write it.
    pub fn word(self) -> &'static str {
        match self {
            Grade::Exact => "exact",
            Grade::Approximate => "approximate",
            Grade::Manual => "manual",
            Grade::Unsupported => "unsupported",
        }
    }
}

/// One path of the source.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    pub file: String,
    pub line: usize,
    pub path: String,
    pub grade: Grade,
    pub message: String,
    /// Its place among the source's values.
    #[serde(skip)]
    id: usize,
}

/// What was told so far.
#[derive(Debug, Default)]
pub struct Report {
    entries: Vec<Entry>,
    told: BTreeSet<usize>,
    errors: Vec<String>,
}

impl Report {
    /// Tells a value, or every value beneath it that was not told before.
    pub fn tell(&mut self, node: &Node, grade: Grade, message: impl Into<String>) {
        let message = message.into();
        if is_leaf(node) {
            self.add(node, grade, message);
            return;
        }
        for leaf in node.leaves() {
            if !self.told.contains(&leaf.id) {
                self.add(leaf, grade, message.clone());
            }
        }
    }

    pub fn exact(&mut self, node: &Node, message: impl Into<String>) {
        self.tell(node, Grade::Exact, message);
    }

    pub fn approximate(&mut self, node: &Node, message: impl Into<String>) {
        self.tell(node, Grade::Approximate, message);
    }

    pub fn manual(&mut self, node: &Node, message: impl Into<String>) {
        self.tell(node, Grade::Manual, message);
    }

    pub fn unsupported(&mut self, node: &Node, message: impl Into<String>) {
        self.tell(node, Grade::Unsupported, message);
    }

    /// What makes the import as a whole fail.
    pub fn error(&mut self, node: &Node, message: impl Into<String>) {
        let message = message.into();
        self.errors.push(format!("{}:{}: `{}`: {message}", node.file, node.line, node.path));
        self.tell(node, Grade::Unsupported, message);
    }

    pub fn errors(&self) -> &[String] {
        &self.errors
    }

    /// Was anything beneath told?
    pub fn knows(&self, node: &Node) -> bool {
        node.leaves().iter().any(|leaf| self.told.contains(&leaf.id))
    }

    /// Was the value of a map's key told?
    pub fn knows_key(&self, node: &Node, key: &str) -> bool {
        node.get(key).is_some_and(|value| self.knows(value))
    }

    /// Tells what nobody told, and puts all in the order of the source.
    pub fn finish(&mut self, roots: &[Node], shadowed: &[Node]) {
        for node in shadowed {
            self.unsupported(node, "another value for the same key follows, and that one holds");
        }
        for leaf in roots.iter().flat_map(Node::leaves) {
            if self.told.contains(&leaf.id) {
                continue;
            }
            if leaf.anchored {
                self.exact(leaf, "an anchor: told where it is referred to");
            } else if matches!(leaf.kind, Kind::Null) {
                self.exact(leaf, "empty: it says nothing");
            } else {
                self.unsupported(leaf, "nothing here reads this key");
            }
        }
        self.entries.sort_by(|a, b| (&a.file, a.line, a.id, a.grade).cmp(&(&b.file, b.line, b.id, b.grade)));
    }

    fn add(&mut self, node: &Node, grade: Grade, message: String) {
        self.told.insert(node.id);
        let (file, path) = (node.file.to_string(), node.path.to_string());
        self.entries.push(Entry { file, line: node.line, path, grade, message, id: node.id });
    }

    #[cfg(test)]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// How many entries of each grade.
    pub fn summary(&self) -> String {
        let counts = Grade::ALL.map(|grade| {
            let count = self.entries.iter().filter(|entry| entry.grade == grade).count();
            format!("{count} {}", grade.word())
        });
        format!("{} values: {}", self.told.len(), counts.join(", "))
    }

    /// As the terminal shows it: one line a value.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for entry in &self.entries {
            let place = format!("{}:{}", entry.file, entry.line);
            let _ = writeln!(out, "{place} {:11} {}: {}", entry.grade.word(), entry.path, entry.message);
        }
        for error in &self.errors {
            let _ = writeln!(out, "error: {error}");
        }
        let _ = writeln!(out, "{}", self.summary());
        out
    }

    /// As a table.
    pub fn markdown(&self) -> String {
        let cell = |text: &str| text.replace('|', "\\|").replace(['\n', '\r'], " ");
        let mut out = format!("# Import\n\n{}\n", self.summary());
        for error in &self.errors {
            let _ = write!(out, "\n**Error:** {}\n", cell(error));
        }
        out.push_str("\n| source | path | grade | what became of it |\n|---|---|---|---|\n");
        for entry in &self.entries {
            let Entry { file, line, path, grade, message, .. } = entry;
            let (path, message) = (cell(path), cell(message));
            let _ = writeln!(out, "| {file}:{line} | `{path}` | {} | {message} |", grade.word());
        }
        out
    }

    /// As JSON, for other programs.
    pub fn json(&self) -> String {
        #[derive(Serialize)]
        struct Whole<'r> {
            errors: &'r [String],
            entries: &'r [Entry],
        }
        let whole = Whole { errors: &self.errors, entries: &self.entries };
        let mut out = serde_json::to_string_pretty(&whole).unwrap_or_default();
        out.push('\n');
        out
    }
}

fn is_leaf(node: &Node) -> bool {
    match &node.kind {
        Kind::Null | Kind::Scalar { .. } => true,
        Kind::List(items) => items.is_empty(),
        Kind::Map(entries) => entries.is_empty(),
    }
}
