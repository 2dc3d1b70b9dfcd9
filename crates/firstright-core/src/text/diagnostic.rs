//! What is wrong, where, and what would help?

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use crate::text::place::Place;

/// A file of mistakes must not become a report without end; nobody reads past the first screens.
pub const MAX_DIAGNOSTICS: usize = 500;

/// A source line is shown up to here, so that a report stays legible on a file without line breaks.
const MAX_SHOWN_CHARS: usize = 160;

/// Does it keep the law from being enacted?
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The files make no world.
    Error,
    /// The world holds, but probably says something else than its authors meant.
    Warning,
}

/// One problem in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Its name, for example `unknown-key`; `docs/agreements.md` lists them all.
    pub code: &'static str,
    /// The file's name as it was given.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// The bytes of the file that it speaks of.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What would help.
    pub help: Option<String>,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        })
    }
}

impl fmt::Display for Diagnostic {
    /// One line: `agreements/x.toml:12:5: error[unknown-key]: …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Diagnostic { severity, code, file, line, column, message, .. } = self;
        write!(f, "{file}:{line}:{column}: {severity}[{code}]: {message}")
    }
}

impl Diagnostic {
    /// The problem with the source line that it speaks of, carets below it, and the help.
    pub fn render(&self, sources: &[(String, String)]) -> String {
        let mut out = format!("{self}\n");
        let text = sources.iter().find(|(name, _)| *name == self.file).map(|(_, text)| text.as_str());
        let line = text.and_then(|text| text.lines().nth(to_usize(self.line).saturating_sub(1)));
        if let Some(line) = line {
            let number = self.line.to_string();
            let gutter = " ".repeat(number.len());
            let shown: String = line.chars().take(MAX_SHOWN_CHARS).map(harmless).collect();
            let column = to_usize(self.column).saturating_sub(1);
            let blank = |c: char| if c == '\t' { '\t' } else { ' ' };
            let indent: String = shown.chars().map(blank).take(column).collect();
            out.push_str(&format!("{gutter} |\n{number} | {shown}\n{gutter} | {indent}"));
            let room = shown.chars().count().saturating_sub(column).max(1);
            let width = text
                .and_then(|text| text.get(self.span.clone()))
                .map_or(1, |spanned| spanned.lines().next().map_or(1, |first| first.chars().count()).max(1));
            out.push_str(&"^".repeat(width.min(room)));
            out.push('\n');
        }
        if let Some(help) = &self.help {
            out.push_str(&format!("  = help: {help}\n"));
        }
        out
    }
}

/// What a file holds must not steer the terminal that shows the report.
fn harmless(c: char) -> char {
    if c.is_control() && c != '\t' { char::REPLACEMENT_CHARACTER } else { c }
}

fn to_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The problems found so far.
pub(crate) struct Problems<'s> {
    sources: &'s [(String, String)],
    list: Vec<Diagnostic>,
}

impl<'s> Problems<'s> {
    pub(crate) fn new(sources: &'s [(String, String)]) -> Problems<'s> {
        Problems { sources, list: Vec::new() }
    }

    pub(crate) fn error(&mut self, at: &Place, code: &'static str, message: impl Into<String>) {
        self.add(Severity::Error, at, code, message.into(), None);
    }

    pub(crate) fn error_help(
        &mut self,
        at: &Place,
        code: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.add(Severity::Error, at, code, message.into(), Some(help.into()));
    }

    pub(crate) fn warn_help(
        &mut self,
        at: &Place,
        code: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.add(Severity::Warning, at, code, message.into(), Some(help.into()));
    }

    /// Is nothing more reported?
    pub(crate) fn full(&self) -> bool {
        self.list.len() >= MAX_DIAGNOSTICS
    }

    pub(crate) fn any_error(&self) -> bool {
        self.list.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// The problems in the order of the files, then of their places.
    pub(crate) fn finish(mut self) -> Vec<Diagnostic> {
        let order = |name: &str| self.sources.iter().position(|(other, _)| other == name);
        self.list.sort_by_cached_key(|problem| {
            (order(&problem.file), problem.span.start, problem.code, problem.message.clone())
        });
        self.list.dedup();
        self.list
    }

    fn add(
        &mut self,
        severity: Severity,
        at: &Place,
        code: &'static str,
        message: String,
        help: Option<String>,
    ) {
        let (code, message, help) = match MAX_DIAGNOSTICS.checked_sub(self.list.len()) {
            None | Some(0) => return,
            Some(1) => ("too-many-problems", "there are more problems than are listed".to_string(), None),
            Some(_) => (code, message, help),
        };
        // INVARIANT: no error is left out silently, because what stands for the rest is one.
        let severity = if code == "too-many-problems" { Severity::Error } else { severity };
        let (file, text) = match self.sources.get(at.file) {
            Some((file, text)) => (file.clone(), text.as_str()),
            None => (String::new(), ""),
        };
        let (line, column) = line_and_column(text, at.span.start);
        let span = at.span.clone();
        let message = message.chars().map(harmless).collect();
        self.list.push(Diagnostic { severity, code, file, line, column, span, message, help });
    }
}

/// The line and the column in characters of a byte, both from 1.
fn line_and_column(text: &str, at: usize) -> (u32, u32) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.bytes().filter(|byte| *byte == b'\n').count().saturating_add(1);
    let start = before.rfind('\n').map_or(0, |newline| newline.saturating_add(1));
    let column = before.get(start..).unwrap_or("").chars().count().saturating_add(1);
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}
